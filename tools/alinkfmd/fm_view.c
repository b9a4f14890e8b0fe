// SPDX-License-Identifier: GPL-2.0-only
/* The fabric as the kernel shows it at one moment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fm.h"

/* A device that has just gone makes a dump fail: that is no error here. */
int fm_view_load(struct alink_ctx *ctx, struct fm_view *v)
{
	int err;

	memset(v, 0, sizeof(*v));
	err = alink_devices(ctx, &v->dev, &v->num_devs);
	if (!err)
		err = alink_links(ctx, ALINK_ALL, &v->link, &v->num_links);
	if (!err)
		err = alink_routes(ctx, ALINK_ALL, &v->route, &v->num_routes);
	if (!err)
		err = alink_partitions(ctx, ALINK_ALL, &v->partition,
				       &v->num_partitions);
	if (err)
		fm_view_free(v);
	return err;
}

void fm_view_free(struct fm_view *v)
{
	free(v->dev);
	free(v->link);
	free(v->route);
	free(v->partition);
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
