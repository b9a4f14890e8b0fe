// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM_BIND: asynchronous calls, their order and their end; splits of all sizes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA	0x10000000UL
#define VA_Q	0x20000000UL
#define PAGES	16
#define SIZE	(PAGES * PAGE)
#define WAIT_MS	20000
#define MAP	DRM_ALINK_XPU_VM_BIND_MAP
#define UNMAP	DRM_ALINK_XPU_VM_BIND_UNMAP

FIXTURE(bind)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
	uint32_t bo;			/* page i begins with the word i + 1 */
	uint64_t *mem;
	uint32_t gate, out;
	uint32_t gate_bo;		/* not of a queue, which may be made anew */
	uint64_t *gate_word;
	struct drm_alink_xpu_sync sync[2];	/* wait for gate, signal out */
	struct drm_alink_xpu_vm_bind_op map;
};

FIXTURE_SETUP(bind)
{
	unsigned int i;

	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, SIZE, &self->bo), 0);
	self->mem = gem_map(self->fd, self->bo, SIZE);
	ASSERT_NE(self->mem, MAP_FAILED);
	for (i = 0; i < PAGES; i++)
		self->mem[i * PAGE / 8] = i + 1;
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, PAGE, &self->gate_bo), 0);
	self->gate_word = gem_map(self->fd, self->gate_bo, PAGE);
	ASSERT_NE(self->gate_word, MAP_FAILED);
	ASSERT_EQ(syncobj_create(self->fd, &self->gate), 0);
	ASSERT_EQ(syncobj_create(self->fd, &self->out), 0);
	self->sync[0] = (struct drm_alink_xpu_sync) { .handle = self->gate };
	self->sync[1] = (struct drm_alink_xpu_sync) {
		.handle = self->out, .flags = DRM_ALINK_XPU_SYNC_SIGNAL,
	};
	self->map = (struct drm_alink_xpu_vm_bind_op) {
		.op = MAP, .flags = RW, .handle = self->bo, .addr = VA,
		.range = SIZE,
	};
}

FIXTURE_TEARDOWN(bind)
{
	munmap(self->mem, SIZE);
	munmap(self->gate_word, PAGE);
	close(self->fd);
}

/* --- helpers -------------------------------------------------------------- */

/* A fence that is signalled when the test opens the gate. */
static int close_gate(FIXTURE_DATA(bind) *self)
{
	struct drm_alink_xpu_fence_syncobj args = {
		.handle = self->gate_bo,
		.value = 1,
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
		.syncobj = self->gate,
	};

	*self->gate_word = 0;
	return xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &args);
}

static void open_gate(FIXTURE_DATA(bind) *self)
{
	*self->gate_word = 1;
}

/* What a VM has at an address: 0 for nothing, else the word there. */
static uint64_t at_vm(FIXTURE_DATA(bind) *self, uint32_t vm, uint64_t va)
{
	struct drm_alink_xpu_wait_fence w = {
		.flags = DRM_ALINK_XPU_FENCE_VA,
		.handle = vm,
		.addr = va,
		.value = 1UL << 62,
	};

	return xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w) ==
	       -ETIME ? w.current_value : 0;
}

static uint64_t at(FIXTURE_DATA(bind) *self, uint64_t va)
{
	return at_vm(self, self->vm, va);
}

/* The engine reads it into fence[3], or faults, which ends the queue. */
static int engine_reads(struct __test_metadata *_metadata,
			FIXTURE_DATA(bind) *self, uint64_t va)
{
	struct drm_alink_xpu_queue_error error;
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COPY,
		.dst = VA_Q + self->q.fence_offset + 24,
		.src = va, .len = 8,
	};
	int err;

	self->q.fence[3] = 0;
	err = xq_run(&self->q, d, &error);
	if (err) {
		EXPECT_EQ(err, -EIO);
		EXPECT_EQ(error.status, ALINK_ST_PAGE_FAULT);
	}
	return err;
}

static void renew_queue(struct __test_metadata *_metadata,
			FIXTURE_DATA(bind) *self)
{
	xq_close(&self->q);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
}

/* What the engine finds there, with a new queue after a fault */
static uint64_t engine_at(struct __test_metadata *_metadata,
			  FIXTURE_DATA(bind) *self, uint64_t va)
{
	if (!engine_reads(_metadata, self, va))
		return self->q.fence[3];
	renew_queue(_metadata, self);
	return 0;
}

