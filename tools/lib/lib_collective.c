// SPDX-License-Identifier: GPL-2.0-only
/*
 * All-reduce that the xPUs run among themselves.
 *
 * Every rank has a region of its own HBM: words that others signal in, its
 * data, and room for what others send. A collective is one batch of commands
 * per rank and one doorbell. Ranks meet by writing a sequence number into each
 * other's words behind the data, which the fabric keeps in order, and by WAIT
 * on their own words; the hosts take no part until the result is there.
 *
 * Switch: each rank reads the sum of its share of the data from the switches
 * (reducing read), and writes it to all (multicast). Ring: 2 (n - 1) steps of
 * remote copies to the next rank, for comparison, and for fabrics that cannot
 * compute.
 *
 * The words are never cleared: sequence numbers grow. Why no rank can be
 * overtaken: it signals "data ready" only after it took the last result, and
 * nobody sends results before all are ready. In the ring, a rank is through
 * with a collective only when every other has added its part.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alink_priv.h"

/* Words of the region; one line each, so that signals do not share a packet */
#define WORD_STRIDE	64
#define WORD_READY(r)	((uint64_t)(r) * WORD_STRIDE)
#define WORD_DONE(n, r)	((uint64_t)((n) + (r)) * WORD_STRIDE)
#define WORD_STEP(n, s)	((uint64_t)(2 * (n) + (s)) * WORD_STRIDE)
#define WORD_BYTES(n)	(4ULL * (n) * WORD_STRIDE)

struct alink_comm {
	struct alink_xpu *xpu;
	struct alink_queue *queue;
	struct alink_bo *memory;	/* words, data, received */
	struct alink_bo *group;		/* the same of all members, or NULL */
	struct alink_bo *next;		/* that of the next rank, or NULL */
	uint32_t rank;
	uint32_t ranks;
	uint64_t data_at;
	uint64_t recv_at;		/* results (switch), steps (ring) */
	uint64_t room;			/* bytes of data */
	uint64_t seq;			/* of the latest collective */
};

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/* Shares are whole packets; the last ones may be short or empty. */
static void comm_share(const struct alink_comm *c, uint64_t bytes,
		       uint32_t i, uint64_t *at, uint64_t *len)
{
	uint64_t share = round_up((bytes + c->ranks - 1) / c->ranks,
				  ALINK_PACKET_BYTES);

	*at = share * i < bytes ? share * i : bytes;
	*len = bytes - *at < share ? bytes - *at : share;
}

int alink_comm_open(struct alink_xpu *xpu, const struct alink_comm_config *cfg,
		    struct alink_comm **out)
{
	struct alink_ctx *ctx = xpu->ctx;
	struct alink_comm *c;
	uint64_t size;
	int err;

	if (!cfg->ranks || cfg->ranks > ALINK_COMM_MAX_RANKS ||
	    cfg->rank >= cfg->ranks)
		return alink_fail(ctx, -EINVAL,
				  "rank %u of %u: ranks go up to %u", cfg->rank,
				  cfg->ranks, ALINK_COMM_MAX_RANKS);
	if (!cfg->max_bytes)
		return alink_fail(ctx, -EINVAL, "max_bytes is 0");
	c = calloc(1, sizeof(*c));
	if (!c)
		return alink_fail(ctx, -ENOMEM, "out of memory");
	c->xpu = xpu;
	c->rank = cfg->rank;
	c->ranks = cfg->ranks;
	c->room = round_up(cfg->max_bytes, ALINK_PACKET_BYTES * cfg->ranks);
	c->data_at = round_up(WORD_BYTES(cfg->ranks), xpu->page);
	c->recv_at = c->data_at + round_up(c->room, xpu->page);
	size = c->recv_at + round_up(c->room, xpu->page);
	err = alink_bo_alloc(xpu, size, ALINK_PLACE_HBM, &c->memory);
	if (err)
		goto err_free;
	if (cfg->group_key) {
		err = alink_group_bind(c->memory, cfg->group, cfg->group_key,
				       0, alink_bo_size(c->memory));
		if (err)
			goto err_memory;
		err = alink_group_map(xpu, cfg->group, cfg->group_key,
				      alink_bo_size(c->memory), &c->group);
		if (err)
			goto err_memory;
	}
	err = alink_queue_open(xpu, 1024, &c->queue);
	if (err)
		goto err_group;
	*out = c;
	return 0;

err_group:
	alink_bo_free(c->group);
err_memory:
	alink_bo_free(c->memory);
err_free:
	free(c);
	return err;
}

