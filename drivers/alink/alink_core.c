// SPDX-License-Identifier: GPL-2.0-only
/*
 * alink.ko: life cycle of a device, and the registry of all of them.
 *
 * A device enters the registry in alink_dev_register() and leaves it in
 * alink_dev_unregister(), which waits until nobody holds a reference. Who
 * takes one lets go within the time-out of an admin command, or of a reset.
 */
#include <linux/dma-mapping.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <uapi/linux/alink.h>

#include "alink_priv.h"

static DEFINE_XARRAY(alink_devices);	/* by index; its lock guards lookups */
static DEFINE_IDA(alink_index_ida);

static struct {
	const char *name;	/* what users call the type */
	const char *prefix;	/* of names of devices */
	struct ida ida;
} alink_types[] = {
	[ALINK_DEVTYPE_XPU]	= { "xpu", "xpu",
				    IDA_INIT(alink_types[1].ida) },
	[ALINK_DEVTYPE_SWITCH]	= { "switch", "sw",
				    IDA_INIT(alink_types[2].ida) },
	[ALINK_DEVTYPE_OPTICS]	= { "optics", "opt",
				    IDA_INIT(alink_types[3].ida) },
	[ALINK_DEVTYPE_NIC]	= { "nic", "nic",
				    IDA_INIT(alink_types[4].ida) },
	[ALINK_DEVTYPE_RACK]	= { "rack", "rack",
				    IDA_INIT(alink_types[5].ida) },
};

const char *alink_devtype_name(u32 devtype)
{
	if (devtype >= ARRAY_SIZE(alink_types) || !alink_types[devtype].name)
		return "unknown";
	return alink_types[devtype].name;
}

const char *alink_dev_state_name(struct alink_dev *adev)
{
	if (alink_dev_lost(adev))
		return "lost";
	if (test_bit(ALINK_DEV_FAILED, &adev->flags))
		return "failed";
	if (test_bit(ALINK_DEV_STOPPED, &adev->flags))
		return "stopped";

	switch (alink_rd32(adev, ALINK_REG_STATE)) {
	case ALINK_STATE_RESET:
		return "reset";
	case ALINK_STATE_READY:
		return "ready";
	case ALINK_STATE_FAULTED:
		return "faulted";
	case ~0U:
		return alink_dev_lost(adev) ? "lost" : "stopped";
	default:
		return "unknown";
	}
}

static void alink_dev_release(struct device *dev)
{
	struct alink_dev *adev = to_alink_dev(dev);

	ida_free(&alink_types[adev->ops->devtype].ida, adev->unit);
	ida_free(&alink_index_ida, adev->index);
	mutex_destroy(&adev->state_lock);
	kfree(adev);
}

static struct alink_dev *alink_dev_alloc(struct pci_dev *pdev,
					 const struct alink_dev_ops *ops,
					 void *priv)
{
	struct alink_dev *adev;
	int id;

	adev = kzalloc(sizeof(*adev), GFP_KERNEL);
	if (!adev)
		return ERR_PTR(-ENOMEM);

	id = ida_alloc(&alink_index_ida, GFP_KERNEL);
	if (id < 0)
		goto err_free;
	adev->index = id;
	id = ida_alloc(&alink_types[ops->devtype].ida, GFP_KERNEL);
	if (id < 0)
		goto err_free_index;
	adev->unit = id;
	snprintf(adev->name, sizeof(adev->name), "%s%u",
		 alink_types[ops->devtype].prefix, adev->unit);

	adev->pdev = pdev;
	adev->ops = ops;
	adev->priv = priv;
	spin_lock_init(&adev->mmio_lock);
	mutex_init(&adev->state_lock);
	INIT_WORK(&adev->lost_work, alink_dev_lost_work);
	init_completion(&adev->users_gone);
	alink_health_init(adev);
	alink_admin_setup(&adev->admin);

	/* From here on the last reference frees everything above. */
	device_initialize(&adev->dev);
	adev->dev.parent = &pdev->dev;
	adev->dev.class = &alink_class;
	adev->dev.release = alink_dev_release;
	return adev;

err_free_index:
	ida_free(&alink_index_ida, adev->index);
err_free:
	kfree(adev);
	return ERR_PTR(id);
}

