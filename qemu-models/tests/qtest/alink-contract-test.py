#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Header, document and model say the same about every register.

usage: alink-contract-test.py [--static]

The register comments of include/hw/alink/*.h, the register tables of
Documentation/hw/*.rst, and live devices are compared: name, offset, access
class, width, reset value; that RO and RC refuse writes, that RW keeps what is
written and W1C does not set, that WO reads 0, that RC clears, and that nothing
answers where the contract has nothing. So is the table of switch chips.
--static leaves out the devices.
Needs QTEST_QEMU_BINARY. Prints TAP.
"""
import itertools
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..',
                                    '..'))
COLUMNS = ['Name', 'Offset', 'Access', 'Width', 'Reset', 'Meaning']
CHIPS = ['Variant', 'Name', '``variant=``', 'Ports', 'Rate of a port',
         'Lanes of a port', 'Latency']
DOCS = {'common.h': 'common.rst', 'link.h': 'fabric.rst',
        'switch.h': 'switch.rst', 'xpu.h': 'xpu.rst',
        'optics.h': 'optics.rst', 'nic.h': 'nic.rst'}
ALL_ONES = 0xffffffff
MAGIC, GUEST_ERRORS, GUEST_ERR_LAST, CAPS = 0x000, 0x060, 0x064, 0x010
RESET, RESET_KEY, NUM_LINKS = 0x048, 0x54455352, 0x02c
CAP_ADMIN, CAP_LINKS, CAP_FRAMES = 1, 2, 4

# What moves by itself, so that two reads may differ.
MOVING = {'ALINK_REG_HEARTBEAT', 'ALINK_REG_CLOCK', 'ALINK_REG_GUEST_ERRORS',
          'ALINK_REG_GUEST_ERR_LAST'}
# RW registers that do not just store: pairs of what to write and what to
# expect. Every other one must return exactly what was written.
SPECIAL = {
    'ALINK_REG_TEST_VALUE': [(0x12345678, 0xedcba987), (0, ALL_ONES)],
    'ALINK_REG_CONTROL': [(ALL_ONES, 1), (0, 0)],
    'ALINK_REG_ADMIN_CTRL': [(0, 0)],
    'ALINK_REG_EVENT_CTRL': [(0, 0)],
    'ALINK_REG_FRAME_CTRL': [(0, 0)],
    'ALINK_LINK_CTRL': [(0xf, 0xf), (ALL_ONES, 0xf), (0, 0), (1, 1)],
    'ALINK_LINK_FEC_CTRL': [(2, 2), (4, 4), (0, 0)],
    'ALINK_OPT_CH_CTRL': [(3, 3), (0, 0)],
    'ALINK_OPT_I2C_CTRL': [(1, 1), (0, 0)],
    'ALINK_OPT_I2C_CLOCK': [(100000, 100000), (1000000, 1000000),
                            (400000, 400000)],
    'ALINK_OPT_I2C_TIMEOUT': [(1000, 1000), (35000, 35000)],
}
# Windows: offsets of these registers count from base + n * stride.
WINDOWS = [
    (r'ALINK_LINK_', 0x10000, 0x100, None),
    (r'ALINK_LSTAT_', 0x50000, 0x200, None),
    (r'ALINK_XPU_Q_', 0x4000, 0x40, 'ALINK_XPU_REG_NUM_QUEUES'),
    (r'ALINK_XPU_QI_', 0x6000, 0x80, 'ALINK_XPU_REG_NUM_QUEUES'),
    (r'ALINK_XPU_DB_', 0x80000, 0x1000, 'ALINK_XPU_REG_NUM_QUEUES'),
    (r'ALINK_OPT_(CH|I2C)_(?!MAX_HZ|DONE$)', 0x2000, 0x200,
     'ALINK_OPT_REG_NUM_CHANNELS'),
    (r'ALINK_NIC_Q_', 0x2000, 0x40, 'ALINK_NIC_REG_NUM_QUEUES'),
]
# Registers that stand for several in a row, as their meaning says.
ROWS = {'ALINK_OPT_I2C_DATA': (64, 4), 'ALINK_NIC_REG_TX_SIZE_64': (7, 8),
        'ALINK_NIC_REG_RX_SIZE_64': (7, 8), 'ALINK_LSTAT_TX_SIZE_64': (7, 8),
        'ALINK_LSTAT_RX_SIZE_64': (7, 8), 'ALINK_LSTAT_FEC_CORR_0': (8, 8),
        'ALINK_LSTAT_FEC_UNCORR_0': (8, 8)}

FABRIC = ['-device', 'alink-fabric,id=fab0']
DEVICES = [
    ('alink-switch', 0x10f1, ['common.h', 'link.h', 'switch.h'],
     FABRIC + ['-device', 'alink-switch,id=dut,fabric=fab0,plane=2,addr=4.0']),
    ('alink-xpu', 0x10f0, ['common.h', 'link.h', 'xpu.h'],
     FABRIC + ['-device', 'alink-xpu,id=dut,fabric=fab0,endpoint=5,addr=4.0,hbm-size=4M']),
    ('alink-optics', 0x10f2, ['common.h', 'optics.h'],
     ['-device', 'alink-optics,id=dut,addr=4.0']),
    ('alink-nic', 0x10f3, ['common.h', 'nic.h'],
     ['-device', 'alink-nic,id=dut,addr=4.0']),
]


class Register:
    """One register as the header, or a document, describes it."""

    def __init__(self, name, offset, access, width, reset):
        self.name = name
        self.offset = int(offset, 16)
        self.access = access
        self.width = int(width)
        self.reset = None if reset == '-' else int(reset, 16)

    def facts(self):
        """What must agree, in a form to print."""
        reset = '-' if self.reset is None else hex(self.reset)
        return f'{self.offset:#x} {self.access} {self.width} {reset}'

    def copies(self):
        """How many in a row, and how far apart."""
        return ROWS.get(self.name, (1, 0))


class Mismatch(Exception):
    """A comparison failed."""


def read_header(name):
    """The registers of a header, in order."""
    form = re.compile(r'^#define\s+(\w+)\s+(0x[0-9a-f]+)\s*/\*\s*'
                      r'(RO|RW|W1C|WO|RC)\s+(32|64)\s+(0x[0-9a-f]+|-)\s+'
                      r'.*\*/\s*$')
    regs = []
    path = os.path.join(ROOT, 'include', 'hw', 'alink', name)
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            match = form.match(line)
            if match:
                regs.append(Register(*match.groups()))
            elif re.match(r'^#define\s.*/\*\s*(RO|RW|W1C|WO|RC)\s+\w+\s', line):
                raise Mismatch(f'{name}:{number}: register comment in no '
                               f'known form: {line.strip()}')
    if not regs:
        raise Mismatch(f'{name}: no register')
    return regs


