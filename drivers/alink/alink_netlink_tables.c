// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink: writing routes, groups and partitions, and revoking segments.
 * The tables themselves are in the devices, and nowhere else: nothing here can
 * differ from them.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include <hw/alink/fabric.h>

#include "alink_netlink.h"

/*
 * Serialises writers, so that all-or-none on several switches is not mixed
 * with another writer's, and who manages the fabric does not change meanwhile.
 * Outside of every lock of a device.
 */
DEFINE_MUTEX(alink_table_lock);

static const struct netlink_range_validation alink_key_range = {
	.min = 1,
	.max = U64_MAX,
};

const struct nla_policy alink_route_policy[ALINK_A_ROUTE_MAX + 1] = {
	[ALINK_A_ROUTE_DEV_INDEX] = { .type = NLA_U32 },
	[ALINK_A_ROUTE_DST]	= NLA_POLICY_MAX(NLA_U32,
						 ALINK_MAX_ENDPOINTS - 1),
	[ALINK_A_ROUTE_MIN_PORTS] = NLA_POLICY_RANGE(NLA_U32, 1,
						     ALINK_MAX_PORTS),
	[ALINK_A_ROUTE_PORTS]	= { .type = NLA_BINARY,
				    .len = ALINK_MAX_PORTS * sizeof(u32) },
	[ALINK_A_ROUTE_SPARES]	= { .type = NLA_BINARY,
				    .len = ALINK_MAX_PORTS * sizeof(u32) },
};

const struct nla_policy alink_group_policy[ALINK_A_GROUP_MAX + 1] = {
	[ALINK_A_GROUP_DEV_INDEX] = { .type = NLA_U32 },
	[ALINK_A_GROUP_ID]	= NLA_POLICY_MAX(NLA_U32,
						 ALINK_MAX_GROUPS - 1),
	[ALINK_A_GROUP_KEY]	= NLA_POLICY_FULL_RANGE(NLA_U64,
							&alink_key_range),
	[ALINK_A_GROUP_MEMBERS]	= { .type = NLA_BINARY,
				    .len = ALINK_MAX_ENDPOINTS * sizeof(u32) },
};

const struct nla_policy alink_partition_policy[ALINK_A_PARTITION_MAX + 1] = {
	[ALINK_A_PARTITION_DEV_INDEX] = { .type = NLA_U32 },
	[ALINK_A_PARTITION_ENDPOINT] = NLA_POLICY_MAX(NLA_U32,
						      ALINK_MAX_ENDPOINTS - 1),
	[ALINK_A_PARTITION_PARTITION] = NLA_POLICY_MAX(NLA_U32,
						       ALINK_MAX_PARTITIONS - 1),
};

const struct nla_policy alink_segment_policy[ALINK_A_SEGMENT_MAX + 1] = {
	[ALINK_A_SEGMENT_DEV_INDEX] = { .type = NLA_U32 },
	[ALINK_A_SEGMENT_ID]	= NLA_POLICY_MAX(NLA_U32,
						 ALINK_MAX_SEGMENTS - 1),
};

/* Says which device refused, and why, and returns @err. */
static int alink_nl_refused(struct genl_info *info, struct nlattr *attr,
			    struct alink_dev *adev, int err, u16 status)
{
	if (alink_dev_lost(adev))
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr, "%s is gone",
					adev->name);
	else if (!alink_dev_active(adev))
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr,
					"%s is in reset", adev->name);
	else if (alink_status_errno(status) == err)
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr, "%s: %s",
					adev->name, alink_status_str(status));
	else
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr,
					"%s does not answer", adev->name);
	return err;
}

/* Is the table there that @cap stands for? */
static int alink_nl_check_cap(struct genl_info *info, u32 attr,
			      struct alink_dev *adev, u64 cap)
{
	if ((adev->caps & cap) == cap)
		return 0;
	NL_SET_ERR_MSG_ATTR_FMT(info->extack, info->attrs[attr],
				"%s has no such table", adev->name);
	return -EOPNOTSUPP;
}

/* --- one switch, or every one --------------------------------------------- */

/**
 * struct alink_nl_set - the devices that a command is for
 * @num:	of them
 * @dev:	with a reference each, in ascending order of index
 */
struct alink_nl_set {
	unsigned int num;
	struct alink_dev *dev[] __counted_by(num);
};

static void alink_nl_set_free(struct alink_nl_set *set)
{
	unsigned int i;

	for (i = 0; i < set->num; i++)
		alink_dev_put(set->dev[i]);
	kfree(set);
}

