#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_fuzz.py KIND PROGRAM CORPUS SECONDS MAX_LEN MODULE BUG
[FILE...]. Runs the fuzzer PROGRAM on a copy of CORPUS ("-": from nothing) for
some seconds, or, given FILEs, on those alone. MODULE plants BUG, or is "-".
Prints what lane_fuzz reads: figures, and the places reached as "pcs MODULE
SECTION OFFSET..."."""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lib'))

# pylint: disable=wrong-import-position
import fwimage  # noqa: E402
from guestlib import read, sh, write  # noqa: E402

# The device of QEMU whose memory the host sees
SHOWN = ('0x1af4', '0x1110')
PCS = '/tmp/fuzz-pcs'
# A fabric that works and has a group: done again after resets, of which one
# takes the group from one switch only
FABRIC = ('alink fabric up && '
          '{ alink group del 1; alink group add 1 0,1 key 77; }')
# libFuzzer is to leave alone what only the kernel can be the cause of.
OPTIONS = ['-timeout=0', '-rss_limit_mb=0', '-print_final_stats=1',
           '-handle_segv=0', '-handle_bus=0', '-handle_ill=0', '-handle_fpe=0',
           '-handle_abrt=0', '-use_value_profile=0', '-len_control=20',
           '-artifact_prefix=/tmp/']


def shown():
    """File of the memory that the host sees."""
    for path in glob.glob('/sys/bus/pci/devices/*'):
        if (read(f'{path}/vendor'), read(f'{path}/device')) == SHOWN:
            write(f'{path}/enable', '1')
            return f'{path}/resource2'
    raise OSError('no memory to show inputs to the host')


def devices():
    """Variables that tell the fuzzer which devices are ours."""
    index = [read(f'{p}/index') for p in glob.glob('/sys/class/alink/*')]
    pci = [os.path.basename(p)
           for p in glob.glob('/sys/bus/pci/drivers/alink_*/0*')]
    net = [os.path.basename(os.path.dirname(p))
           for p in glob.glob('/sys/class/net/*/device')
           if os.path.basename(os.path.realpath(p)) in pci]
    return {'FUZZ_DEVS': ' '.join(sorted(index, key=int)),
            'FUZZ_PCI': ' '.join(sorted(pci)), 'FUZZ_NET': ' '.join(sorted(net)),
            'FUZZ_FIRMWARE': fwimage.offer(size=256),
            'FUZZ_RESTORE': f'{{ {FABRIC}; }} >/tmp/fuzz-restore 2>&1',
            'FUZZ_SHOWN': shown(), 'FUZZ_PCS': PCS}


def prepare(module, bug):
    """A fabric, and a kernel that stops at once when it has something to
    say."""
    write('/proc/sys/kernel/hung_task_panic', '1')
    write('/proc/sys/kernel/hung_task_timeout_secs', '30')
    write('/proc/sys/kernel/softlockup_panic', '1')
    sh('sh', '-c', FABRIC)
    if module != '-':
        sh('insmod', module)
        write('/sys/kernel/debug/alink_fuzz_teeth', bug)


def sections():
    """(first address, module, section) of the code of our modules, ascending."""
    out = []
    for path in glob.glob('/sys/module/alink*/sections/.text*'):
        _, _, _, module, _, name = path.split('/')
        out.append((int(read(path), 16), module, name))
    return sorted(out)


def print_pcs(where):
    """The places reached, by module and section."""
    with open(PCS, encoding='ascii') as f:
        pcs = sorted(int(line, 16) for line in f)
    out = {}
    for pc in pcs:
        below = [s for s in where if s[0] <= pc]
        if below:
            base, module, name = below[-1]
            out.setdefault((module, name), []).append(f'{pc - base:x}')
    for (module, name), offsets in sorted(out.items()):
        for at in range(0, len(offsets), 200):
            print('pcs', module, name, *offsets[at:at + 200])
    return len(pcs)


def print_corpus(program, env, folder):
    """The smallest inputs that reach all that any of FOLDER reaches."""
    small = f'{folder}-small'
    os.makedirs(small)
    subprocess.run([program, *OPTIONS, '-set_cover_merge=1', small, folder],
                   env=dict(env, FUZZ_ONCE='1'),
                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=True)
    for name in sorted(os.listdir(small)):
        with open(os.path.join(small, name), 'rb') as f:
            print('corpus', f.read().hex())


def main():
    """Fuzzes, or replays."""
    kind, program, corpus, seconds, max_len = sys.argv[1:6]
    module, bug, *files = sys.argv[6:]
    env = dict(os.environ, **devices())
    prepare(module, bug)
    where = sections()
    folder = '/tmp/corpus'
    if corpus == '-':
        os.mkdir(folder)
    else:
        shutil.copytree(corpus, folder)
    if files:
        # Inputs that are run again get each reset that they ask for.
        env['FUZZ_RESETS'] = '1'
    what = files or [folder, f'-max_total_time={seconds}']
    print('begin', flush=True)
    done = subprocess.run(
        [program, *OPTIONS, f'-max_len={max_len}', *what], env=env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors='replace', check=False)
    print('end', flush=True)
    tail = done.stdout.splitlines()[-30:]
    ran = re.search(r'stat::number_of_executed_units:\s*(\d+)', done.stdout)
    if done.returncode or not (ran or files):
        print('\n'.join(tail))
        print(f'fuzzer ended with status {done.returncode}')
        return 1
    print(f'figure execs_{kind} {ran.group(1) if ran else len(files)}')
    print(f'figure places_{kind} {print_pcs(where)}')
    if os.environ.get('ALINK_FUZZ_GROW'):
        print_corpus(program, env, folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
