/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no guest may do to a device model, tried on each of them: DMA that comes
 * back to registers or configuration space, DMA to nowhere, indices, lengths
 * and access sizes out of range, work in flight when bus mastering, power or
 * the device goes. What only queues of one device can do is in its own test.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "hw/pci/pci_regs.h"
#include "alink-qtest.h"

#include <hw/alink/cmis.h>
#include <hw/alink/optics.h>

/* Registers of q35's host bridge */
#define PCIEXBAR        0x60
#define ECAM            0xb0000000ULL
#define ECAM_PAGE(bus, slot) (ECAM + ((bus) << 20 | (slot) << 15))

#define PEER    "-device alink-switch,id=peer,fabric=fab0,plane=3,addr=6.0"

typedef struct Model {
    const char *name;
    const char *before;     /* what is there for it */
    const char *device;     /* without id and place */
    const char *after;
} Model;

static const Model models[] = {
    { "xpu", "", "alink-xpu,fabric=fab0,endpoint=0,hbm-size=16777216", "" },
    { "switch", "", "alink-switch,fabric=fab0,plane=0", "" },
    { "optics", "", "alink-optics,fabric=fab0", "-device alink-cmis,bus=dut.0" },
    { "nic", "-netdev hubport,id=n0,hubid=0", "alink-nic,netdev=n0", "" },
};

static char *arguments(const Model *m, const char *place, const char *more)
{
    return g_strdup_printf(AQ_FABRIC "%s -device %s,id=dut,%s %s %s",
                           m->before, m->device, place, m->after, more);
}

static AlinkQtest *start(const Model *m)
{
    g_autofree char *args = arguments(m, "addr=4.0", PEER);

    return aq_start(args);
}

static AlinkQtest *start_behind_port(const Model *m)
{
    g_autofree char *args = arguments(m, "bus=rp", "");

    return aq_start_behind_port(args);
}

static uint32_t test_dma(AlinkQtest *aq, uint64_t addr, uint32_t len, int op)
{
    aq_wr64(aq, ALINK_REG_TEST_DMA_ADDR, addr);
    aq_wr32(aq, ALINK_REG_TEST_DMA_LEN, len);
    aq_wr32(aq, ALINK_REG_TEST_DMA_CTRL, op);
    aq_settle(aq);
    return aq_rd32(aq, ALINK_REG_TEST_DMA_STATUS);
}

/* It still does what it is asked for. */
static void works(AlinkQtest *aq)
{
    aq_admin_enable(aq, 8);
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_ADMIN_NOP, 0, NULL, 0), ==,
                     ALINK_ST_OK);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_READY);
}

/* --- DMA that is refused ---------------------------------------------------- */

static void ring_refused(AlinkQtest *aq, uint64_t addr)
{
    aq_settle(aq);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_FAULTED);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==,
                     ALINK_FAULT_CP_BAD_COMMAND);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, addr);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
}

/* One of the two admin rings is at @addr. */
static void admin_refused(AlinkQtest *aq, uint32_t reg, uint64_t addr)
{
    aq_admin_enable(aq, 8);
    aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 0);
    aq_wr64(aq, reg, addr);
    aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 1);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 1);
    ring_refused(aq, addr);
}

static void command_refused(AlinkQtest *aq, uint64_t req, uint64_t resp)
{
    struct alink_admin_cmd cmd = {
        .opcode = cpu_to_le16(ALINK_ADMIN_IDENTIFY),
        .req_addr = cpu_to_le64(req),
        .resp_addr = cpu_to_le64(resp),
        .req_len = cpu_to_le32(req ? 64 : 0),
        .resp_len = cpu_to_le32(4096),
    };

    g_assert_cmpuint(le16_to_cpu(aq_admin_raw(aq, &cmd).status), ==,
                     ALINK_ST_DMA);
}

