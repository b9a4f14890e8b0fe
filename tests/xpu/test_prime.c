// SPDX-License-Identifier: GPL-2.0-only
/*
 * PRIME with memory that has pages: of others (udmabuf) in an xPU, and of an
 * xPU in other processes, other xPUs and other drivers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA		0x10000000UL
#define VA_HBM		0x20000000UL
#define VA_Q		0x30000000UL
#define SIZE		(2 * LARGE)
#define RDWR		(DRM_CLOEXEC | DRM_RDWR)

FIXTURE(prime)
{
	int fd;
	uint32_t vm;
	struct xq q;
	uint32_t hbm;			/* of SIZE bytes at VA_HBM */
	uint32_t *mem;
};

FIXTURE_SETUP(prime)
{
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, SIZE, &self->hbm), 0);
	self->mem = gem_map(self->fd, self->hbm, SIZE);
	ASSERT_NE(self->mem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->hbm, 0, VA_HBM, SIZE, RW),
		  0);
}

FIXTURE_TEARDOWN(prime)
{
	munmap(self->mem, SIZE);
	xq_close(&self->q);
	close(self->fd);
}

/* --- memory of others --------------------------------------------------------- */

static int memfd(size_t size, void **map)
{
	int fd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		return -1;
	*map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *map == MAP_FAILED ? -1 : fd;
}

static int udmabuf(int memfd, uint64_t offset, uint64_t size)
{
	struct udmabuf_create c = {
		.memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = offset, .size = size,
	};
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), buf;

	if (dev < 0)
		return -errno;
	buf = ioctl(dev, UDMABUF_CREATE, &c);
	buf = buf < 0 ? -errno : buf;
	close(dev);
	return buf;
}

/* Single pages of a memfd, the last one first */
static int udmabuf_reversed(int memfd, unsigned int pages)
{
	size_t len = sizeof(struct udmabuf_create_list) +
		     pages * sizeof(struct udmabuf_create_item);
	struct udmabuf_create_list *c = calloc(1, len);
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), buf;
	unsigned int i;

	c->flags = UDMABUF_FLAGS_CLOEXEC;
	c->count = pages;
	for (i = 0; i < pages; i++) {
		c->list[i].memfd = memfd;
		c->list[i].offset = (pages - 1 - i) * PAGE;
		c->list[i].size = PAGE;
	}
	buf = ioctl(dev, UDMABUF_CREATE_LIST, c);
	buf = buf < 0 ? -errno : buf;
	close(dev);
	free(c);
	return buf;
}

TEST_F(prime, udmabuf_both_ways)
{
	uint32_t *words;
	uint8_t *bytes;
	uint32_t bo;
	void *map;
	int mfd, buf;

	mfd = memfd(SIZE + PAGE, &map);
	ASSERT_GE(mfd, 0);
	buf = udmabuf(mfd, PAGE, SIZE);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(self->fd, buf, &bo), 0);
	/* The object is all that is needed of it. */
	close(buf);
	close(mfd);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, SIZE, RW), 0);

	words = map + PAGE;
	pattern_fill(words, SIZE, 1);
	ASSERT_EQ(xq_copy(&self->q, VA_HBM, VA, SIZE), 0);
	EXPECT_EQ(pattern_check(self->mem, SIZE, 1), SIZE);
	pattern_fill(self->mem, SIZE, 2);
	ASSERT_EQ(xq_copy(&self->q, VA, VA_HBM, SIZE), 0);
	EXPECT_EQ(pattern_check(words, SIZE, 2), SIZE);
	/* What lies before it in the memfd was not given away. */
	EXPECT_EQ(*(uint32_t *)map, 0);

	/* Not a byte beyond an odd range */
	ASSERT_EQ(xq_fill(&self->q, VA, 0, SIZE), 0);
	ASSERT_EQ(xq_copy(&self->q, VA + PAGE - 3, VA_HBM + 5, PAGE + 9), 0);
	bytes = map + PAGE;
	EXPECT_EQ(bytes[PAGE - 4], 0);
	EXPECT_EQ(memcmp(bytes + PAGE - 3, (uint8_t *)self->mem + 5, PAGE + 9),
		  0);
	EXPECT_EQ(bytes[2 * PAGE + 6], 0);

	/* A mapping of the object is one of the memfd's pages. */
	bytes = gem_map(self->fd, bo, SIZE);
	ASSERT_NE((void *)bytes, MAP_FAILED);
	bytes[SIZE - 1] = 0x5a;
	EXPECT_EQ(((uint8_t *)map)[SIZE + PAGE - 1], 0x5a);
	munmap(bytes, SIZE);

	EXPECT_EQ(vm_unmap(self->fd, self->vm, VA, SIZE), 0);
	EXPECT_EQ(gem_close(self->fd, bo), 0);
	EXPECT_EQ(((uint8_t *)map)[SIZE + PAGE - 1], 0x5a);
	munmap(map, SIZE + PAGE);
}

