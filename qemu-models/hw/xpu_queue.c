/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: queues: doorbells, the scheduler, completion, errors, drain.
 *
 * One guarded bottom half per xPU runs what the queues have to do, ring by ring,
 * those whose queues have the higher priority first, a bounded part of each at a
 * time; xpu_sched.c says whose turn it is at a ring, and at the compute engine
 * beside it. A queue leaves for a worker (bulk work), for memory (WAIT) or for a
 * timer (x-complete-late-us), and others go on. A doorbell that finds nothing
 * else to do runs a few small descriptors at once: waking the main loop takes
 * longer than they do. For the same reason a worker that has ended a chunk
 * takes the BQL and does what the bottom half would do next. While a worker has
 * a chunk of a queue, the others of its ring wait.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "trace.h"
#include "xpu_internal.h"

#define RING_DESCS      (ALINK_XPU_BESIDE_STEPS / 2)
#define PASS_BYTES      (1ULL << 20)
#define INLINE_DESCS    4
#define INLINE_BYTES    4096
#define WAIT_MIN_NS     20000
#define WAIT_MAX_NS     1000000

static QTAILQ_HEAD(, AlinkXpu) xpus = QTAILQ_HEAD_INITIALIZER(xpus); /* BQL */
static unsigned all_waiting;    /* BQL: queues that wait, of all of them */

static const char *xpu_name(AlinkXpu *xpu)
{
    return alink_device_name(ALINK_DEVICE(xpu));
}

void xpu_kick(AlinkXpu *xpu)
{
    qemu_bh_schedule(xpu->engine_bh);
}

/* --- waiting on memory -------------------------------------------------------- */

static void wait_arm(AlinkXpu *xpu)
{
    timer_mod_ns(xpu->wait_timer,
                 qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + xpu->wait_ns);
}

/* Looks at memory ever more rarely: who writes it may be a CPU. */
static void wait_timer(void *opaque)
{
    AlinkXpu *xpu = opaque;

    if (xpu->num_waiting) {
        xpu->wait_ns = MIN(xpu->wait_ns * 2, WAIT_MAX_NS);
        xpu->recheck = true;
        xpu_kick(xpu);
        wait_arm(xpu);
    }
}

void xpu_queue_wait(XpuQueue *q)
{
    if (q->state != XPU_Q_WAIT) {
        q->state = XPU_Q_WAIT;
        q->xpu->num_waiting++;
        all_waiting++;
    }
    if (!q->waited) {
        q->waited = true;
        q->xpu->wait_ns = WAIT_MIN_NS;
        wait_arm(q->xpu);
    }
}

bool xpu_queue_too_late(XpuQueue *q, uint64_t ms)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    if (!ms) {
        return false;
    }
    if (!q->wait_until) {
        q->wait_until = now + ms * SCALE_MS;
    }
    return now >= q->wait_until;
}

static void wait_end(XpuQueue *q)
{
    if (q->state == XPU_Q_WAIT) {
        q->state = XPU_Q_READY;
        q->xpu->num_waiting--;
        all_waiting--;
        xpu_queue_ready(q);
    }
}

/* An engine wrote memory: any queue of any xPU here may have waited for it. */
void xpu_wake_waiters(void)
{
    AlinkXpu *xpu;

    /* After each command: there may be hundreds of xPUs. */
    if (!all_waiting) {
        return;
    }
    QTAILQ_FOREACH(xpu, &xpus, next) {
        if (xpu->num_waiting) {
            xpu->recheck = true;
            xpu_kick(xpu);
        }
    }
}

/* --- status block, interrupts, errors ------------------------------------------ */

