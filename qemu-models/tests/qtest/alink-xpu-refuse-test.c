/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two ALink xPUs over two switches: each refusal of the fabric has its own
 * status, address and recovery; resets of target, initiator and switches.
 */
#include "qemu/osdep.h"
#include "xpu-fabric-qtest.h"

/* --- typed refusals ------------------------------------------------------ */

static void test_no_path(void)
{
    Rig *r = rig_new();
    unsigned i;

    unroute(r->x[0]->aq, 1);
    fails(r, put_word(), ALINK_ST_NO_PATH, XQ_REMOTE);
    OK(route(r->x[0]->aq, 1, 1, 3));
    for (i = 0; i < PLANES; i++) {
        xq_run(r->q, put_word());
        unroute(r->sw[i], 1);
    }
    fails(r, put_word(), ALINK_ST_NO_PATH, XQ_REMOTE);
    /* A port that leads to somebody else is no path. */
    OK(route(r->sw[0], 1, 1, 1 << 0));
    fails(r, put_word(), ALINK_ST_NO_PATH, XQ_REMOTE);
    OK(route(r->sw[0], 1, 1, 1 << 1));
    xq_run(r->q, put_word());
    /* One path lives; two are the minimum. */
    OK(route(r->x[0]->aq, 1, 2, 3));
    fails(r, put_word(), ALINK_ST_NO_PATH, XQ_REMOTE);
    /* The loop path does not exist. */
    g_assert_cmpuint(route(r->x[0]->aq, 0, 1, 1), ==, ALINK_ST_BAD_FIELD);
    aq_expect_guest_errors(r->x[0]->aq, 0);
    OK(aq_admin_id(r->x[0]->aq, ALINK_XPU_ADMIN_SEG_RELEASE, 0));
    OK(import(r->x[0], ALINK_XPU_ADMIN_SEG_IMPORT, 0, 0, 0, KEY));
    fails(r, put_word(), ALINK_ST_NO_PATH, XQ_REMOTE);
    rig_free(r);
}

static void test_port_down(void)
{
    Rig *r = rig_new();
    AlinkQtest *x0 = r->x[0]->aq;
    uint32_t w0 = ALINK_LINK_WINDOW(0);
    uint64_t errors;

    g_assert_cmpuint(aq_rd32(x0, w0 + ALINK_LINK_STATE), ==, ALINK_LINK_UP);
    g_assert_cmpuint(aq_rd32(x0, w0 + ALINK_LINK_PEER_ID), ==, 0);
    link_ctrl(x0, 0, 0);
    xq_run(r->q, put_word());
    errors = aq_rd64(x0, w0 + ALINK_LINK_TX_ERRORS);
    link_ctrl(x0, 1, 0);
    fails(r, put_word(), ALINK_ST_PORT_DOWN, XQ_REMOTE);
    g_assert_cmpuint(aq_rd64(x0, w0 + ALINK_LINK_TX_ERRORS), ==, errors + 1);
    link_ctrl(x0, 0, ALINK_LINK_CTRL_ENABLE);
    xq_run(r->q, put_word());

    /* At the switch's end, at the target, by a fault. */
    link_ctrl(r->sw[0], 1, 0);
    fails(r, put_word(), ALINK_ST_PORT_DOWN, XQ_REMOTE);
    link_ctrl(r->sw[0], 1, ALINK_LINK_CTRL_ENABLE);
    link_ctrl(r->x[1]->aq, 0, 0);
    fails(r, put_word(), ALINK_ST_PORT_DOWN, XQ_REMOTE);
    link_ctrl(r->x[1]->aq, 0, ALINK_LINK_CTRL_ENABLE);
    aq_set_str(x0, "x-link-fault", "0:8");
    fails(r, put_word(), ALINK_ST_PORT_DOWN, XQ_REMOTE);
    aq_set_str(x0, "x-link-fault", "0:0");
    xq_run(r->q, put_word());
    rig_free(r);
}

