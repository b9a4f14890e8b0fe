// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad input, call by call: the table below has every ioctl with arguments that
 * are good, and each test spoils one thing in them. A new ioctl that is not in
 * the table fails the first test.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define VA	(64 * LARGE)
#define VA2	(66 * LARGE)
#define VA_Q	(128 * LARGE)
#define SIZE	LARGE
#define GROUP	202
#define KEY	0xbad1bad1ULL
#define MAX_ARG	256

static const struct {
	const char *name;
	unsigned long nr;
} calls[] = {
#define IOCTL(name)	{ #name, DRM_IOCTL_##name },
#define COMMAND(name)
#include "calls.inc"
};

#define NUM_CALLS	(sizeof(calls) / sizeof(calls[0]))

/* A field that one can spoil */
enum kind { PAD, FLAGS, ENUM, HANDLE };

struct field {
	size_t offset, size;
	enum kind kind;
	uint64_t known;			/* flags; or first number that is none */
};

struct good {
	unsigned long nr;
	size_t size;
	struct field field[6];
	uint8_t arg[MAX_ARG];
};

#define F(type, member, k, known)					\
	{ offsetof(struct type, member),				\
	  sizeof(((struct type *)0)->member), k, known }

FIXTURE(bad)
{
	int fd;
	struct alink_ctx *ctx;
	uint32_t vm, hbm, host, syncobj;
	struct xq q;
	struct drm_alink_xpu_vm_bind_op op;
	struct good good[NUM_CALLS + 1];
	unsigned int n;
};

static void add(FIXTURE_DATA(bad) *self, unsigned long nr, const void *arg,
		const struct field *fields, unsigned int num)
{
	struct good *g = &self->good[self->n++];

	g->nr = nr;
	g->size = _IOC_SIZE(nr);
	memcpy(g->arg, arg, g->size);
	if (num)
		memcpy(g->field, fields, num * sizeof(*fields));
}

#define ADD(NAME, type, init, ...)					\
do {									\
	struct type arg_ = init;					\
	const struct field field_[] = { __VA_ARGS__ };			\
									\
	add(self, DRM_IOCTL_ALINK_XPU_##NAME, &arg_, field_,		\
	    sizeof(field_) / sizeof(field_[0]));			\
} while (0)
#define INIT(...)	{ __VA_ARGS__ }

