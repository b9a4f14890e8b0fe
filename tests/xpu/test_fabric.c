// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two xPUs over switches: remote memory, groups, and each way in which the
 * fabric refuses, with the very status that user space gets to see.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define SIZE		(64UL << 10)
#define GROUP		9
#define KEY		0x5eed0123456789abULL
#define PARTITION	3
#define WAIT_MS		20000

FIXTURE(fabric)
{
	struct alink_ctx *ctx;
	struct alink_device_info *dev;
	size_t num_devs;
	uint32_t id[2];			/* endpoint ids */
	uint32_t index[2];		/* of their devices */
	char name[2][32];
	struct alink_xpu *xpu[2];
	struct alink_bo *mem[2];
	uint8_t *map[2];
	struct alink_bo *remote;	/* mem[1], as xpu[0] sees it */
	struct alink_handle handle;
};

static void find_two(struct __test_metadata *_metadata,
		     FIXTURE_DATA(fabric) *self)
{
	size_t i, n = 0;

	ASSERT_EQ(0, alink_devices(self->ctx, &self->dev, &self->num_devs));
	for (i = 0; i < self->num_devs && n < 2; i++) {
		if (self->dev[i].type != ALINK_DEVTYPE_XPU)
			continue;
		self->id[n] = self->dev[i].fabric_id;
		self->index[n] = self->dev[i].index;
		strcpy(self->name[n++], self->dev[i].name);
	}
	ASSERT_EQ(2, n);
}

FIXTURE_SETUP(fabric)
{
	int i;

	ASSERT_EQ(0, alink_new(&self->ctx));
	find_two(_metadata, self);
	ASSERT_EQ(0, alink_fabric_up(self->ctx, PARTITION)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, alink_xpu_open(self->ctx, self->id[i],
					    &self->xpu[i]));
		ASSERT_EQ(0, alink_bo_alloc(self->xpu[i], SIZE,
					    ALINK_PLACE_HBM_CPU,
					    &self->mem[i]));
		self->map[i] = alink_bo_map(self->mem[i]);
		ASSERT_NE(NULL, self->map[i]);
	}
	ASSERT_EQ(0, alink_export(self->mem[1], ALINK_SEG_READ |
				  ALINK_SEG_WRITE | ALINK_SEG_ATOMIC,
				  &self->handle));
	ASSERT_EQ(0, alink_import(self->xpu[0], &self->handle,
				  &self->remote)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
}

FIXTURE_TEARDOWN(fabric)
{
	char value[32];
	int i;

	/* Without models there is no knob, nor what it does. */
	snprintf(value, sizeof(value), "\"%u:0\"", self->id[1]);
	model_put("fab0", "x-mute", value);
	alink_bo_free(self->remote);
	for (i = 0; i < 2; i++) {
		alink_bo_free(self->mem[i]);
		alink_xpu_close(self->xpu[i]);
	}
	/* Whatever a test took away is there again for the next one. */
	EXPECT_EQ(0, alink_fabric_up(self->ctx, PARTITION));
	free(self->dev);
	alink_free(self->ctx);
}

/* A queue of its own for one command: one that fails ends its queue. */
static int run_desc(struct __test_metadata *_metadata, struct alink_xpu *xpu,
		    struct alink_xpu_desc *d, struct alink_queue_state *state)
{
	struct alink_queue *q;
	uint64_t seq;
	int err;

	ASSERT_EQ(0, alink_queue_open(xpu, 4, &q));
	ASSERT_EQ(0, alink_cmd(q, d, &seq));
	err = alink_queue_wait(q, seq, WAIT_MS);
	alink_queue_state(q, state);
	alink_queue_close(q);
	if (state->status == ALINK_ST_OK) {
		EXPECT_EQ(0, err);
	} else {
		EXPECT_EQ(-EIO, err);
	}
	return state->status;
}

static int copy(struct __test_metadata *_metadata, struct alink_xpu *xpu,
		uint64_t dst, uint64_t src, uint64_t len)
{
	struct alink_queue_state state;
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COPY, .dst = dst, .src = src, .len = len,
	};

	return run_desc(_metadata, xpu, &d, &state);
}

