// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The threads that share the arithmetic of a process.
 *
 * Whoever has work puts it on a list, and works at it itself; helpers take one
 * task at a time, from each work on the list in turn. So a work needs no helper
 * to go on, and several get equal shares of them. No more threads run tasks
 * than the largest team has, callers counted: where there are as many callers,
 * nobody helps.
 *
 * Threads begin with the first work that is for more than one, and end with the
 * last team.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* pthread_setname_np() */
#endif
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "compute_internal.h"

struct ac_team {
	uint32_t lanes;
};

/* On the stack of its caller */
struct work {
	ac_task_fn *fn;
	void *opaque;
	/* pool.lock: */
	uint32_t next, num;	/* tasks: the next one to begin, and all */
	uint32_t lanes;		/* as bits: that it may have, and in use */
	uint32_t used;
	pthread_cond_t quiet;	/* no helper is at it */
	struct work *succ;	/* on pool.first, while tasks are left */
};

/* Lane 0 is the caller's. */
#define CALLER	1U

static struct {
	pthread_mutex_t lock;	/* protects all of this, and works; leaf lock */
	pthread_cond_t more;	/* a helper may find something to do */
	struct work *first, *last;
	uint32_t limit;		/* threads that may run tasks, with callers */
	uint32_t running;	/* threads that do */
	uint32_t waiting;	/* helpers for pool.more */
	uint32_t teams;
	uint32_t helpers;
	uint64_t life;		/* how often there was a last team */
	pthread_t helper[AC_MAX_LANES];
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER,
};

/* --- works on the list: the lock is held ---------------------------------- */

static void append(struct work *w)
{
	w->succ = NULL;
	if (pool.first)
		pool.last->succ = w;
	else
		pool.first = w;
	pool.last = w;
}

static void take_off(struct work *w)
{
	struct work **at = &pool.first, *pred = NULL;

	while (*at != w) {
		pred = *at;
		at = &pred->succ;
	}
	*at = w->succ;
	if (pool.last == w)
		pool.last = pred;
}

/* The next task, of a work on the list */
static uint32_t begin_task(struct work *w)
{
	uint32_t task = w->next++;

	if (w->next == w->num)
		take_off(w);
	return task;
}

/* What a helper may join: the one whose turn it is. */
static struct work *find_work(void)
{
	struct work *w;

	if (pool.running >= pool.limit)
		return NULL;
	for (w = pool.first; w; w = w->succ)
		if (w->lanes & ~w->used)
			return w;
	return NULL;
}

/* Wakes as many as can do something. */
static void wake(uint32_t num)
{
	uint32_t free = pool.limit > pool.running ?
			pool.limit - pool.running : 0;

	num = ac_min(ac_min(num, free), pool.waiting);
	while (num--)
		pthread_cond_signal(&pool.more);
}

/* --- helpers -------------------------------------------------------------- */

/* The lock is held, and given away meanwhile. */
static void help(struct work *w)
{
	uint32_t lane = __builtin_ctz(w->lanes & ~w->used), task;

	w->used |= 1U << lane;
	task = begin_task(w);
	if (w->next < w->num) {
		take_off(w);
		append(w);
	}
	pool.running++;
	pthread_mutex_unlock(&pool.lock);

	w->fn(w->opaque, task, lane);

	pthread_mutex_lock(&pool.lock);
	pool.running--;
	w->used &= ~(1U << lane);
	/* The caller is gone as soon as it finds that. */
	if (!(w->used & ~CALLER))
		pthread_cond_signal(&w->quiet);
}

static void *helper_thread(void *arg)
{
	uint64_t life = (uintptr_t)arg;
	struct work *w;

	pthread_mutex_lock(&pool.lock);
	while ((uintptr_t)pool.life == life) {
		w = find_work();
		if (w) {
			help(w);
			continue;
		}
		pool.waiting++;
		pthread_cond_wait(&pool.more, &pool.lock);
		pool.waiting--;
	}
	pthread_mutex_unlock(&pool.lock);
	return NULL;
}

/* The lock is held. Signals are for other threads; too few helpers will do. */
static void start_helpers(void)
{
	sigset_t all, before;

	if (pool.helpers + 1 >= pool.limit)
		return;
	sigfillset(&all);
	/* Faults are the thread's own: else nothing could tell of them. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool.helpers + 1 < pool.limit) {
		pthread_t *t = &pool.helper[pool.helpers];

		if (pthread_create(t, NULL, helper_thread,
				   (void *)(uintptr_t)pool.life))
			break;
		pthread_setname_np(*t, "alink-compute");
		pool.helpers++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* --- teams ---------------------------------------------------------------- */

struct ac_team *ac_team_new(uint32_t lanes)
{
	struct ac_team *team = calloc(1, sizeof(*team));

	if (!team)
		return NULL;
	team->lanes = lanes < 1 ? 1 : ac_min(lanes, AC_MAX_LANES);
	pthread_mutex_lock(&pool.lock);
	pool.teams++;
	if (pool.limit < team->lanes)
		pool.limit = team->lanes;
	pthread_mutex_unlock(&pool.lock);
	return team;
}

void ac_team_free(struct ac_team *team)
{
	pthread_t old[AC_MAX_LANES];
	uint32_t num = 0;

	if (!team)
		return;
	free(team);
	pthread_mutex_lock(&pool.lock);
	if (!--pool.teams) {
		/* A team that comes meanwhile has helpers of its own. */
		num = pool.helpers;
		memcpy(old, pool.helper, sizeof(old));
		pool.helpers = 0;
		pool.limit = 0;
		pool.life++;
		pthread_cond_broadcast(&pool.more);
	}
	pthread_mutex_unlock(&pool.lock);
	while (num)
		pthread_join(old[--num], NULL);
}

uint32_t ac_team_lanes(const struct ac_team *team)
{
	return team ? team->lanes : 1;
}

static void run_alone(ac_task_fn *fn, void *opaque, uint32_t num)
{
	for (uint32_t i = 0; i < num; i++)
		fn(opaque, i, 0);
}

void ac_team_run(struct ac_team *team, ac_task_fn *fn, void *opaque,
		 uint32_t num, uint32_t lanes)
{
	struct work w = {
		.fn = fn, .opaque = opaque, .num = num,
		.used = CALLER,
		.quiet = PTHREAD_COND_INITIALIZER,
	};

	lanes = ac_min(lanes, ac_team_lanes(team));
	if (!team) {
		run_alone(fn, opaque, num);
		return;
	}
	w.lanes = (1U << lanes) - 1;
	pthread_mutex_lock(&pool.lock);
	pool.running++;
	if (lanes > 1 && num > 1) {
		start_helpers();
		append(&w);
		wake(ac_min(lanes, num) - 1);
		while (w.next < w.num) {
			uint32_t task = begin_task(&w);

			pthread_mutex_unlock(&pool.lock);
			fn(opaque, task, 0);
			pthread_mutex_lock(&pool.lock);
		}
	} else {
		pthread_mutex_unlock(&pool.lock);
		run_alone(fn, opaque, num);
		pthread_mutex_lock(&pool.lock);
	}
	pool.running--;
	/* Whoever waits for its helpers leaves room for one. */
	wake(1);
	while (w.used != CALLER)
		pthread_cond_wait(&w.quiet, &pool.lock);
	pthread_mutex_unlock(&pool.lock);
	pthread_cond_destroy(&w.quiet);
}
