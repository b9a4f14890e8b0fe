// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reducing push. What it gives is compared with a reducing read of the same
 * data; the rest is about members that are late, gone, or of another opinion.
 */
#include <errno.h>

#include "rig.h"
#include "tap.h"

#define MS	1000000ULL
#define AT	4096		/* in the group: where results go */
#define N	8		/* members of most rigs here */

static struct af_push_args args_of(uint64_t epoch, uint64_t offset,
				   uint64_t len)
{
	return (struct af_push_args){
		.epoch = epoch, .offset = offset, .len = len,
		.timeout_ms = 100, .dtype = ALINK_DT_INT32,
		.op = ALINK_OP_SUM,
	};
}

/* One word of member @id: @id + 1. True: it is over, with *status. */
static bool push_word(struct rig *r, uint32_t id, const struct af_push_args *a,
		      struct af_push *p, uint32_t *status)
{
	uint32_t word = id + 1;
	struct af_result res;
	bool over;

	memset(p, 0, sizeof(*p));
	over = af_push(r->f, id, a, &word, p, &res);
	*status = res.status;
	return over;
}

#define EXPECT_WAITS(r, id, a, p) do {					\
	uint32_t st_;							\
									\
	EXPECT(!push_word(r, id, a, p, &st_));				\
	EXPECT((p)->sent);						\
} while (0)

#define EXPECT_ENDS(r, id, a, p, want) do {				\
	uint32_t st_ = 0;						\
									\
	EXPECT(push_word(r, id, a, p, &st_));				\
	EXPECT_EQ(st_, want);						\
} while (0)

#define EXPECT_POLL(r, id, p, want) do {				\
	struct af_result res_;						\
									\
	EXPECT(af_push_poll((r)->f, id, p, &res_));			\
	EXPECT_EQ(res_.status, want);					\
} while (0)

static struct af_switch_info info(struct rig *r, uint32_t plane)
{
	struct af_switch_info i;

	af_switch_info(r->f, plane, &i);
	return i;
}

/* All members, with one word each: the group works. */
static void expect_works(struct rig *r, uint32_t slot, uint64_t epoch)
{
	struct af_push_args a = args_of(epoch, AT, 4);
	struct af_push p[N];
	uint32_t word;

	a.slot = slot;
	for (uint32_t i = 0; i + 1 < r->n; i++)
		EXPECT_WAITS(r, i, &a, &p[i]);
	EXPECT_ENDS(r, r->n - 1, &a, &p[r->n - 1], ALINK_ST_OK);
	for (uint32_t i = 0; i < r->n; i++) {
		if (i + 1 < r->n)
			EXPECT_POLL(r, i, &p[i], ALINK_ST_OK);
		memcpy(&word, r->mem[i] + AT, 4);
		EXPECT_EQ(word, r->n * (r->n + 1) / 2);
		memset(r->mem[i] + AT, 0, 4);
	}
	EXPECT_EQ(info(r, 0).push_used, 0);
}

/* --- results --------------------------------------------------------- */

static const enum alink_dtype dtypes[] = {
	ALINK_DT_INT32, ALINK_DT_FP32, ALINK_DT_BF16, ALINK_DT_FP16,
	ALINK_DT_FP8_E4M3, ALINK_DT_FP8_E5M2,
};

/* Members send from @order; the result is that of a reducing read. */
static void check_order(struct rig *r, const uint32_t *order, uint64_t len,
			uint64_t epoch, enum alink_dtype dtype,
			enum alink_redop op)
{
	/* In a block of plane 0, however many planes of this test there are */
	struct af_push_args a = args_of(epoch, 24 * 256 + 64, len);
	struct af_push p[N] = { 0 };
	struct af_result res;
	uint8_t *want = calloc(1, len ? len : 1);

