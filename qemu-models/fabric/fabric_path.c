// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Paths: which of the initiator's links, and so which planes, an operation
 * uses, and what each of them carries. All of it under the page's reader lock.
 *
 * A fabric has one stage, so that a path is: initiator's link, switch, target's
 * link. The initiator checks its own table and links, the switch the partition
 * and its table. Spare links are tried after the others, and only if one of those
 * is missing: what is not wanted is not looked at, and counts nothing.
 */
#include "fabric_internal.h"

uint32_t af_path_egress(struct af_fabric *f, uint32_t plane, uint32_t dst,
			uint32_t turn, bool *down)
{
	const struct af_page *p = f->page;
	const struct af_sw_route *r = &p->sw_route[plane][dst];
	uint32_t live[AF_MAX_LINKS];
	uint32_t n = 0, side, peer;
	uint64_t w;

	*down = false;
	if (!r->min)
		return AF_NO_SIDE;
	for (uint32_t i = 0; i < AF_PORT_WORDS; i++) {
		for (w = r->ports[i]; w; w &= w - 1) {
			side = af_sw_side(plane, i * 64 + __builtin_ctzll(w));
			peer = af_side_peer(p, side);
			if (peer == AF_NO_SIDE || af_side_dev(peer) != dst)
				continue;	/* leads elsewhere: no route */
			if (!af_side_up(p, side))
				*down = true;
			else
				live[n++] = side;
		}
	}
	if (n < r->min) {
		if (n)
			*down = false;	/* too few is no path */
		return AF_NO_SIDE;
	}
	*down = false;
	return live[turn % n];
}

/* Lanes of @path that go through the switch already */
static uint32_t turn_of(const struct af_path *path, uint32_t plane)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < path->num; i++)
		n += af_side_dev(path->lane[i].in) == plane;
	return n;
}

/* A packet that came in by @in was dropped by the switch. */
static void drop(struct af_fabric *f, uint32_t in, bool partition)
{
	struct af_switch *sw = &f->page->sw[af_side_dev(in)];

	af_acct_lock(f);
	f->page->side[in].count.rx_errors++;
	if (partition)
		sw->drops_part++;
	else
		sw->drops_noroute++;
	af_acct_unlock(f);
}

/* A packet could not leave by @side: it is down. */
static void give_up(struct af_fabric *f, uint32_t side)
{
	af_acct_lock(f);
	f->page->side[side].count.tx_errors++;
	af_acct_unlock(f);
}

static bool same_partition(const struct af_page *p, uint32_t a, uint32_t b)
{
	return p->ep[a].partition &&
	       p->ep[a].partition == p->ep[b].partition;
}

/* Lanes are in ascending order of the initiator's links, spares among them. */
static void add_lane(struct af_path *path, const struct af_page *p,
		     uint32_t src, uint32_t in, uint32_t out, uint32_t turn)
{
	struct af_lane *l = &path->lane[path->num++];

	for (; l > path->lane && l[-1].src > src; l--)
		l[0] = l[-1];
	memset(l, 0, sizeof(*l));
	l->src = src;
	l->in = in;
	l->out = out;
	l->dst = out == AF_NO_SIDE ? AF_NO_SIDE : af_side_peer(p, out);
	l->turn = turn;
}

/* Adds live ones of these links until the path has @wanted. */
static enum alink_status try_links(struct af_fabric *f, uint32_t src,
				   uint32_t dst, uint64_t links, uint32_t wanted,
				   struct af_path *path, bool *any_down)
{
	const struct af_page *p = f->page;
	uint32_t side, in, out, turn;
	bool down;

	for (uint64_t w = links; w && path->num < wanted; w &= w - 1) {
		side = af_ep_side(src, __builtin_ctzll(w));
		if (!af_side_up(p, side)) {
			give_up(f, side);
			*any_down = true;
			continue;
		}
		in = af_side_peer(p, side);
		/* Who is not there is behind a dead port, whatever partition. */
		if (p->ep[dst].present && !same_partition(p, src, dst)) {
			drop(f, in, true);
			return ALINK_ST_PARTITION;
		}
		turn = turn_of(path, af_side_dev(in));
		out = af_path_egress(f, af_side_dev(in), dst, turn, &down);
		if (out == AF_NO_SIDE) {
			drop(f, in, false);
			*any_down |= down;
			continue;
		}
		add_lane(path, p, side, in, out, turn);
	}
	return ALINK_ST_OK;
}

enum alink_status af_path_unicast(struct af_fabric *f, uint32_t src,
				  uint32_t dst, struct af_path *path)
{
	const struct af_ep_route *r = &f->page->ep_route[src][dst];
	uint32_t wanted = __builtin_popcountll(r->links);
	bool any_down = false;
	enum alink_status st;

	path->num = 0;
	path->group = NULL;
	if (src == dst || !r->min)
		return ALINK_ST_NO_PATH;

	st = try_links(f, src, dst, r->links, wanted, path, &any_down);
	if (!st)
		st = try_links(f, src, dst, r->spares, wanted, path, &any_down);
	if (st)
		return st;
	if (!path->num && any_down)
		return ALINK_ST_PORT_DOWN;
	if (path->num < r->min)
		return ALINK_ST_NO_PATH;
	return ALINK_ST_OK;
}

