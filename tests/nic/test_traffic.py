#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ping of all sizes and iperf3 both ways, with and without offloads."""
from niclib import iperf, main, pair


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
        server, addr = b.addr, '10.7.0.2'
        b.addr = addr
        try:
            rate, _ = iperf(a, b)
        finally:
            b.addr = server
        assert rate > 0.01, rate
        assert a.stats()['dev_tx_tso_packets'] > before
        for end in (a, b):
            end.sh('ip', 'link', 'del', 'v7')


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
    from niclib import knob
    with pair() as (a, b):
        before = b.stats()['dev_rx_csum_bad']
        knob('nic1', 'x-corrupt-rx', 50)
        try:
            rate, again = iperf(a, b, seconds=2)
        finally:
            knob('nic1', 'x-corrupt-rx', 0)
        after = b.stats()['dev_rx_csum_bad']
        assert after > before and again > 0 and rate > 0, (after, again)


if __name__ == '__main__':
    main(test_ping_sizes, test_mtu_is_kept, test_vlan, test_iperf,
         test_many_streams, test_bad_checksums)
