/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of eviction share: the xPU with little HBM (topology xpu3), a
 * VM with a queue, and host memory to compare with.
 */
#ifndef EVICT_H
#define EVICT_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

/* As the topologies of tests/xpu and tests/sleep have it */
#define XPU	2
#define MODEL	"xpu2"
#define FULL	(64 * MIB)
#define SEEN	(48 * MIB)
/* Three of these fit into HBM, four do not. */
#define SIZE	(20 * MIB)

#define VA	0x10000000UL
#define STEP	0x4000000UL		/* between objects in the VM */
#define VA_OF(n) (VA + (n) * STEP)
#define VA_Q	0x80000000UL
#define VA_OUT	0x90000000UL
/* Longer than anybody waits for his turn, on whatever machine */
#define LONG_MS	120000
#define SLOW	1400			/* s; see TIMEOUT and SLOW of tests/guest */

struct evict {
	int fd;
	uint32_t vm;
	struct xq q;
	uint32_t out_bo;
	uint32_t *out;			/* host memory of SIZE at VA_OUT */
};

FIXTURE(evict)
{
	struct evict o;
	char sysfs[256];
};

#define SELF	(&self->o)

/* Returns 0 or the line that failed. */
static inline int evict_open(struct evict *o)
{
	memset(o, 0, sizeof(*o));
	o->fd = xpu_open(XPU);
	if (o->fd < 0)
		return __LINE__;
	if (vm_create(o->fd, &o->vm) ||
	    xq_open(&o->q, o->fd, o->vm, VA_Q, 64) ||
	    gem_create(o->fd, HOST, SIZE, &o->out_bo))
		return __LINE__;
	o->out = gem_map(o->fd, o->out_bo, SIZE);
	if (o->out == MAP_FAILED ||
	    vm_map(o->fd, o->vm, o->out_bo, 0, VA_OUT, SIZE, RW))
		return __LINE__;
	return 0;
}

static inline void evict_close(struct evict *o)
{
	if (o->out && o->out != MAP_FAILED)
		munmap(o->out, SIZE);
	o->out = NULL;
	if (o->fd >= 0) {
		if (o->q.id)
			xq_close(&o->q);
		close(o->fd);
	}
	o->fd = -1;
}

/* --- what the device does ------------------------------------------------- */

/* One command, which may have to wait for its memory; as xq_run() else */
static inline int run(struct evict *o, struct alink_xpu_desc desc,
		      struct drm_alink_xpu_queue_error *error)
{
	xq_push(&o->q, desc);
	xq_ring(&o->q);
	return xq_wait(&o->q, LONG_MS, error);
}

/* The device writes, or finds, what pattern_fill() makes of a seed. */
static inline int dev_put(struct evict *o, uint64_t va, size_t len,
			  uint32_t seed)
{
	pattern_fill(o->out, len, seed);
	return run(o, copy_desc(va, VA_OUT, len), NULL);
}

/* 0, the error of the queue, or 1: something else is there. */
static inline int dev_check(struct evict *o, uint64_t va, size_t len,
			    uint32_t seed)
{
	int err;

	memset(o->out, 0xee, len);
	err = run(o, copy_desc(VA_OUT, va, len), NULL);
	return err ?: pattern_check(o->out, len, seed) != len;
}

/* --- what there is --------------------------------------------------------- */

/* An object, bound at its place if @n is not negative. */
static inline int make(struct evict *o, int n, uint32_t flags, uint64_t size,
		       uint32_t *handle)
{
	int err = gem_create(o->fd, flags, size, handle);

	if (!err && n >= 0)
		err = vm_map(o->fd, o->vm, *handle, 0, VA_OF(n), size, RWA);
	return err;
}

static inline struct drm_alink_xpu_query_memory memory(int fd)
{
	struct drm_alink_xpu_query_memory m;

	memset(&m, 0xff, sizeof(m));
	xpu_memory(fd, &m);
	return m;
}

/* Nothing is left of those that have gone: not at once, but at last. */
static inline bool all_gone(int fd)
{
	struct drm_alink_xpu_query_memory m;
	unsigned int i;

	for (i = 0; i < 3000; i++) {
		m = memory(fd);
		if (!m.hbm_used && !m.hbm_evicted)
			return true;
		usleep(10000);
	}
	return false;
}

/* Sends away what was not used longest. */
static inline void send_away(struct __test_metadata *_metadata, struct evict *o)
{
	uint64_t before = memory(o->fd).hbm_evicted;
	uint32_t bo;
	int i;

	for (i = 0; i < 4 && memory(o->fd).hbm_evicted == before; i++)
		ASSERT_EQ(make(o, -1, HBM, SIZE, &bo), 0);
	ASSERT_NE(memory(o->fd).hbm_evicted, before);
}

FIXTURE_SETUP(evict)
{
	struct drm_alink_xpu_query_device d;

	ASSERT_EQ(evict_open(SELF), 0);
	ASSERT_EQ(xpu_sysfs(SELF->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(xpu_device(SELF->fd, &d), 0);
	ASSERT_EQ(d.hbm_size, FULL);
	ASSERT_EQ(d.hbm_visible, SEEN);
	ASSERT_TRUE(all_gone(SELF->fd));
}

FIXTURE_TEARDOWN(evict)
{
	evict_close(SELF);
}

#endif /* EVICT_H */
