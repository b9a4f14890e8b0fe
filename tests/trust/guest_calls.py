#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_calls.py CALLS SPEC [--slice]. Who may do what: each ioctl
of alink_xpu and each command of the netlink family, for each kind of caller.
CALLS is the program that lists them, SPEC the netlink specification. The slice
leaves out capabilities that no driver has a reason to ask for. Prints TAP."""
import ctypes
import errno
import fcntl
import glob
import grp
import json
import mmap
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

NOBODY = 65534
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 4, 8
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
DENIED = (errno.EPERM, errno.EACCES)

CAPS = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID
SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW
IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()

# Asked for by a call, or wide enough to be asked for by mistake
LIKELY = {'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'NET_ADMIN', 'SYS_MODULE',
          'SYS_RAWIO', 'SYS_ADMIN', 'SYS_NICE', 'SYS_RESOURCE'}

# Calls beside those of the interface, whose argument needs a privilege, and the
# argument: enum drm_alink_xpu_priority
PRIVILEGED = {'ALINK_XPU_QUEUE_CREATE, high priority': 2,
              'ALINK_XPU_QUEUE_CREATE, realtime priority': 3}
# struct drm_alink_xpu_queue_create: vm_id, flags, ring, status, size, priority,
# queue_id, pad, doorbell_offset
QUEUE = struct.Struct('<IIQQIIIIQ')

SLICE = '--slice' in sys.argv[3:]
NUMBER = FAILED = 0


def result(what, good, why=''):
    """One result."""
    global NUMBER, FAILED  # pylint: disable=global-statement
    NUMBER += 1
    FAILED += not good
    tail = f' # {why}' if why and not good else ''
    print(f'{"ok" if good else "not ok"} {NUMBER} - {what}{tail}', flush=True)


# --- callers -----------------------------------------------------------------

def drop(groups, caps):
    """Becomes nobody, in these groups, with these capabilities alone."""
    LIBC.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups(groups)
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    bits = sum(1 << c for c in caps)
    head = struct.pack('<Ii', 0x20080522, 0)
    low, high = bits & 0xffffffff, bits >> 32
    data = struct.pack('<6I', low, low, 0, high, high, 0)
    if LIBC.capset(head, data):
        raise OSError(ctypes.get_errno(), 'capset')


def user_namespace(groups, flags=0):
    """Nobody, then root of a user namespace of its own: all capabilities
    there, none here."""
    drop(groups, ())
    # Its files in /proc are root's, since it has changed its user.
    LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    if LIBC.unshare(CLONE_NEWUSER | flags):
        raise OSError(ctypes.get_errno(), 'unshare')
    for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {NOBODY} 1'),
                       ('gid_map', f'0 {NOBODY} 1')):
        with open(f'/proc/self/{name}', 'w', encoding='ascii') as f:
            f.write(text)


def callers(render):
    """name: (how to become it, capabilities here, member of group render)"""
    last = int(open('/proc/sys/kernel/cap_last_cap', encoding='ascii').read())
    assert last + 1 == len(CAPS), f'{last + 1} capabilities, not {len(CAPS)}'
    out = {'nobody': (lambda: drop([], ()), set(), False),
           'group render': (lambda: drop([render], ()), set(), True),
           'root of a user namespace':
               (lambda: user_namespace([]), set(), False),
           'root of a user namespace, group render':
               (lambda: user_namespace([render]), set(), True),
           'root': (lambda: None, set(CAPS), True)}
    for number, name in enumerate(CAPS):
        if SLICE and name not in LIKELY:
            continue
        out[f'CAP_{name} alone'] = (
            lambda n=number: drop([], (n,)), {name}, False)
    return out


# --- calls -------------------------------------------------------------------

class Netlink:
    """A socket of generic netlink, and the family."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.settimeout(10)
        self.sock.bind((0, 0))
        self.seq = 0

    def ask(self, family, command, version, flags, attrs=b''):
        """Sends a message: (errno, payloads)."""
        self.seq += 1
        body = struct.pack('<BBH', command, version, 0) + attrs
        self.sock.send(struct.pack('<IHHII', 16 + len(body), family,
                                   1 | flags, self.seq, 0) + body)
        parts = []
        while True:
            data = self.sock.recv(1 << 20)
            while data:
                size, kind = struct.unpack_from('<IH', data)
                if kind in (2, 3):          # NLMSG_ERROR, NLMSG_DONE
                    return -struct.unpack_from('<i', data, 16)[0], parts
                parts.append(data[20:size])
                data = data[(size + 3) & ~3:]

    def family(self):
        """Number of the family; raises OSError without one."""
        name = b'alink\0'
        attr = struct.pack('<HH', 4 + len(name), 2) + name + b'\0\0'
        err, parts = self.ask(16, 3, 1, 4, attr)
        if err:
            raise OSError(err, os.strerror(err))
        return attributes(parts[0])[1][0] | attributes(parts[0])[1][1] << 8


