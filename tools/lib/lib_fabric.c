// SPDX-License-Identifier: GPL-2.0-only
/* Links, routes, groups, partitions and segments. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <libmnl/libmnl.h>

#include <linux/alink.h>

#include "lib_netlink.h"

static const char *const link_names[] = {
	[ALINK_A_LINK_DEV_INDEX] = "device",
	[ALINK_A_LINK_LINK] = "link",
};

static const char *const route_names[] = {
	[ALINK_A_ROUTE_DEV_INDEX] = "device",
	[ALINK_A_ROUTE_DST] = "destination",
	[ALINK_A_ROUTE_MIN_PORTS] = "min-ports",
	[ALINK_A_ROUTE_PORTS] = "ports",
	[ALINK_A_ROUTE_SPARES] = "spares",
};

static const char *const group_names[] = {
	[ALINK_A_GROUP_DEV_INDEX] = "device",
	[ALINK_A_GROUP_ID] = "group",
	[ALINK_A_GROUP_KEY] = "key",
	[ALINK_A_GROUP_MEMBERS] = "members",
};

static const char *const partition_names[] = {
	[ALINK_A_PARTITION_DEV_INDEX] = "device",
	[ALINK_A_PARTITION_ENDPOINT] = "endpoint",
	[ALINK_A_PARTITION_PARTITION] = "partition",
};

static const char *const segment_names[] = {
	[ALINK_A_SEGMENT_DEV_INDEX] = "device",
	[ALINK_A_SEGMENT_ID] = "segment",
};

#define REQUEST(text, table) { \
	.what = (text), .names = (table), \
	.num_names = sizeof(table) / sizeof((table)[0]), \
}

uint32_t alink_set_count(const struct alink_set *s)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < sizeof(s->bits) / sizeof(s->bits[0]); i++)
		n += (uint32_t)__builtin_popcountll(s->bits[i]);
	return n;
}

/* --- lists ---------------------------------------------------------------- */

/* An array that grows by one entry an answer */
struct list {
	void *entries;
	size_t n;
	size_t size;		/* of an entry */
	int (*fill)(const struct nlattr *tb[], void *entry);
};

static int list_add(const struct nlattr *tb[], void *arg)
{
	struct list *l = arg;
	void *grown, *entry;
	int err;

	/* Doubles at powers of two. */
	if (!(l->n & (l->n - 1)) || !l->n) {
		grown = realloc(l->entries, (l->n ? 2 * l->n : 1) * l->size);
		if (!grown)
			return -ENOMEM;
		l->entries = grown;
	}
	entry = (char *)l->entries + l->n * l->size;
	memset(entry, 0, l->size);
	err = l->fill(tb, entry);
	if (!err)
		l->n++;
	return err;
}

/* In every set, attribute 1 is the index of the device. */
static int list_get(struct alink_ctx *ctx, struct nl_request *req, uint8_t cmd,
		    uint32_t dev, struct list *l)
{
	int err;

	err = alink_nl_start(ctx, req, cmd, true);
	if (err)
		return err;
	if (dev != ALINK_ALL)
		alink_nl_u32(req, ALINK_A_LINK_DEV_INDEX, dev);
	err = alink_nl_run(ctx, req, list_add, l);
	if (err) {
		free(l->entries);
		l->entries = NULL;
		l->n = 0;
	}
	return err;
}

static int fill_stats(const struct nlattr *nest, struct alink_link_stats *s)
{
	uint64_t *const where[ALINK_A_LINK_STATS_MAX + 1] = {
		[ALINK_A_LINK_STATS_DOWNS] = &s->downs,
		[ALINK_A_LINK_STATS_TX_BYTES] = &s->tx_bytes,
		[ALINK_A_LINK_STATS_RX_BYTES] = &s->rx_bytes,
		[ALINK_A_LINK_STATS_TX_PACKETS] = &s->tx_packets,
		[ALINK_A_LINK_STATS_RX_PACKETS] = &s->rx_packets,
		[ALINK_A_LINK_STATS_TX_RAW] = &s->tx_raw,
		[ALINK_A_LINK_STATS_RX_RAW] = &s->rx_raw,
		[ALINK_A_LINK_STATS_FEC_CORR] = &s->fec_corr,
		[ALINK_A_LINK_STATS_FEC_UNCORR] = &s->fec_uncorr,
		[ALINK_A_LINK_STATS_CRC_ERRORS] = &s->crc_errors,
		[ALINK_A_LINK_STATS_REPLAYS] = &s->replays,
		[ALINK_A_LINK_STATS_TX_ERRORS] = &s->tx_errors,
		[ALINK_A_LINK_STATS_RX_ERRORS] = &s->rx_errors,
		[ALINK_A_LINK_STATS_STALL_NS] = &s->stall_ns,
		[ALINK_A_LINK_STATS_BUSY_NS] = &s->busy_ns,
	};
	const struct nlattr *attr;
	uint16_t type;
	int err;

	if (!nest)
		return 0;
	mnl_attr_for_each_nested(attr, nest) {
		type = mnl_attr_get_type(attr);
		if (type > ALINK_A_LINK_STATS_MAX || !where[type])
			continue;
		err = alink_nl_get_u64(attr, where[type]);
		if (err)
			return err;
	}
	return 0;
}