static unsigned int alink_nl_count(u64 cap)
{
	struct alink_dev *adev;
	unsigned int num = 0;
	u32 index;

	for (index = 0; (adev = alink_dev_get_next(&index)); index++) {
		num += (adev->caps & cap) == cap;
		alink_dev_put(adev);
	}
	return num;
}

static struct alink_nl_set *alink_nl_set_one(struct genl_info *info, u32 attr,
					     u64 cap)
{
	struct alink_nl_set *set;
	struct alink_dev *adev;
	int err;

	adev = alink_nl_get_dev(info, attr);
	if (IS_ERR(adev))
		return ERR_CAST(adev);
	err = alink_nl_check_cap(info, attr, adev, cap);
	if (err)
		goto err_put;
	set = kzalloc(struct_size(set, dev, 1), GFP_KERNEL);
	if (!set) {
		err = -ENOMEM;
		goto err_put;
	}
	set->num = 1;
	set->dev[0] = adev;
	return set;

err_put:
	alink_dev_put(adev);
	return ERR_PTR(err);
}

/*
 * The device that @attr names, or every one with @cap when there is no such
 * attribute. One that is gone is left out: it comes back with empty tables.
 */
static struct alink_nl_set *alink_nl_set_get(struct genl_info *info, u32 attr,
					     u64 cap)
{
	struct alink_nl_set *set;
	struct alink_dev *adev;
	unsigned int room;
	u32 index;

	lockdep_assert_held(&alink_table_lock);

	if (info->attrs[attr])
		return alink_nl_set_one(info, attr, cap);

	room = alink_nl_count(cap);
	set = kzalloc(struct_size(set, dev, room), GFP_KERNEL);
	if (!set)
		return ERR_PTR(-ENOMEM);
	for (index = 0; (adev = alink_dev_get_next(&index)); index++) {
		if ((adev->caps & cap) != cap || alink_dev_lost(adev) ||
		    set->num == room) {
			alink_dev_put(adev);
			continue;
		}
		set->num++;
		set->dev[set->num - 1] = adev;
	}
	if (!set->num) {
		alink_nl_set_free(set);
		GENL_SET_ERR_MSG(info, "There is no switch");
		return ERR_PTR(-ENODEV);
	}
	return set;
}

/* --- routes --------------------------------------------------------------- */

/* The numbers in @attr, none of which is in @ports yet; how many there are */
static int alink_nl_route_ports(struct genl_info *info, struct alink_dev *adev,
				const struct nlattr *attr, unsigned long *ports)
{
	unsigned int num, i;
	u32 port;

	num = nla_len(attr) / sizeof(u32);
	if (!num || nla_len(attr) % sizeof(u32)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "Ports are a list of one or more 32-bit numbers");
		return -EINVAL;
	}
	for (i = 0; i < num; i++) {
		memcpy(&port, nla_data(attr) + i * sizeof(port), sizeof(port));
		if (port >= adev->num_links) {
			NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr,
						"No port %u: %s has %u, numbered from 0",
						port, adev->name,
						adev->num_links);
			return -ERANGE;
		}
		if (__test_and_set_bit(port, ports)) {
			NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr,
						"Port %u is there twice", port);
			return -EINVAL;
		}
	}
	return num;
}

/*
 * ROUTE, and SPARES if there are any, into @buf. Returns 0 or -errno with the
 * extended ACK set.
 */
static int alink_nl_route_request(struct genl_info *info,
				  struct alink_dev *adev,
				  struct alink_tlv_buf *buf)
{
	struct nlattr *min_attr = info->attrs[ALINK_A_ROUTE_MIN_PORTS];
	struct nlattr *spares_attr = info->attrs[ALINK_A_ROUTE_SPARES];
	u32 min_ports = min_attr ? nla_get_u32(min_attr) : 1;
	DECLARE_BITMAP(ports, ALINK_MAX_PORTS) = {};
	struct alink_route route = {};
	__le64 spares = 0;
	int num, i;

