#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the fabric manager does about failures, by its table. KTAP."""
import contextlib
import json
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from fmlib import (STATE, Manager, alink, become, configure, data,  # noqa: E402
                   driver, log, name_of, partitions, set_link,
                   stages, state, usable)
from guestlib import PATIENCE, knob, wait_for, write  # noqa: E402
from taplib import main, tests_of  # noqa: E402


def policy(members='0, 1', spares='2', least=1, **actions):
    """A configuration with one partition"""
    table = ' '.join(f'{k} = "{v}";' for k, v in actions.items())
    configure(f'partitions = ( {{ id = 1; xpus = [ {members} ]; '
              f'spares = [ {spares} ]; min_links = {least}; }} );\n'
              f'policy = {{ {table} }};')


@contextlib.contextmanager
def unbound(kind, number):
    """The device has no driver."""
    pci, folder = driver(name_of(kind, number))
    write(f'{folder}/unbind', pci)
    try:
        yield
    finally:
        write(f'{folder}/bind', pci)
        wait_for(f'{kind} {number}', lambda: name_of(kind, number), PATIENCE)


def enable(xpu):
    """By hand, when it is there again."""
    code, _, err = alink('fm', 'enable', xpu)
    assert not code, err


def test_xpu_leaves():
    """It fails, and stays out when it comes back, until somebody says so."""
    policy(xpu='disable-xpu')
    with Manager() as m:
        assert partitions() == {0: 1, 1: 1}
        with unbound('xpu', 1):
            become(1, 'disabled', 'xPU 1 is gone')
            assert partitions() == {0: 1}
        assert stages()[1][0] == 'disabled' and not usable(0, 1)
        m.kill()
    with Manager(anew=False, whole=False):
        become(1, 'disabled', 'failed before this manager')
        assert partitions() == {0: 1}
        enable(name_of('xpu', 1))
        assert stages()[1][0] == 'completed' and usable(0, 1) == 2


def test_spare():
    """It takes the place, across a death of the manager, and gives it back."""
    policy(xpu='spare')
    with Manager() as m:
        assert stages()[2] == ('not-started', 'a spare', 0)
        with unbound('xpu', 0):
            become(0, 'disabled', 'xPU 0 is gone')
            become(2, 'completed')
            assert partitions() == {1: 1, 2: 1} and usable(1, 2) == 2
            assert 'xPU 2 takes the place of xPU 0' in log()
            m.kill()
        with open(STATE, encoding='utf-8') as f:
            kept = json.load(f)
        assert {'xpu': 2, 'out': False, 'by_hand': False, 'spare_for': 0} in \
            kept['xpus'], kept
    with Manager(anew=False, whole=False):
        become(2, 'completed')
        assert partitions() == {1: 1, 2: 1}
        assert 'written' not in log().replace('xpu0:', ''), log()
        enable('0')
        assert partitions() == {0: 1, 1: 1}
        assert stages()[2] == ('not-started', 'a spare', 0)


@contextlib.contextmanager
def resets(kind, number, lasts_s):
    """A reset that somebody asked for, and that takes so long"""
    name = name_of(kind, number)
    pci = driver(name)[0]
    knob(name, 'x-reset-us', lasts_s * 1000000)
    thread = threading.Thread(target=lambda: fails(
        write, f'/sys/bus/pci/devices/{pci}/reset', '1'))
    thread.start()
    try:
        wait_for('its reset', lambda: state(name) != 'ready', PATIENCE)
        yield
    finally:
        thread.join()
        knob(name, 'x-reset-us', 0)
        write(f'/sys/bus/pci/devices/{pci}/reset', '1')
        wait_for(f'{kind} {number}', lambda: state(name) == 'ready', PATIENCE)


def fails(what, *args):
    """It may."""
    with contextlib.suppress(OSError):
        what(*args)


def test_reset_that_fails():
    """A spare takes the place of who does not come back from one."""
    policy(xpu='spare')
    with Manager() as m:
        with resets('xpu', 0, 600):
            become(0, 'disabled', 'is failed')
            become(2, 'completed')
            assert partitions() == {1: 1, 2: 1}
        enable('0')
        m.wait()
        assert partitions() == {0: 1, 1: 1}


def test_spare_with_other_plans():
    """What a configuration has a place for stands in for nobody any more, after a
    reload and after a restart."""
    policy(xpu='spare')
    with Manager() as m:
        with unbound('xpu', 0):
            become(2, 'completed')
            assert partitions() == {1: 1, 2: 1}
            configure('partitions = ( { id = 1; xpus = [ 0, 1 ]; }, '
                      '{ id = 2; xpus = [ 2 ]; } );')
            assert alink('fm', 'reload')[0] == 0, log()
            assert partitions() == {1: 1, 2: 2}, log()
            assert {x['spare_for'] for x in data('fm', 'show')['xpus']} == {None}
            m.kill()
            with Manager(anew=False, whole=False):
                become(2, 'completed')
                assert partitions() == {1: 1, 2: 2}, log()


