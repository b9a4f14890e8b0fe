// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink-bench COLLECTIVE: a collective of libalink over sizes, types, operations
 * and algorithms, each line checked, in the manner of nccl-tests.
 *
 * usage: alink-bench COLLECTIVE [OPTIONS]; see usage() below.
 *
 * Data is in the communicators' own memory, as that of programs that care for
 * speed: no copy is in the figures.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../alink/exit.h"
#include "bench_coll.h"

#define MAX_BYTES	(256ULL << 20)
#define MAX_ITERS	1000
#define NUM_DTYPES	(ALINK_DT_UINT8 + 1)

const struct coll_what coll_whats[COLL_NUM_KINDS] = {
	[COLL_ALLREDUCE] = { .name = "allreduce", .what = ALINK_COLL_ALLREDUCE,
			     .op = true },
	[COLL_REDUCE] = { .name = "reduce", .what = ALINK_COLL_REDUCE,
			  .op = true, .root = true },
	[COLL_REDUCE_SCATTER] = { .name = "reduce-scatter",
				  .what = ALINK_COLL_REDUCE_SCATTER,
				  .op = true, .blocks = true },
	[COLL_BROADCAST] = { .name = "broadcast", .what = ALINK_COLL_BROADCAST,
			     .root = true },
	[COLL_ALLGATHER] = { .name = "allgather", .what = ALINK_COLL_ALLGATHER,
			     .blocks = true },
	[COLL_ALLTOALL] = { .name = "alltoall", .blocks = true,
			    .direct = true },
	[COLL_BARRIER] = { .name = "barrier", .what = ALINK_COLL_BARRIER },
};

struct options {
	enum coll_kind kind;
	uint64_t first;
	uint64_t last;
	unsigned int factor;
	unsigned int iters;
	uint32_t ranks;
	uint32_t root;
	bool algo[COLL_NUM_ALGOS];
	bool dtype[NUM_DTYPES];
	bool op[COLL_NUM_OPS];
	uint32_t spoil;
	bool check;
	bool help;
};

static void usage(const char *name)
{
	printf("usage: alink-bench %s [OPTIONS]\n"
	       "\n"
	       "  -b SIZE       first size, bytes; K, M are binary (4K)\n"
	       "  -e SIZE       last size (4M)\n"
	       "  -f FACTOR     each size is so many times the one before (4)\n"
	       "  -n RANKS      xPUs that take part, by their ids (all)\n"
	       "  -d TYPES      int32, fp32, bf16, fp16, fp8_e4m3, fp8_e5m2, uint8, all\n"
	       "                (fp32; uint8 has no operations)\n"
	       "  -o OPS        sum, min, max, all (sum)\n"
	       "  -r RANK       root (0)\n"
	       "  --algo NAMES  switch, ring, and of allreduce push; auto: the one of them\n"
	       "                that libalink takes; all (switch,ring,push)\n"
	       "  --iters N     timed iterations of each line (5)\n"
	       "  --spoil RANK  flip a bit of what this rank has: it must be seen in #wrong\n"
	       "  --no-check    do not look at results\n"
	       "  -j, --json    print JSON\n"
	       "  -h, --help    print this\n"
	       "\n"
	       "Sizes are those of nccl-tests: of allgather, reduce-scatter and alltoall that\n"
	       "of all ranks' blocks; a size is made a whole number of elements, at least one.\n"
	       "\n"
	       "exit: 0 ok, 1 failed or wrong, 2 usage, 4 permission, 6 too few xPUs,\n"
	       "      9 driver not loaded, 15 device lost\n", name);
}

/* --- options -------------------------------------------------------------- */

