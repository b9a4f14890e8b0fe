// SPDX-License-Identifier: GPL-2.0-or-later
/* Bits that come in wrong: what FEC counts, and rates that fall and rise. */
#include <errno.h>
#include <math.h>

#include "rig.h"
#include "tap.h"

#define XPU	ALINK_DEVTYPE_XPU
#define SW	ALINK_DEVTYPE_SWITCH
#define PRBS	(ALINK_LINK_CTRL_ENABLE | ALINK_LINK_CTRL_PRBS)
#define BYTES	65536U

/* @num of 10^@exp bits are wrong. */
static uint64_t ratio(uint64_t num, unsigned int exp)
{
	uint64_t ber = num * ALINK_BER_UNIT;

	while (exp--)
		ber /= 10;
	return ber;
}

/* To endpoint 1, whose only link is the one under test */
static uint32_t deliver(struct rig *r)
{
	static uint8_t buf[BYTES];
	struct af_result res;

	af_write(r->f, 0, 1, 0, buf, sizeof(buf), &res);
	return res.status;
}

static void expect_rate(struct rig *r, uint32_t mbps, uint32_t xpu_reason,
			uint32_t port_reason, int line)
{
	struct af_link_info port = rig_port(r, 0, 1), xpu;

	xpu = rig_xpu_link(r, 1, 0);
	if (port.speed_mbps != mbps || xpu.speed_mbps != mbps ||
	    port.reason != port_reason || xpu.reason != xpu_reason)
		TAP_FAIL("line %d: %u and %u Mb/s, reasons %u and %u", line,
			 xpu.speed_mbps, port.speed_mbps, xpu.reason,
			 port.reason);
	EXPECT_EQ(xpu.state, mbps ? ALINK_LINK_UP : ALINK_LINK_DOWN);
	EXPECT_EQ(port.state, xpu.state);
	if (!mbps)
		EXPECT_EQ(xpu.ber, 0);
}

#define EXPECT_RATE(mbps, xpu, port) \
	expect_rate(r, mbps, ALINK_DOWN_##xpu, ALINK_DOWN_##port, __LINE__)

/* --- what FEC puts right ----------------------------------------------------- */

static void expect_corrected(struct rig *r, double ber, double data,
			     double bits, uint32_t bad)
{
	uint64_t sum = 0, most = 0, least = UINT64_MAX, raw, corr;
	struct af_link_info l = rig_xpu_link(r, 1, 0);

	raw = l.rx_raw;
	corr = l.fec_corr;
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, llround(ber * 1e15)), 0);
	for (int i = 0; i < 40; i++)
		EXPECT_EQ(deliver(r), ALINK_ST_OK);
	l = rig_xpu_link(r, 1, 0);
	raw = l.rx_raw - raw;
	corr = l.fec_corr - corr;
	EXPECT(raw > 40 * BYTES);
	EXPECT(fabs(corr - (double)raw * 8 / data *
			   (1 - pow(1 - ber, bits))) < 1.001);
	for (uint32_t i = 0; i < ALINK_LSTAT_LANES; i++) {
		uint64_t n = l.lane_corr[i];

		sum += n;
		EXPECT(i < 4 || !n);
		if (i >= 4 || bad >> i & 1)
			continue;
		most = n > most ? n : most;
		least = n < least ? n : least;
	}
	EXPECT_EQ(sum, l.fec_corr);
	if (!bad)
		EXPECT(most - least <= 1);
	EXPECT_EQ(l.fec_uncorr, 0);
	EXPECT_EQ(l.crc_errors, 0);
	EXPECT_EQ(rig_port(r, 0, 1).fec_corr, 0);
	EXPECT_EQ(rig_port(r, 0, 1).ber, 0);
}

TEST(corrected)
{
	struct rig *r = rig_new(2, 1);

	expect_corrected(r, 1e-5, 5140, 5440, 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).ber, ratio(1, 5));
	expect_corrected(r, 2e-4, 5140, 5440, 0);
	/* So few that none is expected */
	expect_corrected(r, 1e-12, 5140, 5440, 0);
	EXPECT_EQ(af_link_set_fec(r->f, SW, 0, 1,
				  ALINK_BIT(ALINK_FEC_LL272)), 0);
	expect_corrected(r, 4e-5, 2570, 2720, 0);
	EXPECT_RATE(RIG_MBPS, NONE, NONE);
	rig_free(r);
}

