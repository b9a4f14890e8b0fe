// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device as such: its constants, its state, commands that depend on the
 * state, queue interrupts and events.
 */
#include <linux/cleanup.h>
#include <linux/ctype.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>

#include <drm/drm_drv.h>

#include "alink_xpu_drv.h"
#include "alink_xpu_trace.h"

/* --- constants --------------------------------------------------------- */

/* Text from the device: cut to size, and nothing that a terminal acts upon. */
static void xpu_take_text(char *dst, size_t size, const struct alink_tlv *tlv)
{
	const char *src = alink_tlv_data(tlv);
	size_t i, len = min(alink_tlv_len(tlv), size - 1);

	for (i = 0; i < len; i++)
		dst[i] = isascii(src[i]) && isprint(src[i]) ? src[i] : '?';
	dst[len] = '\0';
}

static int xpu_identify(struct xpu_device *xdev)
{
	struct xpu_info *info = &xdev->info;
	const struct alink_tlv *tlv = NULL;
	size_t used;
	void *resp;
	int err;

	resp = kmalloc(SZ_4K, GFP_KERNEL);
	if (!resp)
		return -ENOMEM;
	err = alink_admin_exec(xdev->adev, ALINK_ADMIN_IDENTIFY, NULL, 0,
			       resp, SZ_4K, &used, NULL);
	if (err) {
		kfree(resp);
		return dev_err_probe(&xdev->pdev->dev, err, "identify\n");
	}

	while ((tlv = alink_tlv_next(resp, used, tlv))) {
		switch (alink_tlv_type(tlv)) {
		case ALINK_TLV_NAME:
			xpu_take_text(info->name, sizeof(info->name), tlv);
			break;
		case ALINK_TLV_PART_NUMBER:
			xpu_take_text(info->part_number,
				      sizeof(info->part_number), tlv);
			break;
		case ALINK_TLV_BOARD_SERIAL:
			xpu_take_text(info->board_serial,
				      sizeof(info->board_serial), tlv);
			break;
		}
	}
	kfree(resp);
	return 0;
}

static int xpu_bad(struct xpu_device *xdev, const char *what, u64 value)
{
	return dev_err_probe(&xdev->pdev->dev, -EPROTO,
			     "device claims %s %#llx\n", what, value);
}

/**
 * alink_xpu_read_info - read the constants of the device, and check them
 * @xdev:	device
 *
 * Return: 0, -EPROTO for values against the contract, or -errno.
 */
