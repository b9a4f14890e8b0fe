// SPDX-License-Identifier: GPL-2.0-only
/* Nodes and edges of a drawing of the fabric, and how they look. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo_draw.h"

const char *const draw_meaning[DRAW_STYLES] = {
	[DRAW_UP]	= "up",
	[DRAW_NO_ROUTE]	= "up, no route",
	[DRAW_DEGRADED]	= "degraded",
	[DRAW_DOWN]	= "down",
};

/* Of the palette of Okabe and Ito, which the colour-blind can tell apart */
const char *const draw_colour[DRAW_STYLES] = {
	[DRAW_UP]	= "#0072b2",
	[DRAW_NO_ROUTE]	= "#cc79a7",
	[DRAW_DEGRADED]	= "#e69f00",
	[DRAW_DOWN]	= "#d55e00",
};

void drawing_free(struct drawing *d)
{
	size_t i;

	for (i = 0; i < d->num_nodes; i++)
		free(d->node[i].line);
	free(d->node);
	free(d->edge);
	memset(d, 0, sizeof(*d));
}

/* --- nodes ---------------------------------------------------------------- */

static bool drawn(uint32_t type)
{
	return type == ALINK_DEVTYPE_XPU || type == ALINK_DEVTYPE_SWITCH ||
	       type == ALINK_DEVTYPE_NIC;
}

