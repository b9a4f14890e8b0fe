#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_iommu.py MODULE ENGINE [DRIVER...]. What the IOMMU makes of DMA that
no driver has mapped, for a device of each kind. MODULE is alink_iommu_probe.ko,
ENGINE the program for the part that needs the engines of an xPU. Prints TAP."""
import glob
import mmap
import os
import re
import subprocess
import sys
import time

PROBE = '/sys/kernel/debug/alink_iommu_probe'
DRIVERS = ('alink_xpu', 'alink_switch', 'alink_optics', 'alink_nic')
PAGE = 4096

# include/hw/alink/common.h
GUEST_ERRORS, DMA_ADDR, DMA_LEN, DMA_CTRL, DMA_STATUS = \
    0x060, 0x088, 0x090, 0x094, 0x098
FILL, INVERT = 1, 2
DONE, ERROR = 2, 3

NUMBER = FAILED = 0


def result(what, good, why=''):
    """One result."""
    global NUMBER, FAILED  # pylint: disable=global-statement
    NUMBER += 1
    FAILED += not good
    tail = f' # {why}' if why and not good else ''
    print(f'{"ok" if good else "not ok"} {NUMBER} - {what}{tail}', flush=True)


def probe(command):
    """A command to the module, and its answer."""
    with open(PROBE, 'r+b', buffering=0) as f:
        f.write(command.encode())
        f.seek(0)
        return int(f.read(32), 0)


def kernel_log():
    """All of it."""
    return subprocess.run(['dmesg'], stdout=subprocess.PIPE, text=True,
                          check=True).stdout


class Function:
    """A PCI function and the common block of its registers."""

    def __init__(self, bdf):
        self.bdf = bdf
        path = f'/sys/bus/pci/devices/{bdf}/resource0'
        self.fd = os.open(path, os.O_RDWR | os.O_SYNC)
        self.regs = mmap.mmap(self.fd, PAGE)

    def close(self):
        """Lets go of it."""
        self.regs.close()
        os.close(self.fd)

    def get(self, reg):
        """One access of 32 bits."""
        return memoryview(self.regs).cast('I')[reg // 4]

    def put(self, reg, value):
        """One access of 32 bits."""
        memoryview(self.regs).cast('I')[reg // 4] = value

    def dma(self, op, addr, length=PAGE):
        """Runs the DMA operation of the self test; its status."""
        self.put(DMA_ADDR, addr & 0xffffffff)
        self.put(DMA_ADDR + 4, addr >> 32)
        self.put(DMA_LEN, length)
        self.put(DMA_CTRL, op)
        for _ in range(2000):
            status = self.get(DMA_STATUS)
            if status in (DONE, ERROR):
                return status
            time.sleep(0.001)
        return 0


def reported(func, kind, addr):
    """Has the kernel reported a fault of this function at this address?"""
    line = (rf'DMAR: \[DMA {kind}.*\] Request device '
            rf'\[{func.bdf[5:]}\] fault addr {addr:#x} ')
    for _ in range(20):
        if re.search(line, kernel_log()):
            return True
        time.sleep(0.05)
    return False


def blocked(what, func, op, addr, kind):
    """A DMA that must not come through, with nobody harmed, and both sides
    must say so. The kernel limits the rate of what it says: a second try."""
    probe('fill')
    status = func.dma(op, addr)
    seen = reported(func, kind, addr & ~(PAGE - 1))
    if not seen and status == ERROR:
        time.sleep(5)
        func.dma(op, addr)
        seen = reported(func, kind, addr & ~(PAGE - 1))
    bad = probe('bad')
    result(f'{what}: the device says that the bus refused it',
           status == ERROR, f'status {status}')
    result(f'{what}: memory is unharmed', bad == 0, f'{bad} bytes changed')
    result(f'{what}: the kernel names the device and the address', seen,
           f'no fault of {func.bdf} at {addr:#x} in the log')


def one_function(driver, bdf):
    """Each kind of access."""
    func = Function(bdf)
    errors = func.get(GUEST_ERRORS)
    dma = probe(f'map {bdf} rw')
    probe('fill')
    status = func.dma(FILL, dma)
    bad = probe('bad')
    result(f'{driver}: DMA to a mapping works', status == DONE and
           bad >= PAGE - PAGE // 256, f'status {status}, {bad} bytes changed')
    probe('unmap')
    blocked(f'{driver}: write after unmap', func, FILL, dma, 'Write')
    blocked(f'{driver}: read after unmap', func, INVERT, dma, 'Read')
    phys = probe('phys')
    blocked(f'{driver}: write to a physical address', func, FILL, phys, 'Write')
    dma = probe(f'map {bdf} ro')
    blocked(f'{driver}: write to memory mapped for reading', func, FILL, dma,
            'Write')
    probe('unmap')
    result(f'{driver}: none of it was a mistake of the driver',
           func.get(GUEST_ERRORS) == errors)
    func.close()


def left_enabled(driver, bdf):
    """A device with rings that its last user left: the driver resets it before
    it may do DMA again."""
    folder = f'/sys/bus/pci/drivers/{driver}'
    addr = probe('phys')
    with open(f'{folder}/unbind', 'w', encoding='ascii') as f:
        f.write(bdf)
    with open(f'/sys/bus/pci/devices/{bdf}/enable', 'w', encoding='ascii') as f:
        f.write('1')
    func = Function(bdf)
    # CONTROL, ADMIN_SQ_BASE, ADMIN_CQ_BASE, ADMIN_SIZE, ADMIN_CTRL, SQ_TAIL
    for reg, value in ((0x044, 1), (0x100, addr & 0xffffffff),
                       (0x104, addr >> 32), (0x108, addr & 0xffffffff),
                       (0x10c, addr >> 32), (0x110, 2), (0x114, 1), (0x118, 1)):
        func.put(reg, value)
    func.close()
    before = kernel_log().count(f'fault addr {addr:#x} ')
    with open(f'{folder}/bind', 'w', encoding='ascii') as f:
        f.write(bdf)
    time.sleep(0.5)
    log = kernel_log()
    result(f'{driver}: a device that was left enabled is reset',
           'device was left enabled: resetting it' in log)
    result(f'{driver}: and does no DMA before that',
           log.count(f'fault addr {addr:#x} ') == before)


def group(bdf):
    """Type of the function's IOMMU group."""
    with open(f'/sys/bus/pci/devices/{bdf}/iommu_group/type',
              encoding='ascii') as f:
        return f.read().strip()


