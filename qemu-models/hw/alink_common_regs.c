/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: BAR0. One table per class says what each register is;
 * access classes, widths, halves of 64-bit registers and guest errors are
 * handled here and nowhere else.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "alink_common_internal.h"
#include "trace.h"

struct AlinkLateWrite {
    hwaddr addr;
    unsigned size;
    uint64_t value;
    int64_t due_ns;
    QTAILQ_ENTRY(AlinkLateWrite) next;
};

/* --- the common block ---------------------------------------------------- */

static uint64_t read_ident(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    switch (reg->offset) {
    case ALINK_REG_MAGIC:
        return ad->inject.bad_magic ?: ALINK_MAGIC;
    case ALINK_REG_VERSION:
        return ad->inject.bad_version ?:
            ALINK_VERSION_MAJOR << 16 | ALINK_VERSION_MINOR;
    case ALINK_REG_DEVTYPE:
        return adc->devtype;
    case ALINK_REG_VARIANT:
        return ad->variant;
    case ALINK_REG_CAPS:
        return ad->caps;
    case ALINK_REG_SERIAL:
        return ad->serial;
    case ALINK_REG_FW_VERSION:
        return ad->fw_version;
    case ALINK_REG_FABRIC_ID:
        return ad->fabric_id;
    case ALINK_REG_NUM_VECTORS:
        return ad->num_vectors;
    case ALINK_REG_NUM_LINKS:
        return ad->num_links;
    }
    g_assert_not_reached();
}

static uint64_t read_state(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    switch (reg->offset) {
    case ALINK_REG_STATE:
        return ad->state;
    case ALINK_REG_RESET_CAUSE:
        return ad->reset_cause;
    case ALINK_REG_GENERATION:
        return ad->generation;
    case ALINK_REG_HEARTBEAT:
        if (ad->inject.heartbeat_stuck) {
            return 0;
        }
        return (uint32_t)(qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) - ad->boot_ms);
    case ALINK_REG_CLOCK:
        return alink_clock_ns(ad);
    case ALINK_REG_GUEST_ERRORS:
        return ad->guest_errors;
    case ALINK_REG_GUEST_ERR_LAST:
        return ad->guest_err_last;
    case ALINK_REG_FAULT_CODE:
        return ad->fault.code;
    case ALINK_REG_FAULT_CLASS:
        return ad->fault.recovery;
    case ALINK_REG_FAULT_ADDR:
        return ad->fault.addr;
    case ALINK_REG_FAULT_INFO:
        return ad->fault.info;
    case ALINK_REG_TEST_DMA_STATUS:
        return ad->test_status;
    case ALINK_REG_EVENT_LOST:
        return alink_event_take_lost(ad);
    }
    g_assert_not_reached();
}

static void write_reset(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                        uint64_t value)
{
    if (value != ALINK_RESET_KEY) {
        alink_guest_error(ad, reg->offset, "reset key 0x%" PRIx64, value);
        return;
    }
    alink_device_reset(ad, ALINK_RESET_SOFT);
}

static void write_fault_ack(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                            uint64_t value)
{
    if (!ad->fault.code || value != ad->fault.code) {
        alink_guest_error(ad, reg->offset, "acknowledges fault 0x%" PRIx64
                          ", the record has 0x%x", value, ad->fault.code);
        return;
    }
    memset(&ad->fault, 0, sizeof(ad->fault));
}

static uint64_t read_test_value(AlinkDevice *ad, const AlinkReg *reg,
                                unsigned n)
{
    uint32_t value = ~alink_reg_get(ad, reg->offset);

    return ad->inject.fail_value ? value ^ 0x100 : value;
}

static void write_test(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                       uint64_t value)
{
    if (reg->offset == ALINK_REG_TEST_DMA_CTRL) {
        alink_test_start(ad, value);
        return;
    }
    if (value >= ad->num_vectors) {
        alink_guest_error(ad, reg->offset, "vector %" PRIu64 " of %u", value,
                          ad->num_vectors);
        return;
    }
    if (!ad->inject.fail_irq) {
        alink_irq(ad, value);
    }
}

