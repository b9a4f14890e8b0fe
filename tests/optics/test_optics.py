#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Optical modules: ethtool -m at both ends of a link, live monitors, hwmon,
I2C, and what happens when module or controller goes away. KTAP.
"""
import errno
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
import flashlib  # noqa: E402
from ethnl import Ethnl, Refused, attr  # noqa: E402
from guestlib import fails, knob, main, read, sh, wait_for, write  # noqa: E402
from taplib import tests_of  # noqa: E402

DRIVER = '/sys/bus/pci/drivers/alink_optics'
MODULE_FW_FLASH_ACT, FILE_NAME = 44, 2
# Topology node2: cage 0 carries ports of sw0, cage 1 links of xpu0.
ENDS = {'sw0p0': 'opt0-mod0', 'xpu0p0': 'opt0-mod1'}


def eeprom(netdev):
    """What ethtool -m says, by name; per-lane values as lists."""
    values = {}
    for line in sh('ethtool', '-m', netdev).splitlines():
        name, _, value = line.partition(':')
        name = re.sub(r' \(Channel \d+\)', '', name.strip())
        values.setdefault(name, []).append(value.strip())
    return values


def answers(netdev):
    """Does the module of a port tell who it is?"""
    return 'AL-OSFP-DR8-LPO' in sh('ethtool', '-m', netdev, check=False)


def number(text):
    """The first number of a text."""
    return float(re.match(r'-?[\d.]+', text).group())


def hwmon_of(cage):
    """hwmon directory of the module in a cage."""
    found = glob.glob(f'/sys/bus/i2c/devices/{cage}-0050/hwmon/hwmon*')
    assert len(found) == 1, found
    return found[0]


def function():
    """PCI address of the controller."""
    return os.path.basename(os.path.realpath('/sys/class/alink/opt0/device'))


def test_both_ends_decode():
    """Identity, state and monitors of a module at switch port and xPU link."""
    for netdev in ENDS:
        values = eeprom(netdev)
        assert 'OSFP' in values['Identifier'][0], values['Identifier']
        assert values['Vendor PN'] == ['AL-OSFP-DR8-LPO'], values
        assert 'ModuleReady' in values['Module State'][0], values
        assert 20 < number(values['Module temperature'][0]) < 75
        assert 3.1 < number(values['Module voltage'][0]) < 3.5
        for name, low, high in (('Laser tx bias current', 30, 100),
                                ('Transmit avg optical power', 0.3, 3),
                                ('Rcvr signal avg optical power', 0.1, 3)):
            assert len(values[name]) == 8, (name, values[name])
            assert all(low < number(v) < high for v in values[name]), values
    assert eeprom('sw0p0')['Vendor SN'] != eeprom('xpu0p0')['Vendor SN']


def test_monitors_are_live():
    """Temperature, and bias and power of one lane, follow the module."""
    for netdev, module in ENDS.items():
        knob(module, 'temperature', 61000)
        knob(module, 'tx-bias3', 71000)
        knob(module, 'tx-power5', 1500)
        try:
            values = eeprom(netdev)
            assert abs(number(values['Module temperature'][0]) - 61) < 1
            bias = [number(v) for v in values['Laser tx bias current']]
            assert abs(bias[3] - 71) < 1 and abs(bias[2] - 65) < 2, bias
            power = [number(v) for v in values['Transmit avg optical power']]
            assert abs(power[5] - 1.5) < 0.1 and abs(power[4] - 1) < 0.1, power
        finally:
            knob(module, 'temperature', 45000)
            knob(module, 'tx-bias3', 65000)
            knob(module, 'tx-power5', 1000)


def test_hwmon():
    """The same values, in the units of hwmon, with limits."""
    knob('opt0-mod0', 'temperature', 58000)
    try:
        where = hwmon_of(0)
        assert read(f'{where}/name') == 'alink_cmis'
        assert abs(int(read(f'{where}/temp1_input')) - 58000) < 1000
        assert int(read(f'{where}/temp1_crit')) > 60000
        assert 30 < int(read(f'{where}/curr1_input')) < 100
        assert 3100 < int(read(f'{where}/in0_input')) < 3500
    finally:
        knob('opt0-mod0', 'temperature', 45000)


def test_hwmon_channels():
    """Of each device, the sensors that it has and no others. Limits are in
    order, and are the device's: no file takes a value."""
    of_module = {'temp1', 'in0', *(f'curr{n}' for n in range(1, 9)),
                 *(f'power{n}' for n in range(1, 17))}
    of_device = {'temp1', 'temp2', 'power1', 'energy1'}
    seen = set()
    for where in glob.glob('/sys/class/hwmon/hwmon*'):
        name = read(f'{where}/name')
        files = [f for f in os.listdir(where) if re.match(r'[a-z]+\d+_', f)]
        if not name.startswith('alink_') or not files:
            continue
        seen.add(name)
        channels = {f.split('_')[0] for f in files}
        assert channels == of_module if name == 'alink_cmis' else \
            channels <= of_device, (name, channels)
        for file in files:
            path = f'{where}/{file}'
            assert os.stat(path).st_mode & 0o777 == 0o444, path
            try:
                write(path, '1')
                raise AssertionError(f'{path} was written')
            except PermissionError:
                pass
        for channel in channels:
            assert f'{channel}_input' in files, (name, channel)
            limits = [int(read(f'{where}/{channel}_{limit}'))
                      for limit in ('lcrit', 'min', 'max', 'crit')
                      if f'{channel}_{limit}' in files]
            assert limits == sorted(limits), (name, channel, limits)
            assert len(limits) == 4 or name != 'alink_cmis', channel
    assert seen >= {'alink_xpu', 'alink_switch', 'alink_nic', 'alink_cmis'}, \
        seen


