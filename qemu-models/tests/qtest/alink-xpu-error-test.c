/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: what is refused and what goes wrong: descriptors, page tables,
 * the bus, known-bad HBM, arguments of admin commands; resets, invalidation and
 * destruction while engines work.
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_regs.h"
#include "xpu-qtest.h"

#define START   AQ_FABRIC XQ_DEVICE

static const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };

typedef struct Rig {
    AlinkQtest *aq;
    XpuQtest *x;
    XpuQueueQtest *q;
} Rig;

static Rig rig_new(void)
{
    Rig r = { .aq = aq_start(START) };

    r.x = xq_new(r.aq);
    r.q = xq_queue(r.x, 1, 8);
    return r;
}

static void rig_free(Rig *r)
{
    xq_free(r->x);
    aq_stop(r->aq);
}

/* The descriptor fails so, and the queue is made anew. */
static void fails(Rig *r, struct alink_xpu_desc desc, uint16_t status,
                  uint64_t addr)
{
    xq_run_bad(r->q, desc, status, addr);
    r->q = xq_queue(r->x, 1, 8);
}

/* --- descriptors that break the contract --------------------------------- */

static void test_bad_descriptors(void)
{
    Rig r = rig_new();
    struct alink_xpu_desc d;
    unsigned i;

    for (i = ALINK_XPU_OP_PUSH_REDUCE + 1; i < 256; i += 31) {
        fails(&r, xq_desc(i, 0, 0, 0), ALINK_ST_BAD_OPCODE, 0);
    }
    for (i = 2; i < 8; i++) {
        d = nop;
        d.flags = 1 << i;
        fails(&r, d, ALINK_ST_BAD_FIELD, 0);
    }
    d = nop;
    d.reserved = cpu_to_le32(1);
    fails(&r, d, ALINK_ST_BAD_FIELD, 0);
    fails(&r, xq_copy(XQ_HBM, XQ_SYS, ALINK_XPU_MAX_LEN + 1),
          ALINK_ST_BAD_FIELD, 0);
    fails(&r, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, ALINK_XPU_MAX_LEN + 4),
          ALINK_ST_BAD_FIELD, 0);
    fails(&r, xq_reduce(ALINK_DT_FP32, 0, XQ_HBM, XQ_HBM, XQ_HBM, 1ULL << 60),
          ALINK_ST_BAD_FIELD, 0);

    fails(&r, xq_atomic(4, ALINK_ATOMIC_MAX + 1, XQ_HBM, 0, 0, 0),
          ALINK_ST_UNSUPPORTED, 0);
    fails(&r, xq_wait_for(ALINK_WAIT_GE + 1, XQ_HBM, 0), ALINK_ST_UNSUPPORTED,
          0);
    fails(&r, xq_wait_ms(ALINK_WAIT_GE, XQ_HBM, 0, 1ULL << 32),
          ALINK_ST_BAD_FIELD, 0);
    fails(&r, xq_reduce(ALINK_DT_FP32, ALINK_OP_MAX + 1, XQ_HBM, XQ_HBM,
                        XQ_HBM, 4), ALINK_ST_UNSUPPORTED, 0);
    fails(&r, xq_reduce(ALINK_DT_UINT8, 0, XQ_HBM, XQ_HBM, XQ_HBM, 4),
          ALINK_ST_UNSUPPORTED, 0);
    fails(&r, xq_reduce(7, 0, XQ_HBM, XQ_HBM, XQ_HBM, 4),
          ALINK_ST_UNSUPPORTED, 0);
    fails(&r, xq_reduce(255, 0, XQ_HBM, XQ_HBM, XQ_HBM, 4),
          ALINK_ST_UNSUPPORTED, 0);
    rig_free(&r);
}

static void test_alignment(void)
{
    Rig r = rig_new();
    struct alink_xpu_desc d = nop;

    d.flags = ALINK_XPU_DF_FENCE;
    d.fence_addr = cpu_to_le64(XQ_HBM + 4);
    fails(&r, d, ALINK_ST_ALIGN, XQ_HBM + 4);
    fails(&r, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, 6), ALINK_ST_ALIGN, 0);
    fails(&r, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM + 2, 0, 8), ALINK_ST_ALIGN,
          XQ_HBM + 2);
    fails(&r, xq_atomic(4, 0, XQ_HBM + 2, 0, 0, 0), ALINK_ST_ALIGN,
          XQ_HBM + 2);
    fails(&r, xq_atomic(8, 0, XQ_HBM + 4, 0, 0, 0), ALINK_ST_ALIGN,
          XQ_HBM + 4);
    fails(&r, xq_atomic(8, 0, XQ_HBM, 0, 0, XQ_SYS + 4), ALINK_ST_ALIGN,
          XQ_SYS + 4);
    fails(&r, xq_wait_for(ALINK_WAIT_EQ, XQ_HBM + 4, 0), ALINK_ST_ALIGN,
          XQ_HBM + 4);
    fails(&r, xq_reduce(ALINK_DT_FP32, 0, XQ_HBM + 2, XQ_HBM, XQ_HBM, 8),
          ALINK_ST_ALIGN, XQ_HBM + 2);
    fails(&r, xq_reduce(ALINK_DT_BF16, 0, XQ_HBM, XQ_HBM + 1, XQ_HBM, 8),
          ALINK_ST_ALIGN, XQ_HBM + 1);
    fails(&r, xq_reduce(ALINK_DT_FP32, 0, XQ_HBM, XQ_HBM, XQ_SYS + 2, 8),
          ALINK_ST_ALIGN, XQ_SYS + 2);
    fails(&r, xq_reduce(ALINK_DT_FP32, 0, XQ_HBM, XQ_HBM, XQ_HBM, 10),
          ALINK_ST_ALIGN, 0);
    rig_free(&r);
}

