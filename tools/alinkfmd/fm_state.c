// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state file: decisions that a manager must not forget. Tables are not in it,
 * they are in the devices. JSON; written to a file beside it, which takes its
 * place when it is on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fm.h"

/* Another one if who knows this one only would forget a decision */
#define VERSION	1

const char *const fm_stage_names[FM_NUM_STAGES] = {
	[FM_NOT_STARTED] = "not-started",
	[FM_IN_PROGRESS] = "in-progress",
	[FM_COMPLETED] = "completed",
	[FM_DEGRADED] = "degraded",
	[FM_DISABLED] = "disabled",
};

void fm_state_init(struct fm_state *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++)
		s->xpu[i].spare_for = FM_NONE;
}

/* --- reading --------------------------------------------------------------------- */

static bool number(const struct json_object *o, const char *key, uint32_t max,
		   uint32_t *value)
{
	struct json_object *v;
	int64_t n;

	if (!json_object_object_get_ex(o, key, &v) ||
	    !json_object_is_type(v, json_type_int))
		return false;
	n = json_object_get_int64(v);
	*value = (uint32_t)n;
	return n >= 0 && n <= max;
}

static bool truth(const struct json_object *o, const char *key, bool *value)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v) ||
	    !json_object_is_type(v, json_type_boolean))
		return false;
	*value = json_object_get_boolean(v);
	return true;
}

static bool read_xpu(struct fm_state *s, const struct json_object *o)
{
	struct fm_xpu *x;
	uint32_t id;

	if (!number(o, "xpu", ALINK_MAX_ENDPOINTS - 1, &id))
		return false;
	x = &s->xpu[id];
	if (!truth(o, "out", &x->out) || !truth(o, "by_hand", &x->by_hand))
		return false;
	if (json_object_object_get_ex(o, "spare_for", NULL))
		return number(o, "spare_for", ALINK_MAX_ENDPOINTS - 1,
			      &x->spare_for);
	return true;
}

static bool read_plane(struct fm_state *s, const struct json_object *o)
{
	uint32_t plane;

	if (!number(o, "plane", ALINK_MAX_PLANES - 1, &plane) ||
	    !number(o, "generation", UINT32_MAX, &s->generation[plane]))
		return false;
	alink_set_add(&s->planes, plane);
	return true;
}

/* Keys are 64 bits, which JSON's numbers are not. */
static bool read_group(struct fm_state *s, const struct json_object *o)
{
	struct json_object *v;
	uint32_t id;

	if (!number(o, "group", ALINK_MAX_GROUPS - 1, &id) ||
	    !json_object_object_get_ex(o, "key", &v) ||
	    !json_object_is_type(v, json_type_string))
		return false;
	return fm_parse_key(json_object_get_string(v), &s->made[id]);
}

