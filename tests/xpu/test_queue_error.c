// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that halt by an error: who sees how many there were and why, and what
 * their user and a developer learn of the command that failed.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "queue_errors.h"
#include "xpu_health.h"
#include "xpu_lib.h"

#define VA		0x10000000UL
#define VA_Q		0x20000000UL
#define VA_HOLE		0x70000000UL
#define STATUS		DRM_IOCTL_ALINK_XPU_QUEUE_STATUS

FIXTURE(qerr)
{
	struct drm_alink_xpu_query_device dev;
	int fd;
	uint32_t vm, bo;
	struct xq q;
	char sysfs[256];
};

FIXTURE_SETUP(qerr)
{
	self->fd = xpu_open(0);
	if (self->fd == -ENODEV)
		SKIP(return, "no xPU");
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_device(self->fd, &self->dev), 0);
	ASSERT_NE(self->dev.caps & ALINK_CAP_QUEUE_INFO, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(gem_create(self->fd, HBM, LARGE, &self->bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->bo, 0, VA, LARGE, RW), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
}

FIXTURE_TEARDOWN(qerr)
{
	xq_close(&self->q);
	close(self->fd);
}

/* --- counters ------------------------------------------------------------- */

static const struct {
	struct alink_xpu_desc desc;
	uint32_t status;
	const char *name;
} mistakes[] = {
	{ { .opcode = 99 }, ALINK_ST_BAD_OPCODE, "BAD_OPCODE" },
	{ { .opcode = ALINK_XPU_OP_NOP, .flags = 0x80 },
	  ALINK_ST_BAD_FIELD, "BAD_FIELD" },
	{ { .opcode = ALINK_XPU_OP_NOP, .reserved = 0x12345678 },
	  ALINK_ST_BAD_FIELD, "BAD_FIELD" },
	{ { .opcode = ALINK_XPU_OP_FILL, .dst = VA + 2, .len = 64 },
	  ALINK_ST_ALIGN, "ALIGN" },
	{ { .opcode = ALINK_XPU_OP_COPY, .dst = VA, .src = VA_HOLE,
	    .len = 64 }, ALINK_ST_PAGE_FAULT, "PAGE_FAULT" },
	{ { .opcode = ALINK_XPU_OP_ATOMIC64, .dst = VA,
	    .subop = ALINK_ATOMIC_ADD, .src = 1 },
	  ALINK_ST_PERMISSION, "PERMISSION" },
	{ { .opcode = ALINK_XPU_OP_ATOMIC32, .dst = VA,
	    .subop = ALINK_ATOMIC_MAX + 1 },
	  ALINK_ST_UNSUPPORTED, "UNSUPPORTED" },
};

#define NUM_MISTAKES	(sizeof(mistakes) / sizeof(mistakes[0]))

/* Each once, in the counter of its status, and in no other */
TEST_F(qerr, counted_by_status)
{
	struct drm_alink_xpu_queue_error error;
	uint64_t all = counted(self->sysfs, OF_USERS, NULL), one;
	uint64_t kernel = counted(self->sysfs, OF_KERNEL, NULL);
	struct xq q;
	size_t i;

	ASSERT_NE(all, ~0ULL);
	ASSERT_NE(kernel, ~0ULL);
	for (i = 0; i < NUM_MISTAKES; i++) {
		one = counted(self->sysfs, OF_USERS, mistakes[i].name);
		ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64), 0);
		ASSERT_EQ(xq_run(&q, mistakes[i].desc, &error), -EIO);
		EXPECT_EQ(error.status, mistakes[i].status);
		/* Who looks again, and the end, add nothing. */
		EXPECT_EQ(xq_wait(&q, 0, &error), -EIO);
		xq_close(&q);
		EXPECT_EQ(counted(self->sysfs, OF_USERS, mistakes[i].name),
			  one + 1);
		EXPECT_EQ(counted(self->sysfs, OF_USERS, NULL), all + i + 1);
	}
	/* Nor does what ends without an error. */
	ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64), 0);
	EXPECT_EQ(xq_fill(&q, VA, 1, 64), 0);
	xq_push_endless(&q);
	xq_close(&q);
	EXPECT_EQ(counted(self->sysfs, OF_USERS, NULL), all + NUM_MISTAKES);
	EXPECT_EQ((uint64_t)health_number(self->sysfs, "device", "diagnose",
					  "queue_errors"), all + NUM_MISTAKES);
	/* The kernel's own queue has not failed. */
	EXPECT_EQ(counted(self->sysfs, OF_KERNEL, NULL), kernel);
}

