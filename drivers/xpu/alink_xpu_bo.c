// SPDX-License-Identifier: GPL-2.0-only
/*
 * GEM objects: host memory (shmem helpers), HBM, and the objects that stand
 * for imported segments and groups.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/wait_bit.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "alink_xpu_drv.h"

/* --- host objects ------------------------------------------------------- */

static void xpu_bo_unmap(struct xpu_bo *bo)
{
	struct drm_gem_shmem_object *shmem = &bo->shmem;
	struct drm_gem_object *obj = &shmem->base;
	struct dma_buf_attachment *attach = obj->import_attach;
	struct sg_table *sgt;

	if (bo->kind == XPU_BO_USER) {
		alink_xpu_user_unmap(bo);
		return;
	}
	dma_resv_lock(obj->resv, NULL);
	sgt = shmem->sgt;
	shmem->sgt = NULL;
	if (sgt && !attach) {
		dma_unmap_sgtable(obj->dev->dev, sgt, DMA_BIDIRECTIONAL, 0);
		sg_free_table(sgt);
		kfree(sgt);
		drm_gem_shmem_put_pages(shmem);
	}
	dma_resv_unlock(obj->resv);
	if (sgt && attach)
		dma_buf_unmap_attachment_unlocked(attach, sgt,
						  DMA_BIDIRECTIONAL);
}

/*
 * At removal: an exporter, udmabuf is one, may have the mapping kept until then.
 * Who frees the object later puts the dma-buf himself.
 */
static void xpu_bo_detach(struct xpu_bo *bo)
{
	struct drm_gem_object *obj = xpu_gem(bo);
	struct dma_buf_attachment *attach;

	/* DRM looks at it with this held. */
	mutex_lock(&obj->dev->object_name_lock);
	attach = obj->import_attach;
	obj->import_attach = NULL;
	mutex_unlock(&obj->dev->object_name_lock);
	if (attach)
		dma_buf_detach(bo->import, attach);
}

/* Remove waits for an object that it finds in the list without a reference. */
static void xpu_bo_untrack(struct xpu_bo *bo)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(bo)->dev);

	spin_lock(&xdev->bos_lock);
	list_del(&bo->node);
	spin_unlock(&xdev->bos_lock);
	wake_up_var(&xdev->bos);
}

/*
 * All DMA mappings end before remove hears that the object is gone: an exporter
 * may have kept the mapping until the attachment ends, so DRM, which would end
 * that, is not left it.
 */
static void xpu_host_free(struct drm_gem_object *obj)
{
	struct xpu_bo *bo = to_xpu_bo(obj);
	struct dma_buf *import = bo->import;

	xpu_bo_unmap(bo);
	if (obj->import_attach)
		dma_buf_detach(import, obj->import_attach);
	obj->import_attach = NULL;
	xpu_bo_untrack(bo);
	mutex_destroy(&bo->gpuva_lock);
	drm_gem_shmem_object_free(obj);
	/* Last: its reservation is the object's. */
	if (import)
		dma_buf_put(import);
}

/* Memory that a device writes is never code. */
static int xpu_host_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_EXEC)
		return -EINVAL;
	vm_flags_clear(vma, VM_MAYEXEC);
	return drm_gem_shmem_object_mmap(obj, vma);
}

/*
 * As the helper's, but for mappings that have been split also: it takes the
 * place in the mapping for the place in the object.
 */
static vm_fault_t xpu_host_fault(struct vm_fault *vmf)
{
	struct xpu_bo *bo = to_xpu_bo(vmf->vma->vm_private_data);
	struct drm_gem_object *obj = xpu_gem(bo);
	pgoff_t index = vmf->pgoff - drm_vma_node_start(&obj->vma_node);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	dma_resv_lock(obj->resv, NULL);
	if (index < obj->size >> PAGE_SHIFT && bo->shmem.pages)
		ret = vmf_insert_pfn(vmf->vma, vmf->address,
				     page_to_pfn(bo->shmem.pages[index]));
	dma_resv_unlock(obj->resv);
	return ret;
}

static void xpu_host_vm_open(struct vm_area_struct *vma)
{
	drm_gem_shmem_vm_ops.open(vma);
}

static void xpu_host_vm_close(struct vm_area_struct *vma)
{
	drm_gem_shmem_vm_ops.close(vma);
}

