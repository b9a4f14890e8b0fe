/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands of alink(8) share. */
#ifndef ALINK_CMD_H
#define ALINK_CMD_H

#include <json-c/json.h>

#include <alink.h>

/* Exit codes; part of the interface, see Documentation/admin-guide/alink.rst */
enum alink_exit {
	EXIT_OK			= 0,
	EXIT_FAILED		= 1,
	EXIT_USAGE		= 2,
	EXIT_UNSUPPORTED	= 3,
	EXIT_PERMISSION		= 4,
	EXIT_NO_OBJECT		= 6,
	EXIT_NO_DRIVER		= 9,
	EXIT_LOST		= 15,
};

struct alink_cmd_env {
	struct alink_ctx *ctx;
	bool json;
	bool pretty;
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

/* The exit code for a negative errno of the library. */
int exit_for(int err);
/* Prints alink_error() as text or JSON and returns the exit code for @err. */
int cmd_fail(struct alink_cmd_env *env, int err);
/* The same for a mistake that the command itself found. */
int cmd_refuse(struct alink_cmd_env *env, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints a document with schema and version around @data, and frees it. */
int cmd_print_json(struct alink_cmd_env *env, const char *schema, int version,
		   struct json_object *data);
/* A 64-bit number: as a number up to 2^53, as a string of digits above. */
struct json_object *json_u64(uint64_t value);

int cmd_list(struct alink_cmd_env *env, int argc, char **argv);

#endif /* ALINK_CMD_H */
