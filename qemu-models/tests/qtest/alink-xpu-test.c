/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: variants, each opcode on local memory, rings, order, interrupts,
 * knobs, modelled time. alink-xpu-error-test.c has what is refused,
 * alink-xpu-fabric-test.c two xPUs.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/pci/pci_regs.h"
#include "qobject/qdict.h"
#include "xpu-qtest.h"

#define START   AQ_FABRIC XQ_DEVICE

static const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };

/* --- what each variant is ------------------------------------------------ */

static void check_variant(const char *name, uint32_t id, uint64_t hbm,
                          uint32_t dies, uint32_t rings, uint32_t links)
{
    g_autofree char *args = g_strdup_printf(
        AQ_FABRIC "-device alink-xpu,id=dut,fabric=fab0,endpoint=5,addr=4.0,"
        "variant=%s,hbm-bar-size=16M", name);
    AlinkQtest *aq = aq_start(args);
    uint32_t i;

    g_assert_cmphex(aq_rd32(aq, ALINK_REG_VARIANT), ==, id);
    g_assert_cmphex(qpci_config_readw(aq->dev, PCI_SUBSYSTEM_ID), ==, id);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FABRIC_ID), ==, 5);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_CAPS), ==,
                    ALINK_CAP_ADMIN | ALINK_CAP_LINKS | ALINK_CAP_FRAMES |
                    ALINK_CAP_ROUTES | ALINK_CAP_RETIRE | ALINK_CAP_RETRY |
                    ALINK_CAP_FLASH | ALINK_CAP_PROGRESS |
                    ALINK_CAP_QUEUE_INFO | ALINK_CAP_ECC | ALINK_CAP_PUSH |
                    ALINK_CAP_CREDITS | ALINK_CAP_WAIT_MS |
                    ALINK_CAP_SEGMENTS | ALINK_CAP_SPARES | ALINK_CAP_BER |
                    ALINK_CAP_HUGE_LEAF | ALINK_CAP_REDUCE_KEEP);
    g_assert_cmphex(aq_rd64(aq, ALINK_XPU_REG_HBM_SIZE), ==, hbm << 30);
    g_assert_cmphex(aq_rd64(aq, ALINK_XPU_REG_HBM_BAR), ==, 16 << 20);
    g_assert_cmpuint(aq_rd32(aq, ALINK_XPU_REG_NUM_DIES), ==, dies);
    g_assert_cmpuint(aq_rd32(aq, ALINK_XPU_REG_NUM_RINGS), ==, rings);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_NUM_LINKS), ==, links);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_NUM_VECTORS), ==,
                     ALINK_XPU_NUM_VECTORS);
    g_assert_cmpuint(aq_rd32(aq, ALINK_XPU_REG_VA_BITS), ==, 48);
    g_assert_cmphex(aq_rd32(aq, ALINK_XPU_REG_DTYPES), ==, 0x3f);
    for (i = 0; i < links; i++) {
        uint32_t w = ALINK_LINK_WINDOW(i);

        g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_MAX_SPEED), ==, 400000);
        g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_STATE), ==,
                         ALINK_LINK_DOWN);
    }
    aq_stop(aq);
}

static void test_variants(void)
{
    check_variant("m890", ALINK_XPU_M890, 144, 2, 16, 8);
    check_variant("810e", ALINK_XPU_810E, 96, 1, 8, 7);
}

/* --- copies -------------------------------------------------------------- */

static void test_copy(void)
{
    static const uint64_t lens[] = { 0, 1, 63, 4096, 4097, 65535, 65536,
                                     300001, (2 << 20) - 4096 };
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 16);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        uint64_t len = lens[i];

        /* system to HBM to HBM to system, none of it aligned */
        xq_pattern(x, x->sys + 5, len, i);
        qtest_memset(aq->qts, x->hbm, 0xee, 8 << 20);
        qtest_memset(aq->qts, x->sys + (2 << 20), 0xee, 2 << 20);
        xq_run(q, xq_copy(XQ_HBM + 4091, XQ_SYS + 5, len));
        xq_check_byte(x, x->hbm, 4091, 0xee);
        xq_check(x, x->hbm + 4091, len, i);
        xq_check_byte(x, x->hbm + 4091 + len, 4096, 0xee);
        xq_run(q, xq_copy(XQ_HBM + (4 << 20) + 3, XQ_HBM + 4091, len));
        xq_check(x, x->hbm + (4 << 20) + 3, len, i);
        xq_run(q, xq_copy(XQ_SYS + (2 << 20) + 9, XQ_HBM + (4 << 20) + 3, len));
        xq_check_byte(x, x->sys + (2 << 20), 9, 0xee);
        xq_check(x, x->sys + (2 << 20) + 9, len, i);
    }
    xq_free(x);
    aq_stop(aq);
}

/* --- page tables ---------------------------------------------------------- */

