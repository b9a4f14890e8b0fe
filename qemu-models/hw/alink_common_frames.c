/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: link-level frames. A frame leaves by the ring of one
 * device and waits in the peer until the peer's own bottom half writes it:
 * devices never do DMA for one another.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "fabric/alink_fabric.h"
#include "alink_common_internal.h"
#include "trace.h"

#define FRAME_BUDGET    64
#define FRAME_QUEUE     64
#define FRAME_MIN       14
#define FRAME_MAX_SIZE  1024

struct AlinkFrame {
    uint32_t len;
    uint16_t link;
    QTAILQ_ENTRY(AlinkFrame) next;
    uint8_t data[];
};

/* Keeps the frame, unless nobody wants it or too many wait already. */
static bool frame_arrives(AlinkDevice *ad, uint32_t link, const uint8_t *data,
                          uint32_t len)
{
    AlinkFrame *frame;

    if (!ad->frame.enabled || ad->inject.dead ||
        ad->frame_in_count == FRAME_QUEUE) {
        trace_alink_frame_drop(alink_device_name(ad), link, len);
        return false;
    }
    frame = g_malloc(sizeof(*frame) + len);
    frame->len = len;
    frame->link = link;
    memcpy(frame->data, data, len);
    QTAILQ_INSERT_TAIL(&ad->frame_in, frame, next);
    ad->frame_in_count++;
    qemu_bh_schedule(ad->frame_bh);
    return true;
}

/* Writes a descriptor back; false when the ring is broken. */
static bool frame_done(AlinkDevice *ad, uint64_t addr,
                       struct alink_frame_desc *desc, enum alink_status status)
{
    const size_t flags = offsetof(struct alink_frame_desc, flags);

    if (alink_dma_write(ad, addr, desc, flags) != ALINK_ST_OK ||
        alink_dma_write32(ad, addr + flags,
                          ALINK_FRAME_DONE | (uint32_t)status << 16) !=
        ALINK_ST_OK) {
        alink_frames_stop(ad);
        alink_ring_broken(ad, ALINK_RING_FRAME, addr);
        return false;
    }
    return true;
}

static bool frame_fetch(AlinkDevice *ad, uint64_t addr,
                        struct alink_frame_desc *desc)
{
    if (alink_dma_read(ad, addr, desc, sizeof(*desc)) != ALINK_ST_OK) {
        alink_frames_stop(ad);
        alink_ring_broken(ad, ALINK_RING_FRAME, addr);
        return false;
    }
    return true;
}

static enum alink_status frame_send(AlinkDevice *ad,
                                    const struct alink_frame_desc *desc)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    uint32_t len = le16_to_cpu(desc->len), link = le16_to_cpu(desc->link);
    uint32_t peer_type, peer_id, peer_link;
    uint8_t data[ALINK_FRAME_MAX];
    AlinkDevice *peer;

    if (len < FRAME_MIN || len > ALINK_FRAME_MAX || link >= ad->num_links) {
        alink_guest_error(ad, ALINK_REG_FRAME_TX_TAIL,
                          "frame of %u bytes on link %u", len, link);
        return ALINK_ST_BAD_FIELD;
    }
    if (alink_dma_read(ad, le64_to_cpu(desc->addr), data, len) !=
        ALINK_ST_OK) {
        return ALINK_ST_DMA;
    }
    if (!ad->af || af_link_frame(ad->af, adc->devtype, ad->fabric_id, link,
                                 data, len, &peer_type, &peer_id,
                                 &peer_link)) {
        return ALINK_ST_PORT_DOWN;
    }
    trace_alink_frame_send(alink_device_name(ad), link, len, peer_type,
                           peer_id, peer_link);
    peer = alink_device_find(ad->af, peer_type, peer_id);
    if (peer == ad && ad->inject.fail_loop) {
        data[len - 1] ^= 0x10;
    }
    af_link_frame_in(ad->af, peer_type, peer_id, peer_link, data, len,
                     peer && frame_arrives(peer, peer_link, data, len));
    return ALINK_ST_OK;
}

