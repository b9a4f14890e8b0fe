// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collectives of libalink, one right after the other. That each by itself has
 * the right result is shown by alink-bench (test_collective_sizes.py); here
 * nobody waits between them, algorithms change, and ranks begin at very
 * different times: no rank may overtake another one's memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"

#define RANKS		8
#define COUNT		1000		/* of a block; no power of two */
#define BLOCK		(COUNT * 4)
#define WAIT_MS		240000
#define TESTS_S		280
#define PARTITION	1

enum kind { ALLREDUCE, REDUCE, SCATTER, BROADCAST, GATHER, ALLTOALL, KINDS };

/* Each kind is followed by each other one, and each algorithm by each. */
static const struct {
	enum kind kind;
	enum alink_algo algo;
	uint32_t root;
} steps[] = {
	{ ALLREDUCE, ALINK_ALGO_SWITCH, 0 }, { ALLREDUCE, ALINK_ALGO_RING, 0 },
	{ BROADCAST, ALINK_ALGO_RING, 5 }, { BROADCAST, ALINK_ALGO_SWITCH, 1 },
	{ REDUCE, ALINK_ALGO_RING, 2 }, { SCATTER, ALINK_ALGO_SWITCH, 0 },
	{ ALLTOALL, ALINK_ALGO_RING, 0 }, { GATHER, ALINK_ALGO_RING, 0 },
	{ REDUCE, ALINK_ALGO_SWITCH, 7 }, { GATHER, ALINK_ALGO_SWITCH, 0 },
	{ SCATTER, ALINK_ALGO_RING, 0 }, { ALLREDUCE, ALINK_ALGO_SWITCH, 0 },
};

#define STEPS	(sizeof(steps) / sizeof(steps[0]))

FIXTURE(collective)
{
	struct alink_ctx *ctx;
	struct alink_xpu *xpu[RANKS];
	struct alink_comm *comm[RANKS];
	struct alink_bo *io[RANKS];
	uint32_t *map[RANKS];
	uint32_t group;
	bool grouped;
};

/* All blocks of a step; no multiple of a packet, so that each begins elsewhere */
#define ROOM		(RANKS * BLOCK + 68)

/* Where a step has its data and its results */
static uint64_t src_at(unsigned int step)
{
	return 2ULL * step * ROOM + 4;
}

static uint64_t dst_at(unsigned int step)
{
	return src_at(step) + ROOM;
}

static uint32_t value(unsigned int step, uint32_t rank, uint32_t i)
{
	return (step * 31 + rank * 7 + 1) * 0x9e3779b9 + i * 0x85ebca6b;
}

FIXTURE_SETUP(collective)
{
	const uint64_t room = RANKS * BLOCK, io = dst_at(STEPS);
	struct alink_set members = {};
	struct alink_handle h;
	uint32_t i, k, w;
	uint64_t key;

	ASSERT_EQ(0, alink_new(&self->ctx));
	ASSERT_EQ(0, alink_fabric_up(self->ctx, PARTITION));
	for (i = 0; i < RANKS; i++)
		alink_set_add(&members, i);
	ASSERT_EQ(0, alink_group_make(self->ctx, &members, &self->group, &key));
	self->grouped = true;
	for (i = 0; i < RANKS; i++) {
		struct alink_comm_config cfg = {
			.rank = i, .ranks = RANKS, .group = self->group,
			.group_key = key, .max_bytes = room,
		};

		ASSERT_EQ(0, alink_xpu_open(self->ctx, i, &self->xpu[i]));
		ASSERT_EQ(0, alink_comm_open(self->xpu[i], &cfg,
					     &self->comm[i]));
		ASSERT_EQ(0, alink_bo_alloc(self->xpu[i], io, ALINK_PLACE_HOST,
					    &self->io[i]));
		self->map[i] = alink_bo_map(self->io[i]);
		ASSERT_NE(NULL, self->map[i]);
		memset(self->map[i], 0xa5, io);
		for (k = 0; k < STEPS; k++)
			for (w = 0; w < RANKS * COUNT; w++)
				self->map[i][src_at(k) / 4 + w] =
					value(k, i, w);
	}
	for (i = 0; i < RANKS; i++) {
		ASSERT_EQ(0, alink_comm_handle(self->comm[i], &h));
		for (k = 0; k < RANKS; k++)
			if (k != i)
				ASSERT_EQ(0, alink_comm_connect(self->comm[k],
								i, &h));
	}
}

FIXTURE_TEARDOWN(collective)
{
	uint32_t i;

	for (i = 0; i < RANKS; i++) {
		alink_bo_free(self->io[i]);
		alink_comm_close(self->comm[i]);
	}
	for (i = 0; i < RANKS; i++)
		if (self->xpu[i])
			alink_xpu_close(self->xpu[i]);
	if (self->grouped)
		alink_group_del(self->ctx, ALINK_ALL, self->group);
	alink_free(self->ctx);
}

