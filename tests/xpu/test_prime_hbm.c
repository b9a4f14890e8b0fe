// SPDX-License-Identifier: GPL-2.0-only
/*
 * HBM elsewhere: as a dma-buf in other processes and other xPUs, and by the
 * handle of a segment, which is all that another host would get of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA		0x10000000UL
#define VA_MEM		0x20000000UL
#define VA_Q		0x30000000UL
#define SIZE		LARGE
#define RDWR		(DRM_CLOEXEC | DRM_RDWR)
#define PARTITION	5
#define PATIENCE_NS	5000000000LL
#define ALL_RIGHTS	(DRM_ALINK_XPU_SEGMENT_READ | \
			 DRM_ALINK_XPU_SEGMENT_WRITE | \
			 DRM_ALINK_XPU_SEGMENT_ATOMIC)

/* One xPU, with a queue and HBM of SIZE bytes at VA_MEM */
struct side {
	int fd;
	uint32_t vm;
	uint32_t id;			/* in the fabric */
	struct xq q;
	uint32_t hbm;
	uint32_t *mem;
};

FIXTURE(hbm)
{
	struct alink_ctx *ctx;
	struct side a, b;
};

static int side_open(struct side *s, unsigned int n)
{
	struct drm_alink_xpu_query_device d;
	int err;

	s->fd = xpu_open(n);
	if (s->fd < 0)
		return s->fd;
	err = xpu_device(s->fd, &d) ?: vm_create(s->fd, &s->vm) ?:
	      xq_open(&s->q, s->fd, s->vm, VA_Q, 64) ?:
	      gem_create(s->fd, HBM_CPU, SIZE, &s->hbm) ?:
	      vm_map(s->fd, s->vm, s->hbm, 0, VA_MEM, SIZE, RWA);
	if (err)
		return err;
	s->id = d.fabric_id;
	s->mem = gem_map(s->fd, s->hbm, SIZE);
	return s->mem == MAP_FAILED ? -errno : 0;
}

static void side_close(struct side *s)
{
	munmap(s->mem, SIZE);
	xq_close(&s->q);
	close(s->fd);
}

FIXTURE_SETUP(hbm)
{
	ASSERT_EQ(alink_new(&self->ctx), 0);
	ASSERT_EQ(alink_fabric_up(self->ctx, PARTITION), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	ASSERT_EQ(side_open(&self->a, 0), 0);
	ASSERT_EQ(side_open(&self->b, 1), 0);
}

FIXTURE_TEARDOWN(hbm)
{
	side_close(&self->a);
	side_close(&self->b);
	alink_free(self->ctx);
}

static uint64_t hbm_used(int fd)
{
	struct drm_alink_xpu_query_memory m = {};

	return xpu_memory(fd, &m) ? 0 : m.hbm_used;
}

/* Status of a copy in a queue of its own: one that fails ends its queue. */
static int copy_once(struct side *s, uint64_t dst, uint64_t src,
		       uint64_t len)
{
	struct drm_alink_xpu_queue_error error = {};
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COPY, .dst = dst, .src = src, .len = len,
	};
	struct xq q;
	int err;

	if (xq_open(&q, s->fd, s->vm, VA_Q + LARGE, 16))
		return -1;
	err = xq_run(&q, d, &error);
	xq_close(&q);
	if (err && err != -EIO)
		return err;
	return error.status;
}

/* The same; links that have just been reset are given time to come up. */
static int copy_status(struct side *s, uint64_t dst, uint64_t src,
		       uint64_t len)
{
	int64_t end = now_ns() + PATIENCE_NS;
	int st;

	do {
		st = copy_once(s, dst, src, len);
	} while ((st == ALINK_ST_NO_PATH || st == ALINK_ST_PORT_DOWN) &&
		 now_ns() < end && !usleep(50000));
	return st;
}

/* Imports an fd into @s and binds it at VA. */
static int import_at(struct side *s, int buf, uint32_t rights, uint32_t *bo)
{
	return prime_import(s->fd, buf, bo) ?:
	       vm_map(s->fd, s->vm, *bo, 0, VA, SIZE, rights);
}

