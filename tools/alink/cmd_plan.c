// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink plan: how large a domain each switch chip makes. A fabric has a single
 * stage: as many xPUs as a chip has ports, and as many planes, of a chip each,
 * as the bandwidth of an xPU takes.
 */
#include <stdio.h>
#include <string.h>

#include <hw/alink/switch_table.h>

#include "cmd.h"

/* What UPN512 gives an xPU */
#define DEFAULT_GBPS	6400
#define MAX_GBPS	1000000

#define NUM_CHIPS	(sizeof(alink_switch_chips) / sizeof(alink_switch_chips[0]))

struct plan {
	uint32_t gbps;		/* each xPU is to have */
	uint32_t xpus;		/* there are to be, or 0 */
};

static uint32_t planes(const struct alink_switch_chip *c, const struct plan *p)
{
	uint32_t port = c->port_mbps / 1000;

	return (p->gbps + port - 1) / port;
}

static bool fits(const struct alink_switch_chip *c, const struct plan *p)
{
	return c->ports >= p->xpus;
}

/* What is to be said of a chip and its planes; NULL: nothing is in the way */
static const char *reason(const struct alink_switch_chip *c, uint32_t n,
			  char *buf, size_t room)
{
	if (n > ALINK_MAX_PLANES)
		snprintf(buf, room, "%u planes: an xPU has %u links at most", n,
			 ALINK_MAX_PLANES);
	else if (!c->id)
		snprintf(buf, room, "no such device: there are %u endpoint ids",
			 ALINK_MAX_ENDPOINTS);
	else
		return NULL;
	return buf;
}

static void print_text(const struct plan *p)
{
	const struct alink_switch_chip *c;
	char ports[32], buf[80];
	const char *why;
	uint32_t n;
	size_t i;

	printf("%-15s %7s %5s  %-12s %5s %7s %10s\n", "chip", "Tb/s", "lanes",
	       "ports", "xPUs", "planes", "Gb/s a xPU");
	for (i = 0; i < NUM_CHIPS; i++) {
		c = &alink_switch_chips[i];
		if (!fits(c, p))
			continue;
		n = planes(c, p);
		why = reason(c, n, buf, sizeof(buf));
		snprintf(ports, sizeof(ports), "%u x %uG", c->ports,
			 c->port_mbps / 1000);
		printf("%-15s %7.1f %4uG  %-12s %5u ", c->name,
		       c->chip_gbps / 1000.0, c->lane_g, ports, c->ports);
		if (n <= ALINK_MAX_PLANES)
			printf("%7u %10u", n, n * (c->port_mbps / 1000));
		else
			printf("%7s %10s", "-", "-");
		if (why)
			printf(" (%s)", why);
		putchar('\n');
	}
}

static struct json_object *plan_json(const struct plan *p)
{
	struct json_object *array = json_object_new_array(), *o;
	const struct alink_switch_chip *c;
	char buf[80];
	uint32_t n;
	size_t i;

	for (i = 0; i < NUM_CHIPS; i++) {
		c = &alink_switch_chips[i];
		if (!fits(c, p))
			continue;
		o = json_object_new_object();
		json_str(o, "chip", c->name);
		json_str(o, "text", c->text);
		json_object_object_add(o, "variant",
				       c->id ? json_u64(c->id) : NULL);
		json_num(o, "chip_gbps", c->chip_gbps);
		json_num(o, "lane_g", c->lane_g);
		json_num(o, "ports", c->ports);
		json_num(o, "port_gbps", c->port_mbps / 1000);
		json_num(o, "port_lanes", c->port_lanes);
		json_num(o, "xpus", c->ports);
		n = planes(c, p);
		if (n <= ALINK_MAX_PLANES) {
			json_num(o, "planes", n);
			json_num(o, "xpu_gbps", n * (c->port_mbps / 1000));
		} else {
			json_object_object_add(o, "planes", NULL);
			json_object_object_add(o, "xpu_gbps", NULL);
		}
		json_str(o, "reason", reason(c, n, buf, sizeof(buf)));
		json_object_array_add(array, o);
	}
	return array;
}

static int take_args(struct alink_cmd_env *env, struct plan *p, int argc,
		     char **argv)
{
	int code = EXIT_OK;

	for (; argc > 0 && code == EXIT_OK; argc -= 2, argv += 2) {
		bool xpus = !strcmp(argv[0], "xpus");

		if (!xpus && strcmp(argv[0], "gbps"))
			return cmd_refuse(env, EXIT_USAGE,
					  "plan: xpus N or gbps N is wanted, not \"%s\"",
					  argv[0]);
		if (argc < 2)
			return cmd_refuse(env, EXIT_USAGE,
					  "plan: %s: how many?", argv[0]);
		code = arg_u32(env, argv[0], argv[1], MAX_GBPS,
			       xpus ? &p->xpus : &p->gbps);
		if (code == EXIT_OK && !(xpus ? p->xpus : p->gbps))
			code = cmd_refuse(env, EXIT_USAGE,
					  "plan: %s: more than 0 is wanted",
					  argv[0]);
	}
	return code;
}

int cmd_plan(struct alink_cmd_env *env, int argc, char **argv)
{
	struct plan p = { .gbps = DEFAULT_GBPS };
	uint32_t largest = 0;
	int code;
	size_t i;

	code = take_args(env, &p, argc, argv);
	if (code)
		return code;
	for (i = 0; i < NUM_CHIPS; i++)
		if (alink_switch_chips[i].ports > largest)
			largest = alink_switch_chips[i].ports;
	if (p.xpus > largest)
		return cmd_refuse(env, EXIT_FAILED,
				  "plan: %u xPUs: no chip has more than %u ports, and a fabric has a single stage",
				  p.xpus, largest);
	if (env->json)
		return cmd_print_json(env, "alink.plan", 1, plan_json(&p));
	print_text(&p);
	return EXIT_OK;
}
