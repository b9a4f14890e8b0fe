// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that stay where they are in HBM: what others reach by its address
 * there, and what an access that meets a mark would not be tried again for.
 */
#include <linux/dma-resv.h>
#include <linux/sched/signal.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"

/* Did an object that has left have room, and has none now? */
static bool pin_takes(const struct xpu_bo *bo, const struct xpu_hbm_room *was,
		      const struct xpu_hbm_room *now)
{
	u64 size = bo->shmem.base.size;

	if (bo->visible)
		return size <= was->visible && size > now->visible;
	return size <= was->any && size > now->any;
}

/*
 * Whatever has left must be able to come back, one object at a time: what takes
 * that from one does not stay. An object that leaves later fits where it was.
 */
static int pin_place(struct xpu_device *xdev, struct xpu_bo *bo)
{
	struct xpu_evict *ev = &xdev->evict;
	struct xpu_hbm_room was, now;
	struct drm_gem_object *obj;
	bool taken = false;

	lockdep_assert_held(&ev->lru_lock);

	if (list_empty(&ev->gone.list)) {
		alink_xpu_hbm_stay(xdev, bo, true);
		return 0;
	}
	alink_xpu_hbm_room(xdev, &was);
	alink_xpu_hbm_stay(xdev, bo, true);
	alink_xpu_hbm_room(xdev, &now);
	list_for_each_entry(obj, &ev->gone.list, lru_node)
		taken |= pin_takes(to_xpu_bo(obj), &was, &now);
	if (taken)
		alink_xpu_hbm_stay(xdev, bo, false);
	return taken ? -ENOSPC : 0;
}

/* The object is in HBM, its dma_resv is held. */
static int pin_here(struct xpu_device *xdev, struct xpu_bo *bo)
{
	struct xpu_evict *ev = &xdev->evict;
	int err;

	dma_resv_assert_held(xpu_gem(bo)->resv);

	if (bo->place.pins) {
		bo->place.pins++;
		return 0;
	}
	mutex_lock(&ev->lru_lock);
	err = pin_place(xdev, bo);
	mutex_unlock(&ev->lru_lock);
	if (err)
		return err;
	bo->place.pins = 1;
	drm_gem_lru_remove(xpu_gem(bo));
	return 0;
}

/**
 * alink_xpu_pin - see to it that an object is in HBM, and stays where it is
 * @bo:		object; of any kind, though only HBM moves
 *
 * Context: process; no locks held; may take seconds.
 * Return: 0, -ENOSPC, -ENOMEM, -EFAULT if it is lost, -EINTR, or an error by
 * state.
 */
int alink_xpu_pin(struct xpu_bo *bo)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(bo)->dev);
	bool away;
	int err;

	if (bo->kind != XPU_BO_HBM)
		return 0;
	do {
		err = dma_resv_lock_interruptible(xpu_gem(bo)->resv, NULL);
		if (err)
			return err;
		away = bo->place.file;
		if (!away)
			err = pin_here(xdev, bo);
		dma_resv_unlock(xpu_gem(bo)->resv);
		if (away)
			err = alink_xpu_evict_back(xdev, bo);
	} while (away && !err);
	return err;
}

/**
 * alink_xpu_pin_again - pin an object that somebody has pinned
 * @bo:		HBM object
 *
 * Context: process; may sleep, but not for others to leave HBM.
 * Return: 0, -EAGAIN if nobody has, or -EINTR.
 */
int alink_xpu_pin_again(struct xpu_bo *bo)
{
	int err;

	err = dma_resv_lock_interruptible(xpu_gem(bo)->resv, NULL);
	if (err)
		return err;
	if (bo->place.pins)
		bo->place.pins++;
	else
		err = -EAGAIN;
	dma_resv_unlock(xpu_gem(bo)->resv);
	return err;
}

/**
 * alink_xpu_unpin - undo alink_xpu_pin()
 * @bo:		object
 */
void alink_xpu_unpin(struct xpu_bo *bo)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(bo)->dev);
	struct xpu_evict *ev = &xdev->evict;

	if (bo->kind != XPU_BO_HBM)
		return;
	dma_resv_lock(xpu_gem(bo)->resv, NULL);
	if (!--bo->place.pins) {
		mutex_lock(&ev->lru_lock);
		alink_xpu_hbm_stay(xdev, bo, false);
		drm_gem_lru_move_tail_locked(&ev->here, xpu_gem(bo));
		mutex_unlock(&ev->lru_lock);
	}
	dma_resv_unlock(xpu_gem(bo)->resv);
}

static bool pin_is_bound(struct xpu_vm *vm, struct xpu_bo *bo, u64 addr)
{
	struct xpu_bo *now;
	u64 offset;

	mutex_lock(&vm->lock);
	now = alink_xpu_vm_find(vm, addr, &offset);
	mutex_unlock(&vm->lock);
	if (now)
		drm_gem_object_put(xpu_gem(now));
	return now == bo;
}

/* The object is pinned. */
static int pin_unmark(struct xpu_vm *vm, struct xpu_bo *bo, u64 addr)
{
	int err = 0, idx;

	if (!drm_dev_enter(&vm->xdev->drm, &idx))
		return -ENODEV;
	dma_resv_lock(xpu_gem(bo)->resv, NULL);
	if (bo->place.marked)
		err = alink_xpu_bind_again(vm, bo, addr);
	dma_resv_unlock(xpu_gem(bo)->resv);
	drm_dev_exit(idx);
	return err;
}

/**
 * alink_xpu_pin_at - pin an object, without marks where it is bound
 * @vm:		VM, not locked
 * @bo:		object, of any kind
 * @addr:	device virtual address where it is bound
 *
 * Return: as alink_xpu_pin(), or -EINVAL if it is bound there no more.
 */
int alink_xpu_pin_at(struct xpu_vm *vm, struct xpu_bo *bo, u64 addr)
{
	int err;

	err = alink_xpu_pin(bo);
	if (err || bo->kind != XPU_BO_HBM)
		return err;
	/* A binding may be there, but not as far as it was a moment ago. */
	do {
		err = pin_unmark(vm, bo, addr);
		if (err == -EAGAIN && !pin_is_bound(vm, bo, addr))
			err = -EINVAL;
		else if (err == -EAGAIN && fatal_signal_pending(current))
			err = -EINTR;
	} while (err == -EAGAIN);
	if (err)
		alink_xpu_unpin(bo);
	return err;
}