	a.dtype = dtype;
	a.op = op;
	for (uint32_t i = 0; i < r->n; i++)
		rig_fill(r->mem[i] + a.offset, len);
	af_group_reduce(r->f, 0, 0, a.offset, want, len, dtype, op, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	for (uint32_t i = 0; i < r->n; i++) {
		uint32_t id = order[i];
		bool last = i == r->n - 1;

		/* In place: the result replaces what was sent. */
		EXPECT(af_push(r->f, id, &a, r->mem[id] + a.offset, &p[id],
			       &res) == last);
	}
	EXPECT_EQ(res.status, ALINK_ST_OK);
	for (uint32_t i = 0; i < r->n; i++) {
		if (order[r->n - 1] != i)
			EXPECT_POLL(r, i, &p[i], ALINK_ST_OK);
		EXPECT(!memcmp(r->mem[i] + a.offset, want, len));
	}
	free(want);
}

TEST(same_bits_as_a_reducing_read)
{
	static const uint64_t lens[] = { 4, 256, 1000, 32768 };
	static const uint32_t planes[] = { 1, 3, 8 };
	uint32_t order[N];

	for (size_t k = 0; k < sizeof(planes) / sizeof(planes[0]); k++) {
		struct rig *r = rig_new(N, planes[k]);
		uint64_t epoch = 0;

		rig_group_all(r, 0);
		for (size_t t = 0; t < 6 * 3 * 4; t++) {
			for (uint32_t i = 0; i < N; i++) {
				uint32_t to = rig_random() % (i + 1);

				order[i] = order[to];
				order[to] = i;
			}
			check_order(r, order, lens[t / 18], epoch++,
				    dtypes[t % 6], t / 6 % 3);
		}
		EXPECT_EQ(info(r, 0).pushes, epoch);
		rig_free(r);
	}
}

/* Many members: a chunk is short. Few: it is long. */
TEST(chunks)
{
	static const struct { uint32_t n; uint64_t chunk; } c[] = {
		{ 1, 65536 }, { 4, 65536 }, { 5, 32768 }, { 8, 32768 },
		{ 64, 4096 },
	};
	uint32_t members[64];

	for (uint32_t i = 0; i < 64; i++)
		members[i] = i;
	for (size_t k = 0; k < sizeof(c) / sizeof(c[0]); k++) {
		struct rig *r = rig_new(c[k].n, 1);
		struct af_push_args a = args_of(1, 0, c[k].chunk + 4);
		struct af_push p = { 0 };
		struct af_result res;

		EXPECT_EQ(af_push_chunk(r->f, 0, 0), 65536);
		rig_group(r, 0, members, c[k].n);
		EXPECT_EQ(af_push_chunk(r->f, 0, 0), c[k].chunk);
		EXPECT(af_push(r->f, 0, &a, r->mem[0], &p, &res));
		EXPECT_EQ(res.status, ALINK_ST_BAD_FIELD);
		rig_free(r);
	}
}

/* The largest group, over two planes; and as many groups as there are. */
TEST(limits)
{
	struct rig *r = rig_new(1024, 2);
	struct af_push_args a = args_of(1, 0, 256);
	static struct af_push p[1024];
	static uint32_t data[64];
	struct af_result res;
	uint32_t word;
	bool over = false;

	rig_group_all(r, 0);
	EXPECT_EQ(af_push_chunk(r->f, 7, 0), 256);
	for (uint32_t i = 0; i < 1024; i++) {
		uint32_t id = (i * 77 + 5) % 1024;

		for (uint32_t k = 0; k < 64; k++)
			data[k] = id * k;
		EXPECT(!over);
		over = af_push(r->f, id, &a, data, &p[id], &res);
	}
	EXPECT(over);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	for (uint32_t i = 0; i < 1024; i++) {
		memcpy(&word, r->mem[i] + 4 * 63, 4);
		EXPECT_EQ(word, 1024 * 1023 / 2 * 63);
	}
	rig_free(r);

	r = rig_new(2, 1);
	for (uint32_t g = 0; g < ALINK_MAX_GROUPS; g++)
		rig_group_all(r, g);
	for (uint32_t g = 0; g < ALINK_MAX_GROUPS; g++)
		expect_works(r, g, g);
	rig_free(r);
}

/* --- time ------------------------------------------------------------ */

TEST(a_late_member)
{
	struct rig *r = rig_new(N, 3);
	struct af_push_args a = args_of(5, AT, 4);
	struct af_push p[N];
	struct af_result res;

	rig_group_all(r, 0);
	for (uint32_t i = 1; i < N; i++) {
		/* Each has its own time; the first that is over counts. */
		a.timeout_ms = i == 3 ? 101 : 100 + 10 * i;
		EXPECT_WAITS(r, i, &a, &p[i]);
	}
	r->clock += 101 * MS - 1;
	EXPECT(!af_push_poll(r->f, 4, &p[4], &res));
	EXPECT_EQ(info(r, 2).push_used, 1);
	r->clock++;
	for (uint32_t i = 1; i < N; i++)
		EXPECT_POLL(r, i, &p[i], ALINK_ST_TIMEOUT);
	/* The one that was late waits for nobody. */
	EXPECT_ENDS(r, 0, &a, &p[0], ALINK_ST_EPOCH);
	a.epoch = 4;
	EXPECT_ENDS(r, 0, &a, &p[0], ALINK_ST_EPOCH);
	for (uint32_t i = 0; i < 3; i++) {
		EXPECT_EQ(info(r, i).push_timeouts, 1);
		EXPECT_EQ(info(r, i).push_late, 2);
		EXPECT_EQ(info(r, i).push_aborts, 0);
		EXPECT_EQ(info(r, i).push_used, 0);
		EXPECT_EQ(info(r, i).pushes, 0);
	}
	EXPECT_EQ(rig_xpu_sum(r, 1).tx_bytes, 0);
	for (uint32_t i = 0; i < N; i++)
		EXPECT_EQ(r->mem[i][AT], 0);
	expect_works(r, 0, 6);
	rig_free(r);
}

/* It comes when the time is over, and nobody has looked yet. */
TEST(late_before_anybody_looked)
{
	struct rig *r = rig_new(2, 1);
	struct af_push_args a = args_of(1, AT, 4);
	struct af_push p[2];

	rig_group_all(r, 0);
	a.timeout_ms = 0;
	EXPECT_WAITS(r, 0, &a, &p[0]);
	r->clock += ALINK_PUSH_TIMEOUT_MS * MS;
	EXPECT_ENDS(r, 1, &a, &p[1], ALINK_ST_EPOCH);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_TIMEOUT);
	expect_works(r, 0, 2);
	rig_free(r);
}

