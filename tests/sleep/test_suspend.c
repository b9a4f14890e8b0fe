// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspend with memory in use: what was in HBM is there again afterwards, wherever
 * it was and whoever had it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "suspend.h"

static uint64_t total(int fd)
{
	struct drm_alink_xpu_query_memory m = memory(fd);

	return m.hbm_used + m.hbm_evicted;
}

/* --- contents --------------------------------------------------------------- */

enum how {
	IDLE,
	EXPORTED,		/* as a segment */
	GIVEN,			/* as a dma-buf */
	PEER,			/* as a dma-buf that another xPU has imported */
};

static const struct {
	uint32_t flags;
	uint64_t size;
	enum how how;
} kept[] = {
	{ HBM_CPU, PAGE, IDLE },
	{ HBM_CPU, LARGE, IDLE },
	{ HBM, LARGE, IDLE },
	{ HBM_CPU, PAGE, EXPORTED },
	{ HBM, LARGE + 3 * PAGE, EXPORTED },
	/* More than is copied at once */
	{ HBM, 9 * MIB, EXPORTED },
	{ HBM_CPU, PAGE, GIVEN },
	{ HBM_CPU, LARGE, GIVEN },
	{ HBM_CPU, PAGE, PEER },
	{ HBM_CPU, LARGE, PEER },
};

#define KEPT	(sizeof(kept) / sizeof(kept[0]))

struct object {
	uint32_t bo;
	int buf;
	uint32_t *mem;			/* HBM_CPU: mapped */
	uint32_t *lent;			/* GIVEN: mapped by the dma-buf */
};

/* Returns 0 or the line that failed. */
static int object_make(struct evict *o, int peer, unsigned int n,
		       struct object *obj)
{
	struct drm_alink_xpu_segment_handle h;
	uint64_t size = kept[n].size;
	uint32_t id, theirs;

	if (make(o, n, kept[n].flags, size, &obj->bo))
		return __LINE__;
	if (kept[n].flags == HBM_CPU) {
		obj->mem = gem_map(o->fd, obj->bo, size);
		if (obj->mem == MAP_FAILED)
			return __LINE__;
		pattern_fill(obj->mem, size, n + 1);
	} else if (dev_put(o, VA_OF(n), size, n + 1)) {
		return __LINE__;
	}
	if (kept[n].how == EXPORTED &&
	    seg_export(o->fd, obj->bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &id))
		return __LINE__;
	if (kept[n].how != GIVEN && kept[n].how != PEER)
		return 0;
	obj->buf = prime_export(o->fd, obj->bo, DRM_CLOEXEC | DRM_RDWR);
	if (obj->buf < 0)
		return __LINE__;
	if (kept[n].how == PEER)
		return prime_import(peer, obj->buf, &theirs) ? __LINE__ : 0;
	obj->lent = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 obj->buf, 0);
	return obj->lent == MAP_FAILED ? __LINE__ : 0;
}

static void object_free(unsigned int n, struct object *obj)
{
	if (obj->mem)
		munmap(obj->mem, kept[n].size);
	if (obj->lent)
		munmap(obj->lent, kept[n].size);
	if (obj->buf > 0)
		close(obj->buf);
}

/* What CPUs see of all objects */
static void look(struct __test_metadata *_metadata, const struct object *obj)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++) {
		if (obj[i].mem) {
			EXPECT_EQ(pattern_check(obj[i].mem, kept[i].size, i + 1),
				  kept[i].size) {
				TH_LOG("object %u", i);
			}
		}
		if (obj[i].lent) {
			EXPECT_EQ(pattern_check(obj[i].lent, kept[i].size,
						i + 1), kept[i].size) {
				TH_LOG("dma-buf of object %u", i);
			}
		}
	}
}

