// SPDX-License-Identifier: GPL-2.0-only
/*
 * race_xpu SECONDS[:REST] ROLE...: one thread for each ROLE, each doing its part
 * with the xPUs again and again, whatever else is done to them meanwhile; with
 * REST it sleeps so many milliseconds before the next time. A call may
 * fail, as devices are reset and unbound under it; what must not happen is what
 * KCSAN, KASAN and lockdep report. Prints "figure ops_ROLE N", and fails when
 * a role got nothing done at all.
 *
 *   submit   commands through a queue of its own, each waited for
 *   churn    open, submit without waiting, close
 *   memory   objects created, bound, unbound and freed, on the shared file
 *   queues   queues made, asked for their state, destroyed, on the shared file
 *   sync     syncobjs and fences, on the shared file
 *   remote   memory of one xPU exported, imported by the other and revoked
 *   lend     memory of the process bound, changed and taken away under engines
 *   crowd    more HBM than there is, under engines and CPUs
 *   fence    kernel fences that follow memory, what is bound behind them, and
 *            some whose time is over
 *   prime    memory of one xPU in the other by dma-buf, which goes in any order
 *   compute  products of matrices, the last under way when all goes
 *   group    memory of both xPUs in group 9 with key 77, if there is one
 *   query    all that can be asked
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xpu_lib.h"

#define VA		0x10000000UL
#define VA_Q		0x20000000UL
#define SLOTS		8
#define WAIT_MS		2000
#define PATIENCE_US	20000
/* Whoever runs this makes it. */
#define GROUP		9
#define GROUP_KEY	77
#define DIM		128

static int64_t deadline;
static unsigned int rest_ms;
/* One file for all the roles that share, of whichever xPU is there. */
static int shared = -1;
static uint32_t shared_vm;
static atomic_uint turn;

static bool on(void)
{
	return now_ns() < deadline;
}

static int open_any(void)
{
	int fd = xpu_open(atomic_fetch_add(&turn, 1) % 2);

	if (fd < 0)
		usleep(PATIENCE_US);
	return fd;
}

/* Each function below does its part once: the number of calls that worked. */

static unsigned int submit_once(void)
{
	uint32_t vm, bo;
	unsigned int done = 0;
	struct xq q;
	int fd = open_any();

	if (fd < 0)
		return 0;
	if (!vm_create(fd, &vm) && !xq_open(&q, fd, vm, VA_Q, 64)) {
		if (!gem_create(fd, HBM, LARGE, &bo) &&
		    !vm_map(fd, vm, bo, 0, VA, LARGE, RW)) {
			while (on() && done < 64 &&
			       !xq_fill(&q, VA, 0x600d600d, 65536))
				done++;
		}
		xq_close(&q);
	}
	close(fd);
	return done;
}

static unsigned int churn_once(void)
{
	struct alink_xpu_desc d = { .opcode = ALINK_XPU_OP_NOP };
	struct xq q;
	uint32_t vm;
	int fd = open_any(), i;

	if (fd < 0)
		return 0;
	if (vm_create(fd, &vm) || xq_open(&q, fd, vm, VA_Q, 64)) {
		close(fd);
		return 0;
	}
	for (i = 0; i < SLOTS; i++)
		xq_push(&q, d);
	xq_ring(&q);
	/* The file first, while interrupts of its commands are on their way. */
	if (atomic_load(&turn) & 1) {
		close(fd);
		q.fd = -1;
	}
	xq_close(&q);
	if (q.fd >= 0)
		close(fd);
	return 1;
}

static unsigned int memory_once(void)
{
	uint64_t va = VA + (atomic_fetch_add(&turn, 1) % SLOTS) * LARGE;
	struct drm_alink_xpu_vm_bind_op op = {
		.flags = RW, .addr = va, .range = LARGE,
	};
	unsigned int done = 0;
	uint32_t bo;
	char *map;

	if (gem_create(shared, done & 1 ? HOST : HBM_CPU, LARGE, &bo)) {
		usleep(PATIENCE_US);
		return 0;
	}
	done++;
	map = gem_map(shared, bo, LARGE);
	if (map != MAP_FAILED) {
		map[atomic_load(&turn) % LARGE] = 1;
		done++;
	}
	/* Half of all later, which may be once the object is closed */
	op.handle = bo;
	if (va / LARGE & 1)
		done += !vm_bind_async(shared, shared_vm, &op, 1, NULL, 0);
	else
		done += !vm_bind(shared, shared_vm, &op, 1);
	op = (struct drm_alink_xpu_vm_bind_op) {
		.op = DRM_ALINK_XPU_VM_BIND_UNMAP, .addr = va, .range = LARGE,
	};
	if (va / LARGE & 2)
		done += !vm_bind_async(shared, shared_vm, &op, 1, NULL, 0);
	else
		done += !vm_bind(shared, shared_vm, &op, 1);
	gem_close(shared, bo);
	if (map != MAP_FAILED)
		munmap(map, LARGE);
	return done;
}

