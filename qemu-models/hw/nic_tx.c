/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink NIC model: transmit, checksums and TCP segmentation.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "net/eth.h"
#include "nic_internal.h"
#include "trace.h"

#define NIC_TX_BUDGET   32      /* packets of one queue in one bottom half */
#define NIC_TX_BURST    2048    /* frames after which it ends with the packet */
#define NIC_TX_FETCH    64      /* descriptors read at once */

/* A packet in tx_buf, and what its first descriptor asks for */
typedef struct NicTxPacket {
    size_t len;
    uint16_t flags;
    uint16_t mss;
    uint16_t csum_start;
    uint16_t csum_offset;
    uint16_t l3_start;
    uint16_t hdr_len;
} NicTxPacket;

uint16_t nic_sum(const uint8_t *p, size_t len)
{
    uint64_t sum = 0;

    /* Sums of words in host order differ from the wire's by a swap only. */
    for (; len >= 4; p += 4, len -= 4) {
        sum += (uint32_t)ldl_he_p(p);
    }
    if (len >= 2) {
        sum += (uint16_t)lduw_he_p(p);
        p += 2;
        len -= 2;
    }
    if (len) {
        uint8_t last[2] = { *p, 0 };

        sum += (uint16_t)lduw_he_p(last);
    }
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return be16_to_cpu((uint16_t)sum);
}

void nic_count_size(AlinkNic *s, NicStat first, size_t len)
{
    static const uint16_t limit[] = { 64, 127, 255, 511, 1023, 1518 };
    unsigned i;

    len = MAX(len, ALINK_NIC_MIN_FRAME) + 4;
    for (i = 0; i < ARRAY_SIZE(limit) && len > limit[i]; i++) {
    }
    s->stat[first + i]++;
}

/* --- to the wire ---------------------------------------------------------- */

void nic_tx_kick_all(AlinkNic *s)
{
    unsigned i;

    for (i = 0; i < ALINK_NIC_MAX_QUEUES; i++) {
        NicQueue *q = &s->queue[i];

        if (q->live && q->tx_head != q->tx_tail) {
            qemu_bh_schedule(q->tx_bh);
        }
    }
}

static void nic_tx_sent(NetClientState *nc, ssize_t ret)
{
    AlinkNic *s = qemu_get_nic_opaque(nc);

    if (s->tx_unsent && !--s->tx_unsent) {
        nic_tx_kick_all(s);
    }
}

void nic_tx_purge(AlinkNic *s)
{
    qemu_purge_queued_packets(qemu_get_queue(s->nic));
    /* A peer that was deleted took its queue along without telling. */
    s->tx_unsent = 0;
}

/* @buf has room to pad the frame. */
static void nic_tx_frame(AlinkNic *s, uint8_t *buf, size_t len)
{
    if (len < ALINK_NIC_MIN_FRAME) {
        memset(buf + len, 0, ALINK_NIC_MIN_FRAME - len);
        len = ALINK_NIC_MIN_FRAME;
    }
    s->stat[NIC_TX_FRAMES]++;
    s->stat[NIC_TX_BYTES] += len;
    if (is_broadcast_ether_addr(buf)) {
        s->stat[NIC_TX_BROADCAST]++;
    } else if (is_multicast_ether_addr(buf)) {
        s->stat[NIC_TX_MULTICAST]++;
    }
    nic_count_size(s, NIC_TX_SIZE, len);

    if (s->port_flags & ALINK_NIC_PORT_LOOPBACK) {
        nic_rx_loopback(s, buf, len);
    } else if (!qemu_send_packet_async(qemu_get_queue(s->nic), buf, len,
                                       nic_tx_sent)) {
        s->tx_unsent++;
    }
}

/* --- offload -------------------------------------------------------------- */

static bool nic_tx_csum(AlinkNic *s, const NicTxPacket *p)
{
    size_t at = p->csum_start + p->csum_offset;
    uint16_t sum;

    if (at + 2 > p->len) {
        return false;
    }
    sum = ~nic_sum(s->tx_buf + p->csum_start, p->len - p->csum_start);
    stw_be_p(s->tx_buf + at, sum ? sum : 0xffff);
    return true;
}