/* Twice: the second time it has only just come back, or not yet. */
TEST_F_TIMEOUT(evict, contents, SLOW)
{
	struct drm_alink_xpu_query_memory m;
	struct object obj[KEPT] = {};
	struct evict *o = SELF;
	uint32_t gap[KEPT];
	int peer, round;
	unsigned int i;
	uint64_t before;
	struct xq q;

	peer = xpu_open(0);
	ASSERT_GE(peer, 0);
	/* What stays does not lie side by side. */
	for (i = 0; i < KEPT; i++) {
		ASSERT_EQ(object_make(o, peer, i, &obj[i]), 0) {
			TH_LOG("object %u", i);
		}
		ASSERT_EQ(gem_create(o->fd, i % 2 ? HBM : HBM_CPU, 5 * PAGE,
				     &gap[i]), 0);
	}
	for (i = 0; i < KEPT; i++)
		ASSERT_EQ(gem_close(o->fd, gap[i]), 0);
	/* A queue with all that it has in HBM */
	ASSERT_EQ(xq_open_in(&q, o->fd, o->vm, VA_Q + LARGE, 16,
			     DRM_ALINK_XPU_PRIORITY_NORMAL, HBM_CPU), 0);
	ASSERT_EQ(xq_run(&q, (struct alink_xpu_desc) {}, NULL), 0);

	for (round = 0; round < 2; round++) {
		before = total(o->fd);
		m = memory(o->fd);
		ASSERT_EQ(fall_asleep(), 0);
		EXPECT_EQ(total(o->fd), before);
		EXPECT_GT(memory(o->fd).evictions, m.evictions);
		/* Before an engine needs any of it */
		look(_metadata, obj);
		canceled(_metadata, &o->q);
		canceled(_metadata, &q);
		EXPECT_EQ(*q.fence, 1);
		ASSERT_EQ(renew(o), 0);
		for (i = 0; i < KEPT; i++) {
			EXPECT_EQ(dev_check(o, VA_OF(i), kept[i].size, i + 1),
				  0) {
				TH_LOG("object %u", i);
			}
		}
		look(_metadata, obj);
		EXPECT_EQ(total(o->fd), before);
	}
	xq_close(&q);
	for (i = 0; i < KEPT; i++)
		object_free(i, &obj[i]);
	close(peer);
}

/* --- queues ------------------------------------------------------------------ */

TEST_F_TIMEOUT(evict, queues_end, SLOW)
{
	struct evict *o = SELF;
	uint32_t bo;
	pid_t pid;

	ASSERT_EQ(make(o, 0, HBM, LARGE, &bo), 0);
	xq_push_endless(&o->q);
	pid = xq_waiter(&o->q);
	ASSERT_EQ(fall_asleep(), 0);
	EXPECT_EQ(child_status(pid), ECANCELED);
	canceled(_metadata, &o->q);
	/* Nobody listens at its doorbell. */
	*o->q.doorbell = 9;
	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(dev_put(o, VA_OF(0), LARGE, 3), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), LARGE, 3), 0);
}

#define FILLS	32768

/* What a fence says is done is there, in memory that stays in HBM. */
TEST_F_TIMEOUT(evict, fences_tell_the_truth, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	const uint64_t size = 16 * MIB;
	struct evict *o = SELF;
	uint32_t bo, id, done;
	struct xq q;
	size_t k;
	int i;

	ASSERT_EQ(make(o, 0, HBM, size, &bo), 0);
	ASSERT_EQ(seg_export(o->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &id),
		  0);
	ASSERT_EQ(xq_open(&q, o->fd, o->vm, VA_Q + 2 * LARGE, FILLS), 0);
	for (i = 1; i < FILLS; i++)
		xq_push(&q, fill_desc(VA_OF(0), i, size));
	xq_ring(&q);
	while (!*q.fence)
		usleep(1000);
	ASSERT_EQ(fall_asleep(), 0);
	canceled(_metadata, &q);
	done = *q.fence;
	ASSERT_EQ(renew(o), 0);
	ASSERT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0), size), NULL), 0);
	/* The next may have begun. */
	for (k = 0; k < size / 4; k++)
		if (o->out[k] != done && o->out[k] != done + 1)
			break;
	EXPECT_EQ(k, size / 4) {
		TH_LOG("%#x at %zu after fence %#x", o->out[k], k * 4, done);
	}
	TH_LOG("%u of %u were done", done, FILLS - 1);
	xq_close(&q);
}

/* --- what was made before ------------------------------------------------------ */

