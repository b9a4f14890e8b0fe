# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of the NIC driver share: two NICs of one Ethernet, each in a
network namespace of its own, and traffic between them.
"""
import atexit
import contextlib
import ctypes
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=unused-import,wrong-import-position
from guestlib import PATIENCE, fails, knob, main, model, qmp, read, sh, skip, \
    wait_for, write  # noqa: E402,F401

DRIVER = '/sys/bus/pci/drivers/alink_nic'


# --- devices -----------------------------------------------------------------

def functions():
    """PCI addresses of the NICs that have their driver."""
    return sorted(os.path.basename(p) for p in glob.glob(f'{DRIVER}/0*'))


def netdev(function):
    """Name of the netdev of a function, in this namespace, or None."""
    found = glob.glob(f'/sys/bus/pci/devices/{function}/net/*')
    return os.path.basename(found[0]) if found else None


def guest_errors():
    """What each device counts as mistakes of its driver."""
    return [int(read(p))
            for p in sorted(glob.glob('/sys/class/alink/*/guest_errors'))]


class End:
    """One NIC in its namespace."""

    def __init__(self, number, function):
        self.ns = f'ns{number}'
        self.nic = f'nic{number}'
        self.function = function
        self.addr = f'10.9.0.{number + 1}'
        self.addr6 = f'fd09::{number + 1}'
        self.dev = None

    def sh(self, *args, **kwargs):
        """Runs a command in the namespace."""
        return sh('ip', 'netns', 'exec', self.ns, *args, **kwargs)

    def fails(self, *args, says=None):
        """A command in the namespace that must fail."""
        return fails('ip', 'netns', 'exec', self.ns, *args, says=says)

    @contextlib.contextmanager
    def inside(self):
        """For the block this thread is in the namespace: a socket stays there,
        but what /sys shows is that of before."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open('/proc/thread-self/ns/net', encoding='ascii') as home, \
                open(f'/run/netns/{self.ns}', encoding='ascii') as there:
            assert not libc.setns(there.fileno(), 0), ctypes.get_errno()
            try:
                yield
            finally:
                assert not libc.setns(home.fileno(), 0), ctypes.get_errno()

    def up(self):
        """Takes the netdev into the namespace and configures it."""
        self.dev = wait_for(f'{self.function}: a netdev',
                            lambda: netdev(self.function))
        sh('ip', 'link', 'set', self.dev, 'netns', self.ns)
        self.configure()

    def defaults(self):
        """What most tests start from."""
        self.mtu(1500)
        self.features(tx='on', rx='on')
        self.features(tso='on')

    def configure(self):
        """Addresses, and up."""
        self.defaults()
        self.sh('ip', 'addr', 'replace', f'{self.addr}/24', 'dev', self.dev)
        self.sh('ip', 'link', 'set', self.dev, 'up')
        self.sh('ip', 'addr', 'replace', f'{self.addr6}/64', 'dev', self.dev,
                'nodad')

    def link(self):
        """What ip says about the netdev."""
        return json.loads(self.sh('ip', '-j', '-s', '-s', 'link', 'show',
                                  self.dev))[0]

    def carrier(self):
        """Whether the stack sees a carrier."""
        return 'LOWER_UP' in self.link()['flags']

    def stats(self):
        """ethtool -S as a dictionary."""
        out = self.sh('ethtool', '-S', self.dev)
        return {k: int(v) for k, v in re.findall(r'^\s*(\S+): (\d+)$', out,
                                                 re.M)}

    def mtu(self, value):
        """Sets the MTU."""
        self.sh('ip', 'link', 'set', self.dev, 'mtu', str(value))

    def features(self, **kwargs):
        """ethtool -K: features(tso='on')."""
        args = [a for kv in kwargs.items() for a in kv]
        self.sh('ethtool', '-K', self.dev, *args)

    def ping(self, peer, size=56, count=2, six=False, df=True):
        """Pings; every packet must come back."""
        args = ['ping', '-6' if six else '-4', '-q', '-c', str(count),
                '-i', '0.1', '-W', '5', '-s', str(size)]
        if df:
            args += ['-M', 'do']
        out = self.sh(*args, peer.addr6 if six else peer.addr)
        assert f'{count} received' in out, out

    def ping_works(self, peer, seconds=15):
        """Pings until an answer comes."""
        wait_for(f'{self.ns}: an answer from {peer.addr}',
                 lambda: ' 1 received' in self.sh(
                     'ping', '-q', '-c', '1', '-W', '1', peer.addr,
                     check=False), seconds)


