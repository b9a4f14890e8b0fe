/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the qtests of COMPUTE share: an xPU with queue 1, operands in system
 * memory and HBM, and blocks that are put where descriptors find them.
 */
#ifndef ALINK_XPU_COMPUTE_QTEST_H
#define ALINK_XPU_COMPUTE_QTEST_H

#include "xpu-qtest.h"

#define BLOCK       XQ_SYS                  /* the compute block */
#define A           (XQ_SYS + 0x10000)
#define B           (XQ_HBM + 0x10000)
#define DST         (XQ_HBM + 0x200000)
#define MX_SCALES   (XQ_HBM + 0x400000)
#define RAM_END     (64ULL << 20)           /* of the machine */

typedef struct Rig {
    AlinkQtest *aq;
    XpuQtest *x;
    XpuQueueQtest *q;
} Rig;

static inline Rig rig_with(AlinkQtest *aq)
{
    Rig r = { .aq = aq };

    r.x = xq_new(r.aq);
    r.q = xq_queue(r.x, 1, 8);
    return r;
}

static inline void rig_free(Rig *r)
{
    xq_free(r->x);
    aq_stop(r->aq);
}

static inline Rig rig_new(void)
{
    return rig_with(aq_start(AQ_FABRIC XQ_DEVICE));
}

/* --- memory by device virtual address ------------------------------------ */

static inline uint64_t phys(Rig *r, uint64_t va)
{
    return va >= XQ_HBM ? r->x->hbm + va - XQ_HBM : r->x->sys + va - XQ_SYS;
}

static inline void put(Rig *r, uint64_t va, const void *data, size_t len)
{
    qtest_bufwrite(r->aq->qts, phys(r, va), data, len);
}

static inline void get(Rig *r, uint64_t va, void *data, size_t len)
{
    qtest_bufread(r->aq->qts, phys(r, va), data, len);
}

static inline void expect(Rig *r, uint64_t va, const void *want, size_t len)
{
    g_autofree void *have = g_malloc(len);

    get(r, va, have, len);
    g_assert_cmpmem(have, len, want, len);
}

/* In the host's order, which is little endian as the device is. */
#define PUT(r, va, ...) do {                                    \
    const float v_[] = { __VA_ARGS__ };                         \
    put(r, va, v_, sizeof(v_));                                 \
} while (0)
#define EXPECT(r, va, ...) do {                                 \
    const float v_[] = { __VA_ARGS__ };                         \
    expect(r, va, v_, sizeof(v_));                              \
} while (0)

/* --- descriptors --------------------------------------------------------- */

static inline struct alink_xpu_matrix mat(uint64_t addr, uint64_t stride,
                                          uint8_t dtype)
{
    return (struct alink_xpu_matrix) {
        .addr = cpu_to_le64(addr),
        .stride = cpu_to_le64(stride),
        .dtype = dtype,
    };
}

static inline struct alink_xpu_compute shape(uint32_t m, uint32_t n, uint32_t k)
{
    return (struct alink_xpu_compute) {
        .m = cpu_to_le32(m),
        .n = cpu_to_le32(n),
        .k = cpu_to_le32(k),
    };
}

/* m x n of FP32 without gaps at A, at B if @b, and at DST */
static inline struct alink_xpu_compute plain(uint32_t m, uint32_t n, bool b)
{
    struct alink_xpu_compute c = shape(m, n, 0);

    c.a = mat(A, 4 * n, ALINK_DT_FP32);
    if (b) {
        c.b = mat(B, 4 * n, ALINK_DT_FP32);
    }
    c.dst = mat(DST, 4 * n, ALINK_DT_FP32);
    return c;
}

static inline struct alink_xpu_desc describe(uint8_t func)
{
    struct alink_xpu_desc d = xq_desc(ALINK_XPU_OP_COMPUTE, 0, BLOCK,
                                      sizeof(struct alink_xpu_compute));

    d.subop = func;
    return d;
}

static inline void run(Rig *r, uint8_t func, struct alink_xpu_compute c)
{
    put(r, BLOCK, &c, sizeof(c));
    xq_run(r->q, describe(func));
}

static inline void fails(Rig *r, uint8_t func, struct alink_xpu_compute c,
                         uint16_t status, uint64_t addr)
{
    put(r, BLOCK, &c, sizeof(c));
    xq_run_bad(r->q, describe(func), status, addr);
    r->q = xq_queue(r->x, 1, 8);
}

#endif /* ALINK_XPU_COMPUTE_QTEST_H */