static void write_status(XpuQueue *q)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    struct alink_xpu_queue_status block = {
        .head = cpu_to_le32(q->head),
        .error = cpu_to_le32(q->error),
        .error_index = cpu_to_le32(q->error_index),
        .error_addr = cpu_to_le64(q->error_addr),
        .model_ns = cpu_to_le64(q->model_ns),
        .model_last_ns = cpu_to_le64(q->model_last_ns),
        .bytes = cpu_to_le64(q->bytes),
    };
    enum alink_status st;
    XpuSpan span;

    q->dirty = false;
    st = xpu_translate(q->xpu, q->ctx, q->id, q->status, sizeof(block),
                       ALINK_PTE_WRITE, &span);
    if (st == ALINK_ST_OK && span.ap == ALINK_AP_HBM) {
        memcpy(q->xpu->hbm_mem + span.addr, &block, sizeof(block));
    } else if (st == ALINK_ST_OK && span.ap == ALINK_AP_SYSTEM) {
        st = alink_dma_write(ad, span.addr, &block, sizeof(block));
    } else if (st == ALINK_ST_OK) {
        st = ALINK_ST_UNSUPPORTED;
    }
    st &= ~XPU_ST_RETRY;
    if (st != ALINK_ST_OK && !q->error) {
        /* The event is all that can tell of it. */
        if (q->state != XPU_Q_WORK) {
            xpu_queue_release(q);
        }
        xpu_kick(q->xpu);
        wait_end(q);
        xpu_push_end(q);
        timer_del(q->late_timer);
        q->state = XPU_Q_HALTED;
        q->error = st;
        q->error_index = q->head;
        q->error_addr = q->status;
        trace_alink_xpu_halt(xpu_name(q->xpu), q->id, q->head, st, q->status);
        alink_event_post(ad, ALINK_EVENT_QUEUE_ERROR, q->id, st, q->head,
                         q->status);
    }
}

static void queue_halt(XpuQueue *q, enum alink_status st, uint64_t addr)
{
    AlinkXpu *xpu = q->xpu;

    wait_end(q);
    xpu_push_end(q);
    timer_del(q->late_timer);
    xpu_queue_release(q);
    q->state = XPU_Q_HALTED;
    q->error = st;
    q->error_index = q->head;
    q->error_addr = addr;
    q->dirty = true;
    q->want_irq = true;
    trace_alink_xpu_halt(xpu_name(xpu), q->id, q->head, st, addr);
    if (!q->quiet) {
        alink_event_post(ALINK_DEVICE(xpu), ALINK_EVENT_QUEUE_ERROR, q->id,
                         st, q->head, addr);
    }
}

/*
 * An access failed that may be tried again: the queue stands still, with what
 * it has done so far, until the driver answers. @from: where it goes on.
 */
static void queue_fault(XpuQueue *q, enum alink_status st, uint64_t addr,
                        XpuQueueState from)
{
    AlinkXpu *xpu = q->xpu;

    wait_end(q);
    xpu_queue_release(q);
    q->state = XPU_Q_FAULT;
    /* A WAIT that comes back arms the timer again. */
    q->waited = false;
    q->fault_from = from;
    q->fault_status = st;
    q->fault_addr = addr;
    q->fault_need = q->ctx->retry_need;
    trace_alink_xpu_fault(xpu_name(xpu), q->id, q->head, st, addr,
                          q->fault_need);
    alink_event_post(ALINK_DEVICE(xpu), ALINK_EVENT_QUEUE_FAULT, q->id, st,
                     q->head, addr);
}

/* The present descriptor cannot go on. */
static void queue_fail(XpuQueue *q, enum alink_status st, uint64_t addr,
                       XpuQueueState from)
{
    bool retry = st & XPU_ST_RETRY;

    st &= ~XPU_ST_RETRY;
    if (retry && !q->aborting) {
        queue_fault(q, st, addr, from);
    } else {
        queue_halt(q, st, addr);
    }
}

