// SPDX-License-Identifier: GPL-2.0-only
/* Collectives, as users call them. How ranks run them: see lib_comm.h. */
#include <errno.h>

#include "lib_comm.h"

/* What a collective asks of a rank before it begins */
enum need {
	NEED_ROOT = 1,		/* the root is a rank */
	NEED_OP = 2,		/* the xPU can do arithmetic on the type */
	NEED_BLOCKS = 4,	/* room for the data of all ranks */
	NEED_NOTHING = 8,	/* no data */
};

static int need_group(struct alink_comm *c)
{
	if (c->group)
		return 0;
	return alink_fail(c->xpu->ctx, -ENOTCONN,
			  "rank %u was opened without a group", c->rank);
}

static int need_peer(struct alink_comm *c, uint32_t rank)
{
	if (rank == c->rank || c->peer[rank])
		return 0;
	return alink_fail(c->xpu->ctx, -ENOTCONN,
			  "rank %u is not connected to rank %u", c->rank, rank);
}

static int need_push(struct alink_comm *c)
{
	if (c->xpu->info.caps & ALINK_CAP_PUSH)
		return need_group(c);
	return alink_fail(c->xpu->ctx, -EOPNOTSUPP,
			  "rank %u: its xPU has no reducing push", c->rank);
}

/* What a collective is, and how it can be run; NULL: not in this way */
struct ways {
	enum alink_collective what;
	coll_fn *by_switch;
	coll_fn *ring;
	coll_fn *push;
};

static int choose(struct alink_comm *c, enum alink_algo algo,
		  const struct ways *w, uint64_t bytes, coll_fn **run)
{
	int err;

	if (algo == ALINK_ALGO_AUTO)
		algo = coll_fastest(c, w->what, bytes);
	switch (algo) {
	case ALINK_ALGO_SWITCH:
		*run = w->by_switch;
		return need_group(c);
	case ALINK_ALGO_RING:
		*run = w->ring;
		err = need_peer(c, comm_next(c));
		return err ? err : need_peer(c, comm_prev(c));
	case ALINK_ALGO_PUSH:
		*run = w->push;
		if (w->push)
			return need_push(c);
		return alink_fail(c->xpu->ctx, -EINVAL,
				  "by reducing push there is all-reduce only");
	case ALINK_ALGO_AUTO:
		break;
	}
	return alink_fail(c->xpu->ctx, -EINVAL, "no such algorithm: %d", algo);
}

static int need_data(struct alink_comm *c, const struct coll *k, uint64_t count,
		     unsigned int need)
{
	uint64_t most = c->room / (need & NEED_BLOCKS ? c->ranks : 1);
	size_t esz = alink_dtype_bytes(k->dtype);
	struct alink_ctx *ctx = c->xpu->ctx;

	if (!esz)
		return alink_fail(ctx, -EINVAL, "%s: no type of single elements",
				  alink_dtype_name(k->dtype));
	if (need & NEED_OP && !(c->xpu->info.dtypes & (1U << k->dtype)))
		return alink_fail(ctx, -EOPNOTSUPP,
				  "this xPU has no arithmetic on %s",
				  alink_dtype_name(k->dtype));
	if (!count || count > most / esz)
		return alink_fail(ctx, -EMSGSIZE,
				  "%llu elements: 1 to %llu have room",
				  (unsigned long long)count,
				  (unsigned long long)(most / esz));
	return 0;
}

/* Nothing has been asked of the device before all of this is fine. */
static int coll_check(struct alink_comm *c, const struct coll *k,
		      uint64_t count, unsigned int need)
{
	struct alink_ctx *ctx = c->xpu->ctx;
	int err = 0;

	if (need & NEED_ROOT && k->root >= c->ranks)
		return alink_fail(ctx, -EINVAL, "root %u: there are %u ranks",
				  k->root, c->ranks);
	if (!(need & NEED_NOTHING))
		err = need_data(c, k, count, need);
	if (err)
		return err;
	if (c->broken)
		return alink_fail(ctx, -ENOTRECOVERABLE,
				  "rank %u could not finish a collective: open its communicator again",
				  c->rank);
	if (c->seq == INT32_MAX)
		return alink_fail(ctx, -EOVERFLOW,
				  "this communicator is used up: open it again");
	return alink_queue_reserve(c->queue, COMM_COMMANDS(c->ranks));
}

static int coll_start(struct alink_comm *c, const struct coll *k, coll_fn *run,
		      uint64_t *seq)
{
	int err;

	c->seq++;
	err = run(c, k);
	if (!err)
		err = alink_cmd_nop(c->queue, seq);
	if (err) {
		/* The other ranks wait for what does not come. */
		c->broken = true;
		return err;
	}
	alink_queue_kick(c->queue);
	return 0;
}

