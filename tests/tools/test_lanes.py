#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The lanes of tests/trust: what they take for a finding. TAP."""
import contextlib
import io
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, 'tests', n) for n in ('lib', 'trust')]

# pylint: disable=wrong-import-position
import lanelib  # noqa: E402
from taplib import main, tests_of  # noqa: E402


def lane(output, **kwargs):
    """A lane that has taken over OUTPUT, and what that returned."""
    sys.argv = ['lane_test']
    with contextlib.redirect_stdout(io.StringIO()):
        out = lanelib.Lane('', **kwargs)
        return out, out.guest_results(output)


def test_results():
    """Good and bad ones are told apart, and none at all is bad."""
    one, good = lane('ok 1 - a\nok 2 - b # done\nfigure n 3\n')
    assert good and not one.findings and one.number == 2
    assert one.figures == {'n': 3}
    one, good = lane('ok 1 - a\nnot ok 2 - b # why\nok 3 - c\n')
    assert not good and one.findings == ['b: why']
    assert not lane('# nothing\n')[1]


def test_skips():
    """A skip is a finding, unless the lane or the tree says why."""
    output = 'ok 1 - one two # SKIP no such thing\nok 2 - three\n'
    one, good = lane(output)
    assert not good and one.findings == ['one two: was skipped: no such thing']
    one, good = lane(output, skips={'one two': 'it is not built'})
    assert good and not one.findings
    assert one.figures == {'skipped_with_reason': 1}
    one, good = lane(output, skips={'three': 'another'})
    assert not good and len(one.findings) == 1
    one, good = lane('not ok 1 - one # SKIP\n', skips={'one': 'why'})
    assert not good


main(*tests_of(globals()))
