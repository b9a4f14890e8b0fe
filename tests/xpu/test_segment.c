// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments by netlink: what is shown of them, and to whom; one that is revoked
 * there, as its owner, importers and groups see it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm.h>

#include <alink.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define SIZE		(64UL << 10)
#define PARTITION	3
#define NOBODY		65534
#define NAME		"owner"
#define EXPORTS		300

FIXTURE(segment)
{
	struct alink_ctx *ctx;
	uint32_t dev, sw, generation;
	struct alink_xpu *xpu[2];
	struct alink_bo *mem[2];
	uint8_t *map;			/* of mem[1] */
	struct alink_bo *remote;	/* mem[1], as xpu[0] sees it */
	struct alink_handle handle;
	struct alink_segment_info *list;
	size_t n;
};

/* The index of a device; its generation, too, if that is wanted */
static uint32_t device(struct __test_metadata *_metadata,
		       struct alink_ctx *ctx, enum alink_devtype type,
		       uint32_t fabric_id, uint32_t *generation)
{
	struct alink_device_info *dev;
	uint32_t index = ALINK_ALL;
	size_t i, n;

	ASSERT_EQ(alink_devices(ctx, &dev, &n), 0);
	for (i = 0; i < n; i++) {
		if (dev[i].type != type || dev[i].fabric_id != fabric_id)
			continue;
		index = dev[i].index;
		if (generation)
			*generation = dev[i].generation;
	}
	free(dev);
	ASSERT_NE(index, ALINK_ALL);
	return index;
}

static void share(struct __test_metadata *_metadata,
		  FIXTURE_DATA(segment) *self)
{
	ASSERT_EQ(alink_export(self->mem[1], ALINK_SEG_READ | ALINK_SEG_WRITE,
			       &self->handle), 0);
	ASSERT_EQ(alink_import(self->xpu[0], &self->handle, &self->remote), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
}

FIXTURE_SETUP(segment)
{
	int i;

	ASSERT_EQ(prctl(PR_SET_NAME, NAME), 0);
	ASSERT_EQ(alink_new(&self->ctx), 0);
	self->dev = device(_metadata, self->ctx, ALINK_DEVTYPE_XPU, 1,
			   &self->generation);
	self->sw = device(_metadata, self->ctx, ALINK_DEVTYPE_SWITCH, 0, NULL);
	ASSERT_EQ(alink_fabric_up(self->ctx, PARTITION), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(alink_xpu_open(self->ctx, i, &self->xpu[i]), 0);
		ASSERT_EQ(alink_bo_alloc(self->xpu[i], SIZE,
					 ALINK_PLACE_HBM_CPU, &self->mem[i]),
			  0);
	}
	self->map = alink_bo_map(self->mem[1]);
	ASSERT_NE(self->map, NULL);
	share(_metadata, self);
}

static size_t look(struct __test_metadata *_metadata,
		   FIXTURE_DATA(segment) *self, uint32_t dev)
{
	free(self->list);
	self->list = NULL;
	ASSERT_EQ(alink_segments(self->ctx, dev, &self->list, &self->n), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	return self->n;
}

/* Whatever was revoked, all is given back, and no device was reset for it. */
FIXTURE_TEARDOWN(segment)
{
	uint32_t generation;
	int i;

	alink_bo_free(self->remote);
	for (i = 0; i < 2; i++) {
		alink_bo_free(self->mem[i]);
		alink_xpu_close(self->xpu[i]);
	}
	EXPECT_EQ(look(_metadata, self, ALINK_ALL), 0);
	device(_metadata, self->ctx, ALINK_DEVTYPE_XPU, 1, &generation);
	EXPECT_EQ(generation, self->generation);
	free(self->list);
	alink_free(self->ctx);
}

/* One command on a queue of its own; its status */
static int run(struct __test_metadata *_metadata, struct alink_xpu *xpu,
	       struct alink_xpu_desc d)
{
	struct alink_queue_state state;
	struct alink_queue *q;
	uint64_t seq;
	int err;

	ASSERT_EQ(alink_queue_open(xpu, 4, &q), 0);
	ASSERT_EQ(alink_cmd(q, &d, &seq), 0);
	err = alink_queue_wait(q, seq, PATIENCE_MS);
	alink_queue_state(q, &state);
	alink_queue_close(q);
	EXPECT_EQ(err, state.status ? -EIO : 0);
	return state.status;
}

/* A write to the other xPU: its status, and whether it had its effect */
static int write_there(struct __test_metadata *_metadata,
		       FIXTURE_DATA(segment) *self, struct alink_bo *there)
{
	int st;

	memset(self->map, 0x11, SIZE);
	st = run(_metadata, self->xpu[0],
		 fill_desc(alink_bo_va(there), 0x5a5a5a5a, SIZE));
	EXPECT_EQ(self->map[0], st ? 0x11 : 0x5a);
	EXPECT_EQ(self->map[SIZE - 1], st ? 0x11 : 0x5a);
	return st;
}

/* In a child: what FN returns there, negated */
static int in_child(int (*fn)(FIXTURE_DATA(segment) *self),
		    FIXTURE_DATA(segment) *self)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-fn(self));
	return -child_status(pid);
}

