// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must not go wrong while somebody uses the device: reset, unbind,
 * surprise removal, unload of the module; and what may not be asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA	0x10000000UL
#define VA_Q	0x20000000UL
#define NOBODY	65534

/* What sysfs says the first xPU is, with the line feed */
static void read_state(char *state, size_t len)
{
	int fd = open("/sys/class/alink/xpu0/state", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, state, len - 1);

	state[n > 0 ? n : 0] = '\0';
	close(fd);
}

FIXTURE(life)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
	uint32_t bo;
	uint32_t *mem;
};

FIXTURE_SETUP(life)
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

FIXTURE_TEARDOWN(life)
{
	munmap(self->mem, LARGE);
	close(self->fd);
	/* The device works, whatever was done to it. */
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, LARGE, &self->bo), 0);
	self->mem = gem_map(self->fd, self->bo, LARGE);
	ASSERT_NE(self->mem, MAP_FAILED);
	EXPECT_EQ(self->mem[0], 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->bo, 0, VA, LARGE, RW), 0);
	ASSERT_EQ(xq_fill(&self->q, VA, 0x600d600d, LARGE), 0);
	EXPECT_EQ(self->mem[LARGE / 4 - 1], 0x600d600d);
	munmap(self->mem, LARGE);
	xq_close(&self->q);
	close(self->fd);
}

TEST_F(life, reset_with_work_in_flight)
{
	struct drm_alink_xpu_queue_error error;
	struct xq again;
	uint32_t state;
	pid_t pid;

	xq_push_endless(&self->q);
	pid = xq_waiter(&self->q);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	EXPECT_EQ(child_status(pid), ECANCELED);
	EXPECT_EQ(queue_state(self->fd, self->q.id, &state, &error), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_CANCELED);

	/* The VM and what is bound in it stay. */
	ASSERT_EQ(xq_open(&again, self->fd, self->vm, VA_Q + LARGE, 64), 0);
	ASSERT_EQ(xq_fill(&again, VA, 7, LARGE), 0);
	EXPECT_EQ(self->mem[100], 7);
	xq_close(&again);
}

TEST_F(life, reset_during_copies)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COPY,
		.dst = VA + LARGE / 2, .src = VA, .len = LARGE / 2,
	};
	int i, k, err;
	struct xq q;

	for (i = 0; i < 5; i++) {
		ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64),
			  0);
		for (k = 0; k < 40; k++)
			xq_push(&q, d);
		xq_ring(&q);
		ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
		err = xq_wait(&q, 20000, NULL);
		EXPECT_TRUE(err == 0 || err == -ECANCELED) {
			TH_LOG("%d", err);
		}
		xq_close(&q);
	}
}

TEST_F(life, killed_with_work_in_flight)
{
	struct drm_alink_xpu_query_memory before, after;
	pid_t pid;
	int status;

	ASSERT_EQ(xpu_memory(self->fd, &before), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		uint32_t vm, bo;
		struct xq q;
		int fd = xpu_open(0);

		if (fd < 0 || vm_create(fd, &vm) ||
		    gem_create(fd, HBM, 64 * MIB, &bo) ||
		    xq_open(&q, fd, vm, VA_Q, 64))
			_exit(1);
		xq_push_endless(&q);
		kill(getpid(), SIGKILL);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(xpu_memory(self->fd, &after), 0);
	EXPECT_EQ(memcmp(&before, &after, sizeof(before)), 0);
}

TEST_F(life, unbind_while_open)
{
	uint32_t handle;
	pid_t pid;

	self->mem[5] = 5;
	xq_push_endless(&self->q);
	pid = xq_waiter(&self->q);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	EXPECT_EQ(child_status(pid), ENODEV);
	EXPECT_EQ(gem_create(self->fd, HBM, PAGE, &handle), -ENODEV);
	EXPECT_EQ(vm_create(self->fd, &handle), -ENODEV);
	/* Mappings stay, with nothing behind them. */
	EXPECT_EQ(self->mem[5], 0);
	self->mem[5] = 6;
	*self->q.doorbell = 99;
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	EXPECT_EQ(gem_create(self->fd, HBM, PAGE, &handle), -ENODEV);
}

struct stalled {
	int fd;
	struct drm_alink_xpu_query q;
	int err;
};

static void *stalled_query(void *arg)
{
	struct stalled *s = arg;

	s->err = xpu_ioctl(s->fd, DRM_IOCTL_ALINK_XPU_QUERY, &s->q);
	return NULL;
}

/* A page that user space does not deliver holds up its reader, nobody else. */
TEST_F(life, stalled_copy_does_not_hold_up_unbind)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_zeropage zero = {};
	struct stalled s = { .fd = self->fd, .err = -1 };
	struct pollfd wait;
	pthread_t thread;
	int64_t start;
	void *page;
	pid_t pid;
	int uffd;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_GE(uffd, 0);
	ASSERT_EQ(ioctl(uffd, UFFDIO_API, &api), 0);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(page, MAP_FAILED);
	reg.range.start = zero.range.start = (uintptr_t)page;
	reg.range.len = zero.range.len = PAGE;
	ASSERT_EQ(ioctl(uffd, UFFDIO_REGISTER, &reg), 0);
	s.q.data = (uintptr_t)page;
	s.q.size = PAGE;
	ASSERT_EQ(pthread_create(&thread, NULL, stalled_query, &s), 0);
	wait = (struct pollfd) { .fd = uffd, .events = POLLIN };
	ASSERT_EQ(poll(&wait, 1, 5000), 1);

	start = now_ns();
	pid = fork();
	if (!pid)
		_exit(-drv_write("unbind", self->sysfs));
	while (!waitpid(pid, NULL, WNOHANG) &&
	       now_ns() - start < 60000000000LL)
		usleep(10000);
	EXPECT_LT(now_ns() - start, 60000000000LL);
	EXPECT_EQ(ioctl(uffd, UFFDIO_ZEROPAGE, &zero), 0);
	pthread_join(thread, NULL);
	EXPECT_EQ(s.err, 0);
	close(uffd);
	EXPECT_EQ(drv_write("bind", self->sysfs), 0);
}

