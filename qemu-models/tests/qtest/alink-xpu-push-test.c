/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PUSH_REDUCE of two ALink xPUs over two switches: results, time, members that
 * are late or gone, slots that are in use. What the fabric does with more
 * members is tested without a machine, in fabric-push-test.c.
 */
#include "qemu/osdep.h"
#include "xpu-fabric-qtest.h"

#define CHUNK       65536   /* with two members */
#define SW(name)    ALINK_SW_REG_PUSH##name

static struct alink_xpu_desc push(uint64_t dst, uint64_t src, uint64_t len,
                                  uint64_t epoch, unsigned ms)
{
    struct alink_xpu_desc desc = xq_desc(ALINK_XPU_OP_PUSH_REDUCE, dst, src,
                                         len);

    desc.dtype = ALINK_DT_INT32;
    desc.subop = ALINK_OP_SUM;
    desc.src2 = cpu_to_le64(ALINK_XPU_PUSH(epoch, ms));
    return desc;
}

/* Time passes for the device and for the fabric. */
static void pass_ms(Rig *r)
{
    g_usleep(1000);
    aq_clock_us(r->sw[0], 1000);
}

static void finish(Rig *r, XpuQueueQtest *q)
{
    unsigned tries = 10000;

    while (!xq_fenced(q)) {
        g_assert_cmpuint(le32_to_cpu(xq_status(q).error), ==, 0);
        g_assert(tries--);
        pass_ms(r);
    }
}

/* The queue halts so, and goes. */
static void ends(Rig *r, XpuQueueQtest *q, uint16_t status, uint64_t addr)
{
    struct alink_xpu_queue_status s = xq_status(q);
    unsigned tries = 10000;

    while (!s.error) {
        g_assert(tries--);
        pass_ms(r);
        s = xq_status(q);
    }
    g_assert_cmpuint(le32_to_cpu(s.error), ==, status);
    g_assert_cmphex(le64_to_cpu(s.error_addr), ==, addr);
    g_assert(!xq_fenced(q));
    g_assert_cmpuint(xq_queue_destroy(q), ==, ALINK_ST_OK);
}

static uint32_t q_state(XpuQueueQtest *q)
{
    return aq_rd32(q->x->aq, ALINK_XPU_Q(q->id, ALINK_XPU_Q_STATE));
}

/* Started, and waits for the other member. */
static XpuQueueQtest *start(Rig *r, unsigned m, struct alink_xpu_desc desc)
{
    XpuQueueQtest *q = xq_queue(r->x[m], 0, 16);

    xq_put(q, desc);
    xq_ring(q);
    g_assert(!xq_fenced(q));
    g_assert_cmpuint(q_state(q), ==, ALINK_XPU_Q_WAITING);
    return q;
}

static Rig *begin(void)
{
    Rig *r = rig_new();

    rig_group(r);
    OK(xq_queue_destroy(r->q));
    return r;
}

/* One word of each: the group works. */
static void works(Rig *r, uint64_t epoch)
{
    QTestState *qts = r->sw[0]->qts;
    XpuQueueQtest *q[2];
    unsigned m;

    qtest_writel(qts, r->x[0]->sys, 40);
    qtest_writel(qts, r->x[1]->sys, 2);
    q[1] = start(r, 1, push(XQ_GROUP + 4096, XQ_SYS, 4, epoch, 0));
    q[0] = xq_queue(r->x[0], 0, 16);
    xq_put(q[0], push(XQ_GROUP + 4096, XQ_SYS, 4, epoch, 0));
    xq_ring(q[0]);
    for (m = 0; m < 2; m++) {
        finish(r, q[m]);
        g_assert_cmpuint(qtest_readl(qts, r->x[m]->hbm + SEG_AT + 4096), ==,
                         42);
        qtest_writel(qts, r->x[m]->hbm + SEG_AT + 4096, 0);
        OK(xq_queue_destroy(q[m]));
    }
    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_USED)), ==, 0);
}

/* --- results ------------------------------------------------------------- */

static uint64_t ser(uint64_t raw)
{
    return DIV_ROUND_UP(raw * 8000, 400000);
}

