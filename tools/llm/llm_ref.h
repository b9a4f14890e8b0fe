/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two references for the tokens, on the host, in plain C. Neither knows the
 * other, and neither has anything of the engines, of the switches, or of their
 * library in it: only what Documentation/hw says of their arithmetic.
 */
#ifndef ALINK_LLM_REF_H
#define ALINK_LLM_REF_H

#include "llm.h"

/*
 * What the engines made of SOFTMAX and SILU in one pass. The document gives
 * them a margin of one unit in the last place; everything else is exact.
 * @softmax:	by layer, head, position: of a head, @stride positions
 * @silu:	by layer, column of the feed-forward layer
 */
struct llm_seen {
	const float *softmax;
	const float *silu;
	uint32_t stride;
};

/* --- in order: llm_ref_order.c ------------------------------------------- */

struct llm_order;

int llm_order_new(const struct llm_shape *s, struct llm_model *m,
		  struct llm_order **ref, struct llm_error *e);
void llm_order_free(struct llm_order *r);

/**
 * llm_order_step() - one pass, in the order and with the rounding of the xPUs
 * @pos:	position: 0, 1, ...
 * @token:	what stands there
 * @seen:	what the engines made of SOFTMAX and SILU, or NULL. Each value
 *		must be within the margin of the document, and is then used
 * @logits:	result, or NULL if nobody wants it
 *
 * Errors: -EILSEQ: a value of @seen is outside the margin.
 */
int llm_order_step(struct llm_order *r, uint32_t pos, uint32_t token,
		   const struct llm_seen *seen, float *logits,
		   struct llm_error *e);
/* Values of SOFTMAX and SILU so far, and how many were not the reference's */
void llm_order_margin(const struct llm_order *r, uint64_t *values,
		      uint64_t *others);

/* --- without rounding: llm_ref_ideal.c ----------------------------------- */

struct llm_ideal;

int llm_ideal_new(const struct llm_shape *s, struct llm_model *m,
		  struct llm_ideal **ref, struct llm_error *e);
void llm_ideal_free(struct llm_ideal *r);

/**
 * llm_ideal_step() - one pass in FP64, with the weights as they are
 * @logits:	result, or NULL if nobody wants it
 * @bound:	how far rounding may carry each of them
 */
void llm_ideal_step(struct llm_ideal *r, uint32_t pos, uint32_t token,
		    double *logits, double *bound);

#endif /* ALINK_LLM_REF_H */
