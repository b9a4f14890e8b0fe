// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every typed failure, and that failures leave memory and counters alone;
 * Documentation/hw/fabric.rst, "Errors".
 */
#include <errno.h>

#include "rig.h"
#include "tap.h"

#define ALL_RIGHTS (ALINK_SEG_READ | ALINK_SEG_WRITE | ALINK_SEG_ATOMIC | \
		    ALINK_SEG_GROUP)

/* All that the switches saw: endpoints may be gone. */
static uint64_t payload(struct rig *r)
{
	uint64_t sum = 0;

	for (uint32_t p = 0; p < r->planes; p++) {
		for (uint32_t i = 0; i < r->n; i++) {
			struct af_link_info l = rig_port(r, p, i);

			sum += l.tx_bytes + l.rx_bytes + l.tx_packets +
			       l.rx_packets;
		}
	}
	return sum;
}

/* Read, write and atomic from 0 to 1 at @offset all give @status. */
static void expect_all(struct rig *r, uint32_t slot, uint64_t offset,
		       uint64_t len, enum alink_status status, int line)
{
	uint8_t buf[64], *before = malloc(RIG_MEM);
	uint64_t count = payload(r);
	struct af_result res;

	memcpy(before, r->mem[1], RIG_MEM);
	memset(buf, 0x77, sizeof(buf));
	af_read(r->f, 0, slot, offset, buf, len, &res);
	if (res.status != status)
		TAP_FAIL("line %d: read gives %s, not %s", line,
			 af_status_name(res.status), af_status_name(status));
	EXPECT_EQ(buf[0], 0x77);
	EXPECT_EQ(res.model_ns, 0);
	af_write(r->f, 0, slot, offset, buf, len, &res);
	if (res.status != status)
		TAP_FAIL("line %d: write gives %s, not %s", line,
			 af_status_name(res.status), af_status_name(status));
	af_atomic(r->f, 0, slot, offset & ~7ULL, ALINK_ATOMIC_ADD, 8, 1, 0,
		  &res);
	if (res.status != status)
		TAP_FAIL("line %d: atomic gives %s, not %s", line,
			 af_status_name(res.status), af_status_name(status));
	EXPECT(!memcmp(before, r->mem[1], RIG_MEM));
	EXPECT_EQ(payload(r), count);
	free(before);
}

#define EXPECT_ALL(r, slot, off, len, st) \
	expect_all(r, slot, off, len, st, __LINE__)

static void expect_ok(struct rig *r)
{
	struct af_result res;
	uint32_t v = 0;

	af_read(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
}

TEST(unused_slot_and_bad_arguments)
{
	struct rig *r = rig_new(2, 2);
	struct af_result res;
	uint32_t v;

	EXPECT_ALL(r, 9, 0, 8, ALINK_ST_KEY);
	af_read(r->f, 7, 0, 0, &v, 4, &res);	/* no such initiator */
	EXPECT_EQ(res.status, ALINK_ST_BAD_FIELD);
	af_read(r->f, 0, AF_MAX_IMPORTS, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_BAD_FIELD);
	af_read(r->f, ALINK_ID_NONE, 0, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_seg_release(r->f, 0, 1), ALINK_ST_OK);
	EXPECT_EQ(af_seg_release(r->f, 0, 1), ALINK_ST_NOT_FOUND);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_KEY);
	rig_free(r);
}

TEST(loop_path)
{
	struct rig *r = rig_new(2, 2);
	struct alink_route route = { .dst = 0, .min_ports = 1, .ports = { 1 } };

	EXPECT_ALL(r, 0, 0, 8, ALINK_ST_NO_PATH);
	EXPECT_EQ(af_route_set(r->f, ALINK_DEVTYPE_XPU, 0, &route),
		  ALINK_ST_BAD_FIELD);
	rig_free(r);
}

TEST(no_route_at_initiator)
{
	struct rig *r = rig_new(2, 2);

	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_XPU, 0, 1), ALINK_ST_OK);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_NO_PATH);
	rig_free(r);
}

TEST(no_route_at_switch)
{
	struct rig *r = rig_new(2, 2);
	struct af_switch_info sw;

	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_SWITCH, 0, 1), ALINK_ST_OK);
	expect_ok(r);			/* plane 1 is left */
	EXPECT_EQ(af_switch_info(r->f, 0, &sw), 0);
	EXPECT_EQ(sw.drops_noroute, 1);
	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_SWITCH, 1, 1), ALINK_ST_OK);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_NO_PATH);
	af_switch_info(r->f, 0, &sw);
	EXPECT_EQ(sw.drops_noroute, 4);
	EXPECT_EQ(rig_port(r, 0, 0).rx_errors, 4);
	EXPECT_EQ(rig_port(r, 0, 1).rx_errors, 0);
	rig_free(r);
}

/* A route that names a port which leads to another endpoint */
TEST(route_to_wrong_port)
{
	struct rig *r = rig_new(3, 1);
	struct alink_route route = { .dst = 1, .min_ports = 1,
				     .ports = { 1 << 2 } };

	EXPECT_EQ(af_route_set(r->f, ALINK_DEVTYPE_SWITCH, 0, &route),
		  ALINK_ST_OK);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_NO_PATH);
	rig_free(r);
}

