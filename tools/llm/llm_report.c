// SPDX-License-Identifier: GPL-2.0-only
/* What is printed: text for people, JSON for programs. */
#include <stdio.h>

#include "../alink/json.h"
#include "llm_report.h"

const char *llm_dtype_name(enum llm_dtype dtype)
{
	static const char *const names[] = {
		[LLM_FP32] = "fp32", [LLM_BF16] = "bf16", [LLM_FP8] = "fp8",
	};

	return names[dtype];
}

/* --- text ---------------------------------------------------------------- */

static void show_tokens(const char *what, const uint32_t *t, uint32_t n)
{
	uint32_t i;

	printf("  %s", what);
	for (i = 0; i < n; i++)
		printf(" %u", t[i]);
	putchar('\n');
}

static double per_pass_us(const struct llm_times *t, uint64_t ns)
{
	return t->passes ? (double)ns / (double)t->passes / 1e3 : 0;
}

static void show_times(const struct llm_run *r)
{
	const struct llm_times *const t[] = { &r->prompt, &r->decode };
	const struct {
		const char *what;
		size_t at;
	} rows[] = {
		{ "compute", offsetof(struct llm_times, compute_ns) },
		{ "communication, commands",
		  offsetof(struct llm_times, comm_ns) },
		{ "communication, busiest links",
		  offsetof(struct llm_times, wire_ns) },
	};
	double sum[2] = { 0, 0 }, us;
	size_t i, j;

	printf("\nModelled time of a token (the hardware's, not this emulation's), us\n"
	       "  %-30s %10s %10s\n", "", "prompt", "new");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		printf("  %-30s", rows[i].what);
		for (j = 0; j < 2; j++) {
			us = per_pass_us(t[j], *(const uint64_t *)
					 ((const char *)t[j] + rows[i].at));
			sum[j] += us;
			printf(" %10.2f", us);
		}
		putchar('\n');
	}
	printf("  %-30s %10.2f %10.2f\n", "together", sum[0], sum[1]);
	printf("Wall time of a token under emulation, ms\n"
	       "  %-30s %10.2f %10.2f\n", "",
	       r->prompt.passes ? 1e3 * r->prompt.wall_s /
				  (double)r->prompt.passes : 0,
	       1e3 * r->decode.wall_s / (double)r->decode.passes);
}

static void show_bytes(const struct llm_run *r)
{
	uint32_t i;

	printf("\nBytes at the ports, %llu all-reduces through the switches\n"
	       "  %-6s %12s %12s %12s %12s\n",
	       (unsigned long long)r->node.sums, "rank", "sent", "formula",
	       "received", "formula");
	for (i = 0; i < r->s.xpus; i++)
		printf("  %-6u %12llu %12llu %12llu %12llu\n", i,
		       (unsigned long long)r->have[i].tx,
		       (unsigned long long)r->node.want[i].tx,
		       (unsigned long long)r->have[i].rx,
		       (unsigned long long)r->node.want[i].rx);
}

static void show_checks(const struct llm_run *r)
{
	const struct llm_check *c = &r->check;
	uint64_t values, others;

	llm_order_margin(c->order, &values, &others);
	printf("\nChecks\n");
	if (!r->host) {
		printf("  ok  every port carried what the formula says, at both ends\n"
		       "  ok  all %u ranks chose the same tokens\n"
		       "  ok  %llu logits of each rank: the bits of the reference in documented order,\n"
		       "      and so the same %u tokens\n"
		       "  ok  %llu values of SOFTMAX and SILU within one unit in the last place,\n"
		       "      %llu of them not the reference's\n",
		       r->s.xpus, (unsigned long long)c->logits, c->tokens,
		       (unsigned long long)values, (unsigned long long)others);
	}
	printf("  ok  logits against FP64 without rounding: at most %.3g apart, %.0f %% of the\n"
	       "      bound there; greatest bound %.3g; logits spread over %.3g\n"
	       "  %u of %u tokens are those of FP64 too\n",
	       c->far, 100 * c->share, c->bound, llm_check_spread(c), c->same,
	       c->tokens);
}

static void show(const struct llm_run *r)
{
	const struct llm_shape *s = &r->s;

	printf("Decoder of Qwen's shape: %u layers of %u, %u heads of %u (%u for keys), feed-forward\n"
	       "%u, %u tokens, head %s%s%s; %.2f million parameters\n",
	       s->layers, s->hidden, s->heads, s->head_dim, s->kv_heads, s->ffn,
	       s->vocab, s->tied ? "tied" : "of its own",
	       s->bias ? ", biases" : "", s->qk_norm ? ", normed q and k" : "",
	       (double)llm_parameters(s) / 1e6);
	if (r->file)
		printf("Weights from %s", r->file);
	else
		printf("Weights from seed %llu", (unsigned long long)r->seed);
	if (r->host)
		printf("; %s, cut for %u xPUs, on the host alone\n",
		       llm_dtype_name(s->dtype), s->xpus);
	else
		printf("; %s on %u xPUs, %u switches\n",
		       llm_dtype_name(s->dtype), s->xpus, r->node.planes);
	show_tokens("prompt", r->tokens, s->prompt);
	show_tokens("new   ", r->tokens + s->prompt, s->tokens);
	if (!r->host) {
		show_times(r);
		show_bytes(r);
	}
	if (r->checked)
		show_checks(r);
}