TEST_F(prime, udmabuf_of_scattered_pages)
{
	const unsigned int pages = 16;
	uint32_t *words, bo;
	unsigned int i;
	void *map;
	int mfd, buf;

	mfd = memfd(pages * PAGE, &map);
	ASSERT_GE(mfd, 0);
	words = map;
	for (i = 0; i < pages; i++)
		words[i * PAGE / 4] = i + 1;
	buf = udmabuf_reversed(mfd, pages);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(self->fd, buf, &bo), 0);
	/* From within: the piece has neither its first nor its last page */
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, PAGE, VA, (pages - 2) * PAGE,
			 RW), 0);
	ASSERT_EQ(xq_copy(&self->q, VA_HBM, VA, (pages - 2) * PAGE), 0);
	for (i = 0; i < pages - 2; i++)
		EXPECT_EQ(self->mem[i * PAGE / 4], pages - 1 - i);
	ASSERT_EQ(xq_fill(&self->q, VA, 0xabcd, PAGE), 0);
	EXPECT_EQ(words[(pages - 2) * PAGE / 4], 0xabcd);
	EXPECT_EQ(words[(pages - 1) * PAGE / 4], pages);
	close(buf);
	close(mfd);
	munmap(map, pages * PAGE);
}

TEST_F(prime, queue_in_foreign_memory)
{
	struct drm_alink_xpu_queue_create c = {
		.vm_id = self->vm, .ring = VA, .status = VA_Q + 2 * LARGE,
		.size = 64, .priority = DRM_ALINK_XPU_PRIORITY_NORMAL,
	};
	struct drm_alink_xpu_wait_fence w = { .value = 1 };
	uint64_t *status;
	uint32_t bo, host, state;
	void *map, *db;
	int mfd, buf;

	mfd = memfd(LARGE, &map);
	ASSERT_GE(mfd, 0);
	buf = udmabuf(mfd, 0, LARGE);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(self->fd, buf, &bo), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, LARGE, RW), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &host), 0);
	status = gem_map(self->fd, host, PAGE);
	ASSERT_NE((void *)status, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, host, 0, c.status, PAGE, RW), 0);

	/* The ring may be anywhere; fence and status block the kernel reads. */
	c.status = VA + PAGE;
	EXPECT_EQ(queue_create(self->fd, &c), -EOPNOTSUPP);
	c.status = VA_Q + 2 * LARGE;
	w.handle = bo;
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w),
		  -EOPNOTSUPP);
	ASSERT_EQ(queue_create(self->fd, &c), 0);
	db = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd,
		  c.doorbell_offset);
	ASSERT_NE(db, MAP_FAILED);
	((struct alink_xpu_desc *)map)[0] = (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_NOP,
		.flags = ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ,
		.fence_addr = c.status + 1024, .fence_value = 1,
	};
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*(volatile uint32_t *)(db + ALINK_XPU_DB_TAIL) = 1;
	w = (struct drm_alink_xpu_wait_fence) {
		.handle = host, .addr = 1024, .value = 1,
		.queue_id = c.queue_id, .timeout_ns = now_ns() + 20000000000LL,
	};
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w), 0);
	EXPECT_EQ(queue_state(self->fd, c.queue_id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_RUNNING);
	EXPECT_EQ(queue_destroy(self->fd, c.queue_id), 0);
	munmap(db, PAGE);
	munmap(status, PAGE);
	munmap(map, LARGE);
	close(buf);
	close(mfd);
}

