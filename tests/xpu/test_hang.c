// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue whose engine hangs: it is found, and ended alone; only a device that
 * does not do that is reset, once. What merely takes long is left alone.
 *
 * Nothing here measures time. When a queue is to be left alone, another one that
 * is stuck says when the driver has looked at both often enough.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alink.h"
#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA		0x10000000UL	/* compute block */
#define VA_HBM		0x20000000UL
#define VA_Q		0x40000000UL
#define VA_MORE		0x80000000UL
#define MAX_MORE	20
#define WAIT_MS		120000		/* guard; less than those of the tests */
#define GUARD_S		240
#define STUCK		"x-queue-stuck"
#define NOT_ENDED	"x-destroy-stuck"

/* 2^43 multiply-accumulates: minutes, on any host */
#define GEMM_ROWS	8
#define GEMM_DIM	ALINK_XPU_MAX_DIM
#define GEMM_ROW	(4UL * GEMM_DIM)	/* bytes */

FIXTURE(hang)
{
	struct drm_alink_xpu_query_device dev;
	int fd;
	uint32_t vm;
	struct xq q;
	struct xq more[MAX_MORE];
	unsigned int num;
	char sysfs[256];
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

static int release(void)
{
	return model_put("xpu0", STUCK, "0") ?:
	       model_put("xpu0", NOT_ENDED, "0");
}

FIXTURE_SETUP(hang)
{
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_device(self->fd, &self->dev), 0);
	ASSERT_NE(self->dev.caps & ALINK_CAP_PROGRESS, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	self->hung = counter(self->sysfs, "hung_queues");
	self->hang_resets = counter(self->sysfs, "hang_resets");
	ASSERT_GE(self->hung, 0);
	ASSERT_GE(self->hang_resets, 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
}

FIXTURE_TEARDOWN(hang)
{
	EXPECT_EQ(release(), 0);
	while (self->num)
		xq_close(&self->more[--self->num]);
	xq_close(&self->q);
	close(self->fd);
}

static struct xq *open_more(struct __test_metadata *_metadata,
			    FIXTURE_DATA(hang) *self, uint32_t priority)
{
	struct xq *q = &self->more[self->num];

	ASSERT_LT(self->num, MAX_MORE);
	ASSERT_EQ(xq_open_as(q, self->fd, self->vm, VA_MORE + self->num * MIB,
			     64, priority), 0);
	self->num++;
	return q;
}

/* Opens queues until there is one on the ring of the first one. */
static struct xq *open_beside(struct __test_metadata *_metadata,
			      FIXTURE_DATA(hang) *self, uint32_t priority)
{
	unsigned int rings = self->dev.num_rings;
	struct xq *q;

	do {
		q = open_more(_metadata, self, priority);
	} while (xq_device_queue(q) % rings !=
		 xq_device_queue(&self->q) % rings);
	return q;
}

static void expect_state(struct __test_metadata *_metadata, const struct xq *q,
			 uint32_t want)
{
	uint32_t state;

	ASSERT_EQ(queue_state(q->fd, q->id, &state, NULL), 0);
	EXPECT_EQ(state, want);
}

/* It halted, and its users learn at which command. */
static void expect_stuck(struct __test_metadata *_metadata, struct xq *q,
			 uint32_t index)
{
	struct drm_alink_xpu_queue_error error;
	uint32_t state;

	EXPECT_EQ(xq_wait(q, 0, &error), -EIO);
	EXPECT_EQ(error.status, ALINK_ST_STUCK);
	EXPECT_EQ(error.index, index);
	EXPECT_EQ(error.addr, q->va + index * sizeof(struct alink_xpu_desc));
	ASSERT_EQ(queue_state(q->fd, q->id, &state, &error), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_HALTED);
	EXPECT_EQ(error.status, ALINK_ST_STUCK);
	EXPECT_EQ(error.index, index);
}

static void expect_counters(struct __test_metadata *_metadata,
			    FIXTURE_DATA(hang) *self, int hung, int resets)
{
	struct drm_alink_xpu_query_device d;

	EXPECT_EQ(counter(self->sysfs, "hung_queues"), self->hung + hung);
	EXPECT_EQ(counter(self->sysfs, "hang_resets"),
		  self->hang_resets + resets);
	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	EXPECT_EQ(d.generation, self->dev.generation + resets);
}

/* A queue of a file of its own is stuck; returns when it was found and ended. */
static void look_often(struct __test_metadata *_metadata)
{
	int fd = xpu_open(0), err;
	uint32_t vm;
	struct xq q;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(vm_create(fd, &vm), 0);
	ASSERT_EQ(xq_open(&q, fd, vm, VA_Q, 64), 0);
	ASSERT_EQ(xq_stick(&q, STUCK), 0);
	xq_push(&q, nop);
	xq_ring(&q);
	err = xq_wait(&q, WAIT_MS, NULL);
	ASSERT_EQ(release(), 0);
	EXPECT_EQ(err, -EIO);
	expect_stuck(_metadata, &q, 0);
	EXPECT_EQ(fdinfo(fd, "alink_xpu-hung-queues"), 1);
	xq_close(&q);
	close(fd);
}

/* --- found ----------------------------------------------------------------- */

TEST_F_TIMEOUT(hang, others_keep_running, GUARD_S)
{
	int other = xpu_open(0), status = 0;
	struct xq theirs, *beside;
	unsigned int runs = 0;
	uint32_t vm;
	pid_t pid;

	ASSERT_GE(other, 0);
	ASSERT_EQ(vm_create(other, &vm), 0);
	ASSERT_EQ(xq_open(&theirs, other, vm, VA_Q, 64), 0);
	beside = open_beside(_metadata, self, DRM_ALINK_XPU_PRIORITY_NORMAL);
	ASSERT_EQ(xq_run(&self->q, nop, NULL), 0);
	ASSERT_EQ(xq_stick(&self->q, STUCK), 0);
	xq_push(&self->q, nop);
	xq_push(&self->q, nop);
	xq_ring(&self->q);
	pid = xq_waiter(&self->q);
	/* Meanwhile, of its ring and VM, and of another file */
	do {
		ASSERT_EQ(xq_run(beside, nop, NULL), 0);
		ASSERT_EQ(xq_run(&theirs, nop, NULL), 0);
		runs++;
	} while (!waitpid(pid, &status, WNOHANG));
	EXPECT_GT(runs, 1);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), EIO);
	expect_stuck(_metadata, &self->q, 1);
	expect_state(_metadata, beside, DRM_ALINK_XPU_QUEUE_RUNNING);
	expect_state(_metadata, &theirs, DRM_ALINK_XPU_QUEUE_RUNNING);
	EXPECT_EQ(xq_run(beside, nop, NULL), 0);
	EXPECT_EQ(xq_run(&theirs, nop, NULL), 0);
	expect_counters(_metadata, self, 1, 0);
	EXPECT_EQ(fdinfo(self->fd, "alink_xpu-hung-queues"), 1);
	EXPECT_EQ(fdinfo(other, "alink_xpu-hung-queues"), 0);

	/* Nobody hears its doorbell: the device would count that as a mistake. */
	xq_ring(&self->q);
	/* Its queue of the device can be had again, and the file has counted. */
	ASSERT_EQ(release(), 0);
	xq_close(&self->q);
	EXPECT_EQ(fdinfo(self->fd, "alink_xpu-hung-queues"), 1);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	EXPECT_EQ(xq_run(&self->q, nop, NULL), 0);
	xq_close(&theirs);
	close(other);
}

