// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is a failure, and what is done about it. Nothing here asks or tells the
 * kernel: from what was seen, and was decided before, follows what is wanted now.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fm.h"

static uint32_t members_home(const struct fm_config *c, uint32_t xpu)
{
	const struct fm_partition *p;

	/* Who says nothing wants what "alink fabric up" does. */
	if (!c->num_partitions)
		return 1;
	p = fm_config_of(c, xpu);
	return p && alink_set_has(&p->members, xpu) ? p->id : 0;
}

uint32_t fm_policy_role(const struct fm_config *c, const struct fm_state *s,
			uint32_t xpu)
{
	uint32_t role = s->xpu[xpu].spare_for;
	const struct fm_partition *p = fm_config_of(c, xpu);

	/* A configuration that was read since may have other plans for it. */
	if (role == FM_NONE || !p || alink_set_has(&p->members, xpu) ||
	    !alink_set_has(&p->members, role))
		return FM_NONE;
	return role;
}

uint32_t fm_policy_partition(const struct fm_config *c,
			     const struct fm_state *s, uint32_t xpu)
{
	uint32_t role = fm_policy_role(c, s, xpu);

	if (s->xpu[xpu].out)
		return 0;
	return members_home(c, role == FM_NONE ? xpu : role);
}

bool fm_policy_known(const struct fm_config *c, const struct fm_state *s,
		     uint32_t xpu)
{
	return s->xpu[xpu].seen || s->xpu[xpu].out || fm_config_of(c, xpu);
}

/* --- failures --------------------------------------------------------------------- */

/* Longer than a reset that succeeds: drivers wait for 10 s. */
#define RESET_MS	15000

/* It is in a reset, as far as anybody knows. */
static bool in_reset(const struct alink_device_info *d)
{
	return !strcmp(d->state, "stopped") || !strcmp(d->state, "reset");
}

static bool given_up(const struct alink_device_info *d)
{
	return !strcmp(d->state, "faulted") || !strcmp(d->state, "lost") ||
	       !strcmp(d->state, "failed") || in_reset(d);
}

/* What has failed of an xPU; FM_NUM_FAILURES: nothing. */
static enum fm_failure failure(const struct fm_config *c,
			       const struct fm_view *v,
			       const struct fm_state *s,
			       const struct alink_set *there, uint32_t xpu,
			       char *cause, size_t room)
{
	const struct fm_partition *p = fm_config_of(c, xpu);
	const struct alink_device_info *d;
	uint32_t up, links, least;

	d = fm_view_dev(v, ALINK_DEVTYPE_XPU, xpu);
	if (d && given_up(d)) {
		snprintf(cause, room, "%s is %s", d->name, d->state);
		return FM_FAIL_XPU;
	}
	/* One that was never there is late, and has not failed. */
	if (!s->xpu[xpu].seen)
		return FM_NUM_FAILURES;
	if ((!d && s->xpu[xpu].here) || !alink_set_has(there, xpu)) {
		snprintf(cause, room, "xPU %u is gone", xpu);
		return FM_FAIL_XPU;
	}
	fm_view_links(v, xpu, &up, &links);
	least = p ? p->min_links : 1;
	if (links && up < least) {
		snprintf(cause, room, "%u of %u links are up, %u are needed",
			 up, links, least);
		return FM_FAIL_LINKS;
	}
	return FM_NUM_FAILURES;
}

static void take_out(struct fm_state *s, uint32_t xpu, const char *cause)
{
	struct fm_xpu *x = &s->xpu[xpu];

	x->out = true;
	x->by_hand = false;
	snprintf(x->cause, sizeof(x->cause), "%s", cause);
}

