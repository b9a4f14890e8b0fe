// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is refused, argument by argument, with the errno that the interface says
 * and no effect: memory, VMs, bindings, queues, fences.
 */
#include <sys/sysinfo.h>

#include "refuse.h"

#define MAP	DRM_ALINK_XPU_VM_BIND_MAP
#define UNMAP	DRM_ALINK_XPU_VM_BIND_UNMAP
#define CPU	DRM_ALINK_XPU_GEM_NEEDS_CPU
#define SIGNAL	DRM_ALINK_XPU_SYNC_SIGNAL
/* Near the end of what 64 bits can say: the size rounded up would be 0. */
#define NO_SIZE	(~0ULL - PAGE + 2)

FIXTURE(refuse)
{
	struct refuse o;
};

FIXTURE_SETUP(refuse)
{
	ASSERT_EQ(refuse_open(SELF, 0), 0);
}

FIXTURE_TEARDOWN(refuse)
{
	EXPECT_EQ(refuse_close(SELF), 0);
}

/* --- memory --------------------------------------------------------------- */

TEST_F(refuse, gem_create)
{
	const struct drm_alink_xpu_gem_create
		host = { .size = PAGE, .flags = HOST },
		hbm = { .size = PAGE, .flags = HBM },
		cpu = { .size = PAGE, .flags = HBM_CPU };
	struct drm_alink_xpu_query_memory m;
	struct refuse *o = SELF;
	struct sysinfo si;
	uint64_t ram;
	uint32_t bo;

	ASSERT_EQ(sysinfo(&si), 0);
	ram = (uint64_t)si.totalram * si.mem_unit;
	ASSERT_EQ(xpu_memory(o->fd, &m), 0);
	REFUSED(GEM_CREATE, &host,
		SPOILT(drm_alink_xpu_gem_create, flags, 0, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, flags, HOST | HBM, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, flags, CPU, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, flags, HOST | CPU, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, flags, HOST | 8, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, handle, 1, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, size, 0, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, size, ram + 1, E2BIG),
		SPOILT(drm_alink_xpu_gem_create, size, ~0ULL - PAGE, E2BIG),
		SPOILT(drm_alink_xpu_gem_create, size, NO_SIZE, E2BIG),
		SPOILT(drm_alink_xpu_gem_create, size, ~0ULL, E2BIG));
	REFUSED(GEM_CREATE, &hbm,
		SPOILT(drm_alink_xpu_gem_create, handle, 1, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, size, 0, EINVAL),
		SPOILT(drm_alink_xpu_gem_create, size, m.hbm_total + 1, E2BIG),
		SPOILT(drm_alink_xpu_gem_create, size, ~0ULL - PAGE, E2BIG),
		SPOILT(drm_alink_xpu_gem_create, size, NO_SIZE, E2BIG));
	REFUSED(GEM_CREATE, &cpu,
		SPOILT(drm_alink_xpu_gem_create, size, m.visible_total + 1,
		       E2BIG),
		SPOILT(drm_alink_xpu_gem_create, size, NO_SIZE, E2BIG));
	/* As much as there can be at all is no mistake: none is taken yet. */
	EXPECT_EQ(gem_create(o->fd, HOST, ram, &bo), 0);
	EXPECT_EQ(bo, o->seen.next_bo);
}

TEST_F(refuse, gem_mmap_offset)
{
	struct drm_alink_xpu_gem_mmap_offset good = { .handle = SELF->hbm };
	struct refuse *o = SELF;

	REFUSED(GEM_MMAP_OFFSET, &good,
		SPOILT(drm_alink_xpu_gem_mmap_offset, flags, 1, EINVAL),
		SPOILT(drm_alink_xpu_gem_mmap_offset, offset, PAGE, EINVAL),
		SPOILT(drm_alink_xpu_gem_mmap_offset, offset, 1ULL << 63,
		       EINVAL),
		SPOILT(drm_alink_xpu_gem_mmap_offset, handle, NONE(o->hbm),
		       ENOENT),
		SPOILT(drm_alink_xpu_gem_mmap_offset, handle, o->far,
		       EOPNOTSUPP));
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_GEM_MMAP_OFFSET, &good),
		  0);
	EXPECT_NE(good.offset, 0);
}

/* --- VMs ------------------------------------------------------------------ */

