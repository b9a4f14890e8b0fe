// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arithmetic, against a reference that shares nothing with it: values are
 * decoded from their fields with ldexp(), sums of two FP32 are made in double
 * and rounded once (which is exact: 53 >= 2 * 24 + 2), and results are encoded
 * by searching the nearest representable value.
 */
#include <math.h>

#include "alink_fabric.h"
#include "rig.h"
#include "tap.h"

struct format {
	const char *name;
	enum alink_dtype dtype;
	int exp, man;		/* bits */
	bool ieee;		/* has infinities; else all ones is NaN */
	uint32_t nan;
};

static const struct format formats[] = {
	{ "fp32", ALINK_DT_FP32, 8, 23, true, 0x7fc00000 },
	{ "bf16", ALINK_DT_BF16, 8, 7, true, 0x7fc0 },
	{ "fp16", ALINK_DT_FP16, 5, 10, true, 0x7e00 },
	{ "e4m3", ALINK_DT_FP8_E4M3, 4, 3, false, 0x7f },
	{ "e5m2", ALINK_DT_FP8_E5M2, 5, 2, true, 0x7e },
};
#define NUM_FORMATS	(sizeof(formats) / sizeof(formats[0]))

static uint32_t sign_bit(const struct format *f)
{
	return 1U << (f->exp + f->man);
}

static double decode(const struct format *f, uint32_t v)
{
	uint32_t e = v >> f->man & ((1U << f->exp) - 1);
	uint32_t m = v & ((1U << f->man) - 1);
	int bias = (1 << (f->exp - 1)) - 1;
	double x;

	if (e == (1U << f->exp) - 1) {
		if (f->ieee)
			x = m ? NAN : INFINITY;
		else if (m == (1U << f->man) - 1)
			x = NAN;
		else
			x = ldexp(m + (1 << f->man), e - bias - f->man);
	} else if (e) {
		x = ldexp(m + (1 << f->man), (int)e - bias - f->man);
	} else {
		x = ldexp(m, 1 - bias - f->man);
	}
	return v & sign_bit(f) ? -x : x;
}

/* Largest finite code without sign */
static uint32_t max_code(const struct format *f)
{
	uint32_t top = sign_bit(f) - 1;	/* all ones */

	return f->ieee ? top - (1U << f->man) : top - 1;
}

/* Codes without sign grow with the values: halve the interval. */
static uint32_t encode(const struct format *f, double x)
{
	uint32_t lo = 0, hi = max_code(f), mid, sign;
	double a = fabs(x), limit, dlo, dhi;

	if (isnan(x))
		return f->nan;
	sign = signbit(x) ? sign_bit(f) : 0;
	/* As if there were one more finite code; its half way is the limit. */
	limit = decode(f, hi) + (decode(f, hi) - decode(f, hi - 1)) / 2;
	if (a > limit || (a == limit && (hi & 1)))
		return f->ieee ? sign | (hi + 1) : f->nan;
	if (a >= decode(f, hi))
		return sign | hi;
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (decode(f, mid) <= a)
			lo = mid;
		else
			hi = mid;
	}
	dlo = a - decode(f, lo);
	dhi = decode(f, hi) - a;
	if (dlo < dhi || (dlo == dhi && !(lo & 1)))
		return sign | lo;
	return sign | hi;
}

static double add32(double a, double b)
{
	return (float)(a + b);
}

static uint32_t ref_reduce(const struct format *f, const uint32_t *v, size_t n,
			   enum alink_redop op)
{
	double acc = decode(f, v[0]), x;

	for (size_t i = 1; i < n; i++) {
		x = decode(f, v[i]);
		if (op == ALINK_OP_SUM)
			acc = add32(acc, x);
		else if (isnan(acc) || isnan(x))
			acc = NAN;
		else if (op == ALINK_OP_MIN)
			acc = x < acc || (x == acc && signbit(x)) ? x : acc;
		else
			acc = x > acc || (x == acc && !signbit(x)) ? x : acc;
	}
	return encode(f, acc);
}

static uint32_t get(const void *mem, size_t size, size_t i)
{
	uint32_t v = 0;

	memcpy(&v, (const uint8_t *)mem + i * size, size);
	return v;
}

/* Runs pairs through af_reduce2() and the reference. */
static void check_pairs(const struct format *f, const void *a, const void *b,
			size_t n)
{
	size_t size = af_dtype_size(f->dtype);
	void *out = malloc(n * size);

	for (int op = ALINK_OP_SUM; op <= ALINK_OP_MAX; op++) {
		int bad = 0;

		EXPECT_EQ(af_reduce2(out, a, b, n, f->dtype, op), ALINK_ST_OK);
		for (size_t i = 0; i < n && bad < 5; i++) {
			uint32_t v[2] = { get(a, size, i), get(b, size, i) };
			uint32_t want = ref_reduce(f, v, 2, op);
			uint32_t have = get(out, size, i);

			if (want != have) {
				TAP_FAIL("%s op %d: %#x, %#x gives %#x, not %#x",
					 f->name, op, v[0], v[1], have, want);
				bad++;
			}
		}
	}
	free(out);
}