static void stand_in(const struct fm_config *c, struct fm_state *s,
		     const struct alink_set *there, uint32_t failed)
{
	uint32_t role = fm_policy_role(c, s, failed), spare;
	const struct fm_partition *p;
	size_t i;

	/* A spare that fails hands on the place that it took. */
	if (role == FM_NONE)
		role = failed;
	s->xpu[failed].spare_for = FM_NONE;
	p = fm_config_of(c, role);
	for (i = 0; p && i < p->num_spares; i++) {
		spare = p->spares[i];
		if (s->xpu[spare].out || !alink_set_has(there, spare) ||
		    fm_policy_role(c, s, spare) != FM_NONE)
			continue;
		s->xpu[spare].spare_for = role;
		fm_log(FM_WARN, "xPU %u takes the place of xPU %u in partition %s",
		       spare, role, p->name);
		return;
	}
	fm_log(FM_ERR, "xPU %u failed, and there is no spare for it", failed);
}

static void disable_partition(const struct fm_config *c, struct fm_state *s,
			      uint32_t partition, const char *cause)
{
	uint32_t i;

	fm_log(FM_ERR, "partition %u is disabled: %s", partition, cause);
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++)
		if (fm_policy_known(c, s, i) &&
		    fm_policy_partition(c, s, i) == partition)
			take_out(s, i, cause);
}

static void act(const struct fm_config *c, struct fm_state *s,
		const struct alink_set *there, uint32_t xpu,
		enum fm_failure failed, const char *cause)
{
	uint32_t partition = fm_policy_partition(c, s, xpu);

	if (c->action[failed] == FM_DISABLE_PARTITION) {
		disable_partition(c, s, partition, cause);
		return;
	}
	fm_log(FM_ERR, "xPU %u leaves partition %u: %s", xpu, partition, cause);
	take_out(s, xpu, cause);
	if (c->action[failed] == FM_SPARE)
		stand_in(c, s, there, xpu);
}

/* --- one look ----------------------------------------------------------------------- */

static bool note_planes(const struct fm_view *v, struct fm_state *s)
{
	const struct alink_device_info *d;
	bool decided = false;
	size_t i;

	memset(&s->reset, 0, sizeof(s->reset));
	for (i = 0; i < v->num_devs; i++) {
		d = &v->dev[i];
		if (d->type != ALINK_DEVTYPE_SWITCH || !fm_view_usable(d) ||
		    d->fabric_id >= ALINK_MAX_PLANES)
			continue;
		alink_set_add(&s->planes_seen, d->fabric_id);
		if (alink_set_has(&s->planes, d->fabric_id) &&
		    s->generation[d->fabric_id] == d->generation)
			continue;
		if (alink_set_has(&s->planes, d->fabric_id))
			alink_set_add(&s->reset, d->fabric_id);
		alink_set_add(&s->planes, d->fabric_id);
		s->generation[d->fabric_id] = d->generation;
		decided = true;
	}
	return decided;
}

/*
 * Of a failure that lasts long enough: @since is where its start is kept, @d what has
 * failed, if it is there.
 */
static bool lasts(const struct fm_config *c, const struct alink_device_info *d,
		  uint64_t *since, uint64_t now_ms, unsigned int *result)
{
	uint64_t hold = c->hold_ms;

	if (d && in_reset(d) && hold < RESET_MS)
		hold = RESET_MS;
	if (!*since)
		*since = now_ms;
	if (now_ms - *since >= hold)
		return true;
	*result |= FM_WAITING;
	return false;
}

static void look_at_planes(const struct fm_config *c, const struct fm_view *v,
			   struct fm_state *s, uint64_t now_ms,
			   unsigned int *result)
{
	const struct alink_device_info *d, *failed = NULL;
	uint32_t i, partition, missing = FM_NONE;
	char cause[96];

	for (i = 0; i < ALINK_MAX_PLANES; i++) {
		d = fm_view_dev(v, ALINK_DEVTYPE_SWITCH, i);
		/* One that is in a reset hides none that is gone. */
		if (!alink_set_has(&s->planes_seen, i) || fm_view_usable(d) ||
		    (missing != FM_NONE && d && in_reset(d)))
			continue;
		missing = i;
		failed = d;
	}
	if (missing == FM_NONE) {
		s->plane_since_ms = 0;
		return;
	}
	if (c->action[FM_FAIL_PLANE] != FM_DISABLE_PARTITION ||
	    !lasts(c, failed, &s->plane_since_ms, now_ms, result))
		return;
	snprintf(cause, sizeof(cause), "plane %u is gone", missing);
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		partition = fm_policy_known(c, s, i) ?
			    fm_policy_partition(c, s, i) : 0;
		if (partition) {
			disable_partition(c, s, partition, cause);
			*result |= FM_DECIDED;
		}
	}
}

