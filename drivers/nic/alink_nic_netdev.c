// SPDX-License-Identifier: GPL-2.0-only
/*
 * The net device: open and stop, addresses, MTU, link, the service task, and
 * restart of queues that are stuck.
 */
#include <linux/bpf.h>
#include <net/netdev_queues.h>

#include "alink_nic.h"

#define ALINK_NIC_SERVICE_PERIOD	HZ
#define ALINK_NIC_TX_TIMEOUT		(5 * HZ)

/* --- link ----------------------------------------------------------------- */

/**
 * alink_nic_link_update - tell the stack what the link is now
 * @nic:	device
 *
 * Context: any but hard interrupt.
 */
void alink_nic_link_update(struct alink_nic *nic)
{
	struct net_device *dev = nic->dev;
	bool up = false;
	u32 state;

	spin_lock_bh(&nic->link_lock);
	state = alink_rd32(nic->adev, ALINK_NIC_REG_LINK_STATE);
	if (READ_ONCE(nic->started))
		up = state == ALINK_LINK_UP;
	if (up != test_bit(ALINK_NIC_LINK_UP, &nic->flags)) {
		change_bit(ALINK_NIC_LINK_UP, &nic->flags);
		if (up) {
			netif_carrier_on(dev);
			netdev_info(dev, "link is up, %u Gb/s\n",
				    alink_rd32(nic->adev,
					       ALINK_NIC_REG_LINK_SPEED) /
				    1000);
		} else {
			netif_carrier_off(dev);
			netdev_info(dev, "link is down\n");
		}
	}
	spin_unlock_bh(&nic->link_lock);
}

/* --- service task --------------------------------------------------------- */

/*
 * A queue that has work, that asked for an interrupt long ago, and that nobody
 * polls: the interrupt got lost, or pages were missing.
 */
static void alink_nic_service_queue(struct alink_nic_qp *q)
{
	struct alink_nic_rx_stats *stats = &q->stats->rx;
	bool starved = READ_ONCE(q->rx_starved);

	if (READ_ONCE(q->broken) ||
	    time_before(jiffies, READ_ONCE(q->armed_at) +
				 ALINK_NIC_SERVICE_PERIOD / 2) ||
	    (!alink_nic_tx_pending(q) && !alink_nic_rx_pending(q)))
		return;

	local_bh_disable();
	if (napi_schedule_prep(&q->napi)) {
		/* NAPI does not run, so this is the only writer. */
		if (!starved) {
			u64_stats_update_begin(&stats->syncp);
			u64_stats_inc(&stats->lost_irqs);
			u64_stats_update_end(&stats->syncp);
		}
		__napi_schedule(&q->napi);
	}
	local_bh_enable();
}

static void alink_nic_service(struct work_struct *work)
{
	struct alink_nic *nic = container_of(to_delayed_work(work),
					     struct alink_nic, service);
	struct alink_nic_set *set = nic->set;
	unsigned int i;

	/* The set stays: who changes it stops this task first. */
	for (i = 0; i < set->num; i++)
		alink_nic_service_queue(&set->qp[i]);
	alink_nic_link_update(nic);
	schedule_delayed_work(&nic->service, ALINK_NIC_SERVICE_PERIOD);
}

void alink_nic_service_start(struct alink_nic *nic)
{
	ASSERT_RTNL();

	schedule_delayed_work(&nic->service, ALINK_NIC_SERVICE_PERIOD);
}

void alink_nic_service_stop(struct alink_nic *nic)
{
	ASSERT_RTNL();

	/* Neither of the two takes rtnl. */
	cancel_delayed_work_sync(&nic->service);
	cancel_work_sync(&nic->rx_mode_work);
}

/* --- restart -------------------------------------------------------------- */

/**
 * alink_nic_restart - stop the queues and start them again
 * @nic:	device; nothing happens when it is down or in reset
 *
 * Context: process, under rtnl.
 * Return: 0, or -errno: then the queues are stopped.
 */
int alink_nic_restart(struct alink_nic *nic)
{
	struct net_device *dev = nic->dev;
	int err;

	ASSERT_RTNL();

	if (!nic->started || !netif_device_present(dev))
		return 0;

	nic->restarts++;
	alink_nic_stop(nic);
	err = alink_nic_start(nic);
	if (err)
		netdev_err(dev, "cannot restart the queues: %pe; reset the device\n",
			   ERR_PTR(err));
	return err;
}

