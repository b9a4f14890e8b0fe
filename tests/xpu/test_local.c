// SPDX-License-Identifier: GPL-2.0-only
/* One xPU by itself: memory, bindings, queues, engine commands, fences. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA	0x10000000UL
#define VA_Q	0x20000000UL

FIXTURE(local)
{
	int fd;
	uint32_t vm;
	struct xq q;
};

FIXTURE_SETUP(local)
{
	self->fd = xpu_open(0);
	if (self->fd == -ENODEV)
		SKIP(return, "no xPU");
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
}

FIXTURE_TEARDOWN(local)
{
	xq_close(&self->q);
	EXPECT_EQ(vm_destroy(self->fd, self->vm), 0);
	close(self->fd);
}

TEST_F(local, nop)
{
	struct alink_xpu_desc d = { .opcode = ALINK_XPU_OP_NOP };

	ASSERT_EQ(xq_run(&self->q, d, NULL), 0);
	EXPECT_EQ(self->q.status->head, 1);
	EXPECT_EQ(self->q.status->error, 0);
	EXPECT_EQ(*self->q.fence, 1);
}

TEST_F(local, ring_wraps)
{
	struct alink_xpu_desc d = { .opcode = ALINK_XPU_OP_NOP };
	int i;

	for (i = 0; i < 300; i++) {
		xq_push(&self->q, d);
		if (i % 50 == 49) {
			xq_ring(&self->q);
			ASSERT_EQ(xq_wait(&self->q, 20000, NULL), 0);
		}
	}
	EXPECT_EQ(self->q.status->head, 300);
}

static void copy_and_fill(struct __test_metadata *_metadata,
			  FIXTURE_DATA(local) *self, uint32_t flags,
			  uint64_t size)
{
	uint32_t src, dst;
	uint8_t *a, *b;

	ASSERT_EQ(gem_create(self->fd, flags, size, &src), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, size, &dst), 0);
	a = gem_map(self->fd, src, size);
	ASSERT_NE(a, MAP_FAILED);
	b = gem_map(self->fd, dst, size);
	ASSERT_NE(b, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, src, 0, VA, size, RW), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, dst, 0, VA + size, size, RW), 0);

	pattern_fill(a, size, 1);
	ASSERT_EQ(xq_copy(&self->q, VA + size, VA, size), 0);
	EXPECT_EQ(pattern_check(b, size, 1), size);
	ASSERT_EQ(xq_fill(&self->q, VA, 0xcafe1234, size), 0);
	EXPECT_EQ(((uint32_t *)a)[0], 0xcafe1234);
	EXPECT_EQ(((uint32_t *)a)[size / 4 - 1], 0xcafe1234);
	ASSERT_EQ(xq_copy(&self->q, VA, VA + size, size), 0);
	EXPECT_EQ(pattern_check(a, size, 1), size);

	/* Not a byte beyond an odd range */
	ASSERT_EQ(xq_fill(&self->q, VA, 0, size), 0);
	ASSERT_EQ(xq_copy(&self->q, VA + 101, VA + size + 7, 333), 0);
	EXPECT_EQ(a[100], 0);
	EXPECT_EQ(memcmp(a + 101, b + 7, 333), 0);
	EXPECT_EQ(a[434], 0);

	munmap(a, size);
	munmap(b, size);
	EXPECT_EQ(vm_unmap(self->fd, self->vm, VA, 2 * size), 0);
	EXPECT_EQ(gem_close(self->fd, src), 0);
	EXPECT_EQ(gem_close(self->fd, dst), 0);
}

TEST_F(local, host)
{
	copy_and_fill(_metadata, self, HOST, 64 * PAGE);
}

TEST_F(local, hbm)
{
	copy_and_fill(_metadata, self, HBM_CPU, 64 * PAGE);
}

TEST_F(local, hbm_large_pages)
{
	copy_and_fill(_metadata, self, HBM_CPU, 2 * LARGE);
}