bool xpu_queue_resume(XpuQueue *q, enum alink_xpu_resume_action action)
{
    if (q->state != XPU_Q_FAULT) {
        return false;
    }
    trace_alink_xpu_resume(xpu_name(q->xpu), q->id, q->head, action);
    q->state = q->fault_from;
    switch (action) {
    case ALINK_XPU_RESUME_RETRY:
        xpu_queue_ready(q);
        break;
    case ALINK_XPU_RESUME_FAIL:
        queue_halt(q, q->fault_status, q->fault_addr);
        break;
    case ALINK_XPU_RESUME_NO_ROOM:
        queue_halt(q, ALINK_ST_NO_ROOM, q->fault_addr);
        break;
    }
    /* A status block and an interrupt, or work: both are the scheduler's. */
    xpu_kick(q->xpu);
    return true;
}

static void queue_irq(AlinkXpu *xpu, unsigned vector)
{
    if (xpu->x_lose_queue_irqs) {
        xpu->x_lose_queue_irqs--;
        trace_alink_irq_lost(xpu_name(xpu), vector);
        return;
    }
    xpu->irqs++;
    alink_irq(ALINK_DEVICE(xpu), vector);
}

/* Brings status blocks up to date, then raises each vector at most once. */
static void publish(AlinkXpu *xpu)
{
    uint32_t vectors = 0;
    unsigned i;

    for (i = 0; i < ALINK_XPU_MAX_QUEUES; i++) {
        XpuQueue *q = xpu->queue[i];

        if (!q) {
            continue;
        }
        if (q->dirty) {
            write_status(q);
        }
        if (q->want_irq) {
            q->want_irq = false;
            vectors |= 1U << q->vector;
        }
    }
    while (vectors) {
        unsigned vector = ctz32(vectors);

        vectors &= vectors - 1;
        queue_irq(xpu, vector);
    }
}

/* --- running descriptors --------------------------------------------------------- */

/* All effects of the present descriptor are there: fence, then on. */
static void queue_complete(XpuQueue *q)
{
    const struct alink_xpu_desc *desc = &q->batch[q->batch_pos];
    enum alink_status st = ALINK_ST_OK;
    enum af_timing timing;

    q->state = XPU_Q_READY;
    xpu_queue_release(q);
    if (desc->flags & ALINK_XPU_DF_FENCE) {
        st = xpu_store64(q, le64_to_cpu(desc->fence_addr),
                         le64_to_cpu(desc->fence_value), &q->desc_ns);
    }
    if (st != ALINK_ST_OK) {
        /* All but the fence is done. */
        queue_fail(q, st, le64_to_cpu(desc->fence_addr), XPU_Q_LATE);
        return;
    }
    trace_alink_xpu_complete(xpu_name(q->xpu), q->id, q->head, desc->opcode,
                             q->desc_ns);
    xpu_queue_settle(q);
    q->want_irq |= desc->flags & ALINK_XPU_DF_IRQ;
    q->dirty = true;
    q->head++;
    q->batch_pos++;
    af_fabric_get_timing(ALINK_DEVICE(q->xpu)->af, &timing, NULL);
    q->model_last_ns = timing == AF_TIMING_OFF ? 0 : q->desc_ns;
    q->model_ns += q->model_last_ns;
    q->desc_ns = 0;
    q->charged = 0;
    q->done = 0;
    q->waited = false;
    q->wait_until = 0;
    xpu_queue_ready(q);
    q->xpu->commands++;
    xpu_wake_waiters();
}

/* The present descriptor has done its work. */
static void queue_done(XpuQueue *q)
{
    if (q->xpu->x_complete_late_us && !q->aborting) {
        q->state = XPU_Q_LATE;
        timer_mod_ns(q->late_timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                     q->xpu->x_complete_late_us * 1000LL);
        return;
    }
    queue_complete(q);
}

static void late_timer(void *opaque)
{
    /* DMA belongs into the guarded bottom half, which finds it expired. */
    xpu_kick(((XpuQueue *)opaque)->xpu);
}

