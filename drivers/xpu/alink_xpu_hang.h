/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues that are stuck: alink_xpu_hang.c.
 */
#ifndef ALINK_XPU_HANG_H
#define ALINK_XPU_HANG_H

#include <linux/atomic.h>
#include <linux/sysfs.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct alink_dev;
struct xpu_device;
struct xpu_file;
struct xpu_queue;

/* Signs of life that come more rarely are none: xpu_info.progress_ms at most */
#define XPU_PROGRESS_MAX_MS	10000

/**
 * struct xpu_hang - what is known of how a queue gets on
 * @ring:	device virtual address of its ring; constant, as @size
 * @size:	descriptors in the ring
 * @progress:	ALINK_XPU_Q_PROGRESS as the watch saw it; only that writes it
 * @looks:	how often in a row the watch saw that; the watch's own
 * @work:	ends the queue
 * @found:	it was found stuck; under xpu_queue.lock, as @counted
 * @counted:	it is in xpu_file.hung
 * @ended:	the device has ended it for @work; to be read when that is over
 */
struct xpu_hang {
	u64 ring;
	u32 size;
	u32 progress;
	unsigned int looks;
	struct work_struct work;
	bool found;
	bool counted;
	bool ended;
};

/**
 * struct xpu_hangs - queues that were stuck, since probe
 * @queues:	so many; the kernel's own counts each time
 * @resets:	of the device, as it did not end one of them, or as that did not
 *		help the kernel's own
 */
struct xpu_hangs {
	atomic_t queues;
	atomic_t resets;
};

extern const struct attribute_group alink_xpu_hang_group;
void alink_xpu_hang_queue_init(struct xpu_queue *q);
void alink_xpu_hang_account(struct xpu_queue *q, struct xpu_file *xfile);
void alink_xpu_hang_watch(struct alink_dev *adev);
unsigned int alink_xpu_hang_patience_ms(const struct xpu_device *xdev);
void alink_xpu_hang_kernel(struct xpu_device *xdev, u32 index);

#endif /* ALINK_XPU_HANG_H */
