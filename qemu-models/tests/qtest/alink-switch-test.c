/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ALink switch: variants, ports without a cable, and the tables of routes,
 * groups and partitions through the admin queue.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "hw/pci/pci_regs.h"
#include "alink-qtest.h"

#include <hw/alink/fabric.h>
#include <hw/alink/switch.h>

#define SWITCH  AQ_FABRIC "-device alink-switch,id=dut,fabric=fab0,addr=4.0"
#define TWO     SWITCH ",plane=0 " \
                "-device alink-switch,id=sw1,fabric=fab0,addr=5.0,plane=1"

/* --- variants ------------------------------------------------------------ */

static const struct {
    const char *name;
    uint32_t variant;
    uint32_t ports;
    uint32_t mbps;
    uint32_t lanes;
    uint32_t hop_ns;
} variants[] = {
    { "icn1", ALINK_SWITCH_ICN1, 64, 400000, 4, 150 },
    { "alink64", ALINK_SWITCH_ALINK64, 64, 800000, 8, 150 },
    { "alink64-224", ALINK_SWITCH_ALINK64_224, 64, 1600000, 8, 200 },
    { "alink128", ALINK_SWITCH_ALINK128, 128, 800000, 8, 200 },
    { "upn25-256", ALINK_SWITCH_UPN25_256, 256, 100000, 1, 150 },
    { "upn51-256", ALINK_SWITCH_UPN51_256, 256, 200000, 2, 200 },
    { "upn51-256-224", ALINK_SWITCH_UPN51_256_224, 256, 200000, 1, 200 },
    { "upn51-320", ALINK_SWITCH_UPN51_320, 320, 100000, 1, 200 },
    { "upn51-512", ALINK_SWITCH_UPN51_512, 512, 100000, 1, 200 },
    { "upn102-512", ALINK_SWITCH_UPN102_512, 512, 200000, 2, 250 },
    { "upn102-512-224", ALINK_SWITCH_UPN102_512_224, 512, 200000, 1, 250 },
    { "upn204-1024", ALINK_SWITCH_UPN204_1024, 1024, 200000, 1, 250 },
};

/* The last port has a cable, to an endpoint that nobody uses. */
static void check_variant(unsigned v)
{
    uint32_t inc = ALINK_BIT(ALINK_DT_INT32) | ALINK_BIT(ALINK_DT_FP32) |
                   ALINK_BIT(ALINK_DT_BF16) | ALINK_BIT(ALINK_DT_FP16) |
                   ALINK_BIT(ALINK_DT_FP8_E4M3) |
                   ALINK_BIT(ALINK_DT_FP8_E5M2);
    uint32_t last = variants[v].ports - 1, w = ALINK_LINK_WINDOW(last);
    g_autofree char *args = g_strdup_printf(
        "-device alink-fabric,id=fab0,headless=%u-%u:8:%u:%u "
        "-device alink-switch,id=dut,fabric=fab0,addr=4.0,plane=7,variant=%s",
        last, last, variants[v].mbps, variants[v].lanes, variants[v].name);
    AlinkQtest *aq = aq_start(args);

    g_test_message("%s", variants[v].name);
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_VARIANT), ==, variants[v].variant);
    g_assert_cmphex(qpci_config_readw(aq->dev, PCI_SUBSYSTEM_ID), ==,
                    variants[v].variant);
    g_assert_cmpuint(aq_rd32(aq, ALINK_SW_REG_RADIX), ==, last + 1);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_NUM_LINKS), ==, last + 1);
    g_assert_cmpuint(aq_rd32(aq, ALINK_SW_REG_PLANE), ==, 7);
    g_assert_cmpuint(aq_rd32(aq, ALINK_REG_FABRIC_ID), ==, 7);
    g_assert_cmpuint(aq_rd32(aq, ALINK_SW_REG_HOP_NS), ==, variants[v].hop_ns);
    g_assert_cmphex(aq_rd32(aq, ALINK_SW_REG_INC_DTYPES), ==, inc);
    g_assert_cmphex(aq_rd32(aq, ALINK_SW_REG_INC_OPS), ==,
                    ALINK_BIT(ALINK_OP_SUM) | ALINK_BIT(ALINK_OP_MIN) |
                    ALINK_BIT(ALINK_OP_MAX));
    g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_MAX_SPEED), ==,
                     variants[v].mbps);
    g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_LANES) >> 16, ==,
                     variants[v].lanes);
    g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_STATE), !=, ALINK_LINK_ABSENT);
    g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_PEER_ID), ==, last);
    g_assert_cmpuint(aq_rd32(aq, ALINK_LINK_WINDOW(0) + ALINK_LINK_STATE), ==,
                     ALINK_LINK_ABSENT);
    aq_stop(aq);
}

