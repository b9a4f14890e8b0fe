#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: fault sweeps of the netlink family, of devlink, and of network
devices. Prints TAP. The operations are those of the spec and of the drivers'
devlink_ops."""
import ctypes
import errno
import fcntl
import glob
import os
import re
import socket
import struct
import subprocess
import sys
import time

import uapi
from faultlib import Sweeper
from netdone import (DEVLINK, ENUM, SIOCETHTOOL, DevlinkDone, Netdev, answer,
                     devlink_handle)
from xpufile import HBM, READ, Xpu

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))

# pylint: disable-next=wrong-import-position
import fwimage  # noqa: E402

KEY = 0x0102030405060708
SIOCSIFFLAGS, SIOCSIFMTU = 0x8914, 0x8922
ETHTOOL_SRINGPARAM = 0x11
IFF_UP = 1
# Of a manager; longer than it takes to look whether it has beaten
BEAT_MS = 2000
# The partition where "alink fabric up" puts every endpoint.
FABRIC_UP = 1
# What the drivers may implement, and what is swept for it.
DEVLINK_SWEPT = {'info_get', 'flash_update', 'reload_actions', 'reload_down',
                 'reload_up'}
# The same of their health reporters
HEALTH_SWEPT = {'name', 'diagnose', 'dump'}
# devlink has a reporter recover that has reported something, and only then; a
# test is such a report, from a worker. What they do is swept nevertheless:
# queues are made anew as for "rings", and a device is reset as for RELOAD. "ecc"
# only tries again what a failure had left undone, and keeps saying so; "link" and
# "manager" write a register, or a flag.
HEALTH_ELSEWHERE = {'recover', 'test'}
# Of netlink's types of attributes: how devlink names a boolean parameter's
NLA_U8, NLA_FLAG = 1, 6


def failed(got):
    """Did the operation fail?"""
    return isinstance(got, OSError)


def a32(name, value):
    """A 32-bit attribute."""
    return uapi.attr(ENUM[f'ALINK_A_{name}'], value)


def attr(name, data):
    """Any other."""
    return uapi.attr(ENUM[f'ALINK_A_{name}'], data)


class Netlink:
    """The operations of a spec."""

    def __init__(self, sweeper):
        self.sweeper = sweeper
        self.control = uapi.Genl('alink')
        self.switch = self.index('switch')
        self.xpu = self.index('xpu')
        self.owner = self.shared = self.memory = None

    def index(self, kind):
        """Index of the first device of a kind."""
        for path in sorted(glob.glob('/sys/class/alink/*')):
            with open(f'{path}/type', encoding='ascii') as f:
                if f.read().strip() == kind:
                    with open(f'{path}/index', encoding='ascii') as g:
                        return int(g.read())
        raise FileNotFoundError(kind)

    def ask(self, command, body=b''):
        """A command that must work."""
        return self.control.call(ENUM[f'ALINK_CMD_{command}'], body)

    def dump(self, command):
        """A dump, to compare."""
        return [m[20:] for m in self.control.call(
            ENUM[f'ALINK_CMD_{command}'], dump=True)]

    def tables(self):
        """All that the family can change."""
        groups = [{k: v for k, v in uapi.attrs(m).items()
                   if k <= ENUM['ALINK_A_GROUP_MEMBERS']}
                  for m in self.dump('GROUP_GET')]
        return (self.dump('ROUTE_GET'), str(groups),
                self.dump('PARTITION_GET'), self.dump('SEGMENT_GET'))

    def sweep(self, name, body, back=None, dump=False, what=''):
        """One operation; BACK() takes it back, if it is there."""
        command = ENUM['ALINK_CMD_' + name.upper().replace('-', '_')]

        def prepare():
            sock = uapi.Genl('alink')
            return sock, sock.message(command, body, dump)

        def undo(arg, got):
            arg[0].close()
            if back:
                back(got)

        self.sweeper.sweep(
            f'netlink {name}{what}', lambda arg: arg[0].talk(arg[1]), prepare,
            undo, self.tables if back else None,
            done=(lambda arg, got: self.tables()) if back else
            (lambda arg, got: answer(got)))

    def gone(self, command, body):
        """BACK() of an addition: what an answer that got lost has left."""
        def back(_):
            try:
                self.ask(command, body)
            except OSError as err:
                if err.errno != errno.ENOENT:
                    raise
        return back

    def shows(self, name):
        """do and dump."""
        kinds = uapi.operations()[name]
        body = {'manager-get': b'',
                'dev-get': a32('DEV_INDEX', self.xpu),
                'link-get': a32('LINK_DEV_INDEX', self.xpu) +
                a32('LINK_LINK', 0)}
        if 'do' in kinds:
            self.sweep(name, body[name])
        if 'dump' in kinds:
            self.sweep(name, b'', dump=True, what=' dump')

    def share(self, _=None):
        """The one segment that there is, whatever has become of the last."""
        if not self.owner:
            self.owner = Xpu(os.listdir(
                '/sys/class/alink/xpu0/device/accel')[0].removeprefix('accel'))
            self.memory = self.owner.bo(HBM)
        if self.shared:
            self.owner.call('SEGMENT_REVOKE', export_id=self.shared.export_id)
        self.shared = self.owner.call('SEGMENT_EXPORT', rights=READ,
                                      handle=self.memory)

    def managed(self):
        """Who manages the fabric, without what changes by itself"""
        told = uapi.attrs(self.ask('MANAGER_GET')[0][20:])
        return {k: told.get(ENUM[f'ALINK_A_MANAGER_{k}'])
                for k in ('NAME', 'STATE', 'BEAT_MS')}

    def manages(self, name):
        """One of a manager's: its socket claims, and frees when it closes."""
        claim = attr('MANAGER_NAME', 'sweep') + a32('MANAGER_BEAT_MS', BEAT_MS)
        command = ENUM['ALINK_CMD_' + name.upper().replace('-', '_')]

        def prepare():
            sock = uapi.Genl('alink')
            if name == 'manager-claim':
                return sock, sock.message(command, claim)
            sock.call(ENUM['ALINK_CMD_MANAGER_CLAIM'], claim)
            # A beat is seen where there was none for too long.
            if name == 'manager-beat':
                time.sleep(1.5 * BEAT_MS / 1000)
            return sock, sock.message(command)

        self.sweeper.sweep(
            f'netlink {name}', lambda arg: arg[0].talk(arg[1]), prepare,
            lambda arg, got: arg[0].close(),
            done=lambda arg, got: self.managed())

    def changes(self, name):
        """One of the commands that change a table."""
        route = a32('ROUTE_DEV_INDEX', self.xpu) + a32('ROUTE_DST', 1)
        add = route + attr('ROUTE_PORTS', struct.pack('=II', 0, 1))
        group = a32('GROUP_ID', 9)
        group_add = group + attr('GROUP_KEY', struct.pack('=Q', KEY)) + attr(
            'GROUP_MEMBERS', struct.pack('=II', 0, 1))
        part = a32('PARTITION_ENDPOINT', 0)
        if name == 'route-add':
            self.gone('ROUTE_DEL', route)(None)
            self.sweep(name, add, self.gone('ROUTE_DEL', route))
            self.sweep(name, route + attr('ROUTE_PORTS', struct.pack('=I', 0)) +
                       attr('ROUTE_SPARES', struct.pack('=I', 1)),
                       self.gone('ROUTE_DEL', route), what=' with spares')
        elif name == 'route-del':
            self.ask('ROUTE_ADD', add)
            self.sweep(name, route, lambda _: self.ask('ROUTE_ADD', add))
        elif name == 'group-add':
            self.sweep(name, group_add, self.gone('GROUP_DEL', group))
        elif name == 'group-del':
            self.ask('GROUP_ADD', group_add)

            def back(_):
                self.gone('GROUP_DEL', group)(None)
                self.ask('GROUP_ADD', group_add)

            self.sweep(name, group, back)
            self.ask('GROUP_DEL', group)
        elif name == 'partition-set':
            self.sweep(name, part + a32('PARTITION_PARTITION', 3),
                       lambda _: self.ask('PARTITION_SET', part + a32(
                           'PARTITION_PARTITION', FABRIC_UP)))
        elif name.startswith('manager-'):
            self.manages(name)
        elif name == 'segment-revoke':
            self.sweep(name, a32('SEGMENT_DEV_INDEX', self.xpu) + a32(
                'SEGMENT_ID', self.shared.segment.segment), self.share)
        else:
            self.sweeper.result(f'netlink {name} swept',
                                'no sweep is written for it')

    def run(self, wanted=()):
        """Every operation of the spec, or those wanted."""
        self.share()
        for name, kinds in uapi.operations().items():
            if wanted and name not in wanted:
                continue
            if 'admin' in kinds:
                self.changes(name)
            else:
                self.shows(name)
        self.owner.close()


