// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference that keeps the order: it does, on one CPU, what xPUs and
 * switches do according to Documentation/hw/xpu.rst ("Compute", "Arithmetic")
 * and fabric.rst ("Arithmetic"). Sums run in the same order, from the same
 * start, and each value is rounded where, and as, it is there. So its logits
 * must have the same bits, whatever the type.
 *
 * Must be compiled without contraction to fused multiply-add.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llm_ref.h"

_Static_assert(FLT_EVAL_METHOD == 0, "float is computed as float");

/* --- formats ------------------------------------------------------------- */

/*
 * @bits:	of the significand, with the one that is not stored
 * @emin:	exponent of the least normal number
 * @max:	greatest number; what is larger becomes that
 */
struct format {
	int bits;
	int emin;
	float max;
};

static const struct format fp32 = { 24, -126, FLT_MAX };
static const struct format bf16 = { 8, -126, 0x1.fep127f };
static const struct format e4m3 = { 4, -6, 448 };

/* To nearest, ties to even. Sizes here are far from overflow, but for E4M3. */
static float rounded(const struct format *f, float x)
{
	double last;
	int e;

	if (f == &fp32 || x == 0 || !isfinite(x))
		return x;
	if (f == &e4m3 && fabsf(x) > f->max)
		return copysignf(f->max, x);
	frexpf(x, &e);
	e = e - 1 < f->emin ? f->emin : e - 1;
	last = ldexp(1, e - f->bits + 1);
	return (float)(nearbyint(x / last) * last);
}

/* --- the model ----------------------------------------------------------- */

/* A tensor as the xPUs have it; @back undoes the scale of an E4M3 one. */
struct matrix {
	uint32_t rows, cols;
	float *w;
	float back;
	bool scaled;
};

struct llm_order {
	struct llm_shape s;
	const struct format *act;	/* of activations */
	const struct format *lin;	/* of linear layers: weights, input */
	struct matrix once[LLM_ATTN_NORM];
	struct matrix (*layer)[LLM_NUM_TENSORS];
	float *k, *v;			/* by layer, position, head */
	float *x, *xn, *q, *attn, *part, *ffn, *up, *score;
	uint64_t values, others;
};

static bool is_linear(enum llm_tensor t)
{
	switch (t) {
	case LLM_HEAD:
	case LLM_Q:
	case LLM_K:
	case LLM_V:
	case LLM_O:
	case LLM_GATE:
	case LLM_UP:
	case LLM_DOWN:
		return true;
	default:
		return false;
	}
}

/*
 * The greatest power of two that takes nothing of the tensor beyond 448, or one
 * near enough if that were beyond FP32
 */
static float scale_of(const float *w, size_t n)
{
	float max = 0, scale;
	size_t i;
	int e;

	for (i = 0; i < n; i++)
		max = fmaxf(max, fabsf(w[i]));
	if (max == 0)
		return 1;
	e = 8 - ilogbf(max);
	if (e > 100 || e < -100)
		return e > 0 ? 0x1p100f : 0x1p-100f;
	scale = ldexpf(1, e);
	return max * scale > e4m3.max ? scale / 2 : scale;
}

static int load(struct llm_order *r, struct llm_model *m, enum llm_tensor t,
		uint32_t layer, struct matrix *mat, struct llm_error *e)
{
	const struct format *f = is_linear(t) ? r->lin : r->act;
	float scale = 1;
	size_t i, n;
	int err;

	llm_dims(&r->s, t, &mat->rows, &mat->cols);
	n = (size_t)mat->rows * mat->cols;
	mat->w = malloc(n * sizeof(*mat->w));
	if (!mat->w)
		return llm_fail(e, -ENOMEM, "out of memory");
	err = llm_rows(m, t, layer, 0, mat->rows, mat->w, e);
	if (err)
		return err;
	mat->scaled = f == &e4m3;
	if (mat->scaled)
		scale = scale_of(mat->w, n);
	mat->back = 1 / scale;
	for (i = 0; i < n; i++)
		mat->w[i] = rounded(f, mat->w[i] * scale);
	return 0;
}

static int load_all(struct llm_order *r, struct llm_model *m,
		    struct llm_error *e)
{
	uint32_t t, l;
	int err;

