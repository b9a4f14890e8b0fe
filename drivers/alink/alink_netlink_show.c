// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink: showing routes, groups, partitions and segments, page by page,
 * as the device gives them. Entries come in ascending order of their id, so a
 * dump that goes on after a change shows each entry once at most.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include <hw/alink/fabric.h>
#include <hw/alink/xpu.h>

#include "alink_netlink.h"

/* Room for one page of a table; fits the largest route and group. */
#define ALINK_NL_PAGE	8192

/**
 * struct alink_nl_page - entries of a table that one command returned
 * @len:	bytes
 * @data:	TLVs
 */
struct alink_nl_page {
	size_t len;
	u8 data[ALINK_NL_PAGE] __aligned(8);
};

static int alink_nl_read_page(struct alink_dev *adev, u16 opcode, u32 first,
			      struct alink_nl_page *page)
{
	u8 req[ALINK_TLV_SPAN(sizeof(__le32))] __aligned(8);
	struct alink_tlv_buf buf = { .data = req, .room = sizeof(req) };
	__le32 id = cpu_to_le32(first);
	int err;

	err = alink_tlv_put(&buf, ALINK_TLV_ID | ALINK_TLV_MUST, &id,
			    sizeof(id));
	if (err)
		return err;
	return alink_admin_exec_killable(adev, opcode, req, buf.len, page->data,
					 sizeof(page->data), &page->len, NULL);
}

/*
 * Fills in one entry and sets *id to its id. @tlv is its first TLV.
 * Returns -EPROTO when the device wrote nonsense.
 */
typedef int (*alink_nl_entry_fn)(struct sk_buff *skb,
				 const struct netlink_callback *cb,
				 struct alink_dev *adev,
				 const struct alink_nl_page *page,
				 const struct alink_tlv *tlv, u32 *id);

static int alink_nl_dump_page(struct sk_buff *skb,
			      const struct netlink_callback *cb,
			      struct alink_dev *adev, u8 cmd, u16 type,
			      alink_nl_entry_fn fill,
			      const struct alink_nl_page *page,
			      unsigned long *next, bool *more)
{
	const struct alink_tlv *tlv = NULL;
	void *hdr;
	int err;
	u32 id;

	*more = false;
	while ((tlv = alink_tlv_next(page->data, page->len, tlv))) {
		if (alink_tlv_type(tlv) != type)
			continue;
		hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				  cb->nlh->nlmsg_seq, &alink_genl_family,
				  NLM_F_MULTI, cmd);
		if (!hdr)
			return -EMSGSIZE;
		err = fill(skb, cb, adev, page, tlv, &id);
		/* A device that does not go forward would keep us for ever. */
		if (!err && id < *next)
			err = -EPROTO;
		if (err) {
			genlmsg_cancel(skb, hdr);
			return err;
		}
		genlmsg_end(skb, hdr);
		*next = (unsigned long)id + 1;
		*more = true;
	}
	return 0;
}

