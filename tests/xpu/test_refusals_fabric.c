// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is refused of segments and groups, argument by argument, with the errno
 * that the interface says and no effect. And what a device does not do that is
 * in no fabric, or cannot try accesses again.
 */
#include <fcntl.h>

#include <alink.h>

#include "refuse.h"

#define GROUP		203
#define KEY		0x5eed5eedULL
#define READ_WRITE	(DRM_ALINK_XPU_SEGMENT_READ | \
			 DRM_ALINK_XPU_SEGMENT_WRITE)
/* More than an import can be: see ALINK_REMOTE_OFFSET_MASK */
#define TOO_LARGE	(1ULL << 44)

FIXTURE(fabric)
{
	struct refuse o;
	struct alink_ctx *ctx;
};

FIXTURE_SETUP(fabric)
{
	struct alink_group_info group = {
		.dev = ALINK_ALL, .id = GROUP, .key = KEY,
	};

	ASSERT_EQ(alink_new(&self->ctx), 0);
	ASSERT_EQ(alink_fabric_up(self->ctx, 1), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	ASSERT_EQ(refuse_open(SELF, 0), 0);
	alink_set_add(&group.members, self->o.dev.fabric_id);
	/* Should a test have died with it */
	alink_group_del(self->ctx, ALINK_ALL, GROUP);
	ASSERT_EQ(alink_group_add(self->ctx, &group), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
}

FIXTURE_TEARDOWN(fabric)
{
	EXPECT_EQ(refuse_close(SELF), 0);
	EXPECT_EQ(alink_group_del(self->ctx, ALINK_ALL, GROUP), 0);
	alink_free(self->ctx);
}

static int group_bind(int fd, uint32_t handle, uint64_t size, uint32_t *id)
{
	struct drm_alink_xpu_group_bind b = {
		.group = GROUP, .key = KEY, .handle = handle, .size = size,
	};
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GROUP_BIND, &b);

	*id = b.bind_id;
	return err;
}

static int group_unbind(int fd, uint32_t id)
{
	struct drm_alink_xpu_group_unbind u = { .bind_id = id };

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GROUP_UNBIND, &u);
}

static int group_import(int fd, uint64_t size, uint32_t *handle)
{
	struct drm_alink_xpu_group_import i = {
		.group = GROUP, .key = KEY, .size = size,
	};
	int err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GROUP_IMPORT, &i);

	*handle = i.handle;
	return err;
}

/* --- segments ------------------------------------------------------------- */

#define EXPORT(field, value, error)					\
	SPOILT(drm_alink_xpu_segment_export, field, value, error)

TEST_F(fabric, segment_export)
{
	const struct drm_alink_xpu_segment_handle none = {};
	struct drm_alink_xpu_segment_export good = {
		.handle = SELF->hbm, .rights = DRM_ALINK_XPU_SEGMENT_READ,
	}, e = good;
	struct refuse *o = SELF;

	REFUSED(SEGMENT_EXPORT, &good,
		EXPORT(handle, NONE(o->hbm), ENOENT),
		EXPORT(handle, o->host, EOPNOTSUPP),
		EXPORT(rights, 0, EINVAL),
		EXPORT(rights, 8, EINVAL),
		EXPORT(rights, READ_WRITE | 1U << 31, EINVAL),
		EXPORT(flags, 1, EINVAL),
		EXPORT(export_id, 1, EINVAL),
		EXPORT(segment.endpoint, 1, EINVAL),
		EXPORT(segment.segment, 1, EINVAL),
		EXPORT(segment.key, 1, EINVAL),
		EXPORT(segment.size, PAGE, EINVAL),
		EXPORT(segment.rights, 1, EINVAL),
		EXPORT(segment.pad, 1, EINVAL));
	/* A key that opens nothing is not told either. */
	e.handle = o->host;
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT, &e),
		  -EOPNOTSUPP);
	EXPECT_EQ(memcmp(&e.segment, &none, sizeof(none)), 0);
	EXPECT_EQ(e.export_id, 0);
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT, &good),
		  0);
	EXPECT_EQ(good.export_id, o->seen.next_export);
	EXPECT_NE(good.segment.key, 0);
}

