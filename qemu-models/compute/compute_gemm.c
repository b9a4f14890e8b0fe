// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GEMM.
 *
 * Each element of the result has one accumulator, fed in ascending order of k,
 * product and sum rounded apart. Tiles of 8 x 8 accumulators stay in registers
 * and are vectorised over columns, which changes no order; a and b are
 * converted and packed once a piece, so that the inner loop reads both without
 * a gap.
 */
#include "compute_internal.h"

#define T	AC_GEMM_TILE
#define B	AC_GEMM_BLOCK

/* Vectors may lie anywhere and stand for plain arrays. */
#define VECTOR(type, bytes)	\
	type __attribute__((vector_size(bytes), aligned(4), may_alias))

typedef VECTOR(float, 16) f32x4;
typedef VECTOR(uint32_t, 16) u32x4;
typedef VECTOR(float, 32) f32x8;
typedef VECTOR(uint32_t, 32) u32x8;

/*
 * acc[8][8] += a[k][8 rows] * b[k][8 columns], @inners times. The eight sums
 * of a vector of columns are independent, which hides the latency of addition.
 */
#define DEFINE_TILE(name, type, vec, attr)				\
static attr void name(void *acc_, const void *a_, const void *b_,	\
		      size_t inners)					\
{									\
	size_t width = sizeof(vec) / sizeof(type);			\
									\
	for (size_t w = 0; w < T; w += width) {				\
		type *acc = (type *)acc_ + w;				\
		const type *a = a_, *b = (const type *)b_ + w;		\
		vec c0 = *(vec *)acc, c1 = *(vec *)(acc + B);		\
		vec c2 = *(vec *)(acc + 2 * B);				\
		vec c3 = *(vec *)(acc + 3 * B);				\
		vec c4 = *(vec *)(acc + 4 * B);				\
		vec c5 = *(vec *)(acc + 5 * B);				\
		vec c6 = *(vec *)(acc + 6 * B);				\
		vec c7 = *(vec *)(acc + 7 * B);				\
									\
		for (size_t k = 0; k < inners; k++, a += T, b += T) {	\
			vec x = *(const vec *)b;			\
									\
			c0 += x * a[0];					\
			c1 += x * a[1];					\
			c2 += x * a[2];					\
			c3 += x * a[3];					\
			c4 += x * a[4];					\
			c5 += x * a[5];					\
			c6 += x * a[6];					\
			c7 += x * a[7];					\
		}							\
		*(vec *)acc = c0;					\
		*(vec *)(acc + B) = c1;					\
		*(vec *)(acc + 2 * B) = c2;				\
		*(vec *)(acc + 3 * B) = c3;				\
		*(vec *)(acc + 4 * B) = c4;				\
		*(vec *)(acc + 5 * B) = c5;				\
		*(vec *)(acc + 6 * B) = c6;				\
		*(vec *)(acc + 7 * B) = c7;				\
	}								\
}

DEFINE_TILE(tile_f32, float, f32x4, )
DEFINE_TILE(tile_i32, uint32_t, u32x4, )
#ifdef __x86_64__
DEFINE_TILE(tile_f32_avx2, float, f32x8, __attribute__((target("avx2"))))
DEFINE_TILE(tile_i32_avx2, uint32_t, u32x8, __attribute__((target("avx2"))))
#endif

ac_tile_fn *ac_gemm_tile(bool integer, bool wide)
{
#ifdef __x86_64__
	if (wide && __builtin_cpu_supports("avx2"))
		return integer ? tile_i32_avx2 : tile_f32_avx2;
#endif
	return integer ? tile_i32 : tile_f32;
}

/* --- packing -------------------------------------------------------------- */

/* A row of a matrix, converted. As integers, an INT8 is an INT32 there. */
static void load_row(const struct ac_plan *p, enum ac_operand op, float *out,
		     const struct ac_data *data, uint32_t row, uint32_t cols)
{
	enum alink_dtype dtype = p->mat[op].dtype;
	const uint8_t *in = ac_row(data, dtype, row, cols);

	if (p->integer) {
		for (uint32_t i = 0; i < cols; i++)
			out[i] = f32((int32_t)(int8_t)in[i]);
		return;
	}
	ac_load(dtype, out, in, ac_row_scales(data, dtype, row, cols), cols);
}

