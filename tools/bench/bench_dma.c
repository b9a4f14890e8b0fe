// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bandwidth: DMA between system memory and HBM against memcpy() in the guest and
 * on the host, writes to another xPU against copies within one.
 *
 * All of them move 64 MiB a round, or more, in pieces of equal size. Of DMA
 * several are in the queue, so that the device always has a next one: that is
 * judged. One at a time is measured beside it: a caller sees that who waits for
 * each copy. memcpy() runs one after the other, on one thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define TOTAL		(64ULL << 20)
#define MAX_BYTES	(16ULL << 20)
#define IN_FLIGHT	8U

enum side { SIDE_HOST, SIDE_HBM, SIDE_HBM2, SIDE_REMOTE, NUM_SIDES };

struct dma {
	struct alink_bo *bo[NUM_SIDES];
	struct alink_bo *target;	/* memory of the other xPU */
	uint8_t *host;			/* of bo[SIDE_HOST] */
	uint8_t *a, *b;			/* memcpy's */
};

static const struct {
	uint64_t bytes;
	const char *name;
	bool judged;
} sizes[] = {
	{ 64 << 10, "64 KiB", false },
	{ 1 << 20, "1 MiB", true },
	{ 16 << 20, "16 MiB", true },
};

#define NUM_SIZES	(sizeof(sizes) / sizeof(sizes[0]))

static const struct {
	unsigned int copies;		/* in the queue */
	bool judged;
} depths[] = {
	{ IN_FLIGHT, true },
	{ 1, false },
};

#define NUM_DEPTHS	(sizeof(depths) / sizeof(depths[0]))

static double gbs(uint64_t bytes, uint64_t ns)
{
	return (double)bytes / (double)ns;
}

/* --- copies --------------------------------------------------------------- */

static int copy(struct bench *b, const struct dma *d, enum side dst,
		enum side src, uint64_t bytes)
{
	return bench_copy(b, alink_bo_va(d->bo[dst]), alink_bo_va(d->bo[src]),
			  bytes);
}

/* Enough to fill the queue twice */
static uint64_t num_copies(uint64_t bytes)
{
	uint64_t n = TOTAL / bytes;

	return n < 2 * IN_FLIGHT ? 2 * IN_FLIGHT : n;
}

/*
 * Starts half of what may be in the queue, and waits for the half before that:
 * the device has work while the next half is started.
 */
static int copy_rate(struct bench *b, const struct dma *d, enum side dst,
		     enum side src, uint64_t bytes, unsigned int depth,
		     double *rate)
{
	uint64_t to = alink_bo_va(d->bo[dst]), from = alink_bo_va(d->bo[src]);
	uint64_t start = bench_ns(), left = num_copies(bytes);
	unsigned int half = depth > 1 ? depth / 2 : 1, i;
	uint64_t before = 0, seq = 0;
	int err = 0;

	while (left && !err) {
		for (i = 0; i < half && left && !err; i++, left--)
			err = alink_cmd_copy(b->queue, to, from, bytes, &seq);
		if (err)
			break;
		alink_queue_kick(b->queue);
		/* Commands have the numbers 1, 2, ...: 0 is done. */
		err = alink_queue_wait(b->queue, depth > 1 ? before : seq,
				       BENCH_WAIT_MS);
		before = seq;
	}
	if (!err)
		err = alink_queue_wait(b->queue, seq, BENCH_WAIT_MS);
	*rate = gbs(num_copies(bytes) * bytes, bench_ns() - start);
	return err ? bench_fail_alink(b, "copies", err) : 0;
}

static double memcpy_rate(const struct dma *d, uint64_t bytes)
{
	uint64_t start = bench_ns(), i;

	for (i = 0; i < TOTAL / bytes; i++) {
		memcpy(d->b, d->a, bytes);
		/* Each copy is wanted. */
		__asm__ volatile("" : : "r"(d->b) : "memory");
	}
	return gbs(TOTAL, bench_ns() - start);
}

/* Sends a pattern by the copy under test, and fetches it on another way. */
static int check_copy(struct bench *b, const struct dma *d, enum side dst,
		      enum side src, uint64_t bytes)
{
	int err = 0;

	bench_pattern(d->host, bytes);
	memcpy(d->a, d->host, bytes);
	if (src != SIDE_HOST) {
		err = copy(b, d, src, SIDE_HOST, bytes);
		memset(d->host, 0, bytes);
	}
	if (!err)
		err = copy(b, d, dst, src, bytes);
	if (!err && dst != SIDE_HOST) {
		memset(d->host, 0, bytes);
		err = copy(b, d, SIDE_HOST, dst, bytes);
	}
	if (!err && memcmp(d->a, d->host, bytes))
		err = bench_fail(b, -EILSEQ,
				 "WRONG data after a copy of %llu bytes",
				 (unsigned long long)bytes);
	return err;
}

/* --- memory --------------------------------------------------------------- */

static int dma_up(struct bench *b, struct dma *d)
{
	int err;

	err = bench_machine_up(b);
	if (!err)
		err = bench_alloc(b, MAX_BYTES, ALINK_PLACE_HOST,
				  &d->bo[SIDE_HOST], &d->host);
	if (!err)
		err = bench_alloc(b, MAX_BYTES, ALINK_PLACE_HBM,
				  &d->bo[SIDE_HBM], NULL);
	if (err)
		return err;
	d->a = aligned_alloc(BENCH_PAGE, MAX_BYTES);
	d->b = aligned_alloc(BENCH_PAGE, MAX_BYTES);
	if (!d->a || !d->b)
		return bench_fail(b, -ENOMEM, "out of memory");
	/* All pages are there before anything is measured. */
	memset(d->a, 2, MAX_BYTES);
	memset(d->b, 3, MAX_BYTES);
	return 0;
}

