/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ALink common block: what every ALink PCI function begins with.
 * Specification: Documentation/hw/common.rst.
 *
 * Register comments have one fixed form, which a test reads and compares with
 * the specification and the model:
 *
 *	#define NAME offset	/-* access width reset  meaning *-/
 *
 * access: RO, RW, W1C (write one to clear), WO (reads 0), RC (read clears);
 * width: 32 or 64 bits (a 64-bit register may be read as two 32-bit halves,
 * low first: reading the low half latches the high one);
 * reset: the value after reset, or "-" where variant, wiring or time decide.
 */
#ifndef HW_ALINK_COMMON_H
#define HW_ALINK_COMMON_H

#include <hw/alink/shim.h>

/* PCI identity. The device range is the one set aside for experiments. */
#define ALINK_PCI_VENDOR_ID		0x1af4
#define ALINK_PCI_DEVICE_XPU		0x10f0
#define ALINK_PCI_DEVICE_SWITCH		0x10f1
#define ALINK_PCI_DEVICE_OPTICS		0x10f2
#define ALINK_PCI_DEVICE_NIC		0x10f3
#define ALINK_PCI_DEVICE_RACK		0x10f4
/* The subsystem id is the variant: the value of ALINK_REG_VARIANT. */

/* BARs that every function has; 2 and 4 are the device's own. */
#define ALINK_BAR_REGS			0
#define ALINK_BAR_MSIX			1
#define ALINK_BAR0_SIZE			0x100000

/* Areas of BAR0 */
#define ALINK_COMMON_SIZE		0x1000
#define ALINK_DEVREGS_BASE		0x1000	/* device's own registers */
#define ALINK_DEVREGS_SIZE		0xf000
#define ALINK_LINK_BASE			0x10000	/* link windows, link.h */
#define ALINK_LINK_AREA_SIZE		0x40000
#define ALINK_LSTAT_BASE		0x50000	/* counters of links, link.h */

/* Identity */
#define ALINK_REG_MAGIC		0x000	/* RO 32 0x4b4e4c41  "ALNK", low byte first */
#define ALINK_REG_VERSION	0x004	/* RO 32 0x00010000  interface: major 31:16, minor 15:0 */
#define ALINK_REG_DEVTYPE	0x008	/* RO 32 -  ALINK_DEVTYPE_* */
#define ALINK_REG_VARIANT	0x00c	/* RO 32 -  variant within the type */
#define ALINK_REG_CAPS		0x010	/* RO 64 -  ALINK_CAP_* */
#define ALINK_REG_SERIAL	0x018	/* RO 64 -  serial number, unique in a fabric */
#define ALINK_REG_FW_VERSION	0x020	/* RO 32 -  running firmware: major 31:24, minor 23:16, patch 15:0 */
#define ALINK_REG_FABRIC_ID	0x024	/* RO 32 -  endpoint id, plane of a switch, or ALINK_ID_NONE */
#define ALINK_REG_NUM_VECTORS	0x028	/* RO 32 -  MSI-X vectors that the function can raise */
#define ALINK_REG_NUM_LINKS	0x02c	/* RO 32 -  link windows at ALINK_LINK_BASE */

/* State and reset */
#define ALINK_REG_STATE		0x040	/* RO 32 0x1  ALINK_STATE_* */
#define ALINK_REG_CONTROL	0x044	/* RW 32 0x0  ALINK_CONTROL_* */
#define ALINK_REG_RESET		0x048	/* WO 32 0x0  write ALINK_RESET_KEY: reset as FLR does */
#define ALINK_REG_RESET_CAUSE	0x04c	/* RO 32 -  ALINK_RESET_CAUSE_* of the last reset */
#define ALINK_REG_GENERATION	0x050	/* RO 32 -  counts resets since power on */
#define ALINK_REG_HEARTBEAT	0x054	/* RO 32 -  firmware's counter, one per millisecond */
#define ALINK_REG_CLOCK		0x058	/* RO 64 -  fabric clock, ns */

