// SPDX-License-Identifier: GPL-2.0-only
/* alink segment. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"

static const struct {
	uint32_t bit;
	const char *name;
} rights[] = {
	{ ALINK_SEG_READ, "read" },
	{ ALINK_SEG_WRITE, "write" },
	{ ALINK_SEG_ATOMIC, "atomic" },
	{ ALINK_SEG_GROUP, "group" },
};

#define NUM_RIGHTS	(sizeof(rights) / sizeof(rights[0]))

static const char *rights_text(uint32_t set, char *buf, size_t room)
{
	size_t i, len = 0;

	buf[0] = 0;
	for (i = 0; i < NUM_RIGHTS; i++)
		if (set & rights[i].bit)
			len += (size_t)snprintf(buf + len, room - len, "%s%s",
						len ? "," : "",
						rights[i].name);
	return buf;
}

static void segment_text(const struct inventory *inv,
			 const struct alink_segment_info *s)
{
	char set[32], partition[12] = "-";

	if (s->partition)
		snprintf(partition, sizeof(partition), "%u", s->partition);
	printf("%-8s %7u %8u %13llu %7u %9s %6u  %-23s ",
	       inv_name(inv, s->dev), s->id, s->endpoint,
	       (unsigned long long)s->size, s->extents, partition, s->bindings,
	       rights_text(s->rights, set, sizeof(set)));
	if (s->pid)
		printf("%s[%u]\n", s->comm, s->pid);
	else
		printf("-\n");
}

static struct json_object *segment_json(const struct inventory *inv,
					const struct alink_segment_info *s)
{
	struct json_object *o = json_object_new_object();
	struct json_object *set = json_object_new_array();
	size_t i;

	json_str(o, "device", inv_name(inv, s->dev));
	json_num(o, "id", s->id);
	json_num(o, "endpoint", s->endpoint);
	json_num(o, "size_bytes", s->size);
	json_num(o, "extents", s->extents);
	json_num(o, "partition", s->partition);
	json_num(o, "bindings", s->bindings);
	for (i = 0; i < NUM_RIGHTS; i++)
		if (s->rights & rights[i].bit)
			json_object_array_add(set, json_object_new_string(
						      rights[i].name));
	json_object_object_add(o, "rights", set);
	json_object_object_add(o, "pid", s->pid ? json_u64(s->pid) : NULL);
	json_str(o, "command", s->comm[0] ? s->comm : NULL);
	return o;
}

int cmd_segment_show(struct alink_cmd_env *env, int argc, char **argv)
{
	struct json_object *array = NULL;
	struct alink_segment_info *list;
	struct inventory inv;
	uint32_t dev;
	size_t i, n;
	int code, err;

	code = inv_filter(env, &inv, argc, argv, &dev);
	if (code)
		return code;
	err = alink_segments(env->ctx, dev, &list, &n);
	if (err) {
		inv_free(&inv);
		return cmd_fail(env, err);
	}
	if (env->json)
		array = json_object_new_array();
	else if (n)
		printf("%-8s %7s %8s %13s %7s %9s %6s  %-23s %s\n", "DEVICE",
		       "SEGMENT", "ENDPOINT", "BYTES", "EXTENTS", "PARTITION",
		       "GROUPS", "RIGHTS", "OWNER");
	for (i = 0; i < n; i++) {
		if (env->json)
			json_object_array_add(array,
					      segment_json(&inv, &list[i]));
		else
			segment_text(&inv, &list[i]);
	}
	free(list);
	inv_free(&inv);
	return env->json ? cmd_print_json(env, "alink.segment", 1, array) :
			   EXIT_OK;
}

int cmd_segment_revoke(struct alink_cmd_env *env, int argc, char **argv)
{
	uint32_t dev, id;
	int code, err;

	if (argc != 2)
		return cmd_refuse(env, EXIT_USAGE,
				  "usage: alink segment revoke DEV ID");
	code = dev_index(env, argv[0], &dev);
	if (!code)
		code = arg_u32(env, "id", argv[1], ALINK_MAX_SEGMENTS - 1,
			       &id);
	if (code)
		return code;
	err = alink_segment_revoke(env->ctx, dev, id);
	return err ? cmd_fail(env, err) : EXIT_OK;
}