/* All that every function reads and writes, @addr being on a page. */
static void all_refused(AlinkQtest *aq, uint64_t addr)
{
    uint32_t generation = aq_rd32(aq, ALINK_REG_GENERATION);
    unsigned op;

    for (op = ALINK_TEST_DMA_FILL; op <= ALINK_TEST_DMA_CLEAR; op++) {
        g_assert_cmpuint(test_dma(aq, addr, 4096, op), ==,
                         ALINK_TEST_DMA_ERROR);
    }
    aq_admin_enable(aq, 8);
    command_refused(aq, addr, aq->resp);
    command_refused(aq, 0, addr);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, generation);

    admin_refused(aq, ALINK_REG_ADMIN_SQ_BASE, addr);
    admin_refused(aq, ALINK_REG_ADMIN_CQ_BASE, addr);
    aq_event_enable(aq, 8);
    aq_wr32(aq, ALINK_REG_EVENT_CTRL, 0);
    aq_wr64(aq, ALINK_REG_EVENT_BASE, addr);
    aq_wr32(aq, ALINK_REG_EVENT_CTRL, 1);
    aq_set_str(aq, "x-fault", "2176:1");
    aq_wr32(aq, ALINK_REG_FAULT_ACK, 2176);
    aq_settle(aq);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_EVENT_CTRL), ==, 0);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==, ALINK_STATE_FAULTED);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, generation + 3);
    works(aq);
}

static void test_nowhere(const void *m)
{
    AlinkQtest *aq = start(m);

    all_refused(aq, AQ_NOWHERE);
    /* The last page there is: what follows it is not the first. */
    all_refused(aq, ~0xfffULL);
    aq_stop(aq);
}

/* Registers and MSI-X table of the device itself */
static void test_own_registers(const void *m)
{
    AlinkQtest *aq = start(m);

    aq_wr32(aq, ALINK_REG_CONTROL, ALINK_CONTROL_ENABLE);
    all_refused(aq, aq->bar_addr[ALINK_BAR_REGS] & ~0xfU);
    all_refused(aq, aq->bar_addr[ALINK_BAR_MSIX] & ~0xfU);
    aq_stop(aq);
}

static void enable_ecam(AlinkQtest *aq)
{
    QPCIDevice *mch = qpci_device_find(aq->bus, 0);

    qpci_config_writel(mch, PCIEXBAR + 4, 0);
    qpci_config_writel(mch, PCIEXBAR, ECAM | 1);
    g_free(mch);
}

/* A word of configuration space, which DMA would change, stays as it is. */
static void word_stays(AlinkQtest *aq, QPCIDevice *dev, uint64_t page,
                       unsigned reg)
{
    uint16_t was = qpci_config_readw(dev, reg);

    g_assert_cmphex(qtest_readw(aq->qts, page + reg), ==, was);
    g_assert_cmpuint(test_dma(aq, page + reg, 2, ALINK_TEST_DMA_INVERT), ==,
                     ALINK_TEST_DMA_ERROR);
    /* What begins in front of it gets there no more than what begins in it. */
    g_assert_cmpuint(test_dma(aq, page + reg - 1, 3, ALINK_TEST_DMA_CLEAR), ==,
                     ALINK_TEST_DMA_ERROR);
    g_assert_cmphex(qpci_config_readw(dev, reg), ==, was);
}

/*
 * Configuration space: with it a function would reset itself, stop its own DMA
 * or send itself to sleep, each in the middle of what it does.
 */
static void test_own_config(const void *m)
{
    AlinkQtest *aq = start(m);
    uint64_t page = ECAM_PAGE(0, 4);
    uint8_t exp = qpci_find_capability(aq->dev, PCI_CAP_ID_EXP, 0);
    uint8_t pm = qpci_find_capability(aq->dev, PCI_CAP_ID_PM, 0);

    enable_ecam(aq);
    word_stays(aq, aq->dev, page, exp + PCI_EXP_DEVCTL);
    word_stays(aq, aq->dev, page, pm + PCI_PM_CTRL);
    word_stays(aq, aq->dev, page, PCI_COMMAND);
    /* From what is nowhere into it */
    g_assert_cmpuint(test_dma(aq, ECAM - 2048, 4096, ALINK_TEST_DMA_FILL), ==,
                     ALINK_TEST_DMA_ERROR);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);
    all_refused(aq, page);
    aq_stop(aq);
}

