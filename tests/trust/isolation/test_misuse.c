// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls as they should be, at a bad time: with signals, two at once, in another
 * process, at the limit of a resource; and what else the kernel can be asked to
 * do with a file, its mappings and its dma-bufs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA	(64 * LARGE)
#define VA2	(66 * LARGE)
#define VA_Q	(128 * LARGE)
#define SIZE	LARGE

FIXTURE(misuse)
{
	int fd;
	uint32_t vm, hbm, host;
	struct xq q;
	struct drm_alink_xpu_vm_bind_op op;
};

FIXTURE_SETUP(misuse)
{
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, SIZE, &self->hbm), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, SIZE, &self->host), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->hbm, 0, VA, SIZE, RWA), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	self->op = (struct drm_alink_xpu_vm_bind_op) {
		.flags = RW, .handle = self->hbm, .addr = VA2, .range = SIZE,
	};
}

FIXTURE_TEARDOWN(misuse)
{
	uint32_t h;

	/* Whatever was asked of it: the file still works. */
	EXPECT_EQ(xq_fill(&self->q, VA, 0x5a5a5a5a, SIZE), 0);
	EXPECT_EQ(gem_create(self->fd, HOST, PAGE, &h), 0);
	xq_close(&self->q);
	close(self->fd);
}

/* --- time and signals -------------------------------------------------------- */

static int wait_until(int fd, uint32_t handle, int64_t when)
{
	struct drm_alink_xpu_wait_fence w = {
		.handle = handle, .addr = 64, .value = 1, .timeout_ns = when,
	};

	return xpu_ioctl(fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w);
}

TEST_F(misuse, times)
{
	int64_t start = now_ns();

	EXPECT_EQ(wait_until(self->fd, self->hbm, 0), -ETIME);
	EXPECT_EQ(wait_until(self->fd, self->hbm, -1), -ETIME);
	EXPECT_EQ(wait_until(self->fd, self->hbm, INT64_MIN), -ETIME);
	EXPECT_EQ(wait_until(self->fd, self->hbm, start - 1), -ETIME);
	EXPECT_EQ(wait_until(self->fd, self->hbm, start + 50000000), -ETIME);
	EXPECT_LT(now_ns() - start, 5000000000LL);
}

static void nothing(int sig)
{
	(void)sig;
}

