#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What ethtool shows of the ports of a switch, and what it does to them. KTAP.
"""
import errno
import json
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from ethnl import Ethnl, Refused  # noqa: E402
from ethnl import LINKMODES_SET, PAUSE_GET, PAUSE_SET  # noqa: E402
from guestlib import PATIENCE, fails, knob, main, model  # noqa: E402
from guestlib import sh, wait_for, write  # noqa: E402
from portlib import BROADCAST, UNICAST  # noqa: E402
from portlib import carrier, group, numbers, send, silence  # noqa: E402
from switchlib import function, works  # noqa: E402
from taplib import tests_of  # noqa: E402

# A port, the end of an xPU that it leads to, and another port
SWITCH, PORT, PEER, OTHER = 'sw0', 'sw0p0', 'xpu0p0', 'sw0p1'
ADMIN, SIGNAL, POWER = 1, 9, 22     # enum alink_down_reason
# Of each range of sizes, the least frame: sizes count 4 bytes more
SIZES = {'64': 60, '65to127': 61, '128to255': 124, '256to511': 252,
         '512to1023': 508, '1024to1518': 1020, '1519to9220': 1515}
SENT, RECEIVED = 'eth-mac-FramesTransmittedOK', 'eth-mac-FramesReceivedOK'
LOST = 'eth-mac-FramesLostDueToIntMACRcvError'
# Frames that a port has room for
BATCH = 32


def both_up():
    """Both ends have a carrier."""
    works(SWITCH)
    sh('ip', 'link', 'set', PEER, 'up')
    wait_for(f'{PEER}: carrier', lambda: carrier(PEER))


def fault(reason):
    """The port has a fault, or 0: none."""
    knob(SWITCH, 'x-link-fault', f'0:{reason}')
    wait_for(f'carrier, reason {reason}', lambda: carrier(PORT) != bool(reason))


def test_every_reason():
    """Each reason to be down has a word of ethtool's, and one of its own."""
    both_up()
    seen = set()
    try:
        for reason in range(ADMIN, POWER + 1):
            fault(reason)
            says = re.search('Link detected: (.*)', sh('ethtool', PORT))
            # That somebody closed it is no state that ethtool knows.
            assert says.group(1) == 'no' if reason == ADMIN else \
                re.fullmatch(r'no \(.+\)', says.group(1)), (reason, says[0])
            rows = json.loads(sh('alink', '-j', 'port', 'show', SWITCH))
            row = [r for r in rows['data'] if r['netdev'] == PORT][0]
            assert row['state'] == 'down' and row['reason'], (reason, row)
            seen.add(row['reason'])
    finally:
        fault(0)
    assert len(seen) == POWER, seen
    works(SWITCH)
    assert 'Link detected: yes\n' in sh('ethtool', PORT)


def test_down_counter():
    """Each way down counts once, a new reason does not; a reset keeps it."""
    both_up()
    ethnl = Ethnl()
    before, other = ethnl.downs(PORT), ethnl.downs(OTHER)
    for _ in range(3):
        fault(SIGNAL)
        fault(POWER)
        fault(0)
    assert ethnl.downs(PORT) == before + 3, (before, ethnl.downs(PORT))
    assert ethnl.downs(OTHER) == other
    assert f'link_down_events: {before + 3}\n' in sh('ethtool', '-S', PORT)
    write(f'/sys/bus/pci/devices/{function(SWITCH)}/reset', '1')
    works(SWITCH)
    assert ethnl.downs(PORT) == before + 3, (before, ethnl.downs(PORT))


def grown(before, after, name):
    """How much a counter has grown."""
    return after[name] - before[name]


