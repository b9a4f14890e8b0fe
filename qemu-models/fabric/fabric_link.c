// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Links: cables, state, reasons, faults, what a link window shows.
 *
 * A link is up when both devices are there, a cable joins them, both ends are
 * administratively up and neither has a fault. It then runs at the lower of
 * the two rates and widths, past lanes that failed, and no faster than its ends
 * hear well.
 */
#include "fabric_internal.h"

uint32_t af_side_of(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		    uint32_t link)
{
	if (dev_type == ALINK_DEVTYPE_XPU && af_ep_ok(f, dev_id) &&
	    link < f->page->ep[dev_id].num_links)
		return af_ep_side(dev_id, link);
	if (dev_type == ALINK_DEVTYPE_SWITCH && af_sw_ok(f, dev_id) &&
	    link < f->page->sw[dev_id].radix)
		return af_sw_side(dev_id, link);
	return AF_NO_SIDE;
}

static uint32_t side_type(uint32_t side)
{
	return af_side_is_ep(side) ? ALINK_DEVTYPE_XPU : ALINK_DEVTYPE_SWITCH;
}

static bool under_test(const struct af_side *s)
{
	return !s->admin_down && (s->loop || s->prbs);
}

/* Frames that it sends come back. */
static bool looped(const struct af_side *s)
{
	return !s->admin_down && s->loop && !s->prbs;
}

/* Does the test pattern come in? */
static bool sees_prbs(const struct af_page *p, uint32_t side)
{
	const struct af_side *s = &p->side[side], *o;

	if (!under_test(s) || !s->prbs)
		return false;
	if (s->loop)
		return true;
	if (!s->cable)
		return false;
	o = &p->side[s->cable - 1];
	return o->present && under_test(o) && o->prbs && !o->loop &&
	       !s->fault && !s->optics && !o->fault && !o->optics;
}

static uint64_t prbs_bits(struct af_fabric *f, const struct af_side *s)
{
	if (!s->prbs_seen)
		return s->prbs_bits;
	/* Mb/s are bits by microsecond. */
	return s->prbs_bits +
	       (af_clock_ns(f) - s->prbs_since) / 1000 * s->max_mbps;
}

/* What an end sends to itself nothing disturbs. */
static uint64_t prbs_errors(struct af_fabric *f, const struct af_side *s)
{
	uint64_t bits = s->loop ? 0 : prbs_bits(f, s) - s->prbs_bits;

	return s->prbs_errors +
	       (unsigned __int128)bits * s->ber / ALINK_BER_UNIT;
}

void af_prbs_settle(struct af_fabric *f, struct af_side *s)
{
	s->prbs_errors = prbs_errors(f, s);
	s->prbs_bits = prbs_bits(f, s);
	s->prbs_since = af_clock_ns(f);
}

/* Why this end is not up; ALINK_DOWN_NONE when nothing is in the way */
static uint32_t down_reason(const struct af_page *p, uint32_t side)
{
	const struct af_side *s = &p->side[side], *o;
	uint32_t fec;

	if (s->admin_down)
		return ALINK_DOWN_ADMIN;
	if (under_test(s))
		return ALINK_DOWN_TEST;
	if (s->held_until)
		return ALINK_DOWN_FLAP;
	if (s->fault)
		return s->fault;
	if (s->optics)
		return s->optics;
	if (!s->cable)
		return ALINK_DOWN_NO_CABLE;
	o = &p->side[s->cable - 1];
	if (!o->present)
		return ALINK_DOWN_NO_PARTNER;
	if (o->admin_down || under_test(o) || o->held_until || o->fault ||
	    o->optics)
		return ALINK_DOWN_REMOTE_FAULT;
	if (!af_usable_lanes(s, o))
		return s->lanes_bad ? ALINK_DOWN_WIDTH : ALINK_DOWN_REMOTE_FAULT;
	if (!af_fec_agree(s, o, &fec))
		return ALINK_DOWN_FEC;
	if (af_rate_shift(s, fec) == ALINK_LINK_RATES)
		return ALINK_DOWN_SIGNAL;
	if (af_rate_shift(o, fec) == ALINK_LINK_RATES)
		return ALINK_DOWN_REMOTE_FAULT;
	return ALINK_DOWN_NONE;
}

