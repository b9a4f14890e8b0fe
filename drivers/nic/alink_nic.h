/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ALink NIC: what the files of alink_nic.ko share.
 *
 * A set is all memory of the queue pairs: rings, buffers, page pools. It is
 * built without touching the device, so that a change of ring size or channel
 * count can build the new set, stop the old one, start the new one, and go
 * back to the old one when that fails.
 *
 * Locks, outermost first:
 *
 *	device lock of the PCI function
 *	  devlink instance lock
 *	    rtnl: set, started, coalesce, rss, port_flags
 *	      alink_nic.rx_mode_lock
 *	        the core's locks (admin commands)
 *	      transmit lock of a queue: the producer side of its transmit ring
 *	        alink_nic.link_lock, alink_nic.hw_lock (both innermost)
 *
 * NAPI alone touches the receive side and the consumer side of transmit.
 * Callbacks of the core come with its event lock held: they must not take
 * rtnl, and leave work that needs it to reset_work.
 */
#ifndef ALINK_NIC_H
#define ALINK_NIC_H

#include <linux/bpf.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <net/devlink.h>
#include <net/page_pool/types.h>
#include <net/xdp.h>

#include <linux/alink/alink.h>
#include <hw/alink/nic.h>

#define ALINK_NIC_NAME			"alink_nic"
#define ALINK_NIC_DEFAULT_RING		512

/* Room for one frame piece in a page: XDP wants headroom, the skb its tail */
#define ALINK_NIC_RX_HEADROOM		XDP_PACKET_HEADROOM
#define ALINK_NIC_RX_BUF \
	min_t(u32, SKB_WITH_OVERHEAD(PAGE_SIZE - ALINK_NIC_RX_HEADROOM), \
	      ALINK_NIC_MAX_BUF)
/* Header, one VLAN tag */
#define ALINK_NIC_OVERHEAD		(ETH_HLEN + VLAN_HLEN)
/* An XDP program sees whole frames, so they must fit in one buffer. */
#define ALINK_NIC_XDP_MAX_MTU		((int)(ALINK_NIC_RX_BUF - ALINK_NIC_OVERHEAD))

/**
 * struct alink_nic_rx_stats - written by NAPI of one queue
 * @syncp:	for readers on 32-bit machines
 * @packets:	to the stack or XDP
 * @bytes:	of these
 * @csum_ok:	checksum verified by the device
 * @csum_bad:	checksum found wrong by the device
 * @errors:	spoiled by DMA, or against the contract
 * @alloc_fail:	no page for the ring, or no skb for a frame
 * @xdp_drop:	dropped by an XDP program
 * @xdp_tx:	sent back by an XDP program
 * @xdp_redirect: redirected by an XDP program
 * @xdp_err:	an XDP program aborted, or what it asked for failed
 * @lost_irqs:	interrupts that only the service task made up for
 */
struct alink_nic_rx_stats {
	struct u64_stats_sync syncp;
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t csum_ok;
	u64_stats_t csum_bad;
	u64_stats_t errors;
	u64_stats_t alloc_fail;
	u64_stats_t xdp_drop;
	u64_stats_t xdp_tx;
	u64_stats_t xdp_redirect;
	u64_stats_t xdp_err;
	u64_stats_t lost_irqs;
};

/**
 * struct alink_nic_tx_stats - written by NAPI of one queue
 * @syncp:	for readers on 32-bit machines
 * @packets:	on the wire, each TSO segment counts
 * @bytes:	of these
 * @errors:	refused by the device
 * @no_link:	dropped by the device because the link was down
 * @xdp:	of @packets, those that XDP sent
 */
struct alink_nic_tx_stats {
	struct u64_stats_sync syncp;
	u64_stats_t packets;
	u64_stats_t bytes;
	u64_stats_t errors;
	u64_stats_t no_link;
	u64_stats_t xdp;
};

/**
 * struct alink_nic_xmit_stats - written under the transmit lock of one queue
 * @syncp:	for readers on 32-bit machines
 * @csum:	packets whose checksum was left to the device
 * @tso:	packets left to the device to segment
 * @tso_bytes:	bytes of these, as the stack handed them over
 * @dropped:	not given to the device
 * @stop:	times the queue was stopped because the ring was full
 * @wake:	times it was woken again from the transmit side
 */
struct alink_nic_xmit_stats {
	struct u64_stats_sync syncp;
	u64_stats_t csum;
	u64_stats_t tso;
	u64_stats_t tso_bytes;
	u64_stats_t dropped;
	u64_stats_t stop;
	u64_stats_t wake;
};

