// SPDX-License-Identifier: GPL-2.0-only
/* Opening an xPU; its memory, exports, imports and groups. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/alink_xpu.h>

#include "alink_priv.h"

#define ACCEL_DIR	"/dev/accel"
#define DRIVER_NAME	"alink_xpu"
#define ALL_RIGHTS	(DRM_ALINK_XPU_VM_BIND_READ |	\
			 DRM_ALINK_XPU_VM_BIND_WRITE |	\
			 DRM_ALINK_XPU_VM_BIND_ATOMIC)

/* Restarts what a signal interrupted, as the uAPI allows for every call. */
static int xpu_query(int fd, uint32_t what, void *data, uint32_t size)
{
	struct drm_alink_xpu_query q = {
		.query = what,
		.size = size,
		.data = (uintptr_t)data,
	};

	memset(data, 0, size);
	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_QUERY, &q);
}

/* An accel node may belong to somebody else's driver. */
static bool xpu_is_ours(int fd)
{
	char name[32] = "";
	struct drm_version v = { .name = name, .name_len = sizeof(name) - 1 };

	return !xpu_ioctl(fd, DRM_IOCTL_VERSION, &v) &&
	       !strncmp(name, DRIVER_NAME, sizeof(name));
}

static void xpu_take_info(struct alink_xpu *xpu,
			  const struct drm_alink_xpu_query_device *d)
{
	xpu->info.index = d->index;
	xpu->info.variant = d->variant;
	xpu->info.fabric_id = d->fabric_id;
	xpu->info.num_dies = d->num_dies;
	xpu->info.num_links = d->num_links;
	xpu->info.dtypes = d->dtypes;
	xpu->info.compute_funcs = d->compute_funcs;
	xpu->info.compute_dtypes = d->compute_dtypes;
	xpu->info.caps = d->caps;
	xpu->info.hbm_bytes = d->hbm_size;
	xpu->info.hbm_visible_bytes = d->hbm_visible;
	xpu->info.serial = d->serial;
	snprintf(xpu->info.name, sizeof(xpu->info.name), "%.31s", d->name);
	xpu->page = d->min_page_size;
	xpu->large_page = d->large_page_size;
	xpu->db_size = d->doorbell_size;
	xpu->db_tail = d->doorbell_tail;
	xpu->va_next = d->va_start;
	xpu->va_end = d->va_end;
}

/* Opens the node and asks what it is: no address space yet. */
static int xpu_open_node(struct alink_ctx *ctx, uint32_t minor,
			 struct alink_xpu **out)
{
	struct drm_alink_xpu_query_device d = {};
	struct alink_xpu *xpu;
	int err;

	xpu = calloc(1, sizeof(*xpu));
	if (!xpu)
		return alink_fail(ctx, -ENOMEM, "out of memory");
	xpu->ctx = ctx;
	xpu->info.accel_minor = minor;
	snprintf(xpu->node, sizeof(xpu->node), ACCEL_DIR "/accel%u", minor);
	xpu->fd = open(xpu->node, O_RDWR | O_CLOEXEC);
	if (xpu->fd < 0) {
		err = -errno;
		if (err == -EACCES)
			alink_fail(ctx, err,
				   "%s: no permission: be root or join its group (see ls -l)",
				   xpu->node);
		else
			alink_fail(ctx, err, "%s: %s", xpu->node,
				   strerror(-err));
		goto err_free;
	}
	if (!xpu_is_ours(xpu->fd)) {
		err = alink_fail(ctx, -ENODEV, "%s: not an ALink xPU",
				 xpu->node);
		goto err_close;
	}
	err = xpu_query(xpu->fd, DRM_ALINK_XPU_QUERY_DEVICE, &d, sizeof(d));
	if (err) {
		alink_fail(ctx, err, "%s: query: %s", xpu->node,
			   strerror(-err));
		goto err_close;
	}
	xpu_take_info(xpu, &d);
	*out = xpu;
	return 0;

err_close:
	close(xpu->fd);
err_free:
	free(xpu);
	return err;
}