/* Chunks of one epoch live apart, but end together. */
TEST(an_epoch_ends_whole)
{
	struct rig *r = rig_new(2, 1);
	struct af_push_args a = args_of(1, AT, 4), b = args_of(1, AT + 4, 4);
	struct af_push_args c = args_of(2, AT + 8, 4);
	struct af_push pa, pb, pc;
	struct af_result res;

	rig_group_all(r, 0);
	expect_works(r, 0, 1);
	EXPECT_WAITS(r, 0, &a, &pa);
	b.timeout_ms = 500;
	c.timeout_ms = 500;
	EXPECT_WAITS(r, 0, &b, &pb);
	EXPECT_WAITS(r, 0, &c, &pc);
	EXPECT_EQ(info(r, 0).push_used, 3);
	r->clock += 100 * MS;
	EXPECT_POLL(r, 0, &pa, ALINK_ST_TIMEOUT);
	EXPECT_POLL(r, 0, &pb, ALINK_ST_EPOCH);
	EXPECT(!af_push_poll(r->f, 0, &pc, &res));
	EXPECT_ENDS(r, 1, &c, &pa, ALINK_ST_OK);
	EXPECT_POLL(r, 0, &pc, ALINK_ST_OK);
	rig_free(r);
}

/* --- credit ---------------------------------------------------------- */

