/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: COMPUTE descriptors: operands and result in local memory, in
 * pieces; the arithmetic is that of compute/.
 *
 * A piece is translated and mapped under the BQL, row by row, run without it on
 * a worker (a small one at once), and finished under it. Between two pieces the
 * queue can be aborted or paused, and the next one is translated anew; what is
 * carried over is in struct ac_work.
 */
#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "trace.h"
#include "xpu_internal.h"
#include "compute/alink_compute.h"

/* As many bytes are copied while a range is translated and mapped. */
#define RANGE_BYTES     512
/* What takes less is run at once, ns */
#define INLINE_COST     20000

struct XpuCompute {
    XpuQueue *q;
    struct ac_plan plan;
    struct ac_piece piece;
    struct ac_work *work;
    uint64_t model_ns;                  /* of the whole */
    AlinkSg elems[AC_NUM_OPERANDS];     /* of the piece */
    AlinkSg scales[AC_NUM_OPERANDS];
    uint64_t busy_ns;
};

static bool is_result(unsigned op)
{
    return op == AC_DST;
}

/* --- running: any thread -------------------------------------------------- */

/* The list as one range of host memory: in place, or gathered in *tmp. */
static void *range_of(AlinkSg *sg, bool result, void **tmp)
{
    uint64_t run;
    unsigned hint = 0;
    void *ptr;

    if (!sg->len) {
        return NULL;
    }
    ptr = alink_sg_ptr(sg, 0, &run, &hint);
    if (run >= sg->len) {
        return ptr;
    }
    *tmp = g_malloc(sg->len);
    if (!result) {
        alink_sg_read(sg, 0, *tmp, sg->len);
    }
    return *tmp;
}

static void compute_run(void *opaque)
{
    struct ac_data data[AC_NUM_OPERANDS];
    void *tmp[AC_NUM_OPERANDS][2] = {};
    int64_t start = get_clock();
    XpuCompute *c = opaque;
    unsigned i;

    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        data[i].elems = range_of(&c->elems[i], is_result(i), &tmp[i][0]);
        data[i].scales = range_of(&c->scales[i], is_result(i), &tmp[i][1]);
    }
    ac_run(c->work, &c->plan, &c->piece, data);
    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        if (is_result(i) && tmp[i][0]) {
            alink_sg_write(&c->elems[i], 0, tmp[i][0], c->elems[i].len);
        }
        if (is_result(i) && tmp[i][1]) {
            alink_sg_write(&c->scales[i], 0, tmp[i][1], c->scales[i].len);
        }
        g_free(tmp[i][0]);
        g_free(tmp[i][1]);
    }
    c->busy_ns = get_clock() - start;
}

/* --- translation and mapping: BQL ----------------------------------------- */

/* Appends a range of device virtual addresses. On failure *addr is at fault. */
static enum alink_status add_range(XpuQueue *q, AlinkSg *sg, uint64_t va,
                                   uint64_t len, uint64_t *addr)
{
    bool write = sg->dir == DMA_DIRECTION_FROM_DEVICE;
    uint64_t need = write ? ALINK_PTE_WRITE : ALINK_PTE_READ;
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    enum alink_status st;
    uint64_t bad;
    XpuSpan span;

    while (len) {
        *addr = va;
        st = xpu_translate(q->xpu, q->ctx, q->id, va, len, need, &span);
        if (st != ALINK_ST_OK) {
            return st;
        }
        switch (span.ap) {
        case ALINK_AP_SYSTEM:
            st = alink_sg_add_dma(sg, span.addr, span.len);
            if (st != ALINK_ST_OK) {
                return st;
            }
            break;
        case ALINK_AP_HBM:
            bad = write ? UINT64_MAX :
                  af_poison_find(ad->af, ad->fabric_id, span.addr, span.len);
            if (bad != UINT64_MAX) {
                *addr = va + bad;
                xpu_report_poison(q->xpu, span.addr + bad, q->id);
                return ALINK_ST_POISON;
            }
            alink_sg_add_host(sg, q->xpu->hbm_mem + span.addr, span.len);
            break;
        default:
            return ALINK_ST_UNSUPPORTED;
        }
        va += span.len;
        len -= span.len;
    }
    return ALINK_ST_OK;
}

