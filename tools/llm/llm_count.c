// SPDX-License-Identifier: GPL-2.0-only
/* What the ports counted, and what they must have counted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "llm_node.h"

/* Each rank signals twice in an all-reduce, to all: 8 bytes. */
#define SIGNAL_BYTES	16

/* Shares of an all-reduce are whole packets; the last ones may be short. */
static uint64_t share_of(uint64_t bytes, uint32_t ranks, uint32_t rank)
{
	uint64_t share = (bytes + ranks - 1) / ranks, at;

	share = (share + ALINK_PACKET_BYTES - 1) / ALINK_PACKET_BYTES *
		ALINK_PACKET_BYTES;
	at = share * rank;
	if (at >= bytes)
		return 0;
	return bytes - at < share ? bytes - at : share;
}

/*
 * Of N bytes among n ranks, rank i having N_i of them (hw/fabric.rst,
 * "Counters"). Reducing reads: it sends its part of all N, and gets N_i.
 * Multicast writes: it sends N_i, and gets all N, its own too. Signals are
 * multicast writes.
 */
void llm_expect(struct llm_node *n, uint64_t bytes)
{
	uint32_t ranks = n->s->xpus, i;

	for (i = 0; i < ranks; i++) {
		uint64_t own = share_of(bytes, ranks, i);

		n->want[i].tx += bytes + own + SIGNAL_BYTES;
		n->want[i].rx += own + bytes + ranks * SIGNAL_BYTES;
	}
	n->sums++;
}

static int rank_of(const struct llm_node *n, const struct alink_link_info *l,
		   bool *up)
{
	uint32_t i;

	for (i = 0; i < n->s->xpus; i++) {
		if (l->dev == n->index[i]) {
			*up = true;
			return (int)i;
		}
		if (l->peer_type == ALINK_DEVTYPE_XPU &&
		    l->peer_id == n->endpoint[i]) {
			*up = false;
			return (int)i;
		}
	}
	return -1;
}

int llm_count_read(struct llm_node *n, struct llm_count *c)
{
	struct alink_link_info *link;
	size_t i, num;
	int err, rank;
	bool up;

	memset(c, 0, sizeof(*c));
	err = alink_links(n->ctx, ALINK_ALL, &link, &num);
	if (err)
		return llm_node_fail(n, "counters", err);
	c->busy[TO_SWITCH] = calloc(num + 1, sizeof(uint64_t));
	c->busy[TO_XPU] = calloc(num + 1, sizeof(uint64_t));
	if (!c->busy[TO_SWITCH] || !c->busy[TO_XPU]) {
		free(link);
		llm_count_free(c);
		return llm_fail(n->e, -ENOMEM, "out of memory");
	}
	for (i = 0; i < num; i++) {
		const struct alink_link_stats *s = &link[i].stats;

		rank = rank_of(n, &link[i], &up);
		if (rank < 0)
			continue;
		if (up) {
			c->busy[TO_SWITCH][c->num[TO_SWITCH]++] = s->busy_ns;
			c->rank[rank].tx += s->tx_bytes;
			c->rank[rank].rx += s->rx_bytes;
		} else {
			c->busy[TO_XPU][c->num[TO_XPU]++] = s->busy_ns;
			c->rank[rank].switch_rx += s->rx_bytes;
			c->rank[rank].switch_tx += s->tx_bytes;
		}
	}
	free(link);
	return 0;
}

void llm_count_free(struct llm_count *c)
{
	free(c->busy[TO_SWITCH]);
	free(c->busy[TO_XPU]);
	memset(c, 0, sizeof(*c));
}

uint64_t llm_count_wire(const struct llm_count *before,
			const struct llm_count *after)
{
	uint64_t sum = 0, max, grown;
	size_t i;
	int d;

	for (d = TO_SWITCH; d <= TO_XPU; d++) {
		max = 0;
		for (i = 0; i < after->num[d] && i < before->num[d]; i++) {
			grown = after->busy[d][i] - before->busy[d][i];
			max = grown > max ? grown : max;
		}
		sum += max;
	}
	return sum;
}
