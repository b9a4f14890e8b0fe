/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: event ring, interrupts, fault record, guest errors.
 *
 * Any thread may post an event. It waits in a short queue, under event_lock,
 * until the guarded bottom half writes it to guest memory.
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "hw/pci/msix.h"
#include "alink_common_internal.h"
#include "trace.h"

#define EVENT_QUEUE     1024
#define EVENT_MAX_SIZE  4096

typedef struct AlinkPendingEvent {
    uint16_t type;
    uint32_t id;
    uint32_t code;
    uint32_t info;
    uint64_t addr;
    uint64_t time_ns;
    bool record;        /* a fault that is not in the fault record yet */
} AlinkPendingEvent;

static void event_queue(AlinkDevice *ad, AlinkPendingEvent ev)
{
    unsigned at;

    ev.time_ns = alink_clock_ns(ad);
    qemu_mutex_lock(&ad->event_lock);
    if (ad->event_in_count == EVENT_QUEUE) {
        ad->event_lost++;
        qemu_mutex_unlock(&ad->event_lock);
        return;
    }
    at = (ad->event_in_head + ad->event_in_count) % EVENT_QUEUE;
    ad->event_in[at] = ev;
    ad->event_in_count++;
    qemu_mutex_unlock(&ad->event_lock);
    qemu_bh_schedule(ad->event_bh);
}

void alink_event_post(AlinkDevice *ad, enum alink_event_type type, uint32_t id,
                      uint32_t code, uint32_t info, uint64_t addr)
{
    event_queue(ad, (AlinkPendingEvent) {
        .type = type, .id = id, .code = code, .info = info, .addr = addr,
    });
}

static bool event_next(AlinkDevice *ad, AlinkPendingEvent *ev)
{
    bool have;

    qemu_mutex_lock(&ad->event_lock);
    have = ad->event_in_count;
    if (have) {
        *ev = ad->event_in[ad->event_in_head];
        ad->event_in_head = (ad->event_in_head + 1) % EVENT_QUEUE;
        ad->event_in_count--;
    }
    qemu_mutex_unlock(&ad->event_lock);
    return have;
}

static void event_drop(AlinkDevice *ad, const AlinkPendingEvent *ev)
{
    trace_alink_event_lost(alink_device_name(ad), ev->type, ev->id);
    qemu_mutex_lock(&ad->event_lock);
    ad->event_lost++;
    qemu_mutex_unlock(&ad->event_lock);
}

uint32_t alink_event_take_lost(AlinkDevice *ad)
{
    uint32_t lost;

    qemu_mutex_lock(&ad->event_lock);
    lost = ad->event_lost;
    ad->event_lost = 0;
    qemu_mutex_unlock(&ad->event_lock);
    return lost;
}

/* False when the ring is broken. */
static bool event_write(AlinkDevice *ad, const AlinkPendingEvent *ev)
{
    AlinkRing *r = &ad->event;
    uint32_t head = r->head + alink_lie_record(ad, ALINK_LIE_EVENT_JUMP);
    uint64_t addr = r->base + (head % r->size) * sizeof(struct alink_event);
    uint16_t phase = !((head / r->size) & 1);
    uint16_t type = ev->type;
    struct alink_event raw = {
        .type = cpu_to_le16(ev->type),
        .phase = cpu_to_le16(!phase),
        .id = cpu_to_le32(ev->id),
        .code = cpu_to_le32(ev->code),
        .info = cpu_to_le32(ev->info),
        .addr = cpu_to_le64(ev->addr),
        .time_ns = cpu_to_le64(ev->time_ns),
    };

    if (alink_lie_record(ad, ALINK_LIE_EVENT_TYPE)) {
        type = 0xbad;
        raw.type = cpu_to_le16(type);
    }
    if (alink_lie_record(ad, ALINK_LIE_EVENT_ID)) {
        raw.id = cpu_to_le32(0xbadbad);
    }
    if (alink_dma_write(ad, addr, &raw, sizeof(raw)) != ALINK_ST_OK ||
        alink_dma_write32(ad, addr, type | (uint32_t)phase << 16) !=
        ALINK_ST_OK) {
        alink_event_stop(ad);
        alink_ring_broken(ad, ALINK_RING_EVENT, addr);
        return false;
    }
    r->head = head + 1;
    return true;
}

static void fault_record(AlinkDevice *ad, uint32_t code,
                         enum alink_recovery recovery, uint64_t addr,
                         uint32_t info)
{
    trace_alink_fault(alink_device_name(ad), code, recovery, addr, info);
    if (!ad->fault.code) {
        ad->fault.code = code;
        ad->fault.recovery = recovery;
        ad->fault.addr = addr;
        ad->fault.info = info;
    }
    if (recovery >= ALINK_RECOVERY_DEVICE && ad->state == ALINK_STATE_READY) {
        ad->state = ALINK_STATE_FAULTED;
    }
}

