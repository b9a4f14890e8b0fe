/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the qtests of ALink devices share: a machine with one device under
 * test in slot 4 (give it id=dut,addr=4.0), its registers, rings, interrupts
 * and knobs. Each test has a machine of its own.
 */
#ifndef ALINK_QTEST_H
#define ALINK_QTEST_H

#include "libqtest.h"
#include "libqos/libqos-malloc.h"
#include "libqos/pci.h"

#include <hw/alink/common.h>
#include <hw/alink/link.h>

#define AQ_FABRIC       "-device alink-fabric,id=fab0,partition=1 "
#define AQ_MAX_VECTORS  16
/* Nothing is there: beyond RAM and every BAR. */
#define AQ_NOWHERE      0x7000000000ULL

typedef struct AlinkQtest {
    QTestState *qts;
    QGuestAllocator *alloc;
    bool second;            /* another device of a machine that exists */
    const char *path;       /* in QEMU's object tree */
    QPCIBus *bus;
    QPCIDevice *dev;
    QPCIBar bar0;
    uint32_t bar_addr[6];
    uint64_t irq_page;      /* each vector writes a word of its own here */
    uint32_t guest_errors;  /* as last checked */

    uint64_t sq;
    uint64_t cq;
    uint32_t admin_size;
    uint32_t sq_tail;
    uint32_t cq_head;
    uint32_t cid;
    uint64_t req;           /* ALINK_ADMIN_BUF_MAX bytes each */
    uint64_t resp;

    uint64_t ev;
    uint32_t ev_size;
    uint32_t ev_head;
} AlinkQtest;

/* Starts QEMU with the arguments; enables memory and bus mastering. */
AlinkQtest *aq_start(const char *args);
/* Another device of the same machine, in @slot with id=@id. Stop it first. */
AlinkQtest *aq_second(AlinkQtest *first, unsigned slot, const char *id);
/*
 * Same machine, but the device under test is behind root port "rp" in slot 3,
 * with pciehp: give it bus=rp and no address.
 */
AlinkQtest *aq_start_behind_port(const char *args);
/* Powers the slot of the root port off: the device is gone at once. */
void aq_surprise_removal(AlinkQtest *aq);
/* Ends QEMU without looking at the device. */
void aq_abandon(AlinkQtest *aq);
/* Checks that no guest error is unaccounted for, and ends QEMU. */
void aq_stop(AlinkQtest *aq);
/* Whether QEMU has a device type; for devices that may not be built. */
bool aq_have(const char *type);

uint32_t aq_rd32(AlinkQtest *aq, uint32_t reg);
uint64_t aq_rd64(AlinkQtest *aq, uint32_t reg);
void aq_wr32(AlinkQtest *aq, uint32_t reg, uint32_t value);
void aq_wr64(AlinkQtest *aq, uint32_t reg, uint64_t value);

/* The guest-error counter went up by exactly @count since the last check. */
void aq_expect_guest_errors(AlinkQtest *aq, uint32_t count);

/* Zeroed guest memory, page aligned. */
uint64_t aq_alloc(AlinkQtest *aq, size_t size);
/* Lets the main loop run: bottom halves and what they schedule. */
void aq_settle(AlinkQtest *aq);
void aq_clock_us(AlinkQtest *aq, uint64_t us);

/* MSI-X with all vectors unmasked; which ones fired since the last call. */
void aq_msix_enable(AlinkQtest *aq);
uint32_t aq_irqs(AlinkQtest *aq);

/* Configuration space. FLR and the rest restore BARs and command. */
uint16_t aq_command(AlinkQtest *aq, uint16_t clear, uint16_t set);
void aq_flr(AlinkQtest *aq);
void aq_restore_config(AlinkQtest *aq);

/* Properties of the device under test. */
void aq_set_bool(AlinkQtest *aq, const char *name, bool value);
void aq_set_int(AlinkQtest *aq, const char *name, int64_t value);
int64_t aq_get_int(AlinkQtest *aq, const char *name);
void aq_set_str(AlinkQtest *aq, const char *name, const char *value);
/* The value is refused. */
void aq_set_str_bad(AlinkQtest *aq, const char *name, const char *value);

/* Admin queue. */
void aq_admin_enable(AlinkQtest *aq, uint32_t size);
void aq_admin_submit(AlinkQtest *aq, const struct alink_admin_cmd *cmd);
/* Next completion, if there is one. */
bool aq_admin_poll(AlinkQtest *aq, struct alink_admin_cpl *cpl);
/* Submits and waits; fails the test when no completion comes. */
struct alink_admin_cpl aq_admin_raw(AlinkQtest *aq,
                                    const struct alink_admin_cmd *cmd);
/* A command with @len bytes of TLVs; the response is left at aq->resp. */
struct alink_admin_cpl aq_admin(AlinkQtest *aq, uint16_t opcode,
                                const void *req, uint32_t len,
                                uint32_t resp_room);
/* A command with one TLV, or none when @tlv is 0; its status. */
uint16_t aq_admin_tlv(AlinkQtest *aq, uint16_t opcode, uint16_t tlv,
                      const void *payload, uint16_t len);
uint16_t aq_admin_id(AlinkQtest *aq, uint16_t opcode, uint32_t id);
/* Appends a TLV to a buffer; the new length. */
uint32_t aq_put_tlv(uint8_t *buf, uint32_t pos, uint16_t type,
                    const void *payload, uint16_t len);

/* Event ring. */
void aq_event_enable(AlinkQtest *aq, uint32_t size);
/* Next event, if there is one; it is returned to the device. */
bool aq_event_poll(AlinkQtest *aq, struct alink_event *ev);

#endif /* ALINK_QTEST_H */
