// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory shared through the fabric: segments that we export, segments of
 * others that we import, and groups. The fabric checks key, partition and
 * rights of each access; the driver hands out ids and takes them back.
 */
#include <linux/pid.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"

#define XPU_SEGMENT_RIGHTS	(DRM_ALINK_XPU_SEGMENT_READ | \
				 DRM_ALINK_XPU_SEGMENT_WRITE | \
				 DRM_ALINK_XPU_SEGMENT_ATOMIC)

/* Rights have the same bits in a handle, in the device, and in VM_BIND. */
static_assert(DRM_ALINK_XPU_SEGMENT_READ == ALINK_SEG_READ);
static_assert(DRM_ALINK_XPU_SEGMENT_WRITE == ALINK_SEG_WRITE);
static_assert(DRM_ALINK_XPU_SEGMENT_ATOMIC == ALINK_SEG_ATOMIC);
static_assert(DRM_ALINK_XPU_SEGMENT_READ == DRM_ALINK_XPU_VM_BIND_READ);
static_assert(DRM_ALINK_XPU_SEGMENT_WRITE == DRM_ALINK_XPU_VM_BIND_WRITE);
static_assert(DRM_ALINK_XPU_SEGMENT_ATOMIC == DRM_ALINK_XPU_VM_BIND_ATOMIC);

/* --- segments ----------------------------------------------------------- */

static void xpu_segment_free(struct xpu_segment *seg)
{
	alink_xpu_unpin(seg->bo);
	drm_gem_object_put(xpu_gem(seg->bo));
	put_pid(seg->pid);
	mutex_destroy(&seg->lock);
	kfree(seg);
}

static void xpu_segment_release(struct kref *ref)
{
	struct xpu_segment *seg = container_of(ref, struct xpu_segment, ref);

	xa_erase(&seg->xdev->segments, seg->id);
	xpu_segment_free(seg);
}

/**
 * alink_xpu_segment_destroy - revoke a segment
 * @seg:	segment whose id is gone; freed
 *
 * Returns when no access of others is in flight.
 */
void alink_xpu_segment_destroy(struct xpu_segment *seg)
{
	mutex_lock(&seg->lock);
	alink_xpu_admin_undo(seg->xdev, seg->generation,
			     ALINK_XPU_ADMIN_SEG_REVOKE, seg->id);
	seg->generation = 0;
	mutex_unlock(&seg->lock);
	kref_put(&seg->ref, xpu_segment_release);
}

/**
 * alink_xpu_segment_owner - alink_dev_ops.segment_owner
 * @adev:	device
 * @id:		segment
 * @owner:	filled in, if there is one that the caller may know
 *
 * Return: there is.
 */
bool alink_xpu_segment_owner(struct alink_dev *adev, u32 id,
			     struct alink_owner *owner)
{
	struct xpu_device *xdev = alink_dev_priv(adev);
	struct xpu_segment *seg;

	xa_lock(&xdev->segments);
	seg = xa_load(&xdev->segments, id);
	owner->pid = seg ? pid_vnr(seg->pid) : 0;
	if (owner->pid)
		strscpy(owner->comm, seg->comm);
	xa_unlock(&xdev->segments);
	return owner->pid;
}

/**
 * alink_xpu_segment_revoke - alink_dev_ops.segment_revoke
 * @adev:	device
 * @id:		segment
 *
 * The device forgets it, as in a reset, and its bindings to groups. Who made it
 * keeps its ids, which he gives back as if nothing had happened, and the memory.
 *
 * Return: 0 when no access of others is in flight; -ENOENT; -EINTR on a fatal
 * signal; an error by state; -EIO if the device does not answer, and is reset.
 */