static void eval_one(struct af_fabric *f, uint32_t side,
		     struct af_event_list *list)
{
	struct af_page *p = f->page;
	struct af_side *s = &p->side[side], *o;
	uint32_t old_reason = s->reason, old_lanes = s->lanes;
	bool up, was_up, seen, changed, retrain = s->retrain;
	uint32_t old_fec = s->fec, old_shift = s->shift, why;

	if (!s->present) {
		/* The device is gone: nobody is left to be told. */
		s->state = ALINK_LINK_DOWN;
		s->reason = ALINK_DOWN_REMOVED;
		s->train_end = 0;
		s->speed_mbps = 0;
		s->lanes = 0;
		s->shift = 0;
		af_credit_init(s);
		return;
	}

	seen = sees_prbs(p, side);
	if (seen != s->prbs_seen) {
		af_prbs_settle(f, s);
		s->prbs_seen = seen;
	}

	was_up = s->state == ALINK_LINK_UP;
	why = down_reason(p, side);
	o = s->cable ? &p->side[s->cable - 1] : NULL;
	if (why == ALINK_DOWN_NONE && !was_up && !af_trained(f, s, o)) {
		s->state = ALINK_LINK_TRAINING;
		s->reason = ALINK_DOWN_NONE;
	} else if (why == ALINK_DOWN_NONE) {
		s->train_end = 0;
		af_train(s, o, was_up);
	} else {
		if (was_up && !s->held_until && af_flaps(f, s, why))
			why = ALINK_DOWN_FLAP;
		s->state = !s->cable && !s->module_plus1 &&
			   !af_side_is_ep(side) ?
			   ALINK_LINK_ABSENT : ALINK_LINK_DOWN;
		s->reason = why;
		s->train_end = 0;
		s->speed_mbps = 0;
		s->lanes = 0;
		s->shift = 0;
		s->downs += was_up;
		af_credit_init(s);
	}

	s->retrain = 0;
	up = s->state == ALINK_LINK_UP;
	changed = s->lanes != old_lanes || s->shift != old_shift ||
		  s->fec != old_fec;
	if (up && was_up && (changed || retrain))
		s->retrains++;
	/* A change of the reason is news, too, but not that there is one first. */
	changed = changed || s->reason != old_reason;
	if (up != was_up || (up && changed) ||
	    (!up && old_reason != ALINK_DOWN_NONE && s->reason != old_reason))
		af_event(list, side_type(side), af_side_dev(side),
			 ALINK_EVENT_LINK, af_side_link(side), up, s->reason);
}

void af_link_eval(struct af_fabric *f, uint32_t side,
		  struct af_event_list *list)
{
	uint32_t peer = af_side_peer(f->page, side);

	af_assert_writer(f);
	eval_one(f, side, list);
	if (peer != AF_NO_SIDE)
		eval_one(f, peer, list);
}

/* Takes the cable out of this end and of the other. */
static void unplug(struct af_fabric *f, uint32_t side,
		   struct af_event_list *list)
{
	struct af_page *p = f->page;
	uint32_t peer = af_side_peer(p, side);

	if (peer == AF_NO_SIDE)
		return;
	p->side[side].cable = 0;
	p->side[side].trained = 0;
	p->side[peer].cable = 0;
	p->side[peer].trained = 0;
	p->side[peer].pinned = 0;
	eval_one(f, side, list);
	eval_one(f, peer, list);
}

