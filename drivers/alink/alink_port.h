/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ports of alink.ko: one netdev for each populated link window of a device.
 */
#ifndef ALINK_PORT_H
#define ALINK_PORT_H

#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <net/devlink.h>

#include "alink_priv.h"

/*
 * Counters of the link window, in the order of ethtool -S. Names and offsets
 * are in alink_port_stats.c.
 */
enum alink_port_counter {
	ALINK_CTR_TX_BYTES,
	ALINK_CTR_RX_BYTES,
	ALINK_CTR_TX_PACKETS,
	ALINK_CTR_RX_PACKETS,
	ALINK_CTR_TX_RAW,
	ALINK_CTR_RX_RAW,
	ALINK_CTR_FEC_CORR,
	ALINK_CTR_FEC_UNCORR,
	ALINK_CTR_CRC_ERRORS,
	ALINK_CTR_REPLAYS,
	ALINK_CTR_TX_ERRORS,
	ALINK_CTR_RX_ERRORS,
	ALINK_CTR_STALL_NS,
	ALINK_CTR_BUSY_NS,
	ALINK_CTR_TX_FRAMES,
	ALINK_CTR_RX_FRAMES,
	ALINK_CTR_DOWNS,
	ALINK_CTR_RETRAINS,
	ALINK_CTR_LANE_LOSSES,
	ALINK_CTR_FLAP_HOLDS,
	/* With ALINK_CAP_CREDITS, see alink_port_num_counters() */
	ALINK_CTR_CREDIT_STALLS,
	ALINK_CTR_CREDIT_LEAKS,
	ALINK_CTR_CREDITS_LOST,
	ALINK_CTR_COUNT
};

/**
 * struct alink_port - one link window
 * @adev:	device
 * @netdev:	netdev, or NULL when the port is not populated
 * @devlink:	instance that @dl_port is registered with, or NULL
 * @dl_port:	devlink port
 * @num:	number of the link window
 * @lanes:	lanes fitted, as the device said at probe
 * @admin_down:	closed by command; under rtnl
 * @identify:	its light blinks; under rtnl
 * @fec:	value of ALINK_LINK_FEC_CTRL; under rtnl
 * @removing:	the netdev goes, which is no command to close; under rtnl
 * @power_auto:	its module goes to low power when all its ports are closed;
 *		under rtnl
 * @tx_waiting:	its queue is stopped as the frame ring was full; under the
 *		frame rings' tx_lock
 * @loop:	who waits for frames of the self-test, or NULL; changes under rtnl
 * @last:	last values read, which is what readers get in reset and after
 *		loss; written without lock, each in one store
 * @last_lstat:	the same of ALINK_LSTAT_*, by offset / 8
 */
struct alink_port {
	struct alink_dev *adev;
	struct net_device *netdev;
	struct devlink *devlink;
	struct devlink_port dl_port;
	unsigned int num;
	u32 lanes;
	u32 fec;
	bool admin_down;
	bool identify;
	bool removing;
	bool power_auto;
	bool tx_waiting;
	struct alink_loop __rcu *loop;
	u64 last[ALINK_CTR_COUNT];
	u64 last_lstat[ALINK_LSTAT_END / 8];
};

struct alink_netdev_priv {
	struct alink_port *port;
};

static inline struct alink_port *alink_port_of(const struct net_device *netdev)
{
	return ((struct alink_netdev_priv *)netdev_priv(netdev))->port;
}

static inline u32 alink_port_rd32(const struct alink_port *port, u32 reg)
{
	return alink_rd32(port->adev, ALINK_LINK_WINDOW(port->num) + reg);
}

static inline void alink_port_wr32(const struct alink_port *port, u32 reg,
				   u32 value)
{
	alink_wr32(port->adev, ALINK_LINK_WINDOW(port->num) + reg, value);
}

/* Lanes that are in use; those that are fitted are in alink_port.lanes. */
static inline u32 alink_port_lanes(const struct alink_port *port)
{
	return alink_port_rd32(port, ALINK_LINK_LANES) & 0xffff;
}

/* alink_port.c */
void alink_port_set_ctrl(struct alink_port *port, u32 clear, u32 set);

/* alink_link_flap.c */
void alink_port_write_flap(struct alink_port *port);

/* alink_port_stats.c */
u64 alink_port_counter(struct alink_port *port, enum alink_port_counter ctr);
u64 alink_port_ber(struct alink_port *port);
u64 alink_port_credit_since(struct alink_port *port);
void alink_port_get_stats64(struct net_device *netdev,
			    struct rtnl_link_stats64 *stats);
void alink_port_get_strings(struct net_device *netdev, u32 set, u8 *data);
int alink_port_get_sset_count(struct net_device *netdev, int set);
void alink_port_get_ethtool_stats(struct net_device *netdev,
				  struct ethtool_stats *stats, u64 *data);
void alink_port_get_eth_mac_stats(struct net_device *netdev,
				  struct ethtool_eth_mac_stats *stats);
void alink_port_get_eth_phy_stats(struct net_device *netdev,
				  struct ethtool_eth_phy_stats *stats);
void alink_port_get_rmon_stats(struct net_device *netdev,
			       struct ethtool_rmon_stats *stats,
			       const struct ethtool_rmon_hist_range **ranges);
void alink_port_get_fec_stats(struct net_device *netdev,
			      struct ethtool_fec_stats *stats);
void alink_port_get_link_ext_stats(struct net_device *netdev,
				   struct ethtool_link_ext_stats *stats);

/* alink_port_ethtool.c */
void alink_port_update_power(struct alink_port *port);
extern const struct ethtool_ops alink_port_ethtool_ops;

/* alink_port_selftest.c */
struct alink_loop;
int alink_port_test_count(void);
void alink_port_test_strings(u8 *data);
void alink_port_self_test(struct net_device *netdev, struct ethtool_test *test,
			  u64 *data);
void alink_port_loop_rx(struct alink_loop *loop, const u8 *data,
			unsigned int len);

/* alink_frames.c */
int alink_frames_create(struct alink_dev *adev);
void alink_frames_destroy(struct alink_dev *adev);
netdev_tx_t alink_frames_xmit(struct sk_buff *skb, struct net_device *netdev);
int alink_frames_send(struct alink_port *port, struct sk_buff *skb);

#endif /* ALINK_PORT_H */
