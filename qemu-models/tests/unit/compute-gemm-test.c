// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GEMM, to the bit, against three loops that round each product and each sum
 * from double: all pairs of formats with any bits, all pairs of codes of 8 bits
 * and less, shapes around the pieces, strides, accumulation, both ways of
 * storing a and b.
 */
#include <math.h>

#include "compute-rig.h"
#include "rig.h"
#include "tap.h"

/* A matrix with room between rows, and what its elements are */
struct mat {
	enum alink_dtype dtype;
	uint32_t rows, cols;
	size_t stride, scale_stride, size;
	uint8_t *mem, *scales;
	double *value;
};

#define GAP	8

static void mat_values(struct mat *m)
{
	for (uint32_t i = 0; i < m->rows; i++) {
		const uint8_t *row = m->mem + i * m->stride;

		for (uint32_t j = 0; j < m->cols; j++)
			m->value[i * m->cols + j] =
				m->dtype == ALINK_DT_MXFP4 ?
				cr_mx_decode(row + j / 32 * 16,
					     m->scales[i * m->scale_stride +
						       j / 32], j % 32) :
				cr_decode(m->dtype, cr_get(m->dtype, row, j));
	}
}

/* @wild: any bits; else numbers near 1, whose sums round all the time */
static struct mat mat_new(enum alink_dtype dtype, uint32_t rows, uint32_t cols,
			  bool wild)
{
	struct mat m = { .dtype = dtype, .rows = rows, .cols = cols };

	m.stride = ac_bytes(dtype, cols) + GAP;
	m.scale_stride = cols / 32 + 3;
	m.size = rows * m.stride;
	m.mem = malloc(m.size);
	m.scales = malloc(rows * m.scale_stride);
	m.value = malloc(rows * cols * sizeof(*m.value));
	rig_fill(m.mem, m.size);
	rig_fill(m.scales, rows * m.scale_stride);
	for (size_t i = 0; !wild && i < rows * m.scale_stride; i++)
		m.scales[i] = 120 + m.scales[i] % 16;
	for (uint32_t i = 0; !wild && i < rows * cols; i++) {
		double x = (double)(int64_t)rig_random() / 0x1p62;
		uint32_t code;

		if (dtype == ALINK_DT_MXFP4 || dtype == ALINK_DT_INT8)
			break;
		code = cr_encode(dtype, x, true);
		memcpy(m.mem + i / cols * m.stride + i % cols * cr_size(dtype),
		       &code, cr_size(dtype));
	}
	mat_values(&m);
	return m;
}

static void mat_free(struct mat *m)
{
	free(m->mem);
	free(m->scales);
	free(m->value);
}

static struct alink_xpu_matrix mat_block(const struct mat *m)
{
	struct alink_xpu_matrix b = {
		.addr = (uintptr_t)m->mem,
		.stride = m->stride,
		.dtype = m->dtype,
	};

	if (m->dtype == ALINK_DT_MXFP4) {
		b.scale = (uintptr_t)m->scales;
		b.scale_stride = m->scale_stride;
	}
	return b;
}

static double element(const struct mat *a, const struct mat *b, uint32_t flags,
		      uint32_t i, uint32_t j, double acc)
{
	bool ta = flags & ALINK_XPU_CF_TRANS_A;
	bool tb = flags & ALINK_XPU_CF_TRANS_B;
	uint32_t depth = ta ? a->rows : a->cols;

	for (uint32_t k = 0; k < depth; k++)
		acc = cr_add(acc, cr_mul(a->value[ta ? k * a->cols + i :
						       i * a->cols + k],
					 b->value[tb ? j * b->cols + k :
						       k * b->cols + j]));
	return acc;
}