static void test_variants(void)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(variants); i++) {
        check_variant(i);
    }
}

/* Endpoints without a device: only as many as there can be, and once each */
static void test_headless(void)
{
    static const char *const bad[] = {
        "0-1:1:400000", "0-1:1:400000:4:1", "1-0:1:400000:4",
        "0-1024:1:400000:4", "0-1:65:400000:4", "0-1:1:0:4", "x", "+",
        "8-9:1:400000:4+9-9:1:400000:4",
    };
    AlinkQtest *aq = aq_start("-device alink-fabric,id=fab0 "
                              "-device alink-switch,id=dut,fabric=fab0,"
                              "addr=4.0,plane=0");
    uint32_t w = ALINK_LINK_WINDOW(7) + ALINK_LINK_STATE;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        QDict *resp = qtest_qmp(aq->qts, "{ 'execute': 'qom-set', "
                                "'arguments': { 'path': "
                                "'/machine/peripheral/fab0', 'property': "
                                "'headless', 'value': %s } }", bad[i]);

        g_assert(qdict_haskey(resp, "error"));
        qobject_unref(resp);
    }
    g_assert_cmpuint(aq_rd32(aq, w), ==, ALINK_LINK_ABSENT);
    qtest_qmp_assert_success(aq->qts, "{ 'execute': 'qom-set', "
                             "'arguments': { 'path': "
                             "'/machine/peripheral/fab0', 'property': "
                             "'headless', 'value': '7-9:1:400000:4' } }");
    g_assert_cmpuint(aq_rd32(aq, w), !=, ALINK_LINK_ABSENT);
    aq_stop(aq);
}

/* Nobody is at the other end: no port is populated. */
static void test_absent_ports(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint32_t i;

    for (i = 0; i < 64; i++) {
        uint32_t w = ALINK_LINK_WINDOW(i);

        g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_STATE), ==,
                         ALINK_LINK_ABSENT);
        g_assert_cmphex(aq_rd32(aq, w + ALINK_LINK_PEER_ID), ==,
                        ALINK_ID_NONE);
        g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_SPEED), ==, 0);
        g_assert_cmphex(aq_rd32(aq, w + ALINK_LINK_MODULE), ==,
                        ALINK_ID_NONE);
    }
    aq_stop(aq);
}

/* --- routes -------------------------------------------------------------- */

static uint16_t route_set(AlinkQtest *aq, uint32_t dst, uint32_t min,
                          uint64_t ports0, uint64_t ports1)
{
    struct alink_route route = {
        .dst = cpu_to_le32(dst),
        .min_ports = cpu_to_le32(min),
        .ports = { cpu_to_le64(ports0), cpu_to_le64(ports1) },
    };

    return aq_admin_tlv(aq, ALINK_ADMIN_ROUTE_SET, ALINK_TLV_ROUTE, &route,
                        sizeof(route));
}

/* Lists from @from with room for @room bytes; returns how many came. */
static unsigned list(AlinkQtest *aq, uint16_t opcode, uint32_t from,
                     uint32_t room, uint8_t *buf, uint16_t *status)
{
    uint8_t req[16];
    uint32_t id = cpu_to_le32(from), len, pos;
    struct alink_admin_cpl cpl;
    unsigned num = 0;

    len = aq_put_tlv(req, 0, ALINK_TLV_ID, &id, 4);
    cpl = aq_admin(aq, opcode, req, len, room);
    *status = le16_to_cpu(cpl.status);
    if (*status != ALINK_ST_OK) {
        return 0;
    }
    len = le32_to_cpu(cpl.resp_len);
    g_assert_cmpuint(len, <=, room);
    qtest_memread(aq->qts, aq->resp, buf, len);
    for (pos = 0; pos < len; num++) {
        pos += ALINK_TLV_SPAN(lduw_le_p(buf + pos + 2));
    }
    g_assert_cmpuint(pos, ==, len);
    return num;
}