/* --- translation --------------------------------------------------------- */

/* A queue that faults where a worker has begun lets its ring go. */
static void test_fault_behind_a_worker(void)
{
    Rig r = rig_new();
    /* m890: 16 rings */
    XpuQueueQtest *other = xq_queue(r.x, 17, 8);
    int i;

    xq_map(r.x, XQ_HOLE, XQ_RW | XQ_AP(ALINK_AP_HBM), 0, 64 << 10);
    xq_put(r.q, xq_copy(XQ_HOLE, XQ_SYS, 128 << 10));
    xq_ring(r.q);
    for (i = 0; i < 10000 && !xq_status(r.q).error; i++) {
        g_usleep(1000);
        aq_settle(r.aq);
    }
    g_assert_cmpuint(le32_to_cpu(xq_status(r.q).error), ==,
                     ALINK_ST_PAGE_FAULT);
    g_assert_cmphex(le64_to_cpu(xq_status(r.q).error_addr), ==,
                    XQ_HOLE + (64 << 10));
    xq_put(other, nop);
    xq_ring(other);
    xq_wait(other);
    rig_free(&r);
}

static void test_page_fault(void)
{
    Rig r = rig_new();
    uint64_t end = XQ_SYS + XQ_SYS_SIZE;
    struct alink_xpu_desc d = nop;

    fails(&r, xq_copy(XQ_HOLE + 5, XQ_SYS, 64), ALINK_ST_PAGE_FAULT,
          XQ_HOLE + 5);
    fails(&r, xq_copy(XQ_SYS, XQ_HOLE + 5, 64), ALINK_ST_PAGE_FAULT,
          XQ_HOLE + 5);
    fails(&r, xq_copy(XQ_SYS, 1ULL << 48 | XQ_HBM, 64), ALINK_ST_PAGE_FAULT,
          1ULL << 48 | XQ_HBM);
    fails(&r, xq_copy(~0ULL - 63, XQ_HBM, 64), ALINK_ST_PAGE_FAULT,
          ~0ULL - 63);
    fails(&r, xq_desc(ALINK_XPU_OP_FILL, XQ_HOLE, 0, 4), ALINK_ST_PAGE_FAULT,
          XQ_HOLE);
    fails(&r, xq_atomic(8, 0, XQ_HOLE, 0, 0, 0), ALINK_ST_PAGE_FAULT, XQ_HOLE);
    fails(&r, xq_atomic(8, 0, XQ_HBM, 0, 0, XQ_HOLE), ALINK_ST_PAGE_FAULT,
          XQ_HOLE);
    fails(&r, xq_wait_for(ALINK_WAIT_EQ, XQ_HOLE, 0), ALINK_ST_PAGE_FAULT,
          XQ_HOLE);
    fails(&r, xq_reduce(ALINK_DT_FP32, 0, XQ_HBM, XQ_HBM, XQ_HOLE, 4),
          ALINK_ST_PAGE_FAULT, XQ_HOLE);
    d.flags = ALINK_XPU_DF_FENCE;
    d.fence_addr = cpu_to_le64(XQ_HOLE);
    fails(&r, d, ALINK_ST_PAGE_FAULT, XQ_HOLE);

    /* The address at fault is where the hole begins; what is before is done. */
    xq_pattern(r.x, r.x->hbm, 8192, 4);
    qtest_memset(r.aq->qts, r.x->sys, 0xee, XQ_SYS_SIZE);
    fails(&r, xq_copy(end - 4096, XQ_HBM, 8192), ALINK_ST_PAGE_FAULT, end);
    xq_check(r.x, r.x->sys + XQ_SYS_SIZE - 4096, 4096, 4);
    /* No fault, no record: nothing of it is the driver's mistake. */
    g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FAULT_CODE), ==, 0);

    /* What is mapped later needs no command. */
    xq_map(r.x, XQ_HOLE, XQ_RW | XQ_AP(ALINK_AP_HBM), 0, 4096);
    xq_run(r.q, xq_copy(XQ_SYS, XQ_HOLE, 64));
    xq_check(r.x, r.x->sys, 64, 4);
    rig_free(&r);
}

