// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is kept of a fault: the latest ones by themselves, and of those that
 * stopped something a dump of the device (devcoredump, as text).
 *
 * A dump has what the device and the driver know, and what users asked for by
 * ioctl. Out of users' memory it has the commands that failed, and nothing else;
 * and no keys.
 */
#include <linux/devcoredump.h>
#include <linux/pci.h>
#include <linux/seq_buf.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

#define XPU_DUMP_SIZE		SZ_64K
#define XPU_DUMP_VERSION	1
/* A VM may have very many; the first say what kind of program it is. */
#define XPU_DUMP_BINDINGS	16

/* --- sections ----------------------------------------------------------- */

static const char *xpu_state_name(enum xpu_state state)
{
	static const char * const names[] = {
		[XPU_ACTIVE]	= "active",
		[XPU_RESETTING]	= "resetting",
		[XPU_FAILED]	= "failed",
		[XPU_STOPPING]	= "stopping",
		[XPU_GONE]	= "gone",
	};

	return names[state];
}

static void xpu_dump_memory(struct seq_buf *s, struct xpu_device *xdev)
{
	struct drm_alink_xpu_query_memory m = {};

	alink_xpu_hbm_usage(xdev, &m);
	alink_xpu_evict_usage(xdev, &m);
	seq_buf_printf(s, "HBM: %llu KiB of %llu KiB in use\n",
		       m.hbm_used >> 10, xdev->info.hbm_size >> 10);
	seq_buf_printf(s, "evicted: %llu KiB, %llu moves out, %llu back\n",
		       m.hbm_evicted >> 10, m.evictions, m.restores);
}

static void xpu_dump_head(struct seq_buf *s, struct xpu_device *xdev,
			  const char *why)
{
	const struct xpu_info *info = &xdev->info;
	time64_t now = ktime_get_real_seconds();
	struct alink_dev *adev = xdev->adev;
	u32 fw = alink_dev_fw_version(adev);

	seq_buf_printf(s, "alink_xpu dump, version %u\n", XPU_DUMP_VERSION);
	seq_buf_printf(s, "reason: %s\n", why);
	seq_buf_printf(s, "time: %ptTs UTC, %lld s since boot\n", &now,
		       ktime_get_boottime_seconds());
	seq_buf_printf(s, "kernel: %s\n", init_utsname()->release);
	seq_buf_printf(s, "driver: %s %d.%d\n", xdev->drm.driver->name,
		       xdev->drm.driver->major, xdev->drm.driver->minor);

	seq_buf_puts(s, "\n[device]\n");
	seq_buf_printf(s, "name: %s, %s, PCI %s\n", alink_dev_name(adev),
		       info->name, pci_name(xdev->pdev));
	seq_buf_printf(s, "variant: %#x, part %s, board %s, serial %#llx\n",
		       alink_dev_variant(adev), info->part_number,
		       info->board_serial, alink_dev_serial(adev));
	seq_buf_printf(s, "firmware: %u.%u.%u\n", fw >> 24, (fw >> 16) & 0xff,
		       fw & 0xffff);
	seq_buf_printf(s, "driver state: %s, generation %llu\n",
		       xpu_state_name(READ_ONCE(xdev->state)),
		       READ_ONCE(xdev->generation));
	xpu_dump_memory(s, xdev);
}

/**
 * struct xpu_dump_reg - a register that can be read at any time
 * @name:	as in the specification
 * @offset:	in BAR0
 * @wide:	64 bits
 */
struct xpu_dump_reg {
	const char *name;
	u32 offset;
	bool wide;
};

#define REG32(reg)	{ #reg, ALINK_##reg, false }
#define REG64(reg)	{ #reg, ALINK_##reg, true }

