/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control page of the fabric, and what the files of the core share.
 *
 * Layout rules of struct af_page:
 *   - no pointers and no addresses: parts name each other by index;
 *   - all zeros means absent, so a fresh memfd needs a header and two locks
 *     and nothing else, and memory is spent on what is used only (the tables
 *     have the size of the largest fabric and are sparse);
 *   - a change of the layout changes AF_PAGE_VERSION.
 *
 * Three locks, all process-shared, in the page:
 *   page->lock	reader/writer, writers preferred. Operations hold it for
 *		reading from the first check to the last byte; whoever changes
 *		wiring, link state, tables, segments or the set of devices
 *		holds it for writing. So a change returns only when no
 *		operation still uses what it took away, and no operation sees
 *		half a change.
 *   page->push	mutex, taken inside page->lock (either side): slots of reducing
 *		pushes, what they hold, how many each switch has open, and the
 *		epochs of groups that have ended. Who sends the last
 *		contribution holds it while it reduces and delivers a chunk.
 *   page->acct	mutex, taken inside page->lock (either side) and page->push:
 *		counters and the busy times of the timing model, once per
 *		operation.
 * No callback is ever made with one of them held. None is robust: a process
 * that dies inside the core takes the fabric with it.
 */
#ifndef ALINK_FABRIC_INTERNAL_H
#define ALINK_FABRIC_INTERNAL_H

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "alink_fabric.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the fabric core works on little-endian memory in place"
#endif

#define AF_PAGE_MAGIC		0x31424641	/* "AFB1" */
#define AF_PAGE_VERSION		6

#define AF_MAX_LINKS		AF_MAX_PLANES
#define AF_MAX_EP		ALINK_MAX_ENDPOINTS
#define AF_MAX_PORTS		ALINK_MAX_PORTS
#define AF_PORT_WORDS		(AF_MAX_PORTS / 64)
#define AF_EP_WORDS		(AF_MAX_EP / 64)
#define AF_MAX_SEGS		ALINK_MAX_SEGMENTS
#define AF_SEG_POOL		65536	/* segments of all endpoints together */

/* One end of a link. Ends are numbered: xPU links first, then switch ports. */
#define AF_NUM_EP_SIDES		(AF_MAX_EP * AF_MAX_LINKS)
#define AF_NUM_SIDES		(AF_NUM_EP_SIDES + AF_MAX_PLANES * AF_MAX_PORTS)
#define AF_NO_SIDE		UINT32_MAX

/* tx is what leaves this end. */
struct af_count {
	uint64_t tx_bytes, rx_bytes;
	uint64_t tx_packets, rx_packets;
	uint64_t tx_raw, rx_raw;
	uint64_t tx_errors, rx_errors;
	uint64_t tx_frames, rx_frames;
	struct af_frame_count tx_frame, rx_frame;
	uint64_t rx_drops;
	uint64_t fec_corr, fec_uncorr;
	uint64_t lane_corr[ALINK_LSTAT_LANES], lane_uncorr[ALINK_LSTAT_LANES];
	uint64_t symbol_errors;
	uint64_t crc_errors, replays;
	uint64_t stall_ns, busy_ns;
	uint64_t credit_stalls, credit_leaks, credits_lost;
	uint64_t credit_since;	/* fabric clock: the first of those missed last */
};

