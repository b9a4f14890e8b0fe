#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the bus does to devices of each kind: resets by the bus above them, and
of their own, and errors that they report to it."""
import contextlib
import glob
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable-next=wrong-import-position
from guestlib import PATIENCE, knob, main, read, sh, wait_for, \
    write  # noqa: E402


def devices():
    """{name: folder of the PCI function}"""
    return {os.path.basename(p): os.path.realpath(f'{p}/device')
            for p in glob.glob('/sys/class/alink/*')}


def state(name):
    """As sysfs shows it"""
    return read(f'/sys/class/alink/{name}/state')


def generation(name):
    """Counts resets"""
    return int(read(f'/sys/class/alink/{name}/generation'))


def wait_ready(name):
    """It works again."""
    wait_for(f'{name}: ready', lambda: state(name) == 'ready', PATIENCE)
    assert read(f'/sys/class/alink/{name}/guest_errors') == '0', name


def counted(folder, kind):
    """Errors that the root port above has been told of"""
    port = os.path.join('/sys/bus/pci/devices', folder.split('/')[4])
    return int(read(f'{port}/aer_rootport_total_err_{kind}'))


def inject(name, kind, short):
    """The device reports an error; returns when the kernel has heard of it."""
    folder = devices()[name]
    before = counted(folder, short)
    knob(name, 'x-aer-inject', kind)
    wait_for(f'{name}: {kind} counted',
             lambda: counted(folder, short) > before, PATIENCE)


def test_bus_reset():
    """The link to every device comes back, and so does the device."""
    for name, folder in sorted(devices().items()):
        before = generation(name)
        write(f'{folder}/reset_method', 'bus')
        try:
            write(f'{folder}/reset', '1')
        finally:
            write(f'{folder}/reset_method', 'default')
        wait_ready(name)
        assert generation(name) > before, name


@contextlib.contextmanager
def asked(folder):
    """A process asks the device what it is, without a pause."""
    with tempfile.NamedTemporaryFile('w', encoding='ascii') as f:
        f.write(f'dev info pci/{os.path.basename(folder)}\n' * 100000)
        f.flush()
        # -f: a device in reset does not answer, nor may it be asked.
        with subprocess.Popen(['devlink', '-f', '-b', f.name],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as asking:
            try:
                yield
                assert asking.poll() is None, 'it did not ask to the end'
            finally:
                asking.kill()


def test_reset_among_commands():
    """A queue that ends gets no commands any more: the device counts those."""
    instances = sh('devlink', 'dev').split()
    kinds = set()
    for name, folder in sorted(devices().items()):
        if f'pci/{os.path.basename(folder)}' not in instances:
            continue
        kinds.add(read(f'/sys/class/alink/{name}/type'))
        before = generation(name)
        with asked(folder):
            for _ in range(20):
                write(f'{folder}/reset', '1')
        wait_ready(name)
        assert generation(name) == before + 20, name
    assert {'xpu', 'switch'} <= kinds, kinds


def test_fatal_error():
    """The kernel resets the link; the driver goes on."""
    for name in sorted(devices()):
        before = generation(name)
        inject(name, 'fatal', 'fatal')
        wait_for(f'{name}: reset', lambda n=name, b=before: state(n) == 'ready'
                 and generation(n) > b, PATIENCE)
        wait_ready(name)


def test_other_errors():
    """The link works: no reset. The log names the device."""
    for name in sorted(devices()):
        before = generation(name)
        inject(name, 'nonfatal', 'nonfatal')
        inject(name, 'correctable', 'cor')
        wait_ready(name)
        assert generation(name) == before, name
        says = f'{name}: correctable bus error'
        wait_for(says, lambda s=says: s in sh('dmesg'), PATIENCE)


if __name__ == '__main__':
    main(test_bus_reset, test_reset_among_commands, test_fatal_error,
         test_other_errors)
