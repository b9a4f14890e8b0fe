#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A switch with 512 populated ports, and each other variant of the table. KTAP.
"""
import ctypes
import errno
import fcntl
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
sys.path.append(os.path.join(HERE, '..', 'trust'))

# pylint: disable=wrong-import-position
import uapi  # noqa: E402
from ethnl import GENERIC, attr, attrs  # noqa: E402
from guestlib import (PATIENCE, Worker, knob, main, qmp, read,  # noqa: E402
                      sh, wait_for, write)
from portlib import carrier, numbers  # noqa: E402
from taplib import tests_of  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PORTS = 512
NAMES = [f'sw0p{n}' for n in range(PORTS)]
# Of a port, with its netdev and all that it shows: more is a mistake
MOST_KIB = 64
# linux/sockios.h, linux/ethtool.h
SIOCETHTOOL, ETHTOOL_GSTATS = 0x8946, 0x1d
# linux/netlink.h, linux/genetlink.h, linux/alink.h
DONE, REQUEST, DUMP, CTRL, GETFAMILY, FAMILY_ID, FAMILY_NAME = \
    3, 1, 0x300, 0x10, 3, 1, 2
ROUTE_GET, ROUTE_PORTS = 5, 4
# hw/alink/common.h
GENERATION = 0x50
# How often a reset is aimed at a snapshot, and how often it has to fall into one
TRIES, HITS = 12, 3


def shown(name='sw0'):
    """What devlink shows of a device's ports."""
    pci = os.path.basename(os.path.realpath(f'/sys/class/alink/{name}/device'))
    all_ports = json.loads(sh('devlink', '-j', 'port', 'show'))['port']
    return [v for k, v in all_ports.items() if k.startswith(f'pci/{pci}/')]


def links():
    """All netdevs of the switch, with their statistics."""
    return {d['ifname']: d
            for d in json.loads(sh('ip', '-s', '-s', '-j', 'link'))
            if d['ifname'] in NAMES}


def crc_errors():
    """What "ip -s -s link" shows of each port."""
    seen = links()
    return [seen[n]['stats64']['rx']['crc_errors'] for n in NAMES]


def alink(*args):
    """Data of what the command shows as JSON."""
    return json.loads(sh('alink', '-j', *args))['data']


def set_all(state):
    """Sets all ports up or down, by one process."""
    subprocess.run(['ip', '-batch', '-'], check=True, text=True,
                   timeout=PATIENCE, input=''.join(
                       f'link set {n} {state}\n' for n in NAMES))


class Counters:
    """What "ethtool -S" shows, of one port after the other. A process for each
    would take a minute."""

    def __init__(self):
        self.names = list(numbers('ethtool', '-S', NAMES[0]))
        self.buf = ctypes.create_string_buffer(8 + 8 * len(self.names))
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def of(self, netdev):
        """Values by name."""
        struct.pack_into('=II', self.buf, 0, ETHTOOL_GSTATS, 0)
        fcntl.ioctl(self.sock, SIOCETHTOOL, struct.pack(
            '@16sP16x', netdev.encode(), ctypes.addressof(self.buf)))
        count = struct.unpack_from('=I', self.buf, 4)[0]
        assert count == len(self.names), (netdev, count)
        return dict(zip(self.names,
                        struct.unpack_from(f'={count}Q', self.buf, 8)))

    def all(self, name):
        """One of them, of all ports."""
        return [self.of(n)[name] for n in NAMES]


def test_ports():
    """Each port has a netdev, which everybody finds by the same name; all of
    them go down and up at once, and nothing gets lost by that."""
    assert read('/sys/class/alink/sw0/state') == 'ready'
    assert sorted(p.get('netdev') for p in shown()) == sorted(NAMES)
    assert links().keys() == set(NAMES)
    for state, operstate in ('up', 'UP'), ('down', 'DOWN'), ('up', 'UP'):
        set_all(state)
        wait_for(f'all {state}', lambda want=operstate: all(
            d['operstate'] == want for d in links().values()), PATIENCE)
    assert 'events lost' not in sh('dmesg')


