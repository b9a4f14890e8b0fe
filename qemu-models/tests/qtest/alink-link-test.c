/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One link, from both ends: a port of a switch and a link of an xPU. What the
 * registers show of link-level frames and of errors; its light and its tests.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "alink-qtest.h"

#define MACHINE AQ_FABRIC \
                "-device alink-switch,id=dut,fabric=fab0,plane=0,addr=4.0 " \
                "-device alink-xpu,id=x0,fabric=fab0,endpoint=0," \
                "hbm-size=16M,addr=5.0"
#define RING    8

/* A device with frame rings; its link 0 leads to link 0 of the other. */
typedef struct End {
    AlinkQtest *aq;
    uint64_t tx;
    uint64_t rx;
    uint64_t out;           /* the frame that is sent */
    uint64_t in;            /* ALINK_FRAME_MAX bytes for each descriptor */
    uint32_t sent;
    uint32_t got;
} End;

static void start(End *sw, End *xpu)
{
    memset(sw, 0, sizeof(*sw));
    memset(xpu, 0, sizeof(*xpu));
    sw->aq = aq_start(MACHINE);
    xpu->aq = aq_second(sw->aq, 5, "x0");
}

static void stop(End *sw, End *xpu)
{
    aq_stop(xpu->aq);
    aq_stop(sw->aq);
}

static void rings(End *e)
{
    struct alink_frame_desc desc = { .len = cpu_to_le16(ALINK_FRAME_MAX) };
    unsigned i;

    e->tx = aq_alloc(e->aq, 4096);
    e->rx = aq_alloc(e->aq, 4096);
    e->out = aq_alloc(e->aq, ALINK_FRAME_MAX);
    e->in = aq_alloc(e->aq, RING * ALINK_FRAME_MAX);
    e->sent = 0;
    e->got = 0;
    for (i = 0; i < RING; i++) {
        desc.addr = cpu_to_le64(e->in + i * ALINK_FRAME_MAX);
        qtest_memwrite(e->aq->qts, e->rx + i * sizeof(desc), &desc,
                       sizeof(desc));
    }
    aq_wr64(e->aq, ALINK_REG_FRAME_TX_BASE, e->tx);
    aq_wr64(e->aq, ALINK_REG_FRAME_RX_BASE, e->rx);
    aq_wr32(e->aq, ALINK_REG_FRAME_SIZE, RING);
    aq_wr32(e->aq, ALINK_REG_FRAME_CTRL, 1);
    aq_wr32(e->aq, ALINK_REG_FRAME_RX_TAIL, RING);
}

/* Sends @len bytes by link 0: @first, 0xff five times, and 0x5a. */
static uint16_t send_frame(End *e, uint8_t first, uint16_t len)
{
    g_autofree uint8_t *data = g_malloc(len);
    struct alink_frame_desc desc = {
        .addr = cpu_to_le64(e->out),
        .len = cpu_to_le16(len),
    };
    uint64_t at = e->tx + e->sent % RING * sizeof(desc);

    memset(data, 0x5a, len);
    memset(data, 0xff, 6);
    data[0] = first;
    qtest_memwrite(e->aq->qts, e->out, data, len);
    qtest_memwrite(e->aq->qts, at, &desc, sizeof(desc));
    aq_wr32(e->aq, ALINK_REG_FRAME_TX_TAIL, ++e->sent);
    aq_settle(e->aq);
    qtest_memread(e->aq->qts, at, &desc, sizeof(desc));
    g_assert_cmphex(le16_to_cpu(desc.flags), ==, ALINK_FRAME_DONE);
    return le16_to_cpu(desc.status);
}

/* Takes the next frame that has come by link 0 into @data, and its length. */
static bool take_frame(End *e, uint8_t *data, uint16_t *len)
{
    struct alink_frame_desc desc;
    unsigned slot = e->got % RING;
    uint64_t at = e->rx + slot * sizeof(desc);

    aq_settle(e->aq);
    qtest_memread(e->aq->qts, at, &desc, sizeof(desc));
    if (!(le16_to_cpu(desc.flags) & ALINK_FRAME_DONE)) {
        return false;
    }
    g_assert_cmpuint(le16_to_cpu(desc.status), ==, ALINK_ST_OK);
    g_assert_cmpuint(le16_to_cpu(desc.link), ==, 0);
    *len = le16_to_cpu(desc.len);
    g_assert_cmpuint(*len, <=, ALINK_FRAME_MAX);
    qtest_memread(e->aq->qts, e->in + slot * ALINK_FRAME_MAX, data, *len);
    desc.addr = cpu_to_le64(e->in + slot * ALINK_FRAME_MAX);
    desc.len = cpu_to_le16(ALINK_FRAME_MAX);
    desc.link = desc.flags = desc.status = 0;
    qtest_memwrite(e->aq->qts, at, &desc, sizeof(desc));
    aq_wr32(e->aq, ALINK_REG_FRAME_RX_TAIL, ++e->got + RING);
    return true;
}

static uint64_t counter(End *e, uint32_t reg)
{
    return aq_rd64(e->aq, ALINK_LSTAT_BLOCK(0) + reg);
}

static uint64_t window(End *e, uint32_t reg)
{
    return aq_rd64(e->aq, ALINK_LINK_WINDOW(0) + reg);
}

