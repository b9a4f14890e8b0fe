/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: info windows of queues: time by engine, and the descriptor at which
 * one stands.
 */
#include "qemu/osdep.h"
#include "xpu-compute-qtest.h"

#define QUEUE   1           /* that of the rig */

static uint64_t info(Rig *r, uint32_t id, uint32_t reg)
{
    return aq_rd64(r->aq, ALINK_XPU_QI(id, reg));
}

static bool has_desc(Rig *r, uint32_t id)
{
    return aq_rd32(r->aq, ALINK_XPU_QI(id, ALINK_XPU_QI_DESC));
}

/* --- descriptors --------------------------------------------------------- */

static void expect_desc(Rig *r, const struct alink_xpu_desc *d)
{
    uint64_t op = d->opcode | (uint64_t)d->flags << 8 |
                  (uint64_t)d->dtype << 16 | (uint64_t)d->subop << 24 |
                  (uint64_t)le32_to_cpu(d->reserved) << 32;

    g_assert(has_desc(r, QUEUE));
    g_assert_cmphex(info(r, QUEUE, ALINK_XPU_QI_DESC_OP), ==, op);
    g_assert_cmphex(info(r, QUEUE, ALINK_XPU_QI_DESC_DST), ==,
                    le64_to_cpu(d->dst));
    g_assert_cmphex(info(r, QUEUE, ALINK_XPU_QI_DESC_SRC), ==,
                    le64_to_cpu(d->src));
    g_assert_cmphex(info(r, QUEUE, ALINK_XPU_QI_DESC_SRC2), ==,
                    le64_to_cpu(d->src2));
    g_assert_cmphex(info(r, QUEUE, ALINK_XPU_QI_DESC_LEN), ==,
                    le64_to_cpu(d->len));
    g_assert_cmphex(info(r, QUEUE, ALINK_XPU_QI_DESC_FENCE), ==,
                    le64_to_cpu(d->fence_addr));
    g_assert_cmphex(info(r, QUEUE, ALINK_XPU_QI_DESC_VALUE), ==,
                    le64_to_cpu(d->fence_value));
}

static void expect_none(Rig *r, uint32_t id)
{
    uint32_t reg;

    g_assert(!has_desc(r, id));
    for (reg = ALINK_XPU_QI_DESC_OP; reg <= ALINK_XPU_QI_DESC_VALUE; reg += 8) {
        g_assert_cmphex(info(r, id, reg), ==, 0);
    }
}

static void wait_for_error(Rig *r, uint32_t status)
{
    unsigned tries = 10000;

    while (!xq_status(r->q).error) {
        g_assert(tries--);
        g_usleep(1000);
        aq_settle(r->aq);
    }
    g_assert_cmpuint(le32_to_cpu(xq_status(r->q).error), ==, status);
}

/* Of several that were fetched together, the one that failed */
static void test_desc_that_failed(void)
{
    const struct alink_xpu_desc d = {
        .opcode = 99, .flags = ALINK_XPU_DF_FENCE, .dtype = 0xfe,
        .subop = 0x87, .reserved = cpu_to_le32(0x80000001),
        .dst = cpu_to_le64(0x8001020304050607),
        .src = cpu_to_le64(0x9011121314151617),
        .src2 = cpu_to_le64(0xa021222324252627),
        .len = cpu_to_le64(0xb031323334353637),
        .fence_addr = cpu_to_le64(0xc041424344454648),
        .fence_value = cpu_to_le64(0xd051525354555657),
        .user = cpu_to_le64(0xe061626364656667),
    };
    Rig r = rig_new();
    XpuQueueQtest *other = xq_queue(r.x, QUEUE + 1, 8);
    uint64_t ring = r.q->ring;

    expect_none(&r, QUEUE);
    xq_put(r.q, xq_desc(ALINK_XPU_OP_NOP, 0, 0, 0));
    xq_put(r.q, d);
    xq_put(r.q, xq_copy(XQ_HBM, XQ_SYS, 64));
    xq_ring(r.q);
    wait_for_error(&r, ALINK_ST_BAD_OPCODE);
    g_assert_cmpuint(le32_to_cpu(xq_status(r.q).error_index), ==, 1);
    expect_desc(&r, &d);
    expect_none(&r, QUEUE + 1);

    /* Whatever becomes of the ring, until the queue goes */
    qtest_memset(r.aq->qts, ring, 0, 8 * sizeof(d));
    xq_run(other, xq_copy(XQ_HBM, XQ_SYS, 64));
    expect_desc(&r, &d);
    expect_none(&r, QUEUE + 1);
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    expect_none(&r, QUEUE);
    r.q = xq_queue(r.x, QUEUE, 8);
    expect_none(&r, QUEUE);
    rig_free(&r);
}