static unsigned frames_transmit(AlinkDevice *ad, unsigned budget)
{
    AlinkRing *r = &ad->frame;
    unsigned done = 0;

    while (r->enabled && r->head != r->tail && done < budget) {
        struct alink_frame_desc desc;
        uint64_t addr = r->base + (r->head % r->size) * sizeof(desc);

        if (!frame_fetch(ad, addr, &desc)) {
            break;
        }
        if (!frame_done(ad, addr, &desc, frame_send(ad, &desc))) {
            break;
        }
        r->head++;
        done++;
    }
    return done;
}

static unsigned frames_receive(AlinkDevice *ad, unsigned budget)
{
    AlinkRing *r = &ad->frame;
    unsigned done = 0;
    AlinkFrame *frame;

    while (r->enabled && r->head2 != r->tail2 && done < budget &&
           (frame = QTAILQ_FIRST(&ad->frame_in))) {
        struct alink_frame_desc desc;
        uint64_t addr = r->base2 + (r->head2 % r->size) * sizeof(desc);
        enum alink_status status = ALINK_ST_OK;

        if (!frame_fetch(ad, addr, &desc)) {
            break;
        }
        if (frame->len > le16_to_cpu(desc.len)) {
            status = ALINK_ST_NO_ROOM;
        } else {
            status = alink_dma_write(ad, le64_to_cpu(desc.addr), frame->data,
                                     frame->len);
        }
        desc.len = cpu_to_le16(frame->len);
        desc.link = cpu_to_le16(frame->link);
        trace_alink_frame_receive(alink_device_name(ad), frame->link,
                                  frame->len, status);
        QTAILQ_REMOVE(&ad->frame_in, frame, next);
        ad->frame_in_count--;
        g_free(frame);
        if (!frame_done(ad, addr, &desc, status)) {
            break;
        }
        r->head2++;
        done++;
    }
    return done;
}

static void frame_bh(void *opaque)
{
    AlinkDevice *ad = opaque;
    g_autoptr(AlinkInBh) in = alink_bh_enter(ad, ad->frame_bh);
    unsigned sent, received;

    if (!in) {
        return;
    }
    if (!ad->frame.enabled || !alink_dma_allowed(ad)) {
        return;
    }
    sent = frames_transmit(ad, FRAME_BUDGET);
    received = frames_receive(ad, FRAME_BUDGET);
    if (sent || received) {
        alink_irq(ad, ALINK_VECTOR_ADMIN);
    }
    if (sent == FRAME_BUDGET || received == FRAME_BUDGET) {
        qemu_bh_schedule(ad->frame_bh);
    }
}

void alink_frames_stop(AlinkDevice *ad)
{
    AlinkFrame *frame, *tmp;

    memset(&ad->frame, 0, sizeof(ad->frame));
    alink_reg_set(ad, ALINK_REG_FRAME_CTRL, 0);
    QTAILQ_FOREACH_SAFE(frame, &ad->frame_in, next, tmp) {
        QTAILQ_REMOVE(&ad->frame_in, frame, next);
        g_free(frame);
    }
    ad->frame_in_count = 0;
    qemu_bh_cancel(ad->frame_bh);
}

void alink_frames_enable(AlinkDevice *ad, bool on)
{
    AlinkRing *r = &ad->frame;

    if (on == r->enabled) {
        return;
    }
    if (!on) {
        alink_frames_stop(ad);
        return;
    }
    r->base = alink_reg_get(ad, ALINK_REG_FRAME_TX_BASE);
    r->base2 = alink_reg_get(ad, ALINK_REG_FRAME_RX_BASE);
    r->size = alink_reg_get(ad, ALINK_REG_FRAME_SIZE);
    r->enabled = alink_ring_valid(ad, ALINK_REG_FRAME_CTRL, r->base, r->size,
                                  FRAME_MAX_SIZE) &&
                 alink_ring_valid(ad, ALINK_REG_FRAME_CTRL, r->base2, r->size,
                                  FRAME_MAX_SIZE);
    trace_alink_ring_enable(alink_device_name(ad), "frames", r->base, r->base2,
                            r->size, r->enabled);
}

void alink_frames_init(AlinkDevice *ad)
{
    QTAILQ_INIT(&ad->frame_in);
    ad->frame_bh = alink_bh_new(frame_bh, ad, ad);
}

void alink_frames_cleanup(AlinkDevice *ad)
{
    alink_frames_stop(ad);
    qemu_bh_delete(ad->frame_bh);
}
