// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words in objects that the kernel itself reads: fences, and the status blocks
 * of queues.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"

/* --- windows: where the kernel itself looks into HBM --------------------- */

static void xpu_window_free(struct kref *ref)
{
	struct xpu_window *window = container_of(ref, struct xpu_window, ref);

	iounmap(window->io);
	kfree(window);
}

static void xpu_window_put(struct xpu_window *window)
{
	if (window)
		kref_put(&window->ref, xpu_window_free);
}

/*
 * HBM is far larger than what the kernel reads of it, which is a few words of
 * fences and queue status: single pages are mapped, not BAR2. An object keeps
 * the last one, as user space waits for the same fence time and again.
 */
static struct xpu_window *xpu_window_get(struct xpu_bo *bo, u64 offset)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(bo)->dev);
	struct xpu_window *window, *old;
	u64 page = offset / XPU_PAGE_SIZE, run;
	resource_size_t base;
	int idx;

	mutex_lock(&bo->window_lock);
	window = bo->window;
	if (window && window->page == page)
		goto found;

	window = kzalloc(sizeof(*window), GFP_KERNEL_ACCOUNT);
	if (!window)
		goto err_unlock;
	if (!drm_dev_enter(&xdev->drm, &idx)) {
		kfree(window);
		window = ERR_PTR(-ENODEV);
		goto unlock;
	}
	base = xdev->hbm_base + alink_xpu_hbm_offset(bo, page * XPU_PAGE_SIZE,
						     &run);
	window->io = ioremap_wc(base, XPU_PAGE_SIZE);
	drm_dev_exit(idx);
	if (!window->io) {
		kfree(window);
		goto err_unlock;
	}
	kref_init(&window->ref);
	window->page = page;
	old = bo->window;
	bo->window = window;
	xpu_window_put(old);
found:
	kref_get(&window->ref);
unlock:
	mutex_unlock(&bo->window_lock);
	return window;

err_unlock:
	mutex_unlock(&bo->window_lock);
	return ERR_PTR(-ENOMEM);
}

/* The object is used no more. */
void alink_xpu_windows_fini(struct xpu_bo *bo)
{
	xpu_window_put(bo->window);
}

/* --- words --------------------------------------------------------------- */

/**
 * alink_xpu_loc_get - hold memory that the kernel will read
 * @bo:		object; gets another reference
 * @offset:	in it, 8-byte aligned, within the object
 * @loc:	out
 *
 * Return: 0, -EOPNOTSUPP if the CPU cannot read it, -ENODEV when the device is
 * gone, or -ENOMEM.
 */
int alink_xpu_loc_get(struct xpu_bo *bo, u64 offset, struct xpu_loc *loc)
{
	struct xpu_window *window = NULL;
	int err;

	switch (bo->kind) {
	case XPU_BO_HOST:
		if (bo->import)
			return -EOPNOTSUPP;
		err = drm_gem_shmem_pin(&bo->shmem);
		if (err)
			return err;
		break;
	case XPU_BO_HBM:
		if (!bo->visible)
			return -EOPNOTSUPP;
		window = xpu_window_get(bo, offset);
		if (IS_ERR(window))
			return PTR_ERR(window);
		break;
	default:
		return -EOPNOTSUPP;
	}
	drm_gem_object_get(xpu_gem(bo));
	loc->bo = bo;
	loc->window = window;
	loc->offset = offset;
	return 0;
}

void alink_xpu_loc_put(struct xpu_loc *loc)
{
	if (!loc->bo)
		return;
	if (loc->bo->kind == XPU_BO_HOST)
		drm_gem_shmem_unpin(&loc->bo->shmem);
	xpu_window_put(loc->window);
	loc->window = NULL;
	drm_gem_object_put(xpu_gem(loc->bo));
	loc->bo = NULL;
}

static void __iomem *xpu_loc_io(const struct xpu_loc *loc, u64 offset)
{
	return loc->window->io + offset % XPU_PAGE_SIZE;
}

/**
 * alink_xpu_loc_read - read a 64-bit little-endian word
 * @loc:	held memory
 * @add:	bytes beyond its offset, multiple of 8, in the same page
 * @value:	out
 *
 * Context: any but hard interrupt; does not sleep.
 * Return: 0, -ENODEV when the device is gone, -EBUSY while it is in reset and
 * the word is in HBM.
 */
int alink_xpu_loc_read(const struct xpu_loc *loc, u64 add, u64 *value)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(loc->bo)->dev);
	u64 offset = loc->offset + add;
	int idx, err;
	__le64 *map;

	if (loc->bo->kind == XPU_BO_HOST) {
		map = kmap_local_page(loc->bo->shmem.pages[offset >>
							   PAGE_SHIFT]);
		*value = le64_to_cpu(READ_ONCE(map[offset_in_page(offset) / 8]));
		kunmap_local(map);
		return 0;
	}

	if (!drm_dev_enter(&xdev->drm, &idx))
		return -ENODEV;
	err = alink_xpu_state_errno(xdev);
	if (!err)
		*value = readq(xpu_loc_io(loc, offset));
	/* All ones, or nobody there? The guard's own read tells. */
	if (!err && *value == U64_MAX &&
	    (alink_rd32(xdev->adev, ALINK_REG_MAGIC) != ALINK_MAGIC))
		err = alink_dev_lost(xdev->adev) ? -ENODEV : -EBUSY;
	drm_dev_exit(idx);
	return err;
}

/**
 * alink_xpu_loc_clear - write zeros
 * @loc:	held memory
 * @len:	bytes, in the same page
 *
 * Context: process; sleeps.
 * Return: 0, or for HBM an error by state.
 */
int alink_xpu_loc_clear(const struct xpu_loc *loc, size_t len)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(loc->bo)->dev);
	int err, idx;

	if (loc->bo->kind == XPU_BO_HOST) {
		memzero_page(loc->bo->shmem.pages[loc->offset >> PAGE_SHIFT],
			     offset_in_page(loc->offset), len);
		return 0;
	}
	if (!drm_dev_enter(&xdev->drm, &idx))
		return -ENODEV;
	down_read(&xdev->reset_lock);
	err = alink_xpu_state_errno(xdev);
	if (!err)
		memset_io(xpu_loc_io(loc, loc->offset), 0, len);
	up_read(&xdev->reset_lock);
	drm_dev_exit(idx);
	return err;
}