static unsigned int queues_once(void)
{
	uint64_t va = VA_Q + (atomic_fetch_add(&turn, 1) % SLOTS) * LARGE;
	struct drm_alink_xpu_queue_error error;
	struct alink_xpu_desc d = { .opcode = ALINK_XPU_OP_NOP };
	unsigned int done = 0;
	uint32_t state, id;
	struct xq q;

	if (xq_open(&q, shared, shared_vm, va, 16)) {
		usleep(PATIENCE_US);
		return 0;
	}
	xq_push(&q, d);
	xq_ring(&q);
	/* Any queue of the file, of this thread or of another */
	for (id = 0; id < SLOTS; id++)
		done += !queue_state(shared, id, &state, &error);
	done += !xq_wait(&q, WAIT_MS, &error);
	xq_close(&q);
	return done;
}

static unsigned int sync_once(void)
{
	unsigned int done = 0;
	uint32_t handle;

	if (syncobj_create(shared, &handle)) {
		usleep(PATIENCE_US);
		return 0;
	}
	done += syncobj_wait(shared, handle, 0, 0) != 0;
	done += !syncobj_signal(shared, handle);
	done += !syncobj_wait(shared, handle, 0, WAIT_MS);
	return done;
}

static unsigned int remote_once(void)
{
	struct drm_alink_xpu_segment_handle h;
	uint32_t vm, bo, far, id;
	unsigned int done = 0;
	int owner = xpu_open(0), user = xpu_open(1), i;
	struct xq q;

	if (owner < 0 || user < 0) {
		usleep(PATIENCE_US);
		goto close;
	}
	if (gem_create(owner, HBM, LARGE, &bo) ||
	    seg_export(owner, bo, RW, &h, &id) ||
	    vm_create(user, &vm) || xq_open(&q, user, vm, VA_Q, 64))
		goto close;
	if (!seg_import(user, &h, &far) &&
	    !vm_map(user, vm, far, 0, VA, LARGE, RW)) {
		for (i = 0; i < 16 && on(); i++)
			done += !xq_fill(&q, VA, i, 65536);
		/* Commands that are under way must fail, nothing else. */
		for (i = 0; i < SLOTS; i++)
			xq_push(&q, (struct alink_xpu_desc) {
				.opcode = ALINK_XPU_OP_FILL, .dst = VA,
				.len = LARGE });
		xq_ring(&q);
		done += !seg_revoke(owner, id);
		xq_wait(&q, WAIT_MS, NULL);
	}
	xq_close(&q);
close:
	if (owner >= 0)
		close(owner);
	if (user >= 0)
		close(user);
	return done;
}

static unsigned int lend_once(void)
{
	unsigned int done = 0, i;
	size_t gone = 0;
	uint32_t vm;
	struct xq q;
	int fd = open_any();
	char *mem;

	if (fd < 0)
		return 0;
	mem = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem != MAP_FAILED && !vm_create(fd, &vm) &&
	    !xq_open(&q, fd, vm, VA_Q, 64)) {
		for (i = 0; i < 16 && on(); i++) {
			if (!vm_map_user(fd, vm, mem, VA, LARGE, RW))
				done++;
			xq_push(&q, (struct alink_xpu_desc) {
				.opcode = ALINK_XPU_OP_FILL, .dst = VA,
				.src = i, .len = LARGE });
			xq_ring(&q);
			madvise(mem + i * PAGE, LARGE / 2, MADV_DONTNEED);
			mem[i * PAGE] = i;
			if (i % 4 == 3)
				mprotect(mem, LARGE, PROT_READ);
			mprotect(mem, LARGE, PROT_READ | PROT_WRITE);
			done += !xq_wait(&q, WAIT_MS, NULL);
		}
		/* Half of it goes while it is used, the rest after the file. */
		xq_push(&q, (struct alink_xpu_desc) {
			.opcode = ALINK_XPU_OP_FILL, .dst = VA, .len = LARGE });
		xq_ring(&q);
		if (atomic_fetch_add(&turn, 1) % 2) {
			gone = LARGE / 2;
			munmap(mem, gone);
		}
		xq_wait(&q, WAIT_MS, NULL);
		xq_close(&q);
	}
	close(fd);
	if (mem != MAP_FAILED)
		munmap(mem + gone, LARGE - gone);
	return done;
}