/* A write to the other xPU: the status, and whether it had its effect */
static int write_there(struct __test_metadata *_metadata,
		       FIXTURE_DATA(fabric) *self)
{
	int st;

	memset(self->map[0], 0x5a, SIZE);
	memset(self->map[1], 0x11, SIZE);
	st = copy(_metadata, self->xpu[0], alink_bo_va(self->remote),
		  alink_bo_va(self->mem[0]), SIZE);
	EXPECT_EQ(st ? 0x11 : 0x5a, self->map[1][0]);
	EXPECT_EQ(st ? 0x11 : 0x5a, self->map[1][SIZE - 1]);
	return st;
}

static void for_switches(struct __test_metadata *_metadata,
			 FIXTURE_DATA(fabric) *self, uint32_t dst,
			 unsigned int max)
{
	size_t i;

	for (i = 0; i < self->num_devs && max; i++)
		if (self->dev[i].type == ALINK_DEVTYPE_SWITCH) {
			EXPECT_EQ(0, alink_route_del(self->ctx,
						     self->dev[i].index, dst));
			max--;
		}
}

static void link_set(struct __test_metadata *_metadata, const char *xpu,
		     int link, const char *how)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "ip link set %sp%d %s", xpu, link, how);
	ASSERT_EQ(0, system(cmd));
}

TEST_F(fabric, copies_there_and_back)
{
	uint64_t here = alink_bo_va(self->mem[0]);
	uint64_t there = alink_bo_va(self->remote);
	size_t i;

	for (i = 0; i < SIZE; i++)
		self->map[0][i] = (uint8_t)(i * 7 + i / 256);
	ASSERT_EQ(0, copy(_metadata, self->xpu[0], there, here, SIZE));
	EXPECT_EQ(0, memcmp(self->map[0], self->map[1], SIZE));

	/* an odd piece back, and nothing beside it */
	memset(self->map[0], 0, SIZE);
	ASSERT_EQ(0, copy(_metadata, self->xpu[0], here + 1000, there + 77,
			  4999));
	EXPECT_EQ(0, memcmp(self->map[0] + 1000, self->map[1] + 77, 4999));
	EXPECT_EQ(0, self->map[0][999]);
	EXPECT_EQ(0, self->map[0][5999]);
}

TEST_F(fabric, every_plane_carries_its_part)
{
	struct alink_link_info *before, *after;
	uint64_t sent, total = 0;
	size_t n, m, i;

	ASSERT_EQ(0, alink_links(self->ctx, self->index[0], &before, &n));
	ASSERT_EQ(0, write_there(_metadata, self));
	ASSERT_EQ(0, alink_links(self->ctx, self->index[0], &after, &m));
	ASSERT_EQ(n, m);
	for (i = 0; i < n; i++) {
		sent = after[i].stats.tx_bytes - before[i].stats.tx_bytes;
		total += sent;
		if (after[i].state == ALINK_LINK_UP)
			EXPECT_EQ(SIZE / 2, sent);
	}
	EXPECT_EQ(SIZE, total);
	free(before);
	free(after);
}

TEST_F(fabric, atomics)
{
	struct alink_queue_state state;
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_ATOMIC64,
		.subop = ALINK_ATOMIC_ADD,
		.dst = alink_bo_va(self->remote) + 64,
		.src = 5,
		.len = alink_bo_va(self->mem[0]),
	};
	uint64_t *far = (uint64_t *)(self->map[1] + 64);
	uint64_t *old = (uint64_t *)self->map[0];

	*far = 0xffffffffULL;
	ASSERT_EQ(0, run_desc(_metadata, self->xpu[0], &d, &state));
	EXPECT_EQ(0x100000004ULL, *far);
	EXPECT_EQ(0xffffffffULL, *old);
	d.opcode = ALINK_XPU_OP_ATOMIC32;
	ASSERT_EQ(0, run_desc(_metadata, self->xpu[0], &d, &state));
	EXPECT_EQ(0x100000009ULL, *far);
	d.dst += 2;
	EXPECT_EQ(ALINK_ST_ALIGN,
		  run_desc(_metadata, self->xpu[0], &d, &state));
	EXPECT_EQ(0x100000009ULL, *far);
}

