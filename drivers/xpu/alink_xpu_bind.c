// SPDX-License-Identifier: GPL-2.0-only
/*
 * VM_BIND. The drm_gpuvm keeps the books; page tables are written for the
 * whole range of an operation at once. All that may fail comes before the
 * first change of either.
 */
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <drm/drm_drv.h>
#include <drm/drm_syncobj.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

#define XPU_SYNC_TIMEOUT_MS	10000
#define XPU_BIND_RIGHTS		(DRM_ALINK_XPU_VM_BIND_READ | \
				 DRM_ALINK_XPU_VM_BIND_WRITE | \
				 DRM_ALINK_XPU_VM_BIND_ATOMIC)

/**
 * struct xpu_job - one operation, and what it needs
 * @vm:		VM, locked
 * @bo:		MAP: object
 * @sgt:	MAP of host memory: its pages
 * @rights:	MAP
 * @vm_bo:	MAP: object in VM
 * @spare:	bindings for what is mapped, and for the rest of what is split
 * @removed:	bindings that are no more; each holds its object
 */
struct xpu_job {
	struct xpu_vm *vm;
	struct xpu_bo *bo;
	struct sg_table *sgt;
	u32 rights;
	struct drm_gpuvm_bo *vm_bo;
	struct xpu_va *spare[3];
	struct list_head *removed;
};

/* --- bookkeeping -------------------------------------------------------- */

static struct xpu_va *xpu_spare(struct xpu_job *job)
{
	struct xpu_va *xva = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(job->spare) && !xva; i++)
		swap(xva, job->spare[i]);
	return xva;
}

static void xpu_va_link(struct xpu_va *xva, struct drm_gpuvm_bo *vm_bo)
{
	dma_resv_lock(xva->base.gem.obj->resv, NULL);
	drm_gpuva_link(&xva->base, vm_bo);
	dma_resv_unlock(xva->base.gem.obj->resv);
}

/* Off the books, but its object stays until the TLB has been invalidated. */
static void xpu_va_remove(struct xpu_job *job, struct xpu_va *xva)
{
	struct drm_gem_object *obj = xva->base.gem.obj;

	drm_gem_object_get(obj);
	dma_resv_lock(obj->resv, NULL);
	drm_gpuva_unlink(&xva->base);
	dma_resv_unlock(obj->resv);
	list_add_tail(&xva->node, job->removed);
}

static void xpu_vas_free(struct list_head *removed)
{
	struct xpu_va *xva, *next;

	list_for_each_entry_safe(xva, next, removed, node) {
		drm_gem_object_put(xva->base.gem.obj);
		kfree(xva);
	}
	INIT_LIST_HEAD(removed);
}

static int xpu_step_map(struct drm_gpuva_op *op, void *priv)
{
	struct xpu_job *job = priv;
	struct xpu_va *xva = xpu_spare(job);

	xva->rights = job->rights;
	drm_gpuva_map(&job->vm->gpuvm, &xva->base, &op->map);
	xpu_va_link(xva, job->vm_bo);
	return 0;
}

static int xpu_step_remap(struct drm_gpuva_op *op, void *priv)
{
	struct xpu_va *old = to_xpu_va(op->remap.unmap->va);
	struct xpu_va *prev = NULL, *next = NULL;
	struct xpu_job *job = priv;

	if (op->remap.prev) {
		prev = xpu_spare(job);
		prev->rights = old->rights;
	}
	if (op->remap.next) {
		next = xpu_spare(job);
		next->rights = old->rights;
	}
	drm_gpuva_remap(prev ? &prev->base : NULL, next ? &next->base : NULL,
			&op->remap);
	if (prev)
		xpu_va_link(prev, old->base.vm_bo);
	if (next)
		xpu_va_link(next, old->base.vm_bo);
	xpu_va_remove(job, old);
	return 0;
}

