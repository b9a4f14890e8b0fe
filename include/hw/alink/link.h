/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ALink link window: one per link of an xPU and per port of a switch, at
 * ALINK_LINK_BASE + n * ALINK_LINK_STRIDE of BAR0. Same form on both ends.
 * Specification: Documentation/hw/fabric.rst.
 *
 * Counters count since power on or cold reset, never clear, and survive FLR.
 */
#ifndef HW_ALINK_LINK_H
#define HW_ALINK_LINK_H

#include <hw/alink/common.h>

#define ALINK_LINK_STRIDE	0x100
#define ALINK_LINK_WINDOW(n)	(ALINK_LINK_BASE + (n) * ALINK_LINK_STRIDE)

#define ALINK_LINK_STATE	0x00	/* RO 32 -  enum alink_link_state */
#define ALINK_LINK_CTRL		0x04	/* RW 32 0x1  ALINK_LINK_CTRL_* */
#define ALINK_LINK_SPEED	0x08	/* RO 32 -  present rate, Mb/s per direction; 0 when down */
#define ALINK_LINK_MAX_SPEED	0x0c	/* RO 32 -  rate of the variant, Mb/s per direction */
#define ALINK_LINK_LANES	0x10	/* RO 32 -  in use 15:0, fitted 31:16 */
#define ALINK_LINK_REASON	0x14	/* RO 32 -  enum alink_down_reason */
#define ALINK_LINK_PEER_ID	0x18	/* RO 32 -  fabric id of the peer xPU, plane of the peer switch, or ALINK_ID_NONE */
#define ALINK_LINK_PEER_PORT	0x1c	/* RO 32 -  link or port number at the peer, type ALINK_DEVTYPE_* in 31:24 */
#define ALINK_LINK_PEER_SERIAL	0x20	/* RO 64 -  serial number of the peer */
#define ALINK_LINK_FEC		0x28	/* RO 32 -  enum alink_fec in use */
#define ALINK_LINK_MODULE	0x2c	/* RO 32 -  optics: first lane 7:0, channel 15:8, controller serial low 31:16; ALINK_ID_NONE: copper */
#define ALINK_LINK_DOWNS	0x30	/* RO 64 0x0  times the link went down */
#define ALINK_LINK_PRBS_LANES	0x38	/* RO 32 0x0  lanes that see the test pattern, one bit each */
#define ALINK_LINK_TX_BYTES	0x40	/* RO 64 0x0  payload bytes sent */
#define ALINK_LINK_RX_BYTES	0x48	/* RO 64 0x0  payload bytes received */
#define ALINK_LINK_TX_PACKETS	0x50	/* RO 64 0x0  fabric packets sent, with and without payload, and frames */
#define ALINK_LINK_RX_PACKETS	0x58	/* RO 64 0x0  fabric packets received, with and without payload, and frames */
#define ALINK_LINK_TX_RAW	0x60	/* RO 64 0x0  bytes on the wire sent: payload, frames, 16 per packet */
#define ALINK_LINK_RX_RAW	0x68	/* RO 64 0x0  bytes on the wire received: payload, frames, 16 per packet */
#define ALINK_LINK_FEC_CORR	0x70	/* RO 64 0x0  code words corrected */
#define ALINK_LINK_FEC_UNCORR	0x78	/* RO 64 0x0  code words lost */
#define ALINK_LINK_CRC_ERRORS	0x80	/* RO 64 0x0  flits with a bad CRC */
#define ALINK_LINK_REPLAYS	0x88	/* RO 64 0x0  flits sent again */
#define ALINK_LINK_TX_ERRORS	0x90	/* RO 64 0x0  operations and frames that found the link down */
#define ALINK_LINK_RX_ERRORS	0x98	/* RO 64 0x0  switch: operations dropped here, no route or foreign partition */
#define ALINK_LINK_STALL_NS	0xa0	/* RO 64 0x0  modelled time waited for the wire, ns */
#define ALINK_LINK_BUSY_NS	0xa8	/* RO 64 0x0  modelled time on the wire, ns */
#define ALINK_LINK_TX_FRAMES	0xb0	/* RO 64 0x0  link-level frames sent */
#define ALINK_LINK_RX_FRAMES	0xb8	/* RO 64 0x0  link-level frames received */
#define ALINK_LINK_PRBS_BITS	0xc0	/* RO 64 0x0  bits of the test pattern compared since it began */
#define ALINK_LINK_PRBS_ERRORS	0xc8	/* RO 64 0x0  bits of them that were wrong */
#define ALINK_LINK_FEC_CTRL	0xd0	/* RW 32 0x0  FEC to use, bit of an enum alink_fec; 0: the device chooses */
#define ALINK_LINK_FEC_CAPS	0xd4	/* RO 32 -  what ALINK_LINK_FEC_CTRL takes, bitmap of enum alink_fec */
#define ALINK_LINK_LANES_BAD	0xd8	/* RO 32 0x0  lanes of this end that have failed, one bit each */
#define ALINK_LINK_RETRAIN	0xdc	/* WO 32 0x0  write 1: a link that is up trains its lanes anew */
#define ALINK_LINK_RETRAINS	0xe0	/* RO 64 0x0  times the link trained while it was up */
#define ALINK_LINK_LANE_LOSSES	0xe8	/* RO 64 0x0  lanes of this end that failed */
#define ALINK_LINK_FLAP_CTRL	0xf0	/* RW 32 0x0  when a link that flaps is held down, ALINK_LINK_FLAP_* */
#define ALINK_LINK_STAGE	0xf4	/* RO 32 -  how far the link has come, enum alink_link_stage */
#define ALINK_LINK_FLAP_HOLDS	0xf8	/* RO 64 0x0  times the link was held down */