/* None that a read changes. */
static const struct xpu_dump_reg xpu_dump_regs[] = {
	REG32(REG_VERSION), REG64(REG_CAPS), REG32(REG_FABRIC_ID),
	REG32(REG_STATE), REG32(REG_CONTROL), REG32(REG_RESET_CAUSE),
	REG32(REG_GENERATION), REG32(REG_HEARTBEAT), REG64(REG_CLOCK),
	REG32(REG_GUEST_ERRORS), REG32(REG_GUEST_ERR_LAST),
	REG32(REG_FAULT_CODE), REG32(REG_FAULT_CLASS), REG64(REG_FAULT_ADDR),
	REG32(REG_FAULT_INFO),
	REG32(REG_ADMIN_CTRL), REG32(REG_EVENT_CTRL),
	REG32(REG_TEMP), REG32(REG_TEMP_MEM), REG32(REG_POWER),
	REG64(XPU_REG_BUSY_NS), REG64(XPU_REG_COMMANDS), REG64(XPU_REG_IRQS),
	REG64(XPU_REG_DOORBELLS),
};

static void xpu_dump_registers(struct seq_buf *s, struct xpu_device *xdev)
{
	const struct xpu_dump_reg *reg;
	unsigned int i;

	seq_buf_puts(s, "\n[registers]\n");
	for (i = 0; i < ARRAY_SIZE(xpu_dump_regs); i++) {
		reg = &xpu_dump_regs[i];
		if (reg->wide)
			seq_buf_printf(s, "%s: %#018llx\n", reg->name,
				       alink_rd64(xdev->adev, reg->offset));
		else
			seq_buf_printf(s, "%s: %#010x\n", reg->name,
				       alink_rd32(xdev->adev, reg->offset));
	}
}

static void xpu_dump_faults(struct seq_buf *s, struct xpu_device *xdev)
{
	struct xpu_faults *faults = &xdev->faults;
	const struct alink_event *event;
	u64 n, first;
	u32 code;

	spin_lock(&faults->lock);
	first = faults->total > XPU_NUM_FAULTS ?
		faults->total - XPU_NUM_FAULTS : 0;
	seq_buf_printf(s, "\n[faults] %llu\n", faults->total);
	for (n = first; n < faults->total; n++) {
		event = &faults->last[n % XPU_NUM_FAULTS];
		code = le32_to_cpu(event->code);
		seq_buf_printf(s, "%llu: time %llu ns, code %u:%u, unit %u",
			       n, le64_to_cpu(event->time_ns), code / 256,
			       code % 256, le32_to_cpu(event->id));
		seq_buf_printf(s, ", address %#llx, recovery %s\n",
			       le64_to_cpu(event->addr),
			       alink_recovery_str(le32_to_cpu(event->info)));
	}
	spin_unlock(&faults->lock);
}

static void xpu_dump_queue(struct seq_buf *s, struct xpu_queue *q, u32 id)
{
	static const char * const states[] = {
		[DRM_ALINK_XPU_QUEUE_RUNNING]	= "running",
		[DRM_ALINK_XPU_QUEUE_HALTED]	= "halted",
		[DRM_ALINK_XPU_QUEUE_CANCELED]	= "canceled",
	};
	static const char * const device_states[] = {
		[ALINK_XPU_Q_NONE]	= "none",
		[ALINK_XPU_Q_IDLE]	= "idle",
		[ALINK_XPU_Q_ACTIVE]	= "active",
		[ALINK_XPU_Q_WAITING]	= "waiting",
		[ALINK_XPU_Q_HALTED]	= "halted",
		[ALINK_XPU_Q_FAULT]	= "waits for memory",
	};
	struct alink_dev *adev = q->xdev->adev;
	u32 state;

	state = alink_rd32(adev, ALINK_XPU_Q(id, ALINK_XPU_Q_STATE));
	spin_lock(&q->lock);
	seq_buf_printf(s, "queue %u: VM %u, %s, in the device %s", id,
		       q->vm->ctx, states[q->state],
		       state < ARRAY_SIZE(device_states) &&
		       device_states[state] ? device_states[state] : "unknown");
	seq_buf_printf(s, ", head %u, tail %u, busy %llu ns",
		       alink_rd32(adev, ALINK_XPU_Q(id, ALINK_XPU_Q_HEAD)),
		       alink_rd32(adev, ALINK_XPU_Q(id, ALINK_XPU_Q_TAIL)),
		       alink_rd64(adev, ALINK_XPU_Q(id, ALINK_XPU_Q_BUSY_NS)));
	if (q->xdev->info.queue_info)
		seq_buf_printf(s, ", compute %llu ns",
			       alink_rd64(adev,
					  ALINK_XPU_QI(id, ALINK_XPU_QI_COMPUTE_NS)));
	if (q->xdev->info.progress_ms)
		seq_buf_printf(s, ", progress %u",
			       alink_rd32(adev,
					  ALINK_XPU_Q(id, ALINK_XPU_Q_PROGRESS)));
	if (q->error.status)
		seq_buf_printf(s, ", error %s at descriptor %u, address %#llx",
			       alink_status_str(q->error.status),
			       q->error.index, q->error.addr);
	seq_buf_puts(s, "\n");
	alink_xpu_command_dump(s, &q->command);
	spin_unlock(&q->lock);
}

