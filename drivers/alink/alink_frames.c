// SPDX-License-Identifier: GPL-2.0-only
/*
 * Link-level frames: one pair of rings that all links of a device share. They
 * carry neighbour discovery, not traffic, so both directions are kept simple:
 * receive buffers are mapped once and frames are copied out of them.
 *
 * The device says DONE in the descriptor and raises vector 0. It cannot mask
 * its interrupt, and the health check looks once a second in case one is lost.
 */
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/netdevice.h>
#include <linux/slab.h>

#include "alink_port.h"

#define ALINK_FRAMES_RING		32
#define ALINK_FRAMES_RX_ORDER		get_order(ALINK_FRAME_MAX)

/**
 * struct alink_frames - rings of one device
 * @adev:	device
 * @dummy:	carries @napi, which serves many netdevs
 * @napi:	receive and transmit completions
 * @tx_lock:	protects @running and the transmit side; taken with BH off
 * @running:	the device has the rings
 * @tx:		transmit descriptors
 * @rx:		receive descriptors
 * @tx_dma:	DMA address of @tx
 * @rx_dma:	DMA address of @rx
 * @tx_tail:	free-running producer index
 * @tx_head:	free-running index of the oldest frame not done
 * @rx_head:	free-running consumer index; NAPI only
 * @tx_waiting:	ports whose queue waits for room
 * @tx_skb:	frames by descriptor
 * @tx_map:	their DMA addresses
 * @rx_page:	receive buffers by descriptor
 * @rx_map:	their DMA addresses
 */
struct alink_frames {
	struct alink_dev *adev;
	struct net_device *dummy;
	struct napi_struct napi;
	/* protects running and the transmit side; taken with BH off */
	spinlock_t tx_lock;
	bool running;
	struct alink_frame_desc *tx;
	struct alink_frame_desc *rx;
	dma_addr_t tx_dma;
	dma_addr_t rx_dma;
	u32 tx_tail;
	u32 tx_head;
	u32 rx_head;
	unsigned int tx_waiting;
	struct sk_buff *tx_skb[ALINK_FRAMES_RING];
	dma_addr_t tx_map[ALINK_FRAMES_RING];
	struct page *rx_page[ALINK_FRAMES_RING];
	dma_addr_t rx_map[ALINK_FRAMES_RING];
};

static struct device *alink_frames_dev(struct alink_frames *frames)
{
	return &frames->adev->pdev->dev;
}

/*
 * Queues that found the ring full may go on. Mostly there is none: a thousand
 * ports are not looked at for each frame.
 */
static void alink_frames_wake(struct alink_frames *frames)
{
	struct alink_dev *adev = frames->adev;
	struct alink_port *port;
	unsigned int i;

	lockdep_assert_held(&frames->tx_lock);

	for (i = 0; frames->tx_waiting && i < adev->num_links; i++) {
		port = adev->ports[i];
		if (!port->tx_waiting)
			continue;
		port->tx_waiting = false;
		frames->tx_waiting--;
		netif_wake_queue(port->netdev);
	}
}

static void alink_frames_tx_free(struct alink_frames *frames, u32 slot,
				 int budget)
{
	struct sk_buff *skb = frames->tx_skb[slot];

	lockdep_assert_held(&frames->tx_lock);

	dma_unmap_single(alink_frames_dev(frames), frames->tx_map[slot],
			 skb->len, DMA_TO_DEVICE);
	napi_consume_skb(skb, budget);
	frames->tx_skb[slot] = NULL;
}

static void alink_frames_tx_done(struct alink_frames *frames, int budget)
{
	struct alink_frame_desc *desc;
	bool freed = false;
	u32 slot;

	spin_lock(&frames->tx_lock);
	while (frames->running && frames->tx_head != frames->tx_tail) {
		slot = frames->tx_head % ALINK_FRAMES_RING;
		desc = &frames->tx[slot];
		if (!(le16_to_cpu(READ_ONCE(desc->flags)) & ALINK_FRAME_DONE))
			break;
		/* the status is not older than DONE */
		dma_rmb();
		if (le16_to_cpu(desc->status) != ALINK_ST_OK)
			dev_core_stats_tx_dropped_inc(frames->tx_skb[slot]->dev);
		alink_frames_tx_free(frames, slot, budget);
		frames->tx_head++;
		freed = true;
	}
	if (freed)
		alink_frames_wake(frames);
	spin_unlock(&frames->tx_lock);
}