TEST_F(fabric, no_route)
{
	ASSERT_EQ(0, alink_route_del(self->ctx, self->index[0], self->id[1]));
	EXPECT_EQ(ALINK_ST_NO_PATH, write_there(_metadata, self));
	ASSERT_EQ(0, alink_fabric_up(self->ctx, PARTITION));
	EXPECT_EQ(0, write_there(_metadata, self));

	/* One switch less is a plane less; without any there is no path. */
	for_switches(_metadata, self, self->id[1], 1);
	EXPECT_EQ(0, write_there(_metadata, self));
	ASSERT_EQ(0, alink_fabric_up(self->ctx, PARTITION));
	for_switches(_metadata, self, self->id[1], 64);
	EXPECT_EQ(ALINK_ST_NO_PATH, write_there(_metadata, self));
}

TEST_F(fabric, fewer_links_than_the_route_wants)
{
	struct alink_route_info r = {
		.dev = self->index[0], .dst = self->id[1], .min_ports = 2,
	};

	alink_set_add(&r.ports, 0);
	alink_set_add(&r.ports, 1);
	ASSERT_EQ(0, alink_route_add(self->ctx, &r));
	EXPECT_EQ(0, write_there(_metadata, self));
	link_set(_metadata, self->name[0], 1, "up");
	link_set(_metadata, self->name[0], 1, "down");
	EXPECT_EQ(ALINK_ST_NO_PATH, write_there(_metadata, self));
	link_set(_metadata, self->name[0], 1, "up");
	EXPECT_EQ(0, write_there(_metadata, self));
}

TEST_F(fabric, port_down)
{
	int i;

	for (i = 0; i < 2; i++) {
		link_set(_metadata, self->name[1], i, "up");
		link_set(_metadata, self->name[1], i, "down");
		EXPECT_EQ(i ? ALINK_ST_PORT_DOWN : 0,
			  write_there(_metadata, self));
	}
	for (i = 0; i < 2; i++)
		link_set(_metadata, self->name[1], i, "up");
	EXPECT_EQ(0, write_there(_metadata, self));
}

TEST_F(fabric, foreign_partition)
{
	ASSERT_EQ(0, alink_partition_set(self->ctx, ALINK_ALL, self->id[1],
					 PARTITION + 1));
	EXPECT_EQ(ALINK_ST_PARTITION, write_there(_metadata, self));
	ASSERT_EQ(0, alink_partition_set(self->ctx, ALINK_ALL, self->id[1], 0));
	EXPECT_EQ(ALINK_ST_PARTITION, write_there(_metadata, self));
	ASSERT_EQ(0, alink_partition_set(self->ctx, ALINK_ALL, self->id[1],
					 PARTITION));
	EXPECT_EQ(0, write_there(_metadata, self));
}

TEST_F(fabric, bad_key)
{
	struct alink_handle h = self->handle;
	struct alink_bo *bad;
	int err;

	h.key ^= 1;
	err = alink_import(self->xpu[0], &h, &bad);
	if (!err) {
		EXPECT_EQ(ALINK_ST_KEY,
			  copy(_metadata, self->xpu[0], alink_bo_va(bad),
			       alink_bo_va(self->mem[0]), 256));
		alink_bo_free(bad);
	} else {
		EXPECT_EQ(-EACCES, err);
	}
	ASSERT_EQ(0, alink_revoke(self->mem[1]));
	EXPECT_EQ(ALINK_ST_KEY, write_there(_metadata, self));
}