/* Headers of a TSO packet as the descriptor says, checked against each other */
static bool nic_tso_check(AlinkNic *s, const NicTxPacket *p, bool *ipv6)
{
    const uint8_t *ip = s->tx_buf + p->l3_start;
    const uint8_t *tcp = s->tx_buf + p->csum_start;
    unsigned ihl;

    if (!(p->flags & ALINK_NIC_TX_CSUM) || p->mss < ALINK_NIC_MIN_MSS ||
        p->csum_offset != offsetof(struct tcp_header, th_sum) ||
        p->hdr_len > ALINK_NIC_MAX_HDR || p->hdr_len >= p->len ||
        p->hdr_len + p->mss > ALINK_NIC_MAX_FRAME ||
        p->l3_start < ETH_HLEN || p->l3_start >= p->csum_start ||
        p->csum_start + sizeof(struct tcp_header) > p->hdr_len) {
        return false;
    }
    if (p->csum_start + (tcp[12] >> 4) * 4 != p->hdr_len) {
        return false;
    }
    ihl = p->csum_start - p->l3_start;
    switch (ip[0] >> 4) {
    case 4:
        *ipv6 = false;
        return ihl >= 20 && ihl == (ip[0] & 15) * 4 && ip[9] == IPPROTO_TCP;
    case 6:
        /* Extension headers may stand between the two. */
        *ipv6 = true;
        return ihl >= 40 && (ihl > 40 || ip[6] == IPPROTO_TCP);
    default:
        return false;
    }
}

static uint16_t nic_pseudo_sum(const uint8_t *ip, bool ipv6, size_t len)
{
    uint16_t sum = ipv6 ? nic_sum(ip + 8, 32) : nic_sum(ip + 12, 8);

    return nic_sum_add(nic_sum_add(sum, IPPROTO_TCP), len);
}

static bool nic_tx_tso(AlinkNic *s, const NicTxPacket *p)
{
    uint8_t hdr[ALINK_NIC_MAX_HDR];
    uint16_t l3 = p->l3_start, l4 = p->csum_start;
    size_t total = p->len - p->hdr_len, done = 0;
    uint32_t seq;
    uint16_t id;
    uint8_t flags;
    bool ipv6;

    if (!nic_tso_check(s, p, &ipv6)) {
        return false;
    }
    s->stat[NIC_TX_TSO]++;
    memcpy(hdr, s->tx_buf, p->hdr_len);
    seq = ldl_be_p(hdr + l4 + 4);
    id = lduw_be_p(hdr + l3 + 4);
    flags = hdr[l4 + 13];

    while (done < total) {
        size_t n = MIN(p->mss, total - done);
        /* In place: the headers go over payload that has been sent. */
        uint8_t *frame = s->tx_buf + done;
        uint8_t *ip = frame + l3, *tcp = frame + l4;
        size_t len = p->hdr_len + n;
        bool last = done + n == total;
        uint8_t pad[ALINK_NIC_MIN_FRAME], f = flags;
        uint16_t sum;

        memcpy(frame, hdr, p->hdr_len);
        if (ipv6) {
            stw_be_p(ip + 4, len - l3 - 40);
        } else {
            stw_be_p(ip + 2, len - l3);
            stw_be_p(ip + 4, id++);
            stw_be_p(ip + 10, 0);
            stw_be_p(ip + 10, ~nic_sum(ip, l4 - l3));
        }
        if (done) {
            f &= ~TH_CWR;
        }
        if (!last) {
            f &= ~(TH_FIN | TH_PUSH);
        }
        stl_be_p(tcp + 4, seq + done);
        tcp[13] = f;
        stw_be_p(tcp + 16, 0);
        sum = ~nic_sum_add(nic_sum(tcp, len - l4),
                           nic_pseudo_sum(ip, ipv6, len - l4));
        stw_be_p(tcp + 16, sum ? sum : 0xffff);

        if (len < ALINK_NIC_MIN_FRAME) {
            /* Padding in place would spoil the payload that follows. */
            memcpy(pad, frame, len);
            frame = pad;
        }
        nic_tx_frame(s, frame, len);
        done += n;
    }
    return true;
}

