// SPDX-License-Identifier: GPL-2.0-only
/*
 * Suspend that is refused: the machine does not sleep, and nobody has lost
 * anything. And a device that does not wake up when all others do.
 */
#include <signal.h>
#include <sys/wait.h>

#include "suspend.h"

#define GIB	(1UL << 30)

/* --- for want of memory ------------------------------------------------------ */

/* An xPU with an object at VA_OF(0), the first half of which has a pattern */
struct side {
	int fd;
	uint32_t vm;
	struct xq q;
	uint32_t *mem;
};

static int side_open(struct side *s, unsigned int n)
{
	uint32_t bo;

	memset(s, 0, sizeof(*s));
	s->fd = xpu_open(n);
	if (s->fd < 0)
		return __LINE__;
	if (vm_create(s->fd, &s->vm) ||
	    xq_open(&s->q, s->fd, s->vm, VA_Q, 64) ||
	    gem_create(s->fd, HBM_CPU, 2 * LARGE, &bo) ||
	    vm_map(s->fd, s->vm, bo, 0, VA_OF(0), 2 * LARGE, RW))
		return __LINE__;
	s->mem = gem_map(s->fd, bo, 2 * LARGE);
	if (s->mem == MAP_FAILED)
		return __LINE__;
	pattern_fill(s->mem, LARGE, 7);
	return 0;
}

/* Its queue, the same as before, works with what is there, and a CPU sees it. */
static int side_works(struct side *s)
{
	memset(s->mem + LARGE / 4, 0, LARGE);
	xq_push(&s->q, copy_desc(VA_OF(0) + LARGE, VA_OF(0), LARGE));
	xq_ring(&s->q);
	if (xq_wait(&s->q, LONG_MS, NULL))
		return __LINE__;
	if (pattern_check(s->mem, LARGE, 7) != LARGE ||
	    pattern_check(s->mem + LARGE / 4, LARGE, 7) != LARGE)
		return __LINE__;
	return 0;
}

static void side_close(struct side *s)
{
	munmap(s->mem, 2 * LARGE);
	xq_close(&s->q);
	close(s->fd);
}

/* There is no memory for a copy of what one xPU has to keep in HBM. */
TEST_F_TIMEOUT(evict, refused_without_memory, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	struct evict *o = SELF;
	uint32_t bo, big, id, state;
	struct side s[2];
	pid_t pid;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(side_open(&s[i], i), 0);
	ASSERT_EQ(gem_create(s[1].fd, HBM, 3 * GIB, &big), 0);
	ASSERT_EQ(seg_export(s[1].fd, big, DRM_ALINK_XPU_SEGMENT_READ, &h, &id),
		  0);
	ASSERT_EQ(make(o, 0, HBM, LARGE, &bo), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), LARGE, 5), 0);
	xq_push_endless(&o->q);
	pid = xq_waiter(&o->q);

	EXPECT_EQ(fall_asleep(), -ENOMEM);
	EXPECT_TRUE(log_says("no sleep: 3145728 KiB have to stay in HBM"));
	/* Nothing has ended, and nothing is missing. */
	EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
	ASSERT_EQ(queue_state(o->fd, o->q.id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_RUNNING);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(side_works(&s[i]), 0);
	/* HBM is there for those who want more. */
	ASSERT_EQ(gem_create(o->fd, HBM, LARGE, &bo), 0);
	ASSERT_EQ(gem_create(s[1].fd, HBM, LARGE, &bo), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), LARGE, 5), 0);

	/* With that gone it sleeps. */
	ASSERT_EQ(seg_revoke(s[1].fd, id), 0);
	ASSERT_EQ(gem_close(s[1].fd, big), 0);
	ASSERT_EQ(fall_asleep(), 0);
	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), LARGE, 5), 0);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(pattern_check(s[i].mem, LARGE, 7), LARGE);
		side_close(&s[i]);
	}
}

/* --- by the device ------------------------------------------------------------- */

