/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands of alink(8) share. */
#ifndef ALINK_CMD_H
#define ALINK_CMD_H

#include <json-c/json.h>

#include <alink.h>

#include "exit.h"
#include "json.h"

struct alink_cmd_env {
	struct alink_ctx *ctx;
	/* Goes before messages: "FILE:LINE: " of a batch, or NULL */
	const char *where;
	bool json;
	bool pretty;
	bool quiet;	/* errors are returned, and not printed */
};

/**
 * struct alink_command - one "OBJECT VERB" of the command line
 * @object:	first word
 * @verb:	second word, or NULL if the object stands alone
 * @args:	what may follow, for the usage text
 * @help:	one line
 * @schema:	name of the JSON document that it prints
 * @version:	its version: grows when a key changes its meaning or goes away
 * @run:	returns an enum alink_exit; argv[0] is the first argument
 */
struct alink_command {
	const char *object;
	const char *verb;
	const char *args;
	const char *help;
	const char *schema;
	int version;
	int (*run)(struct alink_cmd_env *env, int argc, char **argv);
};

extern const struct alink_command alink_commands[];

/* Prints alink_error() as text or JSON and returns the exit code for @err. */
int cmd_fail(struct alink_cmd_env *env, int err);
/* The same for a mistake that the command itself found. */
int cmd_refuse(struct alink_cmd_env *env, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints a document with schema and version around @data, and frees it. */
int cmd_print_json(struct alink_cmd_env *env, const char *schema, int version,
		   struct json_object *data);
/* Runs "OBJECT [VERB] [ARGS]"; returns an enum alink_exit. */
int cmd_run(struct alink_cmd_env *env, int argc, char **argv);
/* Runs the lines of a file, or of standard input for "-", up to the first that
 * fails, whose exit code it returns.
 */
int cmd_batch(struct alink_cmd_env *env, const char *path);

/* --- devices by name, arguments: cmd_util.c ------------------------------- */

struct inventory {
	struct alink_device_info *dev;
	size_t n;
};

/* What follows prints what is wrong, and returns an enum alink_exit. */
int dev_index(struct alink_cmd_env *env, const char *name, uint32_t *index);
int inv_load(struct alink_cmd_env *env, struct inventory *inv);
int inv_find(struct alink_cmd_env *env, const struct inventory *inv,
	     const char *name, const struct alink_device_info **dev);
/* For "show [DEV]": loads, and sets *index to ALINK_ALL without DEV. */
int inv_filter(struct alink_cmd_env *env, struct inventory *inv, int argc,
	       char **argv, uint32_t *index);
int arg_u64(struct alink_cmd_env *env, const char *what, const char *text,
	    uint64_t max, uint64_t *value);
int arg_u32(struct alink_cmd_env *env, const char *what, const char *text,
	    uint32_t max, uint32_t *value);
/* A list as in 0-3,7 */
int arg_set(struct alink_cmd_env *env, const char *what, const char *text,
	    struct alink_set *set);

void inv_free(struct inventory *inv);
const struct alink_device_info *inv_index(const struct inventory *inv,
					  uint32_t index);
/* By endpoint id or plane */
const struct alink_device_info *inv_fabric(const struct inventory *inv,
					   uint32_t type, uint32_t id);
const char *inv_name(const struct inventory *inv, uint32_t index);

const char *set_text(const struct alink_set *set, char *buf, size_t room);
struct json_object *set_json(const struct alink_set *set);
void json_str(struct json_object *o, const char *key, const char *value);
void json_num(struct json_object *o, const char *key, uint64_t value);
/* Why a link is down, or runs with less; NULL: it is up with all, or trains */
const char *link_reason(const struct alink_link_info *l);
/* How one end of a link is: state, reason, rates, lanes, FEC */
void json_link(struct json_object *o, const struct alink_link_info *l);
/* Four digits and a decimal unit */
const char *amount(uint64_t v, char *buf, size_t room);

/* --- commands ------------------------------------------------------------- */

int cmd_fabric_up(struct alink_cmd_env *env, int argc, char **argv);
int cmd_fm_disable(struct alink_cmd_env *env, int argc, char **argv);
int cmd_fm_enable(struct alink_cmd_env *env, int argc, char **argv);
int cmd_fm_reload(struct alink_cmd_env *env, int argc, char **argv);
int cmd_fm_show(struct alink_cmd_env *env, int argc, char **argv);
int cmd_fm_wait(struct alink_cmd_env *env, int argc, char **argv);
int cmd_fw_pack(struct alink_cmd_env *env, int argc, char **argv);
int cmd_fw_show(struct alink_cmd_env *env, int argc, char **argv);
int cmd_group_add(struct alink_cmd_env *env, int argc, char **argv);
int cmd_group_del(struct alink_cmd_env *env, int argc, char **argv);
int cmd_group_show(struct alink_cmd_env *env, int argc, char **argv);
int cmd_link_show(struct alink_cmd_env *env, int argc, char **argv);
int cmd_list(struct alink_cmd_env *env, int argc, char **argv);
int cmd_partition_set(struct alink_cmd_env *env, int argc, char **argv);
int cmd_partition_show(struct alink_cmd_env *env, int argc, char **argv);
int cmd_path(struct alink_cmd_env *env, int argc, char **argv);
int cmd_plan(struct alink_cmd_env *env, int argc, char **argv);
int cmd_port_show(struct alink_cmd_env *env, int argc, char **argv);
int cmd_route_add(struct alink_cmd_env *env, int argc, char **argv);
int cmd_route_del(struct alink_cmd_env *env, int argc, char **argv);
int cmd_route_show(struct alink_cmd_env *env, int argc, char **argv);
int cmd_segment_revoke(struct alink_cmd_env *env, int argc, char **argv);
int cmd_segment_show(struct alink_cmd_env *env, int argc, char **argv);
int cmd_topo(struct alink_cmd_env *env, int argc, char **argv);

#endif /* ALINK_CMD_H */
