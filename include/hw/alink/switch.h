/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ALink switch: registers and limits beyond the common block.
 * Specification: Documentation/hw/switch.rst.
 */
#ifndef HW_ALINK_SWITCH_H
#define HW_ALINK_SWITCH_H

#include <hw/alink/link.h>

/* ALINK_REG_VARIANT of a switch; the table is in Documentation/hw/switch.rst */
#define ALINK_SWITCH_ICN1		0x0001	/* ICN Switch 1.0: 64 x 400G */
#define ALINK_SWITCH_ALINK64		0x0002	/* ALink-64: 64 x 800G (8 x 112G lanes) */
#define ALINK_SWITCH_ALINK64_224	0x0003	/* ALink-64: 64 x 1600G (8 x 224G lanes) */
#define ALINK_SWITCH_ALINK128		0x0004	/* 128 x 800G (8 x 112G lanes) */
#define ALINK_SWITCH_UPN25_256		0x0010	/* UPN, 25.6 Tb/s: 256 x 100G */
#define ALINK_SWITCH_UPN51_256		0x0011	/* UPN, 51.2 Tb/s: 256 x 200G (2 x 112G lanes) */
#define ALINK_SWITCH_UPN51_256_224	0x0012	/* UPN, 51.2 Tb/s: 256 x 200G (224G lane) */
#define ALINK_SWITCH_UPN51_320		0x0013	/* UPN, 51.2 Tb/s: 320 x 100G */
#define ALINK_SWITCH_UPN51_512		0x0014	/* UPN, 51.2 Tb/s: 512 x 100G */
#define ALINK_SWITCH_UPN102_512		0x0015	/* UPN, 102.4 Tb/s: 512 x 200G (2 x 112G lanes) */
#define ALINK_SWITCH_UPN102_512_224	0x0016	/* UPN, 102.4 Tb/s: 512 x 200G (224G lane) */
#define ALINK_SWITCH_UPN204_1024	0x0017	/* UPN, 204.8 Tb/s: 1024 x 200G (224G lane) */

#define ALINK_SW_REG_RADIX	0x1000	/* RO 32 -  ports of the variant, populated or not */
#define ALINK_SW_REG_PLANE	0x1004	/* RO 32 -  plane that the switch serves */
#define ALINK_SW_REG_HOP_NS	0x1008	/* RO 32 -  port-to-port latency, ns */
#define ALINK_SW_REG_MAX_ROUTES	0x100c	/* RO 32 -  entries of the route table */
#define ALINK_SW_REG_MAX_GROUPS	0x1010	/* RO 32 -  entries of the group table */
#define ALINK_SW_REG_INC_DTYPES	0x1014	/* RO 32 -  bitmap of enum alink_dtype that reductions take */
#define ALINK_SW_REG_INC_OPS	0x1018	/* RO 32 -  bitmap of enum alink_redop that reductions take */
#define ALINK_SW_REG_REDUCTIONS	0x1020	/* RO 64 0x0  reducing operations served */
#define ALINK_SW_REG_MULTICASTS	0x1028	/* RO 64 0x0  multicast writes served */
#define ALINK_SW_REG_DROPS_NOROUTE 0x1030 /* RO 64 0x0  packets without a route */
#define ALINK_SW_REG_DROPS_PART	0x1038	/* RO 64 0x0  packets between partitions */
/* With ALINK_CAP_PUSH */
#define ALINK_SW_REG_PUSHES	0x1040	/* RO 64 0x0  chunks of reducing pushes that gave a result */
#define ALINK_SW_REG_PUSH_WAITS	0x1048	/* RO 64 0x0  contributions that had to wait for a slot */
#define ALINK_SW_REG_PUSH_TIMEOUTS 0x1050 /* RO 64 0x0  slots that ended because a member was late */
#define ALINK_SW_REG_PUSH_ABORTS 0x1058	/* RO 64 0x0  slots that ended otherwise without a result */
#define ALINK_SW_REG_PUSH_LATE	0x1060	/* RO 64 0x0  contributions to epochs that had ended */
#define ALINK_SW_REG_PUSH_SLOTS	0x1068	/* RO 32 -  slots for reducing pushes */
#define ALINK_SW_REG_PUSH_USED	0x106c	/* RO 32 0x0  slots that are open */
/* With ALINK_CAP_INC_ERRORS: group operations that failed, by what was wrong with a member */
#define ALINK_SW_REG_INC_SILENT	0x1080	/* RO 64 0x0  it did not answer */
#define ALINK_SW_REG_INC_UNBOUND 0x1088	/* RO 64 0x0  it had no memory there, or with another key */
#define ALINK_SW_REG_INC_REFUSED 0x1090	/* RO 64 0x0  its memory has another partition, not the right, or ends before */
#define ALINK_SW_REG_INC_POISON	0x1098	/* RO 64 0x0  its data was known to be bad */
/* With ALINK_CAP_TABLES_USED */
#define ALINK_SW_REG_ROUTES_USED 0x10a0	/* RO 32 0x0  entries of the route table that are set */
#define ALINK_SW_REG_GROUPS_USED 0x10a4	/* RO 32 0x0  groups that there are */
#define ALINK_SW_REG_PLACED	0x10a8	/* RO 32 0x0  endpoints that are in a partition */

#endif /* HW_ALINK_SWITCH_H */