/* VMs and objects stay. The rest is over, is said to be, and can be given back. */
TEST_F_TIMEOUT(evict, made_before, SLOW)
{
	struct drm_alink_xpu_segment_handle h, theirs, again;
	struct drm_alink_xpu_fence_syncobj fence = {
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
	};
	uint32_t bo, their_bo, id, their_id, import;
	struct evict *o = SELF;
	int peer, file;

	peer = xpu_open(0);
	ASSERT_GE(peer, 0);
	ASSERT_EQ(gem_create(peer, HBM, LARGE, &their_bo), 0);
	ASSERT_EQ(seg_export(peer, their_bo, DRM_ALINK_XPU_SEGMENT_READ,
			     &theirs, &their_id), 0);
	ASSERT_EQ(make(o, 0, HBM, LARGE, &bo), 0);
	ASSERT_EQ(seg_export(o->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &id),
		  0);
	ASSERT_EQ(seg_import(o->fd, &theirs, &import), 0);
	ASSERT_EQ(vm_map(o->fd, o->vm, import, 0, VA_OF(1), PAGE,
			 DRM_ALINK_XPU_VM_BIND_READ), 0);
	fence.queue_id = o->q.id;
	fence.handle = o->q.bo;
	fence.addr = o->q.fence_offset;
	fence.value = 1;
	ASSERT_EQ(syncobj_create(o->fd, &fence.syncobj), 0);
	ASSERT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &fence),
		  0);
	file = syncobj_export(o->fd, fence.syncobj, true);
	ASSERT_GE(file, 0);

	ASSERT_EQ(fall_asleep(), 0);
	canceled(_metadata, &o->q);
	xq_push(&o->q, fill_desc(VA_OF(0), 1, PAGE));
	xq_ring(&o->q);
	EXPECT_EQ(xq_wait(&o->q, LONG_MS, NULL), -ECANCELED);
	EXPECT_EQ(syncobj_wait(o->fd, fence.syncobj, 0, LONG_MS), 0);
	EXPECT_LT(sync_file_status(file), 0);
	EXPECT_EQ(queue_destroy(o->fd, o->q.id), 0);
	EXPECT_EQ(queue_destroy(o->fd, o->q.id), -ENOENT);

	EXPECT_EQ(vm_map(o->fd, o->vm, import, 0, VA_OF(2), PAGE,
			 DRM_ALINK_XPU_VM_BIND_READ), -ECANCELED);
	EXPECT_EQ(vm_unmap(o->fd, o->vm, VA_OF(1), PAGE), 0);
	EXPECT_EQ(gem_close(o->fd, import), 0);
	EXPECT_EQ(seg_revoke(o->fd, id), 0);
	EXPECT_EQ(seg_revoke(o->fd, id), -ENOENT);
	EXPECT_EQ(seg_revoke(peer, their_id), 0);
	ASSERT_EQ(seg_export(o->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &again,
			     &id), 0);
	EXPECT_NE(again.key, h.key);

	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(dev_put(o, VA_OF(0), LARGE, 2), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), LARGE, 2), 0);
	close(file);
	close(peer);
}

/* --- those who go on ---------------------------------------------------------- */

struct busy {
	int fd;
	struct drm_alink_xpu_segment_handle theirs;	/* another xPU's */
	uint32_t syncobj;
	atomic_bool stop;
	atomic_uint rounds;
	int line, err;			/* what failed */
};

#define CALL(b, call)							\
do {									\
	(b)->err = (call);						\
	if ((b)->err) {							\
		(b)->line = __LINE__;					\
		return NULL;						\
	}								\
} while (0)

/* HBM comes and goes, as do exports, which bring back what is away. */
static void *come_and_go(void *arg)
{
	struct drm_alink_xpu_segment_handle h;
	struct busy *b = arg;
	uint32_t bo, id;

	while (!b->stop) {
		CALL(b, gem_create(b->fd, HBM_CPU, LARGE, &bo));
		CALL(b, seg_export(b->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h,
				   &id));
		CALL(b, seg_revoke(b->fd, id));
		CALL(b, gem_close(b->fd, bo));
		b->rounds++;
	}
	return NULL;
}

