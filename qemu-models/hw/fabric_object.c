/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink fabric object.
 *
 *   -device alink-fabric,id=fab0[,timing=off|report][,partition=N]
 *   -device alink-switch,fabric=fab0,...
 *
 *   timing=NAME  whether operations go through the timing model; report
 *   partition=N  the partition that endpoints are in until a manager says
 *                otherwise; 0 (default) is none: nothing passes
 *
 * It is a device without a bus and not a user-creatable object, since -object
 * takes only the types that QEMU's own schema lists. It must come before the
 * devices that name it.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/module.h"
#include "hw/qdev-properties.h"
#include "fabric/alink_fabric.h"
#include "fabric_object.h"

struct AlinkFabric {
    DeviceState parent_obj;

    struct af_fabric *af;
    char *timing;
    uint32_t partition;
};

struct af_fabric *alink_fabric_core(AlinkFabric *fabric)
{
    return fabric->af;
}

static void fabric_realize(DeviceState *dev, Error **errp)
{
    AlinkFabric *fabric = ALINK_FABRIC(dev);
    enum af_timing timing = AF_TIMING_REPORT;

    if (fabric->timing && !strcmp(fabric->timing, "off")) {
        timing = AF_TIMING_OFF;
    } else if (fabric->timing && strcmp(fabric->timing, "report")) {
        error_setg(errp, "timing '%s' is not one of off, report",
                   fabric->timing);
        return;
    }
    fabric->af = af_fabric_new(timing);
    if (!fabric->af) {
        error_setg_errno(errp, errno, "no memory for the fabric");
        return;
    }
    if (af_fabric_set_default_partition(fabric->af, fabric->partition)) {
        error_setg(errp, "partition %u is not within 0..%u",
                   fabric->partition, ALINK_MAX_PARTITIONS - 1);
        af_fabric_free(fabric->af);
        fabric->af = NULL;
    }
}

static const Property fabric_properties[] = {
    DEFINE_PROP_STRING("timing", AlinkFabric, timing),
    DEFINE_PROP_UINT32("partition", AlinkFabric, partition, 0),
};

static void fabric_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);

    dc->desc = "ALink fabric, which ALink devices link to";
    dc->realize = fabric_realize;
    /* Devices hold on to it; it stays as long as the machine. */
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, fabric_properties);
}

static const TypeInfo fabric_types[] = {
    {
        .name = TYPE_ALINK_FABRIC,
        .parent = TYPE_DEVICE,
        .instance_size = sizeof(AlinkFabric),
        .class_init = fabric_class_init,
    },
};

DEFINE_TYPES(fabric_types)
