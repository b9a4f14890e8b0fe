/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two ALink xPUs over two switches: remote copies and atomics, groups, counters
 * and modelled time against the formulas of Documentation/hw/fabric.rst.
 * Expectations are computed here from the document, with nothing of the model.
 */
#include "qemu/osdep.h"
#include "xpu-fabric-qtest.h"

/* --- what works ---------------------------------------------------------- */

static void test_copy(void)
{
    static const struct { uint64_t off, len; } c[] = {
        { 0, 1 }, { 255, 2 }, { 3, 4096 }, { 4093, 65541 }, { 100, 1000003 },
    };
    Rig *r = rig_new();
    uint64_t h0 = r->x[0]->hbm, h1 = r->x[1]->hbm;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(c); i++) {
        uint64_t at = h1 + SEG_AT + c[i].off, len = c[i].len;

        qtest_memset(r->sw[0]->qts, h1 + SEG_AT, 0xee, 2 << 20);
        xq_pattern(r->x[0], h0 + 9, len, i);
        xq_run(r->q, xq_copy(XQ_REMOTE + c[i].off, XQ_HBM + 9, len));
        xq_check_byte(r->x[1], h1 + SEG_AT, c[i].off, 0xee);
        xq_check(r->x[1], at, len, i);
        xq_check_byte(r->x[1], at + len, 4096, 0xee);

        /* Back, into system memory, which is in pieces. */
        xq_pattern(r->x[1], at, len, i + 50);
        qtest_memset(r->sw[0]->qts, r->x[0]->sys, 0xee, 2 << 20);
        xq_run(r->q, xq_copy(XQ_SYS + 7, XQ_REMOTE + c[i].off, len));
        xq_check(r->x[0], r->x[0]->sys + 7, len, i + 50);
        xq_check_byte(r->x[0], r->x[0]->sys + 7 + len, 4096, 0xee);
    }
    /* FILL, REDUCE and a fence go there as well; remote to remote too. */
    xq_run(r->q, xq_desc(ALINK_XPU_OP_FILL, XQ_REMOTE + 4, 0x5a5a5a5a, 4096));
    xq_check_byte(r->x[1], h1 + SEG_AT + 4, 4096, 0x5a);
    xq_run(r->q, xq_copy(XQ_REMOTE + (1 << 20), XQ_REMOTE + 4, 4096));
    xq_check_byte(r->x[1], h1 + SEG_AT + (1 << 20), 4096, 0x5a);
    qtest_writel(r->sw[0]->qts, h0, 40);
    qtest_writel(r->sw[0]->qts, h1 + SEG_AT, 2);
    xq_run(r->q, xq_reduce(ALINK_DT_INT32, ALINK_OP_SUM, XQ_REMOTE + 8,
                           XQ_HBM, XQ_REMOTE, 4));
    g_assert_cmpuint(qtest_readl(r->sw[0]->qts, h1 + SEG_AT + 8), ==, 42);
    rig_free(r);
}

/* A waits for the fence of B in its own memory. */
static void test_signal(void)
{
    Rig *r = rig_new();
    XpuQueueQtest *q1 = xq_queue(r->x[1], 0, 8);
    struct alink_xpu_desc desc = xq_copy(XQ_REMOTE + 4096, XQ_HBM, 70000);

    xq_pattern(r->x[0], r->x[0]->hbm, 70000, 77);
    xq_put(q1, xq_wait_for(ALINK_WAIT_EQ, XQ_HBM + SEG_AT, 5));
    xq_put(q1, xq_copy(XQ_SYS, XQ_HBM + SEG_AT + 4096, 70000));
    xq_ring(q1);
    g_assert(!xq_fenced(q1));
    desc.flags = ALINK_XPU_DF_FENCE;
    desc.fence_addr = cpu_to_le64(XQ_REMOTE);
    desc.fence_value = cpu_to_le64(5);
    xq_put(r->q, desc);
    xq_ring(r->q);
    xq_wait(q1);
    xq_check(r->x[1], r->x[1]->sys, 70000, 77);
    rig_free(r);
}