static void test_permission(void)
{
    uint64_t ro = XQ_HOLE, wo = XQ_HOLE + 4096, none = XQ_HOLE + 8192;
    uint64_t hbm = XQ_AP(ALINK_AP_HBM);
    Rig r = rig_new();

    xq_map(r.x, ro, ALINK_PTE_READ | hbm, 0, 4096);
    xq_map(r.x, wo, ALINK_PTE_WRITE | hbm, 4096, 4096);
    xq_map(r.x, none, hbm, 8192, 4096);
    qtest_memset(r.aq->qts, r.x->hbm, 0xee, 12288);
    fails(&r, xq_copy(ro, XQ_SYS, 8), ALINK_ST_PERMISSION, ro);
    fails(&r, xq_copy(XQ_SYS, wo, 8), ALINK_ST_PERMISSION, wo);
    fails(&r, xq_copy(XQ_SYS, none, 8), ALINK_ST_PERMISSION, none);
    fails(&r, xq_wait_for(ALINK_WAIT_EQ, wo, 0), ALINK_ST_PERMISSION, wo);
    fails(&r, xq_atomic(8, ALINK_ATOMIC_ADD, ro, 1, 0, 0),
          ALINK_ST_PERMISSION, ro);
    fails(&r, xq_atomic(8, ALINK_ATOMIC_ADD, wo, 1, 0, 0),
          ALINK_ST_PERMISSION, wo);
    /* The old value could not be stored, so nothing is added. */
    fails(&r, xq_atomic(8, ALINK_ATOMIC_ADD, XQ_HBM + 64, 1, 0, ro),
          ALINK_ST_PERMISSION, ro);
    xq_check_byte(r.x, r.x->hbm, 12288, 0xee);
    xq_run(r.q, xq_copy(XQ_SYS, ro, 8));
    xq_run(r.q, xq_copy(wo, XQ_SYS, 8));
    rig_free(&r);
}

/* An entry that breaks the contract is a guest error and a fault record. */
static void bad_entry(Rig *r, uint64_t va, unsigned level, uint64_t entry,
                      uint16_t status)
{
    AlinkQtest *aq = r->aq;
    uint64_t at = xq_entry(r->x, va, level);

    qtest_writeq(aq->qts, at, entry);
    fails(r, xq_copy(XQ_SYS, va + 24, 8), status, va + 24);
    aq_expect_guest_errors(aq, 1);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==,
                     ALINK_FAULT_MMU_PAGE);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CLASS), ==,
                     ALINK_RECOVERY_CONTEXT);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, va + 24);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_INFO), ==, 1);
    aq_wr32(aq, ALINK_REG_FAULT_ACK, ALINK_FAULT_MMU_PAGE);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==, 0);
    qtest_writeq(aq->qts, at, 0);
    g_assert_cmpuint(xq_invalidate(r->x), ==, ALINK_ST_OK);
}

static void test_bad_tables(void)
{
    uint64_t hbm = XQ_RW | XQ_AP(ALINK_AP_HBM) | ALINK_PTE_VALID;
    Rig r = rig_new();
    unsigned bit;

    for (bit = 8; bit < 12; bit++) {
        bad_entry(&r, XQ_HOLE, 0, hbm | 1ULL << bit, ALINK_ST_PAGE_FAULT);
    }
    bad_entry(&r, XQ_HOLE, 0, hbm | 1ULL << 58, ALINK_ST_PAGE_FAULT);
    bad_entry(&r, XQ_HOLE, 0, hbm | 1ULL << 63, ALINK_ST_PAGE_FAULT);
    bad_entry(&r, XQ_HOLE, 0, hbm | ALINK_PTE_LEAF, ALINK_ST_PAGE_FAULT);
    /* Beyond HBM, the page or the large page. */
    bad_entry(&r, XQ_HOLE, 0, hbm | XQ_HBM_SIZE, ALINK_ST_PAGE_FAULT);
    bad_entry(&r, XQ_HOLE, 1, hbm | ALINK_PTE_LEAF | XQ_HBM_SIZE,
              ALINK_ST_PAGE_FAULT);
    /* A large page that is not aligned to its size. */
    bad_entry(&r, XQ_HOLE, 1, hbm | ALINK_PTE_LEAF | 1 << 20,
              ALINK_ST_PAGE_FAULT);
    /* 1 GiB, of which HBM has not so much, or that is not aligned. */
    bad_entry(&r, XQ_HOLE, 2, hbm | ALINK_PTE_LEAF, ALINK_ST_PAGE_FAULT);
    bad_entry(&r, XQ_HOLE, 2, (hbm & ~ALINK_PTE_APERTURE_MASK) |
              ALINK_PTE_LEAF | 1 << 29, ALINK_ST_PAGE_FAULT);
    /* LEAF, or rights, where only a table may be. */
    bad_entry(&r, XQ_HOLE, 3, hbm | ALINK_PTE_LEAF, ALINK_ST_PAGE_FAULT);
    bad_entry(&r, XQ_HOLE, 3, hbm, ALINK_ST_PAGE_FAULT);
    bad_entry(&r, XQ_HOLE, 1, hbm, ALINK_ST_PAGE_FAULT);
    /* A table that is nowhere. */
    bad_entry(&r, XQ_HOLE, 3, AQ_NOWHERE | ALINK_PTE_VALID, ALINK_ST_DMA);
    bad_entry(&r, XQ_HOLE, 1, AQ_NOWHERE | ALINK_PTE_VALID, ALINK_ST_DMA);
    /* Without VALID nothing else counts, but for RETRY. */
    qtest_writeq(r.aq->qts, xq_entry(r.x, XQ_HOLE, 0),
                 ~(ALINK_PTE_VALID | ALINK_PTE_RETRY));
    fails(&r, xq_copy(XQ_SYS, XQ_HOLE, 8), ALINK_ST_PAGE_FAULT, XQ_HOLE);
    rig_free(&r);
}