/* Four objects of which two fit: each work sends others away. */
static unsigned int crowd_once(void)
{
	struct drm_alink_xpu_query_memory m;
	unsigned int done = 0, i;
	uint32_t vm, bo[4];
	uint64_t size;
	struct xq q;
	int fd = open_any();
	char *map;

	if (fd < 0)
		return 0;
	if (xpu_memory(fd, &m) || vm_create(fd, &vm) ||
	    xq_open(&q, fd, vm, VA_Q, 64)) {
		close(fd);
		return 0;
	}
	size = m.hbm_total / 5 * 2 / LARGE * LARGE;
	for (i = 0; i < 4 && on(); i++) {
		if (gem_create(fd, i ? HBM : HBM_CPU, i ? size : LARGE, &bo[i]) ||
		    vm_map(fd, vm, bo[i], 0, i * (1ULL << 40) + VA,
			   i ? size : LARGE, RW))
			break;
		done++;
	}
	map = i ? gem_map(fd, bo[0], LARGE) : MAP_FAILED;
	if (i == 4 && map != MAP_FAILED) {
		for (i = 0; i < 16 && on(); i++) {
			done += !xq_fill(&q, i % 4 * (1ULL << 40) + VA, i,
					 LARGE);
			map[i * PAGE] = i;
		}
		/* The rest goes with what is under way. */
		xq_push(&q, (struct alink_xpu_desc) {
			.opcode = ALINK_XPU_OP_FILL, .dst = (1ULL << 40) + VA,
			.len = size });
		xq_ring(&q);
	}
	if (map != MAP_FAILED)
		munmap(map, LARGE);
	xq_close(&q);
	close(fd);
	return done;
}

/* A binding behind a command; in each fourth turn behind what never comes. */
static unsigned int fence_turn(int fd, uint32_t vm, struct xq *q,
			       const uint32_t *syncobj, unsigned int i)
{
	struct drm_alink_xpu_sync sync[2] = {
		{ .handle = syncobj[0] },
		{ .handle = syncobj[1], .flags = DRM_ALINK_XPU_SYNC_SIGNAL },
	};
	struct drm_alink_xpu_vm_bind_op op = {
		.flags = RW, .handle = q->bo, .addr = VA + i * PAGE,
		.range = PAGE,
	};
	struct drm_alink_xpu_fence_syncobj f = {
		.queue_id = i & 1 ? q->id : DRM_ALINK_XPU_QUEUE_ANY,
		.handle = q->bo, .addr = q->fence_offset,
		.value = i % 4 == 3 ? 1ULL << 40 : q->seq + 1,
		.timeout_ms = i % 4 == 3 ? 5 : WAIT_MS,
		.syncobj = syncobj[0],
	};
	unsigned int done = 0;
	int file;

	if (xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &f))
		return 0;
	done += !vm_bind_async(fd, vm, &op, 1, sync, 2);
	file = syncobj_export(fd, syncobj[i & 1], true);
	xq_push(q, (struct alink_xpu_desc) { .opcode = ALINK_XPU_OP_NOP });
	xq_ring(q);
	done += !syncobj_wait(fd, syncobj[1], 0, WAIT_MS);
	if (file >= 0) {
		done += sync_file_status(file) != 0;
		close(file);
	}
	return done;
}

static unsigned int fence_once(void)
{
	struct drm_alink_xpu_fence_syncobj f = {
		.value = 1ULL << 40, .timeout_ms = WAIT_MS,
	};
	uint32_t vm, syncobj[2];
	unsigned int done = 0, i;
	struct xq q;
	int fd = open_any();

	if (fd < 0)
		return 0;
	if (!vm_create(fd, &vm) && !xq_open(&q, fd, vm, VA_Q, 64)) {
		if (!syncobj_create(fd, &syncobj[0]) &&
		    !syncobj_create(fd, &syncobj[1])) {
			for (i = 0; i < 16 && on(); i++)
				done += fence_turn(fd, vm, &q, syncobj, i);
			/* Some outlive queue and file. */
			f.handle = q.bo;
			f.addr = q.fence_offset;
			f.syncobj = syncobj[0];
			for (i = 0; i < SLOTS; i++) {
				f.queue_id = i & 1 ? q.id :
						     DRM_ALINK_XPU_QUEUE_ANY;
				xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ,
					  &f);
			}
		}
		xq_close(&q);
	}
	close(fd);
	return done;
}