TEST_F(segment, is_shown)
{
	struct alink_segment_info *s;

	ASSERT_EQ(look(_metadata, self, ALINK_ALL), 1);
	ASSERT_EQ(look(_metadata, self, self->dev), 1);
	s = self->list;
	EXPECT_EQ(s->dev, self->dev);
	EXPECT_EQ(s->id, self->handle.segment);
	EXPECT_EQ(s->endpoint, 1);
	EXPECT_EQ(s->rights, ALINK_SEG_READ | ALINK_SEG_WRITE);
	EXPECT_EQ(s->size, SIZE);
	EXPECT_GE(s->extents, 1);
	EXPECT_EQ(s->partition, PARTITION);
	EXPECT_EQ(s->bindings, 0);
	EXPECT_EQ(s->pid, (uint32_t)getpid());
	EXPECT_STREQ(s->comm, NAME);

	/* It stays in the partition that it was exported in. */
	ASSERT_EQ(alink_partition_set(self->ctx, ALINK_ALL, 1, PARTITION + 1),
		  0);
	ASSERT_EQ(look(_metadata, self, self->dev), 1);
	EXPECT_EQ(self->list->partition, PARTITION);
	ASSERT_EQ(alink_partition_set(self->ctx, ALINK_ALL, 1, PARTITION), 0);

	EXPECT_EQ(alink_revoke(self->mem[1]), 0);
	EXPECT_EQ(look(_metadata, self, self->dev), 0);
	EXPECT_EQ(alink_segments(self->ctx, self->sw, &self->list, &self->n),
		  -EOPNOTSUPP);
}

/* More than one message, and more than one answer of the device, have room for */
TEST_F(segment, many_are_shown)
{
	struct alink_handle h;
	size_t i;

	for (i = 1; i < EXPORTS; i++)
		ASSERT_EQ(alink_export(self->mem[1], ALINK_SEG_READ, &h), 0);
	ASSERT_EQ(look(_metadata, self, ALINK_ALL), EXPORTS);
	for (i = 0; i < EXPORTS; i++)
		ASSERT_EQ(self->list[i].id, i);
}

TEST_F(segment, revoked)
{
	uint32_t id = self->handle.segment;
	struct alink_bo *old = self->remote, *other;
	struct alink_handle h;

	EXPECT_EQ(write_there(_metadata, self, old), ALINK_ST_OK);
	ASSERT_EQ(alink_segment_revoke(self->ctx, self->dev, id), 0) {
		TH_LOG("%s", alink_error(self->ctx));
	}
	EXPECT_EQ(write_there(_metadata, self, old), ALINK_ST_KEY);
	EXPECT_EQ(look(_metadata, self, ALINK_ALL), 0);
	EXPECT_EQ(alink_segment_revoke(self->ctx, self->dev, id), -ENOENT);

	/* The owner still has the number: what he exports now is another. */
	share(_metadata, self);
	EXPECT_NE(self->handle.segment, id);
	EXPECT_EQ(write_there(_metadata, self, self->remote), ALINK_ST_OK);
	EXPECT_EQ(write_there(_metadata, self, old), ALINK_ST_KEY);
	/* He gives both back, and what follows is as before. */
	EXPECT_EQ(alink_revoke(self->mem[1]), 0);
	EXPECT_EQ(write_there(_metadata, self, self->remote), ALINK_ST_KEY);
	ASSERT_EQ(alink_export(self->mem[1], ALINK_SEG_READ | ALINK_SEG_WRITE,
			       &h), 0);
	EXPECT_EQ(h.segment, id);
	ASSERT_EQ(alink_import(self->xpu[0], &h, &other), 0);
	EXPECT_EQ(write_there(_metadata, self, other), ALINK_ST_OK);
	EXPECT_EQ(write_there(_metadata, self, old), ALINK_ST_KEY);
	alink_bo_free(other);
	alink_bo_free(old);
}

