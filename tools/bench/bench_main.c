// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink-bench: how fast the emulated devices are, as ratios to peers in the same
 * boot. Seconds of an emulated machine say nothing; ratios do, a little.
 *
 * usage: alink-bench [OPTIONS], or alink-bench COLLECTIVE [OPTIONS] for what is
 * in bench_coll.c; see usage() below. What is measured and why
 * against that: Documentation/admin-guide/bench.rst.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../alink/exit.h"
#include "bench.h"
#include "bench_coll.h"

#define DEFAULT_ROUNDS	15
/* With --judge: nothing failed, but a floor is not reached */
#define EXIT_MISSED	20

static const struct measure {
	const char *name;
	int (*run)(struct bench *b);
	const char *text;
} measures[] = {
	{ "doorbell-poll", bench_doorbell_poll,
	  "no-op, doorbell to its end in memory" },
	{ "doorbell-wake", bench_doorbell_wake,
	  "no-op, doorbell to interrupt and a thread that wakes" },
	{ "rate", bench_rate, "4 KiB copies of one queue; interrupts" },
	{ "queues", bench_queues, "no-ops of many queues" },
	{ "dma", bench_dma, "copies to and from HBM" },
	{ "remote", bench_remote, "copies to HBM of another xPU" },
	{ "window", bench_window, "load and store in HBM" },
	{ "gemm", bench_gemm, "GEMM of 512^3 in BF16" },
	{ "allreduce", bench_allreduce, "all-reduce by switches and by a ring" },
	{ "probe", bench_probe, "modprobe, bind and rmmod of 8 xPUs" },
	{ "probe32", bench_probe32, "modprobe and rmmod of 32 xPUs" },
};

#define NUM_MEASURES	(sizeof(measures) / sizeof(measures[0]))

static void usage(FILE *f)
{
	fputs("usage: alink-bench [OPTIONS]\n"
	      "       alink-bench COLLECTIVE [OPTIONS]\n"
	      "\n"
	      "  COLLECTIVE    allreduce, ...: a sweep over sizes (allreduce --help)\n"
	      "  --only NAMES  measures, separated by commas (all)\n"
	      "  --list        print what measures there are\n"
	      "  --rounds N    pairs of ours and the peer's, 7 to 31 (15)\n"
	      "  --quick       one round: checks the work, the figures say nothing\n"
	      "  --judge       fail when a floor is missed or could not be measured\n"
	      "  -j, --json    print JSON\n"
	      "  -h, --help    print this\n"
	      "\n"
	      "exit: 0 ok, 1 failed or wrong, 2 usage, 4 permission, 6 too few xPUs,\n"
	      "      9 driver not loaded, 15 device lost, 20 with --judge: a floor is missed\n",
	      f);
}

struct options {
	bool wanted[NUM_MEASURES];
	bool judge;
	bool list;
	bool help;
};

static int take_only(struct bench *b, struct options *o, char *list)
{
	char *name, *save;
	size_t i;

	for (name = strtok_r(list, ",", &save); name;
	     name = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < NUM_MEASURES; i++)
			if (!strcmp(name, measures[i].name))
				break;
		if (i == NUM_MEASURES)
			return bench_fail(b, -EINVAL,
					  "--only: there is no \"%.40s\" (--list)",
					  name);
		o->wanted[i] = true;
	}
	return 0;
}

static int take_rounds(struct bench *b, const char *text)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < BENCH_MIN_ROUNDS ||
	    n > BENCH_MAX_ROUNDS)
		return bench_fail(b, -EINVAL,
				  "--rounds: \"%.40s\": a number from %d to %d is wanted",
				  text, BENCH_MIN_ROUNDS, BENCH_MAX_ROUNDS);
	b->rounds = (unsigned int)n;
	return 0;
}

static int take_options(struct bench *b, struct options *o, int argc,
			char **argv)
{
	static const struct option opts[] = {
		{ "only", required_argument, NULL, 'o' },
		{ "list", no_argument, NULL, 'l' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "quick", no_argument, NULL, 'q' },
		{ "judge", no_argument, NULL, 'J' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	bool any = false, rounds = false;
	int c, err = 0;
	size_t i;

	opterr = 0;
	while (!err && (c = getopt_long(argc, argv, "jh", opts, NULL)) != -1) {
		switch (c) {
		case 'o':
			err = take_only(b, o, optarg);
			break;
		case 'r':
			rounds = true;
			err = take_rounds(b, optarg);
			break;
		case 'l':
			o->list = true;
			break;
		case 'q':
			b->quick = true;
			break;
		case 'J':
			o->judge = true;
			break;
		case 'j':
			b->json = true;
			break;
		case 'h':
			o->help = true;
			break;
		default:
			err = bench_fail(b, -EINVAL,
					 "%s: no such option, or it lacks a value (--help)",
					 argv[optind - 1]);
		}
	}
	if (!err && optind < argc)
		err = bench_fail(b, -EINVAL, "too many arguments: %s",
				 argv[optind]);
	if (!err && b->quick && (o->judge || rounds))
		err = bench_fail(b, -EINVAL,
				 "--quick has one round, which neither --judge nor --rounds can use");
	if (b->quick)
		b->rounds = 1;
	for (i = 0; i < NUM_MEASURES; i++)
		any |= o->wanted[i];
	for (i = 0; i < NUM_MEASURES; i++)
		o->wanted[i] |= !any;
	return err;
}

static void list(void)
{
	size_t i;

	for (i = 0; i < NUM_MEASURES; i++)
		printf("%-14s %s\n", measures[i].name, measures[i].text);
}

static int run(struct bench *b, const struct options *o)
{
	int err = bench_pin(b);
	size_t i;

	if (!err)
		bench_head(b);
	for (i = 0; i < NUM_MEASURES && !err; i++) {
		if (!o->wanted[i])
			continue;
		b->measure = measures[i].name;
		err = measures[i].run(b);
	}
	bench_machine_down(b);
	return err;
}

int main(int argc, char **argv)
{
	struct bench b = { .rounds = DEFAULT_ROUNDS, .cpu = -1 };
	struct options o = {};
	int code, err;

	code = bench_coll(&b, argc, argv);
	if (code >= 0)
		return code;
	err = take_options(&b, &o, argc, argv);
	if (err) {
		bench_report_error(&b, EXIT_USAGE);
		return EXIT_USAGE;
	}
	if (o.help || o.list) {
		if (o.help)
			usage(stdout);
		else
			list();
		return EXIT_OK;
	}
	if (alink_new(&b.ctx)) {
		fputs("alink-bench: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	b.rows = json_object_new_array();
	err = run(&b, &o);
	code = exit_for(err);
	if (err)
		bench_report_error(&b, code);
	else
		bench_foot(&b);
	if (!err && o.judge && (b.missed || b.absent))
		code = EXIT_MISSED;
	json_object_put(b.rows);
	alink_free(b.ctx);
	if (fflush(stdout) && code == EXIT_OK)
		code = EXIT_FAILED;
	return code;
}
