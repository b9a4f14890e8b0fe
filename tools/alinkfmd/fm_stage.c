// SPDX-License-Identifier: GPL-2.0-only
/* Where each cable and each xPU is, after all that could be written was. */
#include <stdio.h>
#include <string.h>

#include "fm.h"

/* --- cables ------------------------------------------------------------------------- */

/* The port of a plane, or NULL if its switch is not here */
static const struct alink_link_info *port(const struct fm_round *r,
					  uint32_t plane, uint32_t num)
{
	const struct alink_device_info *d;
	size_t i;

	d = fm_view_dev(&r->view, ALINK_DEVTYPE_SWITCH, plane);
	for (i = 0; d && i < r->view.num_links; i++)
		if (r->view.link[i].dev == d->index &&
		    r->view.link[i].link == num)
			return &r->view.link[i];
	return NULL;
}

static void miswired(struct fm_round *r, struct fm_wire *w, const char *what)
{
	struct fm_xpu *x = &r->fm->state.xpu[w->xpu];

	r->fm->result.miswired++;
	if (!w->told)
		fm_log(FM_ERR, "miswired: xPU %u, link %u belongs to plane %u, port %u, %s",
		       w->xpu, w->link, w->plane, w->port, what);
	w->told = true;
	/* Who is out is told why. */
	if (!x->out)
		snprintf(x->cause, sizeof(x->cause), "link %u is miswired: %s",
			 w->link, what);
}

static void check_wire(struct fm_round *r, struct fm_wire *w)
{
	const struct alink_link_info *l = port(r, w->plane, w->port);
	char what[64];

	if (!fm_view_dev(&r->view, ALINK_DEVTYPE_SWITCH, w->plane))
		return;
	if (!l || !l->peer_type) {
		miswired(r, w, "where nothing is");
	} else if (l->peer_type != ALINK_DEVTYPE_XPU || l->peer_id != w->xpu ||
		   l->peer_link != w->link) {
		snprintf(what, sizeof(what), "where %s %u, link %u is",
			 l->peer_type == ALINK_DEVTYPE_XPU ? "xPU" : "device",
			 l->peer_id, l->peer_link);
		miswired(r, w, what);
	} else {
		if (w->told)
			fm_log(FM_NOTE, "xPU %u, link %u is where it belongs",
			       w->xpu, w->link);
		w->told = false;
	}
}

/* --- where each xPU is ----------------------------------------------------------------- */

/* What is less than it should be; false: nothing. */
static bool degraded(const struct fm_round *r, uint32_t xpu, char *cause,
		     size_t room)
{
	const struct fm_state *s = &r->fm->state;
	uint32_t i, up, all;

	if (cause[0])
		return true;
	for (i = 0; i < ALINK_MAX_PLANES; i++) {
		if (!alink_set_has(&s->planes, i) ||
		    fm_view_usable(fm_view_dev(&r->view, ALINK_DEVTYPE_SWITCH,
					       i)))
			continue;
		snprintf(cause, room, "plane %u is not there", i);
		return true;
	}
	fm_view_links(&r->view, xpu, &up, &all);
	if (up == all)
		return false;
	snprintf(cause, room, "%u of %u links are up", up, all);
	return true;
}

/* What could not be written of it, or to a switch that it is at */
static void unfinished(const struct fm_round *r, char *cause, size_t room)
{
	if (r->view.silent[0])
		snprintf(cause, room, "%.90s", r->view.silent);
	else
		snprintf(cause, room, "not all could be written yet");
}

static void stage(struct fm_round *r, uint32_t xpu)
{
	struct fm *fm = r->fm;
	struct fm_xpu *x = &fm->state.xpu[xpu];
	const struct alink_device_info *d;

	d = fm_view_dev(&r->view, ALINK_DEVTYPE_XPU, xpu);
	if (x->out) {
		x->stage = FM_DISABLED;
		if (!x->cause[0])
			snprintf(x->cause, sizeof(x->cause),
				 x->by_hand ? "taken out by hand" :
				 "it failed before this manager began");
	} else if (!fm_policy_partition(&fm->config, &fm->state, xpu)) {
		x->stage = FM_NOT_STARTED;
		snprintf(x->cause, sizeof(x->cause),
			 fm_config_of(&fm->config, xpu) ? "a spare" :
			 "in no partition of the configuration");
	} else if (!x->seen || !fm->result.switches) {
		x->stage = FM_IN_PROGRESS;
		snprintf(x->cause, sizeof(x->cause), "not seen yet");
	} else if (alink_set_has(&r->failed, xpu)) {
		x->stage = FM_IN_PROGRESS;
		unfinished(r, x->cause, sizeof(x->cause));
	} else if (d && !fm_view_usable(d)) {
		x->stage = FM_IN_PROGRESS;
		snprintf(x->cause, sizeof(x->cause), "%s is %s", d->name,
			 d->state);
	} else {
		x->stage = degraded(r, xpu, x->cause, sizeof(x->cause)) ?
			   FM_DEGRADED : FM_COMPLETED;
	}
}

void fm_stages(struct fm_round *r)
{
	struct fm *fm = r->fm;
	enum fm_stage before;
	struct fm_xpu *x;
	uint32_t i;
	size_t k;

	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++)
		if (!fm->state.xpu[i].out)
			fm->state.xpu[i].cause[0] = 0;
	for (k = 0; k < fm->config.num_wires; k++)
		check_wire(r, &fm->config.wire[k]);
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		x = &fm->state.xpu[i];
		if (!fm_policy_known(&fm->config, &fm->state, i))
			continue;
		before = x->stage;
		stage(r, i);
		if (x->stage != before)
			fm_log(FM_INFO, "xPU %u: %s%s%s", i,
			       fm_stage_names[x->stage], x->cause[0] ? ": " : "",
			       x->cause);
	}
}