def attributes(data):
    """Type: payload, of the attributes in a message."""
    out = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from('<HH', data)
        out[kind & 0x3fff] = data[4:size]
        data = data[(size + 3) & ~3:]
    return out


def outcomes(node, inherited, ioctls, ops, key_attr):
    """What the caller that this process is gets: name of a call: errno."""
    out = {}
    fd = inherited
    try:
        fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
        out['open'] = 0
    except OSError as e:
        out['open'] = e.errno

    def call(number, arg):
        try:
            fcntl.ioctl(fd, number, arg, True)
            return 0
        except OSError as e:
            return e.errno

    vm = bytearray(8)
    call(ioctls['ALINK_XPU_VM_CREATE'], vm)
    for name, number in ioctls.items():
        out[name] = call(number, bytearray(number >> 16 & 0x3fff))
    # Nothing is bound in the VM: allowed, it fails for that reason.
    for name, priority in PRIVILEGED.items():
        out[name] = call(ioctls['ALINK_XPU_QUEUE_CREATE'], bytearray(
            QUEUE.pack(struct.unpack('<II', vm)[1], 0, 0, 4096, 64, priority,
                       0, 0, 0)))

    link = Netlink()
    try:
        family = link.family()
    except OSError as e:
        out['family'] = e.errno
        return out
    out['family'] = 0
    for name, (number, flags, _) in ops.items():
        out[name], parts = link.ask(family, number, 1, flags)
        if name == 'group-get dump':
            out['key shown'] = any(key_attr in attributes(p) for p in parts)
    return out