static void fill_table(FIXTURE_DATA(bad) *self)
{
	self->op = (struct drm_alink_xpu_vm_bind_op) {
		.flags = RW, .handle = self->hbm, .addr = VA2, .range = SIZE,
	};
	ADD(QUERY, drm_alink_xpu_query, INIT(0),
	    F(drm_alink_xpu_query, query, ENUM, 4));
	ADD(GEM_CREATE, drm_alink_xpu_gem_create,
	    INIT(.size = PAGE, .flags = HOST),
	    F(drm_alink_xpu_gem_create, flags, FLAGS, 7));
	ADD(GEM_MMAP_OFFSET, drm_alink_xpu_gem_mmap_offset,
	    INIT(.handle = self->hbm),
	    F(drm_alink_xpu_gem_mmap_offset, flags, FLAGS, 0),
	    F(drm_alink_xpu_gem_mmap_offset, handle, HANDLE, 0));
	ADD(VM_CREATE, drm_alink_xpu_vm_create, INIT(0),
	    F(drm_alink_xpu_vm_create, flags, FLAGS, 0));
	ADD(VM_DESTROY, drm_alink_xpu_vm_destroy, INIT(.vm_id = self->vm),
	    F(drm_alink_xpu_vm_destroy, pad, PAD, 0),
	    F(drm_alink_xpu_vm_destroy, vm_id, HANDLE, 0));
	ADD(VM_BIND, drm_alink_xpu_vm_bind,
	    INIT(.vm_id = self->vm, .num_binds = 1,
		 .binds = (uintptr_t)&self->op),
	    F(drm_alink_xpu_vm_bind, flags, FLAGS, 1),
	    F(drm_alink_xpu_vm_bind, pad, PAD, 0),
	    F(drm_alink_xpu_vm_bind, vm_id, HANDLE, 0));
	ADD(QUEUE_CREATE, drm_alink_xpu_queue_create,
	    INIT(.vm_id = self->vm, .ring = VA, .status = VA + 4 * PAGE,
		 .size = 64, .priority = 1),
	    F(drm_alink_xpu_queue_create, flags, FLAGS, 0),
	    F(drm_alink_xpu_queue_create, pad, PAD, 0),
	    F(drm_alink_xpu_queue_create, priority, ENUM, 4),
	    F(drm_alink_xpu_queue_create, vm_id, HANDLE, 0));
	ADD(QUEUE_DESTROY, drm_alink_xpu_queue_destroy,
	    INIT(.queue_id = self->q.id),
	    F(drm_alink_xpu_queue_destroy, pad, PAD, 0),
	    F(drm_alink_xpu_queue_destroy, queue_id, HANDLE, 0));
	ADD(QUEUE_STATUS, drm_alink_xpu_queue_status,
	    INIT(.queue_id = self->q.id),
	    F(drm_alink_xpu_queue_status, queue_id, HANDLE, 0));
	ADD(WAIT_FENCE, drm_alink_xpu_wait_fence, INIT(.handle = self->hbm),
	    F(drm_alink_xpu_wait_fence, flags, FLAGS, 1),
	    F(drm_alink_xpu_wait_fence, pad, PAD, 0),
	    F(drm_alink_xpu_wait_fence, handle, HANDLE, 0));
	ADD(FENCE_SYNCOBJ, drm_alink_xpu_fence_syncobj,
	    INIT(.handle = self->hbm, .timeout_ms = 1,
		 .syncobj = self->syncobj),
	    F(drm_alink_xpu_fence_syncobj, flags, FLAGS, 1),
	    F(drm_alink_xpu_fence_syncobj, pad, PAD, 0),
	    F(drm_alink_xpu_fence_syncobj, handle, HANDLE, 0),
	    F(drm_alink_xpu_fence_syncobj, syncobj, HANDLE, 0));
	ADD(SEGMENT_EXPORT, drm_alink_xpu_segment_export,
	    INIT(.handle = self->hbm, .rights = 1),
	    F(drm_alink_xpu_segment_export, rights, FLAGS, 7),
	    F(drm_alink_xpu_segment_export, flags, FLAGS, 0),
	    F(drm_alink_xpu_segment_export, handle, HANDLE, 0));
	ADD(SEGMENT_REVOKE, drm_alink_xpu_segment_revoke, INIT(.export_id = 1),
	    F(drm_alink_xpu_segment_revoke, pad, PAD, 0),
	    F(drm_alink_xpu_segment_revoke, export_id, HANDLE, 0));
	ADD(SEGMENT_IMPORT, drm_alink_xpu_segment_import,
	    INIT(.segment = { .endpoint = 1, .segment = 1, .key = 1,
			      .size = PAGE, .rights = 1 }),
	    F(drm_alink_xpu_segment_import, segment.pad, PAD, 0),
	    F(drm_alink_xpu_segment_import, segment.rights, FLAGS, 7),
	    F(drm_alink_xpu_segment_import, flags, FLAGS, 0));
	ADD(GROUP_BIND, drm_alink_xpu_group_bind,
	    INIT(.group = GROUP, .key = KEY, .handle = self->hbm, .size = SIZE),
	    F(drm_alink_xpu_group_bind, flags, FLAGS, 0),
	    F(drm_alink_xpu_group_bind, handle, HANDLE, 0));
	ADD(GROUP_UNBIND, drm_alink_xpu_group_unbind, INIT(.bind_id = 1),
	    F(drm_alink_xpu_group_unbind, pad, PAD, 0),
	    F(drm_alink_xpu_group_unbind, bind_id, HANDLE, 0));
	ADD(GROUP_IMPORT, drm_alink_xpu_group_import,
	    INIT(.group = GROUP, .key = KEY, .size = SIZE),
	    F(drm_alink_xpu_group_import, flags, FLAGS, 0),
	    F(drm_alink_xpu_group_import, pad, PAD, 0));
}