static int bind_async(FIXTURE_DATA(bind) *self,
		      const struct drm_alink_xpu_vm_bind_op *op, bool in,
		      bool out)
{
	return vm_bind_async(self->fd, self->vm, op, 1,
			     self->sync + (in ? 0 : 1), in + out);
}

/* --- asynchronous calls --------------------------------------------------- */

TEST_F(bind, waits_for_its_fence)
{
	int fence;

	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	fence = syncobj_export(self->fd, self->out, true);
	ASSERT_GE(fence, 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, 100), -ETIME);
	EXPECT_EQ(sync_file_status(fence), 0);
	EXPECT_EQ(at(self, VA), 0);
	EXPECT_EQ(engine_reads(_metadata, self, VA), -EIO);
	open_gate(self);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	EXPECT_EQ(sync_file_status(fence), 1);
	/* Not before: its memory is bound behind what waited for the gate. */
	renew_queue(_metadata, self);
	EXPECT_EQ(at(self, VA + 3 * PAGE), 4);
	EXPECT_EQ(engine_at(_metadata, self, VA + 3 * PAGE), 4);
	close(fence);
}

TEST_F(bind, without_fences)
{
	ASSERT_EQ(bind_async(self, &self->map, false, false), 0);
	ASSERT_EQ(bind_async(self, &self->map, false, true), 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	EXPECT_EQ(at(self, VA + SIZE - PAGE), PAGES);
}

/* A call with nothing to wait for still comes after the one before it. */
TEST_F(bind, in_order)
{
	struct drm_alink_xpu_vm_bind_op hole = {
		.op = UNMAP, .addr = VA + PAGE, .range = PAGE,
	};
	struct drm_alink_xpu_vm_bind_op again = self->map;

	again.addr = VA + 2 * PAGE;
	again.offset = 7 * PAGE;
	again.range = PAGE;
	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, false), 0);
	ASSERT_EQ(bind_async(self, &hole, false, false), 0);
	ASSERT_EQ(bind_async(self, &again, false, true), 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, 100), -ETIME);
	EXPECT_EQ(at(self, VA + 2 * PAGE), 0);
	open_gate(self);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	EXPECT_EQ(at(self, VA), 1);
	EXPECT_EQ(at(self, VA + PAGE), 0);
	EXPECT_EQ(at(self, VA + 2 * PAGE), 8);
	EXPECT_EQ(at(self, VA + 3 * PAGE), 4);
	EXPECT_EQ(engine_at(_metadata, self, VA), 1);
	EXPECT_EQ(engine_at(_metadata, self, VA + 2 * PAGE), 8);
	EXPECT_EQ(engine_at(_metadata, self, VA + PAGE), 0);
}

/* A synchronous call comes after the asynchronous ones before it. */
TEST_F(bind, synchronous_takes_its_turn)
{
	int status;
	pid_t pid;

	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid)
		_exit(-vm_unmap(self->fd, self->vm, VA, SIZE / 2));
	usleep(200000);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	open_gate(self);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(at(self, VA), 0);
	EXPECT_EQ(at(self, VA + SIZE / 2), PAGES / 2 + 1);
}

TEST_F(bind, points_of_a_timeline)
{
	struct drm_alink_xpu_vm_bind_op unmap = {
		.op = UNMAP, .addr = VA, .range = SIZE,
	};

	self->sync[1].point = 5;
	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	/* Waits for one point, signals the next one. */
	self->sync[0] = (struct drm_alink_xpu_sync) {
		.handle = self->out, .point = 5,
	};
	self->sync[1].point = 6;
	ASSERT_EQ(bind_async(self, &unmap, true, true), 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 5, 100), -ETIME);
	open_gate(self);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 6, WAIT_MS), 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 5, 0), 0);
	EXPECT_EQ(at(self, VA), 0);
}

/* What is waited for is the fence there is, not the one that the call makes. */
TEST_F(bind, one_syncobj_in_and_out)
{
	self->sync[1].handle = self->gate;
	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->gate, 0, 100), -ETIME);
	open_gate(self);
	EXPECT_EQ(syncobj_wait(self->fd, self->gate, 0, WAIT_MS), 0);
	EXPECT_EQ(at(self, VA), 1);
}

