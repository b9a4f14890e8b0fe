// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues of users that halted by an error: counted by status, the latest kept
 * with the command that failed, told to devlink by a reporter of their own.
 *
 * Such an error is its user's affair, and over at once: all that is left to do
 * is to make a new queue. It is no fault of the device, so it must not take the
 * place of one: the reporter "device" keeps the first dump that nobody has
 * looked at, and a user can halt as many queues as he likes. For the same reason
 * there is no line in the log unless somebody debugs.
 *
 * When the kernel's own queue halts, or is stuck, no user has done that. It is in
 * the same reporter, counted and kept apart.
 */
#include <linux/seq_buf.h>
#include <net/devlink.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "alink_xpu_drv.h"

static_assert(ALINK_ST_FW_SECURITY < XPU_NUM_STATUSES);

/* devlink is told this late, and so once for all that halt within this time */
#define XPU_QERR_DELAY		HZ

/* --- what failed -------------------------------------------------------- */

static u64 command_word(struct xpu_queue *q, u32 reg)
{
	return alink_rd64(q->xdev->adev, ALINK_XPU_QI(q->hw_id, reg));
}

static bool command_is_there(struct xpu_queue *q)
{
	/* Also not when it is all ones: in a reset */
	return alink_rd32(q->xdev->adev,
			  ALINK_XPU_QI(q->hw_id, ALINK_XPU_QI_DESC)) == 1;
}

static void command_fetch(struct xpu_queue *q,
			  struct drm_alink_xpu_queue_command *desc)
{
	u64 op = command_word(q, ALINK_XPU_QI_DESC_OP);

	desc->opcode = op & U8_MAX;
	desc->flags = (op >> 8) & U8_MAX;
	desc->dtype = (op >> 16) & U8_MAX;
	desc->subop = (op >> 24) & U8_MAX;
	desc->reserved = upper_32_bits(op);
	desc->dst = command_word(q, ALINK_XPU_QI_DESC_DST);
	desc->src = command_word(q, ALINK_XPU_QI_DESC_SRC);
	desc->src2 = command_word(q, ALINK_XPU_QI_DESC_SRC2);
	desc->len = command_word(q, ALINK_XPU_QI_DESC_LEN);
	desc->fence_addr = command_word(q, ALINK_XPU_QI_DESC_FENCE);
	desc->fence_value = command_word(q, ALINK_XPU_QI_DESC_VALUE);
}

static void command_decode(const struct alink_xpu_desc *from,
			   struct drm_alink_xpu_queue_command *desc)
{
	*desc = (struct drm_alink_xpu_queue_command) {
		.opcode = from->opcode,
		.flags = from->flags,
		.dtype = from->dtype,
		.subop = from->subop,
		.reserved = le32_to_cpu(from->reserved),
		.dst = le64_to_cpu(from->dst),
		.src = le64_to_cpu(from->src),
		.src2 = le64_to_cpu(from->src2),
		.len = le64_to_cpu(from->len),
		.fence_addr = le64_to_cpu(from->fence_addr),
		.fence_value = le64_to_cpu(from->fence_value),
	};
}

/**
 * alink_xpu_command_read - ask the device at which command a queue stands
 * @q:		queue that has halted, or is stuck
 * @command:	out: not valid if the device does not tell
 *
 * The ring may hold something else by now.
 *
 * Context: any but hard interrupt; does not sleep.
 */
void alink_xpu_command_read(struct xpu_queue *q, struct xpu_command *command)
{
	int idx;

	memset(command, 0, sizeof(*command));
	/* A queue that is just being made: that number is the kernel's. */
	if (!q->xdev->info.queue_info || q->hw_id == XPU_KERNEL_QUEUE)
		return;
	if (!drm_dev_enter(&q->xdev->drm, &idx))
		return;
	if (command_is_there(q)) {
		command_fetch(q, &command->desc);
		/* There has been no reset meanwhile. */
		command->valid = command_is_there(q);
	}
	drm_dev_exit(idx);
	if (!command->valid)
		memset(command, 0, sizeof(*command));
}

