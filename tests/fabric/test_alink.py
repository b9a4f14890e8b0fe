#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink and the netlink family under it: shows, changes, refusals. KTAP."""
import glob
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))
sys.path.append(os.path.join(HERE, '..', 'trust'))

# pylint: disable=wrong-import-position
import uapi  # noqa: E402
import xpufile  # noqa: E402
from guestlib import PATIENCE, knob, wait_for  # noqa: E402
from taplib import main, tests_of  # noqa: E402

SVG = '{http://www.w3.org/2000/svg}'
# How long a reset takes in which something is to happen
RESET_US = 3000000
# What names an object: attributes of the first numbers, in any message
NAMES = {'alink': (1, 2), 'devlink': (1, 2, 3)}
LATE_S = 9      # of an answer; less than what makes a command time out
NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']


def alink(*args, prefix=(), given=None):
    """Exit code, standard output, standard error."""
    done = subprocess.run([*prefix, 'alink', *args], capture_output=True,
                          input=given, text=True, timeout=PATIENCE,
                          check=False)
    return done.returncode, done.stdout, done.stderr.strip()


def good(*args, prefix=()):
    """Output of a command that must succeed."""
    code, out, err = alink(*args, prefix=prefix)
    assert (code, err) == (0, ''), (args, code, err)
    return out


def data(*args, prefix=()):
    """Data of a JSON document, whose frame is checked."""
    doc = json.loads(good('-j', *args, prefix=prefix))
    assert doc['schema'].startswith('alink.') and doc['version'] == 1, doc
    return doc['data']


def name_of(pid):
    """What a process is called."""
    with open(f'/proc/{pid}/comm', encoding='utf-8') as f:
        return f.read().rstrip('\n')


def refused(code, text, *args, prefix=()):
    """A command that must fail so, the same way with JSON, for one reason."""
    got, out, err = alink(*args, prefix=prefix)
    assert got == code and text in err and not out, (args, got, err, out)
    assert err.count('\n') == 0, err
    got, out, err = alink('-j', *args, prefix=prefix)
    doc = json.loads(out)
    assert got == code and doc['schema'] == 'alink.error', (got, doc)
    assert text in doc['error']['message'], doc
    assert doc['error']['exit_code'] == code, doc


def sysfs(name, attr):
    """An attribute of a device."""
    with open(f'/sys/class/alink/{name}/{attr}', encoding='utf-8') as f:
        return f.read().strip()


def test_links_agree_with_sysfs():
    """One row for each populated link, with its netdev, rate and peer."""
    links = data('link', 'show') + data('port', 'show')
    have = {l['netdev'] for l in links}
    want = {os.path.basename(n) for n in glob.glob('/sys/class/net/*')
            if os.path.basename(n).startswith(('xpu', 'sw'))}
    assert have == want and want, (have, want)
    for link in links:
        peer = link['peer']
        if not peer:
            continue
        other = [l for l in links if l['device'] == peer['device'] and
                 l['link'] == peer['link']]
        assert other and other[0]['peer']['device'] == link['device'], link
        assert link['state'] == 'up' and link['speed_mbps'] == 400000, link
    for link in data('link', 'show', 'xpu1'):
        assert link['device'] == 'xpu1', link


def test_topo():
    """A symmetric matrix with a legend; two planes between the xPUs."""
    out = good('topo')
    assert 'Legend' in out and 'AL2' in out, out
    rows = {r['device']: r['to'] for r in data('topo')}
    assert rows['xpu0']['xpu1'] == rows['xpu1']['xpu0'] == 'AL2', rows
    for a, to in rows.items():
        for b, relation in to.items():
            assert rows[b][a] == relation, (a, b, rows)


def drawn():
    """Of topo --svg: text of boxes by name, how a link is drawn by what is said
    of it. topo --dot must have as many links."""
    root = ET.fromstring(good('topo', '--svg'))
    boxes = {}
    for g in root.iter(f'{SVG}g'):
        if g.get('class').startswith('node '):
            boxes[g.find(f'{SVG}title').text] = \
                ' '.join(t.text for t in g.iter(f'{SVG}text'))
    links = {l.find(f'{SVG}title').text: l.get('class')
             for l in root.findall(f'{SVG}polyline')}
    dot = good('topo', '--dot')
    assert dot.startswith('graph alink {'), dot
    assert len([l for l in dot.splitlines() if l.startswith('\tn') and
                ' -- ' in l]) == len(links), dot
    return boxes, links


