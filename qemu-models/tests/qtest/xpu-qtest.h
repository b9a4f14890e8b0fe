/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the qtests of the xPU share, beyond alink-qtest.h: HBM through BAR2,
 * page tables, queues and descriptors. Each xPU has one context, id 1, with
 *
 *   XQ_RING      rings and status blocks of queues, in system memory
 *   XQ_SYS       XQ_SYS_SIZE bytes of system memory
 *   XQ_HBM       all of HBM, by large pages
 *   XQ_REMOTE    import slot 0, from offset 0, XQ_REMOTE_SIZE bytes
 *   XQ_GROUP     group slot 0, from offset 0, XQ_REMOTE_SIZE bytes
 *
 * and nothing else, unless a test maps it.
 */
#ifndef XPU_QTEST_H
#define XPU_QTEST_H

#include "qemu/bswap.h"
#include "alink-qtest.h"

#include <hw/alink/fabric.h>
#include <hw/alink/xpu.h>

#define XQ_HBM_SIZE     (16ULL << 20)
#define XQ_SYS_SIZE     (4ULL << 20)
#define XQ_REMOTE_SIZE  (4ULL << 20)
#define XQ_RING         0x10000000ULL
#define XQ_SYS          0x20000000ULL
#define XQ_HBM          0x40000000ULL
#define XQ_REMOTE       0x8000000000ULL
#define XQ_GROUP        0x9000000000ULL
#define XQ_HOLE         0xa000000000ULL
#define XQ_RW           (ALINK_PTE_READ | ALINK_PTE_WRITE | ALINK_PTE_ATOMIC)
#define XQ_AP(ap)       ((uint64_t)(ap) << ALINK_PTE_APERTURE_SHIFT)

#define XQ_DEVICE       "-device alink-xpu,id=dut,fabric=fab0,endpoint=0," \
                        "hbm-size=16M,addr=4.0 "

typedef struct XpuQtest XpuQtest;

typedef struct XpuQueueQtest {
    XpuQtest *x;
    uint32_t id;
    uint32_t size;
    uint32_t tail;
    uint64_t ring;          /* guest physical */
    uint64_t status;        /* guest physical; fence word 64 bytes behind */
    uint64_t fence_va;
    uint64_t fence;         /* value asked for last */
} XpuQueueQtest;

struct XpuQtest {
    AlinkQtest *aq;
    uint64_t root;
    uint64_t rings;         /* guest physical, behind XQ_RING */
    uint64_t sys;           /* guest physical, behind XQ_SYS */
    uint64_t hbm;           /* guest physical, BAR2 */
    XpuQueueQtest q[ALINK_XPU_MAX_QUEUES];
};

/* Wraps a device: admin queue, event ring, MSI-X, context 1 with its tables. */
XpuQtest *xq_new(AlinkQtest *aq);
/* Context and tables anew, after a reset. */
void xq_setup(XpuQtest *x);
void xq_free(XpuQtest *x);

/* Writes page table entries: leaf bits without VALID. No invalidation. */
void xq_map(XpuQtest *x, uint64_t va, uint64_t bits, uint64_t addr,
            uint64_t len);
void xq_map_large(XpuQtest *x, uint64_t va, uint64_t bits, uint64_t addr,
                  uint64_t len);
/* Guest physical address of the entry of a 4 KiB page, or of a table (>0). */
uint64_t xq_entry(XpuQtest *x, uint64_t va, unsigned level);
uint16_t xq_invalidate(XpuQtest *x);

/* Queue @id of context 1, vector 1 + id % 4. */
XpuQueueQtest *xq_queue(XpuQtest *x, uint32_t id, uint32_t size);
/* The same with a priority; all four queues of a ring have their own memory. */
XpuQueueQtest *xq_queue_prio(XpuQtest *x, uint32_t id, uint32_t size,
                             uint16_t priority);
uint16_t xq_queue_destroy(XpuQueueQtest *q);
/*
 * Writes a descriptor with the next fence, unless it has a fence of its own.
 * The doorbell is apart.
 */
