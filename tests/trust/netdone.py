# SPDX-License-Identifier: GPL-2.0-only
"""What can be seen of an operation of netlink, devlink or a network device
that worked, for the fault sweeps: what it told, or what others tell after it.
"""
import ctypes
import fcntl
import glob
import os
import struct

import uapi
from faultlib import Grows, Moves, look
from xpufile import HBM, Xpu

ENUM = uapi.enums(uapi.ALINK_H)
DEVLINK = uapi.enums('/usr/include/linux/devlink.h')
SIOCGIFFLAGS, SIOCGIFMTU, SIOCETHTOOL = 0x8913, 0x8921, 0x8946
ETHTOOL_GRINGPARAM = 0x10
IFF_RUNNING = 0x40
# Of what health reporters tell: counters, and positions in rings, which go
# round, with how old something is
COUNTERS = {'heartbeat', 'commands', 'reductions', 'multicasts',
            'drops_no_route', 'drops_partition', 'restarts', 'pushes',
            'push_waits', 'push_timeouts', 'push_aborts', 'push_late'}
POSITIONS = {'tx_tail', 'tx_clean', 'device_tx_head', 'rx_tail', 'rx_head',
             'device_rx_head', 'age_ms'}
# Of what a device after its reset tells beside that
STATE = ('state', 'fw_version', 'guest_errors')


def pairs(data):
    """[(type, bytes)] of the attributes in a message, in their order."""
    out = []
    while len(data) >= 4:
        size, kind = struct.unpack_from('=HH', data)
        out.append((kind & 0x3fff, data[4:size]))
        data = data[size + 3 & ~3:]
    return out


def answer(messages):
    """Of the netlink family, without the headers. Counters of links move."""
    if messages is None:
        return None
    out = []
    for message in messages:
        told = uapi.attrs(message[20:])
        stats = told.get(ENUM['ALINK_A_LINK_STATS'])
        if stats and message[16] == ENUM['ALINK_CMD_LINK_GET']:
            told[ENUM['ALINK_A_LINK_STATS']] = {
                kind: Grows(int.from_bytes(value, 'little'))
                for kind, value in pairs(stats) if value}
        out.append(told)
    return out


def health(told):
    """What a health reporter tells, with what moves marked as such. Where it goes
    on in another message says only how large that could be; a value of which
    nothing but the type had room is begun again there."""
    out, name = [], ''
    for kind, value in told:
        if kind == DEVLINK['DEVLINK_ATTR_FMSG_OBJ_VALUE_TYPE'] and out and \
                out[-1][0] == kind:
            continue
        if kind == DEVLINK['DEVLINK_ATTR_FMSG_OBJ_NAME']:
            name = value.rstrip(b'\0').decode()
        elif kind == DEVLINK['DEVLINK_ATTR_FMSG_OBJ_VALUE_DATA']:
            if name in COUNTERS:
                value = Grows(int.from_bytes(value, 'little'))
            elif name in POSITIONS:
                value = Moves(value)
        out.append((kind, value))
    return out


def devlink_answer(messages):
    """Of devlink, without the headers."""
    if messages is None:
        return None
    out, told = [], []
    for message in messages:
        for kind, value in pairs(message[20:]):
            if kind == DEVLINK['DEVLINK_ATTR_FMSG']:
                told += pairs(value)
            else:
                out.append((kind, value))
    return out + health(told)


def devlink_handle(bdf):
    """Attributes that name a device."""
    return (uapi.attr(DEVLINK['DEVLINK_ATTR_BUS_NAME'], 'pci') +
            uapi.attr(DEVLINK['DEVLINK_ATTR_DEV_NAME'], bdf))


