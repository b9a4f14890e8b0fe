// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of links: FEC, lanes that fail, replay, flaps, credits, training. */
#include <errno.h>

#include "rig.h"
#include "tap.h"

#define XPU	ALINK_DEVTYPE_XPU
#define SW	ALINK_DEVTYPE_SWITCH
#define PRBS	(ALINK_LINK_CTRL_ENABLE | ALINK_LINK_CTRL_PRBS)

static void expect_link(struct af_link_info l, uint32_t state, uint32_t reason,
			int line)
{
	if (l.state != state || l.reason != reason)
		TAP_FAIL("line %d: state %u reason %u, not %u and %u", line,
			 l.state, l.reason, state, reason);
	EXPECT_EQ(!!l.speed_mbps, state == ALINK_LINK_UP);
	if (state != ALINK_LINK_UP)
		EXPECT_EQ(l.fec, ALINK_FEC_NONE);
}

#define EXPECT_LINK(l, state, reason) \
	expect_link(l, ALINK_LINK_##state, ALINK_DOWN_##reason, __LINE__)

/* --- FEC ------------------------------------------------------------------- */

#define FEC(mode)	ALINK_BIT(ALINK_FEC_##mode)

TEST(fec)
{
	struct rig *r = rig_new(2, 1);
	struct af_link_info l;

	l = rig_port(r, 0, 1);
	EXPECT_EQ(l.fec_caps, FEC(RS544) | FEC(LL272));
	EXPECT_EQ(l.fec_ctrl, 0);
	EXPECT_EQ(l.fec, ALINK_FEC_RS544);

	/* One end asks, the other follows; both are told, and stay up. */
	memset(r->events, 0, sizeof(r->events));
	EXPECT_EQ(af_link_set_fec(r->f, SW, 0, 1, FEC(LL272)), 0);
	EXPECT_EQ(rig_port(r, 0, 1).fec, ALINK_FEC_LL272);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).fec, ALINK_FEC_LL272);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).fec_ctrl, 0);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);
	EXPECT(r->last.code == 1 && r->last.info == ALINK_DOWN_NONE);
	EXPECT_EQ(rig_port(r, 0, 1).downs, 0);
	EXPECT_EQ(rig_port(r, 0, 0).fec, ALINK_FEC_RS544);

	/* The short code puts 7 symbols right. */
	EXPECT_EQ(af_link_add_errors(r->f, SW, 0, 1, 0, 0, 3, 0, 0), 0);
	EXPECT_EQ(rig_port(r, 0, 1).symbol_errors, 3 * 8);

	/* Ends that do not agree */
	EXPECT_EQ(af_link_set_fec(r->f, XPU, 1, 0, FEC(RS544)), 0);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FEC);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), DOWN, FEC);
	EXPECT_EQ(af_link_set_fec(r->f, XPU, 1, 0, 0), 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).fec, ALINK_FEC_LL272);

	/* It stays while the link is down, and goes with a reset. */
	af_link_set_admin(r->f, SW, 0, 1, false);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, ADMIN);
	EXPECT_EQ(rig_port(r, 0, 1).fec_ctrl, FEC(LL272));
	af_link_set_admin(r->f, SW, 0, 1, true);
	EXPECT_EQ(rig_port(r, 0, 1).fec, ALINK_FEC_LL272);
	af_switch_reset(r->f, 0);
	EXPECT_EQ(rig_port(r, 0, 1).fec_ctrl, 0);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);

	/* What is refused changes nothing. */
	EXPECT_EQ(af_link_set_fec(r->f, SW, 0, 1, FEC(NONE)), -EINVAL);
	EXPECT_EQ(af_link_set_fec(r->f, SW, 0, 1, FEC(RS544) | FEC(LL272)),
		  -EINVAL);
	EXPECT_EQ(af_link_set_fec(r->f, SW, 0, 1, 8), -EINVAL);
	EXPECT_EQ(af_link_set_fec(r->f, SW, 0, 64, 0), -ENODEV);
	EXPECT_EQ(rig_port(r, 0, 1).fec_ctrl, 0);
	rig_free(r);
}

