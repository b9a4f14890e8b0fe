// SPDX-License-Identifier: GPL-2.0-only
/*
 * Weights to the ranks: each gets its heads, its columns of the feed-forward
 * layer and its part of the vocabulary. They go there as FP32; the compute
 * engines convert them, and for E4M3 scale them by a power of two, which is
 * exact.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llm_node.h"

#define STAGE_BYTES	(1U << 20)
#define WAIT_MS		60000

/* A part of a tensor, rows @first..., columns @col... */
struct part {
	enum llm_tensor t;
	uint32_t layer;
	uint32_t first, rows;
	uint32_t col, cols;
};

struct upload {
	struct llm_node *n;
	struct llm_model *m;
	struct llm_rank *r;
	struct alink_bo *stage;
	float *mem;		/* of @stage: rows, then one of scales */
	float *row;		/* of the tensor, whole */
	uint32_t widest;	/* columns */
};

static int finish(struct upload *u, uint64_t seq)
{
	int err = alink_queue_wait(u->r->queue, seq, WAIT_MS);

	u->r->seq = seq;
	return err ? llm_node_fail(u->n, "weights", err) : 0;
}

/* Rows that lie in the stage become @dtype at @va. */
static int convert(struct upload *u, uint32_t rows, uint32_t cols, uint64_t va,
		   enum alink_dtype dtype, bool scaled)
{
	uint64_t from = alink_bo_va(u->stage), seq;
	struct alink_compute c = {
		.m = rows, .n = cols,
		.a = alink_dense(ALINK_DT_FP32, from, cols),
		.dst = alink_dense(dtype, va, cols),
	};
	int err;

	if (scaled) {
		c.flags = ALINK_XPU_CF_SATURATE;
		c.b.va = from + STAGE_BYTES;
		c.b.dtype = ALINK_DT_FP32;
	}
	err = alink_cmd_compute(u->r->queue, scaled ? ALINK_XPU_FN_MUL :
				ALINK_XPU_FN_CAST, &c, &seq);
	if (err)
		return llm_node_fail(u->n, "weights", err);
	return finish(u, seq);
}

static int put(struct upload *u, const struct part *p, uint64_t va,
	       enum alink_dtype dtype, float scale)
{
	uint32_t chunk = STAGE_BYTES / sizeof(float) / p->cols, i, j, rows;
	uint64_t bytes = alink_dtype_bytes(dtype);
	bool scaled = dtype == ALINK_DT_FP8_E4M3;
	int err = 0;

	for (i = 0; i < p->cols && scaled; i++)
		u->mem[STAGE_BYTES / sizeof(float) + i] = scale;
	for (i = 0; i < p->rows && !err; i += rows) {
		rows = p->rows - i < chunk ? p->rows - i : chunk;
		for (j = 0; j < rows && !err; j++) {
			err = llm_rows(u->m, p->t, p->layer, p->first + i + j,
				       1, u->row, u->n->e);
			memcpy(u->mem + (size_t)j * p->cols, u->row + p->col,
			       p->cols * sizeof(float));
		}
		if (!err)
			err = convert(u, rows, p->cols,
				      va + (uint64_t)i * p->cols * bytes,
				      dtype, scaled);
	}
	return err;
}

/* 1, or for E4M3 what brings the greatest weight to between 224 and 448 */
static int scale_for(struct upload *u, enum llm_tensor t, uint32_t layer,
		     float *scale)
{
	float max, man;
	int err, e;

	*scale = 1;
	if (u->n->lin != ALINK_DT_FP8_E4M3)
		return 0;
	err = llm_max(u->m, t, layer, &max, u->n->e);
	if (err || max == 0)
		return err;
	/* max = man * 2^e, man from 0.5 to 1; 448 = 0.875 * 2^9 */
	man = frexpf(max, &e);
	e = 9 - e;
	/* What is that small or large is not worth an exception in FP32. */
	if (e > 100 || e < -100)
		e = e > 0 ? 100 : -100;
	else if (man > 0.875f)
		e--;
	*scale = ldexpf(1, e);
	return 0;
}

