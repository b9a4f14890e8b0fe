// SPDX-License-Identifier: GPL-2.0-only
/*
 * devlink health reporter "link": links that went down though nobody closed them,
 * or go on with less than all their lanes, or at a lower rate. It is healthy again
 * when there are none of them. What has to be mended is for who has the cables;
 * "devlink health recover" then trains links that still run with less. Credits that
 * got lost are told of as well, though the device has trained the link for them
 * already.
 */
#include <linux/delay.h>
#include <linux/kfifo.h>
#include <linux/slab.h>

#include <hw/alink/link.h>

#include "alink_port.h"

/* Events that wait for devlink; a power of 2 */
#define ALINK_LINK_HEALTH_EVENTS	16
/* How long links may train until that has failed, ms, and how often to look */
#define ALINK_LINK_RECOVER_MS		5000
#define ALINK_LINK_RECOVER_LOOK_MS	20

/**
 * struct alink_link_health - the reporter of a device
 * @adev:	device
 * @devlink:	its instance
 * @reporter:	at devlink
 * @events:	the event worker puts, under alink_dev.event_lock; @work gets
 * @work:	tells devlink, whose instance lock is outside of the event lock;
 *		disabled while the instance is not registered
 * @test:	a report was asked for
 */
struct alink_link_health {
	struct alink_dev *adev;
	struct devlink *devlink;
	struct devlink_health_reporter *reporter;
	DECLARE_KFIFO(events, struct alink_event, ALINK_LINK_HEALTH_EVENTS);
	struct work_struct work;
	bool test;
};

/* Context of a report of ours; what a user asks for comes without one */
struct alink_link_report {
	const struct alink_event *event;	/* NULL: a test */
};

/*
 * Where nobody is, nor was, at the other end there is no link, and one that was
 * closed, or is on its way up, has not failed. In a reset all reads as ones: that
 * is no link either.
 */
static bool alink_link_failed(struct alink_port *port)
{
	u32 state = alink_port_rd32(port, ALINK_LINK_STATE);

	return state != ALINK_LINK_UP && state != ALINK_LINK_TRAINING &&
	       alink_port_rd32(port, ALINK_LINK_REASON) != ALINK_DOWN_ADMIN &&
	       alink_port_rd32(port, ALINK_LINK_PEER_ID) != ALINK_ID_NONE;
}

/* Of a link that is up: lanes of this end failed, or it hears badly. */
static bool alink_reason_degraded(u32 reason)
{
	return reason == ALINK_DOWN_WIDTH || reason == ALINK_DOWN_RATE_REDUCED;
}

static bool alink_link_degraded(struct alink_port *port)
{
	return alink_port_rd32(port, ALINK_LINK_STATE) == ALINK_LINK_UP &&
	       alink_reason_degraded(alink_port_rd32(port, ALINK_LINK_REASON));
}

static bool alink_link_errs(struct alink_port *port)
{
	return alink_port_ber(port);
}

static void alink_link_put_ber(struct devlink_fmsg *fmsg,
			       struct alink_port *port)
{
	devlink_fmsg_u32_pair_put(fmsg, "link", port->num);
	devlink_fmsg_u64_pair_put(fmsg, "ber_e15", alink_port_ber(port));
}

static void alink_link_put(struct devlink_fmsg *fmsg,
			   const struct alink_port *port, u32 reason)
{
	devlink_fmsg_u32_pair_put(fmsg, "link", port->num);
	devlink_fmsg_u32_pair_put(fmsg, "reason", reason);
}

static void alink_link_put_failed(struct devlink_fmsg *fmsg,
				  struct alink_port *port)
{
	alink_link_put(fmsg, port, alink_port_rd32(port, ALINK_LINK_REASON));
}

