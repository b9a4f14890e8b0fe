/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink NIC: the Ethernet adapter of an xPU (scale-out) or of a CPU node (DCN).
 * Specification: Documentation/hw/nic.rst.
 *
 * Usage:
 *
 *   -netdev hubport,id=n0,hubid=0
 *   -device alink-nic,netdev=n0[,mac=52:54:00:12:34:56]
 *
 *     role=scaleout|dcn      what it is for; default scaleout
 *     rate=400|800           Gb/s; default 400
 *     netdev=ID, mac=ADDR    as every NIC; any back end does. Without one the
 *                            link has no partner and stays down
 *
 * The link follows `set_link ID on|off` (QMP and HMP), on the NIC or on its
 * back end. Besides the knobs that every ALink device has:
 *
 *     x-train-ms=N           how long link training takes; default 20
 *     x-corrupt-rx=N         flip a byte of every N-th frame received; 0: off
 *
 * Frames pass the back end one by one: segmentation and checksums are done
 * here, so that what a peer sees is what a wire would carry.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"
#include "hw/qdev-properties.h"
#include "net/eth.h"
#include "nic_internal.h"
#include "trace.h"

/* What the variants differ in */
static const struct NicVariant {
    const char *role;
    uint32_t rate;              /* Gb/s */
    uint32_t variant;
    enum alink_nic_role id;
    uint32_t lanes;
    const char *name;
    const char *part_number;
    int32_t power;              /* milliwatt */
    int32_t power_max;
} nic_variants[] = {
    { "scaleout", 400, ALINK_NIC_SCALEOUT_400, ALINK_NIC_ROLE_SCALEOUT, 4,
      "ALink NIC 400G scale-out", "ALN-S400", 17000, 25000 },
    { "scaleout", 800, ALINK_NIC_SCALEOUT_800, ALINK_NIC_ROLE_SCALEOUT, 8,
      "ALink NIC 800G scale-out", "ALN-S800", 27000, 40000 },
    { "dcn", 400, ALINK_NIC_DCN_400, ALINK_NIC_ROLE_DCN, 4,
      "ALink NIC 400G DCN", "ALN-D400", 17000, 25000 },
    { "dcn", 800, ALINK_NIC_DCN_800, ALINK_NIC_ROLE_DCN, 8,
      "ALink NIC 800G DCN", "ALN-D800", 27000, 40000 },
};

#define NIC_SENSOR(name)    ((ALINK_REG_##name - ALINK_REG_TEMP) / 4)

/* --- link ----------------------------------------------------------------- */

static bool nic_has_partner(AlinkNic *s)
{
    NetClientState *nc = qemu_get_queue(s->nic);

    return nc->peer && !nc->link_down;
}

static void nic_link_set(AlinkNic *s, enum alink_link_state state,
                         enum alink_down_reason reason)
{
    AlinkDevice *ad = nic_ad(s);
    bool was_up = s->link == ALINK_LINK_UP;
    bool up = state == ALINK_LINK_UP;

    if (s->link == state && s->reason == reason) {
        return;
    }
    trace_alink_nic_link(alink_device_name(ad), state, reason);
    s->link = state;
    s->reason = reason;
    if (was_up == up) {
        return;
    }
    if (!up) {
        s->link_downs++;
        nic_tx_purge(s);
    }
    nic_tx_kick_all(s);
    qemu_bh_schedule(s->rx_bh);
    alink_event_post(ad, ALINK_EVENT_LINK, 0, up, reason, 0);
}

static void nic_link_update(AlinkNic *s)
{
    if (!(s->port_flags & ALINK_NIC_PORT_ENABLE)) {
        timer_del(s->train_timer);
        nic_link_set(s, ALINK_LINK_DOWN, ALINK_DOWN_ADMIN);
    } else if (s->port_flags & ALINK_NIC_PORT_LOOPBACK) {
        timer_del(s->train_timer);
        nic_link_set(s, ALINK_LINK_UP, ALINK_DOWN_NONE);
    } else if (!nic_has_partner(s)) {
        timer_del(s->train_timer);
        nic_link_set(s, ALINK_LINK_DOWN, ALINK_DOWN_NO_PARTNER);
    } else if (s->link == ALINK_LINK_DOWN) {
        nic_link_set(s, ALINK_LINK_TRAINING, ALINK_DOWN_NONE);
        timer_mod(s->train_timer,
                  qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + s->train_ms);
    }
}