TEST_F(refuse, vm_create)
{
	struct drm_alink_xpu_vm_create good = {};
	struct refuse *o = SELF;

	REFUSED(VM_CREATE, &good,
		SPOILT(drm_alink_xpu_vm_create, flags, 1, EINVAL),
		SPOILT(drm_alink_xpu_vm_create, vm_id, 1, EINVAL),
		SPOILT(drm_alink_xpu_vm_create, vm_id, ~0U, EINVAL));
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_VM_CREATE, &good), 0);
	EXPECT_EQ(good.vm_id, o->seen.next_vm);
}

TEST_F(refuse, vm_destroy)
{
	struct drm_alink_xpu_vm_destroy good;
	struct refuse *o = SELF;
	struct xq q;

	ASSERT_EQ(vm_create(o->fd, &good.vm_id), 0);
	good.pad = 0;
	ASSERT_EQ(look(o, &o->seen), 0);
	REFUSED(VM_DESTROY, &good,
		SPOILT(drm_alink_xpu_vm_destroy, pad, 1, EINVAL),
		SPOILT(drm_alink_xpu_vm_destroy, vm_id, NONE(o->vm), ENOENT),
		SPOILT(drm_alink_xpu_vm_destroy, vm_id, 0, ENOENT),
		SPOILT(drm_alink_xpu_vm_destroy, vm_id, o->vm, EBUSY));
	/* Busy until its last queue has gone, and the queue works on. */
	ASSERT_EQ(xq_open(&q, o->fd, good.vm_id, VA_Q, 64), 0);
	EXPECT_EQ(vm_destroy(o->fd, good.vm_id), -EBUSY);
	EXPECT_EQ(xq_fill(&q, VA_Q + q.fence_offset + 64, 1, 64), 0);
	xq_close(&q);
	EXPECT_EQ(vm_destroy(o->fd, good.vm_id), 0);
	EXPECT_EQ(vm_destroy(o->fd, good.vm_id), -ENOENT);
}

/* --- bindings ------------------------------------------------------------- */

TEST_F(refuse, bind_calls)
{
	struct drm_alink_xpu_vm_bind_op op = {
		.op = MAP, .flags = RW, .handle = SELF->hbm, .addr = VA_FREE,
		.range = SIZE,
	};
	struct drm_alink_xpu_sync out = {
		.handle = SELF->syncobj, .flags = SIGNAL,
	};
	/* Nobody's, of each kind; one without a fence; a flag of none */
	const struct drm_alink_xpu_sync
		no_out = { .handle = NONE(out.handle), .flags = SIGNAL },
		no_point = { .handle = NONE(out.handle), .flags = SIGNAL,
			     .point = 3 },
		no_in = { .handle = NONE(out.handle) },
		no_fence = { .handle = out.handle },
		no_flag = { .handle = out.handle, .flags = SIGNAL | 2 };
	struct drm_alink_xpu_vm_bind good = {
		.vm_id = SELF->vm,
		.num_binds = 1, .binds = (uintptr_t)&op,
		.num_syncs = 1, .syncs = (uintptr_t)&out,
	};
	struct refuse *o = SELF;
	unsigned int async;

	for (async = 0; async < 2; async++) {
		good.flags = async ? DRM_ALINK_XPU_VM_BIND_ASYNC : 0;
		REFUSED(VM_BIND, &good,
			SPOILT(drm_alink_xpu_vm_bind, flags, 2, EINVAL),
			SPOILT(drm_alink_xpu_vm_bind, pad, 1, EINVAL),
			SPOILT(drm_alink_xpu_vm_bind, num_done, 1, EINVAL),
			SPOILT(drm_alink_xpu_vm_bind, num_binds, 0, EINVAL),
			SPOILT(drm_alink_xpu_vm_bind, num_binds,
			       o->dev.max_binds + 1, E2BIG),
			/* syncs, and none of them */
			SPOILT(drm_alink_xpu_vm_bind, num_syncs, 0, EINVAL),
			SPOILT(drm_alink_xpu_vm_bind, num_syncs,
			       o->dev.max_syncs + 1, E2BIG),
			SPOILT(drm_alink_xpu_vm_bind, vm_id, NONE(o->vm),
			       ENOENT),
			SPOILT(drm_alink_xpu_vm_bind, binds, 8, EFAULT),
			SPOILT(drm_alink_xpu_vm_bind, syncs, 8, EFAULT),
			SPOILT(drm_alink_xpu_vm_bind, syncs,
			       (uintptr_t)&no_out, ENOENT),
			SPOILT(drm_alink_xpu_vm_bind, syncs,
			       (uintptr_t)&no_point, ENOENT),
			SPOILT(drm_alink_xpu_vm_bind, syncs,
			       (uintptr_t)&no_in, ENOENT),
			SPOILT(drm_alink_xpu_vm_bind, syncs,
			       (uintptr_t)&no_fence, EINVAL),
			SPOILT(drm_alink_xpu_vm_bind, syncs,
			       (uintptr_t)&no_flag, EINVAL));
		/* No fence was put into it. */
		EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 0, 0), -EINVAL);
	}
	good.flags = 0;
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &good), 0);
	EXPECT_EQ(good.num_done, 1);
	EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 0, WAIT_MS), 0);
	EXPECT_EQ(word_at(o, o->vm, VA_FREE), MARK);
}

