// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs: device address spaces. Each is a context of the device and a tree of
 * page tables; the bindings are in a drm_gpuvm.
 */
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"

/* Adds the context to the device. Its tables are there and valid. */
static int xpu_ctx_create(struct xpu_vm *vm, bool restore)
{
	struct xpu_device *xdev = vm->xdev;
	struct alink_xpu_ctx ctx = {
		.id = cpu_to_le32(vm->ctx),
		.root = cpu_to_le64(vm->pt.root->dma),
	};
	u64 now;
	int err;

	lockdep_assert_held(&xdev->ctx_lock);

	if (!restore)
		return alink_xpu_admin_tlv(xdev, ALINK_XPU_ADMIN_CTX_CREATE,
					   ALINK_TLV_XPU_CTX, &ctx, sizeof(ctx),
					   &vm->generation);
	/* First: another reset may come, and take the context with it. */
	now = alink_xpu_generation(xdev);
	/* After a reset commands of users still wait; these come first. */
	err = alink_admin_tlv(xdev->adev, ALINK_XPU_ADMIN_CTX_CREATE,
			      ALINK_TLV_XPU_CTX, &ctx, sizeof(ctx), NULL);
	if (!err)
		vm->generation = now;
	return err;
}

/**
 * alink_xpu_vms_restore - make all contexts again after a reset
 * @xdev:	device in state XPU_RESETTING
 *
 * Return: 0 or -errno.
 */
int alink_xpu_vms_restore(struct xpu_device *xdev)
{
	struct xpu_vm *vm;
	int err = 0;

	mutex_lock(&xdev->ctx_lock);
	list_for_each_entry(vm, &xdev->vms, node) {
		if (vm->dying)
			continue;
		err = xpu_ctx_create(vm, true);
		if (err) {
			drm_err(&xdev->drm, "context %u: %pe\n", vm->ctx,
				ERR_PTR(err));
			break;
		}
	}
	mutex_unlock(&xdev->ctx_lock);
	return err;
}

static void xpu_vm_drop_tables(struct xpu_vm *vm)
{
	mutex_lock(&vm->lock);
	alink_xpu_pt_fini(&vm->pt);
	mutex_unlock(&vm->lock);
}

/**
 * alink_xpu_vms_drop_tables - free all page tables
 * @xdev:	device, which is being removed and does no DMA any more
 *
 * VMs live on with open files, their DMA memory must not.
 */
void alink_xpu_vms_drop_tables(struct xpu_device *xdev)
{
	struct xpu_vm *vm;

	mutex_lock(&xdev->ctx_lock);
	list_for_each_entry(vm, &xdev->vms, node)
		xpu_vm_drop_tables(vm);
	mutex_unlock(&xdev->ctx_lock);
}

/**
 * alink_xpu_vm_flush - see to it that no old translation is in use
 * @vm:		VM, locked
 * @old:	out: tables that are no more, for alink_xpu_pt_free()
 *
 * Only then may memory that is bound no more be freed.
 */
void alink_xpu_vm_flush(struct xpu_vm *vm, struct list_head *old)
{
	lockdep_assert_held(&vm->lock);

	if (!vm->pt.stale && list_empty(&vm->pt.garbage))
		return;
	alink_xpu_invalidate(vm->xdev, vm->ctx);
	alink_xpu_pt_collect(&vm->pt, old);
}

/* drm_gpuvm_ops.vm_free: the last binding is gone, too. */
void alink_xpu_gpuvm_free(struct drm_gpuvm *gpuvm)
{
	struct xpu_vm *vm = to_xpu_vm(gpuvm);

	mutex_destroy(&vm->lock);
	kfree(vm);
}

static struct xpu_vm *xpu_vm_alloc(struct xpu_device *xdev)
{
	struct drm_gem_object *resv;
	struct xpu_vm *vm;
	int err;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);
	err = alink_xpu_pt_init(&vm->pt, &xdev->pdev->dev);
	if (err)
		goto err_free;
	resv = drm_gpuvm_resv_object_alloc(&xdev->drm);
	if (!resv) {
		err = -ENOMEM;
		goto err_pt;
	}
	vm->xdev = xdev;
	vm->pid = task_tgid_nr(current);
	get_task_comm(vm->comm, current);
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	INIT_LIST_HEAD(&vm->node);
	alink_xpu_vm_binds_init(vm);
	drm_gpuvm_init(&vm->gpuvm, "alink_xpu", 0, &xdev->drm, resv,
		       XPU_VA_START, XPU_VA_END - XPU_VA_START, 0, 0,
		       &alink_xpu_gpuvm_ops);
	drm_gem_object_put(resv);
	return vm;

err_pt:
	alink_xpu_pt_fini(&vm->pt);
err_free:
	kfree(vm);
	return ERR_PTR(err);
}

static void xpu_vm_free(struct xpu_vm *vm)
{
	xpu_vm_drop_tables(vm);
	alink_xpu_vm_unbind_all(vm);
	drm_gpuvm_put(&vm->gpuvm);
}

static void xpu_vm_release(struct kref *ref)
{
	struct xpu_vm *vm = container_of(ref, struct xpu_vm, ref);
	struct xpu_device *xdev = vm->xdev;
	u64 generation;

	/* First, so that no reset makes the context again behind our back. */
	mutex_lock(&xdev->ctx_lock);
	vm->dying = true;
	generation = vm->generation;
	mutex_unlock(&xdev->ctx_lock);
	/* No job is left, but one last kick may have come after it. */
	cancel_work_sync(&vm->bind_work);

	alink_xpu_admin_undo(xdev, generation, ALINK_XPU_ADMIN_CTX_DESTROY,
			     vm->ctx);
	xa_erase(&xdev->ctx_ids, vm->ctx);

	/* Remove must find the tables, or find them gone. */
	mutex_lock(&xdev->ctx_lock);
	xpu_vm_drop_tables(vm);
	list_del(&vm->node);
	mutex_unlock(&xdev->ctx_lock);
	xpu_vm_free(vm);
}