/* Two queues that the device does not end: it is reset for both together. */
TEST_F_TIMEOUT(hang, one_reset_when_nothing_else_helps, GUARD_S)
{
	struct xq *second = open_more(_metadata, self,
				      DRM_ALINK_XPU_PRIORITY_NORMAL);
	struct xq *innocent = open_more(_metadata, self,
					DRM_ALINK_XPU_PRIORITY_NORMAL);
	struct xq *waits = open_more(_metadata, self,
				     DRM_ALINK_XPU_PRIORITY_NORMAL);
	unsigned long long mask = xq_bit(&self->q) | xq_bit(second);
	unsigned int runs = 0;
	pid_t pid, waiter;
	uint32_t handle;
	char text[32];
	int err;

	snprintf(text, sizeof(text), "%llu", mask);
	xq_push_endless(waits);
	waiter = xq_waiter(waits);
	ASSERT_EQ(model_put("xpu0", STUCK, text), 0);
	ASSERT_EQ(model_put("xpu0", NOT_ENDED, text), 0);
	xq_push(&self->q, nop);
	xq_ring(&self->q);
	xq_push(second, nop);
	xq_ring(second);
	pid = xq_waiter(&self->q);
	/* Until the reset itself */
	while (!(err = xq_run(innocent, nop, NULL)))
		runs++;
	EXPECT_TRUE(err == -ECANCELED || err == -EBUSY) {
		TH_LOG("%d", err);
	}
	EXPECT_GT(runs, 1);
	ASSERT_EQ(release(), 0);
	EXPECT_EQ(child_status(pid), EIO);
	EXPECT_EQ(child_status(waiter), ECANCELED);
	do {
		usleep(100000);
		err = gem_create(self->fd, HBM, PAGE, &handle);
	} while (err == -EBUSY || err == -EIO);
	ASSERT_EQ(err, 0);
	expect_stuck(_metadata, &self->q, 0);
	expect_stuck(_metadata, second, 0);
	expect_state(_metadata, innocent, DRM_ALINK_XPU_QUEUE_CANCELED);
	expect_state(_metadata, waits, DRM_ALINK_XPU_QUEUE_CANCELED);
	expect_counters(_metadata, self, 2, 1);

	/* And that was all. */
	xq_close(&self->q);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	EXPECT_EQ(xq_run(&self->q, nop, NULL), 0);
	look_often(_metadata);
	expect_counters(_metadata, self, 3, 1);
}

