#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The switch driver: ports as netdevs, ethtool, devlink, hwmon, link faults,
reset, unbind, surprise removal. KTAP.
"""
import glob
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import fails, knob, main, read, sh, wait_for, write  # noqa: E402
from portlib import carrier  # noqa: E402
from switchlib import function, ports, works  # noqa: E402
from taplib import tests_of  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
DRIVER = '/sys/bus/pci/drivers/alink_switch'
# Of include/hw/alink
MAGIC, LINK_BASE, LINK_DOWNS = 0x4b4e4c41, 0x10000, 0x30


def test_populated_ports():
    """A netdev for each port with a cable, and for no other."""
    assert ports('sw0') == ['sw0p0', 'sw0p1'], ports('sw0')
    assert ports('sw1') == ['sw1p0', 'sw1p1'], ports('sw1')
    shown = json.loads(sh('devlink', '-j', 'port', 'show'))['port']
    mine = {k: v for k, v in shown.items()
            if k.startswith(f'pci/{function("sw0")}/')}
    assert len(mine) == 64, len(mine)
    assert {v.get('netdev') for v in mine.values()} - {None} == \
        {'sw0p0', 'sw0p1'}, mine


def test_ethtool():
    """Rate, lanes, FEC and statistics of a port."""
    works('sw0')
    out = sh('ethtool', 'sw0p0')
    for text in ('Speed: 400000Mb/s', 'Lanes: 4', 'Duplex: Full',
                 'Link detected: yes'):
        assert text in out, (text, out)
    assert 'driver: alink_switch' in sh('ethtool', '-i', 'sw0p0')
    assert 'RS' in sh('ethtool', '--show-fec', 'sw0p0')
    names = re.findall(r'^\s*(\w+): \d+$', sh('ethtool', '-S', 'sw0p0'), re.M)
    for name in ('tx_bytes', 'rx_packets', 'fec_corrected_codewords',
                 'tx_busy_model_ns', 'link_down_events'):
        assert name in names, names
    fails('ethtool', '-s', 'sw0p0', 'speed', '10000', 'autoneg', 'off')


def test_frames():
    """Link-level frames pass between the two ends of a link."""
    sh('ip', 'link', 'set', 'xpu0p0', 'up')
    sh('ip', 'netns', 'add', 'far')
    try:
        sh('ip', 'link', 'set', 'xpu0p0', 'netns', 'far')
        sh('ip', '-n', 'far', 'addr', 'add', '10.8.0.2/24', 'dev', 'xpu0p0')
        sh('ip', '-n', 'far', 'link', 'set', 'xpu0p0', 'up')
        sh('ip', 'addr', 'add', '10.8.0.1/24', 'dev', 'sw0p0')
        wait_for('an answer', lambda: ' 1 received' in sh(
            'ping', '-q', '-c', '1', '-W', '1', '10.8.0.2', check=False))
        assert ' 5 received' in sh('ping', '-q', '-c', '5', '-i', '0.1', '-s',
                                   '4000', '10.8.0.2')
    finally:
        sh('ip', 'addr', 'flush', 'dev', 'sw0p0')
        sh('ip', '-n', 'far', 'link', 'set', 'xpu0p0', 'netns', '1')
        sh('ip', 'netns', 'del', 'far')
        # Moved to another namespace, it was set down: so was its link.
        sh('ip', 'link', 'set', 'xpu0p0', 'up')


def test_devlink():
    """Info, resources and health."""
    dev = f'pci/{function("sw0")}'
    info = json.loads(sh('devlink', '-j', 'dev', 'info', dev))['info'][dev]
    assert info['driver'] == 'alink_switch', info
    assert info['versions']['fixed']['board.id'] == 'ICNSW-64X400', info
    assert info['versions']['running']['fw'] == '1.0.2', info
    health = json.loads(sh('devlink', '-j', 'health'))['health']
    assert health[dev][0]['state'] == 'healthy', health


def tables():
    """Size and occupancy of each table of the switch"""
    dev = f'pci/{function("sw0")}'
    found = json.loads(sh('devlink', '-j', 'resource', 'show', dev))
    return {r['name']: (r['size'], r['occ'])
            for r in found['resources'][dev]}


def test_tables():
    """devlink shows how large the tables are, and how full."""
    write(f'/sys/bus/pci/devices/{function("sw0")}/reset', '1')
    wait_for('the switch', lambda: read('/sys/class/alink/sw0/state') == 'ready')
    before = tables()
    assert before['routes'] == (1024, 0) and before['groups'] == (256, 0) and \
        before['partitions'][0] == 1024, before
    sh('alink', 'fabric', 'up')
    try:
        placed = len(glob.glob('/sys/class/alink/xpu*'))
        assert tables() == {'routes': (1024, placed), 'groups': (256, 0),
                            'partitions': (1024, placed)}, tables()
        sh('alink', 'group', 'add', '3', '0,1', 'key', '24301')
        assert tables()['groups'] == (256, 1), tables()
        sh('alink', 'group', 'del', '3')
        sh('alink', 'route', 'del', 'sw0', '0')
        assert tables()['groups'] == (256, 0), tables()
        assert tables()['routes'] == (1024, placed - 1), tables()
    finally:
        # What was there before goes on without, too.
        write(f'/sys/bus/pci/devices/{function("sw0")}/reset', '1')
    works('sw0')
    assert tables() == {'routes': (1024, 0), 'groups': (256, 0),
                        'partitions': (1024, placed)}, tables()


def region(dev):
    """Snapshots of its registers that there are"""
    shown = json.loads(sh('devlink', '-j', 'region', 'show',
                          f'{dev}/registers'))['regions']
    return sorted(shown[f'{dev}/registers'].get('snapshot', []))


def test_registers_in_snapshots():
    """What registers were, of links too, after they have changed since."""
    dev = f'pci/{function("sw0")}'
    name = f'{dev}/registers'

    def word(snapshot, at):
        told = sh('devlink', 'region', 'read', name, 'snapshot', snapshot,
                  'address', str(at), 'length', '4').split()
        assert int(told[0], 16) == at and len(told) == 5, told
        return int.from_bytes(bytes.fromhex(''.join(told[1:])), 'little')

    assert not region(dev)
    sh('devlink', 'region', 'new', name, 'snapshot', '1')
    downs = LINK_BASE + LINK_DOWNS
    assert word('1', 0) == MAGIC, hex(word('1', 0))
    before = word('1', downs)
    knob('sw0', 'x-link-fault', '0:2')
    knob('sw0', 'x-link-fault', '0:0')
    sh('devlink', 'region', 'new', name, 'snapshot', '2')
    assert region(dev) == [1, 2]
    assert word('1', downs) == before and word('2', downs) == before + 1
    # There is room for so many, and what is not there is not read.
    for number in range(3, 9):
        sh('devlink', 'region', 'new', name, 'snapshot', str(number))
    fails('devlink', 'region', 'new', name, 'snapshot', '9', says='.')
    fails('devlink', 'region', 'new', name, 'snapshot', '2', says='.')
    for number in region(dev):
        sh('devlink', 'region', 'del', name, 'snapshot', str(number))
    fails('devlink', 'region', 'read', name, 'snapshot', '1', 'address', '0',
          'length', '4', says='.')
    assert not region(dev)


def test_no_split():
    """Ports are whole, and whoever wants parts is told so."""
    shown = json.loads(sh('devlink', '-j', 'port', 'show'))['port']
    for number in 0, 63:
        port = f'pci/{function("sw0")}/{number}'
        assert shown[port]['splittable'] is False, shown[port]
        assert shown[port]['lanes'] == 4, shown[port]
        fails('devlink', 'port', 'split', port, 'count', '2',
              says='cannot be split')
        fails('devlink', 'port', 'unsplit', port, says='is not split')
    assert json.loads(sh('devlink', '-j', 'port', 'show'))['port'] == shown


def faults():
    """Faults that devlink was told of since the driver was bound."""
    dev = f'pci/{function("sw0")}'
    return json.loads(sh('devlink', '-j', 'health'))['health'][dev][0]['error']


def test_fault():
    """A fault gets to devlink, and one in the middle of unbind harms nothing."""
    before = faults()
    knob('sw0', 'x-fault', '2176:1:0:3')
    wait_for('a report', lambda: faults() == before + 1)
    dump = sh('devlink', '-j', 'health', 'dump', 'show',
              f'pci/{function("sw0")}', 'reporter', 'asic')
    assert json.loads(dump)['fault_code'] == 2176, dump
    # Of class "retry": over at once
    wait_for('health', lambda: reporter('asic')['state'] == 'healthy')
    pci = function('sw0')
    for delay in range(5):
        storm = subprocess.Popen(
            [sys.executable, '-c', 'import select, sys\n'
             'sys.path[:0] = ["tests/lib"]\n'
             'from guestlib import knob\n'
             'while not select.select([sys.stdin], [], [], 0)[0]:\n'
             '    knob("sw0", "x-fault", "2176:1:0:3")'],
            cwd=ROOT, stdin=subprocess.PIPE)
        try:
            time.sleep(0.2 * delay)
            write(f'{DRIVER}/unbind', pci)
            write(f'{DRIVER}/bind', pci)
        finally:
            # Not killed: half an exchange would be left in the port.
            storm.stdin.close()
            assert storm.wait(30) == 0
    works('sw0')


def reporter(name):
    """What devlink says of one health reporter of sw0"""
    dev = f'pci/{function("sw0")}'
    return next(r for r in json.loads(sh('devlink', '-j', 'health'))
                ['health'][dev] if r['reporter'] == name)


def asked(what, name):
    """diagnose, or dump show"""
    return sh('devlink', 'health', *what, f'pci/{function("sw0")}',
              'reporter', name)


def unhealthy(name, errors, *says):
    """Waits for one more report, which stays, and says so in its dump; and clears
    that."""
    wait_for('a report', lambda: reporter(name)['error'] > errors)
    assert reporter(name)['state'] == 'error', reporter(name)
    text = asked(('dump', 'show'), name)
    assert all(re.search(s, text) for s in says), text
    asked(('dump', 'clear'), name)


def test_fault_of_the_device():
    """One that needs a reset stays until there was one: devlink's, or another."""
    asked(('dump', 'clear'), 'asic')
    errors = reporter('asic')['error']
    generation = int(read('/sys/class/alink/sw0/generation'))
    knob('sw0', 'x-fault', '1664:3:0:2')
    unhealthy('asic', errors, 'fault_code: 1664', 'recovery_class: 3')
    # What is over at once says nothing of that.
    knob('sw0', 'x-fault', '2176:1:0:3')
    wait_for('a report', lambda: reporter('asic')['error'] > errors + 1)
    assert reporter('asic')['state'] == 'error'
    recovered = reporter('asic')['recover']
    asked(('recover',), 'asic')
    assert reporter('asic')['state'] == 'healthy'
    assert reporter('asic')['recover'] == recovered + 1
    assert int(read('/sys/class/alink/sw0/generation')) == generation + 1
    errors = reporter('asic')['error']
    knob('sw0', 'x-fault', '1664:3:0:2')
    unhealthy('asic', errors, 'fault_code: 1664')
    write(f'/sys/bus/pci/devices/{function("sw0")}/reset', '1')
    wait_for('health', lambda: reporter('asic')['state'] == 'healthy')
    works('sw0')