static unsigned int prime_once(void)
{
	unsigned int n = atomic_fetch_add(&turn, 1), done = 0, i;
	int owner = xpu_open(n % 2), user = xpu_open((n + 1) % 2), buf = -1;
	uint32_t vm, bo, far;
	struct xq q;

	if (owner < 0 || user < 0) {
		usleep(PATIENCE_US);
		goto close;
	}
	if (gem_create(owner, n & 2 ? HOST : HBM, LARGE, &bo))
		goto close;
	buf = prime_export(owner, bo, DRM_CLOEXEC | DRM_RDWR);
	if (buf < 0 || vm_create(user, &vm) || xq_open(&q, user, vm, VA_Q, 64))
		goto close;
	done++;
	if (!prime_import(user, buf, &far) &&
	    !vm_map(user, vm, far, 0, VA, LARGE, RW)) {
		for (i = 0; i < 16 && on(); i++)
			done += !xq_fill(&q, VA, i, 65536);
		for (i = 0; i < SLOTS; i++)
			xq_push(&q, (struct alink_xpu_desc) {
				.opcode = ALINK_XPU_OP_FILL, .dst = VA,
				.len = LARGE });
		xq_ring(&q);
		/* The memory outlives its owner, and the dma-buf. */
		if (n & 4) {
			close(owner);
			owner = -1;
		}
		if (n & 8) {
			close(buf);
			buf = -1;
		}
		done += !xq_wait(&q, WAIT_MS, NULL);
	}
	xq_close(&q);
close:
	if (buf >= 0)
		close(buf);
	if (owner >= 0)
		close(owner);
	if (user >= 0)
		close(user);
	return done;
}

static unsigned int compute_once(void)
{
	const uint64_t row = 4 * DIM, block = VA + LARGE;
	struct alink_xpu_compute c = {
		.m = DIM, .n = DIM, .k = DIM,
		.a = { .addr = VA, .stride = row, .dtype = ALINK_DT_FP32 },
		.b = { .addr = VA + DIM * row, .stride = row,
		       .dtype = ALINK_DT_FP32 },
		.dst = { .addr = VA + 2 * DIM * row, .stride = row,
			 .dtype = ALINK_DT_FP32 },
	};
	const struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COMPUTE, .subop = ALINK_XPU_FN_GEMM,
		.src = block, .len = sizeof(c),
	};
	unsigned int done = 0, i;
	uint32_t vm, bo, host;
	struct xq q;
	int fd = open_any();
	void *mem;

	if (fd < 0)
		return 0;
	if (!vm_create(fd, &vm) && !xq_open(&q, fd, vm, VA_Q, 64)) {
		mem = MAP_FAILED;
		if (!gem_create(fd, HBM, LARGE, &bo) &&
		    !gem_create(fd, HOST, PAGE, &host) &&
		    !vm_map(fd, vm, bo, 0, VA, LARGE, RW) &&
		    !vm_map(fd, vm, host, 0, block, PAGE, RW))
			mem = gem_map(fd, host, PAGE);
		if (mem != MAP_FAILED) {
			memcpy(mem, &c, sizeof(c));
			for (i = 0; i < 16 && on(); i++)
				done += !xq_run(&q, d, NULL);
			for (i = 0; i < SLOTS; i++)
				xq_push(&q, d);
			xq_ring(&q);
			munmap(mem, PAGE);
		}
		xq_close(&q);
	}
	close(fd);
	return done;
}

static int group_bind(int fd, uint32_t bo)
{
	struct drm_alink_xpu_group_bind b = {
		.group = GROUP, .key = GROUP_KEY, .size = LARGE, .handle = bo,
	};

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GROUP_BIND, &b);
}

