/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: variants, contexts, page tables, queues, each opcode on local
 * memory, typed errors, faults. alink-xpu-fabric-test.c has two xPUs.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/pci/pci_regs.h"
#include "xpu-qtest.h"

#define START   AQ_FABRIC XQ_DEVICE

static struct alink_xpu_desc copy(uint64_t dst, uint64_t src, uint64_t len)
{
    return (struct alink_xpu_desc) {
        .opcode = ALINK_XPU_OP_COPY, .dst = cpu_to_le64(dst),
        .src = cpu_to_le64(src), .len = cpu_to_le64(len),
    };
}

static const struct alink_xpu_desc nop = { .opcode = ALINK_XPU_OP_NOP };

/* --- copies ------------------------------------------------------------------ */

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
        xq_run(q, copy(XQ_HBM + 4091, XQ_SYS + 5, len));
        xq_check_byte(x, x->hbm, 4091, 0xee);
        xq_check(x, x->hbm + 4091, len, i);
        xq_check_byte(x, x->hbm + 4091 + len, 4096, 0xee);
        xq_run(q, copy(XQ_HBM + (4 << 20) + 3, XQ_HBM + 4091, len));
        xq_check(x, x->hbm + (4 << 20) + 3, len, i);
        xq_run(q, copy(XQ_SYS + (2 << 20) + 9, XQ_HBM + (4 << 20) + 3, len));
        xq_check_byte(x, x->sys + (2 << 20), 9, 0xee);
        xq_check(x, x->sys + (2 << 20) + 9, len, i);
    }
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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu/nop", test_nop);
    qtest_add_func("/alink/xpu/copy", test_copy);
    return g_test_run();
}
