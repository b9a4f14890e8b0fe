// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peers: disks whose storage costs nothing, read as quickly as the kernel can:
 * one at a time by pread() past the page cache, many by io_uring with a
 * registered file and registered memory, one system call a batch.
 *
 * Only disks with a serial number of ours are touched, and only read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

#define MAX_DISKS	64
/* Blocks that follow each other would be read as one. */
#define STRIDE		(2 * BENCH_PAGE)
#define BLOCKS		4096U

struct ring {
	int fd;
	void *map;
	size_t map_bytes;
	struct io_uring_sqe *sqe;
	size_t sqe_bytes;
	unsigned int *sq_tail, *sq_array, sq_mask;
	unsigned int *cq_head, *cq_tail, cq_mask;
	struct io_uring_cqe *cqe;
};

struct bench_disk {
	struct bench_name name;
	int fd;
	uint8_t *mem;		/* of a batch */
	struct ring ring;
};

static const struct {
	const char *module;
	const char *prefix;	/* of names of disks */
	const char *serial;	/* file */
} kinds[BENCH_NUM_DISKS] = {
	[BENCH_NVME] = { "nvme", "nvme", "device/serial" },
	[BENCH_VIRTIO] = { "virtio_blk", "vd", "serial" },
};

/* --- io_uring ------------------------------------------------------------- */

static int ring_register(struct ring *r, unsigned int what, const void *arg)
{
	return (int)syscall(__NR_io_uring_register, r->fd, what, arg,
			    arg ? 1 : 0);
}

static int ring_map(struct ring *r, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(*r->cqe);
	const int prot = PROT_READ | PROT_WRITE;
	const int flags = MAP_SHARED | MAP_POPULATE;
	char *map;

	if (!(p->features & IORING_FEAT_SINGLE_MMAP))
		return -EOPNOTSUPP;
	r->map_bytes = sq > cq ? sq : cq;
	map = mmap(NULL, r->map_bytes, prot, flags, r->fd, IORING_OFF_SQ_RING);
	if (map == MAP_FAILED)
		return -errno;
	r->map = map;
	r->sqe_bytes = p->sq_entries * sizeof(*r->sqe);
	r->sqe = mmap(NULL, r->sqe_bytes, prot, flags, r->fd, IORING_OFF_SQES);
	if (r->sqe == MAP_FAILED) {
		r->sqe = NULL;
		return -errno;
	}
	r->sq_tail = (unsigned int *)(map + p->sq_off.tail);
	r->sq_array = (unsigned int *)(map + p->sq_off.array);
	r->sq_mask = *(unsigned int *)(map + p->sq_off.ring_mask);
	r->cq_head = (unsigned int *)(map + p->cq_off.head);
	r->cq_tail = (unsigned int *)(map + p->cq_off.tail);
	r->cq_mask = *(unsigned int *)(map + p->cq_off.ring_mask);
	r->cqe = (struct io_uring_cqe *)(map + p->cq_off.cqes);
	return 0;
}

static void ring_close(struct ring *r)
{
	/* A ring goes later than it is closed, and until then the file is used. */
	if (r->fd >= 0)
		ring_register(r, IORING_UNREGISTER_FILES, NULL);
	if (r->sqe)
		munmap(r->sqe, r->sqe_bytes);
	if (r->map)
		munmap(r->map, r->map_bytes);
	if (r->fd >= 0)
		close(r->fd);
}

static int ring_open(struct bench *b, struct bench_disk *d)
{
	struct iovec mem = {
		.iov_base = d->mem,
		.iov_len = BENCH_BATCH * BENCH_PAGE,
	};
	struct io_uring_params p = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			 IORING_SETUP_DEFER_TASKRUN,
	};
	int err;

	d->ring.fd = (int)syscall(__NR_io_uring_setup, BENCH_BATCH, &p);
	if (d->ring.fd < 0)
		return bench_fail(b, -errno, "io_uring: %s", strerror(errno));
	err = ring_map(&d->ring, &p);
	if (!err && (ring_register(&d->ring, IORING_REGISTER_BUFFERS, &mem) ||
		     ring_register(&d->ring, IORING_REGISTER_FILES, &d->fd)))
		err = -errno;
	return err ? bench_fail(b, err, "io_uring: %s", strerror(-err)) : 0;
}

static void ring_fill(struct bench_disk *d, unsigned int batch)
{
	struct ring *r = &d->ring;
	unsigned int tail = *r->sq_tail, i, slot, block;

	for (i = 0; i < BENCH_BATCH; i++) {
		slot = tail++ & r->sq_mask;
		block = (batch * BENCH_BATCH + i) % BLOCKS;
		r->sqe[slot] = (struct io_uring_sqe) {
			.opcode = IORING_OP_READ_FIXED,
			.flags = IOSQE_FIXED_FILE,
			.off = (uint64_t)block * STRIDE,
			.addr = (uintptr_t)(d->mem + i * BENCH_PAGE),
			.len = BENCH_PAGE,
		};
		r->sq_array[slot] = slot;
	}
	__atomic_store_n(r->sq_tail, tail, __ATOMIC_RELEASE);
}

