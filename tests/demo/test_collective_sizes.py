#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Collectives by alink-bench on 8 xPUs: results of all types, operations, sizes
and numbers of ranks; bytes on the links and modelled time are what the
algorithms promise. KTAP.
"""
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import knob, main, read, sh, wait_for, write  # noqa: E402
from taplib import tests_of  # noqa: E402

PLANES = 8
# Documentation/hw: ns a byte takes on all links of an xPU, with the headers of its
# packets; and what a packet without payload for each of them takes there
WIRE_NS = 8000 * (1 + 16 / 256) / (PLANES * 400000)
CONTROL_NS = 8000 * 16 / 256 / (PLANES * 400000)
# enum alink_down_reason: no signal
DOWN = 9
QUICK = ('--iters', '1')
LARGE = 4 << 20
# How often a time is taken until it is one of links that nobody else used
TRIES = 5


def bench(*args, status=0, says=''):
    """Runs it: what it prints."""
    done = subprocess.run(['alink-bench', *args], capture_output=True, text=True,
                          timeout=240, check=False)
    assert done.returncode == status, (args, done.returncode, done.stdout,
                                       done.stderr)
    assert says in done.stderr, (args, done.stderr)
    return done.stdout


def rows(*args):
    """Lines, as JSON; each was looked at, and nothing was wrong."""
    data = json.loads(bench(*args, *QUICK, '-j'))['data']
    assert data['wrong'] == 0 and data['rows'], data
    for row in data['rows']:
        assert row['wrong'] == 0 or row['collective'] == 'barrier' or \
            '--no-check' in args, row
    return data['rows']


def key_of(row):
    """What a row is of: collective, size, algorithm"""
    return row['collective'], row['size_bytes'], row['algorithm']


def least(found, got):
    """The modelled times {key_of(row): ns} with those of the rows GOT, where these
    are less. What waits for a link that another rank's step still keeps
    busy counts that, and when a step begins is up to the host: no time is below
    that of an idle link."""
    for row in got:
        took = row['modelled_ns']
        if took is not None:
            found[key_of(row)] = min(took, found.get(key_of(row), took))
    return found


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


def cut(plane, port, reason):
    """Faults a port of a switch, or with 0 mends it."""
    knob(f'sw{plane}', 'x-link-fault', f'{port}:{reason}')


def up(plane):
    """Is the first xPU's link to it up?"""
    ports = json.loads(sh('alink', '-j', 'port', 'show', f'sw{plane}'))['data']
    return any(p['link'] == 0 and p['state'] == 'up' for p in ports)


@contextlib.contextmanager
def without(planes):
    """The first xPU has no link to these planes."""
    try:
        for plane in planes:
            cut(plane, 0, DOWN)
        yield
    finally:
        for plane in planes:
            cut(plane, 0, 0)
        for plane in planes:
            wait_for(f'plane {plane}', lambda p=plane: up(p))


def test_links_fail_in_a_collective():
    """Again and again, the same port too: the other planes carry it."""
    stop, cuts = threading.Event(), []

    def flap():
        while not stop.is_set():
            for reason in DOWN, 0:
                cut(2, 3, reason)
                cut(5, 0, reason)
                time.sleep(0.02)
            cuts.append(1)
    thread = threading.Thread(target=flap)
    thread.start()
    try:
        data = json.loads(bench('allreduce', '-b', '64K', '-e', '256K', '-f',
                                '2', '--iters', '20', '-j', '--algo',
                                'switch,ring'))['data']
    finally:
        stop.set()
        thread.join()
    assert data['wrong'] == 0 and len(data['rows']) == 6, data
    assert len(cuts) > 2, cuts