static const struct vm_operations_struct xpu_host_vm_ops = {
	.fault = xpu_host_fault,
	.open = xpu_host_vm_open,
	.close = xpu_host_vm_close,
};

static const struct drm_gem_object_funcs xpu_host_funcs = {
	.free = xpu_host_free,
	.print_info = drm_gem_shmem_object_print_info,
	.pin = drm_gem_shmem_object_pin,
	.unpin = drm_gem_shmem_object_unpin,
	.get_sg_table = drm_gem_shmem_object_get_sg_table,
	.vmap = drm_gem_shmem_object_vmap,
	.vunmap = drm_gem_shmem_object_vunmap,
	.mmap = xpu_host_mmap,
	.vm_ops = &xpu_host_vm_ops,
};

/* drm_driver.gem_create_object: what the shmem helpers make, PRIME included */
struct drm_gem_object *alink_xpu_gem_create_object(struct drm_device *drm,
						   size_t size)
{
	struct xpu_bo *bo;

	bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->kind = XPU_BO_HOST;
	INIT_LIST_HEAD(&bo->node);
	mutex_init(&bo->gpuva_lock);
	drm_gem_gpuva_set_lock(xpu_gem(bo), &bo->gpuva_lock);
	/* Should the helper fail, it frees the object without asking us. */
	xpu_gem(bo)->funcs = &xpu_host_funcs;
	return xpu_gem(bo);
}

/**
 * alink_xpu_bo_track - put an object where remove will find it
 * @bo:		host object or memory of a process, about to be mapped for DMA
 *
 * Within drm_dev_enter(), so that remove does not come first.
 */
void alink_xpu_bo_track(struct xpu_bo *bo)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(bo)->dev);

	spin_lock(&xdev->bos_lock);
	if (list_empty(&bo->node))
		list_add_tail(&bo->node, &xdev->bos);
	spin_unlock(&xdev->bos_lock);
}

/* drm_driver.gem_prime_import_sg_table: memory of others, mapped for us */
struct drm_gem_object *
alink_xpu_gem_prime_import(struct drm_device *drm,
			   struct dma_buf_attachment *attach,
			   struct sg_table *sgt)
{
	struct drm_gem_object *obj;

	obj = drm_gem_shmem_prime_import_sg_table(drm, attach, sgt);
	if (!IS_ERR(obj)) {
		/* The reference is the caller's, who leaves it to the object. */
		to_xpu_bo(obj)->import = attach->dmabuf;
		alink_xpu_bo_track(to_xpu_bo(obj));
	}
	return obj;
}

/**
 * alink_xpu_bo_sgt - DMA addresses of a host object
 * @bo:		object
 *
 * Pins and maps the pages for as long as the object lives, or until remove.
 *
 * Return: the table or ERR_PTR.
 */
struct sg_table *alink_xpu_bo_sgt(struct xpu_bo *bo)
{
	alink_xpu_bo_track(bo);
	return drm_gem_shmem_get_pages_sgt(&bo->shmem);
}

static bool xpu_bos_empty(struct xpu_device *xdev)
{
	bool empty;

	spin_lock(&xdev->bos_lock);
	empty = list_empty(&xdev->bos);
	spin_unlock(&xdev->bos_lock);
	return empty;
}

/**
 * alink_xpu_bos_unmap - end DMA mappings of all host objects
 * @xdev:	device, which is being removed and does no DMA any more
 *
 * Objects live on with open files; mappings must not outlive the binding of
 * driver and device.
 */
void alink_xpu_bos_unmap(struct xpu_device *xdev)
{
	struct xpu_bo *bo, *next;
	LIST_HEAD(todo);

	spin_lock(&xdev->bos_lock);
	list_for_each_entry_safe(bo, next, &xdev->bos, node) {
		/* The last reference may be going: then free unmaps. */
		if (kref_get_unless_zero(&xpu_gem(bo)->refcount))
			list_move_tail(&bo->node, &todo);
	}
	spin_unlock(&xdev->bos_lock);

	for (;;) {
		spin_lock(&xdev->bos_lock);
		bo = list_first_entry_or_null(&todo, struct xpu_bo, node);
		if (bo)
			list_del_init(&bo->node);
		spin_unlock(&xdev->bos_lock);
		if (!bo)
			break;
		xpu_bo_unmap(bo);
		xpu_bo_detach(bo);
		drm_gem_object_put(xpu_gem(bo));
	}
	wait_var_event(&xdev->bos, xpu_bos_empty(xdev));
}

