/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: descriptors: what each opcode demands of its fields; words in
 * memory: fences, WAIT, atomics. Bulk work is in xpu_move.c, functions on
 * matrices in xpu_compute.c, and reducing pushes in xpu_push.c.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "hw/pci/pci_device.h"
#include "trace.h"
#include "xpu_internal.h"

uint64_t xpu_local_ns(uint64_t bytes)
{
    return DIV_ROUND_UP(bytes * 1000, ALINK_XPU_LOCAL_MBPS);
}

uint64_t xpu_reduce_ns(uint64_t bytes)
{
    return DIV_ROUND_UP(bytes * 1000, ALINK_XPU_REDUCE_MBPS);
}

void xpu_report_poison(AlinkXpu *xpu, uint64_t hbm, uint32_t queue)
{
    alink_fault(ALINK_DEVICE(xpu), ALINK_FAULT_HBM_ECC,
                ALINK_RECOVERY_CONTEXT, hbm, queue);
}

/* --- words in memory --------------------------------------------------------- */

enum alink_status xpu_store64(XpuQueue *q, uint64_t va, uint64_t value,
                              uint64_t *model_ns)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    uint64_t word = cpu_to_le64(value);
    struct af_result res = {};
    enum alink_status st;
    XpuSpan span;

    if (va % sizeof(word)) {
        return ALINK_ST_ALIGN;
    }
    st = xpu_translate(q->xpu, q->ctx, q->id, va, sizeof(word),
                       ALINK_PTE_WRITE, &span);
    if (st != ALINK_ST_OK) {
        return st;
    }
    /* Everything before the word is seen before the word. */
    smp_wmb();
    switch (span.ap) {
    case ALINK_AP_SYSTEM:
        return alink_dma_write64(ad, span.addr, value);
    case ALINK_AP_HBM:
        qatomic_set((uint64_t *)(q->xpu->hbm_mem + span.addr), word);
        return ALINK_ST_OK;
    case ALINK_AP_REMOTE:
        af_write(ad->af, ad->fabric_id, span.slot, span.addr, &word,
                 sizeof(word), &res);
        break;
    case ALINK_AP_GROUP:
        af_group_write(ad->af, ad->fabric_id, span.slot, span.addr, &word,
                       sizeof(word), &res);
        break;
    }
    *model_ns += res.model_ns;
    return res.status;
}

/* Bad HBM under a word that is to be read */
static enum alink_status word_poison(XpuQueue *q, const XpuSpan *span,
                                     unsigned width)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);

    if (span->ap != ALINK_AP_HBM ||
        af_poison_find(ad->af, ad->fabric_id, span->addr, width) ==
        UINT64_MAX) {
        return ALINK_ST_OK;
    }
    xpu_report_poison(q->xpu, span->addr, q->id);
    return ALINK_ST_POISON;
}

static enum alink_status load64(XpuQueue *q, uint64_t va, uint64_t *value)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    enum alink_status st;
    XpuSpan span;

    st = xpu_translate(q->xpu, q->ctx, q->id, va, sizeof(*value),
                       ALINK_PTE_READ, &span);
    if (st == ALINK_ST_OK) {
        st = word_poison(q, &span, sizeof(*value));
    }
    if (st != ALINK_ST_OK) {
        return st;
    }
    switch (span.ap) {
    case ALINK_AP_SYSTEM:
        st = alink_dma_read(ad, span.addr, value, sizeof(*value));
        break;
    case ALINK_AP_HBM:
        *value = qatomic_read((uint64_t *)(q->xpu->hbm_mem + span.addr));
        break;
    default:
        return ALINK_ST_UNSUPPORTED;
    }
    *value = le64_to_cpu(*value);
    smp_rmb();
    return st;
}