/**
 * alink_xpu_command_dump - a command for a dump of the device
 * @s:		dump
 * @command:	command, which may be not valid
 *
 * The value of its fence stays out: it has no part in any failure.
 */
void alink_xpu_command_dump(struct seq_buf *s,
			    const struct xpu_command *command)
{
	const struct drm_alink_xpu_queue_command *d = &command->desc;

	if (!command->valid)
		return;
	seq_buf_printf(s, "  command: opcode %u, flags %#x, dtype %u, subop %u, reserved %#x",
		       d->opcode, d->flags, d->dtype, d->subop, d->reserved);
	seq_buf_printf(s, ", dst %#llx, src %#llx, src2 %#llx, len %#llx, fence %#llx\n",
		       d->dst, d->src, d->src2, d->len, d->fence_addr);
}

/* --- counting ----------------------------------------------------------- */

static unsigned int qerr_slot(u32 status)
{
	/* Users can write the status block: anything may stand there. */
	if (status >= XPU_NUM_STATUSES ||
	    alink_status_errno(status) == -EPROTO)
		return ALINK_ST_OK;
	return status;
}

static const char *qerr_name(unsigned int slot)
{
	return alink_status_name(slot == ALINK_ST_OK ? U16_MAX : slot);
}

static void qerr_add(struct xpu_device *xdev, struct xpu_qerr_log *log,
		     struct xpu_qerr *one)
{
	struct xpu_qerrs *qerrs = &xdev->qerrs;
	int idx;

	spin_lock(&qerrs->lock);
	one->number = log->total++;
	log->last[one->number % XPU_NUM_QERRS] = *one;
	log->counts[qerr_slot(one->error.status)]++;
	spin_unlock(&qerrs->lock);

	/* Who removes the device cancels it, and wants no other. */
	if (!drm_dev_enter(&xdev->drm, &idx))
		return;
	queue_delayed_work(system_unbound_wq, &qerrs->work, XPU_QERR_DELAY);
	drm_dev_exit(idx);
}

/**
 * alink_xpu_qerr_note - count a queue that halts by an error, and keep it
 * @q:		queue, its lock held, error and command in place; it ran until
 *		now, so that it is counted once, and its VM is there
 *
 * Context: any but hard interrupt; does not sleep.
 */
void alink_xpu_qerr_note(struct xpu_queue *q)
{
	struct xpu_device *xdev = q->xdev;
	struct xpu_qerr one = {
		.hw_id = q->hw_id,
		.pid = q->vm->pid,
		.error = q->error,
		.command = q->command,
	};

	lockdep_assert_held(&q->lock);

	strscpy(one.comm, q->vm->comm, sizeof(one.comm));
	qerr_add(xdev, &xdev->qerrs.users, &one);
	drm_dbg_ratelimited(&xdev->drm,
			    "queue %u of %s[%d] halts at descriptor %u: %s, address %#llx\n",
			    q->hw_id, q->vm->comm, q->vm->pid, q->error.index,
			    alink_status_str(q->error.status), q->error.addr);
}

/**
 * alink_xpu_qerr_note_kernel - count that the kernel's own queue halted, or was
 * stuck, and keep it
 * @xdev:	device
 * @error:	why
 * @desc:	at what
 *
 * Context: process that waited for it.
 */
void alink_xpu_qerr_note_kernel(struct xpu_device *xdev,
				const struct drm_alink_xpu_queue_error *error,
				const struct alink_xpu_desc *desc)
{
	struct xpu_qerr one = {
		.hw_id = XPU_KERNEL_QUEUE,
		.pid = task_tgid_nr(current),
		.error = *error,
		.command.valid = true,
	};

	command_decode(desc, &one.command.desc);
	get_task_comm(one.comm, current);
	qerr_add(xdev, &xdev->qerrs.kernel, &one);
}

