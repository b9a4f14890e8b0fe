// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive side scaling: key and indirection table. Which header fields are
 * hashed is fixed: addresses, and ports of TCP and UDP.
 */
#include "alink_nic.h"

/* Spreads the table evenly over @num_queues. */
void alink_nic_rss_default(struct alink_nic_rss *rss, unsigned int num_queues)
{
	unsigned int i;

	for (i = 0; i < ALINK_NIC_RSS_ENTRIES; i++)
		rss->table[i] = ethtool_rxfh_indir_default(i, num_queues);
}

u32 alink_nic_get_rxfh_key_size(struct net_device *dev)
{
	return ALINK_NIC_RSS_KEY;
}

u32 alink_nic_get_rxfh_indir_size(struct net_device *dev)
{
	return ALINK_NIC_RSS_ENTRIES;
}

int alink_nic_get_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh)
{
	struct alink_nic *nic = netdev_priv(dev);
	unsigned int i;

	rxfh->hfunc = ETH_RSS_HASH_TOP;
	if (rxfh->key)
		memcpy(rxfh->key, nic->rss.key, ALINK_NIC_RSS_KEY);
	if (rxfh->indir) {
		for (i = 0; i < ALINK_NIC_RSS_ENTRIES; i++)
			rxfh->indir[i] = nic->rss.table[i];
	}
	return 0;
}

/* ethtool has checked the entries against the number of channels. */
int alink_nic_set_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh,
		       struct netlink_ext_ack *extack)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct alink_nic_rss rss = nic->rss;
	unsigned int i;
	int err;

	if (rxfh->hfunc != ETH_RSS_HASH_NO_CHANGE &&
	    rxfh->hfunc != ETH_RSS_HASH_TOP) {
		NL_SET_ERR_MSG_MOD(extack, "The hash is always Toeplitz");
		return -EOPNOTSUPP;
	}

	if (rxfh->key)
		memcpy(rss.key, rxfh->key, ALINK_NIC_RSS_KEY);
	if (rxfh->indir) {
		for (i = 0; i < ALINK_NIC_RSS_ENTRIES; i++)
			rss.table[i] = rxfh->indir[i];
	}
	if (nic->started) {
		err = alink_nic_cmd_rss(nic, &rss);
		if (err) {
			NL_SET_ERR_MSG_MOD(extack, "Device refused the table");
			return err;
		}
	}
	nic->rss = rss;
	return 0;
}

int alink_nic_get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *cmd,
			u32 *rules)
{
	struct alink_nic *nic = netdev_priv(dev);

	if (cmd->cmd != ETHTOOL_GRXRINGS)
		return -EOPNOTSUPP;
	cmd->data = nic->cfg.num_queues;
	return 0;
}
