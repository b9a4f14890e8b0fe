// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arithmetic spread over threads: the same bits for any number of them, and
 * for several that compute at once; the pool itself: each task once, no more
 * threads than it says, equal shares, and no thread left at the end. Also run
 * under ThreadSanitizer.
 */
#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "compute-rig.h"
#include "rig.h"
#include "tap.h"

#define FN(f)	ALINK_XPU_FN_##f
#define GEMM(flags_, m_, n_, k_, type)	\
	{ FN(GEMM), ALINK_DT_##type, flags_, m_, n_, k_, 0 }
#define ONE	0x3f800000

static const uint32_t teams[] = { 0, 1, 2, 3, 7, AC_MAX_LANES };
#define NUM_TEAMS	(sizeof(teams) / sizeof(teams[0]))

/* --- the same bits -------------------------------------------------------- */

/* A plan that is more than one task, and not a whole number of them */
struct job {
	enum alink_xpu_func func;
	enum alink_dtype dtype;
	uint32_t flags, m, n, k, param;
};

static const struct job jobs[] = {
	GEMM(0, 129, 131, 127, BF16),
	GEMM(ALINK_XPU_CF_TRANS_A, 130, 65, 300, BF16),
	GEMM(ALINK_XPU_CF_TRANS_B, 33, 1025, 65, FP16),
	GEMM(ALINK_XPU_CF_TRANS_A | ALINK_XPU_CF_TRANS_B, 67, 129, 257, FP32),
	GEMM(ALINK_XPU_CF_ACCUMULATE, 513, 70, 61, FP32),
	GEMM(0, 160, 96, 288, MXFP4),
	GEMM(0, 200, 300, 150, INT8),
	GEMM(0, 1, 1023, 515, BF16),
	GEMM(0, 1027, 1, 301, BF16),
	{ FN(ADD), ALINK_DT_BF16, 0, 3, 40001, 0, 0 },
	{ FN(MUL), ALINK_DT_FP32, 0, 1030, 77, 0, 0 },
	{ FN(CAST), ALINK_DT_MXFP4, 0, 2, 33 * 1024, 0, 0 },
	{ FN(RMSNORM), ALINK_DT_FP16, 0, 61, 1025, 0, ONE },
	{ FN(SOFTMAX), ALINK_DT_BF16, 0, 97, 511, 0, ONE },
	{ FN(SILU), ALINK_DT_FP32, 0, 1, 50001, 0, 0 },
	{ FN(GELU), ALINK_DT_BF16, ALINK_XPU_CF_SATURATE, 501, 99, 0, 0 },
	{ FN(ROPE), ALINK_DT_FP32, 0, 301, 128, 64, 0 },
	{ FN(EMBED), ALINK_DT_BF16, 0, 300, 257, 11, 0 },
	{ FN(TOPK), ALINK_DT_FP32, 0, 99, 700, 7, 0 },
};
#define NUM_JOBS	(sizeof(jobs) / sizeof(jobs[0]))

/* Operands of a job, and where its result goes */
struct ready {
	struct alink_xpu_compute block;
	uint8_t *a, *b, *dst, *scales;
	size_t dst_size;
};

static struct alink_xpu_matrix dense(enum alink_dtype dtype, uint8_t *mem,
				     uint8_t *scales, uint32_t cols)
{
	struct alink_xpu_matrix m = cr_matrix(dtype, mem, cols);

	if (dtype == ALINK_DT_MXFP4) {
		m.scale = (uintptr_t)scales;
		m.scale_stride = cols / 32;
	}
	return m;
}

/* Any bits, but few exponents: sums round all the time, and few are NaN. */
static uint8_t *filled(enum alink_dtype dtype, size_t n)
{
	uint8_t *mem = malloc(4 * n + 4);
	float *x = (float *)mem;

	rig_fill(mem, 4 * n + 4);
	for (size_t i = 0; dtype == ALINK_DT_FP32 && i < n; i++)
		x[i] = f32((bits(x[i]) & 0x83ffffff) | 0x3c000000);
	for (size_t i = 0; dtype == ALINK_DT_BF16 && i < n; i++)
		mem[2 * i + 1] = (mem[2 * i + 1] & 0x83) | 0x3c;
	return mem;
}

static struct ready ready_new(const struct job *j)
{
	size_t rows = j->m > j->k ? j->m : j->k;
	size_t cols = j->n > rows ? j->n : rows;
	bool gemm = j->func == FN(GEMM);
	struct ready r = {
		.block = {
			.flags = j->flags, .m = j->m, .n = j->n, .k = j->k,
			.param = j->param,
		},
	};
	uint32_t a_cols = !gemm ? j->n :
			  j->flags & ALINK_XPU_CF_TRANS_A ? j->m : j->k;
	uint32_t b_cols = gemm && (j->flags & ALINK_XPU_CF_TRANS_B) ? j->k :
			  j->func == FN(ROPE) ? j->k : j->n;
	enum alink_dtype to = gemm && j->dtype == ALINK_DT_INT8 ?
			      ALINK_DT_INT32 : j->dtype;

	r.a = filled(j->dtype, rows * cols);
	r.b = filled(j->dtype, rows * cols);
	r.scales = malloc(3 * rows * cols);
	for (size_t i = 0; i < 3 * rows * cols; i++)
		r.scales[i] = 120 + rig_random() % 16;
	r.block.a = dense(j->dtype, r.a, r.scales, a_cols);
	if (j->func == FN(EMBED)) {
		for (uint32_t i = 0; i < j->m; i++)
			((uint32_t *)r.b)[i] = i * 7 % j->k;
		r.block.b = cr_matrix(ALINK_DT_INT32, r.b, 1);
	} else if (j->func != FN(CAST) && j->func != FN(SOFTMAX) &&
		   j->func != FN(SILU) && j->func != FN(GELU) &&
		   j->func != FN(TOPK)) {
		r.block.b = dense(j->dtype, r.b, r.scales + rows * cols,
				  b_cols);
	}
	r.dst_size = (size_t)j->m * j->n * 4;
	r.dst = malloc(r.dst_size);
	if (j->func == FN(TOPK))
		r.block.dst = cr_matrix(ALINK_DT_INT32, r.dst, j->k);
	else
		r.block.dst = dense(to, r.dst, r.scales + 2 * rows * cols,
				    j->n);
	return r;
}

static void ready_free(struct ready *r)
{
	free(r->a);
	free(r->b);
	free(r->dst);
	free(r->scales);
}

/* Begins with the same bytes in dst, since some sums begin with it. */
static void run_job(const struct job *j, struct ready *r, enum ac_level level,
		    struct ac_team *team)
{
	memset(r->dst, 0x3c, r->dst_size);
	EXPECT_EQ(cr_run_with(j->func, &r->block, level, team), ALINK_ST_OK);
}

static uint8_t *result_of(const struct job *j, struct ready *r)
{
	uint8_t *copy = malloc(r->dst_size);

	run_job(j, r, AC_BASE, NULL);
	memcpy(copy, r->dst, r->dst_size);
	return copy;
}

TEST(any_number_of_threads)
{
	for (size_t i = 0; i < NUM_JOBS; i++) {
		struct ready r = ready_new(&jobs[i]);
		uint8_t *want = result_of(&jobs[i], &r);

		for (size_t t = 0; t < NUM_TEAMS; t++) {
			struct ac_team *team = ac_team_new(teams[t]);

			run_job(&jobs[i], &r, ac_level(), team);
			if (memcmp(r.dst, want, r.dst_size))
				TAP_FAIL("job %zu, %u threads", i, teams[t]);
			ac_team_free(team);
		}
		free(want);
		ready_free(&r);
	}
}

/* --- several at once ------------------------------------------------------ */

#define DEVICES	8

struct device {
	struct ac_team *team;
	uint32_t id;
};

/* Each job in an order of its own */
static void *device_thread(void *arg)
{
	struct device *d = arg;

	for (size_t n = 0; n < NUM_JOBS; n++) {
		/* The rig's numbers are one sequence for all. */
		static pthread_mutex_t numbers = PTHREAD_MUTEX_INITIALIZER;
		size_t i = (n * 5 + d->id * 3) % NUM_JOBS;
		struct ready r;
		uint8_t *want;

		pthread_mutex_lock(&numbers);
		r = ready_new(&jobs[i]);
		pthread_mutex_unlock(&numbers);
		want = result_of(&jobs[i], &r);
		run_job(&jobs[i], &r, ac_level(), d->team);
		if (memcmp(r.dst, want, r.dst_size))
			TAP_FAIL("device %u, job %zu", d->id, i);
		free(want);
		ready_free(&r);
	}
	return NULL;
}

static void devices(uint32_t num, bool own)
{
	struct ac_team *shared = own ? NULL : ac_team_new(3);
	struct device d[DEVICES];
	pthread_t t[DEVICES];

	for (uint32_t i = 0; i < num; i++) {
		d[i].id = i;
		d[i].team = own ? ac_team_new(1 + i % 4) : shared;
		pthread_create(&t[i], NULL, device_thread, &d[i]);
	}
	for (uint32_t i = 0; i < num; i++) {
		pthread_join(t[i], NULL);
		/* The others go on without it. */
		if (own)
			ac_team_free(d[i].team);
	}
	ac_team_free(shared);
}

TEST(two_devices_at_once)
{
	devices(2, true);
}

TEST(eight_devices_at_once)
{
	devices(DEVICES, true);
}

TEST(queues_of_one_device)
{
	devices(3, false);
}

/* A plan that is given up after some of its pieces leaves nothing behind. */
TEST(given_up_in_the_middle)
{
	const struct job first = GEMM(0, 600, 600, 520, BF16);
	const struct job *next = &jobs[0];
	struct ac_team *team = ac_team_new(3);
	struct ready r = ready_new(&first), s = ready_new(next);
	uint8_t *want = result_of(next, &s);
	struct ac_data data[AC_NUM_OPERANDS] = {};
	struct ac_work *work = ac_work_new();
	struct ac_piece piece;
	struct ac_region reg;
	uint64_t addr = 0;
	struct ac_plan p;
	int pieces = 0;

	memset(s.dst, 0x3c, s.dst_size);
	for (int plan = 0; plan < 2; plan++) {
		const struct ready *now = plan ? &s : &r;

		ASSERT(ac_plan_init(&p, FN(GEMM), &now->block, &addr) ==
		       ALINK_ST_OK);
		ASSERT(ac_work_begin(work, &p, ac_team_lanes(team)));
		ac_piece_first(&p, &piece);
		do {
			for (int op = 0; op < AC_NUM_OPERANDS; op++) {
				const struct ac_matrix *m = &p.mat[op];

				if (!ac_piece_region(&p, &piece, op, &reg))
					continue;
				data[op].row = realloc(data[op].row, reg.rows *
						       sizeof(uint8_t *));
				for (uint32_t i = 0; i < reg.rows; i++)
					data[op].row[i] = (uint8_t *)(uintptr_t)
						(m->addr + ac_bytes(m->dtype,
								    reg.col) +
						 (reg.row + i) * m->stride);
			}
			ac_run(work, &p, &piece, data, team);
			pieces++;
		} while (ac_piece_next(&p, &piece) && (plan || pieces < 3));
		ac_work_end(work);
	}
	EXPECT(pieces > 3);
	EXPECT(!memcmp(s.dst, want, s.dst_size));
	for (int op = 0; op < AC_NUM_OPERANDS; op++)
		free(data[op].row);
	ac_work_free(work);
	ac_team_free(team);
	free(want);
	ready_free(&r);
	ready_free(&s);
}

/* --- the pool ------------------------------------------------------------- */

#define TASKS	1000

static uint32_t done[TASKS], now[AC_MAX_LANES], running, most;

static void count_task(void *opaque, uint32_t task, uint32_t lane)
{
	uint32_t n = __atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
	uint32_t m = __atomic_load_n(&most, __ATOMIC_SEQ_CST);

	while (n > m && !__atomic_compare_exchange_n(&most, &m, n, false,
						     __ATOMIC_SEQ_CST,
						     __ATOMIC_SEQ_CST))
		;
	EXPECT(lane < *(uint32_t *)opaque);
	EXPECT_EQ(__atomic_exchange_n(&now[lane], 1, __ATOMIC_SEQ_CST), 0);
	done[task]++;
	if (task % 16 == 0)
		usleep(100);
	__atomic_store_n(&now[lane], 0, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
}

TEST(each_task_once)
{
	for (size_t t = 0; t < NUM_TEAMS; t++) {
		struct ac_team *team = ac_team_new(teams[t]);
		uint32_t lanes = ac_team_lanes(team);

		for (uint32_t num = 0; num <= TASKS; num = num * 3 + 1) {
			memset(done, 0, sizeof(done));
			most = 0;
			ac_team_run(team, count_task, &lanes, num, lanes);
			for (uint32_t i = 0; i < TASKS; i++)
				EXPECT_EQ(done[i], i < num);
			EXPECT(most <= lanes);
			EXPECT_EQ(running, 0);
		}
		/* Fewer lanes than the team has */
		lanes = 2;
		most = 0;
		ac_team_run(team, count_task, &lanes, 100, lanes);
		EXPECT(most <= 2);
		ac_team_free(team);
	}
	memset(done, 0, sizeof(done));
	ac_team_run(NULL, count_task, &(uint32_t){ 1 }, 10, 5);
	EXPECT(done[9] == 1 && !done[10]);
}

#define CALLERS	4

static sem_t here, enough;
static uint32_t order[64], helps;
static bool all_here;

/* Callers stay in their first task until the helper has had its turns. */
static void share_task(void *opaque, uint32_t task, uint32_t lane)
{
	uint32_t n;

	(void)task;
	if (!lane) {
		sem_post(&here);
		sem_wait(&enough);
		sem_post(&enough);
		return;
	}
	/* Not before both works are there */
	if (!__atomic_load_n(&all_here, __ATOMIC_RELAXED)) {
		sem_wait(&here);
		sem_wait(&here);
		__atomic_store_n(&all_here, true, __ATOMIC_RELAXED);
	}
	n = __atomic_fetch_add(&helps, 1, __ATOMIC_SEQ_CST);
	if (n < 40)
		order[n] = (uintptr_t)opaque;
	if (n >= 40)
		sem_post(&enough);
}

static struct ac_team *share_team;

static void *share_thread(void *arg)
{
	ac_team_run(share_team, share_task, arg, 64, 2);
	return NULL;
}

/* One helper, two works: it takes from each in turn. */
TEST(equal_shares)
{
	pthread_t t[2];
	uint32_t first;

	sem_init(&here, 0, 0);
	sem_init(&enough, 0, 0);
	helps = 0;
	all_here = false;
	share_team = ac_team_new(3);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, share_thread, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ac_team_free(share_team);
	/* The first one may have been taken before the second work came. */
	first = order[1];
	for (uint32_t i = 1; i < 40; i++)
		EXPECT_EQ(order[i], i % 2 ? first : !first);
	sem_destroy(&here);
	sem_destroy(&enough);
}

static uint32_t num_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	uint32_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

/* A thread is on the list for a moment after it was joined. */
static uint32_t threads_left(void)
{
	uint32_t least = num_threads(), n;

	for (int same = 0; same < 50; same++) {
		usleep(1000);
		n = num_threads();
		if (n < least)
			same = 0;
		least = ac_min(n, least);
	}
	return least;
}

static bool threads_become(uint32_t want)
{
	for (int i = 0; i < 10000; i++) {
		if (num_threads() == want)
			return true;
		usleep(1000);
	}
	return false;
}

static void meet_task(void *opaque, uint32_t task, uint32_t lane)
{
	(void)task;
	(void)lane;
	pthread_barrier_wait(opaque);
}

/* No thread before the first work, and none after the last team */
TEST(threads_come_and_go)
{
	uint32_t before = threads_left();

	for (int round = 0; round < 3; round++) {
		struct ac_team *one = ac_team_new(4), *two = ac_team_new(2);
		pthread_barrier_t all;

		EXPECT_EQ(num_threads(), before);
		ac_team_run(one, count_task, &(uint32_t){ 4 }, 1, 4);
		EXPECT_EQ(num_threads(), before);
		/* Four of them, or this never ends */
		pthread_barrier_init(&all, NULL, 4);
		ac_team_run(one, meet_task, &all, 8, 4);
		pthread_barrier_destroy(&all);
		EXPECT_EQ(num_threads(), before + 3);
		ac_team_free(one);
		EXPECT_EQ(num_threads(), before + 3);
		pthread_barrier_init(&all, NULL, 2);
		ac_team_run(two, meet_task, &all, 8, 2);
		pthread_barrier_destroy(&all);
		ac_team_free(two);
		EXPECT(threads_become(before));
	}
}

static uint32_t sums[CALLERS];

static void add_task(void *opaque, uint32_t task, uint32_t lane)
{
	(void)lane;
	__atomic_fetch_add((uint32_t *)opaque, task, __ATOMIC_RELAXED);
}

static void *come_and_go(void *arg)
{
	uint32_t id = (uintptr_t)arg;

	for (int i = 0; i < 300; i++) {
		struct ac_team *team = ac_team_new(1 + (id + i) % 5);

		sums[id] = 0;
		ac_team_run(team, add_task, &sums[id], 20, 5);
		EXPECT_EQ(sums[id], 190);
		ac_team_free(team);
	}
	return NULL;
}

/* Teams that end while others begin */
TEST(teams_come_and_go)
{
	uint32_t before = threads_left();
	pthread_t t[CALLERS];

	for (uintptr_t i = 0; i < CALLERS; i++)
		pthread_create(&t[i], NULL, come_and_go, (void *)i);
	for (int i = 0; i < CALLERS; i++)
		pthread_join(t[i], NULL);
	EXPECT(threads_become(before));
}

static uint32_t late_helps;
static bool all_in;

/*
 * Callers meet in their first task, and in the last ones. A helper may have
 * begun before, and may be about to begin a task when they meet.
 */
static void lone_task(void *opaque, uint32_t task, uint32_t lane)
{
	if (lane && __atomic_load_n(&all_in, __ATOMIC_SEQ_CST))
		__atomic_fetch_add(&late_helps, 1, __ATOMIC_SEQ_CST);
	if (!task) {
		pthread_barrier_wait(opaque);
		__atomic_store_n(&all_in, true, __ATOMIC_SEQ_CST);
	}
	usleep(200);
	if (task == 199) {
		pthread_barrier_wait(opaque);
		__atomic_store_n(&all_in, false, __ATOMIC_SEQ_CST);
	}
}

static struct ac_team *lone_team;

static void *lone_caller(void *arg)
{
	ac_team_run(lone_team, lone_task, arg, 200, 2);
	return NULL;
}

/* More callers than the pool has threads: nobody helps. */
TEST(no_more_threads_than_that)
{
	pthread_barrier_t all;
	pthread_t t[CALLERS];

	lone_team = ac_team_new(2);
	late_helps = 0;
	all_in = false;
	pthread_barrier_init(&all, NULL, CALLERS);
	for (int i = 0; i < CALLERS; i++)
		pthread_create(&t[i], NULL, lone_caller, &all);
	for (int i = 0; i < CALLERS; i++)
		pthread_join(t[i], NULL);
	EXPECT(late_helps <= 1);
	pthread_barrier_destroy(&all);
	ac_team_free(lone_team);
}