int alink_xpu_read_info(struct xpu_device *xdev)
{
	struct alink_dev *adev = xdev->adev;
	struct xpu_info *info = &xdev->info;
	bool watched;
	u32 va_bits;

	info->hbm_size = alink_rd64(adev, ALINK_XPU_REG_HBM_SIZE);
	info->hbm_visible = alink_rd64(adev, ALINK_XPU_REG_HBM_BAR);
	info->num_dies = alink_rd32(adev, ALINK_XPU_REG_NUM_DIES);
	info->num_rings = alink_rd32(adev, ALINK_XPU_REG_NUM_RINGS);
	info->num_queues = alink_rd32(adev, ALINK_XPU_REG_NUM_QUEUES);
	info->num_ctx = alink_rd32(adev, ALINK_XPU_REG_NUM_CTX);
	info->num_imports = alink_rd32(adev, ALINK_XPU_REG_NUM_IMPORTS);
	info->num_segments = alink_rd32(adev, ALINK_XPU_REG_NUM_SEGMENTS);
	info->dtypes = alink_rd32(adev, ALINK_XPU_REG_DTYPES);
	info->compute_funcs = alink_rd32(adev, ALINK_XPU_REG_COMPUTE_FUNCS);
	info->compute_dtypes = alink_rd32(adev, ALINK_XPU_REG_COMPUTE_DTYPES);
	info->slice_us = alink_rd32(adev, ALINK_XPU_REG_SLICE_US);
	info->starve_us = alink_rd32(adev, ALINK_XPU_REG_STARVE_US);
	va_bits = alink_rd32(adev, ALINK_XPU_REG_VA_BITS);
	watched = alink_dev_caps(adev) & ALINK_CAP_PROGRESS;
	if (watched)
		info->progress_ms = alink_rd32(adev, ALINK_XPU_REG_PROGRESS_MS);
	info->evict = alink_dev_caps(adev) & ALINK_CAP_RETRY;
	info->queue_info = alink_dev_caps(adev) & ALINK_CAP_QUEUE_INFO;
	/* Where the kernel may bounce DMA, both would not see the same memory. */
	info->user_memory = XPU_HAS_USER && info->evict &&
			    dma_max_mapping_size(&xdev->pdev->dev) == SIZE_MAX;
	if (alink_dev_lost(adev))
		return -ENODEV;

	if (!info->hbm_size || !IS_ALIGNED(info->hbm_size, XPU_PAGE_SIZE) ||
	    info->hbm_size > ALINK_REMOTE_OFFSET_MASK)
		return xpu_bad(xdev, "an HBM size of", info->hbm_size);
	if (!pci_resource_len(xdev->pdev, ALINK_XPU_BAR_HBM) ||
	    pci_resource_flags(xdev->pdev, ALINK_XPU_BAR_HBM) & IORESOURCE_UNSET) {
		pci_err(xdev->pdev, "BAR 2 has no address: no room below this bridge for %llu bytes\n",
			info->hbm_visible);
		return -ENXIO;
	}
	if (info->hbm_visible > info->hbm_size ||
	    !IS_ALIGNED(info->hbm_visible, XPU_PAGE_SIZE) ||
	    info->hbm_visible > pci_resource_len(xdev->pdev,
						 ALINK_XPU_BAR_HBM))
		return xpu_bad(xdev, "visible HBM of", info->hbm_visible);
	if (info->num_queues < 2 || info->num_queues > ALINK_XPU_MAX_QUEUES)
		return xpu_bad(xdev, "a number of queues of", info->num_queues);
	if (info->num_ctx < 2 || info->num_ctx > U16_MAX)
		return xpu_bad(xdev, "a number of contexts of", info->num_ctx);
	if (info->num_imports > ALINK_XPU_MAX_IMPORTS)
		return xpu_bad(xdev, "a number of imports of",
			       info->num_imports);
	if (info->num_segments > ALINK_MAX_SEGMENTS)
		return xpu_bad(xdev, "a number of segments of",
			       info->num_segments);
	if (va_bits != XPU_VA_BITS)
		return xpu_bad(xdev, "address bits of", va_bits);
	if (!info->num_dies || !info->num_rings)
		return xpu_bad(xdev, "a number of engines of",
			       info->num_rings);
	if (watched && (!info->progress_ms ||
			info->progress_ms > XPU_PROGRESS_MAX_MS))
		return xpu_bad(xdev, "a time of progress (ms) of",
			       info->progress_ms);

	return xpu_identify(xdev);
}

/* --- state ------------------------------------------------------------- */

static int xpu_state_to_errno(enum xpu_state state)
{
	switch (state) {
	case XPU_ACTIVE:
		return 0;
	case XPU_RESETTING:
		return -EBUSY;
	case XPU_FAILED:
		return -EIO;
	default:
		return -ENODEV;
	}
}

/**
 * alink_xpu_state_errno - may the device be used?
 * @xdev:	device
 *
 * Return: 0, -EBUSY in reset, -EIO when it failed, -ENODEV when it is gone. A
 * hint only, unless reset_lock is held.
 */
int alink_xpu_state_errno(struct xpu_device *xdev)
{
	return xpu_state_to_errno(READ_ONCE(xdev->state));
}

/**
 * alink_xpu_generation - generation of what the device remembers
 * @xdev:	device
 *
 * Return: a number that grows with each loss.
 */
u64 alink_xpu_generation(struct xpu_device *xdev)
{
	guard(rwsem_read)(&xdev->reset_lock);
	return xdev->generation;
}

