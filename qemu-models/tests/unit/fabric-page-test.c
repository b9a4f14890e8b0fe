// SPDX-License-Identifier: GPL-2.0-or-later
/* The control page: two mappings, two processes, no pointers, bad pages. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"
#include "tap.h"

static int page_fd(void)
{
	int fd = memfd_create("fabric", 0);

	if (fd < 0 || ftruncate(fd, af_page_size())) {
		printf("Bail out! no memfd\n");
		exit(1);
	}
	return fd;
}

static void *map(int fd)
{
	void *p = mmap(NULL, af_page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);

	if (p == MAP_FAILED) {
		printf("Bail out! no mapping\n");
		exit(1);
	}
	return p;
}

TEST(two_addresses)
{
	int fd = page_fd();
	void *pa = map(fd), *pb = map(fd);
	struct af_fabric *a = af_fabric_attach(pa, af_page_size(), true);
	struct af_fabric *b = af_fabric_attach(pb, af_page_size(), false);
	struct af_link_info la, lb;
	struct rig *r = rig_new_in(a, 3, 2);
	uint32_t v = 0x12345678, out[4], part;
	struct af_result res;

	ASSERT(a && b && pa != pb);
	EXPECT_EQ(af_fabric_set_timing(b, AF_TIMING_REPORT, NULL), 0);
	rig_group_all(r, 1);

	/* b sees what a made, but not where the memory is. */
	EXPECT_EQ(af_partition_get(b, 2, &part), ALINK_ST_OK);
	EXPECT_EQ(part, RIG_PARTITION);
	af_write(b, 0, 1, 64, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_UNREACHABLE);
	for (uint32_t i = 0; i < 3; i++)
		EXPECT_EQ(af_endpoint_map(b, i, r->mem[i]), 0);
	af_write(b, 0, 1, 64, &v, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT(res.model_ns > 0);
	af_read(a, 2, 1, 64, out, 4, &res);
	EXPECT_EQ(out[0], v);
	af_group_reduce(b, 2, 1, 64, out, 16, ALINK_DT_INT32, ALINK_OP_SUM,
			&res);
	EXPECT_EQ(res.status, ALINK_ST_OK);
	EXPECT_EQ(out[0], v);

	/* Counters are one. */
	for (uint32_t p = 0; p < 2; p++) {
		af_link_info(a, ALINK_DEVTYPE_XPU, 1, p, &la);
		af_link_info(b, ALINK_DEVTYPE_XPU, 1, p, &lb);
		EXPECT(!memcmp(&la, &lb, sizeof(la)));
	}
	/* Changes by either are seen by the other. */
	af_link_set_admin(b, ALINK_DEVTYPE_SWITCH, 0, 1, false);
	EXPECT_EQ(rig_xpu_link(r, 1, 0).reason, ALINK_DOWN_REMOTE_FAULT);
	EXPECT_EQ(af_seg_revoke(b, 1, 0), ALINK_ST_OK);
	af_read(a, 2, 1, 64, out, 4, &res);
	EXPECT_EQ(res.status, ALINK_ST_KEY);

	af_fabric_free(b);
	rig_free(r);
	munmap(pa, af_page_size());
	munmap(pb, af_page_size());
	close(fd);
}

/* Nothing in the page may look like an address of this process. */
TEST(no_pointers)
{
	int fd = page_fd();
	uint8_t *p = map(fd);
	struct af_fabric *f = af_fabric_attach(p, af_page_size(), true);
	struct rig *r = rig_new_in(f, 8, 8);
	off_t at = 0, end = 0;
	struct af_result res;
	uint64_t words = 0;
	uint32_t v = 0;

	rig_group_all(r, 0);
	af_write(f, 0, 1, 0, &v, 4, &res);
	af_group_write(f, 0, 0, 0, &v, 4, &res);
	while ((at = lseek(fd, end, SEEK_DATA)) >= 0 &&
	       at < (off_t)af_page_size()) {
		end = lseek(fd, at, SEEK_HOLE);
		for (off_t o = at; o + 8 <= end && o + 8 <=
		     (off_t)af_page_size(); o += 8) {
			uint64_t w;
			bool bad;

			memcpy(&w, p + o, 8);
			words++;
			bad = w - (uintptr_t)p < af_page_size() ||
			      w == (uintptr_t)f || w == (uintptr_t)r;
			for (uint32_t i = 0; i < 8; i++)
				bad |= w - (uintptr_t)r->mem[i] < RIG_MEM;
			if (bad)
				TAP_FAIL("an address at %#llx",
					 (unsigned long long)o);
		}
	}
	EXPECT(words > 1000);
	/* Sparse: a small fabric is a small part of the page. */
	EXPECT(words * 8 < af_page_size() / 16);
	rig_free(r);
	munmap(p, af_page_size());
	close(fd);
}

