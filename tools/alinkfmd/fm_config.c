// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration: libconfig reads it, and knows the line of every setting.
 * All mistakes are told at once, each with its line, and unknown settings are
 * mistakes: who misspells "spares" wants to hear of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include <linux/alink.h>

#include "fm.h"

const char *const fm_action_names[FM_NUM_ACTIONS] = {
	[FM_REPORT] = "report",
	[FM_DISABLE_XPU] = "disable-xpu",
	[FM_SPARE] = "spare",
	[FM_DISABLE_PARTITION] = "disable-partition",
};

const char *const fm_failure_names[FM_NUM_FAILURES] = {
	[FM_FAIL_LINKS] = "links",
	[FM_FAIL_XPU] = "xpu",
	[FM_FAIL_PLANE] = "plane",
};

/* What is done where the configuration says nothing */
static const enum fm_action fm_default_action[FM_NUM_FAILURES] = {
	[FM_FAIL_LINKS] = FM_REPORT,
	[FM_FAIL_XPU] = FM_DISABLE_XPU,
	[FM_FAIL_PLANE] = FM_REPORT,
};

struct reader {
	const char *path;
	unsigned int mistakes;
};

static void __attribute__((format(printf, 3, 4)))
mistake(struct reader *r, const config_setting_t *s, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fm_log(FM_ERR, "%s:%u: %s", r->path, config_setting_source_line(s),
	       text);
	r->mistakes++;
}

static const char *name_of(const config_setting_t *s)
{
	return config_setting_name(s) ? config_setting_name(s) : "entry";
}

/* Only these are allowed in a group. */
static void check_names(struct reader *r, const config_setting_t *group,
			const char *const *names, size_t n)
{
	const config_setting_t *s;
	size_t k;
	int i;

	for (i = 0; i < config_setting_length(group); i++) {
		s = config_setting_get_elem(group, i);
		for (k = 0; k < n && strcmp(names[k], name_of(s)); k++)
			;
		if (k == n)
			mistake(r, s, "%s: no such setting", name_of(s));
	}
}

#define CHECK_NAMES(r, group, ...) do {					\
	static const char *const names[] = { __VA_ARGS__ };		\
	check_names(r, group, names, sizeof(names) / sizeof(names[0]));	\
} while (0)

static bool number_of(struct reader *r, const config_setting_t *s,
		      uint32_t min, uint32_t max, uint32_t *value)
{
	long long n = 0;

	if (config_setting_type(s) == CONFIG_TYPE_INT)
		n = config_setting_get_int(s);
	else if (config_setting_type(s) == CONFIG_TYPE_INT64)
		n = config_setting_get_int64(s);
	else
		n = -1;
	if (n < min || n > max) {
		mistake(r, s, "%s: a number from %u to %u is wanted",
			name_of(s), min, max);
		return false;
	}
	*value = (uint32_t)n;
	return true;
}

/* Leaves *value alone if it is not there, and if @needed complains. */
static void number(struct reader *r, const config_setting_t *group,
		   const char *name, bool needed, uint32_t min, uint32_t max,
		   uint32_t *value)
{
	const config_setting_t *s = config_setting_get_member(group, name);

	if (s)
		number_of(r, s, min, max, value);
	else if (needed)
		mistake(r, group, "%s is missing", name);
}

static void text(struct reader *r, const config_setting_t *group,
		 const char *name, const char *without, char **value)
{
	const config_setting_t *s = config_setting_get_member(group, name);
	const char *found = without;

	if (s && config_setting_type(s) == CONFIG_TYPE_STRING)
		found = config_setting_get_string(s);
	else if (s)
		mistake(r, s, "%s: a text in quotes is wanted", name);
	*value = found ? strdup(found) : NULL;
}

static void *grown(void *array, size_t n, size_t size)
{
	void *new = realloc(array, (n + 1) * size);

	/*
	 * As libconfig does. Nothing is lost: tables are in the devices, decisions
	 * in the file of the state.
	 */
	if (!new)
		abort();
	memset((char *)new + n * size, 0, size);
	return new;
}

/* --- partitions --------------------------------------------------------------- */

static const struct fm_partition *has(const struct fm_config *c, uint32_t xpu)
{
	size_t i, k;

	for (i = 0; i < c->num_partitions; i++) {
		if (alink_set_has(&c->partition[i].members, xpu))
			return &c->partition[i];
		for (k = 0; k < c->partition[i].num_spares; k++)
			if (c->partition[i].spares[k] == xpu)
				return &c->partition[i];
	}
	return NULL;
}

