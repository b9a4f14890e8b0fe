// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Credits of links: who sends has as many as the other end has room, and gets
 * each back when what it paid for has gone on. Those that do not come back are
 * missed by a check when there are some left (a leak), by who needs one when
 * there is none (a stall). Documentation/hw/fabric.rst, "Credits".
 *
 * An operation is over when the next one begins, so between two of them all
 * credits are at hand that were not lost: only those are kept count of.
 */
#include "fabric_internal.h"

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* All that are missing are back. */
static void refill(struct af_side *s, uint64_t *total)
{
	++*total;
	s->count.credits_lost += s->credits_out;
	s->count.credit_since = s->credit_since;
	s->credits_out = 0;
}

uint64_t af_credits(struct af_fabric *f, struct af_side *tx, uint64_t packets)
{
	uint64_t stalls = 0, n;

	while (packets && (tx->credit_loss || tx->credits_out)) {
		if (tx->credits_out == ALINK_LINK_CREDITS) {
			stalls++;
			tx->credit_stalled += tx->credits_out;
			refill(tx, &tx->count.credit_stalls);
			continue;
		}
		n = lower(lower(packets, tx->credit_loss),
			  ALINK_LINK_CREDITS - tx->credits_out);
		if (!n)
			break;
		if (!tx->credits_out)
			tx->credit_since = af_clock_ns(f);
		tx->credits_out += n;
		tx->credit_loss -= n;
		packets -= n;
		__atomic_store_n(&f->page->credit_due, 1, __ATOMIC_RELAXED);
	}
	if (stalls)
		__atomic_store_n(&f->page->credit_due, 1, __ATOMIC_RELAXED);
	return stalls;
}

void af_op_end(struct af_fabric *f)
{
	af_rdunlock(f);
	if (__atomic_load_n(&f->page->credit_due, __ATOMIC_RELAXED))
		af_link_wake(f);
}

/* The device trains the link, unless it has done so too often. */
static void repair(struct af_fabric *f, uint32_t side, uint32_t code,
		   uint32_t lost, struct af_event_list *list)
{
	struct af_side *s = &f->page->side[side];

	af_event(list, af_side_is_ep(side) ? ALINK_DEVTYPE_XPU :
					     ALINK_DEVTYPE_SWITCH,
		 af_side_dev(side), ALINK_EVENT_CREDIT, af_side_link(side),
		 code, lost);
	if (list->num)
		list->ev[list->num - 1].event.addr = s->count.credit_since;
	if (!af_flaps(f, s, ALINK_DOWN_NONE)) {
		s->retrain = 1;
		f->page->side[s->cable - 1].retrain = 1;
	}
	af_link_eval(f, side, list);
}

void af_credit_check(struct af_fabric *f, uint32_t side, uint64_t now,
		     struct af_event_list *list)
{
	struct af_side *s = &f->page->side[side];
	uint32_t lost = s->credit_stalled;

	af_assert_writer(f);
	if (!af_side_up(f->page, side)) {
		af_credit_init(s);
		return;
	}
	if (lost) {
		s->credit_stalled = 0;
		repair(f, side, ALINK_CREDIT_STALL, lost, list);
	}
	if (!s->credits_out) {
		s->credit_check = 0;
	} else if (!s->credit_check) {
		s->credit_check = now + ALINK_LINK_CREDIT_CHECK_MS * 1000000ULL;
	} else if (s->credit_check <= now) {
		lost = s->credits_out;
		s->credit_check = 0;
		refill(s, &s->count.credit_leaks);
		repair(f, side, ALINK_CREDIT_LEAK, lost, list);
	}
}

int af_link_set_credit_loss(struct af_fabric *f, uint32_t dev_type,
			    uint32_t dev_id, uint32_t link, uint32_t count)
{
	uint32_t side;

	af_rdlock(f);
	side = af_side_of(f, dev_type, dev_id, link);
	if (side != AF_NO_SIDE) {
		af_acct_lock(f);
		f->page->side[side].credit_loss = count;
		af_acct_unlock(f);
	}
	af_rdunlock(f);
	return side == AF_NO_SIDE ? -ENODEV : 0;
}
