/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: knobs that make the device behave badly, so that no
 * driver passes because the model is kind. All are QOM properties, settable at
 * any time (qom-set PATH NAME VALUE), and on the command line:
 *
 * Presence
 *   x-dead=BOOL            every BAR and configuration space read all ones,
 *                          writes are dropped, no DMA, no interrupt; back
 *                          again, bus mastering is off
 *   x-bad-magic=U32        what ALINK_REG_MAGIC reads; 0: the right value
 *   x-bad-version=U32      what ALINK_REG_VERSION reads; 0: the right value
 *   x-heartbeat-stuck=BOOL ALINK_REG_HEARTBEAT stays at 0
 *   x-reset-us=U32         how long a reset takes until the state is READY
 * Interrupts and queues
 *   x-lose-irqs=U32        that many of the next interrupts get lost
 *   x-latency-us=U32       delay between an admin command and its completion
 *   x-admin-stuck=BOOL     the admin queue makes no progress
 *   x-late-doorbell-us=U32 doorbell writes take effect that much later
 * DMA
 *   x-partial-dma=U64      the next transfer of more bytes than this stops
 *                          there and fails; 0: off
 * Self test
 *   x-fail-selftest=LIST   of value, irq, dma, loop (frames come back changed),
 *                          prbs (wrong bits), joined by "+", or none
 * Errors
 *   x-aer-inject=KIND      correctable, nonfatal or fatal (write only)
 *   x-fault=CODE:CLASS[:ADDR[:INFO]]  raises a fault (write only)
 *   x-link-fault=LINK:REASON  enum alink_down_reason; 0 clears (write only)
 *   x-lane-fault=LINK:LANES   lanes that have failed, one bit each; a clear bit
 *                          repairs its lane (write only)
 *   x-link-errors=LINK:CORR[:UNCORR[:CRC[:REPLAYS[:LANE]]]]  adds to the
 *                          counters of a link, CORR and UNCORR in lane 0 or
 *                          that one (write only)
 *   x-crc-burst=LINK:COUNT  the next packets with data, and frames, that come in
 *                          by the link are damaged, and sent again (write only)
 *   x-ber=LINK:RATIO       so many of 10^15 bits come in wrong by the link at its
 *                          full rate (write only)
 *   x-credit-loss=LINK:COUNT  the next credits that the link should get back for
 *                          what it sends do not come; 0: they do (write only)
 * Sensors, in milli-units; -2147483648 is "not fitted"
 *   temp temp-mem power temp-max temp-crit temp-mem-crit power-max
 * Read only
 *   guest-errors           as ALINK_REG_GUEST_ERRORS, also when x-dead
 *   lights                 links whose light blinks, joined by ","; or none
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qemu/cutils.h"
#include "hw/pci/pcie_aer.h"
#include "fabric/alink_fabric.h"
#include "alink_common_internal.h"
#include "trace.h"

/* --- plain numbers ------------------------------------------------------- */

static uint32_t *u32_field(Object *obj, void *opaque)
{
    return (uint32_t *)((char *)ALINK_DEVICE(obj) + (uintptr_t)opaque);
}

static void get_u32(Object *obj, Visitor *v, const char *name, void *opaque,
                    Error **errp)
{
    visit_type_uint32(v, name, u32_field(obj, opaque), errp);
}

static void set_u32(Object *obj, Visitor *v, const char *name, void *opaque,
                    Error **errp)
{
    uint32_t value;

    if (visit_type_uint32(v, name, &value, errp)) {
        *u32_field(obj, opaque) = value;
        trace_alink_inject(alink_device_name(ALINK_DEVICE(obj)), name, value);
    }
}

static void get_partial(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    visit_type_uint64(v, name, &ALINK_DEVICE(obj)->inject.partial_dma, errp);
}

static void set_partial(Object *obj, Visitor *v, const char *name,
                        void *opaque, Error **errp)
{
    visit_type_uint64(v, name, &ALINK_DEVICE(obj)->inject.partial_dma, errp);
}

