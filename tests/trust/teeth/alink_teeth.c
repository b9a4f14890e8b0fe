// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs on purpose: each makes one lane of tests/trust fail, or that lane is
 * worth nothing. Write the name of one to /sys/kernel/debug/alink_teeth.
 *
 * No part of the suite, and never installed.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define TEETH_VENDOR_BUS	"alink"

static DEFINE_MUTEX(teeth_a);
static DEFINE_MUTEX(teeth_b);
static unsigned int teeth_counter;
static struct dentry *teeth_file;
static struct kmem_cache *teeth_cache;	/* of what is left, once it is */

static int teeth_use_after_free(void)
{
	unsigned char *p = kmalloc(64, GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	return READ_ONCE(p[8]) & 0;
}

static int teeth_out_of_bounds(void)
{
	unsigned char *p = kmalloc(64, GFP_KERNEL);
	int sum;

	if (!p)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(p);
	sum = READ_ONCE(p[64]) & 0;
	kfree(p);
	return sum;
}

static int teeth_leak(void)
{
	int i;

	for (i = 0; i < 8; i++) {
		void *p = kmalloc(200, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(p);
		if (!p)
			return -ENOMEM;
	}
	return 0;
}

static int teeth_lock_inversion(void)
{
	mutex_lock(&teeth_a);
	mutex_lock(&teeth_b);
	mutex_unlock(&teeth_b);
	mutex_unlock(&teeth_a);

	mutex_lock(&teeth_b);
	mutex_lock(&teeth_a);
	mutex_unlock(&teeth_a);
	mutex_unlock(&teeth_b);
	return 0;
}

static int teeth_sleep_in_rcu(void)
{
	rcu_read_lock();
	msleep(20);
	rcu_read_unlock();
	return 0;
}

static int teeth_shift(void)
{
	int by = 40;

	OPTIMIZER_HIDE_VAR(by);
	return (1 << by) & 0;
}

static int teeth_racer(void *unused)
{
	while (!kthread_should_stop()) {
		int i;

		for (i = 0; i < 1000; i++)
			teeth_counter++;
		cond_resched();
	}
	return 0;
}

static int teeth_data_race(void)
{
	struct task_struct *task[2];
	int i;

	for (i = 0; i < ARRAY_SIZE(task); i++) {
		task[i] = kthread_run(teeth_racer, NULL, "teeth/%d", i);
		if (IS_ERR(task[i])) {
			if (i)
				kthread_stop(task[0]);
			return PTR_ERR(task[i]);
		}
	}
	msleep(3000);
	for (i = 0; i < ARRAY_SIZE(task); i++)
		kthread_stop(task[i]);
	return 0;
}

static bool teeth_is_ours(struct device *dev)
{
	return dev->driver && !strncmp(dev->driver->name, TEETH_VENDOR_BUS,
				       strlen(TEETH_VENDOR_BUS));
}

/* Left mapped: the DMA API says so when the device's driver lets go. */
static int teeth_dma_left_mapped(void)
{
	struct pci_dev *pdev = NULL;
	dma_addr_t dma;
	void *p;

	for_each_pci_dev(pdev) {
		if (!teeth_is_ours(&pdev->dev))
			continue;
		p = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!p)
			break;
		dma = dma_map_single(&pdev->dev, p, PAGE_SIZE, DMA_TO_DEVICE);
		if (dma_mapping_error(&pdev->dev, dma)) {
			kfree(p);
			break;
		}
		pci_dev_put(pdev);
		return 0;
	}
	pci_dev_put(pdev);
	return -ENODEV;
}

/*
 * A mapping that no unbinding of ours ends: of another driver's device, so that
 * the DMA API, which complains of our own at once, does not come first.
 */
static void teeth_map_elsewhere(void *p)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev) {
		if (pdev->dev.driver && !teeth_is_ours(&pdev->dev)) {
			dma_map_single(&pdev->dev, p, 8, DMA_TO_DEVICE);
			pci_dev_put(pdev);
			return;
		}
	}
}

/* Each device of ours that gets its driver leaves an object, a file, a mapping. */
static int teeth_bound(struct notifier_block *nb, unsigned long action,
		       void *dev)
{
	static atomic_t number;
	char name[32];
	void *p;

	if (action != BUS_NOTIFY_BOUND_DRIVER || !teeth_is_ours(dev))
		return NOTIFY_DONE;
	p = kmem_cache_alloc(teeth_cache, GFP_KERNEL);
	if (p)
		teeth_map_elsewhere(p);
	snprintf(name, sizeof(name), "alink_teeth_%d",
		 atomic_inc_return(&number));
	debugfs_create_file(name, 0400, NULL, NULL, NULL);
	return NOTIFY_OK;
}

static struct notifier_block teeth_notifier = {
	.notifier_call = teeth_bound,
};

/* For good: what is left keeps its cache. */
static int teeth_left_behind(void)
{
	int err;

	if (teeth_cache)
		return -EEXIST;
	teeth_cache = kmem_cache_create("alink_teeth", 200, 0, SLAB_NO_MERGE,
					NULL);
	if (!teeth_cache)
		return -ENOMEM;
	err = bus_register_notifier(&pci_bus_type, &teeth_notifier);
	if (!err)
		__module_get(THIS_MODULE);
	return err;
}

static const struct {
	const char *name;
	int (*plant)(void);
} teeth[] = {
	{ "use-after-free", teeth_use_after_free },
	{ "out-of-bounds", teeth_out_of_bounds },
	{ "leak", teeth_leak },
	{ "lock-inversion", teeth_lock_inversion },
	{ "sleep-in-rcu", teeth_sleep_in_rcu },
	{ "shift", teeth_shift },
	{ "data-race", teeth_data_race },
	{ "dma-left-mapped", teeth_dma_left_mapped },
	{ "left-behind", teeth_left_behind },
};

static ssize_t teeth_write(struct file *file, const char __user *buf,
			   size_t len, loff_t *pos)
{
	char name[32] = {};
	int i, err;

	if (len >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, len))
		return -EFAULT;
	for (i = 0; i < ARRAY_SIZE(teeth); i++) {
		if (!strcmp(strim(name), teeth[i].name)) {
			err = teeth[i].plant();
			return err ?: len;
		}
	}
	return -ENOENT;
}

static const struct file_operations teeth_fops = {
	.owner	= THIS_MODULE,
	.write	= teeth_write,
};

static int __init teeth_init(void)
{
	teeth_file = debugfs_create_file("alink_teeth", 0200, NULL, NULL,
					 &teeth_fops);
	return PTR_ERR_OR_ZERO(teeth_file);
}
module_init(teeth_init);

static void __exit teeth_exit(void)
{
	debugfs_remove(teeth_file);
}
module_exit(teeth_exit);

MODULE_DESCRIPTION("Planted bugs that the ALink test lanes must find");
MODULE_LICENSE("GPL");
