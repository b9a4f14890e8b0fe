// SPDX-License-Identifier: GPL-2.0-only
/*
 * FENCE_SYNCOBJ: kernel fences that follow fences in memory.
 *
 * A dma_fence must end in bounded time, and a fence in memory depends on what
 * user space does. So each bridge has an end: reached, the queue stopped, the
 * device gone, or its time is over. Work looks at those of a vector after an
 * interrupt of that, and goes round all in case one was not asked for or got
 * lost: some every 10 ms, so that what nobody asked for costs little, however
 * many there are. It looks with no lock held, and owns the lists that it walks.
 *
 * There is an end to their number, and each file has a share: it may have as
 * many as are left to all others. However many a greedy one makes, the next
 * finds room.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_syncobj.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

/* So many of a list are looked at in a row, before others have their turn */
#define BRIDGE_SLICE	256U

/**
 * struct xpu_bridge_share - bridges of one file
 * @ref:	users: the file, which they may outlive, and each of them
 * @num:	not yet signalled; under xpu_bridges.lock
 */
struct xpu_bridge_share {
	struct kref ref;
	unsigned int num;
};

/**
 * struct xpu_bridge - one kernel fence
 * @base:	the fence; must be first, see xpu_bridge_release()
 * @lock:	of the fence
 * @node:	in a list of xpu_bridges
 * @share:	of the file that made it, a reference
 * @loc:	memory; released once the fence is signalled
 * @q:		queue or NULL; as @loc
 * @value:	value to reach
 * @end:	when to give up
 */
struct xpu_bridge {
	struct dma_fence base;
	/* of the fence */
	spinlock_t lock;
	struct list_head node;
	struct xpu_bridge_share *share;
	struct xpu_loc loc;
	struct xpu_queue *q;
	u64 value;
	ktime_t end;
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

/* --- shares -------------------------------------------------------------- */

static void xpu_bridge_share_free(struct kref *ref)
{
	kfree(container_of(ref, struct xpu_bridge_share, ref));
}

/**
 * alink_xpu_bridge_share_new - make the share of a file
 *
 * Return: the share or NULL.
 */
struct xpu_bridge_share *alink_xpu_bridge_share_new(void)
{
	struct xpu_bridge_share *share;

	share = kzalloc(sizeof(*share), GFP_KERNEL_ACCOUNT);
	if (share)
		kref_init(&share->ref);
	return share;
}

void alink_xpu_bridge_share_put(struct xpu_bridge_share *share)
{
	kref_put(&share->ref, xpu_bridge_share_free);
}

static int xpu_bridge_reserve(struct xpu_bridges *bridges,
			      struct xpu_bridge_share *share)
{
	int err = 0;

	spin_lock(&bridges->lock);
	if (share->num < DRM_ALINK_XPU_MAX_FENCES - bridges->num) {
		WRITE_ONCE(bridges->num, bridges->num + 1);
		share->num++;
	} else {
		err = -ENOSPC;
	}
	spin_unlock(&bridges->lock);
	if (!err)
		kref_get(&share->ref);
	return err;
}

/* The reference is still the caller's. */
static void xpu_bridge_unreserve(struct xpu_bridges *bridges,
				 struct xpu_bridge_share *share)
{
	spin_lock(&bridges->lock);
	WRITE_ONCE(bridges->num, bridges->num - 1);
	share->num--;
	spin_unlock(&bridges->lock);
}

/* --- looking -------------------------------------------------------------- */

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
		alink_xpu_bridge_share_put(bridge->share);
		dma_fence_put(&bridge->base);
	}
}

static void xpu_bridge_end(struct xpu_device *xdev, struct xpu_bridge *bridge,
			   int result)
{
	if (result)
		dma_fence_set_error(&bridge->base, result);
	trace_alink_xpu_fence_signal(xdev, bridge->q, bridge->value, result);
	/* First: who has waited for it may make the next one. */
	xpu_bridge_unreserve(&xdev->bridges, bridge->share);
	dma_fence_signal(&bridge->base);
}

/*
 * Looks at up to @most from the front; those that go on join the end of @rest.
 * Return: how many were looked at.
 */
static unsigned int xpu_bridges_look(struct xpu_device *xdev,
				     struct list_head *list, unsigned int most,
				     struct list_head *rest,
				     struct list_head *over)
{
	struct xpu_bridge *bridge;
	unsigned int n;
	int ret;