def test_no_spare_left():
    """The spare fails too: said so, and the rest goes on."""
    policy(xpu='spare')
    with Manager():
        with unbound('xpu', 0):
            become(2, 'completed')
            with unbound('xpu', 2):
                become(2, 'disabled')
                assert partitions() == {1: 1}
                assert 'xPU 2 failed, and there is no spare' in log(), log()


def test_too_few_links():
    """Fewer than a member needs: it leaves; more than that is degraded."""
    policy(links='disable-xpu', least=2)
    with Manager() as m:
        set_link(1, 0, 'up', 'down')
        become(1, 'disabled', '1 of 2 links are up, 2 are needed')
        assert partitions() == {0: 1}
        set_link(1, 0, 'up')
        enable('1')
        m.wait()


def test_short_failure_is_held():
    """What is over before hold_ms is nothing that anybody decides about."""
    policy(links='disable-xpu', least=2)
    with open(os.path.join(os.path.dirname(STATE), 'conf'),
              encoding='utf-8') as f:
        text = f.read()
    with open(os.path.join(os.path.dirname(STATE), 'conf'), 'w',
              encoding='utf-8') as f:
        f.write(text.replace('hold_ms = 300', 'hold_ms = 600000'))
    with Manager() as m:
        set_link(1, 0, 'up', 'down')
        become(1, 'degraded', '1 of 2 links are up')
        assert partitions() == {0: 1, 1: 1}
        set_link(1, 0, 'up')
        m.wait()
        assert 'leaves' not in log(), log()


def test_plane_is_lost():
    """All of every partition leave, where that is what is wanted."""
    policy(plane='disable-partition')
    with Manager():
        with unbound('switch', 1):
            become(0, 'disabled', 'plane 1 is gone')
            become(1, 'disabled', 'plane 1 is gone')
            assert not partitions()
        enable('0')
        enable('1')
        assert partitions() == {0: 1, 1: 1}


def test_by_hand():
    """Out, and in; twice, and of nobody, is refused."""
    policy()
    with Manager() as m:
        assert alink('fm', 'disable', name_of('xpu', 1))[0] == 0
        assert partitions() == {0: 1} and \
            stages()[1] == ('disabled', 'taken out by hand', 0)
        code, _, err = alink('fm', 'disable', '1')
        assert code == 1 and 'disabled already' in err, (code, err)
        code, _, err = alink('fm', 'enable', '500')
        assert code == 1 and 'nobody has seen' in err, (code, err)
        code, _, err = alink('fm', 'enable', 'sw0')
        assert code == 2 and 'not an xPU' in err, (code, err)
        code, _, err = alink('fm', 'enable')
        assert code == 2, (code, err)
        assert alink('fm', 'enable', '1')[0] == 0
        m.wait()
        code, _, err = alink('fm', 'enable', '1')
        assert code == 1 and 'enabled already' in err, (code, err)


def cables():
    """As they are: xPU, link, plane, port"""
    xpus = {d['name']: d['fabric_id'] for d in data('list', 'xpu')}
    planes = {d['name']: d['plane'] for d in data('list', 'switch')}
    return [(xpus[r['device']], r['link'], planes[r['peer']['device']],
             r['peer']['link']) for r in data('link', 'show') if r['peer']]


def wiring(wires):
    """That setting"""
    return 'wiring = ( ' + ', '.join(
        f'{{ xpu = {x}; link = {k}; plane = {s}; port = {p}; }}'
        for x, k, s, p in wires) + ' );'


def test_miswired():
    """Each cable that is elsewhere is named, with where it is."""
    wires = cables()
    assert len(wires) == 6, wires
    configure(wiring(wires))
    with Manager():
        assert data('fm', 'show')['miswired'] == 0 and 'miswired' not in log()
    (a, link_a, plane, port_a), (b, link_b, _, port_b) = [
        w for w in wires if w[2] == wires[0][2]][:2]
    swapped = [w for w in wires if w[:2] not in ((a, link_a), (b, link_b))]
    swapped += [(a, link_a, plane, port_b), (b, link_b, plane, port_a)]
    configure(wiring(swapped))
    with Manager(whole=False):
        become(a, 'degraded', f'link {link_a} is miswired')
        become(b, 'degraded', f'link {link_b} is miswired')
        assert data('fm', 'show')['miswired'] == 2
        assert f'miswired: xPU {a}, link {link_a} belongs to plane {plane}, ' \
            f'port {port_b}, where xPU {b}, link {link_b} is' in log(), log()
        # It is told, and the fabric is used as it is.
        assert usable(a, b) == 2


if __name__ == '__main__':
    main(*tests_of(globals()))