void alink_comm_close(struct alink_comm *c)
{
	if (!c)
		return;
	alink_queue_close(c->queue);
	alink_bo_free(c->next);
	alink_bo_free(c->group);
	alink_bo_free(c->memory);
	free(c);
}

int alink_comm_handle(struct alink_comm *c, struct alink_handle *h)
{
	return alink_export(c->memory, ALINK_SEG_WRITE, h);
}

int alink_comm_connect(struct alink_comm *c, const struct alink_handle *next)
{
	if (c->next)
		return alink_fail(c->xpu->ctx, -EISCONN,
				  "rank %u has its next rank already", c->rank);
	if (next->size != alink_bo_size(c->memory))
		return alink_fail(c->xpu->ctx, -EINVAL,
				  "rank %u: the next rank has room for other sizes",
				  c->rank);
	return alink_import(c->xpu, next, &c->next);
}

struct alink_queue *alink_comm_queue(struct alink_comm *c)
{
	return c->queue;
}

/* --- batches ------------------------------------------------------------------ */

/*
 * Both halves of the word say the same, so that a torn look at it is never
 * ahead of the truth.
 */
static uint64_t word_of(uint64_t seq)
{
	return seq << 32 | seq;
}

static int signal_word(struct alink_comm *c, uint64_t word_va)
{
	return alink_cmd_fill(c->queue, word_va, (uint32_t)c->seq, 8, NULL);
}

static int wait_word(struct alink_comm *c, uint64_t word)
{
	return alink_cmd_wait(c->queue, alink_bo_va(c->memory) + word,
			      ALINK_WAIT_GE, word_of(c->seq), NULL);
}

static int switch_scatter(struct alink_comm *c, uint64_t src, uint64_t bytes,
			  enum alink_dtype dtype, enum alink_redop op)
{
	uint64_t own = alink_bo_va(c->memory), all = alink_bo_va(c->group);
	uint64_t at, len;
	uint32_t i;
	int err;

	err = alink_cmd_copy(c->queue, own + c->data_at, src, bytes, NULL);
	if (!err)
		err = signal_word(c, all + WORD_READY(c->rank));
	for (i = 0; i < c->ranks && !err; i++)
		err = wait_word(c, WORD_READY(i));
	comm_share(c, bytes, c->rank, &at, &len);
	if (!err && len)
		err = alink_cmd_reduce_read(c->queue, own + c->recv_at + at,
					    all + c->data_at + at, len, dtype,
					    op, NULL);
	return err;
}

static int switch_gather(struct alink_comm *c, uint64_t dst, uint64_t bytes)
{
	uint64_t own = alink_bo_va(c->memory), all = alink_bo_va(c->group);
	uint64_t at, len;
	uint32_t i;
	int err = 0;

	comm_share(c, bytes, c->rank, &at, &len);
	if (len)
		err = alink_cmd_copy(c->queue, all + c->recv_at + at,
				     own + c->recv_at + at, len, NULL);
	if (!err)
		err = signal_word(c, all + WORD_DONE(c->ranks, c->rank));
	for (i = 0; i < c->ranks && !err; i++)
		err = wait_word(c, WORD_DONE(c->ranks, i));
	if (!err)
		err = alink_cmd_copy(c->queue, dst, own + c->recv_at, bytes,
				     NULL);
	return err;
}

static int ring_send(struct alink_comm *c, uint32_t step, uint64_t to,
		     uint64_t from, uint64_t len)
{
	uint64_t next = alink_bo_va(c->next);
	int err = 0;

	if (len)
		err = alink_cmd_copy(c->queue, next + to,
				     alink_bo_va(c->memory) + from, len, NULL);
	if (!err)
		err = signal_word(c, next + WORD_STEP(c->ranks, step));
	return err;
}

