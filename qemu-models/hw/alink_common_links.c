/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink common device: what the fabric core serves. Link windows read the
 * core's counters; commands on routes, groups and partitions are translated
 * between TLVs and the core's calls; the core's events go to the event ring
 * of the device that they concern.
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "fabric/alink_fabric.h"
#include "alink_common_internal.h"
#include "trace.h"

/* --- link windows -------------------------------------------------------- */

static void link_info(AlinkDevice *ad, unsigned n, struct af_link_info *info)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    if (!ad->af || af_link_info(ad->af, adc->devtype, ad->fabric_id, n,
                                info)) {
        memset(info, 0, sizeof(*info));
        info->state = ALINK_LINK_ABSENT;
        info->peer_id = ALINK_ID_NONE;
        info->module = ALINK_ID_NONE;
    }
}

static uint64_t read_link(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    struct af_link_info info;

    link_info(ad, n, &info);
    switch (reg->offset) {
    case ALINK_LINK_STATE:
        return info.state;
    case ALINK_LINK_SPEED:
        return info.speed_mbps;
    case ALINK_LINK_MAX_SPEED:
        return info.max_mbps;
    case ALINK_LINK_LANES:
        return info.lanes | info.max_lanes << 16;
    case ALINK_LINK_REASON:
        return info.reason;
    case ALINK_LINK_PEER_ID:
        return info.peer_id;
    case ALINK_LINK_PEER_PORT:
        return (info.peer_port & 0xffffff) | info.peer_type << 24;
    case ALINK_LINK_PEER_SERIAL:
        return info.peer_serial;
    case ALINK_LINK_FEC:
        return info.fec;
    case ALINK_LINK_MODULE:
        return info.module;
    case ALINK_LINK_DOWNS:
        return info.downs;
    case ALINK_LINK_FEC_CTRL:
        return info.fec_ctrl;
    case ALINK_LINK_FEC_CAPS:
        return info.fec_caps;
    case ALINK_LINK_LANES_BAD:
        return info.lanes_bad;
    case ALINK_LINK_RETRAINS:
        return info.retrains;
    case ALINK_LINK_LANE_LOSSES:
        return info.lane_losses;
    case ALINK_LINK_FLAP_CTRL:
        return info.flap_ctrl;
    case ALINK_LINK_STAGE:
        return info.stage;
    case ALINK_LINK_FLAP_HOLDS:
        return info.flap_holds;
    case ALINK_LINK_PRBS_LANES:
        return info.prbs_lanes;
    case ALINK_LINK_PRBS_BITS:
        return info.prbs_bits;
    case ALINK_LINK_PRBS_ERRORS:
        /* About one in a million */
        return ad->inject.fail_prbs && info.prbs_bits ?
            1 + (info.prbs_bits >> 20) : info.prbs_errors;
    case ALINK_LINK_TX_BYTES:
        return info.tx_bytes;
    case ALINK_LINK_RX_BYTES:
        return info.rx_bytes;
    case ALINK_LINK_TX_PACKETS:
        return info.tx_packets;
    case ALINK_LINK_RX_PACKETS:
        return info.rx_packets;
    case ALINK_LINK_TX_RAW:
        return info.tx_raw;
    case ALINK_LINK_RX_RAW:
        return info.rx_raw;
    case ALINK_LINK_FEC_CORR:
        return info.fec_corr;
    case ALINK_LINK_FEC_UNCORR:
        return info.fec_uncorr;
    case ALINK_LINK_CRC_ERRORS:
        return info.crc_errors;
    case ALINK_LINK_REPLAYS:
        return info.replays;
    case ALINK_LINK_TX_ERRORS:
        return info.tx_errors;
    case ALINK_LINK_RX_ERRORS:
        return info.rx_errors;
    case ALINK_LINK_STALL_NS:
        return info.stall_ns;
    case ALINK_LINK_BUSY_NS:
        return info.busy_ns;
    case ALINK_LINK_TX_FRAMES:
        return info.tx_frames;
    case ALINK_LINK_RX_FRAMES:
        return info.rx_frames;
    }
    g_assert_not_reached();
}

static void set_ctrl(AlinkDevice *ad, unsigned n, uint32_t ctrl)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    if (ad->af) {
        af_link_set_ctrl(ad->af, adc->devtype, ad->fabric_id, n, ctrl);
    }
}

static void write_link_ctrl(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                            uint64_t value)
{
    trace_alink_link_ctrl(alink_device_name(ad), n, value);
    set_ctrl(ad, n, value);
}

