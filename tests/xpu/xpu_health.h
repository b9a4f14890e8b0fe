/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What devlink says of the health of an xPU.
 */
#ifndef XPU_HEALTH_H
#define XPU_HEALTH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A number behind the first such key behind the key @in, or -1; states are 0 for
 * "healthy" and 1 for "error". @command: show, diagnose, "dump show"; @sysfs: the
 * PCI function
 */
static inline long health_number_in(const char *sysfs, const char *reporter,
				    const char *command, const char *in,
				    const char *key)
{
	static char text[65536];
	char line[256], *at;
	size_t len;
	FILE *f;

	snprintf(line, sizeof(line),
		 "devlink -j health %s pci/%s reporter %s", command,
		 strrchr(sysfs, '/') + 1, reporter);
	f = popen(line, "re");
	if (!f)
		return -1;
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	if (pclose(f))
		return -1;
	at = text;
	if (in) {
		snprintf(line, sizeof(line), "\"%s\":", in);
		at = strstr(at, line);
		if (!at)
			return -1;
	}
	snprintf(line, sizeof(line), "\"%s\":", key);
	at = strstr(at, line);
	if (!at)
		return -1;
	at += strlen(line);
	if (!strncmp(at, "\"healthy\"", 9))
		return 0;
	if (!strncmp(at, "\"error\"", 7))
		return 1;
	return strtol(at, NULL, 0);
}

/* The same, wherever it is */
static inline long health_number(const char *sysfs, const char *reporter,
				 const char *command, const char *key)
{
	return health_number_in(sysfs, reporter, command, NULL, key);
}

/* The next dump is made when it is asked for. */
static inline int health_clear(const char *sysfs, const char *reporter)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "devlink health dump clear pci/%s reporter %s",
		 strrchr(sysfs, '/') + 1, reporter);
	return system(line);
}

/* Faults and errors are told by workers. */
static inline int health_becomes(const char *sysfs, const char *reporter,
				 const char *command, const char *key,
				 long value)
{
	int i;

	for (i = 0; i < 300; i++) {
		if (health_number(sysfs, reporter, command, key) == value)
			return 1;
		usleep(100000);
	}
	return 0;
}

#endif /* XPU_HEALTH_H */