/* VMs do not wait for each other. */
TEST_F(bind, another_vm_goes_on)
{
	uint32_t vm;

	ASSERT_EQ(vm_create(self->fd, &vm), 0);
	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, false), 0);
	ASSERT_EQ(vm_bind_async(self->fd, vm, &self->map, 1, &self->sync[1],
				1), 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	EXPECT_EQ(at_vm(self, vm, VA), 1);
	EXPECT_EQ(at(self, VA), 0);
	open_gate(self);
}

/* --- fences that end with an error ------------------------------------------ */

/* A fence whose time is over before anybody opens the gate */
static int close_gate_for(FIXTURE_DATA(bind) *self, uint32_t ms, uint64_t point)
{
	struct drm_alink_xpu_fence_syncobj args = {
		.handle = self->gate_bo,
		.value = 1, .timeout_ms = ms, .syncobj = self->gate,
		.point = point,
	};

	*self->gate_word = 0;
	return xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &args);
}

static const struct drm_alink_xpu_vm_bind_op unmap_all = {
	.op = UNMAP, .addr = VA, .range = SIZE,
};

static void expect_fence(struct __test_metadata *_metadata,
			 FIXTURE_DATA(bind) *self, int status)
{
	int fence = syncobj_export(self->fd, self->out, true);

	ASSERT_GE(fence, 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	EXPECT_EQ(sync_file_status(fence), status);
	close(fence);
}

/* The engine may still be at work: it must not lose its memory. */
TEST_F(bind, nothing_behind_a_fence_that_timed_out)
{
	ASSERT_EQ(vm_bind(self->fd, self->vm, &self->map, 1), 0);
	ASSERT_EQ(close_gate_for(self, 300, 0), 0);
	ASSERT_EQ(bind_async(self, &unmap_all, true, true), 0);
	expect_fence(_metadata, self, -ETIMEDOUT);
	EXPECT_EQ(at(self, VA), 1);
	EXPECT_EQ(engine_at(_metadata, self, VA + 3 * PAGE), 4);

	/* One that was over before the call is no other. */
	ASSERT_EQ(bind_async(self, &unmap_all, true, true), 0);
	expect_fence(_metadata, self, -ETIMEDOUT);
	EXPECT_EQ(at(self, VA), 1);
	/* Calls that do not wait for it are made. */
	ASSERT_EQ(bind_async(self, &unmap_all, false, true), 0);
	expect_fence(_metadata, self, 1);
	EXPECT_EQ(at(self, VA), 0);
}

/* The queue halts: its fence, and what waits for that, says why. */
TEST_F(bind, nothing_behind_a_queue_that_halted)
{
	struct drm_alink_xpu_fence_syncobj args = {
		.queue_id = self->q.id, .handle = self->q.bo,
		.addr = self->q.fence_offset, .value = 1,
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
		.syncobj = self->gate,
	};
	const struct alink_xpu_desc bad = { .opcode = 99 };

	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ,
			    &args), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	EXPECT_EQ(xq_run(&self->q, bad, NULL), -EIO);
	expect_fence(_metadata, self, -EIO);
	EXPECT_EQ(at(self, VA), 0);
}

/* It has waited for all before it says so: two, and the first has failed. */
TEST_F(bind, an_error_comes_after_the_last_fence)
{
	struct drm_alink_xpu_sync sync[3] = { {}, {}, self->sync[1] };

	ASSERT_EQ(close_gate_for(self, 100, 0), 0);
	sync[0].handle = self->gate;
	ASSERT_EQ(syncobj_wait(self->fd, self->gate, 0, WAIT_MS), 0);
	ASSERT_EQ(syncobj_create(self->fd, &self->gate), 0);
	ASSERT_EQ(close_gate(self), 0);
	sync[1].handle = self->gate;
	ASSERT_EQ(vm_bind_async(self->fd, self->vm, &self->map, 1, sync, 3),
		  0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, 100), -ETIME);
	open_gate(self);
	expect_fence(_metadata, self, -ETIMEDOUT);
	EXPECT_EQ(at(self, VA), 0);
}

