// SPDX-License-Identifier: GPL-2.0-only
/*
 * Firmware in flash (Documentation/hw/firmware.rst), as devlink has it: what is
 * stored, and writing an image. alink_devlink.c has the reset that starts it.
 *
 * devlink lets one operation of an instance in at a time, under its lock: a
 * second flash waits for the first. Resets come from elsewhere, at any time,
 * and end the update in the device: the command in flight tells, or the next
 * one. Nothing is kept here of an update that would outlive it.
 */
#include <crypto/sha2.h>
#include <linux/device.h>
#include <linux/export.h>
#include <linux/firmware.h>
#include <linux/math64.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <net/devlink.h>

#include <hw/alink/flash.h>

#include "alink_priv.h"

#define ALINK_FLASH_COMPONENT		DEVLINK_INFO_VERSION_GENERIC_FW

/* What is hashed before others get their turn */
#define ALINK_FLASH_HASH_STEP		SZ_1M

/* The update is over, as the device says: an errno, and a text for it. */
static int alink_flash_failed(struct netlink_ext_ack *extack, int err,
			      u16 status)
{
	if (err == -ECANCELED || status == ALINK_ST_NOT_FOUND) {
		NL_SET_ERR_MSG(extack, "Device was reset meanwhile");
		return -ECANCELED;
	}
	if (status != ALINK_ST_ABORTED)
		NL_SET_ERR_MSG_FMT(extack, "Device refuses the image: %s",
				   alink_status_str(status));
	else if (err == -ENODEV)
		NL_SET_ERR_MSG(extack, "Device is gone");
	else if (err == -ETIMEDOUT)
		NL_SET_ERR_MSG(extack, "Device does not answer");
	else if (err == -EPROTO)
		NL_SET_ERR_MSG(extack, "Answer of the device breaks the contract");
	else
		NL_SET_ERR_MSG_FMT(extack, "Device cannot be asked: %pe",
				   ERR_PTR(err));
	return err;
}

/* @text: room for ALINK_FW_TEXT bytes */
void alink_fw_text(char *text, u32 version)
{
	snprintf(text, ALINK_FW_TEXT, "%u.%u.%u", version >> 24,
		 (version >> 16) & 0xff, version & 0xffff);
}

/* --- what there is ------------------------------------------------------ */

/**
 * alink_flash_info - read what the flash of a device holds
 * @adev:	device with ALINK_CAP_FLASH
 * @info:	out: as the device has it; banks and sizes are within the contract
 *
 * Context: process; sleeps.
 * Return: 0, -EPROTO for an answer against the contract, or as
 * alink_admin_exec_killable().
 */
int alink_flash_info(struct alink_dev *adev, struct alink_flash_info *info)
{
	const struct alink_tlv *tlv = NULL;
	u8 resp[256] __aligned(8);
	size_t used;
	int err;

	err = alink_admin_exec_killable(adev, ALINK_ADMIN_FLASH_INFO, NULL, 0,
					resp, sizeof(resp), &used, NULL);
	if (err)
		return err;
	do {
		tlv = alink_tlv_next(resp, used, tlv);
		if (!tlv)
			return -EPROTO;
	} while (alink_tlv_type(tlv) != ALINK_TLV_FLASH_INFO ||
		 alink_tlv_len(tlv) != sizeof(*info));
	memcpy(info, alink_tlv_data(tlv), sizeof(*info));

	if (le32_to_cpu(info->running) >= ALINK_FLASH_BANKS ||
	    le32_to_cpu(info->next) >= ALINK_FLASH_BANKS ||
	    le32_to_cpu(info->max_chunk) < ALINK_FLASH_MIN_CHUNK ||
	    le32_to_cpu(info->max_chunk) > ALINK_FLASH_MAX_CHUNK ||
	    !IS_ALIGNED(le32_to_cpu(info->max_chunk), ALINK_FW_ALIGN))
		return -EPROTO;
	return 0;
}

