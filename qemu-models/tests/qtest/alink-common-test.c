/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The common block of ALink functions, on a switch: self test, reset, faults,
 * interrupts and every knob. Rings are in alink-rings-test.c; the registers
 * one by one in alink-contract-test.py.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/pci/pci_regs.h"
#include "alink-qtest.h"

#define SWITCH  AQ_FABRIC "-device alink-switch,id=dut,fabric=fab0,addr=4.0"

/* --- MSI-X --------------------------------------------------------------- */

static void vector_ctrl(AlinkQtest *aq, unsigned vector, uint32_t value)
{
    qpci_io_writel(aq->dev, aq->dev->msix_table_bar, vector *
                   PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL, value);
}

static void test_msix(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint32_t num = aq_rd32(aq, ALINK_REG_NUM_VECTORS), i;

    aq_msix_enable(aq);
    g_assert_cmpuint(num, ==, qpci_msix_table_size(aq->dev));
    for (i = 0; i < num; i++) {
        aq_wr32(aq, ALINK_REG_TEST_IRQ, i);
        g_assert_cmphex(aq_irqs(aq), ==, 1U << i);
    }

    /* What is masked stays pending and fires when it is unmasked. */
    vector_ctrl(aq, 1, PCI_MSIX_ENTRY_CTRL_MASKBIT);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, 1);
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    g_assert(qpci_msix_pending(aq->dev, 1));
    g_assert(!qpci_msix_pending(aq->dev, 0));
    vector_ctrl(aq, 1, 0);
    g_assert_cmphex(aq_irqs(aq), ==, 1U << 1);
    g_assert(!qpci_msix_pending(aq->dev, 1));

    aq_wr32(aq, ALINK_REG_TEST_IRQ, num);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, ~0U);
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    aq_expect_guest_errors(aq, 2);
    aq_stop(aq);
}

/* --- test DMA ------------------------------------------------------------ */

static uint32_t test_dma(AlinkQtest *aq, uint64_t addr, uint32_t len,
                         uint32_t op)
{
    unsigned tries = 100;
    uint32_t status;

    aq_wr64(aq, ALINK_REG_TEST_DMA_ADDR, addr);
    aq_wr32(aq, ALINK_REG_TEST_DMA_LEN, len);
    aq_wr32(aq, ALINK_REG_TEST_DMA_CTRL, op);
    do {
        status = aq_rd32(aq, ALINK_REG_TEST_DMA_STATUS);
        g_assert(tries--);
    } while (status == ALINK_TEST_DMA_BUSY);
    return status;
}

static void check_bytes(AlinkQtest *aq, uint64_t addr, size_t len, int op)
{
    g_autofree uint8_t *buf = g_malloc(len + 16);
    size_t i;

    qtest_memread(aq->qts, addr, buf, len + 16);
    for (i = 0; i < len; i++) {
        uint8_t want = 0x5a + i;

        if (op == ALINK_TEST_DMA_INVERT) {
            want = ~want;
        } else if (op == ALINK_TEST_DMA_CLEAR) {
            want = 0;
        }
        g_assert_cmphex(buf[i], ==, want);
    }
    /* And not a byte more. */
    for (; i < len + 16; i++) {
        g_assert_cmphex(buf[i], ==, 0xee);
    }
}

static void test_dma_good(void)
{
    static const uint32_t lens[] = { 1, 3, 64, 4095, 4096 };
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t buf = aq_alloc(aq, 16384);
    unsigned i, op;

    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_TEST_DMA_STATUS), ==,
                     ALINK_TEST_DMA_IDLE);
    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        uint64_t addr = buf + 4096 - 7 * i;     /* crosses pages, unaligned */

        qtest_memset(aq->qts, buf, 0xee, 16384);
        for (op = ALINK_TEST_DMA_FILL; op <= ALINK_TEST_DMA_CLEAR; op++) {
            g_assert_cmpuint(test_dma(aq, addr, lens[i], op), ==,
                             ALINK_TEST_DMA_DONE);
            check_bytes(aq, addr, lens[i], op);
        }
    }
    aq_stop(aq);
}

