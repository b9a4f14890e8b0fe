/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink NIC model: queue pairs and their interrupts.
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qemu/main-loop.h"
#include "nic_internal.h"
#include "trace.h"

static bool nic_ring_size_ok(uint32_t size)
{
    return is_power_of_2(size) && size >= ALINK_NIC_MIN_RING &&
           size <= ALINK_NIC_MAX_RING;
}

static bool nic_ring_addr_ok(uint64_t addr)
{
    return addr && !(addr & 63);
}

enum alink_status nic_queue_create(AlinkNic *s, const struct alink_nic_queue *c)
{
    uint32_t id = le32_to_cpu(c->id);
    uint32_t vector = le16_to_cpu(c->vector);
    uint32_t tx_size = le32_to_cpu(c->tx_size);
    uint32_t rx_size = le32_to_cpu(c->rx_size);
    NicQueue *q;

    if (id >= ALINK_NIC_MAX_QUEUES || c->reserved || !vector ||
        vector >= nic_ad(s)->num_vectors ||
        !nic_ring_size_ok(tx_size) || !nic_ring_size_ok(rx_size) ||
        !nic_ring_addr_ok(le64_to_cpu(c->tx_ring)) ||
        !nic_ring_addr_ok(le64_to_cpu(c->tx_cpl)) ||
        !nic_ring_addr_ok(le64_to_cpu(c->rx_ring)) ||
        !nic_ring_addr_ok(le64_to_cpu(c->rx_cpl))) {
        return ALINK_ST_BAD_FIELD;
    }
    q = &s->queue[id];
    if (q->live) {
        return ALINK_ST_EXISTS;
    }

    q->vector = vector;
    q->tx_size = tx_size;
    q->rx_size = rx_size;
    q->tx_ring = le64_to_cpu(c->tx_ring);
    q->tx_cpl = le64_to_cpu(c->tx_cpl);
    q->rx_ring = le64_to_cpu(c->rx_ring);
    q->rx_cpl = le64_to_cpu(c->rx_cpl);
    q->live = true;
    trace_alink_nic_queue_create(alink_device_name(nic_ad(s)), id, vector,
                                 tx_size, rx_size);
    return ALINK_ST_OK;
}

/* All DMA of a pair happens under the BQL, so none is in flight here. */
void nic_queue_destroy(NicQueue *q)
{
    if (q->live) {
        trace_alink_nic_queue_destroy(alink_device_name(nic_ad(q->nic)), q->id);
    }
    qemu_bh_cancel(q->tx_bh);
    timer_del(q->irq_timer);
    q->live = false;
    q->stopped = false;
    q->armed = false;
    q->tx_skip = false;
    q->tx_head = q->tx_tail = q->tx_cpl_idx = 0;
    q->rx_head = q->rx_tail = q->rx_cpl_idx = 0;
    q->rx_cache_at = q->rx_cache_n = 0;
    q->seen_rx = q->seen_tx = 0;
    q->rx_usecs = q->rx_frames = q->tx_usecs = q->tx_frames = 0;
}

void nic_queue_stop(NicQueue *q, bool rx, enum alink_status status,
                    uint64_t addr)
{
    AlinkDevice *ad = nic_ad(q->nic);

    if (q->stopped) {
        return;
    }
    q->stopped = true;
    trace_alink_nic_queue_stop(alink_device_name(ad), q->id,
                               rx ? "rx" : "tx", status, addr);
    alink_event_post(ad, ALINK_EVENT_QUEUE_ERROR, q->id, status, rx, addr);
}

/* --- interrupts ----------------------------------------------------------- */

static void nic_queue_fire(NicQueue *q)
{
    AlinkNic *s = q->nic;

    q->armed = false;
    timer_del(q->irq_timer);
    s->stat[NIC_IRQS]++;
    trace_alink_nic_irq(alink_device_name(nic_ad(s)), q->id, q->vector);
    alink_irq(nic_ad(s), q->vector);
}

/* Due now, or in that many microseconds; -1: nothing to report. */
static int nic_irq_due(uint16_t unseen, uint16_t usecs, uint16_t frames)
{
    if (!unseen) {
        return -1;
    }
    return (frames && unseen >= frames) ? 0 : usecs;
}

void nic_queue_check_irq(NicQueue *q)
{
    int rx, tx, due;

    if (!q->armed) {
        return;
    }
    rx = nic_irq_due(q->rx_cpl_idx - q->seen_rx, q->rx_usecs, q->rx_frames);
    tx = nic_irq_due(q->tx_cpl_idx - q->seen_tx, q->tx_usecs, q->tx_frames);
    if (rx < 0 && tx < 0) {
        return;
    }
    due = rx < 0 ? tx : tx < 0 ? rx : MIN(rx, tx);
    if (!due) {
        nic_queue_fire(q);
    } else {
        timer_mod_anticipate_ns(q->irq_timer,
                                qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                                due * SCALE_US);
    }
}

static void nic_queue_timer(void *opaque)
{
    NicQueue *q = opaque;

    if (q->live && q->armed) {
        nic_queue_fire(q);
    }
}

void nic_queue_arm(NicQueue *q, uint32_t value)
{
    q->seen_rx = value & 0xffff;
    q->seen_tx = value >> 16;
    if ((uint16_t)(q->rx_cpl_idx - q->seen_rx) > q->rx_size ||
        (uint16_t)(q->tx_cpl_idx - q->seen_tx) > q->tx_size) {
        alink_guest_error(nic_ad(q->nic),
                          ALINK_NIC_QUEUE(q->id, ALINK_NIC_Q_ARM),
                          "queue %u armed with counts 0x%x", q->id, value);
    }
    q->armed = true;
    timer_del(q->irq_timer);
    nic_queue_check_irq(q);
}

void nic_queues_init(AlinkNic *s)
{
    unsigned i;

    for (i = 0; i < ALINK_NIC_MAX_QUEUES; i++) {
        NicQueue *q = &s->queue[i];

        q->nic = s;
        q->id = i;
        q->tx_bh = alink_bh_new(nic_tx_bh, q, s);
        q->irq_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, nic_queue_timer, q);
    }
}

void nic_queues_cleanup(AlinkNic *s)
{
    unsigned i;

    for (i = 0; i < ALINK_NIC_MAX_QUEUES; i++) {
        NicQueue *q = &s->queue[i];

        qemu_bh_delete(q->tx_bh);
        timer_free(q->irq_timer);
    }
}
