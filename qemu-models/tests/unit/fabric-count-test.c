// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counters against the closed formulas of Documentation/hw/fabric.rst,
 * "Counters", and the shares of links against a count byte by byte.
 */
#include "rig.h"
#include "tap.h"

#define PKT	ALINK_PACKET_BYTES
#define OVER	ALINK_PACKET_OVERHEAD

static uint64_t packets(uint64_t off, uint64_t n)
{
	return n ? (off + n - 1) / PKT - off / PKT + 1 : 0;
}

/* What one end gained, and that raw bytes follow from the rest */
static void expect_gain(struct af_link_info b, struct af_link_info a,
			uint64_t txb, uint64_t rxb, uint64_t txp, uint64_t rxp,
			int line)
{
	if (a.tx_bytes - b.tx_bytes != txb || a.rx_bytes - b.rx_bytes != rxb ||
	    a.tx_packets - b.tx_packets != txp ||
	    a.rx_packets - b.rx_packets != rxp)
		TAP_FAIL("line %d: bytes %" PRIu64 "/%" PRIu64 " packets %"
			 PRIu64 "/%" PRIu64 ", not %" PRIu64 "/%" PRIu64
			 " and %" PRIu64 "/%" PRIu64, line,
			 (uint64_t)(a.tx_bytes - b.tx_bytes),
			 (uint64_t)(a.rx_bytes - b.rx_bytes),
			 (uint64_t)(a.tx_packets - b.tx_packets),
			 (uint64_t)(a.rx_packets - b.rx_packets), txb, rxb, txp,
			 rxp);
	EXPECT_EQ(a.tx_raw - b.tx_raw, txb + OVER * txp);
	EXPECT_EQ(a.rx_raw - b.rx_raw, rxb + OVER * rxp);
}

#define GAIN(b, a, ...)	expect_gain(b, a, __VA_ARGS__, __LINE__)

/* The port at the other end of each link counts the same, exchanged. */
static void expect_mirrored(struct rig *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		for (uint32_t p = 0; p < r->planes; p++) {
			struct af_link_info x = rig_xpu_link(r, i, p);
			struct af_link_info s = rig_port(r, p, i);

			EXPECT_EQ(x.tx_bytes, s.rx_bytes);
			EXPECT_EQ(x.rx_bytes, s.tx_bytes);
			EXPECT_EQ(x.tx_packets, s.rx_packets);
			EXPECT_EQ(x.rx_packets, s.tx_packets);
			EXPECT_EQ(x.tx_raw, s.rx_raw);
			EXPECT_EQ(x.rx_raw, s.tx_raw);
		}
	}
}

static const uint64_t offs[] = { 0, 4, 100, 252, 256, 260, 1020, 4096 };
static const uint64_t lens[] = { 0, 4, 252, 256, 260, 512, 2048, 2052, 65536,
				 100000 };
#define EACH(i, a)	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)

TEST(read_and_write)
{
	struct rig *r = rig_new(3, 3);
	uint8_t *buf = calloc(1, 1 << 17);
	struct af_result res;

	EACH(i, offs) EACH(k, lens) {
		uint64_t n = lens[k], p = packets(offs[i], n);
		struct af_link_info b0 = rig_xpu_sum(r, 0);
		struct af_link_info b1 = rig_xpu_sum(r, 1);

		af_read(r->f, 0, 1, offs[i], buf, n, &res);
		GAIN(b0, rig_xpu_sum(r, 0), 0, n, p, p);
		GAIN(b1, rig_xpu_sum(r, 1), n, 0, p, p);
		b0 = rig_xpu_sum(r, 0);
		b1 = rig_xpu_sum(r, 1);
		af_write(r->f, 0, 1, offs[i], buf, n, &res);
		GAIN(b0, rig_xpu_sum(r, 0), n, 0, p, p);
		GAIN(b1, rig_xpu_sum(r, 1), 0, n, p, p);
	}
	expect_mirrored(r);
	EXPECT_EQ(rig_xpu_sum(r, 2).tx_raw, 0);
	free(buf);
	rig_free(r);
}

TEST(atomics)
{
	struct rig *r = rig_new(2, 2);
	struct af_link_info b, a;
	struct af_result res;

	for (int w = 4; w <= 8; w += 4) {
		b = rig_xpu_sum(r, 0);
		af_atomic(r->f, 0, 1, 256, ALINK_ATOMIC_ADD, w, 1, 0, &res);
		a = rig_xpu_sum(r, 0);
		GAIN(b, a, w, w, 1, 1);
		af_atomic(r->f, 0, 1, 256, ALINK_ATOMIC_CAS, w, 1, 0, &res);
		GAIN(a, rig_xpu_sum(r, 0), 2 * w, w, 1, 1);
	}
	/* Block 1 goes by link 1. */
	EXPECT_EQ(rig_xpu_link(r, 0, 0).tx_packets, 0);
	EXPECT_EQ(rig_xpu_link(r, 0, 1).tx_packets, 4);
	expect_mirrored(r);
	rig_free(r);
}