/* --- in other processes ---------------------------------------------------------- */

/* Looks by mapping the dma-buf, and by an engine of the same xPU. */
static int reader(int sock)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
	};
	struct side s = {};
	uint32_t *map, bo, *again;
	int buf = recv_fd(sock);

	if (buf < 0)
		return 1;
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
	if (map == MAP_FAILED || xpu_ioctl(buf, DMA_BUF_IOCTL_SYNC, &sync))
		return 2;
	if (pattern_check(map, SIZE, 1) != SIZE)
		return 3;
	if (side_open(&s, 0) || import_at(&s, buf, RW, &bo))
		return 4;
	if (xq_copy(&s.q, VA_MEM, VA, SIZE) ||
	    pattern_check(s.mem, SIZE, 1) != SIZE)
		return 5;
	/* The object itself: it can be mapped by the device's file too. */
	again = gem_map(s.fd, bo, SIZE);
	if (again == MAP_FAILED || pattern_check(again, SIZE, 1) != SIZE)
		return 6;
	pattern_fill(map, SIZE, 2);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	return xpu_ioctl(buf, DMA_BUF_IOCTL_SYNC, &sync) ? 7 : 0;
}

TEST_F(hbm, in_another_process)
{
	int sock[2], buf;
	pid_t pid;

	pattern_fill(self->a.mem, SIZE, 1);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	pid = fork();
	if (!pid) {
		close(self->a.fd);
		close(self->b.fd);
		_exit(reader(sock[1]));
	}
	buf = prime_export(self->a.fd, self->a.hbm, RDWR);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(send_fd(sock[0], buf), 0);
	EXPECT_EQ(child_status(pid), 0);
	EXPECT_EQ(pattern_check(self->a.mem, SIZE, 2), SIZE);
	close(buf);
	close(sock[0]);
	close(sock[1]);
}

TEST_F(hbm, comes_back_as_what_it_was)
{
	uint32_t again, theirs;
	struct stat x, y;
	int buf, buf2;

	buf = prime_export(self->a.fd, self->a.hbm, RDWR);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(prime_import(self->a.fd, buf, &again), 0);
	EXPECT_EQ(again, self->a.hbm);
	ASSERT_EQ(prime_import(self->b.fd, buf, &theirs), 0);
	ASSERT_EQ(prime_import(self->b.fd, buf, &again), 0);
	EXPECT_EQ(again, theirs);
	/* What the other xPU hands on is the dma-buf that it got. */
	buf2 = prime_export(self->b.fd, theirs, RDWR);
	ASSERT_GE(buf2, 0);
	ASSERT_EQ(fstat(buf, &x), 0);
	ASSERT_EQ(fstat(buf2, &y), 0);
	EXPECT_EQ(x.st_ino, y.st_ino);
	ASSERT_EQ(prime_import(self->a.fd, buf2, &again), 0);
	EXPECT_EQ(again, self->a.hbm);
	close(buf2);
	close(buf);
}

TEST_F(hbm, what_cannot_be_mapped_or_handed_on)
{
	struct drm_alink_xpu_segment_handle seg;
	uint32_t bo, id, imported;
	int buf;

	ASSERT_EQ(gem_create(self->a.fd, HBM, SIZE, &bo), 0);
	buf = prime_export(self->a.fd, bo, RDWR);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, buf, 0), MAP_FAILED);
	EXPECT_EQ(errno, EOPNOTSUPP);
	/* It is good for an engine all the same. */
	ASSERT_EQ(import_at(&self->b, buf, RW, &imported), 0);
	EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, SIZE), 0);
	EXPECT_EQ(gem_map(self->b.fd, imported, SIZE), MAP_FAILED);
	EXPECT_EQ(errno, EOPNOTSUPP);
	EXPECT_EQ(seg_export(self->b.fd, imported, ALL_RIGHTS, &seg, &id),
		  -EOPNOTSUPP);
	close(buf);

	buf = prime_export(self->a.fd, self->a.hbm, RDWR);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(mmap(NULL, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, buf, 0),
		  MAP_FAILED);
	EXPECT_EQ(mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, buf, 0), MAP_FAILED);
	EXPECT_EQ(mmap(NULL, 2 * SIZE, PROT_READ, MAP_SHARED, buf, 0),
		  MAP_FAILED);
	close(buf);

	/* The segment of somebody who only gave us its handle */
	ASSERT_EQ(seg_export(self->a.fd, self->a.hbm, ALL_RIGHTS, &seg, &id),
		  0);
	ASSERT_EQ(seg_import(self->b.fd, &seg, &imported), 0);
	EXPECT_EQ(prime_export(self->b.fd, imported, RDWR), -EOPNOTSUPP);
}