/* A device that is in reset or gone has empty tables. */
static int alink_nl_dump_table(struct sk_buff *skb,
			       const struct netlink_callback *cb,
			       struct alink_dev *adev, unsigned long *next,
			       u16 opcode, u8 cmd, u16 type,
			       alink_nl_entry_fn fill)
{
	struct alink_nl_page *page;
	bool more = true;
	int err = 0;

	page = kmalloc(sizeof(*page), GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	while (!err && more && *next < U32_MAX) {
		err = alink_nl_read_page(adev, opcode, *next, page);
		if (!err)
			err = alink_nl_dump_page(skb, cb, adev, cmd, type,
						 fill, page, next, &more);
	}
	kfree_sensitive(page);
	/* Its registers answer again before its commands do. */
	if (err == -ECANCELED ||
	    (err && err != -EMSGSIZE && !alink_dev_active(adev)))
		err = 0;
	if (err && err != -EMSGSIZE)
		NL_SET_ERR_MSG_FMT(cb->extack, "%s: table cannot be read",
				   adev->name);
	return err;
}

/*
 * The ports of a large route, and the members of a large group, are more than
 * the first message of a dump has room for by itself.
 */
int alink_nl_table_get_start(struct netlink_callback *cb)
{
	cb->min_dump_alloc = ALINK_NL_PAGE;
	return 0;
}

/* --- routes --------------------------------------------------------------- */

static int alink_nl_put_ports(struct sk_buff *skb,
			      const struct alink_route *route)
{
	unsigned int i, num = 0;
	struct nlattr *attr;
	u32 *ports;

	for (i = 0; i < ARRAY_SIZE(route->ports); i++)
		num += hweight64(le64_to_cpu(route->ports[i]));
	attr = nla_reserve(skb, ALINK_A_ROUTE_PORTS, num * sizeof(*ports));
	if (!attr)
		return -EMSGSIZE;
	ports = nla_data(attr);
	for (i = 0; i < ALINK_MAX_PORTS; i++)
		if (le64_to_cpu(route->ports[i / 64]) & BIT_ULL(i % 64))
			*ports++ = i;
	return 0;
}

/* Spares of the route whose TLV is @tlv, if it has any: they are right behind. */
static int alink_nl_put_spares(struct sk_buff *skb,
			       const struct alink_nl_page *page,
			       const struct alink_tlv *tlv)
{
	unsigned int i, num = 0;
	u32 links[64];
	u64 spares;

	tlv = alink_tlv_next(page->data, page->len, tlv);
	if (!tlv || alink_tlv_type(tlv) != ALINK_TLV_SPARES)
		return 0;
	if (alink_tlv_len(tlv) < sizeof(__le64))
		return -EPROTO;
	spares = le64_to_cpup(alink_tlv_data(tlv));
	for (i = 0; i < 64; i++)
		if (spares & BIT_ULL(i))
			links[num++] = i;
	return num ? nla_put(skb, ALINK_A_ROUTE_SPARES, num * sizeof(*links),
			     links) : 0;
}

static int alink_nl_fill_route(struct sk_buff *skb,
			       const struct netlink_callback *cb,
			       struct alink_dev *adev,
			       const struct alink_nl_page *page,
			       const struct alink_tlv *tlv, u32 *id)
{
	const struct alink_route *route = alink_tlv_data(tlv);

	if (alink_tlv_len(tlv) < sizeof(*route))
		return -EPROTO;
	*id = le32_to_cpu(route->dst);
	if (nla_put_u32(skb, ALINK_A_ROUTE_DEV_INDEX, adev->index) ||
	    nla_put_u32(skb, ALINK_A_ROUTE_DST, *id) ||
	    nla_put_u32(skb, ALINK_A_ROUTE_MIN_PORTS,
			le32_to_cpu(route->min_ports)) ||
	    alink_nl_put_ports(skb, route))
		return -EMSGSIZE;
	return alink_nl_put_spares(skb, page, tlv);
}

static int alink_nl_dump_routes(struct sk_buff *skb,
				struct netlink_callback *cb,
				struct alink_dev *adev, unsigned long *next)
{
	return alink_nl_dump_table(skb, cb, adev, next, ALINK_ADMIN_ROUTE_GET,
				   ALINK_CMD_ROUTE_GET, ALINK_TLV_ROUTE,
				   alink_nl_fill_route);
}

int alink_nl_route_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return alink_nl_dump_devs(skb, cb, ALINK_A_ROUTE_DEV_INDEX,
				  ALINK_CAP_ROUTES, alink_nl_dump_routes);
}

/* --- groups --------------------------------------------------------------- */

static int alink_nl_put_members(struct sk_buff *skb,
				const struct alink_tlv *tlv)
{
	const __le32 *members = alink_tlv_data(tlv);
	unsigned int num = alink_tlv_len(tlv) / sizeof(*members), i;
	struct nlattr *attr;
	u32 *out;

	attr = nla_reserve(skb, ALINK_A_GROUP_MEMBERS, num * sizeof(*out));
	if (!attr)
		return -EMSGSIZE;
	out = nla_data(attr);
	for (i = 0; i < num; i++)
		out[i] = le32_to_cpu(members[i]);
	return 0;
}