static void test_partition(void)
{
    Rig *r = rig_new();
    uint32_t drops = aq_rd64(r->sw[0], ALINK_SW_REG_DROPS_PART);

    qtest_writeq(r->sw[0]->qts, r->x[1]->hbm + SEG_AT, 0x11);
    partition(r, 1, 2);
    fails(r, put_word(), ALINK_ST_PARTITION, XQ_REMOTE);
    fails(r, xq_copy(XQ_HBM, XQ_REMOTE, 8), ALINK_ST_PARTITION, XQ_REMOTE);
    g_assert_cmpuint(aq_rd64(r->sw[0], ALINK_SW_REG_DROPS_PART), >, drops);
    /* The segment stays in the partition that it was exported in. */
    partition(r, 0, 2);
    fails(r, put_word(), ALINK_ST_PARTITION, XQ_REMOTE);
    /* None is no partition that two can share. */
    partition(r, 0, 0);
    partition(r, 1, 0);
    fails(r, put_word(), ALINK_ST_PARTITION, XQ_REMOTE);
    g_assert_cmphex(qtest_readq(r->sw[0]->qts, r->x[1]->hbm + SEG_AT), ==,
                    0x11);
    partition(r, 0, 1);
    partition(r, 1, 1);
    xq_run(r->q, put_word());
    rig_free(r);
}

static void reimport(Rig *r, uint64_t key)
{
    OK(aq_admin_id(r->x[0]->aq, ALINK_XPU_ADMIN_SEG_RELEASE, 0));
    OK(import(r->x[0], ALINK_XPU_ADMIN_SEG_IMPORT, 0, 1, 0, key));
}

static void test_key(void)
{
    Rig *r = rig_new();
    XpuQtest *x1 = r->x[1];
    uint64_t at = x1->hbm + SEG_AT;

    qtest_writeq(r->sw[0]->qts, at, 0x11);
    reimport(r, KEY + 2);
    fails(r, put_word(), ALINK_ST_KEY, XQ_REMOTE);
    OK(aq_admin_id(r->x[0]->aq, ALINK_XPU_ADMIN_SEG_RELEASE, 0));
    fails(r, put_word(), ALINK_ST_KEY, XQ_REMOTE);
    OK(import(r->x[0], ALINK_XPU_ADMIN_SEG_IMPORT, 0, 1, 0, KEY + 1));
    g_assert_cmpuint(import(r->x[0], ALINK_XPU_ADMIN_SEG_IMPORT, 0, 1, 0,
                            KEY + 1), ==, ALINK_ST_EXISTS);
    /* Revoked, and exported again with another key under the same id. */
    OK(aq_admin_id(x1->aq, ALINK_XPU_ADMIN_SEG_REVOKE, 0));
    fails(r, put_word(), ALINK_ST_KEY, XQ_REMOTE);
    OK(export(x1, 0, KEY + 9, ALINK_SEG_READ));
    fails(r, put_word(), ALINK_ST_KEY, XQ_REMOTE);
    /* The right key, without the right to write. */
    reimport(r, KEY + 9);
    fails(r, put_word(), ALINK_ST_KEY, XQ_REMOTE);
    fails(r, xq_atomic(8, ALINK_ATOMIC_ADD, XQ_REMOTE, 1, 0, 0), ALINK_ST_KEY,
          XQ_REMOTE);
    g_assert_cmphex(qtest_readq(r->sw[0]->qts, at), ==, 0x11);
    xq_run(r->q, xq_copy(XQ_HBM, XQ_REMOTE, 8));
    g_assert_cmphex(qtest_readq(r->sw[0]->qts, r->x[0]->hbm), ==, 0x11);
    OK(aq_admin_id(x1->aq, ALINK_XPU_ADMIN_SEG_REVOKE, 0));
    OK(export(x1, 0, KEY + 1, ALINK_SEG_WRITE));
    reimport(r, KEY + 1);
    fails(r, xq_copy(XQ_HBM, XQ_REMOTE, 8), ALINK_ST_KEY, XQ_REMOTE);
    rig_free(r);
}