static int start(FIXTURE_DATA(collective) *self, uint32_t rank,
		 unsigned int step, uint64_t *seq)
{
	uint64_t src = alink_bo_va(self->io[rank]) + src_at(step);
	uint64_t dst = alink_bo_va(self->io[rank]) + dst_at(step);
	enum alink_algo algo = steps[step].algo;
	struct alink_comm *c = self->comm[rank];
	uint32_t root = steps[step].root;

	switch (steps[step].kind) {
	case ALLREDUCE:
		return alink_allreduce(c, algo, dst, src, COUNT,
				       ALINK_DT_INT32, ALINK_OP_SUM, seq);
	case REDUCE:
		return alink_reduce(c, algo, root, dst, src, COUNT,
				    ALINK_DT_INT32, ALINK_OP_SUM, seq);
	case SCATTER:
		return alink_reduce_scatter(c, algo, dst, src, COUNT,
					    ALINK_DT_INT32, ALINK_OP_SUM, seq);
	case BROADCAST:
		return alink_broadcast(c, algo, root, dst, src, COUNT,
				       ALINK_DT_INT32, seq);
	case GATHER:
		return alink_allgather(c, algo, dst, src, COUNT,
				       ALINK_DT_INT32, seq);
	default:
		return alink_alltoall(c, dst, src, COUNT, ALINK_DT_INT32, seq);
	}
}

static uint32_t sum(unsigned int step, uint32_t i)
{
	uint32_t r, all = 0;

	for (r = 0; r < RANKS; r++)
		all += value(step, r, i);
	return all;
}

/* What must be at place @i of a rank's result; false: it has none there */
static bool wanted(unsigned int step, uint32_t rank, uint32_t i, uint32_t *v)
{
	uint32_t block = i / COUNT, at = i % COUNT;

	switch (steps[step].kind) {
	case ALLREDUCE:
		*v = sum(step, i);
		return !block;
	case REDUCE:
		*v = sum(step, i);
		return !block && rank == steps[step].root;
	case SCATTER:
		*v = sum(step, rank * COUNT + i);
		return !block;
	case BROADCAST:
		*v = value(step, steps[step].root, i);
		return !block;
	case GATHER:
		*v = value(step, block, at);
		return true;
	default:
		*v = value(step, block, rank * COUNT + at);
		return true;
	}
}

/* Places of a step's results that are not what they must be, over all ranks */
static unsigned int wrong(FIXTURE_DATA(collective) *self, unsigned int step)
{
	uint32_t rank, i, want, got;
	unsigned int bad = 0;

	for (rank = 0; rank < RANKS; rank++)
		for (i = 0; i < RANKS * COUNT; i++) {
			got = self->map[rank][dst_at(step) / 4 + i];
			if (!wanted(step, rank, i, &want))
				want = 0xa5a5a5a5;
			bad += got != want;
		}
	return bad;
}

TEST_F_TIMEOUT(collective, one_right_after_the_other, TESTS_S)
{
	uint64_t seq[RANKS];
	unsigned int step;
	uint32_t i, rank;

	/* The first to begin has done all that it can when the last one comes. */
	for (i = 0; i < RANKS; i++) {
		rank = (3 * i + 5) % RANKS;
		for (step = 0; step < STEPS; step++)
			ASSERT_EQ(0, start(self, rank, step, &seq[rank])) {
				TH_LOG("rank %u, step %u: %s", rank, step,
				       alink_error(self->ctx));
			}
		usleep(20000);
	}
	for (i = 0; i < RANKS; i++)
		ASSERT_EQ(0, alink_comm_wait(self->comm[i], seq[i], WAIT_MS)) {
			TH_LOG("rank %u: %s", i, alink_error(self->ctx));
		}
	for (step = 0; step < STEPS; step++)
		EXPECT_EQ(0, wrong(self, step)) {
			TH_LOG("step %u", step);
		}
}

/* Elements of a byte, in no place that fits to anything */
TEST_F_TIMEOUT(collective, bytes_begin_anywhere, TESTS_S)
{
	const enum alink_algo algos[] = {
		ALINK_ALGO_SWITCH, ALINK_ALGO_RING, ALINK_ALGO_PUSH,
	};
	const uint8_t one = 0x38, eight = 0x50;	/* of FP8 E4M3 */
	const size_t from = 1, to = 2 * COUNT + 3;
	unsigned int a, bad;
	uint64_t seq[RANKS];
	uint32_t rank, i;
	uint8_t *bytes;

	for (a = 0; a < sizeof(algos) / sizeof(algos[0]); a++) {
		for (rank = 0; rank < RANKS; rank++) {
			uint64_t va = alink_bo_va(self->io[rank]);

			bytes = (uint8_t *)self->map[rank];
			memset(bytes, 0xa5, 4 * COUNT);
			memset(bytes + from, one, COUNT);
			ASSERT_EQ(0, alink_allreduce(self->comm[rank], algos[a],
						     va + to, va + from, COUNT,
						     ALINK_DT_FP8_E4M3,
						     ALINK_OP_SUM, &seq[rank])) {
				TH_LOG("%s", alink_error(self->ctx));
			}
		}
		for (rank = 0; rank < RANKS; rank++)
			ASSERT_EQ(0, alink_comm_wait(self->comm[rank], seq[rank],
						     WAIT_MS)) {
				TH_LOG("rank %u: %s", rank,
				       alink_error(self->ctx));
			}
		for (rank = 0, bad = 0; rank < RANKS; rank++) {
			bytes = (uint8_t *)self->map[rank];
			for (i = 0; i < COUNT; i++)
				bad += bytes[to + i] != eight ||
				       bytes[from + i] != one;
			bad += bytes[to - 1] != 0xa5;
			bad += bytes[to + COUNT] != 0xa5;
		}
		EXPECT_EQ(0, bad) {
			TH_LOG("algorithm %d", algos[a]);
		}
	}
}

