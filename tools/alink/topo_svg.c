// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink topo --svg: the fabric in layers. Switches are in a row, xPUs in rows
 * below, NICs below these. Links of an xPU go to the gutter left of its column,
 * down there in a lane of their own, and then to its box: no line is drawn over
 * a box.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo_draw.h"

#define LINE	13		/* height of one of text */
#define BOX_W	258		/* 39 characters of 6.2, and room around */
#define PAD	8
#define GAP	34		/* above a row: where its links spread */
#define LANE	4		/* of a gutter */
#define MARK	7		/* above a box */
#define CHAR_W	6
#define MARGIN	20
#define HEAD	76		/* title and legend */
#define MIN_W	1000		/* what these need */

struct box {
	int x, y, h;
	int trunk;		/* of its links: where they come down */
	uint32_t used;		/* places for links taken */
};

struct layout {
	const struct drawing *d;
	struct box *box;
	size_t *order;		/* of edges: those that stand out last */
	size_t first[3], n[3];	/* nodes of each layer */
	size_t cols;
	int pitch;		/* from column to column */
	int width, height;
	int grid_y;		/* of the rows of xPUs */
};

enum { SWITCHES, XPUS, NICS };

/* --- layout --------------------------------------------------------------- */

static void count_layers(struct layout *l)
{
	static const uint32_t type[] = {
		ALINK_DEVTYPE_SWITCH, ALINK_DEVTYPE_XPU, ALINK_DEVTYPE_NIC
	};
	size_t i, k;

	for (k = 0; k < 3; k++) {
		for (i = 0; i < l->d->num_nodes; i++)
			l->n[k] += l->d->node[i].type == type[k];
		l->first[k] = k ? l->first[k - 1] + l->n[k - 1] : 0;
	}
}

static size_t rows_of(const struct layout *l, size_t n)
{
	return (n + l->cols - 1) / l->cols;
}

/* About as wide as high, and no narrower than the row of switches */
static void choose_columns(struct layout *l)
{
	size_t most = l->n[XPUS] > l->n[NICS] ? l->n[XPUS] : l->n[NICS];

	l->cols = 1;
	while (l->cols * l->cols < l->n[XPUS])
		l->cols++;
	if (l->cols < l->n[SWITCHES])
		l->cols = l->n[SWITCHES];
	if (l->cols > most && most)
		l->cols = most;
	l->pitch = BOX_W + 2 * LANE + LANE * (int)rows_of(l, l->n[XPUS]) +
		   2 * LANE;
}

/* Places a layer from @y on; returns where it ends. */
static int place_layer(struct layout *l, int layer, size_t cols, int left,
		       int y)
{
	size_t i, row, first;
	struct box *b;
	int h = 0;

	for (i = 0; i < l->n[layer]; i++) {
		row = i / cols;
		if (!(i % cols)) {
			y += h + GAP;
			h = 0;
		}
		first = l->first[layer] + i;
		b = &l->box[first];
		b->x = left + l->pitch * (int)(i % cols) + l->pitch - BOX_W;
		b->y = y;
		b->h = 2 * PAD + LINE * (int)l->d->node[first].num_lines;
		b->trunk = b->x - 2 * LANE - LANE * (int)row;
		if (b->h > h)
			h = b->h;
	}
	return y + h;
}

static int by_style(const void *a, const void *b, void *arg)
{
	const struct drawing *d = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	if (d->edge[x].style != d->edge[y].style)
		return d->edge[x].style < d->edge[y].style ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int max(int a, int b)
{
	return a > b ? a : b;
}

static int layout_make(struct layout *l, const struct drawing *d)
{
	int row, grid, left, y;
	size_t i;

	memset(l, 0, sizeof(*l));
	l->d = d;
	l->box = calloc(d->num_nodes + 1, sizeof(*l->box));
	l->order = calloc(d->num_edges + 1, sizeof(*l->order));
	if (!l->box || !l->order)
		return -ENOMEM;
	count_layers(l);
	choose_columns(l);
	row = l->pitch * (int)l->n[SWITCHES];
	grid = l->pitch * (int)l->cols;
	l->width = max(max(row, grid), MIN_W) + 2 * MARGIN;

	left = (l->width - row) / 2;
	y = place_layer(l, SWITCHES, l->n[SWITCHES] + 1, left, HEAD);
	/* Lines begin at one height, or they would cross the next box. */
	for (i = 0; i < l->n[SWITCHES]; i++)
		l->box[i].h = y - l->box[i].y;
	/* The flatter the lines, the harder they are to follow. */
	l->grid_y = y + max(60, l->width / 16);
	left = (l->width - grid) / 2;
	y = place_layer(l, XPUS, l->cols, left, l->grid_y);
	y = place_layer(l, NICS, l->cols, left, y);
	l->height = y + MARGIN;

	for (i = 0; i < d->num_edges; i++)
		l->order[i] = i;
	qsort_r(l->order, d->num_edges, sizeof(*l->order), by_style,
		(void *)d);
	return 0;
}

/* --- output --------------------------------------------------------------- */

/* What is no text becomes '?' */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text < ' ' || *text > '~' ? '?' : *text, out);
		}
	}
}

