#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alinkfmd.service under systemd: with its user, its filter of system calls, its
folders, and what systemd does when the manager ends, hangs or is spoilt. KTAP."""
import grp
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from fmlib import (BAD_CONFIG, BAD_STATE, HOLD_MS, SOURCE,  # noqa: E402
                   alink, data, in_group, like_a_host, partitions, usable)
from guestlib import PATIENCE, read, sh, skip, wait_for, write  # noqa: E402
from taplib import main, tests_of  # noqa: E402

PROGRAM = '/usr/local/sbin/alinkfmd'
CONFIG, STATE = '/etc/alink/fabric.conf', '/var/lib/alink/fabric.json'
UNITS, GROUP = '/run/fm-units', '/sys/fs/cgroup/fm'
LOG = f'{UNITS}/log'
WATCHDOG_S = 20
NET_ADMIN = 1 << 12


class Systemd:
    """Process 1 of a namespace, with this unit and what each unit needs."""

    def __init__(self):
        os.makedirs(f'{UNITS}/alinkfmd.service.d', exist_ok=True)
        shutil.copy(os.path.join(SOURCE, 'alinkfmd.service'), UNITS)
        for name in 'start', 'sysinit', 'basic', 'shutdown':
            write(f'{UNITS}/{name}.target',
                  '[Unit]\nDefaultDependencies=no\n')
        # There is no journal here.
        write(f'{UNITS}/alinkfmd.service.d/test.conf',
              f'[Service]\nWatchdogSec={WATCHDOG_S}\n'
              f'StandardOutput=append:{LOG}\nStandardError=append:{LOG}\n')
        os.makedirs(GROUP, exist_ok=True)
        env = dict(os.environ, container='test', SYSTEMD_UNIT_PATH=UNITS,
                   SYSTEMD_GENERATOR_PATH='/nowhere',
                   SYSTEMD_ENVIRONMENT_GENERATOR_PATH='/nowhere')
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen(
            ['sh', '-c', f'echo $$ >{GROUP}/cgroup.procs; exec "$@"', 'sh',
             'unshare', '--mount', '--pid', '--ipc', '--uts', '--fork',
             '--kill-child', '--mount-proc', '/lib/systemd/systemd',
             '--system', '--unit=start.target', '--log-target=kmsg'],
            stdin=subprocess.DEVNULL, env=env)
        try:
            wait_for('systemd', self.is_there, 60)
        except AssertionError:
            print(sh('dmesg')[-6000:])
            self.end()
            raise

    def inside(self):
        """Prefix of a command that is to run where it is"""
        pid = self.child.pid
        first = read(f'/proc/{pid}/task/{pid}/children').split()
        return ['nsenter', '-t', first[0] if first else '0', '-m', '-p', '-i',
                '-u']

    def is_there(self):
        """Whether it has begun"""
        assert self.child.poll() is None, self.child.returncode
        return os.path.exists('/run/systemd/private') and 'active' in sh(
            *self.inside(), 'systemctl', 'is-active', 'start.target',
            check=False).split()

    def ctl(self, *args, check=True):
        """systemctl"""
        return sh(*self.inside(), 'systemctl', *args, check=check)

    def show(self, what):
        """A property of the service"""
        return self.ctl('show', '-P', what, 'alinkfmd').strip()

    def end(self):
        """And all that it has begun"""
        write(f'{GROUP}/cgroup.kill', '1')
        self.child.wait(PATIENCE)


SYSTEMD = None


def configure(text=''):
    """The configuration, as alinkfmd.rst wants it where there are keys"""
    os.makedirs(os.path.dirname(CONFIG), exist_ok=True)
    write(CONFIG, f'group = "alink"; hold_ms = {HOLD_MS};\n{text}\n')
    os.chown(CONFIG, 0, grp.getgrnam('alinkfm').gr_gid)
    os.chmod(CONFIG, 0o640)


def start(how='start'):
    """The service, which is ready then"""
    write(LOG, '')
    SYSTEMD.ctl('reset-failed', check=False)
    SYSTEMD.ctl(how, 'alinkfmd')


def fails_to_start(code):
    """It ends with that, and is not tried again."""
    SYSTEMD.ctl('restart', 'alinkfmd', check=False)
    wait_for('failed', lambda: SYSTEMD.show('ActiveState') == 'failed',
             PATIENCE)
    # Longer than RestartSec
    time.sleep(3)
    assert [SYSTEMD.show(w) for w in ('ActiveState', 'ExecMainStatus',
                                      'NRestarts')] == \
        ['failed', str(code), '0'], (SYSTEMD.ctl('status', 'alinkfmd',
                                                 check=False), read(LOG))


def restarted(times):
    """It runs, that often begun anew."""
    wait_for('the next one', lambda: (SYSTEMD.show('NRestarts'), SYSTEMD.show(
        'ActiveState')) == (str(times), 'active'), PATIENCE)


def test_start():
    """The fabric is there when systemctl comes back, by a manager that may do
    what it does, and no more."""
    configure()
    start()
    assert usable(0, 1) == 2 and partitions() == {0: 1, 1: 1, 2: 1}
    assert SYSTEMD.show('StatusText') == 'managing'
    status = sh(*SYSTEMD.inside(), 'cat',
                f'/proc/{SYSTEMD.show("MainPID")}/status')
    for name, value in (('CapEff', f'{NET_ADMIN:016x}'),
                        ('CapBnd', f'{NET_ADMIN:016x}'), ('NoNewPrivs', '1'),
                        ('Seccomp', '2')):
        assert re.search(rf'^{name}:\t{value}$', status, re.M), status


def test_files():
    """Whose they are"""
    for path, group, mode in (('/run/alink', 'alinkfm', 0o755),
                              ('/run/alink/fm.sock', 'alink', 0o660),
                              ('/var/lib/alink', 'alinkfm', 0o755)):
        found = os.stat(path)
        assert (pwd.getpwuid(found.st_uid).pw_name,
                grp.getgrgid(found.st_gid).gr_name,
                stat.S_IMODE(found.st_mode)) == ('alinkfm', group, mode), \
            (path, found)
    assert alink('fm', 'show', prefix=in_group('alink'))[0] == 0
    assert alink('fm', 'show', prefix=in_group('daemon'))[0] == 4
    assert alink('fm', 'disable', '2', prefix=in_group('alink'))[0] == 0
    assert stat.S_IMODE(os.stat(STATE).st_mode) == 0o600
    assert alink('fm', 'enable', '2')[0] == 0


def test_reload():
    """systemctl reload"""
    configure('partitions = ( { id = 5; xpus = [ 0, 1 ]; }, '
              '{ id = 6; xpus = [ 2 ]; } );')
    SYSTEMD.ctl('reload', 'alinkfmd')
    wait_for('the other one', lambda: partitions() == {0: 5, 1: 5, 2: 6},
             PATIENCE)
    wait_for('active', lambda: SYSTEMD.show('ActiveState') == 'active',
             PATIENCE)


def test_killed_under_load():
    """The next one is there at once; no operation fails, nothing is written."""
    start('restart')
    assert alink('fm', 'disable', '2')[0] == 0
    # One that began while nobody manages would bring the fabric up by itself.
    with subprocess.Popen(
            ['alink-bench', 'allreduce', '-n', '2', '-b', '64K', '-e', '256K',
             '--iters', '1000', '-j'], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True) as load:
        wait_for('the load', lambda: load.poll() is not None or any(
            g['reductions'] for g in data('group', 'show')), PATIENCE)
        write(LOG, '')
        SYSTEMD.ctl('kill', '-s', 'KILL', 'alinkfmd')
        restarted(1)
        assert load.poll() is None, load.communicate()[0]
        out, _ = load.communicate(timeout=PATIENCE)
        assert load.returncode == 0 and '"wrong":0' in out, out
    assert 'the fabric is ours' in read(LOG), read(LOG)
    assert 'written' not in read(LOG), read(LOG)
    assert partitions() == {0: 5, 1: 5}
    assert alink('fm', 'enable', '2')[0] == 0


def test_hangs():
    """The watchdog ends it, and the next one goes on."""
    start('restart')
    SYSTEMD.ctl('kill', '-s', 'STOP', 'alinkfmd')
    restarted(1)
    assert alink('fm', 'wait', '--timeout', str(PATIENCE))[0] == 0
    assert 'written' not in read(LOG).split('the fabric is ours')[-1], read(LOG)


def test_not_tried_again():
    """Where that would not help; and it goes on when it does."""
    before = partitions()
    configure('nonsense')
    fails_to_start(BAD_CONFIG)
    assert re.search(rf'{CONFIG}:\d: syntax error', read(LOG)), read(LOG)
    configure()
    with open(STATE, 'r+b') as f:
        f.truncate(20)
    fails_to_start(BAD_STATE)
    assert f'{STATE}: damaged' in read(LOG), read(LOG)
    assert partitions() == before
    sh(PROGRAM, '--discard-state')
    start()
    assert partitions() == {0: 1, 1: 1, 2: 1}


def test_stop():
    """It ends well, its socket goes, its state stays."""
    SYSTEMD.ctl('stop', 'alinkfmd')
    assert (SYSTEMD.show('ActiveState'), SYSTEMD.show('ExecMainStatus')) == \
        ('inactive', '0')
    assert 'tables stay as they are' in read(LOG)
    assert not os.path.exists('/run/alink/fm.sock')
    assert os.path.exists(f'{STATE}.discarded')
    assert data('fm', 'show')['stage'] == 'not-managed' and usable(0, 1) == 2


if __name__ == '__main__':
    if not os.path.exists('/proc/sys/kernel/seccomp'):
        skip('this kernel is built without seccomp')
    like_a_host()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Nobody gets at what is in /root.
    shutil.copy(shutil.which('alinkfmd'), PROGRAM)
    SYSTEMD = Systemd()
    try:
        main(*tests_of(globals()))
    finally:
        SYSTEMD.end()
