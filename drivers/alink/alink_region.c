// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers that may be looked at: which there are, for ethtool -d, and the
 * devlink region that has them as they are in BAR0, for snapshots.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/unaligned.h>

#include <hw/alink/link.h>

#include "alink_priv.h"

const struct alink_reg_row alink_reg_rows[] = {
#define ALINK_ROW(_first, _num, _width) \
	{ .first = _first, .num = _num, .width = _width }
#define ALINK_ROW_LINK(_first, _num, _width) \
	{ ALINK_LINK_BASE, ALINK_LINK_STRIDE, _first, _num, _width }
#define ALINK_ROW_LSTAT(_first, _num) \
	{ ALINK_LSTAT_BASE, ALINK_LSTAT_STRIDE, _first, _num, 64 }
	ALINK_ROW(ALINK_REG_MAGIC, 4, 32),	/* VERSION, DEVTYPE, VARIANT */
	ALINK_ROW(ALINK_REG_CAPS, 2, 64),	/* SERIAL */
	ALINK_ROW(ALINK_REG_FW_VERSION, 4, 32), /* to NUM_LINKS */
	ALINK_ROW(ALINK_REG_STATE, 2, 32),	/* CONTROL */
	ALINK_ROW(ALINK_REG_RESET_CAUSE, 3, 32), /* GENERATION, HEARTBEAT */
	ALINK_ROW(ALINK_REG_CLOCK, 1, 64),
	ALINK_ROW(ALINK_REG_GUEST_ERRORS, 4, 32), /* to FAULT_CLASS */
	ALINK_ROW(ALINK_REG_FAULT_ADDR, 1, 64),
	ALINK_ROW(ALINK_REG_FAULT_INFO, 1, 32),
	ALINK_ROW_LINK(ALINK_LINK_STATE, 8, 32), /* to PEER_PORT */
	ALINK_ROW_LINK(ALINK_LINK_PEER_SERIAL, 1, 64),
	ALINK_ROW_LINK(ALINK_LINK_FEC, 2, 32),	/* MODULE */
	ALINK_ROW_LINK(ALINK_LINK_DOWNS, 1, 64),
	ALINK_ROW_LINK(ALINK_LINK_TX_BYTES, 16, 64), /* to RX_FRAMES */
	ALINK_ROW_LINK(ALINK_LINK_FEC_CTRL, 3, 32), /* FEC_CAPS, LANES_BAD */
	ALINK_ROW_LINK(ALINK_LINK_RETRAINS, 2, 64), /* LANE_LOSSES */
	ALINK_ROW_LINK(ALINK_LINK_FLAP_CTRL, 2, 32), /* STAGE */
	ALINK_ROW_LINK(ALINK_LINK_FLAP_HOLDS, 1, 64),
	ALINK_ROW_LSTAT(ALINK_LSTAT_TX_OCTETS, 8), /* to SYMBOL_ERRORS */
	ALINK_ROW_LSTAT(ALINK_LSTAT_TX_SIZE(0), ALINK_LSTAT_SIZES),
	ALINK_ROW_LSTAT(ALINK_LSTAT_RX_SIZE(0), ALINK_LSTAT_SIZES),
	ALINK_ROW_LSTAT(ALINK_LSTAT_FEC_CORR(0), ALINK_LSTAT_LANES),
	ALINK_ROW_LSTAT(ALINK_LSTAT_FEC_UNCORR(0), ALINK_LSTAT_LANES),
	ALINK_ROW_LSTAT(ALINK_LSTAT_CREDIT_STALLS, 6), /* to BER */
};

const unsigned int alink_num_reg_rows = ARRAY_SIZE(alink_reg_rows);

