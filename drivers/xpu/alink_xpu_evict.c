// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eviction: when HBM is full, objects leave it for system memory, and come back
 * when a queue needs them. alink_xpu_move.c moves; this decides who has to go.
 *
 * The kernel does not see what queues work on, so it may be wrong: then an
 * access meets a mark, its queue stands still, and alink_xpu_fault.c asks for
 * the object here. Whoever is wrong all the time must still get on:
 *
 * - An object that has come stays for EVICT_STAY, and until the command that it
 *   came for is over, for EVICT_COMMAND at most.
 * - A queue that finds nothing but such objects needs a turn. Who has the turn
 *   takes from all others, and nobody takes from it, until it has done something
 *   and is idle, or EVICT_TURN is over. Then it is the turn of who has waited.
 * - With the turn, and all else gone, a command takes from itself, what it got
 *   first. That helps one that goes through its memory. When it does nothing but
 *   take in turns the same objects from itself, its queue is told that there is
 *   no room: that would go on for ever.
 */
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sysfs.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

#define EVICT_STAY	msecs_to_jiffies(20)
#define EVICT_TURN	msecs_to_jiffies(100)
#define EVICT_COMMAND	msecs_to_jiffies(2000)
#define EVICT_CREATE	msecs_to_jiffies(5000)	/* patience of a call */
#define EVICT_LOOK	32	/* so many are looked at, for one that is idle */
#define EVICT_SPINS	3	/* see xpu_evict.spins */

/**
 * struct evict_search - a search for objects that have to leave
 * @claim:	for whom
 * @pass:	xpu_evict.passes
 * @turn:	@claim has the turn
 * @taken:	somebody else has it
 * @visible:	HBM that the CPU can map is wanted
 * @too_large:	objects of this size cannot leave now
 * @later:	out: some may leave, but not yet
 * @own:	out: some are what @claim itself needs
 */
struct evict_search {
	struct xpu_claim claim;
	u64 pass;
	bool turn;
	bool taken;
	bool visible;
	u64 too_large;
	bool later;
	bool own;
};

/* --- claims and turns ---------------------------------------------------- */

static const struct xpu_claim nobody;

static bool claim_same(const struct xpu_claim *a, const struct xpu_claim *b)
{
	return a->queue && a->queue == b->queue && a->head == b->head;
}

/* How far is that queue? Return: false if it is none that runs. */
static bool claim_look(struct xpu_device *xdev, const struct xpu_claim *claim,
		       u32 *head, bool *idle)
{
	struct xpu_queue *q;
	bool runs;
	u32 state;

	xa_lock(&xdev->queues);
	q = xa_load(&xdev->queues, claim->hw_id);
	runs = q && q->serial == claim->queue &&
	       READ_ONCE(q->state) == DRM_ALINK_XPU_QUEUE_RUNNING;
	xa_unlock(&xdev->queues);
	if (!runs)
		return false;
	state = alink_rd32(xdev->adev, ALINK_XPU_Q(claim->hw_id,
						   ALINK_XPU_Q_STATE));
	*idle = state == ALINK_XPU_Q_IDLE;
	*head = alink_rd32(xdev->adev, ALINK_XPU_Q(claim->hw_id,
						   ALINK_XPU_Q_HEAD));
	return true;
}

/* Is the command not over? */
static bool claim_stands(struct xpu_device *xdev, const struct xpu_claim *claim)
{
	bool idle;
	u32 head;

	return claim_look(xdev, claim, &head, &idle) && head == claim->head;
}

static bool turn_is_over(struct xpu_device *xdev)
{
	struct xpu_evict *ev = &xdev->evict;
	bool idle;
	u32 head;

	lockdep_assert_held(&ev->lock);

	if (!claim_look(xdev, &ev->holder, &head, &idle) ||
	    time_after(jiffies, ev->got + EVICT_COMMAND))
		return true;
	return head != ev->holder.head &&
	       (idle || time_after(jiffies, ev->began + EVICT_TURN));
}

/* Does somebody else wait for the turn, and has waited longer? */
static bool turn_is_promised(struct xpu_device *xdev,
			     const struct xpu_claim *claim)
{
	struct xpu_evict *ev = &xdev->evict;

	lockdep_assert_held(&ev->lock);

	/* Who still waits asks all the time. */
	return ev->next.queue != claim->queue &&
	       time_before(jiffies, ev->asked + EVICT_TURN) &&
	       claim_stands(xdev, &ev->next);
}

