// SPDX-License-Identifier: GPL-2.0-only
/*
 * ethtool: settings. Counters are in alink_nic_stats.c, RSS in
 * alink_nic_rss.c, the self-test in alink_nic_selftest.c.
 */
#include <linux/log2.h>

#include "alink_nic.h"

/* --- link ----------------------------------------------------------------- */

static int alink_nic_get_link_ksettings(struct net_device *dev,
					struct ethtool_link_ksettings *cmd)
{
	struct alink_nic *nic = netdev_priv(dev);
	u32 speed = alink_rd32(nic->adev, ALINK_NIC_REG_LINK_SPEED);
	u32 max = alink_rd32(nic->adev, ALINK_NIC_REG_MAX_SPEED);
	u32 lanes = alink_rd32(nic->adev, ALINK_NIC_REG_LANES);

	if (!alink_dev_active(nic->adev))
		return -ENODEV;

	/* One fixed rate over direct-attach copper: nothing to negotiate. */
	ethtool_link_ksettings_zero_link_mode(cmd, supported);
	ethtool_link_ksettings_zero_link_mode(cmd, advertising);
	cmd->base.autoneg = AUTONEG_DISABLE;
	cmd->base.port = PORT_DA;
	if (max == SPEED_400000)
		ethtool_link_ksettings_add_link_mode(cmd, supported,
						     400000baseCR4_Full);
	else if (max == SPEED_800000)
		ethtool_link_ksettings_add_link_mode(cmd, supported,
						     800000baseCR8_Full);
	ethtool_link_ksettings_add_link_mode(cmd, supported, FEC_RS);

	if (speed) {
		cmd->base.speed = speed;
		cmd->base.duplex = DUPLEX_FULL;
		cmd->lanes = lanes & 0xffff;
	} else {
		cmd->base.speed = SPEED_UNKNOWN;
		cmd->base.duplex = DUPLEX_UNKNOWN;
		cmd->lanes = 0;
	}
	return 0;
}

static int alink_nic_get_link_ext_state(struct net_device *dev,
					struct ethtool_link_ext_state_info *info)
{
	struct alink_nic *nic = netdev_priv(dev);

	switch (alink_rd32(nic->adev, ALINK_NIC_REG_LINK_REASON)) {
	case ALINK_DOWN_NO_PARTNER:
		info->link_ext_state = ETHTOOL_LINK_EXT_STATE_AUTONEG;
		info->autoneg =
			ETHTOOL_LINK_EXT_SUBSTATE_AN_NO_PARTNER_DETECTED_FORCE_MODE;
		return 0;
	default:
		return -ENODATA;
	}
}

static int alink_nic_get_fecparam(struct net_device *dev,
				  struct ethtool_fecparam *fec)
{
	struct alink_nic *nic = netdev_priv(dev);

	fec->fec = ETHTOOL_FEC_RS;
	switch (alink_rd32(nic->adev, ALINK_NIC_REG_LINK_FEC)) {
	case ALINK_FEC_RS544:
		fec->active_fec = ETHTOOL_FEC_RS;
		break;
	case ALINK_FEC_LL272:
		fec->active_fec = ETHTOOL_FEC_LLRS;
		break;
	default:
		fec->active_fec = ETHTOOL_FEC_NONE;
		break;
	}
	return 0;
}

static void alink_nic_get_link_ext_stats(struct net_device *dev,
					 struct ethtool_link_ext_stats *stats)
{
	struct alink_nic *nic = netdev_priv(dev);
	u64 downs = alink_rd64(nic->adev, ALINK_NIC_REG_LINK_DOWNS);

	if (downs != ~0ULL)
		stats->link_down_events = downs;
}

static int alink_nic_set_phys_id(struct net_device *dev,
				 enum ethtool_phys_id_state state)
{
	struct alink_nic *nic = netdev_priv(dev);
	u32 flags = nic->port_flags;

	switch (state) {
	case ETHTOOL_ID_ACTIVE:
		flags |= ALINK_NIC_PORT_IDENTIFY;
		break;
	case ETHTOOL_ID_INACTIVE:
		flags &= ~ALINK_NIC_PORT_IDENTIFY;
		break;
	default:
		return -EINVAL;
	}
	return alink_nic_cmd_port(nic, flags, dev->mtu, dev->dev_addr);
}

/* --- rings, channels, moderation ------------------------------------------ */

static void alink_nic_get_ringparam(struct net_device *dev,
				    struct ethtool_ringparam *ring,
				    struct kernel_ethtool_ringparam *kring,
				    struct netlink_ext_ack *extack)
{
	struct alink_nic *nic = netdev_priv(dev);

	ring->rx_max_pending = ALINK_NIC_MAX_RING;
	ring->tx_max_pending = ALINK_NIC_MAX_RING;
	ring->rx_pending = nic->cfg.rx_size;
	ring->tx_pending = nic->cfg.tx_size;
	kring->rx_buf_len = ALINK_NIC_RX_BUF;
}

