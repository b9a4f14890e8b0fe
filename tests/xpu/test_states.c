// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each call says while the device is in reset, and when it has failed:
 * those that need the device are told so, with EBUSY and EIO; those that do not,
 * work; and those that give something back leave nothing behind.
 */
#include <signal.h>
#include <sys/wait.h>

#include <alink.h>

#include "refuse.h"

#define GROUP	204
#define KEY	0x5eed5eedULL
/* Longer than all calls here take, less than the driver waits for a reset */
#define RESET	"6000000"
/* What is promised to who is killed */
#define KILL_NS	1000000000LL

FIXTURE(state)
{
	struct refuse o;
	struct alink_ctx *ctx;
	char sysfs[256];
	uint32_t vm, queue, export, binding;	/* to be given back */
};

/* --- calls ---------------------------------------------------------------- */

/* A call that is good, on a device that is ready */
struct call {
	const char *what;
	unsigned long nr;
	void *arg;
	bool needs;			/* the device */
};

#define NR(name)	DRM_IOCTL_ALINK_XPU_##name

static void expect_calls(struct __test_metadata *_metadata,
			 const struct refuse *o, int want)
{
	uint64_t room[512];
	struct drm_alink_xpu_query device = {
		.query = DRM_ALINK_XPU_QUERY_DEVICE, .size = sizeof(room),
		.data = (uintptr_t)room,
	}, memory = device, counters = device, links = device, only_size = {
		.query = DRM_ALINK_XPU_QUERY_DEVICE,
	};
	struct drm_alink_xpu_gem_create hbm = { .size = PAGE, .flags = HBM };
	struct drm_alink_xpu_gem_create host = { .size = PAGE, .flags = HOST };
	struct drm_alink_xpu_gem_mmap_offset offset = { .handle = o->hbm };
	struct drm_alink_xpu_vm_create vm = {};
	struct drm_alink_xpu_vm_bind_op ops[2] = {
		{ .op = DRM_ALINK_XPU_VM_BIND_UNMAP, .addr = VA_FAR,
		  .range = SIZE },
		{ .op = DRM_ALINK_XPU_VM_BIND_MAP, .flags = RW,
		  .handle = o->far, .addr = VA_FAR, .range = SIZE },
	};
	struct drm_alink_xpu_vm_bind bind = {
		.vm_id = o->vm, .num_binds = 2, .binds = (uintptr_t)ops,
	};
	struct drm_alink_xpu_vm_bind later = bind;
	struct drm_alink_xpu_queue_create queue = o->queue;
	struct drm_alink_xpu_queue_status status = { .queue_id = o->q.id };
	struct drm_alink_xpu_wait_fence wait = {
		.handle = o->q.bo, .addr = o->q.fence_offset,
	};
	struct drm_alink_xpu_fence_syncobj fence = {
		.handle = o->q.bo, .addr = o->q.fence_offset,
		.timeout_ms = 1000, .syncobj = o->syncobj,
	};
	struct drm_alink_xpu_segment_export export = {
		.handle = o->far, .rights = DRM_ALINK_XPU_SEGMENT_READ,
	};
	struct drm_alink_xpu_segment_import import = {
		.segment = { .key = KEY, .size = PAGE,
			     .rights = DRM_ALINK_XPU_SEGMENT_READ },
	};
	struct drm_alink_xpu_group_bind group = {
		.group = GROUP + 1, .key = KEY, .handle = o->far, .size = PAGE,
	};
	struct drm_alink_xpu_group_import far_group = {
		.group = GROUP, .key = KEY, .size = PAGE,
	};
	const struct call calls[] = {
		{ "QUERY_DEVICE", NR(QUERY), &device, true },
		{ "QUERY_COUNTERS", NR(QUERY), &counters, true },
		{ "QUERY_LINKS", NR(QUERY), &links, true },
		{ "QUERY_MEMORY", NR(QUERY), &memory, false },
		{ "QUERY, size", NR(QUERY), &only_size, false },
		{ "GEM_CREATE, HBM", NR(GEM_CREATE), &hbm, true },
		{ "GEM_CREATE, HOST", NR(GEM_CREATE), &host, false },
		{ "GEM_MMAP_OFFSET", NR(GEM_MMAP_OFFSET), &offset, false },
		{ "VM_CREATE", NR(VM_CREATE), &vm, true },
		{ "VM_BIND", NR(VM_BIND), &bind, false },
		{ "VM_BIND, ASYNC", NR(VM_BIND), &later, false },
		{ "QUEUE_CREATE", NR(QUEUE_CREATE), &queue, true },
		{ "QUEUE_STATUS", NR(QUEUE_STATUS), &status, false },
		{ "WAIT_FENCE", NR(WAIT_FENCE), &wait, false },
		{ "FENCE_SYNCOBJ", NR(FENCE_SYNCOBJ), &fence, false },
		{ "SEGMENT_EXPORT", NR(SEGMENT_EXPORT), &export, true },
		{ "SEGMENT_IMPORT", NR(SEGMENT_IMPORT), &import, true },
		{ "GROUP_BIND", NR(GROUP_BIND), &group, true },
		{ "GROUP_IMPORT", NR(GROUP_IMPORT), &far_group, true },
	};
	size_t i;

	memory.query = DRM_ALINK_XPU_QUERY_MEMORY;
	counters.query = DRM_ALINK_XPU_QUERY_COUNTERS;
	links.query = DRM_ALINK_XPU_QUERY_LINKS;
	later.flags = DRM_ALINK_XPU_VM_BIND_ASYNC;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		EXPECT_EQ(xpu_ioctl(o->fd, calls[i].nr, calls[i].arg),
			  calls[i].needs ? want : 0) {
			TH_LOG("%s", calls[i].what);
		}
	}
	EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 0, WAIT_MS), 0);
}

