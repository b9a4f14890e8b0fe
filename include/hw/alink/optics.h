/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ALink optics controller: one I2C master and one set of module pins for each
 * cage ("channel"). The modules themselves are CMIS modules: cmis.h.
 * Specification: Documentation/hw/optics.rst.
 */
#ifndef HW_ALINK_OPTICS_H
#define HW_ALINK_OPTICS_H

#include <hw/alink/common.h>

/* ALINK_REG_VARIANT of an optics controller; the table is in Documentation/hw/optics.rst */
#define ALINK_OPTICS_OC32		0x0001	/* 32 cages: a switch of 64 x 400G ports */
#define ALINK_OPTICS_OC16		0x0002	/* 16 cages: a node of 4 xPUs */
#define ALINK_OPTICS_OC64		0x0003	/* 64 cages: a switch of 64 x 800G ports */

#define ALINK_OPTICS_MAX_CHANNELS	64

#define ALINK_OPT_REG_NUM_CHANNELS 0x1000 /* RO 32 -  cages of the variant */
#define ALINK_OPT_REG_I2C_MAX_HZ 0x1004	/* RO 32 -  fastest clock that ALINK_OPT_I2C_CLOCK takes, Hz */
#define ALINK_OPT_REG_PRESENT	0x1008	/* RO 64 -  bitmap of channels whose cage holds a module */
#define ALINK_OPT_REG_INT	0x1010	/* RO 64 -  bitmap of channels whose module asserts its interrupt */
#define ALINK_OPT_REG_I2C_DONE	0x1018	/* RO 64 0x0  bitmap of channels with ALINK_OPT_I2C_DONE set */
#define ALINK_OPT_REG_TRANSFERS	0x1020	/* RO 64 0x0  I2C segments executed since power on */
#define ALINK_OPT_REG_I2C_ERRORS 0x1028	/* RO 64 0x0  those of them that failed */

/* Channel windows */
#define ALINK_OPT_CH_BASE		0x2000
#define ALINK_OPT_CH_STRIDE		0x200
#define ALINK_OPT_CH(n)			(ALINK_OPT_CH_BASE + (n) * ALINK_OPT_CH_STRIDE)

#define ALINK_OPT_CH_STATUS	0x00	/* RO 32 -  ALINK_OPT_STATUS_* */
#define ALINK_OPT_CH_CTRL	0x04	/* RW 32 0x0  ALINK_OPT_CTRL_* */
#define ALINK_OPT_CH_CHANGES	0x08	/* RO 32 -  insertions and removals since power on */
#define ALINK_OPT_CH_PEER	0x0c	/* RO 32 -  whose lanes the cage carries: ALINK_DEVTYPE_* 31:24, fabric id 23:0, or ALINK_ID_NONE */
#define ALINK_OPT_CH_PEER_PORT	0x10	/* RO 32 -  first link or port of it 15:0, number of them 31:16 */
#define ALINK_OPT_I2C_CMD	0x20	/* WO 32 0x0  starts one segment: ALINK_OPT_CMD_* */
#define ALINK_OPT_I2C_STATUS	0x24	/* W1C 32 0x0  ALINK_OPT_I2C_DONE and why it ended */
#define ALINK_OPT_I2C_COUNT	0x28	/* RO 32 0x0  data bytes that the latest segment moved */
#define ALINK_OPT_I2C_BUS	0x2c	/* RO 32 -  ALINK_OPT_BUS_* */
#define ALINK_OPT_I2C_CTRL	0x30	/* RW 32 0x0  bit 0: raise the vector with ALINK_OPT_I2C_DONE */
#define ALINK_OPT_I2C_CLOCK	0x34	/* RW 32 0x61a80  bus clock, Hz: 100000, 400000 or 1000000 */
#define ALINK_OPT_I2C_TIMEOUT	0x38	/* RW 32 0x88b8  longest clock stretch, us: 1000..1000000 */
#define ALINK_OPT_I2C_OP	0x3c	/* WO 32 0x0  ALINK_OPT_OP_* */
#define ALINK_OPT_I2C_DATA	0x100	/* RW 32 0x0  64 words of segment buffer, first byte in 7:0 */
#define ALINK_OPT_I2C_DATA_SIZE		0x100

