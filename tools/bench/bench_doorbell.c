// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the doorbell of an empty command to its end: seen in memory, and by a
 * thread that sleeps in the kernel and is woken by the interrupt.
 *
 * A small command is done when the store to the doorbell returns, so who rings
 * the bell has nothing to sleep for. Therefore two threads take part in the
 * second: one sleeps, the other rings. Both are on one processor, and the
 * sleeper has the higher priority. So when the other one runs, it sleeps
 * indeed; and when it is woken, it runs at once.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "bench.h"

#define OPS	1000

/* Median of one round, us */
static double median_us(const uint64_t *ns)
{
	double v[OPS];
	unsigned int i;

	for (i = 0; i < OPS; i++)
		v[i] = (double)ns[i] / 1e3;
	return bench_median(v, OPS);
}

static int disk_latency(struct bench *b, struct bench_disk *d, double *us)
{
	static uint64_t ns[OPS];
	unsigned int i;
	uint64_t start;
	int err;

	for (i = 0; i < OPS; i++) {
		start = bench_ns();
		err = bench_disk_read(b, d, i);
		if (err)
			return err;
		ns[i] = bench_ns() - start;
	}
	*us = median_us(ns);
	return 0;
}

/* --- polled --------------------------------------------------------------- */

static int poll_latency(struct bench *b, double *us)
{
	static uint64_t ns[OPS];
	uint64_t start, seq;
	unsigned int i;
	int err = 0;

	alink_queue_set_spin(b->queue, ALINK_SPIN_ONLY);
	for (i = 0; i < OPS && !err; i++) {
		start = bench_ns();
		err = alink_cmd_nop(b->queue, &seq);
		if (!err)
			err = alink_queue_wait(b->queue, seq, BENCH_WAIT_MS);
		ns[i] = bench_ns() - start;
	}
	alink_queue_set_spin(b->queue, ALINK_SPIN_DEFAULT);
	if (err)
		return bench_fail_alink(b, "no-op", err);
	*us = median_us(ns);
	return 0;
}

/* --- asleep --------------------------------------------------------------- */

/**
 * struct sleeper - the thread that sleeps
 * @queue:	where commands end that it sleeps for
 * @first:	number of the first of OPS
 * @done:	how many it has seen end; atomic
 * @err:	why it gave up; set before @done
 * @ns:		when it ran again
 */
struct sleeper {
	struct alink_queue *queue;
	uint64_t first;
	unsigned int done;
	int err;
	uint64_t ns[OPS];
};

static void *sleeper_thread(void *arg)
{
	struct sleeper *s = arg;
	unsigned int i;

	for (i = 0; i < OPS && !s->err; i++) {
		s->err = alink_queue_sleep(s->queue, s->first + i,
					   BENCH_WAIT_MS);
		s->ns[i] = bench_ns();
		__atomic_store_n(&s->done, i + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/* Starts the thread: when this returns, it sleeps. */
static int start_sleeper(struct bench *b, struct sleeper *s, pthread_t *thread)
{
	struct sched_param param = { .sched_priority = 1 };
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &param);
	err = pthread_create(thread, &attr, sleeper_thread, s);
	pthread_attr_destroy(&attr);
	if (err == EPERM)
		return bench_fail(b, -err,
				  "a thread of real-time priority: CAP_SYS_NICE is wanted");
	return err ? bench_fail(b, -err, "thread: %s", strerror(err)) : 0;
}

static int wake_latency(struct bench *b, double *us)
{
	static struct sleeper s;
	static uint64_t rung[OPS];
	pthread_t thread;
	unsigned int i;
	int err;

	memset(&s, 0, sizeof(s));
	s.queue = b->queue;
	/* Commands have the numbers 1, 2, ...: this one's come next. */
	err = alink_cmd_nop(b->queue, &s.first);
	if (!err)
		err = alink_queue_wait(b->queue, s.first++, BENCH_WAIT_MS);
	if (err)
		return bench_fail_alink(b, "no-op", err);
	err = start_sleeper(b, &s, &thread);
	if (err)
		return err;
	for (i = 0; i < OPS && !err; i++) {
		err = alink_cmd_nop(b->queue, NULL);
		if (err)
			break;
		rung[i] = bench_ns();
		alink_queue_kick(b->queue);
		/* Here it mostly has run already, in place of this thread. */
		while (__atomic_load_n(&s.done, __ATOMIC_ACQUIRE) <= i)
			;
		err = s.err;
	}
	/* Should this thread have failed, the other one's wait ends by itself. */
	pthread_join(thread, NULL);
	if (err)
		return bench_fail_alink(b, "no-op", err);
	for (i = 0; i < OPS; i++)
		s.ns[i] -= rung[i];
	*us = median_us(s.ns);
	return 0;
}

/* --- rows ----------------------------------------------------------------- */

static int measure(struct bench *b, struct bench_row *r,
		   int (*latency)(struct bench *b, double *us))
{
	struct bench_disk *nvme = NULL;
	unsigned int i;
	double us;
	int err;

	err = bench_machine_up(b);
	if (!err)
		err = bench_disk_open(b, BENCH_NVME, &nvme);
	/* Once each to warm up; without a peer it still has to work. */
	if (!err)
		err = latency(b, &us);
	if (!err && !nvme) {
		bench_absent(b, r, "no NVMe of the bench is there");
		return 0;
	}
	if (!err)
		err = disk_latency(b, nvme, &us);
	for (i = 0; i < b->rounds && !err; i++) {
		err = latency(b, &r->own[i]);
		if (!err)
			err = disk_latency(b, nvme, &r->other[i]);
	}
	bench_disk_close(nvme);
	if (!err)
		bench_row(b, r, b->rounds);
	return err;
}

int bench_doorbell_poll(struct bench *b)
{
	struct bench_row r = {
		.what = "no-op, doorbell to polled end",
		.peer = "NVMe, 4 KiB, depth 1",
		.unit = "us", .bar = BENCH_BAR_POLL,
	};

	return measure(b, &r, poll_latency);
}

int bench_doorbell_wake(struct bench *b)
{
	struct bench_row r = {
		.what = "no-op, doorbell to woken sleeper",
		.peer = "NVMe, 4 KiB, depth 1",
		.unit = "us", .bar = BENCH_BAR_WAKE,
	};

	return measure(b, &r, wake_latency);
}
