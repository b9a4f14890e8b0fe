// SPDX-License-Identifier: GPL-2.0-only
/*
 * PRIME: memory of others as our objects, and HBM as dma-bufs.
 *
 * Host memory has pages, which any device can map: the shmem helpers do all of
 * it. HBM has none. Its dma-buf can be mapped by CPUs, and imported by xPUs: by
 * the one that has the memory as the object itself, by another one through the
 * fabric, as SEGMENT_EXPORT and SEGMENT_IMPORT would do it, with a key that
 * nobody gets to see. All other devices are refused when they attach.
 */
#include <linux/dma-buf.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "alink_xpu_drv.h"

/**
 * struct xpu_peer - what an import by PRIME holds of the other xPU
 * @buf:	keeps the memory, and the other xPU's structures
 * @seg:	opens the memory to us; of the other xPU
 */
struct xpu_peer {
	struct dma_buf *buf;
	struct xpu_segment *seg;
};

/* --- HBM as a dma-buf ---------------------------------------------------- */

static int xpu_hbm_attach(struct dma_buf *dma_buf,
			  struct dma_buf_attachment *attach)
{
	return -EOPNOTSUPP;
}

/* dma-buf wants the two, which nobody calls who is not attached. */
static struct sg_table *xpu_hbm_map_dma_buf(struct dma_buf_attachment *attach,
					    enum dma_data_direction dir)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void xpu_hbm_unmap_dma_buf(struct dma_buf_attachment *attach,
				  struct sg_table *sgt,
				  enum dma_data_direction dir)
{
}

/*
 * Lies at the same place of the same mapping as one of the device file: what
 * takes those away in a reset and at removal takes this away too.
 */
static int xpu_hbm_dmabuf_mmap(struct dma_buf *dma_buf,
			       struct vm_area_struct *vma)
{
	if (!to_xpu_bo(dma_buf->priv)->visible)
		return -EOPNOTSUPP;
	return drm_gem_dmabuf_mmap(dma_buf, vma);
}

static const struct dma_buf_ops xpu_hbm_dmabuf_ops = {
	.attach = xpu_hbm_attach,
	.map_dma_buf = xpu_hbm_map_dma_buf,
	.unmap_dma_buf = xpu_hbm_unmap_dma_buf,
	.release = drm_gem_dmabuf_release,
	.mmap = xpu_hbm_dmabuf_mmap,
};

/* drm_gem_object_funcs.export of HBM objects */
struct dma_buf *alink_xpu_hbm_export(struct drm_gem_object *obj, int flags)
{
	struct dma_buf_export_info info = {
		.exp_name = KBUILD_MODNAME,
		.owner = THIS_MODULE,
		.ops = &xpu_hbm_dmabuf_ops,
		.size = obj->size,
		.flags = flags,
		.priv = obj,
		.resv = obj->resv,
	};

	return drm_gem_dmabuf_export(obj->dev, &info);
}

/* --- import ------------------------------------------------------------- */

/* Who has the dma-buf for reading only gets no more than that. */
static u32 xpu_peer_rights(const struct dma_buf *dma_buf)
{
	u32 rights = DRM_ALINK_XPU_SEGMENT_READ;

	if (dma_buf->file->f_mode & FMODE_WRITE)
		rights |= DRM_ALINK_XPU_SEGMENT_WRITE |
			  DRM_ALINK_XPU_SEGMENT_ATOMIC;
	return rights;
}

/* HBM of another xPU, through the fabric; it is pinned. */
static struct drm_gem_object *xpu_import_peer(struct xpu_device *xdev,
					      struct dma_buf *dma_buf)
{
	struct xpu_bo *theirs = to_xpu_bo(dma_buf->priv), *bo;
	struct xpu_peer *peer;
	int err;

	peer = kzalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);
	if (!peer)
		return ERR_PTR(-ENOMEM);
	bo = alink_xpu_import_segment_of(xdev, theirs,
					 xpu_peer_rights(dma_buf), &peer->seg);
	if (IS_ERR(bo)) {
		err = PTR_ERR(bo);
		kfree(peer);
		return ERR_PTR(err);
	}
	get_dma_buf(dma_buf);
	peer->buf = dma_buf;
	bo->peer = peer;
	return xpu_gem(bo);
}

/**
 * alink_xpu_prime_release - let go of the memory behind an import
 * @bo:		import, which is in no import slot of the device any more
 */
void alink_xpu_prime_release(struct xpu_bo *bo)
{
	struct xpu_peer *peer = bo->peer;

	if (!peer)
		return;
	bo->peer = NULL;
	alink_xpu_segment_destroy(peer->seg);
	/* Last: it may be what keeps the other xPU's structures. */
	dma_buf_put(peer->buf);
	kfree(peer);
}

/*
 * drm_driver.gem_prime_import: remove ends no mapping that comes after it.
 *
 * All who make or close a handle wait for drm_device.object_name_lock. So
 * nothing in here waits for HBM, see alink_xpu_prime_fd_to_handle().
 */
struct drm_gem_object *alink_xpu_prime_import(struct drm_device *drm,
					      struct dma_buf *dma_buf)
{
	struct drm_gem_object *obj;
	int idx;

	lockdep_assert_held(&drm->object_name_lock);

	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	if (dma_buf->ops != &xpu_hbm_dmabuf_ops) {
		obj = drm_gem_prime_import(drm, dma_buf);
	} else {
		obj = dma_buf->priv;
		if (obj->dev == drm)
			drm_gem_object_get(obj);
		else
			obj = xpu_import_peer(to_xpu(drm), dma_buf);
	}
	drm_dev_exit(idx);
	return obj;
}

/*
 * drm_driver.prime_fd_to_handle: HBM of another xPU has to be there when DRM
 * imports it. That may take seconds, so it comes first.
 */
int alink_xpu_prime_fd_to_handle(struct drm_device *drm, struct drm_file *file,
				 int fd, u32 *handle)
{
	struct drm_gem_object *theirs = NULL;
	struct dma_buf *dma_buf;
	int err = 0;

	dma_buf = dma_buf_get(fd);
	if (IS_ERR(dma_buf))
		return PTR_ERR(dma_buf);
	if (dma_buf->ops == &xpu_hbm_dmabuf_ops)
		theirs = dma_buf->priv;
	if (theirs && theirs->dev == drm)
		theirs = NULL;

	if (theirs)
		err = alink_xpu_pin(to_xpu_bo(theirs));
	if (!err) {
		/* Should the fd be another one by now, -EAGAIN is what he gets. */
		err = drm_gem_prime_fd_to_handle(drm, file, fd, handle);
		if (theirs)
			alink_xpu_unpin(to_xpu_bo(theirs));
	}
	dma_buf_put(dma_buf);
	return err;
}
