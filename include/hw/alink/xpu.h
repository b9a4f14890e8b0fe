/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ALink xPU: registers, page tables, queues, descriptors, admin commands.
 * Specification: Documentation/hw/xpu.rst.
 *
 * BAR0 registers, link windows and doorbell pages; BAR1 MSI-X;
 * BAR2 HBM (64-bit prefetchable); BAR4 aperture (with ALINK_CAP_APERTURE).
 */
#ifndef HW_ALINK_XPU_H
#define HW_ALINK_XPU_H

#include <hw/alink/fabric.h>
#include <hw/alink/link.h>

#define ALINK_XPU_BAR_HBM		2
#define ALINK_XPU_BAR_APERTURE		4

/* ALINK_REG_VARIANT of an xPU; the table is in Documentation/hw/xpu.rst */
#define ALINK_XPU_M890			0x0001
#define ALINK_XPU_810E			0x0002

#define ALINK_XPU_REG_HBM_SIZE	0x1000	/* RO 64 -  HBM fitted, bytes */
#define ALINK_XPU_REG_HBM_BAR	0x1008	/* RO 64 -  part of it that BAR2 shows, bytes */
#define ALINK_XPU_REG_NUM_DIES	0x1010	/* RO 32 -  */
#define ALINK_XPU_REG_NUM_RINGS	0x1014	/* RO 32 -  DMA rings; queues share them by queue id modulo rings */
#define ALINK_XPU_REG_NUM_QUEUES 0x1018	/* RO 32 -  queues that may exist at once */
#define ALINK_XPU_REG_NUM_CTX	0x101c	/* RO 32 -  contexts that may exist at once; ids 1..n */
#define ALINK_XPU_REG_VA_BITS	0x1020	/* RO 32 -  48 */
#define ALINK_XPU_REG_DTYPES	0x1024	/* RO 32 -  bitmap of enum alink_dtype that engines take */
#define ALINK_XPU_REG_NUM_IMPORTS 0x1028 /* RO 32 -  import slots */
#define ALINK_XPU_REG_NUM_SEGMENTS 0x102c /* RO 32 -  segments that may be exported */
#define ALINK_XPU_REG_BUSY_NS	0x1030	/* RO 64 0x0  wall time that engines worked since power on, ns */
#define ALINK_XPU_REG_COMMANDS	0x1038	/* RO 64 0x0  descriptors completed since power on */
#define ALINK_XPU_REG_IRQS	0x1040	/* RO 64 0x0  queue interrupts raised since power on */
#define ALINK_XPU_REG_DOORBELLS	0x1048	/* RO 64 0x0  doorbell writes since power on */
#define ALINK_XPU_REG_COMPUTE_FUNCS 0x1080 /* RO 32 -  bitmap of enum alink_xpu_func that compute engines have; 0: none */
#define ALINK_XPU_REG_COMPUTE_DTYPES 0x1084 /* RO 32 -  bitmap of enum alink_dtype that they take */
#define ALINK_XPU_REG_MACS	0x1088	/* RO 64 0x0  multiply-accumulates of GEMMs completed since power on */
#define ALINK_XPU_REG_SLICE_US	0x1090	/* RO 32 -  longest turn while an equal waits, modelled time, us */
#define ALINK_XPU_REG_STARVE_US	0x1094	/* RO 32 -  a ready queue waits no longer for its turn, modelled time, us */
#define ALINK_XPU_REG_PROGRESS_MS 0x1098 /* RO 32 -  a queue that has work shows progress within this time, ms */
#define ALINK_XPU_REG_ECC_CORRECTED 0x10a0 /* RO 64 0x0  with ALINK_CAP_ECC: errors of HBM that were corrected since power on */

