#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/admin-guide/selftests.rst speaks of each program of the kernel
tree's tests of network drivers, and of no other; what it says runs is run. TAP."""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable=wrong-import-position
from taplib import main, tests_of  # noqa: E402

PAGE = os.path.join(ROOT, 'Documentation', 'admin-guide', 'selftests.rst')
TEST = os.path.join(ROOT, 'tests', 'selftests', 'test_kernel_net.py')


def rows():
    """{program: what the page says of it}"""
    with open(PAGE, encoding='utf-8') as f:
        found = re.findall(r'^   \* - ``(\S+)``\n     - (.*?)(?=\n   \* -|\n\n)',
                           f.read(), re.M | re.S)
    return {name: ' '.join(what.split()) for name, what in found}


def code():
    """The test in the guest"""
    with open(TEST, encoding='utf-8') as f:
        return f.read()


def test_each_program_has_a_row():
    """None is overlooked, and none made up."""
    done = subprocess.run([os.path.join(ROOT, 'tools/setup/kernel-scripts')],
                          stdout=subprocess.PIPE, text=True, check=True)
    tree = os.path.join(done.stdout.split()[-1], 'tools/testing/selftests')
    there = {os.path.relpath(path, tree) for where in ('', 'hw/')
             for path in glob.glob(f'{tree}/drivers/net/{where}*.*')
             if path.endswith(('.py', '.sh'))}
    assert there, tree
    assert set(rows()) == there, set(rows()) ^ there


def test_what_runs_is_run():
    """A row that says "Runs" names tests that there are, in which the program is;
    the others give a reason."""
    text = code()
    for name, what in rows().items():
        if not what.startswith('Runs'):
            assert re.match(r'(Does not apply|Not run|No program)[:,] \w', what), \
                name
            assert name not in text, name
            continue
        tests = re.findall(r'``(test_\w+)``', what.partition('.')[0])
        assert tests, name
        for test in tests:
            body = re.search(rf'^def {test}\(\):\n(.*?)(?=\n\n\n)', text,
                             re.M | re.S)
            assert body and name in body[1], (name, test)


if __name__ == '__main__':
    main(*tests_of(globals()))
