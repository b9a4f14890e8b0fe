// SPDX-License-Identifier: GPL-2.0-only
/*
 * XDP: pass, drop, transmit, redirect, on frames of one buffer. Transmission
 * shares the transmit ring of the queue pair with the stack, under its lock.
 */
#include <linux/bpf_trace.h>
#include <linux/dma-mapping.h>
#include <linux/filter.h>
#include <net/page_pool/helpers.h>

#include "alink_nic.h"

/* Puts a frame in the transmit ring; the doorbell is the caller's. */
static int alink_nic_xdp_put(struct alink_nic_qp *q, struct xdp_frame *xdpf,
			     enum alink_nic_tx_kind kind)
{
	struct device *dma = &q->nic->pdev->dev;
	struct alink_nic_tx_buf *buf;
	struct page *page;
	dma_addr_t addr;

	lockdep_assert_held(&alink_nic_txq(q)->_xmit_lock);

	if (!alink_nic_tx_room(q))
		return -EBUSY;
	if (xdpf->len < ETH_HLEN || xdpf->len > ALINK_NIC_MAX_FRAME ||
	    xdp_frame_has_frags(xdpf))
		return -EINVAL;

	if (kind == ALINK_NIC_TX_XDP) {
		page = virt_to_page(xdpf->data);
		addr = page_pool_get_dma_addr(page) +
		       (xdpf->data - page_address(page));
		dma_sync_single_for_device(dma, addr, xdpf->len,
					   DMA_BIDIRECTIONAL);
	} else {
		addr = dma_map_single(dma, xdpf->data, xdpf->len,
				      DMA_TO_DEVICE);
		if (dma_mapping_error(dma, addr))
			return -ENOMEM;
	}

	alink_nic_tx_desc_set(q, q->tx_tail, addr, xdpf->len, false,
			      ALINK_NIC_TX_LAST);
	buf = &q->tx_buf[q->tx_tail & (q->tx_size - 1)];
	if (kind == ALINK_NIC_TX_XDP)
		dma_unmap_len_set(buf, len, 0);	/* the pool keeps its mapping */
	buf->xdpf = xdpf;
	buf->kind = kind;
	buf->packets = 1;
	buf->bytes = max_t(u32, xdpf->len, ETH_ZLEN);
	/* pairs with the read in alink_nic_tx_room() by NAPI */
	WRITE_ONCE(q->tx_tail, q->tx_tail + 1);
	return 0;
}

static int alink_nic_xdp_back(struct alink_nic_qp *q, struct xdp_buff *xdp)
{
	struct netdev_queue *txq = alink_nic_txq(q);
	struct xdp_frame *xdpf;
	int err;

	xdpf = xdp_convert_buff_to_frame(xdp);
	if (!xdpf)
		return -ENOMEM;

	__netif_tx_lock(txq, smp_processor_id());
	err = alink_nic_xdp_put(q, xdpf, ALINK_NIC_TX_XDP);
	__netif_tx_unlock(txq);
	q->xdp_tx |= !err;
	return err;
}

/**
 * alink_nic_xdp_run - run an XDP program on a frame
 * @q:		queue pair
 * @prog:	program
 * @xdp:	frame, in a page of the pool
 *
 * Context: NAPI.
 * Return: true when the stack shall have the frame; else its page has been
 * taken care of.
 */
bool alink_nic_xdp_run(struct alink_nic_qp *q, struct bpf_prog *prog,
		       struct xdp_buff *xdp)
{
	struct alink_nic_rx_stats *stats = &q->stats->rx;
	struct net_device *dev = q->nic->dev;
	struct page *page = virt_to_page(xdp->data_hard_start);
	u64_stats_t *count;
	u32 act;

