// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own queue, in a context of its own: it clears HBM, and copies
 * between HBM and system memory. BAR2 may show only part of HBM, and the CPU
 * would work at a fraction of the speed.
 */
#include <linux/dma-mapping.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

#define KQ_RING_SIZE	16
#define KQ_STATUS	2048	/* offsets in the page of the ring */
#define KQ_FENCE	3072
#define KQ_VA		BIT_ULL(XPU_VA_BITS - 1)
#define KQ_WINDOW	(KQ_VA + XPU_LARGE_PAGE_SIZE)	/* system memory */
#define KQ_CHUNK	(256ULL << 20)
#define KQ_LOOK_MS	10
/*
 * A command that is not over after so many times as long as it may stand still
 * is stuck, too: none takes long, and a device may count for ever.
 */
#define KQ_PATIENCE	4

/* All of HBM, at its own offset */
static int kq_map_hbm(struct xpu_kq *kq, struct xpu_pt_pool *pool, bool huge,
		      u64 hbm, u64 bits)
{
	int err;

	bits |= FIELD_PREP(ALINK_PTE_APERTURE_MASK, ALINK_AP_HBM);
	if (huge)
		return alink_xpu_pt_map_huge(&kq->pt, pool, 0, 0, hbm, bits);
	err = alink_xpu_pt_prepare(&kq->pt, pool, 0, 0, hbm);
	if (!err)
		alink_xpu_pt_map(&kq->pt, 0, 0, hbm, bits);
	return err;
}

int alink_xpu_kq_init(struct xpu_device *xdev)
{
	const u64 rw = ALINK_PTE_READ | ALINK_PTE_WRITE;
	struct device *dev = &xdev->pdev->dev;
	struct xpu_kq *kq = &xdev->kq;
	u64 hbm = xdev->info.hbm_size;
	/* 144 tables of 144 GiB would be a good part of the probe. */
	bool huge = alink_dev_caps(xdev->adev) & ALINK_CAP_HUGE_LEAF &&
		    IS_ALIGNED(hbm, XPU_HUGE_PAGE_SIZE);
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
	if (huge) {
		alink_xpu_pt_need_huge(&need, 0, hbm);
	} else {
		alink_xpu_pt_need_range(&need, 0, hbm, true);
		alink_xpu_pt_need_run(&need, 0, 0, hbm);
	}
	alink_xpu_pt_need_range(&need, KQ_VA, XPU_PAGE_SIZE, true);
	alink_xpu_pt_need_run(&need, KQ_VA, kq->ring_dma, XPU_PAGE_SIZE);
	/* Tables for small pages, whatever will be behind them */
	alink_xpu_pt_need_range(&need, KQ_WINDOW, XPU_KQ_COPY_MAX, true);
	alink_xpu_pt_need_run(&need, KQ_WINDOW, XPU_PAGE_SIZE, XPU_KQ_COPY_MAX);
	err = alink_xpu_pt_pool_fill(&pool, dev, &need);
	if (!err)
		err = kq_map_hbm(kq, &pool, huge, hbm, rw);
	if (!err)
		err = alink_xpu_pt_prepare(&kq->pt, &pool, KQ_VA, kq->ring_dma,
					   XPU_PAGE_SIZE);
	if (!err)
		err = alink_xpu_pt_prepare(&kq->pt, &pool, KQ_WINDOW,
					   XPU_PAGE_SIZE, XPU_KQ_COPY_MAX);
	alink_xpu_pt_pool_free(&pool, dev);
	if (err)
		goto err_pt;
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

/* The ring is not in use. */
static void kq_wipe(struct xpu_kq *kq)
{
	lockdep_assert_held(&kq->lock);

	memset(kq->ring, 0, XPU_PAGE_SIZE);
	kq->tail = 0;
	kq->seq = 0;
}

static const struct alink_xpu_queue kq_queue = {
	.id = cpu_to_le32(XPU_KERNEL_QUEUE),
	.ctx = cpu_to_le32(XPU_KERNEL_CTX),
	.ring = cpu_to_le64(KQ_VA),
	.status = cpu_to_le64(KQ_VA + KQ_STATUS),
	.size = cpu_to_le32(KQ_RING_SIZE),
	.vector = cpu_to_le16(ALINK_XPU_VECTOR_QUEUE(0)),
	.priority = cpu_to_le16(ALINK_XPU_PRIORITY_NORMAL),
};

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
	int err;

	static_assert(KQ_RING_SIZE * sizeof(struct alink_xpu_desc) <=
		      KQ_STATUS);

	mutex_lock(&kq->lock);
	kq_wipe(kq);
	kq->ready = false;
	err = alink_admin_tlv(xdev->adev, ALINK_XPU_ADMIN_CTX_CREATE,
			      ALINK_TLV_XPU_CTX, &ctx, sizeof(ctx), NULL);
	if (!err)
		err = alink_admin_tlv(xdev->adev,
				      ALINK_XPU_ADMIN_QUEUE_CREATE,
				      ALINK_TLV_XPU_QUEUE, &kq_queue,
				      sizeof(kq_queue), NULL);
	if (!err)
		kq->ready = true;
	mutex_unlock(&kq->lock);
	if (err)
		drm_err(&xdev->drm, "kernel queue: %pe\n", ERR_PTR(err));
	return err;
}