static void check_used(AlinkQtest *aq, uint32_t routes, uint32_t groups)
{
    g_assert_cmpuint(aq_rd32(aq, ALINK_SW_REG_ROUTES_USED), ==, routes);
    g_assert_cmpuint(aq_rd32(aq, ALINK_SW_REG_GROUPS_USED), ==, groups);
    /* This fabric has no endpoints. */
    g_assert_cmpuint(aq_rd32(aq, ALINK_SW_REG_PLACED), ==, 0);
}

static void test_routes(void)
{
    const uint32_t span = ALINK_TLV_SPAN(sizeof(struct alink_route));
    AlinkQtest *aq = aq_start(SWITCH);
    g_autofree uint8_t *buf = g_malloc0(ALINK_ADMIN_BUF_MAX);
    struct alink_event ev;
    struct alink_route *route;
    uint32_t i, from, seen;
    uint16_t status;
    unsigned num;

    aq_admin_enable(aq, 16);
    aq_event_enable(aq, 16);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_ROUTE_GET, 0, 4096, buf, &status),
                     ==, 0);
    g_assert_cmpuint(status, ==, ALINK_ST_OK);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_ADMIN_ROUTE_DEL, 3), ==,
                     ALINK_ST_NOT_FOUND);

    g_assert(aq_rd64(aq, ALINK_REG_CAPS) & ALINK_CAP_TABLES_USED);
    check_used(aq, 0, 0);
    g_assert_cmpuint(route_set(aq, 3, 2, 0xf0, 0), ==, ALINK_ST_OK);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_ROUTE);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, 3);
    /* Replaced, not added. */
    g_assert_cmpuint(route_set(aq, 3, 1, 1ULL << 63, 0), ==, ALINK_ST_OK);
    check_used(aq, 1, 0);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_ROUTE_GET, 0, 4096, buf, &status),
                     ==, 1);
    route = (struct alink_route *)(buf + 8);
    g_assert_cmpuint(le32_to_cpu(route->dst), ==, 3);
    g_assert_cmpuint(le32_to_cpu(route->min_ports), ==, 1);
    g_assert_cmphex(le64_to_cpu(route->ports[0]), ==, 1ULL << 63);

    /* What cannot be. */
    g_assert_cmpuint(route_set(aq, 4, 1, 0, 0), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(route_set(aq, 4, 0, 1, 0), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(route_set(aq, 4, 3, 3, 0), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(route_set(aq, 4, 1, 1, 1), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(route_set(aq, ALINK_MAX_ENDPOINTS, 1, 1, 0), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(route_set(aq, ~0U, 1, 1, 0), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_ROUTE_GET, 0, 4096, buf, &status),
                     ==, 1);

    /* The whole table, listed in pieces that do not come out even. */
    for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
        g_assert_cmpuint(route_set(aq, i, 1, 1ULL << i % 64, 0), ==,
                         ALINK_ST_OK);
    }
    for (from = 0, seen = 0; ; seen += num) {
        num = list(aq, ALINK_ADMIN_ROUTE_GET, from, 100 * span + 40, buf,
                   &status);
        g_assert_cmpuint(status, ==, ALINK_ST_OK);
        if (!num) {
            break;
        }
        for (i = 0; i < num; i++) {
            route = (struct alink_route *)(buf + i * span + 8);
            g_assert_cmpuint(le32_to_cpu(route->dst), ==, seen + i);
            g_assert_cmphex(le64_to_cpu(route->ports[0]), ==,
                            1ULL << (seen + i) % 64);
        }
        from = seen + num;
    }
    g_assert_cmpuint(seen, ==, ALINK_MAX_ENDPOINTS);
    check_used(aq, ALINK_MAX_ENDPOINTS, 0);
    list(aq, ALINK_ADMIN_ROUTE_GET, 0, span - 8, buf, &status);
    g_assert_cmpuint(status, ==, ALINK_ST_NO_ROOM);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_ROUTE_GET, ~0U, span, buf, &status),
                     ==, 0);
    g_assert_cmpuint(status, ==, ALINK_ST_OK);

    g_assert_cmpuint(aq_admin_id(aq, ALINK_ADMIN_ROUTE_DEL, 0), ==,
                     ALINK_ST_OK);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_ADMIN_ROUTE_DEL, 0), ==,
                     ALINK_ST_NOT_FOUND);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_ROUTE_GET, 0, span, buf, &status),
                     ==, 1);
    g_assert_cmpuint(ldl_le_p(buf + 8), ==, 1);
    check_used(aq, ALINK_MAX_ENDPOINTS - 1, 0);

    /* The manager is gone, and what it wrote. */
    aq_flr(aq);
    check_used(aq, 0, 0);
    aq_admin_enable(aq, 16);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_ROUTE_GET, 0, 4096, buf, &status),
                     ==, 0);
    aq_stop(aq);
}

