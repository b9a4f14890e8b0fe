// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink: who manages the fabric.
 *
 * A manager is the netlink socket that claimed the fabric. As long as that is
 * open nobody else writes routes and partitions; when it closes, however its
 * process ends, the fabric is free again, and the tables stay as they are. A
 * manager promises to beat: one that hangs is seen as silent, and keeps the
 * fabric, as nobody knows what it has half done. To end it is for the user, who
 * learns of it, and of one that went without a word, from listeners of events and
 * from devlink: alink_manager_health.c.
 *
 * Other sockets of the process that claimed may write, too, but not beat or
 * release: a device that does not answer holds the socket of who asked it, and
 * a manager has to beat, and to look after the others, meanwhile.
 *
 * Groups and segments are not the manager's: they belong to jobs, which come and
 * go.
 */
#include <linux/ctype.h>
#include <linux/ktime.h>
#include <linux/netlink.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "alink_manager.h"
#include "alink_netlink.h"

const struct nla_policy alink_manager_policy[ALINK_A_MANAGER_MAX + 1] = {
	[ALINK_A_MANAGER_NAME]	= { .type = NLA_NUL_STRING,
				    .len = ALINK_MANAGER_NAME_LEN },
	[ALINK_A_MANAGER_BEAT_MS] = NLA_POLICY_RANGE(NLA_U32,
						     ALINK_MANAGER_BEAT_MIN_MS,
						     ALINK_MANAGER_BEAT_MAX_MS),
};

/**
 * struct alink_manager - who manages the fabric
 * @lock:	protects all that follows; leaf lock, never held over a sleep
 * @portid:	of its socket; 0: nobody
 * @pid:	the process that claimed, with a reference
 * @name:	what it calls itself; or the one before did, when there is nobody
 * @last_pid:	number of @pid, which stays as @name does
 * @beat_ms:	it promised to beat that often
 * @beaten:	when it last did
 * @epoch:	claims since the module was loaded
 * @silent:	alink_manager_watch() has seen that it does not beat
 * @lost:	it went without saying so, and nobody has come since
 * @silences:	times that @silent became true since the module was loaded
 * @losses:	the same of @lost
 */
static struct alink_manager {
	spinlock_t lock;	/* of all that follows */
	u32 portid;
	struct pid *pid;
	char name[ALINK_MANAGER_NAME_LEN + 1];
	pid_t last_pid;
	u32 beat_ms;
	ktime_t beaten;
	u32 epoch;
	bool silent;
	bool lost;
	u32 silences;
	u32 losses;
} alink_manager = {
	.lock = __SPIN_LOCK_UNLOCKED(alink_manager.lock),
};

/* Fills in the extended ACK. */
static int alink_manager_busy(struct genl_info *info)
{
	lockdep_assert_held(&alink_manager.lock);

	GENL_SET_ERR_MSG_FMT(info, "%s (pid %d) manages the fabric",
			     alink_manager.name,
			     pid_vnr(alink_manager.pid));
	return -EBUSY;
}

/* Is this the manager's socket, or another one of its process? */
static bool alink_manager_is(const struct genl_info *info)
{
	lockdep_assert_held(&alink_manager.lock);

	return alink_manager.portid == info->snd_portid ||
	       alink_manager.pid == task_tgid(current);
}

/**
 * alink_manager_check - may this caller write routes and partitions?
 * @info:	the request
 *
 * Holds until alink_table_lock is released: a claim takes it.
 *
 * Return: 0, or -EBUSY, and then the extended ACK says who manages them.
 */
int alink_manager_check(struct genl_info *info)
{
	int err = 0;

	lockdep_assert_held(&alink_table_lock);

	spin_lock(&alink_manager.lock);
	if (alink_manager.portid && !alink_manager_is(info))
		err = alink_manager_busy(info);
	spin_unlock(&alink_manager.lock);
	return err;
}

/* --- what is told ---------------------------------------------------------- */

static u32 alink_manager_state(u64 age_ms)
{
	lockdep_assert_held(&alink_manager.lock);

	if (!alink_manager.portid)
		return ALINK_MANAGER_NONE;
	return age_ms > alink_manager.beat_ms ? ALINK_MANAGER_SILENT :
						ALINK_MANAGER_ACTIVE;
}