static int ring_scatter(struct alink_comm *c, uint64_t src, uint64_t bytes,
			enum alink_dtype dtype, enum alink_redop op)
{
	uint64_t own = alink_bo_va(c->memory);
	uint64_t at, len, slot;
	uint32_t s, n = c->ranks;
	int err;

	err = alink_cmd_copy(c->queue, own + c->data_at, src, bytes, NULL);
	for (s = 0; s + 1 < n && !err; s++) {
		/* Shares are received where the same share of data lies. */
		comm_share(c, bytes, (c->rank + n - s) % n, &at, &len);
		err = ring_send(c, s, c->recv_at + at, c->data_at + at, len);
		if (!err)
			err = wait_word(c, WORD_STEP(n, s));
		comm_share(c, bytes, (c->rank + 2 * n - s - 1) % n, &at, &len);
		slot = own + c->recv_at + at;
		if (!err && len)
			err = alink_cmd_reduce(c->queue, own + c->data_at + at,
					       slot, own + c->data_at + at,
					       len, dtype, op, NULL);
	}
	return err;
}

static int ring_gather(struct alink_comm *c, uint64_t dst, uint64_t bytes)
{
	uint32_t s, n = c->ranks;
	uint64_t at, len;
	int err = 0;

	for (s = 0; s + 1 < n && !err; s++) {
		comm_share(c, bytes, (c->rank + 1 + n - s) % n, &at, &len);
		err = ring_send(c, n - 1 + s, c->data_at + at, c->data_at + at,
				len);
		if (!err)
			err = wait_word(c, WORD_STEP(n, n - 1 + s));
	}
	if (!err)
		err = alink_cmd_copy(c->queue, dst,
				     alink_bo_va(c->memory) + c->data_at,
				     bytes, NULL);
	return err;
}

static int comm_check(struct alink_comm *c, enum alink_algo algo,
		      uint64_t count, enum alink_dtype dtype)
{
	struct alink_ctx *ctx = c->xpu->ctx;
	size_t esz = alink_dtype_bytes(dtype);

	if (algo != ALINK_ALGO_SWITCH && algo != ALINK_ALGO_RING)
		return alink_fail(ctx, -EINVAL, "no such algorithm: %d", algo);
	if (algo == ALINK_ALGO_SWITCH && !c->group)
		return alink_fail(ctx, -ENOTCONN,
				  "rank %u was opened without a group",
				  c->rank);
	if (algo == ALINK_ALGO_RING && !c->next && c->ranks > 1)
		return alink_fail(ctx, -ENOTCONN,
				  "rank %u is not connected to its next rank",
				  c->rank);
	if (!esz || !(c->xpu->info.dtypes & (1U << dtype)))
		return alink_fail(ctx, -EOPNOTSUPP,
				  "this xPU has no arithmetic on %s",
				  alink_dtype_name(dtype));
	if (!count || count > c->room / esz)
		return alink_fail(ctx, -EMSGSIZE,
				  "%llu elements: 1 to %llu have room",
				  (unsigned long long)count,
				  (unsigned long long)(c->room / esz));
	if (c->seq == INT32_MAX)
		return alink_fail(ctx, -EOVERFLOW,
				  "this communicator is used up: open it again");
	return 0;
}

int alink_allreduce(struct alink_comm *c, enum alink_algo algo, uint64_t dst,
		    uint64_t src, uint64_t count, enum alink_dtype dtype,
		    enum alink_redop op, uint64_t *seq)
{
	uint64_t bytes = count * alink_dtype_bytes(dtype);
	int err = comm_check(c, algo, count, dtype);

	if (err)
		return err;
	c->seq++;
	if (algo == ALINK_ALGO_SWITCH) {
		err = switch_scatter(c, src, bytes, dtype, op);
		if (!err)
			err = switch_gather(c, dst, bytes);
	} else {
		err = ring_scatter(c, src, bytes, dtype, op);
		if (!err)
			err = ring_gather(c, dst, bytes);
	}
	if (!err)
		err = alink_cmd_nop(c->queue, seq);
	if (!err)
		alink_queue_kick(c->queue);
	return err;
}

int alink_comm_wait(struct alink_comm *c, uint64_t seq, int timeout_ms)
{
	return alink_queue_wait(c->queue, seq, timeout_ms);
}
