/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ALink fabric core: topology, routes, partitions, segments, groups,
 * counters and timing, over one control page without pointers.
 *
 * Plain C, no QEMU header. Everything that several initiators share lives in
 * struct af_page, which holds indices and offsets only, so it can be process
 * memory (one VM) or a sealed memfd (several VMs) without change. What is
 * private to a process (where the memory of an endpoint is mapped) lives in
 * struct af_fabric.
 *
 * The initiator executes: af_read() and its kin check route, partition, key
 * and port state, walk the timing model, copy or reduce straight into the
 * target's memory, and count. They block for the length of the copy, never
 * for another party, and may run on several threads at once.
 *
 * Tables change under the page's writer lock; an operation holds the reader
 * side, so that a change (revoke, delete, port down) returns only when no
 * operation still uses the old state. fabric_internal.h has the rules.
 */
#ifndef ALINK_FABRIC_H
#define ALINK_FABRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hw/alink/common.h>
#include <hw/alink/fabric.h>
#include <hw/alink/link.h>

#define AF_MAX_PLANES		ALINK_MAX_PLANES	/* and links of an endpoint */
#define AF_MAX_SEG_EXTENTS	16
#define AF_MAX_IMPORTS		4096	/* import slots of one endpoint */
#define AF_MAX_GROUP_SLOTS	ALINK_MAX_GROUP_SLOTS
#define AF_ACCESS_ALIGN		4096	/* of extents and group bindings */

struct af_page;
struct af_fabric;

enum af_timing { AF_TIMING_OFF, AF_TIMING_REPORT, AF_TIMING_ENFORCE };

/**
 * struct af_timing_params - constants of the timing model
 * @endpoint_ns:	time in the initiator and in the target per operation
 * @cable_ns:		propagation of one link
 * @hop_ns:		port-to-port latency of a switch that was added with 0
 * @reduce_ns:		what the engine of a switch adds to a reduction
 * @training_us:	how long a link trains before it is up; for real, and not
 *			modelled: see struct af_life
 *
 * The formulas are in Documentation/hw/fabric.rst, "Timing".
 */
struct af_timing_params {
	uint32_t endpoint_ns;
	uint32_t cable_ns;
	uint32_t hop_ns;
	uint32_t reduce_ns;
	uint32_t training_us;
};

#define AF_TIMING_DEFAULT \
	((struct af_timing_params){ .endpoint_ns = ALINK_TIME_ENDPOINT_NS, \
				    .cable_ns = ALINK_TIME_CABLE_NS, \
				    .hop_ns = ALINK_TIME_HOP_NS, \
				    .reduce_ns = ALINK_TIME_REDUCE_NS })

/* Result of one operation */
struct af_result {
	enum alink_status status;
	uint64_t model_ns;	/* modelled duration; 0 with AF_TIMING_OFF */
	uint64_t fail_offset;	/* for errors: offset within the operation */
	uint64_t old;		/* atomics: value before */
};

/* One extent of the memory behind a segment */
struct af_extent {
	uint64_t addr;		/* offset in the endpoint's memory */
	uint64_t len;
};

/* --- life cycle ------------------------------------------------------- */
/* A fabric in memory of this process. NULL with errno when there is none. */
struct af_fabric *af_fabric_new(enum af_timing timing);
void af_fabric_free(struct af_fabric *f);

/*
 * A fabric in a page that the caller mapped (shared, for several processes).
 * The first one passes @init; the page must then read as zeros. The page must
 * outlive the fabric. NULL with errno: EINVAL for a page that is too small or
 * not a fabric's, EPROTO for one of another layout.
 */
size_t af_page_size(void);
struct af_fabric *af_fabric_attach(void *page, size_t size, bool init);
/*
 * Where this process sees the memory of an endpoint that another one added.
 * Until then operations on it end with ALINK_ST_UNREACHABLE here.
 */
int af_endpoint_map(struct af_fabric *f, uint32_t id, void *mem);

/*
 * 0, or -EOPNOTSUPP: AF_TIMING_ENFORCE does not exist yet, nothing changes.
 * @params NULL leaves the constants as they are.
 */
int af_fabric_set_timing(struct af_fabric *f, enum af_timing timing,
			 const struct af_timing_params *params);
void af_fabric_get_timing(struct af_fabric *f, enum af_timing *timing,
			  struct af_timing_params *params);