/* --- frames -------------------------------------------------------------- */

static void test_frames(void)
{
    static const struct { uint16_t len; unsigned range; } c[] = {
        { 14, 0 }, { 60, 0 }, { 61, 1 }, { 124, 2 }, { 252, 3 }, { 508, 4 },
        { 1020, 5 }, { 1514, 5 }, { 1515, 6 }, { ALINK_FRAME_MAX, 6 },
    };
    uint64_t size[ALINK_LSTAT_SIZES] = { 0 }, octets = 0, drops;
    g_autofree uint8_t *data = g_malloc(ALINK_FRAME_MAX);
    End sw, xpu;
    uint16_t len;
    unsigned i;

    start(&sw, &xpu);
    rings(&xpu);
    /* Nobody has offered a buffer: sent, and lost. */
    g_assert_cmpuint(send_frame(&xpu, 2, 60), ==, ALINK_ST_OK);
    g_assert_cmpuint(window(&xpu, ALINK_LINK_TX_FRAMES), ==, 1);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_TX_OCTETS), ==, 60);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_TX_SIZE_64), ==, 1);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_RX_DROPS), ==, 1);
    g_assert_cmpuint(window(&sw, ALINK_LINK_RX_FRAMES), ==, 0);
    g_assert_cmpuint(window(&sw, ALINK_LINK_RX_PACKETS), ==, 1);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_RX_OCTETS), ==, 0);

    rings(&sw);
    for (i = 0; i < ARRAY_SIZE(c); i++) {
        g_assert_cmpuint(send_frame(&xpu, 2, c[i].len), ==, ALINK_ST_OK);
        g_assert(take_frame(&sw, data, &len));
        g_assert_cmpuint(len, ==, c[i].len);
        g_assert_cmphex(data[len - 1], ==, 0x5a);
        octets += c[i].len;
        size[c[i].range]++;
    }
    g_assert(!take_frame(&sw, data, &len));
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_RX_OCTETS), ==, octets);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_TX_OCTETS), ==, octets + 60);
    for (i = 0; i < ALINK_LSTAT_SIZES; i++) {
        g_assert_cmpuint(counter(&sw, ALINK_LSTAT_RX_SIZE(i)), ==, size[i]);
        g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_TX_SIZE(i)), ==,
                         size[i] + !i);
        g_assert_cmpuint(counter(&sw, ALINK_LSTAT_TX_SIZE(i)), ==, 0);
        g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_RX_SIZE(i)), ==, 0);
    }

    /* The other way: 0x01 is a group, 0xff everybody. */
    g_assert_cmpuint(send_frame(&sw, 1, 60), ==, ALINK_ST_OK);
    g_assert_cmpuint(send_frame(&sw, 1, 60), ==, ALINK_ST_OK);
    g_assert_cmpuint(send_frame(&sw, 0xff, 60), ==, ALINK_ST_OK);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_TX_MULTICAST), ==, 2);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_TX_BROADCAST), ==, 1);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_RX_MULTICAST), ==, 2);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_RX_BROADCAST), ==, 1);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_TX_MULTICAST), ==, 0);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_RX_MULTICAST), ==, 0);

    /* No neighbour has them, and a reset leaves them. */
    g_assert_cmpuint(aq_rd64(sw.aq, ALINK_LSTAT_BLOCK(1) +
                             ALINK_LSTAT_RX_OCTETS), ==, 0);
    drops = counter(&sw, ALINK_LSTAT_RX_DROPS);
    aq_flr(sw.aq);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_RX_OCTETS), ==, octets);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_RX_DROPS), ==, drops);
    stop(&sw, &xpu);
}

/* --- errors -------------------------------------------------------------- */

static void test_errors(void)
{
    End sw, xpu;
    unsigned i;

    start(&sw, &xpu);
    aq_set_str(sw.aq, "x-link-errors", "0:100:7:5:4:2");
    aq_set_str(sw.aq, "x-link-errors", "0:20");
    aq_set_str_bad(sw.aq, "x-link-errors", "0:1:1:1:1:4");
    aq_set_str_bad(sw.aq, "x-link-errors", "0:1:1:1:1:4294967296");
    aq_set_str_bad(sw.aq, "x-link-errors", "0:1:1:1:1:1:1");
    for (i = 0; i < ALINK_LSTAT_LANES; i++) {
        g_assert_cmpuint(counter(&sw, ALINK_LSTAT_FEC_CORR(i)), ==,
                         i == 0 ? 20 : i == 2 ? 100 : 0);
        g_assert_cmpuint(counter(&sw, ALINK_LSTAT_FEC_UNCORR(i)), ==,
                         i == 2 ? 7 : 0);
        g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_FEC_CORR(i)), ==, 0);
    }
    g_assert_cmpuint(window(&sw, ALINK_LINK_FEC_CORR), ==, 120);
    g_assert_cmpuint(window(&sw, ALINK_LINK_FEC_UNCORR), ==, 7);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_SYMBOL_ERRORS), ==, 7 * 16);
    aq_flr(sw.aq);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_FEC_CORR(2)), ==, 100);
    stop(&sw, &xpu);
}

/* --- FEC ----------------------------------------------------------------- */

#define FEC_RS544   ALINK_BIT(ALINK_FEC_RS544)
#define FEC_LL272   ALINK_BIT(ALINK_FEC_LL272)

