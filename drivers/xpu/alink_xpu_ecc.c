// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink health reporter "ecc": errors of HBM that could not be corrected, and
 * the pages that have been retired for them. Those that were corrected are but a
 * number: nobody has lost anything.
 *
 * Who met one has lost the command that read it, and nothing else: once the page
 * is on the list that the device keeps, the error is over. The reporter stays in
 * state "error" as long as a page is not there: because the device did not take
 * it, which "recover", a reset and the next bad page try again, or because the
 * list is full, when the part is to be replaced.
 */
#include <net/devlink.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"

/* --- counting ----------------------------------------------------------- */

/* Have devlink told what there is: an error, or that all pages are saved now. */
void alink_xpu_ecc_look(struct xpu_device *xdev)
{
	int idx;

	/* Who removes the device cancels it, and wants no other. */
	if (!drm_dev_enter(&xdev->drm, &idx))
		return;
	queue_work(system_unbound_wq, &xdev->ecc.work);
	drm_dev_exit(idx);
}

/**
 * alink_xpu_ecc_note - count an error of HBM, and have it told
 * @xdev:	device
 * @event:	ALINK_EVENT_FAULT with ALINK_FAULT_HBM_ECC; its page has been
 *		retired as far as that goes now
 *
 * One whose event got lost is not counted, but its page is retired, too.
 *
 * Context: process, from the event worker, the only one that calls.
 */
void alink_xpu_ecc_note(struct xpu_device *xdev,
			const struct alink_event *event)
{
	struct xpu_ecc *ecc = &xdev->ecc;

	/* That is no HBM, and was told as such. */
	if (le64_to_cpu(event->addr) >= xdev->info.hbm_size)
		return;
	spin_lock(&ecc->lock);
	ecc->last = *event;
	ecc->uncorrected++;
	spin_unlock(&ecc->lock);
	alink_xpu_ecc_look(xdev);
}

/* Returns how many there were, and the latest one if there was any. */
static u64 ecc_last(struct xpu_ecc *ecc, struct alink_event *last)
{
	u64 uncorrected;

	spin_lock(&ecc->lock);
	uncorrected = ecc->uncorrected;
	*last = ecc->last;
	spin_unlock(&ecc->lock);
	return uncorrected;
}

/* --- devlink ------------------------------------------------------------ */

static void ecc_put_pages(struct devlink_fmsg *fmsg, struct xpu_device *xdev)
{
	u32 i, retired = 0, unsaved = 0;
	struct xpu_bad_info bad;

	devlink_fmsg_arr_pair_nest_start(fmsg, "pages");
	for (i = 0; alink_xpu_retire_get(xdev, i, &bad); i++) {
		retired += bad.retired;
		unsaved += !bad.stored;
		devlink_fmsg_obj_nest_start(fmsg);
		devlink_fmsg_u64_pair_put(fmsg, "page", bad.addr);
		devlink_fmsg_string_pair_put(fmsg, "cause", bad.cause);
		devlink_fmsg_u64_pair_put(fmsg, "time", bad.time);
		devlink_fmsg_bool_pair_put(fmsg, "retired", bad.retired);
		devlink_fmsg_bool_pair_put(fmsg, "saved", bad.stored);
		devlink_fmsg_obj_nest_end(fmsg);
	}
	devlink_fmsg_arr_pair_nest_end(fmsg);
	devlink_fmsg_u32_pair_put(fmsg, "pages_retired", retired);
	devlink_fmsg_u32_pair_put(fmsg, "pages_pending", i - retired);
	devlink_fmsg_u32_pair_put(fmsg, "pages_unsaved", unsaved);
	devlink_fmsg_u32_pair_put(fmsg, "pages_max", ALINK_XPU_MAX_RETIRED);
	devlink_fmsg_u64_pair_put(fmsg, "pages_beyond",
				  alink_xpu_retire_beyond(xdev));
}

static int ecc_diagnose(struct devlink_health_reporter *reporter,
			struct devlink_fmsg *fmsg,
			struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);
	struct alink_event last;
	u64 corrected, uncorrected;

	corrected = alink_rd64(xdev->adev, ALINK_XPU_REG_ECC_CORRECTED);
	/* All ones: not now, in a reset */
	if (alink_dev_caps(xdev->adev) & ALINK_CAP_ECC && corrected != U64_MAX)
		devlink_fmsg_u64_pair_put(fmsg, "corrected", corrected);
	uncorrected = ecc_last(&xdev->ecc, &last);
	devlink_fmsg_u64_pair_put(fmsg, "uncorrected", uncorrected);
	if (uncorrected) {
		devlink_fmsg_u64_pair_put(fmsg, "last_address",
					  le64_to_cpu(last.addr));
		devlink_fmsg_u64_pair_put(fmsg, "last_time_ns",
					  le64_to_cpu(last.time_ns));
	}
	ecc_put_pages(fmsg, xdev);
	return 0;
}

