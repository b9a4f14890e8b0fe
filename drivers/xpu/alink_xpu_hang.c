// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that are stuck: the engine that works for one hangs, and it neither
 * gets on nor fails.
 *
 * A command may take hours, and a WAIT for ever, so time says nothing. The device
 * has a counter for each queue, which moves as long as something is done for it,
 * or for those whose turn it waits for. One that stands still is the sign. The
 * health check of alink.ko looks, at queues that have work alone; a work of the
 * queue does the rest, in two steps:
 *
 * - The queue is ended in the device, as its user could do it. All others go on.
 * - Only if the device does not answer that in time it is reset, once.
 *
 * Whose queue it was learns so by ALINK_ST_STUCK, in either case.
 *
 * The kernel's own queue is not looked at here: who waits for it does that, by
 * the same measure, see alink_xpu_kq.c.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

/*
 * As many looks that see the same, ALINK_WATCH_MS apart at least, make a queue
 * stuck: five times what the model promises, and what other drivers give a whole
 * job (panthor, xe: 5 s). In looks, not in time: a host that stood still has
 * looked at nothing.
 */
#define XPU_HANG_LOOKS		5
/* So many times what the device promises, if that is more */
#define XPU_HANG_PROMISES	2
/* The kernel's own queue gets so many times as long, see below */
#define XPU_HANG_LATE		2

/* --- the watch ---------------------------------------------------------- */

static unsigned int hang_looks(const struct xpu_device *xdev)
{
	/* Who promises nothing is given what any may take. */
	unsigned int ms = XPU_HANG_PROMISES *
			  (xdev->info.progress_ms ?: XPU_PROGRESS_MAX_MS);

	return max_t(unsigned int, XPU_HANG_LOOKS,
		     DIV_ROUND_UP(ms, ALINK_WATCH_MS));
}

/**
 * alink_xpu_hang_patience_ms - how long may the kernel's own queue stand still?
 * @xdev:	device
 *
 * It may stand behind a queue of a user that is stuck, and must not have the
 * device reset before the watch has ended that one. The watch looks when its
 * worker runs, so it is given twice what it takes.
 *
 * Return: ms
 */
unsigned int alink_xpu_hang_patience_ms(const struct xpu_device *xdev)
{
	/* The first look has only seen where it was. */
	return XPU_HANG_LATE * (hang_looks(xdev) + 1) * ALINK_WATCH_MS;
}

/* Return: false if the queue has nothing to do, or waits for the driver. */
static bool hang_read(struct xpu_device *xdev, u32 hw_id, u32 *progress)
{
	struct alink_dev *adev = xdev->adev;
	u32 state = alink_rd32(adev, ALINK_XPU_Q(hw_id, ALINK_XPU_Q_STATE));

	if (state != ALINK_XPU_Q_ACTIVE && state != ALINK_XPU_Q_WAITING)
		return false;
	*progress = alink_rd32(adev, ALINK_XPU_Q(hw_id, ALINK_XPU_Q_PROGRESS));
	return true;
}

static void hang_look(struct xpu_device *xdev, struct xpu_queue *q, u32 hw_id)
{
	struct xpu_hang *hang = &q->hang;
	u32 progress;

	if (READ_ONCE(q->state) != DRM_ALINK_XPU_QUEUE_RUNNING ||
	    !hang_read(xdev, hw_id, &progress)) {
		hang->looks = 0;
		return;
	}
	if (!hang->looks || hang->progress != progress) {
		WRITE_ONCE(hang->progress, progress);
		hang->looks = 1;
		return;
	}
	/* The first one has only seen where it was. */
	if (hang->looks++ < hang_looks(xdev))
		return;

	hang->looks = 0;
	spin_lock(&q->lock);
	/* Who has ended it cancels the work, and wants no other. */
	if (q->state == DRM_ALINK_XPU_QUEUE_RUNNING)
		queue_work(alink_xpu_wqs.fault, &hang->work);
	spin_unlock(&q->lock);
}

/* alink_dev_ops.watch: costs a device without queues nothing */
void alink_xpu_hang_watch(struct alink_dev *adev)
{
	struct xpu_device *xdev = alink_dev_priv(adev);
	struct xpu_queue *q;
	unsigned long id;

	/* No registers of a device that is in reset, or without the bus. */
	if (!xdev->info.progress_ms || alink_xpu_state_errno(xdev))
		return;
	xa_for_each(&xdev->queues, id, q) {
		/* One by one: completions must not wait for all of this. */
		xa_lock(&xdev->queues);
		q = xa_load(&xdev->queues, id);
		if (q)
			hang_look(xdev, q, id);
		xa_unlock(&xdev->queues);
	}
}

/* --- the end of a queue ------------------------------------------------- */

/* Is it as the watch saw it, and where? */
static bool hang_stands(struct xpu_queue *q,
			struct drm_alink_xpu_queue_error *error)
{
	struct xpu_hang *hang = &q->hang;
	struct xpu_device *xdev = q->xdev;
	u32 progress, head;

	if (!hang_read(xdev, q->hw_id, &progress) ||
	    progress != READ_ONCE(hang->progress))
		return false;
	head = alink_rd32(xdev->adev, ALINK_XPU_Q(q->hw_id, ALINK_XPU_Q_HEAD));
	*error = (struct drm_alink_xpu_queue_error) {
		.status = ALINK_ST_STUCK,
		.index = head,
		.addr = hang->ring + (u64)(head & (hang->size - 1)) *
				     sizeof(struct alink_xpu_desc),
	};
	return true;
}

