// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink.ko: what devlink shows and does of every ALink function. The instance
 * itself belongs to the driver of the function.
 */
#include <linux/export.h>
#include <linux/slab.h>
#include <net/devlink.h>

#include <hw/alink/flash.h>

#include "alink_priv.h"

#define ALINK_IDENTIFY_LEN	1024

/* The device of an instance: struct alink_devlink says how it gets there. */
struct alink_dev *alink_devlink_dev(struct devlink *devlink)
{
	const struct alink_devlink *priv = devlink_priv(devlink);

	return priv->adev;
}

/* Copies the text of a TLV, which has no NUL, to a string of the caller. */
static void alink_tlv_text(const struct alink_tlv *tlv, char *text,
			   size_t room)
{
	size_t len = min(alink_tlv_len(tlv), room - 1);

	memcpy(text, alink_tlv_data(tlv), len);
	text[len] = '\0';
}

static int alink_devlink_info_put(struct devlink_info_req *req, u16 type,
				  const char *text)
{
	switch (type) {
	case ALINK_TLV_PART_NUMBER:
		return devlink_info_version_fixed_put(req,
						      DEVLINK_INFO_VERSION_GENERIC_BOARD_ID,
						      text);
	case ALINK_TLV_BOARD_SERIAL:
		return devlink_info_board_serial_number_put(req, text);
	default:
		return 0;
	}
}

/*
 * Copies the text that IDENTIFY has for @type to @text. Returns -ENOENT when
 * the device tells none.
 */
int alink_identify(struct alink_dev *adev, u16 type, char *text, size_t room)
{
	const struct alink_tlv *tlv = NULL;
	size_t used;
	void *resp;
	int err;

	resp = kzalloc(ALINK_IDENTIFY_LEN, GFP_KERNEL);
	if (!resp)
		return -ENOMEM;
	err = alink_admin_exec_killable(adev, ALINK_ADMIN_IDENTIFY, NULL, 0,
					resp, ALINK_IDENTIFY_LEN, &used, NULL);
	if (!err) {
		err = -ENOENT;
		while (err && (tlv = alink_tlv_next(resp, used, tlv))) {
			if (alink_tlv_type(tlv) != type)
				continue;
			alink_tlv_text(tlv, text, room);
			err = 0;
		}
	}
	kfree(resp);
	return err;
}

/**
 * alink_devlink_info_get - devlink_ops.info_get, for drivers without their own
 * @devlink:	instance whose devlink_priv() begins with struct alink_devlink
 * @req:	from devlink
 * @extack:	from devlink
 *
 * Serial number of the function and of its board, part number, firmware.
 *
 * Context: process; sleeps.
 * Return: 0 or -errno.
 */
int alink_devlink_info_get(struct devlink *devlink,
			   struct devlink_info_req *req,
			   struct netlink_ext_ack *extack)
{
	struct alink_dev *adev = alink_devlink_dev(devlink);
	const struct alink_tlv *tlv = NULL;
	char text[ALINK_IDENTIFY_TEXT];
	size_t used;
	void *resp;
	int err;

	resp = kzalloc(ALINK_IDENTIFY_LEN, GFP_KERNEL);
	if (!resp)
		return -ENOMEM;
	err = alink_admin_exec_killable(adev, ALINK_ADMIN_IDENTIFY, NULL, 0,
					resp, ALINK_IDENTIFY_LEN, &used, NULL);
	if (err == -ENOMEM || err == -EINTR)
		goto out_free;
	/* Who is in reset, gone or silent: what is known is told all the same. */
	if (err) {
		used = 0;
		err = 0;
	}
	while (!err && (tlv = alink_tlv_next(resp, used, tlv))) {
		alink_tlv_text(tlv, text, sizeof(text));
		err = alink_devlink_info_put(req, alink_tlv_type(tlv), text);
	}
	if (err)
		goto out_free;
	snprintf(text, sizeof(text), "%016llx", alink_dev_serial(adev));
	err = devlink_info_serial_number_put(req, text);
	if (!err)
		err = alink_flash_put_info(adev, req);

out_free:
	kfree(resp);
	return err;
}
EXPORT_SYMBOL_GPL(alink_devlink_info_get);

