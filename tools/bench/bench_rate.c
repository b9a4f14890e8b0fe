// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many small commands there are in a second: of one queue against disks,
 * and of many queues against one, which is what taking turns costs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

/* Batches in a round */
#define BATCHES		64
#define COPY_BYTES	(BENCH_BATCH * BENCH_PAGE)
/* No-ops in a round of many queues, about */
#define NOPS		8192U
#define MAX_QUEUES	64U
#define QUEUE_DEPTH	64

/* --- one queue ------------------------------------------------------------ */

struct rate {
	struct alink_bo *hbm, *host;
	uint8_t *mem;			/* of host */
	struct bench_disk *disk[BENCH_NUM_DISKS];
};

static int one_batch(struct bench *b, const struct rate *r)
{
	uint64_t from = alink_bo_va(r->hbm), to = alink_bo_va(r->host), seq;
	unsigned int i;
	int err;

	for (i = 0; i < BENCH_BATCH; i++) {
		err = alink_cmd_copy(b->queue, to + i * BENCH_PAGE,
				     from + i * BENCH_PAGE, BENCH_PAGE, &seq);
		if (err)
			return err;
	}
	alink_queue_kick(b->queue);
	return alink_queue_wait(b->queue, seq, BENCH_WAIT_MS);
}

/* Thousands of commands a second */
static double kilo(unsigned int commands, uint64_t ns)
{
	return (double)commands * 1e6 / (double)ns;
}

static int own_rate(struct bench *b, const struct rate *r, double *rate)
{
	uint64_t start = bench_ns();
	unsigned int i;
	int err;

	for (i = 0; i < BATCHES; i++) {
		err = one_batch(b, r);
		if (err)
			return bench_fail_alink(b, "copies", err);
	}
	*rate = kilo(BATCHES * BENCH_BATCH, bench_ns() - start);
	return 0;
}

/* The better one of the disks that there are */
static int best_rate(struct bench *b, const struct rate *r, double *best)
{
	unsigned int i;
	uint64_t start;
	double rate;
	int err;

	*best = 0;
	for (i = 0; i < BENCH_NUM_DISKS; i++) {
		if (!r->disk[i])
			continue;
		start = bench_ns();
		err = bench_disk_batches(b, r->disk[i], BATCHES);
		if (err)
			return err;
		rate = kilo(BATCHES * BENCH_BATCH, bench_ns() - start);
		if (rate > *best)
			*best = rate;
	}
	return 0;
}

/* Pages of HBM must arrive each in its place. */
static int check_batch(struct bench *b, const struct rate *r)
{
	static uint8_t want[COPY_BYTES];
	int err;

	bench_pattern(want, COPY_BYTES);
	memcpy(r->mem, want, COPY_BYTES);
	err = bench_copy(b, alink_bo_va(r->hbm), alink_bo_va(r->host),
			 COPY_BYTES);
	if (err)
		return err;
	memset(r->mem, 0, COPY_BYTES);
	err = one_batch(b, r);
	if (err)
		return bench_fail_alink(b, "copies", err);
	if (memcmp(want, r->mem, COPY_BYTES))
		return bench_fail(b, -EILSEQ,
				  "WRONG data after a batch of copies");
	return 0;
}

/* What the device counted in a round, for each batch: exact, not measured */
static int count_round(struct bench *b, const struct rate *r, double *rate,
		       double *doorbells, double *irqs)
{
	struct alink_xpu_counters before, after;
	int err;

	err = alink_xpu_counters(b->xpu, &before);
	if (err)
		return bench_fail_alink(b, "counters", err);
	err = own_rate(b, r, rate);
	if (err)
		return err;
	err = alink_xpu_counters(b->xpu, &after);
	if (err)
		return bench_fail_alink(b, "counters", err);
	if (after.commands - before.commands != BATCHES * BENCH_BATCH)
		return bench_fail(b, -EILSEQ,
				  "WRONG: the device counted %llu commands of %u: who else uses it?",
				  (unsigned long long)(after.commands -
						       before.commands),
				  BATCHES * BENCH_BATCH);
	/* The last command of a batch asks for one. */
	if (after.irqs == before.irqs)
		return bench_fail(b, -EILSEQ, "WRONG: no interrupt for %u batches",
				  BATCHES);
	*doorbells = (double)(after.doorbells - before.doorbells) / BATCHES;
	*irqs = (double)(after.irqs - before.irqs) / BATCHES;
	return 0;
}

