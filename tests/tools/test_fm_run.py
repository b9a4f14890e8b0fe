#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alinkfmd as it runs where there is no fabric: what it tells systemd, and its
state file, spoilt in each way. ALINK names alink, beside which it is. TAP."""
import contextlib
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable=wrong-import-position
from notifylib import Notify  # noqa: E402
from taplib import Skip, main, tests_of  # noqa: E402

FMD = os.path.join(os.path.dirname(os.environ.get('ALINK', '')), 'alinkfmd')
PATIENCE = 60
FAILED, USAGE, BAD_STATE = 1, 2, 8
OUT = {'out': True, 'by_hand': True}
# Each would let somebody in who is out, or is nothing that a manager wrote.
SPOILT = {
    '': 'damaged',
    'null': 'damaged',
    '[]': 'damaged',
    '\0' * 64: 'damaged',
    '{"version": "1", "xpus": [], "planes": []}': 'damaged',
    '{"version": -1, "xpus": [], "planes": []}': 'damaged',
    '{"version": 1, "xpus": {}, "planes": []}': 'damaged',
    '{"version": 1, "xpus": []}': 'damaged',
    '{"version": 1, "xpus": [{}], "planes": []}': 'damaged',
    '{"version": 1, "xpus": [{"xpu": 1, "out": 1, "by_hand": true}], '
    '"planes": []}': 'damaged',
    '{"version": 1, "xpus": [{"xpu": 1, "by_hand": true}], "planes": []}':
        'damaged',
    '{"version": 1, "xpus": [{"xpu": 1, "out": true}], "planes": []}':
        'damaged',
    '{"version": 1, "xpus": [], "planes": [], "groups": [{"group": 1}]}':
        'damaged',
    '{"version": 2, "xpus": [], "planes": []}':
        'of version 2, and this alinkfmd reads 1',
    '{"version": 0}': 'of version 0, and this alinkfmd reads 1',
}


class Manager:
    """A manager with a folder of its own. As a context: it runs, and is
    ready."""

    def __init__(self, folder, xpus='0, 1', **more):
        if os.path.exists('/sys/module/alink'):
            raise Skip('there is a fabric here, which is not to be touched')
        self.folder, self.more = folder, more
        self.config, self.state, self.socket, self.log = (
            os.path.join(folder, n) for n in ('conf', 'state', 'sock', 'log'))
        with open(self.config, 'w', encoding='utf-8') as f:
            f.write(f'partitions = ( {{ id = 5; xpus = [ {xpus} ]; }} );\n'
                    f'state_file = "{self.state}"; socket = "{self.socket}";\n')
        self.notify = Notify(folder)
        self.child = None

    def start(self, watchdog_s=None, **env):
        """Begins, and returns at once."""
        with open(self.log, 'w', encoding='utf-8') as out:
            # pylint: disable-next=consider-using-with
            self.child = subprocess.Popen(
                [FMD, '--config', self.config], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out,
                env=dict(self.notify.env(watchdog_s), **env), **self.more)

    def __enter__(self):
        self.start()
        self.notify.until('READY', PATIENCE)
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait(PATIENCE)

    def once(self, *args):
        """One that ends by itself: status, and what it said"""
        done = subprocess.run([FMD, '--config', self.config, *args],
                              capture_output=True, text=True, check=False,
                              timeout=PATIENCE, env=self.notify.env())
        return done.returncode, done.stderr

    def ask(self, command, **more):
        """Its answer; ConnectionError if it dies before it has given one."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE)
            s.connect(self.socket)
            s.sendall(json.dumps({'command': command, **more}).encode() +
                      b'\n')
            answer = b''
            while not answer.endswith(b'\n'):
                part = s.recv(65536)
                if not part:
                    raise ConnectionError
                answer += part
        return json.loads(answer)

    def write(self, text):
        """The state file."""
        with open(self.state, 'w', encoding='utf-8') as f:
            f.write(text)

    def kept(self):
        """What is in it"""
        with open(self.state, encoding='utf-8') as f:
            return f.read()

    def out(self):
        """Who is out, as it says"""
        return {x['xpu'] for x in json.loads(self.kept())['xpus'] if x['out']}

    def stages(self):
        """Partition that each xPU should be in"""
        return {x['xpu']: x['partition'] for x in self.ask('show')['xpus']}


