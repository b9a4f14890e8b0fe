/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Admin queue, event ring and frame rings of the common block, on a switch:
 * what works, what is refused, what happens when memory or driver let the
 * device down, and FLR in the middle of it.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/pci/pci_regs.h"
#include "alink-qtest.h"

#define SWITCH  AQ_FABRIC "-device alink-switch,id=dut,fabric=fab0,addr=4.0"

static uint16_t status_of(struct alink_admin_cpl cpl)
{
    return le16_to_cpu(cpl.status);
}

static uint16_t nop(AlinkQtest *aq)
{
    return aq_admin_tlv(aq, ALINK_ADMIN_NOP, 0, NULL, 0);
}

/* --- admin queue --------------------------------------------------------- */

static void test_admin_wrap(void)
{
    static const uint32_t sizes[] = { 2, 16, 256 };
    AlinkQtest *aq = aq_start(SWITCH);
    unsigned i, n;

    aq_msix_enable(aq);
    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        aq_admin_enable(aq, sizes[i]);
        for (n = 0; n < 2 * sizes[i] + 3; n++) {
            g_assert_cmpuint(nop(aq), ==, ALINK_ST_OK);
            g_assert_cmphex(aq_irqs(aq), ==, 1);
        }
    }
    aq_stop(aq);
}

static char *text_tlv(const uint8_t *buf, uint32_t len, uint16_t type)
{
    uint32_t pos = 0;

    while (pos < len) {
        if (lduw_le_p(buf + pos) == type) {
            return g_strndup((const char *)buf + pos + 8,
                             lduw_le_p(buf + pos + 2));
        }
        pos += ALINK_TLV_SPAN(lduw_le_p(buf + pos + 2));
    }
    return NULL;
}

static void check_text(const uint8_t *buf, uint32_t len, uint16_t type,
                       const char *want)
{
    g_autofree char *have = text_tlv(buf, len, type);

    g_assert_cmpstr(have, ==, want);
}

static void test_identify(void)
{
    AlinkQtest *aq = aq_start(SWITCH ",serial=0x1122334455667788");
    struct alink_admin_cpl cpl;
    uint8_t buf[512];
    uint32_t len, room;

    aq_admin_enable(aq, 8);
    cpl = aq_admin(aq, ALINK_ADMIN_IDENTIFY, NULL, 0, sizeof(buf));
    g_assert_cmpuint(status_of(cpl), ==, ALINK_ST_OK);
    len = le32_to_cpu(cpl.resp_len);
    g_assert_cmpuint(len, >, 0);
    g_assert_cmpuint(len, <, sizeof(buf));
    qtest_memread(aq->qts, aq->resp, buf, len);
    check_text(buf, len, ALINK_TLV_NAME, "ICN Switch 1.0");
    check_text(buf, len, ALINK_TLV_FW_TEXT, "1.0.2");
    check_text(buf, len, ALINK_TLV_PART_NUMBER, "ICNSW-64X400");
    check_text(buf, len, ALINK_TLV_BOARD_SERIAL, "AL1122334455667788");
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_SERIAL), ==, 0x1122334455667788);

    /* Every room that is too small is told how much it takes. */
    for (room = 0; room < len; room += 8) {
        qtest_memset(aq->qts, aq->resp, 0xee, sizeof(buf));
        cpl = aq_admin(aq, ALINK_ADMIN_IDENTIFY, NULL, 0, room);
        g_assert_cmpuint(status_of(cpl), ==, ALINK_ST_NO_ROOM);
        g_assert_cmpuint(le32_to_cpu(cpl.resp_len), ==, len);
        g_assert_cmphex(qtest_readb(aq->qts, aq->resp), ==, 0xee);
    }
    cpl = aq_admin(aq, ALINK_ADMIN_IDENTIFY, NULL, 0, len);
    g_assert_cmpuint(status_of(cpl), ==, ALINK_ST_OK);
    aq_stop(aq);
}

