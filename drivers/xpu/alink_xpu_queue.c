// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues. User space fills rings and rings doorbells by itself; what is here
 * makes and destroys queues, and learns why they stop.
 */
#include <linux/capability.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

/* Priorities are the same numbers in the device. */
static_assert(DRM_ALINK_XPU_PRIORITY_LOW == (int)ALINK_XPU_PRIORITY_LOW);
static_assert(DRM_ALINK_XPU_PRIORITY_NORMAL == (int)ALINK_XPU_PRIORITY_NORMAL);
static_assert(DRM_ALINK_XPU_PRIORITY_HIGH == (int)ALINK_XPU_PRIORITY_HIGH);
static_assert(DRM_ALINK_XPU_PRIORITY_REALTIME ==
	      (int)ALINK_XPU_PRIORITY_REALTIME);

#define STATUS_WORD(field) \
	(offsetof(struct alink_xpu_queue_status, field) & ~7U)

/* --- life --------------------------------------------------------------- */

static void xpu_queue_free(struct kref *ref)
{
	struct xpu_queue *q = container_of(ref, struct xpu_queue, ref);

	alink_xpu_loc_put(&q->status);
	if (q->dummy)
		__free_page(q->dummy);
	mutex_destroy(&q->map_lock);
	kfree(q);
}

void alink_xpu_queue_put(struct xpu_queue *q)
{
	kref_put(&q->ref, xpu_queue_free);
}

/* Returns the queue with a reference, or NULL. */
struct xpu_queue *alink_xpu_queue_lookup(struct xpu_file *xfile, u32 id)
{
	struct xpu_queue *q;

	xa_lock(&xfile->queues);
	q = xa_load(&xfile->queues, id);
	if (q)
		kref_get(&q->ref);
	xa_unlock(&xfile->queues);
	return q;
}

static void xpu_queue_wake(struct xpu_queue *q)
{
	wake_up_all(&q->vec->wait);
	wake_up_all(&q->xdev->any_wait);
	alink_xpu_bridges_kick(q->xdev);
}

static void xpu_queue_stop(struct xpu_queue *q,
			   enum drm_alink_xpu_queue_state state,
			   const struct drm_alink_xpu_queue_error *error)
{
	struct xpu_command command = {};
	bool changed;

	if (error)
		alink_xpu_command_read(q, &command);
	spin_lock(&q->lock);
	changed = q->state == DRM_ALINK_XPU_QUEUE_RUNNING;
	if (changed) {
		/* One that hung is ended for that, whatever the device calls it. */
		if (error && !q->hang.found) {
			q->error = *error;
			q->command = command;
		}
		WRITE_ONCE(q->state, state);
		if (error)
			alink_xpu_qerr_note(q);
	}
	spin_unlock(&q->lock);
	if (!changed)
		return;
	/* Nobody changes it any more. */
	if (error)
		trace_alink_xpu_queue_halt(q, &q->error);
	xpu_queue_wake(q);
}

/**
 * alink_xpu_queue_halt - the queue has ended by an error
 * @q:		queue
 * @error:	for its users, unless it has ended before
 */
void alink_xpu_queue_halt(struct xpu_queue *q,
			  const struct drm_alink_xpu_queue_error *error)
{
	xpu_queue_stop(q, DRM_ALINK_XPU_QUEUE_HALTED, error);
}

/*
 * The device has forgotten the queue, whether it ran or had halted. Of one that
 * hung that may be the end: its users learn that it was theirs.
 */
static void xpu_queue_cancel(struct xpu_queue *q)
{
	spin_lock(&q->lock);
	if (q->hang.found && q->state == DRM_ALINK_XPU_QUEUE_RUNNING)
		alink_xpu_qerr_note(q);
	WRITE_ONCE(q->state, q->hang.found ? DRM_ALINK_XPU_QUEUE_HALTED :
					     DRM_ALINK_XPU_QUEUE_CANCELED);
	spin_unlock(&q->lock);
	xpu_queue_wake(q);
}

/**
 * alink_xpu_queue_shut - take the doorbell away for good
 * @q:		queue, which is about to end in the device
 */
void alink_xpu_queue_shut(struct xpu_queue *q)
{
	mutex_lock(&q->map_lock);
	q->dead = true;
	mutex_unlock(&q->map_lock);
	alink_xpu_zap_doorbell(q);
}

