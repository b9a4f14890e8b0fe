// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs what alink does with a fabric on one that its standard input makes up:
 * no kernel, no device. For test_topo.py, which has the form of the lines.
 *
 *	alink-made dot | svg | up | path A B | json A B
 *
 * "up" prints the routes that follow from links and devices, as such lines.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alink_priv.h"
#include "path.h"
#include "topo_draw.h"

#define MAX_FIELDS	1100

struct made_module {
	uint32_t id;
	struct alink_module_info info;
};

static struct made_module *modules;
static size_t num_modules;

/* In place of that of libalink */
int alink_module(struct alink_ctx *ctx, const struct alink_link_info *link,
		 const struct alink_device_info *dev, size_t n,
		 struct alink_module_info *info)
{
	size_t i;

	(void)ctx;
	(void)dev;
	(void)n;
	memset(info, 0, sizeof(*info));
	for (i = 0; i < num_modules; i++)
		if (modules[i].id == link->module)
			*info = modules[i].info;
	return 0;
}

/* One more entry, all zero */
static void *more(void *list, size_t *n, size_t size)
{
	char **entries = list, *grown = realloc(*entries, (*n + 1) * size);

	if (!grown)
		exit(EXIT_FAILED);
	*entries = grown;
	memset(grown + *n * size, 0, size);
	return grown + (*n)++ * size;
}

#define MORE(list, n)	more(&(list), &(n), sizeof(*(list)))

static uint32_t num(char *const *field, int i)
{
	return (uint32_t)strtoul(field[i], NULL, 0);
}

static void set_of(char *const *field, int i, int n, struct alink_set *set)
{
	for (; i < n; i++)
		alink_set_add(set, num(field, i));
}

static void make_device(struct fabric *f, char *const *field)
{
	struct alink_device_info *d = MORE(f->inv.dev, f->inv.n);

	d->type = num(field, 1);
	d->index = num(field, 2);
	snprintf(d->name, sizeof(d->name), "%s", field[3]);
	d->fabric_id = num(field, 4);
	d->num_links = num(field, 5);
	snprintf(d->state, sizeof(d->state), "%s", field[6]);
}

static void make_link(struct fabric *f, char *const *field)
{
	struct alink_link_info *l = MORE(f->link, f->num_links);

	l->dev = num(field, 1);
	l->link = num(field, 2);
	l->state = num(field, 3);
	l->reason = num(field, 4);
	l->speed = num(field, 5);
	l->max_speed = num(field, 6);
	l->lanes = num(field, 7);
	l->max_lanes = num(field, 8);
	l->module = num(field, 9);
	l->peer_type = num(field, 10);
	l->peer_id = num(field, 11);
	l->peer_link = num(field, 12);
}

static void make_module(char *const *field)
{
	struct made_module *m = MORE(modules, num_modules);

	m->id = num(field, 1);
	m->info.presence = num(field, 2);
	m->info.state = num(field, 3);
	m->info.fault = num(field, 4);
	m->info.cage = m->id >> 8 & 0xff;
	snprintf(m->info.controller, sizeof(m->info.controller), "opt0");
	snprintf(m->info.part, sizeof(m->info.part), "%s", field[5]);
}

static bool make(struct fabric *f, char *const *field, int n)
{
	if (!strcmp(field[0], "dev") && n == 7) {
		make_device(f, field);
	} else if (!strcmp(field[0], "link") && n == 13) {
		make_link(f, field);
	} else if (!strcmp(field[0], "module") && n == 6) {
		make_module(field);
	} else if (!strcmp(field[0], "route") && n >= 4) {
		struct alink_route_info *r = MORE(f->route, f->num_routes);

		r->dev = num(field, 1);
		r->dst = num(field, 2);
		r->min_ports = num(field, 3);
		set_of(field, 4, n, &r->ports);
	} else if (!strcmp(field[0], "spare") && n >= 2) {
		/* Of the route before it */
		if (!f->num_routes)
			return false;
		set_of(field, 1, n, &f->route[f->num_routes - 1].spares);
	} else if (!strcmp(field[0], "part") && n == 4) {
		struct alink_partition_info *p = MORE(f->part, f->num_parts);

		p->dev = num(field, 1);
		p->endpoint = num(field, 2);
		p->partition = num(field, 3);
	} else if (!strcmp(field[0], "group") && n >= 3) {
		struct alink_group_info *g = MORE(f->group, f->num_groups);

		g->dev = num(field, 1);
		g->id = num(field, 2);
		set_of(field, 3, n, &g->members);
	} else {
		return false;
	}
	return true;
}

static int read_fabric(struct fabric *f)
{
	char *field[MAX_FIELDS], *line = NULL, *rest;
	size_t room = 0;
	int n, code = 0;

	while (!code && getline(&line, &room, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		rest = line;
		for (n = 0; rest && n < MAX_FIELDS; n++)
			field[n] = strsep(&rest, "\t");
		if (!make(f, field, n)) {
			fprintf(stderr, "no such line: %s\n", line);
			code = EXIT_USAGE;
		}
	}
	free(line);
	fabric_sort(f);
	return code;
}

static int print_route(void *arg, const struct alink_route_info *r)
{
	uint32_t i;

	(void)arg;
	printf("route\t%u\t%u\t%u", r->dev, r->dst, r->min_ports);
	for (i = 0; i < ALINK_MAX_PORTS; i++)
		if (alink_set_has(&r->ports, i))
			printf("\t%u", i);
	putchar('\n');
	return 0;
}

static int run(struct fabric *f, int argc, char **argv)
{
	const struct alink_device_info *a, *b;
	struct alink_cmd_env env = { };
	int code;

	if (argc == 2 && !strcmp(argv[1], "dot"))
		return topo_dot(stdout, f) ? EXIT_FAILED : EXIT_OK;
	if (argc == 2 && !strcmp(argv[1], "svg"))
		return topo_svg(stdout, f) ? EXIT_FAILED : EXIT_OK;
	if (argc == 2 && !strcmp(argv[1], "up"))
		return alink_wiring_routes(f->inv.dev, f->inv.n, f->link,
					   f->num_links, print_route, NULL) ?
		       EXIT_FAILED : EXIT_OK;
	if (argc != 4)
		return EXIT_USAGE;
	env.json = !strcmp(argv[1], "json");
	code = inv_find(&env, &f->inv, argv[2], &a);
	if (!code)
		code = inv_find(&env, &f->inv, argv[3], &b);
	return code ? code : path_show(&env, f, a, b);
}

int main(int argc, char **argv)
{
	struct fabric f = {};
	int code = read_fabric(&f);

	if (!code)
		code = run(&f, argc, argv);
	fabric_free(&f);
	free(modules);
	return code;
}
