/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: descriptors that move data: COPY, FILL, REDUCE, REDUCE_READ.
 *
 * A descriptor is worked off in chunks of at most XPU_CHUNK bytes. A chunk ends
 * where an operand changes between local memory and the fabric, or where a
 * range behind the fabric ends; so each of its operands is either a list of
 * pieces of local memory or one range of one segment or group, and each range
 * of the fabric is one operation of the fabric.
 *
 * Chunks are translated and mapped under the BQL, run without it on a worker
 * (small ones at once), and finished under it.
 */
#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "exec/cpu-common.h"
#include "trace.h"
#include "xpu_internal.h"

/* Small pieces of one descriptor that run before others get their turn */
#define STEP_CHUNKS     64
/* Less than that is cleared faster than given back */
#define XPU_DISCARD_MIN (256ULL << 10)

/* --- running: any thread --------------------------------------------------- */

static AlinkXpu *move_xpu(XpuMove *m)
{
    return container_of(m, XpuQueue, move)->xpu;
}

static void move_fail(XpuMove *m, XpuSide *side, enum alink_status status,
                      uint64_t off)
{
    if (m->status == ALINK_ST_OK) {
        m->status = status;
        m->fail_side = side;
        m->fail_off = off;
    }
}

static bool fabric_ok(XpuMove *m, XpuSide *side, const struct af_result *res)
{
    m->model_ns += res->model_ns;
    if (res->status != ALINK_ST_OK) {
        move_fail(m, side, res->status, res->fail_offset);
    }
    return res->status == ALINK_ST_OK;
}

/* The operand as one range of host memory, if it is that. */
static void *side_whole(XpuSide *side, uint64_t len)
{
    uint64_t run;
    unsigned hint = 0;
    void *ptr;

    if (side->kind != XPU_SIDE_LOCAL) {
        return NULL;
    }
    ptr = alink_sg_ptr(&side->sg, 0, &run, &hint);
    return run >= len ? ptr : NULL;
}

/* The data of a source in one range, gathered in *tmp where need be. */
static const void *side_in(XpuMove *m, XpuSide *side, void **tmp)
{
    AlinkDevice *ad = ALINK_DEVICE(move_xpu(m));
    const void *ptr = side_whole(side, m->len);
    struct af_result res;

    if (ptr) {
        return ptr;
    }
    *tmp = g_malloc(m->len);
    if (side->kind == XPU_SIDE_LOCAL) {
        alink_sg_read(&side->sg, 0, *tmp, m->len);
    } else {
        af_read(ad->af, ad->fabric_id, side->slot, side->off, *tmp, m->len,
                &res);
        if (!fabric_ok(m, side, &res)) {
            return NULL;
        }
    }
    return *tmp;
}

/* Where the result may be put together: in place, or in *tmp. */
static void *side_out(XpuMove *m, XpuSide *side, void **tmp)
{
    void *ptr = side_whole(side, m->len);

    if (!ptr) {
        ptr = *tmp = g_malloc(m->len);
    }
    return ptr;
}

/* Sends the result where it belongs, unless it is there. */
static void side_deliver(XpuMove *m, XpuSide *side, const void *data)
{
    AlinkDevice *ad = ALINK_DEVICE(move_xpu(m));
    struct af_result res;

    switch (side->kind) {
    case XPU_SIDE_LOCAL:
        if (data != side_whole(side, m->len)) {
            alink_sg_write(&side->sg, 0, data, m->len);
        }
        break;
    case XPU_SIDE_REMOTE:
        af_write(ad->af, ad->fabric_id, side->slot, side->off, data, m->len,
                 &res);
        fabric_ok(m, side, &res);
        break;
    case XPU_SIDE_GROUP:
        af_group_write(ad->af, ad->fabric_id, side->slot, side->off, data,
                       m->len, &res);
        fabric_ok(m, side, &res);
        break;
    default:
        g_assert_not_reached();
    }
}

