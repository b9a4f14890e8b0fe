/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink fabric: what joins the xPUs and switches of one machine.
 *
 *   -device alink-fabric,id=fab0[,PROPERTY=VALUE...]
 *   -device alink-switch,fabric=fab0,plane=0
 *   -device alink-xpu,fabric=fab0,...
 *
 * A device without a bus, as nvme-subsys is, because -object takes only types
 * of QEMU's own schema. It comes before the devices that name it.
 *
 * Properties, which qom-set may change at any time:
 *   timing=off|report      timing model; report (default) puts modelled times
 *                          into results and counters and delays nothing.
 *                          "enforce" does not exist yet and is refused.
 *   endpoint-ns=N          time in the initiator, and in the target, of one
 *                          operation (100)
 *   cable-ns=N             propagation of one link (25)
 *   hop-ns=N               port to port through a switch whose variant does
 *                          not say (150)
 *   reduce-ns=N            what the reduction engine adds (50)
 *   training-us=N          how long a link trains before it is up (0); by the
 *                          machine's clock, and not modelled
 *   partition=N            partition that xPUs join when they come; 0
 *                          (default): none, a manager has to assign them
 *   wire=LIST              cables, joined by "+": XPU.LINK:PLANE.PORT, or
 *                          XPU.LINK:none. Without it link p of xPU i goes to
 *                          port i of plane p. Write only.
 *   headless=LIST          endpoints without a device, joined by "+":
 *                          FIRST-LAST:LINKS:MBPS:LANES. Nobody uses them, they
 *                          answer nothing, and populate the ports of switches.
 *                          Write only.
 *   push-slots=N           slots for reducing pushes that each switch has, 1 to
 *                          16, which is the default
 * Faults (write only; the numbers are those of the hardware headers):
 *   x-link-fault=xpu|switch:ID:LINK:REASON
 *                          enum alink_down_reason at that end; 0 clears
 *   x-lane-fault=xpu|switch:ID:LINK:LANES
 *                          lanes that have failed there, one bit each; a clear
 *                          bit repairs its lane
 *   x-mute=XPU:0|1         the xPU answers no request of others
 *   x-fail-ops=XPU:STATUS:COUNT
 *                          its next COUNT fabric operations end with that
 *                          enum alink_status; they move no data
 *   x-poison=XPU:ADDR:LEN  known-bad memory, until written over whole
 *   x-poison-clear=XPU     heals all of it
 * Read only:
 *   clock-ns               the fabric clock
 *
 * Specification: Documentation/hw/fabric.rst.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "hw/qdev-core.h"
#include "fabric/alink_fabric.h"
#include "fabric_object.h"
#include "trace.h"

/* Serial numbers of endpoints without a device */
#define HEADLESS_SERIAL 0x4ead000000000000ULL

struct AlinkFabric {
    DeviceState parent_obj;

    struct af_fabric *af;
    QEMUTimer *wake;            /* what links wait for is over */
};

struct af_fabric *alink_fabric_core(AlinkFabric *fabric)
{
    return fabric->af;
}

/* --- timing --------------------------------------------------------------- */

static const char *const timing_name[] = {
    [AF_TIMING_OFF] = "off",
    [AF_TIMING_REPORT] = "report",
};

static char *get_timing(Object *obj, Error **errp)
{
    struct af_timing_params params;
    enum af_timing timing;

    af_fabric_get_timing(ALINK_FABRIC(obj)->af, &timing, &params);
    return g_strdup(timing_name[timing]);
}

static void set_timing(Object *obj, const char *value, Error **errp)
{
    unsigned i;

    if (g_str_equal(value, "enforce")) {
        error_setg(errp, "alink-fabric: timing=enforce does not exist in "
                   "this version; use report or off");
        return;
    }
    for (i = 0; i < ARRAY_SIZE(timing_name); i++) {
        if (g_str_equal(value, timing_name[i])) {
            af_fabric_set_timing(ALINK_FABRIC(obj)->af, i, NULL);
            return;
        }
    }
    error_setg(errp, "alink-fabric: timing is off or report, not '%s'",
               value);
}

