/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware in flash (firmware.rst), on each device that has it: an update from
 * begin to the reset that starts it, each refusal, pieces out of order and
 * twice, updates that are cut off, what resets keep, how long it takes, and
 * lies about it.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "alink-qtest.h"

#include <hw/alink/flash.h>

#define PIECE       2048
#define LENGTH      (2 * PIECE + 512)
#define VERSION     0x02010003
#define VERSION_TEXT "2.1.3"
#define PIECE_US    1000        /* how long writing one takes */

typedef struct Model {
    const char *name;
    uint32_t devtype;
    const char *args;
} Model;

static const Model models[] = {
    { "xpu", ALINK_DEVTYPE_XPU, AQ_FABRIC "-device alink-xpu,id=dut,addr=4.0,"
      "fabric=fab0,endpoint=0,hbm-size=16777216" },
    { "switch", ALINK_DEVTYPE_SWITCH, AQ_FABRIC "-device alink-switch,id=dut,"
      "addr=4.0,fabric=fab0" },
    { "nic", ALINK_DEVTYPE_NIC, "-netdev hubport,id=n0,hubid=0 "
      "-device alink-nic,id=dut,addr=4.0,netdev=n0" },
};

/* A device, and an image that it takes */
typedef struct Rig {
    AlinkQtest *aq;
    uint32_t first;         /* version that it came with */
    struct alink_fw_header header;
    uint8_t payload[LENGTH];
} Rig;

/* --- commands ------------------------------------------------------------- */

static struct alink_admin_cmd command(AlinkQtest *aq, uint16_t opcode,
                                      uint32_t len)
{
    return (struct alink_admin_cmd) {
        .opcode = cpu_to_le16(opcode),
        .cid = cpu_to_le32(++aq->cid),
        .req_addr = cpu_to_le64(aq->req),
        .resp_addr = cpu_to_le64(aq->resp),
        .req_len = cpu_to_le32(len),
        .resp_len = cpu_to_le32(4096),
    };
}

static void submit(AlinkQtest *aq, uint16_t opcode, uint16_t tlv,
                   const void *payload, uint16_t len)
{
    g_autofree uint8_t *buf = g_malloc0(ALINK_TLV_SPAN(len));
    struct alink_admin_cmd cmd;
    uint32_t used = 0;

    if (tlv) {
        used = aq_put_tlv(buf, 0, tlv | ALINK_TLV_MUST, payload, len);
        qtest_memwrite(aq->qts, aq->req, buf, used);
    }
    cmd = command(aq, opcode, used);
    aq_admin_submit(aq, &cmd);
}

/* The status of a command that may take a while. */
static uint16_t finish(AlinkQtest *aq)
{
    struct alink_admin_cpl cpl;
    unsigned tries = 100;

    while (!aq_admin_poll(aq, &cpl)) {
        g_assert(tries--);
        aq_clock_us(aq, PIECE_US);
    }
    g_assert_cmpuint(le32_to_cpu(cpl.cid), ==, aq->cid);
    return le16_to_cpu(cpl.status);
}

static uint16_t run(AlinkQtest *aq, uint16_t opcode, uint16_t tlv,
                    const void *payload, uint16_t len)
{
    submit(aq, opcode, tlv, payload, len);
    return finish(aq);
}

static uint16_t plain(AlinkQtest *aq, uint16_t opcode)
{
    return run(aq, opcode, 0, NULL, 0);
}

static uint16_t begin(AlinkQtest *aq, const struct alink_fw_header *h)
{
    return run(aq, ALINK_ADMIN_FLASH_BEGIN, ALINK_TLV_FW_HEADER, h, sizeof(*h));
}

static void *data(uint32_t offset, uint32_t reserved, const void *bytes,
                  size_t len)
{
    struct alink_flash_data *d = g_malloc(sizeof(*d) + len);

    d->offset = cpu_to_le32(offset);
    d->reserved = cpu_to_le32(reserved);
    memcpy(d + 1, bytes, len);
    return d;
}

static uint16_t piece(Rig *r, uint32_t offset, uint32_t len)
{
    g_autofree void *d = data(offset, 0, r->payload + offset, len);

    return run(r->aq, ALINK_ADMIN_FLASH_WRITE, ALINK_TLV_FLASH_DATA, d,
               sizeof(struct alink_flash_data) + len);
}

