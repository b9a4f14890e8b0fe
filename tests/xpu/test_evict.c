// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eviction: HBM that is not used leaves when HBM is full, comes back when it is
 * needed, and nobody sees anything of it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "evict.h"
#include "queue_errors.h"
#include "xpu_trace.h"

/* --- there and back ------------------------------------------------------- */

/* More objects than fit, in and out several times: every bit is kept. */
TEST_F_TIMEOUT(evict, contents, SLOW)
{
	const unsigned int order[] = { 0, 1, 2, 3, 4, 2, 0, 4, 1, 3 };
	struct drm_alink_xpu_query_memory m;
	struct evict *o = SELF;
	uint32_t bo;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(make(o, i, HBM, SIZE, &bo), 0);
		ASSERT_EQ(dev_put(o, VA_OF(i), SIZE, i + 1), 0);
	}
	m = memory(o->fd);
	EXPECT_EQ(m.hbm_used, 3 * SIZE);
	EXPECT_EQ(m.hbm_evicted, 2 * SIZE);
	EXPECT_GE(m.evictions, 2);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(dev_check(o, VA_OF(order[i]), SIZE, order[i] + 1), 0) {
			TH_LOG("object %u, look %u", order[i], i);
		}
	}
	EXPECT_GE(memory(o->fd).restores, m.restores + 5);
	m = memory(o->fd);
	EXPECT_EQ(m.hbm_used + m.hbm_evicted, 5 * SIZE);
}

/* Parts of the size of a page, bound where no large page fits, twice, in two VMs */
TEST_F_TIMEOUT(evict, bindings, SLOW)
{
	struct drm_alink_xpu_queue_error e = {};
	struct evict *o = SELF;
	uint64_t odd = VA_OF(2) + 3 * PAGE, size = SIZE - 7 * PAGE;
	uint32_t a, bo, vm;
	unsigned int i;
	struct xq q;

	ASSERT_EQ(make(o, 0, HBM, SIZE, &a), 0);
	ASSERT_EQ(vm_map(o->fd, o->vm, a, 4 * PAGE, odd, size, RW), 0);
	/* A hole, and a part that only reads */
	ASSERT_EQ(vm_unmap(o->fd, o->vm, VA_OF(0) + 5 * PAGE, PAGE), 0);
	ASSERT_EQ(vm_map(o->fd, o->vm, a, 9 * PAGE, VA_OF(0) + 9 * PAGE, PAGE,
			 DRM_ALINK_XPU_VM_BIND_READ), 0);
	ASSERT_EQ(vm_create(o->fd, &vm), 0);
	ASSERT_EQ(vm_map(o->fd, vm, a, 0, VA, SIZE, RW), 0);
	ASSERT_EQ(xq_open(&q, o->fd, vm, VA_Q, 16), 0);
	ASSERT_EQ(dev_put(o, odd, size, 9), 0);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(make(o, -1, HBM, SIZE, &bo), 0);
	ASSERT_EQ(memory(o->fd).hbm_evicted, SIZE);

	EXPECT_EQ(dev_check(o, odd, size, 9), 0);
	/* What is in the same place of the object, by the other ways */
	EXPECT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0) + 6 * PAGE, PAGE), NULL),
		  0);
	pattern_fill(o->out + SIZE / 8, SIZE / 2, 9);
	EXPECT_EQ(memcmp(o->out, (char *)(o->out + SIZE / 8) + 2 * PAGE, PAGE),
		  0);
	xq_push(&q, fill_desc(VA + 4 * PAGE, 0x5eed, 8));
	xq_ring(&q);
	EXPECT_EQ(xq_wait(&q, LONG_MS, NULL), 0);
	EXPECT_EQ(run(o, copy_desc(VA_OUT, odd, 8), NULL), 0);
	EXPECT_EQ(o->out[0], 0x5eed);
	/* Hole and rights are what they were, also where it has to come back. */
	EXPECT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0) + 5 * PAGE, 8), &e), -EIO);
	EXPECT_EQ(e.status, ALINK_ST_PAGE_FAULT);
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(make(o, -1, HBM, SIZE, &bo), 0);
	EXPECT_EQ(run(o, fill_desc(VA_OF(0) + 9 * PAGE, 1, 8), &e), -EIO);
	EXPECT_EQ(e.status, ALINK_ST_PERMISSION);
	EXPECT_EQ(e.addr, VA_OF(0) + 9 * PAGE);
	xq_close(&q);
}

