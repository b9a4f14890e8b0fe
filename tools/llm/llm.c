// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink-llm: a small decoder-only transformer of the Qwen family's shape, cut
 * over all xPUs: matrix work on the compute engines, sums in the switches.
 *
 * usage: alink-llm [OPTIONS]; see usage() below.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../alink/exit.h"
#include "llm_report.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void usage(FILE *f)
{
	fputs("usage: alink-llm [OPTIONS]\n"
	      "\n"
	      "  --xpus N         xPUs that share the work: 1, 2, 4 or 8 (8)\n"
	      "  --dtype TYPE     fp32, bf16 or fp8 (bf16)\n"
	      "  --layers N       decoder layers (2)\n"
	      "  --hidden N       width of the residual stream (128)\n"
	      "  --heads N        query heads (16)\n"
	      "  --kv-heads N     heads of keys and values (8)\n"
	      "  --head-dim N     width of a head (hidden / heads)\n"
	      "  --ffn N          width of the feed-forward layer (256)\n"
	      "  --vocab N        tokens that there are (512)\n"
	      "  --eps X          of RMSNorm (1e-6)\n"
	      "  --theta X        base of RoPE (1000000)\n"
	      "  --weights FILE   safetensors, names as in Qwen2 and Qwen3\n"
	      "  --seed N         without a file: of the weights; always: of the prompt (1)\n"
	      "  --family NAME    with a seed: qwen2 (biases) or qwen3 (normed q, k) (qwen3)\n"
	      "  --tied           with a seed: the head is the embedding\n"
	      "  --save FILE      write the weights to a safetensors file first\n"
	      "  --prompt-len N   tokens of the prompt, from the seed (4)\n"
	      "  --prompt LIST    the prompt itself, as in 5,17,3\n"
	      "  --tokens N       tokens to make (8)\n"
	      "  --check          compare with the references (default)\n"
	      "  --no-check       do not\n"
	      "  --reference      no device: let the references speak alone\n"
	      "  --spoil N        flip a bit before the Nth token, to see the check fail\n"
	      "  -j, --json       print JSON\n"
	      "  -h, --help       print this\n"
	      "\n"
	      "exit: 0 ok, 1 failed or wrong, 2 usage, 4 permission, 6 too few xPUs,\n"
	      "      9 driver not loaded, 15 device lost\n", f);
}

/* --- options ------------------------------------------------------------- */

enum option_id {
	OPT_U32 = 256,		/* the first of those that are plain numbers */
	OPT_XPUS = OPT_U32, OPT_LAYERS, OPT_HIDDEN, OPT_HEADS, OPT_KV_HEADS,
	OPT_HEAD_DIM, OPT_FFN, OPT_VOCAB, OPT_PROMPT_LEN, OPT_TOKENS,
	OPT_SPOIL, OPT_DTYPE, OPT_EPS, OPT_THETA, OPT_WEIGHTS, OPT_SEED,
	OPT_FAMILY,
	OPT_TIED, OPT_SAVE, OPT_PROMPT, OPT_CHECK, OPT_NO_CHECK, OPT_REFERENCE,
};

static const struct option long_options[] = {
	{ "xpus", required_argument, NULL, OPT_XPUS },
	{ "layers", required_argument, NULL, OPT_LAYERS },
	{ "hidden", required_argument, NULL, OPT_HIDDEN },
	{ "heads", required_argument, NULL, OPT_HEADS },
	{ "kv-heads", required_argument, NULL, OPT_KV_HEADS },
	{ "head-dim", required_argument, NULL, OPT_HEAD_DIM },
	{ "ffn", required_argument, NULL, OPT_FFN },
	{ "vocab", required_argument, NULL, OPT_VOCAB },
	{ "prompt-len", required_argument, NULL, OPT_PROMPT_LEN },
	{ "tokens", required_argument, NULL, OPT_TOKENS },
	{ "spoil", required_argument, NULL, OPT_SPOIL },
	{ "dtype", required_argument, NULL, OPT_DTYPE },
	{ "eps", required_argument, NULL, OPT_EPS },
	{ "theta", required_argument, NULL, OPT_THETA },
	{ "weights", required_argument, NULL, OPT_WEIGHTS },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "family", required_argument, NULL, OPT_FAMILY },
	{ "tied", no_argument, NULL, OPT_TIED },
	{ "save", required_argument, NULL, OPT_SAVE },
	{ "prompt", required_argument, NULL, OPT_PROMPT },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "no-check", no_argument, NULL, OPT_NO_CHECK },
	{ "reference", no_argument, NULL, OPT_REFERENCE },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

