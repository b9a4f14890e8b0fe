// SPDX-License-Identifier: GPL-2.0-only
/* alink link show, alink port show: both ends of links. */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hw/alink/link.h>

#include "cmd.h"

static void peer_text(const struct inventory *inv,
		      const struct alink_link_info *l, char *buf, size_t room)
{
	const struct alink_device_info *d;

	if (!l->peer_type) {
		snprintf(buf, room, "-");
		return;
	}
	d = inv_fabric(inv, l->peer_type, l->peer_id);
	if (d)
		snprintf(buf, room, "%sp%u", d->name, l->peer_link);
	else
		snprintf(buf, room, "%s:%u/%u",
			 alink_devtype_name(l->peer_type), l->peer_id,
			 l->peer_link);
}

static struct json_object *stats_json(const struct alink_link_stats *s)
{
	struct json_object *o = json_object_new_object();

	json_num(o, "link_downs", s->downs);
	json_num(o, "tx_bytes", s->tx_bytes);
	json_num(o, "rx_bytes", s->rx_bytes);
	json_num(o, "tx_packets", s->tx_packets);
	json_num(o, "rx_packets", s->rx_packets);
	json_num(o, "tx_raw_bytes", s->tx_raw);
	json_num(o, "rx_raw_bytes", s->rx_raw);
	json_num(o, "fec_corrected", s->fec_corr);
	json_num(o, "fec_uncorrectable", s->fec_uncorr);
	json_num(o, "crc_errors", s->crc_errors);
	json_num(o, "replays", s->replays);
	json_num(o, "tx_errors", s->tx_errors);
	json_num(o, "rx_errors", s->rx_errors);
	json_num(o, "stall_model_ns", s->stall_ns);
	json_num(o, "busy_model_ns", s->busy_ns);
	return o;
}

/* With the digits that count, for a ratio of whole 10^-15 */
static struct json_object *ber_json(const struct alink_link_info *l)
{
	double ber = (double)l->ber / ALINK_BER_UNIT;
	char text[32];

	snprintf(text, sizeof(text), "%.15g", ber);
	return json_object_new_double_s(ber, text);
}

static struct json_object *link_json(const struct inventory *inv,
				     const struct alink_link_info *l)
{
	struct json_object *o = json_object_new_object();
	struct json_object *peer = NULL;
	const struct alink_device_info *d;
	char name[IF_NAMESIZE];

	json_str(o, "device", inv_name(inv, l->dev));
	json_num(o, "link", l->link);
	json_str(o, "netdev", l->ifindex && if_indextoname(l->ifindex, name) ?
		 name : NULL);
	json_link(o, l);
	json_object_object_add(o, "optical", json_object_new_boolean(
				       l->module != ALINK_ID_NONE));
	if (l->peer_type) {
		peer = json_object_new_object();
		d = inv_fabric(inv, l->peer_type, l->peer_id);
		json_str(peer, "type", alink_devtype_name(l->peer_type));
		json_num(peer, "id", l->peer_id);
		json_num(peer, "link", l->peer_link);
		json_str(peer, "device", d ? d->name : NULL);
	}
	json_object_object_add(o, "peer", peer);
	json_object_object_add(o, "ber", ber_json(l));
	json_object_object_add(o, "stats", stats_json(&l->stats));
	return o;
}

static void link_text(const struct inventory *inv,
		      const struct alink_link_info *l)
{
	char name[48], peer[48], tx[24], rx[24], ber[16];
	const char *reason = link_reason(l);

	snprintf(name, sizeof(name), "%sp%u", inv_name(inv, l->dev), l->link);
	peer_text(inv, l, peer, sizeof(peer));
	snprintf(ber, sizeof(ber), "%.1e", (double)l->ber / ALINK_BER_UNIT);
	printf("%-10s %-8s %6u %2u/%-2u  %-8s %-7s %-10s %9s %9s %8llu  %s%s%s\n",
	       name, alink_link_state_name(l->state), l->speed / 1000,
	       l->lanes, l->max_lanes, alink_fec_name(l->fec),
	       l->module == ALINK_ID_NONE ? "copper" : "optical", peer,
	       amount(l->stats.tx_bytes, tx, sizeof(tx)),
	       amount(l->stats.rx_bytes, rx, sizeof(rx)),
	       (unsigned long long)(l->stats.tx_errors + l->stats.rx_errors +
				    l->stats.fec_uncorr + l->stats.crc_errors),
	       reason ? reason : "", l->ber && reason ? ", BER " :
	       l->ber ? "BER " : "", l->ber ? ber : "");
}

static int show(struct alink_cmd_env *env, int argc, char **argv,
		uint32_t type, const char *schema)
{
	struct json_object *array = NULL;
	const struct alink_device_info *d;
	struct alink_link_info *list;
	struct inventory inv;
	size_t i, n, shown = 0;
	uint32_t dev;
	int code, err;

	code = inv_filter(env, &inv, argc, argv, &dev);
	if (code)
		return code;
	if (dev != ALINK_ALL && inv_index(&inv, dev)->type != type) {
		code = cmd_refuse(env, EXIT_USAGE,
				  "%s is no %s: try alink %s show %s", argv[0],
				  alink_devtype_name(type),
				  type == ALINK_DEVTYPE_XPU ? "port" : "link",
				  argv[0]);
		inv_free(&inv);
		return code;
	}
	err = alink_links(env->ctx, dev, &list, &n);
	if (err) {
		inv_free(&inv);
		return cmd_fail(env, err);
	}
	if (env->json)
		array = json_object_new_array();
	for (i = 0; i < n; i++) {
		d = inv_index(&inv, list[i].dev);
		if (!d || d->type != type)
			continue;
		if (!env->json && !shown++)
			printf("%-10s %-8s %6s %-5s  %-8s %-7s %-10s %9s %9s %8s  %s\n",
			       "NAME", "STATE", "GBIT/S", "LANES", "FEC", "MEDIA",
			       "PEER", "TX BYTES", "RX BYTES", "ERRORS",
			       "WHY");
		if (env->json)
			json_object_array_add(array, link_json(&inv, &list[i]));
		else
			link_text(&inv, &list[i]);
	}
	free(list);
	inv_free(&inv);
	return env->json ? cmd_print_json(env, schema, 1, array) : EXIT_OK;
}

int cmd_link_show(struct alink_cmd_env *env, int argc, char **argv)
{
	return show(env, argc, argv, ALINK_DEVTYPE_XPU, "alink.link");
}

int cmd_port_show(struct alink_cmd_env *env, int argc, char **argv)
{
	return show(env, argc, argv, ALINK_DEVTYPE_SWITCH, "alink.port");
}
