/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the qtests of the xPU share; see xpu-qtest.h.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/pci/pci_regs.h"
#include "xpu-qtest.h"

#define RING_ROOM   0x10000         /* per queue: ring, status, fence */
#define STATUS_AT   0xf000
#define FENCE_AT    0xf040

/* --- page tables --------------------------------------------------------- */

uint64_t xq_entry(XpuQtest *x, uint64_t va, unsigned level)
{
    uint64_t table = x->root, at, e;
    unsigned l;

    for (l = 3; ; l--) {
        at = table + (va >> (12 + 9 * l) & 511) * 8;
        if (l == level) {
            return at;
        }
        e = qtest_readq(x->aq->qts, at);
        if (!e) {
            e = aq_alloc(x->aq, 4096) | ALINK_PTE_VALID;
            qtest_writeq(x->aq->qts, at, e);
        }
        table = e & ALINK_PTE_ADDR_MASK;
    }
}

void xq_map(XpuQtest *x, uint64_t va, uint64_t bits, uint64_t addr,
            uint64_t len)
{
    uint64_t at;

    for (at = 0; at < len; at += 4096) {
        qtest_writeq(x->aq->qts, xq_entry(x, va + at, 0),
                     (addr + at) | bits | ALINK_PTE_VALID);
    }
}

void xq_map_large(XpuQtest *x, uint64_t va, uint64_t bits, uint64_t addr,
                  uint64_t len)
{
    uint64_t at;

    for (at = 0; at < len; at += 2 << 20) {
        qtest_writeq(x->aq->qts, xq_entry(x, va + at, 1),
                     (addr + at) | bits | ALINK_PTE_VALID | ALINK_PTE_LEAF);
    }
}

uint16_t xq_invalidate(XpuQtest *x)
{
    return aq_admin_id(x->aq, ALINK_XPU_ADMIN_TLB_INVALIDATE, 1);
}

/* --- life cycle ---------------------------------------------------------- */

void xq_setup(XpuQtest *x)
{
    struct alink_xpu_ctx ctx = { .id = cpu_to_le32(1) };

    aq_admin_enable(x->aq, 16);
    aq_event_enable(x->aq, 64);
    aq_msix_enable(x->aq);
    aq_irqs(x->aq);
    ctx.root = cpu_to_le64(x->root);
    g_assert_cmpuint(aq_admin_tlv(x->aq, ALINK_XPU_ADMIN_CTX_CREATE,
                                  ALINK_TLV_XPU_CTX, &ctx, sizeof(ctx)), ==,
                     ALINK_ST_OK);
}

XpuQtest *xq_new(AlinkQtest *aq)
{
    XpuQtest *x = g_new0(XpuQtest, 1);
    QPCIBar bar;
    uint64_t size;

    x->aq = aq;
    bar = qpci_iomap(aq->dev, ALINK_XPU_BAR_HBM, &size);
    g_assert_cmphex(size, ==, XQ_HBM_SIZE);
    aq->bar_addr[ALINK_XPU_BAR_HBM] =
        qpci_config_readl(aq->dev, PCI_BASE_ADDRESS_0 + 8);
    x->hbm = bar.addr;
    x->root = aq_alloc(aq, 4096);
    x->rings = aq_alloc(aq, 16 * RING_ROOM);
    x->sys = aq_alloc(aq, XQ_SYS_SIZE);
    xq_map(x, XQ_RING, XQ_RW | XQ_AP(ALINK_AP_SYSTEM), x->rings,
           16 * RING_ROOM);
    xq_map(x, XQ_SYS, XQ_RW | XQ_AP(ALINK_AP_SYSTEM), x->sys, XQ_SYS_SIZE);
    xq_map_large(x, XQ_HBM, XQ_RW | XQ_AP(ALINK_AP_HBM), 0, XQ_HBM_SIZE);
    xq_map_large(x, XQ_REMOTE, XQ_RW | XQ_AP(ALINK_AP_REMOTE), 0,
                 XQ_REMOTE_SIZE);
    xq_map_large(x, XQ_GROUP, XQ_RW | XQ_AP(ALINK_AP_GROUP), 0,
                 XQ_REMOTE_SIZE);
    xq_setup(x);
    return x;
}

void xq_free(XpuQtest *x)
{
    g_free(x);
}

/* --- queues -------------------------------------------------------------- */