static int xpu_step_unmap(struct drm_gpuva_op *op, void *priv)
{
	struct xpu_va *old = to_xpu_va(op->unmap.va);

	drm_gpuva_unmap(&op->unmap);
	xpu_va_remove(priv, old);
	return 0;
}

const struct drm_gpuvm_ops alink_xpu_gpuvm_ops = {
	.vm_free = alink_xpu_gpuvm_free,
	.sm_step_map = xpu_step_map,
	.sm_step_remap = xpu_step_remap,
	.sm_step_unmap = xpu_step_unmap,
};

/**
 * alink_xpu_vm_unbind_all - drop all bindings
 * @vm:		VM whose context and page tables are gone
 */
void alink_xpu_vm_unbind_all(struct xpu_vm *vm)
{
	LIST_HEAD(removed);
	struct xpu_job job = { .vm = vm, .removed = &removed };

	mutex_lock(&vm->lock);
	drm_gpuvm_sm_unmap(&vm->gpuvm, &job, XPU_VA_START,
			   XPU_VA_END - XPU_VA_START);
	mutex_unlock(&vm->lock);
	xpu_vas_free(&removed);
}

/* --- page tables -------------------------------------------------------- */

static u64 xpu_pte_bits(u32 rights, enum alink_aperture aperture)
{
	u64 bits = FIELD_PREP(ALINK_PTE_APERTURE_MASK, (u64)aperture);

	if (rights & DRM_ALINK_XPU_VM_BIND_READ)
		bits |= ALINK_PTE_READ;
	if (rights & DRM_ALINK_XPU_VM_BIND_WRITE)
		bits |= ALINK_PTE_WRITE;
	if (rights & DRM_ALINK_XPU_VM_BIND_ATOMIC)
		bits |= ALINK_PTE_ATOMIC;
	return bits;
}

static int xpu_run(struct xpu_job *job, u64 va, u64 pa, u64 len,
		   enum alink_aperture aperture, bool write)
{
	if (!IS_ALIGNED(pa | len, XPU_PAGE_SIZE) || pa & ~ALINK_PTE_ADDR_MASK)
		return -EINVAL;
	if (!write)
		return alink_xpu_pt_prepare(&job->vm->pt, va, pa, len);
	alink_xpu_pt_map(&job->vm->pt, va, pa, len,
			 xpu_pte_bits(job->rights, aperture));
	return 0;
}

static int xpu_walk_host(struct xpu_job *job, u64 va, u64 offset, u64 len,
			 bool write)
{
	struct scatterlist *sg;
	unsigned int i;
	u64 run;
	int err;

	for_each_sgtable_dma_sg(job->sgt, sg, i) {
		if (offset >= sg_dma_len(sg)) {
			offset -= sg_dma_len(sg);
			continue;
		}
		run = min(sg_dma_len(sg) - offset, len);
		err = xpu_run(job, va, sg_dma_address(sg) + offset, run,
			      ALINK_AP_SYSTEM, write);
		if (err)
			return err;
		offset = 0;
		va += run;
		len -= run;
		if (!len)
			return 0;
	}
	return -EINVAL;		/* a foreign table that is too short */
}

static int xpu_walk_hbm(struct xpu_job *job, u64 va, u64 offset, u64 len,
			bool write)
{
	u64 pa, run;
	int err;

	while (len) {
		pa = alink_xpu_hbm_offset(job->bo, offset, &run);
		run = min(run, len);
		err = xpu_run(job, va, pa, run, ALINK_AP_HBM, write);
		if (err)
			return err;
		offset += run;
		va += run;
		len -= run;
	}
	return 0;
}

/* Prepares or writes the entries for part of the job's object. */
static int xpu_walk(struct xpu_job *job, u64 va, u64 offset, u64 len,
		    bool write)
{
	struct xpu_bo *bo = job->bo;

	switch (bo->kind) {
	case XPU_BO_HOST:
		return xpu_walk_host(job, va, offset, len, write);
	case XPU_BO_HBM:
		return xpu_walk_hbm(job, va, offset, len, write);
	default:
		return xpu_run(job, va, offset |
			       (u64)bo->slot << ALINK_REMOTE_SLOT_SHIFT, len,
			       bo->kind == XPU_BO_GROUP ? ALINK_AP_GROUP :
							  ALINK_AP_REMOTE,
			       write);
	}
}

