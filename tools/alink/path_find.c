// SPDX-License-Identifier: GPL-2.0-only
/* Which way packets go from one xPU to another, and what they meet there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"

static void limit_set(struct path_limit *l, const char *kind, const char *where,
		      const char *why)
{
	l->kind = kind;
	snprintf(l->where, sizeof(l->where), "%s", where);
	snprintf(l->why, sizeof(l->why), "%s", why);
}

/* --- one link ------------------------------------------------------------- */

static const struct path_end *end_of(const struct path_hop *h,
				     const struct alink_link_info *l)
{
	unsigned int i;

	for (i = 0; i < PATH_ENDS; i++)
		if (h->end[i].link == l)
			return &h->end[i];
	return NULL;
}

static bool in_optics(uint32_t reason)
{
	switch (reason) {
	case ALINK_DOWN_NO_CABLE:
	case ALINK_DOWN_MODULE_NOT_READY:
	case ALINK_DOWN_MODULE_FAULT:
	case ALINK_DOWN_LASER:
	case ALINK_DOWN_RX_LOS:
	case ALINK_DOWN_RX_LOL:
	case ALINK_DOWN_TEMPERATURE:
		return true;
	default:
		return false;
	}
}

/* Where and why a link has less than its ends can; false: it has all */
static bool limit_link(struct path_hop *h, unsigned int near, unsigned int far)
{
	const struct alink_link_info *at;
	const struct path_end *e;
	enum link_health health;
	char why[96], where[48];
	bool optics;

	health = fabric_health(h->end[near].link, h->end[far].link, &at, why,
			       sizeof(why));
	if (health == LINK_HEALTHY)
		return false;
	e = end_of(h, at);
	snprintf(where, sizeof(where), "%sp%u", e->dev->name, at->link);
	optics = health == LINK_BROKEN && e->optical && in_optics(at->reason);
	limit_set(&h->limit, health == LINK_DEGRADED ? "degraded" :
		  optics ? "module" : "link-down", where, why);
	h->limit.at = e;
	return true;
}

static void limit_partition(struct path_hop *h, const struct path *p)
{
	const struct alink_device_info *end[2] = { p->a, p->b };
	char why[160], part[2][40];
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (h->part[i])
			snprintf(part[i], sizeof(part[i]), "partition %u",
				 h->part[i]);
		else
			snprintf(part[i], sizeof(part[i]), "no partition");
	snprintf(why, sizeof(why), "%s is in %s, %s in %s", end[0]->name,
		 part[0], end[1]->name, part[1]);
	limit_set(&h->limit, "partition", h->end[PATH_SW_IN].dev->name, why);
}

static bool port_taken(const struct path *p, const struct path_hop *h,
		       const struct alink_link_info *port)
{
	const struct path_hop *o;

	for (o = p->hop; o < h; o++)
		if (o->routed && !o->spare && !o->why &&
		    o->end[PATH_SW_OUT].link == port)
			return true;
	return false;
}

/* The first port to @b of the switch that is up and that no link uses yet */
static void choose_port(const struct fabric *f, const struct path *p,
			struct path_hop *h)
{
	const struct alink_device_info *sw = h->end[PATH_SW_IN].dev;
	const struct alink_link_info *l, *best = NULL;
	bool up, best_up = false;
	uint32_t i;

	for (i = 0; i < sw->num_links; i++) {
		if (!alink_set_has(&h->sw_route->ports, i))
			continue;
		l = fabric_link(f, sw->index, i);
		if (!l || l->peer_type != ALINK_DEVTYPE_XPU ||
		    l->peer_id != p->b->fabric_id)
			continue;
		up = l->state == ALINK_LINK_UP;
		if (best && best_up >= up &&
		    (!up || !port_taken(p, h, best)))
			continue;
		best = l;
		best_up = up;
	}
	h->end[PATH_SW_OUT].link = best;
	if (!best)
		return;
	h->end[PATH_SW_OUT].dev = sw;
	h->end[PATH_IN].dev = p->b;
	h->end[PATH_IN].link = fabric_far(f, best);
}

static void through_switch(const struct path *p, struct path_hop *h)
{
	const struct alink_device_info *sw = h->end[PATH_SW_IN].dev;
	const struct alink_link_info *out;

	if (!h->sw_route) {
		h->why = "no route in the switch";
		limit_set(&h->limit, "switch-route", sw->name, h->why);
		return;
	}
	out = h->end[PATH_SW_OUT].link;
	if (!out) {
		h->why = "no port of the switch's route leads there";
		limit_set(&h->limit, "switch-route", sw->name, h->why);
	} else if (out->state != ALINK_LINK_UP) {
		h->why = "port of the switch is down";
		limit_link(h, PATH_SW_OUT, PATH_IN);
	} else if (port_taken(p, h, out)) {
		char where[48];

		snprintf(where, sizeof(where), "%sp%u", sw->name, out->link);
		limit_set(&h->limit, "shared-port", where,
			  "one port of the switch for several links");
	}
}