/**
 * alink_xpu_set_state - change the state, with no command in flight
 * @xdev:	device
 * @state:	new state; all but XPU_ACTIVE begin a new generation, as what the
 *		device remembers cannot be relied upon any more. XPU_GONE is
 *		for ever. XPU_STOPPING keeps the generation: what is there
 *		must still be undone.
 *
 * In XPU_FAILED and XPU_GONE the device masters no bus.
 */
void alink_xpu_set_state(struct xpu_device *xdev, enum xpu_state state)
{
	down_write(&xdev->reset_lock);
	if (xdev->state != XPU_GONE) {
		if (state != XPU_ACTIVE && state != XPU_STOPPING)
			WRITE_ONCE(xdev->generation, xdev->generation + 1);
		if (state == XPU_FAILED || state == XPU_GONE)
			pci_clear_master(xdev->pdev);
		WRITE_ONCE(xdev->harmless, false);
		WRITE_ONCE(xdev->state, state);
		trace_alink_xpu_state(xdev);
	}
	up_write(&xdev->reset_lock);
	wake_up_all(&xdev->state_wait);
}

/**
 * alink_xpu_cut_off - see to it that a reset has no memory to fear for
 * @xdev:	device
 *
 * The device is about to be reset, and has not been yet: it works with what it
 * remembers. Without the bus it does not. alink_dev_reset_done() gives that
 * back, when it knows that the device has forgotten.
 */
void alink_xpu_cut_off(struct xpu_device *xdev)
{
	down_write(&xdev->reset_lock);
	if (xdev->state == XPU_RESETTING && !xdev->harmless) {
		pci_clear_master(xdev->pdev);
		WRITE_ONCE(xdev->harmless, true);
	}
	up_write(&xdev->reset_lock);
	/* Who has been killed waits for no more. */
	wake_up_all(&xdev->state_wait);
}

/**
 * alink_xpu_wedge - the device did not do what memory safety depends upon
 * @xdev:	device
 * @generation:	of the device that did not: a later one is innocent
 * @why:	for the log
 *
 * Takes the bus from the device, ends all queues, and has it reset. A worker
 * does that: the caller may hold locks that a reset takes. While the driver is
 * being unbound only the bus is taken; in a reset nothing happens.
 *
 * Return: true if the device is reset for this call.
 */
bool alink_xpu_wedge(struct xpu_device *xdev, u64 generation, const char *why)
{
	bool first;

	down_write(&xdev->reset_lock);
	first = xdev->state == XPU_ACTIVE && xdev->generation == generation;
	if (first || xdev->state == XPU_STOPPING)
		pci_clear_master(xdev->pdev);
	if (first) {
		WRITE_ONCE(xdev->generation, xdev->generation + 1);
		WRITE_ONCE(xdev->state, XPU_FAILED);
		trace_alink_xpu_state(xdev);
		xdev->faults.wedged = why;
		/* First, so that the worker finds them ended, and tells so. */
		alink_xpu_queues_cancel(xdev);
		/* In here: once the driver stops, nobody queues it any more. */
		queue_delayed_work(system_unbound_wq, &xdev->reset_work, 0);
	}
	up_write(&xdev->reset_lock);
	if (!first)
		return false;

	drm_err(&xdev->drm, "%s: cut off from the bus, resetting\n", why);
	wake_up_all(&xdev->state_wait);
	return true;
}

/* --- commands ---------------------------------------------------------- */

/* Did the device fail to answer, as opposed to answering with an error? */
static bool xpu_admin_silent(int err, u16 status)
{
	return (err == -ETIMEDOUT && status != ALINK_ST_TIMEOUT) ||
	       (err == -EPROTO);
}

/**
 * alink_xpu_admin_tlv - one command that makes something in the device
 * @xdev:	device
 * @opcode:	ALINK_XPU_ADMIN_*
 * @tlv:	type of @payload
 * @payload:	request
 * @len:	bytes of it
 * @generation:	out, on success only: what alink_xpu_admin_undo() needs; or NULL
 *
 * Return: 0, an error by state, or by alink_status_errno().
 */