TEST(no_slot_left)
{
	struct rig *r = rig_new(2, 2);
	struct af_push_args a[3] = { args_of(1, AT, 4), args_of(1, AT, 4),
				     args_of(1, AT, 4) };
	struct af_push p[3] = { 0 }, last;
	uint32_t word = 1, st;
	struct af_result res;

	for (uint32_t g = 0; g < 3; g++) {
		rig_group_all(r, g);
		a[g].slot = g;
	}
	EXPECT_EQ(af_fabric_set_push_slots(r->f, 0), -EINVAL);
	EXPECT_EQ(af_fabric_set_push_slots(r->f, AF_PUSH_SLOTS + 1), -EINVAL);
	EXPECT_EQ(af_fabric_set_push_slots(r->f, 1), 0);
	EXPECT_EQ(info(r, 0).push_slots, 1);
	EXPECT_WAITS(r, 0, &a[0], &p[0]);
	/* Two wait for credit, and count once each, however often they look. */
	for (uint32_t i = 0; i < 3; i++) {
		EXPECT(!af_push(r->f, 0, &a[1], &word, &p[1], &res));
		EXPECT(!af_push(r->f, 0, &a[2], &word, &p[2], &res));
		EXPECT(!p[1].sent && !p[2].sent);
	}
	for (uint32_t i = 0; i < 2; i++) {
		EXPECT_EQ(info(r, i).push_waits, 2);
		EXPECT_EQ(info(r, i).push_used, 1);
	}
	/* Whoever joins an open slot needs none. */
	EXPECT_ENDS(r, 1, &a[0], &last, ALINK_ST_OK);
	EXPECT(!af_push(r->f, 0, &a[1], &word, &p[1], &res));
	EXPECT(p[1].sent);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_OK);
	/* The other one's time is over before it has a slot. */
	r->clock += 99 * MS;
	EXPECT(!push_word(r, 1, &a[2], &last, &st) && !last.sent);
	EXPECT_EQ(info(r, 0).push_waits, 3);
	r->clock += MS;
	EXPECT_POLL(r, 0, &p[1], ALINK_ST_TIMEOUT);
	EXPECT(af_push(r->f, 0, &a[2], &word, &p[2], &res));
	EXPECT_EQ(res.status, ALINK_ST_TIMEOUT);
	/* What never had a slot has ended no epoch. */
	EXPECT_EQ(info(r, 0).push_used, 0);
	EXPECT_EQ(info(r, 0).push_timeouts, 1);
	expect_works(r, 2, 1);
	expect_works(r, 1, 2);
	rig_free(r);
}

TEST(every_slot_is_used)
{
	struct rig *r = rig_new(2, 1);
	static struct af_push p[AF_PUSH_SLOTS + 1];
	struct af_push_args a = args_of(1, 0, 4);
	struct af_push last;
	uint32_t st;

	rig_group_all(r, 0);
	for (uint32_t i = 0; i < AF_PUSH_SLOTS; i++) {
		a.offset = 4 * i;
		EXPECT_WAITS(r, 0, &a, &p[i]);
	}
	EXPECT_EQ(info(r, 0).push_used, AF_PUSH_SLOTS);
	a.offset = AT;
	EXPECT(!push_word(r, 0, &a, &last, &st) && !last.sent);
	for (uint32_t i = 0; i < AF_PUSH_SLOTS; i++) {
		a.offset = 4 * i;
		EXPECT_ENDS(r, 1, &a, &last, ALINK_ST_OK);
	}
	/* Nobody has asked how they ended, but the buffers are free. */
	EXPECT_EQ(info(r, 0).push_used, 0);
	a.offset = AT;
	EXPECT_WAITS(r, 0, &a, &p[AF_PUSH_SLOTS]);
	for (uint32_t i = 0; i < AF_PUSH_SLOTS; i++)
		EXPECT_POLL(r, 0, &p[i], ALINK_ST_OK);
	rig_free(r);
}

/* --- what becomes of an open slot ------------------------------------ */

/* Members 0 and 1 have sent theirs. */
static struct rig *half_way(struct af_push *p, const struct af_push_args *a)
{
	struct rig *r = rig_new(N, 3);

	rig_group_all(r, 0);
	EXPECT_WAITS(r, 0, a, &p[0]);
	EXPECT_WAITS(r, 1, a, &p[1]);
	return r;
}