def test_statistics():
    """Each port counts its own, and ethtool and ip show that of all."""
    counters = Counters()
    fec, crc = counters.all('fec_corrected_codewords'), crc_errors()
    for n in range(PORTS):
        knob('sw0', 'x-link-errors', f'{n}:{n + 1}:0:{2 * n}')
    after = counters.all('fec_corrected_codewords')
    assert [a - b for a, b in zip(after, fec)] == list(range(1, PORTS + 1))
    assert [a - b for a, b in zip(crc_errors(), crc)] == \
        list(range(0, 2 * PORTS, 2))
    out = numbers('ethtool', '-S', NAMES[-1])
    assert out['fec_corrected_codewords'] == after[-1], out
    assert 'Speed: 200000Mb/s' in sh('ethtool', NAMES[-1])


def test_tables():
    """Routes to all, and a partition with all of them in it."""
    sh('alink', 'fabric', 'up')
    routes = alink('route', 'show', 'sw0')
    assert {r['dst']: r['ports'] for r in routes} == \
        {n: [n] for n in range(PORTS)}
    assert len(routes) == PORTS
    assert [p['endpoint'] for p in alink('partition', 'show', 'sw0')] == \
        list(range(PORTS))
    ports = alink('port', 'show', 'sw0')
    assert [p['peer']['id'] for p in ports] == list(range(PORTS))
    assert 'events lost' not in sh('dmesg')


def watch(stop, out):
    """Asks for a netdev by rtnetlink again and again: how long it took, ms, and
    how many netdevs there were afterwards."""
    # struct nlmsghdr, struct ifinfomsg: RTM_GETLINK of index 1
    ask = struct.pack('=IHHII', 32, 18, 1, 1, 0) + \
        struct.pack('=BBHiII', 0, 0, 0, 1, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        while not stop.is_set():
            start = time.monotonic()
            s.send(ask)
            s.recv(65536)
            took = (time.monotonic() - start) * 1000
            out.append((took, len(os.listdir('/sys/class/net'))))
            time.sleep(0.001)


def in_pieces(seen, others):
    """Whoever wanted rtnl while ports came or went had it in between. Returns
    the longest that he waited, ms."""
    steps = {n for _, n in seen if others < n < others + PORTS}
    assert len(steps) > 3, seen
    return max(took for took, _ in seen)


def checked():
    """Is this a kernel of ours, which looks at each access?"""
    return 'alink' in os.uname().release


def memory():
    """What can be had, KiB"""
    with open('/proc/meminfo', encoding='ascii') as f:
        return int(re.search(r'MemAvailable:\s+(\d+)', f.read())[1])


def test_reload():
    """All ports go and come, with what they have counted; what that takes is
    told, and not judged."""
    before = Counters().all('fec_corrected_codewords')
    others = len(os.listdir('/sys/class/net')) - PORTS
    seen, stop = [], threading.Event()
    thread = threading.Thread(target=watch, args=(stop, seen))
    thread.start()
    try:
        start = time.monotonic()
        sh('modprobe', '-r', 'alink_switch')
        gone = time.monotonic()
        went = len(seen)
        assert not links()
        free = memory()
        loading, first = time.monotonic(), len(seen)
        sh('modprobe', 'alink_switch')
        wait_for('the switch', lambda: os.path.exists('/sys/class/alink/sw0'))
        there = time.monotonic()
    finally:
        stop.set()
        thread.join()
    wait_for('netdevs', lambda: links().keys() == set(NAMES))
    each = (free - memory()) / PORTS
    print(f'# unload {gone - start:.2f} s, in which rtnl was waited for '
          f'{in_pieces(seen[:went], others):.0f} ms at most; probe '
          f'{there - loading:.2f} s, {in_pieces(seen[first:], others):.0f} ms; '
          f'a port {each:.1f} KiB')
    # What checks memory keeps more than what is checked.
    if not checked():
        assert each < MOST_KIB, each
    assert Counters().all('fec_corrected_codewords') == before


class Snapshot(threading.Thread):
    """Takes a snapshot of a device's registers, on the last processor and with
    what others leave of it."""

    def __init__(self, pci, number):
        super().__init__()
        enum = uapi.enums('/usr/include/linux/devlink.h')
        self.sock = uapi.Genl('devlink')
        self.ask = self.sock.message(
            enum['DEVLINK_CMD_REGION_NEW'], b''.join(
                uapi.attr(enum[f'DEVLINK_ATTR_{kind}'], value)
                for kind, value in (('BUS_NAME', 'pci'), ('DEV_NAME', pci),
                                    ('REGION_NAME', 'registers'),
                                    ('REGION_SNAPSHOT_ID', number))))
        self.errno = None

    def run(self):
        """To the end of it."""
        # Both are of this thread alone.
        os.sched_setaffinity(0, {os.cpu_count() - 1})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        try:
            self.sock.talk(self.ask)
            self.errno = 0
        except OSError as e:
            self.errno = e.errno
        self.sock.close()


class Probes:
    """Tells when a function of the module alink is entered."""

    TOP = '/sys/kernel/tracing'

    def __init__(self, *functions):
        self.functions = functions
        if not os.path.exists(f'{self.TOP}/kprobe_events'):
            sh('mount', '-t', 'tracefs', 'tracefs', self.TOP)
        for name in functions:
            self.say('kprobe_events', f'p:alink_test/{name} alink:{name}')
        self.say('events/alink_test/enable', '1')
        # pylint: disable-next=consider-using-with
        self.pipe = open(f'{self.TOP}/trace_pipe', 'rb', buffering=0)
        self.seen = b''

    def say(self, name, line):
        """Appends to one of its files."""
        # open() would seek to the end, which such a file refuses.
        file = os.open(f'{self.TOP}/{name}', os.O_WRONLY | os.O_APPEND)
        try:
            os.write(file, f'{line}\n'.encode())
        finally:
            os.close(file)

    def wait(self, name):
        """Until it is entered, after what was waited for before."""
        want = f' {name}: '.encode()
        end = time.monotonic() + PATIENCE
        while want not in self.seen:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.pipe], [], [], left)[0], \
                f'{name} was not entered'
            self.seen += self.pipe.read(4096)
        self.seen = self.seen.partition(want)[2]

    def entered(self, name):
        """Was it, since what was waited for? All until now is forgotten."""
        while select.select([self.pipe], [], [], 0)[0]:
            self.seen += self.pipe.read(4096)
        seen, self.seen = self.seen, b''
        return f' {name}: '.encode() in seen

    def close(self):
        """None are left."""
        self.pipe.close()
        self.say('events/alink_test/enable', '0')
        for name in self.functions:
            self.say('kprobe_events', f'-:alink_test/{name}')


