// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event ring. Vector 0 wakes an ordered worker; the health check looks
 * too, should an interrupt get lost. When the ring overflowed, everything
 * that events would have told is read again.
 */
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/minmax.h>

#include "alink_priv.h"

#define ALINK_EVENT_TYPES	(ALINK_BIT64(ALINK_EVENT_LINK) | \
				 ALINK_BIT64(ALINK_EVENT_FAULT) | \
				 ALINK_BIT64(ALINK_EVENT_QUEUE_ERROR) | \
				 ALINK_BIT64(ALINK_EVENT_MODULE) | \
				 ALINK_BIT64(ALINK_EVENT_THERMAL) | \
				 ALINK_BIT64(ALINK_EVENT_ROUTE) | \
				 ALINK_BIT64(ALINK_EVENT_GROUP) | \
				 ALINK_BIT64(ALINK_EVENT_PARTITION) | \
				 ALINK_BIT64(ALINK_EVENT_QUEUE_FAULT) | \
				 ALINK_BIT64(ALINK_EVENT_CREDIT))

/* Is there an entry at @head that the device has written? */
static bool alink_event_ready(struct alink_dev *adev, u32 head)
{
	const struct alink_event *entry;
	u16 phase;

	entry = &adev->events[head % adev->event_size];
	phase = !((head / adev->event_size) & 1);
	return (le16_to_cpu(READ_ONCE(entry->phase)) & 1) == phase;
}

static void alink_event_handle(struct alink_dev *adev,
			       const struct alink_event *event)
{
	lockdep_assert_held(&adev->event_lock);

	switch (le16_to_cpu(event->type)) {
	case ALINK_EVENT_NONE:
		alink_ports_resync(adev);
		break;
	case ALINK_EVENT_LINK:
		alink_port_event(adev, event);
		break;
	}
	if (!test_bit(ALINK_DEV_REGISTERED, &adev->flags))
		return;
	alink_netlink_event(adev, event);
	/* What is told comes before, and goes after, registration. */
	switch (le16_to_cpu(event->type)) {
	case ALINK_EVENT_NONE:
		alink_link_health_event(adev, event);
		fallthrough;
	case ALINK_EVENT_THERMAL:
		alink_hwmon_event(adev, event);
		break;
	case ALINK_EVENT_LINK:
	case ALINK_EVENT_CREDIT:
		alink_link_health_event(adev, event);
		break;
	}
	if (adev->ops->event)
		adev->ops->event(adev, event);
}

/* Tells everybody to read again what lost events would have told. */
void alink_event_resync(struct alink_dev *adev)
{
	static const struct alink_event none = {
		.type = cpu_to_le16(ALINK_EVENT_NONE),
	};

	mutex_lock(&adev->event_lock);
	alink_event_handle(adev, &none);
	mutex_unlock(&adev->event_lock);
}

/**
 * alink_dev_fault - tell of a fault that the driver has found, not the device
 * @adev:	device
 * @code:	ALINK_FAULT_KERNEL_*
 * @id:		queue, port or lane
 * @recovery:	what is done about it
 * @addr:	address, or 0
 *
 * Listeners and the driver's own event callback learn of it as if the device
 * had sent it.
 *
 * Context: process; sleeps. Not from a callback of @adev.
 */
void alink_dev_fault(struct alink_dev *adev, u32 code, u32 id,
		     enum alink_recovery recovery, u64 addr)
{
	struct alink_event event = {
		.type = cpu_to_le16(ALINK_EVENT_FAULT),
		.id = cpu_to_le32(id),
		.code = cpu_to_le32(code),
		.info = cpu_to_le32(recovery),
		.addr = cpu_to_le64(addr),
		.time_ns = cpu_to_le64(alink_rd64(adev, ALINK_REG_CLOCK)),
	};

	mutex_lock(&adev->event_lock);
	alink_event_handle(adev, &event);
	mutex_unlock(&adev->event_lock);
}
EXPORT_SYMBOL_GPL(alink_dev_fault);