/* What a lane can do depends on its rate, and a link can what both ends can. */
TEST(fec_by_rate)
{
	static const struct { uint32_t mbps, lanes, caps; } c[] = {
		{ 25000, 1, FEC(NONE) | FEC(RS544) | FEC(LL272) },
		{ 50000, 1, FEC(RS544) | FEC(LL272) },
		{ 400000, 4, FEC(RS544) | FEC(LL272) },
		{ 1600000, 8, FEC(RS544) },
	};
	struct af_fabric *f = af_fabric_new(AF_TIMING_OFF);
	struct af_link_info l;

	EXPECT_EQ(af_switch_add(f, 0, 1, 64, 25000, 1, 0), 0);
	for (uint32_t i = 0; i < 4; i++) {
		EXPECT_EQ(af_endpoint_add(f, i, 1, NULL, 0, 1, c[i].mbps,
					  c[i].lanes), 0);
		af_link_info(f, XPU, i, 0, &l);
		EXPECT_EQ(l.fec_caps, c[i].caps);
		EXPECT_EQ(l.state, ALINK_LINK_UP);
		/* The switch asks for what not all have. */
		EXPECT_EQ(af_link_set_fec(f, SW, 0, i, FEC(LL272)), 0);
		af_link_info(f, XPU, i, 0, &l);
		EXPECT_EQ(l.reason, c[i].caps & FEC(LL272) ? ALINK_DOWN_NONE :
							     ALINK_DOWN_FEC);
		EXPECT_EQ(af_link_set_fec(f, SW, 0, i, FEC(NONE)), 0);
		af_link_info(f, XPU, i, 0, &l);
		EXPECT_EQ(l.state, c[i].caps & FEC(NONE) ? ALINK_LINK_UP :
							   ALINK_LINK_DOWN);
		EXPECT_EQ(l.fec, ALINK_FEC_NONE);
	}
	af_fabric_free(f);
}

/* --- lanes ------------------------------------------------------------------ */

static void expect_width(struct rig *r, uint32_t lanes, uint32_t port_reason,
			 uint32_t xpu_reason, int line)
{
	struct af_link_info port = rig_port(r, 0, 1), xpu;

	xpu = rig_xpu_link(r, 1, 0);
	if (port.lanes != lanes || xpu.lanes != lanes ||
	    port.speed_mbps != RIG_MBPS / 4 * lanes ||
	    xpu.speed_mbps != RIG_MBPS / 4 * lanes ||
	    port.reason != port_reason || xpu.reason != xpu_reason)
		TAP_FAIL("line %d: %u and %u lanes, %u and %u Mb/s, reasons %u and %u",
			 line, port.lanes, xpu.lanes, port.speed_mbps,
			 xpu.speed_mbps, port.reason, xpu.reason);
	EXPECT_EQ(port.state, lanes ? ALINK_LINK_UP : ALINK_LINK_DOWN);
	EXPECT_EQ(xpu.state, port.state);
}

#define EXPECT_WIDTH(lanes, port, xpu) \
	expect_width(r, lanes, ALINK_DOWN_##port, ALINK_DOWN_##xpu, __LINE__)

/* The port loses lanes, and then the xPU; who lost none has no reason. */
TEST(lanes_that_fail)
{
	struct rig *r = rig_new(2, 1);

	memset(r->events, 0, sizeof(r->events));
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 1), 0);
	EXPECT_WIDTH(2, WIDTH, NONE);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);
	EXPECT_EQ(r->last.code, 1);
	EXPECT_EQ(rig_port(r, 0, 1).downs, 0);
	EXPECT_EQ(rig_port(r, 0, 1).retrains, 1);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).retrains, 1);
	EXPECT_EQ(rig_port(r, 0, 1).lane_losses, 1);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).lane_losses, 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).lanes_bad, 0);

	/* Two are left: no change but to who is to blame. */
	EXPECT_EQ(af_link_set_lanes_bad(r->f, XPU, 1, 0, 2), 0);
	EXPECT_WIDTH(2, WIDTH, WIDTH);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 3);
	EXPECT_EQ(rig_port(r, 0, 1).retrains, 1);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 5), 0);
	EXPECT_WIDTH(1, WIDTH, WIDTH);
	EXPECT_EQ(rig_port(r, 0, 1).lane_losses, 2);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 0xf), 0);
	EXPECT_WIDTH(0, WIDTH, WIDTH);
	EXPECT_EQ(rig_port(r, 0, 1).downs, 1);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, XPU, 1, 0, 0), 0);
	EXPECT_WIDTH(0, WIDTH, REMOTE_FAULT);

	/* What comes up trains: with all that works. */
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 8), 0);
	EXPECT_WIDTH(2, WIDTH, NONE);
	/* A reset repairs nothing. */
	af_switch_reset(r->f, 0);
	EXPECT_WIDTH(2, WIDTH, NONE);
	af_cold_reset(r->f, SW, 0);
	EXPECT_EQ(rig_port(r, 0, 1).lane_losses, 0);
	EXPECT_EQ(rig_port(r, 0, 1).retrains, 0);
	EXPECT_EQ(rig_port(r, 0, 1).lanes_bad, 8);

	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 0x10), -EINVAL);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 64, 1), -ENODEV);
	EXPECT_EQ(rig_port(r, 0, 1).lanes_bad, 8);
	rig_free(r);
}