/* A link that is up all the way, but slower than it might be */
static void limit_speed(struct path_hop *h)
{
	const struct alink_link_info *out = h->end[PATH_OUT].link, *slow;
	const struct alink_link_info *port = h->end[PATH_SW_OUT].link;
	unsigned int near = port->speed < out->speed ? PATH_SW_OUT : PATH_OUT;
	const struct path_end *e;
	char where[48], why[64];

	if (limit_link(h, near, near + 1))
		return;
	e = &h->end[near];
	slow = h->end[near + 1].link;
	if (slow && slow->max_speed < e->link->max_speed)
		e = &h->end[near + 1];
	snprintf(where, sizeof(where), "%sp%u", e->dev->name, e->link->link);
	snprintf(why, sizeof(why), "made for %u Gb/s",
		 e->link->max_speed / 1000);
	limit_set(&h->limit, "slower-part", where, why);
}

static void judge_hop(const struct path *p, struct path_hop *h)
{
	const struct alink_link_info *out = h->end[PATH_OUT].link;
	const struct alink_link_info *port;
	char where[48];

	if (out->state != ALINK_LINK_UP) {
		h->why = alink_reason_name(out->reason);
		limit_link(h, PATH_OUT, PATH_SW_IN);
	} else if (!h->end[PATH_SW_IN].dev) {
		h->why = "its switch is not managed from this host";
		if (out->peer_type == ALINK_DEVTYPE_SWITCH)
			snprintf(where, sizeof(where), "plane %u",
				 out->peer_id);
		else
			snprintf(where, sizeof(where), "%sp%u", p->a->name,
				 out->link);
		limit_set(&h->limit, "switch-elsewhere", where, h->why);
	} else if (!h->part[0] || h->part[0] != h->part[1]) {
		h->why = "not in the same partition";
		limit_partition(h, p);
	} else {
		through_switch(p, h);
	}
	if (!h->why && !h->limit.kind) {
		port = h->end[PATH_SW_OUT].link;
		h->speed = port->speed < out->speed ? port->speed : out->speed;
		if (h->speed < out->max_speed)
			limit_speed(h);
	}
	h->limit.lost = out->max_speed > h->speed ?
			out->max_speed - h->speed : 0;
}

/* What is known of a link of A before anybody asks whether it is any use */
static int begin_hop(struct alink_ctx *ctx, const struct fabric *f,
		     const struct path *p, struct path_hop *h)
{
	const struct alink_link_info *out = h->end[PATH_OUT].link;
	const struct alink_device_info *sw = NULL;
	unsigned int i;
	int err;

	h->end[PATH_OUT].dev = p->a;
	if (out->peer_type == ALINK_DEVTYPE_SWITCH)
		sw = fabric_peer(f, out);
	if (sw) {
		h->end[PATH_SW_IN].dev = sw;
		h->end[PATH_SW_IN].link = fabric_far(f, out);
		h->part[0] = fabric_partition(f, sw->index, p->a->fabric_id);
		h->part[1] = fabric_partition(f, sw->index, p->b->fabric_id);
		h->sw_route = fabric_route(f, sw->index, p->b->fabric_id);
		if (h->sw_route)
			choose_port(f, p, h);
	}
	for (i = 0; i < PATH_ENDS; i++) {
		struct path_end *e = &h->end[i];

		e->optical = e->link && e->link->module != ALINK_ID_NONE;
		if (!e->optical)
			continue;
		err = alink_module(ctx, e->link, f->inv.dev, f->inv.n,
				   &e->module);
		if (err)
			return err;
	}
	return 0;
}

/* --- all links ------------------------------------------------------------ */

/* Cabled to a switch that sees B: such a link a route could name. */
static bool could_lead(const struct fabric *f, const struct path *p,
		       const struct alink_link_info *l)
{
	const struct alink_device_info *sw;
	const struct alink_link_info *port;
	uint32_t i;

	if (l->peer_type != ALINK_DEVTYPE_SWITCH)
		return false;
	sw = fabric_peer(f, l);
	for (i = 0; sw && i < sw->num_links; i++) {
		port = fabric_link(f, sw->index, i);
		if (port && port->peer_type == ALINK_DEVTYPE_XPU &&
		    port->peer_id == p->b->fabric_id)
			return true;
	}
	return false;
}