static int xpu_make_vm(struct alink_xpu *xpu)
{
	struct drm_alink_xpu_vm_create vm = {};
	int err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_VM_CREATE, &vm);

	if (err)
		return alink_fail(xpu->ctx, err, "%s: address space: %s",
				  xpu->node, err == -ENOSPC ?
				  "all contexts of the device are in use" :
				  strerror(-err));
	xpu->vm = vm.vm_id;
	return 0;
}

int alink_xpu_open_minor(struct alink_ctx *ctx, uint32_t minor,
			 struct alink_xpu **out)
{
	struct alink_xpu *xpu;
	int err = xpu_open_node(ctx, minor, &xpu);

	if (err)
		return err;
	err = xpu_make_vm(xpu);
	if (err) {
		alink_xpu_close(xpu);
		return err;
	}
	*out = xpu;
	return 0;
}

int alink_xpu_open(struct alink_ctx *ctx, uint32_t fabric_id,
		   struct alink_xpu **out)
{
	struct alink_xpu *xpu;
	struct dirent *e;
	int err, refused = 0;
	unsigned int minor;
	DIR *dir;

	dir = opendir(ACCEL_DIR);
	if (!dir)
		return alink_fail(ctx, -ENODEV,
				  "no " ACCEL_DIR ": is alink_xpu.ko loaded? (modprobe alink_xpu)");
	while ((e = readdir(dir))) {
		if (sscanf(e->d_name, "accel%u", &minor) != 1)
			continue;
		err = xpu_open_node(ctx, minor, &xpu);
		if (err) {
			if (err == -EACCES)
				refused = err;
			continue;
		}
		if (xpu->info.fabric_id != fabric_id) {
			alink_xpu_close(xpu);
			continue;
		}
		closedir(dir);
		err = xpu_make_vm(xpu);
		if (err)
			alink_xpu_close(xpu);
		else
			*out = xpu;
		return err;
	}
	closedir(dir);
	if (refused)
		return alink_fail(ctx, refused,
				  ACCEL_DIR ": no permission: be root or join the group of its nodes");
	return alink_fail(ctx, -ENODEV, "no xPU with fabric id %u (alink list)",
			  fabric_id);
}

void alink_xpu_close(struct alink_xpu *xpu)
{
	if (!xpu)
		return;
	close(xpu->fd);
	free(xpu);
}

const struct alink_xpu_info *alink_xpu_info(const struct alink_xpu *xpu)
{
	return &xpu->info;
}

int alink_xpu_fd(const struct alink_xpu *xpu)
{
	return xpu->fd;
}

int alink_xpu_counters(struct alink_xpu *xpu, struct alink_xpu_counters *c)
{
	struct drm_alink_xpu_query_counters k;
	struct drm_alink_xpu_query_memory m;
	int err;

	err = xpu_query(xpu->fd, DRM_ALINK_XPU_QUERY_COUNTERS, &k, sizeof(k));
	if (!err)
		err = xpu_query(xpu->fd, DRM_ALINK_XPU_QUERY_MEMORY, &m,
				sizeof(m));
	if (err)
		return alink_fail(xpu->ctx, err, "%s: counters: %s", xpu->node,
				  strerror(-err));
	*c = (struct alink_xpu_counters) {
		.clock_ns = k.clock_ns,
		.busy_ns = k.busy_ns,
		.commands = k.commands,
		.irqs = k.irqs,
		.doorbells = k.doorbells,
		.guest_errors = k.guest_errors,
		.hbm_total = m.hbm_total,
		.hbm_used = m.hbm_used,
	};
	return 0;
}

/*
 * Addresses are handed out once and never again: 2^47 bytes last, and a stale
 * address faults instead of meeting somebody else's buffer.
 */
static int bo_take_va(struct alink_bo *bo, uint32_t rights)
{
	struct alink_xpu *xpu = bo->xpu;
	uint64_t align = bo->size >= xpu->large_page ? xpu->large_page :
						       xpu->page;
	uint64_t va = (xpu->va_next + align - 1) / align * align;

	if (va >= xpu->va_end || bo->size > xpu->va_end - va)
		return alink_fail(xpu->ctx, -ENOSPC,
				  "%s: address space used up", xpu->node);
	bo->va = va;
	bo->rights = rights;
	xpu->va_next = va + bo->size;
	return 0;
}

