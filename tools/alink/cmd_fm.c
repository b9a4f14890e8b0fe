// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink fm: the fabric manager, as its socket and the kernel show it. The kernel
 * is asked first: a manager that hangs does not answer, and is named.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../alinkfmd/fm_socket.h"
#include "cmd.h"

/*
 * The manager may be writing to a device that takes its time. The kernel is asked
 * again each second: it may have begun to hang.
 */
#define ANSWER_S	30
#define WAIT_S		60
#define POLL_MS		200

/* --- asking -------------------------------------------------------------------- */

static int cannot(struct alink_cmd_env *env, int err)
{
	if (err == -EACCES)
		return cmd_refuse(env, EXIT_PERMISSION,
				  "%s: not permitted: run as root, or as a member of the group of that socket",
				  FM_SOCKET);
	if (err == -ENOENT || err == -ECONNREFUSED)
		return cmd_refuse(env, EXIT_NO_OBJECT,
				  "%s: no fabric manager runs (systemctl start alinkfmd)",
				  FM_SOCKET);
	return cmd_refuse(env, EXIT_FAILED, "%s: %s", FM_SOCKET,
			  err == -EAGAIN ? "the manager does not answer" :
			  strerror(-err));
}

static int dial(int *fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX,
				  .sun_path = FM_SOCKET };
	struct timeval patience = { .tv_sec = 1 };
	int err;

	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(*fd, (struct sockaddr *)&sa, sizeof(sa)))
		return 0;
	err = -errno;
	close(*fd);
	return err;
}

static bool hangs(struct alink_cmd_env *env)
{
	struct alink_manager_info m;

	return !alink_manager(env->ctx, &m) && m.silent;
}

/* As read(), for ANSWER_S; -EAGAIN also for a manager that is silent. */
static ssize_t wait_read(struct alink_cmd_env *env, int fd, char *buf,
			 size_t room)
{
	unsigned int i;
	ssize_t n;

	for (i = 0; i < ANSWER_S; i++) {
		n = read(fd, buf, room);
		if (n >= 0)
			return n;
		if (errno != EAGAIN)
			return -errno;
		if (hangs(env))
			break;
	}
	return -EAGAIN;
}

/* A line; the caller frees it. */
static int converse(struct alink_cmd_env *env, int fd, const char *question,
		    char **answer)
{
	char *grown, *buf = NULL;
	size_t len = 0;
	ssize_t n;

	if (send(fd, question, strlen(question), MSG_NOSIGNAL) < 0)
		return -errno;
	do {
		grown = realloc(buf, len + 65536);
		if (!grown) {
			free(buf);
			return -ENOMEM;
		}
		buf = grown;
		n = wait_read(env, fd, buf + len, 65535);
		if (n <= 0) {
			free(buf);
			return n ? (int)n : -EPROTO;
		}
		len += (size_t)n;
	} while (buf[len - 1] != '\n');
	buf[len] = 0;
	*answer = buf;
	return 0;
}

/*
 * Prints what is wrong, and returns an exit code; *data is for the caller, and NULL
 * if the manager hangs.
 */
static int ask(struct alink_cmd_env *env, const char *question,
	       struct json_object **data)
{
	struct json_object *error;
	char *answer = NULL;
	int fd, err, code;

	*data = NULL;
	err = dial(&fd);
	if (err)
		return cannot(env, err);
	err = converse(env, fd, question, &answer);
	close(fd);
	if (err == -EAGAIN && hangs(env)) {
		*data = NULL;
		return EXIT_OK;
	}
	if (err)
		return cannot(env, err);
	*data = json_tokener_parse(answer);
	free(answer);
	if (!*data)
		return cannot(env, -EPROTO);
	if (!json_object_object_get_ex(*data, "error", &error))
		return EXIT_OK;
	code = cmd_refuse(env, EXIT_FAILED, "%s",
			  json_object_get_string(error));
	json_object_put(*data);
	*data = NULL;
	return code;
}

/* --- showing -------------------------------------------------------------------- */

static const char *str(const struct json_object *o, const char *key,
		       const char *without)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) || !v)
		return without;
	return json_object_get_string(v);
}

static void add_manager(struct json_object *o,
			const struct alink_manager_info *m)
{
	json_str(o, "manager", m->managed ? m->name : NULL);
	json_object_object_add(o, "pid", m->managed ?
			       json_object_new_int64(m->pid) : NULL);
	json_object_object_add(o, "silent",
			       json_object_new_boolean(m->silent));
	json_num(o, "age_ms", m->age_ms);
}

