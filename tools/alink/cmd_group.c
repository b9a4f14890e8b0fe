// SPDX-License-Identifier: GPL-2.0-only
/* alink group, alink partition. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cmd.h"

static void group_text(const struct inventory *inv,
		       const struct alink_group_info *g)
{
	char members[48], key[24] = "-";

	if (g->key)
		snprintf(key, sizeof(key), "%016llx",
			 (unsigned long long)g->key);
	printf("%-8s %5u  %-16s %7llu %12llu %14llu  %s\n",
	       inv_name(inv, g->dev), g->id, key,
	       (unsigned long long)g->epoch,
	       (unsigned long long)g->reductions, (unsigned long long)g->bytes,
	       set_text(&g->members, members, sizeof(members)));
}

static struct json_object *group_json(const struct inventory *inv,
				      const struct alink_group_info *g)
{
	struct json_object *o = json_object_new_object();
	char key[24];

	snprintf(key, sizeof(key), "%016llx", (unsigned long long)g->key);
	json_str(o, "device", inv_name(inv, g->dev));
	json_num(o, "id", g->id);
	json_str(o, "key", g->key ? key : NULL);
	json_num(o, "epoch", g->epoch);
	json_num(o, "reductions", g->reductions);
	json_num(o, "result_bytes", g->bytes);
	json_object_object_add(o, "members", set_json(&g->members));
	return o;
}

int cmd_group_show(struct alink_cmd_env *env, int argc, char **argv)
{
	struct json_object *array = NULL;
	struct alink_group_info *list;
	struct inventory inv;
	uint32_t dev;
	size_t i, n;
	int code, err;

	code = inv_filter(env, &inv, argc, argv, &dev);
	if (code)
		return code;
	err = alink_groups(env->ctx, dev, &list, &n);
	if (err) {
		inv_free(&inv);
		return cmd_fail(env, err);
	}
	if (env->json)
		array = json_object_new_array();
	else if (n)
		printf("%-8s %5s  %-16s %7s %12s %14s  %s\n", "DEVICE", "GROUP",
		       "KEY", "EPOCH", "REDUCTIONS", "RESULT BYTES",
		       "MEMBERS");
	for (i = 0; i < n; i++) {
		if (env->json)
			json_object_array_add(array,
					      group_json(&inv, &list[i]));
		else
			group_text(&inv, &list[i]);
	}
	free(list);
	inv_free(&inv);
	return env->json ? cmd_print_json(env, "alink.group", 1, array) :
			   EXIT_OK;
}

/* Pairs "dev NAME" and, with @key, "key NUMBER" */
static int options(struct alink_cmd_env *env, int argc, char **argv,
		   uint32_t *dev, uint64_t *key)
{
	int code = EXIT_OK;

	for (; argc && !code; argc -= 2, argv += 2) {
		if (argc == 1)
			return cmd_refuse(env, EXIT_USAGE,
					  "%s: its value is missing", argv[0]);
		if (!strcmp(argv[0], "dev")) {
			code = dev_index(env, argv[1], dev);
		} else if (key && !strcmp(argv[0], "key")) {
			code = arg_u64(env, "key", argv[1], UINT64_MAX, key);
		} else {
			code = cmd_refuse(env, EXIT_USAGE,
					  "not known here: %s", argv[0]);
		}
	}
	return code;
}

int cmd_group_add(struct alink_cmd_env *env, int argc, char **argv)
{
	struct alink_group_info g = { .dev = ALINK_ALL };
	int code, err;

	if (argc < 2)
		return cmd_refuse(env, EXIT_USAGE,
				  "usage: alink group add ID MEMBERS [key KEY] [dev DEV]");
	code = arg_u32(env, "id", argv[0], ALINK_MAX_GROUPS - 1, &g.id);
	if (!code)
		code = arg_set(env, "members", argv[1], &g.members);
	if (!code && getrandom(&g.key, sizeof(g.key), 0) != sizeof(g.key))
		code = cmd_refuse(env, EXIT_FAILED, "no random key");
	g.key |= 1;
	if (!code)
		code = options(env, argc - 2, argv + 2, &g.dev, &g.key);
	if (code)
		return code;
	err = alink_group_add(env->ctx, &g);
	return err ? cmd_fail(env, err) : EXIT_OK;
}

int cmd_group_del(struct alink_cmd_env *env, int argc, char **argv)
{
	uint32_t dev = ALINK_ALL, id;
	int code, err;

	if (argc < 1)
		return cmd_refuse(env, EXIT_USAGE,
				  "usage: alink group del ID [dev DEV]");
	code = arg_u32(env, "id", argv[0], ALINK_MAX_GROUPS - 1, &id);
	if (!code)
		code = options(env, argc - 1, argv + 1, &dev, NULL);
	if (code)
		return code;
	err = alink_group_del(env->ctx, dev, id);
	return err ? cmd_fail(env, err) : EXIT_OK;
}

int cmd_partition_show(struct alink_cmd_env *env, int argc, char **argv)
{
	struct json_object *array = NULL, *o;
	struct alink_partition_info *list;
	struct inventory inv;
	uint32_t dev;
	size_t i, n;
	int code, err;

	code = inv_filter(env, &inv, argc, argv, &dev);
	if (code)
		return code;
	err = alink_partitions(env->ctx, dev, &list, &n);
	if (err) {
		inv_free(&inv);
		return cmd_fail(env, err);
	}
	if (env->json)
		array = json_object_new_array();
	else if (n)
		printf("%-8s %8s  %9s\n", "DEVICE", "ENDPOINT", "PARTITION");
	for (i = 0; i < n; i++) {
		if (!env->json) {
			printf("%-8s %8u  %9u\n", inv_name(&inv, list[i].dev),
			       list[i].endpoint, list[i].partition);
			continue;
		}
		o = json_object_new_object();
		json_str(o, "device", inv_name(&inv, list[i].dev));
		json_num(o, "endpoint", list[i].endpoint);
		json_num(o, "partition", list[i].partition);
		json_object_array_add(array, o);
	}
	free(list);
	inv_free(&inv);
	return env->json ? cmd_print_json(env, "alink.partition", 1, array) :
			   EXIT_OK;
}

int cmd_partition_set(struct alink_cmd_env *env, int argc, char **argv)
{
	uint32_t dev = ALINK_ALL, endpoint, partition;
	int code, err;

	if (argc < 2)
		return cmd_refuse(env, EXIT_USAGE,
				  "usage: alink partition set ENDPOINT PARTITION [dev DEV]");
	code = arg_u32(env, "endpoint", argv[0], ALINK_MAX_ENDPOINTS - 1,
		       &endpoint);
	if (!code)
		code = arg_u32(env, "partition", argv[1],
			       ALINK_MAX_PARTITIONS - 1, &partition);
	if (!code)
		code = options(env, argc - 2, argv + 2, &dev, NULL);
	if (code)
		return code;
	err = alink_partition_set(env->ctx, dev, endpoint, partition);
	return err ? cmd_fail(env, err) : EXIT_OK;
}
