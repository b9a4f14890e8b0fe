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