static void test_dma_bad(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t buf = aq_alloc(aq, 8192);
    uint64_t bar = aq->bar_addr[0] & ~0xfU;
    const uint64_t refused[] = {
        AQ_NOWHERE,
        ~0ULL - 100,                /* wraps */
        ~0ULL,
        64 * 1024 * 1024 - 2048,    /* begins in RAM, ends beyond */
        bar,                        /* the device's own registers */
        bar + ALINK_REG_RESET,
    };
    unsigned i, op;
    uint8_t byte;

    qtest_memset(aq->qts, 0, 0xee, 4096);
    for (i = 0; i < ARRAY_SIZE(refused); i++) {
        for (op = ALINK_TEST_DMA_FILL; op <= ALINK_TEST_DMA_CLEAR; op++) {
            g_assert_cmpuint(test_dma(aq, refused[i], 4096, op), ==,
                             ALINK_TEST_DMA_ERROR);
        }
    }
    /* What wraps does not come out at the other end. */
    for (i = 0; i < 4096; i++) {
        g_assert_cmphex(qtest_readb(aq->qts, i), ==, 0xee);
    }
    /* Re-entry through the own BAR did nothing. */
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);

    /* Without bus mastering memory stays as it was. */
    qtest_memset(aq->qts, buf, 0xee, 8192);
    aq_command(aq, PCI_COMMAND_MASTER, 0);
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    qtest_memread(aq->qts, buf, &byte, 1);
    g_assert_cmphex(byte, ==, 0xee);
    aq_command(aq, 0, PCI_COMMAND_MASTER);
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_DONE);
    aq_expect_guest_errors(aq, 0);

    /* Lengths and operations that do not exist. */
    g_assert_cmpuint(test_dma(aq, buf, 0, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    g_assert_cmpuint(test_dma(aq, buf, 4097, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    g_assert_cmpuint(test_dma(aq, buf, 0x80000000, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    g_assert_cmpuint(test_dma(aq, buf, ~0U, ALINK_TEST_DMA_INVERT), ==,
                     ALINK_TEST_DMA_ERROR);
    g_assert_cmpuint(test_dma(aq, buf, 64, 0), ==, ALINK_TEST_DMA_ERROR);
    g_assert_cmpuint(test_dma(aq, buf, 64, 4), ==, ALINK_TEST_DMA_ERROR);
    aq_expect_guest_errors(aq, 6);
    aq_stop(aq);
}

/* --- IOMMU --------------------------------------------------------------- */

#define VTD             0xfed90000ULL
#define VTD_GCMD        0x18
#define VTD_GSTS        0x1c
#define VTD_RTADDR      0x20
#define VTD_TE          (1U << 31)
#define VTD_SRTP        (1U << 30)
#define IOVA            0x40001000ULL

/* One page for slot 4 of bus 0, at IOVA; everything else is blocked. */
static uint64_t vtd_tables(AlinkQtest *aq, uint64_t page)
{
    uint64_t root = aq_alloc(aq, 4096), ctx = aq_alloc(aq, 4096);
    uint64_t top = aq_alloc(aq, 4096), mid = aq_alloc(aq, 4096);
    uint64_t leaf = aq_alloc(aq, 4096);

    qtest_writeq(aq->qts, root, ctx | 1);
    qtest_writeq(aq->qts, ctx + 16 * QPCI_DEVFN(4, 0), top | 1);
    qtest_writeq(aq->qts, ctx + 16 * QPCI_DEVFN(4, 0) + 8, 1 | 5 << 8);
    qtest_writeq(aq->qts, top + 8 * (IOVA >> 30), mid | 3);
    qtest_writeq(aq->qts, mid + 8 * (IOVA >> 21 & 511), leaf | 3);
    qtest_writeq(aq->qts, leaf + 8 * (IOVA >> 12 & 511), page | 3);
    return root;
}

static void test_iommu(void)
{
    AlinkQtest *aq = aq_start("-device intel-iommu,aw-bits=39 " SWITCH);
    uint64_t page = aq_alloc(aq, 8192);
    uint64_t root = vtd_tables(aq, page);
    struct alink_admin_cmd cmd = {};
    uint8_t data[16];

    qtest_memset(aq->qts, page, 0xee, 8192);
    aq_admin_enable(aq, 8);
    qtest_writeq(aq->qts, VTD + VTD_RTADDR, root);
    qtest_writel(aq->qts, VTD + VTD_GCMD, VTD_SRTP);
    qtest_writel(aq->qts, VTD + VTD_GCMD, VTD_TE);
    g_assert_cmphex(qtest_readl(aq->qts, VTD + VTD_GSTS) & VTD_TE, !=, 0);

    g_assert_cmpuint(test_dma(aq, IOVA, 4096, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_DONE);
    qtest_memread(aq->qts, page, data, sizeof(data));
    g_assert_cmphex(data[0], ==, 0x5a);
    /* The physical address, and what follows the page, are blocked. */
    g_assert_cmpuint(test_dma(aq, page, 64, ALINK_TEST_DMA_CLEAR), ==,
                     ALINK_TEST_DMA_ERROR);
    g_assert_cmpuint(test_dma(aq, IOVA + 4095, 2, ALINK_TEST_DMA_INVERT), ==,
                     ALINK_TEST_DMA_ERROR);
    g_assert_cmpuint(test_dma(aq, IOVA + 4096, 1, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    qtest_memread(aq->qts, page, data, sizeof(data));
    g_assert_cmphex(data[0], ==, 0x5a);
    qtest_memread(aq->qts, page + 4096, data, sizeof(data));
    g_assert_cmphex(data[0], ==, 0xee);

    /* A ring behind a wall is a fault, no more. */
    aq_admin_submit(aq, &cmd);
    aq_settle(aq);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_FAULTED);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, aq->sq);
    aq_stop(aq);
}

/* Without bus mastering, and in D3hot, rings stand still and lose nothing. */
static void stand_still(AlinkQtest *aq, uint32_t reg, uint16_t stop,
                        uint16_t go)
{
    struct alink_admin_cmd cmd = { .cid = cpu_to_le32(77) };
    struct alink_admin_cpl cpl;
    struct alink_event ev;

    aq_set_int(aq, "x-latency-us", 100);
    aq_admin_submit(aq, &cmd);
    aq_settle(aq);
    qpci_config_writew(aq->dev, reg, stop);
    aq_clock_us(aq, 200);
    aq_set_str(aq, "x-fault", "2176:1");
    g_assert(!qtest_readl(aq->qts, aq->cq + aq->cq_head % aq->admin_size *
                          sizeof(cpl)));
    qpci_config_writew(aq->dev, reg, go);
    g_assert(aq_admin_poll(aq, &cpl));
    g_assert_cmpuint(le32_to_cpu(cpl.cid), ==, 77);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, 2176);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);
}

static void test_standstill(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint8_t pm = qpci_find_capability(aq->dev, PCI_CAP_ID_PM, 0);

    g_assert_cmphex(pm, !=, 0);
    aq_admin_enable(aq, 16);
    aq_event_enable(aq, 16);
    stand_still(aq, PCI_COMMAND, PCI_COMMAND_MEMORY,
                PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    stand_still(aq, pm + PCI_PM_CTRL, 3, 0);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);
    aq_stop(aq);
}

/* --- reset --------------------------------------------------------------- */

static void check_clean(AlinkQtest *aq, uint32_t generation, uint32_t cause)
{
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, generation);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_RESET_CAUSE), ==, cause);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_CONTROL), ==, 0);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_TEST_VALUE), ==, ~0U);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_TEST_DMA_ADDR), ==, 0);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_ADMIN_CTRL), ==, 0);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_ADMIN_SQ_BASE), ==, 0);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_EVENT_CTRL), ==, 0);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==, 0);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, 0);
    g_assert_cmphex(aq_rd32(aq, ALINK_LINK_WINDOW(3) + ALINK_LINK_CTRL), ==,
                    ALINK_LINK_CTRL_ENABLE);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_HEARTBEAT), ==, 0);
}

