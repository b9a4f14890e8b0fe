/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Optics controller and CMIS modules, without a guest.
 *
 * Two modules of one fabric: cage 0 carries ports 0 and 1 of switch 0, cage 3
 * nothing. The virtual clock moves only where a test steps it.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qobject/qjson.h"
#include "libqtest.h"
#include "libqos/malloc-pc.h"
#include "libqos/pci-pc.h"
#include "hw/pci/pci_regs.h"

#include <hw/alink/cmis.h>
#include <hw/alink/link.h>
#include <hw/alink/optics.h>

#define MS              1000000LL
#define NAK             ALINK_OPT_I2C_NAK_ADDR
#define READY_MS        (50 + 200 + 20 + 5)
#define CAGE            "/machine/peripheral/"

typedef struct Rig {
    QTestState *qts;
    QGuestAllocator alloc;
    QPCIBus *bus;
    QPCIDevice *dev;
    QPCIBar bar;
    QPCIDevice *sw;
    QPCIBar sw_bar;
} Rig;

static QPCIDevice *open_dev(Rig *r, unsigned slot, QPCIBar *bar)
{
    QPCIDevice *dev = qpci_device_find(r->bus, QPCI_DEVFN(slot, 0));

    g_assert_nonnull(dev);
    qpci_device_enable(dev);
    *bar = qpci_iomap(dev, 0, NULL);
    return dev;
}

static Rig *rig_new_args(const char *more)
{
    Rig *r = g_new0(Rig, 1);

    r->qts = qtest_initf(
        "-machine q35 -nodefaults "
        "-device alink-fabric,id=fab0 "
        "-device alink-switch,id=sw0,fabric=fab0,plane=0,addr=4.0 "
        "-device alink-optics,id=opt0,fabric=fab0,serial=0x12340301,addr=5.0 "
        "-device alink-cmis,id=mod0,bus=opt0.0,noise=off,"
        "links=switch:0:0+switch:0:1 "
        "-device alink-cmis,id=mod3,bus=opt0.3,noise=off,serial=SN3 %s",
        more ?: "");
    pc_alloc_init(&r->alloc, r->qts, 0);
    r->bus = qpci_new_pc(r->qts, &r->alloc);
    r->sw = open_dev(r, 4, &r->sw_bar);
    r->dev = open_dev(r, 5, &r->bar);
    return r;
}

static Rig *rig_new(void)
{
    Rig *r = rig_new_args(NULL);

    qtest_clock_step(r->qts, READY_MS * MS);
    return r;
}

static void set_knob(Rig *r, const char *module, const char *name,
                     const char *value)
{
    g_autofree char *path = g_strconcat(CAGE, module, NULL);
    QDict *rsp = qtest_qmp(r->qts, "{'execute': 'qom-set', 'arguments': {"
                           "'path': %s, 'property': %s, 'value': %p}}",
                           path, name, qobject_from_json(value, &error_abort));

    g_assert_true(qdict_haskey(rsp, "return"));
    qobject_unref(rsp);
}

static uint32_t rd(Rig *r, uint32_t reg)
{
    return qpci_io_readl(r->dev, r->bar, reg);
}

static uint64_t rdq(Rig *r, uint32_t reg)
{
    return qpci_io_readq(r->dev, r->bar, reg);
}

static void wr(Rig *r, uint32_t reg, uint32_t value)
{
    qpci_io_writel(r->dev, r->bar, reg, value);
}

/* Ends a rig; no test may have broken the contract unless it says so. */
static void rig_free(Rig *r, unsigned guest_errors)
{
    g_assert_cmpuint(rd(r, ALINK_REG_GUEST_ERRORS), ==, guest_errors);
    qpci_iounmap(r->dev, r->bar);
    qpci_iounmap(r->sw, r->sw_bar);
    g_free(r->dev);
    g_free(r->sw);
    qpci_free_pc(r->bus);
    alloc_destroy(&r->alloc);
    qtest_quit(r->qts);
    g_free(r);
}

static uint32_t link_reg(Rig *r, unsigned port, uint32_t reg)
{
    return qpci_io_readl(r->sw, r->sw_bar, ALINK_LINK_WINDOW(port) + reg);
}

/* One segment; returns what it ended with beside DONE. */
static uint32_t segment_to(Rig *r, unsigned ch, uint8_t addr, uint32_t flags,
                           uint8_t *buf, unsigned len)
{
    uint32_t base = ALINK_OPT_CH(ch), status;
    bool read = flags & ALINK_OPT_CMD_READ;

    for (unsigned i = 0; !read && i < len; i += 4) {
        uint32_t word = 0;

        memcpy(&word, buf + i, MIN(4, len - i));
        wr(r, base + ALINK_OPT_I2C_DATA + i, cpu_to_le32(word));
    }
    wr(r, base + ALINK_OPT_I2C_CMD,
       addr | flags | len << ALINK_OPT_CMD_LEN_SHIFT);
    for (unsigned i = 0; i < 100; i++) {
        if (rd(r, base + ALINK_OPT_I2C_STATUS) & ALINK_OPT_I2C_DONE) {
            break;
        }
        qtest_clock_step(r->qts, 1 * MS);
    }
    status = rd(r, base + ALINK_OPT_I2C_STATUS);
    g_assert_true(status & ALINK_OPT_I2C_DONE);
    wr(r, base + ALINK_OPT_I2C_STATUS, status);
    g_assert_cmphex(rd(r, base + ALINK_OPT_I2C_STATUS), ==, 0);
    for (unsigned i = 0; read && i < len; i += 4) {
        uint32_t word = le32_to_cpu(rd(r, base + ALINK_OPT_I2C_DATA + i));

        memcpy(buf + i, &word, MIN(4, len - i));
    }
    return status & ~ALINK_OPT_I2C_DONE;
}