/* All kinds of access stop the queue, which then goes on: nothing is lost. */
TEST_F_TIMEOUT(evict, commands_go_on, SLOW)
{
	struct alink_xpu_desc add = {
		.opcode = ALINK_XPU_OP_ATOMIC64, .subop = ALINK_ATOMIC_ADD,
		.dst = VA_OF(0), .src = 5, .len = VA_OF(0) + 64,
	};
	struct alink_xpu_desc wait = {
		.opcode = ALINK_XPU_OP_WAIT, .subop = ALINK_WAIT_EQ,
		.dst = VA_OF(0), .src = 0x700000007UL + 5,
	};
	struct drm_alink_xpu_query_memory before;
	struct evict *o = SELF;
	uint32_t bo[4], state;
	unsigned int i;

	ASSERT_EQ(make(o, 0, HBM, SIZE, &bo[0]), 0);
	ASSERT_EQ(run(o, fill_desc(VA_OF(0), 7, SIZE), NULL), 0);
	for (i = 1; i < 4; i++)
		ASSERT_EQ(make(o, i, HBM, SIZE, &bo[i]), 0);
	before = memory(o->fd);
	ASSERT_EQ(before.hbm_evicted, SIZE);

	xq_push(&o->q, add);
	xq_push(&o->q, wait);
	xq_push(&o->q, copy_desc(VA_OUT, VA_OF(0), 128));
	xq_push(&o->q, fill_desc(VA_OF(0) + PAGE, 0x77, PAGE));
	xq_ring(&o->q);
	ASSERT_EQ(xq_wait(&o->q, LONG_MS, NULL), 0);
	EXPECT_EQ(o->out[0], 12);
	EXPECT_EQ(o->out[1], 7);
	EXPECT_EQ(o->out[16], 7);
	EXPECT_EQ(memory(o->fd).restores, before.restores + 1);
	ASSERT_EQ(queue_state(o->fd, o->q.id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_RUNNING);
	/* A fence in memory that is not there */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(run(o, fill_desc(VA_OF(i + 1), 1, 8), NULL), 0);
	o->q.ring[o->q.tail++ % o->q.size] = (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_NOP, .flags = ALINK_XPU_DF_FENCE,
		.fence_addr = VA_OF(0) + 8, .fence_value = 0x1234,
	};
	xq_ring(&o->q);
	ASSERT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0), 64), NULL), 0);
	EXPECT_EQ(o->out[2], 0x1234);
	EXPECT_EQ(o->out[0], 12);
}

/* --- CPUs ------------------------------------------------------------------ */

/* A mapping shows the object wherever it is, both ways, without bringing it. */
TEST_F_TIMEOUT(evict, mapping, SLOW)
{
	struct drm_alink_xpu_query_memory m;
	const uint64_t size = 16 * MIB;
	struct evict *o = SELF;
	uint32_t a, *p, *again;
	pid_t pid;

	ASSERT_EQ(make(o, 0, HBM_CPU, size, &a), 0);
	p = gem_map(o->fd, a, size);
	ASSERT_NE(p, MAP_FAILED);
	pattern_fill(p, size, 3);
	send_away(_metadata, o);
	m = memory(o->fd);
	ASSERT_EQ(m.hbm_evicted, size);

	EXPECT_EQ(pattern_check(p, size, 3), size);
	pattern_fill(p, size / 2, 4);
	/* One that is made now, and one of another process */
	again = gem_map(o->fd, a, size);
	ASSERT_NE(again, MAP_FAILED);
	EXPECT_EQ(pattern_check(again, size / 2, 4), size / 2);
	pid = fork();
	if (!pid) {
		p[1] = 0xc41d;
		_exit(again[1] != 0xc41d);
	}
	ASSERT_EQ(child_status(pid), 0);
	EXPECT_EQ(again[1], 0xc41d);
	EXPECT_EQ(memory(o->fd).hbm_evicted, size);
	EXPECT_EQ(memory(o->fd).restores, m.restores);

	/* The device needs it: all see the same again. */
	ASSERT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0), size), NULL), 0);
	EXPECT_EQ(memory(o->fd).restores, m.restores + 1);
	EXPECT_EQ(o->out[1], 0xc41d);
	EXPECT_EQ(p[1], 0xc41d);
	/* The rest is what CPUs wrote in both places. */
	p[1] = 0;
	pattern_fill(o->out, 8, 4);
	p[1] = o->out[1];
	EXPECT_EQ(pattern_check(again, size / 2, 4), size / 2);
	EXPECT_EQ(memcmp(o->out + 2, p + 2, size - 8), 0);
	ASSERT_EQ(run(o, fill_desc(VA_OF(0) + 4, 0xd0d0, 4), NULL), 0);
	EXPECT_EQ(p[1], 0xd0d0);
	p[2] = 0x2222;
	ASSERT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0), 64), NULL), 0);
	EXPECT_EQ(o->out[2], 0x2222);
	munmap(again, size);
	munmap(p, size);
}

