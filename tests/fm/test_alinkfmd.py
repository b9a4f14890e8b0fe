#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The fabric manager: brings the fabric up, keeps it so, and can be killed. KTAP."""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from fmlib import (BAD_CONFIG, BAD_STATE, BEAT_MS, CONFIG,  # noqa: E402
                   HOLD_MS, LONG, MANAGED, NOBODY, PERMISSION, STATE, Manager,
                   alink, become, configure, daemon, data, driver, log, manager,
                   name_of, partitions, set_link, stages, state, stuck, usable)
from guestlib import PATIENCE, fails, sh, wait_for, write  # noqa: E402
from taplib import main, tests_of  # noqa: E402

TWO = 'partitions = ( { id = 5; xpus = [ 0, 1 ]; }, ' \
    '{ id = 6; name = "alone"; xpus = [ 2 ]; } );'

# What a command may take, ALINK_ADMIN_TIMEOUT_MS
COMMAND_S = 10


def test_nobody_manages():
    """And that is told from all other states."""
    found = data('fm', 'show')
    assert found['stage'] == 'not-managed' and found['manager'] is None, found
    code, _, err = alink('fm', 'wait', '--timeout', '1')
    assert code == 1 and 'not-managed after 1 s' in err, (code, err)
    code, _, err = alink('fm', 'enable', '0')
    assert code == 6 and 'no fabric manager runs' in err, (code, err)


def test_brings_the_fabric_up():
    """Without partitions in its configuration: all in one."""
    configure()
    assert not usable(0, 1)
    with Manager() as m:
        assert set(stages().values()) == {('completed', None, 1)}
        assert partitions() == {0: 1, 1: 1, 2: 1}
        assert usable(0, 1) == usable(1, 2) == usable(2, 0) == 2
        found = data('fm', 'show')
        assert (found['stage'], found['manager'], found['pid'],
                found['switches'], found['miswired']) == \
            ('completed', 'alinkfmd', m.child.pid, 2, 0), found
        assert log().count('missing') >= 5, log()
    assert 'tables stay as they are' in log()
    assert usable(0, 1) == 2 and data('fm', 'show')['stage'] == 'not-managed'


def test_partitions():
    """Default deny: who is not named in one reaches nobody."""
    configure(TWO)
    with Manager():
        assert partitions() == {0: 5, 1: 5, 2: 6}
        assert usable(0, 1) == 2 and not usable(0, 2) and not usable(2, 1)
        configure('partitions = ( { id = 5; xpus = [ 0, 2 ]; } );')
        os.kill(manager()['pid'], signal.SIGHUP)
        become(1, 'not-started', 'in no partition')
        become(2, 'completed')
        assert partitions() == {0: 5, 2: 5}
        assert usable(0, 2) == 2 and not usable(0, 1)


def test_bad_configuration():
    """Each line that is wrong is named; and one that runs keeps the good one."""
    configure('partitions = (\n  { id = 0; xpus = [ 1 ]; spare = [ 1 ]; }\n);')
    code, err = daemon('--check-config', '--config', CONFIG)
    assert code == BAD_CONFIG, (code, err)
    for line in (f'{CONFIG}:4: spare: no such setting',
                 f'{CONFIG}:4: id: a number from 1 to 1023 is wanted'):
        assert line in err, err
    assert daemon('--config', CONFIG)[0] == BAD_CONFIG
    assert daemon('--config', '/nowhere')[0] == BAD_CONFIG
    assert daemon('what')[0] == 2
    configure(TWO)
    assert daemon('--check-config', '--config', CONFIG)[0] == 0
    with Manager() as m:
        configure('partitions = ( { id = 9; xpus = [ 0; } );')
        m.child.send_signal(signal.SIGHUP)
        wait_for('its word', lambda: 'stays as it was' in log(), PATIENCE)
        m.wait()
        assert partitions() == {0: 5, 1: 5, 2: 6}
        configure(TWO)


def test_second_is_refused():
    """And told by whom; the first does not notice."""
    configure()
    with Manager() as m:
        for _ in range(2):
            code, err = daemon('--config', CONFIG)
            assert code == MANAGED and \
                f'alinkfmd (pid {m.child.pid}) manages the fabric' in err, err
        assert manager()['pid'] == m.child.pid
        m.wait()


