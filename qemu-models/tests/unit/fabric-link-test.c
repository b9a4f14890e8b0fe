// SPDX-License-Identifier: GPL-2.0-or-later
/* Links: states, reasons, peers, cables, frames, events; resets and hot-plug. */
#include <errno.h>

#include "rig.h"
#include "tap.h"

#define XPU	ALINK_DEVTYPE_XPU
#define SW	ALINK_DEVTYPE_SWITCH

static void expect_link(struct af_link_info l, uint32_t state, uint32_t reason,
			int line)
{
	bool up = state == ALINK_LINK_UP;

	if (l.state != state || l.reason != reason)
		TAP_FAIL("line %d: state %u reason %u, not %u and %u", line,
			 l.state, l.reason, state, reason);
	EXPECT_EQ(l.speed_mbps, up ? RIG_MBPS : 0);
	EXPECT_EQ(l.lanes, up ? 4 : 0);
	EXPECT_EQ(l.fec, up ? ALINK_FEC_RS544 : ALINK_FEC_NONE);
}

#define EXPECT_LINK(l, state, reason) \
	expect_link(l, ALINK_LINK_##state, ALINK_DOWN_##reason, __LINE__)

TEST(fresh_fabric)
{
	struct rig *r = rig_new(3, 2);
	struct af_link_info l;

	for (uint32_t i = 0; i < 3; i++) {
		for (uint32_t p = 0; p < 2; p++) {
			l = rig_xpu_link(r, i, p);
			EXPECT_LINK(l, UP, NONE);
			EXPECT(l.peer_type == SW && l.peer_id == p &&
			       l.peer_port == i && l.peer_serial == 0x5000 + p);
			l = rig_port(r, p, i);
			EXPECT_LINK(l, UP, NONE);
			EXPECT(l.peer_type == XPU && l.peer_id == i &&
			       l.peer_port == p && l.peer_serial == 0xe000 + i);
			EXPECT_EQ(l.downs, 0);
		}
	}
	l = rig_port(r, 1, 3);
	EXPECT_LINK(l, ABSENT, NO_CABLE);
	EXPECT_EQ(l.peer_id, ALINK_ID_NONE);
	EXPECT_EQ(l.max_mbps, RIG_MBPS);
	EXPECT_EQ(af_link_info(r->f, XPU, 0, 2, &l), -ENODEV);
	EXPECT_EQ(af_link_info(r->f, XPU, 3, 0, &l), -ENODEV);
	EXPECT_EQ(af_link_info(r->f, SW, 0, 64, &l), -ENODEV);
	EXPECT_EQ(af_link_info(r->f, ALINK_DEVTYPE_NIC, 0, 0, &l), -ENODEV);
	rig_free(r);
}

TEST(admin_and_fault_from_both_ends)
{
	static const struct { uint32_t type, id, link; } end[] = {
		{ XPU, 1, 0 }, { SW, 0, 1 },
	};
	struct rig *r = rig_new(2, 2);
	struct af_link_info own, other;

	for (int i = 0; i < 2; i++) {
#define OWN	(af_link_info(r->f, end[i].type, end[i].id, end[i].link, \
			      &own), own)
#define OTHER	(af_link_info(r->f, end[!i].type, end[!i].id, end[!i].link, \
			      &other), other)
		memset(r->events, 0, sizeof(r->events));
		EXPECT_EQ(af_link_set_admin(r->f, end[i].type, end[i].id,
					    end[i].link, false), 0);
		EXPECT_LINK(OWN, DOWN, ADMIN);
		EXPECT_LINK(OTHER, DOWN, REMOTE_FAULT);
		EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);
		EXPECT_EQ(OWN.downs, 1 + 2 * i);
		EXPECT_EQ(OTHER.downs, 1 + 2 * i);
		EXPECT_EQ(OWN.peer_id, end[!i].id);	/* remembered */

		/* A fault behind a closed port does not show. */
		af_link_set_fault(r->f, end[i].type, end[i].id, end[i].link,
				  ALINK_DOWN_LASER);
		EXPECT_LINK(OWN, DOWN, ADMIN);
		EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);
		af_link_set_admin(r->f, end[i].type, end[i].id, end[i].link,
				  true);
		EXPECT_LINK(OWN, DOWN, LASER);
		EXPECT_LINK(OTHER, DOWN, REMOTE_FAULT);
		EXPECT_EQ(r->events[ALINK_EVENT_LINK], 3);
		EXPECT_EQ(r->last.info, ALINK_DOWN_LASER);
		EXPECT_EQ(r->last.code, 0);
		af_link_set_fault(r->f, end[i].type, end[i].id, end[i].link,
				  ALINK_DOWN_NONE);
		EXPECT_LINK(OWN, UP, NONE);
		EXPECT_LINK(OTHER, UP, NONE);
		EXPECT_EQ(r->events[ALINK_EVENT_LINK], 5);
		EXPECT_EQ(r->last.code, 1);
		/* Again: nothing happens. */
		af_link_set_admin(r->f, end[i].type, end[i].id, end[i].link,
				  true);
		EXPECT_EQ(r->events[ALINK_EVENT_LINK], 5);
		af_link_set_admin(r->f, end[!i].type, end[!i].id,
				  end[!i].link, false);
		af_link_set_admin(r->f, end[!i].type, end[!i].id,
				  end[!i].link, true);
	}
	EXPECT_EQ(af_link_set_admin(r->f, XPU, 9, 0, true), -ENODEV);
	EXPECT_EQ(af_link_set_fault(r->f, SW, 0, 64, 1), -ENODEV);
	rig_free(r);
}

