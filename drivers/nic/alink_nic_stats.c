// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters: of the driver by queue, of the device by port.
 *
 * The device counts since power on. What it had counted before probe is taken
 * off, what it had counted before it lost power is added; while it cannot be
 * read, the values last read are shown.
 */
#include <net/netdev_queues.h>

#include "alink_nic.h"

#define ALINK_NIC_NUM_HW \
	((ALINK_NIC_REG_RX_SIZE(ALINK_NIC_NUM_SIZES) - \
	  ALINK_NIC_REG_STAT(0)) / 8)

/* --- the device's --------------------------------------------------------- */

/**
 * alink_nic_hw_stat - a statistic of the device, counted since probe
 * @nic:	device
 * @reg:	ALINK_NIC_REG_* of a statistic
 *
 * Context: any.
 * Return: the value, or the one last read while the device cannot be read.
 */
u64 alink_nic_hw_stat(struct alink_nic *nic, u32 reg)
{
	u32 n = (reg - ALINK_NIC_REG_STAT(0)) / 8;
	unsigned long flags;
	u64 value;

	/* The read also: values of two readers must not change places. */
	spin_lock_irqsave(&nic->hw_lock, flags);
	value = alink_rd64(nic->adev, reg);
	if (value == ~0ULL)
		value = nic->hw_last[n];
	else if (value < nic->hw_last[n])
		/* It lost power and counts from 0: go on from where it was. */
		nic->hw_base[n] -= nic->hw_last[n];
	nic->hw_last[n] = value;
	value -= nic->hw_base[n];
	spin_unlock_irqrestore(&nic->hw_lock, flags);
	return value;
}

int alink_nic_stats_init(struct alink_nic *nic)
{
	struct device *dev = &nic->pdev->dev;
	u64 value;
	u32 n;

	nic->hw_last = devm_kcalloc(dev, ALINK_NIC_NUM_HW, sizeof(u64),
				    GFP_KERNEL);
	nic->hw_base = devm_kcalloc(dev, ALINK_NIC_NUM_HW, sizeof(u64),
				    GFP_KERNEL);
	if (!nic->hw_last || !nic->hw_base)
		return -ENOMEM;

	for (n = 0; n < ALINK_NIC_NUM_HW; n++) {
		/* A hole between the two tables of sizes */
		if (ALINK_NIC_REG_STAT(n) ==
		    ALINK_NIC_REG_TX_SIZE(ALINK_NIC_NUM_SIZES))
			continue;
		value = alink_rd64(nic->adev, ALINK_NIC_REG_STAT(n));
		if (value == ~0ULL)
			return -ENODEV;
		nic->hw_base[n] = value;
		nic->hw_last[n] = value;
	}
	return 0;
}

void alink_nic_get_mac_stats(struct net_device *dev,
			     struct ethtool_eth_mac_stats *stats)
{
	struct alink_nic *nic = netdev_priv(dev);

	stats->FramesTransmittedOK =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_TX_FRAMES);
	stats->OctetsTransmittedOK =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_TX_BYTES);
	stats->MulticastFramesXmittedOK =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_TX_MULTICAST);
	stats->BroadcastFramesXmittedOK =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_TX_BROADCAST);
	stats->FramesReceivedOK =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_FRAMES);
	stats->OctetsReceivedOK =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_BYTES);
	stats->MulticastFramesReceivedOK =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_MULTICAST);
	stats->BroadcastFramesReceivedOK =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_BROADCAST);
	stats->FrameTooLongErrors =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_TOO_LONG);
	stats->FramesLostDueToIntMACRcvError =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_ERRORS);
}

static const struct ethtool_rmon_hist_range alink_nic_ranges[] = {
	{    0,   64 },
	{   65,  127 },
	{  128,  255 },
	{  256,  511 },
	{  512, 1023 },
	{ 1024, 1518 },
	{ 1519, ALINK_NIC_MAX_FRAME + ETH_FCS_LEN },
	{ }
};

void alink_nic_get_rmon_stats(struct net_device *dev,
			      struct ethtool_rmon_stats *stats,
			      const struct ethtool_rmon_hist_range **ranges)
{
	struct alink_nic *nic = netdev_priv(dev);
	int i;

	*ranges = alink_nic_ranges;
	stats->undersize_pkts =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_TOO_SHORT);
	stats->oversize_pkts =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_TOO_LONG);
	for (i = 0; i < ALINK_NIC_NUM_SIZES; i++) {
		stats->hist[i] =
			alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_SIZE(i));
		stats->hist_tx[i] =
			alink_nic_hw_stat(nic, ALINK_NIC_REG_TX_SIZE(i));
	}
}

/* --- the driver's --------------------------------------------------------- */

