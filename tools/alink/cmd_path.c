// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink path A B: which way packets go from one xPU to another, plane by
 * plane, and what is in the way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hw/alink/cmis.h>

#include "path.h"

static const char *const presence_names[] = {
	[ALINK_MODULE_UNKNOWN]	= "unknown",
	[ALINK_MODULE_MISSING]	= "missing",
	[ALINK_MODULE_SILENT]	= "silent",
	[ALINK_MODULE_FITTED]	= "fitted",
};

/* --- text ----------------------------------------------------------------- */

static void module_text(const struct alink_module_info *m, char *buf,
			size_t room)
{
	size_t len;

	len = (size_t)snprintf(buf, room, "module %s cage %u lane %u: %s",
			       m->controller[0] ? m->controller : "?",
			       m->cage, m->first_lane,
			       m->state ? alink_module_state_name(m->state) :
					  presence_names[m->presence]);
	if (m->state == CMIS_STATE_FAULT)
		len += (size_t)snprintf(buf + len, room - len, " (%s)",
					alink_module_fault_name(m->fault));
	if (m->part[0])
		len += (size_t)snprintf(buf + len, room - len, ", %s", m->part);
	if (m->temp_known)
		snprintf(buf + len, room - len, ", %.1f C", m->temp / 1000.0);
}

static void end_text(const struct path_end *e)
{
	const struct alink_link_info *l = e->link;
	char name[48], module[160] = "copper";

	snprintf(name, sizeof(name), "%sp%u", e->dev->name, l->link);
	if (e->optical)
		module_text(&e->module, module, sizeof(module));
	printf("    %-10s %-8s %4u of %u Gb/s, %u of %u lanes, FEC %s, %s",
	       name, alink_link_state_name(l->state), l->speed / 1000,
	       l->max_speed / 1000, l->lanes, l->max_lanes,
	       alink_fec_name(l->fec), module);
	if (l->reason != ALINK_DOWN_NONE)
		printf("; %s", alink_reason_name(l->reason));
	putchar('\n');
}

static void hop_text(const struct path_hop *h)
{
	static const char *const before[] = { "  ", " -> ", " | ", " -> " };
	const struct path_end *e;
	unsigned int i;

	for (i = 0; i < PATH_ENDS; i++) {
		e = &h->end[i];
		if (e->dev && e->link)
			printf("%s%sp%u", before[i], e->dev->name,
			       e->link->link);
	}
	if (!h->routed)
		printf("   NOT used: %s\n", h->limit.why);
	else if (h->why)
		printf("   NOT usable: %s%s\n", h->why,
		       h->spare ? "; a spare" : "");
	else
		printf("   %u Gb/s%s\n", h->speed / 1000, !h->spare ? "" :
		       h->used ? "; a spare that stands in" :
				 "; an idle spare");
	for (i = 0; i < PATH_ENDS; i++)
		if (h->end[i].dev && h->end[i].link)
			end_text(&h->end[i]);
}

/* The partition that both are in everywhere; 0: not so */
static uint32_t one_partition(const struct path *p)
{
	const struct path_hop *h;
	uint32_t part = 0;

	for (h = p->hop; h < p->hop + p->num_hops; h++) {
		if (!h->end[PATH_SW_IN].dev)
			continue;
		if (!h->part[0] || h->part[0] != h->part[1] ||
		    (part && part != h->part[0]))
			return 0;
		part = h->part[0];
	}
	return part;
}

static bool with_both(const struct alink_group_info *g, const struct path *p)
{
	return alink_set_has(&g->members, p->a->fabric_id) &&
	       alink_set_has(&g->members, p->b->fabric_id);
}

static void groups_text(const struct fabric *f, const struct path *p)
{
	const struct alink_group_info *g;
	struct alink_set ids = {};
	char text[80];

	for (g = f->group; g < f->group + f->num_groups; g++)
		if (with_both(g, p))
			alink_set_add(&ids, g->id);
	printf("groups with both %s\n", set_text(&ids, text, sizeof(text)));
}