struct waiter {
	struct evict *o;
	uint32_t bo;
	int err;
};

static void *wait_for_fence(void *arg)
{
	struct waiter *w = arg;
	struct drm_alink_xpu_wait_fence f = {
		.handle = w->bo, .addr = 64, .value = 5,
		.timeout_ns = now_ns() + LONG_MS * 1000000LL,
	};

	do {
		w->err = xpu_ioctl(w->o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE,
				   &f);
	} while (w->err == -EINTR);
	return NULL;
}

/* A fence is followed wherever it is, and does not keep its object anywhere. */
TEST_F_TIMEOUT(evict, fence, SLOW)
{
	struct drm_alink_xpu_wait_fence look = { .addr = 64, .value = 1 };
	struct drm_alink_xpu_query_memory m;
	struct evict *o = SELF;
	struct waiter w = { .o = o, .err = 1 };
	pthread_t thread;

	ASSERT_EQ(make(o, 0, HBM_CPU, SIZE / 2, &w.bo), 0);
	ASSERT_EQ(run(o, fill_desc(VA_OF(0), 0, 128), NULL), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, wait_for_fence, &w), 0);
	usleep(100000);
	send_away(_metadata, o);
	m = memory(o->fd);
	ASSERT_EQ(m.hbm_evicted, SIZE / 2);
	look.handle = w.bo;
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &look),
		  -ETIME);
	EXPECT_EQ(look.current_value, 0);
	EXPECT_EQ(memory(o->fd).restores, m.restores);
	EXPECT_EQ(w.err, 1);
	/* The device writes it, in HBM. */
	ASSERT_EQ(run(o, fill_desc(VA_OF(0) + 64, 5, 4), NULL), 0);
	pthread_join(thread, NULL);
	EXPECT_EQ(w.err, 0);
	look.value = 5;
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &look), 0);
	EXPECT_EQ(look.current_value, 5);
}

