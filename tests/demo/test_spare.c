// SPDX-License-Identifier: GPL-2.0-only
/*
 * A spare plane: idle while all others work, with its full share when one of them
 * is dead, and idle again; while all-reduces run, none of which fails, and nobody
 * writes a table. What links carried is what they counted.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <alink.h>

#include "kselftest_harness.h"

#define RANKS		8
#define PLANES		8
#define SPARE		7
#define DIES		2		/* this plane */
#define BLOCKS		(PLANES - 1)	/* a multiple: shares are equal */
#define COUNT		(BLOCKS * RANKS * 256 / 4 * 2)
#define BYTES		(COUNT * 4)
#define WAIT_MS		240000
#define TESTS_S		280
#define PARTITION	1
#define FLIPS		3
#define STR(x)		#x
#define XSTR(x)		STR(x)

FIXTURE(spare)
{
	struct alink_ctx *ctx;
	struct alink_xpu *xpu[RANKS];
	struct alink_comm *comm[RANKS];
	struct alink_bo *io[RANKS];
	uint32_t *map[RANKS];		/* data, then result */
	struct alink_group_info group;
	bool grouped;
	uint32_t round;
};

/* By rank and link: what one window has added */
struct counts {
	uint64_t tx[RANKS][PLANES];
	uint64_t busy[RANKS][PLANES];
};

static int write_routes(struct alink_ctx *ctx, const struct alink_device_info *dev,
			size_t n)
{
	struct alink_route_info r = { .min_ports = PLANES - 1 };
	size_t i;
	int err;

	for (i = 0; i < PLANES; i++)
		alink_set_add(i == SPARE ? &r.spares : &r.ports, (uint32_t)i);
	for (i = 0; i < n; i++) {
		if (dev[i].type != ALINK_DEVTYPE_XPU)
			continue;
		if (!(dev[i].caps & ALINK_CAP_SPARES))
			return -EOPNOTSUPP;
		r.dev = dev[i].index;
		for (r.dst = 0; r.dst < RANKS; r.dst++) {
			err = r.dst == dev[i].fabric_id ? 0 :
			      alink_route_add(ctx, &r);
			if (err)
				return err;
		}
	}
	return 0;
}

/* Tables of all, with the spare */
static int write_tables(struct alink_ctx *ctx)
{
	struct alink_device_info *dev;
	size_t n;
	int err;

	err = alink_fabric_up(ctx, PARTITION);
	if (!err)
		err = alink_devices(ctx, &dev, &n);
	if (err)
		return err;
	err = write_routes(ctx, dev, n);
	free(dev);
	return err;
}

