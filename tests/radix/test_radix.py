#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A switch with 512 populated ports, and each other variant of the table. KTAP.
"""
import json
import os
import re
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import main, qmp, read, sh, wait_for  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PORTS = 512
NAMES = {f'sw0p{n}' for n in range(PORTS)}
# Of a port, with its netdev and all that it shows: more is a mistake
MOST_KIB = 64


def shown(name='sw0'):
    """What devlink shows of a device's ports."""
    pci = os.path.basename(os.path.realpath(f'/sys/class/alink/{name}/device'))
    all_ports = json.loads(sh('devlink', '-j', 'port', 'show'))['port']
    return [v for k, v in all_ports.items() if k.startswith(f'pci/{pci}/')]


def links():
    """All netdevs of the switch, with their statistics."""
    return {d['ifname']: d for d in json.loads(sh('ip', '-s', '-j', 'link'))
            if d['ifname'] in NAMES}


def test_ports():
    """Each port has a netdev, which everybody finds by the same name."""
    assert read('/sys/class/alink/sw0/state') == 'ready'
    assert {p.get('netdev') for p in shown()} == NAMES
    assert links().keys() == NAMES
    sh('sh', '-c', 'for i in $(seq 0 511); do echo link set sw0p$i up; done | '
       'ip -batch -')
    wait_for('carriers', lambda: all(
        d['operstate'] == 'UP' for d in links().values()))


def test_statistics():
    """ethtool tells of a port its own counters. That each has some is shown by
    "ip -s link" at once; 512 times ethtool would take a minute."""
    for number in (*range(0, PORTS, 31), PORTS - 1):
        name = f'sw0p{number}'
        out = sh('ethtool', '-S', name)
        assert re.search(r'link_down_events: \d+', out), (name, out)
    assert 'Speed: 200000Mb/s' in sh('ethtool', f'sw0p{PORTS - 1}')
    assert all('rx' in d['stats64'] for d in links().values())


def ask_for_lo(stop, out):
    """Asks for a netdev by rtnetlink again and again: how long it took, ms."""
    # struct nlmsghdr, struct ifinfomsg: RTM_GETLINK of index 1
    ask = struct.pack('=IHHII', 32, 18, 1, 1, 0) + \
        struct.pack('=BBHiII', 0, 0, 0, 1, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        while not stop.is_set():
            start = time.monotonic()
            s.send(ask)
            s.recv(65536)
            out.append((time.monotonic() - start) * 1000)
            time.sleep(0.001)


def test_reload():
    """All ports go and come; what that takes is told, and not judged."""
    waits, stop = [], threading.Event()
    thread = threading.Thread(target=ask_for_lo, args=(stop, waits))
    thread.start()
    try:
        start = time.monotonic()
        sh('modprobe', '-r', 'alink_switch')
        gone = time.monotonic()
        assert not links()
        free = memory()
        loading = time.monotonic()
        sh('modprobe', 'alink_switch')
        wait_for('the switch', lambda: os.path.exists('/sys/class/alink/sw0'))
        there = time.monotonic()
    finally:
        stop.set()
        thread.join()
    wait_for('netdevs', lambda: links().keys() == NAMES)
    each = (free - memory()) / PORTS
    print(f'# unload {gone - start:.2f} s, probe {there - loading:.2f} s, '
          f'an answer of rtnetlink {max(waits):.0f} ms at most, a port '
          f'{each:.1f} KiB')
    assert len(waits) > 10, waits
    assert each < MOST_KIB, each


def memory():
    """What can be had, KiB"""
    with open('/proc/meminfo', encoding='ascii') as f:
        return int(re.search(r'MemAvailable:\s+(\d+)', f.read())[1])


def variants():
    """{name: radix} of the table, but for the one that is there."""
    with open(os.path.join(ROOT, 'include', 'hw', 'alink', 'switch_table.h'),
              encoding='utf-8') as f:
        found = re.findall(r'\{ ALINK_\w+, "([^"]+)".*\n\s*\d+, \d+, (\d+),',
                           f.read())
    assert len(found) > 10, found
    return {n: int(r) for n, r in found if n != 'upn102-512'}


def test_variants():
    """Each row of the table is a device that the driver takes."""
    for name, radix in variants().items():
        qmp('device_del', id='sw0')
        wait_for('unplugged', lambda: not os.path.exists(
            '/sys/class/alink/sw0'))

        def add(variant=name):
            try:
                qmp('device_add', id='sw0', driver='alink-switch',
                    bus='rp-sw0', fabric='fab0', plane=0, variant=variant)
            except AssertionError:
                # QEMU has not yet let go of the one before.
                return False
            return True
        wait_for(f'{name}: plugged', add)
        wait_for(f'{name}: its driver', lambda: os.path.exists(
            '/sys/class/alink/sw0'))
        assert read('/sys/class/alink/sw0/state') == 'ready', name
        ports = shown()
        assert len(ports) == radix, (name, len(ports))
        there = {p['netdev'] for p in ports if 'netdev' in p}
        assert len(there) == min(radix, PORTS), (name, len(there))


main(test_ports, test_statistics, test_reload, test_variants)
