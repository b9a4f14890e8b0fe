// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Routes and partitions.
 *
 * An xPU's table maps the destination to a bitmap of its own links and one of
 * those that are spare, a switch's table to a bitmap of its ports. Both carry the
 * least number of live ones.
 */
#include "fabric_internal.h"

static uint32_t popcount_ports(const struct alink_route *route)
{
	uint32_t n = 0;

	for (int i = 0; i < AF_PORT_WORDS; i++)
		n += __builtin_popcountll(route->ports[i]);
	return n;
}

/* Is any port at or beyond @limit named? */
static bool ports_beyond(const struct alink_route *route, uint32_t limit)
{
	for (uint32_t i = 0; i < AF_PORT_WORDS; i++) {
		uint32_t first = i * 64;
		uint64_t w = route->ports[i];

		if (limit >= first + 64)
			continue;
		if (limit > first)
			w &= ~0ULL << (limit - first);
		if (w)
			return true;
	}
	return false;
}

/* Lock held. Number of ports of the device, 0 if it is not there. */
static uint32_t dev_ports(struct af_fabric *f, uint32_t dev_type,
			  uint32_t dev_id)
{
	if (dev_type == ALINK_DEVTYPE_XPU && af_ep_ok(f, dev_id))
		return f->page->ep[dev_id].num_links;
	if (dev_type == ALINK_DEVTYPE_SWITCH && af_sw_ok(f, dev_id))
		return f->page->sw[dev_id].radix;
	return 0;
}

int af_route_set_spares(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
			const struct alink_route *route, uint64_t spares)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;
	uint32_t dst = route->dst;
	int ret = ALINK_ST_OK;
	uint32_t limit;

	if (dst >= AF_MAX_EP || !route->min_ports ||
	    popcount_ports(route) < route->min_ports)
		return ALINK_ST_BAD_FIELD;
	if (spares & (dev_type == ALINK_DEVTYPE_XPU ? route->ports[0] : ~0ULL))
		return ALINK_ST_BAD_FIELD;
	if (dev_type == ALINK_DEVTYPE_XPU && dst == dev_id)
		return ALINK_ST_BAD_FIELD;	/* loop path */

	af_wrlock(f);
	limit = dev_ports(f, dev_type, dev_id);
	if (!limit) {
		ret = ALINK_ST_NOT_FOUND;
	} else if (ports_beyond(route, limit) ||
		   (limit < 64 && spares >> limit)) {
		ret = ALINK_ST_BAD_FIELD;
	} else if (dev_type == ALINK_DEVTYPE_XPU) {
		p->ep_route[dev_id][dst].links = route->ports[0];
		p->ep_route[dev_id][dst].spares = spares;
		p->ep_route[dev_id][dst].min = route->min_ports;
	} else {
		memcpy(p->sw_route[dev_id][dst].ports, route->ports,
		       sizeof(route->ports));
		p->sw_route[dev_id][dst].min = route->min_ports;
	}
	if (ret == ALINK_ST_OK)
		af_event(&list, dev_type, dev_id, ALINK_EVENT_ROUTE, dst, 1, 0);
	af_wrunlock(f, &list);
	return ret;
}

int af_route_del(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		 uint32_t dst)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;
	int ret = ALINK_ST_NOT_FOUND;

	if (dst >= AF_MAX_EP)
		return ALINK_ST_BAD_FIELD;

	af_wrlock(f);
	if (!dev_ports(f, dev_type, dev_id)) {
		/* nothing to delete from */
	} else if (dev_type == ALINK_DEVTYPE_XPU) {
		if (p->ep_route[dev_id][dst].min) {
			memset(&p->ep_route[dev_id][dst], 0,
			       sizeof(p->ep_route[dev_id][dst]));
			ret = ALINK_ST_OK;
		}
	} else if (p->sw_route[dev_id][dst].min) {
		memset(&p->sw_route[dev_id][dst], 0,
		       sizeof(p->sw_route[dev_id][dst]));
		ret = ALINK_ST_OK;
	}
	if (ret == ALINK_ST_OK)
		af_event(&list, dev_type, dev_id, ALINK_EVENT_ROUTE, dst, 0, 0);
	af_wrunlock(f, &list);
	return ret;
}