/* --- descriptors ---------------------------------------------------------- */

/* Reads a packet of @num descriptors and sends it. */
static enum alink_status nic_tx_packet(NicQueue *q,
                                       const struct alink_nic_tx_desc *desc,
                                       unsigned num)
{
    AlinkNic *s = q->nic;
    NicTxPacket p = {
        .flags = le16_to_cpu(desc->flags),
        .mss = le16_to_cpu(desc->mss),
        .csum_start = le16_to_cpu(desc->csum_start),
        .csum_offset = le16_to_cpu(desc->csum_offset),
        .l3_start = le16_to_cpu(desc->l3_start),
        .hdr_len = le16_to_cpu(desc->hdr_len),
    };
    bool tso = p.flags & ALINK_NIC_TX_TSO;
    bool csum = p.flags & ALINK_NIC_TX_CSUM;
    unsigned i;

    if (num > ALINK_NIC_MAX_DESCS ||
        (!tso && (p.mss || p.l3_start || p.hdr_len)) ||
        (!csum && (tso || p.csum_start || p.csum_offset))) {
        return ALINK_ST_BAD_FIELD;
    }
    for (i = 0; i < num; i++) {
        const struct alink_nic_tx_desc *d = &desc[i];
        uint16_t flags = le16_to_cpu(d->flags);
        uint32_t len = le32_to_cpu(d->len);

        if (d->reserved || (flags & ~ALINK_NIC_TX_KNOWN) ||
            !len || len > ALINK_NIC_MAX_PIECE ||
            p.len + len > ALINK_NIC_MAX_PACKET) {
            return ALINK_ST_BAD_FIELD;
        }
        if (i && ((flags & ~ALINK_NIC_TX_LAST) || d->mss || d->csum_start ||
                  d->csum_offset || d->l3_start || d->hdr_len)) {
            return ALINK_ST_BAD_FIELD;
        }
        p.len += len;
    }
    if (p.len < ETH_HLEN || (!tso && p.len > ALINK_NIC_MAX_FRAME)) {
        return ALINK_ST_BAD_FIELD;
    }
    if (s->link != ALINK_LINK_UP) {
        return ALINK_ST_PORT_DOWN;
    }

    p.len = 0;
    for (i = 0; i < num; i++) {
        uint32_t len = le32_to_cpu(desc[i].len);
        enum alink_status st;

        st = alink_dma_read(nic_ad(s), le64_to_cpu(desc[i].addr),
                            s->tx_buf + p.len, len);
        if (st != ALINK_ST_OK) {
            return st;
        }
        p.len += len;
    }
    if (tso) {
        if (!nic_tx_tso(s, &p)) {
            return ALINK_ST_BAD_FIELD;
        }
    } else {
        if (csum && !nic_tx_csum(s, &p)) {
            return ALINK_ST_BAD_FIELD;
        }
        nic_tx_frame(s, s->tx_buf, p.len);
    }
    if (csum) {
        s->stat[NIC_TX_CSUM]++;
    }
    return ALINK_ST_OK;
}

static bool nic_tx_complete(NicQueue *q, enum alink_status status)
{
    AlinkDevice *ad = nic_ad(q->nic);
    uint32_t slot = q->tx_cpl_idx & (q->tx_size - 1);
    uint64_t addr = q->tx_cpl + slot * sizeof(struct alink_nic_tx_cpl);
    uint64_t phase = !(q->tx_cpl_idx & q->tx_size);
    uint32_t head = q->tx_head;
    enum alink_status st;

    if (alink_lie_record(ad, ALINK_LIE_TX_NONE)) {
        return true;
    }
    if (alink_lie_record(ad, ALINK_LIE_TX_HEAD)) {
        head += q->tx_size + 1;
    }
    if (alink_lie_record(ad, ALINK_LIE_TX_STATUS)) {
        status = 0xdead;
    }
    /* One store for all 8 bytes: head and phase become visible together. */
    st = alink_dma_write64(ad, addr, head | (uint64_t)status << 32 |
                           phase << 48);
    if (st != ALINK_ST_OK) {
        nic_queue_stop(q, false, st, addr);
        return false;
    }
    q->tx_cpl_idx++;
    nic_queue_check_irq(q);
    return true;
}

