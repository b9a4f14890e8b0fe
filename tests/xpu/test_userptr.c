// SPDX-License-Identifier: GPL-2.0-only
/*
 * User pointers: memory of this process in a VM. What the device sees is what
 * the process has, whatever becomes of it.
 */
#include <fcntl.h>
#include <sys/swap.h>
#include <sys/wait.h>

#include "xpu_trace.h"
#include "userptr.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* --- one memory ----------------------------------------------------------- */

TEST_F(user, both_see_the_same)
{
	struct user *o = SELF;
	struct alink_xpu_desc add = {
		.opcode = ALINK_XPU_OP_ATOMIC64, .subop = ALINK_ATOMIC_ADD,
		.dst = VA + 3 * PAGE, .src = 5,
	};
	unsigned int i;

	pattern_fill(o->mem, SIZE, 1);
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RWA), 0);
	ASSERT_EQ(xq_copy(&o->q, VA_OUT, VA, SIZE), 0);
	EXPECT_EQ(pattern_check((void *)o->out, SIZE, 1), SIZE);
	/* Without another word to the kernel */
	pattern_fill(o->mem, SIZE, 2);
	ASSERT_EQ(xq_copy(&o->q, VA_OUT, VA, SIZE), 0);
	EXPECT_EQ(pattern_check((void *)o->out, SIZE, 2), SIZE);
	pattern_fill((void *)o->out, SIZE, 3);
	ASSERT_EQ(xq_copy(&o->q, VA, VA_OUT, SIZE), 0);
	EXPECT_EQ(pattern_check(o->mem, SIZE, 3), SIZE);
	*word(o->mem, 3) = 7;
	ASSERT_EQ(xq_run(&o->q, add, NULL), 0);
	EXPECT_EQ(*word(o->mem, 3), 12);
	for (i = 0; i < PAGES; i++)
		dev_write(_metadata, o, VA + i * PAGE + 16, i);
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(word(o->mem, i)[2], twice(i));
}

/* Memory that nobody has touched yet is there all the same. */
TEST_F(user, untouched)
{
	struct user *o = SELF;

	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 0);
	dev_write(_metadata, o, VA + 2 * PAGE, 9);
	EXPECT_EQ(*word(o->mem, 2), twice(9));
}

TEST_F(user, two_bindings)
{
	struct user *o = SELF;

	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(vm_map_user(o->fd, o->vm, word(o->mem, 4), VA + LARGE,
			      4 * PAGE, RW), 0);
	dev_write(_metadata, o, VA + 5 * PAGE, 4);
	EXPECT_EQ(dev_read(_metadata, o, VA + LARGE + PAGE), twice(4));
	/* Both lose it, and both get it back. */
	ASSERT_NE(anon_at(word(o->mem, 5), PAGE), MAP_FAILED);
	*word(o->mem, 5) = 6;
	EXPECT_EQ(dev_read(_metadata, o, VA + LARGE + PAGE), 6);
	EXPECT_EQ(dev_read(_metadata, o, VA + 5 * PAGE), 6);
}

/* --- memory that goes ------------------------------------------------------ */

TEST_F(user, munmap)
{
	struct user *o = SELF;

	*word(o->mem, 3) = 3;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + 4 * PAGE), 0);
	ASSERT_EQ(munmap(word(o->mem, 4), PAGE), 0);
	read_fails(_metadata, o, VA + 4 * PAGE);
	write_fails(_metadata, o, VA + 4 * PAGE + 8);
	/* What is around it is as before. */
	EXPECT_EQ(dev_read(_metadata, o, VA + 3 * PAGE), 3);
	dev_write(_metadata, o, VA + 5 * PAGE, 5);
	EXPECT_EQ(*word(o->mem, 5), twice(5));
	ASSERT_EQ(munmap(o->mem, SIZE), 0);
	read_fails(_metadata, o, VA + 3 * PAGE);
}