/* From system memory, and in place; in several chunks. */
static void check_result(Rig *r, uint64_t len, uint64_t off, uint64_t epoch,
                         bool in_place)
{
    g_autofree uint32_t *data = g_malloc(len);
    QTestState *qts = r->sw[0]->qts;
    uint64_t i, left, want = 100 + 2 * 100 + 2 * 25 + 150 + 50;
    XpuQueueQtest *q[2];
    unsigned m;

    for (m = 0; m < 2; m++) {
        for (i = 0; i < len / 4; i++) {
            data[i] = cpu_to_le32(i * 2654435761U + m);
        }
        qtest_bufwrite(qts, in_place ? r->x[m]->hbm + SEG_AT + off :
                       r->x[m]->sys + 8, data, len);
        q[m] = xq_queue(r->x[m], 0, 16);
        xq_put(q[m], push(XQ_GROUP + off, in_place ?
                          XQ_HBM + SEG_AT + off : XQ_SYS + 8, len, epoch, 0));
    }
    g_usleep(2000);
    xq_ring(q[epoch & 1]);
    pass_ms(r);
    g_assert(!xq_fenced(q[epoch & 1]));
    xq_ring(q[!(epoch & 1)]);
    for (m = 0; m < 2; m++) {
        finish(r, q[m]);
        qtest_bufread(qts, r->x[m]->hbm + SEG_AT + off, data, len);
        for (i = 0; i < len / 4; i++) {
            g_assert_cmphex(le32_to_cpu(data[i]), ==,
                            (uint32_t)(2 * i * 2654435761U + 1));
        }
        g_assert_cmpuint(le64_to_cpu(xq_status(q[m]).bytes), ==, len);
    }
    /* Of aligned data each of the two links has one half. */
    if (off % 512 == 0 && len % 512 == 0) {
        for (left = len; left; left -= MIN(left, CHUNK)) {
            i = MIN(left, CHUNK) / 2;
            want += ser(i + i / 256 * 16);
        }
        g_assert_cmpuint(le64_to_cpu(xq_status(q[0]).model_last_ns), ==,
                         want);
    }
    for (m = 0; m < 2; m++) {
        OK(xq_queue_destroy(q[m]));
    }
}

static void test_results(void)
{
    static const struct { uint64_t off, len; } c[] = {
        { 0, 4 }, { 4096, 4096 }, { 300, 5000 }, { 0, CHUNK },
        { 1024, 3 * CHUNK + 512 }, { 12, 200000 },
    };
    Rig *r = begin();
    uint64_t pushes = 0;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(c); i++) {
        check_result(r, c[i].len, c[i].off, 2 * i, false);
        check_result(r, c[i].len, c[i].off, 2 * i + 1, true);
        pushes += 2 * DIV_ROUND_UP(c[i].len, CHUNK);
    }
    /* A word lies in one plane. */
    g_assert_cmpuint(aq_rd64(r->sw[0], SW(ES)), ==, pushes);
    g_assert_cmpuint(aq_rd64(r->sw[1], SW(ES)), ==, pushes - 2);
    g_assert_cmpuint(aq_rd64(r->sw[0], ALINK_SW_REG_REDUCTIONS), ==, pushes);
    g_assert_cmpuint(aq_rd64(r->sw[0], SW(_TIMEOUTS)), ==, 0);
    g_assert_cmpuint(aq_rd64(r->sw[0], SW(_ABORTS)), ==, 0);
    rig_free(r);
}

/* --- members that are late or gone --------------------------------------- */

static void test_late(void)
{
    Rig *r = begin();
    XpuQueueQtest *q;
    unsigned i;

    q = start(r, 0, push(XQ_GROUP + 8, XQ_SYS, 64, 3, 20));
    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_USED)), ==, 1);
    ends(r, q, ALINK_ST_TIMEOUT, XQ_GROUP + 8);
    for (i = 0; i < PLANES; i++) {
        g_assert_cmpuint(aq_rd64(r->sw[i], SW(_TIMEOUTS)), ==, 1);
        g_assert_cmpuint(aq_rd32(r->sw[i], SW(_USED)), ==, 0);
    }
    q = xq_queue(r->x[1], 0, 16);
    xq_put(q, push(XQ_GROUP + 8, XQ_SYS, 64, 3, 0));
    xq_ring(q);
    ends(r, q, ALINK_ST_EPOCH, XQ_GROUP + 8);
    g_assert_cmpuint(aq_rd64(r->sw[1], SW(_LATE)), ==, 1);
    works(r, 4);
    rig_free(r);
}