TEST(slower_and_narrower_end_wins)
{
	struct af_fabric *f = af_fabric_new(AF_TIMING_OFF);
	static uint8_t mem[4096] __attribute__((aligned(4096)));
	struct af_link_info l;

	EXPECT_EQ(af_switch_add(f, 0, 1, 8, 800000, 8, 0), 0);
	EXPECT_EQ(af_endpoint_add(f, 5, 2, mem, sizeof(mem), 1, 400000, 4), 0);
	af_link_info(f, SW, 0, 5, &l);
	EXPECT(l.state == ALINK_LINK_UP && l.speed_mbps == 400000 &&
	       l.lanes == 4 && l.max_mbps == 800000 && l.max_lanes == 8);
	af_fabric_free(f);
}

/* The order in which parts come does not matter; they may leave. */
TEST(hot_plug)
{
	static uint8_t mem[4096] __attribute__((aligned(4096)));
	struct af_fabric *f = af_fabric_new(AF_TIMING_OFF);
	struct af_link_info l;
	struct alink_route route = { .dst = 1, .min_ports = 1, .ports = { 1 } };

	EXPECT_EQ(af_endpoint_add(f, 2, 2, mem, sizeof(mem), 2, 1000, 1), 0);
	EXPECT_EQ(af_endpoint_add(f, 2, 2, mem, sizeof(mem), 2, 1000, 1),
		  -EEXIST);
	EXPECT_EQ(af_endpoint_add(f, 1024, 2, mem, 1, 2, 1, 1), -EINVAL);
	EXPECT_EQ(af_endpoint_add(f, 3, 2, mem, 1, 65, 1, 1), -EINVAL);
	EXPECT_EQ(af_endpoint_add(f, 3, 2, mem, 1, 1, 0, 1), -EINVAL);
	EXPECT_EQ(af_endpoint_add(f, 3, 2, mem + 1, 1, 1, 1, 1), -EINVAL);
	af_link_info(f, XPU, 2, 0, &l);
	EXPECT(l.state == ALINK_LINK_DOWN && l.reason == ALINK_DOWN_NO_PARTNER);
	EXPECT_EQ(af_switch_add(f, 0, 1, 64, 1000, 1, 0), 0);
	EXPECT_EQ(af_switch_add(f, 0, 1, 64, 1000, 1, 0), -EEXIST);
	EXPECT_EQ(af_switch_add(f, 64, 1, 64, 1000, 1, 0), -EINVAL);
	EXPECT_EQ(af_switch_add(f, 1, 1, 1025, 1000, 1, 0), -EINVAL);
	EXPECT_EQ(af_switch_add(f, 1, 1, 0, 1000, 1, 0), -EINVAL);
	af_link_info(f, XPU, 2, 0, &l);
	EXPECT_EQ(l.state, ALINK_LINK_UP);
	EXPECT_EQ(af_route_set(f, XPU, 2, &route), ALINK_ST_OK);
	EXPECT_EQ(af_route_set(f, SW, 0, &route), ALINK_ST_OK);

	EXPECT_EQ(af_endpoint_remove(f, 2), 0);
	EXPECT_EQ(af_endpoint_remove(f, 2), -ENODEV);
	EXPECT_EQ(af_endpoint_remove(f, 5000), -ENODEV);
	af_link_info(f, SW, 0, 2, &l);
	EXPECT(l.state == ALINK_LINK_DOWN && l.reason == ALINK_DOWN_NO_PARTNER);
	EXPECT_EQ(l.peer_id, ALINK_ID_NONE);
	EXPECT_EQ(l.downs, 1);

	/* Another part in its place knows nothing of the old one's. */
	EXPECT_EQ(af_endpoint_add(f, 2, 77, mem, sizeof(mem), 1, 1000, 1), 0);
	af_link_info(f, SW, 0, 2, &l);
	EXPECT(l.state == ALINK_LINK_UP && l.peer_serial == 77);
	EXPECT_EQ(af_route_get(f, XPU, 2, 0, &route), ALINK_ST_NOT_FOUND);

	EXPECT_EQ(af_switch_remove(f, 0), 0);
	EXPECT_EQ(af_switch_remove(f, 0), -ENODEV);
	af_link_info(f, XPU, 2, 0, &l);
	EXPECT(l.state == ALINK_LINK_DOWN && l.reason == ALINK_DOWN_NO_PARTNER);
	EXPECT_EQ(af_switch_add(f, 0, 1, 64, 1000, 1, 0), 0);
	EXPECT_EQ(af_route_get(f, SW, 0, 0, &route), ALINK_ST_NOT_FOUND);
	af_fabric_free(f);
}