/* vgem stands for the drivers of other devices: HBM has no pages for them. */
TEST_F(hbm, other_drivers)
{
	uint32_t handle, host;
	int card, buf;

	ASSERT_EQ(system("modprobe vgem"), 0);
	for (card = -1; card < 0;) {
		/* The only one in the guest that is no accelerator */
		card = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);
		ASSERT_TRUE(card >= 0 || errno == ENOENT);
		usleep(10000);
	}
	buf = prime_export(self->a.fd, self->a.hbm, RDWR);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(prime_import(card, buf, &handle), -EOPNOTSUPP);
	close(buf);

	ASSERT_EQ(gem_create(self->a.fd, HOST, PAGE, &host), 0);
	buf = prime_export(self->a.fd, host, RDWR);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(prime_import(card, buf, &handle), 0);
	close(buf);
	close(card);
	EXPECT_EQ(system("modprobe -r vgem"), 0);
}

/* --- in another xPU ----------------------------------------------------------------- */

static uint64_t sent_by(struct __test_metadata *_metadata,
			FIXTURE_DATA(hbm) *self, uint32_t id)
{
	struct alink_device_info *dev;
	struct alink_link_info *link;
	uint64_t sum = 0;
	size_t i, k, n, m;

	ASSERT_EQ(alink_devices(self->ctx, &dev, &n), 0);
	for (i = 0; i < n; i++) {
		if (dev[i].type != ALINK_DEVTYPE_XPU || dev[i].fabric_id != id)
			continue;
		ASSERT_EQ(alink_links(self->ctx, dev[i].index, &link, &m), 0);
		for (k = 0; k < m; k++)
			sum += link[k].stats.tx_bytes;
		free(link);
	}
	free(dev);
	return sum;
}

TEST_F(hbm, in_another_xpu)
{
	struct alink_xpu_desc add = {
		.opcode = ALINK_XPU_OP_ATOMIC32, .subop = ALINK_ATOMIC_ADD,
		.dst = VA + 8, .src = 3,
	};
	uint64_t before = hbm_used(self->a.fd), sent;
	uint32_t bo;
	int buf;

	buf = prime_export(self->a.fd, self->a.hbm, RDWR);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(import_at(&self->b, buf, RWA, &bo), 0);
	close(buf);

	/* Through the fabric: what is written there passes the links. */
	pattern_fill(self->b.mem, SIZE, 3);
	sent = sent_by(_metadata, self, self->b.id);
	ASSERT_EQ(xq_copy(&self->b.q, VA, VA_MEM, SIZE), 0);
	EXPECT_EQ(pattern_check(self->a.mem, SIZE, 3), SIZE);
	EXPECT_GE(sent_by(_metadata, self, self->b.id) - sent, SIZE);
	pattern_fill(self->a.mem, SIZE, 4);
	ASSERT_EQ(xq_copy(&self->b.q, VA_MEM, VA, SIZE), 0);
	EXPECT_EQ(pattern_check(self->b.mem, SIZE, 4), SIZE);
	self->a.mem[2] = 4;
	ASSERT_EQ(xq_run(&self->b.q, add, NULL), 0);
	EXPECT_EQ(self->a.mem[2], 7);

	/* The exporter's file lets go of it; the importer's is as good. */
	munmap(self->a.mem, SIZE);
	ASSERT_EQ(vm_unmap(self->a.fd, self->a.vm, VA_MEM, SIZE), 0);
	ASSERT_EQ(gem_close(self->a.fd, self->a.hbm), 0);
	EXPECT_EQ(hbm_used(self->a.fd), before);
	EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, SIZE), 0);
	EXPECT_EQ(self->b.mem[2], 7);
	ASSERT_EQ(vm_unmap(self->b.fd, self->b.vm, VA, SIZE), 0);
	ASSERT_EQ(gem_close(self->b.fd, bo), 0);
	EXPECT_EQ(hbm_used(self->a.fd), before - SIZE);

	ASSERT_EQ(gem_create(self->a.fd, HBM_CPU, SIZE, &self->a.hbm), 0);
	self->a.mem = gem_map(self->a.fd, self->a.hbm, SIZE);
	ASSERT_NE(self->a.mem, MAP_FAILED);
	EXPECT_EQ(self->a.mem[2], 0);
}