static void alink_link_put_degraded(struct devlink_fmsg *fmsg,
				    struct alink_port *port)
{
	devlink_fmsg_u32_pair_put(fmsg, "link", port->num);
	devlink_fmsg_u32_pair_put(fmsg, "lanes", alink_port_lanes(port));
	devlink_fmsg_u32_pair_put(fmsg, "lanes_fitted", port->lanes);
	devlink_fmsg_u32_pair_put(fmsg, "lanes_bad",
				  alink_port_rd32(port, ALINK_LINK_LANES_BAD));
	devlink_fmsg_u32_pair_put(fmsg, "speed_mbps",
				  alink_port_rd32(port, ALINK_LINK_SPEED));
	devlink_fmsg_u32_pair_put(fmsg, "max_speed_mbps",
				  alink_port_rd32(port, ALINK_LINK_MAX_SPEED));
}

static bool alink_link_trains(struct alink_port *port)
{
	return alink_port_rd32(port, ALINK_LINK_STATE) == ALINK_LINK_TRAINING;
}

static void alink_link_put_stage(struct devlink_fmsg *fmsg,
				 struct alink_port *port)
{
	devlink_fmsg_u32_pair_put(fmsg, "link", port->num);
	devlink_fmsg_u32_pair_put(fmsg, "stage",
				  alink_port_rd32(port, ALINK_LINK_STAGE));
}

static bool alink_link_lost_credits(struct alink_port *port)
{
	return alink_port_counter(port, ALINK_CTR_CREDITS_LOST);
}

static void alink_link_put_credits(struct devlink_fmsg *fmsg,
				   struct alink_port *port)
{
	devlink_fmsg_u64_pair_put(fmsg, "credit_stalls",
				  alink_port_counter(port,
						     ALINK_CTR_CREDIT_STALLS));
	devlink_fmsg_u64_pair_put(fmsg, "credit_leaks",
				  alink_port_counter(port,
						     ALINK_CTR_CREDIT_LEAKS));
	devlink_fmsg_u64_pair_put(fmsg, "credits_lost",
				  alink_port_counter(port,
						     ALINK_CTR_CREDITS_LOST));
	devlink_fmsg_u64_pair_put(fmsg, "credit_since_ns",
				  alink_port_credit_since(port));
}

static void alink_link_put_lost_credits(struct devlink_fmsg *fmsg,
					struct alink_port *port)
{
	devlink_fmsg_u32_pair_put(fmsg, "link", port->num);
	alink_link_put_credits(fmsg, port);
}

/* Those of one kind, as a list; returns how many there are. */
static u32 alink_links_put(struct devlink_fmsg *fmsg, struct alink_dev *adev,
			   const char *name,
			   bool (*is)(struct alink_port *port),
			   void (*put)(struct devlink_fmsg *fmsg,
				       struct alink_port *port))
{
	u32 i, num = 0;

	devlink_fmsg_arr_pair_nest_start(fmsg, name);
	for (i = 0; i < adev->num_links; i++) {
		if (!adev->ports[i] || !is(adev->ports[i]))
			continue;
		num++;
		devlink_fmsg_obj_nest_start(fmsg);
		put(fmsg, adev->ports[i]);
		devlink_fmsg_obj_nest_end(fmsg);
	}
	devlink_fmsg_arr_pair_nest_end(fmsg);
	return num;
}

static int alink_link_diagnose(struct devlink_health_reporter *reporter,
			       struct devlink_fmsg *fmsg,
			       struct netlink_ext_ack *extack)
{
	struct alink_link_health *h = devlink_health_reporter_priv(reporter);
	struct alink_dev *adev = h->adev;
	u32 i, epoch, links = 0, failed, degraded, training;
	int err;

