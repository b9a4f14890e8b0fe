/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the qtests of ALink devices share; see alink-qtest.h.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "libqos/malloc-pc.h"
#include "libqos/pci-pc.h"
#include "hw/pci/pci_regs.h"
#include "alink-qtest.h"

/* --- life cycle ---------------------------------------------------------- */

static void find_device(AlinkQtest *aq, unsigned devfn, const char *id)
{
    uint64_t size;
    unsigned i;

    aq->path = g_strdup_printf("/machine/peripheral/%s", id);
    aq->dev = qpci_device_find(aq->bus, devfn);
    g_assert_nonnull(aq->dev);
    qpci_device_enable(aq->dev);
    aq->bar0 = qpci_iomap(aq->dev, ALINK_BAR_REGS, &size);
    g_assert_cmphex(size, ==, ALINK_BAR0_SIZE);
    qpci_iomap(aq->dev, ALINK_BAR_MSIX, NULL);
    for (i = 0; i < 6; i++) {
        aq->bar_addr[i] = qpci_config_readl(aq->dev,
                                            PCI_BASE_ADDRESS_0 + 4 * i);
    }
}

AlinkQtest *aq_start(const char *args)
{
    AlinkQtest *aq = g_new0(AlinkQtest, 1);

    aq->qts = qtest_initf("-M q35 -m 64M -nodefaults %s", args);
    aq->alloc = g_new0(QGuestAllocator, 1);
    pc_alloc_init(aq->alloc, aq->qts, ALLOC_NO_FLAGS);
    aq->bus = qpci_new_pc(aq->qts, aq->alloc);
    find_device(aq, QPCI_DEVFN(4, 0), "dut");
    return aq;
}

AlinkQtest *aq_second(AlinkQtest *first, unsigned slot, const char *id)
{
    AlinkQtest *aq = g_new0(AlinkQtest, 1);

    aq->second = true;
    aq->qts = first->qts;
    aq->alloc = first->alloc;
    aq->bus = first->bus;
    find_device(aq, QPCI_DEVFN(slot, 0), id);
    return aq;
}

