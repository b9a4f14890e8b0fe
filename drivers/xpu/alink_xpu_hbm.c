// SPDX-License-Identifier: GPL-2.0-only
/*
 * HBM: the allocator.
 *
 * Memory holds what its last user left when it is allocated. Whoever allocates
 * clears it, or writes over all of it, before anybody sees it: so nothing is
 * seen, whatever happened in between: a crash, a reset, an object freed while the
 * device was in trouble. When that fails the memory goes back unseen.
 */
#include <linux/slab.h>

#include "alink_xpu_drv.h"

static void xpu_hbm_account(struct xpu_device *xdev,
			    const struct drm_mm_node *node, bool add)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	u64 visible = xdev->info.hbm_visible;
	u64 low = node->start < visible ?
		  min(node->size, visible - node->start) : 0;

	lockdep_assert_held(&hbm->lock);

	if (add) {
		hbm->used += node->size;
		hbm->visible_used += low;
	} else {
		hbm->used -= node->size;
		hbm->visible_used -= low;
	}
}

static int xpu_hbm_piece(struct xpu_device *xdev, struct drm_mm_node *node,
			 u64 size, bool visible)
{
	u64 align = size >= XPU_LARGE_PAGE_SIZE ? XPU_LARGE_PAGE_SIZE :
						  XPU_PAGE_SIZE;
	u64 end = visible ? xdev->info.hbm_visible : xdev->info.hbm_size;
	int err;

	lockdep_assert_held(&xdev->hbm.lock);

	/* What need not be visible leaves the low end to what must be. */
	err = drm_mm_insert_node_in_range(&xdev->hbm.mm, node, size, align, 0,
					  0, end, visible ? DRM_MM_INSERT_BEST :
					  DRM_MM_INSERT_HIGH);
	if (err && align != XPU_PAGE_SIZE)
		err = drm_mm_insert_node_in_range(&xdev->hbm.mm, node, size,
						  XPU_PAGE_SIZE, 0, 0, end,
						  visible ? DRM_MM_INSERT_BEST :
						  DRM_MM_INSERT_HIGH);
	if (!err)
		xpu_hbm_account(xdev, node, true);
	return err;
}

static void xpu_hbm_release(struct xpu_device *xdev, struct xpu_bo *bo)
{
	lockdep_assert_held(&xdev->hbm.lock);

	while (bo->num_pieces) {
		bo->num_pieces--;
		xpu_hbm_account(xdev, &bo->pieces[bo->num_pieces], false);
		drm_mm_remove_node(&bo->pieces[bo->num_pieces]);
	}
	alink_xpu_retire_free(xdev);
}

/* --- places: the largest that there are ----------------------------------- */

/* As many as an object can have, in no order; the rest is of size 0. */
struct xpu_places {
	u64 start[ALINK_XPU_SEG_MAX_EXTENTS];
	u64 size[ALINK_XPU_SEG_MAX_EXTENTS];
};

/* Takes the place of the least. */
static void xpu_places_add(struct xpu_places *p, u64 start, u64 end)
{
	unsigned int i, least = 0;

	for (i = 1; i < ARRAY_SIZE(p->size); i++)
		if (p->size[i] < p->size[least])
			least = i;
	if (end > start && end - start > p->size[least]) {
		p->start[least] = start;
		p->size[least] = end - start;
	}
}

static u64 xpu_places_sum(const struct xpu_places *p)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < ARRAY_SIZE(p->size); i++)
		sum += p->size[i];
	return sum;
}

static unsigned int xpu_places_most(const struct xpu_places *p)
{
	unsigned int i, most = 0;

	for (i = 1; i < ARRAY_SIZE(p->size); i++)
		if (p->size[i] > p->size[most])
			most = i;
	return most;
}

/* What there would be for one object alone, once all have left that can */
static u64 xpu_hbm_room(struct xpu_device *xdev, u64 end)
{
	const struct drm_mm_node *node;
	struct xpu_places p = {};
	u64 start = 0;

	lockdep_assert_held(&xdev->hbm.lock);

	/* In the order of addresses */
	drm_mm_for_each_node(node, &xdev->hbm.mm) {
		if (node->start >= end)
			break;
		if (node->color == XPU_HBM_MOVES)
			continue;
		xpu_places_add(&p, start, node->start);
		start = node->start + node->size;
	}
	xpu_places_add(&p, start, end);
	return xpu_places_sum(&p);
}

/**
 * alink_xpu_hbm_room - how large may an object be that is to come back?
 * @xdev:	device
 * @room:	out: of what does not stay
 *
 * alink_xpu_hbm_alloc() finds that much when all have left that can.
 */