static void nic_link_trained(void *opaque)
{
    AlinkNic *s = opaque;

    if (s->link == ALINK_LINK_TRAINING) {
        nic_link_set(s, ALINK_LINK_UP, ALINK_DOWN_NONE);
    }
}

static void nic_link_status_changed(NetClientState *nc)
{
    AlinkNic *s = qemu_get_nic_opaque(nc);

    nic_link_update(s);
}

/*
 * Buffers were offered, or the port changed: frames that waited may come in.
 * First the one that we refused, then what waits behind it in a hub: the net
 * layer alone would ask the hub first, and change the order.
 */
static void nic_rx_bh(void *opaque)
{
    AlinkNic *s = opaque;
    NetClientState *nc = qemu_get_queue(s->nic);
    g_autoptr(AlinkInBh) in = alink_bh_enter(nic_ad(s), s->rx_bh);

    if (!in) {
        return;
    }
    nc->receive_disabled = 0;
    if (qemu_net_queue_flush(nc->incoming_queue)) {
        qemu_flush_queued_packets(nc);
    }
}

/* --- registers ------------------------------------------------------------ */

static uint64_t nic_read_mac(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkNic *s = ALINK_NIC(ad);
    uint64_t value = 0;

    memcpy(&value, s->conf.macaddr.a, ETH_ALEN);
    return le64_to_cpu(value);
}

static uint64_t nic_read_info(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkNic *s = ALINK_NIC(ad);
    bool up = s->link == ALINK_LINK_UP;

    switch (reg->offset) {
    case ALINK_NIC_REG_ROLE:
        return s->role;
    case ALINK_NIC_REG_LINK_STATE:
        return s->link;
    case ALINK_NIC_REG_LINK_SPEED:
        return up ? s->rate * 1000 : 0;
    case ALINK_NIC_REG_MAX_SPEED:
        return s->rate * 1000;
    case ALINK_NIC_REG_LANES:
        return s->lanes << 16 | (up ? s->lanes : 0);
    case ALINK_NIC_REG_LINK_REASON:
        return s->reason;
    case ALINK_NIC_REG_LINK_FEC:
        return up ? ALINK_FEC_RS544 : ALINK_FEC_NONE;
    case ALINK_NIC_REG_PORT_FLAGS:
        return s->port_flags;
    case ALINK_NIC_REG_LINK_DOWNS:
        return s->link_downs;
    default:
        g_assert_not_reached();
    }
}

static uint64_t nic_read_stat(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    AlinkNic *s = ALINK_NIC(ad);

    return s->stat[(reg->offset - ALINK_NIC_REG_STAT(0)) / 8 + n];
}

static uint64_t nic_read_queue(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    NicQueue *q = &ALINK_NIC(ad)->queue[n];

    switch (reg->offset - ALINK_NIC_QUEUE_BASE) {
    case ALINK_NIC_Q_STATE:
        return (q->live ? ALINK_NIC_QSTATE_LIVE : 0) |
               (q->stopped ? ALINK_NIC_QSTATE_STOPPED : 0) |
               (q->armed ? ALINK_NIC_QSTATE_ARMED : 0);
    case ALINK_NIC_Q_TX_HEAD:
        return q->tx_head;
    case ALINK_NIC_Q_RX_HEAD:
        return q->rx_head;
    case ALINK_NIC_Q_TX_CPL:
        return q->tx_cpl_idx;
    case ALINK_NIC_Q_RX_CPL:
        return q->rx_cpl_idx;
    default:
        g_assert_not_reached();
    }
}

/* Whether @tail is neither behind @head nor more than @size ahead of it, and
 * not behind what was offered before. */
static bool nic_tail_ok(uint32_t head, uint32_t old, uint32_t tail,
                        uint32_t size)
{
    return tail - head <= size && tail - head >= old - head;
}