/* Each of the other calls. The sleep may end a queue, and nothing else. */
static void *call_all(void *arg)
{
	struct busy *b = arg;
	struct drm_alink_xpu_sync sync = {
		.handle = b->syncobj, .flags = DRM_ALINK_XPU_SYNC_SIGNAL,
	};
	struct drm_alink_xpu_vm_bind_op unmap = {
		.op = DRM_ALINK_XPU_VM_BIND_UNMAP, .addr = VA, .range = LARGE,
	};
	struct drm_alink_xpu_query_counters counters;
	struct drm_alink_xpu_query_device device;
	struct drm_alink_xpu_query_memory m;
	uint32_t vm, bo, import, state;
	uint64_t offset;
	struct xq q;
	int err;

	while (!b->stop) {
		CALL(b, xpu_device(b->fd, &device));
		CALL(b, xpu_counters(b->fd, &counters));
		CALL(b, xpu_memory(b->fd, &m));
		CALL(b, vm_create(b->fd, &vm));
		CALL(b, gem_create(b->fd, HOST, LARGE, &bo));
		CALL(b, gem_offset(b->fd, bo, &offset));
		CALL(b, vm_map(b->fd, vm, bo, 0, VA, LARGE, RW));
		CALL(b, seg_import(b->fd, &b->theirs, &import));
		CALL(b, gem_close(b->fd, import));
		CALL(b, xq_open(&q, b->fd, vm, VA_Q, 64));
		xq_push(&q, fill_desc(VA, 1, PAGE));
		xq_ring(&q);
		err = xq_wait(&q, LONG_MS, NULL);
		CALL(b, err == -ECANCELED ? 0 : err);
		CALL(b, queue_state(b->fd, q.id, &state, NULL));
		xq_close(&q);
		CALL(b, vm_bind_async(b->fd, vm, &unmap, 1, &sync, 1));
		CALL(b, syncobj_wait(b->fd, b->syncobj, 0, LONG_MS));
		CALL(b, vm_destroy(b->fd, vm));
		CALL(b, gem_close(b->fd, bo));
		b->rounds++;
	}
	return NULL;
}

/* Two sleeps while a thread goes on, and on afterwards */
static void sleep_meanwhile(struct __test_metadata *_metadata,
			    struct evict *o, void *(*thread_fn)(void *))
{
	struct busy b = { .fd = xpu_open(XPU) };
	uint32_t bo, their_bo, id;
	unsigned int n = 0;
	pthread_t thread;
	int i, peer;

	ASSERT_GE(b.fd, 0);
	peer = xpu_open(0);
	ASSERT_GE(peer, 0);
	ASSERT_EQ(gem_create(peer, HBM, PAGE, &their_bo), 0);
	ASSERT_EQ(seg_export(peer, their_bo, DRM_ALINK_XPU_SEGMENT_READ,
			     &b.theirs, &id), 0);
	ASSERT_EQ(syncobj_create(b.fd, &b.syncobj), 0);
	ASSERT_EQ(make(o, 0, HBM, LARGE, &bo), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), LARGE, 4), 0);
	for (i = 0; i < 2; i++) {
		n = b.rounds;
		b.stop = false;
		b.err = 0;
		ASSERT_EQ(pthread_create(&thread, NULL, thread_fn, &b), 0);
		while (b.rounds < n + 3 && !b.err)
			usleep(1000);
		EXPECT_EQ(fall_asleep(), 0);
		n = b.rounds;
		while (b.rounds < n + 3 && !b.err)
			usleep(1000);
		b.stop = true;
		pthread_join(thread, NULL);
		EXPECT_EQ(b.err, 0) {
			TH_LOG("line %d", b.line);
		}
	}
	TH_LOG("%u rounds", b.rounds);
	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), LARGE, 4), 0);
	close(peer);
	close(b.fd);
}

/* Who wants HBM meanwhile waits, and gets it. */
TEST_F_TIMEOUT(evict, meanwhile, SLOW)
{
	sleep_meanwhile(_metadata, SELF, come_and_go);
}

/* All that is asked for meanwhile is done, before the sleep or after it. */
TEST_F_TIMEOUT(evict, calls_meanwhile, SLOW)
{
	sleep_meanwhile(_metadata, SELF, call_all);
}

TEST_HARNESS_MAIN