int af_link_wire(struct af_fabric *f, uint32_t endpoint, uint32_t link,
		 uint32_t plane, uint32_t port)
{
	struct af_event_list list = { 0 };
	struct af_page *p = f->page;
	bool cut = plane == ALINK_ID_NONE;
	uint32_t a, b;

	if (endpoint >= AF_MAX_EP || link >= AF_MAX_LINKS)
		return -EINVAL;
	if (!cut && (plane >= AF_MAX_PLANES || port >= AF_MAX_PORTS))
		return -EINVAL;

	a = af_ep_side(endpoint, link);
	af_wrlock(f);
	if (!cut) {
		b = af_sw_side(plane, port);
		if (p->side[b].cable && p->side[b].cable != a + 1 &&
		    p->side[b].pinned) {
			af_wrunlock(f, NULL);
			return -EBUSY;
		}
	}
	p->side[a].pinned = 1;
	if (!cut && p->side[a].cable == b + 1) {
		p->side[b].pinned = 1;
		af_wrunlock(f, NULL);
		return 0;
	}
	unplug(f, a, &list);
	if (!cut) {
		unplug(f, b, &list);
		p->side[a].cable = b + 1;
		p->side[b].cable = a + 1;
		p->side[b].pinned = 1;
		af_link_eval(f, a, &list);
	}
	af_wrunlock(f, &list);
	return 0;
}

int af_link_set_ctrl(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		     uint32_t link, uint32_t ctrl)
{
	bool prbs = ctrl & ALINK_LINK_CTRL_PRBS;
	struct af_event_list list = { 0 };
	struct af_side *s;
	uint32_t side;

	af_wrlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side != AF_NO_SIDE) {
		s = &f->page->side[side];
		if (s->prbs_seen)
			af_prbs_settle(f, s);
		if (prbs && !s->prbs) {
			s->prbs_bits = 0;
			s->prbs_errors = 0;
		}
		s->admin_down = !(ctrl & ALINK_LINK_CTRL_ENABLE);
		if (s->admin_down)
			af_side_calm(s);
		s->loop = !!(ctrl & ALINK_LINK_CTRL_LOOPBACK);
		s->prbs = prbs;
		af_link_eval(f, side, &list);
	}
	af_wrunlock(f, &list);
	return side == AF_NO_SIDE ? -ENODEV : 0;
}

int af_link_set_admin(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		      uint32_t link, bool up)
{
	return af_link_set_ctrl(f, dev_type, dev_id, link,
				up ? ALINK_LINK_CTRL_ENABLE : 0);
}

int af_link_set_fault(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		      uint32_t link, enum alink_down_reason reason)
{
	struct af_event_list list = { 0 };
	uint32_t side;

	af_wrlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side != AF_NO_SIDE) {
		f->page->side[side].fault = reason;
		af_link_eval(f, side, &list);
	}
	af_wrunlock(f, &list);
	return side == AF_NO_SIDE ? -ENODEV : 0;
}

/* The side of a link that need not have a device, or AF_NO_SIDE */
static uint32_t place_of(uint32_t dev_type, uint32_t dev_id, uint32_t link)
{
	if (dev_type == ALINK_DEVTYPE_XPU && dev_id < AF_MAX_EP &&
	    link < AF_MAX_LINKS)
		return af_ep_side(dev_id, link);
	if (dev_type == ALINK_DEVTYPE_SWITCH && dev_id < AF_MAX_PLANES &&
	    link < AF_MAX_PORTS)
		return af_sw_side(dev_id, link);
	return AF_NO_SIDE;
}

int af_link_set_optics(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		       uint32_t link, uint32_t module,
		       enum alink_down_reason reason)
{
	uint32_t side = place_of(dev_type, dev_id, link);
	struct af_event_list list = { 0 };

	if (side == AF_NO_SIDE)
		return -EINVAL;
	af_wrlock(f);
	f->page->side[side].module_plus1 = module + 1;
	f->page->side[side].optics = reason;
	af_link_eval(f, side, &list);
	af_wrunlock(f, &list);
	return 0;
}

int af_link_cable(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		  uint32_t link, uint32_t *peer_type, uint32_t *peer_id,
		  uint32_t *peer_link)
{
	uint32_t side = place_of(dev_type, dev_id, link), peer;

	if (side == AF_NO_SIDE)
		return -EINVAL;
	af_rdlock(f);
	peer = af_side_peer(f->page, side);
	af_rdunlock(f);
	if (peer == AF_NO_SIDE)
		return -ENOLINK;
	*peer_type = side_type(peer);
	*peer_id = af_side_dev(peer);
	*peer_link = af_side_link(peer);
	return 0;
}

