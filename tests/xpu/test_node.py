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
import select
import shutil
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import PATIENCE, fails, knob, main, read, sh  # noqa: E402
from guestlib import wait_for, write  # noqa: E402
from portlib import carrier, group, numbers, send, silence  # noqa: E402
from taplib import tests_of  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
RULE = os.path.join(ROOT, 'tools', 'udev', '60-alink.rules')
DRIVER = '/sys/bus/pci/drivers/alink_xpu'
UDEVD = '/lib/systemd/systemd-udevd'
NETLINK_KOBJECT_UEVENT = 15
# The first link of the first xPU, and the port that it goes to
XPU, LINK, PORT = 'xpu0', 'xpu0p0', 'sw0p0'
FEC = 'fec_corrected_codewords'
# What ethtool says of a link that is down for each enum alink_down_reason
DOWN = {
    1: None,
    2: 'Autoneg, No partner detected',
    3: 'No cable',
    4: 'Module, CMIS module is not in ModuleReady state',
    5: 'Module',
    6: 'Bad signal integrity, Unsupported rate',
    7: 'Autoneg, No HCD',
    8: 'Link training failure',
    9: 'Bad signal integrity, Large number of physical errors',
    10: 'Link training failure, Remote side is not ready yet',
    11: 'Logical mismatch, PCS did not get align_status',
    12: 'Logical mismatch',
    13: 'Bad signal integrity',
    14: 'Module',
    15: 'Bad signal integrity, Serdes ALOS',
    16: 'Logical mismatch, PCS did not acquire block lock',
    17: 'Overheat',
    18: 'Autoneg, No partner detected',
    19: 'Cable issue',
    20: 'Logical mismatch',
    21: 'Calibration failure',
    22: 'Power budget exceeded',
}


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
        assert set(chip['die']) == {
            'temp1_input', 'temp1_max', 'temp1_max_alarm', 'temp1_crit',
            'temp1_crit_alarm'}, chip
        assert set(chip['hbm']) == {
            'temp2_input', 'temp2_crit', 'temp2_crit_alarm'}, chip
        assert not any(v for channel in ('die', 'hbm')
                       for k, v in chip[channel].items()
                       if k.endswith('_alarm')), chip
        assert 20 < chip['die']['temp1_input'] < chip['die']['temp1_crit']
        assert 0 < chip['board']['power1_input'] <= \
            chip['board']['power1_cap'] == chip['board']['power1_max'], chip
        assert chip['board energy']['energy1_input'] > 0, chip


@contextlib.contextmanager
def listener(attribute):
    """Waits for the next event of an alarm: as one who polls the file, and as
    one who listens to uevents. Gives a function that does."""
    with open(attribute, 'rb', buffering=0) as f, \
            socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM,
                          NETLINK_KOBJECT_UEVENT) as uevents:
        uevents.bind((0, 1))
        uevents.settimeout(PATIENCE)
        polled = select.poll()
        polled.register(f, select.POLLPRI)
        name = f'NAME={os.path.basename(attribute)}'.encode()

        def wait():
            assert polled.poll(PATIENCE * 1000), attribute
            while name not in uevents.recv(65536).split(b'\0'):
                pass
            f.seek(0)
            return f.read().strip().decode()

        # The file can be waited for once it was read.
        f.read()
        yield wait


def test_alarms():
    """A temperature over its limit is an alarm, an event and a line in the
    log; so is its end."""
    where = glob.glob(f'/sys/class/alink/{XPU}/device/hwmon/hwmon*')
    assert len(where) == 1, where
    for channel, attr, prop, label in ((1, 'max', 'temp', 'die'),
                                       (2, 'crit', 'temp-mem', 'hbm')):
        stem = f'{where[0]}/temp{channel}'
        before = int(read(f'{stem}_input'))
        limit = int(read(f'{stem}_{attr}'))
        over = limit + 1234
        with listener(f'{stem}_{attr}_alarm') as wait:
            assert read(f'{stem}_{attr}_alarm') == '0'
            try:
                knob(XPU, prop, over)
                assert wait() == '1', stem
                assert read(f'{stem}_{attr}_alarm') == '1'
                says = f'{label} is over its limit: {over} '
                wait_for(says, lambda s=says: s in sh('dmesg'))
            finally:
                knob(XPU, prop, before)
            assert wait() == '0', stem
        assert read(f'{stem}_{attr}_alarm') == '0'
        says = f'{label} is at or below its limit again: {before} '
        wait_for(says, lambda s=says: s in sh('dmesg'))


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


def up():
    """Both ends of the link work."""
    for netdev in (LINK, PORT):
        sh('ip', 'link', 'set', netdev, 'up')
        wait_for(f'{netdev}: carrier', lambda n=netdev: carrier(n))