/* It stops answering when all others stand still: it is reset. */
TEST_F_TIMEOUT(evict, refused_by_the_device, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	struct evict *o = SELF;
	uint32_t bo, id;
	bool early;

	ASSERT_EQ(make(o, 0, HBM, LARGE, &bo), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), LARGE, 6), 0);
	ASSERT_EQ(seg_export(o->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &id),
		  0);
	ASSERT_EQ(model_set(MODEL, "x-admin-stuck", true), 0);
	/* Longer than the driver waits for answers */
	EXPECT_EQ(fall_asleep_for(200, &early), -ETIMEDOUT);
	EXPECT_EQ(gem_create(o->fd, HBM, PAGE, &bo), -EIO);
	canceled(_metadata, &o->q);
	ASSERT_EQ(model_set(MODEL, "x-admin-stuck", false), 0);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	/* It was never without power. */
	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), LARGE, 6), 0);
	EXPECT_EQ(gem_create(o->fd, HBM, PAGE, &bo), 0);
	EXPECT_EQ(fall_asleep(), 0);
}

/* --- the device does not come back, or later ---------------------------------- */

TEST_F_TIMEOUT(evict, comes_back_by_a_later_reset, SLOW)
{
	struct drm_alink_xpu_segment_handle h;
	struct evict *o = SELF;
	uint32_t a, b, id, bo, *mem;

	ASSERT_EQ(make(o, 0, HBM_CPU, LARGE, &a), 0);
	ASSERT_EQ(make(o, 1, HBM_CPU, LARGE, &b), 0);
	mem = gem_map(o->fd, b, LARGE);
	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(dev_put(o, VA_OF(0), LARGE, 8), 0);
	ASSERT_EQ(dev_put(o, VA_OF(1), LARGE, 9), 0);
	ASSERT_EQ(seg_export(o->fd, a, DRM_ALINK_XPU_SEGMENT_READ, &h, &id), 0);

	/* Longer than the driver waits for it */
	ASSERT_EQ(model_put(MODEL, "x-reset-us", "600000000"), 0);
	EXPECT_EQ(fall_asleep(), 0);
	EXPECT_EQ(gem_create(o->fd, HBM, PAGE, &bo), -EIO);
	/* That is in system memory, which needs no device. */
	EXPECT_EQ(pattern_check(mem, LARGE, 9), LARGE);

	ASSERT_EQ(model_put(MODEL, "x-reset-us", "0"), 0);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), LARGE, 8), 0);
	EXPECT_EQ(dev_check(o, VA_OF(1), LARGE, 9), 0);
	EXPECT_EQ(gem_create(o->fd, HBM, PAGE, &bo), 0);
	munmap(mem, LARGE);
}

/* --- for bad memory: last, as it leaves a page that nobody gets any more -------- */

#define BAD_PAGE	0x2345000UL

static bool pending_is(int fd, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < 3000 && memory(fd).hbm_pending != size; i++)
		usleep(10000);
	return memory(fd).hbm_pending == size;
}

/* Whoever has a bad page would find something else in it afterwards. */
TEST_F_TIMEOUT(evict, refused_with_bad_memory, SLOW)
{
	struct evict *o = SELF;
	uint64_t size = memory(o->fd).hbm_total, at;
	char text[32];
	uint32_t bo;
	int err = 0;

	ASSERT_EQ(make(o, 0, HBM, size, &bo), 0);
	snprintf(text, sizeof(text), "%lu", BAD_PAGE);
	ASSERT_EQ(model_put(MODEL, "x-ecc-poison-addr", text), 0);
	for (at = 0; at < size && !err; at += LARGE)
		err = run(o, copy_desc(VA_OUT, VA_OF(0) + at,
				       size - at < LARGE ? size - at : LARGE),
			  NULL);
	ASSERT_EQ(err, -EIO);
	ASSERT_TRUE(pending_is(o->fd, PAGE));
	EXPECT_EQ(fall_asleep(), -EBUSY);
	EXPECT_TRUE(log_says("no sleep: 4 KiB of HBM that went bad are in use"));

	ASSERT_EQ(renew(o), 0);
	EXPECT_EQ(run(o, fill_desc(VA_OF(0), 1, PAGE), NULL), 0);
	ASSERT_EQ(vm_unmap(o->fd, o->vm, VA_OF(0), size), 0);
	ASSERT_EQ(gem_close(o->fd, bo), 0);
	ASSERT_TRUE(pending_is(o->fd, 0));
	EXPECT_EQ(fall_asleep(), 0);
}

TEST_HARNESS_MAIN
