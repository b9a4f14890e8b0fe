// SPDX-License-Identifier: GPL-2.0-only
/* What came out against what the references say. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llm_check.h"

int llm_check_begin(struct llm_check *c, const struct llm_shape *s,
		    struct llm_model *m, struct llm_error *e)
{
	int err;

	*c = (struct llm_check) { .s = s };
	c->want = malloc(s->vocab * sizeof(*c->want));
	c->exact = malloc(s->vocab * sizeof(*c->exact));
	c->limit = malloc(s->vocab * sizeof(*c->limit));
	c->top = calloc(s->tokens, sizeof(*c->top));
	if (!c->want || !c->exact || !c->limit || !c->top)
		return llm_fail(e, -ENOMEM, "out of memory");
	err = llm_order_new(s, m, &c->order, e);
	return err ? err : llm_ideal_new(s, m, &c->ideal, e);
}

void llm_check_end(struct llm_check *c)
{
	llm_order_free(c->order);
	llm_ideal_free(c->ideal);
	free(c->want);
	free(c->exact);
	free(c->limit);
	free(c->top);
}

double llm_check_spread(const struct llm_check *c)
{
	return c->logits ? sqrt(c->squares / (double)c->logits) : 0;
}

/* The first of the greatest */
static uint32_t best_of(const float *x, uint32_t n)
{
	uint32_t best = 0, i;

	for (i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return best;
}

static int compare_bits(const struct llm_check *c, uint32_t pos, uint32_t rank,
			const float *have, struct llm_error *e)
{
	uint32_t i;

	if (!memcmp(have, c->want, c->s->vocab * sizeof(*have)))
		return 0;
	for (i = 0; !memcmp(&have[i], &c->want[i], sizeof(*have)); i++)
		;
	return llm_fail(e, -EILSEQ,
			"WRONG: position %u, rank %u: logit %u is %a, in the documented order it is %a",
			pos, rank, i, (double)have[i], (double)c->want[i]);
}

static int compare_ideal(struct llm_check *c, uint32_t pos, uint32_t token,
			 const float *have, uint32_t chosen,
			 struct llm_error *e)
{
	uint32_t best = 0, i;
	double far;

	llm_ideal_step(c->ideal, pos, token, c->exact, c->limit);
	for (i = 0; i < c->s->vocab; i++) {
		far = fabs(have[i] - c->exact[i]);
		if (!(far <= c->limit[i]))
			return llm_fail(e, -EILSEQ,
					"WRONG: position %u: logit %u is %.9g, without rounding %.9g: %.3g apart, the bound is %.3g",
					pos, i, (double)have[i], c->exact[i],
					far, c->limit[i]);
		c->far = fmax(c->far, far);
		c->share = fmax(c->share, far / c->limit[i]);
		c->bound = fmax(c->bound, c->limit[i]);
		c->squares += c->exact[i] * c->exact[i];
		if (c->exact[i] > c->exact[best])
			best = i;
	}
	c->logits += c->s->vocab;
	c->top[c->tokens][0] = have[chosen];
	c->top[c->tokens][1] = c->exact[chosen];
	c->top[c->tokens][2] = c->limit[chosen];
	c->tokens++;
	c->same += best == chosen;
	return 0;
}

int llm_check_pass(struct llm_check *c, uint32_t pos, uint32_t token,
		   const struct llm_seen *seen, const float **logits,
		   uint32_t *chosen, struct llm_error *e)
{
	bool want = pos + 1 >= c->s->prompt;
	uint32_t i, best;
	int err;

	err = llm_order_step(c->order, pos, token, seen, want ? c->want : NULL,
			     e);
	if (err)
		return err;
	if (!want) {
		llm_ideal_step(c->ideal, pos, token, NULL, NULL);
		return 0;
	}
	best = best_of(c->want, c->s->vocab);
	if (!seen)
		*chosen = best;
	for (i = 0; i < c->s->xpus && seen; i++) {
		err = compare_bits(c, pos, i, logits[i], e);
		if (err)
			return err;
	}
	if (*chosen != best)
		return llm_fail(e, -EILSEQ,
				"WRONG: position %u: the engines chose token %u, the greatest logit is that of %u",
				pos, *chosen, best);
	return compare_ideal(c, pos, token, c->want, *chosen, e);
}