FIXTURE_SETUP(spare)
{
	struct alink_group_info *g = &self->group;
	struct alink_handle h;
	uint32_t i, k;

	ASSERT_EQ(0, alink_new(&self->ctx));
	ASSERT_EQ(0, write_tables(self->ctx)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	for (i = 0; i < RANKS; i++)
		alink_set_add(&g->members, i);
	ASSERT_EQ(0, alink_group_make(self->ctx, &g->members, &g->id,
				      &g->key));
	self->grouped = true;
	for (i = 0; i < RANKS; i++) {
		struct alink_comm_config cfg = {
			.rank = i, .ranks = RANKS, .group = g->id,
			.group_key = g->key, .max_bytes = BYTES,
		};

		ASSERT_EQ(0, alink_xpu_open(self->ctx, i, &self->xpu[i]));
		ASSERT_EQ(0, alink_comm_open(self->xpu[i], &cfg,
					     &self->comm[i]));
		ASSERT_EQ(0, alink_bo_alloc(self->xpu[i], 2 * BYTES,
					    ALINK_PLACE_HOST, &self->io[i]));
		self->map[i] = alink_bo_map(self->io[i]);
		ASSERT_NE(NULL, self->map[i]);
	}
	for (i = 0; i < RANKS; i++) {
		ASSERT_EQ(0, alink_comm_handle(self->comm[i], &h));
		for (k = 0; k < RANKS; k++)
			if (k != i)
				ASSERT_EQ(0, alink_comm_connect(self->comm[k],
								i, &h));
	}
}

/* Both ways of @plane; from another thread too */
static int plane_to(unsigned int plane, const char *how)
{
	char command[64];
	uint32_t port;

	for (port = 0; port < RANKS; port++) {
		snprintf(command, sizeof(command), "ip link set sw%up%u %s",
			 plane, port, how);
		if (system(command))
			return -1;
	}
	return 0;
}

FIXTURE_TEARDOWN(spare)
{
	uint32_t i;

	plane_to(DIES, "up");
	for (i = 0; i < RANKS; i++) {
		alink_bo_free(self->io[i]);
		alink_comm_close(self->comm[i]);
	}
	for (i = 0; i < RANKS; i++)
		if (self->xpu[i])
			alink_xpu_close(self->xpu[i]);
	if (self->grouped)
		alink_group_del(self->ctx, ALINK_ALL, self->group.id);
	alink_fabric_up(self->ctx, PARTITION);
	alink_free(self->ctx);
}

/* One all-reduce of all, whose result is looked at */
static int run(FIXTURE_DATA(spare) *self, enum alink_algo algo)
{
	uint32_t i, k, want, round = ++self->round;
	uint64_t seq[RANKS], va;
	int err;

	for (i = 0; i < RANKS; i++)
		for (k = 0; k < COUNT; k++)
			self->map[i][k] = round * 0x9e3779b9 + i * 77 + k;
	for (i = 0; i < RANKS; i++) {
		va = alink_bo_va(self->io[i]);
		err = alink_allreduce(self->comm[i], algo, va + BYTES, va,
				      COUNT, ALINK_DT_INT32, ALINK_OP_SUM,
				      &seq[i]);
		if (err)
			return err;
	}
	for (i = 0; i < RANKS; i++) {
		err = alink_comm_wait(self->comm[i], seq[i], WAIT_MS);
		if (err) {
			fprintf(stderr, "# rank %u: %s\n", i,
				alink_error(self->ctx));
			return err;
		}
	}
	for (i = 0; i < RANKS; i++)
		for (k = 0; k < COUNT; k++) {
			want = RANKS * (round * 0x9e3779b9 + k) +
			       77 * RANKS * (RANKS - 1) / 2;
			if (self->map[i][COUNT + k] != want)
				return -EILSEQ;
		}
	return 0;
}

static int count(struct alink_ctx *ctx, struct counts *c)
{
	struct alink_device_info *dev;
	struct alink_link_info *link;
	size_t i, k, n, links;
	uint32_t id;
	int err;

	err = alink_devices(ctx, &dev, &n);
	if (err)
		return err;
	err = alink_links(ctx, ALINK_ALL, &link, &links);
	for (i = 0; !err && i < n; i++) {
		id = dev[i].fabric_id;
		if (dev[i].type != ALINK_DEVTYPE_XPU || id >= RANKS)
			continue;
		for (k = 0; k < links; k++) {
			if (link[k].dev != dev[i].index ||
			    link[k].link >= PLANES)
				continue;
			c->tx[id][link[k].link] = link[k].stats.tx_bytes -
						  c->tx[id][link[k].link];
			c->busy[id][link[k].link] = link[k].stats.busy_ns -
						    c->busy[id][link[k].link];
		}
	}
	if (!err)
		free(link);
	free(dev);
	return err;
}

/* What an all-reduce adds to the counters of each link */
static int window(FIXTURE_DATA(spare) *self, enum alink_algo algo,
		  struct counts *c)
{
	int err;

	memset(c, 0, sizeof(*c));
	err = count(self->ctx, c);
	if (!err)
		err = run(self, algo);
	return err ? err : count(self->ctx, c);
}

/* The longest that a link was busy: what bounds the bandwidth */
static uint64_t longest(const struct counts *c)
{
	uint64_t most = 0;
	uint32_t i, p;

	for (i = 0; i < RANKS; i++)
		for (p = 0; p < PLANES; p++)
			if (c->busy[i][p] > most)
				most = c->busy[i][p];
	return most;
}

/*
 * Links that have not the part that @whole says. Blocks are shared out by the place
 * of a link among the seven, which are all but @idle.
 */
static unsigned int uneven(const struct counts *c, const struct counts *whole,
			   unsigned int idle)
{
	unsigned int bad = 0, place;
	uint32_t i, p;
	uint64_t want;

	for (i = 0; i < RANKS; i++)
		for (p = 0, place = 0; p < PLANES; p++) {
			want = p == idle ? 0 : whole->tx[i][place++];
			if (c->tx[i][p] == want)
				continue;
			fprintf(stderr, "# xPU %u, link %u: %llu B, %llu wanted\n",
				i, p, (unsigned long long)c->tx[i][p],
				(unsigned long long)want);
			bad++;
		}
	return bad;
}

static void takes_over(struct __test_metadata *_metadata,
		       FIXTURE_DATA(spare) *self, enum alink_algo algo)
{
	struct counts whole, dead, back;
	uint32_t i;

	ASSERT_EQ(0, window(self, algo, &whole));
	for (i = 0; i < RANKS; i++) {
		EXPECT_EQ(0, whole.tx[i][SPARE]);
		EXPECT_LT(BYTES / RANKS / PLANES, whole.tx[i][DIES]);
	}
	ASSERT_EQ(0, plane_to(DIES, "up"));
	ASSERT_EQ(0, plane_to(DIES, "down"));
	ASSERT_EQ(0, window(self, algo, &dead));
	EXPECT_EQ(0, uneven(&dead, &whole, DIES));
	/* Frames of the network stack, and replays, are few. */
	EXPECT_LE(longest(&dead), longest(&whole) + longest(&whole) / 50);
	ASSERT_EQ(0, plane_to(DIES, "up"));
	ASSERT_EQ(0, window(self, algo, &back));
	EXPECT_EQ(0, uneven(&back, &whole, SPARE));
	TH_LOG("longest on the wire: %llu ns of 7 planes, %llu ns with the spare",
	       (unsigned long long)longest(&whole),
	       (unsigned long long)longest(&dead));
}

TEST_F_TIMEOUT(spare, takes_over_in_switches, TESTS_S)
{
	takes_over(_metadata, self, ALINK_ALGO_SWITCH);
}

TEST_F_TIMEOUT(spare, takes_over_in_writes, TESTS_S)
{
	takes_over(_metadata, self, ALINK_ALGO_RING);
}

TEST_F_TIMEOUT(spare, takes_over_between_pushes, TESTS_S)
{
	takes_over(_metadata, self, ALINK_ALGO_PUSH);
}

/* The switch of the plane, by its index; once it is there after a reset */
static int reset_switch(struct alink_ctx *ctx, uint32_t *index)
{
	struct alink_device_info *dev;
	size_t i, n;
	int err;

	if (system("echo 1 > /sys/class/alink/sw" XSTR(DIES) "/device/reset"))
		return -1;
	if (system("timeout 30 sh -c 'until grep -q ready /sys/class/alink/sw"
		   XSTR(DIES) "/state; do sleep 0.1; done'"))
		return -1;
	err = alink_devices(ctx, &dev, &n);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		if (dev[i].type == ALINK_DEVTYPE_SWITCH &&
		    dev[i].fabric_id == DIES)
			*index = dev[i].index;
	free(dev);
	return 0;
}

/* Its links are up, and it knows no routes and no groups. */
TEST_F_TIMEOUT(spare, a_switch_loses_its_tables, TESTS_S)
{
	struct counts whole, dead, back;

	ASSERT_EQ(0, window(self, ALINK_ALGO_SWITCH, &whole));
	ASSERT_EQ(0, reset_switch(self->ctx, &self->group.dev));
	ASSERT_EQ(0, window(self, ALINK_ALGO_SWITCH, &dead));
	EXPECT_EQ(0, uneven(&dead, &whole, DIES));
	ASSERT_EQ(0, write_tables(self->ctx));
	ASSERT_EQ(0, alink_group_add(self->ctx, &self->group));
	ASSERT_EQ(0, window(self, ALINK_ALGO_SWITCH, &back));
	EXPECT_EQ(0, uneven(&back, &whole, SPARE));
}

struct flipper {
	atomic_bool over;
	int err;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;
	unsigned int i;

	f->err = plane_to(DIES, "up");
	for (i = 0; i < FLIPS && !f->err; i++) {
		f->err = plane_to(DIES, "down");
		if (!f->err)
			f->err = plane_to(DIES, "up");
	}
	f->over = true;
	return NULL;
}

/* Links of the plane go and come one by one under all-reduces. */
TEST_F_TIMEOUT(spare, nothing_fails_meanwhile, TESTS_S)
{
	struct counts c = {}, after;
	struct flipper f = {};
	unsigned int runs = 0;
	pthread_t thread;
	uint32_t i;
	int err = 0;

	ASSERT_EQ(0, count(self->ctx, &c));
	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &f));
	while (!f.over && !err) {
		err = run(self, runs % 2 ? ALINK_ALGO_RING : ALINK_ALGO_SWITCH);
		runs++;
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, f.err);
	EXPECT_LT(2, runs);
	TH_LOG("%u all-reduces", runs);
	ASSERT_EQ(0, count(self->ctx, &c));
	for (i = 0; i < RANKS; i++)
		EXPECT_LT(0, c.tx[i][SPARE]);
	ASSERT_EQ(0, window(self, ALINK_ALGO_SWITCH, &after));
	for (i = 0; i < RANKS; i++)
		EXPECT_EQ(0, after.tx[i][SPARE]);
}

TEST_HARNESS_MAIN
