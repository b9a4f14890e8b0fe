/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-cmis`: what its files share.
 *
 *   cmis.c          the I2C slave: addressing, paging, properties
 *   cmis_mem.c      contents of the pages, what may be written
 *   cmis_state.c    module and data path state machines
 *   cmis_monitor.c  monitors, thresholds, latched flags, interrupt
 *   cmis_link.c     links of the fabric, light between modules
 *
 * Everything needs the BQL.
 */
#ifndef HW_ALINK_CMIS_INTERNAL_H
#define HW_ALINK_CMIS_INTERNAL_H

#include "qemu/queue.h"
#include "qemu/timer.h"

#include "cmis.h"

#define CMIS_LANES              CMIS_BANK_LANES
#define CMIS_MAX_LINKS          CMIS_LANES

/* Durations, within what page 01h advertises */
#define CMIS_INIT_MS            50
#define CMIS_POWER_UP_MS        200
#define CMIS_POWER_DOWN_MS      50
#define CMIS_DP_INIT_MS         20
#define CMIS_DP_DEINIT_MS       5
#define CMIS_TX_SWITCH_MS       5
#define CMIS_SAMPLE_MS          1000
#define CMIS_HOLD_OFF_US        300
#define CMIS_WRITE_MAX          8

/* Internal: no CMIS state, the module does not answer */
#define CMIS_STATE_OFF          0

enum {
    CMIS_PG_00,
    CMIS_PG_01,
    CMIS_PG_02,
    CMIS_PG_10,
    CMIS_PG_11,
    CMIS_PG_C1,
    CMIS_PG_C2,
    CMIS_PG_COUNT,
};

typedef struct CmisApp {
    uint8_t host_id;
    uint8_t media_id;
    uint8_t lanes;              /* host and media lanes are the same number */
    uint8_t starts;             /* bitmap of lanes where it may begin */
} CmisApp;

typedef struct CmisLink {
    uint32_t dev_type;
    uint32_t dev_id;
    uint32_t port;
    uint8_t first;
    uint8_t count;
    uint32_t reason;            /* what the fabric was told */
} CmisLink;

struct AlinkCmis {
    I2CSlave parent_obj;

    /* Properties that do not change after realize */
    char *vendor;
    char *part_number;
    char *serial;
    char *links_prop;
    bool noise;

    /* Knobs; cmis.c documents them */
    bool present;
    int32_t temperature;                /* milli-degree Celsius */
    uint32_t vcc;                       /* uV */
    uint32_t tx_bias[CMIS_LANES];       /* uA */
    uint32_t tx_power[CMIS_LANES];      /* uW */
    int32_t rx_power[CMIS_LANES];       /* uW; < 0: what the fibre brings */
    uint8_t laser_fault;                /* bitmaps of lanes */
    uint8_t tx_los;
    uint8_t rx_los;
    uint8_t fault_cause;
    uint32_t i2c_nak;
    uint32_t i2c_nak_data;
    uint32_t i2c_arb_lost;
    uint32_t i2c_stretch;
    uint32_t i2c_stuck;
    bool unreadable;
    bool bad_checksum;
    uint8_t identifier;

    /* Cage */
    AlinkCageHost *host;
    unsigned channel;
    bool pin_reset;
    bool pin_low_power;
    bool was_present;
    bool was_interrupt;

    /* Links and light */
    CmisLink link[CMIS_MAX_LINKS];
    unsigned num_links;
    uint8_t dark;               /* lanes whose far transmitter is off */
    uint8_t tx_told;            /* emitting lanes as the far modules know them */
    bool attached;              /* in the list of modules */
    bool link_busy;             /* updating: do not recurse */
    bool link_again;            /* asked for meanwhile */
    QTAILQ_ENTRY(AlinkCmis) next;

    /* I2C */
    uint8_t address;            /* byte address */
    bool address_phase;
    unsigned written;           /* data bytes of this segment */
    bool dirty;                 /* something was stored since START */
    uint8_t want_bank, want_page;
    bool page_written;
    int64_t hold_off;           /* ns, virtual clock */

    /* Memory */
    uint8_t low[CMIS_PAGE_BYTES];
    uint8_t page[CMIS_PG_COUNT][CMIS_PAGE_BYTES];
    uint8_t cur;                /* CMIS_PG_* that bank and page select */

    /* State machines */
    QEMUTimer *timer;
    uint8_t state;              /* CMIS_STATE_* */
    int64_t state_due;          /* ns; INT64_MAX: waits for nothing */
    uint8_t dp[CMIS_LANES];     /* CMIS_DP_* */
    int64_t dp_due[CMIS_LANES];
    uint8_t dp_reinit;          /* lanes to take through Deinit and Init */
    int64_t sample_due;         /* next look at conditions that last */
    /* Conditions at the latest look, in the form of the flags */
    uint8_t cond_low[CMIS_LO_FLAGS_LAST - CMIS_LO_FLAGS_FIRST + 1];
    uint8_t cond_lane[CMIS_11_FLAGS_LAST - CMIS_11_FLAGS_FIRST + 1];
};

static inline int64_t cmis_now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

/* Bytes of an upper page by their offset in the 256-byte window */
static inline uint8_t *cmis_up(AlinkCmis *s, unsigned pg, unsigned offset)
{
    return &s->page[pg][offset - CMIS_PAGE_BYTES];
}

/* cmis_mem.c */
extern const CmisApp cmis_apps[];
unsigned cmis_num_apps(void);
void cmis_mem_reset(AlinkCmis *s);
int cmis_find_page(uint8_t bank, uint8_t page);     /* CMIS_PG_* or -1 */
/* Stores a byte as the host may; true when something was stored. */
bool cmis_mem_write(AlinkCmis *s, uint8_t offset, uint8_t value);
/* What the stores of one segment set off */
void cmis_mem_commit(AlinkCmis *s);

/* cmis_state.c */
void cmis_power_on(AlinkCmis *s);
void cmis_power_off(AlinkCmis *s);
/* Does all that is due, publishes state, flags and links, arms the timer. */
void cmis_update(AlinkCmis *s);
bool cmis_answers(AlinkCmis *s);
/* Lanes whose transmitter emits */
uint8_t cmis_tx_on(AlinkCmis *s);
bool cmis_lane_ready(AlinkCmis *s, unsigned lane);

/* cmis_monitor.c */
void cmis_monitor_thresholds(AlinkCmis *s);
void cmis_monitor_refresh(AlinkCmis *s);
/* Latches the flags of conditions that hold; true if one that lasts does. */
bool cmis_monitor_latch(AlinkCmis *s);
bool cmis_monitor_interrupt(AlinkCmis *s);
bool cmis_over_temperature(AlinkCmis *s);
bool cmis_is_flag(AlinkCmis *s, uint8_t offset);
uint8_t cmis_rx_dark(AlinkCmis *s);

/* cmis_link.c */
bool cmis_link_parse(AlinkCmis *s, Error **errp);
bool cmis_link_attach(AlinkCmis *s, Error **errp);
void cmis_link_detach(AlinkCmis *s);
void cmis_link_update(AlinkCmis *s);

#endif /* HW_ALINK_CMIS_INTERNAL_H */