static uint32_t *param(struct af_timing_params *params, void *opaque)
{
    return (uint32_t *)((char *)params + (uintptr_t)opaque);
}

static void get_param(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    struct af_timing_params params;
    enum af_timing timing;

    af_fabric_get_timing(ALINK_FABRIC(obj)->af, &timing, &params);
    visit_type_uint32(v, name, param(&params, opaque), errp);
}

static void set_param(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    struct af_fabric *af = ALINK_FABRIC(obj)->af;
    struct af_timing_params params;
    enum af_timing timing;

    af_fabric_get_timing(af, &timing, &params);
    if (visit_type_uint32(v, name, param(&params, opaque), errp)) {
        af_fabric_set_timing(af, timing, &params);
    }
}

static void get_now(Object *obj, Visitor *v, const char *name, void *opaque,
                    Error **errp)
{
    uint64_t ns = af_clock_ns(ALINK_FABRIC(obj)->af);

    visit_type_uint64(v, name, &ns, errp);
}

/* --- topology --------------------------------------------------------------- */

static void get_partition(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    uint32_t value = af_fabric_default_partition(ALINK_FABRIC(obj)->af);

    visit_type_uint32(v, name, &value, errp);
}

static void set_partition(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    uint32_t value;

    if (!visit_type_uint32(v, name, &value, errp)) {
        return;
    }
    if (af_fabric_set_default_partition(ALINK_FABRIC(obj)->af, value)) {
        error_setg(errp, "alink-fabric: partition is 0 to %u",
                   ALINK_MAX_PARTITIONS - 1);
    }
}

static void get_slots(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    uint32_t value = af_fabric_push_slots(ALINK_FABRIC(obj)->af);

    visit_type_uint32(v, name, &value, errp);
}

static void set_slots(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    uint32_t value;

    if (visit_type_uint32(v, name, &value, errp) &&
        af_fabric_set_push_slots(ALINK_FABRIC(obj)->af, value)) {
        error_setg(errp, "alink-fabric: push-slots is 1 to %u",
                   AF_PUSH_SLOTS);
    }
}

/* Two numbers with @sep between; *end is what follows. */
static bool parse_pair(const char *s, char sep, unsigned *a, unsigned *b,
                       const char **end)
{
    return !qemu_strtoui(s, &s, 10, a) && *s == sep &&
           !qemu_strtoui(s + 1, end, 10, b);
}

static bool parse_wire(AlinkFabric *fab, const char *s, Error **errp)
{
    unsigned xpu, link, plane = ALINK_ID_NONE, port = 0;
    const char *end;
    int ret;

    if (!parse_pair(s, '.', &xpu, &link, &end) || *end != ':' ||
        (!g_str_equal(end + 1, "none") &&
         (!parse_pair(end + 1, '.', &plane, &port, &end) || *end ||
          plane == ALINK_ID_NONE))) {
        error_setg(errp, "alink-fabric: wire '%s' is not XPU.LINK:PLANE.PORT "
                   "or XPU.LINK:none", s);
        return false;
    }
    ret = af_link_wire(fab->af, xpu, link, plane, port);
    if (ret) {
        error_setg(errp, "alink-fabric: wire '%s': %s", s,
                   ret == -EBUSY ? "the port has another cable" :
                                   "no such link or port");
        return false;
    }
    trace_alink_fabric_wire(xpu, link, plane, port);
    return true;
}

static void set_wire(Object *obj, const char *value, Error **errp)
{
    g_auto(GStrv) list = g_strsplit(value, "+", -1);
    unsigned i;

    for (i = 0; list[i]; i++) {
        if (!parse_wire(ALINK_FABRIC(obj), list[i], errp)) {
            return;
        }
    }
}

