// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink_optics.ko: driver of the ALink optics controller: an I2C adapter for
 * each cage, and a driver for the CMIS modules in them.
 *
 * Specification: Documentation/hw/optics.rst.
 */
#include <linux/i2c.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/slab.h>
#include <net/devlink.h>

#include "alink_optics_priv.h"

static void alink_optics_event(struct alink_dev *adev,
			       const struct alink_event *event)
{
	struct alink_optics *opt = alink_dev_priv(adev);

	switch (le16_to_cpu(event->type)) {
	case ALINK_EVENT_NONE:
		alink_optics_cages_check(opt);
		break;
	case ALINK_EVENT_MODULE:
		alink_optics_cage_event(opt, event);
		break;
	}
}

static void alink_optics_lost(struct alink_dev *adev)
{
	alink_optics_i2c_release(alink_dev_priv(adev));
}

static const struct alink_dev_ops alink_optics_dev_ops = {
	.devtype = ALINK_DEVTYPE_OPTICS,
	.event = alink_optics_event,
	.lost = alink_optics_lost,
};

static const struct devlink_ops alink_optics_devlink_ops = {
	.info_get = alink_devlink_info_get,
};

static int alink_optics_alloc_channels(struct alink_optics *opt)
{
	u32 n = alink_rd32(opt->adev, ALINK_OPT_REG_NUM_CHANNELS);
	unsigned int i;

	if (!n || n > ALINK_OPTICS_MAX_CHANNELS) {
		pci_err(opt->pdev, "%u channels, expected 1..%u\n", n,
			ALINK_OPTICS_MAX_CHANNELS);
		return -ENODEV;
	}
	opt->ch = kcalloc(n, sizeof(*opt->ch), GFP_KERNEL);
	if (!opt->ch)
		return -ENOMEM;
	opt->num_channels = n;
	for (i = 0; i < n; i++) {
		opt->ch[i].opt = opt;
		opt->ch[i].n = i;
		opt->ch[i].regs = ALINK_OPT_CH(i);
	}
	return 0;
}

static int alink_optics_probe(struct pci_dev *pdev,
			      const struct pci_device_id *id)
{
	struct alink_optics *opt;
	struct devlink *devlink;
	int err;

	devlink = devlink_alloc(&alink_optics_devlink_ops, sizeof(*opt),
				&pdev->dev);
	if (!devlink)
		return -ENOMEM;
	opt = devlink_priv(devlink);
	opt->pdev = pdev;
	opt->stopped = true;
	pci_set_drvdata(pdev, opt);

	opt->adev = alink_dev_probe(pdev, &alink_optics_dev_ops, opt);
	if (IS_ERR(opt->adev)) {
		err = PTR_ERR(opt->adev);
		goto err_free;
	}
	err = alink_optics_alloc_channels(opt);
	if (err)
		goto err_dev;
	err = alink_optics_cages_init(opt);
	if (err)
		goto err_channels;
	err = alink_optics_i2c_init(opt);
	if (err)
		goto err_cages;
	err = alink_hwmon_register(opt->adev, "alink_optics");
	if (err)
		goto err_i2c;
	err = alink_dev_register(opt->adev);
	if (err)
		goto err_hwmon;
	devlink_register(devlink);
	alink_optics_cages_check(opt);
	return 0;

err_hwmon:
	alink_hwmon_unregister(opt->adev);
err_i2c:
	/* Cages first: clients are theirs. */
	alink_optics_i2c_stop(opt);
	alink_optics_cages_fini(opt);
	alink_optics_i2c_fini(opt);
	goto err_channels;
err_cages:
	alink_optics_cages_fini(opt);
err_channels:
	kfree(opt->ch);
err_dev:
	alink_dev_remove(opt->adev);
err_free:
	devlink_free(devlink);
	return err;
}

static void alink_optics_remove(struct pci_dev *pdev)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);
	struct devlink *devlink = priv_to_devlink(opt);

	alink_dev_removing(opt->adev);
	devlink_unregister(devlink);
	alink_dev_unregister(opt->adev);
	alink_hwmon_unregister(opt->adev);
	alink_optics_i2c_stop(opt);
	alink_optics_cages_fini(opt);
	alink_optics_i2c_fini(opt);
	kfree(opt->ch);
	alink_dev_remove(opt->adev);
	devlink_free(devlink);
}