/* Faults and the driver's own mistakes */
#define ALINK_REG_GUEST_ERRORS	0x060	/* RO 32 0x0  accesses and commands that break this contract */
#define ALINK_REG_GUEST_ERR_LAST 0x064	/* RO 32 0x0  BAR0 offset or opcode of the latest one */
#define ALINK_REG_FAULT_CODE	0x068	/* RO 32 0x0  first unacknowledged fault: client * 256 + event */
#define ALINK_REG_FAULT_CLASS	0x06c	/* RO 32 0x0  ALINK_RECOVERY_* */
#define ALINK_REG_FAULT_ADDR	0x070	/* RO 64 0x0  address, or 0 */
#define ALINK_REG_FAULT_INFO	0x078	/* RO 32 0x0  queue, port or lane */
#define ALINK_REG_FAULT_ACK	0x07c	/* WO 32 0x0  write the code: clears the record */

/* Self test, which drivers run at probe */
#define ALINK_REG_TEST_VALUE	0x080	/* RW 32 0xffffffff  reads back as the complement of what was written */
#define ALINK_REG_TEST_IRQ	0x084	/* WO 32 0x0  raises the vector of that number */
#define ALINK_REG_TEST_DMA_ADDR	0x088	/* RW 64 0x0  DMA address of the test buffer */
#define ALINK_REG_TEST_DMA_LEN	0x090	/* RW 32 0x0  bytes, 1..4096 */
#define ALINK_REG_TEST_DMA_CTRL	0x094	/* WO 32 0x0  ALINK_TEST_DMA_*: starts one operation */
#define ALINK_REG_TEST_DMA_STATUS 0x098	/* RO 32 0x0  ALINK_TEST_DMA_IDLE/BUSY/DONE/ERROR */

/* Admin queue: one submission and one completion ring in system memory */
#define ALINK_REG_ADMIN_SQ_BASE	0x100	/* RW 64 0x0  DMA address, 4 KiB aligned */
#define ALINK_REG_ADMIN_CQ_BASE	0x108	/* RW 64 0x0  DMA address, 4 KiB aligned */
#define ALINK_REG_ADMIN_SIZE	0x110	/* RW 32 0x0  entries in each ring: 2..256, power of two */
#define ALINK_REG_ADMIN_CTRL	0x114	/* RW 32 0x0  bit 0: queue enabled; latches bases and size */
#define ALINK_REG_ADMIN_SQ_TAIL	0x118	/* WO 32 0x0  doorbell: free-running producer index */
#define ALINK_REG_ADMIN_CQ_HEAD	0x11c	/* WO 32 0x0  doorbell: free-running consumer index */

/* Event ring */
#define ALINK_REG_EVENT_BASE	0x120	/* RW 64 0x0  DMA address, 4 KiB aligned */
#define ALINK_REG_EVENT_SIZE	0x128	/* RW 32 0x0  entries: 2..4096, power of two */
#define ALINK_REG_EVENT_CTRL	0x12c	/* RW 32 0x0  bit 0: ring enabled; latches base and size */
#define ALINK_REG_EVENT_HEAD	0x130	/* WO 32 0x0  doorbell: free-running consumer index */
#define ALINK_REG_EVENT_LOST	0x134	/* RC 32 0x0  events dropped because the ring was full */

/* Link-level frames (with ALINK_CAP_FRAMES): rings shared by all links */
#define ALINK_REG_FRAME_TX_BASE	0x140	/* RW 64 0x0  DMA address, 4 KiB aligned */
#define ALINK_REG_FRAME_RX_BASE	0x148	/* RW 64 0x0  DMA address, 4 KiB aligned */
#define ALINK_REG_FRAME_SIZE	0x150	/* RW 32 0x0  descriptors in each ring: 2..1024, power of two */
#define ALINK_REG_FRAME_CTRL	0x154	/* RW 32 0x0  bit 0: rings enabled; latches bases and size */
#define ALINK_REG_FRAME_TX_TAIL	0x158	/* WO 32 0x0  doorbell: free-running producer index */
#define ALINK_REG_FRAME_RX_TAIL	0x15c	/* WO 32 0x0  doorbell: free-running index of buffers offered */