static int alink_flash_put_bank(struct devlink_info_req *req, unsigned int n,
				const struct alink_flash_bank *bank)
{
	char name[24], text[ALINK_FW_TEXT];
	const char *what;

	switch (le32_to_cpu(bank->state)) {
	case ALINK_FLASH_EMPTY:
		what = "empty";
		break;
	case ALINK_FLASH_VALID:
		alink_fw_text(text, le32_to_cpu(bank->version));
		what = text;
		break;
	case ALINK_FLASH_WRITING:
		what = "writing";
		break;
	default:
		what = "invalid";
	}
	snprintf(name, sizeof(name), "%s.bank%u", ALINK_FLASH_COMPONENT, n);
	return devlink_info_version_stored_put(req, name, what);
}

/**
 * alink_flash_put_info - versions of firmware for devlink_ops.info_get
 * @adev:	device
 * @req:	from devlink
 *
 * "fw" is what runs, and, stored, what the next reset starts; "fw.bankN" what
 * each bank holds. Of a device that is in reset, gone, or does not answer, only
 * the first is known: devlink would tell nothing of all that follow in its list.
 *
 * Context: process; sleeps.
 * Return: 0 or -errno.
 */
int alink_flash_put_info(struct alink_dev *adev, struct devlink_info_req *req)
{
	const struct alink_flash_bank *next;
	struct alink_flash_info info;
	char text[ALINK_FW_TEXT];
	unsigned int n;
	int err;

	alink_fw_text(text, alink_dev_fw_version(adev));
	if (!(adev->caps & ALINK_CAP_FLASH))
		return devlink_info_version_running_put(req,
							ALINK_FLASH_COMPONENT,
							text);
	err = devlink_info_version_running_put_ext(req, ALINK_FLASH_COMPONENT,
						   text,
						   DEVLINK_INFO_VERSION_TYPE_COMPONENT);
	if (err)
		return err;

	err = alink_flash_info(adev, &info);
	if (err == -ENOMEM || err == -EINTR)
		return err;
	if (err) {
		pci_info_ratelimited(adev->pdev,
				     "%s does not tell what its flash holds: %pe\n",
				     adev->name, ERR_PTR(err));
		return 0;
	}
	next = &info.bank[le32_to_cpu(info.next)];
	alink_fw_text(text, le32_to_cpu(next->version));
	err = devlink_info_version_stored_put_ext(req, ALINK_FLASH_COMPONENT,
						  text,
						  DEVLINK_INFO_VERSION_TYPE_COMPONENT);
	for (n = 0; !err && n < ALINK_FLASH_BANKS; n++)
		err = alink_flash_put_bank(req, n, &info.bank[n]);
	return err;
}
EXPORT_SYMBOL_GPL(alink_flash_put_info);

/* --- checks before anything is written ---------------------------------- */

/* Is the file an image, and all there? */
static int alink_flash_check_form(const struct firmware *fw,
				  struct netlink_ext_ack *extack)
{
	const struct alink_fw_header *h = (const void *)fw->data;
	u32 len;

	if (fw->size < sizeof(*h)) {
		NL_SET_ERR_MSG_FMT(extack, "Image is truncated: %zu bytes, a header has %zu",
				   fw->size, sizeof(*h));
		return -EINVAL;
	}
	if (le32_to_cpu(h->magic) != ALINK_FW_MAGIC) {
		NL_SET_ERR_MSG_FMT(extack, "Not an image: magic is %#010x, not %#010x",
				   le32_to_cpu(h->magic), ALINK_FW_MAGIC);
		return -EINVAL;
	}
	if (le16_to_cpu(h->format) != ALINK_FW_FORMAT) {
		NL_SET_ERR_MSG_FMT(extack, "Image has format %u, %u is known",
				   le16_to_cpu(h->format), ALINK_FW_FORMAT);
		return -EINVAL;
	}
	if (le16_to_cpu(h->header_len) != sizeof(*h)) {
		NL_SET_ERR_MSG_FMT(extack, "Image has a header_len of %u, not %zu",
				   le16_to_cpu(h->header_len), sizeof(*h));
		return -EINVAL;
	}
	if (memchr_inv(h->reserved, 0, sizeof(h->reserved))) {
		NL_SET_ERR_MSG(extack, "Image has reserved fields that are not 0");
		return -EINVAL;
	}
	len = le32_to_cpu(h->payload_len);
	if (!len || !IS_ALIGNED(len, ALINK_FW_ALIGN)) {
		NL_SET_ERR_MSG_FMT(extack, "Image has a payload_len of %u, no multiple of %u",
				   len, ALINK_FW_ALIGN);
		return -EINVAL;
	}
	if (fw->size - sizeof(*h) < len) {
		NL_SET_ERR_MSG_FMT(extack, "Image is truncated: %zu bytes of a payload_len of %u",
				   fw->size - sizeof(*h), len);
		return -EINVAL;
	}
	if (fw->size - sizeof(*h) > len) {
		NL_SET_ERR_MSG_FMT(extack, "Image has %zu bytes behind a payload_len of %u",
				   fw->size - sizeof(*h) - len, len);
		return -EINVAL;
	}
	return 0;
}