void alink_xpu_vm_put(struct xpu_vm *vm)
{
	kref_put(&vm->ref, xpu_vm_release);
}

/* Returns the VM with a reference, or NULL. */
struct xpu_vm *alink_xpu_vm_lookup(struct xpu_file *xfile, u32 id)
{
	struct xpu_vm *vm;

	xa_lock(&xfile->vms);
	vm = xa_load(&xfile->vms, id);
	if (vm)
		kref_get(&vm->ref);
	xa_unlock(&xfile->vms);
	return vm;
}

/* Gives up the id's reference; queues, if any, are gone. */
void alink_xpu_vm_close(struct xpu_vm *vm)
{
	mutex_lock(&vm->lock);
	WRITE_ONCE(vm->closed, true);
	mutex_unlock(&vm->lock);
	alink_xpu_vm_binds_drain(vm);
	alink_xpu_vm_put(vm);
}

static struct xpu_va *xpu_vm_find(struct xpu_vm *vm, u64 va)
{
	struct drm_gpuva *gpuva;

	lockdep_assert_held(&vm->lock);

	gpuva = drm_gpuva_find_first(&vm->gpuvm, va, 1);
	return gpuva ? to_xpu_va(gpuva) : NULL;
}

/**
 * alink_xpu_vm_find - find the object behind an address
 * @vm:		VM, locked
 * @va:		device virtual address
 * @offset:	out: where in the object that is
 *
 * What the CPU needs to read it takes memory: that is for after the unlock.
 *
 * Return: the object with a reference, or NULL if nothing is bound there.
 */
struct xpu_bo *alink_xpu_vm_find(struct xpu_vm *vm, u64 va, u64 *offset)
{
	struct xpu_va *xva = xpu_vm_find(vm, va);

	if (!xva)
		return NULL;
	drm_gem_object_get(xva->base.gem.obj);
	*offset = xva->base.gem.offset + (va - xva->base.va.addr);
	return to_xpu_bo(xva->base.gem.obj);
}

/**
 * alink_xpu_vm_bound - is all of a range bound with these rights?
 * @vm:		VM, locked
 * @va:		device virtual address
 * @len:	bytes; the range does not wrap
 * @rights:	DRM_ALINK_XPU_VM_BIND_*
 *
 * Return: true if it is.
 */
bool alink_xpu_vm_bound(struct xpu_vm *vm, u64 va, u64 len, u32 rights)
{
	u64 end = va + len;
	struct xpu_va *xva;

	while (va < end) {
		xva = xpu_vm_find(vm, va);
		if (!xva || (xva->rights & rights) != rights)
			return false;
		va = xva->base.va.addr + xva->base.va.range;
	}
	return true;
}

static int xpu_vm_create(struct xpu_device *xdev, struct xpu_file *xfile,
			 struct drm_alink_xpu_vm_create *args)
{
	struct xpu_vm *vm;
	int err;

	vm = xpu_vm_alloc(xdev);
	if (IS_ERR(vm))
		return PTR_ERR(vm);
	err = xa_alloc(&xdev->ctx_ids, &vm->ctx, vm,
		       XA_LIMIT(XPU_KERNEL_CTX + 1, xdev->info.num_ctx),
		       GFP_KERNEL);
	if (err) {
		err = err == -EBUSY ? -ENOSPC : err;
		goto err_free;
	}

	mutex_lock(&xdev->ctx_lock);
	err = xpu_ctx_create(vm, false);
	if (!err)
		list_add_tail(&vm->node, &xdev->vms);
	mutex_unlock(&xdev->ctx_lock);
	if (err)
		goto err_id;

	/* From here on anybody who guesses the id may use the VM. */
	err = xa_alloc(&xfile->vms, &args->vm_id, vm, XPU_ID_LIMIT,
		       GFP_KERNEL_ACCOUNT);
	if (err)
		alink_xpu_vm_put(vm);
	return err;

err_id:
	xa_erase(&xdev->ctx_ids, vm->ctx);
err_free:
	xpu_vm_free(vm);
	return err;
}

int alink_xpu_vm_create_ioctl(struct drm_device *drm, void *data,
			      struct drm_file *file)
{
	struct drm_alink_xpu_vm_create *args = data;
	int err, idx;

	if (args->flags || args->vm_id)
		return -EINVAL;
	/* Remove looks for DMA memory where the VM will be found. */
	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	err = xpu_vm_create(to_xpu(drm), file->driver_priv, args);
	drm_dev_exit(idx);
	return err;
}

int alink_xpu_vm_destroy_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct drm_alink_xpu_vm_destroy *args = data;
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_vm *vm;
	int err = 0;

	if (args->pad)
		return -EINVAL;
	vm = alink_xpu_vm_lookup(xfile, args->vm_id);
	if (!vm)
		return -ENOENT;

	mutex_lock(&vm->lock);
	if (vm->closed)
		err = -ENOENT;
	else if (vm->num_queues)
		err = -EBUSY;
	else
		WRITE_ONCE(vm->closed, true);
	mutex_unlock(&vm->lock);
	if (!err) {
		xa_erase(&xfile->vms, args->vm_id);
		alink_xpu_vm_binds_drain(vm);
		alink_xpu_vm_put(vm);
	}
	alink_xpu_vm_put(vm);
	return err;
}
