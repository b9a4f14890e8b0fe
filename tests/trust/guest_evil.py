#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_evil.py RACE_XPU STRIDE PART. The models lie, before probe
and while their devices are in use. A driver may refuse such a device, saying
why, or go on; what it must not do is in the kernel log. Honest again, each
device must be usable. A case in which no lie was told fails. Prints TAP."""
import contextlib
import glob
import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
sys.path.insert(0, os.path.join(HERE, '..', 'nic'))

# pylint: disable=wrong-import-position
import fwimage  # noqa: E402
import niclib  # noqa: E402
from guestlib import (Worker, knob, model, read, sh, wait_for,  # noqa: E402
                      write)

CLASS = '/sys/class/alink'
ALWAYS = 0xffffffff
HONEST = {'x-lie': 'none', 'x-reads': 'honest', 'x-irq-storm-us': 0,
          'x-admin-lie': 'none', 'x-flash-lie': 'none',
          'x-record-lie': 'none', 'x-lose-irqs': 0, 'x-latency-us': 0}
# Lines of the log for one device and case. A driver that tells of each lie
# writes thousands.
LINES = 60
PATIENCE = 90
# Of race_xpu: for an hour, with rests. Other VMs want the processors.
LOAD = '3600:50'

# name: (knobs, what probe must do: True succeed, False refuse, None either)
CASES = {
    'zero': ({'x-reads': 'zero'}, False),
    'random': ({'x-reads': 'random:1'}, False),
    'random2': ({'x-reads': 'random:2'}, False),
    'storm': ({'x-irq-storm-us': 200}, None),
    'silent': ({'x-lose-irqs': ALWAYS}, False),
    'wrong_id': ({'x-admin-lie': 'wrong-id'}, None),
    'twice': ({'x-admin-lie': 'twice'}, True),
    'short': ({'x-admin-lie': 'short'}, None),
    'long': ({'x-admin-lie': 'long'}, None),
    'tlv': ({'x-admin-lie': 'tlv'}, None),
    'flash_length': ({'x-flash-lie': 'length'}, None),
    'flash_next': ({'x-flash-lie': 'next'}, None),
    'flash_chunk': ({'x-flash-lie': 'chunk'}, None),
    'flash_large': ({'x-flash-lie': 'large'}, None),
    'flash_more': ({'x-flash-lie': 'more'}, None),
    'flash_other': ({'x-flash-lie': 'other'}, None),
}
# Lies about what is in an answer need a command that has one: the xPU's driver
# sends one when it is bound, the others when somebody asks.
IN_ANSWERS = ('short', 'tlv')
# Nobody is asked what is in flash but by a user, and only who has one.
IN_FLASH = 'flash_'
RECORDS = ('event-type', 'event-id', 'event-jump')
NIC_RECORDS = ('rx-index', 'rx-length', 'rx-status', 'tx-head', 'tx-status')
# Header of the registers that a driver has beyond the common ones.
HEADERS = {'xpu0': 'xpu.h', 'sw0': 'switch.h', 'nic0': 'nic.h',
           'opt0': 'optics.h'}
VALUES = (0, 1, 0x7fffffff, 0xfffffffe)
# What every probe reads: a lie there is always told. Some others are read only
# in answer to questions that nobody asks here: how many is a figure.
PROBED = {
    'ALINK_REG_': ('MAGIC', 'VERSION', 'DEVTYPE', 'STATE', 'VARIANT', 'CAPS',
                   'SERIAL', 'FW_VERSION', 'FABRIC_ID', 'NUM_VECTORS',
                   'GENERATION', 'GUEST_ERRORS'),
    'ALINK_XPU_REG_': ('HBM_SIZE', 'HBM_BAR', 'NUM_DIES', 'NUM_RINGS',
                       'NUM_QUEUES', 'NUM_CTX', 'VA_BITS'),
    'ALINK_SW_REG_': ('RADIX', 'PLANE', 'MAX_ROUTES'),
    'ALINK_NIC_REG_': ('MAC', 'NUM_QUEUES', 'FEATURES'),
    'ALINK_OPT_REG_': ('NUM_CHANNELS',),
}
# Properties of a module that a driver must survive, and what they are else.
MODULE = {'bad-checksum': (True, False), 'unreadable': (True, False),
          'identifier': (0x11, 0x19), 'temperature': (125000, 45000),
          'module-fault': (3, 0), 'laser-fault': (255, 0), 'rx-los': (255, 0),
          'i2c-nak': (ALWAYS, 0), 'i2c-nak-data': (ALWAYS, 0),
          'i2c-arb-lost': (ALWAYS, 0), 'i2c-stretch': (5, 0),
          'i2c-stuck': (3, 0), 'present': (False, True)}
# Those with which "ethtool -m" cannot say what it says of an honest module
HEARD = ('bad-checksum', 'unreadable', 'identifier', 'i2c-nak', 'present')
PART = 'AL-OSFP-DR8-LPO'


def registers(header):
    """{name: offset} of the registers of a header that drivers read only."""
    path = os.path.join(ROOT, 'include', 'hw', 'alink', header)
    with open(path, encoding='utf-8') as f:
        found = re.findall(r'^#define (ALINK_\w*REG_\w+)\s+(0x[0-9a-f]+)\s+'
                           r'/\* RO ', f.read(), re.M)
    assert found, header
    return {name: int(offset, 16) for name, offset in found}


class Victim:
    """A device of ours."""

    def __init__(self, name):
        self.name = name
        self.pci = os.path.basename(os.path.realpath(f'{CLASS}/{name}/device'))
        self.driver = os.path.realpath(
            f'/sys/bus/pci/devices/{self.pci}/driver')
        self.kind = read(f'{CLASS}/{name}/type')

    def bind(self):
        """What bind says: empty when it worked."""
        try:
            write(f'{self.driver}/bind', self.pci)
        except OSError as e:
            return e.strerror
        return ''

    def unbind(self):
        """Takes its driver away, if it has one."""
        if os.path.exists(f'{self.driver}/{self.pci}'):
            write(f'{self.driver}/unbind', self.pci)

    def tell(self, knobs):
        """The model lies from now on."""
        for key, value in knobs.items():
            knob(self.name, key, value)

    def told(self):
        """Lies so far; an interrupt that was kept back is one."""
        left = model(self.name, 'x-lose-irqs')
        return model(self.name, 'lies-told') + (ALWAYS - left if left else 0)

    def ready(self):
        """Is it in working order?"""
        with contextlib.suppress(OSError):
            return read(f'{CLASS}/{self.name}/state') == 'ready'
        return False


class Evil:
    """The parts."""

    def __init__(self, race, stride):
        self.race, self.stride = race, stride
        self.number = self.failed = 0
        self.victims = [Victim(n) for n in sorted(os.listdir(CLASS))
                        if n in HEADERS]

    def result(self, what, bad=''):
        """One result."""
        self.number += 1
        self.failed += bool(bad)
        print(f'{"not ok" if bad else "ok"} {self.number} - {what}'
              + (f' # {bad}' if bad else ''), flush=True)

    # --- load ----------------------------------------------------------------

    def look(self, victim, flash=True):
        """All that a device shows, once, and admin commands behind it."""
        for top in (f'/sys/bus/pci/devices/{victim.pci}/hwmon',
                    f'{CLASS}/{victim.name}/'):
            for folder, _, names in os.walk(top):
                for name in names:
                    with contextlib.suppress(OSError, UnicodeError):
                        read(os.path.join(folder, name))
        sh('devlink', 'dev', 'info', f'pci/{victim.pci}', check=False,
           timeout=PATIENCE)
        if flash:
            sh('devlink', 'dev', 'flash', f'pci/{victim.pci}', 'file',
               f'{victim.kind}.img', check=False, timeout=PATIENCE)
        for port in glob.glob(f'/sys/bus/pci/devices/{victim.pci}/net/*')[:2]:
            name = os.path.basename(port)
            sh('ethtool', '-S', name, check=False, timeout=PATIENCE)
            sh('ip', 'link', 'set', name, 'down', check=False)
            sh('ip', 'link', 'set', name, 'up', check=False, timeout=PATIENCE)
        sh('alink', 'route', 'show', check=False, timeout=PATIENCE)

    @contextlib.contextmanager
    def use(self, victim):
        """The device is looked at, and an xPU given work, which is yielded."""
        stop, died, short, work = threading.Event(), [], [], None

        def again():
            while not stop.is_set():
                try:
                    self.look(victim)
                except (subprocess.TimeoutExpired, UnicodeError) as err:
                    # A device that answers nothing costs each command time,
                    # and what a liar says need not be text.
                    short.append(err)
                except Exception as err:  # pylint: disable=broad-except
                    died.append(f'who looks: {err!r}')
                    return
        thread = threading.Thread(target=again)
        if victim.name.startswith('xpu'):
            # Each open of a file, each queue is an admin command.
            work = Worker('chrt', '--idle', '0', self.race, LOAD, 'churn',
                          'submit', 'remote')
        thread.start()
        try:
            yield work
        finally:
            stop.set()
            if work:
                died.append(work.stop())
            thread.join(2 * PATIENCE)
            print(f'figure looks_cut_short {len(short)}', flush=True)
            assert not thread.is_alive(), 'the load hangs'
        died = [d for d in died if d]
        assert not died, f'the load died: {"; ".join(died)}'

    # --- one case ------------------------------------------------------------

    def recovered(self, victim, before, refused=''):
        """Honest again: what must be true then; what was not."""
        told = victim.told() - before
        victim.tell(HONEST)
        print(f'figure lies_told {max(told, 0)}')
        print('figure cases 1')
        log = sh('dmesg').splitlines()
        bad = []
        if told <= 0:
            bad.append('no lie was told')
        if len(log) > LINES:
            bad.append(f'{len(log)} lines of log: {log[-1]}')
        if refused and not any(victim.pci in n for n in log):
            bad.append(f'refused ({refused}) without a word')
        others = [v.name for v in self.victims
                  if v is not victim and not v.ready()]
        if others:
            bad.append(f'others: {others}')
        victim.unbind()
        error = victim.bind()
        if error:
            bad.append(f'bind afterwards: {error}')
        with contextlib.suppress(AssertionError):
            wait_for('ready', victim.ready)
        if not victim.ready():
            bad.append('is not ready afterwards')
        return '; '.join(bad)

    def probe(self, victim, knobs, works=None):
        """Bound while it lies; what was wrong."""
        victim.unbind()
        sh('dmesg', '-C')
        before = victim.told()
        victim.tell(knobs)
        refused = victim.bind()
        bad = self.recovered(victim, before, refused)
        if works is not None and works == bool(refused):
            bad = f'bind: {refused or "accepted"}; {bad}'
        return bad

    def running(self, victim, knobs, seconds=2):
        """Begins to lie while it is in use; what was wrong."""
        sh('dmesg', '-C')
        before = victim.told()
        try:
            with self.use(victim):
                victim.tell(knobs)
                time.sleep(seconds)
                # Some lies take a question that is not asked all the time.
                wait_for('a lie', lambda: victim.told() > before, PATIENCE)
            bad = ''
        except AssertionError as err:
            bad = f'{err}; '
        return bad + self.recovered(victim, before)

    # --- the parts -----------------------------------------------------------

    def lies(self):
        """Reads, interrupts and answers"""
        self.result('a device of each driver is there',
                    '' if len({v.driver for v in self.victims}) == 4 else
                    [v.name for v in self.victims])
        for case, (knobs, works) in list(CASES.items())[::self.stride]:
            for victim in self.victims:
                xpu = victim.name.startswith('xpu')
                probe = case not in IN_ANSWERS or xpu
                use = case not in IN_ANSWERS or not xpu
                if case.startswith(IN_FLASH):
                    probe, use = False, victim.kind in fwimage.KINDS
                if probe:
                    self.result(f'{case}: {victim.name}: probe',
                                self.probe(victim, knobs, works))
                if use:
                    self.result(f'{case}: {victim.name}: in use',
                                self.running(victim, knobs))

    def registers(self):
        """Each register that only the device writes says what cannot be."""
        for victim in self.victims:
            wrong, unread, tried = [], [], 0
            # One value for each: the next one, so that each is as frequent.
            found = {**registers('common.h'),
                     **registers(HEADERS[victim.name])}
            todo = [(name, offset, VALUES[i % len(VALUES)])
                    for i, (name, offset) in enumerate(found.items())]
            for name, offset, value in todo[::self.stride]:
                victim.unbind()
                sh('dmesg', '-C')
                before = victim.told()
                victim.tell({'x-lie': f'{offset}:{value}'})
                refused = victim.bind()
                # Some are asked for only in use. Firmware is written by
                # admin commands: of registers, these alone matter to it.
                if not refused:
                    self.look(victim, flash='ADMIN' in name or 'FW' in name)
                victim.tell(HONEST)
                victim.unbind()
                log = sh('dmesg').splitlines()
                error = victim.bind()
                tried += 1
                if victim.told() == before:
                    unread.append(name)
                if error or len(log) > LINES or (refused and not any(
                        victim.pci in n for n in log)):
                    wrong.append(f'{name}={value:#x}: {refused}, '
                                 f'{len(log)} lines, then {error or "bound"}')
            print(f'figure registers_{victim.name} {tried}')
            print(f'figure registers_unread_{victim.name} {len(unread)}')
            print(f'# {victim.name}: never read: {" ".join(unread)}')
            print(f'figure lies_told {victim.told()}')
            missed = [n for n in unread if any(
                n.removeprefix(p) in PROBED[p] for p in PROBED)]
            self.result(f'{tried} values of registers: {victim.name}',
                        '; '.join(wrong) or (f'no lie was told: {missed}'
                                             if missed else ''))

    def events(self):
        """Events that cannot be, raised by faults and links."""
        for victim in self.victims:
            for kind in RECORDS:
                sh('dmesg', '-C')
                before = victim.told()
                bad = ''
                try:
                    with self.use(victim):
                        victim.tell({'x-record-lie': f'{kind}:20'})
                        for _ in range(30):
                            # A link event where there are links, else a fault.
                            knob(victim.name, 'x-fault', '2176:1:0:3')
                            time.sleep(0.02)
                except AssertionError as err:
                    bad = f'{err}; '
                self.result(f'{kind}: {victim.name}',
                            bad + self.recovered(victim, before))

    def late(self):
        """Answers after the time-out; interrupts while the driver goes; links
        that flap as fast as they can."""
        for victim in self.victims[::self.stride]:
            sh('dmesg', '-C')
            sleep_us = 12000000
            victim.tell({'x-latency-us': sleep_us})
            self.look(victim)
            # The driver's word that it gave one up
            late = sum(victim.pci in n and 'not answered in' in n
                       for n in sh('dmesg').splitlines())
            print(f'figure answers_late {late}')
            victim.tell(HONEST)
            victim.unbind()
            error = victim.bind()
            wait_for('ready', victim.ready, PATIENCE)
            self.result(f'answers after the time-out: {victim.name}',
                        error or ('' if late else 'no lie was told'))
        for victim in self.victims:
            bad = ''
            sh('dmesg', '-C')
            before = victim.told()
            victim.tell({'x-irq-storm-us': 100})
            for _ in range(5):
                victim.unbind()
                bad = bad or victim.bind()
            self.result(f'storm while unbinding: {victim.name}',
                        bad or self.recovered(victim, before))
        # Only what is up can go down.
        sh('alink', 'fabric', 'up', check=False)
        with contextlib.suppress(AssertionError, OSError):
            wait_for('links', lambda: read(
                '/sys/class/net/sw0p0/carrier') == '1', 10)
        for name in 'sw0', 'xpu0':
            before = sh('dmesg').count('\n')
            downs = self.downs(f'{name}p0')
            for i in range(500):
                knob(name, 'x-link-fault', f'0:{9 if i % 2 else 0}')
            knob(name, 'x-link-fault', '0:0')
            time.sleep(1)
            lines = sh('dmesg').count('\n') - before
            self.result(f'links flap: {name}', '' if lines < 600 and all(
                v.ready() for v in self.victims) else f'{lines} lines')
            print('figure link_flaps 500')
            print(f'figure link_downs_{name} {self.downs(f"{name}p0") - downs}')

    @staticmethod
    def downs(port):
        """How often the link of a port has gone down"""
        found = re.search(r'link_down_events: (\d+)',
                          sh('ethtool', '-S', port, check=False))
        return int(found[1]) if found else 0

    def nic(self):
        """Completions of the NIC under traffic; a transmit queue that is
        stuck."""
        victim = next(v for v in self.victims if v.name == 'nic0')
        for kind in NIC_RECORDS:
            sh('dmesg', '-C')
            before = victim.told()
            with niclib.connected() as (a, b):
                with niclib.load(a, b, seconds=60, streams=2):
                    for _ in range(4):
                        knob('nic0', 'x-record-lie', f'{kind}:3')
                        time.sleep(0.5)
                knob('nic0', 'x-record-lie', 'none')
                told = victim.told() - before
                log = sh('dmesg').splitlines()
                # By itself, or by the means that an administrator has
                a.sh('ip', 'link', 'set', a.dev, 'down')
                a.configure()
                try:
                    a.ping_works(b, 60)
                    bad = ''
                except AssertionError as err:
                    bad = str(err)
            print(f'figure lies_told {max(told, 0)}')
            print('figure cases 1')
            self.result(f'{kind}: nic0 under traffic', bad or (
                'no lie was told' if told <= 0 else '') or (
                    f'{len(log)} lines of log' if len(log) > LINES else ''))
        with niclib.connected() as (a, b):
            def timeouts():
                return a.stats()['tx_timeouts']
            before = timeouts()
            knob('nic0', 'x-record-lie', 'tx-none:4000000000')
            flood = subprocess.Popen(
                ['ip', 'netns', 'exec', a.ns, 'ping', '-f', '-q', '-w', '60',
                 b.addr], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_for('a time-out', lambda: timeouts() > before, PATIENCE)
                bad = ''
            except AssertionError as err:
                bad = str(err)
            knob('nic0', 'x-record-lie', 'none')
            flood.kill()
            flood.wait(PATIENCE)
            with contextlib.suppress(AssertionError):
                a.ping_works(b, 60)
            if ' 1 received' not in a.sh('ping', '-q', '-c', '1', '-W', '5',
                                         b.addr, check=False):
                bad = bad or 'no traffic after the time-out'
            self.result('a stuck transmit queue: nic0', bad)
            # Small packets, as many as go, in both directions
            storm = [subprocess.Popen(
                ['ip', 'netns', 'exec', x.ns, 'ping', '-f', '-q', '-s', '0',
                 '-w', '5', y.addr], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for x, y in ((a, b), (b, a)) for _ in range(3)]
            for child in storm:
                child.wait(PATIENCE)
            a.ping_works(b)
            self.result('a storm of small packets: nic0')

    def optics(self):
        """Modules that say what no module says"""
        victim = next(v for v in self.victims if v.name == 'opt0')

        def ask():
            says, _ = (sh('ethtool', '-m', port, check=False, timeout=PATIENCE)
                       for port in ('sw0p0', 'sw0p1'))
            for path in glob.glob('/sys/bus/i2c/devices/*/hwmon/*/*_input'):
                with contextlib.suppress(OSError):
                    read(path)
            return says

        def answers():
            return PART in sh('ethtool', '-m', 'sw0p0', check=False)

        wait_for('the module answers', answers, PATIENCE)
        honest = ask()
        for name, (lie, truth) in MODULE.items():
            sh('dmesg', '-C')
            knob('opt0-mod0', name, lie)
            heard = ask() != honest
            victim.unbind()
            bad = victim.bind()
            heard = ask() != honest or heard
            print(f'figure modules_heard {int(heard)}')
            if not heard and name in HEARD:
                bad = bad or 'no lie was told'
            knob('opt0-mod0', name, truth)
            if name == 'module-fault':
                # Stays until the module is reset.
                knob('opt0-mod0', 'present', False)
                knob('opt0-mod0', 'present', True)
            log = sh('dmesg').splitlines()
            victim.unbind()
            bad = bad or victim.bind()
            try:
                wait_for('the module answers', answers, PATIENCE)
            except AssertionError as err:
                bad = bad or str(err)
            if len(log) > LINES:
                bad = bad or f'{len(log)} lines of log: {log[-1]}'
            print('figure cases 1')
            self.result(f'module: {name}', bad)


    def teeth(self):
        """Planted: what each of the checks is there for"""
        xpu = next(v for v in self.victims if v.name.startswith('xpu'))
        other = next(v for v in self.victims if v is not xpu)

        def found(what, bad, says):
            self.result(f'planted: {what}: found',
                        '' if says in bad else f'it was not: "{bad}"')

        def checked(refused=''):
            return self.recovered(xpu, xpu.told(), refused)

        found('no lie is told', self.probe(xpu, {}), 'no lie was told')
        found('a probe that should fail works',
              self.probe(xpu, {'x-admin-lie': 'twice'}, False), 'accepted')
        found('a probe that should work fails',
              self.probe(xpu, {'x-reads': 'zero'}, True), 'bind: ')
        sh('dmesg', '-C')
        found('refused without a word', checked('planted'), 'without a word')
        for i in range(LINES + 1):
            write('/dev/kmsg', f'planted: line {i}')
        found('a driver that talks', checked(), 'lines of log')
        other.unbind()
        found('another device is gone', checked(), 'others: ')
        other.bind()
        wait_for('ready', other.ready, PATIENCE)
        bad = ''
        try:
            with self.use(xpu) as work:
                work.child.kill()
                time.sleep(1)
        except AssertionError as err:
            bad = str(err)
        found('a load that dies', bad, 'the load died')


def main():
    """One part."""
    fwimage.offer()
    evil = Evil(sys.argv[1], int(sys.argv[2]))
    print('TAP version 13')
    getattr(evil, sys.argv[3])()
    print(f'1..{evil.number}', flush=True)
    return 1 if evil.failed or not evil.number else 0


if __name__ == '__main__':
    sys.exit(main())