FIXTURE_SETUP(bad)
{
	struct drm_alink_xpu_query_device dev;
	struct alink_group_info group = {
		.dev = ALINK_ALL, .id = GROUP, .key = KEY,
	};

	self->n = 0;
	memset(self->good, 0, sizeof(self->good));
	self->fd = xpu_open(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(alink_new(&self->ctx), 0);
	ASSERT_EQ(alink_fabric_up(self->ctx, 1), 0);
	ASSERT_EQ(xpu_device(self->fd, &dev), 0);
	alink_set_add(&group.members, dev.fabric_id);
	/* Should a test have died with it */
	alink_group_del(self->ctx, ALINK_ALL, GROUP);
	ASSERT_EQ(alink_group_add(self->ctx, &group), 0);
	ASSERT_EQ(vm_create(self->fd, &self->vm), 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, SIZE, &self->hbm), 0);
	ASSERT_EQ(gem_create(self->fd, HOST, SIZE, &self->host), 0);
	ASSERT_EQ(vm_map(self->fd, self->vm, self->hbm, 0, VA, SIZE, RWA), 0);
	ASSERT_EQ(xq_open(&self->q, self->fd, self->vm, VA_Q, 64), 0);
	ASSERT_EQ(syncobj_create(self->fd, &self->syncobj), 0);
	fill_table(self);
}

FIXTURE_TEARDOWN(bad)
{
	uint32_t h;

	/* Whatever was asked of it: the file still works. */
	EXPECT_EQ(xq_fill(&self->q, VA, 0x5a5a5a5a, SIZE), 0);
	EXPECT_EQ(gem_create(self->fd, HOST, PAGE, &h), 0);
	xq_close(&self->q);
	close(self->fd);
	EXPECT_EQ(alink_group_del(self->ctx, ALINK_ALL, GROUP), 0);
	alink_free(self->ctx);
}

TEST_F(bad, every_ioctl_is_in_the_table)
{
	unsigned int i, k;

	ASSERT_GE(NUM_CALLS, 17);
	EXPECT_EQ(self->n, NUM_CALLS);
	for (i = 0; i < NUM_CALLS; i++) {
		for (k = 0; k < self->n && self->good[k].nr != calls[i].nr; k++)
			;
		EXPECT_LT(k, self->n) {
			TH_LOG("%s", calls[i].name);
		}
	}
}

TEST_F(bad, reserved_flags_and_enums)
{
	unsigned int i, k, bit, tried = 0;
	uint8_t arg[MAX_ARG];

	for (i = 0; i < self->n; i++)
		for (k = 0; k < 6 && self->good[i].field[k].size; k++) {
			const struct field *f = &self->good[i].field[k];

			if (f->kind == HANDLE)
				continue;
			for (bit = 0; bit < 8 * f->size; bit++) {
				uint32_t value;

				if (f->kind == FLAGS && f->known >> bit & 1)
					continue;
				if (f->kind == ENUM &&
				    (1ULL << bit) < f->known)
					continue;
				memcpy(arg, self->good[i].arg, MAX_ARG);
				memcpy(&value, arg + f->offset, 4);
				value = f->kind == ENUM ? 1U << bit :
							  value | 1U << bit;
				memcpy(arg + f->offset, &value, 4);
				EXPECT_EQ(xpu_ioctl(self->fd, self->good[i].nr,
						    arg), -EINVAL) {
					TH_LOG("%s, offset %zu, bit %u",
					       calls[i].name, f->offset, bit);
				}
				tried++;
			}
			if (f->kind != ENUM)
				continue;
			for (bit = 0; bit < 2; bit++) {
				uint32_t value = bit ? ~0U : f->known;

				memcpy(arg, self->good[i].arg, MAX_ARG);
				memcpy(arg + f->offset, &value, 4);
				EXPECT_EQ(xpu_ioctl(self->fd, self->good[i].nr,
						    arg), -EINVAL);
			}
		}
	TH_LOG("%u spoilt calls", tried);
	EXPECT_GT(tried, 500);
}

