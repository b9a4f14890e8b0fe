// SPDX-License-Identifier: GPL-2.0-only
/*
 * A target that does not answer, and an operation that takes too long: the
 * context that asked gets an error which says what, where and by which command,
 * and nobody else gets anything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"
#include "xpu_trace.h"

#define SIZE		(64UL << 10)
#define PARTITION	3
#define WAIT_MS		20000
#define VA_Q		0x10000000UL
#define VA_REMOTE	0x20000000UL
#define VA_LOCAL	0x30000000UL
/* Where nothing begins */
#define AT		(5 * PAGE + 64)
/* What xq_push_endless() waits for */
#define END		0x123456789UL

/* A file of an xPU, with a queue */
struct user {
	int fd;
	uint32_t id;			/* endpoint */
	uint32_t generation;
	uint32_t vm;
	struct xq q;
};

FIXTURE(silent)
{
	struct alink_ctx *ctx;
	struct user guilty;		/* of the first xPU */
	struct xq second;		/* in the same context */
	struct user near;		/* another context of that xPU */
	struct user target;		/* of the second xPU */
	uint8_t *local;			/* at VA_LOCAL of the guilty */
	uint8_t *remote;		/* of the target, there at VA_REMOTE */
};

static uint32_t generation(const struct user *u)
{
	struct drm_alink_xpu_query_device d = {};

	return xpu_device(u->fd, &d) ? ~0U : d.generation;
}

/* Returns 0 or the line that failed. */
static int user_open(struct user *u, unsigned int n)
{
	struct drm_alink_xpu_query_device d;

	u->fd = xpu_open(n);
	if (u->fd < 0 || xpu_device(u->fd, &d))
		return __LINE__;
	u->id = d.fabric_id;
	u->generation = d.generation;
	if (vm_create(u->fd, &u->vm) ||
	    xq_open(&u->q, u->fd, u->vm, VA_Q, 16))
		return __LINE__;
	return 0;
}

static void user_close(struct user *u)
{
	xq_close(&u->q);
	close(u->fd);
}

/* A knob of the models' fabric */
static int knob(const char *name, uint32_t xpu, const char *rest)
{
	char value[64];

	snprintf(value, sizeof(value), "\"%u:%s\"", xpu, rest);
	return model_put("fab0", name, value);
}

