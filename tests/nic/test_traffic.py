#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ping of all sizes and iperf3 both ways, with and without offloads; packets
behind tags, in many pieces, and sent by who only polls."""
import contextlib
import errno
import mmap
import os
import random
import re
import socket
import tempfile
import threading

from niclib import PATIENCE, iperf, iperf_to, knob, main, pair, read, sh, \
    wait_for, write
from taplib import Skip


def test_ping_sizes():
    """Every packet comes back: around the buffer, frame and MTU limits."""
    with pair() as (a, b):
        sizes = {0, 1, 17, 18, 19, 56, 512, 1472, 3474, 3475, 3520, 7012,
                 7013, 8972}
        for mtu in (1500, 3502, 3503, 9000, 9216):
            for end in (a, b):
                end.mtu(mtu)
            # Each size once, with the smallest MTU that it fits in.
            fit = {s for s in sizes if s <= mtu - 28}
            sizes -= fit
            for size in sorted(fit | {mtu - 28}):
                a.ping(b, size=size, count=1)
            a.ping(b, size=mtu - 48, count=1, six=True)
            b.ping(a, size=mtu - 28, count=1)
        # larger than any frame: fragments
        a.ping(b, size=65000, df=False)
        a.ping(b, size=65000, df=False, six=True)
        a.fails('ping', '-c', '1', '-W', '1', '-M', 'do', '-s', '9300', b.addr)


def test_mtu_is_kept():
    """A frame larger than the receiver's MTU is dropped there, and counted."""
    with pair() as (a, b):
        a.mtu(9000)
        before = b.link()['stats64']['rx']['length_errors']
        a.fails('ping', '-c', '2', '-i', '0.2', '-W', '1', '-M', 'do',
                '-s', '4000', b.addr)
        after = b.link()['stats64']['rx']['length_errors']
        assert after - before >= 2, (before, after)


def test_vlan():
    """Offloads work behind a VLAN tag also."""
    with pair() as (a, b):
        for i, end in enumerate((a, b)):
            end.sh('ip', 'link', 'add', 'link', end.dev, 'name', 'v7', 'type',
                   'vlan', 'id', '7')
            end.sh('ip', 'addr', 'add', f'10.7.0.{i + 1}/24', 'dev', 'v7')
            end.sh('ip', 'link', 'set', 'v7', 'up')
        a.sh('ping', '-c', '2', '-i', '0.2', '-s', '1472', '-M', 'do',
             '10.7.0.2')
        before = a.stats()['dev_tx_tso_packets']
        rate, _ = iperf_to(a, b, '10.7.0.2')
        assert rate > 0, rate
        assert a.stats()['dev_tx_tso_packets'] > before
        for end in (a, b):
            end.sh('ip', 'link', 'del', 'v7')


def test_vlan_in_vlan():
    """Two tags: the device adds checksums but makes no segments. The MTU has
    room for one tag: a frame that the other makes too long is counted, by the
    receiver, or by the driver where the device takes none that long."""
    addr = '10.7.0.2'

    def ping(count, wait, size):
        return ['ping', '-c', str(count), '-i', '0.2', '-W', str(wait), '-M',
                'do', '-s', str(size), addr]

    with pair() as (a, b):
        for outer in ('802.1ad', '802.1Q'):
            for i, end in enumerate((a, b)):
                end.mtu(1504)
                end.sh('ip', 'link', 'add', 'link', end.dev, 'name', 's9',
                       'type', 'vlan', 'proto', outer, 'id', '9')
                end.sh('ip', 'link', 'set', 's9', 'up')
                end.sh('ip', 'link', 'add', 'link', 's9', 'name', 'c7', 'mtu',
                       '1500', 'type', 'vlan', 'id', '7')
                end.sh('ip', 'addr', 'add', f'10.7.0.{i + 1}/24', 'dev', 'c7')
                end.sh('ip', 'link', 'set', 'c7', 'up')
            a.sh(*ping(2, 5, 1472))
            before = a.stats()
            rate, _ = iperf_to(a, b, addr)
            after = a.stats()
            assert rate > 0, rate
            assert after['dev_tx_tso_packets'] == before['dev_tx_tso_packets']
            assert after['dev_tx_csum_packets'] > before['dev_tx_csum_packets']

            for end in (a, b):
                end.mtu(1500)
            a.sh(*ping(1, 5, 1468))
            before = b.link()['stats64']['rx']['length_errors']
            a.fails(*ping(2, 1, 1472))
            after = b.link()['stats64']['rx']['length_errors']
            assert after - before >= 2, (before, after)

            for end in (a, b):
                for dev in (end.dev, 's9', 'c7'):
                    end.sh('ip', 'link', 'set', dev, 'mtu', '9216')
            a.sh(*ping(1, 5, 9184))
            before = a.link()['stats64']['tx']['dropped']
            a.fails(*ping(2, 1, 9188))
            after = a.link()['stats64']['tx']['dropped']
            assert after - before >= 2, (before, after)
            for end in (a, b):
                end.sh('ip', 'link', 'del', 's9')