static bool queue_fetch(XpuQueue *q)
{
    uint32_t index = q->head % q->size;
    uint32_t num = MIN(q->tail - q->head, q->size - index);
    uint64_t va = q->ring + index * sizeof(q->batch[0]);
    enum alink_status st;
    XpuSpan span;

    if (q->tail - q->head > q->size) {
        queue_halt(q, ALINK_ST_BAD_FIELD, 0);
        return false;
    }
    num = MIN(num, XPU_BATCH);
    st = xpu_translate(q->xpu, q->ctx, q->id, va, num * sizeof(q->batch[0]),
                       ALINK_PTE_READ, &span);
    if (st == ALINK_ST_OK) {
        num = span.len / sizeof(q->batch[0]);
        if (span.ap == ALINK_AP_SYSTEM) {
            st = alink_dma_read(ALINK_DEVICE(q->xpu), span.addr, q->batch,
                                num * sizeof(q->batch[0]));
        } else if (span.ap == ALINK_AP_HBM) {
            memcpy(q->batch, q->xpu->hbm_mem + span.addr,
                   num * sizeof(q->batch[0]));
        } else {
            st = ALINK_ST_UNSUPPORTED;
        }
    }
    if (st != ALINK_ST_OK) {
        queue_fail(q, st, va, XPU_Q_READY);
        return false;
    }
    q->batch_num = num;
    q->batch_pos = 0;
    return true;
}

/* One step of the queue, whose turn it is. */
static void queue_step(XpuQueue *q, XpuPass *pass)
{
    struct alink_xpu_desc *desc = &q->batch[q->batch_pos];
    enum alink_status st;
    uint64_t addr;
    bool done;

    q->progress++;
    if (!q->desc_ns) {
        trace_alink_xpu_desc(xpu_name(q->xpu), q->id, q->head, desc->opcode,
                             le64_to_cpu(desc->dst), le64_to_cpu(desc->src),
                             le64_to_cpu(desc->len));
        q->desc_ns = ALINK_XPU_DESC_NS;
    }
    if (q->compute) {
        st = xpu_compute_step(q, pass, &done, &addr);
    } else {
        st = xpu_exec(q, desc, pass, &done, &addr);
    }
    if (!q->compute) {
        xpu_queue_settle(q);
    }
    if (st != ALINK_ST_OK) {
        queue_fail(q, st, addr, q->compute ? XPU_Q_ENGINE : XPU_Q_READY);
    } else if (done) {
        queue_done(q);
    } else if (q->state == XPU_Q_WORK) {
        xpu_queue_occupy(q);
    } else {
        xpu_queue_release(q);
    }
}

/* What is left of the descriptor needs no ring, and nobody's turn. */
static void queue_look(XpuQueue *q, XpuPass *pass)
{
    bool late = q->state == XPU_Q_LATE && !timer_pending(q->late_timer);
    int64_t start;

    if ((!late && (q->state != XPU_Q_WAIT || !q->xpu->looking)) ||
        xpu_queue_stuck(q)) {
        return;
    }
    start = get_clock();
    if (late) {
        queue_complete(q);
    } else {
        wait_end(q);
        queue_step(q, pass);
    }
    /* A look at memory that still has not what it waits for is no work. */
    if (q->state != XPU_Q_WAIT) {
        q->xpu->queue_busy_ns[q->id] += get_clock() - start;
        pass->descs--;
    }
}

static bool pass_left(const XpuPass *pass)
{
    return pass->descs && pass->bytes < PASS_BYTES;
}

static bool unit_run(AlinkXpu *xpu, XpuUnit *u, unsigned ring, XpuPass *pass)
{
    XpuQueue *q = pass_left(pass) ? xpu_unit_pick(xpu, u, ring) : NULL;
    int64_t start, ns;

    if (!q) {
        return false;
    }
    start = get_clock();
    do {
        pass->descs--;
        if (!q->compute && q->batch_pos >= q->batch_num && !queue_fetch(q)) {
            break;
        }
        queue_step(q, pass);
    } while (pass_left(pass) && xpu_unit_pick(xpu, u, ring) == q);
    ns = get_clock() - start;
    xpu->queue_busy_ns[q->id] += ns;
    if (u == &xpu->engine[ring]) {
        xpu->queue_compute_ns[q->id] += ns;
    }
    return true;
}