static void write_link_fec(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                           uint64_t value)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    trace_alink_link_fec(alink_device_name(ad), n, value);
    if (!ad->af ||
        af_link_set_fec(ad->af, adc->devtype, ad->fabric_id, n, value)) {
        alink_guest_error(ad, ALINK_LINK_WINDOW(n) + reg->offset,
                          "no such FEC: 0x%" PRIx64, value);
    }
}

static void write_link_retrain(AlinkDevice *ad, const AlinkReg *reg,
                               unsigned n, uint64_t value)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    trace_alink_link_retrain(alink_device_name(ad), n, value);
    if (value != 1) {
        alink_guest_error(ad, ALINK_LINK_WINDOW(n) + reg->offset,
                          "training is 1, not 0x%" PRIx64, value);
    } else if (ad->af) {
        af_link_retrain(ad->af, adc->devtype, ad->fabric_id, n);
    }
}

static void write_link_flap(AlinkDevice *ad, const AlinkReg *reg, unsigned n,
                            uint64_t value)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    trace_alink_link_flap(alink_device_name(ad), n, value);
    if (ad->af) {
        af_link_set_flap(ad->af, adc->devtype, ad->fabric_id, n, value);
    }
}

#define LREG(_reg, _width) \
    { .name = #_reg, .offset = ALINK_##_reg, .access = ALINK_RO, \
      .width = _width, .read = read_link }

const AlinkReg alink_link_regs[] = {
    LREG(LINK_STATE, 32),
    { .name = "LINK_CTRL", .offset = ALINK_LINK_CTRL, .access = ALINK_RW,
      .width = 32, .reset = ALINK_LINK_CTRL_ENABLE,
      .mask = ALINK_LINK_CTRL_ENABLE | ALINK_LINK_CTRL_IDENTIFY |
              ALINK_LINK_CTRL_LOOPBACK | ALINK_LINK_CTRL_PRBS,
      .write = write_link_ctrl },
    LREG(LINK_SPEED, 32),
    LREG(LINK_MAX_SPEED, 32),
    LREG(LINK_LANES, 32),
    LREG(LINK_REASON, 32),
    LREG(LINK_PEER_ID, 32),
    LREG(LINK_PEER_PORT, 32),
    LREG(LINK_PEER_SERIAL, 64),
    LREG(LINK_FEC, 32),
    LREG(LINK_MODULE, 32),
    LREG(LINK_DOWNS, 64),
    LREG(LINK_PRBS_LANES, 32),
    LREG(LINK_TX_BYTES, 64),
    LREG(LINK_RX_BYTES, 64),
    LREG(LINK_TX_PACKETS, 64),
    LREG(LINK_RX_PACKETS, 64),
    LREG(LINK_TX_RAW, 64),
    LREG(LINK_RX_RAW, 64),
    LREG(LINK_FEC_CORR, 64),
    LREG(LINK_FEC_UNCORR, 64),
    LREG(LINK_CRC_ERRORS, 64),
    LREG(LINK_REPLAYS, 64),
    LREG(LINK_TX_ERRORS, 64),
    LREG(LINK_RX_ERRORS, 64),
    LREG(LINK_STALL_NS, 64),
    LREG(LINK_BUSY_NS, 64),
    LREG(LINK_TX_FRAMES, 64),
    LREG(LINK_RX_FRAMES, 64),
    LREG(LINK_PRBS_BITS, 64),
    LREG(LINK_PRBS_ERRORS, 64),
    { .name = "LINK_FEC_CTRL", .offset = ALINK_LINK_FEC_CTRL,
      .access = ALINK_RW, .width = 32, .read = read_link,
      .write = write_link_fec },
    LREG(LINK_FEC_CAPS, 32),
    LREG(LINK_LANES_BAD, 32),
    { .name = "LINK_RETRAIN", .offset = ALINK_LINK_RETRAIN,
      .access = ALINK_WO, .width = 32, .write = write_link_retrain },
    LREG(LINK_RETRAINS, 64),
    LREG(LINK_LANE_LOSSES, 64),
    { .name = "LINK_FLAP_CTRL", .offset = ALINK_LINK_FLAP_CTRL,
      .access = ALINK_RW, .width = 32, .read = read_link,
      .write = write_link_flap },
    LREG(LINK_STAGE, 32),
    LREG(LINK_FLAP_HOLDS, 64),
};
const unsigned alink_num_link_regs = ARRAY_SIZE(alink_link_regs);