static XpuQueueQtest *queue_at(XpuQtest *x, uint32_t id, uint32_t size,
                               uint16_t priority, unsigned place)
{
    XpuQueueQtest *q = &x->q[id];
    uint64_t at = place * RING_ROOM;
    struct alink_xpu_queue req = {
        .id = cpu_to_le32(id),
        .ctx = cpu_to_le32(1),
        .ring = cpu_to_le64(XQ_RING + at),
        .status = cpu_to_le64(XQ_RING + at + STATUS_AT),
        .size = cpu_to_le32(size),
        .vector = cpu_to_le16(1 + id % 4),
        .priority = cpu_to_le16(priority),
    };

    *q = (XpuQueueQtest) {
        .x = x, .id = id, .size = size, .ring = x->rings + at,
        .status = x->rings + at + STATUS_AT, .fence_va = XQ_RING + at +
        FENCE_AT,
    };
    qtest_memset(x->aq->qts, q->ring, 0, RING_ROOM);
    g_assert_cmpuint(aq_admin_tlv(x->aq, ALINK_XPU_ADMIN_QUEUE_CREATE,
                                  ALINK_TLV_XPU_QUEUE, &req, sizeof(req)), ==,
                     ALINK_ST_OK);
    return q;
}

XpuQueueQtest *xq_queue(XpuQtest *x, uint32_t id, uint32_t size)
{
    /* Two queues that share a DMA ring (m890: 16) do not share memory. */
    return queue_at(x, id, size, ALINK_XPU_PRIORITY_NORMAL,
                    (id + id / 16 * 8) % 16);
}

XpuQueueQtest *xq_queue_prio(XpuQtest *x, uint32_t id, uint32_t size,
                             uint16_t priority)
{
    return queue_at(x, id, size, priority, (id / 16 * 4 + id % 4) % 16);
}

uint16_t xq_queue_destroy(XpuQueueQtest *q)
{
    return aq_admin_id(q->x->aq, ALINK_XPU_ADMIN_QUEUE_DESTROY, q->id);
}

void xq_put(XpuQueueQtest *q, struct alink_xpu_desc desc)
{
    q->fence++;
    if (!(desc.flags & ALINK_XPU_DF_FENCE)) {
        desc.flags |= ALINK_XPU_DF_FENCE;
        desc.fence_addr = cpu_to_le64(q->fence_va);
        desc.fence_value = cpu_to_le64(q->fence);
    }
    qtest_memwrite(q->x->aq->qts,
                   q->ring + q->tail++ % q->size * sizeof(desc), &desc,
                   sizeof(desc));
}

void xq_ring(XpuQueueQtest *q)
{
    aq_wr32(q->x->aq, ALINK_XPU_DB(q->id), q->tail);
}

bool xq_fenced(XpuQueueQtest *q)
{
    aq_settle(q->x->aq);
    return qtest_readq(q->x->aq->qts, q->status + FENCE_AT - STATUS_AT) ==
           q->fence;
}

void xq_wait(XpuQueueQtest *q)
{
    unsigned tries = 10000;

    while (!xq_fenced(q)) {
        struct alink_xpu_queue_status s = xq_status(q);

        g_assert_cmpuint(le32_to_cpu(s.error), ==, 0);
        g_assert(tries--);
        g_usleep(1000);
    }
}

struct alink_xpu_queue_status xq_status(XpuQueueQtest *q)
{
    struct alink_xpu_queue_status s;

    aq_settle(q->x->aq);
    qtest_memread(q->x->aq->qts, q->status, &s, sizeof(s));
    return s;
}

void xq_run(XpuQueueQtest *q, struct alink_xpu_desc desc)
{
    xq_put(q, desc);
    xq_ring(q);
    xq_wait(q);
}

void xq_run_bad(XpuQueueQtest *q, struct alink_xpu_desc desc, uint16_t status,
                uint64_t addr)
{
    AlinkQtest *aq = q->x->aq;
    struct alink_xpu_queue_status s;
    struct alink_event ev;
    unsigned tries = 10000;

    aq_irqs(aq);
    while (aq_event_poll(aq, &ev)) {
    }
    xq_put(q, desc);
    xq_ring(q);
    for (;;) {
        s = xq_status(q);
        if (s.error) {
            break;
        }
        g_assert(tries--);
        g_usleep(1000);
    }
    g_assert_cmpuint(le32_to_cpu(s.error), ==, status);
    g_assert_cmpuint(le32_to_cpu(s.error_index), ==, q->tail - 1);
    g_assert_cmpuint(le32_to_cpu(s.head), ==, q->tail - 1);
    g_assert_cmphex(le64_to_cpu(s.error_addr), ==, addr);
    g_assert(!xq_fenced(q));
    g_assert_cmphex(aq_irqs(aq) & ~1U, ==, 1U << (1 + q->id % 4));
    do {
        g_assert(aq_event_poll(aq, &ev));
    } while (le16_to_cpu(ev.type) != ALINK_EVENT_QUEUE_ERROR);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, q->id);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, status);
    g_assert_cmpuint(le32_to_cpu(ev.info), ==, q->tail - 1);
    g_assert_cmphex(le64_to_cpu(ev.addr), ==, addr);

    /* It has stopped: a doorbell changes nothing. */
    q->fence--;
    xq_put(q, (struct alink_xpu_desc) { .opcode = ALINK_XPU_OP_NOP });
    xq_ring(q);
    s = xq_status(q);
    g_assert_cmpuint(le32_to_cpu(s.head), ==, q->tail - 2);
    g_assert(!xq_fenced(q));
    g_assert_cmpuint(xq_queue_destroy(q), ==, ALINK_ST_OK);
}

