// SPDX-License-Identifier: GPL-2.0-only
/*
 * FENCE_SYNCOBJ: kernel fences that follow fences in memory.
 *
 * A dma_fence must end in bounded time, and a fence in memory depends on what
 * user space does. So each bridge has an end: reached, the queue stopped, the
 * device gone, or its time is over. Work looks at all of them after each queue
 * interrupt, and every 10 ms in case one was not asked for or got lost.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_syncobj.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

/**
 * struct xpu_bridge - one kernel fence
 * @base:	the fence; must be first, see xpu_bridge_release()
 * @lock:	of the fence
 * @node:	in xpu_bridges.list
 * @loc:	memory; released once the fence is signalled
 * @q:		queue or NULL; as @loc
 * @value:	value to reach
 * @end:	when to give up
 * @result:	0 or the error to signal
 */
struct xpu_bridge {
	struct dma_fence base;
	/* of the fence */
	spinlock_t lock;
	struct list_head node;
	struct xpu_loc loc;
	struct xpu_queue *q;
	u64 value;
	ktime_t end;
	int result;
};

static const char *xpu_bridge_driver_name(struct dma_fence *fence)
{
	return "alink_xpu";
}

static const char *xpu_bridge_timeline_name(struct dma_fence *fence)
{
	return "memory-fence";
}

/* Fences may outlive the device, but not the functions they call. */
static void xpu_bridge_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops xpu_bridge_ops = {
	.get_driver_name = xpu_bridge_driver_name,
	.get_timeline_name = xpu_bridge_timeline_name,
	.release = xpu_bridge_release,
};

/* Return: 1 to go on, 0 when reached, else the error to signal. */
static int xpu_bridge_look(struct xpu_device *xdev, struct xpu_bridge *bridge)
{
	struct drm_alink_xpu_queue_error error;
	u64 value;
	int err;

	err = alink_xpu_loc_read(&bridge->loc, 0, &value);
	if (!err && alink_xpu_fence_reached(value, bridge->value))
		return 0;
	if (err && err != -EBUSY)
		return err;
	if (alink_xpu_state_errno(xdev) == -ENODEV)
		return -ENODEV;
	if (bridge->q) {
		alink_xpu_queue_peek(bridge->q);
		err = alink_xpu_queue_errno(bridge->q, &error);
		if (err)
			return err;
	}
	if (ktime_after(ktime_get(), bridge->end))
		return -ETIMEDOUT;
	return 1;
}

/*
 * What a bridge held goes apart: locks that are taken for that must not come
 * between other fences and their end.
 */
static void xpu_bridges_put_work(struct work_struct *work)
{
	struct xpu_bridges *bridges = container_of(work, struct xpu_bridges,
						   put_work);
	struct xpu_bridge *bridge, *next;
	LIST_HEAD(over);

	spin_lock(&bridges->lock);
	list_splice_init(&bridges->over, &over);
	spin_unlock(&bridges->lock);

	list_for_each_entry_safe(bridge, next, &over, node) {
		alink_xpu_loc_put(&bridge->loc);
		if (bridge->q)
			alink_xpu_queue_put(bridge->q);
		dma_fence_put(&bridge->base);
	}
}

static void xpu_bridges_work(struct work_struct *work)
{
	struct xpu_bridges *bridges = container_of(to_delayed_work(work),
						   struct xpu_bridges, work);
	struct xpu_device *xdev = container_of(bridges, struct xpu_device,
					       bridges);
	struct xpu_bridge *bridge, *next;
	LIST_HEAD(over);
	bool cookie;
	int ret;

	cookie = dma_fence_begin_signalling();
	spin_lock(&bridges->lock);
	list_for_each_entry_safe(bridge, next, &bridges->list, node) {
		ret = xpu_bridge_look(xdev, bridge);
		if (ret > 0)
			continue;
		bridge->result = ret;
		list_move_tail(&bridge->node, &over);
		bridges->num--;
	}
	if (!list_empty(&bridges->list))
		queue_delayed_work(bridges->wq, &bridges->work,
				   nsecs_to_jiffies(XPU_POLL_NS));
	spin_unlock(&bridges->lock);

	list_for_each_entry(bridge, &over, node) {
		if (bridge->result)
			dma_fence_set_error(&bridge->base, bridge->result);
		trace_alink_xpu_fence_signal(xdev, bridge->q, bridge->value,
					     bridge->result);
		dma_fence_signal(&bridge->base);
	}
	dma_fence_end_signalling(cookie);

	if (list_empty(&over))
		return;
	spin_lock(&bridges->lock);
	list_splice_tail(&over, &bridges->over);
	spin_unlock(&bridges->lock);
	queue_work(system_unbound_wq, &bridges->put_work);
}

/**
 * alink_xpu_bridges_kick - something happened that fences may wait for
 * @xdev:	device
 *
 * Context: any.
 */
void alink_xpu_bridges_kick(struct xpu_device *xdev)
{
	if (!list_empty_careful(&xdev->bridges.list))
		mod_delayed_work(xdev->bridges.wq, &xdev->bridges.work, 0);
}