/* Rows become the 8 of a tile: @lines of them, each @inners long. */
static void pack_rows(const struct ac_plan *p, enum ac_operand op, float *out,
		      const struct ac_data *data, uint32_t lines,
		      uint32_t inners, float *row)
{
	for (uint32_t i = 0; i < lines; i++) {
		float *to = out + i / T * T * inners + i % T;

		load_row(p, op, row, data, i, inners);
		for (uint32_t k = 0; k < inners; k++)
			to[k * T] = row[k];
	}
	/* What the last tile has too much is computed, but not looked at. */
	for (uint32_t i = lines; i % T; i++)
		for (uint32_t k = 0; k < inners; k++)
			out[i / T * T * inners + i % T + k * T] = 0;
}

/* Columns become those of a tile: @inners rows, each @lines long. */
static void pack_columns(const struct ac_plan *p, float *out,
			 const struct ac_data *data, uint32_t lines,
			 uint32_t inners, float *row)
{
	uint32_t tiles = (lines + T - 1) / T;

	for (uint32_t k = 0; k < inners; k++) {
		load_row(p, AC_B, row, data, k, lines);
		for (uint32_t i = lines; i < tiles * T; i++)
			row[i] = 0;
		for (uint32_t i = 0; i < tiles; i++)
			memcpy(out + (i * inners + k) * T, row + i * T,
			       T * sizeof(*out));
	}
}

/* --- a piece -------------------------------------------------------------- */

/* What accumulators begin with */
static void start(struct ac_work *work, const struct ac_plan *p,
		  const struct ac_piece *piece, const struct ac_data *dst)
{
	const struct ac_matrix *mat = &p->mat[AC_DST_IN];
	uint32_t cols = piece->dst.cols;

	memset(work->acc, 0, sizeof(*work->acc) * B * B);
	for (uint32_t i = 0; mat->rows && i < piece->dst.rows; i++) {
		uint8_t *from = ac_row(dst, mat->dtype, i, cols);

		if (p->integer)
			memcpy(work->acc + i * B, from, cols * sizeof(int32_t));
		else
			ac_load(mat->dtype, work->acc + i * B, from,
				ac_row_scales(dst, mat->dtype, i, cols), cols);
	}
}

static void finish(struct ac_work *work, const struct ac_plan *p,
		   const struct ac_piece *piece, const struct ac_data *dst)
{
	enum alink_dtype dtype = p->mat[AC_DST].dtype;
	uint32_t cols = piece->dst.cols;

	for (uint32_t i = 0; i < piece->dst.rows; i++) {
		uint8_t *to = ac_row(dst, dtype, i, cols);

		if (p->integer)
			memcpy(to, work->acc + i * B, cols * sizeof(int32_t));
		else
			ac_store(dtype, to, ac_row_scales(dst, dtype, i, cols),
				 work->acc + i * B, cols,
				 p->flags & ALINK_XPU_CF_SATURATE);
	}
}

void ac_run_gemm(struct ac_work *work, const struct ac_plan *p,
		 const struct ac_piece *piece,
		 const struct ac_data data[AC_NUM_OPERANDS])
{
	uint32_t rows = piece->dst.rows, cols = piece->dst.cols;
	uint32_t inners = piece->inners;
	ac_tile_fn *tile = ac_gemm_tile(p->integer, true);

	if (!piece->inner)
		start(work, p, piece, &data[AC_DST_IN]);
	pack_rows(p, AC_A, work->a, &data[AC_A], rows, inners, work->x);
	if (p->flags & ALINK_XPU_CF_TRANS_B)
		pack_rows(p, AC_B, work->b, &data[AC_B], cols, inners, work->x);
	else
		pack_columns(p, work->b, &data[AC_B], cols, inners, work->x);
	for (uint32_t j = 0; j < cols; j += T)
		for (uint32_t i = 0; i < rows; i += T)
			tile(work->acc + i * B + j, work->a + i * inners,
			     work->b + j * inners, inners);
	if (piece->inner + inners == p->k)
		finish(work, p, piece, &data[AC_DST]);
}
