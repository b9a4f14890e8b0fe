// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ordered pair of partitions, in both directions, with each kind of
 * access: only within one and the same partition does anything come through.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"

#define SIZE		(64UL << 10)
#define GROUP		201
#define KEY		0x1507a7edULL
#define WAIT_MS		20000

static const uint32_t partitions[] = { 0, 1, 2, 3, 1023 };

#define NUM	(sizeof(partitions) / sizeof(partitions[0]))

enum access { LOAD, STORE, ATOMIC, MULTICAST, REDUCE, PUSH, NUM_ACCESS };

static const char * const access_name[] = {
	"load", "store", "atomic", "multicast", "reduce", "push",
};

FIXTURE(part)
{
	struct alink_ctx *ctx;
	uint32_t id[2];
	struct alink_xpu *xpu[2];
	struct alink_bo *mem[2];
	uint8_t *map[2];
	struct alink_bo *remote[2];	/* the other's memory, as [i] sees it */
	struct alink_bo *group[2];
};

static void move(struct __test_metadata *_metadata, FIXTURE_DATA(part) *self,
		 int who, uint32_t partition)
{
	ASSERT_EQ(0, alink_partition_set(self->ctx, ALINK_ALL, self->id[who],
					 partition));
}

/*
 * Each gets at the memory of the other, and both are in the group. They are in
 * that partition meanwhile: what is exported belongs to it for ever.
 */
static void connect_in(struct __test_metadata *_metadata,
		       FIXTURE_DATA(part) *self, uint32_t partition)
{
	struct alink_group_info g = {
		.dev = ALINK_ALL, .id = GROUP, .key = KEY,
	};
	struct alink_handle h;
	int k;

	for (k = 0; k < 2; k++) {
		move(_metadata, self, k, partition);
		ASSERT_EQ(0, alink_bo_alloc(self->xpu[k], SIZE,
					    ALINK_PLACE_HBM_CPU,
					    &self->mem[k]));
		self->map[k] = alink_bo_map(self->mem[k]);
		ASSERT_NE(NULL, self->map[k]);
		alink_set_add(&g.members, self->id[k]);
	}
	ASSERT_EQ(0, alink_group_add(self->ctx, &g));
	for (k = 0; k < 2; k++) {
		ASSERT_EQ(0, alink_export(self->mem[!k], ALINK_SEG_READ |
					  ALINK_SEG_WRITE | ALINK_SEG_ATOMIC,
					  &h));
		ASSERT_EQ(0, alink_import(self->xpu[k], &h, &self->remote[k]));
		ASSERT_EQ(0, alink_group_bind(self->mem[k], GROUP, KEY, 0,
					      SIZE));
		ASSERT_EQ(0, alink_group_map(self->xpu[k], GROUP, KEY, SIZE,
					     &self->group[k]));
	}
}

static void disconnect(struct __test_metadata *_metadata,
		       FIXTURE_DATA(part) *self)
{
	int k;

	for (k = 0; k < 2; k++) {
		alink_bo_free(self->group[k]);
		alink_bo_free(self->remote[k]);
	}
	for (k = 0; k < 2; k++)
		alink_bo_free(self->mem[k]);
	EXPECT_EQ(0, alink_group_del(self->ctx, ALINK_ALL, GROUP));
}

FIXTURE_SETUP(part)
{
	struct alink_device_info *dev;
	size_t n, i;
	int k = 0;

	ASSERT_EQ(0, alink_new(&self->ctx));
	ASSERT_EQ(0, alink_devices(self->ctx, &dev, &n));
	for (i = 0; i < n && k < 2; i++)
		if (dev[i].type == ALINK_DEVTYPE_XPU)
			self->id[k++] = dev[i].fabric_id;
	free(dev);
	ASSERT_EQ(2, k);
	ASSERT_EQ(0, alink_fabric_up(self->ctx, 1));
	for (k = 0; k < 2; k++)
		ASSERT_EQ(0, alink_xpu_open(self->ctx, self->id[k],
					    &self->xpu[k]));
}