/* It has ended so for both, for a third one that is late, and works again. */
static void expect_ended(struct rig *r, struct af_push *p,
			 const struct af_push_args *a, uint32_t want)
{
	struct af_push late;

	EXPECT_POLL(r, 0, &p[0], want);
	EXPECT_POLL(r, 1, &p[1], want);
	EXPECT_EQ(info(r, 1).push_used, 0);
	EXPECT_EQ(info(r, 1).push_aborts, 1);
	EXPECT_ENDS(r, 2, a, &late, ALINK_ST_EPOCH);
	expect_works(r, 0, a->epoch + 1);
	rig_free(r);
}

TEST(a_member_gives_up)
{
	struct af_push_args a = args_of(1, AT, 4);
	struct af_push p[2], other;
	struct rig *r = half_way(p, &a);

	EXPECT_WAITS(r, 3, &a, &other);
	af_push_cancel(r->f, 3, &other);
	EXPECT(!other.sent);
	af_push_cancel(r->f, 3, &other);
	expect_ended(r, p, &a, ALINK_ST_ABORTED);
}

TEST(a_member_is_reset)
{
	struct af_push_args a = args_of(1, AT, 4);
	struct af_extent e = { 0, RIG_MEM };
	struct af_push p[2], other;
	struct rig *r = half_way(p, &a);

	/* One that has sent; then one that has not, as its binding is gone. */
	EXPECT_WAITS(r, 3, &a, &other);
	af_endpoint_reset(r->f, 3);
	EXPECT_POLL(r, 3, &other, ALINK_ST_ABORTED);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_ABORTED);
	EXPECT_POLL(r, 1, &p[1], ALINK_ST_ABORTED);
	EXPECT_ENDS(r, 0, &a, &p[0], ALINK_ST_GROUP);
	af_seg_export(r->f, 3, 0, RIG_KEY(3), ALINK_SEG_WRITE | ALINK_SEG_GROUP,
		      &e, 1);
	af_group_bind(r->f, 3, 0, 0, RIG_GROUP_KEY, 0, RIG_MEM);
	af_group_import(r->f, 3, 0, 0, RIG_GROUP_KEY);
	expect_works(r, 0, 2);

	a.epoch = 3;
	EXPECT_WAITS(r, 0, &a, &p[0]);
	EXPECT_WAITS(r, 1, &a, &p[1]);
	af_endpoint_reset(r->f, 3);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_GROUP);
	EXPECT_POLL(r, 1, &p[1], ALINK_ST_GROUP);

	/* One that is taken out takes what it had sent with it. */
	af_seg_export(r->f, 3, 0, RIG_KEY(3), ALINK_SEG_WRITE | ALINK_SEG_GROUP,
		      &e, 1);
	af_group_bind(r->f, 3, 0, 0, RIG_GROUP_KEY, 0, RIG_MEM);
	a.epoch = 4;
	EXPECT_WAITS(r, 1, &a, &p[1]);
	EXPECT_EQ(af_endpoint_remove(r->f, 1), 0);
	EXPECT_EQ(info(r, 0).push_used, 0);
	EXPECT_EQ(info(r, 0).push_aborts, 3);
	rig_free(r);
}

TEST(a_member_changes_partition)
{
	struct af_push_args a = args_of(1, AT, 4);
	struct af_push p[2], late;
	struct rig *r = half_way(p, &a);

	af_partition_set(r->f, 5, RIG_PARTITION + 1);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_PARTITION);
	EXPECT_POLL(r, 1, &p[1], ALINK_ST_PARTITION);
	EXPECT_ENDS(r, 5, &a, &late, ALINK_ST_PARTITION);
	EXPECT_ENDS(r, 2, &a, &late, ALINK_ST_PARTITION);
	af_partition_set(r->f, 5, RIG_PARTITION);
	EXPECT_ENDS(r, 2, &a, &late, ALINK_ST_EPOCH);
	expect_works(r, 0, 2);
	rig_free(r);
}

