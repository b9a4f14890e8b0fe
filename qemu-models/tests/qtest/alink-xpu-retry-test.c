/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: accesses that are tried again (ALINK_PTE_RETRY): where a queue
 * stops, what has been done by then, and how it goes on or ends.
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_regs.h"
#include "xpu-qtest.h"

#define START   AQ_FABRIC XQ_DEVICE
#define HOLE    XQ_HOLE
#define QUEUE   1
#define HBM_RW  (XQ_RW | XQ_AP(ALINK_AP_HBM))

typedef struct Rig {
    AlinkQtest *aq;
    XpuQtest *x;
    XpuQueueQtest *q;
} Rig;

static Rig rig_new(void)
{
    Rig r = { .aq = aq_start(START) };

    r.x = xq_new(r.aq);
    r.q = xq_queue(r.x, QUEUE, 8);
    return r;
}

static void rig_free(Rig *r)
{
    xq_free(r->x);
    aq_stop(r->aq);
}

/* Pages that are not there, but may be: entries of level 0. */
static void mark(Rig *r, uint64_t va, unsigned pages)
{
    unsigned i;

    for (i = 0; i < pages; i++) {
        qtest_writeq(r->aq->qts, xq_entry(r->x, va + i * 4096, 0),
                     ALINK_PTE_RETRY);
    }
}

static uint16_t resume(Rig *r, uint32_t queue, uint32_t action)
{
    struct alink_xpu_resume req = {
        .queue = cpu_to_le32(queue),
        .action = cpu_to_le32(action),
    };

    return aq_admin_tlv(r->aq, ALINK_XPU_ADMIN_QUEUE_RESUME,
                        ALINK_TLV_XPU_RESUME, &req, sizeof(req));
}

static uint32_t state(Rig *r)
{
    aq_settle(r->aq);
    return aq_rd32(r->aq, ALINK_XPU_Q(QUEUE, ALINK_XPU_Q_STATE));
}

/* The queue stops for this access; register and event say the same. */
static void stops(Rig *r, uint16_t status, uint64_t addr, uint64_t rights)
{
    struct alink_event ev;
    unsigned tries = 10000;

    while (state(r) != ALINK_XPU_Q_FAULT) {
        g_assert(tries--);
        g_usleep(1000);
    }
    g_assert_cmphex(aq_rd64(r->aq, ALINK_XPU_Q(QUEUE, ALINK_XPU_Q_FAULT_ADDR)),
                    ==, addr);
    g_assert_cmphex(aq_rd32(r->aq, ALINK_XPU_Q(QUEUE,
                                               ALINK_XPU_Q_FAULT_RIGHTS)),
                    ==, rights);
    g_assert(aq_event_poll(r->aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_QUEUE_FAULT);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, QUEUE);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, status);
    g_assert_cmpuint(le32_to_cpu(ev.info), ==, r->q->tail - 1);
    g_assert_cmphex(le64_to_cpu(ev.addr), ==, addr);
    g_assert(!aq_event_poll(r->aq, &ev));
    g_assert_cmpuint(xq_status(r->q).error, ==, 0);
}

static void push(Rig *r, struct alink_xpu_desc desc)
{
    xq_put(r->q, desc);
    xq_ring(r->q);
}

static void goes_on(Rig *r)
{
    g_assert_cmpuint(resume(r, QUEUE, ALINK_XPU_RESUME_RETRY), ==,
                     ALINK_ST_OK);
}

/* --- going on -------------------------------------------------------------- */

static void test_operand(void)
{
    Rig r = rig_new();
    /* m890: 16 rings */
    XpuQueueQtest *other = xq_queue(r.x, QUEUE + 16, 8);

    mark(&r, HOLE, 2);
    xq_pattern(r.x, r.x->hbm, 4096, 4);
    push(&r, xq_copy(XQ_SYS, HOLE + 8, 64));
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 8, ALINK_PTE_READ);
    /* Those of its ring do not wait. */
    xq_run(other, xq_copy(XQ_SYS + 4096, XQ_HBM, 64));
    g_assert(!xq_fenced(r.q));

    /* Nothing has changed: it stops again. */
    goes_on(&r);
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 8, ALINK_PTE_READ);
    xq_map(r.x, HOLE, HBM_RW, 0, 4096);
    goes_on(&r);
    xq_wait(r.q);
    qtest_memset(r.aq->qts, r.x->sys + 64, 0, 64);
    xq_run(r.q, xq_copy(XQ_SYS + 64, XQ_HBM + 8, 64));
    {
        uint8_t a[64], b[64];

        qtest_memread(r.aq->qts, r.x->sys, a, sizeof(a));
        qtest_memread(r.aq->qts, r.x->sys + 64, b, sizeof(b));
        g_assert_cmpmem(a, sizeof(a), b, sizeof(b));
    }
    g_assert_cmphex(aq_rd64(r.aq, ALINK_XPU_Q(QUEUE, ALINK_XPU_Q_FAULT_ADDR)),
                    ==, 0);
    g_assert_cmphex(aq_rd32(r.aq, ALINK_XPU_Q(QUEUE,
                                              ALINK_XPU_Q_FAULT_RIGHTS)),
                    ==, 0);
    rig_free(&r);
}

