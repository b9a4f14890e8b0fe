/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of trace events share: on, off, and what was traced. */
#ifndef XPU_TRACE_H
#define XPU_TRACE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "xpu_lib.h"

#define TRACE	"/sys/kernel/tracing/"
#define EVENTS	TRACE "events/alink_xpu/"

static inline void trace_start(struct __test_metadata *_metadata)
{
	if (access(TRACE "trace", F_OK))
		ASSERT_EQ(mount("tracefs", TRACE, "tracefs", 0, NULL), 0);
	ASSERT_EQ(write_file(EVENTS "enable", "1"), 0);
	ASSERT_EQ(write_file(TRACE "tracing_on", "1"), 0);
	/* Opened so, it is emptied. */
	close(open(TRACE "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
}

/* What was traced since the start; to be freed */
static inline char *trace_stop(void)
{
	char *text = malloc(MIB);

	write_file(TRACE "tracing_on", "0");
	read_file(TRACE "trace", text, MIB);
	write_file(EVENTS "enable", "0");
	return text;
}

/* Number of lines that have an event, and behind it a text */
static inline int traced(const char *trace, const char *event,
			 const char *text)
{
	char name[64], *copy = strdup(trace), *line, *at, *save;
	int n = 0;

	snprintf(name, sizeof(name), " %s: ", event);
	for (line = strtok_r(copy, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		at = strstr(line, name);
		n += at && strstr(at, text);
	}
	free(copy);
	return n;
}

/* Waits until an event is there: what an interrupt does may come late. */
static inline void trace_wait(const char *event, const char *what)
{
	char *text = malloc(MIB);
	int i;

	for (i = 0; i < 300; i++) {
		read_file(TRACE "trace", text, MIB);
		if (traced(text, event, what))
			break;
		usleep(100000);
	}
	free(text);
}

/* The number behind a key in the first line that has an event; -1: none */
static inline long traced_number(const char *trace, const char *event,
				 const char *key)
{
	char name[64];
	const char *at;

	snprintf(name, sizeof(name), " %s: ", event);
	at = strstr(trace, name);
	at = at ? strstr(at, key) : NULL;
	return at ? strtol(at + strlen(key), NULL, 0) : -1;
}

#endif /* XPU_TRACE_H */