def test_frames_counted():
    """eth-mac and rmon have what went over the link, at both ends."""
    both_up()
    sh('ip', 'link', 'set', PORT, 'mtu', '2000')
    with silence(PORT, PEER):
        old = {n: group(n, 'eth-mac', 'rmon') for n in (PORT, PEER)}
        octets = 0
        for number, size in enumerate(SIZES.values(), 1):
            send(PORT, number, size, UNICAST)
            octets += number * size
        send(PORT, 3, 60)
        send(PORT, 2, 60, BROADCAST)
        total = sum(range(len(SIZES) + 1)) + 5
        wait_for('frames', lambda: grown(old[PEER], group(PEER, 'eth-mac'),
                                         RECEIVED) == total)
        new = {n: group(n, 'eth-mac', 'rmon') for n in (PORT, PEER)}
        for netdev, way, done in ((PORT, 'tx', 'Transmitted'),
                                  (PEER, 'rx', 'Received')):
            kind = 'Xmitted' if way == 'tx' else 'Received'
            want = {f'eth-mac-Frames{done}OK': total,
                    f'eth-mac-Octets{done}OK': octets + 5 * 60,
                    f'eth-mac-MulticastFrames{kind}OK': 3,
                    f'eth-mac-BroadcastFrames{kind}OK': 2}
            for number, name in enumerate(SIZES, 1):
                want[f'{way}-rmon-etherStatsPkts{name}Octets'] = number
            want[f'{way}-rmon-etherStatsPkts64Octets'] += 5
            # All that is not named has not moved: the other way, and losses.
            for name in new[netdev]:
                assert grown(old[netdev], new[netdev], name) == \
                    want.pop(name, 0), (netdev, name, old, new)
            assert not want, (netdev, want, new)
    sh('ip', 'link', 'set', PORT, 'mtu', '1500')


def fec(netdev):
    """The total of each FEC counter, and then that of each lane."""
    counters = {}
    for name, value in re.findall(r'^\s+(\w+|Lane \d+): (\d+)$', sh(
            'ethtool', '-I', '--show-fec', netdev), re.M):
        if not name.startswith('Lane'):
            of_lanes = counters[name] = []
        of_lanes.append(int(value))
    return counters


def test_errors_by_lane():
    """FEC by lane; symbols that it could not put right; of one end alone."""
    both_up()
    before, peer = fec(PORT), fec(PEER)
    phy, peer_phy = group(PORT, 'eth-phy'), group(PEER, 'eth-phy')
    knob(SWITCH, 'x-link-errors', '0:1000:30:0:0:2')
    knob(SWITCH, 'x-link-errors', '0:5')
    after = fec(PORT)
    for name, more in (('corrected_blocks', [1005, 5, 0, 1000, 0]),
                       ('uncorrectable_blocks', [30, 0, 0, 30, 0])):
        assert [b - a for a, b in zip(before[name], after[name])] == more, \
            (name, before, after)
    name = 'eth-phy-SymbolErrorDuringCarrier'
    assert grown(phy, group(PORT, 'eth-phy'), name) == 30 * 16, phy
    assert (fec(PEER), group(PEER, 'eth-phy')) == (peer, peer_phy)


def modes(netdev):
    """FEC that is asked for, and that is in use, as the driver reads them."""
    out = sh('ethtool', '--show-fec', netdev)
    return tuple(re.search(rf'{what} FEC encodings?:(.*)$', out,
                           re.M).group(1).strip()
                 for what in ('Configured', 'Active'))


def set_fec(netdev, mode):
    """Asks for a FEC."""
    sh('ethtool', '--set-fec', netdev, 'encoding', mode)


