// SPDX-License-Identifier: GPL-2.0-only
/*
 * What user space maps of the device: doorbell pages and visible HBM.
 *
 * All mappings are filled by faults, so that they can be zapped: when a queue
 * is destroyed (its doorbell page will be somebody else's), around a reset
 * (the bus must not be touched), and when the device goes. A fault after that,
 * or while the device is cut off, gives a page of memory, never a SIGBUS.
 *
 * HBM that has moved to system memory is shown there: a CPU that looks at it
 * must not depend on room in HBM, and sends nobody else away.
 */
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/srcu.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_vma_manager.h>

#include "alink_xpu_drv.h"

/* Doorbells lie below the offsets of GEM objects, one page per queue. */
#define DB_PGOFF(hw_id)		((hw_id) + 1)

static_assert(DB_PGOFF(ALINK_XPU_MAX_QUEUES) < DRM_FILE_PAGE_OFFSET_START);

/* Held by faults from their look at the state until the page is in */
DEFINE_STATIC_SRCU(xpu_fault_srcu);

u64 alink_xpu_doorbell_offset(const struct xpu_queue *q)
{
	return (u64)DB_PGOFF(q->hw_id) << PAGE_SHIFT;
}

/* Takes all CPU mappings of a queue's doorbell away. */
void alink_xpu_zap_doorbell(struct xpu_queue *q)
{
	unmap_mapping_range(q->xdev->drm.anon_inode->i_mapping,
			    alink_xpu_doorbell_offset(q), PAGE_SIZE, 1);
}

/* Takes all CPU mappings away; who may go on will fault them in again. */
void alink_xpu_zap_all(struct xpu_device *xdev)
{
	/* Who has not seen the new state yet has its page in after this. */
	synchronize_srcu(&xpu_fault_srcu);
	unmap_mapping_range(xdev->drm.anon_inode->i_mapping, 0, 0, 1);
}

/* --- faults ------------------------------------------------------------- */

/* Shows a page of zeros, one per object, that takes writes to no effect. */
static vm_fault_t xpu_fault_dummy(struct vm_fault *vmf, struct page **dummy)
{
	struct page *page = READ_ONCE(*dummy);

	if (!page) {
		page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!page)
			return VM_FAULT_OOM;
		if (cmpxchg(dummy, NULL, page)) {
			__free_page(page);
			page = READ_ONCE(*dummy);
		}
	}
	return vmf_insert_pfn_prot(vmf->vma, vmf->address, page_to_pfn(page),
				   vm_get_page_prot(vmf->vma->vm_flags));
}

/*
 * In reset: wait a while, then let the access fault again. Who is killed gets no
 * further; where the kernel copies for him, nobody would see that he is.
 */
static vm_fault_t xpu_fault_later(struct xpu_device *xdev)
{
	long left;

	left = wait_event_killable_timeout(xdev->state_wait,
					   READ_ONCE(xdev->state) !=
					   XPU_RESETTING,
					   msecs_to_jiffies(100));
	return left < 0 ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/*
 * Maps one page of a BAR if the device may be used. The page is in before a
 * change of state begins to zap, or the new state is seen here.
 */
static vm_fault_t xpu_fault_bar(struct xpu_device *xdev, struct vm_fault *vmf,
				resource_size_t addr, enum xpu_state *state)
{
	vm_fault_t ret = 0;
	int idx, srcu;

	*state = XPU_GONE;
	if (!drm_dev_enter(&xdev->drm, &idx))
		return 0;

	/* Not reset_lock: a page table of the CPU takes memory. */
	srcu = srcu_read_lock(&xpu_fault_srcu);
	*state = READ_ONCE(xdev->state);
	if (*state == XPU_ACTIVE)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     PHYS_PFN(addr));
	srcu_read_unlock(&xpu_fault_srcu, srcu);
	drm_dev_exit(idx);
	return ret;
}

/* What becomes of a fault in a BAR in that state; @ret: if it is the active */
static vm_fault_t xpu_fault_end(struct xpu_device *xdev, struct vm_fault *vmf,
				enum xpu_state state, vm_fault_t ret,
				struct page **dummy)
{
	switch (state) {
	case XPU_ACTIVE:
		return ret;
	case XPU_RESETTING:
		return xpu_fault_later(xdev);
	default:
		return xpu_fault_dummy(vmf, dummy);
	}
}

/* --- HBM ---------------------------------------------------------------- */

/*
 * Keeps an object where it is. That may have to wait until it has moved, which
 * takes its time: others want the mmap_lock. Return: 0, or what the fault ends
 * with.
 */
static vm_fault_t xpu_fault_lock(struct vm_fault *vmf,
				 struct drm_gem_object *obj)
{
	if (dma_resv_trylock(obj->resv))
		return 0;
	if (!fault_flag_allow_retry_first(vmf->flags))
		return dma_resv_lock_interruptible(obj->resv, NULL) ?
		       VM_FAULT_NOPAGE : 0;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	drm_gem_object_get(obj);
	mmap_read_unlock(vmf->vma->vm_mm);
	if (!dma_resv_lock_interruptible(obj->resv, NULL))
		dma_resv_unlock(obj->resv);
	drm_gem_object_put(obj);
	return VM_FAULT_RETRY;
}

/* A page of an object that is in system memory, as long as there is a device */
static vm_fault_t xpu_fault_system(struct vm_fault *vmf, struct xpu_bo *bo,
				   u64 offset)
{
	struct page *page = alink_xpu_place_show(bo, offset >> PAGE_SHIFT);

	if (IS_ERR(page))
		return PTR_ERR(page) == -ENOMEM ? VM_FAULT_OOM :
						  VM_FAULT_SIGBUS;
	return vmf_insert_pfn_prot(vmf->vma, vmf->address, page_to_pfn(page),
				   vm_get_page_prot(vmf->vma->vm_flags));
}

