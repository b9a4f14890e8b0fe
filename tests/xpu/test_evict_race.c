// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eviction when more is needed than there is, and against all that may happen
 * meanwhile: resets, unbind, processes that are killed, bindings and objects that
 * come and go. What is counted are rounds in which something moved.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "evict.h"

#define ROUNDS	5
/* A guard against hangs, no measure: so long nothing moves, at most. */
#define STUCK_S	120

/* --- too much ---------------------------------------------------------------- */

/* One command that needs both of what do not fit: the queue is told. */
TEST_F_TIMEOUT(evict, one_command_too_large, SLOW)
{
	const uint64_t size = 40 * MIB;
	struct drm_alink_xpu_queue_error e = {};
	struct evict *o = SELF;
	uint32_t src, dst, state;

	ASSERT_EQ(make(o, 0, HBM, size, &src), 0);
	ASSERT_EQ(make(o, 1, HBM, size, &dst), 0);
	ASSERT_EQ(dev_put(o, VA_OF(0), SIZE, 1), 0);
	EXPECT_EQ(run(o, copy_desc(VA_OF(1), VA_OF(0), size), &e), -EIO);
	EXPECT_EQ(e.status, ALINK_ST_NO_ROOM);
	EXPECT_TRUE((e.addr >= VA_OF(0) && e.addr < VA_OF(0) + size) ||
		    (e.addr >= VA_OF(1) && e.addr < VA_OF(1) + size)) {
		TH_LOG("at %#llx", (unsigned long long)e.addr);
	}
	ASSERT_EQ(queue_state(o->fd, o->q.id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_HALTED);
	EXPECT_EQ(o->q.status->error, ALINK_ST_NO_ROOM);

	/* That was the command's fault: others go on. */
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 1), 0);
	EXPECT_EQ(run(o, fill_desc(VA_OF(1), 2, size), NULL), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 1), 0);
}

/* One that goes through more than there is, piece by piece, gets through. */
TEST_F_TIMEOUT(evict, one_command_goes_through, SLOW)
{
	const uint64_t size = 12 * MIB;
	const unsigned int num = 6;
	struct drm_alink_xpu_queue_error e = {};
	struct evict *o = SELF;
	uint32_t bo, word;
	unsigned int i;

	/* Side by side: src in VA_OF(0), dst in VA_OF(4) */
	for (i = 0; i < num; i++) {
		ASSERT_EQ(make(o, -1, HBM, size, &bo), 0);
		ASSERT_EQ(vm_map(o->fd, o->vm, bo, 0, VA_OF(0) + i * size, size,
				 RW), 0);
		ASSERT_EQ(run(o, fill_desc(VA_OF(0) + i * size, i + 1, size),
			      NULL), 0);
		ASSERT_EQ(make(o, -1, HBM, size, &bo), 0);
		ASSERT_EQ(vm_map(o->fd, o->vm, bo, 0, VA_OF(4) + i * size, size,
				 RW), 0);
	}
	EXPECT_EQ(run(o, copy_desc(VA_OF(4), VA_OF(0), num * size), &e), 0) {
		TH_LOG("status %u at %#llx", e.status,
		       (unsigned long long)e.addr);
	}
	for (i = 0; i < num; i++) {
		ASSERT_EQ(run(o, copy_desc(VA_OUT, VA_OF(4) + i * size, size),
			      NULL), 0);
		word = i + 1;
		EXPECT_EQ(memcmp(o->out, &word, 4), 0);
		EXPECT_EQ(memcmp(o->out, o->out + 1, size - 4), 0);
	}
}

#define COPIES	4