static void test_admin_header(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    struct alink_admin_cmd cmd = {};
    static const uint16_t opcodes[] = { 3, 0xf, 0x13, 0x22, 0xff, 0x100,
                                        0x108, 0x8000, 0xffff };
    static const uint32_t lens[] = { ALINK_ADMIN_BUF_MAX + 1, 0x80000000,
                                     0xffffffff };
    unsigned i;

    aq_admin_enable(aq, 8);
    for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
        cmd.opcode = cpu_to_le16(opcodes[i]);
        g_assert_cmpuint(status_of(aq_admin_raw(aq, &cmd)), ==,
                         ALINK_ST_BAD_OPCODE);
        g_assert_cmphex(aq_rd32(aq, ALINK_REG_GUEST_ERR_LAST), ==,
                        opcodes[i]);
    }
    aq_expect_guest_errors(aq, ARRAY_SIZE(opcodes));

    memset(&cmd, 0, sizeof(cmd));
    cmd.flags = cpu_to_le16(1);
    g_assert_cmpuint(status_of(aq_admin_raw(aq, &cmd)), ==,
                     ALINK_ST_BAD_FIELD);
    for (i = 0; i < 4; i++) {
        memset(&cmd, 0, sizeof(cmd));
        cmd.reserved[i] = cpu_to_le64(1ULL << 63);
        g_assert_cmpuint(status_of(aq_admin_raw(aq, &cmd)), ==,
                         ALINK_ST_BAD_FIELD);
    }
    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        memset(&cmd, 0, sizeof(cmd));
        cmd.req_len = cpu_to_le32(lens[i]);
        g_assert_cmpuint(status_of(aq_admin_raw(aq, &cmd)), ==,
                         ALINK_ST_BAD_FIELD);
        memset(&cmd, 0, sizeof(cmd));
        cmd.resp_len = cpu_to_le32(lens[i]);
        g_assert_cmpuint(status_of(aq_admin_raw(aq, &cmd)), ==,
                         ALINK_ST_BAD_FIELD);
    }
    aq_expect_guest_errors(aq, 5 + 2 * ARRAY_SIZE(lens));
    g_assert_cmpuint(nop(aq), ==, ALINK_ST_OK);
    aq_stop(aq);
}

/* One request of raw words, and what it must give. */
typedef struct TlvCase {
    const char *what;
    uint16_t opcode;
    uint32_t len;
    uint16_t word[24];
    enum alink_status status;
    uint16_t info;
} TlvCase;

#define MUST    ALINK_TLV_MUST
#define MASK    ALINK_TLV_MASK

static const TlvCase tlv_cases[] = {
    { "fits", ALINK_ADMIN_EVENT_MASK, 16,
      { MASK, 8, 0, 0, 0xffff, 0xffff, 0xffff, 0xffff }, ALINK_ST_OK, 0 },
    { "must on a known type", ALINK_ADMIN_EVENT_MASK, 16,
      { MASK | MUST, 8, 0, 0, 0xffff, 0xffff, 0xffff, 0xffff },
      ALINK_ST_OK, 0 },
    { "unknown type is ignored", ALINK_ADMIN_EVENT_MASK, 32,
      { 0x7777, 3, 0, 0, 1, 2, 0, 0, MASK, 8, 0, 0, 0xffff, 0xffff, 0xffff,
        0xffff }, ALINK_ST_OK, 0 },
    { "unknown type with must", ALINK_ADMIN_EVENT_MASK, 32,
      { MASK, 8, 0, 0, 0, 0, 0, 0, 0x7777 | MUST, 3, 0, 0, 1, 2, 0, 0 },
      ALINK_ST_TLV, 0x7777 },
    { "must where none is known", ALINK_ADMIN_NOP, 8, { 1 | MUST, 0 },
      ALINK_ST_TLV, 1 },
    { "missing", ALINK_ADMIN_EVENT_MASK, 0, {}, ALINK_ST_TLV, MASK },
    { "missing beside another", ALINK_ADMIN_EVENT_MASK, 16,
      { ALINK_TLV_ID, 4 }, ALINK_ST_TLV, MASK },
    { "too short", ALINK_ADMIN_EVENT_MASK, 16, { MASK, 7 }, ALINK_ST_TLV,
      MASK },
    { "too long", ALINK_ADMIN_EVENT_MASK, 24, { MASK, 9 }, ALINK_ST_TLV,
      MASK },
    { "empty payload", ALINK_ADMIN_EVENT_MASK, 8, { MASK, 0 }, ALINK_ST_TLV,
      MASK },
    { "twice", ALINK_ADMIN_EVENT_MASK, 32,
      { MASK, 8, 0, 0, 0, 0, 0, 0, MASK, 8 }, ALINK_ST_TLV, MASK },
    { "reserved", ALINK_ADMIN_EVENT_MASK, 16, { MASK, 8, 1 }, ALINK_ST_TLV,
      MASK },
    { "header cut", ALINK_ADMIN_EVENT_MASK, 20, { MASK, 8 }, ALINK_ST_TLV,
      MASK },
    { "payload cut", ALINK_ADMIN_EVENT_MASK, 15, { MASK, 8 }, ALINK_ST_TLV,
      MASK },
    { "padding cut", ALINK_ADMIN_NOP, 12, { 0x7777, 3 }, ALINK_ST_TLV,
      0x7777 },
    { "length to the end of the world", ALINK_ADMIN_NOP, 16,
      { 0x7777, 0xffff }, ALINK_ST_TLV, 0x7777 },
    { "half a header", ALINK_ADMIN_NOP, 4, { 0x7777, 0 }, ALINK_ST_TLV, 0 },
};

