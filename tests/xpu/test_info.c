// SPDX-License-Identifier: GPL-2.0-only
/* What an xPU shows of itself, and its fences as syncobjs. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA_Q	0x20000000UL

FIXTURE(info)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
};

FIXTURE_SETUP(info)
{
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
}

FIXTURE_TEARDOWN(info)
{
	xq_close(&self->q);
	close(self->fd);
}

static long read_number(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 0);
}

TEST_F(info, hwmon_has_all_sensors)
{
	static const struct {
		const char *file;
		long low, high;
	} want[] = {
		{ "temp1_input", 20000, 100000 },	/* die */
		{ "temp1_crit", 60000, 150000 },
		{ "temp2_input", 20000, 100000 },	/* HBM */
		{ "temp2_crit", 60000, 150000 },
		{ "power1_input", 1000000, 800000000 },
		{ "power1_max", 100000000, 800000000 },
		{ "power1_cap", 100000000, 800000000 },
		{ "temp1_max", 60000, 150000 },
		{ "energy1_input", 1, LONG_MAX },
	};
	static const char * const labels[][2] = {
		{ "temp1_label", "die\n" },
		{ "temp2_label", "hbm\n" },
		{ "power1_label", "board\n" },
		{ "energy1_label", "board energy\n" },
	};
	char text[64];
	char path[512];
	struct stat st;
	glob_t found;
	size_t i;
	long v;

	snprintf(path, sizeof(path), "%s/hwmon/hwmon*", self->sysfs);
	ASSERT_EQ(glob(path, 0, NULL, &found), 0);
	ASSERT_EQ(found.gl_pathc, 1);
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", found.gl_pathv[0],
			 want[i].file);
		v = read_number(path);
		EXPECT_TRUE(v >= want[i].low && v <= want[i].high) {
			TH_LOG("%s: %ld", want[i].file, v);
		}
	}
	for (i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", found.gl_pathv[0],
			 labels[i][0]);
		EXPECT_GT(read_file(path, text, sizeof(text)), 0);
		EXPECT_STREQ(text, labels[i][1]);
	}
	/* Energy only grows; a limit that has no control cannot be written. */
	snprintf(path, sizeof(path), "%s/energy1_input", found.gl_pathv[0]);
	v = read_number(path);
	EXPECT_GT(read_number(path), v);
	snprintf(path, sizeof(path), "%s/power1_cap", found.gl_pathv[0]);
	ASSERT_EQ(stat(path, &st), 0);
	EXPECT_EQ(st.st_mode & 0777, 0444);
	globfree(&found);
}

TEST_F(info, counters_move)
{
	struct drm_alink_xpu_query_counters before, after;
	struct alink_xpu_desc d = { .opcode = ALINK_XPU_OP_NOP };
	int i;

	ASSERT_EQ(xpu_counters(self->fd, &before), 0);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(xq_run(&self->q, d, NULL), 0);
	ASSERT_EQ(xpu_counters(self->fd, &after), 0);
	EXPECT_GE(after.commands - before.commands, 10);
	EXPECT_GE(after.doorbells - before.doorbells, 10);
	EXPECT_GT(after.clock_ns, before.clock_ns);
}

/* Limits of the driver: for now, the numbers of the header */
TEST_F(info, limits)
{
	struct drm_alink_xpu_query_device d = {};

	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	EXPECT_EQ(d.max_user_range, DRM_ALINK_XPU_MAX_USER_RANGE);
	EXPECT_EQ(d.max_binds, DRM_ALINK_XPU_MAX_BINDS);
	EXPECT_EQ(d.max_syncs, DRM_ALINK_XPU_MAX_SYNCS);
	EXPECT_EQ(d.max_async_binds, DRM_ALINK_XPU_MAX_ASYNC_BINDS);
	EXPECT_EQ(d.max_syncobj_ms, DRM_ALINK_XPU_MAX_SYNCOBJ_MS);
	EXPECT_EQ(d.max_fences, DRM_ALINK_XPU_MAX_FENCES);
	EXPECT_EQ(d.max_hbm_pieces, ALINK_XPU_SEG_MAX_EXTENTS);
}

