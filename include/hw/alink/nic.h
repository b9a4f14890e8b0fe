/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ALink NIC: registers, queue pairs, descriptors, admin commands.
 * Specification: Documentation/hw/nic.rst.
 *
 * One function is one Ethernet port. A card with two ports on two planes is
 * two functions.
 */
#ifndef HW_ALINK_NIC_H
#define HW_ALINK_NIC_H

#include <hw/alink/common.h>
#include <hw/alink/link.h>

/* ALINK_REG_VARIANT of a NIC; the table is in Documentation/hw/nic.rst */
#define ALINK_NIC_SCALEOUT_400		0x0001
#define ALINK_NIC_SCALEOUT_800		0x0002
#define ALINK_NIC_DCN_400		0x0011
#define ALINK_NIC_DCN_800		0x0012

/* What the NIC is and can do */
#define ALINK_NIC_REG_MAC	0x1000	/* RO 64 -  permanent address, first byte in 7:0 */
#define ALINK_NIC_REG_ROLE	0x1008	/* RO 32 -  enum alink_nic_role */
#define ALINK_NIC_REG_NUM_QUEUES 0x100c	/* RO 32 0x8  queue pairs */
#define ALINK_NIC_REG_MAX_RING	0x1010	/* RO 32 0x1000  descriptors in a ring, at most */
#define ALINK_NIC_REG_MAX_FRAME	0x1014	/* RO 32 0x2412  bytes of a frame with a VLAN tag, without FCS */
#define ALINK_NIC_REG_MAX_FILTERS 0x1018 /* RO 32 0x40  exact addresses of RX_MODE */
#define ALINK_NIC_REG_FEATURES	0x101c	/* RO 32 0xf  ALINK_NIC_FEAT_* */

/* The port */
#define ALINK_NIC_REG_LINK_STATE 0x1020	/* RO 32 0x0  enum alink_link_state */
#define ALINK_NIC_REG_LINK_SPEED 0x1024	/* RO 32 0x0  present rate, Mb/s; 0 when down */
#define ALINK_NIC_REG_MAX_SPEED	0x1028	/* RO 32 -  rate of the variant, Mb/s */
#define ALINK_NIC_REG_LANES	0x102c	/* RO 32 -  in use 15:0, fitted 31:16 */
#define ALINK_NIC_REG_LINK_REASON 0x1030 /* RO 32 0x1  enum alink_down_reason */
#define ALINK_NIC_REG_LINK_FEC	0x1034	/* RO 32 -  enum alink_fec in use */
#define ALINK_NIC_REG_PORT_FLAGS 0x1038	/* RO 32 0x0  ALINK_NIC_PORT_* as PORT_SET left them */
#define ALINK_NIC_REG_LINK_DOWNS 0x1040	/* RO 64 0x0  times the link went down since power on */

