/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of alink-bench share.
 *
 *   bench_main.c	options, the list of measures, exit status
 *   bench_floor.c	what each kind of row must reach, and should
 *   bench_report.c	rows: medians, verdicts; the table and JSON
 *   bench_machine.c	the xPUs that are measured; processor, interrupts
 *   bench_host.c	what only the host below the guest can tell
 *   bench_disk.c	peers: disks, read as quickly as the kernel can
 *   bench_sysfs.c	files of sysfs, programs
 *   bench_coll*.c	collectives, see bench_coll.h
 *
 * Measures, one area a file: bench_doorbell.c, bench_rate.c, bench_dma.c,
 * bench_window.c, bench_gemm.c, bench_allreduce.c, bench_probe.c. Each prepares
 * what it needs, lets ours and the peer take turns for some rounds, checks that
 * the work was done, and gives its rows to the report.
 *
 * Functions that can fail return 0 or a negative errno, and have told
 * bench_fail() why.
 */
#ifndef ALINK_BENCH_H
#define ALINK_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include <alink.h>

#define BENCH_MAX_ROUNDS	31
/* Fewer pairs say nothing. */
#define BENCH_MIN_ROUNDS	7
#define BENCH_WAIT_MS		60000
#define BENCH_PAGE		4096
#define BENCH_BATCH		32
/* Disks that were made to be measured have serial numbers that begin so. */
#define BENCH_SERIAL		"alink-bench-"

/**
 * struct bench - one run
 * @ctx:	library
 * @rounds:	pairs of ours and the peer's that each row has
 * @quick:	one round only: the work is checked, figures mean little
 * @json:	print JSON
 * @cpu:	processor that the bench keeps to, or -1
 * @error:	why it failed
 * @measure:	name of the present one
 * @rows:	of all measures so far, as JSON
 * @missed:	rows so far that miss their floor
 * @absent:	rows with a floor that could not be measured
 * @xpu:	the xPU that is measured; NULL before bench_machine_up()
 * @peer:	another one
 * @fabric_id:	of @xpu
 * @queue:	of @xpu, 64 descriptors
 */
struct bench {
	struct alink_ctx *ctx;
	unsigned int rounds;
	bool quick;
	bool json;
	int cpu;
	char error[512];
	const char *measure;
	struct json_object *rows;
	unsigned int missed;
	unsigned int absent;
	struct alink_xpu *xpu;
	struct alink_xpu *peer;
	uint32_t fabric_id;
	struct alink_queue *queue;
};