static void write_ctrl(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                       uint64_t value)
{
    bool on = value & 1;

    switch (reg->offset) {
    case ALINK_REG_ADMIN_CTRL:
        alink_admin_enable(ad, on);
        alink_reg_set(ad, reg->offset, ad->admin.enabled);
        break;
    case ALINK_REG_EVENT_CTRL:
        alink_event_enable(ad, on);
        alink_reg_set(ad, reg->offset, ad->event.enabled);
        break;
    case ALINK_REG_FRAME_CTRL:
        alink_frames_enable(ad, on);
        alink_reg_set(ad, reg->offset, ad->frame.enabled);
        break;
    }
}

/* Moves a driver's index; it must stay between @from and @from + @room. */
static bool move_index(AlinkDevice *ad, const AlinkReg *reg, bool enabled,
                       uint32_t *index, uint32_t from, uint32_t room,
                       uint32_t value)
{
    trace_alink_doorbell(alink_device_name(ad), reg->name, value);
    if (!enabled) {
        alink_guest_error(ad, reg->offset, "doorbell of a disabled ring");
        return false;
    }
    if (value - from > room || value - from < *index - from) {
        alink_guest_error(ad, reg->offset, "index %u, was %u, ring of %u",
                          value, *index, room);
        return false;
    }
    *index = value;
    return true;
}

static void write_doorbell(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                           uint64_t value)
{
    AlinkRing *r;

    switch (reg->offset) {
    case ALINK_REG_ADMIN_SQ_TAIL:
        r = &ad->admin;
        if (move_index(ad, reg, r->enabled, &r->tail, r->head, r->size,
                       value)) {
            alink_admin_kick(ad);
        }
        break;
    case ALINK_REG_ADMIN_CQ_HEAD:
        /* Behind the device's index, which is head2; the driver's is tail2. */
        r = &ad->admin;
        if (move_index(ad, reg, r->enabled, &r->tail2, r->tail2,
                       r->head2 - r->tail2, value)) {
            alink_admin_kick(ad);
        }
        break;
    case ALINK_REG_EVENT_HEAD:
        r = &ad->event;
        move_index(ad, reg, r->enabled, &r->tail, r->tail, r->head - r->tail,
                   value);
        break;
    case ALINK_REG_FRAME_TX_TAIL:
        r = &ad->frame;
        if (move_index(ad, reg, r->enabled, &r->tail, r->head, r->size,
                       value)) {
            qemu_bh_schedule(ad->frame_bh);
        }
        break;
    case ALINK_REG_FRAME_RX_TAIL:
        r = &ad->frame;
        if (move_index(ad, reg, r->enabled, &r->tail2, r->head2, r->size,
                       value)) {
            qemu_bh_schedule(ad->frame_bh);
        }
        break;
    }
}

static uint64_t read_sensor(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    return (uint32_t)alink_sensor_now(ad, (reg->offset - ALINK_REG_TEMP) / 4);
}

static uint64_t read_energy(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    return alink_energy_uj(ad);
}

#define REG(_reg, _access, _width, ...) \
    { .name = #_reg, .offset = ALINK_##_reg, .access = ALINK_##_access, \
      .width = _width, __VA_ARGS__ }
#define ADMIN   .caps = ALINK_CAP_ADMIN
#define FRAMES  .caps = ALINK_CAP_FRAMES