static int remote_up(struct bench *b, struct dma *d)
{
	struct alink_handle h;
	int err;

	err = dma_up(b, d);
	if (!err)
		err = bench_alloc(b, MAX_BYTES, ALINK_PLACE_HBM,
				  &d->bo[SIDE_HBM2], NULL);
	if (err)
		return err;
	err = alink_bo_alloc(b->peer, MAX_BYTES, ALINK_PLACE_HBM, &d->target);
	if (!err)
		err = alink_export(d->target, ALINK_SEG_READ | ALINK_SEG_WRITE,
				   &h);
	if (!err)
		err = alink_import(b->xpu, &h, &d->bo[SIDE_REMOTE]);
	return err ? bench_fail_alink(b, "memory of the other xPU", err) : 0;
}

static void dma_down(struct dma *d)
{
	unsigned int i;

	for (i = 0; i < NUM_SIDES; i++)
		alink_bo_free(d->bo[i]);
	alink_bo_free(d->target);
	free(d->a);
	free(d->b);
}

/* --- rows ----------------------------------------------------------------- */

/* Of one size and direction, a depth each */
struct dma_rows {
	char what[NUM_DEPTHS][40];
	struct bench_row guest[NUM_DEPTHS], host[NUM_DEPTHS];
};

static void name_rows(struct dma_rows *r, const char *way, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < NUM_DEPTHS; i++) {
		bool judged = sizes[size].judged && depths[i].judged;

		snprintf(r->what[i], sizeof(r->what[i]), "%s, %s, depth %u",
			 way, sizes[size].name, depths[i].copies);
		r->guest[i] = (struct bench_row) {
			.what = r->what[i], .peer = "memcpy in the guest",
			.unit = "GB/s",
			.bar = judged ? BENCH_BAR_DMA_GUEST : BENCH_BAR_MORE,
		};
		r->host[i] = (struct bench_row) {
			.what = r->what[i], .peer = "memcpy on the host",
			.unit = "GB/s",
			.bar = judged ? BENCH_BAR_DMA_HOST : BENCH_BAR_MORE,
		};
	}
}

/* Both depths, and both peers once for both of them */
static int dma_round(struct bench *b, const struct dma *d, struct dma_rows *r,
		     enum side dst, enum side src, uint64_t bytes,
		     unsigned int round)
{
	double guest, host = 0;
	unsigned int i;
	int err;

	for (i = 0; i < NUM_DEPTHS; i++) {
		err = copy_rate(b, d, dst, src, bytes, depths[i].copies,
				&r->guest[i].own[round]);
		if (err)
			return err;
		r->host[i].own[round] = r->guest[i].own[round];
	}
	guest = memcpy_rate(d, bytes);
	if (bench_host_has_memcpy()) {
		err = bench_host_memcpy(b, bytes, &host);
		if (err)
			return err;
	}
	for (i = 0; i < NUM_DEPTHS; i++) {
		r->guest[i].other[round] = guest;
		r->host[i].other[round] = host;
	}
	return 0;
}

static int dma_measure(struct bench *b, const struct dma *d, const char *way,
		       enum side dst, enum side src, unsigned int size)
{
	uint64_t bytes = sizes[size].bytes;
	static struct dma_rows r;
	unsigned int i;
	int err;

	name_rows(&r, way, size);
	err = check_copy(b, d, dst, src, bytes);
	for (i = 0; i < b->rounds && !err; i++)
		err = dma_round(b, d, &r, dst, src, bytes, i);
	if (err)
		return err;
	for (i = 0; i < NUM_DEPTHS; i++) {
		bench_row(b, &r.guest[i], b->rounds);
		if (bench_host_has_memcpy())
			bench_row(b, &r.host[i], b->rounds);
		else
			bench_absent(b, &r.host[i],
				     "nobody serves QMP: run by alink-vm");
	}
	return 0;
}

int bench_dma(struct bench *b)
{
	struct dma d = {};
	unsigned int i;
	int err;

	err = dma_up(b, &d);
	for (i = 0; i < NUM_SIZES && !err; i++) {
		err = dma_measure(b, &d, "DMA to HBM", SIDE_HBM, SIDE_HOST, i);
		if (!err)
			err = dma_measure(b, &d, "DMA from HBM", SIDE_HOST,
					  SIDE_HBM, i);
	}
	dma_down(&d);
	return err;
}

static int remote_row(struct bench *b, const struct dma *d, unsigned int size)
{
	struct bench_row r = {
		.peer = "copy within own HBM", .unit = "GB/s",
	};
	uint64_t bytes = sizes[size].bytes;
	unsigned int i;
	char what[40];
	int err;

	snprintf(what, sizeof(what), "remote write, %s", sizes[size].name);
	r.what = what;
	err = check_copy(b, d, SIDE_REMOTE, SIDE_HBM, bytes);
	/* Once to warm up */
	if (!err)
		err = copy(b, d, SIDE_HBM2, SIDE_HBM, bytes);
	for (i = 0; i < b->rounds && !err; i++) {
		err = copy_rate(b, d, SIDE_REMOTE, SIDE_HBM, bytes, IN_FLIGHT,
				&r.own[i]);
		if (!err)
			err = copy_rate(b, d, SIDE_HBM2, SIDE_HBM, bytes,
					IN_FLIGHT, &r.other[i]);
	}
	if (!err)
		bench_row(b, &r, b->rounds);
	return err;
}

int bench_remote(struct bench *b)
{
	struct dma d = {};
	unsigned int i;
	int err;

	err = remote_up(b, &d);
	for (i = 0; i < NUM_SIZES && !err; i++)
		err = remote_row(b, &d, i);
	dma_down(&d);
	return err;
}