static uint32_t window32(End *e, uint32_t reg)
{
    return aq_rd32(e->aq, ALINK_LINK_WINDOW(0) + reg);
}

static void window_set(End *e, uint32_t reg, uint32_t value)
{
    aq_wr32(e->aq, ALINK_LINK_WINDOW(0) + reg, value);
}

static void test_fec(void)
{
    static const uint32_t bad[] = {
        ALINK_BIT(ALINK_FEC_NONE), FEC_RS544 | FEC_LL272, 8, 1U << 31,
    };
    End sw, xpu;
    unsigned i;

    start(&sw, &xpu);
    g_assert_cmphex(window32(&sw, ALINK_LINK_FEC_CAPS), ==,
                    FEC_RS544 | FEC_LL272);
    g_assert_cmpuint(window32(&sw, ALINK_LINK_FEC), ==, ALINK_FEC_RS544);
    window_set(&sw, ALINK_LINK_FEC_CTRL, FEC_LL272);
    g_assert_cmpuint(window32(&sw, ALINK_LINK_FEC), ==, ALINK_FEC_LL272);
    g_assert_cmpuint(window32(&xpu, ALINK_LINK_FEC), ==, ALINK_FEC_LL272);
    g_assert_cmpuint(window(&sw, ALINK_LINK_DOWNS), ==, 0);
    aq_set_str(sw.aq, "x-link-errors", "0:0:2");
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_SYMBOL_ERRORS), ==, 2 * 8);

    window_set(&xpu, ALINK_LINK_FEC_CTRL, FEC_RS544);
    g_assert_cmpuint(window32(&sw, ALINK_LINK_REASON), ==, ALINK_DOWN_FEC);
    g_assert_cmpuint(window32(&xpu, ALINK_LINK_REASON), ==, ALINK_DOWN_FEC);
    g_assert_cmpuint(window32(&xpu, ALINK_LINK_FEC), ==, ALINK_FEC_NONE);
    window_set(&xpu, ALINK_LINK_FEC_CTRL, 0);
    g_assert_cmpuint(window32(&sw, ALINK_LINK_STATE), ==, ALINK_LINK_UP);
    g_assert_cmpuint(window(&sw, ALINK_LINK_DOWNS), ==, 1);

    /* Closed and opened, it is the same; the port beside never had it. */
    window_set(&sw, ALINK_LINK_CTRL, 0);
    g_assert_cmphex(window32(&sw, ALINK_LINK_FEC_CTRL), ==, FEC_LL272);
    window_set(&sw, ALINK_LINK_CTRL, ALINK_LINK_CTRL_ENABLE);
    g_assert_cmpuint(window32(&sw, ALINK_LINK_FEC), ==, ALINK_FEC_LL272);
    g_assert_cmphex(aq_rd32(sw.aq, ALINK_LINK_WINDOW(1) +
                            ALINK_LINK_FEC_CTRL), ==, 0);

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        window_set(&sw, ALINK_LINK_FEC_CTRL, bad[i]);
        aq_expect_guest_errors(sw.aq, 1);
        g_assert_cmphex(aq_rd32(sw.aq, ALINK_REG_GUEST_ERR_LAST), ==,
                        ALINK_LINK_WINDOW(0) + ALINK_LINK_FEC_CTRL);
        g_assert_cmphex(window32(&sw, ALINK_LINK_FEC_CTRL), ==, FEC_LL272);
    }
    aq_flr(sw.aq);
    g_assert_cmphex(window32(&sw, ALINK_LINK_FEC_CTRL), ==, 0);
    g_assert_cmpuint(window32(&xpu, ALINK_LINK_FEC), ==, ALINK_FEC_RS544);
    stop(&sw, &xpu);
}

/* --- lanes --------------------------------------------------------------- */

static void expect_width_of(End *e, uint32_t lanes)
{
    g_assert_cmphex(window32(e, ALINK_LINK_LANES), ==, lanes | 4 << 16);
    g_assert_cmpuint(window32(e, ALINK_LINK_SPEED), ==, lanes * 100000);
}

static void expect_width(End *e, uint32_t lanes, uint32_t reason)
{
    g_assert_cmpuint(window32(e, ALINK_LINK_STATE), ==,
                     lanes ? ALINK_LINK_UP : ALINK_LINK_DOWN);
    expect_width_of(e, lanes);
    g_assert_cmpuint(window32(e, ALINK_LINK_REASON), ==, reason);
}

static void expect_link_event(End *e, uint32_t code, uint32_t reason)
{
    struct alink_event ev;

    g_assert(aq_event_poll(e->aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_LINK);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, 0);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, code);
    g_assert_cmpuint(le32_to_cpu(ev.info), ==, reason);
}

