// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine that the demo runs on: finds it, sets the fabric up, makes the
 * group of all xPUs and opens each; and reads its counters.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

#define PARTITION	1

static int complain(const struct machine *m, const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, alink_error(m->ctx));
	return err;
}

static int by_id(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int find_xpus(struct machine *m)
{
	struct alink_device_info *list;
	size_t i, n;
	int err;

	err = alink_devices(m->ctx, &list, &n);
	if (err)
		return complain(m, "devices", err);
	for (i = 0; i < n; i++) {
		if (list[i].type == ALINK_DEVTYPE_SWITCH)
			m->planes++;
		if (list[i].type != ALINK_DEVTYPE_XPU)
			continue;
		if (m->n == DEMO_MAX_RANKS) {
			fprintf(stderr, "more than %d xPUs\n", DEMO_MAX_RANKS);
			err = -E2BIG;
			break;
		}
		m->endpoint[m->n++] = list[i].fabric_id;
	}
	free(list);
	if (err)
		return err;
	if (m->n < 2 || !m->planes) {
		fprintf(stderr,
			"%u xPUs and %u switches: 2 and 1 are the least (alink list)\n",
			m->n, m->planes);
		return -ENODEV;
	}
	qsort(m->endpoint, m->n, sizeof(m->endpoint[0]), by_id);
	return 0;
}

static int make_group(struct machine *m)
{
	struct alink_set members = {};
	uint32_t i;
	int err;

	for (i = 0; i < m->n; i++)
		alink_set_add(&members, m->endpoint[i]);
	err = alink_group_make(m->ctx, &members, &m->group, &m->key);
	if (err)
		return complain(m, "group", err);
	m->grouped = true;
	return 0;
}

static int open_rank(struct machine *m, uint32_t i)
{
	const uint64_t bytes = MLP_PARAMS * sizeof(float);
	struct alink_comm_config cfg = {
		.rank = i,
		.ranks = m->n,
		.group = m->group,
		.group_key = m->key,
		.max_bytes = bytes,
	};
	struct rank *r = &m->rank[i];
	int err;

	err = alink_xpu_open(m->ctx, m->endpoint[i], &r->xpu);
	if (!err)
		err = alink_comm_open(r->xpu, &cfg, &r->comm);
	if (!err)
		err = alink_bo_alloc(r->xpu, 2 * bytes, ALINK_PLACE_HOST,
				     &r->io);
	if (err)
		return complain(m, "rank", err);
	r->grad = alink_bo_map(r->io);
	if (!r->grad)
		return complain(m, "rank", -ENOMEM);
	r->sum = r->grad + MLP_PARAMS;
	return 0;
}

static int connect_ring(struct machine *m)
{
	uint32_t i, next, n = m->n;
	struct alink_handle h;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		next = (i + 1) % n;
		err = alink_comm_handle(m->rank[i].comm, &h);
		if (!err)
			err = alink_comm_connect(m->rank[next].comm, i, &h);
		/* Of two, one is both the next and the one before. */
		if (!err && n > 2)
			err = alink_comm_connect(m->rank[(i + n - 1) % n].comm,
						 i, &h);
	}
	return err ? complain(m, "ring", err) : 0;
}

int machine_up(struct machine *m)
{
	uint32_t i;
	int err;

	err = alink_new(&m->ctx);
	if (err) {
		fputs("out of memory\n", stderr);
		return err;
	}
	err = find_xpus(m);
	if (err)
		return err;
	m->rank = calloc(m->n, sizeof(*m->rank));
	if (!m->rank)
		return -ENOMEM;
	err = alink_fabric_ensure(m->ctx, PARTITION);
	if (err)
		return complain(m, "fabric", err);
	err = make_group(m);
	for (i = 0; i < m->n && !err; i++)
		err = open_rank(m, i);
	return err ? err : connect_ring(m);
}

void machine_down(struct machine *m)
{
	uint32_t i;

	for (i = 0; i < m->n && m->rank; i++)
		if (m->rank[i].comm)
			alink_comm_close(m->rank[i].comm);
	for (i = 0; i < m->n && m->rank; i++) {
		if (m->rank[i].io)
			alink_bo_free(m->rank[i].io);
		if (m->rank[i].xpu)
			alink_xpu_close(m->rank[i].xpu);
	}
	if (m->grouped && alink_group_del(m->ctx, ALINK_ALL, m->group))
		complain(m, "group", 0);
	free(m->rank);
	alink_free(m->ctx);
	memset(m, 0, sizeof(*m));
}

/* --- what there is -------------------------------------------------------- */

static void count_links(const struct alink_link_info *link, size_t n,
			uint32_t dev, uint32_t *up, uint64_t *mbps,
			uint32_t *optical)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (link[i].dev != dev || link[i].state != ALINK_LINK_UP)
			continue;
		++*up;
		*mbps += link[i].speed;
		*optical += link[i].module != ALINK_ID_NONE;
	}
}

