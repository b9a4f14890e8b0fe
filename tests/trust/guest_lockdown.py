#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_lockdown.py integrity|sig_enforce [PROGRAM]. A kernel that
protects itself against root: only signed modules load, registers are out of
reach, and PROGRAM, a test of normal work, passes. Prints TAP."""
import ctypes
import errno
import glob
import mmap
import os
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
SYS_INIT_MODULE = 175
MAGIC = b'~Module signature appended~\n'
VICTIM = 'alink_optics'
NUMBER = FAILED = 0


def result(what, good, why=''):
    """One result."""
    global NUMBER, FAILED  # pylint: disable=global-statement
    NUMBER += 1
    FAILED += not good
    tail = f' # {why}' if why and not good else ''
    print(f'{"ok" if good else "not ok"} {NUMBER} - {what}{tail}', flush=True)


def insert(image):
    """Loads a module from memory; errno."""
    if LIBC.syscall(SYS_INIT_MODULE, image, ctypes.c_ulong(len(image)), b''):
        return ctypes.get_errno()
    return 0


def name_of(err):
    """For people."""
    return errno.errorcode.get(err, str(err))


def modules(refusal):
    """A module with a good signature, with a spoilt one, with none."""
    path = subprocess.run(['modinfo', '-n', VICTIM], stdout=subprocess.PIPE,
                          text=True, check=True).stdout.strip()
    with open(path, 'rb') as f:
        image = f.read()
    result('our modules are signed', image.endswith(MAGIC))
    size = int.from_bytes(image[-len(MAGIC) - 4:-len(MAGIC)], 'big')
    bare = image[:-len(MAGIC) - 12 - size]
    subprocess.run(['modprobe', '-r', VICTIM], check=True)
    err = insert(bare)
    result('a module without a signature is refused', err == refusal,
           name_of(err))
    for what, at in (('in its code', len(bare) // 2),
                     ('in its signature', len(bare) + size // 2)):
        flipped = bytearray(image)
        flipped[at] ^= 1
        err = insert(bytes(flipped))
        result(f'a module with one bit flipped {what} is refused',
               err in (errno.EKEYREJECTED, errno.EBADMSG, errno.EPERM),
               name_of(err))
    result('none of them is there', not os.path.exists(
        f'/sys/module/{VICTIM}'))
    err = insert(image)
    result('the module as it was signed loads', err == 0, name_of(err))


def refused(what, call):
    """The call must fail for lack of permission."""
    try:
        call()
        result(f'{what} is refused', False, 'it worked')
    except OSError as e:
        result(f'{what} is refused', e.errno == errno.EPERM, name_of(e.errno))


def map_registers(path):
    """As a driver in user space would."""
    fd = os.open(path, os.O_RDWR)
    try:
        mmap.mmap(fd, 4096).close()
    finally:
        os.close(fd)


def poke(path, data):
    """Writes to the start of a file."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def raw_access():
    """Ways round the drivers that root has on other kernels."""
    with open('/sys/kernel/security/lockdown', encoding='ascii') as f:
        text = f.read()
    result('lockdown is on', '[integrity]' in text, text.strip())
    bdf = sorted(glob.glob('/sys/bus/pci/drivers/alink_xpu/0*'))[0]
    refused('mapping registers through sysfs',
            lambda: map_registers(f'{bdf}/resource0'))
    refused('mapping HBM through sysfs',
            lambda: map_registers(f'{bdf}/resource2'))
    refused('writing to the configuration space',
            lambda: poke(f'{bdf}/config', b'\0\0'))
    address = os.path.basename(os.path.realpath(bdf))
    proc = f'/proc/bus/pci/{address[5:7]}/{address[8:]}'
    refused('writing to the configuration space through /proc',
            lambda: poke(proc, b'\0\0'))


def main():
    """Modules first: they come and go."""
    kind = sys.argv[1]
    print('TAP version 13')
    subprocess.run(['mount', '-t', 'securityfs', 'none',
                    '/sys/kernel/security'], check=False,
                   stderr=subprocess.DEVNULL)
    if kind == 'integrity':
        raw_access()
        modules(errno.EPERM)
    else:
        with open('/sys/module/module/parameters/sig_enforce',
                  encoding='ascii') as f:
            result('signatures are enforced', f.read().strip() == 'Y')
        modules(errno.EKEYREJECTED)
    for program in sys.argv[2:]:
        done = subprocess.run([program], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        result(f'{os.path.basename(program)}: normal work goes on',
               done.returncode == 0, f'status {done.returncode}')
        if done.returncode:
            print('\n'.join(f'# {l}' for l in done.stdout.splitlines()))
    print(f'1..{NUMBER}')
    sys.exit(1 if FAILED else 0)


if __name__ == '__main__':
    main()
