// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink-bench-host: runs on the host, without QEMU, what the compute engines run
 * for a GEMM of 512^3 in BF16: the same plain C, on one thread. tools/bench/run
 * calls it whenever the guest asks for it.
 *
 * usage: alink-bench-host gemm
 *
 * Prints GFLOP/s, or says on standard error why not.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "alink_compute.h"

#define N	512
#define RUNS	4

static struct matrices {
	uint16_t a[N][N], b[N][N];
	float d[N][N];
} m;

/* Of a region of each operand */
static uint8_t *rows[AC_NUM_OPERANDS][N];

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint16_t bf16(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return (uint16_t)(bits >> 16);
}

static struct alink_xpu_matrix matrix(enum alink_dtype dtype, void *mem)
{
	return (struct alink_xpu_matrix) {
		.addr = (uintptr_t)mem,
		.stride = ac_bytes(dtype, N),
		.dtype = (uint8_t)dtype,
	};
}

/* Where the rows of a region begin: it is used where it lies. */
static void find_rows(const struct ac_plan *p, enum ac_operand op,
		      const struct ac_region *r)
{
	const struct ac_matrix *mat = &p->mat[op];

	for (uint32_t i = 0; i < r->rows; i++)
		rows[op][i] = (uint8_t *)(uintptr_t)mat->addr +
			      (r->row + i) * mat->stride +
			      ac_bytes(mat->dtype, r->col);
}

static int run(void)
{
	struct alink_xpu_compute block = {
		.m = N, .n = N, .k = N,
		.a = matrix(ALINK_DT_BF16, m.a),
		.b = matrix(ALINK_DT_BF16, m.b),
		.dst = matrix(ALINK_DT_FP32, m.d),
	};
	struct ac_region region[AC_NUM_OPERANDS];
	struct ac_piece piece;
	struct ac_work *work;
	struct ac_plan plan;
	uint64_t addr = 0;

	if (ac_plan_init(&plan, ALINK_XPU_FN_GEMM, &block, &addr))
		return -1;
	work = ac_work_new();
	if (!work || !ac_work_begin(work, &plan, 1)) {
		ac_work_free(work);
		return -1;
	}
	ac_piece_first(&plan, &piece);
	do {
		struct ac_data data[AC_NUM_OPERANDS] = {};
		int i;

		for (i = 0; i < AC_NUM_OPERANDS; i++) {
			if (!ac_piece_region(&plan, &piece, (enum ac_operand)i,
					     &region[i]))
				continue;
			find_rows(&plan, (enum ac_operand)i, &region[i]);
			data[i].row = rows[i];
		}
		ac_run(work, &plan, &piece, data, NULL);
	} while (ac_piece_next(&plan, &piece));
	ac_work_end(work);
	ac_work_free(work);
	return 0;
}

static int check(void)
{
	/* Rows of 1 and 2, columns of 1: sums of N and 2 N */
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			if (m.d[i][j] != (float)(N * (1 + i % 2)))
				return -1;
	return 0;
}

static int gemm(void)
{
	double start, took;
	int err;

	for (int i = 0; i < N; i++) {
		for (int j = 0; j < N; j++) {
			m.a[i][j] = bf16((float)(1 + i % 2));
			m.b[i][j] = bf16(1);
		}
	}
	/* Once to warm up */
	err = run();
	start = now_s();
	for (int i = 0; i < RUNS; i++)
		err |= run();
	took = now_s() - start;
	if (err || check()) {
		fputs("alink-bench-host: WRONG result\n", stderr);
		return 1;
	}
	printf("%.3f\n", 2.0 * N * N * N * RUNS / took / 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "gemm")) {
		fputs("usage: alink-bench-host gemm\n", stderr);
		return 2;
	}
	return gemm();
}
