// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counters and modelled time. Documentation/hw/fabric.rst, "Counters" and
 * "Timing", has the formulas; the unit tests hold this file against them.
 *
 * One direction of a link is the end that sends: it has a busy-until time on
 * the fabric clock. A stream of data waits for it (stall), then holds it for
 * its serialisation time. Packets without payload (requests, responses)
 * travel in a virtual channel with priority: they never wait, and what they
 * take on the wire delays the data behind them.
 *
 * Everything here runs under page->acct, inside the reader lock.
 */
#include "fabric_internal.h"

/* Raw bytes of a stream */
static uint64_t raw_bytes(uint64_t bytes, uint64_t packets)
{
	return bytes + packets * ALINK_PACKET_OVERHEAD;
}

/* What goes again: a packet as large as there are */
#define REPLAY_BYTES	(ALINK_PACKET_BYTES + ALINK_PACKET_OVERHEAD)

/* Without a credit for so long, who sends has the link trained */
#define CREDIT_STALL_NS	(ALINK_LINK_CREDIT_STALL_US * 1000ULL)

/* Serialisation time of @raw bytes at @mbps, ns, rounded up */
static uint64_t ser_ns(uint64_t raw, uint32_t mbps)
{
	return ((unsigned __int128)raw * 8000 + mbps - 1) / mbps;
}

/* What one operation works with */
struct walk {
	struct af_fabric *f;
	struct af_page *p;
	bool timed;
	uint64_t t0;
	uint64_t end;		/* latest arrival so far */
	uint64_t endpoint, cable;
};

static uint64_t hop_ns(const struct walk *w, uint32_t in)
{
	uint32_t hop = w->p->sw[af_side_dev(in)].hop_ns;

	return hop ? hop : w->p->params.hop_ns;
}

static uint64_t side_ser(const struct walk *w, uint32_t side, uint64_t raw)
{
	return ser_ns(raw, w->p->side[side].speed_mbps);
}

static void count(struct walk *w, uint32_t side, uint64_t bytes,
		  uint64_t packets)
{
	struct af_side *tx = &w->p->side[side];
	struct af_side *rx = &w->p->side[tx->cable - 1];
	uint64_t raw = raw_bytes(bytes, packets);

	tx->count.tx_bytes += bytes;
	tx->count.tx_packets += packets;
	tx->count.tx_raw += raw;
	rx->count.rx_bytes += bytes;
	rx->count.rx_packets += packets;
	rx->count.rx_raw += raw;
	af_bit_errors(rx, tx, raw);
}

/* Packets without payload leave @side. */
static void control(struct walk *w, uint32_t side, uint64_t packets)
{
	struct af_side *s = &w->p->side[side];
	uint64_t ser;

	count(w, side, 0, packets);
	if (!w->timed)
		return;
	ser = side_ser(w, side, raw_bytes(0, packets));
	s->count.busy_ns += ser;
	if (s->busy_until < w->t0)
		s->busy_until = w->t0;
	s->busy_until += ser;
}

uint64_t af_replays(struct af_side *tx, struct af_side *rx, uint64_t packets)
{
	uint64_t n = packets < rx->burst ? packets : rx->burst;

	rx->burst -= n;
	rx->count.crc_errors += n;
	tx->count.replays += n;
	return n;
}

/*
 * Data leaves @side, not before @ready; the last bit is not there before
 * @last (a slower link feeds this one). Returns when the first bit leaves and
 * when the last one has left.
 */
struct span {
	uint64_t first, last;
};

static struct span data(struct walk *w, uint32_t side, uint64_t bytes,
			uint64_t packets, uint64_t ready, uint64_t last)
{
	struct af_side *s = &w->p->side[side];
	struct span out = { ready, ready };
	uint64_t ser, again, stalls;

	count(w, side, bytes, packets);
	again = af_replays(s, &w->p->side[s->cable - 1], packets);
	stalls = af_credits(w->f, s, packets);
	if (!w->timed)
		return out;
	ser = side_ser(w, side, raw_bytes(bytes, packets));
	if (s->busy_until > ready) {
		s->count.stall_ns += s->busy_until - ready;
		out.first = s->busy_until;
	}
	out.last = out.first + ser;
	if (out.last < last)
		out.last = last;
	/* What is sent again is asked for first, and the rest waits behind it. */
	if (again) {
		s->count.stall_ns += again * 2 * w->cable;
		ser += again * side_ser(w, side, REPLAY_BYTES);
		out.last += again * (side_ser(w, side, REPLAY_BYTES) +
				     2 * w->cable);
	}
	s->count.stall_ns += stalls * CREDIT_STALL_NS;
	out.last += stalls * CREDIT_STALL_NS;
	s->count.busy_ns += ser;
	s->busy_until = out.last;
	return out;
}

/* Two links with a switch between them. */
static struct span data_through(struct walk *w, uint32_t up, uint32_t out,
				uint64_t bytes, uint64_t packets,
				uint64_t ready)
{
	uint64_t through = w->cable + hop_ns(w, out);
	struct span s = data(w, up, bytes, packets, ready, 0);

	return data(w, out, bytes, packets, s.first + through,
		    s.last + through);
}

