// SPDX-License-Identifier: GPL-2.0-only
/* alink topo: who is how far from whom, as a matrix or drawn. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo_draw.h"

#define MAX_DEPTH	32

/* The PCI functions from the host bridge down to a device */
struct location {
	char path[PATH_MAX];
	const char *part[MAX_DEPTH];
	int depth;
	int numa;
	char cpus[64];
};

static void read_line(const char *dir, const char *file, char *buf, int room)
{
	char path[PATH_MAX + 32];
	FILE *f;

	buf[0] = 0;
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(buf, room, f))
		buf[strcspn(buf, "\n")] = 0;
	fclose(f);
}

static void locate(const struct alink_device_info *d, struct location *l)
{
	char link[128], numa[16], *save, *part;

	memset(l, 0, sizeof(*l));
	l->numa = -1;
	snprintf(link, sizeof(link), "/sys/class/alink/%.31s/device", d->name);
	if (!realpath(link, l->path)) {
		l->path[0] = 0;
		return;
	}
	read_line(l->path, "numa_node", numa, sizeof(numa));
	if (numa[0])
		l->numa = atoi(numa);
	read_line(l->path, "local_cpulist", l->cpus, sizeof(l->cpus));
	for (part = strtok_r(l->path, "/", &save); part && l->depth < MAX_DEPTH;
	     part = strtok_r(NULL, "/", &save))
		if (strcmp(part, "sys") && strcmp(part, "devices"))
			l->part[l->depth++] = part;
}

static const char *pci_relation(const struct location *a,
				const struct location *b)
{
	int common = 0, left;

	while (common < a->depth && common < b->depth &&
	       !strcmp(a->part[common], b->part[common]))
		common++;
	left = a->depth > b->depth ? a->depth - common : b->depth - common;
	if (common > 1)
		return left <= 2 ? "PIX" : "PXB";
	if (common == 1)
		return "PHB";
	return a->numa == b->numa ? "NODE" : "SYS";
}

/* Links of @a that are up and whose switch has a link up to @b */
static unsigned int paths(const struct inventory *inv,
			  const struct alink_link_info *link, size_t n,
			  const struct alink_device_info *a,
			  const struct alink_device_info *b)
{
	const struct alink_device_info *sw;
	unsigned int num = 0;
	size_t i, j;

	for (i = 0; i < n; i++) {
		if (link[i].dev != a->index || link[i].state != ALINK_LINK_UP ||
		    link[i].peer_type != ALINK_DEVTYPE_SWITCH)
			continue;
		sw = inv_fabric(inv, ALINK_DEVTYPE_SWITCH, link[i].peer_id);
		for (j = 0; sw && j < n; j++)
			if (link[j].dev == sw->index &&
			    link[j].state == ALINK_LINK_UP &&
			    link[j].peer_type == ALINK_DEVTYPE_XPU &&
			    link[j].peer_id == b->fabric_id)
				break;
		num += sw && j < n;
	}
	return num;
}

static void relation(const struct inventory *inv,
		     const struct alink_link_info *link, size_t n,
		     const struct location *loc, size_t a, size_t b, char *buf,
		     size_t room)
{
	unsigned int num = 0;

	if (a == b) {
		snprintf(buf, room, "X");
		return;
	}
	if (inv->dev[a].type == ALINK_DEVTYPE_XPU &&
	    inv->dev[b].type == ALINK_DEVTYPE_XPU)
		num = paths(inv, link, n, &inv->dev[a], &inv->dev[b]);
	if (num)
		snprintf(buf, room, "AL%u", num);
	else
		snprintf(buf, room, "%s", pci_relation(&loc[a], &loc[b]));
}

static bool in_matrix(const struct alink_device_info *d)
{
	return d->type == ALINK_DEVTYPE_XPU || d->type == ALINK_DEVTYPE_NIC;
}