/* Operations, each after a good one in the same call: neither is executed. */
static void refused_ops(struct __test_metadata *_metadata,
			const struct refuse *o,
			const struct drm_alink_xpu_vm_bind_op *good,
			const struct spoilt *bad, unsigned int num)
{
	struct drm_alink_xpu_vm_bind_op op[2];
	struct drm_alink_xpu_vm_bind b;
	unsigned int i;

	for (i = 0; i < 2 * num; i++) {
		op[0] = op[1] = *good;
		spoil(&op[1], &bad[i / 2]);
		b = (struct drm_alink_xpu_vm_bind) {
			.vm_id = o->vm, .num_binds = 2,
			.binds = (uintptr_t)op,
			.flags = i % 2 ? DRM_ALINK_XPU_VM_BIND_ASYNC : 0,
		};
		EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
			  -bad[i / 2].err) {
			TH_LOG("%s", bad[i / 2].what);
		}
		EXPECT_EQ(b.num_done, 0);
		unchanged(_metadata, o, bad[i / 2].what);
	}
}

#define REFUSED_OPS(good, ...)						\
do {									\
	const struct spoilt bad_[] = { __VA_ARGS__ };			\
									\
	refused_ops(_metadata, SELF, good, bad_,			\
		    sizeof(bad_) / sizeof(bad_[0]));			\
} while (0)

#define OP(field, value, error)						\
	SPOILT(drm_alink_xpu_vm_bind_op, field, value, error)

TEST_F(refuse, bind_operations)
{
	const struct drm_alink_xpu_vm_bind_op unmap = {
		.op = UNMAP, .addr = VA, .range = SIZE,
	}, map = {
		.op = MAP, .flags = RW, .handle = SELF->hbm, .addr = VA_FREE,
		.range = SIZE,
	};
	struct refuse *o = SELF;

	REFUSED_OPS(&unmap,
		    OP(flags, R, EINVAL),
		    OP(flags, 1U << 31, EINVAL),
		    OP(handle, o->hbm, EINVAL),
		    OP(offset, PAGE, EINVAL),
		    OP(offset, 1, EINVAL),
		    OP(pad, 1, EINVAL),
		    OP(op, 3, EINVAL),
		    OP(range, 0, EINVAL),
		    OP(range, SIZE - 1, EINVAL),
		    OP(addr, VA + 8, EINVAL));
	REFUSED_OPS(&map,
		    OP(flags, 0, EINVAL),
		    OP(flags, RW | 8, EINVAL),
		    OP(handle, NONE(o->hbm), ENOENT),
		    OP(handle, 0, ENOENT),
		    OP(offset, 8, EINVAL),
		    OP(offset, PAGE, EINVAL),
		    OP(offset, SIZE, EINVAL),
		    OP(offset, SIZE + PAGE, EINVAL),
		    OP(offset, ~(PAGE - 1), EINVAL),
		    OP(pad, 1, EINVAL),
		    OP(range, 0, EINVAL),
		    OP(range, SIZE + PAGE, EINVAL),
		    OP(range, ~(PAGE - 1), EINVAL),
		    OP(addr, VA_FREE + 8, EINVAL),
		    OP(addr, o->dev.va_start - PAGE, EINVAL),
		    OP(addr, o->dev.va_end - PAGE, EINVAL),
		    OP(addr, o->dev.va_end, EINVAL),
		    OP(addr, ~(PAGE - 1), EINVAL));
	EXPECT_EQ(vm_bind(o->fd, o->vm, &map, 1), 0);
	EXPECT_EQ(word_at(o, o->vm, VA_FREE), MARK);
	EXPECT_EQ(vm_bind(o->fd, o->vm, &unmap, 1), 0);
	EXPECT_EQ(word_at(o, o->vm, VA), 0);
	/* For the command that the fixture ends with */
	EXPECT_EQ(vm_map(o->fd, o->vm, o->hbm, 0, VA, SIZE, RW), 0);
}

