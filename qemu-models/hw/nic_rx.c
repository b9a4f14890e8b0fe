/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink NIC model: receive, filters, checksums, RSS.
 */
#include "qemu/osdep.h"
#include "net/checksum.h"
#include "net/eth.h"
#include "nic_internal.h"
#include "trace.h"

/* IPv6 headers that may stand before the transport header */
#define NIC_IP6_HOP_BY_HOP  0
#define NIC_IP6_ROUTING     43
#define NIC_IP6_FRAGMENT    44
#define NIC_IP6_DEST_OPTS   60

/* What a frame is, as far as checksums and RSS care */
typedef struct NicRxInfo {
    const uint8_t *l3;          /* IP header, or NULL */
    const uint8_t *l4;          /* TCP or UDP header, or NULL */
    size_t l4_len;              /* header and payload, without padding */
    bool ipv6;
    bool fragment;
    uint8_t proto;
    uint16_t flags;             /* ALINK_NIC_RX_* */
    uint32_t hash;
} NicRxInfo;

typedef enum NicRxVerdict {
    NIC_RX_TAKEN,               /* delivered or dropped */
    NIC_RX_HELD,                /* no buffers now */
} NicRxVerdict;

/* --- looking into the frame ----------------------------------------------- */

static void nic_parse_ipv4(NicRxInfo *info, const uint8_t *p, size_t len)
{
    unsigned ihl;
    size_t total;

    if (len < 20) {
        return;
    }
    ihl = (p[0] & 15) * 4;
    total = lduw_be_p(p + 2);
    if (p[0] >> 4 != 4 || ihl < 20 || total < ihl || total > len) {
        return;
    }
    info->l3 = p;
    info->fragment = lduw_be_p(p + 6) & (IP_OFFMASK | IP_MF);
    info->proto = p[9];
    if (nic_sum(p, ihl) != 0xffff) {
        info->flags |= ALINK_NIC_RX_CSUM_BAD;
        return;
    }
    info->flags |= ALINK_NIC_RX_L3_OK;
    if (!info->fragment) {
        info->l4 = p + ihl;
        info->l4_len = total - ihl;
    }
}

static void nic_parse_ipv6(NicRxInfo *info, const uint8_t *p, size_t len)
{
    size_t total, at = 40;
    uint8_t next;

    if (len < 40 || p[0] >> 4 != 6) {
        return;
    }
    total = 40 + lduw_be_p(p + 4);
    if (total > len) {
        return;
    }
    info->l3 = p;
    info->ipv6 = true;
    next = p[6];
    while (next == NIC_IP6_HOP_BY_HOP || next == NIC_IP6_ROUTING ||
           next == NIC_IP6_FRAGMENT || next == NIC_IP6_DEST_OPTS) {
        if (at + 8 > total) {
            return;
        }
        if (next == NIC_IP6_FRAGMENT || next == NIC_IP6_ROUTING) {
            /*
             * A fragment has no whole checksum, and with a routing header
             * the pseudo header has another address: not verified.
             */
            info->fragment = true;
            return;
        }
        next = p[at];
        at += (p[at + 1] + 1) * 8;
    }
    if (at <= total) {
        info->proto = next;
        info->l4 = p + at;
        info->l4_len = total - at;
    }
}

static void nic_check_l4(NicRxInfo *info)
{
    size_t len = info->l4_len;
    uint16_t sum;

    if (info->proto == IPPROTO_TCP && len >= sizeof(struct tcp_header)) {
        /* all of it */
    } else if (info->proto == IPPROTO_UDP && len >= sizeof(struct udp_header)) {
        size_t udp = lduw_be_p(info->l4 + 4);

        if (udp < sizeof(struct udp_header) || udp > len ||
            !lduw_be_p(info->l4 + 6)) {
            return;             /* malformed, or without a checksum */
        }
        len = udp;
    } else {
        info->l4 = NULL;
        return;
    }
    sum = info->ipv6 ? nic_sum(info->l3 + 8, 32) : nic_sum(info->l3 + 12, 8);
    sum = nic_sum_add(nic_sum_add(sum, info->proto), len);
    sum = nic_sum_add(sum, nic_sum(info->l4, len));
    info->flags |= sum == 0xffff ? ALINK_NIC_RX_L4_OK : ALINK_NIC_RX_CSUM_BAD;
}

