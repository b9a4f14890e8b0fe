// SPDX-License-Identifier: GPL-2.0-only
/*
 * QUERY, and usage figures in fdinfo.
 */
#include <linux/bitmap.h>
#include <linux/idr.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <net/net_namespace.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "alink_xpu_drv.h"

/* --- answers ------------------------------------------------------------ */

static void xpu_query_device(struct xpu_device *xdev, void *data)
{
	struct drm_alink_xpu_query_device *d = data;
	const struct xpu_info *info = &xdev->info;
	struct alink_dev *adev = xdev->adev;

	d->serial = alink_dev_serial(adev);
	d->caps = alink_dev_caps(adev);
	d->hbm_size = info->hbm_size;
	d->hbm_visible = info->hbm_visible;
	d->va_start = XPU_VA_START;
	d->va_end = XPU_VA_END;
	d->fabric_id = xdev->fabric_id;
	d->index = alink_dev_index(adev);
	d->variant = alink_dev_variant(adev);
	d->hw_version = alink_rd32(adev, ALINK_REG_VERSION);
	d->fw_version = alink_dev_fw_version(adev);
	d->generation = alink_rd32(adev, ALINK_REG_GENERATION);
	d->dtypes = info->dtypes;
	d->num_dies = info->num_dies;
	d->num_rings = info->num_rings;
	d->num_links = alink_dev_num_links(adev);
	/* One of each is the kernel's. */
	d->max_queues = info->num_queues - 1;
	d->max_vms = info->num_ctx - 1;
	d->max_imports = info->num_imports;
	d->max_segments = info->num_segments;
	d->max_ring_entries = XPU_MAX_RING;
	d->min_page_size = XPU_PAGE_SIZE;
	d->large_page_size = XPU_LARGE_PAGE_SIZE;
	d->doorbell_size = ALINK_XPU_DB_STRIDE;
	d->doorbell_tail = ALINK_XPU_DB_TAIL;
	d->max_desc_len = ALINK_XPU_MAX_LEN;
	strscpy(d->name, info->name, sizeof(d->name));
	d->compute_funcs = info->compute_funcs;
	d->compute_dtypes = info->compute_dtypes;
	d->slice_us = info->slice_us;
	d->starve_us = info->starve_us;
	d->max_user_range = DRM_ALINK_XPU_MAX_USER_RANGE;
	d->max_binds = DRM_ALINK_XPU_MAX_BINDS;
	d->max_syncs = DRM_ALINK_XPU_MAX_SYNCS;
	d->max_async_binds = DRM_ALINK_XPU_MAX_ASYNC_BINDS;
	d->max_syncobj_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS;
	d->max_fences = DRM_ALINK_XPU_MAX_FENCES;
	d->max_hbm_pieces = ALINK_XPU_SEG_MAX_EXTENTS;
}

static void xpu_query_memory(struct xpu_device *xdev, void *data)
{
	alink_xpu_hbm_usage(xdev, data);
	alink_xpu_evict_usage(xdev, data);
}

static void xpu_query_counters(struct xpu_device *xdev, void *data)
{
	struct drm_alink_xpu_query_counters *c = data;
	struct alink_dev *adev = xdev->adev;

	c->clock_ns = alink_rd64(adev, ALINK_REG_CLOCK);
	c->busy_ns = alink_rd64(adev, ALINK_XPU_REG_BUSY_NS);
	c->commands = alink_rd64(adev, ALINK_XPU_REG_COMMANDS);
	c->irqs = alink_rd64(adev, ALINK_XPU_REG_IRQS);
	c->doorbells = alink_rd64(adev, ALINK_XPU_REG_DOORBELLS);
	c->guest_errors = alink_rd32(adev, ALINK_REG_GUEST_ERRORS);
}

static u32 xpu_link_ifindex(struct alink_dev *adev, unsigned int n)
{
	struct net_device *netdev = alink_port_netdev(adev, n);

	if (!netdev || !net_eq(dev_net(netdev), current->nsproxy->net_ns))
		return 0;
	return netdev->ifindex;
}

