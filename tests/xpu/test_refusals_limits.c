// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is refused because there is no more of it, or because it takes too long:
 * as many as the query says can be had, not one more, and one again once
 * another is given back.
 */
#include "refuse.h"

#define SLOW	280			/* s; see TIMEOUT of tests/guest */
#define GROUPS	ALINK_MAX_GROUP_SLOTS
#define MODEL	"xpu0"
/* An admin command takes so long in one test: less than its time-out, 10 s */
#define LATE_MS	5000
/* Together with that more than 10 s, which it does not take alone */
#define SLOW_FENCE_MS	7000

FIXTURE(limit)
{
	struct refuse o;
	int other;			/* of the same xPU */
};

FIXTURE_SETUP(limit)
{
	ASSERT_EQ(refuse_open(SELF, 0), 0);
	self->other = xpu_open(0);
	ASSERT_GE(self->other, 0);
}

FIXTURE_TEARDOWN(limit)
{
	EXPECT_EQ(model_put(MODEL, "x-latency-us", "0"), 0);
	close(self->other);
	EXPECT_EQ(refuse_close(SELF), 0);
}

/* --- of the device, for all files ----------------------------------------- */

TEST_F_TIMEOUT(limit, vms, SLOW)
{
	struct refuse *o = SELF;
	uint32_t n = 1, vm;		/* one is the fixture's */
	int err;

	while (!(err = vm_create(o->fd, &vm)))
		n++;
	EXPECT_EQ(err, -ENOSPC);
	EXPECT_EQ(vm, 0);
	EXPECT_EQ(n, o->dev.max_vms);
	EXPECT_EQ(vm_create(self->other, &vm), -ENOSPC);
	/* The id is this file's, the context anybody's. */
	EXPECT_EQ(vm_destroy(o->fd, o->seen.next_vm), 0);
	EXPECT_EQ(vm_create(self->other, &vm), 0);
	EXPECT_EQ(vm_create(o->fd, &vm), -ENOSPC);
	close(self->other);
	EXPECT_EQ(vm_create(o->fd, &vm), 0);
	EXPECT_EQ(vm, o->seen.next_vm);
	self->other = xpu_open(0);
}

TEST_F_TIMEOUT(limit, segments, SLOW)
{
	struct drm_alink_xpu_group_bind b = {
		.key = 1, .handle = SELF->hbm, .size = SIZE,
	};
	struct drm_alink_xpu_segment_handle h, none = {};
	struct refuse *o = SELF;
	uint32_t n = 0, id, bo;
	int err;

	while (!(err = seg_export(o->fd, o->hbm, DRM_ALINK_XPU_SEGMENT_READ,
				  &h, &id)))
		n++;
	EXPECT_EQ(err, -ENOSPC);
	EXPECT_EQ(id, 0);
	EXPECT_EQ(memcmp(&h, &none, sizeof(h)), 0);
	EXPECT_EQ(n, o->dev.max_segments);
	/* So for others, and for groups, before anybody looks for the group */
	ASSERT_EQ(gem_create(self->other, HBM, PAGE, &bo), 0);
	EXPECT_EQ(seg_export(self->other, bo, DRM_ALINK_XPU_SEGMENT_READ, &h,
			     &id), -ENOSPC);
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_GROUP_BIND, &b),
		  -ENOSPC);
	EXPECT_EQ(b.bind_id, 0);
	EXPECT_EQ(seg_revoke(o->fd, n / 2), 0);
	EXPECT_EQ(seg_export(o->fd, o->hbm, DRM_ALINK_XPU_SEGMENT_READ, &h,
			     &id), 0);
	EXPECT_EQ(id, n / 2);
	EXPECT_EQ(seg_export(o->fd, o->hbm, DRM_ALINK_XPU_SEGMENT_READ, &h,
			     &id), -ENOSPC);
}

/* Nobody looks at what a handle names before it is used. */
static int import_segment(int fd, uint32_t *handle)
{
	const struct drm_alink_xpu_segment_handle h = {
		.endpoint = 1, .segment = 1, .key = 1, .size = PAGE,
		.rights = DRM_ALINK_XPU_SEGMENT_READ,
	};

	return seg_import(fd, &h, handle);
}

static int import_group(int fd, uint32_t *handle)
{
	struct drm_alink_xpu_group_import i = { .key = 1, .size = PAGE };
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GROUP_IMPORT, &i);

	*handle = i.handle;
	return err;
}