/*
 * Ring and engine get @part each, so that neither can use up what the other was
 * to have. True: one did something.
 */
static bool ring_run(AlinkXpu *xpu, unsigned ring, XpuPass part)
{
    XpuPass beside = part;
    bool more, did = false;

    do {
        more = unit_run(xpu, &xpu->ring[ring], ring, &part);
        more |= unit_run(xpu, &xpu->engine[ring], ring, &beside);
        did |= more;
    } while (more);
    return did;
}

/* The highest priority that has something to do at ring and engine, or -1 */
static int ring_priority(AlinkXpu *xpu, unsigned ring)
{
    return MAX(xpu_unit_priority(xpu, &xpu->ring[ring], ring),
               xpu_unit_priority(xpu, &xpu->engine[ring], ring));
}

/* All of them, each with an equal part of the run; true: one did something. */
static bool rings_run(AlinkXpu *xpu)
{
    unsigned rings = xpu->variant->rings, first = xpu->first++ % rings;
    int prio[XPU_MAX_RINGS], now;
    unsigned i, num = 0;
    bool did = false;

    for (i = 0; i < rings; i++) {
        prio[i] = ring_priority(xpu, i);
        num += prio[i] >= 0;
    }
    for (now = ALINK_XPU_PRIORITY_REALTIME; now >= 0; now--) {
        for (i = 0; i < rings; i++) {
            unsigned ring = (first + i) % rings;
            XpuPass pass = {
                .descs = RING_DESCS,
                .bytes = PASS_BYTES - PASS_BYTES / MAX(num, 1),
            };

            if (prio[ring] == now) {
                did |= ring_run(xpu, ring, pass);
            }
        }
    }
    return did;
}

static bool looks_run(AlinkXpu *xpu)
{
    XpuPass pass = { .descs = ALINK_XPU_MAX_QUEUES };
    unsigned i;

    xpu->looking = xpu->recheck;
    xpu->recheck = false;
    for (i = 0; i < ALINK_XPU_MAX_QUEUES; i++) {
        if (xpu->queue[i]) {
            queue_look(xpu->queue[i], &pass);
        }
    }
    xpu->looking = false;
    return pass.descs != ALINK_XPU_MAX_QUEUES;
}

/* What the queues have to do. Any thread, between enter and leave of a BH. */
static void engine_run(AlinkXpu *xpu)
{
    int64_t start;
    bool did, more;
    unsigned i;

    /* Doorbells wait for bus mastering; the base kicks when it comes. */
    if (!alink_dma_allowed(ALINK_DEVICE(xpu))) {
        return;
    }
    start = get_clock();
    did = looks_run(xpu);
    did |= rings_run(xpu);
    publish(xpu);
    more = xpu->recheck;
    for (i = 0; i < xpu->variant->rings && !more; i++) {
        more = ring_priority(xpu, i) >= 0;
    }
    if (more) {
        xpu_kick(xpu);
    }
    if (did) {
        xpu->busy_ns += get_clock() - start;
    }
}

static void engine_bh(void *opaque)
{
    AlinkXpu *xpu = opaque;
    g_autoptr(AlinkInBh) in = alink_bh_enter(ALINK_DEVICE(xpu), xpu->engine_bh);

    if (in) {
        engine_run(xpu);
    }
}

