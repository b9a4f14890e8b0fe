/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: COMPUTE: each function once with answers known beforehand, every
 * field that is refused, operands wherever they may lie, and where they cannot
 * be had. The arithmetic itself is tested in tests/unit, and what happens to a
 * long GEMM in alink-xpu-work-test.c.
 */
#include "qemu/osdep.h"
#include <math.h>
#include "xpu-compute-qtest.h"

/* --- each function ------------------------------------------------------- */

static void test_registers(void)
{
    Rig r = rig_new();

    g_assert_cmphex(aq_rd32(r.aq, ALINK_XPU_REG_COMPUTE_FUNCS), ==, 0x7ff);
    g_assert_cmphex(aq_rd32(r.aq, ALINK_XPU_REG_COMPUTE_DTYPES), ==, 0x3bf);
    g_assert_cmpuint(aq_rd64(r.aq, ALINK_XPU_REG_MACS), ==, 0);
    rig_free(&r);
}

static void test_gemm(void)
{
    Rig r = rig_new();
    struct alink_xpu_compute c = shape(2, 3, 4);
    struct alink_xpu_queue_status before, s;
    AlinkQtest *aq = r.aq;

    c.a = mat(A, 16, ALINK_DT_FP32);
    c.b = mat(B, 12, ALINK_DT_FP32);
    c.dst = mat(DST, 12, ALINK_DT_FP32);
    PUT(&r, A, 1, 2, 3, 4, -1, 0, 0.5, 1);
    PUT(&r, B, 1, 0, 2, 0, 1, 2, 4, -1, 2, 8, 0, 0.25);
    run(&r, ALINK_XPU_FN_GEMM, c);
    EXPECT(&r, DST, 45, -1, 13, 9, -0.5, -0.75);
    g_assert_cmpuint(aq_rd64(aq, ALINK_XPU_REG_MACS), ==, 24);
    c.flags = cpu_to_le32(ALINK_XPU_CF_ACCUMULATE);
    before = xq_status(r.q);
    run(&r, ALINK_XPU_FN_GEMM, c);
    EXPECT(&r, DST, 90, -2, 26, 18, -1, -1.5);
    s = xq_status(r.q);
    g_assert_cmpuint(le64_to_cpu(s.bytes) - le64_to_cpu(before.bytes), ==,
                     4 * (8 + 12 + 6 + 6));
    /* The same b, stored the other way */
    PUT(&r, B, 1, 0, 4, 8, 0, 1, -1, 0, 2, 2, 2, 0.25);
    c.b = mat(B, 16, ALINK_DT_FP32);
    c.flags = cpu_to_le32(ALINK_XPU_CF_TRANS_B);
    run(&r, ALINK_XPU_FN_GEMM, c);
    EXPECT(&r, DST, 45, -1, 13, 9, -0.5, -0.75);
    /* And the same a */
    PUT(&r, A, 1, -1, 2, 0, 3, 0.5, 4, 1);
    PUT(&r, DST, 0, 0, 0, 0, 0, 0);
    c.a = mat(A, 8, ALINK_DT_FP32);
    c.flags = cpu_to_le32(ALINK_XPU_CF_TRANS_A | ALINK_XPU_CF_TRANS_B);
    run(&r, ALINK_XPU_FN_GEMM, c);
    EXPECT(&r, DST, 45, -1, 13, 9, -0.5, -0.75);
    PUT(&r, B, 1, 0, 2, 0, 1, 2, 4, -1, 2, 8, 0, 0.25);
    c.b = mat(B, 12, ALINK_DT_FP32);
    c.flags = cpu_to_le32(ALINK_XPU_CF_TRANS_A | ALINK_XPU_CF_ACCUMULATE);
    run(&r, ALINK_XPU_FN_GEMM, c);
    EXPECT(&r, DST, 90, -2, 26, 18, -1, -1.5);
    rig_free(&r);
}

