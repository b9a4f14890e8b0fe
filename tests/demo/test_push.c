// SPDX-License-Identifier: GPL-2.0-only
/*
 * All-reduce by reducing push: the same bits whoever is first and however it is
 * done; and what every rank learns when one is late, dies, leaves, or a switch is
 * reset in the middle, after which communicators that are opened anew work.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"

#define RANKS		4
#define COUNT		40000		/* several chunks, the last one short */
#define BYTES		(COUNT * 4)
#define WAIT_MS		120000
#define TESTS_S		280
#define LONG_MS		60000		/* longer than any test waits */
#define SOON_S		30		/* on a slow machine, but before that */
#define PARTITION	1

FIXTURE(push)
{
	struct alink_ctx *ctx;
	struct alink_xpu *xpu[RANKS];
	struct alink_comm *comm[RANKS];
	struct alink_bo *io[RANKS];
	uint8_t *map[RANKS];		/* data, then result */
	struct alink_group_info group;
	uint64_t seq[RANKS];
	uint16_t generation;
	bool grouped;
};

/* A finite number of either sign, of very different sizes: order matters. */
static uint32_t value(uint32_t rank, uint32_t i)
{
	uint32_t v = (i * RANKS + rank + 1) * 2654435761U;

	v ^= v >> 15;
	v *= 0x85ebca6b;
	return (v & 0x807fffff) | (120 + (v >> 23 & 15)) << 23;
}

static int open_rank(struct alink_xpu *xpu, const struct alink_group_info *g,
		     uint32_t rank, uint16_t generation, uint16_t ms,
		     struct alink_comm **comm)
{
	struct alink_comm_config cfg = {
		.rank = rank, .ranks = RANKS, .group = g->id,
		.group_key = g->key, .max_bytes = BYTES,
		.timeout_ms = ms, .generation = generation,
	};

	return alink_comm_open(xpu, &cfg, comm);
}

/* The first @n ranks, with communicators that no other test had */
static int up(FIXTURE_DATA(push) *self, uint32_t n, uint16_t ms)
{
	uint32_t i, k, v;
	int err = 0;

	self->generation++;
	for (i = 0; i < n && !err; i++) {
		err = alink_xpu_open(self->ctx, i, &self->xpu[i]);
		if (!err)
			err = open_rank(self->xpu[i], &self->group, i,
					self->generation, ms, &self->comm[i]);
		if (!err)
			err = alink_bo_alloc(self->xpu[i], 2 * BYTES,
					     ALINK_PLACE_HOST, &self->io[i]);
		if (err)
			break;
		self->map[i] = alink_bo_map(self->io[i]);
		if (!self->map[i])
			return -ENOMEM;
		for (k = 0; k < COUNT; k++) {
			v = value(i, k);
			memcpy(self->map[i] + 4 * k, &v, 4);
		}
	}
	return err;
}

static void down(FIXTURE_DATA(push) *self)
{
	uint32_t i;

	for (i = 0; i < RANKS; i++) {
		alink_bo_free(self->io[i]);
		alink_comm_close(self->comm[i]);
		self->io[i] = NULL;
		self->comm[i] = NULL;
	}
	for (i = 0; i < RANKS; i++) {
		alink_xpu_close(self->xpu[i]);
		self->xpu[i] = NULL;
	}
}

FIXTURE_SETUP(push)
{
	struct alink_set members = {};
	uint32_t i;

	ASSERT_EQ(0, alink_new(&self->ctx));
	ASSERT_EQ(0, alink_fabric_up(self->ctx, PARTITION));
	for (i = 0; i < RANKS; i++)
		alink_set_add(&members, i);
	ASSERT_EQ(0, alink_group_make(self->ctx, &members, &self->group.id,
				      &self->group.key));
	self->group.members = members;
	self->grouped = true;
}