/* Rings cannot be enabled in state FAULTED, so the fault comes after. */
static void dirty(AlinkQtest *aq)
{
    aq_admin_enable(aq, 4);
    aq_event_enable(aq, 4);
    aq_wr32(aq, ALINK_REG_CONTROL, ALINK_CONTROL_ENABLE);
    aq_wr32(aq, ALINK_REG_TEST_VALUE, 0x1234);
    aq_wr64(aq, ALINK_REG_TEST_DMA_ADDR, 0x123456789abcULL);
    aq_wr32(aq, ALINK_LINK_WINDOW(3) + ALINK_LINK_CTRL, 0);
    aq_clock_us(aq, 5000);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_HEARTBEAT), >=, 5);
    aq_set_str(aq, "x-fault", "384:3:0x1000:7");
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_FAULTED);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==, 384);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, 0x1000);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_INFO), ==, 7);
}

static void test_reset_flr(void)
{
    AlinkQtest *aq = aq_start(SWITCH);

    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_RESET_CAUSE), ==,
                     ALINK_RESET_CAUSE_COLD);
    aq_wr32(aq, ALINK_REG_MAGIC, 0);
    aq_expect_guest_errors(aq, 1);
    dirty(aq);
    aq_flr(aq);
    check_clean(aq, 1, ALINK_RESET_CAUSE_FLR);
    /* The counter of guest errors survived: aq_stop() compares it. */
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GUEST_ERRORS), ==, 1);
    aq_flr(aq);
    check_clean(aq, 2, ALINK_RESET_CAUSE_FLR);
    aq_admin_enable(aq, 8);
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_ADMIN_NOP, 0, NULL, 0), ==,
                     ALINK_ST_OK);
    aq_stop(aq);
}

