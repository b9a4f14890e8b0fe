#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_lifecycle.py LIFE_XPU RACE_XPU PART COUNT. Does to the
devices whatever can happen to them, COUNT times over, while work runs on them.
Prints TAP."""
import contextlib
import ctypes
import errno
import glob
import itertools
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))

# pylint: disable=wrong-import-position
import fwimage  # noqa: E402
from boardlib import Board, not_of_pciehp  # noqa: E402
from faultlib import (dma_debug_is_off, only_behind,  # noqa: E402
                      spare_dma_debug)
from guestlib import (PATIENCE, Worker, knob, model, qmp, read,  # noqa: E402
                      sh, wait_for, write)

DRIVERS = ('alink_switch', 'alink_xpu', 'alink_optics', 'alink_nic')
# Work on a device that is reset or gone ends in one of these.
ENDED = (errno.ECANCELED, errno.ENODEV)
# What is promised of SIGKILL, on the guest's own clock. A wait in a driver that
# is not killable lasts ten times as long. A host that is busy may hold up any
# one of some 50 kills; so one that was late, but less than that, is tried once
# more, and must not be late again.
KILL_MS = 1000
PM = '/sys/power'
ALARM = '/sys/class/rtc/rtc0/wakealarm'
REFUSE = '/sys/kernel/debug/notifier-error-inject/pm/actions/' \
    'PM_SUSPEND_PREPARE/error'
# Of x86_64: what this library of C has no name for
SYS_REBOOT, SYS_KEXEC_FILE_LOAD = 169, 320
REBOOT = (0xfee1dead, 672274793, 0x45584543)
# On the command line of the kernel that was started by kexec: the devices that
# the first one had
SECOND = 'alink.kexec='
# Has the processors while nobody else wants them
IDLE = ('chrt', '--idle', '0')
# Of race_xpu: for an hour, with rests. It never lets a processor of the guest
# be idle else, and other VMs want those of the host.
LOAD = '3600:50'
# That race_xpu has memory in: a switch that is reset loses it.
GROUP = ('alink', 'group', 'add', '9', '0,1', 'key', '77')
LITTLE = 1 << 30
# More allocations than will ever fail
MANY = 1000000
# What looks at all devices, and writes their firmware, for ever
LOOKS = ('while :; do alink list; alink link show; '
         f'alink fabric up; {" ".join(GROUP)}; '
         'devlink dev info; ip -s link; '
         'cat /sys/class/hwmon/*/*_input; sleep 0.2; '
         'for d in /sys/class/alink/*; do devlink dev flash '
         'pci/$(basename $(readlink $d/device)) '
         'file $(cat $d/type).img; done; done')
# How QEMU's devices of topology node2 are made; HBM and rates by default.
PLUGGED = {
    'xpu0': {'driver': 'alink-xpu', 'bus': 'dn-xpu0', 'fabric': 'fab0',
             'endpoint': 0},
    'xpu1': {'driver': 'alink-xpu', 'bus': 'dn-xpu1', 'fabric': 'fab0',
             'endpoint': 1},
    'sw1': {'driver': 'alink-switch', 'bus': 'rp-sw1', 'fabric': 'fab0',
            'plane': 1},
    'nic0': {'driver': 'alink-nic', 'bus': 'dn-nic0', 'netdev': 'net0'},
}


def plugged(name):
    """How QEMU's device NAME is made, in any topology; but for the size of an
    xPU's window, see Life.made()."""
    if name in PLUGGED:
        return PLUGGED[name]
    number = name.lstrip('abcdefghijklmnopqrstuvwxyz')
    if name.startswith('xpu'):
        return {'driver': 'alink-xpu', 'bus': f'dn-{name}', 'fabric': 'fab0',
                'endpoint': int(number)}
    return {'driver': 'alink-nic', 'bus': f'dn-{name}',
            'netdev': f'net{number}'}


def tried(function, *args):
    """Has it worked this time? What it returns, or True"""
    try:
        return function(*args) or True
    except OSError:
        return False