static u64 qerr_total(struct xpu_device *xdev, const struct xpu_qerr_log *log)
{
	struct xpu_qerrs *qerrs = &xdev->qerrs;
	u64 total;

	spin_lock(&qerrs->lock);
	total = log->total;
	spin_unlock(&qerrs->lock);
	return total;
}

static void qerr_counts(struct xpu_device *xdev, const struct xpu_qerr_log *log,
			u64 counts[XPU_NUM_STATUSES])
{
	struct xpu_qerrs *qerrs = &xdev->qerrs;

	spin_lock(&qerrs->lock);
	memcpy(counts, log->counts, sizeof(log->counts));
	spin_unlock(&qerrs->lock);
}

/* The @age-th before the latest. Return: false if it is not kept. */
static bool qerr_get(struct xpu_device *xdev, const struct xpu_qerr_log *log,
		     unsigned int age, struct xpu_qerr *one)
{
	struct xpu_qerrs *qerrs = &xdev->qerrs;
	bool found;

	spin_lock(&qerrs->lock);
	found = age < XPU_NUM_QERRS && age < log->total;
	if (found)
		*one = log->last[(log->total - 1 - age) % XPU_NUM_QERRS];
	spin_unlock(&qerrs->lock);
	return found;
}

/* How many there are that devlink has not been told of, and the latest */
static u64 qerr_news(struct xpu_device *xdev, struct xpu_qerr_log *log,
		     struct xpu_qerr *one)
{
	struct xpu_qerrs *qerrs = &xdev->qerrs;
	u64 num;

	spin_lock(&qerrs->lock);
	num = log->total - log->told;
	log->told = log->total;
	spin_unlock(&qerrs->lock);
	return num && qerr_get(xdev, log, 0, one) ? num : 0;
}

/* --- devlink ------------------------------------------------------------ */

static void qerr_put_recovery(struct devlink_fmsg *fmsg)
{
	devlink_fmsg_u32_pair_put(fmsg, "recovery_class",
				  ALINK_RECOVERY_CONTEXT);
	devlink_fmsg_string_pair_put(fmsg, "recovery",
				     alink_recovery_str(ALINK_RECOVERY_CONTEXT));
}

static void qerr_put_counts(struct devlink_fmsg *fmsg, struct xpu_device *xdev,
			    const struct xpu_qerr_log *log)
{
	u64 counts[XPU_NUM_STATUSES];
	unsigned int i;

	qerr_counts(xdev, log, counts);
	for (i = 0; i < XPU_NUM_STATUSES; i++)
		if (counts[i])
			devlink_fmsg_u64_pair_put(fmsg, qerr_name(i),
						  counts[i]);
}

/**
 * alink_xpu_qerr_put_totals - how many queues halted by an error, since probe
 * @xdev:	device
 * @fmsg:	message of devlink
 */
void alink_xpu_qerr_put_totals(struct xpu_device *xdev,
			       struct devlink_fmsg *fmsg)
{
	devlink_fmsg_u64_pair_put(fmsg, "queue_errors",
				  qerr_total(xdev, &xdev->qerrs.users));
	devlink_fmsg_u64_pair_put(fmsg, "kernel_queue_errors",
				  qerr_total(xdev, &xdev->qerrs.kernel));
}

static int qerr_diagnose(struct devlink_health_reporter *reporter,
			 struct devlink_fmsg *fmsg,
			 struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);

	alink_xpu_qerr_put_totals(xdev, fmsg);
	qerr_put_counts(fmsg, xdev, &xdev->qerrs.users);
	qerr_put_recovery(fmsg);
	/* Their names are those of users' as well. */
	devlink_fmsg_pair_nest_start(fmsg, "kernel");
	devlink_fmsg_obj_nest_start(fmsg);
	qerr_put_counts(fmsg, xdev, &xdev->qerrs.kernel);
	devlink_fmsg_obj_nest_end(fmsg);
	devlink_fmsg_pair_nest_end(fmsg);
	return 0;
}