/* A port beyond the radix has nobody. */
TEST(id_beyond_radix)
{
	static uint8_t mem[4096] __attribute__((aligned(4096)));
	struct af_fabric *f = af_fabric_new(AF_TIMING_OFF);
	struct af_link_info l;

	af_switch_add(f, 0, 1, 4, 1000, 1, 0);
	EXPECT_EQ(af_endpoint_add(f, 9, 2, mem, sizeof(mem), 1, 1000, 1), 0);
	af_link_info(f, XPU, 9, 0, &l);
	EXPECT(l.state == ALINK_LINK_DOWN && l.reason == ALINK_DOWN_NO_PARTNER);
	af_fabric_free(f);
}

TEST(cables)
{
	struct rig *r = rig_new(3, 2);
	struct af_result res;
	struct af_link_info l;
	uint32_t v = 0;

	EXPECT_EQ(af_link_wire(r->f, 1024, 0, 0, 0), -EINVAL);
	EXPECT_EQ(af_link_wire(r->f, 0, 64, 0, 0), -EINVAL);
	EXPECT_EQ(af_link_wire(r->f, 0, 0, 64, 0), -EINVAL);
	EXPECT_EQ(af_link_wire(r->f, 0, 0, 0, 1024), -EINVAL);

	/* Pull one cable. */
	EXPECT_EQ(af_link_wire(r->f, 0, 0, ALINK_ID_NONE, 0), 0);
	EXPECT_LINK(rig_xpu_link(r, 0, 0), DOWN, NO_CABLE);
	EXPECT_LINK(rig_port(r, 0, 0), ABSENT, NO_CABLE);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).peer_id, ALINK_ID_NONE);
	EXPECT_EQ(rig_port(r, 0, 0).downs, 1);

	/* Into another port: the cable laid by default there gives way. */
	EXPECT_EQ(af_link_wire(r->f, 0, 0, 0, 2), 0);
	l = rig_xpu_link(r, 0, 0);
	EXPECT(l.state == ALINK_LINK_UP && l.peer_port == 2);
	EXPECT_LINK(rig_xpu_link(r, 2, 0), DOWN, NO_CABLE);
	/* One that was laid on purpose does not. */
	EXPECT_EQ(af_link_wire(r->f, 2, 0, 0, 2), -EBUSY);
	EXPECT_EQ(af_link_wire(r->f, 0, 0, 0, 2), 0);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).state, ALINK_LINK_UP);

	/* Miswired: the switch's route for 2 by port 2 now leads to 0. */
	af_read(r->f, 1, 2, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);	/* by plane 1 */
	EXPECT_EQ(rig_xpu_link(r, 1, 0).tx_packets, 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 1).tx_packets, 1);
	rig_free(r);
}

/*
 * Who asks is who the device is: the port of another, or what another imported,
 * makes nobody that other.
 */