TEST(reference_decodes_known_values)
{
	const struct format *e4m3 = &formats[3], *e5m2 = &formats[4];

	EXPECT(decode(&formats[0], 0x3f800000) == 1.0);
	EXPECT(decode(&formats[1], 0x4049) == 3.140625);
	EXPECT(decode(&formats[2], 0x0001) == 0x1p-24);
	EXPECT(decode(&formats[2], 0x7bff) == 65504);
	EXPECT(decode(e4m3, 0x7e) == 448);
	EXPECT(decode(e4m3, 0x01) == 0x1p-9);
	EXPECT(decode(e5m2, 0x7b) == 57344);
	EXPECT(decode(e5m2, 0xfc) == -INFINITY);
	EXPECT_EQ(encode(e4m3, 464), 0x7e);
	EXPECT_EQ(encode(e4m3, 464.001), 0x7f);
	EXPECT_EQ(encode(e5m2, 61440), 0x7c);
	EXPECT_EQ(encode(&formats[2], 65519.99), 0x7bff);
	EXPECT_EQ(encode(&formats[2], 65520), 0x7c00);
}

/* Every pair of values of both 8-bit types */
TEST(fp8_exhaustive)
{
	uint8_t *a = malloc(65536), *b = malloc(65536);

	for (int i = 0; i < 65536; i++) {
		a[i] = i;
		b[i] = i >> 8;
	}
	check_pairs(&formats[3], a, b, 65536);
	check_pairs(&formats[4], a, b, 65536);
	free(a);
	free(b);
}

/* Every value of the 16-bit types against a list of awkward ones */
TEST(half_all_against_some)
{
	static const uint16_t some[] = {
		0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x3c00, 0xbc01,
		0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7c01, 0xfe00, 0x1400, 0x5800,
		0x3f80, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7f81, 0x007f, 0x0080,
	};
	uint16_t *a = malloc(2 * 65536), *b = malloc(2 * 65536);

	for (size_t k = 0; k < sizeof(some) / sizeof(some[0]); k++) {
		for (int i = 0; i < 65536; i++) {
			a[i] = i;
			b[i] = some[k];
		}
		check_pairs(&formats[1], a, b, 65536);
		check_pairs(&formats[2], a, b, 65536);
	}
	free(a);
	free(b);
}

TEST(random_pairs)
{
	uint32_t *a = malloc(1 << 18), *b = malloc(1 << 18);

	for (int round = 0; round < 4; round++) {
		rig_fill(a, 1 << 18);
		rig_fill(b, 1 << 18);
		/* Near each other, so that sums cancel and round. */
		if (round & 1)
			for (int i = 0; i < 1 << 16; i++)
				b[i] = a[i] ^ 0x80000000 ^ (b[i] & 0x00ff0fff);
		for (size_t k = 0; k < NUM_FORMATS; k++)
			check_pairs(&formats[k], a, b,
				    (1 << 18) / af_dtype_size(formats[k].dtype));
	}
	free(a);
	free(b);
}

TEST(fp32_special_values)
{
	static const uint32_t v[] = {
		0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000,
		0x3f800000, 0xbf800000, 0x3f800001, 0x33800000, 0x33800001,
		0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7f800001,
		0xffc00000, 0x7fc12345, 0x73000000, 0xf3000000,
	};
	enum { N = sizeof(v) / sizeof(v[0]) };
	uint32_t a[N * N], b[N * N];

	for (int i = 0; i < N * N; i++) {
		a[i] = v[i / N];
		b[i] = v[i % N];
	}
	check_pairs(&formats[0], a, b, N * N);
}

TEST(int32_wraps_and_compares_signed)
{
	static const int32_t a[] = { INT32_MAX, INT32_MIN, -1, 5, 0 };
	static const int32_t b[] = { 1, -1, 1, -7, 0 };
	static const int32_t sum[] = { INT32_MIN, INT32_MAX, 0, -2, 0 };
	static const int32_t min[] = { 1, INT32_MIN, -1, -7, 0 };
	static const int32_t max[] = { INT32_MAX, -1, 1, 5, 0 };
	int32_t out[5];

	af_reduce2(out, a, b, 5, ALINK_DT_INT32, ALINK_OP_SUM);
	EXPECT(!memcmp(out, sum, sizeof(out)));
	af_reduce2(out, a, b, 5, ALINK_DT_INT32, ALINK_OP_MIN);
	EXPECT(!memcmp(out, min, sizeof(out)));
	af_reduce2(out, a, b, 5, ALINK_DT_INT32, ALINK_OP_MAX);
	EXPECT(!memcmp(out, max, sizeof(out)));
}

