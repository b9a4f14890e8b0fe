// SPDX-License-Identifier: GPL-2.0-only
/*
 * ALink scale-out and DCN NIC: the PCI function. Probe, remove, reset, errors
 * on the bus, power management.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/rtnetlink.h>

#include "alink_nic.h"

/* --- what the core tells us ----------------------------------------------- */

/* Under the core's event lock: not rtnl. */
static void alink_nic_event(struct alink_dev *adev,
			    const struct alink_event *event)
{
	struct alink_nic *nic = alink_dev_priv(adev);

	switch (le16_to_cpu(event->type)) {
	case ALINK_EVENT_NONE:
	case ALINK_EVENT_LINK:
		alink_nic_link_update(nic);
		break;
	case ALINK_EVENT_QUEUE_ERROR:
		netdev_err(nic->dev, "queue %u: device stopped the %s ring: %s, address %#llx\n",
			   le32_to_cpu(event->id),
			   le32_to_cpu(event->info) ? "receive" : "transmit",
			   alink_status_str(le32_to_cpu(event->code)),
			   le64_to_cpu(event->addr));
		schedule_work(&nic->reset_work);
		break;
	}
}

/* The device is gone. reset_work finds it lost and takes the netdev away. */
static void alink_nic_lost(struct alink_dev *adev)
{
	struct alink_nic *nic = alink_dev_priv(adev);

	schedule_work(&nic->reset_work);
}

static const struct alink_dev_ops alink_nic_dev_ops = {
	.devtype = ALINK_DEVTYPE_NIC,
	.event = alink_nic_event,
	.lost = alink_nic_lost,
};

/* --- probe and remove ----------------------------------------------------- */

static int alink_nic_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct net_device *dev;
	struct alink_nic *nic;
	int err;

	dev = alink_nic_netdev_alloc(pdev);
	if (!dev)
		return -ENOMEM;
	nic = netdev_priv(dev);
	pci_set_drvdata(pdev, nic);

	nic->adev = alink_dev_probe(pdev, &alink_nic_dev_ops, nic);
	if (IS_ERR(nic->adev)) {
		err = PTR_ERR(nic->adev);
		goto err_free;
	}
	err = alink_nic_netdev_init(nic);
	if (err)
		goto err_adev;
	err = alink_nic_devlink_init(nic);
	if (err)
		goto err_adev;
	err = register_netdev(dev);
	if (err) {
		pci_err(pdev, "cannot register the net device: %pe\n",
			ERR_PTR(err));
		goto err_devlink;
	}
	err = alink_hwmon_register(nic->adev, ALINK_NIC_NAME);
	if (err)
		goto err_netdev;
	err = alink_dev_register(nic->adev);
	if (err)
		goto err_hwmon;
	alink_nic_devlink_register(nic);
	return 0;

err_hwmon:
	alink_hwmon_unregister(nic->adev);
err_netdev:
	unregister_netdev(dev);
	cancel_work_sync(&nic->rx_mode_work);
	cancel_work_sync(&nic->reset_work);
err_devlink:
	alink_nic_devlink_fini(nic);
err_adev:
	alink_dev_remove(nic->adev);
err_free:
	mutex_destroy(&nic->rx_mode_lock);
	free_netdev(dev);
	return err;
}

static void alink_nic_remove(struct pci_dev *pdev)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);

	alink_dev_removing(nic->adev);
	alink_nic_devlink_unregister(nic);
	alink_dev_unregister(nic->adev);
	alink_hwmon_unregister(nic->adev);
	unregister_netdev(nic->dev);
	/* Nobody schedules them any more: no events, no NAPI, no watchdog. */
	cancel_work_sync(&nic->rx_mode_work);
	cancel_work_sync(&nic->reset_work);
	alink_nic_devlink_fini(nic);
	alink_dev_remove(nic->adev);
	mutex_destroy(&nic->rx_mode_lock);
	free_netdev(nic->dev);
}

static void alink_nic_shutdown(struct pci_dev *pdev)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);

	rtnl_lock();
	netif_device_detach(nic->dev);
	alink_nic_stop(nic);
	rtnl_unlock();
	alink_dev_shutdown(nic->adev, false);
}

/* --- reset ---------------------------------------------------------------- */

/* The device is about to be reset, or to lose power. */
static void alink_nic_down(struct alink_nic *nic)
{
	rtnl_lock();
	netif_device_detach(nic->dev);
	alink_nic_stop(nic);
	rtnl_unlock();
}

/*
 * The device has been reset and the core talks to it again. A set that stayed
 * is started; when starting it had failed before, this is the second chance.
 */