static void event_bh(void *opaque)
{
    AlinkDevice *ad = opaque;
    g_autoptr(AlinkInBh) in = alink_bh_enter(ad, ad->event_bh);
    AlinkRing *r = &ad->event;
    AlinkPendingEvent ev;
    bool written = false;

    if (!in) {
        return;
    }
    /* Events wait for bus mastering; alink_device_kick() goes on. */
    if (r->enabled && !ad->inject.dead && !alink_dma_allowed(ad)) {
        return;
    }
    while (event_next(ad, &ev)) {
        if (ev.record) {
            fault_record(ad, ev.code, ev.info, ev.addr, ev.id);
        }
        if (!r->enabled || ad->inject.dead) {
            continue;
        }
        if (ev.type < 64 && !(ad->event_mask & (1ULL << ev.type))) {
            continue;
        }
        trace_alink_event(alink_device_name(ad), ev.type, ev.id, ev.code,
                          ev.info, ev.addr);
        if (r->head - r->tail >= r->size) {
            event_drop(ad, &ev);
            continue;
        }
        if (!event_write(ad, &ev)) {
            return;
        }
        written = true;
    }
    if (written) {
        alink_irq(ad, ALINK_VECTOR_ADMIN);
    }
}

void alink_event_stop(AlinkDevice *ad)
{
    memset(&ad->event, 0, sizeof(ad->event));
    alink_reg_set(ad, ALINK_REG_EVENT_CTRL, 0);
    qemu_mutex_lock(&ad->event_lock);
    ad->event_in_count = 0;
    ad->event_lost = 0;
    qemu_mutex_unlock(&ad->event_lock);
}

void alink_event_enable(AlinkDevice *ad, bool on)
{
    AlinkRing *r = &ad->event;

    if (on == r->enabled) {
        return;
    }
    if (!on) {
        alink_event_stop(ad);
        return;
    }
    r->base = alink_reg_get(ad, ALINK_REG_EVENT_BASE);
    r->size = alink_reg_get(ad, ALINK_REG_EVENT_SIZE);
    r->enabled = alink_ring_valid(ad, ALINK_REG_EVENT_CTRL, r->base, r->size,
                                  EVENT_MAX_SIZE);
    trace_alink_ring_enable(alink_device_name(ad), "event", r->base, 0,
                            r->size, r->enabled);
}

void alink_event_init(AlinkDevice *ad)
{
    qemu_mutex_init(&ad->event_lock);
    ad->event_in = g_new0(AlinkPendingEvent, EVENT_QUEUE);
    ad->event_bh = alink_bh_new(event_bh, ad, ad);
}

void alink_event_cleanup(AlinkDevice *ad)
{
    qemu_bh_delete(ad->event_bh);
    g_free(ad->event_in);
    ad->event_in = NULL;
    qemu_mutex_destroy(&ad->event_lock);
}

/* --- interrupts, faults, guest errors ------------------------------------ */

void alink_irq(AlinkDevice *ad, unsigned vector)
{
    g_assert(vector < ad->num_vectors);
    /* Without bus mastering the PCI core drops it; in D3hot that is for us. */
    if (ad->inject.dead || !alink_in_d0(ad)) {
        return;
    }
    if (ad->inject.lose_irqs) {
        ad->inject.lose_irqs--;
        trace_alink_irq_lost(alink_device_name(ad), vector);
        return;
    }
    trace_alink_irq(alink_device_name(ad), vector);
    if (msix_enabled(PCI_DEVICE(ad))) {
        msix_notify(PCI_DEVICE(ad), vector);
    }
}

void alink_fault(AlinkDevice *ad, uint32_t code, enum alink_recovery recovery,
                 uint64_t addr, uint32_t info)
{
    fault_record(ad, code, recovery, addr, info);
    alink_event_post(ad, ALINK_EVENT_FAULT, info, code, recovery, addr);
}

void alink_fault_post(AlinkDevice *ad, uint32_t code,
                      enum alink_recovery recovery, uint64_t addr,
                      uint32_t info)
{
    event_queue(ad, (AlinkPendingEvent) {
        .type = ALINK_EVENT_FAULT, .id = info, .code = code, .info = recovery,
        .addr = addr, .record = true,
    });
}

void alink_ring_broken(AlinkDevice *ad, unsigned ring, uint64_t addr)
{
    alink_fault(ad, ALINK_FAULT_CP_BAD_COMMAND, ALINK_RECOVERY_DEVICE, addr,
                ring << 16);
}

void alink_guest_error(AlinkDevice *ad, uint32_t what, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    ad->guest_errors++;
    ad->guest_err_last = what;
    trace_alink_guest_error(alink_device_name(ad), what, text);
    qemu_log_mask(LOG_GUEST_ERROR, "%s: %s (at 0x%x)\n",
                  alink_device_name(ad), text, what);
}

bool alink_ring_valid(AlinkDevice *ad, uint32_t ctrl, uint64_t base,
                      uint32_t size, uint32_t max)
{
    if (ad->state != ALINK_STATE_READY) {
        alink_guest_error(ad, ctrl, "ring enabled in state %u", ad->state);
        return false;
    }
    if (!base || base % 4096) {
        alink_guest_error(ad, ctrl, "ring at 0x%" PRIx64, base);
        return false;
    }
    if (size < 2 || size > max || !is_power_of_2(size)) {
        alink_guest_error(ad, ctrl, "ring of %u entries", size);
        return false;
    }
    return true;
}
