// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: a ring of descriptors, its status block and fence in one buffer of
 * system memory, and the doorbell page.
 *
 * Every command carries a fence, so that a sequence number is all that a
 * caller needs to wait; only the last one before a kick asks for an interrupt.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <drm/alink_xpu.h>

#include "alink_priv.h"

struct alink_queue {
	struct alink_xpu *xpu;
	struct alink_bo *bo;
	struct alink_bo *blocks;	/* of COMPUTE, one a slot; or NULL */
	struct alink_xpu_desc *ring;
	const struct alink_xpu_queue_status *status;
	const uint64_t *fence;
	uint64_t fence_offset;
	void *doorbell_page;
	volatile uint32_t *doorbell;
	uint32_t id;
	uint32_t depth;
	uint64_t head;		/* commands known to be done */
	uint64_t tail;		/* commands appended */
	uint64_t kicked;	/* commands started */
	unsigned int spin;	/* looks at memory before sleep */
};

int alink_queue_open(struct alink_xpu *xpu, uint32_t depth,
		     struct alink_queue **out)
{
	uint64_t ring_bytes = (uint64_t)depth * sizeof(struct alink_xpu_desc);
	struct drm_alink_xpu_queue_create create = {
		.vm_id = xpu->vm,
		.size = depth,
		.priority = DRM_ALINK_XPU_PRIORITY_NORMAL,
	};
	struct drm_alink_xpu_queue_destroy destroy = {};
	struct alink_queue *q;
	uint64_t status_at;
	char *map;
	int err;

	if (depth < 2 || depth > 65536 || (depth & (depth - 1)))
		return alink_fail(xpu->ctx, -EINVAL,
				  "queue depth %u: a power of two from 2 to 65536 is wanted",
				  depth);
	q = calloc(1, sizeof(*q));
	if (!q)
		return alink_fail(xpu->ctx, -ENOMEM, "out of memory");
	q->xpu = xpu;
	q->depth = depth;
	q->spin = ALINK_SPIN_DEFAULT;
	/* Status block and fence share a page of their own behind the ring. */
	status_at = (ring_bytes + xpu->page - 1) / xpu->page * xpu->page;
	err = alink_bo_alloc(xpu, status_at + xpu->page, ALINK_PLACE_HOST,
			     &q->bo);
	if (err)
		goto err_free;
	map = alink_bo_map(q->bo);
	if (!map) {
		err = -ENOMEM;
		goto err_bo;
	}
	q->ring = (struct alink_xpu_desc *)map;
	q->status = (const struct alink_xpu_queue_status *)(map + status_at);
	q->fence_offset = status_at + sizeof(*q->status);
	q->fence = (const uint64_t *)(map + q->fence_offset);
	create.ring = alink_bo_va(q->bo);
	create.status = alink_bo_va(q->bo) + status_at;
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_QUEUE_CREATE, &create);
	if (err) {
		alink_fail(xpu->ctx, err, "%s: create queue: %s", xpu->node,
			   err == -ENOSPC ? "all queues are in use" :
			   strerror(-err));
		goto err_bo;
	}
	q->id = create.queue_id;
	q->doorbell_page = mmap(NULL, xpu->db_size, PROT_READ | PROT_WRITE,
				MAP_SHARED, xpu->fd,
				(off_t)create.doorbell_offset);
	if (q->doorbell_page == MAP_FAILED) {
		err = alink_fail(xpu->ctx, -errno, "%s: map doorbell: %s",
				 xpu->node, strerror(errno));
		goto err_queue;
	}
	q->doorbell = (volatile uint32_t *)((char *)q->doorbell_page +
					    xpu->db_tail);
	*out = q;
	return 0;

err_queue:
	destroy.queue_id = q->id;
	xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_QUEUE_DESTROY, &destroy);
err_bo:
	alink_bo_free(q->bo);
err_free:
	free(q);
	return err;
}

void alink_queue_close(struct alink_queue *q)
{
	struct drm_alink_xpu_queue_destroy destroy = {};

	if (!q)
		return;
	destroy.queue_id = q->id;
	munmap(q->doorbell_page, q->xpu->db_size);
	xpu_ioctl(q->xpu->fd, DRM_IOCTL_ALINK_XPU_QUEUE_DESTROY, &destroy);
	alink_bo_free(q->blocks);
	alink_bo_free(q->bo);
	free(q);
}

static uint64_t queue_fence(const struct alink_queue *q)
{
	return le64toh(__atomic_load_n(q->fence, __ATOMIC_ACQUIRE));
}

bool alink_queue_done(const struct alink_queue *q, uint64_t seq)
{
	return queue_fence(q) >= seq;
}