/* Queue windows: what the device knows of a queue, and no user can write */
#define ALINK_XPU_Q_BASE		0x4000
#define ALINK_XPU_Q_STRIDE		0x40
#define ALINK_XPU_Q(q, reg)		(ALINK_XPU_Q_BASE + (q) * ALINK_XPU_Q_STRIDE + (reg))
#define ALINK_XPU_Q_BUSY_NS	0x00	/* RO 64 0x0  wall time that engines worked for the queue, ns */
#define ALINK_XPU_Q_HEAD	0x08	/* RO 32 0x0  descriptors consumed, free-running */
#define ALINK_XPU_Q_TAIL	0x0c	/* RO 32 0x0  tail as the doorbell last said, free-running */
#define ALINK_XPU_Q_STATE	0x10	/* RO 32 0x0  enum alink_xpu_queue_state */
#define ALINK_XPU_Q_PRIORITY	0x14	/* RO 32 0x0  enum alink_xpu_priority */
#define ALINK_XPU_Q_TURNS	0x18	/* RO 64 0x0  turns that it had */
#define ALINK_XPU_Q_WAIT_NS	0x20	/* RO 64 0x0  modelled time that it waited for its turns, ns */
#define ALINK_XPU_Q_WORST_NS	0x28	/* RO 64 0x0  longest of these waits, ns */
#define ALINK_XPU_Q_FAULT_ADDR	0x30	/* RO 64 0x0  in state FAULT: device virtual address of the access */
#define ALINK_XPU_Q_FAULT_RIGHTS 0x38	/* RO 32 0x0  in state FAULT: ALINK_PTE_READ, WRITE, ATOMIC that it needs */
#define ALINK_XPU_Q_PROGRESS	0x3c	/* RO 32 0x0  signs of life: changes as long as the queue gets on */

enum alink_xpu_queue_state {
	ALINK_XPU_Q_NONE	= 0,	/* there is no such queue */
	ALINK_XPU_Q_IDLE	= 1,	/* all descriptors are consumed */
	ALINK_XPU_Q_ACTIVE	= 2,	/* has descriptors, and runs or waits for its turn */
	ALINK_XPU_Q_WAITING	= 3,	/* in a WAIT whose condition does not hold, or a push that lacks others */
	ALINK_XPU_Q_HALTED	= 4,	/* stopped by an error */
	ALINK_XPU_Q_FAULT	= 8,	/* stopped by an access that may be tried again, see ALINK_PTE_RETRY */
};

/* Info windows (with ALINK_CAP_QUEUE_INFO): time by engine, and the descriptor that a queue is at */
#define ALINK_XPU_QI_BASE		0x6000
#define ALINK_XPU_QI_STRIDE		0x80
#define ALINK_XPU_QI(q, reg)		(ALINK_XPU_QI_BASE + (q) * ALINK_XPU_QI_STRIDE + (reg))
#define ALINK_XPU_QI_COMPUTE_NS	0x00	/* RO 64 0x0  part of BUSY_NS that the compute engine worked, ns */
#define ALINK_XPU_QI_DESC	0x08	/* RO 32 0x0  1: the registers below have the descriptor at the head; 0: it was not fetched */
#define ALINK_XPU_QI_DESC_OP	0x10	/* RO 64 0x0  its first word: opcode 7:0, flags 15:8, dtype 23:16, subop 31:24, reserved 63:32 */
#define ALINK_XPU_QI_DESC_DST	0x18	/* RO 64 0x0  its field dst */
#define ALINK_XPU_QI_DESC_SRC	0x20	/* RO 64 0x0  its field src */
#define ALINK_XPU_QI_DESC_SRC2	0x28	/* RO 64 0x0  its field src2 */
#define ALINK_XPU_QI_DESC_LEN	0x30	/* RO 64 0x0  its field len */
#define ALINK_XPU_QI_DESC_FENCE	0x38	/* RO 64 0x0  its field fence_addr */
#define ALINK_XPU_QI_DESC_VALUE	0x40	/* RO 64 0x0  its field fence_value */