/* A lane that works again waits for the link to train. */
TEST(lanes_that_come_back)
{
	struct rig *r = rig_new(2, 1);
	struct af_result res;
	uint64_t full, half;
	uint8_t buf[65536];

	memset(buf, 0, sizeof(buf));
	af_write(r->f, 0, 1, 0, buf, sizeof(buf), &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	full = rig_port(r, 0, 1).busy_ns;
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 2), 0);
	af_write(r->f, 0, 1, 0, buf, sizeof(buf), &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	half = rig_port(r, 0, 1).busy_ns - full;
	EXPECT(half >= 2 * full - 1 && half <= 2 * full);

	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 0), 0);
	EXPECT_WIDTH(2, WIDTH, NONE);
	memset(r->events, 0, sizeof(r->events));
	/* Either end may ask. */
	EXPECT_EQ(af_link_retrain(r->f, XPU, 1, 0), 0);
	EXPECT_WIDTH(4, NONE, NONE);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);
	EXPECT_EQ(rig_port(r, 0, 1).downs, 0);
	EXPECT_EQ(rig_port(r, 0, 1).retrains, 2);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).retrains, 2);
	/* Nothing changes, but it has trained. */
	EXPECT_EQ(af_link_retrain(r->f, SW, 0, 1), 0);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);
	EXPECT_EQ(rig_port(r, 0, 1).retrains, 3);

	/* One end is whole again, the other is not: it alone is to blame. */
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 2), 0);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, XPU, 1, 0, 2), 0);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 0), 0);
	EXPECT_WIDTH(2, WIDTH, WIDTH);
	EXPECT_EQ(af_link_retrain(r->f, SW, 0, 1), 0);
	EXPECT_WIDTH(2, NONE, WIDTH);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, XPU, 1, 0, 0), 0);
	EXPECT_EQ(af_link_retrain(r->f, SW, 0, 1), 0);
	EXPECT_WIDTH(4, NONE, NONE);
	EXPECT_EQ(rig_port(r, 0, 1).retrains, 6);

	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 2), 0);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 0), 0);
	af_link_set_admin(r->f, XPU, 1, 0, false);
	EXPECT_EQ(af_link_retrain(r->f, SW, 0, 1), 0);	/* it is down */
	EXPECT_EQ(rig_port(r, 0, 1).retrains, 7);
	af_link_set_admin(r->f, XPU, 1, 0, true);
	EXPECT_WIDTH(4, NONE, NONE);
	EXPECT_EQ(af_link_retrain(r->f, SW, 0, 64), -ENODEV);

	/* The test pattern does not come over a dead lane. */
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 2), 0);
	af_link_set_ctrl(r->f, SW, 0, 1, PRBS);
	af_link_set_ctrl(r->f, XPU, 1, 0, PRBS);
	EXPECT_EQ(rig_port(r, 0, 1).prbs_lanes, 0xd);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_lanes, 0xd);
	af_link_set_ctrl(r->f, XPU, 1, 0, PRBS | ALINK_LINK_CTRL_LOOPBACK);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_lanes, 0xf);
	rig_free(r);
}

/* Lanes of both ends, of which one has more */
TEST(widths)
{
	static const struct { uint32_t lanes, bad, width; } c[] = {
		{ 1, 1, 0 }, { 2, 1, 1 }, { 3, 0, 3 }, { 3, 1, 2 }, { 8, 0x80, 4 },
		{ 8, 0x1f, 2 }, { 8, 0x7f, 1 }, { 8, 0xff, 0 }, { 4, 0, 4 },
	};
	struct af_fabric *f = af_fabric_new(AF_TIMING_OFF);
	struct af_link_info l;

	EXPECT_EQ(af_switch_add(f, 0, 1, 64, 800000, 8, 0), 0);
	for (uint32_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		EXPECT_EQ(af_endpoint_add(f, i, 1, NULL, 0, 1,
					  c[i].lanes * 100000, c[i].lanes), 0);
		EXPECT_EQ(af_link_set_lanes_bad(f, XPU, i, 0, c[i].bad), 0);
		EXPECT_EQ(af_link_info(f, SW, 0, i, &l), 0);
		EXPECT_EQ(l.lanes, c[i].width);
		EXPECT_EQ(l.speed_mbps, c[i].width * 100000);
		/* A lane that the other end has not is no loss. */
		if (c[i].lanes < 8 && !c[i].bad) {
			EXPECT_EQ(af_link_set_lanes_bad(f, SW, 0, i, 0x80), 0);
			EXPECT_EQ(af_link_info(f, SW, 0, i, &l), 0);
			EXPECT_EQ(l.lanes, c[i].width);
			EXPECT_EQ(l.reason, ALINK_DOWN_NONE);
		}
	}
	af_fabric_free(f);
}