def read_tables(name, columns):
    """The rows of all tables of a document that have these columns."""
    path = os.path.join(ROOT, 'Documentation', 'hw', name)
    try:
        with open(path, encoding='utf-8') as f:
            lines = f.read().split('\n')
    except FileNotFoundError:
        raise Mismatch(f'Documentation/hw/{name} is missing') from None
    rows, table, row = [], None, None
    for line in lines + ['']:
        if line.startswith('.. list-table::'):
            table, row = [], None
        elif table is not None and re.match(r'^   \* - ?', line):
            row = [line[7:].strip()]
            table.append(row)
        elif row is not None and re.match(r'^     - ?', line):
            row.append(line[7:].strip())
        elif row is not None and re.match(r'^       \S', line):
            row[-1] += ' ' + line.strip()
        elif line and not line.startswith(' '):
            if table and table[0] == columns:
                rows += table[1:]
            table, row = None, None
    if table and table[0] == columns:
        rows += table[1:]
    return rows


def doc_registers(name):
    """Registers of a document; the form of each cell is checked."""
    regs = []
    for row in read_tables(name, COLUMNS):
        if len(row) != len(COLUMNS):
            raise Mismatch(f'{name}: row {row} has not six cells')
        cells = [cell.strip('`') for cell in row[:5]]
        if not re.match(r'^0x[0-9a-f]+$', cells[1]) or \
           cells[2] not in ('RO', 'RW', 'W1C', 'WO', 'RC') or \
           cells[3] not in ('32', '64') or \
           not re.match(r'^(0x[0-9a-f]+|-)$', cells[4]):
            raise Mismatch(f'{name}: row {cells} has a cell in no known form')
        if not row[5]:
            raise Mismatch(f'{name}: {cells[0]} has no meaning')
        regs.append(Register(*cells))
    return regs