static int fill_link(const struct nlattr *tb[], void *entry)
{
	struct alink_link_info *l = entry;
	struct {
		uint16_t attr;
		uint32_t *value;
	} const u32s[] = {
		{ ALINK_A_LINK_DEV_INDEX, &l->dev },
		{ ALINK_A_LINK_LINK, &l->link },
		{ ALINK_A_LINK_IFINDEX, &l->ifindex },
		{ ALINK_A_LINK_STATE, &l->state },
		{ ALINK_A_LINK_REASON, &l->reason },
		{ ALINK_A_LINK_SPEED, &l->speed },
		{ ALINK_A_LINK_MAX_SPEED, &l->max_speed },
		{ ALINK_A_LINK_LANES, &l->lanes },
		{ ALINK_A_LINK_MAX_LANES, &l->max_lanes },
		{ ALINK_A_LINK_FEC, &l->fec },
		{ ALINK_A_LINK_MODULE, &l->module },
		{ ALINK_A_LINK_PEER_TYPE, &l->peer_type },
		{ ALINK_A_LINK_PEER_ID, &l->peer_id },
		{ ALINK_A_LINK_PEER_LINK, &l->peer_link },
	};
	int err = 0;
	size_t i;

	l->module = ALINK_ID_NONE;
	l->peer_id = ALINK_ID_NONE;
	for (i = 0; i < sizeof(u32s) / sizeof(u32s[0]) && !err; i++)
		err = alink_nl_get_u32(tb[u32s[i].attr], u32s[i].value);
	if (!err)
		err = alink_nl_get_u64(tb[ALINK_A_LINK_PEER_SERIAL],
				       &l->peer_serial);
	if (!err)
		err = alink_nl_get_u64(tb[ALINK_A_LINK_BER], &l->ber);
	return err ? err : fill_stats(tb[ALINK_A_LINK_STATS], &l->stats);
}

int alink_links(struct alink_ctx *ctx, uint32_t dev,
		struct alink_link_info **list, size_t *n)
{
	struct nl_request req = REQUEST("show links", link_names);
	struct list l = { .size = sizeof(**list), .fill = fill_link };
	int err = list_get(ctx, &req, ALINK_CMD_LINK_GET, dev, &l);

	*list = l.entries;
	*n = l.n;
	return err;
}

static int fill_route(const struct nlattr *tb[], void *entry)
{
	struct alink_route_info *r = entry;

	if (alink_nl_get_u32(tb[ALINK_A_ROUTE_DEV_INDEX], &r->dev) ||
	    alink_nl_get_u32(tb[ALINK_A_ROUTE_DST], &r->dst) ||
	    alink_nl_get_u32(tb[ALINK_A_ROUTE_MIN_PORTS], &r->min_ports))
		return -EPROTO;
	if (tb[ALINK_A_ROUTE_SPARES] &&
	    alink_nl_get_set(tb[ALINK_A_ROUTE_SPARES], &r->spares))
		return -EPROTO;
	return alink_nl_get_set(tb[ALINK_A_ROUTE_PORTS], &r->ports);
}

int alink_routes(struct alink_ctx *ctx, uint32_t dev,
		 struct alink_route_info **list, size_t *n)
{
	struct nl_request req = REQUEST("show routes", route_names);
	struct list l = { .size = sizeof(**list), .fill = fill_route };
	int err = list_get(ctx, &req, ALINK_CMD_ROUTE_GET, dev, &l);

	*list = l.entries;
	*n = l.n;
	return err;
}

