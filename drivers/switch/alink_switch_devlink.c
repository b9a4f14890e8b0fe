// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_switch.ko: what devlink shows of a switch: the sizes of its tables, and
 * its health reporters, each of which has a file of its own. Ports, information,
 * flash and reload come from alink.ko.
 */
#include "alink_switch.h"

enum alink_switch_resource {
	ALINK_SWITCH_RESOURCE_ROUTES = 1,
	ALINK_SWITCH_RESOURCE_GROUPS,
};

const struct devlink_ops alink_switch_devlink_ops = {
	.info_get = alink_devlink_info_get,
	.flash_update = alink_devlink_flash_update,
	.reload_actions = ALINK_DEVLINK_RELOAD_ACTIONS,
	.reload_down = alink_devlink_reload_down,
	.reload_up = alink_devlink_reload_up,
};

static int alink_switch_add_resource(struct alink_switch *sw, const char *name,
				     u64 size, u64 id)
{
	struct devlink_resource_size_params params;

	devlink_resource_size_params_init(&params, size, size, 1,
					  DEVLINK_RESOURCE_UNIT_ENTRY);
	return devl_resource_register(priv_to_devlink(sw), name, size, id,
				      DEVLINK_RESOURCE_ID_PARENT_TOP, &params);
}

/* After devlink_register(). */
void alink_switch_reporters_start(struct alink_switch *sw)
{
	alink_switch_asic_start(sw);
	alink_switch_inc_start(sw);
	alink_manager_health_start(sw->adev);
	alink_link_health_start(sw->adev);
}

/* Before devlink_unregister(). */
void alink_switch_reporters_stop(struct alink_switch *sw)
{
	alink_link_health_stop(sw->adev);
	alink_manager_health_stop(sw->adev);
	alink_switch_inc_stop(sw);
	alink_switch_asic_stop(sw);
}

static int alink_switch_reporters_create(struct alink_switch *sw,
					 struct devlink *devlink)
{
	int err;

	err = alink_switch_asic_create(sw, devlink);
	if (err)
		return err;
	err = alink_switch_inc_create(sw, devlink);
	if (err)
		goto err_asic;
	err = alink_manager_health_create(sw->adev, devlink);
	if (err)
		goto err_inc;
	err = alink_link_health_create(sw->adev, devlink);
	if (err)
		goto err_manager;
	return 0;

err_manager:
	alink_manager_health_destroy(sw->adev);
err_inc:
	alink_switch_inc_destroy(sw);
err_asic:
	alink_switch_asic_destroy(sw);
	return err;
}

static void alink_switch_reporters_destroy(struct alink_switch *sw)
{
	alink_link_health_destroy(sw->adev);
	alink_manager_health_destroy(sw->adev);
	alink_switch_inc_destroy(sw);
	alink_switch_asic_destroy(sw);
}

/* Before devlink_register(). */
int alink_switch_devlink_init(struct alink_switch *sw)
{
	struct devlink *devlink = priv_to_devlink(sw);
	int err;

	devl_lock(devlink);
	err = alink_switch_add_resource(sw, "routes", sw->max_routes,
					ALINK_SWITCH_RESOURCE_ROUTES);
	if (err)
		goto err_unlock;
	err = alink_switch_add_resource(sw, "groups", sw->max_groups,
					ALINK_SWITCH_RESOURCE_GROUPS);
	if (err)
		goto err_resources;
	err = alink_switch_reporters_create(sw, devlink);
	if (err)
		goto err_resources;
	err = alink_devlink_common_register(devlink);
	if (err)
		goto err_reporters;
	devl_unlock(devlink);
	return 0;

err_reporters:
	alink_switch_reporters_destroy(sw);
err_resources:
	devl_resources_unregister(devlink);
err_unlock:
	devl_unlock(devlink);
	return err;
}

void alink_switch_devlink_fini(struct alink_switch *sw)
{
	struct devlink *devlink = priv_to_devlink(sw);

	devl_lock(devlink);
	alink_devlink_common_unregister(devlink);
	alink_switch_reporters_destroy(sw);
	devl_resources_unregister(devlink);
	devl_unlock(devlink);
}