static void bottleneck_text(const struct path *p)
{
	const struct path_limit *b = &p->bottleneck;
	uint32_t n = alink_set_count(&p->alike);
	char module[160], links[64];

	if (!b->kind) {
		puts(p->spares ? "bottleneck: none" :
		     "bottleneck: none, all that is cabled is in use");
		return;
	}
	printf("bottleneck: %s: %s", b->where, b->why);
	if (!strcmp(b->kind, "module")) {
		module_text(&b->at->module, module, sizeof(module));
		printf("; %s", module);
	}
	if (n > 1)
		printf("; so for links %s",
		       set_text(&p->alike, links, sizeof(links)));
	printf("; takes %u of %llu Gb/s\n", b->lost / 1000,
	       (unsigned long long)p->full / 1000);
}

static void path_text(const struct fabric *f, const struct path *p)
{
	uint32_t part = one_partition(p), i;
	char text[64], spares[64];

	printf("%s (endpoint %u) to %s (endpoint %u)\n", p->a->name,
	       p->a->fabric_id, p->b->name, p->b->fabric_id);
	if (p->route)
		printf("  route over links %s, %s%s%sat least %u; ",
		       set_text(&p->route->ports, text, sizeof(text)),
		       p->spares ? "spare " : "",
		       p->spares ? set_text(&p->route->spares, spares,
					    sizeof(spares)) : "",
		       p->spares ? ", " : "", p->route->min_ports);
	else
		printf("  no route; ");
	if (part)
		printf("partition %u; ", part);
	else
		printf("no common partition; ");
	groups_text(f, p);
	for (i = 0; i < p->num_hops; i++)
		hop_text(&p->hop[i]);
	printf("%u of %u links usable, %llu Gb/s a direction%s%s\n",
	       p->usable, p->listed, (unsigned long long)p->speed / 1000,
	       p->why ? "; no path: " : "", p->why ? p->why : "");
	bottleneck_text(p);
}

/* --- JSON ----------------------------------------------------------------- */

static struct json_object *module_json(const struct alink_module_info *m)
{
	struct json_object *o = json_object_new_object();

	json_str(o, "controller", m->controller[0] ? m->controller : NULL);
	json_num(o, "cage", m->cage);
	json_num(o, "first_lane", m->first_lane);
	json_str(o, "presence", presence_names[m->presence]);
	json_str(o, "state", m->state ? alink_module_state_name(m->state) :
					NULL);
	json_str(o, "fault", m->state == CMIS_STATE_FAULT ?
		 alink_module_fault_name(m->fault) : NULL);
	json_str(o, "part", m->part[0] ? m->part : NULL);
	json_str(o, "serial", m->serial[0] ? m->serial : NULL);
	json_object_object_add(o, "temperature_mdeg", m->temp_known ?
			       json_object_new_int(m->temp) : NULL);
	return o;
}

static struct json_object *end_json(const struct path_end *e)
{
	struct json_object *o = json_object_new_object();
	const struct alink_link_info *l = e->link;

	json_str(o, "device", e->dev->name);
	json_num(o, "link", l->link);
	json_link(o, l);
	json_object_object_add(o, "module", e->optical ?
			       module_json(&e->module) : NULL);
	return o;
}

static struct json_object *route_json(const struct alink_route_info *r)
{
	struct json_object *o;

	if (!r)
		return NULL;
	o = json_object_new_object();
	json_num(o, "min_ports", r->min_ports);
	json_object_object_add(o, "ports", set_json(&r->ports));
	json_object_object_add(o, "spares", set_json(&r->spares));
	return o;
}

static struct json_object *limit_json(const struct path_limit *l)
{
	struct json_object *o;

	if (!l->kind)
		return NULL;
	o = json_object_new_object();
	json_str(o, "kind", l->kind);
	json_str(o, "where", l->where);
	json_str(o, "why", l->why);
	json_num(o, "lost_mbps", l->lost);
	json_object_object_add(o, "module", l->at && l->at->optical ?
			       module_json(&l->at->module) : NULL);
	return o;
}

static void json_number_of(struct json_object *o, const char *key,
			   const struct path_end *e)
{
	json_object_object_add(o, key, e->link ?
			       json_object_new_int64(e->link->link) : NULL);
}

static struct json_object *hop_json(const struct path_hop *h)
{
	const struct alink_device_info *sw = h->end[PATH_SW_IN].dev;
	struct json_object *o = json_object_new_object();
	struct json_object *ends = json_object_new_array();
	struct json_object *parts = NULL;
	unsigned int i;

