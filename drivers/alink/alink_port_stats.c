// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of links. The device counts since power on; what it cannot be
 * asked, because it is in reset or gone, is answered with the last value.
 */
#include <linux/ethtool.h>

#include "alink_port.h"

/* In the window of the link, or with @lstat in its block of counters */
static const struct {
	char name[ETH_GSTRING_LEN];
	u32 reg;
	bool lstat;
} alink_port_counters[ALINK_CTR_COUNT] = {
	[ALINK_CTR_TX_BYTES]	= { "tx_bytes", ALINK_LINK_TX_BYTES },
	[ALINK_CTR_RX_BYTES]	= { "rx_bytes", ALINK_LINK_RX_BYTES },
	[ALINK_CTR_TX_PACKETS]	= { "tx_packets", ALINK_LINK_TX_PACKETS },
	[ALINK_CTR_RX_PACKETS]	= { "rx_packets", ALINK_LINK_RX_PACKETS },
	[ALINK_CTR_TX_RAW]	= { "tx_raw_bytes", ALINK_LINK_TX_RAW },
	[ALINK_CTR_RX_RAW]	= { "rx_raw_bytes", ALINK_LINK_RX_RAW },
	[ALINK_CTR_FEC_CORR]	= { "fec_corrected_codewords",
				    ALINK_LINK_FEC_CORR },
	[ALINK_CTR_FEC_UNCORR]	= { "fec_uncorrectable_codewords",
				    ALINK_LINK_FEC_UNCORR },
	[ALINK_CTR_CRC_ERRORS]	= { "rx_crc_errors", ALINK_LINK_CRC_ERRORS },
	[ALINK_CTR_REPLAYS]	= { "tx_replays", ALINK_LINK_REPLAYS },
	[ALINK_CTR_TX_ERRORS]	= { "tx_errors", ALINK_LINK_TX_ERRORS },
	[ALINK_CTR_RX_ERRORS]	= { "rx_errors", ALINK_LINK_RX_ERRORS },
	[ALINK_CTR_STALL_NS]	= { "tx_stall_model_ns", ALINK_LINK_STALL_NS },
	[ALINK_CTR_BUSY_NS]	= { "tx_busy_model_ns", ALINK_LINK_BUSY_NS },
	[ALINK_CTR_TX_FRAMES]	= { "tx_frames", ALINK_LINK_TX_FRAMES },
	[ALINK_CTR_RX_FRAMES]	= { "rx_frames", ALINK_LINK_RX_FRAMES },
	[ALINK_CTR_DOWNS]	= { "link_down_events", ALINK_LINK_DOWNS },
	[ALINK_CTR_RETRAINS]	= { "link_retrains", ALINK_LINK_RETRAINS },
	[ALINK_CTR_LANE_LOSSES]	= { "lanes_lost", ALINK_LINK_LANE_LOSSES },
	[ALINK_CTR_FLAP_HOLDS]	= { "link_flap_holds", ALINK_LINK_FLAP_HOLDS },
	[ALINK_CTR_CREDIT_STALLS] = { "tx_credit_stalls",
				      ALINK_LSTAT_CREDIT_STALLS, true },
	[ALINK_CTR_CREDIT_LEAKS] = { "tx_credit_leaks",
				     ALINK_LSTAT_CREDIT_LEAKS, true },
	[ALINK_CTR_CREDITS_LOST] = { "tx_credits_lost",
				     ALINK_LSTAT_CREDITS_LOST, true },
};

static unsigned int alink_port_num_counters(const struct alink_port *port)
{
	return port->adev->caps & ALINK_CAP_CREDITS ? ALINK_CTR_COUNT :
						      ALINK_CTR_CREDIT_STALLS;
}

/* @reg: ALINK_LSTAT_* */
static u64 alink_port_lstat(struct alink_port *port, u32 reg)
{
	u64 *last = &port->last_lstat[reg / 8];
	u64 value;

	value = alink_rd64(port->adev, ALINK_LSTAT_BLOCK(port->num) + reg);
	if (value == ~0ULL)
		return READ_ONCE(*last);
	WRITE_ONCE(*last, value);
	return value;
}

u64 alink_port_counter(struct alink_port *port, enum alink_port_counter ctr)
{
	u32 reg = alink_port_counters[ctr].reg;
	u64 value;

	if (alink_port_counters[ctr].lstat)
		return alink_port_lstat(port, reg);
	value = alink_rd64(port->adev, ALINK_LINK_WINDOW(port->num) + reg);
	if (value == ~0ULL)
		return READ_ONCE(port->last[ctr]);
	WRITE_ONCE(port->last[ctr], value);
	return value;
}

u64 alink_port_credit_since(struct alink_port *port)
{
	return alink_port_lstat(port, ALINK_LSTAT_CREDIT_SINCE);
}

/* Wrong bits before FEC, x 10^-15; 0 where the device does not tell */
u64 alink_port_ber(struct alink_port *port)
{
	u64 ber;

	if (!(port->adev->caps & ALINK_CAP_BER))
		return 0;
	ber = alink_rd64(port->adev,
			 ALINK_LSTAT_BLOCK(port->num) + ALINK_LSTAT_BER);
	return ber == ~0ULL ? 0 : ber;
}

/* All traffic of the link, as the hardware counts it */
void alink_port_get_stats64(struct net_device *netdev,
			    struct rtnl_link_stats64 *stats)
{
	struct alink_port *port = alink_port_of(netdev);