TEST(port_down)
{
	struct rig *r = rig_new(2, 2);

	/* Own link, then the target's: one plane each, from either end */
	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 0, 0, false);
	expect_ok(r);
	af_link_set_fault(r->f, ALINK_DEVTYPE_SWITCH, 1, 1, ALINK_DOWN_SIGNAL);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_PORT_DOWN);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).tx_errors, 4);
	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 0, 0, true);
	expect_ok(r);
	af_link_set_admin(r->f, ALINK_DEVTYPE_SWITCH, 0, 0, false);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_PORT_DOWN);
	rig_free(r);
}

TEST(fewer_ports_than_minimum)
{
	struct rig *r = rig_new(2, 4);
	struct alink_route route = { .dst = 1, .min_ports = 3,
				     .ports = { 0xf } };

	EXPECT_EQ(af_route_set(r->f, ALINK_DEVTYPE_XPU, 0, &route),
		  ALINK_ST_OK);
	expect_ok(r);
	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 0, 0, false);
	expect_ok(r);
	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 1, 1, false);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_NO_PATH);
	rig_free(r);
}

TEST(unowned_fabric_fails_closed)
{
	struct rig *r = rig_new(2, 2);
	struct af_switch_info sw;

	EXPECT_EQ(af_partition_set(r->f, 0, 0), ALINK_ST_OK);
	EXPECT_EQ(af_partition_set(r->f, 1, 0), ALINK_ST_OK);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_PARTITION);
	af_switch_info(r->f, 0, &sw);
	EXPECT_EQ(sw.drops_part, 3);
	EXPECT_EQ(rig_port(r, 0, 0).rx_errors, 3);
	EXPECT_EQ(af_partition_set(r->f, 0, 1023), ALINK_ST_OK);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_PARTITION);
	EXPECT_EQ(af_partition_set(r->f, 0, 1024), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_partition_set(r->f, 5, 1), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_partition_set(r->f, 5000, 1), ALINK_ST_BAD_FIELD);
	rig_free(r);
}

/* A segment stays with the partition that it was exported in. */
TEST(segment_of_another_partition)
{
	struct rig *r = rig_new(2, 2);
	struct af_extent e = { 0, 4096 };

	af_partition_set(r->f, 0, 9);
	af_partition_set(r->f, 1, 9);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_PARTITION);
	EXPECT_EQ(af_seg_revoke(r->f, 1, 0), ALINK_ST_OK);
	EXPECT_EQ(af_seg_export(r->f, 1, 0, RIG_KEY(1), ALL_RIGHTS, &e, 1),
		  ALINK_ST_OK);
	expect_ok(r);
	af_partition_set(r->f, 0, RIG_PARTITION);
	af_partition_set(r->f, 1, RIG_PARTITION);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_PARTITION);
	af_partition_set(r->f, 0, 9);
	af_partition_set(r->f, 1, 9);
	expect_ok(r);

	/* Exported before there is one: joins the first */
	af_partition_set(r->f, 1, 0);
	EXPECT_EQ(af_seg_revoke(r->f, 1, 0), ALINK_ST_OK);
	af_seg_export(r->f, 1, 0, RIG_KEY(1), ALL_RIGHTS, &e, 1);
	af_partition_set(r->f, 1, 9);
	expect_ok(r);
	rig_free(r);
}

TEST(key)
{
	struct rig *r = rig_new(2, 2);
	struct af_extent e = { 0, 4096 };

	EXPECT_EQ(af_seg_import(r->f, 0, 100, 1, 0, RIG_KEY(1) + 1),
		  ALINK_ST_OK);
	EXPECT_ALL(r, 100, 0, 8, ALINK_ST_KEY);
	EXPECT_EQ(af_seg_import(r->f, 0, 101, 1, 1, RIG_KEY(1)), ALINK_ST_OK);
	EXPECT_ALL(r, 101, 0, 8, ALINK_ST_KEY);
	/* Revoked, then exported anew with another key */
	EXPECT_EQ(af_seg_revoke(r->f, 1, 0), ALINK_ST_OK);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_KEY);
	EXPECT_EQ(af_seg_export(r->f, 1, 0, 1234, ALL_RIGHTS, &e, 1),
		  ALINK_ST_OK);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_KEY);
	rig_free(r);
}

TEST(rights)
{
	static const uint32_t rights[] = { ALINK_SEG_READ, ALINK_SEG_WRITE,
					   ALINK_SEG_ATOMIC, ALINK_SEG_GROUP };
	struct rig *r = rig_new(2, 2);
	struct af_extent e = { 0, 4096 };
	struct af_result res;
	uint64_t v = 0;

	for (uint32_t i = 0; i < 4; i++) {
		af_seg_export(r->f, 1, 10 + i, 55, rights[i], &e, 1);
		af_seg_import(r->f, 0, 10 + i, 1, 10 + i, 55);
		af_read(r->f, 0, 10 + i, 0, &v, 8, &res);
		EXPECT_EQ(res.status, i == 0 ? ALINK_ST_OK : ALINK_ST_KEY);
		af_write(r->f, 0, 10 + i, 0, &v, 8, &res);
		EXPECT_EQ(res.status, i == 1 ? ALINK_ST_OK : ALINK_ST_KEY);
		af_atomic(r->f, 0, 10 + i, 0, ALINK_ATOMIC_ADD, 8, 1, 0, &res);
		EXPECT_EQ(res.status, i == 2 ? ALINK_ST_OK : ALINK_ST_KEY);
	}
	rig_free(r);
}