static int alink_nic_set_ringparam(struct net_device *dev,
				   struct ethtool_ringparam *ring,
				   struct kernel_ethtool_ringparam *kring,
				   struct netlink_ext_ack *extack)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_config cfg = nic->cfg;

	if (ring->rx_mini_pending || ring->rx_jumbo_pending) {
		NL_SET_ERR_MSG_MOD(extack, "There are no mini or jumbo rings");
		return -EINVAL;
	}
	if (ring->rx_pending < ALINK_NIC_MIN_RING ||
	    ring->tx_pending < ALINK_NIC_MIN_RING) {
		NL_SET_ERR_MSG_FMT_MOD(extack,
				       "A ring has at least %u descriptors",
				       ALINK_NIC_MIN_RING);
		return -EINVAL;
	}
	if (!is_power_of_2(ring->rx_pending) ||
	    !is_power_of_2(ring->tx_pending)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "The size of a ring is a power of two");
		return -EINVAL;
	}

	cfg.rx_size = ring->rx_pending;
	cfg.tx_size = ring->tx_pending;
	if (cfg.rx_size == nic->cfg.rx_size && cfg.tx_size == nic->cfg.tx_size)
		return 0;
	return alink_nic_reconfigure(nic, &cfg, extack);
}

static void alink_nic_get_channels(struct net_device *dev,
				   struct ethtool_channels *ch)
{
	struct alink_nic *nic = netdev_priv(dev);

	ch->max_combined = nic->max_queues;
	ch->combined_count = nic->cfg.num_queues;
}

/* ethtool has checked the limits, and what the RSS table needs. */
static int alink_nic_set_channels(struct net_device *dev,
				  struct ethtool_channels *ch)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_config cfg = nic->cfg;

	if (!ch->combined_count)
		return -EINVAL;
	cfg.num_queues = ch->combined_count;
	if (cfg.num_queues == nic->cfg.num_queues)
		return 0;
	return alink_nic_reconfigure(nic, &cfg, NULL);
}

static int alink_nic_get_coalesce(struct net_device *dev,
				  struct ethtool_coalesce *coal,
				  struct kernel_ethtool_coalesce *kcoal,
				  struct netlink_ext_ack *extack)
{
	struct alink_nic *nic = netdev_priv(dev);

	coal->rx_coalesce_usecs = nic->moderation.rx_usecs;
	coal->rx_max_coalesced_frames = nic->moderation.rx_frames;
	coal->tx_coalesce_usecs = nic->moderation.tx_usecs;
	coal->tx_max_coalesced_frames = nic->moderation.tx_frames;
	return 0;
}

static int alink_nic_set_coalesce(struct net_device *dev,
				  struct ethtool_coalesce *coal,
				  struct kernel_ethtool_coalesce *kcoal,
				  struct netlink_ext_ack *extack)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_moderation mod;
	unsigned int i;
	int err = 0;

	if (coal->rx_coalesce_usecs > ALINK_NIC_MAX_USECS ||
	    coal->tx_coalesce_usecs > ALINK_NIC_MAX_USECS) {
		NL_SET_ERR_MSG_FMT_MOD(extack,
				       "An interrupt waits for at most %u us",
				       ALINK_NIC_MAX_USECS);
		return -EINVAL;
	}
	if (coal->rx_max_coalesced_frames > U16_MAX ||
	    coal->tx_max_coalesced_frames > U16_MAX) {
		NL_SET_ERR_MSG_FMT_MOD(extack,
				       "An interrupt waits for at most %u frames",
				       U16_MAX);
		return -EINVAL;
	}

	mod.rx_usecs = coal->rx_coalesce_usecs;
	mod.rx_frames = coal->rx_max_coalesced_frames;
	mod.tx_usecs = coal->tx_coalesce_usecs;
	mod.tx_frames = coal->tx_max_coalesced_frames;
	for (i = 0; nic->started && i < nic->set->num && !err; i++)
		err = alink_nic_cmd_coalesce(nic, i, &mod);
	if (err) {
		NL_SET_ERR_MSG_MOD(extack, "Device refused the moderation");
		while (i--)
			alink_nic_cmd_coalesce(nic, i, &nic->moderation);
		return err;
	}
	nic->moderation = mod;
	return 0;
}

/* --- identity, registers, strings ----------------------------------------- */

static void alink_nic_get_drvinfo(struct net_device *dev,
				  struct ethtool_drvinfo *info)
{
	struct alink_nic *nic = netdev_priv(dev);
	u32 fw = alink_dev_fw_version(nic->adev);

	strscpy(info->driver, ALINK_NIC_NAME, sizeof(info->driver));
	strscpy(info->bus_info, pci_name(nic->pdev), sizeof(info->bus_info));
	snprintf(info->fw_version, sizeof(info->fw_version), "%u.%u.%u",
		 fw >> 24, (fw >> 16) & 0xff, fw & 0xffff);
}