/* Users can write the status block: what there is not, is counted as such. */
TEST_F(qerr, forged_status)
{
	struct alink_xpu_queue_status *s = (void *)self->q.status;
	uint64_t all = counted(self->sysfs, OF_USERS, NULL);
	uint64_t unknown = counted(self->sysfs, OF_USERS, "UNKNOWN");
	struct drm_alink_xpu_queue_error error;
	uint32_t state;

	s->error = 0xfffe;
	ASSERT_EQ(queue_state(self->fd, self->q.id, &state, &error), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_HALTED);
	EXPECT_EQ(error.status, 0xfffe);
	EXPECT_EQ(counted(self->sysfs, OF_USERS, "UNKNOWN"), unknown + 1);
	EXPECT_EQ(counted(self->sysfs, OF_USERS, NULL), all + 1);
}

/* --- what the user learns ------------------------------------------------- */

static int query(const struct xq *q, struct drm_alink_xpu_queue_status *s)
{
	*s = (struct drm_alink_xpu_queue_status) { .queue_id = q->id };
	return xpu_ioctl(q->fd, STATUS, s);
}

static void expect_no_command(struct __test_metadata *_metadata,
			      const struct drm_alink_xpu_queue_status *s)
{
	const struct drm_alink_xpu_queue_command none = {};

	EXPECT_EQ(s->has_command, 0);
	EXPECT_EQ(memcmp(&s->command, &none, sizeof(none)), 0);
}

/* All of it, whatever has become of the ring */
TEST_F(qerr, the_command_that_failed)
{
	const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };
	const struct alink_xpu_desc d = {
		.opcode = 0xab, .dtype = 0xcd, .subop = 0xef,
		.reserved = 0x87654321, .dst = 0x8000000000000001,
		.src = 0x9000000000000002, .src2 = 0xa000000000000003,
		.len = 0xb000000000000004, .user = 5,
	};
	struct drm_alink_xpu_queue_status s;

	ASSERT_EQ(query(&self->q, &s), 0);
	EXPECT_EQ(s.state, DRM_ALINK_XPU_QUEUE_RUNNING);
	EXPECT_EQ(s.recovery, ALINK_RECOVERY_NONE);
	expect_no_command(_metadata, &s);

	xq_push(&self->q, nop);
	xq_push(&self->q, d);
	xq_push(&self->q, nop);
	xq_ring(&self->q);
	ASSERT_EQ(xq_wait(&self->q, 20000, NULL), -EIO);
	memset(self->q.ring, 0xee, 64 * sizeof(d));
	ASSERT_EQ(query(&self->q, &s), 0);
	EXPECT_EQ(s.state, DRM_ALINK_XPU_QUEUE_HALTED);
	EXPECT_EQ(s.error.status, ALINK_ST_BAD_OPCODE);
	EXPECT_EQ(s.error.index, 1);
	EXPECT_EQ(s.recovery, ALINK_RECOVERY_CONTEXT);
	EXPECT_EQ(s.has_command, 1);
	EXPECT_EQ(s.command.opcode, d.opcode);
	EXPECT_EQ(s.command.flags, ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ);
	EXPECT_EQ(s.command.dtype, d.dtype);
	EXPECT_EQ(s.command.subop, d.subop);
	EXPECT_EQ(s.command.reserved, d.reserved);
	EXPECT_EQ(s.command.dst, d.dst);
	EXPECT_EQ(s.command.src, d.src);
	EXPECT_EQ(s.command.src2, d.src2);
	EXPECT_EQ(s.command.len, d.len);
	EXPECT_EQ(s.command.fence_addr, self->q.va + self->q.fence_offset);
	EXPECT_EQ(s.command.fence_value, 2);
}

/* What was not fetched is not told. */
TEST_F(qerr, no_command)
{
	struct drm_alink_xpu_queue_status s;

	ASSERT_EQ(xq_fill(&self->q, VA, 1, 64), 0);
	/* More than the ring holds */
	self->q.tail += self->q.size + 1;
	self->q.seq++;
	xq_ring(&self->q);
	ASSERT_EQ(xq_wait(&self->q, 20000, NULL), -EIO);
	ASSERT_EQ(query(&self->q, &s), 0);
	EXPECT_EQ(s.error.status, ALINK_ST_BAD_FIELD);
	EXPECT_EQ(s.recovery, ALINK_RECOVERY_CONTEXT);
	expect_no_command(_metadata, &s);
}

