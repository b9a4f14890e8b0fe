// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family "alink", and that of ethtool for modules, over
 * libmnl: one socket a context, one request at a time. What the kernel refuses comes back in its words, with the
 * name of the attribute at fault.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>

#include <linux/alink.h>

#include "lib_netlink.h"

struct alink_nl {
	struct mnl_socket *sock;
	uint16_t family;
	uint16_t ethtool;		/* 0: not looked for yet */
	uint32_t seq;
};

/* One request and what becomes of it */
struct exchange {
	struct alink_ctx *ctx;
	const struct nl_request *req;
	nl_reply_fn fn;
	void *arg;
	int err;
	bool over;		/* nothing of it is still to come */
};

void alink_nl_close(struct alink_nl *nl)
{
	if (!nl)
		return;
	mnl_socket_close(nl->sock);
	free(nl);
}

/* --- errors --------------------------------------------------------------- */

static const char *attr_name(const struct exchange *x, uint32_t offset)
{
	const struct nlmsghdr *nlh = (const void *)x->req->buf;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		uint16_t type = mnl_attr_get_type(attr);

		if ((uint32_t)((const char *)attr - x->req->buf) == offset)
			return type < x->req->num_names ?
			       x->req->names[type] : NULL;
	}
	return NULL;
}

static int explain(struct exchange *x, int err, const char *text,
		   const char *attr)
{
	const char *what = x->req->what;

	if (err == -EPERM)
		return alink_fail(x->ctx, err,
				  "%s: not permitted: run as root (CAP_NET_ADMIN)",
				  what);
	if (text && attr)
		return alink_fail(x->ctx, err, "%s: %s: %s", what, attr, text);
	if (text)
		return alink_fail(x->ctx, err, "%s: %s", what, text);
	return alink_fail(x->ctx, err, "%s: %s", what, strerror(-err));
}

/* Extended ACK TLVs begin @skip bytes behind the netlink header. */
static int kernel_error(struct exchange *x, const struct nlmsghdr *nlh, int err,
			size_t skip)
{
	const char *text = NULL, *name = NULL;
	const struct nlattr *attr;

	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_for_each(attr, nlh, skip) {
			switch (mnl_attr_get_type(attr)) {
			case NLMSGERR_ATTR_MSG:
				if (!mnl_attr_validate(attr,
						       MNL_TYPE_NUL_STRING))
					text = mnl_attr_get_str(attr);
				break;
			case NLMSGERR_ATTR_OFFS:
				if (!mnl_attr_validate(attr, MNL_TYPE_U32))
					name = attr_name(x,
							 mnl_attr_get_u32(attr));
				break;
			}
		}
	return explain(x, err, text, name);
}

static int on_error(const struct nlmsghdr *nlh, void *data)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	struct exchange *x = data;
	size_t skip = sizeof(*e);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e)) {
		x->err = alink_fail(x->ctx, -EPROTO, "%s: short answer",
				    x->req->what);
		return MNL_CB_STOP;
	}
	x->over = true;
	if (!e->error)
		return MNL_CB_STOP;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		skip += mnl_nlmsg_get_payload_len(&e->msg);
	x->err = kernel_error(x, nlh, e->error, skip);
	return MNL_CB_STOP;
}

/* A dump that failed half way says so here. */
static int on_done(const struct nlmsghdr *nlh, void *data)
{
	struct exchange *x = data;
	int err = 0;

	x->over = true;
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(nlh), sizeof(err));
	if (err < 0)
		x->err = kernel_error(x, nlh, err, sizeof(err));
	return MNL_CB_STOP;
}

static int on_reply(const struct nlmsghdr *nlh, void *data)
{
	const struct nlattr *tb[NL_MAX_ATTR + 1] = {};
	struct exchange *x = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(attr) <= NL_MAX_ATTR)
			tb[mnl_attr_get_type(attr)] = attr;
	x->err = x->fn ? x->fn(tb, x->arg) : 0;
	if (!x->err)
		return MNL_CB_OK;
	if (x->err == -ENOMEM)
		alink_fail(x->ctx, x->err, "out of memory");
	else
		alink_fail(x->ctx, x->err,
			   "%s: answer of the kernel not understood",
			   x->req->what);
	return MNL_CB_STOP;
}

