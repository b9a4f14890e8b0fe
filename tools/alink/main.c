// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink - look at an ALink supernode.
 *
 * alink [OPTIONS] OBJECT [VERB] [ARGS]; the table below is the one place where
 * commands are named, help and completion come from it.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

const struct alink_command alink_commands[] = {
	{
		.object = "list",
		.args = "[xpu|switch|optics|nic|rack]",
		.help = "devices that have their driver bound",
		.schema = "alink.list",
		.version = 1,
		.run = cmd_list,
	},
	{
		.object = "topo",
		.args = "[--dot|--svg]",
		.help = "who is how far from whom: a matrix, or drawn",
		.schema = "alink.topo",
		.version = 1,
		.run = cmd_topo,
	},
	{
		.object = "plan",
		.args = "[xpus N] [gbps N]",
		.help = "how large a domain each switch chip makes",
		.schema = "alink.plan",
		.version = 1,
		.run = cmd_plan,
	},
	{
		.object = "link",
		.verb = "show",
		.args = "[DEV]",
		.help = "links of xPUs, with peer and traffic",
		.schema = "alink.link",
		.version = 1,
		.run = cmd_link_show,
	},
	{
		.object = "port",
		.verb = "show",
		.args = "[DEV]",
		.help = "ports of switches, with peer and traffic",
		.schema = "alink.port",
		.version = 1,
		.run = cmd_port_show,
	},
	{
		.object = "path",
		.args = "A B",
		.help = "the way from xPU A to xPU B, and what limits it",
		.schema = "alink.path",
		.version = 1,
		.run = cmd_path,
	},
	{
		.object = "fabric",
		.verb = "up",
		.args = "[PARTITION]",
		.help = "write the routes that the cabling allows",
		.run = cmd_fabric_up,
	},
	{
		.object = "route",
		.verb = "show",
		.args = "[DEV]",
		.help = "routes of xPUs and switches",
		.schema = "alink.route",
		.version = 1,
		.run = cmd_route_show,
	},
	{
		.object = "route",
		.verb = "add",
		.args = "DEV ENDPOINT PORTS [MIN] [spare LINKS]",
		.help = "add or replace a route",
		.run = cmd_route_add,
	},
	{
		.object = "route",
		.verb = "del",
		.args = "DEV ENDPOINT",
		.help = "delete a route",
		.run = cmd_route_del,
	},
	{
		.object = "group",
		.verb = "show",
		.args = "[DEV]",
		.help = "multicast and reduction groups",
		.schema = "alink.group",
		.version = 1,
		.run = cmd_group_show,
	},
	{
		.object = "group",
		.verb = "add",
		.args = "ID MEMBERS [key KEY] [dev DEV]",
		.help = "add a group to all switches, or to one",
		.run = cmd_group_add,
	},
	{
		.object = "group",
		.verb = "del",
		.args = "ID [dev DEV]",
		.help = "delete a group",
		.run = cmd_group_del,
	},
	{
		.object = "partition",
		.verb = "show",
		.args = "[DEV]",
		.help = "which endpoint is in which partition",
		.schema = "alink.partition",
		.version = 1,
		.run = cmd_partition_show,
	},
	{
		.object = "partition",
		.verb = "set",
		.args = "ENDPOINT PARTITION [dev DEV]",
		.help = "move an endpoint; 0: out of all",
		.run = cmd_partition_set,
	},
	{
		.object = "segment",
		.verb = "show",
		.args = "[DEV]",
		.help = "memory that xPUs open to others, and whose",
		.schema = "alink.segment",
		.version = 1,
		.run = cmd_segment_show,
	},
	{
		.object = "segment",
		.verb = "revoke",
		.args = "DEV ID",
		.help = "take a segment from its owner",
		.run = cmd_segment_revoke,
	},
	{
		.object = "fm",
		.verb = "show",
		.help = "the fabric manager, and where each xPU is",
		.schema = "alink.fm",
		.version = 1,
		.run = cmd_fm_show,
	},
	{
		.object = "fm",
		.verb = "wait",
		.args = "[--timeout SECONDS] [--degraded]",
		.help = "until the fabric is what it should be",
		.schema = "alink.fm",
		.version = 1,
		.run = cmd_fm_wait,
	},
	{
		.object = "fm",
		.verb = "enable",
		.args = "XPU",
		.help = "let an xPU that failed back in",
		.run = cmd_fm_enable,
	},
	{
		.object = "fm",
		.verb = "disable",
		.args = "XPU",
		.help = "take an xPU out of its partition",
		.run = cmd_fm_disable,
	},
	{
		.object = "fm",
		.verb = "reload",
		.help = "make the fabric what the configuration says now",
		.run = cmd_fm_reload,
	},
	{
		.object = "fw",
		.verb = "pack",
		.args = "PAYLOAD IMAGE type TYPE version V [...]",
		.help = "make an image for devlink dev flash",
		.run = cmd_fw_pack,
	},
	{
		.object = "fw",
		.verb = "show",
		.args = "IMAGE",
		.help = "what an image is, and whether it is whole",
		.schema = "alink.firmware",
		.version = 1,
		.run = cmd_fw_show,
	},
	{ }
};

