// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admin queue. Commands of several threads may be in flight; each waits
 * for its own completion, woken by vector 0 and, should an interrupt get
 * lost, by looking into the ring itself at growing intervals. No wait is
 * longer than ALINK_ADMIN_TIMEOUT_MS, and reset and loss end all of them.
 *
 * What the device writes is checked before use: a completion must name the
 * cid of a command in flight, and a response cannot be longer than its room.
 * The buffers of a command that timed out, or whose thread was killed, stay with
 * the device until its completion comes after all or the queue is stopped.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "alink_priv.h"

#define ALINK_ADMIN_BUF_SMALL		4096
#define ALINK_ADMIN_TLV_SMALL		32
#define ALINK_ADMIN_POLL_MIN_MS		5
#define ALINK_ADMIN_POLL_MAX_MS		100
#define ALINK_ADMIN_LATE_MS		50

enum alink_admin_slot_state {
	ALINK_SLOT_FREE,
	ALINK_SLOT_RESERVED,	/* owned by a thread, not yet submitted */
	ALINK_SLOT_INFLIGHT,	/* owned by a thread and the device */
	ALINK_SLOT_DONE,	/* owned by the thread again */
	ALINK_SLOT_ORPHAN,	/* the thread gave up; owned by the device */
};

static void alink_admin_free_bufs(struct alink_dev *adev,
				  struct alink_admin_slot *slot)
{
	struct device *dev = &adev->pdev->dev;

	if (slot->req)
		dma_free_coherent(dev, slot->buf_len, slot->req,
				  slot->req_dma);
	if (slot->resp)
		dma_free_coherent(dev, slot->buf_len, slot->resp,
				  slot->resp_dma);
	slot->req = NULL;
	slot->resp = NULL;
	slot->buf_len = 0;
}

/* Larger buffers for a slot. Should there be none, it keeps those it has. */
static int alink_admin_alloc_bufs(struct alink_dev *adev,
				  struct alink_admin_slot *slot, size_t len)
{
	struct device *dev = &adev->pdev->dev;
	dma_addr_t req_dma, resp_dma;
	void *req, *resp;

	if (len <= slot->buf_len)
		return 0;

	req = dma_alloc_coherent(dev, len, &req_dma, GFP_KERNEL);
	if (!req)
		return -ENOMEM;
	resp = dma_alloc_coherent(dev, len, &resp_dma, GFP_KERNEL);
	if (!resp) {
		dma_free_coherent(dev, len, req, req_dma);
		return -ENOMEM;
	}

	alink_admin_free_bufs(adev, slot);
	slot->req = req;
	slot->req_dma = req_dma;
	slot->resp = resp;
	slot->resp_dma = resp_dma;
	slot->buf_len = len;
	return 0;
}

/* What alink_admin_stop() needs, whether or not the queue was ever started */
void alink_admin_setup(struct alink_admin *admin)
{
	unsigned int i;

	spin_lock_init(&admin->lock);
	init_waitqueue_head(&admin->wait);
	admin->error = -ENODEV;
	for (i = 0; i < ALINK_ADMIN_SLOTS; i++)
		init_completion(&admin->slots[i].done);
}

int alink_admin_init(struct alink_dev *adev)
{
	struct alink_admin *admin = &adev->admin;
	struct device *dev = &adev->pdev->dev;
	unsigned int i;
	int err;

	admin->sq = dma_alloc_coherent(dev, ALINK_ADMIN_RING_SIZE *
				       sizeof(*admin->sq), &admin->sq_dma,
				       GFP_KERNEL);
	admin->cq = dma_alloc_coherent(dev, ALINK_ADMIN_RING_SIZE *
				       sizeof(*admin->cq), &admin->cq_dma,
				       GFP_KERNEL);
	if (!admin->sq || !admin->cq) {
		err = -ENOMEM;
		goto err_free;
	}

	for (i = 0; i < ALINK_ADMIN_SLOTS; i++) {
		err = alink_admin_alloc_bufs(adev, &admin->slots[i],
					     ALINK_ADMIN_BUF_SMALL);
		if (err)
			goto err_free;
	}
	return 0;

err_free:
	alink_admin_fini(adev);
	return err;
}

