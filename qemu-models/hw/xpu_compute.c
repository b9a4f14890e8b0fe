/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: COMPUTE descriptors: operands and result in local memory, in
 * pieces; the arithmetic is that of compute/.
 *
 * A piece is translated and mapped under the BQL (xpu_rows.c), run without it
 * on a worker (a small one at once), and finished under it. Between two pieces
 * the queue can be aborted or paused, and the next one is translated anew; what
 * is carried over is in struct ac_work.
 *
 * The worker has the help of the threads of compute/, which are those of all
 * xPUs of the process. They begin with the first large piece, and end when the
 * last xPU that computed is unplugged.
 */
#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "trace.h"
#include "xpu_internal.h"
#include "compute/alink_compute.h"

/* What takes less is run at once, ns */
#define INLINE_COST     20000

struct XpuCompute {
    XpuQueue *q;
    struct ac_plan plan;
    struct ac_piece piece;
    struct ac_work *work;
    uint64_t model_ns;                  /* of the whole */
    XpuRows elems[AC_NUM_OPERANDS];     /* of the piece */
    XpuRows scales[AC_NUM_OPERANDS];
    uint64_t busy_ns;
};

/* --- running: any thread -------------------------------------------------- */

static void compute_run(void *opaque)
{
    struct ac_data data[AC_NUM_OPERANDS];
    int64_t start = get_clock();
    XpuCompute *c = opaque;
    unsigned i;

    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        data[i].row = xpu_rows_gather(&c->elems[i]);
        data[i].scales = xpu_rows_gather(&c->scales[i]);
    }
    ac_run(c->work, &c->plan, &c->piece, data, c->q->xpu->team);
    xpu_rows_scatter(&c->elems[AC_DST]);
    xpu_rows_scatter(&c->scales[AC_DST]);
    c->busy_ns = get_clock() - start;
}

/* --- translation and mapping: BQL ----------------------------------------- */

/* The rows of EMBED's table that b names */
static enum alink_status add_named(XpuCompute *c, const struct ac_region *r,
                                   uint64_t *addr)
{
    const struct ac_matrix *table = &c->plan.mat[AC_A];
    const struct ac_matrix *names = &c->plan.mat[AC_B];
    enum alink_status st = ALINK_ST_OK;
    uint32_t i, row;

    for (i = 0; i < r->rows && st == ALINK_ST_OK; i++) {
        xpu_rows_read(&c->elems[AC_B], i, &row);
        row = le32_to_cpu(row);
        if (row >= table->rows) {
            *addr = names->addr + (r->row + i) * names->stride;
            return ALINK_ST_RANGE;
        }
        st = xpu_rows_add(&c->elems[AC_A], table->addr + row * table->stride,
                          c->elems[AC_A].len, 1, addr);
        if (st == ALINK_ST_OK && table->dtype == ALINK_DT_MXFP4) {
            st = xpu_rows_add(&c->scales[AC_A], table->scale +
                              row * (uint64_t)table->scale_stride,
                              c->scales[AC_A].len, 1, addr);
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
    c->elems[op].len = ac_bytes(mat->dtype, r.cols);
    c->scales[op].len = ac_scale_bytes(mat->dtype, r.cols);
    if (c->plan.func == ALINK_XPU_FN_EMBED && op == AC_A) {
        return add_named(c, &r, addr);
    }
    st = xpu_rows_add(&c->elems[op], mat->addr + r.row * mat->stride +
                      ac_bytes(mat->dtype, r.col), mat->stride, r.rows, addr);
    if (st == ALINK_ST_OK && mat->dtype == ALINK_DT_MXFP4) {
        st = xpu_rows_add(&c->scales[op], mat->scale +
                          r.row * (uint64_t)mat->scale_stride +
                          ac_scale_bytes(mat->dtype, r.col),
                          mat->scale_stride, r.rows, addr);
    }
    return st;
}

/* @done: it ran. On failure, of a write to no RAM, *addr is the operand. */
static enum alink_status piece_unmap(XpuCompute *c, bool done, uint64_t *addr)
{
    enum alink_status st = ALINK_ST_OK, one;
    unsigned i;

    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        one = xpu_rows_release(&c->elems[i], done);
        if (one != ALINK_ST_OK && st == ALINK_ST_OK) {
            *addr = c->plan.mat[i].addr;
            st = one;
        }
        one = xpu_rows_release(&c->scales[i], done);
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
        xpu_rows_begin(&c->elems[i], c->q, i == AC_DST);
        xpu_rows_begin(&c->scales[i], c->q, i == AC_DST);
    }
    for (i = 0; i < AC_NUM_OPERANDS && st == ALINK_ST_OK; i++) {
        st = map_operand(c, order[i], addr);
    }
    if (st != ALINK_ST_OK) {
        piece_unmap(c, false, &ignored);
    }
    return st;
}

/* What a piece takes of a run of the scheduler */
static uint64_t piece_weight(const XpuCompute *c)
{
    uint64_t sum = 0;
    unsigned i;

    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        sum += c->elems[i].weight + c->scales[i].weight;
    }
    return sum;
}

static enum alink_status piece_finish(XpuCompute *c, uint64_t *addr)
{
    xpu_rows_heal(&c->elems[AC_DST]);
    xpu_rows_heal(&c->scales[AC_DST]);
    return piece_unmap(c, true, addr);
}

/* --- a descriptor --------------------------------------------------------- */

static enum alink_status read_block(XpuQueue *q, uint64_t va,
                                    struct alink_xpu_compute *block,
                                    uint64_t *addr)
{
    enum alink_status st;
    XpuRows r = {};

    xpu_rows_begin(&r, q, false);
    r.len = sizeof(*block);
    st = xpu_rows_add(&r, va, sizeof(*block), 1, addr);
    if (st == ALINK_ST_OK) {
        xpu_rows_read(&r, 0, block);
    }
    xpu_rows_release(&r, st == ALINK_ST_OK);
    xpu_rows_free(&r);
    return st;
}

/* Memory of the descriptor before, if no other one has it; threads */
static struct ac_work *take_work(AlinkXpu *xpu, const struct ac_plan *plan)
{
    struct ac_work *work = g_steal_pointer(&xpu->spare) ?: ac_work_new();
    bool ok;

    if (!xpu->team) {
        xpu->team = ac_team_new(MIN(xpu->compute_threads,
                                    g_get_num_processors()));
    }
    ok = work && xpu->team &&
         ac_work_begin(work, plan, ac_team_lanes(xpu->team));
    /* As g_new() does: QEMU does not go on without memory. */
    g_assert(ok);
    return work;
}

static void leave_work(AlinkXpu *xpu, struct ac_work *work)
{
    ac_work_end(work);
    if (xpu->spare) {
        ac_work_free(work);
    } else {
        xpu->spare = work;
    }
}

void xpu_compute_cleanup(AlinkXpu *xpu)
{
    ac_work_free(g_steal_pointer(&xpu->spare));
    ac_team_free(g_steal_pointer(&xpu->team));
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
    c->work = take_work(q->xpu, &c->plan);
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
    unsigned i;

    if (!q->compute) {
        return;
    }
    leave_work(q->xpu, q->compute->work);
    for (i = 0; i < AC_NUM_OPERANDS; i++) {
        xpu_rows_free(&q->compute->elems[i]);
        xpu_rows_free(&q->compute->scales[i]);
    }
    g_free(q->compute);
    q->compute = NULL;
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
    q->xpu->queue_compute_ns[q->id] += c->busy_ns;
    alink_thermal_kick(ALINK_DEVICE(q->xpu));
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