TEST(source_is_the_initiator)
{
	struct rig *r = rig_new(3, 1);
	struct af_result res;
	uint32_t v = 0;

	/* Endpoint 2 may not reach 1; endpoint 0 may, by its slot 1. */
	EXPECT_EQ(af_partition_set(r->f, 2, RIG_PARTITION + 1), ALINK_ST_OK);
	EXPECT_EQ(af_seg_release(r->f, 2, 1), ALINK_ST_OK);
	af_read(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	af_read(r->f, 2, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_KEY);
	EXPECT_EQ(af_seg_import(r->f, 2, 1, 1, 0, RIG_KEY(1)), ALINK_ST_OK);
	af_read(r->f, 2, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_PARTITION);

	/* Its cable goes where that of 0 went. */
	EXPECT_EQ(af_link_wire(r->f, 2, 0, 0, 0), 0);
	EXPECT_EQ(rig_port(r, 0, 0).peer_id, 2);
	af_read(r->f, 2, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_PARTITION);
	EXPECT_EQ(rig_port(r, 0, 0).rx_errors, 1);
	EXPECT_EQ(af_partition_set(r->f, 2, RIG_PARTITION), ALINK_ST_OK);
	af_read(r->f, 2, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	rig_free(r);
}

/* Several links of an endpoint into one switch take turns at the ports. */
TEST(two_links_into_one_switch)
{
	struct rig *r = rig_new(2, 2);
	struct alink_route route = { .dst = 1, .min_ports = 2 };
	struct af_result res;
	uint8_t buf[4096];

	for (uint32_t i = 0; i < 2; i++)
		EXPECT_EQ(af_link_wire(r->f, i, 1, 0, 10 + i), 0);
	route.ports[0] = 1 << 1 | 1 << 11;
	EXPECT_EQ(af_route_set(r->f, SW, 0, &route), ALINK_ST_OK);
	rig_fill(buf, sizeof(buf));
	af_write(r->f, 0, 1, 0, buf, sizeof(buf), &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(!memcmp(r->mem[1], buf, sizeof(buf)));
	EXPECT_EQ(rig_port(r, 0, 0).rx_bytes, 2048);
	EXPECT_EQ(rig_port(r, 0, 10).rx_bytes, 2048);
	EXPECT_EQ(rig_port(r, 0, 1).tx_bytes, 2048);
	EXPECT_EQ(rig_port(r, 0, 11).tx_bytes, 2048);
	EXPECT_EQ(rig_xpu_link(r, 1, 1).rx_bytes, 2048);
	/* min_ports of the switch: one of the two lost is too few. */
	af_link_set_admin(r->f, XPU, 1, 1, false);
	af_write(r->f, 0, 1, 0, buf, sizeof(buf), &res);
	EXPECT_EQ(res.status, ALINK_ST_NO_PATH);
	rig_free(r);
}

/* A module belongs to the cage: it is there before the device and after it. */
TEST(optics)
{
	struct rig *r = rig_new(2, 1);
	uint32_t type, id, link;
	struct af_link_info l;

	EXPECT_EQ(rig_port(r, 0, 1).module, ALINK_ID_NONE);
	EXPECT_EQ(af_link_set_optics(r->f, SW, 0, 1, 0x1234,
				     ALINK_DOWN_NONE), 0);
	EXPECT_EQ(rig_port(r, 0, 1).module, 0x1234);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	af_link_set_optics(r->f, SW, 0, 1, 0x1234, ALINK_DOWN_LASER);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, LASER);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), DOWN, REMOTE_FAULT);
	/* A fault of the port comes first and is another thing. */
	af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_SIGNAL);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, SIGNAL);
	af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_NONE);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, LASER);
	af_cold_reset(r->f, SW, 0);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, LASER);
	EXPECT_EQ(af_switch_remove(r->f, 0), 0);
	EXPECT_EQ(af_switch_add(r->f, 0, 1, 64, RIG_MBPS, 4, 0), 0);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, LASER);
	EXPECT_EQ(rig_port(r, 0, 1).module, 0x1234);

	/* The cage of a port that nobody has yet */
	EXPECT_EQ(af_link_set_optics(r->f, XPU, 9, 0, 7, ALINK_DOWN_RX_LOS),
		  0);
	EXPECT_EQ(af_endpoint_add(r->f, 9, 1, r->mem[0], RIG_MEM, 1, RIG_MBPS,
				  4), 0);
	af_link_info(r->f, XPU, 9, 0, &l);
	EXPECT_LINK(l, DOWN, RX_LOS);
	EXPECT_EQ(l.module, 7);
	EXPECT_EQ(af_link_set_optics(r->f, XPU, 1024, 0, 7, 0), -EINVAL);
	EXPECT_EQ(af_link_set_optics(r->f, SW, 0, 1024, 7, 0), -EINVAL);

	EXPECT_EQ(af_link_cable(r->f, XPU, 9, 0, &type, &id, &link), 0);
	EXPECT(type == SW && id == 0 && link == 9);
	EXPECT_EQ(af_link_cable(r->f, SW, 0, 1, &type, &id, &link), 0);
	EXPECT(type == XPU && id == 1 && link == 0);
	EXPECT_EQ(af_link_cable(r->f, SW, 0, 50, &type, &id, &link), -ENOLINK);
	EXPECT_EQ(af_link_cable(r->f, SW, 64, 0, &type, &id, &link), -EINVAL);
	rig_free(r);
}

