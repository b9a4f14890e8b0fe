#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: guest_netlink.py CALLS SPEC. Bad messages to the family alink,
for each operation and each of its attributes, and bad use of files in sysfs.
Prints TAP."""
import errno
import glob
import os
import re
import socket
import struct
import subprocess
import sys
import threading

import guest_calls
from guest_calls import Netlink, attributes, operations, result
from xpufile import HBM, READ, Xpu

REFUSED = (errno.EINVAL, errno.ERANGE, errno.EOPNOTSUPP)


def attr(kind, payload, size=None):
    """An attribute; SIZE is what its header claims."""
    size = 4 + len(payload) if size is None else size
    return struct.pack('<HH', size, kind) + payload + \
        b'\0' * (-len(payload) % 4)


def u32(kind, value):
    """A good one."""
    return attr(kind, struct.pack('<I', value))


def number_of(attribute):
    """Its type."""
    return struct.unpack_from('<H', attribute, 2)[0]


def tables():
    """What the tables hold."""
    return [subprocess.run(['alink', '-j', what, 'show'], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
            for what in ('route', 'group', 'partition', 'segment')]


def index(name):
    """Of a device."""
    with open(f'/sys/class/alink/{name}/index', encoding='ascii') as f:
        return int(f.read())


def good_requests(switch, segment):
    """Operation: attributes that it takes, good ones. SEGMENT: those that name
    one."""
    route = [u32(1, index('xpu0')), u32(2, 500), u32(3, 1),
             attr(4, struct.pack('<I', 0)), attr(5, struct.pack('<I', 1))]
    group = [u32(1, switch), u32(2, 99), attr(3, struct.pack('<Q', 7)),
             attr(4, struct.pack('<II', 0, 1))]
    return {'dev-get do': [u32(1, switch)],
            'link-get do': [u32(1, switch), u32(2, 0)],
            'link-get dump': [u32(1, switch)],
            'route-get dump': [u32(1, switch)],
            'route-add do': route, 'route-del do': route[:2],
            'group-get dump': [u32(1, switch)],
            'group-add do': group, 'group-del do': group[:2],
            'partition-get dump': [u32(1, switch)],
            'partition-set do': [u32(1, switch), u32(2, 500), u32(3, 4)],
            'manager-get do': [],
            'manager-claim do': [attr(1, b'tester\0'), u32(2, 5000)],
            'manager-beat do': [], 'manager-release do': [],
            'segment-get dump': segment[:1], 'segment-revoke do': segment}


def spoilt(attrs):
    """(what, bytes) of every bad form of a request."""
    for i, good in enumerate(attrs):
        kind = number_of(good)
        rest = attrs[:i], attrs[i + 1:]

        def message(bad, rest=rest):
            return b''.join(rest[0]) + bad + b''.join(rest[1])

        yield f'attribute {kind} empty', message(attr(kind, b''))
        yield f'attribute {kind} of one byte', message(attr(kind, b'\1'))
        yield f'attribute {kind} of three', message(attr(kind, b'\1\0\0'))
        yield f'attribute {kind} too long', message(attr(kind, b'\1' * 4100))
        yield f'attribute {kind} ends beyond the message', \
            b''.join(rest[0] + rest[1]) + attr(kind, good[4:8], 64)
        yield f'attribute {kind} shorter than its header', \
            b''.join(rest[0] + rest[1]) + attr(kind, good[4:8], 3)
        yield f'attribute {kind} with bytes behind it', \
            message(good) + b'\1\2\3'
        yield f'attribute {kind} said to be nested', message(
            struct.pack('<HH', *struct.unpack_from('<H', good),
                        kind | 0x8000) + good[4:])
    for kind in (0, 14, 63, 255, 0x3fff):
        yield f'unknown attribute {kind}', b''.join(attrs) + u32(kind, 1)
    yield 'nested without end', b''.join(attrs) + attr(
        0x8000 | 1, b''.join(struct.pack('<HH', 200 - 4 * i, 0x8001)
                             for i in range(49)))


def test_messages(ops, switch, segment):
    """Each form is refused, and no table has changed after all of them."""
    link = Netlink()
    family = link.family()
    good = good_requests(switch, segment)
    missing = set(ops) - set(good) - {'dev-get dump'}
    result('every operation has its bad messages', not missing, str(missing))
    before = tables()
    sent, taken = 0, []
    for name, attrs in good.items():
        number, flags, _ = ops[name]
        for what, data in spoilt(attrs):
            err, _ = link.ask(family, number, 1, flags, data)
            sent += 1
            if err == 0 and '-get' not in name:
                taken.append(f'{name}: {what}')
            elif err and err not in REFUSED + (errno.ENODEV, errno.ENOENT,
                                               errno.EEXIST):
                taken.append(f'{name}: {what}: {errno.errorcode.get(err)}')
        if name.endswith(' do'):
            for gone in range(len(attrs)):
                err, _ = link.ask(family, number, 1, flags, b''.join(
                    attrs[:gone] + attrs[gone + 1:]))
                sent += 1
                # min-ports, spares, key and the device of group calls may be
                # left out
                if not err:
                    link.ask(family, ops[name.replace('add', 'del')][0], 1, 4,
                             b''.join(attrs[:2]))
    for number in range(0, 256):
        if number not in {o[0] for o in ops.values()}:
            err, _ = link.ask(family, number, 1, 4)
            sent += 1
            if err != errno.EOPNOTSUPP:
                taken.append(f'command {number}: {err}')
    result(f'{sent} bad messages are refused', not taken,
           '; '.join(taken[:8]))
    subprocess.run(['alink', 'group', 'del', '99'], check=False,
                   stderr=subprocess.DEVNULL)
    subprocess.run(['alink', 'partition', 'set', '500', '0'], check=False,
                   stderr=subprocess.DEVNULL)
    subprocess.run(['alink', 'route', 'del', 'xpu0', '500'], check=False,
                   stderr=subprocess.DEVNULL)
    result('no table has changed', tables() == before)
    print(f'figure bad_messages {sent}')


def nested(kind, payload, levels):
    """An attribute that holds itself, so many levels deep."""
    return b''.join(struct.pack('<HH', 4 * (levels - i) + len(payload),
                                0x8000 | kind)
                    for i in range(levels)) + payload


def test_twice(ops, switch):
    """Of attributes that are there twice the last ones count, alone: no list
    is the sum of two."""
    link = Netlink()
    family = link.family()

    def ask(name, attrs):
        number, flags, _ = ops[name]
        return link.ask(family, number, 1, flags, b''.join(attrs))

    def table(name, kinds):
        """Entries by their ids."""
        err, parts = ask(f'{name}-get dump', [u32(1, switch)])
        rows = [[attributes(p).get(k) for k in kinds] for p in parts]
        return err, {row[0]: row[1:] for row in rows}

    def numbers(*ids):
        return attr(4, struct.pack(f'<{len(ids)}I', *ids))

    def key(value):
        return attr(3, struct.pack('<Q', value))

    nobody, device = u32(1, 9999), u32(1, switch)
    for name, add, remove, first, last in (
            ('route', 'add', 'del', [u32(2, 500), numbers(1, 2)],
             [u32(2, 501), numbers(0)]),
            ('group', 'add', 'del', [u32(2, 98), key(8), numbers(0, 1, 2)],
             [u32(2, 99), key(7), numbers(0, 1)]),
            ('partition', 'set', 'set', [u32(2, 0), u32(3, 5)],
             [u32(2, 1), u32(3, 4)])):
        kinds = [number_of(a) for a in last]
        new = [a[4:] for a in last]
        err, before = table(name, kinds)
        errs = [err, ask(f'{name}-{add} do',
                         [nobody] + first + [device] + last)[0]]
        err, after = table(name, kinds)
        # What a request to remove takes, and the partition that it was in
        back = [attr(k, v) for k, v in zip(kinds, [
            new[0], *before.get(new[0], ())])]
        errs += [err, ask(f'{name}-{remove} do', [nobody] + first[:len(back)] +
                          [device] + back)[0]]
        result(f'{name}: of attributes that are there twice the last ones '
               'count', not any(errs) and after != before and
               after == {**before, new[0]: new[1:]} and
               table(name, kinds) == (0, before), f'{errs}, {after}')


def test_nested(ops, switch, segment):
    """What holds attributes where there should be a number or a list is
    refused, at any depth, and also before a good one of its type."""
    link = Netlink()
    family = link.family()
    before = tables()
    sent, taken = 0, []
    for name, attrs in good_requests(switch, segment).items():
        number, flags, _ = ops[name]
        for i, good in enumerate(attrs):
            kind = number_of(good)
            for levels in (1, 2, 10, 16000):
                for rest in (attrs[i:], attrs[i + 1:]):
                    err, _ = link.ask(family, number, 1, flags, b''.join(
                        attrs[:i] + [nested(kind, good[4:], levels)] + rest))
                    sent += 1
                    if err != errno.EINVAL:
                        taken.append(f'{name}: attribute {kind}, {levels} '
                                     f'levels: {err}')
    result(f'{sent} requests with nested attributes are refused', not taken,
           '; '.join(taken[:8]))
    result('no table has changed after them', tables() == before)


def test_dump_across_changes(ops):
    """A dump with a tiny buffer goes on while the table changes under it."""
    link = Netlink()
    family = link.family()
    stop = threading.Event()

    def change():
        while not stop.is_set():
            for dst in range(300, 340):
                subprocess.run(['alink', 'route', 'add', 'sw0', str(dst), '0-3'],
                               check=True)
            for dst in range(300, 340):
                subprocess.run(['alink', 'route', 'del', 'sw0', str(dst)],
                               check=True)

    thread = threading.Thread(target=change)
    thread.start()
    bad = []
    for _ in range(30):
        err, parts = link.ask(family, *[
            (n, 1, f) for n, f, _ in [ops['route-get dump']]][0])
        if err or not parts:
            bad.append(err)
    stop.set()
    thread.join()
    result('dumps while the table changes', not bad, str(bad[:3]))
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    sock.bind((0, 0))
    number, flags, _ = ops['route-get dump']
    sock.send(struct.pack('<IHHIIBBH', 20, family, 1 | flags, 1, 0, number, 1,
                          0))
    sock.recv(16)
    sock.close()
    result('a dump that is left in the middle', True)


def test_sysfs():
    """Attributes are read byte by byte, at an offset, and not written; one that
    is open stays harmless when its device goes."""
    bad, seen = [], 0
    for path in glob.glob('/sys/class/alink/*/*'):
        if not os.path.isfile(path) or not os.access(path, os.R_OK) or \
                os.path.basename(path) == 'uevent':
            continue
        fd = os.open(path, os.O_RDONLY)
        whole = os.read(fd, 4096)
        os.lseek(fd, 0, 0)
        single = b''.join(iter(lambda fd=fd: os.read(fd, 1), b''))
        if len(single) != len(whole) or os.pread(fd, 100, len(whole)) or \
                os.pread(fd, 100, 1 << 40):
            bad.append(path)
        os.close(fd)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NOFOLLOW))
            with open(path, 'wb', buffering=0) as f:
                f.write(b'1')
            bad.append(f'{path} was written')
        except OSError:
            pass
        seen += 1
    result(f'{seen} attributes of sysfs', seen > 20 and not bad,
           ' '.join(bad[:3]))
    hwmon = [p for p in glob.glob('/sys/class/alink/*/device/hwmon/*/*')
             if re.search(r'/(temp|power|in|curr)\d', p)]
    wrong = []
    for path in hwmon:
        mode = os.stat(path).st_mode
        for text in (b'', b'-1', b'0x', b'\0', b'18446744073709551616',
                     b'x' * 4096, b'9' * 4097, b' 1', b'\xc3\xa9'):
            try:
                with open(path, 'wb', buffering=0) as f:
                    f.write(text)
                if not mode & 0o200:
                    wrong.append(path)
            except OSError:
                pass
    result(f'{len(hwmon)} attributes of hwmon take no nonsense',
           hwmon and not wrong, ' '.join(wrong[:3]))
    pci = os.path.realpath('/sys/class/alink/xpu1/device')
    fds = [os.open(p, os.O_RDONLY) for p in glob.glob('/sys/class/alink/xpu1/*')
           if os.path.isfile(p) and os.access(p, os.R_OK)]
    driver = '/sys/bus/pci/drivers/alink_xpu'
    with open(f'{driver}/unbind', 'w', encoding='ascii') as f:
        f.write(os.path.basename(pci))
    gone = []
    for fd in fds:
        try:
            os.pread(fd, 100, 0)
            gone.append(fd)
        except OSError as e:
            if e.errno != errno.ENODEV:
                gone.append(e.errno)
        os.close(fd)
    with open(f'{driver}/bind', 'w', encoding='ascii') as f:
        f.write(os.path.basename(pci))
    result('attributes that are open when the device goes say ENODEV',
           fds and not gone, str(gone[:3]))


def main():
    """All, and what there is to show for it."""
    calls, spec = sys.argv[1:3]
    listed = subprocess.run([calls], stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    numbers = {w[1]: int(w[2]) for w in map(str.split, listed.splitlines())
               if w[0] == 'command'}
    ops = operations(spec, numbers)
    print('TAP version 13')
    subprocess.run(['alink', 'fabric', 'up'], check=True)
    switch = index('sw0')
    xpu = Xpu(os.listdir('/sys/class/alink/xpu0/device/accel')[0]
              .removeprefix('accel'))
    shared = xpu.call('SEGMENT_EXPORT', rights=READ, handle=xpu.bo(HBM))
    segment = [u32(1, index('xpu0')), u32(2, shared.segment.segment)]
    test_messages(ops, switch, segment)
    test_twice(ops, switch)
    test_nested(ops, switch, segment)
    test_dump_across_changes(ops)
    test_sysfs()
    print(f'1..{guest_calls.NUMBER}')
    sys.exit(1 if guest_calls.FAILED else 0)


if __name__ == '__main__':
    main()