static bool alink_admin_idle(struct alink_admin *admin)
{
	bool idle = true;
	unsigned int i;

	spin_lock_irq(&admin->lock);
	for (i = 0; i < ALINK_ADMIN_SLOTS; i++)
		idle &= admin->slots[i].state == ALINK_SLOT_FREE;
	spin_unlock_irq(&admin->lock);
	return idle;
}

/* The queue is stopped: who was waiting has been told, and soon lets go. */
void alink_admin_fini(struct alink_dev *adev)
{
	struct alink_admin *admin = &adev->admin;
	struct device *dev = &adev->pdev->dev;
	unsigned int i;

	wait_event(admin->wait, alink_admin_idle(admin));

	for (i = 0; i < ALINK_ADMIN_SLOTS; i++)
		alink_admin_free_bufs(adev, &admin->slots[i]);
	if (admin->cq)
		dma_free_coherent(dev, ALINK_ADMIN_RING_SIZE *
				  sizeof(*admin->cq), admin->cq,
				  admin->cq_dma);
	if (admin->sq)
		dma_free_coherent(dev, ALINK_ADMIN_RING_SIZE *
				  sizeof(*admin->sq), admin->sq,
				  admin->sq_dma);
	admin->cq = NULL;
	admin->sq = NULL;
}

/* Hands empty rings to a device that has just been reset or probed. */
int alink_admin_start(struct alink_dev *adev)
{
	struct alink_admin *admin = &adev->admin;

	lockdep_assert_held(&adev->state_lock);

	memset(admin->sq, 0, ALINK_ADMIN_RING_SIZE * sizeof(*admin->sq));
	memset(admin->cq, 0, ALINK_ADMIN_RING_SIZE * sizeof(*admin->cq));

	alink_wr64(adev, ALINK_REG_ADMIN_SQ_BASE, admin->sq_dma);
	alink_wr64(adev, ALINK_REG_ADMIN_CQ_BASE, admin->cq_dma);
	alink_wr32(adev, ALINK_REG_ADMIN_SIZE, ALINK_ADMIN_RING_SIZE);
	alink_wr32(adev, ALINK_REG_ADMIN_CTRL, 1);
	if (alink_rd32(adev, ALINK_REG_ADMIN_CTRL) != 1) {
		if (alink_dev_lost(adev))
			return -ENODEV;
		pci_err(adev->pdev, "device refuses the admin queue\n");
		return -EIO;
	}

	spin_lock_irq(&admin->lock);
	admin->sq_tail = 0;
	admin->cq_head = 0;
	admin->error = 0;
	spin_unlock_irq(&admin->lock);
	return 0;
}

/*
 * Ends every command with @error and refuses new ones with it. The caller
 * sees to it that the device accesses the buffers no more: it is gone, its
 * queue is disabled, or it is about to be reset.
 */
void alink_admin_stop(struct alink_dev *adev, int error)
{
	struct alink_admin *admin = &adev->admin;
	struct alink_admin_slot *slot;
	unsigned long flags;
	unsigned int i;

	/* First: nobody rings the doorbells of a queue that is off. */
	spin_lock_irqsave(&admin->lock, flags);
	admin->error = error;
	spin_unlock_irqrestore(&admin->lock, flags);

	/* The read returns when the write has arrived: no DMA after that. */
	alink_wr32(adev, ALINK_REG_ADMIN_CTRL, 0);
	alink_rd32(adev, ALINK_REG_ADMIN_CTRL);

	spin_lock_irqsave(&admin->lock, flags);
	for (i = 0; i < ALINK_ADMIN_SLOTS; i++) {
		slot = &admin->slots[i];
		if (slot->state == ALINK_SLOT_ORPHAN) {
			slot->state = ALINK_SLOT_FREE;
		} else if (slot->state == ALINK_SLOT_INFLIGHT) {
			slot->state = ALINK_SLOT_DONE;
			slot->error = error;
			complete(&slot->done);
		}
	}
	admin->inflight = 0;
	spin_unlock_irqrestore(&admin->lock, flags);
	wake_up_all(&admin->wait);
}

