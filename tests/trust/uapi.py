# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's interfaces as their headers and specs state them: structures,
ioctl numbers, enumerations, netlink operations. Nothing is listed here by
hand, so that what a test derives from it cannot forget a new call.
"""
import ctypes
import os
import re
import socket
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
XPU_H = os.path.join(ROOT, 'include', 'uapi', 'drm', 'alink_xpu.h')
ALINK_H = os.path.join(ROOT, 'include', 'uapi', 'linux', 'alink.h')
SPEC = os.path.join(ROOT, 'Documentation', 'netlink', 'specs', 'alink.yaml')
DRM_COMMAND_BASE = 0x40

SCALARS = {'__u8': ctypes.c_uint8, '__u16': ctypes.c_uint16,
           '__u32': ctypes.c_uint32, '__u64': ctypes.c_uint64,
           '__s32': ctypes.c_int32, '__s64': ctypes.c_int64,
           'char': ctypes.c_char}


def text(path):
    """A header without its comments and continued lines."""
    with open(path, encoding='utf-8') as f:
        src = re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)
    return src.replace('\\\n', ' ')


def structs(path):
    """ctypes classes of a header's structures, by name."""
    out = {}
    for name, body in re.findall(r'^struct (\w+) \{(.*?)^\};', text(path),
                                 re.S | re.M):
        fields = []
        for kind, field, many in re.findall(
                r'^\s*(?:struct )?(\w+) (\w+)(?:\[(\d+)\])?;', body, re.M):
            ctype = SCALARS.get(kind) or out[kind]
            fields.append((field, ctype * int(many) if many else ctype))
        out[name] = type(name, (ctypes.Structure,), {'_fields_': fields})
    return out


def ioctls(path=XPU_H, prefix='DRM_ALINK_XPU_'):
    """{name: (request, structure)} of a DRM header."""
    src, kinds = text(path), structs(path)
    number = {n: int(v, 0) for n, v in re.findall(
        rf'^#define ({prefix}\w+)\s+(0x[0-9a-f]+)$', src, re.M)}
    out = {}
    for way, name, kind in re.findall(
            r'DRM_IO(W|R|WR)\(DRM_COMMAND_BASE \+ (\w+),\s*struct (\w+)\)',
            src):
        direction = {'W': 1, 'R': 2, 'WR': 3}[way]
        request = (direction << 30 | ctypes.sizeof(kinds[kind]) << 16 |
                   ord('d') << 8 | DRM_COMMAND_BASE + number.pop(name))
        out[name.removeprefix(prefix)] = (request, kinds[kind])
    assert out and not number, f'no ioctl for {sorted(number)}'
    return out


def enums(path):
    """Values of all enumerations of a header that are plain sequences."""
    out = {}
    for body in re.findall(r'enum \w* ?\{(.*?)\}', text(path), re.S):
        value = -1
        for item in body.split(','):
            name, _, given = (p.strip() for p in item.partition('='))
            if not name:
                continue
            try:
                value = int(given, 0) if given else value + 1
            except ValueError:
                value = out.get(given, value)
            out[name] = value
    return out


def operations(path=SPEC):
    """{name: set of "do", "dump", "admin"} of a netlink spec; no
    notifications."""
    with open(path, encoding='utf-8') as f:
        part = f.read().split('\noperations:\n')[1].split('\nmcast-groups')[0]
    out = {}
    for block in part.split('\n    -\n')[1:]:
        name = re.search(r'^      name: (\S+)', block, re.M).group(1)
        kinds = {k for k in ('do', 'dump')
                 if re.search(rf'^      {k}:', block, re.M)}
        if 'admin-perm' in block:
            kinds.add('admin')
        if kinds:
            out[name] = kinds
    return out


# --- generic netlink ----------------------------------------------------------

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
GENL_ID_CTRL, CTRL_GETFAMILY, CTRL_ATTR_ID, CTRL_ATTR_NAME = 16, 3, 1, 2


def attr(kind, data):
    """One attribute: int (32 bits), str or bytes."""
    if isinstance(data, int):
        data = struct.pack('=I', data)
    elif isinstance(data, str):
        data = data.encode() + b'\0'
    size = 4 + len(data)
    return struct.pack('=HH', size, kind) + data + b'\0' * (-size % 4)


def attrs(data):
    """{type: bytes} of the attributes in a message."""
    out = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from('=HH', data)
        out[kind & 0x3fff] = data[4:size]
        data = data[size + 3 & ~3:]
    return out


class Genl:
    """A socket to one generic netlink family."""

    def __init__(self, family, version=1):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW |
                                  socket.SOCK_CLOEXEC, 16)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                             struct.pack('=qq', 5, 0))
        self.version = version
        self.family = GENL_ID_CTRL
        got = self.call(CTRL_GETFAMILY, attr(CTRL_ATTR_NAME, family))
        self.family = struct.unpack('=H', attrs(got[0][20:])[CTRL_ATTR_ID])[0]

    def close(self):
        """Ends it."""
        self.sock.close()

    def message(self, cmd, body=b'', dump=False):
        """A request, ready to send."""
        flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
        return struct.pack('=IHHIIBBH', 20 + len(body), self.family, flags, 1,
                           0, cmd, self.version, 0) + body

    def talk(self, message):
        """Sends a request; the messages of the answer, or OSError."""
        self.sock.send(message)
        out = []
        while True:
            data = self.sock.recv(65536)
            while data:
                size, kind = struct.unpack_from('=IH', data)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    err = (struct.unpack_from('=i', data, 16)[0]
                           if size >= 20 else 0)
                    if err:
                        raise OSError(-err, os.strerror(-err))
                    return out
                out.append(data[:size])
                data = data[size + 3 & ~3:]

    def call(self, cmd, body=b'', dump=False):
        """message() and talk()."""
        return self.talk(self.message(cmd, body, dump))