static void test_atomics(void)
{
    Rig *r = rig_new();
    QTestState *qts = r->sw[0]->qts;
    uint64_t at = r->x[1]->hbm + SEG_AT + 64, old = r->x[0]->hbm + 8;
    unsigned i, width;

    for (i = 0; i < xq_num_atomics; i++) {
        const XqAtomicCase *c = &xq_atomics[i];

        for (width = 4; width <= 8; width += 4) {
            qtest_writeq(qts, at, c->mem);
            qtest_writeq(qts, old, 0);
            xq_run(r->q, xq_atomic(width, c->op, XQ_REMOTE + 64, c->val,
                                   c->cmp, XQ_HBM + 8));
            g_assert_cmphex(qtest_readq(qts, at), ==, width == 8 ? c->want64 :
                            (c->mem & ~0xffffffffULL) | c->want32);
            g_assert_cmphex(qtest_readq(qts, old), ==,
                            width == 8 ? c->mem : (uint32_t)c->mem);
        }
    }
    fails(r, xq_atomic(8, ALINK_ATOMIC_ADD, XQ_REMOTE + 4, 1, 0, 0),
          ALINK_ST_ALIGN, XQ_REMOTE + 4);
    fails(r, xq_atomic(8, ALINK_ATOMIC_ADD, XQ_HBM, 1, 0, XQ_REMOTE),
          ALINK_ST_UNSUPPORTED, XQ_REMOTE);
    fails(r, xq_wait_for(ALINK_WAIT_EQ, XQ_REMOTE, 1), ALINK_ST_UNSUPPORTED,
          XQ_REMOTE);
    rig_free(r);
}

/* --- groups -------------------------------------------------------------- */

static void test_multicast(void)
{
    static const uint64_t lens[] = { 8, 4096, 100003 };
    Rig *r = rig_new();
    unsigned i, m;

    rig_group(r);
    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        for (m = 0; m < 2; m++) {
            qtest_memset(r->sw[0]->qts, r->x[m]->hbm + SEG_AT, 0xee, 1 << 20);
        }
        xq_pattern(r->x[0], r->x[0]->sys, lens[i], i);
        xq_run(r->q, xq_copy(XQ_GROUP + 300, XQ_SYS, lens[i]));
        for (m = 0; m < 2; m++) {
            uint64_t at = r->x[m]->hbm + SEG_AT;

            xq_check_byte(r->x[m], at, 300, 0xee);
            xq_check(r->x[m], at + 300, lens[i], i);
            xq_check_byte(r->x[m], at + 300 + lens[i], 4096, 0xee);
        }
    }
    /* A group is no source, and knows no atomics. */
    fails(r, xq_copy(XQ_HBM, XQ_GROUP, 64), ALINK_ST_UNSUPPORTED, XQ_GROUP);
    fails(r, xq_atomic(4, ALINK_ATOMIC_ADD, XQ_GROUP, 1, 0, 0),
          ALINK_ST_UNSUPPORTED, XQ_GROUP);
    fails(r, xq_reduce_read(ALINK_DT_INT32, ALINK_OP_SUM, XQ_HBM, XQ_HBM, 4),
          ALINK_ST_UNSUPPORTED, XQ_HBM);
    fails(r, xq_reduce_read(ALINK_DT_INT32, ALINK_OP_SUM, XQ_HBM, XQ_REMOTE,
                            4), ALINK_ST_UNSUPPORTED, XQ_REMOTE);
    rig_free(r);
}

/* The host's own FP32 arithmetic is IEEE, to nearest even. */
static uint32_t reduce_fp32(uint32_t a, uint32_t b, unsigned op)
{
    float fa, fb, f;
    uint32_t bits;

    memcpy(&fa, &a, 4);
    memcpy(&fb, &b, 4);
    f = op == ALINK_OP_SUM ? fa + fb : op == ALINK_OP_MIN ?
        (fa < fb ? fa : fb) : (fa > fb ? fa : fb);
    memcpy(&bits, &f, 4);
    return bits;
}

static uint32_t reduce_elem(unsigned dtype, uint32_t a, uint32_t b,
                            unsigned op)
{
    uint32_t bits;

    switch (dtype) {
    case ALINK_DT_INT32:
        return op == ALINK_OP_SUM ? a + b : op == ALINK_OP_MIN ?
               MIN((int32_t)a, (int32_t)b) : MAX((int32_t)a, (int32_t)b);
    case ALINK_DT_FP32:
        return reduce_fp32(a, b, op);
    default:    /* BF16: the upper half of FP32, rounded to nearest even */
        bits = reduce_fp32(a << 16, b << 16, op);
        return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    }
}

/* A finite number of moderate size, of either sign, in the type. */
static uint32_t sample(unsigned dtype, uint32_t i)
{
    uint32_t v = i * 2654435761U ^ i << 7;

    switch (dtype) {
    case ALINK_DT_INT32:
        return v;
    case ALINK_DT_FP32:
        return (v & 0x807fffff) | (120 + (v >> 23) % 16) << 23;
    default:
        return (v & 0x807f) | (120 + (v >> 16) % 16) << 7;
    }
}

