// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the life-cycle lane asks of each xPU while something is done to it.
 *
 *   life_xpu check N     a copy through N xPUs, its data checked: exit status 0
 *   life_xpu hold N      holds xPU N: a command that never ends, a sleeper in
 *                        WAIT_FENCE, mappings of host memory, HBM and doorbell,
 *                        memory of its own in a VM.
 *                        Prints "held". When the sleeper has been woken, all
 *                        mappings are used again, and "ended ERRNO" is printed.
 *   life_xpu keep N      the same, with data in HBM, some of it exported: when the
 *                        sleeper has been woken it must be there, in the eyes of
 *                        the CPU and of a new queue
 *   life_xpu commands N  prints "commands COUNT", completed since power on
 *   life_xpu kill N      sleepers of each kind on xPU N get SIGKILL; prints
 *                        "figure kill_ms_max MS" of the slowest to go
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xpu_lib.h"

#define VA		0x10000000UL
#define VA_HOST		0x18000000UL
#define VA_LENT		0x1c000000UL
#define VA_LARGE	0x1e000000UL
#define VA_Q		0x20000000UL
#define SEED		0x5eed
#define SETTLE_US	200000

struct held {
	int fd;
	uint32_t vm;
	struct xq q;
	char *hbm;
	char *host;
	char *lent;
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "life_xpu: %s: %s\n", what, strerror(-err));
	return 1;
}

static int take(struct held *h, unsigned int n)
{
	uint32_t hbm, host;
	int err;

	h->fd = xpu_open(n);
	if (h->fd < 0)
		return h->fd;
	err = vm_create(h->fd, &h->vm);
	if (!err)
		err = xq_open(&h->q, h->fd, h->vm, VA_Q, 64);
	if (!err)
		err = gem_create(h->fd, HBM_CPU, LARGE, &hbm);
	if (!err)
		err = gem_create(h->fd, HOST, LARGE, &host);
	if (!err)
		err = vm_map(h->fd, h->vm, hbm, 0, VA, LARGE, RW);
	if (!err)
		err = vm_map(h->fd, h->vm, host, 0, VA_HOST, LARGE, RW);
	if (err)
		return err;
	h->lent = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->lent == MAP_FAILED)
		return -errno;
	err = vm_map_user(h->fd, h->vm, h->lent, VA_LENT, LARGE, RW);
	if (err)
		return err;
	h->hbm = gem_map(h->fd, hbm, LARGE);
	h->host = gem_map(h->fd, host, LARGE);
	if (h->hbm == MAP_FAILED || h->host == MAP_FAILED)
		return -errno;
	return 0;
}

static int check_one(unsigned int n)
{
	struct held h;
	int err = take(&h, n);

	if (err)
		return fail("cannot take it", err);
	pattern_fill(h.host, LARGE, SEED + n);
	err = xq_copy(&h.q, VA, VA_HOST, LARGE);
	if (err)
		return fail("copy to HBM", err);
	if (pattern_check(h.hbm, LARGE, SEED + n) != LARGE)
		return fail("HBM holds something else", -EILSEQ);
	memset(h.host, 0, LARGE);
	err = xq_copy(&h.q, VA_HOST, VA, LARGE);
	if (err)
		return fail("copy from HBM", err);
	if (pattern_check(h.host, LARGE, SEED + n) != LARGE)
		return fail("memory holds something else", -EILSEQ);
	err = xq_copy(&h.q, VA_LENT, VA, LARGE);
	if (err)
		return fail("copy to memory of ours", err);
	if (pattern_check(h.lent, LARGE, SEED + n) != LARGE)
		return fail("memory of ours holds something else", -EILSEQ);
	munmap(h.lent, LARGE);
	munmap(h.hbm, LARGE);
	munmap(h.host, LARGE);
	xq_close(&h.q);
	close(h.fd);
	return 0;
}

static int hold(unsigned int n)
{
	struct held h;
	int err = take(&h, n);
	size_t i;

	if (err)
		return fail("cannot take it", err);
	memset(h.host, 1, LARGE);
	xq_push_endless(&h.q);
	puts("held");
	fflush(stdout);
	err = xq_wait(&h.q, PATIENCE_MS, NULL);
	/* Whatever is left of the device: no SIGBUS, and no fault in the kernel */
	for (i = 0; i < LARGE; i += PAGE) {
		h.hbm[i]++;
		h.host[i]++;
		h.lent[i]++;
	}
	munmap(h.lent, LARGE);
	*h.q.doorbell = h.q.tail;
	xq_close(&h.q);
	close(h.fd);
	printf("ended %d\n", -err);
	return 0;
}

/* The queue reads what pattern_fill() makes of a seed, or not. */
static int reads(struct held *h, uint64_t va, uint32_t seed)
{
	int err;

	memset(h->host, 0, LARGE);
	err = xq_copy(&h->q, VA_HOST, va, LARGE);
	if (!err && pattern_check(h->host, LARGE, seed) != LARGE)
		err = -EILSEQ;
	return err;
}

