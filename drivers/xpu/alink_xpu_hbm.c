// SPDX-License-Identifier: GPL-2.0-only
/*
 * HBM: the allocator, and the kernel queue that clears what it hands out.
 *
 * Memory is cleared when it is allocated, so what one user left is never seen
 * by the next, whatever happened in between: a crash, a reset, an object freed
 * while the device was in trouble. The device's own fill engine does it,
 * through a queue and a context of the kernel: BAR2 may show only part of HBM,
 * and the CPU would clear at a fraction of the speed. When clearing fails the
 * allocation fails, and the memory goes back unseen.
 */
#include <linux/dma-mapping.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "alink_xpu_drv.h"

/* --- allocator ---------------------------------------------------------- */

static void xpu_hbm_account(struct xpu_device *xdev,
			    const struct drm_mm_node *node, bool add)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	u64 visible = xdev->info.hbm_visible;
	u64 low = node->start < visible ?
		  min(node->size, visible - node->start) : 0;

	lockdep_assert_held(&hbm->lock);

	if (add) {
		hbm->used += node->size;
		hbm->visible_used += low;
	} else {
		hbm->used -= node->size;
		hbm->visible_used -= low;
	}
}

static int xpu_hbm_piece(struct xpu_device *xdev, struct drm_mm_node *node,
			 u64 size, bool visible)
{
	u64 align = size >= XPU_LARGE_PAGE_SIZE ? XPU_LARGE_PAGE_SIZE :
						  XPU_PAGE_SIZE;
	u64 end = visible ? xdev->info.hbm_visible : xdev->info.hbm_size;
	int err;

	lockdep_assert_held(&xdev->hbm.lock);

	/* What need not be visible leaves the low end to what must be. */
	err = drm_mm_insert_node_in_range(&xdev->hbm.mm, node, size, align, 0,
					  0, end, visible ? DRM_MM_INSERT_BEST :
					  DRM_MM_INSERT_HIGH);
	if (err && align != XPU_PAGE_SIZE)
		err = drm_mm_insert_node_in_range(&xdev->hbm.mm, node, size,
						  XPU_PAGE_SIZE, 0, 0, end,
						  visible ? DRM_MM_INSERT_BEST :
						  DRM_MM_INSERT_HIGH);
	if (!err)
		xpu_hbm_account(xdev, node, true);
	return err;
}

static void xpu_hbm_release(struct xpu_device *xdev, struct xpu_bo *bo)
{
	lockdep_assert_held(&xdev->hbm.lock);

	while (bo->num_pieces) {
		bo->num_pieces--;
		xpu_hbm_account(xdev, &bo->pieces[bo->num_pieces], false);
		drm_mm_remove_node(&bo->pieces[bo->num_pieces]);
	}
	alink_xpu_retire_free(xdev);
}

/**
 * alink_xpu_hbm_alloc - find HBM for an object
 * @xdev:	device
 * @bo:		empty HBM object
 * @size:	bytes, multiple of 4 KiB
 * @visible:	all of it must be in BAR2
 *
 * In one piece if possible, else in up to ALINK_XPU_SEG_MAX_EXTENTS.
 *
 * Return: 0, -ENOSPC or -ENOMEM.
 */
int alink_xpu_hbm_alloc(struct xpu_device *xdev, struct xpu_bo *bo, u64 size,
			bool visible)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	u64 left = size, want = size;
	int err = 0;

	bo->pieces = kcalloc(ALINK_XPU_SEG_MAX_EXTENTS, sizeof(*bo->pieces),
			     GFP_KERNEL_ACCOUNT);
	if (!bo->pieces)
		return -ENOMEM;
	bo->visible = visible;

	mutex_lock(&hbm->lock);
	while (left) {
		want = min(want, left);
		if (bo->num_pieces == ALINK_XPU_SEG_MAX_EXTENTS) {
			err = -ENOSPC;
			break;
		}
		err = xpu_hbm_piece(xdev, &bo->pieces[bo->num_pieces], want,
				    visible);
		if (!err) {
			bo->num_pieces++;
			left -= want;
		} else if (want > XPU_PAGE_SIZE) {
			want = ALIGN(want / 2, XPU_PAGE_SIZE);
		} else {
			err = -ENOSPC;
			break;
		}
	}
	if (err)
		xpu_hbm_release(xdev, bo);
	mutex_unlock(&hbm->lock);
	return err;
}

