/* SPDX-License-Identifier: GPL-2.0-only */
/* A fabric as this host sees it, read once: for what joins its tables. */
#ifndef ALINK_FABRIC_H
#define ALINK_FABRIC_H

#include "cmd.h"

/* All sorted by device and number, see fabric_sort() */
struct fabric {
	struct inventory inv;
	struct alink_link_info *link;
	struct alink_route_info *route;
	struct alink_partition_info *part;
	struct alink_group_info *group;
	size_t num_links;
	size_t num_routes;
	size_t num_parts;
	size_t num_groups;
};

enum link_health {
	LINK_HEALTHY,
	LINK_DEGRADED,		/* up, with less than both of its ends can */
	LINK_BROKEN,		/* not up */
};

/*
 * Reads links and tables; devices are the caller's to load before. Prints what
 * is wrong, and returns an enum alink_exit; frees nothing.
 */
int fabric_read(struct alink_cmd_env *env, struct fabric *f);
void fabric_free(struct fabric *f);
/* The functions below find what they look for only after this. */
void fabric_sort(struct fabric *f);

const struct alink_link_info *fabric_link(const struct fabric *f, uint32_t dev,
					  uint32_t link);
const struct alink_route_info *fabric_route(const struct fabric *f,
					    uint32_t dev, uint32_t dst);
/* 0: none */
uint32_t fabric_partition(const struct fabric *f, uint32_t sw,
			  uint32_t endpoint);
/* The device at the other end of a link, NULL if it is not of this host */
const struct alink_device_info *fabric_peer(const struct fabric *f,
					    const struct alink_link_info *l);
/* That end of the link, or NULL */
const struct alink_link_info *fabric_far(const struct fabric *f,
					 const struct alink_link_info *l);

/*
 * How a link is, and why: text in @why, empty for a healthy one. @far, its
 * other end, may be NULL. *at is set to the end that is the cause.
 */
enum link_health fabric_health(const struct alink_link_info *l,
			       const struct alink_link_info *far,
			       const struct alink_link_info **at, char *why,
			       size_t room);

#endif /* ALINK_FABRIC_H */