/* A row of @n times @value, FP32 */
static int put_constant(struct upload *u, uint64_t va, uint32_t n, float value)
{
	uint32_t chunk = STAGE_BYTES / sizeof(float), i, num;
	int err = 0;

	for (i = 0; i < n && i < chunk; i++)
		u->mem[i] = value;
	for (i = 0; i < n && !err; i += num) {
		num = n - i < chunk ? n - i : chunk;
		err = convert(u, 1, num, va + (uint64_t)i * sizeof(float),
			      ALINK_DT_FP32, false);
	}
	return err;
}

/*
 * Rows of a linear layer, behind @behind rows of another one that it shares a
 * GEMM with.
 */
static int put_linear(struct upload *u, const struct part *p,
		      const struct llm_linear *l, uint32_t behind)
{
	uint64_t base = alink_bo_va(u->r->weights);
	uint64_t bytes = alink_dtype_bytes(u->n->lin);
	float scale;
	int err;

	err = scale_for(u, p->t, p->layer, &scale);
	if (!err)
		err = put(u, p, base + l->at + bytes * behind * p->cols,
			  u->n->lin, scale);
	if (!err && u->n->lin == ALINK_DT_FP8_E4M3)
		err = put_constant(u, base + l->back + behind * sizeof(float),
				   p->rows, 1 / scale);
	return err;
}

static int put_vector(struct upload *u, enum llm_tensor t, uint32_t layer,
		      uint32_t col, uint32_t cols, uint64_t at)
{
	struct part p = { .t = t, .layer = layer, .rows = 1, .col = col,
			  .cols = cols };

	if (!llm_has(u->n->s, t))
		return 0;
	return put(u, &p, alink_bo_va(u->r->weights) + at, u->n->act, 1);
}

static int put_attention(struct upload *u, uint32_t layer,
			 const struct llm_layer_at *l, uint32_t rank)
{
	const struct llm_share *sh = &u->r->share;
	const struct llm_shape *s = u->n->s;
	uint32_t hd = s->head_dim, q = sh->heads * hd, kv = sh->kv_heads * hd;
	uint32_t q_at = rank * q, kv_at = sh->kv_first * hd;
	uint64_t act = alink_dtype_bytes(u->n->act);
	const struct part pq = { LLM_Q, layer, q_at, q, 0, s->hidden };
	const struct part pk = { LLM_K, layer, kv_at, kv, 0, s->hidden };
	const struct part pv = { LLM_V, layer, kv_at, kv, 0, s->hidden };
	const struct part po = { LLM_O, layer, 0, s->hidden, q_at, q };
	int err;

	err = put_vector(u, LLM_ATTN_NORM, layer, 0, s->hidden, l->attn_norm);
	if (!err)
		err = put_linear(u, &pq, &l->qk, 0);
	if (!err)
		err = put_linear(u, &pk, &l->qk, q);
	if (!err)
		err = put_linear(u, &pv, &l->v, 0);
	if (!err)
		err = put_linear(u, &po, &l->o, 0);
	if (!err)
		err = put_vector(u, LLM_Q_BIAS, layer, q_at, q, l->qk_bias);
	if (!err)
		err = put_vector(u, LLM_K_BIAS, layer, kv_at, kv,
				 l->qk_bias + q * act);
	if (!err)
		err = put_vector(u, LLM_V_BIAS, layer, kv_at, kv, l->v_bias);
	if (!err)
		err = put_vector(u, LLM_Q_NORM, layer, 0, hd, l->q_norm);
	if (!err)
		err = put_vector(u, LLM_K_NORM, layer, 0, hd, l->k_norm);
	return err;
}