static void alink_admin_cpl(struct alink_dev *adev,
			    const struct alink_admin_cpl *cpl)
{
	struct alink_admin *admin = &adev->admin;
	struct alink_admin_slot *slot;
	u32 cid = le32_to_cpu(cpl->cid);

	lockdep_assert_held(&admin->lock);

	slot = &admin->slots[cid % ALINK_ADMIN_SLOTS];
	if (slot->cid != cid || (slot->state != ALINK_SLOT_INFLIGHT &&
				 slot->state != ALINK_SLOT_ORPHAN)) {
		if (!admin->bad_cpls++)
			pci_err(adev->pdev, "completion for a command never sent: cid %#x\n",
				cid);
		return;
	}

	admin->inflight--;
	if (slot->state == ALINK_SLOT_ORPHAN) {
		slot->state = ALINK_SLOT_FREE;
		wake_up(&admin->wait);
		return;
	}
	slot->cpl = *cpl;
	slot->error = 0;
	slot->state = ALINK_SLOT_DONE;
	complete(&slot->done);
}

/* Takes completions from the ring. Runs in hard interrupt and as fallback. */
void alink_admin_poll(struct alink_dev *adev)
{
	struct alink_admin *admin = &adev->admin;
	const struct alink_admin_cpl *entry;
	struct alink_admin_cpl cpl;
	unsigned int budget;
	unsigned long flags;
	u16 phase;
	u32 head;

	spin_lock_irqsave(&admin->lock, flags);
	head = admin->cq_head;
	/* A device that fills the ring for ever does not hold us for ever. */
	for (budget = ALINK_ADMIN_RING_SIZE; budget && !admin->error; budget--) {
		entry = &admin->cq[admin->cq_head % ALINK_ADMIN_RING_SIZE];
		phase = !((admin->cq_head / ALINK_ADMIN_RING_SIZE) & 1);
		if ((le16_to_cpu(READ_ONCE(entry->phase)) & 1) != phase)
			break;
		/* the rest of the entry is not older than its phase */
		dma_rmb();
		cpl = *entry;
		admin->cq_head++;
		alink_admin_cpl(adev, &cpl);
	}
	if (head != admin->cq_head)
		alink_wr32(adev, ALINK_REG_ADMIN_CQ_HEAD, admin->cq_head);
	spin_unlock_irqrestore(&admin->lock, flags);
}

/* Returns a reserved slot, or NULL; *error tells when the queue is stopped. */
static struct alink_admin_slot *alink_admin_try_slot(struct alink_admin *admin,
						     int *error)
{
	struct alink_admin_slot *slot = NULL;
	unsigned int i;

	spin_lock_irq(&admin->lock);
	*error = admin->error;
	for (i = 0; i < ALINK_ADMIN_SLOTS && !*error; i++) {
		if (admin->slots[i].state != ALINK_SLOT_FREE)
			continue;
		slot = &admin->slots[i];
		slot->state = ALINK_SLOT_RESERVED;
		break;
	}
	spin_unlock_irq(&admin->lock);
	return slot;
}

/* Return: there is a slot, or *error. */
static bool alink_admin_look(struct alink_admin *admin,
			     struct alink_admin_slot **slot, int *error)
{
	*slot = alink_admin_try_slot(admin, error);
	return *slot || *error;
}

static long alink_admin_await_slot(struct alink_admin *admin,
				   struct alink_admin_slot **slot, int *error,
				   bool killable)
{
	const long most = msecs_to_jiffies(ALINK_ADMIN_TIMEOUT_MS);

	if (!killable)
		return wait_event_timeout(admin->wait,
					  alink_admin_look(admin, slot, error),
					  most);
	return wait_event_killable_timeout(admin->wait,
					   alink_admin_look(admin, slot, error),
					   most);
}

