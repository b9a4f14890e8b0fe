// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eviction: what stays in HBM, as others reach it there or as it is the status
 * block of a queue, and what that leaves to those who do not.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "evict.h"

/* --- exports ---------------------------------------------------------------- */

TEST_F_TIMEOUT(evict, exported, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	struct drm_alink_xpu_query_memory m;
	struct evict *o = SELF;
	uint32_t a, b, bo, id[2], none;

	ASSERT_EQ(make(o, 0, HBM, SIZE, &a), 0);
	ASSERT_EQ(make(o, 1, HBM, SIZE, &b), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), SIZE, 1), 0);
	ASSERT_EQ(seg_export(o->fd, a, DRM_ALINK_XPU_SEGMENT_READ, &h, &id[0]),
		  0);
	ASSERT_EQ(seg_export(o->fd, b, DRM_ALINK_XPU_SEGMENT_READ, &h, &id[1]),
		  0);
	ASSERT_EQ(make(o, 2, HBM, SIZE, &bo), 0);
	m = memory(o->fd);
	EXPECT_EQ(m.hbm_used, 3 * SIZE);
	/* Only the third may go. */
	ASSERT_EQ(make(o, 3, HBM, SIZE, &bo), 0);
	EXPECT_EQ(memory(o->fd).evictions, m.evictions + 1);
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 1), 0);
	EXPECT_EQ(memory(o->fd).restores, m.restores);
	/* For more than the rest nobody goes, and there is no more. */
	EXPECT_EQ(make(o, 4, HBM, FULL - SIZE, &none), -ENOSPC);
	EXPECT_EQ(memory(o->fd).evictions, m.evictions + 1);

	/* So much stays that what is away cannot come back? No. */
	EXPECT_EQ(seg_export(o->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &none),
		  -ENOSPC);
	ASSERT_EQ(seg_revoke(o->fd, id[1]), 0);
	EXPECT_EQ(seg_export(o->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &none),
		  0);
	EXPECT_EQ(run(o, fill_desc(VA_OF(2), 2, SIZE), NULL), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 1), 0);
	ASSERT_EQ(seg_revoke(o->fd, id[0]), 0);
	ASSERT_EQ(seg_revoke(o->fd, none), 0);
	EXPECT_EQ(make(o, 4, HBM, FULL - SIZE, &bo), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 1), 0);
}

/* Enough would be left, but not where a CPU sees it. */
TEST_F_TIMEOUT(evict, room_that_is_visible, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	const uint64_t size = 32 * MIB;
	struct evict *o = SELF;
	uint32_t a, b, id;

	ASSERT_EQ(make(o, 0, HBM_CPU, size, &a), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), SIZE, 1), 0);
	ASSERT_EQ(make(o, 1, HBM_CPU, size, &b), 0);
	ASSERT_EQ(memory(o->fd).hbm_evicted, size);
	EXPECT_EQ(seg_export(o->fd, b, DRM_ALINK_XPU_SEGMENT_READ, &h, &id),
		  -ENOSPC);
	/* It may leave, as before, and then it may stay. */
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 1), 0);
	ASSERT_EQ(vm_unmap(o->fd, o->vm, VA_OF(0), size), 0);
	ASSERT_EQ(gem_close(o->fd, a), 0);
	EXPECT_EQ(seg_export(o->fd, b, DRM_ALINK_XPU_SEGMENT_READ, &h, &id), 0);
}

/* Enough would be left, but in more places than an object can have. */
TEST_F_TIMEOUT(evict, room_in_few_places, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	const unsigned int num = FULL / MIB;
	const uint64_t size = 40 * MIB;
	unsigned int i, stay = 0;
	struct evict *o = SELF;
	uint32_t a, bo[num], id;
	int err = 0;

	ASSERT_EQ(make(o, 0, HBM, size, &a), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), SIZE, 1), 0);
	for (i = 0; i < num; i++)
		ASSERT_EQ(make(o, -1, HBM, MIB, &bo[i]), 0);
	ASSERT_EQ(memory(o->fd).hbm_evicted, size);
	/* Those that are made one after the other lie side by side. */
	for (i = 0; i < num && !err; i += 2) {
		err = seg_export(o->fd, bo[i], DRM_ALINK_XPU_SEGMENT_READ, &h,
				 &id);
		stay += !err;
	}
	EXPECT_EQ(err, -ENOSPC);
	EXPECT_GT(stay, 0);
	EXPECT_LT(stay, (FULL - size) / MIB);
	/* With all of these it comes back. */
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 1), 0);
	TH_LOG("%u stay", stay);
}