TEST_F(bad, handles)
{
	static const uint32_t wrong[] = { 0, ~0U, 0x7fffffff, 12345 };
	uint8_t arg[MAX_ARG];
	unsigned int i, k, w;
	uint32_t freed;

	ASSERT_EQ(gem_create(self->fd, HBM_CPU, PAGE, &freed), 0);
	ASSERT_EQ(gem_close(self->fd, freed), 0);
	EXPECT_EQ(gem_close(self->fd, freed), -EINVAL);
	for (i = 0; i < self->n; i++)
		for (k = 0; k < 6 && self->good[i].field[k].size; k++) {
			const struct field *f = &self->good[i].field[k];

			for (w = 0; f->kind == HANDLE && w < 5; w++) {
				const uint32_t *v = w < 4 ? &wrong[w] : &freed;

				if (w == 4 && *v <= 4)
					continue;
				memcpy(arg, self->good[i].arg, MAX_ARG);
				memcpy(arg + f->offset, v, 4);
				EXPECT_EQ(xpu_ioctl(self->fd, self->good[i].nr,
						    arg), -ENOENT) {
					TH_LOG("%s, offset %zu, %#x",
					       calls[i].name, f->offset, *v);
				}
			}
		}
}

TEST_F(bad, unknown_numbers)
{
	uint8_t arg[MAX_ARG] = {};
	unsigned int nr, i;

	for (nr = DRM_COMMAND_BASE; nr < DRM_COMMAND_END; nr++) {
		for (i = 0; i < NUM_CALLS && _IOC_NR(calls[i].nr) != nr; i++)
			;
		if (i < NUM_CALLS)
			continue;
		ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOWR(nr, uint64_t), arg),
			  -EINVAL);
		ASSERT_EQ(xpu_ioctl(self->fd, DRM_IO(nr), arg), -EINVAL);
	}
	ASSERT_LT(xpu_ioctl(self->fd, _IOWR('?', 1, uint64_t), arg), 0);
}

/* What each call makes of an argument that is all zeros */
static const struct {
	unsigned long nr;
	int err;
} zeros[] = {
	{ DRM_IOCTL_ALINK_XPU_QUERY, 0 },
	{ DRM_IOCTL_ALINK_XPU_GEM_CREATE, EINVAL },
	{ DRM_IOCTL_ALINK_XPU_GEM_MMAP_OFFSET, ENOENT },
	{ DRM_IOCTL_ALINK_XPU_VM_CREATE, 0 },
	{ DRM_IOCTL_ALINK_XPU_VM_DESTROY, ENOENT },
	{ DRM_IOCTL_ALINK_XPU_VM_BIND, EINVAL },
	{ DRM_IOCTL_ALINK_XPU_QUEUE_CREATE, EINVAL },
	{ DRM_IOCTL_ALINK_XPU_QUEUE_DESTROY, ENOENT },
	{ DRM_IOCTL_ALINK_XPU_QUEUE_STATUS, ENOENT },
	{ DRM_IOCTL_ALINK_XPU_WAIT_FENCE, ENOENT },
	{ DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, EINVAL },
	{ DRM_IOCTL_ALINK_XPU_SEGMENT_EXPORT, EINVAL },
	{ DRM_IOCTL_ALINK_XPU_SEGMENT_REVOKE, ENOENT },
	{ DRM_IOCTL_ALINK_XPU_SEGMENT_IMPORT, EINVAL },
	{ DRM_IOCTL_ALINK_XPU_GROUP_BIND, EINVAL },
	{ DRM_IOCTL_ALINK_XPU_GROUP_UNBIND, ENOENT },
	{ DRM_IOCTL_ALINK_XPU_GROUP_IMPORT, EINVAL },
};