static void nic_rss_hash(AlinkNic *s, NicRxInfo *info)
{
    /* One byte more than the key: the helper looks one ahead. */
    uint8_t key[ALINK_NIC_RSS_KEY + 1] = { 0 };
    uint32_t l3, tcp, udp, hash = 0;
    net_toeplitz_key state;
    bool ports;

    if (!info->l3) {
        return;
    }
    l3 = info->ipv6 ? ALINK_NIC_HASH_IPV6 : ALINK_NIC_HASH_IPV4;
    tcp = info->ipv6 ? ALINK_NIC_HASH_TCP_IPV6 : ALINK_NIC_HASH_TCP_IPV4;
    udp = info->ipv6 ? ALINK_NIC_HASH_UDP_IPV6 : ALINK_NIC_HASH_UDP_IPV4;
    ports = info->l4 &&
            ((info->proto == IPPROTO_TCP && (s->rss_hashes & tcp)) ||
             (info->proto == IPPROTO_UDP && (s->rss_hashes & udp)));
    if (!ports && !(s->rss_hashes & l3)) {
        return;
    }

    memcpy(key, s->rss_key, ALINK_NIC_RSS_KEY);
    net_toeplitz_key_init(&state, key);
    net_toeplitz_add(&hash, (uint8_t *)info->l3 + (info->ipv6 ? 8 : 12),
                     info->ipv6 ? 32 : 8, &state);
    if (ports) {
        net_toeplitz_add(&hash, (uint8_t *)info->l4, 4, &state);
    }
    info->hash = hash;
    info->flags |= ports ? ALINK_NIC_RX_HASH_L4 : ALINK_NIC_RX_HASH_L3;
}

static void nic_rx_parse(AlinkNic *s, NicRxInfo *info, const uint8_t *p,
                         size_t len)
{
    size_t at = 2 * ETH_ALEN;
    uint16_t type = lduw_be_p(p + at);

    at += 2;
    if (type == ETH_P_VLAN && len >= at + 4) {
        type = lduw_be_p(p + at + 2);
        at += 4;
    }
    if (type == ETH_P_IP) {
        nic_parse_ipv4(info, p + at, len - at);
    } else if (type == ETH_P_IPV6) {
        nic_parse_ipv6(info, p + at, len - at);
    }
    if (info->l4) {
        nic_check_l4(info);
    }
    nic_rss_hash(s, info);
}

static bool nic_rx_filter(AlinkNic *s, const uint8_t *dst)
{
    unsigned i;

    if ((s->rx_mode & ALINK_NIC_RXM_PROMISC) || !memcmp(dst, s->mac, ETH_ALEN)) {
        return true;
    }
    if (is_broadcast_ether_addr(dst)) {
        return s->rx_mode & ALINK_NIC_RXM_BROADCAST;
    }
    if (is_multicast_ether_addr(dst) && (s->rx_mode & ALINK_NIC_RXM_ALLMULTI)) {
        return true;
    }
    for (i = 0; i < s->num_filters; i++) {
        if (!memcmp(dst, s->filter[i], ETH_ALEN)) {
            return true;
        }
    }
    return false;
}

/* --- into the ring -------------------------------------------------------- */

/* Buffer at free-running @index, below rx_tail; NULL: the queue has stopped. */
static struct alink_nic_rx_desc *nic_rx_buffer(NicQueue *q, uint32_t index)
{
    uint32_t slot, n;
    enum alink_status st;
    struct alink_nic_rx_desc *d;
    uint64_t addr;