/* Calls that give something back: the @i-th, or 1 if there is no other */
static int give_back(const FIXTURE_DATA(state) *self, int i)
{
	struct drm_alink_xpu_group_unbind unbind = {
		.bind_id = self->binding,
	};

	switch (i) {
	case 0:
		return queue_destroy(self->o.fd, self->queue);
	case 1:
		return seg_revoke(self->o.fd, self->export);
	case 2:
		return xpu_ioctl(self->o.fd, NR(GROUP_UNBIND), &unbind);
	case 3:
		return vm_destroy(self->o.fd, self->vm);
	default:
		return 1;
	}
}

/* --- before and after ----------------------------------------------------- */

static int device_state(int fd)
{
	struct drm_alink_xpu_query_device d;

	return xpu_device(fd, &d);
}

FIXTURE_SETUP(state)
{
	struct alink_group_info group = {
		.dev = ALINK_ALL, .id = GROUP, .key = KEY,
	};
	struct drm_alink_xpu_group_bind bind = {
		.group = GROUP, .key = KEY, .size = PAGE,
	};
	struct drm_alink_xpu_queue_create queue;
	struct drm_alink_xpu_segment_handle h;
	struct refuse *o = SELF;

	ASSERT_EQ(alink_new(&self->ctx), 0);
	ASSERT_EQ(alink_fabric_up(self->ctx, 1), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	ASSERT_EQ(refuse_open(o, 0), 0);
	ASSERT_EQ(xpu_sysfs(o->fd, self->sysfs, sizeof(self->sysfs)), 0);
	alink_set_add(&group.members, o->dev.fabric_id);
	/* Should a test have died with it */
	alink_group_del(self->ctx, ALINK_ALL, GROUP);
	ASSERT_EQ(alink_group_add(self->ctx, &group), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	queue = o->queue;
	ASSERT_EQ(queue_create(o->fd, &queue), 0);
	self->queue = queue.queue_id;
	ASSERT_EQ(seg_export(o->fd, o->hbm, DRM_ALINK_XPU_SEGMENT_READ, &h,
			     &self->export), 0);
	bind.handle = o->hbm;
	ASSERT_EQ(xpu_ioctl(o->fd, NR(GROUP_BIND), &bind), 0);
	self->binding = bind.bind_id;
	ASSERT_EQ(vm_create(o->fd, &self->vm), 0);
}

FIXTURE_TEARDOWN(state)
{
	struct refuse *o = SELF;
	struct seen now;

	EXPECT_EQ(model_put("xpu0", "x-reset-us", "0"), 0);
	EXPECT_EQ(model_set("xpu0", "x-admin-stuck", false), 0);
	if (device_state(o->fd)) {
		EXPECT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	}
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	/* Nothing of what was refused, or given back, is left in the device. */
	EXPECT_EQ(look(o, &now), 0);
	EXPECT_EQ(now.next_segment, o->seen.next_segment);
	EXPECT_EQ(refuse_close(o), 0);
	EXPECT_EQ(alink_group_del(self->ctx, ALINK_ALL, GROUP), 0);
	alink_free(self->ctx);
}

/* --- states --------------------------------------------------------------- */

TEST_F_TIMEOUT(state, in_reset, 120)
{
	struct refuse *o = SELF;
	pid_t reset, pid[4];
	int i;

	ASSERT_EQ(model_put("xpu0", "x-reset-us", RESET), 0);
	reset = fork();
	if (!reset)
		_exit(!!pci_write(self->sysfs, "reset", "1"));
	while (device_state(o->fd) != -EBUSY)
		usleep(1000);
	expect_calls(_metadata, o, -EBUSY);
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(-give_back(self, i));
	}
	usleep(200000);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(waitpid(pid[i], NULL, WNOHANG), 0) {
			TH_LOG("%d did not wait", i);
		}
	}
	/* It was in reset all the while, or this has shown nothing. */
	ASSERT_EQ(device_state(o->fd), -EBUSY);
	EXPECT_EQ(child_status(reset), 0);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(child_status(pid[i]), 0) {
			TH_LOG("%d", i);
		}
	}
	EXPECT_EQ(device_state(o->fd), 0);
}

