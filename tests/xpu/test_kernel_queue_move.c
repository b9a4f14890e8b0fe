// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own queue, as it moves HBM objects out and back: when its engine
 * hangs, no data is lost.
 */
#include "evict.h"
#include "kernel_queue.h"

#define OBJECTS	3	/* as many as fit */

#define EXPECT_MORE(was, queues, resets, generations) \
	EXPECT_COUNTS(SELF->fd, self->sysfs, was, queues, resets, generations)

/* HBM is full of objects that can be told apart. */
static void fill_up(struct __test_metadata *_metadata, struct evict *o)
{
	uint32_t bo;
	int i;

	for (i = 0; i < OBJECTS; i++) {
		ASSERT_EQ(make(o, i, HBM, SIZE, &bo), 0);
		ASSERT_EQ(dev_put(o, VA_OF(i), SIZE, i), 0);
	}
	ASSERT_EQ(memory(o->fd).hbm_evicted, 0);
}

static void expect_all(struct __test_metadata *_metadata, struct evict *o)
{
	int i;

	for (i = 0; i < OBJECTS; i++)
		EXPECT_EQ(dev_check(o, VA_OF(i), SIZE, i), 0) {
			TH_LOG("object %d", i);
		}
}

TEST_F_TIMEOUT(evict, a_copy_is_made_on_a_new_queue, SLOW)
{
	struct kq_counts was = kq_counts(SELF->fd, self->sysfs);
	uint64_t evictions;
	pid_t pid;

	fill_up(_metadata, SELF);
	evictions = memory(SELF->fd).evictions;
	ASSERT_EQ(stick(MODEL, STUCK, 0), 0);
	pid = creator(SELF->fd, SIZE);
	await_change(self->sysfs, "hung_queues", was.hung);
	EXPECT_TRUE(runs(pid));
	EXPECT_EQ(memory(SELF->fd).evictions, evictions);
	ASSERT_EQ(release(MODEL), 0);
	EXPECT_EQ(child_status(pid), 0);
	EXPECT_EQ(memory(SELF->fd).evictions, evictions + 1);
	EXPECT_MORE(was, 1, 0, 0);
	expect_all(_metadata, SELF);
}

TEST_F_TIMEOUT(evict, one_reset_when_copies_hang, SLOW)
{
	struct kq_counts was = kq_counts(SELF->fd, self->sysfs);
	pid_t pid;

	fill_up(_metadata, SELF);
	ASSERT_EQ(stick(MODEL, STUCK, 0), 0);
	pid = creator(SELF->fd, SIZE);
	EXPECT_EQ(child_status(pid), EIO);
	ASSERT_EQ(release(MODEL), 0);
	EXPECT_EQ(create_at_last(SELF->fd, SIZE), 0);
	EXPECT_MORE(was, 2, 1, 1);

	/* What the reset has left in HBM is nobody's, but it can be used. */
	xq_close(&SELF->q);
	ASSERT_EQ(xq_open(&SELF->q, SELF->fd, SELF->vm, VA_Q, 64), 0);
	ASSERT_EQ(dev_put(SELF, VA_OF(0), SIZE, 7), 0);
	EXPECT_EQ(dev_check(SELF, VA_OF(0), SIZE, 7), 0);
}

TEST_HARNESS_MAIN