/* --- requests ------------------------------------------------------------- */

static int exchange(struct alink_nl *nl, struct exchange *x)
{
	static mnl_cb_t ctl[] = {
		[NLMSG_ERROR] = on_error,
		[NLMSG_DONE] = on_done,
	};
	struct nlmsghdr *nlh = (void *)x->req->buf;
	char buf[32768];
	ssize_t n;
	int rc;

	nlh->nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
		return explain(x, -errno, NULL, NULL);
	do {
		n = mnl_socket_recvfrom(nl->sock, buf, sizeof(buf));
		if (n < 0)
			return explain(x, -errno, NULL, NULL);
		rc = mnl_cb_run2(buf, (size_t)n, nl->seq,
				 mnl_socket_get_portid(nl->sock), on_reply, x,
				 ctl, sizeof(ctl) / sizeof(ctl[0]));
		if (rc < 0)
			return explain(x, -errno, NULL, NULL);
	} while (rc > MNL_CB_STOP);
	return x->err;
}

static int on_family(const struct nlattr *tb[], void *arg)
{
	const struct nlattr *id = tb[CTRL_ATTR_FAMILY_ID];

	if (!id || mnl_attr_validate(id, MNL_TYPE_U16))
		return -EPROTO;
	*(uint16_t *)arg = mnl_attr_get_u16(id);
	return 0;
}

static void request_header(struct nl_request *req, uint16_t type, uint8_t cmd,
			   uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(req->buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = ALINK_FAMILY_VERSION;
}

/* What is looked for in the answer of the controller */
struct group_search {
	const char *name;
	uint32_t id;
};

static int on_groups(const struct nlattr *tb[], void *arg)
{
	const struct nlattr *entry, *attr, *name, *id;
	struct group_search *s = arg;

	if (!tb[CTRL_ATTR_MCAST_GROUPS])
		return -EPROTO;
	mnl_attr_for_each_nested(entry, tb[CTRL_ATTR_MCAST_GROUPS]) {
		name = id = NULL;
		mnl_attr_for_each_nested(attr, entry) {
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME)
				name = attr;
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID)
				id = attr;
		}
		if (name && !mnl_attr_validate(name, MNL_TYPE_NUL_STRING) &&
		    !strcmp(mnl_attr_get_str(name), s->name))
			return alink_nl_get_u32(id, &s->id);
	}
	return -EPROTO;
}

static int find_family(struct alink_ctx *ctx, struct alink_nl *nl,
		       const char *name, uint16_t *family)
{
	struct nl_request req = { .what = "look for a netlink family" };
	struct exchange x = { .ctx = ctx, .req = &req, .fn = on_family,
			      .arg = family };

	request_header(&req, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz((void *)req.buf, CTRL_ATTR_FAMILY_NAME, name);
	return exchange(nl, &x);
}

static int find_own_family(struct alink_ctx *ctx, struct alink_nl *nl)
{
	int err = find_family(ctx, nl, ALINK_FAMILY_NAME, &nl->family);

	if (err == -ENOENT)
		return alink_fail(ctx, -ENOPROTOOPT,
				  "alink.ko is not loaded, or this is not the initial network namespace: modprobe alink");
	return err;
}

static int nl_open(struct alink_ctx *ctx)
{
	int one = 1, err;
	struct alink_nl *nl;

	if (ctx->nl)
		return 0;
	nl = calloc(1, sizeof(*nl));
	if (!nl)
		return alink_fail(ctx, -ENOMEM, "out of memory");
	nl->sock = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = alink_fail(ctx, -errno, "netlink socket: %s",
				 strerror(errno));
		goto err_free;
	}
	mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &one, sizeof(one));
	err = find_own_family(ctx, nl);
	if (err)
		goto err_free;
	ctx->nl = nl;
	return 0;

err_free:
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl);
	return err;
}