typedef struct Headless {
    unsigned first, last, links, mbps, lanes;
} Headless;

static bool parse_headless(const char *s, Headless *h, Error **errp)
{
    const char *end;

    if (parse_pair(s, '-', &h->first, &h->last, &end) && *end == ':' &&
        parse_pair(end + 1, ':', &h->links, &h->mbps, &end) && *end == ':' &&
        !qemu_strtoui(end + 1, &end, 10, &h->lanes) && !*end &&
        h->first <= h->last && h->last < ALINK_MAX_ENDPOINTS) {
        return true;
    }
    error_setg(errp, "alink-fabric: headless '%s' is not "
               "FIRST-LAST:LINKS:MBPS:LANES with ids up to %u", s,
               ALINK_MAX_ENDPOINTS - 1);
    return false;
}

/* All of @list, or nothing */
static void add_headless(AlinkFabric *fab, const Headless *list, unsigned n,
                         Error **errp)
{
    g_autoptr(GArray) added = g_array_new(false, false, sizeof(unsigned));
    unsigned i, id;
    int ret;

    for (i = 0; i < n; i++) {
        for (id = list[i].first; id <= list[i].last; id++) {
            ret = af_endpoint_add(fab->af, id, HEADLESS_SERIAL + id, NULL, 0,
                                  list[i].links, list[i].mbps, list[i].lanes);
            if (ret) {
                error_setg(errp, "alink-fabric: headless endpoint %u: %s", id,
                           ret == -EEXIST ? "it is there already" :
                                            "no such links");
                goto undo;
            }
            g_array_append_val(added, id);
        }
        trace_alink_fabric_headless(list[i].first, list[i].last,
                                    list[i].links, list[i].mbps,
                                    list[i].lanes);
    }
    return;

undo:
    for (i = 0; i < added->len; i++) {
        af_endpoint_remove(fab->af, g_array_index(added, unsigned, i));
    }
}

static void set_headless(Object *obj, const char *value, Error **errp)
{
    g_auto(GStrv) text = g_strsplit(value, "+", -1);
    unsigned i, n = g_strv_length(text);
    g_autofree Headless *list = g_new0(Headless, n);

    for (i = 0; i < n; i++) {
        if (!parse_headless(text[i], &list[i], errp)) {
            return;
        }
    }
    add_headless(ALINK_FABRIC(obj), list, n, errp);
}

/* --- faults ------------------------------------------------------------------ */

#define FAULT_NUMBERS 3

/* Exactly @n numbers with colons between */
static bool parse_numbers(const char *name, const char *value, unsigned n,
                          uint64_t *num, Error **errp)
{
    const char *s = value;
    unsigned i;

    assert(n <= FAULT_NUMBERS);
    for (i = 0; i < n; i++) {
        if (qemu_strtou64(s, &s, 0, &num[i]) ||
            *s != (i + 1 < n ? ':' : '\0')) {
            error_setg(errp, "alink-fabric: %s takes %u number%s with colons "
                       "between, not '%s'", name, n, n == 1 ? "" : "s", value);
            return false;
        }
        s++;
    }
    trace_alink_fabric_inject(name, value);
    return true;
}

static void check_xpu(const char *name, uint64_t id, int ret, Error **errp)
{
    if (ret == -ENODEV) {
        error_setg(errp, "alink-fabric: %s: there is no xPU %" PRIu64, name,
                   id);
    } else if (ret) {
        error_setg_errno(errp, -ret, "alink-fabric: %s", name);
    }
}

/* The core takes 32-bit ids; what does not fit is no id. */
static uint32_t id32(uint64_t id)
{
    return id > UINT32_MAX ? UINT32_MAX : id;
}

