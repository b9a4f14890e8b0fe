// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the tables what they have to be. They are read each time, and only what
 * differs is written: a manager that is started anew finds its work done, and
 * nobody who uses the fabric notices. Who has to leave a partition leaves first,
 * and who joins one joins last, when its routes are there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fm.h"

struct round {
	struct fm *fm;
	const char *why;
	struct fm_view view;
	struct alink_set seen[ALINK_MAX_PLANES];  /* by the switch of a plane */
	struct alink_set failed;		  /* xPUs with what was not written */
};

/* What was written to one device, and what it was like before */
struct tally {
	unsigned int missing, other, stale, failed;
};

static void count(struct tally *t, int err, bool wanted, bool had)
{
	if (err)
		t->failed++;
	else if (!wanted)
		t->stale++;
	else if (had)
		t->other++;
	else
		t->missing++;
}

/* A device that does not answer takes its time for each command. */
static bool hopeless(int err)
{
	return err == -ETIMEDOUT || err == -ENODEV;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

/* Why tables of a device are not as they were left */
static const char *cause(const struct round *r,
			 const struct alink_device_info *d)
{
	if (d->type == ALINK_DEVTYPE_SWITCH &&
	    alink_set_has(&r->fm->state.reset, d->fabric_id))
		return "it has had a reset";
	return r->fm->ready ? r->why : "found so at the start";
}

static void report(struct round *r, const struct alink_device_info *d,
		   const char *what, const struct tally *t)
{
	unsigned int written = t->missing + t->other + t->stale;

	r->fm->result.written += written;
	r->fm->result.failed += t->failed;
	if (written)
		fm_log(FM_NOTE, "%s: %u %s written: %u missing, %u different, %u stale: %s",
		       d->name, written, what, t->missing, t->other, t->stale,
		       cause(r, d));
	if (t->failed)
		fm_log(FM_ERR, "%s: %u %s not written: %s", d->name, t->failed,
		       what, alink_error(r->fm->ctx));
}

/* --- routes ----------------------------------------------------------------------- */

static bool same_set(const struct alink_set *a, const struct alink_set *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* @want: by destination; an empty set of ports: none */
static void put_routes(struct round *r, const struct alink_device_info *d,
		       const struct alink_set *want)
{
	const struct alink_route_info *have[ALINK_MAX_ENDPOINTS] = {};
	struct tally t = {};
	uint32_t dst;
	size_t i;
	int err;

	for (i = 0; i < r->view.num_routes; i++)
		if (r->view.route[i].dev == d->index &&
		    r->view.route[i].dst < ALINK_MAX_ENDPOINTS)
			have[r->view.route[i].dst] = &r->view.route[i];
	for (dst = 0; dst < ALINK_MAX_ENDPOINTS; dst++) {
		struct alink_route_info route = {
			.dev = d->index, .dst = dst, .min_ports = 1,
			.ports = want[dst],
		};
		bool wanted = alink_set_count(&want[dst]);

		if (!wanted && !have[dst])
			continue;
		if (wanted && have[dst] && have[dst]->min_ports == 1 &&
		    same_set(&have[dst]->ports, &want[dst]))
			continue;
		fm_beat(r->fm);
		err = wanted ? alink_route_add(r->fm->ctx, &route) :
			       alink_route_del(r->fm->ctx, d->index, dst);
		count(&t, err, wanted, have[dst]);
		if (!err)
			continue;
		alink_set_add(&r->failed, dst);
		if (d->type == ALINK_DEVTYPE_XPU)
			alink_set_add(&r->failed, d->fabric_id);
		if (hopeless(err))
			break;
	}
	report(r, d, "routes", &t);
}

static void switch_routes(const struct round *r,
			  const struct alink_device_info *d,
			  struct alink_set *want)
{
	const struct alink_link_info *l;
	size_t i;

	for (i = 0; i < r->view.num_links; i++) {
		l = &r->view.link[i];
		if (l->dev == d->index && l->peer_type == ALINK_DEVTYPE_XPU &&
		    l->peer_id < ALINK_MAX_ENDPOINTS)
			alink_set_add(&want[l->peer_id], l->link);
	}
}

static void xpu_routes(const struct round *r, const struct alink_device_info *d,
		       struct alink_set *want)
{
	const struct alink_link_info *l;
	uint32_t dst;
	size_t i;

	for (i = 0; i < r->view.num_links; i++) {
		l = &r->view.link[i];
		if (l->dev != d->index || l->peer_type != ALINK_DEVTYPE_SWITCH ||
		    l->peer_id >= ALINK_MAX_PLANES)
			continue;
		for (dst = 0; dst < ALINK_MAX_ENDPOINTS; dst++)
			if (dst != d->fabric_id &&
			    alink_set_has(&r->seen[l->peer_id], dst))
				alink_set_add(&want[dst], l->link);
	}
}

static void routes(struct round *r)
{
	const struct alink_device_info *d;
	struct alink_set *want;
	size_t i;

	for (i = 0; i < r->view.num_devs; i++) {
		d = &r->view.dev[i];
		if (!fm_view_usable(d) || (d->type != ALINK_DEVTYPE_SWITCH &&
					   d->type != ALINK_DEVTYPE_XPU))
			continue;
		want = calloc(ALINK_MAX_ENDPOINTS, sizeof(*want));
		if (!want) {
			fm_log(FM_ERR, "%s: out of memory", d->name);
			r->fm->result.failed++;
			return;
		}
		if (d->type == ALINK_DEVTYPE_SWITCH)
			switch_routes(r, d, want);
		else
			xpu_routes(r, d, want);
		put_routes(r, d, want);
		free(want);
	}
}

/* --- partitions ------------------------------------------------------------------- */

static uint32_t partition_of(const struct round *r, uint32_t dev,
			     uint32_t endpoint)
{
	size_t i;

	for (i = 0; i < r->view.num_partitions; i++)
		if (r->view.partition[i].dev == dev &&
		    r->view.partition[i].endpoint == endpoint)
			return r->view.partition[i].partition;
	return 0;
}

/* Those who leave (@join is false), or those who come. */
static void put_partitions(struct round *r, const struct alink_device_info *d,
			   bool join)
{
	struct fm *fm = r->fm;
	struct tally t = {};
	uint32_t i, want, have;
	int err;

	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		want = fm_policy_known(&fm->config, &fm->state, i) ?
		       fm_policy_partition(&fm->config, &fm->state, i) : 0;
		have = partition_of(r, d->index, i);
		if (want == have || (want != 0) != join)
			continue;
		/* Who is known and was never seen does not come yet. */
		if (join && !fm->state.xpu[i].seen)
			continue;
		fm_beat(fm);
		err = alink_partition_set(fm->ctx, d->index, i, want);
		count(&t, err, want, have);
		if (err)
			alink_set_add(&r->failed, i);
		if (hopeless(err))
			break;
	}
	report(r, d, "places in partitions", &t);
}

static void partitions(struct round *r, bool join)
{
	size_t i;

	for (i = 0; i < r->view.num_devs; i++)
		if (r->view.dev[i].type == ALINK_DEVTYPE_SWITCH &&
		    fm_view_usable(&r->view.dev[i]))
			put_partitions(r, &r->view.dev[i], join);
}

/* --- cables ------------------------------------------------------------------------- */

/* The port of a plane, or NULL if its switch is not here */
static const struct alink_link_info *port(const struct round *r,
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

static void miswired(struct round *r, struct fm_wire *w, const char *what)
{
	struct fm_xpu *x = &r->fm->state.xpu[w->xpu];

	r->fm->result.miswired++;
	if (!w->told)
		fm_log(FM_ERR, "miswired: xPU %u, link %u belongs to plane %u, port %u, %s",
		       w->xpu, w->link, w->plane, w->port, what);
	w->told = true;
	snprintf(x->cause, sizeof(x->cause), "link %u is miswired: %s", w->link,
		 what);
}

static void check_wire(struct round *r, struct fm_wire *w)
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
static bool degraded(const struct round *r, uint32_t xpu, char *cause,
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

static void stage(struct round *r, uint32_t xpu)
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
		snprintf(x->cause, sizeof(x->cause),
			 "not all could be written yet");
	} else if (d && !fm_view_usable(d)) {
		x->stage = FM_IN_PROGRESS;
		snprintf(x->cause, sizeof(x->cause), "%s is %s", d->name,
			 d->state);
	} else {
		x->stage = degraded(r, xpu, x->cause, sizeof(x->cause)) ?
			   FM_DEGRADED : FM_COMPLETED;
	}
}

static void stages(struct round *r)
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

/* --- a round ------------------------------------------------------------------------------ */

static void look(struct round *r)
{
	const struct alink_device_info *d;
	const struct alink_link_info *l;
	size_t i, k;

	for (i = 0; i < r->view.num_devs; i++) {
		d = &r->view.dev[i];
		if (d->type != ALINK_DEVTYPE_SWITCH ||
		    d->fabric_id >= ALINK_MAX_PLANES)
			continue;
		r->fm->result.switches++;
		for (k = 0; k < r->view.num_links; k++) {
			l = &r->view.link[k];
			if (l->dev == d->index &&
			    l->peer_type == ALINK_DEVTYPE_XPU)
				alink_set_add(&r->seen[d->fabric_id],
					      l->peer_id);
		}
	}
}

int fm_round(struct fm *fm, const char *why)
{
	struct round r = { .fm = fm, .why = why };
	unsigned int decided;
	int err;

	memset(&fm->result, 0, sizeof(fm->result));
	err = fm_view_load(fm->ctx, &r.view);
	if (err)
		return err;
	look(&r);
	decided = fm_policy(&fm->config, &r.view, &fm->state, now_ms());
	/* Decisions first: who is killed now decides nothing else later. */
	if (decided & FM_DECIDED)
		fm->unsaved = true;
	if (fm->unsaved)
		fm->unsaved = fm_state_save(&fm->state, fm->config.state);
	if (fm->unsaved)
		fm->result.failed++;
	partitions(&r, false);
	routes(&r);
	partitions(&r, true);
	stages(&r);
	fm->again = fm->result.failed || decided & FM_WAITING;
	fm_view_free(&r.view);
	return 0;
}
