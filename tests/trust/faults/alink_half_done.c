// SPDX-License-Identifier: GPL-2.0-only
/*
 * A bug on purpose, for the fault sweeps: IDENTIFY that found no memory says
 * that the device tells no name, and dev-get succeeds without it, as it once
 * did. A sweep that does not see that is worth nothing.
 *
 * No part of the suite, and never installed.
 */
#include <linux/errno.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/ptrace.h>

static int half_done_return(struct kretprobe_instance *instance,
			    struct pt_regs *regs)
{
	/* An int: the upper half of the register is anything. */
	if ((int)regs_return_value(regs) == -ENOMEM)
		regs_set_return_value(regs, -ENOENT);
	return 0;
}

static struct kretprobe half_done = {
	.kp.symbol_name = "alink_identify",
	.handler = half_done_return,
};

static int __init half_done_init(void)
{
	return register_kretprobe(&half_done);
}
module_init(half_done_init);

static void __exit half_done_exit(void)
{
	unregister_kretprobe(&half_done);
}
module_exit(half_done_exit);

MODULE_DESCRIPTION("Planted bug that the ALink fault sweeps must find");
MODULE_LICENSE("GPL");
