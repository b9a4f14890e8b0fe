// SPDX-License-Identifier: GPL-2.0-only
/* What is written on a drawing of the fabric, and in its boxes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo_draw.h"

/* --- text ----------------------------------------------------------------- */

static int add_line(struct draw_node *n, enum draw_style style,
		    const char *indent, const char *text, size_t len)
{
	struct draw_line *grown;

	grown = realloc(n->line, (n->num_lines + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	n->line = grown;
	grown += n->num_lines++;
	grown->style = style;
	snprintf(grown->text, sizeof(grown->text), "%s%.*s", indent, (int)len,
		 text);
	return 0;
}

/* As many lines as it takes, broken at blanks where there are some */
static int add_text(struct draw_node *n, enum draw_style style,
		    const char *indent, const char *text)
{
	size_t room = sizeof(n->line->text) - 1 - strlen(indent), len, left;
	int err = 0;

	for (left = strlen(text); left && !err; left -= len, text += len) {
		len = left;
		if (len > room) {
			for (len = room; len && text[len] != ' '; len--)
				;
			if (!len)
				len = room;
		}
		err = add_line(n, style, indent, text, len);
		while (len < left && text[len] == ' ')
			len++;
	}
	return err;
}

const char *edge_rate(const struct draw_edge *e, char *buf, size_t room)
{
	if (e->end->state == ALINK_LINK_UP)
		snprintf(buf, room, "%u Gb/s x%u", e->end->speed / 1000,
			 e->end->lanes);
	else
		snprintf(buf, room, "%s", alink_link_state_name(e->end->state));
	return buf;
}

static size_t nodes_of(const struct drawing *d, uint32_t type)
{
	size_t i, n = 0;

	for (i = 0; i < d->num_nodes; i++)
		n += d->node[i].type == type;
	return n;
}

const char *drawing_title(const struct drawing *d, char *buf, size_t room)
{
	snprintf(buf, room,
		 "%zu xPUs, %zu switches, %zu NICs; %zu links: %zu up, %zu without route, %zu degraded, %zu down; %zu routes missing",
		 nodes_of(d, ALINK_DEVTYPE_XPU),
		 nodes_of(d, ALINK_DEVTYPE_SWITCH),
		 nodes_of(d, ALINK_DEVTYPE_NIC), d->num_edges,
		 d->styles[DRAW_UP], d->styles[DRAW_NO_ROUTE],
		 d->styles[DRAW_DEGRADED], d->styles[DRAW_DOWN],
		 d->num_missing);
	return buf;
}

/* --- boxes ---------------------------------------------------------------- */

/* What the switches that it is cabled to say of an xPU */
static void partition_text(const struct drawing *d, size_t node, char *buf,
			   size_t room)
{
	const struct draw_node *sw;
	bool any = false, differ = false;
	uint32_t part = 0, p;
	size_t i;

	for (i = 0; i < d->num_edges; i++) {
		sw = &d->node[d->edge[i].sw];
		if (d->edge[i].xpu != node || !sw->dev)
			continue;
		p = fabric_partition(d->f, sw->dev->index, d->node[node].id);
		differ |= any && p != part;
		any = true;
		part = p;
	}
	if (differ)
		snprintf(buf, room, ", partitions differ");
	else if (part)
		snprintf(buf, room, ", partition %u", part);
	else
		snprintf(buf, room, "%s", any ? ", no partition" : "");
}

static int label_node(const struct drawing *d, size_t node)
{
	struct draw_node *n = &d->node[node];
	char text[128], part[40], set[64];
	int err;

	if (n->type == ALINK_DEVTYPE_XPU) {
		partition_text(d, node, part, sizeof(part));
		snprintf(text, sizeof(text), "endpoint %u%s", n->id, part);
		if (n->id == ALINK_ID_NONE)
			snprintf(text, sizeof(text), "no endpoint id");
	} else if (n->type == ALINK_DEVTYPE_SWITCH) {
		snprintf(text, sizeof(text), "plane %u, %u links", n->id,
			 n->num_edges);
	} else {
		snprintf(text, sizeof(text), "PCI %s",
			 n->dev->pci[0] ? n->dev->pci : "-");
	}
	err = add_text(n, DRAW_UP, "", n->name);
	if (!err)
		err = add_text(n, DRAW_UP, "", text);
	if (!err && !n->dev)
		err = add_text(n, DRAW_UP, "", "not managed from this host");
	if (!err && n->dev && strcmp(n->dev->state, "ready"))
		err = add_text(n, DRAW_DOWN, "state: ", n->dev->state);
	if (!err && alink_set_count(&n->missing)) {
		snprintf(text, sizeof(text), "no route to endpoints %s",
			 set_text(&n->missing, set, sizeof(set)));
		err = add_text(n, DRAW_NO_ROUTE, "", text);
	}
	n->num_label = n->num_lines;
	return err;
}

/* Links without a cable, those with the same reason together */
static int label_loose(const struct drawing *d, struct draw_node *n)
{
	struct alink_set done = {}, set;
	char text[128], list[64];
	const struct alink_link_info *l, *o;
	uint32_t i, j;
	int err = 0;

	for (i = 0; n->dev && i < n->dev->num_links && !err; i++) {
		l = fabric_link(d->f, n->dev->index, i);
		if (!l || l->peer_type || l->state == ALINK_LINK_ABSENT ||
		    alink_set_has(&done, i))
			continue;
		memset(&set, 0, sizeof(set));
		for (j = i; j < n->dev->num_links; j++) {
			o = fabric_link(d->f, n->dev->index, j);
			if (!o || o->peer_type || o->state != l->state ||
			    o->reason != l->reason)
				continue;
			alink_set_add(&set, j);
			alink_set_add(&done, j);
		}
		snprintf(text, sizeof(text), "p%s: %s",
			 set_text(&set, list, sizeof(list)),
			 alink_reason_name(l->reason));
		err = add_text(n, DRAW_UP, "", text);
	}
	return err;
}

static int label_edge(const struct drawing *d, const struct draw_edge *e)
{
	struct draw_node *n = &d->node[e->xpu];
	char text[128], rate[48];
	int err;

	snprintf(text, sizeof(text), "p%u %sp%u %s", e->link,
		 d->node[e->sw].name, e->port,
		 edge_rate(e, rate, sizeof(rate)));
	err = add_text(n, e->style, "", text);
	return err ? err : add_text(n, e->style, "  ", e->why);
}

int drawing_label(struct drawing *d)
{
	int err = 0;
	size_t i;

	for (i = 0; i < d->num_nodes && !err; i++)
		err = label_node(d, i);
	for (i = 0; i < d->num_edges && !err; i++)
		err = label_edge(d, &d->edge[i]);
	for (i = 0; i < d->num_nodes && !err; i++)
		err = label_loose(d, &d->node[i]);
	return err;
}