/* What of it is left over is not lost, however small the pieces. */
TEST(corrected_in_pieces)
{
	struct rig *r = rig_new(2, 1);
	uint8_t frame[64] = { 0x01, 0x80, 0xc2, 0, 0, 0x0e };
	struct af_link_info l;
	uint32_t v;

	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 4)), 0);
	for (int i = 0; i < 10000; i++)
		EXPECT_EQ(af_link_frame(r->f, SW, 0, 1, frame, sizeof(frame),
					&v, &v, &v), 0);
	l = rig_xpu_link(r, 1, 0);
	EXPECT_EQ(l.rx_raw, 10000 * 80);
	EXPECT_EQ(l.fec_corr, floor(800000.0 * 8 / 5140 *
				    (1 - pow(1 - 1e-4, 5440))));
	/* In loop-back nothing comes from outside. */
	af_link_set_ctrl(r->f, XPU, 1, 0, ALINK_LINK_CTRL_ENABLE |
			 ALINK_LINK_CTRL_LOOPBACK);
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(af_link_frame(r->f, XPU, 1, 0, frame, sizeof(frame),
					&v, &v, &v), 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).fec_corr, l.fec_corr);
	rig_free(r);
}

TEST(corrected_past_dead_lanes)
{
	struct rig *r = rig_new(2, 1);
	struct af_link_info l;

	/* Lane 0 of the one end, and 2 of the other */
	EXPECT_EQ(af_link_set_lanes_bad(r->f, SW, 0, 1, 1), 0);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, XPU, 1, 0, 4), 0);
	expect_corrected(r, 1e-4, 5140, 5440, 5);
	l = rig_xpu_link(r, 1, 0);
	EXPECT(l.lane_corr[1] && l.lane_corr[3]);
	EXPECT(l.lane_corr[1] - l.lane_corr[3] <= 1);
	EXPECT_EQ(l.lane_corr[0] + l.lane_corr[2], 0);
	/* The one that is lost is not in a dead lane either. */
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 3)), 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).lane_uncorr[1], 1);
	EXPECT_RATE(RIG_MBPS / 4, WIDTH, WIDTH);
	rig_free(r);
}

/* --- rates -------------------------------------------------------------------- */

TEST(ramp)
{
	struct rig *r = rig_new(2, 1);
	uint64_t busy, full;
	struct af_link_info l;

	EXPECT_EQ(deliver(r), ALINK_ST_OK);
	full = rig_port(r, 0, 1).busy_ns;
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ALINK_BER_LIMIT_RS544), 0);
	EXPECT_RATE(RIG_MBPS, NONE, NONE);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).retrains, 0);

	memset(r->events, 0, sizeof(r->events));
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(4, 4)), 0);
	EXPECT_RATE(RIG_MBPS / 2, RATE_REDUCED, NONE);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);
	EXPECT_EQ(r->last.code, 1);
	l = rig_xpu_link(r, 1, 0);
	EXPECT_EQ(l.ber, ratio(16, 8));
	EXPECT_EQ(l.lanes, 4);
	EXPECT(l.retrains == 1 && rig_port(r, 0, 1).retrains == 1);
	EXPECT_EQ(l.downs, 0);
	EXPECT(l.fec_uncorr == 1 && l.lane_uncorr[0] == 1);
	EXPECT_EQ(l.symbol_errors, 16);

	/* What was lost is sent again, and what follows takes twice as long. */
	EXPECT_EQ(deliver(r), ALINK_ST_OK);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).crc_errors, 1);
	EXPECT_EQ(rig_port(r, 0, 1).replays, 1);
	busy = rig_port(r, 0, 1).busy_ns;
	EXPECT_EQ(deliver(r), ALINK_ST_OK);
	busy = rig_port(r, 0, 1).busy_ns - busy;
	EXPECT(busy >= 2 * full - 2 && busy <= 2 * full);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).crc_errors, 1);

	/* Worse, but good enough for this rate: no news */
	memset(r->events, 0, sizeof(r->events));
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 2)), 0);
	EXPECT_RATE(RIG_MBPS / 2, RATE_REDUCED, NONE);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).fec_uncorr, 1);

	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(2, 2)), 0);
	EXPECT_RATE(RIG_MBPS / 4, RATE_REDUCED, NONE);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).fec_uncorr, 2);
	EXPECT_EQ(deliver(r), ALINK_ST_OK);

	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(2, 1)), 0);
	EXPECT_RATE(0, SIGNAL, REMOTE_FAULT);
	EXPECT_EQ(rig_port(r, 0, 1).downs, 1);
	EXPECT_EQ(deliver(r), ALINK_ST_PORT_DOWN);
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ALINK_BER_UNIT), 0);
	EXPECT_RATE(0, SIGNAL, REMOTE_FAULT);

	/* What comes up trains: as fast as it now can, with nothing to repeat. */
	l = rig_xpu_link(r, 1, 0);
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 2)), 0);
	EXPECT_RATE(RIG_MBPS / 2, RATE_REDUCED, NONE);
	EXPECT_EQ(deliver(r), ALINK_ST_OK);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).crc_errors, l.crc_errors);
	rig_free(r);
}

