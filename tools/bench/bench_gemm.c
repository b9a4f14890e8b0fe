// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GEMM of 512^3 in BF16 on a compute engine, against the same loop in a program
 * of its own on the host, on one thread: what the engine's pieces, threads and
 * completions cost.
 *
 * Operands are small integers, so that every sum is exact, and the CPU can check
 * it without floating point, which is slow here.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"

#define N		512U
#define RUNS		4
#define A_BYTES		(N * N * sizeof(uint16_t))
#define D_BYTES		(N * N * sizeof(float))
/* Rows of the result that are looked at: all would take seconds */
#define CHECKED		8

struct gemm {
	struct alink_bo *hbm;		/* a, b, result */
	struct alink_bo *host;
	uint8_t *mem;			/* of host */
};

/* -3..3, and no pattern that a wrong stride would leave as it is */
static int element(unsigned int which, unsigned int row, unsigned int col)
{
	uint32_t x = (which * N + row) * N + col;

	x = (x ^ x >> 7) * 2654435761U;
	return (int)((x >> 20) % 7) - 3;
}

static void fill(uint8_t *mem, unsigned int which)
{
	unsigned int i, j;
	uint16_t half;
	uint32_t bits;
	float value;

	for (i = 0; i < N; i++) {
		for (j = 0; j < N; j++) {
			value = (float)element(which, i, j);
			memcpy(&bits, &value, sizeof(bits));
			half = (uint16_t)(bits >> 16);
			memcpy(mem + (i * N + j) * sizeof(half), &half,
			       sizeof(half));
		}
	}
}

static int one_gemm(struct bench *b, const struct gemm *g)
{
	uint64_t at = alink_bo_va(g->hbm), seq;
	struct alink_matrix a = alink_dense(ALINK_DT_BF16, at, N);
	struct alink_matrix c = alink_dense(ALINK_DT_BF16, at + A_BYTES, N);
	struct alink_matrix d = alink_dense(ALINK_DT_FP32, at + 2 * A_BYTES, N);
	int err;

	err = alink_cmd_gemm(b->queue, N, N, N, &d, &a, &c, 0, &seq);
	if (!err)
		err = alink_queue_wait(b->queue, seq, BENCH_WAIT_MS);
	return err ? bench_fail_alink(b, "GEMM", err) : 0;
}

static int own_rate(struct bench *b, const struct gemm *g, double *gflops)
{
	uint64_t start = bench_ns();
	unsigned int i;
	int err = 0;

	for (i = 0; i < RUNS && !err; i++)
		err = one_gemm(b, g);
	*gflops = 2.0 * N * N * N * RUNS / (double)(bench_ns() - start);
	return err;
}

static int check_result(struct bench *b, const struct gemm *g)
{
	unsigned int i, j, k, row;
	int err, want;
	float have;

	err = bench_copy(b, alink_bo_va(g->host),
			 alink_bo_va(g->hbm) + 2 * A_BYTES, D_BYTES);
	for (i = 0; i < CHECKED && !err; i++) {
		row = i * (N / CHECKED) + i;
		for (j = 0; j < N && !err; j++) {
			for (k = 0, want = 0; k < N; k++)
				want += element(0, row, k) * element(1, k, j);
			memcpy(&have, g->mem + (row * N + j) * sizeof(have),
			       sizeof(have));
			if (have != (float)want)
				err = bench_fail(b, -EILSEQ,
						 "WRONG: GEMM, row %u, column %u: %g, should be %d",
						 row, j, (double)have, want);
		}
	}
	return err;
}

static int gemm_up(struct bench *b, struct gemm *g)
{
	int err;

	err = bench_machine_up(b);
	if (!err)
		err = bench_alloc(b, 2 * A_BYTES + D_BYTES, ALINK_PLACE_HBM,
				  &g->hbm, NULL);
	if (!err)
		err = bench_alloc(b, D_BYTES, ALINK_PLACE_HOST, &g->host,
				  &g->mem);
	if (err)
		return err;
	fill(g->mem, 0);
	err = bench_copy(b, alink_bo_va(g->hbm), alink_bo_va(g->host), A_BYTES);
	if (err)
		return err;
	fill(g->mem, 1);
	return bench_copy(b, alink_bo_va(g->hbm) + A_BYTES,
			  alink_bo_va(g->host), A_BYTES);
}

int bench_gemm(struct bench *b)
{
	struct bench_row r = {
		.what = "GEMM 512^3, BF16",
		.peer = "the loop on the host",
		.unit = "GFLOPS", .bar = BENCH_BAR_GEMM,
	};
	bool has_host = bench_host_has_gemm();
	struct gemm g = {};
	unsigned int i;
	int err;

	err = gemm_up(b, &g);
	/* Once to warm up */
	if (!err)
		err = one_gemm(b, &g);
	if (!err)
		err = check_result(b, &g);
	for (i = 0; i < b->rounds && !err && has_host; i++) {
		err = own_rate(b, &g, &r.own[i]);
		if (!err)
			err = bench_host_gemm(b, &r.other[i]);
	}
	if (!err && has_host)
		bench_row(b, &r, b->rounds);
	else if (!err)
		bench_absent(b, &r,
			     "no port alink.bench to the host: tools/bench/run makes it");
	alink_bo_free(g.host);
	alink_bo_free(g.hbm);
	return err;
}