static struct alink_flash_info info(AlinkQtest *aq)
{
    struct alink_flash_info i;
    struct alink_tlv tlv;

    g_assert_cmpuint(plain(aq, ALINK_ADMIN_FLASH_INFO), ==, ALINK_ST_OK);
    qtest_memread(aq->qts, aq->resp, &tlv, sizeof(tlv));
    g_assert_cmphex(le16_to_cpu(tlv.type), ==, ALINK_TLV_FLASH_INFO);
    g_assert_cmpuint(le16_to_cpu(tlv.len), ==, sizeof(i));
    qtest_memread(aq->qts, aq->resp + sizeof(tlv), &i, sizeof(i));
    return i;
}

/* What the two banks hold, and which of them counts. */
static void expect_banks(AlinkQtest *aq, unsigned running, unsigned next,
                         unsigned state0, unsigned state1)
{
    struct alink_flash_info i = info(aq);

    g_assert_cmpuint(le32_to_cpu(i.running), ==, running);
    g_assert_cmpuint(le32_to_cpu(i.next), ==, next);
    g_assert_cmpuint(le32_to_cpu(i.bank[0].state), ==, state0);
    g_assert_cmpuint(le32_to_cpu(i.bank[1].state), ==, state1);
    g_assert_cmphex(le32_to_cpu(i.flags) & ALINK_FLASH_OPEN, ==,
                    state0 == ALINK_FLASH_WRITING ||
                    state1 == ALINK_FLASH_WRITING);
}

/* --- images --------------------------------------------------------------- */

static void seal(Rig *r)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize len = sizeof(r->header.sha256);

    g_checksum_update(sum, (const guchar *)&r->header,
                      offsetof(struct alink_fw_header, sha256));
    g_checksum_update(sum, r->payload, LENGTH);
    g_checksum_get_digest(sum, r->header.sha256, &len);
}

static Rig start(const Model *m)
{
    Rig r = { .aq = aq_start(m->args) };
    unsigned i;

    r.first = aq_rd32(r.aq, ALINK_REG_FW_VERSION);
    r.header = (struct alink_fw_header) {
        .magic = cpu_to_le32(ALINK_FW_MAGIC),
        .format = cpu_to_le16(ALINK_FW_FORMAT),
        .header_len = cpu_to_le16(sizeof(r.header)),
        .devtype = cpu_to_le32(m->devtype),
        .version = cpu_to_le32(VERSION),
        .variants = cpu_to_le64(1ULL << aq_rd32(r.aq, ALINK_REG_VARIANT)),
        .security = cpu_to_le32(1),
        .payload_len = cpu_to_le32(LENGTH),
    };
    for (i = 0; i < LENGTH; i++) {
        r.payload[i] = i * 7;
    }
    seal(&r);
    aq_admin_enable(r.aq, 8);
    return r;
}

/* All of the payload that is not there yet, and the commit. */
static uint16_t complete(Rig *r, uint32_t written)
{
    while (written < LENGTH) {
        uint32_t len = MIN(PIECE, LENGTH - written);

        g_assert_cmpuint(piece(r, written, len), ==, ALINK_ST_OK);
        written += len;
    }
    return plain(r->aq, ALINK_ADMIN_FLASH_COMMIT);
}

static uint16_t update(Rig *r)
{
    uint16_t status = begin(r->aq, &r->header);

    return status == ALINK_ST_OK ? complete(r, 0) : status;
}

static void soft_reset(AlinkQtest *aq)
{
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    aq_admin_enable(aq, 8);
}

static void flr(AlinkQtest *aq)
{
    aq_flr(aq);
    aq_admin_enable(aq, 8);
}

static void machine_reset(AlinkQtest *aq)
{
    qtest_system_reset(aq->qts);
    aq_restore_config(aq);
    aq_admin_enable(aq, 8);
}

static void (*const resets[])(AlinkQtest *aq) = {
    soft_reset, flr, machine_reset,
};

/* --- tests ---------------------------------------------------------------- */

static void expect_text(AlinkQtest *aq, const char *text)
{
    g_autofree uint8_t *buf = g_malloc0(4096);

    g_assert_cmpuint(plain(aq, ALINK_ADMIN_IDENTIFY), ==, ALINK_ST_OK);
    qtest_memread(aq->qts, aq->resp, buf, 4096);
    g_assert_nonnull(memmem(buf, 4096, text, strlen(text)));
}