static enum alink_status exec_wait(XpuQueue *q,
                                   const struct alink_xpu_desc *desc,
                                   bool *done, uint64_t *addr)
{
    uint64_t va = le64_to_cpu(desc->dst);
    uint64_t want = le64_to_cpu(desc->src);
    uint64_t ms = le64_to_cpu(desc->src2);
    uint64_t have;
    enum alink_status st;

    *addr = 0;
    if (desc->subop > ALINK_WAIT_GE) {
        return ALINK_ST_UNSUPPORTED;
    }
    if (ms > UINT32_MAX) {
        return ALINK_ST_BAD_FIELD;
    }
    *addr = va;
    if (va % sizeof(have)) {
        return ALINK_ST_ALIGN;
    }
    st = load64(q, va, &have);
    if (st != ALINK_ST_OK) {
        return st;
    }
    *done = desc->subop == ALINK_WAIT_EQ ? have == want :
                                           (int64_t)(have - want) >= 0;
    if (*done) {
        return ALINK_ST_OK;
    }
    if (xpu_queue_too_late(q, ms)) {
        return ALINK_ST_TIMEOUT;
    }
    xpu_queue_wait(q);
    return ALINK_ST_OK;
}

/* --- atomics ------------------------------------------------------------------ */

#define NEW_VALUE(op, old, val, cmp, result)                              \
    do {                                                                  \
        switch (op) {                                                     \
        case ALINK_ATOMIC_ADD:                                            \
            (result) = (old) + (val);                                     \
            break;                                                        \
        case ALINK_ATOMIC_CAS:                                            \
            (result) = (old) == (cmp) ? (val) : (old);                    \
            break;                                                        \
        case ALINK_ATOMIC_SWAP:                                           \
            (result) = (val);                                             \
            break;                                                        \
        case ALINK_ATOMIC_AND:                                            \
            (result) = (old) & (val);                                     \
            break;                                                        \
        case ALINK_ATOMIC_OR:                                             \
            (result) = (old) | (val);                                     \
            break;                                                        \
        case ALINK_ATOMIC_XOR:                                            \
            (result) = (old) ^ (val);                                     \
            break;                                                        \
        case ALINK_ATOMIC_MIN:                                            \
            (result) = MIN((old), (val));                                 \
            break;                                                        \
        default: /* ALINK_ATOMIC_MAX */                                   \
            (result) = MAX((old), (val));                                 \
            break;                                                        \
        }                                                                 \
    } while (0)

static uint32_t atomic32(uint32_t *mem, unsigned op, uint32_t val,
                         uint32_t cmp)
{
    uint32_t seen, old, new;

    for (old = qatomic_read(mem); ; old = seen) {
        uint32_t cpu = le32_to_cpu(old);

        NEW_VALUE(op, cpu, val, cmp, new);
        seen = qatomic_cmpxchg(mem, old, cpu_to_le32(new));
        if (seen == old) {
            return cpu;
        }
    }
}

static uint64_t atomic64(uint64_t *mem, unsigned op, uint64_t val,
                         uint64_t cmp)
{
    uint64_t seen, old, new;

    for (old = qatomic_read(mem); ; old = seen) {
        uint64_t cpu = le64_to_cpu(old);

        NEW_VALUE(op, cpu, val, cmp, new);
        seen = qatomic_cmpxchg(mem, old, cpu_to_le64(new));
        if (seen == old) {
            return cpu;
        }
    }
}

static uint64_t atomic_host(void *mem, unsigned width, unsigned op,
                            uint64_t val, uint64_t cmp)
{
    return width == 4 ? atomic32(mem, op, val, cmp) :
                        atomic64(mem, op, val, cmp);
}

/* On guest RAM, with the host's atomics; registers of others have none. */
static enum alink_status atomic_system(XpuQueue *q, uint64_t addr,
                                       unsigned width,
                                       const struct alink_xpu_desc *desc,
                                       uint64_t *old)
{
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(q->xpu));
    hwaddr xlat, len = width;
    MemoryRegion *mr;
    AlinkSg sg;

    WITH_RCU_READ_LOCK_GUARD() {
        mr = address_space_translate(as, addr, &xlat, &len, true,
                                     MEMTXATTRS_UNSPECIFIED);
        if (len < width ||
            !memory_access_is_direct(mr, true, MEMTXATTRS_UNSPECIFIED)) {
            return ALINK_ST_DMA;
        }
    }
    alink_sg_init(&sg, ALINK_DEVICE(q->xpu), DMA_DIRECTION_FROM_DEVICE);
    if (alink_sg_add_dma(&sg, addr, width) != ALINK_ST_OK) {
        return ALINK_ST_DMA;
    }
    *old = atomic_host(sg.piece[0].host, width, desc->subop,
                       le64_to_cpu(desc->src), le64_to_cpu(desc->src2));
    return alink_sg_release(&sg, width);
}