/* Makes the memory and a udmabuf of it, hands that on, and is gone. */
static int udmabuf_maker(int sock)
{
	void *map;
	int mfd = memfd(SIZE, &map), buf;

	if (mfd < 0)
		return 1;
	pattern_fill(map, SIZE, 3);
	buf = udmabuf(mfd, 0, SIZE);
	return buf < 0 || send_fd(sock, buf);
}

/* What a process that is gone has sent: the engine reads its pattern. */
static int read_of_the_dead(FIXTURE_DATA(prime) *self, int (*make)(int sock),
			    uint32_t seed)
{
	int sock[2], buf, err;
	uint32_t bo;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		return -errno;
	pid = fork();
	if (!pid)
		_exit(make(sock[1]));
	err = child_status(pid);
	buf = err ? -ECHILD : recv_fd(sock[0]);
	close(sock[0]);
	close(sock[1]);
	if (buf < 0)
		return buf;
	err = prime_import(self->fd, buf, &bo);
	close(buf);
	err = err ?: vm_map(self->fd, self->vm, bo, 0, VA, SIZE, RW);
	err = err ?: xq_copy(&self->q, VA_HBM, VA, SIZE);
	if (err)
		return err;
	return pattern_check(self->mem, SIZE, seed) == SIZE ? 0 : -EILSEQ;
}

TEST_F(prime, udmabuf_whose_maker_is_gone)
{
	EXPECT_EQ(read_of_the_dead(self, udmabuf_maker, 3), 0);
}

TEST_F(prime, refusals_of_an_import)
{
	struct drm_alink_xpu_segment_handle seg;
	uint32_t bo, id;
	void *map;
	int mfd, buf;

	mfd = memfd(3 * PAGE, &map);
	ASSERT_GE(mfd, 0);
	/* udmabuf itself wants whole pages, all of them within */
	EXPECT_EQ(udmabuf(mfd, 0, PAGE + 1), -EINVAL);
	EXPECT_EQ(udmabuf(mfd, 8, PAGE), -EINVAL);
	EXPECT_EQ(udmabuf(mfd, PAGE, 3 * PAGE), -EINVAL);
	buf = udmabuf(mfd, 0, 3 * PAGE);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(self->fd, buf, &bo), 0);

	EXPECT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, 4 * PAGE, RW), -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, bo, 3 * PAGE, VA, PAGE, RW),
		  -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, bo, PAGE, VA, 3 * PAGE, RW),
		  -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, bo, -PAGE, VA, 2 * PAGE, RW),
		  -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, bo, 1, VA, PAGE, RW), -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, bo, 0, VA + 8, PAGE, RW), -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, PAGE - 8, RW), -EINVAL);
	EXPECT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, PAGE, 0), -EINVAL);
	EXPECT_EQ(seg_export(self->fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &seg,
			     &id), -EOPNOTSUPP);
	EXPECT_EQ(gem_map(self->fd, bo, 4 * PAGE), MAP_FAILED);
	EXPECT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, 3 * PAGE, RW), 0);
	close(buf);
	close(mfd);
	munmap(map, 3 * PAGE);
}

