// SPDX-License-Identifier: GPL-2.0-or-later
/* Spare links: idle until a link that they stand in for is dead, and again after. */
#include "rig.h"
#include "tap.h"

#define XPU	ALINK_DEVTYPE_XPU
#define SW	ALINK_DEVTYPE_SWITCH
#define LEN	(12 * ALINK_PACKET_BYTES)	/* shared out evenly by 1 to 4 links */

/* The routes of all: over @links, with @spares. */
static void set_routes(struct rig *r, uint64_t links, uint64_t spares,
		       uint32_t min)
{
	struct alink_route route = { .min_ports = min, .ports = { links } };

	for (uint32_t i = 0; i < r->n; i++)
		for (route.dst = 0; route.dst < r->n; route.dst++)
			if (route.dst != i)
				EXPECT_EQ(af_route_set_spares(r->f, XPU, i,
							      &route, spares),
					  ALINK_ST_OK);
}

static uint32_t sent(struct rig *r, uint32_t id, uint64_t *was)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < r->planes; i++) {
		uint64_t now = rig_xpu_link(r, id, i).tx_bytes;

		if (now != was[i])
			used |= 1 << i;
		was[i] = now;
	}
	return used;
}

/* Which of its links carry a write of endpoint 0 */
static uint32_t write_uses(struct rig *r, uint64_t *ns)
{
	static uint8_t buf[LEN];
	uint64_t was[AF_MAX_PLANES];
	struct af_result res;
	uint32_t used;

	sent(r, 0, was);
	rig_fill(buf, LEN);
	af_write(r->f, 0, 1, 0, buf, LEN, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(!memcmp(r->mem[1], buf, LEN));
	if (ns)
		*ns = res.model_ns;
	r->clock += 1000000;
	used = sent(r, 0, was);
	return used;
}

static uint32_t group_uses(struct rig *r, bool reduce)
{
	static uint8_t buf[LEN];
	uint64_t was[AF_MAX_PLANES];
	struct af_result res;

	sent(r, 0, was);
	if (reduce)
		af_group_reduce(r->f, 0, 0, 0, buf, LEN, ALINK_DT_INT32,
				ALINK_OP_SUM, &res);
	else
		af_group_write(r->f, 0, 0, 0, buf, LEN, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	return sent(r, 0, was);
}

static void plane(struct rig *r, uint32_t p, bool up)
{
	for (uint32_t i = 0; i < r->n; i++)
		af_link_set_admin(r->f, SW, p, i, up);
}

TEST(stands_in_and_gives_back)
{
	struct rig *r = rig_new(2, 4);
	uint64_t whole, ns;

	set_routes(r, 0x7, 0x8, 2);
	EXPECT_EQ(write_uses(r, &whole), 0x7);
	/* Its own link, the target's, and all of a plane */
	af_link_set_admin(r->f, XPU, 0, 1, false);
	EXPECT_EQ(write_uses(r, &ns), 0xd);
	EXPECT_EQ(ns, whole);
	EXPECT_EQ(rig_xpu_link(r, 0, 3).tx_bytes, LEN / 3);
	af_link_set_admin(r->f, XPU, 0, 1, true);
	EXPECT_EQ(write_uses(r, &ns), 0x7);
	af_link_set_admin(r->f, XPU, 1, 0, false);
	EXPECT_EQ(write_uses(r, &ns), 0xe);
	EXPECT_EQ(ns, whole);
	af_link_set_admin(r->f, XPU, 1, 0, true);
	plane(r, 2, false);
	EXPECT_EQ(write_uses(r, &ns), 0xb);
	/* Two are dead: two of three are left. */
	plane(r, 1, false);
	EXPECT_EQ(write_uses(r, &ns), 0x9);
	EXPECT(ns > whole);
	plane(r, 2, true);
	EXPECT_EQ(write_uses(r, NULL), 0xd);
	plane(r, 1, true);
	EXPECT_EQ(write_uses(r, NULL), 0x7);
	/* The switch without its table is no path either. */
	af_switch_reset(r->f, 0);
	EXPECT_EQ(write_uses(r, NULL), 0xe);
	rig_free(r);
}

TEST(the_lowest_first)
{
	struct rig *r = rig_new(2, 4);

	set_routes(r, 0xa, 0x5, 1);
	EXPECT_EQ(write_uses(r, NULL), 0xa);
	plane(r, 3, false);
	EXPECT_EQ(write_uses(r, NULL), 0x3);
	plane(r, 1, false);
	EXPECT_EQ(write_uses(r, NULL), 0x5);
	plane(r, 0, false);
	EXPECT_EQ(write_uses(r, NULL), 0x4);
	plane(r, 3, true);
	EXPECT_EQ(write_uses(r, NULL), 0xc);
	rig_free(r);
}

/* min_ports counts both; and an idle spare counts nothing, whatever its state. */
TEST(counts)
{
	struct rig *r = rig_new(2, 3);
	struct af_result res;
	uint32_t v = 0;

	set_routes(r, 0x3, 0x4, 2);
	af_link_set_admin(r->f, XPU, 0, 2, false);
	EXPECT_EQ(write_uses(r, NULL), 0x3);
	EXPECT_EQ(rig_xpu_link(r, 0, 2).tx_errors, 0);
	af_link_set_admin(r->f, XPU, 0, 0, false);
	af_write(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_NO_PATH);
	EXPECT_EQ(rig_xpu_link(r, 0, 2).tx_errors, 1);
	af_link_set_admin(r->f, XPU, 0, 2, true);
	EXPECT_EQ(write_uses(r, NULL), 0x6);
	af_link_set_admin(r->f, XPU, 0, 1, false);
	af_link_set_admin(r->f, XPU, 0, 2, false);
	af_write(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_PORT_DOWN);
	rig_free(r);
}

TEST(table)
{
	struct alink_route route = { .dst = 1, .min_ports = 1, .ports = { 3 } };
	struct rig *r = rig_new(2, 4);
	struct alink_route got;
	uint64_t spares;

	EXPECT_EQ(af_route_set_spares(r->f, XPU, 0, &route, 2),
		  ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_route_set_spares(r->f, XPU, 0, &route, 1 << 4),
		  ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_route_set_spares(r->f, XPU, 0, &route, 1ULL << 63),
		  ALINK_ST_BAD_FIELD);
	EXPECT_EQ(af_route_set_spares(r->f, SW, 0, &route, 4),
		  ALINK_ST_BAD_FIELD);
	route.min_ports = 3;
	EXPECT_EQ(af_route_set_spares(r->f, XPU, 0, &route, 4),
		  ALINK_ST_BAD_FIELD);
	route.min_ports = 2;
	EXPECT_EQ(af_route_set_spares(r->f, XPU, 0, &route, 0xc), ALINK_ST_OK);
	af_endpoint_reset(r->f, 0);
	EXPECT_EQ(af_route_get_spares(r->f, XPU, 0, 0, &got, &spares),
		  ALINK_ST_OK);
	EXPECT(got.dst == 1 && got.min_ports == 2 && got.ports[0] == 3);
	EXPECT_EQ(spares, 0xc);
	/* Written anew without. */
	EXPECT_EQ(af_route_set(r->f, XPU, 0, &route), ALINK_ST_OK);
	af_route_get_spares(r->f, XPU, 0, 0, &got, &spares);
	EXPECT_EQ(spares, 0);
	EXPECT_EQ(af_route_set_spares(r->f, XPU, 0, &route, 0xc), ALINK_ST_OK);
	af_cold_reset(r->f, XPU, 0);
	EXPECT_EQ(af_route_get_spares(r->f, XPU, 0, 0, &got, &spares),
		  ALINK_ST_NOT_FOUND);
	rig_free(r);
}

TEST(groups)
{
	struct rig *r = rig_new(3, 4);
	uint64_t errors;

	rig_group_all(r, 0);
	EXPECT_EQ(group_uses(r, false), 0xf);
	set_routes(r, 0x7, 0x8, 1);
	EXPECT_EQ(group_uses(r, false), 0x7);
	EXPECT_EQ(group_uses(r, true), 0x7);
	/* A link of a member that did not ask: idle, the spare's counts nothing. */
	af_link_set_admin(r->f, XPU, 2, 3, false);
	errors = rig_port(r, 3, 0).rx_errors;
	EXPECT_EQ(group_uses(r, true), 0x7);
	EXPECT_EQ(rig_port(r, 3, 0).rx_errors, errors);
	af_link_set_admin(r->f, XPU, 2, 3, true);
	af_link_set_admin(r->f, XPU, 2, 1, false);
	EXPECT_EQ(group_uses(r, false), 0xd);
	EXPECT_EQ(group_uses(r, true), 0xd);
	af_link_set_admin(r->f, XPU, 2, 1, true);
	EXPECT_EQ(group_uses(r, true), 0x7);
	/* The switch has lost the group; and is gone. */
	EXPECT_EQ(af_group_del(r->f, 0, 0), ALINK_ST_OK);
	EXPECT_EQ(group_uses(r, true), 0xe);
	EXPECT_EQ(af_switch_remove(r->f, 0), 0);
	EXPECT_EQ(group_uses(r, false), 0xe);
	plane(r, 1, false);
	plane(r, 2, false);
	EXPECT_EQ(group_uses(r, true), 0x8);
	rig_free(r);
}

/* A link that one route has is none that another can make a spare of. */
TEST(groups_with_routes_that_differ)
{
	struct alink_route route = { .dst = 2, .min_ports = 1,
				     .ports = { 0xc } };
	struct rig *r = rig_new(3, 4);

	rig_group_all(r, 0);
	set_routes(r, 0x3, 0xc, 1);
	EXPECT_EQ(af_route_set_spares(r->f, XPU, 0, &route, 0x3), ALINK_ST_OK);
	EXPECT_EQ(group_uses(r, true), 0xf);
	rig_free(r);
}

/* 0, or how endpoint @id's contribution ended */
static uint32_t push(struct rig *r, uint32_t id, uint64_t epoch,
		     struct af_push *p)
{
	struct af_push_args a = {
		.epoch = epoch, .offset = 0, .len = LEN, .timeout_ms = 100,
		.dtype = ALINK_DT_INT32, .op = ALINK_OP_SUM,
	};
	static uint8_t buf[LEN];
	struct af_result res = { 0 };

	memset(p, 0, sizeof(*p));
	return af_push(r->f, id, &a, buf, p, &res) ? res.status + 1 : 0;
}

TEST(pushes)
{
	struct rig *r = rig_new(2, 3);
	uint64_t was[AF_MAX_PLANES];
	struct af_result res;
	struct af_push p[2];

	rig_group_all(r, 0);
	set_routes(r, 0x3, 0x4, 1);
	sent(r, 0, was);
	EXPECT_EQ(push(r, 0, 1, &p[0]), 0);
	EXPECT_EQ(push(r, 1, 1, &p[1]), ALINK_ST_OK + 1);
	EXPECT(af_push_poll(r->f, 0, &p[0], &res));
	EXPECT_EQ(sent(r, 0, was), 0x3);
	/* Open when a plane dies: it ends so, and the next one has the spare. */
	EXPECT_EQ(push(r, 0, 2, &p[0]), 0);
	af_link_set_admin(r->f, XPU, 1, 0, false);
	EXPECT(af_push_poll(r->f, 0, &p[0], &res));
	EXPECT_EQ(res.status, ALINK_ST_PORT_DOWN);
	EXPECT_EQ(push(r, 1, 3, &p[1]), 0);
	EXPECT_EQ(push(r, 0, 3, &p[0]), ALINK_ST_OK + 1);
	EXPECT_EQ(sent(r, 0, was), 0x6);
	EXPECT(af_push_poll(r->f, 1, &p[1], &res));
	EXPECT_EQ(res.status, ALINK_ST_OK);
	/* The same when it is back. */
	EXPECT_EQ(push(r, 0, 4, &p[0]), 0);
	af_link_set_admin(r->f, XPU, 1, 0, true);
	EXPECT(af_push_poll(r->f, 0, &p[0], &res));
	EXPECT_EQ(res.status, ALINK_ST_PORT_DOWN);
	EXPECT_EQ(push(r, 1, 5, &p[1]), 0);
	EXPECT_EQ(push(r, 0, 5, &p[0]), ALINK_ST_OK + 1);
	EXPECT_EQ(sent(r, 0, was), 0x3);
	rig_free(r);
}