static int alink_manager_put(struct sk_buff *msg)
{
	u64 age_ms;
	int err;

	spin_lock(&alink_manager.lock);
	age_ms = ktime_ms_delta(ktime_get(), alink_manager.beaten);
	err = nla_put_u32(msg, ALINK_A_MANAGER_STATE,
			  alink_manager_state(age_ms)) ?:
	      nla_put_u32(msg, ALINK_A_MANAGER_EPOCH, alink_manager.epoch);
	if (!err && alink_manager.portid)
		err = nla_put_string(msg, ALINK_A_MANAGER_NAME,
				     alink_manager.name) ?:
		      nla_put_u32(msg, ALINK_A_MANAGER_PID,
				  pid_vnr(alink_manager.pid)) ?:
		      nla_put_u32(msg, ALINK_A_MANAGER_BEAT_MS,
				  alink_manager.beat_ms) ?:
		      nla_put_u32(msg, ALINK_A_MANAGER_AGE_MS,
				  min_t(u64, age_ms, U32_MAX));
	spin_unlock(&alink_manager.lock);
	return err;
}

static void alink_manager_tell(void)
{
	struct sk_buff *msg;
	void *hdr;

	alink_manager_changed();
	msg = alink_nl_event_new(ALINK_CMD_MANAGER_NTF, &hdr);
	if (!msg)
		return;
	if (alink_manager_put(msg))
		alink_nl_event_cancel(msg);
	else
		alink_nl_event_send(msg, hdr);
}

/**
 * alink_manager_look - what is known of the manager now
 * @view:	filled in
 */
void alink_manager_look(struct alink_manager_view *view)
{
	spin_lock(&alink_manager.lock);
	view->age_ms = ktime_ms_delta(ktime_get(), alink_manager.beaten);
	view->state = alink_manager_state(view->age_ms);
	strscpy(view->name, alink_manager.name);
	view->pid = alink_manager.last_pid;
	view->beat_ms = alink_manager.beat_ms;
	view->epoch = alink_manager.epoch;
	view->silent = alink_manager.silent;
	view->lost = alink_manager.lost;
	view->silences = alink_manager.silences;
	view->losses = alink_manager.losses;
	spin_unlock(&alink_manager.lock);
}

/* Somebody has seen that nobody manages the fabric, and lives with it. */
void alink_manager_forgive(void)
{
	spin_lock(&alink_manager.lock);
	alink_manager.lost = false;
	spin_unlock(&alink_manager.lock);
	alink_manager_changed();
}

/* --- silence --------------------------------------------------------------- */

static void alink_manager_watch(struct work_struct *work);
static DECLARE_DELAYED_WORK(alink_manager_watch_work, alink_manager_watch);

/* A manager has come, or back: look when it breaks its promise. */
static void alink_manager_watch_in(u32 ms)
{
	mod_delayed_work(system_power_efficient_wq, &alink_manager_watch_work,
			 msecs_to_jiffies(ms) + 1);
}

/* Looks again and again, as long as there is one that beats. */
static void alink_manager_watch(struct work_struct *work)
{
	bool silent = false;
	s64 left = -1;

	spin_lock(&alink_manager.lock);
	if (alink_manager.portid && !alink_manager.silent) {
		left = alink_manager.beat_ms -
		       ktime_ms_delta(ktime_get(), alink_manager.beaten);
		silent = left < 0;
		alink_manager.silent = silent;
		alink_manager.silences += silent;
	}
	spin_unlock(&alink_manager.lock);
	/* Not later than somebody who has come meanwhile wants it */
	if (left >= 0)
		queue_delayed_work(system_power_efficient_wq,
				   &alink_manager_watch_work,
				   msecs_to_jiffies(left) + 1);
	else if (silent)
		alink_manager_tell();
}