/* Sends @len bytes to @first.. and says at which device they come out. */
static int send_frame(struct rig *r, uint32_t type, uint32_t id, uint32_t link,
		      uint8_t first, uint32_t len, bool kept)
{
	uint8_t frame[9216] = { first, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint32_t peer, peer_id, peer_link;
	int ret;

	ret = af_link_frame(r->f, type, id, link, frame, len, &peer, &peer_id,
			    &peer_link);
	if (!ret) {
		EXPECT(peer == (type == XPU ? SW : XPU));
		EXPECT(peer_id == link && peer_link == id);
		af_link_frame_in(r->f, peer, peer_id, peer_link, frame, len,
				 kept);
	}
	return ret;
}

TEST(frames)
{
	struct rig *r = rig_new(2, 2);

	EXPECT_EQ(send_frame(r, XPU, 1, 0, 0x02, 60, true), 0);
	EXPECT_EQ(send_frame(r, SW, 1, 0, 0x02, 1500, true), 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).tx_frames, 1);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).tx_raw, 76);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).tx_bytes, 0);
	EXPECT_EQ(rig_port(r, 0, 1).rx_frames, 1);
	EXPECT_EQ(rig_port(r, 0, 1).rx_packets, 1);
	EXPECT_EQ(rig_port(r, 1, 0).tx_raw, 1516);
	EXPECT_EQ(rig_xpu_link(r, 0, 1).rx_raw, 1516);
	af_link_set_admin(r->f, SW, 0, 1, false);
	EXPECT_EQ(send_frame(r, XPU, 1, 0, 0x02, 60, true), -ENOLINK);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).tx_errors, 1);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).tx_frame.octets, 60);
	EXPECT_EQ(send_frame(r, XPU, 1, 7, 0x02, 60, true), -ENOLINK);
	af_link_frame_in(r->f, XPU, 9, 0, (const uint8_t *)"nobody", 6, true);
	rig_free(r);
}

/* By kind of address, and by size at both borders of each range. */
TEST(kinds_and_sizes_of_frames)
{
	static const struct { uint32_t len, range; } size[] = {
		{ 14, 0 }, { 60, 0 }, { 61, 1 }, { 123, 1 }, { 124, 2 },
		{ 251, 2 }, { 252, 3 }, { 507, 3 }, { 508, 4 }, { 1019, 4 },
		{ 1020, 5 }, { 1514, 5 }, { 1515, 6 }, { 9216, 6 },
	};
	struct af_frame_count want = { 0 };
	struct rig *r = rig_new(2, 1);
	struct af_link_info tx, rx;

	for (unsigned int i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		EXPECT_EQ(send_frame(r, XPU, 1, 0, 0x02, size[i].len, true), 0);
		want.octets += size[i].len;
		want.size[size[i].range]++;
	}
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(send_frame(r, XPU, 1, 0, 0x01, 60, true), 0);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(send_frame(r, XPU, 1, 0, 0xff, 60, true), 0);
	want.multicast = 3;
	want.broadcast = 2;
	want.octets += 5 * 60;
	want.size[0] += 5;

	tx = rig_xpu_link(r, 1, 0);
	rx = rig_port(r, 0, 1);
	EXPECT(!memcmp(&tx.tx_frame, &want, sizeof(want)));
	EXPECT(!memcmp(&rx.rx_frame, &want, sizeof(want)));
	EXPECT_EQ(tx.tx_frames, rx.rx_frames);
	EXPECT_EQ(tx.rx_frame.octets, 0);
	EXPECT_EQ(rx.tx_frame.octets, 0);

	/* What finds no room has crossed the wire, and is no frame received. */
	EXPECT_EQ(send_frame(r, XPU, 1, 0, 0xff, 60, false), 0);
	EXPECT_EQ(rig_port(r, 0, 1).rx_drops, 1);
	EXPECT_EQ(rig_port(r, 0, 1).rx_frames, rx.rx_frames);
	EXPECT_EQ(rig_port(r, 0, 1).rx_packets, rx.rx_packets + 1);
	EXPECT_EQ(rig_port(r, 0, 1).rx_raw, rx.rx_raw + 76);
	EXPECT_EQ(rig_port(r, 0, 1).rx_frame.broadcast, 2);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).tx_frame.broadcast, 3);

	af_switch_reset(r->f, 0);
	EXPECT_EQ(rig_port(r, 0, 1).rx_drops, 1);
	af_cold_reset(r->f, SW, 0);
	EXPECT_EQ(rig_port(r, 0, 1).rx_drops, 0);
	EXPECT_EQ(rig_port(r, 0, 1).rx_frame.octets, 0);
	rig_free(r);
}

