# SPDX-License-Identifier: GPL-2.0-only
"""Fault sweeps in the guest: an operation is done again and again, and the
N-th allocation or user copy in it fails, for N = 1, 2... until it got through
without meeting one. See Documentation/fault-injection in the kernel.

An operation that fails has to leave all as it was; one that says that it
worked has to have done all that it does when nothing fails. What that is a
sweep's DONE tells, and the operation itself shows it first, without a fault.
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


def only_behind(names):
    """Allocations of slabs fail only where one of these modules, or one that lies
    between them, is among the callers. Call it before any does."""
    where = {}
    with open('/proc/modules', encoding='ascii') as f:
        for line in f:
            word = line.split()
            base = int(word[5], 16)
            where[word[0]] = base, base + int(word[1])
    start = min(where[n][0] for n in names)
    end = max(where[n][1] for n in names)
    # All files come through it, programs and their libraries among them.
    base, _ = where.get('overlay', (0, 0))
    assert start and not start <= base < end, where
    for name, value in (('stacktrace-depth', f'{DEPTH}'),
                        ('require-start', f'{start:#x}'),
                        ('require-end', f'{end:#x}')):
        with open(f'{FAULT}/failslab/{name}', 'w', encoding='ascii') as f:
            f.write(value)


def dma_debug_is_off():
    """What is to be said of it, '' if it is on"""
    with open(f'{FAULT}/dma-api/disabled', encoding='ascii') as f:
        said = f.read().strip()
    return '' if said == 'N' else f'disabled: {said}'


class Grows(int):
    """A counter or time, in what DONE sees: as it was without a fault, or
    higher. One that was left out is lower, or not there."""

    def __eq__(self, later):
        return isinstance(later, Grows) and int(later) >= int(self)

    def __ne__(self, later):
        return not self == later

    __hash__ = int.__hash__


class Moves(bytes):
    """A value that changes by itself, in what DONE sees: any, but one."""

    def __eq__(self, other):
        return isinstance(other, Moves)

    def __ne__(self, other):
        return not self == other

    __hash__ = None


def named(err):
    """An OSError's name."""
    return errno.errorcode.get(err.errno, str(err.errno))


class Cannot(str):
    """The name of the error with which looking ended."""


def look(done, arg, got):
    """What DONE sees; Cannot where what was done cannot even be used."""
    try:
        return done(arg, got)
    except OSError as err:
        return Cannot(named(err))


def shown(value):
    """A value, short enough for a line."""
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + '...'


def difference(first, second):
    """Where two values differ, in words."""
    if isinstance(first, set) and isinstance(second, set):
        return (f'without {shown(sorted(first - second))}, '
                f'with {shown(sorted(second - first))}')
    if isinstance(first, dict) and isinstance(second, dict):
        if first.keys() != second.keys():
            return difference(set(first), set(second))
        pairs = [(f'{k!r}', first[k], second[k]) for k in first]
    elif type(first) is type(second) and isinstance(first, (list, tuple)) \
            and len(first) == len(second):
        pairs = [(f'{i}', a, b) for i, (a, b) in enumerate(zip(first, second))]
    else:
        return f'{shown(second)} instead of {shown(first)}'
    for where, old, new in pairs:
        if old != new:
            return f'[{where}] {difference(old, new)}'
    return 'nothing differs'


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

    def attempt(self, nth, op, prepare, undo, done):
        """OP once, with its NTHth fault point: (what it returned or its
        OSError, was the fault met, what DONE sees); nth None: without OP."""
        arg = prepare() if prepare else None
        got, met = None, False
        if nth is not None:
            self.arm(nth)
            try:
                got = op(arg)
            except OSError as err:
                got = err
            met = self.met() and nth > 0
        seen = None
        if callable(done) and not isinstance(got, OSError):
            seen = look(done, arg, got)
        if undo:
            undo(arg, got)
        return got, met, seen

    def undisturbed(self, op, prepare, undo, done):
        """(What DONE sees of an OP without a fault, what is wrong with that):
        the same each time, and not the same without OP."""
        without = self.attempt(None, op, prepare, undo, done)[2]
        for number in range(2):
            got, _, seen = self.attempt(0, op, prepare, undo, done)
            if isinstance(got, OSError):
                return None, f'no fault, and still {named(got)}'
            if number and first != seen:
                return None, ('without a fault it differs: ' +
                              difference(first, seen))
            first = seen
        if not callable(done):
            return None, ''
        if isinstance(first, Cannot):
            return None, f'without a fault the check ends with {first}'
        if without == first:
            return None, f'done or not, the check sees {shown(first)}'
        return first, ''

    def sweep(self, what, op, prepare=None, undo=None, census=None,
              allowed=frozenset(), done=None):
        """OP(arg) with each of its fault points, ARG from PREPARE().

        UNDO(arg, got) follows, GOT being what OP returned, or its OSError, or
        None where there was no OP. CENSUS() must say the same before and
        after: nothing is lost, nothing half-done.

        DONE(arg, got), before UNDO, is what can be seen of an OP that worked.
        Where nothing can be, it is the reason, a str. A sweep that has neither
        is a failure.
        """
        if not done:
            self.result(f'{what} swept', 'no check is written that it is done')
            return
        points, nth, seen = 0, 1, {}
        start = time.monotonic()
        expected, bad = self.undisturbed(op, prepare, undo, done)
        while not bad:
            before = census() if census else None
            got, met, is_done = self.attempt(nth, op, prepare, undo, done)
            code = got.errno if isinstance(got, OSError) else 0
            if census and census() != before:
                bad = f'point {nth}: was {before}, is {census()}'
            elif not code and expected != is_done:
                bad = (f'point {nth}: worked, and still ' +
                       difference(expected, is_done))
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
        print(f'figure worked_all_the_same {seen.get(0, 0)}')
        print(f'# {what}: {points} points, {time.monotonic() - start:.1f} s, '
              + ', '.join(f'{n} {errno.errorcode.get(c, "ok")}'
                          for c, n in sorted(seen.items())))
        if isinstance(done, str):
            print(f'# {what}: nothing to see of it: {done}')
        self.result(f'{what} swept', bad)

    def done(self):
        """Plan and exit; without Python's own tidying up."""
        self.result('DMA-API debugging is on to the end', dma_debug_is_off())
        print(f'1..{self.number}')
        sys.stdout.flush()
        os._exit(1 if self.failed or not self.number else 0)