def test_firmware_that_hangs():
    """Seen by its heartbeat, and told until the device was reset."""
    errors = reporter('asic')['error']
    knob('sw0', 'x-heartbeat-stuck', True)
    try:
        unhealthy('asic', errors, 'firmware hangs', 'recovery_class: 3')
    finally:
        knob('sw0', 'x-heartbeat-stuck', False)
    asked(('recover',), 'asic')
    assert reporter('asic')['state'] == 'healthy'
    works('sw0')


def test_reset_that_does_not_end():
    """Told, and so until another one has gone well."""
    errors = reporter('asic')['error']
    reset = f'/sys/bus/pci/devices/{function("sw0")}/reset'
    knob('sw0', 'x-reset-us', 600000000)
    try:
        # It is done, as far as the PCI core knows.
        write(reset, '1')
        unhealthy('asic', errors, 'device did not come back from reset',
                  'recovery_class: 3')
    finally:
        knob('sw0', 'x-reset-us', 0)
    write(reset, '1')
    wait_for('health', lambda: reporter('asic')['state'] == 'healthy')
    works('sw0')


def test_reporters_on_request():
    """Each reporter can be tried: that is a report, which is over at once."""
    works('sw0')
    for name in 'asic', 'inc', 'manager', 'link':
        wait_for('health', lambda n=name: reporter(n)['state'] == 'healthy')
        before = reporter(name)
        asked(('test',), name)
        wait_for('a report',
                 lambda n=name, b=before: reporter(n)['recover'] > b['recover'])
        assert reporter(name)['error'] == before['error'] + 1, reporter(name)
        assert reporter(name)['state'] == 'healthy', reporter(name)
        assert asked(('dump', 'show'), name).strip()
        asked(('dump', 'clear'), name)


