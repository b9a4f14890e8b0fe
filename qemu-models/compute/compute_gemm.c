// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GEMM.
 *
 * Each element of the result has one accumulator, fed in ascending order of k,
 * product and sum rounded apart. Tiles of 8 rows and some vectors of columns
 * stay in registers, which changes no order.
 *
 * First a is converted, rows in parts of k; then bands of columns are tasks:
 * each converts its part of b and multiplies. So what is packed is used while
 * it is in the cache, and threads meet once in a piece.
 */
#include "compute_internal.h"

#define PANEL	AC_GEMM_PANEL
#define DEPTH	AC_GEMM_DEPTH
#define LDA	AC_GEMM_LDA

/*
 * Of so few rows, converting b is most of the work: then it is read in longer
 * pieces of rows, and less of k at a time.
 */
#define FEW_ROWS	32
#define FEW_DEPTH	(DEPTH / 4)

/* Rows of a task that packs a; of one that multiplies, where bands are few */
#define PACK_ROWS	64
#define FEW_BANDS	4
#define PART_ROWS	128

/* --- tiles ---------------------------------------------------------------- */

/* Vectors may lie anywhere and stand for plain arrays. */
#define VECTOR(type, bytes)	\
	type __attribute__((vector_size(bytes), aligned(4), may_alias))

typedef VECTOR(float, 16) f32x4;
typedef VECTOR(uint32_t, 16) u32x4;
#ifdef __x86_64__
typedef VECTOR(float, 32) f32x8;
typedef VECTOR(uint32_t, 32) u32x8;
typedef VECTOR(float, 64) f32x16;
typedef VECTOR(uint32_t, 64) u32x16;
#endif

#define UNROLL	_Pragma("GCC unroll 16")

/*
 * @R rows, @W vectors of columns at a time: as many sums as hide the latency of
 * an addition and fit into the registers.
 */
#define DEFINE_TILE(name, type, vec, R, W, attr)			\
static attr void name(void *acc_, const void *a_, const void *b_,	\
		      size_t inners)					\
{									\
	enum { V = sizeof(vec) / sizeof(type) };			\
									\
	for (size_t col = 0; col < PANEL; col += V * (W)) {		\
		type *acc = (type *)acc_ + col;				\
		const type *a = a_, *b = (const type *)b_ + col;	\
		vec c[R][W], x[W];					\
									\
		UNROLL for (size_t r = 0; r < (R); r++)			\
			UNROLL for (size_t w = 0; w < (W); w++)		\
				c[r][w] = *(vec *)(acc + r * PANEL +	\
						   w * V);		\
		for (size_t k = 0; k < inners; k++, a++, b += PANEL) {	\
			UNROLL for (size_t w = 0; w < (W); w++)		\
				x[w] = *(const vec *)(b + w * V);	\
			UNROLL for (size_t r = 0; r < (R); r++)		\
				UNROLL for (size_t w = 0; w < (W); w++)	\
					c[r][w] += x[w] * a[r * LDA];	\
		}							\
		UNROLL for (size_t r = 0; r < (R); r++)			\
			UNROLL for (size_t w = 0; w < (W); w++)		\
				*(vec *)(acc + r * PANEL + w * V) =	\
					c[r][w];			\
	}								\
}