/* Doorbell pages: one per queue, mapped to user space whole */
#define ALINK_XPU_DB_BASE		0x80000
#define ALINK_XPU_DB_STRIDE		0x1000
#define ALINK_XPU_DB(q)			(ALINK_XPU_DB_BASE + (q) * ALINK_XPU_DB_STRIDE)
#define ALINK_XPU_DB_TAIL		0x000	/* WO 32 0x0  per queue: free-running producer index */
#define ALINK_XPU_MAX_QUEUES		65	/* 64 for users, one for the driver */

/* Steps of a ring that an engine beside it, idle and wanted, waits for at most; and so a ring */
#define ALINK_XPU_BESIDE_STEPS		64

/* Vectors: 0 admin and events, then queue interrupts */
#define ALINK_XPU_VECTOR_QUEUE(n)	(1 + (n))
#define ALINK_XPU_NUM_VECTORS		5	/* queue vectors 1..4 */

/*
 * Page tables: 48-bit device virtual addresses, 4 levels of 512 entries of
 * 64 bits, in system memory, 4 KiB each. Levels are numbered 3 (root) to 0.
 * A level 1 entry with LEAF maps 2 MiB, one of level 2 1 GiB. Tables are found
 * by DMA address.
 */
#define ALINK_PTE_VALID			ALINK_BIT64(0)
#define ALINK_PTE_READ			ALINK_BIT64(1)
#define ALINK_PTE_WRITE			ALINK_BIT64(2)
#define ALINK_PTE_ATOMIC		ALINK_BIT64(3)
#define ALINK_PTE_LEAF			ALINK_BIT64(4)	/* level 1: maps 2 MiB; level 2, with ALINK_CAP_HUGE_LEAF: 1 GiB */
#define ALINK_PTE_APERTURE_SHIFT	5
#define ALINK_PTE_APERTURE_MASK		ALINK_MASK64(6, 5)
#define ALINK_PTE_RETRY			ALINK_BIT64(7)	/* what is not allowed here stops the queue, to be tried again; also without VALID */
#define ALINK_PTE_ADDR_MASK		ALINK_MASK64(57, 12)	/* bits 11:0 are 0 */
#define ALINK_PTE_RESERVED		(ALINK_MASK64(11, 8) | ALINK_MASK64(63, 58))

enum alink_aperture {
	ALINK_AP_SYSTEM		= 0,	/* address: DMA address */
	ALINK_AP_HBM		= 1,	/* address: offset in own HBM */
	ALINK_AP_REMOTE		= 2,	/* address: import slot and offset */
	ALINK_AP_GROUP		= 3,	/* address: group slot and offset */
};

/* Address of the two remote apertures: slot in 57:44, offset in 43:0 (16 TiB) */
#define ALINK_REMOTE_SLOT_SHIFT		44
#define ALINK_REMOTE_OFFSET_MASK	ALINK_MASK64(43, 0)
#define ALINK_XPU_MAX_IMPORTS		4096

/*
 * Queue: ring of descriptors at a device virtual address of the context; a
 * status block at another. The user writes descriptors at index tail % size
 * and then the new tail into the doorbell.
 */
struct alink_xpu_desc {
	__u8  opcode;		/* ALINK_XPU_OP_* */
	__u8  flags;		/* ALINK_XPU_DF_* */
	__u8  dtype;		/* enum alink_dtype, for reductions and element-wise work */
	__u8  subop;		/* enum alink_redop, alink_atomic, alink_wait or alink_xpu_func */
	__le32 reserved;	/* 0 */
	__le64 dst;		/* device virtual address */
	__le64 src;		/* device virtual address, or operand */
	__le64 src2;		/* device virtual address, or operand */
	__le64 len;		/* bytes */
	__le64 fence_addr;	/* with DF_FENCE: 8-byte aligned device virtual address */
	__le64 fence_value;	/* stored there as __le64 once all effects are visible */
	__le64 user;		/* not read by the device */
};
static_assert(sizeof(struct alink_xpu_desc) == 64, "descriptor is 64 bytes");