/* A leaf of 1 GiB, of which each 2 MiB are found by themselves */
static void test_huge_leaf(void)
{
    const uint64_t huge = 1ULL << 30;
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 16);
    uint64_t base = x->sys & ~(huge - 1), va = XQ_HOLE + x->sys - base;

    qtest_writeq(aq->qts, xq_entry(x, XQ_HOLE, 2), base | ALINK_PTE_VALID |
                 ALINK_PTE_LEAF | XQ_RW | XQ_AP(ALINK_AP_SYSTEM));
    xq_pattern(x, x->sys, XQ_SYS_SIZE, 7);
    xq_run(q, xq_copy(XQ_HBM, va, XQ_SYS_SIZE));
    xq_check(x, x->hbm, XQ_SYS_SIZE, 7);
    qtest_memset(aq->qts, x->sys, 0xee, XQ_SYS_SIZE);
    xq_run(q, xq_copy(va + 4096, XQ_HBM, XQ_SYS_SIZE - 8192));
    xq_check_byte(x, x->sys, 4096, 0xee);
    xq_check(x, x->sys + 4096, XQ_SYS_SIZE - 8192, 7);
    xq_check_byte(x, x->sys + XQ_SYS_SIZE - 4096, 4096, 0xee);
    xq_run_bad(q, xq_copy(XQ_SYS, XQ_HOLE + huge, 8), ALINK_ST_PAGE_FAULT,
               XQ_HOLE + huge);
    xq_free(x);
    aq_stop(aq);
}

static void test_nop(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 3, 2);
    struct alink_xpu_queue_status s;
    unsigned i;

    for (i = 0; i < 9; i++) {
        xq_run(q, nop);
    }
    s = xq_status(q);
    g_assert_cmpuint(le32_to_cpu(s.head), ==, 9);
    g_assert_cmpuint(le64_to_cpu(s.model_ns), ==, 900);
    g_assert_cmpuint(le64_to_cpu(s.model_last_ns), ==, 100);
    g_assert_cmpuint(aq_rd64(aq, ALINK_XPU_REG_COMMANDS), ==, 9);
    g_assert_cmpuint(aq_rd64(aq, ALINK_XPU_REG_DOORBELLS), ==, 9);
    g_assert_cmpuint(aq_rd64(aq, ALINK_XPU_REG_IRQS), ==, 0);
    xq_free(x);
    aq_stop(aq);
}

/* --- fill ---------------------------------------------------------------- */

static void check_words(XpuQtest *x, uint64_t phys, uint64_t len,
                        uint32_t want)
{
    g_autofree uint32_t *have = g_malloc(len);
    uint64_t i;

    qtest_bufread(x->aq->qts, phys, have, len);
    for (i = 0; i < len / 4; i++) {
        g_assert_cmphex(le32_to_cpu(have[i]), ==, want);
    }
}

static void test_fill(void)
{
    static const uint64_t lens[] = { 4, 60, 4096, 65540, 300000 };
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        uint64_t len = lens[i];

        qtest_memset(aq->qts, x->hbm, 0xee, 1 << 20);
        qtest_memset(aq->qts, x->sys, 0xee, 1 << 20);
        /* Only the low 32 bits of the operand count. */
        xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM + 4092,
                          0xaaaaaaaa11223344ULL, len));
        xq_check_byte(x, x->hbm, 4092, 0xee);
        check_words(x, x->hbm + 4092, len, 0x11223344);
        xq_check_byte(x, x->hbm + 4092 + len, 4096, 0xee);
        xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_SYS + 4, 0x5a5a5a5a, len));
        xq_check_byte(x, x->sys, 4, 0xee);
        check_words(x, x->sys + 4, len, 0x5a5a5a5a);
        xq_check_byte(x, x->sys + 4 + len, 4096, 0xee);
    }
    xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0x77777777, 0));
    xq_check_byte(x, x->hbm, 4092, 0xee);
    xq_free(x);
    aq_stop(aq);
}

/* --- atomics ------------------------------------------------------------- */

static void check_atomic(XpuQueueQtest *q, uint64_t va, uint64_t phys,
                         uint64_t old_va, uint64_t old_phys, unsigned width,
                         const XqAtomicCase *c)
{
    QTestState *qts = q->x->aq->qts;
    uint64_t high = c->mem & ~0xffffffffULL;

    qtest_writeq(qts, phys, c->mem);
    qtest_writeq(qts, old_phys, 0xeeeeeeeeeeeeeeeeULL);
    xq_run(q, xq_atomic(width, c->op, va, c->val, c->cmp, old_va));
    if (width == 4) {
        g_assert_cmphex(qtest_readq(qts, phys), ==, high | c->want32);
        g_assert_cmphex(qtest_readq(qts, old_phys), ==,
                        0xeeeeeeee00000000ULL | (uint32_t)c->mem);
    } else {
        g_assert_cmphex(qtest_readq(qts, phys), ==, c->want64);
        g_assert_cmphex(qtest_readq(qts, old_phys), ==, c->mem);
    }
}