def generation_in(name, snapshot):
    """How often the device had been reset, as a snapshot has it"""
    told = sh('devlink', 'region', 'read', name, 'snapshot', str(snapshot),
              'address', str(GENERATION), 'length', '4').split()
    return int.from_bytes(bytes.fromhex(''.join(told[1:])), 'little')


def test_reset_in_a_snapshot():
    """What was read on both sides of a reset is no snapshot."""
    pci = os.path.basename(os.path.realpath('/sys/class/alink/sw0/device'))
    name = f'pci/{pci}/registers'
    begun, over = 'alink_regs_begin', 'alink_regs_end'
    probes = Probes(begun, over)
    # Who is idle has a three hundredth of a processor that he shares with one
    # other: registers of 512 ports take longer than it takes to see that he has
    # begun. What is read while the device is closed is quick: he may come to an
    # end before the reset does.
    busy = Worker('taskset', '-c', str(os.cpu_count() - 1), 'sh', '-c',
                  'while :; do :; done')
    refused = late = 0
    try:
        for number in range(1, TRIES + 1):
            if refused == HITS:
                break
            before = int(read('/sys/class/alink/sw0/generation'))
            one = Snapshot(pci, number)
            one.start()
            probes.wait(begun)
            write(f'/sys/bus/pci/devices/{pci}/reset', '1')
            late += one.errno is None
            one.join(PATIENCE)
            # Else it was refused before it read anything.
            read_some = probes.entered(over)
            wait_for('the switch', lambda: read(
                '/sys/class/alink/sw0/state') == 'ready')
            now = int(read('/sys/class/alink/sw0/generation'))
            assert now > before, (before, now)
            assert one.errno in (0, errno.EBUSY), one.errno
            if one.errno:
                refused += read_some
                # The next one is all from after it.
                sh('devlink', 'region', 'new', name, 'snapshot', str(number))
            # All of it is from before the reset, or from after it.
            assert generation_in(name, number) in \
                ((now,) if one.errno else (before, now)), (before, now)
            sh('devlink', 'region', 'del', name, 'snapshot', str(number))
            probes.entered(over)
    finally:
        probes.close()
        bad = busy.stop()
    assert not bad, bad
    assert refused == HITS, f'a reset fell into {refused} of them'
    print(f'# {refused} refused; {late} that ended after the reset')