int alink_xpu_bridges_init(struct xpu_device *xdev)
{
	struct xpu_bridges *bridges = &xdev->bridges;

	spin_lock_init(&bridges->lock);
	INIT_LIST_HEAD(&bridges->list);
	INIT_LIST_HEAD(&bridges->over);
	INIT_WORK(&bridges->put_work, xpu_bridges_put_work);
	INIT_DELAYED_WORK(&bridges->work, xpu_bridges_work);
	bridges->wq = alloc_workqueue("alink_xpu", WQ_MEM_RECLAIM | WQ_UNBOUND,
				      0);
	return bridges->wq ? 0 : -ENOMEM;
}

/* With the DRM device. It is gone for good: one look ends what is left. */
void alink_xpu_bridges_fini(struct xpu_device *xdev)
{
	if (!xdev->bridges.wq)
		return;
	mod_delayed_work(xdev->bridges.wq, &xdev->bridges.work, 0);
	flush_delayed_work(&xdev->bridges.work);
	cancel_delayed_work_sync(&xdev->bridges.work);
	flush_work(&xdev->bridges.put_work);
	drm_WARN_ON(&xdev->drm, !list_empty(&xdev->bridges.list));
	destroy_workqueue(xdev->bridges.wq);
}

/* One scan of all bridges must not take long: their number has an end. */
static int xpu_bridge_reserve(struct xpu_bridges *bridges)
{
	int err = 0;

	spin_lock(&bridges->lock);
	if (bridges->num < DRM_ALINK_XPU_MAX_FENCES)
		bridges->num++;
	else
		err = -ENOSPC;
	spin_unlock(&bridges->lock);
	return err;
}

static void xpu_bridge_unreserve(struct xpu_bridges *bridges)
{
	spin_lock(&bridges->lock);
	bridges->num--;
	spin_unlock(&bridges->lock);
}

static int xpu_bridge_install(struct xpu_bridge *bridge,
			      struct drm_syncobj *syncobj, u64 point)
{
	struct dma_fence_chain *chain;

	if (!point) {
		drm_syncobj_replace_fence(syncobj, &bridge->base);
		return 0;
	}
	chain = dma_fence_chain_alloc();
	if (!chain)
		return -ENOMEM;
	drm_syncobj_add_point(syncobj, chain, &bridge->base, point);
	return 0;
}

static int xpu_bridge_start(struct xpu_device *xdev, struct xpu_loc *loc,
			    struct xpu_queue *q, struct drm_syncobj *syncobj,
			    const struct drm_alink_xpu_fence_syncobj *args)
{
	struct xpu_bridges *bridges = &xdev->bridges;
	struct xpu_bridge *bridge;
	int err, ret;

	err = xpu_bridge_reserve(bridges);
	if (err)
		return err;
	bridge = kzalloc(sizeof(*bridge), GFP_KERNEL_ACCOUNT);
	if (!bridge) {
		xpu_bridge_unreserve(bridges);
		return -ENOMEM;
	}
	spin_lock_init(&bridge->lock);
	__module_get(THIS_MODULE);
	/* Memory fences have no order among them: a context for each. */
	dma_fence_init(&bridge->base, &xpu_bridge_ops, &bridge->lock,
		       dma_fence_context_alloc(1), 1);
	bridge->value = args->value;
	bridge->end = ktime_add_ms(ktime_get(), args->timeout_ms);

	err = xpu_bridge_install(bridge, syncobj, args->point);
	if (err) {
		dma_fence_put(&bridge->base);
		xpu_bridge_unreserve(bridges);
		return err;
	}

	/* The bridge takes over what the caller holds. */
	swap(bridge->loc, *loc);
	bridge->q = q;
	trace_alink_xpu_fence_create(xdev, q, args->value, args->timeout_ms);
	/* Only this one can be new: with a scan of all, n of them cost n * n. */
	ret = xpu_bridge_look(xdev, bridge);
	spin_lock(&bridges->lock);
	list_add_tail(&bridge->node, &bridges->list);
	spin_unlock(&bridges->lock);
	if (ret > 0)
		queue_delayed_work(bridges->wq, &bridges->work,
				   nsecs_to_jiffies(XPU_POLL_NS));
	else
		mod_delayed_work(bridges->wq, &bridges->work, 0);
	return 0;
}

int alink_xpu_fence_syncobj_ioctl(struct drm_device *drm, void *data,
				  struct drm_file *file)
{
	struct drm_alink_xpu_fence_syncobj *args = data;
	struct drm_syncobj *syncobj;
	struct xpu_queue *q = NULL;
	struct xpu_loc loc = {};
	int err;

	if (args->pad || !args->timeout_ms ||
	    args->timeout_ms > DRM_ALINK_XPU_MAX_SYNCOBJ_MS)
		return -EINVAL;
	syncobj = drm_syncobj_find(file, args->syncobj);
	if (!syncobj)
		return -ENOENT;
	if (args->queue_id != DRM_ALINK_XPU_QUEUE_ANY) {
		q = alink_xpu_queue_lookup(file->driver_priv, args->queue_id);
		if (!q) {
			err = -ENOENT;
			goto out_syncobj;
		}
	}
	err = alink_xpu_fence_locate(file, args->flags, args->handle,
				     args->addr, &loc);
	if (!err)
		err = xpu_bridge_start(to_xpu(drm), &loc, q, syncobj, args);
	if (err) {
		alink_xpu_loc_put(&loc);
		if (q)
			alink_xpu_queue_put(q);
	}
out_syncobj:
	drm_syncobj_put(syncobj);
	return err;
}