/* The fd says what its holder may do, and the fabric sees to it. */
TEST_F(hbm, read_only)
{
	uint32_t bo;
	int buf;

	buf = prime_export(self->a.fd, self->a.hbm, DRM_CLOEXEC);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0),
		  MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(import_at(&self->b, buf, RW, &bo), -EACCES);
	EXPECT_EQ(vm_map(self->b.fd, self->b.vm, bo, 0, VA, SIZE,
			 DRM_ALINK_XPU_VM_BIND_READ |
			 DRM_ALINK_XPU_VM_BIND_ATOMIC), -EACCES);
	ASSERT_EQ(vm_map(self->b.fd, self->b.vm, bo, 0, VA, SIZE,
			 DRM_ALINK_XPU_VM_BIND_READ), 0);
	EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, SIZE), 0);
	EXPECT_EQ(copy_status(&self->b, VA, VA_MEM, SIZE), ALINK_ST_PERMISSION);
	close(buf);
}

/* An fd is no way around a partition. */
TEST_F(hbm, foreign_partition)
{
	uint32_t bo;
	int buf;

	buf = prime_export(self->a.fd, self->a.hbm, RDWR);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(import_at(&self->b, buf, RW, &bo), 0);
	close(buf);
	ASSERT_EQ(alink_partition_set(self->ctx, ALINK_ALL, self->b.id,
				      PARTITION + 1), 0);
	EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, PAGE), ALINK_ST_PARTITION);
	ASSERT_EQ(alink_partition_set(self->ctx, ALINK_ALL, self->b.id,
				      PARTITION), 0);
	EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, PAGE), 0);
}

static int maker(int sock)
{
	struct side s = {};
	int buf;

	if (side_open(&s, 0))
		return 1;
	pattern_fill(s.mem, SIZE, 5);
	buf = prime_export(s.fd, s.hbm, RDWR);
	return buf < 0 || send_fd(sock, buf);
}

TEST_F(hbm, exporter_dies_first)
{
	uint64_t before = hbm_used(self->a.fd);
	int sock[2], buf;
	uint32_t bo;
	pid_t pid;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock), 0);
	pid = fork();
	if (!pid)
		_exit(maker(sock[1]));
	EXPECT_EQ(child_status(pid), 0);
	buf = recv_fd(sock[0]);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(hbm_used(self->a.fd), before + SIZE);
	ASSERT_EQ(import_at(&self->b, buf, RW, &bo), 0);
	close(buf);
	EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, SIZE), 0);
	EXPECT_EQ(pattern_check(self->b.mem, SIZE, 5), SIZE);
	ASSERT_EQ(vm_unmap(self->b.fd, self->b.vm, VA, SIZE), 0);
	ASSERT_EQ(gem_close(self->b.fd, bo), 0);
	EXPECT_EQ(hbm_used(self->a.fd), before);
	close(sock[0]);
	close(sock[1]);
}

/* --- while devices go -------------------------------------------------------------------- */