static const char *const class_name[DRAW_STYLES] = {
	[DRAW_UP]	= "up",
	[DRAW_NO_ROUTE]	= "noroute",
	[DRAW_DEGRADED]	= "degraded",
	[DRAW_DOWN]	= "down",
};

static void put_style(FILE *out)
{
	static const char *const dashes[DRAW_STYLES] = {
		[DRAW_UP]	= "stroke-width:1;stroke-opacity:.5",
		[DRAW_NO_ROUTE]	= "stroke-width:2.5;stroke-dasharray:12 3 2 3",
		[DRAW_DEGRADED]	= "stroke-width:2.5;stroke-dasharray:9 4",
		[DRAW_DOWN]	= "stroke-width:3;stroke-dasharray:2 4",
	};
	int i;

	fputs("<style>\n"
	      "text{font:10px monospace;fill:#000;}\n"
	      ".title{font-size:14px;font-weight:bold}\n"
	      "rect{fill:#fff;stroke:#000}\n"
	      ".switch rect{fill:#e8e8e8}\n"
	      ".elsewhere rect{stroke-dasharray:6 3}\n"
	      ".name{font-weight:bold}\n"
	      ".bad{font-weight:bold}\n"
	      "polyline{fill:none}\n", out);
	for (i = 0; i < DRAW_STYLES; i++) {
		fprintf(out, ".%s{stroke:%s;%s}\n", class_name[i],
			draw_colour[i], dashes[i]);
		if (i != DRAW_UP)
			fprintf(out,
				".box-%s rect{stroke:%s;stroke-width:4}\n",
				class_name[i], draw_colour[i]);
	}
	fputs(".mark{stroke-width:1.5;stroke-dasharray:none;stroke-opacity:1}\n</style>\n",
	      out);
}

/* At an end of a link, and before text about it: a shape for each style */
static void put_mark(FILE *out, enum draw_style style, int x, int y)
{
	static const char *const shape[DRAW_STYLES] = {
		[DRAW_UP]	= "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0 -4 0",
		[DRAW_NO_ROUTE]	= "m-3 -3h6v6h-6z",
		[DRAW_DEGRADED]	= "m0 -4l4 7h-8z",
		[DRAW_DOWN]	= "m-4 -4l8 8m0 -8l-8 8",
	};

	fprintf(out, "<path class=\"%s mark\" fill=\"%s\" d=\"M%d %d%s\"/>\n",
		class_name[style], style == DRAW_UP ? draw_colour[style] :
		"#fff", x, y, shape[style]);
}

static void put_legend(FILE *out, const struct drawing *d)
{
	char title[256];
	int i, x;

	fprintf(out, "<text class=\"title\" x=\"%d\" y=\"24\">", MARGIN);
	put_text(out, drawing_title(d, title, sizeof(title)));
	fputs("</text>\n<g class=\"legend\">\n", out);
	for (i = 0; i < DRAW_STYLES; i++) {
		x = MARGIN + 160 * i;
		fprintf(out, "<polyline class=\"%s\" points=\"%d,44 %d,44\"/>\n",
			class_name[i], x, x + 40);
		put_mark(out, i, x + 46, 44);
		fprintf(out, "<text x=\"%d\" y=\"48\">%s</text>\n", x + 56,
			draw_meaning[i]);
	}
	fprintf(out, "<text x=\"%d\" y=\"66\">In a box: link, port of the switch, rate a direction x lanes; "
		"why it is not up or has less than it can. Dashed box: of another host.</text>\n</g>\n",
		MARGIN);
}

