// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs on purpose that only a fuzzer gets to: each lies behind several values
 * that must come together, in a call of alink_xpu or of the netlink family. Write
 * the name of one to /sys/kernel/debug/alink_fuzz_teeth to plant it.
 *
 * No part of the suite, and never installed.
 */
#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <net/genetlink.h>
#include <drm/alink_xpu.h>
#include <linux/alink.h>

#define TOOTH_BINDS	8
#define TOOTH_SYNCS	4
#define TOOTH_DST	3
#define TOOTH_MIN_PORTS	4

static struct dentry *teeth_file;
static struct kprobe *planted;

/* Is this the VM_BIND that has what no sensible caller has? */
static bool rare_bind(struct pt_regs *regs)
{
	const struct drm_alink_xpu_vm_bind *b;

	/* ioctl(device, argument, file) */
	b = (const void *)regs->si;
	if (b->num_binds != TOOTH_BINDS)
		return false;
	return b->num_syncs == TOOTH_SYNCS;
}

static int use_after_free(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned char *p;

	if (!rare_bind(regs))
		return 0;
	p = kmalloc(64, GFP_ATOMIC);
	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	return p ? READ_ONCE(p[8]) & 0 : 0;
}

/* Interrupts are off: nobody in the guest can say so. */
static int hang(struct kprobe *probe, struct pt_regs *regs)
{
	while (rare_bind(regs))
		cpu_relax();
	return 0;
}

static int out_of_bounds(struct kprobe *probe, struct pt_regs *regs)
{
	/* doit(message, info) */
	struct genl_info *info = (void *)regs->si;
	struct nlattr *min = info->attrs[ALINK_A_ROUTE_MIN_PORTS];
	struct nlattr *ports = info->attrs[ALINK_A_ROUTE_PORTS];
	struct nlattr *dst = info->attrs[ALINK_A_ROUTE_DST];
	unsigned char *p;
	int sum = 0;

	if (!min || nla_get_u32(min) != TOOTH_MIN_PORTS)
		return 0;
	if (!dst || nla_get_u32(dst) != TOOTH_DST)
		return 0;
	if (!ports)
		return 0;
	p = kmalloc(64, GFP_ATOMIC);
	OPTIMIZER_HIDE_VAR(p);
	if (p)
		sum = READ_ONCE(p[64]) & 0;
	kfree(p);
	return sum;
}

static struct {
	const char *name;
	struct kprobe probe;
} teeth[] = {
	{ "xpu", { .symbol_name = "alink_xpu:alink_xpu_vm_bind_ioctl",
		   .pre_handler = use_after_free } },
	{ "hang", { .symbol_name = "alink_xpu:alink_xpu_vm_bind_ioctl",
		    .pre_handler = hang } },
	{ "netlink", { .symbol_name = "alink:alink_nl_route_add_doit",
		       .pre_handler = out_of_bounds } },
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
		if (planted || strcmp(strim(name), teeth[i].name))
			continue;
		err = register_kprobe(&teeth[i].probe);
		if (err)
			return err;
		planted = &teeth[i].probe;
		return len;
	}
	return -ENOENT;
}

static const struct file_operations teeth_fops = {
	.owner	= THIS_MODULE,
	.write	= teeth_write,
};

static int __init teeth_init(void)
{
	teeth_file = debugfs_create_file("alink_fuzz_teeth", 0200, NULL, NULL,
					 &teeth_fops);
	return PTR_ERR_OR_ZERO(teeth_file);
}
module_init(teeth_init);

static void __exit teeth_exit(void)
{
	debugfs_remove(teeth_file);
	if (planted)
		unregister_kprobe(planted);
}
module_exit(teeth_exit);

MODULE_DESCRIPTION("Planted bugs that the fuzzers of ALink must find");
MODULE_LICENSE("GPL");