int alink_nl_group(struct alink_ctx *ctx, const char *name, uint32_t *group)
{
	struct nl_request req = { .what = "look for events of alink" };
	struct group_search search = { .name = name };
	int err = nl_open(ctx);

	if (err)
		return err;
	request_header(&req, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	mnl_attr_put_strz((void *)req.buf, CTRL_ATTR_FAMILY_NAME,
			  ALINK_FAMILY_NAME);
	err = alink_nl_run(ctx, &req, on_groups, &search);
	*group = search.id;
	return err;
}

int alink_nl_start(struct alink_ctx *ctx, struct nl_request *req, uint8_t cmd,
		   bool dump)
{
	int err = nl_open(ctx);

	if (err)
		return err;
	request_header(req, ctx->nl->family, cmd,
		       dump ? NLM_F_DUMP : NLM_F_ACK);
	return 0;
}

int alink_nl_start_ethtool(struct alink_ctx *ctx, struct nl_request *req,
			   uint8_t cmd)
{
	int err = nl_open(ctx);

	if (!err && !ctx->nl->ethtool)
		err = find_family(ctx, ctx->nl, ETHTOOL_GENL_NAME,
				  &ctx->nl->ethtool);
	if (err)
		return err;
	request_header(req, ctx->nl->ethtool, cmd, NLM_F_ACK);
	return 0;
}

void alink_nl_u8(struct nl_request *req, uint16_t attr, uint8_t value)
{
	mnl_attr_put_u8((void *)req->buf, attr, value);
}

void alink_nl_nest_u32(struct nl_request *req, uint16_t nest, uint16_t attr,
		       uint32_t value)
{
	struct nlattr *n = mnl_attr_nest_start((void *)req->buf, nest);

	mnl_attr_put_u32((void *)req->buf, attr, value);
	mnl_attr_nest_end((void *)req->buf, n);
}

void alink_nl_u32(struct nl_request *req, uint16_t attr, uint32_t value)
{
	mnl_attr_put_u32((void *)req->buf, attr, value);
}

void alink_nl_u64(struct nl_request *req, uint16_t attr, uint64_t value)
{
	mnl_attr_put_u64((void *)req->buf, attr, value);
}

void alink_nl_set(struct nl_request *req, uint16_t attr,
		  const struct alink_set *set)
{
	uint32_t list[ALINK_MAX_PORTS], i, n = 0;

	for (i = 0; i < ALINK_MAX_PORTS; i++)
		if (alink_set_has(set, i))
			list[n++] = i;
	mnl_attr_put((void *)req->buf, attr, n * sizeof(list[0]), list);
}

int alink_nl_run(struct alink_ctx *ctx, const struct nl_request *req,
		 nl_reply_fn fn, void *arg)
{
	struct exchange x = { .ctx = ctx, .req = req, .fn = fn, .arg = arg };
	int err = exchange(ctx->nl, &x);

	/*
	 * What may still come must not be taken for the next answer. But the
	 * socket of who manages the fabric is what makes him that.
	 */
	if (err && !x.over) {
		alink_nl_close(ctx->nl);
		ctx->nl = NULL;
	}
	return err;
}

/* --- attributes of answers ------------------------------------------------ */

int alink_nl_get_u32(const struct nlattr *attr, uint32_t *value)
{
	if (!attr)
		return 0;
	if (mnl_attr_validate(attr, MNL_TYPE_U32))
		return -EPROTO;
	*value = mnl_attr_get_u32(attr);
	return 0;
}

int alink_nl_get_u64(const struct nlattr *attr, uint64_t *value)
{
	if (!attr)
		return 0;
	if (mnl_attr_validate(attr, MNL_TYPE_U64))
		return -EPROTO;
	*value = mnl_attr_get_u64(attr);
	return 0;
}

int alink_nl_get_bytes(const struct nlattr *attr, void *data, size_t len)
{
	if (!attr || mnl_attr_get_payload_len(attr) != len)
		return -EPROTO;
	memcpy(data, mnl_attr_get_payload(attr), len);
	return 0;
}

int alink_nl_get_set(const struct nlattr *attr, struct alink_set *set)
{
	const char *data;
	uint32_t value;
	size_t i, len;

	memset(set, 0, sizeof(*set));
	if (!attr)
		return 0;
	data = mnl_attr_get_payload(attr);
	len = mnl_attr_get_payload_len(attr);
	if (len % sizeof(value))
		return -EPROTO;
	for (i = 0; i < len; i += sizeof(value)) {
		memcpy(&value, data + i, sizeof(value));
		if (value >= ALINK_MAX_PORTS)
			return -EPROTO;
		alink_set_add(set, value);
	}
	return 0;
}