/* Takes the queue, which had got as far as that, out of VM and device tables */
static void xpu_queue_detach(struct xpu_queue *q)
{
	struct xpu_vm *vm = q->vm;

	/* Before its hardware queue is somebody else's. */
	xpu_queue_stop(q, DRM_ALINK_XPU_QUEUE_CANCELED, NULL);
	cancel_delayed_work_sync(&q->fault_work);
	cancel_work_sync(&q->hang.work);
	alink_xpu_unpin(q->status.bo);
	if (q->hw_id)
		xa_erase(&q->xdev->queues, q->hw_id);
	mutex_lock(&vm->lock);
	vm->num_queues--;
	mutex_unlock(&vm->lock);
	alink_xpu_vm_put(vm);
	alink_xpu_queue_put(q);
}

/**
 * alink_xpu_queue_destroy - destroy a queue whose id is gone
 * @q:		queue; gives up the id's reference
 * @xfile:	its file
 *
 * Waiters return. The hardware queue is not used again before the last event
 * about this one has been handled, nor while anybody can ring its doorbell.
 */
void alink_xpu_queue_destroy(struct xpu_queue *q, struct xpu_file *xfile)
{
	alink_xpu_queue_shut(q);
	xpu_queue_stop(q, DRM_ALINK_XPU_QUEUE_CANCELED, NULL);
	/* It may be about to end it, or have done so. */
	cancel_work_sync(&q->hang.work);
	if (!q->hang.ended)
		alink_xpu_admin_undo(q->xdev, q->generation,
				     ALINK_XPU_ADMIN_QUEUE_DESTROY, q->hw_id);
	alink_xpu_flush_events(q->xdev);
	alink_xpu_queue_account(q, xfile);
	alink_xpu_hang_account(q, xfile);
	trace_alink_xpu_queue_destroy(q);
	xpu_queue_detach(q);
}

/* --- errors ------------------------------------------------------------- */

/**
 * alink_xpu_queue_errno - can the queue still reach a fence?
 * @q:		queue
 * @error:	out, with -EIO: why it halted
 *
 * Return: 0 if it runs, -EIO if it halted, -ECANCELED if it was ended.
 */
int alink_xpu_queue_errno(struct xpu_queue *q,
			  struct drm_alink_xpu_queue_error *error)
{
	int err = 0;

	spin_lock(&q->lock);
	switch (q->state) {
	case DRM_ALINK_XPU_QUEUE_RUNNING:
		break;
	case DRM_ALINK_XPU_QUEUE_HALTED:
		*error = q->error;
		err = -EIO;
		break;
	case DRM_ALINK_XPU_QUEUE_CANCELED:
		err = -ECANCELED;
		break;
	}
	spin_unlock(&q->lock);
	return err;
}

/**
 * alink_xpu_queue_peek - look for an error in the status block
 * @q:		queue
 *
 * For events that got lost. User space can write the block: it can halt its
 * own queue in our eyes, and nothing else.
 *
 * Context: any but hard interrupt; does not sleep.
 */
void alink_xpu_queue_peek(struct xpu_queue *q)
{
	struct drm_alink_xpu_queue_error error = {};
	u64 word;

	if (READ_ONCE(q->state) != DRM_ALINK_XPU_QUEUE_RUNNING ||
	    alink_xpu_loc_read(&q->status, STATUS_WORD(error), &word))
		return;
	error.status = (word >> 32) & U16_MAX;
	if (!error.status ||
	    alink_xpu_loc_read(&q->status, STATUS_WORD(error_index), &word))
		return;
	error.index = lower_32_bits(word);
	if (alink_xpu_loc_read(&q->status, STATUS_WORD(error_addr), &word))
		return;
	error.addr = word;
	xpu_queue_stop(q, DRM_ALINK_XPU_QUEUE_HALTED, &error);
}

static void xpu_queue_fault(struct xpu_queue *q)
{
	spin_lock(&q->lock);
	alink_xpu_fault_kick(q);
	spin_unlock(&q->lock);
}

/* ALINK_EVENT_QUEUE_*, or ALINK_EVENT_NONE: some events were lost */
void alink_xpu_queue_event(struct xpu_device *xdev,
			   const struct alink_event *event)
{
	struct drm_alink_xpu_queue_error error = {
		.status = le32_to_cpu(event->code) & U16_MAX,
		.index = le32_to_cpu(event->info),
		.addr = le64_to_cpu(event->addr),
	};
	struct xpu_queue *q;
	unsigned long id;

	/* A queue stays in the table until it is destroyed. */
	xa_lock(&xdev->queues);
	if (le16_to_cpu(event->type) == ALINK_EVENT_NONE) {
		xa_for_each(&xdev->queues, id, q) {
			alink_xpu_queue_peek(q);
			xpu_queue_fault(q);
		}
	} else {
		q = xa_load(&xdev->queues, le32_to_cpu(event->id));
		if (q && le16_to_cpu(event->type) == ALINK_EVENT_QUEUE_FAULT)
			xpu_queue_fault(q);
		else if (q && error.status)
			xpu_queue_stop(q, DRM_ALINK_XPU_QUEUE_HALTED, &error);
	}
	xa_unlock(&xdev->queues);
}

