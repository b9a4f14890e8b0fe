/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of libalink share. */
#ifndef ALINK_PRIV_H
#define ALINK_PRIV_H

#include <errno.h>
#include <sys/ioctl.h>

#include "alink.h"

struct alink_nl;
struct drm_alink_xpu_vm_bind_op;

struct alink_ctx {
	char error[512];
	char root[256];
	struct alink_nl *nl;		/* opened when first used */
};

struct alink_xpu {
	struct alink_ctx *ctx;
	struct alink_xpu_info info;
	int fd;
	uint32_t vm;
	uint64_t va_next;
	uint64_t va_end;
	uint64_t page;
	uint64_t large_page;
	uint32_t db_size;
	uint32_t db_tail;
	char node[64];
};

enum alink_bo_kind {
	ALINK_BO_MEMORY,
	ALINK_BO_SEGMENT,
	ALINK_BO_GROUP,
	ALINK_BO_USER,			/* the caller's, no handle */
	ALINK_BO_DMABUF,		/* somebody's, by a file */
};

struct alink_bo {
	struct alink_xpu *xpu;
	enum alink_bo_kind kind;
	enum alink_place place;
	uint32_t handle;
	uint64_t size;
	uint64_t va;
	uint32_t rights;		/* DRM_ALINK_XPU_VM_BIND_* */
	void *map;
	uint32_t *exports;
	size_t num_exports;
	uint32_t *binds;		/* to groups */
	size_t num_binds;
};

/* Sets the error text and returns @err, so that callers can return it. */
int alink_fail(struct alink_ctx *ctx, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What is to be done with a route: 0, or a negative errno, which ends it */
typedef int alink_wiring_fn(void *arg, const struct alink_route_info *route);

/*
 * Calls @add for each route that the cabling allows, devices in their order,
 * endpoints in ascending order. Return: 0, -ENOMEM, or what @add said.
 */
int alink_wiring_routes(const struct alink_device_info *dev, size_t num_devs,
			const struct alink_link_info *link, size_t num_links,
			alink_wiring_fn *add, void *arg);

/* ioctl() that goes on after a signal: 0 or a negative errno */
static inline int xpu_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, request, arg);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret < 0 ? -errno : 0;
}

/* A buffer without handle and address; NULL: alink_error() is set */
struct alink_bo *alink_bo_new(struct alink_xpu *xpu, enum alink_bo_kind kind,
			      uint64_t size);
/* Gives it an address, with rights DRM_ALINK_XPU_VM_BIND_*. */
int alink_bo_bind(struct alink_bo *bo, uint32_t rights);
/* The operation that binds it where it belongs */
void alink_bo_bind_op(const struct alink_bo *bo,
		      struct drm_alink_xpu_vm_bind_op *op);
/* Handle of a syncobj; -EINVAL if that is of another xPU. */
int alink_sync_handle(const struct alink_xpu *xpu,
		      const struct alink_sync_point *at, uint32_t *handle);
/* CLOCK_MONOTONIC in @timeout_ms; for ever: INT64_MAX */
int64_t alink_deadline_ns(int timeout_ms);
/* -EAGAIN if the ring has no room for so many commands more. */
int alink_queue_reserve(struct alink_queue *q, uint32_t commands);
/* -EOPNOTSUPP if the xPU of the queue has no such function. */
int alink_queue_func(struct alink_queue *q, enum alink_xpu_func func);
/*
 * Where the block of the next command goes: good until that command is done.
 * Errors: as alink_cmd(), and as alink_bo_alloc() on the first call.
 */
int alink_queue_block(struct alink_queue *q, struct alink_xpu_compute **block,
		      uint64_t *va);

void alink_nl_close(struct alink_nl *nl);

#endif /* ALINK_PRIV_H */