/* --- the largest number of a port ---------------------------------------- */

static void expect_event(AlinkQtest *aq, uint16_t type, uint32_t id,
                         uint32_t code, uint32_t info)
{
    struct alink_event ev;

    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, type);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, id);
    g_assert_cmpuint(le32_to_cpu(ev.code), ==, code);
    g_assert_cmpuint(le32_to_cpu(ev.info), ==, info);
}

/* Whatever takes the number of a port takes that of the last, and none beyond. */
static void test_last_port(void)
{
    const uint32_t last = ALINK_MAX_PORTS - 1;
    const uint32_t w = ALINK_LINK_WINDOW(last), s = ALINK_LSTAT_BLOCK(last);
    AlinkQtest *aq = aq_start(
        "-device alink-fabric,id=fab0,headless=1023-1023:1:200000:1 "
        "-device alink-switch,id=dut,fabric=fab0,addr=4.0,variant=upn204-1024");
    struct alink_route route = {
        .dst = cpu_to_le32(last),
        .min_ports = cpu_to_le32(ALINK_MAX_PORTS),
    };
    uint8_t buf[4096];
    uint16_t status;

    aq_admin_enable(aq, 16);
    aq_event_enable(aq, 16);
    g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_STATE), ==, ALINK_LINK_UP);
    g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_SPEED), ==, 200000);

    memset(route.ports, 0xff, sizeof(route.ports));
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_ADMIN_ROUTE_SET, ALINK_TLV_ROUTE,
                                  &route, sizeof(route)), ==, ALINK_ST_OK);
    expect_event(aq, ALINK_EVENT_ROUTE, last, 1, 0);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_ROUTE_GET, last, sizeof(buf), buf,
                          &status), ==, 1);
    g_assert_cmpmem(buf + 8, sizeof(route), &route, sizeof(route));

    aq_set_str(aq, "x-link-errors", "1023:5:0:7");
    g_assert_cmpuint(aq_rd64(aq, w + ALINK_LINK_FEC_CORR), ==, 5);
    g_assert_cmpuint(aq_rd64(aq, w + ALINK_LINK_CRC_ERRORS), ==, 7);
    g_assert_cmpuint(aq_rd64(aq, s + ALINK_LSTAT_FEC_CORR(0)), ==, 5);
    aq_set_str_bad(aq, "x-link-errors", "1024:5");
    /* The port has one lane. */
    aq_set_str_bad(aq, "x-link-errors", "1023:5:0:0:0:1");

    aq_set_str(aq, "x-link-fault", "1023:9");
    expect_event(aq, ALINK_EVENT_LINK, last, 0, ALINK_DOWN_SIGNAL);
    g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_STATE), ==, ALINK_LINK_DOWN);
    g_assert_cmpuint(aq_rd64(aq, w + ALINK_LINK_DOWNS), ==, 1);
    aq_set_str(aq, "x-link-fault", "1023:0");
    expect_event(aq, ALINK_EVENT_LINK, last, 1, ALINK_DOWN_NONE);
    aq_set_str_bad(aq, "x-link-fault", "1024:9");

    aq_wr32(aq, w + ALINK_LINK_CTRL, 0);
    expect_event(aq, ALINK_EVENT_LINK, last, 0, ALINK_DOWN_ADMIN);
    aq_flr(aq);
    g_assert_cmpuint(aq_rd32(aq, w + ALINK_LINK_STATE), ==, ALINK_LINK_UP);
    aq_stop(aq);
}

/* --- groups -------------------------------------------------------------- */

static uint16_t group_add(AlinkQtest *aq, uint32_t id, uint64_t key,
                          uint32_t claimed, const uint32_t *member,
                          uint32_t num)
{
    struct alink_group group = {
        .id = cpu_to_le32(id),
        .num_members = cpu_to_le32(claimed),
        .key = cpu_to_le64(key),
    };
    g_autofree uint8_t *buf = g_malloc0(64 + 4 * num + 64);
    uint32_t len;

    len = aq_put_tlv(buf, 0, ALINK_TLV_GROUP, &group, sizeof(group));
    len = aq_put_tlv(buf, len, ALINK_TLV_MEMBERS, member, 4 * num);
    return le16_to_cpu(aq_admin(aq, ALINK_ADMIN_GROUP_ADD, buf, len,
                                0).status);
}

