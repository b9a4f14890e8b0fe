// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses that are tried again: a queue met a mark in its page tables, and
 * stands still until the driver has brought the memory in, or gives up.
 *
 * A queue has one such access at a time. Its work asks the device what that is,
 * so that an event which got lost does no harm, nor one that came twice. Work
 * may take as long as the memory of a process does, and waits for nobody's
 * fence; nothing but the end of its queue waits for it.
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

static int fault_resolve(struct xpu_vm *vm, u64 addr, u32 rights)
{
	struct xpu_bo *bo = NULL;
	u64 offset;
	int err;

	mutex_lock(&vm->lock);
	if (addr < XPU_VA_END && alink_xpu_vm_bound(vm, addr, 1, rights))
		bo = alink_xpu_vm_find(vm, addr, &offset);
	mutex_unlock(&vm->lock);
	if (!bo)
		return -EFAULT;
	err = bo->kind == XPU_BO_USER ?
	      alink_xpu_user_fault(bo, addr, rights) : -EFAULT;
	drm_gem_object_put(xpu_gem(bo));
	return err;
}

static void fault_answer(struct xpu_queue *q, bool retry)
{
	struct alink_xpu_resume req = {
		.queue = cpu_to_le32(q->hw_id),
		.action = cpu_to_le32(retry ? ALINK_XPU_RESUME_RETRY :
					      ALINK_XPU_RESUME_FAIL),
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
		queue_work(xdev->fault_wq, &q->fault_work);
	else if (err && err != -ENOENT && !alink_xpu_state_errno(xdev))
		alink_xpu_wedge(xdev, q->generation,
				"a queue cannot be resumed");
	drm_dev_exit(idx);
}

static void fault_work(struct work_struct *work)
{
	struct xpu_queue *q = container_of(work, struct xpu_queue, fault_work);
	u32 rights;
	u64 addr;
	int err;

	if (!fault_read(q, &addr, &rights))
		return;
	err = fault_resolve(q->vm, addr, rights);
	trace_alink_xpu_user_fault(q, addr, rights, err);
	fault_answer(q, !err);
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
		queue_work(q->xdev->fault_wq, &q->fault_work);
}

void alink_xpu_fault_queue_init(struct xpu_queue *q)
{
	INIT_WORK(&q->fault_work, fault_work);
}

int alink_xpu_fault_init(struct xpu_device *xdev)
{
	/* Freezable, as the device is suspended then. */
	xdev->fault_wq = alloc_workqueue("alink_xpu_fault", WQ_UNBOUND |
					 WQ_FREEZABLE, 0);
	return xdev->fault_wq ? 0 : -ENOMEM;
}

/* With the DRM device: no queue is left. */
void alink_xpu_fault_fini(struct xpu_device *xdev)
{
	if (xdev->fault_wq)
		destroy_workqueue(xdev->fault_wq);
}
