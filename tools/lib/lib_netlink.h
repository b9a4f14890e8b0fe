/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to the generic netlink families "alink" and "ethtool", for files of
 * libalink.
 */
#ifndef ALINK_LIB_NETLINK_H
#define ALINK_LIB_NETLINK_H

#include <stdint.h>

#include "alink_priv.h"

struct nlattr;

#define NL_MAX_ATTR	31

/**
 * struct nl_request - a message under construction
 * @what:	what it does, begins every error text
 * @names:	names of attributes by type, for error texts; NULL entries allowed
 * @num_names:	their number
 * @buf:	the message; fits the two longest lists there can be
 */
struct nl_request {
	const char *what;
	const char *const *names;
	uint16_t num_names;
	char buf[12288] __attribute__((aligned(8)));
};

/* Takes one answer: attributes by type. Returns 0, -ENOMEM or -EPROTO. */
typedef int (*nl_reply_fn)(const struct nlattr *tb[], void *arg);

int alink_nl_start(struct alink_ctx *ctx, struct nl_request *req, uint8_t cmd,
		   bool dump);
/* The same in the family of ethtool */
int alink_nl_start_ethtool(struct alink_ctx *ctx, struct nl_request *req,
			   uint8_t cmd);
void alink_nl_u8(struct nl_request *req, uint16_t attr, uint8_t value);
void alink_nl_u32(struct nl_request *req, uint16_t attr, uint32_t value);
void alink_nl_u64(struct nl_request *req, uint16_t attr, uint64_t value);
void alink_nl_set(struct nl_request *req, uint16_t attr,
		  const struct alink_set *set);
/* The number of a multicast group of the family */
int alink_nl_group(struct alink_ctx *ctx, const char *name, uint32_t *group);
/* One number in a nest */
void alink_nl_nest_u32(struct nl_request *req, uint16_t nest, uint16_t attr,
		       uint32_t value);
int alink_nl_run(struct alink_ctx *ctx, const struct nl_request *req,
		 nl_reply_fn fn, void *arg);

/* Leave *value alone when the attribute is absent. Return 0 or -EPROTO. */
int alink_nl_get_u32(const struct nlattr *attr, uint32_t *value);
int alink_nl_get_u64(const struct nlattr *attr, uint64_t *value);
int alink_nl_get_set(const struct nlattr *attr, struct alink_set *set);
/* The attribute must be there, and of this length. */
int alink_nl_get_bytes(const struct nlattr *attr, void *data, size_t len);

#endif /* ALINK_LIB_NETLINK_H */
