// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI function: probe and remove, reset, error recovery, loss, suspend.
 *
 * Remove has three steps: nobody new gets in (STOPPING, drm_dev_unplug), the
 * device forgets all that it was told, and only when it masters the bus no
 * more its memory is unmapped (GONE). Objects live on with open files, as
 * memory that no device looks at.
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>

#include "alink_xpu_drv.h"

/* --- start and stop ----------------------------------------------------- */

static void xpu_abandon_work(struct work_struct *work)
{
	alink_xpu_abandon_reset(container_of(to_delayed_work(work),
					     struct xpu_device, abandon_work));
}

static void xpu_cancel_resets(struct xpu_device *xdev)
{
	cancel_delayed_work_sync(&xdev->reset_work);
	cancel_delayed_work_sync(&xdev->abandon_work);
}

/* The device is fresh: make in it what is the kernel's, and all contexts. */
static int xpu_start(struct xpu_device *xdev)
{
	int err;

	err = alink_xpu_kq_start(xdev);
	if (!err)
		err = alink_xpu_sleep_restore(xdev);
	if (!err)
		err = alink_xpu_vms_restore(xdev);
	if (!err)
		alink_xpu_retire_store(xdev, true);
	return err;
}

/* Everybody out; what follows is a reset, of whatever kind. */
static void xpu_stop(struct xpu_device *xdev)
{
	alink_xpu_set_state(xdev, XPU_RESETTING);
	alink_xpu_queues_cancel(xdev);
	alink_xpu_wake_all(xdev);
	alink_xpu_zap_all(xdev);
}

/* After xpu_stop() and the reset; @err says how that went. */
static void xpu_restart(struct xpu_device *xdev, int err)
{
	cancel_delayed_work_sync(&xdev->abandon_work);
	if (!err)
		err = xpu_start(xdev);
	if (err && alink_dev_lost(xdev->adev))
		return;		/* xpu_lost() follows, or has been here */
	if (err) {
		pci_clear_master(xdev->pdev);
		drm_err(&xdev->drm, "unusable after reset: %pe\n",
			ERR_PTR(err));
	}
	alink_xpu_set_state(xdev, err ? XPU_FAILED : XPU_ACTIVE);
	alink_xpu_faults_reset(xdev, err);
	if (!err)
		alink_xpu_ecc_look(xdev);
}

/* alink_dev_ops.lost: the device reads all ones. It is gone, or worse. */
static void xpu_lost(struct alink_dev *adev)
{
	struct xpu_device *xdev = alink_dev_priv(adev);

	pci_clear_master(xdev->pdev);
	alink_xpu_set_state(xdev, XPU_GONE);
	alink_xpu_queues_cancel(xdev);
	alink_xpu_wake_all(xdev);
	alink_xpu_binds_kick(xdev);
	alink_xpu_zap_all(xdev);
}

static const struct alink_dev_ops xpu_alink_ops = {
	.devtype = ALINK_DEVTYPE_XPU,
	.event = alink_xpu_event,
	.lost = xpu_lost,
	.trouble = alink_xpu_trouble,
	.watch = alink_xpu_hang_watch,
	.segment_owner = alink_xpu_segment_owner,
	.segment_revoke = alink_xpu_segment_revoke,
};

/*
 * Resets a device that was cut off. Should somebody hold the device lock, that
 * may be a remove or another reset, which does as well, or something else.
 */
static void xpu_reset_work(struct work_struct *work)
{
	struct xpu_device *xdev = container_of(to_delayed_work(work),
					       struct xpu_device, reset_work);
	const char *why = xchg(&xdev->faults.wedged, NULL);
	int err;

	/* First: a reset takes with it what there is to see. */
	if (why)
		alink_xpu_tell(xdev, why);
	err = pci_try_reset_function(xdev->pdev);
	if (err == -EAGAIN && alink_xpu_state_errno(xdev) == -EIO)
		queue_delayed_work(system_unbound_wq, &xdev->reset_work, HZ);
	else if (err)
		drm_err(&xdev->drm, "reset: %pe\n", ERR_PTR(err));
	/* Somebody else may have been quicker, and his look came before our report. */
	queue_work(system_unbound_wq, &xdev->faults.work);
}

/* --- forgetting ------------------------------------------------------- */

