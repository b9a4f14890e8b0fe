// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Functions of rows: a row of a, and one of b, become FP32; the function makes
 * the row of dst of them. Where each element is for itself, a strip of a row is
 * enough, which stays in the cache.
 *
 * Rows are filled up to whole blocks with zeros, which loops go through as well
 * where that does no harm: then compilers vectorise them at -O2.
 */
#include <math.h>

#include "compute_internal.h"

#define FP32_MAX	0x1.fffffep127

/* --- exp ------------------------------------------------------------------ */

/*
 * exp(x) within 2^-50 for |x| < 700, where larger numbers are held: far beyond
 * FP32, which all results become. x = k ln 2 + r, |r| < ln 2 / 2; the series of
 * exp(r), of which the first term left out, r^14 / 14!, is below 2^-57; times
 * 2^k. Our own, so that results do not depend on the C library. No branch, so
 * that loops are vectorised.
 */
AC_INLINE double exp64(double x)
{
	static const double coeff[] = {
		1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800,
		1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
		1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1,
	};
	double shifted, k, r, sum = 0;

	x = at_most64(at_least64(x, -700), 700);
	/* At 1.5 * 2^52 the last place is 1: the low bits are the number. */
	shifted = x * 0x1.71547652b82fep0 + 0x1.8p52;
	k = shifted - 0x1.8p52;
	/* The first part of ln 2 has zeros where k has bits: exact. */
	r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
#pragma GCC unroll 14
	for (unsigned int i = 0; i < sizeof(coeff) / sizeof(coeff[0]); i++)
		sum = sum * r + coeff[i];
	return sum * f64((bits64(shifted) + 1023) << 52);
}

/* --- functions of elements ------------------------------------------------ */

/* An expression of i, for @n rounded up to blocks */
#define EACH(n, f)							\
	do {								\
		for (size_t at = 0; at < (n); at += AC_BLOCK) {		\
			for (size_t j = 0; j < AC_BLOCK; j++) {		\
				size_t i = at + j;			\
									\
				f;					\
			}						\
		}							\
	} while (0)

/*
 * x / (1 + exp(-t)). A numerator of -infinity would win over any denominator,
 * where the limit is -0.
 */
AC_INLINE float gate(double x, double t)
{
	return at_least64(x, -FP32_MAX) / (1 + exp64(-t));
}

AC_INLINE float gelu(double v)
{
	/* 2 sqrt(2 / pi) */
	const double c = 0x1.9884533d43651p0;

	return gate(v, c * (v + 0.044715 * (v * v * v)));
}

AC_INLINE void elements(enum alink_xpu_func func, float *restrict x,
			const float *restrict y, size_t n)
{
	switch (func) {
	case ALINK_XPU_FN_ADD:
		EACH(n, x[i] += y[i]);
		break;
	case ALINK_XPU_FN_MUL:
		EACH(n, x[i] *= y[i]);
		break;
	case ALINK_XPU_FN_SILU:
		EACH(n, x[i] = gate(x[i], x[i]));
		break;
	case ALINK_XPU_FN_GELU:
		EACH(n, x[i] = gelu(x[i]));
		break;
	default:
		break;		/* the conversion is all */
	}
}

bool ac_by_element(enum alink_xpu_func func)
{
	return func == ALINK_XPU_FN_ADD || func == ALINK_XPU_FN_MUL ||
	       func == ALINK_XPU_FN_CAST || func == ALINK_XPU_FN_SILU ||
	       func == ALINK_XPU_FN_GELU || func == ALINK_XPU_FN_EMBED;
}

/* --- functions of a row --------------------------------------------------- */

AC_INLINE void rmsnorm(float *restrict x, const float *restrict y, size_t n,
		       float eps)
{
	double sum = 0, factor;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * x[i];
	factor = 1 / sqrt(sum / n + eps);
	EACH(n, x[i] = x[i] * factor * y[i]);
}