static void test_update(const void *m)
{
    Rig r = start(m);
    struct alink_flash_info i = info(r.aq);

    g_assert(aq_rd64(r.aq, ALINK_REG_CAPS) & ALINK_CAP_FLASH);
    g_assert_cmpuint(le32_to_cpu(i.max_chunk), ==, PIECE);
    g_assert_cmpuint(le32_to_cpu(i.max_payload), ==, 16 << 20);
    g_assert_cmpuint(le32_to_cpu(i.floor), ==, 1);
    g_assert_cmphex(le32_to_cpu(i.bank[0].version), ==, r.first);
    g_assert_cmphex(le32_to_cpu(i.bank[1].version), ==, 0);
    expect_banks(r.aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_EMPTY);

    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_OK);
    expect_banks(r.aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_WRITING);
    g_assert_cmpuint(piece(&r, 0, PIECE), ==, ALINK_ST_OK);
    i = info(r.aq);
    g_assert_cmpuint(le32_to_cpu(i.written), ==, PIECE);
    g_assert_cmphex(le32_to_cpu(i.bank[1].version), ==, 0);
    g_assert_cmpuint(complete(&r, PIECE), ==, ALINK_ST_OK);

    expect_banks(r.aq, 0, 1, ALINK_FLASH_VALID, ALINK_FLASH_VALID);
    i = info(r.aq);
    g_assert_cmpuint(le32_to_cpu(i.written), ==, 0);
    g_assert_cmphex(le32_to_cpu(i.bank[1].version), ==, VERSION);
    g_assert_cmpuint(le32_to_cpu(i.bank[1].security), ==, 1);
    g_assert_cmpuint(le32_to_cpu(i.bank[1].payload_len), ==, LENGTH);
    g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FW_VERSION), ==, r.first);

    soft_reset(r.aq);
    g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FW_VERSION), ==, VERSION);
    expect_text(r.aq, VERSION_TEXT);
    expect_banks(r.aq, 1, 1, ALINK_FLASH_VALID, ALINK_FLASH_VALID);

    /* The next one goes to the bank that it came from; older is no reason. */
    r.header.version = cpu_to_le32(0x01000000);
    seal(&r);
    g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
    expect_banks(r.aq, 1, 0, ALINK_FLASH_VALID, ALINK_FLASH_VALID);
    flr(r.aq);
    g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FW_VERSION), ==, 0x01000000);
    aq_stop(r.aq);
}

/* Every kind of reset starts what is next, and keeps the rest. */
static void test_resets_start(const void *m)
{
    Rig r = start(m);
    uint32_t version = VERSION;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(resets); i++) {
        r.header.version = cpu_to_le32(++version);
        seal(&r);
        g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
        resets[i](r.aq);
        g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FW_VERSION), ==, version);
        expect_banks(r.aq, !(i % 2), !(i % 2), ALINK_FLASH_VALID,
                     ALINK_FLASH_VALID);
        resets[i](r.aq);
        g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FW_VERSION), ==, version);
    }
    aq_stop(r.aq);
}

static void test_resets_cut_off(const void *m)
{
    Rig r = start(m);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(resets); i++) {
        g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_OK);
        g_assert_cmpuint(piece(&r, 0, PIECE), ==, ALINK_ST_OK);
        resets[i](r.aq);
        g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FW_VERSION), ==, r.first);
        expect_banks(r.aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_INVALID);
        g_assert_cmpuint(piece(&r, PIECE, PIECE), ==, ALINK_ST_NOT_FOUND);
        g_assert_cmpuint(plain(r.aq, ALINK_ADMIN_FLASH_COMMIT), ==,
                         ALINK_ST_NOT_FOUND);
    }
    /* Also one that waits to be started is gone once the next begins. */
    g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_OK);
    expect_banks(r.aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_WRITING);
    soft_reset(r.aq);
    g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FW_VERSION), ==, r.first);
    expect_banks(r.aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_INVALID);
    g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
    aq_stop(r.aq);
}

static void refused(Rig *r, const struct alink_fw_header *h, uint16_t status)
{
    g_assert_cmpuint(begin(r->aq, h), ==, status);
    expect_banks(r->aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_EMPTY);
}

