// SPDX-License-Identifier: GPL-2.0-only
/*
 * One operation of VM_BIND. The drm_gpuvm keeps the books; page tables are
 * written for the whole range of an operation at once. All memory that it can
 * take is there before the first change of either: what follows runs where
 * fences are signalled, and cannot fail.
 */
#include <linux/bitfield.h>
#include <linux/dma-resv.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include <drm/drm_print.h>

#include "alink_xpu_bind.h"

/**
 * struct xpu_step - an operation that is being executed
 * @vm:		VM, locked
 * @op:		the operation
 * @removed:	bindings that are no more
 */
struct xpu_step {
	struct xpu_vm *vm;
	struct xpu_bind_op *op;
	struct list_head *removed;
};

/* --- bookkeeping -------------------------------------------------------- */

static struct xpu_va *xpu_spare(struct xpu_bind_op *op)
{
	struct xpu_va *xva = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(op->spare) && !xva; i++)
		swap(xva, op->spare[i]);
	return xva;
}

static void xpu_va_link(struct xpu_va *xva, struct drm_gpuvm_bo *vm_bo)
{
	struct xpu_bo *bo = to_xpu_bo(xva->base.gem.obj);

	mutex_lock(&bo->gpuva_lock);
	drm_gpuva_link(&xva->base, vm_bo);
	mutex_unlock(&bo->gpuva_lock);
}

/*
 * Off the books, but its object stays until the TLB has been invalidated; and so
 * does what says that the VM has to do with it: who moves the object out of HBM
 * must wait for the VM's lock, as old translations lead there until then.
 */
static void xpu_va_remove(struct xpu_step *step, struct xpu_va *xva)
{
	struct drm_gem_object *obj = xva->base.gem.obj;

	drm_gem_object_get(obj);
	xva->held = drm_gpuvm_bo_get(xva->base.vm_bo);
	mutex_lock(&to_xpu_bo(obj)->gpuva_lock);
	drm_gpuva_unlink(&xva->base);
	mutex_unlock(&to_xpu_bo(obj)->gpuva_lock);
	list_add_tail(&xva->node, step->removed);
}

/**
 * alink_xpu_vas_free - free bindings that are no more
 * @removed:	bindings, whose TLB entries have been invalidated since
 */
void alink_xpu_vas_free(struct list_head *removed)
{
	struct xpu_va *xva, *next;
	struct xpu_bo *bo;

	list_for_each_entry_safe(xva, next, removed, node) {
		bo = to_xpu_bo(xva->base.gem.obj);
		mutex_lock(&bo->gpuva_lock);
		drm_gpuvm_bo_put(xva->held);
		mutex_unlock(&bo->gpuva_lock);
		drm_gem_object_put(xpu_gem(bo));
		kfree(xva);
	}
	INIT_LIST_HEAD(removed);
}

static int xpu_step_map(struct drm_gpuva_op *op, void *priv)
{
	struct xpu_step *step = priv;
	struct xpu_va *xva = xpu_spare(step->op);

	xva->rights = step->op->args.flags;
	drm_gpuva_map(&step->vm->gpuvm, &xva->base, &op->map);
	xpu_va_link(xva, step->op->vm_bo);
	return 0;
}

static int xpu_step_remap(struct drm_gpuva_op *op, void *priv)
{
	struct xpu_va *old = to_xpu_va(op->remap.unmap->va);
	struct xpu_va *prev = NULL, *next = NULL;
	struct xpu_step *step = priv;

	if (op->remap.prev) {
		prev = xpu_spare(step->op);
		prev->rights = old->rights;
	}
	if (op->remap.next) {
		next = xpu_spare(step->op);
		next->rights = old->rights;
	}
	drm_gpuva_remap(prev ? &prev->base : NULL, next ? &next->base : NULL,
			&op->remap);
	if (prev)
		xpu_va_link(prev, old->base.vm_bo);
	if (next)
		xpu_va_link(next, old->base.vm_bo);
	xpu_va_remove(step, old);
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
	struct xpu_step step = { .vm = vm, .removed = &removed };

	mutex_lock(&vm->lock);
	drm_gpuvm_sm_unmap(&vm->gpuvm, &step, XPU_VA_START,
			   XPU_VA_END - XPU_VA_START);
	mutex_unlock(&vm->lock);
	alink_xpu_vas_free(&removed);
}