TEST_F(segment, refusals)
{
	struct alink_ctx *ctx = self->ctx;

	EXPECT_EQ(alink_segment_revoke(ctx, self->dev, 77), -ENOENT);
	EXPECT_NE(strstr(alink_error(ctx), "has no segment 77"), NULL);
	EXPECT_EQ(alink_segment_revoke(ctx, self->dev, ALINK_MAX_SEGMENTS),
		  -ERANGE);
	EXPECT_EQ(alink_segment_revoke(ctx, self->sw, 0), -EOPNOTSUPP);
	EXPECT_NE(strstr(alink_error(ctx), "has no such table"), NULL);
	EXPECT_EQ(alink_segment_revoke(ctx, 9999, 0), -ENODEV);
	EXPECT_EQ(write_there(_metadata, self, self->remote), ALINK_ST_OK);
}

static int as_nobody(FIXTURE_DATA(segment) *self)
{
	struct alink_segment_info *list;
	struct alink_ctx *ctx;
	size_t n;

	if (setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY) || alink_new(&ctx))
		return -EFAULT;
	if (alink_segments(ctx, ALINK_ALL, &list, &n) || n != 1)
		return -EBADMSG;
	return alink_segment_revoke(ctx, self->dev, list->id);
}

static int in_other_net(FIXTURE_DATA(segment) *self)
{
	struct alink_segment_info *list;
	struct alink_ctx *ctx;
	size_t n;
	int err;

	if (unshare(CLONE_NEWNET) || alink_new(&ctx))
		return -EFAULT;
	err = alink_segment_revoke(ctx, self->dev, self->handle.segment);
	return alink_segments(ctx, ALINK_ALL, &list, &n) == err ? err :
								  -EBADMSG;
}

static int in_other_pids(FIXTURE_DATA(segment) *self)
{
	struct alink_segment_info *list;
	struct alink_ctx *ctx;
	size_t n;
	pid_t pid;

	(void)self;
	if (unshare(CLONE_NEWPID))
		return -EFAULT;
	pid = fork();
	if (pid)
		return -child_status(pid);
	if (alink_new(&ctx) || alink_segments(ctx, ALINK_ALL, &list, &n) ||
	    n != 1)
		_exit(EBADMSG);
	_exit(list->pid || list->comm[0] ? EEXIST : 0);
}

TEST_F(segment, who_sees_and_who_may)
{
	EXPECT_EQ(in_child(as_nobody, self), -EPERM);
	EXPECT_EQ(in_child(in_other_net, self), -ENOPROTOOPT);
	EXPECT_EQ(in_child(in_other_pids, self), 0);
	EXPECT_EQ(write_there(_metadata, self, self->remote), ALINK_ST_OK);
}