/* Monotonic clock of the fabric, ns. The host's, unless set (tests). */
uint64_t af_clock_ns(struct af_fabric *f);
typedef uint64_t af_clock_fn(void *opaque);
void af_fabric_set_clock_fn(struct af_fabric *f, af_clock_fn *fn, void *opaque);
/*
 * Links have a life of their own: they train, and are held down for a time. @now is the
 * clock for that, which may stand still when the machine does (NULL: that of
 * the fabric). @wake is called as events are, and has af_link_wake() called at
 * the time that it names, or later; the last time named is the one that counts.
 */
struct af_life {
	af_clock_fn *now;
	void (*wake)(void *opaque, uint64_t ns);
	void *opaque;
};
void af_fabric_set_life(struct af_fabric *f, const struct af_life *life);
void af_link_wake(struct af_fabric *f);
/*
 * Partition that endpoints added from now on join; 0, the reset value, is none:
 * a fabric without a manager lets nothing pass. 0 or -EINVAL.
 */
int af_fabric_set_default_partition(struct af_fabric *f, uint32_t partition);
uint32_t af_fabric_default_partition(struct af_fabric *f);

/*
 * Called with no lock held after a link or a table changed, so that a device
 * can tell its driver: by the thread that made the change, before the function
 * that made it returns. Also, with ALINK_EVENT_FAULT, when an operation met
 * known-bad memory of the device: by any thread, before the operation returns.
 * @dev_type/@dev_id: ALINK_DEVTYPE_XPU + endpoint id, or ALINK_DEVTYPE_SWITCH +
 * plane.
 */
typedef void af_event_fn(void *opaque, uint32_t dev_type, uint32_t dev_id,
			 const struct alink_event *event);
void af_fabric_set_event_fn(struct af_fabric *f, af_event_fn *fn, void *opaque);

/* --- parts: endpoints and switches ------------------------------------ */
/*
 * @mem is the endpoint's HBM as mapped here, @size its length. Returns 0 or
 * -errno (-EEXIST, -EINVAL). Links are indexed 0..num_links-1; link p goes to
 * plane p, port id unless af_link_wire() says otherwise.
 */
int af_endpoint_add(struct af_fabric *f, uint32_t id, uint64_t serial,
		    void *mem, uint64_t size, uint32_t num_links,
		    uint32_t link_mbps, uint32_t lanes);
int af_endpoint_remove(struct af_fabric *f, uint32_t id);
int af_switch_add(struct af_fabric *f, uint32_t plane, uint64_t serial,
		  uint32_t radix, uint32_t port_mbps, uint32_t lanes,
		  uint32_t hop_ns);
int af_switch_remove(struct af_fabric *f, uint32_t plane);
/*
 * May come before or after the devices are added. @plane ALINK_ID_NONE: no
 * cable. 0, -EINVAL, -EBUSY (another cable is in the port).
 */
int af_link_wire(struct af_fabric *f, uint32_t endpoint, uint32_t link,
		 uint32_t plane, uint32_t port);
/*
 * Reset as FLR, after all accesses in flight have ended. The endpoint loses
 * segments, imports, group bindings and group slots, and keeps routes and
 * partition; the switch loses its routes and groups. Links become
 * administratively up. Counters stay.
 */
void af_endpoint_reset(struct af_fabric *f, uint32_t id);
void af_switch_reset(struct af_fabric *f, uint32_t plane);
/*
 * Cold reset, as if the part were taken out and put back: besides the above,
 * counters are 0, the endpoint's routes are gone and it is in the default
 * partition.
 */
void af_cold_reset(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id);

/* What a switch counts beyond its ports. 0 or -ENODEV. */
/* Group operations that failed, by what was wrong with a member */
enum af_inc {
	AF_INC_SILENT,
	AF_INC_UNBOUND,
	AF_INC_REFUSED,
	AF_INC_POISON,
	AF_NUM_INC,
};

struct af_switch_info {
	uint32_t radix, hop_ns;
	uint64_t reductions, multicasts, drops_noroute, drops_part;
	uint64_t inc_errors[AF_NUM_INC];
	uint64_t pushes, push_waits, push_timeouts, push_aborts, push_late;
	uint32_t push_slots, push_used;
};

int af_switch_info(struct af_fabric *f, uint32_t plane,
		   struct af_switch_info *info);

/* How full the tables of a switch are; 0, -ENODEV. */
struct af_tables_used {
	uint32_t routes, groups;
	uint32_t placed;	/* endpoints in a partition */
};

