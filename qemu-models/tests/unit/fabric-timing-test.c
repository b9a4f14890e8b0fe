// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Modelled time against the closed formulas of Documentation/hw/fabric.rst,
 * "Timing". The rig's clock stands still: what is issued, is issued at once.
 */
#include <errno.h>

#include "rig.h"
#include "tap.h"

#define E	100u
#define C	25u
#define H	150u
#define R	50u
#define PKT	ALINK_PACKET_BYTES
#define OVER	ALINK_PACKET_OVERHEAD

static uint64_t ser(uint64_t raw, uint64_t mbps)
{
	return (raw * 8000 + mbps - 1) / mbps;
}

/* Raw bytes of the longest share of an operation at offset 0 */
static uint64_t longest(uint64_t n, uint32_t links)
{
	uint64_t most = 0;

	for (uint32_t l = 0; l < links; l++) {
		uint64_t raw = 0;

		for (uint64_t a = (uint64_t)l * PKT; a < n; a += links * PKT)
			raw += (n - a < PKT ? n - a : PKT) + OVER;
		if (raw > most)
			most = raw;
	}
	return most;
}

static uint64_t idle(uint64_t n, uint32_t links, uint64_t extra)
{
	return 2 * E + 4 * C + 2 * H + ser(OVER, RIG_MBPS) + extra +
	       ser(longest(n, links), RIG_MBPS);
}

static const uint64_t lens[] = { 1, 256, 257, 4096, 5000, 65536, 1000000 };
#define EACH(i, a)	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)

static void later(struct rig *r)
{
	r->clock += 1000000000;
}

TEST(idle_read_and_write)
{
	uint8_t *buf = calloc(1, RIG_MEM);
	struct af_result res;

	for (uint32_t links = 1; links <= 8; links++) {
		struct rig *r = rig_new(2, links);

		EACH(k, lens) {
			af_read(r->f, 0, 1, 0, buf, lens[k], &res);
			EXPECT_EQ(res.model_ns, idle(lens[k], links, 0));
			later(r);
			af_write(r->f, 0, 1, 0, buf, lens[k], &res);
			EXPECT_EQ(res.model_ns, idle(lens[k], links, 0));
			later(r);
		}
		EXPECT_EQ(rig_xpu_sum(r, 0).stall_ns, 0);
		rig_free(r);
	}
	free(buf);
}

/* The number of the text book: 64 KiB over 8 links of 400 Gb/s */
TEST(known_value)
{
	struct rig *r = rig_new(2, 8);
	uint8_t *buf = calloc(1, 65536);
	struct af_result res;

	/* 32 packets of 272 bytes per link at 50 bytes per ns; header 1 ns */
	af_read(r->f, 0, 1, 0, buf, 65536, &res);
	EXPECT_EQ(res.model_ns, 200 + 100 + 300 + 1 + 175);
	free(buf);
	rig_free(r);
}

TEST(idle_atomic)
{
	struct rig *r = rig_new(2, 4);
	struct af_result res;

	af_atomic(r->f, 0, 1, 8, ALINK_ATOMIC_ADD, 8, 1, 0, &res);
	EXPECT_EQ(res.model_ns, 2 * E + 4 * C + 2 * H + 2 * ser(24, RIG_MBPS));
	later(r);
	af_atomic(r->f, 0, 1, 8, ALINK_ATOMIC_CAS, 8, 1, 0, &res);
	EXPECT_EQ(res.model_ns, 2 * E + 4 * C + 2 * H + ser(32, RIG_MBPS) +
		  ser(24, RIG_MBPS));
	rig_free(r);
}

TEST(idle_groups)
{
	uint8_t *buf = calloc(1, RIG_MEM);
	struct af_result res;

	for (uint32_t n = 1; n <= 6; n++) {
		struct rig *r = rig_new(n, 3);

		rig_group_all(r, 0);
		EACH(k, lens) {
			uint64_t len = (lens[k] + 3) & ~3ULL;

			af_group_write(r->f, n / 2, 0, 0, buf, len, &res);
			EXPECT_EQ(res.model_ns, idle(len, 3, 0));
			later(r);
			af_group_reduce(r->f, n / 2, 0, 0, buf, len,
					ALINK_DT_FP32, ALINK_OP_SUM, &res);
			EXPECT_EQ(res.model_ns, n > 1 ? idle(len, 3, R) :
				  E + 2 * C + H + R +
				  ser(longest(len, 3), RIG_MBPS));
			later(r);
		}
		rig_free(r);
	}
	free(buf);
}