void xq_put(XpuQueueQtest *q, struct alink_xpu_desc desc);
void xq_ring(XpuQueueQtest *q);
/* The last fence has come, in up to 10 s of real time. */
void xq_wait(XpuQueueQtest *q);
bool xq_fenced(XpuQueueQtest *q);
struct alink_xpu_queue_status xq_status(XpuQueueQtest *q);
/* One descriptor, start to end; checks that nothing failed. */
void xq_run(XpuQueueQtest *q, struct alink_xpu_desc desc);
/*
 * One descriptor that fails: halts the queue with @status at @addr, tells so in
 * status block, event and interrupt. Destroys the queue.
 */
void xq_run_bad(XpuQueueQtest *q, struct alink_xpu_desc desc, uint16_t status,
                uint64_t addr);

/* Descriptors */
static inline struct alink_xpu_desc xq_desc(uint8_t opcode, uint64_t dst,
                                            uint64_t src, uint64_t len)
{
    return (struct alink_xpu_desc) {
        .opcode = opcode, .dst = cpu_to_le64(dst), .src = cpu_to_le64(src),
        .len = cpu_to_le64(len),
    };
}

static inline struct alink_xpu_desc xq_copy(uint64_t dst, uint64_t src,
                                            uint64_t len)
{
    return xq_desc(ALINK_XPU_OP_COPY, dst, src, len);
}

/* @old_va: where the old value goes, or 0 */
static inline struct alink_xpu_desc xq_atomic(unsigned width, uint8_t op,
                                              uint64_t dst, uint64_t val,
                                              uint64_t cmp, uint64_t old_va)
{
    struct alink_xpu_desc desc = xq_desc(width == 4 ? ALINK_XPU_OP_ATOMIC32 :
                                         ALINK_XPU_OP_ATOMIC64, dst, val,
                                         old_va);

    desc.subop = op;
    desc.src2 = cpu_to_le64(cmp);
    return desc;
}

static inline struct alink_xpu_desc xq_wait_for(uint8_t how, uint64_t va,
                                                uint64_t value)
{
    struct alink_xpu_desc desc = xq_desc(ALINK_XPU_OP_WAIT, va, value, 0);

    desc.subop = how;
    return desc;
}

/* The same, for so long at most */
static inline struct alink_xpu_desc xq_wait_ms(uint8_t how, uint64_t va,
                                               uint64_t value, uint64_t ms)
{
    struct alink_xpu_desc desc = xq_wait_for(how, va, value);

    desc.src2 = cpu_to_le64(ms);
    return desc;
}

static inline struct alink_xpu_desc xq_reduce(uint8_t dtype, uint8_t op,
                                              uint64_t dst, uint64_t src,
                                              uint64_t src2, uint64_t len)
{
    struct alink_xpu_desc desc = xq_desc(ALINK_XPU_OP_REDUCE, dst, src, len);

    desc.dtype = dtype;
    desc.subop = op;
    desc.src2 = cpu_to_le64(src2);
    return desc;
}

static inline struct alink_xpu_desc xq_reduce_read(uint8_t dtype, uint8_t op,
                                                   uint64_t dst, uint64_t src,
                                                   uint64_t len)
{
    struct alink_xpu_desc desc = xq_desc(ALINK_XPU_OP_REDUCE_READ, dst, src,
                                         len);

    desc.dtype = dtype;
    desc.subop = op;
    return desc;
}

/* Atomic operations, each with an answer known beforehand */
typedef struct XqAtomicCase {
    uint8_t op;
    uint64_t mem, val, cmp, want32, want64;
} XqAtomicCase;
extern const XqAtomicCase xq_atomics[];
extern const unsigned xq_num_atomics;

/* Data: byte i is (seed + 7 i + i / 251) & 0xff. */
void xq_pattern(XpuQtest *x, uint64_t phys, uint64_t len, unsigned seed);
void xq_check(XpuQtest *x, uint64_t phys, uint64_t len, unsigned seed);
void xq_check_byte(XpuQtest *x, uint64_t phys, uint64_t len, uint8_t value);

#endif /* XPU_QTEST_H */
