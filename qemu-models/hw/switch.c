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
 *                 others are in hw/alink/switch_table.h and switch.rst
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

#include <hw/alink/switch_table.h>

#define FW_VERSION  0x01000002

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
        return sw->variant->ports;
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
    case ALINK_SW_REG_PUSH_SLOTS:
        return af_fabric_push_slots(ad->af);
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
    case ALINK_SW_REG_INC_SILENT:
        return info.inc_errors[AF_INC_SILENT];
    case ALINK_SW_REG_INC_UNBOUND:
        return info.inc_errors[AF_INC_UNBOUND];
    case ALINK_SW_REG_INC_REFUSED:
        return info.inc_errors[AF_INC_REFUSED];
    case ALINK_SW_REG_INC_POISON:
        return info.inc_errors[AF_INC_POISON];
    case ALINK_SW_REG_PUSHES:
        return info.pushes;
    case ALINK_SW_REG_PUSH_WAITS:
        return info.push_waits;
    case ALINK_SW_REG_PUSH_TIMEOUTS:
        return info.push_timeouts;
    case ALINK_SW_REG_PUSH_ABORTS:
        return info.push_aborts;
    case ALINK_SW_REG_PUSH_LATE:
        return info.push_late;
    case ALINK_SW_REG_PUSH_USED:
        return info.push_used;
    }
    g_assert_not_reached();
}

static uint64_t read_used(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    struct af_tables_used used;

    af_tables_used(ad->af, ALINK_SWITCH(ad)->plane, &used);
    switch (reg->offset) {
    case ALINK_SW_REG_ROUTES_USED:
        return used.routes;
    case ALINK_SW_REG_GROUPS_USED:
        return used.groups;
    case ALINK_SW_REG_PLACED:
        return used.placed;
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
    REG(SW_REG_PUSHES, 64, read_counter),
    REG(SW_REG_PUSH_WAITS, 64, read_counter),
    REG(SW_REG_PUSH_TIMEOUTS, 64, read_counter),
    REG(SW_REG_PUSH_ABORTS, 64, read_counter),
    REG(SW_REG_PUSH_LATE, 64, read_counter),
    REG(SW_REG_PUSH_SLOTS, 32, read_const),
    REG(SW_REG_PUSH_USED, 32, read_counter),
    REG(SW_REG_INC_SILENT, 64, read_counter),
    REG(SW_REG_INC_UNBOUND, 64, read_counter),
    REG(SW_REG_INC_REFUSED, 64, read_counter),
    REG(SW_REG_INC_POISON, 64, read_counter),
    REG(SW_REG_ROUTES_USED, 32, read_used),
    REG(SW_REG_GROUPS_USED, 32, read_used),
    REG(SW_REG_PLACED, 32, read_used),
};

/* --- life cycle ---------------------------------------------------------- */

static const struct alink_switch_chip *find_variant(const char *name,
                                                    Error **errp)
{
    g_autoptr(GString) all = g_string_new(NULL);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(alink_switch_chips); i++) {
        const struct alink_switch_chip *chip = &alink_switch_chips[i];

        if (!chip->id) {
            continue;
        }
        if (!strcmp(name, chip->name)) {
            return chip;
        }
        g_string_append_printf(all, "%s%s", i ? ", " : "", chip->name);
    }
    error_setg(errp, "variant '%s' is not one of %s", name, all->str);
    return NULL;
}

static bool switch_realize(AlinkDevice *ad, Error **errp)
{
    AlinkSwitch *sw = ALINK_SWITCH(ad);
    const struct alink_switch_chip *v;
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
    ad->model_name = v->text;
    ad->part_number = v->part;
    ad->fw_version = FW_VERSION;
    ad->fabric_id = sw->plane;
    ad->num_links = v->ports;
    ad->num_vectors = 2;
    ad->caps = ALINK_CAP_ADMIN | ALINK_CAP_LINKS | ALINK_CAP_FRAMES |
               ALINK_CAP_ROUTES | ALINK_CAP_GROUPS | ALINK_CAP_PARTITIONS |
               ALINK_CAP_INC | ALINK_CAP_FLASH | ALINK_CAP_INC_ERRORS |
               ALINK_CAP_PUSH | ALINK_CAP_CREDITS | ALINK_CAP_TABLES_USED |
               ALINK_CAP_BER;
    alink_sensor_default(ad, ALINK_REG_TEMP, 52000);
    alink_sensor_default(ad, ALINK_REG_TEMP_MAX, 95000);
    alink_sensor_default(ad, ALINK_REG_TEMP_CRIT, 110000);
    alink_sensor_default(ad, ALINK_REG_POWER, v->power_w * 1000);
    alink_sensor_default(ad, ALINK_REG_POWER_MAX,
                         v->power_max_w * 1000);

    ret = af_switch_add(ad->af, sw->plane, alink_device_serial(ad), v->ports,
                        v->port_mbps, v->port_lanes, v->hop_ns);
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
