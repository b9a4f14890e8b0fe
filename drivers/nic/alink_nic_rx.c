// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive: one page per buffer, from a page pool. Everything here runs in
 * NAPI, or while it is disabled.
 */
#include <linux/dma-mapping.h>
#include <linux/skbuff.h>
#include <net/page_pool/helpers.h>

#include "alink_nic.h"

#define ALINK_NIC_RX_BATCH	32	/* buffers per doorbell */

/* One poll's work, counted at its end */
struct alink_nic_rx_done {
	u64 packets;
	u64 bytes;
	u64 csum_ok;
	u64 csum_bad;
	u64 errors;
	u64 alloc_fail;
};

static void alink_nic_rx_count(struct alink_nic_qp *q,
			       const struct alink_nic_rx_done *done)
{
	struct alink_nic_rx_stats *stats = &q->stats->rx;

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->packets, done->packets);
	u64_stats_add(&stats->bytes, done->bytes);
	u64_stats_add(&stats->csum_ok, done->csum_ok);
	u64_stats_add(&stats->csum_bad, done->csum_bad);
	u64_stats_add(&stats->errors, done->errors);
	u64_stats_add(&stats->alloc_fail, done->alloc_fail);
	u64_stats_update_end(&stats->syncp);
}

/* --- buffers -------------------------------------------------------------- */

static void alink_nic_rx_ring(struct alink_nic_qp *q)
{
	if (q->rx_rung == q->rx_tail)
		return;
	q->rx_rung = q->rx_tail;
	alink_wr32(q->nic->adev, ALINK_NIC_QUEUE(q->id, ALINK_NIC_Q_RX_TAIL),
		   q->rx_tail);
}

static void alink_nic_rx_post(struct alink_nic_qp *q, struct page *page)
{
	u32 slot = q->rx_tail & (q->rx_size - 1);
	dma_addr_t addr = page_pool_get_dma_addr(page) + ALINK_NIC_RX_HEADROOM;

	q->rx_page[slot] = page;
	q->rx[slot].addr = cpu_to_le64(addr);
	q->rx[slot].len = cpu_to_le32(ALINK_NIC_RX_BUF);
	q->rx[slot].reserved = 0;
	q->rx_tail++;
}

/* Puts pages where there are none, and tells the device. */
void alink_nic_rx_fill(struct alink_nic_qp *q)
{
	struct alink_nic_rx_done done = {};
	struct page *page;

	while (q->rx_tail - q->rx_head < q->rx_size) {
		page = page_pool_dev_alloc_pages(q->pool);
		if (!page) {
			done.alloc_fail = 1;
			break;
		}
		alink_nic_rx_post(q, page);
	}
	WRITE_ONCE(q->rx_starved, done.alloc_fail);
	if (done.alloc_fail)
		alink_nic_rx_count(q, &done);
	alink_nic_rx_ring(q);
}

/*
 * Before a start: the pages that the ring had when it was stopped go to its
 * beginning. NAPI fills up the rest.
 */
void alink_nic_rx_repost(struct alink_nic_qp *q)
{
	struct page *page;
	u32 slot;

	for (slot = 0; slot < q->rx_size; slot++) {
		page = q->rx_page[slot];
		if (!page)
			continue;
		q->rx_page[slot] = NULL;
		alink_nic_rx_post(q, page);
	}
	/* NAPI does not ring for a ring that it finds full. */
	alink_nic_rx_ring(q);
}

/* Gives all pages back. */
void alink_nic_rx_drain(struct alink_nic_qp *q)
{
	u32 slot;

	for (slot = 0; slot < q->rx_size; slot++) {
		if (!q->rx_page[slot])
			continue;
		page_pool_put_full_page(q->pool, q->rx_page[slot], false);
		q->rx_page[slot] = NULL;
	}
}

/* --- frames --------------------------------------------------------------- */

static void alink_nic_rx_offload(struct alink_nic_qp *q, struct sk_buff *skb,
				 const struct alink_nic_rx_cpl *cpl,
				 struct alink_nic_rx_done *done)
{
	struct net_device *dev = q->nic->dev;
	u16 flags = le16_to_cpu(cpl->flags);

