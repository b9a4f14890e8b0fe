#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_faults_probe.py DRIVER STRIDE. Probe and remove of one
device of a driver, of PCI or I2C, with each STRIDE-th of their fault points.
Prints TAP."""
import contextlib
import errno
import glob
import os
import re
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))

# pylint: disable=wrong-import-position
from faultlib import FAULT, Sweeper  # noqa: E402
from guestlib import PATIENCE, knob, read, wait_for, write  # noqa: E402
from netdone import DevlinkDone, devlink_handle  # noqa: E402
from xpufile import HBM, Xpu  # noqa: E402

# Numbers that a new device gets anew
NUMBERED = re.compile(r'(?<=/)(hwmon|i2c-|accel|eth|wakeup)\d+(?=/|$)')
# How many interrupts there are, and with them queues of a NIC: where there is
# no memory for one more the kernel's core says that there are no more, and
# drivers live with what they get. Modules are probed by a worker, when it gets
# there: that is swept with their driver. And i2c-dev takes no notice of an
# adapter that it has no memory for.
VARIES = re.compile(r'/msi_irqs|/queues/|/\d+-00[0-9a-f]{2}(/|$)|/i2c-dev')
# What devlink is asked, and of the device's own files
ASKED = ('INFO_GET', 'RESOURCE_DUMP')
FILES = ('type', 'variant', 'caps', 'num_links', 'state', 'fw_version')
NODE = '/dev/swept'
PCI = '/sys/bus/pci'
CMIS = 'alink-cmis'
# How long workers get no memory, several times as long as until the next try
STARVED_S = 3


def tree(top):
    """All that is in sysfs of a device."""
    seen = set()
    for path, folders, files in os.walk(top):
        inside = path[len(top):]
        for name in folders + files:
            entry = NUMBERED.sub(r'\1N', f'{inside}/{name}')
            if not VARIES.search(entry):
                seen.add(entry)
    return seen


class Probed:
    """What can be seen of the probe and remove of a device; DRIVER: its folder."""

    def __init__(self, driver, name):
        bus = os.path.dirname(os.path.dirname(driver))
        self.top = os.path.realpath(f'{bus}/devices/{name}')
        self.base = f'{driver}/{name}'
        self.devlink = None
        if bus == PCI:
            self.devlink = DevlinkDone(name, devlink_handle(name))

    def bound(self):
        """Has it its driver?"""
        return os.path.exists(self.base)

    def works(self):
        """What an xPU's memory holds. Its node is made here: that of the
        kernel's core gets lost where its name finds no memory."""
        for path in glob.glob(f'{self.top}/accel/accel*/dev'):
            with open(path, encoding='ascii') as f:
                number = os.makedev(*map(int, f.read().split(':')))
            os.mknod(NODE, stat.S_IFCHR | 0o600, number)
            xpu = Xpu(fd=os.open(NODE, os.O_RDWR | os.O_CLOEXEC))
            os.unlink(NODE)
            try:
                return xpu.holds(xpu.bo(HBM), fill=0x5a17c0de)
            finally:
                xpu.close()
        return None

    def state(self, *_):
        """Everything of it."""
        seen = {'bound': self.bound(), 'sysfs': tree(self.top)}
        if seen['bound'] and self.devlink:
            seen['files'] = [self.devlink.read(name) for name in FILES]
            seen['devlink'] = [self.devlink.said(name) for name in ASKED]
            seen['parameters'] = self.devlink.said('PARAM_GET', dump=True)
            seen['reporters'] = self.devlink.said('HEALTH_REPORTER_GET',
                                                  dump=True)
            seen['works'] = self.works()
        return seen


def starve(on):
    """Workers of no processor, and who makes them, get no memory at all."""
    for name, value in (('task-filter', 'Y'), ('interval', '1'),
                        ('times', '-1'), ('probability', '100' if on else '0')):
        write(f'{FAULT}/failslab/{name}', value)
    for path in glob.glob('/proc/[0-9]*/comm'):
        # Some have ended meanwhile.
        with contextlib.suppress(OSError):
            if read(path).startswith(('kworker/u', 'kthreadd')):
                write(f'{os.path.dirname(path)}/make-it-fail', f'{on:d}')


def unswept(sweeper, devices):
    """What a worker does: a module that is put in while there is no memory has
    its driver once there is, and nobody does anything about it."""
    there = len(glob.glob(devices))
    knob('opt0-mod0', 'present', False)
    wait_for('no module', lambda: len(glob.glob(devices)) < there, PATIENCE)
    starve(True)
    try:
        knob('opt0-mod0', 'present', True)
        time.sleep(STARVED_S)
        early = len(glob.glob(devices)) == there
    finally:
        starve(False)
    wait_for('module', lambda: len(glob.glob(devices)) == there, PATIENCE)
    sweeper.result('a module without memory waits for it',
                   'it needed none' if early else '')


def main():
    """bind and unbind through sysfs."""
    driver, stride = sys.argv[1], int(sys.argv[2])
    sweeper = Sweeper(stride)
    devices = f'/sys/bus/*/drivers/{driver}/[0-9]*'
    wait_for(devices, lambda: glob.glob(devices), PATIENCE)
    base, device = os.path.split(min(glob.glob(devices)))
    bind = os.open(f'{base}/bind', os.O_WRONLY)
    unbind = os.open(f'{base}/unbind', os.O_WRONLY)
    name = device.encode()

    probed = Probed(base, device)
    bound = probed.bound

    def release(*_):
        if bound():
            os.write(unbind, name)

    def attach(*_):
        if not bound():
            os.write(bind, name)

    release()
    # Probe may answer as the part that failed does; what counts is that it
    # fails as a whole or works as a whole, and works when tried again. No user
    # can tell a device without sensors from one whose sensors are missing.
    sweeper.sweep(f'{driver} probe', lambda _: os.write(bind, name), None,
                  release, bound, {errno.ENODEV, errno.EINVAL, errno.EIO,
                                   errno.EAGAIN, errno.ENOSPC, errno.EEXIST,
                                   errno.EBUSY}, probed.state)
    attach()
    sweeper.result(f'{driver} binds again', '' if bound() else 'not bound')
    sweeper.stride = max(1, stride // 2)
    sweeper.sweep(f'{driver} remove', lambda _: os.write(unbind, name), None,
                  attach, bound, done=probed.state)
    attach()
    if driver == CMIS:
        unswept(sweeper, devices)
    if base.startswith(PCI):
        done = subprocess.run(['alink', 'list'], stdout=subprocess.PIPE,
                              text=True, check=False)
        line = [l for l in done.stdout.splitlines() if device in l]
        sweeper.result(f'{driver} is ready afterwards', ''
                       if line and 'ready' in line[0] else f'{line}')
    sweeper.done()


if __name__ == '__main__':
    main()