/* --- operations --------------------------------------------------------- */

static int xpu_job_spares(struct xpu_job *job)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(job->spare); i++) {
		job->spare[i] = kzalloc(sizeof(*job->spare[i]),
					GFP_KERNEL_ACCOUNT);
		if (!job->spare[i])
			return -ENOMEM;
	}
	return 0;
}

static void xpu_job_fini(struct xpu_job *job)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(job->spare); i++)
		kfree(job->spare[i]);
	if (job->vm_bo) {
		dma_resv_lock(xpu_gem(job->bo)->resv, NULL);
		drm_gpuvm_bo_put(job->vm_bo);
		dma_resv_unlock(xpu_gem(job->bo)->resv);
	}
}

static int xpu_job_object(struct xpu_job *job)
{
	struct drm_gem_object *obj = xpu_gem(job->bo);
	struct drm_gpuvm_bo *vm_bo;

	if (job->bo->kind == XPU_BO_HOST) {
		job->sgt = alink_xpu_bo_sgt(job->bo);
		if (IS_ERR(job->sgt))
			return PTR_ERR(job->sgt);
	}
	dma_resv_lock(obj->resv, NULL);
	vm_bo = drm_gpuvm_bo_obtain(&job->vm->gpuvm, obj);
	dma_resv_unlock(obj->resv);
	if (IS_ERR(vm_bo))
		return PTR_ERR(vm_bo);
	job->vm_bo = vm_bo;
	return 0;
}

static int xpu_bind_one(struct xpu_vm *vm, struct xpu_bo *bo,
			const struct drm_alink_xpu_vm_bind_op *op,
			struct list_head *removed)
{
	struct xpu_job job = {
		.vm = vm,
		.bo = bo,
		.rights = op->flags,
		.removed = removed,
	};
	int err;

	lockdep_assert_held(&vm->lock);

	err = xpu_job_spares(&job);
	if (!err && bo)
		err = xpu_job_object(&job);
	if (!err)
		err = alink_xpu_pt_split(&vm->pt, op->addr);
	if (!err)
		err = alink_xpu_pt_split(&vm->pt, op->addr + op->range);
	if (!err && bo)
		err = xpu_walk(&job, op->addr, op->offset, op->range, false);
	if (err)
		goto out_fini;

	/* Nothing can fail past this point. */
	if (bo) {
		err = drm_gpuvm_sm_map(&vm->gpuvm, &job, op->addr, op->range,
				       xpu_gem(bo), op->offset);
		if (!err)
			xpu_walk(&job, op->addr, op->offset, op->range, true);
	} else {
		err = drm_gpuvm_sm_unmap(&vm->gpuvm, &job, op->addr,
					 op->range);
		if (!err)
			alink_xpu_pt_clear(&vm->pt, op->addr, op->range);
	}
	drm_WARN_ON_ONCE(vm->gpuvm.drm, err);

out_fini:
	xpu_job_fini(&job);
	return err;
}

static int xpu_check_map(struct xpu_device *xdev, struct drm_file *file,
			 const struct drm_alink_xpu_vm_bind_op *op,
			 struct xpu_bo **bo)
{
	if (!op->flags || op->flags & ~XPU_BIND_RIGHTS ||
	    !IS_ALIGNED(op->offset, XPU_PAGE_SIZE))
		return -EINVAL;
	*bo = alink_xpu_bo_lookup(file, op->handle);
	if (!*bo)
		return -ENOENT;
	if (op->offset > xpu_gem(*bo)->size ||
	    op->range > xpu_gem(*bo)->size - op->offset)
		return -EINVAL;
	if ((*bo)->kind == XPU_BO_SEGMENT && op->flags & ~(*bo)->rights)
		return -EACCES;
	if ((*bo)->generation &&
	    (*bo)->generation != alink_xpu_generation(xdev))
		return -ECANCELED;
	return 0;
}

