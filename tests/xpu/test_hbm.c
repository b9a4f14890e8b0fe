// SPDX-License-Identifier: GPL-2.0-only
/*
 * HBM as a whole: all of it can be had, in large pages, and is clean; a page
 * that went bad is never had again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_health.h"
#include "xpu_lib.h"

#define GIB		(1UL << 30)
#define FULL		(144 * GIB)
#define VA		(1UL << 40)
#define VA_Q		0x20000000UL
#define VA_HOST		0x30000000UL
#define MAX_BOS		512
#define BAD		(64 * GIB + 5 * PAGE)	/* a page in the middle */
#define MARK		0x0badbadbadbadbadUL
#define MAX_RETIRED	ALINK_XPU_MAX_RETIRED
#define SLOW		280		/* s; see TIMEOUT of tests/guest */
/* As tests/xpu/topology has it; the tests before use the first one. */
#define XPU		1
#define MODEL		"xpu1"
#define PEER		0

FIXTURE(hbm)
{
	int fd;
	uint32_t vm;
	struct xq q;
	char sysfs[256];
	uint32_t host;
	uint64_t *hostmem;
	uint32_t bo[MAX_BOS];
	uint64_t size[MAX_BOS];
	uint32_t export[MAX_BOS];
	unsigned int num;
};

static void begin(struct __test_metadata *_metadata, FIXTURE_DATA(hbm) *self)
{
	self->fd = xpu_open(XPU);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(xpu_sysfs(self->fd, self->sysfs, sizeof(self->sysfs)), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, PAGE, &self->host), 0);
	self->hostmem = gem_map(self->fd, self->host, PAGE);
	ASSERT_NE(self->hostmem, MAP_FAILED);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->host, 0, VA_HOST, PAGE, RW),
		  0);
	self->num = 0;
}

FIXTURE_SETUP(hbm)
{
	begin(_metadata, self);
}

FIXTURE_TEARDOWN(hbm)
{
	close(self->fd);
}

static struct drm_alink_xpu_query_memory memory(FIXTURE_DATA(hbm) *self)
{
	struct drm_alink_xpu_query_memory m = {};

	xpu_memory(self->fd, &m);
	return m;
}

/*
 * Takes all HBM there is, in as large pieces as it comes; then not a page. What
 * is exported stays, so nothing makes room for the next.
 */
static void take_all(struct __test_metadata *_metadata,
		     FIXTURE_DATA(hbm) *self, uint32_t flags)
{
	struct drm_alink_xpu_segment_handle h;
	struct drm_alink_xpu_query_memory m;
	uint64_t size = 16 * GIB;
	uint32_t extra;
	int err;

	while (size >= PAGE) {
		ASSERT_LT(self->num, MAX_BOS);
		err = gem_create(self->fd, flags, size, &self->bo[self->num]);
		if (err == -ENOSPC || err == -E2BIG) {
			size /= 2;
			continue;
		}
		ASSERT_EQ(err, 0);
		ASSERT_EQ(seg_export(self->fd, self->bo[self->num],
				     DRM_ALINK_XPU_SEGMENT_READ, &h,
				     &self->export[self->num]), 0);
		self->size[self->num++] = size;
	}
	m = memory(self);
	EXPECT_EQ(m.hbm_used, m.hbm_total);
	EXPECT_EQ(m.visible_used, m.visible_total);
	EXPECT_EQ(gem_create(self->fd, flags, PAGE, &extra), -ENOSPC);
}

static void give_all(struct __test_metadata *_metadata,
		     FIXTURE_DATA(hbm) *self)
{
	while (self->num) {
		self->num--;
		ASSERT_EQ(gem_close(self->fd, self->bo[self->num]), 0);
		ASSERT_EQ(seg_revoke(self->fd, self->export[self->num]), 0);
	}
	EXPECT_EQ(memory(self).hbm_used, 0);
}