static bool read_array(struct fm_state *s, const struct json_object *root,
		       const char *key,
		       bool (*one)(struct fm_state *s,
				   const struct json_object *o))
{
	struct json_object *array;
	size_t i;

	if (!json_object_object_get_ex(root, key, &array) ||
	    !json_object_is_type(array, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(array); i++)
		if (!one(s, json_object_array_get_idx(array, i)))
			return false;
	return true;
}

/*
 * Who was out must not come back because nobody can read that he was: without a
 * manager the tables stay as they are, and a person decides.
 */
static int refuse(const char *path, const char *what)
{
	fm_log(FM_ERR, "%s: %s: who is out is not known, and the tables stay as they are",
	       path, what);
	fm_log(FM_ERR, "mend it, or forget who was out: alinkfmd --discard-state");
	return -EINVAL;
}

/* Keys that are not known are of a later alinkfmd, and nothing is lost with them. */
static bool read_all(struct fm_state *s, const struct json_object *root)
{
	return read_array(s, root, "xpus", read_xpu) &&
	       read_array(s, root, "planes", read_plane) &&
	       (!json_object_object_get_ex(root, "groups", NULL) ||
		read_array(s, root, "groups", read_group));
}

int fm_state_load(struct fm_state *s, const char *path)
{
	struct json_object *root;
	uint32_t version = 0;
	char what[80];
	int err = 0;

	fm_state_init(s);
	if (access(path, R_OK)) {
		err = -errno;
		if (err == -ENOENT)
			return 0;
		fm_log(FM_ERR, "%s: cannot be read: %s", path, strerror(-err));
		return err;
	}
	root = json_object_from_file(path);
	if (!number(root, "version", UINT32_MAX, &version)) {
		err = refuse(path, "damaged");
	} else if (version != VERSION) {
		snprintf(what, sizeof(what),
			 "of version %u, and this alinkfmd reads %u", version,
			 VERSION);
		err = refuse(path, what);
	} else if (!read_all(s, root)) {
		err = refuse(path, "damaged");
	}
	json_object_put(root);
	return err;
}

int fm_state_discard(const char *path)
{
	char *kept;
	int err = 0;

	if (asprintf(&kept, "%s.discarded", path) < 0)
		return -ENOMEM;
	if (rename(path, kept)) {
		err = -errno;
		fm_log(FM_ERR, "%s: cannot be put aside: %s", path,
		       strerror(-err));
	} else {
		fm_log(FM_NOTE, "%s: kept as %s; the next manager begins without it",
		       path, kept);
	}
	free(kept);
	return err;
}

/* --- writing --------------------------------------------------------------------- */

/*
 * What has no memory is left out: then the file must not be written, as it would
 * pass for a state in which an xPU is not out.
 */
struct writer {
	bool failed;
};

static void add(struct writer *w, struct json_object *o, const char *key,
		struct json_object *value)
{
	if (o && value && !json_object_object_add(o, key, value))
		return;
	w->failed = true;
	json_object_put(value);
}

static void append(struct writer *w, struct json_object *array,
		   struct json_object *value)
{
	if (array && value && !json_object_array_add(array, value))
		return;
	w->failed = true;
	json_object_put(value);
}

static void add_number(struct writer *w, struct json_object *o, const char *key,
		       uint32_t n)
{
	add(w, o, key, json_object_new_int64(n));
}

/* NULL: no memory */
static struct json_object *state_json(const struct fm_state *s)
{
	struct json_object *root = json_object_new_object(), *array, *o;
	struct writer w = {};
	const struct fm_xpu *x;
	char key[24];
	uint32_t i;

	add_number(&w, root, "version", VERSION);
	array = json_object_new_array();
	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++) {
		x = &s->xpu[i];
		if (!x->out && x->spare_for == FM_NONE)
			continue;
		o = json_object_new_object();
		add_number(&w, o, "xpu", i);
		add(&w, o, "out", json_object_new_boolean(x->out));
		add(&w, o, "by_hand", json_object_new_boolean(x->by_hand));
		if (x->spare_for != FM_NONE)
			add_number(&w, o, "spare_for", x->spare_for);
		append(&w, array, o);
	}
	add(&w, root, "xpus", array);
	array = json_object_new_array();
	for (i = 0; i < ALINK_MAX_PLANES; i++) {
		if (!alink_set_has(&s->planes, i))
			continue;
		o = json_object_new_object();
		add_number(&w, o, "plane", i);
		add_number(&w, o, "generation", s->generation[i]);
		append(&w, array, o);
	}
	add(&w, root, "planes", array);
	array = json_object_new_array();
	for (i = 0; i < ALINK_MAX_GROUPS; i++) {
		if (!s->made[i])
			continue;
		o = json_object_new_object();
		add_number(&w, o, "group", i);
		snprintf(key, sizeof(key), "%016llx",
			 (unsigned long long)s->made[i]);
		add(&w, o, "key", json_object_new_string(key));
		append(&w, array, o);
	}
	add(&w, root, "groups", array);
	if (w.failed) {
		json_object_put(root);
		return NULL;
	}
	return root;
}

/* json-c does not say that a text has become shorter for lack of memory. */
static bool is_text_of(struct json_object *root, const char *text)
{
	struct json_object *read = json_tokener_parse(text);
	bool same = json_object_equal(root, read);

	json_object_put(read);
	return same;
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;

	while (len) {
		n = write(fd, text, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/* Where a file is; for the caller to free. */
static char *folder_of(const char *path)
{
	const char *end = strrchr(path, '/');

	if (!end)
		return strdup(".");
	return end == path ? strdup("/") : strndup(path, (size_t)(end - path));
}

int fm_make_folder(const char *path)
{
	char *folder = folder_of(path);
	int err = 0;

	if (!folder)
		return -ENOMEM;
	if (mkdir(folder, 0755) && errno != EEXIST)
		err = -errno;
	free(folder);
	return err;
}

/* The new name is on the disk, too. */
static int sync_folder(const char *path)
{
	char *folder = folder_of(path);
	int fd, err = 0;

	if (!folder)
		return -ENOMEM;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	free(folder);
	return err;
}

int fm_state_save(const struct fm_state *s, const char *path)
{
	struct json_object *root = state_json(s);
	const char *text = NULL;
	char *new = NULL;
	int fd, err = 0;

	if (root)
		text = json_object_to_json_string_ext(root,
						      JSON_C_TO_STRING_PRETTY);
	if (!text || !is_text_of(root, text) ||
	    asprintf(&new, "%s.new", path) < 0) {
		json_object_put(root);
		fm_log(FM_ERR, "%s: cannot be written: no memory", path);
		return -ENOMEM;
	}
	fm_make_folder(path);
	/* It has keys of groups; one that was left half written may be older. */
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
	} else if (fchmod(fd, 0600)) {
		err = -errno;
		close(fd);
	} else {
		err = write_all(fd, text);
		if (close(fd) && !err)
			err = -errno;
	}
	if (!err && rename(new, path))
		err = -errno;
	if (!err)
		err = sync_folder(path);
	if (err)
		fm_log(FM_ERR, "%s: cannot be written: %s", path,
		       strerror(-err));
	free(new);
	json_object_put(root);
	return err;
}
