// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is not the library's own: of the process, of dma-bufs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <drm/alink_xpu.h>

#include "alink_priv.h"

#define RDWR	(DRM_ALINK_XPU_VM_BIND_READ | DRM_ALINK_XPU_VM_BIND_WRITE)

int alink_bo_user(struct alink_xpu *xpu, void *mem, uint64_t size,
		  struct alink_bo **out)
{
	struct alink_bo *bo;
	int err;

	if (!size || size % xpu->page || (uintptr_t)mem % xpu->page)
		return alink_fail(xpu->ctx, -EINVAL,
				  "%s: memory at %p, %llu bytes: both are to be multiples of %llu, and not 0",
				  xpu->node, mem, (unsigned long long)size,
				  (unsigned long long)xpu->page);
	bo = alink_bo_new(xpu, ALINK_BO_USER, size);
	if (!bo)
		return -ENOMEM;
	bo->map = mem;
	err = alink_bo_bind(bo, RDWR | DRM_ALINK_XPU_VM_BIND_ATOMIC);
	if (err) {
		free(bo);
		return err;
	}
	*out = bo;
	return 0;
}

int alink_bo_fd(struct alink_bo *bo, int *fd)
{
	struct drm_prime_handle prime = {
		.handle = bo->handle,
		.flags = DRM_CLOEXEC | DRM_RDWR,
	};
	struct alink_xpu *xpu = bo->xpu;
	int err;

	if (bo->kind != ALINK_BO_MEMORY)
		return alink_fail(xpu->ctx, -EOPNOTSUPP,
				  "%s: only memory of alink_bo_alloc() becomes a dma-buf",
				  xpu->node);
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	if (err)
		return alink_fail(xpu->ctx, err, "%s: dma-buf: %s", xpu->node,
				  strerror(-err));
	*fd = prime.fd;
	return 0;
}

int alink_bo_from_fd(struct alink_xpu *xpu, int fd, struct alink_bo **out)
{
	struct drm_prime_handle prime = { .fd = fd };
	struct drm_gem_close close = {};
	struct alink_bo *bo;
	off_t size;
	int err;

	err = xpu_ioctl(xpu->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	if (err)
		return alink_fail(xpu->ctx, err, "%s: file %d as a dma-buf: %s",
				  xpu->node, fd, strerror(-err));
	/* The size of a dma-buf is where its file ends. */
	size = lseek(fd, 0, SEEK_END);
	bo = alink_bo_new(xpu, ALINK_BO_DMABUF, size > 0 ? (uint64_t)size : 0);
	if (!bo) {
		close.handle = prime.handle;
		xpu_ioctl(xpu->fd, DRM_IOCTL_GEM_CLOSE, &close);
		return -ENOMEM;
	}
	bo->handle = prime.handle;
	err = alink_bo_bind(bo, RDWR);
	if (err) {
		alink_bo_free(bo);
		return err;
	}
	*out = bo;
	return 0;
}