TEST_F(bind, nothing_behind_a_point_that_timed_out)
{
	self->sync[0].point = 5;
	ASSERT_EQ(close_gate_for(self, 300, 5), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	expect_fence(_metadata, self, -ETIMEDOUT);
	EXPECT_EQ(at(self, VA), 0);
}

TEST_F(bind, nothing_now_behind_a_fence_that_timed_out)
{
	struct drm_alink_xpu_vm_bind b = {
		.vm_id = self->vm, .num_binds = 1,
		.binds = (uintptr_t)&unmap_all,
		.num_syncs = 2, .syncs = (uintptr_t)self->sync,
	};

	ASSERT_EQ(vm_bind(self->fd, self->vm, &self->map, 1), 0);
	ASSERT_EQ(close_gate_for(self, 300, 0), 0);
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
		  -ECANCELED);
	EXPECT_EQ(b.num_done, 0);
	EXPECT_EQ(at(self, VA), 1);
	/* It has made no fence of its own. */
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, 0), -EINVAL);
	b.num_syncs = 1;
	b.syncs = (uintptr_t)&self->sync[1];
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b), 0);
	EXPECT_EQ(at(self, VA), 0);
}

/* --- ends ----------------------------------------------------------------- */

TEST_F(bind, destroyed_vm_cancels)
{
	uint32_t vm;
	int fence;

	ASSERT_EQ(vm_create(self->fd, &vm), 0);
	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(vm_bind_async(self->fd, vm, &self->map, 1, self->sync, 1), 0);
	ASSERT_EQ(vm_bind_async(self->fd, vm, &self->map, 1, self->sync, 2), 0);
	fence = syncobj_export(self->fd, self->out, true);
	ASSERT_GE(fence, 0);
	EXPECT_EQ(sync_file_status(fence), 0);
	EXPECT_EQ(vm_destroy(self->fd, vm), 0);
	EXPECT_EQ(sync_file_status(fence), -ECANCELED);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, 0), 0);
	open_gate(self);
	close(fence);
}

TEST_F(bind, closed_file_cancels)
{
	struct drm_alink_xpu_sync sync[2] = {
		{}, { .flags = DRM_ALINK_XPU_SYNC_SIGNAL },
	};
	int other = xpu_open(0), obj, fence;
	struct drm_alink_xpu_vm_bind_op map = self->map;
	uint32_t vm;

	ASSERT_GE(other, 0);
	ASSERT_EQ(close_gate(self), 0);
	obj = syncobj_export(self->fd, self->gate, false);
	ASSERT_EQ(syncobj_import(other, obj, &sync[0].handle), 0);
	close(obj);
	obj = syncobj_export(self->fd, self->out, false);
	ASSERT_EQ(syncobj_import(other, obj, &sync[1].handle), 0);
	close(obj);
	ASSERT_EQ(vm_create(other, &vm), 0);
	ASSERT_EQ(gem_create(other, HOST, SIZE, &map.handle), 0);
	ASSERT_EQ(vm_bind_async(other, vm, &map, 1, sync, 2), 0);
	fence = syncobj_export(self->fd, self->out, true);
	ASSERT_GE(fence, 0);
	EXPECT_EQ(sync_file_status(fence), 0);
	close(other);
	EXPECT_EQ(sync_file_status(fence), -ECANCELED);
	open_gate(self);
	close(fence);
}

TEST_F(bind, unbind_ends_it)
{
	int fence;

	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	fence = syncobj_export(self->fd, self->out, true);
	ASSERT_GE(fence, 0);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	EXPECT_EQ(sync_file_status(fence), -ENODEV);
	EXPECT_EQ(bind_async(self, &self->map, false, false), -ENODEV);
	close(fence);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
}

TEST_F(bind, loss_ends_it)
{
	int fence, i;

	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	fence = syncobj_export(self->fd, self->out, true);
	ASSERT_GE(fence, 0);
	ASSERT_EQ(model_set("xpu0", "x-dead", true), 0);
	/* The health check finds it out. */
	for (i = 0; i < 1000 && !sync_file_status(fence); i++)
		usleep(10000);
	EXPECT_EQ(sync_file_status(fence), -ENODEV);
	close(fence);
	EXPECT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(model_set("xpu0", "x-dead", false), 0);
	EXPECT_EQ(drv_write("bind", self->sysfs), 0);
}