static int fill_group(const struct nlattr *tb[], void *entry)
{
	struct alink_group_info *g = entry;

	if (alink_nl_get_u32(tb[ALINK_A_GROUP_DEV_INDEX], &g->dev) ||
	    alink_nl_get_u32(tb[ALINK_A_GROUP_ID], &g->id) ||
	    alink_nl_get_u64(tb[ALINK_A_GROUP_KEY], &g->key) ||
	    alink_nl_get_u64(tb[ALINK_A_GROUP_EPOCH], &g->epoch) ||
	    alink_nl_get_u64(tb[ALINK_A_GROUP_REDUCTIONS], &g->reductions) ||
	    alink_nl_get_u64(tb[ALINK_A_GROUP_BYTES], &g->bytes))
		return -EPROTO;
	return alink_nl_get_set(tb[ALINK_A_GROUP_MEMBERS], &g->members);
}

int alink_groups(struct alink_ctx *ctx, uint32_t dev,
		 struct alink_group_info **list, size_t *n)
{
	struct nl_request req = REQUEST("show groups", group_names);
	struct list l = { .size = sizeof(**list), .fill = fill_group };
	int err = list_get(ctx, &req, ALINK_CMD_GROUP_GET, dev, &l);

	*list = l.entries;
	*n = l.n;
	return err;
}

static int fill_partition(const struct nlattr *tb[], void *entry)
{
	struct alink_partition_info *p = entry;

	if (alink_nl_get_u32(tb[ALINK_A_PARTITION_DEV_INDEX], &p->dev) ||
	    alink_nl_get_u32(tb[ALINK_A_PARTITION_ENDPOINT], &p->endpoint) ||
	    alink_nl_get_u32(tb[ALINK_A_PARTITION_PARTITION], &p->partition))
		return -EPROTO;
	return 0;
}

int alink_partitions(struct alink_ctx *ctx, uint32_t dev,
		     struct alink_partition_info **list, size_t *n)
{
	struct nl_request req = REQUEST("show partitions", partition_names);
	struct list l = { .size = sizeof(**list), .fill = fill_partition };
	int err = list_get(ctx, &req, ALINK_CMD_PARTITION_GET, dev, &l);

	*list = l.entries;
	*n = l.n;
	return err;
}

/* A process chooses its name: what is no text becomes '?'. */
static void take_comm(char *to, size_t room, const char *from)
{
	size_t i;

	for (i = 0; from[i] && i < room - 1; i++)
		to[i] = isascii(from[i]) && isprint(from[i]) ? from[i] : '?';
}

static int fill_segment(const struct nlattr *tb[], void *entry)
{
	const struct nlattr *comm = tb[ALINK_A_SEGMENT_COMM];
	struct alink_segment_info *s = entry;

	if (alink_nl_get_u32(tb[ALINK_A_SEGMENT_DEV_INDEX], &s->dev) ||
	    alink_nl_get_u32(tb[ALINK_A_SEGMENT_ID], &s->id) ||
	    alink_nl_get_u32(tb[ALINK_A_SEGMENT_ENDPOINT], &s->endpoint) ||
	    alink_nl_get_u32(tb[ALINK_A_SEGMENT_RIGHTS], &s->rights) ||
	    alink_nl_get_u64(tb[ALINK_A_SEGMENT_SIZE], &s->size) ||
	    alink_nl_get_u32(tb[ALINK_A_SEGMENT_EXTENTS], &s->extents) ||
	    alink_nl_get_u32(tb[ALINK_A_SEGMENT_PARTITION], &s->partition) ||
	    alink_nl_get_u32(tb[ALINK_A_SEGMENT_BINDINGS], &s->bindings) ||
	    alink_nl_get_u32(tb[ALINK_A_SEGMENT_PID], &s->pid) ||
	    (comm && mnl_attr_validate(comm, MNL_TYPE_NUL_STRING) < 0))
		return -EPROTO;
	if (comm)
		take_comm(s->comm, sizeof(s->comm), mnl_attr_get_str(comm));
	return 0;
}

int alink_segments(struct alink_ctx *ctx, uint32_t dev,
		   struct alink_segment_info **list, size_t *n)
{
	struct nl_request req = REQUEST("show segments", segment_names);
	struct list l = { .size = sizeof(**list), .fill = fill_segment };
	int err = list_get(ctx, &req, ALINK_CMD_SEGMENT_GET, dev, &l);

	*list = l.entries;
	*n = l.n;
	return err;
}

/* --- changes -------------------------------------------------------------- */