const struct fm_partition *fm_config_of(const struct fm_config *c,
					uint32_t xpu)
{
	return has(c, xpu);
}

/* A list of xPUs, or NULL; one that is none is complained about. */
static const config_setting_t *xpus_of(struct reader *r,
				       const config_setting_t *group,
				       const char *name)
{
	const config_setting_t *list = config_setting_get_member(group, name);

	if (!list || (config_setting_is_aggregate(list) &&
		      config_setting_type(list) != CONFIG_TYPE_GROUP))
		return list;
	mistake(r, list, "%s: a list of xPUs is wanted, [ 0, 1 ]", name);
	return NULL;
}

static void xpu_list(struct reader *r, const struct fm_config *c,
		     const config_setting_t *group, const char *name,
		     struct fm_partition *p, bool spares)
{
	const config_setting_t *list = xpus_of(r, group, name), *s;
	uint32_t xpu;
	int i;

	if (!list)
		return;
	for (i = 0; i < config_setting_length(list); i++) {
		s = config_setting_get_elem(list, (unsigned int)i);
		if (!number_of(r, s, 0, ALINK_MAX_ENDPOINTS - 1, &xpu))
			continue;
		if (has(c, xpu)) {
			mistake(r, s, "%s: xPU %u is there already, in partition %u",
				name, xpu, has(c, xpu)->id);
			continue;
		}
		if (!spares) {
			alink_set_add(&p->members, xpu);
			continue;
		}
		p->spares = grown(p->spares, p->num_spares, sizeof(xpu));
		p->spares[p->num_spares++] = xpu;
	}
}

static void partition(struct reader *r, struct fm_config *c,
		      const config_setting_t *group)
{
	const config_setting_t *s;
	struct fm_partition *p;
	size_t i;

	if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
		mistake(r, group, "partitions: { id = 1; xpus = [ 0, 1 ]; } is wanted");
		return;
	}
	CHECK_NAMES(r, group, "id", "name", "xpus", "spares", "min_links");
	c->partition = grown(c->partition, c->num_partitions, sizeof(*p));
	p = &c->partition[c->num_partitions++];
	p->min_links = 1;
	number(r, group, "id", true, 1, ALINK_MAX_PARTITIONS - 1, &p->id);
	number(r, group, "min_links", false, 1, ALINK_MAX_PORTS,
	       &p->min_links);
	snprintf(p->name, sizeof(p->name), "%u", p->id);
	s = config_setting_get_member(group, "name");
	if (s && config_setting_type(s) != CONFIG_TYPE_STRING)
		mistake(r, s, "name: a text in quotes is wanted");
	else if (s)
		snprintf(p->name, sizeof(p->name), "%s",
			 config_setting_get_string(s));
	for (i = 0; i + 1 < c->num_partitions; i++)
		if (p->id && c->partition[i].id == p->id)
			mistake(r, group, "partition %u is there already",
				p->id);
	if (!config_setting_get_member(group, "xpus"))
		mistake(r, group, "xpus is missing");
	xpu_list(r, c, group, "xpus", p, false);
	xpu_list(r, c, group, "spares", p, true);
}

/* --- groups ------------------------------------------------------------------- */

const struct fm_group *fm_config_group(const struct fm_config *c, uint32_t id)
{
	size_t i;

	for (i = 0; i < c->num_groups; i++)
		if (c->compute[i].id == id)
			return &c->compute[i];
	return NULL;
}

bool fm_parse_key(const char *text, uint64_t *key)
{
	size_t len = strlen(text);

	if (!len || len > 16 || strspn(text, "0123456789abcdefABCDEF") != len)
		return false;
	*key = strtoull(text, NULL, 16);
	return *key;
}

static void key_of(struct reader *r, const config_setting_t *group,
		   uint64_t *key)
{
	const config_setting_t *s = config_setting_get_member(group, "key");

	if (!s)
		mistake(r, group, "key is missing");
	else if (config_setting_type(s) != CONFIG_TYPE_STRING ||
		 !fm_parse_key(config_setting_get_string(s), key))
		mistake(r, s, "key: 1 to 16 hexadecimal digits in quotes are wanted, not all 0");
}

