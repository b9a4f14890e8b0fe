// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long the compute engines' arithmetic takes on this host: no test, since
 * times depend on the host and on what else it does. Each figure is the best of
 * some runs: of the processor's time in one thread, which says something on a
 * busy host also, and of the time that passes with so many threads.
 *
 *   compute-bench [THREADS...]		by default 1 and 2
 *
 * Operands are used where they lie, as the model uses HBM. The first line is
 * three plain loops over FP32, for comparison.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "compute-rig.h"

#define RUNS	9
#define N	512

static double now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

/* --- operands ------------------------------------------------------------- */

/* Numbers from 1 to 2 in each format, so that none is special */
static uint8_t *numbers(enum alink_dtype dtype, size_t n)
{
	uint8_t *mem = malloc(ac_bytes(dtype, n));
	uint32_t code[16];

	for (int i = 0; i < 16; i++)
		code[i] = cr_encode(dtype, dtype == ALINK_DT_INT8 ? 16 + i :
					   1 + i / 16.0, true);
	if (dtype == ALINK_DT_MXFP4)
		memset(mem, 0x32, n / 2);
	for (size_t i = 0; dtype != ALINK_DT_MXFP4 && i < n; i++)
		memcpy(mem + i * cr_size(dtype), &code[i * 7 % 16],
		       cr_size(dtype));
	return mem;
}

static struct alink_xpu_matrix matrix(enum alink_dtype dtype, uint64_t rows,
				      uint32_t cols)
{
	struct alink_xpu_matrix m = {
		.addr = (uintptr_t)numbers(dtype, rows * cols),
		.stride = ac_bytes(dtype, cols),
		.dtype = dtype,
	};

	if (dtype == ALINK_DT_MXFP4) {
		m.scale = (uintptr_t)malloc(rows * cols / 32);
		m.scale_stride = cols / 32;
		memset((void *)(uintptr_t)m.scale, 127, rows * cols / 32);
	}
	return m;
}

static void matrix_free(struct alink_xpu_matrix *m)
{
	free((void *)(uintptr_t)m->addr);
	free((void *)(uintptr_t)m->scale);
}

/* --- running -------------------------------------------------------------- */

/* Rows in place */
static void find_rows(const struct ac_plan *p, enum ac_operand op,
		      const struct ac_region *r, struct ac_data *data)
{
	const struct ac_matrix *mat = &p->mat[op];

	for (uint32_t i = 0; i < r->rows; i++) {
		uint64_t row = r->row + i;

		data->row[i] = (uint8_t *)(uintptr_t)
			(mat->addr + row * mat->stride +
			 ac_bytes(mat->dtype, r->col));
		data->scales[i] = (uint8_t *)(uintptr_t)
			(mat->scale + row * mat->scale_stride + r->col / 32);
	}
}

static double run_once(struct ac_work *work, uint32_t func,
		       const struct alink_xpu_compute *block,
		       struct ac_team *team)
{
	clockid_t clock = team ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
	static uint8_t *rows[AC_NUM_OPERANDS][2][AC_GEMM_INNERS];
	struct ac_data data[AC_NUM_OPERANDS];
	double start = now_ms(clock);
	struct ac_piece piece;
	struct ac_region r;
	struct ac_plan p;
	uint64_t addr = 0;

	for (int i = 0; i < AC_NUM_OPERANDS; i++)
		data[i] = (struct ac_data){ rows[i][0], rows[i][1] };
	if (ac_plan_init(&p, func, block, &addr) != ALINK_ST_OK ||
	    !ac_work_begin(work, &p, ac_team_lanes(team)))
		abort();
	ac_piece_first(&p, &piece);
	do {
		for (int i = 0; i < AC_NUM_OPERANDS; i++)
			if (ac_piece_region(&p, &piece, i, &r))
				find_rows(&p, i, &r, &data[i]);
		ac_run(work, &p, &piece, data, team);
	} while (ac_piece_next(&p, &piece));
	ac_work_end(work);
	return now_ms(clock) - start;
}

static uint32_t threads[8] = { 1, 2 }, num_threads = 2;

static void best_of(struct ac_work *work, uint32_t func,
		    const struct alink_xpu_compute *block, struct ac_team *team)
{
	double best = 1e9, ms;

	for (int i = 0; i < RUNS; i++) {
		ms = run_once(work, func, block, team);
		best = ms < best ? ms : best;
	}
	printf(" %9.3f", best);
	fflush(stdout);
}

static void run(const char *name, uint32_t func,
		struct alink_xpu_compute block)
{
	struct ac_work *work = ac_work_new();

	printf("%-24s", name);
	best_of(work, func, &block, NULL);
	for (uint32_t t = 0; t < num_threads; t++) {
		struct ac_team *team = ac_team_new(threads[t]);

		best_of(work, func, &block, team);
		ac_team_free(team);
	}
	printf("\n");
	ac_work_free(work);
	matrix_free(&block.a);
	if (block.b.addr)
		matrix_free(&block.b);
	matrix_free(&block.dst);
}