	stats->tx_bytes = alink_port_counter(port, ALINK_CTR_TX_BYTES);
	stats->rx_bytes = alink_port_counter(port, ALINK_CTR_RX_BYTES);
	stats->tx_packets = alink_port_counter(port, ALINK_CTR_TX_PACKETS);
	stats->rx_packets = alink_port_counter(port, ALINK_CTR_RX_PACKETS);
	stats->tx_errors = alink_port_counter(port, ALINK_CTR_TX_ERRORS);
	stats->rx_errors = alink_port_counter(port, ALINK_CTR_RX_ERRORS);
	stats->rx_crc_errors = alink_port_counter(port, ALINK_CTR_CRC_ERRORS);
}

int alink_port_get_sset_count(struct net_device *netdev, int set)
{
	switch (set) {
	case ETH_SS_STATS:
		return alink_port_num_counters(alink_port_of(netdev));
	case ETH_SS_TEST:
		return alink_port_test_count();
	default:
		return -EOPNOTSUPP;
	}
}

void alink_port_get_strings(struct net_device *netdev, u32 set, u8 *data)
{
	unsigned int i, num = alink_port_num_counters(alink_port_of(netdev));

	switch (set) {
	case ETH_SS_STATS:
		for (i = 0; i < num; i++)
			ethtool_puts(&data, alink_port_counters[i].name);
		break;
	case ETH_SS_TEST:
		alink_port_test_strings(data);
		break;
	}
}

void alink_port_get_ethtool_stats(struct net_device *netdev,
				  struct ethtool_stats *stats, u64 *data)
{
	struct alink_port *port = alink_port_of(netdev);
	unsigned int i, num = alink_port_num_counters(port);

	for (i = 0; i < num; i++)
		data[i] = alink_port_counter(port, i);
}

/*
 * Only link-level frames are Ethernet; fabric packets are not in here. There
 * are no MAC control frames to count, and no frame that is too long, too short
 * or damaged gets as far as being one.
 */
void alink_port_get_eth_mac_stats(struct net_device *netdev,
				  struct ethtool_eth_mac_stats *stats)
{
	struct alink_port *port = alink_port_of(netdev);

	stats->FramesTransmittedOK = alink_port_counter(port,
							ALINK_CTR_TX_FRAMES);
	stats->FramesReceivedOK = alink_port_counter(port,
						     ALINK_CTR_RX_FRAMES);
	stats->OctetsTransmittedOK = alink_port_lstat(port,
						      ALINK_LSTAT_TX_OCTETS);
	stats->OctetsReceivedOK = alink_port_lstat(port, ALINK_LSTAT_RX_OCTETS);
	stats->FramesLostDueToIntMACRcvError =
		alink_port_lstat(port, ALINK_LSTAT_RX_DROPS);
	stats->MulticastFramesXmittedOK =
		alink_port_lstat(port, ALINK_LSTAT_TX_MULTICAST);
	stats->BroadcastFramesXmittedOK =
		alink_port_lstat(port, ALINK_LSTAT_TX_BROADCAST);
	stats->MulticastFramesReceivedOK =
		alink_port_lstat(port, ALINK_LSTAT_RX_MULTICAST);
	stats->BroadcastFramesReceivedOK =
		alink_port_lstat(port, ALINK_LSTAT_RX_BROADCAST);
}

static const struct ethtool_rmon_hist_range alink_port_ranges[] = {
	{    0,   64 },
	{   65,  127 },
	{  128,  255 },
	{  256,  511 },
	{  512, 1023 },
	{ 1024, 1518 },
	{ 1519, ALINK_FRAME_MAX + ETH_FCS_LEN },
	{ }
};

static_assert(ARRAY_SIZE(alink_port_ranges) == ALINK_LSTAT_SIZES + 1);

void alink_port_get_rmon_stats(struct net_device *netdev,
			       struct ethtool_rmon_stats *stats,
			       const struct ethtool_rmon_hist_range **ranges)
{
	struct alink_port *port = alink_port_of(netdev);
	unsigned int i;

	*ranges = alink_port_ranges;
	for (i = 0; i < ALINK_LSTAT_SIZES; i++) {
		stats->hist[i] = alink_port_lstat(port, ALINK_LSTAT_RX_SIZE(i));
		stats->hist_tx[i] = alink_port_lstat(port,
						     ALINK_LSTAT_TX_SIZE(i));
	}
}

void alink_port_get_eth_phy_stats(struct net_device *netdev,
				  struct ethtool_eth_phy_stats *stats)
{
	stats->SymbolErrorDuringCarrier =
		alink_port_lstat(alink_port_of(netdev),
				 ALINK_LSTAT_SYMBOL_ERRORS);
}

static_assert(ALINK_LSTAT_LANES <= ETHTOOL_MAX_LANES);

/* ethtool makes the total from the lanes, if it has room for them all. */
void alink_port_get_fec_stats(struct net_device *netdev,
			      struct ethtool_fec_stats *stats)
{
	struct alink_port *port = alink_port_of(netdev);
	unsigned int i;

	if (port->lanes > ALINK_LSTAT_LANES) {
		stats->corrected_blocks.total =
			alink_port_counter(port, ALINK_CTR_FEC_CORR);
		stats->uncorrectable_blocks.total =
			alink_port_counter(port, ALINK_CTR_FEC_UNCORR);
		return;
	}
	for (i = 0; i < port->lanes; i++) {
		stats->corrected_blocks.lanes[i] =
			alink_port_lstat(port, ALINK_LSTAT_FEC_CORR(i));
		stats->uncorrectable_blocks.lanes[i] =
			alink_port_lstat(port, ALINK_LSTAT_FEC_UNCORR(i));
	}
}

void alink_port_get_link_ext_stats(struct net_device *netdev,
				   struct ethtool_link_ext_stats *stats)
{
	stats->link_down_events = alink_port_counter(alink_port_of(netdev),
						     ALINK_CTR_DOWNS);
}
