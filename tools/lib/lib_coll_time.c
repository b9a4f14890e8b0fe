// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long collectives take by the timing model (Documentation/hw/fabric.rst and
 * xpu.rst, "Timing"), and which algorithm takes least.
 *
 * All ranks must come to the same choice, and nobody tells them of it: it rests
 * on what they have in common and what does not change, so on what their xPUs are
 * capable of, which has to be the same, and on links as they are fitted, not on how
 * they are; and on no address, so data is taken to be in the
 * communicators' own memory, where nothing is copied.
 *
 * Time is that of the rank that takes longest, all of them having begun at once.
 * What a link carries is not written into a formula for each collective: what
 * a rank sends one after the other is, and what others want of the same link
 * meanwhile.
 */
#include <errno.h>
#include <hw/alink/xpu.h>

#include "lib_comm.h"

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* S(x) of fabric.rst */
static uint64_t serial_ns(const struct alink_comm *c, uint64_t bytes)
{
	return div_up(8000 * bytes, c->link_mbps);
}

uint64_t alink_wire_ns(uint64_t links, uint64_t mbps, uint64_t bytes)
{
	uint64_t packets = div_up(div_up(bytes, ALINK_PACKET_BYTES), links);
	uint64_t share = packets * ALINK_PACKET_BYTES;

	if (share > bytes)
		share = bytes;
	return div_up(8000 * (share + packets * ALINK_PACKET_OVERHEAD), mbps);
}

static uint64_t wire_ns(const struct alink_comm *c, uint64_t bytes)
{
	return alink_wire_ns(c->links, c->link_mbps, bytes);
}

/* Requests and responses without payload, for so many bytes */
static uint64_t bare_ns(const struct alink_comm *c, uint64_t bytes)
{
	uint64_t packets = div_up(div_up(bytes, ALINK_PACKET_BYTES), c->links);

	return serial_ns(c, packets * ALINK_PACKET_OVERHEAD);
}

/* A command that moves @bytes over the fabric; none if there are none. */
static uint64_t move_ns(const struct alink_comm *c, uint64_t bytes)
{
	if (!bytes)
		return 0;
	return ALINK_XPU_DESC_NS + 2 * ALINK_TIME_ENDPOINT_NS +
	       4 * ALINK_TIME_CABLE_NS + 2 * ALINK_TIME_HOP_NS +
	       serial_ns(c, ALINK_PACKET_OVERHEAD) + wire_ns(c, bytes);
}

static uint64_t reduce_read_ns(const struct alink_comm *c, uint64_t bytes)
{
	if (!bytes)
		return 0;
	if (c->ranks > 1)
		return move_ns(c, bytes) + ALINK_TIME_REDUCE_NS;
	return ALINK_XPU_DESC_NS + ALINK_TIME_ENDPOINT_NS +
	       2 * ALINK_TIME_CABLE_NS + ALINK_TIME_HOP_NS +
	       ALINK_TIME_REDUCE_NS + wire_ns(c, bytes);
}

static uint64_t word_ns(const struct alink_comm *c)
{
	return move_ns(c, 8);
}

/* A REDUCE within HBM */
static uint64_t add_ns(uint64_t bytes)
{
	return bytes ? ALINK_XPU_DESC_NS +
		       div_up(1000 * bytes, ALINK_XPU_REDUCE_MBPS) : 0;
}

/* --- by the switches --------------------------------------------------------- */

/* A word of each rank to all, and as many commands that wait for one */
static uint64_t meet_ns(const struct alink_comm *c)
{
	return word_ns(c) + (uint64_t)c->ranks * ALINK_XPU_DESC_NS;
}

/*
 * What a rank's link carries beyond what the rank has to wait for anyway: others'
 * words, and answers to them.
 */
static uint64_t others_words_ns(const struct alink_comm *c, unsigned int meetings)
{
	return meetings * (c->ranks - 1) * bare_ns(c, 8);
}

static uint64_t by_switch_ns(const struct alink_comm *c,
			     enum alink_collective what, uint64_t bytes)
{
	uint64_t at, len, all = bytes * c->ranks;

	switch (what) {
	case ALINK_COLL_ALLREDUCE:
		/* Its link gives all data to readers, and its result to all. */
		comm_share(c, bytes, 0, &at, &len);
		return 2 * meet_ns(c) + reduce_read_ns(c, len) + move_ns(c, len) +
		       wire_ns(c, bytes) - wire_ns(c, len) +
		       bare_ns(c, bytes) + others_words_ns(c, 2);
	case ALINK_COLL_REDUCE_SCATTER:
		return 2 * meet_ns(c) + reduce_read_ns(c, bytes) +
		       wire_ns(c, all) - wire_ns(c, bytes) +
		       others_words_ns(c, 2);
	case ALINK_COLL_ALLGATHER:
		return 2 * meet_ns(c) + move_ns(c, bytes) +
		       wire_ns(c, all) - wire_ns(c, bytes) +
		       bare_ns(c, bytes) + others_words_ns(c, 2);
	case ALINK_COLL_REDUCE:
		return meet_ns(c) + reduce_read_ns(c, bytes) + word_ns(c) +
		       ALINK_XPU_DESC_NS;
	case ALINK_COLL_BROADCAST:
		return meet_ns(c) + move_ns(c, bytes) + bare_ns(c, bytes) +
		       word_ns(c) + ALINK_XPU_DESC_NS;
	case ALINK_COLL_BARRIER:
		return meet_ns(c);
	}
	return 0;
}

/* --- in a ring --------------------------------------------------------------- */

/* From one rank to the next, the word behind it, and the wait for that */
static uint64_t step_ns(const struct alink_comm *c, uint64_t bytes)
{
	return move_ns(c, bytes) + word_ns(c) + ALINK_XPU_DESC_NS;
}

