// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own queue, in a context of its own: it clears HBM. BAR2 may show
 * only part of it, and the CPU would clear at a fraction of the speed.
 */
#include <linux/dma-mapping.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>

#include "alink_xpu_drv.h"

#define KQ_RING_SIZE	16
#define KQ_STATUS	2048	/* offsets in the page of the ring */
#define KQ_FENCE	3072
#define KQ_VA		BIT_ULL(XPU_VA_BITS - 1)
#define KQ_CHUNK		(256ULL << 20)
#define KQ_TIMEOUT_MS	20000	/* one chunk */

int alink_xpu_kq_init(struct xpu_device *xdev)
{
	const u64 rw = ALINK_PTE_READ | ALINK_PTE_WRITE;
	struct device *dev = &xdev->pdev->dev;
	struct xpu_kq *kq = &xdev->kq;
	u64 hbm = xdev->info.hbm_size;
	struct xpu_pt_need need = {};
	struct xpu_pt_pool pool;
	int err;

	kq->ring = dma_alloc_coherent(dev, XPU_PAGE_SIZE, &kq->ring_dma,
				      GFP_KERNEL);
	if (!kq->ring)
		return -ENOMEM;
	err = alink_xpu_pt_init(&kq->pt, dev);
	if (err)
		goto err_ring;
	alink_xpu_pt_pool_init(&pool);
	alink_xpu_pt_need_range(&need, 0, hbm, true);
	alink_xpu_pt_need_run(&need, 0, 0, hbm);
	alink_xpu_pt_need_range(&need, KQ_VA, XPU_PAGE_SIZE, true);
	alink_xpu_pt_need_run(&need, KQ_VA, kq->ring_dma, XPU_PAGE_SIZE);
	err = alink_xpu_pt_pool_fill(&pool, dev, &need);
	if (!err)
		err = alink_xpu_pt_prepare(&kq->pt, &pool, 0, 0, hbm);
	if (!err)
		err = alink_xpu_pt_prepare(&kq->pt, &pool, KQ_VA, kq->ring_dma,
					   XPU_PAGE_SIZE);
	alink_xpu_pt_pool_free(&pool, dev);
	if (err)
		goto err_pt;
	alink_xpu_pt_map(&kq->pt, 0, 0, hbm, rw |
			 FIELD_PREP(ALINK_PTE_APERTURE_MASK, ALINK_AP_HBM));
	alink_xpu_pt_map(&kq->pt, KQ_VA, kq->ring_dma, XPU_PAGE_SIZE,
			 rw | FIELD_PREP(ALINK_PTE_APERTURE_MASK,
					 ALINK_AP_SYSTEM));
	return 0;

err_pt:
	alink_xpu_pt_fini(&kq->pt);
err_ring:
	dma_free_coherent(dev, XPU_PAGE_SIZE, kq->ring, kq->ring_dma);
	kq->ring = NULL;
	return err;
}

/* The device does no DMA any more. */
void alink_xpu_kq_fini(struct xpu_device *xdev)
{
	struct xpu_kq *kq = &xdev->kq;

	mutex_lock(&kq->lock);
	kq->ready = false;
	alink_xpu_pt_fini(&kq->pt);
	dma_free_coherent(&xdev->pdev->dev, XPU_PAGE_SIZE, kq->ring,
			  kq->ring_dma);
	kq->ring = NULL;
	mutex_unlock(&kq->lock);
}

/**
 * alink_xpu_kq_start - make context and queue of the kernel in the device
 * @xdev:	device, fresh from probe or reset; nobody else uses it yet
 *
 * Return: 0 or -errno.
 */
int alink_xpu_kq_start(struct xpu_device *xdev)
{
	struct xpu_kq *kq = &xdev->kq;
	struct alink_xpu_ctx ctx = {
		.id = cpu_to_le32(XPU_KERNEL_CTX),
		.root = cpu_to_le64(kq->pt.root->dma),
	};
	struct alink_xpu_queue queue = {
		.id = cpu_to_le32(XPU_KERNEL_QUEUE),
		.ctx = cpu_to_le32(XPU_KERNEL_CTX),
		.ring = cpu_to_le64(KQ_VA),
		.status = cpu_to_le64(KQ_VA + KQ_STATUS),
		.size = cpu_to_le32(KQ_RING_SIZE),
		.vector = cpu_to_le16(ALINK_XPU_VECTOR_QUEUE(0)),
		.priority = cpu_to_le16(1),
	};
	int err;

	static_assert(KQ_RING_SIZE * sizeof(struct alink_xpu_desc) <=
		      KQ_STATUS);

	mutex_lock(&kq->lock);
	memset(kq->ring, 0, XPU_PAGE_SIZE);
	kq->tail = 0;
	kq->seq = 0;
	kq->ready = false;
	err = alink_admin_tlv(xdev->adev, ALINK_XPU_ADMIN_CTX_CREATE,
			      ALINK_TLV_XPU_CTX, &ctx, sizeof(ctx), NULL);
	if (!err)
		err = alink_admin_tlv(xdev->adev,
				      ALINK_XPU_ADMIN_QUEUE_CREATE,
				      ALINK_TLV_XPU_QUEUE, &queue,
				      sizeof(queue), NULL);
	if (!err)
		kq->ready = true;
	mutex_unlock(&kq->lock);
	if (err)
		drm_err(&xdev->drm, "kernel queue: %pe\n", ERR_PTR(err));
	return err;
}