TEST_F(prime, what_is_no_dma_buf)
{
	uint32_t syncobj, handle;
	int bad[8], i, n = 0;

	bad[n++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	bad[n++] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	bad[n++] = memfd_create("test", MFD_CLOEXEC);
	bad[n++] = eventfd(0, EFD_CLOEXEC);
	bad[n++] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bad[n++] = dup(self->fd);
	ASSERT_EQ(syncobj_create(self->fd, &syncobj), 0);
	bad[n++] = syncobj_export(self->fd, syncobj, false);
	ASSERT_EQ(syncobj_signal(self->fd, syncobj), 0);
	bad[n++] = syncobj_export(self->fd, syncobj, true);
	for (i = 0; i < n; i++) {
		ASSERT_GE(bad[i], 0) {
			TH_LOG("fd %d", i);
		}
		EXPECT_EQ(prime_import(self->fd, bad[i], &handle), -EINVAL) {
			TH_LOG("fd %d", i);
		}
		close(bad[i]);
	}
	EXPECT_EQ(prime_import(self->fd, -1, &handle), -EBADF);
	EXPECT_EQ(prime_import(self->fd, bad[0], &handle), -EBADF);
	EXPECT_EQ(prime_export(self->fd, self->hbm + 50, RDWR), -ENOENT);
	EXPECT_EQ(prime_export(self->fd, 0, RDWR), -ENOENT);
	EXPECT_EQ(prime_export(self->fd, self->hbm, 1U << 30), -EINVAL);
}

/* --- our memory elsewhere ------------------------------------------------------- */

static int cpu_access(int buf, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	return xpu_ioctl(buf, DMA_BUF_IOCTL_SYNC, &sync);
}

#define BOTH	DMA_BUF_SYNC_RW

/* By its own mapping of the dma-buf, and by an engine, in a file of its own */
static int reader(int sock)
{
	uint32_t vm, bo, hbm, *map, *mem;
	struct xq q;
	int buf = recv_fd(sock), fd = xpu_open(0);

	if (buf < 0 || fd < 0)
		return 1;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
	if (map == MAP_FAILED)
		return 2;
	if (cpu_access(buf, DMA_BUF_SYNC_START | BOTH) ||
	    pattern_check(map, SIZE, 4) != SIZE)
		return 3;
	if (vm_create(fd, &vm) || xq_open(&q, fd, vm, VA_Q, 64) ||
	    prime_import(fd, buf, &bo) ||
	    vm_map(fd, vm, bo, 0, VA, SIZE, RW) ||
	    gem_create(fd, HBM_CPU, SIZE, &hbm) ||
	    vm_map(fd, vm, hbm, 0, VA_HBM, SIZE, RW))
		return 4;
	mem = gem_map(fd, hbm, SIZE);
	if (mem == MAP_FAILED || xq_copy(&q, VA_HBM, VA, SIZE) ||
	    pattern_check(mem, SIZE, 4) != SIZE)
		return 5;
	pattern_fill(map, SIZE, 5);
	if (cpu_access(buf, DMA_BUF_SYNC_END | BOTH))
		return 6;
	/* Also by parts, and not beyond the end */
	munmap(map, SIZE);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, buf, SIZE - PAGE);
	if (map == MAP_FAILED || map[0] == 0)
		return 7;
	if (mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, buf, SIZE - PAGE) !=
	    MAP_FAILED || errno != EINVAL)
		return 8;
	return 0;
}

TEST_F(prime, host_memory_in_another_process)
{
	uint32_t bo, *map;
	int sock[2], buf;
	pid_t pid;

	ASSERT_EQ(gem_create(self->fd, HOST, SIZE, &bo), 0);
	map = gem_map(self->fd, bo, SIZE);
	ASSERT_NE(map, MAP_FAILED);
	pattern_fill(map, SIZE, 4);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	pid = fork();
	if (!pid) {
		close(self->fd);
		_exit(reader(sock[1]));
	}
	buf = prime_export(self->fd, bo, RDWR);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(send_fd(sock[0], buf), 0);
	EXPECT_EQ(child_status(pid), 0);
	EXPECT_EQ(pattern_check(map, SIZE, 5), SIZE);
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, SIZE, RW), 0);
	ASSERT_EQ(xq_copy(&self->q, VA_HBM, VA, SIZE), 0);
	EXPECT_EQ(pattern_check(self->mem, SIZE, 5), SIZE);
	EXPECT_EQ(cpu_access(buf, 1 << 5), -EINVAL);
	munmap(map, SIZE);
	close(buf);
	close(sock[0]);
	close(sock[1]);
}

/* Exporter of memory that outlives it */
static int maker(int sock)
{
	int fd = xpu_open(0), buf;
	uint32_t bo, *map;

	if (fd < 0 || gem_create(fd, HOST, SIZE, &bo))
		return 1;
	map = gem_map(fd, bo, SIZE);
	if (map == MAP_FAILED)
		return 2;
	pattern_fill(map, SIZE, 6);
	buf = prime_export(fd, bo, RDWR);
	return buf < 0 || send_fd(sock, buf);
}