static void test_gone(void)
{
    Rig *r = begin();
    XpuQueueQtest *q, *other;

    /* The second chunk; error_addr tells which. Then its queue goes. */
    q = xq_queue(r->x[0], 0, 16);
    xq_put(q, push(XQ_GROUP, XQ_SYS, 2 * CHUNK, 0, 0));
    xq_ring(q);
    other = xq_queue(r->x[1], 0, 16);
    xq_put(other, push(XQ_GROUP, XQ_SYS, CHUNK, 0, 0));
    xq_ring(other);
    finish(r, other);
    pass_ms(r);
    g_assert_cmpuint(aq_rd64(r->sw[0], SW(ES)), ==, 1);
    OK(xq_queue_destroy(other));
    partition(r, 1, 9);
    ends(r, q, ALINK_ST_PARTITION, XQ_GROUP + CHUNK);
    partition(r, 1, 1);

    /* A queue that goes takes along what it sent. */
    q = start(r, 0, push(XQ_GROUP, XQ_SYS, 4, 1, 60000));
    OK(xq_queue_destroy(q));
    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_USED)), ==, 0);
    g_assert_cmpuint(aq_rd64(r->sw[0], SW(_ABORTS)), ==, 2);
    works(r, 2);

    /* So does a reset of the other xPU, whatever it did. */
    q = start(r, 0, push(XQ_GROUP, XQ_SYS, 4, 3, 60000));
    aq_flr(r->x[1]->aq);
    ends(r, q, ALINK_ST_GROUP, XQ_GROUP);
    xq_setup(r->x[1]);
    OK(export(r->x[1], 0, KEY + 1, ALL_RIGHTS));
    OK(bind_group(r->x[1], GROUP, GROUP_KEY));
    OK(import(r->x[1], ALINK_XPU_ADMIN_GROUP_IMPORT, 0, 0, GROUP, GROUP_KEY));
    works(r, 4);
    rig_free(r);
}

static void test_switch_reset(void)
{
    static const uint32_t both[] = { 0, 1 };
    Rig *r = begin();
    XpuQueueQtest *q;
    unsigned i;

    q = start(r, 0, push(XQ_GROUP, XQ_SYS, 4, 0, 60000));
    aq_flr(r->sw[1]);
    ends(r, q, ALINK_ST_ABORTED, XQ_GROUP);
    /* The other plane is enough. */
    works(r, 1);
    aq_admin_enable(r->sw[1], 8);
    for (i = 0; i < 2; i++) {
        OK(route(r->sw[1], i, 1, 1 << i));
    }
    OK(add_group(r->sw[1], GROUP, GROUP_KEY, both, 2));
    works(r, 2);

    q = start(r, 0, push(XQ_GROUP, XQ_SYS, 4, 3, 60000));
    link_ctrl(r->x[1]->aq, 1, 0);
    ends(r, q, ALINK_ST_PORT_DOWN, XQ_GROUP);
    works(r, 4);
    rig_free(r);
}

/* --- slots ---------------------------------------------------------------- */

static void test_slots(void)
{
    Rig *r = begin();
    XpuQueueQtest *q0, *q1, *other;
    uint64_t at;

    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_SLOTS)), ==, 16);
    qtest_qmp_assert_success(r->sw[0]->qts, "{ 'execute': 'qom-set', "
                             "'arguments': { 'path': "
                             "'/machine/peripheral/fab0', 'property': "
                             "'push-slots', 'value': 1 } }");
    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_SLOTS)), ==, 1);
    qtest_writel(r->sw[0]->qts, r->x[0]->sys, 1);
    q0 = start(r, 0, push(XQ_GROUP, XQ_SYS, 4, 0, 60000));
    q1 = xq_queue(r->x[0], 1, 16);
    xq_put(q1, push(XQ_GROUP + 4, XQ_SYS, 4, 0, 60000));
    xq_ring(q1);
    pass_ms(r);
    pass_ms(r);
    g_assert_cmpuint(q_state(q1), ==, ALINK_XPU_Q_WAITING);
    g_assert_cmpuint(aq_rd64(r->sw[0], SW(_WAITS)), ==, 1);
    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_USED)), ==, 1);
    /* What was not sent yet is read when it is. */
    qtest_writel(r->sw[0]->qts, r->x[0]->sys, 40);
    qtest_writel(r->sw[0]->qts, r->x[1]->sys, 2);
    other = xq_queue(r->x[1], 0, 16);
    xq_put(other, push(XQ_GROUP, XQ_SYS, 4, 0, 0));
    xq_put(other, push(XQ_GROUP + 4, XQ_SYS, 4, 0, 0));
    xq_ring(other);
    finish(r, other);
    finish(r, q0);
    finish(r, q1);
    at = r->x[1]->hbm + SEG_AT;
    g_assert_cmpuint(qtest_readl(r->sw[0]->qts, at), ==, 3);
    g_assert_cmpuint(qtest_readl(r->sw[0]->qts, at + 4), ==, 42);
    OK(xq_queue_destroy(other));

    /* Without one in time it ends, and a queue that goes leaves nothing. */
    xq_put(q0, push(XQ_GROUP, XQ_SYS, 4, 1, 60000));
    xq_ring(q0);
    xq_put(q1, push(XQ_GROUP + 4, XQ_SYS, 4, 1, 20));
    xq_ring(q1);
    ends(r, q1, ALINK_ST_TIMEOUT, XQ_GROUP + 4);
    q1 = xq_queue(r->x[0], 1, 16);
    xq_put(q1, push(XQ_GROUP + 4, XQ_SYS, 4, 1, 60000));
    xq_ring(q1);
    pass_ms(r);
    OK(xq_queue_destroy(q1));
    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_USED)), ==, 1);
    OK(xq_queue_destroy(q0));
    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_USED)), ==, 0);
    works(r, 2);
    rig_free(r);
}