FIXTURE_TEARDOWN(part)
{
	int k;

	for (k = 0; k < 2; k++)
		alink_xpu_close(self->xpu[k]);
	EXPECT_EQ(0, alink_fabric_up(self->ctx, 1));
	alink_free(self->ctx);
}

static int run(struct __test_metadata *_metadata, struct alink_xpu *xpu,
	       const struct alink_xpu_desc *d)
{
	struct alink_queue_state state;
	struct alink_queue *q;
	uint64_t seq;

	ASSERT_EQ(0, alink_queue_open(xpu, 4, &q));
	ASSERT_EQ(0, alink_cmd(q, d, &seq));
	alink_queue_wait(q, seq, WAIT_MS);
	alink_queue_state(q, &state);
	alink_queue_close(q);
	return state.status;
}

/* The other's part of a push, which it takes two for; its own end does not matter. */
static struct alink_queue *join(struct __test_metadata *_metadata,
				FIXTURE_DATA(part) *self, int who,
				struct alink_xpu_desc d)
{
	struct alink_queue *q;
	uint64_t seq;

	d.dst = alink_bo_va(self->group[who]);
	d.src = alink_bo_va(self->mem[who]);
	ASSERT_EQ(0, alink_queue_open(self->xpu[who], 4, &q));
	ASSERT_EQ(0, alink_cmd(q, &d, &seq));
	alink_queue_kick(q);
	return q;
}

/* One access by @who. Its status; *moved tells if any byte came through. */
static int attempt(struct __test_metadata *_metadata, FIXTURE_DATA(part) *self,
		   int who, enum access access, bool *moved)
{
	static uint64_t epoch;	/* none that has ended is of use again */
	uint64_t mine = alink_bo_va(self->mem[who]);
	uint64_t far = alink_bo_va(self->remote[who]);
	uint64_t group = alink_bo_va(self->group[who]);
	struct alink_xpu_desc d[NUM_ACCESS] = {
		[LOAD] = { .opcode = ALINK_XPU_OP_COPY, .dst = mine,
			   .src = far, .len = SIZE },
		[STORE] = { .opcode = ALINK_XPU_OP_COPY, .dst = far,
			    .src = mine, .len = SIZE },
		[ATOMIC] = { .opcode = ALINK_XPU_OP_ATOMIC64,
			     .subop = ALINK_ATOMIC_ADD, .dst = far, .src = 1,
			     .len = mine },
		[MULTICAST] = { .opcode = ALINK_XPU_OP_COPY, .dst = group,
				.src = mine, .len = SIZE },
		[REDUCE] = { .opcode = ALINK_XPU_OP_REDUCE_READ, .dst = mine,
			     .src = group, .len = SIZE,
			     .dtype = ALINK_DT_INT32, .subop = ALINK_OP_SUM },
		[PUSH] = { .opcode = ALINK_XPU_OP_PUSH_REDUCE, .dst = group,
			   .src = mine, .len = SIZE, .dtype = ALINK_DT_INT32,
			   .subop = ALINK_OP_SUM,
			   .src2 = ALINK_XPU_PUSH(++epoch, WAIT_MS) },
	};
	uint8_t *here = self->map[who], *there = self->map[!who];
	struct alink_queue *other = NULL;
	size_t i;
	int st;

	memset(here, 0x11, SIZE);
	memset(there, 0x22, SIZE);
	if (access == PUSH)
		other = join(_metadata, self, !who, d[PUSH]);
	st = run(_metadata, self->xpu[who], &d[access]);
	alink_queue_close(other);
	*moved = false;
	for (i = 0; i < SIZE; i++)
		*moved |= here[i] != 0x11 || there[i] != 0x22;
	return st;
}