static long mem_free_kib(void)
{
	char line[128];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return -1;
	while (kib < 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %ld", &kib) != 1)
			kib = -1;
	fclose(f);
	return kib;
}

/* First and last page of an object: clean, and the engine's is the CPU's. */
static void check_ends(struct __test_metadata *_metadata,
		       FIXTURE_DATA(hbm) *self, unsigned int i, uint64_t va)
{
	uint64_t end = self->size[i] / 4 - 1;
	uint32_t *p;

	p = gem_map(self->fd, self->bo[i], self->size[i]);
	ASSERT_NE(p, MAP_FAILED);
	EXPECT_EQ(p[0], 0);
	EXPECT_EQ(p[end], 0);
	ASSERT_EQ(xq_fill(&self->q, va, 2 * i + 1, PAGE), 0);
	ASSERT_EQ(xq_fill(&self->q, va + self->size[i] - PAGE, 2 * i + 2, PAGE),
		  0);
	EXPECT_EQ(p[0], 2 * i + 1);
	EXPECT_EQ(p[end], 2 * i + 2);
	munmap(p, self->size[i]);
}

TEST_F_TIMEOUT(hbm, all_of_it, SLOW)
{
	struct drm_alink_xpu_query_device d;
	uint64_t va = VA, before;
	unsigned int i;
	long kib;

	ASSERT_EQ(xpu_device(self->fd, &d), 0);
	ASSERT_EQ(d.hbm_size, FULL);
	ASSERT_EQ(d.hbm_visible, FULL);
	ASSERT_EQ(memory(self).hbm_total, FULL);
	before = memory(self).hbm_used;
	EXPECT_EQ(before, 0);
	take_all(_metadata, self, HBM_CPU);

	/* By small pages the page tables alone would be 288 MiB. */
	kib = mem_free_kib();
	for (i = 0; i < self->num; i++) {
		ASSERT_EQ(vm_map(self->fd, self->vm, self->bo[i], 0, va,
				 self->size[i], RW), 0);
		va += self->size[i];
	}
	EXPECT_EQ(va - VA, FULL);
	EXPECT_LT(kib - mem_free_kib(), 32 << 10);

	for (va = VA, i = 0; i < self->num; va += self->size[i++])
		check_ends(_metadata, self, i, va);
	for (va = VA, i = 0; i < self->num; va += self->size[i++])
		ASSERT_EQ(vm_unmap(self->fd, self->vm, va, self->size[i]), 0);
	give_all(_metadata, self);
}

/* One object of the whole, as what need not be visible; nothing is left in it. */
TEST_F_TIMEOUT(hbm, one_object, SLOW)
{
	uint64_t at[] = { 0, 16 * GIB - PAGE, 16 * GIB, FULL - PAGE };
	unsigned int i;

	ASSERT_EQ(gem_create(self->fd, HBM, FULL, &self->bo[0]), 0);
	EXPECT_EQ(memory(self).hbm_used, FULL);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->bo[0], 0, VA, FULL, RW), 0);
	for (i = 0; i < 4; i++) {
		self->hostmem[0] = MARK;
		ASSERT_EQ(xq_copy(&self->q, VA_HOST, VA + at[i], PAGE), 0);
		EXPECT_EQ(self->hostmem[0], 0);
	}
	EXPECT_EQ(gem_create(self->fd, HBM, FULL + PAGE, &self->bo[1]),
		  -E2BIG);
}

/* --- pages that went bad -------------------------------------------------- */

static int read_list(FIXTURE_DATA(hbm) *self, char *text, size_t room)
{
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/hbm_retired_pages", self->sysfs);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, room - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return n < 0 ? -errno : 0;
}

/* What the reporter of HBM says */
static long ecc(FIXTURE_DATA(hbm) *self, const char *command, const char *key)
{
	return health_number(self->sysfs, "ecc", command, key);
}

static int ecc_recover(FIXTURE_DATA(hbm) *self)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "devlink health recover pci/%s reporter ecc",
		 strrchr(self->sysfs, '/') + 1);
	return system(line);
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

/* Events come when they come: waits until so much is pending and retired. */
static void expect_bad(struct __test_metadata *_metadata,
		       FIXTURE_DATA(hbm) *self, uint64_t pending,
		       uint64_t retired)
{
	struct drm_alink_xpu_query_memory m;
	int i;

	for (i = 0; i < 1000; i++) {
		m = memory(self);
		if (m.hbm_pending == pending && m.hbm_retired == retired)
			break;
		usleep(10000);
	}
	EXPECT_EQ(m.hbm_pending, pending);
	EXPECT_EQ(m.hbm_retired, retired);
	EXPECT_EQ(m.hbm_total, FULL - retired);
	EXPECT_EQ(m.visible_total, FULL - retired);
}

