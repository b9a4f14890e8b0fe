#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The lanes of tests/trust: what they take for a finding. TAP."""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import select
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, 'tests', n) for n in ('lib', 'trust')]

# pylint: disable=wrong-import-position
import lanelib  # noqa: E402
from alinkvm import Error, loggate, turns  # noqa: E402
from boardlib import not_of_pciehp  # noqa: E402
from taplib import main, tests_of  # noqa: E402


def lane(output, **kwargs):
    """A lane that has taken over OUTPUT, and what that returned."""
    sys.argv = ['lane_test']
    with contextlib.redirect_stdout(io.StringIO()):
        out = lanelib.Lane('', **kwargs)
        return out, out.guest_results(output)


def test_results():
    """Good and bad ones are told apart, and none at all is bad."""
    one, good = lane('ok 1 - a\nok 2 - b # done\nfigure n 3\n')
    assert good and not one.findings and one.number == 2
    assert one.figures == {'n': 3}
    one, good = lane('ok 1 - a\nnot ok 2 - b # why\nok 3 - c\n')
    assert not good and one.findings == ['b: why']
    assert not lane('# nothing\n')[1]


def test_skips():
    """A skip is a finding, unless the lane or the tree says why."""
    output = 'ok 1 - one two # SKIP no such thing\nok 2 - three\n'
    one, good = lane(output)
    assert not good and one.findings == ['one two: was skipped: no such thing']
    one, good = lane(output, skips={'one two': 'it is not built'})
    assert good and not one.findings
    assert one.figures == {'skipped_with_reason': 1}
    one, good = lane(output, skips={'three': 'another'})
    assert not good and len(one.findings) == 1
    one, good = lane('not ok 1 - one # SKIP\n', skips={'one': 'why'})
    assert not good


def asks(server, cpus, rank):
    """A program that waits for its turn, says so, and runs until it is ended."""
    known, last = len(server.requests), time.monotonic() + 60
    # pylint: disable-next=consider-using-with
    child = subprocess.Popen(
        [sys.executable, '-c', 'import sys, time\n'
         'from alinkvm import turns\n'
         f'with turns.turn({cpus}): print(flush=True); time.sleep(60)'],
        stdout=subprocess.PIPE, env={
            **os.environ, 'PYTHONPATH': os.path.dirname(os.path.dirname(
                turns.__file__)), turns.VARIABLE: server.variable(rank)})
    # It is in the queue before the next one.
    while len(server.requests) <= known or not server.requests[-1].cpus:
        assert time.monotonic() < last, 'it does not ask for its turn'
        time.sleep(0.01)
    return child


def has_turn(child, seconds=0.3):
    """Has it got its turn?"""
    return bool(select.select([child.stdout], [], [], seconds)[0])


def test_turns():
    """Two VMs on two processors, the longest lane's first; of one processor, or one
    of them of two. Who is killed has had its turn."""
    server = turns.Server(2)
    server.start()
    with contextlib.ExitStack() as ends:
        def ask(cpus, rank):
            child = asks(server, cpus, rank)
            ends.callback(child.wait)
            ends.callback(child.kill)
            return child

        one, wide = ask(1, 6), ask(2, 5)
        assert has_turn(one, 20) and has_turn(wide, 20)
        late, wide2, early = ask(1, 9), ask(2, 1), ask(1, 3)
        assert not any(map(has_turn, (late, wide2, early)))
        one.kill()
        # "wide2" has the lowest rank, and is too much beside "wide".
        assert has_turn(early, 20)
        assert not has_turn(late) and not has_turn(wide2)
        wide.kill()
        assert has_turn(wide2, 20) and not has_turn(late)
        early.kill()
        assert has_turn(late, 20)
        # More than there are: when nobody else runs.
        huge = ask(4, 0)
        late.kill()
        assert not has_turn(huge)
        wide2.kill()
        assert has_turn(huge, 20)
        assert server.waited[9] > server.waited[3] > 0


def test_turn_of_nobody():
    """Without the variable nobody waits; a server that has gone is an error."""
    os.environ.pop(turns.VARIABLE, None)
    with turns.turn(2):
        pass
    os.environ[turns.VARIABLE] = '/no/such/socket:1'
    try:
        with turns.turn(1):
            assert False, 'nobody to ask'
    except Error as e:
        assert 'ALINK_VM_TURNS=/no/such/socket' in str(e)
    finally:
        del os.environ[turns.VARIABLE]


REPORT = """\
[1] WARNING: possible circular locking dependency detected
[1] irq/24-pciehp/61 is trying to acquire lock:
[1] ffff88 (LOCK){.+.+}-{3:3}, at: AT+0x1/0x2
[1] but task is already holding lock:
[1] ffff89 (pci_rescan_remove_lock){+.+.}-{3:3}, at: AT+0x1/0x2
[1] -> #1 (pci_rescan_remove_lock){+.+.}-{3:3}:
[1] -> #0 (LOCK){.+.+}-{3:3}:
[1]        AT+0x1/0x2
[1] stack backtrace:
[1] Call Trace:
[1]  <TASK>
[1]  AT+0x1/0x2
[1]  </TASK>
"""