/*
 * Counters of a link that its window has no room for: one block per link, at
 * ALINK_LSTAT_BASE + n * ALINK_LSTAT_STRIDE of BAR0. Those of frames are of
 * link-level frames alone, and their sizes are with the 4 bytes that a check
 * sum takes elsewhere.
 */
#define ALINK_LSTAT_STRIDE	0x200
#define ALINK_LSTAT_BLOCK(n)	(ALINK_LSTAT_BASE + (n) * ALINK_LSTAT_STRIDE)
static_assert(ALINK_LSTAT_BLOCK(ALINK_LINK_AREA_SIZE / ALINK_LINK_STRIDE) <=
	      ALINK_BAR0_SIZE, "counters of all links are in BAR0");

#define ALINK_LSTAT_TX_OCTETS	0x00	/* RO 64 0x0  bytes of frames sent */
#define ALINK_LSTAT_RX_OCTETS	0x08	/* RO 64 0x0  bytes of frames received */
#define ALINK_LSTAT_TX_MULTICAST 0x10	/* RO 64 0x0  multicast frames sent, without broadcast */
#define ALINK_LSTAT_RX_MULTICAST 0x18	/* RO 64 0x0  multicast frames received, without broadcast */
#define ALINK_LSTAT_TX_BROADCAST 0x20	/* RO 64 0x0  broadcast frames sent */
#define ALINK_LSTAT_RX_BROADCAST 0x28	/* RO 64 0x0  broadcast frames received */
#define ALINK_LSTAT_RX_DROPS	0x30	/* RO 64 0x0  frames that found rings off or no room, counted nowhere else as frames */
#define ALINK_LSTAT_SYMBOL_ERRORS 0x38	/* RO 64 0x0  symbols that were still wrong after FEC */
#define ALINK_LSTAT_TX_SIZE(n)	(0x40 + 8 * (n))
#define ALINK_LSTAT_TX_SIZE_64	0x40	/* RO 64 0x0  frames of up to 64 bytes sent; six more ranges follow */
#define ALINK_LSTAT_RX_SIZE(n)	(0x80 + 8 * (n))
#define ALINK_LSTAT_RX_SIZE_64	0x80	/* RO 64 0x0  frames of up to 64 bytes received; six more ranges follow */
#define ALINK_LSTAT_SIZES	7	/* ranges: 64, 127, 255, 511, 1023, 1518, more */
#define ALINK_LSTAT_FEC_CORR(n)	(0xc0 + 8 * (n))
#define ALINK_LSTAT_FEC_CORR_0	0xc0	/* RO 64 0x0  code words corrected in lane 0; seven more lanes follow */
#define ALINK_LSTAT_FEC_UNCORR(n) (0x100 + 8 * (n))
#define ALINK_LSTAT_FEC_UNCORR_0 0x100	/* RO 64 0x0  code words lost in lane 0; seven more lanes follow */
#define ALINK_LSTAT_LANES	8
/* With ALINK_CAP_CREDITS */
#define ALINK_LSTAT_CREDIT_STALLS 0x140	/* RO 64 0x0  times this end waited for credits until the link was trained */
#define ALINK_LSTAT_CREDIT_LEAKS 0x148	/* RO 64 0x0  times the check missed credits of this end */
#define ALINK_LSTAT_CREDITS_LOST 0x150	/* RO 64 0x0  credits of this end that were missed, in both */
#define ALINK_LSTAT_CREDIT_SINCE 0x158	/* RO 64 0x0  fabric clock, ns: when the first of those missed last was lost */
#define ALINK_LSTAT_CREDITS	0x160	/* RO 64 -  credits of this end at hand; 0 when down */
/* With ALINK_CAP_BER */
#define ALINK_LSTAT_BER		0x168	/* RO 64 -  wrong bits of those received, before FEC, x 10^-15; 0 when down */
#define ALINK_LSTAT_END		0x170