def test_set_fec():
    """It is in use at both ends, stays over a closed link and a reset, and two
    ends that ask for different codes have none."""
    both_up()
    downs = Ethnl().downs(PORT)
    try:
        assert modes(PORT) == modes(PEER) == ('Auto', 'RS'), modes(PORT)
        set_fec(PORT, 'llrs')
        assert modes(PORT) == ('LLRS', 'LLRS'), modes(PORT)
        assert modes(PEER) == ('Auto', 'LLRS'), modes(PEER)
        assert modes(OTHER) == ('Auto', 'RS'), modes(OTHER)
        assert carrier(PORT) and Ethnl().downs(PORT) == downs
        words = registers(PORT)
        assert words[0x10028] == 2 and words[0x100d0] == 1 << 2, words
        rows = json.loads(sh('alink', '-j', 'port', 'show', SWITCH))['data']
        assert [r['fec'] for r in rows if r['netdev'] == PORT] == ['ll272']

        sh('ip', 'link', 'set', PORT, 'down')
        assert modes(PORT) == ('LLRS', 'Off'), modes(PORT)
        both_up()
        assert modes(PORT) == ('LLRS', 'LLRS'), modes(PORT)
        write(f'/sys/bus/pci/devices/{function(SWITCH)}/reset', '1')
        both_up()
        wait_for('FEC', lambda: modes(PORT) == ('LLRS', 'LLRS'))

        set_fec(PEER, 'rs')
        for netdev in PORT, PEER:
            wait_for('no carrier', lambda n=netdev: not carrier(n))
            assert 'FEC mismatch during override' in sh('ethtool', netdev)
        set_fec(PORT, 'rs')
        both_up()
        assert modes(PORT) == modes(PEER) == ('RS', 'RS'), modes(PORT)
    finally:
        for netdev in PORT, PEER:
            set_fec(netdev, 'auto')
    both_up()
    assert modes(PORT) == modes(PEER) == ('Auto', 'RS'), modes(PORT)


def test_set_fec_refused():
    """Lanes of this rate do not do without, and it is one code or none."""
    both_up()
    errors = model(SWITCH, 'guest-errors')
    for mode, why in (('off', 'not supported'), ('baser', 'not supported')):
        fails('ethtool', '--set-fec', PORT, 'encoding', mode, says=why)
    fails('ethtool', '--set-fec', PORT, 'encoding', 'rs', 'llrs',
          says='Invalid argument')
    assert modes(PORT) == ('Auto', 'RS'), modes(PORT)
    assert carrier(PORT)
    assert model(SWITCH, 'guest-errors') == errors
    out = sh('ethtool', PORT)
    assert re.search(r'Supported FEC modes: RS\s+LLRS\s', out), out


def lanes(netdev):
    """Rate in Mb/s and lanes, as ethtool has them."""
    out = sh('ethtool', netdev)
    return tuple(int(re.search(rf'{what}: (\d+)', out).group(1))
                 for what in ('Speed', 'Lanes'))


def link_counters(netdev):
    """How often the link went down and trained, and lanes it lost."""
    own = numbers('ethtool', '-S', netdev)
    return [own[n] for n in ('link_down_events', 'link_retrains', 'lanes_lost')]


def row_of(netdev):
    """What alink shows of a port."""
    rows = json.loads(sh('alink', '-j', 'port', 'show', SWITCH))['data']
    return [r for r in rows if r['netdev'] == netdev][0]


def lane_fault(bad):
    """These lanes of the port have failed; 0: they work again"""
    knob(SWITCH, 'x-lane-fault', f'0:{bad}')


def test_lanes_that_fail():
    """The link goes on with fewer, which everybody is told, until none is left;
    those that work again come back when the link trains."""
    both_up()
    full = 400000, 4
    assert lanes(PORT) == lanes(PEER) == full
    downs, trained, lost = link_counters(PORT)
    try:
        lane_fault(1)
        assert lanes(PORT) == lanes(PEER) == (200000, 2)
        assert carrier(PORT) and carrier(PEER)
        assert link_counters(PORT) == [downs, trained + 1, lost + 1]
        assert 'Link detected: yes (Logical mismatch)' in sh('ethtool', PORT)
        assert 'Link detected: yes\n' in sh('ethtool', PEER)
        row = row_of(PORT)
        assert (row['state'], row['reason']) == ('up', 'width reduced'), row
        assert (row['lanes'], row['max_lanes']) == (2, 4), row
        assert row_of(OTHER)['reason'] is None
        # What the link carries, it carries as before.
        with silence(PORT, PEER):
            sent = group(PORT, 'eth-mac')
            send(PEER, 3)
            wait_for('frames', lambda: grown(
                sent, group(PORT, 'eth-mac'), RECEIVED) == 3)

        lane_fault(7)
        assert lanes(PORT) == (100000, 1)
        lane_fault(15)
        wait_for('no carrier', lambda: not carrier(PORT) and not carrier(PEER))
        assert 'Link detected: no (Logical mismatch)' in sh('ethtool', PORT)
        assert link_counters(PORT) == [downs + 1, trained + 2, lost + 4]
        lane_fault(1)
        wait_for('carrier', lambda: carrier(PORT))
        lane_fault(0)
        assert lanes(PORT) == (200000, 2)
        sh('ethtool', '-r', PEER)
        assert lanes(PORT) == lanes(PEER) == full
        assert link_counters(PORT) == [downs + 1, trained + 3, lost + 4]
        assert 'Link detected: yes\n' in sh('ethtool', PORT)

        # Closed and opened, it has them, too.
        lane_fault(8)
        lane_fault(0)
        sh('ip', 'link', 'set', PORT, 'down')
        fails('ethtool', '-r', PORT, says='down')
        both_up()
        assert lanes(PORT) == full
    finally:
        lane_fault(0)
        sh('ip', 'link', 'set', PORT, 'up')
        sh('ethtool', '-r', PORT)
    both_up()


