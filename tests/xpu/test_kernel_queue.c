// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own queue, which clears and copies HBM, when its engine hangs.
 *
 * Nothing here measures time: what has to come first is seen to have come while
 * the other has not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA		0x10000000UL
#define VA_Q		0x40000000UL
#define WAIT_MS		120000		/* guard; less than those of the tests */
#define GUARD_S		240
#define STUCK		"x-queue-stuck"
#define NOT_ENDED	"x-destroy-stuck"
#define KERNEL_QUEUE	0

FIXTURE(kq)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
	struct drm_alink_xpu_query_device dev;
	int64_t hung, hang_resets;	/* counters at the start */
};

static const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };

static int64_t counter(const char *sysfs, const char *name)
{
	char path[512], text[64];

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	if (read_file(path, text, sizeof(text)) <= 0)
		return -1;
	return strtoll(text, NULL, 10);
}

static int release(const char *model)
{
	return model_put(model, STUCK, "0") ?: model_put(model, NOT_ENDED, "0");
}

/* The kernel's queue, and @others beside it */
static int stick(const char *model, const char *prop, uint64_t others)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)(1ULL << KERNEL_QUEUE | others));
	return model_put(model, prop, text);
}

/* A child that creates an HBM object, and exits with the errno */
static pid_t creator(int fd, uint64_t size)
{
	uint32_t handle;
	pid_t pid = fork();

	if (!pid)
		_exit(-gem_create(fd, HBM, size, &handle));
	return pid;
}

static bool runs(pid_t pid)
{
	return !waitpid(pid, NULL, WNOHANG);
}

static int open_queue(FIXTURE_DATA(kq) *self)
{
	self->fd = xpu_open(0);
	if (self->fd < 0)
		return self->fd;
	return xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)) ?:
	       xpu_device(self->fd, &self->dev) ?:
	       vm_create(self->fd, &self->vm) ?:
	       xq_open(&self->q, self->fd, self->vm, VA_Q, 64);
}

FIXTURE_SETUP(kq)
{
	ASSERT_EQ(open_queue(self), 0);
	ASSERT_NE(self->dev.caps & ALINK_CAP_PROGRESS, 0);
	self->hung = counter(self->sysfs, "hung_queues");
	self->hang_resets = counter(self->sysfs, "hang_resets");
	ASSERT_GE(self->hung, 0);
	ASSERT_GE(self->hang_resets, 0);
}

FIXTURE_TEARDOWN(kq)
{
	EXPECT_EQ(release("xpu0"), 0);
	xq_close(&self->q);
	close(self->fd);
}

static void expect_counters(struct __test_metadata *_metadata,
			    FIXTURE_DATA(kq) *self, int hung, int resets)
{
	struct drm_alink_xpu_query_device d;

	EXPECT_EQ(counter(self->sysfs, "hung_queues"), self->hung + hung);
	EXPECT_EQ(counter(self->sysfs, "hang_resets"),
		  self->hang_resets + resets);
	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	EXPECT_EQ(d.generation, self->dev.generation + resets);
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
	self->hung = counter(self->sysfs, "hung_queues");
	self->hang_resets = counter(self->sysfs, "hang_resets");

	ASSERT_EQ(stick("xpu0", STUCK, 1ULL << xq_device_queue(&self->q)), 0);
	pid = creator(self->fd, LARGE);
	xq_push(&self->q, nop);
	xq_ring(&self->q);
	EXPECT_EQ(xq_wait(&self->q, WAIT_MS, NULL), -EIO);
	EXPECT_TRUE(runs(pid));
	expect_counters(_metadata, self, 1, 0);
	ASSERT_EQ(release("xpu0"), 0);
	EXPECT_EQ(child_status(pid), 0);
	expect_counters(_metadata, self, 1, 0);

	/* To what the device says of itself */
	xq_close(&self->q);
	close(self->fd);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	ASSERT_EQ(open_queue(self), 0);
}

TEST_HARNESS_MAIN
