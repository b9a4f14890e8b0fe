// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink: what the board is, the ports of its links, its firmware, and its
 * health.
 *
 * The reporter "device" counts faults and keeps the first that was not looked
 * at. A queue that halted by a fault, or was stuck, is its user's affair: such a
 * fault is over at once. One that needs a reset of the device stays, until the
 * administrator says "devlink health recover": only he knows who else works
 * there. So does a device that did not come back from a reset. For queues that
 * halted by an error of their user there is the reporter "queue",
 * alink_xpu_qerr.c, and for HBM beside this one "ecc": alink_xpu_ecc.c.
 */
#include <linux/pci.h>
#include <net/devlink.h>

#include "alink_xpu_drv.h"

#define XPU_INFO_BOARD	DEVLINK_INFO_VERSION_GENERIC_BOARD_ID
#define XPU_INFO_ASIC	DEVLINK_INFO_VERSION_GENERIC_ASIC_ID

struct xpu_devlink {
	struct alink_devlink common;	/* first: alink.ko looks there */
	struct xpu_device *xdev;
};

static int xpu_devlink_info_get(struct devlink *devlink,
				struct devlink_info_req *req,
				struct netlink_ext_ack *extack)
{
	struct xpu_devlink *priv = devlink_priv(devlink);
	struct xpu_device *xdev = priv->xdev;
	const struct xpu_info *info = &xdev->info;
	char text[24];
	int err;

	snprintf(text, sizeof(text), "%016llx", alink_dev_serial(xdev->adev));
	err = devlink_info_serial_number_put(req, text);
	if (!err && info->board_serial[0])
		err = devlink_info_board_serial_number_put(req,
							   info->board_serial);
	if (!err && info->part_number[0])
		err = devlink_info_version_fixed_put(req, XPU_INFO_BOARD,
						     info->part_number);
	if (!err && info->name[0])
		err = devlink_info_version_fixed_put(req, XPU_INFO_ASIC,
						     info->name);
	if (err)
		return err;
	return alink_flash_put_info(xdev->adev, req);
}

static int xpu_devlink_reload_up(struct devlink *devlink,
				 enum devlink_reload_action action,
				 enum devlink_reload_limit limit,
				 u32 *actions_performed,
				 struct netlink_ext_ack *extack)
{
	struct xpu_devlink *priv = devlink_priv(devlink);
	int err;

	err = alink_devlink_reload_up(devlink, action, limit,
				      actions_performed, extack);
	if (err)
		return err;
	err = alink_xpu_state_errno(priv->xdev);
	if (err)
		NL_SET_ERR_MSG(extack, "Device cannot be used after its reset");
	return err;
}

static const struct devlink_ops xpu_devlink_ops = {
	.info_get = xpu_devlink_info_get,
	.flash_update = alink_devlink_flash_update,
	.reload_actions = ALINK_DEVLINK_RELOAD_ACTIONS,
	.reload_down = alink_devlink_reload_down,
	.reload_up = xpu_devlink_reload_up,
};

/* --- health ------------------------------------------------------------- */

static int xpu_health_diagnose(struct devlink_health_reporter *reporter,
			       struct devlink_fmsg *fmsg,
			       struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);
	struct alink_dev *adev = xdev->adev;
	struct alink_event event;
	u64 faults;
	u32 epoch;
	int err;

	err = alink_devlink_begin(adev, &epoch, extack);
	if (err)
		return err;
	alink_devlink_diagnose(adev, fmsg);
	devlink_fmsg_u64_pair_put(fmsg, "commands",
				  alink_rd64(adev, ALINK_XPU_REG_COMMANDS));
	alink_xpu_qerr_put_totals(xdev, fmsg);
	devlink_fmsg_u32_pair_put(fmsg, "hung_queues",
				  atomic_read(&xdev->hangs.queues));
	devlink_fmsg_u32_pair_put(fmsg, "hang_resets",
				  atomic_read(&xdev->hangs.resets));
	faults = alink_xpu_last_fault(xdev, &event);
	devlink_fmsg_u64_pair_put(fmsg, "faults", faults);
	if (faults)
		alink_devlink_fault(fmsg, &event);
	return alink_devlink_end(adev, epoch, extack);
}

static int xpu_health_dump(struct devlink_health_reporter *reporter,
			   struct devlink_fmsg *fmsg, void *priv_ctx,
			   struct netlink_ext_ack *extack)
{
	const struct alink_devlink_report *report = priv_ctx;

	if (!report)
		return xpu_health_diagnose(reporter, fmsg, extack);
	alink_devlink_put_report(fmsg, report);
	return 0;
}

static enum devlink_health_reporter_state
xpu_health_state(struct xpu_device *xdev)
{
	bool failed = alink_xpu_state_errno(xdev) == -EIO;

	/* In a reset its end decides, which looks again. */
	return alink_devlink_state(xdev->adev, failed ||
					       READ_ONCE(xdev->faults.bad));
}

