// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous VM_BIND: jobs, which each VM runs in the order of the calls.
 *
 * A job has all its memory when it is queued. It waits for the fences of its
 * call, changes the VM, invalidates the TLB, and signals its own fence. One of
 * its fences that ends with an error ends it with that, and it changes nothing:
 * what it was to come after may still go on. Between
 * its fences and its own nothing waits for memory. What jobs held goes apart, in
 * other work: that may wait for a reset, or for what other drivers do with the
 * memory of a process, which must not come between the next job and its fence.
 * A VM that is destroyed, and a device that goes, end all jobs with an error
 * that their fences carry; they wait for no fence any more then.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <drm/drm_print.h>

#include "alink_xpu_bind.h"

/**
 * struct xpu_bind_fence - says that a job is over
 * @base:	the fence; must be first, see xpu_bind_fence_release()
 * @lock:	of the fence
 */
struct xpu_bind_fence {
	struct dma_fence base;
	/* of the fence */
	spinlock_t lock;
};

static const char *xpu_bind_driver_name(struct dma_fence *fence)
{
	return "alink_xpu";
}

static const char *xpu_bind_timeline_name(struct dma_fence *fence)
{
	return "vm-bind";
}

/* Fences may outlive the device, but not the functions they call. */
static void xpu_bind_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops xpu_bind_fence_ops = {
	.get_driver_name = xpu_bind_driver_name,
	.get_timeline_name = xpu_bind_timeline_name,
	.release = xpu_bind_fence_release,
};

static void xpu_vm_binds_kick(struct xpu_vm *vm)
{
	queue_work(alink_xpu_wqs.bind, &vm->bind_work);
}

/* --- running ------------------------------------------------------------ */

static void xpu_bind_wake(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct xpu_bind *bind = container_of(cb, struct xpu_bind, cb);

	xpu_vm_binds_kick(bind->vm);
}

/* When this returns, the callback has been called or never will be. */
static void xpu_bind_disarm(struct xpu_bind *bind)
{
	if (bind->armed)
		dma_fence_remove_callback(bind->syncs[bind->next].in,
					  &bind->cb);
	bind->armed = false;
}

/* Return: 0 when it is the job's turn, 1 to wait, or why it never comes. */
static int xpu_bind_ready(struct xpu_bind *bind)
{
	struct dma_fence *in;

	/* Pairs with the release when the caller has done its part. */
	if (!smp_load_acquire(&bind->ready))
		return 1;
	if (READ_ONCE(bind->vm->closed))
		return -ECANCELED;
	if (alink_xpu_state_errno(bind->vm->xdev) == -ENODEV)
		return -ENODEV;

	for (; bind->next < bind->num_syncs; bind->next++) {
		in = bind->syncs[bind->next].in;
		if (!in)
			continue;
		/* The callback cannot be added if it is signalled just now. */
		if (!dma_fence_is_signaled(in) &&
		    (bind->armed ||
		     !dma_fence_add_callback(in, &bind->cb, xpu_bind_wake))) {
			bind->armed = true;
			return 1;
		}
		xpu_bind_disarm(bind);
		bind->in_error = bind->in_error ?: alink_xpu_bind_in_error(in);
	}
	/* Who waits for this one may rely on all of them having ended. */
	return bind->in_error;
}

static int xpu_bind_run_job(struct xpu_bind *bind)
{
	struct xpu_vm *vm = bind->vm;
	int err;

	mutex_lock(&vm->lock);
	err = vm->closed ? -ECANCELED : alink_xpu_bind_run(bind);
	mutex_unlock(&vm->lock);
	return err;
}

static struct xpu_bind *xpu_binds_head(struct xpu_vm *vm)
{
	struct xpu_bind *bind;

	spin_lock(&vm->job_lock);
	bind = list_first_entry_or_null(&vm->jobs, struct xpu_bind, node);
	spin_unlock(&vm->job_lock);
	return bind;
}

