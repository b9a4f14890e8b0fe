// SPDX-License-Identifier: GPL-2.0-only
/*
 * What users of other accelerator drivers reported in public, each as a test of
 * this one. The report is named at the test.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA		0x10000000UL
#define VA_Q		0x20000000UL
#define NOBODY		65534
/* Longest that an unbind may take while files are open */
#define UNBIND_MS	60000
/* Longest until a device that is gone without a word is missed */
#define NOTICE_MS	30000

FIXTURE(reported)
{
	int fd;
	uint32_t vm, bo;
	struct xq q;
	uint32_t *mem;
	char sysfs[256];
};

FIXTURE_SETUP(reported)
{
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, LARGE, &self->bo), 0);
	self->mem = gem_map(self->fd, self->bo, LARGE);
	ASSERT_NE(self->mem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->bo, 0, VA, LARGE, RW), 0);
}

FIXTURE_TEARDOWN(reported)
{
	munmap(self->mem, LARGE);
	xq_close(&self->q);
	close(self->fd);
}

/* A file of its own: data through HBM and back. 0, or what went wrong */
static int works(void)
{
	int fd = xpu_open(0), err;
	uint32_t vm, bo, *mem;
	struct xq q;

	if (fd < 0)
		return fd;
	err = vm_create(fd, &vm) ?: xq_open(&q, fd, vm, VA_Q, 64);
	err = err ?: gem_create(fd, HBM_CPU, LARGE, &bo);
	err = err ?: vm_map(fd, vm, bo, 0, VA, LARGE, RW);
	if (err)
		goto out;
	mem = gem_map(fd, bo, LARGE);
	if (mem == MAP_FAILED) {
		err = -errno;
		goto out;
	}
	err = xq_fill(&q, VA, 0x600d, LARGE);
	if (!err && mem[LARGE / 4 - 1] != 0x600d)
		err = -EILSEQ;
	munmap(mem, LARGE);
	xq_close(&q);
out:
	close(fd);
	return err;
}

/* --- tt-kmd 206, 211: sensors against removal and reset ------------------------- */

static int hwmon_dir(const char *sysfs, char *path, size_t room)
{
	struct dirent *e;
	int err = -ENOENT;
	DIR *dir;

	snprintf(path, room, "%s/hwmon", sysfs);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((e = readdir(dir)))
		if (!strncmp(e->d_name, "hwmon", 5)) {
			snprintf(path, room, "%s/hwmon/%s", sysfs, e->d_name);
			err = 0;
		}
	closedir(dir);
	return err;
}

