// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ranks: finds xPUs and switches, makes the group of the ranks, opens each,
 * and lays out its memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "llm_node.h"

#define PARTITION	1
/* A pass takes some ms, and some seconds on a debug kernel under load. */
#define WAIT_MS		60000
/* How long one rank is waited for before the others are looked at */
#define SLICE_MS	100
#define ALIGN		256
/* Words that are signalled in, each in a line of its own */
#define WORD_BYTES	64

int llm_node_fail(struct llm_node *n, const char *what, int err)
{
	return llm_fail(n->e, err, "%s: %s", what, alink_error(n->ctx));
}

/* --- what there is ------------------------------------------------------- */

static int by_endpoint(const void *a, const void *b)
{
	const struct alink_device_info *x = a, *y = b;

	return x->fabric_id < y->fabric_id ? -1 : x->fabric_id > y->fabric_id;
}

static int find_xpus(struct llm_node *n)
{
	struct alink_device_info *list;
	uint32_t found = 0;
	size_t i, num;
	int err;

	err = alink_devices(n->ctx, &list, &num);
	if (err)
		return llm_node_fail(n, "devices", err);
	qsort(list, num, sizeof(*list), by_endpoint);
	for (i = 0; i < num; i++) {
		n->planes += list[i].type == ALINK_DEVTYPE_SWITCH;
		if (list[i].type != ALINK_DEVTYPE_XPU ||
		    list[i].fabric_id == ALINK_ID_NONE)
			continue;
		if (found < n->s->xpus) {
			n->endpoint[found] = list[i].fabric_id;
			n->index[found] = list[i].index;
		}
		found++;
	}
	free(list);
	if (found < n->s->xpus)
		return llm_fail(n->e, -ENOENT,
				"--xpus %u: there are %u with their driver bound (alink list xpu)",
				n->s->xpus, found);
	if (!n->planes)
		return llm_fail(n->e, -ENOENT,
				"no switch with its driver bound (alink list switch)");
	return 0;
}

static int make_group(struct llm_node *n)
{
	struct alink_set members = {};
	uint32_t i;
	int err;

	for (i = 0; i < n->s->xpus; i++)
		alink_set_add(&members, n->endpoint[i]);
	err = alink_group_make(n->ctx, &members, &n->group, &n->key);
	if (err)
		return llm_node_fail(n, "group", err);
	n->grouped = true;
	return 0;
}

/* --- memory -------------------------------------------------------------- */

static uint64_t take(uint64_t *at, uint64_t bytes)
{
	uint64_t here = *at;

	*at = (here + bytes + ALIGN - 1) / ALIGN * ALIGN;
	return here;
}

/* With fewer heads of keys than ranks, several ranks hold the same one. */
static void cut(const struct llm_shape *s, uint32_t rank, struct llm_share *sh)
{
	*sh = (struct llm_share) {
		.heads = s->heads / s->xpus,
		.kv_heads = s->kv_heads > s->xpus ? s->kv_heads / s->xpus : 1,
		.kv_first = (uint32_t)((uint64_t)rank * s->kv_heads / s->xpus),
		.ffn = s->ffn / s->xpus,
		.vocab = s->vocab / s->xpus,
	};
}

static struct llm_linear take_linear(const struct llm_node *n, uint64_t *at,
				     uint64_t out, uint64_t in)
{
	struct llm_linear l = {
		.at = take(at, out * in * alink_dtype_bytes(n->lin)),
	};

	if (n->lin == ALINK_DT_FP8_E4M3)
		l.back = take(at, out * sizeof(float));
	return l;
}

static void map_layer(struct llm_node *n, struct llm_layer_at *l, uint64_t *at)
{
	const struct llm_share *sh = &n->rank[0].share;
	const struct llm_shape *s = n->s;
	uint64_t act = alink_dtype_bytes(n->act);
	uint64_t q = (uint64_t)sh->heads * s->head_dim;
	uint64_t kv = (uint64_t)sh->kv_heads * s->head_dim;

	l->attn_norm = take(at, s->hidden * act);
	l->qk = take_linear(n, at, q + kv, s->hidden);
	l->v = take_linear(n, at, kv, s->hidden);
	l->qk_bias = take(at, (q + kv) * act);
	l->v_bias = take(at, kv * act);
	l->q_norm = take(at, s->head_dim * act);
	l->k_norm = take(at, s->head_dim * act);
	l->o = take_linear(n, at, s->hidden, q);
	l->ffn_norm = take(at, s->hidden * act);
	l->gate_up = take_linear(n, at, 2ULL * sh->ffn, s->hidden);
	l->down = take_linear(n, at, s->hidden, sh->ffn);
	l->k_cache = take(at, llm_passes(s) * kv * act);
	l->v_cache = take(at, llm_passes(s) * kv * act);
}