/* @stride: elements are compared at distances, for large ones */
static void check(const struct mat *a, const struct mat *b, struct mat *dst,
		  uint32_t flags, uint32_t stride)
{
	struct alink_xpu_compute block = {
		.flags = flags,
		.m = dst->rows, .n = dst->cols,
		.k = flags & ALINK_XPU_CF_TRANS_A ? a->rows : a->cols,
		.a = mat_block(a), .b = mat_block(b), .dst = mat_block(dst),
	};
	uint32_t elements = dst->rows * dst->cols;
	uint8_t *before = malloc(dst->size);
	int bad = 0;

	memcpy(before, dst->mem, dst->size);
	EXPECT_EQ(cr_run(ALINK_XPU_FN_GEMM, &block), ALINK_ST_OK);
	for (uint32_t e = 0; e < elements && bad < 5; e += stride) {
		uint32_t i = e / dst->cols, j = e % dst->cols;
		double acc = flags & ALINK_XPU_CF_ACCUMULATE ?
			     dst->value[e] : 0.0;
		uint32_t want, have;

		acc = element(a, b, flags, i, j, acc);
		want = cr_encode(dst->dtype, acc,
				 flags & ALINK_XPU_CF_SATURATE);
		have = cr_get(dst->dtype, dst->mem + i * dst->stride, j);
		if (want != have) {
			TAP_FAIL("%s * %s to %s, %ux%ux%u, flags %u: [%u][%u] is %#x, not %#x",
				 cr_name(a->dtype), cr_name(b->dtype),
				 cr_name(dst->dtype), dst->rows, dst->cols,
				 block.k, flags, i, j, have, want);
			bad++;
		}
	}
	/* Between rows nothing is written. */
	for (uint32_t i = 0; i < dst->rows; i++)
		EXPECT(!memcmp(before + (i + 1) * dst->stride - GAP,
			       dst->mem + (i + 1) * dst->stride - GAP, GAP));
	free(before);
}

static const enum alink_dtype inputs[] = {
	ALINK_DT_FP32, ALINK_DT_TF32, ALINK_DT_BF16, ALINK_DT_FP16,
	ALINK_DT_FP8_E4M3, ALINK_DT_FP8_E5M2, ALINK_DT_MXFP4, ALINK_DT_INT8,
};
#define NUM_INPUTS	(sizeof(inputs) / sizeof(inputs[0]))

/* What is stored as what, by the two flags for that */
#define NUM_WAYS	4
static const uint32_t ways[NUM_WAYS] = {
	0, ALINK_XPU_CF_TRANS_A, ALINK_XPU_CF_TRANS_B,
	ALINK_XPU_CF_TRANS_A | ALINK_XPU_CF_TRANS_B,
};

static struct mat mat_a(enum alink_dtype dtype, uint32_t m, uint32_t k,
			uint32_t flags, bool wild)
{
	return flags & ALINK_XPU_CF_TRANS_A ? mat_new(dtype, k, m, wild) :
					      mat_new(dtype, m, k, wild);
}

static struct mat mat_b(enum alink_dtype dtype, uint32_t n, uint32_t k,
			uint32_t flags, bool wild)
{
	return flags & ALINK_XPU_CF_TRANS_B ? mat_new(dtype, n, k, wild) :
					      mat_new(dtype, k, n, wild);
}

/* Any bits hold NaN and infinity, of which few elements are then free. */
TEST(every_pair_of_formats)
{
	for (size_t n = 0; n < NUM_INPUTS * NUM_INPUTS * 2 * NUM_WAYS; n++) {
		size_t pair = n % (NUM_INPUTS * NUM_INPUTS);
		bool wild = n / NUM_INPUTS / NUM_INPUTS % 2;
		uint32_t flags = ways[n / NUM_INPUTS / NUM_INPUTS / 2];
		uint32_t m = flags & ALINK_XPU_CF_TRANS_A ? 32 : 11;
		uint32_t k = 32 + (flags && !wild ? 64 : 0);
		struct mat a = mat_a(inputs[pair % NUM_INPUTS], m, k, flags,
				     wild);
		struct mat b = mat_b(inputs[pair / NUM_INPUTS], 32, k, flags,
				     wild);
		struct mat dst = mat_new(ALINK_DT_FP32, m, 32, true);

		check(&a, &b, &dst, flags, 1);
		mat_free(&a);
		mat_free(&b);
		mat_free(&dst);
	}
}

/* --- every code with every code ------------------------------------------- */