/* --- reload: a reset, which starts what is next in flash ----------------- */

/**
 * alink_devlink_reload_down - devlink_ops.reload_down of every driver
 * @devlink:	instance whose devlink_priv() begins with struct alink_devlink
 * @netns_change: from devlink
 * @action:	from devlink: fw_activate is all that there is
 * @limit:	from devlink
 * @extack:	says what went wrong
 *
 * Return: 0, or -ENODEV when the device is gone.
 */
int alink_devlink_reload_down(struct devlink *devlink, bool netns_change,
			      enum devlink_reload_action action,
			      enum devlink_reload_limit limit,
			      struct netlink_ext_ack *extack)
{
	if (!alink_dev_lost(alink_devlink_dev(devlink)))
		return 0;
	NL_SET_ERR_MSG(extack, "Device is gone");
	return -ENODEV;
}
EXPORT_SYMBOL_GPL(alink_devlink_reload_down);

/**
 * alink_devlink_reload_up - devlink_ops.reload_up of every driver
 * @devlink:	instance whose devlink_priv() begins with struct alink_devlink
 * @action:	from devlink: fw_activate is all that there is
 * @limit:	from devlink
 * @actions_performed: out
 * @extack:	says what went wrong
 *
 * Resets the function, by way of the PCI core and the driver's own
 * reset_prepare and reset_done, as a reset through sysfs does.
 *
 * Context: process; sleeps. The caller holds the device lock.
 * Return: 0; -EIO when the device does not work after it, or runs another
 * firmware than it had said; or what the PCI core said.
 */
int alink_devlink_reload_up(struct devlink *devlink,
			    enum devlink_reload_action action,
			    enum devlink_reload_limit limit,
			    u32 *actions_performed,
			    struct netlink_ext_ack *extack)
{
	struct alink_dev *adev = alink_devlink_dev(devlink);
	struct pci_dev *pdev = adev->pdev;
	char started[ALINK_FW_TEXT], stored[ALINK_FW_TEXT];
	struct alink_flash_info info;
	u32 next = ALINK_FLASH_BANKS;
	int err;

	*actions_performed = BIT(DEVLINK_RELOAD_ACTION_FW_ACTIVATE);
	/* One that hangs does not say, and is reset all the same. */
	if (adev->caps & ALINK_CAP_FLASH && !alink_flash_info(adev, &info))
		next = le32_to_cpu(info.next);