static void alink_event_work(struct work_struct *work)
{
	struct alink_dev *adev = container_of(work, struct alink_dev,
					      event_work);
	struct alink_event event;
	unsigned int budget;
	u32 lost;

	mutex_lock(&adev->event_lock);
	for (budget = adev->event_size; budget; budget--) {
		if (!adev->events_on ||
		    !alink_event_ready(adev, adev->event_head))
			break;
		/* the rest of the entry is not older than its phase */
		dma_rmb();
		event = adev->events[adev->event_head % adev->event_size];
		adev->event_head++;
		alink_wr32(adev, ALINK_REG_EVENT_HEAD, adev->event_head);
		alink_event_handle(adev, &event);
	}
	if (!adev->events_on) {
		mutex_unlock(&adev->event_lock);
		return;
	}

	lost = alink_rd32(adev, ALINK_REG_EVENT_LOST);
	if (lost == ~0U)
		lost = 0;	/* the device is in reset or gone */
	adev->events_lost += lost;
	mutex_unlock(&adev->event_lock);

	if (lost) {
		pci_warn(adev->pdev, "%u events lost, reading all again\n",
			 lost);
		alink_event_resync(adev);
	}
	/* Budget spent: let the health check have its turn. */
	if (!budget)
		queue_work(adev->wq, &adev->event_work);
}

/**
 * alink_dev_flush_events - wait for events that are in the ring
 * @adev:	device
 *
 * When it returns, the driver's event callback has returned for each event
 * that the device had written before the call.
 *
 * Context: process; sleeps. Not from the callback itself.
 */
void alink_dev_flush_events(struct alink_dev *adev)
{
	if (!(adev->caps & ALINK_CAP_ADMIN))
		return;
	/* One run takes as many as the ring holds: all that were in it. */
	queue_work(adev->wq, &adev->event_work);
	flush_work(&adev->event_work);
}
EXPORT_SYMBOL_GPL(alink_dev_flush_events);

/* Wakes the worker when there is something for it. Runs in hard interrupt. */
void alink_event_kick(struct alink_dev *adev)
{
	if (adev->events && alink_event_ready(adev, READ_ONCE(adev->event_head)))
		queue_work(adev->wq, &adev->event_work);
}

/*
 * What befalls a switch befalls all its ports at once. The ring has room for
 * two events of each, so that nothing has to be read again then.
 */
int alink_event_init(struct alink_dev *adev)
{
	u32 size = clamp(2 * adev->num_links, ALINK_EVENT_RING_MIN,
			 ALINK_EVENT_RING_MAX);

	mutex_init(&adev->event_lock);
	INIT_WORK(&adev->event_work, alink_event_work);
	adev->event_size = roundup_pow_of_two(size);
	adev->events = dma_alloc_coherent(&adev->pdev->dev,
					  adev->event_size *
					  sizeof(*adev->events),
					  &adev->events_dma, GFP_KERNEL);
	return adev->events ? 0 : -ENOMEM;
}

void alink_event_fini(struct alink_dev *adev)
{
	dma_free_coherent(&adev->pdev->dev, adev->event_size *
			  sizeof(*adev->events), adev->events,
			  adev->events_dma);
	adev->events = NULL;
	mutex_destroy(&adev->event_lock);
}

/* Hands an empty ring to a device that has just been reset or probed. */
int alink_event_start(struct alink_dev *adev)
{
	__le64 mask = cpu_to_le64(ALINK_EVENT_TYPES);

	lockdep_assert_held(&adev->state_lock);

	mutex_lock(&adev->event_lock);
	memset(adev->events, 0, adev->event_size * sizeof(*adev->events));
	WRITE_ONCE(adev->event_head, 0);
	adev->events_on = true;
	mutex_unlock(&adev->event_lock);

	alink_wr64(adev, ALINK_REG_EVENT_BASE, adev->events_dma);
	alink_wr32(adev, ALINK_REG_EVENT_SIZE, adev->event_size);
	alink_wr32(adev, ALINK_REG_EVENT_CTRL, 1);
	if (alink_rd32(adev, ALINK_REG_EVENT_CTRL) != 1) {
		if (alink_dev_lost(adev))
			return -ENODEV;
		pci_err(adev->pdev, "device refuses the event ring\n");
		return -EIO;
	}
	return alink_admin_tlv(adev, ALINK_ADMIN_EVENT_MASK, ALINK_TLV_MASK,
			       &mask, sizeof(mask), NULL);
}

void alink_event_stop(struct alink_dev *adev)
{
	lockdep_assert_held(&adev->state_lock);

	/* First: nobody rings the doorbell of a ring that is off. */
	mutex_lock(&adev->event_lock);
	adev->events_on = false;
	mutex_unlock(&adev->event_lock);

	/* The read returns when the write has arrived: no DMA after that. */
	alink_wr32(adev, ALINK_REG_EVENT_CTRL, 0);
	alink_rd32(adev, ALINK_REG_EVENT_CTRL);
	cancel_work_sync(&adev->event_work);
}