static int inject(uint64_t addr)
{
	char text[64];

	snprintf(text, sizeof(text), "\"%u:%u:%#lx:0\"", ALINK_FAULT_HBM_ECC,
		 ALINK_RECOVERY_CONTEXT, (unsigned long)addr);
	return model_put(MODEL, "x-fault", text);
}

/*
 * Words at the start of pages from the one before BAD on, in the bare device:
 * written, or read. Without the driver nobody else has the BAR.
 */
static void bare_words(struct __test_metadata *_metadata, const char *sysfs,
		       uint64_t *word, unsigned int n, bool write)
{
	volatile uint64_t *p;
	char path[512];
	unsigned int i;
	int fd;

	ASSERT_EQ(pci_write(sysfs, "enable", "1"), 0);
	snprintf(path, sizeof(path), "%s/resource2", sysfs);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		 BAD - PAGE);
	ASSERT_NE(p, MAP_FAILED);
	for (i = 0; i < n; i++) {
		if (write)
			p[i * PAGE / 8] = word[i];
		else
			word[i] = p[i * PAGE / 8];
	}
	munmap((void *)p, n * PAGE);
	close(fd);
	ASSERT_EQ(pci_write(sysfs, "enable", "0"), 0);
}

/* Somebody else, with HBM of his own: the first that there is */
struct bystander {
	int fd;
	uint32_t vm;
	uint32_t bo;
	uint32_t generation;
	struct xq q;
	char *mem;
};

static void bystander_open(struct __test_metadata *_metadata,
			   struct bystander *o)
{
	struct drm_alink_xpu_query_device d;

	o->fd = xpu_open(XPU);
	ASSERT_GE(o->fd, 0);
	ASSERT_EQ(xpu_device(o->fd, &d), 0);
	o->generation = d.generation;
	ASSERT_EQ(vm_create(o->fd, &o->vm), 0);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 16), 0);
	ASSERT_EQ(gem_create(o->fd, HBM_CPU, LARGE, &o->bo), 0);
	o->mem = gem_map(o->fd, o->bo, LARGE);
	ASSERT_NE(o->mem, MAP_FAILED);
	ASSERT_EQ(vm_map(o->fd, o->vm, o->bo, 0, VA, LARGE, RW), 0);
}

static void bystander_close(struct bystander *o)
{
	munmap(o->mem, LARGE);
	xq_close(&o->q);
	close(o->fd);
}

/* He waits in the device for a word, and then has something to copy. */
static void bystander_works(struct bystander *o, uint32_t seed)
{
	pattern_fill(o->mem, LARGE / 2, seed);
	o->q.fence[1] = 0;
	xq_push_endless(&o->q);
	xq_push(&o->q, copy_desc(VA + LARGE / 2, VA, LARGE / 2));
	xq_ring(&o->q);
}

/* Nothing has come between. */
static void bystander_is_done(struct __test_metadata *_metadata,
			      struct bystander *o, uint32_t seed)
{
	struct drm_alink_xpu_query_device d = {};
	uint32_t state;

	EXPECT_EQ(queue_state(o->fd, o->q.id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_RUNNING);
	o->q.fence[1] = 0x123456789UL;
	EXPECT_EQ(xq_wait(&o->q, 60000, NULL), 0);
	EXPECT_EQ(pattern_check(o->mem + LARGE / 2, LARGE / 2, seed),
		  LARGE / 2);
	EXPECT_EQ(xpu_device(o->fd, &d), 0);
	EXPECT_EQ(d.generation, o->generation);
}

/* What HBM corrects is counted, and nothing else comes of it. */
TEST_F(hbm, corrected)
{
	long corrected = ecc(self, "diagnose", "corrected");
	long reports = ecc(self, "show", "error");
	char text[64];

	ASSERT_GE(corrected, 0);
	ASSERT_EQ(model_put(MODEL, "x-ecc-corrected", "5"), 0);
	EXPECT_EQ(ecc(self, "diagnose", "corrected"), corrected + 5);
	EXPECT_EQ(ecc(self, "show", "error"), reports);
	ASSERT_EQ(read_list(self, text, sizeof(text)), 0);
	EXPECT_STREQ(text, "");
}

/*
 * An error in the middle of an object: seen, then kept until that is freed; and
 * nobody else sees anything.
 */
TEST_F_TIMEOUT(hbm, bad_page_in_use, SLOW)
{
	struct drm_alink_xpu_queue_error error;
	struct bystander other;
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COPY,
		.dst = VA_HOST, .src = VA + BAD, .len = PAGE,
	};
	long errors = ecc(self, "diagnose", "uncorrected");
	long reports = ecc(self, "show", "error");
	char text[8192], want[64], addr[32];

