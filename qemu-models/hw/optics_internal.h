/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-optics`: what its files share.
 *
 *   optics.c      the PCI function: registers, variants, cages
 *   optics_i2c.c  the I2C master of a channel
 *
 * Everything needs the BQL.
 */
#ifndef HW_ALINK_OPTICS_INTERNAL_H
#define HW_ALINK_OPTICS_INTERNAL_H

#include "hw/i2c/i2c.h"
#include "qemu/timer.h"
#include "qom/object.h"

#include <hw/alink/optics.h>

#include "alink_common.h"
#include "cmis.h"

#define TYPE_ALINK_OPTICS "alink-optics"
OBJECT_DECLARE_SIMPLE_TYPE(AlinkOptics, ALINK_OPTICS)

typedef struct OptVariant {
    const char *name;
    uint32_t id;
    unsigned channels;
    uint32_t max_hz;
    const char *model_name;
    const char *part_number;
} OptVariant;

/* What the I2C master of a channel does */
typedef enum OptBusy {
    OPT_IDLE,
    OPT_READ,               /* data are in buf, to be told when due */
    OPT_WRITE,              /* data go out when due */
    OPT_FAIL,               /* nothing else happens until result is told */
    OPT_RECOVER,
} OptBusy;

typedef struct OptChannel {
    AlinkOptics *opt;
    unsigned n;
    I2CBus *bus;
    AlinkCmis *module;      /* realized on the bus, present or not */

    uint32_t ctrl;
    uint32_t changes;
    bool present;           /* as the driver was told */
    bool interrupt;

    QEMUTimer *timer;
    OptBusy busy;
    uint32_t cmd;
    uint32_t result;        /* ALINK_OPT_I2C_* beside DONE */
    int64_t start_ns;
    bool held;
    uint8_t held_addr;
    uint32_t status;
    uint32_t moved;
    uint32_t i2c_ctrl;
    uint32_t clock;
    uint32_t timeout;
    uint8_t buf[ALINK_OPT_I2C_DATA_SIZE];
} OptChannel;

struct AlinkOptics {
    AlinkDevice parent_obj;

    char *variant_name;
    const OptVariant *variant;
    unsigned num_channels;
    OptChannel channel[ALINK_OPTICS_MAX_CHANNELS];
    uint64_t transfers;
    uint64_t errors;
};

/* optics_i2c.c */
void opt_i2c_init(OptChannel *ch);
void opt_i2c_cleanup(OptChannel *ch);
void opt_i2c_reset(OptChannel *ch);
void opt_i2c_command(OptChannel *ch, uint32_t reg, uint32_t cmd);
void opt_i2c_op(OptChannel *ch, uint32_t reg, uint32_t op);
uint32_t opt_i2c_lines(OptChannel *ch);
/* The module has left the cage: what runs on the bus meets nobody. */
void opt_i2c_pulled(OptChannel *ch);

#endif /* HW_ALINK_OPTICS_INTERNAL_H */