/* Sensors: each reads the present value; what is not fitted reads ALINK_SENSOR_NONE */
#define ALINK_REG_SENSOR(n)	(0x180 + 4 * (n))
#define ALINK_REG_TEMP		0x180	/* RO 32 -  die temperature, milli-degree Celsius, signed */
#define ALINK_REG_TEMP_MEM	0x184	/* RO 32 -  hottest HBM stack, milli-degree Celsius, signed */
#define ALINK_REG_POWER		0x188	/* RO 32 -  power, milliwatt */
#define ALINK_REG_TEMP_MAX	0x18c	/* RO 32 -  highest die temperature for normal work, milli-degree */
#define ALINK_REG_TEMP_CRIT	0x190	/* RO 32 -  die shuts down here, milli-degree */
#define ALINK_REG_TEMP_MEM_CRIT	0x194	/* RO 32 -  HBM limit, milli-degree */
#define ALINK_REG_POWER_MAX	0x198	/* RO 32 -  board power limit, milliwatt */
#define ALINK_REG_ENERGY	0x1a0	/* RO 64 -  energy used since power on, microjoule; 0 without POWER */
#define ALINK_SENSOR_NONE		0x80000000U

#define ALINK_MAGIC			0x4b4e4c41U
#define ALINK_VERSION_MAJOR		1
#define ALINK_VERSION_MINOR		0
#define ALINK_RESET_KEY			0x54455352U	/* "RSET" */
#define ALINK_ID_NONE			0xffffffffU

enum alink_devtype {
	ALINK_DEVTYPE_XPU	= 1,
	ALINK_DEVTYPE_SWITCH	= 2,
	ALINK_DEVTYPE_OPTICS	= 3,
	ALINK_DEVTYPE_NIC	= 4,
	ALINK_DEVTYPE_RACK	= 5,
};

/* ALINK_REG_CAPS */
#define ALINK_CAP_ADMIN			ALINK_BIT64(0)	/* admin queue and event ring */
#define ALINK_CAP_LINKS			ALINK_BIT64(1)	/* link windows */
#define ALINK_CAP_FRAMES		ALINK_BIT64(2)	/* link-level frame rings */
#define ALINK_CAP_ROUTES		ALINK_BIT64(3)	/* route table, ALINK_ADMIN_ROUTE_* */
#define ALINK_CAP_GROUPS		ALINK_BIT64(4)	/* group table, ALINK_ADMIN_GROUP_* */
#define ALINK_CAP_PARTITIONS		ALINK_BIT64(5)	/* partition table */
#define ALINK_CAP_INC			ALINK_BIT64(6)	/* in-network compute */
#define ALINK_CAP_APERTURE		ALINK_BIT64(7)	/* xPU: BAR4 onto remote segments */
#define ALINK_CAP_RETIRE		ALINK_BIT64(8)	/* xPU: table of retired pages */
#define ALINK_CAP_RETRY			ALINK_BIT64(10)	/* xPU: accesses that are tried again, ALINK_PTE_RETRY */
#define ALINK_CAP_FLASH			ALINK_BIT64(11)	/* firmware in flash, flash.h */
#define ALINK_CAP_PROGRESS		ALINK_BIT64(12)	/* xPU: queues show that they get on, ALINK_XPU_Q_PROGRESS */
#define ALINK_CAP_QUEUE_INFO		ALINK_BIT64(13)	/* xPU: info windows of queues, ALINK_XPU_QI() */
#define ALINK_CAP_PUSH			ALINK_BIT64(14)	/* xPU, switch: reducing push, ALINK_XPU_OP_PUSH_REDUCE */
#define ALINK_CAP_INC_ERRORS		ALINK_BIT64(15)	/* switch: group operations that failed, ALINK_SW_REG_INC_SILENT ... */
#define ALINK_CAP_ECC			ALINK_BIT64(16)	/* xPU: ALINK_XPU_REG_ECC_CORRECTED */
#define ALINK_CAP_CREDITS		ALINK_BIT64(17)	/* link credits that are lost are missed, ALINK_LSTAT_CREDIT_STALLS ... */
#define ALINK_CAP_WAIT_MS		ALINK_BIT64(18)	/* xPU: how long a WAIT may last, src2 of ALINK_XPU_OP_WAIT */
#define ALINK_CAP_TABLES_USED		ALINK_BIT64(19)	/* switch: how full its tables are, ALINK_SW_REG_ROUTES_USED ... */
#define ALINK_CAP_SEGMENTS		ALINK_BIT64(20)	/* xPU: ALINK_XPU_ADMIN_SEG_GET */
#define ALINK_CAP_SPARES		ALINK_BIT64(21)	/* xPU: routes may have spare links, ALINK_TLV_SPARES */
#define ALINK_CAP_BER			ALINK_BIT64(22)	/* links tell of wrong bits, and lower their rate, ALINK_LSTAT_BER */
#define ALINK_CAP_HUGE_LEAF		ALINK_BIT64(23)	/* xPU: ALINK_PTE_LEAF in level 2 */
#define ALINK_CAP_REDUCE_KEEP		ALINK_BIT64(24)	/* xPU: ALINK_XPU_DF_KEEP */