/* Counters of a queue id; they outlive sets */
struct alink_nic_queue_stats {
	struct alink_nic_rx_stats rx;
	struct alink_nic_tx_stats tx;
	struct alink_nic_xmit_stats xmit;
};

enum alink_nic_tx_kind {
	ALINK_NIC_TX_SKB,	/* from the stack */
	ALINK_NIC_TX_XDP,	/* XDP_TX: a page of our pool */
	ALINK_NIC_TX_NDO,	/* XDP_REDIRECT from another device */
};

/* One transmit descriptor; skb or xdpf in the last one of a packet, else NULL */
struct alink_nic_tx_buf {
	union {
		struct sk_buff *skb;
		struct xdp_frame *xdpf;
	};
	DEFINE_DMA_UNMAP_ADDR(dma);
	DEFINE_DMA_UNMAP_LEN(len);
	bool page;		/* mapped as a page, not as single */
	u8 kind;		/* enum alink_nic_tx_kind */
	u16 packets;		/* on the wire */
	u32 bytes;		/* on the wire */
};

/**
 * struct alink_nic_qp - a queue pair
 * @nic:	device
 * @id:		number of the pair and of both netdev queues
 * @irq:	Linux interrupt number
 * @irq_name:	for /proc/interrupts
 * @napi:	polls both directions
 * @stats:	counters of this id
 * @tx:		transmit ring
 * @tx_cpl:	transmit completions
 * @tx_buf:	what the descriptors hold
 * @tx_dma:	DMA address of @tx
 * @tx_cpl_dma:	DMA address of @tx_cpl
 * @tx_size:	descriptors, power of two
 * @tx_tail:	free-running producer index, under the transmit lock
 * @tx_rung:	tail that the device knows, written under the transmit lock
 * @tx_clean:	free-running index of the next descriptor to free; NAPI
 * @tx_cpl_head: completions consumed; NAPI
 * @rx:		receive ring
 * @rx_cpl:	receive completions
 * @rx_page:	pages in the descriptors
 * @rx_dma:	DMA address of @rx
 * @rx_cpl_dma:	DMA address of @rx_cpl
 * @rx_size:	descriptors, power of two
 * @rx_tail:	free-running index after the last buffer offered
 * @rx_rung:	tail that the device knows
 * @rx_head:	free-running index of the next buffer to come back; equals the
 *		count of completions consumed, as each buffer has one
 * @rx_skb:	frame that is not complete yet
 * @rx_skip:	drop until the end of this frame
 * @rx_starved:	pages are missing: the service task shall try again
 * @xdp_tx:	XDP_TX put something in the transmit ring; NAPI
 * @xdp_redirect: XDP_REDIRECT took frames that are not flushed yet; NAPI
 * @pool:	pages of the receive ring
 * @xdp_rxq:	for XDP programs
 * @armed_at:	jiffies when the interrupt was last asked for
 * @broken:	the device broke the contract here: no more polling
 */
struct alink_nic_qp {
	struct alink_nic *nic;
	u32 id;
	int irq;
	char irq_name[IFNAMSIZ + 8];
	struct napi_struct napi;
	struct alink_nic_queue_stats *stats;

	struct alink_nic_tx_desc *tx;
	struct alink_nic_tx_cpl *tx_cpl;
	struct alink_nic_tx_buf *tx_buf;
	dma_addr_t tx_dma;
	dma_addr_t tx_cpl_dma;
	u32 tx_size;
	u32 tx_tail ____cacheline_aligned_in_smp;
	u32 tx_rung;
	u32 tx_clean ____cacheline_aligned_in_smp;
	u32 tx_cpl_head;

	struct alink_nic_rx_desc *rx;
	struct alink_nic_rx_cpl *rx_cpl;
	struct page **rx_page;
	dma_addr_t rx_dma;
	dma_addr_t rx_cpl_dma;
	u32 rx_size;
	u32 rx_tail;
	u32 rx_rung;
	u32 rx_head;
	struct sk_buff *rx_skb;
	bool rx_skip;
	bool rx_starved;
	bool xdp_tx;
	bool xdp_redirect;
	struct page_pool *pool;
	struct xdp_rxq_info xdp_rxq;
	unsigned long armed_at;
	bool broken;
};

/* What a set is built from */
struct alink_nic_config {
	unsigned int num_queues;
	u32 tx_size;
	u32 rx_size;
};

struct alink_nic_set {
	struct alink_nic_config cfg;
	unsigned int num;
	struct alink_nic_qp qp[] __counted_by(num);
};

