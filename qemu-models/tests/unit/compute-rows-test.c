// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Functions of rows in every format that they take, with all that it can say:
 * NaN, infinities, subnormal numbers, both zeros, and results half way between
 * two. First to FP32, as compute-vector-test.c has it; then to the format of
 * the operand, which is that rounded once more.
 */
#include <math.h>

#include "compute-rig.h"
#include "rig.h"
#include "tap.h"

#define FP32	ALINK_DT_FP32
#define BF16	ALINK_DT_BF16

#define ROWS	128
#define COLS	512
/* As many as codes of 16 bits */
#define CELLS	(ROWS * COLS)

static const enum alink_dtype any_format[] = {
	FP32, ALINK_DT_TF32, BF16, ALINK_DT_FP16, ALINK_DT_FP8_E4M3,
	ALINK_DT_FP8_E5M2, ALINK_DT_INT8, ALINK_DT_MXFP4,
};
#define NUM_FORMATS	(sizeof(any_format) / sizeof(any_format[0]))

/* Rows in a format, and what they are */
struct in {
	enum alink_dtype dtype;
	uint8_t mem[4 * CELLS];
	uint8_t scales[CELLS / 32];
	double value[CELLS];
};

static struct in a_in, b_in;
static float result[CELLS];

static bool is_mx(const struct in *in)
{
	return in->dtype == ALINK_DT_MXFP4;
}

static struct alink_xpu_matrix in_matrix(const struct in *in)
{
	struct alink_xpu_matrix m = cr_matrix(in->dtype, in->mem, COLS);

	if (is_mx(in)) {
		m.scale = (uintptr_t)in->scales;
		m.scale_stride = COLS / 32;
	}
	return m;
}

static struct alink_xpu_compute in_block(const struct in *a, const struct in *b)
{
	struct alink_xpu_compute block = {
		.m = ROWS, .n = COLS,
		.a = in_matrix(a),
		.dst = cr_matrix(FP32, result, COLS),
	};

	if (b)
		block.b = in_matrix(b);
	return block;
}

static void in_values(struct in *in)
{
	for (uint32_t i = 0; i < CELLS; i++)
		in->value[i] = is_mx(in) ?
			cr_mx_decode(in->mem + i / 32 * 16,
				     in->scales[i / 32], i % 32) :
			cr_decode(in->dtype, cr_get(in->dtype, in->mem, i));
}

/* Of MXFP4 there are no codes of one element. */
static void put(struct in *in, uint32_t i, uint32_t code)
{
	memcpy(in->mem + i * cr_size(in->dtype), &code, cr_size(in->dtype));
}

/* All of 8 and 16 bits; of 32 each exponent and what is around roundings */
static uint32_t any_code(enum alink_dtype dtype, uint32_t i)
{
	static const uint32_t mantissa[] = {
		0, 1, 0x000fff, 0x001000, 0x001001, 0x003000, 0x007fff,
		0x008000, 0x008001, 0x018000, 0x3fffff, 0x400000, 0x400001,
		0x7fefff, 0x7ff000, 0x7fffff,
	};

	if (cr_size(dtype) < 4)
		return i;
	if (i < 16 * 512)
		return i % 512 << 23 | mantissa[i / 512];
	return rig_random();
}

/* @second: in another order; so of 8 bits each meets each of the first. */
static void fill_all(struct in *in, enum alink_dtype dtype, bool second)
{
	in->dtype = dtype;
	for (uint32_t i = 0; i < CELLS; i++) {
		uint32_t at = i;

		if (second)
			at = cr_size(dtype) == 1 ? i / 256 :
			     (i * 40503 + 12345) % CELLS;
		put(in, i, any_code(dtype, at));
	}
	for (uint32_t i = 0; is_mx(in) && i < CELLS / 2; i++)
		in->mem[i] = second ? rig_random() : i % 16 * 17;
	for (uint32_t i = 0; is_mx(in) && i < CELLS / 32; i++)
		in->scales[i] = second ? i / 8 : i;
	in_values(in);
}

/*
 * What lies near @a: of the same exponent, so that sums and products have a bit
 * too many; or, @half, half of what is from one code to the next: a tie.
 */
