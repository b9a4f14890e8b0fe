// SPDX-License-Identifier: GPL-2.0-only
/* One collective by all ranks: their data, the calls, their results. */
#include <string.h>

#include "bench_coll.h"

static int start(const struct coll_case *c, struct coll_rank *r, uint32_t rank,
		 uint64_t *seq)
{
	uint64_t at = alink_comm_data(r->comm);
	uint64_t block = c->count * alink_dtype_bytes(c->dtype);

	switch (c->kind) {
	case COLL_ALLREDUCE:
		return alink_allreduce(r->comm, c->asked, at, at, c->count,
				       c->dtype, c->op, seq);
	case COLL_REDUCE:
		return alink_reduce(r->comm, c->asked, c->root, at, at,
				    c->count, c->dtype, c->op, seq);
	case COLL_REDUCE_SCATTER:
		return alink_reduce_scatter(r->comm, c->asked,
					    at + block * rank, at, c->count,
					    c->dtype, c->op, seq);
	case COLL_BROADCAST:
		return alink_broadcast(r->comm, c->asked, c->root, at, at,
				       c->count, c->dtype, seq);
	case COLL_ALLGATHER:
		return alink_allgather(r->comm, c->asked, at,
				       at + block * rank, c->count, c->dtype,
				       seq);
	case COLL_ALLTOALL:
		return alink_alltoall(r->comm, at, at, c->count, c->dtype, seq);
	default:
		return alink_barrier(r->comm, c->asked, seq);
	}
}

static int complain(const struct coll_node *m, uint32_t rank, int err)
{
	struct alink_queue_state s;

	alink_queue_state(alink_comm_queue(m->rank[rank].comm), &s);
	if (s.status != ALINK_ST_OK)
		return bench_fail(m->b, err,
				  "rank %u: command %u failed: %s (address %#llx)",
				  rank, s.index, alink_status_name(s.status),
				  (unsigned long long)s.addr);
	return bench_fail(m->b, err, "rank %u: %s", rank,
			  alink_error(m->b->ctx));
}

int coll_run(struct coll_node *m, const struct coll_case *c, uint64_t *seq)
{
	uint32_t i;
	int err;

	for (i = 0; i < m->n; i++) {
		err = start(c, &m->rank[i], i, &seq[i]);
		if (err)
			return complain(m, i, err);
	}
	for (i = 0; i < m->n; i++) {
		err = alink_comm_wait(m->rank[i].comm, seq[i], BENCH_WAIT_MS);
		if (err)
			return complain(m, i, err);
	}
	return 0;
}

static int copy(struct coll_node *m, struct coll_rank *r, uint64_t dst,
		uint64_t src, uint64_t bytes)
{
	uint64_t seq;
	int err;

	if (!bytes)
		return 0;
	err = alink_cmd_copy(r->queue, dst, src, bytes, &seq);
	if (err)
		return bench_fail_alink(m->b, "copy", err);
	alink_queue_kick(r->queue);
	err = alink_queue_wait(r->queue, seq, BENCH_WAIT_MS);
	return err ? bench_fail_alink(m->b, "copy", err) : 0;
}

/* Where a rank's part of the data, or of the result, begins */
static uint64_t part(const struct coll_case *c, uint32_t rank, bool result)
{
	uint64_t block = c->count * alink_dtype_bytes(c->dtype);

	if (c->kind == (result ? COLL_REDUCE_SCATTER : COLL_ALLGATHER))
		return block * rank;
	return 0;
}

int coll_bring(struct coll_node *m, const struct coll_case *c, uint32_t spoil)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < m->n && !err; i++) {
		struct coll_rank *r = &m->rank[i];
		uint64_t at = alink_comm_data(r->comm);

		/* Nothing of an earlier result is taken for this one. */
		memset(r->map, 0xa5, m->room);
		err = copy(m, r, at, alink_bo_va(r->io), m->room);
		if (err)
			return err;
		coll_fill(m, c, i, r->map);
		if (spoil == i)
			r->map[0] ^= 1;
		err = copy(m, r, at + part(c, i, false), alink_bo_va(r->io),
			   coll_src_bytes(m, c));
	}
	return err;
}

int coll_look(struct coll_node *m, const struct coll_case *c, uint64_t *wrong)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < m->n && !err; i++) {
		struct coll_rank *r = &m->rank[i];
		uint64_t from = alink_comm_data(r->comm) + part(c, i, true);

		err = copy(m, r, alink_bo_va(r->io) + m->room, from,
			   coll_dst_bytes(m, c, i));
		if (!err)
			*wrong += coll_wrong(m, c, i, r->map + m->room);
	}
	return err;
}