/* A descriptor that is half done when the memory ends */
TEST_F(user, end_of_the_memory)
{
	struct user *o = SELF;

	pattern_fill(o->mem, SIZE, 4);
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(munmap(word(o->mem, 8), 8 * PAGE), 0);
	fails(_metadata, o, copy_desc(VA_OUT, VA, SIZE), VA + 8 * PAGE);
	EXPECT_EQ(pattern_check((void *)o->out, 8 * PAGE, 4), 8 * PAGE);
}

TEST_F(user, new_memory_in_its_place)
{
	struct user *o = SELF;
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		*word(o->mem, i) = i;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + 3 * PAGE), 3);
	ASSERT_EQ(munmap(o->mem, SIZE), 0);
	ASSERT_NE(anon_at(o->mem, SIZE), MAP_FAILED);
	for (i = 0; i < PAGES; i++)
		*word(o->mem, i) = 100 + i;
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(dev_read(_metadata, o, VA + i * PAGE), 100 + i);
	dev_write(_metadata, o, VA, 7);
	EXPECT_EQ(*o->mem, twice(7));
}

TEST_F(user, mremap)
{
	struct user *o = SELF;
	void *to = anon(SIZE);

	*word(o->mem, 1) = 1;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 1);
	ASSERT_NE(mremap(o->mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to),
		  MAP_FAILED);
	/* The binding is to addresses, not to what was there. */
	write_fails(_metadata, o, VA + PAGE);
	EXPECT_EQ(*word(to, 1), 1);
	ASSERT_NE(mremap(to, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, o->mem),
		  MAP_FAILED);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 1);
}

TEST_F(user, madvise)
{
	struct user *o = SELF;

	memset(o->mem, 0x55, SIZE);
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 0x5555555555555555UL);
	ASSERT_EQ(madvise(word(o->mem, 1), PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + 2 * PAGE), 0x5555555555555555UL);
	/* Zeros that were read are no page of its own yet. */
	dev_write(_metadata, o, VA + PAGE, 2);
	EXPECT_EQ(*word(o->mem, 1), twice(2));
	EXPECT_EQ(*word(o->mem, 2), 0x5555555555555555UL);
}

/* Parent and child have each its own; the device has the parent's. */
TEST_F(user, fork)
{
	struct user *o = SELF;
	int go[2], back[2], status;
	uint64_t seen[3];
	char byte = 0;
	pid_t pid;

	*word(o->mem, 0) = 10;
	*word(o->mem, 1) = 11;
	*word(o->mem, 2) = 12;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA), 10);
	ASSERT_EQ(pipe(go) || pipe(back), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		/* Written by the child, then what device and parent wrote */
		*word(o->mem, 2) = 99;
		if (write(back[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(1);
		seen[0] = *word(o->mem, 0);
		seen[1] = *word(o->mem, 1);
		seen[2] = *word(o->mem, 2);
		_exit(write(back[1], seen, sizeof(seen)) == sizeof(seen) ?
		      0 : 1);
	}
	ASSERT_EQ(read(back[0], &byte, 1), 1);
	EXPECT_EQ(dev_read(_metadata, o, VA + 2 * PAGE), 12);
	dev_write(_metadata, o, VA, 20);
	*word(o->mem, 1) = 21;
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 21);
	ASSERT_EQ(write(go[1], &byte, 1), 1);
	ASSERT_EQ(read(back[0], seen, sizeof(seen)), (ssize_t)sizeof(seen));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(seen[0], 10);
	EXPECT_EQ(seen[1], 11);
	EXPECT_EQ(seen[2], 99);
	EXPECT_EQ(*word(o->mem, 0), twice(20));
	EXPECT_EQ(*word(o->mem, 2), 12);
}

TEST_F(user, mprotect)
{
	struct user *o = SELF;

	*word(o->mem, 1) = 1;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(mprotect(o->mem, SIZE, PROT_READ), 0);
	write_fails(_metadata, o, VA + PAGE);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 1);
	write_fails(_metadata, o, VA + PAGE);
	EXPECT_EQ(*word(o->mem, 1), 1);
	ASSERT_EQ(mprotect(o->mem, SIZE, PROT_NONE), 0);
	read_fails(_metadata, o, VA + PAGE);
	ASSERT_EQ(mprotect(o->mem, SIZE, PROT_READ | PROT_WRITE), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 1);
	dev_write(_metadata, o, VA + PAGE, 2);
	EXPECT_EQ(*word(o->mem, 1), twice(2));
}