/* Who may not reach each other cannot compute together. */
static void check_reach(struct reader *r, const struct fm_config *c,
			const config_setting_t *s, uint32_t xpu,
			const struct fm_partition **first)
{
	const struct fm_partition *p = has(c, xpu);

	if (!c->num_partitions)
		return;
	if (!p)
		mistake(r, s, "xpus: xPU %u is in no partition", xpu);
	else if (!*first)
		*first = p;
	else if (*first != p)
		mistake(r, s, "xpus: xPU %u is in partition %u, and others in %u",
			xpu, p->id, (*first)->id);
}

static void members(struct reader *r, const struct fm_config *c,
		    const config_setting_t *group, struct fm_group *g)
{
	const config_setting_t *list = xpus_of(r, group, "xpus"), *s;
	const struct fm_partition *first = NULL;
	uint32_t xpu;
	int i;

	if (!config_setting_get_member(group, "xpus"))
		mistake(r, group, "xpus is missing");
	else if (list && !config_setting_length(list))
		mistake(r, list, "xpus: a group has one xPU at least");
	for (i = 0; list && i < config_setting_length(list); i++) {
		s = config_setting_get_elem(list, (unsigned int)i);
		if (!number_of(r, s, 0, ALINK_MAX_ENDPOINTS - 1, &xpu))
			continue;
		if (alink_set_has(&g->members, xpu))
			mistake(r, s, "xpus: xPU %u is there already", xpu);
		alink_set_add(&g->members, xpu);
		check_reach(r, c, s, xpu, &first);
	}
}

static void compute(struct reader *r, struct fm_config *c,
		    const config_setting_t *group)
{
	struct fm_group *g;
	size_t i;

	if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
		mistake(r, group, "groups: { id = 1; key = \"5eed\"; xpus = [ 0, 1 ]; } is wanted");
		return;
	}
	CHECK_NAMES(r, group, "id", "key", "xpus");
	c->compute = grown(c->compute, c->num_groups, sizeof(*g));
	g = &c->compute[c->num_groups++];
	g->id = FM_NONE;
	number(r, group, "id", true, 0, ALINK_MAX_GROUPS - 1, &g->id);
	key_of(r, group, &g->key);
	for (i = 0; i + 1 < c->num_groups; i++)
		if (g->id != FM_NONE && c->compute[i].id == g->id)
			mistake(r, group, "group %u is there already", g->id);
	members(r, c, group, g);
}

/* --- the rest ------------------------------------------------------------------- */

static void wire(struct reader *r, struct fm_config *c,
		 const config_setting_t *group)
{
	struct fm_wire *w;
	size_t i;

	if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
		mistake(r, group, "wiring: { xpu = 0; link = 0; plane = 0; port = 0; } is wanted");
		return;
	}
	CHECK_NAMES(r, group, "xpu", "link", "plane", "port");
	c->wire = grown(c->wire, c->num_wires, sizeof(*w));
	w = &c->wire[c->num_wires++];
	number(r, group, "xpu", true, 0, ALINK_MAX_ENDPOINTS - 1, &w->xpu);
	number(r, group, "link", true, 0, ALINK_MAX_PLANES - 1, &w->link);
	number(r, group, "plane", true, 0, ALINK_MAX_PLANES - 1, &w->plane);
	number(r, group, "port", true, 0, ALINK_MAX_PORTS - 1, &w->port);
	for (i = 0; i + 1 < c->num_wires; i++) {
		if (c->wire[i].xpu == w->xpu && c->wire[i].link == w->link)
			mistake(r, group, "xPU %u, link %u has a cable already",
				w->xpu, w->link);
		if (c->wire[i].plane == w->plane && c->wire[i].port == w->port)
			mistake(r, group, "plane %u, port %u has a cable already",
				w->plane, w->port);
	}
}

static void planes(struct reader *r, struct fm_config *c,
		   const config_setting_t *root)
{
	const config_setting_t *group, *list, *s;
	uint32_t plane;
	int i;

	group = config_setting_get_member(root, "planes");
	if (!group)
		return;
	if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
		mistake(r, group, "planes: { spare = [ 3 ]; } is wanted");
		return;
	}
	CHECK_NAMES(r, group, "spare");
	list = config_setting_get_member(group, "spare");
	if (list && (!config_setting_is_aggregate(list) ||
		     config_setting_type(list) == CONFIG_TYPE_GROUP)) {
		mistake(r, list, "spare: a list of planes is wanted, [ 3 ]");
		return;
	}
	for (i = 0; list && i < config_setting_length(list); i++) {
		s = config_setting_get_elem(list, (unsigned int)i);
		if (!number_of(r, s, 0, ALINK_MAX_PLANES - 1, &plane))
			continue;
		if (alink_set_has(&c->spare_planes, plane))
			mistake(r, s, "spare: plane %u is there already",
				plane);
		alink_set_add(&c->spare_planes, plane);
	}
}