def part(ends):
    """Takes the netdevs back and removes the namespaces."""
    for end in ends:
        # A namespace lives as long as a socket retransmits in it.
        if end.dev:
            end.sh('ip', 'link', 'set', end.dev, 'netns', '1', check=False)
        sh('ip', 'netns', 'del', end.ns, check=False)
    for end in ends:
        wait_for(f'{end.function}: back from its namespace',
                 lambda e=end: netdev(e.function)
                 or not os.path.exists(f'{DRIVER}/{e.function}'))


def connect():
    """Two ends, each in its namespace, with a carrier."""
    found = functions()
    if len(found) < 2:
        skip(f'{len(found)} NICs with their driver, two are wanted')
    ends = [End(i, f) for i, f in enumerate(found[:2])]
    try:
        for end in ends:
            sh('ip', 'netns', 'add', end.ns)
            end.sh('ip', 'link', 'set', 'lo', 'up')
            end.up()
        for end in ends:
            wait_for(f'{end.ns}: carrier', end.carrier)
        ends[0].ping_works(ends[1])
    except BaseException:
        part(ends)
        raise
    return ends


@contextlib.contextmanager
def connected():
    """Two ends for a block, which leaves the devices as they were."""
    ends = connect()
    try:
        yield ends
        assert not any(guest_errors()), f'guest errors: {guest_errors()}'
    finally:
        part(ends)


# Ends that the last test left as it found them. Connecting takes longer than
# most tests do.
KEPT = []


def apart():
    """The devices as they were before the first pair()."""
    while KEPT:
        part(KEPT.pop())


@contextlib.contextmanager
def pair():
    """As connected(), but the next test gets the same ends."""
    ends = KEPT.pop() if KEPT else connect()
    try:
        for end in ends:
            end.defaults()
        ends[0].ping_works(ends[1])
        yield ends
        assert not any(guest_errors()), f'guest errors: {guest_errors()}'
    except BaseException:
        part(ends)
        raise
    KEPT.append(ends)


atexit.register(apart)


# --- traffic -----------------------------------------------------------------

class Traffic:
    """iperf3 between two ends, in the background until stopped."""

    def __init__(self, client, server, seconds=60, reverse=False, streams=1,
                 udp=False):
        self.server = subprocess.Popen(
            ['ip', 'netns', 'exec', server.ns, 'iperf3', '-s', '-1'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        wait_for('iperf3: a server', lambda: ':5201' in server.sh(
            'ss', '-H', '-l', '-t', '-n'))
        args = ['ip', 'netns', 'exec', client.ns, 'iperf3', '-J', '-c',
                server.addr, '-t', str(seconds), '-P', str(streams)]
        if reverse:
            args.append('-R')
        if udp:
            args += ['-u', '-b', '50M', '-l', '1200']
        self.client = subprocess.Popen(args, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True,
                                       stdin=subprocess.DEVNULL)

    def running(self):
        """Whether the client still sends."""
        return self.client.poll() is None

    def result(self):
        """Waits for the end and returns what iperf3 measured."""
        out, _ = self.client.communicate(timeout=90)
        self.server.wait(10)
        result = json.loads(out)
        assert 'error' not in result, result['error']
        return result['end']

    def stop(self):
        """Ends it now, whatever state it is in."""
        for child in (self.client, self.server):
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
        self.client.communicate()
        self.server.wait()


@contextlib.contextmanager
def load(client, server, **kwargs):
    """Traffic while the block runs."""
    traffic = Traffic(client, server, **kwargs)
    try:
        time.sleep(0.5)
        yield traffic
    finally:
        traffic.stop()


def iperf(client, server, seconds=2, **kwargs):
    """Gb/s that the receiver got, and the sender's retransmissions."""
    end = Traffic(client, server, seconds=seconds, **kwargs).result()
    return (end['sum_received']['bits_per_second'] / 1e9,
            end['sum_sent']['retransmits'])


def iperf_to(client, server, addr):
    """The same, to another address of the server."""
    was, server.addr = server.addr, addr
    try:
        return iperf(client, server)
    finally:
        server.addr = was