static void test_gemm_formats(void)
{
    static const int8_t a8[] = { 127, 127, -128, 1 };
    static const int8_t b8[] = { 127, 2, 127, -128 };
    static const int32_t want8[] = { 32258, -16002, -16129, -384 };
    /* 32 elements: 1, then 0.5 */
    static const uint8_t mx[16] = {
        0x12, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
        0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
    };
    static const uint16_t bf16[] = { 0x4000, 0x3f80, 0xbf80, 0x3f00 };
    static const uint8_t scales[] = { 127, 130 };
    Rig r = rig_new();
    struct alink_xpu_compute c = shape(2, 2, 2);

    c.a = mat(A, 2, ALINK_DT_INT8);
    c.b = mat(B, 2, ALINK_DT_INT8);
    c.dst = mat(DST, 8, ALINK_DT_INT32);
    put(&r, A, a8, sizeof(a8));
    put(&r, B, b8, sizeof(b8));
    run(&r, ALINK_XPU_FN_GEMM, c);
    expect(&r, DST, want8, sizeof(want8));

    c.a = mat(A, 4, ALINK_DT_BF16);
    c.b = mat(B, 8, ALINK_DT_FP32);
    c.dst = mat(DST, 8, ALINK_DT_FP32);
    put(&r, A, bf16, sizeof(bf16));
    PUT(&r, B, 3, 5, 7, 11);
    run(&r, ALINK_XPU_FN_GEMM, c);
    EXPECT(&r, DST, 13, 21, 0.5, 0.5);

    /* Squares of 1 and 31 halves, with scales 1 and 8 */
    c = shape(1, 1, 64);
    c.flags = cpu_to_le32(ALINK_XPU_CF_TRANS_B);
    c.a = mat(A, 32, ALINK_DT_MXFP4);
    c.a.scale = cpu_to_le64(MX_SCALES);
    c.a.scale_stride = cpu_to_le32(2);
    c.b = c.a;
    put(&r, A, mx, sizeof(mx));
    put(&r, A + 16, mx, sizeof(mx));
    put(&r, MX_SCALES, scales, sizeof(scales));
    c.dst = mat(DST, 4, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_GEMM, c);
    EXPECT(&r, DST, 8.75 * (1 + 64));
    /* The second half alone */
    c.dst = mat(DST, 2, ALINK_DT_BF16);
    c.k = cpu_to_le32(32);
    c.a.scale = cpu_to_le64(MX_SCALES + 1);
    c.b.scale = cpu_to_le64(MX_SCALES + 1);
    run(&r, ALINK_XPU_FN_GEMM, c);
    /* 8.75 * 64 = 560 */
    g_assert_cmphex(qtest_readw(r.aq->qts, phys(&r, DST)), ==, 0x440c);
    rig_free(&r);
}

static void test_elements(void)
{
    static const uint16_t bf16[] = { 0x3f80, 0xc000, 0x4040, 0x7f80 };
    Rig r = rig_new();
    struct alink_xpu_compute c = plain(2, 2, true);

    PUT(&r, A, 1, -2, 3, INFINITY);
    PUT(&r, B, 0.5, 0.25, 2, 1);
    run(&r, ALINK_XPU_FN_ADD, c);
    EXPECT(&r, DST, 1.5, -1.75, 5, INFINITY);
    run(&r, ALINK_XPU_FN_MUL, c);
    EXPECT(&r, DST, 0.5, -0.5, 6, INFINITY);
    /* A bias: one row for all */
    c.b.stride = 0;
    run(&r, ALINK_XPU_FN_ADD, c);
    EXPECT(&r, DST, 1.5, -1.75, 3.5, INFINITY);
    /* In place */
    c.dst = c.a;
    run(&r, ALINK_XPU_FN_ADD, c);
    EXPECT(&r, A, 1.5, -1.75, 3.5, INFINITY);

    PUT(&r, A, 1, -2, 3, INFINITY);
    c = plain(2, 2, false);
    c.dst = mat(DST, 4, ALINK_DT_BF16);
    run(&r, ALINK_XPU_FN_CAST, c);
    expect(&r, DST, bf16, sizeof(bf16));
    c.flags = cpu_to_le32(ALINK_XPU_CF_SATURATE);
    run(&r, ALINK_XPU_FN_CAST, c);
    g_assert_cmphex(qtest_readw(r.aq->qts, phys(&r, DST + 6)), ==, 0x7f7f);
    rig_free(&r);
}

