// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM_BIND: the call. Arguments are checked and all memory is allocated before
 * the first operation is executed, here or later.
 */
#include <linux/dma-fence-unwrap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <drm/drm_drv.h>

#include "alink_xpu_bind.h"
#include "alink_xpu_trace.h"

#define XPU_SYNC_TIMEOUT_MS	10000
#define XPU_BIND_RIGHTS		(DRM_ALINK_XPU_VM_BIND_READ | \
				 DRM_ALINK_XPU_VM_BIND_WRITE | \
				 DRM_ALINK_XPU_VM_BIND_ATOMIC)

/* --- arguments ---------------------------------------------------------- */

static int xpu_check_map(struct xpu_device *xdev, struct drm_file *file,
			 struct xpu_bind_op *op)
{
	const struct drm_alink_xpu_vm_bind_op *args = &op->args;

	if (!args->flags || args->flags & ~XPU_BIND_RIGHTS ||
	    !IS_ALIGNED(args->offset, XPU_PAGE_SIZE))
		return -EINVAL;
	op->bo = alink_xpu_bo_lookup(file, args->handle);
	if (!op->bo)
		return -ENOENT;
	if (args->offset > xpu_gem(op->bo)->size ||
	    args->range > xpu_gem(op->bo)->size - args->offset)
		return -EINVAL;
	if (op->bo->kind == XPU_BO_SEGMENT && args->flags & ~op->bo->rights)
		return -EACCES;
	if (op->bo->generation &&
	    op->bo->generation != alink_xpu_generation(xdev))
		return -ECANCELED;
	return 0;
}

static int xpu_check_map_user(struct xpu_vm *vm, struct xpu_bind_op *op)
{
	const struct drm_alink_xpu_vm_bind_op *args = &op->args;
	struct xpu_bo *bo;

	if (!args->flags || args->flags & ~XPU_BIND_RIGHTS || args->handle)
		return -EINVAL;
	bo = alink_xpu_user_create(vm, args->offset, args->addr, args->range,
				   args->flags);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	op->bo = bo;
	return 0;
}

/* Checks one operation, and finds its object. */
static int xpu_check_op(struct xpu_device *xdev, struct drm_file *file,
			struct xpu_vm *vm, struct xpu_bind_op *op)
{
	const struct drm_alink_xpu_vm_bind_op *args = &op->args;

	if (args->pad || !args->range ||
	    !IS_ALIGNED(args->addr | args->range, XPU_PAGE_SIZE) ||
	    args->addr < XPU_VA_START || args->addr >= XPU_VA_END ||
	    args->range > XPU_VA_END - args->addr)
		return -EINVAL;

	switch (args->op) {
	case DRM_ALINK_XPU_VM_BIND_MAP:
		return xpu_check_map(xdev, file, op);
	case DRM_ALINK_XPU_VM_BIND_MAP_USER:
		return xpu_check_map_user(vm, op);
	case DRM_ALINK_XPU_VM_BIND_UNMAP:
		return args->flags || args->handle || args->offset ? -EINVAL :
								      0;
	default:
		return -EINVAL;
	}
}

static int xpu_ops_get(struct xpu_device *xdev, struct drm_file *file,
		       struct xpu_bind *bind, u64 uptr, u32 n)
{
	struct drm_alink_xpu_vm_bind_op *args;
	int err = 0;
	u32 i;

	args = vmemdup_array_user(u64_to_user_ptr(uptr), n, sizeof(*args));
	if (IS_ERR(args))
		return PTR_ERR(args);
	bind->ops = kvcalloc(n, sizeof(*bind->ops), GFP_KERNEL_ACCOUNT);
	if (!bind->ops) {
		kvfree(args);
		return -ENOMEM;
	}
	bind->num_ops = n;
	for (i = 0; i < n; i++) {
		bind->ops[i].args = args[i];
		alink_xpu_pt_pool_init(&bind->ops[i].pool);
	}
	kvfree(args);
	for (i = 0; i < n && !err; i++)
		err = xpu_check_op(xdev, file, bind->vm, &bind->ops[i]);
	return err;
}

/* --- syncobjs ----------------------------------------------------------- */

static int xpu_sync_get(struct drm_file *file,
			const struct drm_alink_xpu_sync *arg,
			struct xpu_sync *sync)
{
	int err;

	if (arg->flags & ~DRM_ALINK_XPU_SYNC_SIGNAL)
		return -EINVAL;
	if (!arg->flags) {
		err = drm_syncobj_find_fence(file, arg->handle, arg->point, 0,
					     &sync->in);
		/* It may leave a fence there that is not ours. */
		if (err)
			sync->in = NULL;
		return err;
	}
	sync->out = drm_syncobj_find(file, arg->handle);
	if (!sync->out)
		return -ENOENT;
	sync->point = arg->point;
	if (arg->point) {
		sync->chain = dma_fence_chain_alloc();
		if (!sync->chain)
			return -ENOMEM;
	}
	return 0;
}

