// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the tables what they have to be. They are read each time, and only what
 * differs is written: a manager that is started anew finds its work done, and
 * nobody who uses the fabric notices. Who has to leave a partition leaves first,
 * and who joins one joins when its routes are there. Groups come last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fm.h"

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

uint64_t fm_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

/* Why tables of a device are not as they were left */
static const char *cause(const struct fm_round *r,
			 const struct alink_device_info *d)
{
	if (d->type == ALINK_DEVTYPE_SWITCH &&
	    alink_set_has(&r->fm->state.reset, d->fabric_id))
		return "it has had a reset";
	return r->fm->ready ? r->why : "found so at the start";
}

/* What cannot be written keeps these from being there. */
static void mark(struct fm_round *r, const struct alink_device_info *d,
		 const struct fm_write *w)
{
	if (w->kind == FM_GROUP) {
		alink_set_add(&r->failed_groups, w->id);
		return;
	}
	if (w->kind == FM_PARTITION && !w->wanted)
		alink_set_add(&r->kept, w->id);
	alink_set_add(&r->failed, w->id);
	if (d->type == ALINK_DEVTYPE_XPU)
		alink_set_add(&r->failed, d->fabric_id);
}

static void report(struct fm_round *r, const struct alink_device_info *d,
		   const char *what, const struct tally *t, const char *error)
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
		       what, error);
}

struct fm_write *fm_round_add(struct fm_round *r,
			      const struct alink_device_info *d)
{
	struct fm_order **o = &r->order[d - r->view.dev];
	struct fm_write *w = NULL;

	if (!*o)
		*o = fm_order_new(d);
	if (*o)
		w = fm_order_add(*o);
	if (w)
		return w;
	fm_log(FM_ERR, "%s: out of memory", d->name);
	r->fm->result.failed++;
	return NULL;
}

/* @o: as it was given, and not done in time */
static void late(struct fm_round *r, const struct alink_device_info *d,
		 const char *what, const struct fm_order *o)
{
	struct tally t = { .failed = (unsigned int)o->n };
	size_t i;

	for (i = 0; i < o->n; i++)
		mark(r, d, &o->write[i]);
	report(r, d, what, &t, "it does not answer");
}

static void done(struct fm_round *r, const struct alink_device_info *d,
		 const char *what, const struct fm_order *o)
{
	struct tally t = {};
	size_t i;

	for (i = 0; i < o->n; i++) {
		count(&t, o->write[i].err, o->write[i].wanted,
		      o->write[i].had);
		if (o->write[i].err)
			mark(r, d, &o->write[i]);
	}
	report(r, d, what, &t, o->error);
}

void fm_round_carry_out(struct fm_round *r, const char *what)
{
	struct fm_order **o, *over;
	size_t i;

	for (i = 0; i < r->view.num_devs; i++) {
		o = &r->order[i];
		if (!*o || fm_crew_give(*o))
			continue;
		late(r, &r->view.dev[i], what, *o);
		fm_order_free(*o);
		*o = NULL;
	}
	fm_crew_wait(r->fm);
	for (i = 0; i < r->view.num_devs; i++) {
		o = &r->order[i];
		if (!*o)
			continue;
		over = fm_crew_take(r->view.dev[i].index);
		if (over)
			done(r, &r->view.dev[i], what, over);
		else
			late(r, &r->view.dev[i], what, *o);
		fm_order_free(over);
		*o = NULL;
	}
}

/* --- routes ----------------------------------------------------------------------- */

/* A route as it has to be; no ports: none */
struct wish {
	struct alink_set ports;
	struct alink_set spares;
};