static int xpu_health_recover(struct devlink_health_reporter *reporter,
			      void *priv_ctx, struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);
	const struct alink_devlink_report *report = priv_ctx;
	int err;

	if (report)
		return report->over ? 0 : -EOPNOTSUPP;
	/* Of a report that nobody recovered: no reset is needed. */
	if (xpu_health_state(xdev) == DEVLINK_HEALTH_REPORTER_STATE_HEALTHY)
		return 0;

	/* devlink takes what has gone well for the end of all that came meanwhile. */
	queue_work(system_unbound_wq, &xdev->faults.work);
	err = alink_devlink_recover(xdev->adev, extack);
	if (err)
		return err;
	err = alink_xpu_state_errno(xdev);
	if (err)
		NL_SET_ERR_MSG(extack, "Device cannot be used after its reset");
	return err;
}

/* Who asks holds the lock that a report takes. */
static int xpu_health_asked(struct devlink_health_reporter *reporter,
			    struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);

	WRITE_ONCE(xdev->faults.test, true);
	queue_work(system_unbound_wq, &xdev->faults.work);
	return 0;
}

static const struct devlink_health_reporter_ops xpu_reporter_ops = {
	.name = "device",
	.recover = xpu_health_recover,
	.diagnose = xpu_health_diagnose,
	.dump = xpu_health_dump,
	.test = xpu_health_asked,
};

/**
 * alink_xpu_health_report - a failure, for devlink
 * @xdev:	device, with devlink registered
 * @why:	what failed
 * @event:	the fault, or NULL
 *
 * Context: process; sleeps. Takes the lock of the devlink instance.
 */
void alink_xpu_health_report(struct xpu_device *xdev, const char *why,
			     const struct alink_event *event)
{
	struct alink_devlink_report report = {
		.event = event,
		.why = why,
		.over = event &&
			le32_to_cpu(event->info) < ALINK_RECOVERY_DEVICE,
	};

	devlink_health_report(xdev->reporter, why, &report);
}

/* A report that somebody asked for: nothing has failed. */
void alink_xpu_health_test(struct xpu_device *xdev)
{
	struct alink_devlink_report report = {
		.why = ALINK_DEVLINK_TEST,
		.over = true,
	};

	devlink_health_report(xdev->reporter, report.why, &report);
}

/**
 * alink_xpu_health_look - see what is true, whatever was reported
 * @xdev:	device, with devlink registered
 *
 * Context: process; sleeps. Takes the lock of the devlink instance: what a
 * recovery that goes on now ends with is seen.
 */
void alink_xpu_health_look(struct xpu_device *xdev)
{
	struct devlink *devlink = xdev->devlink;

	devl_lock(devlink);
	devlink_health_reporter_state_update(xdev->reporter,
					     xpu_health_state(xdev));
	devl_unlock(devlink);
}

/* --- life --------------------------------------------------------------- */

/**
 * alink_xpu_devlink_init - make and register the devlink instance
 * @xdev:	device
 *
 * Return: 0 or -errno.
 */
int alink_xpu_devlink_init(struct xpu_device *xdev)
{
	struct xpu_devlink *priv;
	struct devlink *devlink;
	int err;

	devlink = devlink_alloc(&xpu_devlink_ops, sizeof(*priv),
				&xdev->pdev->dev);
	if (!devlink)
		return -ENOMEM;
	priv = devlink_priv(devlink);
	priv->common.adev = xdev->adev;
	priv->xdev = xdev;

	devl_lock(devlink);
	err = alink_ports_create(xdev->adev, devlink);
	if (err)
		goto err_unlock;
	xdev->reporter = devl_health_reporter_create(devlink,
						     &xpu_reporter_ops, 0,
						     xdev);
	if (IS_ERR(xdev->reporter)) {
		err = PTR_ERR(xdev->reporter);
		goto err_ports;
	}
	err = alink_xpu_qerr_reporter_create(xdev, devlink);
	if (err)
		goto err_reporter;
	err = alink_xpu_ecc_reporter_create(xdev, devlink);
	if (err)
		goto err_queue_reporter;
	err = alink_link_health_create(xdev->adev, devlink);
	if (err)
		goto err_ecc_reporter;
	err = alink_devlink_common_register(devlink);
	if (err)
		goto err_link_health;
	/* First: devlink may ask for a report at once. */
	xdev->devlink = devlink;
	devl_register(devlink);
	devl_unlock(devlink);
	alink_link_health_start(xdev->adev);
	return 0;

err_link_health:
	alink_link_health_destroy(xdev->adev);
err_ecc_reporter:
	alink_xpu_ecc_reporter_destroy(xdev);
err_queue_reporter:
	alink_xpu_qerr_reporter_destroy(xdev);
err_reporter:
	devl_health_reporter_destroy(xdev->reporter);
err_ports:
	alink_ports_destroy(xdev->adev);
err_unlock:
	devl_unlock(devlink);
	devlink_free(devlink);
	return err;
}

void alink_xpu_devlink_fini(struct xpu_device *xdev)
{
	struct devlink *devlink = xdev->devlink;

	alink_link_health_stop(xdev->adev);
	devl_lock(devlink);
	devl_unregister(devlink);
	alink_devlink_common_unregister(devlink);
	alink_link_health_destroy(xdev->adev);
	alink_xpu_ecc_reporter_destroy(xdev);
	alink_xpu_qerr_reporter_destroy(xdev);
	devl_health_reporter_destroy(xdev->reporter);
	alink_ports_destroy(xdev->adev);
	devl_unlock(devlink);
	devlink_free(devlink);
	xdev->devlink = NULL;
}
