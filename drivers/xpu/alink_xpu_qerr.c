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
	struct xpu_qerrs *qerrs = &xdev->qerrs;
	struct xpu_qerr *one;
	int idx;

	lockdep_assert_held(&q->lock);

	spin_lock(&qerrs->lock);
	one = &qerrs->last[qerrs->total % XPU_NUM_QERRS];
	one->number = qerrs->total++;
	one->hw_id = q->hw_id;
	one->pid = q->vm->pid;
	strscpy(one->comm, q->vm->comm, sizeof(one->comm));
	one->error = q->error;
	one->command = q->command;
	qerrs->counts[qerr_slot(q->error.status)]++;
	spin_unlock(&qerrs->lock);

	drm_dbg_ratelimited(&xdev->drm,
			    "queue %u of %s[%d] halts at descriptor %u: %s, address %#llx\n",
			    q->hw_id, q->vm->comm, q->vm->pid, q->error.index,
			    alink_status_str(q->error.status), q->error.addr);
	/* Who removes the device cancels it, and wants no other. */
	if (!drm_dev_enter(&xdev->drm, &idx))
		return;
	queue_delayed_work(system_unbound_wq, &qerrs->work, XPU_QERR_DELAY);
	drm_dev_exit(idx);
}

/* Queues that halted by an error, since probe */
u64 alink_xpu_qerr_total(struct xpu_device *xdev)
{
	struct xpu_qerrs *qerrs = &xdev->qerrs;
	u64 total;

	spin_lock(&qerrs->lock);
	total = qerrs->total;
	spin_unlock(&qerrs->lock);
	return total;
}

static void qerr_counts(struct xpu_device *xdev, u64 counts[XPU_NUM_STATUSES])
{
	struct xpu_qerrs *qerrs = &xdev->qerrs;

	spin_lock(&qerrs->lock);
	memcpy(counts, qerrs->counts, sizeof(qerrs->counts));
	spin_unlock(&qerrs->lock);
}

/* The @age-th before the latest. Return: false if it is not kept. */
static bool qerr_get(struct xpu_device *xdev, unsigned int age,
		     struct xpu_qerr *one)
{
	struct xpu_qerrs *qerrs = &xdev->qerrs;
	bool found;

	spin_lock(&qerrs->lock);
	found = age < XPU_NUM_QERRS && age < qerrs->total;
	if (found)
		*one = qerrs->last[(qerrs->total - 1 - age) % XPU_NUM_QERRS];
	spin_unlock(&qerrs->lock);
	return found;
}

/* --- devlink ------------------------------------------------------------ */

static void qerr_put_recovery(struct devlink_fmsg *fmsg)
{
	devlink_fmsg_u32_pair_put(fmsg, "recovery_class",
				  ALINK_RECOVERY_CONTEXT);
	devlink_fmsg_string_pair_put(fmsg, "recovery",
				     alink_recovery_str(ALINK_RECOVERY_CONTEXT));
}

static int qerr_diagnose(struct devlink_health_reporter *reporter,
			 struct devlink_fmsg *fmsg,
			 struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);
	u64 counts[XPU_NUM_STATUSES];
	unsigned int i;

	devlink_fmsg_u64_pair_put(fmsg, "queue_errors",
				  alink_xpu_qerr_total(xdev));
	qerr_counts(xdev, counts);
	for (i = 0; i < XPU_NUM_STATUSES; i++)
		if (counts[i])
			devlink_fmsg_u64_pair_put(fmsg, qerr_name(i),
						  counts[i]);
	qerr_put_recovery(fmsg);
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
static int qerr_dump(struct devlink_health_reporter *reporter,
		     struct devlink_fmsg *fmsg, void *priv_ctx,
		     struct netlink_ext_ack *extack)
{
	struct xpu_device *xdev = devlink_health_reporter_priv(reporter);
	struct xpu_qerr one;
	unsigned int age;

	devlink_fmsg_u64_pair_put(fmsg, "queue_errors",
				  alink_xpu_qerr_total(xdev));
	qerr_put_recovery(fmsg);
	devlink_fmsg_arr_pair_nest_start(fmsg, "latest");
	for (age = 0; qerr_get(xdev, age, &one); age++)
		qerr_put_one(fmsg, &one);
	devlink_fmsg_arr_pair_nest_end(fmsg);
	return 0;
}

/* Nothing is left to do: the queues have ended, their users make new ones. */
static int qerr_recover(struct devlink_health_reporter *reporter,
			void *priv_ctx, struct netlink_ext_ack *extack)
{
	return 0;
}

static const struct devlink_health_reporter_ops qerr_reporter_ops = {
	.name = "queue",
	.recover = qerr_recover,
	.diagnose = qerr_diagnose,
	.dump = qerr_dump,
};

static void qerr_work(struct work_struct *work)
{
	struct xpu_qerrs *qerrs = container_of(to_delayed_work(work),
					       struct xpu_qerrs, work);
	struct xpu_device *xdev = container_of(qerrs, struct xpu_device, qerrs);
	struct xpu_qerr one;
	char why[160];
	u64 num;

	spin_lock(&qerrs->lock);
	num = qerrs->total - qerrs->told;
	qerrs->told = qerrs->total;
	spin_unlock(&qerrs->lock);
	if (!num || !qerr_get(xdev, 0, &one))
		return;
	snprintf(why, sizeof(why), "%llu queues halted, queue %u of %s[%d]: %s",
		 num, one.hw_id, one.comm, one.pid,
		 alink_status_str(one.error.status));
	devlink_health_report(qerrs->reporter, why, NULL);
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
	cancel_delayed_work_sync(&xdev->qerrs.work);
}

/* --- sysfs -------------------------------------------------------------- */

static ssize_t queue_errors_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	struct xpu_device *xdev = dev_get_drvdata(dev);
	u64 counts[XPU_NUM_STATUSES];
	unsigned int i;
	int len = 0;

	qerr_counts(xdev, counts);
	/* 64 lines of up to 34 characters: less than a page */
	for (i = 0; i < XPU_NUM_STATUSES; i++)
		if (counts[i])
			len += sysfs_emit_at(buf, len, "%s %llu\n",
					     qerr_name(i), counts[i]);
	return len;
}
static DEVICE_ATTR_RO(queue_errors);

static struct attribute *xpu_qerr_attrs[] = {
	&dev_attr_queue_errors.attr,
	NULL
};

/* Files of the PCI function, from probe to remove */
const struct attribute_group alink_xpu_qerr_group = {
	.attrs = xpu_qerr_attrs,
};
