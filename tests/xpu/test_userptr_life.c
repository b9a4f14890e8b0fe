// SPDX-License-Identifier: GPL-2.0-only
/*
 * User pointers: their bindings, their end with process, file and device, and
 * what is refused.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "userptr.h"

/* --- bindings ------------------------------------------------------------------ */

TEST_F(user, partly_unmapped)
{
	struct user *o = SELF;
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		*word(o->mem, i) = i + 1;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(vm_unmap(o->fd, o->vm, VA + 4 * PAGE, 2 * PAGE), 0);
	read_fails(_metadata, o, VA + 4 * PAGE);
	read_fails(_metadata, o, VA + 5 * PAGE);
	EXPECT_EQ(dev_read(_metadata, o, VA + 3 * PAGE), 4);
	EXPECT_EQ(dev_read(_metadata, o, VA + 6 * PAGE), 7);
	/* Both parts follow the process. */
	ASSERT_NE(anon_at(o->mem, SIZE), MAP_FAILED);
	for (i = 0; i < PAGES; i++)
		*word(o->mem, i) = i + 30;
	EXPECT_EQ(dev_read(_metadata, o, VA + 3 * PAGE), 33);
	EXPECT_EQ(dev_read(_metadata, o, VA + 6 * PAGE), 36);
	read_fails(_metadata, o, VA + 4 * PAGE);
	ASSERT_EQ(vm_unmap(o->fd, o->vm, VA, SIZE), 0);
	read_fails(_metadata, o, VA + 6 * PAGE);
	ASSERT_EQ(munmap(o->mem, SIZE), 0);
}

/* An object in its place is the object's, whatever becomes of the memory. */
TEST_F(user, replaced_by_an_object)
{
	struct user *o = SELF;

	*word(o->mem, 0) = 1;
	*word(o->mem, 2) = 2;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	o->out[PAGE / 8] = 77;
	ASSERT_EQ(vm_map(o->fd, o->vm, o->out_bo, PAGE, VA + PAGE, PAGE, RW),
		  0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 77);
	EXPECT_EQ(dev_read(_metadata, o, VA), 1);
	ASSERT_EQ(munmap(o->mem, SIZE), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 77);
	read_fails(_metadata, o, VA + 2 * PAGE);
	/* And the other way round */
	o->mem = anon(SIZE);
	*word(o->mem, 1) = 5;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 5);
}

/* A call that waits binds what is there when it comes to it. */
TEST_F(user, asynchronous)
{
	struct user *o = SELF;
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_MAP_USER, .flags = RW,
		.offset = (uintptr_t)o->mem, .addr = VA, .range = SIZE,
	};
	struct drm_alink_xpu_fence_syncobj f = {
		.handle = o->q.bo, .addr = o->q.fence_offset + 16, .value = 1,
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
	};
	struct drm_alink_xpu_sync sync[2] = {
		{}, { .flags = DRM_ALINK_XPU_SYNC_SIGNAL },
	};

	ASSERT_EQ(syncobj_create(o->fd, &f.syncobj), 0);
	ASSERT_EQ(syncobj_create(o->fd, &sync[1].handle), 0);
	sync[0].handle = f.syncobj;
	*word(o->mem, 0) = 1;
	*word(o->mem, 1) = 1;
	ASSERT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &f), 0);
	ASSERT_EQ(vm_bind_async(o->fd, o->vm, &op, 1, sync, 2), 0);
	ASSERT_NE(anon_at(word(o->mem, 1), PAGE), MAP_FAILED);
	*word(o->mem, 1) = 2;
	EXPECT_EQ(syncobj_wait(o->fd, sync[1].handle, 0, 50), -ETIME);
	o->q.fence[2] = 1;
	EXPECT_EQ(syncobj_wait(o->fd, sync[1].handle, 0, WAIT_MS), 0);
	EXPECT_EQ(dev_read(_metadata, o, VA), 1);
	EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 2);

	/* One that is never executed lets go of the memory. */
	o->q.fence[2] = 0;
	ASSERT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &f), 0);
	op.addr = VA + LARGE;
	ASSERT_EQ(vm_bind_async(o->fd, o->vm, &op, 1, sync, 1), 0);
	ASSERT_EQ(munmap(o->mem, SIZE), 0);
}