static uint64_t read_lstat(AlinkDevice *ad, const AlinkReg *reg, unsigned n)
{
    struct af_link_info info;

    link_info(ad, n, &info);
    switch (reg->offset) {
    case ALINK_LSTAT_TX_OCTETS:
        return info.tx_frame.octets;
    case ALINK_LSTAT_RX_OCTETS:
        return info.rx_frame.octets;
    case ALINK_LSTAT_TX_MULTICAST:
        return info.tx_frame.multicast;
    case ALINK_LSTAT_RX_MULTICAST:
        return info.rx_frame.multicast;
    case ALINK_LSTAT_TX_BROADCAST:
        return info.tx_frame.broadcast;
    case ALINK_LSTAT_RX_BROADCAST:
        return info.rx_frame.broadcast;
    case ALINK_LSTAT_RX_DROPS:
        return info.rx_drops;
    case ALINK_LSTAT_SYMBOL_ERRORS:
        return info.symbol_errors;
    case ALINK_LSTAT_CREDIT_STALLS:
        return info.credit_stalls;
    case ALINK_LSTAT_CREDIT_LEAKS:
        return info.credit_leaks;
    case ALINK_LSTAT_CREDITS_LOST:
        return info.credits_lost;
    case ALINK_LSTAT_CREDIT_SINCE:
        return info.credit_since;
    case ALINK_LSTAT_CREDITS:
        return info.credits;
    case ALINK_LSTAT_BER:
        return info.ber;
    case ALINK_LSTAT_FEC_CORR(0) ...
         ALINK_LSTAT_FEC_CORR(ALINK_LSTAT_LANES - 1):
        return info.lane_corr[(reg->offset - ALINK_LSTAT_FEC_CORR(0)) / 8];
    case ALINK_LSTAT_FEC_UNCORR(0) ...
         ALINK_LSTAT_FEC_UNCORR(ALINK_LSTAT_LANES - 1):
        return info.lane_uncorr[(reg->offset - ALINK_LSTAT_FEC_UNCORR(0)) / 8];
    case ALINK_LSTAT_TX_SIZE(0) ... ALINK_LSTAT_TX_SIZE(ALINK_LSTAT_SIZES - 1):
        return info.tx_frame.size[(reg->offset - ALINK_LSTAT_TX_SIZE(0)) / 8];
    case ALINK_LSTAT_RX_SIZE(0) ... ALINK_LSTAT_RX_SIZE(ALINK_LSTAT_SIZES - 1):
        return info.rx_frame.size[(reg->offset - ALINK_LSTAT_RX_SIZE(0)) / 8];
    }
    g_assert_not_reached();
}

#define SREG_AT(_reg, _offset) \
    { .name = #_reg, .offset = (_offset), .access = ALINK_RO, .width = 64, \
      .read = read_lstat }
#define SREG(_reg) SREG_AT(_reg, ALINK_##_reg)
#define SROW(_reg, _n) SREG_AT(_reg, ALINK_##_reg(_n))
#define SROW7(_reg) SROW(_reg, 0), SROW(_reg, 1), SROW(_reg, 2), \
    SROW(_reg, 3), SROW(_reg, 4), SROW(_reg, 5), SROW(_reg, 6)
#define SROW8(_reg) SROW7(_reg), SROW(_reg, 7)

const AlinkReg alink_lstat_regs[] = {
    SREG(LSTAT_TX_OCTETS),
    SREG(LSTAT_RX_OCTETS),
    SREG(LSTAT_TX_MULTICAST),
    SREG(LSTAT_RX_MULTICAST),
    SREG(LSTAT_TX_BROADCAST),
    SREG(LSTAT_RX_BROADCAST),
    SREG(LSTAT_RX_DROPS),
    SREG(LSTAT_SYMBOL_ERRORS),
    SROW7(LSTAT_TX_SIZE),
    SROW7(LSTAT_RX_SIZE),
    SROW8(LSTAT_FEC_CORR),
    SROW8(LSTAT_FEC_UNCORR),
    SREG(LSTAT_CREDIT_STALLS),
    SREG(LSTAT_CREDIT_LEAKS),
    SREG(LSTAT_CREDITS_LOST),
    SREG(LSTAT_CREDIT_SINCE),
    SREG(LSTAT_CREDITS),
    SREG(LSTAT_BER),
};
const unsigned alink_num_lstat_regs = ARRAY_SIZE(alink_lstat_regs);