/* --- replay ------------------------------------------------------------------ */

/* What is damaged goes again: it costs time, and nothing is lost or counted twice. */
TEST(replay)
{
	enum { N = 4096, PACKETS = 16, AGAIN = 3 };
	struct rig *r = rig_new(2, 1);
	static const uint8_t frame[60];
	struct af_link_info rx, tx;
	uint64_t plain, busy, before;
	struct af_result res;
	uint8_t buf[N];
	uint32_t v;

	memset(buf, 0x5a, sizeof(buf));
	af_write(r->f, 0, 1, 0, buf, N, &res);
	plain = res.model_ns;
	busy = rig_xpu_link(r, 0, 0).busy_ns;
	r->clock += 1000000;

	/* 272 bytes take 5440 ps at 400 Gb/s, rounded up; 25 ns is a cable. */
	EXPECT_EQ(af_link_set_burst(r->f, SW, 0, 0, AGAIN), 0);
	memset(r->mem[1], 0, N);
	af_write(r->f, 0, 1, 0, buf, N, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(!memcmp(r->mem[1], buf, N));
	EXPECT_EQ(res.model_ns, plain + AGAIN * (6 + 2 * 25));
	tx = rig_xpu_link(r, 0, 0);
	rx = rig_port(r, 0, 0);
	EXPECT(tx.replays == AGAIN && !tx.crc_errors);
	EXPECT(rx.crc_errors == AGAIN && !rx.replays);
	EXPECT_EQ(tx.tx_packets, 2 * PACKETS);
	EXPECT_EQ(tx.tx_bytes, 2 * N);
	EXPECT_EQ(tx.tx_raw, 2 * (N + 16 * PACKETS));
	EXPECT_EQ(tx.busy_ns, 2 * busy + AGAIN * 6);
	EXPECT_EQ(tx.stall_ns, AGAIN * 2 * 25);

	/* It is over, and more than there are packets last for the next. */
	r->clock += 1000000;
	af_write(r->f, 0, 1, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, plain);
	EXPECT_EQ(af_link_set_burst(r->f, SW, 0, 0, PACKETS + 1), 0);
	af_write(r->f, 0, 1, 0, buf, N, &res);
	EXPECT_EQ(rig_port(r, 0, 0).crc_errors, AGAIN + PACKETS);
	EXPECT_EQ(af_link_frame(r->f, XPU, 0, 0, frame, sizeof(frame), &v, &v,
				&v), 0);
	EXPECT_EQ(rig_port(r, 0, 0).crc_errors, AGAIN + PACKETS + 1);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).replays, AGAIN + PACKETS + 1);
	before = rig_port(r, 0, 0).crc_errors;
	af_link_frame(r->f, XPU, 0, 0, frame, sizeof(frame), &v, &v, &v);
	EXPECT_EQ(rig_port(r, 0, 0).crc_errors, before);
	EXPECT_EQ(af_link_set_burst(r->f, SW, 0, 64, 1), -ENODEV);
	rig_free(r);
}

/* --- flaps ------------------------------------------------------------------ */

/* At most @limit times in @window, else held for @hold, both in 100 ms */
#define FLAP(limit, window, hold)	((limit) | (window) << 8 | (hold) << 20)
#define UNIT	(ALINK_LINK_FLAP_UNIT_MS * 1000000ULL)

static uint64_t wake;

static uint64_t life_now(void *opaque)
{
	return ((struct rig *)opaque)->clock;
}

static void life_wake(void *opaque, uint64_t ns)
{
	(void)opaque;
	wake = ns;
}

static struct rig *life_rig(void)
{
	struct rig *r = rig_new(2, 1);

	wake = 0;
	af_fabric_set_life(r->f, &(struct af_life){ life_now, life_wake, r });
	return r;
}

/* Port 1 goes down, and what took it down goes away. */
static void bounce(struct rig *r, unsigned int times)
{
	while (times--) {
		af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_SIGNAL);
		af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_NONE);
	}
}

