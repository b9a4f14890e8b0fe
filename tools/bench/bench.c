// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink-bench: how fast the emulated xPU is, as ratios to peers in the same
 * boot. Seconds of an emulated machine say nothing; ratios do, a little.
 *
 * usage: alink-bench [-j] [--quick] [--nvme DEVICE]
 *
 * Every measurement also checks its work: what was moved must have arrived.
 * The exit status is about that, never about speed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include <alink.h>

#define MAX_BYTES	(16ULL << 20)
#define MAX_ROUNDS	31
#define PARTITION	1
#define WAIT_MS		60000
#define BLOCK		4096

enum side { SIDE_HOST, SIDE_HBM, SIDE_HBM2, SIDE_REMOTE, NUM_SIDES };

struct bench {
	struct alink_ctx *ctx;
	struct alink_xpu *xpu;
	struct alink_xpu *peer;
	struct alink_queue *queue;
	struct alink_bo *bo[NUM_SIDES];
	struct alink_bo *target;	/* memory of the peer */
	uint8_t *host;			/* bo[SIDE_HOST] */
	uint8_t *a;			/* memcpy's */
	uint8_t *b;
	const char *nvme;
	int nvme_fd;
	void *block;
	unsigned int rounds;
	uint32_t salt;
	struct json_object *rows;
	bool json;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

static int complain(const struct bench *b, int err)
{
	fprintf(stderr, "alink-bench: %s\n", alink_error(b->ctx));
	return err;
}

/* --- one row of the table --------------------------------------------------- */

/**
 * struct row - a ratio, measured round by round
 * @what:	what is measured
 * @peer:	against what
 * @unit:	of the two figures
 * @goal:	the ratio that it should have, 0 for none
 * @less:	the ratio should be below the goal, not above
 * @own:	figure of each round
 * @other:	the peer's
 */
struct row {
	const char *what;
	const char *peer;
	const char *unit;
	double goal;
	bool less;
	double own[MAX_ROUNDS];
	double other[MAX_ROUNDS];
};

static void show_row(struct bench *b, const struct row *r)
{
	double ratio[MAX_ROUNDS], own[MAX_ROUNDS], other[MAX_ROUNDS];
	unsigned int n = b->rounds, i;
	const char *verdict = "";
	struct json_object *o, *quartiles;
	bool met;

	for (i = 0; i < n; i++)
		ratio[i] = r->own[i] / r->other[i];
	memcpy(own, r->own, sizeof(own));
	memcpy(other, r->other, sizeof(other));
	qsort(ratio, n, sizeof(ratio[0]), by_value);
	qsort(own, n, sizeof(own[0]), by_value);
	qsort(other, n, sizeof(other[0]), by_value);
	met = r->less ? ratio[n / 2] <= r->goal : ratio[n / 2] >= r->goal;
	if (r->goal > 0)
		verdict = met ? "met" : "MISSED";

	if (!b->json) {
		printf("  %-34s %9.2f %-5s %-26s %9.2f   %6.2f  %5.2f..%-6.2f",
		       r->what, own[n / 2], r->unit, r->peer, other[n / 2],
		       ratio[n / 2], ratio[n / 4], ratio[3 * n / 4]);
		if (r->goal > 0)
			printf(" %s %.1f %s", r->less ? "<=" : ">=", r->goal,
			       verdict);
		putchar('\n');
		fflush(stdout);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "what", json_object_new_string(r->what));
	json_object_object_add(o, "peer", json_object_new_string(r->peer));
	json_object_object_add(o, "unit", json_object_new_string(r->unit));
	json_object_object_add(o, "value", json_object_new_double(own[n / 2]));
	json_object_object_add(o, "peer_value",
			       json_object_new_double(other[n / 2]));
	json_object_object_add(o, "ratio",
			       json_object_new_double(ratio[n / 2]));
	quartiles = json_object_new_array();
	json_object_array_add(quartiles, json_object_new_double(ratio[n / 4]));
	json_object_array_add(quartiles,
			      json_object_new_double(ratio[3 * n / 4]));
	json_object_object_add(o, "ratio_quartiles", quartiles);
	json_object_object_add(o, "goal", r->goal > 0 ?
			       json_object_new_double(r->goal) : NULL);
	json_object_object_add(o, "goal_met", r->goal > 0 ?
			       json_object_new_boolean(met) : NULL);
	json_object_array_add(b->rows, o);
}

/* --- moving data ------------------------------------------------------------- */

static int copy_once(struct bench *b, enum side dst, enum side src,
		     uint64_t bytes)
{
	uint64_t seq;
	int err;

	err = alink_cmd_copy(b->queue, alink_bo_va(b->bo[dst]),
			     alink_bo_va(b->bo[src]), bytes, &seq);
	if (!err)
		err = alink_queue_wait(b->queue, seq, WAIT_MS);
	return err ? complain(b, err) : 0;
}

/* A pattern that no earlier round left behind */
static void fill_pattern(struct bench *b, uint64_t bytes)
{
	uint32_t *w = (uint32_t *)b->host, x = ++b->salt * 2654435761U | 1;
	uint64_t i;

	for (i = 0; i < bytes / 4; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		w[i] = x;
	}
}

/* Sends a pattern by the copy under test, and fetches it on another way. */
static int check_copy(struct bench *b, enum side dst, enum side src,
		      uint64_t bytes)
{
	int err;

	fill_pattern(b, bytes);
	memcpy(b->a, b->host, bytes);
	if (src != SIDE_HOST) {
		err = copy_once(b, src, SIDE_HOST, bytes);
		if (err)
			return err;
		memset(b->host, 0, bytes);
	}
	err = copy_once(b, dst, src, bytes);
	if (!err && dst != SIDE_HOST) {
		memset(b->host, 0, bytes);
		err = copy_once(b, SIDE_HOST, dst, bytes);
	}
	if (err)
		return err;
	if (memcmp(b->a, b->host, bytes)) {
		fprintf(stderr, "alink-bench: WRONG data after a copy of %llu bytes\n",
			(unsigned long long)bytes);
		return -EILSEQ;
	}
	return 0;
}

/* GB/s of copies that together move about 64 MiB */
static int copy_rate(struct bench *b, enum side dst, enum side src,
		     uint64_t bytes, double *gbs)
{
	unsigned int i, n = (unsigned int)(4 * MAX_BYTES / bytes);
	double start;
	int err = 0;

	n = n > 64 ? 64 : n;
	start = now_s();
	for (i = 0; i < n && !err; i++)
		err = copy_once(b, dst, src, bytes);
	*gbs = (double)bytes * n / (now_s() - start) / 1e9;
	return err;
}

static double memcpy_rate(struct bench *b, uint64_t bytes)
{
	unsigned int i, n = (unsigned int)(4 * MAX_BYTES / bytes);
	double start;

	n = n > 64 ? 64 : n;
	start = now_s();
	for (i = 0; i < n; i++) {
		memcpy(b->b, b->a, bytes);
		/* Each copy is wanted. */
		__asm__ volatile("" : : "r"(b->b) : "memory");
	}
	return (double)bytes * n / (now_s() - start) / 1e9;
}

static int bench_dma(struct bench *b, const char *what, enum side dst,
		     enum side src, uint64_t bytes)
{
	struct row r = { .what = what, .peer = "memcpy in the guest",
			 .unit = "GB/s" };
	unsigned int i;
	int err;