def structures(name, folder='*'):
    """The bodies of all structures of that name in the sources of a driver."""
    for path in sorted(glob.glob(f'{uapi.ROOT}/drivers/{folder}/*.c')):
        with open(path, encoding='utf-8') as f:
            yield from re.findall(rf'struct {name} \w+ = \{{(.*?)\}};',
                                  f.read(), re.S)


def kind_of(driver):
    """The kind of device that a driver is for."""
    return driver.removeprefix('alink_')


def reporters(driver):
    """Names of a driver's health reporters."""
    return [re.search(r'\.name\s*=\s*"(\w+)"', body).group(1)
            for folder in (kind_of(driver), 'alink')
            for body in structures('devlink_health_reporter_ops', folder)]


def byte(name, value):
    """An attribute of devlink with 8 bits."""
    return uapi.attr(DEVLINK[f'DEVLINK_ATTR_{name}'], bytes([value]))


def text(name, value):
    """One of devlink with a string."""
    return uapi.attr(DEVLINK[f'DEVLINK_ATTR_{name}'], value)


def downgrade(allowed):
    """Attributes of PARAM_SET. True is an attribute that is there."""
    return (text('PARAM_NAME', 'fw_downgrade') + byte('PARAM_TYPE', NLA_FLAG) +
            byte('PARAM_VALUE_CMODE', DEVLINK['DEVLINK_PARAM_CMODE_RUNTIME']) +
            (text('PARAM_VALUE_DATA', b'') if allowed else b''))