TEST_F(life, surprise_removal)
{
	uint32_t handle;
	char state[16];
	pid_t pid;
	int err;

	xq_push_endless(&self->q);
	pid = xq_waiter(&self->q);
	err = model_set("xpu0", "x-dead", true);
	ASSERT_EQ(err, 0);
	EXPECT_EQ(child_status(pid), ENODEV);
	EXPECT_EQ(gem_create(self->fd, HBM, PAGE, &handle), -ENODEV);
	read_state(state, sizeof(state));
	EXPECT_STREQ(state, "lost\n");

	EXPECT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(model_set("xpu0", "x-dead", false), 0);
	EXPECT_EQ(drv_write("bind", self->sysfs), 0);
}

/* A queue that had halted is gone after a reset, as all others are. */
TEST_F(life, reset_ends_a_halted_queue)
{
	struct drm_alink_xpu_queue_error error;
	struct alink_xpu_desc d = { .opcode = 0xff };
	uint32_t state;

	EXPECT_EQ(xq_run(&self->q, d, NULL), -EIO);
	ASSERT_EQ(queue_state(self->fd, self->q.id, &state, &error), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_HALTED);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	ASSERT_EQ(queue_state(self->fd, self->q.id, &state, &error), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_CANCELED);
	/* Its doorbell is nobody's: the device does not complain. */
	*self->q.doorbell = 1;
	EXPECT_EQ(xq_wait(&self->q, 1000, NULL), -ECANCELED);
}

/* Who looks at the memory of a failed device goes on, and sees nothing. */
TEST_F(life, memory_of_a_failed_device)
{
	uint32_t handle;
	int status;
	pid_t pid;

	self->mem[0] = 0x5eec2e7;
	ASSERT_EQ(model_set("xpu0", "x-admin-stuck", true), 0);
	pci_write(self->sysfs, "reset", "1");
	EXPECT_EQ(gem_create(self->fd, HBM, PAGE, &handle), -EIO);
	pid = fork();
	if (!pid) {
		alarm(20);
		_exit(!!self->mem[0]);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);

	ASSERT_EQ(model_set("xpu0", "x-admin-stuck", false), 0);
	EXPECT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	EXPECT_EQ(gem_create(self->fd, HBM, PAGE, &handle), 0);
}

struct unmapper {
	int fd;
	uint32_t vm;
	uint64_t va;
	volatile uint32_t *mem;
	bool done;
	bool written;
};

static void *unmap(void *arg)
{
	struct unmapper *u = arg;
	uint32_t v;
	int i;

	vm_unmap(u->fd, u->vm, u->va, PAGE);
	v = *u->mem;
	for (i = 0; i < 1000; i++) {
		u->written |= *u->mem != v;
		usleep(1000);
	}
	u->done = true;
	return NULL;
}

static void *reset(void *arg)
{
	pci_write(arg, "reset", "1");
	return NULL;
}

/*
 * A device that does not answer may still write to what is being unmapped. A
 * reset that waits for the command to time out has not begun then: memory must
 * not be let go before the device has lost the bus.
 */