FIXTURE_TEARDOWN(push)
{
	down(self);
	if (self->grouped)
		EXPECT_EQ(0, alink_group_del(self->ctx, ALINK_ALL,
					     self->group.id));
	alink_free(self->ctx);
}

static int start(FIXTURE_DATA(push) *self, uint32_t rank, enum alink_algo algo)
{
	uint64_t va = alink_bo_va(self->io[rank]);

	return alink_allreduce(self->comm[rank], algo, va + BYTES, va, COUNT,
			       ALINK_DT_FP32, ALINK_OP_SUM, &self->seq[rank]);
}

/* What the rank's queue says of a collective that failed, or OK */
static uint32_t ended(FIXTURE_DATA(push) *self, uint32_t rank)
{
	struct alink_queue_state s;
	int err = alink_comm_wait(self->comm[rank], self->seq[rank], WAIT_MS);

	alink_queue_state(alink_comm_queue(self->comm[rank]), &s);
	if (err == (s.status == ALINK_ST_OK ? 0 : -EIO))
		return s.status;
	fprintf(stderr, "# rank %u: %d, status %u: %s\n", rank, err, s.status,
		alink_error(self->ctx));
	return ~0U;
}

/* One all-reduce of all; @first starts first. Results are at map + BYTES. */
static int run(FIXTURE_DATA(push) *self, enum alink_algo algo, uint32_t first,
	       useconds_t apart)
{
	uint32_t i, rank;
	int err;

	for (i = 0; i < RANKS; i++) {
		rank = (first + 3 * i) % RANKS;
		memset(self->map[rank] + BYTES, 0xa5, BYTES);
		err = start(self, rank, algo);
		if (err)
			return err;
		usleep(apart);
	}
	for (i = 0; i < RANKS; i++)
		if (ended(self, i) != ALINK_ST_OK)
			return -EIO;
	return 0;
}

static time_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* The group can be used, with the right result. */
static int works(FIXTURE_DATA(push) *self)
{
	uint32_t i, r, got;
	float sum, v;
	int err;

	err = up(self, RANKS, LONG_MS);
	if (!err)
		err = run(self, ALINK_ALGO_PUSH, 0, 0);
	for (i = 0; i < COUNT && !err; i += 97) {
		for (sum = 0, r = 0; r < RANKS; r++) {
			got = value(r, i);
			memcpy(&v, &got, 4);
			sum = r ? sum + v : v;
		}
		for (r = 0; r < RANKS; r++)
			if (memcmp(self->map[r] + BYTES + 4 * i, &sum, 4))
				err = -EILSEQ;
	}
	down(self);
	return err;
}

TEST_F_TIMEOUT(push, same_bits_in_any_way, TESTS_S)
{
	uint8_t *want = malloc(BYTES);
	uint32_t first, i;

	ASSERT_NE(NULL, want);
	ASSERT_EQ(0, up(self, RANKS, 0));
	ASSERT_EQ(0, run(self, ALINK_ALGO_SWITCH, 0, 0));
	memcpy(want, self->map[2] + BYTES, BYTES);
	for (first = 0; first < RANKS; first++) {
		ASSERT_EQ(0, run(self, ALINK_ALGO_PUSH, first, 5000)) {
			TH_LOG("%s", alink_error(self->ctx));
		}
		for (i = 0; i < RANKS; i++)
			EXPECT_EQ(0, memcmp(self->map[i] + BYTES, want,
					    BYTES)) {
				TH_LOG("rank %u, rank %u first", i, first);
			}
	}
	ASSERT_EQ(0, run(self, ALINK_ALGO_AUTO, 1, 0));
	for (i = 0; i < RANKS; i++)
		EXPECT_EQ(0, memcmp(self->map[i] + BYTES, want, BYTES));
	/* Many, one right after the other */
	for (first = 0; first < 20; first++)
		for (i = 0; i < RANKS; i++)
			ASSERT_EQ(0, start(self, (i + first) % RANKS,
					   ALINK_ALGO_PUSH));
	for (i = 0; i < RANKS; i++) {
		EXPECT_EQ(ALINK_ST_OK, ended(self, i));
		EXPECT_EQ(0, memcmp(self->map[i] + BYTES, want, BYTES));
	}
	free(want);
}