def test_others_cannot_write():
    """Routes and partitions are the manager's, groups are everybody's."""
    configure()
    with Manager():
        before = data('route', 'show'), partitions()
        for args in (('route', 'del', 'sw0', '0'),
                     ('route', 'add', 'sw0', '0', '0'),
                     ('partition', 'set', '0', '7'), ('fabric', 'up')):
            code, _, err = alink(*args)
            assert code == 1 and 'manages the fabric' in err, (args, code, err)
        assert alink('group', 'add', '3', '0-1', 'key', '9')[0] == 0
        assert alink('group', 'del', '3')[0] == 0
        assert (data('route', 'show'), partitions()) == before
    assert alink('partition', 'set', '0', '1')[0] == 0


def test_permissions():
    """Who may not write tables cannot manage; the socket is not for all."""
    configure()
    os.chmod(os.path.dirname(CONFIG), 0o755)
    code, err = daemon('--config', CONFIG, prefix=NOBODY)
    assert code == PERMISSION and 'CAP_NET_ADMIN' in err, (code, err)
    with Manager():
        code, _, err = alink('fm', 'disable', '0', prefix=NOBODY)
        assert code == PERMISSION and 'not permitted' in err, (code, err)
        assert stages()[0][0] == 'completed'


def test_killed_under_load():
    """No operation fails, nothing is written by the next one."""
    configure(TWO.replace('[ 0, 1 ]', '[ 0, 1, 2 ]').replace(
        '[ 2 ]', '[ 7 ]'))
    manager_of = Manager(whole=False)
    for xpu in range(3):
        become(xpu, 'completed')
    # One that is configured and was never seen is not ready.
    assert stages()[7][:2] == ('in-progress', 'not seen yet'), stages()
    before = data('route', 'show'), partitions()
    with subprocess.Popen(
            ['alink-bench', 'allreduce', '-b', '64K', '-e', LONG, '--iters',
             '1000', '-j'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True) as load:
        # It has found out by then that somebody manages the fabric.
        wait_for('the load', lambda: load.poll() is not None or
                 data('group', 'show'), PATIENCE)
        for _ in range(3):
            manager_of.kill()
            assert data('fm', 'show')['stage'] == 'not-managed'
            manager_of = Manager(anew=False, whole=False)
            become(0, 'completed')
            assert 'written' not in log(), log()
        assert load.poll() is None, load.communicate()[0]
        out, _ = load.communicate(timeout=PATIENCE)
        assert load.returncode == 0 and '"wrong":0' in out, out
    assert (data('route', 'show'), partitions()) == before
    manager_of.kill()


def test_changed_while_nobody_managed():
    """What differs is mended, and told with its cause."""
    configure()
    Manager().kill()
    assert alink('route', 'del', 'xpu0', '1')[0] == 0
    assert alink('route', 'add', 'sw1', '2', '0')[0] == 0
    assert alink('route', 'add', 'sw0', '900', '0')[0] == 0
    assert alink('partition', 'set', '2', '77')[0] == 0
    with Manager(anew=False):
        assert usable(0, 1) == usable(1, 2) == 2
        assert partitions() == {0: 1, 1: 1, 2: 1}
        assert not [r for r in data('route', 'show') if r['dst'] == 900]
        for line in ('xpu0: 1 routes written: 1 missing, 0 different, 0 stale: '
                     'found so at the start',
                     'sw1: 1 routes written: 0 missing, 1 different, 0 stale',
                     'sw0: 1 routes written: 0 missing, 0 different, 1 stale'):
            assert line in log(), log()


def test_switch_is_reset():
    """Its tables come back, with the reset as their cause."""
    configure()
    with Manager() as m:
        pci = os.path.realpath('/sys/class/alink/sw0/device')
        write(f'{pci}/reset', '1')
        wait_for('the tables', lambda: usable(0, 1) == 2, PATIENCE)
        m.wait()
        assert partitions() == {0: 1, 1: 1, 2: 1}
        assert 'sw0: 3 routes written: 3 missing, 0 different, 0 stale: ' \
            'it has had a reset' in log(), log()
        # So it is also when nobody looked.
        m.child.send_signal(signal.SIGSTOP)
        write(f'{pci}/reset', '1')
        m.kill()
    with Manager(anew=False):
        assert usable(0, 1) == 2
        assert '3 missing, 0 different, 0 stale: it has had a reset' in log(), \
            log()


HEALTH = ('devlink', 'health')


def on(plane):
    """Names the reporter of the manager at a switch, for devlink"""
    return f'pci/{driver(name_of("switch", plane))[0]}', 'reporter', 'manager'


def reported(plane, health, diagnosis):
    """Waits until devlink says so of the manager."""
    def there():
        found = json.loads(sh('devlink', '-j', 'health'))['health']
        return any(r['reporter'] == 'manager' and r['state'] == health
                   for r in found[on(plane)[0]])
    wait_for(f'manager {health} at plane {plane}', there, PATIENCE)
    text = sh(*HEALTH, 'diagnose', *on(plane))
    assert re.search(diagnosis, text), text


def test_hangs():
    """One that does not beat is seen as such; traffic goes on."""
    configure()
    with Manager() as m:
        reported(0, 'healthy', 'state: active')
        sh(*HEALTH, 'dump', 'clear', *on(0))
        m.child.send_signal(signal.SIGSTOP)
        wait_for('silence', lambda: data('fm', 'show')['silent'], PATIENCE)
        found = data('fm', 'show')
        assert found['stage'] == 'silent' and found['age_ms'] > BEAT_MS and \
            f'alinkfmd (pid {m.child.pid}) is silent' in found['cause'], found
        code, _, err = alink('fm', 'wait', '--timeout', '0')
        assert code == 1 and 'silent' in err, (code, err)
        assert usable(0, 1) == 2
        # Nobody knows what it has half done: it stays the manager.
        assert daemon('--config', CONFIG)[0] == MANAGED
        for plane in range(2):
            reported(plane, 'error', 'state: silent name: alinkfmd '
                     rf'pid: {m.child.pid} beat_ms: {BEAT_MS}\b')
            fails(*HEALTH, 'recover', *on(plane),
                  says=rf'alinkfmd \(pid {m.child.pid}\) is silent: end it')
        text = sh(*HEALTH, 'dump', 'show', *on(0))
        assert re.search(r'reason: alinkfmd \(pid \d+\) is silent for \d+ ms',
                         text), text
        sh(*HEALTH, 'dump', 'clear', *on(0))
        m.child.send_signal(signal.SIGCONT)
        wait_for('a beat', lambda: not data('fm', 'show')['silent'], PATIENCE)
        for plane in range(2):
            reported(plane, 'healthy', 'state: active')
        m.wait()


def test_loss_is_reported():
    """devlink tells of a manager that was killed, until there is another one, or
    nobody minds; one that was asked to go is no loss."""
    configure()
    with Manager() as m:
        for plane in range(2):
            reported(plane, 'healthy', 'state: active')
        sh(*HEALTH, 'dump', 'clear', *on(0))
        m.kill()
        for plane in range(2):
            reported(plane, 'error', f'state: lost .*pid: {m.child.pid} ')
    text = sh(*HEALTH, 'dump', 'show', *on(0))
    assert re.search(rf'reason: alinkfmd \(pid {m.child.pid}\) has gone without '
                     'releasing the fabric', text), text
    sh(*HEALTH, 'dump', 'clear', *on(0))
    with Manager(anew=False):
        for plane in range(2):
            reported(plane, 'healthy', 'state: active')
    for plane in range(2):
        reported(plane, 'healthy', 'state: none')
    Manager(anew=False).kill()
    for plane in range(2):
        reported(plane, 'error', 'state: lost')
    # So it is for a switch that comes then.
    pci, folder = driver(name_of('switch', 1))
    for how in 'unbind', 'bind':
        write(f'{folder}/{how}', pci)
    reported(1, 'error', 'state: lost')
    sh(*HEALTH, 'recover', *on(0))
    for plane in range(2):
        reported(plane, 'healthy', 'state: none')


def test_links_and_planes():
    """Less than there should be is degraded, and says what is missing."""
    configure()
    pci, folder = driver(name_of('switch', 1))
    with Manager() as m:
        set_link(0, 0, 'up', 'down')
        become(0, 'degraded', '^1 of 2 links are up$')
        assert stages()[1][0] == 'completed'
        code, _, err = alink('fm', 'wait', '--timeout', '0')
        assert code == 1 and 'degraded' in err, (code, err)
        m.wait('--degraded')
        set_link(0, 0, 'up')
        m.wait()
        write(f'{folder}/unbind', pci)
        become(1, 'degraded', 'plane 1 is not there')
        assert usable(0, 1) == 1
        write(f'{folder}/bind', pci)
        m.wait()
        assert usable(0, 1) == 2


def test_switch_does_not_answer():
    """That is no fabric that is ready, nor one that is not there; the manager
    keeps it, and goes on when the switch does."""
    configure()
    with Manager() as m:
        with stuck('sw0'):
            set_link(0, 0, 'up', 'down', 'up')
            wait_for('trouble', lambda: 'sw0' in (
                data('fm', 'show')['cause'] or ''), PATIENCE)
            found = data('fm', 'show')
            assert found['stage'] == 'in-progress', found
            assert found['pid'] == m.child.pid, found
            become(0, 'in-progress', 'sw0 cannot be looked at')
            assert 'sw0 cannot be looked at: it does not answer' in log(), \
                log()
        m.wait()
        assert manager()['pid'] == m.child.pid and usable(0, 1) == 2
        assert log().count('the fabric is ours') == 1, log()
        assert 'all devices answer again' in log(), log()


def mended(switch):
    """Its tables are gone, and come back: how long that took."""
    text = f'{switch}: 3 routes written: 3 missing'
    before = log().count(text)
    start = time.monotonic()
    write(os.path.realpath(f'/sys/class/alink/{switch}/device') + '/reset',
          '1')

    def back():
        found = manager()
        assert not found['silent'] and found['age_ms'] < BEAT_MS, found
        return log().count(text) > before

    wait_for(f'routes of {switch}', back, PATIENCE)
    return time.monotonic() - start


def test_other_switch_is_looked_after():
    """While one does not answer, which takes it COMMAND_S for each command, the
    other one gets back what it lost, the manager beats, and does what it is
    told."""
    configure()
    with Manager() as m:
        took = [mended('sw1') for _ in range(3)]
        with stuck('sw0'):
            took += [mended('sw1') for _ in range(3)]
            assert 'sw0 cannot be looked at' in log(), log()
            assert max(took) < COMMAND_S, took
            start = time.monotonic()
            for what in 'disable', 'enable':
                # It is done where it can be, and that this is not all is said.
                code, _, err = alink('fm', what, '2')
                assert code == 1 and 'not all could be written yet' in err, err
                assert (stages()[2][0] == 'disabled') == (what == 'disable')
            assert time.monotonic() - start < COMMAND_S
        m.wait()
        assert partitions() == {0: 1, 1: 1, 2: 1} and usable(0, 1) == 2
        # None was taken for one that is gone.
        assert 'leaves' not in log(), log()


def test_begins_with_a_switch_that_does_not_answer():
    """It is there, for what there is; and whole when the switch is."""
    configure()
    with stuck('sw1'):
        with Manager(whole=False) as m:
            become(0, 'in-progress', 'sw1 cannot be looked at')
            assert manager()['pid'] == m.child.pid
            # As if it had never been: a thread that waits keeps nobody here.
            start = time.monotonic()
            assert m.kill() and time.monotonic() - start < COMMAND_S
    with Manager(anew=False):
        assert usable(0, 1) == 2


def test_nothing_to_manage():
    """No switch, or no driver: said so, and no failure; and it is not for ever."""
    configure()
    switches = [driver(f'sw{i}') for i in range(2)]
    with Manager() as m:
        for pci, folder in switches:
            write(f'{folder}/unbind', pci)
        wait_for('nothing', lambda: data('fm', 'show')['stage'] ==
                 'nothing-to-manage', PATIENCE)
        m.wait()
        assert 'no switch' in data('fm', 'show')['cause']
        for pci, folder in switches:
            write(f'{folder}/bind', pci)
        wait_for('the fabric', lambda: usable(0, 1) == 2, PATIENCE)
        m.wait()
        modules = ['alink_switch', 'alink_xpu', 'alink_optics', 'alink_nic',
                   'alink']
        subprocess.run(['modprobe', '-r', *modules], check=True)
        wait_for('nothing', lambda: 'alink.ko is not loaded' in (
            data('fm', 'show')['cause'] or ''), PATIENCE)
        m.wait()
        # Longer than a failure has to last
        time.sleep(2 * HOLD_MS / 1000)
        subprocess.run(['modprobe', '-a', *modules], check=True)
        wait_for('all devices', lambda: all(
            state(n) == 'ready' for n in ('sw0', 'sw1', 'xpu0', 'xpu1', 'xpu2')
        ), PATIENCE)
        wait_for('the fabric', lambda: usable(0, 1) == 2, PATIENCE)
        m.wait()
        assert manager()['pid'] == m.child.pid and 'leaves' not in log()


def test_bad_state():
    """Without it nobody knows who is out: no manager then, and the fabric is let
    go of; all stays as it is, until somebody mends the file or discards it."""
    configure()
    with Manager() as m:
        assert alink('fm', 'disable', '2')[0] == 0
        m.kill()
    with open(STATE, encoding='utf-8') as f:
        good = f.read()
    for bad in good[:len(good) // 2], good.replace('"version":1', '"version":2'):
        assert bad != good
        with open(STATE, 'w', encoding='utf-8') as f:
            f.write(bad)
        code, err = daemon('--config', CONFIG)
        assert code == BAD_STATE and STATE in err, (code, err)
        assert data('fm', 'show')['stage'] == 'not-managed'
        # Who gives it back has not lost it.
        reported(0, 'healthy', 'state: none')
        assert partitions() == {0: 1, 1: 1} and usable(0, 1) == 2
    with open(STATE, 'w', encoding='utf-8') as f:
        f.write(good)
    with Manager(anew=False, whole=False):
        become(2, 'disabled')
        assert partitions() == {0: 1, 1: 1}
        assert daemon('--config', CONFIG, '--discard-state')[0] == MANAGED
        with open(STATE, encoding='utf-8') as f:
            assert f.read() == good
    assert daemon('--config', CONFIG, '--discard-state')[0] == 0
    with Manager(anew=False):
        assert partitions() == {0: 1, 1: 1, 2: 1}


def test_state_cannot_be_written():
    """What cannot be kept is not done; it is kept as soon as it can be."""
    folder = '/run/fm-none/deep'
    configure(TWO)
    with open(CONFIG, encoding='utf-8') as f:
        text = f.read().replace(STATE, f'{folder}/state')
    with open(CONFIG, 'w', encoding='utf-8') as f:
        f.write(text)
    with Manager(whole=False):
        wait_for('its word', lambda: 'cannot be written' in log(), PATIENCE)
        code, _, err = alink('fm', 'disable', '0')
        assert code == 1 and f'{folder}/state cannot be written' in err, err
        assert partitions() == {0: 5, 1: 5, 2: 6}
        become(0, 'completed')
        os.makedirs(folder)
        wait_for('the file', lambda: os.path.exists(f'{folder}/state'),
                 PATIENCE)
        assert alink('fm', 'disable', '0')[0] == 0
        assert partitions() == {1: 5, 2: 6}
        assert alink('fm', 'enable', '0')[0] == 0


def test_questions_that_are_none():
    """Each client gets an answer, or is sent away; the manager goes on."""
    # pylint: disable-next=import-outside-toplevel
    import socket
    configure()
    with Manager() as m:
        for question, says in ((b'\n', b'"error"'), (b'{}\n', b'"error"'),
                               (b'{"command": 7}\n', b'"error"'),
                               (b'{"command": "x"}\n', b'no such command'),
                               (b'{"command": "enable"}\n', b'a number'),
                               (b'{"command": "enable", "xpu": 4096}\n',
                                b'a number'),
                               (b'{"command": "enable", "xpu": -1}\n',
                                b'a number'),
                               (b'x' * 8192, b'')):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect('/run/alink/fm.sock')
                s.settimeout(PATIENCE)
                s.sendall(question)
                try:
                    answer = s.recv(65536)
                except ConnectionResetError:
                    answer = b''
                assert says in answer and bool(says) == bool(answer), \
                    (question[:40], answer)
        idle = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for s in idle:
            s.connect('/run/alink/fm.sock')
        time.sleep(0.2)
        for s in idle:
            s.close()
        m.wait()


if __name__ == '__main__':
    main(*tests_of(globals()))