def test_drawing():
    """All devices of the fabric and all its cables; a route that is missing
    stands out at the device and at the cable that it leaves alone."""
    good('fabric', 'up')
    boxes, links = drawn()
    assert set(boxes) == {'xpu0', 'xpu1', 'sw0', 'sw1', 'nic0', 'nic1'}, boxes
    want = {f"{l['device']}p{l['link']} - {l['peer']['device']}"
            f"p{l['peer']['link']}: 400 Gb/s x{l['lanes']}"
            for l in data('link', 'show') if l['peer']}
    assert set(links) == want and set(links.values()) == {'up'}, links
    assert 'endpoint 1, partition 1' in boxes['xpu1'], boxes
    good('route', 'del', 'sw1', '1')
    good('route', 'del', 'xpu0', '1')
    boxes, links = drawn()
    assert 'no route to endpoints 1' in boxes['sw1'], boxes
    assert 'no route to endpoints 1' in boxes['xpu0'], boxes
    assert 'no route' not in boxes['sw0'], boxes
    bad = {l.partition(' - ')[0] for l in links if links[l] == 'noroute'}
    assert bad == {'xpu0p0', 'xpu0p1', 'xpu1p1'}, links
    good('fabric', 'up')
    assert good('topo', '--svg', prefix=NOBODY) == good('topo', '--svg')
    refused(2, '--png', 'topo', '--png')
    refused(2, 'too many', 'topo', '--svg', '--dot')
    code, out, _ = alink('-j', 'topo', '--svg')
    assert code == 2 and 'without -j' in out, (code, out)


def test_routes():
    """Add, replace, show, delete."""
    for r in data('route', 'show'):
        good('route', 'del', r['device'], str(r['dst']))
    assert data('route', 'show') == []
    good('route', 'add', 'sw0', '1', '0-3,7')
    good('route', 'add', 'sw0', '0', '5', '1')
    want = [{'device': 'sw0', 'dst': 0, 'min_ports': 1, 'ports': [5],
             'spares': []},
            {'device': 'sw0', 'dst': 1, 'min_ports': 1,
             'ports': [0, 1, 2, 3, 7], 'spares': []}]
    assert data('route', 'show', 'sw0') == want, data('route', 'show')
    good('route', 'add', 'sw0', '1', '0-1', '2')
    assert data('route', 'show', 'sw0')[1]['ports'] == [0, 1]
    assert data('route', 'show', 'sw0')[1]['min_ports'] == 2
    good('route', 'del', 'sw0', '1')
    good('route', 'del', 'sw0', '0')
    refused(6, 'no such object', 'route', 'del', 'sw0', '0')


def test_spares():
    """Links that stand in, which xPUs alone have; what cannot be is refused."""
    good('route', 'add', 'xpu0', '1', '0', 'spare', '1')
    row = {'device': 'xpu0', 'dst': 1, 'min_ports': 1, 'ports': [0],
           'spares': [1]}
    assert data('route', 'show', 'xpu0') == [row]
    assert good('route', 'show', 'xpu0').splitlines()[1].split() == \
        ['xpu0', '1', '1', '0', '(1)']
    for says, *args in (('Port 0 is there twice', '0', 'spare', '0-1'),
                        ('No port 40: xpu0 has', '0', 'spare', '40'),
                        ('Minimum of 2 is more than the 1 ports', '0', '2',
                         'spare', '1')):
        code, _, err = alink('route', 'add', 'xpu0', '1', *args)
        assert code and says in err, (args, code, err)
    code, _, err = alink('route', 'add', 'sw0', '1', '0', 'spare', '1')
    assert code and 'sw0: routes have no spare links' in err, (code, err)
    refused(2, 'not understood', 'route', 'add', 'xpu0', '1', '0', '1', '2')
    assert data('route', 'show', 'xpu0') == [row]
    good('route', 'add', 'xpu0', '1', '0-1')
    assert data('route', 'show', 'xpu0')[0]['spares'] == []
    good('route', 'del', 'xpu0', '1')


def test_long_tables():
    """More routes than one message or one answer of the device holds."""
    code, out, err = alink('-b', '-', given=''.join(
        f'route add sw1 {dst} 0-63\n' for dst in range(2, 302)))
    assert (code, out, err) == (0, '', ''), (code, out, err)
    rows = data('route', 'show', 'sw1')
    assert [r['dst'] for r in rows] == list(range(2, 302)), len(rows)
    assert all(r['ports'] == list(range(64)) for r in rows)
    code, out, err = alink('-b', '-', given=''.join(
        f'route del sw1 {dst}\n' for dst in range(2, 302)))
    assert (code, out, err) == (0, '', ''), (code, out, err)


def test_batch_stops():
    """The first line that fails is named, those before it are done."""
    lines = ('# routes\n\nroute add sw1 2 0-3  # four\n'
             'route add sw1 3 64\nroute add sw1 4 0\n')
    code, out, err = alink('--batch', '-', given=lines)
    assert code == 1 and not out, (code, out)
    assert 'alink: stdin:4: ' in err and 'No port 64' in err, err
    assert [r['dst'] for r in data('route', 'show', 'sw1')] == [2]
    code, out, err = alink('-j', '-b', '-', given='route show sw1\nlist\nx\n')
    docs = [json.loads(line) for line in out.splitlines()]
    assert [d['schema'] for d in docs] == ['alink.route', 'alink.list',
                                          'alink.error'], docs
    assert docs[2]['error']['message'].startswith('stdin:3: '), docs[2]
    assert (code, err) == (2, ''), (code, err)
    good('route', 'del', 'sw1', '2')