TEST(flaps)
{
	struct rig *r = life_rig();
	struct af_link_info l;

	/* Without a limit nothing is held. */
	bounce(r, 20);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_EQ(af_link_set_flap(r->f, SW, 0, 1, FLAP(3, 10, 20)), 0);
	EXPECT_EQ(rig_port(r, 0, 1).flap_ctrl, 3 | 10 << 8 | 20 << 20);
	bounce(r, 3);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_EQ(wake, 0);
	/* Once more: it is down, and stays so when the fault has gone. */
	memset(r->events, 0, sizeof(r->events));
	af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_SIGNAL);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), DOWN, REMOTE_FAULT);
	af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_NONE);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);
	l = rig_port(r, 0, 1);
	EXPECT(l.flap_holds == 1 && l.downs == 24);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).flap_holds, 0);

	/* Until the time is over, and no sooner */
	EXPECT_EQ(wake, r->clock + 20 * UNIT + 1);
	r->clock += 20 * UNIT;
	wake = 0;
	af_link_wake(r->f);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	EXPECT_EQ(wake, r->clock + 1);
	r->clock++;
	wake = 0;
	af_link_wake(r->f);
	EXPECT_EQ(wake, 0);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), UP, NONE);

	/* Those that are far enough apart do not add up. */
	for (int i = 0; i < 10; i++) {
		bounce(r, 1);
		r->clock += 4 * UNIT;
	}
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_EQ(rig_port(r, 0, 1).flap_holds, 1);
	rig_free(r);
}

TEST(end_of_a_hold)
{
	struct rig *r = life_rig();

	EXPECT_EQ(af_link_set_flap(r->f, SW, 0, 1, FLAP(1, 10, 20)), 0);
	bounce(r, 2);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	/* Closed and opened; its own closing is no flap. */
	af_link_set_admin(r->f, SW, 0, 1, false);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, ADMIN);
	af_link_set_admin(r->f, SW, 0, 1, true);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	for (int i = 0; i < 5; i++) {
		af_link_set_admin(r->f, SW, 0, 1, false);
		af_link_set_admin(r->f, SW, 0, 1, true);
	}
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);

	/* Another limit, and a reset */
	bounce(r, 2);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	EXPECT_EQ(af_link_set_flap(r->f, SW, 0, 1, FLAP(0, 10, 20)), 0);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_EQ(af_link_set_flap(r->f, SW, 0, 1, FLAP(1, 10, 20)), 0);
	bounce(r, 2);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	af_switch_reset(r->f, 0);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_EQ(rig_port(r, 0, 1).flap_ctrl, 0);
	EXPECT_EQ(rig_port(r, 0, 1).flap_holds, 3);
	af_cold_reset(r->f, SW, 0);
	EXPECT_EQ(rig_port(r, 0, 1).flap_holds, 0);
	EXPECT_EQ(af_link_set_flap(r->f, SW, 0, 64, 0), -ENODEV);
	/* What comes too early, or for nothing, does no harm. */
	af_link_wake(r->f);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	rig_free(r);
}

/* Each end has its own limit; the link is up when neither holds it. */
TEST(both_ends_hold)
{
	struct rig *r = life_rig();

	EXPECT_EQ(af_link_set_flap(r->f, SW, 0, 1, FLAP(1, 10, 30)), 0);
	EXPECT_EQ(af_link_set_flap(r->f, XPU, 1, 0, FLAP(1, 10, 10)), 0);
	bounce(r, 2);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), DOWN, FLAP);
	EXPECT_EQ(wake, r->clock + 10 * UNIT + 1);
	r->clock = wake;
	af_link_wake(r->f);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), DOWN, REMOTE_FAULT);
	r->clock = wake;
	af_link_wake(r->f);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), UP, NONE);
	rig_free(r);
}

/* --- credits ---------------------------------------------------------------- */

#define CHECK_NS	(ALINK_LINK_CREDIT_CHECK_MS * 1000000ULL)
#define STALL_NS	(ALINK_LINK_CREDIT_STALL_US * 1000ULL)

