// SPDX-License-Identifier: GPL-2.0-only
/*
 * Admin commands of the NIC.
 */
#include <linux/slab.h>

#include "alink_nic.h"

/*
 * One line where the cause is known. Silent when the device is gone or in
 * reset: the core has said so, and every command fails then.
 */
static int alink_nic_cmd(struct alink_nic *nic, u16 opcode, u16 tlv,
			 const void *payload, size_t len, const char *what)
{
	u16 status;
	int err;

	err = alink_admin_tlv(nic->adev, opcode, tlv, payload, len, &status);
	if (err && err != -ENODEV && err != -ECANCELED)
		netdev_err(nic->dev, "cannot %s: %s (%pe)\n", what,
			   alink_status_str(status), ERR_PTR(err));
	return err;
}

int alink_nic_cmd_queue_create(struct alink_nic_qp *q)
{
	struct alink_nic_queue cmd = {
		.id = cpu_to_le32(q->id),
		.vector = cpu_to_le16(ALINK_NIC_VECTOR_QUEUE(q->id)),
		.tx_size = cpu_to_le32(q->tx_size),
		.rx_size = cpu_to_le32(q->rx_size),
		.tx_ring = cpu_to_le64(q->tx_dma),
		.tx_cpl = cpu_to_le64(q->tx_cpl_dma),
		.rx_ring = cpu_to_le64(q->rx_dma),
		.rx_cpl = cpu_to_le64(q->rx_cpl_dma),
	};

	return alink_nic_cmd(q->nic, ALINK_NIC_ADMIN_QUEUE_CREATE,
			     ALINK_TLV_NIC_QUEUE, &cmd, sizeof(cmd),
			     "create a queue pair");
}

int alink_nic_cmd_queue_destroy(struct alink_nic_qp *q)
{
	__le32 id = cpu_to_le32(q->id);

	return alink_nic_cmd(q->nic, ALINK_NIC_ADMIN_QUEUE_DESTROY,
			     ALINK_TLV_ID, &id, sizeof(id),
			     "destroy a queue pair");
}

int alink_nic_cmd_coalesce(struct alink_nic *nic, u32 queue,
			   const struct alink_nic_moderation *mod)
{
	struct alink_nic_coalesce cmd = {
		.queue = cpu_to_le32(queue),
		.rx_usecs = cpu_to_le16(mod->rx_usecs),
		.rx_frames = cpu_to_le16(mod->rx_frames),
		.tx_usecs = cpu_to_le16(mod->tx_usecs),
		.tx_frames = cpu_to_le16(mod->tx_frames),
	};

	return alink_nic_cmd(nic, ALINK_NIC_ADMIN_COALESCE,
			     ALINK_TLV_NIC_COALESCE, &cmd, sizeof(cmd),
			     "set interrupt moderation");
}

int alink_nic_cmd_rss(struct alink_nic *nic, const struct alink_nic_rss *rss)
{
	return alink_nic_cmd(nic, ALINK_NIC_ADMIN_RSS_SET, ALINK_TLV_NIC_RSS,
			     rss, sizeof(*rss), "set receive side scaling");
}

int alink_nic_cmd_port(struct alink_nic *nic, u32 flags, int mtu,
		       const u8 *addr)
{
	struct alink_nic_port cmd = {
		.flags = cpu_to_le32(flags),
		.max_frame = cpu_to_le32(mtu + ALINK_NIC_OVERHEAD),
	};
	int err;

	ASSERT_RTNL();

	ether_addr_copy(cmd.mac, addr);
	err = alink_nic_cmd(nic, ALINK_NIC_ADMIN_PORT_SET, ALINK_TLV_NIC_PORT,
			    &cmd, sizeof(cmd), "set up the port");
	if (!err)
		nic->port_flags = flags;
	return err;
}

static void alink_nic_add_filters(struct netdev_hw_addr_list *list,
				  struct alink_nic_filter *filter,
				  unsigned int *num)
{
	struct netdev_hw_addr *ha;

	netdev_hw_addr_list_for_each(ha, list)
		ether_addr_copy(filter[(*num)++].mac, ha->addr);
}

/* Filters that the device has no room for become "all of this kind". */
int alink_nic_cmd_rx_mode(struct alink_nic *nic)
{
	struct alink_nic_rx_mode mode = {};
	struct net_device *dev = nic->dev;
	struct alink_nic_filter *filter;
	u32 flags = ALINK_NIC_RXM_BROADCAST;
	struct alink_tlv_buf buf = {};
	unsigned int num = 0;
	u16 status;
	int err;

	filter = kcalloc(ALINK_NIC_MAX_FILTERS, sizeof(*filter), GFP_KERNEL);
	buf.room = ALINK_TLV_SPAN(sizeof(mode)) +
		   ALINK_TLV_SPAN(ALINK_NIC_MAX_FILTERS * sizeof(*filter));
	buf.data = kzalloc(buf.room, GFP_KERNEL);
	if (!filter || !buf.data) {
		err = -ENOMEM;
		goto out_free;
	}

	mutex_lock(&nic->rx_mode_lock);
	netif_addr_lock_bh(dev);
	if (dev->flags & IFF_PROMISC)
		flags |= ALINK_NIC_RXM_PROMISC;
	if (dev->flags & IFF_ALLMULTI)
		flags |= ALINK_NIC_RXM_ALLMULTI;
	if (netdev_uc_count(dev) > ALINK_NIC_MAX_FILTERS)
		flags |= ALINK_NIC_RXM_PROMISC;
	else
		alink_nic_add_filters(&dev->uc, filter, &num);
	if (num + netdev_mc_count(dev) > ALINK_NIC_MAX_FILTERS)
		flags |= ALINK_NIC_RXM_ALLMULTI;
	else
		alink_nic_add_filters(&dev->mc, filter, &num);
	netif_addr_unlock_bh(dev);

	mode.flags = cpu_to_le32(flags);
	err = alink_tlv_put(&buf, ALINK_TLV_NIC_RX_MODE | ALINK_TLV_MUST,
			    &mode, sizeof(mode));
	if (!err)
		err = alink_tlv_put(&buf,
				    ALINK_TLV_NIC_FILTERS | ALINK_TLV_MUST,
				    filter, num * sizeof(*filter));
	if (!err)
		err = alink_admin_exec(nic->adev, ALINK_NIC_ADMIN_RX_MODE,
				       buf.data, buf.len, NULL, 0, NULL,
				       &status);
	mutex_unlock(&nic->rx_mode_lock);
	if (err && err != -ENODEV && err != -ECANCELED)
		netdev_err(dev, "cannot set receive filters: %pe\n",
			   ERR_PTR(err));

out_free:
	kfree(buf.data);
	kfree(filter);
	return err;
}