class DevlinkDone:
    """One method for each request, named as it, of one device."""

    # pylint: disable=invalid-name

    def __init__(self, bdf, handle):
        self.bdf, self.handle = bdf, handle

    def ask(self, what, body=b'', dump=False):
        """What devlink tells now."""
        sock = uapi.Genl('devlink')
        try:
            return devlink_answer(sock.call(DEVLINK[f'DEVLINK_CMD_{what}'],
                                            self.handle + body, dump))
        finally:
            sock.close()

    def said(self, what, dump=False):
        """The same; or the name of the error: not every driver has all."""
        return look(lambda *_: self.ask(what, dump=dump), None, None)

    def told(self, _, got):
        """What it is asked for is what it tells."""
        return devlink_answer(got)

    INFO_GET = PORT_GET = RESOURCE_DUMP = PARAM_GET = told
    HEALTH_REPORTER_GET = HEALTH_REPORTER_DIAGNOSE = told
    HEALTH_REPORTER_DUMP_GET = told

    def PARAM_SET(self, _arg, _got):
        """It has its value, and no other has changed."""
        return self.ask('PARAM_GET', dump=True)

    def REGION_NEW(self, _arg, _got):
        """The snapshot is there."""
        return self.ask('REGION_GET', uapi.attr(
            DEVLINK['DEVLINK_ATTR_REGION_NAME'], 'registers'))

    def FLASH_UPDATE(self, _arg, _got):
        """It is stored, and not what was before."""
        return self.ask('INFO_GET')

    def generation(self):
        """Resets since power on."""
        return int(self.read('generation'))

    def read(self, name):
        """One of its files below /sys/class/alink."""
        path = glob.glob(f'/sys/bus/pci/devices/{self.bdf}/alink/*/{name}')[0]
        with open(path, encoding='ascii') as f:
            return f.read().strip()

    def RELOAD(self, arg, got):
        """There was one reset, and the device works."""
        seen = [devlink_answer(got), self.generation() - arg[2],
                [self.read(name) for name in STATE], self.ask('INFO_GET'),
                sorted(os.listdir(f'/sys/bus/pci/devices/{self.bdf}'))]
        for path in glob.glob(f'/sys/bus/pci/devices/{self.bdf}/accel/accel*'):
            xpu = Xpu(int(path.rpartition('accel')[2]))
            seen.append(xpu.holds(xpu.bo(HBM), fill=0x5a17c0de))
            xpu.close()
        return seen


class Netdev:
    """What a network device is now."""

    def __init__(self, sock, name):
        self.sock, self.name = sock, name
        path = os.path.realpath(f'/sys/class/net/{name}/device')
        self.handle = devlink_handle(os.path.basename(path))
        self.nic = os.path.basename(
            os.path.realpath(f'{path}/driver')) == 'alink_nic'

    def ifreq(self, data):
        """struct ifreq."""
        return struct.pack('16s24s', self.name.encode(), data)

    def flags(self):
        """Its flags, but for the carrier, which comes when it comes."""
        raw = fcntl.ioctl(self.sock, SIOCGIFFLAGS, self.ifreq(b''))
        return struct.unpack_from('=h', raw, 16)[0] & ~IFF_RUNNING

    def ring_request(self, room):
        """Asks for the sizes of its rings, into ROOM."""
        struct.pack_into('=9I', room, 0, ETHTOOL_GRINGPARAM, *[0] * 8)
        fcntl.ioctl(self.sock, SIOCETHTOOL, self.ifreq(
            struct.pack('=Q', ctypes.addressof(room))))
        return struct.unpack('=9I', room)

    def state(self, *_):
        """All of it; of a NIC also its queues, as the device has them."""
        raw = fcntl.ioctl(self.sock, SIOCGIFMTU, self.ifreq(b''))
        seen = {'flags': self.flags(),
                'mtu': struct.unpack_from('=i', raw, 16)[0]}
        if self.nic:
            seen['rings'] = self.ring_request(ctypes.create_string_buffer(36))
            seen['queues'] = DevlinkDone('', self.handle).ask(
                'HEALTH_REPORTER_DIAGNOSE', uapi.attr(
                    DEVLINK['DEVLINK_ATTR_HEALTH_REPORTER_NAME'], 'queues'))
        return seen
