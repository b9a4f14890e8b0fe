// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DRM accel driver: files and ioctls.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include <drm/drm_accel.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include "alink_xpu_drv.h"

#define CREATE_TRACE_POINTS
#include "alink_xpu_trace.h"

static int xpu_open(struct drm_device *drm, struct drm_file *file)
{
	struct xpu_file *xfile;

	xfile = kzalloc(sizeof(*xfile), GFP_KERNEL_ACCOUNT);
	if (!xfile)
		return -ENOMEM;
	xfile->share = alink_xpu_bridge_share_new();
	if (!xfile->share) {
		kfree(xfile);
		return -ENOMEM;
	}
	xfile->xdev = to_xpu(drm);
	xa_init_flags(&xfile->vms, XA_FLAGS_ALLOC1);
	xa_init_flags(&xfile->queues, XA_FLAGS_ALLOC1);
	xa_init_flags(&xfile->exports, XA_FLAGS_ALLOC1);
	xa_init_flags(&xfile->groups, XA_FLAGS_ALLOC1);
	file->driver_priv = xfile;
	return 0;
}

/* The file is closed: no ioctl runs, no other comes. Order as in use. */
static void xpu_postclose(struct drm_device *drm, struct drm_file *file)
{
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_segment *seg;
	struct xpu_group *group;
	struct xpu_queue *q;
	struct xpu_vm *vm;
	unsigned long id;

	xa_for_each(&xfile->queues, id, q) {
		xa_erase(&xfile->queues, id);
		alink_xpu_queue_destroy(q, xfile);
	}
	xa_for_each(&xfile->groups, id, group) {
		xa_erase(&xfile->groups, id);
		alink_xpu_group_destroy(group);
	}
	xa_for_each(&xfile->exports, id, seg) {
		xa_erase(&xfile->exports, id);
		alink_xpu_segment_destroy(seg);
	}
	xa_for_each(&xfile->vms, id, vm) {
		xa_erase(&xfile->vms, id);
		alink_xpu_vm_close(vm);
	}
	xa_destroy(&xfile->queues);
	xa_destroy(&xfile->groups);
	xa_destroy(&xfile->exports);
	xa_destroy(&xfile->vms);
	alink_xpu_bridge_share_put(xfile->share);
	kfree(xfile);
}

/* drm_driver.release: the last reference to the device is gone. */
static void xpu_release(struct drm_device *drm)
{
	struct xpu_device *xdev = to_xpu(drm);

	/* DRM itself has failed, before there was anything. */
	if (!xdev->pdev)
		return;
	alink_xpu_bridges_fini(xdev);
	alink_xpu_evict_fini(xdev);
	alink_xpu_hbm_fini(xdev);
	drm_WARN_ON(drm, !xa_empty(&xdev->ctx_ids) ||
		    !xa_empty(&xdev->queues) || !xa_empty(&xdev->segments) ||
		    !xa_empty(&xdev->groups) || !xa_empty(&xdev->imports) ||
		    !list_empty(&xdev->bos));
	xa_destroy(&xdev->ctx_ids);
	xa_destroy(&xdev->queues);
	xa_destroy(&xdev->segments);
	xa_destroy(&xdev->groups);
	xa_destroy(&xdev->imports);
	mutex_destroy(&xdev->sleep.lock);
	mutex_destroy(&xdev->kq.lock);
	mutex_destroy(&xdev->ctx_lock);
	mutex_destroy(&xdev->count_lock);
	pci_dev_put(xdev->pdev);
}

