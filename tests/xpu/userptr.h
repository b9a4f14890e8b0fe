/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of user pointers share: a VM with a queue, memory of the
 * process, and what the device does to it.
 */
#ifndef USERPTR_H
#define USERPTR_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA	0x10000000UL
#define VA_Q	0x40000000UL
#define VA_OUT	0x50000000UL
#define PAGES	16
#define SIZE	(PAGES * PAGE)
#define WAIT_MS	20000
#define R	DRM_ALINK_XPU_VM_BIND_READ
#define W	DRM_ALINK_XPU_VM_BIND_WRITE
#define SELF	(&self->o)

struct user {
	int fd;
	uint32_t vm;
	struct xq q;
	uint32_t out_bo;
	volatile uint64_t *out;		/* host memory at VA_OUT */
	uint64_t *mem;			/* SIZE, not bound */
};

FIXTURE(user)
{
	struct user o;
	char sysfs[256];
};

static inline void *anon(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static inline void *anon_at(void *at, size_t size)
{
	return mmap(at, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* At a multiple of @align. What lies around it is mapped, and not used. */
static inline void *anon_aligned(size_t size, size_t align)
{
	char *p = anon(size + align);

	return p == MAP_FAILED ? p : (void *)(((uintptr_t)p + align - 1) &
					      ~(align - 1));
}

FIXTURE_SETUP(user)
{
	struct user *o = SELF;

	o->fd = xpu_open(0);
	ASSERT_GE(o->fd, 0);
	ASSERT_EQ(xpu_sysfs(o->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(o->fd, &o->vm), 0);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	ASSERT_EQ(gem_create(o->fd, HOST, SIZE, &o->out_bo), 0);
	o->out = gem_map(o->fd, o->out_bo, SIZE);
	ASSERT_NE(o->out, MAP_FAILED);
	ASSERT_EQ(vm_map(o->fd, o->vm, o->out_bo, 0, VA_OUT, SIZE, RW), 0);
	o->mem = anon(SIZE);
	ASSERT_NE(o->mem, MAP_FAILED);
}

FIXTURE_TEARDOWN(user)
{
	munmap((void *)self->o.out, SIZE);
	close(self->o.fd);
}

/* --- what the device does ------------------------------------------------- */

/* The word that the device finds. Anything but success is a failure. */
static inline uint64_t dev_read(struct __test_metadata *_metadata,
				struct user *o, uint64_t va)
{
	struct drm_alink_xpu_queue_error e = {};

	o->out[0] = 0xdeadULL << 32;
	EXPECT_EQ(xq_run(&o->q, copy_desc(VA_OUT, va, 8), &e), 0) {
		TH_LOG("read of %#lx: status %u at %#llx", va, e.status,
		       (unsigned long long)e.addr);
	}
	return o->out[0];
}

static inline void dev_write(struct __test_metadata *_metadata,
			     struct user *o, uint64_t va, uint32_t value)
{
	struct drm_alink_xpu_queue_error e = {};

	EXPECT_EQ(xq_run(&o->q, fill_desc(va, value, 8), &e), 0) {
		TH_LOG("write of %#lx: status %u at %#llx", va, e.status,
		       (unsigned long long)e.addr);
	}
}

static inline uint64_t twice(uint32_t value)
{
	return (uint64_t)value << 32 | value;
}

/* The access ends the queue with one of the two statuses; then a new queue. */
static inline void fails(struct __test_metadata *_metadata, struct user *o,
			 struct alink_xpu_desc d, uint64_t addr)
{
	struct drm_alink_xpu_queue_error e = {};
	uint32_t state;

	EXPECT_EQ(xq_run(&o->q, d, &e), -EIO);
	EXPECT_TRUE(e.status == ALINK_ST_PAGE_FAULT ||
		    e.status == ALINK_ST_PERMISSION) {
		TH_LOG("status %u", e.status);
	}
	EXPECT_EQ(e.addr, addr);
	EXPECT_EQ(queue_state(o->fd, o->q.id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_HALTED);
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
}

static inline void read_fails(struct __test_metadata *_metadata,
			      struct user *o, uint64_t va)
{
	fails(_metadata, o, copy_desc(VA_OUT, va, 8), va);
}

static inline void write_fails(struct __test_metadata *_metadata,
			       struct user *o, uint64_t va)
{
	fails(_metadata, o, fill_desc(va, 1, 8), va);
}

static inline int bind_user(struct user *o, const void *mem, uint64_t size,
			    uint32_t rights)
{
	return vm_map_user(o->fd, o->vm, mem, VA, size, rights);
}

static inline uint64_t *word(void *mem, unsigned int page)
{
	return (uint64_t *)((char *)mem + page * PAGE);
}

#endif /* USERPTR_H */
