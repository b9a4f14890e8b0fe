#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The fabric manager in the largest fabric that there is, with 512 endpoints. KTAP.
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'fm'))

# pylint: disable=wrong-import-position
from fmlib import (BEAT_MS, Manager, configure, data, log,  # noqa: E402
                   manager, partitions, stages)
from guestlib import PATIENCE, wait_for, write  # noqa: E402
from taplib import main, tests_of  # noqa: E402

ENDPOINTS = 512


def missing(what):
    """How many of those the manager has written, as its log has it"""
    return sum(int(n) for n in re.findall(
        rf'sw0: \d+ {what} written: (\d+) missing', log()))


def test_killed_half_way():
    """Routes and partitions are written in part: the next manager writes the
    rest, beats all the while, and is done."""
    configure()
    m = Manager(whole=False)
    wait_for('routes', lambda: data('route', 'show'), PATIENCE)
    m.kill()
    routes, places = len(data('route', 'show')), len(partitions())
    m = Manager(anew=False, whole=False)

    def over():
        found = manager()
        assert not found['silent'] and found['age_ms'] < BEAT_MS, found
        return found['stage'] == 'completed'

    wait_for('the fabric', over, PATIENCE)
    assert set(stages().values()) == {('completed', None, 1)}
    assert len(stages()) == len(data('route', 'show')) == ENDPOINTS
    assert partitions() == {n: 1 for n in range(ENDPOINTS)}
    assert missing('routes') == ENDPOINTS - routes, (routes, log())
    assert missing('places in partitions') == ENDPOINTS - places, \
        (places, log())
    m.kill()


def test_started_anew():
    """All is there, and nothing is written; a reset is mended."""
    with Manager(anew=False) as m:
        assert 'written' not in log(), log()
        write(os.path.realpath('/sys/class/alink/sw0/device') + '/reset', '1')
        wait_for('the routes', lambda: missing('routes') == ENDPOINTS, PATIENCE)
        m.wait()
        assert len(data('route', 'show')) == ENDPOINTS
    # As it was for who comes next
    configure('partitions = ( { id = 1; xpus = [ ]; } );')
    with Manager(whole=False):
        wait_for('nobody', lambda: not partitions(), PATIENCE)
    write(os.path.realpath('/sys/class/alink/sw0/device') + '/reset', '1')
    wait_for('no routes', lambda: not data('route', 'show'), PATIENCE)


if __name__ == '__main__':
    main(*tests_of(globals()))