void alink_bo_bind_op(const struct alink_bo *bo,
		      struct drm_alink_xpu_vm_bind_op *op)
{
	*op = (struct drm_alink_xpu_vm_bind_op) {
		.op = DRM_ALINK_XPU_VM_BIND_MAP,
		.flags = bo->rights,
		.handle = bo->handle,
		.addr = bo->va,
		.range = bo->size,
	};
	if (bo->kind == ALINK_BO_USER) {
		op->op = DRM_ALINK_XPU_VM_BIND_MAP_USER;
		op->offset = (uintptr_t)bo->map;
	}
}

int alink_bo_bind(struct alink_bo *bo, uint32_t rights)
{
	struct alink_xpu *xpu = bo->xpu;
	uint64_t before = xpu->va_next;
	struct drm_alink_xpu_vm_bind_op op;
	struct drm_alink_xpu_vm_bind bind = {
		.vm_id = xpu->vm,
		.num_binds = 1,
		.binds = (uintptr_t)&op,
	};
	int err = bo_take_va(bo, rights);

	if (err)
		return err;
	alink_bo_bind_op(bo, &op);
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &bind);
	if (!err)
		return 0;
	/* Nobody has seen the address. */
	bo->va = 0;
	xpu->va_next = before;
	return alink_fail(xpu->ctx, err, "%s: bind %llu bytes: %s", xpu->node,
			  (unsigned long long)bo->size, strerror(-err));
}

struct alink_bo *alink_bo_new(struct alink_xpu *xpu, enum alink_bo_kind kind,
			      uint64_t size)
{
	struct alink_bo *bo = calloc(1, sizeof(*bo));

	if (!bo) {
		alink_fail(xpu->ctx, -ENOMEM, "out of memory");
		return NULL;
	}
	bo->xpu = xpu;
	bo->kind = kind;
	bo->size = size;
	return bo;
}

/* Memory without an address */
static int bo_create(struct alink_xpu *xpu, uint64_t size,
		     enum alink_place place, struct alink_bo **out)
{
	static const uint32_t flags[] = {
		[ALINK_PLACE_HOST] = DRM_ALINK_XPU_GEM_HOST,
		[ALINK_PLACE_HBM] = DRM_ALINK_XPU_GEM_HBM,
		[ALINK_PLACE_HBM_CPU] = DRM_ALINK_XPU_GEM_HBM |
					DRM_ALINK_XPU_GEM_NEEDS_CPU,
	};
	struct drm_alink_xpu_gem_create create = { .size = size };
	struct alink_bo *bo;
	int err;

	if ((unsigned int)place >= sizeof(flags) / sizeof(flags[0]))
		return alink_fail(xpu->ctx, -EINVAL, "no such place: %d",
				  place);
	bo = alink_bo_new(xpu, ALINK_BO_MEMORY, size);
	if (!bo)
		return -ENOMEM;
	bo->place = place;
	create.flags = flags[place];
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_GEM_CREATE, &create);
	if (err) {
		alink_fail(xpu->ctx, err, "%s: allocate %llu bytes of %s: %s",
			   xpu->node, (unsigned long long)size,
			   place == ALINK_PLACE_HOST ? "system memory" : "HBM",
			   strerror(-err));
		free(bo);
		return err;
	}
	bo->handle = create.handle;
	bo->size = create.size;
	*out = bo;
	return 0;
}

int alink_bo_alloc(struct alink_xpu *xpu, uint64_t size, enum alink_place place,
		   struct alink_bo **out)
{
	struct alink_bo *bo;
	int err = bo_create(xpu, size, place, &bo);

	if (err)
		return err;
	err = alink_bo_bind(bo, ALL_RIGHTS);
	if (err) {
		alink_bo_free(bo);
		return err;
	}
	*out = bo;
	return 0;
}

int alink_bo_alloc_unbound(struct alink_xpu *xpu, uint64_t size,
			   enum alink_place place, struct alink_bo **out)
{
	struct alink_bo *bo;
	int err = bo_create(xpu, size, place, &bo);

