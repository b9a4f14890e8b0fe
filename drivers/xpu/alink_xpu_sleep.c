// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleep of the machine, with memory in use: HBM loses its power, users keep
 * what is in it.
 *
 * While tasks still run, HBM is closed: nobody gets any more. All that can leave
 * moves to system memory, as when HBM is full. What stays, pinned or as its owner
 * may have no more system memory, gets some of the kernel's, page by page. If
 * there is none, the machine does not sleep, and nothing has happened.
 *
 * When tasks stand still, the device's driver is asked to suspend. Queues end as
 * in a reset; then nobody else works on HBM, and the kernel's queue copies it
 * out. At the end of the sleep it is copied to where it was, after the same reset
 * as any, before anybody may use the device. Only then is HBM open again. What
 * has moved comes back as it is used.
 *
 * Should the device not come back, the copies stay, and HBM stays closed: a
 * reset that does bring it back brings back what it held.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/suspend.h>

#include <drm/drm_print.h>

#include "alink_xpu_drv.h"

#define SLEEP_PAGES	1024	/* copied at once: 4 MiB */

static_assert(SLEEP_PAGES * PAGE_SIZE <= XPU_KQ_COPY_MAX);

/* --- system memory ------------------------------------------------------- */

/* Of copies that nobody needs any more, and of such as were not completed */
static void sleep_drop(struct xpu_device *xdev)
{
	struct xpu_sleep *sleep = &xdev->sleep;

	lockdep_assert_held(&sleep->lock);

	while (sleep->num_pages) {
		__free_page(sleep->pages[--sleep->num_pages]);
		cond_resched();
	}
	kvfree(sleep->pages);
	kvfree(sleep->runs);
	sg_free_table(&sleep->sgt);
	sleep->pages = NULL;
	sleep->runs = NULL;
	sleep->num_runs = 0;
	alink_xpu_hbm_close(xdev, false);
}

static int sleep_get_pages(struct xpu_sleep *sleep, size_t num)
{
	/* Nobody is killed for it: then the machine does not sleep. */
	const gfp_t gfp = GFP_HIGHUSER | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
	struct page *page;

	lockdep_assert_held(&sleep->lock);

	/* As for what moves: others, who suspend too, need memory for that. */
	if (num > (size_t)max(si_mem_available(), 0L) / 2)
		return -ENOMEM;
	sleep->pages = kvmalloc_array(num, sizeof(*sleep->pages),
				      GFP_KERNEL | __GFP_NOWARN);
	if (!sleep->pages)
		return -ENOMEM;
	while (sleep->num_pages < num) {
		if (fatal_signal_pending(current))
			return -EINTR;
		page = alloc_page(gfp);
		if (!page)
			return -ENOMEM;
		sleep->pages[sleep->num_pages++] = page;
		cond_resched();
	}
	return sg_alloc_table(&sleep->sgt, min_t(size_t, num, SLEEP_PAGES),
			      GFP_KERNEL);
}

/* HBM is closed: what is in use now is all that can be when it loses power. */
static int sleep_get_copies(struct xpu_device *xdev)
{
	struct xpu_sleep *sleep = &xdev->sleep;
	size_t i, room, num = 0;
	int err;

	lockdep_assert_held(&sleep->lock);

	room = alink_xpu_hbm_runs(xdev, NULL, 0);
	if (!room)
		return 0;
	sleep->runs = kvmalloc_array(room, sizeof(*sleep->runs), GFP_KERNEL);
	if (!sleep->runs)
		return -ENOMEM;
	sleep->num_runs = alink_xpu_hbm_runs(xdev, sleep->runs, room);
	for (i = 0; i < sleep->num_runs; i++)
		num += sleep->runs[i].size / PAGE_SIZE;
	if (!num)
		return 0;
	err = sleep_get_pages(sleep, num);
	if (err == -ENOMEM)
		drm_warn(&xdev->drm,
			 "no sleep: %zu KiB have to stay in HBM, and there is no memory for a copy\n",
			 num << (PAGE_SHIFT - 10));
	return err;
}