def test_bad_routes():
    """Each refusal names what is wrong, and changes nothing."""
    good('fabric', 'up')
    before = data('route', 'show')
    refused(6, 'no such device: sw9', 'route', 'add', 'sw9', '1', '0')
    refused(1, 'No port 64: sw0 has 64', 'route', 'add', 'sw0', '1', '64')
    refused(1, 'No port 8: xpu0 has 8', 'route', 'add', 'xpu0', '1', '0-8')
    refused(1, 'Minimum of 3 is more than the 2', 'route', 'add', 'sw0', '1',
            '0-1', '3')
    refused(1, 'min-ports', 'route', 'add', 'sw0', '1', '0', '0')
    refused(1, 'destination', 'route', 'add', 'xpu0', '0', '0')
    refused(2, 'endpoint: "x"', 'route', 'add', 'sw0', 'x', '0')
    refused(2, 'endpoint: "1024"', 'route', 'add', 'sw0', '1024', '0')
    refused(2, 'ports: "3-1"', 'route', 'add', 'sw0', '1', '3-1')
    refused(3, 'nic0 has no such table', 'route', 'add', 'nic0', '1', '0')
    refused(3, 'nic0 has no such table', 'route', 'show', 'nic0')
    refused(2, 'usage', 'route', 'add', 'sw0')
    refused(2, 'no such verb', 'route', 'eat')
    refused(2, 'no such object', 'lunch')
    assert data('route', 'show') == before


def test_groups():
    """On all switches, or none."""
    good('group', 'add', '5', '0-1', 'key', '0x77')
    rows = data('group', 'show')
    assert [r['device'] for r in rows] == ['sw0', 'sw1'], rows
    assert all(r['id'] == 5 and r['members'] == [0, 1] and
               r['key'] == '0000000000000077' for r in rows), rows
    refused(1, 'exists already', 'group', 'add', '5', '0-1')
    good('group', 'del', '5')
    refused(6, 'No group 5', 'group', 'del', '5')
    # One switch has it already: the other must not keep it.
    good('group', 'add', '6', '0', 'dev', 'sw1')
    refused(1, 'sw1: exists already', 'group', 'add', '6', '0-1')
    assert [r['device'] for r in data('group', 'show')] == ['sw1']
    good('group', 'del', '6')
    assert data('group', 'show') == []
    refused(1, 'key', 'group', 'add', '7', '0', 'key', '0')
    refused(2, 'id: "256"', 'group', 'add', '256', '0')
    refused(2, 'members', 'group', 'add', '7', '')
    refused(3, 'xpu0 has no such table', 'group', 'add', '7', '0', 'dev',
            'xpu0')


def test_segments():
    """What is shown of them, but no key; the administrator takes one away."""
    good('fabric', 'up', '9')
    assert data('segment', 'show') == [] and good('segment', 'show') == ''
    xpu = xpufile.Xpu(os.listdir('/sys/class/alink/xpu1/device/accel')[0]
                      .removeprefix('accel'))
    try:
        shared = xpu.call('SEGMENT_EXPORT', handle=xpu.bo(xpufile.HBM),
                          rights=xpufile.READ | 4).segment
        me = {'pid': os.getpid(), 'command': name_of(os.getpid())}
        assert data('segment', 'show') == data('segment', 'show', 'xpu1') == [
            {'device': 'xpu1', 'id': shared.segment, 'endpoint': 1,
             'size_bytes': xpufile.SIZE, 'extents': 1, 'partition': 9,
             'bindings': 0, 'rights': ['read', 'atomic'], **me}]
        assert data('segment', 'show', 'xpu0') == []
        row = good('segment', 'show', prefix=NOBODY).splitlines()[1].split()
        assert row == ['xpu1', str(shared.segment), '1', str(xpufile.SIZE),
                       '1', '9', '0', 'read,atomic',
                       f'[{me["pid"]}]'], row
        row = good('segment', 'show').splitlines()[1].split()
        assert row[-1] == f'{me["command"]}[{me["pid"]}]', row
        enums = uapi.enums(uapi.ALINK_H)
        sock = uapi.Genl('alink')
        told = sock.call(enums['ALINK_CMD_SEGMENT_GET'], dump=True)
        sock.close()
        assert len(told) == 1 and \
            struct.pack('=Q', shared.key) not in told[0], told
        one = 'xpu1', str(shared.segment)
        refused(4, 'run as root', 'segment', 'revoke', *one, prefix=NOBODY)
        refused(9, 'initial network namespace', 'segment', 'show',
                prefix=['unshare', '-n'])
        refused(2, 'usage', 'segment', 'revoke', 'xpu1')
        refused(2, 'id: "4096"', 'segment', 'revoke', 'xpu1', '4096')
        refused(3, 'sw0 has no such table', 'segment', 'revoke', 'sw0', '0')
        refused(3, 'sw0 has no such table', 'segment', 'show', 'sw0')
        refused(6, 'xpu1 has no segment 99', 'segment', 'revoke', 'xpu1', '99')
        assert len(data('segment', 'show')) == 1
        good('segment', 'revoke', *one)
        assert data('segment', 'show') == []
        refused(6, f'xpu1 has no segment {shared.segment}', 'segment',
                'revoke', *one)
        # A name that would act on a terminal
        with open(f'/proc/self/task/{threading.get_native_id()}/comm', 'wb') \
                as f:
            f.write(b'\x1b[2J\xff')
        xpu.call('SEGMENT_EXPORT', handle=xpu.bo(xpufile.HBM),
                 rights=xpufile.READ)
        assert data('segment', 'show')[0]['command'] == '?[2J?'
    finally:
        xpu.close()
        with open(f'/proc/self/task/{threading.get_native_id()}/comm', 'w',
                  encoding='ascii') as f:
            f.write('test_alink')
    assert data('segment', 'show') == []


