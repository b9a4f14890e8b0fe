// SPDX-License-Identifier: GPL-2.0-only
/*
 * Turns of queues that share a ring: order by priority, slices of equals,
 * nobody starves.
 *
 * Commands take numbers from a counter in memory: what they got is the order in
 * which they ran. Times are modelled ones, so no result depends on the speed of
 * anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA		0x10000000UL	/* counter and numbers */
#define VA_HBM		0x20000000UL
#define VA_COPY		0x30000000UL	/* what each queue copies */
#define VA_Q		0x40000000UL
#define HBM_SIZE	(12 * MIB)
#define MAX_QUEUES	64		/* of users */
#define RING		512
#define ROOM		4096		/* bytes of numbers for each queue */
#define NOBODY		65534

FIXTURE(turns)
{
	struct drm_alink_xpu_query_device dev;
	int fd;
	uint32_t vm, bo, hbm;
	uint64_t *counter;
	struct xq q[MAX_QUEUES];
	unsigned int num;		/* queues that are open */
	unsigned int asked[MAX_QUEUES];	/* numbers of each */
};

FIXTURE_SETUP(turns)
{
	size_t size = PAGE + MAX_QUEUES * ROOM;

	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_device(self->fd, &self->dev), 0);
	ASSERT_EQ(self->dev.max_queues, MAX_QUEUES);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, size, &self->bo), 0);
	self->counter = gem_map(self->fd, self->bo, size);
	ASSERT_NE((void *)self->counter, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->bo, 0, VA, size, RWA), 0);
	ASSERT_EQ(gem_create(self->fd, HBM, HBM_SIZE, &self->hbm), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->hbm, 0, VA_HBM, HBM_SIZE,
			 RW), 0);
}

FIXTURE_TEARDOWN(turns)
{
	EXPECT_EQ(model_put("xpu0", "x-queue-stuck", "0"), 0);
	while (self->num)
		xq_close(&self->q[--self->num]);
	close(self->fd);
}

static unsigned int ring_of(FIXTURE_DATA(turns) *self, const struct xq *q)
{
	return xq_device_queue(q) % self->dev.num_rings;
}

static unsigned int open_one(struct __test_metadata *_metadata,
			     FIXTURE_DATA(turns) *self, uint32_t priority)
{
	struct xq *q = &self->q[self->num];

	ASSERT_LT(self->num, MAX_QUEUES);
	ASSERT_EQ(xq_open_as(q, self->fd, self->vm, VA_Q + self->num * MIB,
			     RING, priority), 0);
	return self->num++;
}

/* Opens queues until there is one more on the ring of the first one. */
static unsigned int open_beside(struct __test_metadata *_metadata,
				FIXTURE_DATA(turns) *self, uint32_t priority)
{
	unsigned int n;

	/* Each other one is a filler. The next in order may be ours. */
	for (;;) {
		n = open_one(_metadata, self, priority);
		if (ring_of(self, &self->q[n]) == ring_of(self, &self->q[0]))
			return n;
	}
}

/* --- commands ------------------------------------------------------------------- */

static void push_number(FIXTURE_DATA(turns) *self, unsigned int n)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_ATOMIC64, .subop = ALINK_ATOMIC_ADD,
		.dst = VA, .src = 1,
		.len = VA + PAGE + n * ROOM + 8 * self->asked[n]++,
	};

	xq_push(&self->q[n], d);
}

static void push_fill(FIXTURE_DATA(turns) *self, unsigned int n, uint64_t len)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_FILL, .dst = VA_HBM, .len = len,
	};

	xq_push(&self->q[n], d);
}

static uint64_t number(FIXTURE_DATA(turns) *self, unsigned int n,
		       unsigned int i)
{
	return ((volatile uint64_t *)self->counter)[(PAGE + n * ROOM) / 8 + i];
}

/*
 * Nothing of these queues runs before all doorbells have been rung. For longer
 * than that they must not be stuck: the driver would end them, after 5 s.
 */