static void test_reset_soft(void)
{
    AlinkQtest *aq = aq_start(SWITCH);

    aq_msix_enable(aq);
    dirty(aq);
    aq_wr32(aq, ALINK_REG_RESET, 1);
    aq_expect_guest_errors(aq, 1);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    check_clean(aq, 1, ALINK_RESET_CAUSE_SOFT);
    /* Configuration space and MSI-X table stayed. */
    aq_wr32(aq, ALINK_REG_TEST_IRQ, 0);
    g_assert_cmphex(aq_irqs(aq), ==, 1);
    aq_stop(aq);
}

static void test_reset_machine(void)
{
    AlinkQtest *aq = aq_start(SWITCH);

    aq_wr32(aq, ALINK_REG_MAGIC, 0);
    aq_expect_guest_errors(aq, 1);
    dirty(aq);
    qtest_system_reset(aq->qts);
    aq_restore_config(aq);
    check_clean(aq, 1, ALINK_RESET_CAUSE_COLD);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GUEST_ERRORS), ==, 0);
    aq->guest_errors = 0;
    aq_stop(aq);
}

/* A reset that takes its time: no DMA and no ring before it is over. */
static void test_reset_slow(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t buf = aq_alloc(aq, 4096);

    aq_set_int(aq, "x-reset-us", 500);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_RESET);
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    aq_wr64(aq, ALINK_REG_EVENT_BASE, buf);
    aq_wr32(aq, ALINK_REG_EVENT_SIZE, 16);
    aq_wr32(aq, ALINK_REG_EVENT_CTRL, 1);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_EVENT_CTRL), ==, 0);
    aq_expect_guest_errors(aq, 1);
    aq_clock_us(aq, 400);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_RESET);
    aq_clock_us(aq, 101);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_DONE);
    aq_stop(aq);
}

/* --- knobs --------------------------------------------------------------- */