/* An entry of any level says so for all that is below it. */
static void test_levels(void)
{
    Rig r = rig_new();
    unsigned level;

    for (level = 1; level <= 3; level++) {
        uint64_t va = HOLE + (1ULL << 40) * level;
        uint64_t at = xq_entry(r.x, va, level);

        qtest_writeq(r.aq->qts, at, ALINK_PTE_RETRY);
        push(&r, xq_desc(ALINK_XPU_OP_FILL, va + 4096, 7, 4));
        stops(&r, ALINK_ST_PAGE_FAULT, va + 4096, ALINK_PTE_WRITE);
        qtest_writeq(r.aq->qts, at, 0);
        xq_map(r.x, va + 4096, HBM_RW, 4096 * level, 4096);
        goes_on(&r);
        xq_wait(r.q);
        g_assert_cmpuint(qtest_readl(r.aq->qts, r.x->hbm + 4096 * level), ==,
                         7);
    }
    rig_free(&r);
}

static void test_rights(void)
{
    const uint64_t hbm = XQ_AP(ALINK_AP_HBM) | ALINK_PTE_RETRY;
    Rig r = rig_new();

    /* Small, and large */
    xq_map(r.x, HOLE, ALINK_PTE_READ | hbm, 0, 4096);
    xq_map_large(r.x, HOLE + (2 << 20), ALINK_PTE_READ | hbm, 2 << 20,
                 2 << 20);
    push(&r, xq_desc(ALINK_XPU_OP_FILL, HOLE + 16, 9, 16));
    stops(&r, ALINK_ST_PERMISSION, HOLE + 16, ALINK_PTE_WRITE);
    xq_map(r.x, HOLE, HBM_RW | ALINK_PTE_RETRY, 0, 4096);
    /* What was there was valid. */
    g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    goes_on(&r);
    xq_wait(r.q);

    push(&r, xq_atomic(8, ALINK_ATOMIC_ADD, HOLE + (2 << 20), 1, 0, 0));
    stops(&r, ALINK_ST_PERMISSION, HOLE + (2 << 20), ALINK_PTE_ATOMIC);
    xq_map_large(r.x, HOLE + (2 << 20), HBM_RW | ALINK_PTE_RETRY, 2 << 20,
                 2 << 20);
    g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    goes_on(&r);
    xq_wait(r.q);
    g_assert_cmpuint(qtest_readq(r.aq->qts, r.x->hbm + (2 << 20)), ==, 1);

    /* A table is no leaf: there the bit is reserved. */
    qtest_writeq(r.aq->qts, xq_entry(r.x, HOLE + (4 << 20), 1),
                 aq_alloc(r.aq, 4096) | ALINK_PTE_VALID | ALINK_PTE_RETRY);
    xq_run_bad(r.q, xq_copy(XQ_SYS, HOLE + (4 << 20), 8), ALINK_ST_PAGE_FAULT,
               HOLE + (4 << 20));
    aq_expect_guest_errors(r.aq, 1);
    rig_free(&r);
}

/* Pieces that came before are not done again. */
static void test_middle_of_a_copy(void)
{
    Rig r = rig_new();

    xq_map(r.x, HOLE, HBM_RW, 0, 64 << 10);
    mark(&r, HOLE + (64 << 10), 16);
    xq_pattern(r.x, r.x->sys, 128 << 10, 1);
    push(&r, xq_copy(HOLE, XQ_SYS, 128 << 10));
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + (64 << 10), ALINK_PTE_WRITE);
    xq_check(r.x, r.x->hbm, 64 << 10, 1);
    /* The source is the user's again, as far as it was read. */
    qtest_memset(r.aq->qts, r.x->sys, 0xee, 64 << 10);
    xq_map(r.x, HOLE + (64 << 10), HBM_RW, 64 << 10, 64 << 10);
    goes_on(&r);
    xq_wait(r.q);
    xq_check(r.x, r.x->hbm, 128 << 10, 1);
    rig_free(&r);
}