/* A process whose commands each need more than half of HBM. Its exit status. */
static int greedy(uint32_t seed)
{
	const uint64_t size = 22 * MIB;
	struct evict e;
	uint32_t bo;
	int line = evict_open(&e), i;

	if (line)
		return line;
	if (make(&e, 0, HBM, size, &bo) || make(&e, 1, HBM, size, &bo))
		return __LINE__;
	if (run(&e, fill_desc(VA_OF(0), seed, size), NULL))
		return __LINE__;
	for (i = 0; i < COPIES; i++) {
		/* Both at once, there and back */
		if (run(&e, copy_desc(VA_OF((i + 1) % 2), VA_OF(i % 2), size),
			NULL))
			return __LINE__;
	}
	if (run(&e, copy_desc(VA_OUT, VA_OF(COPIES % 2), SIZE), NULL))
		return __LINE__;
	for (i = 0; (uint64_t)i < SIZE / 4; i++)
		if (e.out[i] != seed)
			return __LINE__;
	evict_close(&e);
	return 0;
}

/* Processes whose commands do not fit side by side all get on. */
TEST_F_TIMEOUT(evict, greedy_processes, SLOW)
{
	uint64_t before = memory(SELF->fd).restores;
	int i, line;
	pid_t pid[3];

	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		ASSERT_GE(pid[i], 0);
		if (!pid[i]) {
			line = greedy(0x1111 * (i + 1));
			if (line)
				printf("# process %d: line %d\n", i, line);
			fflush(stdout);
			_exit(!!line);
		}
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(child_status(pid[i]), 0);
	EXPECT_GT(memory(SELF->fd).restores, before);
	EXPECT_TRUE(all_gone(SELF->fd));
	TH_LOG("%llu moves back",
	       (unsigned long long)(memory(SELF->fd).restores - before));
}

/* --- a process that keeps HBM moving, whatever is done to it ---------------- */

struct shared {
	atomic_uint moved;	/* commands that had to bring something back */
	atomic_uint opened;
};

static struct shared *share(void)
{
	return mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* As long as all goes well */
static void churn_once(struct shared *s)
{
	const uint64_t size = 40 * MIB;
	struct evict e;
	uint32_t bo;
	unsigned int i;

	if (evict_open(&e) || make(&e, 0, HBM, size, &bo) ||
	    make(&e, 1, HBM, size, &bo)) {
		evict_close(&e);
		usleep(10000);
		return;
	}
	s->opened++;
	for (i = 0; !run(&e, fill_desc(VA_OF(i % 2), i, size), NULL); i++)
		s->moved++;
	evict_close(&e);
}

static pid_t churn(struct shared *s)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (;;)
		churn_once(s);
}

/* Waits until something has moved since; false: nothing does. */
static bool moved_since(struct shared *s, unsigned int *moved)
{
	int64_t end = now_ns() + STUCK_S * 1000000000LL;

	while (s->moved == *moved) {
		if (now_ns() > end)
			return false;
		usleep(1000);
	}
	*moved = s->moved;
	return true;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- resets ------------------------------------------------------------------ */

/* An object that is away, as its mapping shows */
static uint32_t *see_away(struct evict *o, uint64_t size, uint32_t seed)
{
	uint32_t a, bo;
	uint32_t *p;
	int i;

	if (make(o, 0, HBM_CPU, size, &a))
		return NULL;
	p = gem_map(o->fd, a, size);
	if (p == MAP_FAILED)
		return NULL;
	pattern_fill(p, size, seed);
	for (i = 0; i < 4 && !memory(o->fd).hbm_evicted; i++) {
		if (gem_create(o->fd, HBM, SIZE, &bo))
			return NULL;
	}
	for (bo = a + 1; bo <= a + 4; bo++)
		gem_close(o->fd, bo);
	return memory(o->fd).hbm_evicted == size ? p : NULL;
}

/* Resets in moves: nothing that was in system memory is lost, and all go on. */
TEST_F_TIMEOUT(evict, reset, SLOW)
{
	struct shared *s = share();
	const uint64_t size = 8 * MIB;
	struct evict *o = SELF;
	unsigned int moved = 0, i;
	uint32_t *p;
	pid_t pid;

	ASSERT_NE(s, MAP_FAILED);
	p = see_away(o, size, 5);
	ASSERT_NE(p, NULL);
	pid = churn(s);
	ASSERT_GT(pid, 0);
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(moved_since(s, &moved));
		/* At another place of a move each time */
		usleep(i * 3000);
		ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
		EXPECT_EQ(pattern_check(p, size, 5), size);
	}
	ASSERT_TRUE(moved_since(s, &moved));
	end(pid);
	EXPECT_GE(s->opened, ROUNDS / 2);
	EXPECT_EQ(memory(o->fd).hbm_evicted, size);

	/* And it comes back. */
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	EXPECT_EQ(dev_check(o, VA_OF(0), size, 5), 0);
	EXPECT_EQ(pattern_check(p, size, 5), size);
	munmap(p, size);
	evict_close(o);
	ASSERT_EQ(evict_open(o), 0);
	EXPECT_TRUE(all_gone(o->fd));
	TH_LOG("%u moves, opened %u times", moved, s->opened);
}