static void fill_near(struct in *in, const struct in *a, bool half)
{
	static const uint32_t below[] = {
		[FP32] = 0x807fffff, [ALINK_DT_TF32] = 0x807fe000,
		[BF16] = 0x807f, [ALINK_DT_FP16] = 0x83ff,
		[ALINK_DT_FP8_E4M3] = 0x87, [ALINK_DT_FP8_E5M2] = 0x83,
		[ALINK_DT_INT8] = 0xff, [ALINK_DT_MXFP4] = 0,
	};
	uint32_t step = a->dtype == ALINK_DT_TF32 ? 0x2000 : 1;

	in->dtype = a->dtype;
	for (uint32_t i = 0; i < CELLS; i++) {
		uint32_t code;

		if (is_mx(in))
			break;
		code = cr_get(a->dtype, a->mem, i);
		if (half)
			code = cr_encode(a->dtype,
					 (cr_decode(a->dtype, code + step) -
					  a->value[i]) / 2, true);
		else
			code ^= (uint32_t)rig_random() & below[a->dtype];
		put(in, i, code);
	}
	if (is_mx(in)) {
		rig_fill(in->mem, CELLS / 2);
		memcpy(in->scales, a->scales, sizeof(in->scales));
	}
	in_values(in);
}

/* One row of numbers that are special to functions of rows */
static void special_row(struct in *in, uint32_t row)
{
	uint32_t first = row * COLS, size = cr_size(in->dtype);
	uint32_t none = cr_encode(in->dtype, NAN, false);
	uint32_t plus = cr_encode(in->dtype, INFINITY, false);
	uint32_t minus = cr_encode(in->dtype, -INFINITY, false);
	uint32_t sign = 1U << (8 * size - 1);

	switch (row) {
	case 1:
		put(in, first, none);
		break;
	case 2:
		put(in, first + COLS - 1, none);
		break;
	case 3:
		put(in, first + row, plus);
		break;
	case 4:
		for (uint32_t i = 0; i < COLS; i += 2)
			put(in, first + i, minus);
		break;
	case 5:
		put(in, first + 1, minus);
		put(in, first + 40, plus);
		break;
	case 6:
		for (uint32_t i = 0; i < COLS; i++)
			put(in, first + i, minus);
		break;
	case 7:
		/* Subnormal, but of integers */
		for (uint32_t i = 0; i < COLS; i++)
			put(in, first + i, (i % 2 ? sign : 0) | (1 + i % 3));
		break;
	case 8:
		for (uint32_t i = 0; i < COLS; i++)
			put(in, first + i, i % 2 ? sign : 0);
		break;
	}
}

static void special_row_mx(struct in *in, uint32_t row)
{
	uint32_t scales = row * COLS / 32;

	switch (row) {
	case 1:
		in->scales[scales] = 255;
		break;
	case 2:
		in->scales[scales + COLS / 32 - 1] = 255;
		break;
	case 7:
		memset(in->scales + scales, 0, COLS / 32);
		break;
	case 8:
		memset(in->mem + row * COLS / 2, 0x80, COLS / 2);
		break;
	}
}

/* All finite numbers, and rows with what is special */
static void fill_rows(struct in *in, enum alink_dtype dtype)
{
	fill_all(in, dtype, false);
	for (uint32_t i = 0; i < CELLS; i++) {
		if (isfinite(in->value[i]))
			continue;
		put(in, i, i % 2);
		if (is_mx(in))
			in->scales[i / 32] = 120 + i / 32 % 16;
	}
	for (uint32_t row = 1; row <= 8; row++) {
		if (is_mx(in))
			special_row_mx(in, row);
		else
			special_row(in, row);
	}
	in_values(in);
}

static bool stored_well(const struct in *have, uint32_t i, bool saturate)
{
	uint8_t want[16], scale;
	double x[32];

	if (!is_mx(have))
		return cr_get(have->dtype, have->mem, i) ==
		       cr_encode(have->dtype, result[i], saturate);
	if (i % 32)
		return true;
	for (uint32_t j = 0; j < 32; j++)
		x[j] = result[i + j];
	cr_mx_encode(x, want, &scale);
	return scale == have->scales[i / 32] &&
	       !memcmp(want, have->mem + i / 2, sizeof(want));
}

/* What is in result[], rounded once more */
static void check_stored(enum alink_xpu_func func,
			 struct alink_xpu_compute block, enum alink_dtype to,
			 bool saturate)
{
	static struct in have;
	int bad = 0;

	have.dtype = to;
	memset(have.mem, 0xee, sizeof(have.mem));
	block.dst = in_matrix(&have);
	block.flags = saturate ? ALINK_XPU_CF_SATURATE : 0;
	EXPECT_EQ(cr_run(func, &block), ALINK_ST_OK);
	for (uint32_t i = 0; i < CELLS && bad < 5; i++) {
		if (stored_well(&have, i, saturate))
			continue;
		TAP_FAIL("function %d: [%u][%u], %a, is not right in %s%s",
			 func, i / COLS, i % COLS, result[i], cr_name(to),
			 saturate ? ", saturating" : "");
		bad++;
	}
}

