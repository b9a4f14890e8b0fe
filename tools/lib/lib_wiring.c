// SPDX-License-Identifier: GPL-2.0-only
/* Routes that follow from the cabling. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alink_priv.h"

struct wiring {
	struct alink_ctx *ctx;
	struct alink_device_info *dev;
	size_t num_devs;
	struct alink_link_info *link;
	size_t num_links;
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

static int switch_routes(const struct wiring *w,
			 const struct alink_device_info *sw)
{
	struct alink_set endpoints = {};
	uint32_t dst;
	size_t i;
	int err;

	seen_by(w, sw, &endpoints);
	for (dst = 0; dst < ALINK_MAX_ENDPOINTS; dst++) {
		struct alink_route_info r = { .dev = sw->index, .dst = dst,
					      .min_ports = 1 };

		if (!alink_set_has(&endpoints, dst))
			continue;
		for (i = 0; i < w->num_links; i++)
			if (w->link[i].dev == sw->index &&
			    w->link[i].peer_type == ALINK_DEVTYPE_XPU &&
			    w->link[i].peer_id == dst)
				alink_set_add(&r.ports, w->link[i].link);
		err = alink_route_add(w->ctx, &r);
		if (err)
			return err;
	}
	return 0;
}

/* The switch of a plane that is on this host, or NULL */
static const struct alink_device_info *plane_switch(const struct wiring *w,
						    uint32_t plane)
{
	size_t i;

	for (i = 0; i < w->num_devs; i++)
		if (w->dev[i].type == ALINK_DEVTYPE_SWITCH &&
		    w->dev[i].fabric_id == plane)
			return &w->dev[i];
	return NULL;
}

static int xpu_routes(const struct wiring *w,
		      const struct alink_device_info *xpu)
{
	const struct alink_device_info *sw;
	uint32_t dst;
	size_t i;
	int err;

	for (dst = 0; dst < ALINK_MAX_ENDPOINTS; dst++) {
		struct alink_route_info r = { .dev = xpu->index, .dst = dst,
					      .min_ports = 1 };

		if (dst == xpu->fabric_id)
			continue;
		for (i = 0; i < w->num_links; i++) {
			struct alink_set there = {};

			if (w->link[i].dev != xpu->index ||
			    w->link[i].peer_type != ALINK_DEVTYPE_SWITCH)
				continue;
			sw = plane_switch(w, w->link[i].peer_id);
			if (sw)
				seen_by(w, sw, &there);
			if (alink_set_has(&there, dst))
				alink_set_add(&r.ports, w->link[i].link);
		}
		if (!alink_set_count(&r.ports))
			continue;
		err = alink_route_add(w->ctx, &r);
		if (err)
			return err;
	}
	return 0;
}

static int join_all(const struct wiring *w, uint32_t partition)
{
	struct alink_set endpoints = {};
	uint32_t i;
	int err;

	for (i = 0; i < w->num_devs; i++)
		if (w->dev[i].type == ALINK_DEVTYPE_SWITCH)
			seen_by(w, &w->dev[i], &endpoints);
	if (!alink_set_count(&endpoints))
		return alink_fail(w->ctx, -ENOENT,
				  "no switch of this host has an xPU behind a port: alink list switch");
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		if (!alink_set_has(&endpoints, i))
			continue;
		err = alink_partition_set(w->ctx, ALINK_ALL, i, partition);
		if (err)
			return err;
	}
	return 0;
}

int alink_fabric_up(struct alink_ctx *ctx, uint32_t partition)
{
	struct wiring w = { .ctx = ctx };
	const struct alink_device_info *d;
	size_t i;
	int err;

	if (!partition)
		return alink_fail(ctx, -EINVAL,
				  "partition 0 is none: endpoints in it reach nobody");
	err = alink_devices(ctx, &w.dev, &w.num_devs);
	if (!err)
		err = alink_links(ctx, ALINK_ALL, &w.link, &w.num_links);
	if (!err)
		err = join_all(&w, partition);
	for (i = 0; i < w.num_devs && !err; i++) {
		d = &w.dev[i];
		if (d->type == ALINK_DEVTYPE_SWITCH)
			err = switch_routes(&w, d);
		else if (d->type == ALINK_DEVTYPE_XPU)
			err = xpu_routes(&w, d);
	}
	free(w.dev);
	free(w.link);
	return err;
}

int alink_fabric_ensure(struct alink_ctx *ctx, uint32_t partition)
{
	struct alink_manager_info m;
	int err = alink_manager(ctx, &m);

	return err || m.managed ? err : alink_fabric_up(ctx, partition);
}