static void test_lanes(void)
{
    End sw, xpu;

    start(&sw, &xpu);
    aq_admin_enable(sw.aq, 16);
    aq_event_enable(sw.aq, 16);
    expect_width(&sw, 4, ALINK_DOWN_NONE);
    aq_set_str(sw.aq, "x-lane-fault", "0:0x8");
    expect_link_event(&sw, 1, ALINK_DOWN_WIDTH);
    expect_width(&sw, 2, ALINK_DOWN_WIDTH);
    expect_width(&xpu, 2, ALINK_DOWN_NONE);
    g_assert_cmphex(window32(&sw, ALINK_LINK_LANES_BAD), ==, 8);
    g_assert_cmphex(window32(&xpu, ALINK_LINK_LANES_BAD), ==, 0);
    aq_set_str(sw.aq, "x-lane-fault", "0:0xb");
    expect_link_event(&sw, 1, ALINK_DOWN_WIDTH);
    expect_width(&sw, 1, ALINK_DOWN_WIDTH);
    aq_set_str(sw.aq, "x-lane-fault", "0:0xf");
    expect_link_event(&sw, 0, ALINK_DOWN_WIDTH);
    expect_width(&sw, 0, ALINK_DOWN_WIDTH);
    expect_width(&xpu, 0, ALINK_DOWN_REMOTE_FAULT);
    g_assert_cmpuint(window(&sw, ALINK_LINK_DOWNS), ==, 1);
    g_assert_cmpuint(window(&sw, ALINK_LINK_LANE_LOSSES), ==, 4);
    g_assert_cmpuint(window(&sw, ALINK_LINK_RETRAINS), ==, 2);

    aq_set_str(sw.aq, "x-lane-fault", "0:1");
    expect_link_event(&sw, 1, ALINK_DOWN_WIDTH);
    aq_set_str(sw.aq, "x-lane-fault", "0:0");
    expect_width(&sw, 2, ALINK_DOWN_WIDTH);
    aq_flr(xpu.aq);
    expect_width(&sw, 2, ALINK_DOWN_WIDTH);
    window_set(&xpu, ALINK_LINK_RETRAIN, 1);
    expect_link_event(&sw, 1, ALINK_DOWN_NONE);
    expect_width(&sw, 4, ALINK_DOWN_NONE);
    expect_width(&xpu, 4, ALINK_DOWN_NONE);
    g_assert_cmpuint(window(&xpu, ALINK_LINK_RETRAINS), ==, 3);
    g_assert_cmpuint(window(&sw, ALINK_LINK_LANE_LOSSES), ==, 4);

    window_set(&sw, ALINK_LINK_RETRAIN, 2);
    aq_expect_guest_errors(sw.aq, 1);
    g_assert_cmphex(aq_rd32(sw.aq, ALINK_REG_GUEST_ERR_LAST), ==,
                    ALINK_LINK_WINDOW(0) + ALINK_LINK_RETRAIN);
    /* A port without a cable has nothing to train. */
    aq_wr32(sw.aq, ALINK_LINK_WINDOW(63) + ALINK_LINK_RETRAIN, 1);
    g_assert_cmpuint(window(&sw, ALINK_LINK_RETRAINS), ==, 3);
    aq_set_str_bad(sw.aq, "x-lane-fault", "0:0x10");
    aq_set_str_bad(sw.aq, "x-lane-fault", "0:0x100000000");
    aq_set_str_bad(sw.aq, "x-lane-fault", "64:1");
    aq_set_str_bad(sw.aq, "x-lane-fault", "0");
    stop(&sw, &xpu);
}

/* --- flaps --------------------------------------------------------------- */

static void bounce(End *e)
{
    aq_set_str(e->aq, "x-link-fault", "0:9");
    aq_set_str(e->aq, "x-link-fault", "0:0");
}

static void test_flaps(void)
{
    /* Twice in 1 s, else held for 500 ms */
    const uint32_t ctrl = 2 | 10 << 8 | 5 << 20;
    End sw, xpu;

    start(&sw, &xpu);
    window_set(&sw, ALINK_LINK_FLAP_CTRL, ctrl);
    g_assert_cmphex(window32(&sw, ALINK_LINK_FLAP_CTRL), ==, ctrl);
    g_assert_cmphex(window32(&xpu, ALINK_LINK_FLAP_CTRL), ==, 0);
    bounce(&sw);
    bounce(&sw);
    expect_width(&sw, 4, ALINK_DOWN_NONE);
    bounce(&sw);
    expect_width(&sw, 0, ALINK_DOWN_FLAP);
    expect_width(&xpu, 0, ALINK_DOWN_REMOTE_FAULT);
    g_assert_cmpuint(window(&sw, ALINK_LINK_FLAP_HOLDS), ==, 1);
    aq_admin_enable(sw.aq, 16);
    aq_event_enable(sw.aq, 16);
    aq_clock_us(sw.aq, 499000);
    expect_width(&sw, 0, ALINK_DOWN_FLAP);
    aq_clock_us(sw.aq, 2000);
    expect_width(&sw, 4, ALINK_DOWN_NONE);
    expect_width(&xpu, 4, ALINK_DOWN_NONE);
    expect_link_event(&sw, 1, ALINK_DOWN_NONE);

    /* 1 s is a new window. */
    bounce(&sw);
    bounce(&sw);
    aq_clock_us(sw.aq, 1001000);
    bounce(&sw);
    expect_width(&sw, 4, ALINK_DOWN_NONE);

    bounce(&sw);
    bounce(&sw);
    expect_width(&sw, 0, ALINK_DOWN_FLAP);
    window_set(&sw, ALINK_LINK_CTRL, 0);
    window_set(&sw, ALINK_LINK_CTRL, ALINK_LINK_CTRL_ENABLE);
    expect_width(&sw, 4, ALINK_DOWN_NONE);
    g_assert_cmpuint(window(&sw, ALINK_LINK_FLAP_HOLDS), ==, 2);
    /* The timer of the hold that was ended finds nothing. */
    aq_clock_us(sw.aq, 1000000);
    expect_width(&sw, 4, ALINK_DOWN_NONE);
    aq_flr(sw.aq);
    g_assert_cmphex(window32(&sw, ALINK_LINK_FLAP_CTRL), ==, 0);
    g_assert_cmpuint(window(&sw, ALINK_LINK_FLAP_HOLDS), ==, 2);
    stop(&sw, &xpu);
}

