# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of the fabric manager share: a manager, and what there is."""
import contextlib
import json
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import PATIENCE, knob, read, sh, wait_for  # noqa: E402

WHERE = '/run/fm-test'
CONFIG, STATE, LOG = (f'{WHERE}/{n}' for n in ('conf', 'state', 'log'))
NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
BEAT_MS = 2000
HOLD_MS = 300
# Largest size of a load that lasts longer than a test, which takes its time on the
# debug kernel
LONG = '1M' if '-alink-' in os.uname().release else '64K'
# Exit codes of alinkfmd
PERMISSION, BAD_CONFIG, MANAGED, BAD_STATE = 4, 6, 7, 8
SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), 'tools', 'alinkfmd')


def alink(*args, prefix=()):
    """Exit code, standard output, standard error."""
    done = subprocess.run([*prefix, 'alink', *args], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr.strip()


def data(*args):
    """Data of the JSON document of a command that must succeed."""
    code, out, err = alink('-j', *args)
    assert (code, err) == (0, ''), (args, code, out, err)
    return json.loads(out)['data']


def configure(text='', state_file=STATE):
    """Writes the configuration."""
    os.makedirs(WHERE, exist_ok=True)
    with open(CONFIG, 'w', encoding='utf-8') as f:
        f.write(f'heartbeat_ms = {BEAT_MS}; hold_ms = {HOLD_MS};\n'
                f'state_file = "{state_file}";\n{text}\n')


def daemon(*args, prefix=()):
    """One that ends by itself: status and standard error."""
    done = subprocess.run([*prefix, 'alinkfmd', *args], capture_output=True,
                          text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stderr.strip()


def like_a_host():
    """For a program whose manager is a service: its user and groups are there,
    and /run/alink, which here is the launcher's, is a folder as on any host."""
    if 'FM_LIKE_A_HOST' not in os.environ:
        os.execvp('unshare', ['unshare', '--mount', 'env', 'FM_LIKE_A_HOST=1',
                              *sys.argv])
    sh('systemd-sysusers', os.path.join(SOURCE, 'alinkfmd.sysusers'))
    sh('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run/alink')


def in_group(name):
    """Prefix of a command: somebody who is in this group only"""
    return ['setpriv', '--reuid', '65534', '--regid', '65534', '--groups',
            name]


def log():
    """What managers have said so far."""
    with open(LOG, encoding='utf-8') as f:
        return f.read()


class Manager:
    """A manager that runs, with the configuration that is there; by default one
    without a past, until the fabric is whole. more: for Popen."""

    latest = None

    def __init__(self, anew=True, whole=True, prefix=(), **more):
        # A test that failed leaves none behind.
        if Manager.latest and not Manager.latest.died():
            Manager.latest.kill()
        if anew and os.path.exists(STATE):
            os.unlink(STATE)
        # It is what the kernel writes at the end of each line that counts.
        with open(LOG, 'w', encoding='utf-8') as out:
            # pylint: disable-next=consider-using-with
            self.child = subprocess.Popen(
                [*prefix, 'alinkfmd', '--config', CONFIG],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, **more)
        Manager.latest = self
        try:
            wait_for('the manager', lambda: self.died() or (
                manager()['pid'] == self.child.pid and
                os.path.exists('/run/alink/fm.sock')), PATIENCE)
            assert not self.died(), log()
            if whole:
                self.wait()
        except BaseException:
            self.child.kill()
            self.child.wait(PATIENCE)
            raise

    def died(self):
        """Whether it has ended"""
        return self.child.poll() is not None

    def wait(self, *args):
        """Until all is as it should be, or degraded if args say so."""
        code, _, err = alink('fm', 'wait', '--timeout', str(PATIENCE), *args)
        assert not code, (err, log())

    def kill(self, how=signal.SIGKILL):
        """Ends it; its exit status."""
        self.child.send_signal(how)
        self.child.send_signal(signal.SIGCONT)
        return self.child.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.died():
            assert self.kill(signal.SIGTERM) == 0, log()


def manager():
    """Who manages the fabric, as the kernel knows"""
    code, out, _ = alink('-j', 'fm', 'show')
    return json.loads(out)['data'] if not code else {'pid': None}


def stages():
    """Stage and cause of each xPU, the partition that it should be in"""
    return {x['xpu']: (x['stage'], x['cause'], x['partition'])
            for x in data('fm', 'show')['xpus']}


def become(xpu, stage, cause=''):
    """Waits until the xPU is there, for that cause."""
    def there():
        found = stages().get(xpu)
        return found and found[0] == stage and \
            re.search(cause, found[1] or '')
    try:
        wait_for(f'xPU {xpu}: {stage}', there, PATIENCE)
    except AssertionError as err:
        raise AssertionError(f'{err}: {stages()}: {log()}') from err


def partitions():
    """Partition of each endpoint, which all switches agree about"""
    found = {}
    for row in data('partition', 'show'):
        assert found.setdefault(row['endpoint'], row['partition']) == \
            row['partition'], row
    return {e: p for e, p in found.items() if p}


def name_of(kind, number):
    """What the kernel calls an xPU or a switch: names are given out anew to who
    comes back. None if it is not there."""
    key = {'xpu': 'fabric_id', 'switch': 'plane'}[kind]
    return next((d['name'] for d in data('list', kind)
                 if d[key] == number), None)


def set_link(xpu, link, *hows):
    """Up or down, as the administrator wants it"""
    for how in hows:
        subprocess.run(['ip', 'link', 'set', f'{name_of("xpu", xpu)}p{link}',
                        how], check=True)


def usable(a, b):
    """Links of the way between two xPUs"""
    code, out, _ = alink('-j', 'path', name_of('xpu', a) or '-',
                         name_of('xpu', b) or '-')
    return 0 if code else json.loads(out)['data']['usable_links']


def driver(name):
    """PCI address and folder of the driver of a device"""
    pci = os.path.realpath(f'/sys/class/alink/{name}/device')
    return os.path.basename(pci), os.path.realpath(f'{pci}/driver')


@contextlib.contextmanager
def stuck(switch):
    """It answers no command."""
    knob(switch, 'x-admin-stuck', True)
    try:
        yield
    finally:
        knob(switch, 'x-admin-stuck', False)


def state(name):
    """As sysfs has it; None if it is not there"""
    try:
        return read(f'/sys/class/alink/{name}/state')
    except OSError:
        return None
