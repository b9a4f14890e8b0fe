/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HBM: what its files share.
 *
 *	alink_xpu_hbm.c		the allocator
 *	alink_xpu_kq.c		the kernel's queue, which clears and copies HBM
 *	alink_xpu_retire.c	pages that must not be used any more
 *	alink_xpu_ecc.c		tells devlink of errors and of these pages
 *	alink_xpu_evict.c	who has to leave HBM when it is full
 *	alink_xpu_pin.c		who stays
 *	alink_xpu_move.c	how an object leaves, and comes back
 *	alink_xpu_sleep.c	what becomes of it all when the machine sleeps
 */
#ifndef ALINK_XPU_HBM_H
#define ALINK_XPU_HBM_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <drm/drm_gem.h>
#include <drm/drm_mm.h>

#include <hw/alink/common.h>

#include "alink_xpu_pt.h"

struct devlink;
struct devlink_health_reporter;
struct drm_alink_xpu_query_memory;
struct file;
struct mem_cgroup;
struct page;
struct sg_table;
struct xpu_bo;
struct xpu_device;
struct xpu_queue;
struct xpu_vm;

/* As much is copied at once between HBM and system memory */
#define XPU_KQ_COPY_MAX		SZ_16M

/*
 * drm_mm_node.color: may what is there leave? Of objects written with
 * xpu_evict.lru_lock held, too.
 */
#define XPU_HBM_MOVES		0
#define XPU_HBM_STAYS		1
#define XPU_HBM_BAD		2	/* stays, and nobody has it */

/* Who waits for room in HBM looks again after this time */
#define XPU_EVICT_POLL_MS	10

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
 * struct xpu_bad_info - what others may know of such a page
 * @addr:	offset in HBM
 * @time:	when that was, seconds since 1970
 * @cause:	in a word
 * @retired:	nobody has it; else it is in use still
 * @stored:	the device has it in its own list
 */
struct xpu_bad_info {
	u64 addr;
	s64 time;
	const char *cause;
	bool retired;
	bool stored;
};

/**
 * struct xpu_ecc - errors of HBM that could not be corrected, since probe
 * @lock:	protects @last and @uncorrected
 * @last:	the latest ALINK_EVENT_FAULT of them
 * @uncorrected: all of them
 * @told:	of them, by @work; only that uses it
 * @test:	a report was asked for
 * @work:	tells devlink
 * @reporter:	health reporter of devlink
 */
struct xpu_ecc {
	/* protects last and uncorrected; innermost */
	spinlock_t lock;
	struct alink_event last;
	u64 uncorrected;
	u64 told;
	bool test;
	struct work_struct work;
	struct devlink_health_reporter *reporter;
};

/**
 * struct xpu_hbm - HBM allocator
 * @lock:	protects all here
 * @mm:		offsets in HBM
 * @used:	bytes in use
 * @visible_used: of them, below xpu_info.hbm_visible
 * @bad:	room for ALINK_XPU_MAX_RETIRED pages
 * @num_bad:	pages in @bad
 * @beyond:	errors in pages for which @bad had no room
 * @retired:	bytes that nobody gets any more
 * @visible_retired: of them, below xpu_info.hbm_visible
 * @closed:	nobody gets any for now: the machine goes to sleep, or what it held
 *		then is not back
 */
struct xpu_hbm {
	/* protects all here */
	struct mutex lock;
	struct drm_mm mm;
	u64 used;
	u64 visible_used;
	struct xpu_bad_page *bad;
	unsigned int num_bad;
	u64 beyond;
	u64 retired;
	u64 visible_retired;
	bool closed;
};

/**
 * struct xpu_hbm_run - HBM in use, without a gap
 * @start:	offset in HBM
 * @size:	bytes
 */
struct xpu_hbm_run {
	u64 start;
	u64 size;
};

/**
 * struct xpu_hbm_room - the largest object that HBM would have room for, alone
 * @any:	bytes, wherever it is
 * @visible:	bytes, in BAR2
 */
struct xpu_hbm_room {
	u64 any;
	u64 visible;
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
 * @alone:	works in XPU_RESETTING, for alink_xpu_sleep.c
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
	bool alone;
};