TEST(range_and_wrap)
{
	static const struct { uint64_t off, len, bad; } v[] = {
		{ RIG_MEM, 1, 0 }, { RIG_MEM - 1, 2, 1 }, { 0, RIG_MEM + 1ULL,
		  RIG_MEM }, { RIG_MEM + 1, 0, 0 }, { UINT64_MAX, 1, 0 },
		{ UINT64_MAX, 2, 0 }, { 8, UINT64_MAX - 7, RIG_MEM - 8 },
		{ 8, UINT64_MAX, RIG_MEM - 8 }, { UINT64_MAX - 7, 8, 0 },
		{ 1ULL << 63, 1ULL << 63, 0 },
	};
	struct rig *r = rig_new(2, 2);
	struct af_result res;
	uint8_t buf[8];

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		af_read(r->f, 0, 1, v[i].off, buf, v[i].len, &res);
		EXPECT_EQ(res.status, ALINK_ST_RANGE);
		EXPECT_EQ(res.fail_offset, v[i].bad);
		af_write(r->f, 0, 1, v[i].off, buf, v[i].len, &res);
		EXPECT_EQ(res.status, ALINK_ST_RANGE);
		EXPECT_EQ(res.fail_offset, v[i].bad);
	}
	af_read(r->f, 0, 1, RIG_MEM - 8, buf, 8, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	/* Nothing at the very end is something that can be done. */
	af_read(r->f, 0, 1, RIG_MEM, buf, 0, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT_EQ(res.model_ns, 0);
	rig_free(r);
}

TEST(alignment)
{
	struct rig *r = rig_new(2, 2);
	struct af_result res;
	uint8_t out[64];

	af_atomic(r->f, 0, 1, 4, ALINK_ATOMIC_ADD, 8, 1, 0, &res);
	EXPECT_EQ(res.status, ALINK_ST_ALIGN);
	af_atomic(r->f, 0, 1, 2, ALINK_ATOMIC_ADD, 4, 1, 0, &res);
	EXPECT_EQ(res.status, ALINK_ST_ALIGN);
	af_atomic(r->f, 0, 1, 0, ALINK_ATOMIC_ADD, 2, 1, 0, &res);
	EXPECT_EQ(res.status, ALINK_ST_ALIGN);
	af_atomic(r->f, 0, 1, 0, 8, 4, 1, 0, &res);
	EXPECT_EQ(res.status, ALINK_ST_UNSUPPORTED);
	rig_group_all(r, 0);
	af_group_reduce(r->f, 0, 0, 2, out, 4, ALINK_DT_FP32, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_ALIGN);
	af_group_reduce(r->f, 0, 0, 0, out, 3, ALINK_DT_BF16, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_ALIGN);
	af_group_reduce(r->f, 0, 0, 0, out, 4, ALINK_DT_UINT8, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_UNSUPPORTED);
	af_group_reduce(r->f, 0, 0, 0, out, 4, ALINK_DT_FP32, 3, &res);
	EXPECT_EQ(res.status, ALINK_ST_UNSUPPORTED);
	rig_free(r);
}

TEST(unreachable_and_removed)
{
	struct rig *r = rig_new(2, 2);

	EXPECT_EQ(af_endpoint_set_answering(r->f, 1, false), 0);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_UNREACHABLE);
	EXPECT_EQ(af_endpoint_set_answering(r->f, 1, true), 0);
	expect_ok(r);
	EXPECT_EQ(af_endpoint_map(r->f, 1, NULL), 0);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_UNREACHABLE);
	EXPECT_EQ(af_endpoint_map(r->f, 1, r->mem[1]), 0);
	expect_ok(r);
	EXPECT_EQ(af_endpoint_remove(r->f, 1), 0);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_PORT_DOWN);
	EXPECT_EQ(af_endpoint_set_answering(r->f, 1, true), -ENODEV);
	EXPECT_EQ(af_endpoint_map(r->f, 1, r->mem[1]), -ENODEV);
	rig_free(r);
}

TEST(injected_status)
{
	struct rig *r = rig_new(2, 2);

	EXPECT_EQ(af_endpoint_fail_ops(r->f, 0, ALINK_ST_TIMEOUT, 3), 0);
	EXPECT_ALL(r, 1, 0, 8, ALINK_ST_TIMEOUT);
	expect_ok(r);
	EXPECT_EQ(af_endpoint_fail_ops(r->f, 0, ALINK_ST_OK, 1), -EINVAL);
	EXPECT_EQ(af_endpoint_fail_ops(r->f, 9, ALINK_ST_TIMEOUT, 1), -ENODEV);
	rig_free(r);
}