void alink_xpu_hbm_free(struct xpu_device *xdev, struct xpu_bo *bo)
{
	mutex_lock(&xdev->hbm.lock);
	xpu_hbm_release(xdev, bo);
	mutex_unlock(&xdev->hbm.lock);
	kfree(bo->pieces);
	bo->pieces = NULL;
}

/**
 * alink_xpu_hbm_offset - where in HBM is this part of an object?
 * @bo:		HBM object
 * @offset:	in it, less than its size
 * @run:	out: bytes from there that are in one piece
 *
 * Return: offset in HBM.
 */
u64 alink_xpu_hbm_offset(const struct xpu_bo *bo, u64 offset, u64 *run)
{
	unsigned int i;

	for (i = 0; i < bo->num_pieces - 1; i++) {
		if (offset < bo->pieces[i].size)
			break;
		offset -= bo->pieces[i].size;
	}
	*run = bo->pieces[i].size - offset;
	return bo->pieces[i].start + offset;
}

/**
 * alink_xpu_hbm_usage - how much HBM there is, and what has become of it
 * @xdev:	device
 * @m:		out
 */
void alink_xpu_hbm_usage(struct xpu_device *xdev,
			 struct drm_alink_xpu_query_memory *m)
{
	struct xpu_hbm *hbm = &xdev->hbm;

	mutex_lock(&hbm->lock);
	m->hbm_total = xdev->info.hbm_size - hbm->retired;
	m->hbm_used = hbm->used;
	m->visible_total = xdev->info.hbm_visible - hbm->visible_retired;
	m->visible_used = hbm->visible_used;
	m->hbm_retired = hbm->retired;
	m->hbm_pending = (u64)hbm->num_bad * XPU_PAGE_SIZE - hbm->retired;
	mutex_unlock(&hbm->lock);
}

int alink_xpu_hbm_init(struct xpu_device *xdev)
{
	xdev->hbm.bad = kcalloc(ALINK_XPU_MAX_RETIRED, sizeof(*xdev->hbm.bad),
				GFP_KERNEL);
	if (!xdev->hbm.bad)
		return -ENOMEM;
	mutex_init(&xdev->hbm.lock);
	drm_mm_init(&xdev->hbm.mm, 0, xdev->info.hbm_size);
	return 0;
}

/* With the DRM device: no object is left. */
void alink_xpu_hbm_fini(struct xpu_device *xdev)
{
	if (!drm_mm_initialized(&xdev->hbm.mm))
		return;
	alink_xpu_retire_fini(xdev);
	drm_mm_takedown(&xdev->hbm.mm);
	mutex_destroy(&xdev->hbm.lock);
}

/* --- scrubbing ---------------------------------------------------------- */

#define SCRUB_RING_SIZE		16
#define SCRUB_STATUS		2048	/* offsets in the page of the ring */
#define SCRUB_FENCE		3072
#define SCRUB_VA		BIT_ULL(XPU_VA_BITS - 1)
#define SCRUB_CHUNK		(256ULL << 20)
#define SCRUB_TIMEOUT_MS	20000	/* one chunk */

