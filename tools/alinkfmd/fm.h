/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of alinkfmd, the fabric manager: what its files share. */
#ifndef FM_H
#define FM_H

#include <stdarg.h>

#include <json-c/json.h>

#include <alink.h>

#include "fm_socket.h"

#define FM_NAME		"alinkfmd"
#define FM_CONFIG	"/etc/alink/fabric.conf"
#define FM_STATE	"/var/lib/alink/fabric.json"

/* Longer than a busy machine keeps a process from running */
#define FM_BEAT_MS	15000
/* Longer than a link takes to come back after a retrain */
#define FM_HOLD_MS	1000

/* --- log: fm_main.c --------------------------------------------------------- */

/* Syslog's level in front, as systemd reads it */
#define FM_ERR		"<3>"
#define FM_WARN		"<4>"
#define FM_NOTE		"<5>"
#define FM_INFO		"<6>"

void fm_log(const char *level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* --- configuration: fm_config.c --------------------------------------------- */

/* What is done about a failure, from least to most */
enum fm_action {
	FM_REPORT,		/* it is shown, and the rest goes on */
	FM_DISABLE_XPU,		/* the xPU leaves its partition */
	FM_SPARE,		/* and a spare one takes its place */
	FM_DISABLE_PARTITION,	/* all of its partition leave */
	FM_NUM_ACTIONS
};

extern const char *const fm_action_names[FM_NUM_ACTIONS];

enum fm_failure {
	FM_FAIL_LINKS,		/* of an xPU fewer are up than it needs */
	FM_FAIL_XPU,		/* it is gone, or its driver gave it up */
	FM_FAIL_PLANE,		/* a switch that was there is gone */
	FM_NUM_FAILURES
};

extern const char *const fm_failure_names[FM_NUM_FAILURES];

/**
 * struct fm_partition - one partition, as the configuration has it
 * @id:		1..ALINK_MAX_PARTITIONS - 1
 * @name:	for people
 * @min_links:	an xPU with fewer links up has failed
 * @members:	endpoint ids
 * @spares:	that take the place of members that fail, in this order
 * @num_spares:	of them
 */
struct fm_partition {
	uint32_t id;
	char name[32];
	uint32_t min_links;
	struct alink_set members;
	uint32_t *spares;
	size_t num_spares;
};

enum fm_stage {
	FM_NOT_STARTED,		/* not in a partition, and nobody asked for it */
	FM_IN_PROGRESS,		/* something of it is still to be written */
	FM_COMPLETED,
	FM_DEGRADED,		/* works, with less than there should be */
	FM_DISABLED,		/* out of its partition, for a failure or by hand */
	FM_NUM_STAGES
};

extern const char *const fm_stage_names[FM_NUM_STAGES];

/**
 * struct fm_group - one group of in-network compute, as the configuration has it
 * @id:		0..ALINK_MAX_GROUPS - 1
 * @key:	what its users have to know; and what tells it from others'
 * @members:	endpoint ids
 * @stage:	where it is
 * @cause:	why it is not completed
 */
struct fm_group {
	uint32_t id;
	uint64_t key;
	struct alink_set members;
	enum fm_stage stage;
	char cause[96];
};

/* A cable that should be there */
struct fm_wire {
	uint32_t xpu;
	uint32_t link;
	uint32_t plane;
	uint32_t port;
	bool told;		/* that it is not there */
};

/**
 * struct fm_config - what the administrator wants
 * @partition:	partitions; none at all: every xPU is in partition 1
 * @num_partitions: of them
 * @compute:	groups of in-network compute
 * @num_groups:	of them
 * @wire:	all cables, or none: then any cabling will do
 * @num_wires:	of them
 * @spare_planes: that are idle until another one fails
 * @action:	for each class of failures
 * @hold_ms:	a failure has to last so long before something is done
 * @beat_ms:	heartbeat that the kernel is promised
 * @state:	path of the file that outlives the manager
 * @socket:	path of the socket for alink fm
 * @group:	whose members may use that socket; or NULL
 */
struct fm_config {
	struct fm_partition *partition;
	size_t num_partitions;
	struct fm_group *compute;
	size_t num_groups;
	struct fm_wire *wire;
	size_t num_wires;
	struct alink_set spare_planes;
	enum fm_action action[FM_NUM_FAILURES];
	uint32_t hold_ms;
	uint32_t beat_ms;
	char *state;
	char *socket;
	char *group;
};

/*
 * Reads @path. Every mistake is logged as FILE:LINE: WHAT. Returns 0, -EINVAL,
 * or -errno if the file cannot be read.
 */
int fm_config_load(struct fm_config *c, const char *path);
void fm_config_free(struct fm_config *c);
/* 1 to 16 hexadecimal digits that are not 0 */
bool fm_parse_key(const char *text, uint64_t *key);
/* The group with that id, or NULL */
const struct fm_group *fm_config_group(const struct fm_config *c, uint32_t id);
/* The partition whose member or spare it is, or NULL */
const struct fm_partition *fm_config_of(const struct fm_config *c,
					uint32_t xpu);

/* --- the fabric as it is: fm_view.c ------------------------------------------ */

/* What a device has told of itself */
struct fm_tables {
	struct alink_route_info *route;
	size_t num_routes;
	struct alink_partition_info *partition;
	size_t num_partitions;
	struct alink_group_info *group;
	size_t num_groups;
};

/**
 * struct fm_view - the fabric at one moment
 * @dev:	devices of this host
 * @tables:	of each of those; empty if it was not @told
 * @told:	by device: it has tables, and has told them
 * @silent:	the first that should have and has not, and why; or ""
 * @num_devs:	of them
 * @link:	links of all
 * @num_links:	of them
 */
struct fm_view {
	struct alink_device_info *dev;
	struct fm_tables *tables;
	bool *told;
	char silent[256];
	size_t num_devs;
	struct alink_link_info *link;
	size_t num_links;
};

struct fm;

/*
 * 0 or a negative errno with alink_error() of fm->ctx; -ENOPROTOOPT: no driver. A
 * device that does not answer is not waited for longer than for the others.
 */
int fm_view_load(struct fm *fm, struct fm_view *v);
void fm_view_free(struct fm_view *v);
/* Has it tables, and are they there to be read? */
bool fm_view_has_tables(const struct alink_device_info *d);
const struct alink_device_info *fm_view_dev(const struct fm_view *v,
					    enum alink_devtype type,
					    uint32_t fabric_id);
bool fm_view_usable(const struct alink_device_info *d);
/* xPUs that switches of this host see behind their ports, or that are here */
void fm_view_xpus(const struct fm_view *v, struct alink_set *xpus);
/* Links of an xPU that are up, and all that have a switch at their other end */
void fm_view_links(const struct fm_view *v, uint32_t xpu, uint32_t *up,
		   uint32_t *all);

/* --- what outlives the manager: fm_state.c ----------------------------------- */

#define FM_NONE		UINT32_MAX

/**
 * struct fm_xpu - what the manager knows and decided about an xPU
 * @out:	it has failed, and stays out until it is enabled
 * @by_hand:	somebody took it out
 * @spare_for:	failed xPU whose place it took, or FM_NONE: see fm_policy_role()
 * @seen:	since the manager began; what follows is not in the file either
 * @here:	seen as a device of this host
 * @since_ms:	when its failure was first seen, or 0
 * @stage:	where it is
 * @cause:	why it is not completed
 */
struct fm_xpu {
	bool out;
	bool by_hand;
	uint32_t spare_for;
	bool seen;
	bool here;
	uint64_t since_ms;
	enum fm_stage stage;
	char cause[96];
};

/**
 * struct fm_state - decisions, and what they were made from
 * @xpu:	by endpoint id
 * @made:	by group: key of the one that is the manager's, or 0
 * @planes:	switches that were seen at least once
 * @generation:	of each of those, when it was last looked at
 * @reset:	of those, what has had a reset since; not in the file
 * @planes_seen: of those, what was seen since the manager began, or drivers were
 *		loaded; not in the file
 * @plane_since_ms: when a plane was first missing, or 0; not in the file
 */
struct fm_state {
	struct fm_xpu xpu[ALINK_MAX_ENDPOINTS];
	uint64_t made[ALINK_MAX_GROUPS];
	struct alink_set planes;
	uint32_t generation[ALINK_MAX_PLANES];
	struct alink_set reset;
	struct alink_set planes_seen;
	uint64_t plane_since_ms;
};

void fm_state_init(struct fm_state *s);
/*
 * 0 also without a file; else what is wrong with it is logged, and nothing may be
 * done without what it says.
 */
int fm_state_load(struct fm_state *s, const char *path);
/* Puts the file aside, for good. 0 or a negative errno, logged as what was done. */
int fm_state_discard(const char *path);
/* The last folder of a path, if it is not there: systemd makes it else. */
int fm_make_folder(const char *path);
/* The file is the old one or the new one, whatever happens. */
int fm_state_save(const struct fm_state *s, const char *path);

/* --- decisions: fm_policy.c -------------------------------------------------- */

enum {
	FM_DECIDED	= 1,	/* something that has to outlive the manager */
	FM_WAITING	= 2,	/* a failure is not old enough yet */
};

/*
 * Looks for failures, and acts on them in *s by the table of the configuration.
 * @now_ms: of a clock that starts above 0. Returns FM_*, or-ed.
 */
unsigned int fm_policy(const struct fm_config *c, const struct fm_view *v,
		       struct fm_state *s, uint64_t now_ms);
/*
 * By hand: back in, or out. A spare that stood in for it goes back. 0, -ENOENT
 * for an xPU that nobody has seen or configured, -EALREADY.
 */
int fm_policy_enable(const struct fm_config *c, struct fm_state *s,
		     uint32_t xpu);
int fm_policy_disable(const struct fm_config *c, struct fm_state *s,
		      uint32_t xpu);
/* Is there anything to be said about it? */
bool fm_policy_known(const struct fm_config *c, const struct fm_state *s,
		     uint32_t xpu);
/* The failed xPU in whose place it is, or FM_NONE */
uint32_t fm_policy_role(const struct fm_config *c, const struct fm_state *s,
			uint32_t xpu);
/* The partition that it has to be in now; 0: none */
uint32_t fm_policy_partition(const struct fm_config *c,
			     const struct fm_state *s, uint32_t xpu);

/* --- each device by itself: fm_crew.c ---------------------------------------- */

enum fm_kind {
	FM_ROUTE,
	FM_PARTITION,
	FM_GROUP,
};

/**
 * struct fm_write - one entry of a table that is to be written
 * @kind:	which table
 * @id:		of the entry: endpoint, or group
 * @wanted:	it is to be there
 * @had:	there is one that differs
 * @partition:	of FM_PARTITION
 * @key:	of FM_GROUP
 * @set:	ports of FM_ROUTE, members of FM_GROUP
 * @spares:	of FM_ROUTE
 * @err:	what came of it
 */
struct fm_write {
	enum fm_kind kind;
	uint32_t id;
	bool wanted;
	bool had;
	uint32_t partition;
	uint64_t key;
	struct alink_set set;
	struct alink_set spares;
	int err;
};

/**
 * struct fm_order - what one device is to do
 * @dev:	its index
 * @caps:	ALINK_CAP_*
 * @write:	entries, in this order; none: its tables are read
 * @n:		of them
 * @tables:	that were read
 * @err:	the first error
 * @error:	and what it was
 */
struct fm_order {
	uint32_t dev;
	uint64_t caps;
	struct fm_write *write;
	size_t n;
	struct fm_tables tables;
	int err;
	char error[256];
};

struct fm_order *fm_order_new(const struct alink_device_info *d);
void fm_order_free(struct fm_order *o);
/* A new entry, all 0; NULL: out of memory */
struct fm_write *fm_order_add(struct fm_order *o);

/* An eventfd, or a negative errno: who is late has done his order after all. */
int fm_crew_init(void);
void fm_crew_heard(void);
/* false: it is still at another one, and this one stays the caller's */
bool fm_crew_give(struct fm_order *o);
/* Until all orders are done, but for those of devices that do not answer. Beats. */
void fm_crew_wait(struct fm *fm);
/* For the caller to free; NULL: it is not done, and nobody hears of it any more */
struct fm_order *fm_crew_take(uint32_t dev);
/* Devices that are gone need nobody. */
void fm_crew_prune(const struct fm_view *v);

/* --- making it so: fm_apply.c, fm_group.c, fm_stage.c ------------------------ */

/**
 * struct fm_result - what came of one round
 * @switches:	that are here
 * @written:	routes and partitions that were written
 * @failed:	that could not be written
 * @miswired:	cables that are not as the configuration has them
 * @silent:	a device that does not tell its tables, and why; or ""
 */
struct fm_result {
	unsigned int switches;
	unsigned int written;
	unsigned int failed;
	unsigned int miswired;
	char silent[256];
};

struct fm {
	struct alink_ctx *ctx;
	struct fm_config config;
	struct fm_state state;
	struct fm_result result;
	const char *path;		/* of the configuration */
	bool claimed;
	bool ready;			/* the first round is over */
	bool again;			/* a round is wanted soon */
	bool unsaved;			/* the state is not in its file yet */
	char why[256];			/* there is nothing to manage */
	char trouble[256];		/* there is, and it cannot be looked at */
};

/*
 * One round: looks, decides, writes what differs, and says why it differed.
 * @why: what set it off. Returns 0 or a negative errno, which says that there is
 * no fabric to be looked at.
 */
int fm_round(struct fm *fm, const char *why);

/**
 * struct fm_round - one round
 * @fm:		the manager
 * @why:	what set it off
 * @view:	what was seen
 * @order:	what each device of @view is to write next, or NULL
 * @seen:	xPUs that the switch of a plane sees
 * @failed:	xPUs with what could not be written, or looked at
 * @kept:	xPUs that could not leave their partition
 * @failed_groups: groups that could not be written
 */
struct fm_round {
	struct fm *fm;
	const char *why;
	struct fm_view view;
	struct fm_order **order;
	struct alink_set seen[ALINK_MAX_PLANES];
	struct alink_set failed;
	struct alink_set kept;
	struct alink_set failed_groups;
};

/* An entry of the order of a device, to be filled in; NULL: out of memory */
struct fm_write *fm_round_add(struct fm_round *r,
			      const struct alink_device_info *d);
/* All devices at once do what was added; who does not answer is left alone. */
void fm_round_carry_out(struct fm_round *r, const char *what);
/* Groups of the configuration, and those that are not in it any more */
void fm_groups(struct fm_round *r);
/* Where each cable and each xPU is, at the end of a round */
void fm_stages(struct fm_round *r);
/* Of a clock that starts above 0, and goes on while the machine sleeps */
uint64_t fm_now_ms(void);
/* In long rounds; fm_main.c */
void fm_beat(struct fm *fm);

/* --- another configuration: fm_reload.c ---------------------------------------- */

/*
 * Reads it again. One that moves xPUs is committed as a whole or not at all; NULL, or
 * why the one before it stays, which is good until the next call.
 */
const char *fm_reload(struct fm *fm);

/* --- alink fm: fm_socket.c ----------------------------------------------------- */

/* What is asked, as an object with "command"; the answer, for the caller */
struct json_object *fm_answer(struct fm *fm, struct json_object *request);
/* A listening socket, or a negative errno, which is logged. */
int fm_listen(const struct fm_config *c);
/* A round is wanted in so many milliseconds at most; fm_main.c */
void fm_soon(struct fm *fm, uint32_t ms);

#endif /* FM_H */