static int take_number(struct bench *b, const char *what, const char *text,
		       bool bytes, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned int shift = 0;
	uint64_t n = 0;
	char *end;

	errno = 0;
	if (*text >= '0' && *text <= '9')
		n = strtoull(text, &end, 10);
	else
		end = (char *)text;
	if (bytes && end != text && (*end == 'K' || *end == 'k'))
		shift = 10;
	else if (bytes && end != text && (*end == 'M' || *end == 'm'))
		shift = 20;
	end += shift != 0;
	if (errno || end == text || *end || n < min >> shift ||
	    n > max >> shift)
		return bench_fail(b, -EINVAL,
				  "%s: \"%.40s\": a number from %llu to %llu is wanted",
				  what, text, (unsigned long long)min,
				  (unsigned long long)max);
	*out = n << shift;
	return 0;
}

static const char *name_of_dtype(unsigned int i)
{
	return alink_dtype_name(i);
}

static const char *name_of_op(unsigned int i)
{
	return coll_op_name(i);
}

static const char *name_of_algo(unsigned int i)
{
	return coll_algo_name(i);
}

/* Names with commas between them, or "all" */
static int take_names(struct bench *b, const char *what, char *list, bool *set,
		      unsigned int n, const char *(*name)(unsigned int i))
{
	char *word, *save;
	unsigned int i;

	memset(set, 0, n * sizeof(*set));
	for (word = strtok_r(list, ",", &save); word;
	     word = strtok_r(NULL, ",", &save)) {
		bool all = !strcmp(word, "all"), any = all;

		for (i = 0; i < n; i++) {
			if (!all && strcmp(word, name(i)))
				continue;
			set[i] = true;
			any = true;
		}
		if (!any)
			return bench_fail(b, -EINVAL,
					  "%s: there is no \"%.40s\" (--help)",
					  what, word);
	}
	for (i = 0; i < n; i++)
		if (set[i])
			return 0;
	return bench_fail(b, -EINVAL, "%s: no name", what);
}

static int take_option(struct bench *b, struct options *o, int c)
{
	uint64_t v = 0;
	int err = 0;

	switch (c) {
	case 'b':
		return take_number(b, "-b", optarg, true, 1, MAX_BYTES,
				   &o->first);
	case 'e':
		return take_number(b, "-e", optarg, true, 1, MAX_BYTES,
				   &o->last);
	case 'f':
		err = take_number(b, "-f", optarg, false, 2, 1024, &v);
		o->factor = (unsigned int)v;
		return err;
	case 'n':
		err = take_number(b, "-n", optarg, false, 1,
				  ALINK_COMM_MAX_RANKS, &v);
		o->ranks = (uint32_t)v;
		return err;
	case 'r':
		err = take_number(b, "-r", optarg, false, 0,
				  ALINK_COMM_MAX_RANKS - 1, &v);
		o->root = (uint32_t)v;
		return err;
	case 'i':
		err = take_number(b, "--iters", optarg, false, 1, MAX_ITERS,
				  &v);
		o->iters = (unsigned int)v;
		return err;
	case 's':
		err = take_number(b, "--spoil", optarg, false, 0,
				  ALINK_COMM_MAX_RANKS - 1, &v);
		o->spoil = (uint32_t)v;
		return err;
	case 'd':
		return take_names(b, "-d", optarg, o->dtype, NUM_DTYPES,
				  name_of_dtype);
	case 'o':
		return take_names(b, "-o", optarg, o->op, COLL_NUM_OPS,
				  name_of_op);
	case 'a':
		return take_names(b, "--algo", optarg, o->algo, COLL_NUM_ALGOS,
				  name_of_algo);
	case 'C':
		o->check = false;
		return 0;
	case 'j':
		b->json = true;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	}
	return 0;
}