/*
 * Leaves what the function gives as FP32 in result[]; with vectors or without
 * it is the same, and so it is in a's format, or from FP32 in all.
 */
static void run(enum alink_xpu_func func,
		const struct alink_xpu_compute *block)
{
	static float plain[CELLS];
	enum alink_dtype dtype = block->a.dtype;

	EXPECT_EQ(cr_run_with(func, block, AC_BASE, NULL), ALINK_ST_OK);
	memcpy(plain, result, sizeof(plain));
	memset(result, 0xee, sizeof(result));
	EXPECT_EQ(cr_run(func, block), ALINK_ST_OK);
	EXPECT(!memcmp(plain, result, sizeof(plain)));
	for (size_t f = 0; f < NUM_FORMATS; f++) {
		if (dtype != FP32 && dtype != any_format[f])
			continue;
		check_stored(func, *block, any_format[f], false);
		check_stored(func, *block, any_format[f], true);
	}
}

static void exact(const char *what, enum alink_dtype dtype, uint32_t i,
		  double want)
{
	if (bits(result[i]) != cr_fp32(want))
		TAP_FAIL("%s in %s: [%u][%u] is %a, not %a", what,
			 cr_name(dtype), i / COLS, i % COLS, result[i], want);
}

static void near(const char *what, enum alink_dtype dtype, uint32_t i,
		 long double want)
{
	uint32_t ulps = cr_ulps(result[i], (float)want);

	if (ulps > 1)
		TAP_FAIL("%s in %s: [%u][%u] is %a, not %a: %u ulp", what,
			 cr_name(dtype), i / COLS, i % COLS, result[i],
			 (float)want, ulps);
}

TEST(add_and_mul_in_every_format)
{
	for (size_t n = 0; n < NUM_FORMATS * 3; n++) {
		enum alink_dtype dtype = any_format[n / 3];
		struct alink_xpu_compute block;

		fill_all(&a_in, dtype, false);
		if (n % 3)
			fill_near(&b_in, &a_in, n % 3 == 2);
		else
			fill_all(&b_in, dtype, true);
		block = in_block(&a_in, &b_in);
		run(ALINK_XPU_FN_ADD, &block);
		for (uint32_t i = 0; i < CELLS; i++)
			exact("add", dtype, i,
			      cr_add(a_in.value[i], b_in.value[i]));
		run(ALINK_XPU_FN_MUL, &block);
		for (uint32_t i = 0; i < CELLS; i++)
			exact("mul", dtype, i,
			      cr_mul(a_in.value[i], b_in.value[i]));
	}
}

TEST(silu_and_gelu_in_every_format)
{
	for (size_t f = 0; f < NUM_FORMATS; f++) {
		enum alink_dtype dtype = any_format[f];
		struct alink_xpu_compute block;

		fill_all(&a_in, dtype, false);
		block = in_block(&a_in, NULL);
		run(ALINK_XPU_FN_SILU, &block);
		for (uint32_t i = 0; i < CELLS; i++)
			near("silu", dtype, i, cr_silu(a_in.value[i]));
		run(ALINK_XPU_FN_GELU, &block);
		for (uint32_t i = 0; i < CELLS; i++)
			near("gelu", dtype, i, cr_gelu(a_in.value[i]));
	}
}

TEST(embed_in_every_format)
{
	uint32_t id[ROWS];

	for (uint32_t i = 0; i < ROWS; i++)
		id[i] = i * 37 % ROWS;
	for (size_t f = 0; f < NUM_FORMATS; f++) {
		struct alink_xpu_compute block;

		fill_all(&a_in, any_format[f], false);
		block = in_block(&a_in, NULL);
		block.k = ROWS;
		block.b = cr_matrix(ALINK_DT_INT32, id, 1);
		run(ALINK_XPU_FN_EMBED, &block);
		for (uint32_t i = 0; i < CELLS; i++)
			exact("embed", any_format[f], i,
			      a_in.value[id[i / COLS] * COLS + i % COLS]);
	}
}

