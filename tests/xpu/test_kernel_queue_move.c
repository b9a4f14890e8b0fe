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

	for (i = 0; i < OBJECTS; i++) {
		EXPECT_EQ(dev_check(o, VA_OF(i), SIZE, i), 0) {
			TH_LOG("object %d", i);
		}
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

/* --- killed ---------------------------------------------------------------- */

/* What it was moving is where it was. */
TEST_F_TIMEOUT(evict, killed_while_a_copy_hangs, SLOW)
{
	struct kq_counts was = kq_counts(SELF->fd, self->sysfs);
	uint64_t evictions;
	pid_t pid[2];
	int i;

	fill_up(_metadata, SELF);
	evictions = memory(SELF->fd).evictions;
	ASSERT_EQ(stick(MODEL, STUCK, 0), 0);
	for (i = 0; i < 2; i++)
		pid[i] = creator(SELF->fd, SIZE);
	usleep(500000);
	for (i = 1; i >= 0; i--) {
		ASSERT_TRUE(runs(pid[i]));
		EXPECT_TRUE(killed(pid[i]));
	}
	EXPECT_MORE(was, 0, 0, 0);
	ASSERT_EQ(release(MODEL), 0);
	EXPECT_EQ(memory(SELF->fd).evictions, evictions);
	expect_all(_metadata, SELF);
	EXPECT_MORE(was, 0, 0, 0);
}

/* Sends away what others have in HBM, with a file of its own */
static pid_t crowd(void)
{
	uint32_t handle;
	pid_t pid = fork();
	int fd, i;

	if (pid)
		return pid;
	fd = xpu_open(XPU);
	for (i = 0; i < OBJECTS; i++)
		if (gem_create(fd, HBM, SIZE, &handle))
			_exit(1);
	for (;;)
		pause();
}

/*
 * At any place of a move: in a copy that the device is at, too. It must not
 * write to memory that has been given back, nor may an object be half here and
 * half there.
 */
TEST_F_TIMEOUT(evict, killed_while_it_moves_others, SLOW)
{
	struct kq_counts was = kq_counts(SELF->fd, self->sysfs);
	unsigned int early = 0, ms;
	uint64_t evictions;
	pid_t pid;

	fill_up(_metadata, SELF);
	for (ms = 1; ms < 60; ms += 6) {
		evictions = memory(SELF->fd).evictions;
		pid = crowd();
		usleep(ms * 1000);
		EXPECT_TRUE(killed(pid));
		early += memory(SELF->fd).evictions < evictions + OBJECTS;
		expect_all(_metadata, SELF);
	}
	/* Or this has shown nothing. */
	EXPECT_GT(early, 0);
	EXPECT_MORE(was, 0, 0, 0);
}

TEST_HARNESS_MAIN
