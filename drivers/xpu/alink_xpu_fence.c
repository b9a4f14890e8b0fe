// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT_FENCE: sleep until a word in memory has reached a value.
 */
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

/**
 * alink_xpu_fence_locate - find the memory of a fence
 * @file:	open file
 * @flags:	DRM_ALINK_XPU_FENCE_VA or 0
 * @handle:	VM id or GEM handle
 * @addr:	device virtual address or offset
 * @loc:	out: held until alink_xpu_loc_put()
 *
 * Return: 0, -EINVAL, -ENOENT, -EOPNOTSUPP, or -EINTR.
 */
int alink_xpu_fence_locate(struct drm_file *file, u32 flags, u32 handle,
			   u64 addr, struct xpu_loc *loc)
{
	struct xpu_bo *bo;
	struct xpu_vm *vm;
	int err;

	if (flags & ~DRM_ALINK_XPU_FENCE_VA || !IS_ALIGNED(addr, 8))
		return -EINVAL;

	if (flags & DRM_ALINK_XPU_FENCE_VA) {
		if (addr >= XPU_VA_END)
			return -EINVAL;
		vm = alink_xpu_vm_lookup(file->driver_priv, handle);
		if (!vm)
			return -ENOENT;
		err = mutex_lock_interruptible(&vm->lock);
		if (!err) {
			bo = alink_xpu_vm_find(vm, addr, &addr);
			err = bo ? 0 : -EINVAL;
			mutex_unlock(&vm->lock);
		}
		alink_xpu_vm_put(vm);
		if (err)
			return err;
	} else {
		bo = alink_xpu_bo_lookup(file, handle);
		if (!bo)
			return -ENOENT;
	}

	if (addr >= xpu_gem(bo)->size)
		err = -EINVAL;
	else
		err = alink_xpu_loc_get(bo, addr, loc);
	drm_gem_object_put(xpu_gem(bo));
	return err;
}

/*
 * One look. Return: 0 if the fence is reached, 1 if waiting makes sense, else
 * why not. A fence that was reached counts, whatever came after it.
 */
static int xpu_fence_look(struct xpu_device *xdev, const struct xpu_loc *loc,
			  struct xpu_queue *q,
			  struct drm_alink_xpu_wait_fence *args)
{
	u64 value;
	int err;

	err = alink_xpu_loc_read(loc, 0, &value);
	if (!err) {
		args->current_value = value;
		if (alink_xpu_fence_reached(value, args->value))
			return 0;
	} else if (err != -EBUSY) {
		return err;
	}
	if (alink_xpu_state_errno(xdev) == -ENODEV)
		return -ENODEV;
	if (!q)
		return 1;
	alink_xpu_queue_peek(q);
	return alink_xpu_queue_errno(q, &args->error) ?: 1;
}

static int xpu_fence_wait(struct xpu_device *xdev, const struct xpu_loc *loc,
			  struct xpu_queue *q,
			  struct drm_alink_xpu_wait_fence *args)
{
	struct wait_queue_head *wq = q ? &q->vec->wait : &xdev->any_wait;
	ktime_t now, until, end = args->timeout_ns;
	DEFINE_WAIT(wait);
	int ret;

	for (;;) {
		prepare_to_wait(wq, &wait, TASK_INTERRUPTIBLE);
		ret = xpu_fence_look(xdev, loc, q, args);
		if (ret <= 0)
			break;
		now = ktime_get();
		if (ktime_compare(now, end) >= 0) {
			ret = -ETIME;
			break;
		}
		if (signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		/* The fence may come without an interrupt. */
		until = ktime_add_ns(now, XPU_POLL_NS);
		if (ktime_after(until, end))
			until = end;
		schedule_hrtimeout(&until, HRTIMER_MODE_ABS);
	}
	finish_wait(wq, &wait);
	return ret;
}

int alink_xpu_wait_fence_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct drm_alink_xpu_wait_fence *args = data;
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_queue *q = NULL;
	struct xpu_loc loc;
	int err;

	if (args->pad)
		return -EINVAL;
	args->current_value = 0;
	memset(&args->error, 0, sizeof(args->error));

	if (args->queue_id != DRM_ALINK_XPU_QUEUE_ANY) {
		q = alink_xpu_queue_lookup(xfile, args->queue_id);
		if (!q)
			return -ENOENT;
	}
	err = alink_xpu_fence_locate(file, args->flags, args->handle,
				     args->addr, &loc);
	if (!err) {
		err = xpu_fence_wait(to_xpu(drm), &loc, q, args);
		trace_alink_xpu_fence_wait(to_xpu(drm), q, args->value, err);
		alink_xpu_loc_put(&loc);
	}
	if (q)
		alink_xpu_queue_put(q);
	return err;
}
