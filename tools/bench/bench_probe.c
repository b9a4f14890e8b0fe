// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probing: how long drivers take for 8 xPUs, against the kernel's nvme driver
 * and as many emulated NVMe; and for 32 against 8 of the same.
 *
 * Two ways lead to a bound device, and both are measured: the module is loaded,
 * which probes as the driver likes, side by side or not; and functions are
 * bound by sysfs one after the other.
 *
 * Both take devices away from whoever uses them. So nothing is done unless all
 * NVMe were made for this, and modules are unloaded first, which the kernel
 * refuses while somebody has a device open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define XPUS		8
#define MANY_XPUS	32
#define MAX_FUNCTIONS	64
#define READY_NS	30000000000ULL
#define MAX_PAIRS	9

/**
 * struct driver - a PCI driver, and the functions that it had at the start
 * @module:	which is the driver's name too
 * @class:	where each ready device has an entry
 * @prefix:	of the names of these
 * @n:		functions
 * @pci:	their addresses
 */
struct driver {
	const char *module;
	const char *class;
	const char *prefix;
	unsigned int n;
	struct bench_name pci[MAX_FUNCTIONS];
};

static struct driver nvme = {
	.module = "nvme", .class = "/sys/block", .prefix = "nvme",
};

static struct driver xpu = {
	.module = "alink_xpu", .class = "/sys/class/accel", .prefix = "accel",
};

/* --- devices -------------------------------------------------------------- */

static int list_functions(struct bench *b, struct driver *d)
{
	char dir[128];

	snprintf(dir, sizeof(dir), "/sys/bus/pci/drivers/%s", d->module);
	d->n = bench_list(d->pci, MAX_FUNCTIONS, dir, "0000:");
	if (d->n > MAX_FUNCTIONS)
		return bench_fail(b, -E2BIG, "%s has %u devices", d->module,
				  d->n);
	return 0;
}

static unsigned int ready(const struct driver *d)
{
	return bench_list(NULL, 0, d->class, d->prefix);
}

/* Until as many devices are ready */
static int await(struct bench *b, const struct driver *d, unsigned int n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	uint64_t start = bench_ns();

	while (ready(d) != n) {
		if (bench_ns() - start > READY_NS)
			return bench_fail(b, -ETIME,
					  "%s: %u of %u devices are ready",
					  d->module, ready(d), n);
		nanosleep(&ms, NULL);
	}
	return 0;
}

static int load(struct bench *b, const struct driver *d, unsigned int n,
		double *ms)
{
	uint64_t start = bench_ns();
	int err = bench_spawn(b, "modprobe", d->module, NULL);

	if (!err)
		err = await(b, d, n);
	*ms = (double)(bench_ns() - start) / 1e6;
	return err;
}

static int unload(struct bench *b, const struct driver *d, double *ms)
{
	uint64_t start = bench_ns();
	int err = bench_spawn(b, "rmmod", d->module, NULL);

	*ms = (double)(bench_ns() - start) / 1e6;
	return err;
}

static int drive(struct bench *b, const struct driver *d, const char *verb)
{
	unsigned int i;
	int err;

	for (i = 0; i < d->n; i++) {
		err = bench_write(d->pci[i].text, "/sys/bus/pci/drivers/%s/%s",
				  d->module, verb);
		if (err)
			return bench_fail(b, err, "%s %s: %s", verb,
					  d->pci[i].text, strerror(-err));
	}
	return 0;
}

static int rebind(struct bench *b, const struct driver *d, double *ms)
{
	uint64_t start;
	int err;

	err = drive(b, d, "unbind");
	if (err)
		return err;
	start = bench_ns();
	err = drive(b, d, "bind");
	if (!err)
		err = await(b, d, d->n);
	*ms = (double)(bench_ns() - start) / 1e6;
	return err;
}

/* --- what may be taken away ----------------------------------------------- */

static bool nvme_is_ours(const char *pci)
{
	struct bench_name ctrl;
	char dir[128], serial[64];

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s/nvme", pci);
	return bench_list(&ctrl, 1, dir, "nvme") == 1 &&
	       !bench_read(serial, sizeof(serial), "%s/%s/serial", dir,
			   ctrl.text) &&
	       !strncmp(serial, BENCH_SERIAL, strlen(BENCH_SERIAL));
}

/* NULL, or why the peers cannot be probed */
static const char *check_peers(void)
{
	unsigned int i;

	for (i = 0; i < nvme.n; i++)
		if (!nvme_is_ours(nvme.pci[i].text))
			return "an NVMe is there that was not made for this";
	if (nvme.n != XPUS || xpu.n != XPUS)
		return "8 xPUs and 8 NVMe of the bench are wanted";
	/* Hidden paths to disks would be counted too. */
	return ready(&nvme) == XPUS ? NULL : "each NVMe should have one disk";
}

static unsigned int pairs(const struct bench *b)
{
	return b->rounds < MAX_PAIRS ? b->rounds : MAX_PAIRS;
}

/* After a failure, which the text is about: what was there comes back. */
static void restore(const struct driver *d)
{
	struct bench quiet = {};
	double ms;

	/* Functions that are not bound are when the module is loaded. */
	unload(&quiet, d, &ms);
	load(&quiet, d, d->n, &ms);
}

/* --- 8 xPUs, 8 NVMe ------------------------------------------------------- */

struct probe_rows {
	struct bench_row load, bind, unload, second;
};

