/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink switch: the management function of one switch ASIC, which serves one
 * plane of the fabric. Packets do not pass through here: initiators execute
 * operations in the fabric core, by the tables that this function writes.
 *
 *   -object alink-fabric,id=fab0
 *   -device alink-switch,fabric=fab0,plane=0[,variant=NAME]
 *
 *   variant=NAME  icn1 (default): ICN Switch 1.0, 64 ports x 400 Gb/s;
 *                 others are in the table below, and described in switch.rst
 *   plane=N       plane that it serves; link N of every xPU is wired to it,
 *                 unless the topology of the fabric object says otherwise.
 *                 Ports without a cable are absent.
 *
 * and the properties of every ALink device (fabric, serial, sensors, faults
 * x-...: see alink_common_inject.c). x-link-fault and x-link-errors take port
 * numbers.
 *
 * Specification: Documentation/hw/switch.rst.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "hw/qdev-properties.h"
#include "fabric/alink_fabric.h"
#include "switch.h"
#include "trace.h"

static const AlinkSwitchVariant variants[] = {
    {
        .name = "icn1",
        .id = ALINK_SWITCH_ICN1,
        .model_name = "ICN Switch 1.0",
        .part_number = "ICNSW-64X400",
        .fw_version = 0x01000002,
        .radix = 64,
        .port_mbps = 400000,
        .lanes = 4,
        .hop_ns = 150,
        .power_mw = 450000,
        .power_max_mw = 650000,
    },
    {
        .name = "alink64",
        .id = ALINK_SWITCH_ALINK64,
        .model_name = "ALink-64",
        .part_number = "AL64-64X800",
        .fw_version = 0x01000002,
        .radix = 64,
        .port_mbps = 800000,
        .lanes = 8,
        .hop_ns = 150,
        .power_mw = 700000,
        .power_max_mw = 1000000,
    },
    {
        .name = "alink64-224",
        .id = ALINK_SWITCH_ALINK64_224,
        .model_name = "ALink-64, 224G",
        .part_number = "AL64-64X1600",
        .fw_version = 0x01000002,
        .radix = 64,
        .port_mbps = 1600000,
        .lanes = 8,
        .hop_ns = 200,
        .power_mw = 1000000,
        .power_max_mw = 1500000,
    },
    {
        .name = "alink128",
        .id = ALINK_SWITCH_ALINK128,
        .model_name = "ALink-128",
        .part_number = "AL128-128X800",
        .fw_version = 0x01000002,
        .radix = 128,
        .port_mbps = 800000,
        .lanes = 8,
        .hop_ns = 200,
        .power_mw = 1000000,
        .power_max_mw = 1500000,
    },
    {
        .name = "upn25-256",
        .id = ALINK_SWITCH_UPN25_256,
        .model_name = "UPN 25.6T, radix 256",
        .part_number = "UPN25-256X100",
        .fw_version = 0x01000002,
        .radix = 256,
        .port_mbps = 100000,
        .lanes = 1,
        .hop_ns = 150,
        .power_mw = 450000,
        .power_max_mw = 650000,
    },
    {
        .name = "upn51-256",
        .id = ALINK_SWITCH_UPN51_256,
        .model_name = "UPN 51.2T, radix 256",
        .part_number = "UPN51-256X200",
        .fw_version = 0x01000002,
        .radix = 256,
        .port_mbps = 200000,
        .lanes = 2,
        .hop_ns = 200,
        .power_mw = 700000,
        .power_max_mw = 1000000,
    },
    {
        .name = "upn51-256-224",
        .id = ALINK_SWITCH_UPN51_256_224,
        .model_name = "UPN 51.2T, radix 256, 224G",
        .part_number = "UPN51-256X200S",
        .fw_version = 0x01000002,
        .radix = 256,
        .port_mbps = 200000,
        .lanes = 1,
        .hop_ns = 200,
        .power_mw = 700000,
        .power_max_mw = 1000000,
    },
    {
        .name = "upn51-320",
        .id = ALINK_SWITCH_UPN51_320,
        .model_name = "UPN 51.2T, radix 320",
        .part_number = "UPN51-320X100",
        .fw_version = 0x01000002,
        .radix = 320,
        .port_mbps = 100000,
        .lanes = 1,
        .hop_ns = 200,
        .power_mw = 700000,
        .power_max_mw = 1000000,
    },
    {
        .name = "upn51-512",
        .id = ALINK_SWITCH_UPN51_512,
        .model_name = "UPN 51.2T, radix 512",
        .part_number = "UPN51-512X100",
        .fw_version = 0x01000002,
        .radix = 512,
        .port_mbps = 100000,
        .lanes = 1,
        .hop_ns = 200,
        .power_mw = 700000,
        .power_max_mw = 1000000,
    },
    {
        .name = "upn102-512",
        .id = ALINK_SWITCH_UPN102_512,
        .model_name = "UPN 102.4T, radix 512",
        .part_number = "UPN102-512X200",
        .fw_version = 0x01000002,
        .radix = 512,
        .port_mbps = 200000,
        .lanes = 2,
        .hop_ns = 250,
        .power_mw = 1000000,
        .power_max_mw = 1500000,
    },
    {
        .name = "upn102-512-224",
        .id = ALINK_SWITCH_UPN102_512_224,
        .model_name = "UPN 102.4T, radix 512, 224G",
        .part_number = "UPN102-512X200S",
        .fw_version = 0x01000002,
        .radix = 512,
        .port_mbps = 200000,
        .lanes = 1,
        .hop_ns = 250,
        .power_mw = 1000000,
        .power_max_mw = 1500000,
    },
    {
        .name = "upn204-1024",
        .id = ALINK_SWITCH_UPN204_1024,
        .model_name = "UPN 204.8T, radix 1024",
        .part_number = "UPN204-1024X200",
        .fw_version = 0x01000002,
        .radix = 1024,
        .port_mbps = 200000,
        .lanes = 1,
        .hop_ns = 250,
        .power_mw = 2000000,
        .power_max_mw = 2600000,
    },
};