/* Return: true if it is this command's turn. */
static bool turn_take(struct xpu_device *xdev, const struct xpu_claim *claim)
{
	struct xpu_evict *ev = &xdev->evict;
	bool over, promised, mine = ev->holder.queue == claim->queue;

	lockdep_assert_held(&ev->lock);

	if (!claim->queue)
		return false;
	over = turn_is_over(xdev);
	promised = turn_is_promised(xdev, claim);
	if (over ? promised : !mine) {
		if (!promised) {
			ev->next = *claim;
			ev->asked = jiffies;
		}
		return false;
	}
	if (over) {
		ev->next = nobody;
		ev->began = jiffies;
		ev->got = jiffies;
	}
	if (!claim_same(&ev->holder, claim))
		ev->spins = 0;
	ev->holder = *claim;
	return true;
}

/* --- who has to leave ---------------------------------------------------- */

/* What is bound where a queue has work is likely to be in use. */
static void evict_look_at_queue(struct xpu_queue *q, void *pass)
{
	WRITE_ONCE(q->vm->worked, *(u64 *)pass);
}

static bool evict_is_idle(struct xpu_bo *bo, u64 pass)
{
	struct drm_gpuvm_bo *vm_bo;
	bool idle = true;

	mutex_lock(&bo->gpuva_lock);
	drm_gem_for_each_gpuvm_bo(vm_bo, xpu_gem(bo))
		idle &= READ_ONCE(to_xpu_vm(vm_bo->vm)->worked) != pass;
	mutex_unlock(&bo->gpuva_lock);
	return idle;
}

static bool evict_is_visible(struct xpu_device *xdev, const struct xpu_bo *bo)
{
	unsigned int i;

	for (i = 0; i < bo->num_pieces; i++)
		if (bo->pieces[i].start < xdev->info.hbm_visible)
			return true;
	return false;
}

/* May it leave now? */
static bool evict_may_go(struct xpu_device *xdev, struct evict_search *s,
			 const struct xpu_place *place, bool own)
{
	struct xpu_evict *ev = &xdev->evict;

	lockdep_assert_held(&ev->lru_lock);

	if (claim_same(&place->user, &s->claim)) {
		s->own = true;
		return own;
	}
	if (own)
		return false;
	if (time_before(jiffies, place->since + EVICT_STAY))
		goto later;
	if (s->turn)
		return true;
	if (s->taken && place->user.queue == ev->holder.queue)
		goto later;
	if (time_before(jiffies, place->since + EVICT_COMMAND) &&
	    claim_stands(xdev, &place->user))
		goto later;
	return true;

later:
	s->later = true;
	return false;
}

/* Those that may leave, least recently used first, each referenced */
static unsigned int evict_find(struct xpu_device *xdev, struct evict_search *s,
			       bool own, struct xpu_bo **found)
{
	struct xpu_evict *ev = &xdev->evict;
	struct drm_gem_object *obj;
	unsigned int num = 0;
	struct xpu_bo *bo;

	mutex_lock(&ev->lru_lock);
	list_for_each_entry(obj, &ev->here.list, lru_node) {
		bo = to_xpu_bo(obj);
		if (bo->place.pass == s->pass || obj->size >= s->too_large ||
		    !evict_may_go(xdev, s, &bo->place, own) ||
		    !kref_get_unless_zero(&obj->refcount))
			continue;
		found[num++] = bo;
		if (num == EVICT_LOOK)
			break;
	}
	mutex_unlock(&ev->lru_lock);
	return num;
}

/* Of some that may leave the first that is idle, or the first; or NULL */
static struct xpu_bo *evict_pick(struct xpu_device *xdev,
				 struct evict_search *s, bool own)
{
	struct xpu_bo *found[EVICT_LOOK], *best;
	unsigned int i, num;
	bool idle, sure;

	s->later = false;
	s->own = false;
	do {
		best = NULL;
		sure = false;
		num = evict_find(xdev, s, own, found);
		for (i = 0; i < num; i++) {
			if (s->visible && !evict_is_visible(xdev, found[i])) {
				found[i]->place.pass = s->pass;
				continue;
			}
			idle = !sure && !own && evict_is_idle(found[i], s->pass);
			if (!best || idle)
				best = found[i];
			sure |= idle;
		}
		for (i = 0; i < num; i++)
			if (found[i] != best)
				drm_gem_object_put(xpu_gem(found[i]));
	} while (num && !best);
	return best;
}

