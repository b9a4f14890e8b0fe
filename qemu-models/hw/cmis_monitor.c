/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-cmis`: monitors, thresholds, latched flags and the interrupt.
 *
 * A flag is latched when its condition begins, and once per second while the
 * condition lasts, so that a reader who clears it learns that it is still so
 * without the interrupt firing as fast as the bus can be read.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"

#include "cmis_internal.h"

/* In the order of page 02h: high alarm, low alarm, high and low warning */
enum { HIGH_ALARM, LOW_ALARM, HIGH_WARN, LOW_WARN, LIMITS };

static const int16_t temp_limit[LIMITS] = {
    80 * 256, -5 * 256, 70 * 256, 0,
};
static const uint16_t vcc_limit[LIMITS] = { 36300, 29700, 34650, 31350 };
static const uint16_t bias_limit[LIMITS] = { 55000, 10000, 50000, 15000 };
static const uint16_t tx_limit[LIMITS] = { 25120, 3160, 19950, 3980 };
static const uint16_t rx_limit[LIMITS] = { 25120, 1000, 19950, 1580 };
static const uint8_t vma_limit[LIMITS] = { 200, 40, 180, 50 };
static const uint16_t oma_limit[LIMITS] = { 30000, 1000, 24000, 1600 };

#define LOW_FLAGS   (CMIS_LO_FLAGS_LAST - CMIS_LO_FLAGS_FIRST + 1)
#define LANE_FLAGS  (CMIS_11_FLAGS_LAST - CMIS_11_FLAGS_FIRST + 1)

void cmis_monitor_thresholds(AlinkCmis *s)
{
    for (unsigned i = 0; i < LIMITS; i++) {
        stw_be_p(cmis_up(s, CMIS_PG_02, CMIS_02_TEMP + 2 * i), temp_limit[i]);
        stw_be_p(cmis_up(s, CMIS_PG_02, CMIS_02_VCC + 2 * i), vcc_limit[i]);
        stw_be_p(cmis_up(s, CMIS_PG_02, CMIS_02_TX_POWER + 2 * i),
                 tx_limit[i]);
        stw_be_p(cmis_up(s, CMIS_PG_02, CMIS_02_TX_BIAS + 2 * i),
                 bias_limit[i]);
        stw_be_p(cmis_up(s, CMIS_PG_02, CMIS_02_RX_POWER + 2 * i),
                 rx_limit[i]);
        *cmis_up(s, CMIS_PG_C1, CMIS_C1_VMA + i) = vma_limit[i];
        stw_be_p(cmis_up(s, CMIS_PG_C1, CMIS_C1_OMA + 2 * i), oma_limit[i]);
    }
}

/*
 * A number in -range..range that changes twice per second and is the same for
 * all who read within that time: a function of module, monitor and clock.
 */
static int wander(AlinkCmis *s, unsigned what, int range)
{
    uint64_t x;

    if (!s->noise || !range) {
        return 0;
    }
    x = (uint64_t)(cmis_now() / (500 * SCALE_MS)) * 64 + what;
    x ^= g_str_hash(s->serial);
    x *= 0x9e3779b97f4a7c15ULL;
    x ^= x >> 29;
    return (int)(x % (2 * range + 1)) - range;
}

static uint16_t clamp16(int64_t value)
{
    return MIN(MAX(value, 0), UINT16_MAX);
}

static int16_t temperature(AlinkCmis *s)
{
    int64_t t = (int64_t)s->temperature * 256 / 1000;

    return MIN(MAX(t, INT16_MIN), INT16_MAX);
}

/* The knob, not the noise, decides: a value on the limit must not flicker */
bool cmis_over_temperature(AlinkCmis *s)
{
    return s->present && temperature(s) > temp_limit[HIGH_ALARM];
}

/* Lanes whose receiver sees no light */
uint8_t cmis_rx_dark(AlinkCmis *s)
{
    return s->rx_los | s->dark;
}

void cmis_monitor_refresh(AlinkCmis *s)
{
    uint8_t on = cmis_tx_on(s), dark = cmis_rx_dark(s);
    uint8_t *state = cmis_up(s, CMIS_PG_11, CMIS_11_DP_STATE);
    uint8_t rx_valid = 0;

    s->low[CMIS_LO_STATE] = s->state << 1 |
        (cmis_monitor_interrupt(s) ? 0 : CMIS_LO_NO_INT);
    stw_be_p(&s->low[CMIS_LO_TEMP], temperature(s) + wander(s, 0, 48));
    stw_be_p(&s->low[CMIS_LO_VCC], clamp16(s->vcc / 100 + wander(s, 1, 50)));

    memset(state, 0, CMIS_LANES / 2);
    for (unsigned i = 0; i < CMIS_LANES; i++) {
        uint64_t bias = 0, tx = 0, rx = 0;

        state[i / 2] |= s->dp[i] << (i & 1) * 4;
        if (on & 1 << i) {
            bias = s->tx_bias[i] / 2 + wander(s, 8 + i, s->tx_bias[i] / 600);
            tx = s->tx_power[i] * 10ULL +
                 wander(s, 16 + i, s->tx_power[i] / 20);
        }
        if (!(dark & 1 << i)) {
            rx = s->rx_power[i] < 0 ? 6000 : s->rx_power[i] * 10ULL;
            rx += wander(s, 24 + i, rx / 200);
            if (cmis_lane_ready(s, i)) {
                rx_valid |= 1 << i;
            }
        }
        stw_be_p(cmis_up(s, CMIS_PG_11, CMIS_11_TX_BIAS + 2 * i),
                 clamp16(bias));
        stw_be_p(cmis_up(s, CMIS_PG_11, CMIS_11_TX_POWER + 2 * i),
                 clamp16(tx));
        stw_be_p(cmis_up(s, CMIS_PG_11, CMIS_11_RX_POWER + 2 * i),
                 clamp16(rx));
        /*
         * A swing of 600 mV at the host input; an extinction ratio of 4.8 dB
         * makes the modulation as large as the average power.
         */
        *cmis_up(s, CMIS_PG_C2, CMIS_C2_VMA + i) =
            s->tx_los & 1 << i ? 0 : 120 + wander(s, 32 + i, 2);
        stw_be_p(cmis_up(s, CMIS_PG_C2, CMIS_C2_OMA + 2 * i), clamp16(rx));
    }

    rx_valid &= ~*cmis_up(s, CMIS_PG_10, CMIS_10_RX_DISABLE);
    *cmis_up(s, CMIS_PG_11, CMIS_11_FLAG_OUTPUT) |=
        rx_valid ^ *cmis_up(s, CMIS_PG_11, CMIS_11_RX_OUTPUT);
    *cmis_up(s, CMIS_PG_11, CMIS_11_RX_OUTPUT) = rx_valid;
    *cmis_up(s, CMIS_PG_11, CMIS_11_TX_OUTPUT) = on;
}

/* Limits that @value breaks, as bits in the order of page 02h */
static unsigned over(int value, const uint16_t *limit)
{
    return (value > limit[HIGH_ALARM]) << HIGH_ALARM |
           (value < limit[LOW_ALARM]) << LOW_ALARM |
           (value > limit[HIGH_WARN]) << HIGH_WARN |
           (value < limit[LOW_WARN]) << LOW_WARN;
}

/* The same for one lane of four flag bytes, one byte per limit */
static void lane_flags(uint8_t *flags, unsigned lane, unsigned broken)
{
    for (unsigned i = 0; i < LIMITS; i++) {
        if (broken & 1 << i) {
            flags[i] |= 1 << lane;
        }
    }
}

static void conditions(AlinkCmis *s, uint8_t *low, uint8_t *lanes)
{
    int temp = temperature(s);
    uint8_t faults = s->laser_fault, dark = cmis_rx_dark(s);

    low[CMIS_LO_FLAG_TEMP_VCC - CMIS_LO_FLAGS_FIRST] =
        (temp > temp_limit[HIGH_ALARM]) << HIGH_ALARM |
        (temp < temp_limit[LOW_ALARM]) << LOW_ALARM |
        (temp > temp_limit[HIGH_WARN]) << HIGH_WARN |
        (temp < temp_limit[LOW_WARN]) << LOW_WARN |
        over(s->vcc / 100, vcc_limit) << 4;

#define FLAGS(offset) (&lanes[(offset) - CMIS_11_FLAGS_FIRST])
    for (unsigned i = 0; i < CMIS_LANES; i++) {
        bool lit = s->dp[i] == CMIS_DP_ACTIVATED;
        bool failed = lit && faults & 1 << i;
        uint64_t rx = s->rx_power[i] < 0 ? 6000 : s->rx_power[i] * 10ULL;

        if (failed) {
            *FLAGS(CMIS_11_FLAG_TX_FAULT) |= 1 << i;
        }
        if (s->tx_los & 1 << i) {
            *FLAGS(CMIS_11_FLAG_TX_LOS) |= 1 << i;
        }
        if (lit) {
            lane_flags(FLAGS(CMIS_11_FLAG_TX_POWER), i,
                       over(failed ? 0 : clamp16(s->tx_power[i] * 10ULL),
                            tx_limit));
            lane_flags(FLAGS(CMIS_11_FLAG_TX_BIAS), i,
                       over(failed ? 0 : clamp16(s->tx_bias[i] / 2),
                            bias_limit));
        }
        if (s->state != CMIS_STATE_READY) {
            continue;
        }
        if (dark & 1 << i) {
            *FLAGS(CMIS_11_FLAG_RX_LOS) |= 1 << i;
            rx = 0;
        }
        lane_flags(FLAGS(CMIS_11_FLAG_RX_POWER), i, over(clamp16(rx), rx_limit));
    }
#undef FLAGS
}

bool cmis_monitor_latch(AlinkCmis *s)
{
    uint8_t low[LOW_FLAGS] = { }, lanes[LANE_FLAGS] = { };
    bool sample = s->sample_due <= cmis_now(), any = false;
    uint8_t *flags = cmis_up(s, CMIS_PG_11, CMIS_11_FLAGS_FIRST);

    if (sample) {
        s->sample_due = INT64_MAX;
    }
    if (s->present && s->state != CMIS_STATE_OFF) {
        conditions(s, low, lanes);
    }
    for (unsigned i = 0; i < LOW_FLAGS; i++) {
        s->low[CMIS_LO_FLAGS_FIRST + i] |=
            sample ? low[i] : low[i] & ~s->cond_low[i];
        any |= low[i];
    }
    for (unsigned i = 0; i < LANE_FLAGS; i++) {
        flags[i] |= sample ? lanes[i] : lanes[i] & ~s->cond_lane[i];
        any |= lanes[i];
    }
    memcpy(s->cond_low, low, sizeof(low));
    memcpy(s->cond_lane, lanes, sizeof(lanes));
    return any;
}

bool cmis_monitor_interrupt(AlinkCmis *s)
{
    const uint8_t *flags = cmis_up(s, CMIS_PG_11, CMIS_11_FLAGS_FIRST);
    const uint8_t *masks = cmis_up(s, CMIS_PG_10, CMIS_10_MASKS);

    if (!s->present || s->state == CMIS_STATE_OFF) {
        return false;
    }
    for (unsigned i = 0; i < LOW_FLAGS; i++) {
        if (s->low[CMIS_LO_FLAGS_FIRST + i] & ~s->low[CMIS_LO_MASKS + i]) {
            return true;
        }
    }
    for (unsigned i = 0; i < LANE_FLAGS; i++) {
        if (flags[i] & ~masks[i]) {
            return true;
        }
    }
    return false;
}

bool cmis_is_flag(AlinkCmis *s, uint8_t offset)
{
    if (offset >= CMIS_LO_FLAGS_FIRST && offset <= CMIS_LO_FLAGS_LAST) {
        return true;
    }
    return s->cur == CMIS_PG_11 && offset >= CMIS_11_FLAGS_FIRST &&
           offset <= CMIS_11_FLAGS_LAST;
}
