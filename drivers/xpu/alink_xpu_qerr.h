/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues that halted: alink_xpu_qerr.c.
 */
#ifndef ALINK_XPU_QERR_H
#define ALINK_XPU_QERR_H

#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <drm/alink_xpu.h>

struct alink_xpu_desc;
struct devlink;
struct devlink_fmsg;
struct devlink_health_reporter;
struct seq_buf;
struct xpu_device;
struct xpu_queue;

/* As many are remembered, the latest */
#define XPU_NUM_QERRS		16
/* Every enum alink_status is below */
#define XPU_NUM_STATUSES	64

/**
 * struct xpu_command - the descriptor at which a queue halted
 * @valid:	the device has told it
 * @desc:	what the user is told
 */
struct xpu_command {
	bool valid;
	struct drm_alink_xpu_queue_command desc;
};

/**
 * struct xpu_qerr - a queue that halted
 * @number:	so many of its log did before, since probe
 * @hw_id:	queue of the device
 * @pid:	process that made its VM, in the initial namespace; of the kernel's
 *		own queue the one that waited for it
 * @comm:	name of that process
 * @error:	why
 * @command:	at what
 */
struct xpu_qerr {
	u64 number;
	u32 hw_id;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	struct drm_alink_xpu_queue_error error;
	struct xpu_command command;
};

/**
 * struct xpu_qerr_log - queues that halted by an error, since probe
 * @counts:	by enum alink_status; at ALINK_ST_OK those that the contract
 *		does not know
 * @last:	the latest, number n at n % XPU_NUM_QERRS
 * @total:	all of them
 * @told:	of them, taken by xpu_qerrs.work
 */
struct xpu_qerr_log {
	u64 counts[XPU_NUM_STATUSES];
	struct xpu_qerr last[XPU_NUM_QERRS];
	u64 total;
	u64 told;
};

/**
 * struct xpu_qerrs - the queues of users, and apart from them the kernel's own:
 * users can halt as many as they like, and must not push that out
 * @lock:	protects @users and @kernel
 * @users:	queues of users
 * @kernel:	the kernel's own queue, each time
 * @test:	a report was asked for
 * @work:	tells devlink
 * @reporter:	health reporter of devlink
 */
struct xpu_qerrs {
	/* protects users and kernel; innermost */
	spinlock_t lock;
	struct xpu_qerr_log users;
	struct xpu_qerr_log kernel;
	bool test;
	struct delayed_work work;
	struct devlink_health_reporter *reporter;
};

extern const struct attribute_group alink_xpu_qerr_group;
void alink_xpu_command_read(struct xpu_queue *q, struct xpu_command *command);
void alink_xpu_command_dump(struct seq_buf *s,
			    const struct xpu_command *command);
void alink_xpu_qerr_note(struct xpu_queue *q);
void alink_xpu_qerr_note_kernel(struct xpu_device *xdev,
				const struct drm_alink_xpu_queue_error *error,
				const struct alink_xpu_desc *desc);
void alink_xpu_qerr_put_totals(struct xpu_device *xdev,
			       struct devlink_fmsg *fmsg);
void alink_xpu_qerrs_init(struct xpu_device *xdev);
void alink_xpu_qerrs_fini(struct xpu_device *xdev);
int alink_xpu_qerr_reporter_create(struct xpu_device *xdev,
				   struct devlink *devlink);
void alink_xpu_qerr_reporter_destroy(struct xpu_device *xdev);

#endif /* ALINK_XPU_QERR_H */
