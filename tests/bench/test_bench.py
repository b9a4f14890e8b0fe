#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink-bench does its work right, and counts what it says that it counts. How
fast anything is, is nobody's test. KTAP.
"""
import contextlib
import glob
import json
import math
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import knob, main, model, wait_for, write  # noqa: E402
from taplib import tests_of  # noqa: E402

DRIVERS = '/sys/bus/pci/drivers'
BATCHES = 64
MISSED = 20
KEYS = {'measure', 'what', 'peer', 'unit', 'better', 'floor', 'goal', 'pairs',
        'value', 'peer_value', 'ratio', 'ratio_quartiles', 'verdict', 'reason'}
# Rows of each measure, those that this machine cannot make among them
ROWS = {'doorbell-poll': 1, 'doorbell-wake': 1, 'rate': 3, 'queues': 2,
        'dma': 24, 'remote': 3, 'window': 4, 'gemm': 1, 'allreduce': 6,
        'probe': 4, 'probe32': 2}
ABSENT = {'gemm': 'alink.bench', 'probe32': 'bench32'}


def bench(*args, status=0):
    """Runs it; standard output and standard error."""
    done = subprocess.run(['alink-bench', *args], capture_output=True,
                          text=True, timeout=280, check=False)
    assert done.returncode == status, (args, done.returncode, done.stdout,
                                       done.stderr)
    return done.stdout, done.stderr


def boots(*args, status=0):
    """The same, as JSON."""
    doc = json.loads(bench('-j', *args, status=status)[0])
    assert (doc['schema'], doc['version']) == ('alink.bench', 2), doc
    return doc['data']


def rows(*args, status=0):
    """Rows of the one boot."""
    data = boots(*args, status=status)
    assert len(data) == 1, data
    return data[0]['rows']


def functions(driver):
    """PCI functions that the driver has."""
    return sorted(os.path.basename(p)
                  for p in glob.glob(f'{DRIVERS}/{driver}/0000:*'))


def check_row(row):
    """Of any row"""
    assert set(row) == KEYS, row
    assert row['better'] in ('less', 'more'), row
    why = ABSENT.get(row['measure'])
    if why:
        assert why in row['reason'], row
        assert row['value'] is row['ratio'] is row['verdict'] is None, row
        return
    assert row['reason'] is None, row
    for key in ('value', 'peer_value', 'ratio', *range(2)):
        value = row['ratio_quartiles'][key] if isinstance(key, int) \
            else row[key]
        assert math.isfinite(value) and value > 0, row
    assert row['pairs'] == 1, row
    assert (row['verdict'] is None) == (row['floor'] is None), row


def test_all():
    """Each measure ends, and has its rows; devices are there as before."""
    before = functions('alink_xpu')
    data = boots('--quick')
    print(f'# {json.dumps(data)}')
    found = {}
    for row in data[0]['rows']:
        check_row(row)
        found[row['measure']] = found.get(row['measure'], 0) + 1
    assert found == ROWS, found
    place = data[0]['environment']
    assert place['accelerator'] in ('TCG', 'KVM'), place
    assert place['qemu'].startswith('10.') and place['cpus'] > 0, place
    assert functions('alink_xpu') == before and len(before) == 8, before
    # The driver of the peer is loaded by the bench.
    assert len(functions('nvme')) == 8, before


def counted(what):
    """What the device counted for a batch of 32 commands"""
    for row in rows('--quick', '--only=rate'):
        if row['what'] == f'{what} of a batch of 32':
            assert row['peer_value'] == 1, row
            return row
    raise AssertionError(f'no row for {what}')


def test_one_doorbell_one_interrupt():
    """A batch of 32 commands takes no more than one of each."""
    for what in ('doorbells', 'interrupts'):
        row = counted(what)
        assert 0 < row['value'] <= 1 and row['verdict'] == 'met', row


def test_counters_are_the_devices():
    """Interrupts that get lost are not counted: nothing is made up."""
    knob('xpu0', 'x-lose-queue-irqs', 33)
    try:
        row = counted('interrupts')
    finally:
        knob('xpu0', 'x-lose-queue-irqs', 0)
    lost = (1 - row['value']) * BATCHES
    assert 0 < lost <= 33 and lost == int(lost), (lost, row)
    assert counted('interrupts')['value'] == 1


def test_sizes_of_memcpy():
    """The model is asked for copies of the size that DMA has."""
    found = rows('--quick', '--only=dma')
    assert model('xpu0', 'x-memcpy-bytes') == 16 << 20
    # Judged are full queues of large copies.
    for row in found:
        large = 'MiB' in row['what'] and row['what'].endswith('depth 8')
        assert large or row['what'].endswith(('KiB, depth 8', 'depth 1')), row
        assert (row['floor'] is not None) == large, row
        assert (row['verdict'] is not None) == large, row
    assert sum(row['floor'] is not None for row in found) == 8, found


def test_text():
    """What people see."""
    out, _ = bench('--quick', '--only=doorbell-poll,gemm')
    print('\n'.join(f'# {line}' for line in out.splitlines()))
    for text in ('ratios to a peer in the same boot', 'quartiles',
                 'doorbell to polled end', 'NVMe, 4 KiB, depth 1',
                 '<=0.35', '<=0.15', 'GEMM 512^3', 'not measured: no port',
                 ', 1 not measured'):
        assert text in out, (text, out)


def test_judge():
    """It fails for a floor that it cannot see reached, and for no other row."""
    bench('--judge', '--rounds=7', '--only=gemm', status=MISSED)
    found = rows('--judge', '--rounds=7', '--only=queues')
    assert all(r['pairs'] == 7 and r['verdict'] is None for r in found), found


@contextlib.contextmanager
def unbound(driver, gone):
    """Takes functions away from their driver for a while."""
    for function in gone:
        write(f'{DRIVERS}/{driver}/unbind', function)
    try:
        yield
    finally:
        for function in gone:
            write(f'{DRIVERS}/{driver}/bind', function)
        wait_for('xPUs', lambda: len(glob.glob('/dev/accel/accel*')) ==
                 len(functions('alink_xpu')))


def test_too_few_xpus():
    """It says so, in JSON too, and ends with the code for that."""
    with unbound('alink_xpu', functions('alink_xpu')[1:]):
        _, err = bench('--quick', '--only=dma', status=6)
        assert 'two xPUs are wanted, there are 1' in err, err
        out, err = bench('-j', '--quick', '--only=dma', status=6)
    doc = json.loads(out)
    assert doc['schema'] == 'alink.error' and not err, (out, err)
    assert doc['error']['exit_code'] == 6, doc


def test_peers_that_are_not_there():
    """Then there is no ratio, and a reason; ours is checked all the same."""
    # So that the driver is there to take them from.
    rows('--quick', '--only=doorbell-poll')
    with unbound('nvme', functions('nvme')):
        found = rows('--quick', '--only=doorbell-wake,rate,probe')
        for row in found:
            gone = row['what'].startswith(('no-op', '4 KiB', '8 xPUs'))
            assert (row['value'] is None) == gone, row
            assert not gone or 'NVMe' in row['reason'], row


def test_xpu_in_use():
    """A module that somebody uses is not unloaded, nor are devices unbound."""
    fd = os.open(sorted(glob.glob('/dev/accel/accel*'))[0], os.O_RDWR)
    try:
        before = functions('alink_xpu')
        _, err = bench('--quick', '--only=probe', status=1)
        assert 'rmmod alink_xpu' in err, err
        assert functions('alink_xpu') == before, before
    finally:
        os.close(fd)


main(*tests_of(globals()))