/* Is it for this device, as it is now? */
static int alink_flash_check_fit(struct alink_dev *adev,
				 const struct alink_fw_header *h,
				 const struct alink_flash_info *info,
				 struct netlink_ext_ack *extack)
{
	u32 devtype = le32_to_cpu(h->devtype), variant = adev->variant;
	u32 version = le32_to_cpu(h->version);
	u32 running = alink_dev_fw_version(adev);
	u64 variants = le64_to_cpu(h->variants);
	char old[ALINK_FW_TEXT], new[ALINK_FW_TEXT];

	if (devtype != adev->ops->devtype) {
		NL_SET_ERR_MSG_FMT(extack, "Image is for devtype %u (%s), not %u (%s)",
				   devtype, alink_devtype_name(devtype),
				   adev->ops->devtype,
				   alink_devtype_name(adev->ops->devtype));
		return -EINVAL;
	}
	if (variant > ALINK_FW_MAX_VARIANT ||
	    !(variants & BIT_ULL(variant))) {
		NL_SET_ERR_MSG_FMT(extack, "Image is for variants %#llx, this is variant %u",
				   variants, variant);
		return -EINVAL;
	}
	if (le32_to_cpu(h->payload_len) > le32_to_cpu(info->max_payload)) {
		NL_SET_ERR_MSG_FMT(extack, "Image has a payload_len of %u, there is room for %u",
				   le32_to_cpu(h->payload_len),
				   le32_to_cpu(info->max_payload));
		return -EFBIG;
	}
	/* First: a parameter would not help with this one. */
	if (le32_to_cpu(h->security) < le32_to_cpu(info->floor)) {
		NL_SET_ERR_MSG_FMT(extack, "Image has security version %u, %u is the lowest",
				   le32_to_cpu(h->security),
				   le32_to_cpu(info->floor));
		return -EPERM;
	}
	if (version < running && !adev->fw_downgrade) {
		alink_fw_text(new, version);
		alink_fw_text(old, running);
		NL_SET_ERR_MSG_FMT(extack, "Image is older: %s, %s runs; see param fw_downgrade",
				   new, old);
		return -EPERM;
	}
	return 0;
}

/* An end that the caller, or the driver, has called for */
static int alink_flash_stopped(struct alink_dev *adev,
			       struct netlink_ext_ack *extack)
{
	if (fatal_signal_pending(current)) {
		NL_SET_ERR_MSG(extack, "Interrupted");
		return -EINTR;
	}
	if (test_bit(ALINK_DEV_LEAVING, &adev->flags)) {
		NL_SET_ERR_MSG(extack, "Device is being removed");
		return -ENODEV;
	}
	return 0;
}

static int alink_flash_check_digest(struct alink_dev *adev,
				    const struct firmware *fw,
				    struct netlink_ext_ack *extack)
{
	const struct alink_fw_header *h = (const void *)fw->data;
	u8 digest[SHA256_DIGEST_SIZE];
	struct sha256_state state;
	size_t at, n;
	int err;

	static_assert(sizeof(digest) == sizeof(h->sha256));
	sha256_init(&state);
	sha256_update(&state, fw->data, offsetof(typeof(*h), sha256));
	for (at = sizeof(*h); at < fw->size; at += n) {
		err = alink_flash_stopped(adev, extack);
		if (err)
			return err;
		n = min_t(size_t, fw->size - at, ALINK_FLASH_HASH_STEP);
		sha256_update(&state, fw->data + at, n);
		cond_resched();
	}
	sha256_final(&state, digest);
	if (!memcmp(digest, h->sha256, sizeof(digest)))
		return 0;
	NL_SET_ERR_MSG(extack, "Image is damaged: sha256 does not match");
	return -EBADMSG;
}

/* --- the update --------------------------------------------------------- */