TEST_F(prime, exporter_dies_first)
{
	EXPECT_EQ(read_of_the_dead(self, maker, 6), 0);
}

TEST_F(prime, read_only)
{
	uint32_t bo, *map;
	int buf;

	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &bo), 0);
	buf = prime_export(self->fd, bo, DRM_CLOEXEC);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0),
		  MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, buf, 0);
	ASSERT_NE(map, MAP_FAILED);
	EXPECT_EQ(map[0], 0);
	EXPECT_EQ(mprotect(map, PAGE, PROT_READ | PROT_EXEC), -1);
	munmap(map, PAGE);
	close(buf);
}

/* Whoever it comes by, it is the same object, and the same dma-buf. */
TEST_F(prime, comes_back_as_what_it_was)
{
	uint32_t bo, again, other_bo;
	struct stat a, b;
	int buf, buf2, fd = xpu_open(0), other = xpu_open(1);
	void *map;
	int mfd;

	ASSERT_GE(fd, 0);
	ASSERT_GE(other, 0);
	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &bo), 0);
	buf = prime_export(self->fd, bo, RDWR);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(self->fd, buf, &again), 0);
	EXPECT_EQ(again, bo);
	/* By way of another xPU */
	ASSERT_EQ(prime_import(other, buf, &other_bo), 0);
	buf2 = prime_export(other, other_bo, RDWR);
	ASSERT_GE(buf2, 0);
	ASSERT_EQ(fstat(buf, &a), 0);
	ASSERT_EQ(fstat(buf2, &b), 0);
	EXPECT_EQ(a.st_ino, b.st_ino);
	ASSERT_EQ(prime_import(self->fd, buf2, &again), 0);
	EXPECT_EQ(again, bo);
	close(buf2);
	close(buf);

	/* The same of a foreign one, in two files of one xPU */
	mfd = memfd(PAGE, &map);
	ASSERT_GE(mfd, 0);
	buf = udmabuf(mfd, 0, PAGE);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(self->fd, buf, &bo), 0);
	ASSERT_EQ(prime_import(self->fd, buf, &again), 0);
	EXPECT_EQ(again, bo);
	ASSERT_EQ(prime_import(fd, buf, &again), 0);
	buf2 = prime_export(fd, again, RDWR);
	ASSERT_GE(buf2, 0);
	ASSERT_EQ(fstat(buf, &a), 0);
	ASSERT_EQ(fstat(buf2, &b), 0);
	EXPECT_EQ(a.st_ino, b.st_ino);
	close(buf2);
	close(buf);
	close(mfd);
	munmap(map, PAGE);
	close(other);
	close(fd);
}

/* --- fences ----------------------------------------------------------------------- */

static int export_fence(int buf, uint32_t flags)
{
	struct dma_buf_export_sync_file e = { .flags = flags, .fd = -1 };
	int err = xpu_ioctl(buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &e);

	return err ?: e.fd;
}

static int readable(int buf, int ms)
{
	struct pollfd p = { .fd = buf, .events = POLLIN };

	return poll(&p, 1, ms);
}

