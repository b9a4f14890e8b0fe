// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two processes with a file of the same xPU each: what one has is not there for
 * the other, whatever number or offset it guesses. And what mmap gives out.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA	(64 * LARGE)
#define VA_Q	(128 * LARGE)
#define SIZE	LARGE
#define GROUP	200
#define KEY	0x15a15a15a15aULL
#define NOBODY	65534

FIXTURE(two)
{
	int a;				/* the file of process A */
	int b;				/* of process B; opened here, used there */
	uint32_t vm, hbm, host, syncobj;
	uint32_t export_id, bind_id;
	uint64_t hbm_off, host_off;
	struct drm_alink_xpu_segment_handle seg;
	struct alink_ctx *ctx;
	struct xq q;
	uint32_t b_vm, b_bo;
	uint32_t far;			/* ids that no file has */
};

FIXTURE_SETUP(two)
{
	struct drm_alink_xpu_query_device dev;
	struct drm_alink_xpu_group_bind bind;
	struct alink_group_info group = {
		.dev = ALINK_ALL, .id = GROUP, .key = KEY,
	};

	self->a = xpu_open(0);
	self->b = xpu_open(0);
	ASSERT_GE(self->a, 0);
	ASSERT_GE(self->b, 0);
	ASSERT_EQ(alink_new(&self->ctx), 0);
	ASSERT_EQ(alink_fabric_up(self->ctx, 1), 0);
	ASSERT_EQ(vm_create(self->a, &self->vm), 0);
	ASSERT_EQ(gem_create(self->a, HBM_CPU, SIZE, &self->hbm), 0);
	ASSERT_EQ(gem_create(self->a, HOST, SIZE, &self->host), 0);
	ASSERT_EQ(vm_map(self->a, self->vm, self->hbm, 0, VA, SIZE, RWA), 0);
	ASSERT_EQ(xq_open(&self->q, self->a, self->vm, VA_Q, 64), 0);
	ASSERT_EQ(syncobj_create(self->a, &self->syncobj), 0);
	ASSERT_EQ(gem_offset(self->a, self->hbm, &self->hbm_off), 0);
	ASSERT_EQ(gem_offset(self->a, self->host, &self->host_off), 0);
	ASSERT_EQ(seg_export(self->a, self->hbm, DRM_ALINK_XPU_SEGMENT_READ,
			     &self->seg, &self->export_id), 0);
	ASSERT_EQ(xpu_device(self->a, &dev), 0);
	alink_set_add(&group.members, dev.fabric_id);
	ASSERT_EQ(alink_group_add(self->ctx, &group), 0);
	bind = (struct drm_alink_xpu_group_bind) {
		.group = GROUP, .key = KEY, .handle = self->hbm, .size = SIZE,
	};
	ASSERT_EQ(xpu_ioctl(self->a, DRM_IOCTL_ALINK_XPU_GROUP_BIND, &bind), 0);
	self->bind_id = bind.bind_id;
}

FIXTURE_TEARDOWN(two)
{
	xq_close(&self->q);
	close(self->a);
	close(self->b);
	EXPECT_EQ(alink_group_del(self->ctx, ALINK_ALL, GROUP), 0);
	alink_free(self->ctx);
}

/* Starts process B. In it: returns 0, with what is A's gone from the table. */
static pid_t other_process(FIXTURE_DATA(two) *self)
{
	pid_t pid = fork();

	if (!pid)
		close(self->a);
	return pid;
}

static int status_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   1000 + WTERMSIG(status);
}

/* What B gets from the call, as an errno. B has nothing but its file. */
#define AS_B(call)							\
({									\
	pid_t pid_ = other_process(self);				\
									\
	if (!pid_)							\
		_exit(-(call));						\
	status_of(pid_);						\
})

static int call_prime(int fd, uint32_t handle)
{
	struct drm_prime_handle p = { .handle = handle, .flags = O_CLOEXEC };

	return xpu_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &p);
}

static int call_flink(int fd, uint32_t handle)
{
	struct drm_gem_flink f = { .handle = handle };

	return xpu_ioctl(fd, DRM_IOCTL_GEM_FLINK, &f);
}

