/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the demo share. */
#ifndef ALINK_DEMO_H
#define ALINK_DEMO_H

#include <stdbool.h>
#include <stdint.h>

#include <alink.h>

#include "mlp.h"

#define DEMO_MAX_RANKS	ALINK_COMM_MAX_RANKS

/**
 * struct rank - one xPU and the share of the work that it has
 * @xpu:	opened xPU
 * @comm:	its place in the communicator
 * @io:		system memory: gradient in, sum out
 * @grad:	@io as the CPU sees it
 * @sum:	behind it
 * @w:		weights of this rank
 * @v:		momentum
 */
struct rank {
	struct alink_xpu *xpu;
	struct alink_comm *comm;
	struct alink_bo *io;
	float *grad;
	float *sum;
	float w[MLP_PARAMS];
	float v[MLP_PARAMS];
};

/**
 * struct machine - what the demo runs on
 * @ctx:	library
 * @n:		ranks, in ascending order of endpoint id
 * @endpoint:	endpoint id of each
 * @planes:	switches
 * @group:	reduction group with all of them
 * @key:	its key
 * @grouped:	the group is there and must be deleted
 * @rank:	the ranks
 */
struct machine {
	struct alink_ctx *ctx;
	uint32_t n;
	uint32_t endpoint[DEMO_MAX_RANKS];
	uint32_t planes;
	uint32_t group;
	uint64_t key;
	bool grouped;
	struct rank *rank;
};

/* Payload and modelled time of one plane, all ports of its switch */
struct plane_count {
	uint32_t plane;
	uint64_t rx_bytes;	/* from the xPUs */
	uint64_t tx_bytes;	/* to the xPUs */
	uint64_t reductions;	/* of the group */
	bool spare;		/* it may have carried nothing */
};

/**
 * struct traffic - counters of the fabric at one moment
 * @num_planes:	entries of @plane
 * @plane:	by plane
 * @num_dirs:	entries of @busy_up and @busy_down
 * @busy_up:	modelled time on the wire, xPU to switch, per link, ns
 * @busy_down:	switch to xPU, per port, ns
 */
struct traffic {
	uint32_t num_planes;
	struct plane_count plane[ALINK_MAX_PLANES];
	size_t num_up;
	size_t num_down;
	uint64_t *busy_up;
	uint64_t *busy_down;
};

/* All print why on stderr when they fail, and return a negative errno. */
int machine_up(struct machine *m);
void machine_show(const struct machine *m);
void machine_down(struct machine *m);
int traffic_read(struct machine *m, struct traffic *t);
void traffic_free(struct traffic *t);

#endif /* ALINK_DEMO_H */