TEST_F(prime, others_can_wait_for_a_queue)
{
	struct dma_buf_import_sync_file in = { .flags = DMA_BUF_SYNC_WRITE };
	struct drm_alink_xpu_fence_syncobj f = {
		.queue_id = self->q.id, .handle = self->q.bo,
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
		.addr = self->q.fence_offset, .value = 1,
	};
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_WAIT, .subop = ALINK_WAIT_EQ, .src = 9,
		.dst = self->q.va + self->q.fence_offset + 8,
	};
	int buf, fence;
	uint32_t bo;

	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &bo), 0);
	buf = prime_export(self->fd, bo, RDWR);
	ASSERT_GE(buf, 0);

	/* Nothing was put there, whatever the queue is doing. */
	xq_push(&self->q, d);
	xq_ring(&self->q);
	EXPECT_EQ(readable(buf, 0), 1);
	fence = export_fence(buf, DMA_BUF_SYNC_READ);
	ASSERT_GE(fence, 0);
	EXPECT_EQ(sync_file_status(fence), 1);
	close(fence);

	ASSERT_EQ(syncobj_create(self->fd, &f.syncobj), 0);
	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &f),
		  0);
	in.fd = syncobj_export(self->fd, f.syncobj, true);
	ASSERT_GE(in.fd, 0);
	ASSERT_EQ(xpu_ioctl(buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in), 0);
	close(in.fd);
	EXPECT_EQ(readable(buf, 100), 0);
	fence = export_fence(buf, DMA_BUF_SYNC_READ);
	ASSERT_GE(fence, 0);
	EXPECT_EQ(sync_file_status(fence), 0);

	self->q.fence[1] = 9;
	EXPECT_EQ(readable(buf, 20000), 1);
	EXPECT_EQ(sync_file_status(fence), 1);
	EXPECT_EQ(cpu_access(buf, DMA_BUF_SYNC_START | BOTH), 0);
	EXPECT_EQ(cpu_access(buf, DMA_BUF_SYNC_END | BOTH), 0);
	close(fence);
	in.fd = self->fd;
	EXPECT_EQ(xpu_ioctl(buf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in),
		  -EINVAL);
	close(buf);
}

/* --- while devices go ----------------------------------------------------------- */

TEST_F(prime, exporter_is_unbound)
{
	uint32_t vm, bo, theirs, *map, *mine, hbm, *mem;
	int other = xpu_open(1), buf;
	char sysfs[256];
	struct xq q;

	ASSERT_GE(other, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, sysfs, sizeof(sysfs)), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, SIZE, &bo), 0);
	map = gem_map(self->fd, bo, SIZE);
	ASSERT_NE(map, MAP_FAILED);
	/* Bound in both: each has a DMA mapping of its own. */
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, SIZE, RW), 0);
	buf = prime_export(self->fd, bo, RDWR);
	ASSERT_GE(buf, 0);
	mine = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
	ASSERT_NE(mine, MAP_FAILED);
	ASSERT_EQ(vm_create(other, &vm), 0);
	ASSERT_EQ(xq_open(&q, other, vm, VA_Q, 64), 0);
	ASSERT_EQ(prime_import(other, buf, &theirs), 0);
	ASSERT_EQ(vm_map(other, vm, theirs, 0, VA, SIZE, RW), 0);
	ASSERT_EQ(gem_create(other, HBM_CPU, SIZE, &hbm), 0);
	mem = gem_map(other, hbm, SIZE);
	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(vm_map(other, vm, hbm, 0, VA_HBM, SIZE, RW), 0);

	ASSERT_EQ(drv_write("unbind", sysfs), 0);
	pattern_fill(map, SIZE, 7);
	EXPECT_EQ(xq_copy(&q, VA_HBM, VA, SIZE), 0);
	EXPECT_EQ(pattern_check(mem, SIZE, 7), SIZE);
	EXPECT_EQ(pattern_check(mine, SIZE, 7), SIZE);
	EXPECT_EQ(xq_fill(&q, VA, 0x7777, SIZE), 0);
	EXPECT_EQ(map[SIZE / 4 - 1], 0x7777);
	/* Nobody new gets in by a file of what is gone. */
	EXPECT_EQ(prime_import(self->fd, buf, &theirs), -ENODEV);
	EXPECT_EQ(drv_write("bind", sysfs), 0);
	EXPECT_EQ(xq_fill(&q, VA, 0x7778, SIZE), 0);
	EXPECT_EQ(mine[0], 0x7778);
	munmap(map, SIZE);
	munmap(mine, SIZE);
	munmap(mem, SIZE);
	close(buf);
	xq_close(&q);
	close(other);
}

