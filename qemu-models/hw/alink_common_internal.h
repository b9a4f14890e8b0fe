/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the common ALink device share among themselves; devices
 * include alink_common.h only.
 */
#ifndef HW_ALINK_COMMON_INTERNAL_H
#define HW_ALINK_COMMON_INTERNAL_H

#include "alink_common.h"

/*
 * Registers of a class by offset: index 0 is none, else 1 + place in reg[].
 * slot[] is where the stored values of a register begin in reg_value.
 */
typedef struct AlinkRegMap {
    unsigned num;
    unsigned slots;
    const AlinkReg **reg;
    unsigned *slot;
    uint16_t index[ALINK_BAR0_SIZE / 4];
} AlinkRegMap;

/* alink_common_regs.c */
extern const MemoryRegionOps alink_bar0_ops;
bool alink_regs_init(AlinkDevice *ad, Error **errp);
void alink_regs_reset(AlinkDevice *ad, AlinkResetKind kind);
void alink_regs_flush_late(AlinkDevice *ad);
void alink_regs_cleanup(AlinkDevice *ad);

/* alink_common_links.c */
extern const AlinkReg alink_link_regs[];
extern const unsigned alink_num_link_regs;
extern const AlinkReg alink_lstat_regs[];
extern const unsigned alink_num_lstat_regs;
extern const AlinkAdminSpec alink_table_specs[];
extern const unsigned alink_num_table_specs;
void alink_links_reset(AlinkDevice *ad);
/* Whether the light of a link blinks. */
bool alink_link_lit(AlinkDevice *ad, unsigned n);

/* alink_common_admin.c */
void alink_admin_init(AlinkDevice *ad);
void alink_admin_cleanup(AlinkDevice *ad);
void alink_admin_enable(AlinkDevice *ad, bool on);
void alink_admin_stop(AlinkDevice *ad);
void alink_admin_kick(AlinkDevice *ad);

/* alink_common_event.c */
void alink_event_init(AlinkDevice *ad);
void alink_event_cleanup(AlinkDevice *ad);
void alink_event_enable(AlinkDevice *ad, bool on);
void alink_event_stop(AlinkDevice *ad);
uint32_t alink_event_take_lost(AlinkDevice *ad);

/* alink_common_frames.c */
void alink_frames_init(AlinkDevice *ad);
void alink_frames_cleanup(AlinkDevice *ad);
void alink_frames_enable(AlinkDevice *ad, bool on);
void alink_frames_stop(AlinkDevice *ad);

/* alink_common_flash.c */
extern const AlinkAdminSpec alink_flash_specs[];
extern const unsigned alink_num_flash_specs;
void alink_flash_class_init(ObjectClass *oc);
void alink_flash_instance_init(AlinkDevice *ad);
void alink_flash_init(AlinkDevice *ad);
void alink_flash_reset(AlinkDevice *ad);
void alink_flash_cleanup(AlinkDevice *ad);

/* alink_common_test.c */
void alink_test_init(AlinkDevice *ad);
void alink_test_cleanup(AlinkDevice *ad);
void alink_test_stop(AlinkDevice *ad);
void alink_test_start(AlinkDevice *ad, uint32_t op);

/* alink_common_lie.c */
enum {
    ALINK_LIE_NONE,
    ALINK_LIE_WRONG_ID,
    ALINK_LIE_TWICE,
    ALINK_LIE_SHORT,
    ALINK_LIE_LONG,
    ALINK_LIE_TLV,
};

void alink_lie_class_init(ObjectClass *oc);
void alink_lie_realize(AlinkDevice *ad);
void alink_lie_unrealize(AlinkDevice *ad);
/* What a read of BAR0 gives instead of @value. */
uint64_t alink_lie_read(AlinkDevice *ad, hwaddr addr, unsigned size,
                        uint64_t value);
/* Spoils a response or a completion; true: the completion comes twice. */
void alink_lie_response(AlinkDevice *ad, uint8_t *resp, uint32_t len);
bool alink_lie_completion(AlinkDevice *ad, struct alink_admin_cpl *cpl);
/* Spoils the TLV that tells of the flash; false: there is to be none. */
bool alink_lie_flash(AlinkDevice *ad, struct alink_flash_info *info,
                     uint16_t *type, size_t *len);

/* alink_common_inject.c */
void alink_thermal_init(AlinkDevice *ad);
void alink_thermal_cleanup(AlinkDevice *ad);
/* What sensor @i reads: with the load, unless the user has set it. */
int32_t alink_sensor_now(AlinkDevice *ad, unsigned i);
void alink_inject_class_init(ObjectClass *oc);
void alink_inject_instance_init(AlinkDevice *ad);
void alink_inject_realize(AlinkDevice *ad);
void alink_inject_unrealize(AlinkDevice *ad);

/* alink_common.c */
void alink_device_reset(AlinkDevice *ad, AlinkResetKind kind);
void alink_device_kick(AlinkDevice *ad);
/* Which ring is broken, for the info of ALINK_FAULT_CP_BAD_COMMAND */
enum { ALINK_RING_ADMIN, ALINK_RING_EVENT, ALINK_RING_FRAME };
void alink_ring_broken(AlinkDevice *ad, unsigned ring, uint64_t addr);
/* Common check of an enable bit; counts the guest error. */
bool alink_ring_valid(AlinkDevice *ad, uint32_t ctrl, uint64_t base,
                      uint32_t size, uint32_t max);
uint64_t alink_clock_ns(AlinkDevice *ad);
/* Whether x-partial-dma cuts a transfer of that length. */
static inline bool alink_dma_cut(const AlinkDevice *ad, uint64_t len)
{
    return ad->inject.partial_dma && len > ad->inject.partial_dma;
}

#endif /* HW_ALINK_COMMON_INTERNAL_H */
