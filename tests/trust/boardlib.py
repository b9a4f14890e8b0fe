# SPDX-License-Identifier: GPL-2.0-only
"""A whole GPU node as one board in one slot: the PCIe switch, its ports, and
all that is behind them, in the slot of their root port.

Out it comes in one operation, three ways. The kernel's pciehp serves the slot:
with QEMU's hot-plug by ACPI a bridge that was there at boot cannot be ejected
(acpi_pcihp_pc_no_hotplug()), natively it can, and QEMU's root port then deletes
the upstream port with all below it.

- the attention button: device_del of the upstream port; five seconds later the
  guest lets go of all, turns the slot off, and QEMU takes the board away;
- the administrator: 0 into "power" of the slot, the same without the button;
- torn out: QEMU takes the board away as soon as power and power indicator are
  off, whoever writes that. Written behind pciehp's back, with hot-plug
  interrupts off, it is a board that is gone before anybody has heard of it.
  The second write gives power and interrupts back, as they are at a slot that
  somebody has pulled a board out of, and the presence that changed meanwhile
  is told. No button is pressed, and no driver asked.

In it goes in one operation, too, which QEMU 10.0 does not have. device_add of
the upstream port announces it at once, the empty switch that it then is; and
behind it no port can be plugged at all (docs/pcie.txt, section 5), as its bus
has no hot-plug handler. So nobody looks at the slot (pciehp is unbound from the
port) until all is in its place; and those buses get a handler that lets all
pass and tells nobody: the machine's. pciehp finds the card when it comes back,
as it does at boot. Ports so plugged are no slots of their own: one that was
filled without a word would take its card for gone.
"""
import errno
import glob
import os
import re

from guestlib import PATIENCE, model, qmp, read, wait_for, write

PCIEHP = '/sys/bus/pci_express/drivers/pciehp'
# The first GPU node of a topology, by QEMU's ids
UPSTREAM, ROOT_PORT = 'up0', 'rp-node0'
# Of config space: linux/pci_regs.h
CAPABILITY_LIST, CAP_ID_EXP, EXP_SLTCTL = 0x34, 0x10, 0x18
HPIE, INDICATOR, BLINK, INDICATOR_OFF, POWER_OFF = \
    0x20, 0x300, 0x200, 0x300, 0x400


def there(name):
    """Has QEMU a device of that id?"""
    try:
        model(name, 'type')
        return True
    except AssertionError:
        return False


def add(name, **how):
    """device_add, as soon as QEMU has let go of what was there before."""
    def added():
        try:
            qmp('device_add', id=name, **how)
            return True
        except AssertionError as err:
            if 'uplicate' in str(err) or 'in use' in str(err):
                return False
            raise
    wait_for(f'{name}: plugged', added, PATIENCE)


def silent(bus):
    """What is plugged into that bus from now on is told to nobody."""
    qmp('qom-set', path=f'/machine/peripheral/{bus}/{bus}',
        property='hotplug-handler', value='/machine')


def function(name):
    """Folder of the PCI function of a device, by way of all bridges."""
    return os.path.realpath(f'/sys/class/alink/{name}/device')


def not_of_pciehp(log):
    """What is wrong with the reports of inverted locks in a kernel log, of
    which there must be one, about the lock of a slot: the xPU's driver has a
    reset_lock, too, and what is said beyond the report proves nothing."""
    reports = re.split('possible circular locking dependency', log)[1:]
    if len(reports) != 1:
        return f'{len(reports)} reports' if reports else \
            'none: what the lane expects is out of date'
    chain, _, trace = reports[0].partition('stack backtrace:')
    report = chain + trace.partition('</TASK>')[0]
    if '&ctrl->reset_lock' in report and 'pciehp_unconfigure_device' in report:
        return ''
    return 'another one: ' + ', '.join(sorted(set(re.findall(
        r'-> #\d+ \((\S+?)\)', chain))))


class Board:
    """The node that a device is part of, as it is now."""

    def __init__(self, name, devices):
        """NAME is behind the switch; DEVICES is all that there are."""
        # /sys/devices/pci0000:00/ROOT PORT/UPSTREAM PORT/PORT/FUNCTION
        self.port, self.upstream = function(name).split('/')[4:6]
        self.names = sorted((n for n in devices if self.upstream in
                             function(n).split('/')), key=function)
        self.chassis = {n: model(f'dn-{n}', 'chassis') for n in self.names}

    # --- out ---------------------------------------------------------------

    def press_button(self):
        """By the attention button"""
        def pressed():
            try:
                qmp('device_del', id=UPSTREAM)
                return True
            except AssertionError as err:
                # It has only just come: the slot is being turned on.
                if 'guest is busy' in str(err):
                    return False
                raise
        wait_for('button pressed', pressed, PATIENCE)
        self.await_gone()

    def turn_off(self):
        """By the slot's power"""
        def off():
            try:
                write(f'{self.slot()}/power', '0')
                return True
            except OSError as err:
                if err.errno == errno.ENODEV:
                    return False    # it is still being turned on
                raise
        wait_for('slot turned off', off, PATIENCE)
        self.await_gone()

    def tear_out(self):
        """Without a word to anybody"""
        config = os.open(f'/sys/bus/pci/devices/{self.port}/config',
                         os.O_RDWR | os.O_CLOEXEC)

        def control():
            return int.from_bytes(os.pread(config, 2, at), 'little')
        try:
            at = self.capability(config) + EXP_SLTCTL
            wait_for('slot is on', lambda: control() & INDICATOR != BLINK and
                     not control() & POWER_OFF, PATIENCE)
            was = control()
            for value in (was & ~HPIE | POWER_OFF | INDICATOR_OFF, was):
                assert os.pwrite(config, value.to_bytes(2, 'little'), at) == 2
        finally:
            os.close(config)
        self.await_gone()

    @staticmethod
    def capability(config):
        """Where in config space the PCI Express capability is"""
        head = os.pread(config, 256, 0)
        at = head[CAPABILITY_LIST]
        while head[at] != CAP_ID_EXP:
            at = head[at + 1]
            assert at, 'no PCI Express capability'
        return at

    def await_gone(self):
        """Neither guest nor QEMU has it any more."""
        wait_for('the guest has let go', lambda: not os.path.exists(
            f'/sys/bus/pci/devices/{self.upstream}'), PATIENCE)
        wait_for('QEMU has let go', lambda: not there(UPSTREAM), PATIENCE)

    def slot(self):
        """Folder of the slot that the board is in"""
        return next(s for s in glob.glob('/sys/bus/pci/slots/*') if
                    read(f'{s}/address') == self.upstream.rpartition('.')[0])

    # --- in ----------------------------------------------------------------

    def put_in(self, how):
        """All of it; HOW(name) says how QEMU's devices are made."""
        service = os.path.basename(glob.glob(f'{PCIEHP}/{self.port}:*')[0])
        write(f'{PCIEHP}/unbind', service)
        add(UPSTREAM, driver='x3130-upstream', bus=ROOT_PORT)
        silent(UPSTREAM)
        for name in self.names:
            add(f'dn-{name}', driver='xio3130-downstream', bus=UPSTREAM,
                chassis=self.chassis[name], hotplug=False,
                power_controller_present=False)
            silent(f'dn-{name}')
            add(name, **how(name))
        write(f'{PCIEHP}/bind', service)