static int alink_flash_begin(struct alink_dev *adev,
			     const struct alink_fw_header *h, bool held,
			     struct netlink_ext_ack *extack)
{
	unsigned int try;
	u16 status;
	int err;

	for (try = 0; try < 2; try++) {
		err = alink_admin_tlv(adev, ALINK_ADMIN_FLASH_BEGIN,
				      ALINK_TLV_FW_HEADER, h, sizeof(*h),
				      &status);
		if (status != ALINK_ST_BUSY || held || try)
			break;
		/* One of ours whose abort got lost? No other has this queue. */
		alink_admin_exec(adev, ALINK_ADMIN_FLASH_ABORT, NULL, 0, NULL,
				 0, NULL, NULL);
	}
	if (!err)
		return 0;
	if (status == ALINK_ST_BUSY) {
		NL_SET_ERR_MSG(extack, "Another agent of the board has the flash");
		return err;
	}
	return alink_flash_failed(extack, err, status);
}

/* The next piece: @buf has room for it and its headers. */
static int alink_flash_write(struct alink_dev *adev, struct alink_tlv_buf *buf,
			     u32 offset, const void *bytes, u32 len,
			     u16 *status)
{
	struct alink_flash_data *data;
	int err;

	buf->len = 0;
	err = alink_tlv_put(buf, ALINK_TLV_FLASH_DATA | ALINK_TLV_MUST, NULL,
			    sizeof(*data) + len);
	if (err)
		return err;
	data = buf->data + sizeof(struct alink_tlv);
	data->offset = cpu_to_le32(offset);
	memcpy(data + 1, bytes, len);
	return alink_admin_exec(adev, ALINK_ADMIN_FLASH_WRITE, buf->data,
				buf->len, NULL, 0, NULL, status);
}

static int alink_flash_write_all(struct alink_dev *adev,
				 struct devlink *devlink,
				 const struct alink_fw_header *h, u32 chunk,
				 struct netlink_ext_ack *extack)
{
	u32 at, n, percent, shown = 0, len = le32_to_cpu(h->payload_len);
	const void *payload = h + 1;
	struct alink_tlv_buf buf = { };
	u16 status;
	int err = 0;

	buf.room = ALINK_TLV_SPAN(sizeof(struct alink_flash_data) + chunk);
	buf.data = kvmalloc(buf.room, GFP_KERNEL);
	if (!buf.data)
		return -ENOMEM;

	devlink_flash_update_status_notify(devlink, "Writing",
					   ALINK_FLASH_COMPONENT, 0, len);
	for (at = 0; at < len; at += n) {
		err = alink_flash_stopped(adev, extack);
		if (err)
			break;
		status = ALINK_ST_ABORTED;
		n = min(len - at, chunk);
		err = alink_flash_write(adev, &buf, at, payload + at, n,
					&status);
		if (err) {
			err = alink_flash_failed(extack, err, status);
			break;
		}
		percent = div_u64(100ULL * (at + n), len);
		if (percent == shown)
			continue;
		shown = percent;
		devlink_flash_update_status_notify(devlink, "Writing",
						   ALINK_FLASH_COMPONENT,
						   at + n, len);
	}
	kvfree(buf.data);
	return err;
}

static int alink_flash_commit(struct alink_dev *adev, struct devlink *devlink,
			      struct netlink_ext_ack *extack)
{
	u16 status;
	int err;

	devlink_flash_update_timeout_notify(devlink, "Verifying",
					    ALINK_FLASH_COMPONENT,
					    ALINK_ADMIN_TIMEOUT_MS / 1000);
	err = alink_admin_exec(adev, ALINK_ADMIN_FLASH_COMMIT, NULL, 0, NULL,
			       0, NULL, &status);
	if (err && status == ALINK_ST_ABORTED) {
		NL_SET_ERR_MSG_FMT(extack,
				   "No answer to the commit (%pe): stored fw tells what starts next",
				   ERR_PTR(err));
		return err;
	}
	return err ? alink_flash_failed(extack, err, status) : 0;
}

static int alink_flash_update(struct alink_dev *adev, struct devlink *devlink,
			      const struct firmware *fw,
			      struct netlink_ext_ack *extack)
{
	const struct alink_fw_header *h = (const void *)fw->data;
	struct alink_flash_info info;
	char text[ALINK_FW_TEXT];
	int err;