def test_alarms():
    """A module that is too hot raises its flags, which go once it is not."""
    limit = int(read(f'{hwmon_of(1)}/temp1_max'))
    knob('opt0-mod1', 'temperature', limit + 1000)
    wait_for('alarm', lambda: 'On' in eeprom('xpu0p0')
             ['Module temperature high warning'][0])
    knob('opt0-mod1', 'temperature', 45000)
    wait_for('no alarm', lambda: 'Off' in eeprom('xpu0p0')
             ['Module temperature high warning'][0])


def test_ports_without_a_module():
    """A clear error for ports that have none, and for a page there is not."""
    fails('ethtool', '-m', 'sw1p0', says='no optical module')
    fails('ethtool', '-m', 'xpu1p0', says='no optical module')
    fails('ethtool', '-m', 'sw0p0', 'page', '0x77', 'offset', '128', 'length',
          '4')


def test_read_while_flashing():
    """Modules are read as ever while the switch of their port takes firmware.
    They and their controller take none."""
    flashlib.Device('optics', 'opt0', 'alink_optics').refuses_with(
        errno.EOPNOTSUPP, 'none')
    try:
        Ethnl().request(MODULE_FW_FLASH_ACT, 'sw0p0',
                        attr(FILE_NAME, b'none\0'))
        refused = 0
    except Refused as e:
        refused = e.errno
    assert refused == errno.EOPNOTSUPP, refused

    serial = eeprom('sw0p0')['Vendor SN']
    reads = 0
    device = flashlib.Device('switch', 'sw0', 'alink_switch')
    with device.slow(524288) as flash:
        while flash.more(0) and 100 not in flash.percent():
            values = eeprom('sw0p0')
            assert values['Vendor SN'] == serial, values
            assert 'ModuleReady' in values['Module State'][0], values
            fails('ethtool', '-m', 'sw0p0', 'page', '0x77', 'offset', '128',
                  'length', '4')
            reads += 1
    assert flash.end() == 0, flash.said
    # The last one may have ended behind the flash.
    assert reads > 1, flash.said


def test_module_is_pulled():
    """The link goes with its module and comes back; reads fail meanwhile."""
    sh('ip', 'link', 'set', 'xpu0p0', 'up')
    carrier = '/sys/class/net/xpu0p0/carrier'
    wait_for('carrier', lambda: read(carrier) == '1')
    knob('opt0-mod1', 'present', False)
    wait_for('no carrier', lambda: read(carrier) == '0')
    fails('ethtool', '-m', 'xpu0p0')
    knob('opt0-mod1', 'present', True)
    wait_for('carrier', lambda: read(carrier) == '1')
    wait_for('module', lambda: 'ModuleReady' in
             sh('ethtool', '-m', 'xpu0p0', check=False))


def test_bus_errors():
    """A bus that fails for a moment is tried again; one that stays, is named."""
    knob('opt0-mod0', 'i2c-nak', 1)
    assert eeprom('sw0p0')['Vendor PN'] == ['AL-OSFP-DR8-LPO']
    knob('opt0-mod0', 'i2c-nak', 4294967295)
    try:
        fails('ethtool', '-m', 'sw0p0')
    finally:
        knob('opt0-mod0', 'i2c-nak', 0)
    assert eeprom('sw0p0')['Vendor PN'] == ['AL-OSFP-DR8-LPO']


def test_controller_unbinds_while_used():
    """Ports outlive the driver of their module, say so, and find it again."""
    pci = function()
    write(f'{DRIVER}/unbind', pci)
    fails('ethtool', '-m', 'sw0p0')
    write(f'{DRIVER}/bind', pci)
    wait_for('module', lambda: answers('sw0p0'))


def test_reset():
    """After a function-level reset the modules answer again."""
    write(f'/sys/bus/pci/devices/{function()}/reset', '1')
    wait_for('modules', lambda: answers('xpu0p0'))


def test_surprise_removal():
    """All ones: reads fail, nothing hangs; unbind and bind bring it back."""
    pci = function()
    knob('opt0', 'x-dead', True)
    wait_for('lost', lambda: read('/sys/class/alink/opt0/state') == 'lost')
    fails('ethtool', '-m', 'sw0p0')
    write(f'{DRIVER}/unbind', pci)
    knob('opt0', 'x-dead', False)
    write(f'{DRIVER}/bind', pci)
    wait_for('module', lambda: answers('sw0p0'))


def test_module_cycles():
    """Loaded and unloaded 20 times."""
    for _ in range(20):
        sh('rmmod', 'alink_optics')
        sh('modprobe', 'alink_optics')
    wait_for('module', lambda: answers('xpu0p0'))


if __name__ == '__main__':
    main(*tests_of(globals()))