static void check_reduce_read(Rig *r, unsigned dtype, unsigned op, uint64_t n)
{
    unsigned esz = dtype == ALINK_DT_BF16 ? 2 : 4, m;
    g_autofree uint8_t *buf = g_malloc(n * esz), *want = g_malloc(n * esz);
    uint64_t i;

    for (m = 0; m < 2; m++) {
        for (i = 0; i < n; i++) {
            stn_le_p(buf + i * esz, esz, sample(dtype, 2 * i + m));
        }
        qtest_bufwrite(r->sw[0]->qts, r->x[m]->hbm + SEG_AT + 4, buf, n * esz);
    }
    for (i = 0; i < n; i++) {
        stn_le_p(want + i * esz, esz,
                 reduce_elem(dtype, sample(dtype, 2 * i),
                             sample(dtype, 2 * i + 1), op));
    }
    xq_run(r->q, xq_reduce_read(dtype, op, XQ_SYS + 8, XQ_GROUP + 4, n * esz));
    qtest_bufread(r->sw[0]->qts, r->x[0]->sys + 8, buf, n * esz);
    for (i = 0; i < n; i++) {
        if (ldn_le_p(buf + i * esz, esz) != ldn_le_p(want + i * esz, esz)) {
            g_test_message("type %u op %u element %" PRIu64 ": 0x%" PRIx64
                           ", not 0x%" PRIx64, dtype, op, i,
                           ldn_le_p(buf + i * esz, esz),
                           ldn_le_p(want + i * esz, esz));
            g_assert_not_reached();
        }
    }
}

static void test_reduce_read(void)
{
    static const uint8_t dtypes[] = { ALINK_DT_INT32, ALINK_DT_FP32,
                                      ALINK_DT_BF16 };
    static const struct { uint8_t dtype; uint32_t a, b, sum, min, max; } c[] = {
        { ALINK_DT_FP16, 0x3c00, 0xc000, 0xbc00, 0xc000, 0x3c00 },
        { ALINK_DT_FP16, 0x7bff, 0x7bff, 0x7c00, 0x7bff, 0x7bff },
        { ALINK_DT_FP8_E4M3, 0x38, 0xc0, 0xb8, 0xc0, 0x38 },
        { ALINK_DT_FP8_E4M3, 0x7e, 0x7e, 0x7f, 0x7e, 0x7e },
        { ALINK_DT_FP8_E5M2, 0x3c, 0xc0, 0xbc, 0xc0, 0x3c },
        { ALINK_DT_FP32, 0x7fc00001, 0, 0x7fc00000, 0x7fc00000, 0x7fc00000 },
    };
    Rig *r = rig_new();
    QTestState *qts = r->sw[0]->qts;
    unsigned i, op;

    rig_group(r);
    for (i = 0; i < ARRAY_SIZE(dtypes); i++) {
        for (op = ALINK_OP_SUM; op <= ALINK_OP_MAX; op++) {
            check_reduce_read(r, dtypes[i], op, 1);
            check_reduce_read(r, dtypes[i], op, 4097);
            check_reduce_read(r, dtypes[i], op, 40000);
        }
    }
    for (i = 0; i < ARRAY_SIZE(c); i++) {
        const uint32_t want[] = { c[i].sum, c[i].min, c[i].max };
        unsigned size = c[i].dtype == ALINK_DT_FP32 ? 4 :
                        c[i].dtype == ALINK_DT_FP16 ? 2 : 1;

        qtest_writel(qts, r->x[0]->hbm + SEG_AT, c[i].a);
        qtest_writel(qts, r->x[1]->hbm + SEG_AT, c[i].b);
        for (op = ALINK_OP_SUM; op <= ALINK_OP_MAX; op++) {
            qtest_writel(qts, r->x[0]->hbm, 0);
            xq_run(r->q, xq_reduce_read(c[i].dtype, op, XQ_HBM, XQ_GROUP,
                                        size));
            g_assert_cmphex(qtest_readl(qts, r->x[0]->hbm), ==, want[op]);
        }
    }
    /* In place, and the result to all: an all-reduce of two steps. */
    qtest_writel(qts, r->x[0]->hbm + SEG_AT, 40);
    qtest_writel(qts, r->x[1]->hbm + SEG_AT, 2);
    xq_run(r->q, xq_reduce_read(ALINK_DT_INT32, ALINK_OP_SUM, XQ_GROUP,
                                XQ_GROUP, 4));
    g_assert_cmpuint(qtest_readl(qts, r->x[0]->hbm + SEG_AT), ==, 42);
    g_assert_cmpuint(qtest_readl(qts, r->x[1]->hbm + SEG_AT), ==, 42);

    fails(r, xq_reduce_read(ALINK_DT_FP32, ALINK_OP_SUM, XQ_HBM, XQ_GROUP, 6),
          ALINK_ST_ALIGN, 0);
    fails(r, xq_reduce_read(ALINK_DT_UINT8, ALINK_OP_SUM, XQ_HBM, XQ_GROUP, 8),
          ALINK_ST_UNSUPPORTED, 0);
    fails(r, xq_reduce_read(ALINK_DT_FP32, 3, XQ_HBM, XQ_GROUP, 8),
          ALINK_ST_UNSUPPORTED, 0);
    rig_free(r);
}