	pci_cfg_access_lock(pdev);
	err = pci_reset_function_locked(pdev);
	pci_cfg_access_unlock(pdev);
	if (err) {
		NL_SET_ERR_MSG(extack, "Device could not be reset");
		return err;
	}
	if (!alink_dev_active(adev)) {
		NL_SET_ERR_MSG(extack, "Device did not come back from reset");
		return -EIO;
	}
	if (next == ALINK_FLASH_BANKS)
		return 0;
	alink_fw_text(stored, le32_to_cpu(info.bank[next].version));
	err = alink_flash_info(adev, &info);
	if (err) {
		NL_SET_ERR_MSG_FMT(extack, "Device does not tell what it started: %pe",
				   ERR_PTR(err));
		return err;
	}
	if (le32_to_cpu(info.running) != next) {
		alink_fw_text(started, alink_dev_fw_version(adev));
		NL_SET_ERR_MSG_FMT(extack,
				   "Device started firmware %s of bank %u, %s of bank %u was next",
				   started, le32_to_cpu(info.running), stored,
				   next);
		return -EIO;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(alink_devlink_reload_up);

/* --- parameters ---------------------------------------------------------- */

static int alink_devlink_get_downgrade(struct devlink *devlink, u32 id,
				       struct devlink_param_gset_ctx *ctx)
{
	devl_assert_locked(devlink);
	ctx->val.vbool = alink_devlink_dev(devlink)->fw_downgrade;
	return 0;
}

static int alink_devlink_set_downgrade(struct devlink *devlink, u32 id,
				       struct devlink_param_gset_ctx *ctx,
				       struct netlink_ext_ack *extack)
{
	devl_assert_locked(devlink);
	alink_devlink_dev(devlink)->fw_downgrade = ctx->val.vbool;
	return 0;
}

static const struct devlink_param alink_devlink_params[] = {
	DEVLINK_PARAM_DRIVER(ALINK_DEVLINK_PARAM_FW_DOWNGRADE, "fw_downgrade",
			     DEVLINK_PARAM_TYPE_BOOL,
			     BIT(DEVLINK_PARAM_CMODE_RUNTIME),
			     alink_devlink_get_downgrade,
			     alink_devlink_set_downgrade, NULL),
};

/* Parameters that every driver has. The caller holds the devlink lock. */
int alink_devlink_params_register(struct devlink *devlink)
{
	if (!(alink_devlink_dev(devlink)->caps & ALINK_CAP_FLASH))
		return 0;
	return devl_params_register(devlink, alink_devlink_params,
				    ARRAY_SIZE(alink_devlink_params));
}

void alink_devlink_params_unregister(struct devlink *devlink)
{
	if (alink_devlink_dev(devlink)->caps & ALINK_CAP_FLASH)
		devl_params_unregister(devlink, alink_devlink_params,
				       ARRAY_SIZE(alink_devlink_params));
}

/* --- health -------------------------------------------------------------- */

/**
 * alink_devlink_refuse - that registers cannot be read now
 * @adev:	device, which is not active, or was not meanwhile
 * @extack:	says so
 *
 * Return: -%EBUSY in reset, -%ENODEV when the device is gone.
 */
int alink_devlink_refuse(struct alink_dev *adev, struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "Device is in reset, or gone");
	return alink_dev_lost(adev) ? -ENODEV : -EBUSY;
}
EXPORT_SYMBOL_GPL(alink_devlink_refuse);

/**
 * alink_devlink_begin - before a health reporter reads registers
 * @adev:	device
 * @epoch:	set, for alink_devlink_end()
 * @extack:	says that they cannot be read now
 *
 * Context: any.
 * Return: 0, -%EBUSY in reset, -%ENODEV when the device is gone.
 */
int alink_devlink_begin(struct alink_dev *adev, u32 *epoch,
			struct netlink_ext_ack *extack)
{
	if (alink_regs_begin(adev, epoch) || !alink_dev_active(adev))
		return alink_devlink_refuse(adev, extack);
	return 0;
}
EXPORT_SYMBOL_GPL(alink_devlink_begin);

/**
 * alink_devlink_end - do the registers that were read say something?
 * @adev:	device
 * @epoch:	from alink_devlink_begin()
 * @extack:	says that they do not: what was read is all ones, or partly so
 *
 * Context: any.
 * Return: 0, -%EBUSY if there was a reset, -%ENODEV when the device is gone.
 */
int alink_devlink_end(struct alink_dev *adev, u32 epoch,
		      struct netlink_ext_ack *extack)
{
	return alink_regs_end(adev, epoch) ? alink_devlink_refuse(adev, extack) :
					     0;
}
EXPORT_SYMBOL_GPL(alink_devlink_end);

/**
 * alink_devlink_diagnose - what a health reporter shows of every function
 * @adev:	device
 * @fmsg:	from devlink
 *
 * A driver adds what is true of its kind of device, all of it between
 * alink_devlink_begin() and alink_devlink_end().
 *
 * Context: process.
 */
void alink_devlink_diagnose(struct alink_dev *adev, struct devlink_fmsg *fmsg)
{
	devlink_fmsg_u32_pair_put(fmsg, "state",
				  alink_rd32(adev, ALINK_REG_STATE));
	devlink_fmsg_u32_pair_put(fmsg, "heartbeat",
				  alink_rd32(adev, ALINK_REG_HEARTBEAT));
	devlink_fmsg_u32_pair_put(fmsg, "generation",
				  alink_rd32(adev, ALINK_REG_GENERATION));
	devlink_fmsg_u32_pair_put(fmsg, "guest_errors",
				  alink_rd32(adev, ALINK_REG_GUEST_ERRORS));
}
EXPORT_SYMBOL_GPL(alink_devlink_diagnose);

/**
 * alink_devlink_recover - reset a device, for its health reporter
 * @adev:	device
 * @extack:	says what went wrong
 *
 * By way of the PCI core and the driver's own reset_prepare and reset_done.
 *
 * Context: process; sleeps. The devlink instance is locked, the device is not:
 * who removes it holds that lock, and waits for the instance's.
 * Return: 0; -%EAGAIN: somebody resets or removes it; -%EIO: it does not work
 * after it; or what the PCI core said.
 */
int alink_devlink_recover(struct alink_dev *adev,
			  struct netlink_ext_ack *extack)
{
	int err;