/* A reset ends queues, not what is to be bound. */
TEST_F(bind, reset_does_not_end_it)
{
	struct xq q;

	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, 0), -ETIME);
	open_gate(self);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64), 0);
	EXPECT_EQ(xq_fill(&q, VA, 0x600d600d, PAGE), 0);
	EXPECT_EQ(self->mem[0], 0x600d600d600d600dUL);
	xq_close(&q);
}

/* Imports do not survive a reset, nor does what would bind them later. */
TEST_F(bind, import_is_void_after_reset)
{
	struct drm_alink_xpu_segment_handle handle;
	struct drm_alink_xpu_vm_bind_op map = self->map;
	int other = xpu_open(1), fence;
	struct alink_ctx *ctx;
	uint32_t bo, id;

	ASSERT_GE(other, 0);
	ASSERT_EQ(alink_new(&ctx), 0);
	ASSERT_EQ(alink_fabric_up(ctx, 1), 0);
	ASSERT_EQ(gem_create(other, HBM, SIZE, &bo), 0);
	ASSERT_EQ(seg_export(other, bo, DRM_ALINK_XPU_SEGMENT_READ |
			     DRM_ALINK_XPU_SEGMENT_WRITE, &handle, &id), 0);
	ASSERT_EQ(seg_import(self->fd, &handle, &map.handle), 0);
	ASSERT_EQ(close_gate(self), 0);
	ASSERT_EQ(bind_async(self, &map, true, true), 0);
	fence = syncobj_export(self->fd, self->out, true);
	ASSERT_GE(fence, 0);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	open_gate(self);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	EXPECT_EQ(sync_file_status(fence), -ECANCELED);
	EXPECT_EQ(bind_async(self, &map, false, true), -ECANCELED);
	close(fence);
	close(other);
	alink_free(ctx);
}

/* --- versions, limits and refusals ---------------------------------------- */

/* What the header calls "since version 1.1" to 1.6 is there. */
TEST_F(bind, version)
{
	struct drm_version v = {};

	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_VERSION, &v), 0);
	EXPECT_EQ(v.version_major, 1);
	EXPECT_GE(v.version_minor, 6);
}

TEST_F(bind, so_many_and_no_more)
{
	unsigned int i;

	ASSERT_EQ(close_gate(self), 0);
	for (i = 0; i < DRM_ALINK_XPU_MAX_ASYNC_BINDS; i++)
		ASSERT_EQ(bind_async(self, &self->map, true, true), 0);
	EXPECT_EQ(bind_async(self, &self->map, true, true), -ENOSPC);
	EXPECT_EQ(bind_async(self, &self->map, false, false), -ENOSPC);
	open_gate(self);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	/* A synchronous call finds all before it done, and so is there room. */
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA, SIZE), 0);
	for (i = 0; i < 1000 &&
	     bind_async(self, &self->map, false, true) == -ENOSPC; i++)
		usleep(10000);
	EXPECT_LT(i, 1000);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	EXPECT_EQ(at(self, VA), 1);
}

/* What is refused at once leaves no fence, and nothing behind. */
TEST_F(bind, refused_at_once)
{
	struct drm_alink_xpu_vm_bind good = {
		.vm_id = self->vm,
		.flags = DRM_ALINK_XPU_VM_BIND_ASYNC,
		.num_binds = 1,
		.num_syncs = 1,
		.binds = (uintptr_t)&self->map,
		.syncs = (uintptr_t)&self->sync[1],
	}, args;
	struct drm_alink_xpu_vm_bind_op op;
	const unsigned long nr = DRM_IOCTL_ALINK_XPU_VM_BIND;

	args = good;
	args.flags |= 2;
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &args), -EINVAL);
	args = good;
	args.num_done = 1;
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &args), -EINVAL);
	args = good;
	args.num_binds = 0;
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &args), -EINVAL);
	args = good;
	args.num_binds = DRM_ALINK_XPU_MAX_BINDS + 1;
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &args), -E2BIG);
	args = good;
	args.num_syncs = DRM_ALINK_XPU_MAX_SYNCS + 1;
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &args), -E2BIG);
	args = good;
	args.vm_id += 50;
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &args), -ENOENT);
	args = good;
	args.binds = 8;
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &args), -EFAULT);
	args = good;
	args.syncs = 8;
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &args), -EFAULT);
	/* The gate has no fence, and unknown syncobjs are none. */
	EXPECT_EQ(bind_async(self, &self->map, true, true), -EINVAL);
	self->sync[0].handle += 50;
	EXPECT_EQ(bind_async(self, &self->map, true, true), -ENOENT);
	op = self->map;
	op.handle += 50;
	EXPECT_EQ(bind_async(self, &op, false, true), -ENOENT);
	op = self->map;
	op.range += PAGE;
	EXPECT_EQ(bind_async(self, &op, false, true), -EINVAL);
	op = self->map;
	op.op = 3;
	EXPECT_EQ(bind_async(self, &op, false, true), -EINVAL);
	/* Nothing was put into it. */
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, 0), -EINVAL);
	EXPECT_EQ(at(self, VA), 0);
	EXPECT_EQ(xpu_ioctl(self->fd, nr, &good), 0);
	EXPECT_EQ(good.num_done, 0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
}