#define ALINK_XPU_DF_FENCE		ALINK_BIT(0)	/* write fence_value at completion */
#define ALINK_XPU_DF_IRQ		ALINK_BIT(1)	/* then raise the queue's vector */
#define ALINK_XPU_DF_KEEP		ALINK_BIT(2)	/* REDUCE with dst behind the fabric: src2 gets the result, too */
#define ALINK_XPU_DF_KNOWN		(ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ | ALINK_XPU_DF_KEEP)

enum alink_xpu_opcode {
	ALINK_XPU_OP_NOP	= 0,
	ALINK_XPU_OP_COPY	= 1,	/* dst := src. dst in a group: multicast write */
	ALINK_XPU_OP_FILL	= 2,	/* dst := low 32 bits of src, repeated; len multiple of 4 */
	ALINK_XPU_OP_ATOMIC32	= 3,	/* dst: target; src: operand; src2: CAS compare; old value -> len field's address, 0: none */
	ALINK_XPU_OP_ATOMIC64	= 4,	/* as ATOMIC32 */
	ALINK_XPU_OP_WAIT	= 5,	/* wait until *(__le64 *)dst compares with src as subop says; src2: for so many ms, 0: for ever */
	ALINK_XPU_OP_REDUCE	= 6,	/* dst := src op src2, element by element */
	ALINK_XPU_OP_REDUCE_READ = 7,	/* src in a group: dst := op over all members' data at that offset */
	ALINK_XPU_OP_COMPUTE	= 8,	/* function subop of the struct alink_xpu_compute at src; len: its size */
	ALINK_XPU_OP_PUSH_REDUCE = 9,	/* dst in a group: of all members := op over what each has at src; src2: ALINK_XPU_PUSH() */
};

enum alink_wait {
	ALINK_WAIT_EQ		= 0,
	ALINK_WAIT_GE		= 1,	/* as (s64)(memory - src) >= 0 */
};

/* src2 of PUSH_REDUCE: 48 bits of epoch, and ms until the others must have come */
#define ALINK_XPU_PUSH_MS_SHIFT		48
#define ALINK_XPU_PUSH(epoch, ms)	((__u64)(epoch) | (__u64)(ms) << ALINK_XPU_PUSH_MS_SHIFT)

#define ALINK_XPU_MAX_LEN		ALINK_BIT64(32)	/* bytes of one descriptor */

/* Modelled time; xpu.rst, "Timing", has where it is from. Rates: 10^6 bytes/s */
#define ALINK_XPU_DESC_NS		100	/* each descriptor */
#define ALINK_XPU_LOCAL_MBPS		64000	/* local traffic of one ring */
#define ALINK_XPU_REDUCE_MBPS		820000	/* results of a REDUCE within HBM */

/* Functions of compute engines; arithmetic and operands: xpu.rst, "Compute" */
enum alink_xpu_func {
	ALINK_XPU_FN_GEMM	= 0,	/* dst[m][n] := a[m][k] * b[k][n] */
	ALINK_XPU_FN_ADD	= 1,	/* dst := a + b */
	ALINK_XPU_FN_MUL	= 2,	/* dst := a * b */
	ALINK_XPU_FN_CAST	= 3,	/* dst := a */
	ALINK_XPU_FN_RMSNORM	= 4,	/* dst := a / sqrt(mean(a^2) + param) * b, by rows */
	ALINK_XPU_FN_SOFTMAX	= 5,	/* dst := softmax(a * param), by rows */
	ALINK_XPU_FN_SILU	= 6,	/* dst := a / (1 + exp(-a)) */
	ALINK_XPU_FN_GELU	= 7,	/* tanh form */
	ALINK_XPU_FN_ROPE	= 8,	/* rotates heads of k elements by the angles whose cos, sin b has */
	ALINK_XPU_FN_EMBED	= 9,	/* dst[i] := a[b[i]], a having k rows */
	ALINK_XPU_FN_TOPK	= 10,	/* dst[i][0..k-1] := indices of the greatest of a[i], greatest first */
	ALINK_XPU_NUM_FUNCS,
};

