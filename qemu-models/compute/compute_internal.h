/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the compute engines share.
 *
 * Results must not depend on what the compiler's target can fuse: included
 * before any arithmetic.
 */
#ifndef ALINK_COMPUTE_INTERNAL_H
#define ALINK_COMPUTE_INTERNAL_H

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

#include "alink_compute.h"
#include "../fabric/alink_float.h"

/* Rows, columns and depth of a piece of a GEMM: packed, each fits into L2. */
#define AC_GEMM_BLOCK	256
/* Side of the square of accumulators that stay in registers */
#define AC_GEMM_TILE	8
/* Elements of a piece of other functions, but at least a row; and rows of it */
#define AC_ROW_BLOCK	32768
#define AC_MAX_ROWS	1024

struct ac_work {
	/* GEMM: FP32, or INT32 as their bits */
	float *acc;		/* AC_GEMM_BLOCK rows of as many columns */
	float *a;		/* by tiles of rows: [tile][k][row] */
	float *b;		/* by tiles of columns: [tile][k][column] */
	/* all */
	float *x, *y;		/* a row of a and of b */
	double *wide;		/* SOFTMAX: a row */
};

static inline uint8_t *ac_row(const struct ac_data *data,
			      enum alink_dtype dtype, uint32_t row,
			      uint32_t cols)
{
	return (uint8_t *)data->elems + row * ac_bytes(dtype, cols);
}

/* NULL where there are none */
static inline uint8_t *ac_row_scales(const struct ac_data *data,
				     enum alink_dtype dtype, uint32_t row,
				     uint32_t cols)
{
	if (dtype != ALINK_DT_MXFP4)
		return NULL;
	return data->scales + row * ac_scale_bytes(dtype, cols);
}

/*
 * acc[8][AC_GEMM_BLOCK] += a[k][8] * b[k][8] for @inners k, in the upper left
 * corner of 8 x 8; FP32, or INT32. @wide: with the host's best vectors.
 */
typedef void ac_tile_fn(void *acc, const void *a, const void *b, size_t inners);
ac_tile_fn *ac_gemm_tile(bool integer, bool wide);

void ac_run_gemm(struct ac_work *work, const struct ac_plan *p,
		 const struct ac_piece *piece,
		 const struct ac_data data[AC_NUM_OPERANDS]);

#endif /* ALINK_COMPUTE_INTERNAL_H */