/* --- a REDUCE whose result stays here as well ----------------------------- */

static struct alink_xpu_desc keep(uint64_t dst, uint64_t a, uint64_t b,
                                  uint64_t len)
{
    struct alink_xpu_desc desc = xq_reduce(ALINK_DT_INT32, ALINK_OP_SUM, dst, a,
                                           b, len);

    desc.flags |= ALINK_XPU_DF_KEEP;
    return desc;
}

/* 1 in all bytes of a, 2 in those of b, where the result is to stay. */
static void check_keep(Rig *r, uint64_t dst, unsigned members, uint64_t b,
                       uint64_t b_at, uint64_t len)
{
    QTestState *qts = r->sw[0]->qts;
    uint64_t h0 = r->x[0]->hbm;
    unsigned m;

    for (m = 0; m < 2; m++) {
        qtest_memset(qts, r->x[m]->hbm + SEG_AT, 0xee, 1 << 20);
    }
    qtest_memset(qts, h0, 1, 1 << 20);
    qtest_memset(qts, b_at, 0xee, len + 8192);
    qtest_memset(qts, b_at + 4096, 2, len);
    xq_run(r->q, keep(dst + 8, XQ_HBM, b + 4096, len));
    for (m = 0; m < 2; m++) {
        uint64_t at = r->x[m]->hbm + SEG_AT;

        xq_check_byte(r->x[m], at, 8, 0xee);
        xq_check_byte(r->x[m], at + 8, len, members & 1 << m ? 3 : 0xee);
        xq_check_byte(r->x[m], at + 8 + len, 4096, 0xee);
    }
    xq_check_byte(r->x[0], b_at, 4096, 0xee);
    xq_check_byte(r->x[0], b_at + 4096, len, 3);
    xq_check_byte(r->x[0], b_at + 4096 + len, 4096, 0xee);
    xq_check_byte(r->x[0], h0, 1 << 20, 1);
}

/* The same in pages that do not lie as they are used */
static void check_keep_scattered(Rig *r)
{
    QTestState *qts = r->sw[0]->qts;
    const unsigned pages = 128, page = 4096;
    uint64_t va = XQ_HOLE + 16 * page, sys = r->x[0]->sys;
    unsigned i;

    qtest_memset(qts, r->x[0]->hbm, 1, pages * page);
    for (i = 0; i < pages; i++) {
        xq_map(r->x[0], va + i * page, XQ_RW | XQ_AP(ALINK_AP_SYSTEM),
               sys + (i ^ 1) * page, page);
        qtest_memset(qts, sys + (i ^ 1) * page, i, page);
    }
    xq_run(r->q, keep(XQ_REMOTE, XQ_HBM, va, pages * page));
    for (i = 0; i < pages; i++) {
        xq_check_byte(r->x[1], r->x[1]->hbm + SEG_AT + i * page, page, i + 1);
        xq_check_byte(r->x[0], sys + (i ^ 1) * page, page, i + 1);
    }
}