def flap_limit(limit):
    """The same of the limit of flaps."""
    return (text('PARAM_NAME', 'link_flap_limit') + byte('PARAM_TYPE', NLA_U8) +
            byte('PARAM_VALUE_CMODE', DEVLINK['DEVLINK_PARAM_CMODE_RUNTIME']) +
            byte('PARAM_VALUE_DATA', limit))


def snapshot():
    """Attributes of a snapshot of the registers."""
    return (text('REGION_NAME', 'registers') + uapi.attr(
        DEVLINK['DEVLINK_ATTR_REGION_SNAPSHOT_ID'], 7))


def devlink_requests(driver):
    """(name, attributes beside the handle, dump, what more it may end with) of
    each operation."""
    param = text('PARAM_NAME', 'fw_downgrade')
    # The dump of a whole instance that has no room
    small = {errno.EMSGSIZE}
    health = [text('HEALTH_REPORTER_NAME', n) for n in reporters(driver)]
    return (
        *(('HEALTH_REPORTER_DIAGNOSE', n, False, set()) for n in health),
        *(('HEALTH_REPORTER_DUMP_GET', n, True, small) for n in health),
        ('INFO_GET', b'', False, small), ('PORT_GET', b'', True, small),
        ('RESOURCE_DUMP', b'', False, small),
        ('HEALTH_REPORTER_GET', b'', True, small),
        ('PARAM_GET', param, False, small), ('PARAM_GET', b'', True, small),
        ('PARAM_SET', downgrade(True), False, set()),
        ('PARAM_SET', flap_limit(9), False, set()),
        ('REGION_NEW', snapshot(), False, small),
        # A folder in which the file could not be looked for has none.
        ('FLASH_UPDATE', text('FLASH_UPDATE_FILE_NAME',
                              f'{kind_of(driver)}.img'), False,
         {errno.ENOENT}),
        # As the part of the driver that did not start again
        ('RELOAD', byte('RELOAD_ACTION',
                        DEVLINK['DEVLINK_RELOAD_ACTION_FW_ACTIVATE']), False,
         {errno.EIO, errno.EBUSY, errno.EMSGSIZE}))


