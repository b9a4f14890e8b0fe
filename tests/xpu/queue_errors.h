/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often queues halted by an error, as sysfs has it.
 */
#ifndef QUEUE_ERRORS_H
#define QUEUE_ERRORS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "xpu_lib.h"

#define OF_USERS	"queue_errors"
#define OF_KERNEL	"kernel_queue_errors"

/* Behind a name in the file, or the sum of all without a name; 0: not there */
static inline uint64_t counted(const char *sysfs, const char *file,
			       const char *name)
{
	char path[512], text[4096], key[64], *line, *rest = text;
	unsigned long long n;
	uint64_t sum = 0;

	snprintf(path, sizeof(path), "%s/%s", sysfs, file);
	if (read_file(path, text, sizeof(text)) < 0)
		return ~0ULL;
	while ((line = strsep(&rest, "\n")) && *line) {
		if (sscanf(line, "%63s %llu", key, &n) != 2)
			return ~0ULL;
		if (!name || !strcmp(key, name))
			sum += n;
	}
	return sum;
}

#endif /* QUEUE_ERRORS_H */