TEST_F(fabric, segment_revoke)
{
	struct drm_alink_xpu_segment_handle h;
	struct drm_alink_xpu_segment_revoke good = {};
	struct refuse *o = SELF;

	ASSERT_EQ(seg_export(o->fd, o->hbm, DRM_ALINK_XPU_SEGMENT_READ, &h,
			     &good.export_id), 0);
	ASSERT_EQ(look(o, &o->seen), 0);
	REFUSED(SEGMENT_REVOKE, &good,
		SPOILT(drm_alink_xpu_segment_revoke, pad, 1, EINVAL),
		SPOILT(drm_alink_xpu_segment_revoke, export_id,
		       NONE(good.export_id), ENOENT),
		SPOILT(drm_alink_xpu_segment_revoke, export_id, 0, ENOENT));
	EXPECT_EQ(seg_revoke(o->fd, good.export_id), 0);
	EXPECT_EQ(seg_revoke(o->fd, good.export_id), -ENOENT);
}

#define IMPORT(field, value, error)					\
	SPOILT(drm_alink_xpu_segment_import, field, value, error)

TEST_F(fabric, segment_import)
{
	struct drm_alink_xpu_segment_import good = {};
	struct refuse *o = SELF;
	int other = xpu_open(1);
	uint32_t bo, id;

	ASSERT_GE(other, 0);
	ASSERT_EQ(gem_create(other, HBM, SIZE, &bo), 0);
	ASSERT_EQ(seg_export(other, bo, DRM_ALINK_XPU_SEGMENT_READ,
			     &good.segment, &id), 0);
	REFUSED(SEGMENT_IMPORT, &good,
		IMPORT(flags, 1, EINVAL),
		IMPORT(handle, 1, EINVAL),
		IMPORT(segment.endpoint, ALINK_MAX_ENDPOINTS, EINVAL),
		IMPORT(segment.segment, ALINK_MAX_SEGMENTS, EINVAL),
		IMPORT(segment.key, 0, EINVAL),
		IMPORT(segment.size, 0, EINVAL),
		IMPORT(segment.size, SIZE + 8, EINVAL),
		IMPORT(segment.size, TOO_LARGE, EINVAL),
		IMPORT(segment.size, ~(PAGE - 1), EINVAL),
		IMPORT(segment.rights, 0, EINVAL),
		IMPORT(segment.rights, 8, EINVAL),
		IMPORT(segment.pad, 1, EINVAL));
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_SEGMENT_IMPORT, &good),
		  0);
	EXPECT_EQ(good.handle, o->seen.next_bo);
	close(other);
}

/* An import can be bound with the rights that it has, and that is all. */
TEST_F(fabric, what_an_import_is_good_for)
{
	struct drm_alink_xpu_segment_handle h, mine;
	struct drm_alink_xpu_wait_fence w = {};
	struct refuse *o = SELF;
	int other = xpu_open(1);
	uint32_t bo, id, import;
	uint64_t offset;

	ASSERT_GE(other, 0);
	ASSERT_EQ(gem_create(other, HBM, SIZE, &bo), 0);
	ASSERT_EQ(seg_export(other, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &id),
		  0);
	ASSERT_EQ(seg_import(o->fd, &h, &import), 0);
	ASSERT_EQ(look(o, &o->seen), 0);
	EXPECT_EQ(gem_offset(o->fd, import, &offset), -EOPNOTSUPP);
	EXPECT_EQ(seg_export(o->fd, import, DRM_ALINK_XPU_SEGMENT_READ, &mine,
			     &id), -EOPNOTSUPP);
	EXPECT_EQ(group_bind(o->fd, import, SIZE, &id), -EOPNOTSUPP);
	w.handle = import;
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w),
		  -EOPNOTSUPP);
	EXPECT_EQ(vm_map(o->fd, o->vm, import, 0, VA_FREE, SIZE, RW), -EACCES);
	EXPECT_EQ(vm_map(o->fd, o->vm, import, 0, VA_FREE, SIZE,
			 R | DRM_ALINK_XPU_VM_BIND_ATOMIC), -EACCES);
	EXPECT_EQ(vm_map(o->fd, o->vm, import, PAGE, VA_FREE, SIZE, R),
		  -EINVAL);
	unchanged(_metadata, o, "what an import is not for");
	EXPECT_EQ(vm_map(o->fd, o->vm, import, 0, VA_FREE, SIZE, R), 0);
	w = (struct drm_alink_xpu_wait_fence) {
		.flags = DRM_ALINK_XPU_FENCE_VA, .handle = o->vm,
		.addr = VA_FREE,
	};
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w),
		  -EOPNOTSUPP);
	close(other);
}

