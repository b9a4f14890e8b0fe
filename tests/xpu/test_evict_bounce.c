// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eviction for a device whose DMA goes through bounce buffers, which are far
 * smaller than what moves at a time: tests/trust/lane_iommu boots with such. Then
 * nothing else may lie in host memory, as that would have to be synchronised. In
 * other guests the same has to work, too.
 */
#include "evict.h"

/* Four of these are more than what is visible. */
#define NUM	4
#define PART	(14 * MIB)

static bool all_of(const uint32_t *p, uint32_t value, size_t len)
{
	size_t i;

	for (i = 0; i < len / 4; i++)
		if (p[i] != value)
			return false;
	return true;
}

FIXTURE(bounce)
{
	int fd;
};

FIXTURE_SETUP(bounce)
{
	self->fd = xpu_open(XPU);
	ASSERT_GE(self->fd, 0);
	ASSERT_TRUE(all_gone(self->fd));
}

FIXTURE_TEARDOWN(bounce)
{
	close(self->fd);
}

TEST_F_TIMEOUT(bounce, all_in_hbm, SLOW)
{
	struct drm_alink_xpu_query_memory m;
	uint32_t vm, bo[NUM], *p[NUM];
	int fd = self->fd, i, k;
	struct xq q;

	ASSERT_EQ(vm_create(fd, &vm), 0);
	ASSERT_EQ(xq_open_in(&q, fd, vm, VA_Q, 64,
			     DRM_ALINK_XPU_PRIORITY_NORMAL, HBM_CPU), 0);
	m = memory(fd);
	for (i = 0; i < NUM; i++) {
		ASSERT_EQ(gem_create(fd, HBM_CPU, PART, &bo[i]), 0);
		ASSERT_EQ(vm_map(fd, vm, bo[i], 0, VA_OF(i), PART, RW), 0);
		p[i] = gem_map(fd, bo[i], PART);
		ASSERT_NE(p[i], MAP_FAILED);
		pattern_fill(p[i], PART / 2, i);
		xq_push(&q, fill_desc(VA_OF(i) + PART / 2, i, PART / 2));
		xq_ring(&q);
		ASSERT_EQ(xq_wait(&q, LONG_MS, NULL), 0);
	}
	EXPECT_GE(memory(fd).evictions, m.evictions + 1);
	/* Each comes back at least once. */
	for (k = 0; k < 2; k++) {
		for (i = 0; i < NUM; i++) {
			xq_push(&q, fill_desc(VA_OF(i) + PART / 2, i + k, PAGE));
			xq_ring(&q);
			ASSERT_EQ(xq_wait(&q, LONG_MS, NULL), 0);
			EXPECT_EQ(pattern_check(p[i], PART / 2, i), PART / 2);
			EXPECT_TRUE(all_of(p[i] + PART / 8, i + k, PAGE));
			EXPECT_TRUE(all_of(p[i] + (PART / 2 + PAGE) / 4, i,
					   PART / 2 - PAGE));
		}
	}
	EXPECT_GE(memory(fd).restores, m.restores + NUM);
	for (i = 0; i < NUM; i++)
		munmap(p[i], PART);
	xq_close(&q);
}

TEST_HARNESS_MAIN