static void run_copy(XpuMove *m, void **tmp)
{
    AlinkDevice *ad = ALINK_DEVICE(move_xpu(m));
    struct af_result res;
    const void *data;
    void *out;

    if (m->src.kind == XPU_SIDE_LOCAL && m->dst.kind == XPU_SIDE_LOCAL) {
        alink_sg_copy(&m->dst.sg, 0, &m->src.sg, 0, m->len);
    } else if (m->dst.kind == XPU_SIDE_LOCAL) {
        out = side_out(m, &m->dst, &tmp[0]);
        af_read(ad->af, ad->fabric_id, m->src.slot, m->src.off, out, m->len,
                &res);
        if (fabric_ok(m, &m->src, &res)) {
            side_deliver(m, &m->dst, out);
        }
    } else {
        data = side_in(m, &m->src, &tmp[0]);
        if (data) {
            side_deliver(m, &m->dst, data);
        }
    }
}

static void fill(uint8_t *to, uint64_t len, uint32_t pattern, uint64_t phase)
{
    uint64_t i;

    if (pattern == (pattern & 0xff) * 0x01010101U) {
        memset(to, pattern, len);
        return;
    }
    pattern = ror32(pattern, phase % 4 * 8);
    for (i = 0; i + 4 <= len; i += 4) {
        stl_le_p(to + i, pattern);
    }
    for (; i < len; i++) {
        to[i] = pattern >> (i % 4 * 8);
    }
}

/*
 * Zeros, at a place in host memory. Where that is HBM, whole pages are given
 * back to the host instead: they read as zeros, and HBM is larger than what the
 * host has.
 */
static void fill_zero(AlinkXpu *xpu, uint8_t *to, uint64_t len)
{
    RAMBlock *rb = xpu->hbm.ram_block;
    uint64_t page = qemu_ram_pagesize(rb);
    uint64_t at = to - xpu->hbm_mem;
    uint64_t start = ROUND_UP(at, page);
    uint64_t end = ROUND_DOWN(at + len, page);

    if (to < xpu->hbm_mem || at + len > xpu->hbm_size ||
        end < start + XPU_DISCARD_MIN ||
        ram_block_discard_range(rb, start, end - start)) {
        memset(to, 0, len);
        return;
    }
    memset(to, 0, start - at);
    memset(xpu->hbm_mem + end, 0, at + len - end);
}

static void run_fill(XpuMove *m, void **tmp)
{
    unsigned hint = 0;
    uint64_t at, run;
    void *ptr;

    if (qatomic_read(&move_xpu(m)->x_skip_fills)) {
        return;
    }
    if (m->dst.kind != XPU_SIDE_LOCAL) {
        tmp[0] = g_malloc(m->len);
        fill(tmp[0], m->len, m->pattern, 0);
        side_deliver(m, &m->dst, tmp[0]);
        return;
    }
    for (at = 0; at < m->len; at += run) {
        ptr = alink_sg_ptr(&m->dst.sg, at, &run, &hint);
        run = MIN(run, m->len - at);
        if (!m->pattern) {
            fill_zero(move_xpu(m), ptr, run);
        } else {
            fill(ptr, run, m->pattern, at);
        }
    }
}

/* Element by element over the pieces of three local operands */
static void reduce_local(XpuMove *m)
{
    unsigned hd = 0, ha = 0, hb = 0;
    size_t esz = af_dtype_size(m->dtype);
    uint64_t at, run, ld, la, lb;

    for (at = 0; at < m->len; at += run) {
        uint8_t *d = alink_sg_ptr(&m->dst.sg, at, &ld, &hd);
        uint8_t *a = alink_sg_ptr(&m->src.sg, at, &la, &ha);
        uint8_t *b = alink_sg_ptr(&m->src2.sg, at, &lb, &hb);

        /* Operands are aligned to elements, and so is where pages end. */
        run = MIN(MIN(ld, m->len - at), MIN(la, lb));
        g_assert(run >= esz);
        run -= run % esz;
        af_reduce2(d, a, b, run / esz, m->dtype, m->subop);
    }
}

static void run_reduce(XpuMove *m, void **tmp)
{
    const void *a, *b;
    void *out;

    if (m->dst.kind == XPU_SIDE_LOCAL && m->src.kind == XPU_SIDE_LOCAL &&
        m->src2.kind == XPU_SIDE_LOCAL) {
        reduce_local(m);
        return;
    }
    a = side_in(m, &m->src, &tmp[0]);
    b = a ? side_in(m, &m->src2, &tmp[1]) : NULL;
    if (!b) {
        return;
    }
    out = side_out(m, &m->dst, &tmp[2]);
    af_reduce2(out, a, b, m->len / af_dtype_size(m->dtype), m->dtype,
               m->subop);
    side_deliver(m, &m->dst, out);
    if (m->keeps && m->status == ALINK_ST_OK) {
        side_deliver(m, &m->keep, out);
    }
}