enum alink_state {
	ALINK_STATE_RESET	= 0,	/* reset in progress */
	ALINK_STATE_READY	= 1,	/* firmware is up; queues may be set up */
	ALINK_STATE_FAULTED	= 2,	/* see the fault record; needs its recovery */
};

#define ALINK_CONTROL_ENABLE		ALINK_BIT(0)	/* driver is present */

enum alink_reset_cause {
	ALINK_RESET_CAUSE_COLD	= 0,
	ALINK_RESET_CAUSE_FLR	= 1,
	ALINK_RESET_CAUSE_SOFT	= 2,	/* ALINK_REG_RESET */
};

enum alink_recovery {
	ALINK_RECOVERY_NONE	= 0,
	ALINK_RECOVERY_RETRY	= 1,
	ALINK_RECOVERY_CONTEXT	= 2,	/* context reset */
	ALINK_RECOVERY_DEVICE	= 3,	/* device reset */
	ALINK_RECOVERY_REPLACE	= 4,	/* replace the part */
};

/* Fault code = client * 256 + event; events start at 128 */
#define ALINK_FAULT(client, event)	((client) * 256 + (event))
#define ALINK_FAULT_CLIENT_CP		1	/* command processor */
#define ALINK_FAULT_CLIENT_MMU		6
#define ALINK_FAULT_CLIENT_C2C		14	/* remote access engine */
#define ALINK_FAULT_CLIENT_SWITCH	16
#define ALINK_FAULT_CLIENT_LINK		17
#define ALINK_FAULT_CLIENT_HBM		19
#define ALINK_FAULT_CLIENT_KERNEL	63	/* the driver itself: no device sends these */
#define ALINK_FAULT_CP_BAD_COMMAND	ALINK_FAULT(1, 128)	/* 384 */
#define ALINK_FAULT_MMU_PAGE		ALINK_FAULT(6, 128)
#define ALINK_FAULT_HBM_ECC		ALINK_FAULT(19, 128)
#define ALINK_FAULT_KERNEL_LOST		ALINK_FAULT(63, 129)	/* 16257 */
#define ALINK_FAULT_KERNEL_STUCK	ALINK_FAULT(63, 130)	/* 16258: a queue makes no progress */

/* ALINK_REG_TEST_DMA_CTRL: what to do with the buffer */
#define ALINK_TEST_DMA_FILL		1	/* byte i := (0x5a + i) & 0xff */
#define ALINK_TEST_DMA_INVERT		2	/* each byte := its complement */
#define ALINK_TEST_DMA_CLEAR		3
/* ALINK_REG_TEST_DMA_STATUS */
#define ALINK_TEST_DMA_IDLE		0
#define ALINK_TEST_DMA_BUSY		1
#define ALINK_TEST_DMA_DONE		2
#define ALINK_TEST_DMA_ERROR		3	/* the bus refused an access */

/*
 * Admin queue. Vector 0 announces completions and events.
 *
 * The driver writes struct alink_admin_cmd at index tail % size, then the new
 * tail. Commands run in order. Each is answered by one struct alink_admin_cpl;
 * its phase bit is 1 on the first pass through the ring and flips with each
 * wrap (rings are zeroed before they are enabled).
 */