/* Stores the old value; the word was found writable before the atomic. */
static enum alink_status store_old(XpuQueue *q, const XpuSpan *span,
                                   unsigned width, uint64_t old)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    uint64_t le = cpu_to_le64(old);

    if (span->ap == ALINK_AP_HBM) {
        memcpy(q->xpu->hbm_mem + span->addr, &le, width);
        return ALINK_ST_OK;
    }
    return alink_dma_write(ad, span->addr, &le, width);
}

static enum alink_status exec_atomic(XpuQueue *q,
                                     const struct alink_xpu_desc *desc,
                                     unsigned width, uint64_t *addr)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    uint64_t va = le64_to_cpu(desc->dst), old_va = le64_to_cpu(desc->len);
    XpuSpan span, old_span = {};
    struct af_result res;
    enum alink_status st;
    uint64_t old = 0;

    if (desc->subop > ALINK_ATOMIC_MAX) {
        return ALINK_ST_UNSUPPORTED;
    }
    if (old_va) {
        *addr = old_va;
        if (old_va % width) {
            return ALINK_ST_ALIGN;
        }
        st = xpu_translate(q->xpu, q->ctx, q->id, old_va, width,
                           ALINK_PTE_WRITE, &old_span);
        if (st != ALINK_ST_OK) {
            return st;
        }
        if (old_span.ap != ALINK_AP_SYSTEM && old_span.ap != ALINK_AP_HBM) {
            return ALINK_ST_UNSUPPORTED;
        }
    }
    *addr = va;
    if (va % width) {
        return ALINK_ST_ALIGN;
    }
    st = xpu_translate(q->xpu, q->ctx, q->id, va, width, ALINK_PTE_ATOMIC,
                       &span);
    if (st == ALINK_ST_OK) {
        st = word_poison(q, &span, width);
    }
    if (st != ALINK_ST_OK) {
        return st;
    }
    switch (span.ap) {
    case ALINK_AP_SYSTEM:
        st = atomic_system(q, span.addr, width, desc, &old);
        break;
    case ALINK_AP_HBM:
        old = atomic_host(q->xpu->hbm_mem + span.addr, width, desc->subop,
                          le64_to_cpu(desc->src), le64_to_cpu(desc->src2));
        break;
    case ALINK_AP_REMOTE:
        af_atomic(ad->af, ad->fabric_id, span.slot, span.addr, desc->subop,
                  width, le64_to_cpu(desc->src), le64_to_cpu(desc->src2),
                  &res);
        st = res.status;
        old = res.old;
        q->desc_ns += res.model_ns;
        break;
    case ALINK_AP_GROUP:
        st = ALINK_ST_UNSUPPORTED;
        break;
    }
    if (st == ALINK_ST_OK && old_va) {
        *addr = old_va;
        st = store_old(q, &old_span, width, old);
    }
    q->bytes += st == ALINK_ST_OK ? width : 0;
    return st;
}

/* --- all opcodes --------------------------------------------------------------- */

static enum alink_status check_reduce(const AlinkXpu *xpu,
                                      const struct alink_xpu_desc *desc,
                                      uint64_t *addr)
{
    uint64_t dst = le64_to_cpu(desc->dst), src = le64_to_cpu(desc->src);
    uint64_t src2 = le64_to_cpu(desc->src2), len = le64_to_cpu(desc->len);
    uint64_t esz;

    if (desc->dtype >= 32 || !(xpu->dtypes & ALINK_BIT(desc->dtype)) ||
        desc->subop > ALINK_OP_MAX) {
        return ALINK_ST_UNSUPPORTED;
    }
    esz = af_dtype_size(desc->dtype);
    if (dst % esz) {
        *addr = dst;
    } else if (src % esz) {
        *addr = src;
    } else if (desc->opcode == ALINK_XPU_OP_REDUCE && src2 % esz) {
        *addr = src2;
    } else if (len % esz == 0) {
        return ALINK_ST_OK;
    }
    return ALINK_ST_ALIGN;
}