	num = alink_nl_route_ports(info, adev, info->attrs[ALINK_A_ROUTE_PORTS],
				   ports);
	if (num < 0)
		return num;
	if (min_ports > num) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, min_attr,
					"Minimum of %u is more than the %d ports of the route",
					min_ports, num);
		return -EINVAL;
	}
	for_each_set_bit(i, ports, ALINK_MAX_PORTS)
		route.ports[i / 64] |= cpu_to_le64(BIT_ULL(i % 64));
	route.dst = cpu_to_le32(nla_get_u32(info->attrs[ALINK_A_ROUTE_DST]));
	route.min_ports = cpu_to_le32(min_ports);
	if (!spares_attr)
		return alink_tlv_put(buf, ALINK_TLV_ROUTE | ALINK_TLV_MUST,
				     &route, sizeof(route));

	if (!(adev->caps & ALINK_CAP_SPARES)) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, spares_attr,
					"%s: routes have no spare links",
					adev->name);
		return -EOPNOTSUPP;
	}
	/* Ports stay marked: one cannot be both. */
	num = alink_nl_route_ports(info, adev, spares_attr, ports);
	if (num < 0)
		return num;
	for_each_set_bit(i, ports, 64)
		spares |= cpu_to_le64(BIT_ULL(i));
	spares &= ~route.ports[0];
	return alink_tlv_put(buf, ALINK_TLV_ROUTE | ALINK_TLV_MUST, &route,
			     sizeof(route)) ?:
	       alink_tlv_put(buf, ALINK_TLV_SPARES | ALINK_TLV_MUST, &spares,
			     sizeof(spares));
}

static int alink_nl_route_set(struct genl_info *info, struct alink_dev *adev)
{
	u8 req[ALINK_TLV_SPAN(sizeof(struct alink_route)) +
	       ALINK_TLV_SPAN(sizeof(__le64))] __aligned(8);
	struct alink_tlv_buf buf = { .data = req, .room = sizeof(req) };
	u16 status;
	int err;

	err = alink_nl_check_cap(info, ALINK_A_ROUTE_DEV_INDEX, adev,
				 ALINK_CAP_ROUTES) ?:
	      alink_nl_route_request(info, adev, &buf);
	if (err)
		return err;

	mutex_lock(&alink_table_lock);
	err = alink_manager_check(info);
	if (err)
		goto out_unlock;
	err = alink_admin_exec(adev, ALINK_ADMIN_ROUTE_SET, req, buf.len, NULL,
			       0, NULL, &status);
	if (err)
		alink_nl_refused(info, info->attrs[ALINK_A_ROUTE_DST], adev,
				 err, status);
out_unlock:
	mutex_unlock(&alink_table_lock);
	return err;
}

int alink_nl_need(struct genl_info *info, u32 attr, const char *what)
{
	if (!GENL_REQ_ATTR_CHECK(info, attr))
		return 0;
	NL_SET_ERR_MSG_FMT(info->extack, "%s is missing", what);
	return -EINVAL;
}

int alink_nl_route_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct alink_dev *adev;
	int err;

	err = alink_nl_need(info, ALINK_A_ROUTE_DST, "Destination") ?:
	      alink_nl_need(info, ALINK_A_ROUTE_PORTS, "List of ports");
	if (err)
		return err;
	adev = alink_nl_get_dev(info, ALINK_A_ROUTE_DEV_INDEX);
	if (IS_ERR(adev))
		return PTR_ERR(adev);
	err = alink_nl_route_set(info, adev);
	alink_dev_put(adev);
	return err;
}

int alink_nl_route_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct alink_dev *adev;
	u16 status;
	int err;

	err = alink_nl_need(info, ALINK_A_ROUTE_DST, "Destination");
	if (err)
		return err;
	adev = alink_nl_get_dev(info, ALINK_A_ROUTE_DEV_INDEX);
	if (IS_ERR(adev))
		return PTR_ERR(adev);
	err = alink_nl_check_cap(info, ALINK_A_ROUTE_DEV_INDEX, adev,
				 ALINK_CAP_ROUTES);
	if (err)
		goto out_put;

	mutex_lock(&alink_table_lock);
	err = alink_manager_check(info);
	if (err)
		goto out_unlock;
	err = alink_admin_id(adev, ALINK_ADMIN_ROUTE_DEL,
			     nla_get_u32(info->attrs[ALINK_A_ROUTE_DST]),
			     &status);
	if (err)
		alink_nl_refused(info, info->attrs[ALINK_A_ROUTE_DST], adev,
				 err, status);
out_unlock:
	mutex_unlock(&alink_table_lock);
out_put:
	alink_dev_put(adev);
	return err;
}

/* --- groups --------------------------------------------------------------- */

