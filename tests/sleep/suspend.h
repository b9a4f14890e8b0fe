/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of suspend share: the machine sleeps, for real (topology key
 * "sleeps"), and HBM loses its power.
 */
#ifndef SUSPEND_H
#define SUSPEND_H

#include <sys/klog.h>

#include "evict.h"

#define POWER	"/sys/power/"
#define ALARM	"/sys/class/rtc/rtc0/wakealarm"

/* From here on an event that is to wake the machine keeps it from sleeping. */
static inline int arm(void)
{
	char count[32];
	int err = -EIO, i;

	for (i = 0; i < 100 && err; i++) {
		if (read_file(POWER "wakeup_count", count, sizeof(count)) > 0)
			err = write_file(POWER "wakeup_count", count);
		if (err)
			usleep(10000);
	}
	return err;
}

static inline int fall_asleep_for(unsigned int seconds, bool *early)
{
	char text[32];
	int err;

	*early = false;
	snprintf(text, sizeof(text), "+%u", seconds);
	err = write_file(ALARM, "0") ?: arm() ?: write_file(ALARM, text) ?:
	      write_file(POWER "mem_sleep", "deep");
	if (err)
		return err;
	err = write_file(POWER "state", "mem");
	/* The alarm is taken off by a worker. */
	usleep(100000);
	*early = err == -EBUSY && read_file(ALARM, text, sizeof(text)) == 0;
	write_file(ALARM, "0");
	return err;
}

/*
 * Sleeps until the clock wakes the machine up. It may do so before the machine
 * has fallen asleep, if that is a slow one. Returns 0, or why it did not sleep.
 */
static inline int fall_asleep(void)
{
	static const unsigned int seconds[] = { 5, 20, 60, 120 };
	bool early = true;
	unsigned int i;
	int err = 0;

	for (i = 0; i < 4 && early; i++)
		err = fall_asleep_for(seconds[i], &early);
	return err;
}

static inline bool log_says(const char *text)
{
	char *log = calloc(1, MIB);
	bool found;

	found = klogctl(3, log, MIB - 1) > 0 && strstr(log, text);
	free(log);
	return found;
}

/* A queue in the place of one that was ended */
static inline int renew(struct evict *o)
{
	xq_close(&o->q);
	return xq_open(&o->q, o->fd, o->vm, VA_Q, 64);
}

static inline void canceled(struct __test_metadata *_metadata,
			    const struct xq *q)
{
	uint32_t state;

	ASSERT_EQ(queue_state(q->fd, q->id, &state, NULL), 0);
	EXPECT_EQ(state, DRM_ALINK_XPU_QUEUE_CANCELED);
}

#endif /* SUSPEND_H */