static int xpu_forget(struct xpu_device *xdev, struct xarray *xa, u16 opcode)
{
	unsigned long id;
	int err = 0;
	void *entry;

	xa_for_each(xa, id, entry) {
		err = alink_admin_id(xdev->adev, opcode, id, NULL);
		if (err == -ETIMEDOUT || err == -ENODEV)
			return err;
	}
	return 0;
}

static int xpu_forget_imports(struct xpu_device *xdev)
{
	struct xpu_bo *bo;
	unsigned long id;
	int err = 0;
	bool group;

	xa_for_each(&xdev->imports, id, bo) {
		xa_lock(&xdev->imports);
		bo = xa_load(&xdev->imports, id);
		group = bo && bo->kind == XPU_BO_GROUP;
		xa_unlock(&xdev->imports);
		if (!bo)
			continue;
		err = alink_admin_id(xdev->adev, group ?
				     ALINK_XPU_ADMIN_GROUP_RELEASE :
				     ALINK_XPU_ADMIN_SEG_RELEASE, id, NULL);
		if (err == -ETIMEDOUT || err == -ENODEV)
			return err;
	}
	return 0;
}

/*
 * Makes the device forget all, so that the next driver finds it as after a
 * reset. Not what keeps memory safe, so it stops at the first silence, and
 * leaves the rest to a reset by that driver.
 */
static void xpu_forget_all(struct xpu_device *xdev)
{
	struct alink_dev *adev = xdev->adev;
	int err;

	err = xpu_forget(xdev, &xdev->queues, ALINK_XPU_ADMIN_QUEUE_DESTROY);
	if (!err)
		err = alink_admin_id(adev, ALINK_XPU_ADMIN_QUEUE_DESTROY,
				     XPU_KERNEL_QUEUE, NULL);
	if (!err)
		err = xpu_forget(xdev, &xdev->groups,
				 ALINK_XPU_ADMIN_GROUP_UNBIND);
	if (!err)
		err = xpu_forget(xdev, &xdev->segments,
				 ALINK_XPU_ADMIN_SEG_REVOKE);
	if (!err)
		err = xpu_forget_imports(xdev);
	if (!err)
		err = xpu_forget(xdev, &xdev->ctx_ids,
				 ALINK_XPU_ADMIN_CTX_DESTROY);
	if (!err)
		err = alink_admin_id(adev, ALINK_XPU_ADMIN_CTX_DESTROY,
				     XPU_KERNEL_CTX, NULL);
	if (err && err != -ENODEV) {
		pci_warn(xdev->pdev, "left in use by remove: %pe\n",
			 ERR_PTR(err));
		alink_dev_unclean(xdev->adev);
	}
}

/* --- probe -------------------------------------------------------------- */

static void xpu_init_locks(struct xpu_device *xdev)
{
	unsigned int i;

	init_rwsem(&xdev->reset_lock);
	xdev->state = XPU_RESETTING;
	xdev->generation = 1;
	init_waitqueue_head(&xdev->state_wait);
	INIT_DELAYED_WORK(&xdev->reset_work, xpu_reset_work);
	INIT_DELAYED_WORK(&xdev->abandon_work, xpu_abandon_work);
	mutex_init(&xdev->ctx_lock);
	mutex_init(&xdev->count_lock);
	INIT_LIST_HEAD(&xdev->vms);
	xa_init_flags(&xdev->ctx_ids, XA_FLAGS_ALLOC);
	xa_init_flags(&xdev->queues, XA_FLAGS_ALLOC);
	xa_init_flags(&xdev->segments, XA_FLAGS_ALLOC);
	xa_init_flags(&xdev->groups, XA_FLAGS_ALLOC);
	xa_init_flags(&xdev->imports, XA_FLAGS_ALLOC);
	spin_lock_init(&xdev->bos_lock);
	INIT_LIST_HEAD(&xdev->bos);
	mutex_init(&xdev->kq.lock);
	alink_xpu_evict_init(xdev);
	alink_xpu_sleep_init(xdev);
	init_waitqueue_head(&xdev->any_wait);
	alink_xpu_faults_init(xdev);
	alink_xpu_qerrs_init(xdev);
	alink_xpu_ecc_init(xdev);
	for (i = 0; i < ARRAY_SIZE(xdev->vectors); i++) {
		xdev->vectors[i].xdev = xdev;
		xdev->vectors[i].irq = -1;
		init_waitqueue_head(&xdev->vectors[i].wait);
	}
}