	if (err)
		return err;
	err = bo_take_va(bo, ALL_RIGHTS);
	if (err) {
		alink_bo_free(bo);
		return err;
	}
	*out = bo;
	return 0;
}

/* A binding holds the memory, and lets the group at it, as long as the file. */
static void group_unbind(struct alink_bo *bo)
{
	struct drm_alink_xpu_group_unbind unbind = {};
	size_t i;

	for (i = 0; i < bo->num_binds; i++) {
		unbind.bind_id = bo->binds[i];
		xpu_ioctl(bo->xpu->fd, DRM_IOCTL_ALINK_XPU_GROUP_UNBIND,
			  &unbind);
	}
	free(bo->binds);
	bo->binds = NULL;
	bo->num_binds = 0;
}

void alink_bo_free(struct alink_bo *bo)
{
	struct drm_gem_close close = {};
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_UNMAP,
	};
	struct drm_alink_xpu_vm_bind bind = {
		.num_binds = 1,
		.binds = (uintptr_t)&op,
	};

	if (!bo)
		return;
	if (bo->map && bo->kind != ALINK_BO_USER)
		munmap(bo->map, bo->size);
	alink_revoke(bo);
	group_unbind(bo);
	if (bo->va) {
		bind.vm_id = bo->xpu->vm;
		op.addr = bo->va;
		op.range = bo->size;
		xpu_ioctl(bo->xpu->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &bind);
	}
	if (bo->kind != ALINK_BO_USER) {
		close.handle = bo->handle;
		xpu_ioctl(bo->xpu->fd, DRM_IOCTL_GEM_CLOSE, &close);
	}
	free(bo);
}

uint64_t alink_bo_va(const struct alink_bo *bo)
{
	return bo->va;
}

uint64_t alink_bo_size(const struct alink_bo *bo)
{
	return bo->size;
}

void *alink_bo_map(struct alink_bo *bo)
{
	struct drm_alink_xpu_gem_mmap_offset off = { .handle = bo->handle };
	struct alink_xpu *xpu = bo->xpu;
	void *map;
	int err;

	if (bo->map)
		return bo->map;
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_GEM_MMAP_OFFSET, &off);
	if (err) {
		alink_fail(xpu->ctx, err, "%s: map: %s", xpu->node,
			   err == -EOPNOTSUPP ?
			   "the CPU cannot reach this buffer (ALINK_PLACE_HBM_CPU can be mapped)" :
			   strerror(-err));
		return NULL;
	}
	map = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, xpu->fd,
		   (off_t)off.offset);
	if (map == MAP_FAILED) {
		alink_fail(xpu->ctx, -errno, "%s: map: %s", xpu->node,
			   strerror(errno));
		return NULL;
	}
	bo->map = map;
	return map;
}

int alink_export(struct alink_bo *bo, uint32_t rights, struct alink_handle *h)
{
	struct drm_alink_xpu_segment_export exp = { .handle = bo->handle };
	struct alink_xpu *xpu = bo->xpu;
	uint32_t *grown;
	int err;

	if (rights & ALINK_SEG_READ)
		exp.rights |= DRM_ALINK_XPU_SEGMENT_READ;
	if (rights & ALINK_SEG_WRITE)
		exp.rights |= DRM_ALINK_XPU_SEGMENT_WRITE;
	if (rights & ALINK_SEG_ATOMIC)
		exp.rights |= DRM_ALINK_XPU_SEGMENT_ATOMIC;
	grown = realloc(bo->exports, (bo->num_exports + 1) * sizeof(*grown));
	if (!grown)
		return alink_fail(xpu->ctx, -ENOMEM, "out of memory");
	bo->exports = grown;
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT, &exp);
	if (err)
		return alink_fail(xpu->ctx, err, "%s: export: %s", xpu->node,
				  err == -EOPNOTSUPP ?
				  "only HBM of an xPU with a fabric id can be exported" :
				  strerror(-err));
	bo->exports[bo->num_exports++] = exp.export_id;
	*h = (struct alink_handle) {
		.endpoint = exp.segment.endpoint,
		.segment = exp.segment.segment,
		.key = exp.segment.key,
		.size = exp.segment.size,
		.rights = rights,
	};
	return 0;
}