/* Link 0 of xPU 0 sends so many packets with data, and they arrive. */
static uint64_t pay(struct rig *r, uint32_t packets)
{
	static uint8_t buf[512 * ALINK_PACKET_BYTES];
	uint32_t n = packets * ALINK_PACKET_BYTES;
	struct af_result res;

	memset(buf, packets, n);
	memset(r->mem[1], 0, n);
	r->clock += 1000000;
	af_write(r->f, 0, 1, 0, buf, n, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(!memcmp(r->mem[1], buf, n));
	return res.model_ns;
}

TEST(credits_leak)
{
	struct rig *r = life_rig();
	struct af_link_info l;
	uint64_t plain = pay(r, 16), since;

	l = rig_xpu_link(r, 0, 0);
	EXPECT_EQ(l.credits, ALINK_LINK_CREDITS);
	EXPECT_EQ(wake, 0);
	EXPECT_EQ(af_link_set_credit_loss(r->f, XPU, 0, 0, 3), 0);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credits, ALINK_LINK_CREDITS);
	pay(r, 2);
	since = r->clock;
	pay(r, 2);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credits, ALINK_LINK_CREDITS - 3);
	EXPECT_EQ(rig_port(r, 0, 0).credits, ALINK_LINK_CREDITS);
	EXPECT_EQ(wake, since + CHECK_NS);
	/* Who has some left does not wait. */
	EXPECT_EQ(pay(r, 16), plain);

	memset(r->events, 0, sizeof(r->events));
	r->clock = wake - 1;
	af_link_wake(r->f);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credit_leaks, 0);
	EXPECT_EQ(r->events[ALINK_EVENT_CREDIT], 0);
	r->clock++;
	wake = 0;
	af_link_wake(r->f);
	EXPECT_EQ(wake, 0);
	l = rig_xpu_link(r, 0, 0);
	EXPECT(l.credit_leaks == 1 && !l.credit_stalls);
	EXPECT_EQ(l.credits_lost, 3);
	EXPECT_EQ(l.credit_since, since);
	EXPECT_EQ(l.credits, ALINK_LINK_CREDITS);
	EXPECT(l.retrains == 1 && !l.downs);
	EXPECT_EQ(rig_port(r, 0, 0).retrains, 1);
	EXPECT_EQ(rig_port(r, 0, 0).credit_leaks, 0);
	EXPECT_LINK(l, UP, NONE);
	EXPECT_EQ(r->events[ALINK_EVENT_CREDIT], 1);
	EXPECT(r->last_type == XPU && r->last_id == 0 && r->last.id == 0);
	EXPECT(r->last.code == ALINK_CREDIT_LEAK && r->last.info == 3);
	EXPECT_EQ(r->last.addr, since);

	/* All that there are, and nobody who needs one */
	af_link_set_credit_loss(r->f, XPU, 0, 0, ALINK_LINK_CREDITS);
	pay(r, ALINK_LINK_CREDITS);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credits, 0);
	r->clock = wake;
	af_link_wake(r->f);
	l = rig_xpu_link(r, 0, 0);
	EXPECT(l.credit_leaks == 2 && !l.credit_stalls);
	EXPECT_EQ(l.credits_lost, 3 + ALINK_LINK_CREDITS);
	EXPECT_EQ(pay(r, 16), plain);
	EXPECT_EQ(af_link_set_credit_loss(r->f, XPU, 0, 1, 1), -ENODEV);
	af_cold_reset(r->f, XPU, 0);
	l = rig_xpu_link(r, 0, 0);
	EXPECT(!l.credit_leaks && !l.credits_lost && !l.credit_since);
	rig_free(r);
}

TEST(credits_stall)
{
	struct rig *r = life_rig();
	static const uint8_t frame[60];
	struct af_link_info l;
	uint64_t plain = pay(r, 80), since;
	uint32_t v;

	memset(r->events, 0, sizeof(r->events));
	af_link_set_credit_loss(r->f, XPU, 0, 0, ALINK_LINK_CREDITS);
	EXPECT_EQ(pay(r, 80), plain + STALL_NS);
	since = r->clock;
	l = rig_xpu_link(r, 0, 0);
	EXPECT(l.credit_stalls == 1 && !l.credit_leaks);
	EXPECT_EQ(l.credits_lost, ALINK_LINK_CREDITS);
	EXPECT_EQ(l.credit_since, since);
	EXPECT_EQ(l.credits, ALINK_LINK_CREDITS);
	EXPECT_EQ(l.stall_ns, STALL_NS);
	EXPECT(l.retrains == 1 && !l.downs);
	EXPECT_EQ(r->events[ALINK_EVENT_CREDIT], 1);
	EXPECT(r->last_type == XPU && r->last_id == 0 && r->last.id == 0);
	EXPECT(r->last.code == ALINK_CREDIT_STALL &&
	       r->last.info == ALINK_LINK_CREDITS);
	EXPECT_EQ(r->last.addr, since);
	EXPECT_EQ(wake, 0);
	EXPECT_EQ(pay(r, 80), plain);

	/* Those of one operation are told of once; what is left, by the check. */
	af_link_set_credit_loss(r->f, XPU, 0, 0, 2 * ALINK_LINK_CREDITS + 5);
	EXPECT(pay(r, 150) > 2 * STALL_NS);
	l = rig_xpu_link(r, 0, 0);
	EXPECT_EQ(l.credit_stalls, 3);
	EXPECT_EQ(l.credits, ALINK_LINK_CREDITS - 5);
	EXPECT_EQ(r->events[ALINK_EVENT_CREDIT], 2);
	EXPECT_EQ(r->last.info, 2 * ALINK_LINK_CREDITS);
	EXPECT_EQ(l.retrains, 2);
	r->clock = wake;
	af_link_wake(r->f);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credit_leaks, 1);

	/* Frames pay, too. */
	af_link_set_credit_loss(r->f, XPU, 0, 0, ALINK_LINK_CREDITS);
	for (int i = 0; i <= ALINK_LINK_CREDITS; i++)
		EXPECT_EQ(af_link_frame(r->f, XPU, 0, 0, frame, sizeof(frame),
					&v, &v, &v), 0);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credit_stalls, 4);
	rig_free(r);
}