#define ALINK_VECTOR_ADMIN		0

struct alink_admin_cmd {
	__le16 opcode;		/* ALINK_ADMIN_* */
	__le16 flags;		/* 0 */
	__le32 cid;		/* chosen by the driver, comes back */
	__le64 req_addr;	/* DMA address of the request: TLVs */
	__le64 resp_addr;	/* DMA address for the response: TLVs */
	__le32 req_len;		/* bytes, 0..ALINK_ADMIN_BUF_MAX */
	__le32 resp_len;	/* room in bytes, 0..ALINK_ADMIN_BUF_MAX */
	__le64 reserved[4];
};
static_assert(sizeof(struct alink_admin_cmd) == 64, "admin command is 64 bytes");

struct alink_admin_cpl {
	__le32 cid;
	__le16 status;		/* enum alink_status */
	__le16 phase;		/* bit 0 */
	__le32 resp_len;	/* bytes written, or bytes needed with ALINK_ST_NO_ROOM */
	__le32 info;		/* for errors: the TLV type at fault, or 0 */
};
static_assert(sizeof(struct alink_admin_cpl) == 16, "admin completion is 16 bytes");

#define ALINK_ADMIN_BUF_MAX		65536

/*
 * TLV: header, then len bytes, then padding to 8. An unknown type is ignored
 * unless ALINK_TLV_MUST is set: then the command fails with ALINK_ST_TLV.
 */
struct alink_tlv {
	__le16 type;		/* ALINK_TLV_* | ALINK_TLV_MUST */
	__le16 len;		/* payload bytes, without header and padding */
	__le32 reserved;
};
static_assert(sizeof(struct alink_tlv) == 8, "TLV header is 8 bytes");
#define ALINK_TLV_MUST			0x8000
#define ALINK_TLV_SPAN(len)		(8 + (((len) + 7) & ~7U))

/* Status of admin commands, of descriptors, and of fabric operations */
enum alink_status {
	ALINK_ST_OK		= 0,
	ALINK_ST_BAD_OPCODE	= 1,
	ALINK_ST_BAD_FIELD	= 2,	/* info names the TLV */
	ALINK_ST_TLV		= 3,	/* malformed, missing or unknown must-understand TLV */
	ALINK_ST_NO_ROOM	= 4,	/* response buffer or table full; no memory */
	ALINK_ST_EXISTS		= 5,
	ALINK_ST_NOT_FOUND	= 6,
	ALINK_ST_BUSY		= 7,	/* object in use */
	ALINK_ST_DMA		= 8,	/* the bus refused an access */
	ALINK_ST_ABORTED	= 9,	/* reset, removal, queue destroyed */
	ALINK_ST_DENIED		= 10,
	ALINK_ST_STUCK		= 11,	/* no progress, ended for that: from the driver, not the device */
	/* fabric operations */
	ALINK_ST_NO_PATH	= 16,	/* no route, or fewer links than its minimum */
	ALINK_ST_PORT_DOWN	= 17,	/* a port on the only path is down */
	ALINK_ST_PARTITION	= 18,	/* initiator and target share no partition */
	ALINK_ST_KEY		= 19,	/* no such segment, wrong key, or no such right */
	ALINK_ST_RANGE		= 20,	/* beyond the segment */
	ALINK_ST_POISON		= 21,	/* data is known bad */
	ALINK_ST_TIMEOUT	= 22,
	ALINK_ST_UNREACHABLE	= 23,	/* target did not answer: dummy response */
	ALINK_ST_GROUP		= 24,	/* no such group, or a member is missing */
	ALINK_ST_UNSUPPORTED	= 25,	/* data type or operation not in this engine */
	ALINK_ST_EPOCH		= 26,	/* reducing push: the epoch has ended */
	/* address translation */
	ALINK_ST_PAGE_FAULT	= 32,	/* nothing mapped at the address */
	ALINK_ST_PERMISSION	= 33,	/* mapped without the right to do this */
	ALINK_ST_ALIGN		= 34,
	/* firmware images: firmware.rst */
	ALINK_ST_FW_FORMAT	= 40,	/* no image, or of a format that the device does not know */
	ALINK_ST_FW_DEVTYPE	= 41,	/* for another type of device */
	ALINK_ST_FW_VARIANT	= 42,	/* for other variants */
	ALINK_ST_FW_LENGTH	= 43,	/* payload too long, not aligned, or not all there */
	ALINK_ST_FW_DIGEST	= 44,	/* sha256 does not match */
	ALINK_ST_FW_SECURITY	= 45,	/* security version below the floor */
};