static uint32_t segment(Rig *r, unsigned ch, uint32_t flags, uint8_t *buf,
                        unsigned len)
{
    return segment_to(r, ch, CMIS_I2C_ADDR, flags, buf, len);
}

static uint32_t try_read(Rig *r, unsigned ch, uint8_t offset, uint8_t *buf,
                         unsigned len)
{
    uint32_t err = segment(r, ch, ALINK_OPT_CMD_NO_STOP, &offset, 1);

    return err ?: segment(r, ch, ALINK_OPT_CMD_READ, buf, len);
}

static void read_mem(Rig *r, unsigned ch, uint8_t offset, uint8_t *buf,
                     unsigned len)
{
    g_assert_cmphex(try_read(r, ch, offset, buf, len), ==, 0);
}

static uint8_t read_byte(Rig *r, unsigned ch, uint8_t offset)
{
    uint8_t value;

    read_mem(r, ch, offset, &value, 1);
    return value;
}

static uint16_t read_word(Rig *r, unsigned ch, uint8_t offset)
{
    uint8_t value[2];

    read_mem(r, ch, offset, value, 2);
    return value[0] << 8 | value[1];
}

static void write_mem(Rig *r, unsigned ch, uint8_t offset, const uint8_t *data,
                      unsigned len)
{
    uint8_t buf[9] = { offset };

    g_assert_cmpuint(len, <=, 8);
    memcpy(buf + 1, data, len);
    g_assert_cmphex(segment(r, ch, 0, buf, len + 1), ==, 0);
    /* hold-off */
    qtest_clock_step(r->qts, 1 * MS);
}

static void write_byte(Rig *r, unsigned ch, uint8_t offset, uint8_t value)
{
    write_mem(r, ch, offset, &value, 1);
}

static void select_page(Rig *r, unsigned ch, uint8_t bank, uint8_t page)
{
    uint8_t sel[] = { bank, page };

    write_mem(r, ch, CMIS_LO_BANK, sel, 2);
}

static unsigned module_state(Rig *r, unsigned ch)
{
    return (read_byte(r, ch, CMIS_LO_STATE) & CMIS_LO_STATE_MASK) >> 1;
}

static unsigned dp_state(Rig *r, unsigned ch, unsigned lane)
{
    select_page(r, ch, 0, 0x11);
    return read_byte(r, ch, CMIS_11_DP_STATE + lane / 2) >> (lane & 1) * 4 &
           0xf;
}

/* --- controller --------------------------------------------------------- */

static void test_identity(void)
{
    Rig *r = rig_new();

    g_assert_cmphex(rd(r, ALINK_REG_MAGIC), ==, ALINK_MAGIC);
    g_assert_cmpuint(rd(r, ALINK_REG_DEVTYPE), ==, ALINK_DEVTYPE_OPTICS);
    g_assert_cmpuint(rd(r, ALINK_REG_VARIANT), ==, ALINK_OPTICS_OC32);
    g_assert_cmphex(rd(r, ALINK_REG_FABRIC_ID), ==, ALINK_ID_NONE);
    g_assert_cmphex(rdq(r, ALINK_REG_CAPS), ==, ALINK_CAP_ADMIN);
    g_assert_cmpuint(rd(r, ALINK_OPT_REG_NUM_CHANNELS), ==, 32);
    g_assert_cmpuint(rd(r, ALINK_OPT_REG_I2C_MAX_HZ), ==, 1000000);
    g_assert_cmphex(rdq(r, ALINK_OPT_REG_PRESENT), ==, 1 << 0 | 1 << 3);
    g_assert_cmphex(rd(r, ALINK_OPT_CH(0) + ALINK_OPT_CH_PEER), ==,
                    ALINK_DEVTYPE_SWITCH << 24);
    g_assert_cmphex(rd(r, ALINK_OPT_CH(0) + ALINK_OPT_CH_PEER_PORT), ==,
                    2 << 16);
    g_assert_cmphex(rd(r, ALINK_OPT_CH(3) + ALINK_OPT_CH_PEER), ==,
                    ALINK_ID_NONE);
    /* The ports name serial, channel and first lane */
    g_assert_cmphex(link_reg(r, 0, ALINK_LINK_MODULE), ==, 0x03010000);
    g_assert_cmphex(link_reg(r, 1, ALINK_LINK_MODULE), ==, 0x03010004);
    g_assert_cmphex(link_reg(r, 2, ALINK_LINK_MODULE), ==, ALINK_ID_NONE);
    rig_free(r, 0);
}

static void test_i2c_time(void)
{
    Rig *r = rig_new();
    uint32_t ch = ALINK_OPT_CH(3);

    /* 17 bytes with the address: 155 clocks of 2.5 us */
    wr(r, ch + ALINK_OPT_I2C_CMD,
       CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 16 << ALINK_OPT_CMD_LEN_SHIFT);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_BUS) & ALINK_OPT_BUS_BUSY, !=, 0);
    qtest_clock_step(r->qts, 155 * 2500 - 1);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, 0);
    g_assert_cmphex(rdq(r, ALINK_OPT_REG_I2C_DONE), ==, 0);
    qtest_clock_step(r->qts, 1);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, ALINK_OPT_I2C_DONE);
    g_assert_cmphex(rdq(r, ALINK_OPT_REG_I2C_DONE), ==, 1 << 3);
    g_assert_cmpuint(rd(r, ch + ALINK_OPT_I2C_COUNT), ==, 16);
    g_assert_cmpuint(rdq(r, ALINK_OPT_REG_TRANSFERS), ==, 1);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_BUS), ==,
                    ALINK_OPT_BUS_SDA | ALINK_OPT_BUS_SCL);
    rig_free(r, 0);
}