static void test_keep(void)
{
    /* At once, and by a worker */
    static const uint64_t lens[] = { 4, 4096, 65540, 1000000 };
    uint64_t ro = XQ_HOLE, wo = XQ_HOLE + 4096;
    struct alink_xpu_desc desc;
    Rig *r = rig_new();
    unsigned i;

    rig_group(r);
    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        uint64_t hbm = 2 << 20;

        check_keep(r, XQ_REMOTE, 2, XQ_HBM + hbm, r->x[0]->hbm + hbm, lens[i]);
        check_keep(r, XQ_REMOTE, 2, XQ_SYS, r->x[0]->sys, lens[i]);
        check_keep(r, XQ_GROUP, 3, XQ_SYS, r->x[0]->sys, lens[i]);
    }
    check_keep_scattered(r);
    /* Nothing is moved, and all is checked. */
    xq_run(r->q, keep(XQ_REMOTE, XQ_HBM, XQ_SYS, 0));

    /* It is of REDUCE alone, goes into the fabric, and stays here. */
    desc = xq_copy(XQ_REMOTE, XQ_HBM, 64);
    desc.flags |= ALINK_XPU_DF_KEEP;
    fails(r, desc, ALINK_ST_BAD_FIELD, 0);
    desc = xq_reduce_read(ALINK_DT_INT32, ALINK_OP_SUM, XQ_HBM, XQ_GROUP, 64);
    desc.flags |= ALINK_XPU_DF_KEEP;
    fails(r, desc, ALINK_ST_BAD_FIELD, 0);
    fails(r, keep(XQ_HBM, XQ_HBM + 4096, XQ_SYS, 64), ALINK_ST_UNSUPPORTED,
          XQ_HBM);
    fails(r, keep(XQ_REMOTE, XQ_HBM, XQ_REMOTE + 4096, 64),
          ALINK_ST_UNSUPPORTED, XQ_REMOTE + 4096);
    fails(r, keep(XQ_REMOTE, XQ_HBM, XQ_GROUP, 64), ALINK_ST_UNSUPPORTED,
          XQ_GROUP);

    /* What it is to be added to is read, and written. */
    xq_map(r->x[0], ro, ALINK_PTE_READ | XQ_AP(ALINK_AP_HBM), 0, 4096);
    xq_map(r->x[0], wo, ALINK_PTE_WRITE | XQ_AP(ALINK_AP_HBM), 4096, 4096);
    qtest_memset(r->sw[0]->qts, r->x[0]->hbm, 0xee, 8192);
    qtest_memset(r->sw[0]->qts, r->x[1]->hbm + SEG_AT, 0xee, 4096);
    fails(r, keep(XQ_REMOTE, XQ_SYS, ro, 64), ALINK_ST_PERMISSION, ro);
    fails(r, keep(XQ_REMOTE, XQ_SYS, wo, 64), ALINK_ST_PERMISSION, wo);

    /* What does not arrive does not stay either. */
    for (i = 0; i < PLANES; i++) {
        link_ctrl(r->x[1]->aq, i, 0);
    }
    fails(r, keep(XQ_REMOTE, XQ_SYS, XQ_HBM, 4096), ALINK_ST_PORT_DOWN,
          XQ_REMOTE);
    xq_check_byte(r->x[0], r->x[0]->hbm, 8192, 0xee);
    xq_check_byte(r->x[1], r->x[1]->hbm + SEG_AT, 4096, 0xee);
    rig_free(r);
}

/* --- counters and modelled time ------------------------------------------ */

static uint64_t packets(uint64_t off, uint64_t len)
{
    return len ? (off + len - 1) / 256 - off / 256 + 1 : 0;
}

/* Payload and packets of link k of n: block b goes by link b mod n. */
static void share(uint64_t off, uint64_t len, unsigned k, unsigned n,
                  uint64_t *bytes, uint64_t *num)
{
    uint64_t at, end = off + len, stop;

    *bytes = *num = 0;
    for (at = off; at < end; at = stop) {
        stop = MIN(end, (at / 256 + 1) * 256);
        if (at / 256 % n == k) {
            *bytes += stop - at;
            ++*num;
        }
    }
}

static uint64_t ser(uint64_t raw)
{
    return (8000 * raw + 399999) / 400000;
}

static uint64_t longest(uint64_t off, uint64_t len, unsigned n)
{
    uint64_t bytes, num, most = 0;
    unsigned k;

    for (k = 0; k < n; k++) {
        share(off, len, k, n, &bytes, &num);
        most = MAX(most, ser(bytes + 16 * num));
    }
    return most;
}

/* Modelled time of a descriptor on a fabric that has come to rest */
static uint64_t model_ns(Rig *r, struct alink_xpu_desc desc)
{
    g_usleep(2000);
    xq_run(r->q, desc);
    return le64_to_cpu(xq_status(r->q).model_last_ns);
}

/* 100 of the descriptor; 2E + 4c + 2h + S(16) */
#define BASE    (100 + 2 * 100 + 4 * 25 + 2 * 150 + 1)