static int map_memory(struct llm_node *n)
{
	const struct llm_share *sh = &n->rank[0].share;
	const struct llm_shape *s = n->s;
	uint64_t act = alink_dtype_bytes(n->act), at = 0;
	uint64_t passes = llm_passes(s);
	struct llm_map *m = &n->map;
	uint32_t i;

	m->layer = calloc(s->layers, sizeof(*m->layer));
	if (!m->layer)
		return llm_fail(n->e, -ENOMEM, "out of memory");
	for (i = 0; i < s->layers; i++)
		map_layer(n, &m->layer[i], &at);
	m->embed = take(&at, (uint64_t)s->vocab * s->hidden * act);
	m->norm = take(&at, s->hidden * act);
	m->head = take_linear(n, &at, sh->vocab, s->hidden);
	m->rope = take(&at, passes * s->head_dim * sizeof(float));
	m->weight_bytes = at;

	at = 0;
	m->ready = take(&at, WORD_BYTES);
	m->done = take(&at, WORD_BYTES);
	m->tokens = take(&at, (passes + 1) * sizeof(int32_t));
	m->x = take(&at, s->hidden * act);
	m->xn = take(&at, s->hidden * act);
	m->qk = take(&at, (uint64_t)(sh->heads + sh->kv_heads) * s->head_dim *
			  act);
	m->score = take(&at, sh->heads * passes * sizeof(float));
	m->prob = take(&at, sh->heads * passes * act);
	m->attn = take(&at, (uint64_t)sh->heads * s->head_dim * act);
	m->part = take(&at, s->hidden * act);
	m->sum = take(&at, s->hidden * act);
	m->gate_up = take(&at, 2ULL * sh->ffn * act);
	m->silu = take(&at, sh->ffn * act);
	m->ffn = take(&at, sh->ffn * act);
	m->own_logits = take(&at, s->vocab * sizeof(float));
	m->logits = take(&at, s->vocab * sizeof(float));
	m->work_bytes = at;
	return 0;
}

/* --- ranks --------------------------------------------------------------- */

static uint32_t power_of_two(uint32_t least)
{
	uint32_t p = 64;

	while (p < least)
		p *= 2;
	return p;
}

static int open_rank(struct llm_node *n, uint32_t i)
{
	const struct llm_shape *s = n->s;
	uint64_t act = alink_dtype_bytes(n->act);
	struct alink_comm_config cfg = {
		.rank = i,
		.ranks = s->xpus,
		.group = n->group,
		.group_key = n->key,
		.max_bytes = s->hidden * act > s->vocab * sizeof(float) ?
			     s->hidden * act : s->vocab * sizeof(float),
	};
	struct llm_rank *r = &n->rank[i];
	/* A layer is at most 40 commands, and 3 for each head of keys. */
	uint32_t depth = power_of_two(40 + 3 * r->share.kv_heads);
	char what[32];
	int err;

	err = alink_xpu_open(n->ctx, n->endpoint[i], &r->xpu);
	if (!err)
		err = alink_comm_open(r->xpu, &cfg, &r->comm);
	if (!err)
		err = alink_queue_open(r->xpu, depth, &r->queue);
	if (!err)
		err = alink_bo_alloc(r->xpu, n->map.weight_bytes,
				     ALINK_PLACE_HBM, &r->weights);
	if (!err)
		err = alink_bo_alloc(r->xpu, n->map.work_bytes,
				     ALINK_PLACE_HBM_CPU, &r->work);
	if (!err) {
		r->mem = alink_bo_map(r->work);
		err = r->mem ? 0 : -ENOMEM;
	}
	snprintf(what, sizeof(what), "rank %u", i);
	return err ? llm_node_fail(n, what, err) : 0;
}