static void nic_write_queue(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                            uint64_t value)
{
    AlinkNic *s = ALINK_NIC(ad);
    NicQueue *q = &s->queue[n];
    unsigned offset = reg->offset - ALINK_NIC_QUEUE_BASE;

    trace_alink_nic_doorbell(alink_device_name(ad), n, offset, value);
    if (!q->live) {
        alink_guest_error(ad, ALINK_NIC_QUEUE(n, offset),
                          "doorbell of queue %u, which does not exist", n);
        return;
    }
    if (q->stopped) {
        return;
    }
    switch (offset) {
    case ALINK_NIC_Q_TX_TAIL:
        if (!nic_tail_ok(q->tx_head, q->tx_tail, value, q->tx_size)) {
            alink_guest_error(ad, ALINK_NIC_QUEUE(n, offset),
                              "queue %u: TX tail %u, head %u", n,
                              (unsigned)value, q->tx_head);
            return;
        }
        q->tx_tail = value;
        qemu_bh_schedule(q->tx_bh);
        break;
    case ALINK_NIC_Q_RX_TAIL:
        if (!nic_tail_ok(q->rx_head, q->rx_tail, value, q->rx_size)) {
            alink_guest_error(ad, ALINK_NIC_QUEUE(n, offset),
                              "queue %u: RX tail %u, head %u", n,
                              (unsigned)value, q->rx_head);
            return;
        }
        q->rx_tail = value;
        qemu_bh_schedule(s->rx_bh);
        break;
    case ALINK_NIC_Q_ARM:
        nic_queue_arm(q, value);
        break;
    default:
        g_assert_not_reached();
    }
}

#define NIC_INFO(reg_name, bits) \
    { .name = "NIC_REG_" #reg_name, .offset = ALINK_NIC_REG_##reg_name, \
      .access = ALINK_RO, .width = (bits), .read = nic_read_info }
#define NIC_CONST(reg_name, value) \
    { .name = "NIC_REG_" #reg_name, .offset = ALINK_NIC_REG_##reg_name, \
      .access = ALINK_RO, .width = 32, .reset = (value) }
#define NIC_STAT(reg_name, num) \
    { .name = "NIC_REG_" #reg_name, .offset = ALINK_NIC_REG_##reg_name, \
      .access = ALINK_RO, .width = 64, .count = (num), .stride = 8, \
      .read = nic_read_stat }
#define NIC_Q_RO(reg_name) \
    { .name = "NIC_Q_" #reg_name, \
      .offset = ALINK_NIC_QUEUE_BASE + ALINK_NIC_Q_##reg_name, \
      .access = ALINK_RO, .width = 32, .count = ALINK_NIC_MAX_QUEUES, \
      .stride = ALINK_NIC_QUEUE_STRIDE, .read = nic_read_queue }
#define NIC_Q_DB(reg_name) \
    { .name = "NIC_Q_" #reg_name, \
      .offset = ALINK_NIC_QUEUE_BASE + ALINK_NIC_Q_##reg_name, \
      .access = ALINK_WO, .width = 32, .count = ALINK_NIC_MAX_QUEUES, \
      .stride = ALINK_NIC_QUEUE_STRIDE, .doorbell = true, \
      .write = nic_write_queue }

