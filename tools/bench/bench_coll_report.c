// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table, in the columns that users of nccl-tests know, and the same as JSON.
 *
 * algbw is size by time. busbw is that times what makes it comparable to the
 * rate of a link, whatever the number of ranks: 2 (n - 1) / n of all-reduce, (n
 * - 1) / n of what has blocks, 1 of the others. It is the factor of a ring, for
 * the switches too: with them it may be more than the links carry.
 */
#include <stdio.h>

#include "bench_coll.h"

static const char * const ops[COLL_NUM_OPS] = {
	[ALINK_OP_SUM] = "sum", [ALINK_OP_MIN] = "min", [ALINK_OP_MAX] = "max",
};

static const char * const algos[COLL_NUM_ALGOS] = {
	[ALINK_ALGO_SWITCH] = "switch", [ALINK_ALGO_RING] = "ring",
	[ALINK_ALGO_PUSH] = "push", [ALINK_ALGO_AUTO] = "auto",
};

const char *coll_op_name(enum alink_redop op)
{
	return op < COLL_NUM_OPS ? ops[op] : "-";
}

const char *coll_algo_name(enum alink_algo algo)
{
	return algo < COLL_NUM_ALGOS ? algos[algo] : "-";
}

static double factor(const struct coll_node *m, enum coll_kind kind)
{
	double share = (m->n - 1.0) / m->n;

	if (kind == COLL_ALLREDUCE)
		return 2 * share;
	return coll_whats[kind].blocks ? share : 1;
}

/* GB/s: bytes by nanoseconds */
static double rate(uint64_t bytes, double ns)
{
	return ns > 0 ? (double)bytes / ns : 0;
}

void coll_head(struct bench *b, const struct coll_node *m, unsigned int iters)
{
	if (b->json)
		return;
	printf("# %u ranks, mean of %u iterations; wall clock of emulation, and modelled time\n"
	       "#%11s %10s %8s %4s %4s %6s %9s %7s %7s %6s %9s %8s %8s %10s\n"
	       "#%11s %10s %8s %4s %4s %6s %9s %7s %7s %6s %9s %8s %8s %10s\n",
	       m->n, iters, "size", "count", "type", "op", "root", "algo",
	       "time", "algbw", "busbw", "#wrong", "modelled", "algbw",
	       "busbw", "sent", "(B)", "", "", "", "", "", "(us)", "(GB/s)",
	       "(GB/s)", "", "(us)", "(GB/s)", "(GB/s)", "(B)");
}

static struct json_object *modelled(const struct coll_result *r, double v)
{
	return r->modelled ? json_object_new_double(v) : NULL;
}

static void json_line(struct bench *b, const struct coll_node *m,
		      const struct coll_case *c, const struct coll_result *r)
{
	const struct coll_what *w = &coll_whats[c->kind];
	struct json_object *o = json_object_new_object();
	struct json_object *wrong = NULL, *op = NULL, *root = NULL;
	double model = rate(c->bytes, r->model_ns);
	struct json_object *algo = NULL, *formula = NULL, *type;

	type = json_object_new_string(alink_dtype_name(c->dtype));
	if (r->checked)
		wrong = json_object_new_uint64(r->wrong);
	if (w->op)
		op = json_object_new_string(coll_op_name(c->op));
	if (w->root)
		root = json_object_new_uint64(c->root);
	if (!w->direct)
		algo = json_object_new_string(coll_algo_name(c->asked));
	json_object_object_add(o, "collective",
			       json_object_new_string(w->name));
	json_object_object_add(o, "size_bytes",
			       json_object_new_uint64(c->bytes));
	json_object_object_add(o, "count", json_object_new_uint64(c->count));
	json_object_object_add(o, "type", type);
	json_object_object_add(o, "op", op);
	json_object_object_add(o, "root", root);
	json_object_object_add(o, "algorithm", algo);
	json_object_object_add(o, "wall_ns",
			       json_object_new_double(r->wall_ns));
	json_object_object_add(o, "modelled_ns", modelled(r, r->model_ns));
	if (!w->direct)
		formula = json_object_new_uint64(r->formula_ns);
	json_object_object_add(o, "formula_ns", formula);
	json_object_object_add(o, "modelled_algbw_gbs", modelled(r, model));
	model *= factor(m, c->kind);
	json_object_object_add(o, "modelled_busbw_gbs", modelled(r, model));
	json_object_object_add(o, "sent_bytes",
			       json_object_new_uint64(r->sent));
	json_object_object_add(o, "received_bytes",
			       json_object_new_uint64(r->received));
	json_object_object_add(o, "wrong", wrong);
	json_object_array_add(b->rows, o);
}

void coll_line(struct bench *b, const struct coll_node *m,
	       const struct coll_case *c, const struct coll_result *r)
{
	const struct coll_what *w = &coll_whats[c->kind];
	double wall = rate(c->bytes, r->wall_ns);
	double model = rate(c->bytes, r->model_ns);
	char root[16] = "-", wrong[24] = "N/A";

	if (b->json) {
		json_line(b, m, c, r);
		return;
	}
	if (w->root)
		snprintf(root, sizeof(root), "%u", c->root);
	if (r->checked)
		snprintf(wrong, sizeof(wrong), "%llu",
			 (unsigned long long)r->wrong);
	printf("%12llu %10llu %8s %4s %4s %6s %9.1f %7.2f %7.2f %6s",
	       (unsigned long long)c->bytes, (unsigned long long)c->count,
	       alink_dtype_name(c->dtype), w->op ? coll_op_name(c->op) : "-",
	       root, w->direct ? "-" : coll_algo_name(c->asked),
	       r->wall_ns / 1e3, wall, wall * factor(m, c->kind), wrong);
	if (r->modelled)
		printf(" %9.2f %8.2f %8.2f", r->model_ns / 1e3, model,
		       model * factor(m, c->kind));
	else
		printf(" %9s %8s %8s", "-", "-", "-");
	printf(" %10llu\n", (unsigned long long)r->sent);
	fflush(stdout);
}

void coll_foot(struct bench *b, const struct coll_node *m, uint64_t wrong)
{
	struct json_object *data;

	if (!b->json) {
		if (wrong)
			printf("# WRONG: %llu elements\n",
			       (unsigned long long)wrong);
		return;
	}
	data = json_object_new_object();
	json_object_object_add(data, "ranks", json_object_new_uint64(m->n));
	json_object_object_add(data, "wrong", json_object_new_uint64(wrong));
	json_object_object_add(data, "rows", json_object_get(b->rows));
	bench_print_document("alink.bench.collective", 1, "data", data);
}