@contextlib.contextmanager
def place(**more):
    """A manager to be started"""
    with tempfile.TemporaryDirectory() as folder:
        m = Manager(folder, **more)
        try:
            yield m
        finally:
            m.notify.close()


@contextlib.contextmanager
def running(**more):
    """One that is ready"""
    with place(**more) as m:
        with m:
            yield m


# --- what it tells systemd ---------------------------------------------------

def test_ready():
    """Once, with what it found, when it has looked; at the end STOPPING and
    status 0."""
    with running() as m:
        ready = m.notify.said[0][1]
        assert ready['READY'] == '1' and \
            ready['STATUS'].startswith('nothing to manage: '), m.notify.said
        for how in signal.SIGTERM, signal.SIGINT:
            m.child.send_signal(how)
            assert m.notify.until('STOPPING', PATIENCE)['STOPPING'] == '1'
            assert m.child.wait(PATIENCE) == 0
            assert sum('READY' in s for _, s in m.notify.said) == 1
            m.notify.drop()
            m.start()
            m.notify.until('READY', PATIENCE)


def test_reload():
    """RELOADING with its time, and READY, in this order; also if the
    configuration is wrong."""
    with running() as m:
        for text in '', 'nonsense':
            with open(m.config, 'a', encoding='utf-8') as f:
                f.write(text)
            m.notify.drop()
            before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
            m.child.send_signal(signal.SIGHUP)
            reloading = m.notify.until('RELOADING', PATIENCE)
            assert before <= int(reloading['MONOTONIC_USEC']) <= \
                time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
            assert not any('READY' in s for _, s in m.notify.said)
            m.notify.until('READY', PATIENCE)
        with open(m.log, encoding='utf-8') as f:
            assert 'stays as it was' in f.read()


def test_reload_before_it_is_ready():
    """It is not ready for that."""
    def pending():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        os.kill(os.getpid(), signal.SIGHUP)

    with running(preexec_fn=pending) as m:
        first = m.notify.said[0][1]
        assert first['READY'] == '1' and 'STATUS' in first, m.notify.said


def test_watchdog():
    """In time, also with nothing to do; and not where nobody asked for it."""
    with running() as m:
        m.notify.listen(1.5)
        assert not any('WATCHDOG' in s for _, s in m.notify.said)
        m.child.kill()
        m.child.wait(PATIENCE)
        m.start(watchdog_s=2)
        m.notify.listen(7)
        gaps = m.notify.gaps()
        assert len(gaps) >= 2 and max(gaps) < 2, gaps


# --- the state file ----------------------------------------------------------

def test_state_that_is_none():
    """It does not begin, says why and how to go on, and leaves the file alone;
    who was out does not come back by that."""
    with place() as m:
        m.write('{"version": 1, "xpus": [{"xpu": 1, "out": true, '
                '"by_hand": true}], "planes": []}')
        good = m.kept()
        cut = {good[:n]: 'damaged' for n in range(1, len(good), 7)}
        for text, why in {**SPOILT, **cut}.items():
            m.write(text)
            m.notify.drop()
            code, err = m.once()
            assert code == BAD_STATE and f'{m.state}: {why}' in err and \
                'alinkfmd --discard-state' in err, (text, code, err)
            assert m.kept() == text and not os.path.exists(m.socket)
            m.notify.until('STOPPING', PATIENCE)
            assert not any('READY' in s for _, s in m.notify.said)
        m.write(good)
        with m:
            assert m.stages() == {0: 5, 1: 0}
        # A folder is none either.
        os.unlink(m.state)
        os.mkdir(m.state)
        assert m.once()[0] == BAD_STATE