static void xpu_dump_queues(struct seq_buf *s, struct xpu_device *xdev)
{
	struct xpu_queue *q;
	u32 id;

	seq_buf_puts(s, "\n[queues]\n");
	for (id = 0; id < xdev->info.num_queues; id++) {
		/* One by one: completions must not wait for all of this. */
		xa_lock(&xdev->queues);
		q = xa_load(&xdev->queues, id);
		if (q)
			xpu_dump_queue(s, q, id);
		xa_unlock(&xdev->queues);
	}
}

static void xpu_dump_bindings(struct seq_buf *s, struct xpu_vm *vm)
{
	static const char * const kinds[] = {
		[XPU_BO_HOST]		= "host",
		[XPU_BO_HBM]		= "HBM",
		[XPU_BO_SEGMENT]	= "segment",
		[XPU_BO_GROUP]		= "group",
		[XPU_BO_USER]		= "user",
	};
	struct drm_gpuva *va;
	unsigned int n = 0;
	struct xpu_bo *bo;
	u64 bytes = 0;

	lockdep_assert_held(&vm->lock);

	drm_gpuvm_for_each_va(va, &vm->gpuvm) {
		bytes += va->va.range;
		if (n++ >= XPU_DUMP_BINDINGS)
			continue;
		bo = to_xpu_bo(va->gem.obj);
		seq_buf_printf(s, "  %#llx + %#llx: %s%s + %#llx, rights %#x\n",
			       va->va.addr, va->va.range, kinds[bo->kind],
			       bo->kind == XPU_BO_HBM &&
			       READ_ONCE(bo->place.file) ? " (evicted)" : "",
			       va->gem.offset, to_xpu_va(va)->rights);
	}
	seq_buf_printf(s, "  %u bindings, %llu KiB, %u queues\n", n,
		       bytes >> 10, vm->num_queues);
}

static void xpu_dump_vms(struct seq_buf *s, struct xpu_device *xdev)
{
	struct xpu_vm *vm;

	seq_buf_puts(s, "\n[VMs]\n");
	mutex_lock(&xdev->ctx_lock);
	list_for_each_entry(vm, &xdev->vms, node) {
		seq_buf_printf(s, "VM %u: made by %s[%d]\n", vm->ctx, vm->comm,
			       vm->pid);
		/* Its holder may wait for a reset, which may want ctx_lock. */
		if (mutex_trylock(&vm->lock)) {
			xpu_dump_bindings(s, vm);
			mutex_unlock(&vm->lock);
		} else {
			seq_buf_puts(s, "  being changed\n");
		}
	}
	mutex_unlock(&xdev->ctx_lock);
}

