#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: one processor reads a BAR while the other moves memory.

Each change of a BAR's decoding gives QEMU a new map of memory. A processor
that looks a device up in a map newer than its own TLB entry gets another
device: a register reads wrong, or a write to the local APIC is lost and the
guest stalls. test_vm.py runs this without our drivers.
"""
import mmap
import os
import sys
import time

PCI = '/sys/bus/pci/devices'
SECONDS = float(sys.argv[1])


def memory_devices():
    """Functions without a driver, and the first BAR of each that maps."""
    found = []
    for name in sorted(os.listdir(PCI)):
        for bar in range(6):
            path = f'{PCI}/{name}/resource{bar}'
            if os.path.exists(path) and os.path.getsize(path) >= 4096:
                try:
                    with open(path, 'r+b') as file:
                        mmap.mmap(file.fileno(), 4096).close()
                except OSError:
                    continue
                if not os.path.exists(f'{PCI}/{name}/driver'):
                    found.append((name, path))
                break
    return found


def read_all(path):
    """Child: counts reads of the first register that are not its value."""
    os.sched_setaffinity(0, {1})
    with open(path, 'r+b') as file:
        register = memoryview(mmap.mmap(file.fileno(), 4096)).cast('I')
    want = register[0]
    wrong = total = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for _ in range(500):
            wrong += register[0] != want
        total += 500
    print(f'{total} reads of {want:#x}, {wrong} wrong', flush=True)
    os._exit(1 if wrong else 0)


def main():
    """Exit status 0 when every read was right."""
    devices = memory_devices()
    victim, other = devices[0], devices[-1]
    print(f'read {victim[0]}, move {other[0]}', flush=True)
    with open(f'{PCI}/{victim[0]}/enable', 'w', encoding='ascii') as file:
        file.write('1')
    child = os.fork()
    if child == 0:
        read_all(victim[1])
    os.sched_setaffinity(0, {0})
    config = os.open(f'{PCI}/{other[0]}/config', os.O_RDWR)
    moves = 0
    while True:
        os.pwrite(config, b'\0\0', 4)
        os.pwrite(config, b'\2\0', 4)
        moves += 1
        if moves % 10 == 0:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
    print(f'{moves} moves', flush=True)
    return 1 if status or moves < 20 else 0


if __name__ == '__main__':
    sys.exit(main())