/* Consistent copies of the counters of one writer */
static void alink_nic_copy_rx(struct alink_nic *nic, unsigned int queue,
			      struct alink_nic_rx_stats *copy)
{
	const struct alink_nic_rx_stats *stats = &nic->stats[queue].rx;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&stats->syncp);
		*copy = *stats;
	} while (u64_stats_fetch_retry(&stats->syncp, start));
}

static void alink_nic_copy_tx(struct alink_nic *nic, unsigned int queue,
			      struct alink_nic_tx_stats *copy)
{
	const struct alink_nic_tx_stats *stats = &nic->stats[queue].tx;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&stats->syncp);
		*copy = *stats;
	} while (u64_stats_fetch_retry(&stats->syncp, start));
}

static void alink_nic_copy_xmit(struct alink_nic *nic, unsigned int queue,
				struct alink_nic_xmit_stats *copy)
{
	const struct alink_nic_xmit_stats *stats = &nic->stats[queue].xmit;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&stats->syncp);
		*copy = *stats;
	} while (u64_stats_fetch_retry(&stats->syncp, start));
}

void alink_nic_get_stats64(struct net_device *dev,
			   struct rtnl_link_stats64 *stats)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_xmit_stats xmit;
	struct alink_nic_rx_stats rx;
	struct alink_nic_tx_stats tx;
	unsigned int i;

	for (i = 0; i < ALINK_NIC_MAX_QUEUES; i++) {
		alink_nic_copy_rx(nic, i, &rx);
		alink_nic_copy_tx(nic, i, &tx);
		alink_nic_copy_xmit(nic, i, &xmit);

		stats->rx_packets += u64_stats_read(&rx.packets);
		stats->rx_bytes += u64_stats_read(&rx.bytes);
		stats->rx_errors += u64_stats_read(&rx.errors);
		stats->rx_dropped += u64_stats_read(&rx.alloc_fail) +
				     u64_stats_read(&rx.xdp_err);
		stats->tx_packets += u64_stats_read(&tx.packets);
		stats->tx_bytes += u64_stats_read(&tx.bytes);
		stats->tx_errors += u64_stats_read(&tx.errors);
		stats->tx_carrier_errors += u64_stats_read(&tx.no_link);
		stats->tx_dropped += u64_stats_read(&tx.no_link) +
				     u64_stats_read(&xmit.dropped);
	}
	stats->multicast = alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_MULTICAST);
	stats->rx_missed_errors =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_NO_QUEUE);
	stats->rx_length_errors =
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_TOO_LONG) +
		alink_nic_hw_stat(nic, ALINK_NIC_REG_RX_TOO_SHORT);
	stats->rx_errors += stats->rx_length_errors;
}

static void alink_nic_queue_stats_rx(struct net_device *dev, int i,
				     struct netdev_queue_stats_rx *stats)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_rx_stats rx;

	alink_nic_copy_rx(nic, i, &rx);
	stats->packets = u64_stats_read(&rx.packets);
	stats->bytes = u64_stats_read(&rx.bytes);
	stats->alloc_fail = u64_stats_read(&rx.alloc_fail);
	stats->csum_unnecessary = u64_stats_read(&rx.csum_ok);
	stats->csum_bad = u64_stats_read(&rx.csum_bad);
}

static void alink_nic_queue_stats_tx(struct net_device *dev, int i,
				     struct netdev_queue_stats_tx *stats)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_xmit_stats xmit;
	struct alink_nic_tx_stats tx;

	alink_nic_copy_tx(nic, i, &tx);
	alink_nic_copy_xmit(nic, i, &xmit);
	stats->packets = u64_stats_read(&tx.packets);
	stats->bytes = u64_stats_read(&tx.bytes);
	stats->needs_csum = u64_stats_read(&xmit.csum);
	stats->hw_gso_packets = u64_stats_read(&xmit.tso);
	stats->hw_gso_bytes = u64_stats_read(&xmit.tso_bytes);
	stats->stop = u64_stats_read(&xmit.stop);
	stats->wake = u64_stats_read(&xmit.wake);
}

/* What queues counted that are not there at present */
static void alink_nic_base_stats(struct net_device *dev,
				 struct netdev_queue_stats_rx *rx,
				 struct netdev_queue_stats_tx *tx)
{
	struct netdev_queue_stats_rx r;
	struct netdev_queue_stats_tx t;
	unsigned int i;

	rx->packets = 0;
	rx->bytes = 0;
	rx->alloc_fail = 0;
	rx->csum_unnecessary = 0;
	rx->csum_bad = 0;
	for (i = dev->real_num_rx_queues; i < ALINK_NIC_MAX_QUEUES; i++) {
		alink_nic_queue_stats_rx(dev, i, &r);
		rx->packets += r.packets;
		rx->bytes += r.bytes;
		rx->alloc_fail += r.alloc_fail;
		rx->csum_unnecessary += r.csum_unnecessary;
		rx->csum_bad += r.csum_bad;
	}