/* --- atomics ------------------------------------------------------------- */

#define BIG 0xf123456789abcdefULL

const XqAtomicCase xq_atomics[] = {
    { ALINK_ATOMIC_ADD, BIG, 0x8000000076543211ULL, 0,
      0x00000000, 0x7123456800000000ULL },
    { ALINK_ATOMIC_CAS, BIG, 0x1111222233334444ULL, BIG,
      0x33334444, 0x1111222233334444ULL },
    { ALINK_ATOMIC_CAS, BIG, 0x1111222233334444ULL, BIG ^ 1,
      0x89abcdef, BIG },
    /* 32 bits compare 32 bits, whatever is above them. */
    { ALINK_ATOMIC_CAS, BIG, 0x1111222233334444ULL, BIG ^ 1ULL << 40,
      0x33334444, BIG },
    { ALINK_ATOMIC_SWAP, BIG, 0x1111222233334444ULL, 0,
      0x33334444, 0x1111222233334444ULL },
    { ALINK_ATOMIC_AND, BIG, 0xff00ff00f0f0f0f0ULL, 0,
      0x80a0c0e0, 0xf100450080a0c0e0ULL },
    { ALINK_ATOMIC_OR, BIG, 0x0f0000000000000fULL, 0,
      0x89abcdef, 0xff23456789abcdefULL },
    { ALINK_ATOMIC_XOR, BIG, 0xffffffff0000ffffULL, 0,
      0x89ab3210, 0x0edcba9889ab3210ULL },
    { ALINK_ATOMIC_MIN, BIG, 0x7000000070000000ULL, 0,
      0x70000000, 0x7000000070000000ULL },
    { ALINK_ATOMIC_MIN, BIG, 0xffffffffffffffffULL, 0, 0x89abcdef, BIG },
    { ALINK_ATOMIC_MAX, BIG, 0x7000000070000000ULL, 0, 0x89abcdef, BIG },
    { ALINK_ATOMIC_MAX, BIG, 0xffffffffffffffffULL, 0,
      0xffffffff, 0xffffffffffffffffULL },
};
const unsigned xq_num_atomics = ARRAY_SIZE(xq_atomics);

/* --- data ---------------------------------------------------------------- */

static void make_pattern(uint8_t *buf, uint64_t len, unsigned seed)
{
    uint64_t i;

    for (i = 0; i < len; i++) {
        buf[i] = seed + 7 * i + i / 251;
    }
}

void xq_pattern(XpuQtest *x, uint64_t phys, uint64_t len, unsigned seed)
{
    g_autofree uint8_t *buf = g_malloc(len);

    make_pattern(buf, len, seed);
    if (len) {
        qtest_bufwrite(x->aq->qts, phys, buf, len);
    }
}

static void check(XpuQtest *x, uint64_t phys, uint64_t len,
                  const uint8_t *want)
{
    g_autofree uint8_t *have = g_malloc(len);
    uint64_t i;

    if (len) {
        qtest_bufread(x->aq->qts, phys, have, len);
    }
    for (i = 0; i < len; i++) {
        if (have[i] != want[i]) {
            g_test_message("byte 0x%" PRIx64 " of 0x%" PRIx64 " is 0x%02x, "
                           "not 0x%02x", i, phys, have[i], want[i]);
            g_assert_not_reached();
        }
    }
}

void xq_check(XpuQtest *x, uint64_t phys, uint64_t len, unsigned seed)
{
    g_autofree uint8_t *want = g_malloc(len);

    make_pattern(want, len, seed);
    check(x, phys, len, want);
}

void xq_check_byte(XpuQtest *x, uint64_t phys, uint64_t len, uint8_t value)
{
    g_autofree uint8_t *want = g_malloc(len);

    memset(want, value, len);
    check(x, phys, len, want);
}