static void test_refused(const void *m)
{
    Rig r = start(m);
    struct alink_fw_header h = r.header;

    h.magic ^= cpu_to_le32(1);
    refused(&r, &h, ALINK_ST_FW_FORMAT);
    h = r.header;
    h.format = cpu_to_le16(ALINK_FW_FORMAT + 1);
    refused(&r, &h, ALINK_ST_FW_FORMAT);
    h = r.header;
    h.header_len = cpu_to_le16(sizeof(h) - 4);
    refused(&r, &h, ALINK_ST_FW_FORMAT);
    h = r.header;
    h.reserved[15] = cpu_to_le32(1);
    refused(&r, &h, ALINK_ST_FW_FORMAT);
    h = r.header;
    h.devtype = cpu_to_le32(ALINK_DEVTYPE_RACK);
    refused(&r, &h, ALINK_ST_FW_DEVTYPE);
    h = r.header;
    h.variants = ~h.variants;
    refused(&r, &h, ALINK_ST_FW_VARIANT);
    h = r.header;
    h.payload_len = 0;
    refused(&r, &h, ALINK_ST_FW_LENGTH);
    h.payload_len = cpu_to_le32(LENGTH + 4);
    refused(&r, &h, ALINK_ST_FW_LENGTH);
    h.payload_len = cpu_to_le32((16 << 20) + 16);
    refused(&r, &h, ALINK_ST_FW_LENGTH);
    h = r.header;
    h.security = 0;
    refused(&r, &h, ALINK_ST_FW_SECURITY);
    /* More than one is wrong: the first in the order of the document */
    h.payload_len = 0;
    refused(&r, &h, ALINK_ST_FW_LENGTH);
    h.variants = 0;
    refused(&r, &h, ALINK_ST_FW_VARIANT);
    h.devtype = 0;
    refused(&r, &h, ALINK_ST_FW_DEVTYPE);
    h.magic = 0;
    refused(&r, &h, ALINK_ST_FW_FORMAT);

    aq_set_bool(r.aq, "x-flash-held", true);
    refused(&r, &r.header, ALINK_ST_BUSY);
    g_assert_cmphex(le32_to_cpu(info(r.aq).flags), ==, ALINK_FLASH_HELD);
    aq_set_bool(r.aq, "x-flash-held", false);

    h = r.header;
    h.payload_len = cpu_to_le32(16 << 20);
    g_assert_cmpuint(begin(r.aq, &h), ==, ALINK_ST_OK);
    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_BUSY);
    expect_banks(r.aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_WRITING);
    g_assert_cmpuint(plain(r.aq, ALINK_ADMIN_FLASH_ABORT), ==, ALINK_ST_OK);
    expect_banks(r.aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_INVALID);
    g_assert_cmpuint(plain(r.aq, ALINK_ADMIN_FLASH_ABORT), ==, ALINK_ST_OK);
    g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
    aq_stop(r.aq);
}

static void bad_piece(Rig *r, uint32_t offset, uint32_t reserved, size_t len)
{
    g_autofree void *d = data(offset, reserved, r->payload, len);

    g_assert_cmpuint(run(r->aq, ALINK_ADMIN_FLASH_WRITE, ALINK_TLV_FLASH_DATA,
                         d, sizeof(struct alink_flash_data) + len), ==,
                     ALINK_ST_BAD_FIELD);
    aq_expect_guest_errors(r->aq, 1);
    g_assert_cmpuint(le32_to_cpu(info(r->aq).written), ==, PIECE);
}