int alink_revoke(struct alink_bo *bo)
{
	struct drm_alink_xpu_segment_revoke rev = {};
	int err, first = 0;
	size_t i;

	for (i = 0; i < bo->num_exports; i++) {
		rev.export_id = bo->exports[i];
		err = xpu_ioctl(bo->xpu->fd,
				DRM_IOCTL_ALINK_XPU_SEGMENT_REVOKE, &rev);
		if (err && !first)
			first = alink_fail(bo->xpu->ctx, err, "%s: revoke: %s",
					   bo->xpu->node, strerror(-err));
	}
	free(bo->exports);
	bo->exports = NULL;
	bo->num_exports = 0;
	return first;
}

int alink_import(struct alink_xpu *xpu, const struct alink_handle *h,
		 struct alink_bo **out)
{
	struct drm_alink_xpu_segment_import imp = {
		.segment = {
			.endpoint = h->endpoint,
			.segment = h->segment,
			.key = h->key,
			.size = h->size,
		},
	};
	uint32_t rights = 0;
	struct alink_bo *bo;
	int err;

	if (h->rights & ALINK_SEG_READ) {
		imp.segment.rights |= DRM_ALINK_XPU_SEGMENT_READ;
		rights |= DRM_ALINK_XPU_VM_BIND_READ;
	}
	if (h->rights & ALINK_SEG_WRITE) {
		imp.segment.rights |= DRM_ALINK_XPU_SEGMENT_WRITE;
		rights |= DRM_ALINK_XPU_VM_BIND_WRITE;
	}
	if (h->rights & ALINK_SEG_ATOMIC) {
		imp.segment.rights |= DRM_ALINK_XPU_SEGMENT_ATOMIC;
		rights |= DRM_ALINK_XPU_VM_BIND_ATOMIC;
	}
	bo = alink_bo_new(xpu, ALINK_BO_SEGMENT, h->size);
	if (!bo)
		return -ENOMEM;
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_SEGMENT_IMPORT, &imp);
	if (err) {
		alink_fail(xpu->ctx, err,
			   "%s: import segment %u of endpoint %u: %s",
			   xpu->node, h->segment, h->endpoint, strerror(-err));
		free(bo);
		return err;
	}
	bo->handle = imp.handle;
	err = alink_bo_bind(bo, rights);
	if (err) {
		alink_bo_free(bo);
		return err;
	}
	*out = bo;
	return 0;
}

int alink_group_bind(struct alink_bo *bo, uint32_t group, uint64_t key,
		     uint64_t offset, uint64_t size)
{
	struct drm_alink_xpu_group_bind bind = {
		.group = group,
		.key = key,
		.handle = bo->handle,
		.offset = offset,
		.size = size,
	};
	uint32_t *list;
	int err;

	list = realloc(bo->binds, (bo->num_binds + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	bo->binds = list;
	err = xpu_ioctl(bo->xpu->fd, DRM_IOCTL_ALINK_XPU_GROUP_BIND, &bind);
	if (err)
		return alink_fail(bo->xpu->ctx, err,
				  "%s: bind memory to group %u: %s (alink group show)",
				  bo->xpu->node, group, strerror(-err));
	bo->binds[bo->num_binds++] = bind.bind_id;
	return 0;
}

int alink_group_map(struct alink_xpu *xpu, uint32_t group, uint64_t key,
		    uint64_t size, struct alink_bo **out)
{
	struct drm_alink_xpu_group_import imp = {
		.group = group,
		.key = key,
		.size = size,
	};
	struct alink_bo *bo = alink_bo_new(xpu, ALINK_BO_GROUP, size);
	int err;

	if (!bo)
		return -ENOMEM;
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_GROUP_IMPORT, &imp);
	if (err) {
		alink_fail(xpu->ctx, err, "%s: map group %u: %s", xpu->node,
			   group, strerror(-err));
		free(bo);
		return err;
	}
	bo->handle = imp.handle;
	err = alink_bo_bind(bo, DRM_ALINK_XPU_VM_BIND_READ |
				DRM_ALINK_XPU_VM_BIND_WRITE);
	if (err) {
		alink_bo_free(bo);
		return err;
	}
	*out = bo;
	return 0;
}