static int alink_pci_init(struct alink_dev *adev)
{
	struct pci_dev *pdev = adev->pdev;
	int err;

	err = pci_enable_device_mem(pdev);
	if (err)
		return err;

	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err) {
		pci_err(pdev, "no 64-bit DMA: %pe\n", ERR_PTR(err));
		goto err_disable;
	}
	/* Lengths of segments are 64 bits wide wherever a device takes them. */
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);

	if (pci_resource_len(pdev, ALINK_BAR_REGS) < ALINK_BAR0_SIZE) {
		pci_err(pdev, "BAR0 is too small: %pR\n",
			&pdev->resource[ALINK_BAR_REGS]);
		err = -ENODEV;
		goto err_disable;
	}
	err = pci_request_selected_regions(pdev, BIT(ALINK_BAR_REGS), "alink");
	if (err)
		goto err_disable;

	adev->base = pci_iomap(pdev, ALINK_BAR_REGS, ALINK_BAR0_SIZE);
	if (!adev->base) {
		err = -ENOMEM;
		goto err_release;
	}
	/*
	 * Whoever had the device before may have left its rings enabled, with
	 * addresses that are somebody else's memory now: no DMA before the
	 * handshake has reset it.
	 */
	pci_clear_master(pdev);
	alink_mmio_open(adev);
	return 0;

err_release:
	pci_release_selected_regions(pdev, BIT(ALINK_BAR_REGS));
err_disable:
	pci_disable_device(pdev);
	return err;
}

static void alink_pci_fini(struct alink_dev *adev)
{
	alink_mmio_close(adev);
	cancel_work_sync(&adev->lost_work);
	pci_iounmap(adev->pdev, adev->base);
	pci_release_selected_regions(adev->pdev, BIT(ALINK_BAR_REGS));
	if (pci_is_enabled(adev->pdev))
		pci_disable_device(adev->pdev);
}

/**
 * alink_dev_probe - take over an ALink function
 * @pdev:	the function
 * @ops:	of the driver; must live until alink_dev_remove()
 * @priv:	for alink_dev_priv()
 *
 * Enables the function, maps BAR0 behind the guard, shakes hands, tests
 * registers, DMA and every vector, and brings up admin queue and event ring.
 * Users see nothing of the device until alink_dev_register().
 *
 * Context: process; sleeps. The caller holds the device lock.
 * Return: the device, or ERR_PTR: -ENODEV when it does not answer or is none
 * of ours, -EPROTONOSUPPORT for another major interface version, -EIO when it
 * is faulted or fails its self-test, -ETIMEDOUT, or what the PCI core said.
 */