TEST(a_binding_goes_and_comes)
{
	struct af_push_args a = args_of(1, AT, 4);
	struct af_push p[2];
	struct rig *r = half_way(p, &a);
	struct af_result res;

	/* What is back before anybody looked was never missed. */
	af_group_unbind(r->f, 6, 0);
	af_group_bind(r->f, 6, 0, 0, RIG_GROUP_KEY, 0, RIG_MEM);
	EXPECT(!af_push_poll(r->f, 0, &p[0], &res));
	af_group_unbind(r->f, 6, 0);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_GROUP);
	af_group_bind(r->f, 6, 0, 0, RIG_GROUP_KEY, 0, RIG_MEM);
	EXPECT_POLL(r, 1, &p[1], ALINK_ST_GROUP);
	expect_works(r, 0, 2);
	rig_free(r);
}

static void add_group(struct rig *r, uint32_t plane)
{
	struct alink_group g = { .num_members = N, .key = RIG_GROUP_KEY };
	uint32_t members[N];

	for (uint32_t i = 0; i < N; i++)
		members[i] = i;
	EXPECT_EQ(af_group_add(r->f, plane, &g, members), ALINK_ST_OK);
}

static void add_routes(struct rig *r, uint32_t plane)
{
	struct alink_route route = { .min_ports = 1 };

	for (uint32_t i = 0; i < N; i++) {
		route.dst = i;
		route.ports[0] = 1ULL << i;
		EXPECT_EQ(af_route_set(r->f, ALINK_DEVTYPE_SWITCH, plane,
				       &route), ALINK_ST_OK);
	}
}

TEST(the_group_is_deleted)
{
	struct af_push_args a = args_of(1, AT, 4);
	struct af_push p[2], late;
	struct rig *r = half_way(p, &a);

	/* Made anew at once: it is another one all the same. */
	for (uint32_t i = 0; i < 3; i++)
		EXPECT_EQ(af_group_del(r->f, i, 0), ALINK_ST_OK);
	for (uint32_t i = 0; i < 3; i++)
		add_group(r, i);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_ABORTED);
	EXPECT_POLL(r, 1, &p[1], ALINK_ST_ABORTED);
	/* And knows no epoch that has ended. */
	EXPECT_WAITS(r, 2, &a, &late);
	af_push_cancel(r->f, 2, &late);
	expect_works(r, 0, 2);
	rig_free(r);
}

TEST(a_switch_is_reset)
{
	struct af_push_args a = args_of(1, AT, 4);
	struct af_push p[2], late;
	struct rig *r = half_way(p, &a);

	/* All is back before anybody looks, but what it held is not. */
	af_switch_reset(r->f, 2);
	EXPECT_EQ(info(r, 0).push_used, 0);
	EXPECT_EQ(info(r, 2).push_used, 0);
	add_group(r, 2);
	add_routes(r, 2);
	expect_ended(r, p, &a, ALINK_ST_ABORTED);

	/* The others go on without it. */
	r = half_way(p, &a);
	af_switch_reset(r->f, 0);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_ABORTED);
	EXPECT_POLL(r, 1, &p[1], ALINK_ST_ABORTED);
	EXPECT_ENDS(r, 2, &a, &late, ALINK_ST_EPOCH);
	expect_works(r, 0, 2);
	EXPECT_EQ(info(r, 0).pushes, 0);
	/* Cold, and gone: nothing is counted twice. */
	a.epoch = 3;
	EXPECT_WAITS(r, 0, &a, &p[0]);
	af_cold_reset(r->f, ALINK_DEVTYPE_SWITCH, 1);
	EXPECT_EQ(info(r, 1).push_used + info(r, 1).push_aborts, 0);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_ABORTED);
	EXPECT_EQ(af_switch_remove(r->f, 1), 0);
	expect_works(r, 0, 4);
	rig_free(r);
}

