// SPDX-License-Identifier: GPL-2.0-or-later
/* Data: reads, writes, atomics, multicast writes, reducing reads. */
#include "rig.h"
#include "tap.h"

/* Every alignment of head and tail around packets, pages and extents */
TEST(read_write_any_alignment)
{
	static const uint64_t at[] = { 0, 1, 7, 255, 256, 257, 4095, 4096 };
	static const uint64_t lens[] = { 1, 3, 8, 255, 256, 257, 511, 4096,
					 4097, 65536, 100003 };
	struct rig *r = rig_new(3, 4);
	struct af_result res;
	uint8_t *buf = malloc(RIG_MEM), *back = malloc(RIG_MEM);
	uint8_t *want = calloc(1, RIG_MEM);

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
			rig_fill(buf, lens[k]);
			memcpy(want + at[i], buf, lens[k]);
			af_write(r->f, 0, 2, at[i], buf, lens[k], &res);
			EXPECT_EQ(res.status, ALINK_ST_OK);
			EXPECT(!memcmp(r->mem[2], want, RIG_MEM));
			af_read(r->f, 1, 2, at[i], back, lens[k], &res);
			EXPECT_EQ(res.status, ALINK_ST_OK);
			EXPECT(!memcmp(back, buf, lens[k]));
		}
	}
	memset(want, 0, RIG_MEM);
	EXPECT(!memcmp(r->mem[0], want, RIG_MEM));
	EXPECT(!memcmp(r->mem[1], want, RIG_MEM));
	free(buf);
	free(back);
	free(want);
	rig_free(r);
}