	for (n = 0; n < most && !list_empty(list); n++) {
		bridge = list_first_entry(list, struct xpu_bridge, node);
		ret = xpu_bridge_look(xdev, bridge);
		if (ret > 0) {
			list_move_tail(&bridge->node, rest);
		} else {
			list_move_tail(&bridge->node, over);
			xpu_bridge_end(xdev, bridge, ret);
		}
		cond_resched();
	}
	return n;
}

/* Those that have come since; each goes to the list of its vector. */
static void xpu_bridges_take_new(struct xpu_device *xdev,
				 struct list_head *over)
{
	struct xpu_bridges *bridges = &xdev->bridges;
	struct xpu_bridge_list *list;
	struct xpu_bridge *bridge;
	LIST_HEAD(fresh);
	LIST_HEAD(rest);

	spin_lock(&bridges->lock);
	list_splice_init(&bridges->fresh, &fresh);
	spin_unlock(&bridges->lock);
	xpu_bridges_look(xdev, &fresh, UINT_MAX, &rest, over);
	while (!list_empty(&rest)) {
		bridge = list_first_entry(&rest, struct xpu_bridge, node);
		list = &bridges->lists[bridge->q ?
				       bridge->q->vec - xdev->vectors :
				       XPU_BRIDGES_ANY];
		list_move_tail(&bridge->node, &list->list);
		list->num++;
	}
}

/* Return: it has not looked at all that there is reason to. */
static bool xpu_bridges_look_some(struct xpu_device *xdev, unsigned int i,
				  bool round, struct list_head *over)
{
	struct xpu_bridges *bridges = &xdev->bridges;
	struct xpu_bridge_list *list = &bridges->lists[i];
	unsigned int most = round ? BRIDGE_SLICE : 0, n;
	struct xpu_bridge *bridge;
	LIST_HEAD(ended);
	LIST_HEAD(rest);

	/* First: what comes after this is looked at again. */
	if (test_and_clear_bit(i, &bridges->dirty))
		list->todo = list->num;
	if (list->todo)
		most = min(list->todo, BRIDGE_SLICE);
	n = xpu_bridges_look(xdev, &list->list, most, &rest, &ended);
	list_splice_tail(&rest, &list->list);
	list_for_each_entry(bridge, &ended, node)
		list->num--;
	list_splice_tail(&ended, over);
	list->todo -= min(n, list->todo);
	return list->todo;
}

static void xpu_bridges_work(struct work_struct *work)
{
	struct xpu_bridges *bridges = container_of(to_delayed_work(work),
						   struct xpu_bridges, work);
	struct xpu_device *xdev = container_of(bridges, struct xpu_device,
					       bridges);
	unsigned long delay = nsecs_to_jiffies(XPU_POLL_NS);
	bool cookie, round, more = false, left = false;
	LIST_HEAD(over);
	unsigned int i;

	cookie = dma_fence_begin_signalling();
	round = time_after_eq(jiffies, bridges->rounded + delay);
	if (round)
		bridges->rounded = jiffies;
	for (i = 0; i < XPU_BRIDGE_LISTS; i++)
		more |= xpu_bridges_look_some(xdev, i, round, &over);
	xpu_bridges_take_new(xdev, &over);
	for (i = 0; i < XPU_BRIDGE_LISTS; i++)
		left |= !list_empty(&bridges->lists[i].list);
	if (left)
		queue_delayed_work(alink_xpu_wqs.fence, &bridges->work,
				   more ? 0 : delay);
	dma_fence_end_signalling(cookie);

	if (list_empty(&over))
		return;
	spin_lock(&bridges->lock);
	list_splice_tail(&over, &bridges->over);
	spin_unlock(&bridges->lock);
	queue_work(system_unbound_wq, &bridges->put_work);
}

static void xpu_bridges_kick(struct xpu_device *xdev, unsigned long lists)
{
	struct xpu_bridges *bridges = &xdev->bridges;
	unsigned int i;

	if (!READ_ONCE(bridges->num))
		return;
	for_each_set_bit(i, &lists, XPU_BRIDGE_LISTS)
		set_bit(i, &bridges->dirty);
	mod_delayed_work(alink_xpu_wqs.fence, &bridges->work, 0);
}