TEST_F(fabric, read_only)
{
	struct alink_handle h;
	struct alink_bo *ro;

	ASSERT_EQ(0, alink_export(self->mem[1], ALINK_SEG_READ, &h));
	ASSERT_EQ(0, alink_import(self->xpu[0], &h, &ro));
	EXPECT_EQ(0, copy(_metadata, self->xpu[0], alink_bo_va(self->mem[0]),
			  alink_bo_va(ro), 4096));
	/* It is bound with no more rights than were given. */
	EXPECT_EQ(ALINK_ST_PERMISSION,
		  copy(_metadata, self->xpu[0], alink_bo_va(ro),
		       alink_bo_va(self->mem[0]), 4096));
	alink_bo_free(ro);
	/* Who says that more was given learns from the exporter. */
	h.rights |= ALINK_SEG_WRITE;
	ASSERT_EQ(0, alink_import(self->xpu[0], &h, &ro));
	EXPECT_EQ(ALINK_ST_KEY,
		  copy(_metadata, self->xpu[0], alink_bo_va(ro),
		       alink_bo_va(self->mem[0]), 4096));
	alink_bo_free(ro);
}

TEST_F(fabric, beyond_the_segment)
{
	struct alink_handle h = self->handle;
	struct alink_queue_state state;
	struct alink_xpu_desc d = { .opcode = ALINK_XPU_OP_COPY };
	struct alink_bo *big;
	int err;

	h.size *= 2;
	err = alink_import(self->xpu[0], &h, &big);
	if (err)
		SKIP(return, "the driver knows the size of segments");
	d.dst = alink_bo_va(big) + SIZE - 4096;
	d.src = alink_bo_va(self->mem[0]);
	d.len = 8192;
	EXPECT_EQ(ALINK_ST_RANGE,
		  run_desc(_metadata, self->xpu[0], &d, &state));
	EXPECT_EQ(alink_bo_va(big) + SIZE, state.addr);
	alink_bo_free(big);
}

/* --- groups --------------------------------------------------------------- */

struct members {
	struct alink_bo *group[2];
};

static void group_up(struct __test_metadata *_metadata,
		     FIXTURE_DATA(fabric) *self, struct members *m, int bound)
{
	struct alink_group_info g = {
		.dev = ALINK_ALL, .id = GROUP, .key = KEY,
	};
	int i;

	alink_set_add(&g.members, self->id[0]);
	alink_set_add(&g.members, self->id[1]);
	ASSERT_EQ(0, alink_group_add(self->ctx, &g)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	for (i = 0; i < 2; i++) {
		if (i < bound)
			ASSERT_EQ(0, alink_group_bind(self->mem[i], GROUP, KEY,
						      0, SIZE)) {
				TH_LOG("%s", alink_error(self->ctx));
			}
		ASSERT_EQ(0, alink_group_map(self->xpu[i], GROUP, KEY, SIZE,
					     &m->group[i])) {
			TH_LOG("%s", alink_error(self->ctx));
		}
	}
}

static void group_down(struct __test_metadata *_metadata,
		       FIXTURE_DATA(fabric) *self, struct members *m)
{
	int i;

	for (i = 0; i < 2; i++)
		alink_bo_free(m->group[i]);
	EXPECT_EQ(0, alink_group_del(self->ctx, ALINK_ALL, GROUP));
}

static int reduce_read(struct __test_metadata *_metadata,
		       FIXTURE_DATA(fabric) *self, struct members *m,
		       enum alink_dtype dtype, enum alink_redop op,
		       uint64_t len)
{
	struct alink_queue_state state;
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_REDUCE_READ,
		.dtype = dtype,
		.subop = op,
		.dst = alink_bo_va(self->mem[1]) + SIZE / 2,
		.src = alink_bo_va(m->group[1]),
		.len = len,
	};

	return run_desc(_metadata, self->xpu[1], &d, &state);
}

TEST_F(fabric, multicast_reaches_all)
{
	struct members m;

	group_up(_metadata, self, &m, 2);
	memset(self->map[0], 1, SIZE);
	memset(self->map[1], 2, SIZE);
	ASSERT_EQ(0, copy(_metadata, self->xpu[0],
			  alink_bo_va(m.group[0]) + SIZE / 2,
			  alink_bo_va(self->mem[0]), SIZE / 4));
	EXPECT_EQ(0, memcmp(self->map[0], self->map[1] + SIZE / 2, SIZE / 4));
	EXPECT_EQ(2, self->map[1][SIZE / 2 - 1]);
	EXPECT_EQ(2, self->map[1][SIZE * 3 / 4]);
	EXPECT_EQ(1, self->map[0][SIZE / 2]);
	group_down(_metadata, self, &m);
}

