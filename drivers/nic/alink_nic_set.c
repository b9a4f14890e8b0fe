// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the queue pairs, and their start and stop in the device.
 *
 * Starting a set that was stopped works as often as wanted: stopping gives
 * back what the device had, starting begins with empty rings.
 */
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/vmalloc.h>
#include <net/netdev_queues.h>
#include <net/page_pool/helpers.h>

#include "alink_nic.h"

/* --- interrupts and NAPI -------------------------------------------------- */

static irqreturn_t alink_nic_irq(int irq, void *data)
{
	struct alink_nic_qp *q = data;

	/* The pair has disarmed itself: nothing to mask. */
	napi_schedule_irqoff(&q->napi);
	return IRQ_HANDLED;
}

/* Asks for an interrupt, at once when there is more than what we have seen. */
static void alink_nic_arm(struct alink_nic_qp *q)
{
	WRITE_ONCE(q->armed_at, jiffies);
	alink_wr32(q->nic->adev, ALINK_NIC_QUEUE(q->id, ALINK_NIC_Q_ARM),
		   (q->rx_head & 0xffff) | q->tx_cpl_head << 16);
}

static int alink_nic_poll(struct napi_struct *napi, int budget)
{
	struct alink_nic_qp *q = container_of(napi, struct alink_nic_qp,
					      napi);
	bool again;
	int work;

	again = alink_nic_tx_poll(q, budget);
	/* netpoll: transmit only */
	if (!budget)
		return 0;
	work = alink_nic_rx_poll(q, budget);
	if (again || work == budget)
		return budget;
	if (napi_complete_done(napi, work) && !q->broken)
		alink_nic_arm(q);
	return work;
}

/*
 * What the device wrote makes no sense: stop looking at it. The rings are
 * rebuilt from process context.
 */
void alink_nic_queue_error(struct alink_nic_qp *q, const char *what)
{
	if (q->broken)
		return;
	q->broken = true;
	netdev_err(q->nic->dev, "queue %u: %s, restarting\n", q->id, what);
	schedule_work(&q->nic->reset_work);
}

/* --- memory --------------------------------------------------------------- */

static int alink_nic_pool_create(struct alink_nic_qp *q)
{
	struct page_pool_params params = {
		.pool_size = q->rx_size,
		.nid = dev_to_node(&q->nic->pdev->dev),
		.dev = &q->nic->pdev->dev,
		.napi = &q->napi,
		/* XDP_TX sends from the pages that it got. */
		.dma_dir = DMA_BIDIRECTIONAL,
		.max_len = ALINK_NIC_RX_BUF,
		.offset = ALINK_NIC_RX_HEADROOM,
		.netdev = q->nic->dev,
		.queue_idx = q->id,
		.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV,
	};
	int err;

	q->pool = page_pool_create(&params);
	if (IS_ERR(q->pool)) {
		err = PTR_ERR(q->pool);
		q->pool = NULL;
		return err;
	}

	err = xdp_rxq_info_reg(&q->xdp_rxq, q->nic->dev, q->id,
			       q->napi.napi_id);
	if (err)
		goto err_pool;
	err = xdp_rxq_info_reg_mem_model(&q->xdp_rxq, MEM_TYPE_PAGE_POOL,
					 q->pool);
	if (err)
		goto err_rxq;
	return 0;

err_rxq:
	xdp_rxq_info_unreg(&q->xdp_rxq);
err_pool:
	page_pool_destroy(q->pool);
	q->pool = NULL;
	return err;
}

static void alink_nic_pool_destroy(struct alink_nic_qp *q)
{
	if (!q->pool)
		return;
	xdp_rxq_info_unreg(&q->xdp_rxq);
	page_pool_destroy(q->pool);
	q->pool = NULL;
}

static void alink_nic_qp_free(struct alink_nic_qp *q)
{
	struct device *dma = &q->nic->pdev->dev;

	if (q->rx_page)
		alink_nic_rx_drain(q);
	/* While NAPI is off, so that the pool may forget about it */
	alink_nic_pool_destroy(q);
	kvfree(q->rx_page);
	kvfree(q->tx_buf);
	if (q->rx_cpl)
		dma_free_coherent(dma, q->rx_size * sizeof(*q->rx_cpl),
				  q->rx_cpl, q->rx_cpl_dma);
	if (q->rx)
		dma_free_coherent(dma, q->rx_size * sizeof(*q->rx), q->rx,
				  q->rx_dma);
	if (q->tx_cpl)
		dma_free_coherent(dma, q->tx_size * sizeof(*q->tx_cpl),
				  q->tx_cpl, q->tx_cpl_dma);
	if (q->tx)
		dma_free_coherent(dma, q->tx_size * sizeof(*q->tx), q->tx,
				  q->tx_dma);
}