/* The xPU that has the memory goes: accesses end with a typed error. */
TEST_F(hbm, exporter_goes)
{
	static const char *const how[] = { "reset", "unbind" };
	uint32_t bo, fresh, *map;
	char sysfs[256];
	int buf, i, st;

	ASSERT_EQ(xpu_sysfs(self->a.fd, sysfs, sizeof(sysfs)), 0);
	for (i = 0; i < 2; i++) {
		buf = prime_export(self->a.fd, self->a.hbm, RDWR);
		ASSERT_GE(buf, 0);
		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf,
			   0);
		ASSERT_NE(map, MAP_FAILED);
		map[0] = 1;
		ASSERT_EQ(import_at(&self->b, buf, RW, &bo), 0);
		EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, SIZE), 0);

		if (i) {
			ASSERT_EQ(drv_write("unbind", sysfs), 0);
		} else {
			ASSERT_EQ(pci_write(sysfs, "reset", "1"), 0);
		}
		st = copy_status(&self->b, VA_MEM, VA, SIZE);
		/* Without its driver the other one may have no links. */
		EXPECT_TRUE(st == ALINK_ST_KEY || (i && (
			    st == ALINK_ST_NO_PATH ||
			    st == ALINK_ST_PORT_DOWN))) {
			TH_LOG("%s: status %d", how[i], st);
		}
		/* No SIGBUS in a mapping by the dma-buf either */
		map[1] = map[0] + 1;
		if (i) {
			EXPECT_EQ(map[0], 0);
		}
		munmap(map, SIZE);
		EXPECT_EQ(vm_unmap(self->b.fd, self->b.vm, VA, SIZE), 0);
		if (i) {
			/* It is void for new importers too. */
			ASSERT_EQ(gem_close(self->b.fd, bo), 0);
			EXPECT_EQ(prime_import(self->b.fd, buf, &fresh),
				  -ENODEV);
		} else {
			/* The object is there still: import it anew. */
			ASSERT_EQ(gem_close(self->b.fd, bo), 0);
			ASSERT_EQ(import_at(&self->b, buf, RW, &fresh), 0);
			EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, SIZE), 0);
			EXPECT_EQ(vm_unmap(self->b.fd, self->b.vm, VA, SIZE),
				  0);
			ASSERT_EQ(gem_close(self->b.fd, fresh), 0);
		}
		close(buf);
	}
	EXPECT_EQ(drv_write("bind", sysfs), 0);
	EXPECT_EQ(alink_fabric_up(self->ctx, PARTITION), 0);
}

TEST_F(hbm, importer_goes)
{
	uint64_t before = hbm_used(self->a.fd);
	uint32_t bo;
	char sysfs[256];
	int buf;

	ASSERT_EQ(xpu_sysfs(self->b.fd, sysfs, sizeof(sysfs)), 0);
	buf = prime_export(self->a.fd, self->a.hbm, RDWR);
	ASSERT_GE(buf, 0);
	ASSERT_EQ(import_at(&self->b, buf, RW, &bo), 0);
	ASSERT_EQ(pci_write(sysfs, "reset", "1"), 0);
	EXPECT_EQ(vm_map(self->b.fd, self->b.vm, bo, 0, VA, SIZE, RW),
		  -ECANCELED);
	ASSERT_EQ(vm_unmap(self->b.fd, self->b.vm, VA, SIZE), 0);
	ASSERT_EQ(gem_close(self->b.fd, bo), 0);
	ASSERT_EQ(import_at(&self->b, buf, RW, &bo), 0);
	EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, SIZE), 0);

	ASSERT_EQ(drv_write("unbind", sysfs), 0);
	self->a.mem[9] = 9;
	EXPECT_EQ(xq_fill(&self->a.q, VA_MEM, 9, PAGE), 0);
	EXPECT_EQ(self->a.mem[9], 9);
	/* The import held the memory; its file is the last that has it. */
	close(buf);
	munmap(self->a.mem, SIZE);
	ASSERT_EQ(vm_unmap(self->a.fd, self->a.vm, VA_MEM, SIZE), 0);
	ASSERT_EQ(gem_close(self->a.fd, self->a.hbm), 0);
	EXPECT_EQ(hbm_used(self->a.fd), before);
	side_close(&self->b);
	EXPECT_EQ(hbm_used(self->a.fd), before - SIZE);

	EXPECT_EQ(drv_write("bind", sysfs), 0);
	EXPECT_EQ(alink_fabric_up(self->ctx, PARTITION), 0);
	ASSERT_EQ(side_open(&self->b, 1), 0);
	ASSERT_EQ(gem_create(self->a.fd, HBM_CPU, SIZE, &self->a.hbm), 0);
	self->a.mem = gem_map(self->a.fd, self->a.hbm, SIZE);
	ASSERT_NE(self->a.mem, MAP_FAILED);
}