static void run_reduce_read(XpuMove *m, void **tmp)
{
    AlinkDevice *ad = ALINK_DEVICE(move_xpu(m));
    struct af_result res;
    void *out;

    out = side_out(m, &m->dst, &tmp[0]);
    af_group_reduce(ad->af, ad->fabric_id, m->src.slot, m->src.off, out,
                    m->len, m->dtype, m->subop, &res);
    if (fabric_ok(m, &m->src, &res)) {
        side_deliver(m, &m->dst, out);
    }
}

static void move_run(void *opaque)
{
    int64_t start = get_clock();
    XpuMove *m = opaque;
    void *tmp[3] = {};
    unsigned i;

    switch (m->opcode) {
    case ALINK_XPU_OP_COPY:
        run_copy(m, tmp);
        break;
    case ALINK_XPU_OP_FILL:
        run_fill(m, tmp);
        break;
    case ALINK_XPU_OP_REDUCE:
        run_reduce(m, tmp);
        break;
    case ALINK_XPU_OP_REDUCE_READ:
        run_reduce_read(m, tmp);
        break;
    }
    for (i = 0; i < ARRAY_SIZE(tmp); i++) {
        g_free(tmp[i]);
    }
    m->busy_ns = get_clock() - start;
}

/* --- translation and mapping: BQL ------------------------------------------- */

/* Known-bad HBM ends a range in front of it, or is the fault at span->addr. */
static enum alink_status check_poison(XpuQueue *q, XpuSpan *span,
                                      uint64_t *addr)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    uint64_t bad = af_poison_find(ad->af, ad->fabric_id, span->addr,
                                  span->len);

    if (bad == UINT64_MAX) {
        return ALINK_ST_OK;
    }
    if (bad >= 64) {
        span->len = bad & ~63ULL;
        return ALINK_ST_OK;
    }
    *addr += bad;
    span->addr += bad;
    return ALINK_ST_POISON;
}

static enum alink_status side_add_local(XpuQueue *q, XpuSide *side,
                                        const XpuSpan *span)
{
    if (span->ap == ALINK_AP_HBM) {
        alink_sg_add_host(&side->sg, q->xpu->hbm_mem + span->addr, span->len);
        return ALINK_ST_OK;
    }
    side->system = true;
    return alink_sg_add_dma(&side->sg, span->addr, span->len);
}

/*
 * Translates and maps an operand from @va on. *len is cut to what one chunk can
 * have of it. On failure nothing stays mapped here, and *addr is at fault.
 */
static enum alink_status side_prepare(XpuQueue *q, XpuSide *side, uint64_t va,
                                      bool write, uint64_t *len,
                                      uint64_t *addr)
{
    uint64_t need = write ? ALINK_PTE_WRITE : ALINK_PTE_READ;
    enum alink_status st;
    XpuSpan span = {};

    alink_sg_init(&side->sg, ALINK_DEVICE(q->xpu),
                  write ? DMA_DIRECTION_FROM_DEVICE : DMA_DIRECTION_TO_DEVICE);
    side->kind = XPU_SIDE_LOCAL;
    side->va = va;
    while (side->sg.len < *len && side->sg.num < XPU_SIDE_PIECES) {
        uint64_t at = va + side->sg.len;
        bool local;

        st = xpu_translate(q->xpu, q->ctx, q->id, at, *len - side->sg.len,
                           need, &span);
        local = span.ap == ALINK_AP_SYSTEM || span.ap == ALINK_AP_HBM;
        if (st == ALINK_ST_OK && !local) {
            if (!side->sg.num) {
                side->kind = span.ap == ALINK_AP_REMOTE ? XPU_SIDE_REMOTE :
                                                          XPU_SIDE_GROUP;
                side->slot = span.slot;
                side->off = span.addr;
                *len = span.len;
                return ALINK_ST_OK;
            }
            break;
        }
        *addr = at;
        if (st == ALINK_ST_OK && !write && span.ap == ALINK_AP_HBM) {
            st = check_poison(q, &span, addr);
        }
        if (st == ALINK_ST_OK) {
            st = side_add_local(q, side, &span);
        }
        if (st != ALINK_ST_OK) {
            /* What comes before is done first; then this is met again. */
            if (side->sg.len) {
                break;
            }
            alink_sg_release(&side->sg, 0);
            if (st == ALINK_ST_POISON) {
                xpu_report_poison(q->xpu, span.addr, q->id);
            }
            return st;
        }
    }
    *len = MIN(*len, side->sg.len);
    return ALINK_ST_OK;
}

