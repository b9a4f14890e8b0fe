// SPDX-License-Identifier: GPL-2.0-only
/* libalink: memory that is not its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"

#define SIZE		(64UL << 10)
#define WAIT_MS		60000

FIXTURE(lib)
{
	struct alink_ctx *ctx;
	struct alink_xpu *xpu[2];
	struct alink_queue *queue[2];
	uint8_t *mem;
};

FIXTURE_SETUP(lib)
{
	int i;

	ASSERT_EQ(0, alink_new(&self->ctx));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, alink_xpu_open(self->ctx, i, &self->xpu[i]));
		ASSERT_EQ(0, alink_queue_open(self->xpu[i], 16,
					      &self->queue[i]));
	}
	self->mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(lib)
{
	int i;

	for (i = 0; i < 2; i++) {
		alink_queue_close(self->queue[i]);
		alink_xpu_close(self->xpu[i]);
	}
	munmap(self->mem, SIZE);
	alink_free(self->ctx);
}

static int copy(struct alink_queue *q, uint64_t dst, uint64_t src)
{
	uint64_t seq;
	int err = alink_cmd_copy(q, dst, src, SIZE, &seq);

	if (err)
		return err;
	alink_queue_kick(q);
	return alink_queue_wait(q, seq, WAIT_MS);
}

static void fill(uint8_t *mem, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		mem[i] = (uint8_t)(i * 31 + i / 256 + seed);
}

TEST_F(lib, memory_of_the_process)
{
	uint8_t *want = malloc(SIZE);
	struct alink_bo *user, *hbm;

	ASSERT_NE(NULL, want);
	fill(want, 1);
	memcpy(self->mem, want, SIZE);
	ASSERT_EQ(0, alink_bo_user(self->xpu[0], self->mem, SIZE, &user)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	EXPECT_EQ(self->mem, alink_bo_map(user));
	ASSERT_EQ(0, alink_bo_alloc(self->xpu[0], SIZE, ALINK_PLACE_HBM, &hbm));
	ASSERT_EQ(0, copy(self->queue[0], alink_bo_va(hbm), alink_bo_va(user)));
	memset(self->mem, 0, SIZE);
	ASSERT_EQ(0, copy(self->queue[0], alink_bo_va(user), alink_bo_va(hbm)));
	EXPECT_EQ(0, memcmp(want, self->mem, SIZE));
	alink_bo_free(user);
	/* It is the caller's still, and nobody else's. */
	memset(self->mem, 7, SIZE);
	EXPECT_EQ(-EIO, copy(self->queue[0], alink_bo_va(hbm),
			     alink_bo_va(hbm) + (1UL << 40)));
	alink_bo_free(hbm);
	free(want);
}

TEST_F(lib, memory_that_cannot_be_used)
{
	long page = sysconf(_SC_PAGESIZE);
	struct alink_bo *bo;
	void *rom, *hole;

	EXPECT_EQ(-EINVAL, alink_bo_user(self->xpu[0], self->mem + 1, SIZE,
					 &bo));
	EXPECT_EQ(-EINVAL, alink_bo_user(self->xpu[0], self->mem, SIZE - 1,
					 &bo));
	EXPECT_EQ(-EINVAL, alink_bo_user(self->xpu[0], self->mem, 0, &bo));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "multiples of"));
	rom = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, rom);
	EXPECT_EQ(-EACCES, alink_bo_user(self->xpu[0], rom, page, &bo));
	munmap(rom, page);
	hole = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(hole, page);
	EXPECT_EQ(-EFAULT, alink_bo_user(self->xpu[0], hole, page, &bo));
}

TEST_F(lib, a_buffer_of_another_xpu)
{
	struct alink_bo *own, *theirs, *back;
	uint8_t *want = malloc(SIZE);
	uint8_t *a, *b;
	int fd;

	ASSERT_NE(NULL, want);
	ASSERT_EQ(0, alink_bo_alloc(self->xpu[0], SIZE, ALINK_PLACE_HOST,
				    &own));
	ASSERT_EQ(0, alink_bo_fd(own, &fd)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	ASSERT_EQ(0, alink_bo_from_fd(self->xpu[1], fd, &theirs)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	close(fd);
	EXPECT_EQ(SIZE, alink_bo_size(theirs));
	ASSERT_EQ(0, alink_bo_alloc(self->xpu[1], SIZE, ALINK_PLACE_HOST,
				    &back));
	a = alink_bo_map(own);
	b = alink_bo_map(back);
	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	fill(want, 2);
	memcpy(a, want, SIZE);
	ASSERT_EQ(0, copy(self->queue[1], alink_bo_va(back),
			  alink_bo_va(theirs)));
	EXPECT_EQ(0, memcmp(want, b, SIZE));
	fill(want, 3);
	memcpy(b, want, SIZE);
	ASSERT_EQ(0, copy(self->queue[1], alink_bo_va(theirs),
			  alink_bo_va(back)));
	EXPECT_EQ(0, memcmp(want, a, SIZE));
	/* Who gave it away may go first. */
	alink_bo_free(own);
	ASSERT_EQ(0, copy(self->queue[1], alink_bo_va(back),
			  alink_bo_va(theirs)));
	EXPECT_EQ(-EOPNOTSUPP, alink_bo_fd(theirs, &fd));
	alink_bo_free(theirs);
	alink_bo_free(back);
	free(want);
}

TEST_F(lib, a_file_that_is_no_dma_buf)
{
	int fd = memfd_create("none", MFD_CLOEXEC);
	struct alink_bo *bo;

	EXPECT_EQ(-EINVAL, alink_bo_from_fd(self->xpu[0], fd, &bo));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "dma-buf"));
	close(fd);
	EXPECT_EQ(-EBADF, alink_bo_from_fd(self->xpu[0], fd, &bo));
}

TEST_HARNESS_MAIN