	devlink_flash_update_status_notify(devlink, "Checking",
					   ALINK_FLASH_COMPONENT, 0, 0);
	err = alink_flash_check_form(fw, extack);
	if (err)
		return err;
	err = alink_flash_info(adev, &info);
	if (err)
		return alink_flash_failed(extack, err, ALINK_ST_ABORTED);
	err = alink_flash_check_fit(adev, h, &info, extack);
	if (!err)
		err = alink_flash_check_digest(adev, fw, extack);
	if (!err)
		err = alink_flash_begin(adev, h, le32_to_cpu(info.flags) &
					ALINK_FLASH_HELD, extack);
	if (err)
		return err;

	err = alink_flash_write_all(adev, devlink, h,
				    le32_to_cpu(info.max_chunk), extack);
	if (!err)
		err = alink_flash_commit(adev, devlink, extack);
	alink_fw_text(text, le32_to_cpu(h->version));
	if (!err) {
		devlink_flash_update_status_notify(devlink, "Done",
						   ALINK_FLASH_COMPONENT,
						   0, 0);
		pci_info_ratelimited(adev->pdev,
				     "firmware %s written: the next reset starts it\n",
				     text);
		return 0;
	}
	/* Who does not answer is not asked again: that takes as long. */
	if (err != -ETIMEDOUT)
		alink_admin_exec(adev, ALINK_ADMIN_FLASH_ABORT, NULL, 0, NULL,
				 0, NULL, NULL);
	dev_warn_ratelimited(&adev->pdev->dev, "update to firmware %s failed: %pe\n",
			     text, ERR_PTR(err));
	return err;
}

/**
 * alink_devlink_flash_update - devlink_ops.flash_update of every driver
 * @devlink:	instance whose devlink_priv() begins with struct alink_devlink
 * @params:	from devlink
 * @extack:	says which field of the image, or what else, was wrong
 *
 * Checks the image as far as a host can, writes it to the bank that does not
 * run, and has the device check it again. What runs stays until a reset.
 *
 * Context: process; sleeps, and ends early for a fatal signal, for
 * alink_flash_stop(), and for a reset. The caller holds the devlink lock.
 * Return: 0; -EOPNOTSUPP without ALINK_CAP_FLASH; -EINVAL, -EFBIG, -EBADMSG or
 * -EPERM for an image that is refused; -EBUSY while another agent has the
 * flash; -EINTR; -ECANCELED when the device was reset; -ENODEV; -ETIMEDOUT;
 * -EPROTO for an answer against the contract; -ENOMEM.
 */
int alink_devlink_flash_update(struct devlink *devlink,
			       struct devlink_flash_update_params *params,
			       struct netlink_ext_ack *extack)
{
	struct alink_dev *adev = alink_devlink_dev(devlink);
	int err;

	devl_assert_locked(devlink);

	if (!(adev->caps & ALINK_CAP_FLASH)) {
		NL_SET_ERR_MSG(extack, "Device has no flash that a host may write");
		return -EOPNOTSUPP;
	}
	set_bit(ALINK_DEV_FLASHING, &adev->flags);
	err = alink_flash_update(adev, devlink, params->fw, extack);
	clear_bit(ALINK_DEV_FLASHING, &adev->flags);
	return err;
}
EXPORT_SYMBOL_GPL(alink_devlink_flash_update);

/**
 * alink_flash_stop - have an update end soon, and no other begin
 * @adev:	device that its driver is about to leave
 *
 * Before whatever waits for the devlink lock.
 *
 * Context: any.
 */
void alink_flash_stop(struct alink_dev *adev)
{
	set_bit(ALINK_DEV_LEAVING, &adev->flags);
}
EXPORT_SYMBOL_GPL(alink_flash_stop);

/**
 * alink_flash_running - is the devlink lock taken for long?
 * @adev:	device
 *
 * For work that would wait for the lock, and must not wait for minutes. The
 * answer is old when it is there: who took the other way may wait all the same.
 *
 * Context: any.
 * Return: whether an update runs.
 */
bool alink_flash_running(struct alink_dev *adev)
{
	return test_bit(ALINK_DEV_FLASHING, &adev->flags);
}
EXPORT_SYMBOL_GPL(alink_flash_running);