static void test_rows(void)
{
    static const uint32_t names[] = { 2, 0, 2 };
    static const uint32_t best[] = { 1, 3, 0, 2 };
    Rig r = rig_new();
    struct alink_xpu_compute c;

    /* Mean square 4, but for param 0 */
    c = plain(1, 4, true);
    PUT(&r, A, 2, -2, 2, -2);
    PUT(&r, B, 1, 1, 3, 0.5);
    run(&r, ALINK_XPU_FN_RMSNORM, c);
    EXPECT(&r, DST, 1, -1, 3, -0.5);

    c = plain(2, 4, false);
    c.param = cpu_to_le32(0x3f000000);
    PUT(&r, A, 7, 7, 7, 7, -INFINITY, 5, -INFINITY, 5);
    run(&r, ALINK_XPU_FN_SOFTMAX, c);
    EXPECT(&r, DST, 0.25, 0.25, 0.25, 0.25, 0, 0.5, 0, 0.5);

    c = plain(1, 3, false);
    PUT(&r, A, 0, 100, -INFINITY);
    run(&r, ALINK_XPU_FN_SILU, c);
    EXPECT(&r, DST, 0, 100, -0.0f);
    run(&r, ALINK_XPU_FN_GELU, c);
    EXPECT(&r, DST, 0, 100, -0.0f);

    /* By a quarter of a turn, and by none: two heads of 4 */
    c = plain(1, 8, false);
    c.k = cpu_to_le32(4);
    c.b = mat(B, 16, ALINK_DT_FP32);
    PUT(&r, A, 1, 2, 3, 4, 5, 6, 7, 8);
    PUT(&r, B, 0, 1, 1, 0);
    run(&r, ALINK_XPU_FN_ROPE, c);
    EXPECT(&r, DST, -3, 2, 1, 4, -7, 6, 5, 8);

    c = plain(3, 2, false);
    c.k = cpu_to_le32(3);
    c.b = mat(B, 4, ALINK_DT_INT32);
    PUT(&r, A, 1, 2, 3, 4, 5, 6);
    put(&r, B, names, sizeof(names));
    run(&r, ALINK_XPU_FN_EMBED, c);
    EXPECT(&r, DST, 5, 6, 1, 2, 5, 6);

    c = plain(2, 4, false);
    c.k = cpu_to_le32(2);
    c.dst = mat(DST, 8, ALINK_DT_INT32);
    PUT(&r, A, 1, 9, -3, 8, 4, 1, 4, -INFINITY);
    run(&r, ALINK_XPU_FN_TOPK, c);
    expect(&r, DST, best, sizeof(best));
    rig_free(&r);
}

/* Against three loops; by a worker, in pieces; time, bytes and counters too */
static void test_large(void)
{
    enum { M = 300, N = 270, K = 520 };
    g_autofree float *a = g_new(float, M * K), *b = g_new(float, K * N);
    g_autofree float *want = g_new0(float, M * N);
    struct alink_xpu_compute c = shape(M, N, K);
    Rig r = rig_new();
    uint64_t bytes = 4ULL * (M * K + K * N + M * N);
    struct alink_xpu_queue_status s;
    unsigned i, j, k;

    for (i = 0; i < M * K; i++) {
        a[i] = (int)(i * 7919 % 2001 - 1000) / 1024.0f;
    }
    for (i = 0; i < K * N; i++) {
        b[i] = (int)(i * 104729 % 4001 - 2000) / 512.0f;
    }
    for (i = 0; i < M; i++) {
        for (k = 0; k < K; k++) {
            for (j = 0; j < N; j++) {
                volatile float product = a[i * K + k] * b[k * N + j];

                want[i * N + j] += product;
            }
        }
    }
    put(&r, XQ_HBM + 0x800000, a, M * K * 4);
    put(&r, A, b, K * N * 4);
    c.a = mat(XQ_HBM + 0x800000, K * 4, ALINK_DT_FP32);
    c.b = mat(A, N * 4, ALINK_DT_FP32);
    c.dst = mat(DST, N * 4, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_GEMM, c);
    expect(&r, DST, want, M * N * 4);
    s = xq_status(r.q);
    g_assert_cmpuint(le64_to_cpu(s.bytes), ==, bytes);
    /* 64 GB/s; 1024 a ns in FP32; the longer one */
    g_assert_cmpuint(le64_to_cpu(s.model_last_ns), ==,
                     100 + MAX(DIV_ROUND_UP(bytes, 64),
                               DIV_ROUND_UP((uint64_t)M * N * K, 1024)));
    g_assert_cmpuint(aq_rd64(r.aq, ALINK_XPU_REG_MACS), ==,
                     (uint64_t)M * N * K);
    g_assert_cmpuint(aq_rd64(r.aq, ALINK_XPU_REG_BUSY_NS), >, 0);
    rig_free(&r);
}

