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

/* --- those who go on ---------------------------------------------------------- */

struct busy {
	int fd;
	atomic_bool stop;
	atomic_uint rounds;
	int err;
};

/* HBM comes and goes, as do exports, which bring back what is away. */
static void *come_and_go(void *arg)
{
	struct drm_alink_xpu_segment_handle h;
	struct busy *b = arg;
	uint32_t bo, id;

	while (!b->stop && !b->err) {
		b->err = gem_create(b->fd, HBM_CPU, LARGE, &bo);
		if (b->err)
			break;
		b->err = seg_export(b->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h,
				    &id);
		if (!b->err)
			b->err = seg_revoke(b->fd, id);
		if (!b->err)
			b->err = gem_close(b->fd, bo);
		b->rounds++;
	}
	return NULL;
}

/* Who wants HBM meanwhile waits, and gets it. */
TEST_F_TIMEOUT(evict, meanwhile, SLOW)
{
	struct busy b = { .fd = xpu_open(XPU) };
	struct evict *o = SELF;
	unsigned int n = 0;
	pthread_t thread;
	uint32_t bo;
	int i;

	ASSERT_GE(b.fd, 0);
	ASSERT_EQ(make(o, 0, HBM, LARGE, &bo), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), LARGE, 4), 0);
	for (i = 0; i < 2; i++) {
		n = b.rounds;
		b.stop = false;
		b.err = 0;
		ASSERT_EQ(pthread_create(&thread, NULL, come_and_go, &b), 0);
		while (b.rounds < n + 3 && !b.err)
			usleep(1000);
		EXPECT_EQ(fall_asleep(), 0);
		n = b.rounds;
		while (b.rounds < n + 3 && !b.err)
			usleep(1000);
		b.stop = true;
		pthread_join(thread, NULL);
		EXPECT_EQ(b.err, 0);
	}
	TH_LOG("%u rounds", b.rounds);
	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), LARGE, 4), 0);
	close(b.fd);
}

TEST_HARNESS_MAIN