def test_segments_in_reset():
    """They are gone, and until that is over nobody can be asked."""
    xpu = xpufile.Xpu(os.listdir('/sys/class/alink/xpu1/device/accel')[0]
                      .removeprefix('accel'))
    export = xpu.call('SEGMENT_EXPORT', handle=xpu.bo(xpufile.HBM),
                      rights=xpufile.READ)
    one = 'xpu1', str(export.segment.segment)
    assert len(data('segment', 'show')) == 1
    knob('xpu1', 'x-reset-us', RESET_US)
    try:
        with subprocess.Popen(['sh', '-c', 'echo 1 >reset'],
                              cwd='/sys/class/alink/xpu1/device') as child:
            wait_for('reset', lambda: sysfs('xpu1', 'state') != 'ready')
            code, _, err = alink('segment', 'revoke', *one)
            assert code == 1 and 'xpu1 is in reset' in err, (code, err)
            assert data('segment', 'show') == []
            assert child.wait(PATIENCE) == 0
        refused(6, 'xpu1 has no segment', 'segment', 'revoke', *one)
        xpu.call('SEGMENT_REVOKE', export_id=export.export_id)
    finally:
        knob('xpu1', 'x-reset-us', 0)
        xpu.close()


def test_partitions_and_path():
    """Who is where decides who reaches whom, and path says it."""
    good('fabric', 'up', '9')
    assert {r['partition'] for r in data('partition', 'show')} == {9}
    path = data('path', 'xpu0', 'xpu1')
    assert path['path'] and path['usable_links'] == 2, path
    assert path['speed_mbps'] == path['full_speed_mbps'] == 800000, path
    assert (path['partition'], path['bottleneck']) == (9, None), path
    assert [[e['device'] for e in l['ends']] for l in path['links']] == \
        [['xpu0', s, s, 'xpu1'] for s in ('sw0', 'sw1')], path
    good('group', 'add', '5', '0-1', 'dev', 'sw1')
    assert data('path', 'xpu1', 'xpu0')['groups'] == \
        [{'id': 5, 'switches': ['sw1']}]
    good('group', 'del', '5')
    good('partition', 'set', '1', '10')
    code, out, _ = alink('path', 'xpu0', 'xpu1')
    assert code == 1 and 'not in the same partition' in out, out
    assert out.splitlines()[-1] == \
        'bottleneck: sw0: xpu0 is in partition 9, xpu1 in partition 10; ' \
        'so for links 0-1; takes 800 of 800 Gb/s', out
    good('partition', 'set', '1', '0')
    assert [r['endpoint'] for r in data('partition', 'show', 'sw0')] == [0]
    refused(2, 'partition', 'partition', 'set', '1', '1024')
    refused(1, 'partition 0 is none', 'fabric', 'up', '0')
    refused(2, 'nic0 is no xPU', 'path', 'xpu0', 'nic0')
    refused(2, 'reaches its own memory', 'path', 'xpu0', 'xpu0')
    good('fabric', 'up')
    good('route', 'del', 'sw1', '1')
    path = data('path', 'xpu0', 'xpu1')
    assert [l['why'] for l in path['links']] == \
        [None, 'no route in the switch'], path
    assert limit('xpu0', 'xpu1') == \
        ('switch-route', 'sw1', 'no route in the switch', [1])
    good('fabric', 'up')
    good('route', 'add', 'xpu0', '1', '1')
    assert limit('xpu0', 'xpu1') == \
        ('route-ports', 'xpu0p0', 'the route leaves this link out', [0])
    good('route', 'del', 'xpu0', '1')
    assert limit('xpu0', 'xpu1')[:2] == ('no-route', 'xpu0')
    good('fabric', 'up')
    assert limit('xpu0', 'xpu1') is None


