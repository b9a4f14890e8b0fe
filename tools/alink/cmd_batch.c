// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink --batch: many commands in one process, as ip and devlink have it. A
 * fabric has thousands of routes, and a process for each takes longer than
 * the route.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

#define BATCH_BLANKS	" \t\r\n"
#define BATCH_WORDS	16

/* The words of a line, whose end or '#' ends them; more than fit are counted. */
static int batch_split(char *line, char **words)
{
	char *rest = NULL, *word;
	int n = 0;

	for (word = strtok_r(line, BATCH_BLANKS, &rest); word && *word != '#';
	     word = strtok_r(NULL, BATCH_BLANKS, &rest)) {
		if (n < BATCH_WORDS)
			words[n] = word;
		n++;
	}
	return n;
}

static int batch_file(struct alink_cmd_env *env, FILE *f, const char *name)
{
	char *words[BATCH_WORDS], *line = NULL, where[256];
	unsigned long number = 0;
	int code = EXIT_OK, n;
	size_t room = 0;

	env->where = where;
	while (code == EXIT_OK && getline(&line, &room, f) >= 0) {
		snprintf(where, sizeof(where), "%s:%lu: ", name, ++number);
		n = batch_split(line, words);
		if (n > BATCH_WORDS)
			code = cmd_refuse(env, EXIT_USAGE, "more than %d words",
					  BATCH_WORDS);
		else if (n)
			code = cmd_run(env, n, words);
	}
	env->where = NULL;
	if (code == EXIT_OK && ferror(f))
		code = cmd_refuse(env, EXIT_FAILED, "%s: cannot be read", name);
	free(line);
	return code;
}

int cmd_batch(struct alink_cmd_env *env, const char *path)
{
	FILE *f;
	int code;

	if (!strcmp(path, "-"))
		return batch_file(env, stdin, "stdin");
	f = fopen(path, "re");
	if (!f)
		return cmd_refuse(env, EXIT_USAGE, "%s: %s", path,
				  strerror(errno));
	code = batch_file(env, f, path);
	fclose(f);
	return code;
}
