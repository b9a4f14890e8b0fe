// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bandwidth: DMA between system memory and HBM against memcpy() in the guest and
 * on the host, writes to another xPU against copies within one.
 *
 * All of them move about 64 MiB a round in pieces of equal size: of DMA several
 * are in the queue, memcpy() runs one after the other, on one thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define TOTAL		(64ULL << 20)
#define MAX_BYTES	(16ULL << 20)
#define IN_FLIGHT	8

enum side { SIDE_HOST, SIDE_HBM, SIDE_HBM2, SIDE_REMOTE, NUM_SIDES };

struct dma {
	struct alink_bo *bo[NUM_SIDES];
	struct alink_bo *target;	/* memory of the other xPU */
	uint8_t *host;			/* of bo[SIDE_HOST] */
	uint8_t *a, *b;			/* memcpy's */
};

static const struct {
	uint64_t bytes;
	const char *in, *out, *remote;
	bool judged;
} sizes[] = {
	{ 64 << 10, "DMA to HBM, 64 KiB", "DMA from HBM, 64 KiB",
	  "remote write, 64 KiB", false },
	{ 1 << 20, "DMA to HBM, 1 MiB", "DMA from HBM, 1 MiB",
	  "remote write, 1 MiB", true },
	{ 16 << 20, "DMA to HBM, 16 MiB", "DMA from HBM, 16 MiB",
	  "remote write, 16 MiB", true },
};

#define NUM_SIZES	(sizeof(sizes) / sizeof(sizes[0]))

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

static int copy_rate(struct bench *b, const struct dma *d, enum side dst,
		     enum side src, uint64_t bytes, double *rate)
{
	uint64_t to = alink_bo_va(d->bo[dst]), from = alink_bo_va(d->bo[src]);
	uint64_t start = bench_ns(), left = TOTAL / bytes, seq;
	unsigned int i;
	int err = 0;

	while (left && !err) {
		for (i = 0; i < IN_FLIGHT && left && !err; i++, left--)
			err = alink_cmd_copy(b->queue, to, from, bytes, &seq);
		if (!err)
			err = alink_queue_wait(b->queue, seq, BENCH_WAIT_MS);
	}
	*rate = gbs(TOTAL, bench_ns() - start);
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

static int dma_rows(struct bench *b, const struct dma *d, const char *what,
		    enum side dst, enum side src, unsigned int size)
{
	struct bench_row guest = {
		.what = what, .peer = "memcpy in the guest", .unit = "GB/s",
		.bar = sizes[size].judged ? BENCH_BAR_DMA_GUEST :
					      BENCH_BAR_MORE,
	}, host = {
		.what = what, .peer = "memcpy on the host", .unit = "GB/s",
		.bar = sizes[size].judged ? BENCH_BAR_DMA_HOST :
					      BENCH_BAR_MORE,
	};
	bool has_host = bench_host_has_memcpy();
	uint64_t bytes = sizes[size].bytes;
	unsigned int i;
	int err;

	err = check_copy(b, d, dst, src, bytes);
	for (i = 0; i < b->rounds && !err; i++) {
		err = copy_rate(b, d, dst, src, bytes, &guest.own[i]);
		host.own[i] = guest.own[i];
		guest.other[i] = memcpy_rate(d, bytes);
		if (!err && has_host)
			err = bench_host_memcpy(b, bytes, &host.other[i]);
	}
	if (err)
		return err;
	bench_row(b, &guest, b->rounds);
	if (has_host)
		bench_row(b, &host, b->rounds);
	else
		bench_absent(b, &host, "nobody serves QMP: run by alink-vm");
	return 0;
}

int bench_dma(struct bench *b)
{
	struct dma d = {};
	unsigned int i;
	int err;

	err = dma_up(b, &d);
	for (i = 0; i < NUM_SIZES && !err; i++) {
		err = dma_rows(b, &d, sizes[i].in, SIDE_HBM, SIDE_HOST, i);
		if (!err)
			err = dma_rows(b, &d, sizes[i].out, SIDE_HOST,
				       SIDE_HBM, i);
	}
	dma_down(&d);
	return err;
}

static int remote_row(struct bench *b, const struct dma *d, unsigned int size)
{
	struct bench_row r = {
		.what = sizes[size].remote, .peer = "copy within own HBM",
		.unit = "GB/s",
	};
	uint64_t bytes = sizes[size].bytes;
	unsigned int i;
	int err;

	err = check_copy(b, d, SIDE_REMOTE, SIDE_HBM, bytes);
	/* Once to warm up */
	if (!err)
		err = copy(b, d, SIDE_HBM2, SIDE_HBM, bytes);
	for (i = 0; i < b->rounds && !err; i++) {
		err = copy_rate(b, d, SIDE_REMOTE, SIDE_HBM, bytes, &r.own[i]);
		if (!err)
			err = copy_rate(b, d, SIDE_HBM2, SIDE_HBM, bytes,
					&r.other[i]);
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