static void test_i2c_nak(void)
{
    Rig *r = rig_new();
    uint8_t buf[16] = { };

    g_assert_cmphex(segment(r, 1, ALINK_OPT_CMD_READ, buf, 1), ==, NAK);
    g_assert_cmphex(segment_to(r, 3, 0x51, ALINK_OPT_CMD_READ, buf, 1), ==,
                    NAK);
    g_assert_cmpuint(rd(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_COUNT), ==, 0);
    g_assert_cmpuint(rdq(r, ALINK_OPT_REG_I2C_ERRORS), ==, 2);

    /* The module takes eight bytes beyond the address */
    buf[0] = 200;
    g_assert_cmphex(segment(r, 3, 0, buf, 10), ==, ALINK_OPT_I2C_NAK_DATA);
    g_assert_cmpuint(rd(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_COUNT), ==, 9);

    /* Probing with no data finds a module, and nobody elsewhere */
    g_assert_cmphex(segment(r, 3, 0, buf, 0), ==, 0);
    g_assert_cmphex(segment_to(r, 3, 0x20, 0, buf, 0), ==, NAK);

    set_knob(r, "mod3", "i2c-nak", "2");
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, buf, 1), ==, NAK);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, buf, 1), ==, NAK);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, buf, 1), ==, 0);

    set_knob(r, "mod3", "i2c-nak-data", "1");
    g_assert_cmphex(segment(r, 3, 0, buf, 3), ==, ALINK_OPT_I2C_NAK_DATA);
    g_assert_cmpuint(rd(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_COUNT), ==, 1);
    rig_free(r, 0);
}

static void test_i2c_guest_errors(void)
{
    Rig *r = rig_new();
    uint32_t ch = ALINK_OPT_CH(3);

    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | 257 << 8);    /* too long */
    wr(r, ch + ALINK_OPT_I2C_CMD, 1U << 31);                    /* unknown */
    wr(r, ch + ALINK_OPT_I2C_CLOCK, 123456);
    wr(r, ch + ALINK_OPT_I2C_TIMEOUT, 999);
    wr(r, ch + ALINK_OPT_I2C_OP, 7);
    g_assert_cmpuint(rd(r, ALINK_REG_GUEST_ERRORS), ==, 5);
    g_assert_cmphex(rd(r, ALINK_REG_GUEST_ERR_LAST), ==,
                    ch + ALINK_OPT_I2C_OP);
    g_assert_cmpuint(rd(r, ch + ALINK_OPT_I2C_CLOCK), ==, 400000);
    g_assert_cmpuint(rd(r, ch + ALINK_OPT_I2C_TIMEOUT), ==, 35000);

    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 1 << 8);
    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 1 << 8);
    g_assert_cmpuint(rd(r, ALINK_REG_GUEST_ERRORS), ==, 6);
    wr(r, ch + ALINK_OPT_I2C_OP, ALINK_OPT_OP_RECOVER);
    g_assert_cmpuint(rd(r, ALINK_REG_GUEST_ERRORS), ==, 7);
    qtest_clock_step(r->qts, 1 * MS);
    /* Done, and not yet acknowledged */
    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 1 << 8);
    g_assert_cmpuint(rd(r, ALINK_REG_GUEST_ERRORS), ==, 8);
    g_assert_cmpuint(rdq(r, ALINK_OPT_REG_TRANSFERS), ==, 1);

    /* A window that this variant does not have */
    g_assert_cmphex(rd(r, ALINK_OPT_CH(32) + ALINK_OPT_CH_STATUS), ==, 0);
    g_assert_cmphex(rd(r, ALINK_OPT_CH(32) + ALINK_OPT_I2C_DATA), ==, 0);
    rig_free(r, 10);
}

static void test_i2c_errors(void)
{
    Rig *r = rig_new();
    uint32_t ch = ALINK_OPT_CH(3);
    uint8_t buf[4];

    set_knob(r, "mod3", "i2c-arb-lost", "1");
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, buf, 1), ==,
                    ALINK_OPT_I2C_ARB_LOST);

    set_knob(r, "mod3", "i2c-stretch", "1");
    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 1 << 8);
    qtest_clock_step(r->qts, 34 * MS);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, 0);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_BUS), ==,
                    ALINK_OPT_BUS_BUSY | ALINK_OPT_BUS_SDA);
    qtest_clock_step(r->qts, 1 * MS);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==,
                    ALINK_OPT_I2C_DONE | ALINK_OPT_I2C_TIMED_OUT);
    wr(r, ch + ALINK_OPT_I2C_STATUS, ~0U);

    /* Two recoveries are needed */
    set_knob(r, "mod3", "i2c-stuck", "2");
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_BUS), ==, ALINK_OPT_BUS_SCL);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, buf, 1), ==,
                    ALINK_OPT_I2C_STUCK);
    wr(r, ch + ALINK_OPT_I2C_OP, ALINK_OPT_OP_RECOVER);
    qtest_clock_step(r->qts, 1 * MS);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==,
                    ALINK_OPT_I2C_DONE | ALINK_OPT_I2C_STUCK);
    wr(r, ch + ALINK_OPT_I2C_STATUS, ~0U);
    wr(r, ch + ALINK_OPT_I2C_OP, ALINK_OPT_OP_RECOVER);
    qtest_clock_step(r->qts, 1 * MS);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, ALINK_OPT_I2C_DONE);
    wr(r, ch + ALINK_OPT_I2C_STATUS, ~0U);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, buf, 1), ==, 0);

    /* Abort in the middle, and of nothing */
    wr(r, ch + ALINK_OPT_I2C_CMD,
       CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 128 << 8);
    wr(r, ch + ALINK_OPT_I2C_OP, ALINK_OPT_OP_ABORT);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==,
                    ALINK_OPT_I2C_DONE | ALINK_OPT_I2C_ABORTED);
    wr(r, ch + ALINK_OPT_I2C_STATUS, ~0U);
    wr(r, ch + ALINK_OPT_I2C_OP, ALINK_OPT_OP_ABORT);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, 0);
    rig_free(r, 0);
}

