// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start and stop of a function: at probe and remove, around FLR and suspend,
 * in PCI error recovery, and when the device has gone.
 *
 * Stopping releases everybody who waits for the device, ends DMA, and closes
 * the MMIO guard, so that whatever the function answers during its reset is
 * not taken for an answer.
 */
#include <linux/export.h>
#include <linux/pci.h>

#include "alink_priv.h"

/* Rings, interrupts and health of a device that is ready and has none */
int alink_dev_start(struct alink_dev *adev)
{
	int err;

	lockdep_assert_held(&adev->state_lock);

	alink_wr32(adev, ALINK_REG_CONTROL, ALINK_CONTROL_ENABLE);
	if (adev->caps & ALINK_CAP_ADMIN) {
		err = alink_admin_start(adev);
		if (err)
			goto err_disable;
		err = alink_event_start(adev);
		if (err)
			goto err_stop;
	}
	err = alink_frames_start(adev);
	if (err)
		goto err_stop;
	clear_bit(ALINK_DEV_FAILED, &adev->flags);
	alink_health_start(adev);
	return 0;

err_stop:
	if (adev->caps & ALINK_CAP_ADMIN) {
		alink_admin_stop(adev, err);
		alink_event_stop(adev);
	}
err_disable:
	alink_wr32(adev, ALINK_REG_CONTROL, 0);
	return err;
}

/* Undoes alink_dev_start(), also for a device that is in trouble or gone. */
void alink_dev_stop(struct alink_dev *adev, int error)
{
	lockdep_assert_held(&adev->state_lock);

	/* First, so that a worker which waits for an answer ends at once. */
	if (adev->caps & ALINK_CAP_ADMIN)
		alink_admin_stop(adev, error);
	alink_health_stop(adev);
	alink_frames_stop(adev);
	/* The health check may have woken the worker, never the reverse. */
	if (adev->caps & ALINK_CAP_ADMIN)
		alink_event_stop(adev);
}

/*
 * The next driver finds the device in order. One that is not disabled it resets:
 * so it is with all that waited for a reset which then did not come.
 */
void alink_dev_disable(struct alink_dev *adev)
{
	if (!test_bit(ALINK_DEV_UNCLEAN, &adev->flags))
		alink_wr32(adev, ALINK_REG_CONTROL, 0);
}

/**
 * alink_dev_unclean - the device keeps what its driver could not undo
 * @adev:	device, about to be removed
 *
 * The next driver then resets it, before it masters the bus again: it knows of
 * memory that has become somebody else's.
 */
void alink_dev_unclean(struct alink_dev *adev)
{
	set_bit(ALINK_DEV_UNCLEAN, &adev->flags);
}
EXPORT_SYMBOL_GPL(alink_dev_unclean);

/**
 * alink_dev_removing - the driver's remove begins
 * @adev:	device
 *
 * First of all. When the bus says that the function has been pulled out, it is
 * lost from here on, whatever its registers read: nobody waits for an answer.
 *
 * Context: process. The caller holds the device lock.
 */
void alink_dev_removing(struct alink_dev *adev)
{
	if (pci_dev_is_disconnected(adev->pdev))
		alink_mmio_lose(adev);
}
EXPORT_SYMBOL_GPL(alink_dev_removing);

/**
 * alink_dev_reset_prepare - stop using the device
 * @adev:	device
 *
 * Before FLR, suspend, or any other reset. When it returns, nobody waits for
 * the device, there is no DMA by the core, and register accesses are no-ops.
 * Calling it again before alink_dev_reset_done() does nothing.
 *
 * Context: process; sleeps.
 * Return: 0, or -ENODEV when the device is gone: then, too, it is stopped.
 */
int alink_dev_reset_prepare(struct alink_dev *adev)
{
	alink_ports_detach(adev);
	mutex_lock(&adev->state_lock);
	if (!test_and_set_bit(ALINK_DEV_STOPPED, &adev->flags)) {
		alink_dev_stop(adev, -ECANCELED);
		alink_mmio_close(adev);
	}
	mutex_unlock(&adev->state_lock);
	return alink_dev_lost(adev) ? -ENODEV : 0;
}
EXPORT_SYMBOL_GPL(alink_dev_reset_prepare);

/**
 * alink_dev_reset_done - use the device again
 * @adev:	device
 *
 * After alink_dev_reset_prepare() and the reset. Checks that it is the same
 * device, lets it master the bus, and brings rings and events up. The driver
 * then restores what it had in the device.
 *
 * Context: process; sleeps.
 * Return: 0, or -errno: then the device stays stopped, and further resets may
 * be tried.
 */
int alink_dev_reset_done(struct alink_dev *adev)
{
	int err = 0;

	mutex_lock(&adev->state_lock);
	if (alink_dev_lost(adev) || test_bit(ALINK_DEV_DOWN, &adev->flags)) {
		err = -ENODEV;
		goto out_unlock;
	}
	if (!test_bit(ALINK_DEV_STOPPED, &adev->flags))
		goto out_unlock;

	alink_mmio_open(adev);
	err = alink_handshake_again(adev);
	if (!err) {
		/* Not before: it may have kept what it was told before. */
		pci_set_master(adev->pdev);
		err = alink_dev_start(adev);
	}
	if (err) {
		alink_mmio_close(adev);
		set_bit(ALINK_DEV_FAILED, &adev->flags);
		pci_err(adev->pdev, "%s did not come back from reset: %pe\n",
			adev->name, ERR_PTR(err));
		goto out_unlock;
	}
	clear_bit(ALINK_DEV_STOPPED, &adev->flags);

out_unlock:
	mutex_unlock(&adev->state_lock);
	if (!err) {
		alink_ports_attach(adev);
		alink_event_resync(adev);
	}
	return err;
}
EXPORT_SYMBOL_GPL(alink_dev_reset_done);