/**
 * alink_xpu_bridges_kick - something happened that any fence may wait for
 * @xdev:	device
 *
 * Context: any.
 */
void alink_xpu_bridges_kick(struct xpu_device *xdev)
{
	xpu_bridges_kick(xdev, GENMASK(XPU_BRIDGE_LISTS - 1, 0));
}

/**
 * alink_xpu_bridges_kick_vector - queues of a vector may have got on
 * @vec:	vector
 *
 * Context: any.
 */
void alink_xpu_bridges_kick_vector(struct xpu_vector *vec)
{
	xpu_bridges_kick(vec->xdev, BIT(vec - vec->xdev->vectors) |
				    BIT(XPU_BRIDGES_ANY));
}

void alink_xpu_bridges_init(struct xpu_device *xdev)
{
	struct xpu_bridges *bridges = &xdev->bridges;
	unsigned int i;

	spin_lock_init(&bridges->lock);
	INIT_LIST_HEAD(&bridges->fresh);
	INIT_LIST_HEAD(&bridges->over);
	for (i = 0; i < XPU_BRIDGE_LISTS; i++)
		INIT_LIST_HEAD(&bridges->lists[i].list);
	bridges->rounded = jiffies;
	INIT_WORK(&bridges->put_work, xpu_bridges_put_work);
	INIT_DELAYED_WORK(&bridges->work, xpu_bridges_work);
}

/* With the DRM device. It is gone for good: whoever is looked at now ends. */
void alink_xpu_bridges_fini(struct xpu_device *xdev)
{
	struct xpu_bridges *bridges = &xdev->bridges;

	while (bridges->num) {
		alink_xpu_bridges_kick(xdev);
		flush_delayed_work(&bridges->work);
	}
	cancel_delayed_work_sync(&bridges->work);
	flush_work(&bridges->put_work);
}

/* --- making --------------------------------------------------------------- */

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
			    struct xpu_bridge_share *share,
			    const struct drm_alink_xpu_fence_syncobj *args)
{
	struct xpu_bridges *bridges = &xdev->bridges;
	struct xpu_bridge *bridge;
	int err, ret;

	err = xpu_bridge_reserve(bridges, share);
	if (err)
		return err;
	bridge = kzalloc(sizeof(*bridge), GFP_KERNEL_ACCOUNT);
	if (!bridge) {
		err = -ENOMEM;
		goto err_unreserve;
	}
	bridge->share = share;
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
		goto err_unreserve;
	}

	/* The bridge takes over what the caller holds. */
	swap(bridge->loc, *loc);
	bridge->q = q;
	trace_alink_xpu_fence_create(xdev, q, args->value, args->timeout_ms);
	/* Only this one can be new: with a scan of all, n of them cost n * n. */
	ret = xpu_bridge_look(xdev, bridge);
	spin_lock(&bridges->lock);
	list_add_tail(&bridge->node, &bridges->fresh);
	spin_unlock(&bridges->lock);
	if (ret > 0)
		queue_delayed_work(alink_xpu_wqs.fence, &bridges->work,
				   nsecs_to_jiffies(XPU_POLL_NS));
	else
		mod_delayed_work(alink_xpu_wqs.fence, &bridges->work, 0);
	return 0;

err_unreserve:
	xpu_bridge_unreserve(bridges, share);
	alink_xpu_bridge_share_put(share);
	return err;
}

int alink_xpu_fence_syncobj_ioctl(struct drm_device *drm, void *data,
				  struct drm_file *file)
{
	struct drm_alink_xpu_fence_syncobj *args = data;
	struct xpu_file *xfile = file->driver_priv;
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
		q = alink_xpu_queue_lookup(xfile, args->queue_id);
		if (!q) {
			err = -ENOENT;
			goto out_syncobj;
		}
	}
	err = alink_xpu_fence_locate(file, args->flags, args->handle,
				     args->addr, &loc);
	if (!err)
		err = xpu_bridge_start(to_xpu(drm), &loc, q, syncobj,
				       xfile->share, args);
	if (err) {
		alink_xpu_loc_put(&loc);
		if (q)
			alink_xpu_queue_put(q);
	}
out_syncobj:
	drm_syncobj_put(syncobj);
	return err;
}
