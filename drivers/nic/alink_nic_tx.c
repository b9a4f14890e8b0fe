// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transmit. The producer side belongs to the holder of the transmit lock, the
 * consumer side to NAPI.
 */
#include <linux/dma-mapping.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/netdev_queues.h>
#include <net/page_pool/helpers.h>
#include <net/tcp.h>

#include "alink_nic.h"

/* Room for the largest packet, so that a queue that runs never finds none */
#define ALINK_NIC_TX_STOP	(MIN(MAX_SKB_FRAGS + 1, ALINK_NIC_MAX_DESCS) + 1)
#define ALINK_NIC_TX_WAKE	MIN(2 * ALINK_NIC_TX_STOP, ALINK_NIC_MIN_RING)

static_assert(ALINK_NIC_TX_STOP <= ALINK_NIC_TX_WAKE);

/* --- descriptors ---------------------------------------------------------- */

/* Fills the descriptor at @index, and what is kept about its mapping. */
void alink_nic_tx_desc_set(struct alink_nic_qp *q, u32 index,
			   dma_addr_t dma, u32 len, bool page, u16 flags)
{
	u32 slot = index & (q->tx_size - 1);
	struct alink_nic_tx_desc *desc = &q->tx[slot];
	struct alink_nic_tx_buf *buf = &q->tx_buf[slot];

	memset(desc, 0, sizeof(*desc));
	desc->addr = cpu_to_le64(dma);
	desc->len = cpu_to_le32(len);
	desc->flags = cpu_to_le16(flags);
	memset(buf, 0, sizeof(*buf));
	dma_unmap_addr_set(buf, dma, dma);
	dma_unmap_len_set(buf, len, len);
	buf->page = page;
}

/* Tells the device about everything up to tx_tail. */
void alink_nic_tx_ring(struct alink_nic_qp *q)
{
	if (q->tx_rung == q->tx_tail)
		return;
	/* pairs with the read in alink_nic_tx_poll() */
	WRITE_ONCE(q->tx_rung, q->tx_tail);
	alink_wr32(q->nic->adev, ALINK_NIC_QUEUE(q->id, ALINK_NIC_Q_TX_TAIL),
		   q->tx_tail);
}

static void alink_nic_tx_unmap(struct alink_nic_qp *q,
			       struct alink_nic_tx_buf *buf)
{
	struct device *dma = &q->nic->pdev->dev;

	if (!dma_unmap_len(buf, len))
		return;
	if (buf->page)
		dma_unmap_page(dma, dma_unmap_addr(buf, dma),
			       dma_unmap_len(buf, len), DMA_TO_DEVICE);
	else
		dma_unmap_single(dma, dma_unmap_addr(buf, dma),
				 dma_unmap_len(buf, len), DMA_TO_DEVICE);
	dma_unmap_len_set(buf, len, 0);
}

/* --- from the stack ------------------------------------------------------- */

/**
 * alink_nic_features_check - ndo_features_check
 * @skb:	packet
 * @dev:	device
 * @features:	what it could do
 *
 * Return: what it can do with this packet.
 */
netdev_features_t alink_nic_features_check(struct sk_buff *skb,
					   struct net_device *dev,
					   netdev_features_t features)
{
	features = vlan_features_check(skb, features);

	if (skb_is_gso(skb) &&
	    (skb_shinfo(skb)->gso_size < ALINK_NIC_MIN_MSS ||
	     skb->len > ALINK_NIC_MAX_PACKET ||
	     ((skb_shinfo(skb)->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) &&
	      (skb_tcp_all_headers(skb) > ALINK_NIC_MAX_HDR ||
	       skb_tcp_all_headers(skb) + skb_shinfo(skb)->gso_size >
	       ALINK_NIC_MAX_FRAME))))
		features &= ~NETIF_F_GSO_MASK;
	return features;
}

/* What the first descriptor says about offloads */
static void alink_nic_tx_offload(struct alink_nic_qp *q, struct sk_buff *skb,
				 struct alink_nic_tx_desc *desc,
				 struct alink_nic_tx_buf *last)
{
	struct alink_nic_xmit_stats *stats = &q->stats->xmit;
	u16 flags = le16_to_cpu(desc->flags);
	unsigned int hdr_len;