int af_link_add_errors(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		       uint32_t link, uint32_t lane, uint64_t fec_corr,
		       uint64_t fec_uncorr, uint64_t crc, uint64_t replays)
{
	struct af_side *s;
	uint32_t side;
	int ret = 0;

	af_rdlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	s = side == AF_NO_SIDE ? NULL : &f->page->side[side];
	if (!s) {
		ret = -ENODEV;
	} else if (lane >= s->max_lanes || lane >= ALINK_LSTAT_LANES) {
		ret = -EINVAL;
	} else {
		af_acct_lock(f);
		s->count.fec_corr += fec_corr;
		s->count.fec_uncorr += fec_uncorr;
		s->count.lane_corr[lane] += fec_corr;
		s->count.lane_uncorr[lane] += fec_uncorr;
		s->count.symbol_errors += fec_uncorr * af_lost_symbols(s);
		s->count.crc_errors += crc;
		s->count.replays += replays;
		af_acct_unlock(f);
	}
	af_rdunlock(f);
	return ret;
}

int af_link_set_burst(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		      uint32_t link, uint32_t count)
{
	uint32_t side;

	af_rdlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side != AF_NO_SIDE) {
		af_acct_lock(f);
		f->page->side[side].burst = count;
		af_acct_unlock(f);
	}
	af_rdunlock(f);
	return side == AF_NO_SIDE ? -ENODEV : 0;
}

int af_link_info(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		 uint32_t link, struct af_link_info *info)
{
	struct af_page *p = f->page;
	const struct af_side *s;
	uint32_t side, peer, dev;

	memset(info, 0, sizeof(*info));
	info->peer_id = ALINK_ID_NONE;
	af_rdlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side == AF_NO_SIDE) {
		af_rdunlock(f);
		return -ENODEV;
	}
	s = &p->side[side];
	info->state = s->state;
	info->reason = s->reason;
	info->speed_mbps = s->speed_mbps;
	info->max_mbps = s->max_mbps;
	info->lanes = s->lanes;
	info->max_lanes = s->max_lanes;
	info->downs = s->downs;
	info->module = s->module_plus1 - 1;
	info->fec = s->state == ALINK_LINK_UP ? s->fec : ALINK_FEC_NONE;
	info->fec_ctrl = s->fec_ctrl;
	info->fec_caps = af_fec_caps(s);
	info->lanes_bad = s->lanes_bad;
	info->retrains = s->retrains;
	info->lane_losses = s->lane_losses;
	info->flap_ctrl = s->flap_ctrl;
	info->flap_holds = s->flap_holds;
	info->stage = af_stage(f, s);
	if (s->prbs_seen) {
		info->prbs_lanes = af_lane_mask(s) & ~s->lanes_bad;
		if (!s->loop)
			info->prbs_lanes &= ~p->side[s->cable - 1].lanes_bad;
	}
	info->prbs_bits = prbs_bits(f, s);
	info->prbs_errors = prbs_errors(f, s);
	info->ber = af_ber(s);
	/* The peer is learnt in training and remembered while down. */
	peer = af_side_peer(p, side);
	if (s->trained && peer != AF_NO_SIDE && p->side[peer].present) {
		dev = af_side_dev(peer);
		info->peer_type = side_type(peer);
		info->peer_id = dev;
		info->peer_port = af_side_link(peer);
		info->peer_serial = af_side_is_ep(peer) ? p->ep[dev].serial :
							  p->sw[dev].serial;
	}
	af_acct_lock(f);
	info->tx_bytes = s->count.tx_bytes;
	info->rx_bytes = s->count.rx_bytes;
	info->tx_packets = s->count.tx_packets;
	info->rx_packets = s->count.rx_packets;
	info->tx_raw = s->count.tx_raw;
	info->rx_raw = s->count.rx_raw;
	info->tx_errors = s->count.tx_errors;
	info->rx_errors = s->count.rx_errors;
	info->tx_frames = s->count.tx_frames;
	info->rx_frames = s->count.rx_frames;
	info->tx_frame = s->count.tx_frame;
	info->rx_frame = s->count.rx_frame;
	info->rx_drops = s->count.rx_drops;
	info->symbol_errors = s->count.symbol_errors;
	memcpy(info->lane_corr, s->count.lane_corr, sizeof(info->lane_corr));
	memcpy(info->lane_uncorr, s->count.lane_uncorr,
	       sizeof(info->lane_uncorr));
	info->fec_corr = s->count.fec_corr;
	info->fec_uncorr = s->count.fec_uncorr;
	info->crc_errors = s->count.crc_errors;
	info->replays = s->count.replays;
	info->credit_stalls = s->count.credit_stalls;
	info->credit_leaks = s->count.credit_leaks;
	info->credits_lost = s->count.credits_lost;
	info->credit_since = s->count.credit_since;
	info->credits = s->state == ALINK_LINK_UP ?
			ALINK_LINK_CREDITS - s->credits_out : 0;
	info->stall_ns = s->count.stall_ns;
	info->busy_ns = s->count.busy_ns;
	af_acct_unlock(f);
	af_rdunlock(f);
	return 0;
}

