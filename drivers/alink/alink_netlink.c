// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink family "alink": its commands, what they take, and its
 * events. Documentation/netlink/specs/alink.yaml says what each one means.
 *
 * The family lives in the initial network namespace: fabric tables belong to
 * the machine. Commands run in parallel; who writes to tables serialises.
 */
#include <linux/capability.h>

#include "alink_netlink.h"

enum {
	ALINK_NL_GRP_EVENTS,
};

static const struct genl_multicast_group alink_nl_groups[] = {
	[ALINK_NL_GRP_EVENTS] = { .name = ALINK_MCGRP_EVENTS },
};

#define ALINK_NL_READ	GENL_CMD_CAP_DUMP
#define ALINK_NL_DO	GENL_CMD_CAP_DO

static const struct genl_split_ops alink_nl_ops[] = {
	{
		.cmd		= ALINK_CMD_DEV_GET,
		.doit		= alink_nl_dev_get_doit,
		.policy		= alink_dev_policy,
		.maxattr	= ALINK_A_DEV_INDEX,
		.flags		= ALINK_NL_DO,
	},
	{
		.cmd		= ALINK_CMD_DEV_GET,
		.dumpit		= alink_nl_dev_get_dumpit,
		.flags		= ALINK_NL_READ,
	},
	{
		.cmd		= ALINK_CMD_LINK_GET,
		.doit		= alink_nl_link_get_doit,
		.policy		= alink_link_policy,
		.maxattr	= ALINK_A_LINK_LINK,
		.flags		= ALINK_NL_DO,
	},
	{
		.cmd		= ALINK_CMD_LINK_GET,
		.dumpit		= alink_nl_link_get_dumpit,
		.policy		= alink_link_policy,
		.maxattr	= ALINK_A_LINK_DEV_INDEX,
		.flags		= ALINK_NL_READ,
	},
	{
		.cmd		= ALINK_CMD_ROUTE_GET,
		.start		= alink_nl_table_get_start,
		.dumpit		= alink_nl_route_get_dumpit,
		.policy		= alink_route_policy,
		.maxattr	= ALINK_A_ROUTE_DEV_INDEX,
		.flags		= ALINK_NL_READ,
	},
	{
		.cmd		= ALINK_CMD_ROUTE_ADD,
		.doit		= alink_nl_route_add_doit,
		.policy		= alink_route_policy,
		.maxattr	= ALINK_A_ROUTE_SPARES,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
	{
		.cmd		= ALINK_CMD_ROUTE_DEL,
		.doit		= alink_nl_route_del_doit,
		.policy		= alink_route_policy,
		.maxattr	= ALINK_A_ROUTE_DST,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
	{
		.cmd		= ALINK_CMD_GROUP_GET,
		.start		= alink_nl_table_get_start,
		.dumpit		= alink_nl_group_get_dumpit,
		.policy		= alink_group_policy,
		.maxattr	= ALINK_A_GROUP_DEV_INDEX,
		.flags		= ALINK_NL_READ,
	},
	{
		.cmd		= ALINK_CMD_GROUP_ADD,
		.doit		= alink_nl_group_add_doit,
		.policy		= alink_group_policy,
		.maxattr	= ALINK_A_GROUP_MEMBERS,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
	{
		.cmd		= ALINK_CMD_GROUP_DEL,
		.doit		= alink_nl_group_del_doit,
		.policy		= alink_group_policy,
		.maxattr	= ALINK_A_GROUP_ID,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
	{
		.cmd		= ALINK_CMD_PARTITION_GET,
		.dumpit		= alink_nl_partition_get_dumpit,
		.policy		= alink_partition_policy,
		.maxattr	= ALINK_A_PARTITION_DEV_INDEX,
		.flags		= ALINK_NL_READ,
	},
	{
		.cmd		= ALINK_CMD_PARTITION_SET,
		.doit		= alink_nl_partition_set_doit,
		.policy		= alink_partition_policy,
		.maxattr	= ALINK_A_PARTITION_PARTITION,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
	{
		.cmd		= ALINK_CMD_MANAGER_GET,
		.doit		= alink_nl_manager_get_doit,
		.flags		= ALINK_NL_DO,
	},
	{
		.cmd		= ALINK_CMD_MANAGER_CLAIM,
		.doit		= alink_nl_manager_claim_doit,
		.policy		= alink_manager_policy,
		.maxattr	= ALINK_A_MANAGER_BEAT_MS,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
	{
		.cmd		= ALINK_CMD_MANAGER_BEAT,
		.doit		= alink_nl_manager_beat_doit,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
	{
		.cmd		= ALINK_CMD_MANAGER_RELEASE,
		.doit		= alink_nl_manager_release_doit,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
	{
		.cmd		= ALINK_CMD_SEGMENT_GET,
		.dumpit		= alink_nl_segment_get_dumpit,
		.policy		= alink_segment_policy,
		.maxattr	= ALINK_A_SEGMENT_DEV_INDEX,
		.flags		= ALINK_NL_READ,
	},
	{
		.cmd		= ALINK_CMD_SEGMENT_REVOKE,
		.doit		= alink_nl_segment_revoke_doit,
		.policy		= alink_segment_policy,
		.maxattr	= ALINK_A_SEGMENT_ID,
		.flags		= ALINK_NL_DO | GENL_ADMIN_PERM,
	},
};

struct genl_family alink_genl_family __ro_after_init = {
	.name		= ALINK_FAMILY_NAME,
	.version	= ALINK_FAMILY_VERSION,
	.parallel_ops	= true,
	.module		= THIS_MODULE,
	.split_ops	= alink_nl_ops,
	.n_split_ops	= ARRAY_SIZE(alink_nl_ops),
	.mcgrps		= alink_nl_groups,
	.n_mcgrps	= ARRAY_SIZE(alink_nl_groups),
};

/*
 * Returns the device that @attr names, with a reference, or ERR_PTR with the
 * extended ACK filled in.
 */
struct alink_dev *alink_nl_get_dev(const struct genl_info *info, u32 attr)
{
	struct alink_dev *adev;
	u32 index;

	if (GENL_REQ_ATTR_CHECK(info, attr)) {
		GENL_SET_ERR_MSG(info, "Index of the device is missing");
		return ERR_PTR(-EINVAL);
	}
	index = nla_get_u32(info->attrs[attr]);
	adev = alink_dev_get_by_index(index);
	if (!adev) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, info->attrs[attr],
					"No ALink device with index %u",
					index);
		return ERR_PTR(-ENODEV);
	}
	return adev;
}

/**
 * struct alink_nl_cursor - where a dump goes on, in netlink_callback.ctx
 * @next:	where in the device, for alink_nl_dump_fn
 * @index:	device, or first one of the rest
 * @done:	the only device asked for has been shown
 */
struct alink_nl_cursor {
	unsigned long next;
	u32 index;
	bool done;
};

static int alink_nl_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			     u32 attr, u64 cap, alink_nl_dump_fn dump)
{
	const struct genl_info *info = genl_info_dump(cb);
	struct alink_nl_cursor *cur = (void *)cb->ctx;
	struct alink_dev *adev;
	int err;

	if (cur->done)
		return 0;
	adev = alink_nl_get_dev(info, attr);
	if (IS_ERR(adev))
		return PTR_ERR(adev);
	if ((adev->caps & cap) == cap) {
		err = dump(skb, cb, adev, &cur->next);
	} else {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, info->attrs[attr],
					"%s has no such table", adev->name);
		err = -EOPNOTSUPP;
	}
	alink_dev_put(adev);
	cur->done = !err;
	return err;
}

/*
 * Dumps what @dump shows of the device that @attr names, or of all that have
 * @cap. @dump ends with -EMSGSIZE when the message is full.
 */
int alink_nl_dump_devs(struct sk_buff *skb, struct netlink_callback *cb,
		       u32 attr, u64 cap, alink_nl_dump_fn dump)
{
	struct alink_nl_cursor *cur = (void *)cb->ctx;
	struct alink_dev *adev;
	u32 at = cur->index;
	int err = 0;

	BUILD_BUG_ON(sizeof(*cur) > sizeof_field(struct netlink_callback, ctx));

	if (genl_info_dump(cb)->attrs[attr])
		return alink_nl_dump_one(skb, cb, attr, cap, dump);

	while (!err && (adev = alink_dev_get_next(&cur->index))) {
		/* Where it went on may have gone since: that was its place. */
		if (cur->index != at)
			cur->next = 0;
		if ((adev->caps & cap) == cap)
			err = dump(skb, cb, adev, &cur->next);
		alink_dev_put(adev);
		if (!err) {
			cur->index++;
			cur->next = 0;
		}
		at = cur->index;
	}
	return err;
}

/* --- events --------------------------------------------------------------- */

struct sk_buff *alink_nl_event_new(u8 cmd, void **hdr)
{
	struct sk_buff *msg;

	if (!genl_has_listeners(&alink_genl_family, &init_net,
				ALINK_NL_GRP_EVENTS))
		return NULL;
	msg = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!msg)
		goto err_lost;
	*hdr = genlmsg_put(msg, 0, 0, &alink_genl_family, 0, cmd);
	if (*hdr)
		return msg;
	nlmsg_free(msg);
err_lost:
	genl_set_err(&alink_genl_family, &init_net, 0, ALINK_NL_GRP_EVENTS,
		     -ENOBUFS);
	return NULL;
}

void alink_nl_event_send(struct sk_buff *msg, void *hdr)
{
	genlmsg_end(msg, hdr);
	genlmsg_multicast(&alink_genl_family, msg, 0, ALINK_NL_GRP_EVENTS,
			  GFP_KERNEL);
}

void alink_nl_event_cancel(struct sk_buff *msg)
{
	nlmsg_free(msg);
	genl_set_err(&alink_genl_family, &init_net, 0, ALINK_NL_GRP_EVENTS,
		     -ENOBUFS);
}

/* Tells listeners that a device came, or goes: ALINK_CMD_DEV_{ADD,DEL}_NTF. */
void alink_netlink_dev(struct alink_dev *adev, u8 cmd)
{
	struct sk_buff *msg;
	void *hdr;

	msg = alink_nl_event_new(cmd, &hdr);
	if (!msg)
		return;
	/* It comes last: better an event without the model's name than none. */
	if (alink_nl_put_dev(msg, adev) == -EMSGSIZE)
		alink_nl_event_cancel(msg);
	else
		alink_nl_event_send(msg, hdr);
}

static int alink_nl_put_link_event(struct sk_buff *msg,
				   const struct alink_event *event)
{
	u32 state = le32_to_cpu(event->code) ? ALINK_LINK_UP : ALINK_LINK_DOWN;

	return nla_put_u32(msg, ALINK_A_EVENT_LINK, le32_to_cpu(event->id)) ?:
	       nla_put_u32(msg, ALINK_A_EVENT_LINK_STATE, state) ?:
	       nla_put_u32(msg, ALINK_A_EVENT_REASON,
			   le32_to_cpu(event->info));
}

static int alink_nl_put_fault(struct sk_buff *msg,
			      const struct alink_event *event)
{
	return nla_put_u32(msg, ALINK_A_EVENT_FAULT_CODE,
			   le32_to_cpu(event->code)) ?:
	       nla_put_u32(msg, ALINK_A_EVENT_RECOVERY,
			   le32_to_cpu(event->info)) ?:
	       nla_put_u64_64bit(msg, ALINK_A_EVENT_ADDR,
				 le64_to_cpu(event->addr),
				 ALINK_A_EVENT_PAD) ?:
	       nla_put_u32(msg, ALINK_A_EVENT_INFO, le32_to_cpu(event->id));
}

static int alink_nl_put_table(struct sk_buff *msg,
			      const struct alink_event *event)
{
	u32 table;

	switch (le16_to_cpu(event->type)) {
	case ALINK_EVENT_ROUTE:
		table = ALINK_TABLE_ROUTE;
		break;
	case ALINK_EVENT_GROUP:
		table = ALINK_TABLE_GROUP;
		break;
	default:
		table = ALINK_TABLE_PARTITION;
		break;
	}
	return nla_put_u32(msg, ALINK_A_EVENT_TABLE, table) ?:
	       nla_put_u32(msg, ALINK_A_EVENT_ID, le32_to_cpu(event->id));
}

/* Passes an entry of the event ring on. Called with the event lock held. */
void alink_netlink_event(struct alink_dev *adev,
			 const struct alink_event *event)
{
	int (*put)(struct sk_buff *msg, const struct alink_event *event);
	struct sk_buff *msg;
	void *hdr;
	u8 cmd;

	lockdep_assert_held(&adev->event_lock);

	switch (le16_to_cpu(event->type)) {
	case ALINK_EVENT_NONE:
		/* Events were lost: listeners see that theirs were. */
		genl_set_err(&alink_genl_family, &init_net, 0,
			     ALINK_NL_GRP_EVENTS, -ENOBUFS);
		return;
	case ALINK_EVENT_LINK:
		cmd = ALINK_CMD_LINK_NTF;
		put = alink_nl_put_link_event;
		break;
	case ALINK_EVENT_FAULT:
		cmd = ALINK_CMD_FAULT_NTF;
		put = alink_nl_put_fault;
		break;
	case ALINK_EVENT_ROUTE:
	case ALINK_EVENT_GROUP:
	case ALINK_EVENT_PARTITION:
		cmd = ALINK_CMD_TABLE_NTF;
		put = alink_nl_put_table;
		break;
	default:
		return;
	}

	msg = alink_nl_event_new(cmd, &hdr);
	if (!msg)
		return;
	if (nla_put_u32(msg, ALINK_A_EVENT_DEV_INDEX, adev->index) ||
	    nla_put_u64_64bit(msg, ALINK_A_EVENT_TIME_NS,
			      le64_to_cpu(event->time_ns), ALINK_A_EVENT_PAD) ||
	    put(msg, event))
		alink_nl_event_cancel(msg);
	else
		alink_nl_event_send(msg, hdr);
}

int __init alink_netlink_init(void)
{
	int err;

	err = alink_manager_init();
	if (err)
		return err;
	err = genl_register_family(&alink_genl_family);
	if (err)
		alink_manager_exit();
	return err;
}

void alink_netlink_exit(void)
{
	genl_unregister_family(&alink_genl_family);
	alink_manager_exit();
}