void alink_links_reset(AlinkDevice *ad)
{
    AlinkRegMap *map = ALINK_DEVICE_GET_CLASS(ad)->regmap;
    unsigned n;

    for (n = 0; n < ad->num_links; n++) {
        uint64_t *ctrl = &ad->reg_value[map->slots + n];

        if (*ctrl != ALINK_LINK_CTRL_ENABLE) {
            set_ctrl(ad, n, ALINK_LINK_CTRL_ENABLE);
        }
        *ctrl = ALINK_LINK_CTRL_ENABLE;
    }
}

bool alink_link_lit(AlinkDevice *ad, unsigned n)
{
    AlinkRegMap *map = ALINK_DEVICE_GET_CLASS(ad)->regmap;

    return ad->reg_value[map->slots + n] & ALINK_LINK_CTRL_IDENTIFY;
}

/* --- routes -------------------------------------------------------------- */

static void run_route_set(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    const void *spares = alink_admin_tlv(cmd, ALINK_TLV_SPARES, NULL);
    struct alink_route route;
    enum alink_status status;

    if (spares && !(ad->caps & ALINK_CAP_SPARES)) {
        alink_admin_fail(cmd, ALINK_ST_TLV, ALINK_TLV_SPARES);
        return;
    }
    memcpy(&route, alink_admin_tlv(cmd, ALINK_TLV_ROUTE, NULL), sizeof(route));
    status = af_route_set_spares(ad->af, adc->devtype, ad->fabric_id, &route,
                                 spares ? ldq_le_p(spares) : 0);
    alink_admin_fail(cmd, status,
                     status == ALINK_ST_OK ? 0 : ALINK_TLV_ROUTE);
}

static void run_route_del(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);

    alink_admin_complete(cmd, af_route_del(ad->af, adc->devtype, ad->fabric_id,
                                           alink_admin_tlv_id(cmd)));
}

static void run_route_get(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    AlinkDeviceClass *adc = ALINK_DEVICE_GET_CLASS(ad);
    uint64_t from = alink_admin_tlv_id(cmd);
    struct alink_route route;
    uint64_t spares;

    while (from <= UINT32_MAX &&
           af_route_get_spares(ad->af, adc->devtype, ad->fabric_id, from,
                               &route, &spares) == ALINK_ST_OK) {
        if (spares && !alink_admin_fits(cmd, sizeof(route), sizeof(spares))) {
            cmd->resp_needed = ALINK_TLV_SPAN(sizeof(route)) +
                               ALINK_TLV_SPAN(sizeof(spares));
            break;
        }
        if (!alink_admin_put(cmd, ALINK_TLV_ROUTE, &route, sizeof(route))) {
            break;
        }
        if (spares) {
            spares = cpu_to_le64(spares);
            alink_admin_put(cmd, ALINK_TLV_SPARES, &spares, sizeof(spares));
        }
        from = (uint64_t)le32_to_cpu(route.dst) + 1;
    }
    alink_admin_complete(cmd, cmd->resp_needed && !cmd->resp_len ?
                         ALINK_ST_NO_ROOM : ALINK_ST_OK);
}

/* --- groups -------------------------------------------------------------- */

static void run_group_add(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    struct alink_group group;
    const uint8_t *raw;
    g_autofree uint32_t *member = NULL;
    size_t len, num, i;
    enum alink_status status;

    memcpy(&group, alink_admin_tlv(cmd, ALINK_TLV_GROUP, NULL), sizeof(group));
    raw = alink_admin_tlv(cmd, ALINK_TLV_MEMBERS, &len);
    num = len / 4;
    if (len % 4 || num != le32_to_cpu(group.num_members)) {
        alink_admin_fail(cmd, ALINK_ST_BAD_FIELD, ALINK_TLV_MEMBERS);
        return;
    }
    member = g_new(uint32_t, num);
    for (i = 0; i < num; i++) {
        member[i] = ldl_le_p(raw + 4 * i);
    }
    status = af_group_add(ad->af, ad->fabric_id, &group, member);
    alink_admin_fail(cmd, status,
                     status == ALINK_ST_OK ? 0 : ALINK_TLV_GROUP);
}

static void run_group_del(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    alink_admin_complete(cmd, af_group_del(ad->af, ad->fabric_id,
                                           alink_admin_tlv_id(cmd)));
}

