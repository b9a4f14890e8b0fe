/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-cmis`: module state machine and, per lane, data path state machine,
 * on the virtual clock. Documentation/hw/optics.rst has the tables.
 */
#include "qemu/osdep.h"
#include "trace.h"

#include "cmis_internal.h"

static bool low_power_requested(AlinkCmis *s)
{
    uint8_t control = s->low[CMIS_LO_CONTROL];

    return control & CMIS_CONTROL_LOW_POWER ||
           (control & CMIS_CONTROL_ALLOW_HW && s->pin_low_power);
}

static void set_state(AlinkCmis *s, uint8_t state, unsigned ms)
{
    trace_alink_cmis_state(DEVICE(s)->id ?: "", s->state, state);
    s->state = state;
    s->state_due = ms ? cmis_now() + ms * SCALE_MS : INT64_MAX;
    if (state == CMIS_STATE_LOW_POWER || state == CMIS_STATE_READY ||
        state == CMIS_STATE_FAULT) {
        s->low[CMIS_LO_FLAG_STATE] |= 1;
    }
}

static void set_dp(AlinkCmis *s, unsigned lane, uint8_t dp, unsigned ms)
{
    trace_alink_cmis_data_path(DEVICE(s)->id ?: "", lane, s->dp[lane], dp);
    s->dp[lane] = dp;
    s->dp_due[lane] = ms ? cmis_now() + ms * SCALE_MS : INT64_MAX;
    if (dp == CMIS_DP_DEACTIVATED || dp == CMIS_DP_INITIALIZED ||
        dp == CMIS_DP_ACTIVATED) {
        *cmis_up(s, CMIS_PG_11, CMIS_11_FLAG_DP_STATE) |= 1 << lane;
    }
}

static void lanes_off(AlinkCmis *s)
{
    s->dp_reinit = 0;
    for (unsigned i = 0; i < CMIS_LANES; i++) {
        if (s->dp[i] != CMIS_DP_DEACTIVATED) {
            set_dp(s, i, CMIS_DP_DEACTIVATED, 0);
        }
    }
}

/* The cause of ModuleFault that holds now, or 0 */
static uint8_t fault_cause(AlinkCmis *s)
{
    if (s->fault_cause) {
        return s->fault_cause;
    }
    return cmis_over_temperature(s) ? CMIS_FAULT_TEMPERATURE : CMIS_FAULT_NONE;
}

static bool tx_disabled(AlinkCmis *s, unsigned lane)
{
    return *cmis_up(s, CMIS_PG_10, CMIS_10_TX_DISABLE) & 1 << lane;
}

static bool lane_wanted(AlinkCmis *s, unsigned lane)
{
    return s->state == CMIS_STATE_READY && !low_power_requested(s) &&
           !(*cmis_up(s, CMIS_PG_10, CMIS_10_DP_DEINIT) & 1 << lane) &&
           !(s->dp_reinit & 1 << lane) &&
           *cmis_up(s, CMIS_PG_11, CMIS_11_ACTIVE + lane) >> 4;
}

/* One step of one lane; true when its state changed. */
static bool step_lane(AlinkCmis *s, unsigned lane, int64_t now)
{
    bool due = s->dp_due[lane] <= now;
    uint8_t was = s->dp[lane];

    switch (was) {
    case CMIS_DP_DEACTIVATED:
        s->dp_reinit &= ~(1 << lane);
        if (lane_wanted(s, lane)) {
            set_dp(s, lane, CMIS_DP_INIT, CMIS_DP_INIT_MS);
        }
        break;
    case CMIS_DP_INIT:
    case CMIS_DP_TX_OFF:
        if (due) {
            set_dp(s, lane, CMIS_DP_INITIALIZED, 0);
        }
        break;
    case CMIS_DP_INITIALIZED:
        if (!lane_wanted(s, lane)) {
            set_dp(s, lane, CMIS_DP_DEINIT, CMIS_DP_DEINIT_MS);
        } else if (!tx_disabled(s, lane)) {
            set_dp(s, lane, CMIS_DP_TX_ON, CMIS_TX_SWITCH_MS);
        }
        break;
    case CMIS_DP_TX_ON:
        if (due) {
            set_dp(s, lane, CMIS_DP_ACTIVATED, 0);
        }
        break;
    case CMIS_DP_ACTIVATED:
        if (!lane_wanted(s, lane) || tx_disabled(s, lane)) {
            set_dp(s, lane, CMIS_DP_TX_OFF, CMIS_TX_SWITCH_MS);
        }
        break;
    case CMIS_DP_DEINIT:
        if (due) {
            set_dp(s, lane, CMIS_DP_DEACTIVATED, 0);
        }
        break;
    }
    return s->dp[lane] != was;
}

static bool all_deactivated(AlinkCmis *s)
{
    for (unsigned i = 0; i < CMIS_LANES; i++) {
        if (s->dp[i] != CMIS_DP_DEACTIVATED) {
            return false;
        }
    }
    return true;
}

static void enter_fault(AlinkCmis *s)
{
    s->low[CMIS_LO_FAULT] = fault_cause(s);
    lanes_off(s);
    set_state(s, CMIS_STATE_FAULT, 0);
}

/* One step of the module; true when its state changed. */
static bool step_module(AlinkCmis *s, int64_t now)
{
    bool due = s->state_due <= now;
    uint8_t was = s->state;

    if (was != CMIS_STATE_OFF && was != CMIS_STATE_FAULT && fault_cause(s)) {
        enter_fault(s);
        return true;
    }
    switch (was) {
    case CMIS_STATE_OFF:
    case CMIS_STATE_POWER_DOWN:
        if (due) {
            set_state(s, CMIS_STATE_LOW_POWER, 0);
        }
        break;
    case CMIS_STATE_LOW_POWER:
        if (!low_power_requested(s)) {
            set_state(s, CMIS_STATE_POWER_UP, CMIS_POWER_UP_MS);
        }
        break;
    case CMIS_STATE_POWER_UP:
        if (low_power_requested(s)) {
            set_state(s, CMIS_STATE_POWER_DOWN, CMIS_POWER_DOWN_MS);
        } else if (due) {
            set_state(s, CMIS_STATE_READY, 0);
        }
        break;
    case CMIS_STATE_READY:
        if (low_power_requested(s) && all_deactivated(s)) {
            set_state(s, CMIS_STATE_POWER_DOWN, CMIS_POWER_DOWN_MS);
        }
        break;
    }
    return s->state != was;
}

void cmis_power_on(AlinkCmis *s)
{
    cmis_mem_reset(s);
    lanes_off(s);
    s->page[CMIS_PG_11][CMIS_11_FLAG_DP_STATE - CMIS_PAGE_BYTES] = 0;
    s->state = CMIS_STATE_OFF;
    s->state_due = INT64_MAX;
    if (s->present && !s->pin_reset) {
        set_state(s, CMIS_STATE_OFF, CMIS_INIT_MS);
    }
    cmis_update(s);
}

void cmis_power_off(AlinkCmis *s)
{
    cmis_mem_reset(s);
    lanes_off(s);
    set_state(s, CMIS_STATE_OFF, 0);
    cmis_update(s);
}

bool cmis_answers(AlinkCmis *s)
{
    return s->present && s->state != CMIS_STATE_OFF &&
           cmis_now() >= s->hold_off;
}

uint8_t cmis_tx_on(AlinkCmis *s)
{
    uint8_t on = 0;

    if (!s->present) {
        return 0;
    }
    for (unsigned i = 0; i < CMIS_LANES; i++) {
        if (s->dp[i] == CMIS_DP_ACTIVATED) {
            on |= 1 << i;
        }
    }
    return on & ~s->laser_fault;
}

/* Up, or as far up as it gets with its transmitter disabled */
bool cmis_lane_ready(AlinkCmis *s, unsigned lane)
{
    switch (s->dp[lane]) {
    case CMIS_DP_ACTIVATED:
        return true;
    case CMIS_DP_INITIALIZED:
    case CMIS_DP_TX_ON:
    case CMIS_DP_TX_OFF:
        return tx_disabled(s, lane) && lane_wanted(s, lane);
    default:
        return false;
    }
}

static void arm(AlinkCmis *s)
{
    int64_t due = MIN(s->state_due, s->sample_due);

    for (unsigned i = 0; i < CMIS_LANES; i++) {
        due = MIN(due, s->dp_due[i]);
    }
    if (due == INT64_MAX) {
        timer_del(s->timer);
    } else {
        timer_mod(s->timer, due);
    }
}

/* The pins that the host sees, when one changed */
static void publish(AlinkCmis *s)
{
    bool present = s->present, interrupt = alink_cmis_interrupt(s);

    if (s->was_present == present && s->was_interrupt == interrupt) {
        return;
    }
    s->was_present = present;
    s->was_interrupt = interrupt;
    if (s->host) {
        ALINK_CAGE_HOST_GET_CLASS(s->host)->changed(s->host, s->channel);
    }
}

void cmis_update(AlinkCmis *s)
{
    int64_t now = cmis_now();
    bool again;

    do {
        again = step_module(s, now);
        for (unsigned i = 0; i < CMIS_LANES; i++) {
            again |= step_lane(s, i, now);
        }
    } while (again);

    cmis_link_update(s);
    cmis_monitor_refresh(s);
    if (!cmis_monitor_latch(s)) {
        s->sample_due = INT64_MAX;
    } else if (s->sample_due == INT64_MAX) {
        s->sample_due = now + CMIS_SAMPLE_MS * SCALE_MS;
    }
    arm(s);
    publish(s);
}
