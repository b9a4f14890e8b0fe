// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables: four levels of 4 KiB in DMA memory, leaves of 4 KiB and 2 MiB; and
 * of 1 GiB where a mapping stays for good, as nothing here takes them apart.
 *
 * A change has two halves. First a pool is filled with as many tables as it can
 * need at most, which may fail, and touches no tree. Then split, prepare, map
 * and clear take from the pool and allocate nothing: they run where fences are
 * signalled. Tables that drop out stay allocated until the caller has
 * invalidated the TLB, takes them with collect, and frees them where it may.
 *
 * Where memory comes only when it is used (alink_xpu_user.c), there are marks:
 * entries with RETRY and without VALID. One of level 1 has LEAF also, which the
 * device ignores there: it stands for 2 MiB, and is split as a leaf is.
 *
 * The caller serialises all calls on one tree.
 */
#include <linux/dma-mapping.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "alink_xpu_drv.h"

#define PT_ENTRIES		512
#define PT_ROOT_LEVEL		3
#define PT_HUGE_LEVEL		2
#define PT_ADDR(pa)		((u64)(pa) & ALINK_PTE_ADDR_MASK)

static unsigned int pt_shift(unsigned int level)
{
	return 12 + 9 * level;
}

static unsigned int pt_index(u64 va, unsigned int level)
{
	return (va >> pt_shift(level)) & (PT_ENTRIES - 1);
}

static void pt_free(struct device *dev, struct xpu_pt *pt)
{
	dma_free_coherent(dev, XPU_PAGE_SIZE, pt->entry, pt->dma);
	kfree(pt->child);
	kfree(pt);
}

static struct xpu_pt *pt_alloc(struct device *dev, bool inner)
{
	struct xpu_pt *pt;

	pt = kzalloc(sizeof(*pt), GFP_KERNEL_ACCOUNT);
	if (!pt)
		return NULL;
	if (inner) {
		pt->child = kcalloc(PT_ENTRIES, sizeof(*pt->child),
				    GFP_KERNEL_ACCOUNT);
		if (!pt->child)
			goto err_free;
	}
	/* The device sees it as zeros: nothing valid. */
	pt->entry = dma_alloc_coherent(dev, XPU_PAGE_SIZE, &pt->dma,
				       GFP_KERNEL_ACCOUNT);
	if (!pt->entry)
		goto err_free;
	INIT_LIST_HEAD(&pt->node);
	return pt;

err_free:
	kfree(pt->child);
	kfree(pt);
	return NULL;
}

/* --- pools: tables ahead of their use ------------------------------------ */

static u64 pt_region(u64 va)
{
	return va / XPU_LARGE_PAGE_SIZE;
}

/* One table of the last level, unless the run before has asked for it. */
static void pt_need_leaf(struct xpu_pt_need *need, u64 region)
{
	if (need->leaf && need->region == region)
		return;
	need->region = region;
	need->leaf++;
}

/**
 * alink_xpu_pt_need_range - what changing a range can take beside its runs
 * @need:	counts
 * @va:		device virtual address
 * @len:	bytes, not 0
 * @map:	something is mapped there
 *
 * Large leaves at both ends may have to be split, and there may be no way to
 * the range.
 */
void alink_xpu_pt_need_range(struct xpu_pt_need *need, u64 va, u64 len,
			     bool map)
{
	unsigned int level;

	need->split += !IS_ALIGNED(va, XPU_LARGE_PAGE_SIZE);
	need->split += !IS_ALIGNED(va + len, XPU_LARGE_PAGE_SIZE);
	for (level = 1; map && level < PT_ROOT_LEVEL; level++)
		need->inner += ((va + len - 1) >> pt_shift(level + 1)) -
			       (va >> pt_shift(level + 1)) + 1;
}

/**
 * alink_xpu_pt_need_run - what mapping a run can take
 * @need:	counts; runs of a range come in ascending order
 * @va:		device virtual address
 * @pa:		address behind it, as alink_xpu_pt_map() will be given it
 * @len:	bytes, not 0
 */
void alink_xpu_pt_need_run(struct xpu_pt_need *need, u64 va, u64 pa, u64 len)
{
	u64 first = pt_region(va), last = pt_region(va + len - 1);

	if (!IS_ALIGNED(va ^ pa, XPU_LARGE_PAGE_SIZE)) {
		/* Small pages all along; the first may be counted already. */
		pt_need_leaf(need, first);
		need->leaf += last - first;
		need->region = last;
		return;
	}
	if (!IS_ALIGNED(va, XPU_LARGE_PAGE_SIZE))
		pt_need_leaf(need, first);
	if (!IS_ALIGNED(va + len, XPU_LARGE_PAGE_SIZE))
		pt_need_leaf(need, last);
}