    if (index - q->rx_cache_at >= q->rx_cache_n) {
        slot = index & (q->rx_size - 1);
        n = MIN(q->rx_tail - index, NIC_RX_CACHE);
        n = MIN(n, q->rx_size - slot);
        addr = q->rx_ring + slot * sizeof(*d);
        st = alink_dma_read(nic_ad(q->nic), addr, q->rx_cache, n * sizeof(*d));
        if (st != ALINK_ST_OK) {
            nic_queue_stop(q, true, st, addr);
            return NULL;
        }
        q->rx_cache_at = index;
        q->rx_cache_n = n;
    }
    d = &q->rx_cache[index - q->rx_cache_at];
    if (d->reserved || le32_to_cpu(d->len) < ALINK_NIC_MIN_BUF ||
        le32_to_cpu(d->len) > ALINK_NIC_MAX_BUF) {
        alink_guest_error(nic_ad(q->nic),
                          ALINK_NIC_QUEUE(q->id, ALINK_NIC_Q_RX_TAIL),
                          "queue %u: bad RX descriptor %u", q->id, index);
        nic_queue_stop(q, true, ALINK_ST_BAD_FIELD, le64_to_cpu(d->addr));
        return NULL;
    }
    return d;
}

static bool nic_rx_complete(NicQueue *q, const struct alink_nic_rx_cpl *cpl,
                            enum alink_status status)
{
    AlinkDevice *ad = nic_ad(q->nic);
    uint32_t slot = q->rx_cpl_idx & (q->rx_size - 1);
    uint64_t addr = q->rx_cpl + slot * sizeof(*cpl);
    uint32_t phase = !(q->rx_cpl_idx & q->rx_size);
    enum alink_status st;

    st = alink_dma_write(ad, addr, cpl,
                         offsetof(struct alink_nic_rx_cpl, status));
    if (st == ALINK_ST_OK) {
        smp_wmb();              /* the phase goes last */
        st = alink_dma_write32(ad, addr +
                               offsetof(struct alink_nic_rx_cpl, status),
                               status | phase << 16);
    }
    if (st != ALINK_ST_OK) {
        nic_queue_stop(q, true, st, addr);
        return false;
    }
    q->rx_cpl_idx++;
    return true;
}

/* Number of buffers that @len bytes need; 0: not there now, -1: never */
static int nic_rx_room(NicQueue *q, size_t len)
{
    uint32_t have = q->rx_tail - q->rx_head;
    size_t room = 0;
    unsigned n = 0;

    while (room < len) {
        struct alink_nic_rx_desc *d;

        if (n == have) {
            return have == q->rx_size ? -1 : 0;
        }
        d = nic_rx_buffer(q, q->rx_head + n);
        if (!d) {
            return -1;
        }
        room += le32_to_cpu(d->len);
        n++;
    }
    return n;
}

static NicRxVerdict nic_rx_deliver(NicQueue *q, const NicRxInfo *info,
                                   const uint8_t *p, size_t len, bool may_hold)
{
    AlinkNic *s = q->nic;
    AlinkDevice *ad = nic_ad(s);
    int n = nic_rx_room(q, len);
    size_t done = 0;
    bool lost = false;
    int i;

    if (n < 0) {
        s->stat[q->stopped ? NIC_RX_NO_QUEUE : NIC_RX_TOO_LONG]++;
        return NIC_RX_TAKEN;
    }
    if (!n) {
        trace_alink_nic_rx_held(alink_device_name(ad), q->id, len);
        if (may_hold) {
            s->stat[NIC_RX_PAUSED]++;
            return NIC_RX_HELD;
        }
        s->stat[NIC_RX_ERRORS]++;
        return NIC_RX_TAKEN;
    }

    for (i = 0; i < n; i++) {
        struct alink_nic_rx_desc *d = nic_rx_buffer(q, q->rx_head);
        struct alink_nic_rx_cpl cpl = {};
        enum alink_status st;
        uint16_t flags = info->flags;
        size_t piece;

        if (!d) {
            return NIC_RX_TAKEN;
        }
        piece = MIN(len - done, le32_to_cpu(d->len));
        flags |= i ? 0 : ALINK_NIC_RX_FIRST;
        flags |= i == n - 1 ? ALINK_NIC_RX_LAST : 0;
        st = alink_dma_write(ad, le64_to_cpu(d->addr), p + done, piece);
        lost |= st != ALINK_ST_OK;
        cpl.index = cpu_to_le32(q->rx_head);
        cpl.hash = cpu_to_le32(info->hash);
        cpl.len = cpu_to_le16(piece);
        cpl.flags = cpu_to_le16(flags);
        if (alink_lie_record(ad, ALINK_LIE_RX_INDEX)) {
            cpl.index = cpu_to_le32(q->rx_head + 0x8001);
        }
        if (alink_lie_record(ad, ALINK_LIE_RX_LENGTH)) {
            cpl.len = cpu_to_le16(UINT16_MAX);
        }
        if (alink_lie_record(ad, ALINK_LIE_RX_STATUS)) {
            st = 0xdead;
        }
        q->rx_head++;
        done += piece;
        if (!nic_rx_complete(q, &cpl, st)) {
            return NIC_RX_TAKEN;
        }
    }
    trace_alink_nic_rx(alink_device_name(ad), q->id, len, info->flags,
                       info->hash);
    if (lost) {
        s->stat[NIC_RX_ERRORS]++;
    } else {
        s->stat[NIC_RX_FRAMES]++;
        s->stat[NIC_RX_BYTES] += len;
        if (is_broadcast_ether_addr(p)) {
            s->stat[NIC_RX_BROADCAST]++;
        } else if (is_multicast_ether_addr(p)) {
            s->stat[NIC_RX_MULTICAST]++;
        }
        if (info->flags & ALINK_NIC_RX_CSUM_BAD) {
            s->stat[NIC_RX_CSUM_BAD]++;
        }
        nic_count_size(s, NIC_RX_SIZE, len);
    }
    nic_queue_check_irq(q);
    return NIC_RX_TAKEN;
}