/* --- page tables -------------------------------------------------------- */

/**
 * struct xpu_walk - a way along the memory of an operation
 * @op:		the operation
 * @run:	called for each run of memory, in ascending order
 * @tree:	page tables, for @run
 * @need:	counts, for @run
 */
struct xpu_walk {
	struct xpu_bind_op *op;
	int (*run)(struct xpu_walk *walk, u64 va, u64 pa, u64 len,
		   enum alink_aperture aperture);
	struct xpu_pt_tree *tree;
	struct xpu_pt_need *need;
};

static int xpu_run_count(struct xpu_walk *walk, u64 va, u64 pa, u64 len,
			 enum alink_aperture aperture)
{
	if (!IS_ALIGNED(pa | len, XPU_PAGE_SIZE) || pa & ~ALINK_PTE_ADDR_MASK)
		return -EINVAL;
	alink_xpu_pt_need_run(walk->need, va, pa, len);
	return 0;
}

static int xpu_run_prepare(struct xpu_walk *walk, u64 va, u64 pa, u64 len,
			   enum alink_aperture aperture)
{
	return alink_xpu_pt_prepare(walk->tree, &walk->op->pool, va, pa, len);
}

static int xpu_run_map(struct xpu_walk *walk, u64 va, u64 pa, u64 len,
		       enum alink_aperture aperture)
{
	alink_xpu_pt_map(walk->tree, va, pa, len,
			 alink_xpu_pte_bits(walk->op->args.flags, aperture));
	return 0;
}

static int xpu_run_map_some(struct xpu_walk *walk, u64 va, u64 pa, u64 len,
			    enum alink_aperture aperture)
{
	alink_xpu_pt_map_some(walk->tree, va, pa, len,
			      alink_xpu_pte_bits(walk->op->args.flags,
						 aperture));
	return 0;
}

