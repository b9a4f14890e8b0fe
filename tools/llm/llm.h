/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small decoder-only transformer of the Qwen family's shape: what all files
 * of alink-llm share. The references include this one and nothing of libalink.
 */
#ifndef ALINK_LLM_H
#define ALINK_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why the latest call failed, in words */
struct llm_error {
	char text[512];
};

/* Sets the text and returns @err, a negative errno. */
int llm_fail(struct llm_error *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

enum llm_dtype {
	LLM_FP32,
	LLM_BF16,
	LLM_FP8,	/* linear layers: weights and input E4M3; the rest BF16 */
};

/**
 * struct llm_shape - the model, and how it is cut
 * @xpus:	ranks
 * @layers:	decoder layers
 * @hidden:	width of the residual stream
 * @heads:	query heads
 * @kv_heads:	key and value heads; each serves heads / kv_heads query heads
 * @head_dim:	width of a head, even
 * @ffn:	width of the feed-forward layer
 * @vocab:	tokens that there are
 * @prompt:	tokens given
 * @tokens:	tokens to be made
 * @tied:	the head is the embedding
 * @bias:	q, k and v have a bias (Qwen2)
 * @qk_norm:	heads of q and k go through an RMSNorm (Qwen3)
 * @eps:	of RMSNorm
 * @theta:	base of RoPE
 * @dtype:	what it is computed in
 */
struct llm_shape {
	uint32_t xpus;
	uint32_t layers;
	uint32_t hidden;
	uint32_t heads;
	uint32_t kv_heads;
	uint32_t head_dim;
	uint32_t ffn;
	uint32_t vocab;
	uint32_t prompt;
	uint32_t tokens;
	bool tied;
	bool bias;
	bool qk_norm;
	float eps;
	double theta;
	enum llm_dtype dtype;
};

/* Passes of the whole model: the last token is not fed again. */
static inline uint32_t llm_passes(const struct llm_shape *s)
{
	return s->prompt + s->tokens - 1;
}

/* Checks that the numbers fit each other; names the option that does not. */
int llm_shape_check(const struct llm_shape *s, struct llm_error *e);

/* --- weights: llm_model.c ------------------------------------------------ */

enum llm_tensor {
	LLM_EMBED,
	LLM_NORM,		/* before the head */
	LLM_HEAD,
	LLM_ATTN_NORM,		/* from here on: one a layer */
	LLM_Q,
	LLM_K,
	LLM_V,
	LLM_Q_BIAS,
	LLM_K_BIAS,
	LLM_V_BIAS,
	LLM_Q_NORM,
	LLM_K_NORM,
	LLM_O,
	LLM_FFN_NORM,
	LLM_GATE,
	LLM_UP,
	LLM_DOWN,
	LLM_NUM_TENSORS,
};

struct llm_model;

/**
 * llm_model_new() - weights from a file, or from a seed
 * @s:		shape; @tied, @bias and @qk_norm are set from what the file has
 * @file:	safetensors, or NULL
 * @seed:	without @file
 * @model:	set on success
 *
 * Every tensor of the file is checked before this returns. Errors: -EINVAL, and
 * those of reading files.
 */
int llm_model_new(struct llm_shape *s, const char *file, uint64_t seed,
		  struct llm_model **model, struct llm_error *e);
void llm_model_free(struct llm_model *m);

/* Rows and columns: a linear layer is out x in, a vector is one row. */
void llm_dims(const struct llm_shape *s, enum llm_tensor t, uint32_t *rows,
	      uint32_t *cols);
/* Does this model have it at all? */
bool llm_has(const struct llm_shape *s, enum llm_tensor t);
/* Is there one a layer? */
bool llm_layered(enum llm_tensor t);

/**
 * llm_rows() - read rows of a tensor, as FP32
 * @layer:	0 for those that are there once
 * @first:	row
 * @n:		rows
 * @out:	n rows without gaps
 *
 * LLM_HEAD of a tied model is LLM_EMBED. Errors: -EIO, and -EDOM: a weight that
 * is no finite number.
 */
int llm_rows(struct llm_model *m, enum llm_tensor t, uint32_t layer,
	     uint32_t first, uint32_t n, float *out, struct llm_error *e);
/* The greatest magnitude in a tensor */
int llm_max(struct llm_model *m, enum llm_tensor t, uint32_t layer, float *max,
	    struct llm_error *e);
/* Writes all weights as a safetensors file. */
int llm_save(struct llm_model *m, const char *file, struct llm_error *e);
uint64_t llm_parameters(const struct llm_shape *s);

#endif /* ALINK_LLM_H */
