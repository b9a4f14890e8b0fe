#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Events of the netlink family reach a listener, and say what happened. KTAP."""
import errno
import os
import select
import socket
import struct
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable-next=wrong-import-position
from guestlib import PATIENCE  # noqa: E402

SOL_NETLINK, ADD_MEMBERSHIP, GENERIC = 270, 1, 16
CTRL, GETFAMILY, FAMILY_NAME, FAMILY_ID, GROUPS = 0x10, 3, 2, 1, 7
CMD = {2: 'dev-add', 3: 'dev-del', 13: 'link', 14: 'fault', 15: 'table'}
# Attributes of the set "event", and of the set "dev"
EVENT = {1: 'dev', 3: 'link', 4: 'state', 5: 'reason', 6: 'code',
         7: 'recovery', 9: 'info', 10: 'table', 11: 'id'}


def attrs(data):
    """Type and payload of each attribute."""
    pos = 0
    while pos + 4 <= len(data):
        size, kind = struct.unpack_from('=HH', data, pos)
        yield kind & 0x3fff, data[pos + 4:pos + size]
        pos += (size + 3) & ~3


class Listener:
    """A member of the group "events"."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC)
        self.sock.bind((0, 0))
        name = b'alink\0\0\0'
        body = struct.pack('=BBHHH', GETFAMILY, 1, 0, 4 + 6, FAMILY_NAME) + name
        self.sock.send(struct.pack('=IHHII', 16 + len(body), CTRL, 1, 1, 0) +
                       body)
        self.family = group = None
        for kind, value in attrs(self.sock.recv(65536)[20:]):
            if kind == FAMILY_ID:
                self.family = struct.unpack('=H', value)[0]
            if kind == GROUPS:
                for _, entry in attrs(value):
                    found = dict(attrs(entry))
                    assert found[1].rstrip(b'\0') == b'events', found
                    group = struct.unpack('=I', found[2])[0]
        self.sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)

    def collect(self, seconds=0.5):
        """All events until there was none for a while."""
        events = []
        while select.select([self.sock], [], [], seconds)[0]:
            message = self.sock.recv(65536)
            assert struct.unpack_from('=H', message, 4)[0] == self.family
            name = CMD[message[16]]
            event = {'what': name}
            for kind, value in attrs(message[20:]):
                if name.startswith('dev'):
                    if kind == 2:
                        event['name'] = value.rstrip(b'\0').decode()
                elif kind in EVENT:
                    event[EVENT[kind]] = struct.unpack('=I', value)[0]
            events.append(event)
        return events


def sysfs(name, attr):
    """An attribute of a device, as a number."""
    with open(f'/sys/class/alink/{name}/{attr}', encoding='utf-8') as f:
        return int(f.read(), 0)


def run(*command):
    """Runs a command, which must succeed."""
    subprocess.run(command, check=True, capture_output=True,
                   timeout=PATIENCE)


def write(path, text):
    """Writes a file of sysfs."""
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def qmp_set(device, prop, value):
    """A property of a model."""
    with open(os.environ['ALINK_QMP'], 'r+b', buffering=0) as port:
        port.write((f'{{"execute": "qom-set", "arguments": {{"path": '
                    f'"/machine/peripheral/{device}", "property": "{prop}", '
                    f'"value": "{value}"}}}}\n').encode())
        answer = port.readline()
    assert b'"return"' in answer, answer


def test_table_events(listen):
    """Routes, groups and partitions, on the device where they changed."""
    switch = sysfs('sw0', 'index')
    run('alink', 'route', 'add', 'sw0', '77', '3')
    run('alink', 'group', 'add', '4', '0-1', 'dev', 'sw0')
    run('alink', 'group', 'del', '4', 'dev', 'sw0')
    run('alink', 'route', 'del', 'sw0', '77')
    events = [e for e in listen.collect() if e['what'] == 'table' and
              e['dev'] == switch]
    assert [(e['table'], e['id']) for e in events] == \
        [(0, 77), (1, 4), (1, 4), (0, 77)], events


def test_link_events(listen):
    """Both ends tell of a link that goes down and comes back."""
    ends = {(sysfs('xpu0', 'index'), 1), (sysfs('sw1', 'index'), 0)}
    qmp_set('xpu0', 'x-link-fault', '1:9')
    events = [e for e in listen.collect() if e['what'] == 'link']
    assert {(e['dev'], e['link']) for e in events} == ends, events
    assert all(e['state'] == 0 and e['reason'] for e in events), events
    qmp_set('xpu0', 'x-link-fault', '1:0')
    events = [e for e in listen.collect() if e['what'] == 'link']
    assert {(e['dev'], e['link']) for e in events} == ends, events
    assert all(e['state'] == 2 for e in events), events


def test_lane_events(listen):
    """Both ends tell of a width that changes, though the link is up; the one
    whose lanes failed says why."""
    xpu, switch = (sysfs('xpu0', 'index'), 1), (sysfs('sw1', 'index'), 0)

    def told():
        return sorted(((e['dev'], e['link']), e['state'], e['reason'])
                      for e in listen.collect() if e['what'] == 'link')

    qmp_set('xpu0', 'x-lane-fault', '1:8')
    events = told()
    assert events == sorted([(xpu, 2, 12), (switch, 2, 0)]), events
    qmp_set('xpu0', 'x-lane-fault', '1:0')
    assert not told()
    run('ip', 'link', 'set', 'sw1p0', 'up')
    run('ethtool', '-r', 'sw1p0')
    events = [e for e in told() if e[1] == 2]
    assert set(events) == {(xpu, 2, 0), (switch, 2, 0)}, events


def test_fault_event(listen):
    """A fault arrives with code, recovery and where."""
    qmp_set('xpu1', 'x-fault', '4992:1:0x1000:3')
    events = [e for e in listen.collect(1) if e['what'] == 'fault']
    assert len(events) == 1, events
    assert events[0]['dev'] == sysfs('xpu1', 'index'), events
    assert (events[0]['code'], events[0]['recovery']) == (4992, 1), events


def test_device_events(listen):
    """A device that goes and one that comes, by name."""
    pci = os.path.basename(os.path.realpath('/sys/class/alink/sw1/device'))
    write('/sys/bus/pci/drivers/alink_switch/unbind', pci)
    events = [e for e in listen.collect() if e['what'].startswith('dev')]
    assert events == [{'what': 'dev-del', 'name': 'sw1'}], events
    write('/sys/bus/pci/drivers/alink_switch/bind', pci)
    time.sleep(0.2)
    events = [e for e in listen.collect() if e['what'].startswith('dev')]
    assert events == [{'what': 'dev-add', 'name': 'sw1'}], events


def test_lost_events(listen):
    """A listener that missed something is told so, by ENOBUFS: after a reset
    nobody knows what there was."""
    listen.collect()
    write('/sys/class/alink/sw1/device/reset', '1')
    told = 0
    while select.select([listen.sock], [], [], 1)[0]:
        try:
            message = listen.sock.recv(65536)
        except OSError as error:
            assert error.errno == errno.ENOBUFS, error
            told += 1
            continue
        assert struct.unpack_from('=I', message)[0] == len(message), message
    assert told


def main():
    """Runs all, each with a listener of its own."""
    tests = [(n, f) for n, f in globals().items() if n.startswith('test_')]
    print(f'1..{len(tests)}')
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test(Listener())
            print(f'ok {number} {name}')
        except Exception:  # pylint: disable=broad-except
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
            print(f'not ok {number} {name}')
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