static int alink_nl_fill_group(struct sk_buff *skb,
			       const struct netlink_callback *cb,
			       struct alink_dev *adev,
			       const struct alink_nl_page *page,
			       const struct alink_tlv *tlv, u32 *id)
{
	const struct alink_group *group = alink_tlv_data(tlv);
	const struct alink_tlv *members;

	members = alink_tlv_next(page->data, page->len, tlv);
	if (alink_tlv_len(tlv) < sizeof(*group) || !members ||
	    alink_tlv_type(members) != ALINK_TLV_MEMBERS)
		return -EPROTO;
	*id = le32_to_cpu(group->id);
	if (nla_put_u32(skb, ALINK_A_GROUP_DEV_INDEX, adev->index) ||
	    nla_put_u32(skb, ALINK_A_GROUP_ID, *id) ||
	    alink_nl_put_members(skb, members) ||
	    nla_put_u64_64bit(skb, ALINK_A_GROUP_EPOCH,
			      le64_to_cpu(group->epoch), ALINK_A_GROUP_PAD) ||
	    nla_put_u64_64bit(skb, ALINK_A_GROUP_REDUCTIONS,
			      le64_to_cpu(group->reductions),
			      ALINK_A_GROUP_PAD) ||
	    nla_put_u64_64bit(skb, ALINK_A_GROUP_BYTES,
			      le64_to_cpu(group->bytes), ALINK_A_GROUP_PAD))
		return -EMSGSIZE;
	if (netlink_capable(cb->skb, CAP_NET_ADMIN) &&
	    nla_put_u64_64bit(skb, ALINK_A_GROUP_KEY, le64_to_cpu(group->key),
			      ALINK_A_GROUP_PAD))
		return -EMSGSIZE;
	return 0;
}

static int alink_nl_dump_groups(struct sk_buff *skb,
				struct netlink_callback *cb,
				struct alink_dev *adev, unsigned long *next)
{
	return alink_nl_dump_table(skb, cb, adev, next, ALINK_ADMIN_GROUP_GET,
				   ALINK_CMD_GROUP_GET, ALINK_TLV_GROUP,
				   alink_nl_fill_group);
}

int alink_nl_group_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	return alink_nl_dump_devs(skb, cb, ALINK_A_GROUP_DEV_INDEX,
				  ALINK_CAP_GROUPS, alink_nl_dump_groups);
}

/* --- partitions ----------------------------------------------------------- */

static int alink_nl_fill_partition(struct sk_buff *skb,
				   const struct netlink_callback *cb,
				   struct alink_dev *adev,
				   const struct alink_nl_page *page,
				   const struct alink_tlv *tlv, u32 *id)
{
	const struct alink_partition *entry = alink_tlv_data(tlv);

	if (alink_tlv_len(tlv) < sizeof(*entry))
		return -EPROTO;
	*id = le32_to_cpu(entry->endpoint);
	if (nla_put_u32(skb, ALINK_A_PARTITION_DEV_INDEX, adev->index) ||
	    nla_put_u32(skb, ALINK_A_PARTITION_ENDPOINT, *id) ||
	    nla_put_u32(skb, ALINK_A_PARTITION_PARTITION,
			le32_to_cpu(entry->partition)))
		return -EMSGSIZE;
	return 0;
}

static int alink_nl_dump_partitions(struct sk_buff *skb,
				    struct netlink_callback *cb,
				    struct alink_dev *adev,
				    unsigned long *next)
{
	return alink_nl_dump_table(skb, cb, adev, next,
				   ALINK_ADMIN_PARTITION_GET,
				   ALINK_CMD_PARTITION_GET,
				   ALINK_TLV_PARTITION,
				   alink_nl_fill_partition);
}

int alink_nl_partition_get_dumpit(struct sk_buff *skb,
				  struct netlink_callback *cb)
{
	return alink_nl_dump_devs(skb, cb, ALINK_A_PARTITION_DEV_INDEX,
				  ALINK_CAP_PARTITIONS,
				  alink_nl_dump_partitions);
}

