// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_switch.ko: driver of ALink switch ASICs. Ports are netdevs, tables are
 * objects of the alink netlink family; both come from alink.ko.
 *
 * Specification: Documentation/hw/switch.rst.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>

#include "alink_switch.h"

static void alink_switch_event(struct alink_dev *adev,
			       const struct alink_event *event)
{
	struct alink_switch *sw = alink_dev_priv(adev);

	if (le16_to_cpu(event->type) == ALINK_EVENT_FAULT)
		alink_switch_asic_fault(sw, event);
}

static const struct alink_dev_ops alink_switch_dev_ops = {
	.devtype = ALINK_DEVTYPE_SWITCH,
	.event = alink_switch_event,
	.trouble = alink_switch_asic_trouble,
	.watch = alink_switch_inc_watch,
};

static int alink_switch_read_limits(struct alink_switch *sw)
{
	struct alink_dev *adev = sw->adev;

	sw->radix = alink_rd32(adev, ALINK_SW_REG_RADIX);
	sw->plane = alink_rd32(adev, ALINK_SW_REG_PLANE);
	sw->hop_ns = alink_rd32(adev, ALINK_SW_REG_HOP_NS);
	sw->max_routes = alink_rd32(adev, ALINK_SW_REG_MAX_ROUTES);
	sw->max_groups = alink_rd32(adev, ALINK_SW_REG_MAX_GROUPS);
	if (!sw->radix || sw->radix > ALINK_MAX_PORTS ||
	    sw->radix != alink_dev_num_links(adev)) {
		pci_err(sw->pdev, "radix %u with %u link windows\n", sw->radix,
			alink_dev_num_links(adev));
		return -ENODEV;
	}
	return 0;
}

static int alink_switch_probe(struct pci_dev *pdev,
			      const struct pci_device_id *id)
{
	struct alink_switch *sw;
	struct devlink *devlink;
	int err;

	devlink = devlink_alloc(&alink_switch_devlink_ops, sizeof(*sw),
				&pdev->dev);
	if (!devlink)
		return -ENOMEM;
	sw = devlink_priv(devlink);
	sw->pdev = pdev;
	pci_set_drvdata(pdev, sw);

	sw->adev = alink_dev_probe(pdev, &alink_switch_dev_ops, sw);
	if (IS_ERR(sw->adev)) {
		err = PTR_ERR(sw->adev);
		goto err_free;
	}
	err = alink_switch_read_limits(sw);
	if (err)
		goto err_dev;
	err = alink_switch_devlink_init(sw);
	if (err)
		goto err_dev;
	devl_lock(devlink);
	err = alink_ports_create(sw->adev, devlink);
	devl_unlock(devlink);
	if (err)
		goto err_devlink;
	err = alink_hwmon_register(sw->adev, "alink_switch");
	if (err)
		goto err_ports;
	err = alink_dev_register(sw->adev);
	if (err)
		goto err_hwmon;
	devlink_register(devlink);
	alink_switch_reporters_start(sw);
	return 0;

err_hwmon:
	alink_hwmon_unregister(sw->adev);
err_ports:
	devl_lock(devlink);
	alink_ports_destroy(sw->adev);
	devl_unlock(devlink);
err_devlink:
	alink_switch_devlink_fini(sw);
err_dev:
	alink_dev_remove(sw->adev);
err_free:
	devlink_free(devlink);
	return err;
}

static void alink_switch_remove(struct pci_dev *pdev)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);
	struct devlink *devlink = priv_to_devlink(sw);

	alink_dev_removing(sw->adev);
	/* First: the others wait for the lock that a flash holds. */
	alink_flash_stop(sw->adev);
	alink_switch_reporters_stop(sw);
	devlink_unregister(devlink);
	alink_dev_unregister(sw->adev);
	alink_hwmon_unregister(sw->adev);
	devl_lock(devlink);
	alink_ports_destroy(sw->adev);
	devl_unlock(devlink);
	alink_switch_devlink_fini(sw);
	alink_dev_remove(sw->adev);
	devlink_free(devlink);
}

/* Its tables stay: the fabric goes on for others, also over a kexec. */
static void alink_switch_shutdown(struct pci_dev *pdev)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);

	alink_dev_shutdown(sw->adev, false);
}

static void alink_switch_reset_prepare(struct pci_dev *pdev)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);

	alink_dev_reset_prepare(sw->adev);
}

static void alink_switch_reset_done(struct pci_dev *pdev)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);

	alink_switch_asic_reset(sw, alink_dev_reset_done(sw->adev));
}

static pci_ers_result_t
alink_switch_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);

	return alink_dev_error_detected(sw->adev, state);
}

static pci_ers_result_t alink_switch_mmio_enabled(struct pci_dev *pdev)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);

	return alink_dev_mmio_enabled(sw->adev);
}

static pci_ers_result_t alink_switch_slot_reset(struct pci_dev *pdev)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);

	return alink_dev_slot_reset(sw->adev);
}

static void alink_switch_resume(struct pci_dev *pdev)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);
	int err;

	err = alink_dev_error_resume(sw->adev);
	/* It was never stopped. */
	if (err != -EALREADY)
		alink_switch_asic_reset(sw, err);
}

static void alink_switch_cor_error_detected(struct pci_dev *pdev)
{
	struct alink_switch *sw = pci_get_drvdata(pdev);

	alink_dev_cor_error_detected(sw->adev);
}

static const struct pci_error_handlers alink_switch_err_handler = {
	.error_detected = alink_switch_error_detected,
	.mmio_enabled = alink_switch_mmio_enabled,
	.slot_reset = alink_switch_slot_reset,
	.reset_prepare = alink_switch_reset_prepare,
	.reset_done = alink_switch_reset_done,
	.resume = alink_switch_resume,
	.cor_error_detected = alink_switch_cor_error_detected,
};

static int alink_switch_pm_suspend(struct device *dev)
{
	struct alink_switch *sw = dev_get_drvdata(dev);

	/* Also for a device that is gone: suspend goes on without it. */
	alink_dev_reset_prepare(sw->adev);
	return 0;
}

static int alink_switch_pm_resume(struct device *dev)
{
	struct alink_switch *sw = dev_get_drvdata(dev);
	int err;

	err = alink_dev_reset_done(sw->adev);
	alink_switch_asic_reset(sw, err);
	return err;
}

static DEFINE_SIMPLE_DEV_PM_OPS(alink_switch_pm_ops, alink_switch_pm_suspend,
				alink_switch_pm_resume);

static const struct pci_device_id alink_switch_ids[] = {
	{ PCI_DEVICE(ALINK_PCI_VENDOR_ID, ALINK_PCI_DEVICE_SWITCH) },
	{ }
};
MODULE_DEVICE_TABLE(pci, alink_switch_ids);

static struct pci_driver alink_switch_pci_driver = {
	.name = "alink_switch",
	.id_table = alink_switch_ids,
	.probe = alink_switch_probe,
	.remove = alink_switch_remove,
	.shutdown = alink_switch_shutdown,
	.err_handler = &alink_switch_err_handler,
	.driver.pm = pm_sleep_ptr(&alink_switch_pm_ops),
};
module_pci_driver(alink_switch_pci_driver);

MODULE_DESCRIPTION("ALink switch ASIC");
MODULE_LICENSE("GPL");