/* Kinds of operands that an opcode cannot have */
static bool sides_supported(const XpuMove *m)
{
    if (m->opcode == ALINK_XPU_OP_REDUCE_READ) {
        return m->src.kind == XPU_SIDE_GROUP;
    }
    return m->src.kind != XPU_SIDE_GROUP && m->src2.kind != XPU_SIDE_GROUP;
}

/* Where the result stays, which is sent into the fabric: *addr is at fault. */
static enum alink_status keep_prepare(XpuQueue *q, uint64_t va, uint64_t *len,
                                      uint64_t *addr)
{
    XpuMove *m = &q->move;
    enum alink_status st;

    if (m->src2.kind != XPU_SIDE_LOCAL || m->dst.kind == XPU_SIDE_LOCAL) {
        *addr = m->src2.kind != XPU_SIDE_LOCAL ? va : m->dst.va;
        return ALINK_ST_UNSUPPORTED;
    }
    st = side_prepare(q, &m->keep, va, true, len, addr);
    if (st == ALINK_ST_OK && m->keep.kind != XPU_SIDE_LOCAL) {
        /* Page tables have changed since src2 was looked at. */
        *addr = va;
        st = ALINK_ST_UNSUPPORTED;
    }
    return st;
}

/* What is written here, if anything is */
static XpuSide *side_here(XpuMove *m)
{
    return m->dst.kind == XPU_SIDE_LOCAL ? &m->dst : &m->keep;
}

/* Whether all could be written that belongs here */
static enum alink_status sides_release(XpuMove *m, uint64_t done)
{
    XpuSide *here = side_here(m);

    if (m->src.kind == XPU_SIDE_LOCAL) {
        alink_sg_release(&m->src.sg, done);
    }
    if (m->src2.kind == XPU_SIDE_LOCAL) {
        alink_sg_release(&m->src2.sg, done);
    }
    return here->kind == XPU_SIDE_LOCAL ? alink_sg_release(&here->sg, done) :
                                          ALINK_ST_OK;
}

/* Reads happen before writes, so sources are looked at first. */
static enum alink_status move_prepare(XpuQueue *q,
                                      const struct alink_xpu_desc *desc,
                                      uint64_t *addr)
{
    uint64_t len = le64_to_cpu(desc->len) - q->done;
    enum alink_status st = ALINK_ST_OK;
    XpuMove *m = &q->move;

    memset(m, 0, sizeof(*m));
    m->opcode = desc->opcode;
    m->dtype = desc->dtype;
    m->subop = desc->subop;
    m->keeps = desc->flags & ALINK_XPU_DF_KEEP;
    m->pattern = le64_to_cpu(desc->src);
    len = MIN(len, XPU_CHUNK);

    if (m->opcode != ALINK_XPU_OP_FILL) {
        st = side_prepare(q, &m->src, le64_to_cpu(desc->src) + q->done, false,
                          &len, addr);
    }
    if (st == ALINK_ST_OK && m->opcode == ALINK_XPU_OP_REDUCE) {
        st = side_prepare(q, &m->src2, le64_to_cpu(desc->src2) + q->done,
                          false, &len, addr);
    }
    if (st == ALINK_ST_OK && !sides_supported(m)) {
        *addr = m->src2.kind == XPU_SIDE_GROUP ? m->src2.va : m->src.va;
        st = ALINK_ST_UNSUPPORTED;
    }
    if (st == ALINK_ST_OK) {
        st = side_prepare(q, &m->dst, le64_to_cpu(desc->dst) + q->done, true,
                          &len, addr);
    }
    if (st == ALINK_ST_OK && m->keeps) {
        st = keep_prepare(q, le64_to_cpu(desc->src2) + q->done, &len, addr);
    }
    if (st != ALINK_ST_OK) {
        /* A side that failed has an empty list by now. */
        sides_release(m, 0);
        return st;
    }
    m->len = len;
    m->fabric = m->src.kind > XPU_SIDE_LOCAL || m->src2.kind > XPU_SIDE_LOCAL ||
                m->dst.kind > XPU_SIDE_LOCAL;
    return ALINK_ST_OK;
}