def frames(netdev):
    """Link-level frames that a netdev has sent and received."""
    mac = group(netdev, 'eth-mac')
    own = numbers('ethtool', '-S', netdev)
    sent, got = (mac['eth-mac-FramesTransmittedOK'],
                 mac['eth-mac-FramesReceivedOK'])
    # Later, so not less
    assert sent <= own['tx_frames'] and got <= own['rx_frames'], (mac, own)
    return sent, got


def test_eth_mac():
    """eth-mac has the frames of the link, at both ends."""
    up()
    with silence(LINK, PORT):
        link, port = frames(LINK), frames(PORT)
        send(LINK, 5)
        send(PORT, 3)
        want = ((link[0] + 5, link[1] + 3), (port[0] + 3, port[1] + 5))
        wait_for('frames', lambda: (frames(LINK), frames(PORT)) == want)
        time.sleep(0.5)
        assert (frames(LINK), frames(PORT)) == want
    # What does not leave is not counted: a link that is down sends nothing.
    with silence(LINK, PORT):
        link = frames(LINK)
        knob(XPU, 'x-link-fault', '0:9')
        try:
            wait_for('no carrier', lambda: not carrier(LINK))
            with contextlib.suppress(OSError):
                send(LINK, 5)
            time.sleep(0.5)
            assert frames(LINK) == link, (frames(LINK), link)
        finally:
            knob(XPU, 'x-link-fault', '0:0')
    up()


def test_fec():
    """Code words corrected and lost, wherever a tool looks for them."""
    up()
    show = ('ethtool', '-I', '--show-fec', LINK)
    others = {n: numbers('ethtool', '-S', n)[FEC] for n in (PORT, f'{XPU}p1')}
    before, own = numbers(*show), numbers('ethtool', '-S', LINK)
    assert set(before) == {'corrected_blocks', 'uncorrectable_blocks'}, before
    knob(XPU, 'x-link-errors', '0:1000:30:7:5')
    after = numbers(*show)
    assert after['corrected_blocks'] == before['corrected_blocks'] + 1000
    assert after['uncorrectable_blocks'] == before['uncorrectable_blocks'] + 30
    now = numbers('ethtool', '-S', LINK)
    for name, more in ((FEC, 1000), ('fec_uncorrectable_codewords', 30),
                       ('rx_crc_errors', 7), ('tx_replays', 5)):
        assert now[name] == own[name] + more, (name, own, now)
    assert int(read(f'/sys/class/net/{LINK}/statistics/rx_crc_errors')) == \
        now['rx_crc_errors']
    # They are of this end, and of this link.
    for other, count in others.items():
        assert numbers('ethtool', '-S', other)[FEC] == count, other


def test_why_it_is_down():
    """The reason of each way to be down, in the words that ethtool has."""
    up()
    try:
        for reason, text in DOWN.items():
            knob(XPU, 'x-link-fault', f'0:{reason}')
            wait_for('no carrier', lambda: not carrier(LINK))
            says = re.search(r'Link detected: (.*)', sh('ethtool', LINK))
            assert says.group(1) == (f'no ({text})' if text else 'no'), \
                (reason, says.group(1))
            assert 'Active FEC encoding: Off' in sh('ethtool', '--show-fec',
                                                    LINK)
        # The other end knows that it is not its own fault.
        wait_for('no carrier', lambda: not carrier(PORT))
        assert f'no ({DOWN[10]})' in sh('ethtool', PORT)
    finally:
        knob(XPU, 'x-link-fault', '0:0')
    up()
    assert 'Link detected: yes\n' in sh('ethtool', LINK)


def test_no_other_groups():
    """What the device does not count is not told, not even as zeros."""
    shown = numbers('ethtool', '-S', LINK, '--all-groups')
    assert not [n for n in shown if 'eth-ctrl' in n], shown
    fails('ethtool', '-a', LINK)


def tried(dev, before):
    """A health reporter reports when it is asked to, and is then as it was."""
    def now():
        return next(r for r in json.loads(sh('devlink', '-j', 'health'))
                    ['health'][dev] if r['reporter'] == before['reporter'])
    assert before['state'] == 'healthy', before
    sh('devlink', 'health', 'test', dev, 'reporter', before['reporter'])
    wait_for('a report', lambda: now()['error'] > before['error'])
    wait_for('its end', lambda: now()['state'] == before['state'])
    assert now()['error'] == before['error'] + 1, (before, now())
    sh('devlink', 'health', 'dump', 'clear', dev, 'reporter',
       before['reporter'])


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
            ['device', 'queue', 'ecc', 'link'], reporters
        for report in reporters[f'pci/{function}']:
            tried(f'pci/{function}', report)


def test_writes_to_hbm_are_combined():
    """By the processor: the kernel has it for the BAR, whoever maps a page."""
    kinds = read('/sys/kernel/debug/x86/pat_memtype_list')
    found = glob.glob('/sys/class/alink/xpu*/device/resource')
    for path in found:
        start = int(read(path).split('\n')[2].split()[0], 16)
        assert re.search(rf'mem {start:#018x}-\S+ write-combining', kinds), kinds
    assert found


main(*tests_of(globals()))
