# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of the switch share: its ports, and whether it works."""
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import read, sh, wait_for  # noqa: E402
from portlib import carrier  # noqa: E402


def function(name):
    """PCI address of a device."""
    return os.path.basename(os.path.realpath(f'/sys/class/alink/{name}/device'))


def ports(name):
    """Netdevs of a switch."""
    return sorted(os.path.basename(p) for p in
                  glob.glob(f'/sys/bus/pci/devices/{function(name)}/net/*'))


def works(name):
    """The switch answers, and its ports have a carrier."""
    for netdev in ports(name):
        sh('ip', 'link', 'set', netdev, 'up')
        wait_for(f'{netdev}: carrier', lambda n=netdev: carrier(n))
    assert read(f'/sys/class/alink/{name}/state') == 'ready'