static void test_atomics(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);
    unsigned i, width;

    for (i = 0; i < xq_num_atomics; i++) {
        for (width = 4; width <= 8; width += 4) {
            check_atomic(q, XQ_HBM + 64, x->hbm + 64, XQ_SYS + 128,
                         x->sys + 128, width, &xq_atomics[i]);
            check_atomic(q, XQ_SYS + 64, x->sys + 64, XQ_HBM + 128,
                         x->hbm + 128, width, &xq_atomics[i]);
        }
    }
    /* No address, no old value. */
    qtest_writeq(aq->qts, x->hbm + 64, 1);
    xq_run(q, xq_atomic(8, ALINK_ATOMIC_ADD, XQ_HBM + 64, 41, 0, 0));
    g_assert_cmphex(qtest_readq(aq->qts, x->hbm + 64), ==, 42);
    xq_free(x);
    aq_stop(aq);
}

/* --- waiting on memory --------------------------------------------------- */

static void test_wait(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 1, 8);
    XpuQueueQtest *same_ring = xq_queue(x, 17, 8);
    struct alink_xpu_desc fence = nop;

    /* True already, in both senses; GE is signed and wraps. */
    qtest_writeq(aq->qts, x->sys, 5);
    xq_run(q, xq_wait_for(ALINK_WAIT_EQ, XQ_SYS, 5));
    xq_run(q, xq_wait_for(ALINK_WAIT_GE, XQ_SYS, 4));
    xq_run(q, xq_wait_for(ALINK_WAIT_GE, XQ_SYS, -3ULL));

    /* A CPU writes the word; others of the ring go on meanwhile. */
    xq_put(q, xq_wait_for(ALINK_WAIT_GE, XQ_SYS, 6));
    xq_ring(q);
    xq_run(same_ring, nop);
    aq_clock_us(aq, 5000);
    g_assert(!xq_fenced(q));
    qtest_writeq(aq->qts, x->sys, 7);
    aq_clock_us(aq, 5000);
    xq_wait(q);

    /* EQ is not GE. */
    xq_put(q, xq_wait_for(ALINK_WAIT_EQ, XQ_HBM, 6));
    xq_ring(q);
    qtest_writeq(aq->qts, x->hbm, 7);
    aq_clock_us(aq, 5000);
    g_assert(!xq_fenced(q));
    qtest_writeq(aq->qts, x->hbm, 6);
    aq_clock_us(aq, 5000);
    xq_wait(q);

    /* The fence of another queue ends it with no time passing. */
    xq_put(q, xq_wait_for(ALINK_WAIT_EQ, XQ_HBM + 8, 99));
    xq_ring(q);
    g_assert(!xq_fenced(q));
    fence.flags = ALINK_XPU_DF_FENCE;
    fence.fence_addr = cpu_to_le64(XQ_HBM + 8);
    fence.fence_value = cpu_to_le64(99);
    xq_put(same_ring, fence);
    xq_ring(same_ring);
    xq_wait(q);
    g_assert_cmpuint(le64_to_cpu(xq_status(q).model_last_ns), ==, 100);

    /* Destroying the queue aborts it, and tells. */
    xq_put(q, xq_wait_for(ALINK_WAIT_EQ, XQ_HBM + 8, 1));
    xq_ring(q);
    g_assert(!xq_fenced(q));
    aq_irqs(aq);
    g_assert_cmpuint(xq_queue_destroy(q), ==, ALINK_ST_OK);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).error), ==, ALINK_ST_ABORTED);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).error_index), ==, q->tail - 1);
    g_assert_cmphex(aq_irqs(aq) & ~1U, ==, 1U << 2);
    qtest_writeq(aq->qts, x->hbm + 8, 1);
    aq_clock_us(aq, 5000);
    g_assert(!xq_fenced(q));
    xq_run(same_ring, nop);
    xq_free(x);
    aq_stop(aq);
}

/* --- element by element -------------------------------------------------- */

typedef struct ReduceCase {
    uint8_t dtype, op, size;
    uint32_t a, b, want;
} ReduceCase;

#define SUM ALINK_OP_SUM
#define MIN_ ALINK_OP_MIN
#define MAX_ ALINK_OP_MAX

