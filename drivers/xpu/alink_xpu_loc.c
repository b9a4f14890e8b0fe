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

	list_del(&window->node);
	if (window->io)
		iounmap(window->io);
	if (window->mem)
		put_page(window->mem);
	kfree(window);
}

static void xpu_window_put_locked(struct xpu_window *window)
{
	if (window)
		kref_put(&window->ref, xpu_window_free);
}

static void xpu_window_put(struct xpu_bo *bo, struct xpu_window *window)
{
	/* Who is killed must not wait here for a move, which may take long. */
	if (refcount_dec_not_one(&window->ref.refcount))
		return;
	dma_resv_lock(xpu_gem(bo)->resv, NULL);
	xpu_window_put_locked(window);
	dma_resv_unlock(xpu_gem(bo)->resv);
}

/* Maps the page where it is in HBM. */
static int xpu_window_map(struct xpu_bo *bo, struct xpu_window *window)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(bo)->dev);
	u64 hbm, run;
	int idx;

	if (!drm_dev_enter(&xdev->drm, &idx))
		return -ENODEV;
	hbm = alink_xpu_hbm_offset(bo, window->page * XPU_PAGE_SIZE, &run);
	window->io = ioremap_wc(xdev->hbm_base + hbm, XPU_PAGE_SIZE);
	drm_dev_exit(idx);
	return window->io ? 0 : -ENOMEM;
}

/* Takes the page of a file in system memory. */
static int xpu_window_take(struct xpu_bo *bo, struct xpu_window *window,
			   struct file *file)
{
	struct page *page = alink_xpu_place_read(bo, file, window->page);

	if (IS_ERR(page))
		return PTR_ERR(page);
	window->mem = page;
	return 0;
}

static struct xpu_window *xpu_window_find(struct xpu_bo *bo, u64 page)
{
	struct xpu_window *window;

	list_for_each_entry(window, &bo->place.windows, node)
		if (window->page == page)
			return window;
	return NULL;
}

static struct xpu_window *xpu_window_make(struct xpu_bo *bo, u64 page)
{
	struct file *file = bo->place.file;
	struct xpu_window *window;
	int err;

	window = kzalloc(sizeof(*window), GFP_KERNEL_ACCOUNT);
	if (!window)
		return ERR_PTR(-ENOMEM);
	window->page = page;
	window->away = file;
	err = file ? xpu_window_take(bo, window, file) :
		     xpu_window_map(bo, window);
	if (err) {
		kfree(window);
		return ERR_PTR(err);
	}
	kref_init(&window->ref);
	spin_lock_init(&window->lock);
	list_add(&window->node, &bo->place.windows);
	return window;
}

/*
 * HBM is far larger than what the kernel reads of it, which is a few words of
 * fences and queue status: single pages are mapped, not BAR2. An object keeps
 * the last one, as user space waits for the same fence time and again.
 */
static struct xpu_window *xpu_window_get(struct xpu_bo *bo, u64 offset)
{
	struct xpu_window *window;
	int err;

	err = dma_resv_lock_interruptible(xpu_gem(bo)->resv, NULL);
	if (err)
		return ERR_PTR(err);
	window = xpu_window_find(bo, offset / XPU_PAGE_SIZE);
	if (window)
		kref_get(&window->ref);
	else
		window = xpu_window_make(bo, offset / XPU_PAGE_SIZE);
	if (!IS_ERR(window) && bo->window != window) {
		xpu_window_put_locked(bo->window);
		kref_get(&window->ref);
		bo->window = window;
	}
	dma_resv_unlock(xpu_gem(bo)->resv);
	return window;
}

/**
 * alink_xpu_windows_ready - get what windows need when their object moves
 * @bo:		HBM object, whose dma_resv is held
 * @file:	system memory that it moves to; NULL: into the HBM that it has
 *
 * What was there before stays in use until alink_xpu_windows_settle(), which
 * must follow.
 *
 * Return: 0, -ENOMEM, -ENODEV, or -EFAULT.
 */
int alink_xpu_windows_ready(struct xpu_bo *bo, struct file *file)
{
	struct xpu_window *window;
	int err = 0;

	dma_resv_assert_held(xpu_gem(bo)->resv);

	list_for_each_entry(window, &bo->place.windows, node) {
		err = file ? xpu_window_take(bo, window, file) :
			     xpu_window_map(bo, window);
		if (err)
			break;
	}
	return err;
}

/**
 * alink_xpu_windows_settle - from now on windows show where the object is
 * @bo:		HBM object, whose dma_resv is held
 * @away:	that is in system memory
 */
void alink_xpu_windows_settle(struct xpu_bo *bo, bool away)
{
	struct xpu_window *window;

	dma_resv_assert_held(xpu_gem(bo)->resv);

	list_for_each_entry(window, &bo->place.windows, node) {
		spin_lock(&window->lock);
		window->away = away;
		spin_unlock(&window->lock);
		/* Nobody looks there any more. */
		if (away && window->io) {
			iounmap(window->io);
			window->io = NULL;
		} else if (!away && window->mem) {
			put_page(window->mem);
			window->mem = NULL;
		}
	}
}

/* The object is used no more. */
void alink_xpu_windows_fini(struct xpu_bo *bo)
{
	xpu_window_put_locked(bo->window);
}

/* --- words --------------------------------------------------------------- */

/**
 * alink_xpu_loc_get - hold memory that the kernel will read
 * @bo:		object; gets another reference
 * @offset:	in it, 8-byte aligned, within the object
 * @loc:	out
 *
 * Return: 0, -EOPNOTSUPP if the CPU cannot read it, -ENODEV when the device is
 * gone, -EINTR, -ENOMEM, or -EFAULT if it is lost.
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
	else
		xpu_window_put(loc->bo, loc->window);
	loc->window = NULL;
	drm_gem_object_put(xpu_gem(loc->bo));
	loc->bo = NULL;
}

static u64 xpu_page_read(struct page *page, u64 offset)
{
	__le64 *map = kmap_local_page(page);
	u64 value;

	value = le64_to_cpu(READ_ONCE(map[offset_in_page(offset) / 8]));
	kunmap_local(map);
	return value;
}

/* Through a window, wherever its object is */
static int xpu_window_read(struct xpu_device *xdev, struct xpu_window *window,
			   u64 offset, u64 *value)
{
	bool away;
	int err;

	spin_lock(&window->lock);
	away = window->away;
	err = away ? 0 : alink_xpu_state_errno(xdev);
	if (!err)
		*value = away ? xpu_page_read(window->mem, offset) :
				readq(window->io + offset_in_page(offset));
	spin_unlock(&window->lock);

	/* All ones, or nobody there? The guard's own read tells. */
	if (!err && !away && *value == U64_MAX &&
	    (alink_rd32(xdev->adev, ALINK_REG_MAGIC) != ALINK_MAGIC))
		err = alink_dev_lost(xdev->adev) ? -ENODEV : -EBUSY;
	return err;
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

	if (loc->bo->kind == XPU_BO_HOST) {
		*value = xpu_page_read(loc->bo->shmem.pages[offset >>
							    PAGE_SHIFT],
				       offset);
		return 0;
	}

	if (!drm_dev_enter(&xdev->drm, &idx))
		return -ENODEV;
	err = xpu_window_read(xdev, loc->window, offset, value);
	drm_dev_exit(idx);
	return err;
}

/**
 * alink_xpu_loc_clear - write zeros
 * @loc:	held memory; an HBM object that stays where it is
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
		memset_io(loc->window->io + offset_in_page(loc->offset), 0,
			  len);
	up_read(&xdev->reset_lock);
	drm_dev_exit(idx);
	return err;
}