/* --- refusals -------------------------------------------------------------- */

static void test_refusals(void)
{
    Rig *r = rig_new();
    struct alink_xpu_desc desc;

    fails(r, push(XQ_GROUP, XQ_SYS, 4, 0, 0), ALINK_ST_KEY, XQ_GROUP);
    rig_group(r);
    fails(r, push(XQ_HBM, XQ_SYS, 4, 0, 0), ALINK_ST_UNSUPPORTED, XQ_HBM);
    fails(r, push(XQ_REMOTE, XQ_SYS, 4, 0, 0), ALINK_ST_UNSUPPORTED,
          XQ_REMOTE);
    fails(r, push(XQ_GROUP, XQ_REMOTE, 4, 0, 0), ALINK_ST_UNSUPPORTED,
          XQ_REMOTE);
    fails(r, push(XQ_GROUP, XQ_GROUP, 4, 0, 0), ALINK_ST_UNSUPPORTED,
          XQ_GROUP);
    fails(r, push(XQ_GROUP, XQ_HOLE, 4, 0, 0), ALINK_ST_PAGE_FAULT, XQ_HOLE);
    fails(r, push(XQ_HOLE, XQ_SYS, 4, 0, 0), ALINK_ST_PAGE_FAULT, XQ_HOLE);
    fails(r, push(XQ_GROUP + 2, XQ_SYS, 4, 0, 0), ALINK_ST_ALIGN,
          XQ_GROUP + 2);
    fails(r, push(XQ_GROUP, XQ_SYS + 1, 4, 0, 0), ALINK_ST_ALIGN, XQ_SYS + 1);
    fails(r, push(XQ_GROUP, XQ_SYS, 6, 0, 0), ALINK_ST_ALIGN, 0);
    fails(r, push(XQ_GROUP, XQ_SYS, ALINK_XPU_MAX_LEN + 4, 0, 0),
          ALINK_ST_BAD_FIELD, 0);
    /* Behind what is mapped; and where the group begins anew. */
    fails(r, push(XQ_GROUP + XQ_REMOTE_SIZE - 4, XQ_SYS, 8, 0, 0),
          ALINK_ST_PAGE_FAULT, XQ_GROUP + XQ_REMOTE_SIZE);
    xq_map(r->x[0], XQ_GROUP + XQ_REMOTE_SIZE, XQ_RW | XQ_AP(ALINK_AP_GROUP),
           0, 4096);
    fails(r, push(XQ_GROUP + XQ_REMOTE_SIZE - 4, XQ_SYS, 8, 0, 0),
          ALINK_ST_RANGE, XQ_GROUP + XQ_REMOTE_SIZE);
    OK(aq_admin_id(r->x[1]->aq, ALINK_XPU_ADMIN_GROUP_UNBIND, GROUP));
    fails(r, push(XQ_GROUP, XQ_SYS, 4, 0, 0), ALINK_ST_GROUP, XQ_GROUP);
    OK(bind_group(r->x[1], GROUP, GROUP_KEY));
    desc = push(XQ_GROUP, XQ_SYS, 4, 0, 0);
    desc.subop = 3;
    fails(r, desc, ALINK_ST_UNSUPPORTED, 0);
    desc = push(XQ_GROUP, XQ_SYS, 4, 0, 0);
    desc.dtype = ALINK_DT_UINT8;
    fails(r, desc, ALINK_ST_UNSUPPORTED, 0);
    desc.opcode = ALINK_XPU_OP_PUSH_REDUCE + 1;
    fails(r, desc, ALINK_ST_BAD_OPCODE, 0);
    xq_run(r->q, push(XQ_GROUP, XQ_SYS, 0, 0, 0));
    fabric_set(r, "x-poison", "0:4096:4");
    fails(r, push(XQ_GROUP, XQ_HBM, 8192, 0, 0), ALINK_ST_POISON,
          XQ_HBM + 4096);
    g_assert_cmpuint(aq_rd32(r->sw[0], SW(_USED)), ==, 0);
    rig_free(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-push/results", test_results);
    qtest_add_func("/alink/xpu-push/late", test_late);
    qtest_add_func("/alink/xpu-push/gone", test_gone);
    qtest_add_func("/alink/xpu-push/switch-reset", test_switch_reset);
    qtest_add_func("/alink/xpu-push/slots", test_slots);
    qtest_add_func("/alink/xpu-push/refusals", test_refusals);
    return g_test_run();
}
