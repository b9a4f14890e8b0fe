/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: the counter that shows that a queue gets on, whatever it is at;
 * queues that are stuck, and how they end.
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_regs.h"
#include "xpu-qtest.h"

#define START       AQ_FABRIC XQ_DEVICE
/* All of ring 1 */
#define RINGS       16
#define ID(n)       (1 + RINGS * (n))
#define GEMM_BLOCK  (XQ_SYS + 0x20000)
#define GEMM_A      XQ_HBM
#define GEMM_B      (XQ_HBM + 0x400000)
#define GEMM_DST    (XQ_HBM + 0x800000)

static const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };

typedef struct Rig {
    AlinkQtest *aq;
    XpuQtest *x;
    XpuQueueQtest *q[2];
} Rig;

static void queues(Rig *r, enum alink_xpu_priority first)
{
    r->q[0] = xq_queue_prio(r->x, ID(0), 32, first);
    r->q[1] = xq_queue_prio(r->x, ID(1), 32, ALINK_XPU_PRIORITY_NORMAL);
}

static Rig rig_new(void)
{
    Rig r = { .aq = aq_start(START) };

    r.x = xq_new(r.aq);
    queues(&r, ALINK_XPU_PRIORITY_NORMAL);
    return r;
}

static void rig_free(Rig *r)
{
    xq_free(r->x);
    aq_stop(r->aq);
}

static uint32_t progress(Rig *r, unsigned n)
{
    return aq_rd32(r->aq, ALINK_XPU_Q(ID(n), ALINK_XPU_Q_PROGRESS));
}

static uint32_t state(Rig *r, unsigned n)
{
    return aq_rd32(r->aq, ALINK_XPU_Q(ID(n), ALINK_XPU_Q_STATE));
}

static void stick(Rig *r, unsigned n)
{
    aq_set_int(r->aq, "x-queue-stuck", 1LL << ID(n));
}

static void release(Rig *r)
{
    aq_set_int(r->aq, "x-queue-stuck", 0);
}

/* Does the counter move, given the time that the device says? */
static bool moves(Rig *r, unsigned n)
{
    uint32_t before = progress(r, n);

    aq_clock_us(r->aq, 1000 * aq_rd32(r->aq, ALINK_XPU_REG_PROGRESS_MS));
    return progress(r, n) != before;
}

/* Nothing of host or device moves it. */
static void stands_still(Rig *r, unsigned n)
{
    uint32_t before = progress(r, n);
    unsigned i;

    for (i = 0; i < 5; i++) {
        g_usleep(10000);
        aq_clock_us(r->aq, 1000000);
        g_assert_cmpuint(progress(r, n), ==, before);
    }
}

/* 512 x 512 x 2048 in FP32: pieces that workers do */
static void put_gemm(Rig *r, unsigned n)
{
    uint64_t at = GEMM_BLOCK + 128 * n;
    struct alink_xpu_compute c = {
        .m = cpu_to_le32(512), .n = cpu_to_le32(512), .k = cpu_to_le32(2048),
        .a = { .addr = cpu_to_le64(GEMM_A), .dtype = ALINK_DT_FP32,
               .stride = cpu_to_le64(4 * 2048) },
        .b = { .addr = cpu_to_le64(GEMM_B), .dtype = ALINK_DT_FP32,
               .stride = cpu_to_le64(4 * 512) },
        .dst = { .addr = cpu_to_le64(GEMM_DST + n * 0x100000),
                 .dtype = ALINK_DT_FP32, .stride = cpu_to_le64(4 * 512) },
    };
    struct alink_xpu_desc d = xq_desc(ALINK_XPU_OP_COMPUTE, 0, at, sizeof(c));

    qtest_memwrite(r->aq->qts, r->x->sys + at - XQ_SYS, &c, sizeof(c));
    d.subop = ALINK_XPU_FN_GEMM;
    xq_put(r->q[n], d);
}

/* --- the counter ----------------------------------------------------------- */

