// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "fuzz_lib.h"

#define COVER_ENTRIES	(256 << 10)
#define MAX_PCS		(16 << 10)
#define SLOTS		(64 << 10)	/* power of two, far above MAX_PCS */
#define TICK_US		10000

/*
 * Memory that the host sees too and keeps when the guest dies: the inputs that
 * were run last. guest_fuzz.py and lane_fuzz know its layout.
 */
#define SHOWN_SLOT	1024
#define SHOWN_SLOTS	1023

struct shown {
	uint64_t execs;		/* begun; the last is in slot (execs - 1) % SLOTS */
	uint64_t calls;
	uint64_t pcs;
	uint64_t stop;	/* written by the host: end as if the time were up */
	uint8_t pad[SHOWN_SLOT - 32];
	struct {
		uint32_t size;
		uint8_t data[SHOWN_SLOT - 4];
	} slot[SHOWN_SLOTS];
};

static_assert(sizeof(struct shown) == 1 << 20, "size of the shared memory");

/* libFuzzer counts what is in this section as coverage. */
__attribute__((section("__libfuzzer_extra_counters")))
static uint8_t counters[MAX_PCS];

static struct {
	unsigned long pc;
	unsigned int id;
} seen[SLOTS];

static unsigned int num_pcs;
static unsigned int calls;
/* 1 when inputs are sorted out: how often a place was reached is then nothing. */
static uint8_t most = 255;
static uint64_t *cover;
static volatile struct shown *shown;

static void on_tick(int sig)
{
	(void)sig;
}

/* Waits that a signal may end do so: no call of an input takes long. */
static void tick(void)
{
	struct itimerval t = { { 0, TICK_US }, { 0, TICK_US } };
	struct sigaction sa = { .sa_handler = on_tick };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/* All places reached, one a line, for the report. */
static void write_pcs(void)
{
	const char *path = getenv("FUZZ_PCS");
	FILE *f = path ? fopen(path, "w") : NULL;
	unsigned int i;

	if (!f)
		return;
	for (i = 0; i < SLOTS; i++)
		if (seen[i].pc)
			fprintf(f, "%lx\n", seen[i].pc);
	fclose(f);
}

static void die(const char *what)
{
	perror(what);
	exit(3);
}

void fuzz_init(void)
{
	const char *path = getenv("FUZZ_SHOWN");
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, COVER_ENTRIES))
		die("kcov");
	cover = mmap(NULL, COVER_ENTRIES * sizeof(*cover),
		     PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("kcov");
	if (getenv("FUZZ_ONCE"))
		most = 1;
	fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	shown = mmap(NULL, sizeof(*shown), PROT_READ | PROT_WRITE,
		     fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if ((path && fd < 0) || shown == MAP_FAILED)
		die("memory shared with the host");
	atexit(write_pcs);
	tick();
}

/* libFuzzer ends well on this signal, but without what atexit() was given. */
static void stop(void)
{
	write_pcs();
	raise(SIGUSR1);
}

void fuzz_begin(const uint8_t *data, size_t size)
{
	unsigned int n = shown->execs % SHOWN_SLOTS;

	if (size > sizeof(shown->slot[n].data))
		size = sizeof(shown->slot[n].data);
	memcpy((void *)shown->slot[n].data, data, size);
	shown->slot[n].size = size;
	shown->execs++;
	calls = 0;
	if (shown->stop)
		stop();
	__atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
}

bool fuzz_call(void)
{
	if (++calls > FUZZ_MAX_CALLS)
		return false;
	shown->calls++;
	return true;
}

static void count(unsigned long pc)
{
	unsigned int i = pc * 0x9e3779b97f4a7c15UL >> 48;

	while (seen[i].pc && seen[i].pc != pc)
		i = (i + 1) % SLOTS;
	if (!seen[i].pc) {
		if (num_pcs == MAX_PCS)
			return;
		seen[i].pc = pc;
		seen[i].id = num_pcs++;
		shown->pcs = num_pcs;
	}
	if (counters[seen[i].id] < most)
		counters[seen[i].id]++;
}

void fuzz_end(void)
{
	uint64_t i, n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED);

	if (n > COVER_ENTRIES - 1)
		n = COVER_ENTRIES - 1;
	for (i = 1; i <= n; i++)
		count(cover[i]);
}

uint64_t special(struct fuzz_in *in, uint8_t choice, uint64_t good)
{
	switch (choice % 32) {
	case 0: return 0;
	case 1: return 1;
	case 2: return ~0ULL;
	case 3: return 0xffffffff;
	case 4: return 0x7fffffff;
	case 5: return 0x80000000;
	case 6: return 1ULL << 63;
	case 7: return (1ULL << 63) - 1;
	case 8: return 1ULL << 32;
	case 9: return good + 1;
	case 10: return good - 1;
	case 11: return -good;
	case 12: return good << 1;
	case 13: return good >> 1;
	case 14: return good ^ 1ULL << take(in) % 64;
	case 15: return good + (int8_t)take(in);
	case 16: return good + 4096;
	case 17: return good - 4096;
	case 18: return take(in);
	case 19: return take_n(in, 2);
	case 20: return take_n(in, 4);
	case 21: return 1ULL << take(in) % 64;
	case 22: return (1ULL << take(in) % 64) - 1;
	case 23: return ~0ULL << take(in) % 64;
	case 24: return 1024;
	case 25: return 1025;
	case 26: return 64;
	case 27: return 65;
	default: return take_n(in, 8);
	}
}
