# SPDX-License-Identifier: GPL-2.0-only
"""Links as netdevs: their carrier, their counters, frames over them."""
import contextlib
import os
import re
import socket
import time

from guestlib import read, sh, wait_for, write

# Where frames go to: one bridge, a group, everybody
UNICAST, MULTICAST, BROADCAST = '020000000001', '0180c200000e', 'ff' * 6


def carrier(netdev):
    """Whether the stack sees a carrier."""
    return read(f'/sys/class/net/{netdev}/carrier') == '1'


def numbers(*command):
    """What a command prints as lines with a name and a number."""
    return {k: int(v) for k, v in
            re.findall(r'^\s*([\w-]+): (\d+)$', sh(*command), re.M)}


def group(netdev, *groups):
    """Counters of standard groups."""
    return numbers('ethtool', '-S', netdev, '--groups', *groups)


def send(netdev, count, size=100, to=MULTICAST):
    """Frames of no known protocol, to whoever is at the other end."""
    head = bytes.fromhex(to) + bytes.fromhex(
        read(f'/sys/class/net/{netdev}/address').replace(':', '')) + \
        bytes.fromhex('88b5')
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((netdev, 0))
        for _ in range(count):
            s.send(head.ljust(size, b'\0'))


@contextlib.contextmanager
def silence(*netdevs):
    """Nobody else sends: that is what IPv6 does by itself."""
    files = [f'/proc/sys/net/ipv6/conf/{n}/disable_ipv6' for n in netdevs]
    before = {f: read(f) for f in files if os.path.exists(f)}
    for f in before:
        write(f, '1')

    def counted():
        return [group(n, 'eth-mac') for n in netdevs]

    def still():
        seen = counted()
        time.sleep(0.5)
        return seen == counted()

    try:
        wait_for('silence', still)
        yield
    finally:
        for f, value in before.items():
            if os.path.exists(f):
                write(f, value)