static void test_admin_tlv(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    unsigned i, w;

    aq_admin_enable(aq, 8);
    for (i = 0; i < ARRAY_SIZE(tlv_cases); i++) {
        const TlvCase *c = &tlv_cases[i];
        struct alink_admin_cpl cpl;
        uint8_t buf[64] = {};

        g_test_message("%s", c->what);
        for (w = 0; w < ARRAY_SIZE(c->word); w++) {
            stw_le_p(buf + 2 * w, c->word[w]);
        }
        cpl = aq_admin(aq, c->opcode, buf, c->len, 0);
        g_assert_cmpuint(status_of(cpl), ==, c->status);
        g_assert_cmphex(le32_to_cpu(cpl.info), ==, c->info);
        aq_expect_guest_errors(aq, c->status != ALINK_ST_OK);
    }
    aq_stop(aq);
}

/* The whole 64 KiB of a request, full of TLVs that nobody knows. */
static void test_admin_largest(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    g_autofree uint8_t *buf = g_malloc0(ALINK_ADMIN_BUF_MAX);
    uint32_t pos;

    aq_admin_enable(aq, 8);
    for (pos = 0; pos < ALINK_ADMIN_BUF_MAX; pos += 8) {
        stw_le_p(buf + pos, 0x7000);
    }
    g_assert_cmpuint(status_of(aq_admin(aq, ALINK_ADMIN_NOP, buf,
                                        ALINK_ADMIN_BUF_MAX,
                                        ALINK_ADMIN_BUF_MAX)), ==,
                     ALINK_ST_OK);
    stw_le_p(buf + ALINK_ADMIN_BUF_MAX - 8, 0x7001 | MUST);
    g_assert_cmpuint(status_of(aq_admin(aq, ALINK_ADMIN_NOP, buf,
                                        ALINK_ADMIN_BUF_MAX, 0)), ==,
                     ALINK_ST_TLV);
    aq_expect_guest_errors(aq, 1);
    aq_stop(aq);
}

static void test_admin_dma(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t bar = aq->bar_addr[0] & ~0xfU;
    const uint64_t refused[] = { AQ_NOWHERE, ~0ULL - 7, bar, 0x4000000 - 8 };
    struct alink_admin_cmd cmd;
    unsigned i;

    aq_admin_enable(aq, 8);
    for (i = 0; i < ARRAY_SIZE(refused); i++) {
        memset(&cmd, 0, sizeof(cmd));
        cmd.req_addr = cpu_to_le64(refused[i]);
        cmd.req_len = cpu_to_le32(64);
        g_assert_cmpuint(status_of(aq_admin_raw(aq, &cmd)), ==, ALINK_ST_DMA);
        memset(&cmd, 0, sizeof(cmd));
        cmd.opcode = cpu_to_le16(ALINK_ADMIN_IDENTIFY);
        cmd.resp_addr = cpu_to_le64(refused[i]);
        cmd.resp_len = cpu_to_le32(4096);
        g_assert_cmpuint(status_of(aq_admin_raw(aq, &cmd)), ==, ALINK_ST_DMA);
    }
    g_assert_cmpuint(nop(aq), ==, ALINK_ST_OK);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==, 0);
    aq_stop(aq);
}