def test_most_fragments():
    """A packet of as many pieces as the kernel makes arrives as it was."""
    most, pages = int(read('/proc/sys/net/core/max_skb_frags')), 64
    zerocopy, msg_zerocopy = 60, 0x4000000
    rng = random.Random(most)
    mem = mmap.mmap(-1, pages * mmap.PAGESIZE)
    mem[:] = rng.randbytes(len(mem))
    view = memoryview(mem)

    def pieces(count, size):
        """Of different pages: no two of them are one."""
        starts = [page * mmap.PAGESIZE + rng.randrange(1000)
                  for page in rng.sample(range(pages), count)]
        return [view[at:at + size - i] for i, at in enumerate(starts)]

    with pair() as (a, b):
        with a.inside():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with b.inside():
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((b.addr, 0))
        with client, server:
            client.setsockopt(socket.SOL_SOCKET, zerocopy, 1)
            server.settimeout(PATIENCE)

            def send(count, size):
                parts = pieces(count, size)
                client.sendmsg(parts, [], msg_zerocopy, server.getsockname())
                assert server.recv(65536) == b''.join(parts), (count, size)

            for mtu, size in ((1500, 80), (9000, 500)):
                for end in (a, b):
                    end.mtu(mtu)
                for count in (1, 2, most - 1, most) * 25:
                    send(count, size)
            # None was copied, and each was a fragment: or this would do also.
            try:
                send(most + 1, size)
                refused = 0
            except OSError as e:
                refused = e.errno
            assert refused == errno.EMSGSIZE, refused


def test_pieces_of_a_file():
    """sendfile of what does not touch: each piece is a fragment, of frames and
    of what the device makes segments of, and arrives in its place."""
    rng = random.Random(4096)
    data = rng.randbytes(4 << 20)
    with pair() as (a, b), tempfile.TemporaryFile(dir='/run') as f:
        f.write(data)
        f.flush()
        for mtu, size in ((1500, 80), (1500, 3000), (9000, 500), (9000, 3000)):
            for end in (a, b):
                end.mtu(mtu)
            before = a.stats()['dev_tx_tso_packets']
            with b.inside():
                listener = socket.create_server((b.addr, 0))
            with a.inside():
                client = socket.create_connection(listener.getsockname(),
                                                  PATIENCE)
            server, _ = listener.accept()
            # Time-outs are for connect alone: sendfile must be able to wait.
            client.settimeout(None)
            got, want = [], []
            thread = threading.Thread(target=lambda s=server, g=got: g.extend(
                iter(lambda: s.recv(1 << 20), b'')))
            thread.start()
            with client, server, listener:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                starts = list(range(0, len(data), 4096))
                rng.shuffle(starts)
                for at in starts:
                    at += rng.randrange(4096 - size)
                    sent = os.sendfile(client.fileno(), f.fileno(), at, size)
                    want.append(data[at:at + sent])
                client.shutdown(socket.SHUT_WR)
                thread.join(PATIENCE)
                assert not thread.is_alive(), (mtu, size)
            assert b''.join(got) == b''.join(want), (mtu, size)
            if size > mtu:
                assert a.stats()['dev_tx_tso_packets'] > before, (mtu, size)


def test_iperf():
    """Both ways, each offload on and off; the device's counters agree."""
    with pair() as (a, b):
        old = [end.link()['stats64'] for end in (a, b)]
        all_ways = (('on', 'on', 'on'), ('off', 'on', 'on'),
                    ('off', 'off', 'on'), ('on', 'on', 'off'))
        for mtu, ways in ((1500, all_ways), (9000, all_ways[:1])):
            for end in (a, b):
                end.mtu(mtu)
            for tso, tx, rx in ways:
                for end in (a, b):
                    end.features(tx=tx, rx=rx)
                    end.features(tso=tso)
                for reverse in (False, True):
                    sender = b if reverse else a
                    before = sender.stats()
                    rate, again = iperf(a, b, seconds=1, reverse=reverse)
                    after = sender.stats()
                    print(f'# mtu {mtu} tso {tso} tx-csum {tx} rx-csum {rx} '
                          f'{"from" if reverse else "to"} the server: '
                          f'{rate:.2f} Gb/s, {again} again')
                    assert rate > 0, rate
                    used = {k: after[k] - before[k] for k in after}
                    assert (used['dev_tx_tso_packets'] > 0) == (tso == 'on')
                    # ACKs and ICMP need none of it
                    assert (used['dev_tx_csum_packets'] > 0) == (tx == 'on')
        for end, was in zip((a, b), old):
            stats = end.link()['stats64']
            bad = {k: v for way in ('rx', 'tx') for k, v in stats[way].items()
                   if ('err' in k or k == 'dropped') and v != was[way][k]}
            assert not bad, (end.ns, bad)
            assert not end.stats()['dev_tx_refused']