/* A ring comes back, a status block never goes. */
TEST_F_TIMEOUT(evict, queue_in_hbm, SLOW)
{
	const uint64_t size = 4 * MIB;
	struct drm_alink_xpu_queue_create c = {
		.vm_id = SELF->vm, .ring = VA_OF(0), .status = VA_OF(1),
		.size = 16, .priority = 1,
	};
	struct drm_alink_xpu_query_memory m;
	struct evict *o = SELF;
	struct alink_xpu_desc *ring;
	struct alink_xpu_queue_status *status;
	volatile uint32_t *doorbell;
	uint32_t rings, st, bo;
	unsigned int i;

	ASSERT_EQ(make(o, 0, HBM_CPU, size, &rings), 0);
	ASSERT_EQ(make(o, 1, HBM_CPU, size, &st), 0);
	ring = gem_map(o->fd, rings, size);
	ASSERT_NE(ring, MAP_FAILED);
	status = gem_map(o->fd, st, size);
	ASSERT_NE(status, MAP_FAILED);
	/* Both away: the status block comes back to stay. */
	for (i = 0; i < 4; i++)
		ASSERT_EQ(make(o, 2 + i, HBM, SIZE - 2 * MIB, &bo), 0);
	ASSERT_GE(memory(o->fd).hbm_evicted, 2 * size);
	m = memory(o->fd);
	ASSERT_EQ(queue_create(o->fd, &c), 0);
	EXPECT_EQ(memory(o->fd).restores, m.restores + 1);
	doorbell = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, o->fd,
			c.doorbell_offset);
	ASSERT_NE(doorbell, MAP_FAILED);

	for (i = 0; i < 3; i++) {
		/* All else is in use; then the ring is not where it was. */
		ASSERT_EQ(run(o, fill_desc(VA_OF(2), i, SIZE - 2 * MIB), NULL),
			  0);
		ASSERT_EQ(run(o, fill_desc(VA_OF(3), i, SIZE - 2 * MIB), NULL),
			  0);
		ASSERT_EQ(run(o, fill_desc(VA_OF(4 + i % 2), i,
					   SIZE - 2 * MIB), NULL), 0);
		ring[i] = fill_desc(VA_OUT, 0x100 + i, 64);
		ring[i].flags = ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ;
		ring[i].fence_addr = o->q.va + o->q.fence_offset + 64;
		ring[i].fence_value = i + 1;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		doorbell[ALINK_XPU_DB_TAIL / 4] = i + 1;
		struct drm_alink_xpu_wait_fence w = {
			.queue_id = c.queue_id, .handle = o->q.bo,
			.addr = o->q.fence_offset + 64, .value = i + 1,
			.timeout_ns = now_ns() + LONG_MS * 1000000LL,
		};
		ASSERT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w),
			  0);
		EXPECT_EQ(o->out[0], 0x100 + i);
	}
	ASSERT_EQ(run(o, (struct alink_xpu_desc) {}, NULL), 0);
	EXPECT_EQ(status->head, 3);
	EXPECT_EQ(status->error, 0);
	ASSERT_EQ(queue_destroy(o->fd, c.queue_id), 0);
	munmap((void *)doorbell, PAGE);
}

/* --- room that is visible -------------------------------------------------- */

/* What must be visible sends only away what lies there. */
TEST_F_TIMEOUT(evict, visible, SLOW)
{
	struct drm_alink_xpu_query_memory m;
	const uint64_t size = 16 * MIB;
	struct evict *o = SELF;
	uint32_t bo;
	int i;

	/* The first is at the end, beyond what is visible. */
	ASSERT_EQ(make(o, 0, HBM, FULL - SEEN, &bo), 0);
	ASSERT_EQ(memory(o->fd).visible_used, 0);
	for (i = 1; i < 4; i++)
		ASSERT_EQ(make(o, i, HBM_CPU, size, &bo), 0);
	m = memory(o->fd);
	ASSERT_EQ(m.visible_used, SEEN);
	ASSERT_EQ(make(o, 4, HBM_CPU, size, &bo), 0);
	EXPECT_EQ(memory(o->fd).visible_used, SEEN);
	EXPECT_EQ(memory(o->fd).hbm_used, FULL);
	EXPECT_EQ(memory(o->fd).evictions, m.evictions + 1);
	ASSERT_EQ(run(o, fill_desc(VA_OF(0), 1, PAGE), NULL), 0);
	EXPECT_EQ(memory(o->fd).restores, m.restores);
}

/* --- bindings that come later ----------------------------------------------- */