static void run_together(struct __test_metadata *_metadata,
			 FIXTURE_DATA(turns) *self, const unsigned int *n,
			 unsigned int count)
{
	uint64_t mask = 0;
	unsigned int i;
	char text[32];

	for (i = 0; i < count; i++)
		mask |= xq_bit(&self->q[n[i]]);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)mask);
	ASSERT_EQ(model_put("xpu0", "x-queue-stuck", text), 0);
	for (i = 0; i < count; i++)
		xq_ring(&self->q[n[i]]);
	ASSERT_EQ(model_put("xpu0", "x-queue-stuck", "0"), 0);
	for (i = 0; i < count; i++)
		ASSERT_EQ(xq_wait(&self->q[n[i]], 60000, NULL), 0);
}

static int64_t shown(FIXTURE_DATA(turns) *self, unsigned int n,
		     const char *what)
{
	char key[64];

	snprintf(key, sizeof(key), "alink_xpu-queue-%u-%s", self->q[n].id,
		 what);
	return fdinfo(self->fd, key);
}

/* --- order ----------------------------------------------------------------------- */

TEST_F(turns, the_device_says_how_long)
{
	EXPECT_GT(self->dev.slice_us, 0);
	EXPECT_GT(self->dev.starve_us, self->dev.slice_us);
}

/* All fences of a class are there before the first one of the class below. */
TEST_F(turns, higher_first)
{
	static const char *const names[] = { "low", "normal", "high",
					     "realtime" };
	const unsigned int each = 100;
	unsigned int n[4], p, i;
	char key[64], text[32];

	/* Opened, and rung, from the lowest to the highest */
	n[0] = open_one(_metadata, self, DRM_ALINK_XPU_PRIORITY_LOW);
	for (p = 1; p < 4; p++)
		n[p] = open_beside(_metadata, self, p);
	for (p = 0; p < 4; p++)
		for (i = 0; i < each; i++)
			push_number(self, n[p]);
	run_together(_metadata, self, n, 4);
	for (p = 0; p < 4; p++) {
		for (i = 0; i < each; i++)
			ASSERT_EQ(number(self, n[p], i), (3 - p) * each + i) {
				TH_LOG("%s, command %u", names[p], i);
			}
		snprintf(key, sizeof(key), "alink_xpu-queue-%u-priority",
			 self->q[n[p]].id);
		EXPECT_TRUE(fdinfo_text(self->fd, key, text, sizeof(text)));
		EXPECT_STREQ(text, names[p]);
		EXPECT_EQ(shown(self, n[p], "turns"), 1);
	}
	EXPECT_EQ(shown(self, n[3], "wait"), 0);
	EXPECT_GT(shown(self, n[2], "wait"), 0);
	EXPECT_GT(shown(self, n[0], "wait"), shown(self, n[1], "wait"));
	EXPECT_EQ(shown(self, n[0], "wait-max"), shown(self, n[0], "wait"));
}

/* Jobs of two queues; how often they change over, and the longest run of one */
static unsigned int changes(struct __test_metadata *_metadata,
			    FIXTURE_DATA(turns) *self, uint32_t priority,
			    unsigned int jobs, uint64_t len,
			    unsigned int *longest)
{
	unsigned int n[2], i, k, run = 0, changes = 0;
	uint8_t order[RING];

	n[0] = open_one(_metadata, self, priority);
	n[1] = open_beside(_metadata, self, priority);
	memset(order, 2, sizeof(order));
	for (k = 0; k < 2; k++)
		for (i = 0; i < jobs; i++) {
			push_fill(self, n[k], len);
			push_number(self, n[k]);
		}
	run_together(_metadata, self, n, 2);
	for (k = 0; k < 2; k++)
		for (i = 0; i < jobs; i++) {
			ASSERT_LT(number(self, n[k], i), 2 * jobs);
			order[number(self, n[k], i)] = k;
		}
	*longest = 0;
	for (i = 0; i < 2 * jobs; i++) {
		ASSERT_LT(order[i], 2);
		if (i && order[i] != order[i - 1]) {
			changes++;
			run = 0;
		}
		if (++run > *longest)
			*longest = run;
	}
	return changes;
}

TEST_F(turns, equals_change_over)
{
	/* At 64 GB/s a job of 1000 ns, and a number of 100 */
	const uint64_t len = 57600;
	unsigned int longest, slice = self->dev.slice_us * 1000 / 1100;

	EXPECT_EQ(changes(_metadata, self, DRM_ALINK_XPU_PRIORITY_NORMAL, 200,
			  len, &longest), 5);
	EXPECT_GE(longest, slice);
	EXPECT_LE(longest, slice + 1);
}

