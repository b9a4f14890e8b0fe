// SPDX-License-Identifier: GPL-2.0-only
/* alink route, and alink fabric up, which writes many of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

int cmd_route_show(struct alink_cmd_env *env, int argc, char **argv)
{
	struct json_object *array = NULL, *o;
	struct alink_route_info *list;
	struct inventory inv;
	char ports[64], spares[64];
	uint32_t dev;
	size_t i, n;
	int code, err;

	code = inv_filter(env, &inv, argc, argv, &dev);
	if (code)
		return code;
	err = alink_routes(env->ctx, dev, &list, &n);
	if (err) {
		inv_free(&inv);
		return cmd_fail(env, err);
	}
	if (env->json)
		array = json_object_new_array();
	else if (n)
		printf("%-8s %5s  %4s  %s\n", "DEVICE", "TO", "MIN",
		       "PORTS (SPARES)");
	for (i = 0; i < n; i++) {
		if (!env->json) {
			printf("%-8s %5u  %4u  %s", inv_name(&inv, list[i].dev),
			       list[i].dst, list[i].min_ports,
			       set_text(&list[i].ports, ports, sizeof(ports)));
			if (alink_set_count(&list[i].spares))
				printf(" (%s)", set_text(&list[i].spares, spares,
							 sizeof(spares)));
			putchar('\n');
			continue;
		}
		o = json_object_new_object();
		json_str(o, "device", inv_name(&inv, list[i].dev));
		json_num(o, "dst", list[i].dst);
		json_num(o, "min_ports", list[i].min_ports);
		json_object_object_add(o, "ports", set_json(&list[i].ports));
		json_object_object_add(o, "spares", set_json(&list[i].spares));
		json_object_array_add(array, o);
	}
	free(list);
	inv_free(&inv);
	return env->json ? cmd_print_json(env, "alink.route", 1, array) :
			   EXIT_OK;
}

/* The device that argv[0] names, after a check of the number of arguments */
static int route_dev(struct alink_cmd_env *env, int argc, char **argv, int min,
		     int max, const char *usage, uint32_t *index)
{
	if (argc < min || argc > max)
		return cmd_refuse(env, EXIT_USAGE, "usage: alink route %s",
				  usage);
	return dev_index(env, argv[0], index);
}

int cmd_route_add(struct alink_cmd_env *env, int argc, char **argv)
{
	struct alink_route_info r = { .min_ports = 1 };
	int code, err;

	code = route_dev(env, argc, argv, 3, 6,
			 "add DEV ENDPOINT PORTS [MIN] [spare LINKS]", &r.dev);
	if (!code)
		code = arg_u32(env, "endpoint", argv[1],
			       ALINK_MAX_ENDPOINTS - 1, &r.dst);
	if (!code)
		code = arg_set(env, "ports", argv[2], &r.ports);
	if (!code && argc >= 5 && !strcmp(argv[argc - 2], "spare")) {
		code = arg_set(env, "spare", argv[argc - 1], &r.spares);
		argc -= 2;
	}
	if (!code && argc > 4)
		code = cmd_refuse(env, EXIT_USAGE, "%s: not understood",
				  argv[4]);
	if (!code && argc == 4)
		code = arg_u32(env, "min", argv[3], ALINK_MAX_PORTS,
			       &r.min_ports);
	if (code)
		return code;
	err = alink_route_add(env->ctx, &r);
	return err ? cmd_fail(env, err) : EXIT_OK;
}

int cmd_route_del(struct alink_cmd_env *env, int argc, char **argv)
{
	uint32_t dev = ALINK_ALL, dst;
	int code, err;

	code = route_dev(env, argc, argv, 2, 2, "del DEV ENDPOINT", &dev);
	if (!code)
		code = arg_u32(env, "endpoint", argv[1],
			       ALINK_MAX_ENDPOINTS - 1, &dst);
	if (code)
		return code;
	err = alink_route_del(env->ctx, dev, dst);
	return err ? cmd_fail(env, err) : EXIT_OK;
}

int cmd_fabric_up(struct alink_cmd_env *env, int argc, char **argv)
{
	uint32_t partition = 1;
	int code, err;

	if (argc > 1)
		return cmd_refuse(env, EXIT_USAGE,
				  "usage: alink fabric up [PARTITION]");
	if (argc) {
		code = arg_u32(env, "partition", argv[0],
			       ALINK_MAX_PARTITIONS - 1, &partition);
		if (code)
			return code;
	}
	err = alink_fabric_up(env->ctx, partition);
	return err ? cmd_fail(env, err) : EXIT_OK;
}