/*
 * Is HBM where the kernel thinks it is? A reset through sysfs that began before
 * the kernel had assigned BARs, and ended after, put old ones back. CPUs would
 * see anything but HBM then, and nothing would fail.
 */
static int xpu_check_hbm_bar(struct pci_dev *pdev)
{
	int pos = PCI_BASE_ADDRESS_0 + 4 * ALINK_XPU_BAR_HBM;
	struct pci_bus_region want;
	u32 low, high;
	u64 have;

	pcibios_resource_to_bus(pdev->bus, &want,
				&pdev->resource[ALINK_XPU_BAR_HBM]);
	pci_read_config_dword(pdev, pos, &low);
	pci_read_config_dword(pdev, pos + 4, &high);
	if (PCI_POSSIBLE_ERROR(low))
		return -ENODEV;
	have = (u64)high << 32 | (low & PCI_BASE_ADDRESS_MEM_MASK);
	if (have == want.start)
		return 0;
	pci_err(pdev, "BAR2 is at %#llx, the kernel put it at %#llx: remove and rescan\n",
		have, (u64)want.start);
	return -EIO;
}

static int xpu_map_bars(struct xpu_device *xdev)
{
	struct pci_dev *pdev = xdev->pdev;
	int err;

	xdev->db_base = pci_resource_start(pdev, ALINK_BAR_REGS) +
			ALINK_XPU_DB_BASE;
	if (!xdev->info.hbm_visible)
		return 0;
	err = xpu_check_hbm_bar(pdev);
	if (err)
		return err;

	err = pci_request_selected_regions(pdev, BIT(ALINK_XPU_BAR_HBM),
					   "alink_xpu");
	if (err)
		return err;
	xdev->hbm_base = pci_resource_start(pdev, ALINK_XPU_BAR_HBM);
	/* x86 has from here how a page of a BAR is cached, not from the VMA. */
	xdev->hbm_wc = !arch_io_reserve_memtype_wc(xdev->hbm_base,
						   xdev->info.hbm_visible);
	return 0;
}

static void xpu_unmap_bars(struct xpu_device *xdev)
{
	if (!xdev->hbm_base)
		return;
	if (xdev->hbm_wc)
		arch_io_free_memtype_wc(xdev->hbm_base, xdev->info.hbm_visible);
	xdev->hbm_base = 0;
	pci_release_selected_regions(xdev->pdev, BIT(ALINK_XPU_BAR_HBM));
}

/* What must be there before the device can be used at all */
static int xpu_hw_init(struct xpu_device *xdev)
{
	int err;

	err = alink_xpu_read_info(xdev);
	if (err)
		return err;
	xdev->fabric_id = alink_dev_fabric_id(xdev->adev);
	/* Who shows what a file uses cannot say that there was no memory. */
	xdev->count_busy = drmm_kcalloc(&xdev->drm,
					BITS_TO_LONGS(xdev->info.num_ctx + 1),
					sizeof(*xdev->count_busy), GFP_KERNEL);
	if (!xdev->count_busy)
		return -ENOMEM;
	err = xpu_map_bars(xdev);
	if (err)
		return dev_err_probe(&xdev->pdev->dev, err, "BARs\n");
	err = alink_xpu_hbm_init(xdev);
	if (err)
		goto err_bars;
	err = alink_xpu_retire_load(xdev);
	if (err)
		goto err_bars;
	err = alink_xpu_kq_init(xdev);
	if (err)
		goto err_bars;
	err = alink_xpu_irq_init(xdev);
	if (err)
		goto err_kq;
	return 0;

err_kq:
	alink_xpu_kq_fini(xdev);
err_bars:
	xpu_unmap_bars(xdev);
	return err;
}