#define INC_DTYPES  (ALINK_BIT(ALINK_DT_INT32) | ALINK_BIT(ALINK_DT_FP32) | \
                     ALINK_BIT(ALINK_DT_BF16) | ALINK_BIT(ALINK_DT_FP16) | \
                     ALINK_BIT(ALINK_DT_FP8_E4M3) | \
                     ALINK_BIT(ALINK_DT_FP8_E5M2))
#define INC_OPS     (ALINK_BIT(ALINK_OP_SUM) | ALINK_BIT(ALINK_OP_MIN) | \
                     ALINK_BIT(ALINK_OP_MAX))

/* --- registers ----------------------------------------------------------- */

static uint64_t read_const(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkSwitch *sw = ALINK_SWITCH(ad);

    switch (reg->offset) {
    case ALINK_SW_REG_RADIX:
        return sw->variant->radix;
    case ALINK_SW_REG_PLANE:
        return sw->plane;
    case ALINK_SW_REG_HOP_NS:
        return sw->variant->hop_ns;
    case ALINK_SW_REG_MAX_ROUTES:
        return ALINK_MAX_ENDPOINTS;
    case ALINK_SW_REG_MAX_GROUPS:
        return ALINK_MAX_GROUPS;
    case ALINK_SW_REG_INC_DTYPES:
        return INC_DTYPES;
    case ALINK_SW_REG_INC_OPS:
        return INC_OPS;
    }
    g_assert_not_reached();
}

static uint64_t read_counter(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkSwitch *sw = ALINK_SWITCH(ad);
    struct af_switch_info info = {};

    af_switch_info(ad->af, sw->plane, &info);
    switch (reg->offset) {
    case ALINK_SW_REG_REDUCTIONS:
        return info.reductions;
    case ALINK_SW_REG_MULTICASTS:
        return info.multicasts;
    case ALINK_SW_REG_DROPS_NOROUTE:
        return info.drops_noroute;
    case ALINK_SW_REG_DROPS_PART:
        return info.drops_part;
    }
    g_assert_not_reached();
}

#define REG(_reg, _width, _read) \
    { .name = #_reg, .offset = ALINK_##_reg, .access = ALINK_RO, \
      .width = _width, .read = _read }