def test_report_that_nobody_recovered():
    """With auto_recover off what is over stays until somebody says so: that
    resets nothing."""
    dev = f'pci/{function("sw0")}'
    generation = read('/sys/class/alink/sw0/generation')
    sh('devlink', 'health', 'set', dev, 'reporter', 'asic', 'auto_recover',
       'false')
    try:
        # More than the driver keeps, and the one that counts comes last.
        for _ in range(20):
            knob('sw0', 'x-fault', '2176:1:0:3')
        wait_for('health', lambda: reporter('asic')['state'] == 'healthy')
        asked(('recover',), 'asic')
        assert read('/sys/class/alink/sw0/generation') == generation
        for _ in range(20):
            knob('sw0', 'x-fault', '2176:1:0:3')
        knob('sw0', 'x-fault', '1664:3:0:2')
        wait_for('a fault', lambda: reporter('asic')['state'] == 'error')
        asked(('recover',), 'asic')
        assert read('/sys/class/alink/sw0/generation') != generation
        wait_for('health', lambda: reporter('asic')['state'] == 'healthy')
    finally:
        sh('devlink', 'health', 'set', dev, 'reporter', 'asic', 'auto_recover',
           'true')
        asked(('dump', 'clear'), 'asic')
    works('sw0')


def test_link_health():
    """A link that fails is reported, with its reason, until it is up again; one
    that is closed is not."""
    wait_for('health', lambda: reporter('link')['state'] == 'healthy')
    errors = reporter('link')['error']
    knob('sw0', 'x-link-fault', '1:9')
    try:
        wait_for('a report', lambda: reporter('link')['error'] == errors + 1)
        assert reporter('link')['state'] == 'error'
        text = asked(('diagnose',), 'link')
        assert re.search(r'link: 1 reason: 9', text) and \
            re.search(r'links_failed: 1\b', text), text
        text = asked(('dump', 'show'), 'link')
        assert re.search(r'link: 1 reason: 9', text) and 'downs:' in text, text
    finally:
        knob('sw0', 'x-link-fault', '1:0')
    wait_for('health', lambda: reporter('link')['state'] == 'healthy')
    assert 'links_failed: 0' in asked(('diagnose',), 'link')
    sh('devlink', 'health', 'dump', 'clear', f'pci/{function("sw0")}',
       'reporter', 'link')
    for how in 'up', 'down':
        sh('ip', 'link', 'set', 'sw0p1', how)
    assert 'links_failed: 0' in asked(('diagnose',), 'link')
    sh('ip', 'link', 'set', 'sw0p1', 'up')
    wait_for('carrier', lambda: carrier('sw0p1'))
    assert reporter('link')['error'] == errors + 1
    assert reporter('link')['state'] == 'healthy'


