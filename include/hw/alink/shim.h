/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The only part of the hardware contract that knows who includes it: the
 * kernel, a QEMU device model, or a user-space test.
 *
 * The headers in this folder use four things and nothing else: fixed-size
 * types, ALINK_BIT(), ALINK_MASK() and static_assert().
 */
#ifndef HW_ALINK_SHIM_H
#define HW_ALINK_SHIM_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <linux/types.h>
#endif

/* Plain arithmetic, so that both 32-bit preprocessors and C agree. */
#define ALINK_BIT(n)		(1U << (n))
#define ALINK_BIT64(n)		(1ULL << (n))
#define ALINK_MASK(h, l)	((~0U >> (31 - (h))) & (~0U << (l)))
#define ALINK_MASK64(h, l)	((~0ULL >> (63 - (h))) & (~0ULL << (l)))

#endif /* HW_ALINK_SHIM_H */