TEST_F(turns, realtime_keeps_its_turn)
{
	unsigned int longest;

	EXPECT_EQ(changes(_metadata, self, DRM_ALINK_XPU_PRIORITY_REALTIME, 200,
			  57600, &longest), 1);
	EXPECT_EQ(longest, 200);
}

static void starve(struct __test_metadata *_metadata,
		   FIXTURE_DATA(turns) *self, uint32_t low, uint32_t high)
{
	const unsigned int jobs = 200, mine = 10;
	const uint64_t job_ns = 100 + MIB / 64 + 100;
	unsigned int n[2], i, early = 0;
	int64_t waited;

	n[0] = open_one(_metadata, self, low);
	n[1] = open_beside(_metadata, self, high);
	for (i = 0; i < mine; i++)
		push_number(self, n[0]);
	for (i = 0; i < jobs; i++) {
		push_fill(self, n[1], MIB);
		push_number(self, n[1]);
	}
	run_together(_metadata, self, n, 2);
	for (i = 0; i < mine; i++)
		early += number(self, n[0], i) < number(self, n[1], jobs - 1);
	/* One command in each starve_us; the last job is what is over. */
	EXPECT_EQ(early, jobs * job_ns / (self->dev.starve_us * 1000));
	waited = shown(self, n[0], "wait-max");
	EXPECT_GE(waited, self->dev.starve_us * 1000);
	EXPECT_LE(waited, self->dev.starve_us * 1000 + job_ns);
	EXPECT_EQ(shown(self, n[1], "wait-max"), 100);
}

TEST_F(turns, low_goes_on_under_high)
{
	starve(_metadata, self, DRM_ALINK_XPU_PRIORITY_LOW,
	       DRM_ALINK_XPU_PRIORITY_HIGH);
}

TEST_F(turns, normal_goes_on_under_realtime)
{
	starve(_metadata, self, DRM_ALINK_XPU_PRIORITY_NORMAL,
	       DRM_ALINK_XPU_PRIORITY_REALTIME);
}

/* --- COMPUTE ----------------------------------------------------------------------- */

/* rows x rows x depth in FP32 */
static void push_gemm(FIXTURE_DATA(turns) *self, unsigned int n,
		      unsigned int place, uint32_t rows, uint32_t depth)
{
	struct alink_xpu_compute c = {
		.m = rows, .n = rows, .k = depth,
		.a = { .addr = VA_HBM, .dtype = ALINK_DT_FP32,
		       .stride = 4 * depth },
		.b = { .addr = VA_HBM + 4 * MIB, .dtype = ALINK_DT_FP32,
		       .stride = 4 * rows },
		.dst = { .addr = VA_HBM + (8 + n % 2 * 2) * MIB,
			 .dtype = ALINK_DT_FP32, .stride = 4 * rows },
	};
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COMPUTE, .subop = ALINK_XPU_FN_GEMM,
		.src = VA + 1024 + place * sizeof(c), .len = sizeof(c),
	};

	memcpy((char *)self->counter + 1024 + place * sizeof(c), &c, sizeof(c));
	xq_push(&self->q[n], d);
}

/* What is quick and urgent does not wait for a large GEMM of its ring. */
TEST_F(turns, long_compute_holds_up_nobody)
{
	unsigned int low, high, i;

	low = open_one(_metadata, self, DRM_ALINK_XPU_PRIORITY_LOW);
	high = open_beside(_metadata, self, DRM_ALINK_XPU_PRIORITY_HIGH);
	/* 524 us of the engine each, and much more of this host */
	for (i = 0; i < 4; i++)
		push_gemm(self, low, 0, 512, 2048);
	push_number(self, low);
	push_number(self, high);
	push_gemm(self, high, 1, 64, 64);
	push_number(self, high);
	xq_ring(&self->q[low]);
	xq_ring(&self->q[high]);
	ASSERT_EQ(xq_wait(&self->q[high], 60000, NULL), 0);
	ASSERT_EQ(xq_wait(&self->q[low], 60000, NULL), 0);
	EXPECT_EQ(number(self, high, 0), 0);
	EXPECT_EQ(number(self, high, 1), 1);
	EXPECT_EQ(number(self, low, 0), 2);
	EXPECT_LE(shown(self, high, "wait-max"), self->dev.slice_us * 1000);
}