/* An export brings back what it needs. */
TEST_F_TIMEOUT(evict, exported_when_away, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	struct drm_alink_xpu_query_memory m;
	struct evict *o = SELF;
	uint32_t a, id;

	ASSERT_EQ(make(o, 0, HBM, SIZE, &a), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), SIZE, 2), 0);
	send_away(_metadata, o);
	m = memory(o->fd);
	ASSERT_EQ(seg_export(o->fd, a, DRM_ALINK_XPU_SEGMENT_READ, &h, &id), 0);
	EXPECT_EQ(memory(o->fd).restores, m.restores + 1);
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 2), 0);
	EXPECT_EQ(memory(o->fd).restores, m.restores + 1);
}

static struct alink_xpu_desc wait_desc(uint64_t va, uint64_t value)
{
	return (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_WAIT, .subop = ALINK_WAIT_EQ,
		.dst = va, .src = value,
	};
}

struct importer {
	int fd, buf, err;
	uint32_t bo;
	int64_t took;
	atomic_bool over;
};

static void *import_it(void *arg)
{
	struct importer *i = arg;

	i->took = now_ns();
	i->err = prime_import(i->fd, i->buf, &i->bo);
	i->took = now_ns() - i->took;
	i->over = true;
	return NULL;
}

static bool evicted_is(struct evict *o, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < 10000 && memory(o->fd).hbm_evicted != size; i++)
		usleep(1000);
	return memory(o->fd).hbm_evicted == size;
}

/* An import in another xPU that has to wait for HBM lets others go on there. */
TEST_F_TIMEOUT(evict, imported_when_away, SLOW)
{
	struct importer i = { .fd = xpu_open(0) };
	struct drm_alink_xpu_query_memory m;
	const uint64_t size = 24 * MIB;
	int64_t before, longest = 0;
	struct evict *o = SELF;
	pthread_t thread;
	uint32_t bo[3];
	struct xq q;
	int k;

	ASSERT_GE(i.fd, 0);
	ASSERT_EQ(xq_open(&q, o->fd, o->vm, VA_Q + LARGE, 16), 0);
	for (k = 0; k < 3; k++)
		ASSERT_EQ(make(o, k, HBM, k ? size : SIZE, &bo[k]), 0);
	pattern_fill(o->out, SIZE, 1);
	xq_push(&q, copy_desc(VA_OF(0), VA_OUT, SIZE));
	xq_ring(&q);
	ASSERT_EQ(xq_wait(&q, LONG_MS, NULL), 0);
	i.buf = prime_export(o->fd, bo[0], DRM_CLOEXEC | DRM_RDWR);
	ASSERT_GE(i.buf, 0);
	/* All else comes for commands that are not over: it stays for 2 s. */
	xq_push(&o->q, wait_desc(VA_OF(1), 9));
	xq_ring(&o->q);
	ASSERT_TRUE(evicted_is(o, size));
	xq_push(&q, wait_desc(VA_OF(2), 9));
	xq_ring(&q);
	ASSERT_TRUE(evicted_is(o, SIZE));

	m = memory(o->fd);
	ASSERT_EQ(pthread_create(&thread, NULL, import_it, &i), 0);
	while (!i.over) {
		before = now_ns();
		ASSERT_EQ(gem_create(i.fd, HOST, PAGE, &bo[1]), 0);
		ASSERT_EQ(gem_close(i.fd, bo[1]), 0);
		longest = now_ns() - before > longest ? now_ns() - before :
							longest;
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(i.err, 0);
	EXPECT_GE(memory(o->fd).restores, m.restores + 1);
	/* On a slow machine these 2 s may have been over before. */
	if (i.took > 500000000) {
		EXPECT_LT(longest, i.took / 2);
	}
	TH_LOG("import %ld ms, others %ld ms", i.took / 1000000,
	       longest / 1000000);
	xq_close(&q);
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 1), 0);
	close(i.buf);
	close(i.fd);
}

