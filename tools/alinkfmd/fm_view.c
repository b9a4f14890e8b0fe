// SPDX-License-Identifier: GPL-2.0-only
/* The fabric as the kernel shows it at one moment, and its devices tell it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fm.h"

bool fm_view_has_tables(const struct alink_device_info *d)
{
	return fm_view_usable(d) &&
	       d->caps & (ALINK_CAP_ROUTES | ALINK_CAP_PARTITIONS |
			  ALINK_CAP_GROUPS);
}

static void silent(struct fm_view *v, const struct alink_device_info *d,
		   const char *why)
{
	if (!v->silent[0])
		snprintf(v->silent, sizeof(v->silent),
			 "%s cannot be looked at: %.160s", d->name, why);
}

static void take_tables(struct fm_view *v, size_t i)
{
	struct fm_order *o = fm_crew_take(v->dev[i].index);

	if (!o) {
		silent(v, &v->dev[i], "it does not answer");
		return;
	}
	if (o->err) {
		silent(v, &v->dev[i], o->error);
	} else {
		v->tables[i] = o->tables;
		memset(&o->tables, 0, sizeof(o->tables));
		v->told[i] = true;
	}
	fm_order_free(o);
}

static int load_tables(struct fm *fm, struct fm_view *v)
{
	struct fm_order *o;
	size_t i;

	v->tables = calloc(v->num_devs + 1, sizeof(*v->tables));
	v->told = calloc(v->num_devs + 1, sizeof(*v->told));
	if (!v->tables || !v->told)
		return -ENOMEM;
	fm_crew_prune(v);
	for (i = 0; i < v->num_devs; i++) {
		if (!fm_view_has_tables(&v->dev[i]))
			continue;
		o = fm_order_new(&v->dev[i]);
		if (!o || !fm_crew_give(o))
			fm_order_free(o);
	}
	fm_crew_wait(fm);
	for (i = 0; i < v->num_devs; i++)
		if (fm_view_has_tables(&v->dev[i]))
			take_tables(v, i);
	return 0;
}

/* A device that has just gone makes a dump fail: that is no error here. */
int fm_view_load(struct fm *fm, struct fm_view *v)
{
	int err;

	memset(v, 0, sizeof(*v));
	err = alink_devices(fm->ctx, &v->dev, &v->num_devs);
	if (!err)
		err = alink_links(fm->ctx, ALINK_ALL, &v->link, &v->num_links);
	if (!err)
		err = load_tables(fm, v);
	if (err)
		fm_view_free(v);
	return err;
}

void fm_view_free(struct fm_view *v)
{
	size_t i;

	for (i = 0; v->tables && i < v->num_devs; i++) {
		free(v->tables[i].route);
		free(v->tables[i].partition);
		free(v->tables[i].group);
	}
	free(v->tables);
	free(v->told);
	free(v->dev);
	free(v->link);
	memset(v, 0, sizeof(*v));
}

const struct alink_device_info *fm_view_dev(const struct fm_view *v,
					    enum alink_devtype type,
					    uint32_t fabric_id)
{
	size_t i;

	for (i = 0; i < v->num_devs; i++)
		if (v->dev[i].type == type && v->dev[i].fabric_id == fabric_id)
			return &v->dev[i];
	return NULL;
}

bool fm_view_usable(const struct alink_device_info *d)
{
	return d && !strcmp(d->state, "ready");
}

void fm_view_xpus(const struct fm_view *v, struct alink_set *xpus)
{
	size_t i;

	memset(xpus, 0, sizeof(*xpus));
	for (i = 0; i < v->num_devs; i++)
		if (v->dev[i].type == ALINK_DEVTYPE_XPU)
			alink_set_add(xpus, v->dev[i].fabric_id);
	for (i = 0; i < v->num_links; i++)
		if (v->link[i].peer_type == ALINK_DEVTYPE_XPU)
			alink_set_add(xpus, v->link[i].peer_id);
}

void fm_view_links(const struct fm_view *v, uint32_t xpu, uint32_t *up,
		   uint32_t *all)
{
	size_t i;

	*up = *all = 0;
	/* Ports of switches: there also if the xPU is another host's. */
	for (i = 0; i < v->num_links; i++) {
		if (v->link[i].peer_type != ALINK_DEVTYPE_XPU ||
		    v->link[i].peer_id != xpu)
			continue;
		(*all)++;
		*up += v->link[i].state == ALINK_LINK_UP;
	}
}
