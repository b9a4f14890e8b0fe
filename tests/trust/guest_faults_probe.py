#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_faults_probe.py DRIVER STRIDE. Probe and remove of one
device of a driver with each STRIDE-th of their fault points. Prints TAP."""
import errno
import glob
import os
import subprocess
import sys

from faultlib import Sweeper


def main():
    """bind and unbind through sysfs."""
    driver, stride = sys.argv[1], int(sys.argv[2])
    sweeper = Sweeper(stride)
    base = f'/sys/bus/pci/drivers/{driver}'
    bdf = os.path.basename(sorted(glob.glob(f'{base}/0*'))[0])
    bind = os.open(f'{base}/bind', os.O_WRONLY)
    unbind = os.open(f'{base}/unbind', os.O_WRONLY)
    name = bdf.encode()

    def bound():
        return os.path.exists(f'{base}/{bdf}')

    def release(*_):
        if bound():
            os.write(unbind, name)

    def attach(*_):
        if not bound():
            os.write(bind, name)

    release()
    # Probe may answer as the part that failed does; what counts is that it
    # fails as a whole or works as a whole, and works when tried again.
    sweeper.sweep(f'{driver} probe', lambda _: os.write(bind, name), None,
                  release, bound, {errno.ENODEV, errno.EINVAL, errno.EIO,
                                   errno.EAGAIN, errno.ENOSPC, errno.EEXIST,
                                   errno.EBUSY})
    attach()
    sweeper.result(f'{driver} binds again', '' if bound() else 'not bound')
    sweeper.stride = max(1, stride // 2)
    sweeper.sweep(f'{driver} remove', lambda _: os.write(unbind, name), None,
                  attach, bound)
    attach()
    done = subprocess.run(['alink', 'list'], stdout=subprocess.PIPE, text=True,
                          check=False)
    line = [l for l in done.stdout.splitlines() if bdf in l]
    sweeper.result(f'{driver} is ready afterwards', ''
                   if line and 'ready' in line[0] else f'{line}')
    sweeper.done()


if __name__ == '__main__':
    main()