int alink_xpu_admin_tlv(struct xpu_device *xdev, u16 opcode, u16 tlv,
			const void *payload, size_t len, u64 *generation)
{
	u8 room[ALINK_TLV_SPAN(sizeof(struct alink_xpu_segment))] __aligned(8);
	struct alink_tlv_buf buf = { .data = room, .room = sizeof(room) };
	u16 status = ALINK_ST_OK;
	u64 asked;
	int err;

	/* Not alink_admin_tlv(), which may take memory: see reset_lock. */
	err = alink_tlv_put(&buf, tlv | ALINK_TLV_MUST, payload, len);
	if (err)
		return err;
	down_read(&xdev->reset_lock);
	asked = xdev->generation;
	err = xpu_state_to_errno(xdev->state);
	if (!err)
		err = alink_admin_exec(xdev->adev, opcode, buf.data, buf.len,
				       NULL, 0, NULL, &status);
	if (!err && generation)
		*generation = asked;
	up_read(&xdev->reset_lock);

	if (xpu_admin_silent(err, status)) {
		alink_xpu_wedge(xdev, asked, "a command timed out");
		err = -EIO;
	}
	return err;
}

/*
 * The PCI core began to recover the device and never said how that ended: it
 * gave up on others of its bus. Nobody may wait for that for ever.
 */
void alink_xpu_abandon_reset(struct xpu_device *xdev)
{
	bool first;

	down_write(&xdev->reset_lock);
	first = xdev->state == XPU_RESETTING;
	if (first) {
		pci_clear_master(xdev->pdev);
		WRITE_ONCE(xdev->state, XPU_FAILED);
		trace_alink_xpu_state(xdev);
	}
	up_write(&xdev->reset_lock);
	if (!first)
		return;
	drm_err(&xdev->drm, "the reset does not end: cut off from the bus\n");
	wake_up_all(&xdev->state_wait);
}

/*
 * Is the caller nobody whom it would help to wait for the end of a reset? Who
 * closes a file because he was killed gets no signal any more, and workers put
 * what such a file held.
 */
static bool xpu_nobody_waits(void)
{
	return current->flags & (PF_EXITING | PF_KTHREAD) ||
	       fatal_signal_pending(current);
}

/*
 * Has a thing of that generation an end? In a reset the device uses what it was
 * told before until it has lost the bus, which nobody may leave it with. It gets
 * that back when it has forgotten all, and nobody gets HBM before. So the rest of
 * the reset is waited for only that a call that follows may find the device
 * ready. What was made again in this very reset is none of that: it is there to
 * be ended afterwards. A hint only, unless reset_lock is held.
 */
static bool xpu_settled(struct xpu_device *xdev, u64 generation)
{
	if (READ_ONCE(xdev->state) != XPU_RESETTING)
		return true;
	return READ_ONCE(xdev->harmless) &&
	       READ_ONCE(xdev->generation) != generation && xpu_nobody_waits();
}

/* Return: 0 if nothing has changed for longer than any reset takes */
static long xpu_wait_settled(struct xpu_device *xdev, u64 generation)
{
	long left;

	left = wait_event_killable_timeout(xdev->state_wait,
					   xpu_settled(xdev, generation),
					   XPU_RESET_TIMEOUT);
	if (left >= 0)
		return left;
	/* Killed, and the device still has the bus: that must not be cut short. */
	return wait_event_timeout(xdev->state_wait,
				  xpu_settled(xdev, generation),
				  XPU_RESET_TIMEOUT);
}

/*
 * Takes reset_lock for read when a thing of that generation may be ended, or has
 * been; returns the state, XPU_RESETTING in the latter case only.
 */
