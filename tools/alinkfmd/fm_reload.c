// SPDX-License-Identifier: GPL-2.0-only
/*
 * Another configuration while the fabric is in use. What moves no xPU is taken as it
 * is. What does is committed as a whole: the fabric has to be one that can be written,
 * who moves leaves first, and if anything cannot be written all go back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fm.h"

static char refusal[320];

static uint32_t place(const struct fm_config *c, const struct fm_state *s,
		      uint32_t xpu)
{
	return fm_policy_known(c, s, xpu) ? fm_policy_partition(c, s, xpu) : 0;
}

static unsigned int moves(const struct fm_config *old,
			  const struct fm_config *new, const struct fm_state *s)
{
	unsigned int n = 0;
	uint32_t i;

	for (i = 0; i < ALINK_MAX_ENDPOINTS; i++)
		n += place(old, s, i) != place(new, s, i);
	return n;
}

static void swap_configs(struct fm_config *a, struct fm_config *b)
{
	struct fm_config c = *a;

	*a = *b;
	*b = c;
}

static const char *stays(const char *path, const char *why)
{
	snprintf(refusal, sizeof(refusal),
		 "%s: %s: the configuration stays as it was", path, why);
	fm_log(FM_ERR, "%s", refusal);
	return refusal;
}

/* Why the round has not made everything so, or NULL */
static const char *unfinished(struct fm *fm, const char *why)
{
	int err = fm_round(fm, why);

	if (err)
		return alink_error(fm->ctx);
	if (fm->result.silent[0])
		return fm->result.silent;
	return fm->result.failed ? "not all can be written" : NULL;
}

/*
 * Decisions that the other configuration led to go with it; groups that it led to are
 * the manager's until they are deleted.
 */
static void go_back(struct fm *fm, struct fm_config *new,
		    struct fm_state *before)
{
	memcpy(before->made, fm->state.made, sizeof(before->made));
	fm->state = *before;
	fm->unsaved = true;
	swap_configs(&fm->config, new);
	if (unfinished(fm, "another configuration could not be written"))
		fm_log(FM_ERR, "not all is back yet, which is tried again");
}

static const char *commit(struct fm *fm, struct fm_config *new)
{
	/* Too large for a stack; one configuration is read at a time. */
	static struct fm_state before;
	const char *why;
	char kept[200];

	why = unfinished(fm, "looked at before the configuration changes");
	if (why)
		return stays(fm->path, why);
	before = fm->state;
	swap_configs(&fm->config, new);
	why = unfinished(fm, "the configuration has changed");
	if (!why)
		return NULL;
	snprintf(kept, sizeof(kept), "%.190s", why);
	go_back(fm, new, &before);
	return stays(fm->path, kept);
}

/* Of what a manager is started with. */
static void keep(struct fm_config *new, const struct fm_config *old)
{
	char *state = strdup(old->state), *socket = strdup(old->socket);

	if (!state || !socket)
		abort();
	free(new->state);
	free(new->socket);
	new->state = state;
	new->socket = socket;
	new->beat_ms = old->beat_ms;
}

const char *fm_reload(struct fm *fm)
{
	const char *why = NULL;
	struct fm_config new;

	if (fm_config_load(&new, fm->path))
		return stays(fm->path, "it is wrong, as the manager's log says");
	keep(&new, &fm->config);
	if (fm->claimed && !fm->why[0] && fm->ready &&
	    moves(&fm->config, &new, &fm->state))
		why = commit(fm, &new);
	else
		swap_configs(&fm->config, &new);
	fm_config_free(&new);
	if (!why)
		fm_log(FM_NOTE, "%s: read again", fm->path);
	fm_soon(fm, 0);
	return why;
}