#define ALINK_BER_UNIT		1000000000000000ULL	/* ALINK_LSTAT_BER when all are wrong */
/* More than that, and the code loses code words; sources are in fabric.rst. */
#define ALINK_BER_LIMIT_RS544	(ALINK_BER_UNIT / 100000 * 24)
#define ALINK_BER_LIMIT_LL272	(ALINK_BER_UNIT / 100000 * 4)
#define ALINK_BER_LIMIT_NONE	(ALINK_BER_UNIT / 1000000000000ULL)
#define ALINK_LINK_RATES	3	/* full, half, a quarter */

#define ALINK_LINK_CREDITS		64	/* packets that the other end has room for */
#define ALINK_LINK_CREDIT_STALL_US	200	/* without any for so long, the link is trained */
#define ALINK_LINK_CREDIT_CHECK_MS	10	/* those lost are missed within */

#define ALINK_LINK_CTRL_ENABLE		ALINK_BIT(0)	/* administratively up */
#define ALINK_LINK_CTRL_IDENTIFY	ALINK_BIT(1)	/* blink the port's light */
#define ALINK_LINK_CTRL_LOOPBACK	ALINK_BIT(2)	/* hear oneself, and not the other end */
#define ALINK_LINK_CTRL_PRBS		ALINK_BIT(3)	/* send and compare a test pattern */

/* ALINK_LINK_FLAP_CTRL; times are in units of ALINK_LINK_FLAP_UNIT_MS */
#define ALINK_LINK_FLAP_LIMIT		ALINK_MASK(7, 0)	/* downs that are let pass; 0: all */
#define ALINK_LINK_FLAP_WINDOW		ALINK_MASK(19, 8)	/* within this time */
#define ALINK_LINK_FLAP_HOLD		ALINK_MASK(31, 20)	/* for how long it is held */
#define ALINK_LINK_FLAP_UNIT_MS		100

enum alink_link_state {
	ALINK_LINK_DOWN		= 0,
	ALINK_LINK_TRAINING	= 1,
	ALINK_LINK_UP		= 2,
	ALINK_LINK_ABSENT	= 3,	/* port not populated */
};

/* What a link goes through on its way up, in this order */
enum alink_link_stage {
	ALINK_STAGE_IDLE	= 0,	/* down, and something is in the way */
	ALINK_STAGE_DETECT	= 1,	/* looks for the other end */
	ALINK_STAGE_AGREE	= 2,	/* on rate, width and FEC */
	ALINK_STAGE_EQUALIZE	= 3,	/* each lane finds its coefficients */
	ALINK_STAGE_ALIGN	= 4,	/* lanes lock, and their skew is taken out */
	ALINK_STAGE_UP		= 5,
};

/* Code of ALINK_EVENT_CREDIT */
enum alink_credit {
	ALINK_CREDIT_STALL	= 1,
	ALINK_CREDIT_LEAK	= 2,
};

enum alink_fec {
	ALINK_FEC_NONE		= 0,
	ALINK_FEC_RS544		= 1,	/* RS(544,514) */
	ALINK_FEC_LL272		= 2,	/* RS(272,257), low latency */
};

/* Why a link is down; codes are stable */
enum alink_down_reason {
	ALINK_DOWN_NONE			= 0,
	ALINK_DOWN_ADMIN		= 1,	/* closed by command */
	ALINK_DOWN_NO_PARTNER		= 2,
	ALINK_DOWN_NO_CABLE		= 3,
	ALINK_DOWN_MODULE_NOT_READY	= 4,
	ALINK_DOWN_MODULE_FAULT		= 5,
	ALINK_DOWN_RATE			= 6,
	ALINK_DOWN_AUTONEG		= 7,
	ALINK_DOWN_TRAINING		= 8,
	ALINK_DOWN_SIGNAL		= 9,	/* too many wrong bits at any rate */
	ALINK_DOWN_REMOTE_FAULT		= 10,
	ALINK_DOWN_DESKEW		= 11,
	ALINK_DOWN_WIDTH		= 12,	/* lanes of this end failed; also of a link that is up */
	ALINK_DOWN_RATE_REDUCED		= 13,	/* too many wrong bits at a higher one; of a link that is up */
	ALINK_DOWN_LASER		= 14,
	ALINK_DOWN_RX_LOS		= 15,
	ALINK_DOWN_RX_LOL		= 16,
	ALINK_DOWN_TEMPERATURE		= 17,
	ALINK_DOWN_REMOVED		= 18,
	ALINK_DOWN_MISWIRED		= 19,
	ALINK_DOWN_PARTITION		= 20,
	ALINK_DOWN_FIRMWARE		= 21,
	ALINK_DOWN_POWER		= 22,
	ALINK_DOWN_TEST			= 23,	/* own end is under test */
	ALINK_DOWN_FEC			= 24,	/* no FEC that both ends may use */
	ALINK_DOWN_FLAP			= 25,	/* went down too often, held down */
};

#endif /* HW_ALINK_LINK_H */