/* Rings may lie there, what the kernel looks at may not. */
TEST_F(user, queues_and_fences)
{
	struct user *o = SELF;
	struct drm_alink_xpu_queue_create c = {
		.vm_id = o->vm, .ring = VA, .status = VA + PAGE, .size = 16,
		.priority = 1,
	};
	struct drm_alink_xpu_wait_fence w = {
		.flags = DRM_ALINK_XPU_FENCE_VA, .handle = o->vm, .addr = VA,
	};
	volatile uint32_t *doorbell;

	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	EXPECT_EQ(queue_create(o->fd, &c), -EOPNOTSUPP);
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w),
		  -EOPNOTSUPP);
	c.status = VA_OUT + PAGE;
	ASSERT_EQ(queue_create(o->fd, &c), 0);
	doorbell = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, o->fd,
			c.doorbell_offset);
	ASSERT_NE(doorbell, MAP_FAILED);
	/* The ring is memory that has just been replaced. */
	ASSERT_NE(anon_at(o->mem, SIZE), MAP_FAILED);
	*(struct alink_xpu_desc *)o->mem = (struct alink_xpu_desc) {
		.opcode = ALINK_XPU_OP_NOP,
		.flags = ALINK_XPU_DF_FENCE | ALINK_XPU_DF_IRQ,
		.fence_addr = VA_OUT, .fence_value = 8,
	};
	o->out[0] = 0;
	doorbell[ALINK_XPU_DB_TAIL / 4] = 1;
	w = (struct drm_alink_xpu_wait_fence) {
		.queue_id = c.queue_id, .handle = o->out_bo, .value = 8,
		.timeout_ns = now_ns() + WAIT_MS * 1000000LL,
	};
	EXPECT_EQ(xpu_ioctl(o->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &w), 0);
	EXPECT_EQ(queue_destroy(o->fd, c.queue_id), 0);
	munmap((void *)doorbell, PAGE);
}

/* A fence in memory that is not there yet */
TEST_F(user, fence_in_it)
{
	struct alink_xpu_desc d = { .opcode = ALINK_XPU_OP_NOP };
	struct user *o = SELF;

	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(madvise(o->mem, SIZE, MADV_DONTNEED), 0);
	d.flags = ALINK_XPU_DF_FENCE;
	d.fence_addr = VA + 3 * PAGE;
	d.fence_value = 123;
	o->q.ring[o->q.tail++ % o->q.size] = d;
	xq_ring(&o->q);
	EXPECT_EQ(xq_run(&o->q, (struct alink_xpu_desc) {}, NULL), 0);
	EXPECT_EQ(*word(o->mem, 3), 123);
}

/* --- life --------------------------------------------------------------------- */

/* Memory of a process that ends, or becomes another program */
static void child_binds(struct __test_metadata *_metadata, struct user *o,
			bool exec)
{
	int back[2], status;
	char byte = 0;
	pid_t pid;

	ASSERT_EQ(pipe(back), 0);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		*word(o->mem, 1) = 5;
		if (vm_map_user(o->fd, o->vm, o->mem, VA, SIZE, RW) ||
		    write(back[1], &byte, 1) != 1)
			_exit(1);
		if (exec)
			execlp("sleep", "sleep", "60", NULL);
		pause();
		_exit(1);
	}
	ASSERT_EQ(read(back[0], &byte, 1), 1);
	if (exec) {
		usleep(500000);
	} else {
		EXPECT_EQ(dev_read(_metadata, o, VA + PAGE), 5);
		kill(pid, SIGKILL);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
	}
	read_fails(_metadata, o, VA + PAGE);
	write_fails(_metadata, o, VA + PAGE);
	if (exec) {
		kill(pid, SIGKILL);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
	}
	close(back[0]);
	close(back[1]);
	EXPECT_EQ(*word(o->mem, 1), 0);
}

TEST_F(user, process_that_ends)
{
	child_binds(_metadata, SELF, false);
}

TEST_F(user, process_that_executes_another)
{
	child_binds(_metadata, SELF, true);
}

