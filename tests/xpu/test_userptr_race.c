// SPDX-License-Identifier: GPL-2.0-only
/*
 * User pointers: the device works on memory while the process changes it. It
 * never meets a page that the process does not have there any more.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "userptr.h"

/* --- races ------------------------------------------------------------------ */

#define RACE_NS		8000000000LL
#define ENOUGH		20		/* changes */
#define SLOTS		64		/* pages of the file below */
#define CHILD		0xc0ffeeUL
#define BATCH		24

struct race {
	struct user *o;
	uint64_t *at;			/* the page that is bound */
	int file;
	uint64_t *all;			/* SLOTS pages of it, mapped elsewhere */
	uint64_t now;			/* what is there by now */
	volatile bool stop;
	uint64_t rounds;
	const char *bad;
};

static bool race_init(struct race *r, struct user *o)
{
	memset(r, 0, sizeof(*r));
	r->o = o;
	r->file = memfd_create("race", MFD_CLOEXEC);
	if (r->file < 0 || ftruncate(r->file, SLOTS * PAGE))
		return false;
	r->all = mmap(NULL, SLOTS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      r->file, 0);
	r->at = anon(PAGE);
	return r->all != MAP_FAILED && r->at != MAP_FAILED &&
	       !bind_user(o, r->at, PAGE, RW);
}

/* Long enough, and on a slow machine until enough has happened */
static bool race_on(struct race *r, int64_t end)
{
	int64_t now = now_ns();

	return !r->bad && (now < end ||
			   (__atomic_load_n(&r->rounds, __ATOMIC_RELAXED) <=
			    ENOUGH && now < end + 5 * RACE_NS));
}

/* Another page of the file takes the place at once: there is no hole. */
static void race_file(struct race *r, uint64_t value)
{
	unsigned int slot = value % SLOTS;

	*word(r->all, slot) = value;
	if (mmap(r->at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 r->file, slot * PAGE) == MAP_FAILED)
		r->bad = "mmap";
}

/* From now on the device must find this. */
static void race_tell(struct race *r, uint64_t value)
{
	__atomic_store_n(&r->now, value, __ATOMIC_SEQ_CST);
}

static uint64_t race_now(struct race *r)
{
	return __atomic_load_n(&r->now, __ATOMIC_SEQ_CST);
}

/* The child keeps the page that it shares, and scribbles on it. */
static void race_fork(struct race *r, uint64_t value)
{
	pid_t pid;
	int status;

	anon_at(r->at, PAGE);
	*r->at = value;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		*r->at = CHILD;
		usleep(2000);
		_exit(0);
	}
	*r->at = value;
	race_tell(r, value);
	waitpid(pid, &status, 0);
}

/* What was there before is gone for good, and its pages are used for others. */
static void *race_change(void *arg)
{
	struct race *r = arg;
	uint64_t value = r->now;
	void *spare;

	while (!r->stop && !r->bad) {
		value++;
		switch (value % 8) {
		case 0:
			race_fork(r, value);
			break;
		case 1:
		case 2:
			anon_at(r->at, PAGE);
			*r->at = value;
			break;
		case 3:
			madvise(r->at, PAGE, MADV_DONTNEED);
			*r->at = value;
			break;
		case 4:
			mprotect(r->at, PAGE, PROT_READ);
			mprotect(r->at, PAGE, PROT_READ | PROT_WRITE);
			*r->at = value;
			break;
		default:
			race_file(r, value);
			break;
		}
		race_tell(r, value);
		/* Whoever gets a page that was freed fills it. */
		spare = anon(4 * PAGE);
		if (spare != MAP_FAILED) {
			memset(spare, 0xee, 4 * PAGE);
			munmap(spare, 4 * PAGE);
		}
		r->rounds++;
	}
	return NULL;
}

/*
 * The device reads all the time. What it finds is 0 (a page nobody has written
 * yet), or no older than what was there when the command was given: never what
 * a page holds that was there before, or that belongs to somebody else by now.
 */
