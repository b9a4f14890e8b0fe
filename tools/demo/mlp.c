// SPDX-License-Identifier: GPL-2.0-only
/* The perceptron of the demo; see mlp.h. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "mlp.h"

#define PIXEL_MAX	16

/* xorshift64*: tiny, and the same on every machine */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 2685821657736338717ULL;
}

static int digits_line(char *line, float *x, uint8_t *label)
{
	char *p = line, *end;
	long v;
	int i;

	for (i = 0; i <= MLP_IN; i++) {
		errno = 0;
		v = lround(strtod(p, &end));
		if (end == p || errno || v < 0)
			return -EINVAL;
		if (i < MLP_IN) {
			if (v > PIXEL_MAX)
				return -EINVAL;
			x[i] = (float)v / PIXEL_MAX;
		} else {
			if (v >= MLP_OUT)
				return -EINVAL;
			*label = (uint8_t)v;
		}
		p = end + (*end == ',');
	}
	return 0;
}

int digits_load(const char *path, struct digits *d)
{
	gzFile f = gzopen(path, "rb");
	char line[1024];
	int err = 0;

	memset(d, 0, sizeof(*d));
	if (!f) {
		err = errno ? -errno : -ENOMEM;
		fprintf(stderr, "%s: %s\n", path, strerror(-err));
		return err;
	}
	d->x = calloc((size_t)DIGITS_MAX * MLP_IN, sizeof(*d->x));
	d->label = calloc(DIGITS_MAX, sizeof(*d->label));
	if (!d->x || !d->label) {
		err = -ENOMEM;
		goto out;
	}
	while (gzgets(f, line, sizeof(line))) {
		if (d->n == DIGITS_MAX) {
			fprintf(stderr, "%s: more than %d images\n", path,
				DIGITS_MAX);
			err = -E2BIG;
			goto out;
		}
		err = digits_line(line, d->x + d->n * MLP_IN, d->label + d->n);
		if (err) {
			fprintf(stderr,
				"%s:%zu: not 64 pixels of 0..16 and a label\n",
				path, d->n + 1);
			goto out;
		}
		d->n++;
	}
	if (!d->n) {
		fprintf(stderr, "%s: no images\n", path);
		err = -ENODATA;
	}
out:
	gzclose(f);
	if (err)
		digits_free(d);
	return err;
}

void digits_free(struct digits *d)
{
	free(d->x);
	free(d->label);
	memset(d, 0, sizeof(*d));
}

void mlp_init(float *w, uint64_t seed)
{
	const float s1 = 0.25f, s2 = 0.30f;
	size_t i;

	for (i = 0; i < MLP_PARAMS; i++) {
		float u = (float)(next_random(&seed) >> 40) / (1 << 24);
		float s = i < MLP_IN * MLP_HIDDEN ? s1 : s2;

		w[i] = (2 * u - 1) * s;
	}
	memset(w + MLP_IN * MLP_HIDDEN, 0, MLP_HIDDEN * sizeof(*w));
	memset(w + MLP_PARAMS - MLP_OUT, 0, MLP_OUT * sizeof(*w));
}

/* Weights lie as w1[in][hidden], b1, w2[hidden][out], b2 */
static void mlp_forward(const float *w, const float *x, float *h, float *p)
{
	const float *w1 = w, *b1 = w1 + MLP_IN * MLP_HIDDEN;
	const float *w2 = b1 + MLP_HIDDEN, *b2 = w2 + MLP_HIDDEN * MLP_OUT;
	float max = -INFINITY, sum = 0;
	int i, j;

	memcpy(h, b1, MLP_HIDDEN * sizeof(*h));
	for (i = 0; i < MLP_IN; i++) {
		if (x[i] == 0)
			continue;
		for (j = 0; j < MLP_HIDDEN; j++)
			h[j] += x[i] * w1[i * MLP_HIDDEN + j];
	}
	for (j = 0; j < MLP_HIDDEN; j++)
		h[j] = h[j] > 0 ? h[j] : 0;
	memcpy(p, b2, MLP_OUT * sizeof(*p));
	for (i = 0; i < MLP_HIDDEN; i++)
		for (j = 0; j < MLP_OUT; j++)
			p[j] += h[i] * w2[i * MLP_OUT + j];
	for (j = 0; j < MLP_OUT; j++)
		max = p[j] > max ? p[j] : max;
	for (j = 0; j < MLP_OUT; j++) {
		p[j] = expf(p[j] - max);
		sum += p[j];
	}
	for (j = 0; j < MLP_OUT; j++)
		p[j] /= sum;
}

double mlp_gradient(const float *w, const struct digits *d,
		    const uint32_t *perm, size_t from, size_t to,
		    size_t batch, float *g)
{
	const float *w2 = w + MLP_IN * MLP_HIDDEN + MLP_HIDDEN;
	float *g1 = g, *gb1 = g1 + MLP_IN * MLP_HIDDEN;
	float *g2 = gb1 + MLP_HIDDEN, *gb2 = g2 + MLP_HIDDEN * MLP_OUT;
	float h[MLP_HIDDEN], p[MLP_OUT], dh[MLP_HIDDEN];
	double loss = 0;
	size_t s;
	int i, j;

	for (s = from; s < to; s++) {
		const float *x = d->x + (size_t)perm[s] * MLP_IN;
		uint8_t label = d->label[perm[s]];

		mlp_forward(w, x, h, p);
		loss -= log((double)p[label] + 1e-30);
		p[label] -= 1;
		for (j = 0; j < MLP_OUT; j++) {
			p[j] /= (float)batch;
			gb2[j] += p[j];
		}
		for (i = 0; i < MLP_HIDDEN; i++) {
			dh[i] = 0;
			if (h[i] == 0)
				continue;
			for (j = 0; j < MLP_OUT; j++) {
				g2[i * MLP_OUT + j] += h[i] * p[j];
				dh[i] += w2[i * MLP_OUT + j] * p[j];
			}
			gb1[i] += dh[i];
		}
		for (i = 0; i < MLP_IN; i++) {
			if (x[i] == 0)
				continue;
			for (j = 0; j < MLP_HIDDEN; j++)
				g1[i * MLP_HIDDEN + j] += x[i] * dh[j];
		}
	}
	return loss;
}

void mlp_step(float *w, float *v, const float *g, float rate, float momentum)
{
	size_t i;

	for (i = 0; i < MLP_PARAMS; i++) {
		v[i] = momentum * v[i] + g[i];
		w[i] -= rate * v[i];
	}
}

double mlp_accuracy(const float *w, const struct digits *d,
		    const uint32_t *perm, size_t from, size_t to)
{
	float h[MLP_HIDDEN], p[MLP_OUT];
	size_t s, right = 0;
	int j, best;

	for (s = from; s < to; s++) {
		mlp_forward(w, d->x + (size_t)perm[s] * MLP_IN, h, p);
		for (best = 0, j = 1; j < MLP_OUT; j++)
			if (p[j] > p[best])
				best = j;
		right += best == d->label[perm[s]];
	}
	return to > from ? (double)right / (double)(to - from) : 0;
}

void shuffle(uint32_t *perm, size_t n, uint64_t seed)
{
	size_t i, j;
	uint32_t t;

	for (i = 0; i < n; i++)
		perm[i] = (uint32_t)i;
	for (i = n; i > 1; i--) {
		j = next_random(&seed) % i;
		t = perm[i - 1];
		perm[i - 1] = perm[j];
		perm[j] = t;
	}
}
