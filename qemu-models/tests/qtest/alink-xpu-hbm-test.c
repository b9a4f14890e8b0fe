/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: HBM as such: what clearing leaves, what sleep takes, and the table
 * of retired pages.
 */
#include "qemu/osdep.h"
#include "hw/pci/pci_regs.h"
#include "xpu-qtest.h"

#define START   AQ_FABRIC XQ_DEVICE

/* --- clearing ------------------------------------------------------------ */

/* Zeros in the range and nowhere else, whatever pages it covers. */
static void test_clear(void)
{
    static const struct {
        uint64_t at, len;
    } c[] = {
        { 0, 4 }, { 4092, 8 }, { 4096, 4096 }, { 0, 256 << 10 },
        { 0, (256 << 10) + 4096 }, { 4, 1 << 20 }, { 4092, (1 << 20) + 8 },
        { 8192, 2 << 20 }, { (1 << 20) + 12, (4 << 20) - 8 },
    };
    const uint64_t area = 6 << 20;
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(c); i++) {
        uint64_t end = c[i].at + c[i].len;

        qtest_memset(aq->qts, x->hbm, 0xee, area);
        /* Only the low 32 bits of the operand count. */
        xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM + c[i].at, 1ULL << 32,
                          c[i].len));
        xq_check_byte(x, x->hbm, c[i].at, 0xee);
        xq_check_byte(x, x->hbm + c[i].at, c[i].len, 0);
        xq_check_byte(x, x->hbm + end, area - end, 0xee);
    }
    /* To the very end of HBM, and by the engine that reads. */
    qtest_memset(aq->qts, x->hbm + XQ_HBM_SIZE - (1 << 20), 0xee, 1 << 20);
    xq_run(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, XQ_HBM_SIZE));
    qtest_memset(aq->qts, x->sys, 0xee, 1 << 20);
    xq_run(q, xq_copy(XQ_SYS, XQ_HBM + XQ_HBM_SIZE - (1 << 20), 1 << 20));
    xq_check_byte(x, x->sys, 1 << 20, 0);
    xq_free(x);
    aq_stop(aq);
}

/* What was cleared takes data as before. */
static void test_write_after_clear(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);

    xq_pattern(x, x->hbm, 2 << 20, 3);
    xq_put(q, xq_desc(ALINK_XPU_OP_FILL, XQ_HBM, 0, 2 << 20));
    xq_put(q, xq_copy(XQ_HBM + 12288, XQ_HBM + (2 << 20), 4096));
    xq_pattern(x, x->hbm + (2 << 20), 4096, 4);
    xq_ring(q);
    xq_wait(q);
    xq_check_byte(x, x->hbm, 12288, 0);
    xq_check(x, x->hbm + 12288, 4096, 4);
    xq_check_byte(x, x->hbm + 16384, (2 << 20) - 16384, 0);
    xq_free(x);
    aq_stop(aq);
}

/* --- sleep --------------------------------------------------------------- */

static void to_d3_and_back(AlinkQtest *aq)
{
    uint8_t pm = qpci_find_capability(aq->dev, PCI_CAP_ID_PM, 0);

    g_assert_cmphex(pm, !=, 0);
    qpci_config_writew(aq->dev, pm + PCI_PM_CTRL, 3);
    /* Once there, it has nothing more to lose. */
    qpci_config_writew(aq->dev, pm + PCI_PM_CTRL, 3);
    qpci_config_writew(aq->dev, pm + PCI_PM_CTRL, 0);
}

