// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Functions of rows: to the bit where Documentation/hw/xpu.rst promises it,
 * against double rounded once; within 1 ulp of FP32 where it promises that,
 * against the C library's long double.
 */
#include <math.h>

#include "compute-rig.h"
#include "rig.h"
#include "tap.h"

#define FP32	ALINK_DT_FP32
#define BF16	ALINK_DT_BF16

static struct alink_xpu_compute rows(uint32_t m, uint32_t n, const float *a,
				     const float *b, float *dst)
{
	struct alink_xpu_compute block = {
		.m = m, .n = n,
		.a = cr_matrix(FP32, a, n),
		.dst = cr_matrix(FP32, dst, n),
	};

	if (b)
		block.b = cr_matrix(FP32, b, n);
	return block;
}

static uint32_t word(float x)
{
	return cr_get(FP32, &x, 0);
}

/* Near 1, near each other in part, some special */
static void fill(float *x, size_t n)
{
	static const float special[] = {
		0, -0.0f, INFINITY, -INFINITY, NAN, 0x1p-149f, -0x1p-140f,
		0x1.fffffep127f,
	};

	for (size_t i = 0; i < n; i++) {
		x[i] = (float)((double)(int64_t)rig_random() / 0x1p61);
		if (rig_random() % 16 == 0)
			x[i] = special[rig_random() % 8];
	}
}

/* --- to the bit ----------------------------------------------------------- */

TEST(add_and_mul)
{
	enum { M = 37, N = 1001 };
	static float a[M * N], b[M * N], dst[M * N];
	struct alink_xpu_compute block = rows(M, N, a, b, dst);

	fill(a, M * N);
	fill(b, M * N);
	EXPECT_EQ(cr_run(ALINK_XPU_FN_ADD, &block), ALINK_ST_OK);
	for (int i = 0; i < M * N; i++)
		EXPECT_EQ(word(dst[i]),
			  cr_encode(FP32, cr_add(a[i], b[i]), false));
	EXPECT_EQ(cr_run(ALINK_XPU_FN_MUL, &block), ALINK_ST_OK);
	for (int i = 0; i < M * N; i++)
		EXPECT_EQ(word(dst[i]),
			  cr_encode(FP32, cr_mul(a[i], b[i]), false));
	/* One row for all: a bias */
	block.b.stride = 0;
	EXPECT_EQ(cr_run(ALINK_XPU_FN_ADD, &block), ALINK_ST_OK);
	for (int i = 0; i < M * N; i++)
		EXPECT_EQ(word(dst[i]),
			  cr_encode(FP32, cr_add(a[i], b[i % N]), false));
}

TEST(mixed_formats_and_in_place)
{
	enum { M = 3, N = 96 };
	static uint16_t a[M * N];
	static uint8_t b[M * N], elems[M * N / 2], scales[M * N / 32];
	struct alink_xpu_compute block = {
		.m = M, .n = N,
		.a = cr_matrix(BF16, a, N),
		.b = cr_matrix(ALINK_DT_FP8_E5M2, b, N),
		.dst = cr_matrix(BF16, a, N),
	};
	uint16_t want[M * N];
	uint8_t mx[16], scale;
	double x[32];

	rig_fill(a, sizeof(a));
	rig_fill(b, sizeof(b));
	for (int i = 0; i < M * N; i++)
		want[i] = cr_encode(BF16, cr_mul(cr_decode(BF16, a[i]),
						 cr_decode(ALINK_DT_FP8_E5M2,
							   b[i])), false);
	EXPECT_EQ(cr_run(ALINK_XPU_FN_MUL, &block), ALINK_ST_OK);
	EXPECT(!memcmp(a, want, sizeof(want)));

	for (int i = 0; i < M * N; i++)
		a[i] = 0x3f80 + i;
	block.dst = cr_matrix(ALINK_DT_MXFP4, elems, N);
	block.dst.scale = (uintptr_t)scales;
	block.dst.scale_stride = N / 32;
	EXPECT_EQ(cr_run(ALINK_XPU_FN_ADD, &block), ALINK_ST_OK);
	for (int i = 0; i < M * N / 32; i++) {
		for (int j = 0; j < 32; j++)
			x[j] = cr_add(cr_decode(BF16, a[i * 32 + j]),
				      cr_decode(ALINK_DT_FP8_E5M2,
						b[i * 32 + j]));
		cr_mx_encode(x, mx, &scale);
		EXPECT_EQ(scales[i], scale);
		EXPECT(!memcmp(elems + i * 16, mx, 16));
	}
}