static struct alink_admin_slot *alink_admin_get_slot(struct alink_admin *admin,
						     bool killable)
{
	struct alink_admin_slot *slot = NULL;
	int error = 0;
	long left;

	left = alink_admin_await_slot(admin, &slot, &error, killable);
	if (slot)
		return slot;
	if (left < 0)
		return ERR_PTR(-EINTR);
	return ERR_PTR(error ?: -EBUSY);
}

static void alink_admin_put_slot(struct alink_admin *admin,
				 struct alink_admin_slot *slot)
{
	spin_lock_irq(&admin->lock);
	slot->state = ALINK_SLOT_FREE;
	spin_unlock_irq(&admin->lock);
	wake_up(&admin->wait);
}

static int alink_admin_submit(struct alink_dev *adev,
			      struct alink_admin_slot *slot, u16 opcode,
			      size_t req_len, size_t resp_len)
{
	struct alink_admin *admin = &adev->admin;
	struct alink_admin_cmd *cmd;
	int err;

	spin_lock_irq(&admin->lock);
	err = admin->error;
	if (err) {
		spin_unlock_irq(&admin->lock);
		return err;
	}

	slot->cid = ++admin->seq * ALINK_ADMIN_SLOTS + (slot - admin->slots);
	slot->state = ALINK_SLOT_INFLIGHT;
	slot->error = 0;
	reinit_completion(&slot->done);

	/* There are fewer slots than entries: the ring cannot be full. */
	cmd = &admin->sq[admin->sq_tail % ALINK_ADMIN_RING_SIZE];
	memset(cmd, 0, sizeof(*cmd));
	cmd->opcode = cpu_to_le16(opcode);
	cmd->cid = cpu_to_le32(slot->cid);
	cmd->req_addr = cpu_to_le64(req_len ? slot->req_dma : 0);
	cmd->resp_addr = cpu_to_le64(resp_len ? slot->resp_dma : 0);
	cmd->req_len = cpu_to_le32(req_len);
	cmd->resp_len = cpu_to_le32(resp_len);
	admin->sq_tail++;
	admin->inflight++;
	alink_wr32(adev, ALINK_REG_ADMIN_SQ_TAIL, admin->sq_tail);
	spin_unlock_irq(&admin->lock);
	return 0;
}

static void alink_admin_missed_irq(struct alink_dev *adev, u16 opcode)
{
	struct alink_admin *admin = &adev->admin;
	bool first;

	spin_lock_irq(&admin->lock);
	first = !admin->missed_irqs++;
	spin_unlock_irq(&admin->lock);
	if (first)
		pci_warn(adev->pdev, "completion of command %#x came without an interrupt\n",
			 opcode);
}

/* As wait_for_completion_timeout(); below 0 for who is @killable and killed */
static long alink_admin_wait_some(struct alink_admin_slot *slot,
				  unsigned long ms, bool killable)
{
	const unsigned long most = msecs_to_jiffies(ms);

	if (killable)
		return wait_for_completion_killable_timeout(&slot->done, most);
	return wait_for_completion_timeout(&slot->done, most);
}

/* @orphan: out: the slot is the device's and not the caller's any more */
static int alink_admin_wait(struct alink_dev *adev,
			    struct alink_admin_slot *slot, u16 opcode,
			    bool killable, bool *orphan)
{
	unsigned long start = jiffies, slice = ALINK_ADMIN_POLL_MIN_MS;
	unsigned long late = start + msecs_to_jiffies(ALINK_ADMIN_LATE_MS);
	unsigned long end = start + msecs_to_jiffies(ALINK_ADMIN_TIMEOUT_MS);
	struct alink_admin *admin = &adev->admin;
	long left;

	*orphan = false;
	for (;;) {
		left = alink_admin_wait_some(slot, slice, killable);
		if (left > 0)
			return slot->error;
		if (left < 0)
			break;

		/* Has the device gone, or did an interrupt get lost? */
		alink_rd32(adev, ALINK_REG_STATE);
		alink_admin_poll(adev);
		if (completion_done(&slot->done)) {
			if (time_after(jiffies, late))
				alink_admin_missed_irq(adev, opcode);
			continue;
		}
		if (time_after(jiffies, end))
			break;
		slice = min_t(unsigned long, 2 * slice, ALINK_ADMIN_POLL_MAX_MS);
	}

	spin_lock_irq(&admin->lock);
	*orphan = slot->state == ALINK_SLOT_INFLIGHT;
	if (*orphan)
		slot->state = ALINK_SLOT_ORPHAN;
	spin_unlock_irq(&admin->lock);
	if (!*orphan)
		return slot->error;
	if (left < 0)
		return -EINTR;

	pci_err(adev->pdev, "command %#x not answered in %u s\n", opcode,
		ALINK_ADMIN_TIMEOUT_MS / 1000);
	return -ETIMEDOUT;
}