/* Out of order, again, too much, odd: nothing is written, and it goes on. */
static void test_order(const void *m)
{
    Rig r = start(m);
    g_autofree void *d = data(PIECE, 0, r.payload, PIECE + 16);
    g_autofree void *beyond = data(2 * PIECE, 0, r.payload, 1024);

    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_OK);
    g_assert_cmpuint(piece(&r, 0, PIECE), ==, ALINK_ST_OK);
    bad_piece(&r, 0, 0, PIECE);
    bad_piece(&r, PIECE - 16, 0, PIECE);
    bad_piece(&r, PIECE + 16, 0, PIECE);
    bad_piece(&r, 2 * PIECE, 0, PIECE);
    bad_piece(&r, PIECE, 1, PIECE);
    bad_piece(&r, PIECE, 0, PIECE - 8);
    /* More than one takes, less, none at all */
    g_assert_cmpuint(run(r.aq, ALINK_ADMIN_FLASH_WRITE, ALINK_TLV_FLASH_DATA, d,
                         sizeof(struct alink_flash_data) + PIECE + 16), ==,
                     ALINK_ST_TLV);
    g_assert_cmpuint(run(r.aq, ALINK_ADMIN_FLASH_WRITE, ALINK_TLV_FLASH_DATA, d,
                         sizeof(struct alink_flash_data)), ==, ALINK_ST_TLV);
    g_assert_cmpuint(plain(r.aq, ALINK_ADMIN_FLASH_WRITE), ==, ALINK_ST_TLV);
    aq_expect_guest_errors(r.aq, 3);

    g_assert_cmpuint(piece(&r, PIECE, PIECE), ==, ALINK_ST_OK);
    g_assert_cmpuint(run(r.aq, ALINK_ADMIN_FLASH_WRITE, ALINK_TLV_FLASH_DATA,
                         beyond, sizeof(struct alink_flash_data) + 1024), ==,
                     ALINK_ST_BAD_FIELD);
    aq_expect_guest_errors(r.aq, 1);
    g_assert_cmpuint(complete(&r, 2 * PIECE), ==, ALINK_ST_OK);
    soft_reset(r.aq);
    g_assert_cmphex(aq_rd32(r.aq, ALINK_REG_FW_VERSION), ==, VERSION);
    aq_stop(r.aq);
}

static void failed(Rig *r, uint16_t status, uint16_t want)
{
    g_assert_cmpuint(status, ==, want);
    expect_banks(r->aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_INVALID);
    soft_reset(r->aq);
    g_assert_cmphex(aq_rd32(r->aq, ALINK_REG_FW_VERSION), ==, r->first);
    expect_banks(r->aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_INVALID);
}

static void test_commit_fails(const void *m)
{
    Rig r = start(m);

    /* Nothing written; a piece missing */
    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_OK);
    failed(&r, plain(r.aq, ALINK_ADMIN_FLASH_COMMIT), ALINK_ST_FW_LENGTH);
    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_OK);
    g_assert_cmpuint(piece(&r, 0, PIECE), ==, ALINK_ST_OK);
    g_assert_cmpuint(piece(&r, PIECE, PIECE), ==, ALINK_ST_OK);
    failed(&r, plain(r.aq, ALINK_ADMIN_FLASH_COMMIT), ALINK_ST_FW_LENGTH);
    /* Damage: in the payload, in the header, in flash */
    r.payload[LENGTH - 1] ^= 1;
    failed(&r, update(&r), ALINK_ST_FW_DIGEST);
    r.payload[LENGTH - 1] ^= 1;
    r.header.version ^= cpu_to_le32(1);
    failed(&r, update(&r), ALINK_ST_FW_DIGEST);
    r.header.version ^= cpu_to_le32(1);
    aq_set_bool(r.aq, "x-flash-spoil", true);
    failed(&r, update(&r), ALINK_ST_FW_DIGEST);
    g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
    aq_stop(r.aq);
}

/* The floor rises when a firmware starts, and never sinks. */
static void test_floor(const void *m)
{
    Rig r = start(m);

    r.header.security = cpu_to_le32(3);
    seal(&r);
    g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
    g_assert_cmpuint(le32_to_cpu(info(r.aq).floor), ==, 1);
    soft_reset(r.aq);
    g_assert_cmpuint(le32_to_cpu(info(r.aq).floor), ==, 3);
    r.header.security = cpu_to_le32(2);
    r.header.version = cpu_to_le32(VERSION + 1);
    seal(&r);
    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_FW_SECURITY);
    machine_reset(r.aq);
    g_assert_cmpuint(le32_to_cpu(info(r.aq).floor), ==, 3);
    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_FW_SECURITY);
    r.header.security = cpu_to_le32(3);
    seal(&r);
    g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
    aq_stop(r.aq);
}