static void test_groups(void)
{
    static const uint32_t four[] = { 1, 5, 6, 1023 };
    static const uint32_t wrong_order[] = { 5, 1 };
    static const uint32_t twice[] = { 5, 5 };
    static const uint32_t beyond[] = { 1, 1024 };
    AlinkQtest *aq = aq_start(SWITCH);
    g_autofree uint8_t *buf = g_malloc0(ALINK_ADMIN_BUF_MAX);
    uint32_t all[ALINK_MAX_ENDPOINTS], i;
    struct alink_group *group;
    struct alink_event ev;
    uint16_t status;

    aq_admin_enable(aq, 16);
    aq_event_enable(aq, 16);
    g_assert_cmpuint(group_add(aq, 9, 0x1234, 4, four, 4), ==, ALINK_ST_OK);
    g_assert(aq_event_poll(aq, &ev));
    g_assert_cmpuint(le16_to_cpu(ev.type), ==, ALINK_EVENT_GROUP);
    g_assert_cmpuint(le32_to_cpu(ev.id), ==, 9);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_GROUP_GET, 0, 4096, buf, &status),
                     ==, 2);
    group = (struct alink_group *)(buf + 8);
    g_assert_cmpuint(le32_to_cpu(group->id), ==, 9);
    g_assert_cmpuint(le32_to_cpu(group->num_members), ==, 4);
    g_assert_cmphex(le64_to_cpu(group->key), ==, 0x1234);
    g_assert_cmpuint(le64_to_cpu(group->reductions), ==, 0);
    g_assert_cmpmem(buf + ALINK_TLV_SPAN(sizeof(*group)) + 8, sizeof(four),
                    four, sizeof(four));

    g_assert_cmpuint(group_add(aq, 9, 1, 4, four, 4), ==, ALINK_ST_EXISTS);
    g_assert_cmpuint(group_add(aq, 8, 1, 3, four, 4), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(group_add(aq, 8, 1, 5, four, 4), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(group_add(aq, ALINK_MAX_GROUPS, 1, 4, four, 4), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(group_add(aq, 8, 1, 2, wrong_order, 2), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(group_add(aq, 8, 1, 2, twice, 2), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(group_add(aq, 8, 1, 2, beyond, 2), ==,
                     ALINK_ST_BAD_FIELD);
    /* No members at all is a malformed TLV. */
    g_assert_cmpuint(group_add(aq, 8, 1, 0, four, 0), ==, ALINK_ST_TLV);
    aq_expect_guest_errors(aq, 1);

    for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
        all[i] = cpu_to_le32(i);
    }
    g_assert_cmpuint(group_add(aq, 2, 7, ALINK_MAX_ENDPOINTS, all,
                               ALINK_MAX_ENDPOINTS), ==, ALINK_ST_OK);
    check_used(aq, 0, 2);
    /* Both, ascending; or the first whole pair that fits. */
    g_assert_cmpuint(list(aq, ALINK_ADMIN_GROUP_GET, 0, 8192, buf, &status),
                     ==, 4);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_GROUP_GET, 0, 4160, buf, &status),
                     ==, 2);
    g_assert_cmpuint(ldl_le_p(buf + 8), ==, 2);
    list(aq, ALINK_ADMIN_GROUP_GET, 0, 4096, buf, &status);
    g_assert_cmpuint(status, ==, ALINK_ST_NO_ROOM);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_GROUP_GET, 3, 4096, buf, &status),
                     ==, 2);
    g_assert_cmpuint(ldl_le_p(buf + 8), ==, 9);

    g_assert_cmpuint(aq_admin_id(aq, ALINK_ADMIN_GROUP_DEL, 9), ==,
                     ALINK_ST_OK);
    g_assert_cmpuint(aq_admin_id(aq, ALINK_ADMIN_GROUP_DEL, 9), ==,
                     ALINK_ST_NOT_FOUND);
    check_used(aq, 0, 1);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_GROUP_GET, 3, 4096, buf, &status),
                     ==, 0);
    aq_wr32(aq, ALINK_REG_RESET, ALINK_RESET_KEY);
    aq_admin_enable(aq, 16);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_GROUP_GET, 0, 4096, buf, &status),
                     ==, 0);
    aq_stop(aq);
}