int alink_queue_reserve(struct alink_queue *q, uint32_t commands)
{
	if (q->tail - q->head + commands > q->depth)
		q->head = queue_fence(q);
	if (q->tail - q->head + commands > q->depth)
		return alink_fail(q->xpu->ctx, -EAGAIN,
				  "queue is full: kick and wait");
	return 0;
}

int alink_queue_func(struct alink_queue *q, enum alink_xpu_func func)
{
	if ((unsigned int)func < 32 &&
	    (q->xpu->info.compute_funcs >> func & 1))
		return 0;
	return alink_fail(q->xpu->ctx, -EOPNOTSUPP,
			  "%s: no function %d in its compute engines",
			  q->xpu->node, func);
}

/* A block of each slot of the ring: it is free when the slot is. */
int alink_queue_block(struct alink_queue *q, struct alink_xpu_compute **block,
		      uint64_t *va)
{
	uint64_t at = (q->tail & (q->depth - 1)) * sizeof(**block);
	struct alink_xpu_compute *map;
	int err = alink_queue_reserve(q, 1);

	if (!err && !q->blocks)
		err = alink_bo_alloc(q->xpu, q->depth * sizeof(**block),
				     ALINK_PLACE_HOST, &q->blocks);
	if (err)
		return err;
	map = alink_bo_map(q->blocks);
	if (!map)
		return -ENOMEM;
	*block = map + at / sizeof(**block);
	*va = alink_bo_va(q->blocks) + at;
	return 0;
}

int alink_cmd(struct alink_queue *q, const struct alink_xpu_desc *desc,
	      uint64_t *seq)
{
	struct alink_xpu_desc *slot = &q->ring[q->tail & (q->depth - 1)];
	int err = alink_queue_reserve(q, 1);

	if (err)
		return err;
	*slot = *desc;
	slot->flags |= ALINK_XPU_DF_FENCE;
	slot->fence_addr = htole64(alink_bo_va(q->bo) + q->fence_offset);
	slot->fence_value = htole64(++q->tail);
	if (seq)
		*seq = q->tail;
	return 0;
}

int alink_cmd_nop(struct alink_queue *q, uint64_t *seq)
{
	struct alink_xpu_desc d = { .opcode = ALINK_XPU_OP_NOP };

	return alink_cmd(q, &d, seq);
}

int alink_cmd_copy(struct alink_queue *q, uint64_t dst, uint64_t src,
		   uint64_t bytes, uint64_t *seq)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_COPY,
		.dst = htole64(dst),
		.src = htole64(src),
		.len = htole64(bytes),
	};

	return alink_cmd(q, &d, seq);
}

int alink_cmd_fill(struct alink_queue *q, uint64_t dst, uint32_t value,
		   uint64_t bytes, uint64_t *seq)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_FILL,
		.dst = htole64(dst),
		.src = htole64(value),
		.len = htole64(bytes),
	};

	return alink_cmd(q, &d, seq);
}

static int cmd_reduce(struct alink_queue *q, uint8_t flags, uint64_t dst,
		      uint64_t a, uint64_t b, uint64_t bytes,
		      enum alink_dtype dtype, enum alink_redop op, uint64_t *seq)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_REDUCE,
		.flags = flags,
		.dtype = (uint8_t)dtype,
		.subop = (uint8_t)op,
		.dst = htole64(dst),
		.src = htole64(a),
		.src2 = htole64(b),
		.len = htole64(bytes),
	};

	return alink_cmd(q, &d, seq);
}

int alink_cmd_reduce(struct alink_queue *q, uint64_t dst, uint64_t a,
		     uint64_t b, uint64_t bytes, enum alink_dtype dtype,
		     enum alink_redop op, uint64_t *seq)
{
	return cmd_reduce(q, 0, dst, a, b, bytes, dtype, op, seq);
}

int alink_cmd_reduce_keep(struct alink_queue *q, uint64_t dst, uint64_t a,
			  uint64_t b, uint64_t bytes, enum alink_dtype dtype,
			  enum alink_redop op, uint64_t *seq)
{
	if (!(q->xpu->info.caps & ALINK_CAP_REDUCE_KEEP))
		return alink_fail(q->xpu->ctx, -EOPNOTSUPP,
				  "%s: a REDUCE of this xPU keeps no result",
				  q->xpu->node);
	return cmd_reduce(q, ALINK_XPU_DF_KEEP, dst, a, b, bytes, dtype, op, seq);
}

int alink_cmd_reduce_read(struct alink_queue *q, uint64_t dst, uint64_t src,
			  uint64_t bytes, enum alink_dtype dtype,
			  enum alink_redop op, uint64_t *seq)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_REDUCE_READ,
		.dtype = (uint8_t)dtype,
		.subop = (uint8_t)op,
		.dst = htole64(dst),
		.src = htole64(src),
		.len = htole64(bytes),
	};

	return alink_cmd(q, &d, seq);
}