struct alink_dev *alink_dev_probe(struct pci_dev *pdev,
				  const struct alink_dev_ops *ops, void *priv)
{
	struct alink_dev *adev;
	int err;

	adev = alink_dev_alloc(pdev, ops, priv);
	if (IS_ERR(adev))
		return adev;

	err = alink_pci_init(adev);
	if (err)
		goto err_put;
	err = alink_handshake(adev);
	if (err)
		goto err_pci;
	err = alink_selftest_value(adev);
	if (err)
		goto err_pci;
	pci_set_master(pdev);
	err = alink_selftest_dma(adev);
	if (err)
		goto err_pci;

	adev->wq = alloc_ordered_workqueue("alink-%s", 0, adev->name);
	if (!adev->wq) {
		err = -ENOMEM;
		goto err_pci;
	}
	err = alink_event_init(adev);
	if (err)
		goto err_wq;
	err = alink_admin_init(adev);
	if (err)
		goto err_event;
	err = alink_irq_init(adev);
	if (err)
		goto err_admin;

	mutex_lock(&adev->state_lock);
	err = alink_dev_start(adev);
	mutex_unlock(&adev->state_lock);
	if (err) {
		pci_err(pdev, "cannot start: %pe\n", ERR_PTR(err));
		goto err_irq;
	}
	return adev;

err_irq:
	alink_irq_fini(adev);
	pci_clear_master(pdev);
err_admin:
	alink_admin_fini(adev);
err_event:
	alink_event_fini(adev);
err_wq:
	destroy_workqueue(adev->wq);
err_pci:
	alink_pci_fini(adev);
err_put:
	put_device(&adev->dev);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(alink_dev_probe);

/**
 * alink_dev_remove - undo alink_dev_probe()
 * @adev:	device; not valid afterwards
 *
 * The driver has unregistered the device, destroyed its ports, freed its
 * interrupts, and holds no thread in here.
 *
 * Context: process; sleeps. The caller holds the device lock.
 */
void alink_dev_remove(struct alink_dev *adev)
{
	WARN_ON(test_bit(ALINK_DEV_REGISTERED, &adev->flags));

	mutex_lock(&adev->state_lock);
	if (!test_and_set_bit(ALINK_DEV_STOPPED, &adev->flags)) {
		alink_dev_stop(adev, -ENODEV);
		alink_dev_disable(adev);
	}
	mutex_unlock(&adev->state_lock);

	alink_irq_fini(adev);
	/* Whatever the device does from here on, it cannot reach memory. */
	pci_clear_master(adev->pdev);
	alink_admin_fini(adev);
	destroy_workqueue(adev->wq);
	alink_event_fini(adev);
	alink_pci_fini(adev);
	put_device(&adev->dev);
}
EXPORT_SYMBOL_GPL(alink_dev_remove);

/* A callback of the driver that saw the flag REGISTERED set has ended. */
static void alink_dev_await_callbacks(struct alink_dev *adev)
{
	lockdep_assert_not_held(&adev->event_lock);

	flush_work(&adev->lost_work);
	flush_work(&adev->event_work);
	mutex_lock(&adev->event_lock);
	mutex_unlock(&adev->event_lock);
}

/**
 * alink_dev_register - show a device to users
 * @adev:	device
 *
 * From here on the driver's callbacks run.
 *
 * Context: process; sleeps.
 * Return: 0 or -errno, then nothing is visible.
 */
int alink_dev_register(struct alink_dev *adev)
{
	int err;

	err = dev_set_name(&adev->dev, "%s", adev->name);
	if (err)
		return err;

	reinit_completion(&adev->users_gone);
	refcount_set(&adev->users, 1);
	set_bit(ALINK_DEV_REGISTERED, &adev->flags);
	/* A loss from here on is told to the driver, one before is not. */
	if (alink_dev_lost(adev)) {
		err = -ENODEV;
		goto err_clear;
	}
	err = xa_err(xa_store(&alink_devices, adev->index, adev, GFP_KERNEL));
	if (err)
		goto err_clear;
	err = device_add(&adev->dev);
	if (err)
		goto err_erase;

	alink_netlink_dev(adev, ALINK_CMD_DEV_ADD_NTF);
	/* Whatever happened before there was somebody to tell */
	queue_work(adev->wq, &adev->event_work);
	return 0;

err_erase:
	xa_erase(&alink_devices, adev->index);
	alink_dev_put(adev);
	wait_for_completion(&adev->users_gone);
err_clear:
	clear_bit(ALINK_DEV_REGISTERED, &adev->flags);
	alink_dev_await_callbacks(adev);
	return err;
}
EXPORT_SYMBOL_GPL(alink_dev_register);

/**
 * alink_dev_unregister - take a device away from users
 * @adev:	device
 *
 * When it returns, no sysfs read, no netlink request and no callback of the
 * driver runs on the device, nor will.
 *
 * Context: process; sleeps.
 */
void alink_dev_unregister(struct alink_dev *adev)
{
	if (!test_and_clear_bit(ALINK_DEV_REGISTERED, &adev->flags))
		return;

	alink_netlink_dev(adev, ALINK_CMD_DEV_DEL_NTF);
	device_del(&adev->dev);
	xa_erase(&alink_devices, adev->index);
	alink_dev_put(adev);
	wait_for_completion(&adev->users_gone);

	alink_dev_await_callbacks(adev);
}
EXPORT_SYMBOL_GPL(alink_dev_unregister);

static bool alink_dev_tryget(struct alink_dev *adev)
{
	return refcount_inc_not_zero(&adev->users);
}

/* Returns a device with a reference, or NULL. */
struct alink_dev *alink_dev_get_by_index(u32 index)
{
	struct alink_dev *adev;

	xa_lock(&alink_devices);
	adev = xa_load(&alink_devices, index);
	if (adev && !alink_dev_tryget(adev))
		adev = NULL;
	xa_unlock(&alink_devices);
	return adev;
}

/*
 * Returns the first device with an index of at least *index, with a reference,
 * and sets *index to its own; NULL past the last.
 */
struct alink_dev *alink_dev_get_next(u32 *index)
{
	unsigned long at = *index;
	struct alink_dev *adev;

	xa_lock(&alink_devices);
	adev = xa_find(&alink_devices, &at, U32_MAX, XA_PRESENT);
	if (adev && !alink_dev_tryget(adev))
		adev = NULL;
	xa_unlock(&alink_devices);
	*index = at;
	return adev;
}

void alink_dev_put(struct alink_dev *adev)
{
	if (refcount_dec_and_test(&adev->users))
		complete(&adev->users_gone);
}

/**
 * alink_dev_priv - what the driver gave to alink_dev_probe()
 * @adev:	device
 *
 * Return: the pointer.
 */
void *alink_dev_priv(struct alink_dev *adev)
{
	return adev->priv;
}
EXPORT_SYMBOL_GPL(alink_dev_priv);

/**
 * alink_dev_pdev - PCI function of a device
 * @adev:	device
 *
 * Return: the function.
 */
struct pci_dev *alink_dev_pdev(struct alink_dev *adev)
{
	return adev->pdev;
}
EXPORT_SYMBOL_GPL(alink_dev_pdev);

/**
 * alink_dev_name - name of a device
 * @adev:	device
 *
 * Return: xpu0, sw0, opt0, nic0 or rack0, as users see it.
 */
const char *alink_dev_name(struct alink_dev *adev)
{
	return adev->name;
}
EXPORT_SYMBOL_GPL(alink_dev_name);

/**
 * alink_dev_index - number of a device
 * @adev:	device
 *
 * Return: what names the device in the netlink family; unique over all types.
 */
u32 alink_dev_index(struct alink_dev *adev)
{
	return adev->index;
}
EXPORT_SYMBOL_GPL(alink_dev_index);

/**
 * alink_dev_caps - capabilities of a device
 * @adev:	device
 *
 * Return: ALINK_CAP_*.
 */
u64 alink_dev_caps(struct alink_dev *adev)
{
	return adev->caps;
}
EXPORT_SYMBOL_GPL(alink_dev_caps);

/**
 * alink_dev_variant - variant of a device within its type
 * @adev:	device
 *
 * Return: ALINK_REG_VARIANT.
 */
u32 alink_dev_variant(struct alink_dev *adev)
{
	return adev->variant;
}
EXPORT_SYMBOL_GPL(alink_dev_variant);

/**
 * alink_dev_fabric_id - where the device is in the fabric
 * @adev:	device
 *
 * Return: endpoint id of an xPU, plane of a switch, else ALINK_ID_NONE.
 */
u32 alink_dev_fabric_id(struct alink_dev *adev)
{
	return adev->fabric_id;
}
EXPORT_SYMBOL_GPL(alink_dev_fabric_id);

/**
 * alink_dev_serial - serial number
 * @adev:	device
 *
 * Return: unique in a fabric.
 */
u64 alink_dev_serial(struct alink_dev *adev)
{
	return adev->serial;
}
EXPORT_SYMBOL_GPL(alink_dev_serial);

/**
 * alink_dev_fw_version - running firmware
 * @adev:	device
 *
 * Return: ALINK_REG_FW_VERSION as of the last start.
 */
u32 alink_dev_fw_version(struct alink_dev *adev)
{
	return READ_ONCE(adev->fw_version);
}
EXPORT_SYMBOL_GPL(alink_dev_fw_version);

/**
 * alink_dev_num_links - link windows of a device
 * @adev:	device
 *
 * Return: populated or not.
 */
unsigned int alink_dev_num_links(struct alink_dev *adev)
{
	return adev->num_links;
}
EXPORT_SYMBOL_GPL(alink_dev_num_links);

/**
 * alink_dev_lost - has the device gone for good?
 * @adev:	device
 *
 * Return: true once it read all ones, or the bus declared it dead.
 */
bool alink_dev_lost(struct alink_dev *adev)
{
	return test_bit(ALINK_DEV_LOST, &adev->flags);
}
EXPORT_SYMBOL_GPL(alink_dev_lost);

/**
 * alink_dev_active - do register accesses reach the device?
 * @adev:	device
 *
 * Return: false while it is in reset or suspended, and once it is lost.
 */
bool alink_dev_active(struct alink_dev *adev)
{
	return READ_ONCE(adev->bar);
}
EXPORT_SYMBOL_GPL(alink_dev_active);

static int __init alink_init(void)
{
	int err;

	err = class_register(&alink_class);
	if (err)
		return err;
	err = alink_netlink_init();
	if (err)
		class_unregister(&alink_class);
	return err;
}
module_init(alink_init);

static void __exit alink_exit(void)
{
	alink_netlink_exit();
	class_unregister(&alink_class);
}
module_exit(alink_exit);

MODULE_DESCRIPTION("ALink core: handshake, admin queue, events, fabric objects");
MODULE_LICENSE("GPL");