/* Admin opcodes: 0x0000 common, 0x0100 xPU, 0x0200 switch, 0x0300 optics, 0x0400 NIC, 0x0500 rack */
enum alink_admin_opcode {
	ALINK_ADMIN_NOP			= 0x0000,
	ALINK_ADMIN_IDENTIFY		= 0x0001,	/* -> strings */
	ALINK_ADMIN_EVENT_MASK		= 0x0002,	/* MASK(u64): event types wanted */
	/* with ALINK_CAP_ROUTES; on an xPU ports are its links */
	ALINK_ADMIN_ROUTE_SET		= 0x0010,	/* ROUTE (+ SPARES): adds or replaces */
	ALINK_ADMIN_ROUTE_DEL		= 0x0011,	/* ID */
	ALINK_ADMIN_ROUTE_GET		= 0x0012,	/* ID: first to show -> (ROUTE (+ SPARES)) list in ascending id; resumes */
	/* with ALINK_CAP_GROUPS */
	ALINK_ADMIN_GROUP_ADD		= 0x0018,	/* GROUP + MEMBERS */
	ALINK_ADMIN_GROUP_DEL		= 0x0019,	/* ID */
	ALINK_ADMIN_GROUP_GET		= 0x001a,	/* ID: first to show -> (GROUP, MEMBERS) list */
	/* with ALINK_CAP_PARTITIONS */
	ALINK_ADMIN_PARTITION_SET	= 0x0020,	/* PARTITION: endpoint joins partition; 0 is none */
	ALINK_ADMIN_PARTITION_GET	= 0x0021,	/* ID: first endpoint -> PARTITION list */
	/* with ALINK_CAP_FLASH */
	ALINK_ADMIN_FLASH_INFO		= 0x0030,	/* -> FLASH_INFO */
	ALINK_ADMIN_FLASH_BEGIN		= 0x0031,	/* FW_HEADER: opens an update */
	ALINK_ADMIN_FLASH_WRITE		= 0x0032,	/* FLASH_DATA: the next piece */
	ALINK_ADMIN_FLASH_COMMIT	= 0x0033,	/* checks the image: the next reset starts it */
	ALINK_ADMIN_FLASH_ABORT		= 0x0034,	/* closes an update, if one is open */
};

/* TLV types with their payloads */
#define ALINK_TLV_ID			0x0001	/* __le32 */
#define ALINK_TLV_MASK			0x0002	/* __le64 */
#define ALINK_TLV_NAME			0x0003	/* model name, text without NUL */
#define ALINK_TLV_FW_TEXT		0x0004	/* firmware version, text */
#define ALINK_TLV_PART_NUMBER		0x0005	/* text */
#define ALINK_TLV_BOARD_SERIAL		0x0006	/* text */
#define ALINK_TLV_ROUTE			0x0010	/* struct alink_route */
#define ALINK_TLV_SPARES		0x0011	/* __le64: bitmap of an xPU's links that stand in for those of its ROUTE */
#define ALINK_TLV_GROUP			0x0018	/* struct alink_group */
#define ALINK_TLV_MEMBERS		0x0019	/* __le32 fabric ids, ascending */
#define ALINK_TLV_PARTITION		0x0020	/* struct alink_partition */
#define ALINK_TLV_FLASH_INFO		0x0030	/* struct alink_flash_info */
#define ALINK_TLV_FW_HEADER		0x0031	/* struct alink_fw_header */
#define ALINK_TLV_FLASH_DATA		0x0032	/* struct alink_flash_data, then bytes */