def compare_document(header):
    """Header and its document name the same registers, the same way."""
    doc = DOCS[header]
    want = {reg.name: reg for reg in read_header(header)}
    have = {}
    for reg in doc_registers(doc):
        if reg.name in have:
            raise Mismatch(f'{doc}: {reg.name} twice')
        have[reg.name] = reg
    faults = [f'{doc} lacks {name}' for name in want if name not in have]
    faults += [f'{header} lacks {name}' for name in have if name not in want]
    faults += [f'{name}: header {want[name].facts()}, '
               f'document {have[name].facts()}'
               for name in want if name in have and
               want[name].facts() != have[name].facts()]
    if faults:
        raise Mismatch('; '.join(faults))
    return f'{len(want)} registers'


def read_chips():
    """The rows of switch_table.h that are devices, as the document has them."""
    text = {}
    for name in 'switch.h', 'switch_table.h':
        path = os.path.join(ROOT, 'include', 'hw', 'alink', name)
        with open(path, encoding='utf-8') as f:
            text[name] = f.read()
    ids = dict(re.findall(r'^#define (ALINK_SWITCH_\w+)\s+(0x[0-9a-f]{4})\s',
                          text['switch.h'], re.M))
    rows = []
    for row in re.findall(r'^\t\{ (\w+), "([^"]+)", "([^"]+)", "[^"]*",\n'
                          r'\t  (\d+(?:, \d+){7}) \},$',
                          text['switch_table.h'], re.M):
        name, variant, title, numbers = row
        _, lane, ports, mbps, lanes, hop, _, _ = map(int, numbers.split(', '))
        if mbps != lanes * {112: 100000, 224: 200000}[lane]:
            raise Mismatch(f'{variant}: {lanes} lanes of {lane}G are not '
                           f'{mbps} Mb/s')
        if name != '0':
            rows.append([ids.pop(name), f'{name}, "{title}"', variant,
                         f'{ports}', f'{mbps // 1000} Gb/s', f'{lanes}',
                         f'{hop} ns'])
    if ids or len(rows) < 2:
        raise Mismatch(f'switch_table.h lacks {", ".join(ids) or "rows"}')
    return rows


def compare_chips():
    """The table of switch chips is that of its document."""
    want, have = read_chips(), read_tables('switch.rst', CHIPS)
    if want != have:
        raise Mismatch('; '.join(
            f'table {w}, document {h}' for w, h in
            itertools.zip_longest(want, have) if w != h))
    return f'{len(want)} chips'


class Machine:
    """A QEMU without a guest, driven by the qtest protocol."""

    def __init__(self, args):
        qemu = os.environ.get('QTEST_QEMU_BINARY')
        if not qemu:
            raise Mismatch('QTEST_QEMU_BINARY is not set')
        # pylint: disable=consider-using-with
        self.log = tempfile.TemporaryFile('w+')
        self.child = subprocess.Popen(
            [qemu, '-M', 'q35', '-accel', 'qtest', '-display', 'none',
             '-nodefaults', '-qtest', 'stdio', '-qtest-log', '/dev/null']
            + args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, text=True)

    def command(self, text):
        """One command of the protocol; its value, if it has one."""
        try:
            self.child.stdin.write(text + '\n')
            self.child.stdin.flush()
        except BrokenPipeError:
            pass
        for line in self.child.stdout:
            if line.startswith('OK'):
                words = line.split()
                return int(words[1], 0) if len(words) > 1 else None
            if not line.startswith('IRQ'):
                raise Mismatch(f'{text}: {line.strip()}')
        self.log.seek(0)
        raise Mismatch(f'{text}: QEMU has ended: {self.log.read().strip()}')

    def close(self):
        """Ends QEMU."""
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.terminate()
        self.child.wait(30)
        self.log.close()