/* --- queues --------------------------------------------------------------- */

#define QUEUE(field, value, error)					\
	SPOILT(drm_alink_xpu_queue_create, field, value, error)

TEST_F(refuse, queue_create)
{
	struct drm_alink_xpu_queue_create c = SELF->queue;
	struct refuse *o = SELF;
	uint32_t vm;

	REFUSED(QUEUE_CREATE, &o->queue,
		QUEUE(flags, 1, EINVAL),
		QUEUE(pad, 1, EINVAL),
		QUEUE(queue_id, 1, EINVAL),
		QUEUE(doorbell_offset, PAGE, EINVAL),
		QUEUE(vm_id, NONE(o->vm), ENOENT),
		QUEUE(size, 0, EINVAL),
		QUEUE(size, 1, EINVAL),
		QUEUE(size, 3, EINVAL),
		QUEUE(size, 2 * o->dev.max_ring_entries, EINVAL),
		QUEUE(priority, DRM_ALINK_XPU_PRIORITY_REALTIME + 1, EINVAL),
		/* Not aligned; beyond what can be bound, all or its end */
		QUEUE(ring, VA_R + 32, EINVAL),
		QUEUE(ring, o->dev.va_end, EINVAL),
		QUEUE(ring, o->dev.va_end - 64, EINVAL),
		QUEUE(ring, ~63ULL, EINVAL),
		QUEUE(status, VA_W + 32, EINVAL),
		QUEUE(status, o->dev.va_end, EINVAL),
		QUEUE(status, ~63ULL, EINVAL),
		/* Nothing is bound, all of it or at its end */
		QUEUE(ring, VA_FREE, EINVAL),
		QUEUE(ring, VA_R + SIZE - 64, EINVAL),
		QUEUE(ring, VA_R - 64, EINVAL),
		QUEUE(status, VA_FREE, EINVAL),
		QUEUE(status, VA_W + SIZE, EINVAL),
		/* The wrong right; memory that the CPU cannot read */
		QUEUE(ring, VA_W, EINVAL),
		QUEUE(status, VA_R + PAGE, EINVAL),
		QUEUE(status, VA_FAR, EOPNOTSUPP));
	/* No VM that a refused queue would have had stays in use. */
	ASSERT_EQ(vm_create(o->fd, &vm), 0);
	ASSERT_EQ(vm_map(o->fd, vm, o->far, 0, VA_FAR, SIZE, RW), 0);
	c.vm_id = vm;
	EXPECT_EQ(queue_create(o->fd, &c), -EINVAL);
	c.ring = VA_FAR;
	c.status = VA_FAR + PAGE;
	EXPECT_EQ(queue_create(o->fd, &c), -EOPNOTSUPP);
	EXPECT_EQ(c.queue_id, 0);
	EXPECT_EQ(vm_destroy(o->fd, vm), 0);
	EXPECT_EQ(queue_create(o->fd, &o->queue), 0);
	EXPECT_EQ(o->queue.queue_id, o->seen.next_queue);
}

TEST_F(refuse, queue_calls)
{
	struct drm_alink_xpu_queue_status status = { .queue_id = SELF->q.id };
	struct drm_alink_xpu_queue_destroy destroy = { .queue_id = SELF->q.id };
	struct refuse *o = SELF;

	REFUSED(QUEUE_STATUS, &status,
		SPOILT(drm_alink_xpu_queue_status, state, 1, EINVAL),
		SPOILT(drm_alink_xpu_queue_status, error.status, 1, EINVAL),
		SPOILT(drm_alink_xpu_queue_status, error.index, 1, EINVAL),
		SPOILT(drm_alink_xpu_queue_status, error.addr, 1, EINVAL),
		SPOILT(drm_alink_xpu_queue_status, recovery, 1, EINVAL),
		SPOILT(drm_alink_xpu_queue_status, has_command, 1, EINVAL),
		SPOILT(drm_alink_xpu_queue_status, command.opcode, 1, EINVAL),
		SPOILT(drm_alink_xpu_queue_status, command.fence_value, 1,
		       EINVAL),
		SPOILT(drm_alink_xpu_queue_status, queue_id, NONE(o->q.id),
		       ENOENT),
		SPOILT(drm_alink_xpu_queue_status, queue_id, 0, ENOENT));
	REFUSED(QUEUE_DESTROY, &destroy,
		SPOILT(drm_alink_xpu_queue_destroy, pad, 1, EINVAL),
		SPOILT(drm_alink_xpu_queue_destroy, queue_id, NONE(o->q.id),
		       ENOENT));
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_QUEUE_STATUS, &status),
		  0);
	EXPECT_EQ(status.state, DRM_ALINK_XPU_QUEUE_RUNNING);
}