static int xpu_syncs_get(struct drm_file *file, struct xpu_bind *bind,
			 u64 uptr, u32 n)
{
	struct drm_alink_xpu_sync *args;
	int err = 0;
	u32 i;

	if (!n)
		return 0;
	args = memdup_array_user(u64_to_user_ptr(uptr), n, sizeof(*args));
	if (IS_ERR(args))
		return PTR_ERR(args);
	bind->syncs = kcalloc(n, sizeof(*bind->syncs), GFP_KERNEL_ACCOUNT);
	if (!bind->syncs)
		err = -ENOMEM;
	else
		bind->num_syncs = n;
	for (i = 0; i < n && !err; i++)
		err = xpu_sync_get(file, &args[i], &bind->syncs[i]);
	kfree(args);
	return err;
}

/**
 * alink_xpu_bind_in_error - how did a fence end that a call has waited for?
 * @in:		fence, signalled
 *
 * Return: 0, or the error that it was signalled with.
 */
int alink_xpu_bind_in_error(struct dma_fence *in)
{
	struct dma_fence_unwrap cursor;
	struct dma_fence *fence;
	int err = 0, status;

	/* A point of a timeline has no error, what it stands for may have. */
	dma_fence_unwrap_for_each(fence, &cursor, in) {
		status = dma_fence_get_status(fence);
		if (status < 0 && !err)
			err = status;
	}
	return err;
}

static int xpu_syncs_wait(struct xpu_bind *bind)
{
	const long timeout = msecs_to_jiffies(XPU_SYNC_TIMEOUT_MS);
	int err = 0;
	long ret;
	u32 i;

	for (i = 0; i < bind->num_syncs; i++) {
		if (!bind->syncs[i].in)
			continue;
		ret = dma_fence_wait_timeout(bind->syncs[i].in, true, timeout);
		if (ret <= 0)
			return ret ?: -ETIME;
		/* Theirs may be any, also one that has a call made again. */
		if (alink_xpu_bind_in_error(bind->syncs[i].in))
			err = -ECANCELED;
	}
	return err;
}

/**
 * alink_xpu_bind_signal - put a fence into all syncobjs to be signalled
 * @bind:	call
 * @fence:	fence
 */
void alink_xpu_bind_signal(struct xpu_bind *bind, struct dma_fence *fence)
{
	struct xpu_sync *sync;
	u32 i;

	for (i = 0; i < bind->num_syncs; i++) {
		sync = &bind->syncs[i];
		if (!sync->out)
			continue;
		if (sync->chain) {
			drm_syncobj_add_point(sync->out, sync->chain, fence,
					      sync->point);
			sync->chain = NULL;
		} else {
			drm_syncobj_replace_fence(sync->out, fence);
		}
	}
}

/* --- work --------------------------------------------------------------- */

/* Imports may have become void since the arguments were checked. */
static int xpu_bind_still_valid(struct xpu_bind *bind)
{
	u64 generation = alink_xpu_generation(bind->vm->xdev);
	struct xpu_bo *bo;
	u32 i;

	for (i = 0; i < bind->num_ops; i++) {
		bo = bind->ops[i].bo;
		if (bo && bo->generation && bo->generation != generation)
			return -ECANCELED;
	}
	return 0;
}

/**
 * alink_xpu_bind_run - execute the operations of a call
 * @bind:	call that has been prepared; its VM is locked
 *
 * Context: process. Allocates nothing.
 * Return: 0, -ENODEV when the device is gone, -ECANCELED for an import made
 * before a reset, or -EINTR on a fatal signal.
 */