TEST(what_is_not_reducible)
{
	uint8_t a[4] = { 1 }, b[4] = { 2 }, out[4] = { 9, 9, 9, 9 };

	EXPECT_EQ(af_reduce2(out, a, b, 4, ALINK_DT_UINT8, ALINK_OP_SUM),
		  ALINK_ST_UNSUPPORTED);
	EXPECT_EQ(af_reduce2(out, a, b, 1, 99, ALINK_OP_SUM),
		  ALINK_ST_UNSUPPORTED);
	EXPECT_EQ(af_reduce2(out, a, b, 1, ALINK_DT_INT32, 3),
		  ALINK_ST_UNSUPPORTED);
	EXPECT(out[0] == 9 && out[3] == 9);
	EXPECT_EQ(af_dtype_size(ALINK_DT_UINT8), 1);
	EXPECT_EQ(af_dtype_size(99), 0);
	EXPECT(!af_dtype_reducible(ALINK_DT_UINT8));
	EXPECT(!af_dtype_reducible(-1));
}

/* Lengths around the block size; in place on either operand; no overrun */
TEST(lengths_and_in_place)
{
	enum { MAX = 2100 };
	uint16_t a[MAX], b[MAX], want[MAX], out[MAX + 1];
	size_t lens[] = { 0, 1, 511, 512, 513, 1024, 1537, 2100 };

	rig_fill(a, sizeof(a));
	rig_fill(b, sizeof(b));
	for (int i = 0; i < MAX; i++) {
		uint32_t v[2] = { a[i], b[i] };

		want[i] = ref_reduce(&formats[1], v, 2, ALINK_OP_SUM);
	}
	for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
		size_t n = lens[k];

		memset(out, 0xa5, sizeof(out));
		af_reduce2(out, a, b, n, ALINK_DT_BF16, ALINK_OP_SUM);
		EXPECT(!memcmp(out, want, 2 * n));
		EXPECT_EQ(out[n], 0xa5a5);

		memcpy(out, a, 2 * n);
		af_reduce2(out, out, b, n, ALINK_DT_BF16, ALINK_OP_SUM);
		EXPECT(!memcmp(out, want, 2 * n));
		EXPECT_EQ(out[n], 0xa5a5);

		memcpy(out, b, 2 * n);
		af_reduce2(out, a, out, n, ALINK_DT_BF16, ALINK_OP_SUM);
		EXPECT(!memcmp(out, want, 2 * n));
		EXPECT_EQ(out[n], 0xa5a5);
	}
}

/*
 * Through the switches: every type and operation over groups of 1 to 9, odd
 * lengths, odd offsets, whatever the number of planes; whoever asks.
 */
static void check_group(uint32_t n, uint32_t planes)
{
	struct rig *r = rig_new(n, planes);
	uint64_t off = 3 * 4, len = 4 * 777;
	struct af_result res;
	uint8_t out[4 * 777];

	rig_group_all(r, 0);
	for (uint32_t i = 0; i < n; i++)
		rig_fill(r->mem[i], 8192);
	for (size_t k = 0; k < NUM_FORMATS; k++) {
		const struct format *f = &formats[k];
		size_t size = af_dtype_size(f->dtype);

		for (int op = ALINK_OP_SUM; op <= ALINK_OP_MAX; op++) {
			uint32_t who = rig_random() % n, bad = 0;

			af_group_reduce(r->f, who, 0, off, out, len, f->dtype,
					op, &res);
			EXPECT_EQ(res.status, ALINK_ST_OK);
			for (size_t i = 0; i < len / size && !bad; i++) {
				uint32_t v[9];

				for (uint32_t m = 0; m < n; m++)
					v[m] = get(r->mem[m] + off, size, i);
				bad = ref_reduce(f, v, n, op) !=
				      get(out, size, i);
				if (bad)
					TAP_FAIL("%s op %d, %u members, %u planes, element %zu",
						 f->name, op, n, planes, i);
			}
		}
	}
	rig_free(r);
}

TEST(group_of_any_size)
{
	for (uint32_t n = 1; n <= 9; n++)
		check_group(n, 1 + n % 8);
}

/* FP32 sums that come out different in any other order */
TEST(sum_in_ascending_member_order)
{
	static const float v[] = { 1e8f, 1, -1e8f, 1 };
	struct rig *r = rig_new(4, 3);
	struct af_result res;
	float out;

	rig_group_all(r, 0);
	for (int i = 0; i < 4; i++)
		memcpy(r->mem[i], &v[i], 4);
	for (uint32_t who = 0; who < 4; who++) {
		out = 0;
		af_group_reduce(r->f, who, 0, 0, &out, 4, ALINK_DT_FP32,
				ALINK_OP_SUM, &res);
		EXPECT_EQ(res.status, ALINK_ST_OK);
		EXPECT(out == 1);	/* ((1e8 + 1) - 1e8) + 1 */
	}
	rig_free(r);
}

/* Three halves of a last place: FP16 would lose both, FP32 keeps them. */
TEST(narrow_types_round_once)
{
	static const uint16_t v[] = { 0x3c00, 0x1000, 0x1000, 0x1000 };
	struct rig *r = rig_new(4, 2);
	struct af_result res;
	uint16_t out = 0;

	rig_group_all(r, 0);
	for (int i = 0; i < 4; i++)
		memcpy(r->mem[i], &v[i], 2);
	af_group_reduce(r->f, 2, 0, 0, &out, 2, ALINK_DT_FP16, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT_EQ(out, 0x3c02);		/* 1 + 1.5 * 2^-10, ties to even */
	rig_free(r);
}
