// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of a link beyond up and down: how long it trains, how wide it
 * is when lanes have failed, how fast when ends hear badly, which FEC they
 * agree on, and whether it is held down since it went down too often.
 * Documentation/hw/fabric.rst, "Link window".
 */
#include "fabric_internal.h"

/* --- FEC ------------------------------------------------------------------- */

/* Mb/s of a lane: beyond, it does not do without FEC; has no short code */
#define LANE_NRZ_MBPS	26000
#define LANE_SHORT_MBPS	106000

uint32_t af_fec_caps(const struct af_side *s)
{
	uint32_t caps = ALINK_BIT(ALINK_FEC_RS544);
	uint32_t mbps = s->max_lanes ? s->max_mbps / s->max_lanes : 0;

	if (mbps <= LANE_SHORT_MBPS)
		caps |= ALINK_BIT(ALINK_FEC_LL272);
	if (mbps <= LANE_NRZ_MBPS)
		caps |= ALINK_BIT(ALINK_FEC_NONE);
	return caps;
}

bool af_fec_agree(const struct af_side *s, const struct af_side *o,
		  uint32_t *fec)
{
	uint32_t both = af_fec_caps(s) & af_fec_caps(o);

	if (s->fec_ctrl)
		both &= s->fec_ctrl;
	if (o->fec_ctrl)
		both &= o->fec_ctrl;
	if (both & ALINK_BIT(ALINK_FEC_RS544))
		*fec = ALINK_FEC_RS544;
	else if (both & ALINK_BIT(ALINK_FEC_LL272))
		*fec = ALINK_FEC_LL272;
	else
		*fec = ALINK_FEC_NONE;
	return both;
}

/* --- width ------------------------------------------------------------------ */