/* A bind that waits takes the object where it is when it is executed. */
TEST_F_TIMEOUT(evict, asynchronous, SLOW)
{
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_MAP, .flags = RW, .range = SIZE,
	};
	struct drm_alink_xpu_fence_syncobj f = {
		.handle = SELF->q.bo, .value = 1,
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
	};
	struct drm_alink_xpu_sync sync[2] = {
		{}, { .flags = DRM_ALINK_XPU_SYNC_SIGNAL },
	};
	volatile uint64_t *word = SELF->q.fence + 2;
	struct evict *o = SELF;
	int away, i;
	uint32_t a;

	f.addr = o->q.fence_offset + 16;
	ASSERT_EQ(syncobj_create(o->fd, &f.syncobj), 0);
	ASSERT_EQ(syncobj_create(o->fd, &sync[1].handle), 0);
	sync[0].handle = f.syncobj;
	ASSERT_EQ(make(o, 0, HBM, SIZE, &a), 0);
	op.handle = a;
	ASSERT_EQ(dev_put(o, VA_OF(0), SIZE, 6), 0);

	/* Prepared in HBM and executed when it is away; the other way round */
	for (away = 0; away < 2; away++) {
		*word = 0;
		op.addr = VA_OF(1 + away) + PAGE;
		ASSERT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ,
				    &f), 0);
		ASSERT_EQ(vm_bind_async(o->fd, o->vm, &op, 1, sync, 2), 0);
		if (away) {
			ASSERT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0), 8), NULL),
				  0);
		} else {
			send_away(_metadata, o);
		}
		*word = 1;
		ASSERT_EQ(syncobj_wait(o->fd, sync[1].handle, 0, LONG_MS), 0);
		EXPECT_EQ(dev_check(o, op.addr, SIZE, 6), 0);
		/* As many as fit: it is among those that go. */
		for (i = 0; i < 3; i++)
			send_away(_metadata, o);
	}
	EXPECT_EQ(dev_check(o, VA_OF(1) + PAGE, SIZE, 6), 0);
}

/* --- who sees what ------------------------------------------------------------ */

#define MARK	0x5ec2e7

/* Memory that was left by an evicted object is clean for the next. */
TEST_F_TIMEOUT(evict, zeroing, SLOW)
{
	struct evict *o = SELF, other;
	uint32_t bo;
	unsigned int i;
	size_t k;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(make(o, i, HBM, SIZE, &bo), 0);
		ASSERT_EQ(run(o, fill_desc(VA_OF(i), MARK, SIZE), NULL), 0);
	}
	ASSERT_EQ(evict_open(&other), 0);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(make(&other, i, HBM, SIZE, &bo), 0);
		memset(other.out, 0xff, SIZE);
		ASSERT_EQ(run(&other, copy_desc(VA_OUT, VA_OF(i), SIZE), NULL),
			  0);
		for (k = 0; k < SIZE / 4 && !other.out[k]; k++)
			;
		EXPECT_EQ(k, SIZE / 4) {
			TH_LOG("object %u: %#x at %zu", i, other.out[k], k * 4);
		}
	}
	EXPECT_EQ(memory(o->fd).hbm_evicted, 3 * SIZE);
	/* And what comes back is its own. */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(run(&other, fill_desc(VA_OF(i), ~MARK, SIZE), NULL),
			  0);
		ASSERT_EQ(run(o, copy_desc(VA_OUT, VA_OF(i), SIZE), NULL), 0);
		EXPECT_EQ(o->out[0], MARK);
		EXPECT_EQ(memcmp(o->out, o->out + 1, SIZE - 4), 0);
	}
	evict_close(&other);
}

static uint64_t sysfs_number(const char *sysfs, const char *name)
{
	char path[512], text[64];

	snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	return read_file(path, text, sizeof(text)) > 0 ?
	       strtoull(text, NULL, 10) : ~0ULL;
}

/* Files, the query and sysfs say where what is. */
TEST_F_TIMEOUT(evict, accounts, SLOW)
{
	struct drm_alink_xpu_query_memory m;
	struct evict *o = SELF, other;
	uint32_t bo;
	int i;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(make(o, i, HBM, SIZE, &bo), 0);
	EXPECT_EQ(fdinfo(o->fd, "drm-total-hbm"), 2 * SIZE);
	EXPECT_EQ(fdinfo(o->fd, "drm-resident-hbm"), 2 * SIZE);
	EXPECT_EQ(fdinfo(o->fd, "alink_xpu-evicted-hbm"), 0);
	ASSERT_EQ(evict_open(&other), 0);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(make(&other, i, HBM, SIZE, &bo), 0);
	EXPECT_EQ(fdinfo(o->fd, "drm-total-hbm"), 2 * SIZE);
	EXPECT_EQ(fdinfo(o->fd, "drm-resident-hbm"), SIZE);
	EXPECT_EQ(fdinfo(o->fd, "alink_xpu-evicted-hbm"), SIZE);
	EXPECT_EQ(fdinfo(other.fd, "drm-resident-hbm"), 2 * SIZE);
	EXPECT_EQ(fdinfo(other.fd, "alink_xpu-evicted-hbm"), 0);
	m = memory(o->fd);
	EXPECT_EQ(m.hbm_used, 3 * SIZE);
	EXPECT_EQ(m.hbm_evicted, SIZE);
	EXPECT_EQ(sysfs_number(self->sysfs, "hbm_evicted"), SIZE);
	EXPECT_EQ(sysfs_number(self->sysfs, "hbm_evictions"), m.evictions);
	EXPECT_EQ(sysfs_number(self->sysfs, "hbm_restores"), m.restores);

	ASSERT_EQ(run(o, fill_desc(VA_OF(0), 1, 8), NULL), 0);
	ASSERT_EQ(run(o, fill_desc(VA_OF(1), 1, 8), NULL), 0);
	EXPECT_EQ(fdinfo(o->fd, "alink_xpu-evicted-hbm"), 0);
	EXPECT_EQ(fdinfo(other.fd, "alink_xpu-evicted-hbm"), SIZE);
	evict_close(&other);
	EXPECT_EQ(memory(o->fd).hbm_evicted, 0);
}

