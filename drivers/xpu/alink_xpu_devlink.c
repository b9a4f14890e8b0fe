// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink: what the board is, and the ports of its links.
 */
#include <net/devlink.h>

#include "alink_xpu_drv.h"

#define XPU_INFO_BOARD	DEVLINK_INFO_VERSION_GENERIC_BOARD_ID
#define XPU_INFO_ASIC	DEVLINK_INFO_VERSION_GENERIC_ASIC_ID
#define XPU_INFO_FW	DEVLINK_INFO_VERSION_GENERIC_FW

struct xpu_devlink {
	struct xpu_device *xdev;
};

static int xpu_devlink_info_get(struct devlink *devlink,
				struct devlink_info_req *req,
				struct netlink_ext_ack *extack)
{
	struct xpu_devlink *priv = devlink_priv(devlink);
	struct xpu_device *xdev = priv->xdev;
	const struct xpu_info *info = &xdev->info;
	const char *running = info->fw_text;
	char text[24];
	u32 fw;
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

	if (!info->fw_text[0]) {
		fw = alink_dev_fw_version(xdev->adev);
		snprintf(text, sizeof(text), "%u.%u.%u", fw >> 24,
			 (fw >> 16) & 0xff, fw & 0xffff);
		running = text;
	}
	return devlink_info_version_running_put(req, XPU_INFO_FW, running);
}

static const struct devlink_ops xpu_devlink_ops = {
	.info_get = xpu_devlink_info_get,
};

/* Returns an instance that nobody sees yet, or NULL. */
struct devlink *alink_xpu_devlink_alloc(struct xpu_device *xdev)
{
	struct devlink *devlink;
	struct xpu_devlink *priv;

	devlink = devlink_alloc(&xpu_devlink_ops, sizeof(*priv),
				&xdev->pdev->dev);
	if (!devlink)
		return NULL;
	priv = devlink_priv(devlink);
	priv->xdev = xdev;
	return devlink;
}
