/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the collectives share: lib_comm.c makes communicators, and
 * lib_coll_ring.c, lib_coll_switch.c (push too) and lib_coll_direct.c let ranks
 * run a collective; lib_collective.c is what users call, and lib_coll_time.c
 * knows which way is the fastest.
 *
 * Every rank has a region of its own HBM: words that others signal in, its
 * data, and room for what others send. A collective is one batch of commands
 * per rank and one doorbell. Ranks meet by writing a sequence number into each
 * other's words behind the data, which the fabric keeps in order, and by WAIT
 * on their own words; the hosts take no part until the result is there. The
 * words are never cleared: sequence numbers grow.
 *
 * Why no rank is overtaken, whatever collective follows which: who writes into
 * the region of another waits first for its word READY of this collective. A
 * rank writes that word when its queue, which is in order, is through with the
 * one before; and what reads the region of another (a reducing read) is
 * followed by a word DONE, for which that other one waits before it ends. A
 * reducing push writes to all, but not before each has sent its part, and reads
 * nothing of others: it needs no words.
 */
#ifndef LIB_COMM_H
#define LIB_COMM_H

#include "alink_priv.h"

/* Words of the region; one line each, so that signals do not share a packet */
#define WORD_STRIDE	64
#define WORD_READY(r)	((uint64_t)(r) * WORD_STRIDE)
#define WORD_DONE(n, r)	((uint64_t)((n) + (r)) * WORD_STRIDE)
#define WORD_STEP(n, s)	((uint64_t)(2 * (n) + (s)) * WORD_STRIDE)
#define WORD_BYTES(n)	(4ULL * (n) * WORD_STRIDE)

/* No collective of so many ranks is more commands than this. */
#define COMM_COMMANDS(n)	(8U * (n) + 16)
#define COMM_DEPTH		1024

struct alink_comm {
	struct alink_xpu *xpu;
	struct alink_queue *queue;
	struct alink_bo *memory;	/* words, data, received */
	struct alink_bo *group;		/* the same of all members, or NULL */
	struct alink_bo **peer;		/* that of each other rank, or NULL */
	uint32_t rank;
	uint32_t ranks;
	uint64_t data_at;
	uint64_t recv_at;
	uint64_t room;			/* bytes of data */
	uint64_t seq;			/* of the latest collective */
	uint64_t epoch;			/* of pushes, but for @seq */
	uint32_t timeout_ms;
	uint32_t links;			/* of each xPU, as fitted, without spares */
	uint32_t link_mbps;		/* of each of them */
	bool broken;			/* one was begun and not finished */
};

/**
 * struct coll - a collective that one rank runs
 * @root:	rank that it is about, where there is one
 * @dst:	device virtual address
 * @src:	device virtual address
 * @bytes:	of each of these, or of a block where there are blocks
 * @dtype:	type of the elements
 * @op:		reduction
 */
struct coll {
	uint32_t root;
	uint64_t dst;
	uint64_t src;
	uint64_t bytes;
	enum alink_dtype dtype;
	enum alink_redop op;
};

/* How a rank runs it: appends commands. */
typedef int coll_fn(struct alink_comm *c, const struct coll *k);

static inline uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

static inline uint64_t comm_data(const struct alink_comm *c)
{
	return alink_bo_va(c->memory) + c->data_at;
}

static inline uint64_t comm_recv(const struct alink_comm *c)
{
	return alink_bo_va(c->memory) + c->recv_at;
}

/*
 * Can what is sent with its own part added stay here as well? Others need not know,
 * but for the choice of an algorithm: see lib_coll_time.c.
 */
static inline bool comm_keeps(const struct alink_comm *c)
{
	return c->xpu->info.caps & ALINK_CAP_REDUCE_KEEP;
}

static inline uint32_t comm_next(const struct alink_comm *c)
{
	return (c->rank + 1) % c->ranks;
}

static inline uint32_t comm_prev(const struct alink_comm *c)
{
	return (c->rank + c->ranks - 1) % c->ranks;
}

/* Shares are whole packets; the last ones may be short or empty. */
static inline void comm_share(const struct alink_comm *c, uint64_t bytes,
			      uint32_t i, uint64_t *at, uint64_t *len)
{
	uint64_t share = round_up((bytes + c->ranks - 1) / c->ranks,
				  ALINK_PACKET_BYTES);

	*at = share * i < bytes ? share * i : bytes;
	*len = bytes - *at < share ? bytes - *at : share;
}

/* Each appends commands; 0 or a negative errno. */

/* A local copy, unless it is there already */
int comm_copy(struct alink_comm *c, uint64_t dst, uint64_t src, uint64_t bytes);
int comm_signal(struct alink_comm *c, uint64_t word_va);
int comm_wait_word(struct alink_comm *c, uint64_t word);
int comm_wait_all(struct alink_comm *c, uint64_t first);

coll_fn ring_allreduce;
coll_fn ring_reduce;
coll_fn ring_reduce_scatter;
coll_fn ring_broadcast;
coll_fn ring_allgather;
coll_fn ring_barrier;

coll_fn switch_allreduce;
coll_fn switch_reduce;
coll_fn switch_reduce_scatter;
coll_fn switch_broadcast;
coll_fn switch_allgather;
coll_fn switch_barrier;

coll_fn push_allreduce;

coll_fn direct_alltoall;

/* lib_coll_time.c */

enum alink_algo coll_fastest(const struct alink_comm *c,
			     enum alink_collective what, uint64_t bytes);

#endif /* LIB_COMM_H */
