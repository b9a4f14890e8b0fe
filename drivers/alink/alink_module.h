/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Optics registry of alink.ko, as its ports see it. @id is the value of
 * ALINK_LINK_MODULE.
 */
#ifndef ALINK_MODULE_H
#define ALINK_MODULE_H

#include <linux/types.h>

struct ethtool_module_eeprom;
struct netlink_ext_ack;

int alink_module_read_page(u32 id, const struct ethtool_module_eeprom *page,
			   struct netlink_ext_ack *extack);
int alink_module_write_page(u32 id, const struct ethtool_module_eeprom *page,
			    struct netlink_ext_ack *extack);
int alink_module_set_low_power(u32 id, bool low,
			       struct netlink_ext_ack *extack);
int alink_module_low_power(u32 id, struct netlink_ext_ack *extack);

#endif /* ALINK_MODULE_H */