static void test_irq(void)
{
    Rig *r = rig_new();
    uint32_t ch = ALINK_OPT_CH(3);

    qpci_msix_enable(r->dev);
    /* Masked by the function: the interrupt stays pending */
    qpci_config_writew(r->dev, qpci_find_capability(r->dev, PCI_CAP_ID_MSIX, 0)
                       + PCI_MSIX_FLAGS,
                       PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 1 << 8);
    qtest_clock_step(r->qts, 1 * MS);
    g_assert_false(qpci_msix_pending(r->dev, ALINK_OPT_VECTOR(3)));
    wr(r, ch + ALINK_OPT_I2C_STATUS, ~0U);

    wr(r, ch + ALINK_OPT_I2C_CTRL, 1);
    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 1 << 8);
    g_assert_false(qpci_msix_pending(r->dev, ALINK_OPT_VECTOR(3)));
    qtest_clock_step(r->qts, 1 * MS);
    g_assert_true(qpci_msix_pending(r->dev, ALINK_OPT_VECTOR(3)));
    qpci_msix_disable(r->dev);
    rig_free(r, 0);
}

static void test_events(void)
{
    Rig *r = rig_new();
    uint64_t ring = guest_alloc(&r->alloc, 4096);
    struct alink_event ev[3];
    unsigned want[] = { ALINK_MODULE_EV_REMOVED, ALINK_MODULE_EV_INSERTED,
                        ALINK_MODULE_EV_INTERRUPT };

    qtest_memset(r->qts, ring, 0, 4096);
    qpci_io_writeq(r->dev, r->bar, ALINK_REG_EVENT_BASE, ring);
    wr(r, ALINK_REG_EVENT_SIZE, 64);
    wr(r, ALINK_REG_EVENT_CTRL, 1);
    g_assert_cmpuint(rd(r, ALINK_REG_EVENT_CTRL), ==, 1);

    g_assert_cmpuint(rd(r, ALINK_OPT_CH(3) + ALINK_OPT_CH_CHANGES), ==, 1);
    set_knob(r, "mod3", "present", "false");
    g_assert_cmphex(rdq(r, ALINK_OPT_REG_PRESENT), ==, 1 << 0);
    set_knob(r, "mod3", "present", "true");
    g_assert_cmphex(rdq(r, ALINK_OPT_REG_PRESENT), ==, 1 << 0 | 1 << 3);
    g_assert_cmpuint(rd(r, ALINK_OPT_CH(3) + ALINK_OPT_CH_CHANGES), ==, 3);
    /* It says that its state has changed */
    qtest_clock_step(r->qts, 50 * MS);
    g_assert_cmphex(rdq(r, ALINK_OPT_REG_INT) & 1 << 3, !=, 0);

    qtest_memread(r->qts, ring, ev, sizeof(ev));
    for (unsigned i = 0; i < ARRAY_SIZE(ev); i++) {
        g_assert_cmpuint(le16_to_cpu(ev[i].type), ==, ALINK_EVENT_MODULE);
        g_assert_cmpuint(le16_to_cpu(ev[i].phase), ==, 1);
        g_assert_cmpuint(le32_to_cpu(ev[i].id), ==, 3);
        g_assert_cmpuint(le32_to_cpu(ev[i].code), ==, want[i]);
        g_assert_cmpuint(le32_to_cpu(ev[i].info), ==, i == 0 ? 2 : 3);
    }
    guest_free(&r->alloc, ring);
    rig_free(r, 0);
}

static void test_pulled(void)
{
    Rig *r = rig_new();
    uint32_t ch = ALINK_OPT_CH(3);
    uint8_t buf[8], text[5];

    /* Reading; after address and two bytes somebody pulls the module. */
    buf[0] = CMIS_00_PN;
    g_assert_cmphex(segment(r, 3, 0, buf, 1), ==, 0);
    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 4 << 8);
    qtest_clock_step(r->qts, 3 * 9 * 2500 + 100);
    set_knob(r, "mod3", "present", "false");
    qtest_clock_step(r->qts, 1 * MS);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, ALINK_OPT_I2C_DONE);
    stl_le_p(text, rd(r, ch + ALINK_OPT_I2C_DATA));
    g_assert_cmpmem(text, 4, "AL\xff\xff", 4);
    wr(r, ch + ALINK_OPT_I2C_STATUS, ~0U);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, buf, 1), ==, NAK);

    /* Writing: nobody acknowledges any more. */
    set_knob(r, "mod3", "present", "true");
    qtest_clock_step(r->qts, READY_MS * MS);
    wr(r, ch + ALINK_OPT_I2C_DATA, 200);
    wr(r, ch + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | 8 << 8);
    qtest_clock_step(r->qts, 3 * 9 * 2500 + 100);
    set_knob(r, "mod3", "present", "false");
    qtest_clock_step(r->qts, 1 * MS);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==,
                    ALINK_OPT_I2C_DONE | ALINK_OPT_I2C_NAK_DATA);
    g_assert_cmpuint(rd(r, ch + ALINK_OPT_I2C_COUNT), ==, 2);
    rig_free(r, 0);
}