	act = bpf_prog_run_xdp(prog, xdp);
	switch (act) {
	case XDP_PASS:
		return true;
	case XDP_TX:
		if (alink_nic_xdp_back(q, xdp))
			goto err_recycle;
		count = &stats->xdp_tx;
		break;
	case XDP_REDIRECT:
		if (xdp_do_redirect(dev, xdp, prog))
			goto err_recycle;
		q->xdp_redirect = true;
		count = &stats->xdp_redirect;
		break;
	case XDP_DROP:
		page_pool_recycle_direct(q->pool, page);
		count = &stats->xdp_drop;
		break;
	default:
		bpf_warn_invalid_xdp_action(dev, prog, act);
		fallthrough;
	case XDP_ABORTED:
		goto err_recycle;
	}

	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(count);
	u64_stats_update_end(&stats->syncp);
	return false;

err_recycle:
	trace_xdp_exception(dev, prog, act);
	page_pool_recycle_direct(q->pool, page);
	u64_stats_update_begin(&stats->syncp);
	u64_stats_inc(&stats->xdp_err);
	u64_stats_update_end(&stats->syncp);
	return false;
}

/* Ends a poll: what programs sent or redirected goes out. */
void alink_nic_xdp_flush(struct alink_nic_qp *q)
{
	struct netdev_queue *txq = alink_nic_txq(q);

	if (q->xdp_tx) {
		q->xdp_tx = false;
		__netif_tx_lock(txq, smp_processor_id());
		alink_nic_tx_ring(q);
		__netif_tx_unlock(txq);
	}
	/* Also when the program has gone since */
	if (q->xdp_redirect) {
		q->xdp_redirect = false;
		xdp_do_flush();
	}
}

/**
 * alink_nic_xdp_xmit - ndo_xdp_xmit
 * @dev:	device
 * @n:		number of frames
 * @frames:	frames
 * @flags:	XDP_XMIT_FLUSH
 *
 * Return: number of frames taken, or -errno for none.
 */
int alink_nic_xdp_xmit(struct net_device *dev, int n,
		       struct xdp_frame **frames, u32 flags)
{
	struct alink_nic *nic = netdev_priv(dev);
	int cpu = smp_processor_id(), sent;
	struct netdev_queue *txq;
	struct alink_nic_qp *q;

	if (unlikely(flags & ~XDP_XMIT_FLAGS_MASK))
		return -EINVAL;
	/* pairs with the release in alink_nic_start() */
	if (unlikely(!smp_load_acquire(&nic->started) ||
		     !netif_carrier_ok(dev)))
		return -ENETDOWN;

	q = &nic->set->qp[cpu % nic->set->num];
	txq = alink_nic_txq(q);
	__netif_tx_lock(txq, cpu);
	for (sent = 0; sent < n; sent++) {
		if (alink_nic_xdp_put(q, frames[sent], ALINK_NIC_TX_NDO))
			break;
	}
	if (flags & XDP_XMIT_FLUSH)
		alink_nic_tx_ring(q);
	__netif_tx_unlock(txq);
	return sent;
}

/**
 * alink_nic_bpf - ndo_bpf
 * @dev:	device
 * @bpf:	command
 *
 * Return: 0; -EOPNOTSUPP when frames may be larger than a buffer; -EINVAL for
 * commands that are not there.
 */
int alink_nic_bpf(struct net_device *dev, struct netdev_bpf *bpf)
{
	struct alink_nic *nic = netdev_priv(dev);
	struct bpf_prog *old;

	ASSERT_RTNL();

	if (bpf->command != XDP_SETUP_PROG)
		return -EINVAL;
	if (bpf->prog && dev->mtu > ALINK_NIC_XDP_MAX_MTU) {
		NL_SET_ERR_MSG_FMT_MOD(bpf->extack,
				       "XDP needs an MTU of at most %d",
				       ALINK_NIC_XDP_MAX_MTU);
		return -EOPNOTSUPP;
	}

	/* Buffers always have the headroom: nothing else changes. */
	old = xchg(&nic->xdp_prog, bpf->prog);
	if (old)
		bpf_prog_put(old);
	return 0;
}