int alink_nl_manager_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;
	void *hdr;

	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &alink_genl_family, 0,
				ALINK_CMD_MANAGER_GET);
	if (!hdr || alink_manager_put(msg)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/* --- coming and going ------------------------------------------------------ */

static int alink_manager_claim(struct genl_info *info, struct pid *pid)
{
	lockdep_assert_held(&alink_manager.lock);

	if (alink_manager.portid)
		return alink_manager_busy(info);
	nla_strscpy(alink_manager.name, info->attrs[ALINK_A_MANAGER_NAME],
		    sizeof(alink_manager.name));
	alink_manager.beat_ms =
		nla_get_u32(info->attrs[ALINK_A_MANAGER_BEAT_MS]);
	alink_manager.beaten = ktime_get();
	alink_manager.portid = info->snd_portid;
	alink_manager.pid = pid;
	alink_manager.last_pid = pid_nr(pid);
	alink_manager.epoch++;
	alink_manager.silent = false;
	alink_manager.lost = false;
	return 0;
}

/* It ends up in messages. */
static int alink_manager_check_name(struct genl_info *info)
{
	struct nlattr *attr = info->attrs[ALINK_A_MANAGER_NAME];
	const char *c = nla_data(attr);

	if (!*c) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "A manager needs a name");
		return -EINVAL;
	}
	for (; *c; c++) {
		if (isascii(*c) && isprint(*c))
			continue;
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "The name has what cannot be printed");
		return -EINVAL;
	}
	return 0;
}

int alink_nl_manager_claim_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct pid *pid;
	u32 beat_ms;
	int err;

	err = alink_nl_need(info, ALINK_A_MANAGER_NAME, "Name") ?:
	      alink_nl_need(info, ALINK_A_MANAGER_BEAT_MS, "Heartbeat") ?:
	      alink_manager_check_name(info);
	if (err)
		return err;

	pid = get_pid(task_tgid(current));
	/* Who is writing has ended before. */
	mutex_lock(&alink_table_lock);
	spin_lock(&alink_manager.lock);
	err = alink_manager_claim(info, pid);
	beat_ms = alink_manager.beat_ms;
	spin_unlock(&alink_manager.lock);
	mutex_unlock(&alink_table_lock);
	if (err) {
		put_pid(pid);
		return err;
	}
	alink_manager_watch_in(beat_ms);
	alink_manager_tell();
	return 0;
}

/* Only if that is who manages it; @lost: without a word. Return: it was. */
static bool alink_manager_leave(u32 portid, bool lost)
{
	struct pid *pid = NULL;
	bool left;

	spin_lock(&alink_manager.lock);
	left = portid && alink_manager.portid == portid;
	if (left) {
		alink_manager.portid = 0;
		swap(pid, alink_manager.pid);
		alink_manager.silent = false;
		alink_manager.lost = lost;
		alink_manager.losses += lost;
	}
	spin_unlock(&alink_manager.lock);
	put_pid(pid);
	if (left)
		alink_manager_tell();
	return left;
}

static int alink_manager_none(struct genl_info *info)
{
	GENL_SET_ERR_MSG(info, "This socket does not manage the fabric");
	return -ENOENT;
}

int alink_nl_manager_release_doit(struct sk_buff *skb, struct genl_info *info)
{
	return alink_manager_leave(info->snd_portid, false) ?
		       0 : alink_manager_none(info);
}

int alink_nl_manager_beat_doit(struct sk_buff *skb, struct genl_info *info)
{
	bool ours, back = false;
	u32 beat_ms = 0;

	spin_lock(&alink_manager.lock);
	ours = alink_manager.portid && alink_manager.portid == info->snd_portid;
	if (ours) {
		alink_manager.beaten = ktime_get();
		swap(back, alink_manager.silent);
		beat_ms = alink_manager.beat_ms;
	}
	spin_unlock(&alink_manager.lock);
	if (back) {
		alink_manager_watch_in(beat_ms);
		alink_manager_tell();
	}
	return ours ? 0 : alink_manager_none(info);
}

/* A socket was closed. */
static int alink_manager_notify(struct notifier_block *nb, unsigned long event,
				void *data)
{
	struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE && notify->protocol == NETLINK_GENERIC &&
	    net_eq(notify->net, &init_net))
		alink_manager_leave(notify->portid, true);
	return NOTIFY_DONE;
}

static struct notifier_block alink_manager_nb = {
	.notifier_call = alink_manager_notify,
};

int __init alink_manager_init(void)
{
	return netlink_register_notifier(&alink_manager_nb);
}

/* The family is gone: nobody claims any more. */
void alink_manager_exit(void)
{
	netlink_unregister_notifier(&alink_manager_nb);
	cancel_delayed_work_sync(&alink_manager_watch_work);
	put_pid(alink_manager.pid);
}