/* Encodings worked out by hand from "Arithmetic" of fabric.rst. */
static const ReduceCase reduces[] = {
    { ALINK_DT_INT32, SUM, 4, 0x7fffffff, 1, 0x80000000 },
    { ALINK_DT_INT32, MIN_, 4, 0xffffffff, 1, 0xffffffff },
    { ALINK_DT_INT32, MAX_, 4, 0xffffffff, 1, 1 },
    /* 1 + 2^-24 is a tie: to even. Overflow is an infinity. */
    { ALINK_DT_FP32, SUM, 4, 0x3f800000, 0x33800000, 0x3f800000 },
    { ALINK_DT_FP32, SUM, 4, 0x3f800001, 0x33800000, 0x3f800002 },
    { ALINK_DT_FP32, SUM, 4, 0x7f7fffff, 0x7f7fffff, 0x7f800000 },
    { ALINK_DT_FP32, SUM, 4, 0x00000001, 0x00000001, 0x00000002 },
    { ALINK_DT_FP32, SUM, 4, 0x7f800000, 0xff800000, 0x7fc00000 },
    { ALINK_DT_FP32, SUM, 4, 0x80000000, 0x80000000, 0x80000000 },
    { ALINK_DT_FP32, SUM, 4, 0x80000000, 0x00000000, 0x00000000 },
    { ALINK_DT_FP32, MIN_, 4, 0x00000000, 0x80000000, 0x80000000 },
    { ALINK_DT_FP32, MAX_, 4, 0x80000000, 0x00000000, 0x00000000 },
    { ALINK_DT_FP32, MIN_, 4, 0xffc12345, 0x3f800000, 0x7fc00000 },
    { ALINK_DT_FP32, MAX_, 4, 0xc0000000, 0xbf800000, 0xbf800000 },
    /* 1 + 2^-8 is a tie in BF16 */
    { ALINK_DT_BF16, SUM, 2, 0x3f80, 0x3b80, 0x3f80 },
    { ALINK_DT_BF16, SUM, 2, 0x3f81, 0x3b80, 0x3f82 },
    { ALINK_DT_BF16, SUM, 2, 0x7f7f, 0x7f7f, 0x7f80 },
    { ALINK_DT_BF16, MIN_, 2, 0xffc1, 0x3f80, 0x7fc0 },
    { ALINK_DT_BF16, MAX_, 2, 0xc000, 0xbf80, 0xbf80 },
    { ALINK_DT_FP16, SUM, 2, 0x3c00, 0x4000, 0x4200 },
    { ALINK_DT_FP16, SUM, 2, 0x7bff, 0x7bff, 0x7c00 },
    { ALINK_DT_FP16, SUM, 2, 0x0001, 0x0001, 0x0002 },
    { ALINK_DT_FP16, MIN_, 2, 0x3c00, 0xbc00, 0xbc00 },
    { ALINK_DT_FP16, MAX_, 2, 0xfe01, 0x3c00, 0x7e00 },
    /* 448 + 16 = 464 ties to 448; 448 + 32 does not fit */
    { ALINK_DT_FP8_E4M3, SUM, 1, 0x38, 0x38, 0x40 },
    { ALINK_DT_FP8_E4M3, SUM, 1, 0x7e, 0x58, 0x7e },
    { ALINK_DT_FP8_E4M3, SUM, 1, 0x7e, 0x60, 0x7f },
    { ALINK_DT_FP8_E4M3, MIN_, 1, 0x38, 0xb8, 0xb8 },
    { ALINK_DT_FP8_E4M3, MAX_, 1, 0xff, 0x38, 0x7f },
    { ALINK_DT_FP8_E5M2, SUM, 1, 0x3c, 0x3c, 0x40 },
    { ALINK_DT_FP8_E5M2, SUM, 1, 0x7b, 0x7b, 0x7c },
    { ALINK_DT_FP8_E5M2, MIN_, 1, 0x3c, 0xbc, 0xbc },
    { ALINK_DT_FP8_E5M2, MAX_, 1, 0xfd, 0x3c, 0x7e },
};

static void test_reduce(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);
    g_autofree uint32_t *a = g_malloc(80000), *b = g_malloc(80000);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(reduces); i++) {
        const ReduceCase *c = &reduces[i];
        uint32_t have;

        qtest_writel(aq->qts, x->hbm + 16, c->a);
        qtest_writel(aq->qts, x->sys + 32, c->b);
        qtest_writel(aq->qts, x->hbm + 48, 0xeeeeeeee);
        xq_run(q, xq_reduce(c->dtype, c->op, XQ_HBM + 48, XQ_HBM + 16,
                            XQ_SYS + 32, c->size));
        have = qtest_readl(aq->qts, x->hbm + 48);
        if (have != (c->want | (uint32_t)(0xeeeeeeeeULL << 8 * c->size))) {
            g_test_message("case %u: 0x%08x, not 0x%x", i, have, c->want);
            g_assert_not_reached();
        }
    }
    /* Many, with page borders of three operands at different places. */
    for (i = 0; i < 20000; i++) {
        a[i] = cpu_to_le32(i * 2654435761U);
        b[i] = cpu_to_le32(i * 40503U + 7);
    }
    qtest_bufwrite(aq->qts, x->sys + 4, a, 80000);
    qtest_bufwrite(aq->qts, x->sys + (1 << 20) + 2000, b, 80000);
    qtest_memset(aq->qts, x->hbm, 0xee, 1 << 20);
    xq_run(q, xq_reduce(ALINK_DT_INT32, SUM, XQ_HBM + 100, XQ_SYS + 4,
                        XQ_SYS + (1 << 20) + 2000, 80000));
    for (i = 0; i < 20000; i++) {
        b[i] = cpu_to_le32(le32_to_cpu(a[i]) + le32_to_cpu(b[i]));
    }
    qtest_bufread(aq->qts, x->hbm + 100, a, 80000);
    g_assert_cmpmem(a, 80000, b, 80000);
    xq_check_byte(x, x->hbm, 100, 0xee);
    xq_check_byte(x, x->hbm + 80100, 4096, 0xee);
    xq_free(x);
    aq_stop(aq);
}