/* As the call returns it; 1: it is not in the table. */
static int of_zeros(unsigned long nr)
{
	unsigned int i;

	for (i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
		if (zeros[i].nr == nr)
			return -zeros[i].err;
	return 1;
}

/*
 * The size in the number is what is copied, never more: what is behind it in
 * user space stays as it is, and may not even be there. What is missing reads
 * as 0, so the call says the same of zeros of all sizes.
 */
TEST_F(bad, sizes_and_directions)
{
	static const unsigned int dirs[] = {
		_IOC_NONE, _IOC_READ, _IOC_WRITE, _IOC_READ | _IOC_WRITE,
	};
	uint8_t *mem = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i, d, s;
	unsigned long nr;

	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(mprotect(mem + 7 * PAGE, PAGE, PROT_NONE), 0);
	for (i = 0; i < NUM_CALLS; i++)
		for (d = 0; d < 4; d++) {
			size_t size = _IOC_SIZE(calls[i].nr);
			const size_t sizes[] = {
				0, 1, size - 1, size, size + 1, size + 8,
				PAGE, 16383,
			};

			for (s = 0; s < 8; s++) {
				uint8_t *arg = mem + 7 * PAGE - sizes[s];
				size_t at;

				memset(mem, 0xa5, 7 * PAGE);
				memset(arg, 0, sizes[s]);
				nr = _IOC(dirs[d], 'd', _IOC_NR(calls[i].nr),
					  sizes[s]);
				EXPECT_EQ(xpu_ioctl(self->fd, nr, arg),
					  of_zeros(calls[i].nr)) {
					TH_LOG("%s: %zu bytes, direction %u",
					       calls[i].name, sizes[s],
					       dirs[d]);
				}
				for (at = 0; mem + at < arg; at++)
					ASSERT_EQ(mem[at], 0xa5);
			}
		}
	munmap(mem, 8 * PAGE);
}

TEST_F(bad, pointers)
{
	uint8_t *mem = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *where[] = {
		NULL, (void *)0xffff888000000000, (void *)~0xfffUL,
		(void *)0x800000000000, (void *)0xdead0000, mem + PAGE,
		mem + PAGE - 4,
	};
	unsigned int i, w;

	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(mprotect(mem + PAGE, PAGE, PROT_NONE), 0);
	for (i = 0; i < NUM_CALLS; i++) {
		for (w = 0; w < sizeof(where) / sizeof(where[0]); w++) {
			EXPECT_EQ(xpu_ioctl(self->fd, calls[i].nr, where[w]),
				  -EFAULT) {
				TH_LOG("%s at %p", calls[i].name, where[w]);
			}
		}
		/* read-only: what is to be told does not arrive */
		memcpy(mem + 2 * PAGE, self->good[i].arg, MAX_ARG);
		ASSERT_EQ(mprotect(mem + 2 * PAGE, PAGE, PROT_READ), 0);
		if (_IOC_DIR(calls[i].nr) & _IOC_READ) {
			EXPECT_LT(xpu_ioctl(self->fd, self->good[i].nr,
					    mem + 2 * PAGE), 0);
		}
		ASSERT_EQ(mprotect(mem + 2 * PAGE, PAGE,
				   PROT_READ | PROT_WRITE), 0);
	}
	munmap(mem, 4 * PAGE);
}

/* Pointers within arguments: the operations of VM_BIND, the answer of QUERY */
TEST_F(bad, pointers_within)
{
	static const uint64_t where[] = {
		0, 0xffff888000000000, 0x800000000000, 0xdead0000, ~0ULL - 7,
	};
	struct drm_alink_xpu_vm_bind b = { .vm_id = self->vm, .num_binds = 1 };
	struct drm_alink_xpu_query q = { .size = 4096 };
	struct drm_alink_xpu_sync sync = { .handle = 4711 };
	unsigned int i;

	for (i = 0; i < 5; i++) {
		b.binds = where[i];
		EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
			  -EFAULT);
		q.data = where[i];
		q.size = 4096;
		EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_QUERY, &q),
			  -EFAULT);
	}
	b.binds = (uintptr_t)&self->op;
	b.num_syncs = 1;
	for (i = 0; i < 5; i++) {
		b.syncs = where[i];
		EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
			  -EFAULT);
	}
	b.syncs = (uintptr_t)&sync;
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
		  -ENOENT);
	sync.handle = self->syncobj;
	for (i = 1; i < 32; i++) {
		sync.flags = 1U << i;
		EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
			  -EINVAL);
	}
	/* A syncobj that nobody will ever signal is not waited for. */
	sync.flags = 0;
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
		  -EINVAL);
}

