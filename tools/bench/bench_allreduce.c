// SPDX-License-Identifier: GPL-2.0-only
/*
 * All-reduce of 8 xPUs by their switches, against a ring of the same engines: time
 * that passes here, not time of the model, which is in "alink-bench allreduce".
 *
 * The one that is judged is the one that libalink takes for that size by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench_coll.h"

#define RANKS		8
#define MAX_BYTES	(1ULL << 20)
/* Of a round, so that one is long enough to be measured */
#define ROUND_BYTES	(16ULL << 20)

static const struct {
	uint64_t bytes;
	const char *name;
	bool judged;
} sizes[] = {
	{ 64 << 10, "64 KiB", false },
	{ 1 << 20, "1 MiB", true },
};

static const enum alink_algo algos[] = {
	ALINK_ALGO_AUTO, ALINK_ALGO_SWITCH, ALINK_ALGO_PUSH,
};

/* All ranks have what must come out, and no rank has anything else. */
static int check(struct coll_node *m, const struct coll_case *c)
{
	uint64_t seq[ALINK_COMM_MAX_RANKS], wrong = 0;
	int err;

	err = coll_bring(m, c, ALINK_ID_NONE);
	if (!err)
		err = coll_run(m, c, seq);
	if (!err)
		err = coll_look(m, c, &wrong);
	if (!err && wrong)
		err = bench_fail(m->b, -EILSEQ,
				 "WRONG data after an all-reduce: %llu elements",
				 (unsigned long long)wrong);
	return err;
}

static int rate(struct coll_node *m, const struct coll_case *c, double *gbs)
{
	uint64_t seq[ALINK_COMM_MAX_RANKS], start = bench_ns(), i;
	uint64_t n = ROUND_BYTES / c->bytes;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = coll_run(m, c, seq);
	*gbs = (double)(n * c->bytes) / (double)(bench_ns() - start);
	return err;
}

static int row(struct coll_node *m, unsigned int size, enum alink_algo algo)
{
	struct coll_case own = {
		.kind = COLL_ALLREDUCE, .asked = algo, .algo = algo,
		.dtype = ALINK_DT_FP32, .op = ALINK_OP_SUM,
		.count = sizes[size].bytes / sizeof(float),
		.bytes = sizes[size].bytes,
	};
	struct coll_case ring = own;
	struct bench_row r = { .peer = "ring", .unit = "GB/s" };
	unsigned int i;
	char what[48];
	int err;

	ring.asked = ALINK_ALGO_RING;
	ring.algo = ALINK_ALGO_RING;
	snprintf(what, sizeof(what), "all-reduce, %s, %u ranks, %s",
		 sizes[size].name, RANKS, coll_algo_name(algo));
	r.what = what;
	r.bar = algo == ALINK_ALGO_AUTO && sizes[size].judged ?
		BENCH_BAR_ALLREDUCE : BENCH_BAR_MORE;
	err = check(m, &own);
	if (!err)
		err = check(m, &ring);
	for (i = 0; i < m->b->rounds && !err; i++) {
		err = rate(m, &own, &r.own[i]);
		if (!err)
			err = rate(m, &ring, &r.other[i]);
	}
	if (!err)
		bench_row(m->b, &r, m->b->rounds);
	return err;
}

int bench_allreduce(struct bench *b)
{
	struct coll_node *m = calloc(1, sizeof(*m));
	unsigned int i, k;
	int err;

	if (!m)
		return bench_fail(b, -ENOMEM, "out of memory");
	err = coll_node_up(m, b, RANKS, MAX_BYTES);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !err; i++)
		for (k = 0; k < sizeof(algos) / sizeof(algos[0]) && !err; k++)
			err = row(m, i, algos[k]);
	coll_node_down(m);
	free(m);
	return err;
}
