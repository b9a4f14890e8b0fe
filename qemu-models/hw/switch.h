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

struct AlinkSwitch {
    AlinkDevice parent_obj;

    char *variant_name;
    uint32_t plane;
    const struct alink_switch_chip *variant;
};

#endif /* HW_ALINK_SWITCH_MODEL_H */
