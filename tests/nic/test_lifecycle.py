#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Changes, resets and losses of a NIC while traffic runs; what is refused."""
import ctypes
import os
import re
import socket
import struct
import time

from niclib import DRIVER, apart, fails, iperf, knob, load, main, netdev, \
    pair, qmp, read, sh, wait_for, write
from ethnl import Ethnl  # after niclib, which knows where it is


def test_udp():
    """UDP arrives."""
    with pair() as (a, b):
        before = b.link()['stats64']['rx']['packets']
        with load(a, b, udp=True):
            wait_for('500 packets', lambda: b.link()['stats64']['rx']
                     ['packets'] - before > 500, 50)


def backlog(end):
    """Bytes that each transmit queue has sent, as its qdisc counts them."""
    out = end.sh('tc', '-s', 'qdisc', 'show', 'dev', end.dev)
    return [int(n) for n in re.findall(r'parent :\d+ .*?\n Sent (\d+) bytes',
                                       out)]


def test_queues_are_used():
    """Streams spread over queues."""
    with pair() as (a, b):
        with load(a, b, seconds=120, streams=16):
            # Not all have begun soon.
            wait_for('two queues with traffic', lambda: len(
                [n for n in backlog(a) if n > 10000]) >= 2, 100)


def test_rings_and_channels_under_load():
    """Ring sizes and channels change while traffic runs."""
    with pair() as (a, b):
        with load(a, b, streams=2) as traffic:
            for rx, tx in ((256, 256), (4096, 64), (1024, 1024)):
                a.sh('ethtool', '-G', a.dev, 'rx', str(rx), 'tx', str(tx))
                b.sh('ethtool', '-G', b.dev, 'rx', str(rx), 'tx', str(tx))
                time.sleep(0.3)
            for channels in (1, 2):
                b.sh('ethtool', '-L', b.dev, 'combined', str(channels))
                time.sleep(0.3)
            assert traffic.running()
        a.ping_works(b)
        assert '1024' in a.sh('ethtool', '-g', a.dev)