	last->packets = 1;
	last->bytes = max_t(u32, skb->len, ETH_ZLEN);
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return;

	flags |= ALINK_NIC_TX_CSUM;
	desc->csum_start = cpu_to_le16(skb_checksum_start_offset(skb));
	desc->csum_offset = cpu_to_le16(skb->csum_offset);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->csum);
	if (skb_is_gso(skb)) {
		u64_stats_inc(&stats->tso);
		u64_stats_add(&stats->tso_bytes, skb->len);
	}
	u64_stats_update_end(&stats->syncp);

	if (skb_is_gso(skb)) {
		flags |= ALINK_NIC_TX_TSO;
		hdr_len = skb_tcp_all_headers(skb);
		desc->mss = cpu_to_le16(skb_shinfo(skb)->gso_size);
		desc->l3_start = cpu_to_le16(skb_network_offset(skb));
		desc->hdr_len = cpu_to_le16(hdr_len);
		last->packets = DIV_ROUND_UP(skb->len - hdr_len,
					     skb_shinfo(skb)->gso_size);
		last->bytes = skb->len + (last->packets - 1) * hdr_len;
	}
	desc->flags = cpu_to_le16(flags);
}

/* Maps @skb at tx_tail. Returns the number of descriptors, 0 on failure. */
static u32 alink_nic_tx_map(struct alink_nic_qp *q, struct sk_buff *skb)
{
	struct device *dma = &q->nic->pdev->dev;
	u32 mask = q->tx_size - 1, at = q->tx_tail, len;
	const skb_frag_t *frag;
	dma_addr_t addr;
	int i;

	len = skb_headlen(skb);
	addr = dma_map_single(dma, skb->data, len, DMA_TO_DEVICE);
	if (dma_mapping_error(dma, addr))
		return 0;
	alink_nic_tx_desc_set(q, at++, addr, len, false, 0);

	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		frag = &skb_shinfo(skb)->frags[i];
		len = skb_frag_size(frag);
		if (!len)
			continue;
		addr = skb_frag_dma_map(dma, frag, 0, len, DMA_TO_DEVICE);
		if (dma_mapping_error(dma, addr))
			goto err_unmap;
		alink_nic_tx_desc_set(q, at++, addr, len, true, 0);
	}

	q->tx[(at - 1) & mask].flags = cpu_to_le16(ALINK_NIC_TX_LAST);
	return at - q->tx_tail;

err_unmap:
	while (at-- != q->tx_tail)
		alink_nic_tx_unmap(q, &q->tx_buf[at & mask]);
	return 0;
}

static void alink_nic_tx_count_queue(struct alink_nic_qp *q, bool stop)
{
	struct alink_nic_xmit_stats *stats = &q->stats->xmit;

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(stop ? &stats->stop : &stats->wake);
	u64_stats_update_end(&stats->syncp);
}

static void alink_nic_tx_drop(struct alink_nic_qp *q, struct sk_buff *skb)
{
	struct alink_nic_xmit_stats *stats = &q->stats->xmit;

	dev_kfree_skb_any(skb);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->dropped);
	u64_stats_update_end(&stats->syncp);
}

/* Whatever the contract says that the device refuses stops here. */
static bool alink_nic_tx_fits(struct sk_buff *skb)
{
	unsigned int max = skb_is_gso(skb) ? ALINK_NIC_MAX_PACKET :
					     ALINK_NIC_MAX_FRAME;

	if (skb->len < ETH_HLEN || skb->len > max)
		return false;
	/* A kernel may be built with more fragments than the device takes. */
	return skb_shinfo(skb)->nr_frags + 1 <= ALINK_NIC_MAX_DESCS ||
	       !skb_linearize(skb);
}

/**
 * alink_nic_xmit - ndo_start_xmit
 * @skb:	packet
 * @dev:	device
 *
 * Return: NETDEV_TX_OK, also for packets that were dropped; NETDEV_TX_BUSY
 * when the ring is full, which cannot happen while queues are stopped in time.
 */
