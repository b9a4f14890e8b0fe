# SPDX-License-Identifier: GPL-2.0-only
"""What Python tests in the guest share: commands, files of sysfs, properties of
the models, and what runs them.
"""
import errno
import json
import os
import re
import subprocess
import sys
import tempfile
import time

# pylint: disable-next=unused-import
from taplib import main  # noqa: F401, for those who take it from here

SKIP = 4
# Seconds after which something hangs: a debug kernel, emulated, on a machine
# that others use too, is slow.
PATIENCE = 240


def skip(why):
    """Ends the program as skipped."""
    print(f'skipped: {why}')
    sys.exit(SKIP)


def sh(*args, check=True, timeout=PATIENCE):
    """Output of a command; its failure is an error unless told otherwise."""
    done = subprocess.run(args, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise AssertionError(f'{" ".join(args)}: status {done.returncode}: '
                             f'{done.stdout.strip()}')
    return done.stdout


def fails(*args, says=None):
    """The command must fail, and say something."""
    done = subprocess.run(args, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True, timeout=PATIENCE, check=False)
    assert done.returncode, f'{" ".join(args)} should have failed'
    if says:
        assert re.search(says, done.stdout), (args, done.stdout)
    return done.stdout


class Worker:
    """A program that works in the background until it is told to stop. One that
    stops by itself has done less than its test claims."""

    def __init__(self, *args):
        self.args = args
        # pylint: disable-next=consider-using-with
        self.said = tempfile.TemporaryFile(dir='/run')
        # pylint: disable-next=consider-using-with
        self.child = subprocess.Popen(args, stdin=subprocess.DEVNULL,
                                      stdout=self.said, stderr=self.said)

    def died(self):
        """How it ended, and the last that it said; '' as long as it works."""
        status = self.child.poll()
        if status is None:
            return ''
        self.said.seek(0)
        text = ' / '.join(self.said.read().decode(errors='replace').split('\n'))
        return f'{" ".join(self.args)[:60]}: status {status}: {text[-400:]}'

    def stop(self):
        """Ends it; what died() had to say before."""
        died = self.died()
        self.child.kill()
        self.child.wait(PATIENCE)
        self.said.close()
        return died


def wait_for(what, condition, seconds=60):
    """Polls until the condition holds."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f'{what}: not within {seconds} s'
        time.sleep(0.05)
    return value


def write(path, text):
    """Writes to a file of sysfs."""
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def read(path):
    """Reads a file of sysfs."""
    with open(path, 'rb', buffering=0) as f:
        data = f.read()
    if data is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
    return data.decode().strip()


# --- the model ---------------------------------------------------------------

def qmp(command, **arguments):
    """Runs a QMP command, through the port that the launcher serves."""
    port = os.environ.get('ALINK_QMP')
    if not port:
        skip('no QMP port: run by alink-vm')
    with open(port, 'r+b', buffering=0) as f:
        f.write(json.dumps({'execute': command,
                            'arguments': arguments}).encode() + b'\n')
        line = b''
        while not line.endswith(b'\n'):
            line += f.read(65536)
    answer = json.loads(line)
    assert 'error' not in answer, (command, arguments, answer)
    return answer.get('return')


def knob(device, name, value):
    """Sets a property of a model."""
    qmp('qom-set', path=f'/machine/peripheral/{device}', property=name,
        value=value)


def model(device, name):
    """Reads a property of a model."""
    return qmp('qom-get', path=f'/machine/peripheral/{device}', property=name)


# --- running -----------------------------------------------------------------