/* A caller of version 1.3 gets what it knows, and no byte more. */
TEST_F(info, answers_to_older_callers)
{
	const uint32_t known =
		offsetof(struct drm_alink_xpu_query_device, max_user_range);
	struct drm_alink_xpu_query_device d, all;
	uint32_t size = known, i;
	const uint8_t *byte = (const uint8_t *)&d;

	ASSERT_EQ(xpu_device(self->fd, &all), 0);
	memset(&d, 0xa5, sizeof(d));
	ASSERT_EQ(xpu_query(self->fd, DRM_ALINK_XPU_QUERY_DEVICE, &d, &size),
		  0);
	EXPECT_EQ(size, known);
	EXPECT_EQ(memcmp(&d, &all, known), 0);
	for (i = known; i < sizeof(d); i++)
		EXPECT_EQ(byte[i], 0xa5);
	/* With size 0 only the size is told. */
	size = 0;
	EXPECT_EQ(xpu_query(self->fd, DRM_ALINK_XPU_QUERY_DEVICE, NULL, &size),
		  0);
	EXPECT_EQ(size, sizeof(d));
}

TEST_F(info, links_are_netdevs)
{
	char path[512];
	glob_t found;

	snprintf(path, sizeof(path), "%s/net/xpu*p*", self->sysfs);
	ASSERT_EQ(glob(path, 0, NULL, &found), 0);
	EXPECT_EQ(found.gl_pathc, 8);
	globfree(&found);
}

/* There are the windows that the query tells of, and no others. */
TEST_F(info, windows_are_as_told)
{
	struct drm_alink_xpu_query_device d = {};
	uint64_t start[5], end[5];
	char path[512], text[2048], *at = text;
	glob_t found;
	int i;

	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	snprintf(path, sizeof(path), "%s/resource", self->sysfs);
	ASSERT_GT(read_file(path, text, sizeof(text)), 0);
	/* A line for each BAR: first byte, last one, flags */
	for (i = 0; i < 5; i++) {
		start[i] = strtoull(at, &at, 16);
		end[i] = strtoull(at, &at, 16);
		strtoull(at, &at, 16);
	}
	ASSERT_GT(d.hbm_visible, 0);
	ASSERT_GT(end[2], start[2]);
	EXPECT_GE(end[2] - start[2] + 1, d.hbm_visible);
	EXPECT_EQ(end[4] != 0, (d.caps & ALINK_CAP_APERTURE) != 0);

	/* The administrator is told the same. */
	snprintf(path, sizeof(path), "%s/alink/xpu*/caps", self->sysfs);
	ASSERT_EQ(glob(path, 0, NULL, &found), 0);
	ASSERT_EQ(found.gl_pathc, 1);
	ASSERT_GT(read_file(found.gl_pathv[0], text, sizeof(text)), 0);
	EXPECT_EQ(strtoull(text, NULL, 16), d.caps);
	globfree(&found);
}

/* A fence of the queue, put into a syncobj */
static int fence_to_syncobj(FIXTURE_DATA(info) *self, uint64_t value,
			    uint32_t timeout_ms, uint32_t syncobj)
{
	struct drm_alink_xpu_fence_syncobj args = {
		.queue_id = self->q.id,
		.handle = self->q.bo,
		.addr = self->q.fence_offset,
		.value = value,
		.timeout_ms = timeout_ms,
		.syncobj = syncobj,
	};

	return xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &args);
}

TEST_F(info, syncobj_follows_the_fence)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_WAIT,
		.subop = ALINK_WAIT_GE,
		.src = 1,
		.dst = self->q.va + self->q.fence_offset + 8,
	};
	uint32_t s;

	ASSERT_EQ(syncobj_create(self->fd, &s), 0);
	xq_push(&self->q, d);
	xq_ring(&self->q);
	ASSERT_EQ(fence_to_syncobj(self, self->q.seq, 10000, s), 0);
	EXPECT_EQ(syncobj_wait(self->fd, s, 0, 100), -ETIME);
	self->q.fence[1] = 1;
	EXPECT_EQ(syncobj_wait(self->fd, s, 0, 10000), 0);
}

/* The fence stays the syncobj's when a bind is refused that asks for a point. */
TEST_F(info, refused_wait_leaves_the_fence)
{
	struct drm_alink_xpu_sync sync = { .point = 7 };
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_UNMAP,
		.addr = VA_Q + LARGE,
		.range = PAGE,
	};
	struct drm_alink_xpu_vm_bind bind = {
		.vm_id = self->vm,
		.num_binds = 1,
		.num_syncs = 1,
		.binds = (uintptr_t)&op,
		.syncs = (uintptr_t)&sync,
	};
	int i;

	ASSERT_EQ(syncobj_create(self->fd, &sync.handle), 0);
	ASSERT_EQ(fence_to_syncobj(self, 1000, 10000, sync.handle), 0);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND,
				    &bind), -EINVAL);
	EXPECT_EQ(syncobj_wait(self->fd, sync.handle, 0, 0), -ETIME);
	self->q.fence[0] = 1000;
	EXPECT_EQ(syncobj_wait(self->fd, sync.handle, 0, 10000), 0);
}

