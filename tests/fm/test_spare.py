#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Spare planes: the manager makes routes so, and the hardware needs nobody. KTAP."""
import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from fmlib import (BAD_CONFIG, CONFIG, Manager, alink, become,  # noqa: E402
                   configure, data, driver, log, name_of, set_link, state)
from guestlib import PATIENCE, knob, wait_for, write  # noqa: E402
from taplib import main, tests_of  # noqa: E402

SPARE = 'planes = { spare = [ 1 ]; };'
# How often times are taken until both are of links that nobody else used
TRIES = 5
PLAIN, SPARED = ([0, 1], []), ([0], [1])


def routes():
    """Links and spares of the routes of all xPUs, those that there are"""
    names = {name_of('xpu', i) for i in range(3)}
    return [(r['ports'], r['spares']) for r in data('route', 'show')
            if r['device'] in names]


def become_routes(want):
    """Waits until all are so."""
    try:
        wait_for('routes', lambda: routes() == [want] * 6, PATIENCE)
    except AssertionError as err:
        raise AssertionError(f'{err}: {routes()}: {log()}') from err


def used():
    """Links that carry what xPU 0 writes to xPU 1, and what is said of the spare"""
    names = name_of('xpu', 0), name_of('xpu', 1)
    path = data('path', *names)
    assert [l['link'] for l in path['links'] if l['spare']] == [1], path
    lines = alink('path', *names)[1].splitlines()
    return [l['link'] for l in path['links'] if l['used']], next(
        line.split('; ')[-1] for line in lines if 'spare that' in line or
        'idle spare' in line)


def shown():
    """Planes that the manager says are spare, to programs and to people"""
    planes = data('fm', 'show')['spare_planes']
    told = re.findall(r'^spares: +planes (.*)$', alink('fm', 'show')[1], re.M)
    assert told == ([','.join(map(str, planes))] if planes else []), told
    return planes


IDLE, STANDS_IN = ([0], 'an idle spare'), ([1], 'a spare that stands in')


def test_bad_configuration():
    """Each line that is wrong is named."""
    for text, *says in (
            ('planes = 3;', ':3: planes: { spare = [ 3 ]; } is wanted'),
            ('planes = {\n  spare = 3;\n};',
             ':4: spare: a list of planes is wanted, [ 3 ]'),
            ('planes = {\n  spare = [ 64,\n  1,\n  1 ];\n  spares = [ 1 ];\n};',
             ':4: entry: a number from 0 to 63 is wanted',
             ':6: spare: plane 1 is there already',
             ':7: spares: no such setting')):
        configure(text)
        done = subprocess.run(['alinkfmd', '--check-config', '--config', CONFIG],
                              capture_output=True, text=True, check=False)
        assert done.returncode == BAD_CONFIG, (text, done)
        for line in says:
            assert CONFIG + line in done.stderr, (line, done.stderr)
        assert done.stderr.count(CONFIG) == len(says), done.stderr
    configure(SPARE)
    subprocess.run(['alinkfmd', '--check-config', '--config', CONFIG], check=True)


def test_written_and_kept():
    """By who finds them missing or different, and by nobody else."""
    configure(SPARE)
    with Manager() as m:
        become_routes(SPARED)
        assert used() == IDLE, used()
        m.kill()
    with Manager(anew=False) as m:
        assert 'routes written' not in log(), log()
        m.kill()
    # Where the spare is not one, and where another one is.
    for links, spare in (('0-1', ()), ('1', ('spare', '0'))):
        assert alink('route', 'add', name_of('xpu', 0), '2', links, *spare)[0] == 0
    with Manager(anew=False):
        become_routes(SPARED)
        assert '1 routes written: 0 missing, 1 different' in log(), log()


