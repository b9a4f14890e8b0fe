// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink health reporter "asic": faults that the device reports, and firmware
 * that hangs.
 *
 * A fault of a lesser recovery class is over at once. One that needs a reset of
 * the device stays until it has had one: the administrator says when, by "devlink
 * health recover", as it empties the tables and takes all links down.
 */
#include "alink_switch.h"

enum {
	ALINK_SWITCH_ASIC_TEST,		/* a report was asked for */
	ALINK_SWITCH_ASIC_BAD,		/* there was trouble, and no reset since */
};

static const struct {
	const char *name;
	u32 reg;
} asic_push_counters[] = {
	{ "pushes", ALINK_SW_REG_PUSHES },
	{ "push_waits", ALINK_SW_REG_PUSH_WAITS },
	{ "push_timeouts", ALINK_SW_REG_PUSH_TIMEOUTS },
	{ "push_aborts", ALINK_SW_REG_PUSH_ABORTS },
	{ "push_late", ALINK_SW_REG_PUSH_LATE },
};

static void asic_diagnose_push(struct alink_dev *adev, struct devlink_fmsg *fmsg)
{
	const char *name;
	unsigned int i;
	u32 reg;

	if (!(alink_dev_caps(adev) & ALINK_CAP_PUSH))
		return;
	for (i = 0; i < ARRAY_SIZE(asic_push_counters); i++) {
		name = asic_push_counters[i].name;
		reg = asic_push_counters[i].reg;
		devlink_fmsg_u64_pair_put(fmsg, name, alink_rd64(adev, reg));
	}
	devlink_fmsg_u32_pair_put(fmsg, "push_slots",
				  alink_rd32(adev, ALINK_SW_REG_PUSH_SLOTS));
	devlink_fmsg_u32_pair_put(fmsg, "push_slots_used",
				  alink_rd32(adev, ALINK_SW_REG_PUSH_USED));
}

static int asic_diagnose(struct devlink_health_reporter *reporter,
			 struct devlink_fmsg *fmsg,
			 struct netlink_ext_ack *extack)
{
	struct alink_switch *sw = devlink_health_reporter_priv(reporter);
	struct alink_dev *adev = sw->adev;
	u32 epoch;
	int err;

	err = alink_devlink_begin(adev, &epoch, extack);
	if (err)
		return err;
	alink_devlink_diagnose(adev, fmsg);
	devlink_fmsg_u64_pair_put(fmsg, "reductions",
				  alink_rd64(adev, ALINK_SW_REG_REDUCTIONS));
	devlink_fmsg_u64_pair_put(fmsg, "multicasts",
				  alink_rd64(adev, ALINK_SW_REG_MULTICASTS));
	devlink_fmsg_u64_pair_put(fmsg, "drops_no_route",
				  alink_rd64(adev, ALINK_SW_REG_DROPS_NOROUTE));
	devlink_fmsg_u64_pair_put(fmsg, "drops_partition",
				  alink_rd64(adev, ALINK_SW_REG_DROPS_PART));
	asic_diagnose_push(adev, fmsg);
	return alink_devlink_end(adev, epoch, extack);
}

static int asic_dump(struct devlink_health_reporter *reporter,
		     struct devlink_fmsg *fmsg, void *priv_ctx,
		     struct netlink_ext_ack *extack)
{
	const struct alink_devlink_report *report = priv_ctx;

	if (!report)
		return asic_diagnose(reporter, fmsg, extack);
	alink_devlink_put_report(fmsg, report);
	return 0;
}

static enum devlink_health_reporter_state asic_state(struct alink_switch *sw)
{
	return alink_devlink_state(sw->adev, test_bit(ALINK_SWITCH_ASIC_BAD,
						      &sw->asic.flags));
}

static int asic_recover(struct devlink_health_reporter *reporter,
			void *priv_ctx, struct netlink_ext_ack *extack)
{
	struct alink_switch *sw = devlink_health_reporter_priv(reporter);
	const struct alink_devlink_report *report = priv_ctx;

	if (report)
		return report->over ? 0 : -EOPNOTSUPP;
	/* Of a report that nobody recovered: no reset is needed. */
	if (asic_state(sw) == DEVLINK_HEALTH_REPORTER_STATE_HEALTHY)
		return 0;

	/* devlink takes what has gone well for the end of all that came meanwhile. */
	queue_work(system_long_wq, &sw->asic.work);
	return alink_devlink_recover(sw->adev, extack);
}

/* Who asks holds the lock that a report takes. */
static int asic_test(struct devlink_health_reporter *reporter,
		     struct netlink_ext_ack *extack)
{
	struct alink_switch *sw = devlink_health_reporter_priv(reporter);

	set_bit(ALINK_SWITCH_ASIC_TEST, &sw->asic.flags);
	queue_work(system_long_wq, &sw->asic.work);
	return 0;
}