/*
 * Gives the device a frame. -ENOSPC: the ring is full; -ENETDOWN: the device has
 * no rings, now or at all; -ENOMEM.
 */
static int alink_frames_post(struct alink_frames *frames,
			     struct alink_port *port, struct sk_buff *skb)
{
	struct alink_frame_desc *desc;
	dma_addr_t dma;
	u32 slot;

	lockdep_assert_held(&frames->tx_lock);

	if (!frames->running)
		return -ENETDOWN;
	if (frames->tx_tail - frames->tx_head == ALINK_FRAMES_RING)
		return -ENOSPC;

	dma = dma_map_single(alink_frames_dev(frames), skb->data, skb->len,
			     DMA_TO_DEVICE);
	if (dma_mapping_error(alink_frames_dev(frames), dma))
		return -ENOMEM;

	slot = frames->tx_tail % ALINK_FRAMES_RING;
	frames->tx_skb[slot] = skb;
	frames->tx_map[slot] = dma;
	desc = &frames->tx[slot];
	desc->addr = cpu_to_le64(dma);
	desc->len = cpu_to_le16(skb->len);
	desc->link = cpu_to_le16(port->num);
	desc->status = 0;
	desc->flags = 0;
	skb_tx_timestamp(skb);
	frames->tx_tail++;
	alink_wr32(frames->adev, ALINK_REG_FRAME_TX_TAIL, frames->tx_tail);
	return 0;
}

netdev_tx_t alink_frames_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct alink_port *port = alink_port_of(netdev);
	struct alink_frames *frames = port->adev->frames;
	bool full;
	int err;

	if (!frames || skb->len < ETH_HLEN || skb->len > ALINK_FRAME_MAX)
		goto drop;

	spin_lock(&frames->tx_lock);
	err = alink_frames_post(frames, port, skb);
	full = frames->tx_tail - frames->tx_head == ALINK_FRAMES_RING;
	if (err == -ENOSPC || (!err && full)) {
		/* Whoever filled the ring: wait until it has room. */
		frames->tx_waiting += !port->tx_waiting;
		port->tx_waiting = true;
		netif_stop_queue(netdev);
	}
	spin_unlock(&frames->tx_lock);
	if (!err)
		return NETDEV_TX_OK;
	if (err == -ENOSPC)
		return NETDEV_TX_BUSY;
drop:
	dev_core_stats_tx_dropped_inc(netdev);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

/**
 * alink_frames_send - send a frame of the driver's own
 * @port:	port, whether its netdev is up or not; @skb->dev is that
 * @skb:	ETH_HLEN to ALINK_FRAME_MAX bytes, in one piece
 *
 * Context: process; takes the frame rings' tx_lock.
 * Return: 0, or -errno: then the caller still has the frame.
 */
int alink_frames_send(struct alink_port *port, struct sk_buff *skb)
{
	struct alink_frames *frames = port->adev->frames;
	int err;

	if (!frames)
		return -ENETDOWN;
	spin_lock_bh(&frames->tx_lock);
	err = alink_frames_post(frames, port, skb);
	spin_unlock_bh(&frames->tx_lock);
	return err;
}

static void alink_frames_deliver(struct alink_frames *frames,
				 struct net_device *netdev, const void *data,
				 unsigned int len)
{
	struct sk_buff *skb;

	skb = napi_alloc_skb(&frames->napi, len);
	if (!skb) {
		dev_core_stats_rx_dropped_inc(netdev);
		return;
	}
	skb_put_data(skb, data, len);
	skb->protocol = eth_type_trans(skb, netdev);
	napi_gro_receive(&frames->napi, skb);
}