def syscall(number, *args):
    """A system call of which the library knows nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(number),
                    *(ctypes.c_void_p(a) if isinstance(a, int) else a
                      for a in args)) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def devices():
    """{name: PCI address} of all devices that have their driver."""
    return {os.path.basename(p): os.path.basename(os.path.realpath(
        f'{p}/device')) for p in glob.glob('/sys/class/alink/*')}


def pci(bdf, name):
    """A file of a PCI function."""
    return f'/sys/bus/pci/devices/{bdf}/{name}'


def await_paths(*pairs):
    """Brings the fabric up, until each PAIR of xPUs has a path: that takes links
    that are up, and devices that are ready."""
    wait_for(f'paths {pairs}', lambda: all(
        subprocess.run(['alink', *command], check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL).returncode == 0
        for command in (('fabric', 'up'), *(('path', *p) for p in pairs))),
             PATIENCE)


class Life:
    """The parts, and what they share."""

    def __init__(self, life, race, count):
        self.life, self.race, self.count = life, race, count
        self.number = self.failed = 0
        self.all = devices()
        # What shows their HBM is as large as before when they come back: Linux
        # deals the room behind a bridge out in equal parts.
        self.windows = {n: model(n, 'hbm-bar-size') for n in self.all
                        if n.startswith('xpu')}
        self.drivers = {n: os.path.basename(os.path.realpath(
            pci(b, 'driver'))) for n, b in self.all.items()}

    def made(self, name):
        """How QEMU's device NAME is made again."""
        if name in self.windows:
            return {**plugged(name), 'hbm-bar-size': self.windows[name]}
        return plugged(name)

    # --- results -----------------------------------------------------------

    def result(self, what, bad=''):
        """One result."""
        self.number += 1
        self.failed += bool(bad)
        print(f'{"not ok" if bad else "ok"} {self.number} - {what}'
              + (f' # {bad}' if bad else ''), flush=True)

    # --- work ----------------------------------------------------------------

    @contextlib.contextmanager
    def load(self, xpus=True, mortal=False):
        """Submissions, files that come and go, traffic between the xPUs, HBM
        that moves where there is little, queries, readers of all that is
        shown, and firmware that is written, all the while. It takes what
        processor time there is, and is in nobody's way. MORTAL: it may die,
        and its user calls what this yields, which revives it."""
        sh('alink', 'fabric', 'up', check=False)
        sh(*GROUP, check=False)
        fwimage.offer()
        roles = ['submit', 'churn', 'lend', 'remote', 'compute', 'fence',
                 'prime', 'group'] if xpus else []
        if xpus and self.little_hbm():
            roles.append('crowd')
        work = [Worker(*IDLE, self.race, LOAD, 'query', *roles),
                Worker(*IDLE, 'sh', '-c', f'{{ {LOOKS}; }} >/dev/null 2>&1')]

        def renew():
            """Starts those anew that have died."""
            for i, worker in enumerate(work):
                died = worker.died()
                if died:
                    print(f'# {died}\nfigure load_renewed 1', flush=True)
                    worker.stop()
                    # Without memory 9p finds no program, or half of one.
                    work[i] = wait_for('a new load', lambda a=worker.args:
                                       tried(Worker, *a), PATIENCE)
        try:
            yield renew
        finally:
            died = [worker.stop() for worker in work
                    if not worker.said.closed]
        if not mortal:
            self.result('the load goes on to the end',
                        '; '.join(filter(None, died)))

    def little_hbm(self):
        """Is there so little HBM that it can be filled?"""
        bar2 = read(pci(self.all['xpu0'], 'resource')).splitlines()[2]
        start, end = (int(n, 16) for n in bar2.split()[:2])
        return end - start < LITTLE

    def hold(self, number, how='hold'):
        """Somebody sleeps on a command of xPU NUMBER that never ends."""
        child = subprocess.Popen([self.life, how, str(number)],
                                 stdin=subprocess.DEVNULL, text=True,
                                 stdout=subprocess.PIPE)
        line = child.stdout.readline()
        assert line == 'held\n', f'life_xpu hold: {line!r}'
        time.sleep(0.1)
        return child

    @staticmethod
    def ended(child):
        """What is wrong with how it ended; '' if nothing."""
        try:
            out, _ = child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            return 'the sleeper never woke'
        if child.returncode:
            return f'the sleeper ended with {child.returncode}: {out}'
        code = int(out.split()[1])
        return '' if code in ENDED else f'it ended with {code}'

    def usable(self):
        """Every device is ready, and data goes through each xPU; '' or what is
        wrong."""
        def states():
            return {n: read(f'/sys/class/alink/{n}/state') for n in devices()}
        try:
            wait_for('all devices', lambda: len(devices()) == len(self.all),
                     PATIENCE)
            wait_for('ready', lambda: set(states().values()) == {'ready'},
                     PATIENCE)
        except (AssertionError, OSError):
            with contextlib.suppress(OSError):
                return f'{len(devices())} of {len(self.all)}: {states()}'
            return 'devices come and go'
        xpus = sum(n.startswith('xpu') for n in self.all)
        done = subprocess.run([self.life, 'check', str(xpus)], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=PATIENCE, check=False)
        if done.returncode:
            return f'life_xpu check: {done.returncode} {done.stderr.strip()}'
        errors = {n: read(f'/sys/class/alink/{n}/guest_errors')
                  for n in devices()}
        wrong = {n: e for n, e in errors.items() if e != '0'}
        return f'guest errors: {wrong}' if wrong else ''

    def cycle(self, what, op, holds=(), how='hold'):
        """OP while the xPUs of HOLDS are held: their sleepers wake with an
        error, and afterwards all is as before. What was wrong, or ''."""
        sleepers = [self.hold(n, how) for n in holds]
        try:
            op()
            bad = ''
        except (AssertionError, OSError) as err:
            bad = f'{what}: {err}'
        woken = [self.ended(child) for child in sleepers]
        return next(filter(None, woken), '') or bad or self.usable()

    def cycles(self, what, op, names, holds=True, how='hold'):
        """A result over COUNT cycles of OP(name), on NAMES in turn."""
        done, bad = 0, ''
        for i in range(self.count):
            name = names[i % len(names)]
            held = (int(name[3:]),) if holds and name.startswith('xpu') else ()
            bad = self.cycle(what, lambda n=name: op(n), held, how)
            if bad:
                bad = f'{name}, cycle {i}: {bad}'
                break
            done += 1
        print(f'figure cycles_{what.replace(" ", "_")} {done}', flush=True)
        self.result(f'{what} under load', bad)

    # --- what is done --------------------------------------------------------

    def reset_by(self, method):
        """A function that resets a device by a method of the PCI core."""
        def op(name):
            bdf = devices()[name]
            write(pci(bdf, 'reset_method'), method)
            write(pci(bdf, 'reset'), '1')
            write(pci(bdf, 'reset_method'), 'default')
        return op

    def rebind(self, name):
        """unbind, bind"""
        bdf, base = self.all[name], f'/sys/bus/pci/drivers/{self.drivers[name]}'
        write(f'{base}/unbind', bdf)
        write(f'{base}/bind', bdf)

    def rescan(self, name):
        """remove, rescan"""
        write(pci(self.all[name], 'remove'), '1')
        write('/sys/bus/pci/rescan', '1')

    def dead(self, name):
        """Gone without a word, and back: a new device for a new driver"""
        bdf, base = self.all[name], f'/sys/bus/pci/drivers/{self.drivers[name]}'
        knob(name, 'x-dead', True)
        wait_for(f'{name}: lost', lambda: read(
            f'/sys/class/alink/{name}/state') == 'lost', PATIENCE)
        write(f'{base}/unbind', bdf)
        knob(name, 'x-dead', False)
        write(f'{base}/bind', bdf)

    def aer(self, kind):
        """A function that lets a device report a bus error."""
        short = {'correctable': 'cor'}.get(kind, kind)

        def op(name):
            # The device itself cannot be asked after a fatal error.
            port = os.path.realpath(pci(self.all[name], '')).split('/')[4]

            def total():
                return int(read(pci(port, f'aer_rootport_total_err_{short}')))
            before = total()
            knob(name, 'x-aer-inject', kind)
            wait_for(f'{name}: {kind} counted', lambda: total() > before,
                     PATIENCE)
        return op

    def unnoticed(self, op):
        """A function that does OP to a device, whose sleepers sleep on."""
        def wrapped(name):
            held = [self.hold(int(name[3:]))] if name.startswith('xpu') else []
            try:
                op(name)
                time.sleep(1)
                awake = [child.poll() for child in held]
                assert not any(a is not None for a in awake), \
                    f'the sleeper woke: {awake}'
            finally:
                for child in held:
                    child.kill()
                    child.communicate(timeout=PATIENCE)
        return wrapped

    def unplug(self, names):
        """device_del of all, then wait until the guest has let go"""
        for name in names:
            qmp('device_del', id=name)
        for name in names:
            wait_for(f'{name}: unplugged', lambda n=name: not os.path.exists(
                f'/sys/bus/pci/devices/{self.all[n]}'), PATIENCE)

    def plug(self, names):
        """device_add of all, as soon as QEMU has let go too"""
        def add(name):
            try:
                qmp('device_add', id=name, **self.made(name))
                return True
            except AssertionError as err:
                if 'uplicate' in str(err) or 'in use' in str(err):
                    return False
                raise
        for name in names:
            wait_for(f'{name}: plugged', lambda n=name: add(n), PATIENCE)
        for name in names:
            wait_for(f'{name}: has its driver',
                     lambda n=name: n in devices(), PATIENCE)

    def replug(self, name):
        """device_del, device_add"""
        self.unplug([name])
        self.plug([name])

    # --- the parts -------------------------------------------------------------

    def resets(self):
        """Function-level, by power state, by the bus above; AER."""
        kinds = sorted({n.rstrip('0123456789') + '0' for n in self.all})
        methods = read(pci(self.all['xpu0'], 'reset_method')).split()
        self.result('resets: flr and bus are there',
                    '' if {'flr', 'bus'} <= set(methods) else methods)
        with self.load():
            for method in methods:
                self.cycles(f'reset {method}', self.reset_by(method), kinds)
            self.cycles('aer fatal', self.aer('fatal'), kinds)
            # The link works: nothing has to end.
            for kind in ('nonfatal', 'correctable'):
                self.cycles(f'aer {kind}', self.unnoticed(self.aer(kind)),
                            kinds, holds=False)

    def comings(self):
        """Unbind and bind, remove and rescan, surprise, SIGKILL."""
        names = sorted(self.all)
        with self.load():
            self.cycles('unbind', self.rebind, names)
            self.cycles('remove and rescan', self.rescan, names)
            self.cycles('surprise removal', self.dead, names)
            worst, slow, bad = 0, 0, ''
            for i in range(self.count):
                try:
                    took = self.kill_ms(i % 2)
                    if KILL_MS < took < 10 * KILL_MS:
                        slow += 1
                        took = min(took, self.kill_ms(i % 2))
                except AssertionError as err:
                    bad = str(err)
                    break
                worst = max(worst, took)
            print(f'figure kill_ms_max {worst}')
            print(f'figure kill_tried_again {slow}')
            self.result('SIGKILL ends sleepers within a second, under load',
                        bad or (f'{worst} ms' if worst > KILL_MS else ''))

    def kill_ms(self, number):
        """Milliseconds until the slowest sleeper on an xPU was gone"""
        done = subprocess.run([self.life, 'kill', str(number)],
                              capture_output=True, text=True, timeout=PATIENCE,
                              check=False)
        assert not done.returncode, f'{done.returncode}: {done.stderr.strip()}'
        return int(done.stdout.split()[1])

    def orders(self):
        """Modules in every order"""
        done, bad = 0, ''
        todo = list(itertools.permutations(DRIVERS))
        random.seed(2)
        random.shuffle(todo)
        for order in todo[:self.count]:
            sh('modprobe', '-r', *DRIVERS)
            sh('modprobe', '-r', 'alink')
            for name in order:
                sh('modprobe', name)
            bad = self.usable()
            if bad:
                bad = f'{" ".join(order)}: {bad}'
                break
            done += 1
        print(f'figure cycles_load_order {done}')
        self.result('modules in any order', bad)

    def acpi(self):
        """Hot-unplug and hot-plug"""
        with self.load():
            self.cycles('hot-unplug acpi', self.replug, sorted(PLUGGED))

    def reset_and_replug(self, name):
        """Somebody resets it by the bus above until it is gone."""
        reset = pci(self.all[name], 'reset')
        write(pci(self.all[name], 'reset_method'), 'bus')
        with subprocess.Popen(
                ['sh', '-c', 'echo 1 >"$0" && echo reset || exit; '
                 'while [ -e "$0" ]; do echo 1 >"$0"; done', reset],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                stderr=subprocess.DEVNULL) as child:
            try:
                assert child.stdout.readline() == 'reset\n', 'no reset'
                self.unplug([name])
                child.wait(PATIENCE)
            finally:
                child.kill()
        self.plug([name])

    def pciehp(self):
        """The same by the kernel's native hot-plug; and under resets of the bus
        (tt-kmd 188)."""
        with self.load():
            self.cycles('hot-unplug pciehp', self.replug, ['xpu0', 'nic0'])
            self.cycles('bus reset and unplug', self.reset_and_replug,
                        ['xpu0', 'nic0'])
        self.report_is_of_pciehp()

    def report_is_of_pciehp(self):
        """Unplug by pciehp has a lock inversion of its own, in kernels up to
        now: the report of lockdep must be that one."""
        self.result('the only report of lockdep is of pciehp itself',
                    not_of_pciehp(sh('dmesg')))

    def check(self, count):
        """Data through the first COUNT xPUs that there are"""
        sh(self.life, 'check', str(count))

    def board(self):
        """The GPU node of the first xPU"""
        board = Board('xpu0', self.all)
        self.result('a node is 4 xPUs and 4 NICs behind one switch', '' if
                    sorted(board.names) == [f'{kind}{n}' for kind in
                                            ('nic', 'xpu') for n in range(4)]
                    else board.names)
        return board

    def node_gone(self, board):
        """Nothing of it is left, and the xPU of the other node works."""
        wait_for('the node is gone', lambda: not any(
            n in devices() for n in board.names), PATIENCE)
        self.check(1)

    def node_cycles(self, how, op):
        """A result over COUNT cycles of OP, each with a sleeper on each of the
        node's xPUs; and of what has come back, the fabric is usable, too."""
        def whole():
            op()
            wait_for('all devices', lambda: devices().keys() ==
                     self.all.keys(), PATIENCE)
            await_paths(('xpu0', 'xpu4'), ('xpu4', 'xpu3'))
        what = f'node {how}'
        done, bad = 0, ''
        while done < self.count and not bad:
            bad = self.cycle(what, whole, range(4))
            done += not bad
        print(f'figure cycles_{what.replace(" ", "_")} {done}')
        self.result(f'{what} under load', bad)

    def slot(self):
        """A GPU node as one board, in a slot of pciehp's: see boardlib.py."""
        self.board()

        def out_and_in(take):
            def op():
                board = Board('xpu0', devices())
                take(board)
                self.node_gone(board)
                board.put_in(self.made)
            return op

        with self.load():
            for how, take in (('unplugged', Board.press_button),
                              ('torn out', Board.tear_out),
                              ('turned off', Board.turn_off)):
                self.node_cycles(how, out_and_in(take))
        self.report_is_of_pciehp()

    def node(self):
        """A GPU node behind ports that ACPI serves: taken out in order, dead,
        and device by device. The xPU of the other node works all the while."""
        board = self.board()
        up, inside = board.upstream, board.names
        xpus = [int(n[3:]) for n in inside if n.startswith('xpu')]

        def gone():
            self.node_gone(board)

        def taken_out():
            write(pci(up, 'remove'), '1')
            gone()
            write('/sys/bus/pci/rescan', '1')

        def dead():
            for name in inside:
                knob(name, 'x-dead', True)
            self.check_survivor(xpus)
            write(pci(up, 'remove'), '1')
            gone()
            for name in inside:
                knob(name, 'x-dead', False)
            write('/sys/bus/pci/rescan', '1')

        def unplugged():
            self.unplug(inside)
            gone()
            self.plug(inside)

        with self.load():
            for how, op in (('taken out', taken_out), ('dead', dead),
                            ('unplugged one by one', unplugged)):
                self.node_cycles(how, op)

    def check_survivor(self, dead):
        """Those of DEAD are missed, though nobody told of them; the others
        are as they were."""
        for number in dead:
            wait_for(f'xpu{number}: lost', lambda n=number: read(
                f'/sys/class/alink/xpu{n}/state') == 'lost', PATIENCE)
        self.check(1)

    def kexec(self):
        """Another kernel, at once, with work in flight. It finds all devices
        quiet, and is called again there."""
        with open('/proc/cmdline', encoding='ascii') as f:
            line = f.read().split()
        if line[-1].startswith(SECOND):
            self.after_kexec(line[-1].removeprefix(SECOND).split(','))
            return
        if os.uname().machine != 'x86_64':
            self.result('kexec: system calls of x86_64 only', 'other machine')
            return
        with contextlib.ExitStack() as files:
            kernel, initrd = (files.enter_context(open(os.environ[name], 'rb'))
                              for name in ('ALINK_BOOT_KERNEL',
                                           'ALINK_BOOT_INITRAMFS'))
            text = ' '.join([*line, SECOND + ','.join(self.all)])
            text = text.encode() + b'\0'
            syscall(SYS_KEXEC_FILE_LOAD, kernel.fileno(), initrd.fileno(),
                    len(text), ctypes.c_char_p(text), 0)
        with self.load():
            sleepers = [self.hold(n) for n in (0, 1)]
            before = [self.commands(n) for n in (0, 1)]
            wait_for('others get their work done', lambda: all(
                self.commands(n) > before[n] for n in (0, 1)), PATIENCE)
            awake = [s.poll() for s in sleepers]
            self.result('work is in flight at kexec',
                        '' if awake == [None, None] else awake)
            os.sync()
            syscall(SYS_REBOOT, *REBOOT, None)

    def after_kexec(self, first):
        """In the second kernel; FIRST is what devices the first one had."""
        self.result('kexec: all devices have their driver again', '' if
                    sorted(first) == sorted(self.all) else
                    f'{first}, now {list(self.all)}')
        log = sh('dmesg')
        self.result('kexec: no device was left enabled',
                    '' if 'left enabled' not in log else 'one was')
        self.result('kexec: all devices work', self.usable())
        # Nothing of what the first kernel's users had queued is done any more.
        before = {n: read(f'/sys/class/alink/{n}/guest_errors')
                  for n in devices()}
        commands = [self.commands(n) for n in (0, 1)]
        time.sleep(2)
        self.result('kexec: nothing goes on by itself',
                    '' if commands == [self.commands(n) for n in (0, 1)] and
                    set(before.values()) == {'0'} else (commands, before))
        # Between the xPUs, too: their own tables went with their reset.
        with self.load():
            bad = self.cycle('kexec', lambda: await_paths(('xpu0', 'xpu1')))
        self.result('kexec: all devices work under load', bad)

    def commands(self, number):
        """Descriptors that an xPU has completed since power on"""
        return int(sh(self.life, 'commands', str(number)).split()[1])

    def power(self):
        """Suspend to each depth, and for real; refused; processors off and on"""
        write('/sys/module/suspend/parameters/pm_test_delay', '0')
        write(f'{PM}/mem_sleep', 'deep')
        sh('modprobe', 'pm-notifier-error-inject')
        xpus = sorted(n for n in self.all if n.startswith('xpu'))

        def suspend(depth):
            def op(_):
                write(f'{PM}/pm_test', depth)
                try:
                    write(f'{PM}/state', 'mem')
                finally:
                    write(f'{PM}/pm_test', 'none')
            return op

        # The alarm of the clock may come before a slow machine is asleep: then
        # it stays awake.
        def asleep(_):
            for seconds in 10, 60, 240:
                write(ALARM, '0')
                write(f'{PM}/wakeup_count', read(f'{PM}/wakeup_count'))
                write(ALARM, f'+{seconds}')
                try:
                    write(f'{PM}/state', 'mem')
                    return
                except OSError as err:
                    time.sleep(0.1)
                    if err.errno != errno.EBUSY or read(ALARM):
                        raise
            raise AssertionError('it never fell asleep')

        # Somebody else refuses, when the xPUs are prepared: nobody notices.
        def refused(_):
            write(REFUSE, str(-errno.EPERM))
            try:
                suspend('devices')('')
            except OSError as err:
                assert err.errno == errno.EPERM, err
            else:
                raise AssertionError('it was not refused')
            finally:
                write(REFUSE, '0')

        def cpu(_):
            for value in '0', '1':
                write('/sys/devices/system/cpu/cpu1/online', value)

        with self.load():
            self.cycles('suspend freezer', self.unnoticed(suspend('freezer')),
                        xpus, holds=False)
            self.cycles('suspend refused', self.unnoticed(refused), xpus,
                        holds=False)
            # Work ends, data stays: HBM loses its power from "platform" on.
            for depth in 'devices', 'platform', 'core':
                self.cycles(f'suspend {depth}', suspend(depth), xpus,
                            how='keep')
            self.cycles('suspend', asleep, xpus, how='keep')
            self.cycles('processor off', cpu, ['all'])

    def programs_start(self):
        """9p may remember of a file that there was no memory for it, as if it
        were none: what is remembered goes, until a program starts."""
        def started():
            with contextlib.suppress(OSError):
                done = subprocess.run([self.life, 'commands', '0'],
                                      check=False, stdin=subprocess.DEVNULL,
                                      capture_output=True)
                if done.returncode != 127:
                    return True
            write('/proc/sys/vm/drop_caches', '2')
            return False
        wait_for('programs start', started)

    def memory(self):
        """One allocation in thirty fails that a driver of ours is behind, whoever
        called it. All others have what they want: a library that cannot be
        read says nothing about a driver."""
        knobs = '/sys/kernel/debug/failslab'
        for name, value in (('verbose', '0'), ('interval', '1'),
                            ('times', f'{MANY}'), ('ignore-gfp-wait', 'N')):
            write(f'{knobs}/{name}', value)
        spare_dma_debug()
        only_behind(('alink', *DRIVERS))
        done, bad = 0, ''
        # Who has a page read in within a call of ours may still die.
        with self.load(mortal=True) as renew:
            for i in range(self.count):
                renew()
                name = sorted(self.all)[i % len(self.all)]
                write(f'{knobs}/probability', '3')
                try:
                    # Nor does a list of files come whole without memory.
                    with contextlib.suppress(OSError, KeyError):
                        self.reset_by('flr')(name)
                    with contextlib.suppress(OSError):
                        self.rebind(name)
                    time.sleep(1)
                finally:
                    # Whoever comes after this has memory again.
                    wait_for('memory', lambda: tried(
                        write, f'{knobs}/probability', '0'))
                self.programs_start()
                base = f'/sys/bus/pci/drivers/{self.drivers[name]}'
                with contextlib.suppress(OSError):
                    write(f'{base}/unbind', self.all[name])
                with contextlib.suppress(OSError):
                    write(f'{base}/bind', self.all[name])
                bad = self.usable()
                if bad:
                    bad = f'{name}, cycle {i}: {bad}'
                    break
                done += 1
        failed = MANY - int(read(f'{knobs}/times'))
        print(f'figure cycles_memory_pressure {done}')
        print(f'figure allocations_failed {failed}')
        bad = bad or ('' if failed else 'no allocation failed')
        self.result('reset and rebind without memory, under load', bad)
        self.result('DMA-API debugging is on to the end', dma_debug_is_off())

    def shutdown(self):
        """Power off with work in flight: the launcher sees how it ends."""
        with self.load():
            sleeper = self.hold(0)
            time.sleep(1)
            self.result('work is in flight at power off', '' if
                        sleeper.poll() is None else 'it ended before')
            print(f'1..{self.number}', flush=True)
            time.sleep(1)
            subprocess.run(['reboot', '-f'], check=False)
            time.sleep(PATIENCE)


    def teeth(self):
        """Planted: what each of the checks is there for, which are impatient
        here"""
        global PATIENCE  # pylint: disable=global-statement
        name = 'xpu0'
        bdf, base = self.all[name], f'/sys/bus/pci/drivers/{self.drivers[name]}'

        def found(what, bad, says):
            self.result(f'planted: {what}: found',
                        '' if says in bad else f'it was not: "{bad}"')

        patience, PATIENCE = PATIENCE, 10
        found('a sleeper that nobody wakes',
              self.cycle('nothing', lambda: None, [0]), 'never woke')
        found('a device that does not come back',
              self.cycle('unbind', lambda: write(f'{base}/unbind', bdf)),
              f'of {len(self.all)}')
        PATIENCE = patience
        write(f'{base}/bind', bdf)
        self.result('all devices work again', self.usable())
        work = Worker('false')
        wait_for('its end', lambda: work.child.poll() is not None)
        found('a load that dies', work.stop(), 'status 1')


def main():
    """One part."""
    life = Life(sys.argv[1], sys.argv[2], int(sys.argv[4]))
    print('TAP version 13')
    getattr(life, sys.argv[3])()
    print(f'1..{life.number}', flush=True)
    return 1 if life.failed or not life.number else 0


if __name__ == '__main__':
    sys.exit(main())
