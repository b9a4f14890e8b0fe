#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alinkfmd without a device: configurations, and what it is installed with.
ALINK names alink, beside which it is. TAP."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable=wrong-import-position
from taplib import main, tests_of  # noqa: E402

FMD = os.path.join(os.path.dirname(os.environ.get('ALINK', '')), 'alinkfmd')
SOURCE = os.path.join(ROOT, 'tools', 'alinkfmd')
# Setting: what is said of it, with the line where it is
WRONG = {
    'a = 1;': '1: a: no such setting',
    'partitions = 1;': '1: partitions: a list is wanted',
    'partitions = ( 1 );': '1: partitions: { id = 1;',
    'partitions = ( { id = 1; } );': '1: xpus is missing',
    'partitions = ( { xpus = [ 1 ]; } );': '1: id is missing',
    'partitions = ( { id = 1024; xpus = [ 1 ]; } );':
        '1: id: a number from 1 to 1023',
    'partitions = ( { id = "x"; xpus = [ 1 ]; } );': '1: id: a number',
    'partitions = ( { id = 1; xpus = 1; } );': '1: xpus: a list of xPUs',
    'partitions = ( { id = 1; xpus = [ 1024 ]; } );':
        '1: entry: a number from 0 to 1023',
    'partitions = ( { id = 1; xpus = [ -1 ]; } );': '1: entry: a number',
    'partitions = ( { id = 1; xpus = [ 1, 1 ]; } );':
        '1: xpus: xPU 1 is there already, in partition 1',
    'partitions = ( { id = 1; xpus = [ 1 ]; },\n{ id = 2; xpus = [ 1 ]; } );':
        '2: xpus: xPU 1 is there already, in partition 1',
    'partitions = ( { id = 1; xpus = [ 1 ]; },\n{ id = 1; xpus = [ 2 ]; } );':
        '2: partition 1 is there already',
    'partitions = ( { id = 1; xpus = [ 1 ]; spares = [ 1 ]; } );':
        '1: spares: xPU 1 is there already',
    'partitions = ( { id = 1; xpus = [ 1 ]; name = 7; } );':
        '1: name: a text in quotes',
    'partitions = ( { id = 1; xpus = [ 1 ]; min_links = 0; } );':
        '1: min_links: a number from 1 to 1024',
    'groups = 1;': '1: groups: a list is wanted',
    'groups = ( 1 );': '1: groups: { id = 1;',
    'groups = ( { key = "1"; xpus = [ 1 ]; } );': '1: id is missing',
    'groups = ( { id = 1; xpus = [ 1 ]; } );': '1: key is missing',
    'groups = ( { id = 1; key = "1"; } );': '1: xpus is missing',
    'groups = ( { id = 256; key = "1"; xpus = [ 1 ]; } );':
        '1: id: a number from 0 to 255',
    'groups = ( { id = 1; key = 1; xpus = [ 1 ]; } );':
        '1: key: 1 to 16 hexadecimal digits',
    'groups = ( { id = 1; key = "0"; xpus = [ 1 ]; } );':
        '1: key: 1 to 16 hexadecimal digits',
    'groups = ( { id = 1; key = "0x1"; xpus = [ 1 ]; } );':
        '1: key: 1 to 16 hexadecimal digits',
    'groups = ( { id = 1; key = "11111111111111111"; xpus = [ 1 ]; } );':
        '1: key: 1 to 16 hexadecimal digits',
    'groups = ( { id = 1; key = "1"; xpus = 1; } );': '1: xpus: a list of xPUs',
    'groups = ( { id = 1; key = "1"; xpus = [ ]; } );':
        '1: xpus: a group has one xPU at least',
    'groups = ( { id = 1; key = "1"; xpus = [ 1, 1 ]; } );':
        '1: xpus: xPU 1 is there already',
    'groups = ( { id = 1; key = "1"; xpus = [ 1024 ]; } );':
        '1: entry: a number from 0 to 1023',
    'groups = ( { id = 1; key = "1"; xpus = [ 1 ]; name = "x"; } );':
        '1: name: no such setting',
    'groups = ( { id = 1; key = "1"; xpus = [ 1 ]; },\n'
    '{ id = 1; key = "2"; xpus = [ 2 ]; } );': '2: group 1 is there already',
    'partitions = ( { id = 1; xpus = [ 1 ]; } );\n'
    'groups = ( { id = 1; key = "1"; xpus = [ 1, 2 ]; } );':
        '2: xpus: xPU 2 is in no partition',
    'partitions = ( { id = 1; xpus = [ 1 ]; }, { id = 2; xpus = [ 2 ]; } );\n'
    'groups = ( { id = 1; key = "1"; xpus = [ 1, 2 ]; } );':
        '2: xpus: xPU 2 is in partition 2, and others in 1',
    'wiring = ( { xpu = 0; link = 0; plane = 0; } );': '1: port is missing',
    'wiring = ( { xpu = 0; link = 64; plane = 0; port = 0; } );':
        '1: link: a number from 0 to 63',
    'wiring = ( { xpu = 0; link = 0; plane = 0; port = 0; },\n'
    '{ xpu = 0; link = 0; plane = 0; port = 1; } );':
        '2: xPU 0, link 0 has a cable already',
    'wiring = ( { xpu = 0; link = 0; plane = 0; port = 0; },\n'
    '{ xpu = 1; link = 0; plane = 0; port = 0; } );':
        '2: plane 0, port 0 has a cable already',
    'policy = 1;': '1: policy: { xpu = "spare"; }',
    'policy = { xpu = 1; };': '1: xpu: "report", "disable-xpu"',
    'policy = { xpu = "nothing"; };': '1: xpu: "report", "disable-xpu"',
    'policy = { plane = "spare"; };': '1: plane: a plane is no xPU',
    'policy = { link = "report"; };': '1: link: no such setting',
    'heartbeat_ms = 99;': '1: heartbeat_ms: a number from 100 to 30000',
    'heartbeat_ms = 30001;': '1: heartbeat_ms: a number',
    'hold_ms = -1;': '1: hold_ms: a number from 0',
    'group = 5;': '1: group: a text in quotes',
    'x = {': '2: syntax error',
}