static void check_times(Rig *r, unsigned links)
{
    static const struct { uint64_t off, len; } c[] = {
        { 0, 1 }, { 0, 256 }, { 255, 2 }, { 0, 4096 }, { 128, 4096 },
        { 12, 100000 }, { 0, 1 << 20 },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(c); i++) {
        uint64_t off = c[i].off, len = c[i].len;
        uint64_t most = longest(off, len, links);

        g_assert_cmpuint(model_ns(r, xq_copy(XQ_REMOTE + off, XQ_HBM, len)),
                         ==, BASE + most);
        g_assert_cmpuint(model_ns(r, xq_copy(XQ_HBM, XQ_REMOTE + off, len)),
                         ==, BASE + most);
        g_assert_cmpuint(model_ns(r, xq_copy(XQ_GROUP + off, XQ_HBM, len)),
                         ==, BASE + most);
        if (off % 4 == 0 && len % 4 == 0) {
            /* Its arithmetic is done on the way. */
            g_assert_cmpuint(model_ns(r, xq_reduce(ALINK_DT_INT32,
                             ALINK_OP_SUM, XQ_REMOTE + off, XQ_HBM,
                             XQ_HBM + (2 << 20), len)), ==, BASE + most);
            g_assert_cmpuint(model_ns(r, keep(XQ_REMOTE + off, XQ_HBM,
                             XQ_HBM + (2 << 20), len)), ==, BASE + most);
            g_assert_cmpuint(model_ns(r, xq_reduce_read(ALINK_DT_INT32,
                             ALINK_OP_SUM, XQ_HBM, XQ_GROUP + off, len)),
                             ==, BASE + 50 + most);
        }
    }
    g_assert_cmpuint(model_ns(r, xq_copy(XQ_REMOTE, XQ_HBM, 0)), ==, 100);
    /* Request and response of an atomic have payload; CAS has two operands. */
    g_assert_cmpuint(model_ns(r, xq_atomic(8, ALINK_ATOMIC_ADD, XQ_REMOTE, 1,
                              0, 0)), ==, BASE - 1 + ser(24) + ser(24));
    g_assert_cmpuint(model_ns(r, xq_atomic(8, ALINK_ATOMIC_CAS, XQ_REMOTE, 1,
                              0, 0)), ==, BASE - 1 + ser(32) + ser(24));
    g_assert_cmpuint(model_ns(r, xq_atomic(4, ALINK_ATOMIC_CAS, XQ_REMOTE, 1,
                              0, 0)), ==, BASE - 1 + ser(24) + ser(20));
}

static void test_timing(void)
{
    Rig *r = rig_new();

    rig_group(r);
    check_times(r, 2);
    link_ctrl(r->x[1]->aq, 1, 0);
    check_times(r, 1);
    link_ctrl(r->x[1]->aq, 1, ALINK_LINK_CTRL_ENABLE);
    /* Switched off, nothing takes time. */
    fabric_set(r, "timing", "off");
    g_assert_cmpuint(model_ns(r, put_word()), ==, 0);
    rig_free(r);
}

typedef struct Counts {
    uint64_t tx_bytes, rx_bytes, tx_packets, rx_packets, tx_raw, rx_raw, busy;
} Counts;

static Counts counts(AlinkQtest *aq, unsigned link)
{
    uint32_t w = ALINK_LINK_WINDOW(link);

    return (Counts) {
        aq_rd64(aq, w + ALINK_LINK_TX_BYTES),
        aq_rd64(aq, w + ALINK_LINK_RX_BYTES),
        aq_rd64(aq, w + ALINK_LINK_TX_PACKETS),
        aq_rd64(aq, w + ALINK_LINK_RX_PACKETS),
        aq_rd64(aq, w + ALINK_LINK_TX_RAW),
        aq_rd64(aq, w + ALINK_LINK_RX_RAW),
        aq_rd64(aq, w + ALINK_LINK_BUSY_NS),
    };
}

