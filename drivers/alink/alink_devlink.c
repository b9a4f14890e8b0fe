// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink.ko: what devlink shows of every ALink function. The instance itself
 * belongs to the driver of the function.
 */
#include <linux/export.h>
#include <linux/slab.h>
#include <net/devlink.h>

#include "alink_priv.h"

#define ALINK_IDENTIFY_LEN	1024

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
	case ALINK_TLV_FW_TEXT:
		return devlink_info_version_running_put(req,
							DEVLINK_INFO_VERSION_GENERIC_FW,
							text);
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
	err = alink_admin_exec(adev, ALINK_ADMIN_IDENTIFY, NULL, 0, resp,
			       ALINK_IDENTIFY_LEN, &used, NULL);
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
 * alink_devlink_info - devlink_ops.info_get of every driver
 * @adev:	device
 * @req:	from devlink
 * @extack:	says what went wrong
 *
 * Serial number of the function and of its board, part number, firmware.
 *
 * Context: process; sleeps.
 * Return: 0 or -errno.
 */
int alink_devlink_info(struct alink_dev *adev, struct devlink_info_req *req,
		       struct netlink_ext_ack *extack)
{
	const struct alink_tlv *tlv = NULL;
	char text[ALINK_IDENTIFY_TEXT];
	size_t used;
	void *resp;
	int err;

	resp = kzalloc(ALINK_IDENTIFY_LEN, GFP_KERNEL);
	if (!resp)
		return -ENOMEM;
	err = alink_admin_exec(adev, ALINK_ADMIN_IDENTIFY, NULL, 0, resp,
			       ALINK_IDENTIFY_LEN, &used, NULL);
	if (err) {
		NL_SET_ERR_MSG(extack, "Device does not tell what it is");
		goto out_free;
	}

	while (!err && (tlv = alink_tlv_next(resp, used, tlv))) {
		alink_tlv_text(tlv, text, sizeof(text));
		err = alink_devlink_info_put(req, alink_tlv_type(tlv), text);
	}
	if (err)
		goto out_free;
	snprintf(text, sizeof(text), "%016llx", alink_dev_serial(adev));
	err = devlink_info_serial_number_put(req, text);

out_free:
	kfree(resp);
	return err;
}
EXPORT_SYMBOL_GPL(alink_devlink_info);

/**
 * alink_devlink_diagnose - what a health reporter shows of every function
 * @adev:	device
 * @fmsg:	from devlink
 * @extack:	says what went wrong
 *
 * A driver adds what is true of its kind of device.
 *
 * Context: process.
 * Return: 0, -%EBUSY in reset, -%ENODEV when the device is gone.
 */
int alink_devlink_diagnose(struct alink_dev *adev, struct devlink_fmsg *fmsg,
			   struct netlink_ext_ack *extack)
{
	if (!alink_dev_active(adev)) {
		NL_SET_ERR_MSG(extack, "Device is in reset, or gone");
		return alink_dev_lost(adev) ? -ENODEV : -EBUSY;
	}
	devlink_fmsg_u32_pair_put(fmsg, "state",
				  alink_rd32(adev, ALINK_REG_STATE));
	devlink_fmsg_u32_pair_put(fmsg, "heartbeat",
				  alink_rd32(adev, ALINK_REG_HEARTBEAT));
	devlink_fmsg_u32_pair_put(fmsg, "generation",
				  alink_rd32(adev, ALINK_REG_GENERATION));
	devlink_fmsg_u32_pair_put(fmsg, "guest_errors",
				  alink_rd32(adev, ALINK_REG_GUEST_ERRORS));
	return 0;
}
EXPORT_SYMBOL_GPL(alink_devlink_diagnose);

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