/* Who traces sees what moves: how much, and for which queue. */
TEST_F_TIMEOUT(evict, moves_are_traced, SLOW)
{
	const char *dev = strrchr(self->sysfs, '/') + 1;
	struct drm_alink_xpu_query_memory before, after;
	struct drm_alink_xpu_segment_handle h;
	struct evict *o = SELF;
	char text[128], *trace;
	uint32_t bo[4], id;
	unsigned int i;
	long queue;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(make(o, i, HBM, SIZE, &bo[i]), 0);
	before = memory(o->fd);
	trace_start(_metadata);
	/* A new one, whose number is traced */
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	/* The first leaves, and comes back in place of the second. */
	ASSERT_EQ(make(o, 3, HBM, SIZE, &bo[3]), 0);
	ASSERT_EQ(run(o, fill_desc(VA_OF(0), 1, 8), NULL), 0);
	EXPECT_EQ(memory(o->fd).evictions, before.evictions + 2);
	EXPECT_EQ(memory(o->fd).restores, before.restores + 1);
	/* That one is wanted by a call, not by a queue. */
	ASSERT_EQ(seg_export(o->fd, bo[1], DRM_ALINK_XPU_SEGMENT_READ, &h, &id),
		  0);
	trace = trace_stop();
	after = memory(o->fd);
	EXPECT_EQ(after.evictions, before.evictions + 3);
	EXPECT_EQ(after.restores, before.restores + 2);

	queue = traced_number(trace, "alink_xpu_queue_create", " queue=");
	ASSERT_GT(queue, 0);
	snprintf(text, sizeof(text), ": dev=%s size=%#lx err=0", dev, SIZE);
	EXPECT_EQ(traced(trace, "alink_xpu_evict", text), 3);
	EXPECT_EQ(traced(trace, "alink_xpu_evict", ""), 3);
	snprintf(text, sizeof(text), ": dev=%s queue=%ld size=%#lx err=0", dev,
		 queue, SIZE);
	EXPECT_EQ(traced(trace, "alink_xpu_restore", text), 1);
	snprintf(text, sizeof(text), ": dev=%s queue=0 size=%#lx err=0", dev,
		 SIZE);
	EXPECT_EQ(traced(trace, "alink_xpu_restore", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_restore", ""), 2);
	if (!__test_passed(_metadata))
		TH_LOG("%s", trace);
	free(trace);
	ASSERT_EQ(seg_revoke(o->fd, id), 0);
}

#define CGROUP	"/sys/fs/cgroup"
#define OURS	CGROUP "/alink-evict"

static bool cgroup_make(void)
{
	if (access(CGROUP "/cgroup.controllers", F_OK) &&
	    mount("none", CGROUP, "cgroup2", 0, NULL))
		return false;
	return !write_file(CGROUP "/cgroup.subtree_control", "+memory") &&
	       (!mkdir(OURS, 0755) || errno == EEXIST);
}

/* A process of the group with an object; it has it when this returns. */
static pid_t pays(int ready[2])
{
	char text[32];
	uint32_t bo;
	pid_t pid;
	int fd;

	pid = fork();
	if (!pid) {
		snprintf(text, sizeof(text), "%d", getpid());
		fd = write_file(OURS "/cgroup.procs", text) ? -1 :
		     xpu_open(XPU);
		if (fd < 0 || gem_create(fd, HBM, SIZE, &bo) ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	return read(ready[0], text, 1) == 1 ? pid : -1;
}

static uint64_t charged(void)
{
	char text[64];

	return read_file(OURS "/memory.current", text, sizeof(text)) > 0 ?
	       strtoull(text, NULL, 10) : 0;
}

/* The creator's cgroup pays; at its limit the object stays, and others go. */
TEST_F_TIMEOUT(evict, who_pays, SLOW)
{
	static const char *const limit[] = { "max", "12582912" };
	struct evict *o = SELF;
	uint64_t before, after;
	uint32_t bo[3];
	int ready[2];
	int i, k;
	pid_t pid;

	ASSERT_TRUE(cgroup_make());
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(write_file(OURS "/memory.max", limit[i]), 0);
		ASSERT_EQ(pipe(ready), 0);
		pid = pays(ready);
		ASSERT_GT(pid, 0);
		before = charged();
		for (k = 0; k < 3; k++)
			ASSERT_EQ(make(o, -1, HBM, SIZE, &bo[k]), 0);
		after = charged();
		EXPECT_EQ(memory(o->fd).hbm_evicted, SIZE);
		if (i) {
			EXPECT_LT(after, before + SIZE / 2);
		} else {
			EXPECT_GT(after, before + SIZE - MIB);
		}
		ASSERT_EQ(kill(pid, SIGKILL), 0);
		ASSERT_EQ(waitpid(pid, NULL, 0), pid);
		for (k = 0; k < 3; k++)
			ASSERT_EQ(gem_close(o->fd, bo[k]), 0);
		EXPECT_TRUE(all_gone(o->fd));
		close(ready[0]);
		close(ready[1]);
	}
	rmdir(OURS);
}

/* --- what is unbound, but not forgotten yet ------------------------------------ */

/* So many make a call that is not over at once: what each binds, page by page */
#define OPS	256
#define VA_MANY	(VA_OUT + 0x10000000UL + PAGE)

struct unbinds {
	struct evict *o;
	atomic_bool done;
	int err;
};

/* First it takes a binding away, and is busy for a while then. */
static void *unbind_thread(void *arg)
{
	struct drm_alink_xpu_vm_bind_op op[OPS] = {};
	struct unbinds *u = arg;
	int i;

	op[0].op = DRM_ALINK_XPU_VM_BIND_UNMAP;
	op[0].addr = VA_OF(0);
	op[0].range = SIZE;
	for (i = 1; i < OPS; i++) {
		op[i].op = DRM_ALINK_XPU_VM_BIND_MAP;
		op[i].flags = RW;
		op[i].handle = u->o->out_bo;
		op[i].addr = VA_MANY;
		op[i].range = SIZE;
	}
	u->err = vm_bind(u->o->fd, u->o->vm, op, OPS);
	u->done = true;
	return NULL;
}

/* Waits for the first of the operations; false: the call was over by then. */
static bool first_is_done(struct unbinds *u)
{
	bool seen = false;
	char text[4096];

	while (!seen && !u->done) {
		if (read_file(TRACE "trace", text, sizeof(text)) < 0)
			break;
		seen = strstr(text, " alink_xpu_bind: ");
	}
	return seen && !u->done;
}

/*
 * A call takes a binding off the books at once, and invalidates translations
 * last. What is moved out of HBM meanwhile is not given to somebody else before
 * that: else the device reaches his memory by the old address.
 */
TEST_F_TIMEOUT(evict, not_before_translations_end, SLOW)
{
	struct drm_alink_xpu_queue_error e;
	struct evict *o = SELF;
	unsigned int i, k, tried = 0;
	struct unbinds u;
	pthread_t thread;
	uint64_t before;
	uint32_t a, bo[3];
	bool early;

	for (i = 0; i < 10 && tried < 2; i++) {
		u = (struct unbinds){ .o = o };
		ASSERT_EQ(make(o, 0, HBM, SIZE, &a), 0);
		/* Brings the translations in. */
		ASSERT_EQ(dev_put(o, VA_OF(0), SIZE, 6), 0);
		for (k = 0; k < 2; k++)
			ASSERT_EQ(make(o, -1, HBM, SIZE, &bo[k]), 0);
		before = memory(o->fd).evictions;

		trace_start(_metadata);
		ASSERT_EQ(pthread_create(&thread, NULL, unbind_thread, &u), 0);
		early = first_is_done(&u);
		free(trace_stop());
		tried += early;
		/* What was used longest ago has to leave for it. */
		EXPECT_EQ(make(o, -1, HBM, SIZE, &bo[2]), 0);
		EXPECT_EQ(memory(o->fd).evictions, before + 1);
		EXPECT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0), PAGE), &e), -EIO);
		EXPECT_EQ(e.status, ALINK_ST_PAGE_FAULT);
		ASSERT_EQ(pthread_join(thread, NULL), 0);
		EXPECT_EQ(u.err, 0);

		/* And what has left is what was there. */
		xq_close(&o->q);
		ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
		ASSERT_EQ(vm_map(o->fd, o->vm, a, 0, VA_OF(0), SIZE, RWA), 0);
		EXPECT_EQ(dev_check(o, VA_OF(0), SIZE, 6), 0);
		gem_close(o->fd, a);
		for (k = 0; k < 3; k++)
			gem_close(o->fd, bo[k]);
	}
	EXPECT_EQ(tried, 2);
	TH_LOG("%u rounds, in %u of them the call went on", i, tried);
}