AlinkQtest *aq_start_behind_port(const char *args)
{
    AlinkQtest *aq = g_new0(AlinkQtest, 1);
    QPCIDevice *rp;

    aq->qts = qtest_initf("-M q35 -m 64M -nodefaults "
                          "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-"
                          "support=off -device pcie-root-port,id=rp,addr=3.0,"
                          "chassis=1 %s", args);
    aq->alloc = g_new0(QGuestAllocator, 1);
    pc_alloc_init(aq->alloc, aq->qts, ALLOC_NO_FLAGS);
    aq->bus = qpci_new_pc(aq->qts, aq->alloc);
    rp = qpci_device_find(aq->bus, QPCI_DEVFN(3, 0));
    qpci_config_writel(rp, PCI_PRIMARY_BUS, 0x00010100);
    qpci_config_writel(rp, PCI_MEMORY_BASE, 0xeff0e000);
    qpci_config_writew(rp, PCI_COMMAND,
                       PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    g_free(rp);
    find_device(aq, 1 << 8, "dut");
    return aq;
}

void aq_surprise_removal(AlinkQtest *aq)
{
    QPCIDevice *rp = qpci_device_find(aq->bus, QPCI_DEVFN(3, 0));
    uint8_t cap = qpci_find_capability(rp, PCI_CAP_ID_EXP, 0);

    qpci_config_writew(rp, cap + PCI_EXP_SLTCTL,
                       PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC);
    g_free(rp);
    qtest_qmp_eventwait(aq->qts, "DEVICE_DELETED");
}

void aq_stop(AlinkQtest *aq)
{
    aq_expect_guest_errors(aq, 0);
    aq_abandon(aq);
}

void aq_abandon(AlinkQtest *aq)
{
    g_free(aq->dev);
    g_free((char *)aq->path);
    if (!aq->second) {
        qpci_free_pc(aq->bus);
        alloc_destroy(aq->alloc);
        g_free(aq->alloc);
        qtest_quit(aq->qts);
    }
    g_free(aq);
}

bool aq_have(const char *type)
{
    return qtest_has_device(type);
}

/* --- registers ----------------------------------------------------------- */

uint32_t aq_rd32(AlinkQtest *aq, uint32_t reg)
{
    return qpci_io_readl(aq->dev, aq->bar0, reg);
}

uint64_t aq_rd64(AlinkQtest *aq, uint32_t reg)
{
    return qpci_io_readq(aq->dev, aq->bar0, reg);
}

void aq_wr32(AlinkQtest *aq, uint32_t reg, uint32_t value)
{
    qpci_io_writel(aq->dev, aq->bar0, reg, value);
}

void aq_wr64(AlinkQtest *aq, uint32_t reg, uint64_t value)
{
    qpci_io_writeq(aq->dev, aq->bar0, reg, value);
}

void aq_expect_guest_errors(AlinkQtest *aq, uint32_t count)
{
    uint32_t now;

    aq_settle(aq);
    now = aq_rd32(aq, ALINK_REG_GUEST_ERRORS);
    g_assert_cmpuint(now - aq->guest_errors, ==, count);
    aq->guest_errors = now;
}

uint64_t aq_alloc(AlinkQtest *aq, size_t size)
{
    uint64_t addr = guest_alloc(aq->alloc, ROUND_UP(size, 4096) + 4096);

    addr = ROUND_UP(addr, 4096);
    qtest_memset(aq->qts, addr, 0, size);
    return addr;
}

/* Each command of the protocol is a turn of the main loop, or more. */
void aq_settle(AlinkQtest *aq)
{
    unsigned i;

    for (i = 0; i < 8; i++) {
        qtest_readl(aq->qts, 0);
    }
}

void aq_clock_us(AlinkQtest *aq, uint64_t us)
{
    qtest_clock_step(aq->qts, us * 1000);
    aq_settle(aq);
}

/* --- interrupts ---------------------------------------------------------- */

void aq_msix_enable(AlinkQtest *aq)
{
    unsigned i, num;
    uint64_t entry;

    if (!aq->irq_page) {
        aq->irq_page = aq_alloc(aq, 4096);
    }
    aq->dev->msix_enabled = false;
    qpci_msix_enable(aq->dev);
    num = qpci_msix_table_size(aq->dev);
    g_assert_cmpuint(num, <=, AQ_MAX_VECTORS);
    /* It put the BAR somewhere else. */
    aq->bar_addr[ALINK_BAR_MSIX] = aq->dev->msix_table_bar.addr;
    for (i = 0; i < num; i++) {
        entry = aq->dev->msix_table_off + i * PCI_MSIX_ENTRY_SIZE;
        qpci_io_writel(aq->dev, aq->dev->msix_table_bar,
                       entry + PCI_MSIX_ENTRY_LOWER_ADDR,
                       aq->irq_page + 4 * i);
        qpci_io_writel(aq->dev, aq->dev->msix_table_bar,
                       entry + PCI_MSIX_ENTRY_UPPER_ADDR, 0);
        qpci_io_writel(aq->dev, aq->dev->msix_table_bar,
                       entry + PCI_MSIX_ENTRY_DATA, 1 + i);
        qpci_io_writel(aq->dev, aq->dev->msix_table_bar,
                       entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
    }
}

uint32_t aq_irqs(AlinkQtest *aq)
{
    uint32_t fired = 0, value;
    unsigned i;

    aq_settle(aq);
    for (i = 0; i < AQ_MAX_VECTORS; i++) {
        value = qtest_readl(aq->qts, aq->irq_page + 4 * i);
        if (value) {
            g_assert_cmpuint(value, ==, 1 + i);
            qtest_writel(aq->qts, aq->irq_page + 4 * i, 0);
            fired |= 1U << i;
        }
    }
    return fired;
}

/* --- configuration space ------------------------------------------------- */

uint16_t aq_command(AlinkQtest *aq, uint16_t clear, uint16_t set)
{
    uint16_t old = qpci_config_readw(aq->dev, PCI_COMMAND);

    qpci_config_writew(aq->dev, PCI_COMMAND, (old & ~clear) | set);
    return old;
}

void aq_restore_config(AlinkQtest *aq)
{
    unsigned i;

    for (i = 0; i < 6; i++) {
        qpci_config_writel(aq->dev, PCI_BASE_ADDRESS_0 + 4 * i,
                           aq->bar_addr[i]);
    }
    aq_command(aq, 0, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void aq_flr(AlinkQtest *aq)
{
    uint8_t cap = qpci_find_capability(aq->dev, PCI_CAP_ID_EXP, 0);

    g_assert_cmphex(cap, !=, 0);
    qpci_config_writew(aq->dev, cap + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
    g_assert_cmphex(qpci_config_readw(aq->dev, PCI_COMMAND), ==, 0);
    aq_restore_config(aq);
    aq->admin_size = 0;
    aq->ev_size = 0;
}

/* --- properties ---------------------------------------------------------- */

static void expect_return(QDict *resp)
{
    if (qdict_haskey(resp, "error")) {
        g_test_message("%s", qdict_get_str(qdict_get_qdict(resp, "error"),
                                           "desc"));
    }
    g_assert(qdict_haskey(resp, "return"));
    qobject_unref(resp);
}

void aq_set_bool(AlinkQtest *aq, const char *name, bool value)
{
    expect_return(qtest_qmp(aq->qts, "{ 'execute': 'qom-set', 'arguments': "
                            "{ 'path': %s, 'property': %s, 'value': %i } }",
                            aq->path, name, value));
}

void aq_set_int(AlinkQtest *aq, const char *name, int64_t value)
{
    expect_return(qtest_qmp(aq->qts, "{ 'execute': 'qom-set', 'arguments': "
                            "{ 'path': %s, 'property': %s, 'value': %"
                            PRId64 " } }", aq->path, name, value));
}

int64_t aq_get_int(AlinkQtest *aq, const char *name)
{
    QDict *answer = qtest_qmp(aq->qts, "{ 'execute': 'qom-get', 'arguments': "
                              "{ 'path': %s, 'property': %s } }", aq->path,
                              name);
    int64_t value = qdict_get_int(answer, "return");

    qobject_unref(answer);
    return value;
}

static QDict *set_str(AlinkQtest *aq, const char *name, const char *value)
{
    return qtest_qmp(aq->qts, "{ 'execute': 'qom-set', 'arguments': "
                     "{ 'path': %s, 'property': %s, 'value': %s } }",
                     aq->path, name, value);
}

void aq_set_str(AlinkQtest *aq, const char *name, const char *value)
{
    expect_return(set_str(aq, name, value));
}

void aq_set_str_bad(AlinkQtest *aq, const char *name, const char *value)
{
    QDict *resp = set_str(aq, name, value);

    g_assert(qdict_haskey(resp, "error"));
    qobject_unref(resp);
}

/* --- admin queue --------------------------------------------------------- */

void aq_admin_enable(AlinkQtest *aq, uint32_t size)
{
    if (!aq->sq) {
        aq->sq = aq_alloc(aq, 256 * sizeof(struct alink_admin_cmd));
        aq->cq = aq_alloc(aq, 256 * sizeof(struct alink_admin_cpl));
        aq->req = aq_alloc(aq, ALINK_ADMIN_BUF_MAX);
        aq->resp = aq_alloc(aq, ALINK_ADMIN_BUF_MAX);
    }
    qtest_memset(aq->qts, aq->cq, 0, size * sizeof(struct alink_admin_cpl));
    aq->admin_size = size;
    aq->sq_tail = 0;
    aq->cq_head = 0;
    aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 0);
    aq_wr64(aq, ALINK_REG_ADMIN_SQ_BASE, aq->sq);
    aq_wr64(aq, ALINK_REG_ADMIN_CQ_BASE, aq->cq);
    aq_wr32(aq, ALINK_REG_ADMIN_SIZE, size);
    aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 1);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_ADMIN_CTRL), ==, 1);
}

void aq_admin_submit(AlinkQtest *aq, const struct alink_admin_cmd *cmd)
{
    uint32_t index = aq->sq_tail++ % aq->admin_size;

    qtest_memwrite(aq->qts, aq->sq + index * sizeof(*cmd), cmd, sizeof(*cmd));
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, aq->sq_tail);
}

