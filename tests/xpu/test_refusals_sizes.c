// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arguments and answers of all sizes: queries with little room, and callers
 * whose header is an older or a newer one.
 */
#include "refuse.h"

#define MAP	DRM_ALINK_XPU_VM_BIND_MAP

FIXTURE(refuse)
{
	struct refuse o;
};

FIXTURE_SETUP(refuse)
{
	ASSERT_EQ(refuse_open(SELF, 0), 0);
}

FIXTURE_TEARDOWN(refuse)
{
	EXPECT_EQ(refuse_close(SELF), 0);
}

/* --- queries -------------------------------------------------------------- */

/* All bytes from there on are as memset() left them. */
static bool untouched(const void *p, size_t from, size_t to)
{
	const uint8_t *byte = p;

	while (from < to && byte[from] == 0xa5)
		from++;
	return from == to;
}

TEST_F(refuse, query)
{
	const uint32_t one = sizeof(struct drm_alink_xpu_query_link);
	struct drm_alink_xpu_query_link link[64];
	uint32_t whole = 0, size, n;
	struct refuse *o = SELF;

	size = sizeof(link);
	EXPECT_EQ(xpu_query(o->fd, DRM_ALINK_XPU_QUERY_LINKS + 1, link, &size),
		  -EINVAL);
	EXPECT_EQ(size, sizeof(link));
	/* Without room the size is told, and nothing else. */
	ASSERT_EQ(xpu_query(o->fd, DRM_ALINK_XPU_QUERY_LINKS, NULL, &whole), 0);
	ASSERT_EQ(whole, o->dev.num_links * one);
	ASSERT_GE(o->dev.num_links, 2);
	ASSERT_LE(whole, sizeof(link));
	/* Room for no element */
	memset(link, 0xa5, sizeof(link));
	for (n = 1; n < one; n++) {
		size = n;
		EXPECT_EQ(xpu_query(o->fd, DRM_ALINK_XPU_QUERY_LINKS, link,
				    &size), -ENOSPC);
		EXPECT_EQ(size, n);
	}
	EXPECT_TRUE(untouched(link, 0, sizeof(link)));
	/* For one, and a part of the next; for all but a byte; for more */
	size = 2 * one - 1;
	EXPECT_EQ(xpu_query(o->fd, DRM_ALINK_XPU_QUERY_LINKS, link, &size), 0);
	EXPECT_EQ(size, one);
	EXPECT_FALSE(untouched(link, 0, one));
	EXPECT_TRUE(untouched(link, one, sizeof(link)));
	size = whole - 1;
	EXPECT_EQ(xpu_query(o->fd, DRM_ALINK_XPU_QUERY_LINKS, link, &size), 0);
	EXPECT_EQ(size, whole - one);
	EXPECT_TRUE(untouched(link, size, sizeof(link)));
	size = sizeof(link);
	EXPECT_EQ(xpu_query(o->fd, DRM_ALINK_XPU_QUERY_LINKS, link, &size), 0);
	EXPECT_EQ(size, whole);
	EXPECT_TRUE(untouched(link, whole, sizeof(link)));
	size = sizeof(link);
	EXPECT_EQ(xpu_query(o->fd, DRM_ALINK_XPU_QUERY_LINKS, NULL, &size),
		  -EFAULT);
	unchanged(_metadata, o, "queries");
}

/* --- callers of another age ------------------------------------------------ */

/* The call as a program makes it whose structure has that size */
static int call_of_size(int fd, unsigned long nr, size_t size, void *arg)
{
	return xpu_ioctl(fd, _IOC(_IOC_DIR(nr), _IOC_TYPE(nr), _IOC_NR(nr),
				  size), arg);
}