def limit(a, b):
    """What path names as the bottleneck, whether there is a path or not."""
    found = json.loads(alink('-j', 'path', a, b)[1])['data']['bottleneck']
    return found and tuple(found[k] for k in ('kind', 'where', 'why', 'links'))


def in_the_way(a, b):
    """Exit code of path, what is in its way, and what is in that of links."""
    code, out, err = alink('-j', 'path', a, b)
    assert not err, err
    path = json.loads(out)['data']
    assert path['path'] is (code == 0) is (path['why'] is None), (code, path)
    return code, path['why'], [l['why'] for l in path['links']]


def add_routes(rows, device):
    """The routes of one device out of ROWS."""
    for r in rows:
        if r['device'] == device:
            good('route', 'add', device, str(r['dst']),
                 ','.join(map(str, r['ports'])), str(r['min_ports']))


def test_stages_are_told_apart():
    """Nothing done, half done, degraded, done: for each xPU, and each way.

    Nodes were ready with a fabric that was in progress for ever, or dead
    (gpu-operator 2511, 2781, gpu-driver-container 908)."""
    good('fabric', 'up')
    rows = data('route', 'show')
    for r in rows:
        good('route', 'del', r['device'], str(r['dst']))
    for endpoint in '01':
        good('partition', 'set', endpoint, '0')
    nothing = (1, 'no route in the xPU (alink fabric up writes them)', [])
    assert in_the_way('xpu0', 'xpu1') == nothing
    assert in_the_way('xpu1', 'xpu0') == nothing

    # The switches have not admitted it yet, and the other has not begun.
    unusable = 'no link of the route is usable'
    add_routes(rows, 'xpu0')
    assert in_the_way('xpu0', 'xpu1') == \
        (1, unusable, ['not in the same partition'] * 2)
    assert in_the_way('xpu1', 'xpu0') == nothing
    for endpoint in '01':
        good('partition', 'set', endpoint, '1')
    assert in_the_way('xpu0', 'xpu1') == \
        (1, unusable, ['no route in the switch'] * 2)

    # One plane of two: it works, and is told from what is whole.
    add_routes(rows, 'sw0')
    assert in_the_way('xpu0', 'xpu1') == \
        (0, None, [None, 'no route in the switch'])
    assert in_the_way('xpu1', 'xpu0') == nothing
    add_routes(rows, 'sw1')
    assert in_the_way('xpu0', 'xpu1') == (0, None, [None, None])
    assert in_the_way('xpu1', 'xpu0') == nothing
    add_routes(rows, 'xpu1')
    assert in_the_way('xpu1', 'xpu0') == (0, None, [None, None])
    assert data('route', 'show') == rows


def test_no_switch_is_no_fabric():
    """Without a switch there is nothing to bring up: said as such, by a code of
    its own, and no path is claimed (gpu-operator 356, 544, 610: a warning of
    the driver's, and a service that failed)."""
    driver = '/sys/bus/pci/drivers/alink_switch'
    # In the order of their names, which they then get again
    switches = [os.path.basename(os.path.realpath(f'{p}/device'))
                for p in sorted(glob.glob('/sys/class/alink/sw*'))]
    assert len(switches) == 2, switches
    good('fabric', 'up')
    for pci in switches:
        with open(f'{driver}/unbind', 'w', encoding='utf-8') as f:
            f.write(pci)
    try:
        refused(6, 'no switch of this host', 'fabric', 'up')
        code, why, links = in_the_way('xpu0', 'xpu1')
        assert code == 1 and why == 'no link of the route is usable', why
        assert len(links) == 2 and all(links), links
    finally:
        for pci in switches:
            with open(f'{driver}/bind', 'w', encoding='utf-8') as f:
                f.write(pci)
    wait_for('both switches', lambda: len(
        glob.glob('/sys/class/alink/sw*')) == 2, PATIENCE)
    good('fabric', 'up')
    wait_for('both planes', lambda: in_the_way('xpu0', 'xpu1') ==
             (0, None, [None, None]), PATIENCE)