/* Statistics: count since power on, never clear, and survive FLR */
#define ALINK_NIC_REG_STAT(n)		(0x1100 + 8 * (n))
#define ALINK_NIC_REG_TX_FRAMES	0x1100	/* RO 64 0x0  frames sent, each segment of a TSO packet counts */
#define ALINK_NIC_REG_TX_BYTES	0x1108	/* RO 64 0x0  bytes sent, without FCS */
#define ALINK_NIC_REG_TX_MULTICAST 0x1110 /* RO 64 0x0  multicast frames sent */
#define ALINK_NIC_REG_TX_BROADCAST 0x1118 /* RO 64 0x0  broadcast frames sent */
#define ALINK_NIC_REG_TX_TSO	0x1120	/* RO 64 0x0  packets segmented */
#define ALINK_NIC_REG_TX_CSUM	0x1128	/* RO 64 0x0  packets with a checksum filled in */
#define ALINK_NIC_REG_TX_ERRORS	0x1130	/* RO 64 0x0  packets refused: bad descriptor, DMA */
#define ALINK_NIC_REG_TX_NO_LINK 0x1138	/* RO 64 0x0  packets dropped because the link was down */
#define ALINK_NIC_REG_RX_FRAMES	0x1140	/* RO 64 0x0  frames delivered to the host */
#define ALINK_NIC_REG_RX_BYTES	0x1148	/* RO 64 0x0  bytes delivered, without FCS */
#define ALINK_NIC_REG_RX_MULTICAST 0x1150 /* RO 64 0x0  multicast frames delivered */
#define ALINK_NIC_REG_RX_BROADCAST 0x1158 /* RO 64 0x0  broadcast frames delivered */
#define ALINK_NIC_REG_RX_FILTERED 0x1160 /* RO 64 0x0  frames for other addresses */
#define ALINK_NIC_REG_RX_PAUSED	0x1168	/* RO 64 0x0  times the sender was held because a ring was empty */
#define ALINK_NIC_REG_RX_NO_QUEUE 0x1170 /* RO 64 0x0  frames dropped: their queue does not exist or has stopped */
#define ALINK_NIC_REG_RX_ERRORS	0x1178	/* RO 64 0x0  frames lost to DMA errors */
#define ALINK_NIC_REG_RX_TOO_LONG 0x1180 /* RO 64 0x0  frames over the limit of PORT_SET */
#define ALINK_NIC_REG_RX_TOO_SHORT 0x1188 /* RO 64 0x0  frames shorter than an Ethernet header */
#define ALINK_NIC_REG_RX_CSUM_BAD 0x1190 /* RO 64 0x0  frames delivered with a wrong IP, TCP or UDP checksum */
#define ALINK_NIC_REG_IRQS	0x1198	/* RO 64 0x0  queue interrupts raised */
/* By size of the frame with FCS: 64, ..127, ..255, ..511, ..1023, ..1518, more */
#define ALINK_NIC_REG_TX_SIZE(n)	(0x11a0 + 8 * (n))
#define ALINK_NIC_REG_TX_SIZE_64 0x11a0	/* RO 64 0x0  frames of 64 bytes sent; six more ranges follow */
#define ALINK_NIC_REG_RX_SIZE(n)	(0x11e0 + 8 * (n))
#define ALINK_NIC_REG_RX_SIZE_64 0x11e0	/* RO 64 0x0  frames of 64 bytes delivered; six more ranges follow */
#define ALINK_NIC_NUM_SIZES		7

/* Queue pair windows, at ALINK_NIC_QUEUE_BASE + q * ALINK_NIC_QUEUE_STRIDE */
#define ALINK_NIC_QUEUE_BASE		0x2000
#define ALINK_NIC_QUEUE_STRIDE		0x40
#define ALINK_NIC_MAX_QUEUES		8
#define ALINK_NIC_QUEUE(q, reg) \
	(ALINK_NIC_QUEUE_BASE + (q) * ALINK_NIC_QUEUE_STRIDE + (reg))
#define ALINK_NIC_Q_TX_TAIL	0x00	/* WO 32 0x0  doorbell: free-running index after the last descriptor */
#define ALINK_NIC_Q_RX_TAIL	0x04	/* WO 32 0x0  doorbell: free-running index after the last buffer */
#define ALINK_NIC_Q_ARM		0x08	/* WO 32 0x0  asks for one interrupt: RX completions seen 15:0, TX completions seen 31:16 */
#define ALINK_NIC_Q_STATE	0x0c	/* RO 32 0x0  ALINK_NIC_QSTATE_* */
#define ALINK_NIC_Q_TX_HEAD	0x10	/* RO 32 0x0  descriptors consumed, free-running */
#define ALINK_NIC_Q_RX_HEAD	0x14	/* RO 32 0x0  buffers consumed, free-running */
#define ALINK_NIC_Q_TX_CPL	0x18	/* RO 32 0x0  completions written, free-running */
#define ALINK_NIC_Q_RX_CPL	0x1c	/* RO 32 0x0  completions written, free-running */

