// SPDX-License-Identifier: GPL-2.0-only
/*
 * ethtool on links: settings, FEC, why a link is down, register dump, module
 * pages and power mode, identify.
 */
#include <linux/ethtool.h>
#include <linux/log2.h>
#include <linux/rtnetlink.h>

#include "alink_module.h"
#include "alink_port.h"

static void alink_port_get_drvinfo(struct net_device *netdev,
				   struct ethtool_drvinfo *info)
{
	struct alink_dev *adev = alink_port_of(netdev)->adev;
	u32 fw = alink_dev_fw_version(adev);

	strscpy(info->driver, adev->pdev->driver->name, sizeof(info->driver));
	strscpy(info->bus_info, pci_name(adev->pdev), sizeof(info->bus_info));
	snprintf(info->fw_version, sizeof(info->fw_version), "%u.%u.%u",
		 fw >> 24, (fw >> 16) & 0xff, fw & 0xffff);
}

/* An entry of the dump, version 1: one word of BAR0 and where it is */
struct alink_port_dump_entry {
	u32 offset;
	u32 value;
};

#define ALINK_PORT_DUMP_VERSION		1

static int alink_port_get_regs_len(struct net_device *netdev)
{
	unsigned int i, words = 0;

	for (i = 0; i < alink_num_reg_rows; i++)
		words += alink_reg_rows[i].num * alink_reg_rows[i].width / 32;
	return words * sizeof(struct alink_port_dump_entry);
}

/* All ones while the device is in reset or gone */
static void alink_port_get_regs(struct net_device *netdev,
				struct ethtool_regs *regs, void *data)
{
	struct alink_port *port = alink_port_of(netdev);
	struct alink_port_dump_entry *out = data;
	const struct alink_reg_row *row;
	unsigned int i, n;
	u32 offset;
	u64 value;

	regs->version = ALINK_PORT_DUMP_VERSION;
	for (i = 0; i < alink_num_reg_rows; i++) {
		row = &alink_reg_rows[i];
		offset = row->base + port->num * row->stride + row->first;
		for (n = 0; n < row->num; n++, offset += row->width / 8) {
			value = row->width == 64 ?
				alink_rd64(port->adev, offset) :
				alink_rd32(port->adev, offset);
			out->offset = offset;
			out->value = lower_32_bits(value);
			out++;
			if (row->width == 32)
				continue;
			out->offset = offset + 4;
			out->value = upper_32_bits(value);
			out++;
		}
	}
}

/*
 * ALink is none of the IEEE media, so there are no link modes to list: rate
 * and lanes say what there is to know.
 */
static int alink_port_get_link_ksettings(struct net_device *netdev,
					 struct ethtool_link_ksettings *cmd)
{
	struct alink_port *port = alink_port_of(netdev);
	u32 speed, lanes, module, fecs;

	speed = alink_port_rd32(port, ALINK_LINK_SPEED);
	lanes = alink_port_lanes(port);
	module = alink_port_rd32(port, ALINK_LINK_MODULE);
	fecs = alink_port_rd32(port, ALINK_LINK_FEC_CAPS);
	if (!alink_dev_active(port->adev))
		return -ENODEV;

	ethtool_link_ksettings_zero_link_mode(cmd, supported);
	ethtool_link_ksettings_zero_link_mode(cmd, advertising);
	cmd->base.autoneg = AUTONEG_DISABLE;
	if (module == ALINK_ID_NONE) {
		cmd->base.port = PORT_DA;
	} else {
		cmd->base.port = PORT_FIBRE;
		ethtool_link_ksettings_add_link_mode(cmd, supported, FIBRE);
	}
	if (fecs & ALINK_BIT(ALINK_FEC_NONE))
		ethtool_link_ksettings_add_link_mode(cmd, supported, FEC_NONE);
	if (fecs & ALINK_BIT(ALINK_FEC_RS544))
		ethtool_link_ksettings_add_link_mode(cmd, supported, FEC_RS);
	if (fecs & ALINK_BIT(ALINK_FEC_LL272))
		ethtool_link_ksettings_add_link_mode(cmd, supported, FEC_LLRS);