/* A piece takes its time, and the queue waits; a reset does not. */
static void test_time(const void *m)
{
    Rig r = start(m);
    struct alink_admin_cmd nop = command(r.aq, ALINK_ADMIN_NOP, 0);
    g_autofree void *d = data(0, 0, r.payload, PIECE);
    g_autofree void *next = data(PIECE, 0, r.payload + PIECE, PIECE);
    struct alink_admin_cpl cpl;

    g_assert_cmpuint(begin(r.aq, &r.header), ==, ALINK_ST_OK);
    submit(r.aq, ALINK_ADMIN_FLASH_WRITE, ALINK_TLV_FLASH_DATA, d,
           sizeof(struct alink_flash_data) + PIECE);
    nop.cid = cpu_to_le32(0xabc);
    aq_admin_submit(r.aq, &nop);
    aq_clock_us(r.aq, PIECE_US - 10);
    g_assert(!aq_admin_poll(r.aq, &cpl));
    aq_clock_us(r.aq, 20);
    g_assert(aq_admin_poll(r.aq, &cpl));
    g_assert_cmpuint(le32_to_cpu(cpl.cid), ==, r.aq->cid);
    g_assert(aq_admin_poll(r.aq, &cpl));
    g_assert_cmphex(le32_to_cpu(cpl.cid), ==, 0xabc);

    aq_set_int(r.aq, "x-flash-kib-us", 1000000);
    submit(r.aq, ALINK_ADMIN_FLASH_WRITE, ALINK_TLV_FLASH_DATA, next,
           sizeof(struct alink_flash_data) + PIECE);
    aq_clock_us(r.aq, 1900000);
    g_assert(!aq_admin_poll(r.aq, &cpl));
    soft_reset(r.aq);
    aq_clock_us(r.aq, 1000000);
    g_assert(!aq_admin_poll(r.aq, &cpl));
    expect_banks(r.aq, 0, 0, ALINK_FLASH_VALID, ALINK_FLASH_INVALID);
    aq_stop(r.aq);
}

static void test_room(const void *m)
{
    Rig r = start(m);
    struct alink_admin_cmd cmd = command(r.aq, ALINK_ADMIN_FLASH_INFO, 0);
    struct alink_admin_cpl cpl;

    cmd.resp_len = cpu_to_le32(ALINK_TLV_SPAN(sizeof(struct alink_flash_info)) -
                               8);
    cpl = aq_admin_raw(r.aq, &cmd);
    g_assert_cmpuint(le16_to_cpu(cpl.status), ==, ALINK_ST_NO_ROOM);
    g_assert_cmpuint(le32_to_cpu(cpl.resp_len), ==,
                     ALINK_TLV_SPAN(sizeof(struct alink_flash_info)));
    aq_stop(r.aq);
}

/* What FLASH_INFO says, its TLV included; @used: bytes of the answer */
static struct alink_flash_info told(AlinkQtest *aq, const char *lie,
                                    struct alink_tlv *tlv, uint32_t *used)
{
    struct alink_admin_cmd cmd = command(aq, ALINK_ADMIN_FLASH_INFO, 0);
    struct alink_flash_info i;
    struct alink_admin_cpl cpl;

    aq_set_str(aq, "x-flash-lie", lie);
    cpl = aq_admin_raw(aq, &cmd);
    g_assert_cmpuint(le16_to_cpu(cpl.status), ==, ALINK_ST_OK);
    *used = le32_to_cpu(cpl.resp_len);
    qtest_memread(aq->qts, aq->resp, tlv, sizeof(*tlv));
    qtest_memread(aq->qts, aq->resp + sizeof(*tlv), &i, sizeof(i));
    return i;
}

