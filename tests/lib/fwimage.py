# SPDX-License-Identifier: GPL-2.0-only
"""Images of firmware for tests, as Documentation/hw/firmware.rst has them: what
"alink fw pack" made, and what can be spoilt in it.
"""
import hashlib
import os
import struct
import subprocess
import tempfile

# Where the kernel looks for firmware first
SEARCH = '/sys/module/firmware_class/parameters/path'
KINDS = ('xpu', 'switch', 'nic')
# magic, format, header_len, devtype, version, variants, security, payload_len,
# reserved, sha256
HEADER = '<IHHIIQII64s32s'
MAGIC = 0x57464c41


def sealed(data):
    """The image with the digest that belongs to it."""
    return data[:96] + hashlib.sha256(data[:96] + data[128:]).digest() + \
        data[128:]


def changed(data, at, form, value):
    """With a field of the header changed, and the digest made to fit."""
    field = struct.pack(form, value)
    return sealed(data[:at] + field + data[at + len(field):])


def bad(good):
    """(spoilt image, what must be said of it), whatever it is to be for."""
    payload = len(good) - 128
    return [
        (b'', 'truncated: 0 bytes'),
        (good[:127], 'truncated: 127 bytes'),
        (good[:128], 'truncated: 0 bytes of a payload_len'),
        (good[:-1], f'truncated: {payload - 1} bytes of a payload_len'),
        (good + b'\0', '1 bytes behind a payload_len'),
        (changed(good, 0, '<I', 1), 'magic is 0x00000001'),
        (changed(good, 4, '<H', 2), 'format 2, 1 is known'),
        (changed(good, 6, '<H', 132), 'header_len of 132'),
        (changed(good, 28, '<I', 0), 'payload_len of 0'),
        (changed(good, 28, '<I', 100), 'payload_len of 100'),
        (changed(good, 92, '<I', 1), 'reserved'),
        (good[:-1] + bytes([good[-1] ^ 1]), 'sha256 does not match'),
        (good[:15] + bytes([good[15] ^ 0x20]) + good[16:],
         'sha256 does not match'),
        (good[:100] + bytes(4) + good[104:], 'sha256 does not match')]


def pack(folder, name, kind, version):
    """In the guest: one more image of what offer() has put into the folder."""
    subprocess.run(['alink', 'fw', 'pack', os.path.join(folder, 'payload'),
                    os.path.join(folder, name), 'type', kind,
                    'version', version], check=True)


def offer(version='9.0.0', size=4096):
    """In the guest: a folder with KIND.img for each kind of device, where the
    kernel finds them; its path."""
    folder = tempfile.mkdtemp(prefix='firmware', dir='/run')
    with open(os.path.join(folder, 'payload'), 'wb') as f:
        f.write(os.urandom(size))
    for kind in KINDS:
        pack(folder, f'{kind}.img', kind, version)
    with open(SEARCH, 'w', encoding='ascii') as f:
        f.write(folder)
    return folder
