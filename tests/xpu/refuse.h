/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of refusals share: a file with a little of everything, tables
 * of calls that are good but for one field, and a look at whether anything of
 * those has stayed.
 */
#ifndef REFUSE_H
#define REFUSE_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define SIZE		(16 * PAGE)
#define R		DRM_ALINK_XPU_VM_BIND_READ
#define W		DRM_ALINK_XPU_VM_BIND_WRITE
#define MARK		0x600dUL
#define WAIT_MS		20000
/* Handles and ids are small numbers: there is none so far behind. */
#define NONE(id)	((id) + 50)
#define SELF		(&self->o)

/* Where what is bound, and where nothing is */
#define VA		0x10000000UL	/* hbm, R and W */
#define VA_FREE		0x20000000UL
#define VA_R		0x30000000UL	/* host, R only */
#define VA_W		0x38000000UL	/* host, W only */
#define VA_FAR		0x40000000UL	/* far, R and W */
#define VA_Q		0x50000000UL

/*
 * What a refused call must leave as it is. Ids are the lowest that are free, so
 * the next ones tell of anything that was left behind.
 */
struct seen {
	uint64_t hbm_used;
	uint64_t next_bo, next_vm, next_queue, next_export, next_segment;
	uint64_t at_va, at_free;	/* words there; 0: nothing is bound */
	uint64_t state;			/* of the queue */
};

struct refuse {
	int fd;
	struct drm_alink_xpu_query_device dev;
	uint32_t vm;
	struct xq q;
	uint32_t hbm;			/* begins with MARK */
	uint32_t far;			/* HBM that the CPU cannot map */
	uint32_t host;
	uint64_t *mem;			/* of hbm */
	uint32_t syncobj;		/* that has no fence */
	struct drm_alink_xpu_queue_create queue;	/* a good one */
	struct seen seen;
};

/* The word that a VM has at an address; 0: nothing is bound there. */
static inline uint64_t word_at(const struct refuse *o, uint32_t vm, uint64_t va)
{
	struct drm_alink_xpu_wait_fence w = {
		.flags = DRM_ALINK_XPU_FENCE_VA,
		.handle = vm,
		.addr = va,
		.value = 1UL << 62,
	};

	return xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w) == -ETIME ?
	       w.current_value : 0;
}

/* Makes one of each, and lets go of it. Returns 0 or -errno. */
static inline int look_ids(const struct refuse *o, struct seen *s)
{
	struct drm_alink_xpu_queue_create c = o->queue;
	struct drm_alink_xpu_segment_handle h;
	uint32_t bo, vm, id;
	int err;

	err = gem_create(o->fd, HOST, PAGE, &bo) ?: gem_close(o->fd, bo);
	if (!err)
		err = vm_create(o->fd, &vm) ?: vm_destroy(o->fd, vm);
	if (!err)
		err = queue_create(o->fd, &c) ?:
		      queue_destroy(o->fd, c.queue_id);
	if (!err)
		err = seg_export(o->fd, o->hbm, DRM_ALINK_XPU_SEGMENT_READ, &h,
				 &id) ?: seg_revoke(o->fd, id);
	if (err)
		return err;
	s->next_bo = bo;
	s->next_vm = vm;
	s->next_queue = c.queue_id;
	s->next_export = id;
	s->next_segment = h.segment;
	return 0;
}

static inline int look(const struct refuse *o, struct seen *s)
{
	struct drm_alink_xpu_query_memory m;
	uint32_t state;
	int err;

	memset(s, 0, sizeof(*s));
	err = look_ids(o, s);
	if (!err)
		err = xpu_memory(o->fd, &m);
	if (!err)
		err = queue_state(o->fd, o->q.id, &state, NULL);
	if (err)
		return err;
	s->hbm_used = m.hbm_used;
	s->state = state;
	s->at_va = word_at(o, o->vm, VA);
	s->at_free = word_at(o, o->vm, VA_FREE);
	return 0;
}