struct options {
	struct llm_run *r;
	const char *save;
	const char *prompt;
	bool from_seed;		/* what only a seed can have was asked for */
	bool help;
	struct llm_error *e;
};

static int number(struct options *o, const char *name, const char *text,
		  uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' ||
	    *value > max)
		return llm_fail(o->e, -EINVAL,
				"--%s: \"%.40s\": a number from 0 to %llu is wanted",
				name, text, (unsigned long long)max);
	return 0;
}

static int real(struct options *o, const char *name, const char *text,
		double least, double *value)
{
	char *end;

	*value = strtod(text, &end);
	if (end == text || *end || !(*value >= least && *value <= 1e30))
		return llm_fail(o->e, -EINVAL,
				"--%s: \"%.40s\": a number of at least %g is wanted",
				name, text, least);
	return 0;
}

static int word(struct options *o, const char *name, const char *text,
		const char *const *words, size_t n, size_t *which)
{
	for (*which = 0; *which < n; ++*which)
		if (!strcmp(text, words[*which]))
			return 0;
	return llm_fail(o->e, -EINVAL, "--%s: there is no \"%.40s\"", name, text);
}

static int take_u32(struct options *o, int id, const char *name)
{
	struct llm_shape *s = &o->r->s;
	uint32_t *const where[] = {
		&s->xpus, &s->layers, &s->hidden, &s->heads, &s->kv_heads,
		&s->head_dim, &s->ffn, &s->vocab, &s->prompt, &s->tokens,
		&o->r->node.spoil,
	};
	uint64_t v;
	int err = number(o, name, optarg, UINT32_MAX, &v);

	if (!err)
		*where[id - OPT_U32] = (uint32_t)v;
	return err;
}

static int take_option(struct options *o, int id, const char *name)
{
	static const char *const dtypes[] = { "fp32", "bf16", "fp8" };
	static const char *const families[] = { "qwen2", "qwen3" };
	struct llm_run *r = o->r;
	size_t which = 0;
	double x = 0;
	int err = 0;

	switch (id) {
	case OPT_XPUS ... OPT_SPOIL:
		return take_u32(o, id, name);
	case OPT_DTYPE:
		err = word(o, name, optarg, dtypes, 3, &which);
		r->s.dtype = (enum llm_dtype)which;
		return err;
	case OPT_EPS:
		err = real(o, name, optarg, 0, &x);
		r->s.eps = (float)x;
		return err;
	case OPT_THETA:
		return real(o, name, optarg, 1, &r->s.theta);
	case OPT_SEED:
		return number(o, name, optarg, UINT64_MAX, &r->seed);
	case OPT_FAMILY:
		o->from_seed = true;
		err = word(o, name, optarg, families, 2, &which);
		r->s.bias = !which;
		r->s.qk_norm = which;
		return err;
	case OPT_TIED:
		o->from_seed = true;
		r->s.tied = true;
		return 0;
	case OPT_WEIGHTS:
		r->file = optarg;
		return 0;
	case OPT_SAVE:
		o->save = optarg;
		return 0;
	case OPT_PROMPT:
		o->prompt = optarg;
		return 0;
	case OPT_CHECK:
	case OPT_NO_CHECK:
		r->checked = id == OPT_CHECK;
		return 0;
	case OPT_REFERENCE:
		r->host = true;
		return 0;
	case 'j':
		r->json = true;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	default:
		return llm_fail(o->e, -EINVAL, "%s: no such option, or it lacks a value (--help)",
				name);
	}
}