TEST(rope)
{
	enum { M = 5, N = 64, K = 16 };
	static float a[M * N], dst[M * N], b[M * K];
	struct alink_xpu_compute block = rows(M, N, a, NULL, dst);

	fill(a, M * N);
	for (int i = 0; i < M; i++) {
		for (int j = 0; j < K / 2; j++) {
			double angle = i * pow(10000, -2.0 * j / K);

			b[i * K + j] = (float)cos(angle);
			b[i * K + K / 2 + j] = (float)sin(angle);
		}
	}
	block.k = K;
	block.b = cr_matrix(FP32, b, K);
	EXPECT_EQ(cr_run(ALINK_XPU_FN_ROPE, &block), ALINK_ST_OK);
	for (int i = 0; i < M * N; i++) {
		int j = i % K, row = i / N;
		bool upper = j >= K / 2;
		const float *pair = a + i / K * K + j % (K / 2);
		double c = b[row * K + j % (K / 2)];
		double s = b[row * K + K / 2 + j % (K / 2)];
		double want = upper ? cr_add(cr_mul(pair[K / 2], c),
					     cr_mul(pair[0], s)) :
				      cr_add(cr_mul(pair[0], c),
					     -cr_mul(pair[K / 2], s));

		EXPECT_EQ(word(dst[i]), cr_encode(FP32, want, false));
	}
	/* Position 0 turns nothing, and lengths stay. */
	EXPECT(dst[0] == a[0] || isnan(a[0]) || isnan(a[K / 2]) ||
	       isinf(a[K / 2]));
}

TEST(embed)
{
	enum { VOCAB = 50, M = 40, N = 33 };
	static uint16_t table[VOCAB * N];
	static float dst[M * N];
	uint32_t id[M];
	struct alink_xpu_compute block = {
		.m = M, .n = N, .k = VOCAB,
		.a = cr_matrix(ALINK_DT_FP16, table, N),
		.b = cr_matrix(ALINK_DT_INT32, id, 1),
		.dst = cr_matrix(FP32, dst, N),
	};

	rig_fill(table, sizeof(table));
	for (int i = 0; i < M; i++)
		id[i] = rig_random() % VOCAB;
	id[3] = 0;
	id[4] = VOCAB - 1;
	EXPECT_EQ(cr_run(ALINK_XPU_FN_EMBED, &block), ALINK_ST_OK);
	for (int i = 0; i < M * N; i++) {
		uint16_t v = table[id[i / N] * N + i % N];

		EXPECT_EQ(word(dst[i]),
			  cr_encode(FP32, cr_decode(ALINK_DT_FP16, v), false));
	}
}

static void check_topk(uint32_t m, uint32_t n, uint32_t k, const float *a)
{
	uint32_t *out = malloc(m * k * sizeof(*out));
	struct alink_xpu_compute block = {
		.m = m, .n = n, .k = k,
		.a = cr_matrix(FP32, a, n),
		.dst = cr_matrix(ALINK_DT_INT32, out, k),
	};

	EXPECT_EQ(cr_run(ALINK_XPU_FN_TOPK, &block), ALINK_ST_OK);
	/* The place of an element is the number of those before it. */
	for (uint32_t row = 0; row < m; row++) {
		for (uint32_t i = 0; i < n; i++) {
			const float *x = a + row * n;
			uint32_t place = 0;

			for (uint32_t j = 0; j < n && place < k; j++)
				place += j != i && cr_before(x, j, i);
			if (place < k)
				EXPECT_EQ(out[row * k + place], i);
		}
	}
	free(out);
}

TEST(topk_and_argmax)
{
	static float a[20 * 300];

	fill(a, 20 * 300);
	check_topk(20, 300, 1, a);
	check_topk(20, 300, 8, a);
	check_topk(20, 300, 64, a);
	check_topk(100, 60, 60, a);
	/* Few different numbers: order of equals */
	for (int i = 0; i < 20 * 300; i++)
		a[i] = (int)(rig_random() % 5) - 2;
	check_topk(20, 300, 40, a);
	for (int i = 0; i < 20 * 300; i++)
		a[i] = i % 3 ? -0.0f : 0.0f;
	check_topk(20, 300, 5, a);
	check_topk(1, 1, 1, a);
}

/* --- within 1 ulp --------------------------------------------------------- */

static void near(const char *what, float have, long double want, float x)
{
	uint32_t ulps = cr_ulps(have, (float)want);

	if (ulps > 1)
		TAP_FAIL("%s: at %a %a, not %a: %u ulp", what, x, have,
			 (float)want, ulps);
}