/*
 * A child adds to a word of an endpoint while the parent closes and opens its
 * links: both processes work, and no addition is lost.
 */
TEST(two_processes)
{
	enum { ROUNDS = 20000 };
	int fd = page_fd(), status = 0;
	void *p = map(fd);
	struct af_fabric *f = af_fabric_attach(p, af_page_size(), true);
	uint64_t *mem = mmap(NULL, RIG_MEM, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rig *r = rig_new_in(f, 3, 2);
	struct af_result res;
	uint32_t done = 0, down = 0;
	pid_t pid;

	af_endpoint_map(f, 1, mem);
	pid = fork();
	if (!pid) {
		/* At another address, as another program would. */
		void *again = map(fd);
		struct af_fabric *g;

		munmap(p, af_page_size());
		g = af_fabric_attach(again, af_page_size(), false);
		if (!g || af_endpoint_map(g, 1, mem))
			_exit(2);
		while (done < ROUNDS) {
			af_atomic(g, 2, 1, 8, ALINK_ATOMIC_ADD, 8, 1, 0, &res);
			if (res.status == ALINK_ST_OK)
				done++;
			else if (res.status != ALINK_ST_PORT_DOWN)
				_exit(3);
		}
		_exit(0);
	}
	while (done < ROUNDS) {
		af_atomic(f, 0, 1, 8, ALINK_ATOMIC_ADD, 8, 1, 0, &res);
		if (res.status == ALINK_ST_OK) {
			if (++done % 64)
				continue;
			for (uint32_t l = 0; l < 2; l++)
				af_link_set_admin(f, ALINK_DEVTYPE_XPU, 1, l,
						  false);
		} else {
			EXPECT_EQ(res.status, ALINK_ST_PORT_DOWN);
			down++;
			for (uint32_t l = 0; l < 2; l++)
				af_link_set_admin(f, ALINK_DEVTYPE_XPU, 1, l,
						  true);
		}
	}
	for (uint32_t l = 0; l < 2; l++)
		af_link_set_admin(f, ALINK_DEVTYPE_XPU, 1, l, true);
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT_EQ(status, 0);
	EXPECT(down >= ROUNDS / 64 - 1);
	EXPECT_EQ(mem[1], 2 * ROUNDS);
	rig_free(r);
	munmap(mem, RIG_MEM);
	munmap(p, af_page_size());
	close(fd);
}

TEST(bad_pages)
{
	int fd = page_fd();
	uint32_t *p = map(fd);
	struct af_fabric *f;

	errno = 0;
	EXPECT(!af_fabric_attach(p, af_page_size(), false) && errno == EINVAL);
	EXPECT(!af_fabric_attach(p, af_page_size() - 1, true) &&
	       errno == EINVAL);
	EXPECT(!af_fabric_attach(NULL, af_page_size(), true));
	EXPECT(!af_fabric_attach((uint8_t *)p + 1, af_page_size(), true));
	f = af_fabric_attach(p, af_page_size(), true);
	ASSERT(f);
	af_fabric_free(f);
	/* A page that is in use is not initialised again. */
	errno = 0;
	EXPECT(!af_fabric_attach(p, af_page_size(), true) && errno == EINVAL);
	p[1]++;		/* version */
	errno = 0;
	EXPECT(!af_fabric_attach(p, af_page_size(), false) && errno == EPROTO);
	p[1]--;
	f = af_fabric_attach(p, af_page_size(), false);
	EXPECT(f);
	af_fabric_free(f);
	af_fabric_free(NULL);
	munmap(p, af_page_size());
	close(fd);
}