TEST_F_TIMEOUT(limit, imports, SLOW)
{
	struct refuse *o = SELF;
	uint32_t n = 0, bo, last = 0;
	int err;

	while (!(err = import_segment(o->fd, &bo))) {
		last = bo;
		n++;
	}
	EXPECT_EQ(err, -ENOSPC);
	EXPECT_EQ(bo, 0);
	EXPECT_EQ(n, o->dev.max_imports);
	EXPECT_EQ(import_segment(self->other, &bo), -ENOSPC);
	EXPECT_EQ(import_group(o->fd, &bo), -ENOSPC);
	/* What came last has a slot that groups can have, too. */
	EXPECT_EQ(gem_close(o->fd, last), 0);
	EXPECT_EQ(import_group(o->fd, &bo), 0);
	EXPECT_EQ(import_segment(o->fd, &bo), -ENOSPC);
}

/* Groups have fewer slots, which segments leave to them. */
TEST_F_TIMEOUT(limit, imported_groups, SLOW)
{
	struct refuse *o = SELF;
	uint32_t n, bo, last = 0;
	int err;

	ASSERT_GT(o->dev.max_imports, 3 * GROUPS);
	for (n = 0; n < GROUPS + 10; n++)
		ASSERT_EQ(import_segment(o->fd, &bo), 0);
	n = 0;
	while (!(err = import_group(o->fd, &bo))) {
		last = bo;
		n++;
	}
	EXPECT_EQ(err, -ENOSPC);
	EXPECT_EQ(n, GROUPS);
	EXPECT_EQ(import_group(self->other, &bo), -ENOSPC);
	EXPECT_EQ(import_segment(o->fd, &bo), 0);
	EXPECT_EQ(gem_close(o->fd, last), 0);
	EXPECT_EQ(import_group(self->other, &bo), 0);
	EXPECT_EQ(import_group(o->fd, &bo), -ENOSPC);
}

/* --- pieces of an object --------------------------------------------------- */

/* The xPU with little HBM (topology xpu3): all of it in objects of 1 MiB */
#define SMALL		2
#define OBJECTS		64

FIXTURE(pieces)
{
	int fd;
	struct drm_alink_xpu_query_device dev;
};

FIXTURE_SETUP(pieces)
{
	struct drm_alink_xpu_query_memory m = { .hbm_used = 1 };
	unsigned int i;

	self->fd = xpu_open(SMALL);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_device(self->fd, &self->dev), 0);
	ASSERT_EQ(self->dev.hbm_size, OBJECTS * MIB);
	/* Those that have gone may not be gone at once. */
	for (i = 0; i < 3000 && (m.hbm_used || m.hbm_evicted); i++) {
		ASSERT_EQ(xpu_memory(self->fd, &m), 0);
		usleep(10000);
	}
	ASSERT_TRUE(!m.hbm_used && !m.hbm_evicted);
}

FIXTURE_TEARDOWN(pieces)
{
	close(self->fd);
}

/*
 * Every other object is given back, and the rest is exported, so that it stays:
 * there is room, but in pieces of 1 MiB.
 */
static void give_every_other(struct __test_metadata *_metadata,
			     FIXTURE_DATA(pieces) *self)
{
	struct drm_alink_xpu_segment_handle h;
	uint32_t bo[OBJECTS + 1], id[OBJECTS + 1];
	unsigned int i, n;
	int err = 0;

	for (n = 0; n <= OBJECTS; n++) {
		err = gem_create(self->fd, HBM, MIB, &bo[n]);
		if (err)
			break;
		ASSERT_EQ(seg_export(self->fd, bo[n],
				     DRM_ALINK_XPU_SEGMENT_READ, &h, &id[n]),
			  0);
	}
	ASSERT_EQ(err, -ENOSPC);
	for (i = 0; i < n; i += 2) {
		ASSERT_EQ(seg_revoke(self->fd, id[i]), 0);
		ASSERT_EQ(gem_close(self->fd, bo[i]), 0);
	}
}

