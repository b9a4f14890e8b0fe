/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of alink.ko: the device structure and what the files of the module
 * offer each other.
 *
 * Locks, outermost first:
 *
 *	device lock of the PCI function (PCI core: probe, remove, reset, PM)
 *	  devlink instance lock
 *	    list of manager reporters (alink_manager_health.c)
 *	    rtnl
 *	      table lock (alink_netlink_tables.c)
 *	      alink_dev.state_lock
 *	        alink_dev.event_lock
 *	          alink_module registry lock (alink_module.c)
 *	            alink_admin.lock, alink_frames.tx_lock, xarray locks
 *	              alink_dev.mmio_lock
 *
 * A thread that waits for an admin command may hold any of the sleeping ones.
 */
#ifndef ALINK_PRIV_H
#define ALINK_PRIV_H

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <net/devlink.h>

#include <linux/alink/alink.h>

#define ALINK_NAME_LEN			16
#define ALINK_IDENTIFY_TEXT		64	/* room for a text of IDENTIFY */

/* How long firmware may take to become ready after a reset */
#define ALINK_READY_TIMEOUT_US		(10 * USEC_PER_SEC)

/* One admin command may take this long, with or without interrupts */
#define ALINK_ADMIN_TIMEOUT_MS		10000
#define ALINK_ADMIN_RING_SIZE		32
#define ALINK_ADMIN_SLOTS		8

/* Entries of the event ring: at least, and the most that there can be */
#define ALINK_EVENT_RING_MIN		256U
#define ALINK_EVENT_RING_MAX		4096U

/**
 * struct alink_admin_slot - one command in flight
 * @cid:	what the completion must name
 * @state:	enum alink_admin_slot_state
 * @req:	request buffer that the device reads
 * @resp:	response buffer that the device writes
 * @req_dma:	DMA address of @req
 * @resp_dma:	DMA address of @resp
 * @buf_len:	bytes of @req and of @resp
 * @cpl:	the completion as it came, or made up on abort
 * @error:	0, or why there is no completion
 * @done:	completed when @cpl or @error is valid
 */
struct alink_admin_slot {
	u32 cid;
	int state;
	void *req;
	void *resp;
	dma_addr_t req_dma;
	dma_addr_t resp_dma;
	size_t buf_len;
	struct alink_admin_cpl cpl;
	int error;
	struct completion done;
};

/**
 * struct alink_admin - admin queue
 * @lock:	protects everything here but @wait; taken in hard interrupt
 * @sq:		submission ring, device reads
 * @cq:		completion ring, device writes
 * @sq_dma:	DMA address of @sq
 * @cq_dma:	DMA address of @cq
 * @sq_tail:	free-running producer index
 * @cq_head:	free-running consumer index
 * @inflight:	commands between submission and completion
 * @seq:	makes each cid differ from the last one of its slot
 * @error:	0 while the queue runs, else what new commands get
 * @bad_cpls:	completions that answered nothing we asked
 * @missed_irqs: completions that only polling found
 * @slots:	commands
 * @wait:	waiters for a free slot
 */
struct alink_admin {
	/* protects the rings and the slots; taken in hard interrupt */
	spinlock_t lock;
	struct alink_admin_cmd *sq;
	struct alink_admin_cpl *cq;
	dma_addr_t sq_dma;
	dma_addr_t cq_dma;
	u32 sq_tail;
	u32 cq_head;
	u32 inflight;
	u32 seq;
	int error;
	u32 bad_cpls;
	u32 missed_irqs;
	struct alink_admin_slot slots[ALINK_ADMIN_SLOTS];
	wait_queue_head_t wait;
};

enum alink_dev_flag {
	ALINK_DEV_LOST,		/* reads all ones; never cleared */
	ALINK_DEV_REGISTERED,	/* visible to users */
	ALINK_DEV_STOPPED,	/* between reset_prepare and reset_done */
	ALINK_DEV_FAILED,	/* did not come back from a reset */
	ALINK_DEV_DOWN,		/* quiet for the next kernel; never cleared */
	ALINK_DEV_LEAVING,	/* the driver is about to go; never cleared */
	ALINK_DEV_UNCLEAN,	/* to be reset by the next driver; never cleared */
	ALINK_DEV_FLASHING,	/* devlink writes firmware, under its lock */
};

/**
 * struct alink_flap - when links that flap are held down
 * @limit:	how often one may go down within @window_ms; 0: it is never held
 * @window_ms:	see @limit; a multiple of ALINK_LINK_FLAP_UNIT_MS, as @hold_ms
 * @hold_ms:	for how long it is held
 */
struct alink_flap {
	u8 limit;
	u32 window_ms;
	u32 hold_ms;
};