static int probe_pair(struct bench *b, struct probe_rows *r, unsigned int i)
{
	int err;

	/* Unloading first: it is refused while somebody uses a device. */
	err = unload(b, &xpu, &r->unload.own[i]);
	if (!err)
		err = load(b, &xpu, xpu.n, &r->load.own[i]);
	if (!err)
		err = unload(b, &nvme, &r->unload.other[i]);
	if (!err)
		err = load(b, &nvme, nvme.n, &r->load.other[i]);
	if (!err)
		err = rebind(b, &xpu, &r->bind.own[i]);
	if (!err)
		err = rebind(b, &nvme, &r->bind.other[i]);
	r->second.own[i] = r->unload.own[i];
	r->second.other[i] = 1000;
	return err;
}

static int probe_rounds(struct bench *b, struct probe_rows *r)
{
	unsigned int i;
	int err;

	/* Once to warm up: modules come from files. */
	err = probe_pair(b, r, 0);
	for (i = 0; i < pairs(b) && !err; i++)
		err = probe_pair(b, r, i);
	return err;
}

int bench_probe(struct bench *b)
{
	static struct probe_rows r = {
		.load = {
			.what = "8 xPUs, modprobe until ready",
			.peer = "8 NVMe", .unit = "ms", .bar = BENCH_BAR_PROBE,
		},
		.bind = {
			.what = "8 xPUs, bound one by one",
			.peer = "8 NVMe", .unit = "ms", .bar = BENCH_BAR_PROBE,
		},
		.unload = {
			.what = "8 xPUs, rmmod", .peer = "8 NVMe",
			.unit = "ms", .bar = BENCH_BAR_LESS,
		},
		.second = {
			.what = "8 xPUs, rmmod", .peer = "a second",
			.unit = "ms", .bar = BENCH_BAR_UNLOAD,
		},
	};
	struct bench_row *rows[] = { &r.load, &r.bind, &r.unload, &r.second };
	const char *why;
	unsigned int i;
	int err;

	bench_machine_down(b);
	bench_unpin(b);
	/* No udevd may run here. Without the driver there is no peer. */
	bench_spawn(b, "modprobe", "-q", nvme.module);
	err = list_functions(b, &nvme);
	if (!err)
		err = list_functions(b, &xpu);
	if (err)
		return err;
	why = check_peers();
	if (!why) {
		err = probe_rounds(b, &r);
		if (err) {
			restore(&nvme);
			restore(&xpu);
			return err;
		}
	}
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (why)
			bench_absent(b, rows[i], why);
		else
			bench_row(b, rows[i], pairs(b));
	}
	return bench_pin(b);
}

/* --- 32 xPUs against 8 ---------------------------------------------------- */

/* Hides all but the first 8 from the driver, or none. */
static int hide(struct bench *b, const char *text)
{
	unsigned int i;
	int err;

	for (i = XPUS; i < xpu.n; i++) {
		err = bench_write(text,
				  "/sys/bus/pci/devices/%s/driver_override",
				  xpu.pci[i].text);
		if (err)
			return bench_fail(b, err, "driver_override of %s: %s",
					  xpu.pci[i].text, strerror(-err));
	}
	return 0;
}

struct probe32_rows {
	struct bench_row load, unload;
};

/* Of each: not more than linear is not more than that. */
static void share(struct bench_row *r, unsigned int i)
{
	r->own[i] /= xpu.n;
	r->other[i] /= XPUS;
}

/* With all devices bound, and so it ends */
static int probe32_pair(struct bench *b, struct probe32_rows *r,
			unsigned int i)
{
	int err;

	err = unload(b, &xpu, &r->unload.own[i]);
	if (!err)
		err = hide(b, "alink-bench-none\n");
	if (!err)
		err = load(b, &xpu, XPUS, &r->load.other[i]);
	if (!err)
		err = unload(b, &xpu, &r->unload.other[i]);
	if (!err)
		err = hide(b, "\n");
	if (!err)
		err = load(b, &xpu, xpu.n, &r->load.own[i]);
	share(&r->load, i);
	share(&r->unload, i);
	return err;
}

int bench_probe32(struct bench *b)
{
	static struct probe32_rows r = {
		.load = {
			.what = "32 xPUs, modprobe, each",
			.peer = "8 xPUs, modprobe, each", .unit = "ms",
			.bar = BENCH_BAR_LINEAR,
		},
		/* One after the other, which is linear: nothing to reach. */
		.unload = {
			.what = "32 xPUs, rmmod, each",
			.peer = "8 xPUs, rmmod, each", .unit = "ms",
			.bar = BENCH_BAR_LESS,
		},
	};
	const char *why = "32 xPUs are wanted: topology bench32";
	unsigned int i;
	int err;

	bench_machine_down(b);
	bench_unpin(b);
	err = list_functions(b, &xpu);
	if (err)
		return err;
	if (xpu.n != MANY_XPUS) {
		bench_absent(b, &r.load, why);
		bench_absent(b, &r.unload, why);
		return bench_pin(b);
	}
	err = probe32_pair(b, &r, 0);
	for (i = 0; i < pairs(b) && !err; i++)
		err = probe32_pair(b, &r, i);
	if (err) {
		hide(&(struct bench){}, "\n");
		restore(&xpu);
		return err;
	}
	bench_row(b, &r.load, pairs(b));
	bench_row(b, &r.unload, pairs(b));
	return bench_pin(b);
}