int af_tables_used(struct af_fabric *f, uint32_t plane,
		   struct af_tables_used *used);

/* --- faults of endpoints, for tests ------------------------------------ */
/* Whether operations on it are answered, or end with ALINK_ST_UNREACHABLE. */
int af_endpoint_set_answering(struct af_fabric *f, uint32_t id, bool answers);
/* The next @count operations of initiator @id move no data and end so. */
int af_endpoint_fail_ops(struct af_fabric *f, uint32_t id,
			 enum alink_status status, uint32_t count);
/*
 * Known-bad memory: reads, atomics and reductions that touch it end with
 * ALINK_ST_POISON. A write over the whole of a range heals it. 0, -ENODEV,
 * -EINVAL, -ENOSPC (AF_MAX_POISON).
 */
#define AF_MAX_POISON		16	/* ranges per endpoint */
int af_poison_add(struct af_fabric *f, uint32_t id, uint64_t addr,
		  uint64_t len);
int af_poison_clear(struct af_fabric *f, uint32_t id);
/* For the owner's own accesses. Distance from @addr to the first bad byte, or UINT64_MAX. */
uint64_t af_poison_find(struct af_fabric *f, uint32_t id, uint64_t addr,
			uint64_t len);
/* The owner wrote over the range. */
void af_poison_heal(struct af_fabric *f, uint32_t id, uint64_t addr,
		    uint64_t len);

/* --- links ------------------------------------------------------------ */
/* Link-level frames of one direction, in ranges of size as ALINK_LSTAT_* */
struct af_frame_count {
	uint64_t octets, multicast, broadcast;
	uint64_t size[ALINK_LSTAT_SIZES];
};

/* Everything of a link window, read in one go by the device models. */
struct af_link_info {
	uint32_t state, speed_mbps, max_mbps, lanes, max_lanes, reason;
	uint32_t peer_type, peer_id, peer_port, fec, module, prbs_lanes;
	uint32_t fec_ctrl, fec_caps, lanes_bad;
	uint64_t retrains, lane_losses, flap_holds;
	uint32_t flap_ctrl, stage;
	uint64_t peer_serial, prbs_bits, prbs_errors;
	uint64_t downs, tx_bytes, rx_bytes, tx_packets, rx_packets;
	uint64_t tx_raw, rx_raw, fec_corr, fec_uncorr, crc_errors, replays;
	uint64_t tx_errors, rx_errors, stall_ns, busy_ns, tx_frames, rx_frames;
	struct af_frame_count tx_frame, rx_frame;
	uint64_t rx_drops, symbol_errors;
	uint64_t lane_corr[ALINK_LSTAT_LANES], lane_uncorr[ALINK_LSTAT_LANES];
	uint64_t credit_stalls, credit_leaks, credits_lost, credit_since;
	uint64_t ber;
	uint32_t credits;
};

int af_link_info(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		 uint32_t link, struct af_link_info *info);
/* @ctrl: ALINK_LINK_CTRL_*, all of it that matters to the link at once */
int af_link_set_ctrl(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		     uint32_t link, uint32_t ctrl);
/* The same with ALINK_LINK_CTRL_ENABLE or nothing */
int af_link_set_admin(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		      uint32_t link, bool up);
/* @ctrl: ALINK_LINK_FEC_CTRL. 0, -ENODEV, -EINVAL: the link has no such FEC. */
int af_link_set_fec(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		    uint32_t link, uint32_t ctrl);
/* @ctrl: ALINK_LINK_FLAP_CTRL. 0 or -ENODEV. */
int af_link_set_flap(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		     uint32_t link, uint32_t ctrl);
/* Fault injection: why a side cannot carry data; ALINK_DOWN_NONE clears. */
int af_link_set_fault(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		      uint32_t link, enum alink_down_reason reason);
/* The same of lanes, ALINK_LINK_LANES_BAD. -EINVAL: it has not so many. */
int af_link_set_lanes_bad(struct af_fabric *f, uint32_t dev_type,
			  uint32_t dev_id, uint32_t link, uint32_t bad);
/*
 * Which part of the bits the end gets wrong at the full rate, in units of
 * ALINK_LSTAT_BER. 0, -ENODEV, -EINVAL: more than all.
 */
int af_link_set_ber(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		    uint32_t link, uint64_t ber);
/* ALINK_LINK_RETRAIN */
int af_link_retrain(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		    uint32_t link);
/*
 * Optics: the module of a side, as ALINK_LINK_MODULE has it (ALINK_ID_NONE: a
 * plain cable), and why it carries no light (ALINK_DOWN_NONE: it does). The
 * device need not be there: cages are the board's. 0 or -EINVAL.
 */
