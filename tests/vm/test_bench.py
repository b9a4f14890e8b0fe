#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""make bench in both of its machines, with the host's part. What it does in the
guest is tested by tests/bench. TAP."""
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import main, tests_of  # noqa: E402

RUN = os.path.join(ROOT, 'tools', 'bench', 'run')


def run(*args):
    """A run of tools/bench/run."""
    return subprocess.run([RUN, *args], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=600,
                          check=False)


def test_wrong_options():
    """Nothing boots for them."""
    done = run('--only=speed')
    assert done.returncode == 2 and not done.stdout, done
    assert '"speed"' in done.stderr, done


def test_two_boots():
    """What each of them is for is measured, and is in one document."""
    done = run('-j', '--quick', '--only=gemm,probe32')
    assert done.returncode == 0, done
    doc = json.loads(done.stdout)
    assert (doc['schema'], doc['version']) == ('alink.bench', 2), doc
    rows = [r for boot in doc['data'] for r in boot['rows']]
    assert len(doc['data']) == 2 and len(rows) == 3, doc
    assert [r['measure'] for r in rows] == ['gemm', 'probe32', 'probe32'], doc
    for row in rows:
        assert row['reason'] is None and row['ratio'] > 0, row


if __name__ == '__main__':
    main(*tests_of(globals()))