/* --- where operands lie -------------------------------------------------- */

/*
 * A row from the end of a page of system memory into one of HBM; rows whose
 * gaps are mapped nowhere; a result likewise.
 */
static void test_boundaries(void)
{
    uint64_t hbm = XQ_RW | XQ_AP(ALINK_AP_HBM);
    uint64_t sys = XQ_RW | XQ_AP(ALINK_AP_SYSTEM);
    struct alink_xpu_compute c = plain(1, 4, false);
    Rig r = rig_new();

    xq_map(r.x, XQ_HOLE, sys, r.x->sys + 0x20000, 4096);
    xq_map(r.x, XQ_HOLE + 4096, hbm, 0x30000, 4096);
    PUT(&r, XQ_SYS + 0x20000 + 4096 - 8, 1, 2);
    PUT(&r, XQ_HBM + 0x30000, 3, 4);
    c.a = mat(XQ_HOLE + 4096 - 8, 16, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_CAST, c);
    EXPECT(&r, DST, 1, 2, 3, 4);
    c = plain(1, 4, false);
    PUT(&r, A, 5, 6, 7, 8);
    c.dst = mat(XQ_HOLE + 4096 - 8, 16, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_CAST, c);
    EXPECT(&r, XQ_SYS + 0x20000 + 4096 - 8, 5, 6);
    EXPECT(&r, XQ_HBM + 0x30000, 7, 8);

    /* Every other page */
    xq_map(r.x, XQ_HOLE + 0x100000, sys, r.x->sys + 0x20000, 4096);
    xq_map(r.x, XQ_HOLE + 0x102000, hbm, 0x30000, 4096);
    PUT(&r, XQ_SYS + 0x20000, 1, 2);
    PUT(&r, XQ_HBM + 0x30000, 3, 4);
    c = plain(2, 2, false);
    c.a = mat(XQ_HOLE + 0x100000, 8192, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_CAST, c);
    EXPECT(&r, DST, 1, 2, 3, 4);
    rig_free(&r);
}

/* Of what lies between rows nothing is written, nor has to be good. */
static void test_gaps(void)
{
    struct alink_xpu_compute c = plain(3, 2, false);
    uint64_t to = XQ_SYS + 0x30000;
    Rig r = rig_new();
    unsigned i;

    /* In system memory, over pages */
    qtest_memset(r.aq->qts, phys(&r, to), 0xee, 8192);
    for (i = 0; i < 3; i++) {
        PUT(&r, A + i * 3000, i + 1, -1.5f - i);
    }
    c.a = mat(A, 3000, ALINK_DT_FP32);
    c.dst = mat(to + 4, 2044, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_CAST, c);
    for (i = 0; i < 3; i++) {
        EXPECT(&r, to + 4 + i * 2044, i + 1, -1.5f - i);
        xq_check_byte(r.x, phys(&r, to) + 12 + i * 2044, 2036, 0xee);
    }
    xq_check_byte(r.x, phys(&r, to), 4, 0xee);

    /* In HBM, of which a part is bad: first in a gap, then in a row */
    c.a = mat(B, 256, ALINK_DT_FP32);
    for (i = 0; i < 3; i++) {
        PUT(&r, B + i * 256, i + 7, i + 70);
    }
    aq_set_int(r.aq, "x-ecc-poison-addr", B - XQ_HBM + 256 + 64);
    c.dst = mat(DST, 1024, ALINK_DT_FP32);
    qtest_memset(r.aq->qts, phys(&r, DST), 0xee, 3072);
    run(&r, ALINK_XPU_FN_CAST, c);
    for (i = 0; i < 3; i++) {
        EXPECT(&r, DST + i * 1024, i + 7, i + 70);
        xq_check_byte(r.x, phys(&r, DST) + 8 + i * 1024, 1016, 0xee);
    }
    aq_set_int(r.aq, "x-ecc-poison-addr", B - XQ_HBM + 512);
    fails(&r, ALINK_XPU_FN_CAST, c, ALINK_ST_POISON, B + 512);
    aq_wr32(r.aq, ALINK_REG_FAULT_ACK, ALINK_FAULT_HBM_ECC);
    rig_free(&r);
}