TEST(two_on_one_link)
{
	enum { N = 65536 };
	uint8_t *buf = calloc(1, N);
	struct af_result res;
	struct rig *r = rig_new(3, 2);
	uint64_t t = idle(N, 2, 0), s = ser(longest(N, 2), RIG_MBPS);
	uint64_t ack = ser(OVER * (N / PKT / 2), RIG_MBPS);

	/* From one initiator: both links of 0 are the bottleneck. */
	af_write(r->f, 0, 1, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t);
	af_write(r->f, 0, 1, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t + s);
	af_write(r->f, 0, 1, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t + 2 * s);
	EXPECT_EQ(rig_xpu_sum(r, 0).stall_ns, 2 * (s + 2 * s));
	EXPECT_EQ(rig_xpu_sum(r, 0).busy_ns, 2 * 3 * s);
	EXPECT_EQ(rig_port(r, 0, 1).stall_ns, 0);
	EXPECT_EQ(rig_port(r, 0, 1).busy_ns, 3 * s);
	/* The responses take the other direction. */
	EXPECT_EQ(rig_xpu_link(r, 1, 0).busy_ns, 3 * ack);
	EXPECT_EQ(rig_port(r, 0, 0).busy_ns, 3 * ack);

	/* Once the wire has been idle, nothing is left of it. */
	later(r);
	af_write(r->f, 0, 1, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t);

	/* Two initiators meet at the target's ports. */
	later(r);
	af_write(r->f, 0, 2, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t);
	af_write(r->f, 1, 2, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t + s);
	EXPECT_EQ(rig_port(r, 0, 2).stall_ns, s);
	EXPECT_EQ(rig_xpu_sum(r, 1).stall_ns, 0);

	/* Opposite directions do not: only responses share the wire. */
	later(r);
	af_write(r->f, 0, 1, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t);
	af_write(r->f, 1, 0, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t + (ack > E ? ack - E : 0));

	/* Reads from one target: its links are the bottleneck. */
	later(r);
	af_read(r->f, 0, 2, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t);
	af_read(r->f, 1, 2, 0, buf, N, &res);
	EXPECT_EQ(res.model_ns, t + s);
	free(buf);
	rig_free(r);
}

/* n shards at once: every member's wire carries all of them. */
TEST(concurrent_reductions)
{
	enum { N = 1 << 15, RANKS = 4 };
	struct rig *r = rig_new(RANKS, 2);
	uint8_t *buf = calloc(1, N);
	uint64_t t = idle(N, 2, R), s = ser(longest(N, 2), RIG_MBPS), busy = 0;
	struct af_result res;

	rig_group_all(r, 0);
	for (uint32_t i = 0; i < RANKS; i++) {
		af_group_reduce(r->f, i, 0, (uint64_t)i * N, buf, N,
				ALINK_DT_INT32, ALINK_OP_SUM, &res);
		EXPECT_EQ(res.status, ALINK_ST_OK);
		EXPECT(res.model_ns >= t);
		EXPECT(res.model_ns <= t + i * (s + E + H));
	}
	/* The phase takes the busiest wire; BUSY_NS says which and how long. */
	for (uint32_t i = 0; i < RANKS; i++) {
		EXPECT_EQ(rig_xpu_link(r, i, 0).busy_ns, RANKS * s);
		if (rig_port(r, 0, i).busy_ns > busy)
			busy = rig_port(r, 0, i).busy_ns;
	}
	EXPECT_EQ(busy, s + (RANKS - 1) *
		  ser(OVER * (N / PKT / 2), RIG_MBPS));
	free(buf);
	rig_free(r);
}

