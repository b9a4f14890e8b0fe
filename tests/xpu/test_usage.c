// SPDX-License-Identifier: GPL-2.0-only
/* What others see of the use of an xPU: fdinfo of its files, trace events. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"
#include "xpu_trace.h"

#define VA	0x10000000UL
#define VA_Q	0x20000000UL
#define VA_MANY	0x100000000UL

FIXTURE(usage)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
};

FIXTURE_SETUP(usage)
{
	self->fd = xpu_open(0);
	if (self->fd == -ENODEV)
		SKIP(return, "no xPU");
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
}

FIXTURE_TEARDOWN(usage)
{
	xq_close(&self->q);
	close(self->fd);
}

/* --- fdinfo, as Documentation/gpu/drm-usage-stats.rst has it ---------------- */

TEST_F(usage, has_the_standard_keys)
{
	struct drm_alink_xpu_query_device d;
	char text[128];

	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	EXPECT_TRUE(fdinfo_text(self->fd, "drm-driver", text, sizeof(text)));
	EXPECT_STREQ(text, "alink_xpu");
	EXPECT_TRUE(fdinfo_text(self->fd, "drm-pdev", text, sizeof(text)));
	EXPECT_STREQ(text, strrchr(self->sysfs, '/') + 1);
	EXPECT_GT(fdinfo(self->fd, "drm-client-id"), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-engine-capacity-dma"), d.num_rings);
	EXPECT_GE(fdinfo(self->fd, "drm-engine-dma"), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-engine-none"), -1);
}

/* Line by line what a parser may rely on: "drm-KEY:", blanks, a value */
TEST_F(usage, every_line_can_be_parsed)
{
	char path[64], line[256];
	size_t key, gap;
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->fd);
	f = fopen(path, "re");
	ASSERT_NE(f, NULL);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "drm-", 4))
			continue;	/* the kernel's own: pos, flags, ... */
		n++;
		key = strspn(line, "abcdefghijklmnopqrstuvwxyz-");
		gap = strspn(line + key + 1, " \t");
		EXPECT_TRUE(line[key] == ':' && gap &&
			    line[key + 1 + gap] > ' ' &&
			    strchr(line, '\n')) {
			TH_LOG("%s", line);
		}
	}
	fclose(f);
	EXPECT_GE(n, 11);
}

TEST_F(usage, engine_time_is_that_of_the_file)
{
	struct drm_alink_xpu_query_counters c;
	int other = xpu_open(0), i;
	int64_t before, after;
	uint32_t bo;

	ASSERT_GE(other, 0);
	ASSERT_EQ(gem_create(self->fd, HBM, 32 * MIB, &bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, 32 * MIB, RW), 0);
	before = fdinfo(self->fd, "drm-engine-dma");
	EXPECT_EQ(before, 0);
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(xq_fill(&self->q, VA, i, 32 * MIB), 0);
		after = fdinfo(self->fd, "drm-engine-dma");
		EXPECT_GT(after, before);
		before = after;
	}
	ASSERT_EQ(xpu_counters(self->fd, &c), 0);
	EXPECT_LE(after, c.busy_ns);
	EXPECT_EQ(fdinfo(other, "drm-engine-dma"), 0);
	/* Nothing to do, nothing to count */
	EXPECT_EQ(fdinfo(self->fd, "drm-engine-dma"), after);
	close(other);
}

TEST_F(usage, nobody_forges_engine_time)
{
	struct alink_xpu_queue_status *s = (void *)self->q.status;

	s->model_ns = 1ULL << 60;
	EXPECT_EQ(fdinfo(self->fd, "drm-engine-dma"), 0);
}