/* --- training ------------------------------------------------------------- */

static void expect_stage(End *sw, End *xpu, uint32_t state, uint32_t stage)
{
    g_assert_cmpuint(window32(sw, ALINK_LINK_STATE), ==, state);
    g_assert_cmpuint(window32(xpu, ALINK_LINK_STATE), ==, state);
    g_assert_cmpuint(window32(sw, ALINK_LINK_STAGE), ==, stage);
    g_assert_cmpuint(window32(xpu, ALINK_LINK_STAGE), ==, stage);
}

static void test_training(void)
{
    End sw = {}, xpu = {};
    unsigned i;

    sw.aq = aq_start("-device alink-fabric,id=fab0,training-us=4000 "
                     "-device alink-switch,id=dut,fabric=fab0,plane=0,addr=4.0 "
                     "-device alink-xpu,id=x0,fabric=fab0,endpoint=0,"
                     "hbm-size=16M,addr=5.0");
    xpu.aq = aq_second(sw.aq, 5, "x0");
    aq_clock_us(sw.aq, 10000);
    expect_stage(&sw, &xpu, ALINK_LINK_UP, ALINK_STAGE_UP);
    aq_admin_enable(sw.aq, 16);
    aq_event_enable(sw.aq, 16);
    aq_set_str(sw.aq, "x-link-fault", "0:9");
    expect_stage(&sw, &xpu, ALINK_LINK_DOWN, ALINK_STAGE_IDLE);
    expect_link_event(&sw, 0, ALINK_DOWN_SIGNAL);
    aq_set_str(sw.aq, "x-link-fault", "0:0");
    expect_link_event(&sw, 0, ALINK_DOWN_NONE);
    for (i = ALINK_STAGE_DETECT; i <= ALINK_STAGE_ALIGN; i++) {
        expect_stage(&sw, &xpu, ALINK_LINK_TRAINING, i);
        expect_width_of(&sw, 0);
        aq_clock_us(sw.aq, 1000);
    }
    expect_stage(&sw, &xpu, ALINK_LINK_UP, ALINK_STAGE_UP);
    expect_link_event(&sw, 1, ALINK_DOWN_NONE);
    expect_width(&xpu, 4, ALINK_DOWN_NONE);
    g_assert_cmpuint(window(&sw, ALINK_LINK_DOWNS), ==, 1);

    /* A port that is closed meanwhile begins anew. */
    window_set(&sw, ALINK_LINK_CTRL, 0);
    window_set(&sw, ALINK_LINK_CTRL, ALINK_LINK_CTRL_ENABLE);
    aq_clock_us(sw.aq, 3000);
    window_set(&sw, ALINK_LINK_CTRL, 0);
    expect_stage(&sw, &xpu, ALINK_LINK_DOWN, ALINK_STAGE_IDLE);
    window_set(&sw, ALINK_LINK_CTRL, ALINK_LINK_CTRL_ENABLE);
    aq_clock_us(sw.aq, 3000);
    expect_stage(&sw, &xpu, ALINK_LINK_TRAINING, ALINK_STAGE_ALIGN);
    aq_clock_us(sw.aq, 1000);
    expect_stage(&sw, &xpu, ALINK_LINK_UP, ALINK_STAGE_UP);
    stop(&sw, &xpu);
}

/* --- replay ---------------------------------------------------------------- */

static void test_replay(void)
{
    g_autofree uint8_t *data = g_malloc(ALINK_FRAME_MAX);
    End sw, xpu;
    uint16_t len;
    unsigned i;

    start(&sw, &xpu);
    rings(&sw);
    rings(&xpu);
    aq_set_str(sw.aq, "x-crc-burst", "0:2");
    for (i = 1; i <= 3; i++) {
        g_assert_cmpuint(send_frame(&xpu, 2, 200), ==, ALINK_ST_OK);
        g_assert(take_frame(&sw, data, &len));
        g_assert_cmphex(data[len - 1], ==, 0x5a);
        g_assert_cmpuint(window(&sw, ALINK_LINK_CRC_ERRORS), ==, MIN(i, 2));
        g_assert_cmpuint(window(&xpu, ALINK_LINK_REPLAYS), ==, MIN(i, 2));
        g_assert_cmpuint(window(&sw, ALINK_LINK_RX_FRAMES), ==, i);
    }
    g_assert_cmpuint(window(&xpu, ALINK_LINK_CRC_ERRORS), ==, 0);
    g_assert_cmpuint(window(&sw, ALINK_LINK_REPLAYS), ==, 0);
    aq_set_str_bad(sw.aq, "x-crc-burst", "64:2");
    aq_set_str_bad(sw.aq, "x-crc-burst", "0:0x100000000");
    stop(&sw, &xpu);
}