struct alink_nic_moderation {
	u16 rx_usecs;
	u16 rx_frames;
	u16 tx_usecs;
	u16 tx_frames;
};

enum alink_nic_flag {
	ALINK_NIC_LINK_UP,	/* as last told to the stack */
	ALINK_NIC_WEDGED,	/* would not stop: bus mastering is off until reset */
};

/**
 * struct alink_nic - device
 * @adev:	the core's device
 * @pdev:	PCI function
 * @dev:	netdev
 * @devlink:	devlink instance
 * @dl_port:	devlink port of @dev
 * @reporter:	health of the queues
 * @reporting:	@devlink is registered: @reporter may be used
 * @max_queues:	queue pairs that vectors suffice for
 * @cfg:	what the next set is built from; under rtnl
 * @set:	rings, NULL while the interface is down; under rtnl
 * @started:	the device works on @set; under rtnl
 * @flags:	enum alink_nic_flag
 * @moderation:	interrupt moderation of all queues; under rtnl
 * @rss:	as the device has it; under rtnl
 * @port_flags:	ALINK_NIC_PORT_*, under rtnl
 * @xdp_prog:	changed under rtnl, read under RCU
 * @stats:	counters, by queue id
 * @tx_timeouts: times the stack found a queue stuck
 * @restarts:	times that reset_work restarted the queues
 * @rx_mode_lock: no older snapshot of the filters overtakes a newer one
 * @rx_mode_work: tells the device what ndo_set_rx_mode() cannot
 * @link_lock:	keeps reading the link and telling the stack together
 * @hw_lock:	protects @hw_last and @hw_base
 * @hw_last:	statistics of the device as last read
 * @hw_base:	what to take off: at probe, what was before us
 * @service:	once a second: lost interrupts, missing pages, the link
 * @reset_work:	restarts queues under rtnl
 */
struct alink_nic {
	struct alink_dev *adev;
	struct pci_dev *pdev;
	struct net_device *dev;
	struct devlink *devlink;
	struct devlink_port dl_port;
	struct devlink_health_reporter *reporter;
	bool reporting;
	unsigned int max_queues;

	struct alink_nic_config cfg;
	struct alink_nic_set *set;
	bool started;
	unsigned long flags;
	struct alink_nic_moderation moderation;
	struct alink_nic_rss rss;
	u32 port_flags;
	struct bpf_prog *xdp_prog;

	struct alink_nic_queue_stats stats[ALINK_NIC_MAX_QUEUES];
	atomic_t tx_timeouts;
	u32 restarts;

	/* no older snapshot of the filters overtakes a newer one */
	struct mutex rx_mode_lock;
	struct work_struct rx_mode_work;

	/* keeps reading the link and telling the stack together */
	spinlock_t link_lock;

	/* protects hw_last and hw_base */
	spinlock_t hw_lock;
	u64 *hw_last;
	u64 *hw_base;

	struct delayed_work service;
	struct work_struct reset_work;
};

/* --- alink_nic_cmd.c: admin commands ------------------------------------ */
int alink_nic_cmd_queue_create(struct alink_nic_qp *q);
int alink_nic_cmd_queue_destroy(struct alink_nic_qp *q);
int alink_nic_cmd_coalesce(struct alink_nic *nic, u32 queue,
			   const struct alink_nic_moderation *mod);
int alink_nic_cmd_rss(struct alink_nic *nic, const struct alink_nic_rss *rss);
int alink_nic_cmd_port(struct alink_nic *nic, u32 flags, int mtu,
		       const u8 *addr);
int alink_nic_cmd_rx_mode(struct alink_nic *nic);

/* --- alink_nic_set.c: memory of the queues, start and stop --------------- */
struct alink_nic_set *alink_nic_set_alloc(struct alink_nic *nic,
					  const struct alink_nic_config *cfg);
void alink_nic_set_free(struct alink_nic *nic, struct alink_nic_set *set);
int alink_nic_start(struct alink_nic *nic);
void alink_nic_stop(struct alink_nic *nic);
int alink_nic_reconfigure(struct alink_nic *nic,
			  const struct alink_nic_config *cfg,
			  struct netlink_ext_ack *extack);
void alink_nic_queue_error(struct alink_nic_qp *q, const char *what);
void alink_nic_rss_default(struct alink_nic_rss *rss, unsigned int num_queues);