static void alink_frames_rx_one(struct alink_frames *frames, u32 slot)
{
	struct device *dev = alink_frames_dev(frames);
	struct alink_frame_desc *desc = &frames->rx[slot];
	struct alink_dev *adev = frames->adev;
	u16 len = le16_to_cpu(desc->len);
	u16 link = le16_to_cpu(desc->link);
	struct net_device *netdev;
	struct alink_loop *loop;
	const void *data;

	/* Nothing of this is to be trusted. */
	if (link >= adev->num_links)
		return;
	netdev = adev->ports[link]->netdev;
	loop = rcu_dereference_bh(adev->ports[link]->loop);
	if (!netdev || (!loop && !netif_running(netdev)))
		return;
	if (le16_to_cpu(desc->status) != ALINK_ST_OK ||
	    len < ETH_HLEN || len > ALINK_FRAME_MAX) {
		dev_core_stats_rx_dropped_inc(netdev);
		return;
	}

	data = page_address(frames->rx_page[slot]);
	dma_sync_single_for_cpu(dev, frames->rx_map[slot], ALINK_FRAME_MAX,
				DMA_FROM_DEVICE);
	if (loop)
		alink_port_loop_rx(loop, data, len);
	else
		alink_frames_deliver(frames, netdev, data, len);
	dma_sync_single_for_device(dev, frames->rx_map[slot], ALINK_FRAME_MAX,
				   DMA_FROM_DEVICE);
}

static void alink_frames_offer(struct alink_frames *frames, u32 slot)
{
	struct alink_frame_desc *desc = &frames->rx[slot];

	desc->addr = cpu_to_le64(frames->rx_map[slot]);
	desc->len = cpu_to_le16(ALINK_FRAME_MAX);
	desc->link = 0;
	desc->status = 0;
	desc->flags = 0;
}

static int alink_frames_poll(struct napi_struct *napi, int budget)
{
	struct alink_frames *frames = container_of(napi, struct alink_frames,
						   napi);
	u32 slot;
	int work;

	alink_frames_tx_done(frames, budget);

	for (work = 0; work < budget; work++) {
		slot = frames->rx_head % ALINK_FRAMES_RING;
		if (!(le16_to_cpu(READ_ONCE(frames->rx[slot].flags)) &
		      ALINK_FRAME_DONE))
			break;
		/* the rest of the descriptor is not older than DONE */
		dma_rmb();
		alink_frames_rx_one(frames, slot);
		alink_frames_offer(frames, slot);
		frames->rx_head++;
	}
	if (work)
		alink_wr32(frames->adev, ALINK_REG_FRAME_RX_TAIL,
			   frames->rx_head + ALINK_FRAMES_RING);
	if (work < budget)
		napi_complete_done(napi, work);
	return work;
}

/* Hard interrupt, or health check under event_lock */
void alink_frames_kick(struct alink_dev *adev)
{
	struct alink_frames *frames = READ_ONCE(adev->frames);

	if (frames)
		napi_schedule(&frames->napi);
}

static void alink_frames_free(struct alink_frames *frames)
{
	struct device *dev = alink_frames_dev(frames);
	unsigned int i;

	for (i = 0; i < ALINK_FRAMES_RING; i++) {
		if (!frames->rx_page[i])
			continue;
		dma_unmap_page(dev, frames->rx_map[i], ALINK_FRAME_MAX,
			       DMA_FROM_DEVICE);
		__free_pages(frames->rx_page[i], ALINK_FRAMES_RX_ORDER);
	}
	if (frames->rx)
		dma_free_coherent(dev, ALINK_FRAMES_RING * sizeof(*frames->rx),
				  frames->rx, frames->rx_dma);
	if (frames->tx)
		dma_free_coherent(dev, ALINK_FRAMES_RING * sizeof(*frames->tx),
				  frames->tx, frames->tx_dma);
	if (frames->dummy)
		free_netdev(frames->dummy);
	kfree(frames);
}

static int alink_frames_alloc_rx(struct alink_frames *frames, unsigned int i)
{
	struct device *dev = alink_frames_dev(frames);
	struct page *page;

	page = alloc_pages_node(dev_to_node(dev), GFP_KERNEL | __GFP_COMP |
				__GFP_ZERO, ALINK_FRAMES_RX_ORDER);
	if (!page)
		return -ENOMEM;
	frames->rx_map[i] = dma_map_page(dev, page, 0, ALINK_FRAME_MAX,
					 DMA_FROM_DEVICE);
	if (dma_mapping_error(dev, frames->rx_map[i])) {
		__free_pages(page, ALINK_FRAMES_RX_ORDER);
		return -ENOMEM;
	}
	frames->rx_page[i] = page;
	return 0;
}