/* --- switches ------------------------------------------------------------ */

static uint64_t dead_read(void *opaque, hwaddr addr, unsigned size)
{
    return ~0ULL;
}

static void dead_write(void *opaque, hwaddr addr, uint64_t value,
                       unsigned size)
{
}

static const MemoryRegionOps dead_ops = {
    .read = dead_read,
    .write = dead_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

static void apply_dead(AlinkDevice *ad, bool dead)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    unsigned i;

    if (dead && adc->drain) {
        adc->drain(ad);
    }
    for (i = 0; i < ARRAY_SIZE(ad->dead_mr); i++) {
        if (memory_region_size(&ad->dead_mr[i])) {
            memory_region_set_enabled(&ad->dead_mr[i], dead);
        }
    }
    if (!dead) {
        /*
         * No function comes back from a link that was down with bus mastering
         * on. Else it would write where its last driver had memory, before
         * the next one is asked.
         */
        PCIDevice *pci = PCI_DEVICE(ad);
        uint16_t cmd = pci_get_word(pci->config + PCI_COMMAND);

        pci_default_write_config(pci, PCI_COMMAND, cmd & ~PCI_COMMAND_MASTER,
                                 2);
    }
    if (adc->dead) {
        adc->dead(ad, dead);
    }
    alink_device_kick(ad);
}

static bool get_dead(Object *obj, Error **errp)
{
    return ALINK_DEVICE(obj)->inject.dead;
}

static void set_dead(Object *obj, bool dead, Error **errp)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);

    if (dead == ad->inject.dead) {
        return;
    }
    trace_alink_inject(alink_device_name(ad), "x-dead", dead);
    ad->inject.dead = dead;
    if (DEVICE(ad)->realized) {
        apply_dead(ad, dead);
    }
}

static bool get_admin_stuck(Object *obj, Error **errp)
{
    return ALINK_DEVICE(obj)->inject.admin_stuck;
}

static void set_admin_stuck(Object *obj, bool stuck, Error **errp)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);

    trace_alink_inject(alink_device_name(ad), "x-admin-stuck", stuck);
    ad->inject.admin_stuck = stuck;
    if (DEVICE(ad)->realized && !stuck) {
        alink_admin_kick(ad);
    }
}

static bool get_heartbeat_stuck(Object *obj, Error **errp)
{
    return ALINK_DEVICE(obj)->inject.heartbeat_stuck;
}

static void set_heartbeat_stuck(Object *obj, bool stuck, Error **errp)
{
    ALINK_DEVICE(obj)->inject.heartbeat_stuck = stuck;
}

static const struct {
    const char *name;
    size_t offset;
} selftests[] = {
    { "value", offsetof(AlinkInject, fail_value) },
    { "irq", offsetof(AlinkInject, fail_irq) },
    { "dma", offsetof(AlinkInject, fail_dma) },
    { "loop", offsetof(AlinkInject, fail_loop) },
    { "prbs", offsetof(AlinkInject, fail_prbs) },
};

static bool *selftest_field(AlinkInject *in, unsigned i)
{
    return (bool *)((char *)in + selftests[i].offset);
}

static char *get_selftest(Object *obj, Error **errp)
{
    AlinkInject *in = &ALINK_DEVICE(obj)->inject;
    GString *s = g_string_new(NULL);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(selftests); i++) {
        if (*selftest_field(in, i)) {
            g_string_append_printf(s, "%s%s", s->len ? "+" : "",
                                   selftests[i].name);
        }
    }
    if (!s->len) {
        g_string_append(s, "none");
    }
    return g_string_free(s, false);
}