/* Registers that may be read without a side effect, as {offset, value} pairs */
static const u32 alink_nic_regs[] = {
	ALINK_REG_VERSION, ALINK_REG_VARIANT, ALINK_REG_STATE,
	ALINK_REG_CONTROL, ALINK_REG_GENERATION, ALINK_REG_GUEST_ERRORS,
	ALINK_REG_GUEST_ERR_LAST, ALINK_REG_FAULT_CODE,
	ALINK_NIC_REG_ROLE, ALINK_NIC_REG_NUM_QUEUES, ALINK_NIC_REG_MAX_RING,
	ALINK_NIC_REG_MAX_FRAME, ALINK_NIC_REG_MAX_FILTERS,
	ALINK_NIC_REG_FEATURES, ALINK_NIC_REG_LINK_STATE,
	ALINK_NIC_REG_LINK_SPEED, ALINK_NIC_REG_MAX_SPEED,
	ALINK_NIC_REG_LANES, ALINK_NIC_REG_LINK_REASON,
	ALINK_NIC_REG_LINK_FEC, ALINK_NIC_REG_PORT_FLAGS,
};

static const u32 alink_nic_queue_regs[] = {
	ALINK_NIC_Q_STATE, ALINK_NIC_Q_TX_HEAD, ALINK_NIC_Q_RX_HEAD,
	ALINK_NIC_Q_TX_CPL, ALINK_NIC_Q_RX_CPL,
};

static int alink_nic_get_regs_len(struct net_device *dev)
{
	return 2 * sizeof(u32) *
	       (ARRAY_SIZE(alink_nic_regs) +
		ALINK_NIC_MAX_QUEUES * ARRAY_SIZE(alink_nic_queue_regs));
}

static void alink_nic_get_regs(struct net_device *dev,
			       struct ethtool_regs *regs, void *data)
{
	struct alink_nic *nic = netdev_priv(dev);
	u32 *out = data, q, reg;
	unsigned int i;

	regs->version = 1;
	for (i = 0; i < ARRAY_SIZE(alink_nic_regs); i++) {
		*out++ = alink_nic_regs[i];
		*out++ = alink_rd32(nic->adev, alink_nic_regs[i]);
	}
	for (q = 0; q < ALINK_NIC_MAX_QUEUES; q++) {
		for (i = 0; i < ARRAY_SIZE(alink_nic_queue_regs); i++) {
			reg = ALINK_NIC_QUEUE(q, alink_nic_queue_regs[i]);
			*out++ = reg;
			*out++ = alink_rd32(nic->adev, reg);
		}
	}
}

static int alink_nic_get_sset_count(struct net_device *dev, int sset)
{
	switch (sset) {
	case ETH_SS_STATS:
		return alink_nic_stats_count();
	case ETH_SS_TEST:
		return alink_nic_test_count();
	default:
		return -EOPNOTSUPP;
	}
}

static void alink_nic_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	switch (sset) {
	case ETH_SS_STATS:
		alink_nic_stats_strings(&data);
		break;
	case ETH_SS_TEST:
		alink_nic_test_strings(&data);
		break;
	}
}

const struct ethtool_ops alink_nic_ethtool_ops = {
	.supported_coalesce_params	= ETHTOOL_COALESCE_USECS |
					  ETHTOOL_COALESCE_MAX_FRAMES,
	.get_drvinfo			= alink_nic_get_drvinfo,
	.get_regs_len			= alink_nic_get_regs_len,
	.get_regs			= alink_nic_get_regs,
	.get_link			= ethtool_op_get_link,
	.get_link_ext_state		= alink_nic_get_link_ext_state,
	.get_link_ext_stats		= alink_nic_get_link_ext_stats,
	.get_link_ksettings		= alink_nic_get_link_ksettings,
	.get_fecparam			= alink_nic_get_fecparam,
	.set_phys_id			= alink_nic_set_phys_id,
	.get_ringparam			= alink_nic_get_ringparam,
	.set_ringparam			= alink_nic_set_ringparam,
	.get_channels			= alink_nic_get_channels,
	.set_channels			= alink_nic_set_channels,
	.get_coalesce			= alink_nic_get_coalesce,
	.set_coalesce			= alink_nic_set_coalesce,
	.get_rxnfc			= alink_nic_get_rxnfc,
	.get_rxfh_key_size		= alink_nic_get_rxfh_key_size,
	.get_rxfh_indir_size		= alink_nic_get_rxfh_indir_size,
	.get_rxfh			= alink_nic_get_rxfh,
	.set_rxfh			= alink_nic_set_rxfh,
	.get_sset_count			= alink_nic_get_sset_count,
	.get_strings			= alink_nic_get_strings,
	.get_ethtool_stats		= alink_nic_get_ethtool_stats,
	.get_eth_mac_stats		= alink_nic_get_mac_stats,
	.get_rmon_stats			= alink_nic_get_rmon_stats,
	.self_test			= alink_nic_self_test,
	.get_ts_info			= ethtool_op_get_ts_info,
};