	if (bytes >= 1 << 20)
		r.goal = 1.5;
	err = check_copy(b, dst, src, bytes);
	for (i = 0; i < b->rounds && !err; i++) {
		err = copy_rate(b, dst, src, bytes, &r.own[i]);
		r.other[i] = memcpy_rate(b, bytes);
	}
	if (!err)
		show_row(b, &r);
	return err;
}

static int bench_remote(struct bench *b, const char *what, uint64_t bytes)
{
	struct row r = { .what = what, .peer = "copy within own HBM",
			 .unit = "GB/s" };
	unsigned int i;
	int err;

	err = check_copy(b, SIDE_REMOTE, SIDE_HBM, bytes);
	for (i = 0; i < b->rounds && !err; i++) {
		err = copy_rate(b, SIDE_REMOTE, SIDE_HBM, bytes, &r.own[i]);
		if (!err)
			err = copy_rate(b, SIDE_HBM2, SIDE_HBM, bytes,
					&r.other[i]);
	}
	if (!err)
		show_row(b, &r);
	return err;
}

/* --- latency ------------------------------------------------------------------ */

#define LATENCY_OPS	200

static int nop_latency(struct bench *b, bool spin, double *us)
{
	double each[LATENCY_OPS], start;
	uint64_t seq;
	int i, err;

	alink_queue_set_spin(b->queue, spin ? ALINK_SPIN_ONLY : 0);
	for (i = 0; i < LATENCY_OPS; i++) {
		start = now_s();
		err = alink_cmd_nop(b->queue, &seq);
		if (!err)
			err = alink_queue_wait(b->queue, seq, WAIT_MS);
		if (err)
			return complain(b, err);
		each[i] = (now_s() - start) * 1e6;
	}
	qsort(each, LATENCY_OPS, sizeof(each[0]), by_value);
	*us = each[LATENCY_OPS / 2];
	alink_queue_set_spin(b->queue, ALINK_SPIN_DEFAULT);
	return 0;
}

static int nvme_latency(struct bench *b, double *us)
{
	double each[LATENCY_OPS], start;
	int i;

	for (i = 0; i < LATENCY_OPS; i++) {
		start = now_s();
		if (pread(b->nvme_fd, b->block, BLOCK, (off_t)i * BLOCK) !=
		    BLOCK) {
			fprintf(stderr, "alink-bench: %s: %s\n", b->nvme,
				strerror(errno));
			return -EIO;
		}
		each[i] = (now_s() - start) * 1e6;
	}
	qsort(each, LATENCY_OPS, sizeof(each[0]), by_value);
	*us = each[LATENCY_OPS / 2];
	return 0;
}

static int bench_latency(struct bench *b, const char *what, bool spin)
{
	struct row r = { .what = what, .peer = "NVMe 4 KiB read, depth 1",
			 .unit = "us", .goal = 0.5, .less = true };
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->rounds && !err; i++) {
		err = nop_latency(b, spin, &r.own[i]);
		if (!err)
			err = nvme_latency(b, &r.other[i]);
	}
	if (!err)
		show_row(b, &r);
	return err;
}