/* --- partitions ---------------------------------------------------------- */

static uint16_t partition_set(AlinkQtest *aq, uint32_t endpoint,
                              uint32_t partition)
{
    struct alink_partition part = {
        .endpoint = cpu_to_le32(endpoint),
        .partition = cpu_to_le32(partition),
    };

    return aq_admin_tlv(aq, ALINK_ADMIN_PARTITION_SET, ALINK_TLV_PARTITION,
                        &part, sizeof(part));
}

static void test_partition_limits(void)
{
    AlinkQtest *aq = aq_start(SWITCH);
    uint8_t buf[4096];
    uint16_t status;

    aq_admin_enable(aq, 16);
    g_assert_cmpuint(partition_set(aq, ALINK_MAX_ENDPOINTS, 1), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(partition_set(aq, ~0U, 1), ==, ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(partition_set(aq, 0, ALINK_MAX_PARTITIONS), ==,
                     ALINK_ST_BAD_FIELD);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_PARTITION_GET, 0, sizeof(buf), buf,
                          &status), ==, 0);
    g_assert_cmpuint(status, ==, ALINK_ST_OK);
    aq_stop(aq);
}

/* --- two switches -------------------------------------------------------- */

/* Each plane has tables of its own. */
static void test_two_planes(void)
{
    AlinkQtest *aq = aq_start(TWO);
    AlinkQtest *other = aq_second(aq, 5, "sw1");
    uint8_t buf[4096];
    uint16_t status;

    aq_admin_enable(aq, 8);
    aq_admin_enable(other, 8);
    g_assert_cmpuint(aq_rd32(other, ALINK_SW_REG_PLANE), ==, 1);
    g_assert_cmphex(aq_rd64(other, ALINK_REG_SERIAL), !=,
                    aq_rd64(aq, ALINK_REG_SERIAL));
    g_assert_cmpuint(route_set(aq, 3, 1, 1, 0), ==, ALINK_ST_OK);
    g_assert_cmpuint(list(other, ALINK_ADMIN_ROUTE_GET, 0, sizeof(buf), buf,
                          &status), ==, 0);
    g_assert_cmpuint(route_set(other, 4, 1, 2, 0), ==, ALINK_ST_OK);
    aq_flr(other);
    g_assert_cmpuint(list(aq, ALINK_ADMIN_ROUTE_GET, 0, sizeof(buf), buf,
                          &status), ==, 1);
    aq_stop(other);
    aq_stop(aq);
}

/* A ring in the registers of a peer: refused or harmless, never a crash. */
static void test_ring_in_peer(void)
{
    AlinkQtest *aq = aq_start(TWO);
    AlinkQtest *other = aq_second(aq, 5, "sw1");
    uint64_t page = aq_alloc(aq, 8192);

    aq_wr64(aq, ALINK_REG_ADMIN_SQ_BASE, page);
    aq_wr64(aq, ALINK_REG_ADMIN_CQ_BASE, other->bar_addr[0] & ~0xfU);
    aq_wr32(aq, ALINK_REG_ADMIN_SIZE, 16);
    aq_wr32(aq, ALINK_REG_ADMIN_CTRL, 1);
    aq_wr32(aq, ALINK_REG_ADMIN_SQ_TAIL, 4);
    aq_settle(aq);
    other->guest_errors = aq_rd32(other, ALINK_REG_GUEST_ERRORS);
    g_assert_cmpuint(other->guest_errors, >, 0);
    g_assert_cmpuint(aq_rd32(other, ALINK_REG_STATE), ==, ALINK_STATE_READY);
    aq_flr(aq);
    aq_admin_enable(aq, 8);
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_ADMIN_NOP, 0, NULL, 0), ==,
                     ALINK_ST_OK);
    aq_stop(other);
    aq_stop(aq);
}

/* --- removal ------------------------------------------------------------- */

/*
 * The switch goes away with a command under way, events and frames queued. Its
 * plane is free again, and nothing that was pending touches the machine.
 */
