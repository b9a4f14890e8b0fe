// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink: devices and links, which are read from the hardware when
 * somebody asks.
 */
#include <linux/slab.h>

#include "alink_netlink.h"
#include "alink_port.h"

const struct nla_policy alink_dev_policy[ALINK_A_DEV_MAX + 1] = {
	[ALINK_A_DEV_INDEX]	= { .type = NLA_U32 },
};

const struct nla_policy alink_link_policy[ALINK_A_LINK_MAX + 1] = {
	[ALINK_A_LINK_DEV_INDEX] = { .type = NLA_U32 },
	[ALINK_A_LINK_LINK]	= { .type = NLA_U32 },
};

/* --- devices -------------------------------------------------------------- */

/*
 * A device that is in reset or gone has no model name at the moment. A caller
 * without memory, or who was killed, is told so, and not that there is none.
 */
static int alink_nl_put_model(struct sk_buff *msg, struct alink_dev *adev)
{
	char name[ALINK_IDENTIFY_TEXT];
	int err;

	if (!alink_dev_active(adev))
		return 0;
	err = alink_identify(adev, ALINK_TLV_NAME, name, sizeof(name));
	if (err)
		return err == -ENOMEM || err == -EINTR ? err : 0;
	return nla_put_string(msg, ALINK_A_DEV_MODEL, name);
}

/* Return: 0; -EMSGSIZE if there is no room in @msg; -ENOMEM, -EINTR. */
int alink_nl_put_dev(struct sk_buff *msg, struct alink_dev *adev)
{
	u32 version = alink_dev_fw_version(adev);
	char fw[16];

	snprintf(fw, sizeof(fw), "%u.%u.%u", version >> 24,
		 (version >> 16) & 0xff, version & 0xffff);

	if (nla_put_u32(msg, ALINK_A_DEV_INDEX, adev->index) ||
	    nla_put_string(msg, ALINK_A_DEV_NAME, adev->name) ||
	    nla_put_u32(msg, ALINK_A_DEV_TYPE, adev->ops->devtype) ||
	    nla_put_string(msg, ALINK_A_DEV_PCI, pci_name(adev->pdev)) ||
	    nla_put_u32(msg, ALINK_A_DEV_VARIANT, adev->variant) ||
	    nla_put_u64_64bit(msg, ALINK_A_DEV_SERIAL, adev->serial,
			      ALINK_A_DEV_PAD) ||
	    nla_put_u64_64bit(msg, ALINK_A_DEV_CAPS, adev->caps,
			      ALINK_A_DEV_PAD) ||
	    nla_put_u32(msg, ALINK_A_DEV_NUM_LINKS, adev->num_links) ||
	    nla_put_string(msg, ALINK_A_DEV_STATE,
			   alink_dev_state_name(adev)) ||
	    nla_put_u32(msg, ALINK_A_DEV_GENERATION, adev->generation) ||
	    nla_put_string(msg, ALINK_A_DEV_FW_VERSION, fw))
		return -EMSGSIZE;
	if (adev->fabric_id != ALINK_ID_NONE &&
	    nla_put_u32(msg, ALINK_A_DEV_FABRIC_ID, adev->fabric_id))
		return -EMSGSIZE;
	return alink_nl_put_model(msg, adev);
}

