// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for the IOMMU lane, mapped for a device or not, as the lane says. One
 * command is written to /sys/kernel/debug/alink_iommu_probe, what is read there
 * is its answer:
 *
 *	map BDF rw|ro	map the page for the function: its DMA address
 *	unmap		end the mapping
 *	phys		physical address of the page
 *	fill		fill the page with 0xc3
 *	bad		how many of its bytes are not 0xc3
 *	steal BDF ADDR	take the translation to the page that the writing process
 *			has mapped there away from the function, behind the back
 *			of its driver: the DMA address
 *	restore		give it back
 *
 * No part of the suite, and never installed.
 */
#include <linux/debugfs.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#define PROBE_BYTE	0xc3

static DEFINE_MUTEX(probe_lock);	/* protects all below */
static struct page *probe_page;
static struct pci_dev *probe_pdev;	/* it is mapped for this one */
static dma_addr_t probe_dma;
static enum dma_data_direction probe_dir;
static struct pci_dev *stolen_pdev;
static unsigned long stolen_iova;
static phys_addr_t stolen_phys;
static u64 probe_answer;
static struct dentry *probe_file;

static struct pci_dev *probe_find(const char *bdf)
{
	unsigned int domain, bus, dev, fn;

	if (sscanf(bdf, "%x:%x:%x.%x", &domain, &bus, &dev, &fn) != 4)
		return NULL;
	return pci_get_domain_bus_and_slot(domain, bus, PCI_DEVFN(dev, fn));
}

static int probe_unmap(void)
{
	if (!probe_pdev)
		return -ENOENT;
	dma_unmap_page(&probe_pdev->dev, probe_dma, PAGE_SIZE, probe_dir);
	pci_dev_put(probe_pdev);
	probe_pdev = NULL;
	return 0;
}

static int probe_map(const char *bdf, const char *how)
{
	struct pci_dev *pdev;

	if (probe_pdev)
		return -EBUSY;
	pdev = probe_find(bdf);
	if (!pdev)
		return -ENODEV;
	probe_dir = strcmp(how, "ro") ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
	probe_dma = dma_map_page(&pdev->dev, probe_page, 0, PAGE_SIZE,
				 probe_dir);
	if (dma_mapping_error(&pdev->dev, probe_dma)) {
		pci_dev_put(pdev);
		return -ENOMEM;
	}
	probe_pdev = pdev;
	probe_answer = probe_dma;
	return 0;
}

/* Physical address of what this process has mapped at an address */
static phys_addr_t probe_phys(unsigned long addr)
{
	struct follow_pfnmap_args args = { .address = addr };
	phys_addr_t phys = 0;

	mmap_read_lock(current->mm);
	args.vma = vma_lookup(current->mm, addr);
	if (args.vma && !follow_pfnmap_start(&args)) {
		phys = PFN_PHYS(args.pfn);
		follow_pfnmap_end(&args);
	}
	mmap_read_unlock(current->mm);
	return phys;
}

static int probe_steal(const char *bdf, phys_addr_t phys)
{
	struct iommu_domain *domain;
	struct pci_dev *pdev;
	u64 iova;

	if (stolen_pdev)
		return -EBUSY;
	if (!phys)
		return -EFAULT;
	pdev = probe_find(bdf);
	if (!pdev)
		return -ENODEV;
	domain = iommu_get_domain_for_dev(&pdev->dev);
	/* The DMA API hands out addresses from 4 GiB down. */
	for (iova = SZ_4G - PAGE_SIZE; domain && iova; iova -= PAGE_SIZE) {
		if (iommu_iova_to_phys(domain, iova) != phys)
			continue;
		iommu_unmap(domain, iova, PAGE_SIZE);
		stolen_pdev = pdev;
		stolen_iova = iova;
		stolen_phys = phys;
		probe_answer = iova;
		return 0;
	}
	pci_dev_put(pdev);
	return -ENOENT;
}

static int probe_restore(void)
{
	int err;

	if (!stolen_pdev)
		return -ENOENT;
	err = iommu_map(iommu_get_domain_for_dev(&stolen_pdev->dev),
			stolen_iova, stolen_phys, PAGE_SIZE,
			IOMMU_READ | IOMMU_WRITE, GFP_KERNEL);
	pci_dev_put(stolen_pdev);
	stolen_pdev = NULL;
	return err;
}

static int probe_run(const char *text)
{
	char word[3][24] = {};
	u64 addr;
	u8 *mem = page_address(probe_page);
	int i;

	if (sscanf(text, "%23s %23s %23s", word[0], word[1], word[2]) < 1)
		return -EINVAL;
	probe_answer = 0;
	if (!strcmp(word[0], "map"))
		return probe_map(word[1], word[2]);
	if (!strcmp(word[0], "unmap"))
		return probe_unmap();
	if (!strcmp(word[0], "restore"))
		return probe_restore();
	if (!strcmp(word[0], "steal"))
		return kstrtou64(word[2], 0, &addr) ?:
		       probe_steal(word[1], probe_phys(addr));
	if (!strcmp(word[0], "phys"))
		probe_answer = page_to_phys(probe_page);
	else if (!strcmp(word[0], "fill"))
		memset(mem, PROBE_BYTE, PAGE_SIZE);
	else if (!strcmp(word[0], "bad"))
		for (i = 0; i < PAGE_SIZE; i++)
			probe_answer += READ_ONCE(mem[i]) != PROBE_BYTE;
	else
		return -EINVAL;
	return 0;
}

static ssize_t probe_write(struct file *file, const char __user *buf,
			   size_t len, loff_t *pos)
{
	char text[80] = "";
	int err;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, len))
		return -EFAULT;
	mutex_lock(&probe_lock);
	err = probe_run(text);
	mutex_unlock(&probe_lock);
	return err ?: len;
}

static ssize_t probe_read(struct file *file, char __user *buf, size_t len,
			  loff_t *pos)
{
	char text[24];
	int n;

	mutex_lock(&probe_lock);
	n = scnprintf(text, sizeof(text), "%#llx\n", probe_answer);
	mutex_unlock(&probe_lock);
	return simple_read_from_buffer(buf, len, pos, text, n);
}

static const struct file_operations probe_fops = {
	.owner = THIS_MODULE,
	.read = probe_read,
	.write = probe_write,
	.llseek = default_llseek,
};

static int __init probe_init(void)
{
	probe_page = alloc_page(GFP_KERNEL);
	if (!probe_page)
		return -ENOMEM;
	probe_file = debugfs_create_file("alink_iommu_probe", 0600, NULL, NULL,
					 &probe_fops);
	return 0;
}

static void __exit probe_exit(void)
{
	debugfs_remove(probe_file);
	if (stolen_pdev)
		probe_restore();
	if (probe_pdev)
		probe_unmap();
	__free_page(probe_page);
}

module_init(probe_init);
module_exit(probe_exit);

MODULE_DESCRIPTION("Memory for the IOMMU lane of the ALink tests");
MODULE_LICENSE("GPL");