/*
 * Somebody who has to leave. Return: an object with a reference, ERR_PTR(-EAGAIN)
 * if there is none yet, or ERR_PTR(-ENOSPC).
 */
static struct xpu_bo *evict_victim(struct xpu_device *xdev,
				   struct evict_search *s)
{
	struct xpu_evict *ev = &xdev->evict;
	struct xpu_bo *bo;

	bo = evict_pick(xdev, s, false);
	if (bo)
		return bo;
	if (s->later || (s->own && !s->turn))
		return ERR_PTR(-EAGAIN);
	if (!s->own)
		return ERR_PTR(-ENOSPC);
	bo = evict_pick(xdev, s, true);
	if (!bo)
		return ERR_PTR(-ENOSPC);
	mutex_lock(&ev->lru_lock);
	bo->place.lost = s->claim;
	mutex_unlock(&ev->lru_lock);
	return bo;
}

/* Can there be so much room at all? */
static bool evict_is_enough(struct xpu_device *xdev, u64 size)
{
	struct drm_alink_xpu_query_memory m = {};
	struct xpu_evict *ev = &xdev->evict;
	u64 movable;

	alink_xpu_hbm_usage(xdev, &m);
	mutex_lock(&ev->lru_lock);
	movable = (u64)ev->here.count << PAGE_SHIFT;
	mutex_unlock(&ev->lru_lock);
	return m.hbm_total - m.hbm_used + movable >= size;
}

/* Is it the device that failed, or who asks, rather than this one object? */
static bool evict_gives_up(int err)
{
	return err == -EINTR || err == -EBUSY || err == -EIO || err == -ENODEV;
}

/*
 * HBM for all of an object, and others leave for it. Return: 0, -EAGAIN if that
 * takes time, -ENOSPC, -ENOMEM, or as alink_xpu_move_out() for the device.
 */
static int evict_make_room(struct xpu_device *xdev, struct xpu_bo *bo,
			   const struct xpu_claim *claim, bool grow)
{
	struct evict_search s = {
		.claim = *claim,
		.visible = bo->visible,
		.too_large = U64_MAX,
	};
	u64 size = xpu_gem(bo)->size;
	struct xpu_bo *victim;
	int err;

	lockdep_assert_held(&xdev->evict.lock);

	err = alink_xpu_hbm_alloc(xdev, bo, size, bo->visible);
	if (err != -ENOSPC)
		return err;
	if (!xdev->info.evict || !evict_is_enough(xdev, size))
		return -ENOSPC;
	s.pass = ++xdev->evict.passes;
	s.turn = turn_take(xdev, claim);
	s.taken = !s.turn && !turn_is_over(xdev);
	alink_xpu_queues_at_work(xdev, evict_look_at_queue, &s.pass);
	for (;;) {
		victim = evict_victim(xdev, &s);
		if (IS_ERR(victim))
			return PTR_ERR(victim);
		err = alink_xpu_move_out(xdev, victim, grow);
		if (err)
			victim->place.pass = s.pass;
		if (err == -EDQUOT)
			s.too_large = xpu_gem(victim)->size;
		drm_gem_object_put(xpu_gem(victim));
		if (evict_gives_up(err))
			return err;
		if (err)
			continue;
		err = alink_xpu_hbm_alloc(xdev, bo, size, bo->visible);
		if (err != -ENOSPC)
			return err;
	}
}

/* --- back ---------------------------------------------------------------- */