/* Over both links into one switch, an operation on a group is still one. */
TEST(group_over_two_links_into_one_switch)
{
	struct rig *r = rig_new(2, 2);
	struct af_switch_info sw;
	struct alink_group g;
	struct af_result res;
	uint32_t got[2];
	uint8_t buf[4096] = {};

	for (uint32_t i = 0; i < 2; i++)
		EXPECT_EQ(af_link_wire(r->f, i, 1, 0, 10 + i), 0);
	rig_group_all(r, 1);
	af_group_write(r->f, 0, 1, 0, buf, sizeof(buf), &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	af_group_reduce(r->f, 0, 1, 0, buf, sizeof(buf), ALINK_DT_INT32,
			ALINK_OP_SUM, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(rig_port(r, 0, 0).rx_bytes && rig_port(r, 0, 10).rx_bytes);
	af_switch_info(r->f, 0, &sw);
	af_group_get(r->f, 0, 1, &g, got, 2);
	EXPECT_EQ(sw.multicasts, 1);
	EXPECT_EQ(sw.reductions, 1);
	EXPECT_EQ(g.reductions, 1);
	EXPECT_EQ(g.bytes, sizeof(buf));
	rig_free(r);
}

TEST(groups)
{
	struct rig *r = rig_new(5, 4);
	uint32_t members[] = { 0, 2, 3, 4 };
	struct af_link_info b[5];
	struct af_switch_info sw;
	uint8_t *buf = calloc(1, 1 << 17);
	struct alink_group g;
	struct af_result res;
	uint64_t total = 0;
	uint32_t got[8], ops = 0;

	rig_group(r, 1, members, 4);
	EACH(i, offs) EACH(k, lens) {
		uint64_t n = lens[k], p = packets(offs[i], n);

		for (uint32_t m = 0; m < 5; m++)
			b[m] = rig_xpu_sum(r, m);
		af_group_write(r->f, 3, 1, offs[i], buf, n, &res);
		EXPECT_EQ(res.status, ALINK_ST_OK);
		for (uint32_t m = 0; m < 5; m++) {
			if (m == 3)
				GAIN(b[m], rig_xpu_sum(r, m), n, n, 2 * p,
				     2 * p);
			else if (m == 1)
				GAIN(b[m], rig_xpu_sum(r, m), 0, 0, 0, 0);
			else
				GAIN(b[m], rig_xpu_sum(r, m), 0, n, p, p);
			b[m] = rig_xpu_sum(r, m);
		}
		af_group_reduce(r->f, 2, 1, offs[i], buf, n, ALINK_DT_INT32,
				ALINK_OP_SUM, &res);
		EXPECT_EQ(res.status, ALINK_ST_OK);
		for (uint32_t m = 0; m < 5; m++) {
			if (m == 2)
				GAIN(b[m], rig_xpu_sum(r, m), n, n, p, p);
			else if (m == 1)
				GAIN(b[m], rig_xpu_sum(r, m), 0, 0, 0, 0);
			else
				GAIN(b[m], rig_xpu_sum(r, m), n, 0, p, p);
		}
		total += n;
		/* A plane takes part if it carries a block. */
		for (uint64_t o = offs[i] / PKT; n && o <= (offs[i] + n - 1) /
		     PKT && o < offs[i] / PKT + 4; o++)
			ops++;
	}
	expect_mirrored(r);
	for (uint32_t p = 0; p < 4; p++) {
		af_switch_info(r->f, p, &sw);
		af_group_get(r->f, p, 1, &g, got, 8);
		EXPECT_EQ(sw.reductions, g.reductions);
		EXPECT_EQ(sw.reductions, sw.multicasts);
		ops -= sw.reductions;
		total -= g.bytes;
	}
	EXPECT_EQ(ops, 0);
	EXPECT_EQ(total, 0);
	free(buf);
	rig_free(r);
}

/* Share of each link, byte by byte; also when the live links have gaps. */
static void check_shares(struct rig *r, uint32_t live, uint64_t off, uint64_t n)
{
	uint32_t link[64], nl = 0;
	uint64_t bytes[64] = { 0 };
	struct af_link_info b[64];
	struct af_result res;
	static uint8_t buf[1 << 17];

	for (uint32_t p = 0; p < r->planes; p++) {
		b[p] = rig_xpu_link(r, 0, p);
		if (live >> p & 1)
			link[nl++] = p;
	}
	for (uint64_t a = off; a < off + n; a++)
		bytes[link[a / PKT % nl]]++;
	af_write(r->f, 0, 1, off, buf, n, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	for (uint32_t p = 0; p < r->planes; p++)
		EXPECT_EQ(rig_xpu_link(r, 0, p).tx_bytes - b[p].tx_bytes,
			  bytes[p]);
}

TEST(shares_of_links)
{
	static const uint32_t lives[] = { 0xff, 0xfe, 0x7f, 0x55, 0x80, 0x21 };
	struct rig *r = rig_new(2, 8);

	EACH(l, lives) {
		for (uint32_t p = 0; p < 8; p++)
			af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, p & 1, p,
					  lives[l] >> p & 1);
		EACH(i, offs) EACH(k, lens)
			check_shares(r, lives[l], offs[i], lens[k]);
	}
	expect_mirrored(r);
	rig_free(r);
}

/* All that members send and get in an all-reduce of N bytes */
TEST(all_reduce)
{
	enum { N = 1 << 16, RANKS = 8 };
	struct rig *r = rig_new(RANKS, 8);
	static uint8_t shard[N / RANKS];
	struct af_result res;
	struct af_link_info s;

	rig_group_all(r, 0);
	for (uint32_t i = 0; i < RANKS; i++) {
		uint64_t at = i * (N / RANKS);

		af_group_reduce(r->f, i, 0, at, shard, sizeof(shard),
				ALINK_DT_FP32, ALINK_OP_SUM, &res);
		EXPECT_EQ(res.status, ALINK_ST_OK);
		af_group_write(r->f, i, 0, at, shard, sizeof(shard), &res);
		EXPECT_EQ(res.status, ALINK_ST_OK);
	}
	for (uint32_t i = 0; i < RANKS; i++) {
		s = rig_xpu_sum(r, i);
		EXPECT_EQ(s.tx_bytes, N + N / RANKS);
		EXPECT_EQ(s.rx_bytes, N + N / RANKS);
	}
	expect_mirrored(r);
	rig_free(r);
}