def test_down_link_is_seen():
    """By link show, port show at the other end, and path."""
    for how in ('up', 'down'):
        subprocess.run(['ip', 'link', 'set', 'xpu0p1', how], check=True)
    row = data('link', 'show', 'xpu0')[1]
    assert row['state'] == 'down' and row['reason'] and \
        not row['speed_mbps'], row
    ends = [p for p in data('port', 'show', 'sw1')
            if p['peer'] and p['peer']['device'] == 'xpu0']
    assert ends[0]['state'] == 'down', ends
    assert data('path', 'xpu0', 'xpu1')['usable_links'] == 1
    assert data('topo')[0]['to']['xpu1'] == 'AL1'
    # From both ends, the one that is the cause.
    want = ('link-down', 'xpu0p1', 'closed by command', [1])
    assert limit('xpu0', 'xpu1') == limit('xpu1', 'xpu0') == want
    boxes, links = drawn()
    assert [l for l in links if links[l] == 'down' and l.endswith(
        ': down, closed by command (xpu0p1)')], links
    assert 'closed by command' in boxes['xpu0'], boxes
    subprocess.run(['ip', 'link', 'set', 'xpu0p1', 'up'], check=True)
    assert data('path', 'xpu0', 'xpu1')['usable_links'] == 2
    assert limit('xpu0', 'xpu1') is None
    assert set(drawn()[1].values()) == {'up'}


def test_lost_lanes_are_seen():
    """By path, which names the end whose lanes failed, from both sides."""
    knob('sw1', 'x-lane-fault', '0:1')
    try:
        want = ('degraded', 'sw1p0', '2 of 4 lanes, 200 of 400 Gb/s: '
                'width reduced', [1])
        assert limit('xpu0', 'xpu1') == limit('xpu1', 'xpu0') == want, \
            (limit('xpu0', 'xpu1'), limit('xpu1', 'xpu0'))
        assert data('path', 'xpu0', 'xpu1')['usable_links'] == 2
        row = data('link', 'show', 'xpu0')[1]
        assert (row['state'], row['reason'], row['speed_mbps'],
                row['lanes']) == ('up', None, 200000, 2), row
    finally:
        knob('sw1', 'x-lane-fault', '0:0')
    # A link that is closed and opened has them all again.
    for how in ('up', 'down', 'up'):
        subprocess.run(['ip', 'link', 'set', 'xpu0p1', how], check=True)
    assert limit('xpu0', 'xpu1') is None


def test_bad_signal_is_seen():
    """By link show before it costs anything, and by path when it does."""
    end = {'sw1': ('port', 0), 'xpu0': ('link', 1)}

    def row(name):
        return data(end[name][0], 'show', name)[end[name][1]]
    try:
        knob('sw1', 'x-ber', f'0:{10 ** 11}')
        assert row('sw1')['ber'] == 1e-4 and row('xpu0')['ber'] == 0
        assert row('sw1')['reason'] is None, row('sw1')
        assert 'BER 1.0e-04' in good('port', 'show', 'sw1')
        assert limit('xpu0', 'xpu1') is None
        knob('sw1', 'x-ber', f'0:{10 ** 12}')
        want = ('degraded', 'sw1p0', '200 of 400 Gb/s: rate reduced', [1])
        assert limit('xpu0', 'xpu1') == limit('xpu1', 'xpu0') == want, \
            (limit('xpu0', 'xpu1'), limit('xpu1', 'xpu0'))
        assert row('sw1')['ber'] == 1e-6, row('sw1')
        assert 'rate reduced, BER 1.0e-06' in good('port', 'show', 'sw1')
        knob('sw1', 'x-ber', f'0:{2 * 10 ** 14}')
        assert limit('xpu0', 'xpu1') == ('link-down', 'sw1p0', 'bad signal',
                                         [1]), limit('xpu0', 'xpu1')
        assert row('sw1')['ber'] == 0, row('sw1')
    finally:
        knob('sw1', 'x-ber', '0:0')
    wait_for('the way', lambda: limit('xpu0', 'xpu1') is None)


def modules(*args, prefix=()):
    """Of the ends of links from xPU 0 to xPU 1: {device and link: module}."""
    _, out, err = alink('-j', 'path', 'xpu0', 'xpu1', *args, prefix=prefix)
    assert not err, err
    return {f"{e['device']}p{e['link']}": e['module']
            for l in json.loads(out)['data']['links'] for e in l['ends']}


def test_modules_in_path():
    """Which module carries a link, and how it is; its memory is shown to the
    administrator only. Topology node2: cage 0 is of sw0, cage 1 of xpu0."""
    wait_for('modules', lambda: modules()['xpu0p1']['state'] == 'ready',
             PATIENCE)
    found = modules()
    assert {n: m and (m['controller'], m['cage']) for n, m in found.items()} \
        == {'xpu0p0': ('opt0', 1), 'sw0p0': ('opt0', 0), 'sw0p1': ('opt0', 0),
            'xpu1p0': None, 'xpu0p1': ('opt0', 1), 'sw1p0': None,
            'sw1p1': None, 'xpu1p1': None}, found
    one, two = found['xpu0p0'], found['xpu0p1']
    assert one['first_lane'] != two['first_lane'], found
    assert one['serial'] == two['serial'] != found['sw0p0']['serial'], found
    for m in filter(None, found.values()):
        assert (m['presence'], m['part'], m['fault']) == \
            ('fitted', 'AL-OSFP-DR8-LPO', None), m
        assert 20000 < m['temperature_mdeg'] < 75000, m
    seen = modules(prefix=NOBODY)['xpu0p0']
    assert (seen['presence'], seen['state'], seen['part']) == \
        ('fitted', None, None), seen
    assert 20000 < seen['temperature_mdeg'] < 75000, seen