/* For 1, 2, 4 and 8 rows */
#define DEFINE_TILES(name, type, vec, w1, w2, w4, w8, attr)		\
DEFINE_TILE(name##_1, type, vec, 1, w1, attr)				\
DEFINE_TILE(name##_2, type, vec, 2, w2, attr)				\
DEFINE_TILE(name##_4, type, vec, 4, w4, attr)				\
DEFINE_TILE(name##_8, type, vec, 8, w8, attr)
#define TILES(name)	{ name##_1, name##_2, name##_4, name##_8 }

DEFINE_TILES(tile_f32, float, f32x4, 8, 4, 2, 1, )
DEFINE_TILES(tile_u32, uint32_t, u32x4, 8, 4, 2, 1, )
#ifdef __x86_64__
DEFINE_TILES(tile_f32_avx2, float, f32x8, 4, 4, 2, 1, AC_TARGET_AVX2)
DEFINE_TILES(tile_u32_avx2, uint32_t, u32x8, 4, 4, 2, 1, AC_TARGET_AVX2)
DEFINE_TILES(tile_f32_avx512, float, f32x16, 2, 2, 2, 2, AC_TARGET_AVX512)
DEFINE_TILES(tile_u32_avx512, uint32_t, u32x16, 2, 2, 2, 2, AC_TARGET_AVX512)
#endif

/* By level, kind of number and binary logarithm of the rows */
static ac_tile_fn *const tiles[AC_NUM_LEVELS][2][4] = {
	[AC_BASE] = { TILES(tile_f32), TILES(tile_u32) },
#ifdef __x86_64__
	[AC_AVX2] = { TILES(tile_f32_avx2), TILES(tile_u32_avx2) },
	[AC_AVX512] = { TILES(tile_f32_avx512), TILES(tile_u32_avx512) },
#endif
};

ac_tile_fn *ac_gemm_tile(enum ac_level level, bool integer, unsigned int rows)
{
	if (level > ac_level())
		return NULL;
	return tiles[level][integer][__builtin_ctz(rows)];
}

/* --- packing -------------------------------------------------------------- */

/* A piece while it runs */
struct gemm {
	struct ac_work *work;
	const struct ac_plan *p;
	const struct ac_piece *piece;
	const struct ac_data *data;
	uint32_t rows, cols, inners;
	uint32_t a_rows;	/* of packed a: transpose4() writes four */
	ac_load_fn *load_a, *load_b;
	uint32_t depth;		/* of k, packed b */
	uint32_t band;		/* columns of a task; whole panels */
	uint32_t row_parts;	/* tasks of a band */
	uint32_t part_rows;
};

#ifdef __clang__
#define SHUFFLE(x, y, ...)	__builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define SHUFFLE(x, y, ...)	__builtin_shuffle(x, y, (u32x4){ __VA_ARGS__ })
#endif

/* Four rows of @n become four columns; @n is rounded up to a multiple of 4. */
static void transpose4(float *out, size_t out_step, const float *in,
		       size_t in_step, size_t n)
{
	for (size_t i = 0; i < n; i += 4, in += 4, out += 4 * out_step) {
		f32x4 a = *(const f32x4 *)in;
		f32x4 b = *(const f32x4 *)(in + in_step);
		f32x4 c = *(const f32x4 *)(in + 2 * in_step);
		f32x4 d = *(const f32x4 *)(in + 3 * in_step);
		f32x4 ab = SHUFFLE(a, b, 0, 4, 1, 5);
		f32x4 cd = SHUFFLE(c, d, 0, 4, 1, 5);

		*(f32x4 *)out = SHUFFLE(ab, cd, 0, 1, 4, 5);
		*(f32x4 *)(out + out_step) = SHUFFLE(ab, cd, 2, 3, 6, 7);
		ab = SHUFFLE(a, b, 2, 6, 3, 7);
		cd = SHUFFLE(c, d, 2, 6, 3, 7);
		*(f32x4 *)(out + 2 * out_step) = SHUFFLE(ab, cd, 0, 1, 4, 5);
		*(f32x4 *)(out + 3 * out_step) = SHUFFLE(ab, cd, 2, 3, 6, 7);
	}
}

/* Up to four rows of a matrix, from @row and @col on, LDA apart; else zeros */
static void load4(const struct gemm *g, enum ac_operand op, float *out,
		  uint32_t row, uint32_t rows, uint32_t col, uint32_t cols)
{
	ac_load_fn *load = op == AC_A ? g->load_a : g->load_b;
	enum alink_dtype dtype = g->p->mat[op].dtype;

	for (uint32_t i = 0; i < 4; i++, out += LDA) {
		if (i < rows)
			load(out, AC_BLOCK,
			     ac_at(&g->data[op], dtype, row + i, col),
			     ac_scales_at(&g->data[op], dtype, row + i, col),
			     cols);
		else
			memset(out, 0, cols * sizeof(*out));
	}
}

static float *packed_a(const struct gemm *g, uint32_t inner, uint32_t row)
{
	return (float *)g->work->a.mem + inner % DEPTH +
	       ((size_t)inner / DEPTH * g->a_rows + row) * LDA;
}

static void pack_a(void *opaque, uint32_t task, uint32_t lane)
{
	const struct gemm *g = opaque;
	uint32_t from = task * PACK_ROWS;
	uint32_t rows = ac_min(PACK_ROWS, g->rows - from);
	enum alink_dtype dtype = g->p->mat[AC_A].dtype;
	const struct ac_data *data = &g->data[AC_A];
	float *four = g->work->lane[lane].y.mem;

	for (uint32_t at = 0; at < g->inners; at += DEPTH) {
		uint32_t depth = ac_min(DEPTH, g->inners - at);
		float *out = packed_a(g, at, from);

		if (g->p->flags & ALINK_XPU_CF_TRANS_A) {
			for (uint32_t k = 0; k < depth; k += 4) {
				load4(g, AC_A, four, at + k, depth - k, from,
				      rows);
				transpose4(out + k, LDA, four, LDA, rows);
			}
			continue;
		}
		for (uint32_t i = 0; i < rows; i++)
			g->load_a(out + i * LDA, AC_BLOCK,
				  ac_at(data, dtype, from + i, at),
				  ac_scales_at(data, dtype, from + i, at),
				  depth);
	}
}

/* k @at and on, columns @col and on, into panels of so many rows each */
static void pack_b(const struct gemm *g, struct ac_lane *lane, uint32_t at,
		   uint32_t depth, uint32_t col, uint32_t cols)
{
	enum alink_dtype dtype = g->p->mat[AC_B].dtype;
	const struct ac_data *data = &g->data[AC_B];
	float *out = lane->x.mem, *four = lane->y.mem;

	if (g->p->flags & ALINK_XPU_CF_TRANS_B) {
		uint32_t all = ac_div_up(cols, PANEL) * PANEL;

		for (uint32_t j = 0; j < all; j += 4) {
			load4(g, AC_B, four, col + j, j < cols ? cols - j : 0,
			      at, depth);
			transpose4(out + (size_t)j / PANEL * PANEL * g->depth +
				   j % PANEL, PANEL, four, LDA, depth);
		}
		return;
	}
	for (uint32_t k = 0; k < depth; k++)
		g->load_b(out + k * PANEL, (size_t)g->depth * PANEL,
			  ac_at(data, dtype, at + k, col),
			  ac_scales_at(data, dtype, at + k, col), cols);
}

/* --- a band of columns ---------------------------------------------------- */

static float *sums(const struct gemm *g, uint32_t row, uint32_t col)
{
	return (float *)g->work->acc.mem +
	       ((size_t)col / PANEL * g->rows + row) * PANEL;
}

/* What accumulators begin with */
static void start(const struct gemm *g, uint32_t row, uint32_t rows,
		  uint32_t col, uint32_t cols)
{
	const struct ac_matrix *mat = &g->p->mat[AC_DST_IN];
	const struct ac_data *data = &g->data[AC_DST_IN];
	enum ac_level level = g->work->level;
	ac_load_fn *load;

	if (!mat->rows) {
		for (uint32_t j = 0; j < cols; j += PANEL)
			memset(sums(g, row, col + j), 0,
			       sizeof(float) * rows * PANEL);
		return;
	}
	load = g->p->integer ? ac_loader_int(level, mat->dtype) :
			       ac_loader(level, mat->dtype);
	for (uint32_t i = row; i < row + rows; i++)
		load(sums(g, i, col), (size_t)g->rows * PANEL,
		     ac_at(data, mat->dtype, i, col),
		     ac_scales_at(data, mat->dtype, i, col), cols);
}

static void finish(const struct gemm *g, float *tmp, uint32_t row,
		   uint32_t rows, uint32_t col, uint32_t cols)
{
	enum alink_dtype dtype = g->p->mat[AC_DST].dtype;
	const struct ac_data *data = &g->data[AC_DST];

	for (uint32_t i = row; i < row + rows; i++) {
		uint8_t *to = ac_at(data, dtype, i, col);

		for (uint32_t j = 0; j < cols; j += PANEL)
			memcpy(tmp + j, sums(g, i, col + j),
			       PANEL * sizeof(*tmp));
		if (g->p->integer)
			memcpy(to, tmp, cols * sizeof(int32_t));
		else
			ac_store(g->work->level, dtype, to,
				 ac_scales_at(data, dtype, i, col), tmp, cols,
				 g->p->flags & ALINK_XPU_CF_SATURATE);
	}
}

static void multiply(const struct gemm *g, const float *b, uint32_t at,
		     uint32_t depth, uint32_t row, uint32_t rows, uint32_t col)
{
	enum ac_level level = g->work->level;
	uint32_t step = 8, end = row + rows;

	for (uint32_t i = row; i < end; i += step) {
		while (step > end - i)
			step /= 2;
		tiles[level][g->p->integer][__builtin_ctz(step)]
			(sums(g, i, col), packed_a(g, at, i), b, depth);
	}
}

static void run_band(void *opaque, uint32_t task, uint32_t lane)
{
	const struct gemm *g = opaque;
	struct ac_lane *own = &g->work->lane[lane];
	uint32_t col = task / g->row_parts * g->band;
	uint32_t cols = ac_min(g->band, g->cols - col);
	uint32_t row = task % g->row_parts * g->part_rows;
	uint32_t rows = ac_min(g->part_rows, g->rows - row);

	if (!g->piece->inner)
		start(g, row, rows, col, cols);
	for (uint32_t at = 0; at < g->inners; at += g->depth) {
		uint32_t depth = ac_min(g->depth, g->inners - at);

		pack_b(g, own, at, depth, col, cols);
		for (uint32_t j = 0; j < cols; j += PANEL)
			multiply(g, (float *)own->x.mem + (size_t)j * g->depth,
				 at, depth, row, rows, col + j);
	}
	if (g->piece->inner + g->inners == g->p->k)
		finish(g, own->y.mem, row, rows, col, cols);
}

/* --- a piece -------------------------------------------------------------- */

void ac_run_gemm(struct ac_work *work, const struct ac_plan *p,
		 const struct ac_piece *piece, const struct ac_data *data,
		 struct ac_team *team)
{
	ac_load_fn *(*loader)(enum ac_level level, enum alink_dtype dtype) =
		p->integer ? ac_loader_int : ac_loader;
	struct gemm g = {
		.work = work, .p = p, .piece = piece, .data = data,
		.rows = piece->dst.rows,
		.a_rows = AC_GEMM_A_ROWS(piece->dst.rows),
		.cols = piece->dst.cols,
		.inners = piece->inners,
		.load_a = loader(work->level, p->mat[AC_A].dtype),
		.load_b = loader(work->level, p->mat[AC_B].dtype),
	};
	bool few = g.rows <= FEW_ROWS && !(p->flags & ALINK_XPU_CF_TRANS_B);
	uint32_t bands;

	g.depth = few ? FEW_DEPTH : DEPTH;
	g.band = AC_GEMM_BAND / g.depth;
	bands = ac_div_up(g.cols, g.band);
	g.part_rows = bands < FEW_BANDS ? PART_ROWS : g.rows;
	g.row_parts = ac_div_up(g.rows, g.part_rows);
	ac_team_run(team, pack_a, &g, ac_div_up(g.rows, PACK_ROWS),
		    work->lanes);
	ac_team_run(team, run_band, &g, bands * g.row_parts, work->lanes);
}
