/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What alink.ko offers to the drivers of ALink PCI functions.
 *
 * A driver embeds nothing: it calls alink_dev_probe() and gets a struct
 * alink_dev with BAR0 behind the MMIO guard, the handshake and self-test
 * done, and, when the function has them, admin queue and event ring running.
 * Link netdevs, hwmon, routes, groups and events to user space come from here
 * too, so that an xPU link and a switch port are the same thing to everybody.
 */
#ifndef LINUX_ALINK_ALINK_H
#define LINUX_ALINK_ALINK_H

#include <linux/device.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <net/devlink.h>

#include <hw/alink/common.h>
#include <hw/alink/link.h>

struct alink_dev;
struct alink_port;

/* alink_dev_ops.watch is called this often, or less */
#define ALINK_WATCH_MS		1000

/**
 * struct alink_owner - a process, for others to see
 * @pid:	as the pid namespace of the caller has it
 * @comm:	name of its thread that made what it owns
 */
struct alink_owner {
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/**
 * struct alink_dev_ops - what a driver tells the core
 * @devtype:	ALINK_DEVTYPE_* that the function must report
 * @event:	called in process context for each event ring entry after the
 *		core has handled it; may sleep and may send admin commands. An
 *		event of type ALINK_EVENT_NONE says that events were lost (ring
 *		overflow or reset): read again what they would have told. May
 *		be NULL
 * @lost:	called once, in process context, when the device reads all ones:
 *		every waiter in the core has been released, every register
 *		access is a no-op by now; may sleep; may be NULL
 * @trouble:	called in process context when the health check finds what no
 *		event tells: firmware that hangs, a reset behind the driver's
 *		back. The text is constant. Must not wait for events or the
 *		admin queue; may be NULL
 * @watch:	called in process context by the health check, once in
 *		ALINK_WATCH_MS while the device works, for what only the driver
 *		can judge. Must not wait for events or the admin queue; may be
 *		NULL
 * @segment_owner: who made a segment; false if nobody did, or the caller's pid
 *		namespace does not have him; may be NULL
 * @segment_revoke: take a segment from who made it; returns 0 when no access is
 *		in flight, -ENOENT if there is none, or -errno; may sleep; may be
 *		NULL
 *
 * None is called before alink_dev_register() has been entered, nor after
 * alink_dev_unregister() has returned.
 */
struct alink_dev_ops {
	enum alink_devtype devtype;
	void (*event)(struct alink_dev *adev, const struct alink_event *event);
	void (*lost)(struct alink_dev *adev);
	void (*trouble)(struct alink_dev *adev, const char *what);
	void (*watch)(struct alink_dev *adev);
	bool (*segment_owner)(struct alink_dev *adev, u32 id,
			      struct alink_owner *owner);
	int (*segment_revoke)(struct alink_dev *adev, u32 id);
};

/*
 * --- life cycle: alink_core.c, alink_reset.c ------------------------------
 *
 * probe:	alink_dev_probe(), the driver's own, alink_ports_create(),
 *		alink_hwmon_register(), alink_dev_register()
 * remove:	alink_dev_removing(), alink_dev_unregister(),
 *		alink_hwmon_unregister(), alink_ports_destroy(), the driver's
 *		own, alink_dev_remove()
 * reset:	the driver stops its own users, then alink_dev_reset_prepare();
 *		alink_dev_reset_done(), then it starts them again. Suspend and
 *		resume are the same pair.
 * shutdown:	the driver stops its own users, then alink_dev_shutdown()
 * AER:		all five callbacks call the helper of that name;
 *		error_detected first stops what the driver's reset_prepare
 *		stops, unless the state is pci_channel_io_normal, and resume
 *		starts it when alink_dev_error_resume() returns 0.
 */
struct alink_dev *alink_dev_probe(struct pci_dev *pdev,
				  const struct alink_dev_ops *ops, void *priv);
void alink_dev_removing(struct alink_dev *adev);
void alink_dev_remove(struct alink_dev *adev);
void alink_dev_unclean(struct alink_dev *adev);
int alink_dev_register(struct alink_dev *adev);
void alink_dev_unregister(struct alink_dev *adev);
int alink_dev_reset_prepare(struct alink_dev *adev);
void alink_dev_shutdown(struct alink_dev *adev, bool forget);
int alink_dev_reset_done(struct alink_dev *adev);
pci_ers_result_t alink_dev_error_detected(struct alink_dev *adev,
					  pci_channel_state_t state);
pci_ers_result_t alink_dev_mmio_enabled(struct alink_dev *adev);
pci_ers_result_t alink_dev_slot_reset(struct alink_dev *adev);
int alink_dev_error_resume(struct alink_dev *adev);
void alink_dev_cor_error_detected(struct alink_dev *adev);

void *alink_dev_priv(struct alink_dev *adev);
struct pci_dev *alink_dev_pdev(struct alink_dev *adev);
const char *alink_dev_name(struct alink_dev *adev);
u32 alink_dev_index(struct alink_dev *adev);
u64 alink_dev_caps(struct alink_dev *adev);
u32 alink_dev_variant(struct alink_dev *adev);
u32 alink_dev_fabric_id(struct alink_dev *adev);
u64 alink_dev_serial(struct alink_dev *adev);
u32 alink_dev_fw_version(struct alink_dev *adev);
unsigned int alink_dev_num_links(struct alink_dev *adev);
bool alink_dev_lost(struct alink_dev *adev);
bool alink_dev_active(struct alink_dev *adev);
void alink_dev_flush_events(struct alink_dev *adev);
void alink_dev_fault(struct alink_dev *adev, u32 code, u32 id,
		     enum alink_recovery recovery, u64 addr);
int alink_dev_irq(struct alink_dev *adev, unsigned int vector);
unsigned int alink_dev_num_vectors(struct alink_dev *adev);

/* --- guarded registers: alink_mmio.c ----------------------------------- */
u32 alink_rd32(struct alink_dev *adev, u32 reg);
int alink_read32(struct alink_dev *adev, u32 reg, u32 *value);
u64 alink_rd64(struct alink_dev *adev, u32 reg);
void alink_wr32(struct alink_dev *adev, u32 reg, u32 value);
void alink_wr64(struct alink_dev *adev, u32 reg, u64 value);

/* --- admin queue: alink_admin.c ---------------------------------------- */
int alink_admin_exec(struct alink_dev *adev, u16 opcode,
		     const void *req, size_t req_len,
		     void *resp, size_t resp_len, size_t *resp_used,
		     u16 *status);
int alink_admin_exec_killable(struct alink_dev *adev, u16 opcode,
			      const void *req, size_t req_len,
			      void *resp, size_t resp_len, size_t *resp_used,
			      u16 *status);
int alink_admin_tlv(struct alink_dev *adev, u16 opcode, u16 tlv,
		    const void *payload, size_t len, u16 *status);
int alink_admin_id(struct alink_dev *adev, u16 opcode, u32 id, u16 *status);
int alink_status_errno(u16 status);
const char *alink_status_str(u16 status);
const char *alink_status_name(u16 status);

/* --- health: alink_health.c -------------------------------------------- */
const char *alink_recovery_str(u32 recovery);

/* TLV building and walking, over a caller's buffer */
struct alink_tlv_buf {
	void *data;
	size_t len;
	size_t room;
};

int alink_tlv_put(struct alink_tlv_buf *buf, u16 type, const void *payload,
		  size_t len);
const struct alink_tlv *alink_tlv_next(const void *data, size_t len,
				       const struct alink_tlv *prev);

/* ALINK_TLV_* without the must-understand bit */
static inline u16 alink_tlv_type(const struct alink_tlv *tlv)
{
	return le16_to_cpu(tlv->type) & ~ALINK_TLV_MUST;
}

static inline size_t alink_tlv_len(const struct alink_tlv *tlv)
{
	return le16_to_cpu(tlv->len);
}

static inline const void *alink_tlv_data(const struct alink_tlv *tlv)
{
	return tlv + 1;
}

/* --- links and ports: alink_port*.c ------------------------------------ */
int alink_ports_create(struct alink_dev *adev, struct devlink *devlink);
void alink_ports_destroy(struct alink_dev *adev);
struct net_device *alink_port_netdev(struct alink_dev *adev, unsigned int n);

/* --- links that fail, for devlink: alink_link_health.c ------------------- */
int alink_link_health_create(struct alink_dev *adev, struct devlink *devlink);
void alink_link_health_destroy(struct alink_dev *adev);
void alink_link_health_start(struct alink_dev *adev);
void alink_link_health_stop(struct alink_dev *adev);

/* --- the fabric manager, for devlink: alink_manager_health.c ------------- */
int alink_manager_health_create(struct alink_dev *adev,
				struct devlink *devlink);
void alink_manager_health_destroy(struct alink_dev *adev);
void alink_manager_health_start(struct alink_dev *adev);
void alink_manager_health_stop(struct alink_dev *adev);

/* --- hwmon over the common sensors: alink_hwmon.c ----------------------- */
int alink_hwmon_register(struct alink_dev *adev, const char *name);
void alink_hwmon_unregister(struct alink_dev *adev);

/* --- devlink: alink_devlink.c, alink_flash.c, alink_region.c ------------- */

/**
 * struct alink_devlink - what devlink_priv() of every driver begins with
 * @adev:	device; set before the instance is registered
 *
 * It lets the operations below be those of any driver's devlink_ops.
 */
struct alink_devlink {
	struct alink_dev *adev;
};

#define ALINK_DEVLINK_RELOAD_ACTIONS	BIT(DEVLINK_RELOAD_ACTION_FW_ACTIVATE)

int alink_devlink_info_get(struct devlink *devlink,
			   struct devlink_info_req *req,
			   struct netlink_ext_ack *extack);
int alink_devlink_flash_update(struct devlink *devlink,
			       struct devlink_flash_update_params *params,
			       struct netlink_ext_ack *extack);
int alink_devlink_reload_down(struct devlink *devlink, bool netns_change,
			      enum devlink_reload_action action,
			      enum devlink_reload_limit limit,
			      struct netlink_ext_ack *extack);
int alink_devlink_reload_up(struct devlink *devlink,
			    enum devlink_reload_action action,
			    enum devlink_reload_limit limit,
			    u32 *actions_performed,
			    struct netlink_ext_ack *extack);
int alink_devlink_common_register(struct devlink *devlink);
void alink_devlink_common_unregister(struct devlink *devlink);
int alink_flash_put_info(struct alink_dev *adev, struct devlink_info_req *req);
void alink_flash_stop(struct alink_dev *adev);
bool alink_flash_running(struct alink_dev *adev);
int alink_devlink_refuse(struct alink_dev *adev,
			 struct netlink_ext_ack *extack);
int alink_devlink_begin(struct alink_dev *adev, u32 *epoch,
			struct netlink_ext_ack *extack);
int alink_devlink_end(struct alink_dev *adev, u32 epoch,
		      struct netlink_ext_ack *extack);
void alink_devlink_diagnose(struct alink_dev *adev, struct devlink_fmsg *fmsg);
int alink_devlink_recover(struct alink_dev *adev,
			  struct netlink_ext_ack *extack);
enum devlink_health_reporter_state alink_devlink_state(struct alink_dev *adev,
						       bool bad);

/* What devlink is told when "devlink health test" asks for a report */
#define ALINK_DEVLINK_TEST	"a test was asked for"

/**
 * struct alink_devlink_report - context of a report about the device itself
 * @event:	the fault, or NULL
 * @why:	the same in words, or what else it is
 * @over:	nothing is left to do; else the device has to be reset
 */
struct alink_devlink_report {
	const struct alink_event *event;
	const char *why;
	bool over;
};

void alink_devlink_put_report(struct devlink_fmsg *fmsg,
			      const struct alink_devlink_report *report);
void alink_devlink_fault(struct devlink_fmsg *fmsg,
			 const struct alink_event *event);

/*
 * Optics registry (alink_module.c): the optics driver offers modules, the
 * ports of xPU and switch find theirs by what ALINK_LINK_MODULE says.
 */
struct alink_module;
struct ethtool_module_eeprom;

/**
 * struct alink_module_ops - one CMIS module, as its ports use it
 * @read_page:	as ethtool_ops.get_module_eeprom_by_page; may sleep
 * @write_page:	as ethtool_ops.set_module_eeprom_by_page; may sleep
 * @set_low_power: request or leave low power mode; may sleep
 * @low_power:	present power mode: 1 low, 0 high, or -errno; may sleep
 */
struct alink_module_ops {
	int (*read_page)(void *priv, const struct ethtool_module_eeprom *page,
			 struct netlink_ext_ack *extack);
	int (*write_page)(void *priv, const struct ethtool_module_eeprom *page,
			  struct netlink_ext_ack *extack);
	int (*set_low_power)(void *priv, bool low,
			     struct netlink_ext_ack *extack);
	int (*low_power)(void *priv);
};

struct alink_module *alink_module_register(u32 controller_serial, u32 channel,
					   const struct alink_module_ops *ops,
					   struct module *owner, void *priv);
void alink_module_unregister(struct alink_module *module);

#endif /* LINUX_ALINK_ALINK_H */
