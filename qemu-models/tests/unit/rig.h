/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole fabric for tests: @n endpoints with memory, @planes switches, all
 * routes, one partition, a clock that stands still, events counted.
 */
#ifndef ALINK_UNIT_RIG_H
#define ALINK_UNIT_RIG_H

#include "alink_fabric.h"

#define RIG_MBPS	400000U
#define RIG_KEY(id)	(0x1000ULL + (id))
#define RIG_GROUP_KEY	0x6b6579ULL
#define RIG_PARTITION	7
#define RIG_MEM		(1U << 20)	/* each; 64 KiB with more than 64 */

struct rig {
	struct af_fabric *f;
	uint32_t n, planes;
	uint8_t *mem[ALINK_MAX_ENDPOINTS];
	uint64_t mem_size;
	uint64_t clock;		/* what the fabric's clock shows, ns */
	unsigned int events[16];	/* by type */
	struct alink_event last;
	uint32_t last_type, last_id;	/* device that got it */
};

/*
 * Endpoint ids 0..n-1, each with @planes links. Each exports its whole memory
 * as segment 0 with RIG_KEY(id) and all rights and imports segment 0 of
 * endpoint i in slot i.
 */
struct rig *rig_new(uint32_t n, uint32_t planes);
/* The same in a page of the caller's. */
struct rig *rig_new_in(struct af_fabric *f, uint32_t n, uint32_t planes);
void rig_free(struct rig *r);
/* Group @id of @members on all planes, memory bound from offset 0 on, slot @id. */
void rig_group(struct rig *r, uint32_t id, const uint32_t *members, uint32_t n);
/* Group of all endpoints */
void rig_group_all(struct rig *r, uint32_t id);
struct af_link_info rig_xpu_link(struct rig *r, uint32_t id, uint32_t link);
struct af_link_info rig_port(struct rig *r, uint32_t plane, uint32_t port);
/* Sum over the links of an endpoint */
struct af_link_info rig_xpu_sum(struct rig *r, uint32_t id);

uint64_t rig_random(void);	/* the same sequence in every run */
void rig_fill(void *mem, size_t len);

#endif /* ALINK_UNIT_RIG_H */
