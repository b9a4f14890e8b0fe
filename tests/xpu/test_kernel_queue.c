// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own queue, which clears and copies HBM, when its engine hangs.
 *
 * Nothing here measures time: what has to come first is seen to have come while
 * the other has not.
 */
#include "kselftest_harness.h"
#include "kernel_queue.h"
#include "queue_errors.h"
#include "xpu_health.h"

#define VA_Q		0x40000000UL
#define WAIT_MS		120000		/* guard; less than those of the tests */
#define GUARD_S		240

FIXTURE(kq)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
	struct kq_counts was;
};

static const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };

static int open_queue(FIXTURE_DATA(kq) *self)
{
	int err;

	self->fd = xpu_open(0);
	if (self->fd < 0)
		return self->fd;
	err = xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs));
	self->was = kq_counts(self->fd, self->sysfs);
	return err ?: vm_create(self->fd, &self->vm) ?:
	       xq_open(&self->q, self->fd, self->vm, VA_Q, 64);
}

FIXTURE_SETUP(kq)
{
	struct drm_alink_xpu_query_device d;

	ASSERT_EQ(open_queue(self), 0);
	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	ASSERT_NE(d.caps & ALINK_CAP_PROGRESS, 0);
	ASSERT_GE(self->was.hung, 0);
	ASSERT_GE(self->was.hang_resets, 0);
}

FIXTURE_TEARDOWN(kq)
{
	EXPECT_EQ(release("xpu0"), 0);
	xq_close(&self->q);
	close(self->fd);
}

#define EXPECT_MORE(queues, resets, generations) \
	EXPECT_COUNTS(self->fd, self->sysfs, self->was, queues, resets, \
		      generations)

static long devlink(FIXTURE_DATA(kq) *self, const char *command, const char *key)
{
	return health_number(self->sysfs, "queue", command, key);
}

/* Of the latest of the kernel's, in a dump */
static long kernel_entry(FIXTURE_DATA(kq) *self, const char *key)
{
	return health_number_in(self->sysfs, "queue", "dump show",
				"kernel_latest", key);
}

/* --- whose turn it is to end ------------------------------------------------ */

/*
 * What the kernel's queue waits for may be that a queue of a user is ended. The
 * watch is slowest where the device promises progress least often.
 */
TEST_F_TIMEOUT(kq, a_users_queue_is_ended_first, GUARD_S)
{
	char lie[64];
	pid_t pid;
	int err;

	xq_close(&self->q);
	close(self->fd);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	snprintf(lie, sizeof(lie), "\"%#x:%u\"", ALINK_XPU_REG_PROGRESS_MS,
		 10000);
	ASSERT_EQ(model_put("xpu0", "x-lie", lie), 0);
	err = drv_write("bind", self->sysfs);
	EXPECT_EQ(model_put("xpu0", "x-lie", "\"none\""), 0);
	ASSERT_EQ(err, 0);
	ASSERT_EQ(open_queue(self), 0);

	ASSERT_EQ(stick("xpu0", STUCK, 1ULL << xq_device_queue(&self->q)), 0);
	pid = creator(self->fd, LARGE);
	xq_push(&self->q, nop);
	xq_ring(&self->q);
	EXPECT_EQ(xq_wait(&self->q, WAIT_MS, NULL), -EIO);
	EXPECT_TRUE(runs(pid));
	EXPECT_MORE(1, 0, 0);
	ASSERT_EQ(release("xpu0"), 0);
	EXPECT_EQ(child_status(pid), 0);
	EXPECT_MORE(1, 0, 0);

	/* To what the device says of itself */
	xq_close(&self->q);
	close(self->fd);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	ASSERT_EQ(open_queue(self), 0);
}

/* --- what helps ------------------------------------------------------------- */

/* Nobody notices: not who waits, nor those who use the device meanwhile. */
TEST_F_TIMEOUT(kq, a_new_one_does_the_work, GUARD_S)
{
	uint64_t kernel = counted(self->sysfs, OF_KERNEL, "STUCK");
	uint64_t users = counted(self->sysfs, OF_USERS, NULL);
	unsigned int runs_meanwhile = 0;
	pid_t pid;

	ASSERT_EQ(stick("xpu0", STUCK, 0), 0);
	pid = creator(self->fd, LARGE);
	while (counter(self->sysfs, "hung_queues") == self->was.hung) {
		ASSERT_EQ(xq_run(&self->q, nop, NULL), 0);
		runs_meanwhile++;
	}
	EXPECT_GT(runs_meanwhile, 1);
	EXPECT_TRUE(runs(pid));
	ASSERT_EQ(release("xpu0"), 0);
	EXPECT_EQ(child_status(pid), 0);
	EXPECT_EQ(xq_run(&self->q, nop, NULL), 0);
	EXPECT_MORE(1, 0, 0);
	/* Nobody notices but who looks for that, and it is no user's error. */
	EXPECT_EQ(counted(self->sysfs, OF_KERNEL, "STUCK"), kernel + 1);
	EXPECT_EQ(counted(self->sysfs, OF_USERS, NULL), users);
}