/**
 * alink_dev_error_detected - pci_error_handlers.error_detected
 * @adev:	device
 * @state:	of the channel
 *
 * Return: CAN_RECOVER while the channel works, NEED_RESET with the device
 * stopped when it is frozen, DISCONNECT with the device lost when it is dead.
 */
pci_ers_result_t alink_dev_error_detected(struct alink_dev *adev,
					  pci_channel_state_t state)
{
	switch (state) {
	case pci_channel_io_normal:
		return PCI_ERS_RESULT_CAN_RECOVER;
	case pci_channel_io_frozen:
		if (alink_dev_reset_prepare(adev))
			return PCI_ERS_RESULT_DISCONNECT;
		pci_disable_device(adev->pdev);
		return PCI_ERS_RESULT_NEED_RESET;
	default:
		alink_mmio_lose(adev);
		return PCI_ERS_RESULT_DISCONNECT;
	}
}
EXPORT_SYMBOL_GPL(alink_dev_error_detected);

/**
 * alink_dev_mmio_enabled - pci_error_handlers.mmio_enabled
 * @adev:	device, which alink_dev_error_detected() left running
 *
 * Return: RECOVERED, or DISCONNECT with the device lost when it does not
 * answer. What it lacks besides is the business of its health check.
 */
pci_ers_result_t alink_dev_mmio_enabled(struct alink_dev *adev)
{
	alink_rd32(adev, ALINK_REG_STATE);
	return alink_dev_lost(adev) ? PCI_ERS_RESULT_DISCONNECT :
				      PCI_ERS_RESULT_RECOVERED;
}
EXPORT_SYMBOL_GPL(alink_dev_mmio_enabled);

/**
 * alink_dev_slot_reset - pci_error_handlers.slot_reset
 * @adev:	device
 *
 * Return: RECOVERED, or DISCONNECT when the device cannot be enabled.
 */
pci_ers_result_t alink_dev_slot_reset(struct alink_dev *adev)
{
	struct pci_dev *pdev = adev->pdev;
	int err;

	err = pci_enable_device_mem(pdev);
	if (err) {
		pci_err(pdev, "cannot enable after slot reset: %pe\n",
			ERR_PTR(err));
		/* Nobody calls again. */
		set_bit(ALINK_DEV_FAILED, &adev->flags);
		return PCI_ERS_RESULT_DISCONNECT;
	}
	pci_restore_state(pdev);
	pci_save_state(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}
EXPORT_SYMBOL_GPL(alink_dev_slot_reset);

/**
 * alink_dev_error_resume - pci_error_handlers.resume
 * @adev:	device
 *
 * Return: 0 when the device was stopped and works again: the driver restores
 * what it had; -EALREADY when it was never stopped; else -errno.
 */
int alink_dev_error_resume(struct alink_dev *adev)
{
	if (!test_bit(ALINK_DEV_STOPPED, &adev->flags))
		return -EALREADY;
	return alink_dev_reset_done(adev);
}
EXPORT_SYMBOL_GPL(alink_dev_error_resume);

/**
 * alink_dev_cor_error_detected - pci_error_handlers.cor_error_detected
 * @adev:	device; nothing is lost
 *
 * The kernel counts these, in aer_dev_correctable, by the function's address;
 * the log says which of the devices that is.
 */
void alink_dev_cor_error_detected(struct alink_dev *adev)
{
	pci_info_ratelimited(adev->pdev, "%s: correctable bus error\n",
			     adev->name);
}
EXPORT_SYMBOL_GPL(alink_dev_cor_error_detected);

/**
 * alink_dev_shutdown - leave the device quiet for the next kernel
 * @adev:	device, whose users the driver has stopped
 * @forget:	it has been told addresses that only a reset makes it forget
 *
 * For pci_driver.shutdown: power off, and kexec. The next kernel gives the
 * memory that the device knows of to others, and may let it master the bus
 * before it has reset it. Nothing starts the device again.
 *
 * Context: process; sleeps. The caller holds the device lock.
 */
void alink_dev_shutdown(struct alink_dev *adev, bool forget)
{
	int err;

	/* Tasks still run: they must not start it by another reset. */
	set_bit(ALINK_DEV_DOWN, &adev->flags);
	alink_dev_disable(adev);
	err = alink_dev_reset_prepare(adev);
	pci_clear_master(adev->pdev);
	if (err || !forget)
		return;
	mutex_lock(&adev->state_lock);
	alink_mmio_open(adev);
	err = alink_soft_reset(adev);
	alink_mmio_close(adev);
	mutex_unlock(&adev->state_lock);
	if (err)
		pci_warn(adev->pdev, "%s: no reset at shutdown: %pe\n",
			 adev->name, ERR_PTR(err));
}
EXPORT_SYMBOL_GPL(alink_dev_shutdown);

/* The guard, or the bus, found the device gone: release and tell everybody. */
void alink_dev_lost_work(struct work_struct *work)
{
	struct alink_dev *adev = container_of(work, struct alink_dev,
					      lost_work);

	pci_err(adev->pdev, "%s is gone: %s\n", adev->name,
		pci_dev_is_disconnected(adev->pdev) ?
		"the bus says so" : "registers read all ones");
	/* First: who learns that it is gone frees what it had. */
	pci_clear_master(adev->pdev);
	alink_admin_stop(adev, -ENODEV);
	if (test_bit(ALINK_DEV_REGISTERED, &adev->flags) && adev->ops->lost)
		adev->ops->lost(adev);
	alink_ports_detach(adev);
}