/* D3hot takes what is in HBM, and no more: queues and tables are as they were. */
static void test_sleep(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);
    XpuQueueQtest *q = xq_queue(x, 0, 8);
    uint64_t end = x->hbm + XQ_HBM_SIZE - 65536;

    xq_pattern(x, x->hbm, 1 << 20, 5);
    xq_pattern(x, end, 65536, 5);
    to_d3_and_back(aq);
    xq_check_byte(x, x->hbm, 1 << 20, 0);
    xq_check_byte(x, end, 65536, 0);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);

    xq_pattern(x, x->sys, 1 << 20, 6);
    xq_run(q, xq_copy(XQ_HBM + 4096, XQ_SYS, 1 << 20));
    xq_check(x, x->hbm + 4096, 1 << 20, 6);

    aq_set_bool(aq, "x-lose-hbm", false);
    to_d3_and_back(aq);
    xq_check(x, x->hbm + 4096, 1 << 20, 6);
    aq_set_bool(aq, "x-lose-hbm", true);
    to_d3_and_back(aq);
    xq_check_byte(x, x->hbm + 4096, 1 << 20, 0);
    xq_free(x);
    aq_stop(aq);
}

/* Memory that was known bad is not, once it has lost its power. */
static void test_sleep_of_bad_memory(void)
{
    AlinkQtest *aq = aq_start(START);
    XpuQtest *x = xq_new(aq);

    aq_set_int(aq, "x-ecc-poison-addr", 8192);
    xq_run_bad(xq_queue(x, 0, 8), xq_copy(XQ_SYS, XQ_HBM + 8192, 4096),
               ALINK_ST_POISON, XQ_HBM + 8192);
    aq_wr32(aq, ALINK_REG_FAULT_ACK, ALINK_FAULT_HBM_ECC);
    to_d3_and_back(aq);
    xq_run(xq_queue(x, 1, 8), xq_copy(XQ_SYS, XQ_HBM + 8192, 4096));
    xq_free(x);
    aq_stop(aq);
}

/* --- retired pages ------------------------------------------------------- */

static uint16_t retire(AlinkQtest *aq, uint64_t addr, uint32_t cause,
                       uint32_t reserved)
{
    struct alink_xpu_page page = {
        .addr = cpu_to_le64(addr),
        .time = cpu_to_le64(1764180000 + addr / 4096),
        .cause = cpu_to_le32(cause),
        .reserved = cpu_to_le32(reserved),
    };

    return aq_admin_tlv(aq, ALINK_XPU_ADMIN_PAGE_RETIRE, ALINK_TLV_XPU_PAGE,
                        &page, sizeof(page));
}

/* The table has the pages 1, 3, 5, ..., in this order, and no other. */
static void check_table(AlinkQtest *aq, unsigned num)
{
    const uint32_t span = ALINK_TLV_SPAN(sizeof(struct alink_xpu_page));
    struct alink_admin_cpl cpl;
    unsigned i;

    cpl = aq_admin(aq, ALINK_XPU_ADMIN_PAGE_LIST, NULL, 0, 4096);
    g_assert_cmpuint(le16_to_cpu(cpl.status), ==, ALINK_ST_OK);
    g_assert_cmpuint(le32_to_cpu(cpl.resp_len), ==, num * span);
    for (i = 0; i < num; i++) {
        uint64_t at = aq->resp + i * span;
        struct alink_xpu_page page;
        struct alink_tlv tlv;

        qtest_memread(aq->qts, at, &tlv, sizeof(tlv));
        qtest_memread(aq->qts, at + sizeof(tlv), &page, sizeof(page));
        g_assert_cmpuint(le16_to_cpu(tlv.type), ==, ALINK_TLV_XPU_PAGE);
        g_assert_cmpuint(le16_to_cpu(tlv.len), ==, sizeof(page));
        g_assert_cmphex(le64_to_cpu(page.addr), ==, (2 * i + 1) * 4096);
        g_assert_cmpuint(le64_to_cpu(page.time), ==, 1764180000 + 2 * i + 1);
        g_assert_cmpuint(le32_to_cpu(page.cause), ==, ALINK_XPU_RETIRE_ECC);
        g_assert_cmpuint(page.reserved, ==, 0);
    }
}