def test_lanes_in_health():
    """A link that has lost lanes is reported until it has them again."""
    works('sw0')
    wait_for('health', lambda: reporter('link')['state'] == 'healthy')
    errors = reporter('link')['error']
    knob('sw0', 'x-lane-fault', '1:6')
    try:
        wait_for('a report', lambda: reporter('link')['error'] == errors + 1)
        assert reporter('link')['state'] == 'error'
        text = asked(('diagnose',), 'link')
        assert re.search(r'link: 1 lanes: 2 lanes_fitted: 4 lanes_bad: 6',
                         text) and re.search(r'links_failed: 0\b', text) and \
            re.search(r'links_degraded: 1\b', text), text
        assert re.search(r'lanes_lost: [1-9]',
                         asked(('dump', 'show'), 'link'))
        fails('devlink', 'health', 'recover', f'pci/{function("sw0")}',
              'reporter', 'link', says='link 1 still lacks lanes')
        assert reporter('link')['state'] == 'error'
    finally:
        knob('sw0', 'x-lane-fault', '1:0')
    # It works again, but nobody has used it yet.
    assert reporter('link')['state'] == 'error'
    asked(('recover',), 'link')
    assert reporter('link')['state'] == 'healthy'
    assert 'links_degraded: 0' in asked(('diagnose',), 'link')
    sh('devlink', 'health', 'dump', 'clear', f'pci/{function("sw0")}',
       'reporter', 'link')