static void try_enable(AlinkQtest *aq, uint64_t sq, uint64_t cq, uint32_t size)
{
    aq_wr64(aq, ALINK_REG_ADMIN_SQ_BASE, sq);
    aq_wr64(aq, ALINK_REG_ADMIN_CQ_BASE, cq);
    aq_wr32(aq, ALINK_REG_ADMIN_SIZE, size);
    aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 1);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_ADMIN_CTRL), ==, 0);
    aq_expect_guest_errors(aq, 1);
}

static void test_admin_setup(void)
{
    static const uint32_t bad_size[] = { 0, 1, 3, 5, 255, 257, 512, 0x80000000,
                                         0xffffffff };
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t page = aq_alloc(aq, 65536);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(bad_size); i++) {
        try_enable(aq, page, page + 16384, bad_size[i]);
    }
    try_enable(aq, 0, page, 16);
    try_enable(aq, page, 0, 16);
    try_enable(aq, page + 64, page, 16);
    try_enable(aq, page, page + 2048, 16);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 1);
    aq_wr32(aq, ALINK_REG_ADMIN_CQ_HEAD, 1);
    aq_expect_guest_errors(aq, 2);

    /* Indices that cannot be. */
    aq_admin_enable(aq, 4);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 5);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, ~0U);
    aq_wr32(aq, ALINK_REG_ADMIN_CQ_HEAD, 1);
    aq_wr32(aq, ALINK_REG_ADMIN_CQ_HEAD, ~0U);
    aq_expect_guest_errors(aq, 4);
    g_assert_cmpuint(nop(aq), ==, ALINK_ST_OK);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 0);
    aq_wr32(aq, ALINK_REG_ADMIN_CQ_HEAD, 0);
    aq_expect_guest_errors(aq, 2);

    /* New bases count at the next enable only. */
    aq_wr64(aq, ALINK_REG_ADMIN_SQ_BASE, AQ_NOWHERE);
    aq_wr32(aq, ALINK_REG_ADMIN_SIZE, 3);
    g_assert_cmpuint(nop(aq), ==, ALINK_ST_OK);
    aq_stop(aq);
}

/* A ring that is not there: fault, FAULTED, and a reset mends it. */
static void test_admin_broken(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t page = aq_alloc(aq, 16384);
    uint64_t bar = aq->bar_addr[0] & ~0xfU;
    const struct { uint64_t sq, cq, addr; } bad[] = {
        { AQ_NOWHERE, page, AQ_NOWHERE },
        { page, AQ_NOWHERE, AQ_NOWHERE },
        { bar, page, bar },
        { page, bar, bar },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        aq_wr64(aq, ALINK_REG_ADMIN_SQ_BASE, bad[i].sq);
        aq_wr64(aq, ALINK_REG_ADMIN_CQ_BASE, bad[i].cq);
        aq_wr32(aq, ALINK_REG_ADMIN_SIZE, 16);
        aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 1);
        aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 1);
        aq_settle(aq);
        g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==,
                         ALINK_FAULT_CP_BAD_COMMAND);
        g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CLASS), ==,
                         ALINK_RECOVERY_DEVICE);
        g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, bad[i].addr);
        g_assert_cmpuint(aq_rd32(aq, ALINK_REG_STATE), ==,
                         ALINK_STATE_FAULTED);
        g_assert_cmphex(aq_rd32(aq, ALINK_REG_ADMIN_CTRL), ==, 0);
        aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
        aq_admin_enable(aq, 8);
        g_assert_cmpuint(nop(aq), ==, ALINK_ST_OK);
        aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 0);
    }
    aq_stop(aq);
}