/* The port above: bus reset, and power off, which unplugs the device */
static void test_port_config(const void *m)
{
    AlinkQtest *aq = start_behind_port(m);
    QPCIDevice *rp = qpci_device_find(aq->bus, QPCI_DEVFN(3, 0));
    uint8_t exp = qpci_find_capability(rp, PCI_CAP_ID_EXP, 0);
    uint64_t page = ECAM_PAGE(0, 3);

    enable_ecam(aq);
    word_stays(aq, rp, page, PCI_BRIDGE_CONTROL);
    word_stays(aq, rp, page, exp + PCI_EXP_SLTCTL);
    word_stays(aq, aq->dev, ECAM_PAGE(1, 0), PCI_COMMAND);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);
    works(aq);
    g_free(rp);
    aq_stop(aq);
}

/* --- DMA to a peer: it takes what it takes -------------------------------------- */

static void test_peer(const void *m)
{
    AlinkQtest *aq = start(m);
    AlinkQtest *peer = aq_second(aq, 6, "peer");
    uint64_t bar = peer->bar_addr[0] & ~0xfU;
    struct alink_admin_cmd cmd = {
        .opcode = cpu_to_le16(ALINK_ADMIN_IDENTIFY),
        .resp_addr = cpu_to_le64(bar + ALINK_REG_CONTROL),
        .resp_len = cpu_to_le32(4096),
    };
    unsigned op;

    for (op = ALINK_TEST_DMA_FILL; op <= ALINK_TEST_DMA_CLEAR; op++) {
        g_assert_cmpuint(test_dma(aq, bar, 4096, op), ==, ALINK_TEST_DMA_DONE);
    }
    aq_admin_enable(aq, 8);
    aq_admin_raw(aq, &cmd);
    /* The rings: entries read as registers, completions written to them */
    aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 0);
    aq_wr64(aq, ALINK_REG_ADMIN_SQ_BASE, bar);
    aq_wr64(aq, ALINK_REG_ADMIN_CQ_BASE, bar + 4096);
    aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 1);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 8);
    aq_settle(aq);
    peer->guest_errors = aq_rd32(peer, ALINK_REG_GUEST_ERRORS);
    g_assert_cmpuint(peer->guest_errors, >, 0);
    works(peer);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    aq->guest_errors = aq_rd32(aq, ALINK_REG_GUEST_ERRORS);
    works(aq);
    aq_stop(peer);
    aq_stop(aq);
}

/* --- numbers out of range ----------------------------------------------------- */

static void ring_setup(AlinkQtest *aq, uint32_t size_reg, uint32_t ctrl,
                       const uint32_t *base_reg, uint32_t max)
{
    const uint32_t size[] = { 0, 1, 3, max - 1, max + 1, 2 * max, 1U << 31, ~0U };
    const uint64_t base[] = { 0, 1, 64, 4095, ~0ULL };
    uint64_t page = aq_alloc(aq, 4096);
    unsigned i, n;

    for (n = 0; base_reg[n]; n++) {
        aq_wr64(aq, base_reg[n], page);
    }
    for (i = 0; i < ARRAY_SIZE(size); i++) {
        aq_wr32(aq, size_reg, size[i]);
        aq_wr32(aq, ctrl, 1);
        g_assert_cmphex(aq_rd32(aq, ctrl), ==, 0);
    }
    aq_expect_guest_errors(aq, ARRAY_SIZE(size));
    aq_wr32(aq, size_reg, 2);
    for (n = 0; base_reg[n]; n++) {
        for (i = 0; i < ARRAY_SIZE(base); i++) {
            aq_wr64(aq, base_reg[n], base[i]);
            aq_wr32(aq, ctrl, 1);
            g_assert_cmphex(aq_rd32(aq, ctrl), ==, 0);
        }
        aq_wr64(aq, base_reg[n], page);
        aq_expect_guest_errors(aq, ARRAY_SIZE(base));
    }
    aq_wr32(aq, ctrl, 1);
    g_assert_cmphex(aq_rd32(aq, ctrl), ==, 1);
    aq_wr32(aq, ctrl, 0);
}