TEST(poison)
{
	struct rig *r = rig_new(2, 2);
	/* The segment's order is not that of memory. */
	struct af_extent e[] = { { 8192, 4096 }, { 0, 4096 } };
	uint8_t buf[8192] = { 0 };
	struct af_result res;

	af_seg_export(r->f, 1, 3, 77, ALL_RIGHTS, e, 2);
	af_seg_import(r->f, 0, 3, 1, 3, 77);
	EXPECT_EQ(af_poison_add(r->f, 1, 100, 64), 0);
	EXPECT_EQ(r->events[ALINK_EVENT_FAULT], 0);
	af_read(r->f, 0, 3, 10, buf, 8000, &res);
	EXPECT_EQ(res.status, ALINK_ST_POISON);
	EXPECT_EQ(res.fail_offset, 4096 + 100 - 10);
	/* The owner learns where in its memory that was. */
	EXPECT_EQ(r->events[ALINK_EVENT_FAULT], 1);
	EXPECT_EQ(r->last_type, ALINK_DEVTYPE_XPU);
	EXPECT_EQ(r->last_id, 1);
	EXPECT_EQ(r->last.type, ALINK_EVENT_FAULT);
	EXPECT_EQ(r->last.id, ALINK_ID_NONE);
	EXPECT_EQ(r->last.code, ALINK_FAULT_HBM_ECC);
	EXPECT_EQ(r->last.info, ALINK_RECOVERY_NONE);
	EXPECT_EQ(r->last.addr, 100);
	af_read(r->f, 0, 3, 4096 + 110, buf, 1, &res);
	EXPECT_EQ(res.status, ALINK_ST_POISON);
	EXPECT_EQ(res.fail_offset, 0);
	EXPECT_EQ(r->events[ALINK_EVENT_FAULT], 2);
	EXPECT_EQ(r->last.addr, 110);
	af_read(r->f, 0, 3, 0, buf, 4096 + 100, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	af_read(r->f, 0, 3, 4096 + 164, buf, 1, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT_EQ(r->events[ALINK_EVENT_FAULT], 2);
	af_atomic(r->f, 0, 3, 4096 + 160, ALINK_ATOMIC_OR, 8, 1, 0, &res);
	EXPECT_EQ(res.status, ALINK_ST_POISON);
	EXPECT_EQ(r->events[ALINK_EVENT_FAULT], 3);
	EXPECT_EQ(r->last.addr, 160);
	/* A part of the range does not heal it, the whole does. */
	af_write(r->f, 0, 3, 4096 + 101, buf, 63, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	af_read(r->f, 0, 3, 4096 + 100, buf, 1, &res);
	EXPECT_EQ(res.status, ALINK_ST_POISON);
	af_write(r->f, 0, 3, 4096 + 100, buf, 64, &res);
	af_read(r->f, 0, 3, 0, buf, 8192, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);

	for (int i = 0; i < AF_MAX_POISON; i++)
		EXPECT_EQ(af_poison_add(r->f, 1, i * 4096, 1), 0);
	EXPECT_EQ(af_poison_add(r->f, 1, 0, 1), -ENOSPC);
	EXPECT_EQ(af_poison_add(r->f, 0, RIG_MEM, 1), -EINVAL);
	EXPECT_EQ(af_poison_add(r->f, 0, 1, UINT64_MAX), -EINVAL);
	EXPECT_EQ(af_poison_add(r->f, 7, 0, 1), -ENODEV);
	EXPECT_EQ(af_poison_clear(r->f, 1), 0);
	af_read(r->f, 0, 1, 0, buf, 8192, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	rig_free(r);
}

/* --- groups ---------------------------------------------------------------- */

static void expect_group(struct rig *r, uint32_t who, uint32_t slot,
			 enum alink_status status, int line)
{
	uint64_t count = payload(r);
	struct af_result res;
	uint32_t v[16], old[16];

	memset(v, 0x55, sizeof(v));
	memcpy(old, r->mem[0], sizeof(old));
	af_group_reduce(r->f, who, slot, 0, v, sizeof(v), ALINK_DT_INT32,
			ALINK_OP_SUM, &res);
	if (res.status != status)
		TAP_FAIL("line %d: reduce gives %s, not %s", line,
			 af_status_name(res.status), af_status_name(status));
	af_group_write(r->f, who, slot, 0, v, sizeof(v), &res);
	if (res.status != status)
		TAP_FAIL("line %d: write gives %s, not %s", line,
			 af_status_name(res.status), af_status_name(status));
	if (status) {
		EXPECT_EQ(v[0], 0x55555555);
		EXPECT(!memcmp(r->mem[0], old, sizeof(old)));
		EXPECT_EQ(payload(r), count);
	}
}

#define EXPECT_GROUP(r, who, slot, st) expect_group(r, who, slot, st, __LINE__)

TEST(group_key_member_and_table)
{
	struct rig *r = rig_new(4, 3);
	uint32_t three[] = { 0, 1, 2 };
	struct alink_group g = { .id = 5, .num_members = 3,
				 .key = RIG_GROUP_KEY + 5 };

	EXPECT_GROUP(r, 0, 5, ALINK_ST_KEY);		/* no slot */
	af_group_import(r->f, 0, 5, 5, g.key);
	EXPECT_GROUP(r, 0, 5, ALINK_ST_GROUP);		/* no such group */
	EXPECT_EQ(af_group_release(r->f, 0, 5), ALINK_ST_OK);
	EXPECT_EQ(af_group_release(r->f, 0, 5), ALINK_ST_NOT_FOUND);
	rig_group(r, 5, three, 3);
	EXPECT_GROUP(r, 0, 5, ALINK_ST_OK);

	af_group_import(r->f, 0, 6, 5, g.key + 1);
	EXPECT_GROUP(r, 0, 6, ALINK_ST_KEY);
	af_group_import(r->f, 3, 5, 5, g.key);
	EXPECT_GROUP(r, 3, 5, ALINK_ST_DENIED);		/* not a member */

	/* A plane without the group carries nothing of it. */
	EXPECT_EQ(af_group_del(r->f, 1, 5), ALINK_ST_OK);
	EXPECT_GROUP(r, 0, 5, ALINK_ST_OK);
	/* Two planes that disagree */
	g.num_members = 2;
	EXPECT_EQ(af_group_add(r->f, 1, &g, three), ALINK_ST_OK);
	EXPECT_GROUP(r, 0, 5, ALINK_ST_GROUP);
	EXPECT_EQ(af_group_del(r->f, 0, 5), ALINK_ST_OK);
	EXPECT_EQ(af_group_del(r->f, 1, 5), ALINK_ST_OK);
	EXPECT_EQ(af_group_del(r->f, 2, 5), ALINK_ST_OK);
	EXPECT_EQ(af_group_del(r->f, 2, 5), ALINK_ST_NOT_FOUND);
	EXPECT_GROUP(r, 0, 5, ALINK_ST_GROUP);

	/* Made anew with another key: old slots and bindings are void. */
	g.num_members = 3;
	g.key++;
	EXPECT_EQ(af_group_add(r->f, 0, &g, three), ALINK_ST_OK);
	EXPECT_GROUP(r, 0, 5, ALINK_ST_KEY);
	EXPECT_GROUP(r, 0, 6, ALINK_ST_GROUP);
	rig_free(r);
}

TEST(group_member_trouble)
{
	struct rig *r = rig_new(3, 2);
	struct af_result res;
	uint32_t v[4];

	rig_group_all(r, 0);
	EXPECT_EQ(af_group_unbind(r->f, 2, 0), ALINK_ST_OK);
	EXPECT_EQ(af_group_unbind(r->f, 2, 0), ALINK_ST_NOT_FOUND);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_GROUP);
	EXPECT_EQ(af_group_bind(r->f, 2, 0, 0, RIG_GROUP_KEY, 4096, 4096),
		  ALINK_ST_OK);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_OK);
	/* The smallest binding is the limit. */
	af_group_reduce(r->f, 0, 0, 4096, v, 4, ALINK_DT_INT32, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_RANGE);
	af_group_write(r->f, 0, 0, 4092, v, 8, &res);
	EXPECT_EQ(res.status, ALINK_ST_RANGE);
	EXPECT_EQ(res.fail_offset, 4);
	af_group_write(r->f, 0, 0, UINT64_MAX - 3, v, 8, &res);
	EXPECT_EQ(res.status, ALINK_ST_RANGE);

	af_endpoint_set_answering(r->f, 1, false);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_UNREACHABLE);
	af_endpoint_set_answering(r->f, 1, true);
	af_partition_set(r->f, 1, 3);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_PARTITION);
	af_partition_set(r->f, 1, RIG_PARTITION);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_OK);

	af_poison_add(r->f, 2, 4096 + 8, 4);
	af_group_reduce(r->f, 0, 0, 4, v, 8, ALINK_DT_INT32, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_POISON);
	EXPECT_EQ(res.fail_offset, 4);
	EXPECT_EQ(r->events[ALINK_EVENT_FAULT], 1);
	EXPECT_EQ(r->last_id, 2);
	EXPECT_EQ(r->last.addr, 4096 + 8);
	af_group_write(r->f, 0, 0, 0, v, 16, &res);	/* heals */
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_OK);

	/* Revoking the segment undoes the binding. */
	af_seg_revoke(r->f, 2, 0);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_GROUP);
	EXPECT_EQ(af_group_unbind(r->f, 2, 0), ALINK_ST_NOT_FOUND);
	af_endpoint_remove(r->f, 2);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_GROUP);
	rig_free(r);
}