static void run_group_get(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    g_autofree uint32_t *member = g_new(uint32_t, ALINK_MAX_ENDPOINTS);
    uint64_t from = alink_admin_tlv_id(cmd);
    struct alink_group group;

    while (from <= UINT32_MAX &&
           af_group_get(ad->af, ad->fabric_id, from, &group, member,
                        ALINK_MAX_ENDPOINTS) == ALINK_ST_OK) {
        uint32_t num = MIN(le32_to_cpu(group.num_members),
                           ALINK_MAX_ENDPOINTS);
        uint32_t i;

        for (i = 0; i < num; i++) {
            stl_le_p(&member[i], member[i]);
        }
        if (!alink_admin_fits(cmd, sizeof(group), 4 * num)) {
            cmd->resp_needed = ALINK_TLV_SPAN(sizeof(group)) +
                               ALINK_TLV_SPAN(4 * num);
            break;
        }
        alink_admin_put(cmd, ALINK_TLV_GROUP, &group, sizeof(group));
        alink_admin_put(cmd, ALINK_TLV_MEMBERS, member, 4 * num);
        from = (uint64_t)le32_to_cpu(group.id) + 1;
    }
    alink_admin_complete(cmd, cmd->resp_needed && !cmd->resp_len ?
                         ALINK_ST_NO_ROOM : ALINK_ST_OK);
}

/* --- partitions ---------------------------------------------------------- */

static void run_partition_set(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    struct alink_partition part;
    enum alink_status status;

    memcpy(&part, alink_admin_tlv(cmd, ALINK_TLV_PARTITION, NULL),
           sizeof(part));
    status = af_partition_set(ad->af, le32_to_cpu(part.endpoint),
                              le32_to_cpu(part.partition));
    alink_admin_fail(cmd, status,
                     status == ALINK_ST_OK ? 0 : ALINK_TLV_PARTITION);
}

static void run_partition_get(AlinkDevice *ad, AlinkAdminCmd *cmd)
{
    uint32_t id, partition;

    for (id = alink_admin_tlv_id(cmd); id < ALINK_MAX_ENDPOINTS; id++) {
        struct alink_partition part;

        if (af_partition_get(ad->af, id, &partition) != ALINK_ST_OK ||
            !partition) {
            continue;
        }
        part.endpoint = cpu_to_le32(id);
        part.partition = cpu_to_le32(partition);
        if (!alink_admin_put(cmd, ALINK_TLV_PARTITION, &part, sizeof(part))) {
            break;
        }
    }
    alink_admin_complete(cmd, cmd->resp_needed && !cmd->resp_len ?
                         ALINK_ST_NO_ROOM : ALINK_ST_OK);
}

#define ID      { ALINK_TLV_ID, true, 4, 4 }
#define GROUP   { ALINK_TLV_GROUP, true, sizeof(struct alink_group), \
                  sizeof(struct alink_group) }
#define MEMBERS { ALINK_TLV_MEMBERS, true, 4, 4 * ALINK_MAX_ENDPOINTS }
#define ROUTE   { ALINK_TLV_ROUTE, true, sizeof(struct alink_route), \
                  sizeof(struct alink_route) }
#define SPARES  { ALINK_TLV_SPARES, false, 8, 8 }
#define PART    { ALINK_TLV_PARTITION, true, sizeof(struct alink_partition), \
                  sizeof(struct alink_partition) }

/* Devices with these capabilities have a fabric: realize sees to it. */
const AlinkAdminSpec alink_table_specs[] = {
    { ALINK_ADMIN_ROUTE_SET, "route-set", ALINK_CAP_ROUTES, { ROUTE, SPARES },
      run_route_set },
    { ALINK_ADMIN_ROUTE_DEL, "route-del", ALINK_CAP_ROUTES, { ID },
      run_route_del },
    { ALINK_ADMIN_ROUTE_GET, "route-get", ALINK_CAP_ROUTES, { ID },
      run_route_get },
    { ALINK_ADMIN_GROUP_ADD, "group-add", ALINK_CAP_GROUPS, { GROUP, MEMBERS },
      run_group_add },
    { ALINK_ADMIN_GROUP_DEL, "group-del", ALINK_CAP_GROUPS, { ID },
      run_group_del },
    { ALINK_ADMIN_GROUP_GET, "group-get", ALINK_CAP_GROUPS, { ID },
      run_group_get },
    { ALINK_ADMIN_PARTITION_SET, "partition-set", ALINK_CAP_PARTITIONS,
      { PART }, run_partition_set },
    { ALINK_ADMIN_PARTITION_GET, "partition-get", ALINK_CAP_PARTITIONS,
      { ID }, run_partition_get },
};
const unsigned alink_num_table_specs = ARRAY_SIZE(alink_table_specs);