static enum xpu_state xpu_read_lock_settled(struct xpu_device *xdev,
					    u64 generation)
{
	for (;;) {
		down_read(&xdev->reset_lock);
		if (xpu_settled(xdev, generation))
			return xdev->state;
		up_read(&xdev->reset_lock);
		if (!xpu_wait_settled(xdev, generation))
			alink_xpu_abandon_reset(xdev);
	}
}

/**
 * alink_xpu_admin_undo - one command that takes something from the device
 * @xdev:	device
 * @generation:	when it was made
 * @opcode:	ALINK_XPU_ADMIN_*
 * @id:		its id
 *
 * When this returns, the device does not use the thing any more: it said so,
 * it forgot it in a reset, it is gone, or it was cut off. Waits for the end of
 * a reset, unless the caller is killed or has nobody to return to. So the caller
 * holds no lock that reset_done takes. A command is waited for in any case, for
 * ALINK_ADMIN_TIMEOUT_MS at most: who left would free what the device uses.
 */
void alink_xpu_admin_undo(struct xpu_device *xdev, u64 generation, u16 opcode,
			  u32 id)
{
	enum xpu_state state;
	u16 status;
	u64 asked;
	int err;

	lockdep_assert_not_held(&xdev->ctx_lock);
	lockdep_assert_not_held(&xdev->kq.lock);

	do {
		state = xpu_read_lock_settled(xdev, generation);
		if (state == XPU_GONE || state == XPU_FAILED ||
		    generation != xdev->generation) {
			up_read(&xdev->reset_lock);
			return;
		}
		asked = xdev->generation;
		err = alink_admin_id(xdev->adev, opcode, id, &status);
		up_read(&xdev->reset_lock);

		/* Remove undoes everything too, and may have come first. */
		if (!err || err == -ENODEV ||
		    (status == ALINK_ST_NOT_FOUND && state == XPU_STOPPING))
			return;
		drm_err(&xdev->drm, "command %#x for %u: %pe\n", opcode, id,
			ERR_PTR(err));
		alink_xpu_wedge(xdev, asked, "something cannot be undone");
		/*
		 * A reset may have come before the wedge and is only about to
		 * begin: the device still has the bus. See how it ends.
		 */
	} while (state != XPU_STOPPING);
}

/**
 * alink_xpu_invalidate - see to it that no old translation is in use
 * @xdev:	device
 * @ctx:	context whose tables have changed
 *
 * Memory is reclaimed through here, so this neither allocates, nor waits for
 * the end of a reset, which may. It need not: after the reset the device begins
 * with the tables as they are then.
 *
 * Context: process; sleeps, not longer than a command may take.
 */
void alink_xpu_invalidate(struct xpu_device *xdev, u32 ctx)
{
	u16 status = ALINK_ST_ABORTED;
	enum xpu_state state;
	int err = 0;
	u64 asked;

	down_read(&xdev->reset_lock);
	state = xdev->state;
	asked = xdev->generation;
	if (state == XPU_ACTIVE || state == XPU_STOPPING)
		err = alink_admin_id(xdev->adev,
				     ALINK_XPU_ADMIN_TLB_INVALIDATE, ctx,
				     &status);
	up_read(&xdev->reset_lock);

	if (state == XPU_RESETTING)
		alink_xpu_cut_off(xdev);
	/* No such context: it has just been destroyed. */
	if (!err || err == -ENODEV || status == ALINK_ST_NOT_FOUND)
		return;
	drm_err(&xdev->drm, "context %u: translations stay in use: %pe\n", ctx,
		ERR_PTR(err));
	alink_xpu_wedge(xdev, asked, "translations stay in use");
	/* A reset may have begun in between. */
	alink_xpu_cut_off(xdev);
}

/* --- interrupts and events --------------------------------------------- */

static irqreturn_t xpu_queue_irq(int irq, void *data)
{
	struct xpu_vector *vec = data;
	struct xpu_device *xdev = vec->xdev;

	trace_alink_xpu_irq(xdev, ALINK_XPU_VECTOR_QUEUE(vec - xdev->vectors));
	wake_up_all(&vec->wait);
	if (wq_has_sleeper(&xdev->any_wait))
		wake_up_all(&xdev->any_wait);
	alink_xpu_bridges_kick_vector(vec);
	return IRQ_HANDLED;
}