/**
 * alink_xpu_queues_cancel - end all queues that the device has forgotten
 * @xdev:	device, just entered a new generation
 */
void alink_xpu_queues_cancel(struct xpu_device *xdev)
{
	struct xpu_queue *q;
	unsigned long id;

	xa_lock(&xdev->queues);
	xa_for_each(&xdev->queues, id, q)
		if (q->generation && q->generation != xdev->generation)
			xpu_queue_cancel(q);
	xa_unlock(&xdev->queues);
}

/* What was added once stays: @sum never goes back. */
static void queue_add_ns(atomic64_t *have, atomic64_t *sum, s64 now)
{
	s64 old = atomic64_read(have);

	do {
		if (now <= old)
			return;
	} while (!atomic64_try_cmpxchg(have, &old, now));
	atomic64_add(now - old, sum);
}

/**
 * alink_xpu_queue_account - take what engines worked for a queue to its file
 * @q:		queue that has not given its hardware queue back yet
 * @xfile:	its file
 *
 * The figures of a file never go back, also when its queues go, or the device.
 *
 * Context: any but hard interrupt; does not sleep.
 */
void alink_xpu_queue_account(struct xpu_queue *q, struct xpu_file *xfile)
{
	struct xpu_device *xdev = q->xdev;
	u64 all, compute = 0;
	int idx;

	if (!drm_dev_enter(&xdev->drm, &idx))
		return;
	/*
	 * First the whole, then the part: what is left for the rings is too
	 * little at most, while engines work, and there the next time.
	 */
	all = alink_rd64(xdev->adev, ALINK_XPU_Q(q->hw_id,
						 ALINK_XPU_Q_BUSY_NS));
	if (xdev->info.queue_info)
		compute = alink_rd64(xdev->adev,
				     ALINK_XPU_QI(q->hw_id,
						  ALINK_XPU_QI_COMPUTE_NS));
	drm_dev_exit(idx);
	/* All ones in a reset. Also, no device is older than 292 years. */
	if (all > S64_MAX || compute > S64_MAX)
		return;
	queue_add_ns(&q->busy_ns, &xfile->busy_ns, (s64)all - (s64)compute);
	queue_add_ns(&q->compute_ns, &xfile->compute_ns, compute);
}

/**
 * alink_xpu_queues_at_work - call a function for each queue that has work
 * @xdev:	device; none has in a reset
 * @func:	to call with the queue, which it must not keep; must not sleep
 * @data:	for @func
 *
 * Context: any but hard interrupt, within drm_dev_enter(); does not sleep.
 */
void alink_xpu_queues_at_work(struct xpu_device *xdev,
			      void (*func)(struct xpu_queue *q, void *data),
			      void *data)
{
	struct xpu_queue *q;
	u32 id, state;

	for (id = XPU_KERNEL_QUEUE + 1; id < xdev->info.num_queues; id++) {
		/* One by one: completions must not wait for all of this. */
		xa_lock(&xdev->queues);
		q = xa_load(&xdev->queues, id);
		if (q) {
			state = alink_rd32(xdev->adev,
					   ALINK_XPU_Q(id, ALINK_XPU_Q_STATE));
			if (state == ALINK_XPU_Q_ACTIVE ||
			    state == ALINK_XPU_Q_WAITING ||
			    state == ALINK_XPU_Q_FAULT)
				func(q, data);
		}
		xa_unlock(&xdev->queues);
	}
}

/**
 * alink_xpu_queue_turns - read how the queue fares among its equals
 * @q:		queue that has its hardware queue
 * @t:		out: 0 when the device is gone or in reset
 *
 * Context: any but hard interrupt; does not sleep.
 */