/* Only the fence is missing: what it tells of is done once. */
static void test_fence(void)
{
    struct alink_xpu_desc d = xq_atomic(8, ALINK_ATOMIC_ADD, XQ_HBM, 5, 0, 0);
    Rig r = rig_new();

    mark(&r, HOLE, 1);
    qtest_writeq(r.aq->qts, r.x->hbm, 1);
    qtest_writeq(r.aq->qts, r.x->hbm + 4096 + 32, 0);
    d.flags = ALINK_XPU_DF_FENCE;
    d.fence_addr = cpu_to_le64(HOLE + 32);
    d.fence_value = cpu_to_le64(77);
    push(&r, d);
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 32, ALINK_PTE_WRITE);
    g_assert_cmpuint(qtest_readq(r.aq->qts, r.x->hbm), ==, 6);
    goes_on(&r);
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 32, ALINK_PTE_WRITE);
    xq_map(r.x, HOLE, HBM_RW, 4096, 4096);
    goes_on(&r);
    xq_run(r.q, (struct alink_xpu_desc) { .opcode = ALINK_XPU_OP_NOP });
    g_assert_cmpuint(qtest_readq(r.aq->qts, r.x->hbm), ==, 6);
    g_assert_cmpuint(qtest_readq(r.aq->qts, r.x->hbm + 4096 + 32), ==, 77);
    rig_free(&r);
}

/* Both operands of atomics are there before either is touched. */
static void test_atomic(void)
{
    Rig r = rig_new();

    mark(&r, HOLE, 2);
    qtest_writeq(r.aq->qts, r.x->hbm + 8, 10);
    push(&r, xq_atomic(8, ALINK_ATOMIC_ADD, HOLE + 8, 5, 0, HOLE + 4096));
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 4096, ALINK_PTE_WRITE);
    xq_map(r.x, HOLE + 4096, HBM_RW, 4096, 4096);
    goes_on(&r);
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 8, ALINK_PTE_ATOMIC);
    xq_map(r.x, HOLE, HBM_RW, 0, 4096);
    goes_on(&r);
    xq_wait(r.q);
    g_assert_cmpuint(qtest_readq(r.aq->qts, r.x->hbm + 8), ==, 15);
    g_assert_cmpuint(qtest_readq(r.aq->qts, r.x->hbm + 4096), ==, 10);
    rig_free(&r);
}

/* A WAIT waits for memory when it is there, and until it holds. */
static void test_wait(void)
{
    Rig r = rig_new();

    mark(&r, HOLE, 1);
    qtest_writeq(r.aq->qts, r.x->hbm, 0);
    push(&r, xq_wait_for(ALINK_WAIT_EQ, HOLE, 3));
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE, ALINK_PTE_READ);
    xq_map(r.x, HOLE, HBM_RW, 0, 4096);
    goes_on(&r);
    aq_clock_us(r.aq, 5000);
    g_assert_cmpuint(state(&r), ==, ALINK_XPU_Q_WAITING);

    /* Its memory goes while it waits. */
    mark(&r, HOLE, 1);
    g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    aq_clock_us(r.aq, 5000);
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE, ALINK_PTE_READ);
    xq_map(r.x, HOLE, HBM_RW, 0, 4096);
    goes_on(&r);
    aq_clock_us(r.aq, 5000);
    g_assert_cmpuint(state(&r), ==, ALINK_XPU_Q_WAITING);
    qtest_writeq(r.aq->qts, r.x->hbm, 3);
    aq_clock_us(r.aq, 5000);
    xq_wait(r.q);
    rig_free(&r);
}

#define ROWS    2048