/* Wakes all who wait for anything, to look at the state again. */
void alink_xpu_wake_all(struct xpu_device *xdev)
{
	unsigned int i;

	for (i = 0; i < xdev->num_vectors; i++)
		wake_up_all(&xdev->vectors[i].wait);
	wake_up_all(&xdev->any_wait);
	wake_up_all(&xdev->state_wait);
	alink_xpu_bridges_kick(xdev);
}

/**
 * alink_xpu_irq_init - request the queue vectors
 * @xdev:	device
 *
 * With fewer vectors than wanted queues share them; with none at all waiters
 * poll.
 *
 * Return: 0 or -errno.
 */
int alink_xpu_irq_init(struct xpu_device *xdev)
{
	unsigned int i, n = alink_dev_num_vectors(xdev->adev) - 1;
	int irq, err;

	if (!n)
		drm_warn(&xdev->drm, "no interrupt for queues: waits will poll\n");
	n = min_t(unsigned int, n, ARRAY_SIZE(xdev->vectors));

	for (i = 0; i < n; i++) {
		irq = alink_dev_irq(xdev->adev, ALINK_XPU_VECTOR_QUEUE(i));
		if (irq < 0) {
			err = irq;
			goto err_free;
		}
		err = request_irq(irq, xpu_queue_irq, 0,
				  alink_dev_name(xdev->adev),
				  &xdev->vectors[i]);
		if (err)
			goto err_free;
		xdev->vectors[i].irq = irq;
	}
	xdev->num_vectors = max(n, 1u);
	return 0;

err_free:
	while (i--) {
		free_irq(xdev->vectors[i].irq, &xdev->vectors[i]);
		xdev->vectors[i].irq = -1;
	}
	return dev_err_probe(&xdev->pdev->dev, err, "queue interrupts\n");
}

void alink_xpu_irq_fini(struct xpu_device *xdev)
{
	unsigned int i;

	for (i = 0; i < xdev->num_vectors; i++) {
		if (xdev->vectors[i].irq >= 0)
			free_irq(xdev->vectors[i].irq, &xdev->vectors[i]);
		xdev->vectors[i].irq = -1;
	}
}

/* Waits until events that the device has sent by now have been handled. */
void alink_xpu_flush_events(struct xpu_device *xdev)
{
	int idx;

	/* Not reset_lock: what handles events takes memory. */
	if (!drm_dev_enter(&xdev->drm, &idx))
		return;
	alink_dev_flush_events(xdev->adev);
	drm_dev_exit(idx);
}

/* alink_dev_ops.event */
void alink_xpu_event(struct alink_dev *adev, const struct alink_event *event)
{
	struct xpu_device *xdev = alink_dev_priv(adev);
	u32 code;

	switch (le16_to_cpu(event->type)) {
	case ALINK_EVENT_NONE:
		alink_xpu_retire_lost(xdev);
		alink_xpu_queue_event(xdev, event);
		break;
	case ALINK_EVENT_QUEUE_ERROR:
	case ALINK_EVENT_QUEUE_FAULT:
		alink_xpu_queue_event(xdev, event);
		break;
	case ALINK_EVENT_FAULT:
		code = le32_to_cpu(event->code);
		drm_err_ratelimited(&xdev->drm,
				    "fault %u:%u in unit %u at %#llx, recovery: %s\n",
				    code / 256, code % 256,
				    le32_to_cpu(event->id),
				    le64_to_cpu(event->addr),
				    alink_recovery_str(le32_to_cpu(event->info)));
		alink_xpu_fault(xdev, event);
		if (code == ALINK_FAULT_HBM_ECC) {
			alink_xpu_retire(xdev, le64_to_cpu(event->addr));
			alink_xpu_ecc_note(xdev, event);
		}
		break;
	}
}
