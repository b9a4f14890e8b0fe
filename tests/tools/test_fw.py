#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink fw: images as Documentation/hw/firmware.rst has them, and what is said
of bad ones; ALINK names the program. TAP."""
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'lib'))

# pylint: disable=wrong-import-position
from fwimage import HEADER, MAGIC, bad, changed, sealed  # noqa: E402
from taplib import main, tests_of  # noqa: E402

ALINK = os.environ.get('ALINK', 'alink')
TYPES = {'xpu': 1, 'switch': 2, 'optics': 3, 'nic': 4, 'rack': 5}


class Folder:
    """Where images are made."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.image = self.path('image')

    def path(self, name):
        """A file."""
        return os.path.join(self.dir.name, name)

    def write(self, name, data):
        """Its contents."""
        with open(self.path(name), 'wb') as f:
            f.write(data)
        return self.path(name)

    def read(self):
        """What is in the image."""
        with open(self.image, 'rb') as f:
            return f.read()

    @staticmethod
    def alink(*args):
        """Exit code, standard output, standard error."""
        done = subprocess.run([ALINK, *args], capture_output=True, text=True,
                              timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def pack(self, payload, *args):
        """Makes the image."""
        return self.alink('fw', 'pack', self.write('payload', payload),
                          self.image, *args)

    def good(self, payload=b'firmware' * 100):
        """An image, made."""
        done = self.pack(payload, 'type', 'xpu', 'version', '1.2.3')
        assert done == (0, '', ''), done
        return self.read()


def test_layout():
    """Each field where the document has it, the digest over all the rest."""
    here = Folder()
    for kind, number in TYPES.items():
        payload = os.urandom(4096 + number)
        done = here.pack(payload, 'type', kind, 'version', '200.7.40000',
                         'variant', '1,17-18,63', 'security', '9')
        assert done == (0, '', ''), done
        data = here.read()
        padded = payload + b'\0' * (-len(payload) % 16)
        assert data[128:] == padded
        assert data == sealed(data)
        assert struct.unpack(HEADER, data[:128])[:9] == (
            MAGIC, 1, 128, number, 200 << 24 | 7 << 16 | 40000,
            1 << 1 | 3 << 17 | 1 << 63, 9, len(padded), b'\0' * 64)


def test_defaults():
    """All variants, security version 1."""
    data = Folder().good()
    fields = struct.unpack(HEADER, data[:128])
    assert fields[5:7] == (2 ** 64 - 1, 1), fields


def test_digest():
    """Of every length up to some blocks, where padding goes wrong."""
    here = Folder()
    for length in list(range(16, 400, 16)) + [65536, 1 << 20]:
        data = here.good(os.urandom(length))
        assert len(data) == 128 + length
        assert data == sealed(data), length


def test_show():
    """As text and as JSON."""
    here = Folder()
    here.pack(b'x' * 100, 'type', 'switch', 'version', '3.0.12', 'variant',
              '1-2', 'security', '2')
    digest = here.read()[96:128].hex()
    code, out, err = here.alink('fw', 'show', here.image)
    assert (code, err) == (0, ''), (code, err)
    assert [line.split(None, 1) for line in out.splitlines()] == [
        ['type', 'switch (2)'], ['version', '3.0.12'], ['variants', '1-2'],
        ['security', '2'], ['payload', '112 bytes'], ['sha256', digest]], out
    code, out, err = here.alink('-j', 'fw', 'show', here.image)
    assert (code, err) == (0, ''), (code, err)
    assert json.loads(out) == {
        'schema': 'alink.firmware', 'version': 1, 'data': {
            'type': 'switch', 'devtype': 2, 'version': '3.0.12',
            'variants': [1, 2], 'security': 2, 'payload_bytes': 112,
            'sha256': digest}}, out
    # A type that the tool does not know is no reason not to show it.
    here.write('image', changed(here.read(), 8, '<I', 77))
    code, out, _ = here.alink('-j', 'fw', 'show', here.image)
    assert (code, json.loads(out)['data']['devtype']) == (0, 77), out


def test_bad_images():
    """Each is refused with 1, and a text that names what is wrong."""
    here = Folder()
    for data, says in bad(here.good()):
        here.write('image', data)
        code, out, err = here.alink('fw', 'show', here.image)
        assert (code, out) == (1, '') and says in err, (says, code, err)
        assert here.image in err, err
        code, out, err = here.alink('-j', 'fw', 'show', here.image)
        doc = json.loads(out)
        assert code == 1 and err == '' and doc['schema'] == 'alink.error'
        assert says in doc['error']['message'], doc


def test_usage():
    """Mistakes on the command line: 2, a text, and no image."""
    here = Folder()
    payload = here.write('payload', b'x' * 16)
    need = ['type', 'xpu', 'version', '1.2.3']
    for args, says in (
            ([], 'usage'), ([payload], 'usage'),
            ([payload, here.image], 'type is missing'),
            ([payload, here.image, 'type', 'xpu'], 'version is missing'),
            ([payload, here.image, 'type'], 'its value is missing'),
            ([payload, here.image, 'type', 'toaster'], 'toaster'),
            ([payload, here.image, 'colour', 'red'], 'not known here: colour'),
            *(([payload, here.image, 'type', 'xpu', 'version', v], v)
              for v in ('1', '1.2', '1.2.3.4', '256.0.0', '0.256.0',
                        '0.0.65536', '1.2.x', '-1.2.3', ' 1.2.3', '1..3')),
            *(([payload, here.image, *need, 'variant', v], v)
              for v in ('64', '1-64', 'a', '3-1')),
            *(([payload, here.image, *need, 'security', v], v)
              for v in ('-1', '4294967296', 'x'))):
        code, out, err = here.alink('fw', 'pack', *args)
        assert (code, out) == (2, '') and says in err, (args, code, err)
        assert not os.path.exists(here.image), args
    for args in ([], [payload, 'more']):
        code, out, err = here.alink('fw', 'show', *args)
        assert (code, out) == (2, '') and 'usage' in err, (args, code, err)
    code, out, err = here.alink('fw', 'peel')
    assert (code, out) == (2, '') and 'no such verb: peel' in err, err


def test_files():
    """Files that are not there, not readable as such, not writable: 1."""
    here = Folder()
    need = ['type', 'nic', 'version', '1.2.3']
    payload = here.write('payload', b'x' * 16)
    empty = here.write('empty', b'')
    nowhere = here.path('no/such/folder')
    for args, says in (
            (['pack', nowhere, here.image, *need], 'No such file'),
            (['pack', here.dir.name, here.image, *need], 'not a regular file'),
            (['pack', '/dev/null', here.image, *need], 'not a regular file'),
            (['pack', empty, here.image, *need], 'is empty'),
            (['pack', payload, nowhere, *need], 'No such file'),
            (['show', nowhere], 'No such file'),
            (['show', here.dir.name], 'not a regular file')):
        code, out, err = here.alink('fw', *args)
        assert (code, out) == (1, '') and says in err, (args, code, err)
        assert not os.path.exists(here.image), args
    if os.path.exists('/dev/full'):
        code, out, err = here.alink('fw', 'pack', payload, '/dev/full', *need)
        assert (code, out) == (1, '') and 'No space left' in err, err


if __name__ == '__main__':
    main(*tests_of(globals()))