bool aq_admin_poll(AlinkQtest *aq, struct alink_admin_cpl *cpl)
{
    uint32_t index = aq->cq_head % aq->admin_size;
    uint16_t phase = !((aq->cq_head / aq->admin_size) & 1);

    aq_settle(aq);
    qtest_memread(aq->qts, aq->cq + index * sizeof(*cpl), cpl, sizeof(*cpl));
    if (le16_to_cpu(cpl->phase) != phase) {
        return false;
    }
    aq->cq_head++;
    aq_wr32(aq, ALINK_REG_ADMIN_CQ_HEAD, aq->cq_head);
    return true;
}

struct alink_admin_cpl aq_admin_raw(AlinkQtest *aq,
                                    const struct alink_admin_cmd *cmd)
{
    struct alink_admin_cpl cpl;
    unsigned tries = 100;

    aq_admin_submit(aq, cmd);
    while (!aq_admin_poll(aq, &cpl)) {
        g_assert(tries--);
    }
    g_assert_cmphex(le32_to_cpu(cpl.cid), ==, le32_to_cpu(cmd->cid));
    return cpl;
}

struct alink_admin_cpl aq_admin(AlinkQtest *aq, uint16_t opcode,
                                const void *req, uint32_t len,
                                uint32_t resp_room)
{
    struct alink_admin_cmd cmd = {
        .opcode = cpu_to_le16(opcode),
        .cid = cpu_to_le32(0xc0de0000 + ++aq->cid),
        .req_addr = cpu_to_le64(aq->req),
        .resp_addr = cpu_to_le64(aq->resp),
        .req_len = cpu_to_le32(len),
        .resp_len = cpu_to_le32(resp_room),
    };

    if (len) {
        qtest_memwrite(aq->qts, aq->req, req, len);
    }
    return aq_admin_raw(aq, &cmd);
}