static void set_selftest(Object *obj, const char *value, Error **errp)
{
    AlinkInject *in = &ALINK_DEVICE(obj)->inject;
    g_auto(GStrv) list = g_strsplit(value, "+", -1);
    bool fails[ARRAY_SIZE(selftests)] = {};
    unsigned i, t;

    for (i = 0; list[i]; i++) {
        if (!strcmp(list[i], "none")) {
            continue;
        }
        for (t = 0; t < ARRAY_SIZE(selftests); t++) {
            if (!strcmp(list[i], selftests[t].name)) {
                break;
            }
        }
        if (t == ARRAY_SIZE(selftests)) {
            error_setg(errp, "x-fail-selftest: '%s' is not one of value, irq, "
                       "dma, loop, prbs, none", list[i]);
            return;
        }
        fails[t] = true;
    }
    for (t = 0; t < ARRAY_SIZE(selftests); t++) {
        *selftest_field(in, t) = fails[t];
    }
}

/* --- one-shot injections ------------------------------------------------- */

/* "a:b:c": between @min and @max numbers; the rest become 0. */
static bool parse_numbers(const char *name, const char *text, unsigned min,
                          unsigned max, uint64_t *num, Error **errp)
{
    g_auto(GStrv) list = g_strsplit(text, ":", -1);
    unsigned i, n = g_strv_length(list);

    memset(num, 0, max * sizeof(*num));
    if (n < min || n > max) {
        error_setg(errp, "%s takes %u to %u numbers joined by ':'", name, min,
                   max);
        return false;
    }
    for (i = 0; i < n; i++) {
        if (qemu_strtou64(list[i], NULL, 0, &num[i]) < 0) {
            error_setg(errp, "%s: '%s' is not a number", name, list[i]);
            return false;
        }
    }
    return true;
}

static AlinkDevice *live_device(Object *obj, const char *name, Error **errp)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);

    if (!DEVICE(ad)->realized || ad->inject.dead) {
        error_setg(errp, "%s: the device is %s", name,
                   ad->inject.dead ? "dead" : "not realized");
        return NULL;
    }
    return ad;
}

static void set_aer(Object *obj, const char *value, Error **errp)
{
    AlinkDevice *ad = live_device(obj, "x-aer-inject", errp);
    PCIEAERErr err = {};
    int ret;

    if (!ad) {
        return;
    }
    if (!strcmp(value, "correctable")) {
        err.status = PCI_ERR_COR_RCVR;
        err.flags = PCIE_AER_ERR_IS_CORRECTABLE;
    } else if (!strcmp(value, "nonfatal")) {
        err.status = PCI_ERR_UNC_COMP_TIME;
    } else if (!strcmp(value, "fatal")) {
        err.status = PCI_ERR_UNC_MALF_TLP;
        err.flags = PCIE_AER_ERR_HEADER_VALID;
        err.header[0] = 0x40000001;
    } else {
        error_setg(errp, "x-aer-inject: '%s' is not one of correctable, "
                   "nonfatal, fatal", value);
        return;
    }
    err.source_id = pci_requester_id(PCI_DEVICE(ad));
    trace_alink_inject(alink_device_name(ad), value, err.status);
    ret = pcie_aer_inject_error(PCI_DEVICE(ad), &err);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "x-aer-inject");
    }
}

static void set_fault(Object *obj, const char *value, Error **errp)
{
    AlinkDevice *ad = live_device(obj, "x-fault", errp);
    uint64_t num[4];

    if (!ad || !parse_numbers("x-fault", value, 2, 4, num, errp)) {
        return;
    }
    if (!num[0] || num[0] > UINT32_MAX || num[1] > ALINK_RECOVERY_REPLACE ||
        num[3] > UINT32_MAX) {
        error_setg(errp, "x-fault: no such code, class or info");
        return;
    }
    alink_fault(ad, num[0], num[1], num[2], num[3]);
}