/* Lasers stay as they are: light is what the links of others need. */
static void alink_optics_shutdown(struct pci_dev *pdev)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);

	alink_optics_i2c_stop(opt);
	alink_dev_shutdown(opt->adev, false);
}

static void alink_optics_reset_prepare(struct pci_dev *pdev)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);

	alink_optics_i2c_stop(opt);
	alink_dev_reset_prepare(opt->adev);
}

static void alink_optics_reset_done(struct pci_dev *pdev)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);

	if (!alink_dev_reset_done(opt->adev)) {
		alink_optics_i2c_start(opt);
		alink_optics_cages_check(opt);
	}
}

static pci_ers_result_t
alink_optics_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);

	if (state != pci_channel_io_normal)
		alink_optics_i2c_stop(opt);
	return alink_dev_error_detected(opt->adev, state);
}

static pci_ers_result_t alink_optics_mmio_enabled(struct pci_dev *pdev)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);

	return alink_dev_mmio_enabled(opt->adev);
}

static pci_ers_result_t alink_optics_slot_reset(struct pci_dev *pdev)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);

	return alink_dev_slot_reset(opt->adev);
}

static void alink_optics_resume(struct pci_dev *pdev)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);

	if (!alink_dev_error_resume(opt->adev)) {
		alink_optics_i2c_start(opt);
		alink_optics_cages_check(opt);
	}
}

static void alink_optics_cor_error_detected(struct pci_dev *pdev)
{
	struct alink_optics *opt = pci_get_drvdata(pdev);

	alink_dev_cor_error_detected(opt->adev);
}

static const struct pci_error_handlers alink_optics_err_handler = {
	.error_detected = alink_optics_error_detected,
	.mmio_enabled = alink_optics_mmio_enabled,
	.slot_reset = alink_optics_slot_reset,
	.reset_prepare = alink_optics_reset_prepare,
	.reset_done = alink_optics_reset_done,
	.resume = alink_optics_resume,
	.cor_error_detected = alink_optics_cor_error_detected,
};

static int alink_optics_pm_suspend(struct device *dev)
{
	alink_optics_reset_prepare(to_pci_dev(dev));
	return 0;
}

static int alink_optics_pm_resume(struct device *dev)
{
	struct alink_optics *opt = dev_get_drvdata(dev);
	unsigned int i;
	int err;

	err = alink_dev_reset_done(opt->adev);
	if (err)
		return err;
	/* Changes count from power on: without power they tell nothing. */
	for (i = 0; i < opt->num_channels; i++)
		WRITE_ONCE(opt->ch[i].renew, true);
	alink_optics_i2c_start(opt);
	alink_optics_cages_check(opt);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(alink_optics_pm_ops, alink_optics_pm_suspend,
				alink_optics_pm_resume);

static const struct pci_device_id alink_optics_ids[] = {
	{ PCI_DEVICE(ALINK_PCI_VENDOR_ID, ALINK_PCI_DEVICE_OPTICS) },
	{ }
};
MODULE_DEVICE_TABLE(pci, alink_optics_ids);

static struct pci_driver alink_optics_pci_driver = {
	.name = "alink_optics",
	.id_table = alink_optics_ids,
	.probe = alink_optics_probe,
	.remove = alink_optics_remove,
	.shutdown = alink_optics_shutdown,
	.err_handler = &alink_optics_err_handler,
	.driver.pm = pm_sleep_ptr(&alink_optics_pm_ops),
};

static int __init alink_optics_init(void)
{
	int err;

	err = i2c_add_driver(&alink_optics_cmis_driver);
	if (err)
		return err;
	err = pci_register_driver(&alink_optics_pci_driver);
	if (err)
		i2c_del_driver(&alink_optics_cmis_driver);
	return err;
}
module_init(alink_optics_init);

static void __exit alink_optics_exit(void)
{
	pci_unregister_driver(&alink_optics_pci_driver);
	i2c_del_driver(&alink_optics_cmis_driver);
}
module_exit(alink_optics_exit);

MODULE_DESCRIPTION("ALink optics controller and CMIS modules");
MODULE_LICENSE("GPL");