struct af_side {
	/* page->lock, but for @count */
	uint32_t cable;		/* side at the other end + 1; 0: no cable */
	uint8_t present;	/* its device is there */
	uint8_t pinned;		/* cable laid by af_link_wire() */
	uint8_t admin_down;
	uint8_t trained;	/* was up with the present cable: the peer is known */
	uint8_t loop;		/* ALINK_LINK_CTRL_LOOPBACK */
	uint8_t prbs;		/* ALINK_LINK_CTRL_PRBS */
	uint8_t prbs_seen;	/* the pattern comes in */
	uint32_t fault;		/* enum alink_down_reason */
	uint32_t optics;	/* enum alink_down_reason; belongs to the cage */
	uint32_t module_plus1;	/* ALINK_LINK_MODULE + 1; belongs to the cage */
	uint32_t state;		/* enum alink_link_state */
	uint32_t reason;	/* enum alink_down_reason */
	uint32_t speed_mbps;
	uint32_t max_mbps;
	uint32_t lanes;
	uint32_t max_lanes;
	uint32_t fec_ctrl;	/* ALINK_LINK_FEC_CTRL */
	uint32_t fec;		/* enum alink_fec, that of the last time up */
	uint32_t lanes_bad;	/* ALINK_LINK_LANES_BAD */
	uint8_t retrain;	/* lanes that work again are taken in */
	uint8_t shift;		/* runs at the full rate / 2^shift */
	uint64_t ber;		/* what comes in wrong at the full rate, 1e-15 */
	uint64_t downs;
	uint64_t retrains;
	uint64_t lane_losses;
	uint32_t flap_ctrl;	/* ALINK_LINK_FLAP_CTRL */
	uint32_t flaps;		/* in the present window */
	uint64_t flap_since;	/* life clock: when that began */
	uint64_t held_until;	/* life clock; 0: it is not held down */
	uint64_t flap_holds;
	uint64_t train_since;	/* life clock, with train_end */
	uint64_t train_end;	/* life clock; 0: it does not train */
	uint64_t prbs_bits;	/* until prbs_since */
	uint64_t prbs_errors;	/* of those */
	uint64_t prbs_since;	/* fabric clock */
	/* page->acct */
	struct af_count count;
	uint64_t busy_until;	/* fabric clock */
	uint32_t burst;		/* packets with data that will come in damaged */
	uint32_t corr_lane;	/* counts the next code word that is corrected */
	double corr_part;	/* of one that is not counted yet */
	uint32_t credit_loss;	/* credits that will not come back, injected */
	uint32_t credits_out;	/* have not, and nobody has missed them */
	uint32_t credit_stalled;	/* were missed in a stall, to be told of */
	uint64_t credit_since;	/* fabric clock: the first of credits_out */
	/* page->lock */
	uint64_t credit_check;	/* life clock; 0: none is due */
};

struct af_poison {
	uint64_t addr, len;	/* len 0: unused */
};

/* page->lock */
struct af_endpoint {
	uint32_t present;
	uint32_t num_links;
	uint32_t partition;	/* 0: none */
	uint32_t mute;		/* does not answer */
	uint64_t serial;
	uint64_t size;		/* bytes of memory */
	uint32_t num_poison;
	uint32_t fail_status;	/* injected, see af_endpoint_fail_ops() */
	uint32_t fail_count;	/* page->acct */
	uint32_t reserved;
	struct af_poison poison[AF_MAX_POISON];
};

/* page->lock, counters page->acct */
struct af_switch {
	uint32_t present;
	uint32_t radix;
	uint64_t serial;
	uint32_t hop_ns;	/* 0: that of the fabric */
	uint32_t push_used;	/* open slots; page->push */
	uint64_t reductions, multicasts;
	uint64_t drops_noroute, drops_part;
	uint64_t inc_errors[AF_NUM_INC];
	uint64_t pushes, push_waits;
	uint64_t push_timeouts, push_aborts, push_late;
};

/* min 0: no route. page->lock */
struct af_ep_route {
	uint64_t links;
	uint64_t spares;	/* none of them in links */
	uint32_t min;
	uint32_t reserved;
};

struct af_sw_route {
	uint64_t ports[AF_PORT_WORDS];
	uint32_t min;
	uint32_t reserved;
};

/*
 * num 0: no group. page->lock; reductions and bytes page->acct; ended
 * page->push
 */
struct af_group {
	uint64_t key;
	uint64_t ended;		/* lowest epoch of pushes that has not */
	uint64_t epoch;
	uint64_t reductions;
	uint64_t bytes;
	uint32_t num;
	uint32_t reserved;
	uint64_t members[AF_EP_WORDS];
};

/* Memory of one endpoint in one group. len 0: not bound. page->lock */
struct af_bind {
	uint64_t key;
	uint64_t offset;	/* in the segment */
	uint64_t len;
	uint32_t seg;
	uint32_t reserved;
};

/* key 0: free slot. page->lock */
struct af_import {
	uint64_t key;
	uint32_t object;	/* segment or group */
	uint32_t target;	/* exporter; 0 for groups */
};