static const AlinkReg switch_regs[] = {
    REG(SW_REG_RADIX, 32, read_const),
    REG(SW_REG_PLANE, 32, read_const),
    REG(SW_REG_HOP_NS, 32, read_const),
    REG(SW_REG_MAX_ROUTES, 32, read_const),
    REG(SW_REG_MAX_GROUPS, 32, read_const),
    REG(SW_REG_INC_DTYPES, 32, read_const),
    REG(SW_REG_INC_OPS, 32, read_const),
    REG(SW_REG_REDUCTIONS, 64, read_counter),
    REG(SW_REG_MULTICASTS, 64, read_counter),
    REG(SW_REG_DROPS_NOROUTE, 64, read_counter),
    REG(SW_REG_DROPS_PART, 64, read_counter),
};

/* --- life cycle ---------------------------------------------------------- */

static const AlinkSwitchVariant *find_variant(const char *name, Error **errp)
{
    g_autoptr(GString) all = g_string_new(NULL);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(variants); i++) {
        if (!strcmp(name, variants[i].name)) {
            return &variants[i];
        }
        g_string_append_printf(all, "%s%s", i ? ", " : "", variants[i].name);
    }
    error_setg(errp, "variant '%s' is not one of %s", name, all->str);
    return NULL;
}

static bool switch_realize(AlinkDevice *ad, Error **errp)
{
    AlinkSwitch *sw = ALINK_SWITCH(ad);
    const AlinkSwitchVariant *v;
    int ret;

    v = find_variant(sw->variant_name ?: "icn1", errp);
    if (!v) {
        return false;
    }
    if (!ad->af) {
        error_setg(errp, "alink-switch needs fabric=ID of an alink-fabric");
        return false;
    }
    sw->variant = v;
    ad->variant = v->id;
    ad->model_name = v->model_name;
    ad->part_number = v->part_number;
    ad->fw_version = v->fw_version;
    ad->fabric_id = sw->plane;
    ad->num_links = v->radix;
    ad->num_vectors = 2;
    ad->caps = ALINK_CAP_ADMIN | ALINK_CAP_LINKS | ALINK_CAP_FRAMES |
               ALINK_CAP_ROUTES | ALINK_CAP_GROUPS | ALINK_CAP_PARTITIONS |
               ALINK_CAP_INC | ALINK_CAP_FLASH;
    alink_sensor_default(ad, ALINK_REG_TEMP, 52000);
    alink_sensor_default(ad, ALINK_REG_TEMP_MAX, 95000);
    alink_sensor_default(ad, ALINK_REG_TEMP_CRIT, 110000);
    alink_sensor_default(ad, ALINK_REG_POWER, v->power_mw);
    alink_sensor_default(ad, ALINK_REG_POWER_MAX, v->power_max_mw);

    ret = af_switch_add(ad->af, sw->plane, alink_device_serial(ad), v->radix,
                        v->port_mbps, v->lanes, v->hop_ns);
    if (ret) {
        error_setg_errno(errp, -ret, "plane %u cannot be added to the fabric",
                         sw->plane);
        return false;
    }
    return true;
}

static void switch_unrealize(AlinkDevice *ad)
{
    af_switch_remove(ad->af, ALINK_SWITCH(ad)->plane);
}

/* Waits for operations through the switch; drops routes and groups. */
static void switch_reset(AlinkDevice *ad, AlinkResetKind kind)
{
    if (kind == ALINK_RESET_COLD) {
        af_cold_reset(ad->af, ALINK_DEVTYPE_SWITCH, ALINK_SWITCH(ad)->plane);
    } else {
        af_switch_reset(ad->af, ALINK_SWITCH(ad)->plane);
    }
}

static const Property switch_properties[] = {
    DEFINE_PROP_STRING("variant", AlinkSwitch, variant_name),
    DEFINE_PROP_UINT32("plane", AlinkSwitch, plane, 0),
};

static void switch_class_init(ObjectClass *oc, void *data)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_CLASS(oc);
    DeviceClass *dc = DEVICE_CLASS(oc);

    dc->desc = "ALink switch";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, switch_properties);
    adc->devtype = ALINK_DEVTYPE_SWITCH;
    adc->regs = switch_regs;
    adc->num_regs = ARRAY_SIZE(switch_regs);
    adc->realize = switch_realize;
    adc->unrealize = switch_unrealize;
    adc->reset = switch_reset;
}

static const TypeInfo switch_types[] = {
    {
        .name = TYPE_ALINK_SWITCH,
        .parent = TYPE_ALINK_DEVICE,
        .instance_size = sizeof(AlinkSwitch),
        .class_init = switch_class_init,
    },
};

DEFINE_TYPES(switch_types)