def wrong_bits(count):
    """Of 10^15 bits, so many come in wrong at the port at its full rate."""
    knob(SWITCH, 'x-ber', f'0:{count}')


def test_bad_signal():
    """FEC counts what it puts right. What is too much for it lowers the rate, and
    in the end takes the link down; it comes back when the link trains."""
    both_up()
    full = 400000, 4
    try:
        with silence(PORT, PEER):
            old = {n: numbers('ethtool', '-S', n) for n in (PORT, PEER)}
            wrong_bits(2 * 10 ** 11)
            # Each is a fifth of a code word, of which two thirds have an error.
            for batch in range(1, 8):
                send(PEER, BATCH)
                wait_for('frames', lambda n=batch: grown(
                    old[PORT], numbers('ethtool', '-S', PORT),
                    'rx_frames') == n * BATCH)
            new = {n: numbers('ethtool', '-S', n) for n in (PORT, PEER)}
        raw = grown(old[PORT], new[PORT], 'rx_raw_bytes')
        want = raw * 8 / 5140 * (1 - (1 - 2e-4) ** 5440)
        got = grown(old[PORT], new[PORT], 'fec_corrected_codewords')
        assert want > 15 and abs(got - want) <= 1, (got, want)
        assert grown(old[PEER], new[PEER], 'fec_corrected_codewords') == 0
        assert lanes(PORT) == full

        downs, trained, _ = link_counters(PORT)
        with silence(PORT, PEER):
            old = {n: numbers('ethtool', '-S', n) for n in (PORT, PEER)}
            wrong_bits(10 ** 12)
            assert lanes(PORT) == lanes(PEER) == (200000, 4)
            send(PEER, 3)
            wait_for('frames', lambda: grown(
                old[PORT], numbers('ethtool', '-S', PORT), 'rx_frames') == 3)
            new = {n: numbers('ethtool', '-S', n) for n in (PORT, PEER)}
        assert [grown(old[PORT], new[PORT], n) for n in (
            'fec_uncorrectable_codewords', 'rx_crc_errors')] == [1, 1], new
        assert grown(old[PEER], new[PEER], 'tx_replays') == 1, new
        assert carrier(PORT) and carrier(PEER)
        assert link_counters(PORT)[:2] == [downs, trained + 1]
        assert 'Link detected: yes (Bad signal integrity)' in \
            sh('ethtool', PORT)
        assert 'Link detected: yes\n' in sh('ethtool', PEER)

        wrong_bits(2 * 10 ** 13)
        assert lanes(PORT) == lanes(PEER) == (100000, 4)
        wrong_bits(2 * 10 ** 14)
        wait_for('no carrier', lambda: not carrier(PORT) and not carrier(PEER))
        assert 'Large number of physical errors' in sh('ethtool', PORT)
        wrong_bits(10 ** 12)
        wait_for('carrier', lambda: carrier(PORT))
        wrong_bits(0)
        assert lanes(PORT) == (200000, 4)
        sh('ethtool', '-r', PEER)
        assert lanes(PORT) == lanes(PEER) == full
        # The pattern of the self-test does not leave the port.
        wrong_bits(10 ** 12)
        assert self_test(PORT, 'offline') == ('PASS', GOOD)
    finally:
        wrong_bits(0)
        both_up()
        sh('ethtool', '-r', PORT)
    assert lanes(PORT) == full