/* Many rows, one of them in two pages that are apart; one such row for all */
static void test_broken_rows(void)
{
    enum { ROWS = 600, BROKEN = 341 };      /* rows of 12 bytes */
    static const uint32_t names[] = { BROKEN, 0, BROKEN, ROWS - 1 };
    uint64_t sys = XQ_RW | XQ_AP(ALINK_AP_SYSTEM), far = XQ_HOLE + 0x10000;
    struct alink_xpu_compute c = plain(ROWS, 3, false);
    g_autofree float *v = g_new(float, ROWS * 3);
    Rig r = rig_new();
    unsigned i;

    /* The second page comes first in memory; far has them both again. */
    xq_map(r.x, XQ_HOLE, sys, r.x->sys + 0x21000, 4096);
    xq_map(r.x, XQ_HOLE + 4096, sys, r.x->sys + 0x20000, 4096);
    xq_map(r.x, far, sys, r.x->sys + 0x31000, 4096);
    xq_map(r.x, far + 4096, sys, r.x->sys + 0x30000, 4096);
    for (i = 0; i < ROWS * 3; i++) {
        v[i] = i;
    }
    put(&r, XQ_SYS + 0x21000, v, 4096);
    put(&r, XQ_SYS + 0x20000, v + 1024, ROWS * 12 - 4096);
    c.a = mat(XQ_HOLE, 12, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_CAST, c);
    expect(&r, DST, v, ROWS * 12);
    c.dst = mat(far, 12, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_CAST, c);
    expect(&r, XQ_SYS + 0x31000, v, 4096);
    expect(&r, XQ_SYS + 0x30000, v + 1024, ROWS * 12 - 4096);

    c = plain(4, 3, false);
    c.k = cpu_to_le32(ROWS);
    c.a = mat(XQ_HOLE, 12, ALINK_DT_FP32);
    c.b = mat(B, 4, ALINK_DT_INT32);
    put(&r, B, names, sizeof(names));
    run(&r, ALINK_XPU_FN_EMBED, c);
    EXPECT(&r, DST, 1023, 1024, 1025, 0, 1, 2, 1023, 1024, 1025,
           1797, 1798, 1799);

    c = plain(2, 3, true);
    c.a = mat(XQ_HOLE + BROKEN * 12, 0, ALINK_DT_FP32);
    PUT(&r, B, 1, 2, 3, -1023, -1024, -1025);
    run(&r, ALINK_XPU_FN_ADD, c);
    EXPECT(&r, DST, 1024, 1026, 1028, 0, 0, 0);
    rig_free(&r);
}

/* The second row is behind the end of RAM, the gap is not. */
static void test_rows_behind_ram(void)
{
    uint64_t sys = XQ_RW | XQ_AP(ALINK_AP_SYSTEM);
    struct alink_xpu_compute c = plain(2, 4, false), d = c;
    Rig r = rig_new();

    xq_map(r.x, XQ_HOLE, sys, RAM_END - 4096, 4096);
    xq_map(r.x, XQ_HOLE + 4096, sys, RAM_END, 4096);
    qtest_memset(r.aq->qts, RAM_END - 4096, 0xee, 4096);
    c.a = mat(XQ_HOLE + 4080, 4096, ALINK_DT_FP32);
    fails(&r, ALINK_XPU_FN_CAST, c, ALINK_ST_DMA, XQ_HOLE + 8176);
    d.dst = c.a;
    fails(&r, ALINK_XPU_FN_CAST, d, ALINK_ST_DMA, XQ_HOLE + 8176);
    xq_check_byte(r.x, RAM_END - 4096, 4096, 0xee);
    d.m = cpu_to_le32(1);
    PUT(&r, A, 1, 2, 3, 4);
    run(&r, ALINK_XPU_FN_CAST, d);
    xq_check_byte(r.x, RAM_END - 4096, 4080, 0xee);
    g_assert_cmphex(qtest_readl(r.aq->qts, RAM_END - 4), ==, 0x40800000);
    rig_free(&r);
}

/* --- what is refused ----------------------------------------------------- */

static void bad_desc(Rig *r, struct alink_xpu_desc d, uint16_t status,
                     uint64_t addr)
{
    xq_run_bad(r->q, d, status, addr);
    r->q = xq_queue(r->x, 1, 8);
}