/* An end of a link, and a number for it: num[0] is the device, [1] the link */
static bool parse_end(const char *name, const char *value, uint32_t *type,
                      uint64_t *num, Error **errp)
{
    const char *rest;

    if (strstart(value, "switch:", &rest)) {
        *type = ALINK_DEVTYPE_SWITCH;
    } else if (strstart(value, "xpu:", &rest)) {
        *type = ALINK_DEVTYPE_XPU;
    } else {
        error_setg(errp, "alink-fabric: %s begins with xpu: or switch:", name);
        return false;
    }
    return parse_numbers(name, rest, 3, num, errp);
}

static void set_link_fault(Object *obj, const char *value, Error **errp)
{
    uint64_t num[3];
    uint32_t type;

    if (parse_end("x-link-fault", value, &type, num, errp) &&
        (num[2] > ALINK_DOWN_POWER ||
         af_link_set_fault(ALINK_FABRIC(obj)->af, type, id32(num[0]),
                           id32(num[1]), num[2]))) {
        error_setg(errp, "alink-fabric: x-link-fault: no such device, link "
                   "or reason in '%s'", value);
    }
}

static void set_lane_fault(Object *obj, const char *value, Error **errp)
{
    uint64_t num[3];
    uint32_t type;

    if (parse_end("x-lane-fault", value, &type, num, errp) &&
        (num[2] > UINT32_MAX ||
         af_link_set_lanes_bad(ALINK_FABRIC(obj)->af, type, id32(num[0]),
                               id32(num[1]), num[2]))) {
        error_setg(errp, "alink-fabric: x-lane-fault: no such device, link "
                   "or lane in '%s'", value);
    }
}

static void set_mute(Object *obj, const char *value, Error **errp)
{
    uint64_t num[2];

    if (!parse_numbers("x-mute", value, 2, num, errp)) {
        return;
    }
    if (num[1] > 1) {
        error_setg(errp, "alink-fabric: x-mute takes XPU:0 or XPU:1");
    } else {
        check_xpu("x-mute", num[0],
                  af_endpoint_set_answering(ALINK_FABRIC(obj)->af,
                                            id32(num[0]), !num[1]), errp);
    }
}

static void set_fail_ops(Object *obj, const char *value, Error **errp)
{
    uint64_t num[3];

    if (!parse_numbers("x-fail-ops", value, 3, num, errp)) {
        return;
    }
    if (num[1] > ALINK_ST_ALIGN || num[2] > UINT32_MAX) {
        error_setg(errp, "alink-fabric: x-fail-ops: no such status or count");
        return;
    }
    check_xpu("x-fail-ops", num[0],
              af_endpoint_fail_ops(ALINK_FABRIC(obj)->af, id32(num[0]),
                                   num[1], num[2]), errp);
}

static void set_poison(Object *obj, const char *value, Error **errp)
{
    uint64_t num[3];

    if (parse_numbers("x-poison", value, 3, num, errp)) {
        check_xpu("x-poison", num[0],
                  af_poison_add(ALINK_FABRIC(obj)->af, id32(num[0]), num[1],
                                num[2]), errp);
    }
}

static void set_poison_clear(Object *obj, const char *value, Error **errp)
{
    uint64_t num[1];

    if (parse_numbers("x-poison-clear", value, 1, num, errp)) {
        check_xpu("x-poison-clear", num[0],
                  af_poison_clear(ALINK_FABRIC(obj)->af, id32(num[0])), errp);
    }
}

/* --- the life of links ------------------------------------------------------- */

static uint64_t life_now(void *opaque)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void life_wake_at(void *opaque, uint64_t ns)
{
    AlinkFabric *fab = opaque;

    timer_mod_ns(fab->wake, ns);
}