static bool worse(const struct path_hop *h, const struct path_hop *than)
{
	bool out = !h->routed || h->why, than_out = !than->routed || than->why;

	if (out != than_out)
		return out;
	return h->limit.lost > than->limit.lost;
}

/* Spares make good what something else takes. */
static bool takes(const struct path *p, const struct path_hop *h)
{
	return h->limit.kind && (h->limit.lost || !p->spares);
}

static void find_bottleneck(struct path *p)
{
	const struct path_hop *h, *most = NULL;
	struct path_limit *b = &p->bottleneck;
	uint32_t lost = 0;

	if (!p->route || !p->listed) {
		limit_set(b, p->route ? "route-ports" : "no-route", p->a->name,
			  p->route ? "its route names no link that is there" :
				     p->why);
		b->lost = (uint32_t)p->full;
		for (h = p->hop; h < p->hop + p->num_hops; h++)
			alink_set_add(&p->alike, h->end[PATH_OUT].link->link);
		return;
	}
	for (h = p->hop; h < p->hop + p->num_hops; h++)
		if (takes(p, h) && (!most || worse(h, most)))
			most = h;
	if (!most)
		return;
	for (h = p->hop; h < p->hop + p->num_hops; h++) {
		if (!takes(p, h) || strcmp(h->limit.kind, most->limit.kind) ||
		    strcmp(h->limit.why, most->limit.why))
			continue;
		alink_set_add(&p->alike, h->end[PATH_OUT].link->link);
		lost += h->limit.lost;
	}
	*b = most->limit;
	b->lost = lost;
}

/* An idle spare takes nothing from anybody, and what it stands in for is not lost. */
static void use_spares(struct path *p)
{
	struct path_hop *h, *dead = p->hop;

	for (h = p->hop; h < p->hop + p->num_hops; h++) {
		if (!h->spare)
			continue;
		if (!h->why && p->usable < p->listed) {
			h->used = true;
			p->usable++;
			p->speed += h->speed;
			while (dead->spare || !dead->routed || !dead->why)
				dead++;
			dead->limit.lost = dead->limit.lost > h->speed ?
					   dead->limit.lost - h->speed : 0;
			dead++;
		}
		h->limit.lost = 0;
	}
}

static void add_up(struct path *p)
{
	struct path_hop *h;

	for (h = p->hop; h < p->hop + p->num_hops; h++) {
		if (h->spare) {
			p->spares++;
			continue;
		}
		p->full += h->end[PATH_OUT].link->max_speed;
		if (!h->routed)
			continue;
		p->listed++;
		if (h->why)
			continue;
		h->used = true;
		p->usable++;
		p->speed += h->speed;
	}
	use_spares(p);
	if (!p->route)
		p->why = "no route in the xPU (alink fabric up writes them)";
	else if (p->usable < p->route->min_ports)
		p->why = p->usable ?
			 "fewer usable links than the route's minimum" :
			 "no link of the route is usable";
}

int path_find(struct alink_ctx *ctx, const struct fabric *f,
	      const struct alink_device_info *a,
	      const struct alink_device_info *b, struct path *p)
{
	const struct alink_link_info *l;
	struct path_hop *h = p->hop;
	char where[48];
	uint32_t i;
	int err;

	memset(p, 0, sizeof(*p));
	p->a = a;
	p->b = b;
	p->route = fabric_route(f, a->index, b->fabric_id);
	for (i = 0; i < a->num_links && i < ALINK_MAX_PLANES; i++) {
		bool spare = p->route && alink_set_has(&p->route->spares, i);
		bool routed = spare ||
			(p->route && alink_set_has(&p->route->ports, i));

		l = fabric_link(f, a->index, i);
		if (!l || (!routed && !could_lead(f, p, l)))
			continue;
		h->end[PATH_OUT].link = l;
		h->routed = routed;
		h->spare = spare;
		err = begin_hop(ctx, f, p, h);
		if (err)
			return err;
		if (routed) {
			judge_hop(p, h);
		} else {
			snprintf(where, sizeof(where), "%sp%u", a->name, i);
			limit_set(&h->limit, "route-ports", where,
				  "the route leaves this link out");
			h->limit.lost = l->max_speed;
		}
		h++;
	}
	p->num_hops = (uint32_t)(h - p->hop);
	add_up(p);
	find_bottleneck(p);
	return 0;
}