static int alink_nl_fill_dev(struct sk_buff *msg, struct alink_dev *adev,
			     u32 portid, u32 seq, int flags)
{
	void *hdr;
	int err;

	hdr = genlmsg_put(msg, portid, seq, &alink_genl_family, flags,
			  ALINK_CMD_DEV_GET);
	if (!hdr)
		return -EMSGSIZE;
	err = alink_nl_put_dev(msg, adev);
	if (err) {
		genlmsg_cancel(msg, hdr);
		return err;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

int alink_nl_dev_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct alink_dev *adev;
	struct sk_buff *msg;
	int err = -ENOMEM;

	adev = alink_nl_get_dev(info, ALINK_A_DEV_INDEX);
	if (IS_ERR(adev))
		return PTR_ERR(adev);

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (msg)
		err = alink_nl_fill_dev(msg, adev, info->snd_portid,
					info->snd_seq, 0);
	alink_dev_put(adev);
	if (err) {
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

/* cb->args[0]: index of the first device that is still to be shown */
int alink_nl_dev_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	u32 index = cb->args[0];
	struct alink_dev *adev;
	int err = 0;

	while (!err && (adev = alink_dev_get_next(&index))) {
		err = alink_nl_fill_dev(skb, adev, NETLINK_CB(cb->skb).portid,
					cb->nlh->nlmsg_seq, NLM_F_MULTI);
		alink_dev_put(adev);
		if (!err)
			index++;
	}
	cb->args[0] = index;
	return err;
}

/* --- links ---------------------------------------------------------------- */

static const struct {
	u16 attr;
	enum alink_port_counter ctr;
} alink_nl_stats[] = {
	{ ALINK_A_LINK_STATS_DOWNS,		ALINK_CTR_DOWNS },
	{ ALINK_A_LINK_STATS_TX_BYTES,		ALINK_CTR_TX_BYTES },
	{ ALINK_A_LINK_STATS_RX_BYTES,		ALINK_CTR_RX_BYTES },
	{ ALINK_A_LINK_STATS_TX_PACKETS,	ALINK_CTR_TX_PACKETS },
	{ ALINK_A_LINK_STATS_RX_PACKETS,	ALINK_CTR_RX_PACKETS },
	{ ALINK_A_LINK_STATS_TX_RAW,		ALINK_CTR_TX_RAW },
	{ ALINK_A_LINK_STATS_RX_RAW,		ALINK_CTR_RX_RAW },
	{ ALINK_A_LINK_STATS_FEC_CORR,		ALINK_CTR_FEC_CORR },
	{ ALINK_A_LINK_STATS_FEC_UNCORR,	ALINK_CTR_FEC_UNCORR },
	{ ALINK_A_LINK_STATS_CRC_ERRORS,	ALINK_CTR_CRC_ERRORS },
	{ ALINK_A_LINK_STATS_REPLAYS,		ALINK_CTR_REPLAYS },
	{ ALINK_A_LINK_STATS_TX_ERRORS,		ALINK_CTR_TX_ERRORS },
	{ ALINK_A_LINK_STATS_RX_ERRORS,		ALINK_CTR_RX_ERRORS },
	{ ALINK_A_LINK_STATS_STALL_NS,		ALINK_CTR_STALL_NS },
	{ ALINK_A_LINK_STATS_BUSY_NS,		ALINK_CTR_BUSY_NS },
};

static int alink_nl_put_stats(struct sk_buff *msg, struct alink_port *port)
{
	struct nlattr *nest;
	unsigned int i;

	nest = nla_nest_start(msg, ALINK_A_LINK_STATS);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < ARRAY_SIZE(alink_nl_stats); i++)
		if (nla_put_u64_64bit(msg, alink_nl_stats[i].attr,
				      alink_port_counter(port,
							 alink_nl_stats[i].ctr),
				      ALINK_A_LINK_STATS_PAD))
			return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static int alink_nl_put_peer(struct sk_buff *msg, struct alink_port *port)
{
	u32 id = alink_port_rd32(port, ALINK_LINK_PEER_ID);
	u32 where = alink_port_rd32(port, ALINK_LINK_PEER_PORT);

	if (id == ALINK_ID_NONE)
		return 0;
	return nla_put_u32(msg, ALINK_A_LINK_PEER_TYPE, where >> 24) ?:
	       nla_put_u32(msg, ALINK_A_LINK_PEER_ID, id) ?:
	       nla_put_u32(msg, ALINK_A_LINK_PEER_LINK, where & 0xffffff) ?:
	       nla_put_u64_64bit(msg, ALINK_A_LINK_PEER_SERIAL,
				 alink_rd64(port->adev,
					    ALINK_LINK_WINDOW(port->num) +
					    ALINK_LINK_PEER_SERIAL),
				 ALINK_A_LINK_PAD);
}

/* Only netdevs of the initial namespace: elsewhere the number says nothing. */
static int alink_nl_put_ifindex(struct sk_buff *msg, struct alink_port *port)
{
	if (!net_eq(dev_net(port->netdev), &init_net))
		return 0;
	return nla_put_u32(msg, ALINK_A_LINK_IFINDEX, port->netdev->ifindex);
}

static int alink_nl_put_link(struct sk_buff *msg, struct alink_port *port)
{
	u32 module = alink_port_rd32(port, ALINK_LINK_MODULE);

	if (nla_put_u32(msg, ALINK_A_LINK_DEV_INDEX, port->adev->index) ||
	    nla_put_u32(msg, ALINK_A_LINK_LINK, port->num) ||
	    alink_nl_put_ifindex(msg, port) ||
	    nla_put_u32(msg, ALINK_A_LINK_STATE,
			alink_port_rd32(port, ALINK_LINK_STATE)) ||
	    nla_put_u32(msg, ALINK_A_LINK_REASON,
			alink_port_rd32(port, ALINK_LINK_REASON)) ||
	    nla_put_u32(msg, ALINK_A_LINK_SPEED,
			alink_port_rd32(port, ALINK_LINK_SPEED)) ||
	    nla_put_u32(msg, ALINK_A_LINK_MAX_SPEED,
			alink_port_rd32(port, ALINK_LINK_MAX_SPEED)) ||
	    nla_put_u32(msg, ALINK_A_LINK_LANES, alink_port_lanes(port)) ||
	    nla_put_u32(msg, ALINK_A_LINK_MAX_LANES, port->lanes) ||
	    nla_put_u32(msg, ALINK_A_LINK_FEC,
			alink_port_rd32(port, ALINK_LINK_FEC)) ||
	    (module != ALINK_ID_NONE &&
	     nla_put_u32(msg, ALINK_A_LINK_MODULE, module)) ||
	    alink_nl_put_peer(msg, port) || alink_nl_put_stats(msg, port) ||
	    (port->adev->caps & ALINK_CAP_BER &&
	     nla_put_u64_64bit(msg, ALINK_A_LINK_BER, alink_port_ber(port),
			       ALINK_A_LINK_PAD)))
		return -EMSGSIZE;
	return 0;
}

/*
 * Returns -EMSGSIZE, or -ENODEV when the registers could not be read, or not all
 * on the same side of a reset, with nothing added to @msg.
 */
static int alink_nl_fill_link(struct sk_buff *msg, struct alink_port *port,
			      u32 portid, u32 seq, int flags)
{
	int err = 0;
	void *hdr;
	u32 epoch;

	if (alink_regs_begin(port->adev, &epoch))
		return -ENODEV;
	hdr = genlmsg_put(msg, portid, seq, &alink_genl_family, flags,
			  ALINK_CMD_LINK_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (alink_nl_put_link(msg, port))
		err = -EMSGSIZE;
	else if (alink_regs_end(port->adev, epoch))
		err = -ENODEV;
	if (err) {
		genlmsg_cancel(msg, hdr);
		return err;
	}
	genlmsg_end(msg, hdr);
	return 0;
}

/*
 * The port, or NULL. A device is in the registry only while its ports are
 * there: with a reference on it they stay.
 */
static struct alink_port *alink_nl_port(struct alink_dev *adev, u32 num)
{
	if (!adev->ports || num >= adev->num_links || !adev->ports[num]->netdev)
		return NULL;
	return adev->ports[num];
}

static int alink_nl_link_reply(struct alink_dev *adev, struct genl_info *info)
{
	struct nlattr *attr = info->attrs[ALINK_A_LINK_LINK];
	struct alink_port *port;
	struct sk_buff *msg;
	int err;

	if (nla_get_u32(attr) >= adev->num_links) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr,
					"%s has %u links, numbered from 0",
					adev->name, adev->num_links);
		return -ERANGE;
	}
	port = alink_nl_port(adev, nla_get_u32(attr));
	if (!port) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr,
					"Port of %s is not populated",
					adev->name);
		return -ENOENT;
	}

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	err = alink_nl_fill_link(msg, port, info->snd_portid, info->snd_seq, 0);
	if (err) {
		if (err == -ENODEV)
			NL_SET_ERR_MSG_ATTR_FMT(info->extack,
						info->attrs[ALINK_A_LINK_DEV_INDEX],
						"%s is in reset or gone",
						adev->name);
		nlmsg_free(msg);
		return err;
	}
	return genlmsg_reply(msg, info);
}