	for (i = 0; i < PATH_ENDS; i++)
		if (h->end[i].dev && h->end[i].link)
			json_object_array_add(ends, end_json(&h->end[i]));
	if (sw) {
		parts = json_object_new_object();
		json_num(parts, "from", h->part[0]);
		json_num(parts, "to", h->part[1]);
	}
	json_number_of(o, "link", &h->end[PATH_OUT]);
	json_str(o, "switch", sw ? sw->name : NULL);
	json_number_of(o, "port_in", &h->end[PATH_SW_IN]);
	json_number_of(o, "port_out", &h->end[PATH_SW_OUT]);
	json_number_of(o, "link_in", &h->end[PATH_IN]);
	json_object_object_add(o, "usable", json_object_new_boolean(!h->why));
	json_object_object_add(o, "spare", json_object_new_boolean(h->spare));
	json_object_object_add(o, "used", json_object_new_boolean(h->used));
	json_str(o, "why", h->why);
	json_num(o, "speed_mbps", h->speed);
	json_object_object_add(o, "partition", parts);
	json_object_object_add(o, "switch_route", route_json(h->sw_route));
	json_object_object_add(o, "ends", ends);
	json_object_object_add(o, "limit", limit_json(&h->limit));
	return o;
}

/* One entry a group, as the switches may differ in what they have */
static struct json_object *groups_json(const struct fabric *f,
				       const struct path *p)
{
	struct json_object *array = json_object_new_array(), *o, *switches;
	const struct alink_group_info *g;
	uint32_t id;

	for (id = 0; id < ALINK_MAX_GROUPS; id++) {
		o = NULL;
		for (g = f->group; g < f->group + f->num_groups; g++) {
			if (g->id != id || !with_both(g, p))
				continue;
			if (!o) {
				o = json_object_new_object();
				switches = json_object_new_array();
				json_num(o, "id", id);
				json_object_object_add(o, "switches", switches);
				json_object_array_add(array, o);
			}
			json_object_array_add(switches, json_object_new_string(
					      inv_name(&f->inv, g->dev)));
		}
	}
	return array;
}

static struct json_object *path_json(const struct fabric *f,
				     const struct path *p)
{
	struct json_object *doc = json_object_new_object();
	struct json_object *hops = json_object_new_array();
	struct json_object *unused = json_object_new_array(), *b;
	const struct path_hop *h;
	uint32_t part = one_partition(p);

	for (h = p->hop; h < p->hop + p->num_hops; h++)
		if (h->routed)
			json_object_array_add(hops, hop_json(h));
		else
			json_object_array_add(unused, json_object_new_int64(
					      h->end[PATH_OUT].link->link));
	json_str(doc, "from", p->a->name);
	json_str(doc, "to", p->b->name);
	json_num(doc, "from_endpoint", p->a->fabric_id);
	json_num(doc, "to_endpoint", p->b->fabric_id);
	json_object_object_add(doc, "path", json_object_new_boolean(!p->why));
	json_str(doc, "why", p->why);
	json_num(doc, "usable_links", p->usable);
	json_num(doc, "speed_mbps", p->speed);
	json_num(doc, "full_speed_mbps", p->full);
	json_object_object_add(doc, "route", route_json(p->route));
	json_object_object_add(doc, "partition", part ?
			       json_object_new_int64(part) : NULL);
	json_object_object_add(doc, "groups", groups_json(f, p));
	json_object_object_add(doc, "links", hops);
	json_object_object_add(doc, "unused_links", unused);
	b = limit_json(&p->bottleneck);
	if (b)
		json_object_object_add(b, "links", set_json(&p->alike));
	json_object_object_add(doc, "bottleneck", b);
	return doc;
}

/* -------------------------------------------------------------------------- */

int path_show(struct alink_cmd_env *env, const struct fabric *f,
	      const struct alink_device_info *a,
	      const struct alink_device_info *b)
{
	struct path *p = malloc(sizeof(*p));
	int code, err;

	if (!p)
		return cmd_refuse(env, EXIT_FAILED, "out of memory");
	err = path_find(env->ctx, f, a, b, p);
	if (err) {
		free(p);
		return cmd_fail(env, err);
	}
	code = p->why ? EXIT_FAILED : EXIT_OK;
	if (env->json)
		cmd_print_json(env, "alink.path", 1, path_json(f, p));
	else
		path_text(f, p);
	free(p);
	return code;
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
		code = path_show(env, &f, end[0], end[1]);
	fabric_free(&f);
	return code;
}
