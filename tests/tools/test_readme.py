#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""README.md: what it tells people to type exists, and what is cheap is run.

TAP. The commands for VMs are run by tests/vm/test_readme.py, make check runs
this, and make demo is what tests/demo does.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import main, tests_of  # noqa: E402

def commands():
    """Indented lines of README.md, without their comments."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as f:
        lines = [line[4:].rstrip() for line in f if line.startswith('    ')]
    return [re.sub(r'\s+#.*', '', line) for line in lines]


def text():
    """README.md."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as f:
        return f.read()


def test_make_targets():
    """Every make target that it names can be made, as make -n says."""
    found = set()
    for line in commands() + re.findall(r'`(make [^`]*)`', text()):
        if line.startswith('make '):
            found |= {w for w in line.split()[1:] if re.match(r'^[a-z]+$', w)}
    assert {'demo', 'check', 'modules', 'lint', 'bench'} <= found, found
    for target in sorted(found):
        done = subprocess.run(['make', '-n', target], cwd=ROOT, text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, (target, done.stderr)


def test_paths():
    """Every path that it names is there."""
    for name in re.findall(r'`([\w./-]+)`', text()):
        if '/' not in name or name.startswith(('/', '~')):
            continue
        assert os.path.exists(os.path.join(ROOT, name)), name


def test_topologies():
    """Every topology that it names is there."""
    for name in re.findall(r'--topology (\w+)', text()) + \
            ['node8', 'node2', 'xpu2', 'switch2']:
        assert name in text()
        path = os.path.join(ROOT, 'tools/vm/topologies', f'{name}.json')
        assert os.path.exists(path), path


def test_launcher_lines():
    """Every launcher line is taken as it stands, but for the boot."""
    lines = [c for c in commands() if c.startswith('tools/vm/alink-vm')]
    assert len(lines) >= 4, lines
    for line in lines:
        dry = line.replace('alink-vm run', 'alink-vm run --dry-run --no-load',
                           1)
        done = subprocess.run(['bash', '-c', dry], cwd=ROOT, text=True,
                              env=dict(os.environ, ALINK_QEMU='/bin/true'),
                              capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, (line, done.stderr)


def test_dkms_version():
    """The version that dkms install is told is that of dkms.conf."""
    with open(os.path.join(ROOT, 'dkms.conf'), encoding='utf-8') as f:
        conf = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', f.read(), re.M))
    want = f"{conf['PACKAGE_NAME']}/{conf['PACKAGE_VERSION']}"
    assert f'dkms install {want}' in commands(), want


if __name__ == '__main__':
    main(*tests_of(globals()))