static int keep(unsigned int n)
{
	struct drm_alink_xpu_segment_handle handle;
	uint32_t pinned, id;
	struct held h;
	int err = take(&h, n), woken;

	if (!err)
		err = gem_create(h.fd, HBM, LARGE, &pinned);
	if (!err)
		err = vm_map(h.fd, h.vm, pinned, 0, VA_LARGE, LARGE, RW);
	if (!err)
		err = seg_export(h.fd, pinned, DRM_ALINK_XPU_SEGMENT_READ,
				 &handle, &id);
	if (err)
		return fail("cannot take it", err);
	pattern_fill(h.hbm, LARGE, SEED + n);
	pattern_fill(h.host, LARGE, SEED - n);
	err = xq_copy(&h.q, VA_LARGE, VA_HOST, LARGE);
	if (err)
		return fail("copy to HBM", err);
	xq_push_endless(&h.q);
	puts("held");
	fflush(stdout);
	woken = xq_wait(&h.q, PATIENCE_MS, NULL);
	if (pattern_check(h.hbm, LARGE, SEED + n) != LARGE)
		return fail("a mapping shows something else", -EILSEQ);
	xq_close(&h.q);
	err = xq_open(&h.q, h.fd, h.vm, VA_Q, 64);
	if (!err)
		err = reads(&h, VA, SEED + n);
	if (err)
		return fail("what is mapped, by a new queue", err);
	err = reads(&h, VA_LARGE, SEED - n);
	if (err)
		return fail("what is exported, by a new queue", err);
	xq_close(&h.q);
	close(h.fd);
	printf("ended %d\n", -woken);
	return 0;
}

/* A child that sleeps in one kind of wait */
static pid_t sleeper(unsigned int n, int kind)
{
	struct drm_alink_xpu_fence_syncobj fence = {
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
	};
	pid_t pid = fork();
	struct held h;

	if (pid)
		return pid;
	if (take(&h, n))
		_exit(1);
	xq_push_endless(&h.q);
	if (!kind)
		_exit(xq_wait(&h.q, PATIENCE_MS, NULL) ? 2 : 3);
	fence.handle = h.q.bo;
	fence.addr = h.q.fence_offset;
	fence.queue_id = h.q.id;
	fence.value = h.q.seq;
	if (syncobj_create(h.fd, &fence.syncobj) ||
	    xpu_ioctl(h.fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &fence))
		_exit(4);
	_exit(syncobj_wait(h.fd, fence.syncobj, 0, PATIENCE_MS) ? 5 : 6);
}

/* Ends a sleeper; @worst: the longest time that this has taken so far */
static int kill_one(pid_t pid, int64_t *worst)
{
	int64_t start = now_ns();
	int status;

	if (waitpid(pid, &status, WNOHANG)) {
		fprintf(stderr, "life_xpu: a sleeper ended early: %#x\n",
			status);
		return 1;
	}
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return fail("sleeper was not killed", -EINVAL);
	if (now_ns() - start > *worst)
		*worst = now_ns() - start;
	return 0;
}

/* A child that has HBM cleared all the time */
static pid_t creator(unsigned int n)
{
	pid_t pid = fork();
	uint32_t handle;
	int fd;

	if (pid)
		return pid;
	fd = xpu_open(n);
	while (!gem_create(fd, HBM, LARGE, &handle))
		gem_close(fd, handle);
	_exit(7);
}

/* One waits for the kernel's own queue, which hangs, and one waits for him. */
static int kill_creators(unsigned int n, int64_t *worst)
{
	pid_t pid[2];
	char model[16];
	int err, i;

	snprintf(model, sizeof(model), "xpu%u", n);
	for (i = 0; i < 2; i++)
		pid[i] = creator(n);
	usleep(5 * SETTLE_US);
	err = model_put(model, "x-queue-stuck", "1");
	if (err)
		return fail("the queue cannot be stopped", err);
	usleep(SETTLE_US);
	for (i = 0; i < 2; i++)
		err |= kill_one(pid[i], worst);
	if (model_put(model, "x-queue-stuck", "0"))
		return fail("the queue cannot go on", -EIO);
	return err;
}

static int kill_all(unsigned int n)
{
	int64_t worst = 0;
	int kind, err;
	pid_t pid;

	for (kind = 0; kind < 2; kind++) {
		pid = sleeper(n, kind);
		usleep(5 * SETTLE_US);
		err = kill_one(pid, &worst);
		if (err)
			return err;
	}
	err = kill_creators(n, &worst);
	if (err)
		return err;
	printf("kill_ms %lld\n", (long long)(worst / 1000000));
	return 0;
}

static int commands(unsigned int n)
{
	struct drm_alink_xpu_query_counters c;
	int fd = xpu_open(n), err;

	if (fd < 0)
		return fail("cannot open it", fd);
	err = xpu_counters(fd, &c);
	close(fd);
	if (err)
		return fail("counters", err);
	printf("commands %llu\n", (unsigned long long)c.commands);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int n, i;

	if (argc != 3) {
		fprintf(stderr, "usage: life_xpu check|commands|hold|keep|kill N\n");
		return 2;
	}
	n = atoi(argv[2]);
	if (!strcmp(argv[1], "hold"))
		return hold(n);
	if (!strcmp(argv[1], "keep"))
		return keep(n);
	if (!strcmp(argv[1], "kill"))
		return kill_all(n);
	if (!strcmp(argv[1], "commands"))
		return commands(n);
	for (i = 0; i < n; i++)
		if (check_one(i))
			return 1;
	return 0;
}