TEST_F(info, syncobj_ends_in_bounded_time)
{
	int64_t made = now_ns();
	uint32_t s;
	int file;

	ASSERT_EQ(syncobj_create(self->fd, &s), 0);
	/* Nobody will ever write this value. */
	ASSERT_EQ(fence_to_syncobj(self, 1000000, 200, s), 0);
	EXPECT_EQ(syncobj_wait(self->fd, s, 0, 10000), 0);
	/* Its life began with the call: no machine is so slow that it is less. */
	EXPECT_GE(now_ns() - made, 200 * 1000000LL);
	file = syncobj_export(self->fd, s, true);
	ASSERT_GE(file, 0);
	EXPECT_EQ(sync_file_status(file), -ETIMEDOUT);
	close(file);
	EXPECT_EQ(fence_to_syncobj(self, 1, 0, s), -EINVAL);
	EXPECT_EQ(fence_to_syncobj(self, 1, 100, s + 50), -ENOENT);
}

/* Makes fences until that is refused; how many that were, or -errno */
static int fences_until_refused(int fd, uint32_t bo, uint64_t addr)
{
	struct drm_alink_xpu_fence_syncobj f = {
		.handle = bo, .addr = addr, .value = 1000000,
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
	};
	int n, err;

	err = syncobj_create(fd, &f.syncobj);
	if (err)
		return err;
	for (n = 0; n <= DRM_ALINK_XPU_MAX_FENCES && !err; n++)
		err = xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &f);
	return err == -ENOSPC ? n - 1 : -EILSEQ;
}

/*
 * One file cannot make the kernel look at fences without end, nor keep others
 * out: it has half of what it finds.
 */
TEST_F(info, syncobjs_have_a_limit)
{
	uint32_t bo, s;
	uint64_t *mem;
	int fd;

	EXPECT_EQ(fences_until_refused(self->fd, self->q.bo,
				       self->q.fence_offset),
		  DRM_ALINK_XPU_MAX_FENCES / 2);
	fd = xpu_open(0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(gem_create(fd, HOST, PAGE, &bo), 0);
	mem = gem_map(fd, bo, PAGE);
	ASSERT_NE(mem, MAP_FAILED);
	EXPECT_EQ(fences_until_refused(fd, bo, 0),
		  DRM_ALINK_XPU_MAX_FENCES / 4);
	/* What a file leaves behind counts to the end, and then no more. */
	close(fd);
	mem[0] = 1000000;
	munmap(mem, PAGE);
	/* Reached, all of them: there is room again. */
	self->q.fence[0] = 1000000;
	ASSERT_EQ(syncobj_create(self->fd, &s), 0);
	while (fence_to_syncobj(self, 1000000, 10000, s) == -ENOSPC)
		usleep(1000);
	EXPECT_EQ(syncobj_wait(self->fd, s, 0, 10000), 0);
}

/* More than the kernel looks at in a row: the first and the last are seen. */
TEST_F(info, many_syncobjs_end_by_one_command)
{
	enum { NUM = 600 };
	uint32_t s[3];
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(syncobj_create(self->fd, &s[i]), 0);
	for (i = 0; i < NUM; i++)
		ASSERT_EQ(fence_to_syncobj(self, 1000, 10000, s[i == 0]), 0);
	ASSERT_EQ(fence_to_syncobj(self, 1, 10000, s[2]), 0);
	ASSERT_EQ(xq_run(&self->q, (struct alink_xpu_desc) {
			.opcode = ALINK_XPU_OP_NOP }, NULL), 0);
	EXPECT_EQ(syncobj_wait(self->fd, s[2], 0, 5000), 0);
	EXPECT_EQ(syncobj_wait(self->fd, s[1], 0, 0), -ETIME);
	self->q.fence[0] = 1000;
	EXPECT_EQ(syncobj_wait(self->fd, s[1], 0, 5000), 0);
	EXPECT_EQ(syncobj_wait(self->fd, s[0], 0, 5000), 0);
}

TEST_HARNESS_MAIN