/* --- set up -------------------------------------------------------------------- */

static int open_xpus(struct bench *b)
{
	struct alink_device_info *list;
	struct alink_handle h;
	uint32_t id[2], n = 0;
	size_t i, num;
	int err;

	err = alink_devices(b->ctx, &list, &num);
	if (err)
		return err;
	for (i = 0; i < num && n < 2; i++)
		if (list[i].type == ALINK_DEVTYPE_XPU)
			id[n++] = list[i].fabric_id;
	free(list);
	if (n < 2) {
		fputs("alink-bench: two xPUs are wanted (alink list xpu)\n",
		      stderr);
		return -ENODEV;
	}
	err = alink_fabric_up(b->ctx, PARTITION);
	if (!err)
		err = alink_xpu_open(b->ctx, id[0], &b->xpu);
	if (!err)
		err = alink_xpu_open(b->ctx, id[1], &b->peer);
	if (!err)
		err = alink_queue_open(b->xpu, 64, &b->queue);
	if (!err)
		err = alink_bo_alloc(b->peer, MAX_BYTES, ALINK_PLACE_HBM,
				     &b->target);
	if (!err)
		err = alink_export(b->target, ALINK_SEG_READ | ALINK_SEG_WRITE,
				   &h);
	if (!err)
		err = alink_import(b->xpu, &h, &b->bo[SIDE_REMOTE]);
	return err;
}

