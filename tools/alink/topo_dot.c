// SPDX-License-Identifier: GPL-2.0-only
/* alink topo --dot: the fabric as text for graphviz. */
#include <stdio.h>
#include <string.h>

#include "topo_draw.h"

/* Each differs without its colour too; a colour list draws parallel lines. */
static const char *const edge_look[DRAW_STYLES] = {
	[DRAW_UP]	= "style=solid, penwidth=1, color=\"#0072b2\"",
	[DRAW_NO_ROUTE]	= "style=solid, penwidth=2, color=\"#cc79a7:white:#cc79a7\"",
	[DRAW_DEGRADED]	= "style=dashed, penwidth=3, color=\"#e69f00\"",
	[DRAW_DOWN]	= "style=dotted, penwidth=3, color=\"#d55e00\"",
};

/*
 * In a string in double quotes, in which graphviz looks for HTML's names of
 * characters; what is no text becomes '?'
 */
static void put_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if (*text == '&')
			fputs("&amp;", out);
		else
			fputc(*text < ' ' || *text > '~' ? '?' : *text, out);
	}
}

static void put_node(FILE *out, const struct drawing *d, size_t i)
{
	const struct draw_node *n = &d->node[i];
	enum draw_style worst = DRAW_UP;
	size_t j;

	fprintf(out, "\tn%zu [label=\"", i);
	for (j = 0; j < n->num_label; j++) {
		if (j)
			fputs("\\n", out);
		put_text(out, n->line[j].text);
		if (n->line[j].style > worst)
			worst = n->line[j].style;
	}
	fputs("\"", out);
	if (worst != DRAW_UP)
		fprintf(out, ", penwidth=3, color=\"%s\"", draw_colour[worst]);
	if (n->type == ALINK_DEVTYPE_SWITCH)
		fputs(", fillcolor=\"#e8e8e8\"", out);
	if (!n->dev)
		fputs(", style=\"filled,dashed\"", out);
	fputs("];\n", out);
}

static void put_rank(FILE *out, const struct drawing *d, uint32_t type)
{
	size_t i;

	fputs("\t{ rank=same;", out);
	for (i = 0; i < d->num_nodes; i++)
		if (d->node[i].type == type)
			fprintf(out, " n%zu;", i);
	fputs(" }\n", out);
}

static void put_edge(FILE *out, const struct draw_edge *e)
{
	char rate[48];

	fprintf(out, "\tn%zu -- n%zu [%s, label=\"p%u-p%u ", e->sw, e->xpu,
		edge_look[e->style], e->port, e->link);
	put_text(out, edge_rate(e, rate, sizeof(rate)));
	if (e->why[0]) {
		fputs("\\n", out);
		put_text(out, e->why);
	}
	fputs("\"];\n", out);
}

static void put_legend(FILE *out)
{
	int i;

	fputs("\tsubgraph cluster_legend {\n\t\tlabel=\"legend\";\n"
	      "\t\tnode [shape=plaintext, style=\"\"];\n", out);
	for (i = 0; i < DRAW_STYLES; i++)
		fprintf(out,
			"\t\tlegend%da [label=\"switch\"];\n"
			"\t\tlegend%db [label=\"xPU\"];\n"
			"\t\tlegend%da -- legend%db [%s, label=\"%s\"];\n",
			i, i, i, i, edge_look[i], draw_meaning[i]);
	fputs("\t}\n", out);
}

int topo_dot(FILE *out, const struct fabric *f)
{
	struct drawing d;
	char title[256];
	size_t i;
	int err = drawing_make(&d, f);

	if (err)
		goto out;
	fputs("graph alink {\n\tlabelloc=t;\n\tlabel=\"", out);
	put_text(out, drawing_title(&d, title, sizeof(title)));
	fputs("\\nlabel of a link: port of the switch - link of the xPU, rate a direction x lanes\";\n"
	      "\tranksep=2;\n"
	      "\tnode [shape=box, style=filled, fillcolor=white];\n"
	      "\tedge [fontsize=9];\n", out);
	for (i = 0; i < d.num_nodes; i++)
		put_node(out, &d, i);
	put_rank(out, &d, ALINK_DEVTYPE_SWITCH);
	put_rank(out, &d, ALINK_DEVTYPE_NIC);
	for (i = 0; i < d.num_edges; i++)
		put_edge(out, &d.edge[i]);
	put_legend(out);
	fputs("}\n", out);
out:
	drawing_free(&d);
	return err;
}