/* Partition that @endpoint is in, 0 for none; *err when it cannot be read */
u32 alink_nl_partition_of(struct alink_dev *adev, u32 endpoint, int *err)
{
	const struct alink_partition *entry;
	const struct alink_tlv *tlv;
	struct alink_nl_page *page;
	u32 partition = 0;

	page = kmalloc(sizeof(*page), GFP_KERNEL);
	if (!page) {
		*err = -ENOMEM;
		return 0;
	}
	*err = alink_nl_read_page(adev, ALINK_ADMIN_PARTITION_GET, endpoint,
				  page);
	tlv = *err ? NULL : alink_tlv_next(page->data, page->len, NULL);
	if (tlv && alink_tlv_len(tlv) >= sizeof(*entry)) {
		entry = alink_tlv_data(tlv);
		if (le32_to_cpu(entry->endpoint) == endpoint)
			partition = le32_to_cpu(entry->partition);
	}
	kfree(page);
	return partition;
}

/* --- segments ------------------------------------------------------------- */

static int alink_nl_put_owner(struct sk_buff *skb,
			      const struct netlink_callback *cb,
			      struct alink_dev *adev, u32 id)
{
	struct alink_owner owner;

	/* A device may claim to have what its driver knows nothing of. */
	if (!adev->ops->segment_owner ||
	    !adev->ops->segment_owner(adev, id, &owner))
		return 0;
	if (nla_put_u32(skb, ALINK_A_SEGMENT_PID, owner.pid))
		return -EMSGSIZE;
	/* What others may know of a process is for /proc to say. */
	if (!netlink_capable(cb->skb, CAP_NET_ADMIN))
		return 0;
	return nla_put_string(skb, ALINK_A_SEGMENT_COMM, owner.comm);
}

static int alink_nl_fill_segment(struct sk_buff *skb,
				 const struct netlink_callback *cb,
				 struct alink_dev *adev,
				 const struct alink_nl_page *page,
				 const struct alink_tlv *tlv, u32 *id)
{
	const struct alink_xpu_segment_info *seg = alink_tlv_data(tlv);

	if (alink_tlv_len(tlv) < sizeof(*seg))
		return -EPROTO;
	*id = le32_to_cpu(seg->id);
	if (nla_put_u32(skb, ALINK_A_SEGMENT_DEV_INDEX, adev->index) ||
	    nla_put_u32(skb, ALINK_A_SEGMENT_ID, *id) ||
	    nla_put_u32(skb, ALINK_A_SEGMENT_ENDPOINT, adev->fabric_id) ||
	    nla_put_u32(skb, ALINK_A_SEGMENT_RIGHTS,
			le32_to_cpu(seg->rights)) ||
	    nla_put_u64_64bit(skb, ALINK_A_SEGMENT_SIZE, le64_to_cpu(seg->len),
			      ALINK_A_SEGMENT_PAD) ||
	    nla_put_u32(skb, ALINK_A_SEGMENT_EXTENTS,
			le32_to_cpu(seg->num_extents)) ||
	    nla_put_u32(skb, ALINK_A_SEGMENT_PARTITION,
			le32_to_cpu(seg->partition)) ||
	    nla_put_u32(skb, ALINK_A_SEGMENT_BINDINGS,
			le32_to_cpu(seg->num_bindings)) ||
	    alink_nl_put_owner(skb, cb, adev, *id))
		return -EMSGSIZE;
	return 0;
}

static int alink_nl_dump_segments(struct sk_buff *skb,
				  struct netlink_callback *cb,
				  struct alink_dev *adev, unsigned long *next)
{
	return alink_nl_dump_table(skb, cb, adev, next,
				   ALINK_XPU_ADMIN_SEG_GET,
				   ALINK_CMD_SEGMENT_GET,
				   ALINK_TLV_XPU_SEGMENT_INFO,
				   alink_nl_fill_segment);
}

int alink_nl_segment_get_dumpit(struct sk_buff *skb,
				struct netlink_callback *cb)
{
	return alink_nl_dump_devs(skb, cb, ALINK_A_SEGMENT_DEV_INDEX,
				  ALINK_CAP_SEGMENTS, alink_nl_dump_segments);
}