/* --- HBM, imports, memory of processes ----------------------------------- */

static void xpu_special_free(struct drm_gem_object *obj)
{
	struct xpu_bo *bo = to_xpu_bo(obj);

	switch (bo->kind) {
	case XPU_BO_HBM:
		alink_xpu_place_fini(bo);
		alink_xpu_windows_fini(bo);
		alink_xpu_hbm_free(to_xpu(obj->dev), bo);
		break;
	case XPU_BO_USER:
		alink_xpu_user_free(bo);
		xpu_bo_untrack(bo);
		break;
	default:
		alink_xpu_import_release(bo);
		break;
	}
	drm_gem_object_release(obj);
	if (bo->dummy)
		__free_page(bo->dummy);
	mutex_destroy(&bo->gpuva_lock);
	kfree(bo);
}

/* Others' memory is theirs to hand on. */
static struct dma_buf *xpu_special_export(struct drm_gem_object *obj, int flags)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static const struct drm_gem_object_funcs xpu_hbm_funcs = {
	.free = xpu_special_free,
	.export = alink_xpu_hbm_export,
	.mmap = alink_xpu_hbm_mmap,
	.vm_ops = &alink_xpu_hbm_vm_ops,
};

static const struct drm_gem_object_funcs xpu_import_funcs = {
	.free = xpu_special_free,
	.export = xpu_special_export,
};

/**
 * alink_xpu_bo_alloc_special - allocate an object that is no host memory
 * @xdev:	device
 * @kind:	its kind
 * @size:	bytes, multiple of 4 KiB
 *
 * Return: the object with one reference, still empty, or ERR_PTR.
 */
struct xpu_bo *alink_xpu_bo_alloc_special(struct xpu_device *xdev,
					  enum xpu_bo_kind kind, u64 size)
{
	struct xpu_bo *bo;

	bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);
	if (!bo)
		return ERR_PTR(-ENOMEM);
	bo->kind = kind;
	INIT_LIST_HEAD(&bo->node);
	mutex_init(&bo->gpuva_lock);
	drm_gem_gpuva_set_lock(xpu_gem(bo), &bo->gpuva_lock);
	drm_gem_private_object_init(&xdev->drm, xpu_gem(bo), size);
	xpu_gem(bo)->funcs = kind == XPU_BO_HBM ? &xpu_hbm_funcs :
						  &xpu_import_funcs;
	if (kind == XPU_BO_HBM)
		alink_xpu_place_init(bo);
	return bo;
}

/* Returns the object with a reference, or NULL. */
struct xpu_bo *alink_xpu_bo_lookup(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);

	return obj ? to_xpu_bo(obj) : NULL;
}

/* --- ioctls ------------------------------------------------------------- */

/* Read only, once the module is there; NULL: what there is has small pages */
static struct vfsmount *xpu_huge_mnt;

/**
 * alink_xpu_huge_init - have host objects in large pages, if there are any
 *
 * The kernel's own mount of shmem has none unless the administrator says so. It
 * is no error if that cannot be had: what is copied goes page by page then.
 */
void alink_xpu_huge_init(void)
{
	struct file_system_type *type = get_fs_type("tmpfs");
	char options[] = "huge=within_size";
	struct vfsmount *mnt;

	if (!type)
		return;
	mnt = vfs_kern_mount(type, SB_KERNMOUNT, type->name, options);
	if (IS_ERR(mnt))
		pr_notice("alink_xpu: host objects have small pages: %pe\n",
			  mnt);
	else
		xpu_huge_mnt = mnt;
}

/* No object is left. */
void alink_xpu_huge_fini(void)
{
	if (xpu_huge_mnt)
		kern_unmount(xpu_huge_mnt);
}

/*
 * Nobody knows the object yet. The helper takes the file of a new object from the
 * kernel's mount, and from no other before Linux 6.13.
 */
