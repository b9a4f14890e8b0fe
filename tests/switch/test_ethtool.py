#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What ethtool shows of the ports of a switch, and what it does to them. KTAP.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from ethnl import Ethnl  # noqa: E402
from guestlib import knob, main, sh, wait_for, write  # noqa: E402
from switchlib import carrier, function, works  # noqa: E402
from taplib import tests_of  # noqa: E402

# A port, the end of an xPU that it leads to, and another port
SWITCH, PORT, PEER, OTHER = 'sw0', 'sw0p0', 'xpu0p0', 'sw0p1'
ADMIN, SIGNAL, POWER = 1, 9, 22     # enum alink_down_reason


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


if __name__ == '__main__':
    main(*tests_of(globals()))