/* By how much one descriptor moves both ends: multiples of its N and P. */
static void check_counts(Rig *r, struct alink_xpu_desc desc, uint64_t off,
                         uint64_t len, const unsigned me[4],
                         const unsigned other[4])
{
    const unsigned *factor[2] = { me, other };
    Counts before[2][PLANES], port[2][PLANES], d, p;
    uint64_t n, num;
    unsigned m, k;

    for (m = 0; m < 2; m++) {
        for (k = 0; k < PLANES; k++) {
            before[m][k] = counts(r->x[m]->aq, k);
            port[m][k] = counts(r->sw[k], m);
        }
    }
    xq_run(r->q, desc);
    for (m = 0; m < 2; m++) {
        for (k = 0; k < PLANES; k++) {
            const unsigned *f = factor[m];

            share(off, len, k, PLANES, &n, &num);
            g_assert_cmpuint(num, >, 0);
            d = counts(r->x[m]->aq, k);
            g_assert_cmpuint(d.tx_bytes - before[m][k].tx_bytes, ==, f[0] * n);
            g_assert_cmpuint(d.rx_bytes - before[m][k].rx_bytes, ==, f[1] * n);
            g_assert_cmpuint(d.tx_packets - before[m][k].tx_packets, ==,
                             f[2] * num);
            g_assert_cmpuint(d.rx_packets - before[m][k].rx_packets, ==,
                             f[3] * num);
            g_assert_cmpuint(d.tx_raw - before[m][k].tx_raw, ==,
                             f[0] * n + 16 * f[2] * num);
            g_assert_cmpuint(d.rx_raw - before[m][k].rx_raw, ==,
                             f[1] * n + 16 * f[3] * num);
            /* The port at the other end: exchanged. */
            p = counts(r->sw[k], m);
            g_assert_cmpuint(p.rx_bytes - port[m][k].rx_bytes, ==, f[0] * n);
            g_assert_cmpuint(p.tx_bytes - port[m][k].tx_bytes, ==, f[1] * n);
            g_assert_cmpuint(p.rx_packets - port[m][k].rx_packets, ==,
                             f[2] * num);
            g_assert_cmpuint(p.tx_packets - port[m][k].tx_packets, ==,
                             f[3] * num);
        }
    }
    g_assert_cmpuint(packets(off, len), >=, PLANES);
}

static void test_counters(void)
{
    const uint64_t off = 100, len = 65000;
    static const unsigned write_me[] = { 1, 0, 1, 1 };
    static const unsigned write_it[] = { 0, 1, 1, 1 };
    static const unsigned read_me[] = { 0, 1, 1, 1 };
    static const unsigned read_it[] = { 1, 0, 1, 1 };
    static const unsigned multi_me[] = { 1, 1, 2, 2 };
    static const unsigned multi_it[] = { 0, 1, 1, 1 };
    static const unsigned red_me[] = { 1, 1, 1, 1 };
    static const unsigned red_it[] = { 1, 0, 1, 1 };
    Rig *r = rig_new();
    uint64_t multi, red, busy, bytes, num;

    rig_group(r);
    check_counts(r, xq_copy(XQ_REMOTE + off, XQ_HBM, len), off, len, write_me,
                 write_it);
    check_counts(r, xq_copy(XQ_HBM, XQ_REMOTE + off, len), off, len, read_me,
                 read_it);
    multi = aq_rd64(r->sw[0], ALINK_SW_REG_MULTICASTS);
    check_counts(r, xq_copy(XQ_GROUP + off, XQ_HBM, len), off, len, multi_me,
                 multi_it);
    g_assert_cmpuint(aq_rd64(r->sw[0], ALINK_SW_REG_MULTICASTS), ==,
                     multi + 1);
    red = aq_rd64(r->sw[1], ALINK_SW_REG_REDUCTIONS);
    check_counts(r, xq_reduce_read(ALINK_DT_FP32, ALINK_OP_MAX, XQ_HBM,
                                   XQ_GROUP + off, len), off, len, red_me,
                 red_it);
    g_assert_cmpuint(aq_rd64(r->sw[1], ALINK_SW_REG_REDUCTIONS), ==, red + 1);

    /* A write keeps the wire of link 1 busy for S(R_1), and no longer. */
    busy = counts(r->x[0]->aq, 1).busy;
    xq_run(r->q, xq_copy(XQ_REMOTE + off, XQ_HBM, len));
    share(off, len, 1, PLANES, &bytes, &num);
    g_assert_cmpuint(counts(r->x[0]->aq, 1).busy - busy, ==,
                     ser(bytes + 16 * num));
    rig_free(r);
}

/* --- spare links --------------------------------------------------------- */

static uint16_t route_spares(AlinkQtest *aq, uint32_t min, uint64_t ports,
                             uint64_t spares)
{
    struct alink_route route = {
        .dst = cpu_to_le32(1),
        .min_ports = cpu_to_le32(min),
        .ports = { cpu_to_le64(ports) },
    };
    uint8_t req[ALINK_TLV_SPAN(sizeof(route)) + ALINK_TLV_SPAN(8)];
    uint32_t len;

    spares = cpu_to_le64(spares);
    len = aq_put_tlv(req, 0, ALINK_TLV_ROUTE | ALINK_TLV_MUST, &route,
                     sizeof(route));
    len = aq_put_tlv(req, len, ALINK_TLV_SPARES | ALINK_TLV_MUST, &spares, 8);
    return le16_to_cpu(aq_admin(aq, ALINK_ADMIN_ROUTE_SET, req, len,
                                0).status);
}

