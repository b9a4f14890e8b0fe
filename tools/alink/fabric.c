// SPDX-License-Identifier: GPL-2.0-only
/* Devices, links and tables of a fabric, and how they belong together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric.h"

int fabric_read(struct alink_cmd_env *env, struct fabric *f)
{
	int err = alink_links(env->ctx, ALINK_ALL, &f->link, &f->num_links);

	if (!err)
		err = alink_routes(env->ctx, ALINK_ALL, &f->route,
				   &f->num_routes);
	if (!err)
		err = alink_partitions(env->ctx, ALINK_ALL, &f->part,
				       &f->num_parts);
	if (!err)
		err = alink_groups(env->ctx, ALINK_ALL, &f->group,
				   &f->num_groups);
	if (err)
		return cmd_fail(env, err);
	fabric_sort(f);
	return EXIT_OK;
}

void fabric_free(struct fabric *f)
{
	free(f->link);
	free(f->route);
	free(f->part);
	free(f->group);
	inv_free(&f->inv);
	memset(f, 0, sizeof(*f));
}

/* --- lookups -------------------------------------------------------------- */

static int order(uint32_t a1, uint32_t b1, uint32_t a2, uint32_t b2)
{
	if (a1 != b1)
		return a1 < b1 ? -1 : 1;
	return a2 == b2 ? 0 : a2 < b2 ? -1 : 1;
}

static int by_link(const void *a, const void *b)
{
	const struct alink_link_info *x = a, *y = b;

	return order(x->dev, y->dev, x->link, y->link);
}

static int by_route(const void *a, const void *b)
{
	const struct alink_route_info *x = a, *y = b;

	return order(x->dev, y->dev, x->dst, y->dst);
}

static int by_part(const void *a, const void *b)
{
	const struct alink_partition_info *x = a, *y = b;

	return order(x->dev, y->dev, x->endpoint, y->endpoint);
}

void fabric_sort(struct fabric *f)
{
	if (f->num_links)
		qsort(f->link, f->num_links, sizeof(*f->link), by_link);
	if (f->num_routes)
		qsort(f->route, f->num_routes, sizeof(*f->route), by_route);
	if (f->num_parts)
		qsort(f->part, f->num_parts, sizeof(*f->part), by_part);
}

const struct alink_link_info *fabric_link(const struct fabric *f, uint32_t dev,
					  uint32_t link)
{
	struct alink_link_info key = { .dev = dev, .link = link };

	return f->num_links ? bsearch(&key, f->link, f->num_links,
				      sizeof(key), by_link) : NULL;
}

const struct alink_route_info *fabric_route(const struct fabric *f,
					    uint32_t dev, uint32_t dst)
{
	struct alink_route_info key = { .dev = dev, .dst = dst };

	return f->num_routes ? bsearch(&key, f->route, f->num_routes,
				       sizeof(key), by_route) : NULL;
}

uint32_t fabric_partition(const struct fabric *f, uint32_t sw,
			  uint32_t endpoint)
{
	struct alink_partition_info key = { .dev = sw, .endpoint = endpoint };
	const struct alink_partition_info *p = NULL;

	if (f->num_parts)
		p = bsearch(&key, f->part, f->num_parts, sizeof(key), by_part);
	return p ? p->partition : 0;
}

const struct alink_device_info *fabric_peer(const struct fabric *f,
					    const struct alink_link_info *l)
{
	return l->peer_type ? inv_fabric(&f->inv, l->peer_type, l->peer_id) :
			      NULL;
}

const struct alink_link_info *fabric_far(const struct fabric *f,
					 const struct alink_link_info *l)
{
	const struct alink_device_info *d = fabric_peer(f, l);

	return d ? fabric_link(f, d->index, l->peer_link) : NULL;
}

/* --- how a link is -------------------------------------------------------- */

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Says only that the cause is at the other end */
static bool blames_other(const struct alink_link_info *l)
{
	if (l->state == ALINK_LINK_UP)
		return true;
	switch (l->reason) {
	case ALINK_DOWN_NONE:
	case ALINK_DOWN_REMOTE_FAULT:
	case ALINK_DOWN_RX_LOS:
	case ALINK_DOWN_RX_LOL:
		return true;
	default:
		return false;
	}
}

static void why_degraded(const struct alink_link_info *l, uint32_t speed,
			 uint32_t lanes, char *why, size_t room)
{
	const char *reason = "";

	if (l->reason != ALINK_DOWN_NONE)
		reason = alink_reason_name(l->reason);
	if (l->lanes < lanes)
		snprintf(why, room, "%u of %u lanes, %u of %u Gb/s%s%s",
			 l->lanes, lanes, l->speed / 1000, speed / 1000,
			 *reason ? ": " : "", reason);
	else
		snprintf(why, room, "%u of %u Gb/s%s%s", l->speed / 1000,
			 speed / 1000, *reason ? ": " : "", reason);
}

enum link_health fabric_health(const struct alink_link_info *l,
			       const struct alink_link_info *far,
			       const struct alink_link_info **at, char *why,
			       size_t room)
{
	uint32_t speed = l->max_speed, lanes = l->max_lanes;

	*at = l;
	if (far && (l->state != ALINK_LINK_UP ||
		    far->state != ALINK_LINK_UP) && blames_other(l) &&
	    (!blames_other(far) || l->state == ALINK_LINK_UP))
		*at = far;
	if ((*at)->state != ALINK_LINK_UP) {
		snprintf(why, room, "%s", (*at)->reason != ALINK_DOWN_NONE ?
			 alink_reason_name((*at)->reason) :
			 alink_link_state_name((*at)->state));
		return LINK_BROKEN;
	}
	/* Ends that differ are cabled so: no fault of either. */
	if (far) {
		speed = lower(speed, far->max_speed);
		lanes = lower(lanes, far->max_lanes);
	}
	if (l->speed >= speed && l->lanes >= lanes) {
		snprintf(why, room, "%s", "");
		return LINK_HEALTHY;
	}
	if (far && l->reason == ALINK_DOWN_NONE &&
	    far->reason != ALINK_DOWN_NONE)
		*at = far;
	why_degraded(*at, speed, lanes, why, room);
	return LINK_DEGRADED;
}