/* After the command, the new translation and nothing else. */
static void test_invalidate(void)
{
    /* Not where any translation of rings or XQ_SYS would push it out. */
    const uint64_t va = XQ_HOLE + 64 * 4096;
    Rig r = rig_new();

    qtest_memset(r.aq->qts, r.x->hbm, 0x11, 4096);
    qtest_memset(r.aq->qts, r.x->hbm + 4096, 0x22, 4096);
    xq_map(r.x, va, XQ_RW | XQ_AP(ALINK_AP_HBM), 0, 4096);
    xq_run(r.q, xq_copy(XQ_SYS, va, 4096));
    xq_check_byte(r.x, r.x->sys, 4096, 0x11);
    xq_map(r.x, va, XQ_RW | XQ_AP(ALINK_AP_HBM), 4096, 4096);
    g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    xq_run(r.q, xq_copy(XQ_SYS, va, 4096));
    xq_check_byte(r.x, r.x->sys, 4096, 0x22);
    qtest_writeq(r.aq->qts, xq_entry(r.x, va, 0), 0);
    g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    fails(&r, xq_copy(XQ_SYS, va, 8), ALINK_ST_PAGE_FAULT, va);
    rig_free(&r);
}

/* --- the bus ------------------------------------------------------------- */

static void test_bad_dma(void)
{
    Rig r = rig_new();
    struct alink_xpu_desc d = nop;

    xq_map(r.x, XQ_HOLE, XQ_RW | XQ_AP(ALINK_AP_SYSTEM), AQ_NOWHERE, 1 << 20);
    fails(&r, xq_copy(XQ_HOLE, XQ_HBM, 64), ALINK_ST_DMA, XQ_HOLE);
    fails(&r, xq_copy(XQ_HBM, XQ_HOLE, 64), ALINK_ST_DMA, XQ_HOLE);
    fails(&r, xq_copy(XQ_HOLE, XQ_HBM, 1 << 20), ALINK_ST_DMA, XQ_HOLE);
    fails(&r, xq_copy(XQ_HBM, XQ_HOLE, 1 << 20), ALINK_ST_DMA, XQ_HOLE);
    fails(&r, xq_atomic(8, 0, XQ_HOLE, 0, 0, 0), ALINK_ST_DMA, XQ_HOLE);
    fails(&r, xq_wait_for(ALINK_WAIT_EQ, XQ_HOLE, 0), ALINK_ST_DMA, XQ_HOLE);
    d.flags = ALINK_XPU_DF_FENCE;
    d.fence_addr = cpu_to_le64(XQ_HOLE);
    fails(&r, d, ALINK_ST_DMA, XQ_HOLE);
    /* The device is none the worse for it. */
    g_assert_cmpuint(aq_rd32(r.aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    xq_run(r.q, nop);
    rig_free(&r);
}

/* The queue stands still without bus mastering, and goes on with it. */
static void test_bus_master(void)
{
    Rig r = rig_new();

    xq_pattern(r.x, r.x->sys, 4096, 9);
    qtest_memset(r.aq->qts, r.x->hbm, 0xee, 4096);
    xq_put(r.q, xq_copy(XQ_HBM, XQ_SYS, 4096));
    aq_command(r.aq, PCI_COMMAND_MASTER, 0);
    xq_ring(r.q);
    aq_clock_us(r.aq, 10000);
    g_assert(!xq_fenced(r.q));
    xq_check_byte(r.x, r.x->hbm, 4096, 0xee);
    g_assert_cmpuint(le32_to_cpu(xq_status(r.q).head), ==, 0);
    aq_command(r.aq, 0, PCI_COMMAND_MASTER);
    xq_wait(r.q);
    xq_check(r.x, r.x->hbm, 4096, 9);
    rig_free(&r);
}

/* --- bad memory ---------------------------------------------------------- */

static void test_poison(void)
{
    Rig r = rig_new();
    AlinkQtest *aq = r.aq;

    xq_pattern(r.x, r.x->hbm, 65536, 5);
    aq_set_int(aq, "x-ecc-poison-addr", 8192 + 70);
    qtest_memset(aq->qts, r.x->sys, 0xee, 65536);
    fails(&r, xq_copy(XQ_SYS, XQ_HBM + 4096, 32768), ALINK_ST_POISON,
          XQ_HBM + 8192 + 64);
    xq_check_byte(r.x, r.x->sys + 4096 + 64, 4096, 0xee);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==,
                     ALINK_FAULT_HBM_ECC);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, 8192 + 64);
    aq_wr32(aq, ALINK_REG_FAULT_ACK, ALINK_FAULT_HBM_ECC);
    fails(&r, xq_wait_for(ALINK_WAIT_EQ, XQ_HBM + 8256, 0), ALINK_ST_POISON,
          XQ_HBM + 8256);
    fails(&r, xq_atomic(4, 0, XQ_HBM + 8260, 1, 0, 0), ALINK_ST_POISON,
          XQ_HBM + 8260);
    fails(&r, xq_reduce(ALINK_DT_FP32, 0, XQ_SYS, XQ_SYS, XQ_HBM + 8256, 4),
          ALINK_ST_POISON, XQ_HBM + 8256);
    /* Beside it, fine; written over in part, still bad; then good again. */
    xq_run(r.q, xq_copy(XQ_SYS, XQ_HBM + 4096, 4096 + 64));
    xq_run(r.q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM + 8256, 0, 32));
    fails(&r, xq_copy(XQ_SYS, XQ_HBM + 8256, 8), ALINK_ST_POISON,
          XQ_HBM + 8256);
    xq_run(r.q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM + 8256, 0, 64));
    xq_run(r.q, xq_copy(XQ_SYS, XQ_HBM + 4096, 32768));
    aq_wr32(aq, ALINK_REG_FAULT_ACK, ALINK_FAULT_HBM_ECC);
    rig_free(&r);
}