/**
 * struct xpu_claim - a command that needs memory
 * @queue:	xpu_queue.serial; 0: no queue, nobody's command
 * @hw_id:	its queue of the device
 * @head:	free-running index of the descriptor
 */
struct xpu_claim {
	u64 queue;
	u32 hw_id;
	u32 head;
};

/**
 * struct xpu_place - where an HBM object is: in HBM, or in system memory
 *
 * With the object's dma_resv held it stays where it is. Asynchronous VM_BIND
 * must not take that; @away and @moves are therefore written with gpuva_lock
 * held, too, and xpu_vm.lock then keeps the object in place, see
 * alink_xpu_move.c.
 *
 * @away:	it is not in HBM, or about to leave: what is bound gets marks
 * @moves:	counts places, from 1
 * @marked:	page tables may have marks for it; dma_resv
 * @file:	the contents while they are in system memory; written with
 *		xpu_evict.lock held, too
 * @pages:	of @file, what CPU mappings show: struct page, referenced; dma_resv
 * @memcg:	pays for @file; constant
 * @windows:	struct xpu_window; dma_resv
 * @pins:	who needs it to stay where it is; dma_resv
 * @pass:	xpu_evict.passes when it could not leave; xpu_evict.lock
 * @since:	when it came to HBM, jiffies; xpu_evict.lru_lock, as what follows
 * @user:	the command that needed it last, as far as anybody knows
 * @lost:	the command that it was taken for although that had needed it
 */
struct xpu_place {
	bool away;
	u64 moves;
	bool marked;
	struct file *file;
	struct xarray pages;
	struct mem_cgroup *memcg;
	struct list_head windows;
	unsigned int pins;
	u64 pass;
	unsigned long since;
	struct xpu_claim user;
	struct xpu_claim lost;
};

/**
 * struct xpu_evict - what moves out of HBM, and for whom
 * @lock:	one move at a time; protects what follows
 * @holder:	the command whose queue has the turn
 * @next:	the command that has waited longest for it, or nobody's
 * @asked:	when it last asked, jiffies
 * @began:	when the turn began, jiffies
 * @got:	when @holder's queue last got memory
 * @spins:	memory that @holder lost to itself and got back, since it last got
 *		any that was new to it
 * @passes:	searches for somebody who has to leave
 * @lru_lock:	protects the lists and what follows
 * @here:	objects in HBM that may move, those first that were not used longest
 * @gone:	objects in system memory
 * @evictions:	moves out of HBM
 * @restores:	moves back
 * @serials:	latest xpu_queue.serial
 */
struct xpu_evict {
	/*
	 * one move at a time; protects holder to passes. Taken before
	 * drm_dev_enter(): who unplugs waits for the move that runs, not for all
	 * who wait for their turn to move
	 */
	struct mutex lock;
	struct xpu_claim holder;
	struct xpu_claim next;
	unsigned long asked;
	unsigned long began;
	unsigned long got;
	unsigned int spins;
	u64 passes;

	/*
	 * protects the lists, what is counted, and since to lost of places; held
	 * from the look at gone until an object stays: two that stay at once
	 * could take the room that each of them leaves
	 */
	struct mutex lru_lock;
	struct drm_gem_lru here;
	struct drm_gem_lru gone;
	u64 evictions;
	u64 restores;

	atomic64_t serials;
};

/* alink_xpu_hbm.c */
int alink_xpu_hbm_init(struct xpu_device *xdev);
void alink_xpu_hbm_fini(struct xpu_device *xdev);
int alink_xpu_hbm_alloc(struct xpu_device *xdev, struct xpu_bo *bo, u64 size,
			bool visible);
void alink_xpu_hbm_free(struct xpu_device *xdev, struct xpu_bo *bo);
void alink_xpu_hbm_stay(struct xpu_device *xdev, struct xpu_bo *bo, bool stay);
void alink_xpu_hbm_room(struct xpu_device *xdev, struct xpu_hbm_room *room);
void alink_xpu_hbm_usage(struct xpu_device *xdev,
			 struct drm_alink_xpu_query_memory *m);