static int take_options(struct bench *b, struct options *o, int argc,
			char **argv)
{
	static const struct option opts[] = {
		{ "algo", required_argument, NULL, 'a' },
		{ "iters", required_argument, NULL, 'i' },
		{ "spoil", required_argument, NULL, 's' },
		{ "no-check", no_argument, NULL, 'C' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int c, err = 0;

	opterr = 0;
	while (!err && (c = getopt_long(argc, argv, "b:e:f:n:r:d:o:jh", opts,
					NULL)) != -1) {
		if (c == '?')
			err = bench_fail(b, -EINVAL,
					 "%s: no such option, or it lacks a value (--help)",
					 argv[optind - 1]);
		else
			err = take_option(b, o, c);
	}
	if (!err && optind < argc)
		err = bench_fail(b, -EINVAL, "too many arguments: %s",
				 argv[optind]);
	if (!err && o->first > o->last)
		err = bench_fail(b, -EINVAL, "-b: %llu is more than -e, %llu",
				 (unsigned long long)o->first,
				 (unsigned long long)o->last);
	return err;
}

/* --- lines ---------------------------------------------------------------- */

/*
 * What the timing model says; and for "auto", which way it takes. Why another way
 * cannot be gone is for the collective to say.
 */
static int look_ahead(const struct coll_node *m, struct coll_case *c,
		      struct coll_result *r)
{
	const struct coll_what *w = &coll_whats[c->kind];
	int err;

	if (w->direct)
		return 0;
	err = alink_collective_time(m->rank[0].comm, w->what, &c->algo,
				    c->count * alink_dtype_bytes(c->dtype),
				    &r->formula_ns);
	if (err && c->asked == ALINK_ALGO_AUTO)
		return bench_fail_alink(m->b, w->name, err);
	return 0;
}

static int measure(struct coll_node *m, const struct options *o,
		   const struct coll_case *c, struct coll_result *r)
{
	struct coll_counts before = {}, after = {};
	uint64_t seq[ALINK_COMM_MAX_RANKS], from;
	struct coll_case meet = { .kind = COLL_BARRIER, .asked = c->algo };
	unsigned int i;
	int err;

	if (c->algo == ALINK_ALGO_PUSH)
		meet.asked = ALINK_ALGO_SWITCH;
	r->checked = o->check && o->kind != COLL_BARRIER;
	err = r->checked ? coll_bring(m, c, o->spoil) : 0;
	if (!err)
		err = coll_run(m, &meet, seq);
	if (!err)
		err = coll_count(m, seq, &before);
	if (!err)
		err = coll_run(m, c, seq);
	if (!err)
		err = coll_count(m, seq, &after);
	if (!err)
		coll_subtract(m, c, &before, &after, r);
	if (!err && r->checked)
		err = coll_look(m, c, &r->wrong);
	free(before.link);
	free(after.link);
	from = bench_ns();
	for (i = 0; i < o->iters && !err; i++)
		err = coll_run(m, c, seq);
	r->wall_ns = (double)(bench_ns() - from) / o->iters;
	return err;
}

/* One size with all that was asked for */
static int sweep_size(struct coll_node *m, const struct options *o,
		      uint64_t bytes, uint64_t *wrong)
{
	const struct coll_what *w = &coll_whats[o->kind];
	uint64_t each = w->blocks ? m->n : 1;
	unsigned int d, op, a;
	int err = 0;

	for (d = 0; d < NUM_DTYPES; d++)
		for (op = 0; op < COLL_NUM_OPS; op++)
			for (a = 0; a < COLL_NUM_ALGOS && !err; a++) {
				struct coll_case c = {
					.kind = o->kind, .asked = a,
					.algo = a, .dtype = d, .op = op,
					.root = o->root,
				};
				struct coll_result r = {};

				if (!o->dtype[d] || !o->op[op] || !o->algo[a])
					continue;
				c.count = bytes / each / alink_dtype_bytes(d);
				c.count = c.count ? c.count : 1;
				c.bytes = c.count * each *
					  alink_dtype_bytes(d);
				if (o->kind == COLL_BARRIER) {
					c.count = 0;
					c.bytes = 0;
				}
				err = look_ahead(m, &c, &r);
				if (!err)
					err = measure(m, o, &c, &r);
				if (!err)
					coll_line(m->b, m, &c, &r);
				*wrong += r.wrong;
			}
	return err;
}

static int sweep(struct coll_node *m, const struct options *o, uint64_t *wrong)
{
	uint64_t bytes;
	int err = 0;

	coll_head(m->b, m, o->iters);
	for (bytes = o->first; bytes <= o->last && !err; bytes *= o->factor)
		err = sweep_size(m, o, bytes, wrong);
	if (!err)
		coll_foot(m->b, m, *wrong);
	return err;
}

/* What makes no difference to this one is tried once. */
static int settle(struct bench *b, struct options *o)
{
	const struct coll_what *w = &coll_whats[o->kind];

	if (!w->op) {
		memset(o->op, 0, sizeof(o->op));
		o->op[0] = true;
	} else if (o->dtype[ALINK_DT_UINT8]) {
		unsigned int d, n = 0;

		for (d = 0; d < NUM_DTYPES; d++)
			n += o->dtype[d];
		if (n == 1)
			return bench_fail(b, -EINVAL,
					  "-d: %s needs arithmetic, which uint8 has not",
					  w->name);
		o->dtype[ALINK_DT_UINT8] = false;
	}
	if (w->direct) {
		memset(o->algo, 0, sizeof(o->algo));
		o->algo[0] = true;
	}
	if (o->kind != COLL_ALLREDUCE)
		o->algo[ALINK_ALGO_PUSH] = false;
	if (!memchr(o->algo, true, sizeof(o->algo)))
		return bench_fail(b, -EINVAL, "--algo: push is of allreduce only");
	if (o->kind == COLL_BARRIER) {
		memset(o->dtype, 0, sizeof(o->dtype));
		o->dtype[0] = true;
		o->last = o->first;
	}
	return 0;
}

static int run(struct bench *b, const struct options *o, uint64_t *wrong)
{
	struct coll_node *m = calloc(1, sizeof(*m));
	uint64_t least = 8ULL * ALINK_COMM_MAX_RANKS;
	int err;

	if (!m)
		return bench_fail(b, -ENOMEM, "out of memory");
	err = coll_node_up(m, b, o->ranks, o->last > least ? o->last : least);
	if (!err && coll_whats[o->kind].root && o->root >= m->n)
		err = bench_fail(b, -EINVAL, "-r: root %u: there are %u ranks",
				 o->root, m->n);
	if (!err)
		err = sweep(m, o, wrong);
	coll_node_down(m);
	free(m);
	return err;
}

int bench_coll(struct bench *b, int argc, char **argv)
{
	struct options o = {
		.first = 4 << 10, .last = 4 << 20, .factor = 4, .iters = 5,
		.algo = { true, true, true }, .dtype = { [ALINK_DT_FP32] = true },
		.op = { [ALINK_OP_SUM] = true }, .check = true,
		.spoil = ALINK_ID_NONE,
	};
	uint64_t wrong = 0;
	int code, err;

	if (argc < 2)
		return -1;
	while (o.kind < COLL_NUM_KINDS &&
	       strcmp(argv[1], coll_whats[o.kind].name))
		o.kind++;
	if (o.kind == COLL_NUM_KINDS)
		return -1;
	err = take_options(b, &o, argc - 1, argv + 1);
	if (!err)
		err = settle(b, &o);
	if (err) {
		bench_report_error(b, EXIT_USAGE);
		return EXIT_USAGE;
	}
	if (o.help) {
		usage(coll_whats[o.kind].name);
		return EXIT_OK;
	}
	if (alink_new(&b->ctx)) {
		fputs("alink-bench: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	b->rows = json_object_new_array();
	err = run(b, &o, &wrong);
	code = err == -EINVAL ? EXIT_USAGE : exit_for(err);
	if (err)
		bench_report_error(b, code);
	else if (wrong)
		code = EXIT_FAILED;
	json_object_put(b->rows);
	alink_free(b->ctx);
	if (fflush(stdout) && code == EXIT_OK)
		code = EXIT_FAILED;
	return code;
}