void alink_xpu_queue_turns(struct xpu_queue *q, struct xpu_turns *t)
{
	struct xpu_device *xdev = q->xdev;
	struct alink_dev *adev;
	int idx;

	memset(t, 0, sizeof(*t));
	if (!drm_dev_enter(&xdev->drm, &idx))
		return;
	adev = xdev->adev;
	t->turns = alink_rd64(adev, ALINK_XPU_Q(q->hw_id, ALINK_XPU_Q_TURNS));
	t->wait_ns = alink_rd64(adev, ALINK_XPU_Q(q->hw_id,
						  ALINK_XPU_Q_WAIT_NS));
	t->worst_ns = alink_rd64(adev, ALINK_XPU_Q(q->hw_id,
						   ALINK_XPU_Q_WORST_NS));
	if (xdev->info.progress_ms)
		t->progress = alink_rd32(adev, ALINK_XPU_Q(q->hw_id,
							   ALINK_XPU_Q_PROGRESS));
	drm_dev_exit(idx);
	/* All ones: somebody resets it, or it went between the reads. */
	if (t->turns == U64_MAX || t->wait_ns == U64_MAX ||
	    t->worst_ns == U64_MAX)
		memset(t, 0, sizeof(*t));
}

/* --- ioctls ------------------------------------------------------------- */

static int xpu_queue_check(const struct drm_alink_xpu_queue_create *args)
{
	u64 bytes = (u64)args->size * sizeof(struct alink_xpu_desc);

	if (args->flags || args->pad || args->queue_id ||
	    args->doorbell_offset)
		return -EINVAL;
	if (args->size < 2 || args->size > XPU_MAX_RING ||
	    !is_power_of_2(args->size))
		return -EINVAL;
	if (args->priority > DRM_ALINK_XPU_PRIORITY_REALTIME)
		return -EINVAL;
	if (!IS_ALIGNED(args->ring | args->status, 64))
		return -EINVAL;
	if (args->ring >= XPU_VA_END || bytes > XPU_VA_END - args->ring ||
	    args->status >= XPU_VA_END)
		return -EINVAL;
	if (args->priority >= DRM_ALINK_XPU_PRIORITY_HIGH &&
	    !capable(CAP_SYS_NICE))
		return -EPERM;
	return 0;
}

/*
 * The kernel reads the status block at any time, and an access of the device to
 * it is not tried again: it stays where it is, and no mark stays in its place.
 */
static int xpu_queue_hold_status(struct xpu_queue *q, struct xpu_bo *bo,
				 u64 offset, u64 addr)
{
	int err;

	err = alink_xpu_loc_get(bo, offset, &q->status);
	if (err)
		return err;
	err = alink_xpu_pin_at(q->vm, bo, addr);
	if (err)
		alink_xpu_loc_put(&q->status);
	return err;
}

/* Takes the VM into use, and finds ring and status block there. */
static int xpu_queue_attach(struct xpu_queue *q,
			    const struct drm_alink_xpu_queue_create *args)
{
	u64 bytes = (u64)args->size * sizeof(struct alink_xpu_desc);
	struct xpu_vm *vm = q->vm;
	struct xpu_bo *bo = NULL;
	u64 offset = 0;
	int err = 0;

	mutex_lock(&vm->lock);
	if (vm->closed)
		err = -ENOENT;
	else if (alink_xpu_vm_bound(vm, args->ring, bytes,
				    DRM_ALINK_XPU_VM_BIND_READ) &&
		 alink_xpu_vm_bound(vm, args->status,
				    sizeof(struct alink_xpu_queue_status),
				    DRM_ALINK_XPU_VM_BIND_WRITE))
		bo = alink_xpu_vm_find(vm, args->status, &offset);
	if (bo)
		vm->num_queues++;
	mutex_unlock(&vm->lock);
	if (!bo)
		return err ?: -EINVAL;

	/* This takes memory, which must not be asked for under the lock. */
	err = xpu_queue_hold_status(q, bo, offset, args->status);
	drm_gem_object_put(xpu_gem(bo));
	if (err) {
		mutex_lock(&vm->lock);
		vm->num_queues--;
		mutex_unlock(&vm->lock);
	}
	return err;
}