/* Runs jobs until one has to wait. */
static void xpu_binds_work(struct work_struct *work)
{
	struct xpu_vm *vm = container_of(work, struct xpu_vm, bind_work);
	struct xpu_bind *bind;
	bool cookie;
	int ret;

	cookie = dma_fence_begin_signalling();
	while ((bind = xpu_binds_head(vm))) {
		ret = xpu_bind_ready(bind);
		if (ret > 0)
			break;
		xpu_bind_disarm(bind);
		if (!ret)
			ret = xpu_bind_run_job(bind);
		if (ret)
			dma_fence_set_error(bind->fence, ret);
		dma_fence_signal(bind->fence);

		spin_lock(&vm->job_lock);
		list_move_tail(&bind->node, &vm->jobs_over);
		vm->done++;
		spin_unlock(&vm->job_lock);
		wake_up_all(&vm->job_wait);
		queue_work(alink_xpu_wqs.free, &vm->free_work);
	}
	dma_fence_end_signalling(cookie);
}

static void xpu_binds_free_work(struct work_struct *work)
{
	struct xpu_vm *vm = container_of(work, struct xpu_vm, free_work);
	struct xpu_bind *bind, *next;
	unsigned int num = 0;
	LIST_HEAD(over);

	spin_lock(&vm->job_lock);
	list_splice_init(&vm->jobs_over, &over);
	spin_unlock(&vm->job_lock);
	list_for_each_entry_safe(bind, next, &over, node) {
		list_del(&bind->node);
		alink_xpu_bind_free(bind);
		num++;
	}
	alink_xpu_bind_unreserve(vm, num);
}

/* --- queueing ----------------------------------------------------------- */

/**
 * alink_xpu_bind_reserve - begin to make a job
 * @vm:		VM
 *
 * Return: 0 or -ENOSPC.
 */
int alink_xpu_bind_reserve(struct xpu_vm *vm)
{
	int err = 0;

	spin_lock(&vm->job_lock);
	if (vm->num_jobs < DRM_ALINK_XPU_MAX_ASYNC_BINDS)
		vm->num_jobs++;
	else
		err = -ENOSPC;
	spin_unlock(&vm->job_lock);
	if (!err)
		atomic_inc(&vm->xdev->num_jobs);
	return err;
}

/**
 * alink_xpu_bind_unreserve - jobs are over, and all that they held is free
 * @vm:		VM
 * @num:	jobs
 */
void alink_xpu_bind_unreserve(struct xpu_vm *vm, unsigned int num)
{
	struct xpu_device *xdev = vm->xdev;

	/* The VM may go once it has no job, but not before this work ends. */
	spin_lock(&vm->job_lock);
	vm->num_jobs -= num;
	spin_unlock(&vm->job_lock);
	wake_up_all(&vm->job_wait);
	if (num && atomic_sub_and_test(num, &xdev->num_jobs))
		wake_up_var(&xdev->num_jobs);
}

/**
 * alink_xpu_bind_submit - queue a job
 * @bind:	call that has been prepared, with a reservation
 *
 * On success both are the job's. Within drm_dev_enter().
 *
 * Return: 0, -ENOENT for a VM that is being destroyed, or -ENOMEM.
 */
int alink_xpu_bind_submit(struct xpu_bind *bind)
{
	struct xpu_vm *vm = bind->vm;
	struct xpu_bind_fence *fence;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL_ACCOUNT);
	if (!fence)
		return -ENOMEM;
	spin_lock_init(&fence->lock);

	mutex_lock(&vm->lock);
	if (vm->closed) {
		mutex_unlock(&vm->lock);
		kfree(fence);
		return -ENOENT;
	}
	__module_get(THIS_MODULE);
	spin_lock(&vm->job_lock);
	dma_fence_init(&fence->base, &xpu_bind_fence_ops, &fence->lock,
		       vm->fence_context, ++vm->queued);
	bind->fence = &fence->base;
	list_add_tail(&bind->node, &vm->jobs);
	spin_unlock(&vm->job_lock);
	mutex_unlock(&vm->lock);

	/* The place in the order is taken; it begins when this is done. */
	alink_xpu_bind_signal(bind, &fence->base);
	/* Pairs with the acquire of who runs it, and frees the syncobjs. */
	smp_store_release(&bind->ready, true);
	xpu_vm_binds_kick(vm);
	return 0;
}