/**
 * alink_xpu_pt_need_huge - what alink_xpu_pt_map_huge() can take
 * @need:	counts
 * @va:		device virtual address
 * @len:	bytes, not 0
 */
void alink_xpu_pt_need_huge(struct xpu_pt_need *need, u64 va, u64 len)
{
	need->inner += ((va + len - 1) >> pt_shift(PT_ROOT_LEVEL)) -
		       (va >> pt_shift(PT_ROOT_LEVEL)) + 1;
}

static int pt_pool_add(struct list_head *list, struct device *dev, u64 num,
		       bool inner)
{
	struct xpu_pt *pt;

	for (; num; num--) {
		if (fatal_signal_pending(current))
			return -EINTR;
		pt = pt_alloc(dev, inner);
		if (!pt)
			return -ENOMEM;
		list_add(&pt->node, list);
		cond_resched();
	}
	return 0;
}

void alink_xpu_pt_pool_init(struct xpu_pt_pool *pool)
{
	INIT_LIST_HEAD(&pool->leaf);
	INIT_LIST_HEAD(&pool->inner);
}

/**
 * alink_xpu_pt_pool_fill - allocate tables
 * @pool:	pool
 * @dev:	device that will read them
 * @need:	how many
 *
 * On failure what has been allocated stays for alink_xpu_pt_pool_free().
 *
 * Return: 0, -ENOMEM, or -EINTR on a fatal signal.
 */
int alink_xpu_pt_pool_fill(struct xpu_pt_pool *pool, struct device *dev,
			   const struct xpu_pt_need *need)
{
	return pt_pool_add(&pool->leaf, dev, need->leaf + need->split, false) ?:
	       pt_pool_add(&pool->inner, dev, need->inner, true);
}

/**
 * alink_xpu_pt_free - free tables
 * @dev:	device that they were for
 * @list:	tables in no tree and no pool
 */
void alink_xpu_pt_free(struct device *dev, struct list_head *list)
{
	struct xpu_pt *pt, *next;

	list_for_each_entry_safe(pt, next, list, node) {
		list_del(&pt->node);
		pt_free(dev, pt);
		cond_resched();
	}
}

/**
 * alink_xpu_pt_pool_free - free what is left in a pool
 * @pool:	pool
 * @dev:	as when it was filled
 */
void alink_xpu_pt_pool_free(struct xpu_pt_pool *pool, struct device *dev)
{
	alink_xpu_pt_free(dev, &pool->leaf);
	alink_xpu_pt_free(dev, &pool->inner);
}

static struct xpu_pt *pt_take(struct xpu_pt_pool *pool, unsigned int level)
{
	struct list_head *list = level ? &pool->inner : &pool->leaf;
	struct xpu_pt *pt;

	pt = list_first_entry_or_null(list, struct xpu_pt, node);
	if (!pt)
		return NULL;
	list_del_init(&pt->node);
	pt->level = level;
	return pt;
}

/* --- trees --------------------------------------------------------------- */

static void pt_free_below(struct xpu_pt_tree *tree, struct xpu_pt *pt)
{
	unsigned int i;

	for (i = 0; pt->child && i < PT_ENTRIES; i++)
		if (pt->child[i])
			pt_free_below(tree, pt->child[i]);
	pt_free(tree->dev, pt);
}

/* Writes one entry whole: the device may look at any time. */
static void pt_set(struct xpu_pt_tree *tree, struct xpu_pt *pt, unsigned int i,
		   u64 value)
{
	if (pt->entry[i] == cpu_to_le64(value))
		return;
	if (pt->entry[i] & cpu_to_le64(ALINK_PTE_VALID))
		tree->stale = true;
	pt->used += !!value - !!pt->entry[i];
	WRITE_ONCE(pt->entry[i], cpu_to_le64(value));
}

static bool pt_is_leaf(const struct xpu_pt *pt, unsigned int i)
{
	return pt->entry[i] & cpu_to_le64(ALINK_PTE_LEAF);
}

static void pt_link(struct xpu_pt_tree *tree, struct xpu_pt *pt,
		    unsigned int i, struct xpu_pt *child)
{
	pt->child[i] = child;
	/* what is in the table is visible before the way to it */
	dma_wmb();
	pt_set(tree, pt, i, PT_ADDR(child->dma) | ALINK_PTE_VALID);
}