/* Keeps the text, and returns @err. */
int bench_fail(struct bench *b, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with what the library had to say */
int bench_fail_alink(struct bench *b, const char *what, int err);

/* --- bench_floor.c -------------------------------------------------------- */

/* What a row is measured for. The first two reach what they reach. */
enum bench_bar {
	BENCH_BAR_MORE,
	BENCH_BAR_LESS,
	BENCH_BAR_POLL,		/* doorbell to completion, by NVMe */
	BENCH_BAR_WAKE,		/* the same, to a thread that wakes */
	BENCH_BAR_RATE,		/* small commands, by the best disk */
	BENCH_BAR_BATCH,	/* doorbells, interrupts: of a batch, by one */
	BENCH_BAR_DMA_GUEST,	/* full queue, by memcpy() in the guest */
	BENCH_BAR_DMA_HOST,	/* full queue, by memcpy() on the host */
	BENCH_BAR_WINDOW,	/* load and store, by ivshmem */
	BENCH_BAR_GEMM,		/* by the loop on the host */
	BENCH_BAR_ALLREDUCE,	/* by the switches, by a ring */
	BENCH_BAR_PROBE,	/* 8 xPUs, by 8 NVMe */
	BENCH_BAR_LINEAR,	/* each of 32 xPUs, by each of 8 */
	BENCH_BAR_UNLOAD,	/* 8 xPUs, by a second */
	BENCH_NUM_BARS,
};

/**
 * struct bench_floor - what a ratio, ours by the peer's, has to reach
 * @less:	the smaller the better
 * @floor:	it must; 0: nothing
 * @goal:	it should; 0: no more than that
 */
struct bench_floor {
	bool less;
	double floor;
	double goal;
};

extern const struct bench_floor bench_floors[BENCH_NUM_BARS];

/* --- bench_report.c ------------------------------------------------------- */

/**
 * struct bench_row - a figure of ours and of a peer, round by round
 * @what:	what is measured
 * @peer:	against what
 * @unit:	of both figures
 * @bar:	how it is judged
 * @own:	ours
 * @other:	the peer's of the same round
 */
struct bench_row {
	const char *what;
	const char *peer;
	const char *unit;
	enum bench_bar bar;
	double own[BENCH_MAX_ROUNDS];
	double other[BENCH_MAX_ROUNDS];
};

void bench_head(struct bench *b);
/* Judges a row of so many rounds, and prints or keeps it. */
void bench_row(struct bench *b, const struct bench_row *r, unsigned int rounds);
/* A row that cannot be measured here, and why */
void bench_absent(struct bench *b, const struct bench_row *r, const char *why);
/* How many missed their floor; with JSON, all of it */
void bench_foot(struct bench *b);
void bench_report_error(struct bench *b, int code);
/* @data under @key, with schema and version, to standard output; takes it */
void bench_print_document(const char *schema, int version, const char *key,
			  struct json_object *data);

/* --- bench_machine.c ------------------------------------------------------ */

uint64_t bench_ns(void);
double bench_median(double *values, unsigned int n);
/* Opens two xPUs and joins them; does nothing when that is done. */
int bench_machine_up(struct bench *b);
/* Gives all of it back, also what is not there. */
void bench_machine_down(struct bench *b);
/* Keeps to one processor, or to none. */
int bench_pin(struct bench *b);
void bench_unpin(struct bench *b);
/* Brings the interrupts of a PCI function there; some cannot be moved. */
void bench_pin_irqs(const struct bench *b, const char *pci);
/* Memory of @b->xpu, with its address for the CPU unless @map is NULL */
int bench_alloc(struct bench *b, uint64_t bytes, enum alink_place place,
		struct alink_bo **bo, uint8_t **map);
/* One copy from start to end */
int bench_copy(struct bench *b, uint64_t dst, uint64_t src, uint64_t bytes);
/* Fills memory with what was nowhere before. */
void bench_pattern(uint8_t *mem, uint64_t bytes);

/* --- bench_host.c --------------------------------------------------------- */

/* QEMU's version; NULL: nobody to ask. */
const char *bench_host_qemu(struct bench *b);
/* Is there somebody who measures memcpy() of the host, or its GEMM? */
bool bench_host_has_memcpy(void);
bool bench_host_has_gemm(void);
/* memcpy() of @bytes in the process of the models, GB/s */
int bench_host_memcpy(struct bench *b, uint64_t bytes, double *gbs);
/* The loop of the models' GEMM in a program of its own, GFLOP/s */
int bench_host_gemm(struct bench *b, double *gflops);

/* --- bench_disk.c --------------------------------------------------------- */

enum bench_disk_kind { BENCH_NVME, BENCH_VIRTIO, BENCH_NUM_DISKS };

struct bench_disk;

/* *disk is NULL when the machine has none that was made for this. */
int bench_disk_open(struct bench *b, enum bench_disk_kind kind,
		    struct bench_disk **disk);
void bench_disk_close(struct bench_disk *disk);
/* Reads 4 KiB, by pread(). */
int bench_disk_read(struct bench *b, struct bench_disk *disk, unsigned int i);
/* Reads so many batches of BENCH_BATCH times 4 KiB, by io_uring. */
int bench_disk_batches(struct bench *b, struct bench_disk *disk,
		       unsigned int batches);

/* --- bench_sysfs.c -------------------------------------------------------- */

/* First line of a file, without its end; negative errno. */
int bench_read(char *line, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int bench_write(const char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct bench_name {
	char text[64];
};

/*
 * Names in a directory that begin with @prefix, sorted; no directory, no names.
 * Return: how many there are, be it more than @max, which is what is kept.
 */
unsigned int bench_list(struct bench_name *names, unsigned int max,
			const char *dir, const char *prefix);
/* Runs a program to its end: 0 if that was a good one. */
int bench_spawn(struct bench *b, const char *program, const char *arg,
		const char *arg2);

/* --- measures ------------------------------------------------------------- */

int bench_doorbell_poll(struct bench *b);
int bench_doorbell_wake(struct bench *b);
int bench_rate(struct bench *b);
int bench_queues(struct bench *b);
int bench_dma(struct bench *b);
int bench_remote(struct bench *b);
int bench_window(struct bench *b);
int bench_gemm(struct bench *b);
int bench_allreduce(struct bench *b);
int bench_probe(struct bench *b);
int bench_probe32(struct bench *b);

#endif /* ALINK_BENCH_H */
