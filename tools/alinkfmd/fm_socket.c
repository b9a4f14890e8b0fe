// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket of alink fm: a line with a JSON object, answered by one. Whoever may
 * open the socket may do what it offers; its mode and group say who that is.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fm.h"

static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)n));
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text && text[0] ?
			       json_object_new_string(text) : NULL);
}

/* --- answers ---------------------------------------------------------------------- */

static struct json_object *refused(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

static struct json_object *refused(const char *fmt, ...)
{
	struct json_object *o = json_object_new_object();
	char text[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_text(o, "error", text);
	return o;
}

static struct json_object *xpu_json(const struct fm *fm, uint32_t id)
{
	const struct fm_xpu *x = &fm->state.xpu[id];
	uint32_t role = fm_policy_role(&fm->config, &fm->state, id);
	struct json_object *o = json_object_new_object();

	add_number(o, "xpu", id);
	add_text(o, "stage", fm_stage_names[x->stage]);
	add_number(o, "partition", fm_policy_partition(&fm->config, &fm->state,
						       id));
	add_text(o, "cause", x->stage == FM_COMPLETED ? NULL : x->cause);
	if (role == FM_NONE)
		json_object_object_add(o, "spare_for", NULL);
	else
		add_number(o, "spare_for", role);
	return o;
}

/* Its key is for those who have the configuration. */
static struct json_object *group_json(const struct fm_group *g)
{
	struct json_object *o = json_object_new_object();
	struct json_object *xpus = json_object_new_array();
	uint32_t i;

	add_number(o, "group", g->id);
	add_text(o, "stage", fm_stage_names[g->stage]);
	add_text(o, "cause", g->cause);
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++)
		if (alink_set_has(&g->members, i))
			json_object_array_add(xpus, json_object_new_int64(i));
	json_object_object_add(o, "xpus", xpus);
	return o;
}

static const char *overall(const struct fm *fm, bool progress, bool less)
{
	if (fm->why[0])
		return "nothing-to-manage";
	if (!fm->ready || progress || fm->trouble[0])
		return "in-progress";
	return less ? "degraded" : "completed";
}

static struct json_object *spare_planes(const struct fm *fm)
{
	struct json_object *planes = json_object_new_array();
	uint32_t i;

	for (i = 0; i < ALINK_MAX_PLANES; i++)
		if (alink_set_has(&fm->config.spare_planes, i))
			json_object_array_add(planes,
					      json_object_new_int64(i));
	return planes;
}

static struct json_object *show(struct fm *fm)
{
	struct json_object *o = json_object_new_object(), *array, *groups;
	bool progress = false, less = false;
	enum fm_stage stage;
	uint32_t i;

	groups = json_object_new_array();
	for (i = 0; i < fm->config.num_groups; i++) {
		stage = fm->config.compute[i].stage;
		progress |= stage == FM_IN_PROGRESS || stage == FM_NOT_STARTED;
		less |= stage == FM_DEGRADED;
		json_object_array_add(groups,
				      group_json(&fm->config.compute[i]));
	}
	array = json_object_new_array();
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		if (!fm_policy_known(&fm->config, &fm->state, i))
			continue;
		stage = fm->state.xpu[i].stage;
		progress |= stage == FM_IN_PROGRESS;
		less |= stage == FM_DEGRADED || stage == FM_DISABLED;
		json_object_array_add(array, xpu_json(fm, i));
	}
	add_text(o, "stage", overall(fm, progress, less));
	add_text(o, "cause", fm->why[0] ? fm->why : fm->trouble);
	add_text(o, "config", fm->path);
	add_number(o, "switches", fm->result.switches);
	add_number(o, "miswired", fm->result.miswired);
	json_object_object_add(o, "spare_planes", spare_planes(fm));
	json_object_object_add(o, "xpus", array);
	json_object_object_add(o, "groups", groups);
	return o;
}