class Devlink:
    """A device of devlink, and requests as devlink_requests() has them."""

    def __init__(self, driver, bdf):
        self.driver = driver
        self.handle = devlink_handle(bdf)
        self.done = DevlinkDone(bdf, self.handle)

    def call(self, what, more, dump=False):
        """One that must work."""
        sock = uapi.Genl('devlink')
        try:
            sock.call(DEVLINK[f'DEVLINK_CMD_{what}'], self.handle + more, dump)
        finally:
            sock.close()

    def has(self, request):
        """Is there such an operation, such a parameter?"""
        what, more, dump, _ = request
        try:
            self.call(what, more, dump)
        except OSError as err:
            if err.errno == errno.EOPNOTSUPP or (
                    err.errno == errno.EINVAL and
                    what.startswith(('PARAM', 'REGION', 'HEALTH'))):
                return False
            raise
        self.back(what, more)
        return True

    def back(self, what, more, got=None):
        """Makes good what a request has done."""
        # What a reset had no memory for, the next one makes good.
        if what == 'RELOAD' and failed(got):
            self.call(what, more)
        # A dump that is kept would be shown again, not made.
        if what == 'HEALTH_REPORTER_DUMP_GET':
            self.call('HEALTH_REPORTER_DUMP_CLEAR', more)
        if what == 'PARAM_SET':
            self.call(what, downgrade(False) if more == downgrade(True) else
                      flap_limit(0))
        # Also when it failed: it may be there, and only the word of it lost.
        if what == 'REGION_NEW':
            try:
                self.call('REGION_DEL', more)
            except OSError as err:
                if err.errno != errno.EINVAL:
                    raise

    def sweep(self, sweeper, request):
        """One. What it has done is seen by the method of DevlinkDone of its
        name: without one it is a failure."""
        what, more, dump, allowed = request

        def prepare():
            # What an update finds stored is not what it is to leave.
            if what == 'FLASH_UPDATE':
                self.call(what, text('FLASH_UPDATE_FILE_NAME',
                                     f'{kind_of(self.driver)}-before.img'))
            sock = uapi.Genl('devlink')
            return sock, sock.message(DEVLINK[f'DEVLINK_CMD_{what}'],
                                      self.handle + more, dump), \
                self.done.generation()

        def undo(arg, got):
            arg[0].close()
            self.back(what, more, got)

        whose = ''
        if more and what.startswith('HEALTH_REPORTER_D'):
            whose = ' ' + more[4:].rstrip(b'\0').decode()
        if what == 'PARAM_SET':
            whose = ' ' + more[4:].split(b'\0')[0].decode()
        sweeper.sweep(f'devlink {self.driver} {what}{whose}' + ' dump' * dump,
                      lambda arg: arg[0].talk(arg[1]), prepare, undo,
                      allowed=allowed, done=getattr(self.done, what, None))


