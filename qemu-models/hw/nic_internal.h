/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink NIC model: state shared by nic.c (device, port, commands),
 * nic_queue.c (queue pairs, interrupts), nic_tx.c and nic_rx.c.
 *
 * Everything runs under the BQL: frames are small, so nothing goes to a worker
 * thread and there is never work in flight outside of these functions.
 */
#ifndef HW_ALINK_NIC_INTERNAL_H
#define HW_ALINK_NIC_INTERNAL_H

#include "alink_common.h"
#include "net/net.h"
#include "qom/object.h"

#include <hw/alink/nic.h>

#define TYPE_ALINK_NIC "alink-nic"
OBJECT_DECLARE_SIMPLE_TYPE(AlinkNic, ALINK_NIC)

/* Indices of the statistics, in the order of their registers */
typedef enum NicStat {
    NIC_TX_FRAMES,
    NIC_TX_BYTES,
    NIC_TX_MULTICAST,
    NIC_TX_BROADCAST,
    NIC_TX_TSO,
    NIC_TX_CSUM,
    NIC_TX_ERRORS,
    NIC_TX_NO_LINK,
    NIC_RX_FRAMES,
    NIC_RX_BYTES,
    NIC_RX_MULTICAST,
    NIC_RX_BROADCAST,
    NIC_RX_FILTERED,
    NIC_RX_PAUSED,
    NIC_RX_NO_QUEUE,
    NIC_RX_ERRORS,
    NIC_RX_TOO_LONG,
    NIC_RX_TOO_SHORT,
    NIC_RX_CSUM_BAD,
    NIC_IRQS,
    NIC_TX_SIZE,                                /* seven ranges, ... */
    NIC_RX_SIZE = NIC_TX_SIZE + 8,              /* one hole, seven ranges */
    NIC_NUM_STATS = NIC_RX_SIZE + ALINK_NIC_NUM_SIZES,
} NicStat;

#define NIC_RX_CACHE    32

typedef struct NicQueue {
    AlinkNic *nic;
    unsigned id;
    bool live;
    bool stopped;
    bool armed;
    uint16_t vector;

    uint64_t tx_ring, tx_cpl, rx_ring, rx_cpl;
    uint32_t tx_size, rx_size;
    uint32_t tx_head, tx_tail, tx_cpl_idx;
    uint32_t rx_head, rx_tail, rx_cpl_idx;

    bool tx_skip;               /* until the end of a packet without one */
    QEMUBH *tx_bh;

    /* Buffers read ahead: index rx_cache_at is at [0] */
    struct alink_nic_rx_desc rx_cache[NIC_RX_CACHE];
    uint32_t rx_cache_at, rx_cache_n;

    uint16_t seen_rx, seen_tx;  /* as the driver wrote to ARM */
    uint16_t rx_usecs, rx_frames, tx_usecs, tx_frames;
    QEMUTimer *irq_timer;
} NicQueue;

struct AlinkNic {
    AlinkDevice parent_obj;

    NICState *nic;
    NICConf conf;
    char *role_name;            /* "role": scaleout or dcn */
    uint32_t rate;              /* "rate": 400 or 800, Gb/s */
    uint32_t train_ms;          /* "x-train-ms" */
    uint32_t corrupt_rx;        /* "x-corrupt-rx" */
    uint32_t rx_count;          /* frames since the last corrupted one */
    uint32_t lanes;
    enum alink_nic_role role;

    enum alink_link_state link;
    enum alink_down_reason reason;
    uint64_t link_downs;
    QEMUTimer *train_timer;

    uint32_t port_flags;
    uint32_t max_frame;
    uint8_t mac[6];
    uint32_t rx_mode;
    unsigned num_filters;
    uint8_t filter[ALINK_NIC_MAX_FILTERS][6];
    uint32_t rss_hashes;
    uint8_t rss_key[ALINK_NIC_RSS_KEY];
    uint8_t rss_table[ALINK_NIC_RSS_ENTRIES];

    NicQueue queue[ALINK_NIC_MAX_QUEUES];
    unsigned tx_unsent;         /* frames that the peer has not taken yet */
    QEMUBH *rx_bh;              /* buffers were offered: let frames in */
    uint64_t stat[NIC_NUM_STATS];

    uint8_t tx_buf[ALINK_NIC_MAX_PACKET + ALINK_NIC_MIN_FRAME];
    uint8_t rx_buf[ALINK_NIC_MAX_FRAME];
};

static inline AlinkDevice *nic_ad(AlinkNic *s)
{
    return ALINK_DEVICE(s);
}

/* Sum of @len bytes as 16-bit big-endian words, folded, not complemented. */
uint16_t nic_sum(const uint8_t *p, size_t len);
/* One's complement addition of folded sums. */
static inline uint16_t nic_sum_add(uint32_t a, uint32_t b)
{
    a += b;
    return (a & 0xffff) + (a >> 16);
}

/* Counts a frame in the range of its size. */
void nic_count_size(AlinkNic *s, NicStat first, size_t len);

/* nic_queue.c */
enum alink_status nic_queue_create(AlinkNic *s, const struct alink_nic_queue *c);
void nic_queue_destroy(NicQueue *q);
void nic_queue_stop(NicQueue *q, bool rx, enum alink_status status,
                    uint64_t addr);
void nic_queue_check_irq(NicQueue *q);
void nic_queue_arm(NicQueue *q, uint32_t value);
void nic_queues_init(AlinkNic *s);
void nic_queues_cleanup(AlinkNic *s);

/* nic_tx.c */
void nic_tx_bh(void *opaque);
/* Drops what the peer has not taken; after the link went down, and at reset. */
void nic_tx_purge(AlinkNic *s);
void nic_tx_kick_all(AlinkNic *s);

/* nic_rx.c */
ssize_t nic_receive(NetClientState *nc, const uint8_t *buf, size_t len);
void nic_rx_loopback(AlinkNic *s, const uint8_t *buf, size_t len);

#endif /* HW_ALINK_NIC_INTERNAL_H */