/* --- contexts and queues: arguments -------------------------------------- */

static uint16_t ctx_create(AlinkQtest *aq, uint32_t id, uint64_t root,
                           uint32_t reserved)
{
    struct alink_xpu_ctx ctx = {
        .id = cpu_to_le32(id),
        .reserved = cpu_to_le32(reserved),
        .root = cpu_to_le64(root),
    };

    return aq_admin_tlv(aq, ALINK_XPU_ADMIN_CTX_CREATE, ALINK_TLV_XPU_CTX,
                        &ctx, sizeof(ctx));
}

static void test_contexts(void)
{
    Rig r = rig_new();
    AlinkQtest *aq = r.aq;
    uint32_t max = aq_rd32(aq, ALINK_XPU_REG_NUM_CTX), id;

    g_assert_cmpuint(ctx_create(aq, 0, r.x->root, 0), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(ctx_create(aq, max + 1, r.x->root, 0), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(ctx_create(aq, ~0U, r.x->root, 0), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(ctx_create(aq, 2, r.x->root + 8, 0), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(ctx_create(aq, 2, r.x->root, 1), ==, ALINK_ST_BAD_FIELD);
    aq_expect_guest_errors(aq, 5);
    g_assert_cmpuint(ctx_create(aq, 1, r.x->root, 0), ==, ALINK_ST_EXISTS);
    for (id = 2; id <= max; id++) {
        g_assert_cmpuint(ctx_create(aq, id, r.x->root, 0), ==, ALINK_ST_OK);
    }
    for (id = 2; id <= max; id++) {
        g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_CTX_DESTROY, id), ==,
                         ALINK_ST_OK);
    }
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_CTX_DESTROY, 2), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_CTX_DESTROY, ~0U), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_TLB_INVALIDATE, 2), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_CTX_DESTROY, 1), ==,
                     ALINK_ST_BUSY);
    g_assert_cmpuint(xq_queue_destroy(r.q), ==, ALINK_ST_OK);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_CTX_DESTROY, 1), ==,
                     ALINK_ST_OK);
    rig_free(&r);
}

static uint16_t queue_create(AlinkQtest *aq, uint32_t id, uint32_t ctx,
                             uint64_t ring, uint64_t status, uint32_t size,
                             uint16_t vector, uint16_t priority)
{
    struct alink_xpu_queue q = {
        .id = cpu_to_le32(id),
        .ctx = cpu_to_le32(ctx),
        .ring = cpu_to_le64(ring),
        .status = cpu_to_le64(status),
        .size = cpu_to_le32(size),
        .vector = cpu_to_le16(vector),
        .priority = cpu_to_le16(priority),
    };

    return aq_admin_tlv(aq, ALINK_XPU_ADMIN_QUEUE_CREATE, ALINK_TLV_XPU_QUEUE,
                        &q, sizeof(q));
}