/*
 * Where no switch is there is no fabric, and nothing of it can have failed: when
 * drivers are loaded anew, what was there before is late.
 */
static bool no_fabric(const struct fm_view *v, struct fm_state *s)
{
	uint32_t i;

	for (i = 0; i < v->num_devs; i++)
		if (v->dev[i].type == ALINK_DEVTYPE_SWITCH)
			return false;
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		s->xpu[i].seen = false;
		s->xpu[i].here = false;
		s->xpu[i].since_ms = 0;
	}
	memset(&s->planes_seen, 0, sizeof(s->planes_seen));
	s->plane_since_ms = 0;
	return true;
}

/* xPUs that are there; without a switch nobody sees those of other hosts. */
static void look_for_xpus(const struct fm_view *v, const struct fm_state *s,
			  struct alink_set *there)
{
	uint32_t i;

	fm_view_xpus(v, there);
	for (i = 0; i < v->num_devs; i++)
		if (v->dev[i].type == ALINK_DEVTYPE_SWITCH &&
		    fm_view_usable(&v->dev[i]))
			return;
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++)
		if (s->xpu[i].seen && !s->xpu[i].here)
			alink_set_add(there, i);
}

unsigned int fm_policy(const struct fm_config *c, const struct fm_view *v,
		       struct fm_state *s, uint64_t now_ms)
{
	unsigned int result = note_planes(v, s) ? FM_DECIDED : 0;
	struct alink_set there;
	enum fm_failure failed;
	char cause[96];
	uint32_t i;

	if (no_fabric(v, s))
		return result;
	look_for_xpus(v, s, &there);
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		if (!fm_policy_known(c, s, i) && !alink_set_has(&there, i))
			continue;
		s->xpu[i].seen |= alink_set_has(&there, i);
		s->xpu[i].here |= !!fm_view_dev(v, ALINK_DEVTYPE_XPU, i);
		failed = failure(c, v, s, &there, i, cause, sizeof(cause));
		if (failed == FM_NUM_FAILURES) {
			s->xpu[i].since_ms = 0;
			continue;
		}
		if (!fm_policy_partition(c, s, i) ||
		    c->action[failed] == FM_REPORT ||
		    !lasts(c, fm_view_dev(v, ALINK_DEVTYPE_XPU, i),
			   &s->xpu[i].since_ms, now_ms, &result))
			continue;
		act(c, s, &there, i, failed, cause);
		result |= FM_DECIDED;
	}
	look_at_planes(c, v, s, now_ms, &result);
	return result;
}

/* --- by hand -------------------------------------------------------------------------- */

int fm_policy_enable(const struct fm_config *c, struct fm_state *s,
		     uint32_t xpu)
{
	uint32_t i;

	if (!fm_policy_known(c, s, xpu))
		return -ENOENT;
	if (!s->xpu[xpu].out)
		return -EALREADY;
	s->xpu[xpu].out = false;
	s->xpu[xpu].by_hand = false;
	s->xpu[xpu].since_ms = 0;
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++)
		if (s->xpu[i].spare_for == xpu)
			s->xpu[i].spare_for = FM_NONE;
	return 0;
}

int fm_policy_disable(const struct fm_config *c, struct fm_state *s,
		      uint32_t xpu)
{
	if (!fm_policy_known(c, s, xpu))
		return -ENOENT;
	if (s->xpu[xpu].out)
		return -EALREADY;
	take_out(s, xpu, "taken out by hand");
	s->xpu[xpu].by_hand = true;
	return 0;
}