/**
 * struct alink_dev - one ALink PCI function
 * @dev:	class device; frees this structure with its last reference
 * @pdev:	the function
 * @ops:	of the driver
 * @priv:	of the driver
 * @index:	key in the registry, unique while the device exists
 * @unit:	number within its type, as in its name
 * @name:	xpu0, sw0, opt0, nic0, rack0
 * @variant:	ALINK_REG_VARIANT
 * @version:	ALINK_REG_VERSION
 * @fw_version:	ALINK_REG_FW_VERSION
 * @region:	its registers, for devlink; NULL without
 * @fw_downgrade: firmware older than @fw_version may be written; under the
 *		devlink instance lock
 * @fabric_id:	ALINK_REG_FABRIC_ID
 * @num_links:	link windows
 * @caps:	ALINK_REG_CAPS
 * @serial:	ALINK_REG_SERIAL
 * @generation:	ALINK_REG_GENERATION when the device was last started
 * @num_vectors: vectors allocated, 1 or more
 * @irqs:	interrupts of vector 0; wraps; written by its handler
 * @flags:	enum alink_dev_flag
 * @mmio_lock:	protects changes of @bar and @epoch; innermost
 * @base:	BAR0 as mapped, from probe to remove
 * @bar:	@base, or NULL while in reset and after loss: the MMIO guard
 * @epoch:	counts changes of @bar that are not a loss
 * @state_lock:	serialises start, stop and loss of the device
 * @lost_work:	tells everybody that the device is gone
 * @wq:		ordered; events and health
 * @admin:	admin queue
 * @event_lock:	protects the consumer side of the event ring
 * @events:	event ring, device writes
 * @events_dma:	DMA address of @events
 * @event_size:	entries of @events, a power of 2
 * @event_head:	free-running consumer index, under @event_lock; read without
 *		it only to guess whether there is work
 * @events_on:	the device may write to the ring, under @event_lock
 * @events_lost: events that the device dropped since probe
 * @event_work:	drains the ring
 * @health_work: watches heartbeat, state and faults
 * @heartbeat:	last seen
 * @heartbeat_stale: checks in a row that found it unchanged
 * @guest_errors: last seen
 * @users:	references from the registry, see alink_dev_get_by_index()
 * @users_gone:	completed when @users drops to 0
 * @ports:	@num_links entries, NULL for ports that are not populated
 * @flap:	when links that flap are held down; changes under rtnl and the
 *		devlink lock, is read under either
 * @link_health: reporter of links that fail, or NULL
 * @manager_health: a switch's reporter of the fabric manager, or NULL
 * @frames:	link-level frame rings, or NULL
 * @hwmon:	hwmon device, or NULL
 */
struct alink_dev {
	struct device dev;
	struct pci_dev *pdev;
	const struct alink_dev_ops *ops;
	void *priv;

	u32 index;
	u32 unit;
	char name[ALINK_NAME_LEN];
	u32 variant;
	u32 version;
	u32 fw_version;
	bool fw_downgrade;
	struct devlink_region *region;
	u32 fabric_id;
	u32 num_links;
	u64 caps;
	u64 serial;
	u32 generation;
	unsigned int num_vectors;
	u32 irqs;
	unsigned long flags;

	/* innermost lock: protects changes of bar and epoch */
	spinlock_t mmio_lock;
	void __iomem *base;
	void __iomem *bar;
	u32 epoch;

	/* serialises start, stop and loss of the device */
	struct mutex state_lock;
	struct work_struct lost_work;
	struct workqueue_struct *wq;

	struct alink_admin admin;

	/* protects the consumer side of the event ring */
	struct mutex event_lock;
	struct alink_event *events;
	dma_addr_t events_dma;
	u32 event_size;
	u32 event_head;
	bool events_on;
	u64 events_lost;
	struct work_struct event_work;

	struct delayed_work health_work;
	u32 heartbeat;
	u32 heartbeat_stale;
	u32 guest_errors;

	refcount_t users;
	struct completion users_gone;

	struct alink_port **ports;
	struct alink_flap flap;
	struct alink_link_health *link_health;
	struct alink_manager_health *manager_health;
	struct alink_frames *frames;
	struct device *hwmon;
};

static inline struct alink_dev *to_alink_dev(struct device *dev)
{
	return container_of(dev, struct alink_dev, dev);
}

/* alink_core.c */
struct alink_dev *alink_dev_get_by_index(u32 index);
struct alink_dev *alink_dev_get_next(u32 *index);
void alink_dev_put(struct alink_dev *adev);
const char *alink_devtype_name(u32 devtype);
const char *alink_dev_state_name(struct alink_dev *adev);

