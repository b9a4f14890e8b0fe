/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the generic netlink family: what its files offer each other.
 */
#ifndef ALINK_NETLINK_H
#define ALINK_NETLINK_H

#include <net/genetlink.h>

#include <uapi/linux/alink.h>

#include "alink_priv.h"

extern struct genl_family alink_genl_family;

extern const struct nla_policy alink_dev_policy[ALINK_A_DEV_MAX + 1];
extern const struct nla_policy alink_link_policy[ALINK_A_LINK_MAX + 1];
extern const struct nla_policy alink_route_policy[ALINK_A_ROUTE_MAX + 1];
extern const struct nla_policy alink_group_policy[ALINK_A_GROUP_MAX + 1];
extern const struct nla_policy alink_partition_policy[];
extern const struct nla_policy alink_manager_policy[ALINK_A_MANAGER_MAX + 1];
extern const struct nla_policy alink_segment_policy[ALINK_A_SEGMENT_MAX + 1];

/* alink_netlink.c */
typedef int (*alink_nl_dump_fn)(struct sk_buff *skb,
				struct netlink_callback *cb,
				struct alink_dev *adev, unsigned long *next);
struct alink_dev *alink_nl_get_dev(const struct genl_info *info, u32 attr);
int alink_nl_dump_devs(struct sk_buff *skb, struct netlink_callback *cb,
		       u32 attr, u64 cap, alink_nl_dump_fn dump);

struct sk_buff *alink_nl_event_new(u8 cmd, void **hdr);
void alink_nl_event_send(struct sk_buff *msg, void *hdr);
void alink_nl_event_cancel(struct sk_buff *msg);

/* alink_netlink_dev.c */
int alink_nl_put_dev(struct sk_buff *msg, struct alink_dev *adev);
int alink_nl_dev_get_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_dev_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int alink_nl_link_get_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_link_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);

/* alink_netlink_manager.c */
int alink_manager_check(struct genl_info *info);
int alink_nl_manager_get_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_manager_claim_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_manager_beat_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_manager_release_doit(struct sk_buff *skb, struct genl_info *info);
int alink_manager_init(void);
void alink_manager_exit(void);

/* alink_netlink_tables.c */
extern struct mutex alink_table_lock;
int alink_nl_need(struct genl_info *info, u32 attr, const char *what);
int alink_nl_route_add_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_route_del_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_group_add_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_group_del_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_partition_set_doit(struct sk_buff *skb, struct genl_info *info);
int alink_nl_segment_revoke_doit(struct sk_buff *skb, struct genl_info *info);

/* alink_netlink_show.c */
u32 alink_nl_partition_of(struct alink_dev *adev, u32 endpoint, int *err);
int alink_nl_table_get_start(struct netlink_callback *cb);
int alink_nl_route_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int alink_nl_group_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int alink_nl_partition_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb);
int alink_nl_segment_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb);

#endif /* ALINK_NETLINK_H */