static enum alink_status check_compute(const struct alink_xpu_desc *desc,
                                       uint64_t *addr)
{
    uint64_t size = sizeof(struct alink_xpu_compute);

    if (desc->dst || desc->src2 || desc->dtype ||
        le64_to_cpu(desc->len) != size) {
        return ALINK_ST_BAD_FIELD;
    }
    if (desc->subop >= ALINK_XPU_NUM_FUNCS) {
        return ALINK_ST_UNSUPPORTED;
    }
    if (le64_to_cpu(desc->src) % size) {
        *addr = le64_to_cpu(desc->src);
        return ALINK_ST_ALIGN;
    }
    return ALINK_ST_OK;
}

static enum alink_status check_desc(const AlinkXpu *xpu,
                                    const struct alink_xpu_desc *desc,
                                    uint64_t *addr)
{
    uint64_t len = le64_to_cpu(desc->len);

    if (desc->opcode > ALINK_XPU_OP_PUSH_REDUCE) {
        return ALINK_ST_BAD_OPCODE;
    }
    if ((desc->flags & ~ALINK_XPU_DF_KNOWN) || desc->reserved ||
        ((desc->flags & ALINK_XPU_DF_KEEP) &&
         desc->opcode != ALINK_XPU_OP_REDUCE)) {
        return ALINK_ST_BAD_FIELD;
    }
    if ((desc->flags & ALINK_XPU_DF_FENCE) &&
        le64_to_cpu(desc->fence_addr) % 8) {
        *addr = le64_to_cpu(desc->fence_addr);
        return ALINK_ST_ALIGN;
    }
    switch (desc->opcode) {
    case ALINK_XPU_OP_FILL:
        if (len % 4) {
            return ALINK_ST_ALIGN;
        }
        if (le64_to_cpu(desc->dst) % 4) {
            *addr = le64_to_cpu(desc->dst);
            return ALINK_ST_ALIGN;
        }
        /* fall through */
    case ALINK_XPU_OP_COPY:
        return len > ALINK_XPU_MAX_LEN ? ALINK_ST_BAD_FIELD : ALINK_ST_OK;
    case ALINK_XPU_OP_REDUCE:
    case ALINK_XPU_OP_REDUCE_READ:
    case ALINK_XPU_OP_PUSH_REDUCE:
        if (len > ALINK_XPU_MAX_LEN) {
            return ALINK_ST_BAD_FIELD;
        }
        return check_reduce(xpu, desc, addr);
    case ALINK_XPU_OP_COMPUTE:
        return check_compute(desc, addr);
    default:
        return ALINK_ST_OK;
    }
}

enum alink_status xpu_exec(XpuQueue *q, const struct alink_xpu_desc *desc,
                           XpuPass *pass, bool *done, uint64_t *addr)
{
    enum alink_status st;

    *done = false;
    *addr = 0;
    if (!q->done) {
        st = check_desc(q->xpu, desc, addr);
        if (st != ALINK_ST_OK) {
            return st;
        }
    }
    switch (desc->opcode) {
    case ALINK_XPU_OP_NOP:
        *done = true;
        return ALINK_ST_OK;
    case ALINK_XPU_OP_ATOMIC32:
        *done = true;
        return exec_atomic(q, desc, 4, addr);
    case ALINK_XPU_OP_ATOMIC64:
        *done = true;
        return exec_atomic(q, desc, 8, addr);
    case ALINK_XPU_OP_WAIT:
        return exec_wait(q, desc, done, addr);
    case ALINK_XPU_OP_COMPUTE:
        return xpu_compute_begin(q, desc, addr);
    case ALINK_XPU_OP_PUSH_REDUCE:
        return xpu_push(q, desc, pass, done, addr);
    default:
        return xpu_move(q, desc, pass, done, addr);
    }
}
