# SPDX-License-Identifier: GPL-2.0-only
"""Which places of our modules a fuzzer reached. A place is a basic block that
KCOV reports; the modules of the debug kernel name the line of each.

A refusal is a line of a driver that returns an error of its own making, in the
code of ioctls and of netlink. include/linux/alink/refusal.h sees to it that
each has a block.
"""
import glob
import os
import re
import subprocess

from lanelib import ROOT

HOOK = '__sanitizer_cov_trace_pc'
# Where users' arguments are judged
CODE = ('drivers/xpu/alink_xpu_*.c', 'drivers/alink/alink_netlink*.c')
# No user gets there: probe, registers, devlink's one report
NOT_CODE = re.compile(r'_(drv|pci|hw|devlink)\.c$')
# What callers bring about; the others are for lane_faults, and for devices that
# are in reset or gone.
ARGUMENTS = re.compile(r'-E(INVAL|NOENT|OPNOTSUPP|2BIG|RANGE|EXIST|NOSPC|PERM|'
                       r'ACCES|FAULT|TIME)\b')
COMMENT = re.compile(r'^\s*(/\*|\*[\s/]|//)')
REFUSAL = re.compile(r'(return|[^=!]=|\?:?|:)\s*(ERR_PTR\()?-E[A-Z0-9]+\b')


def output(*command, given=''):
    """What a command prints."""
    return subprocess.run(command, input=given, stdout=subprocess.PIPE,
                          text=True, check=True).stdout


def blocks(path):
    """{section: offsets} of all blocks of a module."""
    out, section = {}, None
    for line in output('readelf', '-rW', path).splitlines():
        head = re.match(r"Relocation section '\.rela(\.text\S*)'", line)
        if line.startswith('Relocation section'):
            section = head.group(1) if head else None
        elif section and f' {HOOK} ' in line:
            # The address behind the call, as KCOV reports it
            out.setdefault(section, set()).add(int(line.split()[0], 16) + 4)
    return out


def lines(path, section, offsets):
    """{offset: lines of our drivers that it belongs to}, innermost first."""
    ordered = sorted(offsets)
    text = output('addr2line', '-e', path, '-j', section, '-i', '-a',
                  given=''.join(f'{o - 1:#x}\n' for o in ordered))
    out, at = {}, None
    for line in text.splitlines():
        if line.startswith('0x'):
            at = int(line, 16) + 1
            out[at] = []
            continue
        found = re.search(r'/(drivers/\w+/\w+\.[ch]):(\d+)', line)
        if found:
            out[at].append((found.group(1), int(found.group(2))))
    return out


class Cover:
    """Modules of a build against what was reached, {(module, section):
    offsets}."""

    def __init__(self, build, reached):
        self.counts, self.there, self.hit = {}, set(), set()
        for path in sorted(glob.glob(f'{build}/drivers/*/*.ko')):
            module = os.path.basename(path).removesuffix('.ko')
            hits = total = 0
            for section, offsets in blocks(path).items():
                seen = reached.get((module, section), set()) & offsets
                hits, total = hits + len(seen), total + len(offsets)
                for offset, where in lines(path, section, offsets).items():
                    self.there.update(where[:1])
                    if offset in seen:
                        self.hit.update(where[:1])
            self.counts[module] = (hits, total)

    def places(self):
        """{module: (reached, all)}"""
        return self.counts

    def refusals(self):
        """Text of those reached, of those not, and of those without a block"""
        hit, missed, hidden = [], [], []
        for pattern in CODE:
            for path in sorted(glob.glob(os.path.join(ROOT, pattern))):
                name = os.path.relpath(path, ROOT)
                if NOT_CODE.search(name):
                    continue
                with open(path, encoding='utf-8') as f:
                    for number, text in enumerate(f, 1):
                        if COMMENT.match(text) or not REFUSAL.search(text):
                            continue
                        where = (name, number)
                        to = hit if where in self.hit else \
                            missed if where in self.there else hidden
                        to.append(f'{name}:{number}: {text.strip()}')
        return hit, missed, hidden