static void test_reset(void)
{
    Rig *r = rig_new();
    uint32_t ch = ALINK_OPT_CH(3);

    wr(r, ch + ALINK_OPT_I2C_CTRL, 1);
    wr(r, ch + ALINK_OPT_I2C_CLOCK, 100000);
    wr(r, ch + ALINK_OPT_I2C_CMD,
       CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 128 << 8);
    wr(r, ALINK_REG_RESET, ALINK_RESET_KEY);
    for (unsigned i = 0; i < 1000; i++) {
        if (rd(r, ALINK_REG_STATE) == ALINK_STATE_READY) {
            break;
        }
        qtest_clock_step(r->qts, 1 * MS);
    }
    g_assert_cmpuint(rd(r, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, 0);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_CTRL), ==, 0);
    g_assert_cmpuint(rd(r, ch + ALINK_OPT_I2C_CLOCK), ==, 400000);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_BUS), ==,
                    ALINK_OPT_BUS_SDA | ALINK_OPT_BUS_SCL);
    /* Nothing arrives late, and the module has not noticed */
    qtest_clock_step(r->qts, 100 * MS);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, 0);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_READY);
    g_assert_cmpuint(rd(r, ch + ALINK_OPT_CH_CHANGES), ==, 1);
    rig_free(r, 0);
}

static void test_flr(void)
{
    Rig *r = rig_new();
    uint32_t ch = ALINK_OPT_CH(0);
    uint8_t cap = qpci_find_capability(r->dev, PCI_CAP_ID_EXP, 0);
    uint32_t bar0 = qpci_config_readl(r->dev, PCI_BASE_ADDRESS_0);

    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), !=,
                     ALINK_DOWN_MODULE_NOT_READY);
    wr(r, ch + ALINK_OPT_CH_CTRL, ALINK_OPT_CTRL_LOW_POWER);
    qtest_clock_step(r->qts, 100 * MS);
    g_assert_cmpuint(module_state(r, 0), ==, CMIS_STATE_LOW_POWER);
    wr(r, ch + ALINK_OPT_I2C_CMD,
       CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 128 << 8);
    qpci_config_writew(r->dev, cap + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
    qtest_clock_step(r->qts, 1000 * MS);
    qpci_config_writel(r->dev, PCI_BASE_ADDRESS_0, bar0);
    qpci_device_enable(r->dev);
    g_assert_cmphex(rd(r, ALINK_REG_MAGIC), ==, ALINK_MAGIC);
    g_assert_cmphex(rd(r, ch + ALINK_OPT_I2C_STATUS), ==, 0);
    /* The low-power pin went with the reset */
    g_assert_cmpuint(module_state(r, 0), ==, CMIS_STATE_READY);
    rig_free(r, 0);
}

/* --- module ------------------------------------------------------------- */

static uint8_t sum(const uint8_t *p, unsigned from, unsigned to)
{
    uint8_t total = 0;

    for (unsigned i = from; i < to; i++) {
        total += p[i - 128];
    }
    return total;
}

static void test_pages(void)
{
    static const uint8_t have[] = { 0x00, 0x01, 0x02, 0x10, 0x11, 0xc1, 0xc2 };
    Rig *r = rig_new();
    uint8_t low[128], page[128];

    read_mem(r, 3, 0, low, 128);
    g_assert_cmphex(low[CMIS_LO_ID], ==, CMIS_ID_OSFP);
    g_assert_cmphex(low[CMIS_LO_REVISION], ==, 0x52);
    g_assert_cmphex(low[CMIS_LO_FLAGS] & CMIS_LO_FLAT, ==, 0);
    g_assert_cmphex(low[CMIS_LO_APPS], ==, CMIS_HOST_CEI_112G_LINEAR);
    g_assert_cmphex(low[CMIS_LO_APPS + 1], ==, CMIS_MEDIA_800G_DR8_LPO);
    g_assert_cmphex(low[CMIS_LO_APPS + 2], ==, 0x88);

    select_page(r, 3, 0, 0);
    read_mem(r, 3, 128, page, 128);
    g_assert_cmpmem(&page[CMIS_00_SN - 128], 16, "SN3             ", 16);
    g_assert_cmphex(page[CMIS_00_CHECKSUM - 128], ==,
                    sum(page, 128, CMIS_00_CHECKSUM));
    select_page(r, 3, 0, 1);
    read_mem(r, 3, 128, page, 128);
    g_assert_cmphex(page[CMIS_01_CHECKSUM - 128], ==,
                    sum(page, 130, CMIS_01_CHECKSUM));
    g_assert_cmphex(page[CMIS_01_TX_SI - 128] & 1, ==, 0);      /* no CDR */
    g_assert_cmphex(page[CMIS_01_RX_SI - 128] & 1, ==, 0);
    g_assert_cmphex(page[CMIS_01_CDB - 128], ==, 0);
    select_page(r, 3, 0, 2);
    read_mem(r, 3, 128, page, 128);
    g_assert_cmphex(page[CMIS_02_CHECKSUM - 128], ==,
                    sum(page, 128, CMIS_02_CHECKSUM));
    g_assert_cmphex(lduw_be_p(&page[CMIS_02_TEMP - 128]), ==, 80 * 256);

    for (unsigned p = 0; p < 256; p++) {
        bool known = memchr(have, p, sizeof(have));

        select_page(r, 3, 0, p);
        g_assert_cmphex(read_word(r, 3, CMIS_LO_BANK), ==, known ? p : 0);
    }
    select_page(r, 3, 1, 0x11);
    g_assert_cmphex(read_word(r, 3, CMIS_LO_BANK), ==, 0);

    set_knob(r, "mod3", "bad-checksum", "true");
    read_mem(r, 3, 128, page, 128);
    g_assert_cmphex(page[CMIS_00_CHECKSUM - 128], !=,
                    sum(page, 128, CMIS_00_CHECKSUM));
    set_knob(r, "mod3", "unreadable", "true");
    g_assert_cmphex(read_word(r, 3, 0), ==, 0xffff);
    rig_free(r, 0);
}

