/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-cmis`: a linear pluggable optical module on an I2C bus.
 *
 * The module works on any I2C bus. On a bus of a device that implements the
 * cage interface below it also has presence, interrupt, reset and low-power
 * pins, and carries the links of a fabric.
 */
#ifndef HW_ALINK_CMIS_MODEL_H
#define HW_ALINK_CMIS_MODEL_H

#include "hw/i2c/i2c.h"
#include "qom/object.h"

#include <hw/alink/cmis.h>

#define TYPE_ALINK_CMIS "alink-cmis"
OBJECT_DECLARE_SIMPLE_TYPE(AlinkCmis, ALINK_CMIS)

/* In two pieces, because the build asks -device help for the whole ones. */
#define TYPE_ALINK_CAGE_HOST "alink-" "cage-host"
typedef struct AlinkCageHostClass AlinkCageHostClass;
DECLARE_CLASS_CHECKERS(AlinkCageHostClass, ALINK_CAGE_HOST,
                       TYPE_ALINK_CAGE_HOST)
#define ALINK_CAGE_HOST(obj) \
    INTERFACE_CHECK(AlinkCageHost, (obj), TYPE_ALINK_CAGE_HOST)
typedef struct AlinkCageHost AlinkCageHost;

struct af_fabric;

/**
 * AlinkCageHostClass: what the owner of an I2C bus offers to the module on it.
 * @plugged: a module was realized on @bus. Returns the channel number, or -1
 *           with @errp set
 * @unplugged: it goes away
 * @changed: presence or interrupt pin may have changed
 * @module_id: value of ALINK_LINK_MODULE for the links that start at lane 0
 * @fabric: the fabric whose links the cages carry, or NULL
 */
struct AlinkCageHostClass {
    InterfaceClass parent_class;

    int (*plugged)(AlinkCageHost *host, I2CBus *bus, AlinkCmis *module,
                   Error **errp);
    void (*unplugged)(AlinkCageHost *host, unsigned channel);
    void (*changed)(AlinkCageHost *host, unsigned channel);
    uint32_t (*module_id)(AlinkCageHost *host, unsigned channel);
    struct af_fabric *(*fabric)(AlinkCageHost *host);
};

/* Pins towards the host */
bool alink_cmis_present(AlinkCmis *s);
bool alink_cmis_interrupt(AlinkCmis *s);

/* Pins towards the module */
void alink_cmis_set_reset(AlinkCmis *s, bool level);
void alink_cmis_set_low_power(AlinkCmis *s, bool level);

/* State of the bus as the module's knobs have it */
bool alink_cmis_sda_low(AlinkCmis *s);
void alink_cmis_recover(AlinkCmis *s);      /* nine clocks have passed */
bool alink_cmis_take_arbitration(AlinkCmis *s);
bool alink_cmis_stretch(AlinkCmis *s);      /* holds the clock line low */

/* The first link that the module carries: false if none */
bool alink_cmis_peer(AlinkCmis *s, uint32_t *dev_type, uint32_t *dev_id,
                     uint32_t *port, uint32_t *count);

#endif /* HW_ALINK_CMIS_MODEL_H */