netdev_tx_t alink_nic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct alink_nic *nic = netdev_priv(dev);
	u16 id = skb_get_queue_mapping(skb);
	struct alink_nic_tx_buf *last;
	struct netdev_queue *txq;
	struct alink_nic_qp *q;
	u32 mask, num;
	int stopped;

	/* Who chose the queue before there were fewer of them (pktgen, bypass) */
	if (unlikely(id >= nic->set->num)) {
		dev_kfree_skb_any(skb);
		dev_core_stats_tx_dropped_inc(dev);
		return NETDEV_TX_OK;
	}
	q = &nic->set->qp[id];
	txq = alink_nic_txq(q);
	mask = q->tx_size - 1;

	/* XDP may have taken the room that the last packet left. */
	if (unlikely(!netif_txq_maybe_stop(txq, alink_nic_tx_room(q),
					   ALINK_NIC_TX_STOP,
					   ALINK_NIC_TX_WAKE)))
		return NETDEV_TX_BUSY;
	if (unlikely(!alink_nic_tx_fits(skb)))
		goto err_drop;
	num = alink_nic_tx_map(q, skb);
	if (unlikely(!num))
		goto err_drop;

	last = &q->tx_buf[(q->tx_tail + num - 1) & mask];
	last->skb = skb;
	last->kind = ALINK_NIC_TX_SKB;
	alink_nic_tx_offload(q, skb, &q->tx[q->tx_tail & mask], last);
	skb_tx_timestamp(skb);
	/* pairs with the read in alink_nic_tx_room() by NAPI */
	WRITE_ONCE(q->tx_tail, q->tx_tail + num);

	stopped = netif_txq_maybe_stop(txq, alink_nic_tx_room(q),
				       ALINK_NIC_TX_STOP, ALINK_NIC_TX_WAKE);
	if (stopped <= 0)
		alink_nic_tx_count_queue(q, !stopped);
	if (__netdev_tx_sent_queue(txq, skb->len, netdev_xmit_more()))
		alink_nic_tx_ring(q);
	return NETDEV_TX_OK;

err_drop:
	alink_nic_tx_drop(q, skb);
	/* Packets before this one may count on its doorbell. */
	if (!netdev_xmit_more())
		alink_nic_tx_ring(q);
	return NETDEV_TX_OK;
}

/* --- completion ----------------------------------------------------------- */

/* One poll's work, counted at its end */
struct alink_nic_tx_done {
	unsigned int skbs;
	unsigned int skb_bytes;
	u64 packets;
	u64 bytes;
	u64 xdp;
	u64 errors;
	u64 no_link;
};

/* Frees what ends in @buf. @status speaks of the packet that ended there. */
static void alink_nic_tx_free(struct alink_nic_qp *q,
			      struct alink_nic_tx_buf *buf, u16 status,
			      struct alink_nic_tx_done *done, int budget)
{
	alink_nic_tx_unmap(q, buf);
	if (!buf->skb)
		return;

	if (status == ALINK_ST_OK) {
		done->packets += buf->packets;
		done->bytes += buf->bytes;
		done->xdp += buf->kind != ALINK_NIC_TX_SKB;
	} else if (status == ALINK_ST_PORT_DOWN) {
		done->no_link++;
	} else {
		done->errors++;
	}

	switch (buf->kind) {
	case ALINK_NIC_TX_SKB:
		done->skbs++;
		done->skb_bytes += buf->skb->len;
		napi_consume_skb(buf->skb, budget);
		break;
	case ALINK_NIC_TX_XDP:
	case ALINK_NIC_TX_NDO:
		xdp_return_frame(buf->xdpf);
		break;
	}
	buf->skb = NULL;
}

/* The completion at the head of the ring, or NULL */
static const struct alink_nic_tx_cpl *
alink_nic_tx_next_cpl(struct alink_nic_qp *q, u32 head)
{
	const struct alink_nic_tx_cpl *cpl = &q->tx_cpl[head & (q->tx_size - 1)];
	u16 phase = !(head & q->tx_size);

	if ((le16_to_cpu(READ_ONCE(cpl->phase)) & 1) != phase)
		return NULL;
	return cpl;
}

