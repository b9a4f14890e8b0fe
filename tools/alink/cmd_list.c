// SPDX-License-Identifier: GPL-2.0-only
/* alink list: the devices of this host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static struct json_object *device_json(const struct alink_device_info *d)
{
	struct json_object *o = json_object_new_object();
	char serial[24];

	json_object_object_add(o, "name", json_object_new_string(d->name));
	json_object_object_add(o, "type", json_object_new_string(
				       alink_devtype_name(d->type)));
	json_object_object_add(o, "index", json_object_new_int64(d->index));
	json_object_object_add(o, "pci", d->pci[0] ?
			       json_object_new_string(d->pci) : NULL);
	json_object_object_add(o, "variant",
			       json_object_new_int64(d->variant));
	/* Planes are not endpoints, so they have a key of their own. */
	json_object_object_add(o, "fabric_id",
			       d->type == ALINK_DEVTYPE_XPU &&
			       d->fabric_id != ALINK_ID_NONE ?
			       json_object_new_int64(d->fabric_id) : NULL);
	json_object_object_add(o, "plane",
			       d->type == ALINK_DEVTYPE_SWITCH &&
			       d->fabric_id != ALINK_ID_NONE ?
			       json_object_new_int64(d->fabric_id) : NULL);
	snprintf(serial, sizeof(serial), "%016llx",
		 (unsigned long long)d->serial);
	json_object_object_add(o, "serial", json_object_new_string(serial));
	json_object_object_add(o, "firmware", json_object_new_string(d->fw));
	json_object_object_add(o, "state", json_object_new_string(d->state));
	json_object_object_add(o, "links", json_object_new_int64(d->num_links));
	json_object_object_add(o, "resets",
			       json_object_new_int64(d->generation));
	json_object_object_add(o, "guest_errors",
			       json_object_new_int64(d->guest_errors));
	return o;
}

static void device_text(const struct alink_device_info *d)
{
	char id[16] = "-";

	if (d->fabric_id != ALINK_ID_NONE)
		snprintf(id, sizeof(id), "%u", d->fabric_id);
	printf("%-10s %-8s %-14s 0x%04x  %-9s %-6s %6u  %016llx  %s\n", d->name,
	       alink_devtype_name(d->type), d->pci[0] ? d->pci : "-",
	       d->variant, d->state, id, d->num_links,
	       (unsigned long long)d->serial, d->fw);
}

int cmd_list(struct alink_cmd_env *env, int argc, char **argv)
{
	struct json_object *array = NULL;
	struct alink_device_info *list;
	uint32_t t, type = 0;
	size_t i, n, shown = 0;
	int err;

	if (argc > 1)
		return cmd_refuse(env, EXIT_USAGE, "list: too many arguments: %s",
				  argv[1]);
	if (argc == 1) {
		for (t = ALINK_DEVTYPE_XPU; t <= ALINK_DEVTYPE_RACK; t++)
			if (!strcmp(argv[0], alink_devtype_name(t)))
				type = t;
		if (!type)
			return cmd_refuse(env, EXIT_USAGE,
					  "list: no such type: %s (xpu, switch, optics, nic, rack)",
					  argv[0]);
	}
	err = alink_devices(env->ctx, &list, &n);
	if (err)
		return cmd_fail(env, err);
	if (env->json)
		array = json_object_new_array();
	else if (n)
		printf("%-10s %-8s %-14s %-7s %-9s %-6s %6s  %-16s  %s\n",
		       "NAME", "TYPE", "PCI", "VARIANT", "STATE", "FABRIC",
		       "LINKS", "SERIAL", "FIRMWARE");
	for (i = 0; i < n; i++) {
		if (type && list[i].type != type)
			continue;
		shown++;
		if (env->json)
			json_object_array_add(array, device_json(&list[i]));
		else
			device_text(&list[i]);
	}
	free(list);
	if (env->json)
		return cmd_print_json(env, "alink.list", 1, array);
	if (!shown)
		return cmd_refuse(env, EXIT_NO_OBJECT,
				  "no such device: is the driver bound? (lspci -k -d 1af4:)");
	return EXIT_OK;
}
