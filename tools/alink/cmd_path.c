// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink path A B: which way packets go from one xPU to another, plane by
 * plane, and what is in the way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

/* All that decides, read once */
struct fabric {
	struct inventory inv;
	struct alink_link_info *link;
	struct alink_route_info *route;
	struct alink_partition_info *part;
	size_t num_links;
	size_t num_routes;
	size_t num_parts;
};

struct hop {
	const struct alink_link_info *up;	/* link of A */
	const struct alink_device_info *sw;
	const struct alink_link_info *down;	/* port of the switch, or NULL */
	const char *why;			/* NULL: usable */
};

static int fabric_read(struct alink_cmd_env *env, struct fabric *f)
{
	int err = alink_links(env->ctx, ALINK_ALL, &f->link, &f->num_links);

	if (!err)
		err = alink_routes(env->ctx, ALINK_ALL, &f->route,
				   &f->num_routes);
	if (!err)
		err = alink_partitions(env->ctx, ALINK_ALL, &f->part,
				       &f->num_parts);
	return err ? cmd_fail(env, err) : EXIT_OK;
}

static const struct alink_route_info *route_of(const struct fabric *f,
					       uint32_t dev, uint32_t dst)
{
	size_t i;

	for (i = 0; i < f->num_routes; i++)
		if (f->route[i].dev == dev && f->route[i].dst == dst)
			return &f->route[i];
	return NULL;
}

static const struct alink_link_info *link_of(const struct fabric *f,
					     uint32_t dev, uint32_t num)
{
	size_t i;

	for (i = 0; i < f->num_links; i++)
		if (f->link[i].dev == dev && f->link[i].link == num)
			return &f->link[i];
	return NULL;
}

static uint32_t partition_of(const struct fabric *f, uint32_t sw,
			     uint32_t endpoint)
{
	size_t i;

	for (i = 0; i < f->num_parts; i++)
		if (f->part[i].dev == sw && f->part[i].endpoint == endpoint)
			return f->part[i].partition;
	return 0;
}

/* The switch's side: a port of its route that is up and leads to @b */
static void through_switch(const struct fabric *f,
			   const struct alink_device_info *b, struct hop *h)
{
	const struct alink_route_info *r;
	const struct alink_link_info *l;
	uint32_t i;

	r = route_of(f, h->sw->index, b->fabric_id);
	if (!r) {
		h->why = "no route in the switch";
		return;
	}
	h->why = "no port of the switch's route leads there";
	for (i = 0; i < h->sw->num_links; i++) {
		if (!alink_set_has(&r->ports, i))
			continue;
		l = link_of(f, h->sw->index, i);
		if (!l || l->peer_type != ALINK_DEVTYPE_XPU ||
		    l->peer_id != b->fabric_id)
			continue;
		h->down = l;
		if (l->state == ALINK_LINK_UP) {
			h->why = NULL;
			return;
		}
		h->why = "port of the switch is down";
	}
}

static void find_hop(const struct fabric *f, const struct alink_device_info *a,
		     const struct alink_device_info *b, struct hop *h)
{
	uint32_t pa, pb;

	h->sw = NULL;
	h->down = NULL;
	if (h->up->state != ALINK_LINK_UP) {
		h->why = alink_reason_name(h->up->reason);
		return;
	}
	if (h->up->peer_type == ALINK_DEVTYPE_SWITCH)
		h->sw = inv_fabric(&f->inv, ALINK_DEVTYPE_SWITCH,
				   h->up->peer_id);
	if (!h->sw) {
		h->why = "its switch is not managed from this host";
		return;
	}
	pa = partition_of(f, h->sw->index, a->fabric_id);
	pb = partition_of(f, h->sw->index, b->fabric_id);
	if (!pa || pa != pb) {
		h->why = "not in the same partition";
		return;
	}
	through_switch(f, b, h);
}

static void hop_text(const struct alink_device_info *a,
		     const struct alink_device_info *b, const struct hop *h)
{
	printf("  %sp%u", a->name, h->up->link);
	if (h->sw)
		printf(" -> %sp%u", h->sw->name, h->up->peer_link);
	if (h->down)
		printf(" -> %sp%u -> %sp%u", h->sw->name, h->down->link,
		       b->name, h->down->peer_link);
	if (h->why)
		printf("   NOT usable: %s", h->why);
	putchar('\n');
}

