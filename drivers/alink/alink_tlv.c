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

static const struct {
	int err;
	const char *text;
} alink_status_table[] = {
	[ALINK_ST_OK]		= { 0, "no error" },
	[ALINK_ST_BAD_OPCODE]	= { -EOPNOTSUPP, "command not known to the device" },
	[ALINK_ST_BAD_FIELD]	= { -EINVAL, "value out of range for the device" },
	[ALINK_ST_TLV]		= { -EBADMSG, "malformed, missing or unknown TLV" },
	[ALINK_ST_NO_ROOM]	= { -ENOSPC, "no room in a table, or no memory" },
	[ALINK_ST_EXISTS]	= { -EEXIST, "exists already" },
	[ALINK_ST_NOT_FOUND]	= { -ENOENT, "no such object" },
	[ALINK_ST_BUSY]		= { -EBUSY, "object in use" },
	[ALINK_ST_DMA]		= { -EIO, "the bus refused a DMA access" },
	[ALINK_ST_ABORTED]	= { -ECANCELED, "aborted by reset or removal" },
	[ALINK_ST_DENIED]	= { -EACCES, "denied by the device" },
	[ALINK_ST_STUCK]	= { -EIO, "made no progress" },
	[ALINK_ST_NO_PATH]	= { -EHOSTUNREACH, "no path" },
	[ALINK_ST_PORT_DOWN]	= { -ENETDOWN, "port down" },
	[ALINK_ST_PARTITION]	= { -EXDEV, "no common partition" },
	[ALINK_ST_KEY]		= { -EKEYREJECTED, "wrong key or right" },
	[ALINK_ST_RANGE]	= { -ERANGE, "beyond the segment" },
	[ALINK_ST_POISON]	= { -EHWPOISON, "poisoned data" },
	[ALINK_ST_TIMEOUT]	= { -ETIMEDOUT, "timed out in the fabric" },
	[ALINK_ST_UNREACHABLE]	= { -EHOSTDOWN, "target did not answer" },
	[ALINK_ST_GROUP]	= { -ESRCH, "no such group, or a member is missing" },
	[ALINK_ST_UNSUPPORTED]	= { -EOPNOTSUPP, "not supported by this engine" },
	[ALINK_ST_PAGE_FAULT]	= { -EADDRNOTAVAIL, "nothing mapped at the address" },
	[ALINK_ST_PERMISSION]	= { -EPERM, "mapped without this right" },
	[ALINK_ST_ALIGN]	= { -EINVAL, "address or length not aligned" },
	[ALINK_ST_FW_FORMAT]	= { -EINVAL, "not an image of a format that it knows" },
	[ALINK_ST_FW_DEVTYPE]	= { -EINVAL, "for another type of device" },
	[ALINK_ST_FW_VARIANT]	= { -EINVAL, "for other variants of the device" },
	[ALINK_ST_FW_LENGTH]	= { -EINVAL, "too long, or not all there" },
	[ALINK_ST_FW_DIGEST]	= { -EBADMSG, "sha256 does not match what is in flash" },
	[ALINK_ST_FW_SECURITY]	= { -EPERM, "security version below its floor" },
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