def test_state_is_discarded():
    """By hand only; it is kept beside."""
    with place() as m:
        code, err = m.once('--discard-state')
        assert code == FAILED and 'cannot be put aside' in err, (code, err)
        m.write('{')
        code, err = m.once('--discard-state')
        assert code == 0 and f'kept as {m.state}.discarded' in err, (code, err)
        assert not os.path.exists(m.state)
        with open(f'{m.state}.discarded', encoding='utf-8') as f:
            assert f.read() == '{'
        with m:
            assert m.stages() == {0: 5, 1: 5}
        assert m.once('--discard-state', '--check-config')[0] == USAGE


def test_state_of_a_later_one():
    """What this one does not know is no reason to forget the rest."""
    with place() as m:
        m.write(json.dumps({
            'version': 1, 'written_by': {'alinkfmd': [9]}, 'jobs': [{}],
            'xpus': [{'xpu': 1, **OUT, 'since': '2031'}],
            'planes': [{'plane': 0, 'generation': 3, 'colour': None}],
            'groups': [{'group': 8, 'key': '2a', 'owner': 'x'}]}))
        with m:
            assert m.stages() == {0: 5, 1: 0}
            assert 'error' not in m.ask('disable', xpu=0)
            kept = json.loads(m.kept())
            assert m.out() == {0, 1} and kept['planes'] == [
                {'plane': 0, 'generation': 3}] and kept['groups'] == [
                {'group': 8, 'key': f'{0x2a:016x}'}], kept
        # One from before there were groups
        m.write('{"version": 1, "xpus": [], "planes": []}')
        with m:
            assert m.stages() == {0: 5, 1: 5}


def test_killed_while_it_writes():
    """What was answered is in the file, what was asked may be; and the next one
    reads it."""
    out, hits = False, 0
    with place() as m:
        for _ in range(25):
            with m:
                # Half a file of one that died, which nobody minds
                with open(f'{m.state}.new', 'w', encoding='utf-8') as f:
                    f.write('{"version": 1, ')
                assert (m.stages()[0] == 0) == out
                timer = threading.Timer(random.uniform(0, 0.2), m.child.kill)
                timer.start()
                with contextlib.suppress(OSError):
                    while True:
                        asked = not out
                        answer = m.ask('disable' if asked else 'enable', xpu=0)
                        assert 'error' not in answer, answer
                        out, hits = asked, hits + 1
                timer.join()
            found = os.path.exists(m.state) and 0 in m.out()
            assert found in (out, asked), (found, out, asked)
            out = found
    assert hits


def test_no_memory():
    """A state that memory does not suffice for is not written; it goes on, and
    does as it is told when there is some."""
    with place(xpus=', '.join(map(str, range(1024)))) as m:
        m.write(json.dumps({'version': 1, 'planes': [], 'xpus': [
            {'xpu': i, **OUT} for i in range(1000)]}))
        before = m.kept()
        # Memory that it has done with is not kept for later.
        m.start(MALLOC_TRIM_THRESHOLD_='1', MALLOC_TOP_PAD_='1')
        m.notify.until('READY', PATIENCE)
        try:
            m.stages()
            with open(f'/proc/{m.child.pid}/statm', encoding='utf-8') as f:
                size = int(f.read().split()[0]) * resource.getpagesize()
            unlimited = resource.prlimit(
                m.child.pid, resource.RLIMIT_AS,
                (size + (256 << 10), resource.RLIM_INFINITY))
            answer = m.ask('disable', xpu=1001)
            assert 'cannot be written' in answer.get('error', ''), answer
            with open(m.log, encoding='utf-8') as f:
                assert 'no memory' in f.read()
            assert m.kept() == before
            resource.prlimit(m.child.pid, resource.RLIMIT_AS, unlimited)
            assert m.stages()[1001] == 5
            assert 'error' not in m.ask('disable', xpu=1001)
            assert 1001 in m.out() and len(m.out()) == 1001
        finally:
            m.child.kill()
            m.child.wait(PATIENCE)


if __name__ == '__main__':
    main(*tests_of(globals()))