static int alink_admin_run(struct alink_dev *adev, u16 opcode,
			   const void *req, size_t req_len,
			   void *resp, size_t resp_len, size_t *resp_used,
			   u16 *status, bool killable)
{
	struct alink_admin *admin = &adev->admin;
	struct alink_admin_slot *slot;
	u16 st = ALINK_ST_ABORTED;
	size_t used = 0;
	bool orphan;
	int err;

	might_sleep();

	if (resp_used)
		*resp_used = 0;
	if (status)
		*status = st;
	if (!(adev->caps & ALINK_CAP_ADMIN))
		return -ENODEV;
	if (req_len > ALINK_ADMIN_BUF_MAX || resp_len > ALINK_ADMIN_BUF_MAX)
		return -EMSGSIZE;
	/* Nothing is sent that nobody waits for. */
	if (killable && fatal_signal_pending(current))
		return -EINTR;

	slot = alink_admin_get_slot(admin, killable);
	if (IS_ERR(slot))
		return PTR_ERR(slot);

	err = alink_admin_alloc_bufs(adev, slot, max(req_len, resp_len) >
				     ALINK_ADMIN_BUF_SMALL ?
				     ALINK_ADMIN_BUF_MAX :
				     ALINK_ADMIN_BUF_SMALL);
	if (err)
		goto out_put_slot;

	if (req_len)
		memcpy(slot->req, req, req_len);
	err = alink_admin_submit(adev, slot, opcode, req_len, resp_len);
	if (err)
		goto out_put_slot;
	err = alink_admin_wait(adev, slot, opcode, killable, &orphan);
	if (orphan)
		return err;
	if (err)
		goto out_put_slot;

	st = le16_to_cpu(slot->cpl.status);
	used = le32_to_cpu(slot->cpl.resp_len);
	if (st != ALINK_ST_NO_ROOM && used > resp_len) {
		pci_err(adev->pdev, "command %#x claims %zu bytes of response in %zu\n",
			opcode, used, resp_len);
		err = -EPROTO;
		goto out_put_slot;
	}
	if (st == ALINK_ST_OK && used)
		memcpy(resp, slot->resp, used);
	if (resp_used)
		*resp_used = used;
	if (status)
		*status = st;
	err = alink_status_errno(st);

out_put_slot:
	alink_admin_put_slot(admin, slot);
	return err;
}

/**
 * alink_admin_exec - run one admin command
 * @adev:	device
 * @opcode:	ALINK_ADMIN_*
 * @req:	TLVs of the request, or NULL
 * @req_len:	bytes of @req, at most ALINK_ADMIN_BUF_MAX
 * @resp:	room for the TLVs of the response, or NULL
 * @resp_len:	bytes of @resp, at most ALINK_ADMIN_BUF_MAX
 * @resp_used:	bytes of response; with ALINK_ST_NO_ROOM the bytes that would
 *		be needed. May be NULL
 * @status:	enum alink_status of the device, ALINK_ST_ABORTED when it gave
 *		none. May be NULL
 *
 * Context: process; sleeps, for ALINK_ADMIN_TIMEOUT_MS at most.
 * Return: 0; -EMSGSIZE for lengths beyond the limit; -ENOMEM; -EBUSY when all
 * slots stay taken; -ETIMEDOUT; -ECANCELED when the device was reset; -ENODEV
 * when it is gone or has no admin queue; -EPROTO when its answer breaks the
 * contract; else alink_status_errno() of @status.
 */