static void alink_nic_reset_work(struct work_struct *work)
{
	struct alink_nic *nic = container_of(work, struct alink_nic,
					     reset_work);

	if (!alink_dev_lost(nic->adev)) {
		alink_nic_health_report(nic);
		return;
	}

	rtnl_lock();
	netif_device_detach(nic->dev);
	alink_nic_stop(nic);
	rtnl_unlock();
}

static void alink_nic_tx_timeout(struct net_device *dev, unsigned int txqueue)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_qp *q = &nic->set->qp[txqueue];
	u32 base = ALINK_NIC_QUEUE(txqueue, 0);

	atomic_inc(&nic->tx_timeouts);
	netdev_err(dev, "queue %u: transmit timed out: driver tail %u clean %u, device head %u state %#x\n",
		   txqueue, q->tx_tail, q->tx_clean,
		   alink_rd32(nic->adev, base + ALINK_NIC_Q_TX_HEAD),
		   alink_rd32(nic->adev, base + ALINK_NIC_Q_STATE));
	schedule_work(&nic->reset_work);
}

/* --- net_device_ops ------------------------------------------------------- */

static int alink_nic_open(struct net_device *dev)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_set *set;
	int err;

	if (alink_dev_lost(nic->adev))
		return -ENODEV;

	set = alink_nic_set_alloc(nic, &nic->cfg);
	if (IS_ERR(set)) {
		netdev_err(dev, "no memory for the rings: %pe\n", set);
		return PTR_ERR(set);
	}
	nic->set = set;
	err = alink_nic_start(nic);
	if (err)
		goto err_free;
	return 0;

err_free:
	nic->set = NULL;
	alink_nic_set_free(nic, set);
	return err;
}

static int alink_nic_close(struct net_device *dev)
{
	struct alink_nic *nic = netdev_priv(dev);

	alink_nic_stop(nic);
	alink_nic_set_free(nic, nic->set);
	nic->set = NULL;
	return 0;
}

static void alink_nic_rx_mode_work(struct work_struct *work)
{
	struct alink_nic *nic = container_of(work, struct alink_nic,
					     rx_mode_work);

	alink_nic_cmd_rx_mode(nic);
}

/* The command sleeps, the caller must not. */
static void alink_nic_set_rx_mode(struct net_device *dev)
{
	struct alink_nic *nic = netdev_priv(dev);

	if (READ_ONCE(nic->started))
		schedule_work(&nic->rx_mode_work);
}

static int alink_nic_set_mac_address(struct net_device *dev, void *p)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct sockaddr *addr = p;
	int err;

	err = eth_prepare_mac_addr_change(dev, addr);
	if (err)
		return err;
	if (nic->started) {
		err = alink_nic_cmd_port(nic, nic->port_flags, dev->mtu,
					 addr->sa_data);
		if (err)
			return err;
	}
	eth_commit_mac_addr_change(dev, addr);
	return 0;
}