static void xpu_query_links(struct xpu_device *xdev, void *data)
{
	struct drm_alink_xpu_query_link *link = data;
	struct alink_dev *adev = xdev->adev;
	unsigned int n, base;
	u32 port;

	for (n = 0; n < alink_dev_num_links(adev); n++, link++) {
		base = ALINK_LINK_WINDOW(n);
		link->state = alink_rd32(adev, base + ALINK_LINK_STATE);
		link->reason = alink_rd32(adev, base + ALINK_LINK_REASON);
		link->speed_mbps = alink_rd32(adev, base + ALINK_LINK_SPEED);
		link->max_speed_mbps = alink_rd32(adev, base +
						  ALINK_LINK_MAX_SPEED);
		link->peer_id = alink_rd32(adev, base + ALINK_LINK_PEER_ID);
		port = alink_rd32(adev, base + ALINK_LINK_PEER_PORT);
		if (port != ALINK_ID_NONE) {
			link->peer_type = port >> 24;
			link->peer_port = port & GENMASK(23, 0);
		}
		link->ifindex = xpu_link_ifindex(adev, n);
	}
}

/* --- ioctl -------------------------------------------------------------- */

/**
 * struct xpu_query - one kind of answer
 * @fill:	fills a zeroed buffer
 * @size:	bytes of an element
 * @array:	one element per link, instead of one
 * @live:	reads registers, which must not happen during a reset
 */
struct xpu_query {
	void (*fill)(struct xpu_device *xdev, void *data);
	u32 size;
	bool array;
	bool live;
};

static const struct xpu_query xpu_queries[] = {
	[DRM_ALINK_XPU_QUERY_DEVICE] = {
		.fill = xpu_query_device,
		.size = sizeof(struct drm_alink_xpu_query_device),
		.live = true,
	},
	[DRM_ALINK_XPU_QUERY_MEMORY] = {
		.fill = xpu_query_memory,
		.size = sizeof(struct drm_alink_xpu_query_memory),
	},
	[DRM_ALINK_XPU_QUERY_COUNTERS] = {
		.fill = xpu_query_counters,
		.size = sizeof(struct drm_alink_xpu_query_counters),
		.live = true,
	},
	[DRM_ALINK_XPU_QUERY_LINKS] = {
		.fill = xpu_query_links,
		.size = sizeof(struct drm_alink_xpu_query_link),
		.array = true,
		.live = true,
	},
};

static int xpu_query_fill(struct xpu_device *xdev, const struct xpu_query *q,
			  void *data)
{
	int err;

	if (!q->live) {
		q->fill(xdev, data);
		return 0;
	}
	down_read(&xdev->reset_lock);
	err = alink_xpu_state_errno(xdev);
	if (!err) {
		q->fill(xdev, data);
		/* It may have gone meanwhile: then this is all ones. */
		if (alink_dev_lost(xdev->adev))
			err = -ENODEV;
	}
	up_read(&xdev->reset_lock);
	return err;
}

int alink_xpu_query_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_alink_xpu_query *args = data;
	struct xpu_device *xdev = to_xpu(drm);
	const struct xpu_query *q;
	u32 size, len = 0;
	void *buf = NULL;
	int idx, err = 0;

	if (args->query >= ARRAY_SIZE(xpu_queries))
		return -EINVAL;
	q = &xpu_queries[array_index_nospec(args->query,
					    ARRAY_SIZE(xpu_queries))];

	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	size = q->size;
	if (q->array)
		size *= alink_dev_num_links(xdev->adev);
	if (args->size) {
		len = min(args->size, size);
		if (q->array)
			len -= len % q->size;
		if (!len && size)
			err = -ENOSPC;
		if (!err)
			buf = kzalloc(size, GFP_KERNEL);
		if (!err && !buf)
			err = -ENOMEM;
		if (!err)
			err = xpu_query_fill(xdev, q, buf);
	}
	drm_dev_exit(idx);

	/* Out here: a fault that user space stalls must not hold up removal. */
	if (!err && buf && copy_to_user(u64_to_user_ptr(args->data), buf, len))
		err = -EFAULT;
	if (!err)
		args->size = buf ? len : size;
	kfree(buf);
	return err;
}

/* --- fdinfo ------------------------------------------------------------- */

/* Which of the objects in its VM a queue works on, nobody sees: all may be. */
static void xpu_mark_context(struct xpu_queue *q, void *busy)
{
	__set_bit(q->vm->ctx, busy);
}

/* Is it bound in one of these contexts, also those of other files? */
static bool xpu_bo_is_active(struct xpu_bo *bo, const unsigned long *busy)
{
	struct drm_gpuvm_bo *vm_bo;
	bool active = false;

	mutex_lock(&bo->gpuva_lock);
	drm_gem_for_each_gpuvm_bo(vm_bo, xpu_gem(bo))
		active |= test_bit(to_xpu_vm(vm_bo->vm)->ctx, busy);
	mutex_unlock(&bo->gpuva_lock);
	return active;
}