/* Sums that begin with dst: pieces that are done must not be done again. */
static void test_compute(void)
{
    uint64_t a = XQ_SYS + 0x10000, b = XQ_SYS + 0x20000;
    struct alink_xpu_matrix m = { .dtype = ALINK_DT_FP32 };
    struct alink_xpu_compute c = {
        .flags = cpu_to_le32(ALINK_XPU_CF_ACCUMULATE),
        .m = cpu_to_le32(ROWS), .n = cpu_to_le32(1), .k = cpu_to_le32(1),
    };
    struct alink_xpu_desc d = xq_desc(ALINK_XPU_OP_COMPUTE, 0, HOLE + 8192,
                                      sizeof(c));
    g_autofree float *v = g_new(float, ROWS);
    Rig r = rig_new();
    unsigned i;

    c.a = c.b = c.dst = m;
    c.a.addr = cpu_to_le64(a);
    c.b.addr = cpu_to_le64(b);
    c.dst.addr = cpu_to_le64(HOLE);
    c.a.stride = c.b.stride = c.dst.stride = cpu_to_le64(sizeof(*v));
    d.subop = ALINK_XPU_FN_GEMM;
    for (i = 0; i < ROWS; i++) {
        v[i] = 2;
    }
    qtest_bufwrite(r.aq->qts, r.x->sys + 0x10000, v, ROWS * sizeof(*v));
    v[0] = 3;
    qtest_bufwrite(r.aq->qts, r.x->sys + 0x20000, v, sizeof(*v));
    for (i = 0; i < ROWS; i++) {
        v[i] = 1;
    }
    qtest_bufwrite(r.aq->qts, r.x->hbm, v, ROWS * sizeof(*v));
    qtest_memwrite(r.aq->qts, r.x->hbm + 8192, &c, sizeof(c));

    /* First its block, then the second half of dst */
    xq_map(r.x, HOLE, HBM_RW, 0, 4096);
    mark(&r, HOLE + 4096, 2);
    push(&r, d);
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 8192, ALINK_PTE_READ);
    xq_map(r.x, HOLE + 8192, HBM_RW, 8192, 4096);
    goes_on(&r);
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 4096, ALINK_PTE_READ);
    xq_map(r.x, HOLE + 4096, HBM_RW, 4096, 4096);
    goes_on(&r);
    xq_wait(r.q);
    qtest_bufread(r.aq->qts, r.x->hbm, v, ROWS * sizeof(*v));
    for (i = 0; i < ROWS; i++) {
        g_assert_cmpfloat(v[i], ==, 7);
    }
    rig_free(&r);
}

/* The ring itself */
static void test_ring(void)
{
    struct alink_xpu_queue req = {
        .id = cpu_to_le32(QUEUE), .ctx = cpu_to_le32(1),
        .ring = cpu_to_le64(HOLE), .status = cpu_to_le64(XQ_RING + 0xf0000),
        .size = cpu_to_le32(8), .vector = cpu_to_le16(1),
        .priority = cpu_to_le16(1),
    };
    struct alink_xpu_desc d = xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 5, 4);
    Rig r = rig_new();

    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    mark(&r, HOLE, 1);
    qtest_memwrite(r.aq->qts, r.x->sys, &d, sizeof(d));
    r.q->tail = 1;
    r.q->status = r.x->rings + 0xf0000;
    g_assert_cmpuint(aq_admin_tlv(r.aq, ALINK_XPU_ADMIN_QUEUE_CREATE,
                                  ALINK_TLV_XPU_QUEUE, &req, sizeof(req)), ==,
                     ALINK_ST_OK);
    xq_ring(r.q);
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE, ALINK_PTE_READ);
    xq_map(r.x, HOLE, ALINK_PTE_READ | XQ_AP(ALINK_AP_SYSTEM), r.x->sys, 4096);
    goes_on(&r);
    aq_settle(r.aq);
    g_assert_cmpuint(qtest_readl(r.aq->qts, r.x->hbm), ==, 5);
    rig_free(&r);
}

/* --- ends ------------------------------------------------------------------ */

/* Halts by @action, which gives @status. */
static void halts(uint32_t action, uint32_t status)
{
    struct alink_xpu_queue_status s;
    struct alink_event ev;
    Rig r = rig_new();

    mark(&r, HOLE, 1);
    push(&r, xq_copy(XQ_SYS, HOLE + 8, 64));
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE + 8, ALINK_PTE_READ);
    aq_irqs(r.aq);
    g_assert_cmpuint(resume(&r, QUEUE, action), ==, ALINK_ST_OK);
    g_assert_cmpuint(state(&r), ==, ALINK_XPU_Q_HALTED);
    s = xq_status(r.q);
    g_assert_cmpuint(le32_to_cpu(s.error), ==, status);
    g_assert_cmpuint(le32_to_cpu(s.error_index), ==, 0);
    g_assert_cmphex(le64_to_cpu(s.error_addr), ==, HOLE + 8);
    g_assert_cmphex(aq_irqs(r.aq) & ~1U, ==, 1U << (1 + QUEUE));
    g_assert(aq_event_poll(r.aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_QUEUE_ERROR);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, status);
    g_assert_cmphex(le64_to_cpu(ev.addr), ==, HOLE + 8);
    /* That was the end. */
    g_assert_cmpuint(resume(&r, QUEUE, ALINK_XPU_RESUME_RETRY), ==,
                     ALINK_ST_NOT_FOUND);
    rig_free(&r);
}