#define ALINK_XPU_CF_TRANS_B		ALINK_BIT(0)	/* GEMM: b is stored as b[n][k] */
#define ALINK_XPU_CF_ACCUMULATE		ALINK_BIT(1)	/* GEMM: sums begin with what dst holds */
#define ALINK_XPU_CF_SATURATE		ALINK_BIT(2)	/* too large for dst: its greatest value of that sign */
#define ALINK_XPU_CF_TRANS_A		ALINK_BIT(3)	/* GEMM: a is stored as a[k][m] */
#define ALINK_XPU_CF_KNOWN		(ALINK_XPU_CF_TRANS_B | ALINK_XPU_CF_ACCUMULATE | \
					 ALINK_XPU_CF_SATURATE | ALINK_XPU_CF_TRANS_A)

#define ALINK_XPU_MAX_DIM		0x100000	/* m, n, k */
#define ALINK_XPU_MAX_TOPK		64
#define ALINK_XPU_MX_BLOCK		32	/* elements of MXFP4 that share a scale */

/* A matrix, row by row; elements of a row lie side by side */
struct alink_xpu_matrix {
	__le64 addr;		/* device virtual address */
	__le64 stride;		/* bytes from row to row; of operands, 0: one row stands for all */
	__le64 scale;		/* MXFP4: address of the scales, else 0 */
	__le32 scale_stride;	/* MXFP4: bytes from the scales of a row to those of the next, else 0 */
	__u8   dtype;		/* enum alink_dtype */
	__u8   reserved[3];	/* 0 */
};
static_assert(sizeof(struct alink_xpu_matrix) == 32, "matrix is 32 bytes");

/* What ALINK_XPU_OP_COMPUTE reads once, when it begins */
struct alink_xpu_compute {
	__le32 flags;		/* ALINK_XPU_CF_* */
	__le32 m;		/* rows of dst, 1..ALINK_XPU_MAX_DIM */
	__le32 n;		/* columns, 1..ALINK_XPU_MAX_DIM */
	__le32 k;		/* as the function says, else 0 */
	__le32 param;		/* FP32, as the function says, else 0 */
	__le32 reserved[3];	/* 0 */
	struct alink_xpu_matrix dst;
	struct alink_xpu_matrix a;
	struct alink_xpu_matrix b;	/* all 0 if the function has none */
};
static_assert(sizeof(struct alink_xpu_compute) == 128, "compute block is 128 bytes");

/* Written by the device; a queue with error != 0 has stopped */
struct alink_xpu_queue_status {
	__le32 head;		/* free-running: descriptors consumed */
	__le32 error;		/* enum alink_status of the descriptor at error_index */
	__le32 error_index;	/* free-running index */
	__le32 reserved0;
	__le64 error_addr;	/* device virtual address at fault, or 0 */
	__le64 model_ns;	/* modelled time of all descriptors completed so far, ns */
	__le64 model_last_ns;	/* modelled time of the latest descriptor, ns */
	__le64 bytes;		/* bytes moved so far */
	__le64 reserved1[2];
};
static_assert(sizeof(struct alink_xpu_queue_status) == 64, "queue status is 64 bytes");