/* The library gives the same reason, also where the status block has another. */
TEST_F_TIMEOUT(hang, the_library_says_why, GUARD_S)
{
	/* Which queue is the library's it keeps for itself: all but these two */
	uint64_t mask = ~(1ULL | xq_bit(&self->q));
	struct alink_queue_state s;
	struct alink_queue *queue;
	struct alink_xpu *xpu;
	struct alink_ctx *ctx;
	char path[64], text[32];
	unsigned int minor, i;
	uint32_t handle;
	uint64_t seq;
	int err;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)mask);
	ASSERT_EQ(xpu_path(0, path, sizeof(path)), 0);
	ASSERT_EQ(sscanf(path, "/dev/accel/accel%u", &minor), 1);
	ASSERT_EQ(alink_new(&ctx), 0);
	ASSERT_EQ(alink_xpu_open_minor(ctx, minor, &xpu), 0);
	/* One that the device ends, and one that a reset does */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(alink_queue_open(xpu, 16, &queue), 0);
		ASSERT_EQ(alink_cmd_nop(queue, &seq), 0);
		ASSERT_EQ(alink_queue_wait(queue, seq, WAIT_MS), 0);
		alink_queue_state(queue, &s);
		EXPECT_EQ(s.status, ALINK_ST_OK);
		ASSERT_EQ(model_put("xpu0", STUCK, text), 0);
		if (i)
			ASSERT_EQ(model_put("xpu0", NOT_ENDED, text), 0);
		ASSERT_EQ(alink_cmd_nop(queue, &seq), 0);
		err = alink_queue_wait(queue, seq, WAIT_MS);
		ASSERT_EQ(release(), 0);
		EXPECT_EQ(err, -EIO);
		EXPECT_NE(strstr(alink_error(ctx), "made no progress"), NULL) {
			TH_LOG("%s", alink_error(ctx));
		}
		alink_queue_state(queue, &s);
		EXPECT_EQ(s.status, ALINK_ST_STUCK);
		EXPECT_STREQ(alink_status_name(s.status), "made no progress");
		EXPECT_EQ(s.index, 1);
		EXPECT_NE(s.addr, 0);
		do {
			usleep(100000);
			err = gem_create(self->fd, HBM, PAGE, &handle);
		} while (err == -EBUSY || err == -EIO);
		ASSERT_EQ(err, 0);
		alink_queue_close(queue);
	}
	expect_counters(_metadata, self, 2, 1);
	alink_xpu_close(xpu);
	alink_free(ctx);
}

/* The driver goes while it waits for the device to end a queue. */
TEST_F_TIMEOUT(hang, unbind_in_the_middle, GUARD_S)
{
	pid_t pid;

	ASSERT_EQ(xq_stick(&self->q, STUCK), 0);
	ASSERT_EQ(xq_stick(&self->q, NOT_ENDED), 0);
	xq_push(&self->q, nop);
	xq_ring(&self->q);
	pid = xq_waiter(&self->q);
	while (counter(self->sysfs, "hung_queues") == self->hung)
		usleep(10000);
	EXPECT_EQ(drv_write("unbind", self->sysfs), 0);
	EXPECT_NE(child_status(pid), 0);
	ASSERT_EQ(release(), 0);
	xq_close(&self->q);
	close(self->fd);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	EXPECT_EQ(xq_run(&self->q, nop, NULL), 0);
	EXPECT_EQ(counter(self->sysfs, "hung_queues"), 0);
}

/* --- left alone ------------------------------------------------------------- */