int llm_node_up(struct llm_node *n, bool seen)
{
	const struct llm_shape *s = n->s;
	uint32_t i;
	int err;

	err = alink_new(&n->ctx);
	if (err)
		return llm_fail(n->e, err, "out of memory");
	n->act = s->dtype == LLM_FP32 ? ALINK_DT_FP32 : ALINK_DT_BF16;
	n->lin = s->dtype == LLM_FP8 ? ALINK_DT_FP8_E4M3 : n->act;
	for (i = 0; i < s->xpus; i++)
		cut(s, i, &n->rank[i].share);
	if (seen) {
		n->softmax = calloc((size_t)s->layers * s->heads *
				    llm_passes(s), sizeof(float));
		n->silu = calloc((size_t)s->layers * s->ffn, sizeof(float));
		if (!n->softmax || !n->silu)
			return llm_fail(n->e, -ENOMEM, "out of memory");
	}
	err = map_memory(n);
	if (!err)
		err = find_xpus(n);
	if (err)
		return err;
	err = alink_fabric_ensure(n->ctx, PARTITION);
	if (err)
		return llm_node_fail(n, "fabric", err);
	err = make_group(n);
	for (i = 0; i < s->xpus && !err; i++)
		err = open_rank(n, i);
	return err;
}

void llm_node_down(struct llm_node *n)
{
	uint32_t i;

	/* Queues first: what they run may use memory of the others. */
	for (i = 0; i < LLM_MAX_RANKS; i++)
		alink_queue_close(n->rank[i].queue);
	for (i = 0; i < LLM_MAX_RANKS; i++)
		alink_comm_close(n->rank[i].comm);
	for (i = 0; i < LLM_MAX_RANKS; i++) {
		alink_bo_free(n->rank[i].work);
		alink_bo_free(n->rank[i].weights);
		alink_xpu_close(n->rank[i].xpu);
	}
	if (n->grouped && alink_group_del(n->ctx, ALINK_ALL, n->group))
		fprintf(stderr, "alink-llm: group %u stays: %s\n", n->group,
			alink_error(n->ctx));
	free(n->map.layer);
	free(n->softmax);
	free(n->silu);
	if (n->ctx)
		alink_free(n->ctx);
}

/* --- waiting ------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The device of a rank is gone, or was reset: all else comes of that. */
static int lost(struct llm_node *n, uint32_t i)
{
	int err = alink_queue_wait(n->rank[i].queue, n->rank[i].seq, 0);
	char what[48];

	if (err != -ENODEV && err != -ECANCELED)
		return 0;
	snprintf(what, sizeof(what), "rank %u (endpoint %u)", i,
		 n->endpoint[i]);
	return llm_node_fail(n, what, err);
}

static int stopped(struct llm_node *n, uint32_t i, const char *which,
		   const struct alink_queue *q)
{
	struct alink_queue_state s;

	alink_queue_state(q, &s);
	if (s.status == ALINK_ST_OK)
		return 0;
	return llm_fail(n->e, -EIO,
			"rank %u (endpoint %u): %s: command %u failed: %s (address %#llx)",
			i, n->endpoint[i], which, s.index + 1,
			alink_status_name(s.status),
			(unsigned long long)s.addr);
}

/* Why does a rank not get on? 0: it just takes long. */
static int find_cause(struct llm_node *n)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < n->s->xpus && !err; i++)
		err = lost(n, i);
	for (i = 0; i < n->s->xpus && !err; i++) {
		err = stopped(n, i, "collective",
			      alink_comm_queue(n->rank[i].comm));
		if (!err)
			err = stopped(n, i, "compute", n->rank[i].queue);
	}
	return err;
}

/*
 * When one rank fails, the others wait for its part: so none is waited for long
 * without a look at all.
 */
int llm_node_wait(struct llm_node *n)
{
	double end = seconds() + WAIT_MS / 1e3;
	char what[48];
	uint32_t i;
	int err, cause;

	for (i = 0; i < n->s->xpus; i++) {
		do {
			err = alink_queue_wait(n->rank[i].queue, n->rank[i].seq,
					       SLICE_MS);
			cause = err ? find_cause(n) : 0;
			if (cause)
				return cause;
		} while (err == -ETIME && seconds() < end);
		if (!err)
			continue;
		snprintf(what, sizeof(what), "rank %u (endpoint %u)", i,
			 n->endpoint[i]);
		return llm_node_fail(n, what, err);
	}
	return 0;
}

int llm_node_alive(struct llm_node *n)
{
	uint32_t i;
	int err;

	for (i = 0; i < n->s->xpus; i++) {
		err = alink_cmd_nop(n->rank[i].queue, &n->rank[i].seq);
		if (err)
			return llm_node_fail(n, "commands", err);
		alink_queue_kick(n->rank[i].queue);
	}
	return llm_node_wait(n);
}
