/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: contexts and their page tables.
 *
 * Translations are kept until ALINK_XPU_ADMIN_TLB_INVALIDATE, as hardware
 * does, so that a driver that forgets the command is found out. Only entries
 * that are valid are kept. Eight entries of the last level, one line of
 * memory, are read at a time.
 *
 * What finds a page in the TLB is inline: it is a good part of what a copy of
 * scattered pages takes beside the copying.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "xpu_internal.h"

#define LEVELS          4
#define LINE_ENTRIES    8
#define XPU_QUIET       UINT32_MAX      /* for @queue: report nothing */

XpuCtx *xpu_ctx_create(uint32_t id, uint64_t root)
{
    XpuCtx *ctx = g_new0(XpuCtx, 1);

    ctx->id = id;
    ctx->root = root;
    return ctx;
}

void xpu_ctx_flush(XpuCtx *ctx)
{
    ctx->walk_tag = 0;
    memset(ctx->small, 0, sizeof(ctx->small));
    memset(ctx->large, 0, sizeof(ctx->large));
}

static enum alink_aperture pte_aperture(uint64_t pte)
{
    return (pte & ALINK_PTE_APERTURE_MASK) >> ALINK_PTE_APERTURE_SHIFT;
}

/* The driver made a table that no device can use. */
static void bad_table(AlinkXpu *xpu, uint32_t queue, uint64_t va,
                      uint64_t entry, unsigned level)
{
    if (queue == XPU_QUIET) {
        return;
    }
    alink_guest_error(ALINK_DEVICE(xpu), 0,
                      "entry 0x%" PRIx64 " of level %u, address 0x%" PRIx64,
                      entry, level, va);
    alink_fault(ALINK_DEVICE(xpu), ALINK_FAULT_MMU_PAGE,
                ALINK_RECOVERY_CONTEXT, va, queue);
}

static bool leaf_ok(AlinkXpu *xpu, uint64_t pte, uint64_t size)
{
    uint64_t addr = pte & ALINK_PTE_ADDR_MASK;

    if ((pte & ALINK_PTE_RESERVED) || (addr & (size - 1))) {
        return false;
    }
    return pte_aperture(pte) != ALINK_AP_HBM ||
           (addr < xpu->hbm_size && size <= xpu->hbm_size - addr);
}

/* How an access fails that an entry does not allow */
static enum alink_status refuse(uint64_t pte, enum alink_status st)
{
    return pte & ALINK_PTE_RETRY ? st | XPU_ST_RETRY : st;
}

static bool table_ok(uint64_t pte)
{
    return (pte & ~ALINK_PTE_ADDR_MASK) == ALINK_PTE_VALID;
}

static void tlb_add(XpuTlbEntry *tlb, unsigned entries, uint64_t page,
                    uint64_t pte)
{
    tlb[page % entries] = (XpuTlbEntry) { .tag = page + 1, .pte = pte };
}

static inline bool tlb_find(const XpuTlbEntry *tlb, unsigned entries,
                            uint64_t page, uint64_t *pte)
{
    const XpuTlbEntry *e = &tlb[page % entries];

    *pte = e->pte;
    return e->tag == page + 1;
}

/* Reads the line of the last level that holds @va, keeps what is valid in it. */
static enum alink_status walk_last(AlinkXpu *xpu, XpuCtx *ctx, uint32_t queue,
                                   uint64_t va, uint64_t table, uint64_t *pte)
{
    uint64_t page = va / XPU_PAGE;
    uint64_t first = page & ~(uint64_t)(LINE_ENTRIES - 1);
    uint64_t line[LINE_ENTRIES];
    enum alink_status st;
    unsigned i;

    st = alink_dma_read(ALINK_DEVICE(xpu), table + first % 512 * 8, line,
                        sizeof(line));
    if (st != ALINK_ST_OK) {
        bad_table(xpu, queue, va, table, 0);
        return st;
    }
    for (i = 0; i < LINE_ENTRIES; i++) {
        uint64_t e = le64_to_cpu(line[i]);

        if ((e & ALINK_PTE_VALID) && !(e & ALINK_PTE_LEAF) &&
            leaf_ok(xpu, e, XPU_PAGE)) {
            tlb_add(ctx->small, XPU_TLB_SMALL, first + i, e);
        }
    }
    *pte = le64_to_cpu(line[page - first]);
    if (!(*pte & ALINK_PTE_VALID)) {
        return refuse(*pte, ALINK_ST_PAGE_FAULT);
    }
    if ((*pte & ALINK_PTE_LEAF) || !leaf_ok(xpu, *pte, XPU_PAGE)) {
        bad_table(xpu, queue, va, *pte, 0);
        return ALINK_ST_PAGE_FAULT;
    }
    return ALINK_ST_OK;
}