/* What an xPU tells of its segments from @from on; returns how many fit. */
static unsigned segments(XpuQtest *x, uint32_t from, uint32_t room,
                         struct alink_xpu_segment_info *info,
                         uint16_t want)
{
    const size_t span = ALINK_TLV_SPAN(sizeof(*info));
    uint32_t id = cpu_to_le32(from), len;
    struct alink_admin_cpl cpl;
    uint8_t req[16], tlv[4];
    unsigned i;

    len = aq_put_tlv(req, 0, ALINK_TLV_ID, &id, 4);
    cpl = aq_admin(x->aq, ALINK_XPU_ADMIN_SEG_GET, req, len, room);
    g_assert_cmpuint(le16_to_cpu(cpl.status), ==, want);
    if (want != ALINK_ST_OK) {
        return 0;
    }
    len = le32_to_cpu(cpl.resp_len);
    g_assert_cmpuint(len, <=, room);
    g_assert_cmpuint(len % span, ==, 0);
    for (i = 0; i < len / span; i++) {
        qtest_memread(x->aq->qts, x->aq->resp + i * span, tlv, sizeof(tlv));
        g_assert_cmphex(lduw_le_p(tlv), ==, ALINK_TLV_XPU_SEGMENT_INFO);
        g_assert_cmpuint(lduw_le_p(tlv + 2), ==, sizeof(*info));
        qtest_memread(x->aq->qts, x->aq->resp + i * span + sizeof(tlv) + 4,
                      &info[i], sizeof(*info));
    }
    return i;
}

static void test_segments(void)
{
    const uint32_t span = ALINK_TLV_SPAN(sizeof(struct alink_xpu_segment_info));
    struct alink_xpu_segment_info info[4];
    Rig *r = rig_new();
    XpuQtest *x1 = r->x[1];

    rig_group(r);
    OK(export(x1, 1000, KEY, ALINK_SEG_READ));
    g_assert_cmpuint(segments(x1, 0, 4096, info, ALINK_ST_OK), ==, 2);
    g_assert_cmpuint(le32_to_cpu(info[0].id), ==, 0);
    g_assert_cmphex(le32_to_cpu(info[0].rights), ==, ALL_RIGHTS);
    g_assert_cmpuint(le64_to_cpu(info[0].len), ==, SEG_LEN);
    g_assert_cmpuint(le32_to_cpu(info[0].num_extents), ==, 1);
    g_assert_cmpuint(le32_to_cpu(info[0].partition), ==, 1);
    g_assert_cmpuint(le32_to_cpu(info[0].num_bindings), ==, 1);
    g_assert_cmpuint(info[0].reserved, ==, 0);
    g_assert_cmpuint(le32_to_cpu(info[1].id), ==, 1000);
    g_assert_cmphex(le32_to_cpu(info[1].rights), ==, ALINK_SEG_READ);
    g_assert_cmpuint(le32_to_cpu(info[1].num_bindings), ==, 0);

    /* In pieces; of what does not fit at all, that. */
    g_assert_cmpuint(segments(x1, 0, 2 * span - 1, info, ALINK_ST_OK), ==, 1);
    g_assert_cmpuint(segments(x1, 1, span, info, ALINK_ST_OK), ==, 1);
    g_assert_cmpuint(le32_to_cpu(info[0].id), ==, 1000);
    segments(x1, 0, span - 8, info, ALINK_ST_NO_ROOM);
    g_assert_cmpuint(segments(x1, 1001, span - 8, info, ALINK_ST_OK), ==, 0);
    g_assert_cmpuint(segments(x1, ~0U, span, info, ALINK_ST_OK), ==, 0);

    /* A segment stays where it was exported. */
    partition(r, 1, 2);
    OK(aq_admin_id(x1->aq, ALINK_XPU_ADMIN_SEG_REVOKE, 0));
    OK(export(x1, 0, KEY + 1, ALINK_SEG_WRITE));
    g_assert_cmpuint(segments(x1, 0, 4096, info, ALINK_ST_OK), ==, 2);
    g_assert_cmpuint(le32_to_cpu(info[0].partition), ==, 2);
    g_assert_cmpuint(le32_to_cpu(info[0].num_bindings), ==, 0);
    g_assert_cmpuint(le32_to_cpu(info[1].partition), ==, 1);
    rig_free(r);
}

