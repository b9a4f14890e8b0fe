// SPDX-License-Identifier: GPL-2.0-only
/*
 * Communicators: the memory and the queue of one rank, what it sees of the
 * others, and how ranks meet. See lib_comm.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib_comm.h"

static int comm_join_group(struct alink_comm *c,
			   const struct alink_comm_config *cfg)
{
	uint64_t size = alink_bo_size(c->memory);
	int err;

	if (!cfg->group_key)
		return 0;
	err = alink_group_bind(c->memory, cfg->group, cfg->group_key, 0, size);
	if (err)
		return err;
	return alink_group_map(c->xpu, cfg->group, cfg->group_key, size,
			       &c->group);
}

/* Links that routes of the xPU have as spares, and none has else */
static int comm_spares(struct alink_comm *c, uint32_t *spares)
{
	struct alink_set spare = {}, port = {};
	struct alink_route_info *routes;
	size_t i, n;
	int err;

	err = alink_routes(c->xpu->ctx, c->xpu->info.index, &routes, &n);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		/* An xPU has no more links than a word has bits. */
		spare.bits[0] |= routes[i].spares.bits[0];
		port.bits[0] |= routes[i].ports.bits[0];
	}
	free(routes);
	spare.bits[0] &= ~port.bits[0];
	*spares = alink_set_count(&spare);
	return 0;
}

/* Links as they are fitted, without spares: see lib_coll_time.c. */
static int comm_links(struct alink_comm *c)
{
	const struct alink_xpu_info *info = &c->xpu->info;
	struct alink_link_info *links;
	uint32_t spares;
	size_t i, n;
	int err;

	err = comm_spares(c, &spares);
	if (err)
		return err;
	err = alink_links(c->xpu->ctx, info->index, &links, &n);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		if (!c->link_mbps || links[i].max_speed < c->link_mbps)
			c->link_mbps = links[i].max_speed;
	c->links = n > spares ? (uint32_t)n - spares : 0;
	free(links);
	if (c->links && c->link_mbps)
		return 0;
	return alink_fail(c->xpu->ctx, -ENOTCONN, "%s shows no links: is it in reset?",
			  info->name);
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
	/* Sequence numbers have 31 bits. */
	c->epoch = (uint64_t)cfg->generation << 32;
	c->timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : ALINK_COMM_TIMEOUT_MS;
	c->peer = calloc(c->ranks, sizeof(*c->peer));
	if (!c->peer) {
		err = alink_fail(ctx, -ENOMEM, "out of memory");
		goto err_free;
	}
	err = comm_links(c);
	if (err)
		goto err_peer;
	c->room = round_up(cfg->max_bytes, ALINK_PACKET_BYTES * cfg->ranks);
	c->data_at = round_up(WORD_BYTES(cfg->ranks), xpu->page);
	c->recv_at = c->data_at + round_up(c->room, xpu->page);
	size = c->recv_at + round_up(c->room, xpu->page);
	err = alink_bo_alloc(xpu, size, ALINK_PLACE_HBM, &c->memory);
	if (err)
		goto err_peer;
	err = comm_join_group(c, cfg);
	if (err)
		goto err_memory;
	err = alink_queue_open(xpu, COMM_DEPTH, &c->queue);
	if (err)
		goto err_group;
	*out = c;
	return 0;

err_group:
	alink_bo_free(c->group);
err_memory:
	alink_bo_free(c->memory);
err_peer:
	free(c->peer);
err_free:
	free(c);
	return err;
}

void alink_comm_close(struct alink_comm *c)
{
	uint32_t i;

	if (!c)
		return;
	alink_queue_close(c->queue);
	for (i = 0; i < c->ranks; i++)
		alink_bo_free(c->peer[i]);
	alink_bo_free(c->group);
	alink_bo_free(c->memory);
	free(c->peer);
	free(c);
}

int alink_comm_handle(struct alink_comm *c, struct alink_handle *h)
{
	return alink_export(c->memory, ALINK_SEG_WRITE, h);
}

int alink_comm_connect(struct alink_comm *c, uint32_t rank,
		       const struct alink_handle *h)
{
	struct alink_ctx *ctx = c->xpu->ctx;

	if (rank >= c->ranks || rank == c->rank)
		return alink_fail(ctx, -EINVAL,
				  "rank %u of %u cannot connect to rank %u",
				  c->rank, c->ranks, rank);
	if (c->peer[rank])
		return alink_fail(ctx, -EISCONN,
				  "rank %u is connected to rank %u already",
				  c->rank, rank);
	if (h->size != alink_bo_size(c->memory))
		return alink_fail(ctx, -EINVAL,
				  "rank %u: rank %u has room for other sizes",
				  c->rank, rank);
	return alink_import(c->xpu, h, &c->peer[rank]);
}

struct alink_queue *alink_comm_queue(struct alink_comm *c)
{
	return c->queue;
}

uint64_t alink_comm_data(const struct alink_comm *c)
{
	return comm_data(c);
}

/* --- how ranks meet ----------------------------------------------------------- */

/*
 * Both halves of the word say the same, so that a torn look at it is never
 * ahead of the truth.
 */
static uint64_t word_of(uint64_t seq)
{
	return seq << 32 | seq;
}

int comm_copy(struct alink_comm *c, uint64_t dst, uint64_t src, uint64_t bytes)
{
	if (dst == src || !bytes)
		return 0;
	return alink_cmd_copy(c->queue, dst, src, bytes, NULL);
}

int comm_signal(struct alink_comm *c, uint64_t word_va)
{
	return alink_cmd_fill(c->queue, word_va, (uint32_t)c->seq, 8, NULL);
}

int comm_wait_word(struct alink_comm *c, uint64_t word)
{
	/* Of a device that cannot the rank waits until it is closed. */
	uint32_t ms = c->xpu->info.caps & ALINK_CAP_WAIT_MS ? c->timeout_ms : 0;

	return alink_cmd_wait_ms(c->queue, alink_bo_va(c->memory) + word,
				 ALINK_WAIT_GE, word_of(c->seq), ms, NULL);
}

/* The words that all ranks write, the one of rank 0 being @first */
int comm_wait_all(struct alink_comm *c, uint64_t first)
{
	uint32_t i;
	int err = 0;

	for (i = 0; i < c->ranks && !err; i++)
		err = comm_wait_word(c, first + (uint64_t)i * WORD_STRIDE);
	return err;
}