int alink_nl_link_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct alink_dev *adev;
	int err;

	if (GENL_REQ_ATTR_CHECK(info, ALINK_A_LINK_LINK)) {
		GENL_SET_ERR_MSG(info, "Number of the link is missing");
		return -EINVAL;
	}
	adev = alink_nl_get_dev(info, ALINK_A_LINK_DEV_INDEX);
	if (IS_ERR(adev))
		return PTR_ERR(adev);
	err = alink_nl_link_reply(adev, info);
	alink_dev_put(adev);
	return err;
}

/*
 * *link: first one that is still to be shown. A device shows none in a reset,
 * until it is ready again, as its tables are empty as long.
 */
static int alink_nl_dump_links(struct sk_buff *skb, struct netlink_callback *cb,
			       struct alink_dev *adev, unsigned long *link)
{
	struct alink_port *port;
	int err;

	for (; *link < adev->num_links; ++*link) {
		port = alink_nl_port(adev, *link);
		if (!port)
			continue;
		err = alink_nl_fill_link(skb, port, NETLINK_CB(cb->skb).portid,
					 cb->nlh->nlmsg_seq, NLM_F_MULTI);
		if (err == -EMSGSIZE)
			return err;
	}
	return 0;
}

int alink_nl_link_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return alink_nl_dump_devs(skb, cb, ALINK_A_LINK_DEV_INDEX,
				  ALINK_CAP_LINKS, alink_nl_dump_links);
}