static void usage(FILE *f)
{
	const struct alink_command *c;
	char line[80];

	fputs("usage: alink [OPTIONS] OBJECT [VERB] [ARGS]\n"
	      "       alink [OPTIONS] --batch FILE\n\n", f);
	for (c = alink_commands; c->object; c++) {
		snprintf(line, sizeof(line), "%s%s%s %s", c->object,
			 c->verb ? " " : "", c->verb ? c->verb : "",
			 c->args ? c->args : "");
		fprintf(f, "  alink %-47s %s\n", line, c->help);
	}
	fputs("\n"
	      "  -j, --json       print JSON: one object with schema and version\n"
	      "  -p, --pretty     with -j: indented\n"
	      "  -b, --batch FILE run the lines of FILE (-: standard input), up to\n"
	      "                   the first that fails\n"
	      "      --root DIR   read sysfs below DIR (a recorded tree; list only)\n"
	      "  -V, --version    print the version\n"
	      "  -h, --help       print this\n"
	      "\n"
	      "exit: 0 ok, 1 failed, 2 usage, 3 unsupported, 4 permission,\n"
	      "      6 no such object, 9 driver not loaded, 15 device lost\n", f);
}

int cmd_run(struct alink_cmd_env *env, int argc, char **argv)
{
	const struct alink_command *c;
	bool object = false;

	for (c = alink_commands; c->object; c++) {
		if (strcmp(argv[0], c->object))
			continue;
		object = true;
		if (!c->verb)
			return c->run(env, argc - 1, argv + 1);
		if (argc > 1 && !strcmp(argv[1], c->verb))
			return c->run(env, argc - 2, argv + 2);
	}
	if (object && argc > 1 && (!strcmp(argv[1], "--help") ||
				   !strcmp(argv[1], "help"))) {
		usage(stdout);
		return EXIT_OK;
	}
	if (object)
		return cmd_refuse(env, EXIT_USAGE, "%s: no such verb: %s (alink --help)",
				  argv[0], argc > 1 ? argv[1] : "none given");
	return cmd_refuse(env, EXIT_USAGE, "no such object: %s (alink --help)",
			  argv[0]);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "batch", required_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "root", required_argument, NULL, 'r' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct alink_cmd_env env = { };
	const char *root = NULL, *batch = NULL;
	int c, code;

	/* "+": options end at the object, as ip and devlink have it. */
	while ((c = getopt_long(argc, argv, "+b:jpVh", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			batch = optarg;
			break;
		case 'j':
			env.json = true;
			break;
		case 'p':
			env.pretty = true;
			break;
		case 'r':
			root = optarg;
			break;
		case 'V':
			printf("alink %s\n", alink_version());
			return EXIT_OK;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (batch ? optind != argc : optind == argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (alink_new(&env.ctx)) {
		fputs("alink: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	code = root ? alink_set_root(env.ctx, root) : 0;
	if (code)
		code = cmd_fail(&env, code);
	else if (batch)
		code = cmd_batch(&env, batch);
	else
		code = cmd_run(&env, argc - optind, argv + optind);
	alink_free(env.ctx);
	if (fflush(stdout) && code == EXIT_OK)
		code = EXIT_FAILED;
	return code;
}