int alink_xpu_segment_revoke(struct alink_dev *adev, u32 id)
{
	struct xpu_device *xdev = alink_dev_priv(adev);
	__le32 req = cpu_to_le32(id);
	struct xpu_segment *seg;
	int err;

	xa_lock(&xdev->segments);
	seg = xa_load(&xdev->segments, id);
	if (seg && !kref_get_unless_zero(&seg->ref))
		seg = NULL;
	xa_unlock(&xdev->segments);
	if (!seg)
		return -ENOENT;

	err = mutex_lock_killable(&seg->lock);
	if (err)
		goto out_put;
	/* Of one that a reset has taken the device knows nothing. */
	err = alink_xpu_admin_tlv(xdev, ALINK_XPU_ADMIN_SEG_REVOKE,
				  ALINK_TLV_ID, &req, sizeof(req), NULL);
	if (!err)
		seg->generation = 0;
	mutex_unlock(&seg->lock);
out_put:
	kref_put(&seg->ref, xpu_segment_release);
	return err;
}

static void xpu_segment_fill(const struct xpu_segment *seg, u32 rights,
			     u64 key, struct alink_xpu_segment *req)
{
	const struct xpu_bo *bo = seg->bo;
	unsigned int i;

	memset(req, 0, sizeof(*req));
	req->id = cpu_to_le32(seg->id);
	req->rights = cpu_to_le32(rights);
	req->key = cpu_to_le64(key);
	req->num_extents = cpu_to_le32(bo->num_pieces);
	for (i = 0; i < bo->num_pieces; i++) {
		req->extents[i].addr = cpu_to_le64(bo->pieces[i].start);
		req->extents[i].len = cpu_to_le64(bo->pieces[i].size);
	}
}

static bool xpu_can_export(struct xpu_device *xdev, const struct xpu_bo *bo)
{
	return bo->kind == XPU_BO_HBM && xdev->info.num_segments &&
	       xdev->fabric_id != ALINK_ID_NONE;
}

/*
 * Exports @bo, which gets another reference. It is pinned: that becomes the
 * segment's, or ends.
 */
static struct xpu_segment *xpu_segment_of(struct xpu_device *xdev,
					  struct xpu_bo *bo, u32 rights,
					  u64 key)
{
	struct alink_xpu_segment req;
	struct xpu_segment *seg;
	int err;

	seg = kzalloc(sizeof(*seg), GFP_KERNEL_ACCOUNT);
	if (!seg) {
		alink_xpu_unpin(bo);
		return ERR_PTR(-ENOMEM);
	}
	seg->xdev = xdev;
	kref_init(&seg->ref);
	mutex_init(&seg->lock);
	seg->pid = get_pid(task_tgid(current));
	get_task_comm(seg->comm, current);
	seg->bo = bo;
	drm_gem_object_get(xpu_gem(bo));
	err = xa_alloc(&xdev->segments, &seg->id, seg,
		       XA_LIMIT(0, xdev->info.num_segments - 1), GFP_KERNEL);
	if (err) {
		xpu_segment_free(seg);
		return ERR_PTR(err == -EBUSY ? -ENOSPC : err);
	}

	xpu_segment_fill(seg, rights, key, &req);
	mutex_lock(&seg->lock);
	err = alink_xpu_admin_tlv(xdev, ALINK_XPU_ADMIN_SEG_EXPORT,
				  ALINK_TLV_XPU_SEGMENT, &req, sizeof(req),
				  &seg->generation);
	mutex_unlock(&seg->lock);
	memzero_explicit(&req, sizeof(req));
	if (err) {
		kref_put(&seg->ref, xpu_segment_release);
		return ERR_PTR(err);
	}
	return seg;
}

/* Exports @bo, which gets another reference, and stays where it is in HBM. */
static struct xpu_segment *xpu_segment_create(struct xpu_device *xdev,
					      struct xpu_bo *bo, u32 rights,
					      u64 key)
{
	int err;

	if (!xpu_can_export(xdev, bo))
		return ERR_PTR(-EOPNOTSUPP);
	err = alink_xpu_pin(bo);
	if (err)
		return ERR_PTR(err);
	return xpu_segment_of(xdev, bo, rights, key);
}

static u64 xpu_new_key(void)
{
	u64 key;

	do {
		key = get_random_u64();
	} while (!key);
	return key;
}

int alink_xpu_segment_export_ioctl(struct drm_device *drm, void *data,
				   struct drm_file *file)
{
	struct drm_alink_xpu_segment_export *args = data;
	struct drm_alink_xpu_segment_handle *h = &args->segment;
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_device *xdev = to_xpu(drm);
	struct xpu_segment *seg;
	struct xpu_bo *bo;
	int err;