/* key 0: free. page->lock */
struct af_segment {
	uint64_t key;
	uint64_t len;		/* sum of the extents */
	uint32_t rights;
	uint32_t num;
	uint32_t partition;
	uint32_t reserved;
	struct af_extent ext[AF_MAX_SEG_EXTENTS];
};

enum { AF_PUSH_FREE, AF_PUSH_OPEN, AF_PUSH_ENDED };

/* A chunk of a reducing push. page->push */
struct af_push_slot {
	uint32_t state;		/* ENDED: members are left that have to learn of it */
	uint32_t status;	/* enum alink_status that it ended with */
	uint64_t serial;	/* of this use of the slot, from 1 on */
	uint64_t key;
	uint64_t born;		/* page->epoch then: younger groups are others */
	uint64_t planes;	/* bitmap of switches that carry it */
	uint64_t offset, len, epoch;
	uint64_t deadline;	/* fabric clock */
	uint32_t group;
	uint32_t dtype, op;
	uint32_t num;		/* contributions that it has */
	uint64_t model_ns;
	uint64_t idle_ns;	/* part of it that only a first chunk takes */
	uint64_t have[AF_EP_WORDS];	/* whose contributions; ENDED: who is left */
};

/* Of all switches together, should no two carry the same group */
#define AF_PUSH_POOL	(AF_MAX_PLANES * AF_PUSH_SLOTS)

struct af_page {
	/* constant after initialisation */
	uint32_t magic;
	uint32_t version;
	uint64_t size;
	pthread_rwlock_t lock;
	pthread_mutex_t push;
	pthread_mutex_t acct;
	/* page->lock */
	uint32_t timing;	/* enum af_timing */
	uint32_t default_partition;
	struct af_timing_params params;
	uint32_t seg_hint;	/* where to look for a free segment first */
	uint64_t epoch;		/* counts changes of groups */
	uint32_t push_slots;	/* that a switch has */
	uint32_t credit_due;	/* atomic: af_link_wake() has credits to look at */
	/* page->push */
	uint32_t push_top;	/* slots from here on were never used */
	uint64_t push_serial;
	struct af_push_slot push_slot[AF_PUSH_POOL];
	uint8_t push_data[AF_PUSH_POOL][ALINK_PUSH_SLOT_BYTES];
	/* page->lock, but for what the structs say */
	struct af_endpoint ep[AF_MAX_EP];
	struct af_switch sw[AF_MAX_PLANES];
	struct af_side side[AF_NUM_SIDES];
	struct af_ep_route ep_route[AF_MAX_EP][AF_MAX_EP];
	struct af_sw_route sw_route[AF_MAX_PLANES][AF_MAX_EP];
	struct af_group group[AF_MAX_PLANES][ALINK_MAX_GROUPS];
	struct af_bind bind[AF_MAX_EP][ALINK_MAX_GROUPS];
	struct af_import import[AF_MAX_EP][AF_MAX_IMPORTS];
	struct af_import gslot[AF_MAX_EP][AF_MAX_GROUP_SLOTS];
	uint32_t seg_index[AF_MAX_EP][AF_MAX_SEGS];	/* pool index + 1 */
	struct af_segment seg[AF_SEG_POOL];
};

/* What is private to a process */
struct af_fabric {
	struct af_page *page;
	bool own_page;		/* from af_fabric_new() */
	uint8_t *mem[AF_MAX_EP];	/* page->lock */
	af_event_fn *event_fn;	/* set before the fabric is shared */
	void *event_opaque;
	af_clock_fn *clock_fn;	/* set before the fabric is shared */
	void *clock_opaque;
	struct af_life life;	/* set before the fabric is shared */
	uint64_t wake_at;	/* life clock, 0: never. page->lock */
	bool wake_new;		/* nobody was told yet. page->lock */
	atomic_uintptr_t writer;	/* thread that holds page->lock to write */
};

/* --- fabric_page.c: locks and events ----------------------------------- */

/* Events gathered under the lock and sent after it. */
struct af_event_list {
	struct af_event {
		uint32_t dev_type, dev_id;
		struct alink_event event;
	} *ev;
	size_t num, room;
};