static int evict_restore(struct xpu_device *xdev, struct xpu_bo *bo,
			 const struct xpu_claim *claim)
{
	struct xpu_evict *ev = &xdev->evict;
	struct xpu_place *place = &bo->place;
	bool lost, known;
	int err;

	mutex_lock(&ev->lru_lock);
	lost = claim_same(&place->lost, claim);
	known = claim_same(&place->user, claim);
	mutex_unlock(&ev->lru_lock);
	/* The command does nothing any more but take from itself. */
	if (lost && claim_same(&ev->holder, claim) && ev->spins == EVICT_SPINS)
		return -ENOSPC;

	err = evict_make_room(xdev, bo, claim, false);
	if (err)
		return err;
	err = alink_xpu_move_in(xdev, bo);
	if (err) {
		alink_xpu_hbm_free(xdev, bo);
		return err;
	}
	mutex_lock(&ev->lru_lock);
	place->since = jiffies;
	place->user = *claim;
	place->lost = nobody;
	mutex_unlock(&ev->lru_lock);
	if (claim_same(&ev->holder, claim)) {
		ev->got = jiffies;
		ev->spins = lost ? ev->spins + 1 : known ? ev->spins : 0;
	}
	return 0;
}

/* Brings an object back, unless it is here. Return: as evict_make_room(). */
static int evict_bring(struct xpu_device *xdev, struct xpu_bo *bo,
		       const struct xpu_claim *claim)
{
	int err;

	lockdep_assert_held(&xdev->evict.lock);

	if (!bo->place.file)
		return 0;
	err = evict_restore(xdev, bo, claim);
	/* Who waits asks again and again. */
	if (err != -EAGAIN)
		trace_alink_xpu_restore(xdev, claim->hw_id, xpu_gem(bo)->size,
					err);
	return err;
}

/* One try of a call, which no queue waits for; @bring: it is not a new object. */
static int evict_try(struct xpu_device *xdev, struct xpu_bo *bo, bool bring)
{
	struct xpu_evict *ev = &xdev->evict;
	int err, idx;

	if (mutex_lock_killable(&ev->lock))
		return -EINTR;
	if (drm_dev_enter(&xdev->drm, &idx)) {
		err = bring ? evict_bring(xdev, bo, &nobody) :
			      evict_make_room(xdev, bo, &nobody, true);
		drm_dev_exit(idx);
	} else {
		err = -ENODEV;
	}
	mutex_unlock(&ev->lock);
	return err;
}

static int evict_wait(struct xpu_device *xdev, struct xpu_bo *bo, bool bring)
{
	unsigned long end = jiffies + EVICT_CREATE;
	int err;

	do {
		/* That may be the time for which a machine sleeps. */
		if (READ_ONCE(xdev->hbm.closed)) {
			err = alink_xpu_sleep_wait(xdev);
			if (err)
				return err;
			end = jiffies + EVICT_CREATE;
		}
		err = evict_try(xdev, bo, bring);
		if (err != -EAGAIN)
			return err;
		schedule_timeout_killable(msecs_to_jiffies(XPU_EVICT_POLL_MS));
		if (fatal_signal_pending(current))
			return -EINTR;
	} while (time_before(jiffies, end));
	return -ENOSPC;
}

/**
 * alink_xpu_evict_alloc - find HBM for a new object where none is free
 * @xdev:	device
 * @bo:		empty HBM object, for which alink_xpu_hbm_alloc() found nothing
 *
 * Context: process; no locks held; may take seconds, and as long as the machine
 * sleeps.
 * Return: 0, -ENOSPC, -ENOMEM, -EINTR on a fatal signal, or an error by state.
 */
int alink_xpu_evict_alloc(struct xpu_device *xdev, struct xpu_bo *bo)
{
	return evict_wait(xdev, bo, false);
}

/**
 * alink_xpu_evict_back - bring an object back to HBM, for no queue
 * @xdev:	device
 * @bo:		HBM object
 *
 * Context: process; no locks held; may take seconds, and as long as the machine
 * sleeps.
 * Return: 0, which is no promise: it may leave at any time; -ENOSPC, -ENOMEM,
 * -EFAULT if it is lost, -EINTR on a fatal signal, or an error by state.
 */
int alink_xpu_evict_back(struct xpu_device *xdev, struct xpu_bo *bo)
{
	return evict_wait(xdev, bo, true);
}

/* --- before a sleep -------------------------------------------------------- */

/* The next that was not asked yet in this pass, referenced, or NULL */
static struct xpu_bo *evict_next(struct xpu_device *xdev, u64 pass)
{
	struct xpu_evict *ev = &xdev->evict;
	struct drm_gem_object *obj;
	struct xpu_bo *found = NULL;