static void qerr_put_command(struct devlink_fmsg *fmsg,
			     const struct drm_alink_xpu_queue_command *d)
{
	devlink_fmsg_u32_pair_put(fmsg, "opcode", d->opcode);
	devlink_fmsg_u32_pair_put(fmsg, "flags", d->flags);
	devlink_fmsg_u32_pair_put(fmsg, "dtype", d->dtype);
	devlink_fmsg_u32_pair_put(fmsg, "subop", d->subop);
	devlink_fmsg_u32_pair_put(fmsg, "reserved", d->reserved);
	devlink_fmsg_u64_pair_put(fmsg, "dst", d->dst);
	devlink_fmsg_u64_pair_put(fmsg, "src", d->src);
	devlink_fmsg_u64_pair_put(fmsg, "src2", d->src2);
	devlink_fmsg_u64_pair_put(fmsg, "len", d->len);
	devlink_fmsg_u64_pair_put(fmsg, "fence", d->fence_addr);
}

static void qerr_put_one(struct devlink_fmsg *fmsg, const struct xpu_qerr *one)
{
	devlink_fmsg_obj_nest_start(fmsg);
	devlink_fmsg_u64_pair_put(fmsg, "number", one->number);
	devlink_fmsg_u32_pair_put(fmsg, "queue", one->hw_id);
	devlink_fmsg_string_pair_put(fmsg, "process", one->comm);
	devlink_fmsg_u32_pair_put(fmsg, "pid", one->pid);
	devlink_fmsg_string_pair_put(fmsg, "status",
				     qerr_name(qerr_slot(one->error.status)));
	devlink_fmsg_u32_pair_put(fmsg, "descriptor", one->error.index);
	devlink_fmsg_u64_pair_put(fmsg, "address", one->error.addr);
	if (one->command.valid)
		qerr_put_command(fmsg, &one->command.desc);
	devlink_fmsg_obj_nest_end(fmsg);
}

/* All that are kept, the latest first */
static void qerr_put_log(struct devlink_fmsg *fmsg, struct xpu_device *xdev,
			 const char *name, const struct xpu_qerr_log *log)
{
	struct xpu_qerr one;
	unsigned int age;

	devlink_fmsg_arr_pair_nest_start(fmsg, name);
	for (age = 0; qerr_get(xdev, log, age, &one); age++)
		qerr_put_one(fmsg, &one);
	devlink_fmsg_arr_pair_nest_end(fmsg);
}

static int qerr_dump(struct devlink_health_reporter *reporter,
		     struct devlink_fmsg *fmsg, void *priv_ctx,
		     struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);

	alink_xpu_qerr_put_totals(xdev, fmsg);
	qerr_put_recovery(fmsg);
	qerr_put_log(fmsg, xdev, "latest", &xdev->qerrs.users);
	qerr_put_log(fmsg, xdev, "kernel_latest", &xdev->qerrs.kernel);
	return 0;
}

/*
 * Nothing is left to do: the queues have ended, their users make new ones. So does
 * the kernel; where that does not help the reporter "device" is told.
 */
static int qerr_recover(struct devlink_health_reporter *reporter,
			void *priv_ctx, struct netlink_ext_ack *extack)
{
	return 0;
}

/* Who asks holds the lock that a report takes. */
static int qerr_test(struct devlink_health_reporter *reporter,
		     struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);

	WRITE_ONCE(xdev->qerrs.test, true);
	mod_delayed_work(system_unbound_wq, &xdev->qerrs.work, 0);
	return 0;
}

static const struct devlink_health_reporter_ops qerr_reporter_ops = {
	.name = "queue",
	.recover = qerr_recover,
	.diagnose = qerr_diagnose,
	.dump = qerr_dump,
	.test = qerr_test,
};

