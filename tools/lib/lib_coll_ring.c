// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collectives in a ring: each rank writes to the next one only. For comparison,
 * and for fabrics that cannot compute. See lib_comm.h.
 *
 * Shares are received where the same share of data lies, so a step never
 * overwrites what an earlier one of the same collective has brought.
 *
 * What is only passed on is added on its way to the next rank: one command, which
 * takes the time of the link alone. This rank's own part stays what it was, but of
 * the share whose sum it is the last to add to: that stays here as well, if the
 * xPU can do both at once.
 */
#include "lib_comm.h"

/* The rank before this one may write here, and this one to the next. */
static int ring_enter(struct alink_comm *c)
{
	int err;

	if (c->ranks == 1)
		return 0;
	err = comm_signal(c, alink_bo_va(c->peer[comm_prev(c)]) +
			  WORD_READY(c->rank));
	return err ? err : comm_wait_word(c, WORD_READY(comm_next(c)));
}

static int ring_token(struct alink_comm *c, uint32_t step)
{
	return comm_signal(c, alink_bo_va(c->peer[comm_next(c)]) +
			   WORD_STEP(c->ranks, step));
}

static int ring_await(struct alink_comm *c, uint32_t step)
{
	return comm_wait_word(c, WORD_STEP(c->ranks, step));
}

/* @from is an address, @to an offset in the region of the next rank. */
static int ring_send(struct alink_comm *c, uint32_t step, uint64_t to,
		     uint64_t from, uint64_t len)
{
	int err = comm_copy(c, alink_bo_va(c->peer[comm_next(c)]) + to, from,
			    len);

	return err ? err : ring_token(c, step);
}

static int ring_add(struct alink_comm *c, const struct coll *k, uint64_t dst,
		    uint64_t at, uint64_t len)
{
	if (!len)
		return 0;
	return alink_cmd_reduce(c->queue, dst, comm_recv(c) + at,
				comm_data(c) + at, len, k->dtype, k->op, NULL);
}

/* What was received plus the part of this rank, for the next one to receive */
static int ring_pass(struct alink_comm *c, const struct coll *k, uint32_t step,
		     uint64_t at, uint64_t len)
{
	int err = ring_add(c, k, alink_bo_va(c->peer[comm_next(c)]) +
				 c->recv_at + at, at, len);

	return err ? err : ring_token(c, step);
}

/*
 * What a share is: of all data, split evenly (@block 0), or a block of that
 * size.
 */
static void ring_share(const struct alink_comm *c, uint64_t bytes,
		       uint64_t block, uint32_t i, uint64_t *at, uint64_t *len)
{
	if (!block) {
		comm_share(c, bytes, i, at, len);
		return;
	}
	*at = block * i;
	*len = block;
}

/*
 * n - 1 steps: each rank sends its own part of a share first, then passes on what
 * it gets of the share before that, with its own part added. Rank r ends with what
 * the others have of share r plus @shift.
 */
static int ring_scatter(struct alink_comm *c, const struct coll *k,
			uint64_t block, uint32_t shift)
{
	uint32_t s, n = c->ranks, first = c->rank + shift + n - 1;
	uint64_t at, len;
	int err = 0;

	for (s = 0; s + 1 < n && !err; s++) {
		ring_share(c, k->bytes, block, (first + n - s) % n, &at, &len);
		if (s)
			err = ring_pass(c, k, s, at, len);
		else
			err = ring_send(c, s, c->recv_at + at,
					comm_data(c) + at, len);
		if (!err)
			err = ring_await(c, s);
	}
	return err;
}

/* Its own part added to that, where nobody else wants the sum */
static int ring_settle(struct alink_comm *c, const struct coll *k, uint64_t block,
		       uint32_t shift)
{
	uint64_t at, len;

	if (c->ranks == 1)
		return 0;
	ring_share(c, k->bytes, block, (c->rank + shift) % c->ranks, &at, &len);
	return ring_add(c, k, comm_data(c) + at, at, len);
}

/* The same, while that sum is sent on: step 0 of ring_gather() */
static int ring_settle_and_send(struct alink_comm *c, const struct coll *k,
				uint32_t step, uint32_t shift)
{
	uint64_t at, len, next = alink_bo_va(c->peer[comm_next(c)]);
	int err = 0;

	ring_share(c, k->bytes, 0, (c->rank + shift) % c->ranks, &at, &len);
	if (len)
		err = alink_cmd_reduce_keep(c->queue, next + c->data_at + at,
					    comm_recv(c) + at,
					    comm_data(c) + at, len, k->dtype,
					    k->op, NULL);
	if (!err)
		err = ring_token(c, step);
	return err ? err : ring_await(c, step);
}

/*
 * n - 1 steps: rank r begins with share r plus @shift, and all end with all. The
 * first @s of them are done.
 */