/* --- credits -------------------------------------------------------------- */

static void expect_credit_event(End *e, uint32_t code, uint32_t lost)
{
    struct alink_event ev;

    g_assert(aq_event_poll(e->aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_CREDIT);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, 0);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, code);
    g_assert_cmpuint(le32_to_cpu(ev.info), ==, lost);
    g_assert_cmpuint(le64_to_cpu(ev.addr), ==,
                     counter(e, ALINK_LSTAT_CREDIT_SINCE));
    g_assert_cmpuint(le64_to_cpu(ev.addr), !=, 0);
}

static void expect_sent(End *from, End *to, unsigned frames)
{
    g_autofree uint8_t *data = g_malloc(ALINK_FRAME_MAX);
    uint16_t len;

    while (frames--) {
        g_assert_cmpuint(send_frame(from, 2, 200), ==, ALINK_ST_OK);
        g_assert(take_frame(to, data, &len));
        g_assert_cmphex(data[len - 1], ==, 0x5a);
    }
}

static void test_credits(void)
{
    End sw, xpu;

    start(&sw, &xpu);
    g_assert(aq_rd64(sw.aq, ALINK_REG_CAPS) & ALINK_CAP_CREDITS);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDITS), ==,
                     ALINK_LINK_CREDITS);
    rings(&sw);
    rings(&xpu);
    aq_admin_enable(xpu.aq, 16);
    aq_event_enable(xpu.aq, 16);

    /* A leak is missed by the check. */
    aq_set_str(xpu.aq, "x-credit-loss", "0:2");
    expect_sent(&xpu, &sw, 3);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDITS), ==,
                     ALINK_LINK_CREDITS - 2);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDIT_LEAKS), ==, 0);
    aq_clock_us(xpu.aq, 1000 * ALINK_LINK_CREDIT_CHECK_MS + 1);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDIT_LEAKS), ==, 1);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDITS_LOST), ==, 2);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDITS), ==,
                     ALINK_LINK_CREDITS);
    g_assert_cmpuint(window(&xpu, ALINK_LINK_RETRAINS), ==, 1);
    g_assert_cmpuint(window(&sw, ALINK_LINK_RETRAINS), ==, 1);
    g_assert_cmpuint(window(&xpu, ALINK_LINK_DOWNS), ==, 0);
    expect_credit_event(&xpu, ALINK_CREDIT_LEAK, 2);

    /* All get lost, and one frame more has to wait. */
    window_set(&xpu, ALINK_LINK_FLAP_CTRL, 1 | 100 << 8 | 5 << 20);
    aq_set_str(xpu.aq, "x-credit-loss", "0:0xffffffff");
    expect_sent(&xpu, &sw, ALINK_LINK_CREDITS);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDITS), ==, 0);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDIT_STALLS), ==, 0);
    expect_sent(&xpu, &sw, 1);
    aq_set_str(xpu.aq, "x-credit-loss", "0:0");
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDIT_STALLS), ==, 1);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDITS_LOST), ==,
                     2 + ALINK_LINK_CREDITS);
    expect_credit_event(&xpu, ALINK_CREDIT_STALL, ALINK_LINK_CREDITS);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_CREDIT_STALLS), ==, 0);
    g_assert_cmpuint(window32(&xpu, ALINK_LINK_STATE), ==, ALINK_LINK_UP);

    /* Once too often: it is held. */
    aq_clock_us(xpu.aq, 1000 * ALINK_LINK_CREDIT_CHECK_MS + 1);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDIT_LEAKS), ==, 2);
    g_assert_cmpuint(window32(&xpu, ALINK_LINK_REASON), ==, ALINK_DOWN_FLAP);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDITS), ==, 0);
    g_assert_cmpuint(send_frame(&xpu, 2, 200), ==, ALINK_ST_PORT_DOWN);
    aq_clock_us(xpu.aq, 501000);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_CREDITS), ==,
                     ALINK_LINK_CREDITS);
    expect_sent(&xpu, &sw, 1);

    aq_set_str_bad(xpu.aq, "x-credit-loss", "64:2");
    aq_set_str_bad(xpu.aq, "x-credit-loss", "0:0x100000000");
    aq_set_str_bad(xpu.aq, "x-credit-loss", "0");
    stop(&sw, &xpu);
}

/* --- bit errors ---------------------------------------------------------- */

static void expect_rate(End *e, uint32_t mbps, uint32_t reason)
{
    g_assert_cmpuint(window32(e, ALINK_LINK_SPEED), ==, mbps);
    g_assert_cmpuint(window32(e, ALINK_LINK_STATE), ==,
                     mbps ? ALINK_LINK_UP : ALINK_LINK_DOWN);
    g_assert_cmpuint(window32(e, ALINK_LINK_REASON), ==, reason);
}