/* netpoll may interrupt a page pool: it must free nothing that is from one. */
static bool alink_nic_tx_has_xdp(struct alink_nic_qp *q, u32 from, u32 to)
{
	struct alink_nic_tx_buf *buf;

	for (; from != to; from++) {
		buf = &q->tx_buf[from & (q->tx_size - 1)];
		if (buf->skb && buf->kind != ALINK_NIC_TX_SKB)
			return true;
	}
	return false;
}

/* Is there work for NAPI? A guess, for the service task. */
bool alink_nic_tx_pending(struct alink_nic_qp *q)
{
	return alink_nic_tx_next_cpl(q, READ_ONCE(q->tx_cpl_head));
}

static void alink_nic_tx_count(struct alink_nic_qp *q,
			       const struct alink_nic_tx_done *done)
{
	struct alink_nic_tx_stats *stats = &q->stats->tx;

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->packets, done->packets);
	u64_stats_add(&stats->bytes, done->bytes);
	u64_stats_add(&stats->xdp, done->xdp);
	u64_stats_add(&stats->errors, done->errors);
	u64_stats_add(&stats->no_link, done->no_link);
	u64_stats_update_end(&stats->syncp);
}

/**
 * alink_nic_tx_poll - take transmit completions
 * @q:		queue pair
 * @budget:	of NAPI; 0 from netpoll
 *
 * Context: NAPI.
 * Return: there is more.
 */
bool alink_nic_tx_poll(struct alink_nic_qp *q, int budget)
{
	struct alink_nic_tx_done done = {};
	const struct alink_nic_tx_cpl *cpl;
	u32 mask = q->tx_size - 1, head;
	u32 left = q->tx_size, clean = q->tx_clean;
	u16 status;

	while (!q->broken && left--) {
		cpl = alink_nic_tx_next_cpl(q, q->tx_cpl_head);
		if (!cpl)
			break;
		/* the rest of the entry is not older than its phase */
		dma_rmb();
		head = le32_to_cpu(cpl->head);
		status = le16_to_cpu(cpl->status);
		/* What the device was not told of may still be in our hands. */
		if (head == clean ||
		    head - clean > READ_ONCE(q->tx_rung) - clean) {
			alink_nic_queue_error(q, "bad transmit completion");
			break;
		}
		if (!budget && alink_nic_tx_has_xdp(q, clean, head))
			break;
		while (clean != head) {
			alink_nic_tx_free(q, &q->tx_buf[clean & mask], status,
					  &done, budget);
			clean++;
		}
		WRITE_ONCE(q->tx_cpl_head, q->tx_cpl_head + 1);
	}
	if (clean == q->tx_clean)
		return false;

	alink_nic_tx_count(q, &done);
	/* pairs with the read in alink_nic_tx_room() by the producer */
	smp_store_release(&q->tx_clean, clean);
	netdev_tx_completed_queue(alink_nic_txq(q), done.skbs, done.skb_bytes);
	/*
	 * tx_clean before the look at the stop bit: pairs with the barrier in
	 * netif_txq_try_stop(). XDP frames make room also, so this is not only
	 * for polls that freed an skb.
	 */
	smp_mb();
	if (netif_tx_queue_stopped(alink_nic_txq(q)) &&
	    alink_nic_tx_room(q) >= ALINK_NIC_TX_WAKE)
		netif_tx_wake_queue(alink_nic_txq(q));
	return alink_nic_tx_pending(q);
}

/**
 * alink_nic_tx_drain - free what was not sent
 * @q:		queue pair that neither the stack nor the device uses
 */
void alink_nic_tx_drain(struct alink_nic_qp *q)
{
	struct alink_nic_tx_done done = {};
	u32 mask = q->tx_size - 1;

	for (; q->tx_clean != q->tx_tail; q->tx_clean++)
		alink_nic_tx_free(q, &q->tx_buf[q->tx_clean & mask],
				  ALINK_ST_ABORTED, &done, 0);
	netdev_tx_reset_queue(alink_nic_txq(q));
}
