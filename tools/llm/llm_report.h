/* SPDX-License-Identifier: GPL-2.0-only */
/* One run of alink-llm, and what is printed of it. */
#ifndef ALINK_LLM_REPORT_H
#define ALINK_LLM_REPORT_H

#include "llm_check.h"
#include "llm_node.h"

/**
 * struct llm_run - one run
 * @s:		shape
 * @file:	of weights, or NULL
 * @seed:	of weights and prompt
 * @json:	print JSON
 * @checked:	the references were asked
 * @host:	no device: the reference that keeps the order stands for it
 * @tokens:	prompt, then what was made
 * @node:	xPUs
 * @check:	references
 * @prompt:	times of passes that only read the prompt
 * @decode:	times of passes that made a token
 * @have:	bytes that the ports counted
 */
struct llm_run {
	struct llm_shape s;
	const char *file;
	uint64_t seed;
	bool json;
	bool checked;
	bool host;
	uint32_t *tokens;
	struct llm_node node;
	struct llm_check check;
	struct llm_times prompt;
	struct llm_times decode;
	struct llm_bytes have[LLM_MAX_RANKS];
};

const char *llm_dtype_name(enum llm_dtype dtype);
void llm_report(const struct llm_run *r);
/* A failure: as text on standard error, or as JSON on standard output */
void llm_report_error(const struct llm_run *r, const char *text, int code);

#endif /* ALINK_LLM_REPORT_H */
