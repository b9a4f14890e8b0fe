# SPDX-License-Identifier: GPL-2.0-only
"""What the lanes of tests/trust share: options, TAP, figures, VMs.

A lane is a program tests/trust/lane_NAME. It runs on the host, prints TAP, and
fails when it cannot do its work: no result of a lane is a silent skip. With
--slice it does as much as fits into `make check`. With ALINK_TRUST=FOLDER it
leaves there NAME.json with what it counted, which `make trust` reports.
"""
import argparse
import functools
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, *n) for n in (('tests', 'lib'),
                                                  ('tools', 'vm'))]

# pylint: disable=wrong-import-position
from alinkvm import loggate, turns  # noqa: E402
from taplib import skips_allowed  # noqa: E402

VM = os.path.join(ROOT, 'tools', 'vm', 'alink-vm')
# What the kernel's core says when memory is refused it in the middle of a probe.
# An interrupt whose files in /proc could not be made still gets them removed:
# a WARNING of kernel/irq/proc.c about itself. i2c_add_adapter() warns when it
# finds no memory for a number.
CORE_LINES = (r'kobject_add_internal failed for .* \(error: -12',
              r'WARNING: .* remove_proc_entry\+',
              r'WARNING: .* i2c_add_adapter\+')
CORE_SAYS = '|'.join(CORE_LINES)
# How the reason behind a result begins that is none
SKIPPED = re.compile(r'SKIP\b\s*', re.I)
# How many of its results a report names with the time that they took
SLOWEST = 30
# Module of the folder faults that ends lockdep
NO_LOCKDEP = 'no_lockdep'
# Exit status of alink-vm when the machine failed, not the command in it.
VM_FAILED = 125


def result_name(line):
    """What a line of TAP is the result of; '' if it is none."""
    if not line.startswith(('ok ', 'not ok ')):
        return ''
    return line.rstrip('\n').split(' - ', 1)[-1].partition(' # ')[0]