/* --- groups --------------------------------------------------------------- */

#define BIND(field, value, error)					\
	SPOILT(drm_alink_xpu_group_bind, field, value, error)

TEST_F(fabric, group_bind)
{
	struct drm_alink_xpu_group_bind good = {
		.group = GROUP, .key = KEY, .handle = SELF->hbm, .size = SIZE,
	};
	struct refuse *o = SELF;

	REFUSED(GROUP_BIND, &good,
		BIND(flags, 1, EINVAL),
		BIND(bind_id, 1, EINVAL),
		BIND(group, ALINK_MAX_GROUPS, EINVAL),
		BIND(group, ~0U, EINVAL),
		BIND(key, 0, EINVAL),
		BIND(size, 0, EINVAL),
		BIND(size, SIZE + 8, EINVAL),
		BIND(size, TOO_LARGE, EINVAL),
		BIND(offset, 8, EINVAL),
		/* Beyond the object: its end, all of it, with a sum of 0 */
		BIND(size, SIZE + PAGE, EINVAL),
		BIND(offset, PAGE, EINVAL),
		BIND(offset, SIZE + PAGE, EINVAL),
		BIND(offset, ~(SIZE - 1), EINVAL),
		BIND(handle, NONE(o->hbm), ENOENT),
		BIND(handle, o->host, EOPNOTSUPP),
		/* The fabric's: no such group, not its key */
		BIND(group, GROUP + 1, ESRCH),
		BIND(key, KEY + 1, EKEYREJECTED));
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_GROUP_BIND, &good), 0);
	EXPECT_EQ(good.bind_id, 1);
}

/* One piece of memory for an xPU in a group, whoever's it is */
TEST_F(fabric, group_bind_twice)
{
	struct refuse *o = SELF;
	int other = xpu_open(0);
	uint32_t first, id, bo;

	ASSERT_GE(other, 0);
	ASSERT_EQ(gem_create(other, HBM, SIZE, &bo), 0);
	ASSERT_EQ(group_bind(o->fd, o->hbm, SIZE, &first), 0);
	ASSERT_EQ(look(o, &o->seen), 0);
	EXPECT_EQ(group_bind(o->fd, o->hbm, SIZE, &id), -EEXIST);
	EXPECT_EQ(group_bind(o->fd, o->far, PAGE, &id), -EEXIST);
	EXPECT_EQ(group_bind(other, bo, SIZE, &id), -EEXIST);
	EXPECT_EQ(id, 0);
	unchanged(_metadata, o, "a second binding");
	EXPECT_EQ(group_unbind(o->fd, first), 0);
	EXPECT_EQ(group_bind(other, bo, SIZE, &id), 0);
	EXPECT_EQ(group_bind(o->fd, o->hbm, SIZE, &first), -EEXIST);
	close(other);
	EXPECT_EQ(group_bind(o->fd, o->hbm, SIZE, &first), 0);
}