/* What an older caller does not have reads as 0, and is not written. */
TEST_F(refuse, older_callers)
{
	struct drm_alink_xpu_vm_bind_op op = {
		.op = MAP, .flags = RW, .handle = SELF->hbm, .addr = VA_FREE,
		.range = SIZE,
	};
	struct drm_alink_xpu_vm_bind b = {
		.vm_id = SELF->vm, .num_binds = 1, .binds = (uintptr_t)&op,
		.num_done = 77, .pad = 77,
	};
	struct drm_alink_xpu_wait_fence w = {
		.handle = SELF->hbm, .value = MARK, .current_value = 77,
		.error = { .addr = 77 },
	};
	struct drm_alink_xpu_queue_status s = {
		.queue_id = SELF->q.id, .state = 77, .error = { .addr = 77 },
	};
	struct drm_alink_xpu_fence_syncobj f = {
		.handle = SELF->hbm, .value = MARK, .timeout_ms = 1000,
		.syncobj = SELF->syncobj, .point = 77,
	};
	struct refuse *o = SELF;

	/* As they are, they would be refused. */
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b), -EINVAL);
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_QUEUE_STATUS, &s),
		  -EINVAL);
	EXPECT_EQ(call_of_size(o->fd, DRM_IOCTL_ALINK_XPU_VM_BIND,
			       offsetof(struct drm_alink_xpu_vm_bind, num_done),
			       &b), 0);
	EXPECT_TRUE(b.num_done == 77 && b.pad == 77);
	EXPECT_EQ(word_at(o, o->vm, VA_FREE), MARK);
	EXPECT_EQ(call_of_size(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE,
			       offsetof(struct drm_alink_xpu_wait_fence,
					current_value), &w), 0);
	EXPECT_TRUE(w.current_value == 77 && w.error.addr == 77);
	EXPECT_EQ(call_of_size(o->fd, DRM_IOCTL_ALINK_XPU_QUEUE_STATUS,
			       offsetof(struct drm_alink_xpu_queue_status,
					state), &s), 0);
	EXPECT_TRUE(s.state == 77 && s.error.addr == 77);
	/* Without its point it is a binary syncobj. */
	EXPECT_EQ(call_of_size(o->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ,
			       offsetof(struct drm_alink_xpu_fence_syncobj,
					point), &f), 0);
	EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 0, WAIT_MS), 0);
	EXPECT_EQ(syncobj_wait(o->fd, o->syncobj, 77, 0), -EINVAL);
}

/*
 * A newer caller's call does what the kernel knows, whatever is beyond that.
 * DRM itself does not look: who needs more asks for the version.
 */
TEST_F(refuse, newer_callers)
{
	static const size_t more[] = { 4, 8, 64, PAGE };
	struct drm_alink_xpu_vm_bind_op op = {
		.op = MAP, .flags = RW, .handle = SELF->hbm, .addr = VA_FREE,
		.range = SIZE,
	};
	struct drm_alink_xpu_vm_bind b = {
		.vm_id = SELF->vm, .num_binds = 1, .binds = (uintptr_t)&op,
	};
	struct drm_alink_xpu_wait_fence w = {
		.handle = SELF->hbm, .value = MARK,
	};
	const struct {
		unsigned long nr;
		const void *arg;
		size_t size;
	} call[] = {
		{ DRM_IOCTL_ALINK_XPU_VM_BIND, &b, sizeof(b) },
		{ DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w, sizeof(w) },
	};
	uint8_t room[256 + PAGE];
	struct refuse *o = SELF;
	unsigned int i, k, tail;

	for (i = 0; i < ARRAY_SIZE(call); i++)
		for (k = 0; k < 2 * ARRAY_SIZE(more); k++) {
			size_t size = call[i].size + more[k / 2];

			tail = k % 2 ? 0xa5 : 0;
			memset(room, 0xa5, sizeof(room));
			memset(room + call[i].size, tail, more[k / 2]);
			memcpy(room, call[i].arg, call[i].size);
			EXPECT_EQ(call_of_size(o->fd, call[i].nr, size, room),
				  0) {
				TH_LOG("%zu bytes more, of %#x", more[k / 2],
				       tail);
			}
			EXPECT_EQ(room[call[i].size], tail);
			EXPECT_EQ(room[size - 1], tail);
			EXPECT_TRUE(untouched(room, size, sizeof(room)));
		}
	EXPECT_EQ(word_at(o, o->vm, VA_FREE), MARK);
	EXPECT_EQ(vm_unmap(o->fd, o->vm, VA_FREE, SIZE), 0);
	/* What is known is still looked at. */
	b.pad = 1;
	memset(room, 0, sizeof(room));
	memcpy(room, &b, sizeof(b));
	EXPECT_EQ(call_of_size(o->fd, DRM_IOCTL_ALINK_XPU_VM_BIND,
			       sizeof(b) + 8, room), -EINVAL);
	EXPECT_EQ(word_at(o, o->vm, VA_FREE), 0);
}

TEST_HARNESS_MAIN