/* From the work's done: guarded, on any thread. */
void xpu_queue_worked(XpuQueue *q, enum alink_status status, bool done,
                      uint64_t addr)
{
    unsigned ring = q->id % q->xpu->variant->rings;
    XpuUnit *u = q->compute ? &q->xpu->engine[ring] : &q->xpu->ring[ring];
    XpuPass pass = {};

    if (!q->compute) {
        xpu_queue_settle(q);
    }
    if (q->error) {
        /* It halted meanwhile, for its status block: that was the end. */
        xpu_queue_release(q);
        q->state = XPU_Q_HALTED;
        xpu_kick(q->xpu);
        return;
    }
    q->state = q->compute ? XPU_Q_ENGINE : XPU_Q_READY;
    if (!alink_dma_allowed(ALINK_DEVICE(q->xpu)) && status == ALINK_ST_OK) {
        /*
         * Bus mastering went while it ran, or a reset: fence and next chunk
         * are for later. The base kicks when bus mastering comes back.
         */
        if (done) {
            q->state = XPU_Q_LATE;
        }
        return;
    }
    if (status != ALINK_ST_OK) {
        queue_halt(q, status, addr);
    } else if (done) {
        queue_done(q);
    } else if (!q->aborting && !q->holding) {
        /* The next chunk, with no way round, as long as the turn lasts. */
        xpu_queue_release(q);
        if (xpu_unit_pick(q->xpu, u, ring) == q) {
            queue_step(q, &pass);
        }
    }
    /* Those two are set while the queue is drained, without enter. */
    if (!q->aborting && !q->holding) {
        engine_run(q->xpu);
    }
}

/*
 * In the doorbell's own register access, so the reentrancy guard is engaged as
 * in the bottom half.
 */
static void engine_inline(AlinkXpu *xpu, XpuQueue *q)
{
    XpuPass pass = { .descs = INLINE_DESCS, .bytes = PASS_BYTES - INLINE_BYTES };
    g_autoptr(AlinkInBh) in = alink_bh_enter(ALINK_DEVICE(xpu), NULL);
    unsigned own = q->id % xpu->variant->rings, i;
    int64_t start;

    if (!in || !alink_dma_allowed(ALINK_DEVICE(xpu)) || xpu->recheck ||
        q->state != XPU_Q_READY || ring_priority(xpu, own) != q->priority) {
        return;
    }
    for (i = 0; i < ALINK_XPU_MAX_QUEUES; i++) {
        XpuQueue *other = xpu->queue[i];

        if (other && other != q && (other->state == XPU_Q_ENGINE ||
            (other->state == XPU_Q_READY && other->head != other->tail))) {
            return;
        }
    }
    assert(DEVICE(xpu)->mem_reentrancy_guard.engaged_in_io);
    start = get_clock();
    ring_run(xpu, own, pass);
    publish(xpu);
    xpu->busy_ns += get_clock() - start;
}

void xpu_doorbell(AlinkXpu *xpu, uint32_t id, uint32_t tail)
{
    XpuQueue *q = xpu->queue[id];

    trace_alink_xpu_doorbell(xpu_name(xpu), id, tail);
    xpu->doorbells++;
    if (!q) {
        alink_guest_error(ALINK_DEVICE(xpu), ALINK_XPU_DB(id),
                          "doorbell of queue %u, which does not exist", id);
        return;
    }
    alink_thermal_kick(ALINK_DEVICE(xpu));
    if (q->state == XPU_Q_READY && q->head == q->tail) {
        xpu_queue_ready(q);
    }
    q->tail = tail;
    engine_inline(xpu, q);
    if (ring_priority(xpu, id % xpu->variant->rings) >= 0 || xpu->recheck) {
        xpu_kick(xpu);
    }
}

enum alink_xpu_queue_state xpu_queue_state(const XpuQueue *q)
{
    switch (q->state) {
    case XPU_Q_WAIT:
        return ALINK_XPU_Q_WAITING;
    case XPU_Q_FAULT:
        return ALINK_XPU_Q_FAULT;
    case XPU_Q_HALTED:
        return ALINK_XPU_Q_HALTED;
    case XPU_Q_READY:
        return q->head == q->tail ? ALINK_XPU_Q_IDLE : ALINK_XPU_Q_ACTIVE;
    default:
        return ALINK_XPU_Q_ACTIVE;
    }
}

/* --- life cycle -------------------------------------------------------------------- */