/* --- handles, as another host would use them -------------------------------------------- */

/* Status of the first access through a handle, or the errno of its import */
static int use(struct side *s, const struct drm_alink_xpu_segment_handle *h,
	       uint32_t rights, bool write)
{
	uint32_t bo;
	int err = seg_import(s->fd, h, &bo), st;

	if (err)
		return err;
	err = vm_map(s->fd, s->vm, bo, 0, VA, SIZE, rights);
	if (err) {
		gem_close(s->fd, bo);
		return err;
	}
	st = write ? copy_status(s, VA, VA_MEM, PAGE) :
		     copy_status(s, VA_MEM, VA, PAGE);
	vm_unmap(s->fd, s->vm, VA, SIZE);
	gem_close(s->fd, bo);
	return st;
}

/* All that the other one has is the bytes of the handle. */
static int importer(int pipe, int want)
{
	struct drm_alink_xpu_segment_handle h;
	struct side s = {};

	if (read(pipe, &h, sizeof(h)) != sizeof(h) || side_open(&s, 1))
		return 200;
	return use(&s, &h, RW, true) == want ? 0 : 201;
}

TEST_F(hbm, handle_in_another_process)
{
	struct drm_alink_xpu_segment_handle h;
	uint32_t id;
	int pipefd[2];
	pid_t pid;

	ASSERT_EQ(seg_export(self->a.fd, self->a.hbm, ALL_RIGHTS, &h, &id), 0);
	self->a.mem[0] = 0x600d;
	ASSERT_EQ(pipe(pipefd), 0);
	pid = fork();
	if (!pid) {
		close(self->a.fd);
		close(self->b.fd);
		_exit(importer(pipefd[0], 0));
	}
	ASSERT_EQ(write(pipefd[1], &h, sizeof(h)), sizeof(h));
	EXPECT_EQ(child_status(pid), 0);
	/* It wrote what its memory had in it. */
	EXPECT_EQ(self->a.mem[0], 0);
	close(pipefd[0]);
	close(pipefd[1]);
}

TEST_F(hbm, stale_handles)
{
	struct drm_alink_xpu_segment_handle h, next;
	struct side s = {};
	char sysfs[256];
	uint32_t id;

	/* Revoked */
	ASSERT_EQ(seg_export(self->a.fd, self->a.hbm, ALL_RIGHTS, &h, &id), 0);
	EXPECT_EQ(use(&self->b, &h, RW, true), 0);
	ASSERT_EQ(seg_revoke(self->a.fd, id), 0);
	EXPECT_EQ(seg_revoke(self->a.fd, id), -ENOENT);
	EXPECT_EQ(use(&self->b, &h, RW, true), ALINK_ST_KEY);

	/* The place in the table is used again: the old one opens nothing. */
	ASSERT_EQ(seg_export(self->a.fd, self->a.hbm, ALL_RIGHTS, &next, &id),
		  0);
	EXPECT_EQ(next.segment, h.segment);
	EXPECT_NE(next.key, h.key);
	EXPECT_EQ(use(&self->b, &h, RW, true), ALINK_ST_KEY);
	EXPECT_EQ(use(&self->b, &next, RW, true), 0);

	/* The file that exported it is closed. */
	ASSERT_EQ(side_open(&s, 0), 0);
	ASSERT_EQ(seg_export(s.fd, s.hbm, ALL_RIGHTS, &h, &id), 0);
	EXPECT_EQ(use(&self->b, &h, RW, true), 0);
	side_close(&s);
	EXPECT_EQ(use(&self->b, &h, RW, true), ALINK_ST_KEY);

	/* The exporter was reset. */
	ASSERT_EQ(xpu_sysfs(self->a.fd, sysfs, sizeof(sysfs)), 0);
	ASSERT_EQ(pci_write(sysfs, "reset", "1"), 0);
	EXPECT_EQ(use(&self->b, &next, RW, true), ALINK_ST_KEY);
	ASSERT_EQ(seg_export(self->a.fd, self->a.hbm, ALL_RIGHTS, &h, &id), 0);
	EXPECT_EQ(use(&self->b, &h, RW, true), 0);
}