	ASSERT_GE(errors, 0);
	ASSERT_GE(reports, 0);
	ASSERT_EQ(read_list(self, text, sizeof(text)), 0);
	ASSERT_STREQ(text, "");
	bystander_open(_metadata, &other);
	/* All else in one piece, bound so that places are those in HBM. */
	ASSERT_EQ(gem_create(self->fd, HBM, FULL - LARGE, &self->bo[0]), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->bo[0], 0, VA + LARGE,
			 FULL - LARGE, RW), 0);
	bystander_works(&other, 1);
	snprintf(addr, sizeof(addr), "%lu", BAD + 128);
	ASSERT_EQ(model_put(MODEL, "x-ecc-poison-addr", addr), 0);

	EXPECT_EQ(xq_run(&self->q, d, &error), -EIO);
	EXPECT_EQ(error.status, ALINK_ST_POISON);
	EXPECT_EQ(error.addr, VA + BAD + 128);
	expect_bad(_metadata, self, PAGE, 0);
	ASSERT_EQ(read_list(self, text, sizeof(text)), 0);
	snprintf(want, sizeof(want), "0x%011lx ecc ", BAD);
	EXPECT_EQ(strncmp(text, want, strlen(want)), 0);
	EXPECT_NE(strstr(text, " pending\n"), NULL);
	EXPECT_EQ(count_lines(text), 1);
	bystander_is_done(_metadata, &other, 1);
	EXPECT_TRUE(health_becomes(self->sysfs, "ecc", "diagnose",
				   "uncorrected", errors + 1));
	EXPECT_EQ(ecc(self, "diagnose", "last_address"), (long)BAD + 128);
	EXPECT_EQ(ecc(self, "diagnose", "page"), (long)BAD);
	EXPECT_EQ(ecc(self, "diagnose", "pages_pending"), 1);
	EXPECT_EQ(ecc(self, "diagnose", "pages_retired"), 0);
	/* A report each, and over: the device has the page on its list. */
	EXPECT_TRUE(health_becomes(self->sysfs, "ecc", "show", "error",
				   reports + 1));
	EXPECT_TRUE(health_becomes(self->sysfs, "ecc", "show", "state", 0));
	EXPECT_EQ(ecc(self, "diagnose", "pages_unsaved"), 0);
	EXPECT_EQ(ecc(self, "dump show", "fault_code"), ALINK_FAULT_HBM_ECC);
	EXPECT_EQ(ecc(self, "dump show", "address"), (long)BAD + 128);
	EXPECT_EQ(health_clear(self->sysfs, "ecc"), 0);

	/* What else is in the object can be saved. */
	xq_close(&self->q);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	EXPECT_EQ(xq_copy(&self->q, VA_HOST, VA + BAD + PAGE, PAGE), 0);
	bystander_works(&other, 2);
	/* Again: it is on the list already. */
	ASSERT_EQ(inject(BAD + 8), 0);
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA + LARGE, FULL - LARGE), 0);
	ASSERT_EQ(gem_close(self->fd, self->bo[0]), 0);
	expect_bad(_metadata, self, 0, PAGE);
	bystander_is_done(_metadata, &other, 2);
	bystander_close(&other);
	ASSERT_EQ(read_list(self, text, sizeof(text)), 0);
	EXPECT_NE(strstr(text, " retired\n"), NULL);
	EXPECT_EQ(count_lines(text), 1);
	EXPECT_EQ(ecc(self, "diagnose", "pages_pending"), 0);
	EXPECT_EQ(ecc(self, "diagnose", "pages_retired"), 1);
	EXPECT_TRUE(health_becomes(self->sysfs, "ecc", "diagnose",
				   "uncorrected", errors + 2));
	EXPECT_EQ(gem_create(self->fd, HBM, FULL, &self->bo[0]), -E2BIG);
}

