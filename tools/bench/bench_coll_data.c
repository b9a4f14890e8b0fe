// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ranks have, and what they must have afterwards, whichever way it took.
 *
 * Elements are small whole numbers that every type holds exactly, and so are
 * all that a reduction passes through: no order of it, and no rounding on the
 * way, can excuse a difference. FP8_E5M2 has all whole numbers up to 8 only; so
 * in a sum at most 8 ranks have a 1, and the others a 0.
 */
#include <string.h>

#include "bench_coll.h"

#define MOST	8

static uint32_t mixed(uint64_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15;

	return (uint32_t)(x >> 40);
}

/* What @rank has at place @i of all that it has */
static int value(const struct coll_node *m, const struct coll_case *c,
		 uint32_t rank, uint64_t i)
{
	if (coll_whats[c->kind].op && c->op == ALINK_OP_SUM)
		return (mixed(i) + rank) % m->n < MOST && mixed(i + rank) & 1;
	return (int)(mixed(i * m->n + rank) % (2 * MOST + 1)) - MOST;
}

static int reduced(const struct coll_node *m, const struct coll_case *c,
		   uint64_t i)
{
	int v, all = value(m, c, 0, i);
	uint32_t r;

	for (r = 1; r < m->n; r++) {
		v = value(m, c, r, i);
		if (c->op == ALINK_OP_SUM)
			all += v;
		else if (c->op == ALINK_OP_MIN ? v < all : v > all)
			all = v;
	}
	return all;
}

/* The bits of a whole number, |v| <= 8, in a binary floating-point format */
static uint32_t float_bits(int v, unsigned int mantissa, unsigned int bias,
			   unsigned int width)
{
	uint32_t mag = (uint32_t)(v < 0 ? -v : v), exp = 0;

	if (!v)
		return 0;
	while (mag >> (exp + 1))
		exp++;
	mag -= 1U << exp;
	return (v < 0 ? 1U << (width - 1) : 0) | (exp + bias) << mantissa |
	       (mantissa >= exp ? mag << (mantissa - exp) :
		mag >> (exp - mantissa));
}

static uint32_t bits_of(enum alink_dtype dtype, int v)
{
	switch (dtype) {
	case ALINK_DT_FP32:
		return float_bits(v, 23, 127, 32);
	case ALINK_DT_BF16:
		return float_bits(v, 7, 127, 16);
	case ALINK_DT_FP16:
		return float_bits(v, 10, 15, 16);
	case ALINK_DT_FP8_E4M3:
		return float_bits(v, 3, 7, 8);
	case ALINK_DT_FP8_E5M2:
		return float_bits(v, 2, 15, 8);
	default:
		return (uint32_t)v;
	}
}

static void put(enum alink_dtype dtype, uint8_t *mem, uint64_t i, int v)
{
	size_t size = alink_dtype_bytes(dtype), k;
	uint32_t bits = bits_of(dtype, v);

	for (k = 0; k < size; k++)
		mem[i * size + k] = (uint8_t)(bits >> 8 * k);
}

/* Places that a rank has before: a block for each rank, or one */
static uint64_t src_count(const struct coll_node *m, const struct coll_case *c)
{
	return c->kind == COLL_REDUCE_SCATTER || c->kind == COLL_ALLTOALL ?
	       c->count * m->n : c->count;
}

static uint64_t dst_count(const struct coll_node *m, const struct coll_case *c,
			  uint32_t rank)
{
	switch (c->kind) {
	case COLL_ALLGATHER:
	case COLL_ALLTOALL:
		return c->count * m->n;
	case COLL_REDUCE:
		return rank == c->root ? c->count : 0;
	case COLL_BARRIER:
		return 0;
	default:
		return c->count;
	}
}

uint64_t coll_src_bytes(const struct coll_node *m, const struct coll_case *c)
{
	return src_count(m, c) * alink_dtype_bytes(c->dtype);
}

uint64_t coll_dst_bytes(const struct coll_node *m, const struct coll_case *c,
			uint32_t rank)
{
	return dst_count(m, c, rank) * alink_dtype_bytes(c->dtype);
}

void coll_fill(const struct coll_node *m, const struct coll_case *c,
	       uint32_t rank, uint8_t *src)
{
	uint64_t i, n = src_count(m, c);

	for (i = 0; i < n; i++)
		put(c->dtype, src, i, value(m, c, rank, i));
}

static int wanted(const struct coll_node *m, const struct coll_case *c,
		  uint32_t rank, uint64_t i)
{
	uint32_t block = (uint32_t)(i / c->count);
	uint64_t at = i % c->count;

	switch (c->kind) {
	case COLL_REDUCE_SCATTER:
		return reduced(m, c, c->count * rank + i);
	case COLL_BROADCAST:
		return value(m, c, c->root, i);
	case COLL_ALLGATHER:
		return value(m, c, block, at);
	case COLL_ALLTOALL:
		return value(m, c, block, c->count * rank + at);
	default:
		return reduced(m, c, i);
	}
}

uint64_t coll_wrong(const struct coll_node *m, const struct coll_case *c,
		    uint32_t rank, const uint8_t *dst)
{
	uint64_t i, n = dst_count(m, c, rank), wrong = 0;
	size_t size = alink_dtype_bytes(c->dtype);
	uint8_t want[8];

	for (i = 0; i < n; i++) {
		put(c->dtype, want, 0, wanted(m, c, rank, i));
		wrong += memcmp(dst + i * size, want, size) != 0;
	}
	return wrong;
}