def test_self_test_finds_a_lane():
    """The test pattern does not come over a lane that has failed."""
    both_up()
    lane_fault(4)
    try:
        assert self_test(PORT, 'offline') == ('FAIL', {**GOOD,
                                                       'PRBS': errno.EIO})
        # The other end's lanes are good.
        both_up()
        assert self_test(PEER, 'offline') == ('PASS', GOOD)
    finally:
        lane_fault(0)
    both_up()
    sh('ethtool', '-r', PORT)
    assert self_test(PORT, 'offline') == ('PASS', GOOD)
    both_up()


def test_crc_burst():
    """What comes in damaged is counted here, sent again there, and is not lost."""
    both_up()
    with silence(PORT, PEER):
        old = {n: numbers('ethtool', '-S', n) for n in (PORT, PEER)}
        knob(SWITCH, 'x-crc-burst', '0:3')
        send(PEER, 5)
        wait_for('frames', lambda: grown(
            old[PORT], numbers('ethtool', '-S', PORT), 'rx_frames') == 5)
        for netdev, want in ((PORT, (3, 0)), (PEER, (0, 3))):
            new = numbers('ethtool', '-S', netdev)
            assert tuple(grown(old[netdev], new, n) for n in (
                'rx_crc_errors', 'tx_replays')) == want, (netdev, old, new)


CREDITS = 'tx_credit_stalls', 'tx_credit_leaks', 'tx_credits_lost'
ALL_CREDITS = 64


def link_reporter():
    """What devlink says of the reporter of links of the switch."""
    dev = f'pci/{function(SWITCH)}'
    return next(r for r in json.loads(sh('devlink', '-j', 'health'))
                ['health'][dev] if r['reporter'] == 'link')


def credit_report(errors, kind, lost):
    """The first report after that many, of the port; it is over at once."""
    dev = f'pci/{function(SWITCH)}'
    # A check may fall between losses: then there are two.
    wait_for('a report', lambda: link_reporter()['error'] > errors)
    text = sh('devlink', 'health', 'dump', 'show', dev, 'reporter', 'link')
    assert re.search(rf'link: 0 credits: {kind} lost: {lost} since_ns: [1-9]',
                     text), text
    sh('devlink', 'health', 'dump', 'clear', dev, 'reporter', 'link')
    wait_for('health', lambda: link_reporter()['state'] == 'healthy')