/* HBM that was written over is good again. */
static void heal(XpuQueue *q, XpuMove *m)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    XpuSide *here = side_here(m);
    unsigned i;

    if (here->kind != XPU_SIDE_LOCAL) {
        return;
    }
    for (i = 0; i < here->sg.num; i++) {
        AlinkSgPiece *p = &here->sg.piece[i];

        if (p->kind == ALINK_SG_HOST && p->start < m->len) {
            af_poison_heal(ad->af, ad->fabric_id, p->host - q->xpu->hbm_mem,
                           MIN(p->len, m->len - p->start));
        }
    }
}

/* The local side of what the fabric does takes no time of its own. */
static uint64_t move_ns(const XpuMove *m)
{
    if (m->fabric) {
        return m->model_ns;
    }
    if (m->opcode == ALINK_XPU_OP_REDUCE && !m->dst.system &&
        !m->src.system && !m->src2.system) {
        return xpu_reduce_ns(m->len);
    }
    return xpu_local_ns(m->len);
}

/* After the run. On failure *addr is at fault. */
static enum alink_status move_finish(XpuQueue *q, uint64_t *addr)
{
    XpuMove *m = &q->move;
    enum alink_status st;

    *addr = 0;
    if (m->status == ALINK_ST_OK) {
        heal(q, m);
    } else if (m->fail_side) {
        *addr = m->fail_side->va + m->fail_off;
    }
    st = sides_release(m, m->status == ALINK_ST_OK ? m->len : 0);
    q->desc_ns += move_ns(m);
    if (m->status != ALINK_ST_OK) {
        return m->status;
    }
    if (st != ALINK_ST_OK) {
        *addr = side_here(m)->va;
        return st;
    }
    q->done += m->len;
    q->bytes += m->len;
    return ALINK_ST_OK;
}

/* --- a descriptor ------------------------------------------------------------ */

static uint64_t desc_len(const XpuQueue *q)
{
    return le64_to_cpu(q->batch[q->batch_pos].len);
}

static void move_done(void *opaque)
{
    XpuMove *m = opaque;
    XpuQueue *q = container_of(m, XpuQueue, move);
    enum alink_status st;
    uint64_t addr;

    q->xpu->busy_ns += m->busy_ns;
    q->xpu->queue_busy_ns[q->id] += m->busy_ns;
    alink_thermal_kick(ALINK_DEVICE(q->xpu));
    st = move_finish(q, &addr);
    xpu_queue_worked(q, st, st == ALINK_ST_OK && q->done == desc_len(q), addr);
}

enum alink_status xpu_move(XpuQueue *q, const struct alink_xpu_desc *desc,
                           XpuPass *pass, bool *done, uint64_t *addr)
{
    uint64_t len = le64_to_cpu(desc->len);
    enum alink_status st;
    unsigned i;

    for (i = 0; i < STEP_CHUNKS && q->done < len; i++) {
        st = move_prepare(q, desc, addr);
        if (st != ALINK_ST_OK) {
            return st;
        }
        trace_alink_xpu_chunk(alink_device_name(ALINK_DEVICE(q->xpu)), q->id,
                              q->move.opcode, q->done, q->move.len,
                              q->move.src.kind, q->move.dst.kind);
        if (q->move.len >= ALINK_WORK_INLINE) {
            q->state = XPU_Q_WORK;
            alink_work_submit(q->wq, move_run, move_done, &q->move);
            return ALINK_ST_OK;
        }
        move_run(&q->move);
        st = move_finish(q, addr);
        if (st != ALINK_ST_OK) {
            return st;
        }
        pass->bytes += q->move.len;
    }
    *done = q->done == len;
    return ALINK_ST_OK;
}
