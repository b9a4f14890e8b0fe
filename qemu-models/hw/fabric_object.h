/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `alink-fabric`: the device that holds the fabric core of one machine. xPUs
 * and switches name it with their fabric= property. fabric_object.c has the
 * properties.
 */
#ifndef HW_ALINK_FABRIC_OBJECT_H
#define HW_ALINK_FABRIC_OBJECT_H

#include "hw/qdev-core.h"
#include "qom/object.h"

#define TYPE_ALINK_FABRIC "alink-fabric"

typedef struct AlinkFabric AlinkFabric;
struct af_fabric;

DECLARE_INSTANCE_CHECKER(AlinkFabric, ALINK_FABRIC, TYPE_ALINK_FABRIC)

/* The core; it lives as long as the object. */
struct af_fabric *alink_fabric_core(AlinkFabric *fabric);

#endif /* HW_ALINK_FABRIC_OBJECT_H */