/* Replaces a large leaf, or mark, by a table that says the same. */
static int pt_split_leaf(struct xpu_pt_tree *tree, struct xpu_pt_pool *pool,
			 struct xpu_pt *pt, unsigned int i)
{
	u64 leaf = le64_to_cpu(pt->entry[i]) & ~ALINK_PTE_LEAF;
	u64 step = leaf & ALINK_PTE_VALID ? XPU_PAGE_SIZE : 0;
	struct xpu_pt *child = pt_take(pool, pt->level - 1);
	unsigned int k;

	if (!child)
		return -ENOMEM;
	for (k = 0; k < PT_ENTRIES; k++)
		pt_set(tree, child, k, leaf + k * step);
	pt_link(tree, pt, i, child);
	return 0;
}

/* The table of @level on the way to @va, or NULL if there is none. */
static struct xpu_pt *pt_find(struct xpu_pt_tree *tree, u64 va,
			      unsigned int level)
{
	struct xpu_pt *pt = tree->root;

	while (pt && pt->level > level)
		pt = pt->child[pt_index(va, pt->level)];
	return pt;
}

/* As pt_find(), but makes the way, splitting leaves that are in it. */
static int pt_make(struct xpu_pt_tree *tree, struct xpu_pt_pool *pool, u64 va,
		   unsigned int level)
{
	struct xpu_pt *child, *pt = tree->root;
	unsigned int i;
	int err;

	while (pt->level > level) {
		i = pt_index(va, pt->level);
		if (pt_is_leaf(pt, i)) {
			err = pt_split_leaf(tree, pool, pt, i);
			if (err)
				return err;
		} else if (!pt->child[i]) {
			child = pt_take(pool, pt->level - 1);
			if (!child)
				return -ENOMEM;
			pt_link(tree, pt, i, child);
		}
		pt = pt->child[i];
	}
	return 0;
}

/*
 * How much of the run the leaves of the next table cover, and of which level:
 * the way to a table costs more than an entry of it.
 */
static u64 pt_step(u64 va, u64 pa, u64 len, unsigned int *level)
{
	u64 span;

	*level = IS_ALIGNED(va | pa, XPU_LARGE_PAGE_SIZE) &&
		 len >= XPU_LARGE_PAGE_SIZE;
	if (*level)
		len = ALIGN_DOWN(len, XPU_LARGE_PAGE_SIZE);
	span = BIT_ULL(pt_shift(*level + 1));
	return min(len, span - (va & (span - 1)));
}

/**
 * alink_xpu_pt_prepare - make the tables that mapping a run needs
 * @tree:	page tables
 * @pool:	filled for the range and its runs
 * @va:		device virtual address
 * @pa:		address behind it, as alink_xpu_pt_map() will be given it
 * @len:	bytes; all three are multiples of 4 KiB
 *
 * Return: 0, or -ENOMEM if the pool was too small.
 */
int alink_xpu_pt_prepare(struct xpu_pt_tree *tree, struct xpu_pt_pool *pool,
			 u64 va, u64 pa, u64 len)
{
	unsigned int level;
	u64 step;
	int err;

	while (len) {
		step = pt_step(va, pa, len, &level);
		err = pt_make(tree, pool, va, level);
		if (err)
			return err;
		va += step;
		pa += step;
		len -= step;
	}
	return 0;
}

/**
 * alink_xpu_pt_map_huge - map what stays as long as the tree does
 * @tree:	page tables, which have nothing there
 * @pool:	filled for it
 * @va:		device virtual address
 * @pa:		address behind it
 * @len:	bytes; all three are multiples of 1 GiB
 * @bits:	rights and aperture of each entry
 *
 * For devices with ALINK_CAP_HUGE_LEAF. The range is nobody else's in this file.
 *
 * Return: 0, or -ENOMEM if the pool was too small.
 */
int alink_xpu_pt_map_huge(struct xpu_pt_tree *tree, struct xpu_pt_pool *pool,
			  u64 va, u64 pa, u64 len, u64 bits)
{
	u64 end = va + len;
	int err;

	bits |= ALINK_PTE_VALID | ALINK_PTE_LEAF;
	for (; va < end; va += XPU_HUGE_PAGE_SIZE, pa += XPU_HUGE_PAGE_SIZE) {
		err = pt_make(tree, pool, va, PT_HUGE_LEVEL);
		if (err)
			return err;
		pt_set(tree, pt_find(tree, va, PT_HUGE_LEVEL),
		       pt_index(va, PT_HUGE_LEVEL), PT_ADDR(pa) | bits);
	}
	return 0;
}

