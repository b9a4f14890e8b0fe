/* SPDX-License-Identifier: GPL-2.0-only */
/* What came out against what the references say. */
#ifndef ALINK_LLM_CHECK_H
#define ALINK_LLM_CHECK_H

#include "llm_ref.h"

/**
 * struct llm_check - the references, and what was found so far
 * @logits:	compared
 * @tokens:	chosen
 * @same:	of these, those that FP64 would have chosen too
 * @far:	greatest distance of a logit from the one without rounding
 * @share:	greatest share of its bound that a distance had
 * @bound:	greatest bound
 * @squares:	sum of the squares of logits without rounding
 * @top:	for each token: logit, the same without rounding, bound
 */
struct llm_check {
	const struct llm_shape *s;
	struct llm_order *order;
	struct llm_ideal *ideal;
	float *want;
	double *exact;
	double *limit;
	uint64_t logits;
	uint32_t tokens;
	uint32_t same;
	double far;
	double share;
	double bound;
	double squares;
	double (*top)[3];
};

/* llm_check_end() also after a failure */
int llm_check_begin(struct llm_check *c, const struct llm_shape *s,
		    struct llm_model *m, struct llm_error *e);
void llm_check_end(struct llm_check *c);

/**
 * llm_check_pass() - one pass on the references, and the comparison
 * @token:	what stood at @pos
 * @seen:	as llm_order_step(); NULL: there are no engines, the reference
 *		that keeps the order stands for them
 * @logits:	of the engines, by rank; not looked at inside the prompt
 * @chosen:	what they chose; without engines it is set
 *
 * Errors: -EILSEQ: they differ; the text says where.
 */
int llm_check_pass(struct llm_check *c, uint32_t pos, uint32_t token,
		   const struct llm_seen *seen, const float **logits,
		   uint32_t *chosen, struct llm_error *e);
/* Spread of the logits: their root mean square */
double llm_check_spread(const struct llm_check *c);

#endif /* ALINK_LLM_CHECK_H */