static int ecc_dump(struct devlink_health_reporter *reporter,
		    struct devlink_fmsg *fmsg, void *priv_ctx,
		    struct netlink_ext_ack *extack)
{
	const struct alink_event *event = priv_ctx;

	/* A dump on request has no error to tell of. */
	if (event)
		alink_devlink_fault(fmsg, event);
	return ecc_diagnose(reporter, fmsg, extack);
}

/* Has the device all bad pages on its list, if it keeps one? */
static bool ecc_saved(struct xpu_device *xdev)
{
	struct xpu_bad_info bad;
	unsigned int i;

	/* Without one it knows them until it is unbound. */
	if (!(alink_dev_caps(xdev->adev) & ALINK_CAP_RETIRE))
		return true;
	for (i = 0; alink_xpu_retire_get(xdev, i, &bad); i++)
		if (!bad.stored)
			return false;
	return true;
}

static int ecc_recover(struct devlink_health_reporter *reporter, void *priv_ctx,
		       struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);

	if (alink_xpu_retire_beyond(xdev)) {
		NL_SET_ERR_MSG(extack, "The list of bad pages is full: replace the device");
		return -ENOSPC;
	}
	alink_xpu_retire_store(xdev, false);
	if (ecc_saved(xdev))
		return 0;
	NL_SET_ERR_MSG(extack, "Device does not save a bad page");
	return -EIO;
}

/* Who asks holds the lock that a report takes. */
static int ecc_test(struct devlink_health_reporter *reporter,
		    struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);

	WRITE_ONCE(xdev->ecc.test, true);
	alink_xpu_ecc_look(xdev);
	return 0;
}

static const struct devlink_health_reporter_ops ecc_reporter_ops = {
	.name = "ecc",
	.recover = ecc_recover,
	.diagnose = ecc_diagnose,
	.dump = ecc_dump,
	.test = ecc_test,
};

/* Those that come while one is told are told as one. */
static void ecc_work(struct work_struct *work)
{
	struct xpu_ecc *ecc = container_of(work, struct xpu_ecc, work);
	struct xpu_device *xdev = container_of(ecc, struct xpu_device, ecc);
	struct alink_event last;
	char why[80];
	u64 num;

	if (xchg(&ecc->test, false))
		devlink_health_report(ecc->reporter, ALINK_DEVLINK_TEST, NULL);
	num = ecc_last(ecc, &last) - ecc->told;
	ecc->told += num;
	if (num) {
		snprintf(why, sizeof(why),
			 "%llu errors of HBM, the last at %#llx", num,
			 le64_to_cpu(last.addr));
		/* In state "error" devlink does not ask to recover. */
		if (devlink_health_report(ecc->reporter, why, &last) !=
		    -ECANCELED)
			return;
	}
	/* A reset, or the next page, may have saved what could not be before. */
	if (!alink_xpu_retire_beyond(xdev) && ecc_saved(xdev))
		devlink_health_reporter_state_update(ecc->reporter,
						     DEVLINK_HEALTH_REPORTER_STATE_HEALTHY);
}

/**
 * alink_xpu_ecc_reporter_create - health reporter for HBM
 * @xdev:	device
 * @devlink:	its devlink instance, locked, not registered yet
 *
 * Return: 0 or -errno.
 */
int alink_xpu_ecc_reporter_create(struct xpu_device *xdev,
				  struct devlink *devlink)
{
	struct devlink_health_reporter *reporter;

	reporter = devl_health_reporter_create(devlink, &ecc_reporter_ops, 0,
					       xdev);
	if (IS_ERR(reporter))
		return PTR_ERR(reporter);
	xdev->ecc.reporter = reporter;
	return 0;
}

/* The devlink instance is locked; alink_xpu_ecc_fini() was here before. */
void alink_xpu_ecc_reporter_destroy(struct xpu_device *xdev)
{
	devl_health_reporter_destroy(xdev->ecc.reporter);
	xdev->ecc.reporter = NULL;
}

/* --- life --------------------------------------------------------------- */

void alink_xpu_ecc_init(struct xpu_device *xdev)
{
	spin_lock_init(&xdev->ecc.lock);
	INIT_WORK(&xdev->ecc.work, ecc_work);
}

/* After drm_dev_unplug(), or when nobody calls alink_xpu_ecc_look() any more. */
void alink_xpu_ecc_fini(struct xpu_device *xdev)
{
	/* devlink may still ask for a test. */
	disable_work_sync(&xdev->ecc.work);
}