/* Number of descriptors of the packet that begins at @d, 0: no end in sight */
static unsigned nic_tx_find_last(const struct alink_nic_tx_desc *d, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (le16_to_cpu(d[i].flags) & ALINK_NIC_TX_LAST) {
            return i + 1;
        }
    }
    return 0;
}

static void nic_tx_refused(NicQueue *q, enum alink_status status)
{
    AlinkNic *s = q->nic;

    if (status == ALINK_ST_PORT_DOWN) {
        s->stat[NIC_TX_NO_LINK]++;
        return;
    }
    s->stat[NIC_TX_ERRORS]++;
    if (status == ALINK_ST_BAD_FIELD) {
        alink_guest_error(nic_ad(s), ALINK_NIC_QUEUE(q->id, ALINK_NIC_Q_TX_TAIL),
                          "queue %u: bad TX packet before descriptor %u",
                          q->id, q->tx_head);
    }
}

void nic_tx_bh(void *opaque)
{
    NicQueue *q = opaque;
    AlinkNic *s = q->nic;
    AlinkDevice *ad = nic_ad(s);
    g_autoptr(AlinkInBh) in = alink_bh_enter(ad, q->tx_bh);
    struct alink_nic_tx_desc desc[NIC_TX_FETCH];
    unsigned budget = NIC_TX_BUDGET, at = 0, have = 0;
    uint64_t sent = s->stat[NIC_TX_FRAMES];
    bool unreported = false;

    if (!in) {
        return;
    }
    while (q->live && !q->stopped && !s->tx_unsent && budget) {
        unsigned n = nic_tx_find_last(desc + at, have - at);
        enum alink_status status;

        if (!n) {
            uint32_t slot = q->tx_head & (q->tx_size - 1);
            unsigned want = MIN(q->tx_tail - q->tx_head, NIC_TX_FETCH);
            unsigned first = MIN(want, q->tx_size - slot);
            uint64_t addr = q->tx_ring + slot * sizeof(*desc);

            if (!want) {
                break;
            }
            status = alink_dma_read(ad, addr, desc, first * sizeof(*desc));
            if (status == ALINK_ST_OK && want > first) {
                addr = q->tx_ring;
                status = alink_dma_read(ad, addr, desc + first,
                                        (want - first) * sizeof(*desc));
            }
            if (status != ALINK_ST_OK) {
                nic_queue_stop(q, false, status, addr);
                break;
            }
            at = 0;
            have = want;
            n = nic_tx_find_last(desc, have);
            if (!n) {
                if (!q->tx_skip && have <= ALINK_NIC_MAX_DESCS) {
                    break;      /* the rest of the packet will follow */
                }
                q->tx_skip = true;
                q->tx_head += have;
                have = 0;
                continue;
            }
        }

        if (q->tx_skip) {
            q->tx_skip = false;
            status = ALINK_ST_BAD_FIELD;
        } else {
            status = nic_tx_packet(q, desc + at, n);
        }
        trace_alink_nic_tx(alink_device_name(ad), q->id, q->tx_head, n, status);
        if (!q->live) {
            break;              /* a peer's work may have reset us */
        }
        if (status == ALINK_ST_OK) {
            q->tx_head += n;
            unreported = true;
        } else {
            if (unreported && !nic_tx_complete(q, ALINK_ST_OK)) {
                break;
            }
            unreported = false;
            q->tx_head += n;
            nic_tx_refused(q, status);
            if (!nic_tx_complete(q, status)) {
                break;
            }
        }
        at += n;
        budget--;
        if (s->stat[NIC_TX_FRAMES] - sent >= NIC_TX_BURST) {
            budget = 0;
        }
    }
    if (unreported && q->live && !q->stopped) {
        nic_tx_complete(q, ALINK_ST_OK);
    }
    if (!budget && !s->tx_unsent) {
        qemu_bh_schedule(q->tx_bh);
    }
}