/**
 * alink_xpu_pt_split - make sure that no large leaf crosses an address
 * @tree:	page tables
 * @pool:	filled for the range
 * @va:		device virtual address, multiple of 4 KiB
 *
 * Before alink_xpu_pt_clear(), for both ends of what it will clear.
 *
 * Return: 0, or -ENOMEM if the pool was too small.
 */
int alink_xpu_pt_split(struct xpu_pt_tree *tree, struct xpu_pt_pool *pool,
		       u64 va)
{
	struct xpu_pt *pt;
	unsigned int i;

	if (IS_ALIGNED(va, XPU_LARGE_PAGE_SIZE))
		return 0;
	pt = pt_find(tree, va, 1);
	i = pt_index(va, 1);
	if (!pt || !pt_is_leaf(pt, i))
		return 0;
	return pt_split_leaf(tree, pool, pt, i);
}

/* Leaves side by side in one table */
static void pt_fill(struct xpu_pt_tree *tree, struct xpu_pt *pt, u64 va,
		    u64 pa, u64 len, u64 bits)
{
	u64 size = BIT_ULL(pt_shift(pt->level));
	unsigned int i = pt_index(va, pt->level);
	unsigned int end = i + (len >> pt_shift(pt->level));

	if (pt->level)
		bits |= ALINK_PTE_LEAF;
	for (; i < end; i++, pa += size) {
		if (pt->level && pt->child[i]) {
			list_add(&pt->child[i]->node, &tree->garbage);
			pt->child[i] = NULL;
		}
		pt_set(tree, pt, i, PT_ADDR(pa) | bits);
	}
}

/**
 * alink_xpu_pt_map - write the entries of a prepared run
 * @tree:	page tables
 * @va:		device virtual address
 * @pa:		DMA address, offset in HBM, or slot and offset
 * @len:	bytes
 * @bits:	rights and aperture of each entry
 */
void alink_xpu_pt_map(struct xpu_pt_tree *tree, u64 va, u64 pa, u64 len,
		      u64 bits)
{
	unsigned int level;
	u64 step;

	bits |= ALINK_PTE_VALID;
	for (; len; va += step, pa += step, len -= step) {
		step = pt_step(va, pa, len, &level);
		pt_fill(tree, pt_find(tree, va, level), va, pa, step, bits);
	}
}

/* What of an entry is neither address nor level. @rights: VM_BIND_* */
u64 alink_xpu_pte_bits(u32 rights, enum alink_aperture aperture)
{
	u64 bits = FIELD_PREP(ALINK_PTE_APERTURE_MASK, (u64)aperture);

	if (rights & DRM_ALINK_XPU_VM_BIND_READ)
		bits |= ALINK_PTE_READ;
	if (rights & DRM_ALINK_XPU_VM_BIND_WRITE)
		bits |= ALINK_PTE_WRITE;
	if (rights & DRM_ALINK_XPU_VM_BIND_ATOMIC)
		bits |= ALINK_PTE_ATOMIC;
	return bits;
}

/* The rights that such bits give */
u32 alink_xpu_pte_rights(u64 bits)
{
	u32 rights = 0;

	if (bits & ALINK_PTE_READ)
		rights |= DRM_ALINK_XPU_VM_BIND_READ;
	if (bits & ALINK_PTE_WRITE)
		rights |= DRM_ALINK_XPU_VM_BIND_WRITE;
	if (bits & ALINK_PTE_ATOMIC)
		rights |= DRM_ALINK_XPU_VM_BIND_ATOMIC;
	return rights;
}

/**
 * alink_xpu_pt_mark - take what is mapped away, to come back when it is used
 * @tree:	page tables
 * @va:		device virtual address
 * @len:	bytes
 *
 * The tables are there: the range was marked before, or prepared with @va as
 * the address behind it. No large leaf crosses its ends. No table drops out.
 *
 * Context: process; may be long, and lets others run.
 */