static vm_fault_t xpu_hbm_fault(struct vm_fault *vmf)
{
	struct xpu_bo *bo = to_xpu_bo(vmf->vma->vm_private_data);
	struct xpu_device *xdev = to_xpu(xpu_gem(bo)->dev);
	enum xpu_state state = XPU_GONE;
	u64 offset, run;
	vm_fault_t ret;
	int idx;

	/* vm_pgoff is the fake offset; a mapping may begin within the object */
	offset = (u64)(vmf->pgoff -
		       drm_vma_node_start(&xpu_gem(bo)->vma_node)) << PAGE_SHIFT;
	if (offset >= xpu_gem(bo)->size)
		return VM_FAULT_SIGBUS;
	ret = xpu_fault_lock(vmf, xpu_gem(bo));
	if (ret)
		return ret;
	if (!bo->place.file) {
		ret = xpu_fault_bar(xdev, vmf, xdev->hbm_base +
				    alink_xpu_hbm_offset(bo, offset, &run),
				    &state);
	} else if (drm_dev_enter(&xdev->drm, &idx)) {
		ret = xpu_fault_system(vmf, bo, offset);
		state = XPU_ACTIVE;
		drm_dev_exit(idx);
	}
	dma_resv_unlock(xpu_gem(bo)->resv);
	if (state == XPU_ACTIVE)
		alink_xpu_evict_used(bo);
	return xpu_fault_end(xdev, vmf, state, ret, &bo->dummy);
}

const struct vm_operations_struct alink_xpu_hbm_vm_ops = {
	.fault = xpu_hbm_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static int xpu_mmap_flags(struct vm_area_struct *vma)
{
	if ((vma->vm_flags & (VM_SHARED | VM_EXEC)) != VM_SHARED)
		return -EINVAL;
	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP,
		     VM_MAYEXEC);
	return 0;
}

/* drm_gem_object_funcs.mmap of HBM objects */
int alink_xpu_hbm_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	int err = xpu_mmap_flags(vma);

	if (err)
		return err;
	vma->vm_page_prot =
		pgprot_writecombine(vm_get_page_prot(vma->vm_flags));
	return 0;
}

/* --- doorbells ---------------------------------------------------------- */

static vm_fault_t xpu_db_fault(struct vm_fault *vmf)
{
	struct xpu_queue *q = vmf->vma->vm_private_data;
	struct xpu_device *xdev = q->xdev;
	enum xpu_state state = XPU_GONE;
	vm_fault_t ret = 0;

	mutex_lock(&q->map_lock);
	/* A reset ended the queue: nobody listens at its doorbell. */
	if (!q->dead && READ_ONCE(q->state) != DRM_ALINK_XPU_QUEUE_CANCELED)
		ret = xpu_fault_bar(xdev, vmf, xdev->db_base +
				    (resource_size_t)q->hw_id *
				    ALINK_XPU_DB_STRIDE, &state);
	ret = xpu_fault_end(xdev, vmf, state, ret, &q->dummy);
	mutex_unlock(&q->map_lock);
	return ret;
}

static void xpu_db_open(struct vm_area_struct *vma)
{
	struct xpu_queue *q = vma->vm_private_data;

	kref_get(&q->ref);
}

static void xpu_db_close(struct vm_area_struct *vma)
{
	alink_xpu_queue_put(vma->vm_private_data);
}

static const struct vm_operations_struct xpu_db_vm_ops = {
	.fault = xpu_db_fault,
	.open = xpu_db_open,
	.close = xpu_db_close,
};

/* The queue of this file with that doorbell page, referenced */
static struct xpu_queue *xpu_db_lookup(struct xpu_file *xfile,
				       unsigned long pgoff)
{
	struct xpu_queue *q, *found = NULL;
	unsigned long id;

	xa_lock(&xfile->queues);
	xa_for_each(&xfile->queues, id, q) {
		if (DB_PGOFF(q->hw_id) == pgoff) {
			kref_get(&q->ref);
			found = q;
			break;
		}
	}
	xa_unlock(&xfile->queues);
	return found;
}

static int xpu_db_mmap(struct xpu_file *xfile, struct vm_area_struct *vma)
{
	struct xpu_queue *q;
	int err;

	if (vma_pages(vma) != 1)
		return -EINVAL;
	q = xpu_db_lookup(xfile, vma->vm_pgoff);
	if (!q)
		return -EACCES;
	err = xpu_mmap_flags(vma);
	if (err) {
		alink_xpu_queue_put(q);
		return err;
	}
	/* A child of fork has no business with its parent's queues. */
	vm_flags_set(vma, VM_DONTCOPY);
	vma->vm_page_prot = pgprot_noncached(vm_get_page_prot(vma->vm_flags));
	vma->vm_private_data = q;
	vma->vm_ops = &xpu_db_vm_ops;
	return 0;
}

/* file_operations.mmap */
int alink_xpu_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct drm_file *file = filp->private_data;
	struct xpu_device *xdev = to_xpu(file->minor->dev);

	int err, idx;

	/* Over all of it: remove takes from objects what they are mapped by. */
	if (!drm_dev_enter(&xdev->drm, &idx))
		return -ENODEV;
	if (vma->vm_pgoff < DRM_FILE_PAGE_OFFSET_START)
		err = xpu_db_mmap(file->driver_priv, vma);
	else
		err = drm_gem_mmap(filp, vma);
	drm_dev_exit(idx);
	return err;
}
