#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink-vm itself: it must fail when the guest does. TAP."""
import os
import pty
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import main, tests_of  # noqa: E402

VM = os.path.join(ROOT, 'tools', 'vm', 'alink-vm')


def run(*args, timeout=120):
    """Exit status and output of alink-vm run."""
    done = subprocess.run([VM, 'run', *args], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout


def boot(command, *args):
    """Runs a shell command in a bare guest."""
    return run('--topology', 'switch2', '--no-load', '--timeout', '60', *args,
               '--', 'bash', '-c', command)


def test_status_and_output():
    """Status and both outputs come back; files of the host are read-only."""
    code, out = boot('echo on-stdout; echo on-stderr >&2; '
                     'touch /usr/x-alink && echo scratch; exit 7')
    assert code == 7, (code, out)
    assert 'on-stdout' in out and 'on-stderr' in out and 'scratch' in out
    assert not os.path.exists('/usr/x-alink')


def test_panic_fails():
    """A panic is a failure with the log, whatever QEMU's own status is."""
    code, out = boot('echo 1 >/proc/sys/kernel/sysrq; '
                     'echo c >/proc/sysrq-trigger; sleep 60')
    assert code == 125, (code, out)
    assert 'kernel log says' in out, out


def test_warning_fails():
    """A bad line in the log fails the run even if the command passed."""
    code, out = boot('echo "<3>WARNING: planted" >/dev/kmsg; exit 0')
    assert code == 125 and 'planted' in out, (code, out)


def test_timeout():
    """A command that does not end is stopped."""
    code, out = run('--topology', 'switch2', '--no-load', '--timeout', '20',
                    '--', 'sleep', '600')
    assert code == 125 and 'stopped' in out, (code, out)


def test_map_of_memory():
    """A device reads right while another one's memory comes and goes."""
    code, out = run('--topology', 'node2', '--no-load', '--timeout', '90',
                    '--', os.path.join(ROOT, 'tests', 'vm', 'map_race.py'),
                    '15')
    assert code == 0 and ' 0 wrong' in out, (code, out)


def test_bad_arguments():
    """One clear line for what cannot be."""
    with tempfile.NamedTemporaryFile('w', suffix='.json') as f:
        f.write('{"switches": [{"plane": 0}, {"plane": 0}]}')
        f.flush()
        code, out = run('--topology', f.name, '--dry-run')
        assert code == 125 and 'plane 0 is used twice' in out, out
    code, out = run('--topology', 'nowhere', '--dry-run')
    assert code == 125 and 'no topology nowhere' in out, out
    code, out = run('--kernel', '/etc/hostname', '--dry-run')
    assert code == 125 and out.count('\n') == 1, out


def test_shell():
    """Without a command: a shell on the terminal, whose status comes back."""
    pid, tty = pty.fork()
    if not pid:
        os.execv(VM, [VM, 'run', '--topology', 'switch2', '--no-load',
                      '--timeout', '60'])
    out = b''
    try:
        while b'# ' not in out:
            out += os.read(tty, 4096)
        os.write(tty, b'echo all-"$((40 + 2))"; exit 5\n')
        while True:
            out += os.read(tty, 4096)
    except OSError:
        pass            # the end of the terminal
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(tty)
    assert status == 5 and b'all-42' in out, (status, out)


def ended_by(signum, booted):
    """Exit status of a run that a signal ends; it must leave no QEMU."""
    with tempfile.TemporaryDirectory() as d:
        qmp = os.path.join(d, 'qmp')
        with subprocess.Popen([VM, 'run', '--topology', 'switch2', '--no-load',
                               '--qmp', qmp, '--', 'sleep', '600'],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL,
                              start_new_session=True) as vm:
            for _ in range(600):
                if os.path.exists(qmp):
                    break
                time.sleep(0.1)
            assert os.path.exists(qmp)
            time.sleep(booted)
            os.killpg(vm.pid, signum)
            status = vm.wait(30)
        for _ in range(50):
            left = subprocess.run(['pgrep', '-f', qmp], capture_output=True,
                                  text=True, check=False).stdout
            if not left:
                break
            time.sleep(0.1)
        assert not left, left
        return status


def test_interrupt():
    """Ctrl-C ends the VM at once and leaves no QEMU."""
    assert ended_by(signal.SIGINT, 1) == 130


def test_killed():
    """Nor does a launcher that can do nothing about its end."""
    assert ended_by(signal.SIGKILL, 0) == -signal.SIGKILL


def test_default_is_a_node():
    """Without a topology: 8 xPUs and 8 switches, NICs and optics."""
    code, out = run('--no-load', '--dry-run')
    assert code == 0, out
    for device, number in (('alink-xpu,', 8), ('alink-switch,', 8),
                           ('alink-nic,', 9), ('x3130-upstream,', 2),
                           ('alink-fabric,', 1)):
        assert out.count(device) == number, (device, out.count(device))
    assert 'alink-optics,' in out and 'alink-cmis,' in out, out


def test_no_such_qemu():
    """A QEMU that is not there, or not ours, is one line."""
    for qemu, text in (('/nonexistent/qemu', 'cannot be run'),
                       ('/bin/false', 'have the ALink models')):
        done = subprocess.run([VM, 'run', '--topology', 'switch2', '--no-load',
                               '--', 'true'], capture_output=True, text=True,
                              env=dict(os.environ, ALINK_QEMU=qemu),
                              timeout=60, check=False)
        assert done.returncode == 125, done
        assert text in done.stderr, done.stderr


def test_dry_run():
    """Prints the QEMU line and boots nothing."""
    code, out = run('--topology', 'switch2', '--no-load', '--dry-run')
    assert code == 0 and 'alink-switch,id=sw1' in out, out


if __name__ == '__main__':
    main(*tests_of(globals()))