void alink_xpu_pt_mark(struct xpu_pt_tree *tree, u64 va, u64 len)
{
	struct xpu_pt *pt, *child;
	unsigned int i;
	u64 step, at;

	for (; len; va += step, len -= step) {
		step = min(len, XPU_LARGE_PAGE_SIZE -
			   (va & (XPU_LARGE_PAGE_SIZE - 1)));
		pt = pt_find(tree, va, 1);
		i = pt_index(va, 1);
		child = pt->child[i];
		if (!child) {
			/* For a part of it a mark is there already. */
			if (step == XPU_LARGE_PAGE_SIZE)
				pt_set(tree, pt, i,
				       ALINK_PTE_RETRY | ALINK_PTE_LEAF);
			continue;
		}
		for (at = va; at < va + step; at += XPU_PAGE_SIZE)
			pt_set(tree, child, pt_index(at, 0), ALINK_PTE_RETRY);
		cond_resched();
	}
}

/**
 * alink_xpu_pt_map_some - map what there are tables for, and mark the rest
 * @tree:	page tables
 * @va:		device virtual address
 * @pa:		as for alink_xpu_pt_map()
 * @len:	bytes
 * @bits:	as for alink_xpu_pt_map()
 *
 * The tables are there as for alink_xpu_pt_mark(). An entry that is right is not
 * wrong in between.
 */
void alink_xpu_pt_map_some(struct xpu_pt_tree *tree, u64 va, u64 pa, u64 len,
			   u64 bits)
{
	unsigned int level;
	struct xpu_pt *pt;
	u64 step;

	for (; len; va += step, pa += step, len -= step) {
		step = pt_step(va, pa, len, &level);
		if (level || pt_find(tree, va, 0)) {
			alink_xpu_pt_map(tree, va, pa, step, bits);
			continue;
		}
		/* No table: all of the 2 MiB are the operation's. */
		step = min(len, XPU_LARGE_PAGE_SIZE -
			   (va & (XPU_LARGE_PAGE_SIZE - 1)));
		pt = pt_find(tree, va, 1);
		pt_set(tree, pt, pt_index(va, 1),
		       ALINK_PTE_RETRY | ALINK_PTE_LEAF);
	}
}

static void pt_clear(struct xpu_pt_tree *tree, struct xpu_pt *pt, u64 va,
		     u64 end)
{
	u64 next, span = BIT_ULL(pt_shift(pt->level));
	struct xpu_pt *child;
	unsigned int i;

	for (; va < end; va = next) {
		i = pt_index(va, pt->level);
		next = min(ALIGN_DOWN(va, span) + span, end);
		child = pt->level ? pt->child[i] : NULL;
		if (child) {
			pt_clear(tree, child, va, next);
			if (child->used)
				continue;
			pt->child[i] = NULL;
			pt_set(tree, pt, i, 0);
			list_add(&child->node, &tree->garbage);
		} else if (pt->entry[i]) {
			pt_set(tree, pt, i, 0);
		}
	}
}

/**
 * alink_xpu_pt_clear - clear all entries of a range
 * @tree:	page tables
 * @va:		device virtual address
 * @len:	bytes; both ends have been through alink_xpu_pt_split()
 */
void alink_xpu_pt_clear(struct xpu_pt_tree *tree, u64 va, u64 len)
{
	if (tree->root)
		pt_clear(tree, tree->root, va, va + len);
}

/**
 * alink_xpu_pt_collect - take the tables that have dropped out
 * @tree:	page tables, whose TLB entries have been invalidated since
 * @old:	out: they are added here, for alink_xpu_pt_free()
 */
void alink_xpu_pt_collect(struct xpu_pt_tree *tree, struct list_head *old)
{
	list_splice_init(&tree->garbage, old);
	tree->stale = false;
}

/**
 * alink_xpu_pt_init - make empty page tables
 * @tree:	page tables
 * @dev:	device that will read them
 *
 * Return: 0 or -ENOMEM.
 */
int alink_xpu_pt_init(struct xpu_pt_tree *tree, struct device *dev)
{
	tree->dev = dev;
	tree->stale = false;
	INIT_LIST_HEAD(&tree->garbage);
	tree->root = pt_alloc(dev, true);
	if (!tree->root)
		return -ENOMEM;
	tree->root->level = PT_ROOT_LEVEL;
	return 0;
}

/**
 * alink_xpu_pt_fini - free page tables that the device does not use any more
 * @tree:	page tables; may be called again
 */
void alink_xpu_pt_fini(struct xpu_pt_tree *tree)
{
	if (!tree->root)
		return;
	alink_xpu_pt_free(tree->dev, &tree->garbage);
	pt_free_below(tree, tree->root);
	tree->root = NULL;
}