static void test_fail(void)
{
    halts(ALINK_XPU_RESUME_FAIL, ALINK_ST_PAGE_FAULT);
}

static void test_no_room(void)
{
    halts(ALINK_XPU_RESUME_NO_ROOM, ALINK_ST_NO_ROOM);
}

static void test_destroy_and_reset(void)
{
    Rig r = rig_new();

    mark(&r, HOLE, 1);
    push(&r, xq_copy(XQ_SYS, HOLE, 64));
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE, ALINK_PTE_READ);
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    g_assert_cmpuint(le32_to_cpu(xq_status(r.q).error), ==, ALINK_ST_ABORTED);
    g_assert_cmpuint(resume(&r, QUEUE, ALINK_XPU_RESUME_RETRY), ==,
                     ALINK_ST_NOT_FOUND);

    r.q = xq_queue(r.x, QUEUE, 8);
    push(&r, xq_copy(XQ_SYS, HOLE, 64));
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE, ALINK_PTE_READ);
    aq_flr(r.aq);
    xq_setup(r.x);
    g_assert_cmpuint(state(&r), ==, ALINK_XPU_Q_NONE);
    r.q = xq_queue(r.x, QUEUE, 8);
    xq_run(r.q, xq_copy(XQ_SYS, XQ_HBM, 64));
    rig_free(&r);
}

/* Bus mastering goes and comes: it stays where it is. */
static void test_bus_master(void)
{
    Rig r = rig_new();

    mark(&r, HOLE, 1);
    push(&r, xq_copy(XQ_SYS, HOLE, 64));
    stops(&r, ALINK_ST_PAGE_FAULT, HOLE, ALINK_PTE_READ);
    aq_command(r.aq, PCI_COMMAND_MASTER, 0);
    g_assert_cmpuint(state(&r), ==, ALINK_XPU_Q_FAULT);
    aq_command(r.aq, 0, PCI_COMMAND_MASTER);
    g_assert_cmpuint(state(&r), ==, ALINK_XPU_Q_FAULT);
    xq_map(r.x, HOLE, HBM_RW, 0, 4096);
    goes_on(&r);
    xq_wait(r.q);
    rig_free(&r);
}

static void test_arguments(void)
{
    Rig r = rig_new();

    g_assert(aq_rd64(r.aq, ALINK_REG_CAPS) & ALINK_CAP_RETRY);
    g_assert_cmpuint(resume(&r, QUEUE, ALINK_XPU_RESUME_RETRY), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(resume(&r, 2, ALINK_XPU_RESUME_FAIL), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(resume(&r, ALINK_XPU_MAX_QUEUES, 0), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(resume(&r, ~0U, 0), ==, ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(resume(&r, QUEUE, ALINK_XPU_RESUME_NO_ROOM + 1), ==,
                     ALINK_ST_BAD_FIELD);
    aq_expect_guest_errors(r.aq, 1);
    g_assert_cmpuint(aq_admin_tlv(r.aq, ALINK_XPU_ADMIN_QUEUE_RESUME, 0, NULL,
                                  0), ==, ALINK_ST_TLV);
    aq_expect_guest_errors(r.aq, 1);
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-retry/operand", test_operand);
    qtest_add_func("/alink/xpu-retry/levels", test_levels);
    qtest_add_func("/alink/xpu-retry/rights", test_rights);
    qtest_add_func("/alink/xpu-retry/middle-of-a-copy", test_middle_of_a_copy);
    qtest_add_func("/alink/xpu-retry/fence", test_fence);
    qtest_add_func("/alink/xpu-retry/atomic", test_atomic);
    qtest_add_func("/alink/xpu-retry/wait", test_wait);
    qtest_add_func("/alink/xpu-retry/compute", test_compute);
    qtest_add_func("/alink/xpu-retry/ring", test_ring);
    qtest_add_func("/alink/xpu-retry/fail", test_fail);
    qtest_add_func("/alink/xpu-retry/no-room", test_no_room);
    qtest_add_func("/alink/xpu-retry/destroy-and-reset",
                   test_destroy_and_reset);
    qtest_add_func("/alink/xpu-retry/bus-master", test_bus_master);
    qtest_add_func("/alink/xpu-retry/arguments", test_arguments);
    return g_test_run();
}