void alink_xpu_hbm_room(struct xpu_device *xdev, struct xpu_hbm_room *room)
{
	mutex_lock(&xdev->hbm.lock);
	room->any = xpu_hbm_room(xdev, xdev->info.hbm_size);
	room->visible = xpu_hbm_room(xdev, xdev->info.hbm_visible);
	mutex_unlock(&xdev->hbm.lock);
}

/**
 * alink_xpu_hbm_stay - say whether an object may leave
 * @xdev:	device
 * @bo:		HBM object, which stays where it is meanwhile
 * @stay:	it may not
 */
void alink_xpu_hbm_stay(struct xpu_device *xdev, struct xpu_bo *bo, bool stay)
{
	unsigned int i;

	lockdep_assert_held(&xdev->evict.lru_lock);

	mutex_lock(&xdev->hbm.lock);
	for (i = 0; i < bo->num_pieces; i++)
		bo->pieces[i].color = stay ? XPU_HBM_STAYS : XPU_HBM_MOVES;
	mutex_unlock(&xdev->hbm.lock);
}

/* --- allocation ----------------------------------------------------------- */

/* By halves: pieces begin where large pages may. */
static int xpu_hbm_halves(struct xpu_device *xdev, struct xpu_bo *bo, u64 left,
			  bool visible)
{
	u64 want = left;
	int err;

	while (left) {
		want = min(want, left);
		if (bo->num_pieces == ALINK_XPU_SEG_MAX_EXTENTS)
			return -ENOSPC;
		err = xpu_hbm_piece(xdev, &bo->pieces[bo->num_pieces], want,
				    visible);
		if (!err) {
			bo->num_pieces++;
			left -= want;
		} else if (want > XPU_PAGE_SIZE) {
			want = ALIGN(want / 2, XPU_PAGE_SIZE);
		} else {
			return -ENOSPC;
		}
	}
	return 0;
}

/* The largest places that there are, as few as will do, wherever they begin */
static int xpu_hbm_largest(struct xpu_device *xdev, struct xpu_bo *bo, u64 left,
			   bool visible)
{
	u64 end = visible ? xdev->info.hbm_visible : xdev->info.hbm_size;
	struct drm_mm_node *node;
	struct xpu_places p = {};
	u64 from, to;
	unsigned int k;
	int err;

	lockdep_assert_held(&xdev->hbm.lock);

	drm_mm_for_each_hole(node, &xdev->hbm.mm, from, to)
		xpu_places_add(&p, from, min(to, end));
	if (xpu_places_sum(&p) < left)
		return -ENOSPC;
	for (; left; left -= node->size) {
		k = xpu_places_most(&p);
		node = &bo->pieces[bo->num_pieces];
		*node = (struct drm_mm_node) {
			.start = p.start[k],
			.size = min(p.size[k], left),
			.color = XPU_HBM_MOVES,
		};
		p.size[k] = 0;
		err = drm_mm_reserve_node(&xdev->hbm.mm, node);
		if (drm_WARN_ON_ONCE(&xdev->drm, err))
			return err;
		bo->num_pieces++;
		xpu_hbm_account(xdev, node, true);
	}
	return 0;
}

/**
 * alink_xpu_hbm_alloc - find HBM for an object
 * @xdev:	device
 * @bo:		empty HBM object
 * @size:	bytes, multiple of 4 KiB
 * @visible:	all of it must be in BAR2
 *
 * In one piece if possible, else in up to ALINK_XPU_SEG_MAX_EXTENTS. If these
 * can be found at all they are.
 *
 * Return: 0, -ENOSPC, -ENOMEM, or -EAGAIN while HBM is closed: see
 * alink_xpu_sleep_wait().
 */
int alink_xpu_hbm_alloc(struct xpu_device *xdev, struct xpu_bo *bo, u64 size,
			bool visible)
{
	struct xpu_hbm *hbm = &xdev->hbm;
	int err;

	bo->pieces = kcalloc(ALINK_XPU_SEG_MAX_EXTENTS, sizeof(*bo->pieces),
			     GFP_KERNEL_ACCOUNT);
	if (!bo->pieces)
		return -ENOMEM;
	bo->visible = visible;

	mutex_lock(&hbm->lock);
	err = hbm->closed ? -EAGAIN :
			    xpu_hbm_halves(xdev, bo, size, visible);
	if (err == -ENOSPC) {
		xpu_hbm_release(xdev, bo);
		err = xpu_hbm_largest(xdev, bo, size, visible);
	}
	if (err)
		xpu_hbm_release(xdev, bo);
	mutex_unlock(&hbm->lock);
	if (err) {
		kfree(bo->pieces);
		bo->pieces = NULL;
	}
	return err;
}