static void test_rings(const void *m)
{
    static const uint32_t admin[] = { ALINK_REG_ADMIN_SQ_BASE,
                                      ALINK_REG_ADMIN_CQ_BASE, 0 };
    static const uint32_t event[] = { ALINK_REG_EVENT_BASE, 0 };
    static const uint32_t frame[] = { ALINK_REG_FRAME_TX_BASE,
                                      ALINK_REG_FRAME_RX_BASE, 0 };
    AlinkQtest *aq = start(m);

    ring_setup(aq, ALINK_REG_ADMIN_SIZE, ALINK_REG_ADMIN_CTRL, admin, 256);
    ring_setup(aq, ALINK_REG_EVENT_SIZE, ALINK_REG_EVENT_CTRL, event, 4096);
    if (aq_rd64(aq, ALINK_REG_CAPS) & ALINK_CAP_FRAMES) {
        ring_setup(aq, ALINK_REG_FRAME_SIZE, ALINK_REG_FRAME_CTRL, frame, 1024);
    }
    aq_stop(aq);
}

static void test_indices(const void *m)
{
    AlinkQtest *aq = start(m);
    uint32_t vectors = aq_rd32(aq, ALINK_REG_NUM_VECTORS);

    aq_admin_enable(aq, 8);
    aq_event_enable(aq, 8);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 9);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, ~0U);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 1U << 31);
    aq_wr32(aq, ALINK_REG_ADMIN_CQ_HEAD, 1);
    aq_wr32(aq, ALINK_REG_ADMIN_CQ_HEAD, ~0U);
    aq_wr32(aq, ALINK_REG_EVENT_HEAD, 1);
    aq_wr32(aq, ALINK_REG_EVENT_HEAD, ~0U);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, vectors);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, ~0U);
    aq_expect_guest_errors(aq, 9);
    aq_msix_enable(aq);
    aq_wr32(aq, ALINK_REG_TEST_IRQ, vectors - 1);
    g_assert_cmphex(aq_irqs(aq), ==, 1U << (vectors - 1));
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_ADMIN_NOP, 0, NULL, 0), ==,
                     ALINK_ST_OK);
    aq_stop(aq);
}

static void test_lengths(const void *m)
{
    static const uint32_t bad[] = { ALINK_ADMIN_BUF_MAX + 1, 1U << 31, ~0U };
    static const uint32_t dma[] = { 0, 4097, 1U << 31, ~0U };
    AlinkQtest *aq = start(m);
    struct alink_tlv tlv = { .type = cpu_to_le16(ALINK_TLV_MASK) };
    struct alink_admin_cmd cmd = {};
    unsigned i;

    aq_admin_enable(aq, 16);
    cmd.req_addr = cpu_to_le64(aq->req);
    cmd.resp_addr = cpu_to_le64(aq->resp);
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        cmd.req_len = cpu_to_le32(bad[i]);
        cmd.resp_len = 0;
        g_assert_cmpuint(le16_to_cpu(aq_admin_raw(aq, &cmd).status), ==,
                         ALINK_ST_BAD_FIELD);
        cmd.req_len = 0;
        cmd.resp_len = cpu_to_le32(bad[i]);
        g_assert_cmpuint(le16_to_cpu(aq_admin_raw(aq, &cmd).status), ==,
                         ALINK_ST_BAD_FIELD);
    }
    aq_expect_guest_errors(aq, 6);
    /* TLVs that go beyond the request, up to where 16 bits end */
    for (i = 0; i <= 16; i++) {
        tlv.len = cpu_to_le16(i < 16 ? 1 << i : 0xffff);
        g_assert_cmpuint(le16_to_cpu(aq_admin(aq, ALINK_ADMIN_EVENT_MASK, &tlv,
                                              sizeof(tlv), 0).status), ==,
                         ALINK_ST_TLV);
    }
    /* Half a header */
    g_assert_cmpuint(le16_to_cpu(aq_admin(aq, ALINK_ADMIN_NOP, &tlv, 4,
                                          0).status), ==, ALINK_ST_TLV);
    aq_expect_guest_errors(aq, 18);
    for (i = 0; i < ARRAY_SIZE(dma); i++) {
        g_assert_cmpuint(test_dma(aq, aq->resp, dma[i], ALINK_TEST_DMA_FILL),
                         ==, ALINK_TEST_DMA_ERROR);
    }
    aq_expect_guest_errors(aq, ARRAY_SIZE(dma));
    aq_stop(aq);
}