static int alink_nic_change_mtu(struct net_device *dev, int mtu)
{
	struct alink_nic *nic = netdev_priv(dev);
	int err;

	if (nic->xdp_prog && mtu > ALINK_NIC_XDP_MAX_MTU) {
		netdev_warn(dev, "MTU %d is too large while an XDP program is attached; at most %d\n",
			    mtu, ALINK_NIC_XDP_MAX_MTU);
		return -EINVAL;
	}
	/* Buffers do not depend on it: only the device has to know. */
	if (nic->started) {
		err = alink_nic_cmd_port(nic, nic->port_flags, mtu,
					 dev->dev_addr);
		if (err)
			return err;
	}
	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

static const struct net_device_ops alink_nic_netdev_ops = {
	.ndo_open		= alink_nic_open,
	.ndo_stop		= alink_nic_close,
	.ndo_start_xmit		= alink_nic_xmit,
	.ndo_features_check	= alink_nic_features_check,
	.ndo_set_rx_mode	= alink_nic_set_rx_mode,
	.ndo_set_mac_address	= alink_nic_set_mac_address,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_change_mtu		= alink_nic_change_mtu,
	.ndo_tx_timeout		= alink_nic_tx_timeout,
	.ndo_get_stats64	= alink_nic_get_stats64,
	.ndo_bpf		= alink_nic_bpf,
	.ndo_xdp_xmit		= alink_nic_xdp_xmit,
};

/* --- set up --------------------------------------------------------------- */

/* The netdev with its locks and work; nothing of the device is known yet. */
struct net_device *alink_nic_netdev_alloc(struct pci_dev *pdev)
{
	struct net_device *dev;
	struct alink_nic *nic;
	unsigned int i;

	dev = alloc_etherdev_mqs(sizeof(*nic), ALINK_NIC_MAX_QUEUES,
				 ALINK_NIC_MAX_QUEUES);
	if (!dev)
		return NULL;

	SET_NETDEV_DEV(dev, &pdev->dev);
	nic = netdev_priv(dev);
	nic->dev = dev;
	nic->pdev = pdev;
	mutex_init(&nic->rx_mode_lock);
	spin_lock_init(&nic->link_lock);
	spin_lock_init(&nic->hw_lock);
	INIT_WORK(&nic->rx_mode_work, alink_nic_rx_mode_work);
	INIT_WORK(&nic->reset_work, alink_nic_reset_work);
	INIT_DELAYED_WORK(&nic->service, alink_nic_service);
	for (i = 0; i < ALINK_NIC_MAX_QUEUES; i++) {
		u64_stats_init(&nic->stats[i].rx.syncp);
		u64_stats_init(&nic->stats[i].tx.syncp);
		u64_stats_init(&nic->stats[i].xmit.syncp);
	}
	return dev;
}

static void alink_nic_init_addr(struct alink_nic *nic)
{
	u64 mac = alink_rd64(nic->adev, ALINK_NIC_REG_MAC);
	u8 addr[ETH_ALEN];
	int i;

	for (i = 0; i < ETH_ALEN; i++)
		addr[i] = mac >> (8 * i);
	if (is_valid_ether_addr(addr)) {
		eth_hw_addr_set(nic->dev, addr);
		ether_addr_copy(nic->dev->perm_addr, addr);
	} else {
		netdev_warn(nic->dev, "device has no valid address %pM, taking a random one\n",
			    addr);
		eth_hw_addr_random(nic->dev);
	}
}

/* What needs the device; before register_netdev(). */
int alink_nic_netdev_init(struct alink_nic *nic)
{
	struct net_device *dev = nic->dev;
	u32 queues, features;

	queues = min3(alink_rd32(nic->adev, ALINK_NIC_REG_NUM_QUEUES),
		      (u32)ALINK_NIC_MAX_QUEUES,
		      alink_dev_num_vectors(nic->adev) - 1);
	if (!queues) {
		pci_err(nic->pdev, "no vector for a queue pair\n");
		return -ENOSPC;
	}
	nic->max_queues = queues;
	nic->cfg.num_queues = min_t(u32, queues,
				    netif_get_num_default_rss_queues());
	nic->cfg.tx_size = ALINK_NIC_DEFAULT_RING;
	nic->cfg.rx_size = ALINK_NIC_DEFAULT_RING;
	nic->moderation.rx_usecs = 8;
	nic->moderation.rx_frames = 32;
	nic->moderation.tx_usecs = 16;
	nic->moderation.tx_frames = 64;

	nic->rss.hashes = cpu_to_le32(ALINK_NIC_HASH_KNOWN);
	netdev_rss_key_fill(nic->rss.key, sizeof(nic->rss.key));
	alink_nic_rss_default(&nic->rss, nic->cfg.num_queues);

	alink_nic_init_addr(nic);
	dev->netdev_ops = &alink_nic_netdev_ops;
	dev->ethtool_ops = &alink_nic_ethtool_ops;
	dev->stat_ops = &alink_nic_stat_ops;
	dev->watchdog_timeo = ALINK_NIC_TX_TIMEOUT;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = ALINK_NIC_MAX_MTU;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;

	features = alink_rd32(nic->adev, ALINK_NIC_REG_FEATURES);
	dev->hw_features = NETIF_F_SG;
	if (features & ALINK_NIC_FEAT_CSUM)
		dev->hw_features |= NETIF_F_HW_CSUM | NETIF_F_RXCSUM;
	if (features & ALINK_NIC_FEAT_TSO)
		dev->hw_features |= NETIF_F_TSO | NETIF_F_TSO6 |
				    NETIF_F_TSO_ECN;
	if (features & ALINK_NIC_FEAT_RSS)
		dev->hw_features |= NETIF_F_RXHASH;
	dev->features = dev->hw_features | NETIF_F_HIGHDMA;
	dev->vlan_features = dev->features;
	xdp_set_features_flag(dev, NETDEV_XDP_ACT_BASIC |
				   NETDEV_XDP_ACT_REDIRECT |
				   NETDEV_XDP_ACT_NDO_XMIT);
	netif_carrier_off(dev);
	return alink_nic_stats_init(nic);
}