static const AlinkReg common_regs[] = {
    REG(REG_MAGIC, RO, 32, .read = read_ident),
    REG(REG_VERSION, RO, 32, .read = read_ident),
    REG(REG_DEVTYPE, RO, 32, .read = read_ident),
    REG(REG_VARIANT, RO, 32, .read = read_ident),
    REG(REG_CAPS, RO, 64, .read = read_ident),
    REG(REG_SERIAL, RO, 64, .read = read_ident),
    REG(REG_FW_VERSION, RO, 32, .read = read_ident),
    REG(REG_FABRIC_ID, RO, 32, .read = read_ident),
    REG(REG_NUM_VECTORS, RO, 32, .read = read_ident),
    REG(REG_NUM_LINKS, RO, 32, .read = read_ident),

    REG(REG_STATE, RO, 32, .read = read_state),
    REG(REG_CONTROL, RW, 32, .mask = ALINK_CONTROL_ENABLE),
    REG(REG_RESET, WO, 32, .write = write_reset),
    REG(REG_RESET_CAUSE, RO, 32, .read = read_state),
    REG(REG_GENERATION, RO, 32, .read = read_state),
    REG(REG_HEARTBEAT, RO, 32, .read = read_state),
    REG(REG_CLOCK, RO, 64, .read = read_state),

    REG(REG_GUEST_ERRORS, RO, 32, .read = read_state),
    REG(REG_GUEST_ERR_LAST, RO, 32, .read = read_state),
    REG(REG_FAULT_CODE, RO, 32, .read = read_state),
    REG(REG_FAULT_CLASS, RO, 32, .read = read_state),
    REG(REG_FAULT_ADDR, RO, 64, .read = read_state),
    REG(REG_FAULT_INFO, RO, 32, .read = read_state),
    REG(REG_FAULT_ACK, WO, 32, .write = write_fault_ack),

    REG(REG_TEST_VALUE, RW, 32, .read = read_test_value),
    REG(REG_TEST_IRQ, WO, 32, .write = write_test),
    REG(REG_TEST_DMA_ADDR, RW, 64),
    REG(REG_TEST_DMA_LEN, RW, 32),
    REG(REG_TEST_DMA_CTRL, WO, 32, .write = write_test),
    REG(REG_TEST_DMA_STATUS, RO, 32, .read = read_state),

    REG(REG_ADMIN_SQ_BASE, RW, 64, ADMIN),
    REG(REG_ADMIN_CQ_BASE, RW, 64, ADMIN),
    REG(REG_ADMIN_SIZE, RW, 32, ADMIN),
    REG(REG_ADMIN_CTRL, RW, 32, ADMIN, .mask = 1, .write = write_ctrl),
    REG(REG_ADMIN_SQ_TAIL, WO, 32, ADMIN, .doorbell = true,
        .write = write_doorbell),
    REG(REG_ADMIN_CQ_HEAD, WO, 32, ADMIN, .doorbell = true,
        .write = write_doorbell),

    REG(REG_EVENT_BASE, RW, 64, ADMIN),
    REG(REG_EVENT_SIZE, RW, 32, ADMIN),
    REG(REG_EVENT_CTRL, RW, 32, ADMIN, .mask = 1, .write = write_ctrl),
    REG(REG_EVENT_HEAD, WO, 32, ADMIN, .doorbell = true,
        .write = write_doorbell),
    REG(REG_EVENT_LOST, RC, 32, ADMIN, .read = read_state),

    REG(REG_FRAME_TX_BASE, RW, 64, FRAMES),
    REG(REG_FRAME_RX_BASE, RW, 64, FRAMES),
    REG(REG_FRAME_SIZE, RW, 32, FRAMES),
    REG(REG_FRAME_CTRL, RW, 32, FRAMES, .mask = 1, .write = write_ctrl),
    REG(REG_FRAME_TX_TAIL, WO, 32, FRAMES, .doorbell = true,
        .write = write_doorbell),
    REG(REG_FRAME_RX_TAIL, WO, 32, FRAMES, .doorbell = true,
        .write = write_doorbell),

    REG(REG_TEMP, RO, 32, .read = read_sensor),
    REG(REG_TEMP_MEM, RO, 32, .read = read_sensor),
    REG(REG_POWER, RO, 32, .read = read_sensor),
    REG(REG_TEMP_MAX, RO, 32, .read = read_sensor),
    REG(REG_TEMP_CRIT, RO, 32, .read = read_sensor),
    REG(REG_TEMP_MEM_CRIT, RO, 32, .read = read_sensor),
    REG(REG_POWER_MAX, RO, 32, .read = read_sensor),
    REG(REG_ENERGY, RO, 64, .read = read_energy),
};

/* --- the map ------------------------------------------------------------- */