class Lane:
    """One run of a lane."""

    def __init__(self, about, options=(), skips=()):
        """SKIPS: {test: why it may be skipped here}"""
        self.name = os.path.basename(sys.argv[0]).removeprefix('lane_')
        parser = argparse.ArgumentParser(
            description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument('--slice', action='store_true',
                            help='the short run of make check')
        for names, how in options:
            parser.add_argument(*names, **how)
        parser.add_argument('only', nargs='*', help='parts to run; all if none')
        self.opts = parser.parse_args()
        # What runs below is ended by the way out, not by the signal.
        self.starting = self.told_to_end = False
        signal.signal(signal.SIGTERM, self.sigterm)
        self.start = time.monotonic()
        self.number = self.failed = 0
        self.figures = {}
        self.lists = {}
        self.findings = []
        self.skips = dict(skips)
        self.allowed = skips_allowed()
        # What kernel logs may hold: how often one did
        self.reports = {}
        # Seconds until each result of a program, the program's start included
        self.took = {}
        print('TAP version 13', flush=True)

    def sigterm(self, *_):
        """The way out. A program that is just being started has to be known
        first: else it would stay behind, with its VM."""
        self.told_to_end = True
        if not self.starting:
            sys.exit(143)

    @property
    def slice(self):
        """True for the short run."""
        return self.opts.slice

    def wants(self, part):
        """Was this part asked for?"""
        return not self.opts.only or part in self.opts.only

    def result(self, what, passed, why=''):
        """One result; a failing one is a finding."""
        self.number += 1
        if not passed:
            self.failed += 1
            self.findings.append(f'{what}: {why}' if why else what)
        tail = f' # {why}' if why else ''
        print(f'{"ok" if passed else "not ok"} {self.number} - {what}{tail}',
              flush=True)
        return passed

    def tap(self, name, good, why=''):
        """One result that a program printed, WHY being what was behind it. What
        was skipped says nothing, and is a finding where nobody expects it."""
        skipped = SKIPPED.match(why)
        if good and skipped:
            if name in self.skips:
                why = f'SKIP {self.skips[name]}'
                self.figure('skipped_with_reason', 1)
            elif name in self.allowed:
                self.figure('skipped_with_reason', 1)
            else:
                good, why = False, f'was skipped: {why[skipped.end():]}'
        return self.result(name, good, why)

    def say(self, text):
        """Diagnostics."""
        for line in text.splitlines():
            print(f'# {line}', flush=True)

    def figure(self, key, value):
        """A number for the report; a repeated key adds up."""
        old = self.figures.get(key)
        if isinstance(old, (int, float)):
            value += old
        self.figures[key] = value

    def listing(self, key, lines):
        """Lines for the report that are too many for its text."""
        self.lists[key] = list(lines)

    def vm(self, command, topology='node2', kernel='debug', append='',
           timeout=300, more=(), smp=None, locks=True):
        """Runs COMMAND in a VM: (exit status, all that was printed). The VM's
        own verdict on the kernel log is status VM_FAILED. SMP: processors, for
        another number than the topology's. With one, the same work takes two
        thirds of the host's time, as long as it is one thing after another.
        LOCKS: lockdep proves their order; not where the same is done again and
        again, which another lane does with it, at a fifth of the time more."""
        build_tools()
        if not locks:
            append = f'{append} lockdep.prove_locking=0'
            command = behind(NO_LOCKDEP, command)
        line = [VM, 'run', '--topology', topology, '--kernel', kernel,
                '--timeout', str(timeout), '--append', append, *more,
                *(['--smp', str(smp)] if smp else []), '--', *command]
        return self.program(line)

    def program(self, command, env=None):
        """Runs COMMAND: (exit status, all that was printed). Notes how long each
        of its results took: where a lane's time goes is in its report."""
        lines, last = [], time.monotonic()
        self.starting = True
        with subprocess.Popen(command, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True,
                              errors='replace', env=env,
                              stdin=subprocess.DEVNULL) as child:
            try:
                self.starting = False
                if self.told_to_end:
                    sys.exit(143)
                for line in child.stdout:
                    lines.append(line)
                    name = result_name(line)
                    if turns.BEGINS in line:
                        last = time.monotonic()
                    elif name:
                        now = time.monotonic()
                        self.took[name] = now - last
                        last = now
            except BaseException:
                # Takes its VM along.
                child.terminate()
                raise
        return child.returncode, ''.join(lines)

    def guest_results(self, output):
        """Takes over the TAP that a program in the guest printed, and lines
        "figure KEY NUMBER"; True if there was a result and none was bad."""
        seen, bad = 0, False
        for line in output.splitlines():
            name = result_name(line)
            if name:
                why = line.split(' - ', 1)[-1].partition(' # ')[2]
                bad = not self.tap(name, line.startswith('ok '), why) or bad
                seen += 1
            elif line.startswith('figure '):
                _, key, value = line.split()
                self.figure(key, float(value) if '.' in value else int(value))
            elif not line.startswith(('1..', 'TAP ')):
                self.say(line)
        return seen > 0 and not bad

    def run_guest(self, what, command, more=(), **kwargs):
        """A program in the guest that prints TAP; its VM must end well. The
        kernel log of one that does not is kept."""
        folder = os.environ.get('ALINK_TRUST') or os.path.join(cache(), 'trust')
        os.makedirs(folder, exist_ok=True)
        log = os.path.join(folder, f'{self.name}-{re.sub(r"[^a-z0-9]+", "-", what)}'
                           '.kernel.log')
        status, output = self.vm(command, more=[*more, '--log', log], **kwargs)
        self.guest_results(output)
        if os.path.exists(log):
            with open(log, encoding='utf-8', errors='replace') as f:
                for key, seen in loggate.allowed(f.read(), CORE_LINES).items():
                    self.reports[key] = self.reports.get(key, 0) + seen
        if status:
            self.say(f'kernel log: {log}')
        elif os.path.exists(log):
            os.unlink(log)
        return self.result(f'{what}: kernel log is clean, all ran to the end',
                           status == 0, '' if status == 0 else f'status {status}')

    def run_guests(self, parts, together=False, **kwargs):
        """Programs {name: command}: a boot each; or TOGETHER one for all, as in the
        slice, where boots are most of the time."""
        if (self.slice or together) and parts:
            script = ' '.join(f'{shlex.join(c)} || r=1;'
                              for c in parts.values())
            parts = {', '.join(parts): ['sh', '-c', f'r=0; {script} exit $r']}
        for name, command in parts.items():
            self.run_guest(name, command, **kwargs)

    def functional(self, name, options, *more, kernel='stock', without=()):
        """A folder of the functional tests, in one boot: OPTIONS of alink-vm, MORE
        of tests/guest. WITHOUT: {"folder program": why it is left out here}"""
        left = {w.split()[1]: w for w in without if w.split()[0] == name}
        self.skips.update({w: without[w] for w in left.values()})
        status, out = self.program(
            [os.path.join(ROOT, 'tests', 'guest'), *more, '--kernel', kernel,
             *(f'--without={program}' for program in left), name],
            env={**os.environ, 'ALINK_VM_OPTIONS': options})
        before = self.number
        self.guest_results(out)
        self.figure('tests', self.number - before)
        self.result(f'{" ".join((name, *more))}: ran to the end',
                    self.number > before and status == 0,
                    f'status {status}' if status else '')

    def done(self):
        """Plan, report, exit status."""
        seconds = round(time.monotonic() - self.start)
        print(f'1..{self.number}\n# {self.name}: {seconds} s', flush=True)
        folder = os.environ.get('ALINK_TRUST')
        slowest = sorted(self.took.items(), key=lambda n: -n[1])[:SLOWEST]
        self.listing('slowest', [f'{seconds:.0f} s  {name}'
                                 for name, seconds in slowest])
        if folder:
            report = {'lane': self.name, 'slice': self.slice,
                      'seconds': seconds, 'results': self.number,
                      'figures': self.figures, 'lists': self.lists,
                      'allowed_reports': self.reports,
                      'findings': self.findings}
            path = os.path.join(folder, f'{self.name}.json')
            with open(path, 'w', encoding='utf-8') as f:
                json.dump(report, f, indent=2)
                f.write('\n')
        return 1 if self.failed or not self.number else 0


@functools.cache
def build_tools():
    """The tools of the tree, which a VM has in its PATH once they are built;
    their folder."""
    done = subprocess.run([os.path.join(ROOT, 'tools', 'setup', 'tools')],
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True, check=False)
    if done.returncode:
        sys.exit('Bail out! the tools do not build')
    return done.stdout.split()[-1]


@functools.cache
def build_module(name, source, kernel, *args):
    """Builds the module NAME of the folder SOURCE, with more arguments for
    make; its path."""
    folder = kernel_folder(kernel)
    # Lanes run side by side, and VMs of one may have it while another builds.
    where = os.path.join(cache(), 'trust-modules', os.path.basename(folder),
                         os.path.basename(sys.argv[0]), name)
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(source, where)
    headers = glob.glob(os.path.join(folder, 'lib', 'modules', '*', 'build'))
    done = subprocess.run(['make', '-C', headers[0], f'M={where}', *args,
                           'modules'], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        sys.exit(f'Bail out! {name} does not build\n{done.stdout}')
    return os.path.join(where, f'{name}.ko')


def behind(name, command, script='exec "$@"'):
    """The command of a guest with the debug kernel, after one of the modules in
    faults."""
    module = build_module(name, os.path.join(HERE, 'faults'), 'debug')
    return ['sh', '-c', f'insmod "$0" && {script}', module, *command]


def kernel_folder(kind):
    """Folder of a debug kernel, built when it is not there."""
    done = subprocess.run(
        [os.path.join(ROOT, 'tools', 'setup', 'debug-kernel'), kind],
        stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        check=False)
    if done.returncode:
        sys.exit(f'Bail out! kernel {kind} does not build')
    return done.stdout.strip()


def cache():
    """Where things are built."""
    path = os.environ.get('ALINK_CACHE')
    if not path:
        base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
        path = os.path.join(base, 'alink')
    return os.path.abspath(path)