#define XPU_IOCTL(name, func) \
	DRM_IOCTL_DEF_DRV(ALINK_XPU_##name, alink_xpu_##func##_ioctl, 0)

/* No DRM_AUTH: accel has no master. Who may open the node may do all this. */
static const struct drm_ioctl_desc xpu_ioctls[] = {
	XPU_IOCTL(QUERY, query),
	XPU_IOCTL(GEM_CREATE, gem_create),
	XPU_IOCTL(GEM_MMAP_OFFSET, gem_mmap_offset),
	XPU_IOCTL(VM_CREATE, vm_create),
	XPU_IOCTL(VM_DESTROY, vm_destroy),
	XPU_IOCTL(VM_BIND, vm_bind),
	XPU_IOCTL(QUEUE_CREATE, queue_create),
	XPU_IOCTL(QUEUE_DESTROY, queue_destroy),
	XPU_IOCTL(QUEUE_STATUS, queue_status),
	XPU_IOCTL(WAIT_FENCE, wait_fence),
	XPU_IOCTL(FENCE_SYNCOBJ, fence_syncobj),
	XPU_IOCTL(SEGMENT_EXPORT, segment_export),
	XPU_IOCTL(SEGMENT_REVOKE, segment_revoke),
	XPU_IOCTL(SEGMENT_IMPORT, segment_import),
	XPU_IOCTL(GROUP_BIND, group_bind),
	XPU_IOCTL(GROUP_UNBIND, group_unbind),
	XPU_IOCTL(GROUP_IMPORT, group_import),
};

static const struct file_operations xpu_fops = {
	.owner = THIS_MODULE,
	.open = accel_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = alink_xpu_mmap,
	.show_fdinfo = drm_show_fdinfo,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

const struct drm_driver alink_xpu_drm_driver = {
	.driver_features = DRIVER_GEM | DRIVER_COMPUTE_ACCEL |
			   DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE |
			   DRIVER_GEM_GPUVA,
	.open = xpu_open,
	.postclose = xpu_postclose,
	.release = xpu_release,
	.gem_create_object = alink_xpu_gem_create_object,
	.prime_fd_to_handle = alink_xpu_prime_fd_to_handle,
	.gem_prime_import = alink_xpu_prime_import,
	.gem_prime_import_sg_table = alink_xpu_gem_prime_import,
	.show_fdinfo = alink_xpu_show_fdinfo,
	.ioctls = xpu_ioctls,
	.num_ioctls = ARRAY_SIZE(xpu_ioctls),
	.fops = &xpu_fops,
	.name = "alink_xpu",
	.desc = "ALink xPU accelerator",
	.date = "20261124",
	.major = 1,
	.minor = 6,
};

struct xpu_wqs alink_xpu_wqs;

static void xpu_wqs_fini(void)
{
	struct workqueue_struct *wqs[] = {
		alink_xpu_wqs.fence, alink_xpu_wqs.bind, alink_xpu_wqs.free,
		alink_xpu_wqs.fault,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wqs); i++)
		if (wqs[i])
			destroy_workqueue(wqs[i]);
}

static int xpu_wqs_init(void)
{
	struct xpu_wqs *wqs = &alink_xpu_wqs;

	/* As many as there may be: work of one xPU does not keep out another's. */
	wqs->fence = alloc_workqueue("alink_xpu", WQ_MEM_RECLAIM | WQ_UNBOUND,
				     WQ_MAX_ACTIVE);
	/* Freezable, so that nothing waits for a device that is suspended. */
	wqs->bind = alloc_workqueue("alink_xpu_bind", WQ_MEM_RECLAIM |
				    WQ_UNBOUND | WQ_FREEZABLE, WQ_MAX_ACTIVE);
	wqs->free = alloc_workqueue("alink_xpu_free", WQ_UNBOUND |
				    WQ_FREEZABLE, WQ_MAX_ACTIVE);
	wqs->fault = alloc_workqueue("alink_xpu_fault", WQ_UNBOUND |
				     WQ_FREEZABLE, WQ_MAX_ACTIVE);
	if (wqs->fence && wqs->bind && wqs->free && wqs->fault)
		return 0;
	xpu_wqs_fini();
	return -ENOMEM;
}

static int __init xpu_init(void)
{
	int err;

	/* Doorbell pages are 4 KiB; larger CPU pages would map neighbours. */
	if (PAGE_SIZE != XPU_PAGE_SIZE) {
		pr_err("alink_xpu: needs a kernel with 4 KiB pages\n");
		return -EOPNOTSUPP;
	}
	err = xpu_wqs_init();
	if (err)
		return err;
	alink_xpu_huge_init();
	err = pci_register_driver(&alink_xpu_pci_driver);
	if (err) {
		alink_xpu_huge_fini();
		xpu_wqs_fini();
	}
	return err;
}

static void __exit xpu_exit(void)
{
	pci_unregister_driver(&alink_xpu_pci_driver);
	alink_xpu_huge_fini();
	xpu_wqs_fini();
}

module_init(xpu_init);
module_exit(xpu_exit);

MODULE_DESCRIPTION("ALink xPU accelerator");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
