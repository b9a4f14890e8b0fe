# SPDX-License-Identifier: GPL-2.0-only
"""Fault sweeps in the guest: an operation is done again and again, and the
N-th allocation or user copy in it fails, for N = 1, 2... until it got through
without meeting one. See Documentation/fault-injection in the kernel.
"""
import errno
import os
import re
import sys
import time

FAULT = '/sys/kernel/debug'
# What the kernel's own allocation and copy failures turn into.
ALLOWED = {errno.ENOMEM, errno.EFAULT, errno.ENOBUFS}
MAX_POINTS = 20000
# DMA-API debugging turns itself off for good when one of these gets no memory.
DMA_DEBUG = ('dma_debug_create_entries', 'dma_entry_alloc', 'add_dma_entry')
# Calls from an allocation outwards among which they are looked for
DEPTH = 24


def spare_dma_debug():
    """Allocations of DMA-API debugging do not fail: it is to see what the
    drivers map while theirs do. Call it before any does."""
    symbols = []
    with open('/proc/kallsyms', encoding='ascii') as f:
        for line in f:
            word = line.split()
            # Of the kernel itself, not of modules
            if word[1] in 'tT' and len(word) == 3:
                symbols.append((int(word[0], 16), word[2]))
    symbols.sort()
    mine = rf'({"|".join(DMA_DEBUG)})(\.(isra|constprop|part)\.\d+)*'
    found = [i for i, s in enumerate(symbols) if re.fullmatch(mine, s[1])]
    start, end = symbols[found[0]][0], symbols[found[-1] + 1][0]
    # They are in one file.
    assert len(found) >= len(DMA_DEBUG) and start and end - start < 0x10000, \
        found
    for attr in 'failslab', 'fail_page_alloc':
        for name, value in (('stacktrace-depth', f'{DEPTH}'),
                            ('reject-start', f'{start:#x}'),
                            ('reject-end', f'{end:#x}')):
            with open(f'{FAULT}/{attr}/{name}', 'w', encoding='ascii') as f:
                f.write(value)


def dma_debug_is_off():
    """What is to be said of it, '' if it is on"""
    with open(f'{FAULT}/dma-api/disabled', encoding='ascii') as f:
        said = f.read().strip()
    return '' if said == 'N' else f'disabled: {said}'


class Sweeper:
    """fail-nth of this thread, and TAP about what came of it."""

    def __init__(self, stride=1):
        self.stride = stride
        self.number = self.failed = 0
        for name, value in (('failslab/ignore-gfp-wait', 'N'),
                            ('failslab/verbose', '0'),
                            ('fail_page_alloc/ignore-gfp-wait', 'N'),
                            ('fail_page_alloc/verbose', '0'),
                            ('fail_page_alloc/min-order', '0'),
                            ('fail_usercopy/verbose', '0')):
            with open(f'{FAULT}/{name}', 'w', encoding='ascii') as f:
                f.write(value)
        spare_dma_debug()
        self.nth = os.open('/proc/thread-self/fail-nth', os.O_RDWR)
        print('TAP version 13')

    def arm(self, nth):
        """The nth fault point from here on fails; 0: none does."""
        try:
            os.pwrite(self.nth, b'%d' % nth, 0)
        except OSError as err:
            # An armed fault hit the copy of this very number, and is spent.
            if err.errno != errno.EFAULT or nth:
                raise

    def met(self):
        """Has the fault happened? Ends the hunt for it."""
        try:
            left = int(os.pread(self.nth, 16, 0).split(b'\0')[0])
        except OSError as err:
            # Not yet: it hit the copy of this very answer.
            if err.errno != errno.EFAULT:
                raise
            return False
        if left:
            self.arm(0)
        return left == 0

    def result(self, what, bad=''):
        """One result."""
        self.number += 1
        self.failed += bool(bad)
        print(f'{"not ok" if bad else "ok"} {self.number} - {what}'
              + (f' # {bad}' if bad else ''), flush=True)

    def sweep(self, what, op, prepare=None, undo=None, census=None,
              allowed=frozenset()):
        """OP(arg) with each of its fault points, ARG from PREPARE().

        UNDO(arg, got) follows, GOT being what OP returned or its OSError.
        CENSUS() must say the same before and after: nothing is lost, nothing
        half-done.
        """
        points, nth, seen, bad = 0, 1, {}, ''
        start = time.monotonic()
        while not bad:
            before = census() if census else None
            arg = prepare() if prepare else None
            self.arm(nth)
            try:
                got = op(arg)
            except OSError as err:
                got = err
            met = self.met()
            code = got.errno if isinstance(got, OSError) else 0
            if undo:
                undo(arg, got)
            if census and census() != before:
                bad = f'point {nth}: was {before}, is {census()}'
            if not met:
                if code:
                    bad = f'no fault, and still {errno.errorcode[code]}'
                break
            points += 1
            seen[code] = seen.get(code, 0) + 1
            if code and code not in ALLOWED and code not in allowed:
                bad = f'point {nth}: {errno.errorcode.get(code, code)}'
            elif nth > MAX_POINTS:
                bad = f'not through after {MAX_POINTS} points'
            nth += self.stride
        if not bad and not points:
            bad = 'no fault point at all: is fault injection on?'
        print(f'figure points_{what.replace(" ", "_")} {points}')
        print(f'# {what}: {points} points, {time.monotonic() - start:.1f} s, '
              + ', '.join(f'{n} {errno.errorcode.get(c, "ok")}'
                          for c, n in sorted(seen.items())))
        self.result(f'{what} swept', bad)

    def done(self):
        """Plan and exit; without Python's own tidying up."""
        self.result('DMA-API debugging is on to the end', dma_debug_is_off())
        print(f'1..{self.number}')
        sys.stdout.flush()
        os._exit(1 if self.failed or not self.number else 0)