/* A NaN that this passes over, and what it hides, comes back in the sum. */
AC_INLINE float greatest(const float *x, size_t n)
{
	size_t whole = n / AC_BLOCK * AC_BLOCK;
	float best[AC_BLOCK], max = x[0];

	for (size_t j = 0; j < AC_BLOCK; j++)
		best[j] = x[0];
	for (size_t at = 0; at < whole; at += AC_BLOCK)
		for (size_t j = 0; j < AC_BLOCK; j++)
			best[j] = at_least(x[at + j], best[j]);
	for (size_t j = 0; j < AC_BLOCK; j++)
		max = at_least(best[j], max);
	for (size_t i = whole; i < n; i++)
		max = at_least(x[i], max);
	return max;
}

AC_INLINE void softmax(float *restrict x, double *restrict wide, size_t n,
		       float scale)
{
	float max = greatest(x, n);
	double sum = 0;

	EACH(n, wide[i] = exp64(((double)x[i] - max) * scale));
	for (size_t i = 0; i < n; i++)
		sum += wide[i];
	EACH(n, x[i] = wide[i] / sum);
}

AC_INLINE void rope(float *x, const float *y, size_t n, size_t head)
{
	size_t half = head / 2;

	for (float *end = x + n; x < end; x += head) {
		for (size_t j = 0; j < half; j++) {
			float a = x[j], b = x[half + j];

			x[j] = a * y[j] - b * y[half + j];
			x[half + j] = b * y[j] + a * y[half + j];
		}
	}
}

AC_INLINE void whole_row(const struct ac_plan *p, float *x, const float *y,
			 double *wide)
{
	switch (p->func) {
	case ALINK_XPU_FN_RMSNORM:
		rmsnorm(x, y, p->n, p->param);
		break;
	case ALINK_XPU_FN_SOFTMAX:
		softmax(x, wide, p->n, p->param);
		break;
	case ALINK_XPU_FN_ROPE:
		rope(x, y, p->n, p->k);
		break;
	default:
		elements(p->func, x, y, p->n);
		break;
	}
}

/* --- for vectors of the host ---------------------------------------------- */

typedef void strip_fn(enum alink_xpu_func func, float *x, const float *y,
		      size_t n);
typedef void row_fn(const struct ac_plan *p, float *x, const float *y,
		    double *wide);

static void strip_base(enum alink_xpu_func func, float *x, const float *y,
		       size_t n)
{
	elements(func, x, y, n);
}

static void row_base(const struct ac_plan *p, float *x, const float *y,
		     double *wide)
{
	whole_row(p, x, y, wide);
}

AC_TARGET_AVX2
static void strip_avx2(enum alink_xpu_func func, float *x, const float *y,
		       size_t n)
{
	elements(func, x, y, n);
}

AC_TARGET_AVX2
static void row_avx2(const struct ac_plan *p, float *x, const float *y,
		     double *wide)
{
	whole_row(p, x, y, wide);
}

/* --- TOPK ----------------------------------------------------------------- */

/* FP32 as an integer of the same order; NaN above all, one zero */
static int64_t rank(float v)
{
	uint32_t b = bits(v + 0.0f);

	if ((b & F32_ABS) > F32_INF)
		return INT64_MAX;
	return b >> 31 ? -(int64_t)(b & F32_ABS) : b;
}

static void topk(uint32_t *out, const float *x, size_t n, size_t k)
{
	int64_t best[ALINK_XPU_MAX_TOPK];
	size_t num = 0, at;

	for (size_t i = 0; i < n; i++) {
		int64_t r = rank(x[i]);

		if (num == k && r <= best[k - 1])
			continue;
		num += num < k;
		/* Behind equals, which have lower indices. */
		for (at = num - 1; at && best[at - 1] < r; at--) {
			best[at] = best[at - 1];
			out[at] = out[at - 1];
		}
		best[at] = r;
		out[at] = i;
	}
}

/* --- a piece -------------------------------------------------------------- */

/* A piece while it runs */
struct rows {
	struct ac_work *work;
	const struct ac_plan *p;
	const struct ac_data *data;
	uint32_t rows, cols;	/* of the piece; elements of a row */
	uint32_t task_rows, task_cols;
	uint32_t row_tasks;	/* for a row, or for some */
	bool has_b;
};