static const AlinkReg nic_regs[] = {
    { .name = "NIC_REG_MAC", .offset = ALINK_NIC_REG_MAC, .access = ALINK_RO,
      .width = 64, .read = nic_read_mac },
    NIC_INFO(ROLE, 32),
    NIC_CONST(NUM_QUEUES, ALINK_NIC_MAX_QUEUES),
    NIC_CONST(MAX_RING, ALINK_NIC_MAX_RING),
    NIC_CONST(MAX_FRAME, ALINK_NIC_MAX_FRAME),
    NIC_CONST(MAX_FILTERS, ALINK_NIC_MAX_FILTERS),
    NIC_CONST(FEATURES, ALINK_NIC_FEAT_CSUM | ALINK_NIC_FEAT_TSO |
              ALINK_NIC_FEAT_RSS | ALINK_NIC_FEAT_LOOPBACK),
    NIC_INFO(LINK_STATE, 32),
    NIC_INFO(LINK_SPEED, 32),
    NIC_INFO(MAX_SPEED, 32),
    NIC_INFO(LANES, 32),
    NIC_INFO(LINK_REASON, 32),
    NIC_INFO(LINK_FEC, 32),
    NIC_INFO(PORT_FLAGS, 32),
    NIC_INFO(LINK_DOWNS, 64),
    NIC_STAT(TX_FRAMES, 1),
    NIC_STAT(TX_BYTES, 1),
    NIC_STAT(TX_MULTICAST, 1),
    NIC_STAT(TX_BROADCAST, 1),
    NIC_STAT(TX_TSO, 1),
    NIC_STAT(TX_CSUM, 1),
    NIC_STAT(TX_ERRORS, 1),
    NIC_STAT(TX_NO_LINK, 1),
    NIC_STAT(RX_FRAMES, 1),
    NIC_STAT(RX_BYTES, 1),
    NIC_STAT(RX_MULTICAST, 1),
    NIC_STAT(RX_BROADCAST, 1),
    NIC_STAT(RX_FILTERED, 1),
    NIC_STAT(RX_PAUSED, 1),
    NIC_STAT(RX_NO_QUEUE, 1),
    NIC_STAT(RX_ERRORS, 1),
    NIC_STAT(RX_TOO_LONG, 1),
    NIC_STAT(RX_TOO_SHORT, 1),
    NIC_STAT(RX_CSUM_BAD, 1),
    NIC_STAT(IRQS, 1),
    NIC_STAT(TX_SIZE_64, ALINK_NIC_NUM_SIZES),
    NIC_STAT(RX_SIZE_64, ALINK_NIC_NUM_SIZES),
    NIC_Q_DB(TX_TAIL),
    NIC_Q_DB(RX_TAIL),
    NIC_Q_DB(ARM),
    NIC_Q_RO(STATE),
    NIC_Q_RO(TX_HEAD),
    NIC_Q_RO(RX_HEAD),
    NIC_Q_RO(TX_CPL),
    NIC_Q_RO(RX_CPL),
};

QEMU_BUILD_BUG_ON(ALINK_NIC_REG_STAT(NIC_IRQS) != ALINK_NIC_REG_IRQS);
QEMU_BUILD_BUG_ON(ALINK_NIC_REG_STAT(NIC_TX_SIZE) != ALINK_NIC_REG_TX_SIZE_64);
QEMU_BUILD_BUG_ON(ALINK_NIC_REG_STAT(NIC_RX_SIZE) != ALINK_NIC_REG_RX_SIZE_64);
QEMU_BUILD_BUG_ON(ALINK_NIC_REG_STAT(NIC_RX_FRAMES) !=
                  ALINK_NIC_REG_RX_FRAMES);

/* --- admin commands ------------------------------------------------------- */

static void nic_run_queue_create(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    struct alink_nic_queue c;
    enum alink_status status;

    memcpy(&c, alink_admin_tlv(cmd, ALINK_TLV_NIC_QUEUE, NULL), sizeof(c));
    status = nic_queue_create(ALINK_NIC(ad), &c);
    if (status != ALINK_ST_OK) {
        alink_admin_fail(cmd, status, ALINK_TLV_NIC_QUEUE);
    } else {
        alink_admin_complete(cmd, status);
    }
}

static NicQueue *nic_find_queue(AlinkDevice *ad, uint32_t id)
{
    NicQueue *q = NULL;

    if (id < ALINK_NIC_MAX_QUEUES) {
        q = &ALINK_NIC(ad)->queue[id];
    }
    return q && q->live ? q : NULL;
}