TEST_F(local, atomics)
{
	static const struct {
		uint8_t op;
		uint64_t operand, compare, result;
	} step[] = {
		{ ALINK_ATOMIC_SWAP, 0x100000001, 0, 0x100000001 },
		{ ALINK_ATOMIC_ADD, 9, 0, 0x10000000a },
		{ ALINK_ATOMIC_CAS, 77, 1, 0x10000000a },
		{ ALINK_ATOMIC_CAS, 77, 0x10000000a, 77 },
		{ ALINK_ATOMIC_AND, 0xf, 0, 13 },
		{ ALINK_ATOMIC_OR, 0x10, 0, 29 },
		{ ALINK_ATOMIC_XOR, 1, 0, 28 },
		{ ALINK_ATOMIC_MIN, 30, 0, 28 },
		{ ALINK_ATOMIC_MAX, 30, 0, 30 },
	};
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_ATOMIC64,
		.dst = VA,
		.len = VA + 64,
	};
	uint64_t *mem, old = 0;
	uint32_t bo;
	size_t i;

	ASSERT_EQ(gem_create(self->fd, HBM_CPU, PAGE, &bo), 0);
	mem = gem_map(self->fd, bo, PAGE);
	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, PAGE, RWA), 0);
	for (i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		d.subop = step[i].op;
		d.src = step[i].operand;
		d.src2 = step[i].compare;
		ASSERT_EQ(xq_run(&self->q, d, NULL), 0);
		EXPECT_EQ(mem[0], step[i].result) {
			TH_LOG("step %zu", i);
		}
		EXPECT_EQ(mem[8], old);
		old = step[i].result;
	}
	munmap(mem, PAGE);
	vm_unmap(self->fd, self->vm, VA, PAGE);
	gem_close(self->fd, bo);
}

TEST_F(local, reduce)
{
	const uint32_t n = 1024;
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_REDUCE,
		.dtype = ALINK_DT_FP32,
		.subop = ALINK_OP_SUM,
		.dst = VA + 2 * PAGE,
		.src = VA,
		.src2 = VA + PAGE,
		.len = n * 4,
	};
	uint32_t bo, i;
	float *mem;

	ASSERT_EQ(gem_create(self->fd, HBM_CPU, 3 * PAGE, &bo), 0);
	mem = gem_map(self->fd, bo, 3 * PAGE);
	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, 3 * PAGE, RW), 0);
	for (i = 0; i < n; i++) {
		mem[i] = i;
		mem[n + i] = 0.5f;
	}
	ASSERT_EQ(xq_run(&self->q, d, NULL), 0);
	for (i = 0; i < n; i++)
		ASSERT_EQ(mem[2 * n + i], i + 0.5f);
	munmap(mem, 3 * PAGE);
	vm_unmap(self->fd, self->vm, VA, 3 * PAGE);
	gem_close(self->fd, bo);
}

/* What is left of a mapping shows the same part of the object as before. */
static void split(struct __test_metadata *_metadata, int fd, uint32_t flags)
{
	uint32_t bo, i, *p, *q;

	ASSERT_EQ(gem_create(fd, flags, 4 * PAGE, &bo), 0);
	p = gem_map(fd, bo, 4 * PAGE);
	ASSERT_NE(p, MAP_FAILED);
	for (i = 0; i < 4; i++)
		p[i * PAGE / 4] = i + 1;
	ASSERT_EQ(munmap(p, 4 * PAGE), 0);

	p = gem_map(fd, bo, 4 * PAGE);
	ASSERT_NE(p, MAP_FAILED);
	ASSERT_EQ(munmap(p, PAGE), 0);
	for (i = 1; i < 4; i++)
		EXPECT_EQ(p[i * PAGE / 4], i + 1);
	q = mremap(p + PAGE / 4, 2 * PAGE, PAGE, 0);
	EXPECT_EQ(q, p + PAGE / 4);
	EXPECT_EQ(*q, 2);
	munmap(p, 4 * PAGE);
}

TEST_F(local, split_mapping)
{
	split(_metadata, self->fd, HOST);
	split(_metadata, self->fd, HBM_CPU);
}

TEST_F(local, wait_is_released_by_the_cpu)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_WAIT,
		.subop = ALINK_WAIT_GE,
		.src = 5,
	};

	d.dst = self->q.va + self->q.fence_offset + 8;
	xq_push(&self->q, d);
	xq_ring(&self->q);
	EXPECT_EQ(xq_wait(&self->q, 50, NULL), -ETIME);
	self->q.fence[1] = 5;
	EXPECT_EQ(xq_wait(&self->q, 20000, NULL), 0);
}

TEST_HARNESS_MAIN
