# SPDX-License-Identifier: GPL-2.0-only
"""Requests of the netlink family "ethtool", for what the ethtool of Debian 12
does not print: answers as numbers, and why a request was refused.
"""
import os
import socket
import struct

GENERIC, SOL_NETLINK, CAP_ACK, EXT_ACK = 16, 270, 10, 11
CTRL, GETFAMILY, FAMILY_ID, FAMILY_NAME = 0x10, 3, 1, 2
REQUEST, ACK, ERROR, NESTED, STATS = 1, 4, 2, 0x8000, 4

LINKSTATE_GET, LINK, EXT_DOWN_CNT = 6, 2, 7
# Of IEEE 802.3 media, which links are not
LINKMODES_SET, PAUSE_GET, PAUSE_SET = 5, 21, 22


def attr(kind, data):
    """One attribute, padded."""
    return struct.pack('=HH', 4 + len(data), kind) + data + \
        bytes(-len(data) % 4)


def attrs(data):
    """Payloads by type."""
    found, pos = {}, 0
    while pos + 4 <= len(data):
        size, kind = struct.unpack_from('=HH', data, pos)
        found[kind & 0x3fff] = data[pos + 4:pos + size]
        pos += (size + 3) & ~3
    return found


class Refused(OSError):
    """The errno, and what extack says."""


class Ethnl:
    """A socket of the family."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, GENERIC)
        self.sock.bind((0, 0))
        self.sock.setsockopt(SOL_NETLINK, CAP_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        self.family = CTRL
        found = self.call(GETFAMILY, attr(FAMILY_NAME, b'ethtool\0'))
        self.family = struct.unpack('=H', found[FAMILY_ID])[0]

    def call(self, cmd, body):
        """Attributes of the answer, of which there may be none."""
        self.sock.send(struct.pack('=IHHIIBBH', 20 + len(body), self.family,
                                   REQUEST | ACK, 0, 0, cmd, 1, 0) + body)
        answer = {}
        while True:
            data = self.sock.recv(65536)
            while data:
                size, kind = struct.unpack_from('=IH', data)
                if kind == ERROR:
                    code = struct.unpack_from('=i', data, 16)[0]
                    if not code:
                        return answer
                    # What CAP_ACK leaves of the request is its header.
                    why = attrs(data[36:size]).get(1, b'').rstrip(b'\0')
                    raise Refused(-code, why.decode() or os.strerror(-code))
                answer = attrs(data[20:size])
                data = data[(size + 3) & ~3:]

    def request(self, cmd, netdev, body=b'', stats=False):
        """A request about a netdev."""
        head = attr(2, netdev.encode() + b'\0')
        if stats:
            head += attr(3, struct.pack('=I', STATS))
        return self.call(cmd, attr(1 | NESTED, head) + body)

    def carrier(self, netdev):
        """Whether the stack sees a carrier."""
        return self.request(LINKSTATE_GET, netdev)[LINK] == b'\1'

    def downs(self, netdev):
        """How often the link went down."""
        found = self.request(LINKSTATE_GET, netdev, stats=True)
        return struct.unpack('=I', found[EXT_DOWN_CNT])[0]