/* A device without ALINK_CAP_FRAMES gets no rings, and its netdevs drop. */
int alink_frames_create(struct alink_dev *adev)
{
	struct alink_frames *frames;
	unsigned int i;
	int err = -ENOMEM;

	if (!(adev->caps & ALINK_CAP_FRAMES))
		return 0;

	frames = kzalloc(sizeof(*frames), GFP_KERNEL);
	if (!frames)
		return -ENOMEM;
	frames->adev = adev;
	spin_lock_init(&frames->tx_lock);

	frames->tx = dma_alloc_coherent(&adev->pdev->dev, ALINK_FRAMES_RING *
					sizeof(*frames->tx), &frames->tx_dma,
					GFP_KERNEL);
	frames->rx = dma_alloc_coherent(&adev->pdev->dev, ALINK_FRAMES_RING *
					sizeof(*frames->rx), &frames->rx_dma,
					GFP_KERNEL);
	frames->dummy = alloc_netdev_dummy(0);
	if (!frames->tx || !frames->rx || !frames->dummy)
		goto err_free;

	for (i = 0; i < ALINK_FRAMES_RING; i++) {
		err = alink_frames_alloc_rx(frames, i);
		if (err)
			goto err_free;
	}
	netif_napi_add(frames->dummy, &frames->napi, alink_frames_poll);
	WRITE_ONCE(adev->frames, frames);
	return 0;

err_free:
	alink_frames_free(frames);
	return err;
}

void alink_frames_destroy(struct alink_dev *adev)
{
	struct alink_frames *frames = adev->frames;

	if (!frames)
		return;

	/* Nobody kicks after this. */
	mutex_lock(&adev->event_lock);
	WRITE_ONCE(adev->frames, NULL);
	mutex_unlock(&adev->event_lock);
	synchronize_irq(pci_irq_vector(adev->pdev, ALINK_VECTOR_ADMIN));

	netif_napi_del(&frames->napi);
	alink_frames_free(frames);
}

/* Hands fresh rings to the device. */
int alink_frames_start(struct alink_dev *adev)
{
	struct alink_frames *frames = adev->frames;
	unsigned int i;

	lockdep_assert_held(&adev->state_lock);

	if (!frames || frames->running)
		return 0;

	memset(frames->tx, 0, ALINK_FRAMES_RING * sizeof(*frames->tx));
	for (i = 0; i < ALINK_FRAMES_RING; i++)
		alink_frames_offer(frames, i);
	frames->tx_tail = 0;
	frames->tx_head = 0;
	frames->rx_head = 0;

	alink_wr64(adev, ALINK_REG_FRAME_TX_BASE, frames->tx_dma);
	alink_wr64(adev, ALINK_REG_FRAME_RX_BASE, frames->rx_dma);
	alink_wr32(adev, ALINK_REG_FRAME_SIZE, ALINK_FRAMES_RING);
	alink_wr32(adev, ALINK_REG_FRAME_CTRL, 1);
	if (alink_rd32(adev, ALINK_REG_FRAME_CTRL) != 1) {
		if (alink_dev_lost(adev))
			return -ENODEV;
		pci_err(adev->pdev, "device refuses the frame rings\n");
		return -EIO;
	}
	alink_wr32(adev, ALINK_REG_FRAME_RX_TAIL, ALINK_FRAMES_RING);

	napi_enable(&frames->napi);
	spin_lock_bh(&frames->tx_lock);
	frames->running = true;
	spin_unlock_bh(&frames->tx_lock);
	return 0;
}

/* Takes the rings back; frames that the device still has are dropped. */
void alink_frames_stop(struct alink_dev *adev)
{
	struct alink_frames *frames = adev->frames;

	lockdep_assert_held(&adev->state_lock);

	if (!frames || !frames->running)
		return;

	/* First: nobody rings the doorbells of rings that are off. */
	napi_disable(&frames->napi);
	spin_lock_bh(&frames->tx_lock);
	frames->running = false;
	spin_unlock_bh(&frames->tx_lock);

	/* The read returns when the write has arrived: no DMA after that. */
	alink_wr32(adev, ALINK_REG_FRAME_CTRL, 0);
	alink_rd32(adev, ALINK_REG_FRAME_CTRL);

	spin_lock_bh(&frames->tx_lock);
	for (; frames->tx_head != frames->tx_tail; frames->tx_head++)
		alink_frames_tx_free(frames,
				     frames->tx_head % ALINK_FRAMES_RING, 0);
	if (adev->ports)
		alink_frames_wake(frames);
	spin_unlock_bh(&frames->tx_lock);
}
