/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: rows of matrices in local memory, for the compute engines: from
 * device virtual addresses to host memory, where the engines use them in place.
 *
 * A row that lies in several ranges of host memory is gathered before the run
 * and scattered after it. Rows in one range of HBM, or of guest RAM, are found
 * with one translation for all of them.
 */
#include "qemu/osdep.h"
#include "xpu_internal.h"

/* As many bytes are copied while a range is translated and mapped. */
#define RANGE_BYTES     512

struct XpuBrokenRow {
    uint32_t row;
    uint64_t off;               /* in the list */
};

void xpu_rows_begin(XpuRows *r, XpuQueue *q, bool result)
{
    r->q = q;
    r->result = result;
    r->len = 0;
    r->num = r->num_broken = 0;
    r->repeat = false;
    r->weight = 0;
    alink_sg_init(&r->sg, ALINK_DEVICE(q->xpu),
                  result ? DMA_DIRECTION_FROM_DEVICE : DMA_DIRECTION_TO_DEVICE);
}

void xpu_rows_free(XpuRows *r)
{
    g_free(r->row);
    g_free(r->broken);
    g_free(r->tmp);
}

/* --- translation and mapping: BQL ----------------------------------------- */

static void row_append(XpuRows *r, uint8_t *host)
{
    if (r->num == r->room) {
        r->room = MAX(r->room * 2, 64);
        r->row = g_renew(uint8_t *, r->row, r->room);
    }
    r->row[r->num++] = host;
}

/* A row whose bytes are in the list from @off on */
static void row_append_listed(XpuRows *r, uint64_t off, unsigned *hint)
{
    uint64_t run;
    uint8_t *host = alink_sg_ptr(&r->sg, off, &run, hint);

    if (run >= r->len) {
        row_append(r, host);
        return;
    }
    if (r->num_broken == r->room_broken) {
        r->room_broken = MAX(r->room_broken * 2, 16);
        r->broken = g_renew(XpuBrokenRow, r->broken, r->room_broken);
    }
    r->broken[r->num_broken++] = (XpuBrokenRow) { r->num, off };
    row_append(r, NULL);
}

/* Bad HBM that is to be read is a fault, at *addr. */
static enum alink_status check_poison(XpuRows *r, uint64_t va, uint64_t hbm,
                                      uint64_t len, uint64_t *addr)
{
    AlinkDevice *ad = ALINK_DEVICE(r->q->xpu);
    uint64_t bad = r->result ? UINT64_MAX :
                   af_poison_find(ad->af, ad->fabric_id, hbm, len);

    if (bad == UINT64_MAX) {
        return ALINK_ST_OK;
    }
    *addr = va + bad;
    xpu_report_poison(r->q->xpu, hbm + bad, r->q->id);
    return ALINK_ST_POISON;
}

/* @num whole rows in a range of HBM; nobody looks at what is between them. */
static enum alink_status add_hbm(XpuRows *r, uint64_t va, uint64_t hbm,
                                 uint64_t stride, uint32_t num, uint64_t *addr)
{
    enum alink_status st;
    uint32_t i;

    for (i = 0; i < num; i++) {
        st = check_poison(r, va + i * stride, hbm + i * stride, r->len, addr);
        if (st != ALINK_ST_OK) {
            return st;
        }
        row_append(r, r->q->xpu->hbm_mem + hbm + i * stride);
    }
    return ALINK_ST_OK;
}

/*
 * @num whole rows in a range of DMA addresses. Gaps are mapped with them where
 * that is nothing but RAM in one piece: accesses elsewhere have effects. Behind
 * an IOMMU it hardly ever is, and rows are mapped one by one.
 */
static enum alink_status add_dma(XpuRows *r, uint64_t va, uint64_t dma,
                                 uint64_t stride, uint32_t num, uint64_t *addr)
{
    bool dense = num == 1 || stride == r->len;
    uint32_t i, j, some = dense ? num : 1;
    enum alink_status st;
    unsigned hint;
    uint64_t off;
    uint8_t *host;

    if (!dense) {
        host = alink_sg_add_ram(&r->sg, dma, (num - 1) * stride + r->len);
        if (host) {
            for (i = 0; i < num; i++) {
                row_append(r, host + i * stride);
            }
            return ALINK_ST_OK;
        }
    }
    for (i = 0; i < num; i += some) {
        off = r->sg.len;
        hint = r->sg.num;
        *addr = va + i * stride;
        st = alink_sg_add_dma(&r->sg, dma + i * stride, some * r->len);
        if (st != ALINK_ST_OK) {
            return st;
        }
        for (j = 0; j < some; j++) {
            row_append_listed(r, off + j * r->len, &hint);
        }
    }
    return ALINK_ST_OK;
}

/* A row of which @span is the beginning */
static enum alink_status add_parts(XpuRows *r, uint64_t va, XpuSpan *span,
                                   uint64_t need, uint64_t *addr)
{
    uint64_t off = r->sg.len, left = r->len;
    unsigned hint = r->sg.num;
    enum alink_status st;

    for (;;) {
        *addr = va;
        switch (span->ap) {
        case ALINK_AP_SYSTEM:
            st = alink_sg_add_dma(&r->sg, span->addr, span->len);
            break;
        case ALINK_AP_HBM:
            st = check_poison(r, va, span->addr, span->len, addr);
            if (st == ALINK_ST_OK) {
                alink_sg_add_host(&r->sg, r->q->xpu->hbm_mem + span->addr,
                                  span->len);
            }
            break;
        default:
            st = ALINK_ST_UNSUPPORTED;
            break;
        }
        left -= span->len;
        va += span->len;
        if (st != ALINK_ST_OK || !left) {
            break;
        }
        *addr = va;
        r->weight += RANGE_BYTES;
        st = xpu_translate(r->q->xpu, r->q->ctx, r->q->id, va, left, need,
                           span);
        if (st != ALINK_ST_OK) {
            break;
        }
    }
    if (st == ALINK_ST_OK) {
        row_append_listed(r, off, &hint);
    }
    return st;
}