/* LINK:NUMBER, for a device that has such a link; false with *errp set */
static bool link_number(Object *obj, const char *name, const char *value,
                        AlinkDevice **ad, uint64_t *num, Error **errp)
{
    *ad = live_device(obj, name, errp);
    if (!*ad || !parse_numbers(name, value, 2, 2, num, errp)) {
        return false;
    }
    if (!(*ad)->af || num[0] >= (*ad)->num_links) {
        error_setg(errp, "%s: no such link", name);
        return false;
    }
    return true;
}

/* What the fabric made of it */
static void link_done(AlinkDevice *ad, const char *name, uint64_t link,
                      const char *what, int ret, Error **errp)
{
    if (ret) {
        error_setg(errp, "%s: no such %s", name, what);
    } else {
        trace_alink_inject(alink_device_name(ad), name, link);
    }
}

#define LINK_KNOB(_fn, _name, _most, _what, _set)                           \
static void _fn(Object *obj, const char *value, Error **errp)               \
{                                                                           \
    AlinkDevice *ad;                                                        \
    uint64_t num[2];                                                        \
                                                                            \
    if (link_number(obj, _name, value, &ad, num, errp)) {                   \
        link_done(ad, _name, num[0], _what, num[1] > (_most) ? -EINVAL :    \
                  _set(ad->af, ALINK_DEVICE_GET_CLASS(ad)->devtype,         \
                       ad->fabric_id, num[0], num[1]), errp);               \
    }                                                                       \
}

LINK_KNOB(set_link_fault, "x-link-fault", ALINK_DOWN_POWER, "reason",
          af_link_set_fault)
LINK_KNOB(set_lane_fault, "x-lane-fault", UINT32_MAX, "lane",
          af_link_set_lanes_bad)
LINK_KNOB(set_crc_burst, "x-crc-burst", UINT32_MAX, "count",
          af_link_set_burst)
LINK_KNOB(set_ber, "x-ber", ALINK_BER_UNIT, "ratio", af_link_set_ber)
LINK_KNOB(set_credit_loss, "x-credit-loss", UINT32_MAX, "count",
          af_link_set_credit_loss)

static void set_link_errors(Object *obj, const char *value, Error **errp)
{
    AlinkDevice *ad = live_device(obj, "x-link-errors", errp);
    AlinkDeviceClass *adc;
    uint64_t num[6];

    if (!ad || !parse_numbers("x-link-errors", value, 2, 6, num, errp)) {
        return;
    }
    adc = ALINK_DEVICE_GET_CLASS(ad);
    if (!ad->af || num[0] >= ad->num_links || num[5] >= ALINK_LSTAT_LANES ||
        af_link_add_errors(ad->af, adc->devtype, ad->fabric_id, num[0],
                           num[5], num[1], num[2], num[3], num[4])) {
        error_setg(errp, "x-link-errors: no such link or lane");
    }
}

static char *get_lights(Object *obj, Error **errp)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);
    GString *s = g_string_new(NULL);
    unsigned n;

    for (n = 0; ad->reg_value && n < ad->num_links; n++) {
        if (alink_link_lit(ad, n)) {
            g_string_append_printf(s, "%s%u", s->len ? "," : "", n);
        }
    }
    if (!s->len) {
        g_string_append(s, "none");
    }
    return g_string_free(s, false);
}

/* --- sensors ------------------------------------------------------------- */

static const char *const sensor_name[ALINK_NUM_SENSORS] = {
    "temp", "temp-mem", "power", "temp-max", "temp-crit", "temp-mem-crit",
    "power-max",
};

enum { S_TEMP, S_TEMP_MEM, S_POWER, S_TEMP_MAX, S_TEMP_CRIT, S_TEMP_MEM_CRIT };

/* While there is a load, temperatures are looked at this often. */
#define THERMAL_NS      (NANOSECONDS_PER_SECOND / 2)

int32_t alink_sensor_now(AlinkDevice *ad, unsigned i)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    int32_t value = ad->sensor[i];

    if (adc->sensor && value != INT32_MIN && !(ad->sensor_set & (1U << i))) {
        value = adc->sensor(ad, ALINK_REG_SENSOR(i), value);
    }
    return value;
}