TEST_F(hbm, handles_that_lie)
{
	struct drm_alink_xpu_segment_handle good, two, h;
	uint32_t id, id2, second, bo;

	ASSERT_EQ(gem_create(self->a.fd, HBM, SIZE, &second), 0);
	ASSERT_EQ(seg_export(self->a.fd, self->a.hbm,
			     DRM_ALINK_XPU_SEGMENT_READ, &good, &id), 0);
	ASSERT_EQ(seg_export(self->a.fd, second, ALL_RIGHTS, &two, &id2), 0);
	EXPECT_EQ(use(&self->b, &good, DRM_ALINK_XPU_VM_BIND_READ, false), 0);

	/* Rights that were not given */
	EXPECT_EQ(use(&self->b, &good, RW, true), -EACCES);
	h = good;
	h.rights = ALL_RIGHTS;
	EXPECT_EQ(use(&self->b, &h, RW, true), ALINK_ST_KEY);
	/* The key of another segment; of none; a segment that there is not */
	h = good;
	h.key = two.key;
	EXPECT_EQ(use(&self->b, &h, RW, false), -EACCES);
	EXPECT_EQ(use(&self->b, &h, DRM_ALINK_XPU_VM_BIND_READ, false),
		  ALINK_ST_KEY);
	h = good;
	h.segment = two.segment + 1;
	EXPECT_EQ(use(&self->b, &h, DRM_ALINK_XPU_VM_BIND_READ, false),
		  ALINK_ST_KEY);
	/* An endpoint that is not in the fabric */
	h = good;
	h.endpoint = ALINK_MAX_ENDPOINTS - 1;
	EXPECT_EQ(use(&self->b, &h, DRM_ALINK_XPU_VM_BIND_READ, false),
		  ALINK_ST_NO_PATH);
	/* More bytes than there are */
	h = good;
	h.size += PAGE;
	ASSERT_EQ(seg_import(self->b.fd, &h, &bo), 0);
	ASSERT_EQ(vm_map(self->b.fd, self->b.vm, bo, SIZE, VA, PAGE,
			 DRM_ALINK_XPU_VM_BIND_READ), 0);
	EXPECT_EQ(copy_status(&self->b, VA_MEM, VA, PAGE), ALINK_ST_RANGE);
	vm_unmap(self->b.fd, self->b.vm, VA, PAGE);
	gem_close(self->b.fd, bo);

	/* What no exporter writes */
	h = good;
	h.key = 0;
	EXPECT_EQ(seg_import(self->b.fd, &h, &bo), -EINVAL);
	h = good;
	h.rights = 0;
	EXPECT_EQ(seg_import(self->b.fd, &h, &bo), -EINVAL);
	h = good;
	h.rights |= 8;
	EXPECT_EQ(seg_import(self->b.fd, &h, &bo), -EINVAL);
	h = good;
	h.size--;
	EXPECT_EQ(seg_import(self->b.fd, &h, &bo), -EINVAL);
	h = good;
	h.endpoint = ALINK_MAX_ENDPOINTS;
	EXPECT_EQ(seg_import(self->b.fd, &h, &bo), -EINVAL);
	h = good;
	h.segment = ALINK_MAX_SEGMENTS;
	EXPECT_EQ(seg_import(self->b.fd, &h, &bo), -EINVAL);
	h = good;
	h.pad = 1;
	EXPECT_EQ(seg_import(self->b.fd, &h, &bo), -EINVAL);
}

TEST_HARNESS_MAIN