/* Leaf that maps @va, and the size of its page. */
static enum alink_status walk(AlinkXpu *xpu, XpuCtx *ctx, uint32_t queue,
                              uint64_t va, uint64_t *pte, uint64_t *size)
{
    uint64_t table = ctx->root;
    enum alink_status st;
    int level;

    *size = XPU_PAGE;
    if (ctx->walk_tag == va / XPU_LARGE + 1) {
        return walk_last(xpu, ctx, queue, va, ctx->walk_table, pte);
    }
    for (level = LEVELS - 1; level > 0; level--) {
        uint64_t index = va >> (12 + 9 * level) & 511;
        uint64_t e;

        st = alink_dma_read(ALINK_DEVICE(xpu), table + index * 8, &e,
                            sizeof(e));
        if (st != ALINK_ST_OK) {
            bad_table(xpu, queue, va, table, level);
            return st;
        }
        e = le64_to_cpu(e);
        if (!(e & ALINK_PTE_VALID)) {
            return refuse(e, ALINK_ST_PAGE_FAULT);
        }
        if (level < LEVELS - 1 && (e & ALINK_PTE_LEAF)) {
            uint64_t reach = 1ULL << (12 + 9 * level);

            if (!leaf_ok(xpu, e, reach)) {
                bad_table(xpu, queue, va, e, level);
                return ALINK_ST_PAGE_FAULT;
            }
            /* The TLB keeps what 2 MiB of it are. */
            e += va & (reach - 1) & ~(uint64_t)(XPU_LARGE - 1);
            tlb_add(ctx->large, XPU_TLB_LARGE, va / XPU_LARGE, e);
            *pte = e;
            *size = XPU_LARGE;
            return ALINK_ST_OK;
        }
        if (!table_ok(e)) {
            bad_table(xpu, queue, va, e, level);
            return ALINK_ST_PAGE_FAULT;
        }
        table = e & ALINK_PTE_ADDR_MASK;
    }
    ctx->walk_tag = va / XPU_LARGE + 1;
    ctx->walk_table = table;
    return walk_last(xpu, ctx, queue, va, table, pte);
}

/* The entry that the TLB has for @va: size of its page; 0: none. */
static inline uint64_t tlb_size(const XpuCtx *ctx, uint64_t va, uint64_t *pte)
{
    if (tlb_find(ctx->large, XPU_TLB_LARGE, va / XPU_LARGE, pte)) {
        return XPU_LARGE;
    }
    return tlb_find(ctx->small, XPU_TLB_SMALL, va / XPU_PAGE, pte) ?
           XPU_PAGE : 0;
}

/* What one page maps from @va to its end */
static inline QEMU_ALWAYS_INLINE enum alink_status
translate_page(AlinkXpu *xpu, XpuCtx *ctx, uint32_t queue, uint64_t va,
               uint64_t need, XpuSpan *span)
{
    enum alink_status st = ALINK_ST_OK;
    uint64_t pte, size, addr;

    if (va >> XPU_VA_BITS) {
        return ALINK_ST_PAGE_FAULT;
    }
    size = tlb_size(ctx, va, &pte);
    if (!size) {
        st = walk(xpu, ctx, queue, va, &pte, &size);
        trace_alink_xpu_walk(alink_device_name(ALINK_DEVICE(xpu)), ctx->id, va,
                             st);
    }
    if (st == ALINK_ST_OK && (~pte & need)) {
        st = refuse(pte, ALINK_ST_PERMISSION);
    }
    if (st != ALINK_ST_OK) {
        return st;
    }
    addr = (pte & ALINK_PTE_ADDR_MASK) + (va & (size - 1));
    span->ap = pte_aperture(pte);
    span->slot = 0;
    if (span->ap == ALINK_AP_REMOTE || span->ap == ALINK_AP_GROUP) {
        span->slot = addr >> ALINK_REMOTE_SLOT_SHIFT;
        addr &= ALINK_REMOTE_OFFSET_MASK;
    }
    span->addr = addr;
    span->len = size - (va & (size - 1));
    return ALINK_ST_OK;
}

/* Bytes from @va to the end of its page, if @span goes on there; or 0. */
static inline QEMU_ALWAYS_INLINE uint64_t
span_next(AlinkXpu *xpu, XpuCtx *ctx, uint64_t va, uint64_t need,
          const XpuSpan *span)
{
    bool local = span->ap == ALINK_AP_SYSTEM || span->ap == ALINK_AP_HBM;
    uint64_t end = span->addr + span->len, pte, size, off;
    XpuSpan next;

    size = local ? tlb_size(ctx, va, &pte) : 0;
    if (size) {
        /* There are no slots to take apart: one look at the entry says it. */
        off = va & (size - 1);
        return pte_aperture(pte) == span->ap && !(~pte & need) &&
               (pte & ALINK_PTE_ADDR_MASK) + off == end ? size - off : 0;
    }
    return translate_page(xpu, ctx, XPU_QUIET, va, need, &next) ==
           ALINK_ST_OK && next.ap == span->ap && next.slot == span->slot &&
           next.addr == end ? next.len : 0;
}

enum alink_status xpu_translate(AlinkXpu *xpu, XpuCtx *ctx, uint32_t queue,
                                uint64_t va, uint64_t max, uint64_t need,
                                XpuSpan *span)
{
    enum alink_status st;
    uint64_t more;

    st = translate_page(xpu, ctx, queue, va, need, span);
    if (st != ALINK_ST_OK) {
        ctx->retry_need = need;
        return st;
    }
    /*
     * A fault further on is found again, and reported, when work gets there.
     * How far this goes must not depend on what the TLB happens to hold: it
     * decides where operations are cut, and so their modelled time.
     */
    do {
        more = span->len < max ?
               span_next(xpu, ctx, va + span->len, need, span) : 0;
        span->len += more;
    } while (more);
    span->reach = span->len;
    span->len = MIN(span->len, max);
    return ALINK_ST_OK;
}