TEST_F(fabric, group_unbind)
{
	struct drm_alink_xpu_group_unbind good = {};
	struct refuse *o = SELF;

	ASSERT_EQ(group_bind(o->fd, o->hbm, SIZE, &good.bind_id), 0);
	ASSERT_EQ(look(o, &o->seen), 0);
	REFUSED(GROUP_UNBIND, &good,
		SPOILT(drm_alink_xpu_group_unbind, pad, 1, EINVAL),
		SPOILT(drm_alink_xpu_group_unbind, bind_id,
		       NONE(good.bind_id), ENOENT),
		SPOILT(drm_alink_xpu_group_unbind, bind_id, 0, ENOENT));
	EXPECT_EQ(group_unbind(o->fd, good.bind_id), 0);
	EXPECT_EQ(group_unbind(o->fd, good.bind_id), -ENOENT);
}

#define JOIN(field, value, error)					\
	SPOILT(drm_alink_xpu_group_import, field, value, error)

TEST_F(fabric, group_import)
{
	struct drm_alink_xpu_group_import good = {
		.group = GROUP, .key = KEY, .size = SIZE,
	};
	struct refuse *o = SELF;

	REFUSED(GROUP_IMPORT, &good,
		JOIN(flags, 1, EINVAL),
		JOIN(pad, 1, EINVAL),
		JOIN(handle, 1, EINVAL),
		JOIN(group, ALINK_MAX_GROUPS, EINVAL),
		JOIN(key, 0, EINVAL),
		JOIN(size, 0, EINVAL),
		JOIN(size, SIZE + 8, EINVAL),
		JOIN(size, TOO_LARGE, EINVAL));
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_GROUP_IMPORT, &good), 0);
	EXPECT_EQ(good.handle, o->seen.next_bo);
}

/* --- devices that have less ----------------------------------------------- */

/* The xPU with little HBM (topology xpu3), which nobody else uses here */
#define LESS		2
#define LESS_MODEL	"xpu2"

FIXTURE(less)
{
	char sysfs[256];
	int fd;
	struct drm_alink_xpu_query_device dev;
};

/* The xPU at that place: without a fabric id it is not the third any more. */
static int open_at(const char *sysfs)
{
	char path[256];
	unsigned int n;
	int fd;

	for (n = 0; (fd = xpu_open(n)) >= 0; n++) {
		if (!xpu_sysfs(fd, path, sizeof(path)) && !strcmp(path, sysfs))
			break;
		close(fd);
	}
	return fd;
}

/* Binds the driver anew, to a device that says of itself what it is told to. */
static int probe_as(FIXTURE_DATA(less) *self, const char *lie)
{
	int err;

	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
	/* Should a test have ended in between, there is none to unbind. */
	drv_write("unbind", self->sysfs);
	err = model_put(LESS_MODEL, "x-lie", lie);
	if (!err)
		err = drv_write("bind", self->sysfs);
	if (err)
		return err;
	self->fd = open_at(self->sysfs);
	return self->fd < 0 ? self->fd : xpu_device(self->fd, &self->dev);
}

FIXTURE_SETUP(less)
{
	self->fd = xpu_open(LESS);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(xpu_device(self->fd, &self->dev), 0);
	ASSERT_EQ(self->dev.fabric_id, LESS);
	ASSERT_NE(self->dev.caps & ALINK_CAP_RETRY, 0);
}

FIXTURE_TEARDOWN(less)
{
	EXPECT_EQ(probe_as(self, "\"none\""), 0);
	EXPECT_EQ(self->dev.fabric_id, LESS);
	EXPECT_NE(self->dev.caps & ALINK_CAP_RETRY, 0);
	close(self->fd);
}