/* --- splits --------------------------------------------------------------- */

#define AREA		(8 * LARGE)
#define AREA_PAGES	(AREA / PAGE)

struct shadow {
	uint64_t word[AREA_PAGES];	/* as at() sees it */
};

/* An object of many large pages; page i of it begins with b << 32 | i + 1. */
static void fill_object(struct __test_metadata *_metadata,
			FIXTURE_DATA(bind) *self, uint32_t flags, uint64_t b,
			uint32_t *bo)
{
	uint64_t i, *p;

	ASSERT_EQ(gem_create(self->fd, flags, AREA, bo), 0);
	p = gem_map(self->fd, *bo, AREA);
	ASSERT_NE(p, MAP_FAILED);
	for (i = 0; i < AREA_PAGES; i++)
		p[i * PAGE / 8] = b << 32 | (i + 1);
	munmap(p, AREA);
}

/* A range of pages, more often than not at the edge of a large one */
static void pick_range(uint64_t *first, uint64_t *num)
{
	const uint64_t per = LARGE / PAGE;

	*first = rand() % AREA_PAGES;
	*num = 1 + rand() % (2 * per);
	if (rand() % 2)
		*first -= *first % per;
	if (rand() % 2)
		*num = per * (1 + rand() % 3);
	if (*num > AREA_PAGES - *first)
		*num = AREA_PAGES - *first;
}

static void random_op(struct drm_alink_xpu_vm_bind_op *op,
		      struct shadow *shadow, const uint32_t *bo)
{
	uint64_t first, num, from, i, b = rand() % 3;

	pick_range(&first, &num);
	memset(op, 0, sizeof(*op));
	op->addr = VA + first * PAGE;
	op->range = num * PAGE;
	op->op = b == 2 ? UNMAP : MAP;
	/* Aligned as the address is, or not */
	from = rand() % 2 ? first : rand() % (AREA_PAGES - num + 1);
	if (b < 2) {
		op->flags = RW;
		op->handle = bo[b];
		op->offset = from * PAGE;
	}
	for (i = 0; i < num; i++)
		shadow->word[first + i] = b == 2 ? 0 :
					  (b + 1) << 32 | (from + i + 1);
}

static void check_shadow(struct __test_metadata *_metadata,
			 FIXTURE_DATA(bind) *self, const struct shadow *shadow)
{
	uint64_t i, page;

	for (i = 0; i < 64; i++) {
		page = rand() % AREA_PAGES;
		ASSERT_EQ(at(self, VA + page * PAGE), shadow->word[page]) {
			TH_LOG("page %lu", page);
		}
		ASSERT_EQ(engine_at(_metadata, self, VA + page * PAGE),
			  shadow->word[page]) {
			TH_LOG("page %lu", page);
		}
	}
}