/* A plane that leads to no more than some drops what waits once, not at each look. */
TEST(a_plane_that_is_left_out)
{
	struct rig *r = rig_new(2, 2);
	struct af_push_args a = args_of(1, AT, 4), b = args_of(1, AT, 4);
	struct af_push p, q = { 0 }, last;
	struct af_result res;
	uint32_t word = 1;

	rig_group_all(r, 0);
	rig_group_all(r, 1);
	b.slot = 1;
	EXPECT_EQ(af_fabric_set_push_slots(r->f, 1), 0);
	af_link_set_admin(r->f, ALINK_DEVTYPE_SWITCH, 1, 1, false);
	EXPECT_WAITS(r, 0, &a, &p);
	EXPECT_EQ(info(r, 1).drops_noroute, 1);
	for (uint32_t i = 0; i < 10; i++)
		EXPECT(!af_push_poll(r->f, 0, &p, &res));
	EXPECT_EQ(info(r, 1).drops_noroute, 1);
	/* So does one that has no slot yet. */
	for (uint32_t i = 0; i < 10; i++)
		EXPECT(!af_push(r->f, 0, &b, &word, &q, &res));
	EXPECT(!q.sent);
	EXPECT_EQ(info(r, 1).drops_noroute, 2);
	EXPECT_ENDS(r, 1, &a, &last, ALINK_ST_OK);
	EXPECT_POLL(r, 0, &p, ALINK_ST_OK);
	EXPECT_EQ(info(r, 0).drops_noroute, 0);
	rig_free(r);
}

TEST(a_link_goes_down)
{
	struct af_push_args a = args_of(1, AT, 4);
	struct af_push p[2], late;
	struct rig *r = half_way(p, &a);

	af_link_set_admin(r->f, ALINK_DEVTYPE_XPU, 6, 2, false);
	expect_ended(r, p, &a, ALINK_ST_PORT_DOWN);

	/* Found by the one that comes next. */
	r = half_way(p, &a);
	af_link_set_admin(r->f, ALINK_DEVTYPE_SWITCH, 2, 6, false);
	EXPECT_ENDS(r, 2, &a, &late, ALINK_ST_EPOCH);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_PORT_DOWN);
	EXPECT_POLL(r, 1, &p[1], ALINK_ST_PORT_DOWN);
	expect_works(r, 0, 2);
	rig_free(r);
}

/* --- refusals -------------------------------------------------------- */

TEST(members_disagree)
{
	struct af_push_args a = args_of(1, AT, 4), b;
	struct af_push p[2], bad;
	struct rig *r = half_way(p, &a);
	struct af_result res;

	EXPECT_ENDS(r, 1, &a, &bad, ALINK_ST_EXISTS);
	b = a;
	b.dtype = ALINK_DT_FP32;
	EXPECT_ENDS(r, 2, &b, &bad, ALINK_ST_BAD_FIELD);
	b = a;
	b.op = ALINK_OP_MAX;
	EXPECT_ENDS(r, 2, &b, &bad, ALINK_ST_BAD_FIELD);
	b = a;
	b.len = 8;
	EXPECT(af_push(r->f, 2, &b, r->mem[2], memset(&bad, 0, sizeof(bad)),
		       &res));
	EXPECT_EQ(res.status, ALINK_ST_BAD_FIELD);
	/* The slot is as it was. */
	for (uint32_t i = 2; i < N - 1; i++)
		EXPECT_WAITS(r, i, &a, &bad);
	EXPECT_ENDS(r, N - 1, &a, &bad, ALINK_ST_OK);
	EXPECT_POLL(r, 0, &p[0], ALINK_ST_OK);
	EXPECT_POLL(r, 1, &p[1], ALINK_ST_OK);
	rig_free(r);
}

TEST(refusals)
{
	struct rig *r = rig_new(N, 2);
	struct af_push_args a = args_of(1, AT, 4), b;
	struct af_push p;

	EXPECT_ENDS(r, 0, &a, &p, ALINK_ST_KEY);
	rig_group_all(r, 0);
	b = a;
	b.dtype = ALINK_DT_UINT8;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_UNSUPPORTED);
	b.dtype = ALINK_DT_TF32;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_UNSUPPORTED);
	b = a;
	b.op = 3;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_UNSUPPORTED);
	b = a;
	b.offset += 2;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_ALIGN);
	b = a;
	b.len = 6;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_ALIGN);
	b = a;
	b.epoch = ALINK_PUSH_MAX_EPOCH + 1;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_BAD_FIELD);
	b = a;
	b.offset = RIG_MEM;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_RANGE);
	b = a;
	b.slot = ALINK_MAX_GROUP_SLOTS;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_BAD_FIELD);
	b.slot = 1;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_KEY);
	b = a;
	b.len = 0;
	EXPECT_ENDS(r, 0, &b, &p, ALINK_ST_OK);
	af_endpoint_set_answering(r->f, 4, false);
	EXPECT_ENDS(r, 0, &a, &p, ALINK_ST_UNREACHABLE);
	af_endpoint_set_answering(r->f, 4, true);
	af_endpoint_fail_ops(r->f, 0, ALINK_ST_DMA, 1);
	EXPECT_ENDS(r, 0, &a, &p, ALINK_ST_DMA);
	EXPECT_EQ(info(r, 0).push_used, 0);
	a.epoch = ALINK_PUSH_MAX_EPOCH;
	EXPECT_WAITS(r, 0, &a, &p);
	rig_free(r);
}

