// SPDX-License-Identifier: GPL-2.0-only
/* libalink: memory that is not its own, and what waits for fences. */
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

/* --- fences of the kernel ---------------------------------------------------- */

#define LIFE_MS		ALINK_SYNC_MAX_LIFE_MS

/* A command that ends when the word is 7 */
static int hold(struct alink_queue *q, struct alink_bo *gate, uint64_t *seq)
{
	int err = alink_cmd_wait(q, alink_bo_va(gate), ALINK_WAIT_EQ, 7, seq);

	alink_queue_kick(q);
	return err;
}

static void let_go(struct alink_bo *gate)
{
	__atomic_store_n((uint64_t *)alink_bo_map(gate), 7, __ATOMIC_RELEASE);
}

/*
 * Is the buffer there for commands? It needs a queue of its own to fail, and so
 * waits for what is to be bound before that.
 */
static int reaches(struct alink_xpu *xpu, struct alink_bo *bo)
{
	struct alink_queue *q;
	uint64_t seq;
	int err = alink_queue_open(xpu, 16, &q);

	if (err)
		return err;
	err = alink_cmd_fill(q, alink_bo_va(bo), 0, SIZE, &seq);
	if (!err)
		err = alink_queue_wait(q, seq, WAIT_MS);
	alink_queue_close(q);
	return err;
}

FIXTURE(sync)
{
	struct alink_ctx *ctx;
	struct alink_xpu *xpu;
	struct alink_queue *queue;
	struct alink_bo *gate, *later;
	struct alink_sync *one, *line;
};

FIXTURE_SETUP(sync)
{
	ASSERT_EQ(0, alink_new(&self->ctx));
	ASSERT_EQ(0, alink_xpu_open(self->ctx, 0, &self->xpu));
	ASSERT_EQ(0, alink_queue_open(self->xpu, 16, &self->queue));
	ASSERT_EQ(0, alink_bo_alloc(self->xpu, SIZE, ALINK_PLACE_HOST,
				    &self->gate));
	ASSERT_NE(NULL, alink_bo_map(self->gate));
	ASSERT_EQ(0, alink_bo_alloc_unbound(self->xpu, SIZE, ALINK_PLACE_HBM,
					    &self->later));
	ASSERT_EQ(0, alink_sync_new(self->xpu, &self->one));
	ASSERT_EQ(0, alink_sync_new(self->xpu, &self->line));
}

FIXTURE_TEARDOWN(sync)
{
	/* First: nothing waits for the gate any more. */
	alink_queue_close(self->queue);
	alink_sync_free(self->one);
	alink_sync_free(self->line);
	alink_bo_free(self->later);
	alink_bo_free(self->gate);
	alink_xpu_close(self->xpu);
	alink_free(self->ctx);
}

/* When a command is done, and not before, a buffer is bound; then unbound. */
TEST_F(sync, bound_after_a_command)
{
	const struct alink_sync_point at[] = {
		{ self->line, 1 }, { self->line, 2 }, { self->line, 3 },
	};
	uint64_t seq, va = alink_bo_va(self->later);

	ASSERT_NE(0UL, va);
	EXPECT_EQ(-EIO, reaches(self->xpu, self->later));
	ASSERT_EQ(0, hold(self->queue, self->gate, &seq));
	ASSERT_EQ(0, alink_queue_sync(self->queue, seq, LIFE_MS, &at[0])) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	ASSERT_EQ(0, alink_bo_bind_async(self->later, &at[0], 1, &at[1])) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	EXPECT_EQ(-ETIME, alink_sync_wait(&at[1], 200));
	let_go(self->gate);
	EXPECT_EQ(0, alink_sync_wait(&at[1], WAIT_MS)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	EXPECT_EQ(va, alink_bo_va(self->later));
	EXPECT_EQ(0, reaches(self->xpu, self->later));

	ASSERT_EQ(0, alink_bo_unbind_async(self->later, NULL, 0, &at[2]));
	EXPECT_EQ(0, alink_sync_wait(&at[2], WAIT_MS));
	EXPECT_EQ(-EIO, reaches(self->xpu, self->later));
	/* The address is still its own. */
	ASSERT_EQ(0, alink_bo_bind_async(self->later, NULL, 0, NULL));
	alink_bo_free(self->gate);
	self->gate = NULL;
	EXPECT_EQ(0, reaches(self->xpu, self->later));
}

/* A command that fails: who waits for it learns that, and nothing is bound. */
TEST_F(sync, an_error_goes_on)
{
	const struct alink_sync_point one = { self->one, 0 };
	const struct alink_sync_point at[] = {
		{ self->line, 1 }, { self->line, 2 },
	};
	uint64_t seq;

	ASSERT_EQ(0, hold(self->queue, self->gate, NULL));
	ASSERT_EQ(0, alink_cmd_copy(self->queue, alink_bo_va(self->later),
				    alink_bo_va(self->gate), SIZE, &seq));
	/* That starts it, too. */
	ASSERT_EQ(0, alink_queue_sync(self->queue, seq, LIFE_MS, &one));
	ASSERT_EQ(0, alink_bo_bind_async(self->later, &one, 1, &at[0]));
	let_go(self->gate);
	EXPECT_EQ(-EIO, alink_sync_wait(&one, WAIT_MS));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "with an error"));
	EXPECT_EQ(-EIO, alink_sync_wait(&at[0], WAIT_MS));
	EXPECT_EQ(-EIO, reaches(self->xpu, self->later));
	/* What comes after it is done all the same. */
	ASSERT_EQ(0, alink_bo_bind_async(self->later, NULL, 0, &at[1]));
	EXPECT_EQ(0, alink_sync_wait(&at[1], WAIT_MS));
	EXPECT_EQ(0, reaches(self->xpu, self->later));
}