static const struct devlink_health_reporter_ops asic_reporter_ops = {
	.name = "asic",
	.recover = asic_recover,
	.diagnose = asic_diagnose,
	.dump = asic_dump,
	.test = asic_test,
};

/* --- what is told ------------------------------------------------------- */

static void asic_tell(struct alink_switch_asic *asic, const char *why,
		      const struct alink_event *event, bool over)
{
	struct alink_devlink_report report = {
		.event = event,
		.why = why,
		.over = over,
	};

	devlink_health_report(asic->reporter, why, &report);
}

static void asic_tell_fault(struct alink_switch_asic *asic,
			    const struct alink_event *event)
{
	u32 code = le32_to_cpu(event->code), recovery = le32_to_cpu(event->info);
	char why[64];

	snprintf(why, sizeof(why), "fault %u:%u, recovery: %s", code / 256,
		 code % 256, alink_recovery_str(recovery));
	asic_tell(asic, why, event, recovery < ALINK_RECOVERY_DEVICE);
}

/*
 * A report takes the devlink instance lock, which is outside of the event
 * lock: the event worker and the health check leave here what there is to tell.
 * Disabled as long as devlink is not registered, which must not hear of it then.
 */
static void asic_work(struct work_struct *work)
{
	struct alink_switch_asic *asic = container_of(work,
						      struct alink_switch_asic,
						      work);
	struct alink_switch *sw = container_of(asic, struct alink_switch, asic);
	struct devlink *devlink = priv_to_devlink(sw);
	struct alink_event event;
	const char *trouble;

	if (test_and_clear_bit(ALINK_SWITCH_ASIC_TEST, &asic->flags))
		asic_tell(asic, ALINK_DEVLINK_TEST, NULL, true);
	trouble = xchg(&asic->trouble, NULL);
	if (trouble)
		asic_tell(asic, trouble, NULL, false);
	while (kfifo_get(&asic->faults, &event))
		asic_tell_fault(asic, &event);
	/* After a recovery that goes on now */
	devl_lock(devlink);
	devlink_health_reporter_state_update(asic->reporter, asic_state(sw));
	devl_unlock(devlink);
}

/* From the event worker, the only one that puts. */
void alink_switch_asic_fault(struct alink_switch *sw,
			     const struct alink_event *event)
{
	dev_err_ratelimited(&sw->pdev->dev,
			    "fault %u, recovery class %u, id %u\n",
			    le32_to_cpu(event->code), le32_to_cpu(event->info),
			    le32_to_cpu(event->id));
	/* The first of a burst say the most: what does not fit is dropped. */
	if (kfifo_put(&sw->asic.faults, *event))
		queue_work(system_long_wq, &sw->asic.work);
}

/* alink_dev_ops.trouble: what the device itself cannot tell any more */
void alink_switch_asic_trouble(struct alink_dev *adev, const char *what)
{
	struct alink_switch *sw = alink_dev_priv(adev);

	set_bit(ALINK_SWITCH_ASIC_BAD, &sw->asic.flags);
	WRITE_ONCE(sw->asic.trouble, what);
	queue_work(system_long_wq, &sw->asic.work);
}

/*
 * A reset is over, with that error or 0: then whatever there was is over, too, but
 * for another reset that came behind us meanwhile.
 */
void alink_switch_asic_reset(struct alink_switch *sw, int err)
{
	/* One that is gone is no trouble but a loss. */
	if (err && alink_dev_lost(sw->adev))
		return;
	if (err) {
		alink_switch_asic_trouble(sw->adev,
					  "device did not come back from reset");
		return;
	}
	if (alink_dev_active(sw->adev))
		clear_bit(ALINK_SWITCH_ASIC_BAD, &sw->asic.flags);
	queue_work(system_long_wq, &sw->asic.work);
}

/* --- life --------------------------------------------------------------- */

/* After devlink_register(). */
void alink_switch_asic_start(struct alink_switch *sw)
{
	enable_and_queue_work(system_long_wq, &sw->asic.work);
}

/* Before devlink_unregister(). */
void alink_switch_asic_stop(struct alink_switch *sw)
{
	disable_work_sync(&sw->asic.work);
}

/* The devlink instance is locked, and not registered yet. */
int alink_switch_asic_create(struct alink_switch *sw, struct devlink *devlink)
{
	struct alink_switch_asic *asic = &sw->asic;
	struct devlink_health_reporter *reporter;

	INIT_KFIFO(asic->faults);
	INIT_WORK(&asic->work, asic_work);
	disable_work(&asic->work);
	reporter = devl_health_reporter_create(devlink, &asic_reporter_ops, 0,
					       sw);
	if (IS_ERR(reporter))
		return PTR_ERR(reporter);
	asic->reporter = reporter;
	return 0;
}

/* The devlink instance is locked, and not registered any more. */
void alink_switch_asic_destroy(struct alink_switch *sw)
{
	devl_health_reporter_destroy(sw->asic.reporter);
	sw->asic.reporter = NULL;
}
