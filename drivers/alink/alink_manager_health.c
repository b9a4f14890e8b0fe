// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink health reporter "manager" of switches: a fabric manager that does not
 * beat any more, or whose process ended without releasing the fabric. The fabric
 * works on as it is, and nobody mends it.
 *
 * It is healthy again when the manager beats, or another one has come; or, when
 * the fabric is to do without, by "devlink health recover". One that is silent
 * nobody but its user ends: alink_netlink_manager.c says why.
 *
 * There is one manager of all switches: each of them tells of it.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/devlink.h>

#include "alink_manager.h"
#include "alink_priv.h"

/**
 * struct alink_manager_health - the reporter of a switch
 * @entry:	of alink_manager_healths
 * @devlink:	instance of the switch
 * @reporter:	at devlink
 * @work:	tells devlink, whose instance lock others hold who learn of a
 *		change; disabled while the instance is not registered
 * @silences:	as devlink was told of them; for @work alone
 * @losses:	the same
 * @test:	a report was asked for
 */
struct alink_manager_health {
	struct list_head entry;
	struct devlink *devlink;
	struct devlink_health_reporter *reporter;
	struct work_struct work;
	u32 silences;
	u32 losses;
	bool test;
};

/* Protects the list; inside of devlink's instance locks. */
static DEFINE_MUTEX(alink_manager_healths_lock);
static LIST_HEAD(alink_manager_healths);

/* Context of a report of ours; what a user asks for comes without one */
struct alink_manager_report {
	const char *why;
	bool over;
};

static bool alink_manager_is_bad(const struct alink_manager_view *view)
{
	return view->silent || view->lost;
}

/* --- devlink --------------------------------------------------------------- */

static int alink_manager_diagnose(struct devlink_health_reporter *reporter,
				  struct devlink_fmsg *fmsg,
				  struct netlink_ext_ack *extack)
{
	static const char * const states[] = {
		[ALINK_MANAGER_NONE] = "none",
		[ALINK_MANAGER_ACTIVE] = "active",
		[ALINK_MANAGER_SILENT] = "silent",
	};
	struct alink_manager_view view;

	alink_manager_look(&view);
	devlink_fmsg_string_pair_put(fmsg, "state", view.lost ? "lost" :
				     states[view.state]);
	if (view.state != ALINK_MANAGER_NONE || view.lost) {
		devlink_fmsg_string_pair_put(fmsg, "name", view.name);
		devlink_fmsg_u32_pair_put(fmsg, "pid", view.pid);
		devlink_fmsg_u32_pair_put(fmsg, "beat_ms", view.beat_ms);
		devlink_fmsg_u64_pair_put(fmsg, "age_ms", view.age_ms);
	}
	devlink_fmsg_u32_pair_put(fmsg, "epoch", view.epoch);
	devlink_fmsg_u32_pair_put(fmsg, "silences", view.silences);
	devlink_fmsg_u32_pair_put(fmsg, "losses", view.losses);
	return 0;
}

static int alink_manager_dump(struct devlink_health_reporter *reporter,
			      struct devlink_fmsg *fmsg, void *priv_ctx,
			      struct netlink_ext_ack *extack)
{
	const struct alink_manager_report *report = priv_ctx;

	/* A dump on request has nothing new to tell of. */
	if (report)
		devlink_fmsg_string_pair_put(fmsg, "reason", report->why);
	return alink_manager_diagnose(reporter, fmsg, extack);
}

static int alink_manager_recover(struct devlink_health_reporter *reporter,
				 void *priv_ctx, struct netlink_ext_ack *extack)
{
	const struct alink_manager_report *report = priv_ctx;
	struct alink_manager_view view;

	if (report)
		return report->over ? 0 : -EOPNOTSUPP;
	alink_manager_look(&view);
	if (view.silent) {
		NL_SET_ERR_MSG_FMT(extack, "%s (pid %d) is silent: end it, or let it go on",
				   view.name, view.pid);
		return -EBUSY;
	}
	alink_manager_forgive();
	return 0;
}

/* Who asks holds the lock that a report takes. */
static int alink_manager_test(struct devlink_health_reporter *reporter,
			      struct netlink_ext_ack *extack)
{
	struct alink_manager_health *h = devlink_health_reporter_priv(reporter);

	WRITE_ONCE(h->test, true);
	queue_work(system_long_wq, &h->work);
	return 0;
}

static const struct devlink_health_reporter_ops alink_manager_reporter_ops = {
	.name = "manager",
	.recover = alink_manager_recover,
	.diagnose = alink_manager_diagnose,
	.dump = alink_manager_dump,
	.test = alink_manager_test,
};

/* --- what is told ---------------------------------------------------------- */

static void alink_manager_report(struct alink_manager_health *h,
				 const char *why, bool over)
{
	struct alink_manager_report report = { .why = why, .over = over };

	devlink_health_report(h->reporter, why, &report);
}