static int add_node(struct drawing *d, uint32_t type, uint32_t id,
		    const struct alink_device_info *dev)
{
	struct draw_node *grown;
	size_t i;

	for (i = 0; !dev && i < d->num_nodes; i++)
		if (d->node[i].type == type && d->node[i].id == id)
			return 0;
	grown = realloc(d->node, (d->num_nodes + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	d->node = grown;
	grown += d->num_nodes++;
	memset(grown, 0, sizeof(*grown));
	grown->type = type;
	grown->id = id;
	grown->dev = dev;
	if (dev)
		snprintf(grown->name, sizeof(grown->name), "%s", dev->name);
	else
		snprintf(grown->name, sizeof(grown->name), "%s:%u",
			 alink_devtype_name(type), id);
	return 0;
}

static int rank(uint32_t type)
{
	return type == ALINK_DEVTYPE_SWITCH ? 0 :
	       type == ALINK_DEVTYPE_XPU ? 1 : 2;
}

static int by_rank(const void *a, const void *b)
{
	const struct draw_node *x = a, *y = b;

	if (x->type != y->type)
		return rank(x->type) - rank(y->type);
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strverscmp(x->name, y->name);
}

/* Both kinds of ends of the fabric, and the right way round */
static bool is_cable(const struct drawing *d, const struct alink_link_info *l)
{
	const struct alink_device_info *dev = inv_index(&d->f->inv, l->dev);

	return dev && dev->fabric_id != ALINK_ID_NONE &&
	       ((dev->type == ALINK_DEVTYPE_XPU &&
		 l->peer_type == ALINK_DEVTYPE_SWITCH) ||
		(dev->type == ALINK_DEVTYPE_SWITCH &&
		 l->peer_type == ALINK_DEVTYPE_XPU));
}

static int make_nodes(struct drawing *d)
{
	const struct inventory *inv = &d->f->inv;
	const struct alink_link_info *l;
	size_t i;
	int err = 0;

	for (i = 0; i < inv->n && !err; i++)
		if (drawn(inv->dev[i].type))
			err = add_node(d, inv->dev[i].type,
				       inv->dev[i].fabric_id, &inv->dev[i]);
	for (i = 0; i < d->f->num_links && !err; i++) {
		l = &d->f->link[i];
		if (is_cable(d, l) && !fabric_peer(d->f, l))
			err = add_node(d, l->peer_type, l->peer_id, NULL);
	}
	if (!err && d->num_nodes)
		qsort(d->node, d->num_nodes, sizeof(*d->node), by_rank);
	return err;
}

static size_t node_of(const struct drawing *d, uint32_t type, uint32_t id)
{
	size_t i;

	for (i = 0; i < d->num_nodes; i++)
		if (d->node[i].type == type && d->node[i].id == id)
			break;
	return i;
}

/* --- edges ---------------------------------------------------------------- */

static void edge_style(const struct drawing *d, struct draw_edge *e)
{
	const struct draw_node *xpu = &d->node[e->xpu], *sw = &d->node[e->sw];
	const struct alink_link_info *far = fabric_far(d->f, e->end), *at;
	const struct alink_route_info *r;
	enum link_health health;
	char why[96];

	health = fabric_health(e->end, far, &at, why, sizeof(why));
	if (health != LINK_HEALTHY) {
		e->style = health == LINK_BROKEN ? DRAW_DOWN : DRAW_DEGRADED;
		snprintf(e->why, sizeof(e->why), "%s (%sp%u)", why,
			 inv_name(&d->f->inv, at->dev), at->link);
		return;
	}
	if (sw->dev) {
		r = fabric_route(d->f, sw->dev->index, xpu->id);
		if (!r || !alink_set_has(&r->ports, e->port)) {
			e->style = DRAW_NO_ROUTE;
			snprintf(e->why, sizeof(e->why),
				 "no route of %s to it", sw->name);
			return;
		}
	}
	/* Its routes are none of the fault of a link while it has none. */
	if (xpu->dev && !alink_set_has(&xpu->used, e->link) &&
	    (alink_set_count(&xpu->used) || alink_set_count(&xpu->missing))) {
		e->style = DRAW_NO_ROUTE;
		snprintf(e->why, sizeof(e->why), "no route of %s over it",
			 xpu->name);
	}
}

static int make_edges(struct drawing *d)
{
	const struct alink_device_info *dev;
	const struct alink_link_info *l;
	struct draw_edge *e;
	size_t i;

	d->edge = calloc(d->f->num_links + 1, sizeof(*d->edge));
	if (!d->edge)
		return -ENOMEM;
	for (i = 0; i < d->f->num_links; i++) {
		l = &d->f->link[i];
		if (!is_cable(d, l))
			continue;
		dev = inv_index(&d->f->inv, l->dev);
		/* Once a cable: the switch tells where the xPU cannot. */
		if (dev->type == ALINK_DEVTYPE_SWITCH) {
			const struct alink_link_info *far = fabric_far(d->f, l);

			if (far && is_cable(d, far))
				continue;
		}
		e = &d->edge[d->num_edges++];
		e->end = l;
		if (dev->type == ALINK_DEVTYPE_XPU) {
			e->xpu = node_of(d, dev->type, dev->fabric_id);
			e->sw = node_of(d, l->peer_type, l->peer_id);
			e->link = l->link;
			e->port = l->peer_link;
		} else {
			e->sw = node_of(d, dev->type, dev->fabric_id);
			e->xpu = node_of(d, l->peer_type, l->peer_id);
			e->port = l->link;
			e->link = l->peer_link;
		}
		d->node[e->xpu].num_edges++;
		d->node[e->sw].num_edges++;
	}
	return 0;
}

/* --- routes --------------------------------------------------------------- */

static void seen(const struct drawing *d, size_t sw, struct alink_set *set)
{
	size_t i;

	for (i = 0; i < d->num_edges; i++)
		if (d->edge[i].sw == sw)
			alink_set_add(set, d->node[d->edge[i].xpu].id);
}

/* A switch is to reach who is cabled to it, an xPU whom its switches see. */
static int find_missing(struct drawing *d)
{
	const struct alink_route_info *r;
	struct alink_set *at_switch, want;
	struct draw_node *n;
	size_t i, j, k;
	uint32_t dst;

	at_switch = calloc(d->num_nodes + 1, sizeof(*at_switch));
	if (!at_switch)
		return -ENOMEM;
	for (i = 0; i < d->num_nodes; i++)
		if (d->node[i].type == ALINK_DEVTYPE_SWITCH)
			seen(d, i, &at_switch[i]);
	for (i = 0; i < d->num_nodes; i++) {
		n = &d->node[i];
		want = at_switch[i];
		for (j = 0; j < d->num_edges; j++)
			for (k = 0; d->edge[j].xpu == i &&
			     k < sizeof(want.bits) / sizeof(want.bits[0]); k++)
				want.bits[k] |=
					at_switch[d->edge[j].sw].bits[k];
		for (dst = 0; n->dev && dst < ALINK_MAX_ENDPOINTS; dst++) {
			if (!alink_set_has(&want, dst) ||
			    (n->type == ALINK_DEVTYPE_XPU && dst == n->id))
				continue;
			r = fabric_route(d->f, n->dev->index, dst);
			if (!r) {
				alink_set_add(&n->missing, dst);
				d->num_missing++;
				continue;
			}
			for (k = 0; k < sizeof(r->ports.bits) /
			     sizeof(r->ports.bits[0]); k++)
				n->used.bits[k] |= r->ports.bits[k] |
						   r->spares.bits[k];
		}
	}
	free(at_switch);
	return 0;
}

int drawing_make(struct drawing *d, const struct fabric *f)
{
	size_t i;
	int err;

	memset(d, 0, sizeof(*d));
	d->f = f;
	err = make_nodes(d);
	if (!err)
		err = make_edges(d);
	if (!err)
		err = find_missing(d);
	for (i = 0; i < d->num_edges && !err; i++) {
		edge_style(d, &d->edge[i]);
		d->styles[d->edge[i].style]++;
	}
	return err ? err : drawing_label(d);
}