def test_credits():
    """Credits that do not come back are missed, by a check or by who waits; the
    link is trained, stays up, and loses nothing."""
    both_up()
    dev = f'pci/{function(SWITCH)}'
    sh('devlink', 'health', 'dump', 'clear', dev, 'reporter', 'link')
    try:
        with silence(PORT, PEER):
            errors = link_reporter()['error']
            old = {n: numbers('ethtool', '-S', n) for n in (PORT, PEER)}
            knob(SWITCH, 'x-credit-loss', '0:3')
            send(PORT, 5)
            wait_for('the check', lambda: grown(
                old[PORT], numbers('ethtool', '-S', PORT),
                'tx_credits_lost') == 3)
            credit_report(errors, 'leaked', r'[1-3]')

            # More than there are, without an end: some wait.
            mid = numbers('ethtool', '-S', PORT)
            knob(SWITCH, 'x-credit-loss', f'0:{0xffffffff}')
            for batch in range(1, 4 * ALL_CREDITS // BATCH + 1):
                send(PORT, BATCH)
                wait_for('frames', lambda n=batch: grown(
                    old[PEER], numbers('ethtool', '-S', PEER),
                    'rx_frames') == 5 + n * BATCH)
            knob(SWITCH, 'x-credit-loss', '0:0')
            wait_for('the check', lambda: grown(
                mid, numbers('ethtool', '-S', PORT),
                'tx_credits_lost') >= 4 * ALL_CREDITS)
            new = {n: numbers('ethtool', '-S', n) for n in (PORT, PEER)}
        assert grown(mid, new[PORT], 'tx_credits_lost') == 4 * ALL_CREDITS
        assert sum(grown(mid, new[PORT], n) for n in CREDITS[:2]) >= 4
        assert grown(old[PEER], new[PEER], 'rx_frames') == 5 + 4 * ALL_CREDITS
        for netdev in PORT, PEER:
            assert grown(old[netdev], new[netdev], 'link_retrains') >= 2
            assert grown(old[netdev], new[netdev], 'link_down_events') == 0
        assert not any(grown(old[PEER], new[PEER], n) for n in CREDITS)
        text = sh('devlink', 'health', 'diagnose', dev, 'reporter', 'link')
        assert re.search(r'link: 0 credit_stalls: \d+ credit_leaks: [1-9]',
                         text), text
    finally:
        knob(SWITCH, 'x-credit-loss', '0:0')
        sh('devlink', 'health', 'dump', 'clear', dev, 'reporter', 'link')
    both_up()


def param(name, value=None):
    """A devlink parameter of the switch, set or read."""
    dev = f'pci/{function(SWITCH)}'
    if value is not None:
        sh('devlink', 'dev', 'param', 'set', dev, 'name', name, 'value',
           str(value), 'cmode', 'runtime')
    shown = json.loads(sh('devlink', '-j', 'dev', 'param', 'show', dev, 'name',
                          name))['param'][dev][0]
    return shown['values'][0]['value']


def bounce(times):
    """The port goes down and comes back so often."""
    for _ in range(times):
        knob(SWITCH, 'x-link-fault', f'0:{SIGNAL}')
        knob(SWITCH, 'x-link-fault', '0:0')


def holds(netdev):
    """How often a link was held down."""
    return numbers('ethtool', '-S', netdev)['link_flap_holds']


def held():
    """The port is down because it went down too often, and for nothing else."""
    return row_of(PORT)['reason'] == 'flaps, held down'


def test_flaps():
    """A link that goes down too often is held down, until the time is over or
    somebody closes and opens it; also after a reset."""
    both_up()
    before, others = holds(PORT), (holds(OTHER), holds(PEER))
    bounce(10)
    assert not held() and holds(PORT) == before
    assert param('link_flap_limit', 2) == 2
    assert param('link_flap_window_ms', 400000) == 400000
    try:
        assert param('link_flap_hold_ms', 10000) == 10000
        bounce(2)
        assert not held()
        bounce(1)
        assert held() and holds(PORT) == before + 1
        assert row_of(OTHER)['state'] == 'up'
        wait_for('no carrier', lambda: not carrier(PORT))
        wait_for('carrier', lambda: carrier(PORT))
        assert not held()

        assert param('link_flap_hold_ms', 400000) == 400000
        bounce(3)
        assert held()
        wait_for('no carrier', lambda: not carrier(PORT) and not carrier(PEER))
        assert 'Link detected: no (Bad signal integrity)' in sh('ethtool', PORT)
        assert 'no (Link training failure' in sh('ethtool', PEER)
        sh('ip', 'link', 'set', PORT, 'down')
        both_up()
        assert not held() and holds(PORT) == before + 2

        write(f'/sys/bus/pci/devices/{function(SWITCH)}/reset', '1')
        both_up()
        bounce(3)
        assert held() and holds(PORT) == before + 3
        # What would not have been held is not held any more.
        param('link_flap_limit', 0)
        wait_for('carrier', lambda: carrier(PORT))
        assert (holds(OTHER), holds(PEER)) == others
    finally:
        param('link_flap_limit', 0)
        param('link_flap_window_ms', 10000)
        param('link_flap_hold_ms', 30000)
    both_up()


def test_flap_times():
    """Times that the device cannot keep are refused, and say what it can."""
    for name in 'link_flap_window_ms', 'link_flap_hold_ms':
        before = param(name)
        for value in 0, 50, 150, 409600:
            fails('devlink', 'dev', 'param', 'set',
                  f'pci/{function(SWITCH)}', 'name', name, 'value', str(value),
                  'cmode', 'runtime', says='100 to 409500 ms')
        assert param(name) == before


# Of enum alink_link_stage, with what ethtool says
STAGES = {1: 'Autoneg, No partner detected', 2: 'Autoneg, Ack not received',
          3: 'Link training failure, KR Link partner did not set receiver '
             'ready',
          4: 'Logical mismatch, PCS did not get align_status'}


def stage_of():
    """That of the port, in its registers and, at the same time, in ethtool; the
    reporter says the same."""
    before = registers(PORT)[0x100f4]
    says = re.search('Link detected: (.*)', sh('ethtool', PORT)).group(1)
    told = sh('devlink', 'health', 'diagnose', f'pci/{function(SWITCH)}',
              'reporter', 'link')
    after = registers(PORT)[0x100f4]
    if before == after and after in STAGES:
        assert says == f'no ({STAGES[after]})', (after, says)
        assert f'link: 0 stage: {after}' in told, told
        assert re.search(r'links_training: 1\b', told), told
        assert re.search(r'links_failed: 0\b', told), told
    return after


def test_training():
    """A link that trains says how far it is, and is no failure."""
    both_up()
    knob('fab0', 'training-us', 20000000)
    try:
        fault(SIGNAL)
        knob(SWITCH, 'x-link-fault', '0:0')
        assert row_of(PORT)['state'] == 'training', row_of(PORT)
        assert row_of(PORT)['reason'] is None
        seen = []
        wait_for('carrier', lambda: seen.append(stage_of()) or carrier(PORT))
        seen = [s for s in seen if s in STAGES]
        # On a slow machine one may be over before it is looked at.
        assert seen == sorted(seen) and len(set(seen)) >= 2, seen
        assert registers(PORT)[0x100f4] == 5
    finally:
        knob(SWITCH, 'x-link-fault', '0:0')
        knob('fab0', 'training-us', 0)
        # What still trains begins anew, with the new time.
        sh('ip', 'link', 'set', PORT, 'down')
    both_up()


def test_lost_frames():
    """A frame that the other end has no driver for is lost, and counted."""
    both_up()
    xpu = function('xpu0')
    lost = group(PEER, 'eth-mac')
    write('/sys/bus/pci/drivers/alink_xpu/unbind', xpu)
    try:
        wait_for('carrier', lambda: carrier(PORT))
        with silence(PORT):
            sent = group(PORT, 'eth-mac')
            send(PORT, 4)
            wait_for('frames', lambda: grown(sent, group(PORT, 'eth-mac'),
                                             SENT) == 4)
    finally:
        write('/sys/bus/pci/drivers/alink_xpu/bind', xpu)
    both_up()
    assert grown(lost, group(PEER, 'eth-mac'), LOST) >= 4, lost


def lit(ports):
    """These ports blink, and no other."""
    wait_for(f'light: {ports}', lambda: model(SWITCH, 'lights') == ports)


def test_identify():
    """The light blinks until ethtool ends, also after a reset."""
    both_up()
    lit('none')
    with subprocess.Popen(['ethtool', '-p', OTHER]) as child:
        try:
            lit('1')
            # One at a time, in the whole machine: so the network core wants it.
            fails('ethtool', '-p', PORT, '1', says='busy')
            write(f'/sys/bus/pci/devices/{function(SWITCH)}/reset', '1')
            lit('1')
            sh('ip', 'link', 'set', OTHER, 'down')
            lit('1')
        finally:
            child.terminate()
            child.wait(PATIENCE)
    lit('none')
    sh('ethtool', '-p', PORT, '1')
    lit('none')
    both_up()


def registers(netdev):
    """The dump: words by their offset in BAR0."""
    raw = subprocess.run(['ethtool', '-d', netdev, 'raw', 'on'], check=True,
                         stdout=subprocess.PIPE, timeout=PATIENCE).stdout
    words = list(struct.iter_unpack('=II', raw))
    assert len(dict(words)) == len(words), words
    return dict(words)


def test_register_dump():
    """Of the device and of the link that was asked for; no read does harm."""
    both_up()
    errors = model(SWITCH, 'guest-errors')
    for number, netdev in enumerate((PORT, OTHER)):
        window, block = 0x10000 + number * 0x100, 0x50000 + number * 0x200
        knob(SWITCH, 'x-link-errors', f'{number}:{7 + number}:0:0:0:1')
        words = registers(netdev)
        assert words[0x000] == 0x4b4e4c41, words       # MAGIC
        assert words[0x040] == 1, words                # STATE: ready
        assert words[window + 0x00] == 2, words        # STATE: up
        assert words[window + 0x08] == 400000, words   # SPEED
        downs = Ethnl().downs(netdev)
        assert words[window + 0x30] + (words[window + 0x34] << 32) == downs
        assert words[block + 0xc8] == fec(netdev)['corrected_blocks'][2], words
        others = {o & ~0x1ff if o >= 0x50000 else o & ~0xff
                  for o in words if o >= 0x1000}
        assert others == {window, block}, others
        assert registers(netdev).keys() == words.keys()
    assert model(SWITCH, 'guest-errors') == errors


def self_test(netdev, mode):
    """Verdict of ethtool -t, and results by name: 0, or an errno."""
    out = sh('ethtool', '-t', netdev, mode, check=False)
    found = re.findall(r'^(\S.*?)\s+test\s+\((?:on|off)line\)\s+(\d+)$', out,
                       re.M)
    return (re.search('The test result is (PASS|FAIL)', out).group(1),
            {name: int(result) for name, result in found})


GOOD = {'Register': 0, 'Interrupt': 0, 'Admin queue': 0, 'Loop-back': 0,
        'PRBS': 0}


def test_self_test():
    """It passes; online it leaves the link alone, offline both ends notice."""
    both_up()
    ethnl = Ethnl()
    before = ethnl.downs(PORT)
    assert self_test(PORT, 'online') == ('PASS', GOOD)
    assert ethnl.downs(PORT) == before
    assert self_test(PORT, 'offline') == ('PASS', GOOD)
    assert ethnl.downs(PORT) == before + 1
    both_up()
    assert self_test(PEER, 'offline') == ('PASS', GOOD)
    both_up()


def test_self_test_of_a_dead_link():
    """What is wrong outside is not the port's fault, and is not mended."""
    both_up()
    fault(SIGNAL)
    try:
        assert self_test(PORT, 'offline') == ('PASS', GOOD)
        assert 'Bad signal integrity' in sh('ethtool', PORT)
        assert not carrier(PORT)
    finally:
        fault(0)
    sh('ip', 'link', 'set', OTHER, 'down')
    assert self_test(OTHER, 'offline') == ('PASS', GOOD)
    rows = json.loads(sh('alink', '-j', 'port', 'show', SWITCH))['data']
    assert [r['reason'] for r in rows if r['netdev'] == OTHER] == \
        ['closed by command'], rows
    both_up()


def test_self_test_fails():
    """Each test finds what it is for, and none finds what is another's."""
    both_up()
    ends = (PORT, OTHER, PEER, 'xpu1p0')
    for what, name, code in (('value', 'Register', errno.EIO),
                             ('irq', 'Interrupt', errno.EIO),
                             ('loop', 'Loop-back', errno.EBADMSG),
                             ('prbs', 'PRBS', errno.EIO)):
        mode = 'offline' if what in ('loop', 'prbs') else 'online'
        want = 'FAIL', {**GOOD, name: code}
        knob(SWITCH, 'x-fail-selftest', what)
        try:
            # An interrupt for a frame of somebody's would do as well.
            with silence(*ends):
                got = []
                wait_for(f'{what}: {want}', lambda w=want, m=mode, g=got:
                         g.append(self_test(PORT, m)) or g[-1] == w)
        finally:
            knob(SWITCH, 'x-fail-selftest', 'none')
        both_up()
    assert self_test(PORT, 'offline') == ('PASS', GOOD)
    both_up()


def test_refusals():
    """What a link does not have, or chooses itself, is no bad argument."""
    ethnl = Ethnl()
    for what in LINKMODES_SET, PAUSE_GET, PAUSE_SET:
        try:
            ethnl.request(what, PORT)
        except Refused as err:
            assert err.errno == errno.EOPNOTSUPP, (what, err)
        else:
            assert False, f'request {what} was taken'


if __name__ == '__main__':
    main(*tests_of(globals()))
