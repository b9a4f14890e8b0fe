// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fences of the kernel in syncobjs, and changes of an address space that wait for
 * them.
 */
#include <errno.h>
#include <linux/sync_file.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <drm/alink_xpu.h>

#include "alink_priv.h"

_Static_assert(ALINK_MAX_SYNCS == DRM_ALINK_XPU_MAX_SYNCS, "as the driver");
_Static_assert(ALINK_SYNC_MAX_LIFE_MS == DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
	       "as the driver");

struct alink_sync {
	struct alink_xpu *xpu;
	uint32_t handle;
};

int64_t alink_deadline_ns(int timeout_ms)
{
	struct timespec now;

	if (timeout_ms < 0)
		return INT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec +
	       timeout_ms * 1000000LL;
}

/* --- syncobjs ----------------------------------------------------------- */

static int handle_create(struct alink_xpu *xpu, uint32_t *handle)
{
	struct drm_syncobj_create create = {};
	int err = xpu_ioctl(xpu->fd, DRM_IOCTL_SYNCOBJ_CREATE, &create);

	*handle = create.handle;
	return err;
}

static void handle_destroy(struct alink_xpu *xpu, uint32_t handle)
{
	struct drm_syncobj_destroy destroy = { .handle = handle };

	xpu_ioctl(xpu->fd, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy);
}

/* A handle becomes the library's, or is gone. */
static int sync_wrap(struct alink_xpu *xpu, uint32_t handle,
		     struct alink_sync **out)
{
	struct alink_sync *sync = calloc(1, sizeof(*sync));

	if (!sync) {
		handle_destroy(xpu, handle);
		return alink_fail(xpu->ctx, -ENOMEM, "out of memory");
	}
	sync->xpu = xpu;
	sync->handle = handle;
	*out = sync;
	return 0;
}

int alink_sync_new(struct alink_xpu *xpu, struct alink_sync **out)
{
	uint32_t handle;
	int err = handle_create(xpu, &handle);

	if (err)
		return alink_fail(xpu->ctx, err, "%s: syncobj: %s", xpu->node,
				  strerror(-err));
	return sync_wrap(xpu, handle, out);
}

void alink_sync_free(struct alink_sync *sync)
{
	if (!sync)
		return;
	handle_destroy(sync->xpu, sync->handle);
	free(sync);
}

int alink_sync_fd(struct alink_sync *sync, int *fd)
{
	struct drm_syncobj_handle args = { .handle = sync->handle, .fd = -1 };
	struct alink_xpu *xpu = sync->xpu;
	int err = xpu_ioctl(xpu->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);

	if (err)
		return alink_fail(xpu->ctx, err, "%s: file of a syncobj: %s",
				  xpu->node, strerror(-err));
	*fd = args.fd;
	return 0;
}

int alink_sync_from_fd(struct alink_xpu *xpu, int fd, struct alink_sync **out)
{
	struct drm_syncobj_handle args = { .fd = fd };
	int err = xpu_ioctl(xpu->fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args);

	if (err)
		return alink_fail(xpu->ctx, err,
				  "%s: file %d as a syncobj: %s", xpu->node,
				  fd, strerror(-err));
	return sync_wrap(xpu, args.handle, out);
}

int alink_sync_handle(const struct alink_xpu *xpu,
		      const struct alink_sync_point *at, uint32_t *handle)
{
	if (at->sync->xpu != xpu)
		return alink_fail(xpu->ctx, -EINVAL,
				  "%s: a syncobj of %s: take it over with alink_sync_from_fd()",
				  xpu->node, at->sync->xpu->node);
	*handle = at->sync->handle;
	return 0;
}

/* --- waiting ------------------------------------------------------------ */

/* Of all fences behind a file: 0, or the first error of one */
static int file_error(int file, int *error)
{
	struct sync_file_info info = {};
	struct sync_fence_info *fences;
	int err;

	/* The first call counts: a point of a timeline has no error itself. */
	err = xpu_ioctl(file, SYNC_IOC_FILE_INFO, &info);
	if (err || !info.num_fences)
		return err;
	fences = calloc(info.num_fences, sizeof(*fences));
	if (!fences)
		return -ENOMEM;
	info.sync_fence_info = (uintptr_t)fences;
	err = xpu_ioctl(file, SYNC_IOC_FILE_INFO, &info);
	if (!err && info.status < 0)
		*error = info.status;
	free(fences);
	return err;
}

