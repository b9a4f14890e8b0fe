/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HBM: what its files share.
 *
 *	alink_xpu_hbm.c		the allocator
 *	alink_xpu_kq.c		the kernel's queue, which clears and copies HBM
 *	alink_xpu_retire.c	pages that must not be used any more
 */
#ifndef ALINK_XPU_HBM_H
#define ALINK_XPU_HBM_H

#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/sysfs.h>
#include <linux/types.h>

#include <drm/drm_mm.h>

#include "alink_xpu_pt.h"

struct drm_alink_xpu_query_memory;
struct sg_table;
struct xpu_bo;
struct xpu_device;

/* As much is copied at once between HBM and system memory */
#define XPU_KQ_COPY_MAX		SZ_16M

/**
 * struct xpu_bad_page - a page of HBM that took an uncorrectable error
 * @node:	in xpu_hbm.mm once the page is retired
 * @addr:	offset in HBM
 * @time:	when that was, seconds since 1970
 * @cause:	enum alink_xpu_retire_cause
 * @stored:	the device has it in its own list
 */
struct xpu_bad_page {
	struct drm_mm_node node;
	u64 addr;
	s64 time;
	u32 cause;
	bool stored;
};

/**
 * struct xpu_hbm - HBM allocator
 * @lock:	protects all here
 * @mm:		offsets in HBM
 * @used:	bytes in use
 * @visible_used: of them, below xpu_info.hbm_visible
 * @bad:	room for ALINK_XPU_MAX_RETIRED pages
 * @num_bad:	pages in @bad
 * @retired:	bytes that nobody gets any more
 * @visible_retired: of them, below xpu_info.hbm_visible
 */
struct xpu_hbm {
	/* protects all here */
	struct mutex lock;
	struct drm_mm mm;
	u64 used;
	u64 visible_used;
	struct xpu_bad_page *bad;
	unsigned int num_bad;
	u64 retired;
	u64 visible_retired;
};

/**
 * struct xpu_kq - the kernel's own queue
 * @lock:	protects all here
 * @pt:		kernel context: all HBM at its offset, @ring, and a place for the
 *		system memory that is copied
 * @ring:	one page: descriptors, status block, fence
 * @ring_dma:	DMA address of @ring
 * @tail:	free-running producer index
 * @seq:	latest fence value asked for
 * @ready:	the queue exists in the device
 */
struct xpu_kq {
	/* protects all here */
	struct mutex lock;
	struct xpu_pt_tree pt;
	void *ring;
	dma_addr_t ring_dma;
	u32 tail;
	u64 seq;
	bool ready;
};

/* alink_xpu_hbm.c */
int alink_xpu_hbm_init(struct xpu_device *xdev);
void alink_xpu_hbm_fini(struct xpu_device *xdev);
int alink_xpu_hbm_alloc(struct xpu_device *xdev, struct xpu_bo *bo, u64 size,
			bool visible);
void alink_xpu_hbm_free(struct xpu_device *xdev, struct xpu_bo *bo);
void alink_xpu_hbm_usage(struct xpu_device *xdev,
			 struct drm_alink_xpu_query_memory *m);
u64 alink_xpu_hbm_offset(const struct xpu_bo *bo, u64 offset, u64 *run);

/* alink_xpu_kq.c */
int alink_xpu_kq_init(struct xpu_device *xdev);
void alink_xpu_kq_fini(struct xpu_device *xdev);
int alink_xpu_kq_start(struct xpu_device *xdev);
int alink_xpu_kq_clear(struct xpu_device *xdev, const struct xpu_bo *bo);
int alink_xpu_kq_copy(struct xpu_device *xdev, const struct xpu_bo *bo,
		      u64 offset, u64 len, struct sg_table *sgt, bool out);

/* alink_xpu_retire.c */
extern const struct attribute_group alink_xpu_retire_group;
int alink_xpu_retire_load(struct xpu_device *xdev);
void alink_xpu_retire_fini(struct xpu_device *xdev);
void alink_xpu_retire(struct xpu_device *xdev, u64 addr);
void alink_xpu_retire_lost(struct xpu_device *xdev);
void alink_xpu_retire_free(struct xpu_device *xdev);
void alink_xpu_retire_store(struct xpu_device *xdev, bool restart);

#endif /* ALINK_XPU_HBM_H */