static void alink_manager_report_loss(struct alink_manager_health *h,
				      const struct alink_manager_view *view)
{
	char why[96];

	h->losses = view->losses;
	if (view->lost)
		snprintf(why, sizeof(why),
			 "%s (pid %d) has gone without releasing the fabric",
			 view->name, view->pid);
	else
		snprintf(why, sizeof(why),
			 "a manager had gone without releasing the fabric");
	alink_manager_report(h, why, !alink_manager_is_bad(view));
}

static void alink_manager_report_silence(struct alink_manager_health *h,
					 const struct alink_manager_view *view)
{
	char why[96];

	h->silences = view->silences;
	/* Of one that has come back meanwhile the age is a beat's. */
	if (view->silent)
		snprintf(why, sizeof(why), "%s (pid %d) is silent for %llu ms",
			 view->name, view->pid, view->age_ms);
	else
		snprintf(why, sizeof(why), "a manager was silent");
	alink_manager_report(h, why, !alink_manager_is_bad(view));
}

static void alink_manager_health_work(struct work_struct *work)
{
	struct alink_manager_health *h = container_of(work,
						      struct alink_manager_health,
						      work);
	const enum devlink_health_reporter_state good =
		DEVLINK_HEALTH_REPORTER_STATE_HEALTHY;
	const enum devlink_health_reporter_state bad =
		DEVLINK_HEALTH_REPORTER_STATE_ERROR;
	struct alink_manager_view view;

	if (xchg(&h->test, false))
		alink_manager_report(h, ALINK_DEVLINK_TEST, true);
	alink_manager_look(&view);
	/* What is so now has the dump; if both came, the loss was the last. */
	if (view.losses != h->losses)
		alink_manager_report_loss(h, &view);
	if (view.silences != h->silences)
		alink_manager_report_silence(h, &view);
	/* After a recovery that goes on now; also of what was so at the start */
	devl_lock(h->devlink);
	alink_manager_look(&view);
	devlink_health_reporter_state_update(h->reporter,
					     alink_manager_is_bad(&view) ?
					     bad : good);
	devl_unlock(h->devlink);
}

/* The manager has come, gone, become silent, or beats again. */
void alink_manager_changed(void)
{
	struct alink_manager_health *h;

	mutex_lock(&alink_manager_healths_lock);
	list_for_each_entry(h, &alink_manager_healths, entry)
		queue_work(system_long_wq, &h->work);
	mutex_unlock(&alink_manager_healths_lock);
}

/* --- life ------------------------------------------------------------------ */

/**
 * alink_manager_health_create - make the reporter of a switch
 * @adev:	device, not yet registered
 * @devlink:	instance; its lock is held
 *
 * Context: process; sleeps.
 * Return: 0 or -errno.
 */
int alink_manager_health_create(struct alink_dev *adev, struct devlink *devlink)
{
	struct alink_manager_health *h;
	struct alink_manager_view view;
	int err;

	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return -ENOMEM;
	/* What there was before the driver is nobody's news. */
	alink_manager_look(&view);
	h->silences = view.silences;
	h->losses = view.losses;
	h->devlink = devlink;
	INIT_WORK(&h->work, alink_manager_health_work);
	disable_work(&h->work);
	h->reporter = devl_health_reporter_create(devlink,
						  &alink_manager_reporter_ops,
						  0, h);
	if (IS_ERR(h->reporter)) {
		err = PTR_ERR(h->reporter);
		kfree(h);
		return err;
	}
	mutex_lock(&alink_manager_healths_lock);
	list_add_tail(&h->entry, &alink_manager_healths);
	mutex_unlock(&alink_manager_healths_lock);
	adev->manager_health = h;
	return 0;
}
EXPORT_SYMBOL_GPL(alink_manager_health_create);

/**
 * alink_manager_health_destroy - undo alink_manager_health_create()
 * @adev:	device, not registered any more; the devlink lock is held
 *
 * Context: process; sleeps.
 */
void alink_manager_health_destroy(struct alink_dev *adev)
{
	struct alink_manager_health *h = adev->manager_health;

	adev->manager_health = NULL;
	mutex_lock(&alink_manager_healths_lock);
	list_del(&h->entry);
	mutex_unlock(&alink_manager_healths_lock);
	devl_health_reporter_destroy(h->reporter);
	kfree(h);
}
EXPORT_SYMBOL_GPL(alink_manager_health_destroy);

/**
 * alink_manager_health_start - changes are reported from now on
 * @adev:	device, whose devlink instance is registered
 */
void alink_manager_health_start(struct alink_dev *adev)
{
	enable_and_queue_work(system_long_wq, &adev->manager_health->work);
}
EXPORT_SYMBOL_GPL(alink_manager_health_start);

/**
 * alink_manager_health_stop - nothing is reported any more
 * @adev:	device, whose devlink instance is registered and not locked
 *
 * Context: process; sleeps.
 */
void alink_manager_health_stop(struct alink_dev *adev)
{
	disable_work_sync(&adev->manager_health->work);
}
EXPORT_SYMBOL_GPL(alink_manager_health_stop);
