/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A two-layer perceptron with plain C arithmetic, small enough to train in an
 * emulated guest. Everything is FP32 and every sum has a fixed order, so that
 * two runs with the same input agree to the last bit.
 */
#ifndef ALINK_DEMO_MLP_H
#define ALINK_DEMO_MLP_H

#include <stddef.h>
#include <stdint.h>

#define MLP_IN		64
#define MLP_HIDDEN	32
#define MLP_OUT		10
/* Images that a data set may have */
#define DIGITS_MAX	4096
#define MLP_PARAMS	(MLP_IN * MLP_HIDDEN + MLP_HIDDEN + \
			 MLP_HIDDEN * MLP_OUT + MLP_OUT)

/**
 * struct digits - images of handwritten digits
 * @n:		number of images
 * @x:		n x MLP_IN pixels, 0..1
 * @label:	n labels, 0..9
 */
struct digits {
	size_t n;
	float *x;
	uint8_t *label;
};

/*
 * Reads the data set as the Debian package ships it (gzip, 64 pixels 0..16 and
 * a label a line). Returns 0, or -errno with the cause on stderr.
 */
int digits_load(const char *path, struct digits *d);
void digits_free(struct digits *d);

/* The same weights for everybody: uniform, from a fixed seed. */
void mlp_init(float *w, uint64_t seed);

/*
 * Adds the gradient of the mean loss over images [from, to) of the order given
 * by @perm, each weighted 1/@batch, to @g, which the caller cleared. Returns
 * the sum of the losses.
 */
double mlp_gradient(const float *w, const struct digits *d,
		    const uint32_t *perm, size_t from, size_t to,
		    size_t batch, float *g);

/* One step of gradient descent with momentum; @v is its memory. */
void mlp_step(float *w, float *v, const float *g, float rate, float momentum);

/* Share of images [from, to) of the order that are classified right. */
double mlp_accuracy(const float *w, const struct digits *d,
		    const uint32_t *perm, size_t from, size_t to);

/* A permutation of 0..n-1 from a seed; the same everywhere. */
void shuffle(uint32_t *perm, size_t n, uint64_t seed);

#endif /* ALINK_DEMO_MLP_H */