/* The device waits for room in the completion ring, and loses nothing. */
static void test_admin_full(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    struct alink_admin_cmd cmd = {};
    struct alink_admin_cpl cpl;
    uint32_t i;

    aq_admin_enable(aq, 4);
    for (i = 0; i < 4; i++) {
        cmd.cid = cpu_to_le32(100 + i);
        aq_admin_submit(aq, &cmd);
    }
    aq_settle(aq);
    for (i = 4; i < 8; i++) {
        cmd.cid = cpu_to_le32(100 + i);
        aq_admin_submit(aq, &cmd);
    }
    aq_settle(aq);
    /* No completion was overwritten: the first four are there. */
    for (i = 0; i < 4; i++) {
        g_assert_cmpuint(qtest_readl(aq->qts, aq->cq + i * sizeof(cpl)), ==,
                         100 + i);
    }
    for (i = 0; i < 8; i++) {
        g_assert(aq_admin_poll(aq, &cpl));
        g_assert_cmpuint(le32_to_cpu(cpl.cid), ==, 100 + i);
    }
    g_assert(!aq_admin_poll(aq, &cpl));
    aq_stop(aq);
}

static void test_admin_knobs(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    struct alink_admin_cmd cmd = { .cid = cpu_to_le32(42) };
    struct alink_admin_cpl cpl;

    aq_admin_enable(aq, 8);
    aq_set_int(aq, "x-latency-us", 1000);
    aq_admin_submit(aq, &cmd);
    aq_clock_us(aq, 900);
    g_assert(!aq_admin_poll(aq, &cpl));
    aq_clock_us(aq, 101);
    g_assert(aq_admin_poll(aq, &cpl));
    aq_set_int(aq, "x-latency-us", 0);

    aq_set_bool(aq, "x-admin-stuck", true);
    aq_admin_submit(aq, &cmd);
    aq_clock_us(aq, 10000000);
    g_assert(!aq_admin_poll(aq, &cpl));
    /* Not back over what has been offered. */
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, aq->sq_tail - 1);
    aq_expect_guest_errors(aq, 1);
    aq_set_bool(aq, "x-admin-stuck", false);
    g_assert(aq_admin_poll(aq, &cpl));

    aq_set_int(aq, "x-late-doorbell-us", 300);
    aq_admin_submit(aq, &cmd);
    aq_clock_us(aq, 200);
    aq_admin_submit(aq, &cmd);
    g_assert(!aq_admin_poll(aq, &cpl));
    aq_clock_us(aq, 100);
    aq_set_int(aq, "x-late-doorbell-us", 0);
    /* In order, even when the knob is turned back meanwhile. */
    g_assert(aq_admin_poll(aq, &cpl));
    g_assert(!aq_admin_poll(aq, &cpl));
    aq_clock_us(aq, 200);
    g_assert(aq_admin_poll(aq, &cpl));
    aq_stop(aq);
}

/* FLR while a command runs and others wait: none of them completes. */
static void test_admin_flr(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    struct alink_admin_cmd cmd = { .cid = cpu_to_le32(42) };
    struct alink_admin_cpl cpl;
    unsigned i;

    for (i = 0; i < 3; i++) {
        aq_admin_enable(aq, 8);
        aq_set_int(aq, "x-latency-us", 1000);
        aq_admin_submit(aq, &cmd);
        aq_admin_submit(aq, &cmd);
        aq_clock_us(aq, 500);
        /* One doorbell is still on its way. */
        aq_set_int(aq, "x-late-doorbell-us", 100);
        aq_admin_submit(aq, &cmd);
        aq_set_int(aq, "x-late-doorbell-us", 0);
        if (i == 2) {
            aq_clock_us(aq, 100);
        }
        if (i == 0) {
            aq_flr(aq);
        } else if (i == 1) {
            aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
        } else {
            aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 0);
        }
        aq_clock_us(aq, 5000);
        aq->admin_size = 8;
        qtest_memread(aq->qts, aq->cq, &cpl, sizeof(cpl));
        g_assert_cmpuint(le16_to_cpu(cpl.phase), ==, 0);
        g_assert_cmpuint(le32_to_cpu(cpl.cid), ==, 0);
        aq_set_int(aq, "x-latency-us", 0);
        aq_admin_enable(aq, 4);
        g_assert_cmpuint(nop(aq), ==, ALINK_ST_OK);
    }
    aq_stop(aq);
}