/* The driver goes in the middle of moves, with memory away and mapped. */
TEST_F_TIMEOUT(evict, unbind, SLOW)
{
	struct shared *s = share();
	const uint64_t size = 8 * MIB;
	struct evict *o = SELF;
	unsigned int moved = 0, i;
	uint32_t *p, bo;
	pid_t pid;

	ASSERT_NE(s, MAP_FAILED);
	pid = churn(s);
	ASSERT_GT(pid, 0);
	for (i = 0; i < ROUNDS / 2; i++) {
		ASSERT_TRUE(moved_since(s, &moved));
		ASSERT_EQ(make(o, 0, HBM_CPU, size, &bo), 0);
		p = gem_map(o->fd, bo, size);
		ASSERT_NE(p, MAP_FAILED);
		pattern_fill(p, size, i);
		ASSERT_TRUE(moved_since(s, &moved));
		usleep(i * 5000);
		ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
		/* Wherever it was, it reads zeros now, and takes writes. */
		EXPECT_EQ(p[0], 0);
		EXPECT_EQ(p[size / 4 - 1], 0);
		p[1] = 1;
		EXPECT_EQ(make(o, 1, HBM, PAGE, &bo), -ENODEV);
		munmap(p, size);
		ASSERT_EQ(drv_write("bind", self->sysfs), 0);
		evict_close(o);
		ASSERT_EQ(evict_open(o), 0);
	}
	ASSERT_TRUE(moved_since(s, &moved));
	end(pid);
	EXPECT_TRUE(all_gone(o->fd));
	TH_LOG("%u moves, opened %u times", moved, s->opened);
}

/* Processes that are killed in the middle leave nothing behind. */
TEST_F_TIMEOUT(evict, killed, SLOW)
{
	struct shared *s = share();
	struct evict *o = SELF;
	unsigned int moved = 0, i;
	pid_t pid[2];

	ASSERT_NE(s, MAP_FAILED);
	for (i = 0; i < ROUNDS; i++) {
		pid[0] = churn(s);
		pid[1] = churn(s);
		ASSERT_TRUE(moved_since(s, &moved));
		usleep(i * 4000);
		end(pid[i % 2]);
		ASSERT_TRUE(moved_since(s, &moved));
		end(pid[!(i % 2)]);
	}
	EXPECT_TRUE(all_gone(o->fd));
	TH_LOG("%u moves", moved);
}

/* --- one object, from all sides ----------------------------------------------- */

#define ENOUGH	10
#define WORDS	256
#define OBJ	(16 * MIB)

struct sides {
	struct evict *o;
	uint32_t a;
	uint32_t *p;
	atomic_bool stop;
	_Atomic(const char *) bad;
	atomic_uint binds, cpu, fills, faults;
};

static bool sides_on(struct sides *s)
{
	return !s->stop && !s->bad;
}