static int call_wait(int fd, uint32_t queue, uint32_t handle, uint32_t flags)
{
	struct drm_alink_xpu_wait_fence w = {
		.flags = flags, .queue_id = queue, .handle = handle, .addr = VA,
	};

	if (!flags)
		w.addr = 0;
	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w);
}

static int call_fence_syncobj(int fd, uint32_t handle, uint32_t syncobj)
{
	struct drm_alink_xpu_fence_syncobj f = {
		.handle = handle, .timeout_ms = 1, .syncobj = syncobj,
	};

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &f);
}

static int call_group_bind(int fd, uint32_t handle)
{
	struct drm_alink_xpu_group_bind b = {
		.group = GROUP, .key = KEY, .handle = handle, .size = SIZE,
	};

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GROUP_BIND, &b);
}

static int call_group_unbind(int fd, uint32_t id)
{
	struct drm_alink_xpu_group_unbind u = { .bind_id = id };

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_GROUP_UNBIND, &u);
}

static int call_queue_create(int fd, uint32_t vm, uint64_t ring)
{
	struct drm_alink_xpu_queue_create c = {
		.vm_id = vm, .ring = ring, .status = ring + PAGE, .size = 16,
		.priority = DRM_ALINK_XPU_PRIORITY_NORMAL,
	};

	return queue_create(fd, &c);
}