	if (args->flags || args->export_id || !args->rights ||
	    args->rights & ~XPU_SEGMENT_RIGHTS ||
	    memchr_inv(h, 0, sizeof(*h)))
		return -EINVAL;
	bo = alink_xpu_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;

	h->key = xpu_new_key();
	h->endpoint = xdev->fabric_id;
	h->rights = args->rights;
	h->size = xpu_gem(bo)->size;
	seg = xpu_segment_create(xdev, bo, args->rights, h->key);
	drm_gem_object_put(xpu_gem(bo));
	if (IS_ERR(seg)) {
		err = PTR_ERR(seg);
		goto err_clear;
	}
	h->segment = seg->id;

	err = xa_alloc(&xfile->exports, &args->export_id, seg, XPU_ID_LIMIT,
		       GFP_KERNEL_ACCOUNT);
	if (err) {
		alink_xpu_segment_destroy(seg);
		goto err_clear;
	}
	return 0;

err_clear:
	memset(h, 0, sizeof(*h));
	return err;
}

int alink_xpu_segment_revoke_ioctl(struct drm_device *drm, void *data,
				   struct drm_file *file)
{
	struct drm_alink_xpu_segment_revoke *args = data;
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_segment *seg;

	if (args->pad)
		return -EINVAL;
	seg = xa_erase(&xfile->exports, args->export_id);
	if (!seg)
		return -ENOENT;
	alink_xpu_segment_destroy(seg);
	return 0;
}

/* --- imports ------------------------------------------------------------ */

/* Called when the last user of the object is gone: nothing is bound. */
void alink_xpu_import_release(struct xpu_bo *bo)
{
	struct xpu_device *xdev = to_xpu(xpu_gem(bo)->dev);

	if (bo->generation)
		alink_xpu_admin_undo(xdev, bo->generation,
				     bo->kind == XPU_BO_GROUP ?
				     ALINK_XPU_ADMIN_GROUP_RELEASE :
				     ALINK_XPU_ADMIN_SEG_RELEASE, bo->slot);
	if (bo->slot != U32_MAX)
		xa_erase(&xdev->imports, bo->slot);
	alink_xpu_prime_release(bo);
}

/*
 * The device has slots of two kinds, the driver one table for both. Of those
 * for groups there are fewer: segments leave these numbers alone as long as
 * there are others.
 */
static int xpu_import_slot(struct xpu_device *xdev, struct xpu_bo *bo)
{
	u32 num = xdev->info.num_imports;
	u32 groups = min_t(u32, num, ALINK_MAX_GROUP_SLOTS);
	bool is_group = bo->kind == XPU_BO_GROUP;
	int err;

	if (!is_group && groups < num) {
		err = xa_alloc(&xdev->imports, &bo->slot, bo,
			       XA_LIMIT(groups, num - 1), GFP_KERNEL);
		if (err != -EBUSY)
			return err;
	}
	err = xa_alloc(&xdev->imports, &bo->slot, bo,
		       XA_LIMIT(0, (is_group ? groups : num) - 1), GFP_KERNEL);
	return err == -EBUSY ? -ENOSPC : err;
}

static struct xpu_bo *xpu_import(struct xpu_device *xdev,
				 enum xpu_bo_kind kind, u64 size,
				 struct alink_xpu_import *req)
{
	struct xpu_bo *bo;
	int err;

	if (!xdev->info.num_imports ||
	    xdev->fabric_id == ALINK_ID_NONE)
		return ERR_PTR(-EOPNOTSUPP);
	bo = alink_xpu_bo_alloc_special(xdev, kind, size);
	if (IS_ERR(bo))
		return bo;
	err = xpu_import_slot(xdev, bo);
	if (err) {
		bo->slot = U32_MAX;
		goto err_put;
	}