static int alink_nic_qp_alloc(struct alink_nic_qp *q)
{
	struct device *dma = &q->nic->pdev->dev;

	q->tx = dma_alloc_coherent(dma, q->tx_size * sizeof(*q->tx),
				   &q->tx_dma, GFP_KERNEL);
	q->tx_cpl = dma_alloc_coherent(dma, q->tx_size * sizeof(*q->tx_cpl),
				       &q->tx_cpl_dma, GFP_KERNEL);
	q->rx = dma_alloc_coherent(dma, q->rx_size * sizeof(*q->rx),
				   &q->rx_dma, GFP_KERNEL);
	q->rx_cpl = dma_alloc_coherent(dma, q->rx_size * sizeof(*q->rx_cpl),
				       &q->rx_cpl_dma, GFP_KERNEL);
	q->tx_buf = kvcalloc(q->tx_size, sizeof(*q->tx_buf), GFP_KERNEL);
	q->rx_page = kvcalloc(q->rx_size, sizeof(*q->rx_page), GFP_KERNEL);
	if (!q->tx || !q->tx_cpl || !q->rx || !q->rx_cpl || !q->tx_buf ||
	    !q->rx_page)
		return -ENOMEM;

	return alink_nic_pool_create(q);
}

/**
 * alink_nic_set_free - free the memory of the queues
 * @nic:	device
 * @set:	not started; may be NULL
 */
void alink_nic_set_free(struct alink_nic *nic, struct alink_nic_set *set)
{
	unsigned int i;

	ASSERT_RTNL();

	if (!set)
		return;
	for (i = 0; i < set->num; i++)
		alink_nic_qp_free(&set->qp[i]);
	for (i = 0; i < set->num; i++)
		__netif_napi_del(&set->qp[i].napi);
	/* nobody looks at the NAPI structures any more */
	synchronize_net();
	kvfree(set);
}

/**
 * alink_nic_set_alloc - all memory that the queues need
 * @nic:	device; not touched
 * @cfg:	how many, how large
 *
 * Context: process, under rtnl.
 * Return: the set, or ERR_PTR(-ENOMEM) or what the page pool said.
 */
struct alink_nic_set *alink_nic_set_alloc(struct alink_nic *nic,
					  const struct alink_nic_config *cfg)
{
	struct alink_nic_set *set;
	unsigned int i;
	int err = 0;

	ASSERT_RTNL();

	set = kvzalloc(struct_size(set, qp, cfg->num_queues), GFP_KERNEL);
	if (!set)
		return ERR_PTR(-ENOMEM);
	set->num = cfg->num_queues;
	set->cfg = *cfg;

	for (i = 0; i < set->num; i++) {
		struct alink_nic_qp *q = &set->qp[i];

		q->nic = nic;
		q->id = i;
		q->stats = &nic->stats[i];
		q->tx_size = cfg->tx_size;
		q->rx_size = cfg->rx_size;
		netif_napi_add(nic->dev, &q->napi, alink_nic_poll);
	}
	for (i = 0; i < set->num && !err; i++)
		err = alink_nic_qp_alloc(&set->qp[i]);
	if (err) {
		alink_nic_set_free(nic, set);
		return ERR_PTR(err);
	}
	return set;
}

/* --- start and stop ------------------------------------------------------- */

static void alink_nic_qp_reset(struct alink_nic_qp *q)
{
	memset(q->tx, 0, q->tx_size * sizeof(*q->tx));
	memset(q->tx_cpl, 0, q->tx_size * sizeof(*q->tx_cpl));
	memset(q->rx_cpl, 0, q->rx_size * sizeof(*q->rx_cpl));
	q->tx_tail = 0;
	q->tx_rung = 0;
	q->tx_clean = 0;
	q->tx_cpl_head = 0;
	q->rx_head = 0;
	q->rx_tail = 0;
	q->rx_rung = 0;
	q->rx_skip = false;
	q->rx_starved = false;
	q->broken = false;
	netdev_tx_reset_queue(alink_nic_txq(q));
}

/*
 * A device that is gone, or that the core has stopped, does no DMA. One that
 * works and does not let go of its rings must not get their memory back: it
 * loses the bus, until a reset gives it back.
 */
