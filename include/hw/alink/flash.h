/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Firmware images, and what the commands of ALINK_CAP_FLASH carry.
 * Specification: Documentation/hw/firmware.rst.
 */
#ifndef HW_ALINK_FLASH_H
#define HW_ALINK_FLASH_H

#include <hw/alink/shim.h>

#define ALINK_FW_MAGIC			0x57464c41U	/* "ALFW", low byte first */
#define ALINK_FW_FORMAT			1
#define ALINK_FW_ALIGN			16	/* of the payload, and of each piece that is written */
#define ALINK_FW_MAX_VARIANT		63

/* An image is this, then the payload, and nothing behind it. */
struct alink_fw_header {
	__le32 magic;		/* ALINK_FW_MAGIC */
	__le16 format;		/* ALINK_FW_FORMAT */
	__le16 header_len;	/* bytes of this structure */
	__le32 devtype;		/* enum alink_devtype */
	__le32 version;		/* of the firmware, as in ALINK_REG_FW_VERSION */
	__le64 variants;	/* bit v: fits ALINK_REG_VARIANT v, 0..63 */
	__le32 security;	/* security version */
	__le32 payload_len;	/* bytes, not 0, a multiple of ALINK_FW_ALIGN */
	__le32 reserved[16];	/* 0 */
	__u8 sha256[32];	/* of the header before this field, and of the payload */
};
static_assert(sizeof(struct alink_fw_header) == 128, "image header is 128 bytes");

/* ALINK_TLV_FLASH_DATA: this, then 16..max_chunk bytes of the payload */
struct alink_flash_data {
	__le32 offset;		/* in the payload: as many bytes as were written before */
	__le32 reserved;	/* 0 */
};
static_assert(sizeof(struct alink_flash_data) == 8, "flash data begins with 8 bytes");

#define ALINK_FLASH_BANKS		2

enum alink_flash_state {
	ALINK_FLASH_EMPTY	= 0,	/* never written */
	ALINK_FLASH_VALID	= 1,
	ALINK_FLASH_WRITING	= 2,	/* an update is open */
	ALINK_FLASH_INVALID	= 3,	/* an update did not get to its end */
};

/* All but the state are 0 unless that is VALID */
struct alink_flash_bank {
	__le32 state;		/* enum alink_flash_state */
	__le32 version;		/* of the firmware, as in ALINK_REG_FW_VERSION */
	__le32 security;	/* security version */
	__le32 payload_len;	/* bytes; 0 too for what did not come by an update */
};
static_assert(sizeof(struct alink_flash_bank) == 16, "flash bank is 16 bytes");

struct alink_flash_info {
	__le32 running;		/* bank whose firmware runs */
	__le32 next;		/* bank that the next reset starts */
	__le32 flags;		/* ALINK_FLASH_OPEN, ALINK_FLASH_HELD */
	__le32 floor;		/* images of a lower security version are refused */
	__le32 max_payload;	/* bytes that a bank has room for */
	__le32 max_chunk;	/* bytes that one write takes, a multiple of ALINK_FW_ALIGN */
	__le32 written;		/* bytes of the payload, while an update is open */
	__le32 reserved;
	struct alink_flash_bank bank[ALINK_FLASH_BANKS];
};
static_assert(sizeof(struct alink_flash_info) == 64, "flash info is 64 bytes");
#define ALINK_FLASH_MIN_CHUNK		256
#define ALINK_FLASH_MAX_CHUNK		32768
#define ALINK_FLASH_OPEN		ALINK_BIT(0)	/* an update is open */
#define ALINK_FLASH_HELD		ALINK_BIT(1)	/* by another agent, such as the board's controller */

#endif /* HW_ALINK_FLASH_H */