int alink_cmd_push_reduce(struct alink_queue *q, uint64_t dst, uint64_t src,
			  uint64_t bytes, enum alink_dtype dtype,
			  enum alink_redop op, uint64_t epoch,
			  uint32_t timeout_ms, uint64_t *seq)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_PUSH_REDUCE,
		.dtype = (uint8_t)dtype,
		.subop = (uint8_t)op,
		.dst = htole64(dst),
		.src = htole64(src),
		.src2 = htole64(ALINK_XPU_PUSH(epoch, timeout_ms)),
		.len = htole64(bytes),
	};

	if (!(q->xpu->info.caps & ALINK_CAP_PUSH))
		return alink_fail(q->xpu->ctx, -EOPNOTSUPP,
				  "%s: this xPU has no reducing push",
				  q->xpu->node);
	if (epoch > ALINK_PUSH_MAX_EPOCH || timeout_ms > UINT16_MAX)
		return alink_fail(q->xpu->ctx, -EINVAL,
				  "push: epochs have 48 bits, times up to 65535 ms");
	return alink_cmd(q, &d, seq);
}

int alink_cmd_atomic(struct alink_queue *q, unsigned int width, uint64_t dst,
		     enum alink_atomic op, uint64_t operand, uint64_t compare,
		     uint64_t old_va, uint64_t *seq)
{
	struct alink_xpu_desc d = {
		.subop = (uint8_t)op,
		.dst = htole64(dst),
		.src = htole64(operand),
		.src2 = htole64(compare),
		.len = htole64(old_va),
	};

	if (width != 4 && width != 8)
		return alink_fail(q->xpu->ctx, -EINVAL,
				  "atomic of %u bytes: 4 or 8 are possible",
				  width);
	d.opcode = width == 4 ? ALINK_XPU_OP_ATOMIC32 : ALINK_XPU_OP_ATOMIC64;
	return alink_cmd(q, &d, seq);
}

int alink_cmd_wait(struct alink_queue *q, uint64_t va, enum alink_wait cond,
		   uint64_t value, uint64_t *seq)
{
	return alink_cmd_wait_ms(q, va, cond, value, 0, seq);
}

int alink_cmd_wait_ms(struct alink_queue *q, uint64_t va, enum alink_wait cond,
		      uint64_t value, uint32_t timeout_ms, uint64_t *seq)
{
	struct alink_xpu_desc d = {
		.opcode = ALINK_XPU_OP_WAIT,
		.subop = (uint8_t)cond,
		.dst = htole64(va),
		.src = htole64(value),
		.src2 = htole64(timeout_ms),
	};

	if (timeout_ms && !(q->xpu->info.caps & ALINK_CAP_WAIT_MS))
		return alink_fail(q->xpu->ctx, -EOPNOTSUPP,
				  "%s: a wait of this xPU has no time-out",
				  q->xpu->node);
	return alink_cmd(q, &d, seq);
}

