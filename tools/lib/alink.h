/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libalink: an ALink supernode from user space.
 *
 * Every function that can fail returns 0 or a negative errno, and leaves a
 * sentence in alink_error() that names the thing and the next step. A context
 * and what is made from it belong to one thread at a time; different contexts
 * are independent of each other.
 */
#ifndef ALINK_H
#define ALINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hw/alink/common.h>
#include <hw/alink/fabric.h>
#include <hw/alink/link.h>
#include <hw/alink/xpu.h>

#ifdef __cplusplus
extern "C" {
#endif

struct alink_ctx;
struct alink_xpu;
struct alink_bo;
struct alink_queue;

/* --- context ------------------------------------------------------------ */

/**
 * alink_new() - make a context
 * @ctx: set on success
 *
 * Touches no device and no driver. Return: 0 or -ENOMEM.
 */
int alink_new(struct alink_ctx **ctx);
void alink_free(struct alink_ctx *ctx);

/**
 * alink_error() - what the latest failing call on @ctx had to say
 *
 * Return: text, never NULL; valid until the next call.
 */
const char *alink_error(const struct alink_ctx *ctx);

/* Library version, "major.minor.patch". */
const char *alink_version(void);

/* --- inventory: what the kernel knows ------------------------------------ */

/**
 * struct alink_device_info - one ALink PCI function with its driver bound
 * @index:	number that the kernel gave, stable while the device is there
 * @type:	what it is
 * @name:	as the kernel calls it: xpu0, sw3, ...
 * @pci:	PCI address
 * @fw:		firmware version
 * @serial:	number that is unique in the fabric
 * @caps:	ALINK_CAP_*
 * @variant:	variant within the type
 * @fabric_id:	endpoint id of an xPU, plane of a switch, or ALINK_ID_NONE
 * @num_links:	link windows: links of an xPU, ports of a switch
 * @state:	"ready", "faulted", ..., as the kernel sees the device
 * @generation:	resets since power on
 * @guest_errors: mistakes of drivers and users that the device counted
 */
struct alink_device_info {
	uint32_t index;
	enum alink_devtype type;
	char name[32];
	char pci[32];
	char fw[32];
	char state[16];
	uint64_t serial;
	uint64_t caps;
	uint32_t variant;
	uint32_t fabric_id;
	uint32_t num_links;
	uint32_t generation;
	uint32_t guest_errors;
};

/**
 * alink_devices() - list the devices that have their driver bound
 * @ctx:	context
 * @list:	set to an array in the order of names, which the caller frees
 * @n:		its length
 *
 * Errors: -ENOPROTOOPT: alink.ko is not loaded; -ENOMEM; -EIO: sysfs has
 * something that this library does not understand.
 */
int alink_devices(struct alink_ctx *ctx, struct alink_device_info **list,
		  size_t *n);

/**
 * alink_device_index() - the number of the device with that name
 * @ctx:	context
 * @name:	as the kernel calls it
 * @index:	set
 *
 * Looks at that device alone, so it costs the same however many there are.
 *
 * Errors: -ENODEV: there is none; -ENOPROTOOPT and -EIO as of alink_devices().
 */
int alink_device_index(struct alink_ctx *ctx, const char *name,
		       uint32_t *index);

/**
 * alink_set_root() - read sysfs below another directory
 * @ctx: context
 * @dir: what stands for "/", with sys/class/alink in it: a recorded tree
 *
 * Return: 0 or -ENAMETOOLONG.
 */
int alink_set_root(struct alink_ctx *ctx, const char *dir);

/* --- fabric: links and tables --------------------------------------------- */

/* Instead of the index of a device: all devices, or every switch */
#define ALINK_ALL	0xffffffffU

/* Counters of one end of a link since power on, Documentation/hw/fabric.rst */
struct alink_link_stats {
	uint64_t downs;
	uint64_t tx_bytes, rx_bytes;		/* payload */
	uint64_t tx_packets, rx_packets;
	uint64_t tx_raw, rx_raw;		/* bytes on the wire */
	uint64_t fec_corr, fec_uncorr;		/* code words */
	uint64_t crc_errors, replays;		/* flits */
	uint64_t tx_errors, rx_errors;		/* operations */
	uint64_t stall_ns, busy_ns;		/* modelled */
};

/**
 * struct alink_link_info - one link of an xPU, or port of a switch
 * @dev:	index of the device
 * @link:	number of the link or port
 * @ifindex:	of its netdev in the initial namespace, 0 without one there
 * @state:	enum alink_link_state
 * @reason:	enum alink_down_reason
 * @speed:	present rate per direction, Mb/s; 0 when down
 * @max_speed:	rate of the variant per direction, Mb/s
 * @lanes:	in use
 * @max_lanes:	fitted
 * @fec:	enum alink_fec
 * @module:	as ALINK_LINK_MODULE of hw/alink/link.h; ALINK_ID_NONE: copper
 * @peer_type:	enum alink_devtype of the other end, 0 without one
 * @peer_id:	its endpoint id or plane
 * @peer_link:	its link or port
 * @peer_serial: its serial number
 * @stats:	counters
 * @ber:	wrong bits of those received, before FEC, at the present rate, x
 *		10^-15; 0 when down, and where the device does not tell
 */
struct alink_link_info {
	uint32_t dev;
	uint32_t link;
	uint32_t ifindex;
	uint32_t state;
	uint32_t reason;
	uint32_t speed;
	uint32_t max_speed;
	uint32_t lanes;
	uint32_t max_lanes;
	uint32_t fec;
	uint32_t module;
	uint32_t peer_type;
	uint32_t peer_id;
	uint32_t peer_link;
	uint64_t peer_serial;
	struct alink_link_stats stats;
	uint64_t ber;
};

enum alink_module_presence {
	ALINK_MODULE_UNKNOWN,	/* its controller is not managed from this host */
	ALINK_MODULE_MISSING,	/* nothing in the cage */
	ALINK_MODULE_SILENT,	/* in the cage, and cannot be read */
	ALINK_MODULE_FITTED,
};

/**
 * struct alink_module_info - the optical module that carries a link
 * @controller:	name of its controller, empty when unknown
 * @cage:	cage of the controller
 * @first_lane:	first lane of the link in the module, from 0
 * @presence:	whether it is there
 * @state:	CMIS_STATE_* of hw/alink/cmis.h; 0: not known
 * @fault:	CMIS_FAULT_*, with CMIS_STATE_FAULT
 * @part:	part number, empty when not known
 * @serial:	serial number, empty when not known
 * @temp_known:	@temp is set
 * @temp:	temperature, milli-degree Celsius
 */
struct alink_module_info {
	char controller[32];
	uint32_t cage;
	uint32_t first_lane;
	enum alink_module_presence presence;
	uint32_t state;
	uint32_t fault;
	char part[20];
	char serial[20];
	bool temp_known;
	int32_t temp;
};

/**
 * alink_module() - the module behind a link
 * @ctx:	context
 * @link:	the link
 * @dev:	devices of this host, see alink_devices()
 * @n:		their number
 * @info:	set on success
 *
 * Whether a module is there, and its temperature, anybody may know. Its state
 * and what it is called come from its memory, as for "ethtool -m", which takes
 * CAP_NET_ADMIN and the netdev of the link: without them they are not known.
 *
 * Errors: -ENOENT: the link is copper; -ENOMEM.
 */
int alink_module(struct alink_ctx *ctx, const struct alink_link_info *link,
		 const struct alink_device_info *dev, size_t n,
		 struct alink_module_info *info);

/* A set of ports, or of endpoints */
struct alink_set {
	uint64_t bits[ALINK_MAX_PORTS / 64];
};

static inline bool alink_set_has(const struct alink_set *s, uint32_t i)
{
	return i < ALINK_MAX_PORTS && (s->bits[i / 64] >> (i % 64) & 1);
}

static inline void alink_set_add(struct alink_set *s, uint32_t i)
{
	if (i < ALINK_MAX_PORTS)
		s->bits[i / 64] |= 1ULL << (i % 64);
}

uint32_t alink_set_count(const struct alink_set *s);

struct alink_route_info {
	uint32_t dev;
	uint32_t dst;			/* endpoint id */
	uint32_t min_ports;
	struct alink_set ports;		/* links, on an xPU */
	struct alink_set spares;	/* links that stand in; ALINK_CAP_SPARES */
};

struct alink_group_info {
	uint32_t dev;
	uint32_t id;
	uint64_t key;			/* 0: not shown to this user */
	uint64_t epoch;			/* changes */
	uint64_t reductions;
	uint64_t bytes;			/* of results */
	struct alink_set members;	/* endpoint ids */
};

struct alink_partition_info {
	uint32_t dev;
	uint32_t endpoint;
	uint32_t partition;
};

/**
 * struct alink_segment_info - memory that an xPU opens to others
 * @dev:	index of the xPU
 * @id:		number of the segment there
 * @endpoint:	of the xPU
 * @rights:	ALINK_SEG_*
 * @size:	bytes
 * @extents:	pieces of HBM
 * @partition:	that it belongs to; 0: none so far
 * @bindings:	groups that it is memory of
 * @pid:	process that opened it; 0: not known here
 * @comm:	name of its thread then; what is not printable is '?'; empty without
 *		CAP_NET_ADMIN
 */
struct alink_segment_info {
	uint32_t dev;
	uint32_t id;
	uint32_t endpoint;
	uint32_t rights;
	uint64_t size;
	uint32_t extents;
	uint32_t partition;
	uint32_t bindings;
	uint32_t pid;
	char comm[16];
};

/*
 * Show links and tables of the device with index @dev, or of ALINK_ALL. *list
 * is for the caller to free; NULL when empty. Errors: -ENOPROTOOPT: alink.ko is
 * not loaded; -ENODEV: no such device; -EOPNOTSUPP: it has no such table;
 * -ENOMEM; or what the kernel said, in its words.
 */
int alink_links(struct alink_ctx *ctx, uint32_t dev,
		struct alink_link_info **list, size_t *n);
int alink_routes(struct alink_ctx *ctx, uint32_t dev,
		 struct alink_route_info **list, size_t *n);
int alink_groups(struct alink_ctx *ctx, uint32_t dev,
		 struct alink_group_info **list, size_t *n);
int alink_partitions(struct alink_ctx *ctx, uint32_t dev,
		     struct alink_partition_info **list, size_t *n);
int alink_segments(struct alink_ctx *ctx, uint32_t dev,
		   struct alink_segment_info **list, size_t *n);

/*
 * Change tables; CAP_NET_ADMIN. Groups and partitions go to one switch, or to
 * every one with ALINK_ALL: then all of them take it, or none keeps it. Errors
 * as above, and -EPERM, -EINVAL, -ERANGE, -EEXIST, -ENOENT, -EBUSY.
 */
int alink_route_add(struct alink_ctx *ctx, const struct alink_route_info *r);
int alink_route_del(struct alink_ctx *ctx, uint32_t dev, uint32_t dst);
int alink_group_add(struct alink_ctx *ctx, const struct alink_group_info *g);
int alink_group_del(struct alink_ctx *ctx, uint32_t dev, uint32_t id);
int alink_partition_set(struct alink_ctx *ctx, uint32_t dev, uint32_t endpoint,
			uint32_t partition);
/* Nobody uses the segment any more when this returns. */
int alink_segment_revoke(struct alink_ctx *ctx, uint32_t dev, uint32_t id);

/**
 * alink_group_make() - make a group on every switch
 * @ctx:	context
 * @members:	endpoint ids
 * @id:		set to the first id that was free on all of them
 * @key:	set to a random key
 *
 * Errors: as alink_group_add(); -EEXIST: no id is free.
 */
int alink_group_make(struct alink_ctx *ctx, const struct alink_set *members,
		     uint32_t *id, uint64_t *key);

/**
 * alink_fabric_up() - make every xPU reach every other over all its links
 * @ctx:	context
 * @partition:	1..1023: where all endpoints go
 *
 * Writes the routes that the cabling allows, as link windows tell it, to the
 * switches and xPUs of this host, and puts all endpoints that they see in one
 * partition. Doing it again changes nothing; existing routes to the same
 * endpoints are replaced, groups stay.
 */
int alink_fabric_up(struct alink_ctx *ctx, uint32_t partition);

/**
 * alink_fabric_ensure() - alink_fabric_up(), unless somebody manages the fabric
 * @ctx:	context
 * @partition:	as for alink_fabric_up()
 *
 * For programs that want to work with or without a fabric manager: where there
 * is one, who may reach whom is for it to say, and this does nothing.
 */
int alink_fabric_ensure(struct alink_ctx *ctx, uint32_t partition);

/* --- fabric: who manages it ----------------------------------------------- */

/**
 * struct alink_manager_info - who manages the fabric
 * @managed:	somebody does: nobody else writes routes and partitions
 * @silent:	it has not beaten for longer than @beat_ms
 * @epoch:	claims since alink.ko was loaded
 * @pid:	its process
 * @beat_ms:	how often it promised to beat
 * @age_ms:	since its last beat
 * @name:	what it calls itself
 */
struct alink_manager_info {
	bool managed;
	bool silent;
	uint32_t epoch;
	uint32_t pid;
	uint32_t beat_ms;
	uint32_t age_ms;
	char name[32];
};

int alink_manager(struct alink_ctx *ctx, struct alink_manager_info *m);

/**
 * alink_manager_claim() - manage the fabric from this context
 * @ctx:	context; CAP_NET_ADMIN
 * @name:	1 to 31 characters, for those who are refused
 * @beat_ms:	100..30000: alink_manager_beat() is called that often at least
 *
 * Lasts until alink_manager_release(), alink_free(), or the process ends,
 * however. The tables stay as they are then. Other contexts of this process
 * write, too, so that one device that does not answer holds up one thread.
 *
 * Errors: -EBUSY: somebody manages it, whom alink_error() names; -EPERM.
 */
int alink_manager_claim(struct alink_ctx *ctx, const char *name,
			uint32_t beat_ms);
/* Errors: -ENOENT: this context does not manage the fabric (any more). */
int alink_manager_beat(struct alink_ctx *ctx);
int alink_manager_release(struct alink_ctx *ctx);

struct alink_watch;

/**
 * alink_watch_open() - be told when something happens in the fabric
 * @ctx:	context
 * @watch:	set on success; alink_watch_close() frees it
 *
 * Devices that come and go, links, faults, tables, managers. What it was is to
 * be looked up: events that pile up are as good as one.
 */
int alink_watch_open(struct alink_ctx *ctx, struct alink_watch **watch);
void alink_watch_close(struct alink_watch *watch);
/* For poll(): readable when something has happened */
int alink_watch_fd(const struct alink_watch *watch);
/* Takes what has happened, and counts it; does not wait. */
int alink_watch_drain(struct alink_watch *watch, unsigned int *events);

/* --- an xPU -------------------------------------------------------------- */

struct alink_xpu_info {
	uint32_t index;		/* as in struct alink_device_info */
	uint32_t accel_minor;	/* /dev/accel/accelN */
	uint32_t variant;
	uint32_t fabric_id;
	uint32_t num_dies;
	uint32_t num_links;
	uint32_t dtypes;	/* bitmap of enum alink_dtype */
	uint32_t compute_funcs;	/* bitmap of enum alink_xpu_func */
	uint32_t compute_dtypes; /* bitmap of enum alink_dtype that these take */
	uint64_t caps;		/* ALINK_CAP_* */
	uint64_t hbm_bytes;
	uint64_t hbm_visible_bytes;
	uint64_t serial;
	char name[32];
};

/* Counters since power on, and HBM in use by all files */
struct alink_xpu_counters {
	uint64_t clock_ns, busy_ns, commands, irqs, doorbells;
	uint64_t hbm_total, hbm_used;
	uint32_t guest_errors;
};

/**
 * alink_xpu_open() - open an xPU by its fabric id
 * @ctx:	context
 * @fabric_id:	endpoint id
 * @xpu:	set on success
 *
 * The xPU gets an address space of its own, which lasts until
 * alink_xpu_close() and holds the buffers allocated through it.
 *
 * Errors: -ENODEV, -EACCES (the caller is not in the group of the node).
 */
int alink_xpu_open(struct alink_ctx *ctx, uint32_t fabric_id,
		   struct alink_xpu **xpu);
int alink_xpu_open_minor(struct alink_ctx *ctx, uint32_t minor,
			 struct alink_xpu **xpu);
void alink_xpu_close(struct alink_xpu *xpu);
const struct alink_xpu_info *alink_xpu_info(const struct alink_xpu *xpu);
int alink_xpu_counters(struct alink_xpu *xpu, struct alink_xpu_counters *c);
/* The file behind it, for what the library does not wrap. */
int alink_xpu_fd(const struct alink_xpu *xpu);

enum alink_place {
	ALINK_PLACE_HOST,	/* system memory */
	ALINK_PLACE_HBM,	/* HBM, not mapped by the CPU */
	ALINK_PLACE_HBM_CPU,	/* HBM that alink_bo_map() can map */
};

/**
 * alink_bo_alloc() - allocate memory and bind it for the xPU to use
 * @xpu:	xPU
 * @size:	bytes; rounded up to pages
 * @place:	where
 * @bo:		set on success
 *
 * The memory is zeroed. Buffers of 2 MiB and more are bound with large pages.
 */
int alink_bo_alloc(struct alink_xpu *xpu, uint64_t size, enum alink_place place,
		   struct alink_bo **bo);
/*
 * Likewise, with an address that is its own already, but not bound: commands at
 * it fail until alink_bo_bind_async() has done its work.
 */
int alink_bo_alloc_unbound(struct alink_xpu *xpu, uint64_t size,
			   enum alink_place place, struct alink_bo **bo);
void alink_bo_free(struct alink_bo *bo);
uint64_t alink_bo_va(const struct alink_bo *bo);	/* device virtual address */
uint64_t alink_bo_size(const struct alink_bo *bo);
/* Maps the buffer on the first call; NULL: alink_error() says why. */
void *alink_bo_map(struct alink_bo *bo);

/**
 * alink_bo_user() - let the xPU use memory of the calling process
 * @xpu:	xPU
 * @mem:	where it is; a multiple of the page size
 * @size:	bytes; a multiple of the page size
 * @bo:		set on success
 *
 * Nothing is copied or pinned: the xPU sees what the process has there at any
 * time, and a command that comes upon a page that is gone fails. The memory is
 * the caller's before and after; alink_bo_map() returns @mem.
 *
 * Errors: -EINVAL (alignment), -EFAULT (not all of it is memory), -EACCES
 * (memory that may not be written), -EOPNOTSUPP (memory of a device or of a
 * file on disk, or this xPU cannot).
 */
int alink_bo_user(struct alink_xpu *xpu, void *mem, uint64_t size,
		  struct alink_bo **bo);
/**
 * alink_bo_fd() - a buffer as a dma-buf
 * @bo:	buffer of alink_bo_alloc()
 * @fd:	set to a file that closes on exec; the memory lasts as long as it
 *
 * For other processes, other xPUs of this host, and other drivers. Errors:
 * -EOPNOTSUPP (not memory of its own), as of the driver.
 */
int alink_bo_fd(struct alink_bo *bo, int *fd);
/**
 * alink_bo_from_fd() - use a dma-buf
 * @xpu:	xPU
 * @fd:		file of alink_bo_fd(), or of another driver; stays the caller's
 * @bo:		set on success; to read and to write
 *
 * Errors: -EBADF, -EINVAL (it is no dma-buf), as of the driver.
 */
int alink_bo_from_fd(struct alink_xpu *xpu, int fd, struct alink_bo **bo);

/* Names memory of another xPU; carried between processes as plain bytes. */
struct alink_handle {
	uint32_t endpoint;
	uint32_t segment;
	uint64_t key;
	uint64_t size;
	uint32_t rights;	/* ALINK_SEG_READ, _WRITE, _ATOMIC */
	uint32_t reserved;
};

int alink_export(struct alink_bo *bo, uint32_t rights, struct alink_handle *h);
/* Ends all exports of the buffer; returns when nobody is still using them. */
int alink_revoke(struct alink_bo *bo);
/* The result has an address, no memory of its own, and cannot be mapped. */
int alink_import(struct alink_xpu *xpu, const struct alink_handle *h,
		 struct alink_bo **bo);

/* Make @size bytes at @offset of @bo this xPU's memory in a group. */
int alink_group_bind(struct alink_bo *bo, uint32_t group, uint64_t key,
		     uint64_t offset, uint64_t size);
/* The result stands for the memory of all members at once. */
int alink_group_map(struct alink_xpu *xpu, uint32_t group, uint64_t key,
		    uint64_t size, struct alink_bo **bo);

/* --- queues -------------------------------------------------------------- */

/**
 * alink_queue_open() - make a queue with a ring of @depth descriptors
 * @depth: power of two, 2..65536
 *
 * Commands are prepared with alink_cmd_*() and start with the next
 * alink_queue_kick(). They run in order.
 */
int alink_queue_open(struct alink_xpu *xpu, uint32_t depth,
		     struct alink_queue **queue);
void alink_queue_close(struct alink_queue *queue);

/*
 * Append one raw descriptor; the library adds a fence to every one. -EAGAIN:
 * the ring is full, kick and wait. @seq, if not NULL, is what alink_queue_wait()
 * wants.
 */
int alink_cmd(struct alink_queue *q, const struct alink_xpu_desc *desc,
	      uint64_t *seq);
int alink_cmd_nop(struct alink_queue *q, uint64_t *seq);
int alink_cmd_copy(struct alink_queue *q, uint64_t dst, uint64_t src,
		   uint64_t bytes, uint64_t *seq);
int alink_cmd_fill(struct alink_queue *q, uint64_t dst, uint32_t value,
		   uint64_t bytes, uint64_t *seq);
/* dst := a op b, element by element */
int alink_cmd_reduce(struct alink_queue *q, uint64_t dst, uint64_t a,
		     uint64_t b, uint64_t bytes, enum alink_dtype dtype,
		     enum alink_redop op, uint64_t *seq);
/*
 * The same, and @b gets the result once @dst has it. @dst is another xPU's or a
 * group's. -EOPNOTSUPP: the xPU has no ALINK_CAP_REDUCE_KEEP.
 */
int alink_cmd_reduce_keep(struct alink_queue *q, uint64_t dst, uint64_t a,
			  uint64_t b, uint64_t bytes, enum alink_dtype dtype,
			  enum alink_redop op, uint64_t *seq);
/* dst := op over all members of the group that @src lies in */
int alink_cmd_reduce_read(struct alink_queue *q, uint64_t dst, uint64_t src,
			  uint64_t bytes, enum alink_dtype dtype,
			  enum alink_redop op, uint64_t *seq);
/**
 * alink_cmd_push_reduce() - append this member's part of a reducing push
 * @q:		queue
 * @dst:	in a group: where each member gets the result
 * @src:	what this member has, in HBM or system memory
 * @bytes:	size, the same at all members
 * @dtype:	type of the elements
 * @op:		reduction
 * @epoch:	number that all members agree on, up to ALINK_PUSH_MAX_EPOCH
 * @timeout_ms:	how long this member waits for the others, 1..65535; 0: 1 s
 * @seq:	as alink_cmd()
 *
 * Ends when all members have appended theirs, or with an error of the queue: when
 * the time is over ALINK_ST_TIMEOUT, and ALINK_ST_EPOCH at a member that comes
 * after that (Documentation/hw/fabric.rst, "Reducing push"). A higher epoch works
 * then.
 *
 * Errors: as alink_cmd(), -EOPNOTSUPP (this xPU cannot), -EINVAL (@epoch,
 * @timeout_ms).
 */
int alink_cmd_push_reduce(struct alink_queue *q, uint64_t dst, uint64_t src,
			  uint64_t bytes, enum alink_dtype dtype,
			  enum alink_redop op, uint64_t epoch,
			  uint32_t timeout_ms, uint64_t *seq);
/* Atomic of 4 or 8 bytes at @dst; the old value goes to @old_va unless 0. */
int alink_cmd_atomic(struct alink_queue *q, unsigned int width, uint64_t dst,
		     enum alink_atomic op, uint64_t operand, uint64_t compare,
		     uint64_t old_va, uint64_t *seq);

/**
 * struct alink_matrix - a matrix in device memory, row by row
 * @va:		device virtual address of the first element
 * @stride:	bytes from row to row; 0, of operands: one row stands for all
 * @scale_va:	ALINK_DT_MXFP4: address of the scales
 * @scale_stride: ALINK_DT_MXFP4: bytes from the scales of a row to the next ones
 * @dtype:	type of the elements
 */
struct alink_matrix {
	uint64_t va;
	uint64_t stride;
	uint64_t scale_va;
	uint32_t scale_stride;
	enum alink_dtype dtype;
};

/* Rows of @cols elements without gaps; not for ALINK_DT_MXFP4. */
struct alink_matrix alink_dense(enum alink_dtype dtype, uint64_t va,
				uint32_t cols);
/* Likewise of ALINK_DT_MXFP4, the scales of all rows at @scale_va. */
struct alink_matrix alink_dense_mxfp4(uint64_t va, uint64_t scale_va,
				      uint32_t cols);

/**
 * struct alink_compute - what a function of the compute engines works on
 * @flags:	ALINK_XPU_CF_*
 * @m:		rows of the result
 * @n:		columns
 * @k:		as enum alink_xpu_func says, else 0
 * @param:	as it says, else 0
 * @dst:	result
 * @a:		first operand
 * @b:		second operand; all 0 without one
 */
struct alink_compute {
	uint32_t flags;
	uint32_t m, n, k;
	float param;
	struct alink_matrix dst, a, b;
};

/**
 * alink_cmd_compute() - append a function of the compute engines
 * @q:		queue
 * @func:	function; Documentation/hw/xpu.rst, "Compute", says what each does
 * @c:		operands, in HBM or system memory; copied
 * @seq:	as alink_cmd()
 *
 * The engine checks the operands: a mistake is seen in alink_queue_state().
 * Errors: as alink_cmd(), -EOPNOTSUPP (this xPU has no such function), -ENOMEM.
 */
int alink_cmd_compute(struct alink_queue *q, enum alink_xpu_func func,
		      const struct alink_compute *c, uint64_t *seq);
/*
 * dst[m][n] := a[m][k] * b[k][n]. @flags: ALINK_XPU_CF_*; with TRANS_A a is
 * stored as a[k][m], with TRANS_B b as b[n][k], and the strides are those of
 * what is stored: a * b^T needs no copy.
 */
int alink_cmd_gemm(struct alink_queue *q, uint32_t m, uint32_t n, uint32_t k,
		   const struct alink_matrix *dst, const struct alink_matrix *a,
		   const struct alink_matrix *b, uint32_t flags, uint64_t *seq);
/* dst := a, @m rows of @n, each in its own type */
int alink_cmd_cast(struct alink_queue *q, uint32_t m, uint32_t n,
		   const struct alink_matrix *dst, const struct alink_matrix *a,
		   uint32_t flags, uint64_t *seq);

/*
 * The queue goes on when the 64 bits at @va, in own HBM or system memory, are
 * equal to @value, or (ALINK_WAIT_GE) not less.
 */
int alink_cmd_wait(struct alink_queue *q, uint64_t va, enum alink_wait cond,
		   uint64_t value, uint64_t *seq);
/*
 * The same, for @timeout_ms at most since the queue got there; 0: for ever. Then
 * the queue halts with ALINK_ST_TIMEOUT. Errors: -EOPNOTSUPP: this xPU has no
 * such time.
 */
int alink_cmd_wait_ms(struct alink_queue *q, uint64_t va, enum alink_wait cond,
		      uint64_t value, uint32_t timeout_ms, uint64_t *seq);

/* Start all that was appended: one doorbell. */
void alink_queue_kick(struct alink_queue *q);

/**
 * alink_queue_wait() - wait for a command
 * @q:		queue
 * @seq:	from alink_cmd*()
 * @timeout_ms:	-1: for ever
 *
 * Looks at memory for a moment, then sleeps on the interrupt.
 *
 * Errors: -ETIME; -EIO: a command failed, alink_queue_state() tells which and
 * why; -ECANCELED: the device was reset; -ENODEV: it is gone.
 */
int alink_queue_wait(struct alink_queue *q, uint64_t seq, int timeout_ms);
/*
 * Likewise, but starts nothing and goes to the kernel at once; the command need
 * not be there yet. It is for a thread that sleeps until what another one
 * starts is done, so that one may use the queue meanwhile, against the rule
 * above; the two share one alink_error().
 */
int alink_queue_sleep(struct alink_queue *q, uint64_t seq, int timeout_ms);
/*
 * How often alink_queue_wait() looks at memory before it sleeps on the
 * interrupt. With ALINK_SPIN_ONLY it never sleeps, and commands started after
 * that ask for no interrupt: for queues that one busy thread serves.
 */
#define ALINK_SPIN_DEFAULT	2000
#define ALINK_SPIN_ONLY		0xffffffffU
void alink_queue_set_spin(struct alink_queue *q, unsigned int looks);
/* Only looks at memory: true if @seq is done. */
bool alink_queue_done(const struct alink_queue *q, uint64_t seq);

/**
 * struct alink_queue_state - what the status block of a queue says, and of one
 * that has stopped the driver
 * @status:	enum alink_status of the command that failed, or ALINK_ST_OK
 * @index:	its number, counted from the first command of the queue
 * @addr:	address at fault, or 0
 * @model_ns:	modelled time of all commands so far
 * @model_last_ns: modelled time of the latest command
 * @bytes:	bytes moved so far
 * @head:	commands that all this is about: the low 32 bits of the number of the
 *		latest one. It may be behind what alink_queue_wait() has seen
 */
struct alink_queue_state {
	enum alink_status status;
	uint32_t index;
	uint64_t addr;
	uint64_t model_ns;
	uint64_t model_last_ns;
	uint64_t bytes;
	uint32_t head;
};

void alink_queue_state(const struct alink_queue *q, struct alink_queue_state *s);

/* --- fences of the kernel -------------------------------------------------- */

/*
 * A syncobj of DRM: what other drivers, and other xPUs, wait for and signal. It
 * has one fence, or those of a timeline, at points that grow.
 */
struct alink_sync;

/* Most points in one call, those to wait for and the one to signal */
#define ALINK_MAX_SYNCS		64
/* Fences of the kernel have to end: the longest life of one, ms */
#define ALINK_SYNC_MAX_LIFE_MS	10000

/**
 * struct alink_sync_point - what to wait for, or to signal
 * @sync:	syncobj of the same xPU
 * @point:	of its timeline; 0: it has one fence, which a new one replaces
 */
struct alink_sync_point {
	struct alink_sync *sync;
	uint64_t point;
};

/* Errors: -ENOMEM; as of the driver. What waits for its fences goes on. */
int alink_sync_new(struct alink_xpu *xpu, struct alink_sync **sync);
void alink_sync_free(struct alink_sync *sync);
/* A file for other processes, xPUs and drivers; closes on exec. */
int alink_sync_fd(struct alink_sync *sync, int *fd);
/* Such a file, which stays the caller's. Errors: -EINVAL (it is none). */
int alink_sync_from_fd(struct alink_xpu *xpu, int fd, struct alink_sync **sync);

/**
 * alink_sync_wait() - wait until a point is signalled
 * @at:		point; nobody need have given it a fence yet
 * @timeout_ms:	-1: for ever
 *
 * Errors: -ETIME: not in this time; and how its fence ended: -EIO (the queue
 * halted), -ECANCELED (the queue, or the address space, is gone), -ETIMEDOUT (its
 * life was over), -ENODEV. A point of a timeline that has a later one ends
 * without an error once that is signalled, too.
 */
int alink_sync_wait(const struct alink_sync_point *at, int timeout_ms);

/**
 * alink_queue_sync() - a point is signalled when a command is done
 * @q:		queue
 * @seq:	from alink_cmd*(); started if it is not yet
 * @life_ms:	1..ALINK_SYNC_MAX_LIFE_MS, from now: then, or if the command
 *		fails, the point is signalled with an error
 * @out:	point
 *
 * Returns at once. With ALINK_SPIN_ONLY, and for commands that are not the last
 * before a kick, the signal may come 10 ms late, as without an interrupt.
 *
 * Errors: -EINVAL (@seq, @life_ms, @out of another xPU); -ENOSPC (the driver
 * follows as many fences as it can); as of the driver.
 */
int alink_queue_sync(struct alink_queue *q, uint64_t seq, uint32_t life_ms,
		     const struct alink_sync_point *out);

/**
 * alink_bo_bind_async() - bind a buffer at its address, later
 * @bo:		buffer
 * @in:		points that come first; each has a fence already
 * @num_in:	how many
 * @out:	signalled when it is done, or NULL
 *
 * Returns at once; memory that this takes is there. Calls for buffers of an xPU
 * are executed in their order, and alink_bo_alloc(), alink_bo_free() and their
 * like wait for those before them. What goes wrong later is the error of @out,
 * and then nothing has changed: that of a point in @in which ended with one, or
 * -ECANCELED (an import made before a reset).
 *
 * Errors: -EINVAL (a point without a fence, or of another xPU); -E2BIG (too many
 * points); -ENOSPC (too many such calls are not over yet); as of the driver.
 */
int alink_bo_bind_async(struct alink_bo *bo, const struct alink_sync_point *in,
			size_t num_in, const struct alink_sync_point *out);
/*
 * Likewise, unbind it: when @out is signalled no command reaches the memory any
 * more. The address stays the buffer's, which can be bound again.
 */
int alink_bo_unbind_async(struct alink_bo *bo,
			  const struct alink_sync_point *in, size_t num_in,
			  const struct alink_sync_point *out);

/* Text for codes: never NULL */
const char *alink_status_name(uint32_t status);
const char *alink_reason_name(uint32_t reason);
const char *alink_link_state_name(uint32_t state);
const char *alink_module_state_name(uint32_t state);
const char *alink_module_fault_name(uint32_t fault);
const char *alink_devtype_name(uint32_t type);
const char *alink_dtype_name(uint32_t dtype);
const char *alink_fec_name(uint32_t fec);
size_t alink_dtype_bytes(enum alink_dtype dtype);

#ifdef __cplusplus
}
#endif

#include <alink_comm.h>

#endif /* ALINK_H */