static void nic_run_queue_destroy(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    NicQueue *q = nic_find_queue(ad, alink_admin_tlv_id(cmd));

    if (!q) {
        alink_admin_fail(cmd, ALINK_ST_NOT_FOUND, ALINK_TLV_ID);
        return;
    }
    nic_queue_destroy(q);
    /* A frame that waited for its buffers is to be dropped now. */
    qemu_bh_schedule(ALINK_NIC(ad)->rx_bh);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void nic_run_coalesce(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    struct alink_nic_coalesce c;
    NicQueue *q;

    memcpy(&c, alink_admin_tlv(cmd, ALINK_TLV_NIC_COALESCE, NULL), sizeof(c));
    if (c.reserved || le16_to_cpu(c.rx_usecs) > ALINK_NIC_MAX_USECS ||
        le16_to_cpu(c.tx_usecs) > ALINK_NIC_MAX_USECS ||
        le32_to_cpu(c.queue) >= ALINK_NIC_MAX_QUEUES) {
        alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, ALINK_TLV_NIC_COALESCE);
        return;
    }
    q = nic_find_queue(ad, le32_to_cpu(c.queue));
    if (!q) {
        alink_admin_fail(cmd, ALINK_ST_NOT_FOUND, ALINK_TLV_NIC_COALESCE);
        return;
    }
    q->rx_usecs = le16_to_cpu(c.rx_usecs);
    q->rx_frames = le16_to_cpu(c.rx_frames);
    q->tx_usecs = le16_to_cpu(c.tx_usecs);
    q->tx_frames = le16_to_cpu(c.tx_frames);
    timer_del(q->irq_timer);
    nic_queue_check_irq(q);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void nic_run_rss_set(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkNic *s = ALINK_NIC(ad);
    struct alink_nic_rss c;
    unsigned i;

    memcpy(&c, alink_admin_tlv(cmd, ALINK_TLV_NIC_RSS, NULL), sizeof(c));
    if (c.reserved || (le32_to_cpu(c.hashes) & ~ALINK_NIC_HASH_KNOWN)) {
        alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, ALINK_TLV_NIC_RSS);
        return;
    }
    for (i = 0; i < ALINK_NIC_RSS_ENTRIES; i++) {
        if (c.table[i] >= ALINK_NIC_MAX_QUEUES) {
            alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, ALINK_TLV_NIC_RSS);
            return;
        }
    }
    s->rss_hashes = le32_to_cpu(c.hashes);
    memcpy(s->rss_key, c.key, sizeof(s->rss_key));
    memcpy(s->rss_table, c.table, sizeof(s->rss_table));
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void nic_run_rx_mode(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkNic *s = ALINK_NIC(ad);
    struct alink_nic_rx_mode c;
    const struct alink_nic_filter *f;
    size_t len = 0;
    unsigned i, num;

    memcpy(&c, alink_admin_tlv(cmd, ALINK_TLV_NIC_RX_MODE, NULL), sizeof(c));
    if (c.reserved || (le32_to_cpu(c.flags) & ~ALINK_NIC_RXM_KNOWN)) {
        alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, ALINK_TLV_NIC_RX_MODE);
        return;
    }
    f = alink_admin_tlv(cmd, ALINK_TLV_NIC_FILTERS, &len);
    num = f ? len / sizeof(*f) : 0;
    if (len % sizeof(*f)) {
        alink_admin_fail(cmd, ALINK_ST_TLV, ALINK_TLV_NIC_FILTERS);
        return;
    }
    for (i = 0; i < num; i++) {
        if (f[i].reserved) {
            alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, ALINK_TLV_NIC_FILTERS);
            return;
        }
    }
    s->rx_mode = le32_to_cpu(c.flags);
    s->num_filters = num;
    for (i = 0; i < num; i++) {
        memcpy(s->filter[i], f[i].mac, ETH_ALEN);
    }
    alink_admin_complete(cmd, ALINK_ST_OK);
}

static void nic_run_port_set(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    static const uint8_t zero[ETH_ALEN];
    AlinkNic *s = ALINK_NIC(ad);
    struct alink_nic_port c;
    uint32_t flags, max_frame;

    memcpy(&c, alink_admin_tlv(cmd, ALINK_TLV_NIC_PORT, NULL), sizeof(c));
    flags = le32_to_cpu(c.flags);
    max_frame = le32_to_cpu(c.max_frame);
    if (c.reserved || (flags & ~ALINK_NIC_PORT_KNOWN) ||
        max_frame < ALINK_NIC_MIN_FRAME || max_frame > ALINK_NIC_MAX_FRAME ||
        is_multicast_ether_addr(c.mac) || !memcmp(c.mac, zero, ETH_ALEN)) {
        alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, ALINK_TLV_NIC_PORT);
        return;
    }
    s->port_flags = flags;
    s->max_frame = max_frame;
    memcpy(s->mac, c.mac, ETH_ALEN);
    qemu_format_nic_info_str(qemu_get_queue(s->nic), s->mac);
    nic_link_update(s);
    alink_admin_complete(cmd, ALINK_ST_OK);
}

#define NIC_TLV(t, size)    { (t), true, (size), (size) }