int alink_xpu_bind_run(struct xpu_bind *bind)
{
	struct xpu_vm *vm = bind->vm;
	int err;

	lockdep_assert_held(&vm->lock);

	if (!vm->pt.root)
		return -ENODEV;
	err = xpu_bind_still_valid(bind);
	while (bind->num_done < bind->num_ops && !err) {
		err = alink_xpu_bind_op_run(vm, &bind->ops[bind->num_done],
					    &bind->removed);
		trace_alink_xpu_bind(vm, &bind->ops[bind->num_done].args, err);
		if (!err)
			bind->num_done++;
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	alink_xpu_vm_flush(vm, &bind->old);
	return err;
}

static int xpu_bind_prepare(struct xpu_bind *bind)
{
	int err = 0;
	u32 i;

	for (i = 0; i < bind->num_ops && !err; i++) {
		err = alink_xpu_bind_op_prepare(bind->vm, &bind->ops[i]);
		cond_resched();
	}
	return err;
}

static int xpu_bind_now(struct xpu_bind *bind)
{
	struct xpu_vm *vm = bind->vm;
	struct dma_fence *fence;
	int err;

	err = mutex_lock_interruptible(&vm->lock);
	if (err)
		return err;
	err = vm->closed ? -ENOENT : alink_xpu_bind_run(bind);
	mutex_unlock(&vm->lock);
	if (err)
		return err;
	fence = dma_fence_get_stub();
	alink_xpu_bind_signal(bind, fence);
	dma_fence_put(fence);
	return 0;
}

/**
 * alink_xpu_bind_free - free a call and all that it holds
 * @bind:	call, over or never begun
 */
void alink_xpu_bind_free(struct xpu_bind *bind)
{
	struct xpu_sync *sync;
	u32 i;

	alink_xpu_vas_free(&bind->removed);
	alink_xpu_pt_free(bind->vm->pt.dev, &bind->old);
	for (i = 0; i < bind->num_ops; i++)
		alink_xpu_bind_op_fini(bind->vm, &bind->ops[i]);
	for (i = 0; i < bind->num_syncs; i++) {
		sync = &bind->syncs[i];
		dma_fence_put(sync->in);
		if (sync->out)
			drm_syncobj_put(sync->out);
		dma_fence_chain_free(sync->chain);
	}
	dma_fence_put(bind->fence);
	kvfree(bind->ops);
	kfree(bind->syncs);
	kfree(bind);
}

/* --- ioctl -------------------------------------------------------------- */

static struct xpu_bind *xpu_bind_alloc(struct xpu_vm *vm)
{
	struct xpu_bind *bind = kzalloc(sizeof(*bind), GFP_KERNEL_ACCOUNT);

	if (!bind)
		return NULL;
	bind->vm = vm;
	INIT_LIST_HEAD(&bind->removed);
	INIT_LIST_HEAD(&bind->old);
	INIT_LIST_HEAD(&bind->node);
	return bind;
}

/* The bind is used up: handed over, or freed. */
static int xpu_bind_execute(struct xpu_bind *bind, bool async, u32 *num_done)
{
	struct xpu_vm *vm = bind->vm;
	int err;

	err = xpu_bind_prepare(bind);
	if (!err && async) {
		err = alink_xpu_bind_submit(bind);
		if (!err)
			return 0;
	} else if (!err) {
		err = xpu_bind_now(bind);
	}
	*num_done = bind->num_done;
	alink_xpu_bind_free(bind);
	if (async)
		alink_xpu_bind_unreserve(vm, 1);
	return err;
}

static int xpu_bind(struct xpu_device *xdev, struct drm_file *file,
		    struct xpu_vm *vm, struct drm_alink_xpu_vm_bind *args)
{
	bool async = args->flags & DRM_ALINK_XPU_VM_BIND_ASYNC;
	struct xpu_bind *bind;
	int err, idx;

	bind = xpu_bind_alloc(vm);
	if (!bind)
		return -ENOMEM;
	err = xpu_ops_get(xdev, file, bind, args->binds, args->num_binds);
	if (!err)
		err = xpu_syncs_get(file, bind, args->syncs, args->num_syncs);
	if (!err && !async)
		err = xpu_syncs_wait(bind);
	if (!err && !async)
		err = alink_xpu_bind_wait_turn(vm);
	if (err)
		goto err_free;

	/* Remove frees the tables of VMs; those in no VM yet it awaits here. */
	if (!drm_dev_enter(&xdev->drm, &idx)) {
		err = -ENODEV;
		goto err_free;
	}
	/* User space cannot stall what comes: who drains jobs waits for it. */
	if (async)
		err = alink_xpu_bind_reserve(vm);
	if (!err)
		err = xpu_bind_execute(bind, async, &args->num_done);
	else
		alink_xpu_bind_free(bind);
	drm_dev_exit(idx);
	return err;

err_free:
	alink_xpu_bind_free(bind);
	return err;
}

int alink_xpu_vm_bind_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_alink_xpu_vm_bind *args = data;
	struct xpu_vm *vm;
	int err;

	if (args->flags & ~DRM_ALINK_XPU_VM_BIND_ASYNC || args->pad ||
	    args->num_done || !args->num_binds ||
	    (!args->num_syncs && args->syncs))
		return -EINVAL;
	if (args->num_binds > DRM_ALINK_XPU_MAX_BINDS ||
	    args->num_syncs > DRM_ALINK_XPU_MAX_SYNCS)
		return -E2BIG;
	vm = alink_xpu_vm_lookup(file->driver_priv, args->vm_id);
	if (!vm)
		return -ENOENT;
	err = xpu_bind(to_xpu(drm), file, vm, args);
	alink_xpu_vm_put(vm);
	return err;
}