static int rate_rounds(struct bench *b, const struct rate *r)
{
	struct bench_row speed = {
		.what = "4 KiB copies, depth 32, one queue",
		.peer = "best of NVMe, virtio-blk",
		.unit = "k/s", .bar = BENCH_BAR_RATE,
	}, doorbells = {
		.what = "doorbells of a batch of 32",
		.peer = "one", .unit = "", .bar = BENCH_BAR_BATCH,
	}, irqs = {
		.what = "interrupts of a batch of 32",
		.peer = "one", .unit = "", .bar = BENCH_BAR_BATCH,
	};
	bool peers = r->disk[BENCH_NVME] && r->disk[BENCH_VIRTIO];
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->rounds && !err; i++) {
		err = count_round(b, r, &speed.own[i], &doorbells.own[i],
				  &irqs.own[i]);
		if (!err)
			err = best_rate(b, r, &speed.other[i]);
		doorbells.other[i] = 1;
		irqs.other[i] = 1;
	}
	if (err)
		return err;
	if (peers)
		bench_row(b, &speed, b->rounds);
	else
		bench_absent(b, &speed,
			     "a disk of the bench is missing: NVMe or virtio-blk");
	bench_row(b, &doorbells, b->rounds);
	bench_row(b, &irqs, b->rounds);
	return 0;
}

int bench_rate(struct bench *b)
{
	struct rate r = {};
	unsigned int i;
	int err;

	err = bench_machine_up(b);
	if (!err)
		err = bench_alloc(b, COPY_BYTES, ALINK_PLACE_HBM, &r.hbm, NULL);
	if (!err)
		err = bench_alloc(b, COPY_BYTES, ALINK_PLACE_HOST, &r.host,
				  &r.mem);
	if (!err)
		err = check_batch(b, &r);
	for (i = 0; i < BENCH_NUM_DISKS && !err; i++)
		err = bench_disk_open(b, (enum bench_disk_kind)i, &r.disk[i]);
	if (!err)
		err = rate_rounds(b, &r);
	for (i = 0; i < BENCH_NUM_DISKS; i++)
		bench_disk_close(r.disk[i]);
	alink_bo_free(r.host);
	alink_bo_free(r.hbm);
	return err;
}

/* --- many queues ---------------------------------------------------------- */

/* No-ops a second of @n queues, all of which have something to do */
static int queues_rate(struct bench *b, struct alink_queue **q, unsigned int n,
		       double *rate)
{
	unsigned int passes = NOPS / BENCH_BATCH / n, i, j, k;
	uint64_t seq[MAX_QUEUES], start = bench_ns();
	int err = 0;

	for (i = 0; i < passes; i++) {
		for (j = 0; j < n; j++) {
			for (k = 0; k < BENCH_BATCH && !err; k++)
				err = alink_cmd_nop(q[j], &seq[j]);
			if (err)
				return bench_fail_alink(b, "no-ops", err);
			alink_queue_kick(q[j]);
		}
		for (j = 0; j < n && !err; j++)
			err = alink_queue_wait(q[j], seq[j], BENCH_WAIT_MS);
		if (err)
			return bench_fail_alink(b, "no-ops", err);
	}
	*rate = kilo(passes * n * BENCH_BATCH, bench_ns() - start);
	return 0;
}

static int queues_rows(struct bench *b, struct alink_queue **q, unsigned int n)
{
	static const unsigned int counts[] = { 8, MAX_QUEUES };
	struct bench_row r = { .peer = "one queue", .unit = "k/s" };
	unsigned int i, j, num;
	char what[40];
	int err = 0;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		num = counts[i] < n ? counts[i] : n;
		snprintf(what, sizeof(what), "no-ops of %u busy queues", num);
		r.what = what;
		/* Once to warm up */
		for (j = 0; j < 1 + b->rounds && !err; j++) {
			unsigned int at = j ? j - 1 : 0;

			err = queues_rate(b, q, num, &r.own[at]);
			if (!err)
				err = queues_rate(b, q, 1, &r.other[at]);
		}
		if (err)
			return err;
		bench_row(b, &r, b->rounds);
	}
	return 0;
}

int bench_queues(struct bench *b)
{
	struct alink_queue *q[MAX_QUEUES];
	unsigned int n = 0, i;
	int err;

	err = bench_machine_up(b);
	if (err)
		return err;
	q[n++] = b->queue;
	while (n < MAX_QUEUES && !err) {
		err = alink_queue_open(b->xpu, QUEUE_DEPTH, &q[n]);
		n += !err;
	}
	/* Sleeping is not what is measured. */
	for (i = 0; i < n; i++)
		alink_queue_set_spin(q[i], ALINK_SPIN_ONLY);
	if (err && (err != -ENOSPC || n < 8))
		err = bench_fail_alink(b, "queues", err);
	else
		err = queues_rows(b, q, n);
	while (--n)
		alink_queue_close(q[n]);
	alink_queue_set_spin(b->queue, ALINK_SPIN_DEFAULT);
	return err;
}