static void test_queue_arguments(void)
{
    static const struct {
        uint32_t id, ctx;
        uint64_t ring, status;
        uint32_t size;
        uint16_t vector, priority, want;
    } c[] = {
        { ALINK_XPU_MAX_QUEUES, 1, 0, 0, 16, 1, 0, ALINK_ST_BAD_FIELD },
        { ~0U, 1, 0, 0, 16, 1, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 32, 0, 16, 1, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 8, 16, 1, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 0, 0, 1, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 0, 1, 1, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 0, 3, 1, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 0, 131072, 1, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 0, 16, 0, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 0, 16, 5, 0, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 0, 16, 1, 4, ALINK_ST_BAD_FIELD },
        { 2, 1, 0, 0, 16, 1, 0xffff, ALINK_ST_BAD_FIELD },
        { 2, 0, 0, 0, 16, 1, 0, ALINK_ST_NOT_FOUND },
        { 2, 2, 0, 0, 16, 1, 0, ALINK_ST_NOT_FOUND },
        { 2, ~0U, 0, 0, 16, 1, 0, ALINK_ST_NOT_FOUND },
        { 1, 1, 0, 0, 16, 1, 0, ALINK_ST_EXISTS },
        { 2, 1, 0, 0, 65536, 4, 2, ALINK_ST_OK },
        { 2, 1, 0, 0, 2, 1, 0, ALINK_ST_EXISTS },
        { 62, 1, 0, 0, 2, 1, 3, ALINK_ST_OK },
        { ALINK_XPU_MAX_QUEUES - 1, 1, 0, 0, 2, 1, 0, ALINK_ST_OK },
    };
    Rig r = rig_new();
    AlinkQtest *aq = r.aq;
    struct alink_admin_cpl cpl;
    uint8_t buf[64] = {};
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(c); i++) {
        g_assert_cmpuint(queue_create(aq, c[i].id, c[i].ctx, c[i].ring,
                                      c[i].status, c[i].size, c[i].vector,
                                      c[i].priority), ==, c[i].want);
        aq_expect_guest_errors(aq, c[i].want == ALINK_ST_BAD_FIELD);
    }
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_QUEUE_DESTROY, 3), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_QUEUE_DESTROY, ~0U), ==,
                     ALINK_ST_NOT_FOUND);
    /* A TLV that is too short, or not there. */
    i = aq_put_tlv(buf, 0, ALINK_TLV_XPU_QUEUE, buf + 32, 24);
    cpl = aq_admin(aq, ALINK_XPU_ADMIN_QUEUE_CREATE, buf, i, 0);
    g_assert_cmpuint(le16_to_cpu(cpl.status), ==, ALINK_ST_TLV);
    cpl = aq_admin(aq, ALINK_XPU_ADMIN_QUEUE_CREATE, buf, 0, 0);
    g_assert_cmpuint(le16_to_cpu(cpl.status), ==, ALINK_ST_TLV);
    aq_expect_guest_errors(aq, 2);
    /* The doorbell of a queue that does not exist. */
    aq_wr32(aq, ALINK_XPU_DB(7), 1);
    aq_expect_guest_errors(aq, 1);
    xq_run(r.q, nop);
    rig_free(&r);
}

/* Rings and status blocks that cannot be used are found when they are. */
static void test_queue_memory(void)
{
    static const struct {
        uint64_t ring;
        uint16_t want;
    } c[] = {
        { XQ_HOLE, ALINK_ST_PAGE_FAULT },
        { XQ_REMOTE, ALINK_ST_UNSUPPORTED },
        { XQ_GROUP, ALINK_ST_UNSUPPORTED },
        { XQ_HOLE + (2 << 20), ALINK_ST_DMA },
    };
    Rig r = rig_new();
    AlinkQtest *aq = r.aq;
    struct alink_xpu_queue_status s;
    struct alink_event ev;
    unsigned i;

    xq_map(r.x, XQ_HOLE + (2 << 20), XQ_RW | XQ_AP(ALINK_AP_SYSTEM),
           AQ_NOWHERE, 4096);
    for (i = 0; i < ARRAY_SIZE(c); i++) {
        g_assert_cmpuint(queue_create(aq, 9, 1, c[i].ring, XQ_SYS, 16, 1, 0),
                         ==, ALINK_ST_OK);
        aq_wr32(aq, ALINK_XPU_DB(9), 1);
        aq_settle(aq);
        qtest_memread(aq->qts, r.x->sys, &s, sizeof(s));
        g_assert_cmpuint(le32_to_cpu(s.error), ==, c[i].want);
        g_assert_cmphex(le64_to_cpu(s.error_addr), ==, c[i].ring);
        g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_QUEUE_DESTROY, 9),
                         ==, ALINK_ST_OK);
    }
    for (i = 0; i < ARRAY_SIZE(c); i++) {
        while (aq_event_poll(aq, &ev)) {
        }
        qtest_memset(aq->qts, r.x->sys + 4096, 0, 1024);
        g_assert_cmpuint(queue_create(aq, 9, 1, XQ_SYS + 4096, c[i].ring, 16,
                                      1, 0), ==, ALINK_ST_OK);
        aq_wr32(aq, ALINK_XPU_DB(9), 1);
        g_assert(aq_event_poll(aq, &ev));
        g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_QUEUE_ERROR);
        g_assert_cmpuint(le32_to_cpu(ev.id), ==, 9);
        g_assert_cmpuint(le32_to_cpu(ev.code), ==, c[i].want);
        g_assert_cmphex(le64_to_cpu(ev.addr), ==, c[i].ring);
        g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_QUEUE_DESTROY, 9),
                         ==, ALINK_ST_OK);
    }
    rig_free(&r);
}

