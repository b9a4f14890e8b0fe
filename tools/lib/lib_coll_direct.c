// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collectives in which each rank writes to every other. See lib_comm.h.
 */
#include "lib_comm.h"

/* To all others, each beginning with its next one: no rank is first for all. */
static int direct_signal(struct alink_comm *c, uint64_t word)
{
	uint32_t i, to;
	int err = 0;

	for (i = 1; i < c->ranks && !err; i++) {
		to = (c->rank + i) % c->ranks;
		err = comm_signal(c, alink_bo_va(c->peer[to]) + word);
	}
	return err;
}

static int direct_wait(struct alink_comm *c, uint64_t first)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < c->ranks && !err; i++)
		if (i != c->rank)
			err = comm_wait_word(c, first +
					     (uint64_t)i * WORD_STRIDE);
	return err;
}

int direct_alltoall(struct alink_comm *c, const struct coll *k)
{
	uint32_t i, to;
	uint64_t dst;
	int err;

	err = direct_signal(c, WORD_READY(c->rank));
	if (!err)
		err = direct_wait(c, WORD_READY(0));
	for (i = 0; i < c->ranks && !err; i++) {
		to = (c->rank + i) % c->ranks;
		dst = i ? alink_bo_va(c->peer[to]) + c->recv_at : comm_recv(c);
		err = comm_copy(c, dst + k->bytes * c->rank,
				k->src + k->bytes * to, k->bytes);
	}
	if (!err)
		err = direct_signal(c, WORD_DONE(c->ranks, c->rank));
	if (!err)
		err = direct_wait(c, WORD_DONE(c->ranks, 0));
	return err ? err : comm_copy(c, k->dst, comm_recv(c),
				     k->bytes * c->ranks);
}
