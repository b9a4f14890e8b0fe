# SPDX-License-Identifier: GPL-2.0-only
"""Runs tests that are functions, on the host or in the guest, and prints KTAP;
and which tests may be skipped."""
import os
import sys
import time
import traceback

ALLOW = os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'skips.allow')


class Skip(Exception):
    """Raised by a test that cannot run here; says why."""


def skips_allowed():
    """Names of tests, one a line of tests/skips.allow, whose skip is accepted
    where all others are failures."""
    with open(ALLOW, encoding='utf-8') as f:
        return {line.strip() for line in f
                if line.strip() and not line.startswith('#')}


def tests_of(names):
    """The functions test_* of a module, from its globals(), in their order."""
    return [f for n, f in names.items() if n.startswith('test_')]


def main(*tests):
    """Runs the tests of a program in their order, or those that its command line
    names, and ends it."""
    if len(sys.argv) > 1:
        tests = [t for t in tests if t.__name__ in sys.argv[1:]]
    failed = 0
    print(f'1..{len(tests)}', flush=True)
    for number, test in enumerate(tests, 1):
        start = time.monotonic()
        try:
            test()
            verdict, tail = 'ok', ''
        except Skip as why:
            verdict, tail = 'ok', f' # SKIP {why}'
        except Exception:  # pylint: disable=broad-except
            failed += 1
            verdict, tail = 'not ok', ''
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
        print(f'# {time.monotonic() - start:.1f} s')
        print(f'{verdict} {number} - {test.__name__}{tail}', flush=True)
    sys.exit(1 if failed or not tests else 0)