static void test_hold_off(void)
{
    Rig *r = rig_new();
    uint8_t sel[] = { CMIS_LO_BANK, 0, 1 }, byte;

    wr(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_CLOCK, 1000000);
    sel[2] = 1;
    wr(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_DATA, ldl_le_p(sel) & 0xffffff);
    wr(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_CMD, CMIS_I2C_ADDR | 3 << 8);
    qtest_clock_step(r->qts, 38 * 1000);
    wr(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_STATUS, ~0U);
    /* Busy for 300 us, and then not */
    wr(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_CMD,
       CMIS_I2C_ADDR | ALINK_OPT_CMD_READ | 1 << 8);
    qtest_clock_step(r->qts, 20 * 1000);
    g_assert_cmphex(rd(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_STATUS), ==,
                    ALINK_OPT_I2C_DONE | NAK);
    wr(r, ALINK_OPT_CH(3) + ALINK_OPT_I2C_STATUS, ~0U);
    qtest_clock_step(r->qts, 280 * 1000);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, &byte, 1), ==, 0);
    rig_free(r, 0);
}

static void test_read_only(void)
{
    Rig *r = rig_new();

    write_byte(r, 3, CMIS_LO_ID, 0);
    g_assert_cmphex(read_byte(r, 3, CMIS_LO_ID), ==, CMIS_ID_OSFP);
    select_page(r, 3, 0, 0);
    write_byte(r, 3, CMIS_00_VENDOR, 'X');
    g_assert_cmphex(read_byte(r, 3, CMIS_00_VENDOR), ==, 'A');
    select_page(r, 3, 0, 0x10);
    write_byte(r, 3, CMIS_10_MASKS, 0x5a);
    g_assert_cmphex(read_byte(r, 3, CMIS_10_MASKS), ==, 0x5a);
    write_byte(r, 3, 160, 0xff);            /* CDR control: there is none */
    g_assert_cmphex(read_byte(r, 3, 160), ==, 0);
    rig_free(r, 0);
}

static void test_states(void)
{
    Rig *r = rig_new_args(NULL);
    uint8_t byte;

    /* 50 ms of silence; low power is passed at once; 200 ms to come up */
    qtest_clock_step(r->qts, 49 * MS);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, &byte, 1), ==, NAK);
    qtest_clock_step(r->qts, 1 * MS);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_POWER_UP);
    qtest_clock_step(r->qts, 201 * MS);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_READY);
    g_assert_cmpuint(dp_state(r, 3, 7), ==, CMIS_DP_INIT);
    qtest_clock_step(r->qts, 30 * MS);
    g_assert_cmpuint(dp_state(r, 3, 7), ==, CMIS_DP_ACTIVATED);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_TX_OUTPUT), ==, 0xff);

    /* Low power by software: data paths go down first */
    write_byte(r, 3, CMIS_LO_CONTROL,
               CMIS_CONTROL_ALLOW_HW | CMIS_CONTROL_LOW_POWER);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_READY);
    qtest_clock_step(r->qts, 15 * MS);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_POWER_DOWN);
    qtest_clock_step(r->qts, 51 * MS);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_LOW_POWER);
    g_assert_cmpuint(dp_state(r, 3, 0), ==, CMIS_DP_DEACTIVATED);

    /* Software reset clears the request and starts over */
    write_byte(r, 3, CMIS_LO_CONTROL, CMIS_CONTROL_RESET);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, &byte, 1), ==, NAK);
    qtest_clock_step(r->qts, READY_MS * MS);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_READY);
    g_assert_cmphex(read_byte(r, 3, CMIS_LO_CONTROL), ==,
                    CMIS_CONTROL_ALLOW_HW);

    /* The reset pin holds it */
    wr(r, ALINK_OPT_CH(3) + ALINK_OPT_CH_CTRL, ALINK_OPT_CTRL_RESET);
    qtest_clock_step(r->qts, 1000 * MS);
    g_assert_cmphex(segment(r, 3, ALINK_OPT_CMD_READ, &byte, 1), ==, NAK);
    wr(r, ALINK_OPT_CH(3) + ALINK_OPT_CH_CTRL, 0);
    qtest_clock_step(r->qts, READY_MS * MS);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_READY);

    /* A fault stays until reset, also when its cause has gone */
    set_knob(r, "mod3", "module-fault", "2");
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_FAULT);
    g_assert_cmpuint(read_byte(r, 3, CMIS_LO_FAULT), ==,
                     CMIS_FAULT_DATA_MEMORY);
    set_knob(r, "mod3", "module-fault", "0");
    qtest_clock_step(r->qts, 1000 * MS);
    g_assert_cmpuint(module_state(r, 3), ==, CMIS_STATE_FAULT);
    rig_free(r, 0);
}