int alink_route_add(struct alink_ctx *ctx, const struct alink_route_info *r)
{
	struct nl_request req = REQUEST("add route", route_names);
	int err = alink_nl_start(ctx, &req, ALINK_CMD_ROUTE_ADD, false);

	if (err)
		return err;
	alink_nl_u32(&req, ALINK_A_ROUTE_DEV_INDEX, r->dev);
	alink_nl_u32(&req, ALINK_A_ROUTE_DST, r->dst);
	alink_nl_u32(&req, ALINK_A_ROUTE_MIN_PORTS, r->min_ports);
	alink_nl_set(&req, ALINK_A_ROUTE_PORTS, &r->ports);
	if (alink_set_count(&r->spares))
		alink_nl_set(&req, ALINK_A_ROUTE_SPARES, &r->spares);
	return alink_nl_run(ctx, &req, NULL, NULL);
}

int alink_route_del(struct alink_ctx *ctx, uint32_t dev, uint32_t dst)
{
	struct nl_request req = REQUEST("delete route", route_names);
	int err = alink_nl_start(ctx, &req, ALINK_CMD_ROUTE_DEL, false);

	if (err)
		return err;
	alink_nl_u32(&req, ALINK_A_ROUTE_DEV_INDEX, dev);
	alink_nl_u32(&req, ALINK_A_ROUTE_DST, dst);
	return alink_nl_run(ctx, &req, NULL, NULL);
}

int alink_group_add(struct alink_ctx *ctx, const struct alink_group_info *g)
{
	struct nl_request req = REQUEST("add group", group_names);
	int err = alink_nl_start(ctx, &req, ALINK_CMD_GROUP_ADD, false);

	if (err)
		return err;
	if (g->dev != ALINK_ALL)
		alink_nl_u32(&req, ALINK_A_GROUP_DEV_INDEX, g->dev);
	alink_nl_u32(&req, ALINK_A_GROUP_ID, g->id);
	alink_nl_u64(&req, ALINK_A_GROUP_KEY, g->key);
	alink_nl_set(&req, ALINK_A_GROUP_MEMBERS, &g->members);
	return alink_nl_run(ctx, &req, NULL, NULL);
}

int alink_group_make(struct alink_ctx *ctx, const struct alink_set *members,
		     uint32_t *id, uint64_t *key)
{
	struct alink_group_info g = { .dev = ALINK_ALL, .members = *members };
	int err;

	if (getrandom(&g.key, sizeof(g.key), 0) != sizeof(g.key))
		return alink_fail(ctx, -EIO, "no random number for a key: %s",
				  strerror(errno));
	g.key |= 1;		/* never 0 */
	do {
		err = alink_group_add(ctx, &g);
	} while (err == -EEXIST && ++g.id < ALINK_MAX_GROUPS);
	if (err)
		return err;
	*id = g.id;
	*key = g.key;
	return 0;
}

int alink_group_del(struct alink_ctx *ctx, uint32_t dev, uint32_t id)
{
	struct nl_request req = REQUEST("delete group", group_names);
	int err = alink_nl_start(ctx, &req, ALINK_CMD_GROUP_DEL, false);

	if (err)
		return err;
	if (dev != ALINK_ALL)
		alink_nl_u32(&req, ALINK_A_GROUP_DEV_INDEX, dev);
	alink_nl_u32(&req, ALINK_A_GROUP_ID, id);
	return alink_nl_run(ctx, &req, NULL, NULL);
}

int alink_partition_set(struct alink_ctx *ctx, uint32_t dev, uint32_t endpoint,
			uint32_t partition)
{
	struct nl_request req = REQUEST("set partition", partition_names);
	int err = alink_nl_start(ctx, &req, ALINK_CMD_PARTITION_SET, false);

	if (err)
		return err;
	if (dev != ALINK_ALL)
		alink_nl_u32(&req, ALINK_A_PARTITION_DEV_INDEX, dev);
	alink_nl_u32(&req, ALINK_A_PARTITION_ENDPOINT, endpoint);
	alink_nl_u32(&req, ALINK_A_PARTITION_PARTITION, partition);
	return alink_nl_run(ctx, &req, NULL, NULL);
}

int alink_segment_revoke(struct alink_ctx *ctx, uint32_t dev, uint32_t id)
{
	struct nl_request req = REQUEST("revoke segment", segment_names);
	int err = alink_nl_start(ctx, &req, ALINK_CMD_SEGMENT_REVOKE, false);

	if (err)
		return err;
	alink_nl_u32(&req, ALINK_A_SEGMENT_DEV_INDEX, dev);
	alink_nl_u32(&req, ALINK_A_SEGMENT_ID, id);
	return alink_nl_run(ctx, &req, NULL, NULL);
}
