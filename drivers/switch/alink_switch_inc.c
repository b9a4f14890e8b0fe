// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink health reporter "inc": operations on groups that failed in the switch,
 * by what was wrong with a member.
 *
 * The device sends no event for them, as who asked has his error. It counts, and
 * the health check of alink.ko looks at that once a second. Such an error is over
 * at once; that there are many is what an administrator wants to know.
 */
#include "alink_switch.h"

static const struct {
	const char *name;
	u32 reg;
} alink_switch_inc_kinds[ALINK_SWITCH_INC_KINDS] = {
	{ "silent", ALINK_SW_REG_INC_SILENT },
	{ "unbound", ALINK_SW_REG_INC_UNBOUND },
	{ "refused", ALINK_SW_REG_INC_REFUSED },
	{ "poison", ALINK_SW_REG_INC_POISON },
};

/* Return: false if the device does not count them, or not now. */
static bool inc_read(struct alink_switch *sw, u64 counts[ALINK_SWITCH_INC_KINDS])
{
	unsigned int i;

	if (!(alink_dev_caps(sw->adev) & ALINK_CAP_INC_ERRORS))
		return false;
	for (i = 0; i < ALINK_SWITCH_INC_KINDS; i++) {
		counts[i] = alink_rd64(sw->adev, alink_switch_inc_kinds[i].reg);
		/* In a reset, or gone */
		if (counts[i] == U64_MAX)
			return false;
	}
	return true;
}

static void inc_put(struct devlink_fmsg *fmsg,
		    const u64 counts[ALINK_SWITCH_INC_KINDS])
{
	unsigned int i;

	for (i = 0; i < ALINK_SWITCH_INC_KINDS; i++)
		devlink_fmsg_u64_pair_put(fmsg, alink_switch_inc_kinds[i].name,
					  counts[i]);
}

/* --- devlink ------------------------------------------------------------ */

static int inc_diagnose(struct devlink_health_reporter *reporter,
			struct devlink_fmsg *fmsg,
			struct netlink_ext_ack *extack)
{
	struct alink_switch *sw = devlink_health_reporter_priv(reporter);
	struct alink_dev *adev = sw->adev;
	u64 counts[ALINK_SWITCH_INC_KINDS];
	u32 epoch;
	int err;

	err = alink_devlink_begin(adev, &epoch, extack);
	if (err)
		return err;
	devlink_fmsg_u64_pair_put(fmsg, "reductions",
				  alink_rd64(adev, ALINK_SW_REG_REDUCTIONS));
	devlink_fmsg_u64_pair_put(fmsg, "multicasts",
				  alink_rd64(adev, ALINK_SW_REG_MULTICASTS));
	if (inc_read(sw, counts))
		inc_put(fmsg, counts);
	return alink_devlink_end(adev, epoch, extack);
}

static int inc_dump(struct devlink_health_reporter *reporter,
		    struct devlink_fmsg *fmsg, void *priv_ctx,
		    struct netlink_ext_ack *extack)
{
	const u64 *news = priv_ctx;

	/* A dump on request has no new ones to tell of. */
	if (news) {
		devlink_fmsg_pair_nest_start(fmsg, "reported");
		devlink_fmsg_obj_nest_start(fmsg);
		inc_put(fmsg, news);
		devlink_fmsg_obj_nest_end(fmsg);
		devlink_fmsg_pair_nest_end(fmsg);
	}
	return inc_diagnose(reporter, fmsg, extack);
}

/* Nothing is left to do: who asked has his error. */
static int inc_recover(struct devlink_health_reporter *reporter, void *priv_ctx,
		       struct netlink_ext_ack *extack)
{
	return 0;
}

/* Who asks holds the lock that a report takes. */
static int inc_test(struct devlink_health_reporter *reporter,
		    struct netlink_ext_ack *extack)
{
	struct alink_switch *sw = devlink_health_reporter_priv(reporter);

	WRITE_ONCE(sw->inc.test, true);
	queue_work(system_long_wq, &sw->inc.work);
	return 0;
}

static const struct devlink_health_reporter_ops inc_reporter_ops = {
	.name = "inc",
	.recover = inc_recover,
	.diagnose = inc_diagnose,
	.dump = inc_dump,
	.test = inc_test,
};

/* A report takes the devlink instance lock, which nobody has who watches. */
static void inc_work(struct work_struct *work)
{
	struct alink_switch_inc *inc = container_of(work,
						    struct alink_switch_inc,
						    work);
	struct alink_switch *sw = container_of(inc, struct alink_switch, inc);
	u64 counts[ALINK_SWITCH_INC_KINDS], news[ALINK_SWITCH_INC_KINDS];
	bool fresh = false;
	unsigned int i;
	char why[128];

	if (xchg(&inc->test, false))
		devlink_health_report(inc->reporter, ALINK_DEVLINK_TEST, NULL);
	if (!inc_read(sw, counts)) {
		/* Who watches has seen them, and would not ask again. */
		WRITE_ONCE(inc->again, true);
		return;
	}
	for (i = 0; i < ALINK_SWITCH_INC_KINDS; i++) {
		/* They begin anew where the device has had no power. */
		news[i] = counts[i] - min(counts[i], inc->told[i]);
		inc->told[i] = counts[i];
		fresh |= news[i];
	}
	if (!fresh)
		return;
	snprintf(why, sizeof(why),
		 "group operations failed: %llu silent, %llu unbound, %llu refused, %llu poison",
		 news[0], news[1], news[2], news[3]);
	devlink_health_report(inc->reporter, why, news);
}

/* alink_dev_ops.watch */
void alink_switch_inc_watch(struct alink_dev *adev)
{
	struct alink_switch *sw = alink_dev_priv(adev);
	u64 counts[ALINK_SWITCH_INC_KINDS];

	if (!inc_read(sw, counts))
		return;
	if (!memcmp(counts, sw->inc.seen, sizeof(counts)) &&
	    !READ_ONCE(sw->inc.again))
		return;
	WRITE_ONCE(sw->inc.again, false);
	memcpy(sw->inc.seen, counts, sizeof(counts));
	queue_work(system_long_wq, &sw->inc.work);
}

/* --- life --------------------------------------------------------------- */

/* After devlink_register(). */
void alink_switch_inc_start(struct alink_switch *sw)
{
	enable_and_queue_work(system_long_wq, &sw->inc.work);
}

/* Before devlink_unregister(). */
void alink_switch_inc_stop(struct alink_switch *sw)
{
	disable_work_sync(&sw->inc.work);
}

/* The devlink instance is locked, and not registered yet. */
int alink_switch_inc_create(struct alink_switch *sw, struct devlink *devlink)
{
	struct alink_switch_inc *inc = &sw->inc;
	struct devlink_health_reporter *reporter;

	INIT_WORK(&inc->work, inc_work);
	disable_work(&inc->work);
	/* What there was before the driver is nobody's news. */
	if (inc_read(sw, inc->told))
		memcpy(inc->seen, inc->told, sizeof(inc->seen));
	reporter = devl_health_reporter_create(devlink, &inc_reporter_ops, 0,
					       sw);
	if (IS_ERR(reporter))
		return PTR_ERR(reporter);
	inc->reporter = reporter;
	return 0;
}

/* The devlink instance is locked, and not registered any more. */
void alink_switch_inc_destroy(struct alink_switch *sw)
{
	devl_health_reporter_destroy(sw->inc.reporter);
	sw->inc.reporter = NULL;
}