/* Appends rows at equal distances. */
static enum alink_status add_rows(XpuQueue *q, AlinkSg *sg, uint64_t va,
                                  uint64_t stride, uint64_t rows, uint64_t len,
                                  uint64_t *addr)
{
    enum alink_status st = ALINK_ST_OK;
    uint64_t i;

    if (stride == len) {
        return add_range(q, sg, va, rows * len, addr);
    }
    for (i = 0; i < rows && st == ALINK_ST_OK; i++) {
        st = add_range(q, sg, va + i * stride, len, addr);
    }
    return st;
}

/* The rows of EMBED's table that b names */
static enum alink_status add_named(XpuCompute *c, const struct ac_region *r,
                                   uint64_t *addr)
{
    const struct ac_matrix *table = &c->plan.mat[AC_A];
    const struct ac_matrix *names = &c->plan.mat[AC_B];
    uint64_t len = ac_bytes(table->dtype, table->cols);
    uint64_t scales = ac_scale_bytes(table->dtype, table->cols);
    enum alink_status st = ALINK_ST_OK;
    uint32_t i, row;

    for (i = 0; i < r->rows && st == ALINK_ST_OK; i++) {
        alink_sg_read(&c->elems[AC_B], i * sizeof(row), &row, sizeof(row));
        row = le32_to_cpu(row);
        if (row >= table->rows) {
            *addr = names->addr + (r->row + i) * names->stride;
            return ALINK_ST_RANGE;
        }
        st = add_range(c->q, &c->elems[AC_A],
                       table->addr + row * table->stride, len, addr);
        if (st == ALINK_ST_OK && scales) {
            st = add_range(c->q, &c->scales[AC_A],
                           table->scale + row * (uint64_t)table->scale_stride,
                           scales, addr);
        }
    }
    return st;
}

static enum alink_status map_operand(XpuCompute *c, unsigned op,
                                     uint64_t *addr)
{
    const struct ac_matrix *mat = &c->plan.mat[op];
    struct ac_region r;
    enum alink_status st;

    if (!ac_piece_region(&c->plan, &c->piece, op, &r)) {
        return ALINK_ST_OK;
    }
    if (c->plan.func == ALINK_XPU_FN_EMBED && op == AC_A) {
        return add_named(c, &r, addr);
    }
    st = add_rows(c->q, &c->elems[op], mat->addr + r.row * mat->stride +
                  ac_bytes(mat->dtype, r.col), mat->stride, r.rows,
                  ac_bytes(mat->dtype, r.cols), addr);
    if (st == ALINK_ST_OK && mat->dtype == ALINK_DT_MXFP4) {
        st = add_rows(c->q, &c->scales[op], mat->scale +
                      r.row * (uint64_t)mat->scale_stride +
                      ac_scale_bytes(mat->dtype, r.col), mat->scale_stride,
                      r.rows, ac_scale_bytes(mat->dtype, r.cols), addr);
    }
    return st;
}

/* @done: it ran. On failure, of a write to no RAM, *addr is the operand. */
static enum alink_status piece_unmap(XpuCompute *c, bool done, uint64_t *addr)
{
    enum alink_status st = ALINK_ST_OK, one;
    unsigned i;

    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        one = alink_sg_release(&c->elems[i], done ? c->elems[i].len : 0);
        if (one != ALINK_ST_OK && st == ALINK_ST_OK) {
            *addr = c->plan.mat[i].addr;
            st = one;
        }
        one = alink_sg_release(&c->scales[i], done ? c->scales[i].len : 0);
        if (one != ALINK_ST_OK && st == ALINK_ST_OK) {
            *addr = c->plan.mat[i].scale;
            st = one;
        }
    }
    return st;
}