def test_module_at_fault():
    """It is named, with what is wrong with it, from both ends."""
    def named(why, **how):
        want = ('module', 'xpu0p0', why, [0, 1])
        wait_for(f'{why} from xPU 0', lambda:
                 limit('xpu0', 'xpu1') == want, PATIENCE)
        wait_for(f'{why} from xPU 1', lambda:
                 limit('xpu1', 'xpu0') == want, PATIENCE)
        wait_for(f'module: {how}', lambda: how.items() <=
                 modules()['xpu0p0'].items(), PATIENCE)
        code, out, _ = alink('path', 'xpu0', 'xpu1')
        assert code == 1 and f'bottleneck: xpu0p0: {why}; module opt0 cage 1' \
            in out, out

    try:
        knob('opt0-mod1', 'module-fault', 4)
        named('module fault', presence='fitted', state='fault',
              fault='transmitter')
        knob('opt0-mod1', 'present', False)
        named('no cable', presence='missing', state=None)
        _, links = drawn()
        assert sorted(links.values()) == ['down', 'down', 'up', 'up'], links
    finally:
        knob('opt0-mod1', 'present', False)
        knob('opt0-mod1', 'module-fault', 0)
        knob('opt0-mod1', 'present', True)
    wait_for('both links', lambda: limit('xpu0', 'xpu1') is None, PATIENCE)
    wait_for('module', lambda: modules()['xpu0p0']['state'] == 'ready',
             PATIENCE)


def test_permissions():
    """Everybody reads, but for keys; only the administrator writes."""
    good('group', 'add', '8', '0-1', 'key', '5')
    rows = data('group', 'show', prefix=NOBODY)
    assert len(rows) == 2 and all(r['key'] is None for r in rows), rows
    assert data('link', 'show', prefix=NOBODY)
    refused(4, 'run as root', 'group', 'del', '8', prefix=NOBODY)
    refused(4, 'run as root', 'route', 'add', 'sw0', '1', '0', prefix=NOBODY)
    refused(4, 'run as root', 'partition', 'set', '1', '2', prefix=NOBODY)
    refused(9, 'initial network namespace', 'link', 'show',
            prefix=['unshare', '-n'])
    good('group', 'del', '8')