static int call_mmap(int fd, uint64_t offset, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

static int b_with_vm(int fd, uint32_t handle)
{
	uint32_t vm;
	int err = vm_create(fd, &vm);

	if (err)
		return err;
	err = vm_map(fd, vm, handle, 0, VA, SIZE, RW);
	return vm_destroy(fd, vm) ?: err;
}

TEST_F(two, handles_of_another_process)
{
	struct drm_alink_xpu_queue_error error;
	uint32_t state, id;
	struct drm_alink_xpu_segment_handle seg;

	EXPECT_EQ(AS_B(b_with_vm(self->b, self->hbm)), ENOENT);
	EXPECT_EQ(AS_B(b_with_vm(self->b, self->host)), ENOENT);
	EXPECT_EQ(AS_B(vm_map(self->b, self->vm, self->hbm, 0, VA, SIZE, RW)),
		  ENOENT);
	EXPECT_EQ(AS_B(vm_unmap(self->b, self->vm, VA, SIZE)), ENOENT);
	EXPECT_EQ(AS_B(vm_destroy(self->b, self->vm)), ENOENT);
	EXPECT_EQ(AS_B(gem_offset(self->b, self->hbm, &self->hbm_off)), ENOENT);
	EXPECT_EQ(AS_B(gem_close(self->b, self->hbm)), EINVAL);
	EXPECT_EQ(AS_B(call_prime(self->b, self->host)), ENOENT);
	EXPECT_EQ(AS_B(call_prime(self->b, self->hbm)), ENOENT);
	EXPECT_EQ(AS_B(queue_destroy(self->b, self->q.id)), ENOENT);
	EXPECT_EQ(AS_B(queue_state(self->b, self->q.id, &state, &error)),
		  ENOENT);
	EXPECT_EQ(AS_B(call_queue_create(self->b, self->vm, VA)), ENOENT);
	EXPECT_EQ(AS_B(call_wait(self->b, 0, self->hbm, 0)), ENOENT);
	EXPECT_EQ(AS_B(call_wait(self->b, self->q.id, self->hbm, 0)), ENOENT);
	EXPECT_EQ(AS_B(call_wait(self->b, 0, self->vm,
				 DRM_ALINK_XPU_FENCE_VA)), ENOENT);
	EXPECT_EQ(AS_B(call_fence_syncobj(self->b, self->hbm, self->syncobj)),
		  ENOENT);
	EXPECT_EQ(AS_B(syncobj_wait(self->b, self->syncobj, 0, 1)), ENOENT);
	EXPECT_EQ(AS_B(syncobj_signal(self->b, self->syncobj)), ENOENT);
	EXPECT_EQ(AS_B(seg_export(self->b, self->hbm,
				  DRM_ALINK_XPU_SEGMENT_READ, &seg, &id)),
		  ENOENT);
	EXPECT_EQ(AS_B(seg_revoke(self->b, self->export_id)), ENOENT);
	EXPECT_EQ(AS_B(call_group_bind(self->b, self->hbm)), ENOENT);
	EXPECT_EQ(AS_B(call_group_unbind(self->b, self->bind_id)), ENOENT);

	/* All of it is A's as before. */
	EXPECT_EQ(queue_state(self->a, self->q.id, &state, &error), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_RUNNING);
	EXPECT_EQ(xq_fill(&self->q, VA, 0x1234, PAGE), 0);
	EXPECT_EQ(seg_revoke(self->a, self->export_id), 0);
	EXPECT_EQ(call_group_unbind(self->a, self->bind_id), 0);
}

/* Every id near A's, and the ends of the range, in a file that has none */
TEST_F(two, no_handle_is_global)
{
	static const uint32_t ends[] = { 0, 0x7fffffff, 0x80000000, ~0U };
	struct drm_alink_xpu_queue_error error;
	uint32_t i, id, state;
	uint64_t off;

	for (i = 0; i < 4096 + 4; i++) {
		id = i < 4096 ? i : ends[i - 4096];
		ASSERT_EQ(gem_offset(self->b, id, &off), -ENOENT);
		ASSERT_EQ(vm_destroy(self->b, id), -ENOENT);
		ASSERT_EQ(queue_state(self->b, id, &state, &error), -ENOENT);
		ASSERT_EQ(seg_revoke(self->b, id), -ENOENT);
		ASSERT_EQ(call_group_unbind(self->b, id), -ENOENT);
	}
}

/* With a file that a user of the device opens himself */
static int user_flink(void)
{
	const struct group *render = getgrnam("render");
	struct drm_gem_open open_name = { .name = 1 };
	uint32_t handle;
	int fd, err;

	if (!render || setgroups(0, NULL) || setgid(render->gr_gid) ||
	    setuid(NOBODY))
		return -EXDEV;
	fd = xpu_open(0);
	if (fd < 0)
		return -EXDEV;
	err = gem_create(fd, HOST, PAGE, &handle);
	if (err)
		return err;
	err = xpu_ioctl(fd, DRM_IOCTL_GEM_OPEN, &open_name);
	return err == -EACCES ? call_flink(fd, handle) : -EXDEV;
}

/* DRM's old names for objects, which any process could open, are not to be had. */
TEST_F(two, no_global_names)
{
	EXPECT_EQ(AS_B(user_flink()), EACCES);
}

TEST_F(two, import_needs_an_fd)
{
	struct drm_prime_handle p = { .handle = self->host, .flags = O_CLOEXEC };
	struct drm_alink_xpu_group_import group = {
		.group = GROUP, .key = KEY, .size = SIZE,
	};
	struct drm_prime_handle in = {};

	ASSERT_EQ(xpu_ioctl(self->a, DRM_IOCTL_PRIME_HANDLE_TO_FD, &p), 0);
	EXPECT_EQ(fcntl(p.fd, F_GETFD), FD_CLOEXEC);
	in.fd = p.fd;
	EXPECT_EQ(xpu_ioctl(self->b, DRM_IOCTL_PRIME_FD_TO_HANDLE, &in), 0);
	close(p.fd);
	in.fd = p.fd;
	EXPECT_EQ(xpu_ioctl(self->b, DRM_IOCTL_PRIME_FD_TO_HANDLE, &in),
		  -EBADF);
	/* Memory of others is not handed on at all. */
	ASSERT_EQ(xpu_ioctl(self->a, DRM_IOCTL_ALINK_XPU_GROUP_IMPORT, &group),
		  0);
	EXPECT_EQ(call_prime(self->a, group.handle), -EOPNOTSUPP);
	EXPECT_EQ(gem_close(self->a, group.handle), 0);
}

/* --- mmap ----------------------------------------------------------------- */

TEST_F(two, offsets_of_another_process)
{
	EXPECT_EQ(AS_B(call_mmap(self->b, self->hbm_off, PAGE)), EACCES);
	EXPECT_EQ(AS_B(call_mmap(self->b, self->host_off, PAGE)), EACCES);
	EXPECT_EQ(AS_B(call_mmap(self->b, self->q.db_offset, PAGE)), EACCES);
	EXPECT_EQ(call_mmap(self->a, self->hbm_off, PAGE), 0);
	EXPECT_EQ(call_mmap(self->a, self->host_off, PAGE), 0);
	EXPECT_EQ(call_mmap(self->a, self->q.db_offset, PAGE), 0);
}

/* A file with nothing in it: no offset is good for anything. */
TEST_F(two, probing)
{
	uint64_t at, offset;
	unsigned int bit;
	int near;

	for (bit = 12; bit <= 44; bit++)
		for (near = -1; near <= 1; near++) {
			offset = (1ULL << bit) + near * (int64_t)PAGE;
			ASSERT_NE(call_mmap(self->b, offset, PAGE), 0) {
				TH_LOG("offset %#lx", (unsigned long)offset);
			}
		}
	/* All doorbells, and the neighbourhood of A's objects, page by page */
	for (at = 0; at < 2048; at++)
		ASSERT_NE(call_mmap(self->b, at * PAGE, PAGE), 0);
	for (at = 0; at < 4096; at++)
		ASSERT_NE(call_mmap(self->b, self->hbm_off - 1024 * PAGE +
				    at * PAGE, PAGE), 0);
	/* From each of A's, beyond its end */
	EXPECT_EQ(call_mmap(self->a, self->hbm_off, SIZE + PAGE), -EINVAL);
	EXPECT_EQ(call_mmap(self->a, self->hbm_off + SIZE - PAGE, 2 * PAGE),
		  -EINVAL);
	EXPECT_EQ(call_mmap(self->a, self->host_off, SIZE + PAGE), -EINVAL);
	EXPECT_EQ(call_mmap(self->a, self->q.db_offset, 2 * PAGE), -EINVAL);
	EXPECT_EQ(call_mmap(self->a, self->q.db_offset + PAGE, PAGE), -EACCES);
	EXPECT_EQ(call_mmap(self->a, self->q.db_offset - PAGE, PAGE), -EACCES);
}

TEST_F(two, object_is_freed)
{
	uint32_t handle;
	uint64_t off;
	char *p;

	ASSERT_EQ(gem_create(self->a, HBM_CPU, SIZE, &handle), 0);
	ASSERT_EQ(gem_offset(self->a, handle, &off), 0);
	p = gem_map(self->a, handle, SIZE);
	ASSERT_NE(p, MAP_FAILED);
	p[0] = 1;
	ASSERT_EQ(gem_close(self->a, handle), 0);
	EXPECT_NE(call_mmap(self->a, off, PAGE), 0);
	/* What is mapped stays until it is unmapped. */
	EXPECT_EQ(p[0], 1);
	munmap(p, SIZE);
	EXPECT_NE(call_mmap(self->a, off, PAGE), 0);
}

static int flags_of(int fd, uint64_t off, int prot, int flags)
{
	void *p = mmap(NULL, PAGE, prot, flags, fd, (off_t)off);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, PAGE);
	return 0;
}

