#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Topologies: a wrong file is one line that names file and key; node8 is what
its description says, in QEMU's arguments and in the guest. TAP."""
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import main, tests_of  # noqa: E402

VM = os.path.join(ROOT, 'tools', 'vm', 'alink-vm')

# Text of a file, and what its error must name besides the file.
BAD = (
    ('', 'line 1'),
    ('{"switches": [', 'line 1'),
    ('\udcff', 'utf-8'),
    ('[' * 100000, 'recursion'),
    ('[]', 'an object'),
    ('{"cpu": 1}', 'unknown key cpu'),
    ('{"cpus": 0}', 'cpus: 1..64'),
    ('{"cpus": true}', 'cpus: a number'),
    ('{"cpus": "2"}', 'cpus: a number'),
    ('{"cpus": null}', 'cpus'),
    ('{"sleeps": 1}', 'sleeps: true or false'),
    ('{"sleeps": "yes"}', 'sleeps: true or false'),
    ('{"memory_mib": 1}', 'memory_mib: 256..65536'),
    ('{"switches": {}}', 'switches: an array'),
    ('{"switches": [1]}', 'switches[0]: an object'),
    ('{"switches": [{}]}', 'switches[0]: plane is missing'),
    ('{"switches": [{"plane": 64}]}', 'switches[0].plane: 0..63'),
    ('{"switches": [{"plane": -1}]}', 'switches[0].plane'),
    ('{"switches": [{"plane": "3-1"}]}', 'switches[0].plane'),
    ('{"switches": [{"plane": "0-"}]}', 'switches[0].plane'),
    ('{"switches": [{"plane": 1.5}]}', 'switches[0].plane'),
    ('{"switches": [{"plane": "0-3"}, {"plane": 2}]}', 'plane 2 is used twice'),
    ('{"switches": [{"plane": 0, "variant": "a,b=c"}]}',
     'switches[0].variant: no comma'),
    ('{"gpu_nodes": [{"xpu": []}]}', 'gpu_nodes[0]: unknown key xpu'),
    ('{"gpu_nodes": [{"xpus": [{}]}]}',
     'gpu_nodes[0].xpus[0]: fabric_id is missing'),
    ('{"gpu_nodes": [{"xpus": [{"fabric_id": 1024}]}]}',
     'gpu_nodes[0].xpus[0].fabric_id: 0..1023'),
    ('{"gpu_nodes": [{"xpus": [{"fabric_id": "0-32"}]}]}',
     'gpu_nodes[0]: a PCIe switch has 32 ports'),
    ('{"gpu_nodes": [{"xpus": [{"fabric_id": 1}]},'
     ' {"xpus": [{"fabric_id": 1}]}]}', 'fabric_id 1 is used twice'),
    ('{"gpu_nodes": [{"xpus": [{"fabric_id": 1, "hbm_mib": -1}]}]}',
     'gpu_nodes[0].xpus[0].hbm_mib'),
    ('{"nics": [{"net": "tap"}]}', 'nics: net: hub or user'),
    ('{"nics": [{"rate": 1}]}', 'nics[0].rate: 400..800'),
    ('{"optics": [{"modules": [{"links": ""}]}]}',
     'optics[0].modules[0]: cage is missing'),
    ('{"optics": [{"modules": [{"cage": 0, "links": "disk:0:0"}]}]}',
     'optics[0].modules[0].links'),
    ('{"optics": [{"modules": [{"cage": "0-1", "links": "xpu:0:0-2"}]}]}',
     'optics[0].modules[0].links: 3 links'),
    ('{"optics": [{"modules": [{"cage": 1}, {"cage": 1}]}]}',
     'cage 1 is used twice'),
    ('{"headless": [{}]}', 'headless[0]: endpoints is missing'),
    ('{"headless": [{"endpoints": "0-1024"}]}',
     'headless[0].endpoints: 0..1023'),
    ('{"headless": [{"endpoints": 0, "links": 65}]}',
     'headless[0].links: 1..64'),
    ('{"headless": [{"endpoints": "0-3"}, {"endpoints": 2}]}',
     'fabric_id 2 is used twice'),
    ('{"peers": [{}]}', 'peers[0]: type is missing'),
    ('{"peers": [{"type": "nvme"}, {"type": "floppy"}]}',
     'peers[1].type: one of nvme, virtio-blk, ivshmem'),
    ('{"peers": [{"type": "nvme", "number": 0}]}', 'peers[0].number: 1..64'),
)


def run(*args, **env):
    """A run of alink-vm without a terminal."""
    return subprocess.run([VM, 'run', *args], stdin=subprocess.DEVNULL,
                          env=dict(os.environ, **env), capture_output=True,
                          text=True, timeout=150, check=False)


