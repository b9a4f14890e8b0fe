// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of in-network compute that the configuration has. Others make groups, too,
 * and the kernel lets them: what tells the manager's own are id and key, which are
 * in its state file before a switch gets to know them. All else is left as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fm.h"

static const struct alink_group_info *group_of(const struct fm_tables *t,
					       uint32_t id)
{
	size_t i;

	for (i = 0; i < t->num_groups; i++)
		if (t->group[i].id == id)
			return &t->group[i];
	return NULL;
}

static bool has_groups(const struct alink_device_info *d)
{
	return d->type == ALINK_DEVTYPE_SWITCH &&
	       d->caps & ALINK_CAP_GROUPS && fm_view_usable(d);
}

/* Made by the manager, and not in the configuration any more, or not so */
static bool outdated(const struct fm *fm, uint32_t id)
{
	const struct fm_group *g = fm_config_group(&fm->config, id);

	return fm->state.made[id] && (!g || g->key != fm->state.made[id]);
}

static void retire(struct fm_round *r)
{
	const struct alink_group_info *have;
	struct fm *fm = r->fm;
	bool all_told = true;
	struct fm_write *w;
	uint32_t id;
	size_t i;

	for (i = 0; i < r->view.num_devs; i++) {
		if (!has_groups(&r->view.dev[i]))
			continue;
		all_told &= r->view.told[i];
		for (id = 0; id < ALINK_MAX_GROUPS; id++) {
			have = group_of(&r->view.tables[i], id);
			if (!outdated(fm, id) || !have ||
			    have->key != fm->state.made[id])
				continue;
			w = fm_round_add(r, &r->view.dev[i]);
			if (!w)
				return;
			w->kind = FM_GROUP;
			w->id = id;
			w->had = true;
		}
	}
	fm_round_carry_out(r, "groups");
	/* One that may still be somewhere is still the manager's. */
	for (id = 0; all_told && id < ALINK_MAX_GROUPS; id++) {
		if (!outdated(fm, id) || alink_set_has(&r->failed_groups, id))
			continue;
		fm->state.made[id] = 0;
		fm->unsaved = true;
	}
}

/* What is not in the state file is not made. */
static void adopt(struct fm *fm)
{
	bool claimed[ALINK_MAX_GROUPS] = {};
	const struct fm_group *g;
	size_t i;

	for (i = 0; i < fm->config.num_groups; i++) {
		g = &fm->config.compute[i];
		if (fm->state.made[g->id])
			continue;
		fm->state.made[g->id] = g->key;
		claimed[g->id] = true;
		fm->unsaved = true;
	}
	if (!fm->unsaved)
		return;
	fm->unsaved = fm_state_save(&fm->state, fm->config.state);
	if (!fm->unsaved)
		return;
	fm->result.failed++;
	for (i = 0; i < ALINK_MAX_GROUPS; i++)
		if (claimed[i])
			fm->state.made[i] = 0;
}

static void put(struct fm_round *r, const struct alink_device_info *d,
		struct fm_group *g, uint64_t was)
{
	const struct alink_group_info *have;
	struct fm_write *w;

	have = group_of(&r->view.tables[d - r->view.dev], g->id);
	/* The one before it has been deleted since it was seen. */
	if (have && have->key != g->key && have->key == was)
		have = NULL;
	if (have && have->key != g->key) {
		g->stage = FM_DEGRADED;
		snprintf(g->cause, sizeof(g->cause),
			 "%s has a group of somebody else with that id",
			 d->name);
		return;
	}
	if (have && !memcmp(&have->members, &g->members, sizeof(g->members)))
		return;
	w = fm_round_add(r, d);
	if (!w)
		return;
	w->kind = FM_GROUP;
	w->id = g->id;
	w->wanted = true;
	w->had = have;
	w->key = g->key;
	w->set = g->members;
}

static void unfinished(struct fm_group *g, const char *cause)
{
	g->stage = FM_IN_PROGRESS;
	snprintf(g->cause, sizeof(g->cause), "%.90s", cause);
}

/* Of what put() had nothing to say about */
static void stage(struct fm_round *r, struct fm_group *g)
{
	if (g->stage != FM_COMPLETED)
		return;
	if (!r->fm->result.switches)
		unfinished(g, "no switch is there");
	else if (r->fm->state.made[g->id] != g->key)
		unfinished(g, "the one before is still there, or the state is not written");
	else if (r->view.silent[0])
		unfinished(g, r->view.silent);
	else if (alink_set_has(&r->failed_groups, g->id))
		unfinished(g, "not all could be written yet");
}

static void tell(const struct fm_group *g, enum fm_stage before,
		 const char *cause)
{
	if (g->stage != before || strcmp(g->cause, cause))
		fm_log(g->stage == FM_DEGRADED ? FM_ERR : FM_INFO,
		       "group %u: %s%s%s", g->id, fm_stage_names[g->stage],
		       g->cause[0] ? ": " : "", g->cause);
}

void fm_groups(struct fm_round *r)
{
	struct fm_group *group = r->fm->config.compute;
	uint64_t was[ALINK_MAX_GROUPS];
	size_t n = r->fm->config.num_groups, i, k;
	struct fm_group *before;

	memcpy(was, r->fm->state.made, sizeof(was));
	retire(r);
	adopt(r->fm);
	if (!n)
		return;
	before = calloc(n, sizeof(*before));
	if (!before) {
		fm_log(FM_ERR, "groups: out of memory");
		r->fm->result.failed++;
		return;
	}
	memcpy(before, group, n * sizeof(*before));
	for (i = 0; i < n; i++) {
		group[i].stage = FM_COMPLETED;
		group[i].cause[0] = 0;
		for (k = 0; k < r->view.num_devs; k++)
			if (has_groups(&r->view.dev[k]) && r->view.told[k] &&
			    r->fm->state.made[group[i].id] == group[i].key)
				put(r, &r->view.dev[k], &group[i],
				    was[group[i].id]);
	}
	fm_round_carry_out(r, "groups");
	for (i = 0; i < n; i++) {
		stage(r, &group[i]);
		tell(&group[i], before[i].stage, before[i].cause);
	}
	free(before);
}