static void check_gates(const float *a, float *dst, uint32_t n)
{
	struct alink_xpu_compute block = rows(1, n, a, NULL, dst);

	EXPECT_EQ(cr_run(ALINK_XPU_FN_SILU, &block), ALINK_ST_OK);
	for (uint32_t i = 0; i < n; i++)
		near("silu", dst[i], cr_silu(a[i]), a[i]);
	EXPECT_EQ(cr_run(ALINK_XPU_FN_GELU, &block), ALINK_ST_OK);
	for (uint32_t i = 0; i < n; i++)
		near("gelu", dst[i], cr_gelu(a[i]), a[i]);
}

TEST(silu_and_gelu)
{
	static float a[65536], dst[65536];

	for (int i = 0; i < 65536; i++)
		a[i] = (float)cr_decode(BF16, i);
	check_gates(a, dst, 65536);
	for (int i = 0; i < 65536; i++)
		a[i] = (float)cr_decode(ALINK_DT_FP16, i);
	check_gates(a, dst, 65536);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 65536; i++)
			a[i] = (float)((double)(int64_t)rig_random() /
				       ldexp(1, 60 - 2 * round));
		check_gates(a, dst, 65536);
	}
}

TEST(rmsnorm)
{
	enum { M = 30, N = 777 };
	static float a[M * N], w[N], dst[M * N];
	static const float eps[] = { 0, 1e-6f, 0.5f };
	struct alink_xpu_compute block = rows(M, N, a, w, dst);

	block.b.stride = 0;
	for (int i = 0; i < N; i++)
		w[i] = (float)((double)(int64_t)rig_random() / 0x1p62);
	for (int e = 0; e < 3; e++) {
		memcpy(&block.param, &eps[e], 4);
		for (int i = 0; i < M * N; i++)
			a[i] = (float)ldexp((double)(int64_t)rig_random(),
					    i / N * 8 - 180);
		EXPECT_EQ(cr_run(ALINK_XPU_FN_RMSNORM, &block), ALINK_ST_OK);
		for (int i = 0; i < M; i++) {
			long double sum = 0;

			for (int j = 0; j < N; j++)
				sum += (long double)a[i * N + j] * a[i * N + j];
			sum = sqrtl(sum / N + eps[e]);
			for (int j = 0; j < N; j++)
				near("rmsnorm", dst[i * N + j],
				     a[i * N + j] / sum * w[j], a[i * N + j]);
		}
	}
}

static void check_softmax(uint32_t m, uint32_t n, const float *a, float scale)
{
	float *dst = malloc(m * n * sizeof(*dst));
	struct alink_xpu_compute block = rows(m, n, a, NULL, dst);

	memcpy(&block.param, &scale, 4);
	EXPECT_EQ(cr_run(ALINK_XPU_FN_SOFTMAX, &block), ALINK_ST_OK);
	for (uint32_t i = 0; i < m; i++) {
		long double sum = 0, max = -INFINITY;

		for (uint32_t j = 0; j < n; j++)
			max = fmaxl(max, a[i * n + j]);
		for (uint32_t j = 0; j < n; j++)
			sum += expl(scale * (a[i * n + j] - max));
		for (uint32_t j = 0; j < n; j++)
			near("softmax", dst[i * n + j],
			     expl(scale * (a[i * n + j] - max)) / sum,
			     a[i * n + j]);
	}
	free(dst);
}

TEST(softmax)
{
	enum { M = 40, N = 500 };
	static float a[M * N];

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < M * N; i++)
			a[i] = (float)((double)(int64_t)rig_random() /
				       ldexp(1, 62 - 2 * round));
		check_softmax(M, N, a, 1);
		check_softmax(M, N, a, 0.088388346f);
		check_softmax(M * N, 1, a, 1);
	}
	/* A mask: -infinity has no share, and rows of nothing else are NaN. */
	for (int i = 0; i < M * N; i++)
		if (i % N > i / N * 10)
			a[i] = -INFINITY;
	check_softmax(M, N, a, 1);
	for (int i = 0; i < N; i++)
		a[i] = -INFINITY;
	a[N + 3] = INFINITY;
	a[2 * N + 4] = NAN;
	a[3 * N] = NAN;
	check_softmax(M, N, a, 1);
	/* Far apart, beyond what exp() can say */
	for (int i = 0; i < M * N; i++)
		a[i] = i % 2 ? 0x1.fffffep127f : -0x1.fffffep127f;
	check_softmax(M, N, a, 1);
	check_softmax(M, N, a, 0x1.fffffep127f);
}