/* Trained in vain too often, the link is held, and operations fail. */
TEST(credits_and_flaps)
{
	struct rig *r = life_rig();
	struct af_result res;
	struct af_link_info l;
	uint32_t v = 0;

	EXPECT_EQ(af_link_set_flap(r->f, XPU, 0, 0, FLAP(2, 10, 20)), 0);
	af_link_set_credit_loss(r->f, XPU, 0, 0, UINT32_MAX);
	for (int i = 0; i < 3; i++) {
		EXPECT_LINK(rig_xpu_link(r, 0, 0), UP, NONE);
		pay(r, ALINK_LINK_CREDITS + 1);
	}
	l = rig_xpu_link(r, 0, 0);
	EXPECT_LINK(l, DOWN, FLAP);
	EXPECT_LINK(rig_port(r, 0, 0), DOWN, REMOTE_FAULT);
	EXPECT(l.flap_holds == 1 && l.downs == 1 && l.retrains == 2);
	EXPECT_EQ(l.credit_stalls, 3);
	EXPECT_EQ(l.credits, 0);
	af_write(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_PORT_DOWN);

	/* Up again it has all of them. */
	af_link_set_credit_loss(r->f, XPU, 0, 0, 0);
	r->clock += 20 * UNIT + 1;
	wake = 0;
	af_link_wake(r->f);
	EXPECT_EQ(wake, 0);
	l = rig_xpu_link(r, 0, 0);
	EXPECT_LINK(l, UP, NONE);
	EXPECT_EQ(l.credits, ALINK_LINK_CREDITS);
	pay(r, ALINK_LINK_CREDITS + 1);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credit_stalls, 3);

	/* A link that goes down is not to blame for what is lost then. */
	af_link_set_credit_loss(r->f, XPU, 0, 0, 7);
	pay(r, 7);
	af_link_set_admin(r->f, SW, 0, 0, false);
	af_link_set_admin(r->f, SW, 0, 0, true);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credits, ALINK_LINK_CREDITS);
	r->clock += CHECK_NS;
	af_link_wake(r->f);
	EXPECT_EQ(rig_xpu_link(r, 0, 0).credit_leaks, 0);
	rig_free(r);
}

/* Every data path of a group pays: the port's credits, and the members'. */
TEST(credits_of_groups)
{
	struct rig *r = life_rig();
	static uint8_t buf[80 * ALINK_PACKET_BYTES];
	struct af_result res;

	rig_group_all(r, 0);
	af_link_set_credit_loss(r->f, SW, 0, 1, ALINK_LINK_CREDITS);
	af_group_write(r->f, 0, 0, 0, buf, sizeof(buf), &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(res.model_ns > STALL_NS);
	EXPECT_EQ(rig_port(r, 0, 1).credit_stalls, 1);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).credit_stalls, 0);
	EXPECT_EQ(r->events[ALINK_EVENT_CREDIT], 1);
	EXPECT(r->last_type == SW && r->last_id == 0 && r->last.id == 1);
	rig_free(r);
}

/* --- training --------------------------------------------------------------- */

static void train_for(struct rig *r, uint32_t us)
{
	struct af_timing_params params;
	enum af_timing timing;

	af_fabric_get_timing(r->f, &timing, &params);
	params.training_us = us;
	af_fabric_set_timing(r->f, timing, &params);
}

static void expect_stage(struct rig *r, uint32_t stage, int line)
{
	struct af_link_info port = rig_port(r, 0, 1), xpu;
	uint32_t state = stage == ALINK_STAGE_UP ? ALINK_LINK_UP :
			 stage == ALINK_STAGE_IDLE ? ALINK_LINK_DOWN :
			 ALINK_LINK_TRAINING;

	xpu = rig_xpu_link(r, 1, 0);
	if (port.stage != stage || xpu.stage != stage || port.state != state ||
	    xpu.state != state)
		TAP_FAIL("line %d: stages %u and %u, not %u; states %u and %u",
			 line, port.stage, xpu.stage, stage, port.state,
			 xpu.state);
}