static int coll_run(struct alink_comm *c, enum alink_algo algo, struct coll *k,
		    uint64_t count, unsigned int need, const struct ways *w,
		    uint64_t *seq)
{
	coll_fn *run = NULL;
	int err = coll_check(c, k, count, need);

	if (err)
		return err;
	k->bytes = count * alink_dtype_bytes(k->dtype);
	err = choose(c, algo, w, k->bytes, &run);
	return err ? err : coll_start(c, k, run, seq);
}

int alink_allreduce(struct alink_comm *c, enum alink_algo algo, uint64_t dst,
		    uint64_t src, uint64_t count, enum alink_dtype dtype,
		    enum alink_redop op, uint64_t *seq)
{
	static const struct ways ways = {
		.what = ALINK_COLL_ALLREDUCE,
		.by_switch = switch_allreduce,
		.ring = ring_allreduce,
		.push = push_allreduce,
	};
	struct coll k = { .dst = dst, .src = src, .dtype = dtype, .op = op };

	return coll_run(c, algo, &k, count, NEED_OP, &ways, seq);
}

int alink_reduce(struct alink_comm *c, enum alink_algo algo, uint32_t root,
		 uint64_t dst, uint64_t src, uint64_t count,
		 enum alink_dtype dtype, enum alink_redop op, uint64_t *seq)
{
	static const struct ways ways = {
		.what = ALINK_COLL_REDUCE,
		.by_switch = switch_reduce,
		.ring = ring_reduce,
	};
	struct coll k = {
		.root = root, .dst = dst, .src = src, .dtype = dtype, .op = op,
	};

	return coll_run(c, algo, &k, count, NEED_OP | NEED_ROOT, &ways, seq);
}

int alink_reduce_scatter(struct alink_comm *c, enum alink_algo algo,
			 uint64_t dst, uint64_t src, uint64_t count,
			 enum alink_dtype dtype, enum alink_redop op,
			 uint64_t *seq)
{
	static const struct ways ways = {
		.what = ALINK_COLL_REDUCE_SCATTER,
		.by_switch = switch_reduce_scatter,
		.ring = ring_reduce_scatter,
	};
	struct coll k = { .dst = dst, .src = src, .dtype = dtype, .op = op };

	return coll_run(c, algo, &k, count, NEED_OP | NEED_BLOCKS,
			&ways, seq);
}

int alink_broadcast(struct alink_comm *c, enum alink_algo algo, uint32_t root,
		    uint64_t dst, uint64_t src, uint64_t count,
		    enum alink_dtype dtype, uint64_t *seq)
{
	static const struct ways ways = {
		.what = ALINK_COLL_BROADCAST,
		.by_switch = switch_broadcast,
		.ring = ring_broadcast,
	};
	struct coll k = {
		.root = root, .dst = dst, .src = src, .dtype = dtype,
	};

	return coll_run(c, algo, &k, count, NEED_ROOT, &ways, seq);
}

int alink_allgather(struct alink_comm *c, enum alink_algo algo, uint64_t dst,
		    uint64_t src, uint64_t count, enum alink_dtype dtype,
		    uint64_t *seq)
{
	static const struct ways ways = {
		.what = ALINK_COLL_ALLGATHER,
		.by_switch = switch_allgather,
		.ring = ring_allgather,
	};
	struct coll k = { .dst = dst, .src = src, .dtype = dtype };

	return coll_run(c, algo, &k, count, NEED_BLOCKS, &ways, seq);
}

int alink_alltoall(struct alink_comm *c, uint64_t dst, uint64_t src,
		   uint64_t count, enum alink_dtype dtype, uint64_t *seq)
{
	static const struct ways ways = { .ring = direct_alltoall };
	struct coll k = { .dst = dst, .src = src, .dtype = dtype };
	uint32_t i;
	int err = 0;

	for (i = 0; i < c->ranks && !err; i++)
		err = need_peer(c, i);
	/* A ring needs no more than that. */
	return err ? err : coll_run(c, ALINK_ALGO_RING, &k, count, NEED_BLOCKS,
				    &ways, seq);
}

int alink_barrier(struct alink_comm *c, enum alink_algo algo, uint64_t *seq)
{
	static const struct ways ways = {
		.what = ALINK_COLL_BARRIER,
		.by_switch = switch_barrier,
		.ring = ring_barrier,
	};
	struct coll k = {};

	return coll_run(c, algo, &k, 0, NEED_NOTHING, &ways, seq);
}

int alink_comm_wait(struct alink_comm *c, uint64_t seq, int timeout_ms)
{
	return alink_queue_wait(c->queue, seq, timeout_ms);
}
