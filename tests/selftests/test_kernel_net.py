#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel tree's own tests of network drivers, as they are, on our netdevs.
Which ones, and why not the others: Documentation/admin-guide/selftests.rst."""
import contextlib
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', n) for n in ('lib', 'nic')]

# pylint: disable=wrong-import-position
import niclib  # noqa: E402
from guestlib import main, sh, wait_for  # noqa: E402
from taplib import tests_of  # noqa: E402

TREE = os.environ['ALINK_SELFTESTS']
# A program's patience with its commands is short, and not ours to change.
PATIENCE = 280
LOCAL, REMOTE = ('192.0.2.1', '2001:db8::1'), ('192.0.2.2', '2001:db8::2')
RESULT = re.compile(r'^(not )?ok \d+ (\S+)(?: # (SKIP|XFAIL) *(.*))?$', re.M)


@contextlib.contextmanager
def remote_end():
    """Two NICs: (variables that name both to a program, the nearer's name). The
    farther one is in a namespace."""
    functions = niclib.functions()
    near, far = (wait_for('a netdev', lambda f=f: niclib.netdev(f))
                 for f in functions[:2])
    sh('ip', 'netns', 'add', 'remote')
    try:
        sh('ip', 'link', 'set', far, 'netns', 'remote')
        for dev, ends, pre in ((near, LOCAL, ()), (far, REMOTE, (
                'ip', 'netns', 'exec', 'remote'))):
            sh(*pre, 'ip', 'addr', 'replace', f'{ends[0]}/24', 'dev', dev)
            sh(*pre, 'ip', 'link', 'set', dev, 'up')
            sh(*pre, 'ip', 'addr', 'replace', f'{ends[1]}/64', 'dev', dev,
               'nodad')
        # They give a first packet half a second, neighbour discovery included.
        for addr in REMOTE:
            wait_for(f'an answer from {addr}', lambda a=addr: ' 1 received' in
                     sh('ping', '-c', '1', '-W', '1', a, check=False))
        yield {'NETIF': near, 'LOCAL_V4': LOCAL[0], 'LOCAL_V6': LOCAL[1],
               'REMOTE_V4': REMOTE[0], 'REMOTE_V6': REMOTE[1],
               'REMOTE_TYPE': 'netns', 'REMOTE_ARGS': 'remote',
               'PEER_NETIF': far}, near
    finally:
        sh('ip', 'netns', 'exec', 'remote', 'ip', 'link', 'set', far, 'netns',
           '1', check=False)
        sh('ip', 'netns', 'del', 'remote', check=False)
        wait_for('the NIC is back', lambda: niclib.netdev(functions[1]))
        sh('ip', 'addr', 'flush', 'dev', near, check=False)
        sh('ip', 'link', 'set', near, 'down', check=False)


def program(*command, env=None):
    """(status, what it printed)"""
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, **(env or {})), text=True,
                          timeout=PATIENCE, check=False)
    return done.returncode, done.stdout


def run(path, env, cases):
    """Runs a program, or CASES of it: (status, its output, its results)."""
    status, out = program(sys.executable, os.path.join(HERE, 'run_cases.py'),
                          os.path.join(TREE, path), *cases, env=env)
    print(''.join(f'# {line}\n' for line in out.splitlines()), end='')
    found = RESULT.findall(out)
    assert found, (status, out)
    return status, out, found


def passes(path, env, *cases, but=()):
    """All cases of a program pass, or those that are named; of those in BUT each
    says itself that it does not apply."""
    status, out, found = run(path, env, cases)
    assert not status and not [n for bad, n, _, _ in found if bad], out
    left = {name.rpartition('.')[2] for _, name, word, _ in found if word}
    assert left == set(but), f'left out: {left}, to be left out: {set(but)}'


def sums_that_are_right(out):
    """csum.py makes a sum wrong by its complement. Where it is 0 that says the same,
    and a receiver that finds it good is not at fault: such a packet, the only one
    of its run, is none that tells anything."""
    nothing = r'csum=0xffff verify=0x0\\npkt: good csum, while bad expected' \
        r'(\\ncmsg: expected bad csum, pf_packet returns valid)?'
    out, found = re.subn(nothing, '', out)
    return re.sub(r'errors at pf_packet: total=\d+ bad_csums=1 bad_valids=[01]',
                  'missing packets at', out, count=found)


def passes_but_for(path, env, lost, wrong):
    """Each case passes in one of some runs. A failure is forgiven when the program
    says LOST, by which it has lost a race with itself; never when it says
    WRONG."""
    seen, passed = set(), set()
    for _ in range(5):
        _, out, found = run(path, env, ())
        bad = {n for bad, n, _, _ in found if bad}
        out = sums_that_are_right(out)
        assert not re.search(wrong, out), out
        assert len(re.findall(lost, out)) >= len(bad), out
        seen |= {n for _, n, _, _ in found}
        passed |= {n for _, n, word, _ in found if not word} - bad
        if passed == seen:
            return
    raise AssertionError(f'never passed: {seen - passed}')


def test_ping():
    """IPv4, IPv6 and TCP between two NICs"""
    with remote_end() as (env, _):
        passes('drivers/net/ping.py', env)


def test_queues():
    """What netlink says of a NIC's queues, while they come and go"""
    with remote_end() as (env, _):
        passes('drivers/net/queues.py', env)


def test_statistics():
    """Statistics of a NIC agree, however they are asked for, and never go back.
    It has no pause frames."""
    with remote_end() as (env, _):
        passes('drivers/net/stats.py', env, but=['check_pause'])


def test_statistics_of_links():
    """Links have statistics of FEC, and no pause frames."""
    for dev in 'sw0p0', 'xpu0p0':
        passes('drivers/net/stats.py', {'NETIF': dev}, 'check_pause',
               'check_fec', 'qstat_by_ifindex', but=['check_pause'])
        sh('ip', 'link', 'set', dev, 'down')


def test_checksums():
    """Checksum offload both ways, right and wrong sums, zero among them"""
    with remote_end() as (env, _):
        # It sends as soon as the first of the receiver's two sockets is there.
        passes_but_for('drivers/net/hw/csum.py', env,
                       r'missing packets at|port listen timed out',
                       r'errors at|(bad|good) csum|should be|unexpected')


def test_netdevice():
    """Each offload of a NIC is switched off, on and back, and its address is
    changed while it is up."""
    near = niclib.netdev(niclib.functions()[0])
    sh('ip', 'netns', 'add', 'only')
    try:
        sh('ip', 'link', 'set', near, 'down')
        sh('ip', 'link', 'set', near, 'netns', 'only')
        # It looks for names that begin so.
        sh('ip', '-n', 'only', 'link', 'set', near, 'name', 'eth0')
        status, out = program('ip', 'netns', 'exec', 'only', 'sh',
                              os.path.join(TREE, 'net', 'netdevice.sh'))
    finally:
        sh('ip', '-n', 'only', 'link', 'set', 'eth0', 'name', near, check=False)
        sh('ip', '-n', 'only', 'link', 'set', near, 'netns', '1', check=False)
        sh('ip', 'netns', 'del', 'only', check=False)
    print(''.join(f'# {line}\n' for line in out.splitlines()), end='')
    for what in ('set interface up', 'set MAC address',
                 'Turned on feature: tx-checksumming'):
        assert f'PASS: eth0: {what}' in out, out
    assert not status and 'FAIL' not in out, out


if __name__ == '__main__':
    main(*tests_of(globals()))