void alink_xpu_hbm_free(struct xpu_device *xdev, struct xpu_bo *bo)
{
	mutex_lock(&xdev->hbm.lock);
	xpu_hbm_release(xdev, bo);
	mutex_unlock(&xdev->hbm.lock);
	kfree(bo->pieces);
	bo->pieces = NULL;
}

/**
 * alink_xpu_hbm_offset - where in HBM is this part of an object?
 * @bo:		HBM object
 * @offset:	in it, less than its size
 * @run:	out: bytes from there that are in one piece
 *
 * Return: offset in HBM.
 */
u64 alink_xpu_hbm_offset(const struct xpu_bo *bo, u64 offset, u64 *run)
{
	unsigned int i;

	for (i = 0; i < bo->num_pieces - 1; i++) {
		if (offset < bo->pieces[i].size)
			break;
		offset -= bo->pieces[i].size;
	}
	*run = bo->pieces[i].size - offset;
	return bo->pieces[i].start + offset;
}

/**
 * alink_xpu_hbm_usage - how much HBM there is, and what has become of it
 * @xdev:	device
 * @m:		out
 */
void alink_xpu_hbm_usage(struct xpu_device *xdev,
			 struct drm_alink_xpu_query_memory *m)
{
	struct xpu_hbm *hbm = &xdev->hbm;

	mutex_lock(&hbm->lock);
	m->hbm_total = xdev->info.hbm_size - hbm->retired;
	m->hbm_used = hbm->used;
	m->visible_total = xdev->info.hbm_visible - hbm->visible_retired;
	m->visible_used = hbm->visible_used;
	m->hbm_retired = hbm->retired;
	m->hbm_pending = (u64)hbm->num_bad * XPU_PAGE_SIZE - hbm->retired;
	mutex_unlock(&hbm->lock);
}

/**
 * alink_xpu_hbm_close - give HBM to nobody
 * @xdev:	device
 * @close:	from now on; else it is there for all again
 *
 * From the return on, what is in use becomes less, and not more.
 */
void alink_xpu_hbm_close(struct xpu_device *xdev, bool close)
{
	mutex_lock(&xdev->hbm.lock);
	WRITE_ONCE(xdev->hbm.closed, close);
	mutex_unlock(&xdev->hbm.lock);
	if (!close)
		wake_up_all(&xdev->state_wait);
}

/**
 * alink_xpu_hbm_runs - say where HBM is in use
 * @xdev:	device
 * @runs:	out, in the order of addresses
 * @room:	of @runs; 0 to ask how much will do
 *
 * Return: number of runs in @runs; with @room 0, what is not less than that.
 */
size_t alink_xpu_hbm_runs(struct xpu_device *xdev, struct xpu_hbm_run *runs,
			  size_t room)
{
	const struct drm_mm_node *node;
	u64 end = U64_MAX;
	size_t num = 0;

	mutex_lock(&xdev->hbm.lock);
	drm_mm_for_each_node(node, &xdev->hbm.mm) {
		if (node->color == XPU_HBM_BAD)
			continue;
		if (!room) {
			num++;
		} else if (num && node->start == end) {
			runs[num - 1].size += node->size;
		} else if (num < room) {
			runs[num].start = node->start;
			runs[num].size = node->size;
			num++;
		} else {
			break;
		}
		end = node->start + node->size;
	}
	mutex_unlock(&xdev->hbm.lock);
	return num;
}

int alink_xpu_hbm_init(struct xpu_device *xdev)
{
	xdev->hbm.bad = kcalloc(ALINK_XPU_MAX_RETIRED, sizeof(*xdev->hbm.bad),
				GFP_KERNEL);
	if (!xdev->hbm.bad)
		return -ENOMEM;
	mutex_init(&xdev->hbm.lock);
	drm_mm_init(&xdev->hbm.mm, 0, xdev->info.hbm_size);
	return 0;
}

/* With the DRM device: no object is left. */
void alink_xpu_hbm_fini(struct xpu_device *xdev)
{
	if (!drm_mm_initialized(&xdev->hbm.mm))
		return;
	alink_xpu_retire_fini(xdev);
	drm_mm_takedown(&xdev->hbm.mm);
	mutex_destroy(&xdev->hbm.lock);
}
