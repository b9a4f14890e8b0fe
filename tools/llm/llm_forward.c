// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pass: one token through all layers, on all ranks at once.
 *
 * All arithmetic on the model is in commands of the compute engines; the CPU
 * writes the prompt, and no number after that: even the token that comes out
 * is found by TOPK and goes into the next pass without it. Keys and values are
 * kept by position, so that neither has to be transposed: scores are q times
 * keys (TRANS_B), the result is probabilities times values. A pass sees only
 * what came before it, so there is nothing to be masked.
 *
 * A rank has two queues: one for its engines, one for its collectives. Where a
 * sum is wanted, the first signals in a word in HBM that its part is there, and
 * waits for another word; the second does the reverse. The CPU waits once a
 * layer, which bounds what is in flight.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "llm_node.h"

#define STATUS_WAIT_S	60

/* Commands of one rank in one layer; the first that fails ends it. */
struct ops {
	struct llm_node *n;
	struct llm_rank *r;
	int err;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t work(const struct ops *o, uint64_t at)
{
	return alink_bo_va(o->r->work) + at;
}

static uint64_t weight(const struct ops *o, uint64_t at)
{
	return alink_bo_va(o->r->weights) + at;
}

static struct alink_matrix matrix(enum alink_dtype dtype, uint64_t va,
				  uint64_t stride)
{
	return (struct alink_matrix) {
		.va = va,
		.stride = stride * alink_dtype_bytes(dtype),
		.dtype = dtype,
	};
}

static void compute(struct ops *o, enum alink_xpu_func func,
		    const struct alink_compute *c)
{
	if (!o->err)
		o->err = alink_cmd_compute(o->r->queue, func, c, &o->r->seq);
}

/* What goes into a linear layer may be too large for its type. */
static uint32_t saturate(enum alink_dtype dtype)
{
	return dtype == ALINK_DT_FP8_E4M3 ? ALINK_XPU_CF_SATURATE : 0;
}

/* --- pieces -------------------------------------------------------------- */

static void rmsnorm(struct ops *o, uint32_t rows, uint32_t cols, uint64_t dst,
		    enum alink_dtype to, uint64_t src, uint64_t w)
{
	struct alink_compute c = {
		.flags = saturate(to),
		.m = rows, .n = cols,
		.param = o->n->s->eps,
		.dst = matrix(to, dst, cols),
		.a = matrix(o->n->act, src, cols),
		.b = matrix(o->n->act, w, 0),
	};

	compute(o, ALINK_XPU_FN_RMSNORM, &c);
}

/* to := to + b or to * b, one row of @type */
static void elementwise(struct ops *o, enum alink_xpu_func func, uint32_t cols,
			uint64_t to, enum alink_dtype type, uint64_t b,
			enum alink_dtype b_type)
{
	struct alink_compute c = {
		.m = 1, .n = cols,
		.dst = matrix(type, to, cols),
		.a = matrix(type, to, cols),
		.b = matrix(b_type, b, cols),
	};