def test_who_asks_can_be_killed():
    """A device that takes its time for an answer does not hold its caller, nor
    those who come after."""
    pci = os.path.basename(os.path.realpath('/sys/class/alink/sw0/device'))
    for ask in (['devlink', 'dev', 'info', f'pci/{pci}'],
                ['alink', 'route', 'show', 'sw0']):
        knob('sw0', 'x-latency-us', LATE_S * 1000000)
        began = time.monotonic()
        with subprocess.Popen(ask, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as child:
            time.sleep(1)
            assert child.poll() is None, f'{ask} did not wait'
            child.kill()
            child.wait(PATIENCE)
        took = time.monotonic() - began
        # The device, which answers after all, is what it is measured by.
        assert took < LATE_S, f'{ask}: {took:.1f} s'
        knob('sw0', 'x-latency-us', 0)
        assert good('route', 'show', 'sw0')
    assert sysfs('sw0', 'guest_errors') == '0'
    assert sysfs('sw0', 'state') == 'ready'


class Dump:
    """A dump of a family, which goes on only when what there is was read."""

    def __init__(self, family, command, body=b''):
        self.family = family
        genl = uapi.Genl(family)
        # The kernel makes messages as large as what was read at a time: this
        # one has read nothing yet, and will read little.
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.settimeout(PATIENCE)
        self.sock.send(genl.message(command, body, dump=True))
        genl.close()
        self.over = False

    def more(self):
        """The objects of the next message, each as a dictionary."""
        found, at = [], self.sock.recv(8192)
        while at:
            size, kind = struct.unpack_from('=IH', at)
            if kind in (uapi.NLMSG_ERROR, uapi.NLMSG_DONE):
                err = struct.unpack_from('=i', at, 16)[0]
                assert not err, (self.family, os.strerror(-err))
                self.over = True
            else:
                found.append(uapi.attrs(at[20:size]))
            at = at[size + 3 & ~3:]
        return found

    def names(self, found=()):
        """What FOUND and the rest of the dump name: none of it twice."""
        found = list(found)
        while not self.over:
            found += self.more()
        self.sock.close()
        names = [tuple(f.get(n) for n in NAMES[self.family]) for f in found]
        assert len(set(names)) == len(names), (self.family, names)
        return names


def test_dump_during_reload():
    """A dump that has begun before a reload goes on after it: a table that the
    reset has emptied ends there, all else is whole. Dumps that begin in the
    reset end too, and show of the device that it is there, and nothing else."""
    pci = os.path.basename(os.path.realpath('/sys/class/alink/sw1/device'))
    reload = ['devlink', 'dev', 'reload', f'pci/{pci}', 'action',
              'fw_activate']
    enum = {**uapi.enums('/usr/include/linux/devlink.h'),
            **uapi.enums(uapi.ALINK_H)}
    whole = ('alink', enum['ALINK_CMD_LINK_GET']), \
        ('devlink', enum['DEVLINK_CMD_PORT_GET'])

    code, out, err = alink('-b', '-', given=''.join(
        f'route add sw1 {dst} 0-63\n' for dst in range(2, 302)))
    assert (code, out, err) == (0, '', ''), (code, out, err)
    want = [r['dst'] for r in data('route', 'show', 'sw1')]
    dump = Dump('alink', enum['ALINK_CMD_ROUTE_GET'],
                uapi.attr(1, int(sysfs('sw1', 'index'))))
    some = dump.more()
    subprocess.run(reload, check=True, stdout=subprocess.DEVNULL)
    shown = [struct.unpack('=I', dst)[0] for _, dst in dump.names(some)]
    assert some and shown == want[:len(shown)], (len(some), shown)
    assert len(shown) < len(want), 'nothing of it was left for the reset'

    for family, command in whole:
        want = Dump(family, command).names()
        dump = Dump(family, command)
        some = dump.more()
        assert some and not dump.over, (family, len(some))
        subprocess.run(reload, check=True, stdout=subprocess.DEVNULL)
        assert dump.names(some) == want, family

    knob('sw1', 'x-reset-us', RESET_US)
    try:
        with subprocess.Popen(reload, stdout=subprocess.DEVNULL) as child:
            wait_for('reset', lambda: sysfs('sw1', 'state') != 'ready')
            # Its registers answer again, and it is not ready.
            time.sleep(RESET_US / 3e6)
            found = {what: Dump('alink', enum[f'ALINK_CMD_{what}_GET']).names()
                     for what in ('LINK', 'DEV', 'ROUTE', 'GROUP', 'PARTITION')}
            assert sysfs('sw1', 'state') != 'ready', 'it was too late'
            index = struct.pack('=I', int(sysfs('sw1', 'index')))
            shown = {what for what, names in found.items()
                     if any(index == name[0] for name in names)}
            assert found['LINK'] and shown == {'DEV'}, found
            # devlink lets nobody at the device before the reload is over.
            assert Dump(*whole[1]).names() == want
            assert child.wait(PATIENCE) == 0
    finally:
        knob('sw1', 'x-reset-us', 0)
    good('fabric', 'up')
    assert data('path', 'xpu0', 'xpu1')['usable_links'] == 2
    assert sysfs('sw1', 'guest_errors') == '0'


def test_reset_empties_the_switch():
    """Routes and groups go with their switch; writes reach it again after."""
    good('group', 'add', '3', '0-1')
    pci = os.path.realpath('/sys/class/alink/sw0/device')
    with open(f'{pci}/reset', 'w', encoding='utf-8') as f:
        f.write('1')
    assert data('route', 'show', 'sw0') == []
    assert [r['device'] for r in data('group', 'show')] == ['sw1']
    good('group', 'del', '3')
    good('fabric', 'up')
    assert sysfs('sw0', 'state') == 'ready'
    assert data('path', 'xpu0', 'xpu1')['usable_links'] == 2


def test_unbind_takes_the_device_out():
    """A driver that goes takes its rows along; no reader is left hanging."""
    pci = os.path.basename(os.path.realpath('/sys/class/alink/sw1/device'))
    driver = '/sys/bus/pci/drivers/alink_switch'
    with open(f'{driver}/unbind', 'w', encoding='utf-8') as f:
        f.write(pci)
    refused(6, 'no such device: sw1', 'port', 'show', 'sw1')
    path = data('path', 'xpu0', 'xpu1')
    assert path['usable_links'] == 1, path
    with open(f'{driver}/bind', 'w', encoding='utf-8') as f:
        f.write(pci)
    for _ in range(50):
        if os.path.exists('/sys/class/alink/sw1'):
            break
        time.sleep(0.1)
    good('fabric', 'up')
    assert data('path', 'xpu0', 'xpu1')['usable_links'] == 2


if __name__ == '__main__':
    main(*tests_of(globals()))
