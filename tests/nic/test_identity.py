#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the driver says about a NIC: link, limits, devlink, sensors, self-test.
"""
import glob
import json
import re

import niclib
from niclib import main, pair, read, sh, wait_for


def test_ethtool():
    """Rate, medium, lanes, FEC and channels are those of the variant."""
    with pair() as (a, _):
        out = a.sh('ethtool', a.dev)
        for text in ('Speed: 400000Mb/s', 'Duplex: Full', '400000baseCR4/Full',
                     'Link detected: yes', 'Port: Direct Attach Copper'):
            assert text in out, (text, out)
        out = a.sh('ethtool', '-i', a.dev)
        assert 'driver: alink_nic' in out and a.function in out, out
        assert 'Active FEC encoding: RS' in a.sh(
            'ethtool', '--show-fec', a.dev)
        out = a.sh('ethtool', '-l', a.dev)
        assert re.search(r'Combined:\s+8\n', out), out
        link = a.link()
        assert link['max_mtu'] == 9216 if 'max_mtu' in link else True
        sh('ip', 'netns', 'exec', a.ns, 'ethtool', '-p', a.dev, '1')


def test_address():
    """It is changed while the NIC is up: frames for the new one come in, those
    for the old one do not."""
    with pair() as (a, b):
        old, new = a.link()['address'], '02:03:04:05:06:07'

        def send(to):
            b.sh('ip', 'neigh', 'replace', a.addr, 'lladdr', to, 'dev', b.dev)
            out = b.sh('ping', '-q', '-c', '2', '-i', '0.2', '-W', '2', a.addr,
                       check=False)
            return '2 received' in out
        try:
            assert send(old)
            a.sh('ip', 'link', 'set', a.dev, 'address', new)
            assert a.link()['address'] == new and 'UP' in a.link()['flags']
            assert send(new) and not send(old)
        finally:
            a.sh('ip', 'link', 'set', a.dev, 'address', old)
            b.sh('ip', 'neigh', 'del', a.addr, 'dev', b.dev, check=False)
        a.ping_works(b)


def test_self_test():
    """ethtool -t passes, also offline, and leaves the link working."""
    with pair() as (a, b):
        for mode in ('online', 'offline'):
            out = a.sh('ethtool', '-t', a.dev, mode)
            assert 'result is PASS' in out, out
        wait_for('carrier', a.carrier)
        a.ping_works(b)


def test_self_test_fails():
    """... and fails for a reason: here, a link without a partner."""
    with pair() as (a, _):
        niclib.qmp('set_link', name='nic0', up=False)
        try:
            wait_for('no carrier', lambda: not a.carrier())
            out = a.sh('ethtool', '-t', a.dev, 'online', check=False)
            assert 'FAIL' in out, out
        finally:
            niclib.qmp('set_link', name='nic0', up=True)
        wait_for('carrier', a.carrier)


def test_statistics():
    """Structured statistics agree with what was sent."""
    with pair() as (a, b):
        def mac(end):
            out = end.sh('ethtool', '-S', end.dev, '--groups', 'eth-mac',
                         'rmon')
            return {k: int(v) for k, v in
                    re.findall(r'^(\S+?):? (\d+)$', out.replace(': ', ' '),
                               re.M)}
        before, peer = mac(a), mac(b)
        a.ping(b, size=1000, count=20)
        after, peer_after = mac(a), mac(b)
        name = 'eth-mac-FramesTransmittedOK'
        sent = after[name] - before[name]
        name = 'eth-mac-FramesReceivedOK'
        got = peer_after[name] - peer[name]
        assert 20 <= sent <= 40 and got >= 20, (before, after, sent, got)
        sizes = [k for k in after if 'rmon' in k]
        assert sizes, after


def test_devlink():
    """devlink names board, firmware and serial number, and the port."""
    niclib.apart()
    out = json.loads(sh('devlink', '-j', 'dev', 'info'))['info']
    functions = niclib.functions()
    for function in functions:
        info = out[f'pci/{function}']
        assert info['driver'] == 'alink_nic', info
        assert re.fullmatch('[0-9a-f]{16}', info['serial_number']), info
        assert info['versions']['fixed']['board.id'].startswith('ALN-'), info
        assert info['versions']['running']['fw'], info
    ports = json.loads(sh('devlink', '-j', 'port', 'show'))['port']
    for function in functions:
        port = ports[f'pci/{function}/0']
        assert port['flavour'] == 'physical', port
        assert port['netdev'] == niclib.netdev(function), port


def test_sensors():
    """hwmon shows temperature, power and limits, and follows the model."""
    function = niclib.functions()[0]
    hwmon = glob.glob(f'/sys/bus/pci/devices/{function}/hwmon/hwmon*')
    assert len(hwmon) == 1, hwmon
    niclib.knob('nic0', 'temp', 61000)
    try:
        assert read(f'{hwmon[0]}/temp1_input') == '61000'
    finally:
        niclib.knob('nic0', 'temp', 51000)
    assert read(f'{hwmon[0]}/name') == 'alink_nic'
    assert int(read(f'{hwmon[0]}/power1_input')) == 17000000


if __name__ == '__main__':
    main(test_ethtool, test_address, test_self_test, test_self_test_fails,
         test_statistics, test_devlink, test_sensors)