/* Each lie is wrong in one place only, and counted; then it is honest again. */
static void test_lies(const void *m)
{
    Rig r = start(m);
    struct alink_flash_info good, i;
    struct alink_tlv tlv;
    uint32_t used;

    good = told(r.aq, "none", &tlv, &used);
    g_assert_cmpint(aq_get_int(r.aq, "lies-told"), ==, 0);

    told(r.aq, "missing", &tlv, &used);
    g_assert_cmpuint(used, ==, 0);
    i = told(r.aq, "type", &tlv, &used);
    g_assert_cmphex(le16_to_cpu(tlv.type), ==, ALINK_TLV_FLASH_DATA);
    g_assert_cmpmem(&i, sizeof(i), &good, sizeof(good));
    told(r.aq, "length", &tlv, &used);
    g_assert_cmphex(le16_to_cpu(tlv.type), ==, ALINK_TLV_FLASH_INFO);
    g_assert_cmpuint(le16_to_cpu(tlv.len), <, sizeof(i));
    g_assert_cmpuint(used, ==, ALINK_TLV_SPAN(le16_to_cpu(tlv.len)));

    i = told(r.aq, "running", &tlv, &used);
    g_assert_cmpuint(le32_to_cpu(i.running), ==, ALINK_FLASH_BANKS);
    i.running = good.running;
    g_assert_cmpmem(&i, sizeof(i), &good, sizeof(good));
    i = told(r.aq, "next", &tlv, &used);
    g_assert_cmpuint(le32_to_cpu(i.next), ==, ALINK_FLASH_BANKS);
    i.next = good.next;
    g_assert_cmpmem(&i, sizeof(i), &good, sizeof(good));
    i = told(r.aq, "other", &tlv, &used);
    g_assert_cmpuint(le32_to_cpu(i.running), ==, 1);
    i = told(r.aq, "chunk", &tlv, &used);
    g_assert_cmpuint(le32_to_cpu(i.max_chunk), ==,
                     ALINK_FLASH_MIN_CHUNK - ALINK_FW_ALIGN);
    i = told(r.aq, "large", &tlv, &used);
    g_assert_cmpuint(le32_to_cpu(i.max_chunk), ==,
                     ALINK_FLASH_MAX_CHUNK + ALINK_FW_ALIGN);
    i.max_chunk = good.max_chunk;
    g_assert_cmpmem(&i, sizeof(i), &good, sizeof(good));
    i = told(r.aq, "more", &tlv, &used);
    g_assert_cmpuint(le32_to_cpu(i.max_chunk), ==, ALINK_FLASH_MAX_CHUNK);
    g_assert_cmpuint(le32_to_cpu(i.max_chunk), >, le32_to_cpu(good.max_chunk));
    i = told(r.aq, "align", &tlv, &used);
    g_assert_cmpuint(le32_to_cpu(i.max_chunk), >, ALINK_FLASH_MIN_CHUNK);
    g_assert_cmpuint(le32_to_cpu(i.max_chunk) % ALINK_FW_ALIGN, !=, 0);
    i = told(r.aq, "state", &tlv, &used);
    g_assert_cmphex(le32_to_cpu(i.bank[0].state), ==, 0xbad);
    g_assert_cmphex(le32_to_cpu(i.bank[1].state), ==, 0xbad);
    g_assert_cmpint(aq_get_int(r.aq, "lies-told"), ==, 11);

    /* It is what the device says, not what it does. */
    g_assert_cmpuint(update(&r), ==, ALINK_ST_OK);
    aq_set_str_bad(r.aq, "x-flash-lie", "floor");
    aq_set_str(r.aq, "x-flash-lie", "none");
    expect_banks(r.aq, 0, 1, ALINK_FLASH_VALID, ALINK_FLASH_VALID);
    aq_stop(r.aq);
}

/* A device that has no flash for the host does not know the commands. */
static void test_without(void)
{
    AlinkQtest *aq = aq_start("-device alink-optics,id=dut,addr=4.0");
    uint16_t opcode;

    g_assert(!(aq_rd64(aq, ALINK_REG_CAPS) & ALINK_CAP_FLASH));
    aq_admin_enable(aq, 8);
    for (opcode = ALINK_ADMIN_FLASH_INFO; opcode <= ALINK_ADMIN_FLASH_ABORT;
         opcode++) {
        g_assert_cmpuint(plain(aq, opcode), ==, ALINK_ST_BAD_OPCODE);
    }
    aq_expect_guest_errors(aq, 5);
    aq_stop(aq);
}

static const struct {
    const char *name;
    void (*run)(const void *model);
} tests[] = {
    { "/alink/flash/update", test_update },
    { "/alink/flash/resets-start", test_resets_start },
    { "/alink/flash/resets-cut-off", test_resets_cut_off },
    { "/alink/flash/refused", test_refused },
    { "/alink/flash/order", test_order },
    { "/alink/flash/commit-fails", test_commit_fails },
    { "/alink/flash/floor", test_floor },
    { "/alink/flash/time", test_time },
    { "/alink/flash/room", test_room },
    { "/alink/flash/lies", test_lies },
};

int main(int argc, char **argv)
{
    unsigned i, n;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        for (n = 0; n < ARRAY_SIZE(models); n++) {
            g_autofree char *name = g_strdup_printf("%s/%s", tests[i].name,
                                                    models[n].name);

            qtest_add_data_func(name, &models[n], tests[i].run);
        }
    }
    qtest_add_func("/alink/flash/without", test_without);
    return g_test_run();
}