static bool map_add(AlinkRegMap *map, const AlinkReg *reg, Error **errp)
{
    unsigned count = MAX(reg->count, 1), n, part;

    map->reg[map->num] = reg;
    map->slot[map->num] = map->slots;
    map->slots += count;
    map->num++;
    for (n = 0; n < count; n++) {
        for (part = 0; part < reg->width / 32; part++) {
            hwaddr addr = reg->offset + (hwaddr)n * reg->stride + 4 * part;

            if (addr % 4 || addr >= ALINK_BAR0_SIZE ||
                map->index[addr / 4]) {
                error_setg(errp, "register %s at 0x%" HWADDR_PRIx
                           " is misplaced", reg->name, addr);
                return false;
            }
            map->index[addr / 4] = map->num;
        }
    }
    return true;
}

static AlinkRegMap *map_new(AlinkDeviceClass *adc, Error **errp)
{
    AlinkRegMap *map = g_new0(AlinkRegMap, 1);
    size_t i, num = ARRAY_SIZE(common_regs) + adc->num_regs;
    bool ok = true;

    map->reg = g_new0(const AlinkReg *, num);
    map->slot = g_new0(unsigned, num);
    for (i = 0; ok && i < ARRAY_SIZE(common_regs); i++) {
        ok = map_add(map, &common_regs[i], errp);
    }
    for (i = 0; ok && i < adc->num_regs; i++) {
        ok = map_add(map, &adc->regs[i], errp);
    }
    if (!ok) {
        g_free(map->reg);
        g_free(map->slot);
        g_free(map);
        return NULL;
    }
    return map;
}

typedef struct RegPlace {
    const AlinkReg *reg;
    unsigned n;
    unsigned offset;        /* in the register: 0 or 4, or odd */
    uint64_t *value;
} RegPlace;

/* @at: from the start of an area with @stride bytes for each link */
static bool find_link_reg(AlinkDevice *ad, hwaddr at, unsigned stride,
                          const AlinkReg *regs, unsigned num, RegPlace *place)
{
    AlinkRegMap *map = ALINK_DEVICE_GET_CLASS(ad)->regmap;
    unsigned n = at / stride, offset = at % stride, i;

    if (!(ad->caps & ALINK_CAP_LINKS) || n >= ad->num_links) {
        return false;
    }
    for (i = 0; i < num; i++) {
        const AlinkReg *reg = &regs[i];

        if (offset >= reg->offset && offset < reg->offset + reg->width / 8) {
            place->reg = reg;
            place->n = n;
            place->offset = offset - reg->offset;
            /* Others that are written are kept by the fabric. */
            place->value = reg->offset == ALINK_LINK_CTRL ?
                           &ad->reg_value[map->slots + n] : &ad->link_written;
            return true;
        }
    }
    return false;
}

static bool find_reg(AlinkDevice *ad, hwaddr addr, RegPlace *place)
{
    AlinkRegMap *map = ALINK_DEVICE_GET_CLASS(ad)->regmap;
    unsigned i = map->index[addr / 4];

    if (i) {
        const AlinkReg *reg = map->reg[i - 1];

        place->reg = reg;
        place->n = reg->count > 1 ? (addr - reg->offset) / reg->stride : 0;
        place->offset = addr - reg->offset - (hwaddr)place->n * reg->stride;
        place->value = &ad->reg_value[map->slot[i - 1] + place->n];
        return true;
    }
    if (addr >= ALINK_LINK_BASE &&
        addr < ALINK_LINK_BASE + ALINK_LINK_AREA_SIZE) {
        return find_link_reg(ad, addr - ALINK_LINK_BASE, ALINK_LINK_STRIDE,
                             alink_link_regs, alink_num_link_regs, place);
    }
    if (addr >= ALINK_LSTAT_BASE) {
        return find_link_reg(ad, addr - ALINK_LSTAT_BASE, ALINK_LSTAT_STRIDE,
                             alink_lstat_regs, alink_num_lstat_regs, place);
    }
    return false;
}

uint64_t alink_reg_get(AlinkDevice *ad, uint32_t offset)
{
    RegPlace place;
    bool found = find_reg(ad, offset, &place);

    g_assert(found);
    return *place.value;
}