/* Both TLVs of the one route that there is, or neither when room is short. */
static void check_listed(AlinkQtest *aq, uint64_t ports, uint64_t spares)
{
    const uint32_t span = ALINK_TLV_SPAN(sizeof(struct alink_route));
    const uint32_t all = span + ALINK_TLV_SPAN(8);
    struct alink_admin_cpl cpl;
    uint32_t id = 0, len, room;
    uint8_t req[16];

    len = aq_put_tlv(req, 0, ALINK_TLV_ID, &id, 4);
    for (room = span; room <= all; room += 8) {
        cpl = aq_admin(aq, ALINK_ADMIN_ROUTE_GET, req, len, room);
        g_assert_cmpuint(le32_to_cpu(cpl.resp_len), ==, all);
        g_assert_cmpuint(le16_to_cpu(cpl.status), ==,
                         room < all ? ALINK_ST_NO_ROOM : ALINK_ST_OK);
    }
    g_assert_cmphex(qtest_readq(aq->qts, aq->resp + 16), ==, ports);
    g_assert_cmpuint(qtest_readw(aq->qts, aq->resp + span), ==,
                     ALINK_TLV_SPARES);
    g_assert_cmphex(qtest_readq(aq->qts, aq->resp + span + 8), ==, spares);
}

/* What each link of xPU 0 sends of a copy of 64 blocks */
static void check_sent(Rig *r, uint64_t to, uint64_t blocks0, uint64_t blocks1)
{
    AlinkQtest *aq = r->x[0]->aq;
    uint64_t was[2] = { counts(aq, 0).tx_bytes, counts(aq, 1).tx_bytes };

    xq_pattern(r->x[0], r->x[0]->hbm, 64 * 256, to);
    xq_run(r->q, xq_copy(to, XQ_HBM, 64 * 256));
    xq_check(r->x[1], r->x[1]->hbm + SEG_AT, 64 * 256, to);
    g_assert_cmpuint(counts(aq, 0).tx_bytes - was[0], ==, blocks0 * 256);
    g_assert_cmpuint(counts(aq, 1).tx_bytes - was[1], ==, blocks1 * 256);
}

static void test_spares(void)
{
    Rig *r = rig_new();
    AlinkQtest *aq = r->x[0]->aq;
    uint64_t ns;

    rig_group(r);
    check_sent(r, XQ_REMOTE, 32, 32);
    check_sent(r, XQ_GROUP, 32, 32);
    g_assert_cmpuint(route_spares(aq, 1, 1, 3), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(route_spares(aq, 1, 1, 1ULL << 8), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(route_spares(aq, 2, 1, 2), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(route_spares(r->sw[0], 1, 1, 2), ==, ALINK_ST_TLV);
    check_sent(r, XQ_REMOTE, 32, 32);

    OK(route_spares(aq, 1, 1, 2));
    check_listed(aq, 1, 2);
    check_sent(r, XQ_REMOTE, 64, 0);
    ns = le64_to_cpu(xq_status(r->q).model_last_ns);
    check_sent(r, XQ_GROUP, 64, 0);
    /* The other end of the plane, and the own one */
    link_ctrl(r->x[1]->aq, 0, 0);
    check_sent(r, XQ_REMOTE, 0, 64);
    g_assert_cmpuint(le64_to_cpu(xq_status(r->q).model_last_ns), ==, ns);
    check_sent(r, XQ_GROUP, 0, 64);
    link_ctrl(r->x[1]->aq, 0, ALINK_LINK_CTRL_ENABLE);
    check_sent(r, XQ_REMOTE, 64, 0);
    link_ctrl(aq, 0, 0);
    check_sent(r, XQ_REMOTE, 0, 64);
    link_ctrl(aq, 0, ALINK_LINK_CTRL_ENABLE);
    check_sent(r, XQ_GROUP, 64, 0);
    OK(route(aq, 1, 1, 3));
    check_sent(r, XQ_REMOTE, 32, 32);
    rig_free(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-fabric/copy", test_copy);
    qtest_add_func("/alink/xpu-fabric/signal", test_signal);
    qtest_add_func("/alink/xpu-fabric/atomics", test_atomics);
    qtest_add_func("/alink/xpu-fabric/multicast", test_multicast);
    qtest_add_func("/alink/xpu-fabric/reduce-read", test_reduce_read);
    qtest_add_func("/alink/xpu-fabric/keep", test_keep);
    qtest_add_func("/alink/xpu-fabric/timing", test_timing);
    qtest_add_func("/alink/xpu-fabric/counters", test_counters);
    qtest_add_func("/alink/xpu-fabric/spares", test_spares);
    return g_test_run();
}