/* Beyond the end: the first byte beyond is at fault, and none is written. */
static void test_range(void)
{
    uint64_t near = SEG_LEN - 4096;
    Rig *r = rig_new();
    uint64_t end = r->x[1]->hbm + SEG_AT + SEG_LEN;

    xq_map(r->x[0], XQ_REMOTE + SEG_LEN, XQ_RW | XQ_AP(ALINK_AP_REMOTE),
           SEG_LEN, 8192);
    qtest_memset(r->sw[0]->qts, end - 4096, 0xee, 12288);
    xq_pattern(r->x[0], r->x[0]->hbm, 8192, 1);
    xq_run(r->q, xq_copy(XQ_REMOTE + near, XQ_HBM, 4096));
    xq_check(r->x[1], end - 4096, 4096, 1);
    xq_pattern(r->x[0], r->x[0]->hbm, 8192, 2);
    fails(r, xq_copy(XQ_REMOTE + near, XQ_HBM, 4097), ALINK_ST_RANGE,
          XQ_REMOTE + SEG_LEN);
    fails(r, xq_copy(XQ_REMOTE + SEG_LEN, XQ_HBM, 1), ALINK_ST_RANGE,
          XQ_REMOTE + SEG_LEN);
    xq_check(r->x[1], end - 4096, 4096, 1);
    xq_check_byte(r->x[1], end, 8192, 0xee);
    rig_free(r);
}