def test_bad_files():
    """Each wrong file: status 125, one line, file and key in it."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, 'bad.json')
        for text, want in BAD:
            with open(path, 'w', encoding='utf-8',
                      errors='surrogateescape') as f:
                f.write(text)
            done = run('--topology', path, '--no-load', '--dry-run',
                       ALINK_QEMU='/bin/true')
            seen = (text[:80], done.returncode, done.stderr)
            assert done.returncode == 125 and not done.stdout, seen
            assert done.stderr.count('\n') == 1, seen
            assert path in done.stderr and want in done.stderr, (seen, want)
        for path, want in ((d + '/none.json', 'No such file'),
                           (d + '/', 'directory')):
            done = run('--topology', path, '--dry-run')
            assert done.returncode == 125 and want in done.stderr, done
            assert path in done.stderr and done.stderr.count('\n') == 1, done


def test_own_file():
    """A topology in a file of the user's, with ranges."""
    with tempfile.NamedTemporaryFile('w', suffix='.json') as f:
        json.dump({'switches': [{'plane': '1-2'}],
                   'gpu_nodes': [{'xpus': [{'fabric_id': 5}]}]}, f)
        f.flush()
        done = run('--topology', f.name, '--no-load', '--dry-run',
                   ALINK_QEMU='/bin/true')
    assert done.returncode == 0, done
    for device in ('alink-switch,id=sw1,', 'alink-switch,id=sw2,',
                   'alink-xpu,id=xpu5,bus=dn-xpu5'):
        assert device in done.stdout, (device, done.stdout)


def test_sleeps():
    """Files and ports of a machine that sleeps survive that, each behind a port
    of its own; those of others are where they were."""
    seen = {}
    for sleeps in True, False:
        with tempfile.NamedTemporaryFile('w', suffix='.json') as f:
            json.dump({'sleeps': sleeps,
                       'switches': [{'plane': '0-3'}]}, f)
            f.flush()
            done = run('--topology', f.name, '--no-load', '--dry-run',
                       ALINK_QEMU='/bin/true')
        assert done.returncode == 0, done
        seen[sleeps] = re.findall(r'\bvirtio-(?:9p|serial)-pci,\S+', done.stdout)
        ports = re.findall(r'\bpcie-root-port,id=(\S+?),.*?chassis=(\d+),'
                           r'addr=(\S+?),', done.stdout)
        for column in zip(*ports):
            assert len(set(column)) == len(column), ports
    assert len(seen[True]) == len(seen[False]) > 2, seen
    for number, device in enumerate(seen[True]):
        assert f',bus=rp-vm{number},' in device, device
        assert device.endswith(',x-pcie-pm-no-soft-reset=on'), device
    assert not any('bus=' in device for device in seen[False]), seen


def test_peers():
    """Devices of QEMU's own, each with a name of its own."""
    done = run('--topology', 'bench8', '--no-load', '--dry-run',
               ALINK_QEMU='/bin/true')
    assert done.returncode == 0, done
    for i in range(8):
        assert f'nvme,id=peer{i},bus=rp-peer{i},drive=peer{i}-disk,' \
            f'serial=alink-bench-{i}' in done.stdout, (i, done.stdout)
    for text in ('virtio-blk-pci,id=peer8,bus=rp-peer8,',
                 'ivshmem-plain,id=peer9,bus=pcie.0,memdev=peer9-mem'):
        assert text in done.stdout, (text, done.stdout)


def test_options():
    """Options reach QEMU's line; wrong ones do not pass."""
    done = run('--topology', 'switch2', '--no-load', '--dry-run', '--accel',
               'tcg', '--qemu=-name', '--qemu', 'x y', '--append', 'loglevel=7',
               '--smp', '1', '--qmp', '/nowhere/q', ALINK_QEMU='/bin/true')
    assert done.returncode == 0, done
    for part in ("-name 'x y'", 'loglevel=7', '-smp 1', 'unix:/nowhere/q,',
                 '-accel tcg'):
        assert part in done.stdout, (part, done.stdout)
    for args in (['--accel', 'xen'], ['--timeout', 'soon'], ['--nonsense']):
        done = run(*args, '--dry-run')
        assert done.returncode == 2 and 'usage' in done.stderr, done


def test_node8_in_guest():
    """The default machine as the guest's PCI bus shows it."""
    done = run('--no-load', '--timeout', '100', '--', 'bash', '-c',
               'lspci -n; find /sys/devices/pci0000:00 -type f -name config')
    assert done.returncode == 0, done
    ids = re.findall(r'^([0-9a-f:.]+) [0-9a-f]{4}: 1af4:(10f[0-4])',
                     done.stdout, re.M)
    count = {i: sum(1 for _, j in ids if j == i) for i in
             ('10f0', '10f1', '10f2', '10f3')}
    assert count == {'10f0': 8, '10f1': 8, '10f2': 1, '10f3': 9}, count
    kind = {f'0000:{address}': i for address, i in ids}
    nodes = {}
    for line in done.stdout.splitlines():
        chain = re.findall(r'0000:[0-9a-f]{2}:[0-9a-f]{2}\.\d', line)
        # root port, upstream port, downstream port, function
        if len(chain) == 4 and chain[-1] in kind:
            nodes.setdefault(chain[1], []).append(kind[chain[-1]])
    want = ['10f0'] * 4 + ['10f3'] * 4
    assert len(nodes) == 2, nodes
    assert all(sorted(n) == want for n in nodes.values()), nodes


if __name__ == '__main__':
    main(*tests_of(globals()))