/*
 * Each size at each offset. A register is 32 or 64 bits wide and nothing else:
 * a write of another size is an error and changes nothing.
 */
static void test_access_sizes(const void *m)
{
    static const struct { uint32_t from, to; } part[] = {
        { 0, 0x240 }, { 0x1000, 0x1060 }, { 0x2000, 0x2048 },
        { ALINK_LINK_BASE, ALINK_LINK_BASE + 0x40 }, { 0x80000, 0x80010 },
        { ALINK_BAR0_SIZE - 8, ALINK_BAR0_SIZE },
    };
    AlinkQtest *aq = start(m);
    uint64_t bar = aq->bar_addr[0] & ~0xfU, at;
    uint32_t writes = 0;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(part); i++) {
        for (at = part[i].from; at < part[i].to; at++) {
            qtest_readb(aq->qts, bar + at);
            qtest_readw(aq->qts, bar + at);
            qtest_readl(aq->qts, bar + at);
            qtest_readq(aq->qts, bar + at);
        }
    }
    aq->guest_errors = aq_rd32(aq, ALINK_REG_GUEST_ERRORS);
    g_assert_cmpuint(aq->guest_errors, >, 0);

    aq_wr32(aq, ALINK_REG_TEST_VALUE, 0x12345678);
    for (i = 0; i + 1 < ARRAY_SIZE(part); i++) {
        for (at = part[i].from; at < part[i].to; at++) {
            qtest_writeb(aq->qts, bar + at, 0xff);
            qtest_writew(aq->qts, bar + at, 0xffff);
            writes += 2;
            if (at % 4) {
                qtest_writel(aq->qts, bar + at, ~0U);
                qtest_writeq(aq->qts, bar + at, ~0ULL);
                writes += 2;
            }
        }
    }
    aq_expect_guest_errors(aq, writes);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_TEST_VALUE), ==,
                    (uint32_t)~0x12345678);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_CONTROL), ==, 0);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);
    works(aq);
    aq_stop(aq);
}

/* --- what is read once ---------------------------------------------------------- */

/* The driver changes a command after the device has taken it. */
static void test_changed_command(const void *m)
{
    AlinkQtest *aq = start(m);
    struct alink_admin_cmd cmd = {
        .opcode = cpu_to_le16(ALINK_ADMIN_IDENTIFY),
        .cid = cpu_to_le32(1234),
        .resp_len = cpu_to_le32(256),
    };
    struct alink_admin_cpl cpl;
    uint8_t data[512];

    aq_admin_enable(aq, 8);
    cmd.resp_addr = cpu_to_le64(aq->resp);
    qtest_memset(aq->qts, aq->resp, 0xee, sizeof(data));
    aq_set_int(aq, "x-latency-us", 100);
    aq_admin_submit(aq, &cmd);
    aq_settle(aq);
    cmd.opcode = 0xffff;
    cmd.cid = 0;
    cmd.resp_addr = cpu_to_le64(aq->resp + 256);
    cmd.resp_len = ~0U;
    qtest_memwrite(aq->qts, aq->sq, &cmd, sizeof(cmd));
    aq_clock_us(aq, 101);
    g_assert(aq_admin_poll(aq, &cpl));
    g_assert_cmpuint(le32_to_cpu(cpl.cid), ==, 1234);
    g_assert_cmpuint(le16_to_cpu(cpl.status), ==, ALINK_ST_OK);
    qtest_memread(aq->qts, aq->resp, data, sizeof(data));
    g_assert_cmpuint(lduw_le_p(data), ==, ALINK_TLV_NAME);
    g_assert_cmphex(data[256], ==, 0xee);
    aq_stop(aq);
}

/* --- work in flight -------------------------------------------------------------- */