int af_link_set_optics(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		       uint32_t link, uint32_t module,
		       enum alink_down_reason reason);
/*
 * The other end of the cable, whether or not the link was ever up. 0, -ENOLINK
 * without a cable, or -EINVAL when no fabric has such a link.
 */
int af_link_cable(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		  uint32_t link, uint32_t *peer_type, uint32_t *peer_id,
		  uint32_t *peer_link);
/*
 * Errors that the model's knobs add to the counters (each >= 0), those of FEC in
 * one lane. 0, -ENODEV, -EINVAL: no such lane.
 */
int af_link_add_errors(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		       uint32_t link, uint32_t lane, uint64_t fec_corr,
		       uint64_t fec_uncorr, uint64_t crc, uint64_t replays);
/*
 * The next @count packets with data, and frames, that come in there are damaged,
 * and are sent again. 0 or -ENODEV.
 */
int af_link_set_burst(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		      uint32_t link, uint32_t count);
/*
 * The next @count credits that the end should get back do not come. 0 or
 * -ENODEV.
 */
int af_link_set_credit_loss(struct af_fabric *f, uint32_t dev_type,
			    uint32_t dev_id, uint32_t link, uint32_t count);
/*
 * Link-level frame of at least 6 bytes: counted here as sent, delivered by the
 * caller to the peer that it returns: in loop-back, that is who sent it. 0 or
 * -ENOLINK; *peer_* say where it comes out.
 */
int af_link_frame(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		  uint32_t link, const uint8_t *frame, uint32_t len,
		  uint32_t *peer_type, uint32_t *peer_id, uint32_t *peer_link);
/* The frame has come out there, and was kept or found no room. */
void af_link_frame_in(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		      uint32_t link, const uint8_t *frame, uint32_t len,
		      bool kept);

/* --- tables (each returns enum alink_status) -------------------------- */
/* @spares: bitmap of links of an endpoint */
int af_route_set_spares(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
			const struct alink_route *route, uint64_t spares);
int af_route_del(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		 uint32_t dst);
/* First route with dst >= @from; ALINK_ST_NOT_FOUND past the last. */
int af_route_get_spares(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
			uint32_t from, struct alink_route *route,
			uint64_t *spares);

static inline int af_route_set(struct af_fabric *f, uint32_t dev_type,
			       uint32_t dev_id, const struct alink_route *route)
{
	return af_route_set_spares(f, dev_type, dev_id, route, 0);
}

static inline int af_route_get(struct af_fabric *f, uint32_t dev_type,
			       uint32_t dev_id, uint32_t from,
			       struct alink_route *route)
{
	uint64_t spares;

	return af_route_get_spares(f, dev_type, dev_id, from, route, &spares);
}

int af_group_add(struct af_fabric *f, uint32_t plane,
		 const struct alink_group *group, const uint32_t *members);
int af_group_del(struct af_fabric *f, uint32_t plane, uint32_t id);
int af_group_get(struct af_fabric *f, uint32_t plane, uint32_t from,
		 struct alink_group *group, uint32_t *members, size_t room);
int af_partition_set(struct af_fabric *f, uint32_t endpoint,
		     uint32_t partition);
int af_partition_get(struct af_fabric *f, uint32_t endpoint,
		     uint32_t *partition);

/* --- segments, imports, groups of an endpoint (enum alink_status) ------ */
int af_seg_export(struct af_fabric *f, uint32_t id, uint32_t seg, uint64_t key,
		  uint32_t rights, const struct af_extent *ext, size_t n);
struct af_segment_info {
	uint32_t id;
	uint32_t rights;
	uint64_t len;
	uint32_t num_extents;
	uint32_t partition;
	uint32_t num_bindings;
};

/* First segment with an id >= @from; ALINK_ST_NOT_FOUND past the last. */
int af_seg_get(struct af_fabric *f, uint32_t id, uint32_t from,
	       struct af_segment_info *info);
/* Returns when no access is in flight. */
int af_seg_revoke(struct af_fabric *f, uint32_t id, uint32_t seg);
int af_seg_import(struct af_fabric *f, uint32_t id, uint32_t slot,
		  uint32_t target, uint32_t seg, uint64_t key);