static void print_xpus(struct json_object *data)
{
	struct json_object *array, *o;
	size_t i;

	if (!json_object_object_get_ex(data, "xpus", &array) ||
	    !json_object_array_length(array))
		return;
	printf("\n%5s  %-12s %9s  %s\n", "XPU", "STAGE", "PARTITION", "CAUSE");
	for (i = 0; i < json_object_array_length(array); i++) {
		o = json_object_array_get_idx(array, i);
		printf("%5s  %-12s %9s  %s", str(o, "xpu", "?"),
		       str(o, "stage", "?"), str(o, "partition", "?"),
		       str(o, "cause", "-"));
		if (str(o, "spare_for", NULL))
			printf(" (in the place of xPU %s)",
			       str(o, "spare_for", "?"));
		putchar('\n');
	}
}

/* An array of numbers, with commas */
static void print_set(struct json_object *array)
{
	size_t i;

	for (i = 0; i < json_object_array_length(array); i++)
		printf("%s%s", i ? "," : "", json_object_get_string(
			       json_object_array_get_idx(array, i)));
}

static void print_spares(struct json_object *data)
{
	struct json_object *planes;

	if (!json_object_object_get_ex(data, "spare_planes", &planes) ||
	    !json_object_array_length(planes))
		return;
	printf("spares:   planes ");
	print_set(planes);
	putchar('\n');
}

static void print_groups(struct json_object *data)
{
	struct json_object *array, *o, *xpus;
	size_t i;

	if (!json_object_object_get_ex(data, "groups", &array) ||
	    !json_object_array_length(array))
		return;
	printf("\n%5s  %-12s %s\n", "GROUP", "STAGE", "XPUS: CAUSE");
	for (i = 0; i < json_object_array_length(array); i++) {
		o = json_object_array_get_idx(array, i);
		printf("%5s  %-12s ", str(o, "group", "?"),
		       str(o, "stage", "?"));
		json_object_object_get_ex(o, "xpus", &xpus);
		print_set(xpus);
		printf("%s%s\n", str(o, "cause", NULL) ? ": " : "",
		       str(o, "cause", ""));
	}
}

static int print(struct alink_cmd_env *env, struct json_object *data)
{
	if (env->json)
		return cmd_print_json(env, "alink.fm", 1, data);
	printf("fabric:   %s%s%s\n", str(data, "stage", "?"),
	       str(data, "cause", NULL) ? ": " : "", str(data, "cause", ""));
	printf("manager:  %s, pid %s, beat %s ms ago\n",
	       str(data, "manager", "nobody"), str(data, "pid", "-"),
	       str(data, "age_ms", "-"));
	if (str(data, "config", NULL))
		printf("config:   %s\n", str(data, "config", "-"));
	if (str(data, "switches", NULL))
		printf("switches: %s, cables that are miswired: %s\n",
		       str(data, "switches", "-"), str(data, "miswired", "-"));
	print_spares(data);
	print_xpus(data);
	print_groups(data);
	json_object_put(data);
	return EXIT_OK;
}

/* What the kernel knows is enough: nobody is there, or nobody answers. */
static struct json_object *without_manager(const struct alink_manager_info *m)
{
	struct json_object *o = json_object_new_object();
	char cause[96];

	if (m->silent)
		snprintf(cause, sizeof(cause), "%s (pid %u) is silent for %u ms",
			 m->name, m->pid, m->age_ms);
	else if (m->managed)
		snprintf(cause, sizeof(cause), "%s (pid %u) goes on just now",
			 m->name, m->pid);
	else
		snprintf(cause, sizeof(cause),
			 "nobody manages it (systemctl start alinkfmd)");
	json_str(o, "stage", m->silent ? "silent" :
			     m->managed ? "in-progress" : "not-managed");
	json_str(o, "cause", cause);
	return o;
}

/* Another manager than alinkfmd has no socket; without alink.ko there is none. */
static int look(struct alink_cmd_env *env, struct json_object **data)
{
	struct alink_manager_info m = {};
	int code = EXIT_OK, err;

	*data = NULL;
	err = alink_manager(env->ctx, &m);
	if (err && err != -ENOPROTOOPT)
		return cmd_fail(env, err);
	if (err || (m.managed && !m.silent))
		code = ask(env, "{\"command\": \"show\"}\n", data);
	if (!code && !*data) {
		/* It may have gone on, or have been killed, since. */
		err = alink_manager(env->ctx, &m);
		if (err)
			return cmd_fail(env, err);
		*data = without_manager(&m);
	}
	if (!code)
		add_manager(*data, &m);
	return code;
}