TEST_F(usage, engine_time_outlives_queue_and_reset)
{
	char path[512];
	struct xq q;
	int64_t t;
	uint32_t bo;

	ASSERT_EQ(gem_create(self->fd, HBM, 32 * MIB, &bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, 32 * MIB, RW), 0);
	ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64), 0);
	ASSERT_EQ(xq_fill(&q, VA, 1, 32 * MIB), 0);
	/* Not looked at before the queue has gone */
	xq_close(&q);
	t = fdinfo(self->fd, "drm-engine-dma");
	EXPECT_GT(t, 0);

	ASSERT_EQ(xq_fill(&self->q, VA, 2, 32 * MIB), 0);
	snprintf(path, sizeof(path), "%s/reset", self->sysfs);
	ASSERT_EQ(write_file(path, "1"), 0);
	EXPECT_GT(fdinfo(self->fd, "drm-engine-dma"), t);
	t = fdinfo(self->fd, "drm-engine-dma");
	/* The next user of that hardware queue begins with 0. */
	ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-engine-dma"), t);
	ASSERT_EQ(xq_fill(&q, VA, 3, MIB), 0);
	EXPECT_GT(fdinfo(self->fd, "drm-engine-dma"), t);
	xq_close(&q);
}

TEST_F(usage, memory_by_region)
{
	int64_t hbm = fdinfo(self->fd, "drm-total-hbm");
	int64_t host = fdinfo(self->fd, "drm-total-system");
	int64_t resident = fdinfo(self->fd, "drm-resident-system");
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	uint32_t a, b;

	EXPECT_EQ(hbm, 0);
	EXPECT_EQ(host, self->q.bo_size);
	EXPECT_EQ(resident, self->q.bo_size);
	EXPECT_EQ(fdinfo(self->fd, "drm-shared-system"), 0);

	ASSERT_EQ(gem_create(self->fd, HBM, 3 * MIB, &a), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 3 * MIB);
	EXPECT_EQ(fdinfo(self->fd, "drm-resident-hbm"), 3 * MIB);
	EXPECT_EQ(fdinfo(self->fd, "drm-shared-hbm"), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-system"), host);

	/* Host memory takes room only once somebody uses it. */
	ASSERT_EQ(gem_create(self->fd, HOST, 5 * PAGE, &b), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-system"), host + 5 * PAGE);
	EXPECT_EQ(fdinfo(self->fd, "drm-resident-system"), resident);
	ASSERT_EQ(vm_map(self->fd, self->vm, b, 0, VA, 5 * PAGE, RW), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-resident-system"),
		  resident + 5 * PAGE);

	prime.handle = b;
	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-shared-system"), 5 * PAGE);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-system"), host + 5 * PAGE);
	close(prime.fd);

	ASSERT_EQ(gem_close(self->fd, a), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 0);
}

/* However it is held: a monitor that does not see it looks for a leak. */
TEST_F(usage, memory_without_a_handle)
{
	int64_t host = fdinfo(self->fd, "drm-total-system");
	struct drm_alink_xpu_segment_handle h;
	uint32_t bo, vm, id;

	ASSERT_EQ(vm_create(self->fd, &vm), 0);
	ASSERT_EQ(gem_create(self->fd, HBM, 3 * MIB, &bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, 3 * MIB, RW), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, MIB, VA + 4 * MIB, MIB, RW),
		  0);
	ASSERT_EQ(vm_map(self->fd, vm, bo, 0, VA, 3 * MIB, RW), 0);
	ASSERT_EQ(seg_export(self->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &id),
		  0);
	/* Five ways, one object */
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 3 * MIB);
	ASSERT_EQ(gem_close(self->fd, bo), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 3 * MIB);
	EXPECT_EQ(fdinfo(self->fd, "drm-resident-hbm"), 3 * MIB);
	EXPECT_EQ(fdinfo(self->fd, "drm-shared-hbm"), 0);
	/* One after the other is given up. */
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA, 5 * MIB), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 3 * MIB);
	ASSERT_EQ(vm_destroy(self->fd, vm), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 3 * MIB);
	ASSERT_EQ(seg_revoke(self->fd, id), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-system"), host);
}

/* A program with more bindings than the driver looks at in one go */
TEST_F(usage, memory_in_many_bindings)
{
	int64_t host = fdinfo(self->fd, "drm-total-system");
	const uint64_t num = 1000;
	uint32_t first, many, last;
	uint64_t i;

	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &first), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, 3 * PAGE, &many), 0);
	ASSERT_EQ(gem_create(self->fd, HBM, 5 * PAGE, &last), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, first, 0, VA_MANY, PAGE, RW), 0);
	for (i = 1; i <= num; i++)
		ASSERT_EQ(vm_map(self->fd, self->vm, many, 0,
				 VA_MANY + i * LARGE, 3 * PAGE, RW), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, last, 0, VA_MANY + i * LARGE,
			 5 * PAGE, RW), 0);
	ASSERT_EQ(gem_close(self->fd, first), 0);
	ASSERT_EQ(gem_close(self->fd, many), 0);
	ASSERT_EQ(gem_close(self->fd, last), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-system"), host + 4 * PAGE);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 5 * PAGE);
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA_MANY, (i + 1) * LARGE), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-system"), host);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), 0);
}