	if (flags & ALINK_NIC_RX_CSUM_BAD) {
		done->csum_bad++;
	} else if (flags & ALINK_NIC_RX_L4_OK) {
		done->csum_ok++;
		if (dev->features & NETIF_F_RXCSUM)
			skb->ip_summed = CHECKSUM_UNNECESSARY;
	}
	if (!(dev->features & NETIF_F_RXHASH))
		return;
	if (flags & ALINK_NIC_RX_HASH_L4)
		skb_set_hash(skb, le32_to_cpu(cpl->hash), PKT_HASH_TYPE_L4);
	else if (flags & ALINK_NIC_RX_HASH_L3)
		skb_set_hash(skb, le32_to_cpu(cpl->hash), PKT_HASH_TYPE_L3);
}

/* An skb around the first buffer of a frame; takes over the page. */
static struct sk_buff *alink_nic_rx_build(struct alink_nic_qp *q,
					  struct page *page,
					  unsigned int offset, u32 len)
{
	struct sk_buff *skb;

	skb = napi_build_skb(page_address(page), PAGE_SIZE);
	if (!skb) {
		page_pool_recycle_direct(q->pool, page);
		return NULL;
	}
	skb_reserve(skb, offset);
	skb_put(skb, len);
	skb_mark_for_recycle(skb);
	return skb;
}

static void alink_nic_rx_up(struct alink_nic_qp *q, struct sk_buff *skb,
			    const struct alink_nic_rx_cpl *cpl,
			    struct alink_nic_rx_done *done)
{
	done->packets++;
	done->bytes += skb->len;
	alink_nic_rx_offload(q, skb, cpl, done);
	skb_record_rx_queue(skb, q->id);
	skb->protocol = eth_type_trans(skb, q->nic->dev);
	napi_gro_receive(&q->napi, skb);
}

/* A whole frame in one buffer, when there is an XDP program. */
static void alink_nic_rx_xdp(struct alink_nic_qp *q, struct bpf_prog *prog,
			     struct page *page,
			     const struct alink_nic_rx_cpl *cpl,
			     struct alink_nic_rx_done *done)
{
	u32 len = le16_to_cpu(cpl->len);
	struct xdp_buff xdp;
	struct sk_buff *skb;
	u32 metasize;

	xdp_init_buff(&xdp, PAGE_SIZE, &q->xdp_rxq);
	xdp_prepare_buff(&xdp, page_address(page), ALINK_NIC_RX_HEADROOM, len,
			 true);
	if (!alink_nic_xdp_run(q, prog, &xdp)) {
		done->packets++;
		done->bytes += len;
		return;
	}

	skb = alink_nic_rx_build(q, page, xdp.data - xdp.data_hard_start,
				 xdp.data_end - xdp.data);
	if (!skb) {
		done->alloc_fail++;
		return;
	}
	metasize = xdp.data - xdp.data_meta;
	if (metasize)
		skb_metadata_set(skb, metasize);
	alink_nic_rx_up(q, skb, cpl, done);
}

/* Ends the frame that is being put together, if there is one. */
static void alink_nic_rx_abandon(struct alink_nic_qp *q)
{
	dev_kfree_skb_any(q->rx_skb);
	q->rx_skb = NULL;
	q->rx_skip = true;
}

/* One buffer. Owns @page. */
static void alink_nic_rx_piece(struct alink_nic_qp *q, struct page *page,
			       const struct alink_nic_rx_cpl *cpl,
			       struct alink_nic_rx_done *done)
{
	u16 flags = le16_to_cpu(cpl->flags), status = le16_to_cpu(cpl->status);
	bool first = flags & ALINK_NIC_RX_FIRST;
	bool last = flags & ALINK_NIC_RX_LAST;
	u32 len = le16_to_cpu(cpl->len);
	struct bpf_prog *prog;

	page_pool_dma_sync_for_cpu(q->pool, page, 0, len);