/* The next driver gives it to nobody: what is in it stays, all else is cleared. */
TEST_F_TIMEOUT(hbm, bad_page_after_reload, SLOW)
{
	uint64_t word[3] = { MARK, MARK, MARK };
	char before[8192], after[8192];

	ASSERT_EQ(read_list(self, before, sizeof(before)), 0);
	ASSERT_EQ(count_lines(before), 1);
	close(self->fd);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	bare_words(_metadata, self->sysfs, word, 3, true);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	begin(_metadata, self);

	expect_bad(_metadata, self, 0, PAGE);
	ASSERT_EQ(read_list(self, after, sizeof(after)), 0);
	EXPECT_STREQ(before, after);
	take_all(_metadata, self, HBM_CPU);
	give_all(_metadata, self);
	take_all(_metadata, self, HBM);
	give_all(_metadata, self);

	close(self->fd);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	bare_words(_metadata, self->sysfs, word, 3, false);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	begin(_metadata, self);
	EXPECT_EQ(word[0], 0);
	EXPECT_EQ(word[1], MARK);
	EXPECT_EQ(word[2], 0);
}

/*
 * A reset does not bring it back either, nor does it lose new ones: it saves one
 * that the device did not take before, and then the error is over.
 */
TEST_F_TIMEOUT(hbm, bad_page_after_reset, SLOW)
{
	char text[8192];

	ASSERT_EQ(model_set(MODEL, "x-admin-stuck", true), 0);
	EXPECT_EQ(inject(BAD + PAGE), 0);
	EXPECT_TRUE(health_becomes(self->sysfs, "ecc", "show", "state", 1));
	EXPECT_EQ(ecc(self, "diagnose", "pages_unsaved"), 1);
	ASSERT_EQ(model_set(MODEL, "x-admin-stuck", false), 0);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	expect_bad(_metadata, self, 0, 2 * PAGE);
	EXPECT_EQ(ecc(self, "diagnose", "pages_unsaved"), 0);
	EXPECT_TRUE(health_becomes(self->sysfs, "ecc", "show", "state", 0));
	close(self->fd);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	begin(_metadata, self);
	expect_bad(_metadata, self, 0, 2 * PAGE);
	ASSERT_EQ(read_list(self, text, sizeof(text)), 0);
	EXPECT_EQ(count_lines(text), 2);
}

/*
 * Another xPU meets bad memory, which is not its own: it is told, and the owner
 * of the memory retires the page.
 */