/* What one rank began is finished by the others, not more and not less. */
TEST_F_TIMEOUT(collective, a_full_queue_refuses_a_whole_one, TESTS_S)
{
	uint64_t seq[RANKS];
	unsigned int i, n = 0;
	uint32_t rank;
	int err;

	while (!(err = start(self, 0, 0, &seq[0])))
		n++;
	EXPECT_EQ(-EAGAIN, err);
	EXPECT_LT(1, n);
	for (rank = 1; rank < RANKS; rank++)
		for (i = 0; i < n; i++)
			ASSERT_EQ(0, start(self, rank, 0, &seq[rank]));
	for (rank = 0; rank < RANKS; rank++)
		ASSERT_EQ(0, alink_comm_wait(self->comm[rank], seq[rank],
					     WAIT_MS));
	EXPECT_EQ(0, wrong(self, 0));
	for (rank = 0; rank < RANKS; rank++)
		ASSERT_EQ(0, start(self, rank, 6, &seq[rank]));
	for (rank = 0; rank < RANKS; rank++)
		ASSERT_EQ(0, alink_comm_wait(self->comm[rank], seq[rank],
					     WAIT_MS));
	EXPECT_EQ(0, wrong(self, 6));
}

/* A rank apart, without a group and without others */
TEST_F_TIMEOUT(collective, refusals, TESTS_S)
{
	struct alink_comm_config cfg = {
		.rank = 0, .ranks = 3, .max_bytes = 4096,
	};
	struct alink_handle h;
	struct alink_comm *c;
	uint64_t seq, va;

	ASSERT_EQ(0, alink_comm_open(self->xpu[0], &cfg, &c));
	va = alink_comm_data(c);
	EXPECT_EQ(-ENOTCONN, alink_barrier(c, ALINK_ALGO_SWITCH, &seq));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "without a group"));
	EXPECT_EQ(-ENOTCONN, alink_barrier(c, ALINK_ALGO_RING, &seq));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "rank 1"));
	EXPECT_EQ(-ENOTCONN, alink_alltoall(c, va, va, 1, ALINK_DT_UINT8,
					    &seq));
	EXPECT_EQ(-EINVAL, alink_barrier(c, 7, &seq));
	ASSERT_EQ(0, alink_comm_handle(self->comm[1], &h));
	EXPECT_EQ(-EINVAL, alink_comm_connect(c, 1, &h));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "other sizes"));
	EXPECT_EQ(-EINVAL, alink_comm_connect(c, 0, &h));
	EXPECT_EQ(-EINVAL, alink_comm_connect(c, 3, &h));
	EXPECT_EQ(-EISCONN, alink_comm_connect(self->comm[0], 1, &h));
	alink_comm_close(c);

	c = self->comm[0];
	va = alink_comm_data(c);
	EXPECT_EQ(-EINVAL, alink_broadcast(c, ALINK_ALGO_RING, RANKS, va, va, 1,
					   ALINK_DT_FP32, &seq));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "root 8"));
	EXPECT_EQ(-EOPNOTSUPP,
		  alink_allreduce(c, ALINK_ALGO_RING, va, va, 1,
				  ALINK_DT_UINT8, ALINK_OP_SUM, &seq));
	EXPECT_EQ(-EINVAL,
		  alink_allgather(c, ALINK_ALGO_RING, va, va, 1,
				  ALINK_DT_MXFP4, &seq));
	EXPECT_EQ(-EMSGSIZE,
		  alink_allgather(c, ALINK_ALGO_SWITCH, va, va, 1U << 20,
				  ALINK_DT_INT32, &seq));
	EXPECT_EQ(-EMSGSIZE,
		  alink_allreduce(c, ALINK_ALGO_SWITCH, va, va, 0,
				  ALINK_DT_INT32, ALINK_OP_MAX, &seq));
	EXPECT_EQ(-EMSGSIZE,
		  alink_allreduce(c, ALINK_ALGO_SWITCH, va, va, ~0ULL,
				  ALINK_DT_INT32, ALINK_OP_MAX, &seq));
}

TEST_HARNESS_MAIN