static unsigned int group_once(void)
{
	struct drm_alink_xpu_group_import far = {
		.group = GROUP, .key = GROUP_KEY, .size = LARGE,
	};
	const struct alink_xpu_desc reduce = {
		.opcode = ALINK_XPU_OP_REDUCE_READ, .dtype = ALINK_DT_FP32,
		.subop = ALINK_OP_SUM, .dst = VA + LARGE, .src = VA,
		.len = 65536,
	};
	int other = xpu_open(0), user = xpu_open(1);
	unsigned int done = 0, i;
	uint32_t vm, bo[2];
	struct xq q;

	if (other < 0 || user < 0) {
		usleep(PATIENCE_US);
		goto close;
	}
	if (gem_create(other, HBM, LARGE, &bo[0]) ||
	    gem_create(user, HBM, LARGE, &bo[1]) ||
	    vm_create(user, &vm) || xq_open(&q, user, vm, VA_Q, 64))
		goto close;
	/* Somebody may take the group away at any time. */
	for (i = 0; i < 64 && on() && group_bind(other, bo[0]); i++)
		usleep(1000);
	if (i < 64 && !group_bind(user, bo[1]))
		done++;
	if (!xpu_ioctl(user, DRM_IOCTL_ALINK_XPU_GROUP_IMPORT, &far) &&
	    !vm_map(user, vm, far.handle, 0, VA, LARGE, RW) &&
	    !vm_map(user, vm, bo[1], 0, VA + LARGE, LARGE, RW)) {
		for (i = 0; i < 8 && on(); i++) {
			done += !xq_fill(&q, VA, i, 65536);
			done += !xq_run(&q, reduce, NULL);
		}
		for (i = 0; i < SLOTS; i++)
			xq_push(&q, reduce);
		xq_ring(&q);
		/* A member leaves: what is under way must fail, or be done. */
		close(other);
		other = -1;
		xq_wait(&q, WAIT_MS, NULL);
	}
	xq_close(&q);
close:
	if (other >= 0)
		close(other);
	if (user >= 0)
		close(user);
	return done;
}

static unsigned int query_once(void)
{
	struct drm_alink_xpu_query_counters c;
	struct drm_alink_xpu_query_device d;
	struct drm_alink_xpu_query_memory m;
	unsigned int done = 0;
	char path[64], text[4096];
	int info, fd = open_any();

	if (fd < 0)
		return 0;
	done += !xpu_device(fd, &d);
	done += !xpu_counters(fd, &c);
	done += !xpu_memory(fd, &m);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info >= 0) {
		done += read(info, text, sizeof(text)) > 0;
		close(info);
	}
	close(fd);
	return done;
}

static const struct role {
	const char *name;
	unsigned int (*once)(void);
	bool shares;
} roles[] = {
	{ "submit", submit_once },
	{ "churn", churn_once },
	{ "memory", memory_once, true },
	{ "queues", queues_once, true },
	{ "sync", sync_once, true },
	{ "remote", remote_once },
	{ "lend", lend_once },
	{ "crowd", crowd_once },
	{ "fence", fence_once },
	{ "prime", prime_once },
	{ "compute", compute_once },
	{ "group", group_once },
	{ "query", query_once },
};

#define NUM_ROLES	(sizeof(roles) / sizeof(roles[0]))

static atomic_ulong ops[NUM_ROLES];

static void *worker(void *arg)
{
	const struct role *role = arg;

	while (on()) {
		atomic_fetch_add(&ops[role - roles], role->once());
		usleep(rest_ms * 1000);
	}
	return NULL;
}

static const struct role *find(const char *name)
{
	size_t i;

	for (i = 0; i < NUM_ROLES; i++)
		if (!strcmp(roles[i].name, name))
			return &roles[i];
	fprintf(stderr, "race_xpu: no role %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	const struct role *role[64];
	bool wanted[NUM_ROLES] = { };
	pthread_t thread[64];
	int i, n = argc - 2, idle = 0;
	size_t r;

	if (n < 1 || n > 64) {
		fprintf(stderr, "usage: race_xpu SECONDS[:REST] ROLE...\n");
		return 2;
	}
	if (strchr(argv[1], ':'))
		rest_ms = (unsigned int)atoi(strchr(argv[1], ':') + 1);
	for (i = 0; i < n; i++) {
		role[i] = find(argv[i + 2]);
		wanted[role[i] - roles] = true;
		if (role[i]->shares && shared < 0) {
			shared = xpu_open(0);
			if (shared < 0 || vm_create(shared, &shared_vm)) {
				perror("race_xpu: the shared file");
				return 1;
			}
		}
	}
	deadline = now_ns() + atoi(argv[1]) * 1000000000LL;
	for (i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, worker, (void *)role[i]))
			return 1;
	for (i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	for (r = 0; r < NUM_ROLES; r++) {
		if (!wanted[r])
			continue;
		printf("figure ops_%s %lu\n", roles[r].name,
		       atomic_load(&ops[r]));
		idle += !atomic_load(&ops[r]);
	}
	return idle ? 1 : 0;
}