static void test_bad_descriptors(void)
{
    struct alink_xpu_compute c = plain(1, 4, false);
    struct alink_xpu_desc d;
    Rig r = rig_new();

    put(&r, BLOCK, &c, sizeof(c));
    d = describe(ALINK_XPU_FN_CAST);
    d.dst = cpu_to_le64(DST);
    bad_desc(&r, d, ALINK_ST_BAD_FIELD, 0);
    d = describe(ALINK_XPU_FN_CAST);
    d.src2 = cpu_to_le64(B);
    bad_desc(&r, d, ALINK_ST_BAD_FIELD, 0);
    d = describe(ALINK_XPU_FN_CAST);
    d.dtype = ALINK_DT_FP32;
    bad_desc(&r, d, ALINK_ST_BAD_FIELD, 0);
    d = describe(ALINK_XPU_FN_CAST);
    d.len = cpu_to_le64(sizeof(c) + 1);
    bad_desc(&r, d, ALINK_ST_BAD_FIELD, 0);
    d.len = 0;
    bad_desc(&r, d, ALINK_ST_BAD_FIELD, 0);
    bad_desc(&r, describe(ALINK_XPU_NUM_FUNCS), ALINK_ST_UNSUPPORTED, 0);
    bad_desc(&r, describe(255), ALINK_ST_UNSUPPORTED, 0);
    d = describe(ALINK_XPU_FN_CAST);
    d.src = cpu_to_le64(BLOCK + 64);
    bad_desc(&r, d, ALINK_ST_ALIGN, BLOCK + 64);
    d.src = cpu_to_le64(XQ_HOLE);
    bad_desc(&r, d, ALINK_ST_PAGE_FAULT, XQ_HOLE);
    d.src = cpu_to_le64(XQ_REMOTE);
    bad_desc(&r, d, ALINK_ST_UNSUPPORTED, XQ_REMOTE);
    rig_free(&r);
}

/* One field of each kind; tests/unit/compute-plan-test.c has all of them. */
static void test_bad_blocks(void)
{
    const uint8_t fn = ALINK_XPU_FN_GEMM;
    struct alink_xpu_compute good = shape(4, 4, 4), c;
    Rig r = rig_new();

    good.a = mat(A, 16, ALINK_DT_FP32);
    good.b = mat(B, 16, ALINK_DT_FP32);
    good.dst = mat(DST, 16, ALINK_DT_FP32);
    c = good;
    c.flags = cpu_to_le32(1 << 4);
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.m = 0;
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.n = cpu_to_le32(ALINK_XPU_MAX_DIM + 1);
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.k = cpu_to_le32(~0U);
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.param = cpu_to_le32(1);
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.reserved[2] = cpu_to_le32(1);
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.a.reserved[1] = 1;
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.b.scale = cpu_to_le64(64);
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.dst.stride = cpu_to_le64(12);
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.a.stride = cpu_to_le64(1ULL << 40);
    fails(&r, fn, c, ALINK_ST_BAD_FIELD, BLOCK);
    c = good;
    c.a.dtype = ALINK_DT_UINT8;
    fails(&r, fn, c, ALINK_ST_UNSUPPORTED, BLOCK);
    c = good;
    c.dst.dtype = ALINK_DT_INT32;
    fails(&r, fn, c, ALINK_ST_UNSUPPORTED, BLOCK);
    c = good;
    c.b.addr = cpu_to_le64(B + 2);
    fails(&r, fn, c, ALINK_ST_ALIGN, B + 2);
    run(&r, fn, good);
    rig_free(&r);
}