	for (t = 0; t < LLM_NUM_TENSORS; t++) {
		/* A tied head is a tensor of its own: its type may differ. */
		if (!llm_has(&r->s, t) && t != LLM_HEAD)
			continue;
		if (!llm_layered(t)) {
			err = load(r, m, t, 0, &r->once[t], e);
			if (err)
				return err;
			continue;
		}
		for (l = 0; l < r->s.layers; l++) {
			err = load(r, m, t, l, &r->layer[l][t], e);
			if (err)
				return err;
		}
	}
	return 0;
}

int llm_order_new(const struct llm_shape *s, struct llm_model *m,
		  struct llm_order **ref, struct llm_error *e)
{
	size_t queries = (size_t)s->heads * s->head_dim;
	size_t cache = (size_t)s->layers * llm_passes(s) * s->kv_heads *
		       s->head_dim;
	struct llm_order *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return llm_fail(e, -ENOMEM, "out of memory");
	r->s = *s;
	r->act = s->dtype == LLM_FP32 ? &fp32 : &bf16;
	r->lin = s->dtype == LLM_FP8 ? &e4m3 : r->act;
	r->layer = calloc(s->layers, sizeof(*r->layer));
	r->k = malloc(cache * sizeof(float));
	r->v = malloc(cache * sizeof(float));
	r->x = malloc(s->hidden * sizeof(float));
	r->xn = malloc(s->hidden * sizeof(float));
	r->part = malloc(s->hidden * sizeof(float));
	r->q = malloc(queries * sizeof(float));
	r->attn = malloc(queries * sizeof(float));
	r->ffn = malloc(s->ffn * sizeof(float));
	r->up = malloc(s->ffn * sizeof(float));
	r->score = malloc(llm_passes(s) * sizeof(float));
	if (!r->layer || !r->k || !r->v || !r->x || !r->xn || !r->part ||
	    !r->q || !r->attn || !r->ffn || !r->up || !r->score)
		err = llm_fail(e, -ENOMEM, "out of memory");
	else
		err = load_all(r, m, e);
	if (err)
		llm_order_free(r);
	else
		*ref = r;
	return err;
}

void llm_order_free(struct llm_order *r)
{
	uint32_t t, l;

	if (!r)
		return;
	for (t = 0; t < LLM_ATTN_NORM; t++)
		free(r->once[t].w);
	for (l = 0; l < r->s.layers && r->layer; l++)
		for (t = 0; t < LLM_NUM_TENSORS; t++)
			free(r->layer[l][t].w);
	free(r->layer);
	free(r->k);
	free(r->v);
	free(r->x);
	free(r->xn);
	free(r->part);
	free(r->q);
	free(r->attn);
	free(r->ffn);
	free(r->up);
	free(r->score);
	free(r);
}

void llm_order_margin(const struct llm_order *r, uint64_t *values,
		      uint64_t *others)
{
	*values = r->values;
	*others = r->others;
}

/* --- functions ----------------------------------------------------------- */

