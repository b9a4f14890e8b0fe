/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the kernel's own queue share: how its engine is made to
 * hang, and what the driver counts.
 */
#ifndef KERNEL_QUEUE_H
#define KERNEL_QUEUE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xpu_lib.h"

#define STUCK		"x-queue-stuck"
#define NOT_ENDED	"x-destroy-stuck"
#define KERNEL_QUEUE	0

struct kq_counts {
	int64_t hung;
	int64_t hang_resets;
	uint32_t generation;
};

static inline int64_t counter(const char *sysfs, const char *name)
{
	char path[512], text[64];

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	if (read_file(path, text, sizeof(text)) <= 0)
		return -1;
	return strtoll(text, NULL, 10);
}

static inline struct kq_counts kq_counts(int fd, const char *sysfs)
{
	struct drm_alink_xpu_query_device d = { .generation = ~0U };

	xpu_device(fd, &d);
	return (struct kq_counts) {
		.hung = counter(sysfs, "hung_queues"),
		.hang_resets = counter(sysfs, "hang_resets"),
		.generation = d.generation,
	};
}

/* Since @old so many more, and no others */
#define EXPECT_COUNTS(fd, sysfs, old, queues, resets, generations) do {	\
	struct kq_counts now_ = kq_counts(fd, sysfs);			\
									\
	EXPECT_EQ(now_.hung, (old).hung + (queues));			\
	EXPECT_EQ(now_.hang_resets, (old).hang_resets + (resets));	\
	EXPECT_EQ(now_.generation, (old).generation + (generations));	\
} while (0)

static inline int release(const char *model)
{
	return model_put(model, STUCK, "0") ?: model_put(model, NOT_ENDED, "0");
}

/* The kernel's queue, and @others beside it */
static inline int stick(const char *model, const char *prop, uint64_t others)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)(1ULL << KERNEL_QUEUE | others));
	return model_put(model, prop, text);
}

/* A child that creates an HBM object, and exits with the errno */
static inline pid_t creator(int fd, uint64_t size)
{
	uint32_t handle;
	pid_t pid = fork();

	if (!pid)
		_exit(-gem_create(fd, HBM, size, &handle));
	return pid;
}

static inline bool runs(pid_t pid)
{
	return !waitpid(pid, NULL, WNOHANG);
}

/* Did it end by that? Returns when it has ended. */
static inline bool killed(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

/* Until a counter is not what it was. The test has a guard. */
static inline void await_change(const char *sysfs, const char *name,
				int64_t old)
{
	while (counter(sysfs, name) == old)
		usleep(10000);
}

/* The first answer of a device that is neither in reset nor failed any more */
static inline int create_at_last(int fd, uint64_t size)
{
	uint32_t handle;
	int err;

	do {
		usleep(100000);
		err = gem_create(fd, HBM, size, &handle);
	} while (err == -EBUSY || err == -EIO);
	return err;
}

#endif /* KERNEL_QUEUE_H */