/* Many operations, asynchronous or not: books and page tables say the same. */
TEST_F_TIMEOUT(bind, splits_of_all_sizes, 240)
{
	struct drm_alink_xpu_vm_bind_op op[32];
	struct shadow *shadow = calloc(1, sizeof(*shadow));
	unsigned int round, i;
	uint32_t bo[2];

	ASSERT_NE(shadow, NULL);
	/* VA is where the fixture's queue is not. */
	ASSERT_LE(VA + AREA, VA_Q);
	fill_object(_metadata, self, HOST, 1, &bo[0]);
	fill_object(_metadata, self, HBM_CPU, 2, &bo[1]);
	srand(1);
	for (round = 0; round < 24; round++) {
		for (i = 0; i < 32; i++)
			random_op(&op[i], shadow, bo);
		if (round % 3) {
			ASSERT_EQ(vm_bind_async(self->fd, self->vm, op, 32,
						&self->sync[1], 1), 0);
			if (round % 3 == 1)
				continue;
			ASSERT_EQ(syncobj_wait(self->fd, self->out, 0,
					       WAIT_MS), 0);
		} else {
			ASSERT_EQ(vm_bind(self->fd, self->vm, op, 32), 0);
		}
		check_shadow(_metadata, self, shadow);
	}
	free(shadow);
}

/* Bytes of large pages in shmem, of all that there are in the system */
static long shmem_large(void)
{
	char line[128];
	long kib = -1;
	FILE *f;

	f = fopen("/proc/meminfo", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f) &&
	       sscanf(line, "ShmemHugePages: %ld kB", &kib) != 1)
		;
	fclose(f);
	return kib * 1024;
}

/* What is smaller than a large page, at the end, has small ones. */
TEST_F(bind, host_objects_have_large_pages)
{
	uint64_t size = 2 * LARGE + LARGE / 2, i, *p;
	long before = shmem_large();
	uint32_t bo;

	if (before < 0)
		SKIP(return, "a kernel without transparent huge pages");
	/* There may be none without somebody who makes room. */
	EXPECT_EQ(write_file("/proc/sys/vm/compact_memory", "1"), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, size, &bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, size, RW), 0);
	EXPECT_EQ(shmem_large(), before + 2 * LARGE);
	p = gem_map(self->fd, bo, size);
	ASSERT_NE(p, MAP_FAILED);
	for (i = 0; i < size / PAGE; i++) {
		EXPECT_EQ(p[i * PAGE / 8], 0);
		p[i * PAGE / 8] = i + 1;
	}
	for (i = 0; i < size / PAGE; i++)
		ASSERT_EQ(at(self, VA + i * PAGE), i + 1);
	EXPECT_EQ(engine_at(_metadata, self, VA), 1);
	EXPECT_EQ(engine_at(_metadata, self, VA + LARGE - PAGE), LARGE / PAGE);
	EXPECT_EQ(engine_at(_metadata, self, VA + LARGE), LARGE / PAGE + 1);
	EXPECT_EQ(engine_at(_metadata, self, VA + size - PAGE), size / PAGE);
	munmap(p, size);
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA, size), 0);
	ASSERT_EQ(gem_close(self->fd, bo), 0);
	/* A file is put by who leaves the kernel next. */
	for (i = 0; i < 100 && shmem_large() != before; i++)
		usleep(100000);
	EXPECT_EQ(shmem_large(), before);
}

/* All pages of an object, each by an operation of its own, in one call */
TEST_F(bind, operations_without_number)
{
	struct drm_alink_xpu_vm_bind_op *op;
	struct shadow *shadow = calloc(1, sizeof(*shadow));
	unsigned int i, n = DRM_ALINK_XPU_MAX_BINDS;
	uint32_t bo;

	ASSERT_NE(shadow, NULL);
	op = calloc(n, sizeof(*op));
	ASSERT_NE(op, NULL);
	fill_object(_metadata, self, HOST, 1, &bo);
	for (i = 0; i < n; i++) {
		op[i] = (struct drm_alink_xpu_vm_bind_op) {
			.op = MAP, .flags = RW, .handle = bo,
			.offset = (n - 1 - i) * PAGE,
			.addr = VA + i * PAGE, .range = PAGE,
		};
		shadow->word[i] = 1UL << 32 | (n - i);
	}
	ASSERT_EQ(vm_bind_async(self->fd, self->vm, op, n, &self->sync[1], 1),
		  0);
	EXPECT_EQ(syncobj_wait(self->fd, self->out, 0, WAIT_MS), 0);
	check_shadow(_metadata, self, shadow);
	free(op);
	free(shadow);
}

TEST_HARNESS_MAIN