/* Bound here, with a handle elsewhere: it is both files', and in use. */
TEST_F(usage, memory_with_a_handle_of_another_file)
{
	uint32_t mine, theirs;
	int other, buf, i;

	ASSERT_EQ(gem_create(self->fd, HBM, LARGE, &mine), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, mine, 0, VA, LARGE, RW), 0);
	buf = prime_export(self->fd, mine, DRM_CLOEXEC | DRM_RDWR);
	ASSERT_GE(buf, 0);
	other = xpu_open(0);
	ASSERT_GE(other, 0);
	ASSERT_EQ(prime_import(other, buf, &theirs), 0);
	close(buf);
	ASSERT_EQ(gem_close(self->fd, mine), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), LARGE);
	EXPECT_EQ(fdinfo(self->fd, "drm-shared-hbm"), LARGE);
	EXPECT_EQ(fdinfo(other, "drm-total-hbm"), LARGE);

	self->q.fence[1] = 0;
	xq_push_endless(&self->q);
	/* The state of a queue changes a moment after the doorbell. */
	for (i = 0; i < 2000 && fdinfo(self->fd, "drm-active-hbm") <= 0; i++)
		usleep(5000);
	EXPECT_EQ(fdinfo(self->fd, "drm-active-hbm"), LARGE);
	EXPECT_EQ(fdinfo(other, "drm-active-hbm"), LARGE);
	self->q.fence[1] = 0x123456789;
	EXPECT_EQ(xq_wait(&self->q, 20000, NULL), 0);

	ASSERT_EQ(gem_close(other, theirs), 0);
	EXPECT_EQ(fdinfo(other, "drm-total-hbm"), 0);
	EXPECT_EQ(fdinfo(self->fd, "drm-total-hbm"), LARGE);
	EXPECT_EQ(fdinfo(self->fd, "drm-shared-hbm"), 0);
	close(other);
}

/* --- trace events ------------------------------------------------------------ */

TEST_F(usage, trace_of_work)
{
	struct alink_xpu_desc bad = { .opcode = 99 };
	char text[128], *trace;
	uint32_t bo;
	struct xq q;

	trace_start(_metadata);
	ASSERT_EQ(gem_create(self->fd, HBM, LARGE, &bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, LARGE, RW), 0);
	ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 128), 0);
	ASSERT_EQ(xq_fill(&q, VA, 1, LARGE), 0);
	ASSERT_EQ(xq_run(&q, bad, NULL), -EIO);
	xq_close(&q);
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA, LARGE), 0);
	trace = trace_stop();

	snprintf(text, sizeof(text), " map addr=%#lx range=%#lx rights=0x3 err=0",
		 VA, LARGE);
	EXPECT_EQ(traced(trace, "alink_xpu_bind", text), 1);
	snprintf(text, sizeof(text), " unmap addr=%#lx range=%#lx", VA, LARGE);
	EXPECT_EQ(traced(trace, "alink_xpu_bind", text), 1);
	snprintf(text, sizeof(text), " ring=%#lx size=128 priority=1",
		 VA_Q + LARGE);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_create", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_fence_wait", " value=0x1 err=0"), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_fence_wait", " value=0x2 err=-5"), 1);
	snprintf(text, sizeof(text), " status=%u index=1 addr=0",
		 ALINK_ST_BAD_OPCODE);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_halt", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_destroy", " busy="), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_destroy", " busy=0 ns"), 0);
	/* All of this device */
	snprintf(text, sizeof(text), "dev=%s ", strrchr(self->sysfs, '/') + 1);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_create", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_fault", ""), 0);
	free(trace);
}

