#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Collectives by alink-bench on 8 xPUs: results of all types, operations, sizes
and numbers of ranks; bytes on the links and modelled time are what the
algorithms promise. KTAP.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from colllib import (CONTROL_NS, PLANES, QUICK, TRIES, WIRE_NS,  # noqa: E402
                     bench, key_of, least, rows)
from guestlib import main, sh  # noqa: E402
from taplib import tests_of  # noqa: E402


def test_types_and_operations():
    """All of them, with a size that is no multiple of anything"""
    found = rows('allreduce', '-d', 'all', '-o', 'all', '-b', '1000', '-e',
                 '1000')
    assert len(found) == 6 * 3 * 3, found
    assert len({(r['type'], r['op'], r['algorithm']) for r in found}) == 54


def test_sizes():
    """From one element to more than a share of packets"""
    for kind in 'reduce', 'reduce-scatter', 'broadcast', 'allgather', \
            'alltoall':
        found = rows(kind, '-b', '1', '-e', '100001', '-f', '316', '-d',
                     'fp16', *(('-r', '6') if kind in ('reduce', 'broadcast')
                               else ()))
        assert len(found) == (3 if kind == 'alltoall' else 6), found


def test_ranks():
    """Numbers that are no powers of two, and one"""
    for kind, ranks in (('allreduce', '1'), ('alltoall', '1'), ('reduce', '3'),
                        ('allreduce', '7'), ('reduce-scatter', '5'),
                        ('allgather', '6'), ('alltoall', '3'),
                        ('barrier', '7')):
        rows(kind, '-n', ranks, '-b', '4K', '-e', '4K', '-d', 'int32')


def test_bytes_on_links():
    """Words apart, of which each is 8 bytes: a ring sends 2 (n - 1) / n of the
    data, the switches take 1 + 1 / n, and 2 ranks gain nothing by them, or by a
    push just the data."""
    size = 1 << 18
    for n in 2, 8:
        sent = {r['algorithm']: r['sent_bytes'] for r in
                rows('allreduce', '-n', str(n), '-b', '256K', '-e', '256K')}
        assert sent['ring'] == 2 * (n - 1) * size // n + 8 * (2 * n - 1), sent
        assert sent['switch'] == size + size // n + 8 * 2, sent
        assert sent['push'] == size, sent


def test_modelled_time():
    """Of 8 ranks the switches need at most a third of the ring's, large and
    small, and a push less than three quarters of that; of a chain no time is
    given."""
    found = rows('allreduce', '-b', '1K', '-e', '256K', '-f', '256')
    for size in {r['size_bytes'] for r in found}:
        took = {r['algorithm']: r['modelled_ns'] for r in found
                if r['size_bytes'] == size}
        assert 0 < 3 * took['switch'] <= took['ring'], (size, took)
        assert 0 < 4 * took['push'] < 3 * took['switch'], (size, took)
    took = {r['algorithm']: r['modelled_ns'] for r in
            rows('broadcast', '-b', '1K', '-e', '1K')}
    assert took['ring'] is None and took['switch'] > 0, took


def growth(n, found):
    """Modelled ns of an allreduce that each byte more takes, by algorithm"""
    small, large = 1 << 20, 4 << 20
    took = {(a, s): ns for (_, s, a), ns in least(found, rows(
        'allreduce', '-n', str(n), '-b', '1M', '-e', '4M', '-f', '4')).items()}
    return {algo: (took[algo, large] - took[algo, small]) / (large - small)
            for algo in ('ring', 'switch', 'push')}, took


def check_growth(n, each, took):
    """What the busiest link carries: a push of 2 ranks gains nothing by that."""
    ring = 2 * (n - 1) / n * WIRE_NS
    # Data, result, and requests and responses without payload
    switch = (1 + 1 / n) * WIRE_NS + CONTROL_NS
    assert abs(each['ring'] / ring - 1) < 0.01, (n, each, ring)
    assert abs(each['switch'] / switch - 1) < 0.01, (n, each, switch)
    # Some more descriptors of 100 ns
    assert abs(each['push'] / WIRE_NS - 1) < 0.02, (n, each)
    if n == 2:
        large = 4 << 20
        assert took['ring', large] < took['switch', large], took


def test_modelled_time_of_large_ones():
    """It is that of the links: 8 ranks gain by the switches, 1.75 times by pushes; 2
    ranks lose by reducing reads, and gain nothing by pushes."""
    for n in 2, 8:
        found = {}
        for left in reversed(range(TRIES)):
            try:
                check_growth(n, *growth(n, found))
                break
            except AssertionError:
                if not left:
                    raise