static const AlinkAdminSpec nic_admin[] = {
    { ALINK_NIC_ADMIN_QUEUE_CREATE, "nic-queue-create", 0,
      { NIC_TLV(ALINK_TLV_NIC_QUEUE, sizeof(struct alink_nic_queue)) },
      nic_run_queue_create },
    { ALINK_NIC_ADMIN_QUEUE_DESTROY, "nic-queue-destroy", 0,
      { NIC_TLV(ALINK_TLV_ID, 4) }, nic_run_queue_destroy },
    { ALINK_NIC_ADMIN_COALESCE, "nic-coalesce", 0,
      { NIC_TLV(ALINK_TLV_NIC_COALESCE, sizeof(struct alink_nic_coalesce)) },
      nic_run_coalesce },
    { ALINK_NIC_ADMIN_RSS_SET, "nic-rss-set", 0,
      { NIC_TLV(ALINK_TLV_NIC_RSS, sizeof(struct alink_nic_rss)) },
      nic_run_rss_set },
    { ALINK_NIC_ADMIN_RX_MODE, "nic-rx-mode", 0,
      { NIC_TLV(ALINK_TLV_NIC_RX_MODE, sizeof(struct alink_nic_rx_mode)),
        { ALINK_TLV_NIC_FILTERS, false, 0,
          ALINK_NIC_MAX_FILTERS * sizeof(struct alink_nic_filter) } },
      nic_run_rx_mode },
    { ALINK_NIC_ADMIN_PORT_SET, "nic-port-set", 0,
      { NIC_TLV(ALINK_TLV_NIC_PORT, sizeof(struct alink_nic_port)) },
      nic_run_port_set },
};

/* --- device --------------------------------------------------------------- */

static NetClientInfo nic_net_info = {
    .type = NET_CLIENT_DRIVER_NIC,
    .size = sizeof(NICState),
    .receive = nic_receive,
    .link_status_changed = nic_link_status_changed,
};

/* Under the BQL nothing is in flight; what was to start must not. */
static void nic_drain(AlinkDevice *ad)
{
    AlinkNic *s = ALINK_NIC(ad);
    unsigned i;

    nic_tx_purge(s);            /* may schedule what is cancelled below */
    for (i = 0; i < ALINK_NIC_MAX_QUEUES; i++) {
        qemu_bh_cancel(s->queue[i].tx_bh);
        timer_del(s->queue[i].irq_timer);
    }
    qemu_bh_cancel(s->rx_bh);
}

/* Bus mastering came back: what waited for it goes on. */
static void nic_kick(AlinkDevice *ad)
{
    AlinkNic *s = ALINK_NIC(ad);
    unsigned i;

    nic_tx_kick_all(s);
    qemu_bh_schedule(s->rx_bh);
    for (i = 0; i < ALINK_NIC_MAX_QUEUES; i++) {
        if (s->queue[i].live) {
            nic_queue_check_irq(&s->queue[i]);
        }
    }
}

static void nic_reset(AlinkDevice *ad, AlinkResetKind kind)
{
    AlinkNic *s = ALINK_NIC(ad);
    unsigned i;

    for (i = 0; i < ALINK_NIC_MAX_QUEUES; i++) {
        nic_queue_destroy(&s->queue[i]);
    }
    timer_del(s->train_timer);
    if (s->link == ALINK_LINK_UP) {
        s->link_downs++;
    }
    s->link = ALINK_LINK_DOWN;
    s->reason = ALINK_DOWN_ADMIN;
    s->port_flags = 0;
    s->max_frame = ALINK_NIC_MAX_FRAME;
    memcpy(s->mac, s->conf.macaddr.a, ETH_ALEN);
    s->rx_mode = 0;
    s->num_filters = 0;
    s->rss_hashes = 0;
    memset(s->rss_key, 0, sizeof(s->rss_key));
    memset(s->rss_table, 0, sizeof(s->rss_table));
    s->rx_count = 0;
    if (kind == ALINK_RESET_COLD) {
        memset(s->stat, 0, sizeof(s->stat));
        s->link_downs = 0;
    }
    qemu_format_nic_info_str(qemu_get_queue(s->nic), s->mac);
    /* Let go of a sender that is held: the port is off, so frames are lost. */
    qemu_flush_or_purge_queued_packets(qemu_get_queue(s->nic), true);
}