	mutex_lock(&ev->lru_lock);
	list_for_each_entry(obj, &ev->here.list, lru_node) {
		if (to_xpu_bo(obj)->place.pass != pass &&
		    kref_get_unless_zero(&obj->refcount)) {
			found = to_xpu_bo(obj);
			break;
		}
	}
	mutex_unlock(&ev->lru_lock);
	return found;
}

/**
 * alink_xpu_evict_all - move out of HBM whatever can leave
 * @xdev:	device whose HBM is closed, so that nobody comes
 *
 * Context: process; no locks held; may take seconds.
 * Return: 0, also if some stay; -EINTR on a fatal signal, or an error by state.
 */
int alink_xpu_evict_all(struct xpu_device *xdev)
{
	struct xpu_evict *ev = &xdev->evict;
	struct xpu_bo *bo;
	int err = 0, idx;
	u64 pass;

	if (!xdev->info.evict)
		return 0;
	if (mutex_lock_killable(&ev->lock))
		return -EINTR;
	pass = ++ev->passes;
	while (!err && (bo = evict_next(xdev, pass))) {
		bo->place.pass = pass;
		/* One by one: who unplugs waits for one move only. */
		if (drm_dev_enter(&xdev->drm, &idx)) {
			err = alink_xpu_move_out(xdev, bo, false);
			drm_dev_exit(idx);
		} else {
			err = -ENODEV;
		}
		if (!evict_gives_up(err))
			err = 0;
		drm_gem_object_put(xpu_gem(bo));
	}
	mutex_unlock(&ev->lock);
	return err;
}

/* --- faults --------------------------------------------------------------- */

/* The command that a queue stands still for. Within drm_dev_enter(). */
static struct xpu_claim evict_claim(struct xpu_queue *q)
{
	return (struct xpu_claim) {
		.queue = q->serial,
		.hw_id = q->hw_id,
		.head = alink_rd32(q->xdev->adev,
				   ALINK_XPU_Q(q->hw_id, ALINK_XPU_Q_HEAD)),
	};
}

static int evict_fault_bring(struct xpu_queue *q, struct xpu_bo *bo)
{
	struct xpu_evict *ev = &q->xdev->evict;
	struct xpu_claim claim;
	int err, idx;

	mutex_lock(&ev->lock);
	if (drm_dev_enter(&q->xdev->drm, &idx)) {
		claim = evict_claim(q);
		err = evict_bring(q->xdev, bo, &claim);
		drm_dev_exit(idx);
	} else {
		err = -ENODEV;
	}
	mutex_unlock(&ev->lock);
	return err;
}

/* Within drm_dev_enter() */
static int evict_fault_bind(struct xpu_queue *q, struct xpu_bo *bo, u64 addr)
{
	struct xpu_evict *ev = &q->xdev->evict;
	struct xpu_claim claim = evict_claim(q);
	int err;

	dma_resv_lock(xpu_gem(bo)->resv, NULL);
	if (bo->place.file) {
		err = -EAGAIN;
	} else {
		mutex_lock(&ev->lru_lock);
		bo->place.user = claim;
		mutex_unlock(&ev->lru_lock);
		alink_xpu_evict_used(bo);
		err = alink_xpu_bind_again(q->vm, bo, addr);
	}
	dma_resv_unlock(xpu_gem(bo)->resv);
	return err;
}

/**
 * alink_xpu_evict_fault - let a queue use an object that it met marks of
 * @q:		queue, which stands still for it
 * @bo:		HBM object
 * @addr:	device virtual address where it is bound
 *
 * Context: process; no locks held, nor drm_dev_enter(); may take seconds.
 * Return: 0, which is no promise: it may leave at any time; -EAGAIN if it takes
 * time; -ENOSPC if there is no room; -EFAULT if it is lost; -EIO or -ENODEV.
 */
int alink_xpu_evict_fault(struct xpu_queue *q, struct xpu_bo *bo, u64 addr)
{
	int err = 0, idx;

	/* Others may move for long: not all need to wait for that. */
	if (READ_ONCE(bo->place.file))
		err = evict_fault_bring(q, bo);
	if (!err && drm_dev_enter(&q->xdev->drm, &idx)) {
		err = evict_fault_bind(q, bo, addr);
		drm_dev_exit(idx);
	} else if (!err) {
		err = -ENODEV;
	}
	/* A reset ends the queue, or has ended it. */
	if (err == -EBUSY)
		return -EAGAIN;
	return err == -ENOMEM ? -ENOSPC : err;
}

