// SPDX-License-Identifier: GPL-2.0-only
/*
 * ethtool -t. Online: registers and the admin queue. Offline also: frames of
 * several sizes through the looped-back port, with checksums on both ways.
 */
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>

#include "alink_nic.h"

enum {
	ALINK_NIC_TEST_REGS,
	ALINK_NIC_TEST_ADMIN,
	ALINK_NIC_TEST_LINK,
	ALINK_NIC_TEST_LOOPBACK,
	ALINK_NIC_NUM_TESTS,
};

static const char alink_nic_test_names[ALINK_NIC_NUM_TESTS][ETH_GSTRING_LEN] = {
	[ALINK_NIC_TEST_REGS]		= "Register test   (online)",
	[ALINK_NIC_TEST_ADMIN]		= "Admin queue test (online)",
	[ALINK_NIC_TEST_LINK]		= "Link test        (online)",
	[ALINK_NIC_TEST_LOOPBACK]	= "Loopback test   (offline)",
};

int alink_nic_test_count(void)
{
	return ALINK_NIC_NUM_TESTS;
}

void alink_nic_test_strings(u8 **data)
{
	int i;

	for (i = 0; i < ALINK_NIC_NUM_TESTS; i++)
		ethtool_puts(data, alink_nic_test_names[i]);
}

static int alink_nic_test_regs(struct alink_nic *nic)
{
	static const u32 patterns[] = { 0x00000000, 0x5a5a5a5a, 0xa5a5a5a5 };
	int i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		alink_wr32(nic->adev, ALINK_REG_TEST_VALUE, patterns[i]);
		if (alink_rd32(nic->adev, ALINK_REG_TEST_VALUE) !=
		    (u32)~patterns[i])
			return -EIO;
	}
	if (alink_rd32(nic->adev, ALINK_REG_MAGIC) != ALINK_MAGIC)
		return -EIO;
	return 0;
}

/* --- loopback ------------------------------------------------------------- */

#define ALINK_NIC_LB_PORT	9	/* discard */
#define ALINK_NIC_LB_HDR \
	(sizeof(struct iphdr) + sizeof(struct udphdr))
#define ALINK_NIC_LB_WAIT	(2 * HZ)

/* One frame on its way; the packet handler of this test alone looks at it. */
struct alink_nic_loopback {
	struct packet_type type;
	struct completion back;
	u32 cookie;
	unsigned int len;	/* of the UDP payload */
	int result;
};

static u8 alink_nic_lb_byte(u32 cookie, unsigned int i)
{
	return cookie + 7 * i;
}

static int alink_nic_lb_rcv(struct sk_buff *skb, struct net_device *dev,
			    struct packet_type *type,
			    struct net_device *orig_dev)
{
	struct alink_nic_loopback *lb = container_of(type,
						     struct alink_nic_loopback,
						     type);
	u8 buf[256];
	unsigned int i, n, at;
	const u8 *p;
	__be32 id;

	/* Everything of this device passes here: is it ours? */
	p = skb_header_pointer(skb, ALINK_NIC_LB_HDR, sizeof(id), &id);
	if (!p || get_unaligned_be32(p) != lb->cookie ||
	    skb->len < ALINK_NIC_LB_HDR + lb->len)
		goto out;

	lb->result = 0;
	/* The device filled the checksum in and must find it right. */
	if ((dev->features & NETIF_F_RXCSUM) && !skb_csum_unnecessary(skb))
		lb->result = -EBADMSG;
	for (at = sizeof(id); at < lb->len; at += n) {
		n = min_t(unsigned int, sizeof(buf), lb->len - at);
		p = skb_header_pointer(skb, ALINK_NIC_LB_HDR + at, n, buf);
		for (i = 0; p && i < n; i++) {
			if (p[i] != alink_nic_lb_byte(lb->cookie, at + i))
				lb->result = -EBADMSG;
		}
		if (!p)
			lb->result = -EBADMSG;
	}
	complete(&lb->back);
out:
	kfree_skb(skb);
	return 0;
}

static struct sk_buff *alink_nic_lb_skb(struct net_device *dev,
					struct alink_nic_loopback *lb)
{
	unsigned int udp_len = sizeof(struct udphdr) + lb->len, i;
	struct sk_buff *skb;
	struct udphdr *udp;
	struct ethhdr *eth;
	struct iphdr *ip;
	u8 *payload;

	skb = netdev_alloc_skb(dev, ETH_HLEN + ALINK_NIC_LB_HDR + lb->len);
	if (!skb)
		return NULL;
	eth = skb_put_zero(skb, ETH_HLEN);
	skb_set_network_header(skb, skb->len);
	ip = skb_put_zero(skb, sizeof(*ip));
	skb_set_transport_header(skb, skb->len);
	udp = skb_put_zero(skb, sizeof(*udp));
	payload = skb_put(skb, lb->len);