TEST(group_write_and_reduce)
{
	struct rig *r = rig_new(4, 8);
	uint32_t members[] = { 0, 1, 3 };
	struct af_result res;
	int32_t out[1024];
	uint8_t buf[4096];

	rig_group(r, 5, members, 3);
	rig_fill(buf, sizeof(buf));
	af_group_write(r->f, 1, 5, 4096, buf, sizeof(buf), &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	for (int i = 0; i < 4; i++)
		EXPECT(!memcmp(r->mem[i] + 4096, buf, sizeof(buf)) ==
		       (i != 2));

	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 1024; k++)
			((int32_t *)r->mem[i])[k] = 1000 * i + k;
	af_group_reduce(r->f, 3, 5, 0, out, sizeof(out), ALINK_DT_INT32,
			ALINK_OP_SUM, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	for (int k = 0; k < 1024; k++)
		EXPECT_EQ(out[k], 4000 + 3 * k);
	rig_free(r);
}

/* A segment in pieces, out of order, against a flat copy of it */
TEST(scattered_segment)
{
	static const struct af_extent e[] = {
		{ 0x9000, 0x1000 }, { 0x2000, 0x3000 }, { 0x7000, 0x1000 },
		{ 0x0000, 0x1000 }, { 0xb000, 0x2000 },
	};
	enum { LEN = 0x8000 };
	static uint8_t flat[LEN], buf[LEN], mem[0x10000];
	struct rig *r = rig_new(2, 5);
	struct af_result res;
	size_t at;

	rig_fill(r->mem[1], sizeof(mem));
	memcpy(mem, r->mem[1], sizeof(mem));
	at = 0;
	for (size_t i = 0; i < 5; at += e[i].len, i++)
		memcpy(flat + at, mem + e[i].addr, e[i].len);
	ASSERT(at == LEN);
	af_seg_export(r->f, 1, 9, 1, ALINK_SEG_READ | ALINK_SEG_WRITE |
		      ALINK_SEG_ATOMIC, e, 5);
	af_seg_import(r->f, 0, 9, 1, 9, 1);

	for (int i = 0; i < 2000; i++) {
		uint64_t off = rig_random() % LEN;
		uint64_t len = rig_random() % (LEN - off + 1);

		if (i & 1)
			len %= 700;
		if (i % 3) {
			af_read(r->f, 0, 9, off, buf, len, &res);
			EXPECT_EQ(res.status, ALINK_ST_OK);
			EXPECT(!memcmp(buf, flat + off, len));
		} else {
			rig_fill(buf, len < 64 ? len : 64);
			af_write(r->f, 0, 9, off, buf, len, &res);
			EXPECT_EQ(res.status, ALINK_ST_OK);
			memcpy(flat + off, buf, len);
		}
	}
	at = 0;
	for (size_t i = 0; i < 5; at += e[i].len, i++)
		memcpy(mem + e[i].addr, flat + at, e[i].len);
	EXPECT(!memcmp(mem, r->mem[1], sizeof(mem)));
	/* The last word of one extent and the first of the next */
	af_atomic(r->f, 0, 9, 0xff8, ALINK_ATOMIC_SWAP, 8, 11, 0, &res);
	EXPECT(!memcmp(&res.old, flat + 0xff8, 8));
	af_atomic(r->f, 0, 9, 0x1000, ALINK_ATOMIC_SWAP, 8, 22, 0, &res);
	EXPECT(!memcmp(&res.old, flat + 0x1000, 8));
	EXPECT_EQ(r->mem[1][0x9ff8], 11);
	EXPECT_EQ(r->mem[1][0x2000], 22);
	rig_free(r);
}

TEST(atomics)
{
	static const uint64_t v[] = { 0, 1, 2, 0x7fffffff, 0x80000000,
				      0xffffffff, 0x100000000,
				      0x7fffffffffffffff, 0x8000000000000000,
				      UINT64_MAX };
	enum { N = sizeof(v) / sizeof(v[0]) };
	struct rig *r = rig_new(2, 3);
	struct af_result res;

	for (int w = 4; w <= 8; w += 4) {
		uint64_t mask = w == 4 ? UINT32_MAX : UINT64_MAX;

		for (int i = 0; i < N * N * 8; i++) {
			uint64_t old = v[i / 8 % N] & mask;
			uint64_t arg = v[i / 8 / N] & mask;
			uint64_t cmp = i & 64 ? old : arg;
			uint64_t want[] = {
				old + arg, old == cmp ? arg : old, arg,
				old & arg, old | arg, old ^ arg,
				old < arg ? old : arg, old > arg ? old : arg,
			};
			uint64_t cell[3] = { ~0ULL, old | ~mask, ~0ULL };
			uint64_t now;

			memcpy(r->mem[1] + 248, cell, 24);
			af_atomic(r->f, 0, 1, 256, i % 8, w, arg, cmp, &res);
			EXPECT_EQ(res.status, ALINK_ST_OK);
			EXPECT_EQ(res.old, old);
			memcpy(&now, r->mem[1] + 256, 8);
			EXPECT_EQ(now & mask, want[i % 8] & mask);
			EXPECT_EQ(now | mask, UINT64_MAX);	/* neighbours */
			memcpy(&now, r->mem[1] + 248, 8);
			EXPECT_EQ(now, UINT64_MAX);
		}
	}
	rig_free(r);
}

/* Members whose memory lies differently, group windows that cross extents */
TEST(groups_over_scattered_members)
{
	struct rig *r = rig_new(3, 4);
	struct alink_group g = { .id = 2, .num_members = 3, .key = 42 };
	struct af_extent a[] = { { 0, 0x4000 } };
	struct af_extent b[] = { { 0x3000, 0x1000 }, { 0x8000, 0x3000 } };
	struct af_extent c[] = { { 0x5000, 0x2000 }, { 0, 0x2000 } };
	const struct af_extent *e[] = { a, b, c };
	static const size_t num[] = { 1, 2, 2 };
	uint32_t members[] = { 0, 1, 2 };
	static int32_t view[3][0x3000 / 4], out[0x3000 / 4], sum[0x3000 / 4];
	struct af_result res;

	for (uint32_t p = 0; p < 4; p++)
		EXPECT_EQ(af_group_add(r->f, p, &g, members), ALINK_ST_OK);
	for (uint32_t i = 0; i < 3; i++) {
		uint8_t flat[0x4000];
		size_t at = 0;

		rig_fill(r->mem[i], 0x10000);
		for (size_t k = 0; k < num[i]; at += e[i][k].len, k++)
			memcpy(flat + at, r->mem[i] + e[i][k].addr,
			       e[i][k].len);
		memcpy(view[i], flat + 0x1000, 0x3000);
		af_seg_export(r->f, i, 1, 1, ALINK_SEG_GROUP | ALINK_SEG_READ |
			      ALINK_SEG_WRITE, e[i], num[i]);
		EXPECT_EQ(af_group_bind(r->f, i, 2, 1, 42, 0x1000, 0x3000),
			  ALINK_ST_OK);
		af_group_import(r->f, i, 0, 2, 42);
	}
	for (int k = 0; k < 0x3000 / 4; k++)
		sum[k] = (uint32_t)view[0][k] + view[1][k] + view[2][k];

	/* One element short of each end */
	af_group_reduce(r->f, 1, 0, 4, out, 0x3000 - 8, ALINK_DT_INT32,
			ALINK_OP_SUM, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(!memcmp(out, sum + 1, 0x3000 - 8));

	af_group_write(r->f, 1, 0, 0, sum, 0x3000, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(!memcmp(r->mem[0] + 0x1000, sum, 0x3000));
	EXPECT(!memcmp(r->mem[1] + 0x8000, sum, 0x3000));
	EXPECT(!memcmp(r->mem[2] + 0x6000, sum, 0x1000));
	EXPECT(!memcmp(r->mem[2] + 0x0000, (uint8_t *)sum + 0x1000, 0x2000));
	rig_free(r);
}

/* The result may replace the initiator's own part. */
TEST(reduce_in_place)
{
	enum { N = 5000 };
	struct rig *r = rig_new(3, 2);
	struct af_result res;
	static int32_t sum[N];

	rig_group_all(r, 0);
	for (int i = 0; i < 3; i++)
		rig_fill(r->mem[i], 4 * N);
	for (int k = 0; k < N; k++)
		for (int i = 0; i < 3; i++)
			sum[k] = (uint32_t)sum[k] + ((int32_t *)r->mem[i])[k];
	af_group_reduce(r->f, 1, 0, 0, r->mem[1], 4 * N, ALINK_DT_INT32,
			ALINK_OP_SUM, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(!memcmp(r->mem[1], sum, 4 * N));
	rig_free(r);
}

/* The largest that we name: 512 endpoints on 64 planes */
TEST(supernode_of_512)
{
	struct rig *r = rig_new(512, 64);
	struct af_result res;
	int32_t out[4096];

	rig_group_all(r, 7);
	for (int i = 0; i < 512; i++)
		for (int k = 0; k < 4096; k++)
			((int32_t *)r->mem[i])[k] = i * k;
	af_group_reduce(r->f, 511, 7, 0, out, sizeof(out), ALINK_DT_INT32,
			ALINK_OP_SUM, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	for (int k = 0; k < 4096; k++)
		EXPECT_EQ(out[k], k * (511 * 512 / 2));
	af_group_write(r->f, 0, 7, 4096, out, sizeof(out), &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	for (int i = 0; i < 512; i++)
		EXPECT(!memcmp(r->mem[i] + 4096, out, sizeof(out)));
	EXPECT_EQ(rig_xpu_link(r, 300, 63).rx_bytes, 256);
	af_read(r->f, 300, 17, 0, out, sizeof(out), &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT_EQ(out[100], 1700);
	rig_free(r);
}
