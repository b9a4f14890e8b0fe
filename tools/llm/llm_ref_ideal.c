// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference that knows no rounding: the model in FP64, with the weights as
 * they were given. It does not know what the xPUs compute, or in which order;
 * only how coarse the formats are that they keep values in.
 *
 * With every value it carries the variance of the error that rounding to these
 * formats causes. Each rounding adds an error of its own, of at most half a
 * unit in the last place, counted as evenly spread (variance: a third of its
 * square); errors go on to first order, as if they were independent, which is
 * about true for weights that have no order in them. A logit may then be
 * BOUND_SIGMAS standard deviations away from the one that it should be. The
 * weights' own rounding counts the same.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llm_ref.h"

/* Of 800000 logits (20 seeds, four shapes, all formats) none was beyond 3.8. */
#define BOUND_SIGMAS	6

/* A value and the variance of its error */
struct value {
	double x;
	double var;
};

/* Greatest error of a rounding: relative, and of the least numbers */
struct grain {
	double rel;
	double abs;
};

static const struct grain fp32 = { 0x1p-24, 0x1p-150 };
static const struct grain bf16 = { 0x1p-8, 0x1p-134 };
static const struct grain e4m3 = { 0x1p-4, 0x1p-10 };

struct matrix {
	uint32_t rows, cols;
	float *w;
	struct grain grain;
};

struct llm_ideal {
	struct llm_shape s;
	struct grain act;		/* of activations */
	struct grain lin;		/* of linear layers: weights, input */
	struct matrix once[LLM_ATTN_NORM];
	struct matrix (*layer)[LLM_NUM_TENSORS];
	struct value *k, *v;		/* by layer, position, head */
	struct value *x, *xn, *q, *attn, *part, *ffn, *up, *score, *logits;
};

static double square(double x)
{
	return x * x;
}

/* What rounding @x adds */
static double rounding(struct grain g, double x)
{
	return square(fmax(g.rel * fabs(x), g.abs)) / 3;
}

/* --- the model ----------------------------------------------------------- */

static int load(struct llm_ideal *r, struct llm_model *m, enum llm_tensor t,
		uint32_t layer, struct matrix *mat, struct llm_error *e)
{
	bool vector;
	float max;
	int err;

	llm_dims(&r->s, t, &mat->rows, &mat->cols);
	mat->w = malloc((size_t)mat->rows * mat->cols * sizeof(*mat->w));
	if (!mat->w)
		return llm_fail(e, -ENOMEM, "out of memory");
	err = llm_rows(m, t, layer, 0, mat->rows, mat->w, e);
	if (err)
		return err;
	vector = mat->rows == 1;
	mat->grain = vector || t == LLM_EMBED ? r->act : r->lin;
	if (mat->grain.rel != e4m3.rel)
		return 0;
	/* Scaled so that the greatest weight lies between 224 and 448 */
	err = llm_max(m, t, layer, &max, e);
	mat->grain.abs *= (double)max / 224;
	return err;
}

static int load_all(struct llm_ideal *r, struct llm_model *m,
		    struct llm_error *e)
{
	uint32_t t, l;
	int err;

	for (t = 0; t < LLM_NUM_TENSORS; t++) {
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

int llm_ideal_new(const struct llm_shape *s, struct llm_model *m,
		  struct llm_ideal **ref, struct llm_error *e)
{
	const size_t one = sizeof(struct value);
	size_t queries = (size_t)s->heads * s->head_dim;
	size_t cache = (size_t)s->layers * llm_passes(s) * s->kv_heads *
		       s->head_dim;
	struct llm_ideal *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return llm_fail(e, -ENOMEM, "out of memory");
	r->s = *s;
	r->act = s->dtype == LLM_FP32 ? fp32 : bf16;
	r->lin = s->dtype == LLM_FP8 ? e4m3 : r->act;
	r->layer = calloc(s->layers, sizeof(*r->layer));
	r->k = malloc(cache * one);
	r->v = malloc(cache * one);
	r->x = malloc(s->hidden * one);
	r->xn = malloc(s->hidden * one);
	r->part = malloc(s->hidden * one);
	r->q = malloc(queries * one);
	r->attn = malloc(queries * one);
	r->ffn = malloc(s->ffn * one);
	r->up = malloc(s->ffn * one);
	r->score = malloc(llm_passes(s) * one);
	r->logits = malloc(s->vocab * one);
	if (!r->layer || !r->k || !r->v || !r->x || !r->xn || !r->part ||
	    !r->q || !r->attn || !r->ffn || !r->up || !r->score || !r->logits)
		err = llm_fail(e, -ENOMEM, "out of memory");
	else
		err = load_all(r, m, e);
	if (err)
		llm_ideal_free(r);
	else
		*ref = r;
	return err;
}

void llm_ideal_free(struct llm_ideal *r)
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
	free(r->logits);
	free(r);
}

/* --- functions ----------------------------------------------------------- */

/* A sum in FP32: each product and each step is rounded, relative to itself. */
struct sum {
	double x;
	double var;
	double squares;
};

static inline void sum_add(struct sum *s, struct value a, double b,
			   double b_var)
{
	double p = a.x * b;

	s->x += p;
	s->var += b * b * a.var + a.x * a.x * b_var + a.var * b_var;
	s->squares += p * p + s->x * s->x;
}

static struct value sum_end(const struct sum *s, struct grain to)
{
	return (struct value) {
		.x = s->x,
		.var = s->var + square(fp32.rel) / 3 * s->squares +
		       rounding(to, s->x),
	};
}

/* @parts: ranks that share the columns; each one's part is rounded. */
static void linear(const struct llm_ideal *r, const struct matrix *m,
		   const struct value *in, struct value *out, struct grain to,
		   uint32_t parts)
{
	uint32_t i, j, part, share = m->cols / parts;

	for (i = 0; i < m->rows; i++) {
		const float *row = m->w + (size_t)i * m->cols;
		struct sum all = { 0 };

		for (part = 0, j = 0; part < parts; part++) {
			double before = all.x;

			for (; j < (part + 1) * share; j++)
				sum_add(&all, in[j], row[j],
					rounding(m->grain, row[j]));
			if (parts > 1) {
				all.var += rounding(r->act, all.x - before);
				all.squares += square(all.x);
			}
		}
		out[i] = sum_end(&all, to);
	}
}

static void rmsnorm(const struct llm_ideal *r, const struct value *in,
		    const struct matrix *w, size_t n, struct value *out,
		    struct grain to)
{
	double sum = 0, along = 0, f, y;
	size_t i;