XpuQueue *xpu_queue_create(AlinkXpu *xpu, XpuCtx *ctx,
                           const struct alink_xpu_queue *req)
{
    XpuQueue *q = g_new0(XpuQueue, 1);

    q->xpu = xpu;
    q->ctx = ctx;
    q->id = le32_to_cpu(req->id);
    q->size = le32_to_cpu(req->size);
    q->vector = le16_to_cpu(req->vector);
    q->priority = le16_to_cpu(req->priority);
    q->ring = le64_to_cpu(req->ring);
    q->status = le64_to_cpu(req->status);
    q->wq = alink_work_new(ALINK_DEVICE(xpu));
    q->late_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, late_timer, q);
    ctx->num_queues++;
    xpu->queue_busy_ns[q->id] = 0;
    xpu->queue_compute_ns[q->id] = 0;
    xpu->queue[q->id] = q;
    return q;
}

/* Afterwards no worker, timer or wait holds the queue; it may have halted. */
static void queue_abort(XpuQueue *q)
{
    q->aborting = true;
    alink_work_drain(q->wq);
    if (q->state != XPU_Q_HALTED &&
        (q->state != XPU_Q_READY || q->head != q->tail)) {
        queue_halt(q, ALINK_ST_ABORTED, 0);
    }
    xpu_queue_release(q);
    q->aborting = false;
}

void xpu_queue_destroy(XpuQueue *q, bool tell)
{
    AlinkXpu *xpu = q->xpu;

    q->quiet = true;
    queue_abort(q);
    if (tell && q->dirty) {
        write_status(q);
    }
    if (tell && q->want_irq) {
        queue_irq(xpu, q->vector);
    }
    xpu_queue_forget(q);
    xpu->queue[q->id] = NULL;
    q->ctx->num_queues--;
    alink_work_free(q->wq);
    xpu_compute_end(q);
    timer_free(q->late_timer);
    g_free(q);
    xpu_kick(xpu);
}

/* Afterwards the queue stands between two chunks, its state as it was. */
static void queue_hold(XpuQueue *q)
{
    q->holding = true;
    alink_work_drain(q->wq);
    q->holding = false;
}

void xpu_ctx_quiesce(AlinkXpu *xpu, XpuCtx *ctx)
{
    unsigned i;

    for (i = 0; i < ALINK_XPU_MAX_QUEUES; i++) {
        if (xpu->queue[i] && xpu->queue[i]->ctx == ctx) {
            queue_hold(xpu->queue[i]);
        }
    }
    xpu_kick(xpu);
}

void xpu_drain(AlinkXpu *xpu)
{
    MemReentrancyGuard *guard = &DEVICE(xpu)->mem_reentrancy_guard;
    bool pause = alink_dma_allowed(ALINK_DEVICE(xpu));
    bool engaged = guard->engaged_in_io;
    unsigned i;

    for (i = 0; i < ALINK_XPU_MAX_QUEUES; i++) {
        if (!xpu->queue[i]) {
            continue;
        }
        if (pause) {
            queue_hold(xpu->queue[i]);
        } else {
            queue_abort(xpu->queue[i]);
        }
    }
    if (pause) {
        /* This is no bottom half: guard against a status block in our BAR. */
        guard->engaged_in_io = true;
        publish(xpu);
        guard->engaged_in_io = engaged;
    } else {
        timer_del(xpu->wait_timer);
    }
}

void xpu_sched_init(AlinkXpu *xpu)
{
    xpu->engine_bh = alink_bh_new(engine_bh, xpu, ALINK_DEVICE(xpu));
    xpu->wait_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, wait_timer, xpu);
    QTAILQ_INSERT_TAIL(&xpus, xpu, next);
}

void xpu_sched_cleanup(AlinkXpu *xpu)
{
    QTAILQ_REMOVE(&xpus, xpu, next);
    qemu_bh_delete(xpu->engine_bh);
    timer_free(xpu->wait_timer);
}
