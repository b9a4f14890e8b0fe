// SPDX-License-Identifier: GPL-2.0-only
/* Devices by name, and arguments that several commands take. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

int inv_load(struct alink_cmd_env *env, struct inventory *inv)
{
	int err;

	memset(inv, 0, sizeof(*inv));
	err = alink_devices(env->ctx, &inv->dev, &inv->n);
	return err ? cmd_fail(env, err) : EXIT_OK;
}

void inv_free(struct inventory *inv)
{
	free(inv->dev);
	memset(inv, 0, sizeof(*inv));
}

const struct alink_device_info *inv_index(const struct inventory *inv,
					  uint32_t index)
{
	size_t i;

	for (i = 0; i < inv->n; i++)
		if (inv->dev[i].index == index)
			return &inv->dev[i];
	return NULL;
}

const struct alink_device_info *inv_fabric(const struct inventory *inv,
					   uint32_t type, uint32_t id)
{
	size_t i;

	for (i = 0; i < inv->n; i++)
		if (inv->dev[i].type == type && inv->dev[i].fabric_id == id)
			return &inv->dev[i];
	return NULL;
}

const char *inv_name(const struct inventory *inv, uint32_t index)
{
	const struct alink_device_info *d = inv_index(inv, index);

	return d ? d->name : "?";
}

static int no_device(struct alink_cmd_env *env, const char *name)
{
	return cmd_refuse(env, EXIT_NO_OBJECT,
			  "no such device: %s (alink list shows what there is)",
			  name);
}

int dev_index(struct alink_cmd_env *env, const char *name, uint32_t *index)
{
	int err = alink_device_index(env->ctx, name, index);

	if (err == -ENODEV)
		return no_device(env, name);
	return err ? cmd_fail(env, err) : EXIT_OK;
}

int inv_find(struct alink_cmd_env *env, const struct inventory *inv,
	     const char *name, const struct alink_device_info **dev)
{
	size_t i;

	*dev = NULL;
	for (i = 0; i < inv->n; i++)
		if (!strcmp(inv->dev[i].name, name)) {
			*dev = &inv->dev[i];
			return EXIT_OK;
		}
	return no_device(env, name);
}

int inv_filter(struct alink_cmd_env *env, struct inventory *inv, int argc,
	       char **argv, uint32_t *index)
{
	const struct alink_device_info *dev = NULL;
	int code;

	*index = ALINK_ALL;
	if (argc > 1)
		return cmd_refuse(env, EXIT_USAGE, "too many arguments: %s",
				  argv[1]);
	code = inv_load(env, inv);
	if (code || !argc)
		return code;
	code = inv_find(env, inv, argv[0], &dev);
	if (code)
		inv_free(inv);
	else
		*index = dev->index;
	return code;
}

int arg_u64(struct alink_cmd_env *env, const char *what, const char *text,
	    uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || *value > max)
		return cmd_refuse(env, EXIT_USAGE,
				  "%s: \"%s\": a number from 0 to %llu is wanted",
				  what, text, (unsigned long long)max);
	return EXIT_OK;
}

int arg_u32(struct alink_cmd_env *env, const char *what, const char *text,
	    uint32_t max, uint32_t *value)
{
	uint64_t v;
	int code = arg_u64(env, what, text, max, &v);

	*value = (uint32_t)v;
	return code;
}

int arg_set(struct alink_cmd_env *env, const char *what, const char *text,
	    struct alink_set *set)
{
	const char *at = text;
	unsigned long a, b;
	char *end;

	memset(set, 0, sizeof(*set));
	while (*at >= '0' && *at <= '9') {
		a = strtoul(at, &end, 10);
		b = a;
		if (*end == '-' && end[1] >= '0' && end[1] <= '9')
			b = strtoul(end + 1, &end, 10);
		if (b < a || b >= ALINK_MAX_PORTS)
			break;
		for (; a <= b; a++)
			alink_set_add(set, (uint32_t)a);
		if (!*end)
			return EXIT_OK;
		if (*end != ',')
			break;
		at = end + 1;
	}
	return cmd_refuse(env, EXIT_USAGE,
			  "%s: \"%s\": numbers below %d are wanted, as in 0-3,7",
			  what, text, ALINK_MAX_PORTS);
}

/* At most as long as "0-1,3-4,...": cut with "..." when it does not fit. */
const char *set_text(const struct alink_set *set, char *buf, size_t room)
{
	size_t len = 0;
	uint32_t i, j;
	int n;

	buf[0] = 0;
	for (i = 0; i < ALINK_MAX_PORTS; i = j) {
		for (j = i; alink_set_has(set, j); j++)
			;
		if (j == i) {
			j = i + 1;
			continue;
		}
		if (len + 16 > room) {
			snprintf(buf + len, room - len, ",...");
			break;
		}
		n = j - i == 1 ?
		    snprintf(buf + len, room - len, "%s%u", len ? "," : "", i) :
		    snprintf(buf + len, room - len, "%s%u-%u", len ? "," : "",
			     i, j - 1);
		len += (size_t)n;
	}
	return len ? buf : "-";
}

struct json_object *set_json(const struct alink_set *set)
{
	struct json_object *a = json_object_new_array();
	uint32_t i;

	for (i = 0; i < ALINK_MAX_PORTS; i++)
		if (alink_set_has(set, i))
			json_object_array_add(a, json_object_new_int64(i));
	return a;
}

void json_str(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ?
			       json_object_new_string(value) : NULL);
}

void json_num(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_u64(value));
}

const char *link_reason(const struct alink_link_info *l)
{
	return l->reason == ALINK_DOWN_NONE ? NULL :
					      alink_reason_name(l->reason);
}

void json_link(struct json_object *o, const struct alink_link_info *l)
{
	json_str(o, "state", alink_link_state_name(l->state));
	json_str(o, "reason", link_reason(l));
	json_num(o, "speed_mbps", l->speed);
	json_num(o, "max_speed_mbps", l->max_speed);
	json_num(o, "lanes", l->lanes);
	json_num(o, "max_lanes", l->max_lanes);
	json_str(o, "fec", alink_fec_name(l->fec));
}

const char *amount(uint64_t v, char *buf, size_t room)
{
	static const char unit[] = " KMGTPE";
	double x = (double)v;
	int u = 0;

	for (; x >= 9999.5; x /= 1000)
		u++;
	if (u)
		snprintf(buf, room, "%.0f%c", x, unit[u]);
	else
		snprintf(buf, room, "%llu", (unsigned long long)v);
	return buf;
}