	compute(o, func, &c);
}

/* A vector times weights stored out x in; the result is not yet scaled back. */
static void product(struct ops *o, const struct llm_linear *l, uint32_t out,
		    uint32_t in, uint64_t dst, enum alink_dtype to,
		    uint64_t src)
{
	struct alink_compute c = {
		.flags = ALINK_XPU_CF_TRANS_B,
		.m = 1, .n = out, .k = in,
		.dst = matrix(to, dst, out),
		.a = matrix(o->n->lin, src, in),
		.b = matrix(o->n->lin, weight(o, l->at), in),
	};

	compute(o, ALINK_XPU_FN_GEMM, &c);
}

/* Undoes the scale of E4M3 weights. */
static void scale_back(struct ops *o, const struct llm_linear *l, uint32_t n,
		       uint64_t at, enum alink_dtype type)
{
	if (o->n->lin == ALINK_DT_FP8_E4M3)
		elementwise(o, ALINK_XPU_FN_MUL, n, at, type,
			    weight(o, l->back), ALINK_DT_FP32);
}

static void rope(struct ops *o, uint32_t heads, uint32_t pos, uint64_t dst,
		 uint64_t src)
{
	uint32_t hd = o->n->s->head_dim;
	uint64_t at = o->n->map.rope + (uint64_t)pos * hd * sizeof(float);
	struct alink_compute c = {
		.m = 1, .n = heads * hd, .k = hd,
		.dst = matrix(o->n->act, dst, heads * hd),
		.a = matrix(o->n->act, src, heads * hd),
		.b = matrix(ALINK_DT_FP32, weight(o, at), hd),
	};

	compute(o, ALINK_XPU_FN_ROPE, &c);
}

/* Both halves of a word say the same, as in the words of collectives. */
static void signal_word(struct ops *o, struct alink_queue *q, uint64_t va,
			uint64_t *seq)
{
	if (!o->err)
		o->err = alink_cmd_fill(q, va, o->r->step, sizeof(uint64_t),
					seq);
}

static void wait_word(struct ops *o, struct alink_queue *q, uint64_t va,
		      uint64_t *seq)
{
	uint64_t word = (uint64_t)o->r->step << 32 | o->r->step;

	if (!o->err)
		o->err = alink_cmd_wait(q, va, ALINK_WAIT_GE, word, seq);
}

/* Sums @src of all ranks into @dst of each, in the switches. */
static void reduce(struct ops *o, uint64_t dst, uint64_t src, uint32_t count,
		   enum alink_dtype dtype)
{
	struct llm_rank *r = o->r;
	struct alink_queue *q = alink_comm_queue(r->comm);
	uint64_t ready = work(o, o->n->map.ready);
	uint64_t done = work(o, o->n->map.done);