static int handle_error(struct alink_xpu *xpu, uint32_t handle, int *error)
{
	struct drm_syncobj_handle args = {
		.handle = handle,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
		.fd = -1,
	};
	int err = xpu_ioctl(xpu->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);

	if (err)
		return err;
	err = file_error(args.fd, error);
	close(args.fd);
	return err;
}

/* Only the fence that a syncobj has becomes a file, not one of its points. */
static int point_error(const struct alink_sync_point *at, int *error)
{
	struct alink_xpu *xpu = at->sync->xpu;
	struct drm_syncobj_transfer args = {
		.src_handle = at->sync->handle,
		.src_point = at->point,
	};
	int err;

	if (!at->point)
		return handle_error(xpu, at->sync->handle, error);
	err = handle_create(xpu, &args.dst_handle);
	if (err)
		return err;
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_SYNCOBJ_TRANSFER, &args);
	if (!err)
		err = handle_error(xpu, args.dst_handle, error);
	handle_destroy(xpu, args.dst_handle);
	return err;
}

int alink_sync_wait(const struct alink_sync_point *at, int timeout_ms)
{
	struct drm_syncobj_timeline_wait wait = {
		.handles = (uintptr_t)&at->sync->handle,
		.points = (uintptr_t)&at->point,
		.timeout_nsec = alink_deadline_ns(timeout_ms),
		.count_handles = 1,
		.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
	};
	struct alink_xpu *xpu = at->sync->xpu;
	int err, error = 0;

	err = xpu_ioctl(xpu->fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait);
	if (err == -ETIME)
		return alink_fail(xpu->ctx, err,
				  "%s: point %llu not signalled in %d ms",
				  xpu->node, (unsigned long long)at->point,
				  timeout_ms);
	if (!err)
		err = point_error(at, &error);
	if (err)
		return alink_fail(xpu->ctx, err, "%s: wait for a syncobj: %s",
				  xpu->node, strerror(-err));
	if (error)
		return alink_fail(xpu->ctx, error,
				  "%s: point %llu ended with an error: %s",
				  xpu->node, (unsigned long long)at->point,
				  strerror(-error));
	return 0;
}

/* --- binding ------------------------------------------------------------ */

static int bind_async(struct alink_bo *bo, struct drm_alink_xpu_vm_bind_op *op,
		      const struct alink_sync_point *in, size_t num_in,
		      const struct alink_sync_point *out)
{
	struct drm_alink_xpu_sync syncs[ALINK_MAX_SYNCS] = {};
	struct alink_xpu *xpu = bo->xpu;
	struct drm_alink_xpu_vm_bind bind = {
		.vm_id = xpu->vm,
		.flags = DRM_ALINK_XPU_VM_BIND_ASYNC,
		.num_binds = 1,
		.binds = (uintptr_t)op,
	};
	size_t i, n = num_in;
	int err;

	if (num_in > ALINK_MAX_SYNCS - !!out)
		return alink_fail(xpu->ctx, -E2BIG,
				  "%zu points to wait for: %d are possible",
				  num_in, ALINK_MAX_SYNCS - !!out);
	for (i = 0; i < num_in; i++) {
		syncs[i].point = in[i].point;
		err = alink_sync_handle(xpu, &in[i], &syncs[i].handle);
		if (err)
			return err;
	}
	if (out) {
		syncs[n].point = out->point;
		syncs[n].flags = DRM_ALINK_XPU_SYNC_SIGNAL;
		err = alink_sync_handle(xpu, out, &syncs[n++].handle);
		if (err)
			return err;
	}
	bind.num_syncs = (uint32_t)n;
	bind.syncs = n ? (uintptr_t)syncs : 0;
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &bind);
	if (err)
		return alink_fail(xpu->ctx, err, "%s: %s: %s", xpu->node,
				  op->op == DRM_ALINK_XPU_VM_BIND_UNMAP ?
				  "unbind later" : "bind later",
				  err == -EINVAL && num_in ?
				  "a point to wait for has no fence yet" :
				  err == -ENOSPC ?
				  "too many such calls are not over yet" :
				  strerror(-err));
	return 0;
}

int alink_bo_bind_async(struct alink_bo *bo, const struct alink_sync_point *in,
			size_t num_in, const struct alink_sync_point *out)
{
	struct drm_alink_xpu_vm_bind_op op;

	alink_bo_bind_op(bo, &op);
	return bind_async(bo, &op, in, num_in, out);
}

int alink_bo_unbind_async(struct alink_bo *bo,
			  const struct alink_sync_point *in, size_t num_in,
			  const struct alink_sync_point *out)
{
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_UNMAP,
		.addr = bo->va,
		.range = bo->size,
	};

	return bind_async(bo, &op, in, num_in, out);
}