/* --- fences --------------------------------------------------------------- */

#define WAIT(field, value, error)					\
	SPOILT(drm_alink_xpu_wait_fence, field, value, error)

TEST_F(refuse, wait_fence)
{
	struct drm_alink_xpu_wait_fence object = {
		.handle = SELF->hbm, .value = MARK,
	}, va = {
		.flags = DRM_ALINK_XPU_FENCE_VA, .handle = SELF->vm, .addr = VA,
		.value = MARK,
	};
	struct refuse *o = SELF;

	REFUSED(WAIT_FENCE, &object,
		WAIT(flags, 2, EINVAL),
		WAIT(pad, 1, EINVAL),
		WAIT(queue_id, NONE(o->q.id), ENOENT),
		WAIT(handle, NONE(o->hbm), ENOENT),
		WAIT(handle, o->far, EOPNOTSUPP),
		WAIT(addr, 4, EINVAL),
		WAIT(addr, 1, EINVAL),
		WAIT(addr, SIZE, EINVAL),
		WAIT(addr, ~7ULL, EINVAL));
	REFUSED(WAIT_FENCE, &va,
		WAIT(handle, NONE(o->vm), ENOENT),
		WAIT(addr, VA + 4, EINVAL),
		WAIT(addr, VA_FREE, EINVAL),
		WAIT(addr, VA + SIZE, EINVAL),
		WAIT(addr, VA_FAR, EOPNOTSUPP),
		WAIT(addr, 0, EINVAL),
		WAIT(addr, o->dev.va_end, EINVAL),
		WAIT(addr, ~7ULL, EINVAL));
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &object), 0);
	EXPECT_EQ(object.current_value, MARK);
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &va), 0);
	EXPECT_EQ(va.current_value, MARK);
}

#define FENCE(field, value, error)					\
	SPOILT(drm_alink_xpu_fence_syncobj, field, value, error)

TEST_F(refuse, fence_syncobj)
{
	struct drm_alink_xpu_fence_syncobj object = {
		.handle = SELF->hbm, .value = MARK, .timeout_ms = 1000,
		.syncobj = SELF->syncobj,
	}, va = {
		.flags = DRM_ALINK_XPU_FENCE_VA, .handle = SELF->vm, .addr = VA,
		.value = MARK, .timeout_ms = 1000, .syncobj = SELF->syncobj,
	};
	struct refuse *o = SELF;

	REFUSED(FENCE_SYNCOBJ, &object,
		FENCE(flags, 2, EINVAL),
		FENCE(pad, 1, EINVAL),
		FENCE(timeout_ms, 0, EINVAL),
		FENCE(timeout_ms, o->dev.max_syncobj_ms + 1, EINVAL),
		FENCE(timeout_ms, ~0U, EINVAL),
		FENCE(queue_id, NONE(o->q.id), ENOENT),
		FENCE(syncobj, NONE(o->syncobj), ENOENT),
		FENCE(handle, NONE(o->hbm), ENOENT),
		FENCE(handle, o->far, EOPNOTSUPP),
		FENCE(addr, 4, EINVAL),
		FENCE(addr, SIZE, EINVAL));
	REFUSED(FENCE_SYNCOBJ, &va,
		FENCE(handle, NONE(o->vm), ENOENT),
		FENCE(addr, VA + 4, EINVAL),
		FENCE(addr, VA_FREE, EINVAL),
		FENCE(addr, VA_FAR, EOPNOTSUPP),
		FENCE(addr, o->dev.va_end, EINVAL));
	EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 0, 0), -EINVAL);
	object.timeout_ms = o->dev.max_syncobj_ms;
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &object),
		  0);
	EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 0, WAIT_MS), 0);
}

TEST_HARNESS_MAIN