/* --- event ring ---------------------------------------------------------- */

static void raise_events(AlinkQtest *aq, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++) {
        g_autofree char *text = g_strdup_printf("%u:1", 2176 + i);

        aq_set_str(aq, "x-fault", text);
    }
    aq_settle(aq);
}

static void test_event_overflow(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    struct alink_event ev;
    unsigned i, round;

    aq_msix_enable(aq);
    aq_event_enable(aq, 8);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_EVENT_LOST), ==, 0);
    for (round = 0; round < 3; round++) {
        raise_events(aq, 13);
        g_assert_cmphex(aq_irqs(aq), ==, 1);
        for (i = 0; i < 8; i++) {
            g_assert(aq_event_poll(aq, &ev));
            g_assert_cmpuint(le32_to_cpu(ev.code), ==, 2176 + i);
        }
        g_assert(!aq_event_poll(aq, &ev));
        g_assert_cmpuint(aq_rd32(aq, ALINK_REG_EVENT_LOST), ==, 5);
        g_assert_cmpuint(aq_rd32(aq, ALINK_REG_EVENT_LOST), ==, 0);
    }
    aq_wr32(aq, ALINK_REG_EVENT_HEAD, aq->ev_head + 1);
    aq_wr32(aq, ALINK_REG_EVENT_HEAD, aq->ev_head - 1);
    aq_expect_guest_errors(aq, 2);
    aq_stop(aq);
}

static void test_event_mask(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t mask = cpu_to_le64(~(1ULL << ALINK_EVENT_FAULT));
    struct alink_event ev;

    aq_admin_enable(aq, 8);
    aq_event_enable(aq, 8);
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_ADMIN_EVENT_MASK, ALINK_TLV_MASK,
                                  &mask, 8), ==, ALINK_ST_OK);
    raise_events(aq, 3);
    g_assert(!aq_event_poll(aq, &ev));
    aq_set_int(aq, "temp", 200000);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_THERMAL);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_EVENT_LOST), ==, 0);

    /* A disabled ring drops without count. */
    mask = ~0ULL;
    aq_admin_tlv(aq, ALINK_ADMIN_EVENT_MASK, ALINK_TLV_MASK, &mask, 8);
    aq_wr32(aq, ALINK_REG_EVENT_CTRL, 0);
    raise_events(aq, 3);
    aq_event_enable(aq, 8);
    g_assert(!aq_event_poll(aq, &ev));
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_EVENT_LOST), ==, 0);
    raise_events(aq, 1);
    g_assert(aq_event_poll(aq, &ev));
    aq_stop(aq);
}

static void test_event_broken(void)
{
    AlinkQtest *aq = aq_start(SWITCH);

    aq_wr64(aq, ALINK_REG_EVENT_BASE, AQ_NOWHERE & ~0xfffULL);
    aq_wr32(aq, ALINK_REG_EVENT_SIZE, 16);
    aq_wr32(aq, ALINK_REG_EVENT_CTRL, 1);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_EVENT_CTRL), ==, 1);
    aq_set_int(aq, "temp", 200000);
    aq_settle(aq);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_EVENT_CTRL), ==, 0);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==,
                     ALINK_FAULT_CP_BAD_COMMAND);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_FAULT_INFO), ==, 1 << 16);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, AQ_NOWHERE);
    aq_stop(aq);
}

/* --- frames -------------------------------------------------------------- */

static void frames_enable(AlinkQtest *aq, uint64_t tx, uint64_t rx)
{
    aq_wr64(aq, ALINK_REG_FRAME_TX_BASE, tx);
    aq_wr64(aq, ALINK_REG_FRAME_RX_BASE, rx);
    aq_wr32(aq, ALINK_REG_FRAME_SIZE, 8);
    aq_wr32(aq, ALINK_REG_FRAME_CTRL, 1);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_FRAME_CTRL), ==, 1);
}