/* Admin commands of the xPU */
enum alink_xpu_admin_opcode {
	ALINK_XPU_ADMIN_CTX_CREATE	= 0x0100,	/* CTX */
	ALINK_XPU_ADMIN_CTX_DESTROY	= 0x0101,	/* ID: refused with BUSY while queues exist */
	ALINK_XPU_ADMIN_TLB_INVALIDATE	= 0x0102,	/* ID: context; returns when no old translation is in use */
	ALINK_XPU_ADMIN_QUEUE_CREATE	= 0x0108,	/* QUEUE */
	ALINK_XPU_ADMIN_QUEUE_DESTROY	= 0x0109,	/* ID: aborts what runs; returns when idle */
	ALINK_XPU_ADMIN_SEG_EXPORT	= 0x0110,	/* SEGMENT */
	ALINK_XPU_ADMIN_SEG_REVOKE	= 0x0111,	/* ID: returns when no access is in flight */
	ALINK_XPU_ADMIN_SEG_IMPORT	= 0x0112,	/* IMPORT */
	ALINK_XPU_ADMIN_SEG_RELEASE	= 0x0113,	/* ID: import slot */
	/* with ALINK_CAP_SEGMENTS */
	ALINK_XPU_ADMIN_SEG_GET		= 0x0114,	/* ID: first to show -> SEGMENT_INFO list in ascending id; resumes */
	ALINK_XPU_ADMIN_GROUP_BIND	= 0x0118,	/* GROUP_BIND: own segment becomes this member's memory */
	ALINK_XPU_ADMIN_GROUP_UNBIND	= 0x0119,	/* ID: group */
	ALINK_XPU_ADMIN_GROUP_IMPORT	= 0x011a,	/* IMPORT with group id and key: a slot for the GROUP aperture */
	ALINK_XPU_ADMIN_GROUP_RELEASE	= 0x011b,	/* ID: group slot */
	/* with ALINK_CAP_RETIRE */
	ALINK_XPU_ADMIN_PAGE_RETIRE	= 0x0120,	/* PAGE: appends to the table of retired pages */
	ALINK_XPU_ADMIN_PAGE_LIST	= 0x0121,	/* -> PAGE list: the whole table, oldest first */
	/* with ALINK_CAP_RETRY */
	ALINK_XPU_ADMIN_QUEUE_RESUME	= 0x0130,	/* RESUME: a queue in state FAULT goes on, or halts */
};

#define ALINK_TLV_XPU_CTX		0x0100	/* struct alink_xpu_ctx */
#define ALINK_TLV_XPU_QUEUE		0x0101	/* struct alink_xpu_queue */
#define ALINK_TLV_XPU_SEGMENT		0x0102	/* struct alink_xpu_segment */
#define ALINK_TLV_XPU_IMPORT		0x0103	/* struct alink_xpu_import */
#define ALINK_TLV_XPU_GROUP_BIND	0x0104	/* struct alink_xpu_group_bind */
#define ALINK_TLV_XPU_PAGE		0x0105	/* struct alink_xpu_page */
#define ALINK_TLV_XPU_SEGMENT_INFO	0x0106	/* struct alink_xpu_segment_info */
#define ALINK_TLV_XPU_RESUME		0x0110	/* struct alink_xpu_resume */

struct alink_xpu_ctx {
	__le32 id;		/* 1..NUM_CTX */
	__le32 reserved;
	__le64 root;		/* DMA address of the level 3 table */
};
static_assert(sizeof(struct alink_xpu_ctx) == 16, "context is 16 bytes");

enum alink_xpu_priority {
	ALINK_XPU_PRIORITY_LOW		= 0,
	ALINK_XPU_PRIORITY_NORMAL	= 1,
	ALINK_XPU_PRIORITY_HIGH		= 2,
	ALINK_XPU_PRIORITY_REALTIME	= 3,	/* no equal ends its turn */
};

struct alink_xpu_queue {
	__le32 id;		/* 0..NUM_QUEUES - 1; also its doorbell page */
	__le32 ctx;
	__le64 ring;		/* device virtual address, 64-byte aligned */
	__le64 status;		/* device virtual address of struct alink_xpu_queue_status, 64-byte aligned */
	__le32 size;		/* descriptors: 2..65536, power of two */
	__le16 vector;		/* 1..ALINK_XPU_NUM_VECTORS - 1 */
	__le16 priority;	/* enum alink_xpu_priority */
};
static_assert(sizeof(struct alink_xpu_queue) == 32, "queue is 32 bytes");