/* The file goes first, then the memory; and a VM with memory bound. */
TEST_F(user, file_that_is_closed)
{
	int fd = xpu_open(0);
	uint32_t vm;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(vm_create(fd, &vm), 0);
	ASSERT_EQ(vm_map_user(fd, vm, self->o.mem, VA, SIZE, RW), 0);
	ASSERT_EQ(vm_destroy(fd, vm), 0);
	memset(self->o.mem, 1, SIZE);
	ASSERT_EQ(vm_create(fd, &vm), 0);
	ASSERT_EQ(vm_map_user(fd, vm, self->o.mem, VA, SIZE, RW), 0);
	close(fd);
	ASSERT_EQ(munmap(self->o.mem, SIZE), 0);
}

/* A reset ends queues; bindings stay, and follow what changed meanwhile. */
TEST_F(user, reset)
{
	struct user *o = SELF;
	struct xq q;

	*word(o->mem, 1) = 1;
	*word(o->mem, 2) = 2;
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(munmap(word(o->mem, 4), PAGE), 0);
	ASSERT_EQ(pci_write(self->sysfs, "reset", "1"), 0);
	ASSERT_NE(anon_at(word(o->mem, 2), PAGE), MAP_FAILED);
	*word(o->mem, 2) = 22;
	ASSERT_EQ(xq_open(&q, o->fd, o->vm, VA_Q + LARGE, 64), 0);
	ASSERT_EQ(xq_copy(&q, VA_OUT, VA + PAGE, 8), 0);
	EXPECT_EQ(o->out[0], 1);
	ASSERT_EQ(xq_copy(&q, VA_OUT, VA + 2 * PAGE, 8), 0);
	EXPECT_EQ(o->out[0], 22);
	EXPECT_EQ(xq_copy(&q, VA_OUT, VA + 4 * PAGE, 8), -EIO);
	xq_close(&q);
}

/* The driver goes while memory is lent; the process goes on with it. */
TEST_F(user, unbind)
{
	struct user *o = SELF;
	char *mem = anon_aligned(LARGE, LARGE);

	ASSERT_NE(mem, MAP_FAILED);
	memset(mem, 1, LARGE);
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(vm_map_user(o->fd, o->vm, mem, VA + LARGE, LARGE, RW), 0);
	ASSERT_EQ(drv_write("unbind", self->sysfs), 0);
	EXPECT_EQ(bind_user(o, o->mem, SIZE, RW), -ENODEV);
	memset(mem, 2, LARGE);
	ASSERT_EQ(munmap(mem, LARGE), 0);
	ASSERT_EQ(munmap(o->mem, SIZE), 0);
	ASSERT_EQ(drv_write("bind", self->sysfs), 0);
}

/* A device that is gone all at once holds up nobody's memory. */
TEST_F(user, loss)
{
	struct user *o = SELF;
	int64_t start;

	memset(o->mem, 1, SIZE);
	ASSERT_EQ(bind_user(o, o->mem, SIZE, RW), 0);
	ASSERT_EQ(model_set("xpu0", "x-dead", true), 0);
	start = now_ns();
	ASSERT_EQ(munmap(o->mem, SIZE), 0);
	EXPECT_LT(now_ns() - start, 60000000000LL);
	EXPECT_EQ(drv_write("unbind", self->sysfs), 0);
	ASSERT_EQ(model_set("xpu0", "x-dead", false), 0);
	EXPECT_EQ(drv_write("bind", self->sysfs), 0);
}

/* --- refusals -------------------------------------------------------------- */