static int alink_nic_up(struct alink_nic *nic)
{
	struct net_device *dev = nic->dev;
	int err = 0;

	rtnl_lock();
	if (!netif_running(dev))
		goto out_attach;
	if (!nic->set) {
		struct alink_nic_set *set = alink_nic_set_alloc(nic, &nic->cfg);

		if (IS_ERR(set)) {
			err = PTR_ERR(set);
			goto out_unlock;
		}
		nic->set = set;
	}
	if (!nic->started)
		err = alink_nic_start(nic);
	if (err)
		goto out_unlock;

out_attach:
	netif_device_attach(dev);
out_unlock:
	rtnl_unlock();
	if (err)
		netdev_err(dev, "does not work after reset: %pe\n",
			   ERR_PTR(err));
	return err;
}

static void alink_nic_reset_prepare(struct pci_dev *pdev)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);

	alink_nic_down(nic);
	alink_dev_reset_prepare(nic->adev);
}

static void alink_nic_reset_done(struct pci_dev *pdev)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);

	/* A reset is what gives a device the bus back that was taken away. */
	clear_bit(ALINK_NIC_WEDGED, &nic->flags);
	if (!alink_dev_reset_done(nic->adev))
		alink_nic_up(nic);
}

/* --- errors on the bus ---------------------------------------------------- */

static pci_ers_result_t alink_nic_error_detected(struct pci_dev *pdev,
						 pci_channel_state_t state)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);
	pci_ers_result_t ret;

	/* The core first: it ends commands that nobody would answer. */
	ret = alink_dev_error_detected(nic->adev, state);
	if (state != pci_channel_io_normal)
		alink_nic_down(nic);
	return ret;
}

static pci_ers_result_t alink_nic_mmio_enabled(struct pci_dev *pdev)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);

	return alink_dev_mmio_enabled(nic->adev);
}

static pci_ers_result_t alink_nic_slot_reset(struct pci_dev *pdev)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);

	clear_bit(ALINK_NIC_WEDGED, &nic->flags);
	return alink_dev_slot_reset(nic->adev);
}

static void alink_nic_error_resume(struct pci_dev *pdev)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);

	if (!alink_dev_error_resume(nic->adev))
		alink_nic_up(nic);
}

static void alink_nic_cor_error_detected(struct pci_dev *pdev)
{
	struct alink_nic *nic = pci_get_drvdata(pdev);

	alink_dev_cor_error_detected(nic->adev);
}

static const struct pci_error_handlers alink_nic_err_handler = {
	.error_detected	= alink_nic_error_detected,
	.mmio_enabled	= alink_nic_mmio_enabled,
	.slot_reset	= alink_nic_slot_reset,
	.resume		= alink_nic_error_resume,
	.reset_prepare	= alink_nic_reset_prepare,
	.reset_done	= alink_nic_reset_done,
	.cor_error_detected = alink_nic_cor_error_detected,
};

/* --- power ---------------------------------------------------------------- */

static int alink_nic_suspend(struct device *dev)
{
	struct alink_nic *nic = dev_get_drvdata(dev);

	alink_nic_down(nic);
	/* Also for a device that is gone: suspend goes on without it. */
	alink_dev_reset_prepare(nic->adev);
	return 0;
}

static int alink_nic_resume(struct device *dev)
{
	struct alink_nic *nic = dev_get_drvdata(dev);
	int err;

	clear_bit(ALINK_NIC_WEDGED, &nic->flags);
	err = alink_dev_reset_done(nic->adev);
	if (err)
		return err;
	return alink_nic_up(nic);
}

static DEFINE_SIMPLE_DEV_PM_OPS(alink_nic_pm_ops, alink_nic_suspend,
				alink_nic_resume);

static const struct pci_device_id alink_nic_pci_ids[] = {
	{ PCI_DEVICE(ALINK_PCI_VENDOR_ID, ALINK_PCI_DEVICE_NIC) },
	{ }
};
MODULE_DEVICE_TABLE(pci, alink_nic_pci_ids);

static struct pci_driver alink_nic_pci_driver = {
	.name		= ALINK_NIC_NAME,
	.id_table	= alink_nic_pci_ids,
	.probe		= alink_nic_probe,
	.remove		= alink_nic_remove,
	.shutdown	= alink_nic_shutdown,
	.driver.pm	= pm_sleep_ptr(&alink_nic_pm_ops),
	.err_handler	= &alink_nic_err_handler,
};
module_pci_driver(alink_nic_pci_driver);

MODULE_DESCRIPTION("ALink scale-out and DCN Ethernet adapter");
MODULE_LICENSE("GPL");