def test_formula():
    """The devices count what libalink's formulas say, to one in a hundred."""
    for kind in 'allreduce', 'reduce', 'reduce-scatter', 'broadcast', \
            'allgather', 'barrier':
        for n in '2', '8':
            took = {}
            for _ in range(TRIES):
                got = rows(kind, '-n', n, '-b', '1K', '-e', '1M', '-f', '1024',
                           '--no-check')
                says = {key_of(r): r['formula_ns'] for r in got}
                assert min(says.values()) > 0, says
                took = least(took, got)
                bad = {k: (ns, says[k]) for k, ns in took.items()
                       if abs(ns / says[k] - 1) >= 0.01}
                if not bad:
                    break
            assert took and not bad, bad
    assert rows('alltoall', '-b', '1K', '-e', '1K', '--no-check')[0][
        'formula_ns'] is None


def chosen(kind, n):
    """{size: algorithms whose modelled time is that of "auto"}, which is the
    least"""
    found = {}
    for _ in range(TRIES):
        found = least(found, rows(kind, '-n', n, '-b', '32K', '-e', '4M', '-f',
                                  '128', '--algo', 'all', '--no-check'))
        out, worse = [], []
        for size in sorted({s for _, s, _ in found}):
            took = {a: ns for (_, s, a), ns in found.items() if s == size}
            auto = took.pop('auto')
            if auto >= 1.005 * min(took.values()):
                worse.append((kind, n, size, auto, took))
            out.append({a for a, ns in took.items()
                        if abs(ns / auto - 1) < 0.005})
        if not worse and all(out):
            break
    assert not worse, worse
    return out


def test_choice():
    """By size and by group: what one rank sends to all is better sent once, but
    for large blocks of few, as a ring leaves out the way back to the sender."""
    for kind in 'reduce-scatter', 'allgather':
        assert chosen(kind, '3') == [{'switch'}, {'ring'}], kind
        assert chosen(kind, '8') == [{'switch'}, {'switch'}], kind
    for n in '2', '8':
        assert chosen('allreduce', n) == [{'push'}, {'push'}], n


def counted(name):
    """What all switches say of pushes"""
    told = [sh('devlink', 'health', 'diagnose', 'pci/' + os.path.basename(
        os.path.realpath(f'/sys/class/alink/sw{p}/device')), 'reporter', 'asic')
            for p in range(PLANES)]
    return sum(int(re.search(rf'\b{name}: (\d+)', text)[1]) for text in told)


def test_counters_of_pushes():
    """Chunks of 32 KiB of 8 ranks, in each plane; and nothing amiss"""
    bad = 'push_waits', 'push_timeouts', 'push_aborts', 'push_late'
    before = [counted(name) for name in bad]
    pushes = counted('pushes')
    rows('allreduce', '--algo', 'push', '-b', '256K', '-e', '256K')
    # Each line is run for its counters, and again for its time.
    assert counted('pushes') - pushes == 2 * 8 * PLANES
    assert [counted(name) for name in bad] == before
    assert counted('push_slots') == 16 * PLANES
    assert counted('push_slots_used') == 0


def test_table():
    """The columns of nccl-tests"""
    out = bench('allreduce', '-b', '1K', '-e', '4K', *QUICK).splitlines()
    assert 'algbw' in out[1] and '#wrong' in out[1], out
    assert len(out) == 3 + 6, out
    assert out[3].split()[:6] == ['1024', '256', 'fp32', 'sum', '-', 'switch']
    assert out[5].split()[:6] == ['1024', '256', 'fp32', 'sum', '-', 'push']


def test_a_wrong_bit_is_found():
    """By each algorithm"""
    for kind in 'allreduce', 'reduce-scatter', 'alltoall':
        out = bench(kind, '-b', '1K', '-e', '1K', '-d', 'int32', '--spoil', '0',
                    *QUICK, '-j', status=1)
        for row in json.loads(out)['data']['rows']:
            assert row['wrong'] > 0, row


def test_refusals():
    """Before anything is begun, and naming what it is"""
    bench('allreduce', '-n', '9', status=6, says='9 ranks')
    bench('reduce', '-r', '8', '-b', '1K', '-e', '1K', status=2, says='root 8')
    bench('reduce', '--algo', 'push', status=2, says='allreduce only')


main(*tests_of(globals()))