/* Return: completions taken, or a negative errno of a read. */
static int ring_reap(struct bench_disk *d)
{
	struct ring *r = &d->ring;
	unsigned int tail = __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE);
	unsigned int head = *r->cq_head;
	int n = 0, res;

	for (; head != tail; head++) {
		res = r->cqe[head & r->cq_mask].res;
		if (n >= 0)
			n = res == BENCH_PAGE ? n + 1 : res < 0 ? res : -EIO;
	}
	__atomic_store_n(r->cq_head, head, __ATOMIC_RELEASE);
	return n;
}

int bench_disk_batches(struct bench *b, struct bench_disk *d,
		       unsigned int batches)
{
	unsigned int i, submit, wait;
	int n;

	for (i = 0; i < batches; i++) {
		ring_fill(d, i);
		submit = BENCH_BATCH;
		for (wait = BENCH_BATCH; wait; wait -= (unsigned int)n) {
			n = (int)syscall(__NR_io_uring_enter, d->ring.fd,
					 submit, wait, IORING_ENTER_GETEVENTS,
					 NULL, 0);
			if (n < 0 && errno == EINTR) {
				n = 0;
				continue;
			}
			if (n >= 0) {
				submit -= (unsigned int)n;
				n = ring_reap(d);
			} else {
				n = -errno;
			}
			if (n < 0)
				return bench_fail(b, n, "%s: %s", d->name.text,
						  strerror(-n));
		}
	}
	return 0;
}

/* --- disks ---------------------------------------------------------------- */

/* A disk of that kind with a serial number of ours; false: none. */
static bool find_disk(enum bench_disk_kind kind, struct bench_name *name)
{
	struct bench_name disk[MAX_DISKS];
	unsigned int i, n;
	char serial[64];

	n = bench_list(disk, MAX_DISKS, "/sys/block", kinds[kind].prefix);
	for (i = 0; i < n && i < MAX_DISKS; i++) {
		if (bench_read(serial, sizeof(serial), "/sys/block/%s/%s",
			       disk[i].text, kinds[kind].serial) ||
		    strncmp(serial, BENCH_SERIAL, strlen(BENCH_SERIAL)))
			continue;
		*name = disk[i];
		return true;
	}
	return false;
}

static int pin_disk(struct bench *b, const char *name)
{
	char link[512], path[128];
	char *at, *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/block/%s", name);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return bench_fail(b, -errno, "%s: %s", path, strerror(errno));
	link[n] = '\0';
	/* ../devices/pci0000:00/.../0000:01:00.0/... */
	for (at = link; (slash = strchr(at, '/')); at = slash + 1) {
		*slash = '\0';
		if (strlen(at) == 12 && at[4] == ':' && at[7] == ':')
			bench_pin_irqs(b, at);
	}
	/* Whatever it is, it would only cost. */
	bench_write("none", "/sys/block/%s/queue/scheduler", name);
	return 0;
}

static int check_zeros(struct bench *b, struct bench_disk *d)
{
	unsigned int i;
	int err;

	memset(d->mem, 0xff, BENCH_BATCH * BENCH_PAGE);
	err = bench_disk_batches(b, d, 1);
	for (i = 0; i < BENCH_BATCH * BENCH_PAGE && !err; i++)
		if (d->mem[i])
			err = bench_fail(b, -EILSEQ, "%s: WRONG data was read",
					 d->name.text);
	return err;
}

int bench_disk_open(struct bench *b, enum bench_disk_kind kind,
		    struct bench_disk **out)
{
	struct bench_disk *d;
	char path[128];
	int err;

	*out = NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return bench_fail(b, -ENOMEM, "out of memory");
	d->fd = -1;
	d->ring.fd = -1;
	/* No udevd may run here. A machine without the driver has no peer. */
	if (bench_spawn(b, "modprobe", "-q", kinds[kind].module) ||
	    !find_disk(kind, &d->name)) {
		free(d);
		return 0;
	}
	err = pin_disk(b, d->name.text);
	d->mem = aligned_alloc(BENCH_PAGE, BENCH_BATCH * BENCH_PAGE);
	if (!err && !d->mem)
		err = bench_fail(b, -ENOMEM, "out of memory");
	if (!err) {
		snprintf(path, sizeof(path), "/dev/%s", d->name.text);
		d->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (d->fd < 0)
			err = bench_fail(b, -errno, "%s: %s", path,
					 strerror(errno));
	}
	if (!err)
		err = ring_open(b, d);
	if (!err)
		err = check_zeros(b, d);
	if (err) {
		bench_disk_close(d);
		return err;
	}
	*out = d;
	return 0;
}

void bench_disk_close(struct bench_disk *d)
{
	if (!d)
		return;
	ring_close(&d->ring);
	if (d->fd >= 0)
		close(d->fd);
	free(d->mem);
	free(d);
}

int bench_disk_read(struct bench *b, struct bench_disk *d, unsigned int i)
{
	off_t at = (off_t)(i % BLOCKS) * STRIDE;
	ssize_t n = pread(d->fd, d->mem, BENCH_PAGE, at);

	if (n == BENCH_PAGE)
		return 0;
	return bench_fail(b, -EIO, "%s: %s", d->name.text,
			  n < 0 ? strerror(errno) : "short read");
}
