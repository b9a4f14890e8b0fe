/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of alink_switch.ko.
 *
 * The driver has no lock of its own: what changes is behind those of alink.ko
 * and devlink. The devlink instance lock nests as alink_priv.h says.
 */
#ifndef ALINK_SWITCH_H
#define ALINK_SWITCH_H

#include <linux/build_bug.h>
#include <linux/kfifo.h>
#include <linux/pci.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <net/devlink.h>

#include <hw/alink/fabric.h>
#include <hw/alink/switch.h>
#include <linux/alink/alink.h>

/* Faults that wait for devlink; a power of 2 */
#define ALINK_SWITCH_FAULTS		16
/* What may be wrong with a member of a group: see alink_switch_inc.c */
#define ALINK_SWITCH_INC_KINDS		4

enum alink_switch_table_id {
	ALINK_SWITCH_ROUTES,
	ALINK_SWITCH_GROUPS,
	ALINK_SWITCH_PARTITIONS,
	ALINK_SWITCH_TABLES
};

struct alink_switch;

/**
 * struct alink_switch_table - what devlink asks for the occupancy of a table
 * @sw:	the switch; which table it is says the place in alink_switch.table
 * @last:	entries that were set when the device was asked last
 */
struct alink_switch_table {
	struct alink_switch *sw;
	u32 last;
};

/**
 * struct alink_switch_asic - what is wrong with the device itself
 * @faults:	fault events that devlink is to be told of: the event worker
 *		puts, @work gets
 * @trouble:	what no event tells, a constant text; NULL: nothing
 * @flags:	ALINK_SWITCH_ASIC_*
 * @work:	tells devlink; enabled while that is registered
 * @reporter:	health reporter of devlink
 */
struct alink_switch_asic {
	DECLARE_KFIFO(faults, struct alink_event, ALINK_SWITCH_FAULTS);
	const char *trouble;
	unsigned long flags;
	struct work_struct work;
	struct devlink_health_reporter *reporter;
};

/**
 * struct alink_switch_inc - group operations that failed
 * @seen:	counters of the device, for the health check alone
 * @told:	the same as devlink was told of them, for @work alone
 * @again:	@work could not read them, in a reset
 * @test:	a report was asked for
 * @work:	tells devlink; enabled while that is registered
 * @reporter:	health reporter of devlink
 */
struct alink_switch_inc {
	u64 seen[ALINK_SWITCH_INC_KINDS];
	u64 told[ALINK_SWITCH_INC_KINDS];
	bool again;
	bool test;
	struct work_struct work;
	struct devlink_health_reporter *reporter;
};

/**
 * struct alink_switch - one switch ASIC
 * @adev:	device of alink.ko; first, as struct alink_devlink has it
 * @pdev:	the function
 * @radix:	ports of the variant
 * @plane:	plane that it serves
 * @hop_ns:	port-to-port latency
 * @max_routes:	entries of the route table
 * @max_groups:	entries of the group table
 * @table:	for devlink
 * @asic:	what is wrong with the device itself
 * @inc:	group operations that failed
 */
struct alink_switch {
	struct alink_dev *adev;
	struct pci_dev *pdev;
	u32 radix;
	u32 plane;
	u32 hop_ns;
	u32 max_routes;
	u32 max_groups;
	struct alink_switch_table table[ALINK_SWITCH_TABLES];
	struct alink_switch_asic asic;
	struct alink_switch_inc inc;
};

static_assert(offsetof(struct alink_switch, adev) ==
	      offsetof(struct alink_devlink, adev));

/* alink_switch_devlink.c */
extern const struct devlink_ops alink_switch_devlink_ops;
int alink_switch_devlink_init(struct alink_switch *sw);
void alink_switch_devlink_fini(struct alink_switch *sw);
void alink_switch_reporters_start(struct alink_switch *sw);
void alink_switch_reporters_stop(struct alink_switch *sw);

/* alink_switch_asic.c */
int alink_switch_asic_create(struct alink_switch *sw, struct devlink *devlink);
void alink_switch_asic_destroy(struct alink_switch *sw);
void alink_switch_asic_start(struct alink_switch *sw);
void alink_switch_asic_stop(struct alink_switch *sw);
void alink_switch_asic_fault(struct alink_switch *sw,
			     const struct alink_event *event);
void alink_switch_asic_trouble(struct alink_dev *adev, const char *what);
void alink_switch_asic_reset(struct alink_switch *sw, int err);

/* alink_switch_inc.c */
int alink_switch_inc_create(struct alink_switch *sw, struct devlink *devlink);
void alink_switch_inc_destroy(struct alink_switch *sw);
void alink_switch_inc_start(struct alink_switch *sw);
void alink_switch_inc_stop(struct alink_switch *sw);
void alink_switch_inc_watch(struct alink_dev *adev);

#endif /* ALINK_SWITCH_H */