static int take_options(struct options *o, int argc, char **argv)
{
	struct llm_shape *s = &o->r->s;
	int c, err, at = 0;

	*s = (struct llm_shape) {
		.xpus = 8, .layers = 2, .hidden = 128, .heads = 16,
		.kv_heads = 8, .ffn = 256, .vocab = 512, .prompt = 4,
		.tokens = 8, .qk_norm = true, .eps = 1e-6f, .theta = 1e6,
		.dtype = LLM_BF16,
	};
	o->r->seed = 1;
	o->r->checked = true;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "jh", long_options, &at)) != -1) {
		err = take_option(o, c, c < OPT_U32 ? argv[optind - 1] :
				  long_options[at].name);
		if (err)
			return err;
	}
	if (optind < argc)
		return llm_fail(o->e, -EINVAL, "too many arguments: %s",
				argv[optind]);
	if (o->from_seed && o->r->file)
		return llm_fail(o->e, -EINVAL,
				"--family and --tied are for weights from a seed: --weights says it itself");
	if (o->r->host && !o->r->checked)
		return llm_fail(o->e, -EINVAL, "--reference with --no-check: nothing is left to do");
	if (o->r->node.spoil && (o->r->host || !o->r->checked))
		return llm_fail(o->e, -EINVAL, "--spoil: with %s nobody looks at what xPUs did",
				o->r->host ? "--reference" : "--no-check");
	if (o->r->node.spoil > s->tokens)
		return llm_fail(o->e, -EINVAL, "--spoil %u: there are --tokens %u",
				o->r->node.spoil, s->tokens);
	if (!s->head_dim && s->heads)
		s->head_dim = s->hidden / s->heads;
	return 0;
}

/* Tokens of the prompt: from the list, or from the seed */
static int take_prompt(struct options *o)
{
	struct llm_run *r = o->r;
	const char *at = o->prompt;
	uint64_t x = r->seed, v;
	uint32_t n = 0;
	char *end;

	if (at) {
		for (n = 1; (at = strchr(at, ',')); n++)
			at++;
		r->s.prompt = n;
	}
	if (llm_shape_check(&r->s, o->e))
		return -EINVAL;
	r->tokens = calloc(r->s.prompt + r->s.tokens, sizeof(*r->tokens));
	if (!r->tokens)
		return llm_fail(o->e, -ENOMEM, "out of memory");
	for (n = 0, at = o->prompt; n < r->s.prompt; n++) {
		if (!at) {
			/* Any sequence will do. */
			x = x * 6364136223846793005 + 1442695040888963407;
			r->tokens[n] = (uint32_t)((x >> 33) % r->s.vocab);
			continue;
		}
		v = strtoull(at, &end, 10);
		if (end == at || *at < '0' || *at > '9' || v >= r->s.vocab ||
		    (*end && *end != ','))
			return llm_fail(o->e, -EINVAL,
					"--prompt: token %u: a number below --vocab %u is wanted",
					n, r->s.vocab);
		r->tokens[n] = (uint32_t)v;
		at = end + 1;
	}
	return 0;
}

/* --- the run ------------------------------------------------------------- */

static int pass(struct llm_run *r, uint32_t pos)
{
	bool last = pos + 1 >= r->s.prompt;
	const float *logits[LLM_MAX_RANKS] = { NULL };
	struct llm_error *e = r->node.e;
	const struct llm_seen seen = {
		.softmax = r->node.softmax,
		.silu = r->node.silu,
		.stride = llm_passes(&r->s),
	};
	uint32_t chosen = 0;
	int err = 0;

	if (interrupted)
		return llm_fail(e, -EINTR, "interrupted at position %u", pos);
	if (!r->host)
		err = llm_pass(&r->node, pos, last ? &r->decode : &r->prompt,
			       logits, &chosen);
	if (!err && r->checked)
		err = llm_check_pass(&r->check, pos, r->tokens[pos],
				     r->host ? NULL : &seen, logits, &chosen,
				     e);
	if (!err && last)
		r->tokens[pos + 1] = chosen;
	return err;
}