static double value_of(const uint8_t *p, enum alink_dtype dtype, size_t i)
{
	uint32_t bits;
	uint16_t half;
	int32_t n;
	float f;

	switch (dtype) {
	case ALINK_DT_INT32:
		memcpy(&n, p + 4 * i, 4);
		return n;
	case ALINK_DT_FP32:
		memcpy(&f, p + 4 * i, 4);
		return f;
	default:
		memcpy(&half, p + 2 * i, 2);
		bits = (uint32_t)half << 16;
		memcpy(&f, &bits, 4);
		return f;
	}
}

static void set_value(uint8_t *p, enum alink_dtype dtype, size_t i, int v)
{
	float f = (float)v;
	uint32_t bits;
	uint16_t half;

	memcpy(&bits, &f, 4);
	half = (uint16_t)(bits >> 16);
	if (dtype == ALINK_DT_INT32)
		memcpy(p + 4 * i, &v, 4);
	else if (dtype == ALINK_DT_FP32)
		memcpy(p + 4 * i, &f, 4);
	else
		memcpy(p + 2 * i, &half, 2);
}

TEST_F(fabric, reducing_reads)
{
	static const enum alink_dtype types[] = {
		ALINK_DT_INT32, ALINK_DT_FP32, ALINK_DT_BF16,
	};
	uint32_t n = 2000, i, t, op;
	struct members m;
	double want;
	int a, b;

	group_up(_metadata, self, &m, 2);
	for (t = 0; t < 3; t++)
		for (op = ALINK_OP_SUM; op <= ALINK_OP_MAX; op++) {
			/* Small whole numbers: exact in each of the types */
			for (i = 0; i < n; i++) {
				set_value(self->map[0], types[t], i,
					  (int)(i % 61) - 30);
				set_value(self->map[1], types[t], i,
					  (int)(i % 53) - 20);
			}
			ASSERT_EQ(0, reduce_read(_metadata, self, &m, types[t],
						 op, n *
						 alink_dtype_bytes(types[t])));
			for (i = 0; i < n; i++) {
				a = (int)(i % 61) - 30;
				b = (int)(i % 53) - 20;
				want = op == ALINK_OP_SUM ? a + b :
				       op == ALINK_OP_MIN ? (a < b ? a : b) :
				       (a > b ? a : b);
				ASSERT_EQ(want, value_of(self->map[1] +
							 SIZE / 2, types[t],
							 i)) {
					TH_LOG("type %u op %u element %u",
					       types[t], op, i);
				}
			}
		}
	EXPECT_EQ(ALINK_ST_UNSUPPORTED,
		  reduce_read(_metadata, self, &m, ALINK_DT_UINT8,
			      ALINK_OP_SUM, 256));
	EXPECT_EQ(ALINK_ST_ALIGN,
		  reduce_read(_metadata, self, &m, ALINK_DT_FP32,
			      ALINK_OP_SUM, 255));
	group_down(_metadata, self, &m);
}

TEST_F(fabric, group_with_a_member_missing)
{
	struct members m;

	group_up(_metadata, self, &m, 1);
	EXPECT_EQ(ALINK_ST_GROUP,
		  copy(_metadata, self->xpu[0], alink_bo_va(m.group[0]),
		       alink_bo_va(self->mem[0]), 4096));
	group_down(_metadata, self, &m);
}

static void mute_second(struct __test_metadata *_metadata,
			FIXTURE_DATA(fabric) *self, bool mute)
{
	char value[32];

	snprintf(value, sizeof(value), "\"%u:%d\"", self->id[1], mute);
	ASSERT_EQ(0, model_put("fab0", "x-mute", value));
}