def xdp(end, action):
    """Attaches a program that does this with each packet; None: detaches."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = -1
    if action is not None:
        # r0 = action; exit
        insns = ctypes.create_string_buffer(struct.pack(
            '<BBhiBBhi', 0xb7, 0, 0, action, 0x95, 0, 0, 0))
        text = ctypes.create_string_buffer(b'GPL')
        attr = struct.pack('<IIQQ', 6, 2, ctypes.addressof(insns),
                           ctypes.addressof(text)).ljust(128, b'\0')
        fd = libc.syscall(321, 5, attr, len(attr))
        assert fd >= 0, ctypes.get_errno()
    with end.inside(), \
            socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        nest = struct.pack('<HHiHHI', 8, 1, fd, 8, 3, 4)
        body = struct.pack('<BBHiII', 0, 0, 0, socket.if_nametoindex(end.dev),
                           0, 0) + struct.pack('<HH', 20, 0x8000 | 43) + nest
        s.send(struct.pack('<IHHII', 16 + len(body), 19, 5, 1, 0) + body)
        assert struct.unpack_from('<i', s.recv(4096), 16)[0] == 0, action
    if fd >= 0:
        os.close(fd)


def test_xdp_under_load():
    """Programs come and go while traffic runs; one that drops drops all."""
    xdp_drop, xdp_pass = 1, 2
    with pair() as (a, b):
        with load(a, b, streams=2) as traffic:
            for _ in range(10):
                xdp(b, xdp_pass)
                time.sleep(0.1)
                xdp(b, None)
            assert traffic.running()
        xdp(b, xdp_pass)
        a.ping_works(b)
        xdp(b, xdp_drop)
        assert ' 0 received' in a.sh('ping', '-q', '-c', '2', '-W', '1', b.addr,
                                     check=False)
        xdp(b, None)
        a.ping_works(b)
        b.fails('ip', 'link', 'set', b.dev, 'mtu', '67')


def test_bad_settings():
    """Each is refused and changes nothing."""
    with pair() as (a, b):
        def shown():
            return [a.sh('ethtool', option, a.dev) for option in
                    ('-g', '-l', '-c')]
        before = shown()
        a.fails('ethtool', '-G', a.dev, 'rx', '100000')
        # ALINK_NIC_MAX_USECS and U16_MAX, and one more
        for name, most in (('usecs', 10000), ('frames', 65535)):
            a.fails('ethtool', '-C', a.dev, f'rx-{name}', f'{most + 1}')
            a.fails('ethtool', '-C', a.dev, f'tx-{name}', f'{most + 1}')
        a.fails('ethtool', '-L', a.dev, 'combined', '0')
        a.fails('ethtool', '-L', a.dev, 'combined', '64')
        a.fails('ip', 'link', 'set', a.dev, 'mtu', '9217')
        a.fails('ip', 'link', 'set', a.dev, 'address', '01:00:00:00:00:01')
        a.fails('ethtool', '-s', a.dev, 'speed', '10', 'autoneg', 'off')
        assert before == shown()
        a.ping(b)


def test_down_and_up_under_load():
    """The netdev goes down and up again, ten times."""
    with pair() as (a, b):
        with load(a, b):
            for _ in range(10):
                a.sh('ip', 'link', 'set', a.dev, 'down')
                a.sh('ip', 'link', 'set', a.dev, 'up')
                time.sleep(0.1)
        a.configure()
        a.ping_works(b)


def test_link_flaps_under_load():
    """The link goes down a hundred times: each is counted once, by the device
    and by the stack, and the same traffic goes on."""
    flaps = 100
    with pair() as (a, b):
        with a.inside():
            ethnl = Ethnl()

        def changes():
            return a.link()['stats64']['tx']['carrier_changes']

        downs, changed = ethnl.downs(a.dev), changes()
        with load(a, b, seconds=280) as traffic:
            for _ in range(flaps):
                qmp('set_link', name='nic0', up=False)
                wait_for('no carrier', lambda: not ethnl.carrier(a.dev))
                qmp('set_link', name='nic0', up=True)
                wait_for('carrier', lambda: ethnl.carrier(a.dev))
            assert ethnl.downs(a.dev) == downs + flaps, ethnl.downs(a.dev)
            assert changes() == changed + 2 * flaps, (changed, changes())
            before = b.link()['stats64']['rx']['packets']
            wait_for('100 packets', lambda: b.link()['stats64']['rx']
                     ['packets'] - before > 100)
            assert traffic.running()
        a.ping_works(b)
        rate, _ = iperf(a, b)
        assert rate > 0, rate


def test_reset_under_load():
    """A function-level reset: traffic goes on afterwards, settings stay."""
    with pair() as (a, b):
        a.sh('ethtool', '-G', a.dev, 'rx', '256')
        with load(a, b, reverse=True):
            for _ in range(3):
                write(f'/sys/bus/pci/devices/{a.function}/reset', '1')
                time.sleep(0.5)
        a.ping_works(b)
        assert '256' in a.sh('ethtool', '-g', a.dev)
        assert read('/sys/class/alink/nic0/state') == 'ready'


def test_unbind_under_load():
    """The driver goes while packets are in flight, and comes back."""
    with pair() as (a, b):
        with load(a, b):
            write(f'{DRIVER}/unbind', a.function)
        write(f'{DRIVER}/bind', a.function)
        a.up()
        a.ping_works(b)


def test_surprise_removal():
    """All ones: no hang, the netdev detaches; unbind and bind bring it back."""
    with pair() as (a, b):
        with load(a, b):
            knob('nic0', 'x-dead', True)
            wait_for('lost', lambda: read('/sys/class/alink/nic0/state') ==
                     'lost')
            a.fails('ethtool', '-t', a.dev)
        write(f'{DRIVER}/unbind', a.function)
        knob('nic0', 'x-dead', False)
        write(f'{DRIVER}/bind', a.function)
        a.up()
        a.ping_works(b)


def test_module_cycles():
    """Loaded and unloaded 20 times with its netdevs up."""
    apart()
    for _ in range(20):
        sh('rmmod', 'alink_nic')
        sh('modprobe', 'alink_nic')
        functions = sorted(os.listdir('/sys/class/alink'))
        assert 'nic0' in functions and 'nic1' in functions, functions
    devs = sorted(f for f in os.listdir(DRIVER) if f.startswith('0000'))
    assert len(devs) == 2
    for function in devs:
        sh('ip', 'link', 'set', netdev(function), 'up')
    fails('rmmod', 'alink', says='in use')


if __name__ == '__main__':
    main(test_udp, test_queues_are_used, test_rings_and_channels_under_load,
         test_xdp_under_load, test_bad_settings, test_down_and_up_under_load,
         test_link_flaps_under_load, test_reset_under_load,
         test_unbind_under_load, test_surprise_removal, test_module_cycles)
