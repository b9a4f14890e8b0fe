/* SPDX-License-Identifier: GPL-2.0-only */
/* The way between two xPUs, link by link, and what limits it. */
#ifndef ALINK_PATH_H
#define ALINK_PATH_H

#include "fabric.h"

/* Both ends of A's link, then both ends of B's */
enum { PATH_OUT, PATH_SW_IN, PATH_SW_OUT, PATH_IN, PATH_ENDS };

struct path_end {
	const struct alink_device_info *dev;
	const struct alink_link_info *link;	/* NULL: not known */
	struct alink_module_info module;
	bool optical;
};

/* What something is short of */
struct path_limit {
	const char *kind;		/* for programs; NULL: of nothing */
	char where[48];
	char why[160];
	const struct path_end *at;	/* NULL: at no end of a link */
	uint32_t lost;			/* Mb/s a direction */
};

/**
 * struct path_hop - one link of A and how it goes on
 * @end:	the ends that are known; those of A at least
 * @routed:	the route of A names the link
 * @spare:	as one that stands in for others
 * @used:	blocks go by it now
 * @sw_route:	of the switch to B, or NULL
 * @part:	partitions of A and of B in the switch, 0: none
 * @why:	not usable, NULL: usable
 * @speed:	Mb/s a direction, 0 unless usable
 * @limit:	why that is not what the link of A can
 */
struct path_hop {
	struct path_end end[PATH_ENDS];
	bool routed;
	bool spare;
	bool used;
	const struct alink_route_info *sw_route;
	uint32_t part[2];
	const char *why;
	uint32_t speed;
	struct path_limit limit;
};

/**
 * struct path - all of it
 * @a:		from
 * @b:		to
 * @route:	of A to B, or NULL
 * @hop:	links of A that its route names, and those that could be in it
 * @num_hops:	their number
 * @listed:	links that the route names, without spares
 * @spares:	spare links that it names
 * @usable:	links that lead to B, without spares that are idle
 * @speed:	Mb/s a direction over these
 * @full:	the same if nothing were in the way
 * @why:	there is no path, NULL: there is one
 * @bottleneck:	what takes most
 * @alike:	links that it is the limit of
 */
struct path {
	const struct alink_device_info *a, *b;
	const struct alink_route_info *route;
	struct path_hop hop[ALINK_MAX_PLANES];
	uint32_t num_hops;
	uint32_t listed;
	uint32_t spares;
	uint32_t usable;
	uint64_t speed;
	uint64_t full;
	const char *why;
	struct path_limit bottleneck;
	struct alink_set alike;
};

/* Fills in what tables say; returns 0, or what alink_module() returned. */
int path_find(struct alink_ctx *ctx, const struct fabric *f,
	      const struct alink_device_info *a,
	      const struct alink_device_info *b, struct path *p);

/* Prints it; returns an enum alink_exit. */
int path_show(struct alink_cmd_env *env, const struct fabric *f,
	      const struct alink_device_info *a,
	      const struct alink_device_info *b);

#endif /* ALINK_PATH_H */