/*
 * How far a translation shall look, from the first of @num rows: over gaps that
 * are no page, since then there is something in each page on the way.
 */
static uint64_t look_ahead(const XpuRows *r, uint64_t stride, uint32_t num)
{
    return stride < r->len + XPU_PAGE ? (num - 1) * stride + r->len : r->len;
}

/* Rows from the front; *num becomes how many, at least one. */
static enum alink_status add_front(XpuRows *r, uint64_t va, uint64_t stride,
                                   uint32_t *num, uint64_t *addr)
{
    uint64_t need = r->result ? ALINK_PTE_WRITE : ALINK_PTE_READ;
    uint64_t look = look_ahead(r, stride, *num);
    enum alink_status st;
    XpuSpan span;

    *addr = va;
    r->weight += RANGE_BYTES;
    st = xpu_translate(r->q->xpu, r->q->ctx, r->q->id, va, look, need, &span);
    if (st != ALINK_ST_OK) {
        return st;
    }
    if (span.ap == ALINK_AP_HBM && span.reach >= r->len) {
        *num = MIN(*num, (span.reach - r->len) / stride + 1);
        return add_hbm(r, va, span.addr, stride, *num, addr);
    }
    if (span.ap == ALINK_AP_SYSTEM && span.len >= r->len) {
        *num = MIN(*num, (span.len - r->len) / stride + 1);
        return add_dma(r, va, span.addr, stride, *num, addr);
    }
    *num = 1;
    span.len = MIN(span.len, r->len);
    return add_parts(r, va, &span, need, addr);
}

enum alink_status xpu_rows_add(XpuRows *r, uint64_t va, uint64_t stride,
                               uint32_t num, uint64_t *addr)
{
    enum alink_status st = ALINK_ST_OK;
    uint32_t done = 0, some;

    if (!stride) {
        /* One row, which stands for all */
        some = 1;
        st = add_front(r, va, r->len, &some, addr);
        r->repeat = true;
        while (st == ALINK_ST_OK && r->num < num) {
            row_append(r, r->row[0]);
        }
        r->weight += r->len;
        return st;
    }
    while (done < num && st == ALINK_ST_OK) {
        some = num - done;
        st = add_front(r, va + done * stride, stride, &some, addr);
        done += some;
    }
    r->weight += done * r->len;
    return st;
}

void xpu_rows_read(const XpuRows *r, uint32_t row, void *buf)
{
    uint32_t i;

    if (r->row[row]) {
        memcpy(buf, r->row[row], r->len);
        return;
    }
    for (i = 0; i < r->num_broken; i++) {
        if (r->broken[i].row == row || r->repeat) {
            alink_sg_read(&r->sg, r->broken[i].off, buf, r->len);
            return;
        }
    }
    g_assert_not_reached();
}

enum alink_status xpu_rows_release(XpuRows *r, bool done)
{
    r->num = r->num_broken = 0;
    return alink_sg_release(&r->sg, done ? r->sg.len : 0);
}

/* HBM that was written over is good again. */
void xpu_rows_heal(XpuRows *r)
{
    AlinkXpu *xpu = r->q->xpu;
    AlinkDevice *ad = ALINK_DEVICE(xpu);
    uint32_t i;

    for (i = 0; i < r->num; i++) {
        uint64_t at = (uintptr_t)r->row[i] - (uintptr_t)xpu->hbm_mem;

        if (at < xpu->hbm_size) {
            af_poison_heal(ad->af, ad->fabric_id, at, r->len);
        }
    }
    for (i = 0; i < r->sg.num; i++) {
        const AlinkSgPiece *p = &r->sg.piece[i];

        if (p->kind == ALINK_SG_HOST) {
            af_poison_heal(ad->af, ad->fabric_id, p->host - xpu->hbm_mem,
                           p->len);
        }
    }
}

/* --- the run: any thread -------------------------------------------------- */

uint8_t **xpu_rows_gather(XpuRows *r)
{
    uint64_t size = r->num_broken * r->len;
    uint32_t i;

    if (size > r->room_tmp) {
        g_free(r->tmp);
        r->tmp = g_malloc(size);
        r->room_tmp = size;
    }
    for (i = 0; i < r->num_broken; i++) {
        uint8_t *tmp = r->tmp + i * r->len;

        if (!r->result) {
            alink_sg_read(&r->sg, r->broken[i].off, tmp, r->len);
        }
        r->row[r->broken[i].row] = tmp;
    }
    for (i = 1; i < r->num && r->repeat; i++) {
        r->row[i] = r->row[0];
    }
    return r->row;
}

void xpu_rows_scatter(XpuRows *r)
{
    uint32_t i;

    for (i = 0; i < r->num_broken; i++) {
        alink_sg_write(&r->sg, r->broken[i].off, r->tmp + i * r->len, r->len);
    }
}