/* Names of rows come before the rows. */
static enum alink_status piece_map(XpuCompute *c, uint64_t *addr)
{
    static const uint8_t usual[] = { AC_A, AC_B, AC_DST_IN, AC_DST };
    static const uint8_t embed[] = { AC_B, AC_A, AC_DST_IN, AC_DST };
    const uint8_t *order = c->plan.func == ALINK_XPU_FN_EMBED ? embed : usual;
    enum alink_status st = ALINK_ST_OK;
    uint64_t ignored;
    unsigned i;

    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        DMADirection dir = is_result(i) ? DMA_DIRECTION_FROM_DEVICE :
                                          DMA_DIRECTION_TO_DEVICE;

        alink_sg_init(&c->elems[i], ALINK_DEVICE(c->q->xpu), dir);
        alink_sg_init(&c->scales[i], ALINK_DEVICE(c->q->xpu), dir);
    }
    for (i = 0; i < AC_NUM_OPERANDS && st == ALINK_ST_OK; i++) {
        st = map_operand(c, order[i], addr);
    }
    if (st != ALINK_ST_OK) {
        piece_unmap(c, false, &ignored);
    }
    return st;
}

/* What a piece takes of a run of the scheduler; a range costs a translation. */
static uint64_t piece_weight(const XpuCompute *c)
{
    uint64_t sum = 0;
    unsigned i;

    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        sum += c->elems[i].len + c->elems[i].num * RANGE_BYTES;
        sum += c->scales[i].len + c->scales[i].num * RANGE_BYTES;
    }
    return sum;
}

/* HBM that was written over is good again. */
static void heal(XpuCompute *c, const AlinkSg *sg)
{
    AlinkDevice *ad = ALINK_DEVICE(c->q->xpu);
    unsigned i;

    for (i = 0; i < sg->num; i++) {
        const AlinkSgPiece *p = &sg->piece[i];

        if (p->kind == ALINK_SG_HOST) {
            af_poison_heal(ad->af, ad->fabric_id,
                           p->host - c->q->xpu->hbm_mem, p->len);
        }
    }
}

static enum alink_status piece_finish(XpuCompute *c, uint64_t *addr)
{
    heal(c, &c->elems[AC_DST]);
    heal(c, &c->scales[AC_DST]);
    return piece_unmap(c, true, addr);
}

/* --- a descriptor --------------------------------------------------------- */

static enum alink_status read_block(XpuQueue *q, uint64_t va,
                                    struct alink_xpu_compute *block,
                                    uint64_t *addr)
{
    enum alink_status st;
    AlinkSg sg;

    alink_sg_init(&sg, ALINK_DEVICE(q->xpu), DMA_DIRECTION_TO_DEVICE);
    st = add_range(q, &sg, va, sizeof(*block), addr);
    if (st == ALINK_ST_OK) {
        alink_sg_read(&sg, 0, block, sizeof(*block));
    }
    alink_sg_release(&sg, st == ALINK_ST_OK ? sizeof(*block) : 0);
    return st;
}

/* Modelled time of the whole: traffic or arithmetic, whatever takes longer */
static uint64_t whole_ns(const struct ac_plan *plan)
{
    return MAX(xpu_local_ns(ac_traffic(plan)),
               DIV_ROUND_UP(ac_macs(plan), ac_mac_rate(plan)));
}

/* The piece's part of it, by elements of the result and steps of the sum */
static uint64_t piece_ns(const XpuCompute *c)
{
    const struct ac_plan *plan = &c->plan;
    const struct ac_piece *p = &c->piece;
    double part = (double)p->dst.rows * p->dst.cols /
                  ((double)plan->mat[AC_DST].rows * plan->mat[AC_DST].cols);

    if (plan->func == ALINK_XPU_FN_GEMM) {
        part *= (double)p->inners / plan->k;
    }
    return c->model_ns * part;
}

