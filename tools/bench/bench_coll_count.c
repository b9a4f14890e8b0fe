// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the devices count of a collective: bytes, and modelled time.
 *
 * Modelled time is that of the slowest rank's commands, one after the other. In
 * a ring no two ranks want a link at once; through the switches all of them do:
 * what the busiest direction of a link carried, beyond what that rank alone
 * would put there, is added, as if nothing overlapped. A push is one operation of
 * all, whose time has what all of them carry. Where ranks wait for one
 * another in a chain no rank's commands tell the time, and none is given.
 */
#include <errno.h>
#include <string.h>

#include "bench_coll.h"

/* The status block may come after the fence that told of it. */
static int model_ns(struct coll_node *m, uint32_t rank, uint64_t seq,
		    uint64_t *ns)
{
	struct alink_queue *q = alink_comm_queue(m->rank[rank].comm);
	uint64_t end = bench_ns() + BENCH_WAIT_MS * 1000000ULL;
	struct alink_queue_state s;

	do {
		alink_queue_state(q, &s);
		if (s.head == (uint32_t)seq) {
			*ns = s.model_ns;
			return 0;
		}
	} while (bench_ns() < end);
	return bench_fail(m->b, -ETIME,
			  "rank %u: its status block is at command %u of %llu",
			  rank, s.head, (unsigned long long)seq);
}

int coll_count(struct coll_node *m, const uint64_t *seq, struct coll_counts *k)
{
	uint32_t i, index;
	size_t l;
	int err;

	memset(k, 0, sizeof(*k));
	for (i = 0; i < m->n; i++) {
		err = model_ns(m, i, seq[i], &k->model_ns[i]);
		if (err)
			return err;
	}
	err = alink_links(m->b->ctx, ALINK_ALL, &k->link, &k->num_links);
	if (err)
		return bench_fail_alink(m->b, "links", err);
	for (i = 0; i < m->n; i++) {
		index = alink_xpu_info(m->rank[i].xpu)->index;
		for (l = 0; l < k->num_links; l++) {
			if (k->link[l].dev != index)
				continue;
			k->sent[i] += k->link[l].stats.tx_bytes;
			k->received[i] += k->link[l].stats.rx_bytes;
		}
	}
	return 0;
}

static uint64_t busiest(const struct coll_counts *k0, const struct coll_counts *k1)
{
	uint64_t ns, most = 0;
	size_t l;

	for (l = 0; l < k0->num_links && l < k1->num_links; l++) {
		ns = k1->link[l].stats.busy_ns - k0->link[l].stats.busy_ns;
		if (ns > most)
			most = ns;
	}
	return most;
}

/*
 * Time on the wire of an operation of @bytes, over the links that carry some of it:
 * not over a spare that is idle. Fewer packets than links need no more of them.
 */
static uint64_t wire_ns(const struct coll_node *m, const struct coll_counts *k0,
			const struct coll_counts *k1, uint64_t bytes)
{
	uint32_t index = alink_xpu_info(m->rank[0].xpu)->index;
	uint64_t links = 0, rate = 0;
	size_t l;

	for (l = 0; l < k0->num_links && l < k1->num_links; l++) {
		const struct alink_link_info *link = &k0->link[l];

		if (link->dev != index || !link->speed ||
		    k1->link[l].stats.tx_packets == link->stats.tx_packets)
			continue;
		links++;
		if (!rate || link->speed < rate)
			rate = link->speed;
	}
	return links ? alink_wire_ns(links, rate, bytes) : 0;
}

/* What one rank puts on the wire through the switches, for its model_ns */
static uint64_t own_wire_ns(const struct coll_node *m,
			    const struct coll_counts *k0,
			    const struct coll_counts *k1,
			    const struct coll_case *c)
{
	uint64_t block = c->count * alink_dtype_bytes(c->dtype);
	uint64_t word = wire_ns(m, k0, k1, 8);

	switch (c->kind) {
	case COLL_ALLREDUCE:
		return 2 * wire_ns(m, k0, k1, (block + m->n - 1) / m->n) +
		       2 * word;
	case COLL_BARRIER:
		return word;
	default:
		return wire_ns(m, k0, k1, block) + 2 * word;
	}
}

static bool coll_is_chain(const struct coll_case *c)
{
	return c->algo == ALINK_ALGO_RING &&
	       (c->kind == COLL_BROADCAST || c->kind == COLL_REDUCE ||
		c->kind == COLL_BARRIER);
}

void coll_subtract(const struct coll_node *m, const struct coll_case *c,
		   const struct coll_counts *k0, const struct coll_counts *k1,
		   struct coll_result *r)
{
	uint64_t ns, most = 0, wire, own, v;
	uint32_t i;

	for (i = 0; i < m->n; i++) {
		ns = k1->model_ns[i] - k0->model_ns[i];
		if (ns > most)
			most = ns;
		v = k1->sent[i] - k0->sent[i];
		if (v > r->sent)
			r->sent = v;
		v = k1->received[i] - k0->received[i];
		if (v > r->received)
			r->received = v;
	}
	if (!coll_whats[c->kind].direct && c->algo == ALINK_ALGO_SWITCH) {
		wire = busiest(k0, k1);
		own = own_wire_ns(m, k0, k1, c);
		most += wire > own ? wire - own : 0;
	}
	r->model_ns = (double)most;
	r->modelled = !coll_is_chain(c);
}