static void test_dead(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t buf = aq_alloc(aq, 4096);
    struct alink_admin_cmd cmd = {};
    struct alink_admin_cpl cpl;
    struct alink_event ev;

    aq_msix_enable(aq);
    aq_admin_enable(aq, 16);
    aq_event_enable(aq, 16);
    aq_wr32(aq, ALINK_REG_CONTROL, 1);
    aq_set_int(aq, "x-latency-us", 1000);
    aq_admin_submit(aq, &cmd);
    aq_settle(aq);
    aq_set_bool(aq, "x-dead", true);

    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, ~0U);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_CAPS), ==, ~0ULL);
    g_assert_cmphex(aq_rd32(aq, ALINK_LINK_WINDOW(0)), ==, ~0U);
    g_assert_cmphex(aq_rd32(aq, 0xffffc), ==, ~0U);
    g_assert_cmphex(qpci_config_readl(aq->dev, 0), ==, ~0U);
    g_assert_cmphex(qpci_config_readw(aq->dev, PCI_COMMAND), ==, 0xffff);
    g_assert_cmphex(qpci_io_readl(aq->dev, aq->dev->msix_table_bar, 0), ==,
                    ~0U);
    aq_wr32(aq, ALINK_REG_CONTROL, 0);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, 0);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    qpci_config_writew(aq->dev, PCI_COMMAND, 0);
    aq_set_int(aq, "temp", 99000);
    aq_clock_us(aq, 5000);
    g_assert(!aq_event_poll(aq, &ev));
    g_assert(!aq_admin_poll(aq, &cpl));
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    aq_set_str_bad(aq, "x-fault", "384:3");

    aq_set_bool(aq, "x-dead", false);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, ALINK_MAGIC);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_CONTROL), ==, 1);
    g_assert_cmphex(qpci_config_readw(aq->dev, PCI_COMMAND), !=, 0);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);
    /* It is back, and does no DMA before somebody allows it again. */
    g_assert_cmphex(qpci_config_readw(aq->dev, PCI_COMMAND) &
                    PCI_COMMAND_MASTER, ==, 0);
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    qpci_config_writew(aq->dev, PCI_COMMAND,
                       qpci_config_readw(aq->dev, PCI_COMMAND) |
                       PCI_COMMAND_MASTER);
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_DONE);
    aq_stop(aq);
}

static void test_dead_from_start(void)
{
    QTestState *qts = qtest_init("-M q35 -nodefaults " SWITCH ",x-dead=on");

    qtest_outl(qts, 0xcf8, 0x80000000 | 4 << 11);
    g_assert_cmphex(qtest_inl(qts, 0xcfc), ==, ~0U);
    qtest_quit(qts);
}

static void test_identity_knobs(void)
{
    AlinkQtest *aq = aq_start(SWITCH);

    aq_set_int(aq, "x-bad-magic", 0x21212121);
    aq_set_int(aq, "x-bad-version", 0x00020000);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, 0x21212121);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_VERSION), ==, 0x00020000);
    aq_set_int(aq, "x-bad-magic", 0);
    aq_set_int(aq, "x-bad-version", 0);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, ALINK_MAGIC);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_VERSION), ==, 0x00010000);

    aq_clock_us(aq, 3000);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_HEARTBEAT), >=, 3);
    aq_set_bool(aq, "x-heartbeat-stuck", true);
    aq_clock_us(aq, 3000);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_HEARTBEAT), ==, 0);
    aq_stop(aq);
}

static void test_selftest_knobs(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t buf = aq_alloc(aq, 4096);
    uint8_t data[64];
    unsigned i, wrong = 0;

    aq_msix_enable(aq);
    aq_set_str(aq, "x-fail-selftest", "value+irq+dma");
    aq_wr32(aq, ALINK_REG_TEST_VALUE, 0x55aa55aa);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_TEST_VALUE), !=, 0xaa55aa55);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, 0);
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_DONE);
    qtest_memread(aq->qts, buf, data, sizeof(data));
    for (i = 0; i < sizeof(data); i++) {
        wrong += data[i] != (uint8_t)(0x5a + i);
    }
    g_assert_cmpuint(wrong, ==, 1);

    aq_set_str_bad(aq, "x-fail-selftest", "value+everything");
    aq_set_str(aq, "x-fail-selftest", "none");
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_TEST_VALUE), ==, 0xaa55aa55);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, 0);
    g_assert_cmphex(aq_irqs(aq), ==, 1);
    aq_stop(aq);
}

static void test_lose_irqs(void)
{
    AlinkQtest *aq = aq_start(SWITCH);

    aq_msix_enable(aq);
    aq_set_int(aq, "x-lose-irqs", 2);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, 0);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, 1);
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, 1);
    g_assert_cmphex(aq_irqs(aq), ==, 2);
    aq_stop(aq);
}