TEST_F(sync, a_life_that_is_over)
{
	const struct alink_sync_point one = { self->one, 0 };
	uint64_t seq;

	ASSERT_EQ(0, hold(self->queue, self->gate, &seq));
	ASSERT_EQ(0, alink_queue_sync(self->queue, seq, 50, &one));
	EXPECT_EQ(-ETIMEDOUT, alink_sync_wait(&one, WAIT_MS));
	/* It is the fence that has ended, not the command; a new one is good. */
	ASSERT_EQ(0, alink_queue_sync(self->queue, seq, LIFE_MS, &one));
	let_go(self->gate);
	EXPECT_EQ(0, alink_sync_wait(&one, WAIT_MS));
	EXPECT_EQ(0, alink_queue_wait(self->queue, seq, WAIT_MS));
}

TEST_F(sync, what_is_refused)
{
	struct alink_sync_point many[ALINK_MAX_SYNCS + 1];
	const struct alink_sync_point one = { self->one, 0 };
	const struct alink_sync_point soon = { self->line, 1 };
	uint64_t seq;
	int i;

	ASSERT_EQ(0, alink_cmd_nop(self->queue, &seq));
	EXPECT_EQ(-EINVAL, alink_queue_sync(self->queue, seq + 1, 1, &one));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "latest"));
	EXPECT_EQ(-EINVAL, alink_queue_sync(self->queue, seq, 0, &one));
	EXPECT_EQ(-EINVAL, alink_queue_sync(self->queue, seq, LIFE_MS + 1,
					    &one));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "10000"));
	/* Nothing has been put there. */
	EXPECT_EQ(-ETIME, alink_sync_wait(&one, 0));
	EXPECT_EQ(-EINVAL, alink_bo_bind_async(self->later, &one, 1, &soon));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "no fence yet"));
	EXPECT_EQ(-ETIME, alink_sync_wait(&soon, 0));

	ASSERT_EQ(0, alink_queue_sync(self->queue, seq, LIFE_MS, &one));
	for (i = 0; i <= ALINK_MAX_SYNCS; i++)
		many[i] = one;
	EXPECT_EQ(-E2BIG, alink_bo_bind_async(self->later, many,
					      ALINK_MAX_SYNCS + 1, NULL));
	EXPECT_EQ(-E2BIG, alink_bo_bind_async(self->later, many,
					      ALINK_MAX_SYNCS, &soon));
	EXPECT_EQ(0, alink_bo_bind_async(self->later, many,
					 ALINK_MAX_SYNCS - 1, &soon));
	EXPECT_EQ(0, alink_sync_wait(&soon, WAIT_MS));
}

/* A syncobj of one xPU orders the other one. */
TEST_F(sync, taken_over_by_another_xpu)
{
	const struct alink_sync_point here = { self->line, 1 };
	struct alink_sync_point there = { NULL, 1 }, done = { NULL, 2 };
	struct alink_bo *theirs;
	struct alink_xpu *other;
	uint64_t seq;
	int fd, file;

	ASSERT_EQ(0, alink_xpu_open(self->ctx, 1, &other));
	ASSERT_EQ(0, alink_bo_alloc_unbound(other, SIZE, ALINK_PLACE_HBM,
					    &theirs));
	ASSERT_EQ(0, hold(self->queue, self->gate, &seq));
	ASSERT_EQ(0, alink_queue_sync(self->queue, seq, LIFE_MS, &here));
	EXPECT_EQ(-EINVAL, alink_bo_bind_async(theirs, &here, 1, NULL));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "alink_sync_from_fd"));

	ASSERT_EQ(0, alink_sync_fd(self->line, &fd));
	ASSERT_EQ(0, alink_sync_from_fd(other, fd, &there.sync)) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	close(fd);
	done.sync = there.sync;
	ASSERT_EQ(0, alink_bo_bind_async(theirs, &there, 1, &done));
	EXPECT_EQ(-ETIME, alink_sync_wait(&done, 200));
	let_go(self->gate);
	EXPECT_EQ(0, alink_sync_wait(&done, WAIT_MS));
	EXPECT_EQ(0, reaches(other, theirs));

	file = memfd_create("none", MFD_CLOEXEC);
	EXPECT_EQ(-EINVAL, alink_sync_from_fd(other, file, &done.sync));
	EXPECT_NE(NULL, strstr(alink_error(self->ctx), "syncobj"));
	close(file);
	alink_sync_free(there.sync);
	alink_bo_free(theirs);
	alink_xpu_close(other);
}

TEST_HARNESS_MAIN