/* --- segments: arguments ------------------------------------------------- */

static void test_segment_arguments(void)
{
    static const struct {
        uint32_t id, rights, reserved, num;
        uint64_t key, addr, len;
        uint16_t want;
    } c[] = {
        { 0, 1, 0, 1, 7, 0, 4096, ALINK_ST_OK },
        { 0, 1, 0, 1, 7, 0, 4096, ALINK_ST_EXISTS },
        { 1024, 1, 0, 1, 7, 0, 4096, ALINK_ST_BAD_FIELD },
        { 1, 1, 1, 1, 7, 0, 4096, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 0, 7, 0, 4096, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 17, 7, 0, 4096, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 1, 0, 0, 4096, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 1, 7, 8, 4096, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 1, 7, 0, 100, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 1, 7, 0, 0, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 1, 7, XQ_HBM_SIZE, 4096, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 1, 7, XQ_HBM_SIZE - 4096, 8192, ALINK_ST_BAD_FIELD },
        { 1, 1, 0, 1, 7, ~4095ULL, 8192, ALINK_ST_BAD_FIELD },
        { 1, 16, 0, 1, 7, 0, 4096, ALINK_ST_BAD_FIELD },
        { 1023, 15, 0, 1, 7, XQ_HBM_SIZE - 4096, 4096, ALINK_ST_OK },
    };
    Rig r = rig_new();
    AlinkQtest *aq = r.aq;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(c); i++) {
        struct alink_xpu_segment seg = {
            .id = cpu_to_le32(c[i].id),
            .rights = cpu_to_le32(c[i].rights),
            .key = cpu_to_le64(c[i].key),
            .num_extents = cpu_to_le32(c[i].num),
            .reserved = cpu_to_le32(c[i].reserved),
            .extents = { { cpu_to_le64(c[i].addr), cpu_to_le64(c[i].len) } },
        };
        uint16_t st = aq_admin_tlv(aq, ALINK_XPU_ADMIN_SEG_EXPORT,
                                   ALINK_TLV_XPU_SEGMENT, &seg, sizeof(seg));

        if (st != c[i].want) {
            g_test_message("case %u", i);
        }
        g_assert_cmpuint(st, ==, c[i].want);
        aq_expect_guest_errors(aq, st == ALINK_ST_BAD_FIELD);
    }
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_SEG_REVOKE, 0), ==,
                     ALINK_ST_OK);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_SEG_REVOKE, 0), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_SEG_RELEASE, 0), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_GROUP_UNBIND, 0), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_XPU_ADMIN_GROUP_RELEASE, 0), ==,
                     ALINK_ST_NOT_FOUND);
    rig_free(&r);
}

/* --- while engines work -------------------------------------------------- */

#define WORK_VA     0xb000000000ULL     /* HBM 0 to 2 MiB, until remapped */
#define WORK_LEN    (2ULL << 20)
#define WORK_DESCS  256

/* Half a GiB of work under way, in workers */
static XpuQueueQtest *work(Rig *r)
{
    XpuQueueQtest *q = xq_queue(r->x, 3, WORK_DESCS);
    unsigned i;

    xq_map_large(r->x, WORK_VA, XQ_RW | XQ_AP(ALINK_AP_HBM), 0, WORK_LEN);
    for (i = 0; i < WORK_DESCS; i++) {
        xq_put(q, xq_desc(ALINK_XPU_OP_FILL, WORK_VA, 0x01020300 + i,
                          WORK_LEN));
    }
    aq_irqs(r->aq);
    xq_ring(q);
    return q;
}

/* Nothing of it goes on: not in HBM, not in memory, no interrupt. */
static void check_silence(Rig *r, XpuQueueQtest *q)
{
    struct alink_xpu_queue_status before = xq_status(q), after;

    g_assert_cmpuint(le32_to_cpu(before.head), <, WORK_DESCS);
    aq_irqs(r->aq);
    qtest_memset(r->aq->qts, r->x->hbm, 0xee, WORK_LEN);
    g_usleep(20000);
    aq_clock_us(r->aq, 10000);
    after = xq_status(q);
    g_assert_cmpmem(&before, sizeof(before), &after, sizeof(after));
    xq_check_byte(r->x, r->x->hbm, WORK_LEN, 0xee);
    g_assert(!xq_fenced(q));
    g_assert_cmphex(aq_irqs(r->aq), ==, 0);
}