static int xpu_queue_start(struct xpu_queue *q,
			   const struct drm_alink_xpu_queue_create *args)
{
	struct xpu_device *xdev = q->xdev;
	struct alink_xpu_queue req = {
		.ctx = cpu_to_le32(q->vm->ctx),
		.ring = cpu_to_le64(args->ring),
		.status = cpu_to_le64(args->status),
		.size = cpu_to_le32(args->size),
		.priority = cpu_to_le16(args->priority),
	};
	unsigned int n;
	u32 hw_id;
	int err;

	err = xa_alloc(&xdev->queues, &hw_id, q,
		       XA_LIMIT(XPU_KERNEL_QUEUE + 1,
				xdev->info.num_queues - 1), GFP_KERNEL);
	if (err)
		return err == -EBUSY ? -ENOSPC : err;
	q->hw_id = hw_id;
	n = hw_id % xdev->num_vectors;
	q->vec = &xdev->vectors[n];

	req.id = cpu_to_le32(hw_id);
	req.vector = cpu_to_le16(ALINK_XPU_VECTOR_QUEUE(n));
	err = alink_xpu_admin_tlv(xdev, ALINK_XPU_ADMIN_QUEUE_CREATE,
				  ALINK_TLV_XPU_QUEUE, &req, sizeof(req),
				  &q->generation);
	if (!err)
		trace_alink_xpu_queue_create(q, args);
	return err;
}

static struct xpu_queue *xpu_queue_alloc(struct xpu_device *xdev)
{
	struct xpu_queue *q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);

	if (!q)
		return NULL;
	/* Who holds it holds the file, or is a bridge: none outlives xdev. */
	q->xdev = xdev;
	q->vec = &xdev->vectors[0];
	kref_init(&q->ref);
	spin_lock_init(&q->lock);
	mutex_init(&q->map_lock);
	alink_xpu_fault_queue_init(q);
	alink_xpu_hang_queue_init(q);
	alink_xpu_evict_queue_init(q);
	q->state = DRM_ALINK_XPU_QUEUE_RUNNING;
	return q;
}

int alink_xpu_queue_create_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file)
{
	struct drm_alink_xpu_queue_create *args = data;
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_device *xdev = to_xpu(drm);
	struct xpu_queue *q;
	struct xpu_vm *vm;
	int err;

	err = xpu_queue_check(args);
	if (err)
		return err;
	vm = alink_xpu_vm_lookup(xfile, args->vm_id);
	if (!vm)
		return -ENOENT;
	q = xpu_queue_alloc(xdev);
	if (!q) {
		alink_xpu_vm_put(vm);
		return -ENOMEM;
	}
	q->vm = vm;
	q->priority = args->priority;
	q->hang.ring = args->ring;
	q->hang.size = args->size;
	err = xpu_queue_attach(q, args);
	if (err) {
		alink_xpu_vm_put(vm);
		alink_xpu_queue_put(q);
		return err;
	}

	err = alink_xpu_loc_clear(&q->status,
				  sizeof(struct alink_xpu_queue_status));
	if (!err)
		err = xpu_queue_start(q, args);
	if (err) {
		xpu_queue_detach(q);
		return err;
	}

	/* Last: from here on anybody who guesses the id may destroy it. */
	args->doorbell_offset = alink_xpu_doorbell_offset(q);
	err = xa_alloc(&xfile->queues, &args->queue_id, q, XPU_ID_LIMIT,
		       GFP_KERNEL_ACCOUNT);
	if (err)
		alink_xpu_queue_destroy(q, xfile);
	return err;
}

int alink_xpu_queue_destroy_ioctl(struct drm_device *drm, void *data,
				  struct drm_file *file)
{
	struct drm_alink_xpu_queue_destroy *args = data;
	struct xpu_file *xfile = file->driver_priv;
	struct xpu_queue *q;

	if (args->pad)
		return -EINVAL;
	q = xa_erase(&xfile->queues, args->queue_id);
	if (!q)
		return -ENOENT;
	alink_xpu_queue_destroy(q, xfile);
	return 0;
}

int alink_xpu_queue_status_ioctl(struct drm_device *drm, void *data,
				 struct drm_file *file)
{
	struct drm_alink_xpu_queue_status *args = data;
	struct xpu_queue *q;

	if (memchr_inv(&args->state, 0, sizeof(*args) -
		       offsetof(struct drm_alink_xpu_queue_status, state)))
		return -EINVAL;
	q = alink_xpu_queue_lookup(file->driver_priv, args->queue_id);
	if (!q)
		return -ENOENT;
	alink_xpu_queue_peek(q);
	spin_lock(&q->lock);
	args->state = q->state;
	/* It may be found stuck, and not have ended yet. */
	if (q->state != DRM_ALINK_XPU_QUEUE_RUNNING) {
		args->error = q->error;
		args->recovery = ALINK_RECOVERY_CONTEXT;
		args->has_command = q->command.valid;
		args->command = q->command.desc;
	}
	spin_unlock(&q->lock);
	alink_xpu_queue_put(q);
	return 0;
}
