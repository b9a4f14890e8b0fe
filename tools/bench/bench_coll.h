/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alink-bench COLLECTIVE: what the files of it share.
 *
 *   bench_coll.c		options, the sweep over sizes
 *   bench_coll_node.c		ranks: their xPUs, memory and communicators
 *   bench_coll_data.c		what ranks have, and must have afterwards
 *   bench_coll_run.c		a collective from its data to its results
 *   bench_coll_count.c	what the devices count: bytes, modelled time
 *   bench_coll_report.c	the table and JSON
 */
#ifndef ALINK_BENCH_COLL_H
#define ALINK_BENCH_COLL_H

#include "bench.h"

enum coll_kind {
	COLL_ALLREDUCE,
	COLL_REDUCE,
	COLL_REDUCE_SCATTER,
	COLL_BROADCAST,
	COLL_ALLGATHER,
	COLL_ALLTOALL,
	COLL_BARRIER,
	COLL_NUM_KINDS,
};

/* What is the same of all its lines; text on the command line. */
struct coll_what {
	const char *name;
	enum alink_collective what;
	bool blocks;		/* size is that of all ranks' blocks */
	bool op;		/* has an operation */
	bool root;		/* has a root */
	bool direct;		/* has no algorithm to choose from */
};

extern const struct coll_what coll_whats[COLL_NUM_KINDS];

#define COLL_NUM_ALGOS	4
#define COLL_NUM_OPS	3

/* By their numbers; "-" for what has none. */
const char *coll_algo_name(enum alink_algo algo);
const char *coll_op_name(enum alink_redop op);

/**
 * struct coll_rank - one rank
 * @xpu:	its xPU
 * @comm:	its communicator
 * @queue:	for what is not measured
 * @io:		host memory: data, then results
 * @map:	@io
 */
struct coll_rank {
	struct alink_xpu *xpu;
	struct alink_comm *comm;
	struct alink_queue *queue;
	struct alink_bo *io;
	uint8_t *map;
};

/**
 * struct coll_node - the ranks, in ascending order of endpoint ids
 * @b:		where errors are kept
 * @rank:	@n of them
 * @n:		how many
 * @room:	bytes that each has for data, and for results
 * @group:	of the switches; there is one if @grouped
 * @grouped:	see @group
 */
struct coll_node {
	struct bench *b;
	struct coll_rank rank[ALINK_COMM_MAX_RANKS];
	uint32_t n;
	uint64_t room;
	uint32_t group;
	bool grouped;
};

/* Of @n ranks, or of all xPUs if 0. */
int coll_node_up(struct coll_node *m, struct bench *b, uint32_t n,
		 uint64_t room);
void coll_node_down(struct coll_node *m);

/**
 * struct coll_case - one line of the table
 * @kind:	collective
 * @asked:	how, as libalink is asked
 * @algo:	how it is done: that, but for ALINK_ALGO_AUTO
 * @dtype:	of elements
 * @op:		reduction
 * @root:	rank
 * @count:	elements of each rank, or of each block
 * @bytes:	size, as nccl-tests count it: with all blocks
 */
struct coll_case {
	enum coll_kind kind;
	enum alink_algo asked;
	enum alink_algo algo;
	enum alink_dtype dtype;
	enum alink_redop op;
	uint32_t root;
	uint64_t count;
	uint64_t bytes;
};

/* Bytes that a rank has before and after, the largest of all ranks */
uint64_t coll_src_bytes(const struct coll_node *m, const struct coll_case *c);
uint64_t coll_dst_bytes(const struct coll_node *m, const struct coll_case *c,
			uint32_t rank);
void coll_fill(const struct coll_node *m, const struct coll_case *c,
	       uint32_t rank, uint8_t *src);
/* How many elements of a rank's result are not what they must be */
uint64_t coll_wrong(const struct coll_node *m, const struct coll_case *c,
		    uint32_t rank, const uint8_t *dst);

/* Data to all ranks, with a bit of rank @spoil's flipped; no rank: ALINK_ID_NONE */
int coll_bring(struct coll_node *m, const struct coll_case *c, uint32_t spoil);
/* Once, by all ranks; @seq of each is for who wants to know. */
int coll_run(struct coll_node *m, const struct coll_case *c, uint64_t *seq);
/* Adds the elements that are wrong, of all ranks. */
int coll_look(struct coll_node *m, const struct coll_case *c, uint64_t *wrong);

/**
 * struct coll_result - what came out of a line
 * @wall_ns:	mean of the iterations
 * @model_ns:	modelled time, if @modelled
 * @modelled:	see bench_coll_count.c
 * @formula_ns:	what alink_collective_time() says
 * @sent:	bytes of payload that the busiest xPU sent
 * @received:	and that the busiest received
 * @wrong:	elements, of all ranks
 * @checked:	were they looked at?
 */
struct coll_result {
	double wall_ns;
	double model_ns;
	bool modelled;
	uint64_t formula_ns;
	uint64_t sent;
	uint64_t received;
	uint64_t wrong;
	bool checked;
};

/**
 * struct coll_counts - what devices have counted
 * @model_ns:	modelled time of all commands of a rank
 * @sent:	bytes of payload that its links sent
 * @received:	and received
 * @link:	of all devices, for the caller to free
 * @num_links:	how many
 */
struct coll_counts {
	uint64_t model_ns[ALINK_COMM_MAX_RANKS];
	uint64_t sent[ALINK_COMM_MAX_RANKS];
	uint64_t received[ALINK_COMM_MAX_RANKS];
	struct alink_link_info *link;
	size_t num_links;
};

/* @seq: what each rank's communicator has done last */
int coll_count(struct coll_node *m, const uint64_t *seq, struct coll_counts *k);
void coll_subtract(const struct coll_node *m, const struct coll_case *c,
		   const struct coll_counts *k0, const struct coll_counts *k1,
		   struct coll_result *r);

void coll_head(struct bench *b, const struct coll_node *m, unsigned int iters);
void coll_line(struct bench *b, const struct coll_node *m,
	       const struct coll_case *c, const struct coll_result *r);
void coll_foot(struct bench *b, const struct coll_node *m, uint64_t wrong);

/* The program, if @argv[1] is the name of a collective; -1 if it is not. */
int bench_coll(struct bench *b, int argc, char **argv);

#endif /* ALINK_BENCH_COLL_H */