/* All that a format of 8 bits and less can say, in one row, and what it is */
struct codes {
	enum alink_dtype dtype;
	uint32_t num;
	uint32_t step;		/* from one code to the next, in elements */
	uint8_t *mem, *scales;
	double *value;
};

/* Of MXFP4 each element at each scale: twice, as 32 share a scale. */
static struct codes codes_new(enum alink_dtype dtype)
{
	bool mx = dtype == ALINK_DT_MXFP4;
	struct codes c = {
		.dtype = dtype, .num = mx ? 256 * 32 : 256, .step = mx ? 2 : 1,
	};

	c.mem = malloc(ac_bytes(dtype, c.num));
	c.scales = malloc(256);
	c.value = malloc(c.num * sizeof(*c.value));
	for (uint32_t i = 0; i < 256; i++)
		c.scales[i] = i;
	for (uint32_t i = 0; i < ac_bytes(dtype, c.num); i++)
		c.mem[i] = mx ? i % 16 * 17 : i;
	for (uint32_t i = 0; i < c.num; i++)
		c.value[i] = mx ? cr_mx_decode(c.mem + i / 32 * 16,
					       c.scales[i / 32], i % 32) :
				  cr_decode(dtype, i);
	return c;
}

static void codes_free(struct codes *c)
{
	free(c->mem);
	free(c->scales);
	free(c->value);
}

/* The row from an element on, where a block begins */
static struct alink_xpu_matrix codes_row(const struct codes *c, uint32_t from)
{
	struct alink_xpu_matrix m =
		cr_matrix(c->dtype, c->mem + ac_bytes(c->dtype, from), c->num);

	if (c->dtype == ALINK_DT_MXFP4) {
		m.scale = (uintptr_t)(c->scales + from / 32);
		m.scale_stride = 256;
	}
	return m;
}

/* The outer product: with k 1 no sum hides what one product is. */
static void check_codes(const struct codes *a, const struct codes *b,
			enum ac_level level)
{
	enum { ROWS = 256 };
	float *dst = malloc((size_t)ROWS * b->num * sizeof(*dst));
	struct alink_xpu_compute block = {
		.flags = ALINK_XPU_CF_TRANS_A,
		.m = ROWS, .n = b->num, .k = 1,
		.b = codes_row(b, 0),
		.dst = cr_matrix(ALINK_DT_FP32, dst, b->num),
	};
	int bad = 0;

	for (uint32_t from = 0; from < a->num; from += ROWS) {
		block.a = codes_row(a, from);
		EXPECT_EQ(cr_run_with(ALINK_XPU_FN_GEMM, &block, level, NULL),
			  ALINK_ST_OK);
		for (uint32_t i = 0; i < ROWS; i += a->step) {
			double x = a->value[from + i];

			for (uint32_t j = 0; j < b->num && bad < 5;
			     j += b->step) {
				double y = b->value[j];
				uint32_t want = cr_fp32(cr_add(0,
							       cr_mul(x, y)));
				uint32_t have = bits(dst[i * b->num + j]);

				if (want == have)
					continue;
				TAP_FAIL("%s %u (%g) * %s %u (%g) is %#x, not %#x, level %d",
					 cr_name(a->dtype), from + i, x,
					 cr_name(b->dtype), j, y, have, want,
					 level);
				bad++;
			}
		}
	}
	free(dst);
}

TEST(every_code_with_every_code)
{
	static const enum alink_dtype small[] = {
		ALINK_DT_FP8_E4M3, ALINK_DT_FP8_E5M2, ALINK_DT_INT8,
		ALINK_DT_MXFP4,
	};
	struct codes c[4];

	for (int i = 0; i < 4; i++)
		c[i] = codes_new(small[i]);
	for (int pair = 0; pair < 16; pair++) {
		const struct codes *a = &c[pair / 4], *b = &c[pair % 4];
		/* 67 million products are enough once. */
		bool many = a->step > 1 && b->step > 1;

		for (int level = many ? (int)ac_level() : AC_BASE;
		     level <= (int)ac_level(); level++)
			check_codes(a, b, level);
	}
	for (int i = 0; i < 4; i++)
		codes_free(&c[i]);
}