/* ALINK_OPT_CH_STATUS */
#define ALINK_OPT_STATUS_PRESENT	ALINK_BIT(0)	/* a module is in the cage */
#define ALINK_OPT_STATUS_INT		ALINK_BIT(1)	/* it asserts its interrupt */

/* ALINK_OPT_CH_CTRL: pins of the cage */
#define ALINK_OPT_CTRL_RESET		ALINK_BIT(0)	/* hold the module in reset */
#define ALINK_OPT_CTRL_LOW_POWER	ALINK_BIT(1)	/* LowPwrRequestHW */

/* ALINK_OPT_I2C_CMD: START, address, data, then STOP unless told otherwise */
#define ALINK_OPT_CMD_ADDR_MASK		ALINK_MASK(6, 0)
#define ALINK_OPT_CMD_READ		ALINK_BIT(7)
#define ALINK_OPT_CMD_LEN_SHIFT		8
#define ALINK_OPT_CMD_LEN_MASK		ALINK_MASK(16, 8)	/* 0..256 bytes */
#define ALINK_OPT_CMD_NO_STOP		ALINK_BIT(24)	/* keep the bus: the next segment begins with a repeated START */
#define ALINK_OPT_CMD_KNOWN		(ALINK_MASK(16, 0) | ALINK_OPT_CMD_NO_STOP)

/* ALINK_OPT_I2C_STATUS: DONE alone is success */
#define ALINK_OPT_I2C_DONE		ALINK_BIT(0)
#define ALINK_OPT_I2C_NAK_ADDR		ALINK_BIT(1)	/* nobody answered the address */
#define ALINK_OPT_I2C_NAK_DATA		ALINK_BIT(2)	/* a written byte was refused */
#define ALINK_OPT_I2C_ARB_LOST		ALINK_BIT(3)	/* another master took the bus */
#define ALINK_OPT_I2C_TIMED_OUT		ALINK_BIT(4)	/* the clock was stretched too long */
#define ALINK_OPT_I2C_STUCK		ALINK_BIT(5)	/* data line held low: needs ALINK_OPT_OP_RECOVER */
#define ALINK_OPT_I2C_ABORTED		ALINK_BIT(6)	/* ALINK_OPT_OP_ABORT */
#define ALINK_OPT_I2C_ERRORS		ALINK_MASK(6, 1)

/* ALINK_OPT_I2C_BUS */
#define ALINK_OPT_BUS_BUSY		ALINK_BIT(0)	/* a segment or a recovery runs */
#define ALINK_OPT_BUS_HELD		ALINK_BIT(1)	/* between segments of one transfer */
#define ALINK_OPT_BUS_SDA		ALINK_BIT(2)	/* level of the data line */
#define ALINK_OPT_BUS_SCL		ALINK_BIT(3)	/* level of the clock line */

/* ALINK_OPT_I2C_OP */
#define ALINK_OPT_OP_ABORT		1	/* end what runs with STOP */
#define ALINK_OPT_OP_RECOVER		2	/* nine clocks, then STOP; ends with DONE */

/* Vectors: 0 admin and events; I2C completions of channel n on 1 + n % 4 */
#define ALINK_OPT_NUM_VECTORS		5
#define ALINK_OPT_VECTOR(ch)		(1 + (ch) % 4)

/* ALINK_EVENT_MODULE: id = channel, info = ALINK_OPT_CH_CHANGES, code = */
enum alink_module_event {
	ALINK_MODULE_EV_INSERTED	= 1,
	ALINK_MODULE_EV_REMOVED		= 2,
	ALINK_MODULE_EV_INTERRUPT	= 3,	/* the module began to assert its interrupt */
};

/* ALINK_LINK_MODULE, as link.h lays it out */
#define ALINK_MODULE_LANE(m)		((m) & 0xff)
#define ALINK_MODULE_CHANNEL(m)		(((m) >> 8) & 0xff)
#define ALINK_MODULE_SERIAL(m)		(((m) >> 16) & 0xffff)
#define ALINK_MODULE_ID(serial, ch, lane) \
	((((__u32)(serial) & 0xffff) << 16) | (((ch) & 0xff) << 8) | ((lane) & 0xff))

#endif /* HW_ALINK_OPTICS_H */