int alink_admin_exec(struct alink_dev *adev, u16 opcode,
		     const void *req, size_t req_len,
		     void *resp, size_t resp_len, size_t *resp_used,
		     u16 *status)
{
	return alink_admin_run(adev, opcode, req, req_len, resp, resp_len,
			       resp_used, status, false);
}
EXPORT_SYMBOL_GPL(alink_admin_exec);

/**
 * alink_admin_exec_killable - alink_admin_exec() that a fatal signal ends
 * @adev:	device
 * @opcode:	as for alink_admin_exec(), as are all that follow
 * @req:	request
 * @req_len:	bytes of @req
 * @resp:	room for the response
 * @resp_len:	bytes of @resp
 * @resp_used:	out: bytes of response
 * @status:	out: status of the device
 *
 * Who is killed does not learn what has become of the command. The device does
 * it before any that comes later, or not at all. So this is for commands that
 * change nothing, and not for those that make what somebody has to undo.
 *
 * Context: process; sleeps.
 * Return: as alink_admin_exec(), or -EINTR on a fatal signal.
 */
int alink_admin_exec_killable(struct alink_dev *adev, u16 opcode,
			      const void *req, size_t req_len,
			      void *resp, size_t resp_len, size_t *resp_used,
			      u16 *status)
{
	return alink_admin_run(adev, opcode, req, req_len, resp, resp_len,
			       resp_used, status, true);
}
EXPORT_SYMBOL_GPL(alink_admin_exec_killable);

/**
 * alink_admin_tlv - run an admin command with one TLV and no response
 * @adev:	device
 * @opcode:	ALINK_ADMIN_*
 * @tlv:	ALINK_TLV_*; sent as must-understand
 * @payload:	payload
 * @len:	bytes of @payload
 * @status:	as for alink_admin_exec()
 *
 * Up to ALINK_ADMIN_TLV_SMALL bytes this needs no memory: what was made in the
 * device can be undone even when there is none.
 *
 * Context: process; sleeps.
 * Return: as alink_admin_exec().
 */
int alink_admin_tlv(struct alink_dev *adev, u16 opcode, u16 tlv,
		    const void *payload, size_t len, u16 *status)
{
	u8 small[ALINK_TLV_SPAN(ALINK_ADMIN_TLV_SMALL)] __aligned(8) = {};
	struct alink_tlv_buf buf = { .room = ALINK_TLV_SPAN(len) };
	int err;

	if (status)
		*status = ALINK_ST_ABORTED;
	buf.data = small;
	if (len > ALINK_ADMIN_TLV_SMALL) {
		buf.data = kzalloc(buf.room, GFP_KERNEL);
		if (!buf.data)
			return -ENOMEM;
	}

	err = alink_tlv_put(&buf, tlv | ALINK_TLV_MUST, payload, len);
	if (!err)
		err = alink_admin_exec(adev, opcode, buf.data, buf.len,
				       NULL, 0, NULL, status);
	if (buf.data != small)
		kfree(buf.data);
	return err;
}
EXPORT_SYMBOL_GPL(alink_admin_tlv);

/**
 * alink_admin_id - run an admin command whose request is one ALINK_TLV_ID
 * @adev:	device
 * @opcode:	ALINK_ADMIN_*
 * @id:		the id
 * @status:	as for alink_admin_exec()
 *
 * Context: process; sleeps.
 * Return: as alink_admin_exec().
 */
int alink_admin_id(struct alink_dev *adev, u16 opcode, u32 id, u16 *status)
{
	__le32 payload = cpu_to_le32(id);

	return alink_admin_tlv(adev, opcode, ALINK_TLV_ID, &payload,
			       sizeof(payload), status);
}
EXPORT_SYMBOL_GPL(alink_admin_id);