	if (first)
		q->rx_skip = false;
	/* A frame begins where none is open, and goes on where one is. */
	if (!q->rx_skip && (first == !!q->rx_skb || (first && len < ETH_HLEN)))
		status = ALINK_ST_BAD_FIELD;
	if (status != ALINK_ST_OK && !q->rx_skip) {
		done->errors++;
		alink_nic_rx_abandon(q);
	}
	prog = READ_ONCE(q->nic->xdp_prog);
	if (prog && !q->rx_skip && !(first && last)) {
		/* It was sent before the program came and the MTU shrank. */
		done->errors++;
		alink_nic_rx_abandon(q);
	}
	if (q->rx_skip)
		goto out_recycle;

	if (prog) {
		alink_nic_rx_xdp(q, prog, page, cpl, done);
		return;
	}

	if (first) {
		q->rx_skb = alink_nic_rx_build(q, page, ALINK_NIC_RX_HEADROOM,
					       len);
		if (!q->rx_skb) {
			done->alloc_fail++;
			q->rx_skip = true;
			return;
		}
	} else if (skb_shinfo(q->rx_skb)->nr_frags < MAX_SKB_FRAGS) {
		skb_add_rx_frag(q->rx_skb, skb_shinfo(q->rx_skb)->nr_frags,
				page, ALINK_NIC_RX_HEADROOM, len, PAGE_SIZE);
	} else {
		done->errors++;
		alink_nic_rx_abandon(q);
		goto out_recycle;
	}

	if (last) {
		struct sk_buff *skb = q->rx_skb;

		q->rx_skb = NULL;
		alink_nic_rx_up(q, skb, cpl, done);
	}
	return;

out_recycle:
	page_pool_recycle_direct(q->pool, page);
}

/* The completion at the head of the ring, or NULL */
static const struct alink_nic_rx_cpl *
alink_nic_rx_next_cpl(struct alink_nic_qp *q, u32 head)
{
	const struct alink_nic_rx_cpl *cpl = &q->rx_cpl[head & (q->rx_size - 1)];
	u16 phase = !(head & q->rx_size);

	if ((le16_to_cpu(READ_ONCE(cpl->phase)) & 1) != phase)
		return NULL;
	return cpl;
}

/* Is there work for NAPI? A guess, for the service task. */
bool alink_nic_rx_pending(struct alink_nic_qp *q)
{
	return READ_ONCE(q->rx_starved) ||
	       alink_nic_rx_next_cpl(q, READ_ONCE(q->rx_head));
}

/**
 * alink_nic_rx_poll - take received frames
 * @q:		queue pair
 * @budget:	of NAPI, in frames
 *
 * Context: NAPI.
 * Return: frames taken; @budget when there may be more.
 */
int alink_nic_rx_poll(struct alink_nic_qp *q, int budget)
{
	struct alink_nic_rx_done done = {};
	const struct alink_nic_rx_cpl *entry;
	struct alink_nic_rx_cpl cpl;
	u32 mask = q->rx_size - 1, slot;
	u32 left = q->rx_size;
	struct page *page;
	int work = 0;

	/* Buffers have an end also when frames have none. */
	while (work < budget && left && !q->broken) {
		entry = alink_nic_rx_next_cpl(q, q->rx_head);
		if (!entry)
			break;
		/* the rest of the entry is not older than its phase */
		dma_rmb();
		cpl = *entry;
		slot = q->rx_head & mask;
		page = q->rx_page[slot];
		if (le32_to_cpu(cpl.index) != q->rx_head || !page ||
		    !le16_to_cpu(cpl.len) ||
		    le16_to_cpu(cpl.len) > ALINK_NIC_RX_BUF) {
			alink_nic_queue_error(q, "bad receive completion");
			break;
		}
		q->rx_page[slot] = NULL;
		WRITE_ONCE(q->rx_head, q->rx_head + 1);
		left--;
		alink_nic_rx_piece(q, page, &cpl, &done);
		if (le16_to_cpu(cpl.flags) & ALINK_NIC_RX_LAST)
			work++;
		if (q->rx_tail - q->rx_head <= q->rx_size - ALINK_NIC_RX_BATCH)
			alink_nic_rx_fill(q);
	}

	if (work || done.errors || done.alloc_fail)
		alink_nic_rx_count(q, &done);
	alink_nic_xdp_flush(q);
	if (!q->broken && q->rx_tail - q->rx_head < q->rx_size)
		alink_nic_rx_fill(q);
	return left ? work : budget;
}
