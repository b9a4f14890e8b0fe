// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the fault sweep over the probe of a DRM driver: keeps the core of DRM from
 * an oops of its own. drm_minor_alloc() leaves the error pointer of
 * drm_sysfs_minor_alloc() in drm_minor.kdev, and drm_minor_alloc_release() puts
 * that as a device (Linux up to 6.12 at least). No driver can help it, and the
 * sweep is about ours.
 *
 * No part of the suite, and never installed.
 */
#include <linux/err.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/ptrace.h>

#include <drm/drm_file.h>

static int guard_before(struct kprobe *probe, struct pt_regs *regs)
{
	struct drm_minor *minor;

	minor = (struct drm_minor *)regs_get_kernel_argument(regs, 1);
	if (IS_ERR(minor->kdev))
		minor->kdev = NULL;
	return 0;
}

static struct kprobe guard = {
	.symbol_name = "drm_minor_alloc_release",
	.pre_handler = guard_before,
};

static int __init guard_init(void)
{
	return register_kprobe(&guard);
}
module_init(guard_init);

static void __exit guard_exit(void)
{
	unregister_kprobe(&guard);
}
module_exit(guard_exit);

MODULE_DESCRIPTION("Test helper: an error path of the core of DRM");
MODULE_LICENSE("GPL");