	for (i = 0; i < n; i++) {
		sum += square(in[i].x);
		along += square(in[i].x) * in[i].var;
	}
	f = 1 / sqrt(sum / (double)n + (double)r->s.eps);
	/* The length of the row is uncertain too. */
	along *= square(f * f / (double)n);
	for (i = 0; i < n; i++) {
		y = in[i].x * f * w->w[i];
		out[i].var = square(f * w->w[i]) *
			     (in[i].var + square(in[i].x) * along) +
			     square(in[i].x * f) * rounding(w->grain, w->w[i]) +
			     rounding(to, y);
		out[i].x = y;
	}
}

static void rope(const struct llm_ideal *r, struct value *head, uint32_t pos)
{
	size_t half = r->s.head_dim / 2, j;
	struct value x, y;
	double angle, c, s, table;

	for (j = 0; j < half; j++) {
		angle = pos * exp(-log(r->s.theta) * (double)j / (double)half);
		c = cos(angle);
		s = sin(angle);
		x = head[j];
		y = head[half + j];
		/* Rounding of table, products and sum */
		table = square(fp32.rel) * (square(x.x) + square(y.x));
		head[j].x = x.x * c - y.x * s;
		head[j].var = c * c * x.var + s * s * y.var + table +
			      rounding(r->act, head[j].x);
		head[half + j].x = y.x * c + x.x * s;
		head[half + j].var = c * c * y.var + s * s * x.var + table +
				     rounding(r->act, head[half + j].x);
	}
}

static void add(const struct llm_ideal *r, struct value *to,
		const struct value *what, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		to[i].x += what[i].x;
		to[i].var += what[i].var + rounding(r->act, to[i].x);
	}
}

static void add_vector(const struct llm_ideal *r, struct value *to,
		       const struct matrix *m)
{
	uint32_t i;

	for (i = 0; i < m->cols; i++) {
		to[i].x += m->w[i];
		to[i].var += rounding(m->grain, m->w[i]) +
			     rounding(r->act, to[i].x);
	}
}

static void softmax(const struct llm_ideal *r, struct value *s, uint32_t n)
{
	double scale = 1 / sqrt(r->s.head_dim), max = s[0].x;
	double sum = 0, others = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
		max = fmax(max, s[i].x);
	for (i = 0; i < n; i++) {
		s[i].x = exp(scale * (s[i].x - max));
		s[i].var *= square(scale);
		sum += s[i].x;
	}
	for (i = 0; i < n; i++) {
		s[i].x /= sum;
		others += square(s[i].x) * s[i].var;
	}
	/* d p_i = p_i (d s_i - sum over j of p_j d s_j) */
	for (i = 0; i < n; i++) {
		double p = s[i].x;

		s[i].var = square(p) * ((1 - 2 * p) * s[i].var + others);
		s[i].var += square(2 * fp32.rel * p) + rounding(r->act, p);
	}
}

/* --- a pass -------------------------------------------------------------- */

static void project(struct llm_ideal *r, uint32_t l, uint32_t pos,
		    struct value *k, struct value *v)
{
	const struct matrix *w = r->layer[l];
	const struct llm_shape *s = &r->s;
	uint32_t h, heads = s->heads + s->kv_heads;
	struct value *head;
	bool query;

