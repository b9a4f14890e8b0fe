// SPDX-License-Identifier: GPL-2.0-only
/*
 * TLVs of the admin queue, and what its status codes mean to Linux.
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/string.h>

#include "alink_priv.h"

/**
 * alink_tlv_put - append a TLV to a buffer
 * @buf:	buffer; @buf->len grows
 * @type:	ALINK_TLV_*, with ALINK_TLV_MUST where the device must know it
 * @payload:	payload; NULL for @len zero bytes
 * @len:	bytes of payload
 *
 * Return: 0; -EMSGSIZE when @len does not fit in the header or in the buffer,
 * which is then unchanged.
 */
int alink_tlv_put(struct alink_tlv_buf *buf, u16 type, const void *payload,
		  size_t len)
{
	struct alink_tlv *tlv;
	size_t span;

	if (len > U16_MAX)
		return -EMSGSIZE;
	span = ALINK_TLV_SPAN(len);
	if (span > buf->room - buf->len)
		return -EMSGSIZE;

	tlv = buf->data + buf->len;
	memset(tlv, 0, span);
	tlv->type = cpu_to_le16(type);
	tlv->len = cpu_to_le16(len);
	if (payload)
		memcpy(tlv + 1, payload, len);
	buf->len += span;
	return 0;
}
EXPORT_SYMBOL_GPL(alink_tlv_put);

/**
 * alink_tlv_next - walk the TLVs of a response
 * @data:	first byte of the response, 8-byte aligned
 * @len:	bytes of the response
 * @prev:	what the last call returned, NULL for the first
 *
 * Trusts nothing in the buffer: a TLV that does not lie wholly inside ends the
 * walk.
 *
 * Return: the next TLV, or NULL at the end.
 */
const struct alink_tlv *alink_tlv_next(const void *data, size_t len,
				       const struct alink_tlv *prev)
{
	const struct alink_tlv *tlv = data;
	size_t at = 0;

	if (prev) {
		at = (const void *)prev - data;
		at += ALINK_TLV_SPAN(alink_tlv_len(prev));
		if (at >= len)
			return NULL;
		tlv = data + at;
	}
	if (len - at < sizeof(*tlv) ||
	    len - at - sizeof(*tlv) < alink_tlv_len(tlv))
		return NULL;
	return tlv;
}
EXPORT_SYMBOL_GPL(alink_tlv_next);

/* Names as in enum alink_status: what a parser may rely on */
#define ALINK_STATUS(st, err, text) \
	[ALINK_ST_##st] = { err, #st, text }

static const struct {
	int err;
	const char *name;
	const char *text;
} alink_status_table[] = {
	ALINK_STATUS(OK, 0, "no error"),
	ALINK_STATUS(BAD_OPCODE, -EOPNOTSUPP,
		     "command not known to the device"),
	ALINK_STATUS(BAD_FIELD, -EINVAL, "value out of range for the device"),
	ALINK_STATUS(TLV, -EBADMSG, "malformed, missing or unknown TLV"),
	ALINK_STATUS(NO_ROOM, -ENOSPC, "no room in a table, or no memory"),
	ALINK_STATUS(EXISTS, -EEXIST, "exists already"),
	ALINK_STATUS(NOT_FOUND, -ENOENT, "no such object"),
	ALINK_STATUS(BUSY, -EBUSY, "object in use"),
	ALINK_STATUS(DMA, -EIO, "the bus refused a DMA access"),
	ALINK_STATUS(ABORTED, -ECANCELED, "aborted by reset or removal"),
	ALINK_STATUS(DENIED, -EACCES, "denied by the device"),
	ALINK_STATUS(STUCK, -EIO, "made no progress"),
	ALINK_STATUS(NO_PATH, -EHOSTUNREACH, "no path"),
	ALINK_STATUS(PORT_DOWN, -ENETDOWN, "port down"),
	ALINK_STATUS(PARTITION, -EXDEV, "no common partition"),
	ALINK_STATUS(KEY, -EKEYREJECTED, "wrong key or right"),
	ALINK_STATUS(RANGE, -ERANGE, "beyond the segment"),
	ALINK_STATUS(POISON, -EHWPOISON, "poisoned data"),
	ALINK_STATUS(TIMEOUT, -ETIMEDOUT, "timed out in the fabric"),
	ALINK_STATUS(UNREACHABLE, -EHOSTDOWN, "target did not answer"),
	ALINK_STATUS(GROUP, -ESRCH, "no such group, or a member is missing"),
	ALINK_STATUS(UNSUPPORTED, -EOPNOTSUPP, "not supported by this engine"),
	ALINK_STATUS(EPOCH, -ESTALE, "the epoch of the push has ended"),
	ALINK_STATUS(PAGE_FAULT, -EADDRNOTAVAIL,
		     "nothing mapped at the address"),
	ALINK_STATUS(PERMISSION, -EPERM, "mapped without this right"),
	ALINK_STATUS(ALIGN, -EINVAL, "address or length not aligned"),
	ALINK_STATUS(FW_FORMAT, -EINVAL,
		     "not an image of a format that it knows"),
	ALINK_STATUS(FW_DEVTYPE, -EINVAL, "for another type of device"),
	ALINK_STATUS(FW_VARIANT, -EINVAL, "for other variants of the device"),
	ALINK_STATUS(FW_LENGTH, -EINVAL, "too long, or not all there"),
	ALINK_STATUS(FW_DIGEST, -EBADMSG,
		     "sha256 does not match what is in flash"),
	ALINK_STATUS(FW_SECURITY, -EPERM, "security version below its floor"),
};

/**
 * alink_status_errno - the errno for a status of the device
 * @status:	enum alink_status
 *
 * Return: 0 for ALINK_ST_OK, -errno for each other; -EPROTO for a value that
 * the contract does not know.
 */
int alink_status_errno(u16 status)
{
	if (status >= ARRAY_SIZE(alink_status_table) ||
	    !alink_status_table[status].text)
		return -EPROTO;
	return alink_status_table[status].err;
}
EXPORT_SYMBOL_GPL(alink_status_errno);

/**
 * alink_status_str - a status of the device in words
 * @status:	enum alink_status
 *
 * Return: text for a log line or an extack, never NULL.
 */
const char *alink_status_str(u16 status)
{
	if (status >= ARRAY_SIZE(alink_status_table) ||
	    !alink_status_table[status].text)
		return "unknown status";
	return alink_status_table[status].text;
}
EXPORT_SYMBOL_GPL(alink_status_str);

/**
 * alink_status_name - the name of a status of the device
 * @status:	enum alink_status
 *
 * Return: its name in the contract, without ALINK_ST_; "UNKNOWN" for a value
 * that this does not know.
 */
const char *alink_status_name(u16 status)
{
	if (status >= ARRAY_SIZE(alink_status_table) ||
	    !alink_status_table[status].text)
		return "UNKNOWN";
	return alink_status_table[status].name;
}
EXPORT_SYMBOL_GPL(alink_status_name);