TEST_F(user, refused)
{
	struct user *o = SELF;
	const struct drm_alink_xpu_vm_bind_op good = {
		.op = DRM_ALINK_XPU_VM_BIND_MAP_USER, .flags = RW,
		.offset = (uintptr_t)o->mem, .addr = VA, .range = SIZE,
	};
	struct drm_alink_xpu_vm_bind_op op;
	unsigned int bit;

#define REFUSED(err, field, value)					\
	do {								\
		op = good;						\
		op.field = value;					\
		EXPECT_EQ(vm_bind(o->fd, o->vm, &op, 1), -(err)) {	\
			TH_LOG(#field " = " #value);			\
		}							\
	} while (0)

	/* Misaligned, zero, wraps, beyond what may be bound */
	REFUSED(EINVAL, offset, good.offset + 8);
	REFUSED(EINVAL, offset, good.offset + 1);
	REFUSED(EINVAL, addr, VA + 64);
	REFUSED(EINVAL, range, SIZE + 1);
	REFUSED(EINVAL, range, 0);
	REFUSED(EINVAL, range, ~(PAGE - 1));
	REFUSED(EINVAL, addr, 0);
	REFUSED(EINVAL, addr, ~(PAGE - 1));
	REFUSED(EINVAL, offset, ~(PAGE - 1));
	/* Fields that are not its own */
	REFUSED(EINVAL, handle, o->out_bo);
	REFUSED(EINVAL, pad, 1);
	REFUSED(EINVAL, flags, 0);
	REFUSED(EINVAL, op, 3);
	for (bit = 3; bit < 32; bit++)
		REFUSED(EINVAL, flags, RW | 1U << bit);
	/* The kernel's, nobody's, and more than there is */
	REFUSED(EFAULT, offset, 0xffff888000000000UL);
	REFUSED(EFAULT, offset, 0xffffffff81000000UL);
	REFUSED(EFAULT, offset, 0x7ffffffff000UL);
	REFUSED(EFAULT, offset, 1UL << 47);
	REFUSED(EFAULT, offset, PAGE);
	REFUSED(E2BIG, range, DRM_ALINK_XPU_MAX_USER_RANGE + PAGE);
	ASSERT_EQ(munmap(word(o->mem, PAGES - 1), PAGE), 0);
	EXPECT_EQ(vm_bind(o->fd, o->vm, &good, 1), -EFAULT);
	ASSERT_EQ(munmap(word(o->mem, 7), PAGE), 0);
	EXPECT_EQ(vm_bind(o->fd, o->vm, &good, 1), -EFAULT);
	REFUSED(EFAULT, range, 8 * PAGE);
	/* Nothing of it stayed. */
	read_fails(_metadata, o, VA);
	op = good;
	op.range = 7 * PAGE;
	EXPECT_EQ(vm_bind(o->fd, o->vm, &op, 1), 0);
	dev_write(_metadata, o, VA + 6 * PAGE, 6);
	EXPECT_EQ(*word(o->mem, 6), twice(6));
}

/* Memory that is no memory, or that somebody else gives */
TEST_F(user, refused_memory)
{
	struct user *o = SELF;
	uint32_t hbm;
	void *p;
	int file;

	/* Our own: host memory, HBM, a doorbell */
	EXPECT_EQ(bind_user(o, (void *)o->out, SIZE, RW), -EOPNOTSUPP);
	ASSERT_EQ(gem_create(o->fd, HBM_CPU, SIZE, &hbm), 0);
	p = gem_map(o->fd, hbm, SIZE);
	ASSERT_NE(p, MAP_FAILED);
	memset(p, 0, SIZE);
	EXPECT_EQ(bind_user(o, p, SIZE, RW), -EOPNOTSUPP);
	EXPECT_EQ(bind_user(o, (void *)((uintptr_t)o->q.doorbell & ~(PAGE - 1)),
			    PAGE, RW), -EOPNOTSUPP);
	/* Registers of a device */
	file = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	if (file >= 0) {
		p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0xe0000);
		if (p != MAP_FAILED) {
			EXPECT_EQ(bind_user(o, p, PAGE, R), -EOPNOTSUPP);
		}
		close(file);
	}
	/* A file that is not in memory; a program is one */
	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(file, 0);
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
	ASSERT_NE(p, MAP_FAILED);
	EXPECT_EQ(bind_user(o, p, PAGE, R), -EOPNOTSUPP);
	close(file);
	/* No right at all */
	p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(p, MAP_FAILED);
	EXPECT_EQ(bind_user(o, p, PAGE, R), -EACCES);
	/* A part that will not do spoils the whole. */
	p = anon(4 * PAGE);
	ASSERT_NE(p, MAP_FAILED);
	ASSERT_EQ(bind_user(o, p, 4 * PAGE, RW), 0);
	ASSERT_EQ(mprotect(p + 2 * PAGE, PAGE, PROT_READ), 0);
	EXPECT_EQ(bind_user(o, p, 4 * PAGE, RW), -EACCES);
	EXPECT_EQ(bind_user(o, p, 4 * PAGE, R), 0);
}

TEST_HARNESS_MAIN