/* What the test above rests on: no code is left out. */
TEST(codes_are_complete)
{
	struct codes c = codes_new(ALINK_DT_MXFP4);
	bool seen[256][16] = { 0 };
	uint32_t num = 0;

	for (uint32_t i = 0; i < c.num; i += c.step) {
		uint8_t code = c.mem[i / 2] >> (i % 2 * 4) & 15;

		num += !seen[c.scales[i / 32]][code];
		seen[c.scales[i / 32]][code] = true;
	}
	EXPECT_EQ(num, 256 * 16);
	codes_free(&c);
	c = codes_new(ALINK_DT_FP8_E4M3);
	EXPECT_EQ(c.num, 256);
	for (uint32_t i = 0; i < c.num; i++)
		EXPECT_EQ(c.mem[i], i);
	codes_free(&c);
}

/* INT8 has another engine where the result is INT32. */
TEST(every_int8_with_every_int8_as_int32)
{
	struct codes c = codes_new(ALINK_DT_INT8);
	static int32_t dst[256 * 256];
	struct alink_xpu_compute block = {
		.flags = ALINK_XPU_CF_TRANS_A,
		.m = 256, .n = 256, .k = 1,
		.a = codes_row(&c, 0), .b = codes_row(&c, 0),
		.dst = cr_matrix(ALINK_DT_INT32, dst, 256),
	};

	for (int level = AC_BASE; level <= (int)ac_level(); level++) {
		memset(dst, 0xee, sizeof(dst));
		EXPECT_EQ(cr_run_with(ALINK_XPU_FN_GEMM, &block, level, NULL),
			  ALINK_ST_OK);
		for (int i = 0; i < 256 * 256; i++)
			EXPECT_EQ((uint32_t)dst[i],
				  (uint32_t)((int8_t)(i / 256) *
					     (int8_t)(i % 256)));
	}
	codes_free(&c);
}

TEST(few_wild_numbers_among_others)
{
	static const uint16_t odd[] = {
		0x7f80, 0xff80, 0x7fc0, 0x0001, 0x8001, 0x007f, 0x0000, 0x8000,
		0x7f7f, 0xff7f, 0x5f80, 0xdf80,
	};

	for (int round = 0; round < 12; round++) {
		struct mat a = mat_new(ALINK_DT_BF16, 24, 40, false);
		struct mat b = mat_new(ALINK_DT_BF16, 40, 24, false);
		struct mat dst = mat_new(ALINK_DT_FP32, 24, 24, true);

		for (int i = 0; i < 12; i++) {
			memcpy(a.mem + 2 * i * a.stride +
			       rig_random() % 40 * 2, &odd[i], 2);
			memcpy(b.mem + rig_random() % 40 * b.stride + 4 * i,
			       &odd[(i + round) % 12], 2);
		}
		mat_values(&a);
		mat_values(&b);
		check(&a, &b, &dst, 0, 1);
		mat_free(&a);
		mat_free(&b);
		mat_free(&dst);
	}
}

/* Shapes of one element, of a tile, of a task, of a piece and beyond them */
TEST(shapes)
{
	static const uint32_t shape[][3] = {
		{ 1, 1, 1 }, { 1, 300, 7 }, { 300, 1, 3 }, { 8, 8, 8 },
		{ 9, 7, 257 }, { 2, 300, 70 }, { 15, 33, 259 },
		{ 256, 256, 256 }, { 257, 259, 258 }, { 3, 5, 2051 },
		{ 1, 1030, 300 }, { 33, 1025, 65 }, { 513, 17, 300 },
		{ 514, 515, 270 },
	};

	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		uint32_t m = shape[i][0], n = shape[i][1], k = shape[i][2];

		for (int w = 0; w < NUM_WAYS; w++) {
			struct mat a = mat_a(ALINK_DT_FP16, m, k, ways[w],
					     false);
			struct mat b = mat_b(ALINK_DT_FP32, n, k, ways[w],
					     false);
			struct mat dst = mat_new(ALINK_DT_FP32, m, n, true);

			check(&a, &b, &dst, ways[w],
			      m * n > 10000 ? m * n / 2000 * 2 + 1 : 1);
			mat_free(&a);
			mat_free(&b);
			mat_free(&dst);
		}
	}
}

