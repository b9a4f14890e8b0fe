// SPDX-License-Identifier: GPL-2.0-or-later
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rig.h"
#include "tap.h"

#define MUST(call) do {							\
	int ret_ = (call);						\
									\
	if (ret_) {							\
		printf("Bail out! %s: %d\n", #call, ret_);		\
		exit(1);						\
	}								\
} while (0)

static uint64_t rig_clock(void *opaque)
{
	struct rig *r = opaque;

	return __atomic_load_n(&r->clock, __ATOMIC_RELAXED);
}

static void rig_event(void *opaque, uint32_t dev_type, uint32_t dev_id,
		      const struct alink_event *event)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct rig *r = opaque;

	pthread_mutex_lock(&lock);
	if (event->type < 16)
		r->events[event->type]++;
	r->last = *event;
	r->last_type = dev_type;
	r->last_id = dev_id;
	pthread_mutex_unlock(&lock);
}

struct rig *rig_new_in(struct af_fabric *f, uint32_t n, uint32_t planes)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct alink_route route;

	if (!r || !f) {
		printf("Bail out! no fabric\n");
		exit(1);
	}
	r->f = f;
	r->n = n;
	r->planes = planes;
	r->mem_size = n > 64 ? 65536 : RIG_MEM;
	r->clock = 1000000;
	af_fabric_set_clock_fn(f, rig_clock, r);

	for (uint32_t p = 0; p < planes; p++)
		MUST(af_switch_add(f, p, 0x5000 + p, n < 64 ? 64 : n, RIG_MBPS,
				   4, 0));
	for (uint32_t i = 0; i < n; i++) {
		struct af_extent e = { 0, r->mem_size };

		r->mem[i] = aligned_alloc(4096, r->mem_size);
		if (!r->mem[i])
			exit(1);
		memset(r->mem[i], 0, r->mem_size);
		MUST(af_endpoint_add(f, i, 0xe000 + i, r->mem[i],
				     r->mem_size, planes, RIG_MBPS, 4));
		MUST(af_partition_set(f, i, RIG_PARTITION));
		MUST(af_seg_export(f, i, 0, RIG_KEY(i),
				   ALINK_SEG_READ | ALINK_SEG_WRITE |
				   ALINK_SEG_ATOMIC | ALINK_SEG_GROUP, &e, 1));
	}
	for (uint32_t i = 0; i < n; i++) {
		memset(&route, 0, sizeof(route));
		route.dst = i;
		route.min_ports = 1;
		route.ports[i / 64] = 1ULL << (i % 64);
		for (uint32_t p = 0; p < planes; p++)
			MUST(af_route_set(f, ALINK_DEVTYPE_SWITCH, p, &route));
		memset(&route, 0, sizeof(route));
		route.dst = i;
		route.min_ports = 1;
		route.ports[0] = planes == 64 ? ~0ULL : (1ULL << planes) - 1;
		for (uint32_t s = 0; s < n; s++) {
			MUST(af_seg_import(f, s, i, i, 0, RIG_KEY(i)));
			if (s != i)
				MUST(af_route_set(f, ALINK_DEVTYPE_XPU, s,
						  &route));
		}
	}
	af_fabric_set_event_fn(f, rig_event, r);
	return r;
}

struct rig *rig_new(uint32_t n, uint32_t planes)
{
	return rig_new_in(af_fabric_new(AF_TIMING_REPORT), n, planes);
}

void rig_free(struct rig *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		free(r->mem[i]);
	af_fabric_free(r->f);
	free(r);
}

void rig_group(struct rig *r, uint32_t id, const uint32_t *members, uint32_t n)
{
	struct alink_group g = { .id = id, .num_members = n,
				 .key = RIG_GROUP_KEY + id };

	for (uint32_t p = 0; p < r->planes; p++)
		MUST(af_group_add(r->f, p, &g, members));
	for (uint32_t i = 0; i < n; i++) {
		MUST(af_group_bind(r->f, members[i], id, 0, g.key, 0,
				   r->mem_size));
		MUST(af_group_import(r->f, members[i], id, id, g.key));
	}
}

void rig_group_all(struct rig *r, uint32_t id)
{
	uint32_t members[ALINK_MAX_ENDPOINTS];

	for (uint32_t i = 0; i < r->n; i++)
		members[i] = i;
	rig_group(r, id, members, r->n);
}

struct af_link_info rig_xpu_link(struct rig *r, uint32_t id, uint32_t link)
{
	struct af_link_info info;

	MUST(af_link_info(r->f, ALINK_DEVTYPE_XPU, id, link, &info));
	return info;
}

struct af_link_info rig_port(struct rig *r, uint32_t plane, uint32_t port)
{
	struct af_link_info info;

	MUST(af_link_info(r->f, ALINK_DEVTYPE_SWITCH, plane, port, &info));
	return info;
}

struct af_link_info rig_xpu_sum(struct rig *r, uint32_t id)
{
	struct af_link_info sum = { 0 };

	for (uint32_t i = 0; i < r->planes; i++) {
		struct af_link_info l = rig_xpu_link(r, id, i);

		sum.tx_bytes += l.tx_bytes;
		sum.rx_bytes += l.rx_bytes;
		sum.tx_packets += l.tx_packets;
		sum.rx_packets += l.rx_packets;
		sum.tx_raw += l.tx_raw;
		sum.rx_raw += l.rx_raw;
		sum.tx_errors += l.tx_errors;
		sum.rx_errors += l.rx_errors;
		sum.busy_ns += l.busy_ns;
		sum.stall_ns += l.stall_ns;
	}
	return sum;
}

uint64_t rig_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x * 0x2545f4914f6cdd1dULL;
}

void rig_fill(void *mem, size_t len)
{
	uint8_t *b = mem;

	for (size_t i = 0; i < len; i++)
		b[i] = rig_random() >> 56;
}