TEST_F_TIMEOUT(hang, none_for_what_waits_or_failed, GUARD_S)
{
	const struct alink_xpu_desc bad = { .opcode = 99 };
	struct xq *failed, *late, *gone;
	struct drm_alink_xpu_queue_error error;

	/* For memory, for ever */
	xq_push_endless(&self->q);
	failed = open_more(_metadata, self, DRM_ALINK_XPU_PRIORITY_NORMAL);
	ASSERT_EQ(xq_run(failed, bad, &error), -EIO);
	/* Its completion comes in an hour. */
	late = open_more(_metadata, self, DRM_ALINK_XPU_PRIORITY_NORMAL);
	ASSERT_EQ(model_put("xpu0", "x-complete-late-us", "3600000000"), 0);
	xq_push(late, nop);
	xq_ring(late);
	EXPECT_EQ(xq_wait(late, 100, NULL), -ETIME);
	EXPECT_EQ(model_put("xpu0", "x-complete-late-us", "0"), 0);
	/* Its user ends it before anybody else does. */
	gone = open_more(_metadata, self, DRM_ALINK_XPU_PRIORITY_NORMAL);
	ASSERT_EQ(xq_stick(gone, STUCK), 0);
	xq_push(gone, nop);
	xq_ring(gone);
	xq_close(gone);
	self->num--;
	ASSERT_EQ(release(), 0);

	look_often(_metadata);
	expect_counters(_metadata, self, 1, 0);
	expect_state(_metadata, &self->q, DRM_ALINK_XPU_QUEUE_RUNNING);
	expect_state(_metadata, late, DRM_ALINK_XPU_QUEUE_RUNNING);
	expect_state(_metadata, failed, DRM_ALINK_XPU_QUEUE_HALTED);
	EXPECT_EQ(xq_wait(failed, 0, &error), -EIO);
	EXPECT_EQ(error.status, ALINK_ST_BAD_OPCODE);
	self->q.fence[1] = 0x123456789;
	EXPECT_EQ(xq_wait(&self->q, WAIT_MS, NULL), 0);
}

/* GEMM of zeros; the rows of both operands are one row. */
static struct alink_xpu_desc long_gemm(struct __test_metadata *_metadata,
				       FIXTURE_DATA(hang) *self)
{
	const uint64_t size = (2 + GEMM_ROWS) * GEMM_ROW;
	struct alink_xpu_compute c = {
		.m = GEMM_ROWS, .n = GEMM_DIM, .k = GEMM_DIM,
		.a = { .addr = VA_HBM, .dtype = ALINK_DT_FP32 },
		.b = { .addr = VA_HBM + GEMM_ROW, .dtype = ALINK_DT_FP32 },
		.dst = { .addr = VA_HBM + 2 * GEMM_ROW,
			 .dtype = ALINK_DT_FP32, .stride = GEMM_ROW },
	};
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COMPUTE, .subop = ALINK_XPU_FN_GEMM,
		.src = VA, .len = sizeof(c),
	};
	uint32_t hbm, block;
	void *mem;

	ASSERT_EQ(gem_create(self->fd, HBM, size, &hbm), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, hbm, 0, VA_HBM, size, RW), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &block), 0);
	mem = gem_map(self->fd, block, PAGE);
	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, block, 0, VA, PAGE, RW), 0);
	memcpy(mem, &c, sizeof(c));
	munmap(mem, PAGE);
	return d;
}

/* A GEMM that takes minutes, and one that waits for its turn behind it */
TEST_F_TIMEOUT(hang, none_for_long_work, GUARD_S)
{
	struct alink_xpu_desc d = long_gemm(_metadata, self);
	struct xq *first = open_beside(_metadata, self,
				       DRM_ALINK_XPU_PRIORITY_REALTIME);
	uint32_t progress[2];
	char key[64];

	snprintf(key, sizeof(key), "alink_xpu-queue-%u-progress", first->id);
	progress[0] = fdinfo(self->fd, key);
	xq_push(first, d);
	xq_ring(first);
	xq_push(&self->q, d);
	xq_ring(&self->q);
	look_often(_metadata);
	progress[1] = fdinfo(self->fd, key);
	expect_counters(_metadata, self, 1, 0);
	expect_state(_metadata, first, DRM_ALINK_XPU_QUEUE_RUNNING);
	expect_state(_metadata, &self->q, DRM_ALINK_XPU_QUEUE_RUNNING);
	EXPECT_NE(progress[0], progress[1]);
	/* They are not over, or this has shown nothing. */
	EXPECT_EQ(first->fence[0], 0);
	EXPECT_EQ(self->q.fence[0], 0);
}

TEST_HARNESS_MAIN