/* A number that a child counts up */
static unsigned long *shared_count(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static bool sane(const char *name, const char *text)
{
	long long n = strtoll(text, NULL, 10);

	/* m degrees; -1 is all ones */
	if (!strncmp(name, "temp", 4))
		return n > -60000 && n < 200000 && n != -1;
	if (!strncmp(name, "power", 5))
		return n >= 0 && n < 2000000000LL;	/* uW */
	return n >= 0;
}

/*
 * Reads all that is shown, over and over, and counts; exits with 1 for a value
 * that no device has: all ones, as a device in reset reads.
 */
static void sensor_reader(const char *sysfs, unsigned long *reads)
{
	char dir_path[512], path[1024], text[128];
	struct dirent *e;
	DIR *dir;

	for (;;) {
		if (hwmon_dir(sysfs, dir_path, sizeof(dir_path)))
			continue;
		dir = opendir(dir_path);
		while (dir && (e = readdir(dir))) {
			if (!strstr(e->d_name, "_input"))
				continue;
			snprintf(path, sizeof(path), "%s/%s", dir_path,
				 e->d_name);
			if (read_file(path, text, sizeof(text)) <= 0)
				continue;
			if (!sane(e->d_name, text)) {
				fprintf(stderr, "%s: %s", path, text);
				_exit(1);
			}
			__atomic_add_fetch(reads, 1, __ATOMIC_RELAXED);
		}
		if (dir)
			closedir(dir);
	}
}

static void sensors_during(struct __test_metadata *_metadata,
			   FIXTURE_DATA(reported) *self, bool reset)
{
	unsigned long *reads = shared_count(), seen;
	int i, status = 0;
	pid_t pid;

	ASSERT_NE((void *)reads, MAP_FAILED);
	pid = fork();
	if (!pid)
		sensor_reader(self->sysfs, reads);
	for (i = 0; i < 10; i++) {
		/* Some are read before each. */
		seen = __atomic_load_n(reads, __ATOMIC_RELAXED);
		while (__atomic_load_n(reads, __ATOMIC_RELAXED) < seen + 4 &&
		       !waitpid(pid, &status, WNOHANG))
			usleep(1000);
		if (status)
			break;

		if (reset) {
			EXPECT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
		} else {
			EXPECT_EQ(drv_write("unbind", self->sysfs), 0);
			EXPECT_EQ(drv_write("bind", self->sysfs), 0);
		}
	}
	EXPECT_EQ(status, 0);
	if (!status) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	EXPECT_EQ(works(), 0);
	munmap(reads, PAGE);
}

/* tt-kmd 206: hwmon was unregistered after BARs were unmapped: oops */
TEST_F(reported, sensors_during_removal)
{
	sensors_during(_metadata, self, false);
}

/* tt-kmd 211: telemetry was read in the middle of a reset */
TEST_F(reported, sensors_during_reset)
{
	sensors_during(_metadata, self, true);
}

/* --- tt-kmd 173: what an old file may do --------------------------------------- */

static void all_calls(struct __test_metadata *_metadata, int fd, int want)
{
	static const unsigned long calls[] = {
		DRM_IOCTL_ALINK_XPU_QUERY, DRM_IOCTL_ALINK_XPU_GEM_CREATE,
		DRM_IOCTL_ALINK_XPU_GEM_MMAP_OFFSET,
		DRM_IOCTL_ALINK_XPU_VM_CREATE, DRM_IOCTL_ALINK_XPU_VM_DESTROY,
		DRM_IOCTL_ALINK_XPU_VM_BIND, DRM_IOCTL_ALINK_XPU_QUEUE_CREATE,
		DRM_IOCTL_ALINK_XPU_QUEUE_DESTROY,
		DRM_IOCTL_ALINK_XPU_QUEUE_STATUS,
		DRM_IOCTL_ALINK_XPU_WAIT_FENCE,
		DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ,
		DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT,
		DRM_IOCTL_ALINK_XPU_SEGMENT_REVOKE,
		DRM_IOCTL_ALINK_XPU_SEGMENT_IMPORT,
		DRM_IOCTL_ALINK_XPU_GROUP_BIND,
		DRM_IOCTL_ALINK_XPU_GROUP_UNBIND,
		DRM_IOCTL_ALINK_XPU_GROUP_IMPORT,
	};
	char arg[256];
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		memset(arg, 0, sizeof(arg));
		EXPECT_EQ(xpu_ioctl(fd, calls[i], arg), want) {
			TH_LOG("call %#lx", calls[i]);
		}
	}
}

/*
 * A file outlived its device, and after a reset or hot-plug reached the new one.
 * Here it never reaches another device; and a mere reset, which leaves the
 * device as it is, ends queues and nothing else.
 */
TEST_F(reported, old_files_never_reach_a_new_device)
{
	uint32_t state, handle;

	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	ASSERT_EQ(queue_state(self->fd, self->q.id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_CANCELED);
	EXPECT_EQ(gem_create(self->fd, HBM, PAGE, &handle), 0);

	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	all_calls(_metadata, self->fd, -ENODEV);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	all_calls(_metadata, self->fd, -ENODEV);
	EXPECT_EQ(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd,
		       self->q.db_offset), MAP_FAILED);
	EXPECT_EQ(works(), 0);

	ASSERT_EQ(pci_write(self->sysfs, "remove", "1"), 0);
	EXPECT_EQ(write_file("/sys/bus/pci/rescan", "1"), 0);
	all_calls(_metadata, self->fd, -ENODEV);
	EXPECT_EQ(works(), 0);
}

/* --- tt-kmd 112: the old instance and the new ----------------------------------- */

/*
 * An instance that an open file kept alive powered the hardware down when the
 * file was closed, under the new instance. The new one's queue, context and
 * segment have the very ids that the old one had.
 */
TEST_F(reported, old_instance_leaves_the_new_one_alone)
{
	struct drm_alink_xpu_segment_handle h;
	uint32_t vm, bo, id, *mem;
	struct xq q;
	int fd;

	ASSERT_EQ(seg_export(self->fd, self->bo, DRM_ALINK_XPU_SEGMENT_READ,
			     &h, &id), 0);
	xq_push_endless(&self->q);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);

	fd = xpu_open(0);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(vm_create(fd, &vm), 0);
	ASSERT_EQ(xq_open(&q, fd, vm, VA_Q, 64), 0);
	EXPECT_EQ(q.db_offset, self->q.db_offset);
	ASSERT_EQ(gem_create(fd, HBM_CPU, LARGE, &bo), 0);
	mem = gem_map(fd, bo, LARGE);
	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(vm_map(fd, vm, bo, 0, VA, LARGE, RW), 0);
	ASSERT_EQ(seg_export(fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &id), 0);
	xq_push_endless(&q);

	/* The doorbell of old, the mappings, then all that the file had */
	*self->q.doorbell = 77;
	self->mem[0] = 77;
	munmap(self->mem, LARGE);
	xq_close(&self->q);
	close(self->fd);

	/* Work in flight goes on, and what is asked for anew works. */
	q.fence[1] = 0x123456789;
	EXPECT_EQ(xq_wait(&q, 20000, NULL), 0);
	EXPECT_EQ(xq_fill(&q, VA, 5, LARGE), 0);
	EXPECT_EQ(mem[LARGE / 4 - 1], 5);
	EXPECT_EQ(seg_revoke(fd, id), 0);
	munmap(mem, LARGE);
	xq_close(&q);
	close(fd);

	/* For the teardown */
	self->fd = xpu_open(0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, LARGE, &self->bo), 0);
	self->mem = gem_map(self->fd, self->bo, LARGE);
	ASSERT_NE(self->mem, MAP_FAILED);
}

