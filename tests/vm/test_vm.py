#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink-vm itself: it must fail when the guest does. TAP."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
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


def test_dry_run():
    """Prints the QEMU line and boots nothing."""
    code, out = run('--topology', 'switch2', '--no-load', '--dry-run')
    assert code == 0 and 'alink-switch,id=sw1' in out, out


def main():
    """Runs every test_ function."""
    tests = [(n, f) for n, f in globals().items() if n.startswith('test_')]
    bad = 0
    print(f'TAP version 13\n1..{len(tests)}', flush=True)
    for i, (name, func) in enumerate(tests, 1):
        try:
            func()
            print(f'ok {i} - {name}', flush=True)
        except Exception as e:  # pylint: disable=broad-except
            bad += 1
            print(f'# {type(e).__name__}: {e}'.replace('\n', '\n# '))
            print(f'not ok {i} - {name}', flush=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