static bool nic_realize(AlinkDevice *ad, Error **errp)
{
    AlinkNic *s = ALINK_NIC(ad);
    const char *role = s->role_name ?: "scaleout";
    const struct NicVariant *v = NULL;
    uint64_t mac = 0;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(nic_variants); i++) {
        if (!strcmp(nic_variants[i].role, role) &&
            nic_variants[i].rate == s->rate) {
            v = &nic_variants[i];
        }
    }
    if (!v) {
        error_setg(errp, "no NIC with role '%s' and rate %u: role is scaleout "
                   "or dcn, rate is 400 or 800", role, s->rate);
        return false;
    }

    s->role = v->id;
    s->lanes = v->lanes;
    ad->variant = v->variant;
    ad->fw_version = 1 << 24 | 1;
    ad->caps = ALINK_CAP_ADMIN | ALINK_CAP_FLASH;
    ad->num_vectors = ALINK_NIC_NUM_VECTORS;
    ad->num_links = 0;
    ad->fabric_id = ALINK_ID_NONE;
    ad->model_name = v->name;
    ad->part_number = v->part_number;

    alink_sensor_default(ad, ALINK_REG_POWER, v->power);
    alink_sensor_default(ad, ALINK_REG_POWER_MAX, v->power_max);

    qemu_macaddr_default_if_unset(&s->conf.macaddr);
    if (!ad->serial) {
        memcpy(&mac, s->conf.macaddr.a, ETH_ALEN);
        ad->serial = (uint64_t)ALINK_DEVTYPE_NIC << 56 |
                     be64_to_cpu(mac) >> 16;
    }
    nic_queues_init(s);
    s->rx_bh = alink_bh_new(nic_rx_bh, s, s);
    s->train_timer = timer_new_ms(QEMU_CLOCK_VIRTUAL, nic_link_trained, s);
    s->nic = qemu_new_nic(&nic_net_info, &s->conf, TYPE_ALINK_NIC,
                          DEVICE(s)->id, &DEVICE(s)->mem_reentrancy_guard, s);
    qemu_format_nic_info_str(qemu_get_queue(s->nic), s->conf.macaddr.a);
    return true;
}

static void nic_unrealize(AlinkDevice *ad)
{
    AlinkNic *s = ALINK_NIC(ad);

    qemu_del_nic(s->nic);
    timer_free(s->train_timer);
    qemu_bh_delete(s->rx_bh);
    nic_queues_cleanup(s);
}

static const Property nic_properties[] = {
    DEFINE_NIC_PROPERTIES(AlinkNic, conf),
    DEFINE_PROP_STRING("role", AlinkNic, role_name),
    DEFINE_PROP_UINT32("rate", AlinkNic, rate, 400),
    DEFINE_PROP_UINT32("x-train-ms", AlinkNic, train_ms, 20),
};

static void nic_instance_init(Object *obj)
{
    AlinkNic *s = ALINK_NIC(obj);
    AlinkDevice *ad = nic_ad(s);

    ad->sensor[NIC_SENSOR(TEMP)] = 51000;
    ad->sensor[NIC_SENSOR(TEMP_MAX)] = 95000;
    ad->sensor[NIC_SENSOR(TEMP_CRIT)] = 105000;
    object_property_add_uint32_ptr(obj, "x-corrupt-rx", &s->corrupt_rx,
                                   OBJ_PROP_FLAG_READWRITE);
}

static void nic_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    AlinkDeviceClass *adc = ALINK_DEVICE_CLASS(oc);

    dc->desc = "ALink NIC (scale-out or DCN)";
    set_bit(DEVICE_CATEGORY_NETWORK, dc->categories);
    device_class_set_props(dc, nic_properties);
    adc->devtype = ALINK_DEVTYPE_NIC;
    adc->regs = nic_regs;
    adc->num_regs = ARRAY_SIZE(nic_regs);
    adc->admin = nic_admin;
    adc->num_admin = ARRAY_SIZE(nic_admin);
    adc->realize = nic_realize;
    adc->unrealize = nic_unrealize;
    adc->drain = nic_drain;
    adc->kick = nic_kick;
    adc->reset = nic_reset;
}

static const TypeInfo nic_types[] = {
    {
        .name = TYPE_ALINK_NIC,
        .parent = TYPE_ALINK_DEVICE,
        .instance_size = sizeof(AlinkNic),
        .instance_init = nic_instance_init,
        .class_init = nic_class_init,
    },
};

DEFINE_TYPES(nic_types)