/* --- tt-kmd 188: reset against removal ------------------------------------------ */

/* Somebody resets by the bus above, all the while, and counts; till killed. */
static void bus_resetter(const char *sysfs, unsigned long *resets)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		if (!pci_write(sysfs, "reset_method", "bus") &&
		    !pci_write(sysfs, "reset", "1"))
			__atomic_add_fetch(resets, 1, __ATOMIC_RELAXED);
}

/* A reset of the secondary bus, asleep, met the removal: both waited for ever. */
TEST_F_TIMEOUT(reported, bus_reset_against_removal, 180)
{
	unsigned long *resets = shared_count();
	int i, status;
	pid_t pid;

	ASSERT_NE((void *)resets, MAP_FAILED);
	pid = fork();
	if (!pid)
		bus_resetter(self->sysfs, resets);
	/* One at least; how many there are meanwhile is the machine's. */
	while (!__atomic_load_n(resets, __ATOMIC_RELAXED))
		usleep(1000);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(pci_write(self->sysfs, "remove", "1"), 0);
		ASSERT_EQ(write_file("/sys/bus/pci/rescan", "1"), 0);
		usleep(200000);
	}
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	TH_LOG("%lu resets", *resets);
	munmap(resets, PAGE);
	/*
	 * A reset that began before the kernel had assigned BARs, and ended
	 * after, has put old ones back: then the driver does not take the
	 * device. Nobody resets it now.
	 */
	ASSERT_EQ(pci_write(self->sysfs, "remove", "1"), 0);
	ASSERT_EQ(write_file("/sys/bus/pci/rescan", "1"), 0);
	EXPECT_EQ(works(), 0);
	EXPECT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	EXPECT_EQ(works(), 0);
}

/* --- open-gpu-kernel-modules ---------------------------------------------------------- */

/* 535, 842: unbind, or unplug, while a process used the device: panic, or hang */
TEST_F(reported, unbind_in_use_is_quick)
{
	int64_t start;
	pid_t pid;

	xq_push_endless(&self->q);
	pid = xq_waiter(&self->q);
	start = now_ns();
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	EXPECT_LT((now_ns() - start) / 1000000, UNBIND_MS);
	EXPECT_EQ(child_status(pid), ENODEV);
	self->mem[1] = self->mem[0] + 1;
	*self->q.doorbell = 3;
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	EXPECT_EQ(works(), 0);
}

/* 1283: the device was gone and nobody told the driver, which waited for it */
TEST_F_TIMEOUT(reported, silent_loss_is_noticed, 120)
{
	int64_t start;
	pid_t pid;

	xq_push_endless(&self->q);
	pid = xq_waiter(&self->q);
	start = now_ns();
	/* Nobody touches the device: the one who waits is asleep. */
	ASSERT_EQ(model_set("xpu0", "x-dead", true), 0);
	EXPECT_EQ(child_status(pid), ENODEV);
	EXPECT_LT((now_ns() - start) / 1000000, NOTICE_MS);
	EXPECT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(model_set("xpu0", "x-dead", false), 0);
	EXPECT_EQ(drv_write("bind", self->sysfs), 0);
	EXPECT_EQ(works(), 0);
}

/* 507, 888: "has fallen off the bus", and only a reboot brought it back */
TEST_F_TIMEOUT(reported, off_the_bus_and_back, 120)
{
	uint32_t handle;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(model_set("xpu0", "x-dead", true), 0);
		EXPECT_EQ(gem_create(self->fd, HBM, PAGE, &handle), -ENODEV);
		EXPECT_EQ(pci_write(self->sysfs, "remove", "1"), 0);
		ASSERT_EQ(model_set("xpu0", "x-dead", false), 0);
		EXPECT_EQ(write_file("/sys/bus/pci/rescan", "1"), 0);
		EXPECT_EQ(works(), 0);
	}
}

/* --- xdna-driver ------------------------------------------------------------------------- */