static bool kq_done(struct xpu_kq *kq)
{
	__le64 *fence = kq->ring + KQ_FENCE;

	return le64_to_cpu(READ_ONCE(*fence)) == kq->seq;
}

static u32 kq_error(struct xpu_kq *kq)
{
	struct alink_xpu_queue_status *st = kq->ring + KQ_STATUS;

	return le32_to_cpu(READ_ONCE(st->error));
}

/* Waits for one command; an interrupt may get lost, so looks now and then. */
static int kq_wait(struct xpu_device *xdev)
{
	unsigned long end = jiffies + msecs_to_jiffies(KQ_TIMEOUT_MS);
	struct xpu_kq *kq = &xdev->kq;

	lockdep_assert_held(&kq->lock);

	for (;;) {
		wait_event_timeout(xdev->vectors[0].wait,
				   kq_done(kq) || kq_error(kq) ||
				   alink_xpu_state_errno(xdev),
				   msecs_to_jiffies(10));
		if (kq_done(kq))
			return 0;
		if (alink_xpu_state_errno(xdev))
			return alink_xpu_state_errno(xdev);
		if (kq_error(kq)) {
			drm_err(&xdev->drm, "clearing HBM: %s\n",
				alink_status_str(kq_error(kq)));
			return -EIO;
		}
		if (time_after(jiffies, end)) {
			drm_err(&xdev->drm, "clearing HBM timed out\n");
			return -EIO;
		}
	}
}

static int kq_chunk(struct xpu_device *xdev, u64 start, u64 len)
{
	struct xpu_kq *kq = &xdev->kq;
	struct alink_xpu_desc *desc;
	int err;

	lockdep_assert_held(&kq->lock);

	desc = kq->ring;
	desc += kq->tail % KQ_RING_SIZE;
	*desc = (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_FILL,
		.flags = ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ,
		.dst = cpu_to_le64(start),
		.len = cpu_to_le64(len),
		.fence_addr = cpu_to_le64(KQ_VA + KQ_FENCE),
		.fence_value = cpu_to_le64(++kq->seq),
	};
	kq->tail++;

	down_read(&xdev->reset_lock);
	err = alink_xpu_state_errno(xdev);
	if (!err)
		alink_wr32(xdev->adev, ALINK_XPU_DB(XPU_KERNEL_QUEUE) +
			   ALINK_XPU_DB_TAIL, kq->tail);
	up_read(&xdev->reset_lock);
	return err ?: kq_wait(xdev);
}

/**
 * alink_xpu_kq_clear - clear an HBM object
 * @xdev:	device
 * @bo:		object that nobody has seen yet
 *
 * A failure of the kernel's own queue is a failure of the device, which is
 * then reset.
 *
 * Return: 0, -EINTR on a fatal signal, an error by state, or -EIO.
 */
int alink_xpu_kq_clear(struct xpu_device *xdev, const struct xpu_bo *bo)
{
	struct xpu_kq *kq = &xdev->kq;
	u64 start, end, len, generation;
	bool broken = false;
	unsigned int i;
	int err = 0;

	mutex_lock(&kq->lock);
	generation = alink_xpu_generation(xdev);
	for (i = 0; i < bo->num_pieces && !err; i++) {
		start = bo->pieces[i].start;
		end = start + bo->pieces[i].size;
		for (; start < end && !err; start += len) {
			len = min(end - start, KQ_CHUNK);
			if (fatal_signal_pending(current))
				err = -EINTR;
			else if (!kq->ready)
				err = alink_xpu_state_errno(xdev) ?: -EIO;
			else
				err = kq_chunk(xdev, start, len);
			broken = err == -EIO && kq->ready;
		}
	}
	if (broken)
		kq->ready = false;
	mutex_unlock(&kq->lock);

	if (broken)
		alink_xpu_wedge(xdev, generation, "HBM cannot be cleared");
	return err;
}
