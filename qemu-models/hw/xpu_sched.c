/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: turns: which of its queues a ring, or the compute engine beside
 * it, works for.
 *
 * Time here is modelled time that the unit worked, so that what is decided does
 * not depend on the host. A turn begins and ends in xpu_unit_pick() only, which
 * is asked before each step: a descriptor, or a piece of one.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "xpu_internal.h"

#define SLICE_NS        (XPU_SLICE_US * 1000ULL)
#define STARVE_NS       (XPU_STARVE_US * 1000ULL)

static unsigned ring_of(const XpuQueue *q)
{
    return q->id % q->xpu->variant->rings;
}

static XpuUnit *unit_of(XpuQueue *q)
{
    return q->compute ? &q->xpu->engine[ring_of(q)] :
                        &q->xpu->ring[ring_of(q)];
}

void xpu_queue_ready(XpuQueue *q)
{
    q->since = unit_of(q)->ns;
}

void xpu_queue_charge(XpuQueue *q, uint64_t ns)
{
    XpuUnit *u = unit_of(q);

    u->ns += ns;
    if (u->current == q) {
        u->turn_ns += ns;
    }
}

void xpu_queue_settle(XpuQueue *q)
{
    xpu_queue_charge(q, q->desc_ns - q->charged);
    q->charged = q->desc_ns;
}

void xpu_queue_occupy(XpuQueue *q)
{
    unit_of(q)->busy = q;
}

void xpu_queue_release(XpuQueue *q)
{
    XpuUnit *ring = &q->xpu->ring[ring_of(q)];
    XpuUnit *engine = &q->xpu->engine[ring_of(q)];

    if (ring->busy == q) {
        ring->busy = NULL;
    }
    if (engine->busy == q) {
        engine->busy = NULL;
    }
}

void xpu_queue_forget(XpuQueue *q)
{
    XpuUnit *ring = &q->xpu->ring[ring_of(q)];
    XpuUnit *engine = &q->xpu->engine[ring_of(q)];

    xpu_queue_release(q);
    if (ring->current == q) {
        ring->current = NULL;
    }
    if (engine->current == q) {
        engine->current = NULL;
    }
}

bool xpu_queue_in(const XpuQueue *q, uint64_t bitmap)
{
    return bitmap >> MIN(q->id, 63) & 1;
}

bool xpu_queue_stuck(const XpuQueue *q)
{
    return xpu_queue_in(q, q->xpu->x_queue_stuck);
}

/* Has something to do at this unit, were it its turn. */
static bool wants(XpuQueue *q, const XpuUnit *u)
{
    if (xpu_queue_stuck(q) || unit_of(q) != u) {
        return false;
    }
    return q->state == XPU_Q_ENGINE ||
           (q->state == XPU_Q_READY && q->head != q->tail);
}

int xpu_unit_priority(AlinkXpu *xpu, const XpuUnit *u, unsigned ring)
{
    int best = -1;
    unsigned id;

    if (u->busy) {
        return wants(u->busy, u) ? u->busy->priority : -1;
    }
    for (id = ring; id < ALINK_XPU_MAX_QUEUES; id += xpu->variant->rings) {
        XpuQueue *q = xpu->queue[id];

        if (q && wants(q, u)) {
            best = MAX(best, q->priority);
            q->progress++;
        }
    }
    return best;
}

/*
 * Whether the queue gets on although the scheduler may not see it for long: a
 * worker takes as long as the host does, and who waits for the unit that it
 * holds as long as that; a late completion waits for its timer. For the device
 * that is no time.
 */
static bool gets_on(XpuQueue *q)
{
    const XpuUnit *u = unit_of(q);

    if (xpu_queue_stuck(q)) {
        return false;
    }
    return q->state == XPU_Q_WORK || q->state == XPU_Q_LATE ||
           (u->busy && u->busy != q && wants(q, u));
}

uint32_t xpu_queue_progress(XpuQueue *q)
{
    if (gets_on(q)) {
        q->progress++;
    }
    return q->progress;
}

static XpuQueue *turn_begin(XpuUnit *u, XpuQueue *q, bool once)
{
    if (u->current && u->current != q) {
        u->current->since = u->ns;
    }
    if (u->current != q) {
        uint64_t waited = u->ns - q->since;

        q->wait_ns += waited;
        q->worst_ns = MAX(q->worst_ns, waited);
        trace_alink_xpu_turn(alink_device_name(ALINK_DEVICE(q->xpu)), q->id,
                             q->priority, q->compute != NULL, waited, once);
    }
    u->current = q;
    u->once = once;
    u->turn_ns = 0;
    q->last_turn = ++q->xpu->turns;
    q->turns++;
    return q;
}

/* May the queue whose turn it is go on, @best being of the highest priority? */
static bool turn_lasts(const XpuUnit *u, const XpuQueue *best)
{
    const XpuQueue *q = u->current;

    if (u->once || q->priority < best->priority) {
        return false;
    }
    return u->turn_ns < SLICE_NS ||
           q->priority == ALINK_XPU_PRIORITY_REALTIME;
}

XpuQueue *xpu_unit_pick(AlinkXpu *xpu, XpuUnit *u, unsigned ring)
{
    XpuQueue *best = NULL, *starved = NULL;
    bool current = false;
    unsigned id;

    if (u->busy) {
        return wants(u->busy, u) ? u->busy : NULL;
    }
    for (id = ring; id < ALINK_XPU_MAX_QUEUES; id += xpu->variant->rings) {
        XpuQueue *q = xpu->queue[id];

        if (!q || !wants(q, u)) {
            continue;
        }
        if (q == u->current) {
            current = true;
        } else if (u->ns - q->since >= STARVE_NS &&
                   (!starved || q->since < starved->since)) {
            starved = q;
        }
        if (!best || q->priority > best->priority ||
            (q->priority == best->priority && q->last_turn < best->last_turn)) {
            best = q;
        }
    }
    if (!current) {
        u->current = NULL;
    }
    if (!best) {
        return NULL;
    }
    /* Whoever was given one step has it: more may ask before it begins. */
    if (current && u->once && !u->turn_ns) {
        return u->current;
    }
    if (starved) {
        return turn_begin(u, starved, true);
    }
    return current && turn_lasts(u, best) ? u->current :
                                            turn_begin(u, best, false);
}