/* --- bad pages ---------------------------------------------------------------- */

/*
 * Last, as the page is lost: an object with a page that nobody can read stays,
 * those with nothing of it move, and the kernel's queue survives the look.
 */
TEST_F_TIMEOUT(evict, bad_page, SLOW)
{
	struct drm_alink_xpu_query_memory m;
	struct drm_alink_xpu_queue_error e;
	uint64_t kernel = counted(self->sysfs, OF_KERNEL, "POISON");
	uint64_t users = counted(self->sysfs, OF_USERS, NULL);
	struct evict *o = SELF;
	uint32_t a, bo;
	char addr[32];
	int i;

	/* All that is visible: its start is that of HBM. */
	ASSERT_EQ(make(o, 0, HBM_CPU, SEEN, &a), 0);
	ASSERT_EQ(run(o, fill_desc(VA_OF(0), 3, SEEN), NULL), 0);
	snprintf(addr, sizeof(addr), "%lu", 5 * PAGE + 128);
	ASSERT_EQ(model_put(MODEL, "x-ecc-poison-addr", addr), 0);
	m = memory(o->fd);
	EXPECT_EQ(make(o, -1, HBM, SIZE, &bo), -ENOSPC);
	EXPECT_EQ(memory(o->fd).evictions, m.evictions);
	for (i = 0; i < 1000 && memory(o->fd).hbm_pending != PAGE; i++)
		usleep(10000);
	EXPECT_EQ(memory(o->fd).hbm_pending, PAGE);
	/* As often as it was tried before the page was known */
	EXPECT_GT(counted(self->sysfs, OF_KERNEL, "POISON"), kernel);
	EXPECT_EQ(counted(self->sysfs, OF_USERS, NULL), users);
	/* As without eviction: the page is told, the rest can be saved. */
	EXPECT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0) + 5 * PAGE, PAGE), &e),
		  -EIO);
	EXPECT_EQ(e.status, ALINK_ST_POISON);
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	EXPECT_EQ(run(o, copy_desc(VA_OUT, VA_OF(0) + 6 * PAGE, SIZE), NULL),
		  0);
	EXPECT_EQ(o->out[0], 3);
	EXPECT_EQ(make(o, -1, HBM, SIZE, &bo), -ENOSPC);

	ASSERT_EQ(vm_unmap(o->fd, o->vm, VA_OF(0), SEEN), 0);
	ASSERT_EQ(gem_close(o->fd, a), 0);
	EXPECT_EQ(memory(o->fd).hbm_retired, PAGE);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(make(o, -1, HBM, SIZE, &bo), 0);
	EXPECT_EQ(memory(o->fd).hbm_evicted, SIZE);
}

TEST_HARNESS_MAIN