	ether_addr_copy(eth->h_dest, dev->dev_addr);
	ether_addr_copy(eth->h_source, dev->dev_addr);
	eth->h_proto = htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 1;
	ip->protocol = IPPROTO_UDP;
	ip->tot_len = htons(sizeof(*ip) + udp_len);
	ip->saddr = htonl(INADDR_LOOPBACK);
	ip->daddr = htonl(INADDR_LOOPBACK);
	ip_send_check(ip);
	udp->source = htons(ALINK_NIC_LB_PORT);
	udp->dest = htons(ALINK_NIC_LB_PORT);
	udp->len = htons(udp_len);

	put_unaligned_be32(lb->cookie, payload);
	for (i = sizeof(__be32); i < lb->len; i++)
		payload[i] = alink_nic_lb_byte(lb->cookie, i);

	udp->check = ~csum_tcpudp_magic(ip->saddr, ip->daddr, udp_len,
					IPPROTO_UDP, 0);
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct udphdr, check);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->protocol = htons(ETH_P_IP);
	skb->pkt_type = PACKET_HOST;
	skb->dev = dev;
	return skb;
}

static int alink_nic_lb_frame(struct alink_nic *nic, unsigned int queue,
			      unsigned int len)
{
	struct alink_nic_loopback lb = {
		.type = {
			.type = htons(ETH_P_IP),
			.dev = nic->dev,
			.func = alink_nic_lb_rcv,
		},
		.back = COMPLETION_INITIALIZER_ONSTACK(lb.back),
		.cookie = get_random_u32(),
		.len = len,
		.result = -ETIMEDOUT,
	};
	struct sk_buff *skb;
	int err;

	skb = alink_nic_lb_skb(nic->dev, &lb);
	if (!skb)
		return -ENOMEM;

	dev_add_pack(&lb.type);
	err = dev_direct_xmit(skb, queue);
	if (err != NET_XMIT_SUCCESS)
		err = -EIO;
	else if (!wait_for_completion_timeout(&lb.back, ALINK_NIC_LB_WAIT))
		err = -ETIMEDOUT;
	else
		err = lb.result;
	dev_remove_pack(&lb.type);
	return err;
}

static int alink_nic_test_loopback(struct alink_nic *nic)
{
	static const unsigned int lens[] = { 4, 100, 1400, 8900 };
	struct net_device *dev = nic->dev;
	u32 flags = nic->port_flags;
	unsigned int q, i;
	int err;

	ASSERT_RTNL();

	err = alink_nic_cmd_port(nic, flags | ALINK_NIC_PORT_LOOPBACK,
				 ALINK_NIC_MAX_MTU, dev->dev_addr);
	if (err)
		return err;
	alink_nic_link_update(nic);
	for (q = 0; q < nic->set->num && !err; q++) {
		for (i = 0; i < ARRAY_SIZE(lens) && !err; i++) {
			/* An XDP program would see frames of two buffers. */
			if (nic->xdp_prog && lens[i] > ALINK_NIC_XDP_MAX_MTU)
				continue;
			err = alink_nic_lb_frame(nic, q, lens[i]);
			if (err)
				netdev_err(dev, "loopback of %u bytes on queue %u: %pe\n",
					   lens[i], q, ERR_PTR(err));
		}
	}
	if (alink_nic_cmd_port(nic, flags, dev->mtu, dev->dev_addr)) {
		/* The next start must not take the loop for what was wanted. */
		nic->port_flags = flags;
		err = err ?: -EIO;
	}
	alink_nic_link_update(nic);
	return err;
}

/* --- ethtool -------------------------------------------------------------- */

static void alink_nic_test_result(struct ethtool_test *test, u64 *data, int n,
				  int err)
{
	data[n] = err ? -err : 0;
	if (err)
		test->flags |= ETH_TEST_FL_FAILED;
}

void alink_nic_self_test(struct net_device *dev, struct ethtool_test *test,
			 u64 *data)
{
	struct alink_nic *nic = netdev_priv(dev);
	int err;

	memset(data, 0, ALINK_NIC_NUM_TESTS * sizeof(*data));
	alink_nic_test_result(test, data, ALINK_NIC_TEST_REGS,
			      alink_nic_test_regs(nic));
	err = alink_admin_exec(nic->adev, ALINK_ADMIN_NOP, NULL, 0, NULL, 0,
			       NULL, NULL);
	alink_nic_test_result(test, data, ALINK_NIC_TEST_ADMIN, err);
	alink_nic_test_result(test, data, ALINK_NIC_TEST_LINK,
			      netif_carrier_ok(dev) ? 0 : -ENOLINK);

	if (!(test->flags & ETH_TEST_FL_OFFLINE))
		return;
	err = nic->started ? alink_nic_test_loopback(nic) : -ENETDOWN;
	alink_nic_test_result(test, data, ALINK_NIC_TEST_LOOPBACK, err);
}