static int put_ffn(struct upload *u, uint32_t layer,
		   const struct llm_layer_at *l, uint32_t rank)
{
	const struct llm_shape *s = u->n->s;
	uint32_t f = u->r->share.ffn;
	const struct part gate = { LLM_GATE, layer, rank * f, f, 0, s->hidden };
	const struct part up = { LLM_UP, layer, rank * f, f, 0, s->hidden };
	const struct part down = { LLM_DOWN, layer, 0, s->hidden, rank * f, f };
	int err;

	err = put_vector(u, LLM_FFN_NORM, layer, 0, s->hidden, l->ffn_norm);
	if (!err)
		err = put_linear(u, &gate, &l->gate_up, 0);
	if (!err)
		err = put_linear(u, &up, &l->gate_up, f);
	if (!err)
		err = put_linear(u, &down, &l->down, 0);
	return err;
}

/* For each position the cosines of a head's angles, then the sines */
static int put_rope(struct upload *u)
{
	const struct llm_shape *s = u->n->s;
	uint32_t hd = s->head_dim, half = hd / 2, pos, j, i, rows;
	uint32_t chunk = STAGE_BYTES / sizeof(float) / hd;
	uint64_t va = alink_bo_va(u->r->weights) + u->n->map.rope;
	int err = 0;

	for (pos = 0; pos < llm_passes(s) && !err; pos += rows) {
		rows = llm_passes(s) - pos;
		rows = rows < chunk ? rows : chunk;
		for (i = 0; i < rows; i++) {
			float *row = u->mem + (size_t)i * hd;

			for (j = 0; j < half; j++) {
				double angle = (pos + i) *
					pow(s->theta, -(double)j / half);

				row[j] = (float)cos(angle);
				row[half + j] = (float)sin(angle);
			}
		}
		err = convert(u, rows, hd,
			      va + (uint64_t)pos * hd * sizeof(float),
			      ALINK_DT_FP32, false);
	}
	return err;
}

static int put_rank(struct upload *u, uint32_t rank)
{
	const struct llm_shape *s = u->n->s;
	const struct llm_map *map = &u->n->map;
	uint32_t v = u->r->share.vocab, i;
	const struct part embed = { LLM_EMBED, 0, 0, s->vocab, 0, s->hidden };
	const struct part head = { LLM_HEAD, 0, rank * v, v, 0, s->hidden };
	int err;

	err = put(u, &embed, alink_bo_va(u->r->weights) + map->embed, u->n->act,
		  1);
	if (!err)
		err = put_vector(u, LLM_NORM, 0, 0, s->hidden, map->norm);
	if (!err)
		err = put_linear(u, &head, &map->head, 0);
	if (!err)
		err = put_rope(u);
	for (i = 0; i < s->layers && !err; i++) {
		err = put_attention(u, i, &map->layer[i], rank);
		if (!err)
			err = put_ffn(u, i, &map->layer[i], rank);
	}
	return err;
}

int llm_upload(struct llm_node *n, struct llm_model *m)
{
	struct upload u = { .n = n, .m = m };
	uint32_t t, rows, cols, i;
	int err = 0;

	for (t = 0; t < LLM_NUM_TENSORS; t++) {
		llm_dims(n->s, t, &rows, &cols);
		u.widest = cols > u.widest ? cols : u.widest;
	}
	u.row = malloc(u.widest * sizeof(float));
	if (!u.row)
		return llm_fail(n->e, -ENOMEM, "out of memory");
	for (i = 0; i < n->s->xpus && !err; i++) {
		u.r = &n->rank[i];
		err = alink_bo_alloc(u.r->xpu,
				     STAGE_BYTES + u.widest * sizeof(float),
				     ALINK_PLACE_HOST, &u.stage);
		if (err) {
			llm_node_fail(n, "weights", err);
			break;
		}
		u.mem = alink_bo_map(u.stage);
		err = u.mem ? put_rank(&u, i) :
			      llm_node_fail(n, "weights", -ENOMEM);
		alink_bo_free(u.stage);
	}
	free(u.row);
	return err;
}