static uint16_t send_frame(AlinkQtest *aq, uint64_t tx, uint32_t index,
                           uint64_t buf, uint16_t len, uint16_t link)
{
    struct alink_frame_desc desc = {
        .addr = cpu_to_le64(buf),
        .len = cpu_to_le16(len),
        .link = cpu_to_le16(link),
    };
    uint64_t addr = tx + index % 8 * sizeof(desc);

    qtest_memwrite(aq->qts, addr, &desc, sizeof(desc));
    aq_wr32(aq, ALINK_REG_FRAME_TX_TAIL, index + 1);
    aq_settle(aq);
    qtest_memread(aq->qts, addr, &desc, sizeof(desc));
    g_assert_cmphex(le16_to_cpu(desc.flags), ==, ALINK_FRAME_DONE);
    return le16_to_cpu(desc.status);
}

static void test_frames(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint64_t tx = aq_alloc(aq, 4096), rx = aq_alloc(aq, 4096);
    uint64_t buf = aq_alloc(aq, 16384);
    uint32_t n = 0;

    aq_msix_enable(aq);
    frames_enable(aq, tx, rx);
    /* No cable in the port. */
    g_assert_cmpuint(send_frame(aq, tx, n++, buf, 64, 0), ==,
                     ALINK_ST_PORT_DOWN);
    g_assert_cmphex(aq_irqs(aq), ==, 1);
    g_assert_cmpuint(send_frame(aq, tx, n++, AQ_NOWHERE, 64, 0), ==,
                     ALINK_ST_DMA);
    aq_expect_guest_errors(aq, 0);
    g_assert_cmpuint(send_frame(aq, tx, n++, buf, 13, 0), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(send_frame(aq, tx, n++, buf, ALINK_FRAME_MAX + 1, 0), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(send_frame(aq, tx, n++, buf, 0xffff, 0), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(send_frame(aq, tx, n++, buf, 64, 64), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(send_frame(aq, tx, n++, buf, 64, 0xffff), ==,
                     ALINK_ST_BAD_FIELD);
    aq_expect_guest_errors(aq, 5);
    /* Around the ring, with the largest frame. */
    for (; n < 20; n++) {
        g_assert_cmpuint(send_frame(aq, tx, n, buf, ALINK_FRAME_MAX, 63), ==,
                         ALINK_ST_PORT_DOWN);
    }
    aq_wr32(aq, ALINK_REG_FRAME_TX_TAIL, n + 9);
    aq_wr32(aq, ALINK_REG_FRAME_RX_TAIL, 9);
    aq_expect_guest_errors(aq, 2);
    aq_wr32(aq, ALINK_REG_FRAME_RX_TAIL, 8);

    /* A ring that is not there. */
    aq_wr32(aq, ALINK_REG_FRAME_CTRL, 0);
    frames_enable(aq, AQ_NOWHERE, rx);
    aq_wr32(aq, ALINK_REG_FRAME_TX_TAIL, 1);
    aq_settle(aq);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_FRAME_CTRL), ==, 0);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_FAULT_INFO), ==, 2 << 16);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==, AQ_NOWHERE);
    aq_stop(aq);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/rings/admin/wrap", test_admin_wrap);
    qtest_add_func("/alink/rings/admin/identify", test_identify);
    qtest_add_func("/alink/rings/admin/header", test_admin_header);
    qtest_add_func("/alink/rings/admin/tlv", test_admin_tlv);
    qtest_add_func("/alink/rings/admin/largest", test_admin_largest);
    qtest_add_func("/alink/rings/admin/dma", test_admin_dma);
    qtest_add_func("/alink/rings/admin/setup", test_admin_setup);
    qtest_add_func("/alink/rings/admin/broken", test_admin_broken);
    qtest_add_func("/alink/rings/admin/full", test_admin_full);
    qtest_add_func("/alink/rings/admin/knobs", test_admin_knobs);
    qtest_add_func("/alink/rings/admin/flr", test_admin_flr);
    qtest_add_func("/alink/rings/event/overflow", test_event_overflow);
    qtest_add_func("/alink/rings/event/mask", test_event_mask);
    qtest_add_func("/alink/rings/event/broken", test_event_broken);
    qtest_add_func("/alink/rings/frames", test_frames);
    return g_test_run();
}