/* --- before and after: tasks run ------------------------------------------ */

/*
 * A bad page loses its mark with its power: who has it would take what is there
 * afterwards for his data.
 */
static int sleep_look_for_bad(struct xpu_device *xdev)
{
	struct drm_alink_xpu_query_memory m = {};

	alink_xpu_hbm_usage(xdev, &m);
	if (!m.hbm_pending)
		return 0;
	drm_warn(&xdev->drm,
		 "no sleep: %llu KiB of HBM that went bad are in use\n",
		 m.hbm_pending >> 10);
	return -EBUSY;
}

static int sleep_move_out(struct xpu_device *xdev)
{
	struct drm_alink_xpu_query_memory m = {};
	int err;

	err = alink_xpu_evict_all(xdev);
	if (!err || err == -EINTR || err == -ENODEV)
		return err;
	alink_xpu_hbm_usage(xdev, &m);
	drm_warn(&xdev->drm, "no sleep: %llu KiB cannot leave HBM: %pe\n",
		 m.hbm_used >> 10, ERR_PTR(err));
	return err;
}

static int sleep_make_room(struct xpu_device *xdev)
{
	struct xpu_sleep *sleep = &xdev->sleep;
	int err;

	alink_xpu_hbm_close(xdev, true);
	err = sleep_move_out(xdev);
	if (!err)
		err = sleep_look_for_bad(xdev);
	if (err)
		return err;
	mutex_lock(&sleep->lock);
	err = sleep_get_copies(xdev);
	mutex_unlock(&sleep->lock);
	return err;
}

static void sleep_end(struct xpu_device *xdev)
{
	struct xpu_sleep *sleep = &xdev->sleep;

	mutex_lock(&sleep->lock);
	sleep->asked = false;
	if (!sleep->saved)
		sleep_drop(xdev);
	mutex_unlock(&sleep->lock);
}

static int sleep_begin(struct xpu_device *xdev)
{
	struct xpu_sleep *sleep = &xdev->sleep;
	bool saved;
	int err;

	mutex_lock(&sleep->lock);
	sleep->asked = true;
	saved = sleep->saved;
	mutex_unlock(&sleep->lock);
	/* It did not come back the last time: all is safe, and closed. */
	if (saved)
		return 0;
	err = sleep_make_room(xdev);
	/* Nobody asks for what a device holds that is gone. */
	if (err == -ENODEV)
		return 0;
	if (err)
		sleep_end(xdev);
	return err;
}

