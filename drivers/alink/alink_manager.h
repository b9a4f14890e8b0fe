/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who manages the fabric: what alink_netlink_manager.c knows, for devlink's
 * health reporters, alink_manager_health.c.
 */
#ifndef ALINK_MANAGER_H
#define ALINK_MANAGER_H

#include <linux/types.h>

#include <uapi/linux/alink.h>

/**
 * struct alink_manager_view - the manager at one moment
 * @state:	enum alink_manager_state
 * @name:	its name; that of the last one when there is none; "": nobody ever
 * @pid:	the same of its process, in the initial namespace
 * @beat_ms:	it promised to beat that often
 * @age_ms:	since it last did
 * @epoch:	claims since the module was loaded
 * @silent:	it has been told that it is silent
 * @lost:	the last one went without saying so
 * @silences:	times that one became silent, since the module was loaded
 * @losses:	times that one was lost
 */
struct alink_manager_view {
	u32 state;
	char name[ALINK_MANAGER_NAME_LEN + 1];
	int pid;
	u32 beat_ms;
	u64 age_ms;
	u32 epoch;
	bool silent;
	bool lost;
	u32 silences;
	u32 losses;
};

/* alink_netlink_manager.c */
void alink_manager_look(struct alink_manager_view *view);
void alink_manager_forgive(void);

/* alink_manager_health.c */
void alink_manager_changed(void);

#endif /* ALINK_MANAGER_H */