/* --- life ---------------------------------------------------------------- */

/* A new object has HBM: from now on it may be asked to leave. */
void alink_xpu_evict_add(struct xpu_bo *bo)
{
	struct xpu_evict *ev = &to_xpu(xpu_gem(bo)->dev)->evict;

	mutex_lock(&ev->lru_lock);
	bo->place.since = jiffies;
	drm_gem_lru_move_tail_locked(&ev->here, xpu_gem(bo));
	mutex_unlock(&ev->lru_lock);
}

/**
 * alink_xpu_evict_used - somebody uses an object
 * @bo:		HBM object
 *
 * Context: process; any but where asynchronous VM_BIND runs.
 */
void alink_xpu_evict_used(struct xpu_bo *bo)
{
	struct xpu_evict *ev = &to_xpu(xpu_gem(bo)->dev)->evict;

	mutex_lock(&ev->lru_lock);
	if (xpu_gem(bo)->lru == &ev->here)
		drm_gem_lru_move_tail_locked(&ev->here, xpu_gem(bo));
	mutex_unlock(&ev->lru_lock);
}

void alink_xpu_evict_queue_init(struct xpu_queue *q)
{
	q->serial = atomic64_inc_return(&q->xdev->evict.serials);
}

/**
 * alink_xpu_evict_usage - what has moved
 * @xdev:	device
 * @m:		out: what belongs to eviction
 */
void alink_xpu_evict_usage(struct xpu_device *xdev,
			   struct drm_alink_xpu_query_memory *m)
{
	struct xpu_evict *ev = &xdev->evict;

	mutex_lock(&ev->lru_lock);
	m->hbm_evicted = (u64)ev->gone.count << PAGE_SHIFT;
	m->evictions = ev->evictions;
	m->restores = ev->restores;
	mutex_unlock(&ev->lru_lock);
}

void alink_xpu_evict_init(struct xpu_device *xdev)
{
	struct xpu_evict *ev = &xdev->evict;

	mutex_init(&ev->lock);
	mutex_init(&ev->lru_lock);
	drm_gem_lru_init(&ev->here, &ev->lru_lock);
	drm_gem_lru_init(&ev->gone, &ev->lru_lock);
	/* For lockdep: who imports by PRIME has that one, and must not wait. */
	mutex_lock(&ev->lock);
	might_lock(&xdev->drm.object_name_lock);
	mutex_unlock(&ev->lock);
	atomic64_set(&ev->serials, 0);
}

/* With the DRM device: no object is left. */
void alink_xpu_evict_fini(struct xpu_device *xdev)
{
	struct xpu_evict *ev = &xdev->evict;

	drm_WARN_ON(&xdev->drm, !list_empty(&ev->here.list) ||
		    !list_empty(&ev->gone.list));
	mutex_destroy(&ev->lru_lock);
	mutex_destroy(&ev->lock);
}

/* --- sysfs --------------------------------------------------------------- */

static ssize_t hbm_evicted_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	struct drm_alink_xpu_query_memory m = {};

	alink_xpu_evict_usage(dev_get_drvdata(dev), &m);
	return sysfs_emit(buf, "%llu\n", m.hbm_evicted);
}
static DEVICE_ATTR_RO(hbm_evicted);

static ssize_t hbm_evictions_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	struct drm_alink_xpu_query_memory m = {};

	alink_xpu_evict_usage(dev_get_drvdata(dev), &m);
	return sysfs_emit(buf, "%llu\n", m.evictions);
}
static DEVICE_ATTR_RO(hbm_evictions);

static ssize_t hbm_restores_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	struct drm_alink_xpu_query_memory m = {};

	alink_xpu_evict_usage(dev_get_drvdata(dev), &m);
	return sysfs_emit(buf, "%llu\n", m.restores);
}
static DEVICE_ATTR_RO(hbm_restores);

static struct attribute *xpu_evict_attrs[] = {
	&dev_attr_hbm_evicted.attr,
	&dev_attr_hbm_evictions.attr,
	&dev_attr_hbm_restores.attr,
	NULL
};

/* Files of the PCI function, from probe to remove */
const struct attribute_group alink_xpu_evict_group = {
	.attrs = xpu_evict_attrs,
};