# --- other variants -----------------------------------------------------------

def plug(variant):
    """Another switch in the place of this one."""
    qmp('device_del', id='sw0')
    wait_for('unplugged', lambda: not os.path.exists('/sys/class/alink/sw0'))

    def add():
        try:
            qmp('device_add', id='sw0', driver='alink-switch', bus='rp-sw0',
                fabric='fab0', plane=0, variant=variant)
        except AssertionError:
            # QEMU has not yet let go of the one before.
            return False
        return True
    wait_for(f'{variant}: plugged', add)
    wait_for(f'{variant}: its driver', lambda: os.path.exists(
        '/sys/class/alink/sw0/state'), PATIENCE)
    assert read('/sys/class/alink/sw0/state') == 'ready', variant


def variants():
    """{name: radix} of the table, but for the one that is there."""
    with open(os.path.join(ROOT, 'include', 'hw', 'alink', 'switch_table.h'),
              encoding='utf-8') as f:
        found = re.findall(r'\{ ALINK_\w+, "([^"]+)".*\n\s*\d+, \d+, (\d+),',
                           f.read())
    assert len(found) > 10, found
    return {n: int(r) for n, r in found if n != 'upn102-512'}


def test_variants():
    """Each row of the table is a device that the driver takes. Where the kernel
    checks each access, the first of each number of ports: the others differ from
    it in numbers, of which it checks nothing."""
    every = variants()
    if checked():
        first = {radix: name for name, radix in reversed(every.items())}
        every = {name: radix for radix, name in first.items()}
        print(f'# {len(every)} of {len(variants())}')
    for name, radix in every.items():
        plug(name)
        ports = shown()
        assert len(ports) == radix, (name, len(ports))
        there = {p['netdev'] for p in ports if 'netdev' in p}
        assert len(there) == min(radix, PORTS), (name, len(there))


def family(name):
    """Number of a generic netlink family."""
    body = attr(FAMILY_NAME, name.encode() + b'\0')
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC) as s:
        s.send(struct.pack('=IHHIIBBH', 20 + len(body), CTRL, REQUEST, 1, 0,
                           GETFAMILY, 1, 0) + body)
        return struct.unpack('=H', attrs(s.recv(65536)[20:])[FAMILY_ID])[0]


def dump(cmd):
    """What the family shows to a socket of which the kernel does not know yet
    how much it takes at a time."""
    found, kind = [], family('alink')
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC) as s:
        s.send(struct.pack('=IHHIIBBH', 20, kind, REQUEST | DUMP, 1, 0, cmd,
                           1, 0))
        while True:
            data = s.recv(65536)
            while data:
                size, what = struct.unpack_from('=IH', data)
                if what == DONE:
                    code = struct.unpack_from('=i', data, 16)[0]
                    assert not code, os.strerror(-code)
                    return found
                assert what == kind, what
                found.append(attrs(data[20:size]))
                data = data[(size + 3) & ~3:]


def test_largest():
    """A route that may use all of 1024 ports, and none beyond."""
    plug('upn204-1024')
    sh('alink', 'route', 'add', 'sw0', '5', '0-1023', '1024')
    every = list(range(1024))
    assert [(r['dst'], r['min_ports'], r['ports'])
            for r in alink('route', 'show', 'sw0')] == [(5, 1024, every)]
    found = [r[ROUTE_PORTS] for r in dump(ROUTE_GET)]
    assert found == [struct.pack('=1024I', *every)], [len(f) for f in found]


def test_fastest():
    """1.6 Tb/s are shown as what they are, though no link mode has a name."""
    knob('fab0', 'headless', '1023-1023:1:1600000:8')
    knob('fab0', 'wire', '1023.0:0.63')
    plug('alink64-224')
    sh('ip', 'link', 'set', 'sw0p63', 'up')
    wait_for('carrier', lambda: carrier('sw0p63'))
    out = sh('ethtool', 'sw0p63')
    assert 'Speed: 1600000Mb/s' in out and 'Lanes: 8' in out, out
    assert read('/sys/class/net/sw0p63/speed') == '1600000'
    port = alink('port', 'show', 'sw0')[63]
    assert (port['speed_mbps'], port['lanes']) == (1600000, 8), port


if __name__ == '__main__':
    main(*tests_of(globals()))
