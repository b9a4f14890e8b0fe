#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink list against recorded sysfs trees; ALINK names the program. TAP."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import main, tests_of  # noqa: E402

ALINK = os.environ.get('ALINK', 'alink')
XPU = {'type': 'xpu', 'index': '0', 'variant': '0x0001', 'num_links': '8',
       'generation': '1', 'fabric_id': '3', 'serial': '0x00000000000abc03',
       'caps': '0x000000000000000b', 'fw_version': '1.2.3', 'state': 'ready',
       'guest_errors': '0'}
SWITCH = dict(XPU, type='switch', index='1', num_links='64', fabric_id='none',
              serial='0xffffffffffffffff')


class Tree:
    """A recorded /sys with devices in it."""

    def __init__(self, devices):
        self.dir = tempfile.TemporaryDirectory()
        self.base = os.path.join(self.dir.name, 'sys/class/alink')
        os.makedirs(self.base)
        for name, attrs in devices.items():
            os.mkdir(os.path.join(self.base, name))
            os.symlink('../../../devices/pci0000:00/0000:01:00.0',
                       os.path.join(self.base, name, 'device'))
            for attr, value in attrs.items():
                with open(os.path.join(self.base, name, attr), 'w',
                          encoding='utf-8') as f:
                    f.write(value + '\n' if value else '')

    def alink(self, *args):
        """Exit code, standard output, standard error."""
        done = subprocess.run([ALINK, '--root', self.dir.name, *args],
                              capture_output=True, text=True, timeout=20,
                              check=False)
        return done.returncode, done.stdout, done.stderr


def test_text():
    """A row a device, numbers in natural order, types together."""
    tree = Tree({'xpu10': XPU, 'xpu2': XPU, 'sw0': SWITCH})
    code, out, err = tree.alink('list')
    names = [line.split()[0] for line in out.splitlines()]
    assert (code, err) == (0, ''), (code, err)
    assert names == ['NAME', 'xpu2', 'xpu10', 'sw0'], names
    assert '0000:01:00.0' in out and '1.2.3' in out


def test_json():
    """One object with schema and version; serials whole; null for none."""
    tree = Tree({'xpu0': XPU, 'sw0': SWITCH})
    code, out, err = tree.alink('-j', 'list')
    doc = json.loads(out)
    assert (code, err) == (0, '')
    assert doc['schema'] == 'alink.list' and doc['version'] == 1
    xpu, switch = doc['data']
    assert xpu['fabric_id'] == 3 and xpu['plane'] is None
    assert switch['fabric_id'] is None and switch['plane'] is None
    assert switch['serial'] == 'f' * 16
    code, out, _ = tree.alink('-j', '-p', 'list', 'switch')
    assert code == 0 and len(json.loads(out)['data']) == 1
    assert out.count('\n') > 5


def test_empty():
    """No device: exit 6 and a next step; in JSON an empty list."""
    tree = Tree({})
    code, out, err = tree.alink('list')
    assert (code, out) == (6, '') and 'driver bound' in err
    code, out, err = tree.alink('-j', 'list')
    assert code == 0 and json.loads(out)['data'] == []


def test_no_driver():
    """No class directory: exit 9, also as JSON."""
    with tempfile.TemporaryDirectory() as root:
        done = subprocess.run([ALINK, '-j', '--root', root, 'list'],
                              capture_output=True, text=True, check=False)
    doc = json.loads(done.stdout)
    assert done.returncode == 9 and done.stderr == ''
    assert doc['schema'] == 'alink.error'
    assert doc['error']['exit_code'] == 9
    assert 'modprobe alink' in doc['error']['message']


def test_bad_values():
    """A value that is no number is refused and named, nothing is listed."""
    for attr, value in (('index', '-1'), ('index', '4294967296'),
                        ('serial', '0x1g'), ('caps', ''), ('type', 'toaster'),
                        ('num_links', ' 8'), ('fabric_id', 'non')):
        tree = Tree({'xpu0': dict(XPU, **{attr: value})})
        code, out, err = tree.alink('list')
        assert (code, out) == (1, ''), (attr, code, out)
        assert attr in err, (attr, err)


def test_batch():
    """Lines of a file: comments, the first failure is named and ends it."""
    tree = Tree({'xpu0': XPU})
    path = os.path.join(tree.dir.name, 'batch')
    for lines, want, rows, says in (
            ('', 0, 0, ''), ('# nothing\n\n  \t\n', 0, 0, ''),
            ('list\nlist xpu # all\n', 0, 2, ''),
            ('list\nlist toaster\nlist\n', 2, 1, f'{path}:2: '),
            ('list' + ' x' * 20, 2, 0, f'{path}:1: more than 16 words'),
            ('nothing', 2, 0, f'{path}:1: no such object: nothing')):
        with open(path, 'w', encoding='utf-8') as f:
            f.write(lines)
        code, out, err = tree.alink('-b', path)
        assert (code, out.count('xpu0')) == (want, rows), (lines, code, out)
        assert says in err and bool(says) == bool(err), (lines, err)
    code, out, err = tree.alink('-b', path + '.not')
    assert (code, out) == (2, '') and 'No such file' in err, (code, err)
    code, out, err = tree.alink('-b', tree.dir.name)
    assert (code, out) == (1, '') and 'cannot be read' in err, (code, err)
    code, out, err = tree.alink('-b', path, 'list')
    assert (code, out) == (2, '') and err, (code, out)


def test_usage():
    """Mistakes on the command line: exit 2, nothing on standard output."""
    tree = Tree({'xpu0': XPU})
    for args in (['list', 'toaster'], ['list', 'xpu', 'more'], ['nothing'],
                 ['--no-such'], [], ['--root']):
        code, out, err = tree.alink(*args)
        assert (code, out) == (2, '') and err, (args, code, out)
    code, _, err = tree.alink('--root', 'x' * 300, 'list')
    assert code == 1 and 'root directory' in err


if __name__ == '__main__':
    main(*tests_of(globals()))