void machine_show(const struct machine *m)
{
	struct alink_device_info *dev = NULL;
	struct alink_link_info *link = NULL;
	size_t i, n = 0, num_links = 0;
	uint32_t type;

	if (alink_devices(m->ctx, &dev, &n) ||
	    alink_links(m->ctx, ALINK_ALL, &link, &num_links)) {
		complain(m, "devices", 0);
		goto out;
	}
	printf("\n  %-7s %-13s %-8s %4s  %-8s %s\n", "device", "PCI", "state",
	       "id", "firmware", "links up");
	for (type = ALINK_DEVTYPE_XPU; type <= ALINK_DEVTYPE_RACK; type++)
		for (i = 0; i < n; i++) {
			uint32_t up = 0, optical = 0;
			uint64_t mbps = 0;
			char id[16] = "-";

			if (dev[i].type != type)
				continue;
			if (dev[i].fabric_id != ALINK_ID_NONE)
				snprintf(id, sizeof(id), "%u",
					 dev[i].fabric_id);
			printf("  %-7s %-13s %-8s %4s  %-8s", dev[i].name,
			       dev[i].pci, dev[i].state, id, dev[i].fw);
			count_links(link, num_links, dev[i].index, &up, &mbps,
				    &optical);
			if (dev[i].num_links)
				printf(" %u of %u, %llu Gb/s a direction",
				       up, dev[i].num_links,
				       (unsigned long long)mbps / 1000);
			if (optical)
				printf(", %u optical", optical);
			putchar('\n');
		}
out:
	free(dev);
	free(link);
}

/* --- counters ------------------------------------------------------------- */

static struct plane_count *plane_of(struct traffic *t,
				    const struct alink_device_info *dev,
				    size_t n, uint32_t index)
{
	uint32_t p;
	size_t i;

	for (i = 0; i < n; i++) {
		if (dev[i].index != index ||
		    dev[i].type != ALINK_DEVTYPE_SWITCH)
			continue;
		for (p = 0; p < t->num_planes; p++)
			if (t->plane[p].plane == dev[i].fabric_id)
				return &t->plane[p];
		if (t->num_planes == ALINK_MAX_PLANES)
			return NULL;
		t->plane[t->num_planes].plane = dev[i].fabric_id;
		return &t->plane[t->num_planes++];
	}
	return NULL;
}

static int count_traffic(struct traffic *t, const struct alink_device_info *dev,
			 size_t n, const struct alink_link_info *link,
			 size_t num_links)
{
	struct plane_count *p;
	size_t i;

	t->busy_up = calloc(num_links + 1, sizeof(*t->busy_up));
	t->busy_down = calloc(num_links + 1, sizeof(*t->busy_down));
	if (!t->busy_up || !t->busy_down)
		return -ENOMEM;
	for (i = 0; i < num_links; i++) {
		p = plane_of(t, dev, n, link[i].dev);
		if (!p) {
			t->busy_up[t->num_up++] = link[i].stats.busy_ns;
			continue;
		}
		t->busy_down[t->num_down++] = link[i].stats.busy_ns;
		p->rx_bytes += link[i].stats.rx_bytes;
		p->tx_bytes += link[i].stats.tx_bytes;
	}
	return 0;
}

/* Planes that links into them are spare for, as the routes of xPUs say */
static int find_spares(struct machine *m, struct traffic *t,
		       const struct alink_link_info *link, size_t num_links)
{
	struct alink_route_info *route;
	size_t i, k, n;
	uint32_t p;
	int err;

	err = alink_routes(m->ctx, ALINK_ALL, &route, &n);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		for (k = 0; alink_set_count(&route[i].spares) && k < num_links;
		     k++)
			for (p = 0; p < t->num_planes; p++)
				t->plane[p].spare |=
					link[k].dev == route[i].dev &&
					link[k].peer_id == t->plane[p].plane &&
					alink_set_has(&route[i].spares,
						      link[k].link);
	free(route);
	return 0;
}

int traffic_read(struct machine *m, struct traffic *t)
{
	struct alink_device_info *dev = NULL;
	struct alink_group_info *group = NULL;
	struct alink_link_info *link = NULL;
	size_t i, n, num_links, num_groups;
	struct plane_count *p;
	int err;

	memset(t, 0, sizeof(*t));
	err = alink_devices(m->ctx, &dev, &n);
	if (!err)
		err = alink_links(m->ctx, ALINK_ALL, &link, &num_links);
	if (!err)
		err = alink_groups(m->ctx, ALINK_ALL, &group, &num_groups);
	if (!err)
		err = count_traffic(t, dev, n, link, num_links);
	if (!err)
		err = find_spares(m, t, link, num_links);
	for (i = 0; !err && i < num_groups; i++) {
		p = plane_of(t, dev, n, group[i].dev);
		if (p && group[i].id == m->group)
			p->reductions = group[i].reductions;
	}
	free(dev);
	free(link);
	free(group);
	if (err) {
		traffic_free(t);
		return complain(m, "counters", err);
	}
	return 0;
}

void traffic_free(struct traffic *t)
{
	free(t->busy_up);
	free(t->busy_down);
	memset(t, 0, sizeof(*t));
}