def check(text):
    """What --check-config says of it: status, standard error."""
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as f:
        f.write(text + '\n')
        f.flush()
        done = subprocess.run([FMD, '--check-config', '--config', f.name],
                              capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stderr.replace(f'{f.name}:', '')


def test_wrong_lines_are_named():
    """Each mistake, with its line; nothing else is complained about."""
    for text, says in WRONG.items():
        code, err = check(text)
        assert code == 6 and err.startswith(says) and \
            err.count('\n') == 1, (text, code, err)


def test_all_mistakes_at_once():
    """Not only the first"""
    code, err = check('hold_ms = "x";\nsocket = 1;\npolicy = { xpu = 1; };')
    assert code == 6 and [line.split(':')[0] for line in err.splitlines()] == \
        ['3', '1', '2'], err


def test_good_ones():
    """The one that is installed, all of its examples too, and an empty one."""
    with open(os.path.join(SOURCE, 'fabric.conf'), encoding='utf-8') as f:
        text = f.read()
    assert check(text) == (0, '') and check('') == (0, '')
    examples = '\n'.join(
        line.removeprefix('//') for line in text.splitlines()
        if re.match(r'//\s*(\w+ = |\t|\);)', line))
    assert all(name in examples for name in ('partitions', 'groups', 'wiring')), \
        examples
    assert check(examples) == (0, ''), (examples, check(examples))


def test_options():
    """Usage and version"""
    for args, code in ((['--help'], 0), (['--version'], 0), (['x'], 2),
                       (['--nothing'], 2), (['--config', '/nowhere'], 6)):
        done = subprocess.run([FMD, *args], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == code, (args, done)


def test_unit():
    """systemd takes the unit, once the program is there."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'alinkfmd.service')
        with open(os.path.join(SOURCE, 'alinkfmd.service'),
                  encoding='utf-8') as f:
            text = f.read().replace('/usr/local/sbin/alinkfmd', FMD)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        done = subprocess.run(['systemd-analyze', 'verify', '--man=no', path],
                              capture_output=True, text=True, timeout=120,
                              check=False)
        said = [line for line in done.stderr.splitlines()
                if 'alinkfmd' in line]
        assert not said and not done.returncode, done


def test_unit_is_hardened():
    """By systemd's own measure, from 0 (best) to 100: no line of it is lost."""
    done = subprocess.run(
        ['systemd-analyze', 'security', '--offline=true', '--threshold=16',
         '--no-pager', os.path.join(SOURCE, 'alinkfmd.service')],
        capture_output=True, text=True, timeout=120, check=False)
    assert not done.returncode and 'alinkfmd.service' in done.stdout, done


if __name__ == '__main__':
    main(*tests_of(globals()))