static struct json_object *by_hand(struct fm *fm, struct json_object *request,
				   bool enable)
{
	/* Too large for a stack; there is one request at a time. */
	static struct fm_state before;
	struct json_object *v;
	uint32_t xpu;
	int err;

	if (!json_object_object_get_ex(request, "xpu", &v) ||
	    !json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 0 ||
	    json_object_get_int64(v) >= ALINK_MAX_ENDPOINTS)
		return refused("xpu: a number from 0 to %u is wanted",
			       ALINK_MAX_ENDPOINTS - 1);
	xpu = (uint32_t)json_object_get_int64(v);
	before = fm->state;
	err = enable ? fm_policy_enable(&fm->config, &fm->state, xpu) :
		       fm_policy_disable(&fm->config, &fm->state, xpu);
	if (err == -ENOENT)
		return refused("xPU %u: nobody has seen or configured it", xpu);
	if (err == -EALREADY)
		return refused("xPU %u is %s already", xpu,
			       enable ? "enabled" : "disabled");
	if (fm_state_save(&fm->state, fm->config.state)) {
		fm->state = before;
		/* It may be there all the same, not knowing if it stays. */
		fm->unsaved = true;
		return refused("%s cannot be written: the manager's log says why",
			       fm->config.state);
	}
	fm->unsaved = false;
	fm_log(FM_NOTE, "xPU %u is %s by hand", xpu,
	       enable ? "enabled" : "disabled");
	if (!fm->ctx || fm->why[0])
		return show(fm);
	/* It is done when this is answered. */
	if (fm_round(fm, "alink fm") || fm->result.failed ||
	    fm->result.silent[0])
		return refused("xPU %u: not all could be written yet, which is tried again: the manager's log says why",
			       xpu);
	return show(fm);
}

static struct json_object *reload(struct fm *fm)
{
	const char *why = fm_reload(fm);

	return why ? refused("%s", why) : show(fm);
}

struct json_object *fm_answer(struct fm *fm, struct json_object *request)
{
	struct json_object *v;
	const char *command;

	if (!json_object_is_type(request, json_type_object) ||
	    !json_object_object_get_ex(request, "command", &v) ||
	    !json_object_is_type(v, json_type_string))
		return refused("an object with \"command\" is wanted");
	command = json_object_get_string(v);
	if (!strcmp(command, "show"))
		return show(fm);
	if (!strcmp(command, "enable") || !strcmp(command, "disable"))
		return by_hand(fm, request, command[0] == 'e');
	if (!strcmp(command, "reload"))
		return reload(fm);
	return refused("%.32s: no such command", command);
}

/* --- the socket --------------------------------------------------------------------- */

/* Is the socket of a manager that is alive there? Else it is in the way. */
static bool in_use(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool used;

	if (fd < 0)
		return false;
	used = !connect(fd, (const struct sockaddr *)sa, sizeof(*sa));
	close(fd);
	return used;
}

static int bound(int fd, const struct fm_config *c, const char **what)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct group *g = NULL;
	int err;

	*what = "name";
	if (strlen(c->socket) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, c->socket);
	if (c->group) {
		*what = "group";
		g = getgrnam(c->group);
		if (!g)
			return -ENOENT;
	}
	*what = "folder";
	err = fm_make_folder(c->socket);
	if (err)
		return err;
	*what = "bind";
	if (in_use(&sa))
		return -EADDRINUSE;
	if (unlink(c->socket) && errno != ENOENT)
		return -errno;
	/* Nobody gets in before the group is right. */
	fchmod(fd, 0600);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return -errno;
	*what = "group";
	if (g && chown(c->socket, (uid_t)-1, g->gr_gid))
		return -errno;
	*what = "mode";
	if (chmod(c->socket, 0660))
		return -errno;
	*what = "listen";
	return listen(fd, 16) ? -errno : 0;
}

int fm_listen(const struct fm_config *c)
{
	const char *what = "socket";
	int fd, err;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd < 0 ? -errno : bound(fd, c, &what);
	if (!err)
		return fd;
	fm_log(FM_ERR, "%s: %s: %s", c->socket, what, strerror(-err));
	if (fd >= 0)
		close(fd);
	return err;
}
