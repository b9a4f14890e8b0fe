/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two xPUs over two switches; see xpu-fabric-qtest.h.
 */
#include "qemu/osdep.h"
#include "xpu-fabric-qtest.h"

#define MACHINE     AQ_FABRIC XQ_DEVICE \
                    "-device alink-xpu,id=x1,fabric=fab0,endpoint=1," \
                    "hbm-size=16M,addr=5.0 " \
                    "-device alink-switch,id=sw0,fabric=fab0,plane=0," \
                    "addr=6.0 " \
                    "-device alink-switch,id=sw1,fabric=fab0,plane=1,addr=7.0"

/* --- tables -------------------------------------------------------------- */

uint16_t route(AlinkQtest *aq, uint32_t dst, uint32_t min, uint64_t ports)
{
    struct alink_route r = {
        .dst = cpu_to_le32(dst),
        .min_ports = cpu_to_le32(min),
        .ports = { cpu_to_le64(ports) },
    };

    return aq_admin_tlv(aq, ALINK_ADMIN_ROUTE_SET, ALINK_TLV_ROUTE, &r,
                        sizeof(r));
}

void unroute(AlinkQtest *aq, uint32_t dst)
{
    g_assert_cmpuint(aq_admin_id(aq, ALINK_ADMIN_ROUTE_DEL, dst), ==,
                     ALINK_ST_OK);
}

void partition(Rig *r, uint32_t endpoint, uint32_t number)
{
    struct alink_partition p = {
        .endpoint = cpu_to_le32(endpoint),
        .partition = cpu_to_le32(number),
    };

    g_assert_cmpuint(aq_admin_tlv(r->sw[0], ALINK_ADMIN_PARTITION_SET,
                                  ALINK_TLV_PARTITION, &p, sizeof(p)), ==,
                     ALINK_ST_OK);
}

uint16_t export(XpuQtest *x, uint32_t id, uint64_t key, uint32_t rights)
{
    struct alink_xpu_segment seg = {
        .id = cpu_to_le32(id),
        .rights = cpu_to_le32(rights),
        .key = cpu_to_le64(key),
        .num_extents = cpu_to_le32(1),
        .extents = { { cpu_to_le64(SEG_AT), cpu_to_le64(SEG_LEN) } },
    };

    return aq_admin_tlv(x->aq, ALINK_XPU_ADMIN_SEG_EXPORT,
                        ALINK_TLV_XPU_SEGMENT, &seg, sizeof(seg));
}

uint16_t import(XpuQtest *x, uint16_t op, uint32_t slot,
                uint32_t endpoint, uint32_t object, uint64_t key)
{
    struct alink_xpu_import imp = {
        .slot = cpu_to_le32(slot),
        .endpoint = cpu_to_le32(endpoint),
        .object = cpu_to_le32(object),
        .key = cpu_to_le64(key),
    };

    return aq_admin_tlv(x->aq, op, ALINK_TLV_XPU_IMPORT, &imp, sizeof(imp));
}

uint16_t bind_group(XpuQtest *x, uint32_t group, uint64_t key)
{
    struct alink_xpu_group_bind b = {
        .group = cpu_to_le32(group),
        .segment = cpu_to_le32(0),
        .key = cpu_to_le64(key),
        .len = cpu_to_le64(SEG_LEN),
    };

    return aq_admin_tlv(x->aq, ALINK_XPU_ADMIN_GROUP_BIND,
                        ALINK_TLV_XPU_GROUP_BIND, &b, sizeof(b));
}

uint16_t add_group(AlinkQtest *sw, uint32_t id, uint64_t key,
                   const uint32_t *member, uint32_t num)
{
    struct alink_group g = {
        .id = cpu_to_le32(id),
        .num_members = cpu_to_le32(num),
        .key = cpu_to_le64(key),
    };
    uint8_t buf[128];
    uint32_t len;

    len = aq_put_tlv(buf, 0, ALINK_TLV_GROUP, &g, sizeof(g));
    len = aq_put_tlv(buf, len, ALINK_TLV_MEMBERS, member, 4 * num);
    return le16_to_cpu(aq_admin(sw, ALINK_ADMIN_GROUP_ADD, buf, len,
                                0).status);
}

/* --- the rig ------------------------------------------------------------- */

Rig *rig_new(void)
{
    static const char *const id[PLANES] = { "sw0", "sw1" };
    Rig *r = g_new0(Rig, 1);
    AlinkQtest *aq = aq_start(MACHINE);
    unsigned i;

    r->x[0] = xq_new(aq);
    r->x[1] = xq_new(aq_second(aq, 5, "x1"));
    for (i = 0; i < PLANES; i++) {
        r->sw[i] = aq_second(aq, 6 + i, id[i]);
        aq_admin_enable(r->sw[i], 8);
        OK(route(r->sw[i], 0, 1, 1 << 0));
        OK(route(r->sw[i], 1, 1, 1 << 1));
    }
    for (i = 0; i < 2; i++) {
        OK(route(r->x[i]->aq, !i, 1, 3));
        OK(export(r->x[i], 0, KEY + i, ALL_RIGHTS));
        OK(import(r->x[i], ALINK_XPU_ADMIN_SEG_IMPORT, 0, !i, 0, KEY + !i));
    }
    r->q = xq_queue(r->x[0], 0, 16);
    return r;
}

void rig_group(Rig *r)
{
    static const uint32_t both[] = { 0, 1 };
    unsigned i;

    for (i = 0; i < PLANES; i++) {
        OK(add_group(r->sw[i], GROUP, GROUP_KEY, both, 2));
    }
    for (i = 0; i < 2; i++) {
        OK(bind_group(r->x[i], GROUP, GROUP_KEY));
        OK(import(r->x[i], ALINK_XPU_ADMIN_GROUP_IMPORT, 0, 0, GROUP,
                  GROUP_KEY));
    }
}

void rig_free(Rig *r)
{
    AlinkQtest *aq[2] = { r->x[0]->aq, r->x[1]->aq };
    unsigned i;

    for (i = 0; i < PLANES; i++) {
        aq_stop(r->sw[i]);
    }
    xq_free(r->x[1]);
    xq_free(r->x[0]);
    aq_stop(aq[1]);
    aq_stop(aq[0]);
    g_free(r);
}

void fails(Rig *r, struct alink_xpu_desc desc, uint16_t status,
           uint64_t addr)
{
    xq_run_bad(r->q, desc, status, addr);
    r->q = xq_queue(r->x[0], 0, 16);
}

void fabric_set(Rig *r, const char *name, const char *value)
{
    qtest_qmp_assert_success(r->sw[0]->qts, "{ 'execute': 'qom-set', "
                             "'arguments': { 'path': "
                             "'/machine/peripheral/fab0', 'property': %s, "
                             "'value': %s } }", name, value);
}

void link_ctrl(AlinkQtest *aq, unsigned link, uint32_t value)
{
    aq_wr32(aq, ALINK_LINK_WINDOW(link) + ALINK_LINK_CTRL, value);
}