/* A command, events, the self test and, with optics, a transfer under way */
static void begin(AlinkQtest *aq)
{
    struct alink_admin_cmd cmd = { .cid = cpu_to_le32(77) };
    unsigned i;

    aq_admin_enable(aq, 8);
    aq_event_enable(aq, 8);
    aq_msix_enable(aq);
    qtest_memset(aq->qts, aq->resp, 0xee, 4096);
    aq_irqs(aq);
    if (aq_rd32(aq, ALINK_REG_DEVTYPE) == ALINK_DEVTYPE_OPTICS) {
        for (i = 0; i < 4; i++) {
            aq_wr32(aq, ALINK_OPT_CH(i) + ALINK_OPT_I2C_CTRL, 1);
            aq_wr32(aq, ALINK_OPT_CH(i) + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR |
                    (i & 1 ? ALINK_OPT_CMD_READ : 0) |
                    128 << ALINK_OPT_CMD_LEN_SHIFT);
        }
    }
    aq_set_int(aq, "x-latency-us", 100);
    aq_admin_submit(aq, &cmd);
    aq_settle(aq);
    aq_set_int(aq, "x-late-doorbell-us", 200);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 2);
    aq_wr64(aq, ALINK_REG_TEST_DMA_ADDR, aq->resp);
    aq_wr32(aq, ALINK_REG_TEST_DMA_LEN, 4096);
}

/* Of all that nothing has come to an end. */
static void nothing_came(AlinkQtest *aq)
{
    struct alink_admin_cpl cpl;
    struct alink_event ev;

    aq_clock_us(aq, 1000000);
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    qtest_memread(aq->qts, aq->cq, &cpl, sizeof(cpl));
    g_assert_cmphex(le32_to_cpu(cpl.cid) | le16_to_cpu(cpl.phase), ==, 0);
    qtest_memread(aq->qts, aq->ev, &ev, sizeof(ev));
    g_assert_cmphex(le16_to_cpu(ev.phase), ==, 0);
}

static void test_flr(const void *m)
{
    AlinkQtest *aq = start(m);

    begin(aq);
    aq_wr32(aq, ALINK_REG_TEST_DMA_CTRL, ALINK_TEST_DMA_FILL);
    aq_flr(aq);
    nothing_came(aq);
    aq_set_int(aq, "x-latency-us", 0);
    aq_set_int(aq, "x-late-doorbell-us", 0);
    works(aq);
    aq_stop(aq);
}

static void test_soft_reset(const void *m)
{
    AlinkQtest *aq = start(m);

    begin(aq);
    aq_wr32(aq, ALINK_REG_TEST_DMA_CTRL, ALINK_TEST_DMA_FILL);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    nothing_came(aq);
    aq_set_int(aq, "x-latency-us", 0);
    aq_set_int(aq, "x-late-doorbell-us", 0);
    works(aq);
    aq_stop(aq);
}

static void test_machine_reset(const void *m)
{
    AlinkQtest *aq = start(m);

    begin(aq);
    aq_wr32(aq, ALINK_REG_TEST_DMA_CTRL, ALINK_TEST_DMA_FILL);
    qtest_system_reset(aq->qts);
    nothing_came(aq);
    aq_restore_config(aq);
    aq_set_int(aq, "x-latency-us", 0);
    aq_set_int(aq, "x-late-doorbell-us", 0);
    works(aq);
    aq_stop(aq);
}

/* The device goes; another one comes in its place. */
static void test_unplug(const void *opaque)
{
    const Model *m = opaque;
    AlinkQtest *aq = start_behind_port(m);
    g_auto(GStrv) part = g_strsplit(m->device, ",", 0);
    QDict *args = qdict_new();
    unsigned i;

    begin(aq);
    aq_wr32(aq, ALINK_REG_TEST_DMA_CTRL, ALINK_TEST_DMA_FILL);
    aq_surprise_removal(aq);
    nothing_came(aq);

    qdict_put_str(args, "driver", part[0]);
    qdict_put_str(args, "id", "again");
    qdict_put_str(args, "bus", "rp");
    for (i = 1; part[i]; i++) {
        g_auto(GStrv) pair = g_strsplit(part[i], "=", 2);
        char *end;
        long number = strtol(pair[1], &end, 10);

        if (*end) {
            qdict_put_str(args, pair[0], pair[1]);
        } else {
            qdict_put_int(args, pair[0], number);
        }
    }
    qtest_qmp_assert_success(aq->qts, "{ 'execute': 'device_add', "
                             "'arguments': %p }", args);
    aq_abandon(aq);
}

