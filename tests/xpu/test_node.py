#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The node of an xPU with a udevd as on a host, and what the administrator's
tools say of the device. KTAP.
"""
import contextlib
import glob
import grp
import json
import os
import re
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import main, read, sh, wait_for, write  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
RULE = os.path.join(ROOT, 'tools', 'udev', '60-alink.rules')
DRIVER = '/sys/bus/pci/drivers/alink_xpu'
UDEVD = '/lib/systemd/systemd-udevd'


def functions():
    """PCI addresses of the xPUs."""
    return sorted(os.path.basename(os.path.realpath(p))
                  for p in glob.glob(f'{DRIVER}/0000:*'))


def node(function):
    """The node of a function."""
    names = glob.glob(f'/sys/bus/pci/devices/{function}/accel/accel*')
    assert len(names) == 1, names
    return f'/dev/accel/{os.path.basename(names[0])}'


def access(path):
    """Group and mode of a node."""
    st = os.stat(path)
    return grp.getgrgid(st.st_gid).gr_name, stat.S_IMODE(st.st_mode)


@contextlib.contextmanager
def udevd():
    """A udevd with the rule of the tree, beside those of the system."""
    os.makedirs('/run/udev/rules.d', exist_ok=True)
    shutil.copy(RULE, '/run/udev/rules.d/')
    with subprocess.Popen([UDEVD]) as child:
        try:
            wait_for('control socket of udevd',
                     lambda: os.path.exists('/run/udev/control'))
            sh('udevadm', 'settle', '--timeout=60', timeout=70)
            yield
        finally:
            child.terminate()
            child.wait(30)


def test_udev_gives_the_node_to_render():
    """With the rule: group render, mode 0660, also of a device that comes
    later; without one: root alone."""
    mine = functions()
    assert mine, 'no xPU'
    for function in mine:
        os.chown(node(function), 0, 0)
        os.chmod(node(function), 0o600)
    with udevd():
        sh('udevadm', 'trigger', '--action=add', '--subsystem-match=accel',
           '--settle', timeout=120)
        for function in mine:
            assert access(node(function)) == ('render', 0o660), \
                access(node(function))

        write(f'{DRIVER}/unbind', mine[-1])
        write(f'{DRIVER}/bind', mine[-1])
        sh('udevadm', 'settle', '--timeout=60', timeout=70)
        assert access(node(mine[-1])) == ('render', 0o660), \
            access(node(mine[-1]))
    write(f'{DRIVER}/unbind', mine[-1])
    write(f'{DRIVER}/bind', mine[-1])
    assert access(node(mine[-1])) == ('root', 0o600), access(node(mine[-1]))


def test_sensors():
    """sensors shows all channels with labels and limits."""
    shown = json.loads(sh('sensors', '-j'))
    chips = [v for k, v in shown.items() if k.startswith('alink_xpu-pci-')]
    assert len(chips) == len(functions()), shown
    for chip in chips:
        assert set(chip['die']) == {'temp1_input', 'temp1_max', 'temp1_crit'}
        assert set(chip['hbm']) == {'temp2_input', 'temp2_crit'}, chip
        assert 20 < chip['die']['temp1_input'] < chip['die']['temp1_crit']
        assert 0 < chip['board']['power1_input'] <= \
            chip['board']['power1_cap'] == chip['board']['power1_max'], chip
        assert chip['board energy']['energy1_input'] > 0, chip


def test_lspci():
    """lspci shows BARs, vectors, AER and the driver."""
    for function in functions():
        out = sh('lspci', '-vv', '-s', function)
        for text in ('Region 2: Memory at ', 'MSI-X: Enable+ Count=5',
                     'FLReset+', 'Advanced Error Reporting',
                     'Kernel driver in use: alink_xpu'):
            assert text in out, (text, out)


def test_ethtool():
    """A link of an xPU has rate, FEC and statistics."""
    name = os.path.basename(sorted(glob.glob(
        f'/sys/bus/pci/devices/{functions()[0]}/net/*'))[0])
    sh('ip', 'link', 'set', name, 'up')
    wait_for('carrier', lambda: read(f'/sys/class/net/{name}/carrier') == '1')
    assert 'Speed: 400000Mb/s' in sh('ethtool', name)
    assert 'driver: alink_xpu' in sh('ethtool', '-i', name)
    assert 'Active FEC encoding: RS' in sh('ethtool', '--show-fec', name)
    names = re.findall(r'^\s*(\w+): \d+$', sh('ethtool', '-S', name), re.M)
    for want in ('tx_bytes', 'rx_bytes', 'fec_uncorrectable_codewords',
                 'link_down_events', 'tx_busy_model_ns'):
        assert want in names, names


def test_devlink():
    """Identity, ports and health."""
    for function in functions():
        info = json.loads(sh('devlink', '-j', 'dev', 'info',
                             f'pci/{function}'))['info'][f'pci/{function}']
        assert info['driver'] == 'alink_xpu', info
        assert info['serial_number'] and info['board.serial_number'], info
        assert set(info['versions']['fixed']) == {'board.id', 'asic.id'}, info
        assert re.match(r'^\d+\.\d+\.\d+$',
                        info['versions']['running']['fw']), info
        reporters = json.loads(sh('devlink', '-j', 'health', 'show'))['health']
        assert [r['reporter'] for r in reporters[f'pci/{function}']] == \
            ['device'], reporters


main(test_udev_gives_the_node_to_render, test_sensors, test_lspci,
     test_ethtool, test_devlink)