	err = pci_try_reset_function(adev->pdev);
	if (err == -EAGAIN) {
		NL_SET_ERR_MSG(extack, "Device is being reset or removed");
	} else if (err) {
		NL_SET_ERR_MSG(extack, "Device could not be reset");
	} else if (!alink_dev_active(adev)) {
		NL_SET_ERR_MSG(extack, "Device did not come back from reset");
		err = -EIO;
	}
	return err;
}
EXPORT_SYMBOL_GPL(alink_devlink_recover);

/**
 * alink_devlink_state - what is true of a device, as far as it can be asked now
 * @adev:	device
 * @bad:	what its driver knows: there is trouble that only a reset ends
 *
 * Context: process.
 * Return: for its health reporter.
 */
enum devlink_health_reporter_state alink_devlink_state(struct alink_dev *adev,
						       bool bad)
{
	u32 epoch, state;

	if (!bad && !alink_devlink_begin(adev, &epoch, NULL)) {
		state = alink_rd32(adev, ALINK_REG_STATE);
		/* Until it is reset, whatever became of the event */
		bad = !alink_devlink_end(adev, epoch, NULL) &&
		      state == ALINK_STATE_FAULTED;
	}
	return bad ? DEVLINK_HEALTH_REPORTER_STATE_ERROR :
		     DEVLINK_HEALTH_REPORTER_STATE_HEALTHY;
}
EXPORT_SYMBOL_GPL(alink_devlink_state);

/**
 * alink_devlink_fault - a fault event in a reporter's words
 * @fmsg:	from devlink
 * @event:	of class fault
 *
 * Context: process.
 */
void alink_devlink_fault(struct devlink_fmsg *fmsg,
			 const struct alink_event *event)
{
	u32 recovery = le32_to_cpu(event->info);

	devlink_fmsg_u32_pair_put(fmsg, "fault_code", le32_to_cpu(event->code));
	devlink_fmsg_u32_pair_put(fmsg, "unit", le32_to_cpu(event->id));
	devlink_fmsg_u64_pair_put(fmsg, "address", le64_to_cpu(event->addr));
	devlink_fmsg_u64_pair_put(fmsg, "time_ns", le64_to_cpu(event->time_ns));
	devlink_fmsg_u32_pair_put(fmsg, "recovery_class", recovery);
	devlink_fmsg_string_pair_put(fmsg, "recovery",
				     alink_recovery_str(recovery));
}
EXPORT_SYMBOL_GPL(alink_devlink_fault);

/**
 * alink_devlink_put_report - the dump of a report about the device
 * @fmsg:	from devlink
 * @report:	the context of the report
 *
 * Context: process.
 */
void alink_devlink_put_report(struct devlink_fmsg *fmsg,
			      const struct alink_devlink_report *report)
{
	devlink_fmsg_string_pair_put(fmsg, "reason", report->why);
	if (report->event) {
		alink_devlink_fault(fmsg, report->event);
	} else if (!report->over) {
		/* All that no fault tells of is one of the device. */
		devlink_fmsg_u32_pair_put(fmsg, "recovery_class",
					  ALINK_RECOVERY_DEVICE);
		devlink_fmsg_string_pair_put(fmsg, "recovery",
					     alink_recovery_str(ALINK_RECOVERY_DEVICE));
	}
}
EXPORT_SYMBOL_GPL(alink_devlink_put_report);