def test_signal_in_health():
    """A link that hears badly is listed at once, and reported when it has to
    lower its rate, until it has it again."""
    works('sw0')
    wait_for('health', lambda: reporter('link')['state'] == 'healthy')
    errors = reporter('link')['error']
    try:
        knob('sw0', 'x-ber', f'1:{10 ** 11}')
        text = asked(('diagnose',), 'link')
        assert re.search(rf'bit_errors:\s+link: 1 ber_e15: {10 ** 11}\b',
                         text), text
        assert reporter('link')['error'] == errors
        knob('sw0', 'x-ber', f'1:{10 ** 12}')
        wait_for('a report', lambda: reporter('link')['error'] == errors + 1)
        assert reporter('link')['state'] == 'error'
        text = asked(('diagnose',), 'link')
        assert re.search(r'link: 1 lanes: 4 lanes_fitted: 4 lanes_bad: 0 '
                         r'speed_mbps: 200000 max_speed_mbps: 400000', text) \
            and re.search(r'links_degraded: 1\b', text), text
        text = asked(('dump', 'show'), 'link')
        assert re.search(r'link: 1 reason: 13', text) and \
            f'ber_e15: {10 ** 9}' in text, text
        fails('devlink', 'health', 'recover', f'pci/{function("sw0")}',
              'reporter', 'link', says='link 1 still has a bad signal')
    finally:
        knob('sw0', 'x-ber', '1:0')
    assert reporter('link')['state'] == 'error'
    asked(('recover',), 'link')
    assert reporter('link')['state'] == 'healthy'
    text = asked(('diagnose',), 'link')
    assert 'links_degraded: 0' in text and 'ber_e15' not in text, text
    sh('devlink', 'health', 'dump', 'clear', f'pci/{function("sw0")}',
       'reporter', 'link')


