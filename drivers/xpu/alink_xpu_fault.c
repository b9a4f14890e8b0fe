// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses that are tried again: a queue met a mark in its page tables, and
 * stands still until the driver has brought the memory in, or gives up.
 *
 * A queue has one such access at a time. Its work asks the device what that is,
 * so that an event which got lost does no harm, nor one that came twice. Work
 * may take as long as the memory of a process does, or as HBM that others have
 * to leave, and waits for nobody's fence; nothing but the end of its queue waits
 * for it.
 */
#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

/* What the queue wants. Return: false if it wants nothing. */
static bool fault_read(struct xpu_queue *q, u64 *addr, u32 *rights)
{
	struct alink_dev *adev;
	u32 state, pte;
	int idx;

	if (!drm_dev_enter(&q->xdev->drm, &idx))
		return false;
	adev = q->xdev->adev;
	/* First: only we end that state, so what is read in it holds. */
	state = alink_rd32(adev, ALINK_XPU_Q(q->hw_id, ALINK_XPU_Q_STATE));
	*addr = alink_rd64(adev, ALINK_XPU_Q(q->hw_id, ALINK_XPU_Q_FAULT_ADDR));
	pte = alink_rd32(adev, ALINK_XPU_Q(q->hw_id, ALINK_XPU_Q_FAULT_RIGHTS));
	*rights = alink_xpu_pte_rights(pte);
	drm_dev_exit(idx);
	return state == ALINK_XPU_Q_FAULT;
}

static int fault_user(struct xpu_queue *q, struct xpu_bo *bo, u64 addr,
		      u32 rights, bool allowed)
{
	int err = allowed ? alink_xpu_user_fault(bo, addr, rights) : -EFAULT;

	trace_alink_xpu_user_fault(q, addr, rights, err);
	return err;
}

/* Return: 0, -EAGAIN if it takes time, -ENOSPC if there is no room, or why not. */
static int fault_resolve(struct xpu_queue *q, u64 addr, u32 rights)
{
	struct xpu_vm *vm = q->vm;
	struct xpu_bo *bo = NULL;
	bool allowed = false;
	u64 offset;
	int err;

	mutex_lock(&vm->lock);
	if (addr < XPU_VA_END) {
		bo = alink_xpu_vm_find(vm, addr, &offset);
		allowed = alink_xpu_vm_bound(vm, addr, 1, rights);
	}
	mutex_unlock(&vm->lock);
	if (!bo)
		return -EFAULT;
	switch (bo->kind) {
	case XPU_BO_USER:
		err = fault_user(q, bo, addr, rights, allowed);
		break;
	case XPU_BO_HBM:
		/* Also if it is not allowed: then the device says so. */
		err = alink_xpu_evict_fault(q, bo, addr);
		break;
	default:
		/* It has taken the place of what the queue met: no marks. */
		err = 0;
		break;
	}
	drm_gem_object_put(xpu_gem(bo));
	return err;
}

static void fault_again(struct xpu_queue *q, unsigned int delay_ms)
{
	queue_delayed_work(alink_xpu_wqs.fault, &q->fault_work,
			   msecs_to_jiffies(delay_ms));
}

static void fault_answer(struct xpu_queue *q,
			 enum alink_xpu_resume_action action)
{
	struct alink_xpu_resume req = {
		.queue = cpu_to_le32(q->hw_id),
		.action = cpu_to_le32(action),
	};
	struct xpu_device *xdev = q->xdev;
	int err, idx;

	if (!drm_dev_enter(&xdev->drm, &idx))
		return;
	err = alink_xpu_admin_tlv(xdev, ALINK_XPU_ADMIN_QUEUE_RESUME,
				  ALINK_TLV_XPU_RESUME, &req, sizeof(req),
				  NULL);
	/*
	 * A reset may have come first, or the end of the queue. Nothing asks
	 * again for one that stands still: it must not be left so.
	 */
	if (err == -EBUSY || err == -ENOMEM)
		fault_again(q, 0);
	else if (err && err != -ENOENT && !alink_xpu_state_errno(xdev))
		alink_xpu_wedge(xdev, q->generation,
				"a queue cannot be resumed");
	drm_dev_exit(idx);
}

static void fault_work(struct work_struct *work)
{
	struct xpu_queue *q = container_of(to_delayed_work(work),
					   struct xpu_queue, fault_work);
	u32 rights;
	u64 addr;
	int err;

	if (!fault_read(q, &addr, &rights))
		return;
	err = fault_resolve(q, addr, rights);
	/* Not here: this many works at once would keep those out that help. */
	if (err == -EAGAIN)
		fault_again(q, XPU_EVICT_POLL_MS);
	else if (!err)
		fault_answer(q, ALINK_XPU_RESUME_RETRY);
	else
		fault_answer(q, err == -ENOSPC ? ALINK_XPU_RESUME_NO_ROOM :
						 ALINK_XPU_RESUME_FAIL);
}

/**
 * alink_xpu_fault_kick - the queue may stand still for an access
 * @q:		queue, not destroyed; its lock held
 */
void alink_xpu_fault_kick(struct xpu_queue *q)
{
	lockdep_assert_held(&q->lock);

	/* Who has ended it cancels the work, and wants no other. */
	if (q->state == DRM_ALINK_XPU_QUEUE_RUNNING)
		fault_again(q, 0);
}

void alink_xpu_fault_queue_init(struct xpu_queue *q)
{
	INIT_DELAYED_WORK(&q->fault_work, fault_work);
}