int af_route_get_spares(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
			uint32_t from, struct alink_route *route,
			uint64_t *spares)
{
	struct af_page *p = f->page;
	int ret = ALINK_ST_NOT_FOUND;
	uint32_t dst;

	memset(route, 0, sizeof(*route));
	*spares = 0;
	af_rdlock(f);
	if (!dev_ports(f, dev_type, dev_id))
		goto out;
	for (dst = from; dst < AF_MAX_EP && ret; dst++) {
		if (dev_type == ALINK_DEVTYPE_XPU) {
			const struct af_ep_route *r = &p->ep_route[dev_id][dst];

			if (!r->min)
				continue;
			route->min_ports = r->min;
			route->ports[0] = r->links;
			*spares = r->spares;
		} else {
			const struct af_sw_route *r = &p->sw_route[dev_id][dst];

			if (!r->min)
				continue;
			route->min_ports = r->min;
			memcpy(route->ports, r->ports, sizeof(r->ports));
		}
		route->dst = dst;
		ret = ALINK_ST_OK;
	}
out:
	af_rdunlock(f);
	return ret;
}

int af_fabric_set_default_partition(struct af_fabric *f, uint32_t partition)
{
	if (partition >= ALINK_MAX_PARTITIONS)
		return -EINVAL;
	af_wrlock(f);
	f->page->default_partition = partition;
	af_wrunlock(f, NULL);
	return 0;
}

uint32_t af_fabric_default_partition(struct af_fabric *f)
{
	uint32_t partition;

	af_rdlock(f);
	partition = f->page->default_partition;
	af_rdunlock(f);
	return partition;
}

int af_partition_set(struct af_fabric *f, uint32_t endpoint, uint32_t partition)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;
	int ret = ALINK_ST_OK;

	if (endpoint >= AF_MAX_EP || partition >= ALINK_MAX_PARTITIONS)
		return ALINK_ST_BAD_FIELD;

	af_wrlock(f);
	if (!af_ep_ok(f, endpoint)) {
		ret = ALINK_ST_NOT_FOUND;
	} else if (p->ep[endpoint].partition != partition) {
		p->ep[endpoint].partition = partition;
		af_seg_adopt(f, endpoint, partition);
		af_event(&list, ALINK_DEVTYPE_XPU, endpoint,
			 ALINK_EVENT_PARTITION, endpoint, partition, 0);
		for (uint32_t i = 0; i < AF_MAX_PLANES; i++)
			if (p->sw[i].present)
				af_event(&list, ALINK_DEVTYPE_SWITCH, i,
					 ALINK_EVENT_PARTITION, endpoint,
					 partition, 0);
	}
	af_wrunlock(f, &list);
	return ret;
}

int af_partition_get(struct af_fabric *f, uint32_t endpoint,
		     uint32_t *partition)
{
	int ret = ALINK_ST_NOT_FOUND;

	*partition = 0;
	af_rdlock(f);
	if (af_ep_ok(f, endpoint)) {
		*partition = f->page->ep[endpoint].partition;
		ret = ALINK_ST_OK;
	}
	af_rdunlock(f);
	return ret;
}

int af_tables_used(struct af_fabric *f, uint32_t plane,
		   struct af_tables_used *used)
{
	const struct af_page *p = f->page;
	int ret = -ENODEV;

	memset(used, 0, sizeof(*used));
	af_rdlock(f);
	if (af_sw_ok(f, plane)) {
		for (uint32_t i = 0; i < AF_MAX_EP; i++) {
			used->routes += p->sw_route[plane][i].min != 0;
			used->placed += af_ep_ok(f, i) && p->ep[i].partition;
		}
		for (uint32_t i = 0; i < ALINK_MAX_GROUPS; i++)
			used->groups += p->group[plane][i].num != 0;
		ret = 0;
	}
	af_rdunlock(f);
	return ret;
}