static void test_bit_errors(void)
{
    uint64_t raw;
    uint32_t full;
    unsigned i;
    End sw, xpu;

    start(&sw, &xpu);
    g_assert(aq_rd64(sw.aq, ALINK_REG_CAPS) & ALINK_CAP_BER);
    g_assert(aq_rd64(xpu.aq, ALINK_REG_CAPS) & ALINK_CAP_BER);
    rings(&sw);
    rings(&xpu);
    aq_admin_enable(sw.aq, 16);
    aq_event_enable(sw.aq, 16);
    full = window32(&sw, ALINK_LINK_SPEED);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_BER), ==, 0);

    /* 10^-4: about 4 of 10 code words are put right. */
    aq_set_str(sw.aq, "x-ber", "0:100000000000");
    expect_rate(&sw, full, ALINK_DOWN_NONE);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_BER), ==,
                     ALINK_BER_UNIT / 10000);
    g_assert_cmpuint(counter(&xpu, ALINK_LSTAT_BER), ==, 0);
    expect_sent(&xpu, &sw, 100);
    raw = window(&sw, ALINK_LINK_RX_RAW);
    g_assert_cmpuint(window(&sw, ALINK_LINK_FEC_CORR), >=, raw * 4 / 6430);
    g_assert_cmpuint(window(&sw, ALINK_LINK_FEC_CORR), <=,
                     raw * 43 / 64300 + 1);
    g_assert_cmpuint(window(&sw, ALINK_LINK_FEC_UNCORR), ==, 0);
    g_assert_cmpuint(window(&xpu, ALINK_LINK_FEC_CORR), ==, 0);

    /* 10^-3 is too much. */
    aq_set_str(sw.aq, "x-ber", "0:1000000000000");
    expect_link_event(&sw, 1, ALINK_DOWN_RATE_REDUCED);
    expect_rate(&sw, full / 2, ALINK_DOWN_RATE_REDUCED);
    expect_rate(&xpu, full / 2, ALINK_DOWN_NONE);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_BER), ==,
                     ALINK_BER_UNIT / 1000000);
    g_assert_cmpuint(window(&sw, ALINK_LINK_FEC_UNCORR), ==, 1);
    g_assert_cmpuint(window(&sw, ALINK_LINK_RETRAINS), ==, 1);
    expect_sent(&xpu, &sw, 2);
    g_assert_cmpuint(window(&sw, ALINK_LINK_CRC_ERRORS), ==, 1);
    g_assert_cmpuint(window(&xpu, ALINK_LINK_REPLAYS), ==, 1);

    /* 0.02, and 0.2, which is too much at any rate */
    aq_set_str(sw.aq, "x-ber", "0:20000000000000");
    expect_link_event(&sw, 1, ALINK_DOWN_RATE_REDUCED);
    expect_rate(&sw, full / 4, ALINK_DOWN_RATE_REDUCED);
    aq_set_str(sw.aq, "x-ber", "0:200000000000000");
    expect_link_event(&sw, 0, ALINK_DOWN_SIGNAL);
    expect_rate(&sw, 0, ALINK_DOWN_SIGNAL);
    expect_rate(&xpu, 0, ALINK_DOWN_REMOTE_FAULT);
    g_assert_cmpuint(counter(&sw, ALINK_LSTAT_BER), ==, 0);
    g_assert_cmpuint(send_frame(&xpu, 2, 200), ==, ALINK_ST_PORT_DOWN);

    /* Back, but at the full rate only after training */
    aq_set_str(sw.aq, "x-ber", "0:1000000000000");
    expect_link_event(&sw, 1, ALINK_DOWN_RATE_REDUCED);
    aq_set_str(sw.aq, "x-ber", "0:0");
    for (i = 0; i < 2; i++) {
        expect_rate(&sw, full / 2, ALINK_DOWN_RATE_REDUCED);
        aq_flr(xpu.aq);
    }
    window_set(&xpu, ALINK_LINK_RETRAIN, 1);
    expect_link_event(&sw, 1, ALINK_DOWN_NONE);
    expect_rate(&sw, full, ALINK_DOWN_NONE);
    expect_rate(&xpu, full, ALINK_DOWN_NONE);

    aq_set_str_bad(sw.aq, "x-ber", "64:1");
    aq_set_str_bad(sw.aq, "x-ber", "0:1000000000000001");
    aq_set_str_bad(sw.aq, "x-ber", "0");
    stop(&sw, &xpu);
}

/* --- light --------------------------------------------------------------- */

static void expect_lights(End *e, const char *want)
{
    QDict *resp = qtest_qmp(e->aq->qts, "{ 'execute': 'qom-get', 'arguments': "
                            "{ 'path': %s, 'property': 'lights' } }",
                            e->aq->path);

    g_assert_cmpstr(qdict_get_str(resp, "return"), ==, want);
    qobject_unref(resp);
}

static void test_light(void)
{
    const uint32_t lit = ALINK_LINK_CTRL_ENABLE | ALINK_LINK_CTRL_IDENTIFY;
    End sw, xpu;

    start(&sw, &xpu);
    expect_lights(&sw, "none");
    aq_wr32(sw.aq, ALINK_LINK_WINDOW(0) + ALINK_LINK_CTRL, lit);
    expect_lights(&sw, "0");
    aq_wr32(sw.aq, ALINK_LINK_WINDOW(63) + ALINK_LINK_CTRL,
            ALINK_LINK_CTRL_IDENTIFY);
    expect_lights(&sw, "0,63");
    expect_lights(&xpu, "none");
    /* It is no matter of the link. */
    g_assert_cmpuint(window(&sw, ALINK_LINK_DOWNS), ==, 0);
    aq_wr32(sw.aq, ALINK_LINK_WINDOW(0) + ALINK_LINK_CTRL,
            ALINK_LINK_CTRL_ENABLE);
    expect_lights(&sw, "63");
    aq_flr(sw.aq);
    expect_lights(&sw, "none");
    stop(&sw, &xpu);
}

