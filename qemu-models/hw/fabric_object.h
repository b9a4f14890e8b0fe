/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fabric as an object of QEMU: what every ALink device of one fabric links
 * to. The fabric itself is plain C, in fabric/.
 */
#ifndef HW_ALINK_FABRIC_OBJECT_H
#define HW_ALINK_FABRIC_OBJECT_H

#include "hw/qdev-core.h"
#include "qom/object.h"

#define TYPE_ALINK_FABRIC "alink-fabric"
typedef struct AlinkFabric AlinkFabric;
DECLARE_INSTANCE_CHECKER(AlinkFabric, ALINK_FABRIC, TYPE_ALINK_FABRIC)

struct af_fabric;

/* The core of a fabric; valid as long as the object is. */
struct af_fabric *alink_fabric_core(AlinkFabric *fabric);

#endif /* HW_ALINK_FABRIC_OBJECT_H */