/* The request of GROUP_ADD, to be freed; ERR_PTR with the extended ACK set. */
static void *alink_nl_group_request(struct genl_info *info, size_t *len)
{
	struct nlattr *attr = info->attrs[ALINK_A_GROUP_MEMBERS];
	unsigned int num = nla_len(attr) / sizeof(u32), i;
	struct alink_group group = {};
	struct alink_tlv_buf buf = {};
	u32 member, last = 0;
	__le32 *members;

	if (!num || nla_len(attr) % sizeof(u32)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attr,
				    "Members are a list of one or more 32-bit endpoint ids");
		return ERR_PTR(-EINVAL);
	}
	buf.room = ALINK_TLV_SPAN(sizeof(group)) +
		   ALINK_TLV_SPAN(num * sizeof(*members));
	buf.data = kzalloc(buf.room, GFP_KERNEL);
	if (!buf.data)
		return ERR_PTR(-ENOMEM);

	group.id = cpu_to_le32(nla_get_u32(info->attrs[ALINK_A_GROUP_ID]));
	group.key = cpu_to_le64(nla_get_u64(info->attrs[ALINK_A_GROUP_KEY]));
	group.num_members = cpu_to_le32(num);
	alink_tlv_put(&buf, ALINK_TLV_GROUP | ALINK_TLV_MUST, &group,
		      sizeof(group));
	members = buf.data + buf.len + sizeof(struct alink_tlv);
	alink_tlv_put(&buf, ALINK_TLV_MEMBERS | ALINK_TLV_MUST, NULL,
		      num * sizeof(*members));
	for (i = 0; i < num; i++) {
		memcpy(&member, nla_data(attr) + i * sizeof(member),
		       sizeof(member));
		if (member >= ALINK_MAX_ENDPOINTS || (i && member <= last)) {
			NL_SET_ERR_MSG_ATTR_FMT(info->extack, attr,
						"Member %u: ids are below %u, in ascending order",
						member, ALINK_MAX_ENDPOINTS);
			kfree(buf.data);
			return ERR_PTR(-EINVAL);
		}
		last = member;
		members[i] = cpu_to_le32(member);
	}
	*len = buf.len;
	return buf.data;
}

static int alink_nl_group_add(struct genl_info *info, const void *req,
			      size_t len)
{
	struct nlattr *id = info->attrs[ALINK_A_GROUP_ID];
	struct alink_nl_set *set;
	unsigned int i;
	u16 status;
	int err = 0;

	lockdep_assert_held(&alink_table_lock);

	set = alink_nl_set_get(info, ALINK_A_GROUP_DEV_INDEX,
			       ALINK_CAP_GROUPS);
	if (IS_ERR(set))
		return PTR_ERR(set);
	for (i = 0; i < set->num; i++) {
		err = alink_admin_exec(set->dev[i], ALINK_ADMIN_GROUP_ADD, req,
				       len, NULL, 0, NULL, &status);
		if (err)
			break;
	}
	if (err) {
		alink_nl_refused(info, id, set->dev[i], err, status);
		/* One that is late may have it all the same. */
		i += err == -ETIMEDOUT;
		while (i--)
			alink_admin_id(set->dev[i], ALINK_ADMIN_GROUP_DEL,
				       nla_get_u32(id), NULL);
	}
	alink_nl_set_free(set);
	return err;
}

int alink_nl_group_add_doit(struct sk_buff *skb, struct genl_info *info)
{
	size_t len;
	void *req;
	int err;

	err = alink_nl_need(info, ALINK_A_GROUP_ID, "Id of the group") ?:
	      alink_nl_need(info, ALINK_A_GROUP_KEY, "Key") ?:
	      alink_nl_need(info, ALINK_A_GROUP_MEMBERS, "List of members");
	if (err)
		return err;
	req = alink_nl_group_request(info, &len);
	if (IS_ERR(req))
		return PTR_ERR(req);

	mutex_lock(&alink_table_lock);
	err = alink_nl_group_add(info, req, len);
	mutex_unlock(&alink_table_lock);
	kfree_sensitive(req);
	return err;
}

/*
 * From every switch that has it. One that refuses does not keep the group on
 * the others, and its refusal is what the caller learns.
 */
static int alink_nl_group_del(struct genl_info *info)
{
	struct nlattr *id = info->attrs[ALINK_A_GROUP_ID];
	struct alink_nl_set *set;
	unsigned int i, gone = 0;
	int err, failed = 0;
	u16 status;

	lockdep_assert_held(&alink_table_lock);

	set = alink_nl_set_get(info, ALINK_A_GROUP_DEV_INDEX,
			       ALINK_CAP_GROUPS);
	if (IS_ERR(set))
		return PTR_ERR(set);
	for (i = 0; i < set->num; i++) {
		err = alink_admin_id(set->dev[i], ALINK_ADMIN_GROUP_DEL,
				     nla_get_u32(id), &status);
		if (!err)
			gone++;
		else if (!failed && status != ALINK_ST_NOT_FOUND)
			failed = alink_nl_refused(info, id, set->dev[i], err,
						  status);
	}
	alink_nl_set_free(set);
	if (!failed && !gone) {
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, id, "No group %u",
					nla_get_u32(id));
		return -ENOENT;
	}
	return failed;
}