TEST_F_TIMEOUT(push, a_rank_is_late, TESTS_S)
{
	time_t from = now_s();
	uint32_t i;

	ASSERT_EQ(0, up(self, RANKS, 300));
	for (i = 0; i < RANKS - 1; i++)
		ASSERT_EQ(0, start(self, i, ALINK_ALGO_PUSH));
	for (i = 0; i < RANKS - 1; i++)
		EXPECT_EQ(ALINK_ST_TIMEOUT, ended(self, i));
	EXPECT_LT(now_s() - from, SOON_S);
	/* It waits for nobody then, with the others' data neither. */
	ASSERT_EQ(0, start(self, RANKS - 1, ALINK_ALGO_PUSH));
	EXPECT_EQ(ALINK_ST_EPOCH, ended(self, RANKS - 1));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "epoch"));
	down(self);
	EXPECT_EQ(0, works(self));
}

/* What a ring needs beside the group */
static int connect_all(FIXTURE_DATA(push) *self, uint32_t n)
{
	struct alink_handle h;
	uint32_t i, k;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		err = alink_comm_handle(self->comm[i], &h);
		for (k = 0; k < n && !err; k++)
			if (k != i)
				err = alink_comm_connect(self->comm[k], i, &h);
	}
	return err;
}

/* So it is if ranks wait for each other by themselves: nobody waits for ever. */
TEST_F_TIMEOUT(push, a_rank_is_late_without_pushes, TESTS_S)
{
	static const enum alink_algo algos[] = {
		ALINK_ALGO_SWITCH, ALINK_ALGO_RING,
	};
	uint32_t a, i;
	time_t from;

	for (a = 0; a < 2; a++) {
		from = now_s();
		ASSERT_EQ(0, up(self, RANKS, 300));
		ASSERT_EQ(0, connect_all(self, RANKS)) {
			TH_LOG("%s", alink_error(self->ctx));
		}
		for (i = 0; i < RANKS - 1; i++)
			ASSERT_EQ(0, start(self, i, algos[a]));
		for (i = 0; i < RANKS - 1; i++)
			EXPECT_EQ(ALINK_ST_TIMEOUT, ended(self, i)) {
				TH_LOG("algorithm %d", algos[a]);
			}
		/* It misses what they would have done since. */
		ASSERT_EQ(0, start(self, RANKS - 1, algos[a]));
		EXPECT_EQ(ALINK_ST_TIMEOUT, ended(self, RANKS - 1)) {
			TH_LOG("algorithm %d", algos[a]);
		}
		EXPECT_LT(now_s() - from, SOON_S);
		down(self);
		EXPECT_EQ(0, works(self));
	}
}