/* --- rings, order, interrupts -------------------------------------------- */

/* The ring is used full, past its end, and with 2 ^ n - 1 more in it. */
static void test_ring(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 2, 4);
    unsigned i, n;

    qtest_writeq(aq->qts, x->hbm, 0);
    for (i = 0; i < 7; i++) {
        for (n = 0; n < 1 + i % 4; n++) {
            xq_put(q, xq_atomic(8, ALINK_ATOMIC_ADD, XQ_HBM, 1, 0,
                                XQ_HBM + 8 + 8 * (q->tail % 64)));
        }
        xq_ring(q);
        xq_wait(q);
        g_assert_cmpuint(qtest_readq(aq->qts, x->hbm), ==, q->tail);
        g_assert_cmpuint(le32_to_cpu(xq_status(q).head), ==, q->tail);
    }
    for (i = 0; i < q->tail; i++) {
        g_assert_cmpuint(qtest_readq(aq->qts, x->hbm + 8 + 8 * i), ==, i);
    }
    xq_free(x);
    aq_stop(aq);
}

/* A tail that is further ahead than the ring is long. */
static void test_tail_beyond(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 2, 4);

    aq_wr32(aq, ALINK_XPU_DB(2), 5);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).error), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).head), ==, 0);
    g_assert_cmpuint(xq_queue_destroy(q), ==, ALINK_ST_OK);
    q = xq_queue(x, 2, 4);
    aq_wr32(aq, ALINK_XPU_DB(2), -1);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).error), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(xq_queue_destroy(q), ==, ALINK_ST_OK);
    xq_free(x);
    aq_stop(aq);
}

static void test_msix(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    struct alink_xpu_desc irq = nop;
    XpuQueueQtest *q;
    uint64_t entry;
    unsigned i;

    irq.flags = ALINK_XPU_DF_IRQ;
    for (i = 0; i < 6; i++) {
        q = xq_queue(x, i, 8);
        aq_irqs(aq);
        xq_run(q, nop);
        g_assert_cmphex(aq_irqs(aq), ==, 0);
        xq_run(q, irq);
        g_assert_cmphex(aq_irqs(aq), ==, 1U << (1 + i % 4));
        g_assert_cmpuint(aq_rd64(aq, ALINK_XPU_REG_IRQS), ==, i + 1);
    }
    /* Masked: it is kept until the mask is taken away. */
    entry = aq->dev->msix_table_off + 2 * PCI_MSIX_ENTRY_SIZE +
            PCI_MSIX_ENTRY_VECTOR_CTRL;
    qpci_io_writel(aq->dev, aq->dev->msix_table_bar, entry, 1);
    q = &x->q[1];
    xq_run(q, irq);
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    qpci_io_writel(aq->dev, aq->dev->msix_table_bar, entry, 0);
    g_assert_cmphex(aq_irqs(aq), ==, 1U << 2);

    /* Lost ones are lost, and are not counted. */
    aq_set_int(aq, "x-lose-queue-irqs", 1);
    xq_run(q, irq);
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    g_assert_cmpuint(aq_rd64(aq, ALINK_XPU_REG_IRQS), ==, 7);
    xq_run(q, irq);
    g_assert_cmphex(aq_irqs(aq), ==, 1U << 2);
    xq_free(x);
    aq_stop(aq);
}

/* With all of them waiting, the one of the highest priority goes first. */
static void test_priority(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    uint64_t ring = XQ_RING + 8 * 0x10000, sq;
    unsigned i;

    qtest_writeq(aq->qts, x->hbm, 0);
    for (i = 0; i < 3; i++) {
        struct alink_xpu_queue req = {
            .id = cpu_to_le32(i), .ctx = cpu_to_le32(1),
            .ring = cpu_to_le64(ring + i * 4096),
            .status = cpu_to_le64(ring + i * 4096 + 2048),
            .size = cpu_to_le32(4), .vector = cpu_to_le16(1),
            .priority = cpu_to_le16(i),
        };
        struct alink_xpu_desc desc = xq_atomic(8, ALINK_ATOMIC_ADD, XQ_HBM, 1,
                                               0, XQ_HBM + 8 + 8 * i);

        g_assert_cmpuint(aq_admin_tlv(aq, ALINK_XPU_ADMIN_QUEUE_CREATE,
                                      ALINK_TLV_XPU_QUEUE, &req, sizeof(req)),
                         ==, ALINK_ST_OK);
        sq = x->rings + 8 * 0x10000 + i * 4096;
        qtest_memwrite(aq->qts, sq, &desc, sizeof(desc));
    }
    aq_command(aq, PCI_COMMAND_MASTER, 0);
    for (i = 0; i < 3; i++) {
        aq_wr32(aq, ALINK_XPU_DB(i), 1);
    }
    aq_settle(aq);
    g_assert_cmpuint(qtest_readq(aq->qts, x->hbm), ==, 0);
    aq_command(aq, 0, PCI_COMMAND_MASTER);
    aq_settle(aq);
    g_assert_cmpuint(qtest_readq(aq->qts, x->hbm), ==, 3);
    for (i = 0; i < 3; i++) {
        g_assert_cmpuint(qtest_readq(aq->qts, x->hbm + 8 + 8 * i), ==, 2 - i);
    }
    xq_free(x);
    aq_stop(aq);
}