def test_half_of_the_planes():
    """The rest carries all of it; with none left it is an error that says so,
    and once they are back all is as before."""
    with without(range(PLANES // 2)):
        half = rows('allreduce', '-b', '256K', '-e', '256K')
    with without(range(PLANES)):
        bench('allreduce', '-b', '4K', '-e', '4K', *QUICK, status=1,
              says='port down')
    whole = rows('allreduce', '-b', '256K', '-e', '256K')
    for a, b in zip(half, whole):
        assert a['modelled_ns'] > b['modelled_ns'], (a, b)
        assert a['sent_bytes'] == b['sent_bytes'], (a, b)


# Of 10^15 bits, how many come in wrong where a link keeps its rate, halves it, runs
# at a quarter of it, and goes down
RAMP = 10 ** 11, 10 ** 12, 2 * 10 ** 13, 2 * 10 ** 14
# How much longer an all-reduce takes then: as all wait for the plane that is slow,
# it costs more than a plane that is dead, whose part the seven others carry.
SLOWER = (0.98, 1.02), (1.8, 2.05), (3.4, 4.1), (1.05, 1.2)


def wrong_bits(count):
    """The port of plane 2 to the fourth xPU gets so many wrong."""
    knob('sw2', 'x-ber', f'3:{count}')


def quickest():
    """Modelled time of a large all-reduce on idle links"""
    return min(least({}, rows('allreduce', '--algo', 'switch', '-b', str(LARGE),
                              '-e', str(LARGE), '--no-check')).popitem()[1]
               for _ in range(3))


# A plane that is torn out
TORN = 6


def torn_out_under(algorithms):
    """A whole switch goes without a word while all-reduces run."""
    with subprocess.Popen(
            ['alink-bench', 'allreduce', '-b', '64K', '-e', '64K', '--iters', '1000',
             '-j', '--algo', algorithms], stdout=subprocess.PIPE, text=True,
            stderr=subprocess.PIPE) as child:
        before = reductions()
        wait_for('all-reduces', lambda: reductions() > before + 100 or
                 child.poll() is not None)
        assert child.poll() is None, child.communicate()
        knob(f'sw{TORN}', 'x-dead', True)
        after = reductions()
        wait_for('more of them', lambda: reductions() > after + 100 or
                 child.poll() is not None)
        out, err = child.communicate(timeout=240)
    assert not child.returncode, (child.returncode, err)
    assert json.loads(out)['data']['wrong'] == 0, out


def reductions():
    """That the first switch has done"""
    return sum(g['reductions'] for g in json.loads(sh('alink', '-j', 'group', 'show'))[
        'data'] if g['device'] == 'sw0')


def test_switch_is_torn_out():
    """What runs goes on without it and without an error, on seven eighths of the
    links; what comes back has its part again once it has its tables."""
    whole = quickest()
    driver = '/sys/bus/pci/drivers/alink_switch'
    pci = os.path.basename(os.path.realpath(f'/sys/class/alink/sw{TORN}/device'))
    try:
        torn_out_under('switch')
        wait_for('lost', lambda: read(
            f'/sys/class/alink/sw{TORN}/state') == 'lost')
        # All but the links takes as long as before.
        want = whole + LARGE * ((1 + 1 / 8) * WIRE_NS + CONTROL_NS) / (PLANES - 1)
        left = float('inf')
        for _ in range(TRIES):
            left = min(left, quickest())
            if abs(left / want - 1) < 0.01:
                break
        assert abs(left / want - 1) < 0.01, (left, whole, want)
    finally:
        write(f'{driver}/unbind', pci)
        knob(f'sw{TORN}', 'x-dead', False)
        write(f'{driver}/bind', pci)
        wait_for('the switch', lambda: read(
            f'/sys/class/alink/sw{TORN}/state') == 'ready')
        sh('alink', 'fabric', 'up')
        wait_for('its links', lambda: up(TORN))
    again = quickest()
    assert 0.98 < again / whole < 1.02, (again, whole)


def ramps_under(algorithms, counts):
    """Runs all-reduces while the port gets so many bits wrong, again and again;
    how often all of them were gone through."""
    stop, ramps = threading.Event(), []

    def ramp():
        while not stop.is_set():
            for count in counts:
                wrong_bits(count)
                time.sleep(0.02)
            ramps.append(1)
    thread = threading.Thread(target=ramp)
    thread.start()
    try:
        data = json.loads(bench('allreduce', '-b', '64K', '-e', '256K', '-f',
                                '2', '--iters', '20', '-j', '--algo',
                                algorithms))['data']
    finally:
        stop.set()
        thread.join()
    assert data['wrong'] == 0 and ramps, (data, ramps)
    assert len(data['rows']) == 3 * len(algorithms.split(',')), data
    return len(ramps)


def test_signal_gets_worse():
    """Of a port, step by step, while all-reduces run: none of them fails, but for
    pushes, which a link that goes down may end. The link lowers its rate before,
    and has all of it after training."""
    whole = quickest()
    try:
        ramps_under('push', (*RAMP[:-1], 0))
        downs = ramps_under('switch,ring', (*RAMP, 0))
        for count, (least_, most) in zip(RAMP, SLOWER):
            wrong_bits(count)
            slower = quickest() / whole
            assert least_ < slower < most, (count, slower)
    finally:
        wrong_bits(0)
        sh('ip', 'link', 'set', 'sw2p3', 'up')
        sh('ethtool', '-r', 'sw2p3')
    again = quickest()
    assert 0.98 < again / whole < 1.02, (again, whole)
    port = [p for p in json.loads(sh('alink', '-j', 'port', 'show', 'sw2'))[
        'data'] if p['link'] == 3][0]
    assert port['speed_mbps'] == port['max_speed_mbps'], port
    assert port['stats']['fec_corrected'] > 0, port
    # A link that comes up has its full rate again, and loses a code word each time
    # that it is too much.
    assert port['stats']['fec_uncorrectable'] >= 3 * downs, (port, downs)


def test_refusals():
    """Before anything is begun, and naming what it is"""
    bench('allreduce', '-n', '9', status=6, says='9 ranks')
    bench('reduce', '-r', '8', '-b', '1K', '-e', '1K', status=2, says='root 8')
    bench('reduce', '--algo', 'push', status=2, says='allreduce only')


main(*tests_of(globals()))