/* A packet without payload from one endpoint to another over a switch */
static uint64_t control_ns(const struct walk *w, uint32_t side, uint32_t in)
{
	return side_ser(w, side, ALINK_PACKET_OVERHEAD) + 2 * w->cable +
	       hop_ns(w, in);
}

static void begin(struct af_fabric *f, struct walk *w)
{
	struct af_page *p = f->page;

	af_acct_lock(f);
	w->f = f;
	w->p = p;
	w->timed = p->timing != AF_TIMING_OFF;
	w->t0 = w->timed ? af_clock_ns(f) : 0;
	w->end = w->t0;
	w->endpoint = p->params.endpoint_ns;
	w->cable = p->params.cable_ns;
}

static void arrived(struct walk *w, uint64_t t)
{
	if (t > w->end)
		w->end = t;
}

static uint64_t finish(struct af_fabric *f, struct walk *w)
{
	af_acct_unlock(f);
	return w->timed ? w->end - w->t0 : 0;
}

uint64_t af_account_read(struct af_fabric *f, const struct af_path *path)
{
	struct walk w;
	struct span s;

	begin(f, &w);
	for (uint32_t i = 0; i < path->num; i++) {
		const struct af_lane *l = &path->lane[i];

		if (!l->packets)
			continue;
		control(&w, l->src, l->packets);
		control(&w, l->out, l->packets);
		s = data_through(&w, l->dst, l->in, l->bytes, l->packets,
				 w.t0 + 2 * w.endpoint +
				 control_ns(&w, l->src, l->in));
		arrived(&w, s.last + w.cable);
	}
	return finish(f, &w);
}

uint64_t af_account_write(struct af_fabric *f, const struct af_path *path)
{
	struct walk w;
	struct span s;

	begin(f, &w);
	for (uint32_t i = 0; i < path->num; i++) {
		const struct af_lane *l = &path->lane[i];

		if (!l->packets)
			continue;
		s = data_through(&w, l->src, l->out, l->bytes, l->packets,
				 w.t0 + w.endpoint);
		control(&w, l->dst, l->packets);
		control(&w, l->in, l->packets);
		arrived(&w, s.last + w.cable + w.endpoint +
			    control_ns(&w, l->dst, l->in));
	}
	return finish(f, &w);
}

/* One packet of @req bytes there and one of @resp bytes back */
uint64_t af_account_atomic(struct af_fabric *f, const struct af_path *path,
			   uint64_t offset, uint32_t req, uint32_t resp)
{
	const struct af_lane *l;
	struct walk w;
	struct span s;

	l = &path->lane[offset / ALINK_PACKET_BYTES % path->num];
	begin(f, &w);
	s = data_through(&w, l->src, l->out, req, 1, w.t0 + w.endpoint);
	s = data_through(&w, l->dst, l->in, resp, 1,
			 s.last + w.cable + w.endpoint);
	arrived(&w, s.last + w.cable);
	return finish(f, &w);
}

/* The switch port by which lane @l reaches member @m */
static uint32_t member_port(struct af_fabric *f, uint32_t id,
			    const struct af_lane *l, uint32_t m)
{
	bool down;

	if (m == id)
		return l->in;
	return af_path_egress(f, af_side_dev(l->in), m, l->turn, &down);
}

#define for_each_member(m, g) \
	for (m = af_next_member(g, 0); m < AF_MAX_EP; \
	     m = af_next_member(g, m + 1))

/* An operation counts once at a switch, over however many links it comes. */
static bool first_of_plane(const struct af_path *path, uint32_t lane)
{
	const struct af_lane *l = path->lane;

	for (uint32_t i = 0; i < lane; i++)
		if (l[i].packets &&
		    af_side_dev(l[i].in) == af_side_dev(l[lane].in))
			return false;
	return true;
}

uint64_t af_account_multicast(struct af_fabric *f, uint32_t id, uint32_t group,
			      const struct af_path *path)
{
	uint64_t through, ack;
	uint32_t m, port, peer;
	struct span up, s;
	struct walk w;

	(void)group;
	begin(f, &w);
	for (uint32_t i = 0; i < path->num; i++) {
		const struct af_lane *l = &path->lane[i];

		if (!l->packets)
			continue;
		through = w.cable + hop_ns(&w, l->in);
		up = data(&w, l->src, l->bytes, l->packets, w.t0 + w.endpoint,
			  0);
		for_each_member(m, path->group) {
			port = member_port(f, id, l, m);
			peer = af_side_peer(w.p, port);
			s = data(&w, port, l->bytes, l->packets,
				 up.first + through, up.last + through);
			control(&w, peer, l->packets);
			ack = w.timed ? control_ns(&w, peer, l->in) : 0;
			arrived(&w, s.last + w.cable + w.endpoint + ack);
		}
		/* The switch joins the members' responses into one. */
		control(&w, l->in, l->packets);
		w.p->sw[af_side_dev(l->in)].multicasts +=
			first_of_plane(path, i);
	}
	return finish(f, &w);
}

