#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink plan: domains by chip, without a device; ALINK names the program. TAP."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'lib'))

# pylint: disable=wrong-import-position
from taplib import main, tests_of  # noqa: E402

ALINK = os.environ.get('ALINK', 'alink')
# What is said of the chips of UPN512: Tb/s, lanes, xPUs
PUBLISHED = [(25.6, 112, 256), (51.2, 112, 320), (51.2, 112, 256),
             (51.2, 224, 256), (51.2, 112, 512), (102.4, 112, 512),
             (102.4, 224, 512), (204.8, 224, 1024), (1024.0, 224, 2560)]


def plan(*args):
    """Exit code, standard output, standard error."""
    done = subprocess.run([ALINK, *args], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


def rows(*args):
    """The chips, as JSON."""
    code, out, err = plan('-j', 'plan', *args)
    doc = json.loads(out)
    assert (code, err) == (0, '') and doc['schema'] == 'alink.plan', (out, err)
    return doc['data']


def test_published_chips():
    """Each is there, with the domain that it is said to make; and that there
    is no device of one says why."""
    found = {(r['chip_gbps'] / 1000, r['lane_g'], r['xpus']) for r in rows()}
    assert not set(PUBLISHED) - found, found
    for r in rows():
        assert (r['variant'] is None) == (r['xpus'] > 1024), r
        assert bool(r['reason']) == (r['variant'] is None), r
        assert (r['planes'], r['xpu_gbps']) == \
            (6400 // r['port_gbps'], 6400), r


def test_bandwidth():
    """As many planes as it takes, and no chip gives more than it has."""
    for gbps in 1, 100, 3200, 6400, 6401:
        for r in rows('gbps', str(gbps)):
            if r['planes'] is None:
                assert '65 planes' in r['reason'], r
                continue
            assert r['xpu_gbps'] == r['planes'] * r['port_gbps'] >= gbps, r
            assert (r['planes'] - 1) * r['port_gbps'] < gbps, r
            assert r['ports'] * r['port_gbps'] <= r['chip_gbps'], r
            assert r['port_lanes'] * (r['lane_g'] // 112) * 100 == \
                r['port_gbps'], r
    assert any(r['planes'] is None for r in rows('gbps', '6401'))


def test_size():
    """Only chips with enough ports; none is an error that says so."""
    assert {r['xpus'] for r in rows('xpus', '300')} == {320, 512, 1024, 2560}
    code, out, err = plan('plan', 'xpus', '2561')
    assert (code, out) == (1, '') and '2560 ports' in err, (code, out, err)
    for xpus, lines in ('1024', 3), ('1025', 2), ('2560', 2):
        code, out, err = plan('plan', 'xpus', xpus)
        assert code == 0 and len(out.splitlines()) == lines, (out, err)
    assert 'no such device' in out, out


def test_wrong_arguments():
    """Named, and exit code 2"""
    for args, text in ((['xpus'], 'xpus'), (['gbps', '0'], 'gbps'),
                       (['xpus', '-1'], '-1'), (['planes', '8'], 'planes')):
        code, out, err = plan('plan', *args)
        assert (code, out) == (2, '') and text in err, (args, code, out, err)


if __name__ == '__main__':
    main(*tests_of(globals()))
