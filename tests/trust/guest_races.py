#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_races.py RACE_XPU SECONDS PART. Does things at once that
a driver must keep apart; whether it did is for KCSAN to say. Prints TAP."""
import contextlib
import glob
import os
import random
import struct
import subprocess
import sys
import threading
import time

import uapi

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'nic'))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))

# pylint: disable=wrong-import-position
import fwimage  # noqa: E402
import niclib  # noqa: E402
from guestlib import read, sh, wait_for, write  # noqa: E402

ENUM = uapi.enums(uapi.ALINK_H)
DRIVERS = ('alink_xpu', 'alink_switch', 'alink_optics', 'alink_nic')
# Held by what cannot be read twice, or says nothing of ours.
UNREAD = ('resource', 'rom', 'config', 'vpd', 'remove', 'rescan', 'reset')


class Races:
    """The parts; what each of them got done goes to the report."""

    def __init__(self, program, seconds):
        self.program, self.seconds = program, seconds
        self.number = self.failed = 0
        self.stop = threading.Event()

    def result(self, what, bad=''):
        """One result."""
        self.number += 1
        self.failed += bool(bad)
        print(f'{"not ok" if bad else "ok"} {self.number} - {what}'
              + (f' # {bad}' if bad else ''), flush=True)

    # --- what is done at once ------------------------------------------------

    def load(self, *roles):
        """race_xpu, which prints its own figures."""
        return subprocess.Popen([self.program, str(self.seconds), *roles],
                                stdin=subprocess.DEVNULL)

    def again(self, name, op, pause=0.0):
        """A thread that does OP until all end; counts what worked."""
        def body():
            done = 0
            while not self.stop.is_set():
                try:
                    op()
                    done += 1
                except (OSError, subprocess.SubprocessError, AssertionError):
                    pass
                self.stop.wait(pause)
            print(f'figure ops_{name} {done}', flush=True)
            if not done:
                self.result(f'{name} got something done', 'nothing')
        thread = threading.Thread(target=body)
        thread.start()
        return thread

    def at_once(self, what, roles, *others):
        """Load with ROLES and the OTHERS (name, op, pause) for a while."""
        self.stop.clear()
        load = self.load(*roles) if roles else None
        threads = [self.again(*o) for o in others]
        if load:
            status = load.wait(self.seconds + 60)
        else:
            time.sleep(self.seconds)
            status = 0
        self.stop.set()
        for thread in threads:
            thread.join(60)
        self.result(f'{what}: all ran', f'status {status}' if status else
                    [t.name for t in threads if t.is_alive()])
        self.all_ready(what)

    def all_ready(self, what):
        """Every function has its driver and its device is ready."""
        for driver, bdf in FUNCTIONS:
            with contextlib.suppress(OSError):
                write(f'/sys/bus/pci/drivers/{driver}/bind', bdf)

        def states():
            return [(read(f'{p}/type'), read(f'{p}/state'))
                    for p in glob.glob('/sys/class/alink/*')]
        try:
            wait_for('all to be ready', lambda: len(states()) ==
                     len(FUNCTIONS) and all(s == 'ready'
                                            for _, s in states()), 30)
            bad = ''
        except AssertionError:
            bad = states()
        self.result(f'{what}: all are ready afterwards', bad)

    @staticmethod
    def reset(driver):
        """A function-level reset of a device of the driver."""
        _, bdf = random.choice([f for f in FUNCTIONS if f[0] == driver])
        write(f'/sys/bus/pci/devices/{bdf}/reset', '1')

    @staticmethod
    def rebind(drivers=DRIVERS):
        """unbind and bind of a device."""
        driver, bdf = random.choice([f for f in FUNCTIONS if f[0] in drivers])
        base = f'/sys/bus/pci/drivers/{driver}'
        if os.path.exists(f'{base}/{bdf}'):
            write(f'{base}/unbind', bdf)
        write(f'{base}/bind', bdf)

    @staticmethod
    def attributes():
        """Reads all that a device shows in sysfs and debugfs."""
        _, bdf = random.choice(FUNCTIONS)
        tops = [f'/sys/bus/pci/devices/{bdf}',
                *glob.glob('/sys/kernel/debug/alink*'),
                *glob.glob('/sys/kernel/debug/accel/*')]
        for top in tops:
            for folder, _, names in os.walk(top):
                for name in names:
                    if name.startswith(UNREAD):
                        continue
                    with contextlib.suppress(OSError):
                        fd = os.open(os.path.join(folder, name),
                                     os.O_RDONLY | os.O_NONBLOCK)
                        try:
                            os.read(fd, 4096)
                        finally:
                            os.close(fd)

    @staticmethod
    def dumps():
        """All dumps of the netlink family, devlink and the netdevs."""
        sock = uapi.Genl('alink')
        for name, kinds in uapi.operations().items():
            if 'dump' in kinds:
                sock.call(ENUM['ALINK_CMD_' +
                               name.upper().replace('-', '_')], dump=True)
        sock.close()
        for tool in (['devlink', 'dev', 'info'], ['devlink', 'port'],
                     ['ip', '-s', 'link']):
            sh(*tool)

    @staticmethod
    def routes():
        """Routes, groups and partitions go and come."""
        sock = uapi.Genl('alink')
        index = {read(f'{p}/name') if os.path.exists(f'{p}/name') else
                 os.path.basename(p): int(read(f'{p}/index'))
                 for p in glob.glob('/sys/class/alink/*')
                 if read(f'{p}/type') == 'xpu'}
        dev = random.choice(list(index.values()))
        route = uapi.attr(ENUM['ALINK_A_ROUTE_DEV_INDEX'], dev) + uapi.attr(
            ENUM['ALINK_A_ROUTE_DST'], 1)
        add = route + uapi.attr(ENUM['ALINK_A_ROUTE_PORTS'],
                                struct.pack('=II', 0, 1))
        group = uapi.attr(ENUM['ALINK_A_GROUP_ID'], 9)
        member = group + uapi.attr(
            ENUM['ALINK_A_GROUP_KEY'], struct.pack('=Q', 77)) + uapi.attr(
            ENUM['ALINK_A_GROUP_MEMBERS'], struct.pack('=II', 0, 1))
        # Both are there most of the time: somebody uses them.
        for command, body in (('GROUP_DEL', group), ('ROUTE_DEL', route),
                              ('ROUTE_ADD', add), ('GROUP_ADD', member)):
            with contextlib.suppress(OSError):
                sock.call(ENUM[f'ALINK_CMD_{command}'], body)
        sock.close()

    @staticmethod
    def flash():
        """Firmware of any device is written."""
        driver, bdf = random.choice([f for f in FUNCTIONS
                                     if f[0] != 'alink_optics'])
        sh('devlink', 'dev', 'flash', f'pci/{bdf}', 'file',
           f'{driver.removeprefix("alink_")}.img')

    @staticmethod
    def activate():
        """... and started."""
        _, bdf = random.choice([f for f in FUNCTIONS
                                if f[0] != 'alink_optics'])
        sh('devlink', 'dev', 'reload', f'pci/{bdf}', 'action', 'fw_activate')

    # --- the parts -----------------------------------------------------------

    def submit(self):
        """Submission, and fences that follow it, against reset"""
        self.at_once('submit against reset',
                     ['submit', 'compute', 'fence', 'churn', 'lend', 'query'],
                     ('reset_xpu', lambda: self.reset('alink_xpu'), 0.3))

    def evict(self):
        """Memory that moves against reset, unbind, and calls on it"""
        self.at_once('eviction against calls', ['crowd', 'crowd', 'memory',
                                                'prime', 'query'],
                     ('attributes', self.attributes))
        self.at_once('eviction against reset and unbind', ['crowd', 'crowd'],
                     ('reset_xpu', lambda: self.reset('alink_xpu'), 0.5),
                     ('rebind_xpu', lambda: self.rebind(('alink_xpu',)), 1.0))

    def close(self):
        """Closing against interrupts, and calls on one file"""
        self.at_once('close against interrupt',
                     ['churn', 'churn', 'fence', 'query'])
        self.at_once('calls on one file',
                     ['memory', 'memory', 'queues', 'queues', 'sync'])

    def sysfs(self):
        """Reading all attributes and dumping against unbind"""
        self.at_once('sysfs against unbind', ['query', 'churn'],
                     ('attributes', self.attributes), ('dumps', self.dumps),
                     ('rebind', self.rebind, 0.1))

    def routes_change(self):
        """Changes of the fabric against traffic"""
        sh('alink', 'fabric', 'up')
        # Memory gets into it only while it is there.
        sh('alink', 'group', 'add', '9', '0,1', 'key', '77', check=False)
        self.at_once('route change against traffic',
                     ['remote', 'prime', 'group'],
                     ('routes', self.routes, 0.05), ('dumps', self.dumps))
        sh('alink', 'fabric', 'up')

    def nic(self):
        """Traffic against all that is done to a netdev"""
        with niclib.connected() as (a, b):
            def knobs():
                a.sh('ethtool', '-G', a.dev, 'rx',
                     str(random.choice((128, 256, 512))))
                b.sh('ip', 'link', 'set', b.dev, 'down')
                b.sh('ip', 'link', 'set', b.dev, 'up')
                a.mtu(random.choice((1400, 1500)))

            def looks():
                for end in a, b:
                    end.stats()
                    end.link()
                    end.sh('ethtool', '-g', end.dev)
            with niclib.load(a, b, seconds=self.seconds + 30, streams=2):
                self.at_once('netdev changes against traffic', [],
                             ('nic_knobs', knobs, 0.2), ('nic_looks', looks),
                             ('reset_nic', lambda: self.reset('alink_nic'),
                              1.0))

    def firmware(self):
        """Flash against activation, resets, and unbind"""
        fwimage.offer()
        self.at_once('flash against reset and unbind', ['query', 'churn'],
                     ('flash', self.flash), ('flash_too', self.flash),
                     ('activate', self.activate, 1.0),
                     ('reset_switch', lambda: self.reset('alink_switch'), 1.0),
                     ('dumps', self.dumps), ('rebind', self.rebind, 1.0))

    def optics(self):
        """Reading modules against reset and unbind"""
        def modules():
            for port in glob.glob('/sys/class/net/*'):
                name = os.path.basename(port)
                if name.startswith(('sw', 'xpu')):
                    sh('ethtool', '-m', name, check=False)
        self.at_once('modules against reset and unbind', [],
                     ('modules', modules), ('attributes', self.attributes),
                     ('reset_optics', lambda: self.reset('alink_optics'), 0.5),
                     ('rebind_optics', lambda: self.rebind(('alink_optics',)),
                      0.5))


def functions():
    """(driver, PCI address) of each of our devices."""
    return [(d, os.path.basename(p)) for d in DRIVERS
            for p in sorted(glob.glob(f'/sys/bus/pci/drivers/{d}/0*'))]


FUNCTIONS = functions()


def main():
    """One part."""
    program, seconds, part = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    random.seed(1)
    print('TAP version 13')
    races = Races(program, seconds)
    getattr(races, part)()
    print(f'1..{races.number}', flush=True)
    return 1 if races.failed or not races.number else 0


if __name__ == '__main__':
    sys.exit(main())