uint32_t af_lane_mask(const struct af_side *s)
{
	return s->max_lanes < 32 ? (1U << s->max_lanes) - 1 : UINT32_MAX;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t higher(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

uint32_t af_usable_lanes(const struct af_side *s, const struct af_side *o)
{
	uint32_t all = lower(s->max_lanes, o->max_lanes);
	uint32_t bad = s->lanes_bad | o->lanes_bad;
	uint32_t good = all, width = 1;

	for (uint32_t i = 0; i < 32 && i < all; i++)
		good -= bad >> i & 1;
	if (good == all || !good)
		return good;
	while (width * 2 <= good)
		width *= 2;
	return width;
}

/* --- flaps ------------------------------------------------------------------ */

#define FLAP_NS(ctrl, field) \
	((uint64_t)((ctrl) & (field)) / ((field) & -(field)) * \
	 ALINK_LINK_FLAP_UNIT_MS * 1000000)

bool af_flaps(struct af_fabric *f, struct af_side *s, uint32_t why)
{
	uint64_t now = af_life_ns(f);

	if (!(s->flap_ctrl & ALINK_LINK_FLAP_LIMIT) ||
	    why == ALINK_DOWN_ADMIN || why == ALINK_DOWN_TEST)
		return false;
	if (!s->flaps || now - s->flap_since >
			 FLAP_NS(s->flap_ctrl, ALINK_LINK_FLAP_WINDOW)) {
		s->flaps = 0;
		s->flap_since = now;
	}
	if (++s->flaps <= (s->flap_ctrl & ALINK_LINK_FLAP_LIMIT))
		return false;
	s->flaps = 0;
	s->flap_holds++;
	/* 0 is of one that is not held. */
	s->held_until = now + FLAP_NS(s->flap_ctrl, ALINK_LINK_FLAP_HOLD) + 1;
	af_wake_at(f, s->held_until);
	return true;
}

/* --- training --------------------------------------------------------------- */

bool af_trained(struct af_fabric *f, struct af_side *s, const struct af_side *o)
{
	uint64_t ns = f->page->params.training_us * 1000ULL, now;

	if (!ns)
		return true;
	now = af_life_ns(f);
	if (!s->train_end) {
		/* Both ends are at it together: one clock, read once. */
		s->train_since = o->train_end ? o->train_since : now;
		s->train_end = o->train_end ? o->train_end : now + ns;
		af_wake_at(f, s->train_end);
	}
	return now >= s->train_end;
}

uint32_t af_stage(struct af_fabric *f, const struct af_side *s)
{
	const uint32_t stages = ALINK_STAGE_ALIGN - ALINK_STAGE_DETECT + 1;
	uint64_t done;

	if (s->state == ALINK_LINK_UP)
		return ALINK_STAGE_UP;
	if (s->state != ALINK_LINK_TRAINING)
		return ALINK_STAGE_IDLE;
	done = (af_life_ns(f) - s->train_since) * stages /
	       (s->train_end - s->train_since);
	/* Until somebody comes to end it, it is at the last one. */
	return ALINK_STAGE_DETECT + lower(done < stages ? done : stages,
					  stages - 1);
}

/* --- up ---------------------------------------------------------------------- */

void af_train(struct af_side *s, const struct af_side *o, bool was_up)
{
	uint32_t all = lower(s->max_lanes, o->max_lanes);
	uint32_t width = af_usable_lanes(s, o), shift, own, fec = s->fec;
	bool keeps_width = was_up && !s->retrain, keeps_rate;

	af_fec_agree(s, o, &s->fec);
	/* Another code may bear more. */
	keeps_rate = keeps_width && s->fec == fec;
	own = af_rate_shift(s, s->fec);
	shift = higher(own, af_rate_shift(o, s->fec));
	if (keeps_width)
		width = lower(width, s->lanes);
	if (keeps_rate)
		shift = higher(shift, s->shift);
	s->lanes = width;
	s->shift = shift;
	s->speed_mbps = ((uint64_t)lower(s->max_mbps, o->max_mbps) * width /
			 all) >> shift;
	s->state = ALINK_LINK_UP;
	s->trained = 1;
	if (width < all &&
	    (s->lanes_bad || (keeps_width && s->reason == ALINK_DOWN_WIDTH)))
		s->reason = ALINK_DOWN_WIDTH;
	else if (own || (shift && keeps_rate &&
			 s->reason == ALINK_DOWN_RATE_REDUCED))
		s->reason = ALINK_DOWN_RATE_REDUCED;
	else
		s->reason = ALINK_DOWN_NONE;
}

/* --- what a device asks for --------------------------------------------------- */

int af_link_set_fec(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		    uint32_t link, uint32_t ctrl)
{
	struct af_event_list list = { 0 };
	struct af_side *s;
	uint32_t side;
	int ret = 0;

	af_wrlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	s = side == AF_NO_SIDE ? NULL : &f->page->side[side];
	if (!s) {
		ret = -ENODEV;
	} else if (ctrl & (ctrl - 1) || ctrl & ~af_fec_caps(s)) {
		ret = -EINVAL;
	} else {
		s->fec_ctrl = ctrl;
		af_link_eval(f, side, &list);
	}
	af_wrunlock(f, &list);
	return ret;
}

int af_link_set_flap(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		     uint32_t link, uint32_t ctrl)
{
	struct af_event_list list = { 0 };
	struct af_side *s;
	uint32_t side;

	af_wrlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side != AF_NO_SIDE) {
		s = &f->page->side[side];
		s->flap_ctrl = ctrl;
		af_side_calm(s);
		af_link_eval(f, side, &list);
	}
	af_wrunlock(f, &list);
	return side == AF_NO_SIDE ? -ENODEV : 0;
}

/* What this end waits for is over, or is yet to come: then *@next is not later. */
static void wake_one(struct af_fabric *f, uint32_t side, uint64_t now,
		     uint64_t *next, struct af_event_list *list)
{
	struct af_side *s = &f->page->side[side];
	uint64_t due;

	af_credit_check(f, side, now, list);
	if (s->credit_check && s->credit_check < *next)
		*next = s->credit_check;
	due = s->held_until ? s->held_until : s->train_end;
	if (!due)
		return;
	if (due > now) {
		if (due < *next)
			*next = due;
		return;
	}
	s->held_until = 0;
	af_link_eval(f, side, list);
}

void af_link_wake(struct af_fabric *f)
{
	struct af_event_list list = { 0 };
	uint64_t now, next = UINT64_MAX;
	struct af_page *p = f->page;

	af_wrlock(f);
	now = af_life_ns(f);
	f->wake_at = 0;
	__atomic_store_n(&p->credit_due, 0, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < AF_MAX_EP; i++)
		for (uint32_t n = 0; p->ep[i].present && n < p->ep[i].num_links;
		     n++)
			wake_one(f, af_ep_side(i, n), now, &next, &list);
	for (uint32_t i = 0; i < AF_MAX_PLANES; i++)
		for (uint32_t n = 0; p->sw[i].present && n < p->sw[i].radix; n++)
			wake_one(f, af_sw_side(i, n), now, &next, &list);
	if (next != UINT64_MAX)
		af_wake_at(f, next);
	af_wrunlock(f, &list);
}

int af_link_set_lanes_bad(struct af_fabric *f, uint32_t dev_type,
			  uint32_t dev_id, uint32_t link, uint32_t bad)
{
	struct af_event_list list = { 0 };
	struct af_side *s;
	uint32_t side;
	int ret = 0;

	af_wrlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	s = side == AF_NO_SIDE ? NULL : &f->page->side[side];
	if (!s) {
		ret = -ENODEV;
	} else if (bad & ~af_lane_mask(s)) {
		ret = -EINVAL;
	} else {
		s->lane_losses += __builtin_popcount(bad & ~s->lanes_bad);
		s->lanes_bad = bad;
		af_link_eval(f, side, &list);
	}
	af_wrunlock(f, &list);
	return ret;
}

int af_link_retrain(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		    uint32_t link)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;
	uint32_t side;

	af_wrlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side != AF_NO_SIDE && af_side_up(p, side)) {
		p->side[side].retrain = 1;
		p->side[af_side_peer(p, side)].retrain = 1;
		af_link_eval(f, side, &list);
	}
	af_wrunlock(f, &list);
	return side == AF_NO_SIDE ? -ENODEV : 0;
}
