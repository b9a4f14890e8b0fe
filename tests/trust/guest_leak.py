#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_leak.py CYCLES PART. Loads and unloads all modules and
counts what is there before and after. Prints TAP."""
import glob
import os
import re
import subprocess
import sys
import time

# Where the checkers themselves keep what they know of others.
TRACKERS = ('kmemleak_object', 'debug_objects_cache', 'radix_tree_node')
# Counts are compared this often; more often while a cache grows each time, as
# small ones do by chance.
SPANS = 3
MOST_SPANS = 8
LEAVES = ('alink_xpu', 'alink_switch', 'alink_optics', 'alink_nic')


def modprobe(*args):
    """Must work."""
    subprocess.run(['modprobe', *args], check=True)


def cycle():
    """All out, all in again."""
    modprobe('-r', *LEAVES)
    modprobe('-r', 'alink')
    modprobe('-a', 'alink', *LEAVES)


def settle():
    """Lets the kernel free what it only keeps for a while."""
    for _ in range(2):
        with open('/proc/sys/vm/drop_caches', 'w', encoding='ascii') as f:
            f.write('3')
        for path in glob.glob('/sys/kernel/slab/*/shrink'):
            try:
                with open(path, 'w', encoding='ascii') as f:
                    f.write('1')
            except OSError:
                pass
        time.sleep(1)


def slabs():
    """Objects in use, for each cache."""
    out = {}
    with open('/proc/slabinfo', encoding='ascii') as f:
        for line in list(f)[2:]:
            word = line.split()
            out[word[0]] = int(word[1])
    return out


def trees():
    """Names that our modules put in sysfs and debugfs."""
    out = set()
    for top in ('/sys/class', '/sys/bus', '/sys/kernel/debug', '/sys/module'):
        for pattern in (f'{top}/*', f'{top}/*/*', f'{top}/*/devices/*'):
            out |= {p for p in glob.glob(pattern)
                    if not re.search(r'/kernel/debug/(tracing|block|bdi)', p)}
    # The number of a hwmon or an input device may differ, their count not.
    return sorted(re.sub(r'(hwmon|thermal_zone|card|i2c-)\d+', r'\1N', p)
                  for p in out)


def dma_entries():
    """Mappings that the DMA API knows of."""
    with open('/sys/kernel/debug/dma-api/num_free_entries',
              encoding='ascii') as f:
        free = int(f.read())
    with open('/sys/kernel/debug/dma-api/nr_total_entries',
              encoding='ascii') as f:
        return int(f.read()) - free


def main():
    """Cycles, and what they changed."""
    cycles, part = int(sys.argv[1]), sys.argv[2]
    number = failed = 0

    def result(what, bad):
        nonlocal number, failed
        number += 1
        failed += bool(bad)
        print(f'{"not ok" if bad else "ok"} {number} - {what}'
              + (f' # {bad}' if bad else ''), flush=True)

    print('TAP version 13')
    cycle()
    settle()
    before = trees(), dma_entries()
    start = time.monotonic()
    grown, last, spans = None, slabs(), 0
    while spans < SPANS or (grown and spans < MOST_SPANS):
        spans += 1
        for _ in range(cycles // SPANS):
            cycle()
        settle()
        now = slabs()
        more = {k: n - last.get(k, 0) for k, n in now.items()
                if n - last.get(k, 0) >= cycles // SPANS and
                k not in TRACKERS}
        # Caches breathe. What leaks grows in each of the spans.
        grown = more if grown is None else \
            {k: f'{grown[k]}, {n}' for k, n in more.items() if k in grown}
        last = now
    done = cycles // SPANS * spans
    print(f'figure cycles_{part} {done}')
    print(f'figure seconds_per_cycle_{part} '
          f'{(time.monotonic() - start) / done:.2f}')
    result(f'{part}: no cache grew by an object a cycle', grown)
    now = trees()
    result(f'{part}: sysfs and debugfs hold what they held',
           sorted(set(now) ^ set(before[0])))
    result(f'{part}: as many DMA mappings as before',
           '' if dma_entries() == before[1] else
           f'{before[1]} then {dma_entries()}')
    modprobe('-r', *LEAVES)
    modprobe('-r', 'alink')
    result(f'{part}: all modules are gone',
           [p for p in glob.glob('/sys/module/alink*')])
    print(f'1..{number}')
    sys.stdout.flush()
    os._exit(1 if failed else 0)


if __name__ == '__main__':
    main()