/* Return: false if somebody else has ended the queue meanwhile. */
static bool hang_take(struct xpu_queue *q,
		      const struct drm_alink_xpu_queue_error *error)
{
	struct xpu_command command;
	bool runs;

	alink_xpu_command_read(q, &command);
	spin_lock(&q->lock);
	runs = q->state == DRM_ALINK_XPU_QUEUE_RUNNING;
	if (runs) {
		q->hang.found = true;
		q->error = *error;
		q->command = command;
	}
	spin_unlock(&q->lock);
	return runs;
}

/* Return: what it took; NONE if a reset has come first, or the device has gone. */
static enum alink_recovery hang_end(struct xpu_queue *q)
{
	struct xpu_device *xdev = q->xdev;
	int err = -ENODEV;

	down_read(&xdev->reset_lock);
	if (xdev->state == XPU_ACTIVE && xdev->generation == q->generation)
		err = alink_admin_id(xdev->adev, ALINK_XPU_ADMIN_QUEUE_DESTROY,
				     q->hw_id, NULL);
	up_read(&xdev->reset_lock);
	if (!err)
		return ALINK_RECOVERY_CONTEXT;
	if (err == -ENODEV)
		return ALINK_RECOVERY_NONE;
	return alink_xpu_wedge(xdev, q->generation,
			       "a stuck queue cannot be ended") ?
	       ALINK_RECOVERY_DEVICE : ALINK_RECOVERY_NONE;
}

static void hang_recover(struct xpu_queue *q,
			 const struct drm_alink_xpu_queue_error *error)
{
	struct xpu_device *xdev = q->xdev;
	enum alink_recovery recovery;
	char why[32];

	atomic_inc(&xdev->hangs.queues);
	drm_err_ratelimited(&xdev->drm,
			    "queue %u of %s[%d] is stuck at descriptor %u\n",
			    q->hw_id, q->vm->comm, q->vm->pid, error->index);
	alink_dev_fault(xdev->adev, ALINK_FAULT_KERNEL_STUCK, q->hw_id,
			ALINK_RECOVERY_CONTEXT, error->addr);
	/* As long as there is something to see */
	snprintf(why, sizeof(why), "queue %u is stuck", q->hw_id);
	alink_xpu_dump(xdev, why);

	recovery = hang_end(q);
	q->hang.ended = recovery == ALINK_RECOVERY_CONTEXT;
	if (recovery == ALINK_RECOVERY_DEVICE)
		atomic_inc(&xdev->hangs.resets);
	trace_alink_xpu_queue_hang(q, error, READ_ONCE(q->hang.progress),
				   recovery);
	/* Not before: who is told that it has ended may rely on it. */
	alink_xpu_queue_halt(q, error);
}

static void hang_work(struct work_struct *work)
{
	struct xpu_queue *q = container_of(work, struct xpu_queue, hang.work);
	struct drm_alink_xpu_queue_error error;
	int idx;

	if (!drm_dev_enter(&q->xdev->drm, &idx))
		return;
	if (hang_stands(q, &error)) {
		/* First: a reset may come at any time, and leaves it halted. */
		alink_xpu_queue_shut(q);
		if (hang_take(q, &error))
			hang_recover(q, &error);
	}
	drm_dev_exit(idx);
}

void alink_xpu_hang_queue_init(struct xpu_queue *q)
{
	INIT_WORK(&q->hang.work, hang_work);
}

/**
 * alink_xpu_hang_account - count for its file that a queue was stuck
 * @q:		queue
 * @xfile:	its file
 *
 * Context: any but hard interrupt; does not sleep.
 */
void alink_xpu_hang_account(struct xpu_queue *q, struct xpu_file *xfile)
{
	bool add;

	spin_lock(&q->lock);
	add = q->hang.found && !q->hang.counted;
	if (add)
		q->hang.counted = true;
	spin_unlock(&q->lock);
	if (add)
		atomic_inc(&xfile->hung);
}

/**
 * alink_xpu_hang_kernel - the kernel's own queue was found stuck
 * @xdev:	device
 * @index:	its latest descriptor, free-running
 *
 * Who found it ends it.
 */
void alink_xpu_hang_kernel(struct xpu_device *xdev, u32 index)
{
	atomic_inc(&xdev->hangs.queues);
	drm_err_ratelimited(&xdev->drm,
			    "the kernel's queue is stuck at descriptor %u\n",
			    index);
}

/* --- sysfs -------------------------------------------------------------- */

static ssize_t hung_queues_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct xpu_device *xdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", atomic_read(&xdev->hangs.queues));
}
static DEVICE_ATTR_RO(hung_queues);

static ssize_t hang_resets_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct xpu_device *xdev = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%d\n", atomic_read(&xdev->hangs.resets));
}
static DEVICE_ATTR_RO(hang_resets);

static struct attribute *xpu_hang_attrs[] = {
	&dev_attr_hung_queues.attr,
	&dev_attr_hang_resets.attr,
	NULL
};

/* Files of the PCI function, from probe to remove */
const struct attribute_group alink_xpu_hang_group = {
	.attrs = xpu_hang_attrs,
};