TEST_F_TIMEOUT(user, race_reads, 120)
{
	struct user *o = SELF;
	uint64_t before, reads = 0, v;
	int64_t end = now_ns() + RACE_NS;
	pthread_t thread;
	struct race r;
	unsigned int i;

	ASSERT_TRUE(race_init(&r, o));
	*r.at = 1;
	r.now = 1;
	ASSERT_EQ(pthread_create(&thread, NULL, race_change, &r), 0);
	while (race_on(&r, end)) {
		before = race_now(&r);
		for (i = 0; i < BATCH; i++)
			xq_push(&o->q, copy_desc(VA_OUT + 8 * i, VA, 8));
		xq_ring(&o->q);
		if (xq_wait(&o->q, WAIT_MS, NULL)) {
			r.bad = "the queue";
			break;
		}
		for (i = 0; i < BATCH; i++) {
			v = o->out[i];
			if (v && (v < before || v > race_now(&r) + 1)) {
				TH_LOG("read %#lx after %#lx", v, before);
				r.bad = "an old page was read";
			}
		}
		reads += BATCH;
	}
	r.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(r.bad, NULL) {
		TH_LOG("%s", r.bad);
	}
	EXPECT_GT(r.rounds, ENOUGH);
	EXPECT_GT(reads, 20);
	TH_LOG("%lu changes, %lu reads", r.rounds, reads);
}

/* Pages that have left the place are not written any more, by the second look. */
static void *race_look(void *arg)
{
	struct race *r = arg;
	unsigned int i, slot = 0, old;
	uint64_t v;

	while (!r->stop && !r->bad) {
		old = slot;
		slot = (slot + 1) % SLOTS;
		race_file(r, slot);
		v = word(r->all, old)[1];
		for (i = 0; i < 200 && !r->bad; i++) {
			if (__atomic_load_n(&word(r->all, old)[1],
					    __ATOMIC_SEQ_CST) != v)
				r->bad = "an old page was written";
			if (i % 50 == 0)
				usleep(100);
		}
		r->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(user, race_writes, 120)
{
	struct user *o = SELF;
	int64_t end = now_ns() + RACE_NS;
	uint64_t writes = 0;
	pthread_t thread;
	struct race r;
	unsigned int i;

	ASSERT_TRUE(race_init(&r, o));
	ASSERT_EQ(pthread_create(&thread, NULL, race_look, &r), 0);
	while (race_on(&r, end)) {
		for (i = 0; i < BATCH; i++)
			xq_push(&o->q, fill_desc(VA + 8, ++writes, 8));
		xq_ring(&o->q);
		if (xq_wait(&o->q, WAIT_MS, NULL))
			r.bad = "the queue";
	}
	r.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(r.bad, NULL) {
		TH_LOG("%s", r.bad);
	}
	EXPECT_GT(r.rounds, ENOUGH);
	/* The last write went to the page that is there. */
	dev_write(_metadata, o, VA + 8, 0x600d);
	EXPECT_EQ(r.at[1], twice(0x600d));
	TH_LOG("%lu changes, %lu writes", r.rounds, writes);
}

/* Holes: the queue may end for them, and nothing else may. */
static void *race_holes(void *arg)
{
	struct race *r = arg;

	while (!r->stop) {
		munmap(r->at, PAGE);
		anon_at(r->at, PAGE);
		r->rounds++;
		if (r->rounds % 16 == 0)
			usleep(1000);
	}
	return NULL;
}

TEST_F_TIMEOUT(user, race_holes, 120)
{
	struct user *o = SELF;
	struct drm_alink_xpu_queue_error e;
	int64_t end = now_ns() + RACE_NS / 2;
	unsigned int good = 0, bad = 0;
	struct race r = { .o = o, .at = o->mem };
	pthread_t thread;
	int err;

	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, race_holes, &r), 0);
	while (race_on(&r, end)) {
		err = xq_run(&o->q, copy_desc(VA, VA_OUT, SIZE), &e);
		good += !err;
		if (!err)
			continue;
		bad++;
		xq_close(&o->q);
		if (err != -EIO || e.status != ALINK_ST_PAGE_FAULT ||
		    e.addr != VA)
			r.bad = "it ended otherwise";
		else if (xq_open(&o->q, o->fd, o->vm, VA_Q, 64))
			r.bad = "no new queue";
	}
	r.stop = true;
	pthread_join(thread, NULL);
	ASSERT_EQ(r.bad, NULL) {
		TH_LOG("%s: %d, status %u at %#llx", r.bad, err, e.status,
		       (unsigned long long)e.addr);
	}
	EXPECT_GT(r.rounds, ENOUGH);
	EXPECT_GT(good + bad, 3);
	TH_LOG("%lu changes, %u copies, %u faults", r.rounds, good, bad);
	EXPECT_EQ(xq_copy(&o->q, VA, VA_OUT, SIZE), 0);
}

TEST_HARNESS_MAIN