static int xpu_walk_host(struct xpu_walk *walk)
{
	u64 va = walk->op->args.addr, offset = walk->op->args.offset;
	u64 run, len = walk->op->args.range;
	struct scatterlist *sg;
	unsigned int i;
	int err;

	for_each_sgtable_dma_sg(walk->op->sgt, sg, i) {
		if (offset >= sg_dma_len(sg)) {
			offset -= sg_dma_len(sg);
			continue;
		}
		run = min(sg_dma_len(sg) - offset, len);
		err = walk->run(walk, va, sg_dma_address(sg) + offset, run,
				ALINK_AP_SYSTEM);
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

static int xpu_walk_hbm(struct xpu_walk *walk)
{
	u64 va = walk->op->args.addr, offset = walk->op->args.offset;
	u64 pa, run, len = walk->op->args.range;
	int err;

	while (len) {
		pa = alink_xpu_hbm_offset(walk->op->bo, offset, &run);
		run = min(run, len);
		err = walk->run(walk, va, pa, run, ALINK_AP_HBM);
		if (err)
			return err;
		offset += run;
		va += run;
		len -= run;
	}
	return 0;
}

static int xpu_walk(struct xpu_walk *walk)
{
	const struct drm_alink_xpu_vm_bind_op *args = &walk->op->args;
	struct xpu_bo *bo = walk->op->bo;

	switch (bo->kind) {
	case XPU_BO_HOST:
		return xpu_walk_host(walk);
	case XPU_BO_HBM:
		return xpu_walk_hbm(walk);
	default:
		return walk->run(walk, args->addr, args->offset |
				 (u64)bo->slot << ALINK_REMOTE_SLOT_SHIFT,
				 args->range, bo->kind == XPU_BO_GROUP ?
				 ALINK_AP_GROUP : ALINK_AP_REMOTE);
	}
}

/* --- HBM: it may leave, or be elsewhere, when the operation is executed --- */

/* What it can take: marks, or what is there now */
static int xpu_hbm_count(struct xpu_walk *walk)
{
	const struct drm_alink_xpu_vm_bind_op *args = &walk->op->args;
	struct xpu_bo *bo = walk->op->bo;
	int err;

	alink_xpu_evict_used(bo);
	alink_xpu_pt_need_run(walk->need, args->addr, args->addr, args->range);
	err = dma_resv_lock_interruptible(xpu_gem(bo)->resv, NULL);
	if (err)
		return err;
	walk->op->moves = bo->place.file ? 0 : bo->place.moves;
	if (walk->op->moves)
		err = xpu_walk(walk);
	dma_resv_unlock(xpu_gem(bo)->resv);
	return err;
}

/*
 * Takes the object into the VM. From here on nobody moves it out before the VM
 * is unlocked, see move_mark().
 */
static void xpu_op_obtain(struct xpu_bind_op *op)
{
	struct xpu_place *place = &op->bo->place;

	mutex_lock(&op->bo->gpuva_lock);
	op->vm_bo = drm_gpuvm_bo_obtain_prealloc(op->vm_bo);
	if (op->bo->kind == XPU_BO_HBM) {
		op->away = place->away;
		op->elsewhere = !place->away && place->moves != op->moves;
	}
	mutex_unlock(&op->bo->gpuva_lock);
}

/* --- memory of a process ------------------------------------------------- */

/* What it can take at most: nothing is mapped by a large page, or all is. */
static void xpu_user_count(struct xpu_bind_op *op, struct xpu_pt_need *need)
{
	u64 va = op->args.addr;

	alink_xpu_pt_need_run(need, va, va ^ XPU_PAGE_SIZE, op->args.range);
}

static int xpu_user_tables(struct xpu_vm *vm, struct xpu_bind_op *op)
{
	u64 va = op->args.addr, end = va + op->args.range;

	return alink_xpu_pt_prepare(&vm->pt, &op->pool, va, va, end - va) ?:
	       alink_xpu_user_prepare(op->bo, &op->pool, va, end);
}

static void xpu_user_map(struct xpu_vm *vm, struct xpu_bind_op *op)
{
	u64 va = op->args.addr, end = va + op->args.range;

	alink_xpu_pt_mark(&vm->pt, va, end - va);
	alink_xpu_user_map(op->bo, va, end);
}

/* --- the operation ------------------------------------------------------ */

static bool xpu_op_is_user(const struct xpu_bind_op *op)
{
	return op->bo && op->bo->kind == XPU_BO_USER;
}

/* Where in its object the memory begins */
static u64 xpu_op_offset(const struct xpu_bind_op *op)
{
	return xpu_op_is_user(op) ? 0 : op->args.offset;
}

/**
 * alink_xpu_bind_op_prepare - get all that an operation can take
 * @vm:		VM, not locked
 * @op:		operation whose arguments have been checked
 *
 * On failure what is there stays for alink_xpu_bind_op_fini().
 *
 * Return: 0, -ENOMEM, -EINTR, -EINVAL for memory of others that the device
 * cannot map, or as alink_xpu_bo_sgt().
 */
int alink_xpu_bind_op_prepare(struct xpu_vm *vm, struct xpu_bind_op *op)
{
	struct xpu_pt_need need = {};
	struct xpu_walk walk = {
		.op = op,
		.run = xpu_run_count,
		.need = &need,
	};
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(op->spare); i++) {
		op->spare[i] = kzalloc(sizeof(*op->spare[i]),
				       GFP_KERNEL_ACCOUNT);
		if (!op->spare[i])
			return -ENOMEM;
	}
	if (op->bo) {
		op->vm_bo = drm_gpuvm_bo_create(&vm->gpuvm, xpu_gem(op->bo));
		if (!op->vm_bo)
			return -ENOMEM;
	}
	if (op->bo && op->bo->kind == XPU_BO_HOST) {
		op->sgt = alink_xpu_bo_sgt(op->bo);
		if (IS_ERR(op->sgt))
			return PTR_ERR(op->sgt);
	}
	err = 0;
	if (xpu_op_is_user(op))
		xpu_user_count(op, &need);
	else if (op->bo && op->bo->kind == XPU_BO_HBM)
		err = xpu_hbm_count(&walk);
	else if (op->bo)
		err = xpu_walk(&walk);
	if (err)
		return err;
	alink_xpu_pt_need_range(&need, op->args.addr, op->args.range, op->bo);
	return alink_xpu_pt_pool_fill(&op->pool, vm->pt.dev, &need);
}

/* Tables only: until here the VM is as it was. */
static int xpu_bind_op_tables(struct xpu_vm *vm, struct xpu_bind_op *op)
{
	struct xpu_walk walk = {
		.op = op,
		.run = xpu_run_prepare,
		.tree = &vm->pt,
	};
	u64 end = op->args.addr + op->args.range;
	int err;

	err = alink_xpu_pt_split(&vm->pt, &op->pool, op->args.addr);
	if (!err)
		err = alink_xpu_pt_split(&vm->pt, &op->pool, end);
	if (!err && xpu_op_is_user(op))
		err = xpu_user_tables(vm, op);
	else if (!err && (op->away || op->elsewhere))
		err = alink_xpu_pt_prepare(&vm->pt, &op->pool, op->args.addr,
					   op->args.addr, op->args.range);
	else if (!err && op->bo)
		err = xpu_walk(&walk);
	return err;
}

/**
 * alink_xpu_bind_op_run - execute an operation
 * @vm:		VM, locked
 * @op:		operation that has been prepared
 * @removed:	bindings that are no more are added here; they go after the
 *		next alink_xpu_vm_flush()
 *
 * Context: process. Allocates nothing.
 * Return: 0; anything else is a bug, and changes nothing.
 */
int alink_xpu_bind_op_run(struct xpu_vm *vm, struct xpu_bind_op *op,
			  struct list_head *removed)
{
	struct xpu_step step = { .vm = vm, .op = op, .removed = removed };
	struct xpu_walk walk = {
		.op = op,
		.run = xpu_run_map,
		.tree = &vm->pt,
	};
	int err;

	lockdep_assert_held(&vm->lock);

	if (op->bo)
		xpu_op_obtain(op);
	/*
	 * No marks where there are tables: a status block may be there, whose
	 * object came back after the preparation, to stay.
	 */
	if (op->elsewhere)
		walk.run = xpu_run_map_some;
	err = xpu_bind_op_tables(vm, op);
	if (err)
		goto out_warn;
	if (op->bo) {
		err = drm_gpuvm_sm_map(&vm->gpuvm, &step, op->args.addr,
				       op->args.range, xpu_gem(op->bo),
				       xpu_op_offset(op));
		if (!err && xpu_op_is_user(op))
			xpu_user_map(vm, op);
		else if (!err && op->away)
			alink_xpu_pt_mark(&vm->pt, op->args.addr,
					  op->args.range);
		else if (!err)
			xpu_walk(&walk);
	} else {
		err = drm_gpuvm_sm_unmap(&vm->gpuvm, &step, op->args.addr,
					 op->args.range);
		if (!err)
			alink_xpu_pt_clear(&vm->pt, op->args.addr,
					   op->args.range);
	}
out_warn:
	drm_WARN_ON_ONCE(vm->gpuvm.drm, err);
	return err;
}

/**
 * alink_xpu_bind_op_fini - free what an operation holds
 * @vm:		VM, not locked
 * @op:		operation, executed or not
 */
void alink_xpu_bind_op_fini(struct xpu_vm *vm, struct xpu_bind_op *op)
{
	unsigned int i;

	alink_xpu_pt_pool_free(&op->pool, vm->pt.dev);
	for (i = 0; i < ARRAY_SIZE(op->spare); i++)
		kfree(op->spare[i]);
	if (op->vm_bo) {
		mutex_lock(&op->bo->gpuva_lock);
		drm_gpuvm_bo_put(op->vm_bo);
		mutex_unlock(&op->bo->gpuva_lock);
	}
	if (op->bo)
		drm_gem_object_put(xpu_gem(op->bo));
}

/* --- bindings of objects that have come back ----------------------------- */

/* The operation that would bind what is bound at an address */
static bool xpu_op_of(struct xpu_vm *vm, struct xpu_bo *bo, u64 addr,
		      struct drm_alink_xpu_vm_bind_op *args)
{
	struct drm_gpuva *va;

	lockdep_assert_held(&vm->lock);

	va = drm_gpuva_find_first(&vm->gpuvm, addr, 1);
	if (!va || va->gem.obj != xpu_gem(bo))
		return false;
	*args = (struct drm_alink_xpu_vm_bind_op) {
		.flags = to_xpu_va(va)->rights,
		.offset = va->gem.offset,
		.addr = va->va.addr,
		.range = va->va.range,
	};
	return true;
}

/* Maps it, if it is still what @op says. */
static int xpu_op_map_again(struct xpu_vm *vm, struct xpu_bind_op *op, u64 addr,
			    struct list_head *old)
{
	struct drm_alink_xpu_vm_bind_op now;
	struct xpu_walk walk = {
		.op = op,
		.run = xpu_run_map,
		.tree = &vm->pt,
	};
	int err;

	lockdep_assert_held(&vm->lock);

	if (!vm->pt.root)
		return -ENODEV;
	if (!xpu_op_of(vm, op->bo, addr, &now) ||
	    memcmp(&now, &op->args, sizeof(now)))
		return -EAGAIN;
	err = xpu_bind_op_tables(vm, op);
	if (!err)
		xpu_walk(&walk);
	alink_xpu_vm_flush(vm, old);
	drm_WARN_ON_ONCE(vm->gpuvm.drm, err);
	return err;
}

/**
 * alink_xpu_bind_again - map what is bound, but has marks in the page tables
 * @vm:		VM, not locked
 * @bo:		HBM object, in HBM, whose dma_resv is held
 * @addr:	device virtual address
 *
 * Return: 0, -EAGAIN if something else is bound there by now, or less or more of
 * the object, -ENODEV when VM or device are gone, -ENOMEM, or -EINTR on a fatal
 * signal.
 */
int alink_xpu_bind_again(struct xpu_vm *vm, struct xpu_bo *bo, u64 addr)
{
	struct xpu_bind_op op = { .bo = bo };
	struct xpu_pt_need need = {};
	struct xpu_walk walk = {
		.op = &op,
		.run = xpu_run_count,
		.need = &need,
	};
	LIST_HEAD(old);
	bool found;
	int err;

	dma_resv_assert_held(xpu_gem(bo)->resv);

	mutex_lock(&vm->lock);
	found = xpu_op_of(vm, bo, addr, &op.args);
	mutex_unlock(&vm->lock);
	if (!found)
		return -EAGAIN;

	alink_xpu_pt_pool_init(&op.pool);
	err = xpu_walk(&walk);
	if (err)
		return err;
	alink_xpu_pt_need_range(&need, op.args.addr, op.args.range, true);
	err = alink_xpu_pt_pool_fill(&op.pool, vm->pt.dev, &need);
	if (!err) {
		mutex_lock(&vm->lock);
		err = xpu_op_map_again(vm, &op, addr, &old);
		mutex_unlock(&vm->lock);
		alink_xpu_pt_free(vm->pt.dev, &old);
	}
	alink_xpu_pt_pool_free(&op.pool, vm->pt.dev);
	return err;
}