static void gemm(const char *name, uint32_t m, uint32_t n, uint32_t k,
		 enum alink_dtype dtype, uint32_t flags)
{
	bool ta = flags & ALINK_XPU_CF_TRANS_A;
	bool tb = flags & ALINK_XPU_CF_TRANS_B;
	struct alink_xpu_compute block = {
		.flags = flags,
		.m = m, .n = n, .k = k,
		.a = ta ? matrix(dtype, k, m) : matrix(dtype, m, k),
		.b = tb ? matrix(dtype, n, k) : matrix(dtype, k, n),
		.dst = matrix(dtype == ALINK_DT_INT8 ? ALINK_DT_INT32 :
						       ALINK_DT_FP32, m, n),
	};

	run(name, ALINK_XPU_FN_GEMM, block);
}

static void rows(const char *name, uint32_t func, enum alink_dtype dtype,
		 bool b, uint32_t param)
{
	enum { M = 1024 };
	struct alink_xpu_compute block = {
		.m = M, .n = M, .param = param,
		.a = matrix(dtype, M, M),
		.dst = matrix(dtype, M, M),
	};

	if (b)
		block.b = matrix(dtype, M, M);
	run(name, func, block);
}

/* --- three loops ---------------------------------------------------------- */

static __attribute__((noinline)) void multiply(float *restrict c,
					       const float *a, const float *b)
{
	memset(c, 0, sizeof(*c) * N * N);
	for (int i = 0; i < N; i++)
		for (int k = 0; k < N; k++)
			for (int j = 0; j < N; j++)
				c[i * N + j] += a[i * N + k] * b[k * N + j];
}

static void plain(void)
{
	float *a = (float *)numbers(ALINK_DT_FP32, N * N);
	float *b = (float *)numbers(ALINK_DT_FP32, N * N);
	float *c = malloc(sizeof(*c) * N * N);
	double best = 1e9, ms;

	for (int i = 0; i < RUNS; i++) {
		ms = now_ms(CLOCK_THREAD_CPUTIME_ID);
		multiply(c, a, b);
		ms = now_ms(CLOCK_THREAD_CPUTIME_ID) - ms;
		best = ms < best ? ms : best;
	}
	printf("%-24s %9.3f\n", "three loops, 512^3", best);
	free(a);
	free(b);
	free(c);
}

int main(int argc, char **argv)
{
	const uint32_t ta = ALINK_XPU_CF_TRANS_A, tb = ALINK_XPU_CF_TRANS_B;
	const uint32_t one = 0x3f800000;

	if (argc > 1)
		num_threads = ac_min(argc - 1, 8);
	for (uint32_t i = 0; argc > 1 && i < num_threads; i++)
		threads[i] = atoi(argv[i + 1]);
	printf("%-24s %9s", "ms", "processor");
	for (uint32_t i = 0; i < num_threads; i++)
		printf(" %u thread%c", threads[i], threads[i] > 1 ? 's' : ' ');
	printf("\n");
	plain();
	gemm("gemm bf16 512^3", N, N, N, ALINK_DT_BF16, 0);
	gemm("  a transposed", N, N, N, ALINK_DT_BF16, ta);
	gemm("  b transposed", N, N, N, ALINK_DT_BF16, tb);
	gemm("  both", N, N, N, ALINK_DT_BF16, ta | tb);
	gemm("gemm fp32 512^3", N, N, N, ALINK_DT_FP32, 0);
	gemm("gemm e4m3 512^3", N, N, N, ALINK_DT_FP8_E4M3, 0);
	gemm("gemm mxfp4 512^3", N, N, N, ALINK_DT_MXFP4, tb);
	gemm("gemm int8 512^3", N, N, N, ALINK_DT_INT8, 0);
	gemm("gemm bf16 2048x64x512", 2048, 64, 512, ALINK_DT_BF16, 0);
	gemm("gemv bf16 4096^2", 1, 4096, 4096, ALINK_DT_BF16, 0);
	gemm("  b transposed", 1, 4096, 4096, ALINK_DT_BF16, tb);
	rows("add fp32 1024^2", ALINK_XPU_FN_ADD, ALINK_DT_FP32, true, 0);
	rows("add bf16 1024^2", ALINK_XPU_FN_ADD, ALINK_DT_BF16, true, 0);
	rows("cast bf16 1024^2", ALINK_XPU_FN_CAST, ALINK_DT_BF16, false, 0);
	rows("rmsnorm bf16 1024^2", ALINK_XPU_FN_RMSNORM, ALINK_DT_BF16, true,
	     one);
	rows("softmax bf16 1024^2", ALINK_XPU_FN_SOFTMAX, ALINK_DT_BF16, false,
	     one);
	rows("silu bf16 1024^2", ALINK_XPU_FN_SILU, ALINK_DT_BF16, false, 0);
	rows("gelu bf16 1024^2", ALINK_XPU_FN_GELU, ALINK_DT_BF16, false, 0);
	return 0;
}