static void life_wake(void *opaque)
{
    AlinkFabric *fab = opaque;

    trace_alink_fabric_wake(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
    af_link_wake(fab->af);
}

/* --- the object --------------------------------------------------------------- */

static void alink_fabric_instance_init(Object *obj)
{
    AlinkFabric *fab = ALINK_FABRIC(obj);

    fab->af = af_fabric_new(AF_TIMING_REPORT);
    if (!fab->af) {
        error_setg_errno(&error_fatal, errno,
                         "alink-fabric: no memory for the control page");
    }
    fab->wake = timer_new_ns(QEMU_CLOCK_VIRTUAL, life_wake, fab);
    af_fabric_set_life(fab->af, &(struct af_life) {
        .now = life_now,
        .wake = life_wake_at,
        .opaque = fab,
    });
}

static void alink_fabric_instance_finalize(Object *obj)
{
    timer_free(ALINK_FABRIC(obj)->wake);
    af_fabric_free(ALINK_FABRIC(obj)->af);
}

#define PARAM(name, field, text)                                             \
    object_class_property_add(oc, name, "uint32", get_param, set_param, NULL, \
                              (void *)offsetof(struct af_timing_params,      \
                                               field));                      \
    object_class_property_set_description(oc, name, text)

#define FAULT(name, set, text)                                               \
    object_class_property_add_str(oc, name, NULL, set);                      \
    object_class_property_set_description(oc, name, text)

static void alink_fabric_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);

    dc->desc = "ALink fabric, which xPUs and switches name";
    /* Devices hold on to it; it stays as long as the machine. */
    dc->hotpluggable = false;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);

    object_class_property_add_str(oc, "timing", get_timing, set_timing);
    object_class_property_set_description(oc, "timing",
        "timing model: off, report");
    PARAM("endpoint-ns", endpoint_ns, "time in each endpoint, ns");
    PARAM("cable-ns", cable_ns, "propagation of one link, ns");
    PARAM("hop-ns", hop_ns, "port-to-port latency of a switch, ns");
    PARAM("reduce-ns", reduce_ns, "latency of the reduction engine, ns");
    PARAM("training-us", training_us, "how long a link trains, us");
    object_class_property_add(oc, "clock-ns", "uint64", get_now, NULL, NULL,
                              NULL);
    object_class_property_set_description(oc, "clock-ns", "fabric clock, ns");

    object_class_property_add(oc, "partition", "uint32",
                              get_partition, set_partition, NULL, NULL);
    object_class_property_set_description(oc, "partition",
        "partition that xPUs join when they come; 0: none");
    object_class_property_add(oc, "push-slots", "uint32", get_slots,
                              set_slots, NULL, NULL);
    object_class_property_set_description(oc, "push-slots",
        "slots for reducing pushes in each switch, 1 to 16");
    object_class_property_add_str(oc, "wire", NULL, set_wire);
    object_class_property_set_description(oc, "wire",
        "cables: XPU.LINK:PLANE.PORT or XPU.LINK:none, joined by +");

    object_class_property_add_str(oc, "headless", NULL, set_headless);
    object_class_property_set_description(oc, "headless",
        "endpoints without a device: FIRST-LAST:LINKS:MBPS:LANES, joined by +");

    FAULT("x-link-fault", set_link_fault, "xpu|switch:ID:LINK:REASON");
    FAULT("x-lane-fault", set_lane_fault, "xpu|switch:ID:LINK:LANES");
    FAULT("x-mute", set_mute, "XPU:0|1, answers no request");
    FAULT("x-fail-ops", set_fail_ops, "XPU:STATUS:COUNT");
    FAULT("x-poison", set_poison, "XPU:ADDR:LEN");
    FAULT("x-poison-clear", set_poison_clear, "XPU");
}

static const TypeInfo alink_fabric_types[] = {
    {
        .name = TYPE_ALINK_FABRIC,
        .parent = TYPE_DEVICE,
        .instance_size = sizeof(AlinkFabric),
        .instance_init = alink_fabric_instance_init,
        .instance_finalize = alink_fabric_instance_finalize,
        .class_init = alink_fabric_class_init,
    },
};

DEFINE_TYPES(alink_fabric_types)