static void alink_nic_qp_release(struct alink_nic_qp *q)
{
	struct alink_nic *nic = q->nic;
	int err;

	/* Off the bus it answers nothing: each command would wait in vain. */
	if (test_bit(ALINK_NIC_WEDGED, &nic->flags))
		return;
	err = alink_nic_cmd_queue_destroy(q);
	/* -ENOENT: it was never created */
	if (!err || err == -ENODEV || err == -ECANCELED || err == -ENOENT)
		return;
	if (!test_and_set_bit(ALINK_NIC_WEDGED, &nic->flags)) {
		netdev_err(nic->dev, "device does not let go of its rings: off the bus until it is reset\n");
		pci_clear_master(nic->pdev);
	}
}

static int alink_nic_qp_start(struct alink_nic_qp *q)
{
	struct alink_nic *nic = q->nic;
	int err;

	q->irq = alink_dev_irq(nic->adev, ALINK_NIC_VECTOR_QUEUE(q->id));
	if (q->irq < 0)
		return q->irq;

	alink_nic_qp_reset(q);
	snprintf(q->irq_name, sizeof(q->irq_name), "%s-%u", nic->dev->name,
		 q->id);
	err = request_irq(q->irq, alink_nic_irq, 0, q->irq_name, q);
	if (err) {
		netdev_err(nic->dev, "queue %u: no interrupt: %pe\n", q->id,
			   ERR_PTR(err));
		return err;
	}
	irq_set_affinity_and_hint(q->irq,
				  cpumask_of(cpumask_local_spread(q->id,
								  dev_to_node(&nic->pdev->dev))));

	err = alink_nic_cmd_queue_create(q);
	/* Late is not never: it may be about to be there. */
	if (err == -ETIMEDOUT)
		goto err_destroy;
	if (err)
		goto err_irq;
	err = alink_nic_cmd_coalesce(nic, q->id, &nic->moderation);
	if (err)
		goto err_destroy;

	netif_napi_set_irq(&q->napi, q->irq);
	napi_enable(&q->napi);
	netif_queue_set_napi(nic->dev, q->id, NETDEV_QUEUE_TYPE_RX, &q->napi);
	netif_queue_set_napi(nic->dev, q->id, NETDEV_QUEUE_TYPE_TX, &q->napi);

	/* NAPI fills the receive ring and arms the interrupt. */
	alink_nic_rx_repost(q);
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
	return 0;

err_destroy:
	alink_nic_qp_release(q);
err_irq:
	irq_update_affinity_hint(q->irq, NULL);
	free_irq(q->irq, q);
	return err;
}

/* No work of the pair runs when this returns; the device may still do DMA. */
static void alink_nic_qp_quiesce(struct alink_nic_qp *q)
{
	struct net_device *dev = q->nic->dev;

	napi_disable(&q->napi);
	netif_queue_set_napi(dev, q->id, NETDEV_QUEUE_TYPE_RX, NULL);
	netif_queue_set_napi(dev, q->id, NETDEV_QUEUE_TYPE_TX, NULL);
	irq_update_affinity_hint(q->irq, NULL);
	free_irq(q->irq, q);
}

/* Nothing runs on the pairs any more: get their memory back. */
static void alink_nic_qps_release(struct alink_nic_set *set, unsigned int num)
{
	unsigned int i;

	for (i = 0; i < num; i++)
		alink_nic_qp_release(&set->qp[i]);
	for (i = 0; i < num; i++) {
		alink_nic_tx_drain(&set->qp[i]);
		/* A frame in the middle; its buffers stay for the next start. */
		kfree_skb(set->qp[i].rx_skb);
		set->qp[i].rx_skb = NULL;
	}
}

/**
 * alink_nic_start - let the device work on nic->set
 * @nic:	device, not started
 *
 * Context: process, under rtnl.
 * Return: 0, or -errno: then nothing is started.
 */