static void storm(bool on)
{
	struct sigaction act = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct itimerval every = {
		.it_interval = { .tv_usec = on ? 1000 : 0 },
		.it_value = { .tv_usec = on ? 1000 : 0 },
	};

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

/* Everything works with a signal each millisecond. */
TEST_F(misuse, signal_storm)
{
	uint32_t bo, vm;
	int i, err = 0;

	storm(true);
	for (i = 0; i < 20 && !err; i++) {
		err = gem_create(self->fd, i & 1 ? HBM : HOST, SIZE, &bo);
		err = err ?: vm_create(self->fd, &vm);
		err = err ?: vm_map(self->fd, vm, bo, 0, VA, SIZE, RW);
		err = err ?: xq_fill(&self->q, VA, i, SIZE);
		err = err ?: vm_destroy(self->fd, vm);
		err = err ?: gem_close(self->fd, bo);
	}
	storm(false);
	EXPECT_EQ(err, 0) {
		TH_LOG("round %d", i);
	}
}

TEST_F(misuse, killed_while_waiting)
{
	int64_t start;
	int status;
	pid_t pid = fork();

	if (!pid) {
		wait_until(self->fd, self->hbm, INT64_MAX);
		_exit(0);
	}
	usleep(300000);
	start = now_ns();
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_LT(now_ns() - start, 1000000000LL);
}

/* --- two at once ---------------------------------------------------------------- */

struct racer {
	int fd;
	uint32_t vm, handle;
	int what;
	volatile bool stop;
	struct drm_alink_xpu_vm_bind_op *op;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	uint32_t h, seed = 1;

	while (!r->stop) {
		seed = seed * 1103515245 + 12345;
		switch (r->what) {
		case 0:		/* the same object from two sides */
			gem_create(r->fd, HBM, PAGE, &h);
			gem_close(r->fd, h);
			gem_close(r->fd, h + 1);
			vm_map(r->fd, r->vm, h, 0, VA2, PAGE, RW);
			vm_unmap(r->fd, r->vm, VA2, PAGE);
			break;
		case 1:		/* the argument changes while it is read */
			r->op->handle = seed >> 16 & 7;
			r->op->range = (seed >> 8 & 3) * PAGE;
			r->op->offset = (seed >> 4 & 0xfff) * PAGE;
			r->op->flags = seed >> 20;
			break;
		}
	}
	return NULL;
}

static void race_with(struct __test_metadata *_metadata,
		      FIXTURE_DATA(misuse) *self, int what)
{
	struct drm_alink_xpu_vm_bind_op op = self->op;
	struct racer r = {
		.fd = self->fd, .vm = self->vm, .what = what, .op = &op,
	};
	pthread_t thread;
	int64_t end = now_ns() + 1500000000LL;

	ASSERT_EQ(pthread_create(&thread, NULL, race, &r), 0);
	while (now_ns() < end) {
		if (what == 1) {
			vm_bind(self->fd, self->vm, &op, 1);
			continue;
		}
		vm_map(self->fd, self->vm, self->hbm, 0, VA2, PAGE, RW);
		vm_unmap(self->fd, self->vm, VA2, PAGE);
		gem_close(self->fd, 9);
	}
	r.stop = true;
	pthread_join(thread, NULL);
	vm_unmap(self->fd, self->vm, VA2, SIZE);
}

TEST_F(misuse, two_threads_one_object)
{
	race_with(_metadata, self, 0);
}

TEST_F(misuse, double_fetch)
{
	race_with(_metadata, self, 1);
}

static void *wait_for_ever(void *arg)
{
	struct racer *r = arg;

	r->what = wait_until(r->fd, r->handle, now_ns() + 1000000000LL);
	return NULL;
}

TEST_F(misuse, close_during_ioctl)
{
	struct racer r = { .fd = xpu_open(0) };
	pthread_t thread;

	ASSERT_GE(r.fd, 0);
	ASSERT_EQ(gem_create(r.fd, HBM_CPU, PAGE, &r.handle), 0);
	ASSERT_EQ(pthread_create(&thread, NULL, wait_for_ever, &r), 0);
	usleep(200000);
	EXPECT_EQ(close(r.fd), 0);
	pthread_join(thread, NULL);
	EXPECT_EQ(r.what, -ETIME);
}

/* --- other ways to a file ---------------------------------------------------- */

TEST_F(misuse, used_in_a_child)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		uint32_t h;

		_exit(gem_create(self->fd, HBM, PAGE, &h) ||
		      vm_map(self->fd, self->vm, h, 0, VA2, PAGE, RW) ||
		      vm_unmap(self->fd, self->vm, VA2, PAGE) ||
		      gem_close(self->fd, h));
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

/* A file that was sent to nobody is used by nobody: the file is the right. */
TEST_F(misuse, sent_to_another_process)
{
	char room[CMSG_SPACE(sizeof(int))] = {};
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room,
		.msg_controllen = sizeof(room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int pair[2], status, fd;
	uint32_t h;
	pid_t pid;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	pid = fork();
	if (!pid) {
		close(self->fd);
		if (setgid(65534) || setuid(65534) ||
		    recvmsg(pair[1], &msg, 0) != 1)
			_exit(1);
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
		_exit(gem_create(fd, HBM, PAGE, &h) ? 2 : 0);
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &self->fd, sizeof(int));
	ASSERT_EQ(sendmsg(pair[0], &msg, 0), 1);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

/* --- limits ---------------------------------------------------------------------- */

static int limited(int which, int fd, uint32_t host, uint64_t off)
{
	struct drm_prime_handle p = { .handle = host, .flags = O_CLOEXEC };
	struct rlimit none = {};
	void *map;
	int err;

	getrlimit(which, &none);
	none.rlim_cur = which == RLIMIT_NOFILE ? 3 : 1 << 20;
	if (setrlimit(which, &none))
		return EXDEV;
	if (which == RLIMIT_NOFILE) {
		err = xpu_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &p);
	} else {
		map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, (off_t)off);
		err = map == MAP_FAILED ? -errno : 0;
	}
	return -err;
}

TEST_F(misuse, resource_limits)
{
	static const int which[] = { RLIMIT_NOFILE, RLIMIT_AS };
	static const int want[] = { EMFILE, ENOMEM };
	uint64_t off;
	int i, status;
	pid_t pid;

	ASSERT_EQ(gem_offset(self->fd, self->host, &off), 0);
	for (i = 0; i < 2; i++) {
		pid = fork();
		if (!pid)
			_exit(limited(which[i], self->fd, self->host, off));
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(WEXITSTATUS(status), want[i]);
	}
}

/* Takes HBM until nothing can leave it any more: refused, others unharmed. */
TEST_F_TIMEOUT(misuse, all_of_hbm, 240)
{
	struct drm_alink_xpu_query_memory before, full, after;
	uint32_t h;
	uint64_t size;
	int fd = xpu_open(0), err;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(xpu_memory(fd, &before), 0);
	EXPECT_EQ(gem_create(fd, HBM, before.hbm_total + PAGE, &h), -E2BIG);
	/* The largest pieces first, down to the last page */
	for (size = 64 * MIB; size >= PAGE; size /= 2) {
		while (!(err = gem_create(fd, HBM, size, &h)))
			;
		EXPECT_EQ(err, -ENOSPC);
	}
	ASSERT_EQ(xpu_memory(fd, &full), 0);
	EXPECT_EQ(full.hbm_used, full.hbm_total);
	EXPECT_GT(full.hbm_evicted, before.hbm_used);
	EXPECT_EQ(xq_fill(&self->q, VA, 3, SIZE), 0);
	close(fd);
	ASSERT_EQ(xpu_memory(self->fd, &after), 0);
	EXPECT_EQ(after.hbm_used + after.hbm_evicted, before.hbm_used);
}

/* --- mappings: what else the kernel can be asked to do with them -------------- */

TEST_F(misuse, advice_and_direct_access)
{
	const uint32_t kind[] = { self->hbm, self->host };
	char byte[16] = "0123456789abcde";
	int i, advice, out;
	uint64_t off;
	ssize_t n;
	char *map;

	for (i = 0; i < 2; i++) {
		struct iovec l = { byte, sizeof(byte) }, r;

		map = gem_map(self->fd, kind[i], SIZE);
		ASSERT_NE(map, MAP_FAILED);
		memset(map, 0x31, SIZE);
		for (advice = 0; advice < 26; advice++)
			madvise(map, PAGE, advice);
		madvise(map, PAGE, MADV_PAGEOUT);
		EXPECT_EQ(map[0], 0x31);
		r = (struct iovec) { map, sizeof(byte) };
		/* Pages of a device have no struct page to be got at. */
		EXPECT_LT(process_vm_writev(getpid(), &l, 1, &r, 1, 0), 0);
		out = open("/tmp/direct", O_CREAT | O_RDWR | O_DIRECT, 0600);
		ASSERT_GE(out, 0);
		/* Copied or refused, but nothing in between */
		n = write(out, map, PAGE);
		if (n >= 0) {
			EXPECT_EQ(n, (ssize_t)PAGE);
			EXPECT_EQ(pread(out, byte, 1, PAGE - 1), 1);
			EXPECT_EQ(byte[0], 0x31);
		} else {
			EXPECT_EQ(errno, EFAULT);
		}
		close(out);
		/* Over itself, and shrunk */
		ASSERT_EQ(gem_offset(self->fd, kind[i], &off), 0);
		EXPECT_EQ(mmap(map, PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_FIXED, self->fd, (off_t)off),
			  map);
		EXPECT_EQ(map[0], 0x31);
		EXPECT_NE(mremap(map, SIZE, PAGE, 0), MAP_FAILED);
		munmap(map, PAGE);
	}
}

TEST_F(misuse, core_dump)
{
	struct rlimit big = { RLIM_INFINITY, RLIM_INFINITY };
	int status;
	pid_t pid = fork();

	if (!pid) {
		char *map = gem_map(self->fd, self->hbm, SIZE);

		signal(SIGABRT, SIG_DFL);
		if (chdir("/tmp") || setrlimit(RLIMIT_CORE, &big) ||
		    map == MAP_FAILED)
			_exit(1);
		map[0] = 1;
		abort();
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGABRT);
}

/* --- dma-buf --------------------------------------------------------------------- */

TEST_F(misuse, dma_buf)
{
	struct drm_prime_handle out = { .handle = self->host,
					.flags = O_CLOEXEC | O_RDWR };
	struct drm_prime_handle in, again;
	int other = xpu_open(1), fd = xpu_open(0);
	uint32_t vm;
	char *map;

	ASSERT_GE(other, 0);
	ASSERT_GE(fd, 0);
	map = gem_map(self->fd, self->host, SIZE);
	ASSERT_NE(map, MAP_FAILED);
	map[0] = 0x42;
	munmap(map, SIZE);
	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &out), 0);
	/* One's own comes back as what it was; twice is once. */
	in = (struct drm_prime_handle) { .fd = out.fd };
	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &in), 0);
	EXPECT_EQ(in.handle, self->host);
	/* Of a foreign device */
	in = again = (struct drm_prime_handle) { .fd = out.fd };
	ASSERT_EQ(xpu_ioctl(other, DRM_IOCTL_PRIME_FD_TO_HANDLE, &in), 0);
	ASSERT_EQ(xpu_ioctl(other, DRM_IOCTL_PRIME_FD_TO_HANDLE, &again), 0);
	EXPECT_EQ(in.handle, again.handle);
	ASSERT_EQ(vm_create(other, &vm), 0);
	EXPECT_EQ(vm_map(other, vm, in.handle, 0, VA, SIZE, RW), 0);
	/* The exporter lets go of all; the importer's stays good. */
	close(out.fd);
	EXPECT_EQ(gem_close(self->fd, self->host), 0);
	EXPECT_EQ(vm_unmap(other, vm, VA, SIZE), 0);
	EXPECT_EQ(vm_map(other, vm, in.handle, 0, VA, SIZE, RW), 0);
	/* No dma-buf at all */
	in.fd = self->fd;
	EXPECT_EQ(xpu_ioctl(fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &in), -EINVAL);
	close(fd);
	close(other);
}

TEST_HARNESS_MAIN
