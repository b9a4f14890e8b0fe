/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink switch device.
 */
#ifndef HW_ALINK_SWITCH_MODEL_H
#define HW_ALINK_SWITCH_MODEL_H

#include "alink_common.h"

#include <hw/alink/fabric.h>
#include <hw/alink/switch.h>

#define TYPE_ALINK_SWITCH "alink-switch"
OBJECT_DECLARE_SIMPLE_TYPE(AlinkSwitch, ALINK_SWITCH)

typedef struct AlinkSwitchVariant {
    const char *name;
    uint32_t id;
    const char *model_name;
    const char *part_number;
    uint32_t fw_version;
    uint32_t radix;
    uint32_t port_mbps;
    uint32_t lanes;
    uint32_t hop_ns;
    int32_t power_mw;
    int32_t power_max_mw;
} AlinkSwitchVariant;

struct AlinkSwitch {
    AlinkDevice parent_obj;

    char *variant_name;
    uint32_t plane;
    const AlinkSwitchVariant *variant;
};

#endif /* HW_ALINK_SWITCH_MODEL_H */