#define CTRL(flags)	(ALINK_LINK_CTRL_ENABLE | (flags))
#define LOOP		ALINK_LINK_CTRL_LOOPBACK
#define PRBS		ALINK_LINK_CTRL_PRBS

/* Sends one frame from port 1 of switch 0; does it come back? */
static bool comes_back(struct rig *r)
{
	static const uint8_t frame[60] = { 2 };
	uint32_t type = 0, id = 9, link = 9;

	return !af_link_frame(r->f, SW, 0, 1, frame, sizeof(frame), &type, &id,
			      &link) &&
	       type == SW && id == 0 && link == 1;
}

TEST(loop_back)
{
	struct rig *r = rig_new(2, 1);
	struct af_link_info before;
	struct af_result res;
	uint32_t v = 0;

	EXPECT(!comes_back(r));
	before = rig_port(r, 0, 1);
	EXPECT_EQ(af_link_set_ctrl(r->f, SW, 0, 1, CTRL(LOOP)), 0);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, TEST);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), DOWN, REMOTE_FAULT);
	EXPECT_EQ(rig_port(r, 0, 1).downs, 1);
	EXPECT(comes_back(r));
	EXPECT_EQ(rig_port(r, 0, 1).tx_frames, before.tx_frames + 1);
	EXPECT_EQ(rig_port(r, 0, 1).rx_packets, before.rx_packets + 1);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).rx_packets, 1);	/* the first one */
	EXPECT_EQ(send_frame(r, XPU, 1, 0, 2, 60, true), -ENOLINK);
	/* It is no path for anybody else. */
	af_write(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_PORT_DOWN);

	/* What is the matter outside does not matter. */
	af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_SIGNAL);
	af_link_set_optics(r->f, SW, 0, 1, 0x1234, ALINK_DOWN_LASER);
	EXPECT_EQ(af_link_wire(r->f, 1, 0, ALINK_ID_NONE, 0), 0);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, TEST);
	EXPECT(comes_back(r));
	/* A port that is closed has no power for it, nor one with a pattern. */
	af_link_set_ctrl(r->f, SW, 0, 1, LOOP);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, ADMIN);
	EXPECT(!comes_back(r));
	af_link_set_ctrl(r->f, SW, 0, 1, CTRL(LOOP | PRBS));
	EXPECT(!comes_back(r));

	af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_NONE);
	af_link_set_optics(r->f, SW, 0, 1, ALINK_ID_NONE, ALINK_DOWN_NONE);
	EXPECT_EQ(af_link_wire(r->f, 1, 0, 0, 1), 0);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, TEST);
	af_switch_reset(r->f, 0);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), UP, NONE);
	EXPECT_EQ(af_link_set_ctrl(r->f, SW, 0, 64, CTRL(LOOP)), -ENODEV);
	rig_free(r);
}

/* 400 bits by nanosecond, while the pattern comes in */
TEST(prbs)
{
	struct rig *r = rig_new(2, 1);

	af_link_set_ctrl(r->f, SW, 0, 1, CTRL(PRBS));
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, TEST);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), DOWN, REMOTE_FAULT);
	r->clock += 10000;
	EXPECT_EQ(rig_port(r, 0, 1).prbs_lanes, 0);
	EXPECT_EQ(rig_port(r, 0, 1).prbs_bits, 0);
	/* The other end sends it, too: each sees the other's. */
	af_link_set_ctrl(r->f, XPU, 1, 0, CTRL(PRBS));
	r->clock += 10000;
	EXPECT_EQ(rig_port(r, 0, 1).prbs_lanes, 0xf);
	EXPECT_EQ(rig_port(r, 0, 1).prbs_bits, 4000000);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_lanes, 0xf);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_bits, 4000000);
	EXPECT(!comes_back(r));
	/* A fault cuts it off, and so does one who listens to himself. */
	af_link_set_fault(r->f, XPU, 1, 0, ALINK_DOWN_SIGNAL);
	r->clock += 10000;
	EXPECT_EQ(rig_port(r, 0, 1).prbs_lanes, 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_lanes, 0);
	af_link_set_fault(r->f, XPU, 1, 0, ALINK_DOWN_NONE);
	r->clock += 1000;
	af_link_set_ctrl(r->f, XPU, 1, 0, CTRL(PRBS | LOOP));
	r->clock += 10000;
	EXPECT_EQ(rig_port(r, 0, 1).prbs_lanes, 0);
	EXPECT_EQ(rig_port(r, 0, 1).prbs_bits, 4400000);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_lanes, 0xf);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_bits, 8400000);

	/* Over: the counts stay until it begins again. */
	af_link_set_ctrl(r->f, XPU, 1, 0, CTRL(0));
	af_link_set_ctrl(r->f, SW, 0, 1, CTRL(0));
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	r->clock += 10000;
	EXPECT_EQ(rig_port(r, 0, 1).prbs_bits, 4400000);
	af_link_set_ctrl(r->f, SW, 0, 1, CTRL(PRBS | LOOP));
	EXPECT_EQ(rig_port(r, 0, 1).prbs_bits, 0);
	r->clock += 1000;
	EXPECT_EQ(rig_port(r, 0, 1).prbs_bits, 400000);
	af_switch_reset(r->f, 0);
	EXPECT_EQ(rig_port(r, 0, 1).prbs_bits, 0);
	EXPECT_EQ(rig_port(r, 0, 1).prbs_lanes, 0);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	rig_free(r);
}