uint32_t aq_put_tlv(uint8_t *buf, uint32_t pos, uint16_t type,
                    const void *payload, uint16_t len)
{
    memset(buf + pos, 0, ALINK_TLV_SPAN(len));
    stw_le_p(buf + pos, type);
    stw_le_p(buf + pos + 2, len);
    memcpy(buf + pos + 8, payload, len);
    return pos + ALINK_TLV_SPAN(len);
}

uint16_t aq_admin_tlv(AlinkQtest *aq, uint16_t opcode, uint16_t tlv,
                      const void *payload, uint16_t len)
{
    g_autofree uint8_t *buf = g_malloc0(ALINK_TLV_SPAN(len));
    struct alink_admin_cpl cpl;
    uint32_t used = 0;

    if (tlv) {
        used = aq_put_tlv(buf, 0, tlv, payload, len);
    }
    cpl = aq_admin(aq, opcode, buf, used, 0);
    return le16_to_cpu(cpl.status);
}

uint16_t aq_admin_id(AlinkQtest *aq, uint16_t opcode, uint32_t id)
{
    id = cpu_to_le32(id);
    return aq_admin_tlv(aq, opcode, ALINK_TLV_ID, &id, sizeof(id));
}

/* --- event ring ---------------------------------------------------------- */

void aq_event_enable(AlinkQtest *aq, uint32_t size)
{
    if (!aq->ev) {
        aq->ev = aq_alloc(aq, 4096 * sizeof(struct alink_event));
    }
    qtest_memset(aq->qts, aq->ev, 0, size * sizeof(struct alink_event));
    aq->ev_size = size;
    aq->ev_head = 0;
    aq_wr32(aq, ALINK_REG_EVENT_CTRL, 0);
    aq_wr64(aq, ALINK_REG_EVENT_BASE, aq->ev);
    aq_wr32(aq, ALINK_REG_EVENT_SIZE, size);
    aq_wr32(aq, ALINK_REG_EVENT_CTRL, 1);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_EVENT_CTRL), ==, 1);
}

bool aq_event_poll(AlinkQtest *aq, struct alink_event *ev)
{
    uint32_t index = aq->ev_head % aq->ev_size;
    uint16_t phase = !((aq->ev_head / aq->ev_size) & 1);

    aq_settle(aq);
    qtest_memread(aq->qts, aq->ev + index * sizeof(*ev), ev, sizeof(*ev));
    if (le16_to_cpu(ev->phase) != phase) {
        return false;
    }
    aq->ev_head++;
    aq_wr32(aq, ALINK_REG_EVENT_HEAD, aq->ev_head);
    return true;
}
