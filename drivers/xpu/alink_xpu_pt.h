/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables: alink_xpu_pt.c, which says how they are used.
 */
#ifndef ALINK_XPU_PT_H
#define ALINK_XPU_PT_H

#include <linux/list.h>
#include <linux/types.h>

#include <hw/alink/xpu.h>

struct device;

/**
 * struct xpu_pt - one page table
 * @entry:	512 entries, read by the device
 * @dma:	DMA address of @entry
 * @child:	tables behind the entries; NULL at level 0
 * @used:	entries that are not 0
 * @level:	3 (root) to 0
 * @node:	in xpu_pt_tree.garbage, once no entry points here; in a pool
 */
struct xpu_pt {
	__le64 *entry;
	dma_addr_t dma;
	struct xpu_pt **child;
	u16 used;
	u8 level;
	struct list_head node;
};

/**
 * struct xpu_pt_tree - page tables of one context
 * @dev:	for DMA memory
 * @root:	level 3, or NULL when the device is gone
 * @garbage:	tables that old translations may still lead through
 * @stale:	a translation that was valid has changed: the TLB must go
 */
struct xpu_pt_tree {
	struct device *dev;
	struct xpu_pt *root;
	struct list_head garbage;
	bool stale;
};

/**
 * struct xpu_pt_need - how many tables a change can need at most
 * @leaf:	of level 0, for what is mapped by small pages
 * @split:	of level 0, for large leaves that are split
 * @inner:	of levels 1 and 2
 * @region:	2 MiB that @leaf counted last
 */
struct xpu_pt_need {
	u64 leaf;
	u64 split;
	u64 inner;
	u64 region;
};

/**
 * struct xpu_pt_pool - page tables in no tree
 * @leaf:	of level 0
 * @inner:	of any other level
 */
struct xpu_pt_pool {
	struct list_head leaf;
	struct list_head inner;
};

int alink_xpu_pt_init(struct xpu_pt_tree *tree, struct device *dev);
void alink_xpu_pt_fini(struct xpu_pt_tree *tree);
void alink_xpu_pt_need_range(struct xpu_pt_need *need, u64 va, u64 len,
			     bool map);
void alink_xpu_pt_need_run(struct xpu_pt_need *need, u64 va, u64 pa, u64 len);
void alink_xpu_pt_need_huge(struct xpu_pt_need *need, u64 va, u64 len);
void alink_xpu_pt_pool_init(struct xpu_pt_pool *pool);
int alink_xpu_pt_pool_fill(struct xpu_pt_pool *pool, struct device *dev,
			   const struct xpu_pt_need *need);
void alink_xpu_pt_pool_free(struct xpu_pt_pool *pool, struct device *dev);
int alink_xpu_pt_prepare(struct xpu_pt_tree *tree, struct xpu_pt_pool *pool,
			 u64 va, u64 pa, u64 len);
int alink_xpu_pt_map_huge(struct xpu_pt_tree *tree, struct xpu_pt_pool *pool,
			  u64 va, u64 pa, u64 len, u64 bits);
int alink_xpu_pt_split(struct xpu_pt_tree *tree, struct xpu_pt_pool *pool,
		       u64 va);
void alink_xpu_pt_map(struct xpu_pt_tree *tree, u64 va, u64 pa, u64 len,
		      u64 bits);
u64 alink_xpu_pte_bits(u32 rights, enum alink_aperture aperture);
u32 alink_xpu_pte_rights(u64 bits);
void alink_xpu_pt_mark(struct xpu_pt_tree *tree, u64 va, u64 len);
void alink_xpu_pt_map_some(struct xpu_pt_tree *tree, u64 va, u64 pa, u64 len,
			   u64 bits);
void alink_xpu_pt_clear(struct xpu_pt_tree *tree, u64 va, u64 len);
void alink_xpu_pt_collect(struct xpu_pt_tree *tree, struct list_head *old);
void alink_xpu_pt_free(struct device *dev, struct list_head *list);

#endif /* ALINK_XPU_PT_H */