static void reset_in_work(bool flr)
{
    Rig r = rig_new();
    XpuQueueQtest *q = work(&r);

    if (flr) {
        aq_flr(r.aq);
    } else {
        aq_wr32(r.aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    }
    g_assert_cmpuint(le32_to_cpu(xq_status(q).error), ==, 0);
    g_assert_cmphex(aq_irqs(r.aq), ==, 0);
    check_silence(&r, q);
    g_assert_cmpuint(aq_rd32(r.aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    g_assert_cmpuint(aq_rd32(r.aq, ALINK_REG_RESET_CAUSE), ==,
                     flr ? ALINK_RESET_CAUSE_FLR : ALINK_RESET_CAUSE_SOFT);
    /* Its queues are gone; HBM and counters are not; it works again. */
    aq_wr32(r.aq, ALINK_XPU_DB(3), 1);
    aq_expect_guest_errors(r.aq, 1);
    g_assert_cmpuint(aq_rd64(r.aq, ALINK_XPU_REG_DOORBELLS), ==, 2);
    xq_setup(r.x);
    q = xq_queue(r.x, 3, 8);
    xq_run(q, xq_copy(XQ_SYS, XQ_HBM, 4096));
    xq_check_byte(r.x, r.x->sys, 4096, 0xee);
    rig_free(&r);
}

static void test_flr_in_work(void)
{
    reset_in_work(true);
}

static void test_soft_reset_in_work(void)
{
    reset_in_work(false);
}

static void test_destroy_in_work(void)
{
    Rig r = rig_new();
    XpuQueueQtest *q = work(&r);

    g_assert_cmpuint(xq_queue_destroy(q), ==, ALINK_ST_OK);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).error), ==, ALINK_ST_ABORTED);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).error_index), ==,
                     le32_to_cpu(xq_status(q).head));
    g_assert_cmphex(aq_irqs(r.aq), ==, 1U | 1U << 4);
    check_silence(&r, q);
    xq_run(r.q, nop);
    rig_free(&r);
}

/* Work goes on, with the new translation alone. */
static void test_invalidate_in_work(void)
{
    Rig r = rig_new();
    XpuQueueQtest *q = work(&r);

    xq_map_large(r.x, WORK_VA, XQ_RW | XQ_AP(ALINK_AP_HBM), WORK_LEN,
                 WORK_LEN);
    g_assert_cmpuint(xq_invalidate(r.x), ==, ALINK_ST_OK);
    qtest_memset(r.aq->qts, r.x->hbm, 0xee, WORK_LEN);
    g_assert(!xq_fenced(q));
    xq_wait(q);
    xq_check_byte(r.x, r.x->hbm, WORK_LEN, 0xee);
    g_assert_cmphex(qtest_readl(r.aq->qts, r.x->hbm + WORK_LEN), ==,
                    0x01020300 + WORK_DESCS - 1);
    rig_free(&r);
}

/* Bus mastering goes away in the middle: nothing is lost, nothing is wrong. */
static void test_bus_master_in_work(void)
{
    Rig r = rig_new();
    XpuQueueQtest *q = work(&r);
    uint32_t head;

    aq_command(r.aq, PCI_COMMAND_MASTER, 0);
    g_usleep(20000);
    head = le32_to_cpu(xq_status(q).head);
    g_assert_cmpuint(head, <, WORK_DESCS);
    g_usleep(20000);
    g_assert_cmpuint(le32_to_cpu(xq_status(q).head), ==, head);
    aq_command(r.aq, 0, PCI_COMMAND_MASTER);
    xq_wait(q);
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-error/descriptors", test_bad_descriptors);
    qtest_add_func("/alink/xpu-error/alignment", test_alignment);
    qtest_add_func("/alink/xpu-error/page-fault", test_page_fault);
    qtest_add_func("/alink/xpu-error/fault-behind-a-worker",
                   test_fault_behind_a_worker);
    qtest_add_func("/alink/xpu-error/permission", test_permission);
    qtest_add_func("/alink/xpu-error/bad-tables", test_bad_tables);
    qtest_add_func("/alink/xpu-error/invalidate", test_invalidate);
    qtest_add_func("/alink/xpu-error/bad-dma", test_bad_dma);
    qtest_add_func("/alink/xpu-error/bus-master", test_bus_master);
    qtest_add_func("/alink/xpu-error/poison", test_poison);
    qtest_add_func("/alink/xpu-error/contexts", test_contexts);
    qtest_add_func("/alink/xpu-error/queue-arguments", test_queue_arguments);
    qtest_add_func("/alink/xpu-error/queue-memory", test_queue_memory);
    qtest_add_func("/alink/xpu-error/segment-arguments",
                   test_segment_arguments);
    qtest_add_func("/alink/xpu-error/flr-in-work", test_flr_in_work);
    qtest_add_func("/alink/xpu-error/soft-reset-in-work",
                   test_soft_reset_in_work);
    qtest_add_func("/alink/xpu-error/destroy-in-work", test_destroy_in_work);
    qtest_add_func("/alink/xpu-error/invalidate-in-work",
                   test_invalidate_in_work);
    qtest_add_func("/alink/xpu-error/bus-master-in-work",
                   test_bus_master_in_work);
    return g_test_run();
}
