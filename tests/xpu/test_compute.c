// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compute engines through driver and library, against plain loops. What
 * each rounding does is tested without a guest, in qemu-models/tests/unit.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alink.h"
#include "kselftest_harness.h"
#include "xpu_lib.h"

#define SIZE	(8 * MIB)
#define PART	MIB
#define WAIT_MS	60000

FIXTURE(compute)
{
	struct alink_ctx *ctx;
	struct alink_xpu *xpu;
	struct alink_queue *q;
	struct alink_bo *bo;
	uint8_t *mem;		/* in parts: a, b, dst and more */
	uint64_t va;
};

FIXTURE_SETUP(compute)
{
	char path[64];
	unsigned int minor;

	if (xpu_path(0, path, sizeof(path)))
		SKIP(return, "no xPU");
	ASSERT_EQ(1, sscanf(path, "/dev/accel/accel%u", &minor));
	ASSERT_EQ(0, alink_new(&self->ctx));
	ASSERT_EQ(0, alink_xpu_open_minor(self->ctx, minor, &self->xpu)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	ASSERT_EQ(0, alink_queue_open(self->xpu, 16, &self->q));
	ASSERT_EQ(0, alink_bo_alloc(self->xpu, SIZE, ALINK_PLACE_HBM_CPU,
				    &self->bo));
	self->mem = alink_bo_map(self->bo);
	ASSERT_NE(NULL, self->mem);
	self->va = alink_bo_va(self->bo);
}

FIXTURE_TEARDOWN(compute)
{
	alink_bo_free(self->bo);
	alink_queue_close(self->q);
	alink_xpu_close(self->xpu);
	alink_free(self->ctx);
}

/* --- numbers ------------------------------------------------------------ */

/* Bits of exponent and mantissa; 0: an integer */
struct format {
	enum alink_dtype dtype;
	int exp, man;
};

static const struct format formats[] = {
	{ ALINK_DT_FP32, 8, 23 },
	{ ALINK_DT_TF32, 8, 10 },
	{ ALINK_DT_BF16, 8, 7 },
	{ ALINK_DT_FP16, 5, 10 },
	{ ALINK_DT_FP8_E4M3, 4, 3 },
	{ ALINK_DT_FP8_E5M2, 5, 2 },
	{ ALINK_DT_INT8, 0, 0 },
};

static uint32_t next_random(void)
{
	static uint32_t x = 12345;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

/* A finite number of the format between 1/16 and 16, and its code */
static float number(const struct format *f, uint32_t *code)
{
	uint32_t r = next_random(), man = r & ((1U << f->man) - 1);
	int exp = (int)(r >> 23 & 7) - 4;
	float x;

	if (!f->exp) {
		*code = r & 0xff;
		return (int8_t)r;
	}
	x = ldexpf(1 + (float)man / (1U << f->man), exp);
	*code = (uint32_t)(exp + (1 << (f->exp - 1)) - 1) << f->man | man;
	*code |= (r >> 31) << (f->exp + f->man);
	if (f->dtype == ALINK_DT_TF32)
		*code <<= 13;
	return r >> 31 ? -x : x;
}

static void fill(const struct format *f, void *mem, float *values, size_t n)
{
	size_t size = alink_dtype_bytes(f->dtype), i;
	uint32_t code;

	for (i = 0; i < n; i++) {
		values[i] = number(f, &code);
		memcpy((uint8_t *)mem + i * size, &code, size);
	}
}

/* Product and sum rounded apart, for ascending k */
static float dot(const float *a, const float *b, size_t n, size_t step)
{
	float sum = 0;
	size_t k;

	for (k = 0; k < n; k++) {
		volatile float product = a[k] * b[k * step];

		sum += product;
	}
	return sum;
}

/* --- running ------------------------------------------------------------ */

static void wait_for(struct __test_metadata *_metadata,
		     FIXTURE_DATA(compute) *self, int err, uint64_t seq)
{
	struct alink_queue_state s;

	ASSERT_EQ(0, err) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	alink_queue_kick(self->q);
	err = alink_queue_wait(self->q, seq, WAIT_MS);
	alink_queue_state(self->q, &s);
	ASSERT_EQ(0, err) {
		TH_LOG("%s: %s at %#llx", alink_error(self->ctx),
		       alink_status_name(s.status),
		       (unsigned long long)s.addr);
	}
}

#define RUN(func, c) do {						\
	uint64_t seq_;							\
	int err_ = alink_cmd_compute(self->q, func, c, &seq_);		\
									\
	wait_for(_metadata, self, err_, seq_);				\
} while (0)

/* FP32, @m x @n without gaps, in parts 0, 1 and 2 */
static struct alink_compute plain(FIXTURE_DATA(compute) *self, uint32_t m,
				  uint32_t n, bool b)
{
	struct alink_compute c = {
		.m = m, .n = n,
		.a = alink_dense(ALINK_DT_FP32, self->va, n),
		.dst = alink_dense(ALINK_DT_FP32, self->va + 2 * PART, n),
	};

	if (b)
		c.b = alink_dense(ALINK_DT_FP32, self->va + PART, n);
	return c;
}

TEST_F(compute, the_driver_shows_what_there_is)
{
	const struct alink_xpu_info *info = alink_xpu_info(self->xpu);

	EXPECT_EQ(info->compute_funcs, (1U << ALINK_XPU_NUM_FUNCS) - 1);
	EXPECT_EQ(info->compute_dtypes, 0x3bf);
}

TEST_F(compute, a_function_that_does_not_exist)
{
	struct alink_compute c = plain(self, 1, 4, false);

	EXPECT_EQ(-EOPNOTSUPP, alink_cmd_compute(self->q, ALINK_XPU_NUM_FUNCS,
						 &c, NULL));
	EXPECT_EQ(-EOPNOTSUPP, alink_cmd_compute(self->q, 40, &c, NULL));
	RUN(ALINK_XPU_FN_CAST, &c);
}

TEST_F(compute, gemm_in_each_format)
{
	enum { M = 12, N = 20, K = 64 };
	float a[M * K], b[K * N], *dst = (float *)(self->mem + 2 * PART);
	struct alink_matrix ma, mb, md;
	uint64_t seq = 0;
	size_t f, i;
	int err;

	md = alink_dense(ALINK_DT_FP32, self->va + 2 * PART, N);
	for (f = 0; f < sizeof(formats) / sizeof(formats[0]); f++) {
		enum alink_dtype dtype = formats[f].dtype;

		fill(&formats[f], self->mem, a, M * K);
		fill(&formats[f], self->mem + PART, b, K * N);
		ma = alink_dense(dtype, self->va, K);
		mb = alink_dense(dtype, self->va + PART, N);
		err = alink_cmd_gemm(self->q, M, N, K, &md, &ma, &mb, 0, &seq);
		wait_for(_metadata, self, err, seq);
		for (i = 0; i < M * N; i++) {
			ASSERT_EQ(dot(a + i / N * K, b + i % N, K, N), dst[i]) {
				TH_LOG("%s, element %zu",
				       alink_dtype_name(dtype), i);
			}
		}
		/* On top of zeros the same comes out; the next row stays. */
		memset(dst, 0, N * sizeof(*dst));
		err = alink_cmd_gemm(self->q, 1, N, K, &md, &ma, &mb,
				     ALINK_XPU_CF_ACCUMULATE, &seq);
		wait_for(_metadata, self, err, seq);
		for (i = 0; i <= N; i++)
			ASSERT_EQ(dot(a + i / N * K, b + i % N, K, N), dst[i]);
	}
}

/* a and b, each as it is and transposed; over the tiles of the model */
TEST_F(compute, gemm_of_what_is_stored_transposed)
{
	enum { M = 67, N = 45, K = 130 };
	float a[M * K], b[K * N], *dst = (float *)(self->mem + 2 * PART);
	const struct format *bf16 = &formats[2];
	struct alink_matrix ma, mb, md;
	uint64_t seq = 0;
	uint32_t way;
	size_t i, k;
	int err;

	fill(bf16, self->mem, a, M * K);
	fill(bf16, self->mem + PART, b, K * N);
	md = alink_dense(ALINK_DT_FP32, self->va + 2 * PART, N);
	for (way = 0; way < 4; way++) {
		bool ta = way & 1, tb = way & 2;

		ma = alink_dense(ALINK_DT_BF16, self->va, ta ? M : K);
		mb = alink_dense(ALINK_DT_BF16, self->va + PART, tb ? K : N);
		memset(dst, 0xee, M * N * sizeof(*dst));
		err = alink_cmd_gemm(self->q, M, N, K, &md, &ma, &mb,
				     (ta ? ALINK_XPU_CF_TRANS_A : 0) |
				     (tb ? ALINK_XPU_CF_TRANS_B : 0), &seq);
		wait_for(_metadata, self, err, seq);
		for (i = 0; i < M * N; i++) {
			size_t row = i / N, col = i % N;
			float sum = 0;

			for (k = 0; k < K; k++) {
				float x = a[ta ? k * M + row : row * K + k];
				float y = b[tb ? col * K + k : k * N + col];
				volatile float product = x * y;

				sum += product;
			}
			ASSERT_EQ(sum, dst[i]) {
				TH_LOG("way %u, element %zu", way, i);
			}
		}
	}
}

TEST_F(compute, gemm_of_int8_into_int32)
{
	enum { M = 9, N = 7, K = 300 };
	const struct format *f = &formats[6];
	int32_t *dst = (int32_t *)(self->mem + 2 * PART);
	float a[M * K], b[N * K];
	struct alink_compute c = {
		.flags = ALINK_XPU_CF_TRANS_B,
		.m = M, .n = N, .k = K,
		.a = alink_dense(ALINK_DT_INT8, self->va, K),
		.b = alink_dense(ALINK_DT_INT8, self->va + PART, K),
		.dst = alink_dense(ALINK_DT_INT32, self->va + 2 * PART, N),
	};
	size_t i, k;

	fill(f, self->mem, a, M * K);
	fill(f, self->mem + PART, b, N * K);
	RUN(ALINK_XPU_FN_GEMM, &c);
	for (i = 0; i < M * N; i++) {
		int32_t sum = 0;

		for (k = 0; k < K; k++)
			sum += (int)a[i / N * K + k] * (int)b[i % N * K + k];
		ASSERT_EQ(sum, dst[i]);
	}
}

/* Quantise to MXFP4 and back; then a GEMM of what came out is exact. */
TEST_F(compute, mxfp4)
{
	enum { M = 8, N = 6, K = 96 };
	float *a = (float *)self->mem, *back = (float *)(self->mem + 3 * PART);
	float *dst = (float *)(self->mem + 4 * PART);
	uint64_t mx = self->va + 2 * PART, scales = mx + PART / 2;
	struct alink_compute c = plain(self, M + N, K, false);
	struct alink_compute g = {
		.flags = ALINK_XPU_CF_TRANS_B,
		.m = M, .n = N, .k = K,
		.a = alink_dense_mxfp4(mx, scales, K),
		.b = alink_dense_mxfp4(mx + M * K / 2, scales + M * K / 32, K),
		.dst = alink_dense(ALINK_DT_FP32, self->va + 4 * PART, N),
	};
	float values[(M + N) * K];
	size_t i;

	fill(&formats[2], self->mem + PART, values, (M + N) * K);
	memcpy(a, values, sizeof(values));
	c.dst = alink_dense_mxfp4(mx, scales, K);
	RUN(ALINK_XPU_FN_CAST, &c);
	c.a = c.dst;
	c.dst = alink_dense(ALINK_DT_FP32, self->va + 3 * PART, K);
	RUN(ALINK_XPU_FN_CAST, &c);
	/* Of 8 numbers from 0 to 6, with the greatest from 4 on: within 1 */
	for (i = 0; i < (M + N) * K; i++) {
		float max = 0;
		size_t j;

		for (j = i / 32 * 32; j < i / 32 * 32 + 32; j++)
			max = fmaxf(max, fabsf(values[j]));
		ASSERT_LE(fabsf(back[i] - values[i]), max / 4) {
			TH_LOG("%zu: %g became %g", i, values[i], back[i]);
		}
	}
	RUN(ALINK_XPU_FN_GEMM, &g);
	for (i = 0; i < M * N; i++)
		ASSERT_EQ(dot(back + i / N * K, back + M * K + i % N * K, K, 1),
			  dst[i]);
}

TEST_F(compute, casts_there_and_back)
{
	const uint16_t *half = (uint16_t *)(self->mem + 2 * PART);
	static const enum alink_dtype via[] = {
		ALINK_DT_FP32, ALINK_DT_TF32, ALINK_DT_BF16, ALINK_DT_FP16,
	};
	struct alink_compute c;
	size_t v, i;

	/* Every E5M2 is a number of all of these. */
	for (v = 0; v < sizeof(via) / sizeof(via[0]); v++) {
		for (i = 0; i < 256; i++)
			self->mem[i] = i;
		memset(self->mem + PART, 0xee, 256);
		c = (struct alink_compute) {
			.m = 1, .n = 256,
			.a = alink_dense(ALINK_DT_FP8_E5M2, self->va, 256),
			.dst = alink_dense(via[v], self->va + 2 * PART, 256),
		};
		RUN(ALINK_XPU_FN_CAST, &c);
		if (via[v] == ALINK_DT_FP16)
			for (i = 0; i < 0x7c; i++)
				ASSERT_EQ(i << 8, half[i]);
		c.a = c.dst;
		c.dst = alink_dense(ALINK_DT_FP8_E5M2, self->va + PART, 256);
		RUN(ALINK_XPU_FN_CAST, &c);
		for (i = 0; i < 256; i++) {
			bool nan = (i & 0x7f) > 0x7c;

			ASSERT_EQ(nan ? 0x7e : i, self->mem[PART + i]);
		}
	}
}

static void near(struct __test_metadata *_metadata, double want, float have)
{
	EXPECT_LE(fabs(have - want), fabs(want) * 0x1p-22 + 0x1p-149) {
		TH_LOG("%.9g, not %.9g", have, want);
	}
}

TEST_F(compute, functions_of_rows)
{
	enum { M = 5, N = 48 };
	float *dst = (float *)(self->mem + 2 * PART), a[M * N], b[M * N];
	struct alink_compute c = plain(self, M, N, true);
	size_t i, j;

	fill(&formats[0], self->mem, a, M * N);
	fill(&formats[0], self->mem + PART, b, M * N);
	RUN(ALINK_XPU_FN_ADD, &c);
	for (i = 0; i < M * N; i++)
		EXPECT_EQ(a[i] + b[i], dst[i]);
	RUN(ALINK_XPU_FN_MUL, &c);
	for (i = 0; i < M * N; i++)
		EXPECT_EQ(a[i] * b[i], dst[i]);
	c.b.stride = 0;
	RUN(ALINK_XPU_FN_ADD, &c);
	for (i = 0; i < M * N; i++)
		EXPECT_EQ(a[i] + b[i % N], dst[i]);

	c.param = 0.25f;
	RUN(ALINK_XPU_FN_RMSNORM, &c);
	for (i = 0; i < M * N; i++) {
		double sum = 0;

		for (j = i / N * N; j < i / N * N + N; j++)
			sum += (double)a[j] * a[j];
		near(_metadata, a[i] / sqrt(sum / N + 0.25) * b[i % N], dst[i]);
	}

	c = plain(self, M, N, false);
	c.param = 0.5f;
	RUN(ALINK_XPU_FN_SOFTMAX, &c);
	for (i = 0; i < M * N; i++) {
		double sum = 0;

		for (j = i / N * N; j < i / N * N + N; j++)
			sum += exp(0.5 * ((double)a[j] - a[i]));
		near(_metadata, 1 / sum, dst[i]);
	}
	c.param = 0;
	RUN(ALINK_XPU_FN_SILU, &c);
	for (i = 0; i < M * N; i++)
		near(_metadata, a[i] / (1 + exp(-(double)a[i])), dst[i]);
	RUN(ALINK_XPU_FN_GELU, &c);
	for (i = 0; i < M * N; i++) {
		double x = a[i], cube = x * x * x;
		double t = sqrt(2 / M_PI) * (x + 0.044715 * cube);

		near(_metadata, x / (1 + exp(-2 * t)), dst[i]);
	}
}

TEST_F(compute, rope_embed_topk)
{
	enum { M = 6, N = 16, K = 8, VOCAB = 30 };
	float *dst = (float *)(self->mem + 2 * PART), a[VOCAB * N], b[M * K];
	int32_t *best = (int32_t *)dst, *id = (int32_t *)(self->mem + PART);
	struct alink_compute c = plain(self, M, N, false);
	size_t i, j;

	fill(&formats[0], self->mem, a, M * N);
	for (i = 0; i < M * K; i++) {
		double angle = (i / K) / pow(100, i % (K / 2) * 2.0 / K);

		b[i] = i % K < K / 2 ? cos(angle) : sin(angle);
	}
	memcpy(self->mem + PART, b, sizeof(b));
	c.k = K;
	c.b = alink_dense(ALINK_DT_FP32, self->va + PART, K);
	RUN(ALINK_XPU_FN_ROPE, &c);
	for (i = 0; i < M * N; i++) {
		size_t pair = i / K * K + i % (K / 2);
		float cosine = b[i / N * K + i % (K / 2)];
		float sine = b[i / N * K + K / 2 + i % (K / 2)];
		volatile float x = i % K < K / 2 ? a[pair] * cosine :
						   a[pair] * sine;
		volatile float y = i % K < K / 2 ? -a[pair + K / 2] * sine :
						   a[pair + K / 2] * cosine;

		EXPECT_EQ(x + y, dst[i]);
	}

	fill(&formats[2], self->mem, a, VOCAB * N);
	for (i = 0; i < M; i++)
		id[i] = i * 11 % VOCAB;
	c.k = VOCAB;
	c.a.dtype = ALINK_DT_BF16;
	c.a.stride = 2 * N;
	c.b = alink_dense(ALINK_DT_INT32, self->va + PART, 1);
	RUN(ALINK_XPU_FN_EMBED, &c);
	for (i = 0; i < M * N; i++)
		EXPECT_EQ(a[id[i / N] * N + i % N], dst[i]);

	fill(&formats[0], self->mem, a, M * N);
	c = plain(self, M, N, false);
	c.k = 1;
	c.dst = alink_dense(ALINK_DT_INT32, self->va + 2 * PART, 1);
	RUN(ALINK_XPU_FN_TOPK, &c);
	for (i = 0; i < M; i++)
		for (j = 0; j < N; j++)
			EXPECT_LE(a[i * N + j], a[i * N + best[i]]);
}

/* softmax(q * k^T / sqrt(d)) * v, in one go, as a model does it in BF16 */
TEST_F(compute, attention)
{
	enum { T = 24, D = 32 };
	const struct format *bf16 = &formats[2];
	uint64_t va = self->va, seq = 0;
	struct alink_matrix q = alink_dense(ALINK_DT_BF16, va, D);
	struct alink_matrix k = alink_dense(ALINK_DT_BF16, va + PART, D);
	struct alink_matrix v = alink_dense(ALINK_DT_BF16, va + 2 * PART, D);
	struct alink_matrix s = alink_dense(ALINK_DT_FP32, va + 3 * PART, T);
	struct alink_matrix out = alink_dense(ALINK_DT_FP32, va + 4 * PART, D);
	struct alink_compute soft = { .m = T, .n = T, .a = s, .dst = s };
	float fq[T * D], fk[T * D], fv[T * D], *have;
	size_t i, j, e;
	int err;

	fill(bf16, self->mem, fq, T * D);
	fill(bf16, self->mem + PART, fk, T * D);
	fill(bf16, self->mem + 2 * PART, fv, T * D);
	soft.param = 0.03125f;
	err = alink_cmd_gemm(self->q, T, T, D, &s, &q, &k,
			     ALINK_XPU_CF_TRANS_B, NULL);
	ASSERT_EQ(0, err);
	err = alink_cmd_compute(self->q, ALINK_XPU_FN_SOFTMAX, &soft, NULL);
	ASSERT_EQ(0, err);
	err = alink_cmd_gemm(self->q, T, D, T, &out, &s, &v, 0, &seq);
	wait_for(_metadata, self, err, seq);

	have = (float *)(self->mem + 4 * PART);
	for (i = 0; i < T; i++) {
		double w[T], sum = 0, max = -INFINITY;

		for (j = 0; j < T; j++) {
			w[j] = 0.03125 * dot(fq + i * D, fk + j * D, D, 1);
			max = fmax(max, w[j]);
		}
		for (j = 0; j < T; j++) {
			w[j] = exp(w[j] - max);
			sum += w[j];
		}
		for (e = 0; e < D; e++) {
			double want = 0, size = 0;

			for (j = 0; j < T; j++) {
				want += w[j] / sum * fv[j * D + e];
				size += fabs(w[j] / sum * fv[j * D + e]);
			}
			ASSERT_LE(fabs(have[i * D + e] - want), size * 0x1p-18);
		}
	}
}

/* By a worker of the model, with threads that help; and how fast that is */
TEST_F(compute, gemm_512)
{
	enum { N = 512 };
	const struct format *bf16 = &formats[2];
	float *a = malloc(N * N * sizeof(*a)), *b = malloc(N * N * sizeof(*b));
	struct alink_matrix ma, mb, md;
	float *dst = (float *)(self->mem + 2 * PART);
	struct alink_xpu_counters before, after;
	struct alink_queue_state s;
	uint64_t seq = 0;
	int64_t start;
	size_t i;
	int err;

	ASSERT_TRUE(a && b);
	fill(bf16, self->mem, a, N * N);
	fill(bf16, self->mem + PART, b, N * N);
	ma = alink_dense(ALINK_DT_BF16, self->va, N);
	mb = alink_dense(ALINK_DT_BF16, self->va + PART, N);
	md = alink_dense(ALINK_DT_FP32, self->va + 2 * PART, N);
	ASSERT_EQ(0, alink_xpu_counters(self->xpu, &before));
	start = now_ns();
	err = alink_cmd_gemm(self->q, N, N, N, &md, &ma, &mb, 0, &seq);
	wait_for(_metadata, self, err, seq);
	start = now_ns() - start;
	alink_queue_state(self->q, &s);
	ASSERT_EQ(0, alink_xpu_counters(self->xpu, &after));
	TH_LOG("%lld us, engine %llu us, modelled %llu ns",
	       (long long)start / 1000,
	       (unsigned long long)(after.busy_ns - before.busy_ns) / 1000,
	       (unsigned long long)s.model_last_ns);
	for (i = 0; i < N * N; i += 4099)
		ASSERT_EQ(dot(a + i / N * N, b + i % N, N, N), dst[i]);
	free(a);
	free(b);
}

/* --- failures ----------------------------------------------------------- */

static void fails(struct __test_metadata *_metadata,
		  FIXTURE_DATA(compute) *self, enum alink_xpu_func func,
		  const struct alink_compute *c, enum alink_status status,
		  uint64_t addr)
{
	struct alink_queue_state s;
	uint64_t seq = 0;

	ASSERT_EQ(0, alink_cmd_compute(self->q, func, c, &seq));
	alink_queue_kick(self->q);
	EXPECT_EQ(-EIO, alink_queue_wait(self->q, seq, WAIT_MS));
	alink_queue_state(self->q, &s);
	EXPECT_EQ(status, s.status);
	EXPECT_EQ(addr, s.addr);
	/* Another queue is none the worse for it. */
	alink_queue_close(self->q);
	ASSERT_EQ(0, alink_queue_open(self->xpu, 16, &self->q));
}

TEST_F(compute, mistakes_have_status_and_address)
{
	struct alink_compute c = plain(self, 2, 4, false), e;
	int32_t *id = (int32_t *)(self->mem + PART);

	c.a.va = 1ULL << 46;
	fails(_metadata, self, ALINK_XPU_FN_CAST, &c, ALINK_ST_PAGE_FAULT,
	      1ULL << 46);
	c.a.va = self->va + 2;
	fails(_metadata, self, ALINK_XPU_FN_CAST, &c, ALINK_ST_ALIGN,
	      self->va + 2);
	e = plain(self, 2, 4, false);
	e.k = 10;
	e.b = alink_dense(ALINK_DT_INT32, self->va + PART, 1);
	id[0] = 9;
	id[1] = 10;
	fails(_metadata, self, ALINK_XPU_FN_EMBED, &e, ALINK_ST_RANGE,
	      self->va + PART + 4);
	c = plain(self, 2, 4, false);
	RUN(ALINK_XPU_FN_CAST, &c);
}

/* 2^38 multiply-accumulates of a repeated row: close does not wait for them. */
TEST_F(compute, close_in_the_middle)
{
	struct alink_compute c = {
		.m = 4, .n = 1 << 18, .k = 1 << 18,
		.a = alink_dense(ALINK_DT_FP32, self->va, 0),
		.b = alink_dense(ALINK_DT_FP32, self->va, 0),
		.dst = alink_dense(ALINK_DT_FP32, self->va + 2 * PART, 1 << 18),
	};
	uint64_t seq = 0;

	ASSERT_EQ(0, alink_cmd_compute(self->q, ALINK_XPU_FN_GEMM, &c, &seq));
	alink_queue_kick(self->q);
	EXPECT_EQ(-ETIME, alink_queue_wait(self->q, seq, 50));
	alink_queue_close(self->q);
	ASSERT_EQ(0, alink_queue_open(self->xpu, 16, &self->q));
	c = plain(self, 2, 4, false);
	RUN(ALINK_XPU_FN_CAST, &c);
}

TEST_HARNESS_MAIN