TEST_F_TIMEOUT(hbm, bad_page_met_by_a_peer, SLOW)
{
	/* What need not be visible goes to the end, where nothing else is. */
	const uint64_t place = FULL - LARGE, bad[2] = { 5 * PAGE, 7 * PAGE };
	const struct alink_xpu_desc meets[2] = {
		copy_desc(VA_HOST, VA + bad[0], PAGE),
		{ .opcode = ALINK_XPU_OP_ATOMIC64, .subop = ALINK_ATOMIC_ADD,
		  .dst = VA + bad[1] + 64, .src = 1 },
	};
	struct drm_alink_xpu_query_device before, after;
	struct drm_alink_xpu_segment_handle h;
	struct drm_alink_xpu_queue_error error;
	uint32_t far, host, vm, export;
	int peer = xpu_open(PEER), i;
	struct alink_ctx *ctx;
	char text[8192];
	struct xq q;

	ASSERT_EQ(alink_new(&ctx), 0);
	ASSERT_EQ(alink_fabric_up(ctx, 1), 0) {
		TH_LOG("%s", alink_error(ctx));
	}
	ASSERT_EQ(xpu_device(self->fd, &before), 0);
	ASSERT_EQ(gem_create(self->fd, HBM, LARGE, &self->bo[0]), 0);
	ASSERT_EQ(seg_export(self->fd, self->bo[0], DRM_ALINK_XPU_SEGMENT_READ |
			     DRM_ALINK_XPU_SEGMENT_ATOMIC, &h, &export), 0);
	ASSERT_GE(peer, 0);
	ASSERT_EQ(vm_create(peer, &vm), 0);
	ASSERT_EQ(gem_create(peer, HOST, PAGE, &host), 0);
	ASSERT_EQ(vm_map(peer, vm, host, 0, VA_HOST, PAGE, RW), 0);
	ASSERT_EQ(seg_import(peer, &h, &far), 0);
	ASSERT_EQ(vm_map(peer, vm, far, 0, VA, LARGE,
			 DRM_ALINK_XPU_VM_BIND_READ |
			 DRM_ALINK_XPU_VM_BIND_ATOMIC), 0);

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(xq_open(&q, peer, vm, VA_Q, 64), 0);
		snprintf(text, sizeof(text), "%lu", place + bad[i] + 64);
		ASSERT_EQ(model_put(MODEL, "x-ecc-poison-addr", text), 0);
		EXPECT_EQ(xq_run(&q, meets[i], &error), -EIO);
		EXPECT_EQ(error.status, ALINK_ST_POISON);
		EXPECT_EQ(error.addr, VA + bad[i] + 64);
		expect_bad(_metadata, self, (i + 1) * PAGE, 2 * PAGE);
		xq_close(&q);
	}
	ASSERT_EQ(read_list(self, text, sizeof(text)), 0);
	EXPECT_EQ(count_lines(text), 4);
	EXPECT_NE(strstr(text, "0x023ffe05000 ecc "), NULL);
	EXPECT_NE(strstr(text, "0x023ffe07000 ecc "), NULL);

	/* The owner goes on, and the pages go when their object does. */
	ASSERT_EQ(xpu_device(self->fd, &after), 0);
	EXPECT_EQ(after.generation, before.generation);
	EXPECT_EQ(xq_fill(&self->q, VA_HOST, 5, PAGE), 0);
	close(peer);
	ASSERT_EQ(seg_revoke(self->fd, export), 0);
	ASSERT_EQ(gem_close(self->fd, self->bo[0]), 0);
	expect_bad(_metadata, self, 0, 4 * PAGE);
	alink_free(ctx);
}

/* A device that names what is no page of its HBM is not believed. */
TEST_F(hbm, bad_page_that_is_none)
{
	long errors = ecc(self, "diagnose", "uncorrected");

	ASSERT_EQ(inject(FULL), 0);
	ASSERT_EQ(inject(~0UL), 0);
	/* Events are handled in order. */
	xq_close(&self->q);
	expect_bad(_metadata, self, 0, 4 * PAGE);
	EXPECT_EQ(ecc(self, "diagnose", "uncorrected"), errors);
}

/* The list has an end; what is beyond it is left in use. */
TEST_F_TIMEOUT(hbm, bad_pages_without_end, SLOW)
{
	char text[8192];
	uint64_t i;

	/* There are four, of which two are the first of these. */
	for (i = 2; i < MAX_RETIRED - 2; i++)
		ASSERT_EQ(inject(BAD + i * PAGE), 0);
	expect_bad(_metadata, self, 0, MAX_RETIRED * PAGE);
	for (i = MAX_RETIRED; i < MAX_RETIRED + 3; i++)
		ASSERT_EQ(inject(BAD + i * PAGE), 0);
	xq_close(&self->q);
	expect_bad(_metadata, self, 0, MAX_RETIRED * PAGE);
	/* That is not over, and cannot be mended. */
	EXPECT_TRUE(health_becomes(self->sysfs, "ecc", "diagnose",
				   "pages_beyond", 3));
	EXPECT_TRUE(health_becomes(self->sysfs, "ecc", "show", "state", 1));
	EXPECT_NE(ecc_recover(self), 0);
	EXPECT_EQ(ecc(self, "show", "state"), 1);
	ASSERT_EQ(read_list(self, text, sizeof(text)), 0);
	EXPECT_EQ(count_lines(text), MAX_RETIRED);
	take_all(_metadata, self, HBM_CPU);
	give_all(_metadata, self);

	close(self->fd);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
	begin(_metadata, self);
	expect_bad(_metadata, self, 0, MAX_RETIRED * PAGE);
}

TEST_HARNESS_MAIN