/* A signal that is good again waits for the link to train. */
TEST(back)
{
	struct rig *r = rig_new(2, 1);

	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(2, 2)), 0);
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, 0), 0);
	EXPECT_RATE(RIG_MBPS / 4, RATE_REDUCED, NONE);
	memset(r->events, 0, sizeof(r->events));
	EXPECT_EQ(af_link_retrain(r->f, SW, 0, 1), 0);
	EXPECT_RATE(RIG_MBPS, NONE, NONE);
	EXPECT_EQ(r->events[ALINK_EVENT_LINK], 2);

	/* Two ends that hear badly: the worse one counts. */
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 3)), 0);
	EXPECT_EQ(af_link_set_ber(r->f, SW, 0, 1, ratio(2, 2)), 0);
	EXPECT_RATE(RIG_MBPS / 4, RATE_REDUCED, RATE_REDUCED);
	EXPECT_EQ(af_link_set_ber(r->f, SW, 0, 1, 0), 0);
	EXPECT_EQ(af_link_retrain(r->f, SW, 0, 1), 0);
	EXPECT_RATE(RIG_MBPS / 2, RATE_REDUCED, NONE);

	/* A reset mends nothing; another device has its own ends. */
	af_cold_reset(r->f, XPU, 1);
	EXPECT_RATE(RIG_MBPS / 2, RATE_REDUCED, NONE);
	EXPECT_EQ(af_endpoint_remove(r->f, 1), 0);
	EXPECT_EQ(rig_port(r, 0, 1).speed_mbps, 0);
	EXPECT_EQ(af_endpoint_add(r->f, 1, 1, r->mem[1], r->mem_size, 1,
				  RIG_MBPS, 4), 0);
	EXPECT_RATE(RIG_MBPS, NONE, NONE);
	rig_free(r);
}

/* Lanes and rate at once; and another code, which bears less. */
TEST(with_lanes_and_fec)
{
	struct rig *r = rig_new(2, 1);

	EXPECT_EQ(af_link_set_lanes_bad(r->f, XPU, 1, 0, 2), 0);
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 3)), 0);
	EXPECT_RATE(RIG_MBPS / 4, WIDTH, NONE);
	EXPECT_EQ(af_link_set_lanes_bad(r->f, XPU, 1, 0, 0), 0);
	EXPECT_EQ(af_link_retrain(r->f, XPU, 1, 0), 0);
	EXPECT_RATE(RIG_MBPS / 2, RATE_REDUCED, NONE);
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 4)), 0);
	EXPECT_EQ(af_link_retrain(r->f, XPU, 1, 0), 0);
	EXPECT_RATE(RIG_MBPS, NONE, NONE);
	EXPECT_EQ(af_link_set_fec(r->f, SW, 0, 1,
				  ALINK_BIT(ALINK_FEC_LL272)), 0);
	EXPECT_RATE(RIG_MBPS / 2, RATE_REDUCED, NONE);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).ber, ratio(1, 8));
	EXPECT_EQ(af_link_set_fec(r->f, SW, 0, 1, 0), 0);
	EXPECT_RATE(RIG_MBPS, NONE, NONE);

	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ALINK_BER_UNIT + 1),
		  -EINVAL);
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 1, 1), -ENODEV);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).ber, ratio(1, 4));
	rig_free(r);
}

/* The test pattern runs at the full rate, without FEC. */
TEST(test_pattern)
{
	struct rig *r = rig_new(2, 1);
	struct af_link_info l;

	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 6)), 0);
	af_link_set_ctrl(r->f, SW, 0, 1, PRBS);
	af_link_set_ctrl(r->f, XPU, 1, 0, PRBS);
	r->clock += 1000000;
	l = rig_xpu_link(r, 1, 0);
	EXPECT_EQ(l.prbs_bits, 1000ULL * RIG_MBPS);
	EXPECT_EQ(l.prbs_errors, l.prbs_bits / 1000000);
	EXPECT_EQ(rig_port(r, 0, 1).prbs_errors, 0);
	/* What was counted stays, and with another ratio others are added. */
	EXPECT_EQ(af_link_set_ber(r->f, XPU, 1, 0, ratio(1, 3)), 0);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_errors, l.prbs_errors);
	r->clock += 1000000;
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_errors,
		  l.prbs_bits / 1000000 + l.prbs_bits / 1000);
	/* Looped back it hears itself alone. */
	l = rig_xpu_link(r, 1, 0);
	af_link_set_ctrl(r->f, XPU, 1, 0, PRBS | ALINK_LINK_CTRL_LOOPBACK);
	r->clock += 1000000;
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_errors, l.prbs_errors);
	EXPECT(rig_xpu_link(r, 1, 0).prbs_bits > l.prbs_bits);
	af_link_set_ctrl(r->f, XPU, 1, 0, ALINK_LINK_CTRL_ENABLE);
	r->clock += 1000000;
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_errors, l.prbs_errors);
	/* It begins anew. */
	af_link_set_ctrl(r->f, XPU, 1, 0, PRBS);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).prbs_errors, 0);
	rig_free(r);
}
