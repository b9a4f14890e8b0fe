/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VM_BIND: what its files share.
 *
 *	alink_xpu_bind.c	the call: arguments, syncobjs, synchronous work
 *	alink_xpu_bind_op.c	one operation: bindings and page tables
 *	alink_xpu_bind_async.c	asynchronous work
 */
#ifndef ALINK_XPU_BIND_H
#define ALINK_XPU_BIND_H

#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>

#include <drm/drm_syncobj.h>

#include "alink_xpu_drv.h"

/**
 * struct xpu_bind_op - one operation, and all that it needs
 * @args:	as the user gave it
 * @bo:		MAP: object, referenced
 * @sgt:	MAP of host memory: its pages
 * @moves:	MAP of HBM: xpu_place.moves that @pool is for; 0: it was away
 * @away:	MAP of HBM: it gets marks, as it is away, or about to leave
 * @elsewhere:	MAP of HBM: it is here, but not where @pool is for
 * @vm_bo:	MAP: object in VM; until the operation is done, one in reserve
 * @spare:	bindings for what is mapped, and for the rest of what is split
 * @pool:	page tables
 */
struct xpu_bind_op {
	struct drm_alink_xpu_vm_bind_op args;
	struct xpu_bo *bo;
	struct sg_table *sgt;
	u64 moves;
	bool away;
	bool elsewhere;
	struct drm_gpuvm_bo *vm_bo;
	struct xpu_va *spare[3];
	struct xpu_pt_pool pool;
};

/**
 * struct xpu_sync - one syncobj of a call
 * @in:		fence to wait for, or NULL
 * @out:	syncobj to signal, or NULL
 * @chain:	for a point of a timeline
 * @point:	of @out
 */
struct xpu_sync {
	struct dma_fence *in;
	struct drm_syncobj *out;
	struct dma_fence_chain *chain;
	u64 point;
};

/**
 * struct xpu_bind - one call
 * @vm:		VM; a job's is there until it has been drained
 * @ops:	operations
 * @num_ops:	of @ops
 * @num_done:	executed
 * @syncs:	syncobjs
 * @num_syncs:	of @syncs
 * @removed:	bindings that are no more; each holds its object
 * @old:	page tables that are no more
 * @node:	job: in xpu_vm.jobs
 * @fence:	job: signalled when done
 * @ready:	job: it may begin, as far as its caller is concerned
 * @next:	job: of @syncs, the first whose fence may not be signalled yet
 * @in_error:	job: how one of those before ended, or 0
 * @cb:		job: callback of that fence
 * @armed:	job: @cb is in use
 */
struct xpu_bind {
	struct xpu_vm *vm;
	struct xpu_bind_op *ops;
	u32 num_ops;
	u32 num_done;
	struct xpu_sync *syncs;
	u32 num_syncs;
	struct list_head removed;
	struct list_head old;

	struct list_head node;
	struct dma_fence *fence;
	bool ready;
	u32 next;
	int in_error;
	struct dma_fence_cb cb;
	bool armed;
};

/* alink_xpu_bind_op.c */
int alink_xpu_bind_op_prepare(struct xpu_vm *vm, struct xpu_bind_op *op);
int alink_xpu_bind_op_run(struct xpu_vm *vm, struct xpu_bind_op *op,
			  struct list_head *removed);
void alink_xpu_bind_op_fini(struct xpu_vm *vm, struct xpu_bind_op *op);
void alink_xpu_vas_free(struct list_head *removed);

/* alink_xpu_bind.c */
int alink_xpu_bind_in_error(struct dma_fence *in);
int alink_xpu_bind_run(struct xpu_bind *bind);
void alink_xpu_bind_signal(struct xpu_bind *bind, struct dma_fence *fence);
void alink_xpu_bind_free(struct xpu_bind *bind);

/* alink_xpu_bind_async.c */
int alink_xpu_bind_reserve(struct xpu_vm *vm);
void alink_xpu_bind_unreserve(struct xpu_vm *vm, unsigned int num);
int alink_xpu_bind_submit(struct xpu_bind *bind);
int alink_xpu_bind_wait_turn(struct xpu_vm *vm);

#endif /* ALINK_XPU_BIND_H */