TEST(rope_in_every_format)
{
	enum { K = 32, HALF = K / 2 };

	for (size_t f = 0; f < NUM_FORMATS; f++) {
		struct alink_xpu_compute block;

		fill_all(&a_in, any_format[f], false);
		fill_all(&b_in, any_format[f], true);
		block = in_block(&a_in, &b_in);
		block.k = K;
		run(ALINK_XPU_FN_ROPE, &block);
		for (uint32_t i = 0; i < CELLS; i++) {
			uint32_t j = i % HALF, row = i / COLS;
			const double *pair = a_in.value + i / K * K + j;
			double c = b_in.value[row * COLS + j];
			double s = b_in.value[row * COLS + HALF + j];
			double want = i % K < HALF ?
				      cr_add(cr_mul(pair[0], c),
					     -cr_mul(pair[HALF], s)) :
				      cr_add(cr_mul(pair[HALF], c),
					     cr_mul(pair[0], s));

			exact("rope", any_format[f], i, want);
		}
	}
}

/* In FP64, in ascending order, as xpu.rst has it: no bit is free. */
TEST(rmsnorm_in_every_format)
{
	static const float eps[] = { 0, 1e-6f };

	for (size_t n = 0; n < NUM_FORMATS * 2; n++) {
		enum alink_dtype dtype = any_format[n / 2];
		struct alink_xpu_compute block;

		fill_rows(&a_in, dtype);
		fill_all(&b_in, dtype, true);
		block = in_block(&a_in, &b_in);
		memcpy(&block.param, &eps[n % 2], 4);
		run(ALINK_XPU_FN_RMSNORM, &block);
		for (uint32_t row = 0; row < ROWS; row++) {
			const double *x = a_in.value + row * COLS;
			double sum = 0, factor;

			for (uint32_t j = 0; j < COLS; j++)
				sum += x[j] * x[j];
			factor = 1 / sqrt(sum / COLS + eps[n % 2]);
			for (uint32_t j = 0; j < COLS; j++)
				exact("rmsnorm", dtype, row * COLS + j,
				      factor * x[j] *
				      b_in.value[row * COLS + j]);
		}
	}
}

TEST(softmax_in_every_format)
{
	static const float scale[] = { 1, 0.125f };

	for (size_t n = 0; n < NUM_FORMATS * 2; n++) {
		struct alink_xpu_compute block;

		fill_rows(&a_in, any_format[n / 2]);
		block = in_block(&a_in, NULL);
		memcpy(&block.param, &scale[n % 2], 4);
		run(ALINK_XPU_FN_SOFTMAX, &block);
		for (uint32_t row = 0; row < ROWS; row++) {
			const double *x = a_in.value + row * COLS;
			long double sum = 0, max = -INFINITY, part[COLS];

			for (uint32_t j = 0; j < COLS; j++)
				max = fmaxl(max, x[j]);
			for (uint32_t j = 0; j < COLS; j++) {
				part[j] = expl(scale[n % 2] * (x[j] - max));
				sum += part[j];
			}
			for (uint32_t j = 0; j < COLS; j++)
				near("softmax", any_format[n / 2],
				     row * COLS + j, part[j] / sum);
		}
	}
}

/* The place of an element is the number of those before it. */
static void check_topk(const struct in *in, uint32_t k)
{
	static uint32_t out[ROWS * ALINK_XPU_MAX_TOPK];
	struct alink_xpu_compute block = in_block(in, NULL);
	float x[COLS];

	block.k = k;
	block.dst = cr_matrix(ALINK_DT_INT32, out, k);
	EXPECT_EQ(cr_run(ALINK_XPU_FN_TOPK, &block), ALINK_ST_OK);
	for (uint32_t row = 0; row < ROWS; row++) {
		for (uint32_t j = 0; j < COLS; j++)
			x[j] = (float)in->value[row * COLS + j];
		for (uint32_t i = 0; i < COLS; i++) {
			uint32_t place = 0;

			for (uint32_t j = 0; j < COLS && place < k; j++)
				place += j != i && cr_before(x, j, i);
			if (place < k && out[row * k + place] != i)
				TAP_FAIL("topk in %s: [%u][%u] is %u, not %u",
					 cr_name(in->dtype), row, place,
					 out[row * k + place], i);
		}
	}
}

TEST(topk_in_every_format)
{
	for (size_t f = 0; f < NUM_FORMATS; f++) {
		fill_rows(&a_in, any_format[f]);
		check_topk(&a_in, 1);
		check_topk(&a_in, 8);
		check_topk(&a_in, ALINK_XPU_MAX_TOPK);
	}
}