#define EXPECT_STAGE(stage)	expect_stage(r, ALINK_STAGE_##stage, __LINE__)

TEST(training)
{
	static const uint8_t frame[60];
	struct rig *r = life_rig();
	struct af_result res;
	uint32_t v = 0;

	EXPECT_STAGE(UP);
	train_for(r, 400);
	EXPECT_STAGE(UP);
	af_link_set_admin(r->f, SW, 0, 1, false);
	EXPECT_STAGE(IDLE);
	memset(r->events, 0, sizeof(r->events));
	af_link_set_admin(r->f, SW, 0, 1, true);
	EXPECT_EQ(wake, r->clock + 400000);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);	/* the reason goes */
	EXPECT(r->last.code == 0 && r->last.info == ALINK_DOWN_NONE);
	EXPECT_STAGE(DETECT);
	EXPECT_EQ(rig_port(r, 0, 1).speed_mbps, 0);
	EXPECT_EQ(rig_port(r, 0, 1).lanes, 0);
	EXPECT_EQ(rig_port(r, 0, 1).reason, ALINK_DOWN_NONE);
	r->clock += 100000;
	EXPECT_STAGE(AGREE);
	af_write(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_PORT_DOWN);
	EXPECT_EQ(af_link_frame(r->f, XPU, 1, 0, frame, sizeof(frame), &v, &v,
				&v), -ENOLINK);
	EXPECT_EQ(af_link_retrain(r->f, SW, 0, 1), 0);
	r->clock += 100000;
	af_link_wake(r->f);			/* too early */
	EXPECT_STAGE(EQUALIZE);
	r->clock += 199999;
	EXPECT_STAGE(ALIGN);
	r->clock++;
	EXPECT_STAGE(ALIGN);
	wake = 0;
	af_link_wake(r->f);
	EXPECT_STAGE(UP);
	EXPECT_EQ(wake, 0);
	EXPECT_LINK(rig_port(r, 0, 1), UP, NONE);
	EXPECT_EQ(rig_port(r, 0, 1).downs, 1);
	EXPECT_EQ(rig_port(r, 0, 1).retrains, 0);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 4);
	EXPECT_EQ(r->last.code, 1);

	/* What is up trains at once. */
	af_link_set_lanes_bad(r->f, SW, 0, 1, 1);
	EXPECT_STAGE(UP);
	EXPECT_EQ(rig_port(r, 0, 1).lanes, 2);
	rig_free(r);
}

TEST(training_that_is_disturbed)
{
	struct rig *r = life_rig();

	train_for(r, 400);
	af_link_set_fault(r->f, XPU, 1, 0, ALINK_DOWN_SIGNAL);
	af_link_set_fault(r->f, XPU, 1, 0, ALINK_DOWN_NONE);
	r->clock += 300000;
	EXPECT_STAGE(ALIGN);
	af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_SIGNAL);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, SIGNAL);
	EXPECT_LINK(rig_xpu_link(r, 1, 0), DOWN, REMOTE_FAULT);
	EXPECT_EQ(rig_port(r, 0, 1).downs, 1);	/* it was not up again */
	af_link_set_fault(r->f, SW, 0, 1, ALINK_DOWN_NONE);
	EXPECT_STAGE(DETECT);
	r->clock += 399999;
	af_link_wake(r->f);
	EXPECT_STAGE(ALIGN);
	EXPECT_EQ(wake, r->clock + 1);
	r->clock++;
	af_link_wake(r->f);
	EXPECT_STAGE(UP);

	/* A hold comes first. */
	EXPECT_EQ(af_link_set_flap(r->f, SW, 0, 1, FLAP(1, 10, 1)), 0);
	for (int i = 0; i < 2; i++) {
		bounce(r, 1);
		r->clock += 400000;
		af_link_wake(r->f);
	}
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, FLAP);
	r->clock += UNIT;
	af_link_wake(r->f);
	EXPECT_STAGE(DETECT);
	r->clock += 400000;
	af_link_wake(r->f);
	EXPECT_STAGE(UP);

	/* A device that goes while it trains, and another that comes */
	bounce(r, 1);
	EXPECT_STAGE(DETECT);
	EXPECT_EQ(af_endpoint_remove(r->f, 1), 0);
	EXPECT_LINK(rig_port(r, 0, 1), DOWN, NO_PARTNER);
	EXPECT_EQ(af_endpoint_add(r->f, 1, 1, r->mem[1], r->mem_size, 1,
				  RIG_MBPS, 4), 0);
	EXPECT_STAGE(DETECT);
	train_for(r, 0);
	r->clock += 400000;
	af_link_wake(r->f);
	EXPECT_STAGE(UP);
	rig_free(r);
}