/* So many bindings of a VM are looked at before others may change it */
#define XPU_COUNT_AT_ONCE	256

/**
 * struct xpu_count - one look at the memory of a file
 * @pass:	of no other look at the device
 * @busy:	contexts with a queue that has work
 * @hbm:	memory in HBM
 * @host:	memory in the host
 * @evicted:	of @hbm what is not there now
 */
struct xpu_count {
	u64 pass;
	const unsigned long *busy;
	struct drm_memory_stats hbm;
	struct drm_memory_stats host;
	u64 evicted;
};

/* @handles: how many the file has of the object, at least */
static void xpu_count_bo(struct xpu_bo *bo, unsigned int handles,
			 struct xpu_count *c)
{
	struct drm_gem_object *obj = xpu_gem(bo);
	struct drm_memory_stats *stats;

	switch (bo->kind) {
	case XPU_BO_HBM:
		stats = &c->hbm;
		break;
	case XPU_BO_HOST:
		stats = &c->host;
		break;
	default:
		return;		/* somebody else's memory */
	}
	/* Once, by however many ways the file holds it */
	if (bo->counted == c->pass)
		return;
	bo->counted = c->pass;
	/* As drm_gem_object_is_shared_for_memory_stats(), which wants one. */
	if (READ_ONCE(obj->handle_count) > handles || READ_ONCE(obj->dma_buf))
		stats->shared += obj->size;
	else
		stats->private += obj->size;
	if (bo->kind == XPU_BO_HBM && READ_ONCE(bo->place.file)) {
		c->evicted += obj->size;
	} else if (bo->kind == XPU_BO_HBM || bo->shmem.pages || bo->shmem.sgt) {
		stats->resident += obj->size;
		if (xpu_bo_is_active(bo, c->busy))
			stats->active += obj->size;
	}
}

static void xpu_count_handles(struct drm_file *file, struct xpu_count *c)
{
	struct drm_gem_object *obj;
	int id;

	for (id = 0; ; id++) {
		/* Held for each alone: what comes then may sleep. */
		spin_lock(&file->table_lock);
		obj = idr_get_next(&file->object_idr, &id);
		if (obj)
			drm_gem_object_get(obj);
		spin_unlock(&file->table_lock);
		if (!obj)
			break;
		xpu_count_bo(to_xpu_bo(obj), 1, c);
		drm_gem_object_put(obj);
		cond_resched();
	}
}

static void xpu_count_vm(struct xpu_vm *vm, struct xpu_count *c)
{
	u64 addr = XPU_VA_START;
	struct drm_gpuva *va;
	unsigned int n;

	do {
		n = 0;
		mutex_lock(&vm->lock);
		drm_gpuvm_for_each_va_range(va, &vm->gpuvm, addr, XPU_VA_END) {
			if (n++ == XPU_COUNT_AT_ONCE)
				break;
			xpu_count_bo(to_xpu_bo(va->gem.obj), 0, c);
			addr = va->va.addr + va->va.range;
		}
		mutex_unlock(&vm->lock);
		cond_resched();
	} while (n > XPU_COUNT_AT_ONCE);
}

static void xpu_count_vms(struct xpu_file *xfile, struct xpu_count *c)
{
	struct xpu_vm *vm;
	unsigned long id;

	for (id = 0; ; id++) {
		xa_lock(&xfile->vms);
		vm = xa_find(&xfile->vms, &id, ULONG_MAX, XA_PRESENT);
		if (vm)
			kref_get(&vm->ref);
		xa_unlock(&xfile->vms);
		if (!vm)
			break;
		xpu_count_vm(vm, c);
		alink_xpu_vm_put(vm);
	}
}

/* Who gives an export back takes it out of the array first, by its lock. */
static void xpu_count_exports(struct xpu_file *xfile, struct xpu_count *c)
{
	struct xpu_segment *seg;
	unsigned long id;
	struct xpu_bo *bo;

	for (id = 0; ; id++) {
		xa_lock(&xfile->exports);
		seg = xa_find(&xfile->exports, &id, ULONG_MAX, XA_PRESENT);
		bo = seg ? seg->bo : NULL;
		if (bo)
			drm_gem_object_get(xpu_gem(bo));
		xa_unlock(&xfile->exports);
		if (!bo)
			break;
		xpu_count_bo(bo, 0, c);
		drm_gem_object_put(xpu_gem(bo));
	}
}