/* --- alink_nic_tx.c ------------------------------------------------------ */
netdev_tx_t alink_nic_xmit(struct sk_buff *skb, struct net_device *dev);
netdev_features_t alink_nic_features_check(struct sk_buff *skb,
					   struct net_device *dev,
					   netdev_features_t features);
bool alink_nic_tx_poll(struct alink_nic_qp *q, int budget);
bool alink_nic_tx_pending(struct alink_nic_qp *q);
void alink_nic_tx_drain(struct alink_nic_qp *q);
void alink_nic_tx_ring(struct alink_nic_qp *q);
void alink_nic_tx_desc_set(struct alink_nic_qp *q, u32 index,
			   dma_addr_t dma, u32 len, bool page, u16 flags);

/* --- alink_nic_rx.c ------------------------------------------------------ */
int alink_nic_rx_poll(struct alink_nic_qp *q, int budget);
bool alink_nic_rx_pending(struct alink_nic_qp *q);
void alink_nic_rx_fill(struct alink_nic_qp *q);
void alink_nic_rx_repost(struct alink_nic_qp *q);
void alink_nic_rx_drain(struct alink_nic_qp *q);

/* --- alink_nic_xdp.c ----------------------------------------------------- */
int alink_nic_bpf(struct net_device *dev, struct netdev_bpf *bpf);
int alink_nic_xdp_xmit(struct net_device *dev, int n,
		       struct xdp_frame **frames, u32 flags);
bool alink_nic_xdp_run(struct alink_nic_qp *q, struct bpf_prog *prog,
		       struct xdp_buff *xdp);
void alink_nic_xdp_flush(struct alink_nic_qp *q);

/* --- alink_nic_netdev.c -------------------------------------------------- */
struct net_device *alink_nic_netdev_alloc(struct pci_dev *pdev);
int alink_nic_netdev_init(struct alink_nic *nic);
void alink_nic_link_update(struct alink_nic *nic);
int alink_nic_restart(struct alink_nic *nic);
void alink_nic_service_stop(struct alink_nic *nic);
void alink_nic_service_start(struct alink_nic *nic);

/* --- alink_nic_stats.c --------------------------------------------------- */
extern const struct netdev_stat_ops alink_nic_stat_ops;
int alink_nic_stats_init(struct alink_nic *nic);
u64 alink_nic_hw_stat(struct alink_nic *nic, u32 reg);
void alink_nic_get_stats64(struct net_device *dev,
			   struct rtnl_link_stats64 *stats);
int alink_nic_stats_count(void);
void alink_nic_stats_strings(u8 **data);
void alink_nic_get_ethtool_stats(struct net_device *dev,
				 struct ethtool_stats *stats, u64 *data);
void alink_nic_get_mac_stats(struct net_device *dev,
			     struct ethtool_eth_mac_stats *stats);
void alink_nic_get_rmon_stats(struct net_device *dev,
			      struct ethtool_rmon_stats *stats,
			      const struct ethtool_rmon_hist_range **ranges);

/* --- alink_nic_rss.c ----------------------------------------------------- */
u32 alink_nic_get_rxfh_key_size(struct net_device *dev);
u32 alink_nic_get_rxfh_indir_size(struct net_device *dev);
int alink_nic_get_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh);
int alink_nic_set_rxfh(struct net_device *dev, struct ethtool_rxfh_param *rxfh,
		       struct netlink_ext_ack *extack);
int alink_nic_get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *cmd,
			u32 *rules);

/* --- alink_nic_ethtool.c, alink_nic_selftest.c, alink_nic_devlink.c ------- */
extern const struct ethtool_ops alink_nic_ethtool_ops;
int alink_nic_test_count(void);
void alink_nic_test_strings(u8 **data);
void alink_nic_self_test(struct net_device *dev, struct ethtool_test *test,
			 u64 *data);
int alink_nic_devlink_init(struct alink_nic *nic);
void alink_nic_devlink_register(struct alink_nic *nic);
void alink_nic_devlink_unregister(struct alink_nic *nic);
void alink_nic_devlink_fini(struct alink_nic *nic);
void alink_nic_health_report(struct alink_nic *nic);

static inline struct netdev_queue *
alink_nic_txq(const struct alink_nic_qp *q)
{
	return netdev_get_tx_queue(q->nic->dev, q->id);
}

/* Free descriptors. Consumer and producer side may both ask. */
static inline u32 alink_nic_tx_room(const struct alink_nic_qp *q)
{
	return q->tx_size - (READ_ONCE(q->tx_tail) - READ_ONCE(q->tx_clean));
}

#endif /* ALINK_NIC_H */
