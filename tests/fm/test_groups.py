#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Groups of in-network compute that the fabric manager keeps. KTAP."""
import json
import os
import signal
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from fmlib import STATE, Manager, alink, configure, data, log  # noqa: E402
from guestlib import PATIENCE, wait_for, write  # noqa: E402
from taplib import main, tests_of  # noqa: E402

KEY, OTHER = '0000000000005eed', '000000000000beef'
ALL = [0, 1, 2]


def group(number=200, key='5eed', xpus='0, 1, 2'):
    """One in the configuration"""
    return f'{{ id = {number}; key = "{key}"; xpus = [ {xpus} ]; }}'


def groups(*wanted):
    """Writes a configuration with these."""
    configure(f'groups = ( {", ".join(wanted)} );')


def begin(*wanted):
    """The same, where nobody has made any."""
    for number in {g['id'] for g in data('group', 'show')}:
        assert alink('group', 'del', str(number))[0] == 0
    groups(*wanted)


def there(number=200):
    """Key and members of a group by switch"""
    return {g['device']: (g['key'], g['members'])
            for g in data('group', 'show') if g['id'] == number}


def both(key=KEY, members=None):
    """What there() says of one that all switches have"""
    return {f'sw{i}': (key, members or ALL) for i in range(2)}


def become(stage, number=200):
    """Waits until the manager says so of the group; its cause."""
    def found():
        return next((g for g in data('fm', 'show')['groups']
                     if (g['group'], g['stage']) == (number, stage)), None)
    try:
        return wait_for(f'group {number}: {stage}', found, PATIENCE)['cause']
    except AssertionError as err:
        raise AssertionError(f'{err}: {data("fm", "show")}: {log()}') from err


def reload(m):
    """It reads its configuration."""
    before = log().count('read again')
    m.child.send_signal(signal.SIGHUP)
    wait_for('the configuration', lambda: log().count('read again') > before,
             PATIENCE)


def gone(number=200):
    """Waits until no switch has the group."""
    wait_for(f'no group {number}', lambda: not there(number), PATIENCE)


def test_are_made_and_kept():
    """On all switches, and again by nobody who finds them there."""
    begin(group(), group(7, 'beef', '0, 2'))
    with Manager() as m:
        assert there() == both() and there(7) == both(OTHER, [0, 2])
        found = data('fm', 'show')
        assert found['groups'] == [
            {'group': 200, 'stage': 'completed', 'cause': None, 'xpus': ALL},
            {'group': 7, 'stage': 'completed', 'cause': None, 'xpus': [0, 2]}]
        for i in range(2):
            assert f'sw{i}: 2 groups written: 2 missing, 0 different, ' \
                '0 stale: found so at the start' in log(), log()
        # Keys are secrets.
        assert '5eed' not in json.dumps(found) + log()
        assert stat.S_IMODE(os.stat(STATE).st_mode) == 0o600
        code, out, _ = alink('fm', 'show')
        assert code == 0 and '  200  completed    0,1,2\n' in out, out
        m.kill()
    assert there() == both()
    with Manager(anew=False):
        assert 'groups written' not in log(), log()


def test_different_and_missing():
    """What became of them while nobody managed, and while somebody does."""
    begin(group())
    Manager().kill()
    assert alink('group', 'del', '200')[0] == 0
    assert alink('group', 'add', '200', '0-1', 'key', '0x5eed', 'dev',
                 'sw1')[0] == 0
    with Manager(anew=False):
        assert there() == both()
        for line in ('sw0: 1 groups written: 1 missing, 0 different, 0 stale: ',
                     'sw1: 1 groups written: 0 missing, 1 different, 0 stale: '):
            assert line in log(), log()
        assert alink('group', 'del', '200', 'dev', 'sw0')[0] == 0
        wait_for('the group', lambda: there() == both(), PATIENCE)
        write(os.path.realpath('/sys/class/alink/sw1/device') + '/reset', '1')
        wait_for('its cause', lambda: 'sw1: 1 groups written: 1 missing, '
                 '0 different, 0 stale: it has had a reset' in log(), PATIENCE)
        assert there() == both()


def test_stale():
    """What the configuration has no more goes, whoever manages then; what is
    not the manager's stays."""
    begin(group(), group(7))
    assert alink('group', 'add', '3', '0-1', 'key', '9')[0] == 0
    with Manager() as m:
        groups(group(7))
        reload(m)
        gone()
        assert ': 1 groups written: 0 missing, 0 different, 1 stale: ' in log()
        m.kill()
    configure()
    with Manager(anew=False):
        gone(7)
        assert set(there(3)) == {'sw0', 'sw1'}
        assert data('fm', 'show')['groups'] == []
    assert alink('group', 'del', '3')[0] == 0


def test_another_key():
    """The one before it goes first."""
    begin(group())
    with Manager() as m:
        groups(group(key='beef', xpus='0, 1'))
        reload(m)
        wait_for('the other key', lambda: there() == both(OTHER, [0, 1]),
                 PATIENCE)
        m.wait()
        configure()
        reload(m)
        gone()


def test_somebody_elses():
    """One with that id is left as it is, and told; it is not a reason to leave
    out the other switch, nor what is deleted later."""
    begin(group())
    assert alink('group', 'add', '200', '0-1', 'key', '9', 'dev', 'sw0')[0] == 0
    theirs = ('0000000000000009', [0, 1])
    with Manager(whole=False) as m:
        cause = become('degraded')
        assert 'sw0 has a group of somebody else' in cause, cause
        assert data('fm', 'show')['stage'] == 'degraded'
        assert there() == {'sw0': theirs, 'sw1': both()['sw1']}
        configure()
        reload(m)
        wait_for('its end', lambda: there() == {'sw0': theirs}, PATIENCE)
        groups(group())
        reload(m)
        become('degraded')
        assert alink('group', 'del', '200', 'dev', 'sw0')[0] == 0
        become('completed')
        assert there() == both()
        configure()
        reload(m)
        gone()


if __name__ == '__main__':
    main(*tests_of(globals()))
