// SPDX-License-Identifier: GPL-2.0-only
/* Context, error text, and names of codes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hw/alink/cmis.h>

#include "alink_priv.h"

#ifndef ALINK_LIB_VERSION
#error "ALINK_LIB_VERSION comes from the Makefile"
#endif

int alink_new(struct alink_ctx **ctx)
{
	*ctx = calloc(1, sizeof(**ctx));
	return *ctx ? 0 : -ENOMEM;
}

void alink_free(struct alink_ctx *ctx)
{
	if (ctx)
		alink_nl_close(ctx->nl);
	free(ctx);
}

int alink_set_root(struct alink_ctx *ctx, const char *dir)
{
	size_t len = strlen(dir);

	if (len >= sizeof(ctx->root))
		return alink_fail(ctx, -ENAMETOOLONG,
				  "root directory: a name of at most %zu bytes is wanted",
				  sizeof(ctx->root) - 1);
	memcpy(ctx->root, dir, len + 1);
	return 0;
}

const char *alink_error(const struct alink_ctx *ctx)
{
	return ctx->error;
}

const char *alink_version(void)
{
	return ALINK_LIB_VERSION;
}

int alink_fail(struct alink_ctx *ctx, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(ctx->error, sizeof(ctx->error), fmt, args);
	va_end(args);
	return err;
}

#define NAME_OF(table, code) \
	((code) < sizeof(table) / sizeof((table)[0]) && (table)[code] ? \
	 (table)[code] : "unknown")

const char *alink_status_name(uint32_t status)
{
	static const char *const names[] = {
		[ALINK_ST_OK]		= "ok",
		[ALINK_ST_BAD_OPCODE]	= "bad opcode",
		[ALINK_ST_BAD_FIELD]	= "bad field",
		[ALINK_ST_TLV]		= "bad TLV",
		[ALINK_ST_NO_ROOM]	= "no room",
		[ALINK_ST_EXISTS]	= "exists",
		[ALINK_ST_NOT_FOUND]	= "not found",
		[ALINK_ST_BUSY]		= "busy",
		[ALINK_ST_DMA]		= "bus access refused",
		[ALINK_ST_ABORTED]	= "aborted",
		[ALINK_ST_DENIED]	= "denied",
		[ALINK_ST_STUCK]	= "made no progress",
		[ALINK_ST_NO_PATH]	= "no path",
		[ALINK_ST_PORT_DOWN]	= "port down",
		[ALINK_ST_PARTITION]	= "not in one partition",
		[ALINK_ST_KEY]		= "no such segment, key or right",
		[ALINK_ST_RANGE]	= "beyond the segment",
		[ALINK_ST_POISON]	= "poisoned data",
		[ALINK_ST_TIMEOUT]	= "timeout",
		[ALINK_ST_UNREACHABLE]	= "target did not answer",
		[ALINK_ST_GROUP]	= "no such group, or a member is missing",
		[ALINK_ST_UNSUPPORTED]	= "data type or operation not supported",
		[ALINK_ST_EPOCH]	= "the epoch of the push has ended",
		[ALINK_ST_PAGE_FAULT]	= "nothing mapped there",
		[ALINK_ST_PERMISSION]	= "mapped without this right",
		[ALINK_ST_ALIGN]	= "bad alignment",
		[ALINK_ST_FW_FORMAT]	= "no firmware image",
		[ALINK_ST_FW_DEVTYPE]	= "firmware of another device",
		[ALINK_ST_FW_VARIANT]	= "firmware of another variant",
		[ALINK_ST_FW_LENGTH]	= "bad firmware length",
		[ALINK_ST_FW_DIGEST]	= "bad firmware digest",
		[ALINK_ST_FW_SECURITY]	= "firmware below floor",
	};

	return NAME_OF(names, status);
}

const char *alink_reason_name(uint32_t reason)
{
	static const char *const names[] = {
		[ALINK_DOWN_NONE]		= "none",
		[ALINK_DOWN_ADMIN]		= "closed by command",
		[ALINK_DOWN_NO_PARTNER]		= "no partner",
		[ALINK_DOWN_NO_CABLE]		= "no cable",
		[ALINK_DOWN_MODULE_NOT_READY]	= "module not ready",
		[ALINK_DOWN_MODULE_FAULT]	= "module fault",
		[ALINK_DOWN_RATE]		= "rate not supported",
		[ALINK_DOWN_AUTONEG]		= "no agreement on rate",
		[ALINK_DOWN_TRAINING]		= "training failed",
		[ALINK_DOWN_SIGNAL]		= "bad signal",
		[ALINK_DOWN_REMOTE_FAULT]	= "remote fault",
		[ALINK_DOWN_DESKEW]		= "lane skew",
		[ALINK_DOWN_WIDTH]		= "width reduced",
		[ALINK_DOWN_RATE_REDUCED]	= "rate reduced",
		[ALINK_DOWN_LASER]		= "laser off",
		[ALINK_DOWN_RX_LOS]		= "no light received",
		[ALINK_DOWN_RX_LOL]		= "no lock",
		[ALINK_DOWN_TEMPERATURE]	= "too hot",
		[ALINK_DOWN_REMOVED]		= "part removed",
		[ALINK_DOWN_MISWIRED]		= "miswired",
		[ALINK_DOWN_PARTITION]		= "isolated partition",
		[ALINK_DOWN_FIRMWARE]		= "firmware",
		[ALINK_DOWN_POWER]		= "power budget",
		[ALINK_DOWN_TEST]		= "under test",
		[ALINK_DOWN_FEC]		= "no FEC in common",
		[ALINK_DOWN_FLAP]		= "flaps, held down",
	};

	return NAME_OF(names, reason);
}

const char *alink_link_state_name(uint32_t state)
{
	static const char *const names[] = {
		[ALINK_LINK_DOWN]	= "down",
		[ALINK_LINK_TRAINING]	= "training",
		[ALINK_LINK_UP]		= "up",
		[ALINK_LINK_ABSENT]	= "absent",
	};

	return NAME_OF(names, state);
}

const char *alink_module_state_name(uint32_t state)
{
	static const char *const names[] = {
		[CMIS_STATE_LOW_POWER]	= "low power",
		[CMIS_STATE_POWER_UP]	= "powering up",
		[CMIS_STATE_READY]	= "ready",
		[CMIS_STATE_POWER_DOWN]	= "powering down",
		[CMIS_STATE_FAULT]	= "fault",
	};

	return NAME_OF(names, state);
}

const char *alink_module_fault_name(uint32_t fault)
{
	static const char *const names[] = {
		[CMIS_FAULT_NONE]		= "none",
		[CMIS_FAULT_TEC]		= "cooler",
		[CMIS_FAULT_DATA_MEMORY]	= "data memory",
		[CMIS_FAULT_PROGRAM_MEMORY]	= "program memory",
		[CMIS_FAULT_TRANSMITTER]	= "transmitter",
		[CMIS_FAULT_RECEIVER]		= "receiver",
		[CMIS_FAULT_TEMPERATURE]	= "temperature",
	};

	return NAME_OF(names, fault);
}

const char *alink_devtype_name(uint32_t type)
{
	static const char *const names[] = {
		[ALINK_DEVTYPE_XPU]	= "xpu",
		[ALINK_DEVTYPE_SWITCH]	= "switch",
		[ALINK_DEVTYPE_OPTICS]	= "optics",
		[ALINK_DEVTYPE_NIC]	= "nic",
		[ALINK_DEVTYPE_RACK]	= "rack",
	};

	return NAME_OF(names, type);
}

const char *alink_dtype_name(uint32_t dtype)
{
	static const char *const names[] = {
		[ALINK_DT_INT32]	= "int32",
		[ALINK_DT_FP32]		= "fp32",
		[ALINK_DT_BF16]		= "bf16",
		[ALINK_DT_FP16]		= "fp16",
		[ALINK_DT_FP8_E4M3]	= "fp8_e4m3",
		[ALINK_DT_FP8_E5M2]	= "fp8_e5m2",
		[ALINK_DT_UINT8]	= "uint8",
		[ALINK_DT_TF32]		= "tf32",
		[ALINK_DT_MXFP4]	= "mxfp4",
		[ALINK_DT_INT8]		= "int8",
	};

	return NAME_OF(names, dtype);
}

const char *alink_fec_name(uint32_t fec)
{
	static const char *const names[] = {
		[ALINK_FEC_NONE]	= "none",
		[ALINK_FEC_RS544]	= "rs544",
		[ALINK_FEC_LL272]	= "ll272",
	};

	return NAME_OF(names, fec);
}

size_t alink_dtype_bytes(enum alink_dtype dtype)
{
	switch (dtype) {
	case ALINK_DT_INT32:
	case ALINK_DT_FP32:
	case ALINK_DT_TF32:
		return 4;
	case ALINK_DT_BF16:
	case ALINK_DT_FP16:
		return 2;
	case ALINK_DT_FP8_E4M3:
	case ALINK_DT_FP8_E5M2:
	case ALINK_DT_UINT8:
	case ALINK_DT_INT8:
		return 1;
	case ALINK_DT_MXFP4:
		return 0;	/* half a byte */
	}
	return 0;
}
