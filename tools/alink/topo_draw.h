/* SPDX-License-Identifier: GPL-2.0-only */
/* What alink topo --dot and --svg draw: nodes and edges with their texts. */
#ifndef ALINK_TOPO_DRAW_H
#define ALINK_TOPO_DRAW_H

#include "fabric.h"

/* In the order in which one hides another */
enum draw_style {
	DRAW_UP,
	DRAW_NO_ROUTE,
	DRAW_DEGRADED,
	DRAW_DOWN,
	DRAW_STYLES,
};

struct draw_line {
	char text[40];
	enum draw_style style;
};

/**
 * struct draw_node - a device, or an end of a cable that is of another host
 * @type:	enum alink_devtype
 * @id:		endpoint id or plane
 * @dev:	NULL: of another host
 * @name:	of the device, or as in "xpu:3"
 * @missing:	endpoints that it should have a route to, and has none
 * @used:	links that its routes name
 * @num_edges:	links that are cabled
 * @line:	text in its box
 * @num_lines:	their number
 * @num_label:	how many of them come before those about its links
 */
struct draw_node {
	uint32_t type;
	uint32_t id;
	const struct alink_device_info *dev;
	char name[48];
	struct alink_set missing;
	struct alink_set used;
	uint32_t num_edges;
	struct draw_line *line;
	size_t num_lines;
	size_t num_label;
};

/**
 * struct draw_edge - a cable between an xPU and a switch
 * @xpu:	node
 * @sw:		node
 * @link:	number at the xPU
 * @port:	number at the switch
 * @end:	what the end tells that is of this host, the xPU's first
 * @style:	how it is drawn
 * @why:	why not as DRAW_UP
 */
struct draw_edge {
	size_t xpu, sw;
	uint32_t link, port;
	const struct alink_link_info *end;
	enum draw_style style;
	char why[160];
};

/* Nodes are ordered: switches, xPUs, NICs, each by number */
struct drawing {
	const struct fabric *f;
	struct draw_node *node;
	size_t num_nodes;
	struct draw_edge *edge;
	size_t num_edges;
	size_t styles[DRAW_STYLES];	/* edges of each */
	size_t num_missing;		/* routes */
};

/* Return 0 or -ENOMEM. */
int drawing_make(struct drawing *d, const struct fabric *f);
int topo_svg(FILE *out, const struct fabric *f);
int topo_dot(FILE *out, const struct fabric *f);

/* Second half of drawing_make() */
int drawing_label(struct drawing *d);
void drawing_free(struct drawing *d);
/* "400 Gb/s x4", or the state when it is not up */
const char *edge_rate(const struct draw_edge *e, char *buf, size_t room);
/* "2 xPUs, 2 switches, ...: 3 links up, 1 down" */
const char *drawing_title(const struct drawing *d, char *buf, size_t room);
extern const char *const draw_meaning[DRAW_STYLES];
extern const char *const draw_colour[DRAW_STYLES];

#endif /* ALINK_TOPO_DRAW_H */
