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