/* A queue that halted, or is stuck, can only be destroyed: makes it again. */
static int kq_renew(struct xpu_device *xdev)
{
	const __le32 id = cpu_to_le32(XPU_KERNEL_QUEUE);
	struct xpu_kq *kq = &xdev->kq;
	int err;

	lockdep_assert_held(&kq->lock);

	err = alink_xpu_admin_tlv(xdev, ALINK_XPU_ADMIN_QUEUE_DESTROY,
				  ALINK_TLV_ID, &id, sizeof(id), NULL);
	if (err)
		return err;
	kq_wipe(kq);
	return alink_xpu_admin_tlv(xdev, ALINK_XPU_ADMIN_QUEUE_CREATE,
				   ALINK_TLV_XPU_QUEUE, &kq_queue,
				   sizeof(kq_queue), NULL);
}

/* May the queue be used? On both sides of a sleep by nobody but who copies. */
static int kq_errno(struct xpu_device *xdev)
{
	int err = alink_xpu_state_errno(xdev);

	lockdep_assert_held(&xdev->kq.lock);

	return err == -EBUSY && xdev->kq.alone ? 0 : err;
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

/* Its latest command has failed, or is stuck. Return: the index of that. */
static u32 kq_note(struct xpu_device *xdev, u32 status, u64 addr)
{
	struct xpu_kq *kq = &xdev->kq;
	const struct alink_xpu_desc *ring = kq->ring;
	const struct drm_alink_xpu_queue_error error = {
		.status = status,
		.index = kq->tail - 1,
		.addr = addr,
	};

	lockdep_assert_held(&kq->lock);

	alink_xpu_qerr_note_kernel(xdev, &error,
				   &ring[error.index % KQ_RING_SIZE]);
	return error.index;
}

static int kq_halted(struct xpu_device *xdev)
{
	struct xpu_kq *kq = &xdev->kq;
	struct alink_xpu_queue_status *st = kq->ring + KQ_STATUS;
	u32 status = kq_error(kq);

	kq_note(xdev, status, le64_to_cpu(READ_ONCE(st->error_addr)));
	/* That is the memory's fault, which the device reports. */
	if (status == ALINK_ST_POISON)
		return -EHWPOISON;
	drm_err(&xdev->drm, "kernel queue: %s\n", alink_status_str(status));
	return -EIO;
}

static void kq_stuck(struct xpu_device *xdev)
{
	u32 at = (xdev->kq.tail - 1) % KQ_RING_SIZE;

	alink_xpu_hang_kernel(xdev, kq_note(xdev, ALINK_ST_STUCK, KQ_VA +
					    at * sizeof(struct alink_xpu_desc)));
}

/* Signs of life of the queue; always the same from a device that shows none */
static u32 kq_progress(struct xpu_device *xdev)
{
	const u32 reg = ALINK_XPU_Q(XPU_KERNEL_QUEUE, ALINK_XPU_Q_PROGRESS);
	u32 progress = 0;

	down_read(&xdev->reset_lock);
	if (xdev->info.progress_ms && !kq_errno(xdev))
		progress = alink_rd32(xdev->adev, reg);
	up_read(&xdev->reset_lock);
	return progress;
}

static bool kq_over(struct xpu_device *xdev)
{
	struct xpu_kq *kq = &xdev->kq;

	return kq_done(kq) || kq_error(kq) || kq_errno(xdev);
}

/*
 * Waits for one command; an interrupt may get lost, so looks now and then.
 * Looks are counted, as by the watch, which does not look at this queue: a host
 * that stood still has seen nothing. -ETIME says that it is stuck.
 */
static int kq_wait(struct xpu_device *xdev)
{
	unsigned int most = alink_xpu_hang_patience_ms(xdev) / KQ_LOOK_MS;
	const long look = msecs_to_jiffies(KQ_LOOK_MS);
	unsigned int looks = 0, stands = 0;
	struct xpu_kq *kq = &xdev->kq;
	u32 now, progress = 0;
	long left;
	int err;

	lockdep_assert_held(&kq->lock);

	while (stands < most && looks < KQ_PATIENCE * most) {
		/* In a sleep nobody but this caller is there to go on with it. */
		if (kq->alone)
			left = wait_event_timeout(xdev->vectors[0].wait,
						  kq_over(xdev), look);
		else
			left = wait_event_killable_timeout(xdev->vectors[0].wait,
							   kq_over(xdev), look);
		if (kq_done(kq))
			return 0;
		err = kq_errno(xdev);
		if (err)
			return err;
		if (left < 0)
			return -EINTR;
		if (kq_error(kq))
			return kq_halted(xdev);
		now = kq_progress(xdev);
		stands = now == progress ? stands + 1 : 0;
		progress = now;
		looks++;
	}
	return -ETIME;
}

/* Hands one command to the device, and waits for it. */
static int kq_try(struct xpu_device *xdev, struct alink_xpu_desc desc)
{
	struct xpu_kq *kq = &xdev->kq;
	struct alink_xpu_desc *ring = kq->ring;
	int err;

	lockdep_assert_held(&kq->lock);

	if (!kq->ready)
		return kq_errno(xdev) ?: -EIO;
	desc.flags = ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ;
	desc.fence_addr = cpu_to_le64(KQ_VA + KQ_FENCE);
	desc.fence_value = cpu_to_le64(++kq->seq);
	ring[kq->tail % KQ_RING_SIZE] = desc;
	kq->tail++;

	down_read(&xdev->reset_lock);
	err = kq_errno(xdev);
	if (!err) {
		trace_alink_xpu_kq_submit(xdev, kq->seq, &desc);
		alink_wr32(xdev->adev, ALINK_XPU_DB(XPU_KERNEL_QUEUE) +
			   ALINK_XPU_DB_TAIL, kq->tail);
	}
	up_read(&xdev->reset_lock);
	if (err)
		return err;
	err = kq_wait(xdev);
	trace_alink_xpu_kq_complete(xdev, kq->seq, err);
	return err;
}

/*
 * One command; its own fields are in @desc. One that is stuck ends with its
 * queue, and is tried once more on a new one: nobody need notice. A queue that
 * has halted for bad memory is made anew, too, for the next command; and one
 * whose user is killed, as the memory of the command must not be freed before
 * the device has let go of it: it has when it says that the queue is destroyed.
 */
static int kq_run(struct xpu_device *xdev, struct alink_xpu_desc desc)
{
	unsigned int hangs = 0;
	int err;

	if (!xdev->kq.alone && fatal_signal_pending(current))
		return -EINTR;
	for (;;) {
		err = kq_try(xdev, desc);
		if (err == -ETIME) {
			kq_stuck(xdev);
			if (hangs++)
				return err;
		} else if (err != -EHWPOISON && err != -EINTR) {
			return err;
		}
		if (kq_renew(xdev))
			return kq_errno(xdev) ?: -EIO;
		if (err != -ETIME)
			return err;
	}
}

/*
 * Ends a call. A failure of this queue that a new one does not help is one of
 * the device, which is reset. Return: what the caller is told.
 */
static int kq_finish(struct xpu_device *xdev, u64 generation, const char *why,
		     int err)
{
	struct xpu_kq *kq = &xdev->kq;
	bool stuck = err == -ETIME;

	lockdep_assert_held(&kq->lock);

	if ((err != -EIO && !stuck) || !kq->ready)
		return err;
	kq->ready = false;
	if (alink_xpu_wedge(xdev, generation, why) && stuck)
		atomic_inc(&xdev->hangs.resets);
	return -EIO;
}

/**
 * alink_xpu_kq_clear - clear an HBM object
 * @xdev:	device
 * @bo:		object that nobody has seen yet
 *
 * Should the kernel's own queue be stuck, it is made anew; if that does not
 * help, or it fails in another way, the device is reset.
 *
 * Return: 0, -EINTR on a fatal signal, -EHWPOISON if HBM turned out to be bad,
 * an error by state, or -EIO.
 */
int alink_xpu_kq_clear(struct xpu_device *xdev, const struct xpu_bo *bo)
{
	struct alink_xpu_desc desc = { .opcode = ALINK_XPU_OP_FILL };
	struct xpu_kq *kq = &xdev->kq;
	u64 start, end, len, generation;
	unsigned int i;
	int err = 0;

	if (mutex_lock_killable(&kq->lock))
		return -EINTR;
	generation = alink_xpu_generation(xdev);
	for (i = 0; i < bo->num_pieces && !err; i++) {
		start = bo->pieces[i].start;
		end = start + bo->pieces[i].size;
		for (; start < end && !err; start += len) {
			len = min(end - start, KQ_CHUNK);
			desc.dst = cpu_to_le64(start);
			desc.len = cpu_to_le64(len);
			err = kq_run(xdev, desc);
		}
	}
	err = kq_finish(xdev, generation, "HBM cannot be cleared", err);
	mutex_unlock(&kq->lock);
	return err;
}

/* --- copies between HBM and system memory -------------------------------- */

static int kq_show(struct xpu_kq *kq, struct sg_table *sgt, u64 len, bool out)
{
	u64 bits = FIELD_PREP(ALINK_PTE_APERTURE_MASK, ALINK_AP_SYSTEM) |
		   (out ? ALINK_PTE_WRITE : ALINK_PTE_READ);
	u64 done = 0, n;
	struct scatterlist *sg;
	unsigned int i;

	lockdep_assert_held(&kq->lock);

	for_each_sgtable_dma_sg(sgt, sg, i) {
		if (!IS_ALIGNED(sg_dma_address(sg) | sg_dma_len(sg),
				XPU_PAGE_SIZE))
			return -EINVAL;
		/* Page by page: a large one would drop tables. */
		for (n = 0; n < sg_dma_len(sg) && done < len; n += XPU_PAGE_SIZE) {
			alink_xpu_pt_map(&kq->pt, KQ_WINDOW + done,
					 sg_dma_address(sg) + n, XPU_PAGE_SIZE,
					 bits);
			done += XPU_PAGE_SIZE;
		}
	}
	return done < len ? -EINVAL : 0;
}

/*
 * When this returns the device does not use the memory any more. Return: false
 * if it was cut off for that, on one side of a sleep.
 */
static bool kq_hide(struct xpu_device *xdev, u64 len)
{
	struct xpu_kq *kq = &xdev->kq;
	bool good = true;
	LIST_HEAD(none);

	lockdep_assert_held(&kq->lock);

	/* Marks keep the tables. */
	alink_xpu_pt_mark(&kq->pt, KQ_WINDOW, len);
	/* Commands of others are not for a device in this state. */
	if (kq->pt.stale && kq->alone)
		good = !alink_admin_id(xdev->adev, ALINK_XPU_ADMIN_TLB_INVALIDATE,
				       XPU_KERNEL_CTX, NULL);
	if (kq->pt.stale && !(kq->alone && good))
		alink_xpu_invalidate(xdev, XPU_KERNEL_CTX);
	alink_xpu_pt_collect(&kq->pt, &none);
	return good;
}

/* One run of HBM, and what is @at in the window */
static int kq_copy_run(struct xpu_device *xdev, u64 hbm, u64 at, u64 len,
		       bool out)
{
	struct alink_xpu_desc desc = {
		.opcode = ALINK_XPU_OP_COPY,
		.src = cpu_to_le64(out ? hbm : KQ_WINDOW + at),
		.dst = cpu_to_le64(out ? KQ_WINDOW + at : hbm),
		.len = cpu_to_le64(len),
	};

	return kq_run(xdev, desc);
}

/**
 * alink_xpu_kq_copy - copy part of an HBM object
 * @xdev:	device
 * @bo:		object, which stays where it is meanwhile
 * @offset:	in it
 * @len:	bytes, up to XPU_KQ_COPY_MAX; both are multiples of 4 KiB
 * @sgt:	system memory of that size, mapped for the device
 * @out:	out of HBM; else into it
 *
 * Failures are handled as by alink_xpu_kq_clear().
 *
 * Return: 0, -EINTR on a fatal signal, -EHWPOISON if HBM is known to be bad
 * there, -EINVAL for memory that the device cannot map, an error by state, or
 * -EIO. In any case the device does not use the memory any more.
 */
int alink_xpu_kq_copy(struct xpu_device *xdev, const struct xpu_bo *bo,
		      u64 offset, u64 len, struct sg_table *sgt, bool out)
{
	u64 generation, hbm, run, done = 0;
	struct xpu_kq *kq = &xdev->kq;
	int err;

	if (mutex_lock_killable(&kq->lock))
		return -EINTR;
	if (!kq->pt.root) {
		mutex_unlock(&kq->lock);
		return -ENODEV;
	}
	generation = alink_xpu_generation(xdev);
	err = kq_show(kq, sgt, len, out);
	for (; done < len && !err; done += run) {
		hbm = alink_xpu_hbm_offset(bo, offset + done, &run);
		run = min(run, len - done);
		err = kq_copy_run(xdev, hbm, done, run, out);
	}
	kq_hide(xdev, len);
	err = kq_finish(xdev, generation, "HBM cannot be copied", err);
	mutex_unlock(&kq->lock);
	return err;
}

/**
 * alink_xpu_kq_copy_asleep - copy HBM where nobody else may use the device
 * @xdev:	device in state XPU_RESETTING, before or after a sleep
 * @hbm:	offset in HBM
 * @len:	bytes, up to XPU_KQ_COPY_MAX; both are multiples of 4 KiB
 * @sgt:	system memory of that size, mapped for the device
 * @out:	out of HBM; else into it
 *
 * After a failure the device has to be reset, which is the caller's.
 *
 * Return: as alink_xpu_kq_copy().
 */
int alink_xpu_kq_copy_asleep(struct xpu_device *xdev, u64 hbm, u64 len,
			     struct sg_table *sgt, bool out)
{
	struct xpu_kq *kq = &xdev->kq;
	int err;

	mutex_lock(&kq->lock);
	kq->alone = true;
	err = kq_show(kq, sgt, len, out);
	if (!err)
		err = kq_copy_run(xdev, hbm, 0, len, out);
	if (!kq_hide(xdev, len) && !err)
		err = -EIO;
	kq->alone = false;
	mutex_unlock(&kq->lock);
	return err == -ETIME ? -EIO : err;
}