TEST_F(turns, equals_share_the_engine)
{
	unsigned int n[2], i;

	n[0] = open_one(_metadata, self, DRM_ALINK_XPU_PRIORITY_NORMAL);
	n[1] = open_beside(_metadata, self, DRM_ALINK_XPU_PRIORITY_NORMAL);
	for (i = 0; i < 2; i++)
		push_gemm(self, n[i], i, 512, 2048);
	run_together(_metadata, self, n, 2);
	for (i = 0; i < 2; i++) {
		EXPECT_GE(shown(self, n[i], "turns"), 4);
		EXPECT_LE(shown(self, n[i], "wait-max"),
			  self->dev.slice_us * 2000);
	}
}

/* --- as many as there can be --------------------------------------------------------- */

TEST_F(turns, all_queues_at_once)
{
	const unsigned int each = 16, part = ROOM / each;
	const size_t copies = MAX_QUEUES * ROOM;
	struct drm_alink_xpu_queue_create c = {
		.vm_id = self->vm, .size = 64,
		.priority = DRM_ALINK_XPU_PRIORITY_NORMAL,
	};
	unsigned int n[MAX_QUEUES], used[32] = {}, i, k;
	uint32_t bo;
	char *mem;

	ASSERT_EQ(gem_create(self->fd, HOST, 2 * copies, &bo), 0);
	mem = gem_map(self->fd, bo, 2 * copies);
	ASSERT_NE((void *)mem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA_COPY, 2 * copies, RW),
		  0);
	for (i = 0; i < MAX_QUEUES; i++) {
		n[i] = open_one(_metadata, self, i % 4);
		used[ring_of(self, &self->q[i])]++;
		pattern_fill(mem + i * ROOM, ROOM, i);
	}
	c.ring = VA_Q;
	c.status = VA_Q + RING * sizeof(struct alink_xpu_desc);
	EXPECT_EQ(queue_create(self->fd, &c), -ENOSPC);
	for (i = 0; i < self->dev.num_rings; i++)
		EXPECT_EQ(used[i], MAX_QUEUES / self->dev.num_rings);
	for (i = 0; i < MAX_QUEUES; i++)
		for (k = 0; k < each; k++) {
			uint64_t at = VA_COPY + i * ROOM + k * part;

			push_number(self, n[i]);
			xq_push(&self->q[n[i]],
				copy_desc(at + copies, at, part));
		}
	run_together(_metadata, self, n, MAX_QUEUES);
	EXPECT_EQ(self->counter[0], MAX_QUEUES * each);
	for (i = 0; i < MAX_QUEUES; i++) {
		for (k = 1; k < each; k++)
			EXPECT_GT(number(self, i, k), number(self, i, k - 1));
		EXPECT_EQ(pattern_check(mem + copies + i * ROOM, ROOM, i),
			  ROOM);
	}
	munmap(mem, 2 * copies);
}

/* --- refusals -------------------------------------------------------------------------- */

static int create_as(int fd, uint32_t vm, uint32_t priority, bool nobody)
{
	struct drm_alink_xpu_queue_create c = {
		.vm_id = vm, .ring = VA, .status = VA + 64 * 64, .size = 64,
		.priority = priority,
	};
	int status;
	pid_t pid;

	/* The fields after the priority are asked about only if that is good. */
	pid = fork();
	if (!pid) {
		if (nobody && (setgid(NOBODY) || setuid(NOBODY)))
			_exit(255);
		_exit(-queue_create(fd, &c));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(turns, refusals)
{
	uint32_t p;

	for (p = 0; p <= DRM_ALINK_XPU_PRIORITY_REALTIME; p++) {
		EXPECT_EQ(create_as(self->fd, self->vm, p, false), 0);
		EXPECT_EQ(create_as(self->fd, self->vm, p, true),
			  p >= DRM_ALINK_XPU_PRIORITY_HIGH ? EPERM : 0);
	}
	EXPECT_EQ(create_as(self->fd, self->vm, p, false), EINVAL);
	EXPECT_EQ(create_as(self->fd, self->vm, p, true), EINVAL);
	EXPECT_EQ(create_as(self->fd, self->vm, 1U << 16, false), EINVAL);
	EXPECT_EQ(create_as(self->fd, self->vm, 1U << 31, false), EINVAL);
	EXPECT_EQ(create_as(self->fd, self->vm, ~0U, false), EINVAL);
}

TEST_HARNESS_MAIN