static void qerr_work(struct work_struct *work)
{
	struct xpu_qerrs *qerrs = container_of(to_delayed_work(work),
					       struct xpu_qerrs, work);
	struct xpu_device *xdev = container_of(qerrs, struct xpu_device, qerrs);
	struct xpu_qerr one;
	char why[160];
	u64 num;

	if (xchg(&qerrs->test, false))
		devlink_health_report(qerrs->reporter, ALINK_DEVLINK_TEST, NULL);
	num = qerr_news(xdev, &qerrs->users, &one);
	if (num) {
		snprintf(why, sizeof(why),
			 "%llu queues halted, queue %u of %s[%d]: %s", num,
			 one.hw_id, one.comm, one.pid,
			 alink_status_str(one.error.status));
		devlink_health_report(qerrs->reporter, why, NULL);
	}
	num = qerr_news(xdev, &qerrs->kernel, &one);
	if (num) {
		snprintf(why, sizeof(why),
			 "kernel's queue failed, %llu times, for %s[%d]: %s",
			 num, one.comm, one.pid,
			 alink_status_str(one.error.status));
		devlink_health_report(qerrs->reporter, why, NULL);
	}
}

/**
 * alink_xpu_qerr_reporter_create - health reporter for queues
 * @xdev:	device
 * @devlink:	its devlink instance, locked, not registered yet
 *
 * Return: 0 or -errno.
 */
int alink_xpu_qerr_reporter_create(struct xpu_device *xdev,
				   struct devlink *devlink)
{
	struct devlink_health_reporter *reporter;

	reporter = devl_health_reporter_create(devlink, &qerr_reporter_ops, 0,
					       xdev);
	if (IS_ERR(reporter))
		return PTR_ERR(reporter);
	xdev->qerrs.reporter = reporter;
	return 0;
}

/* The devlink instance is locked; alink_xpu_qerrs_fini() was here before. */
void alink_xpu_qerr_reporter_destroy(struct xpu_device *xdev)
{
	devl_health_reporter_destroy(xdev->qerrs.reporter);
	xdev->qerrs.reporter = NULL;
}

/* --- life --------------------------------------------------------------- */

void alink_xpu_qerrs_init(struct xpu_device *xdev)
{
	spin_lock_init(&xdev->qerrs.lock);
	INIT_DELAYED_WORK(&xdev->qerrs.work, qerr_work);
}

/* After drm_dev_unplug(), or before anybody could open the device. */
void alink_xpu_qerrs_fini(struct xpu_device *xdev)
{
	/* devlink may still ask for a test. */
	disable_delayed_work_sync(&xdev->qerrs.work);
}

/* --- sysfs -------------------------------------------------------------- */

static ssize_t qerr_show(struct xpu_device *xdev, const struct xpu_qerr_log *log,
			 char *buf)
{
	u64 counts[XPU_NUM_STATUSES];
	unsigned int i;
	int len = 0;

	qerr_counts(xdev, log, counts);
	/* 64 lines of up to 34 characters: less than a page */
	for (i = 0; i < XPU_NUM_STATUSES; i++)
		if (counts[i])
			len += sysfs_emit_at(buf, len, "%s %llu\n",
					     qerr_name(i), counts[i]);
	return len;
}

static ssize_t queue_errors_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	struct xpu_device *xdev = dev_get_drvdata(dev);

	return qerr_show(xdev, &xdev->qerrs.users, buf);
}
static DEVICE_ATTR_RO(queue_errors);

static ssize_t kernel_queue_errors_show(struct device *dev,
					struct device_attribute *attr,
					char *buf)
{
	struct xpu_device *xdev = dev_get_drvdata(dev);

	return qerr_show(xdev, &xdev->qerrs.kernel, buf);
}
static DEVICE_ATTR_RO(kernel_queue_errors);

static struct attribute *xpu_qerr_attrs[] = {
	&dev_attr_queue_errors.attr,
	&dev_attr_kernel_queue_errors.attr,
	NULL
};

/* Files of the PCI function, from probe to remove */
const struct attribute_group alink_xpu_qerr_group = {
	.attrs = xpu_qerr_attrs,
};