static void xpu_dump_links(struct seq_buf *s, struct xpu_device *xdev)
{
	struct alink_dev *adev = xdev->adev;
	unsigned int n, base;

	seq_buf_puts(s, "\n[links]\n");
	for (n = 0; n < alink_dev_num_links(adev); n++) {
		base = ALINK_LINK_WINDOW(n);
		seq_buf_printf(s, "link %u: state %u, reason %u, %u Mb/s, peer %#x, port %#x\n",
			       n, alink_rd32(adev, base + ALINK_LINK_STATE),
			       alink_rd32(adev, base + ALINK_LINK_REASON),
			       alink_rd32(adev, base + ALINK_LINK_SPEED),
			       alink_rd32(adev, base + ALINK_LINK_PEER_ID),
			       alink_rd32(adev, base + ALINK_LINK_PEER_PORT));
	}
}

/*
 * The link to a dump goes when the last user of that dump does, some time after
 * the dump. Until then there can be no other: the core would try, and warn.
 */
static bool xpu_dump_is_there(struct xpu_device *xdev)
{
	struct kernfs_node *link;

	lockdep_assert_held(&xdev->faults.dump_lock);

	link = sysfs_get_dirent(xdev->drm.dev->kobj.sd, "devcoredump");
	sysfs_put(link);
	return link;
}

/**
 * alink_xpu_dump - keep what a developer needs to know of a failure
 * @xdev:	device, not removed yet
 * @why:	what failed
 *
 * While the dump before was not read yet, this one is dropped: what came first
 * is the cause.
 *
 * Context: process; sleeps. No locks of this driver held.
 */
void alink_xpu_dump(struct xpu_device *xdev, const char *why)
{
	static const char cut[] = "\n[cut]\n";
	struct seq_buf s;
	size_t len;
	char *buf;

	lockdep_assert_not_held(&xdev->ctx_lock);

	buf = vzalloc(XPU_DUMP_SIZE);
	if (!buf)
		return;
	seq_buf_init(&s, buf, XPU_DUMP_SIZE - sizeof(cut));
	xpu_dump_head(&s, xdev, why);
	xpu_dump_faults(&s, xdev);
	xpu_dump_registers(&s, xdev);
	xpu_dump_queues(&s, xdev);
	xpu_dump_links(&s, xdev);
	/* Last: their number has no small limit. */
	xpu_dump_vms(&s, xdev);
	len = strlen(buf);
	if (seq_buf_has_overflowed(&s))
		len += strscpy(buf + len, cut, sizeof(cut));

	mutex_lock(&xdev->faults.dump_lock);
	if (xpu_dump_is_there(xdev)) {
		vfree(buf);
	} else {
		dev_info_ratelimited(xdev->drm.dev,
				     "dump in /sys/class/devcoredump: %s\n",
				     why);
		/* Takes over buf. It needs none of our code: rmmod may come. */
		dev_coredumpv(xdev->drm.dev, buf, len, GFP_KERNEL);
	}
	mutex_unlock(&xdev->faults.dump_lock);
}

/* --- faults ------------------------------------------------------------- */

/**
 * alink_xpu_tell - tell of a failure that the device does not report itself
 * @xdev:	device, not removed yet
 * @why:	what failed
 *
 * Context: process; sleeps. No locks of this driver held.
 */
void alink_xpu_tell(struct xpu_device *xdev, const char *why)
{
	alink_xpu_dump(xdev, why);
	alink_xpu_health_report(xdev, why, NULL);
}

static bool xpu_fault_next(struct xpu_faults *faults,
			   struct alink_event *event)
{
	bool found;

	spin_lock(&faults->lock);
	found = faults->told < faults->total;
	if (found) {
		/* Those that were overwritten since are only counted. */
		if (faults->total - faults->told > XPU_NUM_FAULTS)
			faults->told = faults->total - XPU_NUM_FAULTS;
		*event = faults->last[faults->told++ % XPU_NUM_FAULTS];
	}
	spin_unlock(&faults->lock);
	return found;
}