	if (speed) {
		cmd->base.speed = speed;
		cmd->base.duplex = DUPLEX_FULL;
		cmd->lanes = lanes;
	} else {
		cmd->base.speed = SPEED_UNKNOWN;
		cmd->base.duplex = DUPLEX_UNKNOWN;
		cmd->lanes = 0;
	}
	return 0;
}

#define ALINK_EXT(_state)						\
	{ .known = true, .state = ETHTOOL_LINK_EXT_STATE_##_state }
#define ALINK_EXT_SUB(_state, _sub)					\
	{ .known = true, .state = ETHTOOL_LINK_EXT_STATE_##_state,	\
	  .substate = ETHTOOL_LINK_EXT_SUBSTATE_##_sub }

/*
 * The nearest that ethtool has; "alink link show" has one word for each. A rate
 * goes down for a bad signal, firmware that does not get the SerDes ready has
 * not calibrated it, and partitions that differ are a matter of logic. That a
 * link was closed has no word: ethtool asks only about netdevs that are up.
 */
static const struct alink_ext_state {
	bool known;
	u8 state;
	u8 substate;
} alink_ext_states[] = {
	[ALINK_DOWN_NO_PARTNER] = ALINK_EXT_SUB(AUTONEG,
						AN_NO_PARTNER_DETECTED),
	[ALINK_DOWN_NO_CABLE] = ALINK_EXT(NO_CABLE),
	[ALINK_DOWN_MODULE_NOT_READY] = ALINK_EXT_SUB(MODULE,
						      MODULE_CMIS_NOT_READY),
	[ALINK_DOWN_MODULE_FAULT] = ALINK_EXT(MODULE),
	[ALINK_DOWN_RATE] = ALINK_EXT_SUB(BAD_SIGNAL_INTEGRITY,
					  BSI_UNSUPPORTED_RATE),
	[ALINK_DOWN_AUTONEG] = ALINK_EXT_SUB(AUTONEG, AN_NO_HCD),
	[ALINK_DOWN_TRAINING] = ALINK_EXT(LINK_TRAINING_FAILURE),
	[ALINK_DOWN_SIGNAL] =
		ALINK_EXT_SUB(BAD_SIGNAL_INTEGRITY,
			      BSI_LARGE_NUMBER_OF_PHYSICAL_ERRORS),
	[ALINK_DOWN_REMOTE_FAULT] = ALINK_EXT_SUB(LINK_TRAINING_FAILURE,
						  LT_REMOTE_FAULT),
	[ALINK_DOWN_DESKEW] = ALINK_EXT_SUB(LINK_LOGICAL_MISMATCH,
					    LLM_PCS_DID_NOT_GET_ALIGN_STATUS),
	[ALINK_DOWN_WIDTH] = ALINK_EXT(LINK_LOGICAL_MISMATCH),
	[ALINK_DOWN_RATE_REDUCED] = ALINK_EXT(BAD_SIGNAL_INTEGRITY),
	[ALINK_DOWN_LASER] = ALINK_EXT(MODULE),
	[ALINK_DOWN_RX_LOS] = ALINK_EXT_SUB(BAD_SIGNAL_INTEGRITY,
					    BSI_SERDES_ALOS),
	[ALINK_DOWN_RX_LOL] =
		ALINK_EXT_SUB(LINK_LOGICAL_MISMATCH,
			      LLM_PCS_DID_NOT_ACQUIRE_BLOCK_LOCK),
	[ALINK_DOWN_TEMPERATURE] = ALINK_EXT(OVERHEAT),
	[ALINK_DOWN_REMOVED] = ALINK_EXT_SUB(AUTONEG, AN_NO_PARTNER_DETECTED),
	[ALINK_DOWN_MISWIRED] = ALINK_EXT(CABLE_ISSUE),
	[ALINK_DOWN_PARTITION] = ALINK_EXT(LINK_LOGICAL_MISMATCH),
	[ALINK_DOWN_FIRMWARE] = ALINK_EXT(CALIBRATION_FAILURE),
	[ALINK_DOWN_POWER] = ALINK_EXT(POWER_BUDGET_EXCEEDED),
	[ALINK_DOWN_FEC] = ALINK_EXT_SUB(AUTONEG,
					 AN_FEC_MISMATCH_DURING_OVERRIDE),
	[ALINK_DOWN_FLAP] = ALINK_EXT(BAD_SIGNAL_INTEGRITY),
};

/* What a link that trains has not done yet; a stage that is unknown is none. */
static const struct alink_ext_state alink_ext_stages[] = {
	[ALINK_STAGE_DETECT] = ALINK_EXT_SUB(AUTONEG, AN_NO_PARTNER_DETECTED),
	[ALINK_STAGE_AGREE] = ALINK_EXT_SUB(AUTONEG, AN_ACK_NOT_RECEIVED),
	[ALINK_STAGE_EQUALIZE] =
		ALINK_EXT_SUB(LINK_TRAINING_FAILURE,
			      LT_KR_LINK_PARTNER_DID_NOT_SET_RECEIVER_READY),
	[ALINK_STAGE_ALIGN] = ALINK_EXT_SUB(LINK_LOGICAL_MISMATCH,
					    LLM_PCS_DID_NOT_GET_ALIGN_STATUS),
};

static int alink_port_get_link_ext_state(struct net_device *netdev,
					 struct ethtool_link_ext_state_info *info)
{
	struct alink_port *port = alink_port_of(netdev);
	const struct alink_ext_state *ext = alink_ext_states;
	size_t num = ARRAY_SIZE(alink_ext_states);
	u32 why = ALINK_LINK_REASON;

	if (alink_port_rd32(port, ALINK_LINK_STATE) == ALINK_LINK_TRAINING) {
		ext = alink_ext_stages;
		num = ARRAY_SIZE(alink_ext_stages);
		why = ALINK_LINK_STAGE;
	}
	/* A link that is up may have one, too: it lacks lanes, or rate. */
	why = alink_port_rd32(port, why);
	if (why >= num || !ext[why].known)
		return -ENODATA;
	info->link_ext_state = ext[why].state;
	info->__link_ext_substate = ext[why].substate;
	return 0;
}

/* Takes back lanes and rate that are good again; what is closed trains anyway. */
static int alink_port_nway_reset(struct net_device *netdev)
{
	struct alink_port *port = alink_port_of(netdev);

	ASSERT_RTNL();
	if (!netif_running(netdev))
		return -ENETDOWN;
	if (!alink_dev_active(port->adev))
		return -ENODEV;
	alink_port_wr32(port, ALINK_LINK_RETRAIN, 1);
	return 0;
}

/* --- FEC ------------------------------------------------------------------- */

static const u32 alink_fec_ethtool[] = {
	[ALINK_FEC_NONE] = ETHTOOL_FEC_OFF,
	[ALINK_FEC_RS544] = ETHTOOL_FEC_RS,
	[ALINK_FEC_LL272] = ETHTOOL_FEC_LLRS,
};

static int alink_port_get_fecparam(struct net_device *netdev,
				   struct ethtool_fecparam *fec)
{
	struct alink_port *port = alink_port_of(netdev);
	u32 set = alink_port_rd32(port, ALINK_LINK_FEC_CTRL);
	u32 used = alink_port_rd32(port, ALINK_LINK_FEC);
	unsigned int i;

	if (used >= ARRAY_SIZE(alink_fec_ethtool))
		return -ENODEV;
	fec->active_fec = alink_fec_ethtool[used];
	fec->fec = set ? 0 : ETHTOOL_FEC_AUTO;
	for (i = 0; i < ARRAY_SIZE(alink_fec_ethtool); i++)
		if (set & ALINK_BIT(i))
			fec->fec |= alink_fec_ethtool[i];
	return 0;
}

/*
 * One code, or AUTO: the device chooses. ethtool has no room for why one is
 * refused: EOPNOTSUPP is of what lanes of this rate do not have, EINVAL of what
 * is not one.
 */
static int alink_port_set_fecparam(struct net_device *netdev,
				   struct ethtool_fecparam *fec)
{
	struct alink_port *port = alink_port_of(netdev);
	u32 caps, set = 0;
	unsigned int i;

	ASSERT_RTNL();
	if (!is_power_of_2(fec->fec))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(alink_fec_ethtool); i++)
		if (fec->fec == alink_fec_ethtool[i])
			set = ALINK_BIT(i);
	if (!set && fec->fec != ETHTOOL_FEC_AUTO)
		return -EOPNOTSUPP;
	caps = alink_port_rd32(port, ALINK_LINK_FEC_CAPS);
	if (!alink_dev_active(port->adev))
		return -ENODEV;
	if (set & ~caps)
		return -EOPNOTSUPP;
	port->fec = set;
	alink_port_wr32(port, ALINK_LINK_FEC_CTRL, set);
	return 0;
}

/* --- modules --------------------------------------------------------------- */

/* Which module, or an error that says why there is none */
static int alink_port_module(struct net_device *netdev, u32 *id,
			     struct netlink_ext_ack *extack)
{
	struct alink_port *port = alink_port_of(netdev);

	*id = alink_port_rd32(port, ALINK_LINK_MODULE);
	if (!alink_dev_active(port->adev)) {
		NL_SET_ERR_MSG(extack, "device is gone or in reset");
		return -ENODEV;
	}
	if (*id == ALINK_ID_NONE) {
		NL_SET_ERR_MSG(extack, "port has no optical module");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int
alink_port_get_module_page(struct net_device *netdev,
			   const struct ethtool_module_eeprom *page,
			   struct netlink_ext_ack *extack)
{
	u32 id;
	int err;

	err = alink_port_module(netdev, &id, extack);
	if (err)
		return err;
	return alink_module_read_page(id, page, extack);
}

static int
alink_port_set_module_page(struct net_device *netdev,
			   const struct ethtool_module_eeprom *page,
			   struct netlink_ext_ack *extack)
{
	u32 id;
	int err;

	err = alink_port_module(netdev, &id, extack);
	if (err)
		return err;
	return alink_module_write_page(id, page, extack);
}

static int
alink_port_get_module_power_mode(struct net_device *netdev,
				 struct ethtool_module_power_mode_params *params,
				 struct netlink_ext_ack *extack)
{
	u32 id;
	int ret;

	ret = alink_port_module(netdev, &id, extack);
	if (ret)
		return ret;
	ret = alink_module_low_power(id, extack);
	if (ret < 0)
		return ret;
	params->policy = alink_port_of(netdev)->power_auto ?
			 ETHTOOL_MODULE_POWER_MODE_POLICY_AUTO :
			 ETHTOOL_MODULE_POWER_MODE_POLICY_HIGH;
	params->mode = ret ? ETHTOOL_MODULE_POWER_MODE_LOW :
			     ETHTOOL_MODULE_POWER_MODE_HIGH;
	return 0;
}

/*
 * Do all ports of the module that @id names, those of this device that is,
 * have it at low power? A module does not serve links of two devices.
 */
static bool alink_port_module_idle(struct alink_dev *adev, u32 id)
{
	struct alink_port *port;
	unsigned int i;

	ASSERT_RTNL();
	for (i = 0; adev->ports && i < adev->num_links; i++) {
		port = adev->ports[i];
		if (port->netdev && !port->admin_down &&
		    alink_port_rd32(port, ALINK_LINK_MODULE) >> 8 == id >> 8)
			return false;
	}
	return true;
}

/* Policy auto: the module follows the administrative state of its ports. */
void alink_port_update_power(struct alink_port *port)
{
	u32 id = alink_port_rd32(port, ALINK_LINK_MODULE);
	int err;

	ASSERT_RTNL();
	if (!port->power_auto || id == ALINK_ID_NONE)
		return;
	err = alink_module_set_low_power(id, alink_port_module_idle(port->adev,
								    id), NULL);
	if (err)
		netdev_warn(port->netdev, "module power mode: %pe\n",
			    ERR_PTR(err));
}

static int
alink_port_set_module_power_mode(struct net_device *netdev,
				 const struct ethtool_module_power_mode_params *params,
				 struct netlink_ext_ack *extack)
{
	bool power_auto = params->policy ==
			  ETHTOOL_MODULE_POWER_MODE_POLICY_AUTO;
	struct alink_dev *adev = alink_port_of(netdev)->adev;
	struct alink_port *port;
	unsigned int i;
	u32 id;
	int err;

	err = alink_port_module(netdev, &id, extack);
	if (err)
		return err;
	err = alink_module_set_low_power(id, power_auto &&
					 alink_port_module_idle(adev, id),
					 extack);
	if (err)
		return err;

	/* One module, one policy, whichever of its ports was named */
	for (i = 0; adev->ports && i < adev->num_links; i++) {
		port = adev->ports[i];
		if (port->netdev &&
		    alink_port_rd32(port, ALINK_LINK_MODULE) >> 8 == id >> 8)
			port->power_auto = power_auto;
	}
	return 0;
}

/* The device blinks by itself. */
static int alink_port_set_phys_id(struct net_device *netdev,
				  enum ethtool_phys_id_state state)
{
	struct alink_port *port = alink_port_of(netdev);
	bool on = state == ETHTOOL_ID_ACTIVE;

	ASSERT_RTNL();
	if (!on && state != ETHTOOL_ID_INACTIVE)
		return -EOPNOTSUPP;
	if (on && !alink_dev_active(port->adev))
		return -ENODEV;
	/* In the middle of a reset, which puts it out, this keeps it out. */
	port->identify = on;
	alink_port_set_ctrl(port, on ? 0 : ALINK_LINK_CTRL_IDENTIFY,
			    on ? ALINK_LINK_CTRL_IDENTIFY : 0);
	return 0;
}

const struct ethtool_ops alink_port_ethtool_ops = {
	.cap_link_lanes_supported	= true,
	.get_drvinfo			= alink_port_get_drvinfo,
	.get_regs_len			= alink_port_get_regs_len,
	.get_regs			= alink_port_get_regs,
	.nway_reset			= alink_port_nway_reset,
	.get_link			= ethtool_op_get_link,
	.get_link_ext_state		= alink_port_get_link_ext_state,
	.get_link_ext_stats		= alink_port_get_link_ext_stats,
	.get_link_ksettings		= alink_port_get_link_ksettings,
	.get_strings			= alink_port_get_strings,
	.get_sset_count			= alink_port_get_sset_count,
	.get_ethtool_stats		= alink_port_get_ethtool_stats,
	.get_eth_mac_stats		= alink_port_get_eth_mac_stats,
	.get_eth_phy_stats		= alink_port_get_eth_phy_stats,
	.get_rmon_stats			= alink_port_get_rmon_stats,
	.get_fecparam			= alink_port_get_fecparam,
	.set_fecparam			= alink_port_set_fecparam,
	.get_fec_stats			= alink_port_get_fec_stats,
	.get_module_eeprom_by_page	= alink_port_get_module_page,
	.set_module_eeprom_by_page	= alink_port_set_module_page,
	.get_module_power_mode		= alink_port_get_module_power_mode,
	.set_module_power_mode		= alink_port_set_module_power_mode,
	.set_phys_id			= alink_port_set_phys_id,
	.self_test			= alink_port_self_test,
};