/* Ascending, product and sum rounded apart */
static float dot(const float *a, const float *b, size_t n)
{
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static void linear(const struct matrix *m, const float *in, float *out,
		   const struct format *f)
{
	uint32_t i;

	for (i = 0; i < m->rows; i++) {
		out[i] = rounded(f, dot(m->w + (size_t)i * m->cols, in,
					m->cols));
		if (m->scaled)
			out[i] = rounded(f, out[i] * m->back);
	}
}

/* In FP64, as the document says, and only the result in FP32 */
static void rmsnorm(const struct llm_order *r, const float *in, const float *w,
		    size_t n, float *out, const struct format *f)
{
	double sum = 0, factor;
	size_t i;

	for (i = 0; i < n; i++)
		sum += (double)in[i] * (double)in[i];
	factor = 1 / sqrt(sum / (double)n + (double)r->s.eps);
	for (i = 0; i < n; i++)
		out[i] = rounded(f, (float)((double)in[i] * factor *
					    (double)w[i]));
}

static void rope(const struct llm_order *r, float *head, uint32_t pos)
{
	size_t half = r->s.head_dim / 2, j;

	for (j = 0; j < half; j++) {
		double angle = pos * pow(r->s.theta, -(double)j / (double)half);
		float c = (float)cos(angle), s = (float)sin(angle);
		float x = head[j], y = head[half + j];

		head[j] = rounded(r->act, x * c - y * s);
		head[half + j] = rounded(r->act, y * c + x * s);
	}
}

static void add(const struct llm_order *r, float *to, const float *what,
		size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = rounded(r->act, to[i] + what[i]);
}

/*
 * A value with a margin of one unit in the last place of FP32: ours, or what
 * was seen if it is within. False if it is not.
 */
static bool with_margin(struct llm_order *r, long double exact,
			const float *seen, float *out)
{
	float own = (float)exact, low = own, high = own, next;
	long double unit;

	unit = (long double)nextafterf(fabsf(own), INFINITY) - fabsf(own);
	next = nextafterf(own, -INFINITY);
	if (exact - next <= unit)
		low = next;
	next = nextafterf(own, INFINITY);
	if (next - exact <= unit)
		high = next;
	*out = rounded(r->act, own);
	if (!seen)
		return true;
	r->values++;
	r->others += *seen != *out;
	if (!(*seen >= rounded(r->act, low) && *seen <= rounded(r->act, high)))
		return false;
	*out = *seen;
	return true;
}

/* --- a pass -------------------------------------------------------------- */

static int softmax(struct llm_order *r, float *score, uint32_t n,
		   const float *seen, struct llm_error *e)
{
	const float scale = 1 / sqrtf((float)r->s.head_dim);
	long double sum = 0, each;
	float max = score[0];
	uint32_t i;

	for (i = 1; i < n; i++)
		max = fmaxf(max, score[i]);
	for (i = 0; i < n; i++)
		sum += expl(scale * ((long double)score[i] - max));
	for (i = 0; i < n; i++) {
		each = expl(scale * ((long double)score[i] - max)) / sum;
		if (!with_margin(r, each, seen ? &seen[i] : NULL, &score[i]))
			return llm_fail(e, -EILSEQ,
					"SOFTMAX: value %u of %u is %a, the formula gives %a",
					i, n, seen[i], (double)score[i]);
	}
	return 0;
}

static void project(struct llm_order *r, uint32_t l, uint32_t pos, float *k,
		    float *v)
{
	const struct matrix *w = r->layer[l];
	const struct llm_shape *s = &r->s;
	uint32_t h;

	rmsnorm(r, r->x, w[LLM_ATTN_NORM].w, s->hidden, r->xn, r->lin);
	linear(&w[LLM_Q], r->xn, r->q, r->act);
	linear(&w[LLM_K], r->xn, k, r->act);
	linear(&w[LLM_V], r->xn, v, r->act);
	if (s->bias) {
		add(r, r->q, w[LLM_Q_BIAS].w, w[LLM_Q_BIAS].cols);
		add(r, k, w[LLM_K_BIAS].w, w[LLM_K_BIAS].cols);
		add(r, v, w[LLM_V_BIAS].w, w[LLM_V_BIAS].cols);
	}
	for (h = 0; h < s->heads; h++) {
		float *head = r->q + (size_t)h * s->head_dim;

		if (s->qk_norm)
			rmsnorm(r, head, w[LLM_Q_NORM].w, s->head_dim, head,
				r->act);
		rope(r, head, pos);
	}
	for (h = 0; h < s->kv_heads; h++) {
		float *head = k + (size_t)h * s->head_dim;

		if (s->qk_norm)
			rmsnorm(r, head, w[LLM_K_NORM].w, s->head_dim, head,
				r->act);
		rope(r, head, pos);
	}
}

/* Of the heads of one layer, over all positions so far */
static int attend(struct llm_order *r, uint32_t pos, const float *k,
		  const float *v, const float *seen, uint32_t stride,
		  struct llm_error *e)
{
	const struct llm_shape *s = &r->s;
	size_t width = (size_t)s->kv_heads * s->head_dim;
	uint32_t h, t, j;
	int err;

	for (h = 0; h < s->heads; h++) {
		size_t kv = h / (s->heads / s->kv_heads);
		size_t at = kv * s->head_dim;
		size_t to = (size_t)h * s->head_dim;

		for (t = 0; t <= pos; t++)
			r->score[t] = dot(r->q + to, k + t * width + at,
					  s->head_dim);
		err = softmax(r, r->score, pos + 1,
			      seen ? seen + (size_t)h * stride : NULL, e);
		if (err)
			return err;
		for (j = 0; j < s->head_dim; j++) {
			float sum = 0;

			for (t = 0; t <= pos; t++)
				sum += r->score[t] * v[t * width + at + j];
			r->attn[to + j] = rounded(r->lin, sum);
		}
	}
	return 0;
}

/*
 * A layer of which each rank has some columns: its part is rounded, the
 * switches add the parts in FP32 in the order of ranks, and round once more.
 */
static void across_ranks(struct llm_order *r, const struct matrix *m,
			 const float *in)
{
	const struct llm_shape *s = &r->s;
	uint32_t i, rank, share = m->cols / s->xpus;
	float sum, part;

	for (i = 0; i < m->rows; i++) {
		const float *row = m->w + (size_t)i * m->cols;

		sum = 0;
		for (rank = 0; rank < s->xpus; rank++) {
			part = rounded(r->act, dot(row + rank * share,
						   in + rank * share, share));
			sum = rank ? sum + part : part;
		}
		sum = rounded(r->act, sum);
		r->part[i] = m->scaled ? rounded(r->act, sum * m->back) : sum;
	}
	add(r, r->x, r->part, s->hidden);
}

static int feed_forward(struct llm_order *r, uint32_t l, const float *seen,
			struct llm_error *e)
{
	const struct matrix *w = r->layer[l];
	const struct llm_shape *s = &r->s;
	uint32_t i;

	rmsnorm(r, r->x, w[LLM_FFN_NORM].w, s->hidden, r->xn, r->lin);
	linear(&w[LLM_GATE], r->xn, r->ffn, r->act);
	linear(&w[LLM_UP], r->xn, r->up, r->act);
	for (i = 0; i < s->ffn; i++) {
		long double g = r->ffn[i], silu = g / (1 + expl(-g));

		if (!with_margin(r, silu, seen ? &seen[i] : NULL, &r->ffn[i]))
			return llm_fail(e, -EILSEQ,
					"layer %u: SILU: value %u is %a, the formula gives %a",
					l, i, seen[i], (double)r->ffn[i]);
		r->ffn[i] = rounded(r->lin, r->ffn[i] * r->up[i]);
	}
	across_ranks(r, &w[LLM_DOWN], r->ffn);
	return 0;
}

static int layer(struct llm_order *r, uint32_t l, uint32_t pos,
		 const struct llm_seen *seen, struct llm_error *e)
{
	const struct llm_shape *s = &r->s;
	size_t width = (size_t)s->kv_heads * s->head_dim;
	float *k = r->k + (size_t)l * llm_passes(s) * width;
	float *v = r->v + (size_t)l * llm_passes(s) * width;
	const float *soft = NULL, *silu = NULL;
	char why[256];
	int err;

	if (seen) {
		soft = seen->softmax + (size_t)l * s->heads * seen->stride;
		silu = seen->silu + (size_t)l * s->ffn;
	}
	project(r, l, pos, k + pos * width, v + pos * width);
	err = attend(r, pos, k, v, soft, seen ? seen->stride : 0, e);
	if (err) {
		memcpy(why, e->text, sizeof(why) - 1);
		why[sizeof(why) - 1] = 0;
		return llm_fail(e, err, "layer %u: %s", l, why);
	}
	across_ranks(r, &r->layer[l][LLM_O], r->attn);
	return feed_forward(r, l, silu, e);
}

int llm_order_step(struct llm_order *r, uint32_t pos, uint32_t token,
		   const struct llm_seen *seen, float *logits,
		   struct llm_error *e)
{
	const struct llm_shape *s = &r->s;
	uint32_t l, i;
	int err;

	memcpy(r->x, r->once[LLM_EMBED].w + (size_t)token * s->hidden,
	       s->hidden * sizeof(float));
	for (l = 0; l < s->layers; l++) {
		err = layer(r, l, pos, seen, e);
		if (err)
			return err;
	}
	if (!logits)
		return 0;
	rmsnorm(r, r->x, r->once[LLM_NORM].w, s->hidden, r->xn, r->lin);
	linear(&r->once[LLM_HEAD], r->xn, logits, &fp32);
	/* The switches add the zeros of the other ranks. */
	for (i = 0; i < s->vocab && s->xpus > 1; i++)
		logits[i] += 0.0f;
	return 0;
}