#define ALINK_NIC_QSTATE_LIVE		ALINK_BIT(0)	/* created */
#define ALINK_NIC_QSTATE_STOPPED	ALINK_BIT(1)	/* a ring could not be read or written */
#define ALINK_NIC_QSTATE_ARMED		ALINK_BIT(2)	/* an interrupt is asked for */

/* Vectors: 0 admin and events, then one for each queue pair */
#define ALINK_NIC_VECTOR_QUEUE(q)	(1 + (q))
#define ALINK_NIC_NUM_VECTORS		(1 + ALINK_NIC_MAX_QUEUES)

enum alink_nic_role {
	ALINK_NIC_ROLE_SCALEOUT	= 0,	/* between xPUs of different supernodes */
	ALINK_NIC_ROLE_DCN	= 1,	/* data-centre network of a CPU node */
};

/* ALINK_NIC_REG_FEATURES */
#define ALINK_NIC_FEAT_CSUM		ALINK_BIT(0)	/* fills in and verifies checksums */
#define ALINK_NIC_FEAT_TSO		ALINK_BIT(1)	/* TCP segmentation, IPv4 and IPv6 */
#define ALINK_NIC_FEAT_RSS		ALINK_BIT(2)	/* receive side scaling, Toeplitz */
#define ALINK_NIC_FEAT_LOOPBACK		ALINK_BIT(3)	/* ALINK_NIC_PORT_LOOPBACK */

#define ALINK_NIC_MIN_RING		64	/* descriptors in a ring, at least */
#define ALINK_NIC_MAX_RING		4096
#define ALINK_NIC_MIN_FRAME		60	/* without FCS; shorter ones are padded with zeros */
#define ALINK_NIC_MAX_MTU		9216
#define ALINK_NIC_MAX_FRAME		(ALINK_NIC_MAX_MTU + 18)
#define ALINK_NIC_MAX_FILTERS		64

/*
 * Transmit descriptor. A packet is 1..ALINK_NIC_MAX_DESCS of them, the last
 * one with ALINK_NIC_TX_LAST. What the offload needs is in the first one and
 * is 0 in the others.
 */
struct alink_nic_tx_desc {
	__le64 addr;		/* DMA address of this piece */
	__le32 len;		/* bytes of this piece, 1..ALINK_NIC_MAX_PIECE */
	__le16 flags;		/* ALINK_NIC_TX_* */
	__le16 mss;		/* TSO: payload bytes per segment, at least ALINK_NIC_MIN_MSS */
	__le16 csum_start;	/* CSUM: first byte of the packet that is summed */
	__le16 csum_offset;	/* CSUM: where the sum goes, from csum_start */
	__le16 l3_start;	/* TSO: first byte of the IP header */
	__le16 hdr_len;		/* TSO: bytes in front of the payload */
	__le64 reserved;	/* 0 */
};
static_assert(sizeof(struct alink_nic_tx_desc) == 32, "TX descriptor is 32 bytes");

#define ALINK_NIC_TX_LAST		ALINK_BIT(0)	/* ends the packet */
#define ALINK_NIC_TX_CSUM		ALINK_BIT(1)	/* fill in a checksum */
#define ALINK_NIC_TX_TSO		ALINK_BIT(2)	/* segment, with CSUM; TCP header is at csum_start */
#define ALINK_NIC_TX_KNOWN \
	(ALINK_NIC_TX_LAST | ALINK_NIC_TX_CSUM | ALINK_NIC_TX_TSO)
#define ALINK_NIC_MAX_PIECE		65536
#define ALINK_NIC_MAX_DESCS		32
#define ALINK_NIC_MAX_PACKET		66560	/* with TSO, before segmentation */
#define ALINK_NIC_MIN_MSS		8
#define ALINK_NIC_MAX_HDR		256	/* hdr_len, at most */

/*
 * Transmit completion. All descriptors before head are done. A completion with
 * a status other than OK speaks of one packet only: the one that ends there.
 */
struct alink_nic_tx_cpl {
	__le32 head;		/* free-running index of the next descriptor */
	__le16 status;		/* enum alink_status */
	__le16 phase;		/* bit 0 */
};
static_assert(sizeof(struct alink_nic_tx_cpl) == 8, "TX completion is 8 bytes");