TEST_F(bad, counts)
{
	struct drm_alink_xpu_vm_bind b = {
		.vm_id = self->vm, .binds = (uintptr_t)&self->op,
	};
	static const uint32_t many[] = {
		DRM_ALINK_XPU_MAX_BINDS + 1, 1U << 26, 1U << 31, ~0U,
	};
	struct drm_alink_xpu_vm_bind_op op;
	unsigned int i, bit;

	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
		  -EINVAL);
	for (i = 0; i < 4; i++) {
		b.num_binds = many[i];
		EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
			  -E2BIG);
		b.num_binds = 1;
		b.num_syncs = many[i];
		EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b),
			  -E2BIG);
		b.num_syncs = 0;
	}
	/* Each field of an operation */
	for (bit = 3; bit < 32; bit++) {
		op = self->op;
		op.flags |= 1U << bit;
		EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), -EINVAL);
	}
	for (bit = 0; bit < 32; bit++) {
		op = self->op;
		op.pad = 1U << bit;
		EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), -EINVAL);
	}
	for (bit = 1; bit < 32; bit++) {
		op = self->op;
		/* 2 is memory of the caller: then a handle is too much. */
		op.op = 1U << bit;
		EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), -EINVAL);
	}
	for (bit = 47; bit < 64; bit++) {
		op = self->op;
		op.addr = 1ULL << bit;
		if (bit > 47) {
			EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), -EINVAL);
		}
		op = self->op;
		op.offset = 1ULL << bit;
		EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), -EINVAL);
		op = self->op;
		op.range = 1ULL << bit;
		EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), -EINVAL);
		op.offset = ~(PAGE - 1);
		op.range = PAGE << (bit - 47);
		EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), -EINVAL);
	}
	op = self->op;
	op.addr = ~(PAGE - 1);
	op.range = 2 * PAGE;
	EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), -EINVAL);
}

/* Memory of the caller: no address gives the kernel's, or another's. */
TEST_F(bad, memory_of_the_caller)
{
	struct drm_alink_xpu_vm_bind_op op = {
		.op = DRM_ALINK_XPU_VM_BIND_MAP_USER, .flags = RW, .addr = VA2,
		.range = PAGE,
	};
	unsigned int bit;
	void *mem;

	for (bit = 0; bit < 64; bit++) {
		op.offset = 1ULL << bit;
		EXPECT_NE(vm_bind(self->fd, self->vm, &op, 1), 0);
		op.offset = ~0ULL << bit & ~(PAGE - 1);
		EXPECT_NE(vm_bind(self->fd, self->vm, &op, 1), 0);
	}
	for (bit = 12; bit < 64; bit++) {
		op.offset = PAGE;
		op.range = 1ULL << bit;
		EXPECT_NE(vm_bind(self->fd, self->vm, &op, 1), 0);
	}
	/* A page between two that are nobody's */
	mem = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(mem, MAP_FAILED);
	ASSERT_EQ(munmap(mem, PAGE), 0);
	ASSERT_EQ(munmap(mem + 2 * PAGE, PAGE), 0);
	op.offset = (uintptr_t)mem;
	op.range = 2 * PAGE;
	EXPECT_NE(vm_bind(self->fd, self->vm, &op, 1), 0);
	op.offset += PAGE;
	EXPECT_NE(vm_bind(self->fd, self->vm, &op, 1), 0);
	op.range = PAGE;
	EXPECT_EQ(vm_bind(self->fd, self->vm, &op, 1), 0);
	EXPECT_EQ(vm_unmap(self->fd, self->vm, VA2, PAGE), 0);
	munmap(mem + PAGE, PAGE);
}

TEST_F(bad, objects_of_another_type)
{
	struct drm_alink_xpu_segment_handle seg;
	struct drm_alink_xpu_group_bind b = {
		.group = GROUP, .key = KEY, .handle = self->host, .size = SIZE,
	};
	struct drm_alink_xpu_group_import gi = {
		.group = GROUP, .key = KEY, .size = SIZE,
	};
	uint64_t off;
	uint32_t id;

	EXPECT_EQ(seg_export(self->fd, self->host, 1, &seg, &id), -EOPNOTSUPP);
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_GROUP_BIND, &b),
		  -EOPNOTSUPP);
	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_GROUP_IMPORT, &gi),
		  0);
	EXPECT_EQ(gem_offset(self->fd, gi.handle, &off), -EOPNOTSUPP);
	EXPECT_EQ(seg_export(self->fd, gi.handle, 1, &seg, &id), -EOPNOTSUPP);
	EXPECT_EQ(gem_close(self->fd, gi.handle), 0);
}

