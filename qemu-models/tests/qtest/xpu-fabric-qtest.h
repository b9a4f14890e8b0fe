/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two xPUs over two switches, for the tests of xPU and fabric: routes of both,
 * a segment of each imported by the other, queue 0 of the first; on demand a
 * group of both.
 */
#ifndef XPU_FABRIC_QTEST_H
#define XPU_FABRIC_QTEST_H

#include "xpu-qtest.h"

#include <hw/alink/switch.h>

#define PLANES      2
#define KEY         0x5eed0123456789abULL
#define GROUP       3
#define GROUP_KEY   0x0123cafef00d4567ULL
#define SEG_AT      (4ULL << 20)        /* of HBM, in both xPUs */
#define SEG_LEN     (4ULL << 20)
#define ALL_RIGHTS  (ALINK_SEG_READ | ALINK_SEG_WRITE | ALINK_SEG_ATOMIC | \
                     ALINK_SEG_GROUP)

typedef struct Rig {
    AlinkQtest *sw[PLANES];
    XpuQtest *x[2];
    XpuQueueQtest *q;       /* of xPU 0 */
} Rig;

/* Each returns the status of its command. */
uint16_t route(AlinkQtest *aq, uint32_t dst, uint32_t min, uint64_t ports);
uint16_t export(XpuQtest *x, uint32_t id, uint64_t key, uint32_t rights);
uint16_t import(XpuQtest *x, uint16_t op, uint32_t slot, uint32_t endpoint,
                uint32_t object, uint64_t key);
uint16_t bind_group(XpuQtest *x, uint32_t group, uint64_t key);
uint16_t add_group(AlinkQtest *sw, uint32_t id, uint64_t key,
                   const uint32_t *member, uint32_t num);
/* These succeed. */
void unroute(AlinkQtest *aq, uint32_t dst);
void partition(Rig *r, uint32_t endpoint, uint32_t number);
void link_ctrl(AlinkQtest *aq, unsigned link, uint32_t value);
/* Sets a property of the fabric. */
void fabric_set(Rig *r, const char *name, const char *value);

Rig *rig_new(void);
void rig_group(Rig *r);
void rig_free(Rig *r);
/* The descriptor fails so; the queue is made anew. */
void fails(Rig *r, struct alink_xpu_desc desc, uint16_t status, uint64_t addr);

static inline struct alink_xpu_desc put_word(void)
{
    return xq_copy(XQ_REMOTE, XQ_HBM, 8);
}

#define OK(call) g_assert_cmpuint(call, ==, ALINK_ST_OK)

#endif /* XPU_FABRIC_QTEST_H */