uint64_t af_account_reduce(struct af_fabric *f, uint32_t id, uint32_t group,
			   const struct af_path *path)
{
	uint64_t first, last, through;
	uint32_t m, port, peer;
	struct af_group *g;
	struct walk w;
	struct span s;
	bool once;

	begin(f, &w);
	for (uint32_t i = 0; i < path->num; i++) {
		const struct af_lane *l = &path->lane[i];

		if (!l->packets)
			continue;
		through = w.cable + hop_ns(&w, l->in);
		first = 0;
		last = 0;
		for_each_member(m, path->group) {
			uint64_t ready = w.t0 + w.endpoint;

			port = member_port(f, id, l, m);
			peer = af_side_peer(w.p, port);
			/* Requests carry the initiator's own data. */
			if (m != id) {
				control(&w, port, l->packets);
				ready += w.endpoint +
					 control_ns(&w, l->src, l->in);
			}
			s = data(&w, peer, l->bytes, l->packets, ready, 0);
			if (s.first > first)
				first = s.first;
			if (s.last > last)
				last = s.last;
		}
		/* The engine needs a word of all before it has one to send. */
		through += w.p->params.reduce_ns;
		s = data(&w, l->in, l->bytes, l->packets, first + through,
			 last + through);
		arrived(&w, s.last + w.cable);

		once = first_of_plane(path, i);
		w.p->sw[af_side_dev(l->in)].reductions += once;
		g = &w.p->group[af_side_dev(l->in)][group];
		g->reductions += once;
		g->bytes += l->bytes;
	}
	return finish(f, &w);
}

static enum af_inc inc_error(enum alink_status st)
{
	switch (st) {
	case ALINK_ST_UNREACHABLE:
		return AF_INC_SILENT;
	case ALINK_ST_GROUP:
		return AF_INC_UNBOUND;
	case ALINK_ST_POISON:
		return AF_INC_POISON;
	default:
		return AF_INC_REFUSED;
	}
}

void af_account_group_error(struct af_fabric *f, const struct af_path *path,
			    enum alink_status st)
{
	af_acct_lock(f);
	for (uint32_t i = 0; i < path->num; i++)
		if (!path->lane[i].turn)
			f->page->sw[af_side_dev(path->lane[i].in)]
				.inc_errors[inc_error(st)]++;
	af_acct_unlock(f);
}

uint64_t af_account_push(struct af_fabric *f, uint32_t id, uint32_t group,
			 const struct af_path *path, uint64_t *idle_ns)
{
	uint64_t first, last, through, hop = 0;
	uint32_t m, port;
	struct af_switch *sw;
	struct af_group *g;
	struct walk w;
	struct span s;
	bool once;

	begin(f, &w);
	for (uint32_t i = 0; i < path->num; i++) {
		const struct af_lane *l = &path->lane[i];

		if (!l->packets)
			continue;
		first = 0;
		last = 0;
		for_each_member(m, path->group) {
			port = member_port(f, id, l, m);
			s = data(&w, af_side_peer(w.p, port), l->bytes,
				 l->packets, w.t0 + w.endpoint, 0);
			if (s.first > first)
				first = s.first;
			if (s.last > last)
				last = s.last;
		}
		/* As in a reducing read, but for all. */
		through = w.cable + hop_ns(&w, l->in) + w.p->params.reduce_ns;
		for_each_member(m, path->group) {
			s = data(&w, member_port(f, id, l, m), l->bytes,
				 l->packets, first + through, last + through);
			arrived(&w, s.last + w.cable + w.endpoint);
		}
		if (hop_ns(&w, l->in) > hop)
			hop = hop_ns(&w, l->in);

		once = first_of_plane(path, i);
		sw = &w.p->sw[af_side_dev(l->in)];
		sw->pushes += once;
		sw->reductions += once;
		g = &w.p->group[af_side_dev(l->in)][group];
		g->reductions += once;
		g->bytes += l->bytes;
	}
	*idle_ns = !w.timed ? 0 : 2 * (w.endpoint + w.cable) + hop +
				  w.p->params.reduce_ns;
	return finish(f, &w);
}

/* --- settings --------------------------------------------------------------- */

int af_fabric_set_timing(struct af_fabric *f, enum af_timing timing,
			 const struct af_timing_params *params)
{
	if (timing == AF_TIMING_ENFORCE)
		return -EOPNOTSUPP;
	if (timing != AF_TIMING_OFF && timing != AF_TIMING_REPORT)
		return -EINVAL;
	af_wrlock(f);
	f->page->timing = timing;
	if (params)
		f->page->params = *params;
	af_wrunlock(f, NULL);
	return 0;
}

void af_fabric_get_timing(struct af_fabric *f, enum af_timing *timing,
			  struct af_timing_params *params)
{
	af_rdlock(f);
	*timing = f->page->timing;
	if (params)
		*params = f->page->params;
	af_rdunlock(f);
}