/* One that stands still for memory; that one has none when it is done. */
static void test_desc_at_work(void)
{
    struct alink_xpu_desc d = xq_wait_for(ALINK_WAIT_GE, XQ_SYS, 1);
    Rig r = rig_new();

    qtest_writeq(r.aq->qts, r.x->sys, 0);
    d.flags = ALINK_XPU_DF_FENCE;
    d.fence_addr = cpu_to_le64(r.q->fence_va);
    d.fence_value = cpu_to_le64(1);
    xq_put(r.q, d);
    xq_ring(r.q);
    aq_settle(r.aq);
    expect_desc(&r, &d);
    qtest_writeq(r.aq->qts, r.x->sys, 1);
    aq_clock_us(r.aq, 100000);
    xq_wait(r.q);
    expect_none(&r, QUEUE);
    rig_free(&r);
}

/* What was never fetched is not told: what comes to mind is another's. */
static void test_no_desc(void)
{
    Rig r = rig_new();

    xq_run(r.q, xq_copy(XQ_HBM, XQ_SYS, 64));
    aq_wr32(r.aq, ALINK_XPU_DB(QUEUE), r.q->tail + r.q->size + 1);
    wait_for_error(&r, ALINK_ST_BAD_FIELD);
    expect_none(&r, QUEUE);
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);

    /* A ring that is not there any more */
    r.q = xq_queue(r.x, QUEUE, 8);
    xq_put(r.q, xq_copy(XQ_HBM, XQ_SYS, 64));
    qtest_writeq(r.aq->qts, xq_entry(r.x, XQ_RING + (r.q->ring - r.x->rings),
                                     0), 0);
    g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    xq_ring(r.q);
    wait_for_error(&r, ALINK_ST_PAGE_FAULT);
    expect_none(&r, QUEUE);
    rig_free(&r);
}

/* --- time ---------------------------------------------------------------- */

static uint64_t busy(Rig *r)
{
    return aq_rd64(r->aq, ALINK_XPU_Q(QUEUE, ALINK_XPU_Q_BUSY_NS));
}

static uint64_t compute(Rig *r)
{
    return info(r, QUEUE, ALINK_XPU_QI_COMPUTE_NS);
}

/* Run at once, or by a worker: the engine's time is the engine's. */
static void test_compute_time(void)
{
    static const uint32_t dims[] = { 4, 512 };
    Rig r = rig_new();
    struct alink_xpu_compute c;
    uint64_t engine, ring;
    unsigned i;

    xq_run(r.q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, 4 << 20));
    g_assert_cmpuint(busy(&r), >, 0);
    g_assert_cmpuint(compute(&r), ==, 0);
    for (i = 0; i < G_N_ELEMENTS(dims); i++) {
        engine = compute(&r);
        ring = busy(&r) - engine;
        c = shape(dims[i], dims[i], dims[i]);
        c.a = mat(XQ_HBM + (8 << 20), 4 * dims[i], ALINK_DT_FP32);
        c.b = mat(XQ_HBM + (10 << 20), 4 * dims[i], ALINK_DT_FP32);
        c.dst = mat(XQ_HBM + (12 << 20), 4 * dims[i], ALINK_DT_FP32);
        run(&r, ALINK_XPU_FN_GEMM, c);
        g_assert_cmpuint(compute(&r), >, engine);
        g_assert_cmpuint(busy(&r) - compute(&r), >=, ring);
    }

    engine = compute(&r);
    ring = busy(&r) - engine;
    xq_run(r.q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, 4 << 20));
    g_assert_cmpuint(compute(&r), ==, engine);
    g_assert_cmpuint(busy(&r) - engine, >, ring);

    /* As BUSY_NS: it stays until the id is somebody else's. */
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    g_assert_cmpuint(compute(&r), ==, engine);
    aq_wr32(r.aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    g_assert_cmpuint(compute(&r), ==, engine);
    xq_setup(r.x);
    r.q = xq_queue(r.x, QUEUE, 8);
    g_assert_cmpuint(compute(&r), ==, 0);
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-info/desc-that-failed", test_desc_that_failed);
    qtest_add_func("/alink/xpu-info/desc-at-work", test_desc_at_work);
    qtest_add_func("/alink/xpu-info/no-desc", test_no_desc);
    qtest_add_func("/alink/xpu-info/compute-time", test_compute_time);
    return g_test_run();
}