TEST_F(life, unmap_of_a_silent_device)
{
	struct unmapper u = { self->fd, self->vm, VA + LARGE, NULL, 0, 0 };
	pthread_t unmapper, resetter;
	uint32_t host, n = 0;
	char state[16];

	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &host), 0);
	u.mem = gem_map(self->fd, host, PAGE);
	ASSERT_NE(u.mem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, host, 0, u.va, PAGE, RW), 0);
	ASSERT_EQ(xq_fill(&self->q, u.va, 1, 8), 0);
	ASSERT_EQ(model_put("xpu0", "x-reset-us", "5000000"), 0);
	ASSERT_EQ(model_set("xpu0", "x-admin-stuck", true), 0);
	ASSERT_EQ(pthread_create(&unmapper, NULL, unmap, &u), 0);
	sleep(1);
	ASSERT_EQ(pthread_create(&resetter, NULL, reset, self->sysfs), 0);
	do {
		/* The translation is still there, and the engine uses it. */
		if (self->q.tail - self->q.status->head < self->q.size / 2) {
			xq_push(&self->q, (struct alink_xpu_desc) {
				.opcode = ALINK_XPU_OP_FILL, .dst = u.va,
				.src = ++n, .len = 8 });
			xq_ring(&self->q);
		}
		usleep(1000);
		read_state(state, sizeof(state));
	} while (!strcmp(state, "ready\n"));
	EXPECT_EQ(model_set("xpu0", "x-admin-stuck", false), 0);
	pthread_join(unmapper, NULL);
	pthread_join(resetter, NULL);
	EXPECT_TRUE(u.done);
	EXPECT_FALSE(u.written);
	EXPECT_GT(*u.mem, 1);
	EXPECT_EQ(model_put("xpu0", "x-reset-us", "0"), 0);
	munmap((void *)u.mem, PAGE);
}

TEST_F(life, module_stays_while_in_use)
{
	EXPECT_NE(system("rmmod alink_xpu 2>/dev/null"), 0);
	EXPECT_EQ(access("/sys/module/alink_xpu", F_OK), 0);
	EXPECT_NE(system("rmmod alink 2>/dev/null"), 0);
}

/* --- what may not be asked for ---------------------------------------------- */

TEST_F(life, node_is_not_for_everybody)
{
	char path[64];
	pid_t pid;

	ASSERT_EQ(xpu_path(0, path, sizeof(path)), 0);
	pid = fork();
	if (!pid) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(0);
		_exit(open(path, O_RDWR) < 0 ? errno : 0);
	}
	EXPECT_EQ(child_status(pid), EACCES);
}

TEST_F(life, high_priority_is_privileged)
{
	struct drm_alink_xpu_queue_create args = {
		.vm_id = self->vm,
		.size = 64,
		.ring = self->q.va,
		.status = self->q.va,
		.priority = DRM_ALINK_XPU_PRIORITY_HIGH,
	};
	pid_t pid = fork();

	if (!pid) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(0);
		_exit(-queue_create(self->fd, &args));
	}
	EXPECT_EQ(child_status(pid), EPERM);
}

TEST_F(life, objects_of_other_files)
{
	uint32_t other_vm, handle;
	int fd = xpu_open(0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(vm_create(fd, &other_vm), 0);
	ASSERT_EQ(gem_create(fd, HOST, PAGE, &handle), 0);
	EXPECT_EQ(vm_map(fd, other_vm, self->bo + 50, 0, VA, PAGE, RW),
		  -ENOENT);
	EXPECT_EQ(vm_map(fd, other_vm + 50, handle, 0, VA, PAGE, RW), -ENOENT);
	EXPECT_EQ(vm_destroy(fd, other_vm + 50), -ENOENT);
	EXPECT_EQ(queue_destroy(fd, self->q.id + 50), -ENOENT);
	EXPECT_EQ(gem_close(fd, handle + 50), -EINVAL);
	close(fd);
}

TEST_F(life, bad_memory_arguments)
{
	struct drm_alink_xpu_gem_create create = { .size = PAGE, .flags = HOST };
	uint32_t h;

	EXPECT_EQ(gem_create(self->fd, 0, PAGE, &h), -EINVAL);
	EXPECT_EQ(gem_create(self->fd, HOST | HBM, PAGE, &h), -EINVAL);
	EXPECT_EQ(gem_create(self->fd, HOST | (1U << 31), PAGE, &h), -EINVAL);
	EXPECT_EQ(gem_create(self->fd, HOST, 0, &h), -EINVAL);
	EXPECT_EQ(gem_create(self->fd, HBM, 1ULL << 60, &h), -E2BIG);
	EXPECT_EQ(vm_map(self->fd, self->vm, self->bo, 0, VA + 1, PAGE, RW),
		  -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, self->bo, 1, VA, PAGE, RW),
		  -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, self->bo, 0, VA, PAGE + 1, RW),
		  -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, self->bo, 0, VA, 0, RW), -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, self->bo, LARGE, VA, PAGE, RW),
		  -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, self->bo, ~0UL & ~(PAGE - 1), VA,
			 2 * PAGE, RW), -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, self->bo, 0, 1UL << 48, PAGE, RW),
		  -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, self->bo, 0, VA, PAGE, 1U << 30),
		  -EINVAL);
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_GEM_CREATE, NULL),
		  -EFAULT);
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_GEM_CREATE, &create),
		  0);
	EXPECT_EQ(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd,
		       0x7ffff000), MAP_FAILED);
}