/* Receive buffer, offered by the driver */
struct alink_nic_rx_desc {
	__le64 addr;		/* DMA address */
	__le32 len;		/* room, ALINK_NIC_MIN_BUF..ALINK_NIC_MAX_BUF */
	__le32 reserved;	/* 0 */
};
static_assert(sizeof(struct alink_nic_rx_desc) == 16, "RX descriptor is 16 bytes");
#define ALINK_NIC_MIN_BUF		512
#define ALINK_NIC_MAX_BUF		32768

/*
 * Receive completion, one for each buffer, in the order of the buffers. Flags
 * and hash are the same in all completions of a frame, but FIRST and LAST.
 */
struct alink_nic_rx_cpl {
	__le32 index;		/* free-running index of the buffer */
	__le32 hash;		/* RSS hash, with HASH_L3 or HASH_L4 */
	__le16 len;		/* bytes in this buffer */
	__le16 flags;		/* ALINK_NIC_RX_* */
	__le16 status;		/* enum alink_status: not OK spoils the frame */
	__le16 phase;		/* bit 0 */
};
static_assert(sizeof(struct alink_nic_rx_cpl) == 16, "RX completion is 16 bytes");

#define ALINK_NIC_RX_FIRST		ALINK_BIT(0)	/* first buffer of a frame */
#define ALINK_NIC_RX_LAST		ALINK_BIT(1)	/* last buffer of a frame */
#define ALINK_NIC_RX_L3_OK		ALINK_BIT(2)	/* IPv4 header checksum is right */
#define ALINK_NIC_RX_L4_OK		ALINK_BIT(3)	/* TCP or UDP checksum is right */
#define ALINK_NIC_RX_CSUM_BAD		ALINK_BIT(4)	/* one of them is wrong */
#define ALINK_NIC_RX_HASH_L3		ALINK_BIT(5)	/* hash over addresses */
#define ALINK_NIC_RX_HASH_L4		ALINK_BIT(6)	/* hash over addresses and ports */

/* Admin commands of the NIC */
enum alink_nic_admin_opcode {
	ALINK_NIC_ADMIN_QUEUE_CREATE	= 0x0400,	/* NIC_QUEUE */
	ALINK_NIC_ADMIN_QUEUE_DESTROY	= 0x0401,	/* ID: returns when no DMA is in flight */
	ALINK_NIC_ADMIN_COALESCE	= 0x0402,	/* NIC_COALESCE */
	ALINK_NIC_ADMIN_RSS_SET		= 0x0403,	/* NIC_RSS */
	ALINK_NIC_ADMIN_RX_MODE		= 0x0404,	/* NIC_RX_MODE, NIC_FILTERS */
	ALINK_NIC_ADMIN_PORT_SET	= 0x0405,	/* NIC_PORT */
};

#define ALINK_TLV_NIC_QUEUE		0x0400	/* struct alink_nic_queue */
#define ALINK_TLV_NIC_COALESCE		0x0401	/* struct alink_nic_coalesce */
#define ALINK_TLV_NIC_RSS		0x0402	/* struct alink_nic_rss */
#define ALINK_TLV_NIC_RX_MODE		0x0403	/* struct alink_nic_rx_mode */
#define ALINK_TLV_NIC_FILTERS		0x0404	/* struct alink_nic_filter[0..MAX_FILTERS] */
#define ALINK_TLV_NIC_PORT		0x0405	/* struct alink_nic_port */

/*
 * A queue pair. A completion ring has as many entries as the ring it belongs
 * to, so it cannot overflow; both are zeroed before the pair is created.
 */