def test_hwmon():
    """Temperature and power follow the device, with limits."""
    where = glob.glob(f'/sys/bus/pci/devices/{function("sw0")}/hwmon/hwmon*')
    assert len(where) == 1, where
    knob('sw0', 'temp', 63000)
    try:
        assert read(f'{where[0]}/temp1_input') == '63000'
    finally:
        knob('sw0', 'temp', 50000)
    assert int(read(f'{where[0]}/temp1_crit')) > 63000
    assert int(read(f'{where[0]}/power1_input')) > 0


def test_link_fault():
    """A port that loses its signal loses its carrier, and gets it back."""
    works('sw0')
    knob('sw0', 'x-link-fault', '1:9')
    wait_for('no carrier', lambda: not carrier('sw0p1'))
    assert carrier('sw0p0')
    assert 'Link detected: no' in sh('ethtool', 'sw0p1')
    knob('sw0', 'x-link-fault', '1:0')
    wait_for('carrier', lambda: carrier('sw0p1'))
    stats = sh('ethtool', '-S', 'sw0p1')
    assert int(re.search(r'link_down_events: (\d+)', stats).group(1)) > 0


def test_link_errors():
    """Errors of the line are counted where they belong."""
    def counter(name):
        return int(re.search(rf'{name}: (\d+)',
                             sh('ethtool', '-S', 'sw0p0')).group(1))
    before = counter('fec_corrected_codewords'), counter('rx_crc_errors')
    knob('sw0', 'x-link-errors', '0:1000:0:7')
    assert counter('fec_corrected_codewords') == before[0] + 1000
    assert counter('rx_crc_errors') == before[1] + 7


def test_reset():
    """A function-level reset: ports come back by themselves."""
    works('sw0')
    generation = int(read('/sys/class/alink/sw0/generation'))
    write(f'/sys/bus/pci/devices/{function("sw0")}/reset', '1')
    assert int(read('/sys/class/alink/sw0/generation')) == generation + 1
    works('sw0')


def test_unbind_with_open_ports():
    """Ports go with the driver and come back with it."""
    pci = function('sw0')
    works('sw0')
    write(f'{DRIVER}/unbind', pci)
    assert not os.path.exists('/sys/class/net/sw0p0')
    write(f'{DRIVER}/bind', pci)
    works('sw0')


def test_surprise_removal():
    """All ones: no carrier, no hang; unbind and bind bring it back."""
    pci = function('sw0')
    knob('sw0', 'x-dead', True)
    wait_for('lost', lambda: read('/sys/class/alink/sw0/state') == 'lost')
    sh('ethtool', '-S', 'sw0p0', check=False)
    fails('devlink', 'region', 'new', f'pci/{pci}/registers', says='gone')
    assert not region(f'pci/{pci}')
    told = sh('devlink', 'dev', 'info', f'pci/{pci}')
    assert 'running' in told and 'stored' not in told, told
    write(f'{DRIVER}/unbind', pci)
    knob('sw0', 'x-dead', False)
    write(f'{DRIVER}/bind', pci)
    works('sw0')


def test_failed_self_test():
    """A switch that fails its self-test at probe is refused, with the reason."""
    pci = function('sw1')
    write(f'{DRIVER}/unbind', pci)
    for what, text in (('value', 'want'), ('irq', 'does not fire'),
                       ('dma', 'DMA byte')):
        knob('sw1', 'x-fail-selftest', what)
        sh('dmesg', '-C')
        try:
            write(f'{DRIVER}/bind', pci)
            assert False, f'a switch with a broken {what} was accepted'
        except OSError:
            pass
        finally:
            knob('sw1', 'x-fail-selftest', 'none')
        assert 'self-test: ' in sh('dmesg') and text in sh('dmesg')
    write(f'{DRIVER}/bind', pci)
    works('sw1')


def test_module_cycles():
    """Loaded and unloaded 20 times with its ports up."""
    for _ in range(20):
        sh('rmmod', 'alink_switch')
        sh('modprobe', 'alink_switch')
    works('sw0')
    works('sw1')
    fails('rmmod', 'alink', says='in use')


if __name__ == '__main__':
    main(*tests_of(globals()))