/* --- counters and modelled time -------------------------------------- */

static uint64_t ser(uint64_t raw)
{
	return (raw * 8000 + RIG_MBPS - 1) / RIG_MBPS;
}

TEST(counters_and_time)
{
	const struct af_timing_params t = AF_TIMING_DEFAULT;
	const uint64_t idle = 2 * t.endpoint_ns + 2 * t.cable_ns + t.hop_ns +
			      t.reduce_ns;
	static uint8_t buf[32768];
	struct rig *r = rig_new(N, 4);
	struct af_push_args a = args_of(1, AT, sizeof(buf));
	struct af_push p[N] = { 0 };
	struct alink_group g;
	struct af_link_info l;
	struct af_result res;
	uint32_t m[N];
	uint64_t s = ser(sizeof(buf) / 4 + sizeof(buf) / 1024 * 16);

	rig_group_all(r, 0);
	for (uint32_t i = 0; i < N; i++)
		af_push(r->f, i, &a, buf, &p[i], &res);
	EXPECT_EQ(res.model_ns, idle + s);
	for (uint32_t i = 0; i < N - 1; i++) {
		EXPECT(af_push_poll(r->f, i, &p[i], &res));
		EXPECT_EQ(res.model_ns, idle + s);
	}
	for (uint32_t i = 0; i < N; i++) {
		l = rig_xpu_sum(r, i);
		EXPECT_EQ(l.tx_bytes, sizeof(buf));
		EXPECT_EQ(l.rx_bytes, sizeof(buf));
		EXPECT_EQ(l.tx_packets, sizeof(buf) / 256);
		EXPECT_EQ(l.rx_packets, sizeof(buf) / 256);
		EXPECT_EQ(l.busy_ns, 4 * s);
		for (uint32_t k = 0; k < 4; k++) {
			EXPECT_EQ(rig_port(r, k, i).rx_bytes, sizeof(buf) / 4);
			EXPECT_EQ(rig_port(r, k, i).busy_ns, s);
		}
	}
	for (uint32_t k = 0; k < 4; k++) {
		EXPECT_EQ(info(r, k).pushes, 1);
		EXPECT_EQ(info(r, k).reductions, 1);
		EXPECT_EQ(info(r, k).multicasts, 0);
		EXPECT_EQ(af_group_get(r->f, k, 0, &g, m, N), ALINK_ST_OK);
		EXPECT_EQ(g.reductions, 1);
		EXPECT_EQ(g.bytes, sizeof(buf) / 4);
	}
	/* The next one of the same descriptor follows without a gap. */
	r->clock += 10 * MS;
	a.offset += a.len;
	for (uint32_t i = 0; i < N; i++) {
		p[i] = (struct af_push){ .follows = i & 1 };
		af_push(r->f, i, &a, buf, &p[i], &res);
	}
	EXPECT_EQ(res.model_ns, s);
	EXPECT(af_push_poll(r->f, 2, &p[2], &res));
	EXPECT_EQ(res.model_ns, idle + s);
	af_fabric_set_timing(r->f, AF_TIMING_OFF, NULL);
	a.epoch++;
	for (uint32_t i = 0; i < N; i++) {
		p[i] = (struct af_push){ .follows = true };
		af_push(r->f, i, &a, buf, &p[i], &res);
	}
	EXPECT_EQ(res.model_ns, 0);
	rig_free(r);
}
