/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The knobs that make a device lie (alink_common_lie.c): each lie is told, as
 * often as it was asked for, and counted; then the device is honest again.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "alink-qtest.h"

#define SWITCH  AQ_FABRIC "-device alink-switch,id=dut,fabric=fab0,addr=4.0"

static void test_registers(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint32_t first;

    aq_set_str(aq, "x-lie", "0:0x55:2+4:0xffff0000");
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, 0x55);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, 0x55);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, ALINK_MAGIC);
    g_assert_cmphex(aq_rd32(aq, 4), ==, 0xffff0000);
    aq_set_str_bad(aq, "x-lie", "0");
    aq_set_str_bad(aq, "x-lie", "0:x");
    aq_set_str(aq, "x-lie", "none");
    g_assert_cmphex(aq_rd32(aq, 4), !=, 0xffff0000);

    aq_set_str(aq, "x-reads", "zero");
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, 0);
    aq_set_str(aq, "x-reads", "random:7");
    first = aq_rd32(aq, ALINK_REG_MAGIC);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), !=, first);
    aq_set_str(aq, "x-reads", "random:7");
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, first);
    aq_set_str_bad(aq, "x-reads", "randomly");
    aq_set_str(aq, "x-reads", "honest");
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, ALINK_MAGIC);

    aq_msix_enable(aq);
    aq_irqs(aq);
    aq_set_int(aq, "x-irq-storm-us", 10);
    aq_clock_us(aq, 100);
    g_assert_cmphex(aq_irqs(aq), !=, 0);
    aq_set_int(aq, "x-irq-storm-us", 0);
    aq_clock_us(aq, 100);
    aq_irqs(aq);
    aq_clock_us(aq, 100);
    g_assert_cmphex(aq_irqs(aq), ==, 0);
    aq_stop(aq);
}

static struct alink_admin_cpl identify(AlinkQtest *aq, const char *lie)
{
    aq_set_str(aq, "x-admin-lie", lie);
    return aq_admin(aq, ALINK_ADMIN_IDENTIFY, NULL, 0, 512);
}

static void test_admin(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    struct alink_admin_cmd cmd = { .opcode = cpu_to_le16(ALINK_ADMIN_NOP) };
    struct alink_admin_cpl good, cpl;
    unsigned tries = 100;
    uint8_t tlv[4];

    aq_admin_enable(aq, 8);
    good = identify(aq, "none");
    g_assert_cmpuint(identify(aq, "short").resp_len, <, good.resp_len);
    g_assert_cmphex(identify(aq, "long").resp_len, ==, UINT32_MAX);
    identify(aq, "tlv");
    qtest_memread(aq->qts, aq->resp, tlv, sizeof(tlv));
    g_assert_cmphex(lduw_le_p(tlv + 2), ==, UINT16_MAX);
    good = identify(aq, "twice");
    g_assert(aq_admin_poll(aq, &cpl));
    g_assert_cmphex(cpl.cid, ==, good.cid);
    g_assert_cmpint(aq_get_int(aq, "lies-told"), ==, 4);

    aq_set_str(aq, "x-admin-lie", "wrong-id");
    cmd.cid = cpu_to_le32(0x1234);
    aq_admin_submit(aq, &cmd);
    while (!aq_admin_poll(aq, &cpl)) {
        g_assert(tries--);
    }
    g_assert_cmphex(le32_to_cpu(cpl.cid), !=, 0x1234);
    aq_set_str_bad(aq, "x-admin-lie", "kind");
    aq_stop(aq);
}

static void test_events(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    struct alink_event ev;

    aq_event_enable(aq, 8);
    aq_set_str(aq, "x-record-lie", "event-type");
    aq_set_str(aq, "x-fault", "2176:1:0:3");
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmphex(le16_to_cpu(ev.type), ==, 0xbad);
    aq_set_str(aq, "x-record-lie", "event-id:2");
    aq_set_str(aq, "x-fault", "2176:1:0:3");
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmphex(le16_to_cpu(ev.type), ==, ALINK_EVENT_FAULT);
    g_assert_cmphex(le32_to_cpu(ev.id), ==, 0xbadbad);
    aq_set_str(aq, "x-record-lie", "event-jump");
    aq_set_str(aq, "x-fault", "2176:1:0:3");
    g_assert(!aq_event_poll(aq, &ev));
    aq->ev_head++;
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmphex(le32_to_cpu(ev.id), ==, 3);
    g_assert_cmpint(aq_get_int(aq, "lies-told"), ==, 3);

    aq_set_str(aq, "x-record-lie", "event-type:5");
    aq_set_str(aq, "x-record-lie", "none");
    aq_set_str(aq, "x-fault", "2176:1:0:3");
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmphex(le16_to_cpu(ev.type), ==, ALINK_EVENT_FAULT);
    aq_set_str_bad(aq, "x-record-lie", "");
    aq_set_str_bad(aq, "x-record-lie", "event");
    aq_set_str_bad(aq, "x-record-lie", "event-id:many");
    aq_stop(aq);
}

/* On the command line, before there is a device to lie */
static void test_from_the_start(void)
{
    AlinkQtest *aq = aq_start(AQ_FABRIC "-device alink-switch,id=dut,"
                              "fabric=fab0,addr=4.0,x-irq-storm-us=10,"
                              "x-lie=0:0x55:1,x-record-lie=event-id");

    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, 0x55);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), ==, ALINK_MAGIC);
    aq_clock_us(aq, 100);
    g_assert_cmpint(aq_get_int(aq, "lies-told"), >, 2);
    aq_stop(aq);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/lie/registers", test_registers);
    qtest_add_func("/alink/lie/admin", test_admin);
    qtest_add_func("/alink/lie/events", test_events);
    qtest_add_func("/alink/lie/from-the-start", test_from_the_start);
    return g_test_run();
}