/* Ring, status block and fence in HBM. */
static void test_queue_in_hbm(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    struct alink_xpu_queue req = {
        .id = cpu_to_le32(63), .ctx = cpu_to_le32(1),
        .ring = cpu_to_le64(XQ_HBM + 4096),
        .status = cpu_to_le64(XQ_HBM + 64), .size = cpu_to_le32(2),
        .vector = cpu_to_le16(4),
    };
    struct alink_xpu_desc desc = nop;
    unsigned i;

    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_XPU_ADMIN_QUEUE_CREATE,
                                  ALINK_TLV_XPU_QUEUE, &req, sizeof(req)),
                     ==, ALINK_ST_OK);
    aq_irqs(aq);
    desc.flags = ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ;
    desc.fence_addr = cpu_to_le64(XQ_HBM + 128);
    for (i = 1; i < 6; i++) {
        desc.fence_value = cpu_to_le64(i);
        qtest_memwrite(aq->qts, x->hbm + 4096 + (i - 1) % 2 * 64, &desc,
                       sizeof(desc));
        aq_wr32(aq, ALINK_XPU_DB(63), i);
        g_assert_cmphex(aq_irqs(aq), ==, 1U << 4);
        g_assert_cmpuint(qtest_readq(aq->qts, x->hbm + 128), ==, i);
        g_assert_cmpuint(qtest_readl(aq->qts, x->hbm + 64), ==, i);
    }
    xq_free(x);
    aq_stop(aq);
}

/* --- queue windows ------------------------------------------------------- */

static uint64_t busy_ns(AlinkQtest *aq, uint32_t id)
{
    return aq_rd64(aq, ALINK_XPU_Q(id, ALINK_XPU_Q_BUSY_NS));
}

static void check_window(AlinkQtest *aq, uint32_t id, uint32_t state,
                         uint32_t head, uint32_t tail)
{
    g_assert_cmpuint(aq_rd32(aq, ALINK_XPU_Q(id, ALINK_XPU_Q_STATE)), ==,
                     state);
    g_assert_cmpuint(aq_rd32(aq, ALINK_XPU_Q(id, ALINK_XPU_Q_HEAD)), ==, head);
    g_assert_cmpuint(aq_rd32(aq, ALINK_XPU_Q(id, ALINK_XPU_Q_TAIL)), ==, tail);
}

static void test_queue_windows(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q, *other;
    uint64_t busy;

    check_window(aq, 3, ALINK_XPU_Q_NONE, 0, 0);
    q = xq_queue(x, 3, 8);
    other = xq_queue(x, ALINK_XPU_MAX_QUEUES - 1, 8);
    check_window(aq, 3, ALINK_XPU_Q_IDLE, 0, 0);
    g_assert_cmpuint(busy_ns(aq, 3), ==, 0);

    /* Time goes to the queue that worked, and to no other. */
    xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 1, 2 << 20));
    check_window(aq, 3, ALINK_XPU_Q_IDLE, 1, 1);
    busy = busy_ns(aq, 3);
    g_assert_cmpuint(busy, >, 0);
    g_assert_cmpuint(busy, <=, aq_rd64(aq, ALINK_XPU_REG_BUSY_NS));
    check_window(aq, other->id, ALINK_XPU_Q_IDLE, 0, 0);
    g_assert_cmpuint(busy_ns(aq, other->id), ==, 0);

    /* To wait is no work. */
    qtest_writeq(aq->qts, x->sys, 0);
    xq_put(q, xq_wait_for(ALINK_WAIT_GE, XQ_SYS, 1));
    xq_ring(q);
    aq_settle(aq);
    check_window(aq, 3, ALINK_XPU_Q_WAITING, 1, 2);
    busy = busy_ns(aq, 3);
    aq_clock_us(aq, 100000);
    aq_settle(aq);
    check_window(aq, 3, ALINK_XPU_Q_WAITING, 1, 2);
    g_assert_cmpuint(busy_ns(aq, 3), ==, busy);
    qtest_writeq(aq->qts, x->sys, 1);
    aq_clock_us(aq, 100000);
    xq_wait(q);
    check_window(aq, 3, ALINK_XPU_Q_IDLE, 2, 2);

    aq_set_int(aq, "x-queue-stuck", 1 << 3);
    xq_put(q, nop);
    xq_ring(q);
    aq_settle(aq);
    check_window(aq, 3, ALINK_XPU_Q_ACTIVE, 2, 3);
    aq_set_int(aq, "x-queue-stuck", 0);
    xq_wait(q);

    /* The last bit is for those that have none of their own. */
    aq_set_int(aq, "x-queue-stuck", INT64_MIN);
    xq_put(other, nop);
    xq_ring(other);
    aq_settle(aq);
    check_window(aq, other->id, ALINK_XPU_Q_ACTIVE, 0, 1);
    aq_set_int(aq, "x-queue-stuck", 0);
    xq_wait(other);

    xq_put(other, xq_desc(0xff, 0, 0, 0));
    xq_ring(other);
    aq_settle(aq);
    check_window(aq, other->id, ALINK_XPU_Q_HALTED, 1, 2);

    /* The time stays when the queue goes, until the id is somebody else's. */
    busy = busy_ns(aq, 3);
    g_assert_cmpuint(xq_queue_destroy(q), ==, ALINK_ST_OK);
    check_window(aq, 3, ALINK_XPU_Q_NONE, 0, 0);
    g_assert_cmpuint(busy_ns(aq, 3), ==, busy);
    xq_queue(x, 3, 8);
    g_assert_cmpuint(busy_ns(aq, 3), ==, 0);
    xq_free(x);
    aq_stop(aq);
}