/* What a task takes at least, elements; whole strips */
#define TASK_ELEMENTS	(16 * AC_STRIP)

static void load(const struct rows *r, enum ac_operand op, float *to,
		 uint32_t row, uint32_t col, uint32_t n)
{
	enum alink_dtype dtype = r->p->mat[op].dtype;
	const struct ac_data *data = &r->data[op];

	ac_loader(r->work->level, dtype)(to, AC_BLOCK,
					 ac_at(data, dtype, row, col),
					 ac_scales_at(data, dtype, row, col),
					 n);
}

static void store(const struct rows *r, float *from, uint32_t row, uint32_t col,
		  uint32_t n)
{
	enum alink_dtype dtype = r->p->mat[AC_DST].dtype;
	const struct ac_data *data = &r->data[AC_DST];

	ac_store(r->work->level, dtype, ac_at(data, dtype, row, col),
		 ac_scales_at(data, dtype, row, col), from, n,
		 r->p->flags & ALINK_XPU_CF_SATURATE);
}

static void run_strips(const struct rows *r, struct ac_lane *lane,
		       uint32_t row, uint32_t col, uint32_t cols)
{
	strip_fn *fn = r->work->level >= AC_AVX2 ? strip_avx2 : strip_base;
	float *x = lane->x.mem, *y = lane->y.mem;

	for (uint32_t at = col; at < col + cols; at += AC_STRIP) {
		uint32_t n = ac_min(AC_STRIP, col + cols - at);

		load(r, AC_A, x, row, at, n);
		if (r->has_b)
			load(r, AC_B, y, row, at, n);
		fn(r->p->func, x, y, n);
		store(r, x, row, at, n);
	}
}

static void run_row(const struct rows *r, struct ac_lane *lane, uint32_t row)
{
	row_fn *fn = r->work->level >= AC_AVX2 ? row_avx2 : row_base;
	const struct ac_plan *p = r->p;
	uint32_t index[ALINK_XPU_MAX_TOPK];
	float *x = lane->x.mem, *y = lane->y.mem;

	load(r, AC_A, x, row, 0, p->n);
	if (p->func == ALINK_XPU_FN_TOPK) {
		topk(index, x, p->n, p->k);
		memcpy(r->data[AC_DST].row[row], index,
		       p->k * sizeof(index[0]));
		return;
	}
	if (r->has_b)
		load(r, AC_B, y, row, 0, p->mat[AC_B].cols);
	fn(p, x, y, lane->wide.mem);
	store(r, x, row, 0, p->n);
}

static void run_task(void *opaque, uint32_t task, uint32_t lane)
{
	const struct rows *r = opaque;
	struct ac_lane *own = &r->work->lane[lane];
	uint32_t row = task / r->row_tasks * r->task_rows;
	uint32_t col = task % r->row_tasks * r->task_cols;
	uint32_t end = row + ac_min(r->task_rows, r->rows - row);

	for (; row < end; row++) {
		if (ac_by_element(r->p->func))
			run_strips(r, own, row, col,
				   ac_min(r->task_cols, r->cols - col));
		else
			run_row(r, own, row);
	}
}

void ac_run_rows(struct ac_work *work, const struct ac_plan *p,
		 const struct ac_piece *piece, const struct ac_data *data,
		 struct ac_team *team)
{
	struct rows r = {
		.work = work, .p = p, .data = data,
		.rows = piece->dst.rows,
		.cols = p->n,
		.task_cols = p->n,
		.has_b = p->mat[AC_B].rows && p->func != ALINK_XPU_FN_EMBED,
	};

	if (ac_by_element(p->func))
		r.task_cols = ac_min(p->n, TASK_ELEMENTS);
	r.row_tasks = ac_div_up(r.cols, r.task_cols);
	r.task_rows = ac_div_up(TASK_ELEMENTS, r.task_cols);
	ac_team_run(team, run_task, &r,
		    ac_div_up(r.rows, r.task_rows) * r.row_tasks, work->lanes);
}