static NicRxVerdict nic_rx_frame(AlinkNic *s, const uint8_t *p, size_t len,
                                 bool may_hold)
{
    NicRxInfo info = {};
    NicQueue *q;
    unsigned id;

    if (len < ETH_HLEN) {
        s->stat[NIC_RX_TOO_SHORT]++;
        return NIC_RX_TAKEN;
    }
    if (len > s->max_frame) {
        s->stat[NIC_RX_TOO_LONG]++;
        return NIC_RX_TAKEN;
    }
    if (!nic_rx_filter(s, p)) {
        s->stat[NIC_RX_FILTERED]++;
        return NIC_RX_TAKEN;
    }
    if (len < ALINK_NIC_MIN_FRAME) {
        memmove(s->rx_buf, p, len);
        memset(s->rx_buf + len, 0, ALINK_NIC_MIN_FRAME - len);
        p = s->rx_buf;
        len = ALINK_NIC_MIN_FRAME;
    }

    nic_rx_parse(s, &info, p, len);
    id = s->rss_table[info.hash % ALINK_NIC_RSS_ENTRIES];
    q = &s->queue[id];
    if (!q->live || q->stopped) {
        s->stat[NIC_RX_NO_QUEUE]++;
        return NIC_RX_TAKEN;
    }
    return nic_rx_deliver(q, &info, p, len, may_hold);
}

/*
 * Net layer. Returns 0 for a frame that must wait: the net layer then holds
 * it, and all that follow, until qemu_flush_queued_packets().
 */
ssize_t nic_receive(NetClientState *nc, const uint8_t *buf, size_t len)
{
    AlinkNic *s = qemu_get_nic_opaque(nc);
    const uint8_t *p = buf;

    if (s->link != ALINK_LINK_UP || !alink_dma_allowed(nic_ad(s)) ||
        (s->port_flags & ALINK_NIC_PORT_LOOPBACK)) {
        return len;
    }
    if (s->corrupt_rx && len > ETH_HLEN && len <= sizeof(s->rx_buf) &&
        s->rx_count + 1 >= s->corrupt_rx) {
        memcpy(s->rx_buf, buf, len);
        s->rx_buf[len - 1] ^= 0xff;
        p = s->rx_buf;
    }
    if (nic_rx_frame(s, p, len, true) == NIC_RX_HELD) {
        return 0;
    }
    s->rx_count = p == buf ? s->rx_count + 1 : 0;
    return len;
}

void nic_rx_loopback(AlinkNic *s, const uint8_t *buf, size_t len)
{
    nic_rx_frame(s, buf, len, false);
}