TEST_F(prime, importer_is_unbound)
{
	int other = xpu_open(1), buf, mfd;
	uint32_t vm, bo, ours, theirs, *words;
	char sysfs[256];
	void *map;

	ASSERT_GE(other, 0);
	ASSERT_EQ(xpu_sysfs(other, sysfs, sizeof(sysfs)), 0);
	ASSERT_EQ(vm_create(other, &vm), 0);
	mfd = memfd(SIZE, &map);
	ASSERT_GE(mfd, 0);
	buf = udmabuf(mfd, 0, SIZE);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(other, buf, &theirs), 0);
	ASSERT_EQ(vm_map(other, vm, theirs, 0, VA, SIZE, RW), 0);
	close(buf);
	ASSERT_EQ(gem_create(self->fd, HOST, SIZE, &bo), 0);
	buf = prime_export(self->fd, bo, RDWR);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(other, buf, &ours), 0);
	ASSERT_EQ(vm_map(other, vm, ours, 0, VA_HBM, SIZE, RW), 0);

	ASSERT_EQ(drv_write("unbind", sysfs), 0);
	words = gem_map(self->fd, bo, SIZE);
	ASSERT_NE(words, MAP_FAILED);
	words[5] = 5;
	*(uint32_t *)map = 5;
	ASSERT_EQ(vm_map(self->fd, self->vm, bo, 0, VA, SIZE, RW), 0);
	EXPECT_EQ(xq_copy(&self->q, VA_HBM, VA, SIZE), 0);
	EXPECT_EQ(self->mem[5], 5);
	EXPECT_EQ(drv_write("bind", sysfs), 0);
	close(other);
	EXPECT_EQ(words[5], 5);
	munmap(words, SIZE);
	munmap(map, SIZE);
	close(buf);
	close(mfd);
}

/* Pieces that a udmabuf may have; 1024 by default */
#define LIST_LIMIT	"/sys/module/udmabuf/parameters/list_limit"

/* A child that imports, says so, and lets go of all after @us from "go" */
static pid_t importer(int buf, useconds_t us, int *ready, int *go)
{
	int to[2], from[2], fd;
	uint32_t bo;
	pid_t pid;
	char c;

	if (pipe(to) || pipe(from))
		return -1;
	pid = fork();
	if (!pid) {
		close(to[1]);
		fd = xpu_open(1);
		if (fd < 0 || prime_import(fd, buf, &bo) ||
		    write(from[1], "", 1) != 1 || read(to[0], &c, 1) != 1)
			_exit(1);
		usleep(us);
		close(fd);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	*ready = from[0];
	*go = to[1];
	return pid;
}

/*
 * Freed just then, an import still ends its mappings before its device has no
 * driver any more: the DMA API looks, where it is debugged. With so many pieces
 * that takes a while. It begins at a different moment of the unbinding each time.
 */
TEST_F_TIMEOUT(prime, import_is_freed_while_unbound, 240)
{
	const unsigned int pages = 8192, times = 16, step_us = 2000;
	int other = xpu_open(1), buf, mfd, ready, go;
	char sysfs[256], c;
	unsigned int i;
	void *map;
	pid_t pid;

	ASSERT_GE(other, 0);
	ASSERT_EQ(xpu_sysfs(other, sysfs, sizeof(sysfs)), 0);
	close(other);
	mfd = memfd(pages * PAGE, &map);
	ASSERT_GE(mfd, 0);
	ASSERT_EQ(write_file(LIST_LIMIT, "8192"), 0);
	buf = udmabuf_reversed(mfd, pages);
	EXPECT_EQ(write_file(LIST_LIMIT, "1024"), 0);
	ASSERT_GE(buf, 0);
	for (i = 0; i < times; i++) {
		pid = importer(buf, i * step_us, &ready, &go);
		ASSERT_GT(pid, 0);
		EXPECT_EQ(read(ready, &c, 1), 1);
		EXPECT_EQ(write(go, "", 1), 1);
		EXPECT_EQ(drv_write("unbind", sysfs), 0);
		EXPECT_EQ(child_status(pid), 0);
		close(ready);
		close(go);
		ASSERT_EQ(drv_write("bind", sysfs), 0);
	}
	munmap(map, pages * PAGE);
	close(buf);
	close(mfd);
}

TEST_HARNESS_MAIN
