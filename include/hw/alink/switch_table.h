/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Chips that an ALink switch is built of: the one table, of the models and of
 * "alink plan". What is published and what is assumed is in
 * Documentation/hw/switch.rst. Drivers do without: registers tell them.
 */
#ifndef HW_ALINK_SWITCH_TABLE_H
#define HW_ALINK_SWITCH_TABLE_H

#include <hw/alink/switch.h>

struct alink_switch_chip {
	unsigned int id;	/* ALINK_REG_VARIANT; 0: there is no such device */
	const char *name;
	const char *text;
	const char *part;
	unsigned int chip_gbps;
	unsigned int lane_g;	/* 112 or 224: 100 or 200 Gb/s of payload */
	unsigned int ports;
	unsigned int port_mbps;
	unsigned int port_lanes;
	unsigned int hop_ns;	/* 0, as power: of no device */
	unsigned int power_w;
	unsigned int power_max_w;
};

static const struct alink_switch_chip alink_switch_chips[] = {
	{ ALINK_SWITCH_ICN1, "icn1", "ICN Switch 1.0", "ICNSW-64X400",
	  25600, 112, 64, 400000, 4, 150, 450, 650 },
	{ ALINK_SWITCH_ALINK64, "alink64", "ALink-64", "AL64-64X800",
	  51200, 112, 64, 800000, 8, 150, 700, 1000 },
	{ ALINK_SWITCH_ALINK64_224, "alink64-224", "ALink-64, 224G", "AL64-64X1600",
	  102400, 224, 64, 1600000, 8, 200, 1000, 1500 },
	{ ALINK_SWITCH_ALINK128, "alink128", "ALink-128", "AL128-128X800",
	  102400, 112, 128, 800000, 8, 200, 1000, 1500 },
	{ ALINK_SWITCH_UPN25_256, "upn25-256", "UPN 25.6T, radix 256", "UPN25-256X100",
	  25600, 112, 256, 100000, 1, 150, 450, 650 },
	{ ALINK_SWITCH_UPN51_256, "upn51-256", "UPN 51.2T, radix 256", "UPN51-256X200",
	  51200, 112, 256, 200000, 2, 200, 700, 1000 },
	{ ALINK_SWITCH_UPN51_256_224, "upn51-256-224", "UPN 51.2T, radix 256, 224G", "UPN51-256X200S",
	  51200, 224, 256, 200000, 1, 200, 700, 1000 },
	{ ALINK_SWITCH_UPN51_320, "upn51-320", "UPN 51.2T, radix 320", "UPN51-320X100",
	  51200, 112, 320, 100000, 1, 200, 700, 1000 },
	{ ALINK_SWITCH_UPN51_512, "upn51-512", "UPN 51.2T, radix 512", "UPN51-512X100",
	  51200, 112, 512, 100000, 1, 200, 700, 1000 },
	{ ALINK_SWITCH_UPN102_512, "upn102-512", "UPN 102.4T, radix 512", "UPN102-512X200",
	  102400, 112, 512, 200000, 2, 250, 1000, 1500 },
	{ ALINK_SWITCH_UPN102_512_224, "upn102-512-224", "UPN 102.4T, radix 512, 224G", "UPN102-512X200S",
	  102400, 224, 512, 200000, 1, 250, 1000, 1500 },
	{ ALINK_SWITCH_UPN204_1024, "upn204-1024", "UPN 204.8T, radix 1024", "UPN204-1024X200",
	  204800, 224, 1024, 200000, 1, 250, 2000, 2600 },
	/* More ports than ALINK_MAX_PORTS, and more xPUs than endpoint ids */
	{ 0, "upn1024-2560", "UPN 1024T, radix 2560", "",
	  1024000, 224, 2560, 400000, 2, 0, 0, 0 },
};

#endif /* HW_ALINK_SWITCH_TABLE_H */