static int set_up(struct bench *b)
{
	int err;

	err = open_xpus(b);
	if (!err)
		err = alink_bo_alloc(b->xpu, MAX_BYTES, ALINK_PLACE_HOST,
				     &b->bo[SIDE_HOST]);
	if (!err)
		err = alink_bo_alloc(b->xpu, MAX_BYTES, ALINK_PLACE_HBM,
				     &b->bo[SIDE_HBM]);
	if (!err)
		err = alink_bo_alloc(b->xpu, MAX_BYTES, ALINK_PLACE_HBM,
				     &b->bo[SIDE_HBM2]);
	if (err)
		return complain(b, err);
	b->host = alink_bo_map(b->bo[SIDE_HOST]);
	b->a = aligned_alloc(BLOCK, MAX_BYTES);
	b->b = aligned_alloc(BLOCK, MAX_BYTES);
	b->block = aligned_alloc(BLOCK, BLOCK);
	if (!b->host || !b->a || !b->b || !b->block) {
		fputs("alink-bench: out of memory\n", stderr);
		return -ENOMEM;
	}
	/* All pages are there before anything is measured. */
	memset(b->host, 1, MAX_BYTES);
	memset(b->a, 2, MAX_BYTES);
	memset(b->b, 3, MAX_BYTES);
	if (b->nvme) {
		b->nvme_fd = open(b->nvme, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (b->nvme_fd < 0) {
			fprintf(stderr, "alink-bench: %s: %s\n", b->nvme,
				strerror(errno));
			return -errno;
		}
	}
	return 0;
}

static void tear_down(struct bench *b)
{
	int i;

	for (i = 0; i < NUM_SIDES; i++)
		if (b->bo[i])
			alink_bo_free(b->bo[i]);
	if (b->target)
		alink_bo_free(b->target);
	if (b->queue)
		alink_queue_close(b->queue);
	if (b->xpu)
		alink_xpu_close(b->xpu);
	if (b->peer)
		alink_xpu_close(b->peer);
	if (b->nvme_fd >= 0)
		close(b->nvme_fd);
	free(b->a);
	free(b->b);
	free(b->block);
	alink_free(b->ctx);
}

static int run(struct bench *b)
{
	static const struct {
		uint64_t bytes;
		const char *in;
		const char *out;
		const char *remote;
	} sizes[] = {
		{ 64 << 10, "DMA host to HBM, 64 KiB", "DMA HBM to host, 64 KiB",
		  "remote write, 64 KiB" },
		{ 1 << 20, "DMA host to HBM, 1 MiB", "DMA HBM to host, 1 MiB",
		  "remote write, 1 MiB" },
		{ 16 << 20, "DMA host to HBM, 16 MiB", "DMA HBM to host, 16 MiB",
		  "remote write, 16 MiB" },
	};
	int err = 0;
	size_t i;

	for (i = 0; i < 3 && !err; i++) {
		err = bench_dma(b, sizes[i].in, SIDE_HBM, SIDE_HOST,
				sizes[i].bytes);
		if (!err)
			err = bench_dma(b, sizes[i].out, SIDE_HOST, SIDE_HBM,
					sizes[i].bytes);
	}
	for (i = 0; i < 3 && !err; i++)
		err = bench_remote(b, sizes[i].remote, sizes[i].bytes);
	if (b->nvme && !err)
		err = bench_latency(b, "doorbell to completion, interrupt",
				    false);
	if (b->nvme && !err)
		err = bench_latency(b, "doorbell to completion, polling", true);
	return err;
}

static int options(struct bench *b, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "quick", no_argument, NULL, 'q' },
		{ "nvme", required_argument, NULL, 'n' },
		{ }
	};
	int c;

	b->rounds = 15;
	while ((c = getopt_long(argc, argv, "j", opts, NULL)) != -1) {
		switch (c) {
		case 'j':
			b->json = true;
			break;
		case 'q':
			b->rounds = 1;
			break;
		case 'n':
			b->nvme = optarg;
			break;
		default:
			goto usage;
		}
	}
	if (optind == argc)
		return 0;
usage:
	fputs("usage: alink-bench [-j] [--quick] [--nvme DEVICE]\n"
	      "  --quick  one round: checks the data, the figures mean little\n"
	      "  --nvme   read this block device for the latency of a peer\n",
	      stderr);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	static struct bench b = { .nvme_fd = -1 };
	struct json_object *doc;
	int err;

	if (options(&b, argc, argv))
		return 2;
	if (alink_new(&b.ctx))
		return 1;
	b.rows = json_object_new_array();
	err = set_up(&b);
	if (!err && !b.json)
		printf("  %-34s %15s %-26s %9s   %6s  %s\n", "what", "median ",
		       "peer", "median", "ratio", "quartiles     goal");
	if (!err)
		err = run(&b);
	if (!err && b.json) {
		doc = json_object_new_object();
		json_object_object_add(doc, "schema",
				       json_object_new_string("alink.bench"));
		json_object_object_add(doc, "version", json_object_new_int(1));
		json_object_object_add(doc, "data", json_object_get(b.rows));
		puts(json_object_to_json_string_ext(doc,
						    JSON_C_TO_STRING_PRETTY));
		json_object_put(doc);
	}
	json_object_put(b.rows);
	tear_down(&b);
	return err ? 1 : 0;
}