static void each(struct reader *r, struct fm_config *c,
		 const config_setting_t *root, const char *name,
		 void (*one)(struct reader *r, struct fm_config *c,
			     const config_setting_t *group))
{
	const config_setting_t *list = config_setting_get_member(root, name);
	int i;

	if (!list)
		return;
	if (config_setting_type(list) != CONFIG_TYPE_LIST) {
		mistake(r, list, "%s: a list is wanted, ( ... )", name);
		return;
	}
	for (i = 0; i < config_setting_length(list); i++)
		one(r, c, config_setting_get_elem(list, (unsigned int)i));
}

static void policy(struct reader *r, struct fm_config *c,
		   const config_setting_t *root)
{
	const config_setting_t *group, *s;
	const char *wanted;
	int f, a;

	memcpy(c->action, fm_default_action, sizeof(c->action));
	group = config_setting_get_member(root, "policy");
	if (!group)
		return;
	if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
		mistake(r, group, "policy: { xpu = \"spare\"; } is wanted");
		return;
	}
	check_names(r, group, fm_failure_names, FM_NUM_FAILURES);
	for (f = 0; f < FM_NUM_FAILURES; f++) {
		s = config_setting_get_member(group, fm_failure_names[f]);
		if (!s)
			continue;
		wanted = config_setting_get_string(s);
		for (a = 0; a < FM_NUM_ACTIONS; a++)
			if (wanted && !strcmp(wanted, fm_action_names[a]))
				break;
		if (a == FM_NUM_ACTIONS)
			mistake(r, s, "%s: \"report\", \"disable-xpu\", \"spare\" or \"disable-partition\" is wanted",
				fm_failure_names[f]);
		else if (f == FM_FAIL_PLANE && a != FM_REPORT &&
			 a != FM_DISABLE_PARTITION)
			mistake(r, s, "plane: a plane is no xPU: \"report\" or \"disable-partition\" is wanted");
		else
			c->action[f] = (enum fm_action)a;
	}
}

static void all(struct reader *r, struct fm_config *c,
		const config_setting_t *root)
{
	CHECK_NAMES(r, root, "partitions", "groups", "wiring", "planes", "policy",
		    "hold_ms", "heartbeat_ms", "state_file", "socket", "group");
	each(r, c, root, "partitions", partition);
	/* Their xPUs are looked for in the partitions. */
	each(r, c, root, "groups", compute);
	each(r, c, root, "wiring", wire);
	planes(r, c, root);
	policy(r, c, root);
	c->hold_ms = FM_HOLD_MS;
	number(r, root, "hold_ms", false, 0, 600000, &c->hold_ms);
	c->beat_ms = FM_BEAT_MS;
	number(r, root, "heartbeat_ms", false, ALINK_MANAGER_BEAT_MIN_MS,
	       ALINK_MANAGER_BEAT_MAX_MS, &c->beat_ms);
	text(r, root, "state_file", FM_STATE, &c->state);
	text(r, root, "socket", FM_SOCKET, &c->socket);
	text(r, root, "group", NULL, &c->group);
}

int fm_config_load(struct fm_config *c, const char *path)
{
	struct reader r = { .path = path };
	config_t config;
	int err = 0;
	FILE *f;

	memset(c, 0, sizeof(*c));
	f = fopen(path, "re");
	if (!f) {
		err = -errno;
		fm_log(FM_ERR, "%s: %s", path, strerror(errno));
		return err;
	}
	config_init(&config);
	if (config_read(&config, f) == CONFIG_TRUE) {
		all(&r, c, config_root_setting(&config));
	} else {
		fm_log(FM_ERR, "%s:%d: %s", path, config_error_line(&config),
		       config_error_text(&config));
		r.mistakes++;
	}
	config_destroy(&config);
	fclose(f);
	if (r.mistakes) {
		fm_config_free(c);
		err = -EINVAL;
	}
	return err;
}

void fm_config_free(struct fm_config *c)
{
	size_t i;

	for (i = 0; i < c->num_partitions; i++)
		free(c->partition[i].spares);
	free(c->partition);
	free(c->compute);
	free(c->wire);
	free(c->state);
	free(c->socket);
	free(c->group);
	memset(c, 0, sizeof(*c));
}