TEST_F(two, mapping_flags)
{
	const uint64_t off[] = {
		self->hbm_off, self->q.db_offset, self->host_off,
	};
	size_t i;
	void *p;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(flags_of(self->a, off[i], PROT_READ | PROT_WRITE,
				   MAP_PRIVATE), -EINVAL) {
			TH_LOG("kind %zu", i);
		}
		EXPECT_EQ(flags_of(self->a, off[i], PROT_READ | PROT_EXEC,
				   MAP_SHARED), -EINVAL) {
			TH_LOG("kind %zu", i);
		}
		p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->a, (off_t)off[i]);
		ASSERT_NE(p, MAP_FAILED);
		EXPECT_EQ(mprotect(p, PAGE, PROT_READ | PROT_EXEC), -1) {
			TH_LOG("kind %zu", i);
		}
		EXPECT_EQ(errno, EACCES);
		EXPECT_EQ(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE),
			  MAP_FAILED) {
			TH_LOG("kind %zu", i);
		}
		EXPECT_EQ(errno, EFAULT);
		munmap(p, PAGE);
	}
}

TEST_F(two, part_of_a_mapping)
{
	char *p = gem_map(self->a, self->hbm, SIZE), *moved;

	ASSERT_NE(p, MAP_FAILED);
	memset(p, 7, SIZE);
	ASSERT_EQ(munmap(p + 4 * PAGE, 2 * PAGE), 0);
	EXPECT_EQ(p[4 * PAGE - 1], 7);
	EXPECT_EQ(p[6 * PAGE], 7);
	moved = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	ASSERT_NE(moved, MAP_FAILED);
	EXPECT_EQ(moved[2 * PAGE - 1], 7);
	munmap(moved, 2 * PAGE);
	munmap(p, SIZE);
	ASSERT_EQ(xq_fill(&self->q, VA, 0x09090909, SIZE), 0);
}