TEST(error_counters)
{
	struct rig *r = rig_new(2, 1);
	struct af_link_info l;

	EXPECT_EQ(af_link_add_errors(r->f, XPU, 0, 0, 0, 1, 2, 3, 4), 0);
	EXPECT_EQ(af_link_add_errors(r->f, XPU, 0, 0, 3, 10, 20, 30, 40), 0);
	EXPECT_EQ(af_link_add_errors(r->f, XPU, 0, 0, 4, 1, 1, 1, 1), -EINVAL);
	EXPECT_EQ(af_link_add_errors(r->f, XPU, 0, 1, 0, 1, 1, 1, 1), -ENODEV);
	l = rig_xpu_link(r, 0, 0);
	EXPECT(l.fec_corr == 11 && l.fec_uncorr == 22 && l.crc_errors == 33 &&
	       l.replays == 44);
	EXPECT(l.lane_corr[0] == 1 && l.lane_corr[3] == 10 &&
	       !l.lane_corr[1] && !l.lane_corr[4]);
	EXPECT(l.lane_uncorr[0] == 2 && l.lane_uncorr[3] == 20 &&
	       !l.lane_uncorr[2]);
	EXPECT_EQ(l.symbol_errors, 22 * 16);
	EXPECT_EQ(rig_port(r, 0, 0).crc_errors, 0);
	af_cold_reset(r->f, XPU, 0);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).lane_corr[3], 0);
	rig_free(r);
}

TEST(reset_of_an_endpoint)
{
	struct rig *r = rig_new(3, 2);
	struct alink_route route;
	struct af_result res;
	uint32_t part, v = 0;

	rig_group_all(r, 0);
	af_write(r->f, 0, 1, 0, &v, 4, &res);
	af_link_set_admin(r->f, XPU, 1, 0, false);
	af_endpoint_reset(r->f, 1);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), UP, NONE);
	EXPECT_EQ(rig_xpu_sum(r, 1).rx_bytes, 4);
	af_partition_get(r->f, 1, &part);
	EXPECT_EQ(part, RIG_PARTITION);
	EXPECT_EQ(af_route_get(r->f, XPU, 1, 0, &route), ALINK_ST_OK);
	af_read(r->f, 0, 1, 0, &v, 4, &res);	/* segment gone */
	EXPECT_EQ(res.status, ALINK_ST_KEY);
	af_read(r->f, 1, 0, 0, &v, 4, &res);	/* import gone */
	EXPECT_EQ(res.status, ALINK_ST_KEY);
	af_group_write(r->f, 0, 0, 0, &v, 4, &res);	/* binding gone */
	EXPECT_EQ(res.status, ALINK_ST_GROUP);
	af_group_write(r->f, 1, 0, 0, &v, 4, &res);	/* slot gone */
	EXPECT_EQ(res.status, ALINK_ST_KEY);
	af_read(r->f, 0, 2, 0, &v, 4, &res);	/* others are untouched */
	EXPECT_EQ(res.status, ALINK_ST_OK);

	af_cold_reset(r->f, XPU, 1);
	EXPECT_EQ(rig_xpu_sum(r, 1).rx_bytes, 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).downs, 0);
	EXPECT_EQ(rig_port(r, 0, 1).tx_bytes, 4);	/* not the other end */
	EXPECT_EQ(af_route_get(r->f, XPU, 1, 0, &route), ALINK_ST_NOT_FOUND);
	af_partition_get(r->f, 1, &part);
	EXPECT_EQ(part, 0);
	af_endpoint_reset(r->f, 99);		/* nobody: nothing */
	af_cold_reset(r->f, XPU, 5000);
	rig_free(r);
}