static void test_partial_dma(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t buf = aq_alloc(aq, 4096);
    uint8_t data[64];

    qtest_memset(aq->qts, buf, 0xee, 64);
    aq_set_int(aq, "x-partial-dma", 10);
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    qtest_memread(aq->qts, buf, data, sizeof(data));
    g_assert_cmphex(data[9], ==, 0x5a + 9);
    g_assert_cmphex(data[10], ==, 0xee);
    /* Once. */
    g_assert_cmpuint(test_dma(aq, buf, 64, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_DONE);
    aq_stop(aq);
}

static void test_sensors(void)
{
    AlinkQtest *aq = aq_start(SWITCH ",power=123456");
    int32_t limit = aq_rd32(aq, ALINK_REG_TEMP_MAX);
    struct alink_event ev;

    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_POWER), ==, 123456);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_TEMP_MEM), ==, ALINK_SENSOR_NONE);
    aq_event_enable(aq, 16);
    aq_set_int(aq, "temp", -5000);
    g_assert_cmpint((int32_t)aq_rd32(aq, ALINK_REG_TEMP), ==, -5000);
    aq_set_int(aq, "temp", limit);
    g_assert(!aq_event_poll(aq, &ev));
    aq_set_int(aq, "temp", limit + 1);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_THERMAL);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, 0);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, 1);
    g_assert_cmpuint(le32_to_cpu(ev.info), ==, limit + 1);
    aq_set_int(aq, "temp", limit + 2);
    g_assert(!aq_event_poll(aq, &ev));
    aq_set_int(aq, "temp", limit);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, 0);
    aq_stop(aq);
}

/* --- faults -------------------------------------------------------------- */

static void test_fault_record(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    struct alink_event ev;

    aq_event_enable(aq, 16);
    aq_set_str(aq, "x-fault", "2176:1:0x123456789:5");
    aq_set_str(aq, "x-fault", "2177:2");
    /* The first one stays, both are events. */
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==, 2176);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CLASS), ==,
                     ALINK_RECOVERY_RETRY);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, 0x123456789);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_INFO), ==, 5);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_FAULT);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, 2176);
    g_assert_cmpuint(le32_to_cpu(ev.info), ==, ALINK_RECOVERY_RETRY);
    g_assert_cmphex(le64_to_cpu(ev.addr), ==, 0x123456789);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, 2177);

    aq_wr32(aq, ALINK_REG_FAULT_ACK, 2177);
    aq_expect_guest_errors(aq, 1);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==, 2176);
    aq_wr32(aq, ALINK_REG_FAULT_ACK, 2176);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==, 0);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_INFO), ==, 0);
    aq_wr32(aq, ALINK_REG_FAULT_ACK, 0);
    aq_expect_guest_errors(aq, 1);

    /* Leaving FAULTED takes a reset. */
    aq_set_str(aq, "x-fault", "384:3");
    aq_wr32(aq, ALINK_REG_FAULT_ACK, 384);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_FAULTED);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);

    aq_set_str_bad(aq, "x-fault", "384");
    aq_set_str_bad(aq, "x-fault", "384:9");
    aq_set_str_bad(aq, "x-fault", "0:1");
    aq_set_str_bad(aq, "x-fault", "384:3:zero");
    aq_stop(aq);
}

/* Extended configuration space through the q35 window. */
static uint64_t ecam(AlinkQtest *aq, uint32_t offset)
{
    qtest_outl(aq->qts, 0xcf8, 0x80000060);
    qtest_outl(aq->qts, 0xcfc, 0xb0000001);
    return 0xb0000000 + (QPCI_DEVFN(4, 0) << 12) + offset;
}