void af_rdlock(struct af_fabric *f);
void af_rdunlock(struct af_fabric *f);
void af_wrlock(struct af_fabric *f);
/* Drops the lock, then sends @list and frees it; @list may be NULL. */
void af_wrunlock(struct af_fabric *f, struct af_event_list *list);
void af_assert_writer(struct af_fabric *f);
void af_push_lock(struct af_fabric *f);
void af_push_unlock(struct af_fabric *f);
void af_acct_lock(struct af_fabric *f);
void af_acct_unlock(struct af_fabric *f);
uint64_t af_life_ns(struct af_fabric *f);
/* af_link_wake() is due at @ns of the life clock, if not earlier. Writer. */
void af_wake_at(struct af_fabric *f, uint64_t ns);
void af_event(struct af_event_list *list, uint32_t dev_type, uint32_t dev_id,
	      uint16_t type, uint32_t id, uint32_t code, uint32_t info);

static inline bool af_ep_ok(struct af_fabric *f, uint32_t id)
{
	return id < AF_MAX_EP && f->page->ep[id].present;
}

static inline bool af_sw_ok(struct af_fabric *f, uint32_t plane)
{
	return plane < AF_MAX_PLANES && f->page->sw[plane].present;
}

/* --- fabric_link.c: ends of links --------------------------------------- */
static inline uint32_t af_ep_side(uint32_t id, uint32_t link)
{
	return id * AF_MAX_LINKS + link;
}

static inline uint32_t af_sw_side(uint32_t plane, uint32_t port)
{
	return AF_NUM_EP_SIDES + plane * AF_MAX_PORTS + port;
}

static inline bool af_side_is_ep(uint32_t side)
{
	return side < AF_NUM_EP_SIDES;
}

/* Endpoint id or plane */
static inline uint32_t af_side_dev(uint32_t side)
{
	if (af_side_is_ep(side))
		return side / AF_MAX_LINKS;
	return (side - AF_NUM_EP_SIDES) / AF_MAX_PORTS;
}

/* Link or port number */
static inline uint32_t af_side_link(uint32_t side)
{
	if (af_side_is_ep(side))
		return side % AF_MAX_LINKS;
	return (side - AF_NUM_EP_SIDES) % AF_MAX_PORTS;
}

static inline uint32_t af_side_peer(const struct af_page *p, uint32_t side)
{
	return p->side[side].cable ? p->side[side].cable - 1 : AF_NO_SIDE;
}

static inline bool af_side_up(const struct af_page *p, uint32_t side)
{
	return p->side[side].state == ALINK_LINK_UP;
}

/* Counters to 0. Writer. */
static inline void af_side_clear(struct af_side *s)
{
	s->downs = 0;
	s->retrains = 0;
	s->lane_losses = 0;
	s->flap_holds = 0;
	memset(&s->count, 0, sizeof(s->count));
	s->corr_lane = 0;
	s->corr_part = 0;
}

/* Forgets how often it went down, and holds it no more. Writer. */
static inline void af_side_calm(struct af_side *s)
{
	s->flaps = 0;
	s->flap_since = 0;
	s->held_until = 0;
}

/* As a link that comes up has them: all. Writer. */
static inline void af_credit_init(struct af_side *s)
{
	s->credits_out = 0;
	s->credit_stalled = 0;
	s->credit_check = 0;
}

/* As a reset leaves the controls: open, not under test. Writer. */
static inline void af_side_open(struct af_side *s)
{
	s->admin_down = 0;
	s->loop = 0;
	s->prbs = 0;
	s->prbs_seen = 0;
	s->prbs_bits = 0;
	s->prbs_errors = 0;
	s->fec_ctrl = 0;
	s->flap_ctrl = 0;
	af_side_calm(s);
}

/* The side of a device's link, or AF_NO_SIDE. Lock held. */
uint32_t af_side_of(struct af_fabric *f, uint32_t dev_type, uint32_t dev_id,
		    uint32_t link);
/* The test pattern was received as it is now until here. Writer. */
void af_prbs_settle(struct af_fabric *f, struct af_side *s);
/* Works out the state of both ends anew. Writer. */
void af_link_eval(struct af_fabric *f, uint32_t side,
		  struct af_event_list *list);

/* --- fabric_life.c: training, width, FEC, flaps ----------------------------- */
uint32_t af_lane_mask(const struct af_side *s);
uint32_t af_fec_caps(const struct af_side *s);
/* What both ends may use; false: there is nothing */
bool af_fec_agree(const struct af_side *s, const struct af_side *o,
		  uint32_t *fec);
