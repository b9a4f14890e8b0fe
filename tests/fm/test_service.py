#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The fabric manager as its unit runs it: who it is, what it may, what it tells
systemd, whose part the test takes. KTAP."""
import contextlib
import errno
import os
import pwd
import shutil
import signal
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from fmlib import (NOBODY, PERMISSION, WHERE, Manager, alink,  # noqa: E402
                   configure, data, in_group, like_a_host, log, manager,
                   partitions, state, stuck, usable)
from guestlib import PATIENCE, read, sh, wait_for, write  # noqa: E402
from notifylib import Notify  # noqa: E402
from taplib import main, tests_of  # noqa: E402

NET_ADMIN = 1 << 12
ONLY = '-all,+net_admin'
SERVICE = ['setpriv', '--reuid', 'alinkfm', '--regid', 'alinkfm', '--groups',
           'alink', f'--inh-caps={ONLY}', f'--ambient-caps={ONLY}',
           f'--bounding-set={ONLY}', '--no-new-privs']
SMALL = '/run/fm-small'
WATCHDOG_S = 8


@contextlib.contextmanager
def service(text='', state_file=f'{WHERE}/state', **more):
    """The manager, and what it has told since it began"""
    configure(f'group = "alink";\n{text}', state_file)
    shutil.chown(WHERE, 'alinkfm', 'alinkfm')
    shutil.chown('/run/alink', 'alinkfm', 'alinkfm')
    notify = Notify(WHERE)
    try:
        with Manager(prefix=SERVICE, env=notify.env(WATCHDOG_S), **more) as m:
            yield m, notify
    finally:
        notify.close()


def forget_routes():
    """Both switches have had a reset."""
    for switch in 'sw0', 'sw1':
        write(os.path.realpath(f'/sys/class/alink/{switch}/device') +
              '/reset', '1')
        wait_for(switch, lambda s=switch: state(s) == 'ready', PATIENCE)
    assert not usable(0, 1)


def test_ready():
    """When all is written, and not before."""
    forget_routes()
    with service(whole=False) as (_, notify):
        ready = notify.until('READY', PATIENCE)
        assert usable(0, 1) == 2 and partitions() == {0: 1, 1: 1, 2: 1}
        assert ready['STATUS'] == 'managing', ready


def test_ready_without_a_switch():
    """One that does not answer keeps nobody waiting: it says so, and the
    watchdog hears of it in half of its time."""
    with stuck('sw1'):
        with service(whole=False) as (m, notify):
            ready = notify.until('READY', PATIENCE)
            assert 'sw1 cannot be looked at' in ready['STATUS'], ready
            notify.listen(3 * WATCHDOG_S)
            gaps = notify.gaps()
            assert gaps and max(gaps) < WATCHDOG_S / 2, gaps
            # A thread of it waits in the kernel, which no test is to wait for.
            m.kill()
    with service() as (_, notify):
        assert notify.until('READY', PATIENCE)['STATUS'] == 'managing'


def test_reload():
    """READY when the other configuration is what is there."""
    with service() as (m, notify):
        configure('group = "alink"; partitions = ( { id = 5; xpus = [ 0 ]; }, '
                  '{ id = 6; xpus = [ 1, 2 ]; } );')
        notify.until('READY', PATIENCE)
        notify.drop()
        m.child.send_signal(signal.SIGHUP)
        notify.until('RELOADING', PATIENCE)
        notify.until('READY', PATIENCE)
        assert partitions() == {0: 5, 1: 6, 2: 6}


def test_ends():
    """It says so, gives the fabric back, and all stays as it is."""
    with service() as (m, notify):
        notify.drop()
        assert m.kill(signal.SIGTERM) == 0
        notify.until('STOPPING', PATIENCE)
        assert not any('READY' in s for _, s in notify.said)
    assert data('fm', 'show')['stage'] == 'not-managed' and usable(0, 1) == 2


def test_privileges():
    """One capability; no other user, no way to more."""
    with service() as (m, _):
        status = dict(line.split(':\t', 1) for line in read(
            f'/proc/{m.child.pid}/status').splitlines() if ':\t' in line)
        for caps in 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb':
            assert int(status[caps], 16) == NET_ADMIN, (caps, status[caps])
        assert status['NoNewPrivs'] == '1', status
        uid = str(pwd.getpwnam('alinkfm').pw_uid)
        assert status['Uid'].split() == [uid] * 4, status['Uid']


def test_socket():
    """For root and the members of its group; all others are told who may."""
    with service() as (m, _):
        found = os.stat('/run/alink/fm.sock')
        owner = pwd.getpwuid(found.st_uid).pw_name
        assert (owner, stat.S_IMODE(found.st_mode)) == ('alinkfm', 0o660), found
        for prefix in (), in_group('alink'):
            for args in ('show',), ('disable', '2'), ('enable', '2'), \
                    ('reload',):
                code, _, err = alink('fm', *args, prefix=prefix)
                assert (code, err) == (0, ''), (prefix, args, code, err)
        for prefix in NOBODY, in_group('daemon'):
            for args in ('show',), ('disable', '2'), ('reload',):
                code, _, err = alink('fm', *args, prefix=prefix)
                assert code == PERMISSION and \
                    'as a member of the group of that socket' in err, \
                    (prefix, args, code, err)
        assert manager()['pid'] == m.child.pid and partitions()[2] == 1


def kept():
    """The state file of the small folder"""
    return read(f'{SMALL}/state')


def refused(why):
    """What cannot be kept is not done, and the file stays what it was."""
    before = kept()
    code, _, err = alink('fm', 'disable', '1')
    assert code == 1 and f'{SMALL}/state cannot be written' in err, (code, err)
    assert why in log(), log()
    assert partitions() == {1: 1, 2: 1} and kept() == before


def test_disk_is_full():
    """Or read-only: nothing of the state is lost, and it goes on afterwards."""
    os.makedirs(SMALL, exist_ok=True)
    sh('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', SMALL)
    shutil.chown(SMALL, 'alinkfm', 'alinkfm')
    with service(state_file=f'{SMALL}/state') as (m, _):
        assert alink('fm', 'disable', '0')[0] == 0
        found = os.stat(f'{SMALL}/state')
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == \
            (pwd.getpwnam('alinkfm').pw_uid, 0o600), found
        filler = os.open(f'{SMALL}/filler', os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(filler, bytes(4096))
        except OSError as err:
            assert err.errno == errno.ENOSPC, err
        os.close(filler)
        refused(os.strerror(errno.ENOSPC))
        os.unlink(f'{SMALL}/filler')
        sh('mount', '-o', 'remount,ro', SMALL)
        refused(os.strerror(errno.EROFS))
        # It is what it was, for the next one, too.
        m.kill()
        sh('mount', '-o', 'remount,rw', SMALL)
    with service(state_file=f'{SMALL}/state', whole=False) as (m, notify):
        notify.until('READY', PATIENCE)
        assert partitions() == {1: 1, 2: 1}
        assert alink('fm', 'disable', '1')[0] == 0 and partitions() == {2: 1}
        for xpu in '0', '1':
            assert alink('fm', 'enable', xpu)[0] == 0
        m.wait()
    sh('umount', SMALL)


if __name__ == '__main__':
    like_a_host()
    main(*tests_of(globals()))