enum alink_status xpu_compute_begin(XpuQueue *q,
                                    const struct alink_xpu_desc *desc,
                                    uint64_t *addr)
{
    uint64_t va = le64_to_cpu(desc->src);
    struct alink_xpu_compute block;
    enum alink_status st;
    XpuCompute *c;

    st = read_block(q, va, &block, addr);
    if (st != ALINK_ST_OK) {
        return st;
    }
    c = g_new0(XpuCompute, 1);
    *addr = va;
    st = ac_plan_init(&c->plan, desc->subop, &block, addr);
    if (st != ALINK_ST_OK) {
        g_free(c);
        return st;
    }
    c->q = q;
    c->work = ac_work_new(&c->plan);
    /* As g_new() does: QEMU does not go on without memory. */
    g_assert(c->work);
    ac_piece_first(&c->plan, &c->piece);
    c->model_ns = whole_ns(&c->plan);
    /* The ring is done with it; the engine will be charged for the rest. */
    xpu_queue_settle(q);
    q->compute = c;
    q->state = XPU_Q_ENGINE;
    xpu_queue_ready(q);
    trace_alink_xpu_compute(alink_device_name(ALINK_DEVICE(q->xpu)), q->id,
                            desc->subop, c->plan.m, c->plan.n, c->plan.k);
    return ALINK_ST_OK;
}

void xpu_compute_end(XpuQueue *q)
{
    if (q->compute) {
        ac_work_free(q->compute->work);
        g_free(q->compute);
        q->compute = NULL;
    }
}

/* All effects are there: time and counters of the whole. */
static void compute_account(XpuQueue *q)
{
    const struct ac_plan *plan = &q->compute->plan;

    q->desc_ns += q->compute->model_ns;
    q->charged = q->desc_ns;
    q->bytes += ac_traffic(plan);
    q->xpu->macs += ac_macs(plan);
}

/* After a piece ran. True with ALINK_ST_OK: that was the last one. */
static bool compute_next(XpuQueue *q, enum alink_status *st, uint64_t *addr)
{
    XpuCompute *c = q->compute;

    xpu_queue_charge(q, piece_ns(c));
    *st = piece_finish(c, addr);
    if (*st == ALINK_ST_OK && ac_piece_next(&c->plan, &c->piece)) {
        return false;
    }
    if (*st == ALINK_ST_OK) {
        compute_account(q);
    }
    xpu_compute_end(q);
    return *st == ALINK_ST_OK;
}

static void compute_done(void *opaque)
{
    XpuCompute *c = opaque;
    XpuQueue *q = c->q;
    enum alink_status st;
    uint64_t addr = 0;
    bool done;

    q->xpu->busy_ns += c->busy_ns;
    q->xpu->queue_busy_ns[q->id] += c->busy_ns;
    done = compute_next(q, &st, &addr);
    xpu_queue_worked(q, st, done, addr);
}

enum alink_status xpu_compute_step(XpuQueue *q, XpuPass *pass, bool *done,
                                   uint64_t *addr)
{
    XpuCompute *c = q->compute;
    enum alink_status st;

    *done = false;
    *addr = 0;
    st = piece_map(c, addr);
    if (st != ALINK_ST_OK) {
        /* Pieces that are done must not be done again. */
        if (!(st & XPU_ST_RETRY)) {
            xpu_compute_end(q);
        }
        return st;
    }
    trace_alink_xpu_piece(alink_device_name(ALINK_DEVICE(q->xpu)), q->id,
                          c->piece.dst.row, c->piece.dst.rows,
                          c->piece.dst.col, c->piece.dst.cols,
                          c->piece.inner, c->piece.inners);
    if (ac_piece_cost(&c->plan, &c->piece) > INLINE_COST) {
        q->state = XPU_Q_WORK;
        alink_work_submit(q->wq, compute_run, compute_done, c);
        return ALINK_ST_OK;
    }
    compute_run(c);
    pass->bytes += piece_weight(c);
    *done = compute_next(q, &st, addr);
    return st;
}