static void test_counter(void)
{
    Rig r = rig_new();
    uint32_t before;

    g_assert(aq_rd64(r.aq, ALINK_REG_CAPS) & ALINK_CAP_PROGRESS);
    g_assert_cmpuint(aq_rd32(r.aq, ALINK_XPU_REG_PROGRESS_MS), ==, 1000);
    g_assert_cmpuint(progress(&r, 0), ==, 0);
    stands_still(&r, 0);

    xq_run(r.q[0], nop);
    before = progress(&r, 0);
    g_assert_cmpuint(before, >, 0);
    g_assert_cmpuint(progress(&r, 1), ==, 0);
    stands_still(&r, 0);
    xq_run(r.q[0], xq_copy(XQ_HBM, XQ_SYS, 1 << 20));
    g_assert_cmpuint(progress(&r, 0), !=, before);

    /* One that has halted, and one that is not there */
    xq_put(r.q[0], xq_desc(0xff, 0, 0, 0));
    xq_ring(r.q[0]);
    aq_settle(r.aq);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_HALTED);
    stands_still(&r, 0);
    g_assert_cmpuint(xq_queue_destroy(r.q[0]), ==, ALINK_ST_OK);
    g_assert_cmpuint(progress(&r, 0), ==, 0);
    xq_queue_prio(r.x, ID(0), 32, ALINK_XPU_PRIORITY_NORMAL);
    g_assert_cmpuint(progress(&r, 0), ==, 0);
    rig_free(&r);
}

/* A WAIT that may last for a time only ends then, and not before. */
static void test_wait_with_a_time(void)
{
    Rig r = rig_new();

    g_assert(aq_rd64(r.aq, ALINK_REG_CAPS) & ALINK_CAP_WAIT_MS);
    /* In time; the next one begins its own. */
    xq_put(r.q[0], xq_wait_ms(ALINK_WAIT_EQ, XQ_SYS, 1, 40));
    xq_put(r.q[0], xq_wait_ms(ALINK_WAIT_EQ, XQ_SYS, 2, 40));
    xq_ring(r.q[0]);
    aq_clock_us(r.aq, 30000);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_WAITING);
    qtest_writeq(r.aq->qts, r.x->sys, 1);
    aq_clock_us(r.aq, 30000);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_WAITING);
    qtest_writeq(r.aq->qts, r.x->sys, 2);
    aq_clock_us(r.aq, 10000);
    xq_wait(r.q[0]);

    /* It is there, and no time is too short for that. */
    xq_run(r.q[0], xq_wait_ms(ALINK_WAIT_EQ, XQ_SYS, 2, 1));

    xq_put(r.q[0], xq_wait_ms(ALINK_WAIT_GE, XQ_SYS, 3, 40));
    xq_ring(r.q[0]);
    aq_clock_us(r.aq, 30000);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_WAITING);
    aq_clock_us(r.aq, 30000);
    aq_settle(r.aq);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_HALTED);
    g_assert_cmpuint(le32_to_cpu(xq_status(r.q[0]).error), ==, ALINK_ST_TIMEOUT);
    g_assert_cmphex(le64_to_cpu(xq_status(r.q[0]).error_addr), ==, XQ_SYS);
    rig_free(&r);
}

static void test_endless_wait(void)
{
    Rig r = rig_new();
    unsigned i;

    xq_put(r.q[0], xq_wait_for(ALINK_WAIT_EQ, XQ_SYS, 1));
    xq_ring(r.q[0]);
    for (i = 0; i < 10; i++) {
        g_assert(moves(&r, 0));
        g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_WAITING);
    }
    qtest_writeq(r.aq->qts, r.x->sys, 1);
    aq_clock_us(r.aq, 10000);
    xq_wait(r.q[0]);
    stands_still(&r, 0);
    rig_free(&r);
}

/* A queue that works, and one that waits for its turn at the same engine */
static void test_long_work(void)
{
    Rig r = { .aq = aq_start(START) };
    uint32_t before[2] = { 0, 0 };
    unsigned n, i, same[2] = { 0, 0 }, tries = 60000;
    bool over = false;

    r.x = xq_new(r.aq);
    queues(&r, ALINK_XPU_PRIORITY_REALTIME);
    for (i = 0; i < 4; i++) {
        put_gemm(&r, 0);
    }
    put_gemm(&r, 1);
    for (n = 0; n < 2; n++) {
        xq_ring(r.q[n]);
    }
    while (!over) {
        g_assert(tries--);
        g_usleep(1000);
        over = xq_fenced(r.q[0]) && xq_fenced(r.q[1]);
        for (n = 0; n < 2; n++) {
            uint32_t now = progress(&r, n);

            /* Between two pieces it may take a moment. */
            same[n] = now == before[n] ? same[n] + 1 : 0;
            before[n] = now;
            if (state(&r, n) == ALINK_XPU_Q_ACTIVE) {
                g_assert_cmpuint(same[n], <, 1000);
            }
        }
    }
    rig_free(&r);
}

