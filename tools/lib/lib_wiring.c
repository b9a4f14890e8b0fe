// SPDX-License-Identifier: GPL-2.0-only
/* Routes that follow from the cabling. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alink_priv.h"

struct wiring {
	const struct alink_device_info *dev;
	size_t num_devs;
	const struct alink_link_info *link;
	size_t num_links;
};

/* What the routes of all devices are made with, one after the other */
struct routing {
	struct alink_set *behind;	/* by device: what a switch sees */
	struct alink_set *ports;	/* by endpoint: the ways there */
};

/* Endpoints that a switch sees behind its ports */
static void seen_by(const struct wiring *w, const struct alink_device_info *sw,
		    struct alink_set *endpoints)
{
	size_t i;

	for (i = 0; i < w->num_links; i++)
		if (w->link[i].dev == sw->index &&
		    w->link[i].peer_type == ALINK_DEVTYPE_XPU)
			alink_set_add(endpoints, w->link[i].peer_id);
}

/* What the switch of a plane sees, if it is on this host; else NULL */
static const struct alink_set *behind_plane(const struct wiring *w,
					    const struct routing *r,
					    uint32_t plane)
{
	size_t i;

	for (i = 0; i < w->num_devs; i++)
		if (w->dev[i].type == ALINK_DEVTYPE_SWITCH &&
		    w->dev[i].fabric_id == plane)
			return &r->behind[i];
	return NULL;
}

/* Where a link of a switch leads to, and where one of an xPU does */
static void follow_link(const struct wiring *w, struct routing *r,
			uint32_t type, const struct alink_link_info *link)
{
	const struct alink_set *there;
	uint32_t dst;

	if (type == ALINK_DEVTYPE_SWITCH &&
	    link->peer_type == ALINK_DEVTYPE_XPU &&
	    link->peer_id < ALINK_MAX_ENDPOINTS)
		alink_set_add(&r->ports[link->peer_id], link->link);
	if (type != ALINK_DEVTYPE_XPU ||
	    link->peer_type != ALINK_DEVTYPE_SWITCH)
		return;
	there = behind_plane(w, r, link->peer_id);
	for (dst = 0; there && dst < ALINK_MAX_ENDPOINTS; dst++)
		if (alink_set_has(there, dst))
			alink_set_add(&r->ports[dst], link->link);
}

static int routes_of(const struct wiring *w, struct routing *r,
		     const struct alink_device_info *dev, alink_wiring_fn *add,
		     void *arg)
{
	struct alink_route_info route = { .dev = dev->index, .min_ports = 1 };
	uint32_t dst;
	size_t i;
	int err = 0;

	memset(r->ports, 0, ALINK_MAX_ENDPOINTS * sizeof(*r->ports));
	for (i = 0; i < w->num_links; i++)
		if (w->link[i].dev == dev->index)
			follow_link(w, r, dev->type, &w->link[i]);
	for (dst = 0; dst < ALINK_MAX_ENDPOINTS && !err; dst++) {
		if (!alink_set_count(&r->ports[dst]) ||
		    (dev->type == ALINK_DEVTYPE_XPU && dst == dev->fabric_id))
			continue;
		route.dst = dst;
		route.ports = r->ports[dst];
		err = add(arg, &route);
	}
	return err;
}

int alink_wiring_routes(const struct alink_device_info *dev, size_t num_devs,
			const struct alink_link_info *link, size_t num_links,
			alink_wiring_fn *add, void *arg)
{
	const struct wiring w = { dev, num_devs, link, num_links };
	struct routing r;
	int err = 0;
	size_t i;

	r.behind = calloc(num_devs + 1, sizeof(*r.behind));
	r.ports = calloc(ALINK_MAX_ENDPOINTS, sizeof(*r.ports));
	if (!r.behind || !r.ports)
		err = -ENOMEM;
	for (i = 0; i < num_devs && !err; i++)
		if (dev[i].type == ALINK_DEVTYPE_SWITCH)
			seen_by(&w, &dev[i], &r.behind[i]);
	for (i = 0; i < num_devs && !err; i++)
		err = routes_of(&w, &r, &dev[i], add, arg);
	free(r.behind);
	free(r.ports);
	return err;
}

static int join_all(struct alink_ctx *ctx, const struct wiring *w,
		    uint32_t partition)
{
	struct alink_set endpoints = {};
	uint32_t i;
	int err;

	for (i = 0; i < w->num_devs; i++)
		if (w->dev[i].type == ALINK_DEVTYPE_SWITCH)
			seen_by(w, &w->dev[i], &endpoints);
	if (!alink_set_count(&endpoints))
		return alink_fail(ctx, -ENOENT,
				  "no switch of this host has an xPU behind a port: alink list switch");
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		if (!alink_set_has(&endpoints, i))
			continue;
		err = alink_partition_set(ctx, ALINK_ALL, i, partition);
		if (err)
			return err;
	}
	return 0;
}

static int add_route(void *ctx, const struct alink_route_info *route)
{
	return alink_route_add(ctx, route);
}

int alink_fabric_up(struct alink_ctx *ctx, uint32_t partition)
{
	struct alink_device_info *dev = NULL;
	struct alink_link_info *link = NULL;
	struct wiring w = {};
	int err;

	if (!partition)
		return alink_fail(ctx, -EINVAL,
				  "partition 0 is none: endpoints in it reach nobody");
	err = alink_devices(ctx, &dev, &w.num_devs);
	if (!err)
		err = alink_links(ctx, ALINK_ALL, &link, &w.num_links);
	w.dev = dev;
	w.link = link;
	if (!err)
		err = join_all(ctx, &w, partition);
	if (!err) {
		err = alink_wiring_routes(dev, w.num_devs, link, w.num_links,
					  add_route, ctx);
		if (err == -ENOMEM)
			alink_fail(ctx, err, "out of memory");
	}
	free(dev);
	free(link);
	return err;
}

int alink_fabric_ensure(struct alink_ctx *ctx, uint32_t partition)
{
	struct alink_manager_info m;
	int err = alink_manager(ctx, &m);

	return err || m.managed ? err : alink_fabric_up(ctx, partition);
}