/* With how many lanes a link can run: all, or a power of two; 0: it cannot */
uint32_t af_usable_lanes(const struct af_side *s, const struct af_side *o);
/* The link went down for @why: is that once too often? Then it is held. Writer. */
bool af_flaps(struct af_fabric *f, struct af_side *s, uint32_t why);
/* Nothing is in the way: has it trained long enough? Else it goes on. Writer. */
bool af_trained(struct af_fabric *f, struct af_side *s,
		const struct af_side *o);
uint32_t af_stage(struct af_fabric *f, const struct af_side *s);
/* Width, rate and FEC of a link with nothing in its way: it is up. Writer. */
void af_train(struct af_side *s, const struct af_side *o, bool was_up);

/* --- fabric_signal.c ------------------------------------------------------- */
/* Wrong symbols of a code word that FEC cannot put right */
uint32_t af_lost_symbols(const struct af_side *s);
/* What comes in wrong at the present rate, ALINK_LSTAT_BER */
uint64_t af_ber(const struct af_side *s);
/*
 * The full rate / 2^N is the highest at which the end hears well enough for that
 * code (enum alink_fec); ALINK_LINK_RATES: none is.
 */
uint32_t af_rate_shift(const struct af_side *s, uint32_t fec);
/* So many bytes have come in, of which FEC puts some right. Under page->acct. */
void af_bit_errors(struct af_side *rx, const struct af_side *tx, uint64_t raw);

/* --- fabric_credit.c ------------------------------------------------------- */
/*
 * @tx pays for packets with data, or a frame; returns how often it had to wait
 * until the link was trained. Under page->acct.
 */
uint64_t af_credits(struct af_fabric *f, struct af_side *tx, uint64_t packets);
/* Ends what af_rdlock() began, when it may have lost credits. */
void af_op_end(struct af_fabric *f);
/* Tells of credits that are missed, and has the link trained. Writer. */
void af_credit_check(struct af_fabric *f, uint32_t side, uint64_t now,
		     struct af_event_list *list);

/* --- fabric_segment.c ---------------------------------------------------- */
struct af_segment *af_seg_find(struct af_fabric *f, uint32_t id, uint32_t seg);
/* Part of a segment that is in one piece of memory. */
struct af_piece {
	uint64_t addr;
	uint64_t len;
};

/* The piece at @offset, at most @len long; both inside the segment. */
struct af_piece af_seg_piece(const struct af_segment *seg, uint64_t offset,
			     uint64_t len);
void af_seg_drop_all(struct af_fabric *f, uint32_t id);	/* writer */
void af_seg_adopt(struct af_fabric *f, uint32_t id, uint32_t partition);
/*
 * First poisoned byte in [offset, offset + len) of the segment, as distance
 * from @offset, or UINT64_MAX.
 */
uint64_t af_seg_poison(struct af_fabric *f, uint32_t id,
		       const struct af_segment *seg, uint64_t offset,
		       uint64_t len);
/* Forgets poisoned ranges that were written over whole. Takes acct itself. */
void af_seg_heal(struct af_fabric *f, uint32_t id,
		 const struct af_segment *seg, uint64_t offset, uint64_t len);

/* --- fabric_group.c ------------------------------------------------------ */
void af_group_drop_all(struct af_fabric *f, uint32_t id);	/* writer */
void af_group_drop_seg(struct af_fabric *f, uint32_t id, uint32_t seg);
uint32_t af_group_num_binds(const struct af_fabric *f, uint32_t id,
			    uint32_t seg);

static inline bool af_is_member(const struct af_group *g, uint32_t id)
{
	return g->num && (g->members[id / 64] >> (id % 64) & 1);
}

/* Next member at or after @id, or AF_MAX_EP */
uint32_t af_next_member(const struct af_group *g, uint32_t id);

/* --- fabric_path.c: which planes an operation uses ------------------------ */
/* One plane's share of an operation */
struct af_lane {
	uint32_t src;		/* initiator's link */
	uint32_t in;		/* switch port at its other end */
	uint32_t out;		/* switch port to the target; groups: unused */
	uint32_t dst;		/* target's link; groups: unused */
	uint32_t turn;		/* nth lane through this switch */
	uint64_t bytes;		/* payload, set by af_path_stripe() */
	uint64_t packets;
};