class Device:
    """The function in slot 4, with BAR0 where it can be reached."""

    BAR0 = 0xe0000000

    def __init__(self, args):
        self.machine = Machine(args)
        self.config(0x10, self.BAR0)
        self.config(0x04, 0x6)
        self.size = {4: 'l', 8: 'q', 1: 'b', 2: 'w'}

    def config(self, offset, value=None):
        """Reads or writes 32 bits of configuration space."""
        self.machine.command(f'outl 0xcf8 {0x80000000 | 4 << 11 | offset:#x}')
        if value is None:
            return self.machine.command('inl 0xcfc')
        return self.machine.command(f'outl 0xcfc {value:#x}')

    def read(self, offset, size=4):
        """Reads a register."""
        return self.machine.command(
            f'read{self.size[size]} {self.BAR0 + offset:#x}')

    def write(self, offset, value, size=4):
        """Writes a register."""
        self.machine.command(
            f'write{self.size[size]} {self.BAR0 + offset:#x} {value:#x}')

    def errors(self):
        """The guest-error counter."""
        return self.read(GUEST_ERRORS)


class Checker:
    """All comparisons of one live device."""

    def __init__(self, dev, headers):
        self.dev = dev
        self.caps = dev.read(CAPS, 8)
        self.faults = []
        self.checked = 0
        known = {reg.name: reg for h in headers for reg in read_header(h)}
        self.places = []
        for reg in known.values():
            self.places += self.expand(reg, known)

    def expand(self, reg, known):
        """(register, offset) for first and last of a window."""
        for pattern, base, stride, count in WINDOWS:
            if re.match(pattern, reg.name):
                num = self.dev.read(known[count].offset if count
                                    else NUM_LINKS)
                return [(reg, base + n * stride + reg.offset)
                        for n in sorted({0, num - 1} if num else set())]
        return [(reg, reg.offset)]

    def lacks(self, offset):
        """Whether the register belongs to a capability that is absent."""
        return 0x100 <= offset < 0x140 and not self.caps & CAP_ADMIN or \
            0x140 <= offset < 0x180 and not self.caps & CAP_FRAMES

    def fault(self, reg, offset, text):
        """Notes what is wrong."""
        self.faults.append(f'{reg.name} at {offset:#x}: {text}')

    def expect_errors(self, reg, offset, before, count, what):
        """The guest-error counter went up by exactly that many."""
        self.checked += 1
        have = self.dev.errors() - before
        if have != count:
            self.fault(reg, offset, f'{what}: {have} guest errors, not {count}')
        elif count and self.dev.read(GUEST_ERR_LAST) != offset:
            self.fault(reg, offset, f'{what}: GUEST_ERR_LAST is '
                       f'{self.dev.read(GUEST_ERR_LAST):#x}')

    def check_reset_values(self, classes, when):
        """Registers with a fixed reset value have it."""
        for reg, offset in self.places:
            if reg.reset is None or reg.access not in classes:
                continue
            want = 0 if self.lacks(offset) else reg.reset
            for n in range(reg.copies()[0]):
                at = offset + n * reg.copies()[1]
                have = self.dev.read(at, reg.width // 8)
                self.checked += 1
                if have != want:
                    self.fault(reg, at, f'{when}: {have:#x}, not {want:#x}')

    def check_read_only(self, reg, offset):
        """A write is a guest error and changes nothing."""
        size = reg.width // 8
        before, value = self.dev.errors(), self.dev.read(offset, size)
        self.dev.write(offset, ~value & (2 ** reg.width - 1), size)
        self.expect_errors(reg, offset, before, 1, 'write')
        after = self.dev.read(offset, size)
        if reg.access == 'RC':
            value = 0
        if reg.name not in MOVING and after != value:
            self.fault(reg, offset, f'was {value:#x}, {after:#x} after a '
                       'write')

    def check_stored(self, reg, offset):
        """RW returns what was written; by halves also."""
        size = reg.width // 8
        full = 2 ** reg.width - 1
        pairs = SPECIAL.get(reg.name) or [
            (value & full, value & full) for value in
            (0x5aa5c33c0ff01ee1, 0xa55a3cc3f00fe11e, reg.reset or 0)]
        before = self.dev.errors()
        for value, want in pairs:
            self.dev.write(offset, value, size)
            have = self.dev.read(offset, size)
            if have != want:
                self.fault(reg, offset, f'wrote {value:#x}, reads {have:#x}')
            if size == 8:
                self.dev.write(offset, ~value & ALL_ONES)
                self.dev.write(offset + 4, ~value >> 32 & ALL_ONES)
                low = self.dev.read(offset)
                have = self.dev.read(offset + 4) << 32 | low
                if have != ~want & full:
                    self.fault(reg, offset, f'by halves: {have:#x}')
                self.dev.write(offset, value, size)
        self.expect_errors(reg, offset, before, 0, 'writes')

    def check_access(self, reg, offset):
        """What the access class promises."""
        size = reg.width // 8
        before = self.dev.errors()
        if self.lacks(offset):
            if self.dev.read(offset, size):
                self.fault(reg, offset, 'reads without its capability')
            if reg.access in ('RW', 'WO', 'W1C'):
                self.dev.write(offset, 1, size)
                self.expect_errors(reg, offset, before, 1,
                                   'write without its capability')
        elif reg.access in ('RO', 'RC'):
            self.check_read_only(reg, offset)
        elif reg.access == 'RW':
            self.check_stored(reg, offset)
        elif reg.access == 'W1C':
            value = self.dev.read(offset, size)
            self.dev.write(offset, 2 ** reg.width - 1, size)
            after = self.dev.read(offset, size)
            if after & ~value:
                self.fault(reg, offset, f'a write set {after & ~value:#x}')
            self.expect_errors(reg, offset, before, 0, 'write')
        elif reg.access == 'WO':
            if self.dev.read(offset, size):
                self.fault(reg, offset, 'does not read 0')
            self.expect_errors(reg, offset, before, 0, 'read')

    def check_halves(self, reg, offset):
        """Of a 64-bit register, and sizes that it does not take."""
        before = self.dev.errors()
        if reg.width == 64 and reg.access != 'RC':
            whole = self.dev.read(offset, 8)
            low = self.dev.read(offset)
            halves = self.dev.read(offset + 4) << 32 | low
            if reg.name not in MOVING and halves != whole:
                self.fault(reg, offset, f'{whole:#x}, by halves {halves:#x}')
            self.expect_errors(reg, offset, before, 0, 'halves')
        wrong = [(0, 1), (1, 1), (2, 2), (0, 2), (1, 4)]
        if reg.width == 32 and offset % 8 == 0:
            wrong.append((0, 8))
        for shift, size in wrong:
            before = self.dev.errors()
            value = self.dev.read(offset + shift, size)
            have = self.dev.errors() - before
            self.checked += 1
            if value or have != 1:
                self.fault(reg, offset, f'{size} bytes at +{shift}: reads '
                           f'{value:#x}, {have} guest errors')

    def check_holes(self, start, end):
        """Nothing answers where the header has no register."""
        taken = set()
        for reg, offset in self.places:
            copies, step = reg.copies()
            for n in range(copies):
                for part in range(0, reg.width // 8, 4):
                    taken.add(offset + n * step + part)
        hole = Register('hole', '0x0', 'RO', '32', '-')
        before = self.dev.errors()
        for offset in range(start, end, 4):
            if offset in taken:
                continue
            value = self.dev.read(offset)
            have = self.dev.errors()
            self.checked += 1
            if value or have != before + 1:
                self.fault(hole, offset, f'reads {value:#x}, '
                           f'{have - before} guest errors')
            before = have


def identity(dev, headers, device_id):
    """PCI ids, class and what the common block says of them."""
    del headers
    if dev.config(0) != device_id << 16 | 0x1af4:
        raise Mismatch(f'PCI id {dev.config(0):#x}')
    variant = dev.read(0x00c)
    if dev.config(0x2c) != variant << 16 | 0x1af4:
        raise Mismatch(f'subsystem id {dev.config(0x2c):#x}, '
                       f'variant {variant:#x}')
    if dev.read(MAGIC) != 0x4b4e4c41 or dev.read(4) >> 16 != 1:
        raise Mismatch('magic or version')
    if dev.read(0x008) != device_id - 0x10f0 + 1:
        raise Mismatch(f'DEVTYPE {dev.read(8)}')
    return None


def reset_values(dev, headers, _device_id):
    """Fresh, and again after a soft reset of written registers."""
    check = Checker(dev, headers)
    every = ('RO', 'RW', 'W1C', 'WO', 'RC')
    check.check_reset_values(every, 'after power on')
    for reg, offset in check.places:
        if reg.access == 'RW' and not check.lacks(offset):
            for value, _ in SPECIAL.get(reg.name, [(0x1000, 0)])[:1]:
                dev.write(offset, value, reg.width // 8)
    dev.write(RESET, RESET_KEY)
    check.check_reset_values(every, 'after soft reset')
    return check


def access_classes(dev, headers, _device_id):
    """RO, RW, W1C, WO, RC."""
    check = Checker(dev, headers)
    for reg, offset in check.places:
        check.check_access(reg, offset)
    return check


def widths(dev, headers, _device_id):
    """Halves of 64-bit registers; sizes and alignments that are wrong."""
    check = Checker(dev, headers)
    for reg, offset in check.places:
        if not check.lacks(offset):
            check.check_halves(reg, offset)
    return check


def holes(dev, headers, _device_id):
    """The common block, the device's first page, a few of the rest."""
    check = Checker(dev, headers)
    check.check_holes(0, 0x1100)
    num = dev.read(NUM_LINKS)
    if num:
        check.check_holes(0x10000, 0x10100)
        check.check_holes(0x50000, 0x50200)
    check.check_holes(0x10000 + num * 0x100, 0x10000 + num * 0x100 + 0x100)
    check.check_holes(0x4ff00, 0x50000)
    check.check_holes(0x50000 + num * 0x200, 0x50000 + num * 0x200 + 0x200)
    return check


LIVE = [identity, reset_values, access_classes, widths, holes]


class Tap:
    """Numbers the results."""

    def __init__(self):
        self.count = self.failed = 0

    def run(self, name, func, *args):
        """One test: a Mismatch, or faults of a Checker, fail it."""
        self.count += 1
        detail = ''
        try:
            result = func(*args)
            faults = getattr(result, 'faults', [])
            if isinstance(result, Checker):
                detail = f' # {result.checked} checks'
            elif result:
                detail = f' # {result}'
        except Mismatch as err:
            faults = [str(err)]
        for fault in faults[:40]:
            print(f'# {fault}')
        if len(faults) > 40:
            print(f'# and {len(faults) - 40} more')
        self.failed += bool(faults)
        print(f'{"not " if faults else ""}ok {self.count} - {name}{detail}',
              flush=True)

    def skip(self, name, reason):
        """A test that cannot run here."""
        self.count += 1
        print(f'ok {self.count} - {name} # SKIP {reason}', flush=True)


def on_device(test, args, headers, device_id):
    """Runs a test on a device of its own."""
    dev = Device(args)
    try:
        return test(dev, headers, device_id)
    finally:
        dev.machine.close()


def models():
    """The device types that QEMU has."""
    done = subprocess.run([os.environ['QTEST_QEMU_BINARY'], '-M', 'none',
                           '-device', 'help'], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout


def main():
    """Documents first, then devices."""
    tap = Tap()
    static = '--static' in sys.argv[1:]
    if not static and 'QTEST_QEMU_BINARY' not in os.environ:
        print('Bail out! QTEST_QEMU_BINARY is not set')
        return 1
    headers = sorted(DOCS)
    print(f'1..{len(headers) + 1 + (0 if static else len(DEVICES) * len(LIVE))}')
    for header in headers:
        title = f'{header} against {DOCS[header]}'
        if not os.path.exists(os.path.join(ROOT, 'Documentation', 'hw',
                                           DOCS[header])):
            tap.skip(title, f'Documentation/hw/{DOCS[header]} is missing')
            continue
        tap.run(title, compare_document, header)
    tap.run('switch_table.h against switch.rst', compare_chips)
    if not static:
        known = models()
        for name, device_id, files, args in DEVICES:
            for test in LIVE:
                title = f'{name}: {test.__name__.replace("_", " ")}'
                if f'"{name}"' not in known:
                    tap.skip(title, 'QEMU has no such device')
                    continue
                tap.run(title, on_device, test, args, files, device_id)
    return 1 if tap.failed else 0


if __name__ == '__main__':
    sys.exit(main())