int alink_xpu_scrub_init(struct xpu_device *xdev)
{
	const u64 rw = ALINK_PTE_READ | ALINK_PTE_WRITE;
	struct xpu_scrub *scrub = &xdev->scrub;
	struct device *dev = &xdev->pdev->dev;
	u64 hbm = xdev->info.hbm_size;
	struct xpu_pt_need need = {};
	struct xpu_pt_pool pool;
	int err;

	scrub->ring = dma_alloc_coherent(dev, XPU_PAGE_SIZE, &scrub->ring_dma,
					 GFP_KERNEL);
	if (!scrub->ring)
		return -ENOMEM;
	err = alink_xpu_pt_init(&scrub->pt, dev);
	if (err)
		goto err_ring;
	alink_xpu_pt_pool_init(&pool);
	alink_xpu_pt_need_range(&need, 0, hbm, true);
	alink_xpu_pt_need_run(&need, 0, 0, hbm);
	alink_xpu_pt_need_range(&need, SCRUB_VA, XPU_PAGE_SIZE, true);
	alink_xpu_pt_need_run(&need, SCRUB_VA, scrub->ring_dma, XPU_PAGE_SIZE);
	err = alink_xpu_pt_pool_fill(&pool, dev, &need);
	if (!err)
		err = alink_xpu_pt_prepare(&scrub->pt, &pool, 0, 0, hbm);
	if (!err)
		err = alink_xpu_pt_prepare(&scrub->pt, &pool, SCRUB_VA,
					   scrub->ring_dma, XPU_PAGE_SIZE);
	alink_xpu_pt_pool_free(&pool, dev);
	if (err)
		goto err_pt;
	alink_xpu_pt_map(&scrub->pt, 0, 0, hbm, rw |
			 FIELD_PREP(ALINK_PTE_APERTURE_MASK, ALINK_AP_HBM));
	alink_xpu_pt_map(&scrub->pt, SCRUB_VA, scrub->ring_dma, XPU_PAGE_SIZE,
			 rw | FIELD_PREP(ALINK_PTE_APERTURE_MASK,
					 ALINK_AP_SYSTEM));
	return 0;

err_pt:
	alink_xpu_pt_fini(&scrub->pt);
err_ring:
	dma_free_coherent(dev, XPU_PAGE_SIZE, scrub->ring, scrub->ring_dma);
	scrub->ring = NULL;
	return err;
}

/* The device does no DMA any more. */
void alink_xpu_scrub_fini(struct xpu_device *xdev)
{
	struct xpu_scrub *scrub = &xdev->scrub;

	mutex_lock(&scrub->lock);
	scrub->ready = false;
	alink_xpu_pt_fini(&scrub->pt);
	dma_free_coherent(&xdev->pdev->dev, XPU_PAGE_SIZE, scrub->ring,
			  scrub->ring_dma);
	scrub->ring = NULL;
	mutex_unlock(&scrub->lock);
}

/**
 * alink_xpu_scrub_start - make context and queue of the kernel in the device
 * @xdev:	device, fresh from probe or reset; nobody else uses it yet
 *
 * Return: 0 or -errno.
 */
int alink_xpu_scrub_start(struct xpu_device *xdev)
{
	struct xpu_scrub *scrub = &xdev->scrub;
	struct alink_xpu_ctx ctx = {
		.id = cpu_to_le32(XPU_KERNEL_CTX),
		.root = cpu_to_le64(scrub->pt.root->dma),
	};
	struct alink_xpu_queue queue = {
		.id = cpu_to_le32(XPU_KERNEL_QUEUE),
		.ctx = cpu_to_le32(XPU_KERNEL_CTX),
		.ring = cpu_to_le64(SCRUB_VA),
		.status = cpu_to_le64(SCRUB_VA + SCRUB_STATUS),
		.size = cpu_to_le32(SCRUB_RING_SIZE),
		.vector = cpu_to_le16(ALINK_XPU_VECTOR_QUEUE(0)),
		.priority = cpu_to_le16(1),
	};
	int err;

	static_assert(SCRUB_RING_SIZE * sizeof(struct alink_xpu_desc) <=
		      SCRUB_STATUS);

	mutex_lock(&scrub->lock);
	memset(scrub->ring, 0, XPU_PAGE_SIZE);
	scrub->tail = 0;
	scrub->seq = 0;
	scrub->ready = false;
	err = alink_admin_tlv(xdev->adev, ALINK_XPU_ADMIN_CTX_CREATE,
			      ALINK_TLV_XPU_CTX, &ctx, sizeof(ctx), NULL);
	if (!err)
		err = alink_admin_tlv(xdev->adev,
				      ALINK_XPU_ADMIN_QUEUE_CREATE,
				      ALINK_TLV_XPU_QUEUE, &queue,
				      sizeof(queue), NULL);
	if (!err)
		scrub->ready = true;
	mutex_unlock(&scrub->lock);
	if (err)
		drm_err(&xdev->drm, "kernel queue: %pe\n", ERR_PTR(err));
	return err;
}