static int as_user_without_memlock(void)
{
	struct rlimit none = {};
	const struct group *render = getgrnam("render");
	int err;

	if (!render || setrlimit(RLIMIT_MEMLOCK, &none) ||
	    setgroups(0, NULL) || setgid(render->gr_gid) || setuid(NOBODY))
		return 255;
	err = works();
	return -err;
}

/* 307, 903: worked for root only; others had EAGAIN for want of RLIMIT_MEMLOCK */
TEST_F(reported, works_without_root_and_memlock)
{
	const struct group *render = getgrnam("render");
	char path[64];
	pid_t pid;

	/* What the udev rule does each time that the node comes */
	ASSERT_NE(render, NULL);
	ASSERT_EQ(xpu_path(0, path, sizeof(path)), 0);
	ASSERT_EQ(chown(path, 0, render->gr_gid), 0);
	ASSERT_EQ(chmod(path, 0660), 0);
	pid = fork();
	if (!pid)
		_exit(as_user_without_memlock());
	EXPECT_EQ(child_status(pid), 0);
}

/* --- resets: as many as there are hangs ------------------------------------------------ */

/* Resets since power on, or -1 */
static int64_t resets(void)
{
	struct drm_alink_xpu_query_device d;
	int fd = xpu_open(0);
	int64_t n = -1;

	if (fd >= 0 && !xpu_device(fd, &d))
		n = d.generation;
	close(fd);
	return n;
}

/* A call that the device does not answer; exits with its errno. */
static pid_t hanging_call(int fd)
{
	uint32_t vm;
	pid_t pid = fork();

	if (!pid)
		_exit(-vm_create(fd, &vm));
	return pid;
}

/* Several calls find the device hanging: it is reset once. */
TEST_F_TIMEOUT(reported, one_reset_for_a_hang, 180)
{
	int64_t before = resets();
	uint32_t handle;
	pid_t pid[4];
	int i, err;

	ASSERT_GE(before, 0);
	/* So slow that it can be let go in the middle */
	ASSERT_EQ(model_put("xpu0", "x-reset-us", "3000000"), 0);
	ASSERT_EQ(model_set("xpu0", "x-admin-stuck", true), 0);
	for (i = 0; i < 4; i++)
		pid[i] = hanging_call(self->fd);
	/* Whoever comes later waits for its turn, or finds the reset. */
	for (i = 0; i < 4; i++) {
		err = child_status(pid[i]);
		EXPECT_TRUE(err == EIO || err == EBUSY || (i && !err)) {
			TH_LOG("call %d: %d", i, err);
		}
		if (!i) {
			EXPECT_EQ(model_set("xpu0", "x-admin-stuck", false), 0);
		}
	}
	do {
		usleep(100000);
		err = gem_create(self->fd, HBM, PAGE, &handle);
	} while (err == -EBUSY || err == -EIO);
	EXPECT_EQ(err, 0);
	EXPECT_EQ(resets(), before + 1);
	usleep(2000000);
	EXPECT_EQ(resets(), before + 1);
	EXPECT_EQ(model_put("xpu0", "x-reset-us", "0"), 0);
	EXPECT_EQ(works(), 0);
}

/* What one user does wrong halts his queue. Nobody else notices. */
TEST_F(reported, no_reset_for_an_error)
{
	static const struct alink_xpu_desc bad[] = {
		{ .opcode = 99 },
		{ .opcode = ALINK_XPU_OP_NOP, .flags = 0x80 },
		{ .opcode = ALINK_XPU_OP_COPY, .dst = VA, .src = VA + 9 * LARGE,
		  .len = 64 },
		{ .opcode = ALINK_XPU_OP_ATOMIC64, .dst = VA },
		{ .opcode = ALINK_XPU_OP_COMPUTE, .src = VA, .len = 128,
		  .subop = 99 },
	};
	int64_t before = resets();
	uint32_t state;
	struct xq q;
	size_t i;

	ASSERT_GE(before, 0);
	xq_push_endless(&self->q);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64), 0);
		EXPECT_EQ(xq_run(&q, bad[i], NULL), -EIO);
		xq_close(&q);
	}
	/* Memory under a queue that is taken away */
	ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64), 0);
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA_Q + LARGE, q.bo_size), 0);
	xq_push(&q, (struct alink_xpu_desc) { .opcode = ALINK_XPU_OP_NOP });
	xq_ring(&q);
	EXPECT_EQ(xq_wait(&q, 20000, NULL), -EIO);
	xq_close(&q);

	EXPECT_EQ(resets(), before);
	ASSERT_EQ(queue_state(self->fd, self->q.id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_RUNNING);
	self->q.fence[1] = 0x123456789;
	EXPECT_EQ(xq_wait(&self->q, 20000, NULL), 0);
}

TEST_HARNESS_MAIN