/* alink_mmio.c */
void alink_mmio_open(struct alink_dev *adev);
void alink_mmio_close(struct alink_dev *adev);
void alink_mmio_lose(struct alink_dev *adev);
int alink_regs_begin(struct alink_dev *adev, u32 *epoch);
int alink_regs_end(struct alink_dev *adev, u32 epoch);
int alink_read64(struct alink_dev *adev, u32 reg, u64 *value);

/* alink_handshake.c */
int alink_handshake(struct alink_dev *adev);
int alink_handshake_again(struct alink_dev *adev);
int alink_soft_reset(struct alink_dev *adev);
int alink_selftest_value(struct alink_dev *adev);
int alink_selftest_dma(struct alink_dev *adev);

/* alink_irq.c */
int alink_selftest_irq_used(struct alink_dev *adev);
int alink_irq_init(struct alink_dev *adev);
void alink_irq_fini(struct alink_dev *adev);

/* alink_admin.c */
void alink_admin_setup(struct alink_admin *admin);
int alink_admin_init(struct alink_dev *adev);
void alink_admin_fini(struct alink_dev *adev);
int alink_admin_start(struct alink_dev *adev);
void alink_admin_stop(struct alink_dev *adev, int error);
void alink_admin_poll(struct alink_dev *adev);

/* alink_event.c */
int alink_event_init(struct alink_dev *adev);
void alink_event_fini(struct alink_dev *adev);
int alink_event_start(struct alink_dev *adev);
void alink_event_stop(struct alink_dev *adev);
void alink_event_kick(struct alink_dev *adev);
void alink_event_resync(struct alink_dev *adev);

/* alink_health.c */
void alink_health_init(struct alink_dev *adev);
void alink_health_start(struct alink_dev *adev);
void alink_health_stop(struct alink_dev *adev);

/* alink_reset.c */
int alink_dev_start(struct alink_dev *adev);
void alink_dev_stop(struct alink_dev *adev, int error);
void alink_dev_disable(struct alink_dev *adev);
void alink_dev_lost_work(struct work_struct *work);

/* alink_port.c */
void alink_port_event(struct alink_dev *adev, const struct alink_event *event);
void alink_ports_resync(struct alink_dev *adev);
void alink_ports_detach(struct alink_dev *adev);
void alink_ports_attach(struct alink_dev *adev);

/* alink_frames.c */
void alink_frames_kick(struct alink_dev *adev);
int alink_frames_start(struct alink_dev *adev);
void alink_frames_stop(struct alink_dev *adev);

/* alink_devlink.c */
struct alink_dev *alink_devlink_dev(struct devlink *devlink);
int alink_devlink_params_register(struct devlink *devlink);
void alink_devlink_params_unregister(struct devlink *devlink);

/* Parameters of our own, whichever file has them */
enum alink_devlink_param {
	ALINK_DEVLINK_PARAM_BASE = DEVLINK_PARAM_GENERIC_ID_MAX,
	ALINK_DEVLINK_PARAM_FW_DOWNGRADE,
	ALINK_DEVLINK_PARAM_FLAP_LIMIT,
	ALINK_DEVLINK_PARAM_FLAP_WINDOW,
	ALINK_DEVLINK_PARAM_FLAP_HOLD,
};

/* alink_link_flap.c */
void alink_flap_init(struct alink_dev *adev);
int alink_flap_params_register(struct devlink *devlink);
void alink_flap_params_unregister(struct devlink *devlink);

/* alink_region.c */

/**
 * struct alink_reg_row - registers in a row, none of which minds being read
 * @base:	offset in BAR0 of what belongs to link 0, or 0
 * @stride:	from one link to the next; 0: no registers of links
 * @first:	offset from there
 * @num:	of them
 * @width:	bits of each, 32 or 64
 */
struct alink_reg_row {
	u32 base;
	u32 stride;
	u32 first;
	u32 num;
	u32 width;
};

extern const struct alink_reg_row alink_reg_rows[];
extern const unsigned int alink_num_reg_rows;

/* alink_link_health.c */
void alink_link_health_event(struct alink_dev *adev,
			     const struct alink_event *event);
int alink_identify(struct alink_dev *adev, u16 type, char *text, size_t room);

/* alink_flash.c */
struct alink_flash_info;
int alink_flash_info(struct alink_dev *adev, struct alink_flash_info *info);

#define ALINK_FW_TEXT		16	/* 255.255.65535 */
void alink_fw_text(char *text, u32 version);

/* alink_hwmon.c */
void alink_hwmon_event(struct alink_dev *adev, const struct alink_event *event);

/* alink_netlink.c */
int alink_netlink_init(void);
void alink_netlink_exit(void);
void alink_netlink_dev(struct alink_dev *adev, u8 cmd);
void alink_netlink_event(struct alink_dev *adev,
			 const struct alink_event *event);

/* alink_sysfs.c */
extern const struct class alink_class;

#endif /* ALINK_PRIV_H */