int af_seg_release(struct af_fabric *f, uint32_t id, uint32_t slot);
int af_group_bind(struct af_fabric *f, uint32_t id, uint32_t group,
		  uint32_t seg, uint64_t key, uint64_t offset, uint64_t len);
int af_group_unbind(struct af_fabric *f, uint32_t id, uint32_t group);
int af_group_import(struct af_fabric *f, uint32_t id, uint32_t slot,
		    uint32_t group, uint64_t key);
int af_group_release(struct af_fabric *f, uint32_t id, uint32_t slot);

/* --- operations ---------------------------------------------------------- */
/* @id is the initiator, @buf its own memory as mapped here. */
void af_read(struct af_fabric *f, uint32_t id, uint32_t slot, uint64_t offset,
	     void *buf, uint64_t len, struct af_result *res);
void af_write(struct af_fabric *f, uint32_t id, uint32_t slot, uint64_t offset,
	      const void *buf, uint64_t len, struct af_result *res);
/* @width 4 or 8; naturally aligned, else ALINK_ST_ALIGN */
void af_atomic(struct af_fabric *f, uint32_t id, uint32_t slot, uint64_t offset,
	       enum alink_atomic op, unsigned int width, uint64_t operand,
	       uint64_t compare, struct af_result *res);
/* Lands in every member; all is checked before the first byte is written. */
void af_group_write(struct af_fabric *f, uint32_t id, uint32_t slot,
		    uint64_t offset, const void *buf, uint64_t len,
		    struct af_result *res);
/*
 * Reducing read: member data at @offset, in ascending member order; FP16, BF16
 * and FP8 accumulate in FP32 and round once
 */
void af_group_reduce(struct af_fabric *f, uint32_t id, uint32_t slot,
		     uint64_t offset, void *buf, uint64_t len,
		     enum alink_dtype dtype, enum alink_redop op,
		     struct af_result *res);

/*
 * Reducing push: an operation of all members, chunk by chunk, none of which
 * blocks. af_push() sends the contribution of endpoint @id, or finds that there
 * is no slot for it; until one of these functions has returned true, with the
 * result in @res, the caller looks again: with af_push(), the same arguments
 * and data as long as push->sent is false, and then with af_push_poll(). When
 * it is true, every member's memory has the result. A caller that gives up
 * calls af_push_cancel(), which ends the push for the other members too.
 *
 * @push begins as zeros; follows is the caller's.
 */
#define AF_PUSH_SLOTS		16	/* of a switch at most */

struct af_push {
	bool follows;		/* another chunk of the same descriptor came before */
	bool sent;		/* a slot has the contribution: the data may go */
	bool waited;		/* there was no slot at first */
	uint32_t slot;
	uint64_t serial;
	uint64_t deadline;	/* fabric clock */
};

struct af_push_args {
	uint32_t slot;		/* group slot */
	uint32_t timeout_ms;	/* 0: ALINK_PUSH_TIMEOUT_MS */
	uint64_t offset, len;	/* len: at most af_push_chunk() */
	uint64_t epoch;
	enum alink_dtype dtype;
	enum alink_redop op;
};

/* Bytes of a chunk in the group of that slot; of no group the most there are. */
uint64_t af_push_chunk(struct af_fabric *f, uint32_t id, uint32_t slot);
bool af_push(struct af_fabric *f, uint32_t id, const struct af_push_args *args,
	     const void *buf, struct af_push *push, struct af_result *res);
bool af_push_poll(struct af_fabric *f, uint32_t id, struct af_push *push,
		  struct af_result *res);
void af_push_cancel(struct af_fabric *f, uint32_t id, struct af_push *push);
/* Slots of each switch, 1 to AF_PUSH_SLOTS; open ones stay. 0 or -EINVAL. */
int af_fabric_set_push_slots(struct af_fabric *f, uint32_t slots);
uint32_t af_fabric_push_slots(struct af_fabric *f);

/*
 * Arithmetic, also used for the local REDUCE command: dst := a op b, n
 * elements. Returns an enum alink_status.
 */
int af_reduce2(void *dst, const void *a, const void *b, size_t n,
	       enum alink_dtype dtype, enum alink_redop op);
size_t af_dtype_size(enum alink_dtype dtype);	/* bytes, 0 if unknown */
bool af_dtype_reducible(enum alink_dtype dtype);	/* what engines take */
/* As in "no path"; never NULL. */
const char *af_status_name(enum alink_status status);

#endif /* ALINK_FABRIC_H */