/* Operands that cannot be had: a, its scales, b, dst where it is read, dst */
static void test_bad_operands(void)
{
    const uint8_t fn = ALINK_XPU_FN_GEMM;
    struct alink_xpu_compute good = shape(4, 32, 32), c;
    uint64_t wo = XQ_HOLE + 0x200000, ro = XQ_HOLE + 0x201000;
    uint64_t nowhere = XQ_HOLE + 0x202000;
    Rig r = rig_new();

    xq_map(r.x, wo, ALINK_PTE_WRITE | XQ_AP(ALINK_AP_HBM), 0, 4096);
    xq_map(r.x, ro, ALINK_PTE_READ | XQ_AP(ALINK_AP_HBM), 0, 4096);
    xq_map(r.x, nowhere, XQ_RW | XQ_AP(ALINK_AP_SYSTEM), AQ_NOWHERE, 4096);
    good.a = mat(A, 16, ALINK_DT_MXFP4);
    good.a.scale = cpu_to_le64(MX_SCALES);
    good.a.scale_stride = cpu_to_le32(1);
    good.b = mat(B, 128, ALINK_DT_FP32);
    good.dst = mat(DST, 128, ALINK_DT_FP32);
    qtest_memset(r.aq->qts, phys(&r, DST), 0xee, 4096);

    c = good;
    c.a.addr = cpu_to_le64(XQ_HOLE);
    fails(&r, fn, c, ALINK_ST_PAGE_FAULT, XQ_HOLE);
    c.a.addr = cpu_to_le64(~0ULL - 15);
    fails(&r, fn, c, ALINK_ST_PAGE_FAULT, ~0ULL - 15);
    c.a.addr = cpu_to_le64(wo);
    fails(&r, fn, c, ALINK_ST_PERMISSION, wo);
    c.a.addr = cpu_to_le64(XQ_REMOTE);
    fails(&r, fn, c, ALINK_ST_UNSUPPORTED, XQ_REMOTE);
    c.a.addr = cpu_to_le64(nowhere);
    fails(&r, fn, c, ALINK_ST_DMA, nowhere);
    /* The second row */
    c = good;
    c.a.addr = cpu_to_le64(XQ_SYS + XQ_SYS_SIZE - 16);
    fails(&r, fn, c, ALINK_ST_PAGE_FAULT, XQ_SYS + XQ_SYS_SIZE);
    c = good;
    c.a.scale = cpu_to_le64(XQ_HOLE + 3);
    fails(&r, fn, c, ALINK_ST_PAGE_FAULT, XQ_HOLE + 3);
    c = good;
    c.b.addr = cpu_to_le64(XQ_GROUP);
    fails(&r, fn, c, ALINK_ST_UNSUPPORTED, XQ_GROUP);
    c = good;
    c.dst.addr = cpu_to_le64(ro);
    fails(&r, fn, c, ALINK_ST_PERMISSION, ro);
    c.dst.addr = cpu_to_le64(nowhere);
    fails(&r, fn, c, ALINK_ST_DMA, nowhere);
    c.dst.addr = cpu_to_le64(wo);
    run(&r, fn, c);
    c.flags = cpu_to_le32(ALINK_XPU_CF_ACCUMULATE);
    fails(&r, fn, c, ALINK_ST_PERMISSION, wo);
    xq_check_byte(r.x, phys(&r, DST), 4096, 0xee);
    run(&r, fn, good);
    rig_free(&r);
}

static void test_embed_range(void)
{
    static const uint32_t names[][3] = { { 0, 4, 0 }, { 1, 3, ~0U } };
    struct alink_xpu_compute c = shape(3, 2, 4);
    Rig r = rig_new();

    c.a = mat(A, 8, ALINK_DT_FP32);
    c.b = mat(B, 64, ALINK_DT_INT32);
    c.dst = mat(DST, 8, ALINK_DT_FP32);
    qtest_memset(r.aq->qts, phys(&r, DST), 0xee, 64);
    qtest_memset(r.aq->qts, phys(&r, B), 0, 192);
    qtest_writel(r.aq->qts, phys(&r, B + 64), names[0][1]);
    fails(&r, ALINK_XPU_FN_EMBED, c, ALINK_ST_RANGE, B + 64);
    qtest_writel(r.aq->qts, phys(&r, B + 64), names[1][1]);
    qtest_writel(r.aq->qts, phys(&r, B + 128), names[1][2]);
    fails(&r, ALINK_XPU_FN_EMBED, c, ALINK_ST_RANGE, B + 128);
    /* The table ends in a hole: what is named must be there, and no more. */
    c.a.addr = cpu_to_le64(XQ_SYS + XQ_SYS_SIZE - 16);
    qtest_writel(r.aq->qts, phys(&r, B + 128), 0);
    fails(&r, ALINK_XPU_FN_EMBED, c, ALINK_ST_PAGE_FAULT,
          XQ_SYS + XQ_SYS_SIZE + 8);
    xq_check_byte(r.x, phys(&r, DST), 64, 0xee);
    qtest_writel(r.aq->qts, phys(&r, B + 64), 1);
    run(&r, ALINK_XPU_FN_EMBED, c);
    rig_free(&r);
}

