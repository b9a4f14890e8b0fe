// SPDX-License-Identifier: GPL-2.0-only
/* Managing the fabric, and waiting for what happens in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include <linux/alink.h>

#include "lib_netlink.h"

static const char *const manager_names[] = {
	[ALINK_A_MANAGER_NAME] = "name",
	[ALINK_A_MANAGER_BEAT_MS] = "heartbeat",
};

#define REQUEST(text) { \
	.what = (text), .names = manager_names, \
	.num_names = sizeof(manager_names) / sizeof(manager_names[0]), \
}

static int take_manager(const struct nlattr *tb[], void *arg)
{
	struct alink_manager_info *m = arg;
	const struct nlattr *name = tb[ALINK_A_MANAGER_NAME];
	uint32_t state = ALINK_MANAGER_NONE;

	if (alink_nl_get_u32(tb[ALINK_A_MANAGER_STATE], &state) ||
	    alink_nl_get_u32(tb[ALINK_A_MANAGER_EPOCH], &m->epoch) ||
	    alink_nl_get_u32(tb[ALINK_A_MANAGER_PID], &m->pid) ||
	    alink_nl_get_u32(tb[ALINK_A_MANAGER_BEAT_MS], &m->beat_ms) ||
	    alink_nl_get_u32(tb[ALINK_A_MANAGER_AGE_MS], &m->age_ms))
		return -EPROTO;
	if (name) {
		if (mnl_attr_validate(name, MNL_TYPE_NUL_STRING))
			return -EPROTO;
		strncpy(m->name, mnl_attr_get_str(name), sizeof(m->name) - 1);
	}
	m->managed = state != ALINK_MANAGER_NONE;
	m->silent = state == ALINK_MANAGER_SILENT;
	return 0;
}

int alink_manager(struct alink_ctx *ctx, struct alink_manager_info *m)
{
	struct nl_request req = REQUEST("ask who manages the fabric");
	int err = alink_nl_start(ctx, &req, ALINK_CMD_MANAGER_GET, false);

	memset(m, 0, sizeof(*m));
	return err ? err : alink_nl_run(ctx, &req, take_manager, m);
}

int alink_manager_claim(struct alink_ctx *ctx, const char *name,
			uint32_t beat_ms)
{
	struct nl_request req = REQUEST("claim the fabric");
	int err = alink_nl_start(ctx, &req, ALINK_CMD_MANAGER_CLAIM, false);

	if (err)
		return err;
	mnl_attr_put_strz((void *)req.buf, ALINK_A_MANAGER_NAME, name);
	alink_nl_u32(&req, ALINK_A_MANAGER_BEAT_MS, beat_ms);
	return alink_nl_run(ctx, &req, NULL, NULL);
}

int alink_manager_beat(struct alink_ctx *ctx)
{
	struct nl_request req = REQUEST("beat");
	int err = alink_nl_start(ctx, &req, ALINK_CMD_MANAGER_BEAT, false);

	return err ? err : alink_nl_run(ctx, &req, NULL, NULL);
}

int alink_manager_release(struct alink_ctx *ctx)
{
	struct nl_request req = REQUEST("release the fabric");
	int err = alink_nl_start(ctx, &req, ALINK_CMD_MANAGER_RELEASE, false);

	return err ? err : alink_nl_run(ctx, &req, NULL, NULL);
}

/* --- events ---------------------------------------------------------------- */

struct alink_watch {
	struct alink_ctx *ctx;
	struct mnl_socket *sock;
};

int alink_watch_open(struct alink_ctx *ctx, struct alink_watch **watch)
{
	struct alink_watch *w;
	uint32_t group;
	int err;

	err = alink_nl_group(ctx, ALINK_MCGRP_EVENTS, &group);
	if (err)
		return err;
	w = calloc(1, sizeof(*w));
	if (!w)
		return alink_fail(ctx, -ENOMEM, "out of memory");
	w->ctx = ctx;
	w->sock = mnl_socket_open2(NETLINK_GENERIC,
				   SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->sock || mnl_socket_bind(w->sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(w->sock, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0) {
		err = alink_fail(ctx, -errno, "netlink socket for events: %s",
				 strerror(errno));
		alink_watch_close(w);
		return err;
	}
	*watch = w;
	return 0;
}

void alink_watch_close(struct alink_watch *w)
{
	if (!w)
		return;
	if (w->sock)
		mnl_socket_close(w->sock);
	free(w);
}

int alink_watch_fd(const struct alink_watch *w)
{
	return mnl_socket_get_fd(w->sock);
}

int alink_watch_drain(struct alink_watch *w, unsigned int *events)
{
	char buf[32768];
	ssize_t n;

	*events = 0;
	for (;;) {
		n = mnl_socket_recvfrom(w->sock, buf, sizeof(buf));
		if (n > 0 || (n < 0 && errno == ENOBUFS)) {
			(*events)++;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		return alink_fail(w->ctx, n ? -errno : -EIO, "events: %s",
				  n ? strerror(errno) : "end of file");
	}
}