/* --- tests --------------------------------------------------------------- */

static void link_ctrl_set(End *e, uint32_t flags)
{
    aq_wr32(e->aq, ALINK_LINK_WINDOW(0) + ALINK_LINK_CTRL,
            ALINK_LINK_CTRL_ENABLE | flags);
}

static void test_loop_back(void)
{
    g_autofree uint8_t *data = g_malloc(ALINK_FRAME_MAX);
    End sw, xpu;
    uint16_t len;

    start(&sw, &xpu);
    rings(&sw);
    rings(&xpu);
    link_ctrl_set(&sw, ALINK_LINK_CTRL_LOOPBACK);
    g_assert_cmpuint(aq_rd32(sw.aq, ALINK_LINK_WINDOW(0) + ALINK_LINK_REASON),
                     ==, ALINK_DOWN_TEST);
    g_assert_cmpuint(send_frame(&xpu, 2, 60), ==, ALINK_ST_PORT_DOWN);
    g_assert_cmpuint(send_frame(&sw, 2, 1000), ==, ALINK_ST_OK);
    g_assert(take_frame(&sw, data, &len));
    g_assert_cmpuint(len, ==, 1000);
    g_assert_cmphex(data[999], ==, 0x5a);
    g_assert(!take_frame(&xpu, data, &len));
    g_assert_cmpuint(window(&sw, ALINK_LINK_RX_FRAMES), ==, 1);

    aq_set_str(sw.aq, "x-fail-selftest", "loop");
    g_assert_cmpuint(send_frame(&sw, 2, 1000), ==, ALINK_ST_OK);
    g_assert(take_frame(&sw, data, &len));
    g_assert_cmphex(data[999], ==, 0x4a);
    /* Only what comes back is changed. */
    link_ctrl_set(&sw, 0);
    g_assert_cmpuint(send_frame(&sw, 2, 1000), ==, ALINK_ST_OK);
    g_assert(take_frame(&xpu, data, &len));
    g_assert_cmphex(data[999], ==, 0x5a);

    link_ctrl_set(&sw, ALINK_LINK_CTRL_LOOPBACK);
    aq_flr(sw.aq);
    g_assert_cmphex(aq_rd32(sw.aq, ALINK_LINK_WINDOW(0) + ALINK_LINK_CTRL),
                    ==, ALINK_LINK_CTRL_ENABLE);
    g_assert_cmpuint(aq_rd32(xpu.aq, ALINK_LINK_WINDOW(0) + ALINK_LINK_STATE),
                     ==, ALINK_LINK_UP);
    stop(&sw, &xpu);
}

static void test_prbs(void)
{
    const uint32_t alone = ALINK_LINK_CTRL_PRBS | ALINK_LINK_CTRL_LOOPBACK;
    const uint32_t lanes = ALINK_LINK_WINDOW(0) + ALINK_LINK_PRBS_LANES;
    End sw, xpu;

    start(&sw, &xpu);
    link_ctrl_set(&sw, ALINK_LINK_CTRL_PRBS);
    g_assert_cmphex(aq_rd32(sw.aq, lanes), ==, 0);
    link_ctrl_set(&sw, alone);
    g_assert_cmphex(aq_rd32(sw.aq, lanes), ==, 0xf);
    while (!window(&sw, ALINK_LINK_PRBS_BITS)) {
        g_usleep(100);
    }
    g_assert_cmpuint(window(&sw, ALINK_LINK_PRBS_ERRORS), ==, 0);
    aq_set_str(sw.aq, "x-fail-selftest", "value+prbs");
    g_assert_cmpuint(window(&sw, ALINK_LINK_PRBS_ERRORS), >, 0);
    aq_set_str(sw.aq, "x-fail-selftest", "none");
    link_ctrl_set(&sw, ALINK_LINK_CTRL_PRBS);
    link_ctrl_set(&xpu, ALINK_LINK_CTRL_PRBS);
    g_assert_cmphex(aq_rd32(sw.aq, lanes), ==, 0xf);
    g_assert_cmphex(aq_rd32(xpu.aq, lanes), !=, 0);
    aq_flr(sw.aq);
    g_assert_cmphex(aq_rd32(xpu.aq, lanes), ==, 0);
    g_assert_cmpuint(window(&sw, ALINK_LINK_PRBS_BITS), ==, 0);
    stop(&sw, &xpu);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/link/frames", test_frames);
    qtest_add_func("/alink/link/errors", test_errors);
    qtest_add_func("/alink/link/fec", test_fec);
    qtest_add_func("/alink/link/lanes", test_lanes);
    qtest_add_func("/alink/link/flaps", test_flaps);
    qtest_add_func("/alink/link/training", test_training);
    qtest_add_func("/alink/link/replay", test_replay);
    qtest_add_func("/alink/link/bit-errors", test_bit_errors);
    qtest_add_func("/alink/link/credits", test_credits);
    qtest_add_func("/alink/link/light", test_light);
    qtest_add_func("/alink/link/loop-back", test_loop_back);
    qtest_add_func("/alink/link/prbs", test_prbs);
    return g_test_run();
}