static_assert(ALINK_REG_FW_VERSION + 12 == ALINK_REG_NUM_LINKS);
static_assert(ALINK_REG_GUEST_ERRORS + 12 == ALINK_REG_FAULT_CLASS);
static_assert(ALINK_LINK_STATE + 28 == ALINK_LINK_PEER_PORT);
static_assert(ALINK_LINK_TX_BYTES + 15 * 8 == ALINK_LINK_RX_FRAMES);
static_assert(ALINK_LINK_FEC_CTRL + 8 == ALINK_LINK_LANES_BAD);
static_assert(ALINK_LINK_FLAP_CTRL + 4 == ALINK_LINK_STAGE);
static_assert(ALINK_LINK_RETRAINS + 8 == ALINK_LINK_LANE_LOSSES);
static_assert(ALINK_LSTAT_TX_OCTETS + 7 * 8 == ALINK_LSTAT_SYMBOL_ERRORS);
static_assert(ALINK_LSTAT_CREDIT_STALLS + 5 * 8 == ALINK_LSTAT_BER);

/* --- devlink region ------------------------------------------------------- */

#define ALINK_REGION_SNAPSHOTS	8

static u32 alink_region_size(struct alink_dev *adev)
{
	return ALINK_LINK_WINDOW(adev->num_links);
}

/* Only what has its place below @size; each word is read as it is wide. */
static void alink_region_read(struct alink_dev *adev, u8 *data, u32 size,
			      const struct alink_reg_row *row, u32 link)
{
	u32 offset = row->base + link * row->stride + row->first;
	unsigned int n;

	for (n = 0; n < row->num; n++, offset += row->width / 8) {
		if (offset + row->width / 8 > size)
			return;
		if (row->width == 64)
			put_unaligned_le64(alink_rd64(adev, offset),
					   data + offset);
		else
			put_unaligned_le32(alink_rd32(adev, offset),
					   data + offset);
	}
}

static int alink_region_snapshot(struct devlink *devlink,
				 const struct devlink_region_ops *ops,
				 struct netlink_ext_ack *extack, u8 **data)
{
	struct alink_dev *adev = alink_devlink_dev(devlink);
	const struct alink_reg_row *row;
	u32 link, size = alink_region_size(adev);
	unsigned int i;
	u32 epoch;
	u8 *buf;
	int err;

	buf = kvzalloc(size, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	err = alink_regs_begin(adev, &epoch);
	for (i = 0; i < alink_num_reg_rows && !err; i++) {
		row = &alink_reg_rows[i];
		for (link = 0; link < (row->stride ? adev->num_links : 1);
		     link++)
			alink_region_read(adev, buf, size, row, link);
		cond_resched();
	}
	/* One from before a reset and after it would tell what never was. */
	if (!err)
		err = alink_regs_end(adev, epoch);
	if (err) {
		kvfree(buf);
		return alink_devlink_refuse(adev, extack);
	}
	*data = buf;
	return 0;
}

static const struct devlink_region_ops alink_region_ops = {
	.name = "registers",
	.destructor = kvfree,
	.snapshot = alink_region_snapshot,
};

/**
 * alink_devlink_common_register - parameters and regions that every driver has
 * @devlink:	instance whose devlink_priv() begins with struct alink_devlink,
 *		with the device set
 *
 * Context: process; sleeps. The caller holds the devlink lock.
 * Return: 0 or -errno.
 */
int alink_devlink_common_register(struct devlink *devlink)
{
	struct alink_dev *adev = alink_devlink_dev(devlink);
	int err;

	adev->region = devl_region_create(devlink, &alink_region_ops,
					  ALINK_REGION_SNAPSHOTS,
					  alink_region_size(adev));
	if (IS_ERR(adev->region))
		return PTR_ERR(adev->region);
	err = alink_devlink_params_register(devlink);
	if (err)
		goto err_region;
	err = alink_flap_params_register(devlink);
	if (err)
		goto err_params;
	return 0;

err_params:
	alink_devlink_params_unregister(devlink);
err_region:
	devl_region_destroy(adev->region);
	return err;
}
EXPORT_SYMBOL_GPL(alink_devlink_common_register);

/**
 * alink_devlink_common_unregister - undo alink_devlink_common_register()
 * @devlink:	instance
 *
 * Context: process; sleeps. The caller holds the devlink lock.
 */
void alink_devlink_common_unregister(struct devlink *devlink)
{
	alink_flap_params_unregister(devlink);
	alink_devlink_params_unregister(devlink);
	devl_region_destroy(alink_devlink_dev(devlink)->region);
}
EXPORT_SYMBOL_GPL(alink_devlink_common_unregister);