/* Once at each switch, by kind; not what no member has been asked for. */
TEST(group_errors_are_counted)
{
	static const uint64_t want[AF_NUM_INC] = {
		[AF_INC_SILENT] = 2, [AF_INC_UNBOUND] = 2,
		[AF_INC_REFUSED] = 1, [AF_INC_POISON] = 1,
	};
	struct rig *r = rig_new(3, 2);
	struct af_switch_info sw;
	struct af_result res;
	uint32_t v[4];

	rig_group_all(r, 0);
	EXPECT_EQ(af_group_unbind(r->f, 2, 0), ALINK_ST_OK);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_GROUP);
	EXPECT_EQ(af_group_bind(r->f, 2, 0, 0, RIG_GROUP_KEY, 4096, 4096),
		  ALINK_ST_OK);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_OK);
	af_group_reduce(r->f, 0, 0, 4096, v, 4, ALINK_DT_INT32, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_RANGE);
	af_endpoint_set_answering(r->f, 1, false);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_UNREACHABLE);
	af_endpoint_set_answering(r->f, 1, true);
	af_poison_add(r->f, 2, 4096 + 8, 4);
	af_group_reduce(r->f, 0, 0, 4, v, 8, ALINK_DT_INT32, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_POISON);
	/* No member is asked: a slot without a group, a type */
	EXPECT_GROUP(r, 0, 9, ALINK_ST_KEY);
	af_group_reduce(r->f, 0, 0, 0, v, 4, ALINK_DT_UINT8, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_UNSUPPORTED);
	for (uint32_t p = 0; p < 2; p++) {
		af_switch_info(r->f, p, &sw);
		EXPECT(!memcmp(sw.inc_errors, want, sizeof(want)));
	}
	af_switch_reset(r->f, 0);
	af_switch_info(r->f, 0, &sw);
	EXPECT(!memcmp(sw.inc_errors, want, sizeof(want)));
	af_cold_reset(r->f, ALINK_DEVTYPE_SWITCH, 0);
	af_switch_info(r->f, 0, &sw);
	EXPECT_EQ(sw.inc_errors[AF_INC_SILENT] + sw.inc_errors[AF_INC_UNBOUND] +
		  sw.inc_errors[AF_INC_REFUSED] + sw.inc_errors[AF_INC_POISON],
		  0);
	af_switch_info(r->f, 1, &sw);
	EXPECT(!memcmp(sw.inc_errors, want, sizeof(want)));
	rig_free(r);
}