/* --- JSON ---------------------------------------------------------------- */

static void num(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_u64(v));
}

static void real(struct json_object *o, const char *key, double v)
{
	json_object_object_add(o, key, json_object_new_double(v));
}

static void flag(struct json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}

static struct json_object *json_shape(const struct llm_run *r)
{
	struct json_object *o = json_object_new_object();
	const struct llm_shape *s = &r->s;

	num(o, "xpus", s->xpus);
	num(o, "layers", s->layers);
	num(o, "hidden", s->hidden);
	num(o, "heads", s->heads);
	num(o, "kv_heads", s->kv_heads);
	num(o, "head_dim", s->head_dim);
	num(o, "ffn", s->ffn);
	num(o, "vocab", s->vocab);
	flag(o, "tied", s->tied);
	flag(o, "bias", s->bias);
	flag(o, "qk_norm", s->qk_norm);
	num(o, "parameters", llm_parameters(s));
	json_object_object_add(o, "dtype", json_object_new_string(
				llm_dtype_name(s->dtype)));
	json_object_object_add(o, "weights", r->file ?
			       json_object_new_string(r->file) : NULL);
	if (!r->file)
		num(o, "seed", r->seed);
	return o;
}

static struct json_object *json_tokens(const uint32_t *t, uint32_t n)
{
	struct json_object *a = json_object_new_array();
	uint32_t i;

	for (i = 0; i < n; i++)
		json_object_array_add(a, json_object_new_int64(t[i]));
	return a;
}

static struct json_object *json_times(const struct llm_times *t)
{
	struct json_object *o = json_object_new_object();

	num(o, "passes", t->passes);
	num(o, "model_compute_ns", t->compute_ns);
	num(o, "model_comm_ns", t->comm_ns);
	num(o, "model_wire_ns", t->wire_ns);
	real(o, "wall_s", t->wall_s);
	return o;
}

static struct json_object *json_bytes(const struct llm_run *r)
{
	struct json_object *a = json_object_new_array();
	uint32_t i;

	for (i = 0; i < r->s.xpus; i++) {
		struct json_object *o = json_object_new_object();

		num(o, "rank", i);
		num(o, "endpoint", r->node.endpoint[i]);
		num(o, "tx_bytes", r->have[i].tx);
		num(o, "tx_formula", r->node.want[i].tx);
		num(o, "rx_bytes", r->have[i].rx);
		num(o, "rx_formula", r->node.want[i].rx);
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *json_check(const struct llm_run *r)
{
	struct json_object *o = json_object_new_object(), *a, *top;
	const struct llm_check *c = &r->check;
	uint64_t values, others;
	uint32_t i, j;

	llm_order_margin(c->order, &values, &others);
	num(o, "logits", c->logits);
	num(o, "tokens", c->tokens);
	num(o, "tokens_as_fp64", c->same);
	num(o, "margin_values", values);
	num(o, "margin_others", others);
	real(o, "distance", c->far);
	real(o, "share_of_bound", c->share);
	real(o, "bound", c->bound);
	real(o, "spread", llm_check_spread(c));
	a = json_object_new_array();
	for (i = 0; i < c->tokens; i++) {
		top = json_object_new_array();
		for (j = 0; j < 3; j++)
			json_object_array_add(top, json_object_new_double(
						c->top[i][j]));
		json_object_array_add(a, top);
	}
	json_object_object_add(o, "top_logit_fp64_bound", a);
	return o;
}

static void print_document(const char *schema, const char *key,
			   struct json_object *data)
{
	struct json_object *doc = json_object_new_object();

	json_object_object_add(doc, "schema", json_object_new_string(schema));
	json_object_object_add(doc, "version", json_object_new_int(1));
	json_object_object_add(doc, key, data);
	puts(json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(doc);
}

void llm_report(const struct llm_run *r)
{
	struct json_object *o;

	if (!r->json) {
		show(r);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "shape", json_shape(r));
	json_object_object_add(o, "prompt",
			       json_tokens(r->tokens, r->s.prompt));
	json_object_object_add(o, "tokens", json_tokens(r->tokens + r->s.prompt,
							r->s.tokens));
	if (!r->host) {
		json_object_object_add(o, "prompt_time",
				       json_times(&r->prompt));
		json_object_object_add(o, "token_time", json_times(&r->decode));
		num(o, "allreduces", r->node.sums);
		json_object_object_add(o, "ranks", json_bytes(r));
	}
	if (r->checked)
		json_object_object_add(o, "check", json_check(r));
	print_document("alink.llm", "data", o);
}

void llm_report_error(const struct llm_run *r, const char *text, int code)
{
	struct json_object *o;

	if (!r->json) {
		fprintf(stderr, "alink-llm: %s\n", text);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "message", json_object_new_string(text));
	json_object_object_add(o, "exit_code", json_object_new_int(code));
	print_document("alink.error", "error", o);
}