static void test_apply(void)
{
    Rig *r = rig_new();
    uint8_t four[4] = { 2 << 4 | 4 << 1, 2 << 4 | 4 << 1, 2 << 4 | 4 << 1,
                        2 << 4 | 4 << 1 };
    uint8_t bad[4] = { 9 << 4, 9 << 4, 9 << 4, 9 << 4 };

    select_page(r, 3, 0, 0x11);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_ACTIVE + 5), ==, 1 << 4);
    /* Cage 0 carries two links: two data paths of four */
    select_page(r, 0, 0, 0x11);
    g_assert_cmphex(read_byte(r, 0, CMIS_11_ACTIVE + 5), ==, 2 << 4 | 4 << 1);

    /* Half of an eight-lane data path may not be taken out of it */
    select_page(r, 3, 0, 0x10);
    write_mem(r, 3, CMIS_10_APPSEL + 4, four, 4);
    write_byte(r, 3, CMIS_10_APPLY_INIT, 0xf0);
    select_page(r, 3, 0, 0x11);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_CONFIG + 2), ==,
                    CMIS_CONFIG_LANE_IN_USE << 4 | CMIS_CONFIG_LANE_IN_USE);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_ACTIVE + 5), ==, 1 << 4);

    /* In cage 0 it may, and goes through Deinit */
    select_page(r, 0, 0, 0x10);
    write_mem(r, 0, CMIS_10_APPSEL + 4, four, 4);
    write_byte(r, 0, CMIS_10_APPLY_INIT, 0xf0);
    g_assert_cmpuint(dp_state(r, 0, 0), ==, CMIS_DP_ACTIVATED);
    g_assert_cmpuint(dp_state(r, 0, 4), !=, CMIS_DP_ACTIVATED);
    g_assert_cmphex(read_byte(r, 0, CMIS_11_CONFIG + 2), ==,
                    CMIS_CONFIG_SUCCESS << 4 | CMIS_CONFIG_SUCCESS);
    qtest_clock_step(r->qts, 50 * MS);
    g_assert_cmpuint(dp_state(r, 0, 4), ==, CMIS_DP_ACTIVATED);

    select_page(r, 0, 0, 0x10);
    write_mem(r, 0, CMIS_10_APPSEL + 4, bad, 4);
    write_byte(r, 0, CMIS_10_APPLY_NOW, 0xf0);
    select_page(r, 0, 0, 0x11);
    g_assert_cmphex(read_byte(r, 0, CMIS_11_CONFIG + 3), ==,
                    CMIS_CONFIG_BAD_APPSEL << 4 | CMIS_CONFIG_BAD_APPSEL);
    rig_free(r, 0);
}

static void test_monitors(void)
{
    Rig *r = rig_new();

    set_knob(r, "mod3", "temperature", "51250");
    set_knob(r, "mod3", "vcc", "3301500");
    set_knob(r, "mod3", "tx-bias2", "70124");
    set_knob(r, "mod3", "tx-power2", "1234");
    set_knob(r, "mod3", "rx-power5", "777");
    g_assert_cmphex(read_word(r, 3, CMIS_LO_TEMP), ==, 51 * 256 + 64);
    g_assert_cmpuint(read_word(r, 3, CMIS_LO_VCC), ==, 33015);
    select_page(r, 3, 0, 0x11);
    g_assert_cmpuint(read_word(r, 3, CMIS_11_TX_BIAS + 4), ==, 35062);
    g_assert_cmpuint(read_word(r, 3, CMIS_11_TX_POWER + 4), ==, 12340);
    g_assert_cmpuint(read_word(r, 3, CMIS_11_TX_POWER + 6), ==, 10000);
    g_assert_cmpuint(read_word(r, 3, CMIS_11_RX_POWER + 10), ==, 7770);
    g_assert_cmpuint(read_word(r, 3, CMIS_11_RX_POWER + 12), ==, 6000);
    select_page(r, 3, 0, CMIS_PAGE_LPO_MON);
    g_assert_cmpuint(read_byte(r, 3, CMIS_C2_VMA), ==, 120);
    g_assert_cmpuint(read_word(r, 3, CMIS_C2_OMA + 10), ==, 7770);
    set_knob(r, "mod3", "temperature", "-3500");
    g_assert_cmphex(read_word(r, 3, CMIS_LO_TEMP), ==, 0x10000 - 896);
    rig_free(r, 0);
}

static bool interrupt(Rig *r, unsigned ch)
{
    return rd(r, ALINK_OPT_CH(ch) + ALINK_OPT_CH_STATUS) &
           ALINK_OPT_STATUS_INT;
}

static void drain_flags(Rig *r, unsigned ch)
{
    uint8_t buf[20];

    read_mem(r, ch, CMIS_LO_FLAGS_FIRST, buf, 4);
    select_page(r, ch, 0, 0x11);
    read_mem(r, ch, CMIS_11_FLAGS_FIRST, buf, 20);
    g_assert_false(interrupt(r, ch));
}

static void test_flags(void)
{
    Rig *r = rig_new();

    g_assert_true(interrupt(r, 3));     /* its state has changed */
    drain_flags(r, 3);

    set_knob(r, "mod3", "temperature", "72000");
    g_assert_true(interrupt(r, 3));
    g_assert_cmphex(read_byte(r, 3, CMIS_LO_STATE) & CMIS_LO_NO_INT, ==, 0);
    g_assert_cmphex(read_byte(r, 3, CMIS_LO_FLAG_TEMP_VCC), ==, 0x04);
    g_assert_cmphex(read_byte(r, 3, CMIS_LO_FLAG_TEMP_VCC), ==, 0);
    g_assert_false(interrupt(r, 3));
    /* It is still warm, and says so once per second */
    qtest_clock_step(r->qts, 1000 * MS);
    g_assert_true(interrupt(r, 3));
    g_assert_cmphex(read_byte(r, 3, CMIS_LO_FLAG_TEMP_VCC), ==, 0x04);
    set_knob(r, "mod3", "temperature", "40000");
    qtest_clock_step(r->qts, 3000 * MS);
    g_assert_cmphex(read_byte(r, 3, CMIS_LO_FLAG_TEMP_VCC), ==, 0);

    /* A masked flag does not interrupt */
    write_byte(r, 3, CMIS_LO_MASKS + 1, 0xff);
    set_knob(r, "mod3", "vcc", "2900000");
    g_assert_false(interrupt(r, 3));
    g_assert_cmphex(read_byte(r, 3, CMIS_LO_FLAG_TEMP_VCC), ==, 0xa0);
    set_knob(r, "mod3", "vcc", "3300000");

    set_knob(r, "mod3", "laser-fault", "4");
    g_assert_true(interrupt(r, 3));
    select_page(r, 3, 0, 0x11);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_FLAG_TX_FAULT), ==, 4);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_FLAG_TX_POWER + 1), ==, 4);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_FLAG_TX_BIAS + 3), ==, 4);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_TX_OUTPUT), ==, 0xfb);
    g_assert_cmpuint(read_word(r, 3, CMIS_11_TX_BIAS + 4), ==, 0);
    set_knob(r, "mod3", "laser-fault", "0");

    drain_flags(r, 3);
    set_knob(r, "mod3", "rx-los", "129");
    g_assert_cmphex(read_byte(r, 3, CMIS_11_FLAG_RX_LOS), ==, 129);
    g_assert_cmphex(read_byte(r, 3, CMIS_11_RX_OUTPUT), ==, 0x7e);
    g_assert_cmpuint(read_word(r, 3, CMIS_11_RX_POWER), ==, 0);
    rig_free(r, 0);
}

