/* SPDX-License-Identifier: GPL-2.0-only */
/* The model on xPUs: ranks, their memory, passes, and what was counted. */
#ifndef ALINK_LLM_NODE_H
#define ALINK_LLM_NODE_H

#include <alink.h>

#include "llm.h"

#define LLM_MAX_RANKS	8

/**
 * struct llm_linear - a linear layer in the memory of a rank
 * @at:		weights of this rank, out x in
 * @back:	E4M3: a row that undoes the scale of the weights, FP32
 */
struct llm_linear {
	uint64_t at;
	uint64_t back;
};

/*
 * Where things of a layer are. The rows of q are followed by those of k, those
 * of gate by those of up: one GEMM each.
 */
struct llm_layer_at {
	uint64_t attn_norm;
	struct llm_linear qk;
	struct llm_linear v;
	uint64_t qk_bias;
	uint64_t v_bias;
	uint64_t q_norm;
	uint64_t k_norm;
	struct llm_linear o;
	uint64_t ffn_norm;
	struct llm_linear gate_up;
	struct llm_linear down;
	uint64_t k_cache;	/* by position, head */
	uint64_t v_cache;
};

/*
 * Offsets, the same at each rank: @layer to @rope in the buffer of weights,
 * the others in the buffer of work, which the CPU can see.
 */
struct llm_map {
	struct llm_layer_at *layer;
	uint64_t embed;
	uint64_t norm;
	struct llm_linear head;
	uint64_t rope;		/* cosines and sines, by position */
	uint64_t weight_bytes;

	uint64_t ready;		/* word: the sums can begin */
	uint64_t done;		/* word: the sums are there */
	uint64_t tokens;	/* INT32, by position */
	uint64_t x;
	uint64_t xn;
	uint64_t qk;
	uint64_t score;		/* by query head, position; FP32 */
	uint64_t prob;		/* likewise, after SOFTMAX */
	uint64_t attn;
	uint64_t part;		/* what this rank gives to a sum */
	uint64_t sum;
	uint64_t gate_up;
	uint64_t silu;
	uint64_t ffn;
	uint64_t own_logits;	/* zeros, but for the part of this rank */
	uint64_t logits;
	uint64_t work_bytes;
};

/* What a rank has: all heads and columns in one piece */
struct llm_share {
	uint32_t heads;
	uint32_t kv_heads;
	uint32_t kv_first;	/* differs from rank to rank */
	uint32_t ffn;
	uint32_t vocab;
};

struct llm_rank {
	struct alink_xpu *xpu;
	struct alink_comm *comm;
	struct alink_queue *queue;	/* of the compute engines */
	struct alink_bo *weights;
	struct alink_bo *work;
	uint8_t *mem;			/* of @work */
	struct llm_share share;
	uint32_t step;			/* sums so far */
	uint64_t seq;			/* latest command of @queue */
	uint64_t comm_seq;		/* of the collectives' queue */
	uint64_t compute_ns;		/* modelled, so far */
	uint64_t comm_ns;
};

/* Modelled and wall time, as growing sums */
struct llm_times {
	uint64_t passes;
	uint64_t compute_ns;
	uint64_t comm_ns;
	uint64_t wire_ns;
	double wall_s;
};

/* Bytes that the ports of a rank carried, at both ends of its links */
struct llm_bytes {
	uint64_t tx, rx;
	uint64_t switch_rx, switch_tx;
};

struct llm_node {
	struct alink_ctx *ctx;
	const struct llm_shape *s;
	struct llm_error *e;
	uint32_t planes;
	uint32_t endpoint[LLM_MAX_RANKS];
	uint32_t index[LLM_MAX_RANKS];	/* of the device */
	uint32_t group;
	uint64_t key;
	bool grouped;
	enum alink_dtype act;	/* of activations */
	enum alink_dtype lin;	/* of weights and inputs of linear layers */
	struct llm_map map;
	struct llm_rank rank[LLM_MAX_RANKS];
	struct llm_bytes want[LLM_MAX_RANKS];	/* by the formula */
	uint64_t sums;
	uint32_t spoil;		/* a bit before this new token; 0: none */
	/* Of the latest pass, if wanted */
	float *softmax;		/* by layer, head, position */
	float *silu;		/* by layer, column */
};

/* All leave the reason in @n->e when they fail, and return a negative errno. */

/* --- ranks and memory: llm_node.c ---------------------------------------- */

/* @n is zeroed, but for @s and @e. llm_node_down() also after a failure. */
int llm_node_up(struct llm_node *n, bool seen);
void llm_node_down(struct llm_node *n);
/* As the library says it */
int llm_node_fail(struct llm_node *n, const char *what, int err);
/* Waits until all ranks are through with what was started. */
int llm_node_wait(struct llm_node *n);
/*
 * Are all xPUs still there, and were not reset? Memory of one that is gone still
 * reads as something: so before what was read is called wrong, or right for
 * good, this has to be asked.
 */
int llm_node_alive(struct llm_node *n);

/* --- weights: llm_upload.c ----------------------------------------------- */

int llm_upload(struct llm_node *n, struct llm_model *m);

/* --- passes: llm_forward.c ----------------------------------------------- */

/* Before the first pass */
int llm_begin(struct llm_node *n, const uint32_t *prompt);
/*
 * One pass. Behind the prompt it makes a token; @logits, by rank, and @token
 * are set then.
 */
int llm_pass(struct llm_node *n, uint32_t pos, struct llm_times *t,
	     const float **logits, uint32_t *token);

/* --- counters: llm_count.c ----------------------------------------------- */

/* Directions of links */
enum { TO_SWITCH, TO_XPU };

/**
 * struct llm_count - counters at one moment
 * @rank:	bytes of each rank
 * @num:	links, by direction
 * @busy:	modelled time on the wire of each of them, ns
 */
struct llm_count {
	struct llm_bytes rank[LLM_MAX_RANKS];
	size_t num[2];
	uint64_t *busy[2];
};

/* Adds a sum of @bytes to what ports must have carried by the formula. */
void llm_expect(struct llm_node *n, uint64_t bytes);
int llm_count_read(struct llm_node *n, struct llm_count *c);
void llm_count_free(struct llm_count *c);
/* Modelled time of the busiest links, to the switches and from them */
uint64_t llm_count_wire(const struct llm_count *before,
			const struct llm_count *after);

#endif /* ALINK_LLM_NODE_H */