TEST(slow_link_behind_a_fast_one)
{
	enum { N = 65536 };
	static uint8_t mem[2][N] __attribute__((aligned(4096)));
	struct alink_route route = { .dst = 1, .min_ports = 1, .ports = { 1 } };
	struct af_fabric *f = af_fabric_new(AF_TIMING_REPORT);
	struct af_extent e = { 0, N };
	uint64_t raw = N + OVER * (N / PKT);
	struct af_result res;

	af_fabric_set_default_partition(f, 1);
	af_switch_add(f, 0, 1, 8, 800000, 8, 100);
	af_endpoint_add(f, 0, 1, mem[0], N, 1, 800000, 8);
	af_endpoint_add(f, 1, 1, mem[1], N, 1, 200000, 2);
	af_route_set(f, ALINK_DEVTYPE_XPU, 0, &route);
	route.ports[0] = 2;
	af_route_set(f, ALINK_DEVTYPE_SWITCH, 0, &route);
	af_seg_export(f, 1, 0, 9, ALINK_SEG_READ | ALINK_SEG_WRITE, &e, 1);
	af_seg_import(f, 0, 0, 1, 0, 9);
	/* The slow link decides, whichever comes first; hop of the variant. */
	af_write(f, 0, 0, 0, mem[0], N, &res);
	EXPECT_EQ(res.model_ns, 2 * E + 4 * C + 200 + ser(OVER, 200000) +
		  ser(raw, 200000));
	af_fabric_free(f);

	f = af_fabric_new(AF_TIMING_REPORT);
	af_fabric_set_default_partition(f, 1);
	af_switch_add(f, 0, 1, 8, 800000, 8, 100);
	af_endpoint_add(f, 0, 1, mem[0], N, 1, 200000, 2);
	af_endpoint_add(f, 1, 1, mem[1], N, 1, 800000, 8);
	route.ports[0] = 1;
	af_route_set(f, ALINK_DEVTYPE_XPU, 0, &route);
	route.ports[0] = 2;
	af_route_set(f, ALINK_DEVTYPE_SWITCH, 0, &route);
	af_seg_export(f, 1, 0, 9, ALINK_SEG_READ | ALINK_SEG_WRITE, &e, 1);
	af_seg_import(f, 0, 0, 1, 0, 9);
	af_write(f, 0, 0, 0, mem[0], N, &res);
	EXPECT_EQ(res.model_ns, 2 * E + 4 * C + 200 + ser(OVER, 800000) +
		  ser(raw, 200000));
	af_fabric_free(f);
}

TEST(settings)
{
	struct af_timing_params p = { 1, 2, 3, 4, 0 }, got;
	struct rig *r = rig_new(2, 1);
	enum af_timing timing;
	struct af_result res;
	uint32_t v = 0;

	EXPECT_EQ(af_fabric_set_timing(r->f, AF_TIMING_ENFORCE, &p),
		  -EOPNOTSUPP);
	af_fabric_get_timing(r->f, &timing, &got);
	EXPECT(timing == AF_TIMING_REPORT && got.endpoint_ns == E &&
	       got.cable_ns == C && got.hop_ns == H && got.reduce_ns == R);
	EXPECT_EQ(af_fabric_set_timing(r->f, 77, &p), -EINVAL);
	EXPECT(!af_fabric_new(AF_TIMING_ENFORCE));
	EXPECT_EQ(errno, EOPNOTSUPP);

	EXPECT_EQ(af_fabric_set_timing(r->f, AF_TIMING_REPORT, &p), 0);
	af_read(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.model_ns, 2 * 1 + 4 * 2 + 2 * 3 + 1 + 1);
	EXPECT_EQ(af_fabric_set_timing(r->f, AF_TIMING_OFF, NULL), 0);
	af_read(r->f, 0, 1, 0, &v, 4, &res);
	EXPECT_EQ(res.model_ns, 0);
	EXPECT_EQ(rig_xpu_sum(r, 0).rx_bytes, 8);	/* still counts */
	EXPECT_EQ(rig_xpu_sum(r, 0).busy_ns, 1);
	rig_free(r);
}

TEST(host_clock_goes_on)
{
	struct af_fabric *f = af_fabric_new(AF_TIMING_OFF);
	uint64_t a = af_clock_ns(f), b;

	do {
		b = af_clock_ns(f);
		EXPECT(b >= a);
	} while (b == a);
	af_fabric_free(f);
}