/*
 * One object, as often as one call can name it: each page of it at two places.
 * Each place works by itself, and the last one to go frees the memory.
 */
TEST_F(bad, one_object_twice)
{
	static struct drm_alink_xpu_vm_bind_op op[DRM_ALINK_XPU_MAX_BINDS];
	const unsigned int n = DRM_ALINK_XPU_MAX_BINDS, half = n / 2;
	struct drm_alink_xpu_query_memory before, after;
	volatile uint32_t *mem;
	uint32_t bo;
	unsigned int i;

	ASSERT_EQ(half * PAGE, SIZE);
	ASSERT_EQ(xpu_memory(self->fd, &before), 0);
	ASSERT_EQ(gem_create(self->fd, HBM_CPU, SIZE, &bo), 0);
	mem = gem_map(self->fd, bo, SIZE);
	ASSERT_NE(mem, MAP_FAILED);
	for (i = 0; i < n; i++)
		op[i] = (struct drm_alink_xpu_vm_bind_op) {
			.flags = RW, .handle = bo, .addr = VA2 + i * PAGE,
			.offset = i % half * PAGE, .range = PAGE,
		};
	ASSERT_EQ(vm_bind(self->fd, self->vm, op, n), 0);
	EXPECT_EQ(xq_fill(&self->q, VA2, 0x11111111, SIZE), 0);
	EXPECT_EQ(xq_fill(&self->q, VA2 + SIZE, 0x22222222, SIZE - PAGE), 0);
	EXPECT_EQ(mem[0], 0x22222222);
	EXPECT_EQ(mem[(SIZE - PAGE) / 4 - 1], 0x22222222);
	EXPECT_EQ(mem[(SIZE - PAGE) / 4], 0x11111111);

	/* In the place of itself, and of what it has just been bound to */
	for (i = 0; i < n; i++)
		op[i] = (struct drm_alink_xpu_vm_bind_op) {
			.flags = RW, .handle = bo, .addr = VA2,
			.offset = i % 2 ? 0 : PAGE,
			.range = i % 2 ? SIZE : PAGE,
		};
	ASSERT_EQ(vm_bind(self->fd, self->vm, op, n), 0);
	EXPECT_EQ(xq_fill(&self->q, VA2 + SIZE - PAGE, 0x33333333, PAGE), 0);
	EXPECT_EQ(mem[SIZE / 4 - 1], 0x33333333);

	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA2, SIZE), 0);
	EXPECT_EQ(xq_fill(&self->q, VA2 + SIZE, 0x44444444, SIZE), 0);
	EXPECT_EQ(mem[SIZE / 4 - 1], 0x44444444);
	munmap((void *)mem, SIZE);
	ASSERT_EQ(gem_close(self->fd, bo), 0);
	EXPECT_EQ(xq_fill(&self->q, VA2 + SIZE, 0, SIZE), 0);
	ASSERT_EQ(xpu_memory(self->fd, &after), 0);
	EXPECT_EQ(after.hbm_used, before.hbm_used + SIZE);
	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA2 + SIZE, SIZE), 0);
	ASSERT_EQ(xpu_memory(self->fd, &after), 0);
	EXPECT_EQ(after.hbm_used, before.hbm_used);
}