	rmsnorm(r, r->x, &w[LLM_ATTN_NORM], s->hidden, r->xn, r->lin);
	linear(r, &w[LLM_Q], r->xn, r->q, r->act, 1);
	linear(r, &w[LLM_K], r->xn, k, r->act, 1);
	linear(r, &w[LLM_V], r->xn, v, r->act, 1);
	if (s->bias) {
		add_vector(r, r->q, &w[LLM_Q_BIAS]);
		add_vector(r, k, &w[LLM_K_BIAS]);
		add_vector(r, v, &w[LLM_V_BIAS]);
	}
	for (h = 0; h < heads; h++) {
		query = h < s->heads;
		head = query ? r->q + (size_t)h * s->head_dim :
			       k + (size_t)(h - s->heads) * s->head_dim;
		if (s->qk_norm)
			rmsnorm(r, head, &w[query ? LLM_Q_NORM : LLM_K_NORM],
				s->head_dim, head, r->act);
		rope(r, head, pos);
	}
}

static void attend(struct llm_ideal *r, uint32_t pos, const struct value *k,
		   const struct value *v)
{
	const struct llm_shape *s = &r->s;
	size_t width = (size_t)s->kv_heads * s->head_dim;
	const struct grain exact = { 0, 0 };
	uint32_t h, t, j;

	for (h = 0; h < s->heads; h++) {
		size_t kv = h / (s->heads / s->kv_heads);
		size_t at = kv * s->head_dim;
		size_t to = (size_t)h * s->head_dim;

		for (t = 0; t <= pos; t++) {
			const struct value *key = k + t * width + at;
			struct sum sum = { 0 };

			for (j = 0; j < s->head_dim; j++)
				sum_add(&sum, r->q[to + j], key[j].x,
					key[j].var);
			r->score[t] = sum_end(&sum, exact);
		}
		softmax(r, r->score, pos + 1);
		for (j = 0; j < s->head_dim; j++) {
			struct sum sum = { 0 };

			for (t = 0; t <= pos; t++)
				sum_add(&sum, r->score[t],
					v[t * width + at + j].x,
					v[t * width + at + j].var);
			r->attn[to + j] = sum_end(&sum, r->lin);
		}
	}
}

static void feed_forward(struct llm_ideal *r, uint32_t l)
{
	const struct matrix *w = r->layer[l];
	const struct llm_shape *s = &r->s;
	double gate, slope, y, var;
	struct value g, u;
	uint32_t i;

	rmsnorm(r, r->x, &w[LLM_FFN_NORM], s->hidden, r->xn, r->lin);
	linear(r, &w[LLM_GATE], r->xn, r->ffn, r->act, 1);
	linear(r, &w[LLM_UP], r->xn, r->up, r->act, 1);
	for (i = 0; i < s->ffn; i++) {
		g = r->ffn[i];
		u = r->up[i];
		gate = 1 / (1 + exp(-g.x));
		slope = gate * (1 + g.x * (1 - gate));
		y = g.x * gate;
		/* Where it is flat, the second order counts: at most 1/2. */
		var = square(slope) * g.var + square(g.var) / 8 +
		      square(2 * fp32.rel * y) + rounding(r->act, y);
		r->ffn[i].x = y * u.x;
		r->ffn[i].var = square(y) * u.var + square(u.x) * var +
				var * u.var + rounding(r->lin, y * u.x);
	}
	linear(r, &w[LLM_DOWN], r->ffn, r->part, r->act, s->xpus);
	add(r, r->x, r->part, s->hidden);
}

void llm_ideal_step(struct llm_ideal *r, uint32_t pos, uint32_t token,
		    double *logits, double *bound)
{
	const struct llm_shape *s = &r->s;
	size_t width = (size_t)s->kv_heads * s->head_dim;
	const struct matrix *embed = &r->once[LLM_EMBED];
	uint32_t l, i;

	for (i = 0; i < s->hidden; i++) {
		r->x[i].x = embed->w[(size_t)token * s->hidden + i];
		r->x[i].var = rounding(embed->grain, r->x[i].x);
	}
	for (l = 0; l < s->layers; l++) {
		struct value *k = r->k + (size_t)l * llm_passes(s) * width;
		struct value *v = r->v + (size_t)l * llm_passes(s) * width;

		project(r, l, pos, k + pos * width, v + pos * width);
		attend(r, pos, k, v);
		linear(r, &r->layer[l][LLM_O], r->attn, r->part, r->act,
		       s->xpus);
		add(r, r->x, r->part, s->hidden);
		feed_forward(r, l);
	}
	if (!logits)
		return;
	rmsnorm(r, r->x, &r->once[LLM_NORM], s->hidden, r->xn, r->lin);
	linear(r, &r->once[LLM_HEAD], r->xn, r->logits, fp32, 1);
	for (i = 0; i < s->vocab; i++) {
		logits[i] = r->logits[i].x;
		bound[i] = BOUND_SIGMAS * sqrt(r->logits[i].var);
	}
}