/*
 * There and back each rank sends all shares but one, and not the same; who leaves
 * out the last two, which may be short or empty, has most to do. He adds one of
 * these, if its sum does not stay where it is sent from.
 */
static uint64_t shares_ns(const struct alink_comm *c, uint64_t bytes)
{
	uint64_t at, len, sum = 0;
	uint32_t i;

	for (i = 0; i < c->ranks; i++) {
		comm_share(c, bytes, i, &at, &len);
		sum += (i + 2 < c->ranks ? 2 : 1) * step_ns(c, len);
	}
	comm_share(c, bytes, c->ranks - 2, &at, &len);
	return comm_keeps(c) ? sum : sum + add_ns(len);
}

/* Share by share from the first rank of a chain to the last */
static uint64_t chain_ns(const struct alink_comm *c, uint64_t bytes)
{
	uint64_t at, len, sum = 0;
	uint32_t i;

	comm_share(c, bytes, 0, &at, &len);
	for (i = 2; i < c->ranks; i++)
		sum += step_ns(c, len);
	for (i = 0; i < c->ranks; i++) {
		comm_share(c, bytes, i, &at, &len);
		if (len)
			sum += step_ns(c, len);
	}
	return sum;
}

static uint64_t ring_ns(const struct alink_comm *c, enum alink_collective what,
			uint64_t bytes)
{
	uint64_t at, len, enter = word_ns(c) + ALINK_XPU_DESC_NS;

	if (c->ranks == 1)
		return 0;
	comm_share(c, bytes, 0, &at, &len);
	switch (what) {
	case ALINK_COLL_ALLREDUCE:
		return enter + shares_ns(c, bytes);
	case ALINK_COLL_REDUCE_SCATTER:
		return enter + (c->ranks - 1) * step_ns(c, bytes) +
		       add_ns(bytes);
	case ALINK_COLL_ALLGATHER:
		return enter + (c->ranks - 1) * step_ns(c, bytes);
	case ALINK_COLL_REDUCE:
		return enter + chain_ns(c, bytes) + add_ns(len);
	case ALINK_COLL_BROADCAST:
		return enter + chain_ns(c, bytes);
	case ALINK_COLL_BARRIER:
		return 2ULL * c->ranks * step_ns(c, 0);
	}
	return 0;
}

/* --- by reducing push --------------------------------------------------------- */

/* Chunk by chunk, without a gap: fabric.rst, "Reducing push" */
static uint64_t push_ns(const struct alink_comm *c, uint64_t bytes)
{
	uint64_t chunk = alink_push_chunk(c->ranks);

	return ALINK_XPU_DESC_NS + 2 * ALINK_TIME_ENDPOINT_NS +
	       2 * ALINK_TIME_CABLE_NS + ALINK_TIME_HOP_NS +
	       ALINK_TIME_REDUCE_NS + bytes / chunk * wire_ns(c, chunk) +
	       wire_ns(c, bytes % chunk);
}

/* --- all of them -------------------------------------------------------------- */

static bool possible(const struct alink_comm *c, enum alink_collective what,
		     enum alink_algo algo)
{
	switch (algo) {
	case ALINK_ALGO_SWITCH:
		return c->group;
	case ALINK_ALGO_RING:
		return c->ranks == 1 ||
		       (c->peer[comm_next(c)] && c->peer[comm_prev(c)]);
	case ALINK_ALGO_PUSH:
		return c->group && what == ALINK_COLL_ALLREDUCE &&
		       c->xpu->info.caps & ALINK_CAP_PUSH;
	case ALINK_ALGO_AUTO:
		break;
	}
	return false;
}

static uint64_t time_ns(const struct alink_comm *c, enum alink_collective what,
			enum alink_algo algo, uint64_t bytes)
{
	/* Behind them all comes one that does nothing: see coll_start(). */
	switch (algo) {
	case ALINK_ALGO_SWITCH:
		return by_switch_ns(c, what, bytes) + ALINK_XPU_DESC_NS;
	case ALINK_ALGO_RING:
		return ring_ns(c, what, bytes) + ALINK_XPU_DESC_NS;
	case ALINK_ALGO_PUSH:
		return push_ns(c, bytes) + ALINK_XPU_DESC_NS;
	case ALINK_ALGO_AUTO:
		break;
	}
	return 0;
}

enum alink_algo coll_fastest(const struct alink_comm *c,
			     enum alink_collective what, uint64_t bytes)
{
	/* Which is refused, and says why, where none is possible. */
	enum alink_algo best = ALINK_ALGO_RING, a;
	uint64_t ns, least = UINT64_MAX;

	for (a = ALINK_ALGO_SWITCH; a < ALINK_ALGO_AUTO; a++) {
		if (!possible(c, what, a))
			continue;
		ns = time_ns(c, what, a, bytes);
		if (ns < least) {
			least = ns;
			best = a;
		}
	}
	return best;
}

int alink_collective_time(const struct alink_comm *c, enum alink_collective what,
			  enum alink_algo *algo, uint64_t bytes, uint64_t *ns)
{
	if (what > ALINK_COLL_BARRIER)
		return alink_fail(c->xpu->ctx, -EINVAL,
				  "no such collective: %d", what);
	if (*algo == ALINK_ALGO_AUTO)
		*algo = coll_fastest(c, what, bytes);
	if (!possible(c, what, *algo))
		return alink_fail(c->xpu->ctx, -EOPNOTSUPP,
				  "rank %u has no group and no neighbours, or its xPU no reducing push",
				  c->rank);
	*ns = time_ns(c, what, *algo, bytes);
	return 0;
}