/* Segments belong to jobs: whoever manages routes and partitions. */
TEST_F(segment, with_a_manager)
{
	int to[2];
	pid_t pid;
	char c;

	ASSERT_EQ(pipe(to), 0);
	pid = fork();
	if (!pid) {
		struct alink_ctx *ctx;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!alink_new(&ctx) &&
		    !alink_manager_claim(ctx, "tester", 30000) &&
		    write(to[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(to[1]);
	ASSERT_EQ(read(to[0], &c, 1), 1);
	EXPECT_EQ(alink_partition_set(self->ctx, ALINK_ALL, 1, PARTITION),
		  -EBUSY);
	EXPECT_EQ(alink_segment_revoke(self->ctx, self->dev,
				       self->handle.segment), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(to[0]);
	EXPECT_EQ(write_there(_metadata, self, self->remote), ALINK_ST_KEY);
}

TEST_F(segment, of_a_group)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_REDUCE_READ, .subop = ALINK_OP_SUM,
		.dtype = ALINK_DT_INT32, .dst = alink_bo_va(self->mem[0]),
		.len = SIZE,
	};
	struct alink_set members = {};
	struct alink_bo *all;
	uint64_t key;
	uint32_t id;
	size_t i;

	alink_set_add(&members, 0);
	alink_set_add(&members, 1);
	ASSERT_EQ(alink_group_make(self->ctx, &members, &id, &key), 0);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(alink_group_bind(self->mem[i], id, key, 0, SIZE), 0);
	ASSERT_EQ(alink_group_map(self->xpu[0], id, key, SIZE, &all), 0);
	d.src = alink_bo_va(all);
	EXPECT_EQ(run(_metadata, self->xpu[0], d), ALINK_ST_OK);

	ASSERT_EQ(look(_metadata, self, self->dev), 2);
	for (i = 0; i < 2 && !self->list[i].bindings; i++)
		;
	ASSERT_LT(i, 2);
	EXPECT_EQ(self->list[i].bindings, 1);
	EXPECT_EQ(self->list[i].rights,
		  ALINK_SEG_READ | ALINK_SEG_WRITE | ALINK_SEG_GROUP);
	ASSERT_EQ(alink_segment_revoke(self->ctx, self->dev,
				       self->list[i].id), 0);
	EXPECT_EQ(run(_metadata, self->xpu[0], d), ALINK_ST_GROUP);

	/* Its binding is the owner's, to be given back, and made anew. */
	EXPECT_EQ(alink_group_bind(self->mem[1], id, key, 0, SIZE), -EEXIST);
	alink_bo_free(self->remote);
	alink_bo_free(self->mem[1]);
	ASSERT_EQ(alink_bo_alloc(self->xpu[1], SIZE, ALINK_PLACE_HBM_CPU,
				 &self->mem[1]), 0);
	self->map = alink_bo_map(self->mem[1]);
	share(_metadata, self);
	ASSERT_EQ(alink_group_bind(self->mem[1], id, key, 0, SIZE), 0);
	EXPECT_EQ(run(_metadata, self->xpu[0], d), ALINK_ST_OK);
	alink_bo_free(all);
	for (i = 0; i < 2; i++)
		alink_bo_free(self->mem[i]);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(alink_bo_alloc(self->xpu[i], SIZE,
					 ALINK_PLACE_HBM_CPU, &self->mem[i]),
			  0);
	EXPECT_EQ(alink_group_del(self->ctx, ALINK_ALL, id), 0);
}

/* One that nobody asked for by its name: of a dma-buf that another xPU imports */
TEST_F(segment, of_a_dma_buf)
{
	uint32_t theirs, ours;
	int from, to, buf;
	size_t i;

	from = xpu_open(1);
	to = xpu_open(0);
	ASSERT_GE(from, 0);
	ASSERT_GE(to, 0);
	ASSERT_EQ(gem_create(from, HBM, SIZE, &theirs), 0);
	buf = prime_export(from, theirs, DRM_CLOEXEC | DRM_RDWR);
	ASSERT_GE(buf, 0);
	EXPECT_EQ(look(_metadata, self, self->dev), 1);
	ASSERT_EQ(prime_import(to, buf, &ours), 0);
	ASSERT_EQ(look(_metadata, self, self->dev), 2);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(self->list[i].pid, (uint32_t)getpid());
		EXPECT_EQ(alink_segment_revoke(self->ctx, self->dev,
					       self->list[i].id), 0);
	}
	EXPECT_EQ(look(_metadata, self, self->dev), 0);
	EXPECT_EQ(gem_close(to, ours), 0);
	close(buf);
	close(from);
	close(to);
}

/* The same loss: then it is nobody's to revoke, and the owner gives it back. */
TEST_F(segment, after_a_reset)
{
	struct drm_alink_xpu_segment_handle h;
	uint32_t bo, id;
	char sysfs[256];
	int fd;

	fd = xpu_open(1);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(gem_create(fd, HBM, SIZE, &bo), 0);
	ASSERT_EQ(seg_export(fd, bo, DRM_ALINK_XPU_SEGMENT_READ, &h, &id), 0);
	ASSERT_EQ(look(_metadata, self, self->dev), 2);
	ASSERT_EQ(xpu_sysfs(fd, sysfs, sizeof(sysfs)), 0);
	ASSERT_EQ(pci_write(sysfs, "reset", "1"), 0);
	self->generation++;
	EXPECT_EQ(look(_metadata, self, self->dev), 0);
	EXPECT_EQ(alink_segment_revoke(self->ctx, self->dev, h.segment),
		  -ENOENT);
	EXPECT_EQ(seg_revoke(fd, id), 0);
	close(fd);
}

/* Owner and administrator at the same time: no device is cut off for it. */
TEST_F_TIMEOUT(segment, both_at_once, 240)
{
	struct alink_handle h;
	uint32_t i, taken = 0;
	int to[2], err;
	pid_t pid;

	ASSERT_EQ(pipe2(to, O_NONBLOCK), 0);
	pid = fork();
	if (!pid) {
		struct alink_ctx *ctx;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (alink_new(&ctx))
			_exit(1);
		for (i = 0; ; i++) {
			err = alink_segment_revoke(ctx, self->dev, i % 2);
			if (err && err != -ENOENT)
				_exit(2);
			if (!err && write(to[1], "", 1) < 0)
				_exit(3);
		}
	}
	for (i = 0; i < 2000; i++) {
		ASSERT_EQ(alink_export(self->mem[1], ALINK_SEG_READ, &h), 0);
		ASSERT_EQ(alink_revoke(self->mem[1]), 0);
	}
	EXPECT_EQ(kill(pid, 0), 0);
	EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (read(to[0], &i, 1) == 1)
		taken++;
	EXPECT_GT(taken, 0);
	TH_LOG("%u were revoked before their owner did", taken);
	close(to[0]);
	close(to[1]);
}

TEST_HARNESS_MAIN