TEST(group_paths)
{
	struct rig *r = rig_new(3, 2);

	rig_group_all(r, 0);
	/* One plane lost by a member, the other by the initiator */
	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 2, 0, false);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_OK);
	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 0, 1, false);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_PORT_DOWN);
	EXPECT_GROUP(r, 1, 0, ALINK_ST_PORT_DOWN);
	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 2, 0, true);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_OK);
	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_SWITCH, 0, 2), ALINK_ST_OK);
	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 0, 1, true);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_OK);
	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_SWITCH, 1, 2), ALINK_ST_OK);
	EXPECT_GROUP(r, 0, 0, ALINK_ST_NO_PATH);
	/* The initiator's own route is not needed: its port is known. */
	EXPECT_GROUP(r, 2, 0, ALINK_ST_OK);
	rig_free(r);
}

TEST(group_rights)
{
	struct rig *r = rig_new(2, 2);
	struct af_extent e = { 0, 8192 };
	struct af_result res;
	uint32_t v[4];

	rig_group_all(r, 0);
	af_group_unbind(r->f, 1, 0);
	af_seg_export(r->f, 1, 1, 5, ALINK_SEG_READ | ALINK_SEG_GROUP, &e, 1);
	EXPECT_EQ(af_group_bind(r->f, 1, 0, 1, RIG_GROUP_KEY, 0, 8192),
		  ALINK_ST_OK);
	af_group_reduce(r->f, 0, 0, 0, v, 16, ALINK_DT_INT32, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	af_group_write(r->f, 0, 0, 0, v, 16, &res);
	EXPECT_EQ(res.status, ALINK_ST_KEY);
	rig_free(r);
}

/* --- tables ---------------------------------------------------------------- */

TEST(export_arguments)
{
	struct rig *r = rig_new(2, 1);
	struct af_extent ok = { 4096, 4096 }, e;
	struct af_extent many[AF_MAX_SEG_EXTENTS + 1];

#define EXPORT(seg, key, rights, ext, n) \
	af_seg_export(r->f, 1, seg, key, rights, ext, n)
	EXPECT_EQ(EXPORT(4096, 1, 1, &ok, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(EXPORT(1, 0, 1, &ok, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(EXPORT(1, 1, 0, &ok, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(EXPORT(1, 1, 16, &ok, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(EXPORT(1, 1, 1, &ok, 0), ALINK_ST_BAD_FIELD);
	for (int i = 0; i <= AF_MAX_SEG_EXTENTS; i++)
		many[i] = ok;
	EXPECT_EQ(EXPORT(1, 1, 1, many, AF_MAX_SEG_EXTENTS + 1),
		  ALINK_ST_BAD_FIELD);
	e = (struct af_extent){ 1, 4096 };
	EXPECT_EQ(EXPORT(1, 1, 1, &e, 1), ALINK_ST_BAD_FIELD);
	e = (struct af_extent){ 0, 100 };
	EXPECT_EQ(EXPORT(1, 1, 1, &e, 1), ALINK_ST_BAD_FIELD);
	e = (struct af_extent){ 0, 0 };
	EXPECT_EQ(EXPORT(1, 1, 1, &e, 1), ALINK_ST_BAD_FIELD);
	e = (struct af_extent){ RIG_MEM, 4096 };
	EXPECT_EQ(EXPORT(1, 1, 1, &e, 1), ALINK_ST_BAD_FIELD);
	e = (struct af_extent){ 4096, 0xfffffffffffff000 };
	EXPECT_EQ(EXPORT(1, 1, 1, &e, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(EXPORT(0, 1, 1, &ok, 1), ALINK_ST_EXISTS);
	EXPECT_EQ(EXPORT(1, 1, 1, many, AF_MAX_SEG_EXTENTS), ALINK_ST_OK);
	EXPECT_EQ(af_seg_export(r->f, 9, 1, 1, 1, &ok, 1), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_seg_revoke(r->f, 1, 2), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_seg_revoke(r->f, 1, 4096), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_seg_import(r->f, 0, 1, 1, 0, 1), ALINK_ST_EXISTS);
	EXPECT_EQ(af_seg_import(r->f, 0, 50, 1, 0, 0), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_seg_import(r->f, 0, 50, 1, 4096, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_seg_import(r->f, 0, 50, 1024, 0, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_seg_import(r->f, 0, 4096, 1, 0, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_seg_import(r->f, 9, 0, 1, 0, 1), ALINK_ST_NOT_FOUND);
	rig_free(r);
}

TEST(segment_listing)
{
	struct rig *r = rig_new(2, 1);
	struct af_extent e[] = { { 0, 8192 }, { 16384, 4096 } };
	struct af_segment_info i;

	/* That of the rig is the first. */
	EXPECT_EQ(af_seg_get(r->f, 1, 0, &i), ALINK_ST_OK);
	EXPECT_EQ(i.id, 0);
	EXPECT_EQ(i.partition, RIG_PARTITION);
	EXPECT_EQ(af_seg_get(r->f, 1, 1, &i), ALINK_ST_NOT_FOUND);
	af_partition_set(r->f, 1, 0);
	EXPECT_EQ(af_seg_export(r->f, 1, 4095, 5, ALINK_SEG_READ, e, 2),
		  ALINK_ST_OK);
	EXPECT_EQ(af_seg_get(r->f, 1, 1, &i), ALINK_ST_OK);
	EXPECT(i.id == 4095 && i.rights == ALINK_SEG_READ && i.len == 12288);
	EXPECT(i.num_extents == 2 && !i.partition && !i.num_bindings);
	/* The first partition is its, and stays so. */
	af_partition_set(r->f, 1, 9);
	af_partition_set(r->f, 1, 10);
	EXPECT_EQ(af_seg_get(r->f, 1, 4095, &i), ALINK_ST_OK);
	EXPECT_EQ(i.partition, 9);
	EXPECT_EQ(af_seg_get(r->f, 1, 4096, &i), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_seg_get(r->f, 1, UINT32_MAX, &i), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_seg_get(r->f, 9, 0, &i), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_seg_get(r->f, ALINK_MAX_ENDPOINTS, 0, &i),
		  ALINK_ST_NOT_FOUND);
	rig_free(r);
}

/* The pool of the whole fabric ends before the ids of its endpoints do. */
TEST(segment_pool_runs_out)
{
	struct rig *r = rig_new(17, 1);
	struct af_extent e = { 0, 4096 };
	uint32_t got = 0;
	int ret = 0;

	for (uint32_t i = 0; i < 17 && !ret; i++)
		for (uint32_t s = 1; s < ALINK_MAX_SEGMENTS && !ret; s++) {
			ret = af_seg_export(r->f, i, s, 1, 1, &e, 1);
			got += !ret;
		}
	EXPECT_EQ(ret, ALINK_ST_NO_ROOM);
	EXPECT_EQ(got, 65536 - 17);
	EXPECT_EQ(af_seg_revoke(r->f, 3, 77), ALINK_ST_OK);
	EXPECT_EQ(af_seg_export(r->f, 16, 4095, 1, 1, &e, 1), ALINK_ST_OK);
	EXPECT_EQ(af_seg_export(r->f, 16, 4094, 1, 1, &e, 1), ALINK_ST_NO_ROOM);
	rig_free(r);
}

TEST(group_arguments)
{
	struct rig *r = rig_new(2, 1);
	uint32_t members[1024], got[4];
	struct alink_group g = { .id = 1, .num_members = 2, .key = 3 }, out;
	struct af_extent e = { 0, 8192 };

	for (uint32_t i = 0; i < 1024; i++)
		members[i] = i;
#define ADD(field, value, status) do {					\
	struct alink_group bad = g;					\
									\
	bad.field = value;						\
	EXPECT_EQ(af_group_add(r->f, 0, &bad, members), status);	\
} while (0)
	ADD(id, ALINK_MAX_GROUPS, ALINK_ST_BAD_FIELD);
	ADD(num_members, 0, ALINK_ST_BAD_FIELD);
	ADD(num_members, 1025, ALINK_ST_BAD_FIELD);
	ADD(key, 0, ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_group_add(r->f, 3, &g, members), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_group_add(r->f, 64, &g, members), ALINK_ST_NOT_FOUND);
	members[1] = 0;
	EXPECT_EQ(af_group_add(r->f, 0, &g, members), ALINK_ST_BAD_FIELD);
	members[1] = 1024;
	EXPECT_EQ(af_group_add(r->f, 0, &g, members), ALINK_ST_BAD_FIELD);
	members[1] = 1;
	EXPECT_EQ(af_group_add(r->f, 0, &g, members), ALINK_ST_OK);
	EXPECT_EQ(af_group_add(r->f, 0, &g, members), ALINK_ST_EXISTS);
	ADD(id, 2, ALINK_ST_OK);
	ADD(id, 255, ALINK_ST_OK);

	EXPECT_EQ(af_group_get(r->f, 0, 0, &out, got, 4), ALINK_ST_OK);
	EXPECT(out.id == 1 && out.num_members == 2 && out.key == 3);
	EXPECT(got[0] == 0 && got[1] == 1);
	EXPECT_EQ(af_group_get(r->f, 0, 3, &out, got, 1), ALINK_ST_NO_ROOM);
	EXPECT(out.id == 255 && out.num_members == 2);
	EXPECT_EQ(af_group_get(r->f, 0, 256, &out, got, 4), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_group_get(r->f, 9, 0, &out, got, 4), ALINK_ST_NOT_FOUND);

#define BIND(id, group, seg, key, off, len) \
	af_group_bind(r->f, id, group, seg, key, off, len)
	EXPECT_EQ(BIND(0, 256, 0, 3, 0, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(BIND(0, 1, 4096, 3, 0, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(BIND(0, 1, 0, 0, 0, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(BIND(0, 1, 0, 3, 0, 0), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(BIND(0, 1, 0, 3, 8, 8), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(BIND(0, 1, 0, 3, RIG_MEM, 1), ALINK_ST_RANGE);
	EXPECT_EQ(BIND(0, 1, 0, 3, 4096, UINT64_MAX), ALINK_ST_RANGE);
	EXPECT_EQ(BIND(0, 1, 7, 3, 0, 1), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(BIND(9, 1, 0, 3, 0, 1), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(BIND(0, 3, 0, 3, 0, 1), ALINK_ST_GROUP);
	EXPECT_EQ(BIND(0, 1, 0, 4, 0, 1), ALINK_ST_KEY);
	af_seg_export(r->f, 0, 1, 1, ALINK_SEG_READ, &e, 1);
	EXPECT_EQ(BIND(0, 1, 1, 3, 0, 1), ALINK_ST_DENIED);
	EXPECT_EQ(BIND(0, 1, 0, 3, 0, RIG_MEM), ALINK_ST_OK);
	EXPECT_EQ(BIND(0, 1, 0, 3, 0, RIG_MEM), ALINK_ST_EXISTS);
	EXPECT_EQ(af_group_import(r->f, 0, 256, 0, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_group_import(r->f, 0, 0, 256, 1), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_group_import(r->f, 0, 0, 0, 0), ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_group_import(r->f, 9, 0, 0, 1), ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_group_import(r->f, 0, 0, 0, 1), ALINK_ST_OK);
	EXPECT_EQ(af_group_import(r->f, 0, 0, 0, 1), ALINK_ST_EXISTS);
	rig_free(r);
}

TEST(route_arguments_and_listing)
{
	struct rig *r = rig_new(3, 2);
	struct alink_route route = { .dst = 1, .min_ports = 1,
				     .ports = { 3 } }, out;
	uint32_t dst = 0, n = 0;

#define SET(type, id, field, value, status) do {			\
	struct alink_route bad = route;					\
									\
	bad.field = value;						\
	EXPECT_EQ(af_route_set(r->f, type, id, &bad), status);		\
} while (0)
	SET(ALINK_DEVTYPE_XPU, 0, dst, 1024, ALINK_ST_BAD_FIELD);
	SET(ALINK_DEVTYPE_XPU, 0, min_ports, 0, ALINK_ST_BAD_FIELD);
	SET(ALINK_DEVTYPE_XPU, 0, min_ports, 3, ALINK_ST_BAD_FIELD);
	SET(ALINK_DEVTYPE_XPU, 0, ports[0], 0, ALINK_ST_BAD_FIELD);
	SET(ALINK_DEVTYPE_XPU, 0, ports[0], 4, ALINK_ST_BAD_FIELD);
	SET(ALINK_DEVTYPE_XPU, 0, ports[15], 1, ALINK_ST_BAD_FIELD);
	SET(ALINK_DEVTYPE_SWITCH, 0, ports[1], 1, ALINK_ST_BAD_FIELD);
	SET(ALINK_DEVTYPE_SWITCH, 0, ports[0], 1ULL << 63, ALINK_ST_OK);
	SET(ALINK_DEVTYPE_XPU, 7, dst, 1, ALINK_ST_NOT_FOUND);
	SET(ALINK_DEVTYPE_NIC, 0, dst, 1, ALINK_ST_NOT_FOUND);

	SET(ALINK_DEVTYPE_XPU, 0, dst, 1000, ALINK_ST_OK);
	while (af_route_get(r->f, ALINK_DEVTYPE_XPU, 0, dst, &out) ==
	       ALINK_ST_OK) {
		static const uint32_t want[] = { 1, 2, 1000 };

		ASSERT(n < 3);
		EXPECT_EQ(out.dst, want[n]);
		EXPECT_EQ(out.ports[0], 3);
		dst = out.dst + 1;
		n++;
	}
	EXPECT_EQ(n, 3);
	EXPECT_EQ(af_route_get(r->f, ALINK_DEVTYPE_XPU, 0, ALINK_ID_NONE, &out),
		  ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_XPU, 0, 1000), ALINK_ST_OK);
	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_XPU, 0, 1000),
		  ALINK_ST_NOT_FOUND);
	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_XPU, 0, 1024),
		  ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_route_del(r->f, ALINK_DEVTYPE_SWITCH, 9, 0),
		  ALINK_ST_NOT_FOUND);
	rig_free(r);
}

TEST(every_status_has_a_name)
{
	static const enum alink_status st[] = {
		ALINK_ST_OK, ALINK_ST_NO_PATH, ALINK_ST_PORT_DOWN,
		ALINK_ST_PARTITION, ALINK_ST_KEY, ALINK_ST_RANGE,
		ALINK_ST_POISON, ALINK_ST_TIMEOUT, ALINK_ST_UNREACHABLE,
		ALINK_ST_GROUP, ALINK_ST_UNSUPPORTED, ALINK_ST_EPOCH,
		ALINK_ST_ALIGN,
		ALINK_ST_ABORTED, ALINK_ST_DENIED, ALINK_ST_STUCK,
	};

	for (size_t i = 0; i < sizeof(st) / sizeof(st[0]); i++)
		for (size_t k = 0; k < i; k++)
			EXPECT(strcmp(af_status_name(st[i]),
				      af_status_name(st[k])));
	EXPECT(!strcmp(af_status_name(999), "unknown status"));
}
