// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Functions of rows, and the frame around all: a row of a, and one of b, become
 * FP32; the function makes the row of dst of them.
 */
#include <math.h>
#include <stdlib.h>

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
static inline double exp64(double x)
{
	static const double coeff[] = {
		1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800,
		1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
		1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2, 1, 1,
	};
	double shifted, k, r, sum = 0, power;
	uint64_t b;

	x = x < -700 ? -700 : x;
	x = x > 700 ? 700 : x;
	/* At 1.5 * 2^52 the last place is 1: the low bits are the number. */
	shifted = x * 0x1.71547652b82fep0 + 0x1.8p52;
	k = shifted - 0x1.8p52;
	/* The first part of ln 2 has zeros where k has bits: exact. */
	r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
#pragma GCC unroll 14
	for (unsigned int i = 0; i < sizeof(coeff) / sizeof(coeff[0]); i++)
		sum = sum * r + coeff[i];
	memcpy(&b, &shifted, sizeof(b));
	b = (b + 1023) << 52;
	memcpy(&power, &b, sizeof(power));
	return sum * power;
}

/* --- functions of a row --------------------------------------------------- */

static void add(float *x, const float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] += y[i];
}

static void mul(float *x, const float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] *= y[i];
}

static void rmsnorm(float *x, const float *y, size_t n, float eps)
{
	double sum = 0, factor;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * x[i];
	factor = 1 / sqrt(sum / n + eps);
	for (size_t i = 0; i < n; i++)
		x[i] = x[i] * factor * y[i];
}

static void softmax(float *x, double *wide, size_t n, float scale)
{
	double sum = 0;
	float max = x[0];

	/* A NaN that this passes over comes back through the sum. */
	for (size_t i = 1; i < n; i++)
		max = x[i] > max ? x[i] : max;
	for (size_t i = 0; i < n; i++)
		wide[i] = exp64(((double)x[i] - max) * scale);
	for (size_t i = 0; i < n; i++)
		sum += wide[i];
	for (size_t i = 0; i < n; i++)
		x[i] = wide[i] / sum;
}

/*
 * x / (1 + exp(-t)). A numerator of -infinity would win over any denominator,
 * where the limit is -0.
 */
static inline float gate(double x, double t)
{
	double top = x < -FP32_MAX ? -FP32_MAX : x;

	return top / (1 + exp64(-t));
}

static void silu(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = gate(x[i], x[i]);
}

static void gelu(float *x, size_t n)
{
	/* 2 sqrt(2 / pi) */
	const double c = 0x1.9884533d43651p0;

	for (size_t i = 0; i < n; i++) {
		double v = x[i];

		x[i] = gate(v, c * (v + 0.044715 * (v * v * v)));
	}
}

static void rope(float *x, const float *y, size_t n, size_t head)
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

static void run_row(struct ac_work *work, const struct ac_plan *p)
{
	float *x = work->x, *y = work->y;
	size_t n = p->n;

	switch (p->func) {
	case ALINK_XPU_FN_ADD:
		add(x, y, n);
		break;
	case ALINK_XPU_FN_MUL:
		mul(x, y, n);
		break;
	case ALINK_XPU_FN_RMSNORM:
		rmsnorm(x, y, n, p->param);
		break;
	case ALINK_XPU_FN_SOFTMAX:
		softmax(x, work->wide, n, p->param);
		break;
	case ALINK_XPU_FN_SILU:
		silu(x, n);
		break;
	case ALINK_XPU_FN_GELU:
		gelu(x, n);
		break;
	case ALINK_XPU_FN_ROPE:
		rope(x, y, n, p->k);
		break;
	default:
		break;		/* the conversion is all */
	}
}

static void run_rows(struct ac_work *work, const struct ac_plan *p,
		     const struct ac_piece *piece, const struct ac_data *data)
{
	const struct ac_matrix *a = &p->mat[AC_A], *b = &p->mat[AC_B];
	const struct ac_matrix *dst = &p->mat[AC_DST];
	bool has_b = b->rows && p->func != ALINK_XPU_FN_EMBED;

	for (uint32_t i = 0; i < piece->dst.rows; i++) {
		uint8_t *to = ac_row(&data[AC_DST], dst->dtype, i, dst->cols);

		ac_load(a->dtype, work->x,
			ac_row(&data[AC_A], a->dtype, i, a->cols),
			ac_row_scales(&data[AC_A], a->dtype, i, a->cols),
			a->cols);
		if (has_b)
			ac_load(b->dtype, work->y,
				ac_row(&data[AC_B], b->dtype, i, b->cols),
				ac_row_scales(&data[AC_B], b->dtype, i,
					      b->cols), b->cols);
		if (p->func == ALINK_XPU_FN_TOPK) {
			uint32_t index[ALINK_XPU_MAX_TOPK];

			topk(index, work->x, p->n, p->k);
			memcpy(to, index, p->k * sizeof(index[0]));
			continue;
		}
		run_row(work, p);
		ac_store(dst->dtype, to,
			 ac_row_scales(&data[AC_DST], dst->dtype, i, p->n),
			 work->x, p->n, p->flags & ALINK_XPU_CF_SATURATE);
	}
}

void ac_run(struct ac_work *work, const struct ac_plan *p,
	    const struct ac_piece *piece,
	    const struct ac_data data[AC_NUM_OPERANDS])
{
	if (p->func == ALINK_XPU_FN_GEMM)
		ac_run_gemm(work, p, piece, data);
	else
		run_rows(work, p, piece, data);
}

/* --- memory --------------------------------------------------------------- */

struct ac_work *ac_work_new(const struct ac_plan *p)
{
	struct ac_work *work = calloc(1, sizeof(*work));
	const size_t square = AC_GEMM_BLOCK * AC_GEMM_BLOCK;
	bool ok;

	if (!work)
		return NULL;
	if (p->func == ALINK_XPU_FN_GEMM) {
		work->acc = calloc(square, sizeof(*work->acc));
		work->a = calloc(square, sizeof(*work->a));
		work->b = calloc(square, sizeof(*work->b));
		work->x = calloc(AC_GEMM_BLOCK, sizeof(*work->x));
		ok = work->acc && work->a && work->b && work->x;
	} else {
		work->x = calloc(p->n, sizeof(*work->x));
		work->y = calloc(p->n, sizeof(*work->y));
		ok = work->x && work->y;
		if (p->func == ALINK_XPU_FN_SOFTMAX) {
			work->wide = calloc(p->n, sizeof(*work->wide));
			ok = ok && work->wide;
		}
	}
	if (!ok) {
		ac_work_free(work);
		return NULL;
	}
	return work;
}

void ac_work_free(struct ac_work *work)
{
	if (!work)
		return;
	free(work->acc);
	free(work->a);
	free(work->b);
	free(work->x);
	free(work->y);
	free(work->wide);
	free(work);
}