static struct json_object *hop_json(const struct hop *h)
{
	struct json_object *o = json_object_new_object();

	json_num(o, "link", h->up->link);
	json_str(o, "switch", h->sw ? h->sw->name : NULL);
	json_object_object_add(o, "port_in", h->sw ?
			       json_object_new_int64(h->up->peer_link) : NULL);
	json_object_object_add(o, "port_out", h->down ?
			       json_object_new_int64(h->down->link) : NULL);
	json_object_object_add(o, "link_in", h->down ?
			       json_object_new_int64(h->down->peer_link) :
			       NULL);
	json_object_object_add(o, "usable", json_object_new_boolean(!h->why));
	json_str(o, "why", h->why);
	return o;
}

static int show_path(struct alink_cmd_env *env, const struct fabric *f,
		     const struct alink_device_info *a,
		     const struct alink_device_info *b)
{
	const struct alink_route_info *r = route_of(f, a->index, b->fabric_id);
	struct json_object *doc = NULL, *hops = NULL;
	uint32_t i, usable = 0, listed = 0;
	const char *why = NULL;
	uint64_t mbps = 0;
	struct hop h;

	if (env->json)
		hops = json_object_new_array();
	else
		printf("%s (endpoint %u) to %s (endpoint %u)\n", a->name,
		       a->fabric_id, b->name, b->fabric_id);
	for (i = 0; r && i < a->num_links; i++) {
		h.up = alink_set_has(&r->ports, i) ?
		       link_of(f, a->index, i) : NULL;
		if (!h.up)
			continue;
		listed++;
		find_hop(f, a, b, &h);
		if (!h.why) {
			usable++;
			mbps += h.down->speed < h.up->speed ? h.down->speed :
							      h.up->speed;
		}
		if (env->json)
			json_object_array_add(hops, hop_json(&h));
		else
			hop_text(a, b, &h);
	}
	if (!r)
		why = "no route in the xPU (alink fabric up writes them)";
	else if (usable < r->min_ports)
		why = usable ? "fewer usable links than the route's minimum" :
			       "no link of the route is usable";
	if (!env->json) {
		printf("%u of %u links usable, %llu Gb/s a direction%s%s\n",
		       usable, listed, (unsigned long long)mbps / 1000,
		       why ? "; no path: " : "", why ? why : "");
		return why ? EXIT_FAILED : EXIT_OK;
	}
	doc = json_object_new_object();
	json_str(doc, "from", a->name);
	json_str(doc, "to", b->name);
	json_object_object_add(doc, "path", json_object_new_boolean(!why));
	json_str(doc, "why", why);
	json_num(doc, "usable_links", usable);
	json_num(doc, "speed_mbps", mbps);
	json_object_object_add(doc, "links", hops);
	cmd_print_json(env, "alink.path", 1, doc);
	return why ? EXIT_FAILED : EXIT_OK;
}

int cmd_path(struct alink_cmd_env *env, int argc, char **argv)
{
	const struct alink_device_info *end[2];
	struct fabric f = {};
	int code, i;

	if (argc != 2)
		return cmd_refuse(env, EXIT_USAGE, "usage: alink path A B");
	code = inv_load(env, &f.inv);
	if (code)
		return code;
	for (i = 0; i < 2 && !code; i++) {
		code = inv_find(env, &f.inv, argv[i], &end[i]);
		if (!code && end[i]->type != ALINK_DEVTYPE_XPU)
			code = cmd_refuse(env, EXIT_USAGE,
					  "%s is no xPU: paths lead from xPU to xPU",
					  argv[i]);
	}
	if (!code && end[0] == end[1])
		code = cmd_refuse(env, EXIT_USAGE,
				  "%s reaches its own memory without the fabric",
				  argv[0]);
	if (!code)
		code = fabric_read(env, &f);
	if (!code)
		code = show_path(env, &f, end[0], end[1]);
	free(f.link);
	free(f.route);
	free(f.part);
	inv_free(&f.inv);
	return code;
}