TEST_F_TIMEOUT(pieces, more_than_an_object_has, 120)
{
	struct drm_alink_xpu_query_memory before, after;
	const uint64_t most = self->dev.max_hbm_pieces * MIB;
	struct drm_alink_xpu_segment_handle h;
	uint32_t bo, id;

	give_every_other(_metadata, self);
	ASSERT_EQ(xpu_memory(self->fd, &before), 0);
	ASSERT_GE(before.hbm_total - before.hbm_used, most * 3 / 2);
	EXPECT_EQ(gem_create(self->fd, HBM, most * 3 / 2, &bo), -ENOSPC);
	EXPECT_EQ(bo, 0);
	EXPECT_EQ(gem_create(self->fd, HBM, most + PAGE, &bo), -ENOSPC);
	ASSERT_EQ(xpu_memory(self->fd, &after), 0);
	EXPECT_EQ(memcmp(&before, &after, sizeof(before)), 0);
	/* As many as it can have are as good as one. */
	ASSERT_EQ(gem_create(self->fd, HBM, most, &bo), 0);
	EXPECT_EQ(seg_export(self->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h,
			     &id), 0);
	EXPECT_EQ(h.size, most);
}

/* --- time ----------------------------------------------------------------- */

/* A fence that comes after a while, of the 10 s that it may take */
static int slow_fence(struct refuse *o, uint32_t syncobj, pid_t *pid)
{
	struct drm_alink_xpu_fence_syncobj f = {
		.handle = o->q.bo, .addr = o->q.fence_offset + 16, .value = 1,
		.timeout_ms = o->dev.max_syncobj_ms, .syncobj = syncobj,
	};

	o->q.fence[2] = 0;
	*pid = fork();
	if (!*pid) {
		usleep(SLOW_FENCE_MS * 1000);
		o->q.fence[2] = 1;
		_exit(0);
	}
	return xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &f);
}

/*
 * Every fence of ours has an end, but one that follows another, and then needs
 * the device for its work, ends later than 10 s after it was made.
 */
TEST_F_TIMEOUT(limit, synchronous_bind_waits_10_s, 120)
{
	struct drm_alink_xpu_vm_bind_op unmap = {
		.op = DRM_ALINK_XPU_VM_BIND_UNMAP, .addr = VA, .range = SIZE,
	}, map = {
		.op = DRM_ALINK_XPU_VM_BIND_MAP, .flags = RW,
		.handle = SELF->hbm, .addr = VA_FREE, .range = SIZE,
	};
	struct drm_alink_xpu_sync gate[2] = {
		{}, { .flags = DRM_ALINK_XPU_SYNC_SIGNAL },
	}, sync[2] = {
		{}, { .handle = SELF->syncobj,
		      .flags = DRM_ALINK_XPU_SYNC_SIGNAL },
	};
	struct drm_alink_xpu_vm_bind b = {
		.vm_id = SELF->vm,
		.num_binds = 1, .binds = (uintptr_t)&map,
		.num_syncs = 2, .syncs = (uintptr_t)sync,
	};
	struct refuse *o = SELF;
	int64_t start, took;
	char late[16];
	uint32_t vm;
	pid_t pid;

	/* Another VM, where something is bound: the device must let go. */
	ASSERT_EQ(vm_create(o->fd, &vm), 0);
	ASSERT_EQ(vm_map(o->fd, vm, o->hbm, 0, VA, SIZE, RW), 0);
	ASSERT_EQ(syncobj_create(o->fd, &gate[0].handle), 0);
	ASSERT_EQ(syncobj_create(o->fd, &gate[1].handle), 0);
	sync[0].handle = gate[1].handle;
	ASSERT_EQ(look(o, &o->seen), 0);
	ASSERT_EQ(slow_fence(o, gate[0].handle, &pid), 0);
	ASSERT_EQ(vm_bind_async(o->fd, vm, &unmap, 1, gate, 2), 0);
	snprintf(late, sizeof(late), "%d", LATE_MS * 1000);
	ASSERT_EQ(model_put(MODEL, "x-latency-us", late), 0);
	start = now_ns();
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b), -ETIME);
	took = (now_ns() - start) / 1000000;
	EXPECT_GE(took, 9900);
	EXPECT_LE(took, 10000 + LATE_MS);
	EXPECT_EQ(b.num_done, 0);
	ASSERT_EQ(model_put(MODEL, "x-latency-us", "0"), 0);
	EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 0, 0), -EINVAL);
	EXPECT_EQ(syncobj_wait(o->fd, gate[1].handle, 0, WAIT_MS), 0);
	EXPECT_EQ(child_status(pid), 0);
	unchanged(_metadata, o, "a wait of 10 s");
	EXPECT_EQ(word_at(o, vm, VA), 0);
	/* The same call, now that the fence is there */
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b), 0);
	EXPECT_EQ(b.num_done, 1);
	EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 0, WAIT_MS), 0);
	EXPECT_EQ(word_at(o, o->vm, VA_FREE), MARK);
}

TEST_HARNESS_MAIN