/* Returns 0 or the line that failed. */
static inline int refuse_open(struct refuse *o, unsigned int n)
{
	memset(o, 0, sizeof(*o));
	o->fd = xpu_open(n);
	if (o->fd < 0 || xpu_device(o->fd, &o->dev) ||
	    vm_create(o->fd, &o->vm) ||
	    xq_open(&o->q, o->fd, o->vm, VA_Q, 64))
		return __LINE__;
	if (gem_create(o->fd, HBM_CPU, SIZE, &o->hbm) ||
	    gem_create(o->fd, HBM, SIZE, &o->far) ||
	    gem_create(o->fd, HOST, SIZE, &o->host))
		return __LINE__;
	o->mem = gem_map(o->fd, o->hbm, SIZE);
	if (o->mem == MAP_FAILED)
		return __LINE__;
	o->mem[0] = MARK;
	if (vm_map(o->fd, o->vm, o->hbm, 0, VA, SIZE, RW) ||
	    vm_map(o->fd, o->vm, o->far, 0, VA_FAR, SIZE, RW) ||
	    vm_map(o->fd, o->vm, o->host, 0, VA_R, SIZE, R) ||
	    vm_map(o->fd, o->vm, o->host, 0, VA_W, SIZE, W) ||
	    syncobj_create(o->fd, &o->syncobj))
		return __LINE__;
	/* With as few rights as it takes */
	o->queue = (struct drm_alink_xpu_queue_create) {
		.vm_id = o->vm, .ring = VA_R, .status = VA_W + PAGE, .size = 64,
		.priority = DRM_ALINK_XPU_PRIORITY_NORMAL,
	};
	if (look(o, &o->seen) || o->seen.at_va != MARK || o->seen.at_free)
		return __LINE__;
	return 0;
}

/* Returns what a last command says: whatever was asked, the file works. */
static inline int refuse_close(struct refuse *o)
{
	int err = xq_fill(&o->q, VA, 0x5a5a5a5a, SIZE);

	xq_close(&o->q);
	munmap(o->mem, SIZE);
	close(o->fd);
	return err;
}

/* --- tables --------------------------------------------------------------- */

/* A field of a good argument with another value: what the call returns then */
struct spoilt {
	const char *what;
	size_t offset, size;
	uint64_t value;
	int err;
};

#define SPOILT(type, field, val, error)					\
	{ #field " = " #val, offsetof(struct type, field),		\
	  sizeof(((struct type *)0)->field), (val), (error) }

static inline void spoil(void *arg, const struct spoilt *bad)
{
	memcpy((char *)arg + bad->offset, &bad->value, bad->size);
}

static inline void unchanged(struct __test_metadata *_metadata,
			     const struct refuse *o, const char *what)
{
	struct seen now;

	EXPECT_EQ(look(o, &now), 0) {
		TH_LOG("after %s", what);
	}
	EXPECT_EQ(memcmp(&now, &o->seen, sizeof(now)), 0) {
		TH_LOG("something has changed after %s", what);
	}
}

/* One call for each row: refused for what is spoilt, with no effect. */
static inline void refused(struct __test_metadata *_metadata,
			   const struct refuse *o, unsigned long nr,
			   const void *good, const struct spoilt *bad,
			   unsigned int num)
{
	uint64_t arg[32];
	unsigned int i;

	ASSERT_LE(_IOC_SIZE(nr), sizeof(arg));
	for (i = 0; i < num; i++) {
		memcpy(arg, good, _IOC_SIZE(nr));
		spoil(arg, &bad[i]);
		EXPECT_EQ(xpu_ioctl(o->fd, nr, arg), -bad[i].err) {
			TH_LOG("%s", bad[i].what);
		}
		unchanged(_metadata, o, bad[i].what);
	}
}

#define REFUSED(nr, good, ...)						\
do {									\
	const struct spoilt bad_[] = { __VA_ARGS__ };			\
									\
	refused(_metadata, SELF, DRM_IOCTL_ALINK_XPU_##nr, good, bad_,	\
		sizeof(bad_) / sizeof(bad_[0]));			\
} while (0)

#endif /* REFUSE_H */