/* --- links -------------------------------------------------------------- */

static void test_link_reasons(void)
{
    Rig *r = rig_new_args(NULL);

    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_MODULE_NOT_READY);
    g_assert_cmpuint(link_reg(r, 1, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_MODULE_NOT_READY);
    qtest_clock_step(r->qts, READY_MS * MS);
    /* Nothing is at the other end, but that is no fault of the module. */
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_NO_CABLE);

    set_knob(r, "mod0", "laser-fault", "16");       /* lane 4: port 1 */
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_NO_CABLE);
    g_assert_cmpuint(link_reg(r, 1, ALINK_LINK_REASON), ==, ALINK_DOWN_LASER);
    set_knob(r, "mod0", "laser-fault", "0");
    g_assert_cmpuint(link_reg(r, 1, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_NO_CABLE);

    select_page(r, 0, 0, 0x10);
    write_byte(r, 0, CMIS_10_TX_DISABLE, 1);
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==, ALINK_DOWN_LASER);
    write_byte(r, 0, CMIS_10_TX_DISABLE, 0);
    qtest_clock_step(r->qts, 20 * MS);
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_NO_CABLE);
    write_byte(r, 0, CMIS_10_RX_DISABLE, 1);
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==, ALINK_DOWN_RX_LOS);
    write_byte(r, 0, CMIS_10_RX_DISABLE, 0);

    set_knob(r, "mod0", "temperature", "85000");
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_TEMPERATURE);
    set_knob(r, "mod0", "temperature", "45000");
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_MODULE_FAULT);
    write_byte(r, 0, CMIS_LO_CONTROL,
               CMIS_CONTROL_ALLOW_HW | CMIS_CONTROL_RESET);
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_MODULE_NOT_READY);
    qtest_clock_step(r->qts, READY_MS * MS);
    g_assert_cmpuint(link_reg(r, 0, ALINK_LINK_REASON), ==,
                     ALINK_DOWN_NO_CABLE);
    rig_free(r, 0);
}

/* QEMU refuses to start, and says what it does not like. */
static void test_bad_options(void)
{
    static const struct {
        const char *option, *says;
    } bad[] = {
        { "bus=opt0.1,links=switch:0", "is not TYPE:ID:PORT" },
        { "bus=opt0.1,links=nic:0:0", "is not TYPE:ID:PORT" },
        { "bus=opt0.1,links=switch:0:x", "is not TYPE:ID:PORT" },
        { "bus=opt0.1,links=switch:0:0:9", "is not TYPE:ID:PORT" },
        { "bus=opt0.1,links=switch:0:0:0-3+switch:0:1:3-4", "are in use" },
        { "bus=opt0.1,links=switch:64:0", "no fabric has a switch:64:0" },
        { "bus=opt0.1,links=xpu:4000:0", "no fabric has a xpu:4000:0" },
        { "bus=opt0.1,links=switch:0:6", "another module carries" },
        { "bus=opt0.0", "already has a module" },
        { "bus=opt0.1,temperature=999999", "must be -40000 to 125000" },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        g_autofree char *device = g_strconcat("alink-cmis,", bad[i].option,
                                              NULL);
        g_autofree char *out = NULL;
        const char *argv[] = {
            "timeout", "30", getenv("QTEST_QEMU_BINARY"), "-machine", "q35",
            "-nodefaults", "-display", "none", "-accel", "qtest",
            "-device", "alink-fabric,id=fab0",
            "-device", "alink-optics,id=opt0,fabric=fab0",
            "-device", "alink-cmis,bus=opt0.0,links=switch:0:6",
            "-device", device, NULL
        };
        int status;

        g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL,
                                   G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &out,
                                   &status, NULL));
        g_assert_cmpint(WEXITSTATUS(status), ==, 1);
        g_assert_nonnull(strstr(out, bad[i].says));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    qtest_add_func("/alink/optics/identity", test_identity);
    qtest_add_func("/alink/optics/i2c/time", test_i2c_time);
    qtest_add_func("/alink/optics/i2c/nak", test_i2c_nak);
    qtest_add_func("/alink/optics/i2c/guest-errors", test_i2c_guest_errors);
    qtest_add_func("/alink/optics/i2c/errors", test_i2c_errors);
    qtest_add_func("/alink/optics/irq", test_irq);
    qtest_add_func("/alink/optics/events", test_events);
    qtest_add_func("/alink/optics/pulled", test_pulled);
    qtest_add_func("/alink/optics/reset", test_reset);
    qtest_add_func("/alink/optics/flr", test_flr);
    qtest_add_func("/alink/cmis/pages", test_pages);
    qtest_add_func("/alink/cmis/hold-off", test_hold_off);
    qtest_add_func("/alink/cmis/read-only", test_read_only);
    qtest_add_func("/alink/cmis/states", test_states);
    qtest_add_func("/alink/cmis/apply", test_apply);
    qtest_add_func("/alink/cmis/monitors", test_monitors);
    qtest_add_func("/alink/cmis/flags", test_flags);
    qtest_add_func("/alink/cmis/link-reasons", test_link_reasons);
    qtest_add_func("/alink/cmis/bad-options", test_bad_options);
    return g_test_run();
}