def test_reload():
    """Planes become spare, and are like the others again."""
    configure()
    with Manager() as m:
        become_routes(PLAIN)
        assert shown() == [], shown()
        for text, want in ((SPARE, SPARED),
                           ('planes = { spare = [ 0 ]; };', ([1], [0])),
                           # None is left that they could be spare for.
                           ('planes = { spare = [ 0, 1 ]; };', PLAIN),
                           (SPARE, SPARED), ('', PLAIN)):
            configure(text)
            m.child.send_signal(signal.SIGHUP)
            become_routes(want)
            assert shown() == [int(n) for n in re.findall(r'\d', text)], text


def test_stands_in():
    """A link that dies: nothing is written, and the spare carries its part."""
    configure(SPARE)
    with Manager() as m:
        before = log().count('written')
        set_link(0, 0, 'up', 'down')
        become(0, 'degraded', '1 of 2 links')
        assert used() == STANDS_IN, used()
        assert routes() == [SPARED] * 6
        set_link(0, 0, 'up')
        become(0, 'completed')
        assert used() == IDLE, used()
        assert log().count('written') == before, log()
        # That of the spare takes nothing from anybody.
        set_link(1, 1, 'up', 'down')
        become(1, 'degraded', '1 of 2 links')
        path = data('path', name_of('xpu', 0), name_of('xpu', 1))
        assert (path['usable_links'], path['bottleneck']) == (1, None), path
        set_link(1, 1, 'up')
        m.wait()


def modelled():
    """Time of an all-reduce by the switches, as alink-bench makes it of what the
    devices count; the least, as contention is real where the host is busy"""
    found = []
    for _ in range(5):
        done = subprocess.run(
            ['alink-bench', 'allreduce', '-n', '2', '-b', '256K', '-e', '256K',
             '--algo', 'switch', '--iters', '1', '-j'],
            stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(done.stdout)['data']['rows'][0]['modelled_ns'])
    return min(found)


def test_modelled_time():
    """A spare that is idle is no link: all takes as long as when it is dead."""
    configure(SPARE)
    with Manager() as m:
        become_routes(SPARED)
        idle = dead = float('inf')
        for _ in range(TRIES):
            idle = min(idle, modelled())
            for xpu in 0, 1:
                set_link(xpu, 1, 'up', 'down')
            dead = min(dead, modelled())
            for xpu in 0, 1:
                set_link(xpu, 1, 'up')
                become(xpu, 'completed')
            if abs(idle / dead - 1) < 0.01:
                break
        assert abs(idle / dead - 1) < 0.01, (idle, dead)
        m.wait()


def test_switch_gone():
    """What is not seen any more is still what the spare stands in for."""
    configure(SPARE)
    with Manager() as m:
        pci, folder = driver(name_of('switch', 0))
        write(f'{folder}/unbind', pci)
        try:
            become(0, 'degraded', 'plane 0 is not there')
            assert routes() == [SPARED] * 6, (routes(), log())
            assert used() == STANDS_IN, used()
        finally:
            write(f'{folder}/bind', pci)
        m.wait()
        assert routes() == [SPARED] * 6, (routes(), log())
        assert used() == IDLE, used()


def test_switch_lost():
    """The same of one that reads all ones, and keeps its driver."""
    configure(SPARE)
    with Manager() as m:
        name = name_of('switch', 0)
        pci, folder = driver(name)
        before = log().count('routes written')
        knob(name, 'x-dead', True)
        try:
            become(0, 'degraded', 'plane 0 is not there')
            wait_for('lost', lambda: state(name) == 'lost', PATIENCE)
            assert routes() == [SPARED] * 6, (routes(), log())
            assert used() == STANDS_IN, used()
        finally:
            write(f'{folder}/unbind', pci)
            knob(name, 'x-dead', False)
            write(f'{folder}/bind', pci)
        m.wait()
        assert routes() == [SPARED] * 6, (routes(), log())
        # Those of the switch itself, which has lost them
        assert log().count('routes written') <= before + 1, log()


if __name__ == '__main__':
    main(*tests_of(globals()))
