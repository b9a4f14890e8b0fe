// SPDX-License-Identifier: GPL-2.0-only
/* The ranks of a collective: one on each xPU, all in one group. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench_coll.h"

#define PARTITION	1
#define DEPTH		16

static int by_number(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* The first @want xPUs by their endpoint ids, or all */
static int find(struct coll_node *m, uint32_t *id, uint32_t want)
{
	struct alink_device_info *list;
	uint32_t found = 0, *all;
	size_t i, n;
	int err;

	err = alink_devices(m->b->ctx, &list, &n);
	if (err)
		return bench_fail_alink(m->b, "devices", err);
	all = calloc(n + 1, sizeof(*all));
	for (i = 0; i < n && all; i++)
		if (list[i].type == ALINK_DEVTYPE_XPU &&
		    list[i].fabric_id != ALINK_ID_NONE)
			all[found++] = list[i].fabric_id;
	free(list);
	if (!all)
		return bench_fail(m->b, -ENOMEM, "out of memory");
	qsort(all, found, sizeof(*all), by_number);
	m->n = want ? want : found;
	if (m->n > found || !m->n || m->n > ALINK_COMM_MAX_RANKS)
		err = bench_fail(m->b, -ENOENT,
				 "%u ranks are wanted, of at most %u, and there are %u xPUs (alink list xpu)",
				 m->n, ALINK_COMM_MAX_RANKS, found);
	else
		memcpy(id, all, m->n * sizeof(*id));
	free(all);
	return err;
}

static int open_rank(struct coll_node *m, uint32_t i, uint32_t endpoint,
		     uint64_t key)
{
	struct alink_comm_config cfg = {
		.rank = i,
		.ranks = m->n,
		.group = m->group,
		.group_key = key,
		.max_bytes = m->room,
	};
	struct coll_rank *r = &m->rank[i];
	struct bench *b = m->b;
	int err;

	err = alink_xpu_open(b->ctx, endpoint, &r->xpu);
	if (!err)
		err = alink_comm_open(r->xpu, &cfg, &r->comm);
	if (!err)
		err = alink_queue_open(r->xpu, DEPTH, &r->queue);
	if (!err)
		err = alink_bo_alloc(r->xpu, 2 * m->room, ALINK_PLACE_HOST,
				     &r->io);
	if (!err) {
		r->map = alink_bo_map(r->io);
		err = r->map ? 0 : -ENOMEM;
	}
	return err ? bench_fail_alink(b, "rank", err) : 0;
}

static int connect_all(struct coll_node *m)
{
	struct alink_handle h;
	uint32_t i, k;
	int err;

	for (i = 0; i < m->n; i++) {
		err = alink_comm_handle(m->rank[i].comm, &h);
		for (k = 0; k < m->n && !err; k++)
			if (k != i)
				err = alink_comm_connect(m->rank[k].comm, i,
							 &h);
		if (err)
			return bench_fail_alink(m->b, "ranks", err);
	}
	return 0;
}

int coll_node_up(struct coll_node *m, struct bench *b, uint32_t n,
		 uint64_t room)
{
	uint32_t i, id[ALINK_COMM_MAX_RANKS];
	struct alink_set members = {};
	uint64_t key;
	int err;

	m->b = b;
	m->room = room;
	err = find(m, id, n);
	if (err)
		return err;
	err = alink_fabric_ensure(b->ctx, PARTITION);
	if (err)
		return bench_fail_alink(b, "fabric", err);
	for (i = 0; i < m->n; i++)
		alink_set_add(&members, id[i]);
	err = alink_group_make(b->ctx, &members, &m->group, &key);
	if (err)
		return bench_fail_alink(b, "group", err);
	m->grouped = true;
	for (i = 0; i < m->n && !err; i++)
		err = open_rank(m, i, id[i], key);
	return err ? err : connect_all(m);
}

void coll_node_down(struct coll_node *m)
{
	uint32_t i;

	/* Others hold what they import: communicators go before any xPU. */
	for (i = 0; i < m->n; i++) {
		alink_bo_free(m->rank[i].io);
		alink_queue_close(m->rank[i].queue);
		alink_comm_close(m->rank[i].comm);
	}
	for (i = 0; i < m->n; i++)
		if (m->rank[i].xpu)
			alink_xpu_close(m->rank[i].xpu);
	if (m->grouped)
		alink_group_del(m->b->ctx, ALINK_ALL, m->group);
	memset(m, 0, sizeof(*m));
}