/* --- energy -------------------------------------------------------------- */

static void test_energy(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);
    uint64_t idle = aq_rd32(aq, ALINK_REG_POWER), start, e;

    /* Idle power over time: milliwatt times second are millijoule. */
    start = aq_rd64(aq, ALINK_REG_ENERGY);
    aq_clock_us(aq, 2000000);
    e = aq_rd64(aq, ALINK_REG_ENERGY) - start;
    g_assert_cmpuint(e, ==, 2 * idle * 1000);

    /* Work costs, with no time in between. */
    start = aq_rd64(aq, ALINK_REG_ENERGY);
    xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 1, 2 << 20));
    e = aq_rd64(aq, ALINK_REG_ENERGY);
    g_assert_cmpuint(e, >, start);

    /* It goes on from there when somebody sets the power, and over FLR. */
    aq_set_int(aq, "power", 5000);
    g_assert_cmpuint(aq_rd64(aq, ALINK_REG_ENERGY), ==, e);
    aq_clock_us(aq, 1000000);
    g_assert_cmpuint(aq_rd64(aq, ALINK_REG_ENERGY), ==, e + 5000 * 1000);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    g_assert_cmpuint(aq_rd64(aq, ALINK_REG_ENERGY), ==, e + 5000 * 1000);
    xq_free(x);
    aq_stop(aq);
}

/* --- the model's knobs --------------------------------------------------- */

static void test_knobs(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 5, 8), *other = xq_queue(x, 6, 8);

    aq_set_int(aq, "x-queue-stuck", 1 << 5);
    xq_put(q, nop);
    xq_ring(q);
    xq_run(other, nop);
    g_assert(!xq_fenced(q));
    aq_set_int(aq, "x-queue-stuck", 0);
    xq_wait(q);

    /* The data is there, the completion is not. */
    aq_set_int(aq, "x-complete-late-us", 100);
    xq_pattern(x, x->sys, 4096, 3);
    xq_put(q, xq_copy(XQ_HBM, XQ_SYS, 4096));
    xq_ring(q);
    aq_settle(aq);
    xq_check(x, x->hbm, 4096, 3);
    aq_clock_us(aq, 99);
    g_assert(!xq_fenced(q));
    aq_clock_us(aq, 2);
    g_assert(xq_fenced(q));
    aq_set_int(aq, "x-complete-late-us", 0);

    /* A doorbell that comes late finds the engine idle, and starts it. */
    aq_set_int(aq, "x-late-doorbell-us", 100);
    xq_put(q, nop);
    xq_ring(q);
    aq_clock_us(aq, 99);
    g_assert(!xq_fenced(q));
    aq_clock_us(aq, 2);
    xq_wait(q);
    aq_set_int(aq, "x-late-doorbell-us", 0);

    /* A fill that does nothing, and says that all is well */
    aq_set_int(aq, "x-skip-fills", 1);
    xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0x77777777, 4096));
    xq_check(x, x->hbm, 4096, 3);
    aq_set_int(aq, "x-skip-fills", 0);
    xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0x77777777, 4096));
    g_assert_cmphex(qtest_readl(aq->qts, x->hbm + 4092), ==, 0x77777777);
    xq_free(x);
    aq_stop(aq);
}

/* --- the host, to compare with ------------------------------------------- */