static void thermal_check_one(AlinkDevice *ad, unsigned id, unsigned sensor,
                              unsigned limit)
{
    const int32_t none = INT32_MIN;
    int32_t value = alink_sensor_now(ad, sensor);
    bool over = value != none && ad->sensor[limit] != none &&
                value > ad->sensor[limit];
    bool was = ad->over_temp & (1U << id);

    if (over != was) {
        ad->over_temp ^= 1U << id;
        alink_event_post(ad, ALINK_EVENT_THERMAL, id, over, value, 0);
    }
}

static void thermal_check(AlinkDevice *ad)
{
    thermal_check_one(ad, 0, S_TEMP, S_TEMP_MAX);
    thermal_check_one(ad, 1, S_TEMP_MEM, S_TEMP_MEM_CRIT);
}

static void thermal_timer(void *opaque)
{
    AlinkDevice *ad = opaque;
    /* First: without a load, what is looked at is what stays. */
    bool load = alink_sensor_now(ad, S_TEMP) != ad->sensor[S_TEMP] ||
                alink_sensor_now(ad, S_TEMP_MEM) != ad->sensor[S_TEMP_MEM];

    thermal_check(ad);
    if (load) {
        alink_thermal_kick(ad);
    }
}

void alink_thermal_kick(AlinkDevice *ad)
{
    if (!timer_pending(ad->thermal_timer)) {
        timer_mod_ns(ad->thermal_timer,
                     qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + THERMAL_NS);
    }
}

void alink_thermal_init(AlinkDevice *ad)
{
    ad->thermal_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, thermal_timer, ad);
}

void alink_thermal_cleanup(AlinkDevice *ad)
{
    timer_free(ad->thermal_timer);
}

/* Power over time; what a load adds is counted apart, until power is set. */
static uint64_t energy_settle(AlinkDevice *ad)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    if (ad->sensor[S_POWER] > 0) {
        /* mW times ns are pJ. */
        ad->energy_uj += muldiv64(now - ad->energy_at, ad->sensor[S_POWER],
                                  1000000);
    }
    ad->energy_at = now;
    return ad->energy_uj;
}

static uint64_t load_uj(AlinkDevice *ad)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    return adc->load_uj && !(ad->sensor_set & (1U << S_POWER)) ?
           adc->load_uj(ad) : 0;
}

uint64_t alink_energy_uj(AlinkDevice *ad)
{
    return energy_settle(ad) + load_uj(ad);
}

static void get_sensor(Object *obj, Visitor *v, const char *name,
                       void *opaque, Error **errp)
{
    visit_type_int32(v, name, &ALINK_DEVICE(obj)->sensor[(uintptr_t)opaque],
                     errp);
}

static void set_sensor(Object *obj, Visitor *v, const char *name,
                       void *opaque, Error **errp)
{
    AlinkDevice *ad = ALINK_DEVICE(obj);
    int32_t value;

    if (!visit_type_int32(v, name, &value, errp)) {
        return;
    }
    if (DEVICE(ad)->realized && (uintptr_t)opaque == S_POWER) {
        energy_settle(ad);
        ad->energy_uj += load_uj(ad);
    }
    ad->sensor[(uintptr_t)opaque] = value;
    ad->sensor_set |= 1U << (uintptr_t)opaque;
    trace_alink_inject(alink_device_name(ad), name, value);
    if (DEVICE(ad)->realized) {
        thermal_check(ad);
    }
}

void alink_sensor_default(AlinkDevice *ad, uint32_t reg, int32_t value)
{
    unsigned i = (reg - ALINK_REG_TEMP) / 4;

    g_assert(i < ALINK_NUM_SENSORS);
    if (!(ad->sensor_set & (1U << i))) {
        ad->sensor[i] = value;
    }
}