/*
 * A segment opens part of the xPU's memory to other endpoints. Pieces of HBM
 * follow as extents, so that a segment need not be contiguous in HBM.
 */
struct alink_xpu_extent {
	__le64 addr;		/* offset in own HBM, 4 KiB aligned */
	__le64 len;		/* bytes, 4 KiB aligned */
};
static_assert(sizeof(struct alink_xpu_extent) == 16, "extent is 16 bytes");

#define ALINK_XPU_SEG_MAX_EXTENTS	16
struct alink_xpu_segment {
	__le32 id;		/* 0..NUM_SEGMENTS - 1 */
	__le32 rights;		/* ALINK_SEG_* */
	__le64 key;		/* importers must name it; not 0 */
	__le32 num_extents;	/* 1..ALINK_XPU_SEG_MAX_EXTENTS */
	__le32 reserved;
	struct alink_xpu_extent extents[ALINK_XPU_SEG_MAX_EXTENTS];
};
static_assert(sizeof(struct alink_xpu_segment) == 280, "segment is 280 bytes");

/* What there is to be known of a segment: all but its key and where it is */
struct alink_xpu_segment_info {
	__le32 id;
	__le32 rights;		/* ALINK_SEG_* */
	__le64 len;		/* bytes, all extents */
	__le32 num_extents;
	__le32 partition;	/* that it belongs to; 0: none yet */
	__le32 num_bindings;	/* to groups */
	__le32 reserved;
};
static_assert(sizeof(struct alink_xpu_segment_info) == 32, "segment info is 32 bytes");

struct alink_xpu_import {
	__le32 slot;		/* 0..NUM_IMPORTS - 1 */
	__le32 endpoint;	/* fabric id of the exporter; 0 for groups */
	__le32 object;		/* segment id, or group id */
	__le32 reserved;
	__le64 key;
};
static_assert(sizeof(struct alink_xpu_import) == 24, "import is 24 bytes");

struct alink_xpu_group_bind {
	__le32 group;
	__le32 segment;		/* own segment with ALINK_SEG_GROUP */
	__le64 key;		/* of the group */
	__le64 offset;		/* group offset 0 is here in the segment, 4 KiB aligned */
	__le64 len;		/* bytes that the group may address */
};
static_assert(sizeof(struct alink_xpu_group_bind) == 32, "group bind is 32 bytes");

/*
 * A page of HBM that must not be used any more. The table of them is in flash:
 * it outlives each reset, and the power.
 */
struct alink_xpu_page {
	__le64 addr;		/* offset in own HBM, 4 KiB aligned */
	__le64 time;		/* when it was retired: seconds since 1970, as the driver said */
	__le32 cause;		/* enum alink_xpu_retire_cause */
	__le32 reserved;	/* 0 */
};
static_assert(sizeof(struct alink_xpu_page) == 24, "page is 24 bytes");

enum alink_xpu_retire_cause {
	ALINK_XPU_RETIRE_ECC	= 1,	/* ALINK_FAULT_HBM_ECC */
};

#define ALINK_XPU_MAX_RETIRED		64	/* pages that the table holds */

struct alink_xpu_resume {
	__le32 queue;
	__le32 action;		/* enum alink_xpu_resume_action */
};
static_assert(sizeof(struct alink_xpu_resume) == 8, "resume is 8 bytes");

enum alink_xpu_resume_action {
	ALINK_XPU_RESUME_RETRY	= 0,	/* try the access again */
	ALINK_XPU_RESUME_FAIL	= 1,	/* halt with the status of the access */
	ALINK_XPU_RESUME_NO_ROOM = 2,	/* halt with ALINK_ST_NO_ROOM */
};

#endif /* HW_ALINK_XPU_H */