static void test_retire(void)
{
    AlinkQtest *aq = aq_start(START);
    struct alink_admin_cpl cpl;
    unsigned i;

    g_assert(aq_rd64(aq, ALINK_REG_CAPS) & ALINK_CAP_RETIRE);
    aq_admin_enable(aq, 16);
    check_table(aq, 0);
    for (i = 0; i < ALINK_XPU_MAX_RETIRED; i++) {
        g_assert_cmpuint(retire(aq, (2 * i + 1) * 4096, 1, 0), ==,
                         ALINK_ST_OK);
        if (i % 16 == 0) {
            check_table(aq, i + 1);
            g_assert_cmpuint(retire(aq, 4096, 1, 0), ==, ALINK_ST_EXISTS);
        }
    }
    g_assert_cmpuint(retire(aq, 0, 1, 0), ==, ALINK_ST_NO_ROOM);
    g_assert_cmpuint(retire(aq, 4096, 1, 0), ==, ALINK_ST_EXISTS);
    check_table(aq, ALINK_XPU_MAX_RETIRED);

    /* A response too short has nothing in it, and says what it takes. */
    cpl = aq_admin(aq, ALINK_XPU_ADMIN_PAGE_LIST, NULL, 0, 100);
    g_assert_cmpuint(le16_to_cpu(cpl.status), ==, ALINK_ST_NO_ROOM);
    g_assert_cmpuint(le32_to_cpu(cpl.resp_len), ==, ALINK_XPU_MAX_RETIRED *
                     ALINK_TLV_SPAN(sizeof(struct alink_xpu_page)));
    aq_stop(aq);
}

static void test_retire_arguments(void)
{
    static const struct {
        uint64_t addr;
        uint32_t cause, reserved;
    } c[] = {
        { 1, 1, 0 }, { 2048, 1, 0 }, { XQ_HBM_SIZE, 1, 0 }, { ~4095ULL, 1, 0 },
        { 4096, 0, 0 }, { 4096, 2, 0 }, { 4096, ~0U, 0 }, { 4096, 1, 1 },
    };
    AlinkQtest *aq = aq_start(START);
    unsigned i;

    aq_admin_enable(aq, 16);
    for (i = 0; i < ARRAY_SIZE(c); i++) {
        g_assert_cmpuint(retire(aq, c[i].addr, c[i].cause, c[i].reserved), ==,
                         ALINK_ST_BAD_FIELD);
        aq_expect_guest_errors(aq, 1);
    }
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_XPU_ADMIN_PAGE_RETIRE, 0, NULL, 0),
                     ==, ALINK_ST_TLV);
    aq_expect_guest_errors(aq, 1);
    check_table(aq, 0);
    aq_stop(aq);
}

/* Nothing that resets the device makes it forget. */
static void test_retire_is_for_ever(void)
{
    AlinkQtest *aq = aq_start(START);

    aq_admin_enable(aq, 16);
    g_assert_cmpuint(retire(aq, 4096, 1, 0), ==, ALINK_ST_OK);
    aq_flr(aq);
    aq_admin_enable(aq, 16);
    check_table(aq, 1);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    aq_admin_enable(aq, 16);
    g_assert_cmpuint(retire(aq, 3 * 4096, 1, 0), ==, ALINK_ST_OK);
    check_table(aq, 2);
    qtest_system_reset(aq->qts);
    aq_restore_config(aq);
    aq_admin_enable(aq, 16);
    check_table(aq, 2);
    g_assert_cmpuint(retire(aq, 4096, 1, 0), ==, ALINK_ST_EXISTS);
    aq_stop(aq);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-hbm/clear", test_clear);
    qtest_add_func("/alink/xpu-hbm/write-after-clear", test_write_after_clear);
    qtest_add_func("/alink/xpu-hbm/sleep", test_sleep);
    qtest_add_func("/alink/xpu-hbm/sleep-of-bad-memory",
                   test_sleep_of_bad_memory);
    qtest_add_func("/alink/xpu-hbm/retire", test_retire);
    qtest_add_func("/alink/xpu-hbm/retire-arguments", test_retire_arguments);
    qtest_add_func("/alink/xpu-hbm/retire-is-for-ever",
                   test_retire_is_for_ever);
    return g_test_run();
}