/* The next place on the edge of a box, from the left */
static int place(const struct layout *l, size_t node)
{
	struct box *b = &l->box[node];

	b->used++;
	return b->x + (int)(b->used * BOX_W /
			    (l->d->node[node].num_edges + 1));
}

static void put_edge(FILE *out, const struct layout *l,
		     const struct draw_edge *e, int from, int to)
{
	const struct box *sw = &l->box[e->sw], *xpu = &l->box[e->xpu];
	const struct draw_node *n = l->d->node;
	char rate[48];

	fprintf(out, "<polyline class=\"%s\" points=\"%d,%d %d,%d %d,%d %d,%d %d,%d\"><title>",
		class_name[e->style], from, sw->y + sw->h, xpu->trunk,
		l->grid_y + LANE, xpu->trunk, xpu->y - GAP + 2 * LANE, to,
		xpu->y - MARK, to, xpu->y);
	put_text(out, n[e->xpu].name);
	fprintf(out, "p%u - ", e->link);
	put_text(out, n[e->sw].name);
	fprintf(out, "p%u: ", e->port);
	put_text(out, edge_rate(e, rate, sizeof(rate)));
	if (e->why[0]) {
		fputs(", ", out);
		put_text(out, e->why);
	}
	fputs("</title></polyline>\n", out);
	put_mark(out, e->style, to, xpu->y - MARK);
}

/* Places are given in the order of edges, lines are drawn in another. */
static int put_edges(FILE *out, const struct layout *l)
{
	const struct drawing *d = l->d;
	const struct draw_edge *e;
	int *at;
	size_t i;

	at = calloc(2 * d->num_edges + 1, sizeof(*at));
	if (!at)
		return -ENOMEM;
	for (i = 0; i < d->num_edges; i++) {
		at[2 * i] = place(l, d->edge[i].sw);
		at[2 * i + 1] = place(l, d->edge[i].xpu);
	}
	for (i = 0; i < d->num_edges; i++) {
		e = &d->edge[l->order[i]];
		put_edge(out, l, e, at[2 * l->order[i]],
			 at[2 * l->order[i] + 1]);
	}
	free(at);
	return 0;
}

static void put_line(FILE *out, const struct draw_line *line, bool name, int x,
		     int y)
{
	size_t indent = strspn(line->text, " ");

	fprintf(out, "<text%s x=\"%d\" y=\"%d\">",
		name ? " class=\"name\"" :
		line->style != DRAW_UP ? " class=\"bad\"" : "",
		x + CHAR_W * (int)indent, y);
	put_text(out, line->text + indent);
	fputs("</text>\n", out);
}

static void put_node(FILE *out, const struct layout *l, size_t i)
{
	const struct draw_node *n = &l->d->node[i];
	const struct box *b = &l->box[i];
	enum draw_style worst = DRAW_UP;
	size_t j;

	for (j = 0; j < n->num_lines; j++)
		if (n->line[j].style > worst)
			worst = n->line[j].style;
	fprintf(out, "<g class=\"node %s%s", alink_devtype_name(n->type),
		n->dev ? "" : " elsewhere");
	if (worst != DRAW_UP)
		fprintf(out, " box-%s", class_name[worst]);
	fputs("\"><title>", out);
	put_text(out, n->name);
	fprintf(out, "</title>\n<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
		b->x, b->y, BOX_W, b->h);
	for (j = 0; j < n->num_lines; j++)
		put_line(out, &n->line[j], !j, b->x + PAD,
			 b->y + PAD + LINE * (int)j + 10);
	fputs("</g>\n", out);
}

int topo_svg(FILE *out, const struct fabric *f)
{
	struct layout l = {};
	struct drawing d;
	size_t i;
	int err = drawing_make(&d, f);

	if (!err)
		err = layout_make(&l, &d);
	if (err)
		goto out;
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
		"<title>ALink fabric</title>\n",
		l.width, l.height, l.width, l.height);
	put_style(out);
	fprintf(out, "<rect width=\"%d\" height=\"%d\" style=\"stroke:none\"/>\n",
		l.width, l.height);
	put_legend(out, &d);
	err = put_edges(out, &l);
	for (i = 0; i < d.num_nodes && !err; i++)
		put_node(out, &l, i);
	fputs("</svg>\n", out);
out:
	free(l.box);
	free(l.order);
	drawing_free(&d);
	return err;
}