/* A child that has a little of everything, with a queue at work */
static pid_t holder(void)
{
	struct drm_alink_xpu_segment_handle h;
	struct refuse o;
	int ready[2];
	uint32_t id;
	pid_t pid;
	char c;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		if (refuse_open(&o, 0) ||
		    seg_export(o.fd, o.far, DRM_ALINK_XPU_SEGMENT_READ, &h,
			       &id))
			_exit(1);
		xq_push_endless(&o.q);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(2);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		child_status(pid);
		pid = -1;
	}
	close(ready[0]);
	return pid;
}

/*
 * Nobody who is killed waits for the end of a reset: not in a call that gives
 * something back, nor for what he had. It is all free at once.
 */
TEST_F_TIMEOUT(state, killed_in_reset, 120)
{
	struct drm_alink_xpu_query_memory before, after;
	struct refuse *o = SELF;
	pid_t reset, pid[5];
	int64_t start;
	int i, status;

	ASSERT_EQ(xpu_memory(o->fd, &before), 0);
	pid[4] = holder();
	ASSERT_GT(pid[4], 0);
	ASSERT_EQ(model_put("xpu0", "x-reset-us", RESET), 0);
	reset = fork();
	if (!reset)
		_exit(!!pci_write(self->sysfs, "reset", "1"));
	while (device_state(o->fd) != -EBUSY)
		usleep(1000);
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(-give_back(self, i));
	}
	usleep(200000);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(waitpid(pid[i], &status, WNOHANG), 0) {
			TH_LOG("%d did not wait", i);
		}
		start = now_ns();
		kill(pid[i], SIGKILL);
		EXPECT_EQ(waitpid(pid[i], &status, 0), pid[i]);
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_LT(now_ns() - start, KILL_NS) {
			TH_LOG("%d", i);
		}
	}
	ASSERT_EQ(xpu_memory(o->fd, &after), 0);
	EXPECT_EQ(after.hbm_used, before.hbm_used);
	/* It was in reset all the while, or this has shown nothing. */
	ASSERT_EQ(device_state(o->fd), -EBUSY);
	EXPECT_EQ(child_status(reset), 0);
	EXPECT_EQ(device_state(o->fd), 0);
}

TEST_F_TIMEOUT(state, failed, 120)
{
	struct refuse *o = SELF;
	int i;

	ASSERT_EQ(model_set("xpu0", "x-admin-stuck", true), 0);
	pci_write(self->sysfs, "reset", "1");
	ASSERT_EQ(device_state(o->fd), -EIO);
	expect_calls(_metadata, o, -EIO);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(give_back(self, i), 0) {
			TH_LOG("%d", i);
		}
	}
	EXPECT_EQ(give_back(self, i), 1);
	ASSERT_EQ(device_state(o->fd), -EIO);
	ASSERT_EQ(model_set("xpu0", "x-admin-stuck", false), 0);
	EXPECT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	EXPECT_EQ(device_state(o->fd), 0);
}

TEST_HARNESS_MAIN