static bool same_set(const struct alink_set *a, const struct alink_set *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static void add_set(struct alink_set *to, const struct alink_set *from,
		    const struct alink_set *mask)
{
	size_t i;

	for (i = 0; i < sizeof(to->bits) / sizeof(to->bits[0]); i++)
		to->bits[i] |= from->bits[i] & mask->bits[i];
}

/*
 * Links to a switch that is gone, or cannot be used, stay where they are: a spare
 * stands in for them.
 */
static void keep_lost(const struct fm_round *r,
		      const struct alink_device_info *d,
		      const struct alink_route_info *have, struct wish *want)
{
	const struct alink_link_info *l;
	struct alink_set lost = {};
	size_t i;

	for (i = 0; i < r->view.num_links; i++) {
		l = &r->view.link[i];
		if (l->dev == d->index &&
		    (l->peer_type != ALINK_DEVTYPE_SWITCH ||
		     !fm_view_usable(fm_view_dev(&r->view, ALINK_DEVTYPE_SWITCH,
						 l->peer_id))))
			alink_set_add(&lost, l->link);
	}
	add_set(&want->ports, &have->ports, &lost);
	add_set(&want->spares, &have->spares, &lost);
}

/* Of an xPU: spares are for routes that have others, too. */
static void settle(const struct fm_round *r, const struct alink_device_info *d,
		   const struct alink_route_info *have, struct wish *want)
{
	if (have && alink_set_count(&r->fm->config.spare_planes) &&
	    alink_set_count(&want->ports) + alink_set_count(&want->spares))
		keep_lost(r, d, have, want);
	if (alink_set_count(&want->ports))
		return;
	want->ports = want->spares;
	memset(&want->spares, 0, sizeof(want->spares));
}

/* @want: by destination */
static void put_routes(struct fm_round *r, const struct alink_device_info *d,
		       struct wish *want)
{
	const struct fm_tables *t = &r->view.tables[d - r->view.dev];
	const struct alink_route_info *have[ALINK_MAX_ENDPOINTS] = {};
	struct fm_write *w;
	uint32_t dst;
	size_t i;

	for (i = 0; i < t->num_routes; i++)
		if (t->route[i].dst < ALINK_MAX_ENDPOINTS)
			have[t->route[i].dst] = &t->route[i];
	for (dst = 0; dst < ALINK_MAX_ENDPOINTS; dst++) {
		bool wanted;

		if (d->type == ALINK_DEVTYPE_XPU)
			settle(r, d, have[dst], &want[dst]);
		wanted = alink_set_count(&want[dst].ports);
		if (!wanted && !have[dst])
			continue;
		if (wanted && have[dst] && have[dst]->min_ports == 1 &&
		    same_set(&have[dst]->ports, &want[dst].ports) &&
		    same_set(&have[dst]->spares, &want[dst].spares))
			continue;
		w = fm_round_add(r, d);
		if (!w)
			return;
		w->kind = FM_ROUTE;
		w->id = dst;
		w->wanted = wanted;
		w->had = have[dst];
		w->set = want[dst].ports;
		w->spares = want[dst].spares;
	}
}

static void switch_routes(const struct fm_round *r,
			  const struct alink_device_info *d, struct wish *want)
{
	const struct alink_link_info *l;
	size_t i;

	for (i = 0; i < r->view.num_links; i++) {
		l = &r->view.link[i];
		if (l->dev == d->index && l->peer_type == ALINK_DEVTYPE_XPU &&
		    l->peer_id < ALINK_MAX_ENDPOINTS)
			alink_set_add(&want[l->peer_id].ports, l->link);
	}
}

static void xpu_routes(const struct fm_round *r,
		       const struct alink_device_info *d, struct wish *want)
{
	const struct alink_link_info *l;
	uint32_t dst;
	bool spare;
	size_t i;

	for (i = 0; i < r->view.num_links; i++) {
		l = &r->view.link[i];
		if (l->dev != d->index || l->peer_type != ALINK_DEVTYPE_SWITCH ||
		    l->peer_id >= ALINK_MAX_PLANES)
			continue;
		spare = alink_set_has(&r->fm->config.spare_planes, l->peer_id);
		for (dst = 0; dst < ALINK_MAX_ENDPOINTS; dst++)
			if (dst != d->fabric_id &&
			    alink_set_has(&r->seen[l->peer_id], dst))
				alink_set_add(spare ? &want[dst].spares :
						      &want[dst].ports, l->link);
	}
}

static void routes(struct fm_round *r)
{
	const struct alink_device_info *d;
	struct wish *want;
	size_t i;

	for (i = 0; i < r->view.num_devs; i++) {
		d = &r->view.dev[i];
		if (!r->view.told[i] || (d->type != ALINK_DEVTYPE_SWITCH &&
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
	fm_round_carry_out(r, "routes");
}

/* --- partitions ------------------------------------------------------------------- */

static uint32_t partition_of(const struct fm_tables *t, uint32_t endpoint)
{
	size_t i;

	for (i = 0; i < t->num_partitions; i++)
		if (t->partition[i].endpoint == endpoint)
			return t->partition[i].partition;
	return 0;
}

/*
 * Those who leave (@join is false), or those who come. Who moves does both: a switch
 * ends what is on its way to and from who leaves before it says that he has left, and
 * no two who may not reach each other meet while some have moved and some have not.
 */
static void put_partitions(struct fm_round *r,
			   const struct alink_device_info *d, bool join)
{
	const struct fm_tables *t = &r->view.tables[d - r->view.dev];
	struct fm *fm = r->fm;
	uint32_t i, want, have;
	struct fm_write *w;

	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		want = fm_policy_known(&fm->config, &fm->state, i) ?
		       fm_policy_partition(&fm->config, &fm->state, i) : 0;
		have = partition_of(t, i);
		if (want == have || !(join ? want : have))
			continue;
		/* Who is known and was never seen, or has not left, does not come. */
		if (join && (!fm->state.xpu[i].seen ||
			     alink_set_has(&r->kept, i)))
			continue;
		w = fm_round_add(r, d);
		if (!w)
			return;
		w->kind = FM_PARTITION;
		w->id = i;
		w->wanted = join;
		w->had = have;
		w->partition = join ? want : 0;
	}
}

static void partitions(struct fm_round *r, bool join)
{
	size_t i;

	for (i = 0; i < r->view.num_devs; i++)
		if (r->view.dev[i].type == ALINK_DEVTYPE_SWITCH &&
		    r->view.told[i])
			put_partitions(r, &r->view.dev[i], join);
	fm_round_carry_out(r, "places in partitions");
}

/* --- a round ------------------------------------------------------------------------------ */

/* Who is at a device that has told nothing is not known to be there. */
static void doubt(struct fm_round *r, const struct alink_device_info *d)
{
	const struct alink_link_info *l;
	size_t i;

	if (d->type == ALINK_DEVTYPE_XPU)
		alink_set_add(&r->failed, d->fabric_id);
	for (i = 0; i < r->view.num_links; i++) {
		l = &r->view.link[i];
		if (d->type == ALINK_DEVTYPE_SWITCH && l->dev == d->index &&
		    l->peer_type == ALINK_DEVTYPE_XPU)
			alink_set_add(&r->failed, l->peer_id);
	}
}

static void look(struct fm_round *r)
{
	const struct alink_device_info *d;
	const struct alink_link_info *l;
	size_t i, k;

	for (i = 0; i < r->view.num_devs; i++) {
		d = &r->view.dev[i];
		if (fm_view_has_tables(d) && !r->view.told[i])
			doubt(r, d);
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
	struct fm_round r = { .fm = fm, .why = why };
	unsigned int decided;
	int err;

	memset(&fm->result, 0, sizeof(fm->result));
	err = fm_view_load(fm, &r.view);
	if (err)
		return err;
	r.order = calloc(r.view.num_devs + 1, sizeof(*r.order));
	if (!r.order) {
		fm_view_free(&r.view);
		return -ENOMEM;
	}
	memcpy(fm->result.silent, r.view.silent, sizeof(fm->result.silent));
	look(&r);
	decided = fm_policy(&fm->config, &r.view, &fm->state, fm_now_ms());
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
	fm_groups(&r);
	fm_stages(&r);
	fm->again = fm->result.failed || fm->result.silent[0] ||
		    decided & FM_WAITING;
	free(r.order);
	fm_view_free(&r.view);
	return 0;
}
