// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_switch.ko: what devlink shows of a switch: its tables, and how full they
 * are; and its health reporters, each of which has a file of its own. Ports, information,
 * flash and reload come from alink.ko.
 */
#include "alink_switch.h"

const struct devlink_ops alink_switch_devlink_ops = {
	.info_get = alink_devlink_info_get,
	.flash_update = alink_devlink_flash_update,
	.reload_actions = ALINK_DEVLINK_RELOAD_ACTIONS,
	.reload_down = alink_devlink_reload_down,
	.reload_up = alink_devlink_reload_up,
};

/* --- resources: the tables, and how full they are ------------------------- */

static const struct {
	const char *name;
	u32 used;		/* register */
} alink_switch_tables[ALINK_SWITCH_TABLES] = {
	[ALINK_SWITCH_ROUTES] = { "routes", ALINK_SW_REG_ROUTES_USED },
	[ALINK_SWITCH_GROUPS] = { "groups", ALINK_SW_REG_GROUPS_USED },
	[ALINK_SWITCH_PARTITIONS] = { "partitions", ALINK_SW_REG_PLACED },
};

/* devlink numbers resources from 1 on. */
static u64 alink_switch_resource(unsigned int table)
{
	return table + 1;
}

static u64 alink_switch_occupancy(void *priv)
{
	struct alink_switch_table *table = priv;
	unsigned int n = table - table->sw->table;
	u32 used = alink_rd32(table->sw->adev, alink_switch_tables[n].used);

	/* In a reset, or gone: as it was known last */
	if (used == U32_MAX)
		return READ_ONCE(table->last);
	WRITE_ONCE(table->last, used);
	return used;
}

static u64 alink_switch_table_size(const struct alink_switch *sw,
				   unsigned int table)
{
	switch (table) {
	case ALINK_SWITCH_ROUTES:
		return sw->max_routes;
	case ALINK_SWITCH_GROUPS:
		return sw->max_groups;
	default:
		/* The partition of each endpoint that there can be */
		return ALINK_MAX_ENDPOINTS;
	}
}

static int alink_switch_add_table(struct alink_switch *sw, unsigned int table)
{
	u64 id = alink_switch_resource(table);
	u64 size = alink_switch_table_size(sw, table);
	struct devlink *devlink = priv_to_devlink(sw);
	struct devlink_resource_size_params params;
	int err;

	sw->table[table].sw = sw;
	devlink_resource_size_params_init(&params, size, size, 1,
					  DEVLINK_RESOURCE_UNIT_ENTRY);
	err = devl_resource_register(devlink, alink_switch_tables[table].name,
				     size, id, DEVLINK_RESOURCE_ID_PARENT_TOP,
				     &params);
	if (!err && alink_dev_caps(sw->adev) & ALINK_CAP_TABLES_USED)
		devl_resource_occ_get_register(devlink, id,
					       alink_switch_occupancy,
					       &sw->table[table]);
	return err;
}

/* --- health reporters ------------------------------------------------------ */

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

/* --- life ------------------------------------------------------------------ */

/* Before devlink_register(). */
int alink_switch_devlink_init(struct alink_switch *sw)
{
	struct devlink *devlink = priv_to_devlink(sw);
	unsigned int table;
	int err = 0;

	devl_lock(devlink);
	for (table = 0; table < ALINK_SWITCH_TABLES && !err; table++)
		err = alink_switch_add_table(sw, table);
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