void alink_reg_set(AlinkDevice *ad, uint32_t offset, uint64_t value)
{
    RegPlace place;
    bool found = find_reg(ad, offset, &place);

    g_assert(found);
    *place.value = value;
}

/* --- access -------------------------------------------------------------- */

static bool size_fits(const RegPlace *place, unsigned size)
{
    if (size == 8) {
        return place->reg->width == 64 && place->offset == 0;
    }
    return size == 4 && place->offset % 4 == 0;
}

static uint64_t reg_read(AlinkDevice *ad, const RegPlace *place)
{
    const AlinkReg *reg = place->reg;
    uint64_t value;

    if (reg->access == ALINK_WO || (ad->caps & reg->caps) != reg->caps) {
        return 0;
    }
    value = reg->read ? reg->read(ad, reg, place->n) : *place->value;
    if (reg->access == ALINK_RC) {
        *place->value = 0;
    }
    return value;
}

static uint64_t alink_bar0_read(void *opaque, hwaddr addr, unsigned size)
{
    AlinkDevice *ad = opaque;
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    uint64_t value = 0;
    RegPlace place;

    if (!ad->reg_value) {
        return UINT64_MAX;
    }
    if (!find_reg(ad, addr, &place)) {
        if (!adc->mmio_read || !adc->mmio_read(ad, addr, size, &value)) {
            alink_guest_error(ad, addr, "reads %u bytes where nothing is",
                              size);
            value = 0;
        }
    } else if (!size_fits(&place, size)) {
        alink_guest_error(ad, addr, "reads %u bytes of %s", size,
                          place.reg->name);
    } else if (place.offset == 4) {
        if (ad->latch_addr == addr) {
            value = ad->latch;
            ad->latch_addr = 0;
        } else {
            value = reg_read(ad, &place) >> 32;
        }
    } else {
        value = reg_read(ad, &place);
        if (place.reg->width == 64 && size == 4) {
            ad->latch = value >> 32;
            ad->latch_addr = addr + 4;
            value = (uint32_t)value;
        }
    }
    value = alink_lie_read(ad, addr, size, value);
    trace_alink_mmio_read(alink_device_name(ad), addr, size, value);
    return value;
}

static void reg_write(AlinkDevice *ad, const RegPlace *place, hwaddr addr,
                      unsigned size, uint64_t value)
{
    const AlinkReg *reg = place->reg;

    switch (reg->access) {
    case ALINK_RO:
    case ALINK_RC:
        alink_guest_error(ad, addr, "writes %s, which is read-only",
                          reg->name);
        return;
    case ALINK_W1C:
        if (place->offset) {
            value <<= 32;
        }
        *place->value &= ~value;
        break;
    case ALINK_WO:
    case ALINK_RW:
        if (reg->width == 64 && size == 4) {
            unsigned shift = 8 * place->offset;

            value = (*place->value & ~(0xffffffffULL << shift)) |
                    (value << shift);
        }
        if (reg->mask) {
            value &= reg->mask;
        }
        *place->value = value;
        break;
    }
    if (reg->write) {
        reg->write(ad, reg, place->n, value);
    }
}

static void do_write(AlinkDevice *ad, hwaddr addr, unsigned size,
                     uint64_t value)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    RegPlace place;

    if (!find_reg(ad, addr, &place)) {
        if (!adc->mmio_write || !adc->mmio_write(ad, addr, size, value)) {
            alink_guest_error(ad, addr, "writes %u bytes where nothing is",
                              size);
        }
    } else if (!size_fits(&place, size)) {
        alink_guest_error(ad, addr, "writes %u bytes of %s", size,
                          place.reg->name);
    } else if ((ad->caps & place.reg->caps) != place.reg->caps) {
        alink_guest_error(ad, addr, "writes %s, which this device lacks",
                          place.reg->name);
    } else {
        reg_write(ad, &place, addr, size, value);
    }
}

static void late_arm(AlinkDevice *ad)
{
    AlinkLateWrite *late = QTAILQ_FIRST(&ad->late);

    if (late) {
        timer_mod_ns(ad->late_timer, late->due_ns);
    }
}