static void all_accesses(struct __test_metadata *_metadata,
			 FIXTURE_DATA(part) *self, bool may, unsigned int *tried)
{
	int st, access, who;
	bool moved;

	for (who = 0; who < 2; who++)
		for (access = 0; access < NUM_ACCESS; access++) {
			st = attempt(_metadata, self, who, access, &moved);
			EXPECT_EQ(moved, may);
			EXPECT_EQ(st, may ? ALINK_ST_OK : ALINK_ST_PARTITION) {
				TH_LOG("by %d: %s", who, access_name[access]);
			}
			(*tried)++;
		}
}

TEST_F(part, all_ordered_pairs)
{
	unsigned int a, b, tried = 0, passed = 0, before;
	bool may;

	for (a = 0; a < NUM; a++)
		for (b = 0; b < NUM; b++) {
			may = a == b && partitions[a];
			before = tried;
			connect_in(_metadata, self, partitions[b] ?:
				   partitions[a] ?: 1);
			move(_metadata, self, 0, partitions[a]);
			move(_metadata, self, 1, partitions[b]);
			all_accesses(_metadata, self, may, &tried);
			passed += may ? tried - before : 0;
			disconnect(_metadata, self);
		}
	TH_LOG("%u accesses, %u of them within a partition", tried, passed);
	EXPECT_EQ(tried, NUM * NUM * 2 * NUM_ACCESS);
	EXPECT_EQ(passed, (NUM - 1) * 2 * NUM_ACCESS);
}

/*
 * What was exported in one partition does not come along into another, not even
 * when both ends move there; it is there again when both are back.
 */
TEST_F(part, exports_stay_in_their_partition)
{
	unsigned int tried = 0;

	connect_in(_metadata, self, 1);
	all_accesses(_metadata, self, true, &tried);
	move(_metadata, self, 1, 0);
	all_accesses(_metadata, self, false, &tried);
	move(_metadata, self, 0, 2);
	move(_metadata, self, 1, 2);
	all_accesses(_metadata, self, false, &tried);
	move(_metadata, self, 0, 1);
	move(_metadata, self, 1, 1);
	all_accesses(_metadata, self, true, &tried);
	disconnect(_metadata, self);
}

struct writer {
	struct alink_xpu *xpu;
	uint64_t dst, src;
	volatile bool stop;
	uint64_t done;
	int err;
	struct alink_queue_state state;
};

static void *write_on(void *arg)
{
	struct writer *w = arg;
	struct alink_queue *q;
	uint64_t seq;

	w->err = alink_queue_open(w->xpu, 16, &q);
	while (!w->err && !w->stop) {
		w->err = alink_cmd_copy(q, w->dst, w->src, SIZE, &seq);
		if (!w->err)
			w->err = alink_queue_wait(q, seq, WAIT_MS);
		w->done += !w->err;
	}
	alink_queue_state(q, &w->state);
	alink_queue_close(q);
	return NULL;
}

/* When the call that moves an endpoint returns, not one more byte arrives. */
TEST_F(part, change_under_traffic)
{
	struct writer w = { .xpu = self->xpu[0] };
	pthread_t thread;
	size_t i, late = 0;

	connect_in(_metadata, self, 1);
	w.dst = alink_bo_va(self->remote[0]);
	w.src = alink_bo_va(self->mem[0]);
	memset(self->map[0], 0x33, SIZE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, write_on, &w));
	for (i = 0; i < 1000 && *(volatile uint64_t *)&w.done < 5; i++)
		usleep(10000);
	EXPECT_GE(*(volatile uint64_t *)&w.done, 5);
	move(_metadata, self, 1, 2);
	memset(self->map[1], 0x44, SIZE);
	usleep(300000);
	for (i = 0; i < SIZE; i++)
		late += self->map[1][i] != 0x44;
	w.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(late, 0);
	EXPECT_EQ(w.err, -EIO);
	EXPECT_EQ(w.state.status, ALINK_ST_PARTITION);
	disconnect(_metadata, self);
}

TEST_HARNESS_MAIN