static void test_aer(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t aer = ecam(aq, 0x100);

    g_assert_cmphex(qtest_readl(aq->qts, aer) & 0xffff, ==,
                    PCI_EXT_CAP_ID_ERR);
    aq_set_str(aq, "x-aer-inject", "correctable");
    g_assert_cmphex(qtest_readl(aq->qts, aer + PCI_ERR_COR_STATUS), ==,
                    PCI_ERR_COR_RCVR);
    aq_set_str(aq, "x-aer-inject", "nonfatal");
    g_assert_cmphex(qtest_readl(aq->qts, aer + PCI_ERR_UNCOR_STATUS), ==,
                    PCI_ERR_UNC_COMP_TIME);
    /* Sticky over FLR, cleared by writing ones. */
    aq_flr(aq);
    g_assert_cmphex(qtest_readl(aq->qts, aer + PCI_ERR_UNCOR_STATUS), ==,
                    PCI_ERR_UNC_COMP_TIME);
    qtest_writel(aq->qts, aer + PCI_ERR_UNCOR_STATUS, PCI_ERR_UNC_COMP_TIME);
    qtest_writel(aq->qts, aer + PCI_ERR_COR_STATUS, PCI_ERR_COR_RCVR);
    g_assert_cmphex(qtest_readl(aq->qts, aer + PCI_ERR_UNCOR_STATUS), ==, 0);
    g_assert_cmphex(qtest_readl(aq->qts, aer + PCI_ERR_COR_STATUS), ==, 0);
    aq_set_str(aq, "x-aer-inject", "fatal");
    g_assert_cmphex(qtest_readl(aq->qts, aer + PCI_ERR_UNCOR_STATUS), ==,
                    PCI_ERR_UNC_MALF_TLP);
    aq_set_str_bad(aq, "x-aer-inject", "harmless");
    qtest_system_reset(aq->qts);
    aer = ecam(aq, 0x100);
    g_assert_cmphex(qtest_readl(aq->qts, aer + PCI_ERR_UNCOR_STATUS), ==, 0);
    aq_restore_config(aq);
    aq_stop(aq);
}

/* --- anything at all ----------------------------------------------------- */

/*
 * Random accesses, with rings and self test thrown in, from a fixed seed. The
 * device must stay sane, and be as new after a reset.
 */
static void test_storm(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    GRand *rand = g_rand_new_with_seed(20260107);
    uint64_t buf = aq_alloc(aq, 65536);
    unsigned i;

    for (i = 0; i < 20000; i++) {
        uint32_t reg = g_rand_int_range(rand, 0, 0x200) & ~3U;
        uint64_t value = g_rand_int(rand);

        switch (g_rand_int_range(rand, 0, 6)) {
        case 0:
            value = buf + (value & 0xf000);
            break;
        case 1:
            value = 1U << (value & 15);
            break;
        case 2:
            value &= 1;
            break;
        }
        if (g_rand_int_range(rand, 0, 8) == 0) {
            reg = g_rand_int_range(rand, 0, ALINK_BAR0_SIZE - 8);
        }
        switch (g_rand_int_range(rand, 0, 4)) {
        case 0:
            qpci_io_writeq(aq->dev, aq->bar0, reg, value);
            break;
        case 1:
            qpci_io_readq(aq->dev, aq->bar0, reg & ~7U);
            break;
        default:
            aq_wr32(aq, reg, value);
        }
    }
    g_rand_free(rand);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    aq->guest_errors = aq_rd32(aq, ALINK_REG_GUEST_ERRORS);
    g_assert_cmpuint(aq->guest_errors, >, 100);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    aq_admin_enable(aq, 8);
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_ADMIN_NOP, 0, NULL, 0), ==,
                     ALINK_ST_OK);
    aq_stop(aq);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/common/msix", test_msix);
    qtest_add_func("/alink/common/dma/good", test_dma_good);
    qtest_add_func("/alink/common/dma/bad", test_dma_bad);
    qtest_add_func("/alink/common/dma/partial", test_partial_dma);
    qtest_add_func("/alink/common/iommu", test_iommu);
    qtest_add_func("/alink/common/standstill", test_standstill);
    qtest_add_func("/alink/common/reset/flr", test_reset_flr);
    qtest_add_func("/alink/common/reset/soft", test_reset_soft);
    qtest_add_func("/alink/common/reset/machine", test_reset_machine);
    qtest_add_func("/alink/common/reset/slow", test_reset_slow);
    qtest_add_func("/alink/common/dead", test_dead);
    qtest_add_func("/alink/common/dead-from-start", test_dead_from_start);
    qtest_add_func("/alink/common/knobs/identity", test_identity_knobs);
    qtest_add_func("/alink/common/knobs/selftest", test_selftest_knobs);
    qtest_add_func("/alink/common/knobs/lose-irqs", test_lose_irqs);
    qtest_add_func("/alink/common/sensors", test_sensors);
    qtest_add_func("/alink/common/fault", test_fault_record);
    qtest_add_func("/alink/common/aer", test_aer);
    qtest_add_func("/alink/common/storm", test_storm);
    return g_test_run();
}