/* A reset is no error of the queue; what is left to do is the same. */
TEST_F(qerr, ended_by_a_reset)
{
	uint64_t all = counted(self->sysfs, OF_USERS, NULL);
	struct drm_alink_xpu_queue_status s;

	xq_push_endless(&self->q);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	ASSERT_EQ(query(&self->q, &s), 0);
	EXPECT_EQ(s.state, DRM_ALINK_XPU_QUEUE_CANCELED);
	EXPECT_EQ(s.error.status, 0);
	EXPECT_EQ(s.recovery, ALINK_RECOVERY_CONTEXT);
	expect_no_command(_metadata, &s);
	EXPECT_EQ(counted(self->sysfs, OF_USERS, NULL), all);
}

/* Programs of version 1.4 go on as they are. */
TEST_F(qerr, older_callers)
{
	const size_t old = offsetof(struct drm_alink_xpu_queue_status,
				    recovery);
	const struct alink_xpu_desc bad = { .opcode = 99 };
	struct drm_alink_xpu_queue_status s = {
		.queue_id = self->q.id,
		.recovery = 77, .command = { .opcode = 77 },
	};

	ASSERT_EQ(xq_run(&self->q, bad, NULL), -EIO);
	EXPECT_EQ(xpu_ioctl(self->fd, STATUS, &s), -EINVAL);
	EXPECT_EQ(xpu_ioctl(self->fd, _IOC(_IOC_DIR(STATUS), _IOC_TYPE(STATUS),
					   _IOC_NR(STATUS), old), &s), 0);
	EXPECT_EQ(s.state, DRM_ALINK_XPU_QUEUE_HALTED);
	EXPECT_EQ(s.error.status, ALINK_ST_BAD_OPCODE);
	EXPECT_EQ(s.recovery, 77);
	EXPECT_EQ(s.command.opcode, 77);
}

/* --- what others learn ---------------------------------------------------- */

static long reporter(FIXTURE_DATA(qerr) *self, const char *command,
		     const char *key)
{
	return health_number(self->sysfs, "queue", command, key);
}

/* devlink counts the reports, which come a moment later, and not too often. */
static bool reported(FIXTURE_DATA(qerr) *self, long before)
{
	int i;

	for (i = 0; i < 300 && reporter(self, "show", "error") <= before; i++)
		usleep(100000);
	return reporter(self, "show", "error") > before;
}

TEST_F(qerr, devlink_has_the_latest)
{
	struct alink_xpu_desc d = {
		.opcode = 0xab, .subop = 3, .dst = 0x1234000, .len = 4096,
	};
	long device = health_number(self->sysfs, "device", "show", "error");
	long errors = reporter(self, "show", "error");
	long kind = reporter(self, "diagnose", "BAD_OPCODE");

	ASSERT_GE(device, 0);
	ASSERT_GE(errors, 0);
	ASSERT_EQ(xq_run(&self->q, d, NULL), -EIO);
	EXPECT_EQ(reporter(self, "diagnose", "BAD_OPCODE"),
		  kind < 0 ? 1 : kind + 1);
	EXPECT_EQ(reporter(self, "diagnose", "recovery_class"),
		  ALINK_RECOVERY_CONTEXT);
	ASSERT_TRUE(reported(self, errors));
	/* It is over, and no fault of the device. */
	EXPECT_TRUE(health_becomes(self->sysfs, "queue", "show", "state", 0));
	EXPECT_EQ(health_number(self->sysfs, "device", "show", "error"),
		  device);

	/* Made now, of what there is; else it may be that of another test. */
	ASSERT_EQ(health_clear(self->sysfs, "queue"), 0);
	EXPECT_EQ(reporter(self, "dump show", "queue"),
		  (long)xq_device_queue(&self->q));
	EXPECT_EQ(reporter(self, "dump show", "pid"), getpid());
	EXPECT_EQ(reporter(self, "dump show", "descriptor"), 0);
	EXPECT_EQ(reporter(self, "dump show", "opcode"), 0xab);
	EXPECT_EQ(reporter(self, "dump show", "subop"), 3);
	EXPECT_EQ(reporter(self, "dump show", "dst"), 0x1234000);
	EXPECT_EQ(reporter(self, "dump show", "len"), 4096);
	EXPECT_EQ(reporter(self, "dump show", "fence"),
		  (long)(self->q.va + self->q.fence_offset));
	EXPECT_EQ(health_clear(self->sysfs, "queue"), 0);
}

TEST_HARNESS_MAIN