static bool xpu_binds_done(struct xpu_vm *vm, u64 last)
{
	bool done;

	spin_lock(&vm->job_lock);
	done = vm->done >= last;
	spin_unlock(&vm->job_lock);
	return done;
}

/**
 * alink_xpu_bind_wait_turn - wait for jobs that have been queued by now
 * @vm:		VM
 *
 * Return: 0 or -ERESTARTSYS.
 */
int alink_xpu_bind_wait_turn(struct xpu_vm *vm)
{
	u64 last;

	spin_lock(&vm->job_lock);
	last = vm->queued;
	spin_unlock(&vm->job_lock);
	return wait_event_interruptible(vm->job_wait, xpu_binds_done(vm, last));
}

/* --- life --------------------------------------------------------------- */

static bool xpu_binds_idle(struct xpu_vm *vm)
{
	bool idle;

	spin_lock(&vm->job_lock);
	idle = !vm->num_jobs;
	spin_unlock(&vm->job_lock);
	return idle;
}

/**
 * alink_xpu_vm_binds_drain - end all jobs of a VM
 * @vm:		VM, closed and not locked
 */
void alink_xpu_vm_binds_drain(struct xpu_vm *vm)
{
	xpu_vm_binds_kick(vm);
	wait_event(vm->job_wait, xpu_binds_idle(vm));
	flush_work(&vm->bind_work);
	flush_work(&vm->free_work);
}

void alink_xpu_vm_binds_init(struct xpu_vm *vm)
{
	/* For lockdep, before the first job: no allocation under these. */
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&vm->lock);
	might_lock_read(&vm->xdev->reset_lock);
	fs_reclaim_release(GFP_KERNEL);

	INIT_WORK(&vm->bind_work, xpu_binds_work);
	INIT_WORK(&vm->free_work, xpu_binds_free_work);
	spin_lock_init(&vm->job_lock);
	INIT_LIST_HEAD(&vm->jobs);
	INIT_LIST_HEAD(&vm->jobs_over);
	init_waitqueue_head(&vm->job_wait);
	vm->fence_context = dma_fence_context_alloc(1);
}

/**
 * alink_xpu_binds_kick - let all jobs look at the state of the device
 * @xdev:	device, whose state has changed
 */
void alink_xpu_binds_kick(struct xpu_device *xdev)
{
	struct xpu_vm *vm;

	mutex_lock(&xdev->ctx_lock);
	list_for_each_entry(vm, &xdev->vms, node)
		if (!vm->dying)
			xpu_vm_binds_kick(vm);
	mutex_unlock(&xdev->ctx_lock);
}

/* A VM that has jobs, with a reference, or NULL */
static struct xpu_vm *xpu_binds_busy(struct xpu_device *xdev)
{
	struct xpu_vm *vm, *busy = NULL;

	mutex_lock(&xdev->ctx_lock);
	list_for_each_entry(vm, &xdev->vms, node) {
		if (!xpu_binds_idle(vm) && kref_get_unless_zero(&vm->ref)) {
			busy = vm;
			break;
		}
	}
	mutex_unlock(&xdev->ctx_lock);
	return busy;
}

/**
 * alink_xpu_binds_stop - end all jobs
 * @xdev:	device that is being removed; no call queues new ones
 *
 * Workers may be frozen: a device can be pulled out while the machine sleeps, and
 * nothing is thawed before the PM core has the device's lock, which remove holds.
 * So they are not left to them.
 */
void alink_xpu_binds_stop(struct xpu_device *xdev)
{
	struct xpu_vm *vm;

	while ((vm = xpu_binds_busy(xdev))) {
		disable_work_sync(&vm->bind_work);
		xpu_binds_work(&vm->bind_work);
		disable_work_sync(&vm->free_work);
		xpu_binds_free_work(&vm->free_work);
		enable_work(&vm->free_work);
		enable_work(&vm->bind_work);
		alink_xpu_vm_put(vm);
	}
	/* Those of VMs that are being closed are what their closers wait for. */
	wait_var_event(&xdev->num_jobs, !atomic_read(&xdev->num_jobs));
}
