// SPDX-License-Identifier: GPL-2.0-only
/*
 * Once a second: does the firmware still count, has it seen a fault, has it
 * reset itself, have we broken the contract? The reads find a device that has
 * gone, and the rings are looked at in case an interrupt got lost. The driver
 * above may look at what it alone knows.
 *
 * Nothing is reset from here: the driver above may have state in the device,
 * and who resets it is the administrator's decision.
 */
#include <linux/bottom_half.h>
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include "alink_priv.h"

#define ALINK_HEALTH_PERIOD		msecs_to_jiffies(ALINK_WATCH_MS)
#define ALINK_HEALTH_STALE		5

/**
 * alink_recovery_str - a recovery class in words
 * @recovery:	ALINK_RECOVERY_*
 *
 * Return: text without line feed; "unknown" for classes of later versions.
 */
const char *alink_recovery_str(u32 recovery)
{
	static const char * const names[] = {
		[ALINK_RECOVERY_NONE]		= "none",
		[ALINK_RECOVERY_RETRY]		= "retry",
		[ALINK_RECOVERY_CONTEXT]	= "context reset",
		[ALINK_RECOVERY_DEVICE]		= "device reset",
		[ALINK_RECOVERY_REPLACE]	= "replace",
	};

	return recovery < ARRAY_SIZE(names) ? names[recovery] : "unknown";
}
EXPORT_SYMBOL_GPL(alink_recovery_str);

static void alink_health_trouble(struct alink_dev *adev, const char *what)
{
	/* alink_dev_unregister() waits for callbacks by this lock. */
	mutex_lock(&adev->event_lock);
	if (test_bit(ALINK_DEV_REGISTERED, &adev->flags) && adev->ops->trouble)
		adev->ops->trouble(adev, what);
	mutex_unlock(&adev->event_lock);
}

static void alink_health_watch(struct alink_dev *adev)
{
	/* As above */
	mutex_lock(&adev->event_lock);
	if (test_bit(ALINK_DEV_REGISTERED, &adev->flags) && adev->ops->watch)
		adev->ops->watch(adev);
	mutex_unlock(&adev->event_lock);
}

static void alink_health_heartbeat(struct alink_dev *adev)
{
	u32 heartbeat = alink_rd32(adev, ALINK_REG_HEARTBEAT);

	if (heartbeat != adev->heartbeat) {
		if (adev->heartbeat_stale >= ALINK_HEALTH_STALE)
			pci_info(adev->pdev, "heartbeat is back\n");
		adev->heartbeat = heartbeat;
		adev->heartbeat_stale = 0;
		return;
	}
	if (++adev->heartbeat_stale != ALINK_HEALTH_STALE)
		return;
	pci_err(adev->pdev, "no heartbeat for %u s: firmware hangs\n",
		ALINK_HEALTH_STALE);
	alink_health_trouble(adev, "firmware hangs: no heartbeat");
}

static void alink_health_fault(struct alink_dev *adev)
{
	u32 code = alink_rd32(adev, ALINK_REG_FAULT_CODE);

	if (!code || code == ~0U)
		return;
	pci_err(adev->pdev, "fault %u:%u, info %u, address %#llx, recovery: %s\n",
		code / 256, code % 256, alink_rd32(adev, ALINK_REG_FAULT_INFO),
		alink_rd64(adev, ALINK_REG_FAULT_ADDR),
		alink_recovery_str(alink_rd32(adev, ALINK_REG_FAULT_CLASS)));
	alink_wr32(adev, ALINK_REG_FAULT_ACK, code);
}

static void alink_health_guest_errors(struct alink_dev *adev)
{
	u32 errors = alink_rd32(adev, ALINK_REG_GUEST_ERRORS);

	if (errors == adev->guest_errors || errors == ~0U)
		return;
	pci_warn(adev->pdev, "device counts %u accesses against the contract, the last at %#x\n",
		 errors - adev->guest_errors,
		 alink_rd32(adev, ALINK_REG_GUEST_ERR_LAST));
	adev->guest_errors = errors;
}

static void alink_health_work(struct work_struct *work)
{
	struct alink_dev *adev = container_of(to_delayed_work(work),
					      struct alink_dev, health_work);
	u32 generation;

	alink_health_heartbeat(adev);
	if (alink_dev_lost(adev))
		return;

	generation = alink_rd32(adev, ALINK_REG_GENERATION);
	if (generation != adev->generation && alink_dev_active(adev)) {
		pci_err(adev->pdev, "device was reset behind the driver, cause %u: reset it, or unbind it\n",
			alink_rd32(adev, ALINK_REG_RESET_CAUSE));
		set_bit(ALINK_DEV_FAILED, &adev->flags);
		alink_admin_stop(adev, -ECANCELED);
		alink_health_trouble(adev, "device was reset behind the driver");
		return;
	}

	alink_health_fault(adev);
	alink_health_guest_errors(adev);
	alink_health_watch(adev);
	alink_admin_poll(adev);
	mutex_lock(&adev->event_lock);
	local_bh_disable();
	alink_frames_kick(adev);
	local_bh_enable();
	mutex_unlock(&adev->event_lock);
	queue_work(adev->wq, &adev->event_work);
	queue_delayed_work(adev->wq, &adev->health_work, ALINK_HEALTH_PERIOD);
}

void alink_health_init(struct alink_dev *adev)
{
	INIT_DELAYED_WORK(&adev->health_work, alink_health_work);
}

void alink_health_start(struct alink_dev *adev)
{
	lockdep_assert_held(&adev->state_lock);

	adev->heartbeat = alink_rd32(adev, ALINK_REG_HEARTBEAT);
	adev->heartbeat_stale = 0;
	queue_delayed_work(adev->wq, &adev->health_work, ALINK_HEALTH_PERIOD);
}

void alink_health_stop(struct alink_dev *adev)
{
	cancel_delayed_work_sync(&adev->health_work);
}