static int xpu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct xpu_device *xdev;
	int err;

	xdev = devm_drm_dev_alloc(&pdev->dev, &alink_xpu_drm_driver,
				  struct xpu_device, drm);
	if (IS_ERR(xdev))
		return PTR_ERR(xdev);
	xdev->pdev = pci_dev_get(pdev);
	xpu_init_locks(xdev);
	alink_xpu_bridges_init(xdev);

	xdev->adev = alink_dev_probe(pdev, &xpu_alink_ops, xdev);
	if (IS_ERR(xdev->adev))
		return PTR_ERR(xdev->adev);
	pci_set_drvdata(pdev, xdev);
	err = xpu_hw_init(xdev);
	if (err)
		goto err_adev;
	err = xpu_start(xdev);
	if (err)
		goto err_hw;
	err = alink_xpu_devlink_init(xdev);
	if (err)
		goto err_forget;
	err = alink_hwmon_register(xdev->adev, "alink_xpu");
	if (err)
		goto err_devlink;

	alink_xpu_set_state(xdev, XPU_ACTIVE);
	err = alink_xpu_sleep_register(xdev);
	if (err)
		goto err_hwmon;
	err = alink_dev_register(xdev->adev);
	if (err)
		goto err_sleep;
	err = drm_dev_register(&xdev->drm, 0);
	if (err)
		goto err_unregister;

	drm_info(&xdev->drm, "%s is %s, %llu MiB of HBM, %llu MiB visible\n",
		 alink_dev_name(xdev->adev), xdev->info.name,
		 xdev->info.hbm_size >> 20, xdev->info.hbm_visible >> 20);
	return 0;

err_unregister:
	alink_dev_unregister(xdev->adev);
err_sleep:
	alink_xpu_sleep_unregister(xdev);
err_hwmon:
	alink_xpu_set_state(xdev, XPU_STOPPING);
	/* First: the others wait for the lock that a flash holds. */
	alink_flash_stop(xdev->adev);
	xpu_cancel_resets(xdev);
	alink_hwmon_unregister(xdev->adev);
err_devlink:
	alink_flash_stop(xdev->adev);
	/* devlink may have asked for reports. */
	alink_xpu_faults_fini(xdev);
	alink_xpu_qerrs_fini(xdev);
	alink_xpu_ecc_fini(xdev);
	alink_xpu_devlink_fini(xdev);
err_forget:
	xpu_forget_all(xdev);
err_hw:
	alink_xpu_irq_fini(xdev);
	xpu_unmap_bars(xdev);
err_adev:
	alink_xpu_set_state(xdev, XPU_GONE);
	alink_dev_remove(xdev->adev);
	/* The device masters the bus no more. */
	if (xdev->kq.ring)
		alink_xpu_kq_fini(xdev);
	return err;
}

/* --- remove ------------------------------------------------------------- */

static void xpu_remove(struct pci_dev *pdev)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);

	alink_dev_removing(xdev->adev);
	alink_xpu_set_state(xdev, XPU_STOPPING);
	/* First: the others wait for the lock that a flash holds. */
	alink_flash_stop(xdev->adev);
	alink_xpu_sleep_unregister(xdev);
	drm_dev_unplug(&xdev->drm);
	alink_xpu_binds_stop(xdev);
	alink_xpu_wake_all(xdev);
	alink_dev_unregister(xdev->adev);
	xpu_cancel_resets(xdev);
	alink_xpu_faults_fini(xdev);
	alink_xpu_qerrs_fini(xdev);
	alink_xpu_ecc_fini(xdev);

	alink_hwmon_unregister(xdev->adev);
	alink_xpu_devlink_fini(xdev);
	xpu_forget_all(xdev);
	alink_xpu_irq_fini(xdev);
	xpu_unmap_bars(xdev);
	alink_xpu_set_state(xdev, XPU_GONE);
	alink_dev_remove(xdev->adev);

	/* The device masters the bus no more. */
	alink_xpu_wake_all(xdev);
	alink_xpu_kq_fini(xdev);
	alink_xpu_vms_drop_tables(xdev);
	alink_xpu_bos_unmap(xdev);
}

/*
 * Power off, or kexec. Users still run: their calls fail from here on, and what
 * they have mapped shows memory.
 */
static void xpu_shutdown(struct pci_dev *pdev)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);

	alink_xpu_set_state(xdev, XPU_GONE);
	alink_flash_stop(xdev->adev);
	xpu_cancel_resets(xdev);
	alink_xpu_queues_cancel(xdev);
	alink_xpu_wake_all(xdev);
	alink_xpu_binds_kick(xdev);
	alink_xpu_zap_all(xdev);
	/* Queues of users are in it, with all that they were to do. */
	alink_dev_shutdown(xdev->adev, true);
}

/* --- reset, errors, suspend --------------------------------------------- */

static void xpu_reset_prepare(struct pci_dev *pdev)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);

	xpu_stop(xdev);
	alink_dev_reset_prepare(xdev->adev);
	alink_xpu_cut_off(xdev);
}

static void xpu_reset_done(struct pci_dev *pdev)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);

	xpu_restart(xdev, alink_dev_reset_done(xdev->adev));
}

