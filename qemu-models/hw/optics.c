/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-optics`: controller of the optical modules of a board.
 *
 *   -device alink-optics,id=opt0,fabric=fab0,variant=oc32,serial=0x301
 *   -device alink-cmis,bus=opt0.0,links=switch:0:0+switch:0:1
 *
 * Properties beyond those of every ALink device (alink_common_inject.c):
 *   variant=oc32   oc32, oc16 or oc64: cages and I2C buses
 *
 * Cage N is the I2C bus "<id>.N"; cmis.c has the module and its knobs. Without
 * a serial number of its own a controller gets one that no other has in this
 * process: ALINK_LINK_MODULE names controllers by the low 16 bits of it.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/qdev-properties.h"
#include "trace.h"

#include "optics_internal.h"

static const OptVariant variants[] = {
    { "oc32", ALINK_OPTICS_OC32, 32, 1000000, "ALink Optics Controller 32",
      "AL-OC32" },
    { "oc16", ALINK_OPTICS_OC16, 16, 1000000, "ALink Optics Controller 16",
      "AL-OC16" },
    { "oc64", ALINK_OPTICS_OC64, 64, 1000000, "ALink Optics Controller 64",
      "AL-OC64" },
};

/* --- registers ---------------------------------------------------------- */

static uint64_t read_global(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkOptics *o = ALINK_OPTICS(ad);
    uint64_t map = 0;

    switch (reg->offset) {
    case ALINK_OPT_REG_NUM_CHANNELS:
        return o->num_channels;
    case ALINK_OPT_REG_I2C_MAX_HZ:
        return o->variant->max_hz;
    case ALINK_OPT_REG_TRANSFERS:
        return o->transfers;
    case ALINK_OPT_REG_I2C_ERRORS:
        return o->errors;
    }
    for (unsigned i = 0; i < o->num_channels; i++) {
        const OptChannel *ch = &o->channel[i];
        bool set = reg->offset == ALINK_OPT_REG_PRESENT ? ch->present :
                   reg->offset == ALINK_OPT_REG_INT ? ch->interrupt :
                   ch->status & ALINK_OPT_I2C_DONE;

        map |= (uint64_t)set << i;
    }
    return map;
}

/* Channel @n, or NULL when the variant does not have it: a hole */
static OptChannel *find_channel(AlinkDevice *ad, uint32_t addr, unsigned n)
{
    AlinkOptics *o = ALINK_OPTICS(ad);

    if (n >= o->num_channels) {
        alink_guest_error(ad, addr, "channel %u of %u", n, o->num_channels);
        return NULL;
    }
    return &o->channel[n];
}

static uint32_t peer(OptChannel *ch, bool port)
{
    uint32_t dev_type, dev_id, first, count;

    if (!ch->module ||
        !alink_cmis_peer(ch->module, &dev_type, &dev_id, &first, &count)) {
        return port ? 0 : ALINK_ID_NONE;
    }
    return port ? count << 16 | first : dev_type << 24 | dev_id;
}

static uint64_t read_channel(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    uint32_t addr = reg->offset + n * ALINK_OPT_CH_STRIDE;
    OptChannel *ch = find_channel(ad, addr, n);

    if (!ch) {
        return 0;
    }
    switch (reg->offset - ALINK_OPT_CH_BASE) {
    case ALINK_OPT_CH_STATUS:
        return (ch->present ? ALINK_OPT_STATUS_PRESENT : 0) |
               (ch->interrupt ? ALINK_OPT_STATUS_INT : 0);
    case ALINK_OPT_CH_CTRL:
        return ch->ctrl;
    case ALINK_OPT_CH_CHANGES:
        return ch->changes;
    case ALINK_OPT_CH_PEER:
        return peer(ch, false);
    case ALINK_OPT_CH_PEER_PORT:
        return peer(ch, true);
    case ALINK_OPT_I2C_STATUS:
        return ch->status;
    case ALINK_OPT_I2C_COUNT:
        return ch->moved;
    case ALINK_OPT_I2C_BUS:
        return opt_i2c_lines(ch);
    case ALINK_OPT_I2C_CTRL:
        return ch->i2c_ctrl;
    case ALINK_OPT_I2C_CLOCK:
        return ch->clock;
    case ALINK_OPT_I2C_TIMEOUT:
        return ch->timeout;
    }
    g_assert_not_reached();
}

static void set_pins(OptChannel *ch, uint32_t ctrl)
{
    ch->ctrl = ctrl & (ALINK_OPT_CTRL_RESET | ALINK_OPT_CTRL_LOW_POWER);
    if (ch->module) {
        alink_cmis_set_low_power(ch->module,
                                 ch->ctrl & ALINK_OPT_CTRL_LOW_POWER);
        alink_cmis_set_reset(ch->module, ch->ctrl & ALINK_OPT_CTRL_RESET);
    }
}

static void write_channel(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                          uint64_t value)
{
    uint32_t addr = reg->offset + n * ALINK_OPT_CH_STRIDE;
    OptChannel *ch = find_channel(ad, addr, n);

    if (!ch) {
        return;
    }
    switch (reg->offset - ALINK_OPT_CH_BASE) {
    case ALINK_OPT_CH_CTRL:
        set_pins(ch, value);
        break;
    case ALINK_OPT_I2C_CMD:
        opt_i2c_command(ch, addr, value);
        break;
    case ALINK_OPT_I2C_STATUS:
        ch->status &= ~value;
        break;
    case ALINK_OPT_I2C_CTRL:
        ch->i2c_ctrl = value & 1;
        break;
    case ALINK_OPT_I2C_CLOCK:
        if ((value != 100000 && value != 400000 && value != 1000000) ||
            value > ch->opt->variant->max_hz) {
            alink_guest_error(ad, addr, "I2C clock %" PRIu64, value);
            break;
        }
        ch->clock = value;
        break;
    case ALINK_OPT_I2C_TIMEOUT:
        if (value < 1000 || value > 1000000) {
            alink_guest_error(ad, addr, "I2C timeout %" PRIu64, value);
            break;
        }
        ch->timeout = value;
        break;
    case ALINK_OPT_I2C_OP:
        opt_i2c_op(ch, addr, value);
        break;
    default:
        g_assert_not_reached();
    }
}

#define REG(_reg, _width) \
    { .name = #_reg, .offset = ALINK_##_reg, .access = ALINK_RO, \
      .width = _width, .read = read_global }
#define CH_REG(_reg, _access) \
    { .name = #_reg, .offset = ALINK_OPT_CH_BASE + ALINK_##_reg, \
      .access = ALINK_##_access, .width = 32, \
      .count = ALINK_OPTICS_MAX_CHANNELS, .stride = ALINK_OPT_CH_STRIDE, \
      .read = read_channel, .write = write_channel }

static const AlinkReg optics_regs[] = {
    REG(OPT_REG_NUM_CHANNELS, 32),
    REG(OPT_REG_I2C_MAX_HZ, 32),
    REG(OPT_REG_PRESENT, 64),
    REG(OPT_REG_INT, 64),
    REG(OPT_REG_I2C_DONE, 64),
    REG(OPT_REG_TRANSFERS, 64),
    REG(OPT_REG_I2C_ERRORS, 64),

    CH_REG(OPT_CH_STATUS, RO),
    CH_REG(OPT_CH_CTRL, RW),
    CH_REG(OPT_CH_CHANGES, RO),
    CH_REG(OPT_CH_PEER, RO),
    CH_REG(OPT_CH_PEER_PORT, RO),
    CH_REG(OPT_I2C_CMD, WO),
    CH_REG(OPT_I2C_STATUS, W1C),
    CH_REG(OPT_I2C_COUNT, RO),
    CH_REG(OPT_I2C_BUS, RO),
    CH_REG(OPT_I2C_CTRL, RW),
    CH_REG(OPT_I2C_CLOCK, RW),
    CH_REG(OPT_I2C_TIMEOUT, RW),
    CH_REG(OPT_I2C_OP, WO),
};

/* The segment buffer: an array in each window, which the table cannot say */
static uint8_t *find_data(AlinkDevice *ad, hwaddr addr, unsigned size)
{
    AlinkOptics *o = ALINK_OPTICS(ad);
    unsigned n, offset;

    if (addr < ALINK_OPT_CH_BASE || size != 4 || addr % 4) {
        return NULL;
    }
    n = (addr - ALINK_OPT_CH_BASE) / ALINK_OPT_CH_STRIDE;
    offset = (addr - ALINK_OPT_CH_BASE) % ALINK_OPT_CH_STRIDE;
    if (n >= o->num_channels || offset < ALINK_OPT_I2C_DATA ||
        offset >= ALINK_OPT_I2C_DATA + ALINK_OPT_I2C_DATA_SIZE) {
        return NULL;
    }
    return &o->channel[n].buf[offset - ALINK_OPT_I2C_DATA];
}

static bool optics_mmio_read(AlinkDevice *ad, hwaddr addr, unsigned size,
                             uint64_t *value)
{
    uint8_t *data = find_data(ad, addr, size);

    if (data) {
        *value = ldl_le_p(data);
    }
    return data;
}

static bool optics_mmio_write(AlinkDevice *ad, hwaddr addr, unsigned size,
                              uint64_t value)
{
    uint8_t *data = find_data(ad, addr, size);

    if (data) {
        stl_le_p(data, value);
    }
    return data;
}

/* --- cages -------------------------------------------------------------- */

static int optics_plugged(AlinkCageHost *host, I2CBus *bus, AlinkCmis *module,
                          Error **errp)
{
    AlinkOptics *o = ALINK_OPTICS(host);

    for (unsigned i = 0; i < o->num_channels; i++) {
        OptChannel *ch = &o->channel[i];

        if (ch->bus != bus) {
            continue;
        }
        if (ch->module) {
            error_setg(errp, "cage %u already has a module", i);
            return -1;
        }
        ch->module = module;
        return i;
    }
    error_setg(errp, "the bus is no cage");
    return -1;
}

static void post(OptChannel *ch, enum alink_module_event event)
{
    trace_alink_optics_module(alink_device_name(ALINK_DEVICE(ch->opt)), ch->n,
                              event);
    alink_event_post(ALINK_DEVICE(ch->opt), ALINK_EVENT_MODULE, ch->n, event,
                     ch->changes, 0);
}

static void set_presence(OptChannel *ch, bool present)
{
    if (ch->present == present) {
        return;
    }
    ch->present = present;
    ch->changes++;
    if (!present) {
        opt_i2c_pulled(ch);
    }
    post(ch, present ? ALINK_MODULE_EV_INSERTED : ALINK_MODULE_EV_REMOVED);
}

static void set_interrupt(OptChannel *ch, bool level)
{
    if (ch->interrupt == level) {
        return;
    }
    ch->interrupt = level;
    if (level) {
        post(ch, ALINK_MODULE_EV_INTERRUPT);
    }
}

static void optics_changed(AlinkCageHost *host, unsigned channel)
{
    OptChannel *ch = &ALINK_OPTICS(host)->channel[channel];

    set_presence(ch, alink_cmis_present(ch->module));
    set_interrupt(ch, alink_cmis_interrupt(ch->module));
}

static void optics_unplugged(AlinkCageHost *host, unsigned channel)
{
    OptChannel *ch = &ALINK_OPTICS(host)->channel[channel];

    set_presence(ch, false);
    set_interrupt(ch, false);
    ch->module = NULL;
}

static uint32_t optics_module_id(AlinkCageHost *host, unsigned channel)
{
    return ALINK_MODULE_ID(ALINK_DEVICE(host)->serial, channel, 0);
}

static struct af_fabric *optics_fabric(AlinkCageHost *host)
{
    return ALINK_DEVICE(host)->af;
}

/* --- life cycle --------------------------------------------------------- */

static bool find_variant(AlinkOptics *o, Error **errp)
{
    const char *name = o->variant_name ?: variants[0].name;

    for (unsigned i = 0; i < ARRAY_SIZE(variants); i++) {
        if (!strcmp(variants[i].name, name)) {
            o->variant = &variants[i];
            return true;
        }
    }
    error_setg(errp, "no variant '%s': oc32, oc16 or oc64", name);
    return false;
}

static bool optics_realize(AlinkDevice *ad, Error **errp)
{
    static uint32_t controllers;
    AlinkOptics *o = ALINK_OPTICS(ad);

    if (!find_variant(o, errp)) {
        return false;
    }
    o->num_channels = o->variant->channels;
    ad->variant = o->variant->id;
    ad->caps = ALINK_CAP_ADMIN;
    ad->fw_version = 1 << 24 | 1 << 16;
    ad->fabric_id = ALINK_ID_NONE;
    ad->num_vectors = ALINK_OPT_NUM_VECTORS;
    ad->num_links = 0;
    ad->model_name = o->variant->model_name;
    ad->part_number = o->variant->part_number;
    if (!ad->serial) {
        ad->serial = (uint64_t)ALINK_DEVTYPE_OPTICS << 32 | ++controllers;
    }

    for (unsigned i = 0; i < o->num_channels; i++) {
        OptChannel *ch = &o->channel[i];
        g_autofree char *name = DEVICE(o)->id ?
            g_strdup_printf("%s.%u", DEVICE(o)->id, i) :
            g_strdup_printf("optics%" PRIu64 ".%u", ad->serial & 0xffff, i);

        ch->opt = o;
        ch->n = i;
        ch->bus = i2c_init_bus(DEVICE(o), name);
        opt_i2c_init(ch);
        opt_i2c_reset(ch);
    }
    return true;
}

static void optics_unrealize(AlinkDevice *ad)
{
    AlinkOptics *o = ALINK_OPTICS(ad);

    for (unsigned i = 0; i < o->num_channels; i++) {
        opt_i2c_cleanup(&o->channel[i]);
    }
}

static void optics_reset(AlinkDevice *ad, AlinkResetKind kind)
{
    AlinkOptics *o = ALINK_OPTICS(ad);

    for (unsigned i = 0; i < o->num_channels; i++) {
        opt_i2c_reset(&o->channel[i]);
        set_pins(&o->channel[i], 0);
    }
    if (kind == ALINK_RESET_COLD) {
        o->transfers = 0;
        o->errors = 0;
    }
}

static const Property optics_props[] = {
    DEFINE_PROP_STRING("variant", AlinkOptics, variant_name),
};

static void optics_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    AlinkDeviceClass *adc = ALINK_DEVICE_CLASS(oc);
    AlinkCageHostClass *chc = ALINK_CAGE_HOST_CLASS(oc);

    adc->devtype = ALINK_DEVTYPE_OPTICS;
    adc->regs = optics_regs;
    adc->num_regs = ARRAY_SIZE(optics_regs);
    adc->realize = optics_realize;
    adc->unrealize = optics_unrealize;
    adc->reset = optics_reset;
    adc->mmio_read = optics_mmio_read;
    adc->mmio_write = optics_mmio_write;

    chc->plugged = optics_plugged;
    chc->unplugged = optics_unplugged;
    chc->changed = optics_changed;
    chc->module_id = optics_module_id;
    chc->fabric = optics_fabric;

    dc->desc = "ALink optics controller";
    device_class_set_props(dc, optics_props);
}

static const TypeInfo optics_types[] = {
    {
        .name = TYPE_ALINK_OPTICS,
        .parent = TYPE_ALINK_DEVICE,
        .instance_size = sizeof(AlinkOptics),
        .class_init = optics_class_init,
        .interfaces = (InterfaceInfo[]) {
            { TYPE_ALINK_CAGE_HOST },
            { }
        },
    },
};

DEFINE_TYPES(optics_types)
