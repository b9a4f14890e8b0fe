// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links that flap: how often they may go down before the device holds them down,
 * as devlink parameters of the device, one for all its links.
 */
#include <linux/bitfield.h>
#include <linux/rtnetlink.h>

#include "alink_port.h"

#define ALINK_FLAP_MAX_MS \
	(FIELD_MAX(ALINK_LINK_FLAP_HOLD) * ALINK_LINK_FLAP_UNIT_MS)

static_assert(ALINK_LINK_FLAP_LIMIT == U8_MAX);
static_assert(ALINK_LINK_FLAP_WINDOW >> 8 == ALINK_LINK_FLAP_HOLD >> 20);

/* Before the first port is made */
void alink_flap_init(struct alink_dev *adev)
{
	adev->flap.limit = 0;
	adev->flap.window_ms = 10 * MSEC_PER_SEC;
	adev->flap.hold_ms = 30 * MSEC_PER_SEC;
}

/* The device forgets what it has counted, and ends the hold of a link. */
void alink_port_write_flap(struct alink_port *port)
{
	const struct alink_flap *flap = &port->adev->flap;
	u32 ctrl = 0;

	if (flap->limit)
		ctrl = FIELD_PREP(ALINK_LINK_FLAP_LIMIT, flap->limit) |
		       FIELD_PREP(ALINK_LINK_FLAP_WINDOW,
				  flap->window_ms / ALINK_LINK_FLAP_UNIT_MS) |
		       FIELD_PREP(ALINK_LINK_FLAP_HOLD,
				  flap->hold_ms / ALINK_LINK_FLAP_UNIT_MS);
	alink_port_wr32(port, ALINK_LINK_FLAP_CTRL, ctrl);
}

static int alink_flap_get(struct devlink *devlink, u32 id,
			  struct devlink_param_gset_ctx *ctx)
{
	const struct alink_flap *flap = &alink_devlink_dev(devlink)->flap;

	devl_assert_locked(devlink);
	switch (id) {
	case ALINK_DEVLINK_PARAM_FLAP_LIMIT:
		ctx->val.vu8 = flap->limit;
		return 0;
	case ALINK_DEVLINK_PARAM_FLAP_WINDOW:
		ctx->val.vu32 = flap->window_ms;
		return 0;
	case ALINK_DEVLINK_PARAM_FLAP_HOLD:
		ctx->val.vu32 = flap->hold_ms;
		return 0;
	default:
		return -EINVAL;
	}
}

/* A device in reset gets it when it comes back, alink_ports_attach(). */
static int alink_flap_set(struct devlink *devlink, u32 id,
			  struct devlink_param_gset_ctx *ctx,
			  struct netlink_ext_ack *extack)
{
	struct alink_dev *adev = alink_devlink_dev(devlink);
	unsigned int i;

	devl_assert_locked(devlink);
	/* Protects the settings and adev->ports, also from the end of a reset. */
	rtnl_lock();
	switch (id) {
	case ALINK_DEVLINK_PARAM_FLAP_LIMIT:
		adev->flap.limit = ctx->val.vu8;
		break;
	case ALINK_DEVLINK_PARAM_FLAP_WINDOW:
		adev->flap.window_ms = ctx->val.vu32;
		break;
	case ALINK_DEVLINK_PARAM_FLAP_HOLD:
		adev->flap.hold_ms = ctx->val.vu32;
		break;
	}
	for (i = 0; adev->ports && i < adev->num_links; i++)
		if (adev->ports[i]->netdev)
			alink_port_write_flap(adev->ports[i]);
	rtnl_unlock();
	return 0;
}

static int alink_flap_validate(struct devlink *devlink, u32 id,
			       union devlink_param_value val,
			       struct netlink_ext_ack *extack)
{
	if (val.vu32 < ALINK_LINK_FLAP_UNIT_MS || val.vu32 > ALINK_FLAP_MAX_MS ||
	    val.vu32 % ALINK_LINK_FLAP_UNIT_MS) {
		NL_SET_ERR_MSG_FMT(extack, "Time must be from %u to %u ms, by %u",
				   ALINK_LINK_FLAP_UNIT_MS,
				   (unsigned int)ALINK_FLAP_MAX_MS,
				   ALINK_LINK_FLAP_UNIT_MS);
		return -EINVAL;
	}
	return 0;
}

static const struct devlink_param alink_flap_params[] = {
	DEVLINK_PARAM_DRIVER(ALINK_DEVLINK_PARAM_FLAP_LIMIT, "link_flap_limit",
			     DEVLINK_PARAM_TYPE_U8,
			     BIT(DEVLINK_PARAM_CMODE_RUNTIME),
			     alink_flap_get, alink_flap_set, NULL),
	DEVLINK_PARAM_DRIVER(ALINK_DEVLINK_PARAM_FLAP_WINDOW,
			     "link_flap_window_ms", DEVLINK_PARAM_TYPE_U32,
			     BIT(DEVLINK_PARAM_CMODE_RUNTIME),
			     alink_flap_get, alink_flap_set,
			     alink_flap_validate),
	DEVLINK_PARAM_DRIVER(ALINK_DEVLINK_PARAM_FLAP_HOLD,
			     "link_flap_hold_ms", DEVLINK_PARAM_TYPE_U32,
			     BIT(DEVLINK_PARAM_CMODE_RUNTIME),
			     alink_flap_get, alink_flap_set,
			     alink_flap_validate),
};

/* The caller holds the devlink lock. */
int alink_flap_params_register(struct devlink *devlink)
{
	if (!(alink_devlink_dev(devlink)->caps & ALINK_CAP_LINKS))
		return 0;
	return devl_params_register(devlink, alink_flap_params,
				    ARRAY_SIZE(alink_flap_params));
}

void alink_flap_params_unregister(struct devlink *devlink)
{
	if (alink_devlink_dev(devlink)->caps & ALINK_CAP_LINKS)
		devl_params_unregister(devlink, alink_flap_params,
				       ARRAY_SIZE(alink_flap_params));
}