def test_many_streams():
    """Four streams at once, both ways"""
    with pair() as (a, b):
        rate, _ = iperf(a, b, seconds=3, streams=4)
        assert rate > 0, rate
        rate, _ = iperf(a, b, seconds=2, streams=4, reverse=True)
        assert rate > 0, rate


def test_bad_checksums():
    """A frame that was changed on its way is found by its checksum."""
    with pair() as (a, b):
        before = b.stats()['dev_rx_csum_bad']
        knob('nic1', 'x-corrupt-rx', 50)
        try:
            rate, again = iperf(a, b, seconds=2)
        finally:
            knob('nic1', 'x-corrupt-rx', 0)
        after = b.stats()['dev_rx_csum_bad']
        assert after > before and again > 0 and rate > 0, (after, again)


@contextlib.contextmanager
def netconsole(client, server, port):
    """The kernel log also goes from one end to a UDP port of the other."""
    top = '/run/configfs'
    target = f'{top}/netconsole/nic'
    os.makedirs(top, exist_ok=True)
    sh('mount', '-t', 'configfs', 'configfs', top)
    try:
        os.mkdir(target)
        for name, value in (('dev_name', client.dev),
                            ('local_ip', client.addr),
                            ('remote_ip', server.addr),
                            ('remote_port', port),
                            ('remote_mac', server.link()['address'])):
            write(f'{target}/{name}', str(value))
        with client.inside():
            write(f'{target}/enabled', '1')
        yield
        write(f'{target}/enabled', '0')
    finally:
        # One that is still enabled is disabled by this.
        os.rmdir(target)
        sh('umount', top)
        sh('rmmod', 'netconsole')


@contextlib.contextmanager
def traced(event):
    """A file with what the event has traced since the block began."""
    top = '/sys/kernel/tracing'
    if not os.path.exists(f'{top}/trace'):
        sh('mount', '-t', 'tracefs', 'tracefs', top)
    instance = f'{top}/instances/nic'
    os.mkdir(instance)
    try:
        write(f'{instance}/events/{event}/enable', '1')
        yield f'{instance}/trace'
        write(f'{instance}/events/{event}/enable', '0')
    finally:
        os.rmdir(instance)


@contextlib.contextmanager
def one_packet_at_a_time(end):
    """One queue, which is stopped until the packet that was sent is freed."""
    shown = end.sh('ethtool', '-l', end.dev)
    now = re.findall(r'Combined:\s+(\d+)', shown)[-1]
    limit = f'/sys/class/net/{end.dev}/queues/tx-0/byte_queue_limits/limit_max'
    end.sh('ethtool', '-L', end.dev, 'combined', '1')
    end.sh('sh', '-c', f'echo 0 >{limit}')
    try:
        yield
    finally:
        end.sh('sh', '-c', f'echo max >{limit}')
        end.sh('ethtool', '-L', end.dev, 'combined', now)


def test_netpoll():
    """netpoll calls poll with a budget of 0: that frees what was sent, takes
    no frame, and says so. Without interrupts nobody else does, but for the
    service task, once a second."""
    count = 60
    try:
        sh('modprobe', 'netconsole')
    except AssertionError as e:
        raise Skip('this kernel is built without netconsole') from e
    # pylint: disable-next=used-before-assignment
    with pair() as (a, b), one_packet_at_a_time(a):
        with b.inside():
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.bind((b.addr, 0))
        server.settimeout(PATIENCE)
        # The limit of the queue takes effect when a packet is freed.
        a.ping_works(b)
        before = a.link()['stats64']['tx']['packets']
        with server, netconsole(a, b, server.getsockname()[1]), \
                traced('napi/napi_poll') as trace:
            knob('nic0', 'x-lose-irqs', 1 << 30)
            try:
                for i in range(count):
                    # Without its end the kernel would wait for more of it.
                    line = f'alink netpoll {i}.\n'
                    write('/dev/kmsg', f'<5>{line}')
                    while line.encode() not in server.recv(65536):
                        pass
            finally:
                knob('nic0', 'x-lose-irqs', 0)
            form = rf' for device {a.dev} work (\d+) budget (\d+)'
            polls = [(int(work), int(budget))
                     for work, budget in re.findall(form, read(trace))]
        empty = [work for work, budget in polls if not budget]
        others = len(polls) - len(empty)
        print(f'# {len(empty)} polls with budget 0, {others} others')
        assert not any(empty), polls
        assert len(empty) > count // 2 > others, (len(empty), others)
        wait_for('all is freed', lambda: a.link()['stats64']['tx']['packets']
                 >= before + count)
        b.ping_works(a)


if __name__ == '__main__':
    main(test_ping_sizes, test_mtu_is_kept, test_vlan, test_vlan_in_vlan,
         test_most_fragments, test_pieces_of_a_file, test_iperf,
         test_many_streams, test_bad_checksums, test_netpoll)
