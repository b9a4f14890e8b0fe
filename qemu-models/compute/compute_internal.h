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

/* --- vectors of the host -------------------------------------------------- */

/*
 * Loops are compiled for each of these and chosen when the program runs. All
 * give the same bits.
 */
enum ac_level {
	AC_BASE,		/* what the compiler may assume anyway */
	AC_AVX2,
	AC_AVX512,
	AC_NUM_LEVELS,
};

/* The best that this host has */
enum ac_level ac_level(void);

#ifdef __x86_64__
#define AC_TARGET_AVX2		__attribute__((target("avx2")))
#define AC_TARGET_AVX512	__attribute__((target("avx512f")))
#else
#define AC_TARGET_AVX2
#define AC_TARGET_AVX512
#endif
/* Has to become part of a function with a target, or loses that. */
#define AC_INLINE	static inline __attribute__((always_inline))

/* --- limits --------------------------------------------------------------- */

static inline uint64_t bits64(double x)
{
	uint64_t b;

	memcpy(&b, &x, sizeof(b));
	return b;
}

static inline double f64(uint64_t b)
{
	double x;

	memcpy(&x, &b, sizeof(x));
	return x;
}

/* @x, but not beyond a limit; NaN stays. With masks, as pick() has it. */
static inline float at_most(float x, float limit)
{
	return f32(pick(x > limit, bits(limit), bits(x)));
}

static inline float at_least(float x, float limit)
{
	return f32(pick(x < limit, bits(limit), bits(x)));
}

static inline double at_most64(double x, double limit)
{
	uint64_t mask = -(uint64_t)(x > limit);

	return f64((bits64(limit) & mask) | (bits64(x) & ~mask));
}

static inline double at_least64(double x, double limit)
{
	uint64_t mask = -(uint64_t)(x < limit);

	return f64((bits64(limit) & mask) | (bits64(x) & ~mask));
}

/* --- formats: compute_format.c -------------------------------------------- */

/* Elements that are converted together; those of MXFP4 that share a scale */
#define AC_BLOCK	ALINK_XPU_MX_BLOCK

/*
 * Values of @n elements as FP32. Blocks of AC_BLOCK are written @step elements
 * apart; the last one is filled up with zeros. @scales: MXFP4 only, as is
 * @n % AC_BLOCK == 0.
 */
typedef void ac_load_fn(float *out, size_t step, const uint8_t *in,
			const uint8_t *scales, size_t n);
ac_load_fn *ac_loader(enum ac_level level, enum alink_dtype dtype);
/* INT8 as INT32, and INT32 as it is: bits of integers in place of FP32 */
ac_load_fn *ac_loader_int(enum ac_level level, enum alink_dtype dtype);
/*
 * The opposite, rounding. @in has whole blocks side by side, and is changed.
 */
void ac_store(enum ac_level level, enum alink_dtype dtype, uint8_t *out,
	      uint8_t *scales, float *in, size_t n, bool saturate);

/* Row @row of the region from element @col on, where blocks begin */
static inline uint8_t *ac_at(const struct ac_data *data, enum alink_dtype dtype,
			     uint32_t row, uint32_t col)
{
	return data->row[row] + ac_bytes(dtype, col);
}

/* Its scales; NULL where there are none */
static inline uint8_t *ac_scales_at(const struct ac_data *data,
				    enum alink_dtype dtype, uint32_t row,
				    uint32_t col)
{
	if (dtype != ALINK_DT_MXFP4)
		return NULL;
	return data->scales[row] + col / AC_BLOCK;
}

/* --- GEMM: compute_gemm.c ------------------------------------------------- */

/* Of a piece, at most; of k so many that it ends in time, see compute_plan.c */
#define AC_GEMM_ROWS	512
#define AC_GEMM_COLS	1024
#define AC_GEMM_INNERS	2048
/* k that is packed and multiplied at a time: a panel of b fits into L1. */
#define AC_GEMM_DEPTH	256
/* Packed a: from row to row. Eight rows do not meet in a set of the cache. */
#define AC_GEMM_LDA	(AC_GEMM_DEPTH + 16)
#define AC_GEMM_A_ROWS(rows)	(((rows) + 3) / 4 * 4)
/* Columns side by side in packed b and in sums */
#define AC_GEMM_PANEL	AC_BLOCK
/* Elements of packed b, of one task: stay in L2 */
#define AC_GEMM_BAND	(2 * AC_GEMM_PANEL * AC_GEMM_DEPTH)
/* Elements of a lane's scratch: four rows of what is stored transposed */
#define AC_GEMM_SCRATCH	(4 * AC_GEMM_LDA)

/*
 * acc[rows][PANEL] += a[rows][LDA] * b[k][PANEL] for @inners k in ascending
 * order; FP32, or INT32.
 */
typedef void ac_tile_fn(void *acc, const void *a, const void *b, size_t inners);
/* @rows: 1, 2, 4 or 8. NULL: this host has no such vectors. */
ac_tile_fn *ac_gemm_tile(enum ac_level level, bool integer, unsigned int rows);

/* --- rows: compute_vector.c ----------------------------------------------- */

/* Elements of a piece, but at least a row; and rows of it */
#define AC_ROW_BLOCK	(256 * 1024)
#define AC_MAX_ROWS	1024

/* Elements that are loaded and computed on together; stay in L1 */
#define AC_STRIP	1024

/* Each element for itself: rows may be cut. */
bool ac_by_element(enum alink_xpu_func func);

/* --- work: compute_run.c -------------------------------------------------- */

struct ac_mem {
	void *mem;
	size_t size;
};

/* What a thread needs for itself */
struct ac_lane {
	/* GEMM: a band of packed b; others: a row or part of a and of b */
	struct ac_mem x, y;
	struct ac_mem wide;	/* SOFTMAX: a row in FP64 */
};

struct ac_work {
	enum ac_level level;
	uint32_t lanes;
	struct ac_lane lane[AC_MAX_LANES];
	/* GEMM: FP32, or INT32 as their bits */
	struct ac_mem acc;	/* [panel][row][column] */
	struct ac_mem a;	/* [part of k][row][k] */
};

void ac_run_gemm(struct ac_work *work, const struct ac_plan *p,
		 const struct ac_piece *piece, const struct ac_data *data,
		 struct ac_team *team);
void ac_run_rows(struct ac_work *work, const struct ac_plan *p,
		 const struct ac_piece *piece, const struct ac_data *data,
		 struct ac_team *team);

static inline uint32_t ac_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline size_t ac_div_up(size_t n, size_t by)
{
	return (n + by - 1) / by;
}

#endif /* ALINK_COMPUTE_INTERNAL_H */