TEST_F(life, bad_queue_arguments)
{
	struct drm_alink_xpu_queue_create good = {
		.vm_id = self->vm,
		.size = 64,
		.ring = VA,
		.status = VA + PAGE * 4,
		.priority = DRM_ALINK_XPU_PRIORITY_NORMAL,
	}, args;

	args = good;
	args.size = 63;
	EXPECT_EQ(queue_create(self->fd, &args), -EINVAL);
	args = good;
	args.size = 1;
	EXPECT_EQ(queue_create(self->fd, &args), -EINVAL);
	args = good;
	args.size = 131072;
	EXPECT_EQ(queue_create(self->fd, &args), -EINVAL);
	args = good;
	args.ring += 4;
	EXPECT_EQ(queue_create(self->fd, &args), -EINVAL);
	args = good;
	args.ring = VA + 64 * LARGE;
	EXPECT_EQ(queue_create(self->fd, &args), -EINVAL);
	args = good;
	args.status += 8;
	EXPECT_EQ(queue_create(self->fd, &args), -EINVAL);
	args = good;
	args.priority = 77;
	EXPECT_EQ(queue_create(self->fd, &args), -EINVAL);
	args = good;
	args.vm_id = 4711;
	EXPECT_EQ(queue_create(self->fd, &args), -ENOENT);
	args = good;
	ASSERT_EQ(queue_create(self->fd, &args), 0);
	EXPECT_EQ(queue_destroy(self->fd, args.queue_id), 0);
}

TEST_F(life, typed_errors_of_commands)
{
	static const struct {
		struct alink_xpu_desc d;
		uint32_t status;
		uint64_t addr;
	} bad[] = {
		{ { .opcode = 99 }, ALINK_ST_BAD_OPCODE, 0 },
		{ { .opcode = ALINK_XPU_OP_NOP, .flags = 0x80 },
		  ALINK_ST_BAD_FIELD, 0 },
		{ { .opcode = ALINK_XPU_OP_FILL, .dst = VA, .len = 3 },
		  ALINK_ST_ALIGN, 0 },
		{ { .opcode = ALINK_XPU_OP_COPY, .dst = VA,
		    .src = VA + 9 * LARGE, .len = 64 },
		  ALINK_ST_PAGE_FAULT, VA + 9 * LARGE },
		{ { .opcode = ALINK_XPU_OP_ATOMIC64, .dst = VA },
		  ALINK_ST_PERMISSION, VA },
		{ { .opcode = ALINK_XPU_OP_REDUCE, .dst = VA, .src = VA,
		    .src2 = VA, .len = 64, .dtype = ALINK_DT_UINT8 },
		  ALINK_ST_UNSUPPORTED, 0 },
		{ { .opcode = ALINK_XPU_OP_REDUCE_READ, .dst = VA, .src = VA,
		    .len = 64, .dtype = ALINK_DT_FP32 },
		  ALINK_ST_UNSUPPORTED, VA },
	};
	struct drm_alink_xpu_queue_error error;
	struct xq q;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ASSERT_EQ(xq_open(&q, self->fd, self->vm, VA_Q + LARGE, 64),
			  0);
		EXPECT_EQ(xq_run(&q, bad[i].d, &error), -EIO) {
			TH_LOG("descriptor %zu", i);
		}
		EXPECT_EQ(error.status, bad[i].status) {
			TH_LOG("descriptor %zu", i);
		}
		EXPECT_EQ(error.addr, bad[i].addr) {
			TH_LOG("descriptor %zu", i);
		}
		xq_close(&q);
	}
}

TEST_F(life, memory_of_others_is_never_seen)
{
	uint32_t first, second, i;
	uint32_t *p;
	int fd = xpu_open(0);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, 8 * LARGE, &first), 0);
	p = gem_map(self->fd, first, 8 * LARGE);
	ASSERT_NE(p, MAP_FAILED);
	memset(p, 0xee, 8 * LARGE);
	munmap(p, 8 * LARGE);
	ASSERT_EQ(gem_close(self->fd, first), 0);
	ASSERT_EQ(gem_create(fd, HBM_CPU, 8 * LARGE, &second), 0);
	p = gem_map(fd, second, 8 * LARGE);
	ASSERT_NE(p, MAP_FAILED);
	for (i = 0; i < 8 * LARGE / 4 && !p[i]; i++)
		;
	EXPECT_EQ(i, 8 * LARGE / 4);
	munmap(p, 8 * LARGE);
	close(fd);
}

TEST_HARNESS_MAIN
