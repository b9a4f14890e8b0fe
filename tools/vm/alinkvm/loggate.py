# SPDX-License-Identifier: GPL-2.0
"""What must not be in a kernel log.

lockdep and kmemleak only print, KASAN reports once per boot, and QEMU ends
with status 0 after a panic: so every log is searched, whatever the command
said.
"""

import re

BAD = re.compile("|".join((
    r"WARNING: ",
    r"\bBUG: ",
    r"\bBUG at ",
    r"\bOops\b",
    r"Kernel panic",
    r"general protection fault",
    r"Unable to handle kernel",
    r"divide error:",
    r"invalid opcode:",
    r"KASAN: ",
    r"KFENCE: ",
    r"KCSAN: ",
    r"UBSAN: ",
    r"INFO: task .* blocked for more than",
    r"INFO: trying to register non-static key",
    r"INFO: rcu_\w+ (self-)?detected stall",
    r"rcu: INFO: .*stall",
    r"possible circular locking dependency",
    r"possible recursive locking",
    r"possible irq lock inversion",
    r"inconsistent lock state",
    r"suspicious RCU usage",
    r"bad unlock balance",
    r"held lock freed",
    r"lock held when returning to user space",
    r"sleeping function called from invalid context",
    r"scheduling while atomic",
    r"watchdog: .*lockup",
    r"kmemleak: \d+ new suspected memory leaks",
    r"unreferenced object 0x",
    r"refcount_t: ",
    r"(list_add|list_del) corruption",
    r"sysfs: cannot create duplicate",
    r"kobject_add_internal failed",
    r"Object \(.*\) still (active|initialized)|ODEBUG: ",
    r"Bad page state",
    r"page_pool_release_retry\(\) stalled",
    r"unregister_netdevice: waiting for",
    r"irq \d+: nobody cared",
    r"DMA-API: ",
    r"Unbalanced (enable|pm_runtime|IRQ)",
    r"DMAR: .*fault",
    r"NETDEV WATCHDOG",
    r"devres.*leak|Memory manager not clean during takedown",
    r"memory leak",
)))

# Printed by the stock kernel itself; each with its reason.
HARMLESS_LINES = (
    # TCG has no TSC that the kernel trusts; not an error of ours.
    r"clocksource: .*",
    # CONFIG_PM_TEST_SUSPEND gives each phase of a suspend 10 s on the wall: as
    # long as a device that does not answer has, and an emulated one may take.
    r"WARNING: .* suspend_test_finish\+",
)
HARMLESS = re.compile("|".join(HARMLESS_LINES))

# The frame round a report of KCSAN, and the head of an access in it
_KCSAN_END = re.compile(r"\] ={20,}\s*$")
_KCSAN_ACCESS = re.compile(r"\] \S.* on cpu \d+:\s*$")
KCSAN_DEPTH = 3
# Races in the kernel's core that any driver gets into; each with its reason.
KERNEL_RACE_LINES = (
    # NAPI's state is read plainly before the atomic exchange decides.
    r"napi_complete_done / napi_schedule_prep",
    r"napi_schedule_prep / napi_complete_done",
    # Counts of interrupts that nobody handled, which free_irq() resets.
    r"data-race in note_interrupt\b|/ note_interrupt$",
)
KERNEL_RACES = re.compile("|".join(KERNEL_RACE_LINES))
_STAMP = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\]")


def is_bad(line, expected=()):
    """Is this line an offence? EXPECTED: expressions for lines that a test
    brings about on purpose."""
    return bool(BAD.search(line) and not HARMLESS.search(line) and
                not any(re.search(e, line) for e in expected))


def allowed(log, more=()):
    """{expression: lines of LOG that are no failure only because of it}, of all
    that is allowed here, and of MORE. One that never matches can go."""
    bad = [line for line in log.splitlines() if BAD.search(line)]
    return {e: sum(bool(re.search(e, line)) for line in bad)
            for e in (*HARMLESS_LINES, *KERNEL_RACE_LINES, *more)}


def race_is_ours(report):
    """Does a report of KCSAN have a frame of our modules within the first few
    of an access? Those further out only called what races, or were interrupted
    by it."""
    depth = None
    for line in report:
        if _KCSAN_ACCESS.search(line):
            depth = 0
        elif depth is not None:
            depth += 1
            if depth <= KCSAN_DEPTH and "[alink" in line:
                return True
    return False


def without_foreign_races(lines):
    """KCSAN sees races all over the kernel, most of them benign and none of
    them ours to mend: their reports are left out. One that the end of the log
    cuts off stays."""
    out, report = [], None
    for line in lines:
        if "BUG: KCSAN: " in line:
            report = [line]
        elif report is None:
            out.append(line)
        else:
            report.append(line)
            if _KCSAN_END.search(line):
                if race_is_ours(report) and not KERNEL_RACES.search(report[0]):
                    out += report
                report = None
    return out + (report or [])


def findings(log, expected=()):
    """The offending lines of LOG, in order."""
    return [line for line in without_foreign_races(log.splitlines())
            if is_bad(line, expected)]


def excerpt(log, before=3, after=45, expected=()):
    """The text round the first offending line, and the end of a panic."""
    lines = without_foreign_races(log.splitlines())
    for at, line in enumerate(lines):
        if is_bad(line, expected):
            return "\n".join(lines[max(0, at - before):at + after])
    return "\n".join(lines[-after:])