/* With all that there is exported, there is no more, as ever. */
TEST_F_TIMEOUT(evict, nothing_may_go, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	struct drm_alink_xpu_query_memory m;
	struct evict *o = SELF;
	uint32_t bo, id;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(make(o, -1, HBM, FULL / 4, &bo), 0);
		ASSERT_EQ(seg_export(o->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h,
				     &id), 0);
	}
	m = memory(o->fd);
	EXPECT_EQ(m.hbm_used, FULL);
	EXPECT_EQ(make(o, -1, HBM, PAGE, &bo), -ENOSPC);
	EXPECT_EQ(make(o, -1, HBM_CPU, PAGE, &bo), -ENOSPC);
	EXPECT_EQ(make(o, -1, HBM, FULL + PAGE, &bo), -E2BIG);
	EXPECT_EQ(memory(o->fd).evictions, m.evictions);
}

/* --- status blocks ------------------------------------------------------------ */

/* The queue with its status block at VA_OF(1) executes a command. 0 or a line. */
static int status_works(struct evict *o, uint32_t id, uint64_t doorbell_at,
			struct alink_xpu_desc *ring)
{
	volatile uint32_t *doorbell = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED,
					   o->fd, doorbell_at);
	struct drm_alink_xpu_wait_fence w = {
		.queue_id = id, .handle = o->q.bo,
		.addr = o->q.fence_offset + 64, .value = 1,
		.timeout_ns = now_ns() + LONG_MS * 1000000LL,
	};
	uint32_t state;

	if (doorbell == MAP_FAILED)
		return __LINE__;
	o->q.fence[8] = 0;
	ring[0] = (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_NOP,
		.flags = ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ,
		.fence_addr = o->q.va + w.addr, .fence_value = 1,
	};
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	doorbell[ALINK_XPU_DB_TAIL / 4] = 1;
	if (xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w))
		return __LINE__;
	/* Behind it in another queue, so that the status block is written. */
	if (run(o, (struct alink_xpu_desc) {}, NULL))
		return __LINE__;
	if (queue_state(o->fd, id, &state, NULL) ||
	    state != DRM_ALINK_XPU_QUEUE_RUNNING)
		return __LINE__;
	munmap((void *)doorbell, PAGE);
	return 0;
}

/*
 * A bind that waits is for memory that was away when it was asked for. Meanwhile
 * that has come back to stay, as the status block of a queue is in it.
 */