	r->step++;
	signal_word(o, r->queue, ready, &r->seq);
	wait_word(o, q, ready, &r->comm_seq);
	if (!o->err)
		o->err = alink_allreduce(r->comm, ALINK_ALGO_SWITCH, dst, src,
					 count, dtype, ALINK_OP_SUM,
					 &r->comm_seq);
	signal_word(o, q, done, &r->comm_seq);
	if (!o->err)
		alink_queue_kick(q);
	wait_word(o, r->queue, done, &r->seq);
}

/* The sum goes onto the residual stream. */
static void add_sum(struct ops *o, const struct llm_linear *l)
{
	const struct llm_map *m = &o->n->map;
	uint32_t hidden = o->n->s->hidden;

	reduce(o, work(o, m->sum), work(o, m->part), hidden, o->n->act);
	scale_back(o, l, hidden, work(o, m->sum), o->n->act);
	elementwise(o, ALINK_XPU_FN_ADD, hidden, work(o, m->x), o->n->act,
		    work(o, m->sum), o->n->act);
}

/* --- a layer ------------------------------------------------------------- */

static void project(struct ops *o, const struct llm_layer_at *l, uint32_t pos)
{
	const struct llm_share *sh = &o->r->share;
	const struct llm_map *m = &o->n->map;
	const struct llm_shape *s = o->n->s;
	uint32_t hd = s->head_dim, q = sh->heads * hd, kv = sh->kv_heads * hd;
	enum alink_dtype act = o->n->act;
	uint64_t bytes = alink_dtype_bytes(act);
	uint64_t qk = work(o, m->qk), k = qk + q * bytes;
	uint64_t v = weight(o, l->v_cache) + (uint64_t)pos * kv * bytes;

	rmsnorm(o, 1, s->hidden, work(o, m->xn), o->n->lin, work(o, m->x),
		weight(o, l->attn_norm));
	product(o, &l->qk, q + kv, s->hidden, qk, act, work(o, m->xn));
	scale_back(o, &l->qk, q + kv, qk, act);
	product(o, &l->v, kv, s->hidden, v, act, work(o, m->xn));
	scale_back(o, &l->v, kv, v, act);
	if (s->bias) {
		elementwise(o, ALINK_XPU_FN_ADD, q + kv, qk, act,
			    weight(o, l->qk_bias), act);
		elementwise(o, ALINK_XPU_FN_ADD, kv, v, act,
			    weight(o, l->v_bias), act);
	}
	if (s->qk_norm) {
		rmsnorm(o, sh->heads, hd, qk, act, qk, weight(o, l->q_norm));
		rmsnorm(o, sh->kv_heads, hd, k, act, k, weight(o, l->k_norm));
	}
	rope(o, sh->heads, pos, qk, qk);
	rope(o, sh->kv_heads, pos,
	     weight(o, l->k_cache) + (uint64_t)pos * kv * bytes, k);
}

/* The query heads that share head @kv of the keys are the rows of one GEMM. */
static void attend(struct ops *o, const struct llm_layer_at *l, uint32_t pos,
		   uint32_t kv)
{
	const struct llm_share *sh = &o->r->share;
	const struct llm_map *m = &o->n->map;
	uint32_t hd = o->n->s->head_dim, rows = sh->heads / sh->kv_heads;
	uint32_t first = kv * rows, width = sh->kv_heads * hd;
	uint32_t passes = llm_passes(o->n->s);
	enum alink_dtype act = o->n->act, lin = o->n->lin;
	uint64_t bytes = alink_dtype_bytes(act);
	struct alink_compute c = {
		.flags = ALINK_XPU_CF_TRANS_B,
		.m = rows, .n = pos + 1, .k = hd,
		.dst = matrix(ALINK_DT_FP32, work(o, m->score), passes),
		.a = matrix(act, work(o, m->qk) + first * hd * bytes, hd),
		.b = matrix(act, weight(o, l->k_cache) + kv * hd * bytes,
			    width),
	};

	c.dst.va += (uint64_t)first * passes * sizeof(float);
	compute(o, ALINK_XPU_FN_GEMM, &c);

	c.flags = 0;
	c.k = 0;
	c.param = 1 / sqrtf((float)hd);
	c.a = c.dst;
	c.b = (struct alink_matrix) {};
	c.dst = matrix(act, work(o, m->prob) + (uint64_t)first * passes * bytes,
		       passes);
	compute(o, ALINK_XPU_FN_SOFTMAX, &c);

	c.flags = saturate(lin);
	c.n = hd;
	c.k = pos + 1;
	c.param = 0;
	c.a = c.dst;
	c.b = matrix(act, weight(o, l->v_cache) + kv * hd * bytes, width);
	c.dst = matrix(lin, work(o, m->attn) + (uint64_t)first * hd *
		       alink_dtype_bytes(lin), hd);
	compute(o, ALINK_XPU_FN_GEMM, &c);
}

static void feed_forward(struct ops *o, const struct llm_layer_at *l)
{
	const struct llm_map *m = &o->n->map;
	uint32_t hidden = o->n->s->hidden, f = o->r->share.ffn;
	enum alink_dtype act = o->n->act;
	uint64_t gate = work(o, m->gate_up);
	struct alink_compute c = {
		.m = 1, .n = f,
		.dst = matrix(act, work(o, m->silu), f),
		.a = matrix(act, gate, f),
	};

	rmsnorm(o, 1, hidden, work(o, m->xn), o->n->lin, work(o, m->x),
		weight(o, l->ffn_norm));
	product(o, &l->gate_up, 2 * f, hidden, gate, act, work(o, m->xn));
	scale_back(o, &l->gate_up, 2 * f, gate, act);
	compute(o, ALINK_XPU_FN_SILU, &c);
	c.flags = saturate(o->n->lin);
	c.a = c.dst;
	c.b = matrix(act, gate + f * alink_dtype_bytes(act), f);
	c.dst = matrix(o->n->lin, work(o, m->ffn), f);
	compute(o, ALINK_XPU_FN_MUL, &c);
	product(o, &l->down, hidden, f, work(o, m->part), act, work(o, m->ffn));
}

static void embed(struct ops *o, uint32_t pos)
{
	const struct llm_shape *s = o->n->s;
	const struct llm_map *m = &o->n->map;
	struct alink_compute c = {
		.m = 1, .n = s->hidden, .k = s->vocab,
		.dst = matrix(o->n->act, work(o, m->x), s->hidden),
		.a = matrix(o->n->act, weight(o, m->embed), s->hidden),
		.b = matrix(ALINK_DT_INT32, work(o, m->tokens) +
			    pos * sizeof(int32_t), 1),
	};

	compute(o, ALINK_XPU_FN_EMBED, &c);
}

static void decoder_layer(struct ops *o, uint32_t layer, uint32_t pos)
{
	const struct llm_layer_at *l = &o->n->map.layer[layer];
	const struct llm_share *sh = &o->r->share;
	const struct llm_map *m = &o->n->map;
	uint32_t kv;

	if (!layer)
		embed(o, pos);
	project(o, l, pos);
	for (kv = 0; kv < sh->kv_heads; kv++)
		attend(o, l, pos, kv);
	product(o, &l->o, o->n->s->hidden, sh->heads * o->n->s->head_dim,
		work(o, m->part), o->n->act, work(o, m->attn));
	add_sum(o, &l->o);
	feed_forward(o, l);
	add_sum(o, &l->down);
}

/*
 * Each rank has the logits of its part of the vocabulary, and zeros for the
 * rest; the sum of all is the whole. Each finds the same token in it.
 */
static void head(struct ops *o, uint32_t rank, uint32_t pos)
{
	const struct llm_shape *s = o->n->s;
	const struct llm_map *m = &o->n->map;
	uint32_t v = o->r->share.vocab;
	uint64_t own = work(o, m->own_logits) + (uint64_t)rank * v *
		       sizeof(float);
	struct alink_compute c = {
		.m = 1, .n = s->vocab, .k = 1,
		.dst = matrix(ALINK_DT_INT32, work(o, m->tokens) +
			      (pos + 1) * sizeof(int32_t), 1),
		.a = matrix(ALINK_DT_FP32, work(o, m->logits), s->vocab),
	};

	rmsnorm(o, 1, s->hidden, work(o, m->xn), o->n->lin, work(o, m->x),
		weight(o, m->norm));
	product(o, &m->head, v, s->hidden, own, ALINK_DT_FP32, work(o, m->xn));
	scale_back(o, &m->head, v, own, ALINK_DT_FP32);
	reduce(o, work(o, m->logits), work(o, m->own_logits), s->vocab,
	       ALINK_DT_FP32);
	compute(o, ALINK_XPU_FN_TOPK, &c);
}

/* --- a pass -------------------------------------------------------------- */

/*
 * Modelled time of a queue after its command @seq: the status block may come
 * after the fence that told of it.
 */
static int model_ns(struct llm_node *n, struct alink_queue *q, uint64_t seq,
		    uint64_t *ns)
{
	double end = seconds() + STATUS_WAIT_S;
	struct alink_queue_state s;

	do {
		alink_queue_state(q, &s);
		if (s.head == (uint32_t)seq) {
			*ns = s.model_ns;
			return 0;
		}
	} while (seconds() < end);
	return llm_fail(n->e, -ETIME,
			"status block: it is at command %u, %llu are done",
			s.head, (unsigned long long)seq);
}

/* The slowest rank counts, of engines and of collectives. */
static int add_times(struct llm_node *n, struct llm_times *t)
{
	uint64_t compute = 0, comm = 0, now;
	uint32_t i;
	int err;

	for (i = 0; i < n->s->xpus; i++) {
		struct llm_rank *r = &n->rank[i];

		err = model_ns(n, r->queue, r->seq, &now);
		if (err)
			return err;
		if (now - r->compute_ns > compute)
			compute = now - r->compute_ns;
		r->compute_ns = now;
		err = model_ns(n, alink_comm_queue(r->comm), r->comm_seq, &now);
		if (err)
			return err;
		if (now - r->comm_ns > comm)
			comm = now - r->comm_ns;
		r->comm_ns = now;
	}
	t->compute_ns += compute;
	t->comm_ns += comm;
	return 0;
}

/* Runs a layer, or with @layer beyond the last one the head. */
static int run(struct llm_node *n, uint32_t layer, uint32_t pos,
	       struct llm_times *t)
{
	double start = seconds();
	uint32_t i;
	int err;

