/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What initiators, switches and targets agree on: data types, reductions,
 * limits and the timing constants of the fabric.
 * Specification: Documentation/hw/fabric.rst.
 */
#ifndef HW_ALINK_FABRIC_H
#define HW_ALINK_FABRIC_H

#include <hw/alink/shim.h>

#define ALINK_MAX_ENDPOINTS		1024
#define ALINK_MAX_PLANES		64	/* and links of an endpoint */
#define ALINK_MAX_PARTITIONS		1024	/* 0 is none */
#define ALINK_MAX_GROUP_SLOTS		256	/* per endpoint */

enum alink_dtype {
	ALINK_DT_INT32		= 0,
	ALINK_DT_FP32		= 1,
	ALINK_DT_BF16		= 2,
	ALINK_DT_FP16		= 3,
	ALINK_DT_FP8_E4M3	= 4,
	ALINK_DT_FP8_E5M2	= 5,
	ALINK_DT_UINT8		= 6,	/* copies only, no reductions */
	/* Compute engines only: xpu.rst, "Formats" */
	ALINK_DT_TF32		= 7,	/* a word of FP32, rounded to 10 bits of mantissa */
	ALINK_DT_MXFP4		= 8,	/* E2M1, two in a byte, E8M0 scales apart */
	ALINK_DT_INT8		= 9,
};

/* Rules of rounding, overflow, NaN and zero: fabric.rst, "Arithmetic" */
enum alink_redop {
	ALINK_OP_SUM		= 0,	/* in ascending member order */
	ALINK_OP_MIN		= 1,
	ALINK_OP_MAX		= 2,
};

enum alink_atomic {
	ALINK_ATOMIC_ADD	= 0,	/* wraps */
	ALINK_ATOMIC_CAS	= 1,	/* compare with operand 2, store operand 1 */
	ALINK_ATOMIC_SWAP	= 2,
	ALINK_ATOMIC_AND	= 3,
	ALINK_ATOMIC_OR		= 4,
	ALINK_ATOMIC_XOR	= 5,
	ALINK_ATOMIC_MIN	= 6,	/* unsigned */
	ALINK_ATOMIC_MAX	= 7,	/* unsigned */
};

/*
 * Payload of one fabric packet, and its cost on the wire beyond the payload.
 * Packets do not cross multiples of ALINK_PACKET_BYTES in a segment or group.
 */
#define ALINK_PACKET_BYTES		256
#define ALINK_PACKET_OVERHEAD		16

/*
 * Modelled time, ns, unless a fabric is set otherwise: in each endpoint, over one
 * cable, from port to port of a switch, and what its reduction engine adds.
 * fabric.rst, "Timing", has where they are from.
 */
#define ALINK_TIME_ENDPOINT_NS		100
#define ALINK_TIME_CABLE_NS		25
#define ALINK_TIME_HOP_NS		150
#define ALINK_TIME_REDUCE_NS		50

/*
 * Reducing push: what a switch keeps of one chunk, and what a member says of
 * it. fabric.rst, "Reducing push".
 */
#define ALINK_PUSH_SLOT_BYTES		0x40000		/* contributions of all members */
#define ALINK_PUSH_MAX_CHUNK		0x10000
#define ALINK_PUSH_MAX_EPOCH		ALINK_MASK64(47, 0)
#define ALINK_PUSH_TIMEOUT_MS		1000	/* what time 0 stands for */

/* Bytes of a chunk of a push in a group of @members */
static inline __u64 alink_push_chunk(__u32 members)
{
	__u64 chunk = ALINK_PUSH_MAX_CHUNK;

	while (chunk * members > ALINK_PUSH_SLOT_BYTES)
		chunk /= 2;
	return chunk;
}

/* Rights of a segment */
#define ALINK_SEG_READ			ALINK_BIT(0)
#define ALINK_SEG_WRITE			ALINK_BIT(1)
#define ALINK_SEG_ATOMIC		ALINK_BIT(2)
#define ALINK_SEG_GROUP			ALINK_BIT(3)	/* may be bound to a group */

#define ALINK_MAX_SEGMENTS		4096	/* per endpoint */

#endif /* HW_ALINK_FABRIC_H */