/*
 * devlink has it apart from what users do, however much that is: the process that
 * waited, and the command.
 */
TEST_F_TIMEOUT(kq, devlink_tells_it_apart, GUARD_S)
{
	const struct alink_xpu_desc bad = { .opcode = 99 };
	uint64_t all = counted(self->sysfs, OF_KERNEL, NULL);
	long errors = devlink(self, "show", "error");
	pid_t pid;
	int i;

	ASSERT_GE(errors, 0);
	ASSERT_EQ(devlink(self, "diagnose", "kernel_queue_errors"), (long)all);
	ASSERT_EQ(stick("xpu0", STUCK, 0), 0);
	pid = creator(self->fd, LARGE);
	await_change(self->sysfs, "hung_queues", self->was.hung);
	ASSERT_EQ(release("xpu0"), 0);
	EXPECT_EQ(child_status(pid), 0);
	EXPECT_EQ(devlink(self, "diagnose", "kernel_queue_errors"),
		  (long)all + 1);
	EXPECT_EQ(health_number(self->sysfs, "device", "diagnose",
				"kernel_queue_errors"), (long)all + 1);
	for (i = 0; i < 300 && devlink(self, "show", "error") <= errors; i++)
		usleep(100000);
	EXPECT_GT(devlink(self, "show", "error"), errors);
	EXPECT_TRUE(health_becomes(self->sysfs, "queue", "show", "state", 0));

	/* More than are kept */
	for (i = 0; i < 20; i++) {
		xq_close(&self->q);
		ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
		ASSERT_EQ(xq_run(&self->q, bad, NULL), -EIO);
	}
	ASSERT_EQ(health_clear(self->sysfs, "queue"), 0);
	EXPECT_EQ(kernel_entry(self, "queue"), KERNEL_QUEUE);
	EXPECT_EQ(kernel_entry(self, "pid"), pid);
	EXPECT_EQ(kernel_entry(self, "opcode"), ALINK_XPU_OP_FILL);
	EXPECT_EQ(kernel_entry(self, "len"), LARGE);
	EXPECT_EQ(health_clear(self->sysfs, "queue"), 0);
}

/* Two that wait for it: one finds it, and for both there is one reset. */
TEST_F_TIMEOUT(kq, one_reset_when_that_hangs_too, GUARD_S)
{
	pid_t pid[2], waiter;
	int i, err, failed = 0;

	xq_push_endless(&self->q);
	waiter = xq_waiter(&self->q);
	ASSERT_EQ(stick("xpu0", STUCK, 0), 0);
	for (i = 0; i < 2; i++)
		pid[i] = creator(self->fd, LARGE);
	await_change(self->sysfs, "hang_resets", self->was.hang_resets);
	ASSERT_EQ(release("xpu0"), 0);
	for (i = 0; i < 2; i++) {
		err = child_status(pid[i]);
		EXPECT_TRUE(err == EIO || err == EBUSY || !err) {
			TH_LOG("%d", err);
		}
		failed += err == EIO;
	}
	EXPECT_GE(failed, 1);
	EXPECT_EQ(child_status(waiter), ECANCELED);
	EXPECT_EQ(create_at_last(self->fd, LARGE), 0);
	EXPECT_MORE(2, 1, 1);

	xq_close(&self->q);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	EXPECT_EQ(xq_run(&self->q, nop, NULL), 0);
}

/* The device does not end the old one: then a new one is not to be had. */
TEST_F_TIMEOUT(kq, one_reset_when_it_does_not_end, GUARD_S)
{
	int err;

	ASSERT_EQ(stick("xpu0", NOT_ENDED, 0), 0);
	ASSERT_EQ(stick("xpu0", STUCK, 0), 0);
	err = child_status(creator(self->fd, LARGE));
	/* The reset may have begun. */
	EXPECT_TRUE(err == EIO || err == EBUSY) {
		TH_LOG("%d", err);
	}
	ASSERT_EQ(release("xpu0"), 0);
	EXPECT_EQ(create_at_last(self->fd, LARGE), 0);
	EXPECT_MORE(1, 0, 1);
}

/*
 * Who waits for it, and who waits for him, can be killed at once: long before
 * anybody has found that it is stuck.
 */
TEST_F_TIMEOUT(kq, who_waits_can_be_killed, GUARD_S)
{
	uint32_t handle;
	pid_t pid[2];
	int i;

	ASSERT_EQ(stick("xpu0", STUCK, 0), 0);
	for (i = 0; i < 2; i++)
		pid[i] = creator(self->fd, LARGE);
	usleep(500000);
	for (i = 1; i >= 0; i--) {
		ASSERT_TRUE(runs(pid[i]));
		EXPECT_TRUE(killed(pid[i]));
	}
	EXPECT_MORE(0, 0, 0);
	ASSERT_EQ(release("xpu0"), 0);
	EXPECT_EQ(gem_create(self->fd, HBM, LARGE, &handle), 0);
	EXPECT_EQ(xq_run(&self->q, nop, NULL), 0);
	EXPECT_MORE(0, 0, 0);
}

TEST_HARNESS_MAIN