/* Both ends of all links must have counted what the formula says. */
static int compare_bytes(struct llm_run *r, const struct llm_count *before,
			 const struct llm_count *after)
{
	uint32_t i;

	for (i = 0; i < r->s.xpus; i++) {
		const struct llm_bytes *a = &before->rank[i];
		const struct llm_bytes *b = &after->rank[i];
		const struct llm_bytes *want = &r->node.want[i];
		struct llm_bytes *have = &r->have[i];

		*have = (struct llm_bytes) {
			.tx = b->tx - a->tx,
			.rx = b->rx - a->rx,
			.switch_rx = b->switch_rx - a->switch_rx,
			.switch_tx = b->switch_tx - a->switch_tx,
		};
		if (have->tx == want->tx && have->rx == want->rx &&
		    have->switch_rx == want->tx && have->switch_tx == want->rx)
			continue;
		return llm_fail(r->node.e, -EILSEQ,
				"WRONG: rank %u: sent %llu and received %llu bytes, the switches' ports received %llu and sent %llu; the formula says %llu and %llu",
				i, (unsigned long long)have->tx,
				(unsigned long long)have->rx,
				(unsigned long long)have->switch_rx,
				(unsigned long long)have->switch_tx,
				(unsigned long long)want->tx,
				(unsigned long long)want->rx);
	}
	return 0;
}

static int run_on_xpus(struct llm_run *r)
{
	struct llm_count at[3] = {};
	uint32_t pos = 0;
	int err, i;

	err = llm_begin(&r->node, r->tokens);
	if (!err)
		err = llm_count_read(&r->node, &at[0]);
	while (!err && pos + 1 < r->s.prompt)
		err = pass(r, pos++);
	if (!err)
		err = llm_count_read(&r->node, &at[1]);
	while (!err && pos < llm_passes(&r->s))
		err = pass(r, pos++);
	if (!err)
		err = llm_count_read(&r->node, &at[2]);
	if (!err) {
		r->prompt.wire_ns = llm_count_wire(&at[0], &at[1]);
		r->decode.wire_ns = llm_count_wire(&at[1], &at[2]);
		err = compare_bytes(r, &at[0], &at[2]);
	}
	/* A device that went says more than what it left behind. */
	if (!err || err == -EILSEQ) {
		const struct llm_error found = *r->node.e;
		int dead = llm_node_alive(&r->node);

		if (dead)
			err = dead;
		else
			*r->node.e = found;
	}
	for (i = 0; i < 3; i++)
		llm_count_free(&at[i]);
	return err;
}

static int run(struct llm_run *r, struct llm_model *m)
{
	uint32_t pos;
	int err = 0;

	if (r->checked)
		err = llm_check_begin(&r->check, &r->s, m, r->node.e);
	if (!r->host) {
		if (!err)
			err = llm_node_up(&r->node, r->checked);
		if (!err)
			err = llm_upload(&r->node, m);
		return err ? err : run_on_xpus(r);
	}
	for (pos = 0; pos < llm_passes(&r->s) && !err; pos++)
		err = pass(r, pos);
	return err;
}

int main(int argc, char **argv)
{
	static const struct sigaction act = { .sa_handler = on_signal };
	static struct llm_error e;
	static struct llm_run r = { .node = { .s = &r.s, .e = &e } };
	struct options o = { .r = &r, .e = &e };
	struct llm_model *m = NULL;
	int code, err;

	err = take_options(&o, argc, argv);
	if (o.help) {
		usage(stdout);
		return EXIT_OK;
	}
	if (!err)
		err = take_prompt(&o);
	if (err) {
		code = err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
		llm_report_error(&r, e.text, code);
		free(r.tokens);
		return code;
	}
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	err = llm_model_new(&r.s, r.file, r.seed, &m, &e);
	if (!err && o.save)
		err = llm_save(m, o.save, &e);
	code = err ? EXIT_FAILED : EXIT_OK;
	if (!err) {
		err = run(&r, m);
		code = exit_for(err);
	}
	if (err)
		llm_report_error(&r, e.text, code);
	else
		llm_report(&r);
	llm_node_down(&r.node);
	llm_check_end(&r.check);
	llm_model_free(m);
	free(r.tokens);
	if (fflush(stdout) && code == EXIT_OK)
		code = EXIT_FAILED;
	return code;
}