/* What the kernel swaps out comes back with what was in it. */
TEST_F(user, swapped_out)
{
	const size_t size = 8 * MIB;
	struct user *o = SELF;
	char *mem;
	size_t i;

	if (system("modprobe zram 2>/dev/null") ||
	    write_file("/sys/block/zram0/disksize", "64M") ||
	    system("mkswap /dev/zram0 >/dev/null 2>&1") ||
	    swapon("/dev/zram0", 0))
		SKIP(return, "no zram to swap to");
	mem = anon(size);
	ASSERT_NE(mem, MAP_FAILED);
	pattern_fill(mem, size, 5);
	ASSERT_EQ(bind_user(o, mem, size, RW), 0);
	/* Written by the device alone: the CPU has not seen it change. */
	for (i = 0; i < size; i += 16 * PAGE)
		dev_write(_metadata, o, VA + i, i + 1);
	ASSERT_EQ(madvise(mem, size, MADV_PAGEOUT), 0);
	for (i = 0; i < size; i += 16 * PAGE) {
		EXPECT_EQ(dev_read(_metadata, o, VA + i), twice(i + 1));
		EXPECT_EQ(*(uint64_t *)(mem + i), twice(i + 1));
	}
	ASSERT_EQ(madvise(mem, size, MADV_PAGEOUT), 0);
	for (i = 0; i < size; i += 16 * PAGE)
		EXPECT_EQ(*(uint64_t *)(mem + i), twice(i + 1));
	munmap(mem, size);
	EXPECT_EQ(swapoff("/dev/zram0"), 0);
	write_file("/sys/block/zram0/reset", "1");
}

/* --- large pages ------------------------------------------------------------ */

/* Small pages become a large one under the device, and small ones again. */
TEST_F(user, collapse_and_split)
{
	struct user *o = SELF;
	char *mem = anon_aligned(2 * LARGE, LARGE);
	size_t i;

	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(madvise(mem, 2 * LARGE, MADV_NOHUGEPAGE), 0);
	for (i = 0; i < 2 * LARGE; i += PAGE)
		*(uint64_t *)(mem + i) = i + 1;
	ASSERT_EQ(bind_user(o, mem, 2 * LARGE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + 5 * PAGE), 5 * PAGE + 1);
	ASSERT_EQ(madvise(mem, 2 * LARGE, MADV_HUGEPAGE), 0);
	ASSERT_EQ(madvise(mem, 2 * LARGE, MADV_COLLAPSE), 0);
	for (i = 0; i < 2 * LARGE; i += 64 * PAGE) {
		EXPECT_EQ(dev_read(_metadata, o, VA + i), i + 1);
		dev_write(_metadata, o, VA + i + 8, i);
	}
	/* One page less */
	ASSERT_EQ(munmap(mem + 7 * PAGE, PAGE), 0);
	read_fails(_metadata, o, VA + 7 * PAGE);
	for (i = 0; i < 2 * LARGE; i += 64 * PAGE) {
		EXPECT_EQ(((uint64_t *)(mem + i))[1], twice(i));
		EXPECT_EQ(dev_read(_metadata, o, VA + i), i + 1);
	}
	EXPECT_EQ(dev_read(_metadata, o, VA + 6 * PAGE), 6 * PAGE + 1);
	EXPECT_EQ(dev_read(_metadata, o, VA + 8 * PAGE), 8 * PAGE + 1);
	/* A part bound no more */
	ASSERT_EQ(vm_unmap(o->fd, o->vm, VA + LARGE + PAGE, PAGE), 0);
	read_fails(_metadata, o, VA + LARGE + PAGE);
	EXPECT_EQ(dev_read(_metadata, o, VA + LARGE), LARGE + 1);
	EXPECT_EQ(dev_read(_metadata, o, VA + LARGE + 2 * PAGE),
		  LARGE + 2 * PAGE + 1);
	ASSERT_EQ(madvise(mem + LARGE, LARGE, MADV_DONTNEED), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + LARGE), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + LARGE + 2 * PAGE), 0);
}

