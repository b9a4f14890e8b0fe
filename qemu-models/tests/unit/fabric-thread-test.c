// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several threads at once. The invariants: no addition is lost, counters of
 * both ends agree, what is revoked is not touched any more, a group write is seen
 * whole, and a push ends in the same way for all. Also run under ThreadSanitizer.
 */
#include <pthread.h>
#include <sched.h>

#include "rig.h"
#include "tap.h"

#define THREADS	4
#define ROUNDS	3000

static struct rig *rig;

static void run(void *(*fn)(void *), uint32_t n)
{
	pthread_t t[THREADS];

	for (uintptr_t i = 0; i < n; i++)
		pthread_create(&t[i], NULL, fn, (void *)i);
	for (uint32_t i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

static void *adder(void *arg)
{
	uint32_t id = (uintptr_t)arg;
	struct af_result res;

	for (int i = 0; i < ROUNDS; i++) {
		af_atomic(rig->f, id, THREADS, 8, ALINK_ATOMIC_ADD, 8, id + 1,
			  0, &res);
		EXPECT_EQ(res.status, ALINK_ST_OK);
		af_atomic(rig->f, id, THREADS, 16, ALINK_ATOMIC_MAX, 4,
			  i * THREADS + id, 0, &res);
		EXPECT_EQ(res.status, ALINK_ST_OK);
	}
	return NULL;
}

TEST(atomics_of_many)
{
	struct af_link_info s;
	uint64_t sum;
	uint32_t max;

	rig = rig_new(THREADS + 1, 4);
	run(adder, THREADS);
	memcpy(&sum, rig->mem[THREADS] + 8, 8);
	memcpy(&max, rig->mem[THREADS] + 16, 4);
	EXPECT_EQ(sum, ROUNDS * THREADS * (THREADS + 1) / 2);
	EXPECT_EQ(max, ROUNDS * THREADS - 1);
	s = rig_xpu_sum(rig, THREADS);
	EXPECT_EQ(s.rx_bytes, ROUNDS * THREADS * 12);
	EXPECT_EQ(s.tx_packets, ROUNDS * THREADS * 2);
	rig_free(rig);
}

/* A lock made of remote compare-and-swap guards plain remote writes. */
static void *locker(void *arg)
{
	uint32_t id = (uintptr_t)arg, word;
	struct af_result res;

	for (int i = 0; i < ROUNDS / 10; i++) {
		do {
			af_atomic(rig->f, id, THREADS, 0, ALINK_ATOMIC_CAS, 4,
				  id + 1, 0, &res);
		} while (res.old);
		af_read(rig->f, id, THREADS, 64, &word, 4, &res);
		word++;
		af_write(rig->f, id, THREADS, 64, &word, 4, &res);
		af_atomic(rig->f, id, THREADS, 0, ALINK_ATOMIC_SWAP, 4, 0, 0,
			  &res);
		EXPECT_EQ(res.old, id + 1);
	}
	return NULL;
}

TEST(completion_means_visible)
{
	uint32_t word;

	rig = rig_new(THREADS + 1, 4);
	run(locker, THREADS);
	memcpy(&word, rig->mem[THREADS] + 64, 4);
	EXPECT_EQ(word, THREADS * (ROUNDS / 10));
	rig_free(rig);
}

/*
 * Thread 0 exports a page, lets the others write to it, revokes, and at once
 * uses the memory itself: nothing may arrive any more.
 */
static int stop;

static void *revoker(void *arg)
{
	uint32_t id = (uintptr_t)arg;
	struct af_extent e = { 8192, 4096 };
	uint8_t junk[4096], zero[4096] = { 0 };
	struct af_result res;
	uint32_t wrote = 0;

	if (id) {
		memset(junk, id, sizeof(junk));
		while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
			af_write(rig->f, id, 100, (id - 1) * 2048, junk, 2048,
				 &res);
			EXPECT(res.status == ALINK_ST_OK ||
			       res.status == ALINK_ST_KEY);
			wrote += res.status == ALINK_ST_OK;
		}
		return NULL;
	}
	for (int i = 0; i < ROUNDS / 10; i++) {
		EXPECT_EQ(af_seg_export(rig->f, 0, 5, 99, ALINK_SEG_WRITE, &e,
					1), ALINK_ST_OK);
		for (int k = 0; k < 20; k++)
			af_read(rig->f, 0, 1, 0, junk, 64, &res);
		EXPECT_EQ(af_seg_revoke(rig->f, 0, 5), ALINK_ST_OK);
		memset(rig->mem[0] + 8192, 0, 4096);
		EXPECT(!memcmp(rig->mem[0] + 8192, zero, 4096));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST(revocation_drains)
{
	rig = rig_new(3, 2);
	for (uint32_t i = 1; i < 3; i++)
		af_seg_import(rig->f, i, 100, 0, 5, 99);
	stop = 0;
	run(revoker, 3);
	rig_free(rig);
}

/* Everything at once: data, tables, links, resets, readers of counters. */
static void *worker(void *arg)
{
	uint32_t id = (uintptr_t)arg;
	struct alink_route route;
	struct af_link_info l;
	uint32_t buf[256];
	struct af_result res;

	memset(buf, 0, sizeof(buf));
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t other = (id + 1 + i % (THREADS - 1)) % THREADS;

		switch (i % 8) {
		case 0:
			/* Each thread its own stripe of the target. */
			af_write(rig->f, id, other, 4096 * id, buf,
				 sizeof(buf), &res);
			break;
		case 1:
			af_atomic(rig->f, id, other, 65536, ALINK_ATOMIC_ADD, 8,
				  1, 0, &res);
			break;
		case 2:
			af_group_reduce(rig->f, id, 0, 131072, buf,
					sizeof(buf), ALINK_DT_FP32,
					ALINK_OP_SUM, &res);
			break;
		case 3:
			af_link_set_admin(rig->f, ALINK_DEVTYPE_XPU, id, i % 2,
					  i % 16 > 8);
			break;
		case 4:
			af_route_get(rig->f, ALINK_DEVTYPE_SWITCH, 0, other,
				     &route);
			if (route.min_ports)
				af_route_set(rig->f, ALINK_DEVTYPE_SWITCH, 0,
					     &route);
			break;
		case 5:
			af_link_info(rig->f, ALINK_DEVTYPE_SWITCH, 0, other,
				     &l);
			break;
		case 6:
			af_partition_set(rig->f, id, i % 32 > 6 ?
					 RIG_PARTITION : 0);
			break;
		case 7:
			af_read(rig->f, id, other, 4096 * id, buf,
				sizeof(buf), &res);
			break;
		}
	}
	return NULL;
}

TEST(stress)
{
	rig = rig_new(THREADS, 2);
	rig_group_all(rig, 0);
	run(worker, THREADS);
	for (uint32_t i = 0; i < THREADS; i++) {
		for (uint32_t p = 0; p < 2; p++) {
			struct af_link_info x = rig_xpu_link(rig, i, p);
			struct af_link_info s = rig_port(rig, p, i);

			EXPECT_EQ(x.tx_bytes, s.rx_bytes);
			EXPECT_EQ(x.rx_packets, s.tx_packets);
			EXPECT_EQ(x.downs, s.downs);
			EXPECT_EQ(x.state == ALINK_LINK_UP,
				  s.state == ALINK_LINK_UP);
		}
	}
	rig_free(rig);
}

/* Results of pushes are whole and right, whoever comes first. */
static uint32_t push_ok[THREADS];

static bool push_round(uint32_t id, uint64_t epoch, uint32_t len,
		       uint32_t *data, enum alink_status *st)
{
	struct af_push_args a = {
		.epoch = epoch, .offset = 8192, .len = len, .timeout_ms = 5,
		.dtype = ALINK_DT_INT32, .op = ALINK_OP_SUM,
	};
	struct af_push p = { 0 };
	struct af_result res;
	bool over;

	for (uint32_t i = 0; i < len / 4; i++)
		data[i] = (id + 1) * (epoch + i);
	over = af_push(rig->f, id, &a, data, &p, &res);
	while (!over) {
		/* Looks are what time goes by with. */
		__atomic_fetch_add(&rig->clock, 1000, __ATOMIC_RELAXED);
		sched_yield();
		if (p.sent && epoch % 97 == 96 && id == epoch % THREADS) {
			af_push_cancel(rig->f, id, &p);
			return false;
		}
		over = p.sent ? af_push_poll(rig->f, id, &p, &res) :
				af_push(rig->f, id, &a, data, &p, &res);
	}
	*st = res.status;
	return true;
}

static void *pusher(void *arg)
{
	uint32_t sum = THREADS * (THREADS + 1) / 2;
	uint32_t id = (uintptr_t)arg, data[256];
	enum alink_status st;

	for (uint32_t e = 0; e < ROUNDS / 3; e++) {
		if (!push_round(id, e, 4 + e % 64 * 16, data, &st))
			continue;
		EXPECT(st == ALINK_ST_OK || st == ALINK_ST_TIMEOUT ||
		       st == ALINK_ST_ABORTED || st == ALINK_ST_EPOCH);
		/* Who gave up at that moment does not know how it ended. */
		if (st != ALINK_ST_OK || e % 97 == 96)
			continue;
		push_ok[id]++;
		/*
		 * Its own memory has this result until it sends its part of
		 * the next one.
		 */
		memcpy(data, rig->mem[id] + 8192, sizeof(data));
		for (uint32_t i = 0; i < 1 + e % 64 * 4; i++)
			EXPECT_EQ(data[i], sum * (e + i));
	}
	return NULL;
}

TEST(pushes)
{
	struct af_switch_info sw;

	rig = rig_new(THREADS, 2);
	rig_group_all(rig, 0);
	memset(push_ok, 0, sizeof(push_ok));
	af_fabric_set_push_slots(rig->f, 1);
	run(pusher, THREADS);
	af_switch_info(rig->f, 0, &sw);
	EXPECT_EQ(sw.push_used, 0);
	EXPECT(push_ok[0] > 0);
	for (uint32_t i = 1; i < THREADS; i++)
		EXPECT_EQ(push_ok[i], push_ok[0]);
	rig_free(rig);
}

/* The same, while resets, partitions and links take away what they need. */
static void *disturbed(void *arg)
{
	uint32_t id = (uintptr_t)arg, data[256];
	enum alink_status st;

	for (uint32_t e = 0; e < ROUNDS / 10; e++) {
		push_round(id, e, 1024, data, &st);
		if (e % 16 != id * 4)
			continue;
		switch (e / 16 % 4) {
		case 0:
			af_partition_set(rig->f, id, 0);
			af_partition_set(rig->f, id, RIG_PARTITION);
			break;
		case 1:
			af_link_set_admin(rig->f, ALINK_DEVTYPE_XPU, id, 0,
					  false);
			af_link_set_admin(rig->f, ALINK_DEVTYPE_XPU, id, 0,
					  true);
			break;
		case 2:
			af_group_unbind(rig->f, id, 0);
			af_group_bind(rig->f, id, 0, 0, RIG_GROUP_KEY, 0,
				      rig->mem_size);
			break;
		case 3:
			/* Plane 0 stays, or there would be no group. */
			af_switch_reset(rig->f, 1);
			break;
		}
	}
	return NULL;
}

TEST(pushes_disturbed)
{
	struct af_push_args a = {
		.epoch = ROUNDS, .len = 1024, .dtype = ALINK_DT_INT32,
	};
	struct af_push push[THREADS] = { 0 };
	struct af_switch_info sw;
	struct af_result res;
	uint32_t data[256];
	bool over = false;

	rig = rig_new(THREADS, 2);
	rig_group_all(rig, 0);
	run(disturbed, THREADS);
	for (uint32_t p = 0; p < 2; p++) {
		af_switch_info(rig->f, p, &sw);
		EXPECT_EQ(sw.push_used, 0);
	}
	/* And the group can still be used. */
	memset(data, 1, sizeof(data));
	for (uint32_t i = 0; i < THREADS; i++) {
		EXPECT(!over);
		over = af_push(rig->f, i, &a, data, &push[i], &res);
	}
	EXPECT(over);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT_EQ(rig->mem[0][0], THREADS);
	rig_free(rig);
}