struct alink_nic_queue {
	__le32 id;		/* 0..NUM_QUEUES - 1 */
	__le16 vector;		/* 1..NUM_VECTORS - 1 */
	__le16 reserved;	/* 0 */
	__le32 tx_size;		/* descriptors: power of two, MIN_RING..MAX_RING */
	__le32 rx_size;		/* likewise */
	__le64 tx_ring;		/* DMA addresses, 64-byte aligned */
	__le64 tx_cpl;
	__le64 rx_ring;
	__le64 rx_cpl;
};
static_assert(sizeof(struct alink_nic_queue) == 48, "queue pair is 48 bytes");

/*
 * When an armed queue pair raises its interrupt: usecs after the first
 * completion that was not seen, or at that many of them, whichever is first.
 * Frames 0: usecs alone decide. Both 0: at once.
 */
struct alink_nic_coalesce {
	__le32 queue;
	__le16 rx_usecs;	/* 0..ALINK_NIC_MAX_USECS */
	__le16 rx_frames;
	__le16 tx_usecs;
	__le16 tx_frames;
	__le32 reserved;	/* 0 */
};
static_assert(sizeof(struct alink_nic_coalesce) == 16, "coalesce is 16 bytes");
#define ALINK_NIC_MAX_USECS		10000

/* Receive side scaling: queue = table[hash % entries] */
#define ALINK_NIC_RSS_KEY		40
#define ALINK_NIC_RSS_ENTRIES		128
struct alink_nic_rss {
	__le32 hashes;		/* ALINK_NIC_HASH_*; a packet of no type has hash 0 */
	__le32 reserved;	/* 0 */
	__u8 key[ALINK_NIC_RSS_KEY];
	__u8 table[ALINK_NIC_RSS_ENTRIES];	/* queue ids, below NUM_QUEUES */
};
static_assert(sizeof(struct alink_nic_rss) == 176, "RSS is 176 bytes");

#define ALINK_NIC_HASH_IPV4		ALINK_BIT(0)
#define ALINK_NIC_HASH_TCP_IPV4		ALINK_BIT(1)
#define ALINK_NIC_HASH_UDP_IPV4		ALINK_BIT(2)
#define ALINK_NIC_HASH_IPV6		ALINK_BIT(3)
#define ALINK_NIC_HASH_TCP_IPV6		ALINK_BIT(4)
#define ALINK_NIC_HASH_UDP_IPV6		ALINK_BIT(5)
#define ALINK_NIC_HASH_KNOWN		ALINK_MASK(5, 0)

/* Which frames are taken besides those for the port's own address */
struct alink_nic_rx_mode {
	__le32 flags;		/* ALINK_NIC_RXM_* */
	__le32 reserved;	/* 0 */
};
static_assert(sizeof(struct alink_nic_rx_mode) == 8, "RX mode is 8 bytes");
#define ALINK_NIC_RXM_BROADCAST		ALINK_BIT(0)
#define ALINK_NIC_RXM_ALLMULTI		ALINK_BIT(1)
#define ALINK_NIC_RXM_PROMISC		ALINK_BIT(2)
#define ALINK_NIC_RXM_KNOWN		ALINK_MASK(2, 0)

struct alink_nic_filter {
	__u8 mac[6];
	__le16 reserved;	/* 0 */
};
static_assert(sizeof(struct alink_nic_filter) == 8, "filter is 8 bytes");

struct alink_nic_port {
	__le32 flags;		/* ALINK_NIC_PORT_* */
	__le32 max_frame;	/* longest frame to receive, MIN_FRAME..MAX_FRAME */
	__u8 mac[6];		/* unicast */
	__le16 reserved;	/* 0 */
};
static_assert(sizeof(struct alink_nic_port) == 16, "port is 16 bytes");
#define ALINK_NIC_PORT_ENABLE		ALINK_BIT(0)	/* train the link, send and receive */
#define ALINK_NIC_PORT_LOOPBACK		ALINK_BIT(1)	/* frames sent come back, none leaves */
#define ALINK_NIC_PORT_IDENTIFY		ALINK_BIT(2)	/* blink the port's light */
#define ALINK_NIC_PORT_KNOWN		ALINK_MASK(2, 0)

#endif /* HW_ALINK_NIC_H */