/* How much the device loses when one page goes, as the trace event says */
static uint64_t zapped(struct __test_metadata *_metadata, void *page)
{
	char text[16384] = "", *at;
	unsigned long range = 0;
	/* Opened so, it is emptied. */
	int trace = open(TRACE "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	EXPECT_GE(trace, 0);
	close(trace);
	EXPECT_EQ(write_file(TRACE "events/alink_xpu/alink_xpu_user_zap/enable",
			     "1"), 0);
	EXPECT_EQ(madvise(page, PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(write_file(TRACE "events/alink_xpu/alink_xpu_user_zap/enable",
			     "0"), 0);
	EXPECT_GT(read_file(TRACE "trace", text, sizeof(text)), 0);
	at = strstr(text, "range=");
	if (at)
		sscanf(at, "range=%lx", &range);
	return range;
}

/* An aligned large page of the process is one of the device. */
TEST_F(user, large_pages_are_used)
{
	struct user *o = SELF;
	char *mem = anon_aligned(4 * LARGE, LARGE);

	ASSERT_NE(mem, MAP_FAILED);
	if (access(TRACE "trace", F_OK)) {
		ASSERT_EQ(mount("tracefs", TRACE, "tracefs", 0, NULL), 0);
	}
	write_file(TRACE "tracing_on", "1");
	memset(mem, 1, 4 * LARGE);
	ASSERT_EQ(madvise(mem, 4 * LARGE, MADV_HUGEPAGE), 0);
	ASSERT_EQ(madvise(mem, 4 * LARGE, MADV_COLLAPSE), 0);
	ASSERT_EQ(bind_user(o, mem, 2 * LARGE, RW), 0);
	EXPECT_EQ(zapped(_metadata, mem + PAGE), LARGE);
	/* A large page that is not all bound is mapped by small ones. */
	ASSERT_EQ(bind_user(o, mem + 2 * LARGE + PAGE, LARGE, RW), 0);
	EXPECT_EQ(zapped(_metadata, mem + 3 * LARGE - PAGE), PAGE);
	write_file(TRACE "tracing_on", "0");
	EXPECT_EQ(dev_read(_metadata, o, VA), 0x0101010101010101UL);
}

/* What a queue stood still for: whose, where, what for, and how it ended */
TEST_F(user, faults_are_traced)
{
	const char *dev = strrchr(self->sysfs, '/') + 1;
	struct user *o = SELF;
	char text[160], *trace;
	long queue, ctx;

	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	trace_start(_metadata);
	/* A new one, whose number is traced */
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	/* All is there: no fault. */
	EXPECT_EQ(dev_read(_metadata, o, VA + 2 * PAGE), 0);
	ASSERT_EQ(madvise(word(o->mem, 1), PAGE, MADV_DONTNEED), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 0);
	ASSERT_EQ(munmap(word(o->mem, 4), PAGE), 0);
	EXPECT_EQ(xq_run(&o->q, fill_desc(VA + 4 * PAGE + 8, 1, 8), NULL),
		  -EIO);
	trace = trace_stop();

	queue = traced_number(trace, "alink_xpu_queue_create", " queue=");
	ctx = traced_number(trace, "alink_xpu_queue_create", " ctx=");
	ASSERT_GT(queue, 0);
	ASSERT_GT(ctx, 0);
	snprintf(text, sizeof(text),
		 ": dev=%s queue=%ld ctx=%ld addr=%#lx rights=0x1 err=0", dev,
		 queue, ctx, VA + PAGE);
	EXPECT_EQ(traced(trace, "alink_xpu_user_fault", text), 1);
	snprintf(text, sizeof(text),
		 ": dev=%s queue=%ld ctx=%ld addr=%#lx rights=0x2 err=%d", dev,
		 queue, ctx, VA + 4 * PAGE + 8, -EFAULT);
	EXPECT_EQ(traced(trace, "alink_xpu_user_fault", text), 1);
	EXPECT_EQ(traced(trace, "alink_xpu_user_fault", ""), 2);
	snprintf(text, sizeof(text), ": dev=%s ctx=%ld addr=%#lx range=%#lx",
		 dev, ctx, VA + PAGE, PAGE);
	EXPECT_EQ(traced(trace, "alink_xpu_user_zap", text), 1);
	if (!__test_passed(_metadata))
		TH_LOG("%s", trace);
	free(trace);
	/* That queue has halted. */
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
}

TEST_F(user, hugetlb)
{
	struct user *o = SELF;
	char *mem;

	if (access("/proc/sys/vm/nr_hugepages", F_OK))
		SKIP(return, "a kernel without hugetlbfs");
	ASSERT_EQ(write_file("/proc/sys/vm/nr_hugepages", "4"), 0);
	mem = mmap(NULL, 2 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(mem, MAP_FAILED);
	memset(mem, 3, 2 * LARGE);
	ASSERT_EQ(bind_user(o, mem, 2 * LARGE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + LARGE), 0x0303030303030303UL);
	dev_write(_metadata, o, VA + LARGE + PAGE, 4);
	EXPECT_EQ(*(uint64_t *)(mem + LARGE + PAGE), twice(4));
	ASSERT_EQ(munmap(mem + LARGE, LARGE), 0);
	read_fails(_metadata, o, VA + LARGE);
	EXPECT_EQ(dev_read(_metadata, o, VA), 0x0303030303030303UL);
	munmap(mem, LARGE);
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

/* --- files of tmpfs --------------------------------------------------------- */

TEST_F(user, shared_file)
{
	struct user *o = SELF;
	int file = memfd_create("user", MFD_CLOEXEC);
	uint64_t *a, *b;

	ASSERT_GE(file, 0);
	ASSERT_EQ(ftruncate(file, SIZE), 0);
	a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	b = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	ASSERT_TRUE(a != MAP_FAILED && b != MAP_FAILED);
	ASSERT_EQ(bind_user(o, a, SIZE, RW), 0);
	dev_write(_metadata, o, VA + PAGE, 6);
	EXPECT_EQ(*word(b, 1), twice(6));
	*word(b, 2) = 8;
	EXPECT_EQ(dev_read(_metadata, o, VA + 2 * PAGE), 8);
	/* A hole, and the end */
	ASSERT_EQ(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    2 * PAGE, PAGE), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + 2 * PAGE), 0);
	ASSERT_EQ(ftruncate(file, 4 * PAGE), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), twice(6));
	read_fails(_metadata, o, VA + 4 * PAGE);
	close(file);
}

/* --- rights ------------------------------------------------------------------ */

TEST_F(user, read_only)
{
	struct user *o = SELF;
	struct drm_alink_xpu_queue_error e = {};

	*word(o->mem, 1) = 1;
	ASSERT_EQ(mprotect(o->mem, SIZE, PROT_READ), 0);
	EXPECT_EQ(bind_user(o, o->mem, SIZE, RW), -EACCES);
	EXPECT_EQ(bind_user(o, o->mem, SIZE, W), -EACCES);
	EXPECT_EQ(bind_user(o, o->mem, SIZE, R | DRM_ALINK_XPU_VM_BIND_ATOMIC),
		  -EACCES);
	ASSERT_EQ(bind_user(o, o->mem, SIZE, R), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 1);
	EXPECT_EQ(xq_run(&o->q, fill_desc(VA + PAGE, 2, 8), &e), -EIO);
	EXPECT_EQ(e.status, ALINK_ST_PERMISSION);
	EXPECT_EQ(e.addr, VA + PAGE);
	xq_close(&o->q);
	ASSERT_EQ(xq_open(&o->q, o->fd, o->vm, VA_Q, 64), 0);
	EXPECT_EQ(*word(o->mem, 1), 1);
	/* The process may write again; the binding still may not. */
	ASSERT_EQ(mprotect(o->mem, SIZE, PROT_READ | PROT_WRITE), 0);
	*word(o->mem, 1) = 3;
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 3);
	write_fails(_metadata, o, VA + PAGE);
	EXPECT_EQ(*word(o->mem, 1), 3);
}

TEST_HARNESS_MAIN
