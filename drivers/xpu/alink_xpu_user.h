/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that processes lend the device: alink_xpu_user.c, which is not there
 * without HMM.
 */
#ifndef ALINK_XPU_USER_H
#define ALINK_XPU_USER_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/types.h>

struct xpu_bo;
struct xpu_pt_pool;
struct xpu_user;
struct xpu_vm;

#if IS_ENABLED(CONFIG_HMM_MIRROR) && IS_ENABLED(CONFIG_MMU_NOTIFIER)
#define XPU_HAS_USER	true
struct xpu_bo *alink_xpu_user_create(struct xpu_vm *vm, u64 start, u64 va,
				     u64 range, u32 rights);
void alink_xpu_user_free(struct xpu_bo *bo);
void alink_xpu_user_unmap(struct xpu_bo *bo);
int alink_xpu_user_prepare(struct xpu_bo *bo, struct xpu_pt_pool *pool, u64 va,
			   u64 end);
void alink_xpu_user_map(struct xpu_bo *bo, u64 va, u64 end);
int alink_xpu_user_fault(struct xpu_bo *bo, u64 va, u32 rights);
#else
#define XPU_HAS_USER	false
static inline struct xpu_bo *alink_xpu_user_create(struct xpu_vm *vm, u64 start,
						   u64 va, u64 range,
						   u32 rights)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void alink_xpu_user_free(struct xpu_bo *bo)
{
}

static inline void alink_xpu_user_unmap(struct xpu_bo *bo)
{
}

static inline int alink_xpu_user_prepare(struct xpu_bo *bo,
					 struct xpu_pt_pool *pool, u64 va,
					 u64 end)
{
	return -EOPNOTSUPP;
}

static inline void alink_xpu_user_map(struct xpu_bo *bo, u64 va, u64 end)
{
}

static inline int alink_xpu_user_fault(struct xpu_bo *bo, u64 va, u32 rights)
{
	return -EOPNOTSUPP;
}
#endif

#endif /* ALINK_XPU_USER_H */
