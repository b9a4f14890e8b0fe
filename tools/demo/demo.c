// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink-demo: trains a small classifier data-parallel on all xPUs, with the
 * gradients summed by the switches, and checks every bit of it on the CPU.
 *
 * usage: alink-demo [--epochs N] [--spoil STEP] DATA
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "demo.h"

#define SEED		20261124
#define BATCH		128
#define RATE		0.1f
#define MOMENTUM	0.9f
#define WAIT_MS		20000
/* A single process must not do better by more than this share of the images */
#define SLACK		0.015

struct run {
	struct machine m;
	struct digits d;
	uint32_t perm[DIGITS_MAX];
	size_t train;		/* images [0, train) of the order are trained */
	unsigned int epochs;
	long spoil;		/* step whose data is spoilt on purpose, or -1 */
	long step;
	float want[MLP_PARAMS];
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int allreduce(struct run *r, enum alink_algo algo)
{
	const uint64_t bytes = MLP_PARAMS * sizeof(float);
	struct machine *m = &r->m;
	uint64_t seq[DEMO_MAX_RANKS];
	uint32_t i;
	int err;

	for (i = 0; i < m->n; i++) {
		uint64_t va = alink_bo_va(m->rank[i].io);

		err = alink_allreduce(m->rank[i].comm, algo, va + bytes, va,
				      MLP_PARAMS, ALINK_DT_FP32, ALINK_OP_SUM,
				      &seq[i]);
		if (err)
			goto fail;
	}
	for (i = 0; i < m->n; i++) {
		err = alink_comm_wait(m->rank[i].comm, seq[i], WAIT_MS);
		if (err)
			goto fail;
	}
	return 0;

fail:
	fprintf(stderr, "rank %u: %s\n", i, alink_error(m->ctx));
	for (i = 0; i < m->n; i++) {
		struct alink_queue_state s;

		alink_queue_state(alink_comm_queue(m->rank[i].comm), &s);
		if (s.status != ALINK_ST_OK)
			fprintf(stderr,
				"rank %u: command %u failed: %s (address %#llx)\n",
				i, s.index, alink_status_name(s.status),
				(unsigned long long)s.addr);
	}
	return err;
}

/* What the switches promise: FP32, one rank after the other, ascending. */
static void host_sum(struct run *r)
{
	const struct machine *m = &r->m;
	uint32_t i;
	size_t k;

	memcpy(r->want, m->rank[0].grad, sizeof(r->want));
	for (i = 1; i < m->n; i++)
		for (k = 0; k < MLP_PARAMS; k++)
			r->want[k] += m->rank[i].grad[k];
}

static int compare(struct run *r)
{
	const struct machine *m = &r->m;
	uint32_t i, got, want;
	size_t k;

	for (i = 0; i < m->n; i++) {
		if (!memcmp(m->rank[i].sum, r->want, sizeof(r->want)))
			continue;
		for (k = 0; k < MLP_PARAMS; k++) {
			memcpy(&got, &m->rank[i].sum[k], 4);
			memcpy(&want, &r->want[k], 4);
			if (got != want)
				break;
		}
		fprintf(stderr,
			"\nWRONG: step %ld, rank %u, element %zu: the fabric says 0x%08x, the host 0x%08x\n",
			r->step, i, k, got, want);
		return -EILSEQ;
	}
	return 0;
}

static int train_step(struct run *r, size_t from, size_t to, double *loss)
{
	struct machine *m = &r->m;
	size_t n = to - from;
	uint32_t i;
	int err;

	for (i = 0; i < m->n; i++) {
		struct rank *k = &m->rank[i];

		memset(k->grad, 0, MLP_PARAMS * sizeof(float));
		memset(k->sum, 0xff, MLP_PARAMS * sizeof(float));
		*loss += mlp_gradient(k->w, &r->d, r->perm,
				      from + n * i / m->n,
				      from + n * (i + 1) / m->n, n, k->grad);
	}
	host_sum(r);
	if (r->step == r->spoil) {
		uint32_t *word = (uint32_t *)&m->rank[m->n - 1].grad[7];

		*word ^= 0x00400000;
		printf("spoiling one bit of rank %u's gradient in step %ld\n",
		       m->n - 1, r->step);
	}
	err = allreduce(r, ALINK_ALGO_SWITCH);
	if (!err)
		err = compare(r);
	if (err)
		return err;
	for (i = 0; i < m->n; i++)
		mlp_step(m->rank[i].w, m->rank[i].v, m->rank[i].sum, RATE,
			 MOMENTUM);
	r->step++;
	return 0;
}

static void reorder(struct run *r, unsigned int epoch)
{
	uint32_t order[DIGITS_MAX], old[4096];
	size_t i;

	memcpy(old, r->perm, r->train * sizeof(*old));
	shuffle(order, r->train, SEED + epoch);
	for (i = 0; i < r->train; i++)
		r->perm[i] = old[order[i]];
}

static int train(struct run *r)
{
	struct machine *m = &r->m;
	unsigned int e;
	size_t from, to;
	double loss;
	uint32_t i;
	int err;

	for (i = 0; i < m->n; i++) {
		mlp_init(m->rank[i].w, SEED);
		memset(m->rank[i].v, 0, sizeof(m->rank[i].v));
	}
	printf("  epoch    loss   accuracy\n");
	for (e = 1; e <= r->epochs; e++) {
		reorder(r, e);
		for (loss = 0, from = 0; from < r->train; from = to) {
			to = from + BATCH < r->train ? from + BATCH : r->train;
			err = train_step(r, from, to, &loss);
			if (err)
				return err;
		}
		if (e <= 3 || e % 5 == 0 || e == r->epochs)
			printf("  %5u  %6.4f     %5.1f %%\n", e,
			       loss / (double)r->train,
			       100 * mlp_accuracy(m->rank[0].w, &r->d, r->perm,
						  r->train, r->d.n));
		fflush(stdout);
	}
	for (i = 1; i < m->n; i++)
		if (memcmp(m->rank[i].w, m->rank[0].w, sizeof(m->rank[i].w))) {
			fprintf(stderr, "\nWRONG: rank %u has other weights\n",
				i);
			return -EILSEQ;
		}
	return 0;
}

/* The same training in one process, with one sum over the whole batch */
static double single_process(struct run *r)
{
	static float w[MLP_PARAMS], v[MLP_PARAMS], g[MLP_PARAMS];
	unsigned int e;
	size_t from, to;

	mlp_init(w, SEED);
	shuffle(r->perm, r->d.n, SEED);
	for (e = 1; e <= r->epochs; e++) {
		reorder(r, e);
		for (from = 0; from < r->train; from = to) {
			to = from + BATCH < r->train ? from + BATCH : r->train;
			memset(g, 0, sizeof(g));
			mlp_gradient(w, &r->d, r->perm, from, to, to - from, g);
			mlp_step(w, v, g, RATE, MOMENTUM);
		}
	}
	return mlp_accuracy(w, &r->d, r->perm, r->train, r->d.n);
}

static uint64_t slowest(const uint64_t *before, const uint64_t *after, size_t n)
{
	uint64_t max = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (after[i] - before[i] > max)
			max = after[i] - before[i];
	return max;
}

static void model_times(const struct machine *m, uint64_t *ns)
{
	struct alink_queue_state s;
	uint32_t i;

	for (i = 0; i < m->n; i++) {
		alink_queue_state(alink_comm_queue(m->rank[i].comm), &s);
		ns[i] = s.model_ns;
	}
}

/*
 * Modelled time of one all-reduce. In the ring no two commands want a link at
 * once, so the commands of the slowest rank say it all. Through the switch all
 * ranks read at once and then write at once: what the busiest direction of any
 * link carries is added, as if nothing overlapped.
 */
static int model_time(struct run *r, enum alink_algo algo, uint64_t *ns)
{
	uint64_t before[DEMO_MAX_RANKS], after[DEMO_MAX_RANKS];
	struct machine *m = &r->m;
	struct traffic t0, t1;
	int err;

	err = traffic_read(m, &t0);
	if (err)
		return err;
	model_times(m, before);
	err = allreduce(r, algo);
	if (err)
		goto out;
	model_times(m, after);
	err = traffic_read(m, &t1);
	if (err)
		goto out;
	*ns = slowest(before, after, m->n);
	if (algo == ALINK_ALGO_SWITCH)
		*ns += slowest(t0.busy_up, t1.busy_up, t0.num_up) +
		       slowest(t0.busy_down, t1.busy_down, t0.num_down);
	traffic_free(&t1);
out:
	traffic_free(&t0);
	return err;
}

static void show_planes(const struct traffic *a, const struct traffic *b,
			long steps)
{
	uint32_t i;

	printf("\nWhat the switches counted, %ld all-reduces of %zu bytes\n"
	       "  plane   from xPUs, B   to xPUs, B   reductions\n",
	       steps, MLP_PARAMS * sizeof(float));
	for (i = 0; i < b->num_planes; i++)
		printf("  %5u   %12llu   %10llu   %10llu\n", b->plane[i].plane,
		       (unsigned long long)(b->plane[i].rx_bytes -
					    a->plane[i].rx_bytes),
		       (unsigned long long)(b->plane[i].tx_bytes -
					    a->plane[i].tx_bytes),
		       (unsigned long long)(b->plane[i].reductions -
					    a->plane[i].reductions));
}

static int check_planes(const struct traffic *a, const struct traffic *b)
{
	uint32_t i;

	for (i = 0; i < b->num_planes; i++)
		if (!b->plane[i].spare &&
		    (b->plane[i].rx_bytes == a->plane[i].rx_bytes ||
		     b->plane[i].tx_bytes == a->plane[i].tx_bytes)) {
			fprintf(stderr, "\nWRONG: plane %u carried nothing\n",
				b->plane[i].plane);
			return -EILSEQ;
		}
	return 0;
}

static int report(struct run *r, const struct traffic *t0, double took)
{
	uint64_t sw_ns, ring_ns;
	struct traffic t1;
	double acc, single;
	int err;

	err = traffic_read(&r->m, &t1);
	if (err)
		return err;
	show_planes(t0, &t1, r->step);
	err = check_planes(t0, &t1);
	traffic_free(&t1);
	if (!err)
		err = model_time(r, ALINK_ALGO_SWITCH, &sw_ns);
	if (!err)
		err = model_time(r, ALINK_ALGO_RING, &ring_ns);
	if (err)
		return err;
	printf("\nModelled time of one all-reduce (the hardware's, not this emulation's)\n"
	       "  through the switches %7.2f us\n"
	       "  ring, same links     %7.2f us   %.1f times as long\n",
	       (double)sw_ns / 1e3, (double)ring_ns / 1e3,
	       (double)ring_ns / (double)sw_ns);

	acc = mlp_accuracy(r->m.rank[0].w, &r->d, r->perm, r->train, r->d.n);
	single = single_process(r);
	printf("\nChecks\n"
	       "  ok  all %u ranks got the same bits in each of %ld all-reduces\n"
	       "  ok  they are the host's sum in ascending order of ranks, bit by bit\n"
	       "  ok  every plane carried its part\n",
	       r->m.n, r->step);
	if (acc < single - SLACK) {
		fprintf(stderr,
			"\nWRONG: accuracy %.1f %%, one process reaches %.1f %%\n",
			100 * acc, 100 * single);
		return -EILSEQ;
	}
	printf("  ok  accuracy %.1f %%, one process reaches %.1f %%\n"
	       "\n%.1f s for the training under emulation\n",
	       100 * acc, 100 * single, took);
	return 0;
}

static int options(struct run *r, int argc, char **argv, const char **data)
{
	static const struct option opts[] = {
		{ "epochs", required_argument, NULL, 'e' },
		{ "spoil", required_argument, NULL, 's' },
		{ }
	};
	char *end;
	long v;
	int c;

	r->epochs = 20;
	r->spoil = -1;
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		v = optarg ? strtol(optarg, &end, 10) : 0;
		if (c == '?' || !*optarg || *end || v < (c == 'e') ||
		    v > 1000000)
			goto usage;
		if (c == 'e')
			r->epochs = (unsigned int)v;
		else
			r->spoil = v;
	}
	if (optind + 1 == argc) {
		*data = argv[optind];
		return 0;
	}
usage:
	fputs("usage: alink-demo [--epochs N] [--spoil STEP] DATA\n"
	      "  DATA    images of digits: gzip, 64 pixels and a label a line\n"
	      "  --spoil flip one bit of a gradient in that step, to see the checks fail\n",
	      stderr);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	static struct run r;
	struct traffic t0;
	const char *data;
	double start;
	int err;

	if (options(&r, argc, argv, &data))
		return 2;
	if (digits_load(data, &r.d))
		return 1;
	err = machine_up(&r.m);
	if (err)
		goto out;
	machine_show(&r.m);
	shuffle(r.perm, r.d.n, SEED);
	r.train = r.d.n * 4 / 5;
	printf("\nTraining on %u xPUs: perceptron %d-%d-%d, %d FP32 parameters;\n"
	       "%zu handwritten digits of UCI, %zu more to test with\n",
	       r.m.n, MLP_IN, MLP_HIDDEN, MLP_OUT, MLP_PARAMS, r.train,
	       r.d.n - r.train);
	err = traffic_read(&r.m, &t0);
	if (err)
		goto out;
	start = seconds();
	err = train(&r);
	if (!err)
		err = report(&r, &t0, seconds() - start);
	traffic_free(&t0);
out:
	machine_down(&r.m);
	digits_free(&r.d);
	if (err)
		fputs("\nThe demo FAILED.\n", stderr);
	return err ? 1 : 0;
}