struct af_path {
	uint32_t num;
	struct af_lane lane[AF_MAX_LINKS];
	const struct af_group *group;	/* that of the first lane's switch */
};

enum alink_status af_path_unicast(struct af_fabric *f, uint32_t src,
				  uint32_t dst, struct af_path *path);
/* @again: for an operation that looked before: drops have been counted. */
enum alink_status af_path_group(struct af_fabric *f, uint32_t src,
				uint32_t group, uint64_t key, bool again,
				struct af_path *path);
/*
 * Port of @plane towards @dst for the @turn-th lane, or AF_NO_SIDE; then
 * *@down says whether a dead port is the reason.
 */
uint32_t af_path_egress(struct af_fabric *f, uint32_t plane, uint32_t dst,
			uint32_t turn, bool *down);
/* Shares out [offset, offset + len) over the lanes. */
void af_path_stripe(struct af_path *path, uint64_t offset, uint64_t len);

/* --- fabric_timing.c: counters and modelled time -------------------------- */
/* Each counts one finished operation and returns its modelled duration. */
uint64_t af_account_read(struct af_fabric *f, const struct af_path *path);
uint64_t af_account_write(struct af_fabric *f, const struct af_path *path);
uint64_t af_account_atomic(struct af_fabric *f, const struct af_path *path,
			   uint64_t offset, uint32_t req, uint32_t resp);
uint64_t af_account_multicast(struct af_fabric *f, uint32_t id, uint32_t group,
			      const struct af_path *path);
uint64_t af_account_reduce(struct af_fabric *f, uint32_t id, uint32_t group,
			   const struct af_path *path);
/* At each switch of the path: @st is what was wrong with a member. */
void af_account_group_error(struct af_fabric *f, const struct af_path *path,
			    enum alink_status st);
/* *@idle_ns: part of it that does not depend on the length */
uint64_t af_account_push(struct af_fabric *f, uint32_t id, uint32_t group,
			 const struct af_path *path, uint64_t *idle_ns);

/* --- fabric_op.c: operations on groups ------------------------------------- */
struct af_members {
	uint32_t group;
	uint64_t key;
	struct af_path path;
};

/*
 * Can @id still use t->group, whose key is t->key, with these @rights of all
 * members? Sets the path; *@bad is the offset at fault. Under page->lock.
 */
enum alink_status af_members_check(struct af_fabric *f, uint32_t id,
				   uint64_t offset, uint64_t len,
				   uint32_t rights, struct af_members *t,
				   uint64_t *bad);
/*
 * All checks of an operation of @id through group slot @slot. Takes the reader
 * lock and keeps it when it returns true; otherwise res says why. @again: as of
 * af_path_group().
 */
bool af_group_begin(struct af_fabric *f, uint32_t id, uint32_t slot,
		    uint64_t offset, uint64_t len, uint32_t rights, bool again,
		    struct af_members *t, struct af_result *res);
/* Data is in place before whatever tells of the completion. Unlocks. */
void af_group_end(struct af_fabric *f);
/* Writes to the memory of all members. */
void af_group_deliver(struct af_fabric *f, const struct af_members *t,
		      uint64_t offset, const void *buf, uint64_t len);

/* --- fabric_push.c ---------------------------------------------------------- */
/* Ends open slots that have a part in the switch. Writer. */
void af_push_drop_plane(struct af_fabric *f, uint32_t plane);
/* Ends open slots with a contribution of the endpoint, and forgets it. Writer. */
void af_push_drop_member(struct af_fabric *f, uint32_t id);

/* Of @packets from @tx to @rx, how many go again. Under page->acct. */
uint64_t af_replays(struct af_side *tx, struct af_side *rx, uint64_t packets);

/* --- fabric_reduce.c ------------------------------------------------------ */
#define AF_RED_BLOCK	512	/* elements that are worked on at a time */
/* dst := op over n sources, @num elements <= AF_RED_BLOCK, in order of @src. */
void af_reduce_block(void *dst, const void *const *src, size_t n, size_t num,
		     enum alink_dtype dtype, enum alink_redop op);

#endif /* ALINK_FABRIC_INTERNAL_H */