def test_lock_reports():
    """Only that of pciehp's own inversion is let through."""
    def report(lock, where):
        return REPORT.replace('LOCK', lock).replace('AT', where)

    good = report('&ctrl->reset_lock', 'pciehp_unconfigure_device')
    assert not_of_pciehp(f'before\n{good}after\n') == ''
    # With a subclass
    assert not_of_pciehp(good.replace('_lock)', '_lock/1)')) == ''
    assert not_of_pciehp('nothing\n').startswith('none')
    assert not_of_pciehp(good + good) == '2 reports'
    ours = report('&xdev->reset_lock', 'xpu_remove')
    assert '&xdev->reset_lock' in not_of_pciehp(ours)
    # What is said later is no part of it.
    assert not_of_pciehp(ours + '[2] pciehp_unconfigure_device &ctrl->reset_lock')
    assert not_of_pciehp(report('&ctrl->reset_lock', 'pciehp_configure_device'))


def test_allowed_reports():
    """An exception from the log gate that nothing needs is seen to be one."""
    lines = lanelib.CORE_LINES
    seen = loggate.allowed('[1] kobject_add_internal failed for x (error: -12 p)'
                           '\n[2] clocksource: fine\n'
                           '[3] BUG: KCSAN: data-race in note_interrupt / x\n',
                           lines)
    assert [seen[n] for n in lines] == [1, 0, 0]
    assert set(loggate.KERNEL_RACE_LINES) < set(seen)
    assert sum(seen[n] for n in loggate.KERNEL_RACE_LINES) == 1
    # It is no failure by itself.
    assert not any(seen[n] for n in loggate.HARMLESS_LINES)


def loaded(*path):
    """A program of tests/, as a module."""
    path = os.path.join(ROOT, 'tests', *path)
    loader = importlib.machinery.SourceFileLoader('program', path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader('program', loader))
    loader.exec_module(module)
    return module


# Each is given what stands for alink-vm.
def two_parts(vm):
    """A lane with two parts, of which the first does not end"""
    lanelib.VM = vm
    lanelib.build_tools = lambda: ''
    sys.argv = ['lane_test']
    one = lanelib.Lane('')
    one.run_guests({'first': ['first'], 'second': ['second']})
    return one.done()


def side_by_side(vm):
    """A lane with two VMs at a time"""
    fuzz = loaded('trust', 'lane_fuzz')
    sys.argv = ['lane_test']
    one = lanelib.Lane('', fuzz.OPTIONS)
    runs = [fuzz.Run(one, part, '-', 600) for part in fuzz.PARTS]
    for run in runs:
        run.line = [vm]
    fuzz.run_all(runs)
    return one.done()


def below(vm):
    """tests/guest, as the lane kasan runs it"""
    guest = loaded('guest')
    guest.VM = vm
    guest.folders = lambda: [('any', 'switch2')]
    guest.programs = lambda *_: ['any']
    guest.variables = lambda *_: []
    sys.argv = ['guest']
    return guest.main()


CASES = {'two_parts': (two_parts, 1), 'side_by_side': (side_by_side, 2),
         'below': (below, 1)}
# Says who it is, and ends when it is told to; never by itself.
FAKE_VM = """\
trap 'rm {}/$$; kill $!; exit 125' TERM
echo $$ >{}/$$
sleep 600 & wait
"""


def ended(case, number):
    """Ends a case, when NUMBER of VMs run, by one SIGTERM to it alone."""
    with tempfile.TemporaryDirectory() as d:
        seen = os.path.join(d, 'seen')
        os.mkdir(seen)
        vm = os.path.join(d, 'vm')
        with open(vm, 'w', encoding='utf-8') as f:
            f.write('#!/bin/sh\n' + FAKE_VM.format(seen, seen))
        os.chmod(vm, 0o755)
        with subprocess.Popen([sys.executable, __file__, case, vm],
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=dict(os.environ, ALINK_TRUST=d)) as child:
            try:
                give_up = time.monotonic() + 60
                while len(os.listdir(seen)) < number:
                    assert time.monotonic() < give_up and \
                        child.poll() is None, f'{case}: it does not start'
                    time.sleep(0.05)
                child.send_signal(signal.SIGTERM)
                said = child.communicate(timeout=30)[0]
            finally:
                child.kill()
                left = os.listdir(seen)
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGTERM)
        assert child.returncode == 143, (case, child.returncode, said)
        # Each VM took note of its end, and no other was begun.
        assert not left, (case, left, said)


def test_one_sigterm_ends_it():
    """A lane ends, with all of its VMs, when it is told so once."""
    for case, (_, number) in CASES.items():
        ended(case, number)


if sys.argv[1:2] and sys.argv[1] in CASES:
    sys.exit(CASES[sys.argv[1]][0](sys.argv[2]))
main(*tests_of(globals()))