/* Can the switch behind @in reach every member? */
static bool reaches_all(struct af_fabric *f, uint32_t src, uint32_t in,
			uint32_t turn, const struct af_group *g, bool *down)
{
	uint32_t plane = af_side_dev(in), m;

	for (m = af_next_member(g, 0); m < AF_MAX_EP;
	     m = af_next_member(g, m + 1)) {
		/* The initiator is reached by the port it came from. */
		if (m != src &&
		    af_path_egress(f, plane, m, turn, down) == AF_NO_SIDE)
			return false;
	}
	return true;
}

/* What the routes of @src to the other members say of its links */
static void group_links(const struct af_page *p, uint32_t src,
			const struct af_group *g, uint64_t *links,
			uint64_t *spares)
{
	uint32_t m;

	*links = 0;
	*spares = 0;
	for (m = af_next_member(g, 0); m < AF_MAX_EP;
	     m = af_next_member(g, m + 1)) {
		*links |= p->ep_route[src][m].links;
		*spares |= p->ep_route[src][m].spares;
	}
	*spares &= ~*links;
}

/* By a link that is up, into a switch that has the group: does it serve? */
static bool try_plane(struct af_fabric *f, uint32_t src, uint32_t side,
		      const struct af_group *g, bool again,
		      struct af_path *path, bool *any_down)
{
	uint32_t in = af_side_peer(f->page, side);
	uint32_t turn = turn_of(path, af_side_dev(in));
	bool down = false;

	if (!reaches_all(f, src, in, turn, g, &down)) {
		if (!again)
			drop(f, in, false);
		*any_down |= down;
		return false;
	}
	add_lane(path, f->page, side, in, AF_NO_SIDE, turn);
	return true;
}

enum alink_status af_path_group(struct af_fabric *f, uint32_t src,
				uint32_t group, uint64_t key, bool again,
				struct af_path *path)
{
	uint64_t links = 0, spares = 0, idle = 0;
	const struct af_page *p = f->page;
	const struct af_group *g, *first = NULL;
	bool any_down = false, any_key = false;
	uint32_t side, in, m, wanted;

	path->num = 0;
	path->group = NULL;
	for (uint32_t i = 0; i < p->ep[src].num_links; i++) {
		side = af_ep_side(src, i);
		in = af_side_peer(p, side);
		if (in == AF_NO_SIDE)
			continue;
		g = &p->group[af_side_dev(in)][group];
		if (!af_side_up(p, side)) {
			/* Only a plane that has the group would have helped. */
			any_down |= g->num;
			continue;
		}
		if (!g->num)
			continue;
		if (g->key != key) {
			any_key = true;
			continue;
		}
		/* Half of a change must not give half of a sum. */
		if (first && memcmp(first->members, g->members,
				    sizeof(g->members)))
			return ALINK_ST_GROUP;
		if (!first) {
			first = g;
			if (!af_is_member(g, src))
				return ALINK_ST_DENIED;
			for (m = af_next_member(g, 0); m < AF_MAX_EP;
			     m = af_next_member(g, m + 1)) {
				if (!p->ep[m].present)
					return ALINK_ST_GROUP;
				if (!same_partition(p, src, m)) {
					if (!again)
						drop(f, in, true);
					return ALINK_ST_PARTITION;
				}
			}
			group_links(p, src, g, &links, &spares);
		}
		if (spares >> i & 1)
			idle |= 1ULL << i;
		else if (try_plane(f, src, side, g, again, path, &any_down))
			links &= ~(1ULL << i);
	}
	wanted = path->num + __builtin_popcountll(links);
	for (; idle && path->num < wanted; idle &= idle - 1)
		try_plane(f, src, af_ep_side(src, __builtin_ctzll(idle)), first,
			  again, path, &any_down);
	path->group = first;
	if (path->num)
		return ALINK_ST_OK;
	if (any_key && !first)
		return ALINK_ST_KEY;
	if (any_down)
		return ALINK_ST_PORT_DOWN;
	return first ? ALINK_ST_NO_PATH : ALINK_ST_GROUP;
}

void af_path_stripe(struct af_path *path, uint64_t offset, uint64_t len)
{
	uint64_t first, last, head, tail;
	uint32_t n = path->num;
	struct af_lane *l;

	for (uint32_t i = 0; i < n; i++) {
		path->lane[i].bytes = 0;
		path->lane[i].packets = 0;
	}
	if (!len)
		return;

	/* Blocks of one packet, block b by lane b mod n. */
	first = offset / ALINK_PACKET_BYTES;
	last = (offset + len - 1) / ALINK_PACKET_BYTES;
	for (uint32_t i = 0; i < n; i++) {
		/* Blocks b in [first, last] with b mod n == i */
		uint64_t skip = (i + n - first % n) % n;

		if (first + skip > last)
			continue;
		l = &path->lane[i];
		l->packets = (last - first - skip) / n + 1;
		l->bytes = l->packets * ALINK_PACKET_BYTES;
	}
	/* The first and the last block may be partial. */
	head = offset - first * ALINK_PACKET_BYTES;
	tail = (last + 1) * ALINK_PACKET_BYTES - (offset + len);
	path->lane[first % n].bytes -= head;
	path->lane[last % n].bytes -= tail;
}
