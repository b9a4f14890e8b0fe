// SPDX-License-Identifier: GPL-2.0-only
/*
 * For lanes that do the same again and again, which others do with lockdep: ends
 * it without a word, as it does itself after a report. The kernel's command line
 * can only make it prove less (lockdep.prove_locking), and it goes on to note
 * each lock that is held.
 *
 * No part of the suite, and never installed.
 */
#include <linux/debug_locks.h>
#include <linux/module.h>

static int __init no_lockdep_init(void)
{
	__debug_locks_off();
	return 0;
}
module_init(no_lockdep_init);

static void __exit no_lockdep_exit(void)
{
}
module_exit(no_lockdep_exit);

MODULE_DESCRIPTION("Test helper: a kernel that looks at no locks");
MODULE_LICENSE("GPL");