	tx->packets = 0;
	tx->bytes = 0;
	tx->needs_csum = 0;
	tx->hw_gso_packets = 0;
	tx->hw_gso_bytes = 0;
	tx->stop = 0;
	tx->wake = 0;
	for (i = dev->real_num_tx_queues; i < ALINK_NIC_MAX_QUEUES; i++) {
		alink_nic_queue_stats_tx(dev, i, &t);
		tx->packets += t.packets;
		tx->bytes += t.bytes;
		tx->needs_csum += t.needs_csum;
		tx->hw_gso_packets += t.hw_gso_packets;
		tx->hw_gso_bytes += t.hw_gso_bytes;
		tx->stop += t.stop;
		tx->wake += t.wake;
	}
}

const struct netdev_stat_ops alink_nic_stat_ops = {
	.get_queue_stats_rx	= alink_nic_queue_stats_rx,
	.get_queue_stats_tx	= alink_nic_queue_stats_tx,
	.get_base_stats		= alink_nic_base_stats,
};

/* --- ethtool -S: only what no other interface has ------------------------- */

static const struct {
	const char *name;
	u32 reg;
} alink_nic_hw_strings[] = {
	{ "dev_tx_tso_packets", ALINK_NIC_REG_TX_TSO },
	{ "dev_tx_csum_packets", ALINK_NIC_REG_TX_CSUM },
	{ "dev_tx_refused", ALINK_NIC_REG_TX_ERRORS },
	{ "dev_tx_no_link", ALINK_NIC_REG_TX_NO_LINK },
	{ "dev_rx_filtered", ALINK_NIC_REG_RX_FILTERED },
	{ "dev_rx_paused", ALINK_NIC_REG_RX_PAUSED },
	{ "dev_rx_no_queue", ALINK_NIC_REG_RX_NO_QUEUE },
	{ "dev_rx_csum_bad", ALINK_NIC_REG_RX_CSUM_BAD },
	{ "dev_irqs", ALINK_NIC_REG_IRQS },
};

static const struct {
	const char *name;
	size_t offset;		/* in struct alink_nic_rx_stats */
} alink_nic_rx_strings[] = {
	{ "errors", offsetof(struct alink_nic_rx_stats, errors) },
	{ "xdp_drop", offsetof(struct alink_nic_rx_stats, xdp_drop) },
	{ "xdp_tx", offsetof(struct alink_nic_rx_stats, xdp_tx) },
	{ "xdp_redirect", offsetof(struct alink_nic_rx_stats, xdp_redirect) },
	{ "xdp_err", offsetof(struct alink_nic_rx_stats, xdp_err) },
	{ "lost_irqs", offsetof(struct alink_nic_rx_stats, lost_irqs) },
};

int alink_nic_stats_count(void)
{
	return 2 + ARRAY_SIZE(alink_nic_hw_strings) +
	       ALINK_NIC_MAX_QUEUES * (ARRAY_SIZE(alink_nic_rx_strings) + 1);
}

void alink_nic_stats_strings(u8 **data)
{
	unsigned int q, i;

	ethtool_puts(data, "tx_timeouts");
	ethtool_puts(data, "restarts");
	for (i = 0; i < ARRAY_SIZE(alink_nic_hw_strings); i++)
		ethtool_puts(data, alink_nic_hw_strings[i].name);
	for (q = 0; q < ALINK_NIC_MAX_QUEUES; q++) {
		for (i = 0; i < ARRAY_SIZE(alink_nic_rx_strings); i++)
			ethtool_sprintf(data, "rx%u_%s", q,
					alink_nic_rx_strings[i].name);
		ethtool_sprintf(data, "tx%u_xdp", q);
	}
}

void alink_nic_get_ethtool_stats(struct net_device *dev,
				 struct ethtool_stats *stats, u64 *data)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_rx_stats rx;
	struct alink_nic_tx_stats tx;
	const u64_stats_t *value;
	unsigned int q, i;

	*data++ = atomic_read(&nic->tx_timeouts);
	*data++ = nic->restarts;
	for (i = 0; i < ARRAY_SIZE(alink_nic_hw_strings); i++)
		*data++ = alink_nic_hw_stat(nic, alink_nic_hw_strings[i].reg);
	for (q = 0; q < ALINK_NIC_MAX_QUEUES; q++) {
		alink_nic_copy_rx(nic, q, &rx);
		alink_nic_copy_tx(nic, q, &tx);
		for (i = 0; i < ARRAY_SIZE(alink_nic_rx_strings); i++) {
			value = (void *)&rx + alink_nic_rx_strings[i].offset;
			*data++ = u64_stats_read(value);
		}
		*data++ = u64_stats_read(&tx.xdp);
	}
}