static void count_frame(struct af_frame_count *c, const uint8_t *frame,
			uint32_t len)
{
	static const uint32_t up_to[ALINK_LSTAT_SIZES - 1] = {
		64, 127, 255, 511, 1023, 1518,
	};
	static const uint8_t everybody[6] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	unsigned int i = 0;

	c->octets += len;
	if (!memcmp(frame, everybody, sizeof(everybody)))
		c->broadcast++;
	else if (frame[0] & 1)
		c->multicast++;
	while (i < ALINK_LSTAT_SIZES - 1 && len + 4 > up_to[i])
		i++;
	c->size[i]++;
}

int af_link_frame(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		  uint32_t link, const uint8_t *frame, uint32_t len,
		  uint32_t *peer_type, uint32_t *peer_id, uint32_t *peer_link)
{
	struct af_page *p = f->page;
	uint32_t side, peer = AF_NO_SIDE;
	struct af_side *tx, *rx;
	int ret = -ENOLINK;

	af_rdlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side == AF_NO_SIDE)
		goto out;
	tx = &p->side[side];
	if (!af_side_up(p, side) && !looped(tx)) {
		af_acct_lock(f);
		tx->count.tx_errors++;
		af_acct_unlock(f);
		goto out;
	}
	peer = looped(tx) ? side : af_side_peer(p, side);
	rx = &p->side[peer];
	af_acct_lock(f);
	af_replays(tx, rx, 1);
	/* What comes back to its sender needs no room elsewhere. */
	if (tx != rx)
		af_credits(f, tx, 1);
	tx->count.tx_frames++;
	tx->count.tx_packets++;
	tx->count.tx_raw += len + ALINK_PACKET_OVERHEAD;
	count_frame(&tx->count.tx_frame, frame, len);
	rx->count.rx_packets++;
	rx->count.rx_raw += len + ALINK_PACKET_OVERHEAD;
	if (tx != rx)
		af_bit_errors(rx, tx, len + ALINK_PACKET_OVERHEAD);
	af_acct_unlock(f);
	*peer_type = side_type(peer);
	*peer_id = af_side_dev(peer);
	*peer_link = af_side_link(peer);
	ret = 0;
out:
	af_op_end(f);
	return ret;
}

void af_link_frame_in(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		      uint32_t link, const uint8_t *frame, uint32_t len,
		      bool kept)
{
	struct af_count *count;
	uint32_t side;

	af_rdlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side != AF_NO_SIDE) {
		count = &f->page->side[side].count;
		af_acct_lock(f);
		if (kept) {
			count->rx_frames++;
			count_frame(&count->rx_frame, frame, len);
		} else {
			count->rx_drops++;
		}
		af_acct_unlock(f);
	}
	af_rdunlock(f);
}