void alink_xpu_hbm_close(struct xpu_device *xdev, bool close);
size_t alink_xpu_hbm_runs(struct xpu_device *xdev, struct xpu_hbm_run *runs,
			  size_t room);
u64 alink_xpu_hbm_offset(const struct xpu_bo *bo, u64 offset, u64 *run);

/* alink_xpu_kq.c */
int alink_xpu_kq_init(struct xpu_device *xdev);
void alink_xpu_kq_fini(struct xpu_device *xdev);
int alink_xpu_kq_start(struct xpu_device *xdev);
int alink_xpu_kq_clear(struct xpu_device *xdev, const struct xpu_bo *bo);
int alink_xpu_kq_copy(struct xpu_device *xdev, const struct xpu_bo *bo,
		      u64 offset, u64 len, struct sg_table *sgt, bool out);
int alink_xpu_kq_copy_asleep(struct xpu_device *xdev, u64 hbm, u64 len,
			     struct sg_table *sgt, bool out);

/* alink_xpu_retire.c */
extern const struct attribute_group alink_xpu_retire_group;
int alink_xpu_retire_load(struct xpu_device *xdev);
void alink_xpu_retire_fini(struct xpu_device *xdev);
void alink_xpu_retire(struct xpu_device *xdev, u64 addr);
void alink_xpu_retire_lost(struct xpu_device *xdev);
void alink_xpu_retire_free(struct xpu_device *xdev);
void alink_xpu_retire_store(struct xpu_device *xdev, bool restart);
bool alink_xpu_retire_pending(struct xpu_device *xdev, const struct xpu_bo *bo);
bool alink_xpu_retire_get(struct xpu_device *xdev, unsigned int i,
			  struct xpu_bad_info *info);
u64 alink_xpu_retire_beyond(struct xpu_device *xdev);

/* alink_xpu_ecc.c */
void alink_xpu_ecc_init(struct xpu_device *xdev);
void alink_xpu_ecc_fini(struct xpu_device *xdev);
void alink_xpu_ecc_look(struct xpu_device *xdev);
void alink_xpu_ecc_note(struct xpu_device *xdev,
			const struct alink_event *event);
int alink_xpu_ecc_reporter_create(struct xpu_device *xdev,
				  struct devlink *devlink);
void alink_xpu_ecc_reporter_destroy(struct xpu_device *xdev);

/* alink_xpu_move.c */
void alink_xpu_place_init(struct xpu_bo *bo);
void alink_xpu_place_fini(struct xpu_bo *bo);
struct page *alink_xpu_place_read(struct xpu_bo *bo, struct file *file,
				  pgoff_t index);
struct page *alink_xpu_place_show(struct xpu_bo *bo, pgoff_t index);
int alink_xpu_move_out(struct xpu_device *xdev, struct xpu_bo *bo, bool grow);
int alink_xpu_move_in(struct xpu_device *xdev, struct xpu_bo *bo);

/* alink_xpu_evict.c */
extern const struct attribute_group alink_xpu_evict_group;
void alink_xpu_evict_init(struct xpu_device *xdev);
void alink_xpu_evict_fini(struct xpu_device *xdev);
void alink_xpu_evict_queue_init(struct xpu_queue *q);
void alink_xpu_evict_add(struct xpu_bo *bo);
void alink_xpu_evict_used(struct xpu_bo *bo);
int alink_xpu_evict_alloc(struct xpu_device *xdev, struct xpu_bo *bo);
int alink_xpu_evict_back(struct xpu_device *xdev, struct xpu_bo *bo);
int alink_xpu_evict_all(struct xpu_device *xdev);
int alink_xpu_evict_fault(struct xpu_queue *q, struct xpu_bo *bo, u64 addr);
void alink_xpu_evict_usage(struct xpu_device *xdev,
			   struct drm_alink_xpu_query_memory *m);

/* alink_xpu_pin.c */
int alink_xpu_pin(struct xpu_bo *bo);
int alink_xpu_pin_again(struct xpu_bo *bo);
int alink_xpu_pin_at(struct xpu_vm *vm, struct xpu_bo *bo, u64 addr);
void alink_xpu_unpin(struct xpu_bo *bo);

#endif /* ALINK_XPU_HBM_H */
