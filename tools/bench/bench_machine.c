// SPDX-License-Identifier: GPL-2.0-only
/*
 * The xPUs that are measured, the processor that measures, and where interrupts
 * go. The kernel brings those of a disk's queue to the processor that uses the
 * queue; an administrator does so for others, and so does this.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define PARTITION	1
#define DEPTH		64
#define MAX_IRQS	64

uint64_t bench_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* --- processor ------------------------------------------------------------ */

/* The last one: what else there is to do mostly falls to the first. */
int bench_pin(struct bench *b)
{
	cpu_set_t set;
	int i;

	bench_unpin(b);
	if (sched_getaffinity(0, sizeof(set), &set))
		return bench_fail(b, -errno, "processors: %s", strerror(errno));
	for (i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			b->cpu = i;
	CPU_ZERO(&set);
	CPU_SET(b->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return bench_fail(b, -errno, "processor %d: %s", b->cpu,
				  strerror(errno));
	return 0;
}

void bench_unpin(struct bench *b)
{
	cpu_set_t set;

	/* The kernel takes those of them that there are. */
	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
	b->cpu = -1;
}

void bench_pin_irqs(const struct bench *b, const char *pci)
{
	struct bench_name irq[MAX_IRQS];
	char dir[128], cpu[16];
	unsigned int i, n;

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s/msi_irqs", pci);
	snprintf(cpu, sizeof(cpu), "%d", b->cpu);
	n = bench_list(irq, MAX_IRQS, dir, "");
	for (i = 0; i < n && i < MAX_IRQS; i++)
		bench_write(cpu, "/proc/irq/%s/smp_affinity_list",
			    irq[i].text);
}

/* --- xPUs ----------------------------------------------------------------- */

static int by_endpoint(const void *x, const void *y)
{
	const struct alink_device_info *a = x, *b = y;

	return a->fabric_id < b->fabric_id ? -1 : a->fabric_id > b->fabric_id;
}

static int find_xpus(struct bench *b, uint32_t id[2])
{
	struct alink_device_info *list;
	unsigned int found = 0;
	size_t i, n;
	int err;

	err = alink_devices(b->ctx, &list, &n);
	if (err)
		return bench_fail_alink(b, "devices", err);
	qsort(list, n, sizeof(*list), by_endpoint);
	for (i = 0; i < n && found < 2; i++) {
		if (list[i].type != ALINK_DEVTYPE_XPU ||
		    list[i].fabric_id == ALINK_ID_NONE)
			continue;
		bench_pin_irqs(b, list[i].pci);
		id[found++] = list[i].fabric_id;
	}
	free(list);
	if (found < 2)
		return bench_fail(b, -ENOENT,
				  "two xPUs are wanted, there are %u (alink list xpu)",
				  found);
	return 0;
}

int bench_machine_up(struct bench *b)
{
	uint32_t id[2];
	int err;

	if (b->queue)
		return 0;
	err = find_xpus(b, id);
	if (err)
		return err;
	b->fabric_id = id[0];
	err = alink_fabric_ensure(b->ctx, PARTITION);
	if (!err)
		err = alink_xpu_open(b->ctx, id[0], &b->xpu);
	if (!err)
		err = alink_xpu_open(b->ctx, id[1], &b->peer);
	if (!err)
		err = alink_queue_open(b->xpu, DEPTH, &b->queue);
	return err ? bench_fail_alink(b, "xPUs", err) : 0;
}

void bench_machine_down(struct bench *b)
{
	alink_queue_close(b->queue);
	alink_xpu_close(b->xpu);
	alink_xpu_close(b->peer);
	b->queue = NULL;
	b->xpu = NULL;
	b->peer = NULL;
}

/* --- work ----------------------------------------------------------------- */

int bench_alloc(struct bench *b, uint64_t bytes, enum alink_place place,
		struct alink_bo **bo, uint8_t **map)
{
	int err = alink_bo_alloc(b->xpu, bytes, place, bo);

	if (err)
		return bench_fail_alink(b, "memory", err);
	if (!map)
		return 0;
	*map = alink_bo_map(*bo);
	if (!*map)
		return bench_fail_alink(b, "memory", -ENOMEM);
	/* All pages are there before anything is measured. */
	memset(*map, 1, bytes);
	return 0;
}

int bench_copy(struct bench *b, uint64_t dst, uint64_t src, uint64_t bytes)
{
	uint64_t seq;
	int err;

	err = alink_cmd_copy(b->queue, dst, src, bytes, &seq);
	if (!err)
		err = alink_queue_wait(b->queue, seq, BENCH_WAIT_MS);
	return err ? bench_fail_alink(b, "copy", err) : 0;
}

void bench_pattern(uint8_t *mem, uint64_t bytes)
{
	static uint32_t salt;
	uint32_t x = ++salt * 2654435761U | 1;
	uint64_t i;

	for (i = 0; i + sizeof(x) <= bytes; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		memcpy(mem + i, &x, sizeof(x));
	}
}