int alink_nl_group_del_doit(struct sk_buff *skb, struct genl_info *info)
{
	int err;

	err = alink_nl_need(info, ALINK_A_GROUP_ID, "Id of the group");
	if (err)
		return err;
	mutex_lock(&alink_table_lock);
	err = alink_nl_group_del(info);
	mutex_unlock(&alink_table_lock);
	return err;
}

/* --- partitions ----------------------------------------------------------- */

static int alink_nl_partition_write(struct alink_dev *adev, u32 endpoint,
				    u32 partition, u16 *status)
{
	struct alink_partition entry = {
		.endpoint = cpu_to_le32(endpoint),
		.partition = cpu_to_le32(partition),
	};

	return alink_admin_tlv(adev, ALINK_ADMIN_PARTITION_SET,
			       ALINK_TLV_PARTITION, &entry, sizeof(entry),
			       status);
}

static int alink_nl_partition_set(struct genl_info *info)
{
	u32 partition = nla_get_u32(info->attrs[ALINK_A_PARTITION_PARTITION]);
	struct nlattr *attr = info->attrs[ALINK_A_PARTITION_ENDPOINT];
	u16 status = ALINK_ST_ABORTED;
	struct alink_nl_set *set;
	unsigned int i;
	int err = 0;
	u32 *old;

	lockdep_assert_held(&alink_table_lock);

	set = alink_nl_set_get(info, ALINK_A_PARTITION_DEV_INDEX,
			       ALINK_CAP_PARTITIONS);
	if (IS_ERR(set))
		return PTR_ERR(set);
	old = kcalloc(set->num, sizeof(*old), GFP_KERNEL);
	if (!old) {
		err = -ENOMEM;
		goto out_free;
	}
	for (i = 0; i < set->num && !err; i++)
		old[i] = alink_nl_partition_of(set->dev[i], nla_get_u32(attr),
					       &err);
	if (err) {
		alink_nl_refused(info, attr, set->dev[i - 1], err, status);
		goto out_free_old;
	}
	for (i = 0; i < set->num; i++) {
		err = alink_nl_partition_write(set->dev[i], nla_get_u32(attr),
					       partition, &status);
		if (err)
			break;
	}
	if (err) {
		alink_nl_refused(info, attr, set->dev[i], err, status);
		i += err == -ETIMEDOUT;
		while (i--)
			alink_nl_partition_write(set->dev[i], nla_get_u32(attr),
						 old[i], NULL);
	}
out_free_old:
	kfree(old);
out_free:
	alink_nl_set_free(set);
	return err;
}

int alink_nl_partition_set_doit(struct sk_buff *skb, struct genl_info *info)
{
	int err;

	err = alink_nl_need(info, ALINK_A_PARTITION_ENDPOINT, "Endpoint") ?:
	      alink_nl_need(info, ALINK_A_PARTITION_PARTITION, "Partition");
	if (err)
		return err;
	mutex_lock(&alink_table_lock);
	err = alink_manager_check(info) ?: alink_nl_partition_set(info);
	mutex_unlock(&alink_table_lock);
	return err;
}

/* --- segments ------------------------------------------------------------- */

static int alink_nl_segment_revoke(struct genl_info *info,
				   struct alink_dev *adev)
{
	struct nlattr *id = info->attrs[ALINK_A_SEGMENT_ID];
	int err;

	err = alink_nl_check_cap(info, ALINK_A_SEGMENT_DEV_INDEX, adev,
				 ALINK_CAP_SEGMENTS);
	if (err)
		return err;
	err = adev->ops->segment_revoke ?
	      adev->ops->segment_revoke(adev, nla_get_u32(id)) : -ENOENT;
	if (err == -ENOENT)
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, id, "%s has no segment %u",
					adev->name, nla_get_u32(id));
	else if (err == -EBUSY)
		NL_SET_ERR_MSG_ATTR_FMT(info->extack, id, "%s is in reset",
					adev->name);
	else if (err)
		alink_nl_refused(info, id, adev, err, ALINK_ST_ABORTED);
	return err;
}

/* Like groups, segments belong to jobs: whoever manages the fabric. */
int alink_nl_segment_revoke_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct alink_dev *adev;
	int err;

	err = alink_nl_need(info, ALINK_A_SEGMENT_ID, "Id of the segment");
	if (err)
		return err;
	adev = alink_nl_get_dev(info, ALINK_A_SEGMENT_DEV_INDEX);
	if (IS_ERR(adev))
		return PTR_ERR(adev);
	err = alink_nl_segment_revoke(info, adev);
	alink_dev_put(adev);
	return err;
}