static int xpu_make_huge(struct drm_gem_object *obj)
{
	struct file *file;

	if (!xpu_huge_mnt || obj->size < XPU_LARGE_PAGE_SIZE)
		return 0;
	file = shmem_file_setup_with_mnt(xpu_huge_mnt, "alink_xpu host",
					 obj->size, VM_NORESERVE);
	if (IS_ERR(file))
		return PTR_ERR(file);
	mapping_set_gfp_mask(file->f_mapping,
			     mapping_gfp_mask(obj->filp->f_mapping));
	fput(obj->filp);
	obj->filp = file;
	return 0;
}

static struct xpu_bo *xpu_create_host(struct xpu_device *xdev, u64 size)
{
	struct drm_gem_shmem_object *shmem;
	int err;

	if (size > (u64)totalram_pages() << PAGE_SHIFT)
		return ERR_PTR(-E2BIG);
	shmem = drm_gem_shmem_create(&xdev->drm, size);
	if (IS_ERR(shmem))
		return ERR_CAST(shmem);
	err = xpu_make_huge(&shmem->base);
	if (err) {
		drm_gem_object_put(&shmem->base);
		return ERR_PTR(err);
	}
	return to_xpu_bo(&shmem->base);
}

static struct xpu_bo *xpu_create_hbm(struct xpu_device *xdev, u64 size,
				     bool visible)
{
	struct drm_alink_xpu_query_memory m;
	struct xpu_bo *bo;
	int err;

	alink_xpu_hbm_usage(xdev, &m);
	if (size > (visible ? m.visible_total : m.hbm_total))
		return ERR_PTR(-E2BIG);
	bo = alink_xpu_bo_alloc_special(xdev, XPU_BO_HBM, size);
	if (IS_ERR(bo))
		return bo;
	err = alink_xpu_hbm_alloc(xdev, bo, size, visible);
	if (err == -ENOSPC || err == -EAGAIN)
		err = alink_xpu_evict_alloc(xdev, bo);
	if (err)
		goto err_put;
	err = alink_xpu_kq_clear(xdev, bo);
	if (err)
		goto err_put;
	if (visible) {
		err = drm_gem_create_mmap_offset(xpu_gem(bo));
		if (err)
			goto err_put;
	}
	alink_xpu_evict_add(bo);
	return bo;

err_put:
	drm_gem_object_put(xpu_gem(bo));
	return ERR_PTR(err);
}

int alink_xpu_gem_create_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct drm_alink_xpu_gem_create *args = data;
	const u32 places = DRM_ALINK_XPU_GEM_HOST | DRM_ALINK_XPU_GEM_HBM;
	struct xpu_device *xdev = to_xpu(drm);
	bool visible = args->flags & DRM_ALINK_XPU_GEM_NEEDS_CPU;
	struct xpu_bo *bo;
	u64 size;
	int err;

	if (args->flags & ~(places | DRM_ALINK_XPU_GEM_NEEDS_CPU) ||
	    hweight32(args->flags & places) != 1 || args->handle ||
	    (visible && !(args->flags & DRM_ALINK_XPU_GEM_HBM)) ||
	    !args->size)
		return -EINVAL;
	if (args->size > U64_MAX - XPU_PAGE_SIZE)
		return -E2BIG;
	size = ALIGN(args->size, XPU_PAGE_SIZE);

	if (args->flags & DRM_ALINK_XPU_GEM_HOST)
		bo = xpu_create_host(xdev, size);
	else
		bo = xpu_create_hbm(xdev, size, visible);
	if (IS_ERR(bo))
		return PTR_ERR(bo);

	args->size = size;
	err = drm_gem_handle_create(file, xpu_gem(bo), &args->handle);
	drm_gem_object_put(xpu_gem(bo));
	return err;
}

int alink_xpu_gem_mmap_offset_ioctl(struct drm_device *drm, void *data,
				    struct drm_file *file)
{
	struct drm_alink_xpu_gem_mmap_offset *args = data;
	struct xpu_bo *bo;
	int err = 0;

	if (args->flags || args->offset)
		return -EINVAL;
	bo = alink_xpu_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	if (bo->kind == XPU_BO_HOST || bo->visible)
		args->offset = drm_vma_node_offset_addr(&xpu_gem(bo)->vma_node);
	else
		err = -EOPNOTSUPP;
	drm_gem_object_put(xpu_gem(bo));
	return err;
}