TEST(reset_of_a_switch)
{
	struct rig *r = rig_new(3, 2);
	struct af_switch_info sw;
	struct alink_route route;
	struct af_result res;
	uint32_t v = 0, part;

	rig_group_all(r, 0);
	af_group_write(r->f, 0, 0, 0, &v, 4, &res);
	af_link_set_admin(r->f, SW, 0, 1, false);
	af_switch_reset(r->f, 0);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_EQ(af_route_get(r->f, SW, 0, 0, &route), ALINK_ST_NOT_FOUND);
	af_partition_get(r->f, 1, &part);
	EXPECT_EQ(part, RIG_PARTITION);
	af_switch_info(r->f, 0, &sw);
	EXPECT(sw.multicasts == 1 && sw.radix == 64 && sw.hop_ns == 150);
	/* The other plane goes on alone. */
	af_group_write(r->f, 0, 0, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	af_switch_reset(r->f, 1);
	af_group_write(r->f, 0, 0, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_GROUP);
	af_read(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_NO_PATH);
	af_cold_reset(r->f, SW, 0);
	af_switch_info(r->f, 0, &sw);
	EXPECT(!sw.multicasts && !sw.drops_noroute);
	EXPECT_EQ(rig_port(r, 0, 0).rx_bytes, 0);
	EXPECT_EQ(af_switch_info(r->f, 2, &sw), -ENODEV);
	rig_free(r);
}

TEST(default_partition)
{
	static uint8_t mem[4096] __attribute__((aligned(4096)));
	struct af_fabric *f = af_fabric_new(AF_TIMING_OFF);
	uint32_t part;

	af_endpoint_add(f, 0, 1, mem, sizeof(mem), 1, 1000, 1);
	EXPECT_EQ(af_partition_get(f, 0, &part), ALINK_ST_OK);
	EXPECT_EQ(part, 0);
	EXPECT_EQ(af_fabric_set_default_partition(f, 1024), -EINVAL);
	EXPECT_EQ(af_fabric_set_default_partition(f, 5), 0);
	EXPECT_EQ(af_fabric_default_partition(f), 5);
	af_partition_get(f, 0, &part);
	EXPECT_EQ(part, 0);
	af_cold_reset(f, XPU, 0);
	af_partition_get(f, 0, &part);
	EXPECT_EQ(part, 5);
	EXPECT_EQ(af_partition_get(f, 1, &part), ALINK_ST_NOT_FOUND);
	af_fabric_free(f);
}

TEST(events_of_tables)
{
	struct rig *r = rig_new(3, 2);
	struct alink_route route = { .dst = 1, .min_ports = 1, .ports = { 1 } };
	struct alink_group g = { .id = 4, .num_members = 2, .key = 1 };
	uint32_t members[] = { 0, 2 };

	af_route_set(r->f, XPU, 2, &route);
	EXPECT(r->events[ALINK_EVENT_ROUTE] == 1 && r->last_type == XPU &&
	       r->last_id == 2 && r->last.id == 1 && r->last.code == 1);
	af_route_del(r->f, SW, 1, 0);
	EXPECT(r->events[ALINK_EVENT_ROUTE] == 2 && r->last_type == SW &&
	       r->last_id == 1 && r->last.id == 0 && r->last.code == 0);
	af_route_del(r->f, SW, 1, 0);		/* refused: no event */
	EXPECT_EQ(r->events[ALINK_EVENT_ROUTE], 2);

	af_group_add(r->f, 1, &g, members);
	EXPECT(r->events[ALINK_EVENT_GROUP] == 3 && r->last_type == XPU &&
	       r->last_id == 2 && r->last.id == 4 && r->last.code == 1 &&
	       r->last.info == 1);
	af_group_del(r->f, 1, 4);
	EXPECT(r->events[ALINK_EVENT_GROUP] == 6 && r->last.code == 0);

	af_partition_set(r->f, 1, RIG_PARTITION);	/* no change: no event */
	EXPECT_EQ(r->events[ALINK_EVENT_PARTITION], 0);
	af_partition_set(r->f, 1, 3);
	EXPECT(r->events[ALINK_EVENT_PARTITION] == 3 && r->last_type == SW &&
	       r->last_id == 1 && r->last.id == 1 && r->last.code == 3);
	rig_free(r);
}

/* The core may be called from an event. */
static struct af_fabric *called;
static unsigned int seen;

static void call_back(void *opaque, uint32_t type, uint32_t id,
		      const struct alink_event *event)
{
	struct af_link_info l;

	(void)opaque;
	if (event->type == ALINK_EVENT_LINK &&
	    !af_link_info(called, type, id, event->id, &l))
		seen++;
}

TEST(no_lock_is_held_in_events)
{
	struct rig *r = rig_new(2, 1);

	called = r->f;
	af_fabric_set_event_fn(r->f, call_back, NULL);
	af_link_set_admin(r->f, XPU, 0, 0, false);
	EXPECT_EQ(seen, 2);
	rig_free(r);
}