/* Checks one operation, and finds its object, which the caller puts. */
static int xpu_check_op(struct xpu_device *xdev, struct drm_file *file,
			const struct drm_alink_xpu_vm_bind_op *op,
			struct xpu_bo **bo)
{
	if (op->pad || !op->range ||
	    !IS_ALIGNED(op->addr | op->range, XPU_PAGE_SIZE) ||
	    op->addr < XPU_VA_START || op->addr >= XPU_VA_END ||
	    op->range > XPU_VA_END - op->addr)
		return -EINVAL;

	switch (op->op) {
	case DRM_ALINK_XPU_VM_BIND_MAP:
		return xpu_check_map(xdev, file, op, bo);
	case DRM_ALINK_XPU_VM_BIND_UNMAP:
		return op->flags || op->handle || op->offset ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

/* --- syncobjs ----------------------------------------------------------- */

/**
 * struct xpu_sync - one syncobj of a call
 * @in:		fence to wait for, or NULL
 * @out:	syncobj to signal, or NULL
 * @chain:	for a point of a timeline
 * @point:	of @out
 */
struct xpu_sync {
	struct dma_fence *in;
	struct drm_syncobj *out;
	struct dma_fence_chain *chain;
	u64 point;
};

static int xpu_sync_get(struct drm_file *file,
			const struct drm_alink_xpu_sync *arg,
			struct xpu_sync *sync)
{
	int err;

	if (arg->flags & ~DRM_ALINK_XPU_SYNC_SIGNAL)
		return -EINVAL;
	if (!arg->flags) {
		err = drm_syncobj_find_fence(file, arg->handle, arg->point, 0,
					     &sync->in);
		/* It may leave a fence there that is not ours. */
		if (err)
			sync->in = NULL;
		return err;
	}
	sync->out = drm_syncobj_find(file, arg->handle);
	if (!sync->out)
		return -ENOENT;
	sync->point = arg->point;
	if (arg->point) {
		sync->chain = dma_fence_chain_alloc();
		if (!sync->chain)
			return -ENOMEM;
	}
	return 0;
}

static int xpu_sync_wait(struct xpu_sync *sync)
{
	long ret;

	if (!sync->in)
		return 0;
	ret = dma_fence_wait_timeout(sync->in, true,
				     msecs_to_jiffies(XPU_SYNC_TIMEOUT_MS));
	if (ret < 0)
		return ret;
	return ret ? 0 : -ETIME;
}

static void xpu_sync_signal(struct xpu_sync *sync)
{
	struct dma_fence *fence;

	if (!sync->out)
		return;
	fence = dma_fence_get_stub();
	if (sync->chain) {
		drm_syncobj_add_point(sync->out, sync->chain, fence,
				      sync->point);
		sync->chain = NULL;
	} else {
		drm_syncobj_replace_fence(sync->out, fence);
	}
	dma_fence_put(fence);
}

static void xpu_sync_put(struct xpu_sync *sync)
{
	dma_fence_put(sync->in);
	if (sync->out)
		drm_syncobj_put(sync->out);
	dma_fence_chain_free(sync->chain);
}

static struct xpu_sync *xpu_syncs_get(struct drm_file *file, u64 uptr, u32 n)
{
	struct drm_alink_xpu_sync *args;
	struct xpu_sync *syncs;
	int err = 0;
	u32 i;

	args = memdup_array_user(u64_to_user_ptr(uptr), n, sizeof(*args));
	if (IS_ERR(args))
		return ERR_CAST(args);
	syncs = kcalloc(n, sizeof(*syncs), GFP_KERNEL);
	if (!syncs) {
		err = -ENOMEM;
		goto out_args;
	}
	for (i = 0; i < n && !err; i++)
		err = xpu_sync_get(file, &args[i], &syncs[i]);
	for (i = 0; i < n && !err; i++)
		err = xpu_sync_wait(&syncs[i]);
	if (err) {
		for (i = 0; i < n; i++)
			xpu_sync_put(&syncs[i]);
		kfree(syncs);
	}
out_args:
	kfree(args);
	return err ? ERR_PTR(err) : syncs;
}

/* --- ioctl -------------------------------------------------------------- */

static int xpu_bind_locked(struct xpu_vm *vm, struct xpu_bo **bos,
			   const struct drm_alink_xpu_vm_bind_op *ops,
			   struct drm_alink_xpu_vm_bind *args,
			   struct list_head *removed)
{
	int err = 0;

	lockdep_assert_held(&vm->lock);

	if (vm->closed)
		return -ENOENT;
	if (!vm->pt.root)
		return -ENODEV;
	while (args->num_done < args->num_binds && !err) {
		err = xpu_bind_one(vm, bos[args->num_done],
				   &ops[args->num_done], removed);
		trace_alink_xpu_bind(vm, &ops[args->num_done], err);
		if (!err)
			args->num_done++;
		cond_resched();
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
	}
	alink_xpu_vm_flush(vm);
	return err;
}

static int xpu_bind(struct xpu_device *xdev, struct drm_file *file,
		    struct xpu_vm *vm, struct drm_alink_xpu_vm_bind *args)
{
	struct drm_alink_xpu_vm_bind_op *ops;
	struct xpu_sync *syncs = NULL;
	struct xpu_bo **bos;
	LIST_HEAD(removed);
	int err = 0;
	u32 i;

	ops = vmemdup_array_user(u64_to_user_ptr(args->binds),
				 args->num_binds, sizeof(*ops));
	if (IS_ERR(ops))
		return PTR_ERR(ops);
	bos = kvcalloc(args->num_binds, sizeof(*bos), GFP_KERNEL);
	if (!bos) {
		err = -ENOMEM;
		goto out_ops;
	}
	for (i = 0; i < args->num_binds && !err; i++)
		err = xpu_check_op(xdev, file, &ops[i], &bos[i]);
	if (err)
		goto out_bos;
	if (args->num_syncs) {
		syncs = xpu_syncs_get(file, args->syncs, args->num_syncs);
		if (IS_ERR(syncs)) {
			err = PTR_ERR(syncs);
			goto out_bos;
		}
	}

	err = mutex_lock_interruptible(&vm->lock);
	if (!err) {
		err = xpu_bind_locked(vm, bos, ops, args, &removed);
		mutex_unlock(&vm->lock);
		xpu_vas_free(&removed);
	}

	for (i = 0; i < args->num_syncs; i++) {
		if (!err)
			xpu_sync_signal(&syncs[i]);
		xpu_sync_put(&syncs[i]);
	}
	kfree(syncs);
out_bos:
	for (i = 0; i < args->num_binds; i++)
		if (bos[i])
			drm_gem_object_put(xpu_gem(bos[i]));
	kvfree(bos);
out_ops:
	kvfree(ops);
	return err;
}

int alink_xpu_vm_bind_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_alink_xpu_vm_bind *args = data;
	struct xpu_vm *vm;
	int err;

	if (args->flags || args->pad || args->num_done || !args->num_binds ||
	    (!args->num_syncs && args->syncs))
		return -EINVAL;
	if (args->num_binds > DRM_ALINK_XPU_MAX_BINDS ||
	    args->num_syncs > DRM_ALINK_XPU_MAX_SYNCS)
		return -E2BIG;
	vm = alink_xpu_vm_lookup(file->driver_priv, args->vm_id);
	if (!vm)
		return -ENOENT;
	err = xpu_bind(to_xpu(drm), file, vm, args);
	alink_xpu_vm_put(vm);
	return err;
}
