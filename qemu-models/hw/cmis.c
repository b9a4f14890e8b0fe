/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-cmis`: a linear pluggable optical module (OSFP, 8 x 112G, no DSP).
 *
 *   -device alink-optics,id=opt0,variant=oc32,fabric=fab0,...
 *   -device alink-cmis,id=mod3,bus=opt0.3,links=switch:0:6+switch:0:7
 *
 * bus=opt0.N is cage N of the controller. Any other I2C bus will do as well:
 * the module then has no pins and no links.
 *
 * Properties, fixed:
 *   address=0x50       I2C address
 *   links=L[+L]...     links that the module carries, each TYPE:ID:PORT or
 *                      TYPE:ID:PORT:FIRST-LAST; TYPE is xpu or switch, ID the
 *                      endpoint or plane, FIRST-LAST its lanes (0..7).
 *                      Without lanes the links share the eight in equal parts
 *   vendor, part-number, serial   texts of page 00h
 *
 * Properties that qom-set changes at any time:
 *   present            false pulls the module, true puts it (or a like one) in
 *   noise=on           monitors wander a little
 *   temperature        case, milli-degree Celsius
 *   vcc                uV
 *   tx-bias<0..7>      uA, while the transmitter is on
 *   tx-power<0..7>     uW, while the transmitter is on
 *   rx-power<0..7>     uW; -1: what the fibre brings
 *   laser-fault, tx-los, rx-los   bitmaps of lanes
 *   module-fault       cause of ModuleFault; it stays until reset
 *   i2c-nak, i2c-nak-data, i2c-arb-lost, i2c-stretch   the next N segments
 *                      fail in that way; 4294967295: all
 *   i2c-stuck          the data line is low until N recoveries
 *   unreadable         every byte reads ones
 *   bad-checksum       page 00h does not match its checksum
 *   identifier         byte 0; other than 0x19 is another kind of module
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "system/reset.h"
#include "trace.h"

#include "cmis_internal.h"

/* --- the bus ------------------------------------------------------------ */

static bool take(uint32_t *count)
{
    if (*count == 0) {
        return false;
    }
    if (*count != UINT32_MAX) {
        --*count;
    }
    return true;
}

static int cmis_event(I2CSlave *slave, enum i2c_event event)
{
    AlinkCmis *s = ALINK_CMIS(slave);

    switch (event) {
    case I2C_START_SEND:
    case I2C_START_RECV:
        /* A repeated START takes effect as STOP does for what was stored */
        cmis_mem_commit(s);
        if (!cmis_answers(s) || take(&s->i2c_nak)) {
            trace_alink_cmis_silent(DEVICE(s)->id ?: "", s->state);
            return -1;
        }
        s->address_phase = event == I2C_START_SEND;
        s->written = 0;
        if (event == I2C_START_RECV) {
            cmis_monitor_refresh(s);
        }
        return 0;
    case I2C_FINISH:
        if (s->dirty) {
            cmis_mem_commit(s);
        } else if (s->present) {
            cmis_update(s);
        }
        return 0;
    default:
        return 0;
    }
}

static int cmis_send(I2CSlave *slave, uint8_t data)
{
    AlinkCmis *s = ALINK_CMIS(slave);

    if (s->address_phase) {
        s->address_phase = false;
        s->address = data;
        return 0;
    }
    if (s->written == CMIS_WRITE_MAX || take(&s->i2c_nak_data)) {
        return -1;
    }
    s->written++;
    trace_alink_cmis_write(DEVICE(s)->id ?: "", s->low[CMIS_LO_PAGE],
                           s->address, data);
    s->dirty |= cmis_mem_write(s, s->address++, data);
    return 0;
}

static uint8_t cmis_recv(I2CSlave *slave)
{
    AlinkCmis *s = ALINK_CMIS(slave);
    uint8_t at = s->address++, value;

    if (!s->present || s->unreadable) {
        return 0xff;
    }
    if (at < CMIS_PAGE_BYTES) {
        value = s->low[at];
    } else {
        value = *cmis_up(s, s->cur, at);
        if (s->bad_checksum && s->cur == CMIS_PG_00 && at == CMIS_00_PN) {
            value ^= 0x01;
        }
    }
    if (cmis_is_flag(s, at)) {
        if (at < CMIS_PAGE_BYTES) {
            s->low[at] = 0;
        } else {
            *cmis_up(s, s->cur, at) = 0;
        }
    }
    return value;
}

/* --- pins --------------------------------------------------------------- */

bool alink_cmis_present(AlinkCmis *s)
{
    return s->present;
}

bool alink_cmis_interrupt(AlinkCmis *s)
{
    return cmis_monitor_interrupt(s);
}

void alink_cmis_set_reset(AlinkCmis *s, bool level)
{
    if (s->pin_reset == level) {
        return;
    }
    s->pin_reset = level;
    cmis_power_on(s);
}

void alink_cmis_set_low_power(AlinkCmis *s, bool level)
{
    s->pin_low_power = level;
    cmis_update(s);
}

bool alink_cmis_sda_low(AlinkCmis *s)
{
    return s->present && s->i2c_stuck;
}

void alink_cmis_recover(AlinkCmis *s)
{
    take(&s->i2c_stuck);
}

bool alink_cmis_take_arbitration(AlinkCmis *s)
{
    return s->present && take(&s->i2c_arb_lost);
}

bool alink_cmis_stretch(AlinkCmis *s)
{
    return s->present && take(&s->i2c_stretch);
}

/* --- properties --------------------------------------------------------- */

typedef struct CmisKnob {
    const char *name;
    const char *help;
    size_t offset;
    uint8_t size;               /* bytes of the field; 0: bool */
    bool is_signed;
    uint8_t count;              /* lanes: names get a digit */
    int64_t min, max;
} CmisKnob;

#define KNOB(name, field, min, max, help) \
    { name, help, offsetof(AlinkCmis, field), \
      sizeof_field(AlinkCmis, field), (min) < 0, 0, min, max }
#define KNOB_LANE(name, field, min, max, help) \
    { name, help, offsetof(AlinkCmis, field), \
      sizeof_field(AlinkCmis, field[0]), (min) < 0, CMIS_LANES, min, max }
#define KNOB_BOOL(name, field, help) \
    { name, help, offsetof(AlinkCmis, field), 0, false, 0, 0, 1 }

static const CmisKnob knobs[] = {
    KNOB_BOOL("present", present, "the module is in its cage"),
    KNOB_BOOL("noise", noise, "monitors wander a little"),
    KNOB("temperature", temperature, -40000, 125000, "milli-degree Celsius"),
    KNOB("vcc", vcc, 0, 6553500, "supply voltage, uV"),
    KNOB_LANE("tx-bias", tx_bias, 0, 131070, "laser bias, uA"),
    KNOB_LANE("tx-power", tx_power, 0, 6553, "transmitted power, uW"),
    KNOB_LANE("rx-power", rx_power, -1, 6553, "received power, uW; -1: auto"),
    KNOB("laser-fault", laser_fault, 0, 255, "bitmap of failed lasers"),
    KNOB("tx-los", tx_los, 0, 255, "bitmap of lanes without host signal"),
    KNOB("rx-los", rx_los, 0, 255, "bitmap of lanes without light"),
    KNOB("module-fault", fault_cause, 0, 255, "cause of ModuleFault, 0: none"),
    KNOB("i2c-nak", i2c_nak, 0, UINT32_MAX, "segments to refuse"),
    KNOB("i2c-nak-data", i2c_nak_data, 0, UINT32_MAX, "data bytes to refuse"),
    KNOB("i2c-arb-lost", i2c_arb_lost, 0, UINT32_MAX,
         "segments to lose to another master"),
    KNOB("i2c-stretch", i2c_stretch, 0, UINT32_MAX,
         "segments to stretch beyond the limit"),
    KNOB("i2c-stuck", i2c_stuck, 0, UINT32_MAX,
         "recoveries until the data line is released"),
    KNOB_BOOL("unreadable", unreadable, "memory reads ones"),
    KNOB_BOOL("bad-checksum", bad_checksum, "page 00h is damaged"),
    KNOB("identifier", identifier, 0, 255, "SFF-8024 identifier"),
};

static void *knob_field(Object *obj, const CmisKnob *knob, const char *name)
{
    uint8_t *p = (uint8_t *)ALINK_CMIS(obj) + knob->offset;

    if (knob->count) {
        p += knob->size * (name[strlen(name) - 1] - '0');
    }
    return p;
}

static int64_t knob_value(const CmisKnob *knob, const void *p)
{
    switch (knob->size) {
    case 0:
        return *(const bool *)p;
    case 1:
        return *(const uint8_t *)p;
    default:
        return knob->is_signed ? *(const int32_t *)p : *(const uint32_t *)p;
    }
}

static void knob_get(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    const CmisKnob *knob = opaque;
    int64_t value = knob_value(knob, knob_field(obj, knob, name));
    bool flag = value;

    if (knob->size == 0) {
        visit_type_bool(v, name, &flag, errp);
    } else {
        visit_type_int64(v, name, &value, errp);
    }
}

static void knob_set(Object *obj, Visitor *v, const char *name, void *opaque,
                     Error **errp)
{
    AlinkCmis *s = ALINK_CMIS(obj);
    const CmisKnob *knob = opaque;
    void *p = knob_field(obj, knob, name);
    int64_t value;
    bool flag;

    if (knob->size == 0) {
        if (!visit_type_bool(v, name, &flag, errp)) {
            return;
        }
        value = flag;
    } else if (!visit_type_int64(v, name, &value, errp)) {
        return;
    }
    if (value < knob->min || value > knob->max) {
        error_setg(errp, "%s must be %" PRId64 " to %" PRId64, name,
                   knob->min, knob->max);
        return;
    }
    if (value == knob_value(knob, p)) {
        return;
    }
    switch (knob->size) {
    case 0:
        *(bool *)p = value;
        break;
    case 1:
        *(uint8_t *)p = value;
        break;
    default:
        *(uint32_t *)p = value;
        break;
    }
    if (!DEVICE(s)->realized) {
        return;
    }
    trace_alink_cmis_knob(DEVICE(s)->id ?: "", name, value);
    if (p == &s->present) {
        if (s->present) {
            cmis_power_on(s);
        } else {
            cmis_power_off(s);
        }
        return;
    }
    if (p == &s->identifier) {
        s->low[CMIS_LO_ID] = value;
    }
    cmis_update(s);
}

static void add_knobs(ObjectClass *oc)
{
    for (unsigned i = 0; i < ARRAY_SIZE(knobs); i++) {
        const CmisKnob *knob = &knobs[i];
        const char *type = !knob->size ? "bool" :
                           knob->is_signed ? "int32" : "uint32";

        for (unsigned n = 0; n < MAX(knob->count, 1); n++) {
            g_autofree char *name = knob->count ?
                g_strdup_printf("%s%u", knob->name, n) : g_strdup(knob->name);

            object_class_property_add(oc, name, type, knob_get, knob_set, NULL,
                                      (void *)knob);
            object_class_property_set_description(oc, name, knob->help);
        }
    }
}

/* --- life cycle --------------------------------------------------------- */

static void cmis_timer(void *opaque)
{
    cmis_update(opaque);
}

/*
 * Registered with the machine and not with the bus: FLR of the controller
 * resets its buses, but the modules keep their power.
 */
static void cmis_system_reset(void *opaque)
{
    AlinkCmis *s = opaque;

    s->pin_reset = false;
    s->pin_low_power = false;
    cmis_power_on(s);
}

static void cmis_realize(DeviceState *dev, Error **errp)
{
    AlinkCmis *s = ALINK_CMIS(dev);
    BusState *bus = qdev_get_parent_bus(dev);
    Object *host = object_dynamic_cast(OBJECT(bus->parent),
                                       TYPE_ALINK_CAGE_HOST);

    if (!cmis_link_parse(s, errp)) {
        return;
    }
    if (!host && s->num_links) {
        error_setg(errp, "links need a cage of an optics controller");
        return;
    }
    if (!s->serial && !host) {
        s->serial = g_strdup("AL0");
    }
    if (host) {
        int channel = ALINK_CAGE_HOST_GET_CLASS(host)->plugged(
            ALINK_CAGE_HOST(host), I2C_BUS(bus), s, errp);

        if (channel < 0) {
            return;
        }
        s->host = ALINK_CAGE_HOST(host);
        s->channel = channel;
    }
    if (!s->serial) {
        uint32_t id = ALINK_CAGE_HOST_GET_CLASS(host)->module_id(s->host,
                                                                 s->channel);

        s->serial = g_strdup_printf("AL%04XC%02u", id >> 16, s->channel);
    }
    if (!cmis_link_attach(s, errp)) {
        ALINK_CAGE_HOST_GET_CLASS(host)->unplugged(s->host, s->channel);
        s->host = NULL;
        return;
    }
    s->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, cmis_timer, s);
    s->sample_due = INT64_MAX;
    for (unsigned i = 0; i < CMIS_LANES; i++) {
        s->dp[i] = CMIS_DP_DEACTIVATED;
        s->dp_due[i] = INT64_MAX;
    }
    qemu_register_reset(cmis_system_reset, s);
    cmis_power_on(s);
}

static void cmis_unrealize(DeviceState *dev)
{
    AlinkCmis *s = ALINK_CMIS(dev);

    qemu_unregister_reset(cmis_system_reset, s);
    timer_free(s->timer);
    s->timer = NULL;
    cmis_link_detach(s);
    if (s->host) {
        ALINK_CAGE_HOST_GET_CLASS(s->host)->unplugged(s->host, s->channel);
        s->host = NULL;
    }
}

static void cmis_init(Object *obj)
{
    AlinkCmis *s = ALINK_CMIS(obj);

    s->vendor = g_strdup("ALink");
    s->part_number = g_strdup("AL-OSFP-DR8-LPO");
    s->present = true;
    s->noise = true;
    s->temperature = 45000;
    s->vcc = 3300000;
    s->identifier = CMIS_ID_OSFP;
    for (unsigned i = 0; i < CMIS_LANES; i++) {
        s->tx_bias[i] = 65000;
        s->tx_power[i] = 1000;
        s->rx_power[i] = -1;
    }
    I2C_SLAVE(obj)->address = CMIS_I2C_ADDR;
}

static const VMStateDescription cmis_vmstate = {
    .name = TYPE_ALINK_CMIS,
    .unmigratable = 1,
};

static const Property cmis_props[] = {
    DEFINE_PROP_STRING("vendor", AlinkCmis, vendor),
    DEFINE_PROP_STRING("part-number", AlinkCmis, part_number),
    DEFINE_PROP_STRING("serial", AlinkCmis, serial),
    DEFINE_PROP_STRING("links", AlinkCmis, links_prop),
};

static void cmis_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    I2CSlaveClass *sc = I2C_SLAVE_CLASS(oc);

    sc->event = cmis_event;
    sc->send = cmis_send;
    sc->recv = cmis_recv;
    dc->desc = "ALink linear pluggable optical module (CMIS)";
    dc->realize = cmis_realize;
    dc->unrealize = cmis_unrealize;
    dc->vmsd = &cmis_vmstate;
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, cmis_props);
    add_knobs(oc);
}

static const TypeInfo cmis_types[] = {
    {
        .name = TYPE_ALINK_CAGE_HOST,
        .parent = TYPE_INTERFACE,
        .class_size = sizeof(AlinkCageHostClass),
    },
    {
        .name = TYPE_ALINK_CMIS,
        .parent = TYPE_I2C_SLAVE,
        .instance_size = sizeof(AlinkCmis),
        .instance_init = cmis_init,
        .class_init = cmis_class_init,
    },
};

DEFINE_TYPES(cmis_types)