/* The owner of bad memory has the fault, and whoever met it none. */
static void poison_is_told(Rig *r, uint64_t addr)
{
    AlinkQtest *owner = r->x[1]->aq;
    struct alink_event ev;

    g_assert(aq_event_poll(owner, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_FAULT);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, ALINK_FAULT_HBM_ECC);
    g_assert_cmphex(le32_to_cpu(ev.id), ==, ALINK_ID_NONE);
    g_assert_cmpuint(le32_to_cpu(ev.info), ==, ALINK_RECOVERY_NONE);
    g_assert_cmphex(le64_to_cpu(ev.addr), ==, addr);
    g_assert(!aq_event_poll(owner, &ev));
    g_assert_cmpuint(aq_rd32(owner, ALINK_REG_FAULT_CODE), ==,
                     ALINK_FAULT_HBM_ECC);
    g_assert_cmphex(aq_rd64(owner, ALINK_REG_FAULT_ADDR), ==, addr);
    g_assert_cmphex(aq_rd32(owner, ALINK_REG_FAULT_INFO), ==, ALINK_ID_NONE);
    g_assert_cmpuint(aq_rd32(owner, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    aq_wr32(owner, ALINK_REG_FAULT_ACK, ALINK_FAULT_HBM_ECC);
    g_assert_cmpuint(aq_rd32(r->x[0]->aq, ALINK_REG_FAULT_CODE), ==, 0);
}

static void test_remote_poison(void)
{
    Rig *r = rig_new();

    rig_group(r);
    aq_settle(r->x[1]->aq);
    aq_event_enable(r->x[1]->aq, 16);
    aq_set_int(r->x[1]->aq, "x-ecc-poison-addr", SEG_AT + 8192);
    fails(r, xq_copy(XQ_HBM, XQ_REMOTE + 4096, 8192), ALINK_ST_POISON,
          XQ_REMOTE + 8192);
    poison_is_told(r, SEG_AT + 8192);
    fails(r, xq_atomic(8, ALINK_ATOMIC_ADD, XQ_REMOTE + 8200, 1, 0, 0),
          ALINK_ST_POISON, XQ_REMOTE + 8200);
    poison_is_told(r, SEG_AT + 8200);
    fails(r, xq_reduce_read(ALINK_DT_FP32, ALINK_OP_SUM, XQ_HBM,
                            XQ_GROUP + 8184, 16),
          ALINK_ST_POISON, XQ_GROUP + 8192);
    poison_is_told(r, SEG_AT + 8192);
    /* By a worker, without the lock of the main loop */
    fails(r, xq_copy(XQ_HBM, XQ_REMOTE, 1 << 20), ALINK_ST_POISON,
          XQ_REMOTE + 8192);
    poison_is_told(r, SEG_AT + 8192);
    xq_run(r->q, xq_copy(XQ_REMOTE + 8192, XQ_HBM, 64));
    xq_run(r->q, xq_copy(XQ_HBM, XQ_REMOTE + 4096, 8192));
    rig_free(r);
}

/* Nobody answers, or the operation times out: an answer comes all the same. */
static void test_unreachable(void)
{
    Rig *r = rig_new();

    fabric_set(r, "x-mute", "1:1");
    fails(r, put_word(), ALINK_ST_UNREACHABLE, XQ_REMOTE);
    fails(r, xq_copy(XQ_HBM, XQ_REMOTE, 1 << 20), ALINK_ST_UNREACHABLE,
          XQ_REMOTE);
    fabric_set(r, "x-mute", "1:0");
    xq_run(r->q, put_word());
    fabric_set(r, "x-fail-ops", "0:22:1");
    fails(r, put_word(), ALINK_ST_TIMEOUT, XQ_REMOTE);
    xq_run(r->q, put_word());
    rig_free(r);
}

static void test_group_refusals(void)
{
    static const uint32_t alone[] = { 1 }, both[] = { 0, 1 };
    struct alink_xpu_desc write = xq_copy(XQ_GROUP, XQ_HBM, 8);
    struct alink_xpu_desc read = xq_reduce_read(ALINK_DT_FP32, ALINK_OP_SUM,
                                                XQ_HBM, XQ_GROUP, 8);
    Rig *r = rig_new();
    AlinkQtest *x0 = r->x[0]->aq;
    unsigned i;

    /* Empty slot; a group that no switch has. */
    fails(r, write, ALINK_ST_KEY, XQ_GROUP);
    OK(import(r->x[0], ALINK_XPU_ADMIN_GROUP_IMPORT, 0, 0, GROUP, GROUP_KEY));
    fails(r, read, ALINK_ST_GROUP, XQ_GROUP);
    g_assert_cmpuint(bind_group(r->x[0], GROUP, GROUP_KEY), ==,
                     ALINK_ST_GROUP);
    OK(aq_admin_id(x0, ALINK_XPU_ADMIN_GROUP_RELEASE, 0));
    rig_group(r);
    xq_run(r->q, write);
    xq_run(r->q, read);
    g_assert_cmpuint(bind_group(r->x[0], GROUP, GROUP_KEY), ==,
                     ALINK_ST_EXISTS);

    /* A member has bound nothing. */
    OK(aq_admin_id(r->x[1]->aq, ALINK_XPU_ADMIN_GROUP_UNBIND, GROUP));
    fails(r, read, ALINK_ST_GROUP, XQ_GROUP);
    g_assert_cmpuint(bind_group(r->x[1], GROUP, GROUP_KEY + 1), ==,
                     ALINK_ST_KEY);
    OK(bind_group(r->x[1], GROUP, GROUP_KEY));
    xq_run(r->q, read);

    /* Wrong key of the slot; foreign partition; no links; mute member. */
    OK(aq_admin_id(x0, ALINK_XPU_ADMIN_GROUP_RELEASE, 0));
    OK(import(r->x[0], ALINK_XPU_ADMIN_GROUP_IMPORT, 0, 0, GROUP,
              GROUP_KEY + 1));
    fails(r, read, ALINK_ST_KEY, XQ_GROUP);
    OK(aq_admin_id(x0, ALINK_XPU_ADMIN_GROUP_RELEASE, 0));
    OK(import(r->x[0], ALINK_XPU_ADMIN_GROUP_IMPORT, 0, 0, GROUP, GROUP_KEY));
    partition(r, 1, 2);
    fails(r, write, ALINK_ST_PARTITION, XQ_GROUP);
    partition(r, 1, 1);
    link_ctrl(r->x[1]->aq, 0, 0);
    xq_run(r->q, read);
    link_ctrl(r->x[1]->aq, 1, 0);
    fails(r, read, ALINK_ST_PORT_DOWN, XQ_GROUP);
    link_ctrl(r->x[1]->aq, 0, ALINK_LINK_CTRL_ENABLE);
    link_ctrl(r->x[1]->aq, 1, ALINK_LINK_CTRL_ENABLE);
    fabric_set(r, "x-mute", "1:1");
    fails(r, write, ALINK_ST_UNREACHABLE, XQ_GROUP);
    fabric_set(r, "x-mute", "1:0");
    for (i = 0; i < PLANES; i++) {
        unroute(r->sw[i], 1);
    }
    fails(r, read, ALINK_ST_NO_PATH, XQ_GROUP);
    for (i = 0; i < PLANES; i++) {
        OK(route(r->sw[i], 1, 1, 1 << 1));
    }

    /* The planes disagree; the initiator is no member. */
    OK(aq_admin_id(r->sw[1], ALINK_ADMIN_GROUP_DEL, GROUP));
    xq_run(r->q, read);
    OK(add_group(r->sw[1], GROUP, GROUP_KEY, alone, 1));
    fails(r, read, ALINK_ST_GROUP, XQ_GROUP);
    OK(aq_admin_id(r->sw[0], ALINK_ADMIN_GROUP_DEL, GROUP));
    OK(add_group(r->sw[0], GROUP, GROUP_KEY, alone, 1));
    fails(r, read, ALINK_ST_DENIED, XQ_GROUP);
    for (i = 0; i < PLANES; i++) {
        OK(aq_admin_id(r->sw[i], ALINK_ADMIN_GROUP_DEL, GROUP));
        OK(add_group(r->sw[i], GROUP, GROUP_KEY, both, 2));
    }
    xq_run(r->q, read);
    rig_free(r);
}

/* --- resets -------------------------------------------------------------- */

/* What the target loses in FLR is out of reach, and what it keeps is kept. */
static void test_reset(void)
{
    Rig *r = rig_new();
    XpuQtest *x0 = r->x[0], *x1 = r->x[1];

    rig_group(r);
    xq_run(r->q, put_word());
    qtest_writeq(x0->aq->qts, x1->hbm, 0x77);
    aq_flr(x1->aq);
    fails(r, put_word(), ALINK_ST_KEY, XQ_REMOTE);
    fails(r, xq_copy(XQ_GROUP, XQ_HBM, 8), ALINK_ST_GROUP, XQ_GROUP);
    g_assert_cmphex(qtest_readq(x0->aq->qts, x1->hbm), ==, 0x77);
    /* Its routes and its partition stay: only exports have to come back. */
    xq_setup(x1);
    OK(export(x1, 0, KEY + 1, ALL_RIGHTS));
    OK(import(x1, ALINK_XPU_ADMIN_SEG_IMPORT, 0, 0, 0, KEY));
    xq_run(r->q, put_word());
    xq_run(xq_queue(x1, 0, 4), put_word());
    OK(bind_group(x1, GROUP, GROUP_KEY));
    xq_run(r->q, xq_copy(XQ_GROUP, XQ_HBM, 8));

    /* The initiator loses its slots, and the switch its tables. */
    aq_flr(x0->aq);
    xq_setup(x0);
    r->q = xq_queue(x0, 0, 16);
    fails(r, put_word(), ALINK_ST_KEY, XQ_REMOTE);
    OK(import(x0, ALINK_XPU_ADMIN_SEG_IMPORT, 0, 1, 0, KEY + 1));
    xq_run(r->q, put_word());
    aq_flr(r->sw[0]);
    aq_flr(r->sw[1]);
    fails(r, put_word(), ALINK_ST_NO_PATH, XQ_REMOTE);
    rig_free(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-refuse/no-path", test_no_path);
    qtest_add_func("/alink/xpu-refuse/port-down", test_port_down);
    qtest_add_func("/alink/xpu-refuse/partition", test_partition);
    qtest_add_func("/alink/xpu-refuse/key", test_key);
    qtest_add_func("/alink/xpu-refuse/segments", test_segments);
    qtest_add_func("/alink/xpu-refuse/range", test_range);
    qtest_add_func("/alink/xpu-refuse/poison", test_remote_poison);
    qtest_add_func("/alink/xpu-refuse/unreachable", test_unreachable);
    qtest_add_func("/alink/xpu-refuse/group-refusals", test_group_refusals);
    qtest_add_func("/alink/xpu-refuse/reset", test_reset);
    return g_test_run();
}