static void test_late(void)
{
    Rig r = rig_new();
    unsigned i;

    aq_set_int(r.aq, "x-complete-late-us", 60000000);
    xq_put(r.q[0], nop);
    xq_ring(r.q[0]);
    for (i = 0; i < 10; i++) {
        g_assert(moves(&r, 0));
        g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_ACTIVE);
    }
    aq_clock_us(r.aq, 60000000);
    xq_wait(r.q[0]);
    rig_free(&r);
}

/* Without the bus nothing moves; nor has it to. */
static void test_bus_master(void)
{
    Rig r = rig_new();

    aq_command(r.aq, PCI_COMMAND_MASTER, 0);
    xq_put(r.q[0], nop);
    xq_ring(r.q[0]);
    aq_clock_us(r.aq, 1000000);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_ACTIVE);
    aq_command(r.aq, 0, PCI_COMMAND_MASTER);
    xq_wait(r.q[0]);
    rig_free(&r);
}

/* --- stuck --------------------------------------------------------------- */

static void test_stuck(void)
{
    Rig r = rig_new();
    uint32_t before;

    stick(&r, 0);
    xq_put(r.q[0], nop);
    xq_ring(r.q[0]);
    stands_still(&r, 0);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_ACTIVE);
    /* The other one of the ring works, and that is no progress of ours. */
    before = progress(&r, 0);
    xq_run(r.q[1], xq_copy(XQ_HBM, XQ_SYS, 1 << 20));
    xq_put(r.q[1], xq_wait_for(ALINK_WAIT_EQ, XQ_SYS + 0x10000, 1));
    xq_ring(r.q[1]);
    g_assert(moves(&r, 1));
    stands_still(&r, 0);
    g_assert_cmpuint(progress(&r, 0), ==, before);
    release(&r);
    xq_wait(r.q[0]);
    g_assert_cmpuint(progress(&r, 0), !=, before);
    rig_free(&r);
}

/* A WAIT that nobody looks at, and a GEMM in the middle */
static void test_stuck_on_the_way(void)
{
    Rig r = rig_new();
    unsigned i;

    xq_put(r.q[0], xq_wait_for(ALINK_WAIT_EQ, XQ_SYS, 1));
    xq_ring(r.q[0]);
    g_assert(moves(&r, 0));
    stick(&r, 0);
    qtest_writeq(r.aq->qts, r.x->sys, 1);
    stands_still(&r, 0);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_WAITING);
    g_assert(!xq_fenced(r.q[0]));
    release(&r);
    aq_clock_us(r.aq, 10000);
    xq_wait(r.q[0]);

    for (i = 0; i < 16; i++) {
        put_gemm(&r, 1);
    }
    xq_ring(r.q[1]);
    stick(&r, 1);
    stands_still(&r, 1);
    g_assert_cmpuint(state(&r, 1), ==, ALINK_XPU_Q_ACTIVE);
    g_assert(!xq_fenced(r.q[1]));
    /* What it holds, if anything, is free again. */
    g_assert_cmpuint(xq_queue_destroy(r.q[1]), ==, ALINK_ST_OK);
    release(&r);
    put_gemm(&r, 0);
    xq_ring(r.q[0]);
    xq_wait(r.q[0]);
    rig_free(&r);
}

static void test_destroy(void)
{
    struct alink_xpu_queue_status s;
    Rig r = rig_new();

    xq_run(r.q[0], nop);
    stick(&r, 0);
    xq_put(r.q[0], nop);
    xq_put(r.q[0], nop);
    xq_ring(r.q[0]);
    stands_still(&r, 0);
    aq_irqs(r.aq);
    g_assert_cmpuint(xq_queue_destroy(r.q[0]), ==, ALINK_ST_OK);
    g_assert_cmphex(aq_irqs(r.aq) & ~1U, ==, 1U << (1 + ID(0) % 4));
    s = xq_status(r.q[0]);
    g_assert_cmpuint(le32_to_cpu(s.error), ==, ALINK_ST_ABORTED);
    g_assert_cmpuint(le32_to_cpu(s.error_index), ==, 1);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_NONE);
    g_assert_cmpuint(progress(&r, 0), ==, 0);
    xq_run(r.q[1], nop);
    release(&r);
    r.q[0] = xq_queue_prio(r.x, ID(0), 32, ALINK_XPU_PRIORITY_NORMAL);
    xq_run(r.q[0], nop);
    rig_free(&r);
}

