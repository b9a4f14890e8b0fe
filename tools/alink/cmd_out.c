// SPDX-License-Identifier: GPL-2.0-only
/* JSON documents and errors, of all commands. */
#include <stdarg.h>
#include <stdio.h>

#include "cmd.h"

static int print_document(struct alink_cmd_env *env, struct json_object *doc)
{
	int flags = env->pretty ? JSON_C_TO_STRING_PRETTY |
				  JSON_C_TO_STRING_SPACED :
				  JSON_C_TO_STRING_PLAIN;
	int bad;

	bad = puts(json_object_to_json_string_ext(doc, flags |
				JSON_C_TO_STRING_NOSLASHESCAPE)) < 0;
	json_object_put(doc);
	return bad ? EXIT_FAILED : EXIT_OK;
}

int cmd_print_json(struct alink_cmd_env *env, const char *schema, int version,
		   struct json_object *data)
{
	struct json_object *doc = json_object_new_object();

	json_object_object_add(doc, "schema", json_object_new_string(schema));
	json_object_object_add(doc, "version", json_object_new_int(version));
	json_object_object_add(doc, "data", data);
	return print_document(env, doc);
}

static int fail_text(struct alink_cmd_env *env, int code, const char *text)
{
	struct json_object *doc, *e;
	char full[512];

	if (env->quiet)
		return code;
	if (env->where) {
		snprintf(full, sizeof(full), "%s%s", env->where, text);
		text = full;
	}
	if (!env->json) {
		fprintf(stderr, "alink: %s\n", text);
		return code;
	}
	doc = json_object_new_object();
	e = json_object_new_object();
	json_object_object_add(doc, "schema",
			       json_object_new_string("alink.error"));
	json_object_object_add(doc, "version", json_object_new_int(1));
	json_object_object_add(e, "message", json_object_new_string(text));
	json_object_object_add(e, "exit_code", json_object_new_int(code));
	json_object_object_add(doc, "error", e);
	print_document(env, doc);
	return code;
}

int cmd_fail(struct alink_cmd_env *env, int err)
{
	return fail_text(env, exit_for(err), alink_error(env->ctx));
}

int cmd_refuse(struct alink_cmd_env *env, int code, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return fail_text(env, code, text);
}
