#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Collectives by alink-bench on 8 xPUs while links and a switch fail: what goes on,
and how fast. KTAP.
"""
import contextlib
import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from colllib import (CONTROL_NS, PLANES, QUICK, TRIES, WIRE_NS,  # noqa: E402
                     bench, least, rows)
from guestlib import knob, main, read, sh, wait_for, write  # noqa: E402
from taplib import tests_of  # noqa: E402

# enum alink_down_reason: no signal
DOWN = 9
LARGE = 4 << 20


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


main(*tests_of(globals()))