/* --- life cycle ---------------------------------------------------------- */

#define U32(_name, _field) \
    { _name, offsetof(AlinkDevice, _field) }

static const struct {
    const char *name;
    size_t offset;
} u32_props[] = {
    U32("x-bad-magic", inject.bad_magic),
    U32("x-bad-version", inject.bad_version),
    U32("x-lose-irqs", inject.lose_irqs),
    U32("x-latency-us", inject.latency_us),
    U32("x-late-doorbell-us", inject.late_doorbell_us),
    U32("x-reset-us", inject.reset_us),
};

void alink_inject_class_init(ObjectClass *oc)
{
    uintptr_t i;

    for (i = 0; i < ARRAY_SIZE(u32_props); i++) {
        object_class_property_add(oc, u32_props[i].name, "uint32", get_u32,
                                  set_u32, NULL, (void *)u32_props[i].offset);
    }
    object_class_property_add(oc, "guest-errors", "uint32", get_u32, NULL,
                              NULL,
                              (void *)offsetof(AlinkDevice, guest_errors));
    object_class_property_add_str(oc, "lights", get_lights, NULL);
    object_class_property_add(oc, "x-partial-dma", "uint64", get_partial,
                              set_partial, NULL, NULL);
    object_class_property_add_bool(oc, "x-dead", get_dead, set_dead);
    object_class_property_add_bool(oc, "x-admin-stuck", get_admin_stuck,
                                   set_admin_stuck);
    object_class_property_add_bool(oc, "x-heartbeat-stuck",
                                   get_heartbeat_stuck, set_heartbeat_stuck);
    object_class_property_add_str(oc, "x-fail-selftest", get_selftest,
                                  set_selftest);
    object_class_property_add_str(oc, "x-aer-inject", NULL, set_aer);
    object_class_property_add_str(oc, "x-fault", NULL, set_fault);
    object_class_property_add_str(oc, "x-link-fault", NULL, set_link_fault);
    object_class_property_add_str(oc, "x-lane-fault", NULL, set_lane_fault);
    object_class_property_add_str(oc, "x-link-errors", NULL, set_link_errors);
    object_class_property_add_str(oc, "x-crc-burst", NULL, set_crc_burst);
    object_class_property_add_str(oc, "x-ber", NULL, set_ber);
    object_class_property_add_str(oc, "x-credit-loss", NULL, set_credit_loss);
    for (i = 0; i < ALINK_NUM_SENSORS; i++) {
        object_class_property_add(oc, sensor_name[i], "int32", get_sensor,
                                  set_sensor, NULL, (void *)i);
    }
}

void alink_inject_instance_init(AlinkDevice *ad)
{
    unsigned i;

    for (i = 0; i < ALINK_NUM_SENSORS; i++) {
        ad->sensor[i] = INT32_MIN;
    }
}

void alink_inject_realize(AlinkDevice *ad)
{
    PCIDevice *pci = PCI_DEVICE(ad);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(ad->dead_mr); i++) {
        MemoryRegion *bar = pci->io_regions[i].memory;

        if (!bar || !pci->io_regions[i].size) {
            continue;
        }
        memory_region_init_io(&ad->dead_mr[i], OBJECT(ad), &dead_ops, ad,
                              "alink-dead", memory_region_size(bar));
        memory_region_set_enabled(&ad->dead_mr[i], false);
        memory_region_add_subregion_overlap(bar, 0, &ad->dead_mr[i], INT_MAX);
    }
    if (ad->inject.dead) {
        apply_dead(ad, true);
    }
}

void alink_inject_unrealize(AlinkDevice *ad)
{
    PCIDevice *pci = PCI_DEVICE(ad);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(ad->dead_mr); i++) {
        if (memory_region_size(&ad->dead_mr[i])) {
            memory_region_del_subregion(pci->io_regions[i].memory,
                                        &ad->dead_mr[i]);
        }
    }
}
