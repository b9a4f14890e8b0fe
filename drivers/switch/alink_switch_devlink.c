// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_switch.ko: what devlink shows of a switch: the sizes of its tables, and
 * a health reporter for its firmware. Ports, information, flash and reload come
 * from alink.ko; alink_switch_inc.c has another reporter.
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

/*
 * --- health --------------------------------------------------------------
 *
 * What the device reports as fault events; diagnose reads what is true now.
 */

static const struct {
	const char *name;
	u32 reg;
} alink_switch_push_counters[] = {
	{ "pushes", ALINK_SW_REG_PUSHES },
	{ "push_waits", ALINK_SW_REG_PUSH_WAITS },
	{ "push_timeouts", ALINK_SW_REG_PUSH_TIMEOUTS },
	{ "push_aborts", ALINK_SW_REG_PUSH_ABORTS },
	{ "push_late", ALINK_SW_REG_PUSH_LATE },
};

static void alink_switch_diagnose_push(struct alink_dev *adev,
				       struct devlink_fmsg *fmsg)
{
	const char *name;
	unsigned int i;
	u32 reg;

	if (!(alink_dev_caps(adev) & ALINK_CAP_PUSH))
		return;
	for (i = 0; i < ARRAY_SIZE(alink_switch_push_counters); i++) {
		name = alink_switch_push_counters[i].name;
		reg = alink_switch_push_counters[i].reg;
		devlink_fmsg_u64_pair_put(fmsg, name, alink_rd64(adev, reg));
	}
	devlink_fmsg_u32_pair_put(fmsg, "push_slots",
				  alink_rd32(adev, ALINK_SW_REG_PUSH_SLOTS));
	devlink_fmsg_u32_pair_put(fmsg, "push_slots_used",
				  alink_rd32(adev, ALINK_SW_REG_PUSH_USED));
}

static int alink_switch_diagnose(struct devlink_health_reporter *reporter,
				 struct devlink_fmsg *fmsg,
				 struct netlink_ext_ack *extack)
{
	struct alink_switch *sw = devlink_health_reporter_priv(reporter);
	struct alink_dev *adev = sw->adev;
	int err;

	err = alink_devlink_diagnose(adev, fmsg, extack);
	if (err)
		return err;
	devlink_fmsg_u64_pair_put(fmsg, "reductions",
				  alink_rd64(adev, ALINK_SW_REG_REDUCTIONS));
	devlink_fmsg_u64_pair_put(fmsg, "multicasts",
				  alink_rd64(adev, ALINK_SW_REG_MULTICASTS));
	devlink_fmsg_u64_pair_put(fmsg, "drops_no_route",
				  alink_rd64(adev, ALINK_SW_REG_DROPS_NOROUTE));
	devlink_fmsg_u64_pair_put(fmsg, "drops_partition",
				  alink_rd64(adev, ALINK_SW_REG_DROPS_PART));
	alink_switch_diagnose_push(adev, fmsg);
	return 0;
}

static int alink_switch_dump(struct devlink_health_reporter *reporter,
			     struct devlink_fmsg *fmsg, void *priv_ctx,
			     struct netlink_ext_ack *extack)
{
	const struct alink_event *event = priv_ctx;

	/* A dump on request has no fault to tell of. */
	if (!event)
		return alink_switch_diagnose(reporter, fmsg, extack);
	alink_devlink_fault(fmsg, event);
	return 0;
}

static const struct devlink_health_reporter_ops alink_switch_reporter_ops = {
	.name = "asic",
	.diagnose = alink_switch_diagnose,
	.dump = alink_switch_dump,
};

/*
 * A report takes the devlink instance lock, which is outside of the event
 * lock: the event worker leaves faults here. Disabled as long as devlink is
 * not registered, which must not hear of a fault then.
 */
static void alink_switch_fault_work(struct work_struct *work)
{
	struct alink_switch *sw = container_of(work, struct alink_switch,
					       fault_work);
	struct alink_event event;
	char text[48];

	while (kfifo_get(&sw->faults, &event)) {
		snprintf(text, sizeof(text), "fault %u",
			 le32_to_cpu(event.code));
		devlink_health_report(sw->reporter, text, &event);
	}
}

/* From the event worker, the only one that puts. */
void alink_switch_report_fault(struct alink_switch *sw,
			       const struct alink_event *event)
{
	dev_err_ratelimited(&sw->pdev->dev,
			    "fault %u, recovery class %u, id %u\n",
			    le32_to_cpu(event->code), le32_to_cpu(event->info),
			    le32_to_cpu(event->id));
	/* The first of a burst say the most: what does not fit is dropped. */
	if (kfifo_put(&sw->faults, *event))
		queue_work(system_long_wq, &sw->fault_work);
}

/* After devlink_register(). */
void alink_switch_faults_start(struct alink_switch *sw)
{
	enable_and_queue_work(system_long_wq, &sw->fault_work);
	alink_switch_inc_start(sw);
	alink_link_health_start(sw->adev);
}

/* Before devlink_unregister(). */
void alink_switch_faults_stop(struct alink_switch *sw)
{
	alink_link_health_stop(sw->adev);
	alink_switch_inc_stop(sw);
	disable_work_sync(&sw->fault_work);
}

/* Before devlink_register(). */
int alink_switch_devlink_init(struct alink_switch *sw)
{
	struct devlink *devlink = priv_to_devlink(sw);
	int err;

	INIT_KFIFO(sw->faults);
	INIT_WORK(&sw->fault_work, alink_switch_fault_work);
	disable_work(&sw->fault_work);

	devl_lock(devlink);
	err = alink_switch_add_resource(sw, "routes", sw->max_routes,
					ALINK_SWITCH_RESOURCE_ROUTES);
	if (err)
		goto err_unlock;
	err = alink_switch_add_resource(sw, "groups", sw->max_groups,
					ALINK_SWITCH_RESOURCE_GROUPS);
	if (err)
		goto err_resources;
	sw->reporter = devl_health_reporter_create(devlink,
						   &alink_switch_reporter_ops,
						   0, sw);
	if (IS_ERR(sw->reporter)) {
		err = PTR_ERR(sw->reporter);
		goto err_resources;
	}
	err = alink_switch_inc_create(sw, devlink);
	if (err)
		goto err_reporter;
	err = alink_link_health_create(sw->adev, devlink);
	if (err)
		goto err_inc;
	err = alink_devlink_common_register(devlink);
	if (err)
		goto err_link_health;
	devl_unlock(devlink);
	return 0;

err_link_health:
	alink_link_health_destroy(sw->adev);
err_inc:
	alink_switch_inc_destroy(sw);
err_reporter:
	devl_health_reporter_destroy(sw->reporter);
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
	alink_link_health_destroy(sw->adev);
	alink_switch_inc_destroy(sw);
	devl_health_reporter_destroy(sw->reporter);
	devl_resources_unregister(devlink);
	devl_unlock(devlink);
}