static void test_poison(void)
{
    struct alink_xpu_compute c = plain(4, 64, true);
    AlinkQtest *aq;
    Rig r = rig_new();

    aq = r.aq;
    qtest_memset(aq->qts, phys(&r, DST), 0xee, 1024);
    aq_set_int(aq, "x-ecc-poison-addr", B - XQ_HBM + 512);
    fails(&r, ALINK_XPU_FN_ADD, c, ALINK_ST_POISON, B + 512);
    xq_check_byte(r.x, phys(&r, DST), 1024, 0xee);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_CODE), ==,
                     ALINK_FAULT_HBM_ECC);
    g_assert_cmphex(aq_rd64(aq, ALINK_REG_FAULT_ADDR), ==,
                    B - XQ_HBM + 512);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FAULT_INFO), ==, 1);
    aq_wr32(aq, ALINK_REG_FAULT_ACK, ALINK_FAULT_HBM_ECC);
    /* Rows that do not touch it */
    c.m = cpu_to_le32(2);
    run(&r, ALINK_XPU_FN_ADD, c);
    /* A result heals it. */
    c = plain(4, 64, false);
    c.dst = mat(B, 256, ALINK_DT_FP32);
    run(&r, ALINK_XPU_FN_CAST, c);
    run(&r, ALINK_XPU_FN_ADD, plain(4, 64, true));
    /* Bad memory under the block itself */
    aq_set_int(aq, "x-ecc-poison-addr", 0);
    c = plain(4, 64, false);
    put(&r, XQ_HBM, &c, sizeof(c));
    bad_desc(&r, ({
        struct alink_xpu_desc d = describe(ALINK_XPU_FN_CAST);

        d.src = cpu_to_le64(XQ_HBM);
        d;
    }), ALINK_ST_POISON, XQ_HBM);
    aq_wr32(aq, ALINK_REG_FAULT_ACK, ALINK_FAULT_HBM_ECC);
    rig_free(&r);
}

/* Pieces before the one that fails have taken effect, and it has not. */
static void test_fault_in_the_middle(void)
{
    enum { N = 256 * 1024, ROW = 4 * N };   /* a row is a piece */
    struct alink_xpu_compute c = shape(3, N, 0);
    Rig r = rig_new();

    c.a = mat(XQ_SYS + XQ_SYS_SIZE - 2 * ROW, ROW, ALINK_DT_FP32);
    c.dst = mat(DST, ROW, ALINK_DT_FP32);
    qtest_memset(r.aq->qts, phys(&r, XQ_SYS), 0x11, XQ_SYS_SIZE);
    qtest_memset(r.aq->qts, phys(&r, DST), 0xee, 3 * ROW);
    fails(&r, ALINK_XPU_FN_CAST, c, ALINK_ST_PAGE_FAULT,
          XQ_SYS + XQ_SYS_SIZE);
    xq_check_byte(r.x, phys(&r, DST), 2 * ROW, 0x11);
    xq_check_byte(r.x, phys(&r, DST) + 2 * ROW, ROW, 0xee);
    rig_free(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/xpu-compute/registers", test_registers);
    qtest_add_func("/alink/xpu-compute/gemm", test_gemm);
    qtest_add_func("/alink/xpu-compute/gemm-formats", test_gemm_formats);
    qtest_add_func("/alink/xpu-compute/elements", test_elements);
    qtest_add_func("/alink/xpu-compute/rows", test_rows);
    qtest_add_func("/alink/xpu-compute/large", test_large);
    qtest_add_func("/alink/xpu-compute/boundaries", test_boundaries);
    qtest_add_func("/alink/xpu-compute/gaps", test_gaps);
    qtest_add_func("/alink/xpu-compute/broken-rows", test_broken_rows);
    qtest_add_func("/alink/xpu-compute/rows-behind-ram", test_rows_behind_ram);
    qtest_add_func("/alink/xpu-compute/bad-descriptors", test_bad_descriptors);
    qtest_add_func("/alink/xpu-compute/bad-blocks", test_bad_blocks);
    qtest_add_func("/alink/xpu-compute/bad-operands", test_bad_operands);
    qtest_add_func("/alink/xpu-compute/embed-range", test_embed_range);
    qtest_add_func("/alink/xpu-compute/poison", test_poison);
    qtest_add_func("/alink/xpu-compute/fault-in-the-middle",
                   test_fault_in_the_middle);
    return g_test_run();
}