def devlink(sweeper):
    """devlink on each kind of device; new operations must get a sweep."""
    for name, known in (('devlink_ops', DEVLINK_SWEPT),
                        ('devlink_health_reporter_ops',
                         HEALTH_SWEPT | HEALTH_ELSEWHERE)):
        found = {op for body in structures(name)
                 for op in re.findall(r'\.(\w+)\s*=', body)}
        sweeper.result(f'{name} are found', '' if found else 'none')
        for op in sorted(found - known):
            sweeper.result(f'{name} {op} swept', 'no sweep is written for it')
    folder = fwimage.offer(size=2048)
    for kind in fwimage.KINDS:
        fwimage.pack(folder, f'{kind}-before.img', kind, '8.0.0')
    seen, swept, asked = set(), set(), set()
    for path in sorted(glob.glob('/sys/bus/pci/drivers/alink_*/0*')):
        driver = path.split('/')[5]
        if driver in seen:
            continue
        seen.add(driver)
        device = Devlink(driver, os.path.basename(path))
        for request in devlink_requests(driver):
            asked.add(request[0])
            if device.has(request):
                device.sweep(sweeper, request)
                swept.add(request[0])
            else:
                print(f'# devlink {driver} {request[0]}: not there')
    sweeper.result('each devlink request is swept on some driver',
                   ' '.join(sorted(asked - swept)))


def netdevs(sweeper):
    """Up, down, MTU, rings of one netdev of each kind."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names = [n for _, n in socket.if_nameindex()]
    chosen = [Netdev(sock, next(n for n in names if n.startswith(p)))
              for p in ('eth', 'xpu0p', 'sw0p')]
    for dev in chosen:
        def turn(up, dev=dev):
            now = dev.flags() & ~IFF_UP | (IFF_UP if up else 0)
            request = dev.ifreq(struct.pack('=h', now))
            return lambda *_: fcntl.ioctl(sock, SIOCSIFFLAGS, request)

        was = dev.flags()
        turn(False)()
        sweeper.sweep(f'netdev {dev.name} up', turn(True), None,
                      lambda arg, got, t=turn: t(False)(), dev.flags,
                      # a driver's answer to "no interrupt to be had"
                      allowed={errno.ENOSPC}, done=dev.state)
        turn(True)()
        sweeper.sweep(f'netdev {dev.name} down', turn(False), None,
                      lambda arg, got, t=turn: t(True)(), dev.flags,
                      done=dev.state)
        if not was & IFF_UP:
            turn(False)()

    dev = chosen[0]

    def rings(count):
        room = ctypes.create_string_buffer(struct.pack(
            '=9I', ETHTOOL_SRINGPARAM, 0, 0, 0, 0, count, 0, 0, count))
        request = dev.ifreq(struct.pack('=Q', ctypes.addressof(room)))
        return lambda *_: (fcntl.ioctl(sock, SIOCETHTOOL, request), room)

    def mtu(size):
        request = dev.ifreq(struct.pack('=i', size))
        return lambda *_: fcntl.ioctl(sock, SIOCSIFMTU, request)

    turn(True, dev)()
    for what, change, less, more in (('rings', rings, 128, 256),
                                     ('mtu', mtu, 1500, 9000)):
        change(less)()
        sweeper.sweep(f'netdev {dev.name} {what}', change(more), None,
                      change(less), dev.flags, done=dev.state)
    sweeper.sweep(f'netdev {dev.name} rings told', dev.ring_request,
                  lambda: ctypes.create_string_buffer(36),
                  done=lambda arg, got: got)


def main():
    """All, or the parts and operations of netlink that are named."""
    sweeper = Sweeper()
    subprocess.run(['alink', 'fabric', 'up'], check=True,
                   stdout=subprocess.DEVNULL)
    wanted = sys.argv[1:] or ['netlink', 'devlink', 'netdevs']
    names = set(wanted) & set(uapi.operations())
    if 'netlink' in wanted or names:
        Netlink(sweeper).run(names)
    if 'devlink' in wanted:
        devlink(sweeper)
    if 'netdevs' in wanted:
        netdevs(sweeper)
    sweeper.done()


if __name__ == '__main__':
    main()