	err = alink_devlink_begin(adev, &epoch, extack);
	if (err)
		return err;
	failed = alink_links_put(fmsg, adev, "failed", alink_link_failed,
				 alink_link_put_failed);
	degraded = alink_links_put(fmsg, adev, "degraded", alink_link_degraded,
				   alink_link_put_degraded);
	training = alink_links_put(fmsg, adev, "training", alink_link_trains,
				   alink_link_put_stage);
	if (adev->caps & ALINK_CAP_BER)
		alink_links_put(fmsg, adev, "bit_errors", alink_link_errs,
				alink_link_put_ber);
	if (adev->caps & ALINK_CAP_CREDITS)
		alink_links_put(fmsg, adev, "credits", alink_link_lost_credits,
				alink_link_put_lost_credits);
	for (i = 0; i < adev->num_links; i++)
		links += !!adev->ports[i];
	devlink_fmsg_u32_pair_put(fmsg, "links", links);
	devlink_fmsg_u32_pair_put(fmsg, "links_failed", failed);
	devlink_fmsg_u32_pair_put(fmsg, "links_degraded", degraded);
	devlink_fmsg_u32_pair_put(fmsg, "links_training", training);
	return alink_devlink_end(adev, epoch, extack);
}

static bool alink_link_is_credit(const struct alink_event *event)
{
	return le16_to_cpu(event->type) == ALINK_EVENT_CREDIT;
}

static const char *alink_link_credit_name(const struct alink_event *event)
{
	return le32_to_cpu(event->code) == ALINK_CREDIT_STALL ? "stalled" :
								"leaked";
}

static int alink_link_dump(struct devlink_health_reporter *reporter,
			   struct devlink_fmsg *fmsg, void *priv_ctx,
			   struct netlink_ext_ack *extack)
{
	struct alink_link_health *h = devlink_health_reporter_priv(reporter);
	const struct alink_link_report *report = priv_ctx;
	const struct alink_event *event = report ? report->event : NULL;
	struct alink_port *port;

	/* A dump on request has no link to tell of. */
	if (!event)
		return alink_link_diagnose(reporter, fmsg, extack);
	port = h->adev->ports[le32_to_cpu(event->id)];
	if (alink_link_is_credit(event)) {
		devlink_fmsg_u32_pair_put(fmsg, "link", port->num);
		devlink_fmsg_string_pair_put(fmsg, "credits",
					     alink_link_credit_name(event));
		devlink_fmsg_u32_pair_put(fmsg, "lost",
					  le32_to_cpu(event->info));
		devlink_fmsg_u64_pair_put(fmsg, "since_ns",
					  le64_to_cpu(event->addr));
	} else {
		alink_link_put(fmsg, port, le32_to_cpu(event->info));
	}
	devlink_fmsg_u64_pair_put(fmsg, "time_ns", le64_to_cpu(event->time_ns));
	devlink_fmsg_u64_pair_put(fmsg, "downs",
				  alink_port_counter(port, ALINK_CTR_DOWNS));
	devlink_fmsg_u64_pair_put(fmsg, "fec_corr",
				  alink_port_counter(port, ALINK_CTR_FEC_CORR));
	devlink_fmsg_u64_pair_put(fmsg, "fec_uncorr",
				  alink_port_counter(port,
						     ALINK_CTR_FEC_UNCORR));
	devlink_fmsg_u64_pair_put(fmsg, "crc_errors",
				  alink_port_counter(port,
						     ALINK_CTR_CRC_ERRORS));
	devlink_fmsg_u64_pair_put(fmsg, "replays",
				  alink_port_counter(port, ALINK_CTR_REPLAYS));
	devlink_fmsg_u64_pair_put(fmsg, "retrains",
				  alink_port_counter(port, ALINK_CTR_RETRAINS));
	devlink_fmsg_u64_pair_put(fmsg, "lanes_lost",
				  alink_port_counter(port,
						     ALINK_CTR_LANE_LOSSES));
	devlink_fmsg_u64_pair_put(fmsg, "flap_holds",
				  alink_port_counter(port,
						     ALINK_CTR_FLAP_HOLDS));
	if (h->adev->caps & ALINK_CAP_BER)
		devlink_fmsg_u64_pair_put(fmsg, "ber_e15",
					  alink_port_ber(port));
	if (h->adev->caps & ALINK_CAP_CREDITS)
		alink_link_put_credits(fmsg, port);
	return 0;
}