/*
 * Without bus mastering, and in D3hot, there is neither DMA nor an interrupt.
 * What stood still goes on afterwards.
 */
static void stands_still(const Model *m, bool sleep)
{
    AlinkQtest *aq = start(m);
    uint8_t pm = qpci_find_capability(aq->dev, PCI_CAP_ID_PM, 0);
    struct alink_admin_cpl cpl;
    struct alink_event ev;
    uint8_t byte;

    begin(aq);
    if (sleep) {
        qpci_config_writew(aq->dev, pm + PCI_PM_CTRL, 3);
    } else {
        aq_command(aq, PCI_COMMAND_MASTER, 0);
        aq_wr32(aq, ALINK_REG_TEST_DMA_CTRL, ALINK_TEST_DMA_FILL);
    }
    aq_set_str(aq, "x-fault", "2176:1");
    nothing_came(aq);
    qtest_memread(aq->qts, aq->resp, &byte, 1);
    g_assert_cmphex(byte, ==, 0xee);
    if (sleep) {
        qpci_config_writew(aq->dev, pm + PCI_PM_CTRL, 0);
    } else {
        g_assert_cmpuint(aq_rd32(aq, ALINK_REG_TEST_DMA_STATUS), ==,
                         ALINK_TEST_DMA_ERROR);
        aq_command(aq, 0, PCI_COMMAND_MASTER);
    }
    aq_set_int(aq, "x-late-doorbell-us", 0);
    g_assert(aq_admin_poll(aq, &cpl));
    g_assert_cmpuint(le32_to_cpu(cpl.cid), ==, 77);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_GENERATION), ==, 0);
    g_assert_cmphex(aq_irqs(aq), ==, 1);
    if (aq_rd32(aq, ALINK_REG_DEVTYPE) == ALINK_DEVTYPE_OPTICS) {
        /* Their interrupts are gone; what they ended with is not. */
        g_assert_cmphex(aq_rd64(aq, ALINK_OPT_REG_I2C_DONE) & 0xf, ==, 0xf);
    }
    aq_stop(aq);
}

static void test_bus_master(const void *m)
{
    stands_still(m, false);
}

static void test_d3(const void *m)
{
    stands_still(m, true);
}

/* --- all ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(const void *model);
} rules[] = {
    { "/alink/rules/dma/nowhere", test_nowhere },
    { "/alink/rules/dma/own-registers", test_own_registers },
    { "/alink/rules/dma/own-config", test_own_config },
    { "/alink/rules/dma/port-config", test_port_config },
    { "/alink/rules/dma/peer", test_peer },
    { "/alink/rules/range/rings", test_rings },
    { "/alink/rules/range/indices", test_indices },
    { "/alink/rules/range/lengths", test_lengths },
    { "/alink/rules/range/access-sizes", test_access_sizes },
    { "/alink/rules/changed-command", test_changed_command },
    { "/alink/rules/in-flight/flr", test_flr },
    { "/alink/rules/in-flight/soft-reset", test_soft_reset },
    { "/alink/rules/in-flight/machine-reset", test_machine_reset },
    { "/alink/rules/in-flight/unplug", test_unplug },
    { "/alink/rules/in-flight/bus-master", test_bus_master },
    { "/alink/rules/in-flight/d3", test_d3 },
};

int main(int argc, char **argv)
{
    unsigned i, n;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(rules); i++) {
        for (n = 0; n < ARRAY_SIZE(models); n++) {
            g_autofree char *name = g_strdup_printf("%s/%s", rules[i].name,
                                                    models[n].name);

            qtest_add_data_func(name, &models[n], rules[i].run);
        }
    }
    return g_test_run();
}
