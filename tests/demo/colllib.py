# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of collectives by alink-bench on 8 xPUs share."""
import json
import subprocess

PLANES = 8
# Documentation/hw: ns a byte takes on all links of an xPU, with the headers of its
# packets; and what a packet without payload for each of them takes there
WIRE_NS = 8000 * (1 + 16 / 256) / (PLANES * 400000)
CONTROL_NS = 8000 * 16 / 256 / (PLANES * 400000)
QUICK = ('--iters', '1')
# How often a time is taken until it is one of links that nobody else used
TRIES = 5


def bench(*args, status=0, says=''):
    """Runs it: what it prints."""
    done = subprocess.run(['alink-bench', *args], capture_output=True, text=True,
                          timeout=240, check=False)
    assert done.returncode == status, (args, done.returncode, done.stdout,
                                       done.stderr)
    assert says in done.stderr, (args, done.stderr)
    return done.stdout


def rows(*args):
    """Lines, as JSON; each was looked at, and nothing was wrong."""
    data = json.loads(bench(*args, *QUICK, '-j'))['data']
    assert data['wrong'] == 0 and data['rows'], data
    for row in data['rows']:
        assert row['wrong'] == 0 or row['collective'] == 'barrier' or \
            '--no-check' in args, row
    return data['rows']


def key_of(row):
    """What a row is of: collective, size, algorithm"""
    return row['collective'], row['size_bytes'], row['algorithm']


def least(found, got):
    """The modelled times {key_of(row): ns} with those of the rows GOT, where these
    are less. What waits for a link that another rank's step still keeps
    busy counts that, and when a step begins is up to the host: no time is below
    that of an idle link."""
    for row in got:
        took = row['modelled_ns']
        if took is not None:
            found[key_of(row)] = min(took, found.get(key_of(row), took))
    return found