def main():
    """A function of each driver, then the engines."""
    module, engine = sys.argv[1:3]
    drivers = sys.argv[3:] or DRIVERS
    print('TAP version 13')
    subprocess.run(['insmod', module], check=True)
    log = kernel_log()
    result('interrupts are remapped', 'Enabled IRQ remapping' in log)
    result('translations end when their mapping ends', re.search(
        r'DMA domain TLB invalidation policy: strict mode', log))
    for driver in drivers:
        bdfs = sorted(os.path.basename(p) for p in
                      glob.glob(f'/sys/bus/pci/drivers/{driver}/0*'))
        result(f'{driver}: there are devices', bdfs)
        if not bdfs:
            continue
        kinds = {group(b) if os.path.exists(
            f'/sys/bus/pci/devices/{b}/iommu_group') else 'none' for b in bdfs}
        result(f'{driver}: the group of each has translated DMA',
               kinds == {'DMA'}, str(kinds))
        if driver == drivers[0]:
            left_enabled(driver, bdfs[0])
        one_function(driver, bdfs[0])
    done = subprocess.run([engine], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    for line in done.stdout.splitlines():
        if not re.match(r'(not )?ok ', line):
            print(f'# {line}')
    result('xPU engines: a translation that is taken away',
           done.returncode == 0, f'status {done.returncode}')
    states = [p for p in glob.glob('/sys/class/alink/*/state')
              if open(p, encoding='ascii').read().strip() != 'ready']
    result('all devices go on', not states, ' '.join(states))
    subprocess.run(['rmmod', 'alink_iommu_probe'], check=True)
    faults = len(re.findall(r'DMAR: \[DMA', kernel_log()))
    print(f'figure faults {faults}')
    print(f'1..{NUMBER}')
    sys.exit(1 if FAILED else 0)


if __name__ == '__main__':
    main()