/* Memory for others there is not, all else is as ever. */
TEST_F_TIMEOUT(less, no_fabric, 120)
{
	struct drm_alink_xpu_segment_handle h = {
		.endpoint = 1, .segment = 1, .key = 1, .size = SIZE,
		.rights = DRM_ALINK_XPU_SEGMENT_READ,
	}, mine;
	int other = xpu_open(1), buf;
	uint32_t bo, theirs, id, vm;
	char lie[64];
	struct xq q;

	snprintf(lie, sizeof(lie), "\"%#x:%#x\"", ALINK_REG_FABRIC_ID,
		 ALINK_ID_NONE);
	ASSERT_EQ(probe_as(self, lie), 0);
	ASSERT_EQ(self->dev.fabric_id, ALINK_ID_NONE);
	ASSERT_EQ(gem_create(self->fd, HBM, SIZE, &bo), 0);
	EXPECT_EQ(seg_export(self->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &mine,
			     &id), -EOPNOTSUPP);
	EXPECT_EQ(mine.key, 0);
	EXPECT_EQ(seg_import(self->fd, &h, &id), -EOPNOTSUPP);
	EXPECT_EQ(group_bind(self->fd, bo, SIZE, &id), -EOPNOTSUPP);
	EXPECT_EQ(group_import(self->fd, SIZE, &id), -EOPNOTSUPP);
	/* Nor by PRIME, in either direction */
	ASSERT_GE(other, 0);
	ASSERT_EQ(gem_create(other, HBM, SIZE, &theirs), 0);
	buf = prime_export(other, theirs, O_CLOEXEC | O_RDWR);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(prime_import(self->fd, buf, &id), -EOPNOTSUPP);
	close(buf);
	buf = prime_export(self->fd, bo, O_CLOEXEC | O_RDWR);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(prime_import(other, buf, &id), -EOPNOTSUPP);
	close(buf);
	close(other);
	ASSERT_EQ(vm_create(self->fd, &vm), 0);
	ASSERT_EQ(xq_open(&q, self->fd, vm, VA_Q, 64), 0);
	EXPECT_EQ(vm_map(self->fd, vm, bo, 0, VA, SIZE, RW), 0);
	EXPECT_EQ(xq_fill(&q, VA, 1, SIZE), 0);
	xq_close(&q);
}

/* Without ALINK_CAP_RETRY neither memory of processes, nor room made in HBM */
TEST_F_TIMEOUT(less, no_retry, 120)
{
	struct drm_alink_xpu_query_memory before, after;
	uint64_t caps = self->dev.caps & ~ALINK_CAP_RETRY;
	uint32_t bo, last = 0, vm;
	uint64_t size;
	struct xq q;
	char lie[64];
	int err = 0;
	void *mem;

	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(mem, MAP_FAILED);
	snprintf(lie, sizeof(lie), "\"%#x:%#llx\"", ALINK_REG_CAPS,
		 (unsigned long long)caps);
	ASSERT_EQ(probe_as(self, lie), 0);
	ASSERT_EQ(self->dev.caps, caps);
	ASSERT_EQ(vm_create(self->fd, &vm), 0);
	ASSERT_EQ(xq_open(&q, self->fd, vm, VA_Q, 64), 0);
	EXPECT_EQ(vm_map_user(self->fd, vm, mem, VA, SIZE, RW), -EOPNOTSUPP);
	/* Nothing is bound: what comes there works. */
	ASSERT_EQ(gem_create(self->fd, HBM, SIZE, &bo), 0);
	EXPECT_EQ(vm_map(self->fd, vm, bo, 0, VA, SIZE, RW), 0);
	EXPECT_EQ(xq_fill(&q, VA, 1, SIZE), 0);
	/* Objects that nobody uses stay where they are. */
	ASSERT_EQ(xpu_memory(self->fd, &before), 0);
	for (size = 64 * MIB; size >= PAGE; size /= 2)
		while (!(err = gem_create(self->fd, HBM, size, &bo)))
			last = bo;
	EXPECT_EQ(err, -ENOSPC);
	EXPECT_EQ(bo, 0);
	ASSERT_EQ(xpu_memory(self->fd, &after), 0);
	EXPECT_EQ(after.evictions, before.evictions);
	EXPECT_EQ(after.hbm_used, after.hbm_total);
	EXPECT_EQ(gem_close(self->fd, last), 0);
	EXPECT_EQ(gem_create(self->fd, HBM, PAGE, &bo), 0);
	xq_close(&q);
	munmap(mem, SIZE);
}

TEST_HARNESS_MAIN