/* --- and not to be ended ----------------------------------------------------- */

/* A command that is not answered, whatever the time */
static void submit(Rig *r, uint16_t opcode, uint32_t id)
{
    struct alink_admin_cmd cmd = {
        .opcode = cpu_to_le16(opcode),
        .cid = cpu_to_le32(0x1234),
        .req_addr = cpu_to_le64(r->aq->req),
        .req_len = cpu_to_le32(ALINK_TLV_SPAN(sizeof(id))),
    };
    uint8_t tlv[ALINK_TLV_SPAN(sizeof(id))];

    id = cpu_to_le32(id);
    aq_put_tlv(tlv, 0, ALINK_TLV_ID, &id, sizeof(id));
    qtest_memwrite(r->aq->qts, r->aq->req, tlv, sizeof(tlv));
    aq_admin_submit(r->aq, &cmd);
}

static void no_answer(Rig *r)
{
    struct alink_admin_cpl cpl;
    unsigned i;

    for (i = 0; i < 20; i++) {
        aq_clock_us(r->aq, 1000000);
        g_assert_false(aq_admin_poll(r->aq, &cpl));
    }
}

static void stick_for_good(Rig *r)
{
    stick(r, 0);
    aq_set_int(r->aq, "x-destroy-stuck", 1LL << ID(0));
    xq_put(r->q[0], nop);
    xq_ring(r->q[0]);
    submit(r, ALINK_XPU_ADMIN_QUEUE_DESTROY, ID(0));
    no_answer(r);
    g_assert_cmpuint(state(r, 0), ==, ALINK_XPU_Q_ACTIVE);
    stands_still(r, 0);
    /* Queues do not need the admin queue. */
    xq_run(r->q[1], nop);
}

static void test_not_to_be_ended(void)
{
    Rig r = rig_new();

    stick_for_good(&r);
    /* Those behind it wait. */
    submit(&r, ALINK_XPU_ADMIN_TLB_INVALIDATE, 1);
    no_answer(&r);
    aq_flr(r.aq);
    release(&r);
    aq_set_int(r.aq, "x-destroy-stuck", 0);
    xq_setup(r.x);
    g_assert_cmpuint(state(&r, 0), ==, ALINK_XPU_Q_NONE);
    queues(&r, ALINK_XPU_PRIORITY_NORMAL);
    xq_run(r.q[0], nop);
    g_assert_cmpuint(xq_queue_destroy(r.q[0]), ==, ALINK_ST_OK);
    rig_free(&r);
}

/* The admin queue is switched off and on: the next command is heard. */
static void test_admin_queue_anew(void)
{
    Rig r = rig_new();
    unsigned i;

    for (i = 0; i < 2; i++) {
        stick_for_good(&r);
        aq_admin_enable(r.aq, 16);
        g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    }
    aq_set_int(r.aq, "x-destroy-stuck", 0);
    g_assert_cmpuint(xq_queue_destroy(r.q[0]), ==, ALINK_ST_OK);
    g_assert_cmpuint(xq_queue_destroy(r.q[1]), ==, ALINK_ST_OK);
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-progress/counter", test_counter);
    qtest_add_func("/alink/xpu-progress/wait-with-a-time",
                   test_wait_with_a_time);
    qtest_add_func("/alink/xpu-progress/endless-wait", test_endless_wait);
    qtest_add_func("/alink/xpu-progress/long-work", test_long_work);
    qtest_add_func("/alink/xpu-progress/late", test_late);
    qtest_add_func("/alink/xpu-progress/bus-master", test_bus_master);
    qtest_add_func("/alink/xpu-progress/stuck", test_stuck);
    qtest_add_func("/alink/xpu-progress/stuck-on-the-way",
                   test_stuck_on_the_way);
    qtest_add_func("/alink/xpu-progress/destroy", test_destroy);
    qtest_add_func("/alink/xpu-progress/not-to-be-ended", test_not_to_be_ended);
    qtest_add_func("/alink/xpu-progress/admin-queue-anew",
                   test_admin_queue_anew);
    return g_test_run();
}