/* Bound and not bound, in large pages and in small ones; the queue may halt. */
static void *side_bind(void *arg)
{
	struct sides *s = arg;
	unsigned int i;

	for (i = 0; sides_on(s); i++) {
		if (vm_map(s->o->fd, s->o->vm, s->a, i % 2 ? PAGE : 0,
			   VA_OF(0) + (i % 2 ? PAGE : 0),
			   OBJ - (i % 2 ? PAGE : 0), RW))
			s->bad = "map";
		if (vm_unmap(s->o->fd, s->o->vm, VA_OF(0) + (i % 3) * LARGE,
			     3 * PAGE))
			s->bad = "unmap";
		s->binds++;
		usleep(500);
	}
	return NULL;
}

/* A CPU sees what it wrote, wherever that is. */
static void *side_cpu(void *arg)
{
	volatile uint32_t *w = ((struct sides *)arg)->p + OBJ / 4 - WORDS;
	struct sides *s = arg;
	unsigned int i, k;

	for (i = 1; sides_on(s); i++) {
		for (k = 0; k < WORDS; k++)
			w[k] = i * WORDS + k;
		usleep(200);
		for (k = 0; k < WORDS; k++)
			if (w[k] != i * WORDS + k)
				s->bad = "a CPU's words";
		s->cpu++;
	}
	return NULL;
}

/* The queue works where something is always bound, now and then where not. */
static void *side_queue(void *arg)
{
	struct sides *s = arg;
	struct drm_alink_xpu_queue_error e;
	struct evict *o = s->o;
	unsigned int i;
	bool hole;
	int err;

	for (i = 0; sides_on(s); i++) {
		hole = i % 8 == 7;
		err = run(o, fill_desc(VA_OF(0) + (hole ? 0 : 4 * LARGE), i,
				       OBJ / 4), &e);
		s->fills += !err;
		if (!err)
			continue;
		s->faults++;
		if (!hole || err != -EIO || e.status != ALINK_ST_PAGE_FAULT)
			s->bad = "the queue halted otherwise";
		xq_close(&o->q);
		if (xq_open(&o->q, o->fd, o->vm, VA_Q, 64))
			s->bad = "no new queue";
	}
	return NULL;
}

TEST_F_TIMEOUT(evict, all_sides, SLOW)
{
	static void *(*const side[])(void *) = {
		side_bind, side_cpu, side_queue,
	};
	struct sides s = { .o = SELF };
	int64_t end = now_ns() + 2 * STUCK_S * 1000000000LL;
	uint64_t before, moves = 0;
	pthread_t thread[3];
	uint32_t bo[4] = {};
	unsigned int i, k;

	ASSERT_EQ(make(SELF, 0, HBM_CPU, OBJ, &s.a), 0);
	s.p = gem_map(SELF->fd, s.a, OBJ);
	ASSERT_NE(s.p, MAP_FAILED);
	before = memory(SELF->fd).evictions;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(pthread_create(&thread[i], NULL, side[i], &s), 0);
	/* Others come and go, all the time. */
	for (i = 0; sides_on(&s) && now_ns() < end; i++) {
		k = i % 4;
		if (bo[k])
			gem_close(SELF->fd, bo[k]);
		if (gem_create(SELF->fd, HBM, SIZE, &bo[k]))
			s.bad = "no object";
		moves = memory(SELF->fd).evictions - before;
		if (moves > ENOUGH && s.binds > ENOUGH && s.cpu > ENOUGH &&
		    s.fills + s.faults > ENOUGH)
			break;
	}
	s.stop = true;
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(s.bad, NULL) {
		TH_LOG("%s", s.bad);
	}
	EXPECT_GT(moves, ENOUGH);
	EXPECT_GT(s.binds, ENOUGH);
	EXPECT_GT(s.cpu, ENOUGH);
	EXPECT_GT(s.fills + s.faults, ENOUGH);
	TH_LOG("%lu moves, %u binds, %u looks, %u fills, %u faults",
	       (unsigned long)moves, s.binds, s.cpu, s.fills, s.faults);
	munmap(s.p, OBJ);
}

TEST_HARNESS_MAIN