static void test_memcpy(void)
{
    static const int64_t bad[] = { 0, 4095, (64 << 20) + 1 };
    AlinkQtest *aq = aq_start(START);
    unsigned i;

    g_assert_cmpint(aq_get_int(aq, "x-memcpy-mib-s"), >, 0);
    aq_set_int(aq, "x-memcpy-bytes", 4096);
    g_assert_cmpint(aq_get_int(aq, "x-memcpy-mib-s"), >, 0);
    aq_set_int(aq, "x-memcpy-bytes", 64 << 20);
    g_assert_cmpint(aq_get_int(aq, "x-memcpy-mib-s"), >, 0);
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        QDict *answer = qtest_qmp(aq->qts, "{'execute': 'qom-set', "
                                  "'arguments': {'path': %s, 'property': "
                                  "'x-memcpy-bytes', 'value': %" PRId64 "}}",
                                  aq->path, bad[i]);

        g_assert(qdict_haskey(answer, "error"));
        qobject_unref(answer);
    }
    aq_set_str_bad(aq, "x-memcpy-mib-s", "1");
    aq_stop(aq);
}

static void test_ecc_corrected(void)
{
    AlinkQtest *aq = aq_start(START);

    g_assert_cmpuint(aq_rd64(aq, ALINK_XPU_REG_ECC_CORRECTED), ==, 0);
    aq_set_int(aq, "x-ecc-corrected", 3);
    aq_set_int(aq, "x-ecc-corrected", 4);
    g_assert_cmpuint(aq_rd64(aq, ALINK_XPU_REG_ECC_CORRECTED), ==, 7);
    /* They are nobody's fault. */
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==, 0);
    aq_stop(aq);
}

/* --- modelled time of local work: Documentation/hw/xpu.rst, "Timing" ----- */

static void test_timing(void)
{
    static const uint64_t lens[] = { 0, 1, 64, 65, 4096, 65536, 2 << 20 };
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);
    struct alink_xpu_queue_status s;
    uint64_t sum = 0, bytes = 0, want;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        want = 100 + (lens[i] + 63) / 64;
        xq_run(q, xq_copy(XQ_HBM + (8 << 20), XQ_SYS, lens[i]));
        s = xq_status(q);
        g_assert_cmpuint(le64_to_cpu(s.model_last_ns), ==, want);
        sum += want;
        bytes += lens[i];
        g_assert_cmpuint(le64_to_cpu(s.model_ns), ==, sum);
        g_assert_cmpuint(le64_to_cpu(s.bytes), ==, bytes);
    }
    xq_free(x);
    aq_stop(aq);
}

/* Within HBM its bandwidth is the limit; any operand elsewhere is a transfer. */
static void test_timing_reduce(void)
{
    static const uint64_t lens[] = { 0, 4, 820, 824, 65536, 4 << 20 };
    static const uint64_t at[][3] = {
        { XQ_SYS, XQ_HBM, XQ_HBM + (8 << 20) },
        { XQ_HBM, XQ_SYS, XQ_HBM + (8 << 20) },
        { XQ_HBM, XQ_HBM + (8 << 20), XQ_SYS },
    };
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        xq_run(q, xq_reduce(ALINK_DT_FP32, SUM, XQ_HBM, XQ_HBM,
                            XQ_HBM + (8 << 20), lens[i]));
        g_assert_cmpuint(le64_to_cpu(xq_status(q).model_last_ns), ==,
                         100 + (lens[i] + 819) / 820);
    }
    for (i = 0; i < ARRAY_SIZE(at); i++) {
        xq_run(q, xq_reduce(ALINK_DT_FP32, SUM, at[i][0], at[i][1], at[i][2],
                            65536));
        g_assert_cmpuint(le64_to_cpu(xq_status(q).model_last_ns), ==,
                         100 + 65536 / 64);
    }
    xq_free(x);
    aq_stop(aq);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu/variants", test_variants);
    qtest_add_func("/alink/xpu/huge-leaf", test_huge_leaf);
    qtest_add_func("/alink/xpu/nop", test_nop);
    qtest_add_func("/alink/xpu/copy", test_copy);
    qtest_add_func("/alink/xpu/fill", test_fill);
    qtest_add_func("/alink/xpu/atomics", test_atomics);
    qtest_add_func("/alink/xpu/wait", test_wait);
    qtest_add_func("/alink/xpu/reduce", test_reduce);
    qtest_add_func("/alink/xpu/ring", test_ring);
    qtest_add_func("/alink/xpu/tail-beyond", test_tail_beyond);
    qtest_add_func("/alink/xpu/msix", test_msix);
    qtest_add_func("/alink/xpu/priority", test_priority);
    qtest_add_func("/alink/xpu/queue-in-hbm", test_queue_in_hbm);
    qtest_add_func("/alink/xpu/queue-windows", test_queue_windows);
    qtest_add_func("/alink/xpu/energy", test_energy);
    qtest_add_func("/alink/xpu/knobs", test_knobs);
    qtest_add_func("/alink/xpu/memcpy", test_memcpy);
    qtest_add_func("/alink/xpu/timing", test_timing);
    qtest_add_func("/alink/xpu/timing-reduce", test_timing_reduce);
    qtest_add_func("/alink/xpu/ecc-corrected", test_ecc_corrected);
    return g_test_run();
}