static int sleep_notify(struct notifier_block *nb, unsigned long action,
			void *data)
{
	struct xpu_device *xdev = container_of(nb, struct xpu_device, sleep.nb);

	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(sleep_begin(xdev));
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		sleep_end(xdev);
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

static bool sleep_keeps_out(struct xpu_device *xdev)
{
	int err = alink_xpu_state_errno(xdev);

	return READ_ONCE(xdev->hbm.closed) && err != -EIO && err != -ENODEV;
}

/**
 * alink_xpu_sleep_wait - wait until HBM is open
 * @xdev:	device
 *
 * Context: process; no locks held, as tasks are frozen in here.
 * Return: 0, which is no promise; -EINTR on a fatal signal; -EIO or -ENODEV if
 * the device did not come back.
 */
int alink_xpu_sleep_wait(struct xpu_device *xdev)
{
	int err;

	if (wait_event_state(xdev->state_wait, !sleep_keeps_out(xdev),
			     (TASK_KILLABLE | TASK_FREEZABLE)))
		return -EINTR;
	err = alink_xpu_state_errno(xdev);
	return err == -EBUSY ? 0 : err;
}

/* --- suspend and resume: tasks are frozen --------------------------------- */

/* Of one table of the device. What is not there is no failure. */
static int sleep_end_all(struct xpu_device *xdev, struct xarray *xa, u16 opcode)
{
	unsigned long id;
	void *entry;
	int err;

	xa_for_each(xa, id, entry) {
		err = alink_admin_id(xdev->adev, opcode, id, NULL);
		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}

/*
 * When this returns nobody works on HBM any more: not what queues began, nor
 * what others have under way through the fabric. Had they gone on after the copy,
 * they could say that something is done which is then lost.
 */
static int sleep_quiet(struct xpu_device *xdev)
{
	int err;

	err = sleep_end_all(xdev, &xdev->queues, ALINK_XPU_ADMIN_QUEUE_DESTROY);
	if (!err)
		err = sleep_end_all(xdev, &xdev->groups,
				    ALINK_XPU_ADMIN_GROUP_UNBIND);
	if (!err)
		err = sleep_end_all(xdev, &xdev->segments,
				    ALINK_XPU_ADMIN_SEG_REVOKE);
	return err;
}

/* Return: -ENOMEM also if the pages cannot be mapped for the device. */
static int sleep_copy_some(struct xpu_device *xdev, u64 hbm,
			   struct page **pages, unsigned int num, bool out)
{
	enum dma_data_direction dir = out ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
	/* What is tried again with less is nobody's trouble. */
	unsigned long attrs = num > 1 ? DMA_ATTR_NO_WARN : 0;
	struct sg_table sgt = {
		.sgl = xdev->sleep.sgt.sgl,
		.orig_nents = num,
	};
	struct device *dev = xdev->drm.dev;
	struct scatterlist *sg;
	unsigned int i;
	int err;

	for_each_sgtable_sg(&sgt, sg, i)
		sg_set_page(sg, pages[i], PAGE_SIZE, 0);
	if (dma_map_sgtable(dev, &sgt, dir, attrs))
		return -ENOMEM;
	err = alink_xpu_kq_copy_asleep(xdev, hbm, (u64)num * PAGE_SIZE, &sgt,
				       out);
	dma_unmap_sgtable(dev, &sgt, dir, attrs);
	return err;
}

/* With few bounce buffers, less is copied at a time: see move_copy_pages(). */
static int sleep_copy_run(struct xpu_device *xdev,
			  const struct xpu_hbm_run *run, struct page **pages,
			  bool out)
{
	size_t n, done = 0, num = run->size / PAGE_SIZE, most = SLEEP_PAGES;
	int err = 0;

	while (done < num && !err) {
		n = min(num - done, most);
		err = sleep_copy_some(xdev, run->start + (u64)done * PAGE_SIZE,
				      pages + done, n, out);
		if (!err) {
			done += n;
		} else if (err == -ENOMEM && n > 1) {
			most = n / 2;
			err = 0;
		}
		cond_resched();
	}
	return err;
}

static int sleep_copy(struct xpu_device *xdev, bool out)
{
	struct xpu_sleep *sleep = &xdev->sleep;
	struct page **pages = sleep->pages;
	size_t i;
	int err = 0;

	lockdep_assert_held(&sleep->lock);

	for (i = 0; i < sleep->num_runs && !err; i++) {
		err = sleep_copy_run(xdev, &sleep->runs[i], pages, out);
		pages += sleep->runs[i].size / PAGE_SIZE;
	}
	return err;
}

/**
 * alink_xpu_sleep_check - can all be kept that is in HBM?
 * @xdev:	device that is about to be suspended
 *
 * It cannot if nobody asked before tasks were frozen: the driver may have been
 * bound since.
 *
 * Return: 0 or -EBUSY; 0 for a device that is gone.
 */
int alink_xpu_sleep_check(struct xpu_device *xdev)
{
	struct drm_alink_xpu_query_memory m = {};
	struct xpu_sleep *sleep = &xdev->sleep;
	u64 kept;

	if (alink_xpu_state_errno(xdev) == -ENODEV)
		return 0;
	alink_xpu_hbm_usage(xdev, &m);
	mutex_lock(&sleep->lock);
	kept = (u64)sleep->num_pages * PAGE_SIZE;
	mutex_unlock(&sleep->lock);
	if (m.hbm_used <= kept)
		return 0;
	drm_warn(&xdev->drm, "no sleep: %llu KiB of HBM have no copy\n",
		 (m.hbm_used - kept) >> 10);
	return -EBUSY;
}

/**
 * alink_xpu_sleep_save - copy what stays in HBM to system memory
 * @xdev:	device in state XPU_RESETTING, which still works
 *
 * Ends all that the device has of users. After a failure it has to be reset;
 * then HBM still holds what it held.
 *
 * Return: 0, also if there is nothing, or nobody to ask; -EBUSY if the device
 * waits for a reset, -EHWPOISON if HBM turned out to be bad, -ENOMEM, or -EIO.
 */
int alink_xpu_sleep_save(struct xpu_device *xdev)
{
	struct xpu_sleep *sleep = &xdev->sleep;
	int err = 0;

	mutex_lock(&sleep->lock);
	if (sleep->num_runs && !sleep->saved) {
		/* Cut off, it would do nothing, and take its time for that. */
		err = xdev->pdev->is_busmaster ? sleep_quiet(xdev) : -EBUSY;
		if (!err)
			err = sleep_copy(xdev, true);
		sleep->saved = !err;
		if (err && alink_xpu_state_errno(xdev) == -ENODEV)
			err = 0;
		else if (err)
			drm_err(&xdev->drm,
				"no sleep: %zu KiB of HBM cannot be copied: %pe\n",
				sleep->num_pages << (PAGE_SHIFT - 10),
				ERR_PTR(err));
	}
	mutex_unlock(&sleep->lock);
	return err;
}

/**
 * alink_xpu_sleep_restore - copy back to HBM what it held before a sleep
 * @xdev:	device in state XPU_RESETTING, whose kernel queue works
 *
 * Return: 0, also if there is nothing; else the copies stay for the next reset.
 */
int alink_xpu_sleep_restore(struct xpu_device *xdev)
{
	struct xpu_sleep *sleep = &xdev->sleep;
	int err = 0;

	mutex_lock(&sleep->lock);
	if (sleep->saved) {
		err = sleep_copy(xdev, false);
		if (err)
			drm_err(&xdev->drm,
				"%zu KiB are not back in HBM: %pe; the next reset tries again\n",
				sleep->num_pages << (PAGE_SHIFT - 10),
				ERR_PTR(err));
		sleep->saved = err;
		/* The sleep is over: it failed then, and this is a later reset. */
		if (!err && !sleep->asked)
			sleep_drop(xdev);
	}
	mutex_unlock(&sleep->lock);
	return err;
}

/* --- life ---------------------------------------------------------------- */

void alink_xpu_sleep_init(struct xpu_device *xdev)
{
	mutex_init(&xdev->sleep.lock);
	xdev->sleep.nb.notifier_call = sleep_notify;
}

/**
 * alink_xpu_sleep_register - be told when the machine is about to sleep
 * @xdev:	device that works
 *
 * Return: 0 or -errno.
 */
int alink_xpu_sleep_register(struct xpu_device *xdev)
{
	return register_pm_notifier(&xdev->sleep.nb);
}

/**
 * alink_xpu_sleep_unregister - undo alink_xpu_sleep_register()
 * @xdev:	device that is being removed, in state XPU_STOPPING or XPU_GONE;
 *		with it goes what it held
 */
void alink_xpu_sleep_unregister(struct xpu_device *xdev)
{
	struct xpu_sleep *sleep = &xdev->sleep;

	unregister_pm_notifier(&sleep->nb);
	mutex_lock(&sleep->lock);
	sleep->saved = false;
	sleep_drop(xdev);
	mutex_unlock(&sleep->lock);
}