/* The same of group bindings */
static void xpu_count_groups(struct xpu_file *xfile, struct xpu_count *c)
{
	struct xpu_group *group;
	unsigned long id;
	struct xpu_bo *bo;

	for (id = 0; ; id++) {
		xa_lock(&xfile->groups);
		group = xa_find(&xfile->groups, &id, ULONG_MAX, XA_PRESENT);
		bo = group ? group->seg->bo : NULL;
		if (bo)
			drm_gem_object_get(xpu_gem(bo));
		xa_unlock(&xfile->groups);
		if (!bo)
			break;
		xpu_count_bo(bo, 0, c);
		drm_gem_object_put(xpu_gem(bo));
	}
}

/* All that the file keeps from being freed, whether it has a handle or not */
static void xpu_show_memory(struct drm_printer *p, struct drm_file *file)
{
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_device *xdev = xfile->xdev;
	struct xpu_count c = { .busy = xdev->count_busy };

	mutex_lock(&xdev->count_lock);
	bitmap_zero(xdev->count_busy, xdev->info.num_ctx + 1);
	alink_xpu_queues_at_work(xdev, xpu_mark_context, xdev->count_busy);
	c.pass = ++xdev->count_pass;
	/* First: who else has a handle is told apart by ours. */
	xpu_count_handles(file, &c);
	xpu_count_vms(xfile, &c);
	xpu_count_exports(xfile, &c);
	xpu_count_groups(xfile, &c);
	mutex_unlock(&xdev->count_lock);
	drm_print_memory_stats(p, &c.hbm, DRM_GEM_OBJECT_RESIDENT, "hbm");
	drm_print_memory_stats(p, &c.host, DRM_GEM_OBJECT_RESIDENT, "system");
	drm_printf(p, "alink_xpu-evicted-hbm:\t%llu KiB\n", c.evicted >> 10);
}

/* One queue, by the id that its user knows */
static void xpu_show_queue(struct drm_printer *p, unsigned long id,
			   struct xpu_queue *q)
{
	static const char *const names[] = {
		[DRM_ALINK_XPU_PRIORITY_LOW] = "low",
		[DRM_ALINK_XPU_PRIORITY_NORMAL] = "normal",
		[DRM_ALINK_XPU_PRIORITY_HIGH] = "high",
		[DRM_ALINK_XPU_PRIORITY_REALTIME] = "realtime",
	};
	struct xpu_turns t;

	alink_xpu_queue_turns(q, &t);
	drm_printf(p, "alink_xpu-queue-%lu-priority:\t%s\n", id,
		   names[q->priority]);
	drm_printf(p, "alink_xpu-queue-%lu-turns:\t%llu\n", id, t.turns);
	drm_printf(p, "alink_xpu-queue-%lu-wait:\t%llu ns\n", id, t.wait_ns);
	drm_printf(p, "alink_xpu-queue-%lu-wait-max:\t%llu ns\n", id,
		   t.worst_ns);
	drm_printf(p, "alink_xpu-queue-%lu-progress:\t%u\n", id, t.progress);
}

static void xpu_show_engine(struct drm_printer *p, const char *name, s64 ns,
			    u32 capacity)
{
	drm_printf(p, "drm-engine-%s:\t%lld ns\n", name, ns);
	drm_printf(p, "drm-engine-capacity-%s:\t%u\n", name, capacity);
}

/*
 * drm_driver.show_fdinfo, see Documentation/gpu/drm-usage-stats.rst. DRM calls it
 * within drm_dev_enter().
 */
void alink_xpu_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct xpu_file *xfile = file->driver_priv;
	const struct xpu_info *info = &xfile->xdev->info;
	struct xpu_queue *q;
	unsigned long id;

	/* A queue that is in the table has its hardware queue. */
	xa_lock(&xfile->queues);
	xa_for_each(&xfile->queues, id, q) {
		alink_xpu_queue_account(q, xfile);
		alink_xpu_hang_account(q, xfile);
		xpu_show_queue(p, id, q);
	}
	xa_unlock(&xfile->queues);

	xpu_show_engine(p, "dma", atomic64_read(&xfile->busy_ns),
			info->num_rings);
	/* One beside each ring; of older devices the rings have their time. */
	if (info->queue_info && info->compute_funcs)
		xpu_show_engine(p, "compute",
				atomic64_read(&xfile->compute_ns),
				info->num_rings);
	drm_printf(p, "alink_xpu-hung-queues:\t%d\n",
		   atomic_read(&xfile->hung));
	xpu_show_memory(p, file);
}
