// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one process left in memory, no other ever reads: in HBM and in host
 * memory, through the CPU and through the engines, however the first one ended.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define SECRET	0x5ec4e7a1U
#define SIZE	(16 * MIB)
#define VA	(512 * LARGE)
#define VA_HOST	(1024 * LARGE)
#define VA_Q	(128 * LARGE)
#define CHUNKS	4

enum ending { FREES, CLOSES, IS_KILLED, IS_RESET };

/* Process A: fills all that it can get, and ends. */
static void leave_secrets(uint32_t flags, enum ending ending)
{
	uint32_t vm, bo[CHUNKS], i;
	int fd = xpu_open(0);
	char path[512];
	struct xq q;
	void *map;
	int out;

	if (fd < 0 || vm_create(fd, &vm) || xq_open(&q, fd, vm, VA_Q, 64))
		_exit(1);
	for (i = 0; i < CHUNKS; i++) {
		if (gem_create(fd, flags, SIZE, &bo[i]) ||
		    vm_map(fd, vm, bo[i], 0, VA + i * SIZE, SIZE, RW) ||
		    xq_run(&q, (struct alink_xpu_desc) {
				.opcode = ALINK_XPU_OP_COPY,
				.dst = VA + i * SIZE, .src = VA + i * SIZE,
				.len = PAGE }, NULL))
			_exit(2);
		if (flags == HBM)
			continue;
		map = gem_map(fd, bo[i], SIZE);
		if (map == MAP_FAILED)
			_exit(3);
		for (uint32_t at = 0; at < SIZE / 4; at++)
			((uint32_t *)map)[at] = SECRET;
		munmap(map, SIZE);
	}
	/* Fills may be lost on purpose: what the CPU cannot reach is copied. */
	if (flags == HBM) {
		uint32_t host;

		if (gem_create(fd, HOST, SIZE, &host) ||
		    vm_map(fd, vm, host, 0, VA_HOST, SIZE, RW))
			_exit(4);
		map = gem_map(fd, host, SIZE);
		if (map == MAP_FAILED)
			_exit(5);
		for (uint32_t at = 0; at < SIZE / 4; at++)
			((uint32_t *)map)[at] = SECRET;
		for (i = 0; i < CHUNKS; i++)
			if (xq_copy(&q, VA + i * SIZE, VA_HOST, SIZE))
				_exit(6);
	}
	switch (ending) {
	case FREES:
		for (i = 0; i < CHUNKS; i++)
			if (vm_unmap(fd, vm, VA + i * SIZE, SIZE) ||
			    gem_close(fd, bo[i]))
				_exit(7);
		break;
	case CLOSES:
		break;
	case IS_KILLED:
		kill(getpid(), SIGKILL);
		break;
	case IS_RESET:
		xq_close(&q);
		if (xpu_sysfs(fd, path, sizeof(path) - 8))
			_exit(8);
		strcat(path, "/reset");
		out = open(path, O_WRONLY | O_CLOEXEC);
		if (out < 0 || write(out, "1", 1) != 1)
			_exit(9);
		close(out);
		break;
	}
	close(fd);
	_exit(0);
}

static size_t count_secrets(const uint32_t *p, size_t n, size_t *others)
{
	size_t i, found = 0;

	for (i = 0; i < n; i++) {
		found += p[i] == SECRET;
		*others += p[i] && p[i] != SECRET;
	}
	return found;
}

/* Process B: takes as much, and looks. How many words are not zero */
static void look(struct __test_metadata *_metadata, uint32_t flags)
{
	size_t found = 0, others = 0;
	uint32_t vm, bo, host, i;
	int fd = xpu_open(0);
	uint32_t *map, *out;
	struct xq q;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(vm_create(fd, &vm), 0);
	ASSERT_EQ(xq_open(&q, fd, vm, VA_Q, 64), 0);
	ASSERT_EQ(gem_create(fd, HOST, SIZE, &host), 0);
	ASSERT_EQ(vm_map(fd, vm, host, 0, VA_HOST, SIZE, RW), 0);
	out = gem_map(fd, host, SIZE);
	ASSERT_NE(out, MAP_FAILED);
	found += count_secrets(out, SIZE / 4, &others);
	for (i = 0; i < 2 * CHUNKS; i++) {
		ASSERT_EQ(gem_create(fd, flags, SIZE, &bo), 0);
		/* by an engine */
		ASSERT_EQ(vm_map(fd, vm, bo, 0, VA + i * SIZE, SIZE, RW), 0);
		memset(out, 0xff, SIZE);
		ASSERT_EQ(xq_copy(&q, VA_HOST, VA + i * SIZE, SIZE), 0);
		found += count_secrets(out, SIZE / 4, &others);
		if (flags == HBM)
			continue;
		/* by the CPU */
		map = gem_map(fd, bo, SIZE);
		ASSERT_NE(map, MAP_FAILED);
		found += count_secrets(map, SIZE / 4, &others);
		munmap(map, SIZE);
	}
	EXPECT_EQ(found, 0) {
		TH_LOG("%zu words of another process", found);
	}
	EXPECT_EQ(others, 0);
	close(fd);
}

FIXTURE(memory) {
};

FIXTURE_VARIANT(memory)
{
	uint32_t flags;
	enum ending ending;
};

#define VARIANT(name, f, e) \
	FIXTURE_VARIANT_ADD(memory, name) { .flags = f, .ending = e }

VARIANT(hbm_freed, HBM_CPU, FREES);
VARIANT(hbm_closed, HBM_CPU, CLOSES);
VARIANT(hbm_killed, HBM_CPU, IS_KILLED);
VARIANT(hbm_reset, HBM_CPU, IS_RESET);
VARIANT(hidden_hbm_closed, HBM, CLOSES);
VARIANT(hidden_hbm_killed, HBM, IS_KILLED);
VARIANT(host_freed, HOST, FREES);
VARIANT(host_killed, HOST, IS_KILLED);

FIXTURE_SETUP(memory) {}
FIXTURE_TEARDOWN(memory) {}

TEST_F(memory, is_cleared)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		leave_secrets(variant->flags, variant->ending);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	if (variant->ending == IS_KILLED) {
		ASSERT_TRUE(WIFSIGNALED(status));
	} else {
		ASSERT_TRUE(WIFEXITED(status));
		ASSERT_EQ(WEXITSTATUS(status), 0);
	}
	look(_metadata, variant->flags);
}

/* Nothing else shows memory of the device: no dump, no file for debugging. */
TEST(no_other_way_to_memory)
{
	DIR *dir = opendir("/sys/class/devcoredump");
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		EXPECT_EQ(strncmp(e->d_name, "devcd", 5) ? 0 : 1, 0);
	if (dir)
		closedir(dir);
	EXPECT_NE(access("/sys/kernel/debug/alink_xpu", F_OK), 0);
}

TEST_HARNESS_MAIN
