/* SPDX-License-Identifier: GPL-2.0-only */
/* libalink: communicators and collectives. Part of alink.h, which includes it. */
#ifndef ALINK_COMM_H
#define ALINK_COMM_H

#include <alink.h>

#ifdef __cplusplus
extern "C" {
#endif

struct alink_comm;

#define ALINK_COMM_MAX_RANKS	64
#define ALINK_COMM_TIMEOUT_MS	30000

/**
 * struct alink_comm_config - one rank of a communicator
 * @rank:	this rank, 0..@ranks - 1
 * @ranks:	how many there are, up to ALINK_COMM_MAX_RANKS
 * @group:	group of the switches that has the xPUs of all ranks as members
 * @group_key:	its key; 0: no group, ALINK_ALGO_RING only
 * @max_bytes:	largest data, bytes; the same at all ranks
 * @timeout_ms:	how long a rank waits for others, in each step of a collective,
 *		1..65535; 0: ALINK_COMM_TIMEOUT_MS. Then its queue halts with
 *		ALINK_ST_TIMEOUT; all ranks open the communicator anew. Without
 *		ALINK_CAP_WAIT_MS for ALINK_ALGO_PUSH only
 * @generation:	ALINK_ALGO_PUSH: the same at all ranks; higher than before when
 *		communicators of the same group are opened again after a
 *		collective of theirs has failed
 */
struct alink_comm_config {
	uint32_t rank;
	uint32_t ranks;
	uint32_t group;
	uint64_t group_key;
	uint64_t max_bytes;
	uint16_t timeout_ms;
	uint16_t generation;
};

/**
 * alink_comm_open() - join a communicator
 *
 * Takes about twice max_bytes of HBM and one queue. No rank may start a
 * collective before all ranks are open, and none may close before all have
 * waited for their last collective. Errors: as of the calls that it is made of.
 */
int alink_comm_open(struct alink_xpu *xpu, const struct alink_comm_config *cfg,
		    struct alink_comm **comm);
void alink_comm_close(struct alink_comm *comm);

/**
 * alink_comm_handle() - what others name when they connect to this rank
 * @comm:	communicator
 * @h:		set; once for all of them is enough
 *
 * Return: as of alink_export().
 */
int alink_comm_handle(struct alink_comm *comm, struct alink_handle *h);
/**
 * alink_comm_connect() - let this rank write to another one
 * @comm:	communicator
 * @rank:	the other rank
 * @h:		its handle
 *
 * ALINK_ALGO_RING wants the next rank and the one before it, alink_alltoall()
 * all others, ALINK_ALGO_SWITCH and ALINK_ALGO_PUSH none.
 *
 * Errors: -EINVAL, -EISCONN (it is connected already); as of alink_import().
 */
int alink_comm_connect(struct alink_comm *comm, uint32_t rank,
		       const struct alink_handle *h);

/*
 * Device virtual address of the communicator's own max_bytes of data. What a
 * collective finds and leaves there is not copied: see each.
 */
uint64_t alink_comm_data(const struct alink_comm *comm);

/* The queue that it works with, for alink_queue_state(). */
struct alink_queue *alink_comm_queue(struct alink_comm *comm);

enum alink_collective {
	ALINK_COLL_ALLREDUCE,
	ALINK_COLL_REDUCE,
	ALINK_COLL_REDUCE_SCATTER,
	ALINK_COLL_BROADCAST,
	ALINK_COLL_ALLGATHER,
	ALINK_COLL_BARRIER,
};

enum alink_algo {
	ALINK_ALGO_SWITCH,	/* reducing read, then multicast write */
	ALINK_ALGO_RING,	/* writes to the next rank */
	ALINK_ALGO_PUSH,	/* reducing push; alink_allreduce() only */
	ALINK_ALGO_AUTO,	/* the one of them that takes least modelled time */
};

/*
 * Collectives. Each call appends this rank's part to its queue and starts it;
 * all ranks call the same ones in the same order, with the same arguments but
 * for addresses. @dst and @src are device virtual addresses, and with any
 * alignment of their elements: outside of the communicator's memory, or where
 * it says so at alink_comm_data(). @seq is set to what alink_comm_wait() wants.
 *
 * Errors, before anything has begun: -EINVAL (root, type, algorithm), -ENOTCONN
 * (no group, or a rank that is not connected), -EMSGSIZE (@count), -EOPNOTSUPP
 * (no arithmetic on @dtype, no push), -EAGAIN (too many collectives not waited
 * for), -EOVERFLOW (after 2^31 of them). -ENOTRECOVERABLE: one before failed half way.
 *
 * Order of reductions. ALINK_ALGO_SWITCH: all ranks in ascending order of their
 * endpoint ids, whoever computes it (Documentation/hw/fabric.rst, "Arithmetic").
 * So does ALINK_ALGO_PUSH.
 * ALINK_ALGO_RING: the result goes round, from rank to rank; where it begins
 * depends on the share of the data, in alink_reduce() behind the root.
 *
 * ALINK_ALGO_PUSH has one command and one phase, and no words to signal in; @src
 * is in HBM or system memory. A rank that waits for others longer than its time
 * fails, and so does the whole, also when a link fails in the middle, which the
 * other algorithms survive.
 * ALINK_ALGO_AUTO may be PUSH, and is not tried again by another algorithm when that
 * fails: data at @src may be replaced by then. Who wants an all-reduce to survive a
 * link names SWITCH or RING. It is what alink_collective_time() says; all ranks must have the
 * same xPUs, and groups and neighbours or none. The same size gets the same
 * algorithm each time, and with it the same order; what needs one order for all
 * sizes names its algorithm.
 */

/*
 * Time on the wire of an operation of @bytes that is spread over so many idle
 * links of @mbps Mb/s: S(R) of the largest share, fabric.rst, "Timing"
 */
uint64_t alink_wire_ns(uint64_t links, uint64_t mbps, uint64_t bytes);

/**
 * alink_collective_time() - time of a collective by the timing model
 * @comm:	communicator; a group, or the ranks beside this one, are connected
 * @what:	collective
 * @algo:	how; ALINK_ALGO_AUTO becomes the one that takes least
 * @bytes:	of the data, of a block where there are blocks
 * @ns:		set to the time of the slowest rank, all beginning at once, with
 *		links as they are fitted, without those that are spare when the
 *		communicator is opened, and otherwise idle, and data where
 *		alink_comm_data() says; constants of the model are the defaults
 *
 * Errors: -EINVAL (@what), -EOPNOTSUPP (there is no such way here).
 */
int alink_collective_time(const struct alink_comm *comm,
			  enum alink_collective what, enum alink_algo *algo,
			  uint64_t bytes, uint64_t *ns);

/**
 * alink_allreduce() - all ranks get the reduction of what all have
 * @comm:	communicator
 * @algo:	how
 * @dst:	@count elements; may be @src, and alink_comm_data()
 * @src:	@count elements; may be alink_comm_data()
 * @count:	elements
 * @dtype:	type of the elements
 * @op:		what to do with them
 * @seq:	for alink_comm_wait()
 *
 * Results are equal at all ranks.
 */
int alink_allreduce(struct alink_comm *comm, enum alink_algo algo, uint64_t dst,
		    uint64_t src, uint64_t count, enum alink_dtype dtype,
		    enum alink_redop op, uint64_t *seq);
/*
 * The same at rank @root only, @dst of the others is left alone. Both may be
 * alink_comm_data().
 */
int alink_reduce(struct alink_comm *comm, enum alink_algo algo, uint32_t root,
		 uint64_t dst, uint64_t src, uint64_t count,
		 enum alink_dtype dtype, enum alink_redop op, uint64_t *seq);
/*
 * @src: ranks times @count elements; may be alink_comm_data(). Rank r gets the
 * reduction of the r-th @count of them; @dst may be these.
 */
int alink_reduce_scatter(struct alink_comm *comm, enum alink_algo algo,
			 uint64_t dst, uint64_t src, uint64_t count,
			 enum alink_dtype dtype, enum alink_redop op,
			 uint64_t *seq);
/*
 * All ranks, the root too, get @count elements that @root has. @src of the
 * others is not used. Both may be alink_comm_data().
 */
int alink_broadcast(struct alink_comm *comm, enum alink_algo algo,
		    uint32_t root, uint64_t dst, uint64_t src, uint64_t count,
		    enum alink_dtype dtype, uint64_t *seq);
/*
 * All ranks get what all have: @dst, which may be alink_comm_data(), has room
 * for ranks times @count elements, those of rank r at the r-th place; where
 * @src may be.
 */
int alink_allgather(struct alink_comm *comm, enum alink_algo algo,
		    uint64_t dst, uint64_t src, uint64_t count,
		    enum alink_dtype dtype, uint64_t *seq);
/*
 * Rank s gets at place r what rank r has at place s; each place is @count
 * elements. @dst may be @src, and alink_comm_data(). Each rank writes to each:
 * there is no other algorithm, as no two get the same.
 */
int alink_alltoall(struct alink_comm *comm, uint64_t dst, uint64_t src,
		   uint64_t count, enum alink_dtype dtype, uint64_t *seq);
/* Ends when all ranks have begun it. */
int alink_barrier(struct alink_comm *comm, enum alink_algo algo, uint64_t *seq);

/*
 * As alink_queue_wait(). If another rank has failed: -EIO, with what the queue says
 * (ALINK_ST_TIMEOUT, or why that one could not be reached) in alink_error(); and
 * -ETIME if @timeout_ms is over before that.
 */
int alink_comm_wait(struct alink_comm *comm, uint64_t seq, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif /* ALINK_COMM_H */