void alink_queue_kick(struct alink_queue *q)
{
	if (q->kicked == q->tail)
		return;
	if (q->spin != ALINK_SPIN_ONLY)
		q->ring[(q->tail - 1) & (q->depth - 1)].flags |=
			ALINK_XPU_DF_IRQ;
	/* The device must not see the tail before the descriptors. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*q->doorbell = htole32((uint32_t)q->tail);
	q->kicked = q->tail;
}

/* Looks until it is done, the queue has stopped, or the time is over. */
static void spin(const struct alink_queue *q, uint64_t seq, int64_t deadline)
{
	const volatile struct alink_xpu_queue_status *st = q->status;
	struct timespec now;
	unsigned int i;

	for (i = 0; !alink_queue_done(q, seq); i++) {
		if (q->spin != ALINK_SPIN_ONLY && i == q->spin)
			return;
		if (i % 4096 != 4095)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (st->error || now.tv_sec * 1000000000LL + now.tv_nsec >
		    deadline)
			return;
	}
}

/* What WAIT_FENCE said of a command that was waited for */
static int wait_result(const struct alink_queue *q, uint64_t seq,
		       int timeout_ms, int err,
		       const struct drm_alink_xpu_wait_fence *wait)
{
	struct alink_ctx *ctx = q->xpu->ctx;

	switch (err) {
	case 0:
		return 0;
	case -ETIME:
		return alink_fail(ctx, err, "%s: command %llu not done in %d ms",
				  q->xpu->node, (unsigned long long)seq,
				  timeout_ms);
	case -EIO:
		return alink_fail(ctx, err,
				  "%s: command %u failed: %s (address %#llx)",
				  q->xpu->node, wait->error.index + 1,
				  alink_status_name(wait->error.status),
				  (unsigned long long)wait->error.addr);
	case -ECANCELED:
		return alink_fail(ctx, err, "%s: the device was reset",
				  q->xpu->node);
	case -ENODEV:
		return alink_fail(ctx, err, "%s: the device is gone",
				  q->xpu->node);
	default:
		return alink_fail(ctx, err, "%s: wait: %s", q->xpu->node,
				  strerror(-err));
	}
}

static int sleep_until(struct alink_queue *q, uint64_t seq, int timeout_ms,
		       int64_t deadline)
{
	struct drm_alink_xpu_wait_fence wait = {
		.queue_id = q->id,
		.handle = q->bo->handle,
		.addr = q->fence_offset,
		.value = seq,
		.timeout_ns = deadline,
	};
	int err = xpu_ioctl(q->xpu->fd, DRM_IOCTL_ALINK_XPU_WAIT_FENCE, &wait);

	return wait_result(q, seq, timeout_ms, err, &wait);
}

int alink_queue_wait(struct alink_queue *q, uint64_t seq, int timeout_ms)
{
	int64_t deadline;

	if (seq > q->tail)
		return alink_fail(q->xpu->ctx, -EINVAL,
				  "no command %llu: the latest is %llu",
				  (unsigned long long)seq,
				  (unsigned long long)q->tail);
	if (seq > q->kicked)
		alink_queue_kick(q);
	deadline = alink_deadline_ns(timeout_ms);
	spin(q, seq, deadline);
	if (alink_queue_done(q, seq))
		return 0;
	return sleep_until(q, seq, timeout_ms, deadline);
}

int alink_queue_sleep(struct alink_queue *q, uint64_t seq, int timeout_ms)
{
	return sleep_until(q, seq, timeout_ms, alink_deadline_ns(timeout_ms));
}

int alink_queue_sync(struct alink_queue *q, uint64_t seq, uint32_t life_ms,
		     const struct alink_sync_point *out)
{
	struct drm_alink_xpu_fence_syncobj args = {
		.queue_id = q->id,
		.handle = q->bo->handle,
		.addr = q->fence_offset,
		.value = seq,
		.timeout_ms = life_ms,
		.point = out->point,
	};
	struct alink_xpu *xpu = q->xpu;
	int err;

	if (seq > q->tail)
		return alink_fail(xpu->ctx, -EINVAL,
				  "no command %llu: the latest is %llu",
				  (unsigned long long)seq,
				  (unsigned long long)q->tail);
	if (!life_ms || life_ms > ALINK_SYNC_MAX_LIFE_MS)
		return alink_fail(xpu->ctx, -EINVAL,
				  "a fence that lives %u ms: 1 to %u are possible",
				  life_ms, ALINK_SYNC_MAX_LIFE_MS);
	err = alink_sync_handle(xpu, out, &args.syncobj);
	if (err)
		return err;
	if (seq > q->kicked)
		alink_queue_kick(q);
	err = xpu_ioctl(xpu->fd, DRM_IOCTL_ALINK_XPU_FENCE_SYNCOBJ, &args);
	if (err)
		return alink_fail(xpu->ctx, err, "%s: fence of command %llu: %s",
				  xpu->node, (unsigned long long)seq,
				  err == -ENOSPC ?
				  "the xPU follows as many as it can: wait for some" :
				  strerror(-err));
	return 0;
}

void alink_queue_set_spin(struct alink_queue *q, unsigned int looks)
{
	q->spin = looks;
}

/*
 * Of a queue that was stuck the status block says that somebody ended it, or
 * nothing at all if that took a reset: the driver knows better.
 */
static void ask_driver(const struct alink_queue *q, struct alink_queue_state *s)
{
	struct drm_alink_xpu_queue_status answer = { .queue_id = q->id };
	int err = xpu_ioctl(q->xpu->fd, DRM_IOCTL_ALINK_XPU_QUEUE_STATUS,
			      &answer);

	if (err || !answer.error.status)
		return;
	s->status = answer.error.status;
	s->index = answer.error.index;
	s->addr = answer.error.addr;
}

void alink_queue_state(const struct alink_queue *q, struct alink_queue_state *s)
{
	const struct alink_xpu_queue_status *st = q->status;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	*s = (struct alink_queue_state) {
		.status = le32toh(st->error),
		.index = le32toh(st->error_index),
		.addr = le64toh(st->error_addr),
		.model_ns = le64toh(st->model_ns),
		.model_last_ns = le64toh(st->model_last_ns),
		.bytes = le64toh(st->bytes),
		.head = le32toh(st->head),
	};
	/* Where all is well that would be a call for nothing. */
	if (s->status || !alink_queue_done(q, q->kicked))
		ask_driver(q, s);
}