	req->slot = cpu_to_le32(bo->slot);
	err = alink_xpu_admin_tlv(xdev, kind == XPU_BO_GROUP ?
				  ALINK_XPU_ADMIN_GROUP_IMPORT :
				  ALINK_XPU_ADMIN_SEG_IMPORT,
				  ALINK_TLV_XPU_IMPORT, req, sizeof(*req),
				  &bo->generation);
	if (err)
		goto err_put;
	return bo;

err_put:
	drm_gem_object_put(xpu_gem(bo));
	return ERR_PTR(err);
}

static bool xpu_import_size_ok(u64 size)
{
	return size && IS_ALIGNED(size, XPU_PAGE_SIZE) &&
	       size <= ALINK_REMOTE_OFFSET_MASK;
}

int alink_xpu_segment_import_ioctl(struct drm_device *drm, void *data,
				   struct drm_file *file)
{
	struct drm_alink_xpu_segment_import *args = data;
	const struct drm_alink_xpu_segment_handle *h = &args->segment;
	struct xpu_device *xdev = to_xpu(drm);
	struct alink_xpu_import req = {
		.endpoint = cpu_to_le32(h->endpoint),
		.object = cpu_to_le32(h->segment),
		.key = cpu_to_le64(h->key),
	};
	struct xpu_bo *bo;
	int err;

	if (args->flags || args->handle || h->pad || !h->rights ||
	    h->rights & ~XPU_SEGMENT_RIGHTS || !h->key ||
	    !xpu_import_size_ok(h->size) ||
	    h->endpoint >= ALINK_MAX_ENDPOINTS ||
	    h->segment >= ALINK_MAX_SEGMENTS)
		return -EINVAL;

	bo = xpu_import(xdev, XPU_BO_SEGMENT, h->size, &req);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	/* The exporter's word for now; the fabric has the last one. */
	bo->rights = h->rights;
	err = drm_gem_handle_create(file, xpu_gem(bo), &args->handle);
	drm_gem_object_put(xpu_gem(bo));
	return err;
}

/**
 * alink_xpu_import_segment_of - import HBM of another xPU of this host
 * @xdev:	device
 * @theirs:	HBM object of the other, pinned by the caller, who holds it for as
 *		long as @seg
 * @rights:	DRM_ALINK_XPU_SEGMENT_* that are opened to us
 * @seg:	out: the segment, to be destroyed after the import
 *
 * Return: an object with one reference, or ERR_PTR.
 */
struct xpu_bo *alink_xpu_import_segment_of(struct xpu_device *xdev,
					   struct xpu_bo *theirs, u32 rights,
					   struct xpu_segment **seg)
{
	struct xpu_device *from = to_xpu(xpu_gem(theirs)->dev);
	struct alink_xpu_import req = {
		.endpoint = cpu_to_le32(from->fabric_id),
		.key = cpu_to_le64(xpu_new_key()),
	};
	struct xpu_bo *bo;
	int err;

	if (!xpu_can_export(from, theirs))
		err = -EOPNOTSUPP;
	else
		err = alink_xpu_pin_again(theirs);
	if (err) {
		bo = ERR_PTR(err);
		goto clear;
	}
	*seg = xpu_segment_of(from, theirs, rights, le64_to_cpu(req.key));
	if (IS_ERR(*seg)) {
		bo = ERR_CAST(*seg);
		goto clear;
	}
	req.object = cpu_to_le32((*seg)->id);
	bo = xpu_import(xdev, XPU_BO_SEGMENT, xpu_gem(theirs)->size, &req);
	if (IS_ERR(bo)) {
		alink_xpu_segment_destroy(*seg);
		goto clear;
	}
	bo->rights = rights;
clear:
	memzero_explicit(&req, sizeof(req));
	return bo;
}

/* --- groups ------------------------------------------------------------- */

static void xpu_group_free(struct xpu_group *group)
{
	xa_erase(&group->seg->xdev->groups, group->group);
	alink_xpu_segment_destroy(group->seg);
	kfree(group);
}

/**
 * alink_xpu_group_destroy - take our memory out of a group
 * @group:	binding whose id is gone; freed
 */
