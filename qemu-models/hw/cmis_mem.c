/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-cmis`: the contents of the pages, and what the host may write.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "trace.h"

#include "cmis_internal.h"

/* An 8-lane DR8 module and the ways to break it out */
const CmisApp cmis_apps[] = {
    { CMIS_HOST_CEI_112G_LINEAR, CMIS_MEDIA_800G_DR8_LPO, 8, 0x01 },
    { CMIS_HOST_CEI_112G_LINEAR, CMIS_MEDIA_400G_DR4_LPO, 4, 0x11 },
    { CMIS_HOST_CEI_112G_LINEAR, CMIS_MEDIA_200G_DR2_LPO, 2, 0x55 },
    { CMIS_HOST_CEI_112G_LINEAR, CMIS_MEDIA_100G_DR1_LPO, 1, 0xff },
};

unsigned cmis_num_apps(void)
{
    return ARRAY_SIZE(cmis_apps);
}

int cmis_find_page(uint8_t bank, uint8_t page)
{
    static const struct {
        uint8_t page;
        uint8_t index;
    } map[] = {
        { 0x00, CMIS_PG_00 },
        { 0x01, CMIS_PG_01 },
        { 0x02, CMIS_PG_02 },
        { 0x10, CMIS_PG_10 },
        { 0x11, CMIS_PG_11 },
        { CMIS_PAGE_LPO_CAPS, CMIS_PG_C1 },
        { CMIS_PAGE_LPO_MON, CMIS_PG_C2 },
    };

    if (bank != 0) {
        return -1;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
        if (map[i].page == page) {
            return map[i].index;
        }
    }
    return -1;
}

/* Text of a fixed length, padded with blanks as CMIS wants it */
static void put_text(uint8_t *to, size_t room, const char *text)
{
    size_t len = MIN(strlen(text), room);

    memset(to, ' ', room);
    memcpy(to, text, len);
}

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t total = 0;

    while (n--) {
        total += *p++;
    }
    return total;
}

static void reset_lower(AlinkCmis *s)
{
    uint8_t *app = &s->low[CMIS_LO_APPS];

    memset(s->low, 0, sizeof(s->low));
    s->low[CMIS_LO_ID] = s->identifier;
    s->low[CMIS_LO_REVISION] = 0x52;
    s->low[CMIS_LO_CONTROL] = CMIS_CONTROL_ALLOW_HW;
    s->low[CMIS_LO_FW_MAJOR] = 1;
    s->low[CMIS_LO_FW_MINOR] = 2;
    s->low[CMIS_LO_MEDIA_TYPE] = CMIS_MEDIA_TYPE_SMF;
    for (unsigned i = 0; i < cmis_num_apps(); i++, app += CMIS_APP_BYTES) {
        app[0] = cmis_apps[i].host_id;
        app[1] = cmis_apps[i].media_id;
        app[2] = cmis_apps[i].lanes << 4 | cmis_apps[i].lanes;
        app[3] = cmis_apps[i].starts;
    }
    *app = 0xff;
}

static void reset_page_00(AlinkCmis *s)
{
    memset(s->page[CMIS_PG_00], 0, CMIS_PAGE_BYTES);
    *cmis_up(s, CMIS_PG_00, CMIS_00_ID) = s->identifier;
    put_text(cmis_up(s, CMIS_PG_00, CMIS_00_VENDOR), 16, s->vendor);
    /* A private OUI: no maker of real modules is named */
    memcpy(cmis_up(s, CMIS_PG_00, CMIS_00_OUI), "\xac\xde\x48", 3);
    put_text(cmis_up(s, CMIS_PG_00, CMIS_00_PN), 16, s->part_number);
    put_text(cmis_up(s, CMIS_PG_00, CMIS_00_REV), 2, "A1");
    put_text(cmis_up(s, CMIS_PG_00, CMIS_00_SN), 16, s->serial);
    put_text(cmis_up(s, CMIS_PG_00, CMIS_00_DATE), 8, "260105");
    put_text(cmis_up(s, CMIS_PG_00, CMIS_00_CLEI), 10, "");
    *cmis_up(s, CMIS_PG_00, CMIS_00_POWER_CLASS) = 4 << 5;      /* class 5 */
    *cmis_up(s, CMIS_PG_00, CMIS_00_POWER_MAX) = 34;            /* 8.5 W */
    *cmis_up(s, CMIS_PG_00, CMIS_00_CONNECTOR) = CMIS_CONNECTOR_MPO_1X16;
    *cmis_up(s, CMIS_PG_00, CMIS_00_TECHNOLOGY) = CMIS_TECH_1310_DFB;
    *cmis_up(s, CMIS_PG_00, CMIS_00_CHECKSUM) =
        sum(s->page[CMIS_PG_00], CMIS_00_CHECKSUM - CMIS_PAGE_BYTES);
}

static void reset_page_01(AlinkCmis *s)
{
    uint8_t *p = s->page[CMIS_PG_01];

    memset(p, 0, CMIS_PAGE_BYTES);
    *cmis_up(s, CMIS_PG_01, CMIS_01_HW_REVISION) = 1;
    *cmis_up(s, CMIS_PG_01, CMIS_01_LENGTH_SMF) = 5;            /* 0.5 km */
    stw_be_p(cmis_up(s, CMIS_PG_01, CMIS_01_WAVELENGTH), 26220); /* 1311 nm */
    stw_be_p(cmis_up(s, CMIS_PG_01, CMIS_01_WAVELENGTH_TOL), 1300);
    /* Durations as codes of the next longer step: 50 ms, 10 ms */
    *cmis_up(s, CMIS_PG_01, CMIS_01_DP_INIT) = 2 << 4 | 3;
    *cmis_up(s, CMIS_PG_01, CMIS_01_TEMP_MAX) = 70;
    *cmis_up(s, CMIS_PG_01, CMIS_01_VCC_MIN) = 157;             /* 3.14 V */
    *cmis_up(s, CMIS_PG_01, CMIS_01_DETECTOR) = CMIS_01_RX_POWER_AVERAGE;
    *cmis_up(s, CMIS_PG_01, CMIS_01_TX_CONTROLS) = CMIS_01_TX_DISABLE;
    *cmis_up(s, CMIS_PG_01, CMIS_01_RX_CONTROLS) = CMIS_01_RX_DISABLE;
    *cmis_up(s, CMIS_PG_01, CMIS_01_TX_FLAGS) = 0x03;
    *cmis_up(s, CMIS_PG_01, CMIS_01_RX_FLAGS) = 0x02;
    *cmis_up(s, CMIS_PG_01, CMIS_01_MODULE_MONITORS) = 0x03;
    *cmis_up(s, CMIS_PG_01, CMIS_01_LANE_MONITORS) =
        CMIS_01_MON_BIAS | CMIS_01_MON_TX_POWER | CMIS_01_MON_RX_POWER;
    /* 100 ms to go down, 500 ms to come up; 10 ms to switch a transmitter */
    *cmis_up(s, CMIS_PG_01, CMIS_01_POWER_DURATIONS) = 4 << 4 | 5;
    *cmis_up(s, CMIS_PG_01, CMIS_01_TX_DURATIONS) = 2 << 4 | 2;
    for (unsigned i = 0; i < cmis_num_apps(); i++) {
        *cmis_up(s, CMIS_PG_01, CMIS_01_MEDIA_LANES + i) = cmis_apps[i].starts;
    }
    memcpy(cmis_up(s, CMIS_PG_01, CMIS_01_LPO_PAGES), "LP", 2);
    *cmis_up(s, CMIS_PG_01, CMIS_01_CHECKSUM) =
        sum(cmis_up(s, CMIS_PG_01, 130), CMIS_01_CHECKSUM - 130);
}

/* AppSel and data path id of a lane in the form of the control sets */
static uint8_t default_appsel(AlinkCmis *s, unsigned lane)
{
    unsigned most = 1, app;

    if (s->num_links == 0) {
        most = CMIS_LANES;
    }
    for (unsigned i = 0; i < s->num_links; i++) {
        most = MAX(most, s->link[i].count);
    }
    for (app = cmis_num_apps(); app > 1; app--) {
        if (cmis_apps[app - 1].lanes >= most) {
            break;
        }
    }
    return app << 4 | QEMU_ALIGN_DOWN(lane, cmis_apps[app - 1].lanes) << 1;
}

void cmis_mem_reset(AlinkCmis *s)
{
    reset_lower(s);
    reset_page_00(s);
    reset_page_01(s);
    memset(s->page[CMIS_PG_02], 0, CMIS_PAGE_BYTES);
    memset(s->page[CMIS_PG_10], 0, CMIS_PAGE_BYTES);
    memset(s->page[CMIS_PG_11], 0, CMIS_PAGE_BYTES);
    memset(s->page[CMIS_PG_C1], 0, CMIS_PAGE_BYTES);
    memset(s->page[CMIS_PG_C2], 0, CMIS_PAGE_BYTES);
    cmis_monitor_thresholds(s);
    *cmis_up(s, CMIS_PG_02, CMIS_02_CHECKSUM) =
        sum(s->page[CMIS_PG_02], CMIS_PAGE_BYTES - 1);
    *cmis_up(s, CMIS_PG_C1, CMIS_C1_CAPS) = 0x03;

    for (unsigned i = 0; i < CMIS_LANES; i++) {
        uint8_t appsel = default_appsel(s, i);

        *cmis_up(s, CMIS_PG_10, CMIS_10_APPSEL + i) = appsel;
        *cmis_up(s, CMIS_PG_11, CMIS_11_ACTIVE + i) = appsel;
        *cmis_up(s, CMIS_PG_11, CMIS_11_MEDIA_LANES + i) = i + 1;
    }
    s->cur = CMIS_PG_00;
    s->address = 0;
    s->page_written = false;
    s->dirty = false;
    s->hold_off = 0;
}

static bool writable_10(uint8_t offset)
{
    switch (offset) {
    case CMIS_10_DP_DEINIT:
    case CMIS_10_TX_DISABLE:
    case CMIS_10_RX_DISABLE:
    case CMIS_10_APPLY_INIT:
    case CMIS_10_APPLY_NOW:
    case CMIS_10_APPSEL ... CMIS_10_APPSEL + CMIS_LANES - 1:
    case CMIS_10_MASKS ... CMIS_10_MASKS + CMIS_11_FLAGS_LAST -
                           CMIS_11_FLAGS_FIRST:
        return true;
    default:
        return false;
    }
}

bool cmis_mem_write(AlinkCmis *s, uint8_t offset, uint8_t value)
{
    switch (offset) {
    case CMIS_LO_CONTROL:
        s->low[offset] = value & (CMIS_CONTROL_ALLOW_HW |
                                  CMIS_CONTROL_LOW_POWER | CMIS_CONTROL_RESET);
        return true;
    case CMIS_LO_MASKS ... CMIS_LO_MASKS + CMIS_LO_FLAGS_LAST -
                           CMIS_LO_FLAGS_FIRST:
        s->low[offset] = value;
        return true;
    case CMIS_LO_BANK:
        s->want_bank = value;
        s->page_written = true;
        return true;
    case CMIS_LO_PAGE:
        s->want_page = value;
        s->page_written = true;
        return true;
    case CMIS_PAGE_BYTES ... 255:
        if (s->cur == CMIS_PG_10 && writable_10(offset)) {
            *cmis_up(s, CMIS_PG_10, offset) = value;
            return true;
        }
        return false;
    default:
        return false;
    }
}

/* Lanes of the data path that a control set byte puts @lane into, or 0 */
static uint8_t group_of(uint8_t appsel, unsigned lane)
{
    unsigned app = appsel >> 4, first = (appsel >> 1) & 7;
    uint8_t group;

    if (app == 0 || app > cmis_num_apps() ||
        !(cmis_apps[app - 1].starts & 1 << first)) {
        return 0;
    }
    group = MAKE_64BIT_MASK(first, cmis_apps[app - 1].lanes);
    return group & 1 << lane ? group : 0;
}

/* Why the staged settings of @lane cannot be taken by @lanes, or SUCCESS */
static uint8_t check_lane(AlinkCmis *s, unsigned lane, uint8_t lanes, bool now)
{
    const uint8_t *staged = cmis_up(s, CMIS_PG_10, CMIS_10_APPSEL);
    const uint8_t *active = cmis_up(s, CMIS_PG_11, CMIS_11_ACTIVE);
    uint8_t group;

    if (staged[lane] >> 4 > cmis_num_apps()) {
        return CMIS_CONFIG_BAD_APPSEL;
    }
    if (staged[lane] >> 4) {
        group = group_of(staged[lane], lane);
        if (!group || (group & ~lanes)) {
            return CMIS_CONFIG_BAD_DATA_PATH;
        }
        for (unsigned i = 0; i < CMIS_LANES; i++) {
            if (group & 1 << i && (staged[i] ^ staged[lane]) & 0xfe) {
                return CMIS_CONFIG_BAD_DATA_PATH;
            }
        }
    }
    if ((staged[lane] ^ active[lane]) & 0xfe) {
        /* The data path that loses this lane must be named as a whole */
        if (group_of(active[lane], lane) & ~lanes) {
            return CMIS_CONFIG_LANE_IN_USE;
        }
        if (now && s->dp[lane] != CMIS_DP_DEACTIVATED) {
            return CMIS_CONFIG_REJECTED;
        }
    }
    return CMIS_CONFIG_SUCCESS;
}

/* All of @lanes, or none */
static void apply(AlinkCmis *s, uint8_t lanes, bool now)
{
    const uint8_t *staged = cmis_up(s, CMIS_PG_10, CMIS_10_APPSEL);
    uint8_t *active = cmis_up(s, CMIS_PG_11, CMIS_11_ACTIVE);
    uint8_t *config = cmis_up(s, CMIS_PG_11, CMIS_11_CONFIG);
    uint8_t result[CMIS_LANES];
    bool good = true;

    for (unsigned i = 0; i < CMIS_LANES; i++) {
        if (lanes & 1 << i) {
            result[i] = check_lane(s, i, lanes, now);
            good &= result[i] == CMIS_CONFIG_SUCCESS;
        }
    }
    for (unsigned i = 0; i < CMIS_LANES; i++) {
        unsigned shift = (i & 1) * 4;

        if (!(lanes & 1 << i)) {
            continue;
        }
        if (good) {
            active[i] = staged[i];
            if (!now) {
                s->dp_reinit |= 1 << i;
            }
        } else if (result[i] == CMIS_CONFIG_SUCCESS) {
            result[i] = CMIS_CONFIG_REJECTED;
        }
        config[i / 2] = (config[i / 2] & ~(0xf << shift)) | result[i] << shift;
    }
    trace_alink_cmis_apply(DEVICE(s)->id ?: "", lanes, now, good);
}

void cmis_mem_commit(AlinkCmis *s)
{
    uint8_t *trigger;

    if (!s->dirty) {
        return;
    }
    s->dirty = false;
    s->hold_off = cmis_now() + CMIS_HOLD_OFF_US * SCALE_US;

    if (s->page_written) {
        int page = cmis_find_page(s->want_bank, s->want_page);

        s->page_written = false;
        if (page < 0) {
            s->want_bank = 0;
            s->want_page = 0;
            page = CMIS_PG_00;
        }
        s->low[CMIS_LO_BANK] = s->want_bank;
        s->low[CMIS_LO_PAGE] = s->want_page;
        s->cur = page;
    }

    if (s->low[CMIS_LO_CONTROL] & CMIS_CONTROL_RESET) {
        cmis_power_on(s);
        return;
    }
    trigger = cmis_up(s, CMIS_PG_10, CMIS_10_APPLY_INIT);
    if (*trigger) {
        apply(s, *trigger, false);
        *trigger = 0;
    }
    trigger = cmis_up(s, CMIS_PG_10, CMIS_10_APPLY_NOW);
    if (*trigger) {
        apply(s, *trigger, true);
        *trigger = 0;
    }
    cmis_update(s);
}
