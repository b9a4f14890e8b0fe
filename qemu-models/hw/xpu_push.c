/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink xPU: PUSH_REDUCE: this member's part of a reducing push.
 *
 * Chunk by chunk: the data is read and given to the fabric, then the queue
 * waits, as in a WAIT, until the other members have sent theirs. All under the
 * BQL: a chunk is small, and whoever sends the last one has at most the buffer
 * of a slot to reduce. Where there is no slot, the whole is tried again at the
 * next look, so that no translation is kept meanwhile.
 */
#include "qemu/osdep.h"
#include "trace.h"
#include "xpu_internal.h"

/* What is sent, into @buf */
static enum alink_status gather(XpuQueue *q, uint64_t va, uint8_t *buf,
                                uint64_t len, uint64_t *addr)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    enum alink_status st;
    uint64_t at, bad;
    XpuSpan span;

    for (at = 0; at < len; at += span.len) {
        *addr = va + at;
        st = xpu_translate(q->xpu, q->ctx, q->id, va + at, len - at,
                           ALINK_PTE_READ, &span);
        if (st != ALINK_ST_OK) {
            return st;
        }
        switch (span.ap) {
        case ALINK_AP_SYSTEM:
            st = alink_dma_read(ad, span.addr, buf + at, span.len);
            if (st != ALINK_ST_OK) {
                *addr = va;
                return st;
            }
            break;
        case ALINK_AP_HBM:
            bad = af_poison_find(ad->af, ad->fabric_id, span.addr, span.len);
            if (bad != UINT64_MAX) {
                *addr += bad;
                xpu_report_poison(q->xpu, span.addr + bad, q->id);
                return ALINK_ST_POISON;
            }
            memcpy(buf + at, q->xpu->hbm_mem + span.addr, span.len);
            break;
        default:
            return ALINK_ST_UNSUPPORTED;
        }
    }
    return ALINK_ST_OK;
}

/* Sends the next chunk, or tries to. *over: and knows how it ended. */
static enum alink_status push_send(XpuQueue *q,
                                   const struct alink_xpu_desc *desc,
                                   struct af_result *res, bool *over,
                                   uint64_t *addr)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    uint64_t left = le64_to_cpu(desc->len) - q->done;
    uint64_t dst = le64_to_cpu(desc->dst) + q->done;
    uint64_t how = le64_to_cpu(desc->src2);
    g_autofree uint8_t *buf = NULL;
    struct af_push_args args = {
        .timeout_ms = how >> ALINK_XPU_PUSH_MS_SHIFT,
        .epoch = how & ALINK_PUSH_MAX_EPOCH,
        .dtype = desc->dtype,
        .op = desc->subop,
    };
    enum alink_status st;
    XpuSpan span;

    *addr = dst;
    st = xpu_translate(q->xpu, q->ctx, q->id, dst,
                       MIN(left, ALINK_PUSH_MAX_CHUNK), ALINK_PTE_WRITE,
                       &span);
    if (st != ALINK_ST_OK) {
        return st;
    }
    if (span.ap != ALINK_AP_GROUP) {
        return ALINK_ST_UNSUPPORTED;
    }
    args.slot = span.slot;
    args.offset = span.addr;
    args.len = MIN(left, af_push_chunk(ad->af, ad->fabric_id, span.slot));
    if (args.len > span.len) {
        *addr += span.len;
        st = xpu_translate(q->xpu, q->ctx, q->id, *addr, 1, ALINK_PTE_WRITE,
                           &span);
        return st != ALINK_ST_OK ? st : ALINK_ST_RANGE;
    }
    buf = g_malloc(args.len);
    st = gather(q, le64_to_cpu(desc->src) + q->done, buf, args.len, addr);
    if (st != ALINK_ST_OK) {
        return st;
    }
    *addr = dst;
    q->push.follows = q->done;
    q->push_len = args.len;
    *over = af_push(ad->af, ad->fabric_id, &args, buf, &q->push, res);
    trace_alink_xpu_push(alink_device_name(ad), q->id, args.epoch, q->done,
                         args.len, q->push.sent, *over);
    return ALINK_ST_OK;
}

void xpu_push_end(XpuQueue *q)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);

    af_push_cancel(ad->af, ad->fabric_id, &q->push);
    memset(&q->push, 0, sizeof(q->push));
}

enum alink_status xpu_push(XpuQueue *q, const struct alink_xpu_desc *desc,
                           XpuPass *pass, bool *done, uint64_t *addr)
{
    AlinkDevice *ad = ALINK_DEVICE(q->xpu);
    bool sent = q->push.sent, over = false;
    struct af_result res = {};
    enum alink_status st;

    if (q->done == le64_to_cpu(desc->len)) {
        *done = true;
        return ALINK_ST_OK;
    }
    if (sent) {
        *addr = le64_to_cpu(desc->dst) + q->done;
        over = af_push_poll(ad->af, ad->fabric_id, &q->push, &res);
    } else {
        st = push_send(q, desc, &res, &over, addr);
        if (st != ALINK_ST_OK) {
            return st;
        }
        pass->bytes += q->push_len;
    }
    if (!over) {
        xpu_queue_wait(q);
        return ALINK_ST_OK;
    }
    memset(&q->push, 0, sizeof(q->push));
    q->waited = false;
    if (!sent) {
        /* It was the last one, or ended what others wait for. */
        xpu_wake_waiters();
    }
    if (res.status != ALINK_ST_OK) {
        *addr += res.fail_offset;
        return res.status;
    }
    q->desc_ns += res.model_ns;
    q->done += q->push_len;
    q->bytes += q->push_len;
    *done = q->done == le64_to_cpu(desc->len);
    return ALINK_ST_OK;
}