TEST(accumulate_in_every_result)
{
	for (int t = 0; t < CR_NUM_FORMATS; t++) {
		enum alink_dtype dtype = cr_formats[t];
		struct mat a = mat_new(ALINK_DT_BF16, 20, 300, false);
		struct mat b = mat_new(ALINK_DT_BF16, 300, 20, false);
		struct mat dst = mat_new(dtype, 20, 20, false);

		if (dtype != ALINK_DT_INT32) {
			check(&a, &b, &dst, ALINK_XPU_CF_ACCUMULATE, 1);
			mat_values(&dst);
			check(&a, &b, &dst, ALINK_XPU_CF_ACCUMULATE |
			      ALINK_XPU_CF_SATURATE, 1);
		}
		mat_free(&a);
		mat_free(&b);
		mat_free(&dst);
	}
}

TEST(int8_with_int32_wraps)
{
	enum { M = 19, N = 21, K = 530 };
	static int8_t a[M][K], b[K][N];
	static int32_t dst[M][N];
	struct alink_xpu_compute block = {
		.flags = ALINK_XPU_CF_ACCUMULATE,
		.m = M, .n = N, .k = K,
		.a = cr_matrix(ALINK_DT_INT8, a, K),
		.b = cr_matrix(ALINK_DT_INT8, b, N),
		.dst = cr_matrix(ALINK_DT_INT32, dst, N),
	};
	int wrapped = 0;

	rig_fill(a, sizeof(a));
	rig_fill(b, sizeof(b));
	memset(a[0], 0x80, K);
	for (int k = 0; k < K; k++)
		b[k][0] = -128;
	for (int i = 0; i < M * N; i++)
		dst[i / N][i % N] = INT32_MAX - i * 1000;
	EXPECT_EQ(cr_run(ALINK_XPU_FN_GEMM, &block), ALINK_ST_OK);
	for (int i = 0; i < M; i++) {
		for (int j = 0; j < N; j++) {
			int64_t sum = INT32_MAX - (i * N + j) * 1000;

			for (int k = 0; k < K; k++)
				sum += a[i][k] * b[k][j];
			wrapped += sum > INT32_MAX;
			EXPECT_EQ((uint32_t)dst[i][j], (uint32_t)sum);
		}
	}
	EXPECT(wrapped > 0);
}

TEST(result_in_mxfp4)
{
	struct mat a = mat_new(ALINK_DT_MXFP4, 5, 64, false);
	struct mat b = mat_new(ALINK_DT_MXFP4, 288, 64, false);
	struct mat dst = mat_new(ALINK_DT_MXFP4, 5, 288, true);
	struct alink_xpu_compute block = {
		.flags = ALINK_XPU_CF_TRANS_B,
		.m = 5, .n = 288, .k = 64,
		.a = mat_block(&a), .b = mat_block(&b), .dst = mat_block(&dst),
	};
	uint8_t want[16], scale;
	double x[32];

	EXPECT_EQ(cr_run(ALINK_XPU_FN_GEMM, &block), ALINK_ST_OK);
	for (uint32_t i = 0; i < 5 * 9; i++) {
		for (uint32_t j = 0; j < 32; j++)
			x[j] = element(&a, &b, ALINK_XPU_CF_TRANS_B, i / 9,
				       i % 9 * 32 + j, 0);
		cr_mx_encode(x, want, &scale);
		EXPECT_EQ(dst.scales[i / 9 * dst.scale_stride + i % 9], scale);
		EXPECT(!memcmp(dst.mem + i / 9 * dst.stride + i % 9 * 16, want,
			       16));
	}
	mat_free(&a);
	mat_free(&b);
	mat_free(&dst);
}

static float tame(float x)
{
	return f32((bits(x) & 0x87ffffff) | 0x38000000);
}