FIXTURE_SETUP(silent)
{
	const uint32_t rights = DRM_ALINK_XPU_SEGMENT_READ |
				DRM_ALINK_XPU_SEGMENT_WRITE |
				DRM_ALINK_XPU_SEGMENT_ATOMIC;
	struct user *u = &self->guilty, *t = &self->target;
	struct drm_alink_xpu_segment_handle h;
	uint32_t bo, id;

	ASSERT_EQ(alink_new(&self->ctx), 0);
	ASSERT_EQ(alink_fabric_up(self->ctx, PARTITION), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	ASSERT_EQ(user_open(u, 0), 0);
	ASSERT_EQ(user_open(&self->near, 0), 0);
	ASSERT_EQ(user_open(t, 1), 0);
	ASSERT_EQ(xq_open(&self->second, u->fd, u->vm, VA_Q + LARGE, 16), 0);
	ASSERT_EQ(gem_create(t->fd, HBM_CPU, SIZE, &bo), 0);
	self->remote = gem_map(t->fd, bo, SIZE);
	ASSERT_NE(self->remote, MAP_FAILED);
	ASSERT_EQ(seg_export(t->fd, bo, rights, &h, &id), 0);
	ASSERT_EQ(seg_import(u->fd, &h, &bo), 0);
	ASSERT_EQ(vm_map(u->fd, u->vm, bo, 0, VA_REMOTE, SIZE, RWA), 0);
	ASSERT_EQ(gem_create(u->fd, HOST, SIZE, &bo), 0);
	self->local = gem_map(u->fd, bo, SIZE);
	ASSERT_NE(self->local, MAP_FAILED);
	ASSERT_EQ(vm_map(u->fd, u->vm, bo, 0, VA_LOCAL, SIZE, RW), 0);
}

FIXTURE_TEARDOWN(silent)
{
	EXPECT_EQ(knob("x-mute", self->target.id, "0"), 0);
	EXPECT_EQ(knob("x-fail-ops", self->guilty.id, "0:0"), 0);
	munmap(self->local, SIZE);
	munmap(self->remote, SIZE);
	xq_close(&self->second);
	user_close(&self->guilty);
	user_close(&self->near);
	user_close(&self->target);
	alink_free(self->ctx);
}

static uint64_t word(const uint8_t *mem)
{
	uint64_t w;

	memcpy(&w, mem, sizeof(w));
	return w;
}

/* --- the others ----------------------------------------------------------- */

/* Work that ends when it is told to, and some more behind it */
static void begin_work(struct xq *q)
{
	q->fence[1] = 0;
	q->fence[2] = 0;
	xq_push_endless(q);
	xq_push(q, fill_desc(q->va + q->fence_offset + 16, 7, 8));
	xq_ring(q);
}

static void end_work(struct __test_metadata *_metadata, struct xq *q)
{
	uint32_t state;

	EXPECT_EQ(queue_state(q->fd, q->id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_RUNNING);
	EXPECT_EQ(q->fence[2], 0);
	q->fence[1] = END;
	EXPECT_EQ(xq_wait(q, WAIT_MS, NULL), 0);
	EXPECT_EQ(q->fence[2], 0x700000007UL);
}

/* --- who is guilty --------------------------------------------------------- */

/* The second of three commands uses what is at VA_REMOTE + AT, and fails. */
static void second_fails(struct __test_metadata *_metadata, struct xq *q,
			 struct alink_xpu_desc d, uint32_t status)
{
	struct drm_alink_xpu_queue_error e = {}, again = {};
	const uint32_t index = q->tail + 1;
	uint32_t state;

	xq_push(q, fill_desc(VA_LOCAL, 1, 8));
	xq_push(q, d);
	xq_push(q, fill_desc(VA_LOCAL, 2, 8));
	xq_ring(q);
	EXPECT_EQ(xq_wait(q, WAIT_MS, &e), -EIO);
	EXPECT_EQ(e.status, status);
	EXPECT_EQ(e.index, index);
	EXPECT_EQ(e.addr, VA_REMOTE + AT);
	EXPECT_EQ(queue_state(q->fd, q->id, &state, &again), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_HALTED);
	EXPECT_EQ(memcmp(&e, &again, sizeof(e)), 0);
}

/* That queue alone learns of it, whatever the others do meanwhile. */
static void fails_alone(struct __test_metadata *_metadata,
			FIXTURE_DATA(silent) *self, struct alink_xpu_desc d,
			uint32_t status)
{
	struct xq *others[] = {
		&self->second, &self->near.q, &self->target.q,
	};
	struct user *u = &self->guilty;
	const uint32_t index = u->q.tail + 1;
	const uint64_t before = u->q.seq + 1;
	char text[128], *trace;
	unsigned int i;

	trace_start(_metadata);
	for (i = 0; i < 3; i++)
		begin_work(others[i]);
	second_fails(_metadata, &u->q, d, status);
	/* What came before it is done, what comes after it is not. */
	EXPECT_EQ(u->q.fence[0], before);
	EXPECT_EQ(word(self->local), 0x100000001UL);
	for (i = 0; i < 3; i++)
		end_work(_metadata, others[i]);
	trace = trace_stop();
	snprintf(text, sizeof(text), " status=%u index=%u addr=%#lx", status,
		 index, VA_REMOTE + AT);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_halt", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_queue_halt", ""), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_state", ""), 0);
	EXPECT_EQ(traced(trace, "alink_xpu_fault", ""), 0);
	free(trace);

	/* Its context may go on with another queue. */
	xq_close(&u->q);
	ASSERT_EQ(xq_open(&u->q, u->fd, u->vm, VA_Q, 16), 0);
	EXPECT_EQ(xq_fill(&u->q, VA_LOCAL, 3, 8), 0);
	EXPECT_EQ(word(self->local), 0x300000003UL);
}

/* A write, a read and an atomic. @slow: each for one time-out */
static void all_fail(struct __test_metadata *_metadata,
		     FIXTURE_DATA(silent) *self, uint32_t status, bool slow)
{
	const struct alink_xpu_desc d[] = {
		copy_desc(VA_REMOTE + AT, VA_LOCAL + PAGE, 256),
		copy_desc(VA_LOCAL + PAGE, VA_REMOTE + AT, 256),
		{
			.opcode = ALINK_XPU_OP_ATOMIC64,
			.subop = ALINK_ATOMIC_ADD,
			.dst = VA_REMOTE + AT,
			.src = 1,
		},
	};
	char rest[32];
	size_t i, at;

	snprintf(rest, sizeof(rest), "%u:1", status);
	memset(self->local, 0x5a, SIZE);
	memset(self->remote, 0x11, SIZE);
	for (i = 0; i < 3; i++) {
		if (slow)
			ASSERT_EQ(knob("x-fail-ops", self->guilty.id, rest), 0);
		fails_alone(_metadata, self, d[i], status);
	}
	/* No operation that failed has had any effect. */
	for (at = 0; at < SIZE && self->remote[at] == 0x11; at++)
		;
	EXPECT_EQ(at, SIZE);
	for (at = PAGE; at < SIZE && self->local[at] == 0x5a; at++)
		;
	EXPECT_EQ(at, SIZE);
}

/* It is there (again): for a queue of the context that had the error. */
static void is_there(struct __test_metadata *_metadata,
		     FIXTURE_DATA(silent) *self, struct xq *q)
{
	EXPECT_EQ(xq_copy(q, VA_REMOTE + AT, VA_LOCAL + PAGE, 256), 0);
	EXPECT_EQ(word(self->remote + AT), 0x5a5a5a5a5a5a5a5aUL);
	EXPECT_EQ(generation(&self->guilty), self->guilty.generation);
	EXPECT_EQ(generation(&self->target), self->target.generation);
}

TEST_F_TIMEOUT(silent, target, 120)
{
	ASSERT_EQ(knob("x-mute", self->target.id, "1"), 0);
	all_fail(_metadata, self, ALINK_ST_UNREACHABLE, false);
	ASSERT_EQ(knob("x-mute", self->target.id, "0"), 0);
	is_there(_metadata, self, &self->guilty.q);
}

TEST_F_TIMEOUT(silent, operation, 120)
{
	all_fail(_metadata, self, ALINK_ST_TIMEOUT, true);
	is_there(_metadata, self, &self->second);
}

/* Who asks while nobody answers gets an answer as often as he asks. */
TEST_F_TIMEOUT(silent, at_length, 120)
{
	struct alink_xpu_desc d = copy_desc(VA_REMOTE + AT, VA_LOCAL, 256);
	struct drm_alink_xpu_queue_error e;
	struct user *u = &self->guilty;
	unsigned int i;

	ASSERT_EQ(knob("x-mute", self->target.id, "1"), 0);
	begin_work(&self->near.q);
	for (i = 0; i < 50; i++) {
		EXPECT_EQ(xq_run(&u->q, d, &e), -EIO);
		EXPECT_EQ(e.status, ALINK_ST_UNREACHABLE);
		EXPECT_EQ(e.addr, VA_REMOTE + AT);
		xq_close(&u->q);
		ASSERT_EQ(xq_open(&u->q, u->fd, u->vm, VA_Q, 16), 0);
	}
	end_work(_metadata, &self->near.q);
	ASSERT_EQ(knob("x-mute", self->target.id, "0"), 0);
	memset(self->local, 0x5a, SIZE);
	is_there(_metadata, self, &u->q);
}

TEST_HARNESS_MAIN
