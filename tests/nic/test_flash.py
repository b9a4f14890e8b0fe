#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Firmware of the NIC: devlink info, flash and reload. KTAP."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
import flashlib  # noqa: E402
import niclib  # noqa: E402
from guestlib import knob, main, wait_for  # noqa: E402

DEVICE = flashlib.Device('nic', 'nic1', 'alink_nic')


def test_queues_restart_meanwhile():
    """A queue that breaks during a flash does not wait for its end."""
    with niclib.connected() as (a, b):
        before = b.stats()['restarts']
        with DEVICE.slow(2 << 20) as flashing:
            knob('nic1', 'x-record-lie', 'tx-head:1')
            b.sh('ping', '-q', '-c', '1', '-W', '1', a.addr, check=False)
            wait_for('a restart', lambda: b.stats()['restarts'] > before)
            assert flashing.child.poll() is None, flashing.said
        b.ping_works(a)
        assert flashing.end() == 0, flashing.said
    DEVICE.works()


main(*DEVICE.tests(), test_queues_restart_meanwhile)
