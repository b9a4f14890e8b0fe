// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collectives by the switches: they sum what all ranks have (reducing read) and
 * copy what one has to all (multicast write), or sum what all send and write it to
 * all (reducing push). Order of a reduction: ascending endpoint ids, whoever reads
 * or is first. See lib_comm.h.
 */
#include "lib_comm.h"

static uint64_t all(const struct alink_comm *c)
{
	return alink_bo_va(c->group);
}

/* All ranks are here, with their data. */
static int switch_enter(struct alink_comm *c)
{
	int err = comm_signal(c, all(c) + WORD_READY(c->rank));

	return err ? err : comm_wait_all(c, WORD_READY(0));
}

/* No rank reads or writes here any more. */
static int switch_leave(struct alink_comm *c)
{
	int err = comm_signal(c, all(c) + WORD_DONE(c->ranks, c->rank));

	return err ? err : comm_wait_all(c, WORD_DONE(c->ranks, 0));
}

static int switch_sum(struct alink_comm *c, const struct coll *k, uint64_t dst,
		      uint64_t at, uint64_t len)
{
	if (!len)
		return 0;
	return alink_cmd_reduce_read(c->queue, dst, all(c) + c->data_at + at,
				     len, k->dtype, k->op, NULL);
}

/*
 * The result of a share replaces the data of all: that share is read by one
 * rank only, which is through with it then.
 */
int switch_allreduce(struct alink_comm *c, const struct coll *k)
{
	uint64_t at, len, own;
	int err;

	comm_share(c, k->bytes, c->rank, &at, &len);
	own = comm_data(c) + at;
	err = comm_copy(c, comm_data(c), k->src, k->bytes);
	if (!err)
		err = switch_enter(c);
	if (!err)
		err = switch_sum(c, k, own, at, len);
	if (!err)
		err = comm_copy(c, all(c) + c->data_at + at, own, len);
	if (!err)
		err = switch_leave(c);
	return err ? err : comm_copy(c, k->dst, comm_data(c), k->bytes);
}

int switch_reduce(struct alink_comm *c, const struct coll *k)
{
	int err = comm_copy(c, comm_data(c), k->src, k->bytes);

	if (!err)
		err = switch_enter(c);
	if (!err && c->rank == k->root)
		err = switch_sum(c, k, k->dst, 0, k->bytes);
	if (!err && c->rank == k->root)
		err = comm_signal(c, all(c) + WORD_DONE(c->ranks, c->rank));
	return err ? err : comm_wait_word(c, WORD_DONE(c->ranks, k->root));
}

int switch_reduce_scatter(struct alink_comm *c, const struct coll *k)
{
	int err = comm_copy(c, comm_data(c), k->src, k->bytes * c->ranks);

	if (!err)
		err = switch_enter(c);
	if (!err)
		err = switch_sum(c, k, k->dst, k->bytes * c->rank, k->bytes);
	return err ? err : switch_leave(c);
}

int switch_broadcast(struct alink_comm *c, const struct coll *k)
{
	int err = switch_enter(c);

	if (!err && c->rank == k->root)
		err = comm_copy(c, all(c) + c->data_at, k->src, k->bytes);
	if (!err && c->rank == k->root)
		err = comm_signal(c, all(c) + WORD_DONE(c->ranks, c->rank));
	if (!err)
		err = comm_wait_word(c, WORD_DONE(c->ranks, k->root));
	return err ? err : comm_copy(c, k->dst, comm_data(c), k->bytes);
}

int switch_allgather(struct alink_comm *c, const struct coll *k)
{
	int err = switch_enter(c);

	if (!err)
		err = comm_copy(c, all(c) + c->data_at + k->bytes * c->rank,
				k->src, k->bytes);
	if (!err)
		err = switch_leave(c);
	return err ? err : comm_copy(c, k->dst, comm_data(c),
				     k->bytes * c->ranks);
}

int switch_barrier(struct alink_comm *c, const struct coll *k)
{
	(void)k;
	return switch_enter(c);
}

/* From where the data is: it is sent before any result can replace it. */
int push_allreduce(struct alink_comm *c, const struct coll *k)
{
	int err = alink_cmd_push_reduce(c->queue, all(c) + c->data_at, k->src,
					k->bytes, k->dtype, k->op,
					c->epoch | c->seq, c->timeout_ms, NULL);

	return err ? err : comm_copy(c, k->dst, comm_data(c), k->bytes);
}
