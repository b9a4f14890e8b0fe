/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What HBM holds while the machine sleeps: alink_xpu_sleep.c.
 */
#ifndef ALINK_XPU_SLEEP_H
#define ALINK_XPU_SLEEP_H

#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

struct page;
struct xpu_device;
struct xpu_hbm_run;

/**
 * struct xpu_sleep - what stays in HBM, as system memory
 * @nb:		tells that the machine is about to sleep, and that it is over
 * @lock:	protects what follows
 * @asked:	the machine is about to sleep, sleeps, or has just woken up
 * @saved:	the contents are in @pages, and nobody knows what HBM holds
 * @runs:	HBM that is kept
 * @num_runs:	of @runs
 * @pages:	one for each 4 KiB of @runs, in their order
 * @num_pages:	of @pages
 * @sgt:	room for as many pages as are copied at once
 */
struct xpu_sleep {
	struct notifier_block nb;
	/*
	 * protects all that follows; held over copies and over allocations, and
	 * taken where a reset ends: nobody waits for that with it held
	 */
	struct mutex lock;
	bool asked;
	bool saved;
	struct xpu_hbm_run *runs;
	size_t num_runs;
	struct page **pages;
	size_t num_pages;
	struct sg_table sgt;
};

void alink_xpu_sleep_init(struct xpu_device *xdev);
int alink_xpu_sleep_register(struct xpu_device *xdev);
void alink_xpu_sleep_unregister(struct xpu_device *xdev);
int alink_xpu_sleep_wait(struct xpu_device *xdev);
int alink_xpu_sleep_check(struct xpu_device *xdev);
int alink_xpu_sleep_save(struct xpu_device *xdev);
int alink_xpu_sleep_restore(struct xpu_device *xdev);

#endif /* ALINK_XPU_SLEEP_H */