def run_as(become, *args):
    """The outcomes for a caller, in a process of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            become()
            text = json.dumps(outcomes(*args))
        except BaseException as e:  # pylint: disable=broad-except
            text = json.dumps({'failed': repr(e)})
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    text = b''
    while part := os.read(read, 65536):
        text += part
    os.close(read)
    os.waitpid(pid, 0)
    return json.loads(text)


def operations(spec, numbers):
    """NAME do|dump: (command, flags of the message, admin only), of the
    specification."""
    with open(spec, encoding='utf-8') as f:
        text = f.read()
    text = text[text.index('\noperations:'):text.index('\nmcast-groups:')]
    out = {}
    for part in re.split(r'\n    -\n', text)[1:]:
        name = re.search(r'\bname: (\S+)', part)[1]
        number = numbers[f'ALINK_CMD_{name.upper().replace("-", "_")}']
        admin = 'admin-perm' in part
        for kind, flags in (('do', 4), ('dump', 0x300)):
            if re.search(rf'\n      {kind}:', part):
                out[f'{name} {kind}'] = (number, flags, admin)
    return out


# --- tests -------------------------------------------------------------------

def expect(caps, member, ops, ioctls):
    """name: may the caller do it?"""
    want = {'open': member or 'DAC_OVERRIDE' in caps, 'family': True}
    want.update({name: True for name in ioctls})
    want.update({name: 'SYS_NICE' in caps for name in PRIVILEGED})
    for name, (_, _, admin) in ops.items():
        want[name] = not admin or 'NET_ADMIN' in caps
    return want


def test_calls(node, ioctls, ops, key_attr):
    """The table: all callers, all calls."""
    inherited = os.open(node, os.O_RDWR)
    render = grp.getgrnam('render').gr_gid
    cells = 0
    for who, (become, caps, member) in callers(render).items():
        got = run_as(become, node, inherited, ioctls, ops, key_attr)
        want = expect(caps, member, ops, ioctls)
        bad = [got['failed']] if 'failed' in got else [
            f'{call}: {errno.errorcode.get(got.get(call), got.get(call))}'
            for call, may in want.items()
            if call not in got or (got[call] in DENIED) == may]
        if 'failed' not in got and \
                got['key shown'] != ('NET_ADMIN' in caps):
            bad.append(f'key of a group shown: {got["key shown"]}')
        result(f'{who}: {len(want) + 1} calls', not bad, '; '.join(bad))
        cells += len(want) + 1
    print(f'figure callers_times_calls {cells}')
    got = run_as(lambda: user_namespace([render], CLONE_NEWNET), node,
                 inherited, ioctls, ops, key_attr)
    result('another network namespace has no such family',
           got.get('family') == errno.ENOENT, str(got))
    os.close(inherited)


def test_nodes(node):
    """The rule that is shipped gives the node to group render, and to nobody
    else."""
    here = os.path.dirname(os.path.abspath(__file__))
    rule = os.path.join(here, '..', '..', 'tools', 'udev', '60-alink.rules')
    os.makedirs('/run/udev/rules.d', exist_ok=True)
    with open(rule, encoding='utf-8') as f, \
            open('/run/udev/rules.d/60-alink.rules', 'w',
                 encoding='utf-8') as to:
        to.write(f.read())
    os.chmod(node, 0o600)
    os.chown(node, 0, 0)
    subprocess.run(['/lib/systemd/systemd-udevd', '--daemon'], check=True)
    for verb in ('trigger', 'settle'):
        subprocess.run(['udevadm', verb] + (
            ['--action=add', '--subsystem-match=accel'] if verb == 'trigger'
            else ['--timeout=30']), check=True)
    subprocess.run(['udevadm', 'control', '--exit'], check=False)
    st = os.stat(node)
    name = grp.getgrgid(st.st_gid).gr_name
    result('udev rule: root:render 0660', stat.S_IMODE(st.st_mode) == 0o660 and
           st.st_uid == 0 and name == 'render',
           f'{st.st_uid}:{name} {stat.S_IMODE(st.st_mode):o}')


def test_sysfs():
    """Nobody but root may write to any file of ours, and none is executable or
    writable by a group."""
    bad, seen = [], 0
    for top in glob.glob('/sys/class/alink/*/') + \
            glob.glob('/sys/bus/pci/drivers/alink_*/0*/'):
        for path, folders, files in os.walk(top):
            folders[:] = [d for d in folders if not
                          os.path.islink(os.path.join(path, d))]
            for name in files:
                seen += 1
                st = os.lstat(os.path.join(path, name))
                if not stat.S_ISLNK(st.st_mode) and (
                        st.st_mode & 0o002 or st.st_mode & 0o111 or
                        st.st_mode & 0o020 and st.st_gid):
                    bad.append(os.path.join(path, name))
    print(f'figure sysfs_files {seen}')
    result('sysfs: only root may write', seen > 100 and not bad, ' '.join(bad[:5]))
    writable = [p for p in glob.glob('/sys/class/alink/*/*')
                if os.path.isfile(p) and os.stat(p).st_mode & 0o222 and
                os.path.basename(p) != 'uevent']
    result('sysfs: attributes of the class are for reading', not writable,
           ' '.join(writable))
    said = {open(p, encoding='ascii').read().strip()
            for p in glob.glob('/sys/class/alink/*/security')}
    result('sysfs: security says that there is no encryption and no '
           'attestation', said == {'none'}, str(said))
    result('no module has a parameter', not
           glob.glob('/sys/module/alink*/parameters/*'))
    result('no file of ours in debugfs', not
           glob.glob('/sys/kernel/debug/alink*'))


def fill_host(node, ioctls, size):
    """Takes host memory through the device, and touches it."""
    fd = os.open(node, os.O_RDWR)
    arg = bytearray(struct.pack('<QII', size, 1, 0))
    fcntl.ioctl(fd, ioctls['ALINK_XPU_GEM_CREATE'], arg, True)
    off = bytearray(struct.pack('<IIQ', struct.unpack('<QII', arg)[2], 0, 0))
    fcntl.ioctl(fd, ioctls['ALINK_XPU_GEM_MMAP_OFFSET'], off, True)
    with mmap.mmap(fd, size, offset=struct.unpack('<IIQ', off)[2]) as mem:
        for at in range(0, size, 4096):
            mem[at] = 1


def test_memcg(node, ioctls):
    """Host memory is charged to who takes it: he fails, others go on, and all
    of it is back when he is gone."""
    top = '/sys/fs/cgroup'
    if not os.path.exists(f'{top}/cgroup.controllers'):
        subprocess.run(['mount', '-t', 'cgroup2', 'none', top], check=True)
    with open(f'{top}/cgroup.subtree_control', 'w', encoding='ascii') as f:
        f.write('+memory')
    group = f'{top}/alink'
    os.makedirs(group, exist_ok=True)
    with open(f'{group}/memory.max', 'w', encoding='ascii') as f:
        f.write('33554432')
    pid = os.fork()
    if not pid:
        with open(f'{group}/cgroup.procs', 'w', encoding='ascii') as f:
            f.write(str(os.getpid()))
        try:
            fill_host(node, ioctls, 8 << 20)
        except OSError:
            os._exit(3)
        try:
            fill_host(node, ioctls, 128 << 20)
        except OSError:
            os._exit(2)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    with open(f'{group}/memory.peak', encoding='ascii') as f:
        peak = int(f.read())
    result('memory cgroup: 8 MiB of 32 can be had, 128 cannot',
           status in (signal.SIGKILL, 2 << 8) and peak > 30 << 20,
           f'status {status:#x}, peak {peak}')
    fill_host(node, ioctls, 64 << 20)
    result('memory cgroup: others are not limited', True)
    left = 0
    for _ in range(50):
        with open(f'{group}/memory.current', encoding='ascii') as f:
            left = int(f.read())
        if left < 4 << 20:
            break
        time.sleep(0.1)
    result('memory cgroup: all is back', left < 4 << 20, f'{left} bytes left')
    os.rmdir(group)


def test_log():
    """No address of the kernel in what our drivers say."""
    log = subprocess.run(['dmesg'], stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    bad = [line for line in log.splitlines() if 'alink' in line and
           re.search(r'\bffff[0-9a-f]{12}\b', line)]
    result('the log shows no address of the kernel', 'alink' in log and not bad,
           ' '.join(bad[:1]))


def main():
    """Lists what there is, then asks."""
    calls, spec = sys.argv[1:3]
    listed = subprocess.run([calls], stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    ioctls = {w[1]: int(w[2]) for w in map(str.split, listed.splitlines())
              if w[0] == 'ioctl'}
    numbers = {w[1]: int(w[2]) for w in map(str.split, listed.splitlines())
               if w[0] == 'command'}
    ops = operations(spec, numbers)
    node = sorted(glob.glob('/dev/accel/accel*'))[0]
    print('TAP version 13')
    test_nodes(node)
    # A group, so that there is a key to hide
    subprocess.run(['alink', 'fabric', 'up'], check=True)
    subprocess.run(['alink', 'group', 'add', '7', '0,1'], check=True,
                   stdout=subprocess.DEVNULL)
    # alink-attrs of a group: dev-index, id, key, members, ...
    test_calls(node, ioctls, ops, 3)
    subprocess.run(['alink', 'group', 'del', '7'], check=True)
    result('every ioctl and every command is in the table', len(ioctls) >= 17
           and len(ops) >= 12, f'{len(ioctls)} and {len(ops)}')
    print(f'figure ioctls {len(ioctls)}')
    print(f'figure netlink_operations {len(ops)}')
    test_sysfs()
    test_memcg(node, ioctls)
    test_log()
    print(f'1..{NUMBER}')
    sys.exit(1 if FAILED else 0)


if __name__ == '__main__':
    main()