static void test_removal(void)
{
    AlinkQtest *aq = aq_start_behind_port(
        AQ_FABRIC "-device alink-switch,id=dut,fabric=fab0,plane=4,bus=rp");
    struct alink_admin_cmd cmd = { .cid = cpu_to_le32(9) };
    struct alink_admin_cpl cpl;

    aq_msix_enable(aq);
    aq_admin_enable(aq, 8);
    aq_event_enable(aq, 8);
    g_assert_cmpuint(route_set(aq, 3, 1, 1, 0), ==, ALINK_ST_OK);
    g_assert_cmphex(aq_irqs(aq), ==, 1);
    aq_set_int(aq, "x-latency-us", 1000);
    aq_set_int(aq, "x-late-doorbell-us", 500);
    aq_admin_submit(aq, &cmd);
    aq_set_int(aq, "x-late-doorbell-us", 0);
    aq_admin_submit(aq, &cmd);
    aq_wr64(aq, ALINK_REG_TEST_DMA_ADDR, aq->resp);
    aq_wr32(aq, ALINK_REG_TEST_DMA_LEN, 4096);
    aq_wr32(aq, ALINK_REG_TEST_DMA_CTRL, ALINK_TEST_DMA_FILL);
    aq_surprise_removal(aq);

    /* QEMU's own buses read 0, not all ones, where no BAR is any more. */
    g_assert_cmphex(aq_rd32(aq, ALINK_REG_MAGIC), !=, ALINK_MAGIC);
    g_assert_cmphex(qpci_config_readl(aq->dev, 0), ==, ~0U);
    aq_clock_us(aq, 10000);
    qtest_memread(aq->qts, aq->cq + aq->cq_head * sizeof(cpl), &cpl,
                  sizeof(cpl));
    g_assert_cmpuint(le32_to_cpu(cpl.cid), ==, 0);

    qtest_qmp_assert_success(aq->qts, "{ 'execute': 'device_add', "
                             "'arguments': { 'driver': 'alink-switch', "
                             "'id': 'again', 'fabric': 'fab0', 'plane': 4, "
                             "'bus': 'rp' } }");
    aq_abandon(aq);
}

/* --- command line -------------------------------------------------------- */

static void test_bad_options(void)
{
    static const char *const bad[] = {
        "'driver': 'alink-switch', 'fabric': 'fab0', 'variant': 'icn9'",
        "'driver': 'alink-switch', 'fabric': 'fab0', 'plane': 9, "
        "'variant': 'upn1024-2560'",
        "'driver': 'alink-switch', 'fabric': 'fab0', 'plane': 64",
        "'driver': 'alink-switch', 'fabric': 'fab0', 'plane': 4294967295",
        "'driver': 'alink-switch', 'plane': 3",
        "'driver': 'alink-switch', 'fabric': 'nobody'",
        "'driver': 'alink-switch', 'fabric': 'fab0', 'plane': 0",
    };
    AlinkQtest *aq = aq_start(SWITCH " -device pcie-root-port,id=rp,chassis=1");
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        g_autofree char *cmd = g_strdup_printf(
            "{ 'execute': 'device_add', 'arguments': { 'id': 'new', "
            "'bus': 'rp', %s } }", bad[i]);
        QDict *resp;

        qtest_qmp_send_raw(aq->qts, "%s", cmd);
        resp = qtest_qmp_receive(aq->qts);
        g_assert(qdict_haskey(resp, "error"));
        g_test_message("%s", qdict_get_str(qdict_get_qdict(resp, "error"),
                                           "desc"));
        qobject_unref(resp);
    }
    /* The one that is there took no harm. */
    aq_admin_enable(aq, 8);
    g_assert_cmpuint(aq_admin_tlv(aq, ALINK_ADMIN_NOP, 0, NULL, 0), ==,
                     ALINK_ST_OK);
    aq_stop(aq);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/alink/switch/variants", test_variants);
    qtest_add_func("/alink/switch/headless", test_headless);
    qtest_add_func("/alink/switch/absent-ports", test_absent_ports);
    qtest_add_func("/alink/switch/routes", test_routes);
    qtest_add_func("/alink/switch/last-port", test_last_port);
    qtest_add_func("/alink/switch/groups", test_groups);
    qtest_add_func("/alink/switch/partition-limits", test_partition_limits);
    qtest_add_func("/alink/switch/two-planes", test_two_planes);
    qtest_add_func("/alink/switch/ring-in-peer", test_ring_in_peer);
    qtest_add_func("/alink/switch/removal", test_removal);
    qtest_add_func("/alink/switch/bad-options", test_bad_options);
    return g_test_run();
}
