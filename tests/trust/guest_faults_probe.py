#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_faults_probe.py DRIVER STRIDE. Probe and remove of one
device of a driver with each STRIDE-th of their fault points. Prints TAP."""
import errno
import glob
import os
import re
import stat
import subprocess
import sys

from faultlib import Sweeper
from netdone import DevlinkDone, devlink_handle
from xpufile import HBM, Xpu

# Numbers that a new device gets anew
NUMBERED = re.compile(r'(?<=/)(hwmon|i2c-|accel|eth|wakeup)\d+(?=/|$)')
# How many interrupts there are, and with them queues of a NIC: where there is
# no memory for one more the kernel's core says that there are no more, and
# drivers live with what they get. Modules are probed by a worker, when it gets
# there. And i2c-dev takes no notice of an adapter that it has no memory for.
VARIES = re.compile(r'/msi_irqs|/queues/|/\d+-00[0-9a-f]{2}(/|$)|/i2c-dev')
# What devlink is asked, and of the device's own files
ASKED = ('INFO_GET', 'RESOURCE_DUMP')
FILES = ('type', 'variant', 'caps', 'num_links', 'state', 'fw_version')
NODE = '/dev/swept'


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
    """What can be seen of a device's probe and remove."""

    def __init__(self, driver, bdf):
        self.top = os.path.realpath(f'/sys/bus/pci/devices/{bdf}')
        self.base = f'/sys/bus/pci/drivers/{driver}/{bdf}'
        self.devlink = DevlinkDone(bdf, devlink_handle(bdf))

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
        if seen['bound']:
            seen['files'] = [self.devlink.read(name) for name in FILES]
            seen['devlink'] = [self.devlink.said(name) for name in ASKED]
            seen['parameters'] = self.devlink.said('PARAM_GET', dump=True)
            seen['reporters'] = self.devlink.said('HEALTH_REPORTER_GET',
                                                  dump=True)
            seen['works'] = self.works()
        return seen


def main():
    """bind and unbind through sysfs."""
    driver, stride = sys.argv[1], int(sys.argv[2])
    sweeper = Sweeper(stride)
    base = f'/sys/bus/pci/drivers/{driver}'
    bdf = os.path.basename(sorted(glob.glob(f'{base}/0*'))[0])
    bind = os.open(f'{base}/bind', os.O_WRONLY)
    unbind = os.open(f'{base}/unbind', os.O_WRONLY)
    name = bdf.encode()

    probed = Probed(driver, bdf)
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
    done = subprocess.run(['alink', 'list'], stdout=subprocess.PIPE, text=True,
                          check=False)
    line = [l for l in done.stdout.splitlines() if bdf in l]
    sweeper.result(f'{driver} is ready afterwards', ''
                   if line and 'ready' in line[0] else f'{line}')
    sweeper.done()


if __name__ == '__main__':
    main()