void alink_xpu_group_destroy(struct xpu_group *group)
{
	struct xpu_segment *seg = group->seg;

	/* A segment that was revoked has taken its binding with it. */
	mutex_lock(&seg->lock);
	alink_xpu_admin_undo(seg->xdev, seg->generation,
			     ALINK_XPU_ADMIN_GROUP_UNBIND, group->group);
	mutex_unlock(&seg->lock);
	xpu_group_free(group);
}

static struct xpu_group *
xpu_group_create(struct xpu_device *xdev, struct xpu_bo *bo,
		 const struct drm_alink_xpu_group_bind *args)
{
	struct alink_xpu_group_bind req = {
		.group = cpu_to_le32(args->group),
		.key = cpu_to_le64(args->key),
		.offset = cpu_to_le64(args->offset),
		.len = cpu_to_le64(args->size),
	};
	struct xpu_group *group;
	struct xpu_segment *seg;
	int err;

	group = kzalloc(sizeof(*group), GFP_KERNEL_ACCOUNT);
	if (!group)
		return ERR_PTR(-ENOMEM);
	group->group = args->group;
	/* A segment for nothing but this: its key is never told. */
	seg = xpu_segment_create(xdev, bo, ALINK_SEG_READ | ALINK_SEG_WRITE |
				 ALINK_SEG_GROUP, xpu_new_key());
	if (IS_ERR(seg)) {
		kfree(group);
		return ERR_CAST(seg);
	}
	group->seg = seg;
	err = xa_insert(&xdev->groups, args->group, group, GFP_KERNEL);
	if (err) {
		alink_xpu_segment_destroy(seg);
		kfree(group);
		return ERR_PTR(err == -EBUSY ? -EEXIST : err);
	}

	req.segment = cpu_to_le32(seg->id);
	err = alink_xpu_admin_tlv(xdev, ALINK_XPU_ADMIN_GROUP_BIND,
				  ALINK_TLV_XPU_GROUP_BIND, &req, sizeof(req),
				  NULL);
	if (err) {
		xpu_group_free(group);
		return ERR_PTR(err);
	}
	return group;
}

int alink_xpu_group_bind_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct drm_alink_xpu_group_bind *args = data;
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_group *group;
	struct xpu_bo *bo;
	int err;

	if (args->flags || args->bind_id || args->group >= ALINK_MAX_GROUPS ||
	    !args->key || !xpu_import_size_ok(args->size) ||
	    !IS_ALIGNED(args->offset, XPU_PAGE_SIZE))
		return -EINVAL;
	bo = alink_xpu_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	if (args->offset > xpu_gem(bo)->size ||
	    args->size > xpu_gem(bo)->size - args->offset)
		group = ERR_PTR(-EINVAL);
	else
		group = xpu_group_create(to_xpu(drm), bo, args);
	drm_gem_object_put(xpu_gem(bo));
	if (IS_ERR(group))
		return PTR_ERR(group);

	err = xa_alloc(&xfile->groups, &args->bind_id, group, XPU_ID_LIMIT,
		       GFP_KERNEL_ACCOUNT);
	if (err)
		alink_xpu_group_destroy(group);
	return err;
}

int alink_xpu_group_unbind_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file)
{
	struct drm_alink_xpu_group_unbind *args = data;
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_group *group;

	if (args->pad)
		return -EINVAL;
	group = xa_erase(&xfile->groups, args->bind_id);
	if (!group)
		return -ENOENT;
	alink_xpu_group_destroy(group);
	return 0;
}

int alink_xpu_group_import_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file)
{
	struct drm_alink_xpu_group_import *args = data;
	struct alink_xpu_import req = {
		.object = cpu_to_le32(args->group),
		.key = cpu_to_le64(args->key),
	};
	struct xpu_bo *bo;
	int err;

	if (args->flags || args->pad || args->handle ||
	    args->group >= ALINK_MAX_GROUPS || !args->key ||
	    !xpu_import_size_ok(args->size))
		return -EINVAL;
	bo = xpu_import(to_xpu(drm), XPU_BO_GROUP, args->size, &req);
	if (IS_ERR(bo))
		return PTR_ERR(bo);
	err = drm_gem_handle_create(file, xpu_gem(bo), &args->handle);
	drm_gem_object_put(xpu_gem(bo));
	return err;
}