/* A child has the memory that its parent shares, but not its doorbells. */
TEST_F(two, fork_inherits_no_doorbell)
{
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		*self->q.doorbell = 99;
		_exit(0);
	}
	EXPECT_EQ(status_of(pid), 1000 + SIGSEGV);
}

/* A debugger, or any other process, does not get at registers through it. */
TEST_F(two, proc_mem)
{
	volatile uint32_t *db = self->q.doorbell;
	uint32_t tail = 0x77;
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ASSERT_GE(fd, 0);
	EXPECT_NE(pwrite(fd, &tail, 4, (off_t)(uintptr_t)db), 4);
	EXPECT_NE(pread(fd, &tail, 4, (off_t)(uintptr_t)db), 4);
	close(fd);
	EXPECT_EQ(xq_fill(&self->q, VA, 1, PAGE), 0);
}

/* --- what comes out of the kernel -------------------------------------------- */

static void check_query(struct __test_metadata *_metadata, int fd,
			uint32_t what, uint32_t want)
{
	uint8_t buf[4096 + 64];
	uint32_t size = 4096, i;

	memset(buf, 0xa5, sizeof(buf));
	ASSERT_EQ(xpu_query(fd, what, buf, &size), 0);
	ASSERT_GE(size, want);
	ASSERT_LE(size, 4096);
	for (i = size; i < sizeof(buf); i++)
		ASSERT_EQ(buf[i], 0xa5);
	/* A short buffer gets no more than it has room for. */
	if (what == DRM_ALINK_XPU_QUERY_LINKS)
		return;
	memset(buf, 0xa5, sizeof(buf));
	size = 8;
	ASSERT_EQ(xpu_query(fd, what, buf, &size), 0);
	ASSERT_LE(size, 8);
	for (i = size; i < sizeof(buf); i++)
		ASSERT_EQ(buf[i], 0xa5);
}

TEST_F(two, nothing_uninitialised_comes_out)
{
	struct drm_alink_xpu_query_device dev;
	struct drm_alink_xpu_query_counters count;
	size_t i;

	check_query(_metadata, self->b, DRM_ALINK_XPU_QUERY_DEVICE,
		    sizeof(dev));
	check_query(_metadata, self->b, DRM_ALINK_XPU_QUERY_MEMORY,
		    sizeof(struct drm_alink_xpu_query_memory));
	check_query(_metadata, self->b, DRM_ALINK_XPU_QUERY_COUNTERS,
		    sizeof(count));
	check_query(_metadata, self->b, DRM_ALINK_XPU_QUERY_LINKS,
		    sizeof(struct drm_alink_xpu_query_link));
	memset(&dev, 0xa5, sizeof(dev));
	ASSERT_EQ(xpu_device(self->b, &dev), 0);
	EXPECT_EQ(dev.pad, 0);
	for (i = strnlen(dev.name, sizeof(dev.name)); i < sizeof(dev.name); i++)
		EXPECT_EQ(dev.name[i], 0);
	memset(&count, 0xa5, sizeof(count));
	ASSERT_EQ(xpu_counters(self->b, &count), 0);
	EXPECT_EQ(count.pad, 0);
	EXPECT_EQ(self->seg.pad, 0);
}

TEST_HARNESS_MAIN