static int ring_gather(struct alink_comm *c, uint64_t bytes, uint64_t block,
		       uint32_t shift, uint32_t step, uint32_t s)
{
	uint32_t n = c->ranks;
	uint64_t at, len;
	int err = 0;

	for (; s + 1 < n && !err; s++) {
		ring_share(c, bytes, block, (c->rank + shift + n - s) % n, &at,
			   &len);
		err = ring_send(c, step + s, c->data_at + at,
				comm_data(c) + at, len);
		if (!err)
			err = ring_await(c, step + s);
	}
	return err;
}

int ring_allreduce(struct alink_comm *c, const struct coll *k)
{
	int err = comm_copy(c, comm_data(c), k->src, k->bytes);
	bool keeps = comm_keeps(c) && c->ranks > 1;
	uint32_t step = c->ranks - 1;

	if (!err)
		err = ring_enter(c);
	if (!err)
		err = ring_scatter(c, k, 0, 1);
	if (!err)
		err = keeps ? ring_settle_and_send(c, k, step, 1) :
			      ring_settle(c, k, 0, 1);
	if (!err)
		err = ring_gather(c, k->bytes, 0, 1, step, keeps);
	return err ? err : comm_copy(c, k->dst, comm_data(c), k->bytes);
}

int ring_reduce_scatter(struct alink_comm *c, const struct coll *k)
{
	int err = comm_copy(c, comm_data(c), k->src, k->bytes * c->ranks);

	if (!err)
		err = ring_enter(c);
	if (!err)
		err = ring_scatter(c, k, k->bytes, 0);
	if (!err)
		err = ring_settle(c, k, k->bytes, 0);
	return err ? err : comm_copy(c, k->dst,
				     comm_data(c) + k->bytes * c->rank,
				     k->bytes);
}

int ring_allgather(struct alink_comm *c, const struct coll *k)
{
	int err = comm_copy(c, comm_data(c) + k->bytes * c->rank, k->src,
			    k->bytes);

	if (!err)
		err = ring_enter(c);
	if (!err)
		err = ring_gather(c, 0, k->bytes, 0, 0, 0);
	return err ? err : comm_copy(c, k->dst, comm_data(c),
				     k->bytes * c->ranks);
}

/* How many ranks come before this one in a chain that begins with @first */
static uint32_t place(const struct alink_comm *c, uint32_t first)
{
	return (c->rank + c->ranks - first) % c->ranks;
}

/* A chain from the root on, share by share, so that all links are busy. */
int ring_broadcast(struct alink_comm *c, const struct coll *k)
{
	uint32_t i, n = c->ranks, p = place(c, k->root);
	uint64_t at, len;
	int err = 0;

	if (!p)
		err = comm_copy(c, comm_data(c), k->src, k->bytes);
	if (!err)
		err = ring_enter(c);
	for (i = 0; i < n && !err; i++) {
		comm_share(c, k->bytes, i, &at, &len);
		if (!len)
			break;
		if (p)
			err = ring_await(c, i);
		if (!err && p + 1 < n)
			err = ring_send(c, i, c->data_at + at,
					comm_data(c) + at, len);
	}
	return err ? err : comm_copy(c, k->dst, comm_data(c), k->bytes);
}

/* A chain that ends at the root; each rank adds its part. */
int ring_reduce(struct alink_comm *c, const struct coll *k)
{
	uint32_t i, n = c->ranks, p = place(c, (k->root + 1) % n);
	uint64_t at, len;
	int err;

	err = comm_copy(c, comm_data(c), k->src, k->bytes);
	if (!err)
		err = ring_enter(c);
	for (i = 0; i < n && !err; i++) {
		comm_share(c, k->bytes, i, &at, &len);
		if (!len)
			break;
		if (p)
			err = ring_await(c, i);
		if (!err && p && p + 1 < n)
			err = ring_pass(c, k, i, at, len);
		else if (!err && p)
			err = ring_add(c, k, comm_data(c) + at, at, len);
		else if (!err && n > 1)
			err = ring_send(c, i, c->recv_at + at,
					comm_data(c) + at, len);
	}
	if (err || p + 1 < n)
		return err;
	return comm_copy(c, k->dst, comm_data(c), k->bytes);
}

/* A token goes round twice: after once rank 0 knows that all are here. */
int ring_barrier(struct alink_comm *c, const struct coll *k)
{
	uint32_t s;
	int err = 0;

	(void)k;
	for (s = 0; s < 2 && !err && c->ranks > 1; s++) {
		if (c->rank) {
			err = ring_await(c, s);
			if (!err)
				err = ring_token(c, s);
			continue;
		}
		err = ring_token(c, s);
		if (!err)
			err = ring_await(c, s);
	}
	return err;
}