TEST_F_TIMEOUT(evict, asynchronous_status, SLOW)
{
	const uint64_t size = 4 * MIB, parts[] = { size, 2 * PAGE };
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_MAP, .flags = RWA, .addr = VA_OF(1),
	};
	struct drm_alink_xpu_queue_create c;
	struct drm_alink_xpu_fence_syncobj f = {
		.handle = SELF->q.bo, .value = 1,
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
		.addr = SELF->q.fence_offset + 16,
	};
	struct drm_alink_xpu_sync sync[2] = {
		{}, { .flags = DRM_ALINK_XPU_SYNC_SIGNAL },
	};
	volatile uint64_t *word = SELF->q.fence + 2;
	volatile struct alink_xpu_queue_status *status;
	struct alink_xpu_desc *ring;
	struct evict *o = SELF;
	uint32_t rings, st;
	unsigned int i, k;
	uint64_t restores;

	ASSERT_EQ(syncobj_create(o->fd, &f.syncobj), 0);
	ASSERT_EQ(syncobj_create(o->fd, &sync[1].handle), 0);
	sync[0].handle = f.syncobj;
	ASSERT_EQ(make(o, 0, HOST, PAGE, &rings), 0);
	ring = gem_map(o->fd, rings, PAGE);
	ASSERT_NE(ring, MAP_FAILED);
	ASSERT_EQ(make(o, 1, HBM_CPU, size, &st), 0);
	status = gem_map(o->fd, st, size);
	ASSERT_NE(status, MAP_FAILED);
	op.handle = st;

	/* All that is bound, and a part of it */
	for (i = 0; i < 2; i++) {
		/* The second time all others go first. */
		for (k = 0; k < (i ? 5 : 1); k++)
			send_away(_metadata, o);
		restores = memory(o->fd).restores;
		*word = 0;
		op.range = parts[i];
		ASSERT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ,
				    &f), 0);
		ASSERT_EQ(vm_bind_async(o->fd, o->vm, &op, 1, sync, 2), 0);
		c = (struct drm_alink_xpu_queue_create) {
			.vm_id = o->vm, .ring = VA_OF(0), .status = VA_OF(1),
			.size = 2, .priority = DRM_ALINK_XPU_PRIORITY_NORMAL,
		};
		ASSERT_EQ(queue_create(o->fd, &c), 0);
		ASSERT_EQ(memory(o->fd).restores, restores + 1);
		*word = 1;
		ASSERT_EQ(syncobj_wait(o->fd, sync[1].handle, 0, LONG_MS), 0);
		EXPECT_EQ(status_works(o, c.queue_id, c.doorbell_offset, ring),
			  0);
		EXPECT_EQ(status->head, 1);
		EXPECT_EQ(status->error, 0);
		ASSERT_EQ(queue_destroy(o->fd, c.queue_id), 0);
	}
}

#define PART		(16 * MIB)
#define CREATIONS	500

struct around {
	struct evict *o;
	uint32_t bo;
	atomic_bool stop;
	atomic_uint changes;
	int err;
};

/* What is bound ends a page earlier or later; its start always is. */
static void *change_around(void *arg)
{
	struct around *a = arg;
	uint64_t va = VA_OF(1) + PAGE;

	while (!a->stop && !a->err) {
		a->err = vm_unmap(a->o->fd, a->o->vm, va + PART - PAGE, PAGE);
		if (!a->err)
			a->err = vm_map(a->o->fd, a->o->vm, a->bo, 0, va, PART,
					RW);
		a->changes++;
	}
	return NULL;
}

TEST_F_TIMEOUT(evict, status_whose_binding_changes, SLOW)
{
	struct drm_alink_xpu_queue_create c;
	int64_t end = now_ns() + 60 * 1000000000LL;
	struct around a = { .o = SELF };
	struct evict *o = SELF;
	unsigned int i, n;
	pthread_t thread;
	uint32_t bo;
	int err = 0;

	/* It goes away once, so there may be marks; no large page fits. */
	ASSERT_EQ(make(o, -1, HBM_CPU, PART, &a.bo), 0);
	ASSERT_EQ(vm_map(o->fd, o->vm, a.bo, 0, VA_OF(1) + PAGE, PART, RW), 0);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(make(o, -1, HBM, SIZE, &bo), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, change_around, &a), 0);
	for (i = 0; i < CREATIONS && !err && now_ns() < end; i++) {
		c = (struct drm_alink_xpu_queue_create) {
			.vm_id = o->vm, .ring = o->q.va,
			.status = VA_OF(1) + PAGE, .size = 2,
			.priority = DRM_ALINK_XPU_PRIORITY_NORMAL,
		};
		err = queue_create(o->fd, &c);
		if (!err)
			err = queue_destroy(o->fd, c.queue_id);
	}
	n = a.changes;
	a.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(err, 0) {
		TH_LOG("creation %u", i);
	}
	EXPECT_EQ(a.err, 0);
	EXPECT_GT(n, 20);
	TH_LOG("%u creations, %u changes", i, n);
}

TEST_HARNESS_MAIN