/* Trains those that still run with less than they could, and waits for them. */
static int alink_links_train(struct alink_dev *adev,
			     struct netlink_ext_ack *extack)
{
	DECLARE_BITMAP(trained, ALINK_MAX_PORTS) = {};
	unsigned int waited = 0;
	u32 i;

	for (i = 0; i < adev->num_links; i++) {
		if (!adev->ports[i] || !alink_link_degraded(adev->ports[i]))
			continue;
		alink_port_wr32(adev->ports[i], ALINK_LINK_RETRAIN, 1);
		__set_bit(i, trained);
	}
	for_each_set_bit(i, trained, adev->num_links) {
		while (alink_link_trains(adev->ports[i])) {
			if (waited >= ALINK_LINK_RECOVER_MS) {
				NL_SET_ERR_MSG_FMT(extack,
						   "link %u still trains", i);
				return -ETIMEDOUT;
			}
			if (msleep_interruptible(ALINK_LINK_RECOVER_LOOK_MS))
				return -EINTR;
			waited += ALINK_LINK_RECOVER_LOOK_MS;
		}
	}
	return 0;
}

/* Are all whole, or on their way? Else names one that is not. */
static int alink_links_whole(struct alink_dev *adev,
			     struct netlink_ext_ack *extack)
{
	u32 i, epoch;
	int err;

	err = alink_devlink_begin(adev, &epoch, extack);
	if (err)
		return err;
	for (i = 0; i < adev->num_links; i++) {
		struct alink_port *port = adev->ports[i];
		bool failed = port && alink_link_failed(port);

		if (!port || (!failed && !alink_link_degraded(port)))
			continue;
		NL_SET_ERR_MSG_FMT(extack, "link %u %s: mend it first", i,
				   failed ? "is down" :
				   alink_port_rd32(port, ALINK_LINK_REASON) ==
				   ALINK_DOWN_RATE_REDUCED ?
				   "still has a bad signal" :
				   "still lacks lanes");
		err = -EIO;
	}
	return alink_devlink_end(adev, epoch, extack) ?: err;
}

static int alink_link_recover(struct devlink_health_reporter *reporter,
			      void *priv_ctx, struct netlink_ext_ack *extack)
{
	struct alink_link_health *h = devlink_health_reporter_priv(reporter);
	const struct alink_link_report *report = priv_ctx;

	/* What is not over by itself nobody has mended yet. */
	if (report)
		return !report->event || alink_link_is_credit(report->event) ?
			       0 : -EOPNOTSUPP;
	/* devlink takes what goes well for the end of all that comes meanwhile. */
	queue_work(system_long_wq, &h->work);
	return alink_links_train(h->adev, extack) ?:
	       alink_links_whole(h->adev, extack);
}

/* Who asks holds the lock that a report takes. */
static int alink_link_test(struct devlink_health_reporter *reporter,
			   struct netlink_ext_ack *extack)
{
	struct alink_link_health *h = devlink_health_reporter_priv(reporter);

	WRITE_ONCE(h->test, true);
	queue_work(system_long_wq, &h->work);
	return 0;
}

static const struct devlink_health_reporter_ops alink_link_reporter_ops = {
	.name = "link",
	.recover = alink_link_recover,
	.diagnose = alink_link_diagnose,
	.dump = alink_link_dump,
	.test = alink_link_test,
};

static void alink_link_tell(struct alink_link_health *h, const char *why,
			    const struct alink_event *event)
{
	struct alink_link_report report = { .event = event };

	devlink_health_report(h->reporter, why, &report);
}