static void xpu_tell_fault(struct xpu_device *xdev,
			   const struct alink_event *event)
{
	u32 code = le32_to_cpu(event->code);
	u32 recovery = le32_to_cpu(event->info);
	char why[64];

	snprintf(why, sizeof(why), "fault %u:%u, recovery: %s", code / 256,
		 code % 256, alink_recovery_str(recovery));
	/* Of a queue that is stuck there is one from before its end. */
	if (recovery >= ALINK_RECOVERY_CONTEXT &&
	    code != ALINK_FAULT_KERNEL_STUCK)
		alink_xpu_dump(xdev, why);
	alink_xpu_health_report(xdev, why, event);
}

static void xpu_faults_work(struct work_struct *work)
{
	struct xpu_faults *faults = container_of(work, struct xpu_faults, work);
	struct xpu_device *xdev = container_of(faults, struct xpu_device,
					       faults);
	struct alink_event event;
	const char *trouble;

	if (xchg(&faults->test, false))
		alink_xpu_health_test(xdev);
	trouble = xchg(&faults->trouble, NULL);
	if (trouble)
		alink_xpu_tell(xdev, trouble);
	while (xpu_fault_next(faults, &event))
		xpu_tell_fault(xdev, &event);
	alink_xpu_health_look(xdev);
}

/**
 * alink_xpu_fault - remember a fault, and have it told
 * @xdev:	device
 * @event:	ALINK_EVENT_FAULT
 *
 * Context: process, from the event worker: what needs locks is left to a worker.
 */
void alink_xpu_fault(struct xpu_device *xdev, const struct alink_event *event)
{
	struct xpu_faults *faults = &xdev->faults;

	trace_alink_xpu_fault(xdev, le32_to_cpu(event->code),
			      le32_to_cpu(event->id), le64_to_cpu(event->addr),
			      le32_to_cpu(event->info));
	spin_lock(&faults->lock);
	faults->last[faults->total++ % XPU_NUM_FAULTS] = *event;
	spin_unlock(&faults->lock);
	queue_work(system_unbound_wq, &faults->work);
}

/* alink_dev_ops.trouble: what the device itself cannot tell any more */
void alink_xpu_trouble(struct alink_dev *adev, const char *what)
{
	struct xpu_device *xdev = alink_dev_priv(adev);

	WRITE_ONCE(xdev->faults.bad, true);
	WRITE_ONCE(xdev->faults.trouble, what);
	queue_work(system_unbound_wq, &xdev->faults.work);
}

/*
 * A reset is over, with that error or 0: then whatever there was is over, too, but
 * for another reset that came behind us meanwhile.
 */
void alink_xpu_faults_reset(struct xpu_device *xdev, int err)
{
	/* One that is gone is no trouble but a loss. */
	if (err && alink_dev_lost(xdev->adev))
		return;
	if (err) {
		alink_xpu_trouble(xdev->adev,
				  "device did not come back from reset");
		return;
	}
	if (alink_dev_active(xdev->adev))
		WRITE_ONCE(xdev->faults.bad, false);
	queue_work(system_unbound_wq, &xdev->faults.work);
}

/* Returns how many faults there were, and the latest one if there was any. */
u64 alink_xpu_last_fault(struct xpu_device *xdev, struct alink_event *event)
{
	struct xpu_faults *faults = &xdev->faults;
	u64 total;

	spin_lock(&faults->lock);
	total = faults->total;
	if (total)
		*event = faults->last[(total - 1) % XPU_NUM_FAULTS];
	spin_unlock(&faults->lock);
	return total;
}

void alink_xpu_faults_init(struct xpu_device *xdev)
{
	spin_lock_init(&xdev->faults.lock);
	mutex_init(&xdev->faults.dump_lock);
	INIT_WORK(&xdev->faults.work, xpu_faults_work);
}

/* Nobody calls alink_xpu_fault() or alink_xpu_trouble() any more. */
void alink_xpu_faults_fini(struct xpu_device *xdev)
{
	/* devlink may still ask for a test. */
	disable_work_sync(&xdev->faults.work);
}