int cmd_fm_show(struct alink_cmd_env *env, int argc, char **argv)
{
	struct json_object *data;
	int code;

	if (argc)
		return cmd_refuse(env, EXIT_USAGE, "fm show: no arguments: %s",
				  argv[0]);
	code = look(env, &data);
	return code ? code : print(env, data);
}

/* --- waiting -------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whether waiting is over: done, or done as well as it can be */
static bool there(const struct json_object *data, bool degraded)
{
	const char *stage = str(data, "stage", "");

	return !strcmp(stage, "completed") ||
	       !strcmp(stage, "nothing-to-manage") ||
	       (degraded && !strcmp(stage, "degraded"));
}

static int wait_args(struct alink_cmd_env *env, int argc, char **argv,
		     uint32_t *seconds, bool *degraded)
{
	int i, code = EXIT_OK;

	for (i = 0; i < argc && !code; i++) {
		if (!strcmp(argv[i], "--degraded"))
			*degraded = true;
		else if (!strcmp(argv[i], "--timeout") && i + 1 < argc)
			code = arg_u32(env, "timeout", argv[++i], 86400,
				       seconds);
		else
			code = cmd_refuse(env, EXIT_USAGE,
					  "usage: alink fm wait [--timeout SECONDS] [--degraded]");
	}
	return code;
}

int cmd_fm_wait(struct alink_cmd_env *env, int argc, char **argv)
{
	/* What does not last is not told: it may be there in a moment. */
	struct alink_cmd_env quiet = *env;
	struct json_object *data = NULL;
	uint32_t seconds = WAIT_S;
	bool degraded = false;
	int64_t end;
	int code;

	code = wait_args(env, argc, argv, &seconds, &degraded);
	if (code)
		return code;
	quiet.quiet = true;
	end = now_ms() + (int64_t)seconds * 1000;
	for (;;) {
		code = look(now_ms() < end ? &quiet : env, &data);
		if (!code && there(data, degraded))
			return print(env, data);
		if (code == EXIT_PERMISSION || now_ms() >= end)
			break;
		if (!code)
			json_object_put(data);
		usleep(POLL_MS * 1000);
	}
	if (code)
		return code == EXIT_PERMISSION ? look(env, &data) : code;
	code = cmd_refuse(env, EXIT_FAILED, "the fabric is %s after %u s%s%s",
			  str(data, "stage", "?"), seconds,
			  str(data, "cause", NULL) ? ": " : "",
			  str(data, "cause", ""));
	json_object_put(data);
	return code;
}

/* --- steering -------------------------------------------------------------------- */

/* By endpoint id, or as the kernel calls it */
static int xpu_id(struct alink_cmd_env *env, const char *text, uint32_t *id)
{
	const struct alink_device_info *d;
	struct inventory inv;
	int code;

	if (*text >= '0' && *text <= '9')
		return arg_u32(env, "xPU", text, ALINK_MAX_ENDPOINTS - 1, id);
	code = inv_load(env, &inv);
	if (code)
		return code;
	code = inv_find(env, &inv, text, &d);
	if (!code && d->type != ALINK_DEVTYPE_XPU)
		code = cmd_refuse(env, EXIT_USAGE, "%s is not an xPU", text);
	if (!code)
		*id = d->fabric_id;
	inv_free(&inv);
	return code;
}

/* Something whose answer is that it is done */
static int tell(struct alink_cmd_env *env, const char *question)
{
	struct json_object *data;
	int code = ask(env, question, &data);

	if (!code && !data)
		code = cmd_refuse(env, EXIT_FAILED,
				  "the manager hangs (alink fm show)");
	json_object_put(data);
	return code;
}

static int steer(struct alink_cmd_env *env, const char *command, int argc,
		 char **argv)
{
	char question[96];
	uint32_t id;
	int code;

	if (argc != 1)
		return cmd_refuse(env, EXIT_USAGE, "usage: alink fm %s XPU",
				  command);
	code = xpu_id(env, argv[0], &id);
	if (code)
		return code;
	snprintf(question, sizeof(question),
		 "{\"command\": \"%s\", \"xpu\": %u}\n", command, id);
	return tell(env, question);
}

int cmd_fm_enable(struct alink_cmd_env *env, int argc, char **argv)
{
	return steer(env, "enable", argc, argv);
}

int cmd_fm_disable(struct alink_cmd_env *env, int argc, char **argv)
{
	return steer(env, "disable", argc, argv);
}

int cmd_fm_reload(struct alink_cmd_env *env, int argc, char **argv)
{
	if (argc)
		return cmd_refuse(env, EXIT_USAGE,
				  "fm reload: no arguments: %s", argv[0]);
	return tell(env, "{\"command\": \"reload\"}\n");
}