/* One syncobj in all places of a call: it is waited for, and signalled, once. */
TEST_F(bad, one_syncobj_twice)
{
	struct drm_alink_xpu_fence_syncobj gate = {
		.handle = self->host, .value = 1,
		.timeout_ms = DRM_ALINK_XPU_MAX_SYNCOBJ_MS,
		.syncobj = self->syncobj,
	};
	struct drm_alink_xpu_sync sync[DRM_ALINK_XPU_MAX_SYNCS] = {};
	const unsigned int n = DRM_ALINK_XPU_MAX_SYNCS;
	struct drm_alink_xpu_vm_bind b = {
		.vm_id = self->vm, .num_binds = 1, .num_syncs = n,
		.binds = (uintptr_t)&self->op, .syncs = (uintptr_t)sync,
	};
	volatile uint64_t *word = gem_map(self->fd, self->host, PAGE);
	uint32_t out, line;
	unsigned int i;

	ASSERT_NE(word, MAP_FAILED);
	ASSERT_EQ(syncobj_create(self->fd, &out), 0);
	ASSERT_EQ(syncobj_create(self->fd, &line), 0);
	for (i = 0; i < n; i++) {
		sync[i].handle = i % 2 ? out : self->syncobj;
		sync[i].flags = i % 2 ? DRM_ALINK_XPU_SYNC_SIGNAL : 0;
	}
	ASSERT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &gate),
		  0);
	ASSERT_EQ(vm_bind_async(self->fd, self->vm, &self->op, 1, sync, n), 0);
	EXPECT_EQ(syncobj_wait(self->fd, out, 0, 100), -ETIME);
	*word = 1;
	EXPECT_EQ(syncobj_wait(self->fd, out, 0, 20000), 0);
	EXPECT_EQ(xq_fill(&self->q, VA2, 0x5a5a5a5a, SIZE), 0);

	/* Also without ASYNC: then all of it is over when the call returns. */
	EXPECT_EQ(xpu_ioctl(self->fd, DRM_IOCTL_ALINK_XPU_VM_BIND, &b), 0);
	EXPECT_EQ(b.num_done, 1);
	EXPECT_EQ(syncobj_wait(self->fd, out, 0, 0), 0);

	/* The same point of a timeline, and then one before it */
	for (i = 0; i < n; i++)
		sync[i] = (struct drm_alink_xpu_sync) {
			.handle = line, .point = i < n - 1 ? 7 : 5,
			.flags = DRM_ALINK_XPU_SYNC_SIGNAL,
		};
	ASSERT_EQ(vm_bind_async(self->fd, self->vm, &self->op, 1, sync, n), 0);
	EXPECT_EQ(syncobj_wait(self->fd, line, 5, 20000), 0);
	EXPECT_EQ(syncobj_wait(self->fd, line, 7, 20000), 0);

	ASSERT_EQ(vm_unmap(self->fd, self->vm, VA2, SIZE), 0);
	munmap((void *)word, PAGE);
}

/* ioctl(2) as a 32-bit program calls it */
static int ioctl_32(int fd, unsigned long nr, void *low)
{
	int ret;

	asm volatile("int $0x80" : "=a" (ret)
		     : "a" (54), "b" (fd), "c" (nr), "d" (low)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

TEST_F(bad, compat)
{
	uint8_t *low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct drm_alink_xpu_gem_create *c = (void *)low;
	struct drm_alink_xpu_query *q = (void *)low;
	unsigned int i;

	ASSERT_NE(low, MAP_FAILED);
	*q = (struct drm_alink_xpu_query) {
		.data = (uintptr_t)low + 64, .size = 1024,
	};
	ASSERT_EQ(ioctl_32(self->fd, DRM_IOCTL_ALINK_XPU_QUERY, low), 0);
	EXPECT_EQ(q->size, sizeof(struct drm_alink_xpu_query_device));
	*c = (struct drm_alink_xpu_gem_create) { .size = PAGE, .flags = HBM };
	ASSERT_EQ(ioctl_32(self->fd, DRM_IOCTL_ALINK_XPU_GEM_CREATE, low), 0);
	EXPECT_EQ(gem_close(self->fd, c->handle), 0);
	for (i = 0; i < NUM_CALLS; i++) {
		memset(low, 0xff, PAGE);
		EXPECT_LT(ioctl_32(self->fd, calls[i].nr, low), 0);
		EXPECT_EQ(ioctl_32(self->fd, calls[i].nr, NULL), -EFAULT);
	}
	munmap(low, PAGE);
}

TEST_HARNESS_MAIN