static void late_timer(void *opaque)
{
    AlinkDevice *ad = opaque;
    MemReentrancyGuard *guard = &DEVICE(ad)->mem_reentrancy_guard;
    AlinkLateWrite *late = QTAILQ_FIRST(&ad->late);

    if (late) {
        QTAILQ_REMOVE(&ad->late, late, next);
        /* As in the access that it was: what it starts may do DMA. */
        g_assert(!guard->engaged_in_io);
        guard->engaged_in_io = true;
        do_write(ad, late->addr, late->size, late->value);
        guard->engaged_in_io = false;
        g_free(late);
        late_arm(ad);
    }
}

static bool write_is_late(AlinkDevice *ad, hwaddr addr, unsigned size,
                          uint64_t value)
{
    AlinkLateWrite *late;
    RegPlace place;

    if (!ad->inject.late_doorbell_us && QTAILQ_EMPTY(&ad->late)) {
        return false;
    }
    if (!find_reg(ad, addr, &place) || !place.reg->doorbell) {
        return false;
    }
    late = g_new0(AlinkLateWrite, 1);
    late->addr = addr;
    late->size = size;
    late->value = value;
    late->due_ns = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                   ad->inject.late_doorbell_us * 1000LL;
    QTAILQ_INSERT_TAIL(&ad->late, late, next);
    late_arm(ad);
    return true;
}

static void alink_bar0_write(void *opaque, hwaddr addr, uint64_t value,
                             unsigned size)
{
    AlinkDevice *ad = opaque;

    /* An access that waited for the BQL while the slot was switched off */
    if (!ad->reg_value) {
        return;
    }
    trace_alink_mmio_write(alink_device_name(ad), addr, size, value);
    if (!write_is_late(ad, addr, size, value)) {
        do_write(ad, addr, size, value);
    }
}

/* Every size and alignment comes here, so that wrong ones are counted. */
const MemoryRegionOps alink_bar0_ops = {
    .read = alink_bar0_read,
    .write = alink_bar0_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
    .impl = { .min_access_size = 1, .max_access_size = 8, .unaligned = true },
};

/* --- life cycle ---------------------------------------------------------- */

bool alink_regs_init(AlinkDevice *ad, Error **errp)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    unsigned i;

    if (!adc->regmap) {
        adc->regmap = map_new(adc, errp);
        if (!adc->regmap) {
            return false;
        }
    }
    ad->reg_value = g_new0(uint64_t, adc->regmap->slots + ad->num_links);
    for (i = 0; i < ad->num_links; i++) {
        ad->reg_value[adc->regmap->slots + i] = ALINK_LINK_CTRL_ENABLE;
    }
    QTAILQ_INIT(&ad->late);
    ad->late_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, late_timer, ad);
    return true;
}

void alink_regs_reset(AlinkDevice *ad, AlinkResetKind kind)
{
    AlinkRegMap *map = ALINK_DEVICE_GET_CLASS(ad)->regmap;
    unsigned i, n;

    for (i = 0; i < map->num; i++) {
        const AlinkReg *reg = map->reg[i];

        if (reg->keep && kind != ALINK_RESET_COLD) {
            continue;
        }
        for (n = 0; n < MAX(reg->count, 1); n++) {
            ad->reg_value[map->slot[i] + n] = reg->reset;
        }
    }
    ad->latch_addr = 0;
}

void alink_regs_flush_late(AlinkDevice *ad)
{
    AlinkLateWrite *late, *tmp;

    QTAILQ_FOREACH_SAFE(late, &ad->late, next, tmp) {
        QTAILQ_REMOVE(&ad->late, late, next);
        g_free(late);
    }
    timer_del(ad->late_timer);
}

void alink_regs_cleanup(AlinkDevice *ad)
{
    if (ad->late_timer) {
        alink_regs_flush_late(ad);
        timer_free(ad->late_timer);
        ad->late_timer = NULL;
    }
    g_free(ad->reg_value);
    ad->reg_value = NULL;
}