TEST_F(fabric, group_with_a_member_that_does_not_answer)
{
	struct members m;

	group_up(_metadata, self, &m, 2);
	memset(self->map[0], 1, SIZE);
	memset(self->map[1], 2, SIZE);
	mute_second(_metadata, self, true);
	EXPECT_EQ(ALINK_ST_UNREACHABLE,
		  copy(_metadata, self->xpu[0],
		       alink_bo_va(m.group[0]) + SIZE / 2,
		       alink_bo_va(self->mem[0]), 4096));
	EXPECT_EQ(ALINK_ST_UNREACHABLE,
		  reduce_read(_metadata, self, &m, ALINK_DT_INT32, ALINK_OP_SUM,
			      4096));
	/* Nor has it reached those that do. */
	EXPECT_EQ(1, self->map[0][SIZE / 2]);
	EXPECT_EQ(2, self->map[1][SIZE / 2]);
	mute_second(_metadata, self, false);
	EXPECT_EQ(0, copy(_metadata, self->xpu[0],
			  alink_bo_va(m.group[0]) + SIZE / 2,
			  alink_bo_va(self->mem[0]), 4096));
	EXPECT_EQ(1, self->map[1][SIZE / 2]);
	group_down(_metadata, self, &m);
}

TEST_F(fabric, group_is_gone)
{
	struct members m;

	group_up(_metadata, self, &m, 2);
	ASSERT_EQ(0, alink_group_del(self->ctx, ALINK_ALL, GROUP));
	EXPECT_EQ(ALINK_ST_GROUP,
		  copy(_metadata, self->xpu[0], alink_bo_va(m.group[0]),
		       alink_bo_va(self->mem[0]), 4096));
	alink_bo_free(m.group[0]);
	alink_bo_free(m.group[1]);
}

/* A buffer that is freed is out of its group: the next one may join. */
TEST_F(fabric, group_lets_go_of_freed_memory)
{
	struct alink_bo *bo;
	struct members m;
	int i;

	group_up(_metadata, self, &m, 1);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, alink_bo_alloc(self->xpu[1], SIZE,
					    ALINK_PLACE_HBM, &bo));
		EXPECT_EQ(0, alink_group_bind(bo, GROUP, KEY, 0, SIZE));
		alink_bo_free(bo);
	}
	EXPECT_EQ(ALINK_ST_GROUP,
		  copy(_metadata, self->xpu[0], alink_bo_va(m.group[0]),
		       alink_bo_va(self->mem[0]), 4096));
	group_down(_metadata, self, &m);
}

TEST_F(fabric, group_key)
{
	struct alink_bo *bad = NULL;
	struct members m;
	int err;

	/* The second has no memory in it yet. */
	group_up(_metadata, self, &m, 1);
	EXPECT_EQ(-EKEYREJECTED,
		  alink_group_bind(self->mem[1], GROUP, KEY + 1, 0, SIZE));
	EXPECT_EQ(-EINVAL, alink_group_bind(self->mem[1], GROUP, 0, 0, SIZE));
	EXPECT_EQ(0, alink_group_bind(self->mem[1], GROUP, KEY, 0, SIZE));
	EXPECT_EQ(-EEXIST, alink_group_bind(self->mem[1], GROUP, KEY, 0, SIZE));
	err = alink_group_map(self->xpu[0], GROUP, KEY + 1, SIZE, &bad);
	if (!err) {
		EXPECT_EQ(ALINK_ST_KEY,
			  copy(_metadata, self->xpu[0], alink_bo_va(bad),
			       alink_bo_va(self->mem[0]), 4096));
		alink_bo_free(bad);
	} else {
		EXPECT_EQ(-EKEYREJECTED, err);
	}
	group_down(_metadata, self, &m);
}

TEST_F(fabric, group_of_others)
{
	struct alink_group_info g = {
		.dev = ALINK_ALL, .id = GROUP, .key = KEY,
	};

	alink_set_add(&g.members, self->id[1]);
	ASSERT_EQ(0, alink_group_add(self->ctx, &g));
	EXPECT_EQ(-EACCES, alink_group_bind(self->mem[0], GROUP, KEY, 0, SIZE));
	EXPECT_EQ(0, alink_group_del(self->ctx, ALINK_ALL, GROUP));
}

TEST_HARNESS_MAIN