static void alink_link_health_work(struct work_struct *work)
{
	struct alink_link_health *h = container_of(work,
						   struct alink_link_health,
						   work);
	const enum devlink_health_reporter_state good =
		DEVLINK_HEALTH_REPORTER_STATE_HEALTHY;
	const enum devlink_health_reporter_state bad =
		DEVLINK_HEALTH_REPORTER_STATE_ERROR;
	struct alink_event event;
	char text[64];
	int err;

	if (xchg(&h->test, false))
		alink_link_tell(h, ALINK_DEVLINK_TEST, NULL);
	while (kfifo_get(&h->events, &event)) {
		if (alink_link_is_credit(&event))
			snprintf(text, sizeof(text), "link %u %s, credits lost %u",
				 le32_to_cpu(event.id),
				 alink_link_credit_name(&event),
				 le32_to_cpu(event.info));
		else
			snprintf(text, sizeof(text), "link %u %s, reason %u",
				 le32_to_cpu(event.id),
				 event.code ? "runs with less" : "is down",
				 le32_to_cpu(event.info));
		alink_link_tell(h, text, &event);
	}
	/* After a recovery that goes on now */
	devl_lock(h->devlink);
	err = alink_links_whole(h->adev, NULL);
	/* After a reset each link that comes up is an event. */
	if (!err || err == -EIO)
		devlink_health_reporter_state_update(h->reporter,
						     err ? bad : good);
	devl_unlock(h->devlink);
}

static bool alink_link_is_bad(const struct alink_event *event)
{
	u32 reason = le32_to_cpu(event->info);

	if (alink_link_is_credit(event))
		return true;
	/* Without a reason it is down no more: it trains. */
	return event->code ? alink_reason_degraded(reason) :
			     reason != ALINK_DOWN_ADMIN &&
			     reason != ALINK_DOWN_NONE;
}

/* An event of a link, or some that got lost */
void alink_link_health_event(struct alink_dev *adev,
			     const struct alink_event *event)
{
	struct alink_link_health *h = adev->link_health;
	u32 link = le32_to_cpu(event->id);

	lockdep_assert_held(&adev->event_lock);

	if (!h)
		return;
	/* The first of a burst say the most: what does not fit is dropped. */
	if (link < adev->num_links && adev->ports[link] &&
	    alink_link_is_bad(event))
		kfifo_put(&h->events, *event);
	queue_work(system_long_wq, &h->work);
}

/**
 * alink_link_health_create - make the reporter of a device with links
 * @adev:	device, not yet registered
 * @devlink:	instance; its lock is held
 *
 * Context: process; sleeps.
 * Return: 0 or -errno.
 */
int alink_link_health_create(struct alink_dev *adev, struct devlink *devlink)
{
	struct alink_link_health *h;
	int err;

	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return -ENOMEM;
	h->adev = adev;
	h->devlink = devlink;
	INIT_KFIFO(h->events);
	INIT_WORK(&h->work, alink_link_health_work);
	disable_work(&h->work);
	h->reporter = devl_health_reporter_create(devlink,
						  &alink_link_reporter_ops, 0,
						  h);
	if (IS_ERR(h->reporter)) {
		err = PTR_ERR(h->reporter);
		kfree(h);
		return err;
	}
	adev->link_health = h;
	return 0;
}
EXPORT_SYMBOL_GPL(alink_link_health_create);

/**
 * alink_link_health_destroy - undo alink_link_health_create()
 * @adev:	device, not registered any more; the devlink lock is held
 *
 * Context: process; sleeps.
 */
void alink_link_health_destroy(struct alink_dev *adev)
{
	struct alink_link_health *h = adev->link_health;

	adev->link_health = NULL;
	devl_health_reporter_destroy(h->reporter);
	kfree(h);
}
EXPORT_SYMBOL_GPL(alink_link_health_destroy);

/**
 * alink_link_health_start - links that fail are reported from now on
 * @adev:	device, whose devlink instance is registered
 */
void alink_link_health_start(struct alink_dev *adev)
{
	enable_and_queue_work(system_long_wq, &adev->link_health->work);
}
EXPORT_SYMBOL_GPL(alink_link_health_start);

/**
 * alink_link_health_stop - nothing is reported any more
 * @adev:	device, whose devlink instance is registered and not locked
 *
 * Context: process; sleeps.
 */
void alink_link_health_stop(struct alink_dev *adev)
{
	disable_work_sync(&adev->link_health->work);
}
EXPORT_SYMBOL_GPL(alink_link_health_stop);