static pci_ers_result_t xpu_error_detected(struct pci_dev *pdev,
					   pci_channel_state_t state)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);
	pci_ers_result_t ret;

	if (state == pci_channel_io_frozen)
		xpu_stop(xdev);
	ret = alink_dev_error_detected(xdev->adev, state);
	/* So that nobody takes the bus from it when it starts again. */
	if (state == pci_channel_io_frozen) {
		alink_xpu_cut_off(xdev);
		queue_delayed_work(system_unbound_wq, &xdev->abandon_work,
				   XPU_RESET_TIMEOUT);
	}
	return ret;
}

static pci_ers_result_t xpu_mmio_enabled(struct pci_dev *pdev)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);

	return alink_dev_mmio_enabled(xdev->adev);
}

static pci_ers_result_t xpu_slot_reset(struct pci_dev *pdev)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);
	pci_ers_result_t ret = alink_dev_slot_reset(xdev->adev);

	/* Then nobody calls again. The function is disabled: no DMA. */
	if (ret != PCI_ERS_RESULT_RECOVERED) {
		alink_xpu_set_state(xdev, XPU_FAILED);
		alink_xpu_faults_reset(xdev, -EIO);
	}
	return ret;
}

static void xpu_resume_io(struct pci_dev *pdev)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);
	int err = alink_dev_error_resume(xdev->adev);

	if (err != -EALREADY)
		xpu_restart(xdev, err);
}

static void xpu_cor_error_detected(struct pci_dev *pdev)
{
	struct xpu_device *xdev = pci_get_drvdata(pdev);

	alink_dev_cor_error_detected(xdev->adev);
}

static const struct pci_error_handlers xpu_err_handlers = {
	.error_detected = xpu_error_detected,
	.mmio_enabled = xpu_mmio_enabled,
	.slot_reset = xpu_slot_reset,
	.resume = xpu_resume_io,
	.reset_prepare = xpu_reset_prepare,
	.reset_done = xpu_reset_done,
	.cor_error_detected = xpu_cor_error_detected,
};

/*
 * A reset that is due comes with the end of the sleep, or at once if there will
 * be no sleep; what it was due for is told all the same.
 */
static void xpu_take_over_reset(struct xpu_device *xdev)
{
	const char *why;

	xpu_cancel_resets(xdev);
	why = xchg(&xdev->faults.wedged, NULL);
	if (why)
		alink_xpu_trouble(xdev->adev, why);
}

/* HBM loses its power. If what it holds cannot be kept the device goes on. */
static int xpu_suspend(struct device *dev)
{
	struct xpu_device *xdev = dev_get_drvdata(dev);
	int err;

	err = alink_xpu_sleep_check(xdev);
	if (err)
		return err;
	xpu_stop(xdev);
	/* From here on nobody wants another one. */
	xpu_take_over_reset(xdev);
	err = alink_xpu_sleep_save(xdev);
	alink_dev_reset_prepare(xdev->adev);
	alink_xpu_cut_off(xdev);
	/* Queues have ended: that is what a reset does, so there is one. */
	if (err)
		xpu_restart(xdev, alink_dev_reset_done(xdev->adev));
	return err;
}

static int xpu_resume(struct device *dev)
{
	struct xpu_device *xdev = dev_get_drvdata(dev);

	xpu_restart(xdev, alink_dev_reset_done(xdev->adev));
	return alink_xpu_state_errno(xdev);
}

static DEFINE_SIMPLE_DEV_PM_OPS(xpu_pm_ops, xpu_suspend, xpu_resume);

static const struct pci_device_id xpu_ids[] = {
	{ PCI_DEVICE(ALINK_PCI_VENDOR_ID, ALINK_PCI_DEVICE_XPU) },
	{ }
};
MODULE_DEVICE_TABLE(pci, xpu_ids);

static const struct attribute_group *xpu_groups[] = {
	&alink_xpu_retire_group,
	&alink_xpu_evict_group,
	&alink_xpu_hang_group,
	&alink_xpu_qerr_group,
	NULL
};

struct pci_driver alink_xpu_pci_driver = {
	.name = "alink_xpu",
	.dev_groups = xpu_groups,
	.id_table = xpu_ids,
	.probe = xpu_probe,
	.remove = xpu_remove,
	.shutdown = xpu_shutdown,
	.err_handler = &xpu_err_handlers,
	.driver.pm = pm_sleep_ptr(&xpu_pm_ops),
};