static bool xpu_scrub_done(struct xpu_scrub *scrub)
{
	__le64 *fence = scrub->ring + SCRUB_FENCE;

	return le64_to_cpu(READ_ONCE(*fence)) == scrub->seq;
}

static u32 xpu_scrub_error(struct xpu_scrub *scrub)
{
	struct alink_xpu_queue_status *st = scrub->ring + SCRUB_STATUS;

	return le32_to_cpu(READ_ONCE(st->error));
}

/* Waits for one command; an interrupt may get lost, so looks now and then. */
static int xpu_scrub_wait(struct xpu_device *xdev)
{
	unsigned long end = jiffies + msecs_to_jiffies(SCRUB_TIMEOUT_MS);
	struct xpu_scrub *scrub = &xdev->scrub;

	lockdep_assert_held(&scrub->lock);

	for (;;) {
		wait_event_timeout(xdev->vectors[0].wait,
				   xpu_scrub_done(scrub) ||
				   xpu_scrub_error(scrub) ||
				   alink_xpu_state_errno(xdev),
				   msecs_to_jiffies(10));
		if (xpu_scrub_done(scrub))
			return 0;
		if (alink_xpu_state_errno(xdev))
			return alink_xpu_state_errno(xdev);
		if (xpu_scrub_error(scrub)) {
			drm_err(&xdev->drm, "clearing HBM: %s\n",
				alink_status_str(xpu_scrub_error(scrub)));
			return -EIO;
		}
		if (time_after(jiffies, end)) {
			drm_err(&xdev->drm, "clearing HBM timed out\n");
			return -EIO;
		}
	}
}

static int xpu_scrub_chunk(struct xpu_device *xdev, u64 start, u64 len)
{
	struct xpu_scrub *scrub = &xdev->scrub;
	struct alink_xpu_desc *desc;
	int err;

	lockdep_assert_held(&scrub->lock);

	desc = scrub->ring;
	desc += scrub->tail % SCRUB_RING_SIZE;
	*desc = (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_FILL,
		.flags = ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ,
		.dst = cpu_to_le64(start),
		.len = cpu_to_le64(len),
		.fence_addr = cpu_to_le64(SCRUB_VA + SCRUB_FENCE),
		.fence_value = cpu_to_le64(++scrub->seq),
	};
	scrub->tail++;

	down_read(&xdev->reset_lock);
	err = alink_xpu_state_errno(xdev);
	if (!err)
		alink_wr32(xdev->adev, ALINK_XPU_DB(XPU_KERNEL_QUEUE) +
			   ALINK_XPU_DB_TAIL, scrub->tail);
	up_read(&xdev->reset_lock);
	return err ?: xpu_scrub_wait(xdev);
}

/**
 * alink_xpu_scrub - clear an HBM object
 * @xdev:	device
 * @bo:		object that nobody has seen yet
 *
 * A failure of the kernel's own queue is a failure of the device, which is
 * then reset.
 *
 * Return: 0, -EINTR on a fatal signal, an error by state, or -EIO.
 */
int alink_xpu_scrub(struct xpu_device *xdev, const struct xpu_bo *bo)
{
	struct xpu_scrub *scrub = &xdev->scrub;
	u64 start, end, len, generation;
	bool broken = false;
	unsigned int i;
	int err = 0;

	mutex_lock(&scrub->lock);
	generation = alink_xpu_generation(xdev);
	for (i = 0; i < bo->num_pieces && !err; i++) {
		start = bo->pieces[i].start;
		end = start + bo->pieces[i].size;
		for (; start < end && !err; start += len) {
			len = min(end - start, SCRUB_CHUNK);
			if (fatal_signal_pending(current))
				err = -EINTR;
			else if (!scrub->ready)
				err = alink_xpu_state_errno(xdev) ?: -EIO;
			else
				err = xpu_scrub_chunk(xdev, start, len);
			broken = err == -EIO && scrub->ready;
		}
	}
	if (broken)
		scrub->ready = false;
	mutex_unlock(&scrub->lock);

	if (broken)
		alink_xpu_wedge(xdev, generation, "HBM cannot be cleared");
	return err;
}