TEST_F(usage, trace_of_fences_and_reset)
{
	struct drm_alink_xpu_fence_syncobj args = {
		.queue_id = self->q.id,
		.handle = self->q.bo,
		.addr = self->q.fence_offset,
		.value = 5,
		.timeout_ms = 10000,
	};
	char path[512], *trace;

	trace_start(_metadata);
	ASSERT_EQ(syncobj_create(self->fd, &args.syncobj), 0);
	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ,
			    &args), 0);
	self->q.fence[0] = 5;
	EXPECT_EQ(syncobj_wait(self->fd, args.syncobj, 0, 10000), 0);
	snprintf(path, sizeof(path), "%s/reset", self->sysfs);
	ASSERT_EQ(write_file(path, "1"), 0);
	trace = trace_stop();

	EXPECT_EQ(traced(trace, "alink_xpu_fence_create",
			 " value=0x5 timeout=10000 ms"), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_fence_signal", " value=0x5 err=0"),
		  1);
	EXPECT_EQ(traced(trace, "alink_xpu_state", " state=resetting "), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_state", " state=active "), 1);
	free(trace);
}

/* What the kernel submits is traced, and of what users do the interrupts. */
TEST_F(usage, trace_of_submissions)
{
	const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };
	unsigned int id = xq_device_queue(&self->q), i;
	char text[128], *trace;
	uint32_t bo;
	int n;

	trace_start(_metadata);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(xq_run(&self->q, nop, NULL), 0);
	/* One may be late, or stand for several. */
	snprintf(text, sizeof(text), ": dev=%s vector=%u",
		 strrchr(self->sysfs, '/') + 1,
		 ALINK_XPU_VECTOR_QUEUE(id % (ALINK_XPU_NUM_VECTORS - 1)));
	trace_wait("alink_xpu_irq", text);
	trace = trace_stop();
	EXPECT_GE(traced(trace, "alink_xpu_irq", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_kq_submit", ""), 0);
	free(trace);

	/* HBM is handed out cleared. */
	trace_start(_metadata);
	ASSERT_EQ(gem_create(self->fd, HBM, LARGE, &bo), 0);
	trace = trace_stop();
	n = traced(trace, "alink_xpu_kq_submit", " fill dst=");
	EXPECT_GE(n, 1);
	EXPECT_EQ(traced(trace, "alink_xpu_kq_submit", ""), n);
	EXPECT_EQ(traced(trace, "alink_xpu_kq_complete", " err=0"), n);
	EXPECT_EQ(traced(trace, "alink_xpu_kq_complete", ""), n);
	EXPECT_EQ(traced_number(trace, "alink_xpu_kq_complete", " seq="),
		  traced_number(trace, "alink_xpu_kq_submit", " seq="));
	EXPECT_GT(traced_number(trace, "alink_xpu_kq_submit", " len="), 0);
	free(trace);
	ASSERT_EQ(gem_close(self->fd, bo), 0);
}

TEST_F_TIMEOUT(usage, trace_of_a_stuck_queue, 240)
{
	const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };
	char text[128], *trace;
	unsigned int id;
	struct xq q;
	int err;

	ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64), 0);
	id = xq_device_queue(&q);
	trace_start(_metadata);
	ASSERT_EQ(xq_stick(&q, "x-queue-stuck"), 0);
	xq_push(&q, nop);
	xq_ring(&q);
	err = xq_wait(&q, 120000, NULL);
	EXPECT_EQ(model_put("xpu0", "x-queue-stuck", "0"), 0);
	EXPECT_EQ(err, -EIO);
	/* All that is done about it is over when this returns. */
	xq_close(&q);
	trace = trace_stop();

	snprintf(text, sizeof(text), " code=63:130 unit=%u addr=%#lx recovery=context reset",
		 id, VA_Q + LARGE);
	EXPECT_EQ(traced(trace, "alink_xpu_fault", text), 1);
	snprintf(text, sizeof(text), " index=0 addr=%#lx progress=",
		 VA_Q + LARGE);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_hang", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_hang",
			 " recovery=context reset"), 1);
	snprintf(text, sizeof(text), " status=%u index=0 addr=%#lx",
		 ALINK_ST_STUCK, VA_Q + LARGE);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_halt", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_state", ""), 0);
	free(trace);
}

TEST_HARNESS_MAIN
