/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel fences that follow fences in memory: alink_xpu_bridge.c.
 */
#ifndef ALINK_XPU_BRIDGE_H
#define ALINK_XPU_BRIDGE_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <hw/alink/xpu.h>

struct drm_device;
struct drm_file;
struct xpu_bridge_share;
struct xpu_device;
struct xpu_vector;

/* Lists of bridges: one for each vector, and one for those of no queue */
#define XPU_BRIDGES_ANY		(ALINK_XPU_NUM_VECTORS - 1)
#define XPU_BRIDGE_LISTS	(XPU_BRIDGES_ANY + 1)

/**
 * struct xpu_bridge_list - some kernel fences; the work's own
 * @list:	struct xpu_bridge, not yet signalled; those first that were not
 *		looked at longest
 * @num:	of @list
 * @todo:	so many from the front are to be looked at
 */
struct xpu_bridge_list {
	struct list_head list;
	unsigned int num;
	unsigned int todo;
};

/**
 * struct xpu_bridges - kernel fences that follow fences in memory
 * @lock:	protects @fresh, @over, @num, and what files have of it
 * @fresh:	struct xpu_bridge, for @work to put into @lists
 * @over:	struct xpu_bridge, signalled, to be put
 * @num:	not yet signalled, or about to be put into @fresh
 * @lists:	all that @work has taken
 * @dirty:	bitmap of @lists: something happened that those may wait for
 * @rounded:	when @work last went on with its round, jiffies
 * @work:	looks at them
 * @put_work:	puts all of @over
 */
struct xpu_bridges {
	/* protects fresh, over, num, and what files have of it; innermost */
	spinlock_t lock;
	struct list_head fresh;
	struct list_head over;
	unsigned int num;
	struct xpu_bridge_list lists[XPU_BRIDGE_LISTS];
	unsigned long dirty;
	unsigned long rounded;
	struct delayed_work work;
	struct work_struct put_work;
};

struct xpu_bridge_share *alink_xpu_bridge_share_new(void);
void alink_xpu_bridge_share_put(struct xpu_bridge_share *share);
void alink_xpu_bridges_init(struct xpu_device *xdev);
void alink_xpu_bridges_kick(struct xpu_device *xdev);
void alink_xpu_bridges_kick_vector(struct xpu_vector *vec);
void alink_xpu_bridges_fini(struct xpu_device *xdev);
int alink_xpu_fence_syncobj_ioctl(struct drm_device *drm, void *data,
				  struct drm_file *file);

#endif /* ALINK_XPU_BRIDGE_H */