/* The last rank, in a process of its own: sends its part, and stays. */
static void be_a_rank(const struct alink_group_info *g, uint16_t generation,
		      int go, int done)
{
	struct alink_comm *comm;
	struct alink_xpu *xpu;
	struct alink_ctx *ctx;
	struct alink_bo *io;
	uint64_t seq;
	char c = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (alink_new(&ctx) || alink_xpu_open(ctx, RANKS - 1, &xpu) ||
	    open_rank(xpu, g, RANKS - 1, generation, LONG_MS, &comm) ||
	    alink_bo_alloc(xpu, BYTES, ALINK_PLACE_HBM, &io) ||
	    write(done, &c, 1) != 1 || read(go, &c, 1) != 1 ||
	    alink_allreduce(comm, ALINK_ALGO_PUSH, alink_bo_va(io),
			    alink_bo_va(io), COUNT, ALINK_DT_FP32,
			    ALINK_OP_SUM, &seq) ||
	    write(done, &c, 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(push, a_rank_dies, TESTS_S)
{
	int go[2], done[2], status;
	uint32_t i, st;
	time_t from;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(done));
	/* Before there is anything of this process that it would keep */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		be_a_rank(&self->group, self->generation + 1, go[0], done[1]);
	close(done[1]);
	ASSERT_EQ(1, read(done[0], &c, 1));
	ASSERT_EQ(0, up(self, RANKS - 1, LONG_MS));
	ASSERT_EQ(1, write(go[1], &c, 1));
	ASSERT_EQ(1, read(done[0], &c, 1));
	for (i = 0; i < RANKS - 2; i++)
		ASSERT_EQ(0, start(self, i, ALINK_ALGO_PUSH));
	usleep(200000);
	for (i = 0; i < RANKS - 2; i++)
		EXPECT_FALSE(alink_queue_done(alink_comm_queue(self->comm[i]),
					      self->seq[i]));
	from = now_s();
	ASSERT_EQ(0, kill(pid, SIGKILL));
	for (i = 0; i < RANKS - 2; i++) {
		/* As its queue, or its memory in the group, is gone first */
		st = ended(self, i);
		EXPECT_TRUE(st == ALINK_ST_ABORTED || st == ALINK_ST_GROUP) {
			TH_LOG("rank %u: status %u", i, st);
		}
	}
	EXPECT_LT(now_s() - from, SOON_S);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	/* Who has nobody to wait for does not begin to. */
	ASSERT_EQ(0, start(self, RANKS - 2, ALINK_ALGO_PUSH));
	EXPECT_EQ(ALINK_ST_GROUP, ended(self, RANKS - 2));
	down(self);
	EXPECT_EQ(0, works(self));
	close(go[0]);
	close(go[1]);
	close(done[0]);
}

TEST_F_TIMEOUT(push, a_rank_leaves_the_partition, TESTS_S)
{
	time_t from;
	uint32_t i;

	ASSERT_EQ(0, up(self, RANKS, LONG_MS));
	for (i = 0; i < RANKS - 1; i++)
		ASSERT_EQ(0, start(self, i, ALINK_ALGO_PUSH));
	from = now_s();
	ASSERT_EQ(0, alink_partition_set(self->ctx, ALINK_ALL, RANKS - 1,
					 PARTITION + 1));
	for (i = 0; i < RANKS - 1; i++)
		EXPECT_EQ(ALINK_ST_PARTITION, ended(self, i));
	EXPECT_LT(now_s() - from, SOON_S);
	ASSERT_EQ(0, start(self, RANKS - 1, ALINK_ALGO_PUSH));
	EXPECT_EQ(ALINK_ST_PARTITION, ended(self, RANKS - 1));
	down(self);
	ASSERT_EQ(0, alink_partition_set(self->ctx, ALINK_ALL, RANKS - 1,
					 PARTITION));
	EXPECT_EQ(0, works(self));
}

/* The switch of plane 1 */
static int a_switch(struct alink_ctx *ctx, struct alink_device_info *sw)
{
	struct alink_device_info *list;
	int err = -ENOENT;
	size_t i, n;

	if (alink_devices(ctx, &list, &n))
		return err;
	for (i = 0; i < n; i++)
		if (list[i].type == ALINK_DEVTYPE_SWITCH &&
		    list[i].fabric_id == 1) {
			*sw = list[i];
			err = 0;
		}
	free(list);
	return err;
}

static int reset(const struct alink_device_info *d)
{
	char path[96];
	int fd, ret;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/reset", d->pci);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	ret = write(fd, "1", 1) == 1 ? 0 : -errno;
	close(fd);
	return ret;
}

/* Reductions that the group has had from that switch */
static uint64_t served(FIXTURE_DATA(push) *self, uint32_t dev)
{
	struct alink_group_info *list;
	uint64_t sum = ~0ULL;
	size_t i, n;

	if (alink_groups(self->ctx, dev, &list, &n))
		return sum;
	for (i = 0; i < n; i++)
		if (list[i].id == self->group.id)
			sum = list[i].reductions;
	free(list);
	return sum;
}

TEST_F_TIMEOUT(push, a_switch_is_reset, TESTS_S)
{
	struct alink_device_info sw;
	time_t from;
	uint32_t i;

	ASSERT_EQ(0, a_switch(self->ctx, &sw));
	ASSERT_EQ(0, works(self));
	EXPECT_LT(0, served(self, sw.index));
	ASSERT_EQ(0, up(self, RANKS, LONG_MS));
	for (i = 0; i < RANKS - 1; i++)
		ASSERT_EQ(0, start(self, i, ALINK_ALGO_PUSH));
	from = now_s();
	ASSERT_EQ(0, reset(&sw));
	for (i = 0; i < RANKS - 1; i++)
		EXPECT_EQ(ALINK_ST_ABORTED, ended(self, i));
	EXPECT_LT(now_s() - from, SOON_S);
	ASSERT_EQ(0, start(self, RANKS - 1, ALINK_ALGO_PUSH));
	EXPECT_EQ(ALINK_ST_EPOCH, ended(self, RANKS - 1));
	down(self);
	/* By the other planes at once; and by all when it has its tables. */
	EXPECT_EQ(0, works(self));
	ASSERT_EQ(0, alink_fabric_up(self->ctx, PARTITION));
	self->group.dev = sw.index;
	ASSERT_EQ(0, alink_group_add(self->ctx, &self->group)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	EXPECT_EQ(0, served(self, sw.index));
	EXPECT_EQ(0, works(self));
	EXPECT_LT(0, served(self, sw.index));
}

TEST_F_TIMEOUT(push, refusals, TESTS_S)
{
	struct alink_comm_config cfg = {
		.rank = 0, .ranks = RANKS, .max_bytes = BYTES,
	};
	struct alink_comm *c;
	struct alink_queue *q;
	uint64_t seq, va;

	ASSERT_EQ(0, up(self, RANKS, 0));
	c = self->comm[0];
	va = alink_comm_data(c);
	EXPECT_EQ(-EINVAL, alink_barrier(c, ALINK_ALGO_PUSH, &seq));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "all-reduce only"));
	EXPECT_EQ(-EINVAL, alink_reduce(c, ALINK_ALGO_PUSH, 0, va, va, 1,
					ALINK_DT_INT32, ALINK_OP_SUM, &seq));
	EXPECT_EQ(-EOPNOTSUPP,
		  alink_allreduce(c, ALINK_ALGO_PUSH, va, va, 1,
				  ALINK_DT_UINT8, ALINK_OP_SUM, &seq));
	q = alink_comm_queue(c);
	EXPECT_EQ(-EINVAL,
		  alink_cmd_push_reduce(q, va, va, 4, ALINK_DT_INT32,
					ALINK_OP_SUM, 1ULL << 48, 0, &seq));
	EXPECT_EQ(-EINVAL,
		  alink_cmd_push_reduce(q, va, va, 4, ALINK_DT_INT32,
					ALINK_OP_SUM, 0, 65536, &seq));
	/* Without a group: a ring, if there is one. */
	ASSERT_EQ(0, alink_comm_open(self->xpu[0], &cfg, &c));
	EXPECT_EQ(-ENOTCONN,
		  alink_allreduce(c, ALINK_ALGO_PUSH, va, va, 1,
				  ALINK_DT_INT32, ALINK_OP_SUM, &seq));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "without a group"));
	EXPECT_EQ(-ENOTCONN, alink_barrier(c, ALINK_ALGO_AUTO, &seq));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "rank 1"));
	alink_comm_close(c);
	/* None of this has harmed the others. */
	EXPECT_EQ(0, run(self, ALINK_ALGO_PUSH, 0, 0));
}

TEST_HARNESS_MAIN