static void print_text(const struct inventory *inv,
		       const struct alink_link_info *link, size_t n,
		       const struct location *loc)
{
	char buf[16];
	size_t a, b;

	printf("%-7s", "");
	for (b = 0; b < inv->n; b++)
		if (in_matrix(&inv->dev[b]))
			printf(" %-6s", inv->dev[b].name);
	printf(" %-13s %s\n", "CPU affinity", "NUMA");
	for (a = 0; a < inv->n; a++) {
		if (!in_matrix(&inv->dev[a]))
			continue;
		printf("%-7s", inv->dev[a].name);
		for (b = 0; b < inv->n; b++) {
			if (!in_matrix(&inv->dev[b]))
				continue;
			relation(inv, link, n, loc, a, b, buf, sizeof(buf));
			printf(" %-6s", buf);
		}
		printf(" %-13s ", loc[a].cpus[0] ? loc[a].cpus : "-");
		if (loc[a].numa < 0)
			puts("-");
		else
			printf("%d\n", loc[a].numa);
	}
	puts("\nLegend:\n\n"
	     "  X    = itself\n"
	     "  AL#  = # ALink paths that are up, each over one switch plane\n"
	     "  PIX  = over one PCIe switch\n"
	     "  PXB  = over several PCIe switches, not through the host bridge\n"
	     "  PHB  = through a PCIe host bridge\n"
	     "  NODE = between host bridges of one NUMA node\n"
	     "  SYS  = between NUMA nodes");
}

static struct json_object *topo_json(const struct inventory *inv,
				     const struct alink_link_info *link,
				     size_t n, const struct location *loc)
{
	struct json_object *array = json_object_new_array(), *o, *to;
	char buf[16];
	size_t a, b;

	for (a = 0; a < inv->n; a++) {
		if (!in_matrix(&inv->dev[a]))
			continue;
		o = json_object_new_object();
		to = json_object_new_object();
		json_str(o, "device", inv->dev[a].name);
		json_str(o, "cpus", loc[a].cpus[0] ? loc[a].cpus : NULL);
		json_object_object_add(o, "numa_node", loc[a].numa < 0 ? NULL :
				       json_object_new_int(loc[a].numa));
		for (b = 0; b < inv->n; b++) {
			if (!in_matrix(&inv->dev[b]) || a == b)
				continue;
			relation(inv, link, n, loc, a, b, buf, sizeof(buf));
			json_str(to, inv->dev[b].name, buf);
		}
		json_object_object_add(o, "to", to);
		json_object_array_add(array, o);
	}
	return array;
}

static int draw(struct alink_cmd_env *env, const char *how,
		int (*fn)(FILE *out, const struct fabric *f))
{
	struct fabric f = {};
	int code;

	if (env->json)
		return cmd_refuse(env, EXIT_USAGE,
				  "topo %s: a drawing is no JSON: without -j",
				  how);
	code = inv_load(env, &f.inv);
	if (!code)
		code = fabric_read(env, &f);
	if (!code && fn(stdout, &f))
		code = cmd_refuse(env, EXIT_FAILED, "out of memory");
	if (!code && ferror(stdout))
		code = cmd_refuse(env, EXIT_FAILED,
				  "topo %s: cannot be written", how);
	fabric_free(&f);
	return code;
}

int cmd_topo(struct alink_cmd_env *env, int argc, char **argv)
{
	struct alink_link_info *link = NULL;
	struct location *loc = NULL;
	struct inventory inv;
	size_t i, n = 0;
	int code, err;

	if (argc > 1)
		return cmd_refuse(env, EXIT_USAGE,
				  "topo: too many arguments: %s", argv[1]);
	if (argc && !strcmp(argv[0], "--dot"))
		return draw(env, argv[0], topo_dot);
	if (argc && !strcmp(argv[0], "--svg"))
		return draw(env, argv[0], topo_svg);
	if (argc)
		return cmd_refuse(env, EXIT_USAGE,
				  "topo: --dot or --svg is wanted, not \"%s\"",
				  argv[0]);
	code = inv_load(env, &inv);
	if (code)
		return code;
	err = alink_links(env->ctx, ALINK_ALL, &link, &n);
	if (err) {
		code = cmd_fail(env, err);
		goto out;
	}
	loc = calloc(inv.n + 1, sizeof(*loc));
	if (!loc) {
		code = cmd_refuse(env, EXIT_FAILED, "out of memory");
		goto out;
	}
	for (i = 0; i < inv.n; i++)
		locate(&inv.dev[i], &loc[i]);
	if (env->json)
		code = cmd_print_json(env, "alink.topo", 1,
				      topo_json(&inv, link, n, loc));
	else
		print_text(&inv, link, n, loc);
out:
	free(loc);
	free(link);
	inv_free(&inv);
	return code;
}