int alink_nic_start(struct alink_nic *nic)
{
	struct net_device *dev = nic->dev;
	struct alink_nic_set *set = nic->set;
	unsigned int i, started;
	int err;

	ASSERT_RTNL();

	if (test_bit(ALINK_NIC_WEDGED, &nic->flags)) {
		netdev_err(dev, "off the bus until it is reset\n");
		return -EIO;
	}

	err = netif_set_real_num_queues(dev, set->num, set->num);
	if (err)
		return err;
	for (i = 0; i < set->num; i++) {
		err = alink_nic_qp_start(&set->qp[i]);
		if (err)
			goto err_stop;
	}
	err = alink_nic_cmd_rss(nic, &nic->rss);
	if (err)
		goto err_stop;
	err = alink_nic_cmd_rx_mode(nic);
	if (err)
		goto err_stop;
	err = alink_nic_cmd_port(nic, nic->port_flags | ALINK_NIC_PORT_ENABLE,
				 dev->mtu, dev->dev_addr);
	if (err)
		goto err_stop;

	/* XDP_REDIRECT from other devices looks at this without a lock */
	smp_store_release(&nic->started, true);
	netif_tx_start_all_queues(dev);
	alink_nic_service_start(nic);
	alink_nic_link_update(nic);
	return 0;

err_stop:
	for (started = i, i = 0; i < started; i++)
		alink_nic_qp_quiesce(&set->qp[i]);
	alink_nic_qps_release(set, started);
	return err;
}

static void alink_nic_stop_queues(struct alink_nic *nic)
{
	struct alink_nic_set *set = nic->set;
	unsigned int i;

	ASSERT_RTNL();

	alink_nic_service_stop(nic);
	WRITE_ONCE(nic->started, false);
	/* NAPI first: it wakes transmit queues. */
	for (i = 0; i < set->num; i++)
		alink_nic_qp_quiesce(&set->qp[i]);
	netif_tx_disable(nic->dev);
	/* who came by ndo_xdp_xmit is done with the rings */
	synchronize_net();
	alink_nic_qps_release(set, set->num);
}

/* A device that does not listen is off anyhow, or will be reset. */
static void alink_nic_port_off(struct alink_nic *nic)
{
	ASSERT_RTNL();

	alink_nic_cmd_port(nic, nic->port_flags & ~ALINK_NIC_PORT_ENABLE,
			   nic->dev->mtu, nic->dev->dev_addr);
	nic->port_flags &= ~ALINK_NIC_PORT_ENABLE;
}

/**
 * alink_nic_stop - take port and rings from the device
 * @nic:	device; nothing happens when it is not started
 *
 * nic->set keeps its memory and can be started again.
 *
 * Context: process, under rtnl.
 */
void alink_nic_stop(struct alink_nic *nic)
{
	ASSERT_RTNL();

	if (!nic->started)
		return;
	alink_nic_port_off(nic);
	alink_nic_stop_queues(nic);
	alink_nic_link_update(nic);
}

/**
 * alink_nic_reconfigure - other rings, or other numbers of them
 * @nic:	device
 * @cfg:	wanted
 * @extack:	for the reason of a failure
 *
 * The link stays up; frames that arrive in between are lost.
 *
 * Context: process, under rtnl.
 * Return: 0, or -errno: then the old rings work as before, unless the device
 * failed to take them back also: it is then stopped, and says so.
 */
int alink_nic_reconfigure(struct alink_nic *nic,
			  const struct alink_nic_config *cfg,
			  struct netlink_ext_ack *extack)
{
	struct alink_nic_rss old_rss = nic->rss;
	struct alink_nic_set *old = nic->set, *new;
	int err, err2;

	ASSERT_RTNL();

	if (!nic->started) {
		/* Down, or failed: the next open or reset builds it. */
		alink_nic_set_free(nic, old);
		nic->set = NULL;
		goto out_default;
	}

	new = alink_nic_set_alloc(nic, cfg);
	if (IS_ERR(new)) {
		NL_SET_ERR_MSG_MOD(extack, "No memory for rings of this size");
		return PTR_ERR(new);
	}

	alink_nic_stop_queues(nic);
	nic->set = new;
	if (cfg->num_queues != old->num && !netif_is_rxfh_configured(nic->dev))
		alink_nic_rss_default(&nic->rss, cfg->num_queues);
	err = alink_nic_start(nic);
	if (err)
		goto err_back;

	alink_nic_set_free(nic, old);
	nic->cfg = *cfg;
	return 0;

err_back:
	NL_SET_ERR_MSG_MOD(extack, "Device refused the new rings");
	nic->set = old;
	nic->rss = old_rss;
	alink_nic_set_free(nic, new);
	err2 = alink_nic_start(nic);
	if (err2) {
		netdev_err(nic->dev, "cannot go back to the old rings: %pe\n",
			   ERR_PTR(err2));
		alink_nic_port_off(nic);
		alink_nic_link_update(nic);
	}
	return err;

out_default:
	if (cfg->num_queues != nic->cfg.num_queues &&
	    !netif_is_rxfh_configured(nic->dev))
		alink_nic_rss_default(&nic->rss, cfg->num_queues);
	nic->cfg = *cfg;
	return 0;
}
