// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How well an end of a link hears: which part of the bits come in wrong, how
 * many code words FEC puts right for that, and at which rate it is few enough.
 * Documentation/hw/fabric.rst, "Bit errors".
 */
#include "fabric_internal.h"

struct code {
	uint64_t limit;		/* ALINK_BER_LIMIT_* */
	uint32_t bits;		/* of a code word; 0: there are none */
	uint32_t data;		/* those of them that are payload */
	uint32_t lost;		/* wrong symbols that are one too many */
};

static const struct code codes[] = {
	/* What a link had that was never up counts as the long code's. */
	[ALINK_FEC_NONE] = { .limit = ALINK_BER_LIMIT_NONE, .lost = 16 },
	[ALINK_FEC_RS544] = { ALINK_BER_LIMIT_RS544, 5440, 5140, 16 },
	[ALINK_FEC_LL272] = { ALINK_BER_LIMIT_LL272, 2720, 2570, 8 },
};

uint32_t af_lost_symbols(const struct af_side *s)
{
	return codes[s->fec].lost;
}

/* At the full rate divided by 2^@shift: squared with each half */
static uint64_t ber_at(const struct af_side *s, uint32_t shift)
{
	uint64_t ber = s->ber;

	for (; shift; shift--)
		ber = (unsigned __int128)ber * ber / ALINK_BER_UNIT;
	return ber;
}

uint64_t af_ber(const struct af_side *s)
{
	return s->state == ALINK_LINK_UP ? ber_at(s, s->shift) : 0;
}

uint32_t af_rate_shift(const struct af_side *s, uint32_t fec)
{
	uint32_t shift = 0;

	while (shift < ALINK_LINK_RATES &&
	       ber_at(s, shift) > codes[fec].limit)
		shift++;
	return shift;
}

/* 1 - (1 - @ber) ^ @bits, without the loss of all digits for a small @ber */
static double any_wrong(double ber, uint32_t bits)
{
	double right = 1, factor = 1 - ber, few = ber * bits;

	if (few < 1e-6)
		return few;
	for (; bits; bits >>= 1, factor *= factor)
		if (bits & 1)
			right *= factor;
	return 1 - right;
}

/* In the lanes in use, in turn: of those good at both ends, the first */
static void count_corrected(struct af_side *rx, uint32_t bad, uint64_t num)
{
	uint32_t first = rx->corr_lane % rx->lanes, at = 0;

	rx->count.fec_corr += num;
	for (uint32_t i = 0; i < ALINK_LSTAT_LANES && at < rx->lanes; i++) {
		/* How many of @num, dealt out from @first on, come to this one */
		uint32_t turn = (at + rx->lanes - first) % rx->lanes;

		if (bad >> i & 1)
			continue;
		at++;
		rx->count.lane_corr[i] += num / rx->lanes +
					  (turn < num % rx->lanes);
	}
	rx->corr_lane = (first + num) % rx->lanes;
}

void af_bit_errors(struct af_side *rx, const struct af_side *tx, uint64_t raw)
{
	const struct code *c = &codes[rx->fec];
	uint64_t ber, whole;

	if (!rx->ber || !c->bits || !rx->lanes)
		return;
	ber = ber_at(rx, rx->shift);
	rx->corr_part += (double)raw * 8 / c->data *
			 any_wrong((double)ber / ALINK_BER_UNIT, c->bits);
	whole = rx->corr_part;
	rx->corr_part -= whole;
	if (whole)
		count_corrected(rx, rx->lanes_bad | tx->lanes_bad, whole);
}

/* What comes in is worse than the code bears: one word of it is lost. */
static void lose_one(struct af_fabric *f, struct af_side *s)
{
	uint32_t bad = s->lanes_bad | f->page->side[s->cable - 1].lanes_bad;
	uint32_t lane = 0;

	while (lane < ALINK_LSTAT_LANES - 1 && bad >> lane & 1)
		lane++;
	af_acct_lock(f);
	if (s->fec != ALINK_FEC_NONE) {
		s->count.fec_uncorr++;
		s->count.lane_uncorr[lane]++;
		s->count.symbol_errors += af_lost_symbols(s);
	}
	/* What a link that goes down has lost nobody sends again. */
	if (s->burst < UINT32_MAX && af_rate_shift(s, s->fec) < ALINK_LINK_RATES)
		s->burst++;
	af_acct_unlock(f);
}

int af_link_set_ber(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		    uint32_t link, uint64_t ber)
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
	} else if (ber > ALINK_BER_UNIT) {
		ret = -EINVAL;
	} else {
		if (s->prbs_seen)
			af_prbs_settle(f, s);
		s->ber = ber;
		if (af_side_up(f->page, side) &&
		    af_rate_shift(s, s->fec) > s->shift)
			lose_one(f, s);
		af_link_eval(f, side, &list);
	}
	af_wrunlock(f, &list);
	return ret;
}