/* One product after the other, with no vectors at all */
static void by_hand(bool integer, uint32_t rows, float *acc, const float *a,
		    const float *b, size_t inners)
{
	for (size_t i = 0; i < rows * AC_GEMM_PANEL; i++) {
		size_t row = i / AC_GEMM_PANEL, col = i % AC_GEMM_PANEL;

		for (size_t k = 0; k < inners; k++) {
			float x = a[row * AC_GEMM_LDA + k];
			float y = b[k * AC_GEMM_PANEL + col];

			if (integer)
				acc[i] = f32(bits(acc[i]) + bits(x) * bits(y));
			else
				acc[i] = cr_add(acc[i], cr_mul(x, y));
		}
	}
}

/* What every host can do, and what this one can: the same bits */
TEST(vectors_of_any_width)
{
	enum { K = 200 };
	static float a[8 * AC_GEMM_LDA], b[K * AC_GEMM_PANEL];
	static float start[8 * AC_GEMM_PANEL], want[8 * AC_GEMM_PANEL];
	static float have[8 * AC_GEMM_PANEL];
	int levels = 0;

	for (int n = 0; n < AC_NUM_LEVELS * 2 * 4; n++) {
		enum ac_level level = n / 8;
		bool integer = n / 4 % 2;
		uint32_t rows = 1 << n % 4;
		ac_tile_fn *tile = ac_gemm_tile(level, integer, rows);

		if (!tile)
			continue;
		levels |= 1 << level;
		rig_fill(a, sizeof(a));
		rig_fill(b, sizeof(b));
		rig_fill(start, sizeof(start));
		/* No NaN: of two, hosts may keep either. */
		for (size_t i = 0; !integer && i < 8 * AC_GEMM_LDA; i++)
			a[i] = tame(a[i]);
		for (size_t i = 0; !integer && i < K * AC_GEMM_PANEL; i++)
			b[i] = tame(b[i]);
		for (size_t i = 0; !integer && i < 8 * AC_GEMM_PANEL; i++)
			start[i] = tame(start[i]);
		memcpy(want, start, sizeof(want));
		memcpy(have, start, sizeof(have));
		by_hand(integer, rows, want, a, b, K);
		tile(have, a, b, K);
		if (memcmp(want, have, sizeof(have)))
			TAP_FAIL("level %d, %s, %u rows", level,
				 integer ? "integers" : "floating point", rows);
	}
	/* All that the host has were there. */
	EXPECT_EQ(levels, (2 << ac_level()) - 1);
}

/* Whole functions also: conversions are compiled for each as well. */
TEST(levels_agree)
{
	enum { M = 70, N = 100, K = 300 };

	for (size_t f = 0; f < NUM_INPUTS; f++) {
		uint32_t m = inputs[f] == ALINK_DT_MXFP4 ? 96 : M;
		uint32_t n = inputs[f] == ALINK_DT_MXFP4 ? 128 : N;
		uint32_t k = inputs[f] == ALINK_DT_MXFP4 ? 320 : K;
		struct mat a = mat_new(inputs[f], m, k, false);
		struct mat b = mat_new(inputs[f], k, n, false);
		struct mat dst = mat_new(inputs[f], m, n, true);
		struct alink_xpu_compute block = {
			.m = m, .n = n, .k = k,
			.a = mat_block(&a), .b = mat_block(&b),
			.dst = mat_block(&dst),
		};
		uint8_t *want = malloc(dst.size);

		EXPECT_EQ(cr_run_with(ALINK_XPU_FN_GEMM, &block, AC_BASE, NULL),
			  ALINK_ST_OK);
		memcpy(want, dst.mem, dst.size);
		for (int level = AC_AVX2; level <= (int)ac_level(); level++) {
			memset(dst.mem, 0xee, dst.size);
			for (uint32_t i = 0; i < m; i++)
				memcpy(dst.mem + i * dst.stride +
				       dst.stride - GAP,
				       want + i * dst.stride +
				       dst.stride - GAP, GAP);
			EXPECT_EQ(cr_run_with(ALINK_XPU_FN_GEMM, &block, level,
					      NULL), ALINK_ST_OK);
			if (memcmp(want, dst.mem, dst.size))
				TAP_FAIL("%s, level %d", cr_name(inputs[f]),
					 level);
		}
		free(want);
		mat_free(&a);
		mat_free(&b);
		mat_free(&dst);
	}
}