#define ALINK_MAX_PORTS			1024

/* One route: packets to endpoint dst leave by one of the ports in the bitmap */
struct alink_route {
	__le32 dst;		/* endpoint id */
	__le32 min_ports;	/* fewer live ports than this is ALINK_ST_NO_PATH; >= 1 */
	__le64 ports[ALINK_MAX_PORTS / 64];	/* bitmap, port 0 is bit 0 of [0] */
};
static_assert(sizeof(struct alink_route) == 136, "route is 136 bytes");

/* One multicast and reduction group. Members follow as ALINK_TLV_MEMBERS. */
struct alink_group {
	__le32 id;		/* 0..ALINK_MAX_GROUPS - 1 */
	__le32 num_members;	/* 1..1024 */
	__le64 key;		/* not 0; a member must name it to bind or to use the group */
	__le64 epoch;		/* RO: counts changes of this group */
	__le64 reductions;	/* RO: reducing operations served by this switch */
	__le64 bytes;		/* RO: bytes of results returned by this switch */
};
static_assert(sizeof(struct alink_group) == 40, "group is 40 bytes");
#define ALINK_MAX_GROUPS		256

struct alink_partition {
	__le32 endpoint;
	__le32 partition;	/* 1..1023; 0 is none: nothing may be reached */
};
static_assert(sizeof(struct alink_partition) == 8, "partition entry is 8 bytes");

/*
 * Event ring: the device writes at index head_of_device % size with a phase
 * bit as in the admin completion ring, then raises vector 0.
 */
struct alink_event {
	__le16 type;		/* ALINK_EVENT_* */
	__le16 phase;		/* bit 0 */
	__le32 id;		/* port, queue, module, ... */
	__le32 code;		/* by type */
	__le32 info;		/* by type */
	__le64 addr;		/* by type */
	__le64 time_ns;		/* fabric clock */
};
static_assert(sizeof(struct alink_event) == 32, "event is 32 bytes");

enum alink_event_type {
	ALINK_EVENT_NONE	= 0,
	ALINK_EVENT_LINK	= 1,	/* id = link; code = 1 up, 0 down; info = enum alink_down_reason */
	ALINK_EVENT_FAULT	= 2,	/* id = queue/port; code = fault code; info = recovery; addr */
	ALINK_EVENT_QUEUE_ERROR	= 3,	/* xPU: id = queue; code = enum alink_status; info = descriptor index; addr = address */
	ALINK_EVENT_MODULE	= 4,	/* optics: id = module channel; code = ALINK_MODULE_EV_* */
	ALINK_EVENT_THERMAL	= 5,	/* id = sensor; code = 1 over, 0 under; info = value */
	ALINK_EVENT_ROUTE	= 6,	/* id = endpoint; code = 1 set, 0 deleted */
	ALINK_EVENT_GROUP	= 7,	/* id = group; code = 1 added, 0 deleted; to members: info = plane */
	ALINK_EVENT_PARTITION	= 8,	/* id = endpoint; code = partition */
	ALINK_EVENT_QUEUE_FAULT	= 10,	/* xPU: id = queue; code = enum alink_status; info = descriptor index; addr = address */
	ALINK_EVENT_CREDIT	= 11,	/* id = link; code = enum alink_credit; info = credits lost; addr = fabric clock at the first, ns */
};

/* Link-level frame descriptors, both directions. Written back with DONE set. */
struct alink_frame_desc {
	__le64 addr;		/* DMA address of the frame or of the empty buffer */
	__le16 len;		/* TX: bytes, 14..ALINK_FRAME_MAX; RX: room, then bytes received */
	__le16 link;		/* TX: link to leave by; RX: link it came by */
	__le16 flags;		/* ALINK_FRAME_* */
	__le16 status;		/* enum alink_status, with DONE */
};
static_assert(sizeof(struct alink_frame_desc) == 16, "frame descriptor is 16 bytes");
#define ALINK_FRAME_DONE		ALINK_BIT(0)
#define ALINK_FRAME_MAX			9216

#endif /* HW_ALINK_COMMON_H */