	for (i = 0; i < n->s->xpus; i++) {
		struct ops o = { .n = n, .r = &n->rank[i] };

		if (layer < n->s->layers)
			decoder_layer(&o, layer, pos);
		else
			head(&o, i, pos);
		if (o.err)
			return llm_node_fail(n, "commands", o.err);
		alink_queue_kick(n->rank[i].queue);
	}
	err = llm_node_wait(n);
	t->wall_s += seconds() - start;
	return err ? err : add_times(n, t);
}

static float value(enum alink_dtype dtype, const uint8_t *from, size_t i)
{
	uint32_t word = 0;
	float x;

	if (dtype == ALINK_DT_FP32)
		memcpy(&word, from + 4 * i, 4);
	else
		memcpy((uint8_t *)&word + 2, from + 2 * i, 2);
	memcpy(&x, &word, sizeof(x));
	return x;
}

/* What the references want to see of a layer */
static void look(struct llm_node *n, uint32_t layer, uint32_t pos)
{
	const struct llm_shape *s = n->s;
	uint32_t passes = llm_passes(s), i, h, k;
	float *to;

	for (i = 0; i < s->xpus; i++) {
		const struct llm_rank *r = &n->rank[i];
		const uint8_t *prob = r->mem + n->map.prob;

		for (h = 0; h < r->share.heads; h++) {
			to = n->softmax + ((size_t)layer * s->heads +
					   i * r->share.heads + h) * passes;
			for (k = 0; k <= pos; k++)
				to[k] = value(n->act, prob,
					      (size_t)h * passes + k);
		}
		to = n->silu + (size_t)layer * s->ffn + i * r->share.ffn;
		for (k = 0; k < r->share.ffn; k++)
			to[k] = value(n->act, r->mem + n->map.silu, k);
	}
}

/* One bit of the residual stream of the last rank: checks must see it. */
static void spoil(struct llm_node *n)
{
	uint8_t *x = n->rank[n->s->xpus - 1].mem + n->map.x;

	/* The highest one of the mantissa */
	x[alink_dtype_bytes(n->act) - 2] ^= 0x40;
}

int llm_begin(struct llm_node *n, const uint32_t *prompt)
{
	struct llm_times upload = {};
	uint32_t i;

	for (i = 0; i < n->s->xpus; i++)
		memcpy(n->rank[i].mem + n->map.tokens, prompt,
		       n->s->prompt * sizeof(*prompt));
	/* Times count from here. */
	return add_times(n, &upload);
}

int llm_pass(struct llm_node *n, uint32_t pos, struct llm_times *t,
	     const float **logits, uint32_t *token)
{
	const struct llm_shape *s = n->s;
	uint64_t sum = (uint64_t)s->hidden * alink_dtype_bytes(n->act);
	uint32_t layer, i;
	int err;

	for (layer = 0; layer < s->layers; layer++) {
		err = run(n, layer, pos, t);
		if (err)
			return err;
		llm_expect(n, sum);
		llm_expect(n, sum);
		if (n->softmax)
			look(n, layer, pos);
	}
	t->passes++;
	if (pos + 1 < s->prompt)
		return 0;
	if (n->spoil && pos + 1 == s->prompt + n->spoil - 1)
		spoil(n);
	err = run(n, s->layers, pos, t);
	if (err)
		return err;
	llm_expect(n, (uint64_t)s->vocab * sizeof(float));
	for (i = 0; i < s->xpus; i++) {
		const uint8_t *mem = n->rank[i].mem;
		uint32_t found;

		logits[i] = (const float *)(mem + n->map.logits);
		memcpy(&found, mem + n->map.tokens + (pos + 1) * sizeof(found),
		       sizeof(found));
		if (!i)
			*token = found;
		else if (found != *token)
			return llm_fail(n->e, -EILSEQ,
					"position %u: rank %u chose token %u, rank 0 token %u",
					pos, i, found, *token);
	}
	return 0;
}
