# SPDX-License-Identifier: GPL-2.0-only
"""Tests of firmware updates by devlink, for any device that has them: each
driver's folder says which device, and runs them.
"""
import atexit
import contextlib
import errno
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(__file__), '..', 'trust'))

# pylint: disable=wrong-import-position
import fwimage  # noqa: E402
import uapi  # noqa: E402
from guestlib import (PATIENCE, fails, knob, model, read, sh,  # noqa: E402
                      wait_for, write)

# How long the device takes for 1 KiB, and how long if one is to be in time.
QUICK_US, SLOW_US = 500, 20000
# How long a reset takes in which something is to happen
RESET_US = 3000000
# What the device may say of its flash that the driver must not believe
LIES = ('missing', 'type', 'length', 'running', 'next', 'chunk', 'large',
        'align')


class Flashing:
    """A flash that runs: devlink on a terminal, where it shows percentages."""

    def __init__(self, device, image):
        self.terminal, end = pty.openpty()
        self.child = subprocess.Popen(
            ['devlink', 'dev', 'flash', device.handle, 'file', image],
            stdin=subprocess.DEVNULL, stdout=end, stderr=end,
            start_new_session=True)
        os.close(end)
        self.said = ''

    def more(self, seconds):
        """Takes what it says within some time; False when it has ended."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            # How the end of the other side is told
            return False
        self.said += data.decode(errors='replace')
        return bool(data)

    def percent(self):
        """All percentages so far."""
        return [int(n) for n in re.findall(r'(\d+)%', self.said)]

    def begun(self):
        """Waits until the device has begun to write."""
        end = time.monotonic() + PATIENCE
        while not any(self.percent()):
            assert self.more(1), f'ended early: {self.said}'
            assert time.monotonic() < end, f'does not begin: {self.said}'
        return self

    def kill(self):
        """Ends devlink, both of its processes."""
        os.killpg(self.child.pid, signal.SIGKILL)

    def end(self):
        """Waits for its end; its exit status."""
        end = time.monotonic() + PATIENCE
        while self.more(1):
            assert time.monotonic() < end, f'does not end: {self.said}'
        os.close(self.terminal)
        return self.child.wait(PATIENCE)

    def failed(self, says):
        """It must fail, and say why."""
        status = self.end()
        assert status, f'should have failed: {self.said}'
        assert re.search(says, self.said), (says, self.said)


class Device:
    """A device, and the tests."""

    def __init__(self, kind, name, driver):
        self.kind, self.name = kind, name
        self.pci = os.path.basename(
            os.path.realpath(f'/sys/class/alink/{name}/device'))
        self.handle = f'pci/{self.pci}'
        self.driver = f'/sys/bus/pci/drivers/{driver}'
        self.folder = tempfile.mkdtemp(prefix='firmware', dir='/run')
        self.number = 0
        self.security = 1
        atexit.register(self.leave, read(fwimage.SEARCH))
        write(fwimage.SEARCH, self.folder)

    def leave(self, search):
        """Nothing is left in the kernel, nor in the model's knobs."""
        # An empty write changes nothing; the kernel cuts off a line feed.
        write(fwimage.SEARCH, search or '\n')
        knob(self.name, 'x-flash-kib-us', QUICK_US)
        knob(self.name, 'x-flash-lie', 'none')
        shutil.rmtree(self.folder)

    # --- what there is --------------------------------------------------------

    def versions(self):
        """{'running': {}, 'stored': {}}; waits for the end of a flash."""
        info = json.loads(sh('devlink', '-j', 'dev', 'info', self.handle))
        return info['info'][self.handle]['versions']

    def running(self):
        """Version that runs, and every place that tells says the same."""
        version = self.versions()['running']['fw']
        assert read(f'/sys/class/alink/{self.name}/fw_version') == version
        return version

    def stored(self):
        """Version that the next reset starts, and what the banks hold."""
        stored = self.versions()['stored']
        return stored['fw'], sorted((stored['fw.bank0'], stored['fw.bank1']))

    def untouched(self, running, banks):
        """Nothing has changed."""
        assert self.running() == running
        assert self.stored() == (running, banks), (self.stored(), banks)

    def cut_off(self, running):
        """An update ended before its time: what ran runs, and starts next."""
        assert self.running() == running
        assert self.stored() == (running, sorted([running, 'invalid'])), \
            self.stored()
        self.works()

    def works(self):
        """It is ready, and no mistake was counted."""
        top = f'/sys/class/alink/{self.name}'
        wait_for('ready', lambda: read(f'{top}/state') == 'ready', PATIENCE)
        assert read(f'{top}/guest_errors') == '0'

    # --- what is done ---------------------------------------------------------

    def next_version(self):
        """One that nobody has had."""
        self.number += 1
        return f'2.0.{self.number}'

    def variant(self):
        """Variant of the device."""
        return int(read(f'/sys/class/alink/{self.name}/variant'), 0)

    def pack(self, version, size=65536, **options):
        """Makes an image; its name and contents."""
        name = f'image-{version}'
        path = os.path.join(self.folder, name)
        payload = os.path.join(self.folder, 'payload')
        with open(payload, 'wb') as f:
            f.write(os.urandom(size))
        options = {'type': self.kind, 'variant': self.variant(),
                   'security': self.security, **options}
        sh('alink', 'fw', 'pack', payload, path, 'version', version,
           *(str(x) for pair in options.items() for x in pair))
        with open(path, 'rb') as f:
            return name, f.read()

    def flash(self, image, *more):
        """Flashes it; what devlink said."""
        return sh('devlink', 'dev', 'flash', self.handle, 'file', image, *more)

    def refuses(self, image, says, *more):
        """The image is refused, with these words."""
        fails('devlink', 'dev', 'flash', self.handle, 'file', image, *more,
              says=re.escape(says))

    def refuses_with(self, error, image):
        """The image is refused with this errno, which devlink keeps back."""
        enum = uapi.enums('/usr/include/linux/devlink.h')
        try:
            uapi.Genl('devlink').call(
                enum['DEVLINK_CMD_FLASH_UPDATE'],
                uapi.attr(enum['DEVLINK_ATTR_BUS_NAME'], 'pci') +
                uapi.attr(enum['DEVLINK_ATTR_DEV_NAME'], self.pci) +
                uapi.attr(enum['DEVLINK_ATTR_FLASH_UPDATE_FILE_NAME'], image))
        except OSError as err:
            assert err.errno == error, err
        else:
            raise AssertionError('should have failed')

    def put(self, data):
        """A file with these contents; its name."""
        with open(os.path.join(self.folder, 'bad'), 'wb') as f:
            f.write(data)
        return 'bad'

    def reset(self):
        """A function-level reset."""
        write(f'/sys/bus/pci/devices/{self.pci}/reset', '1')

    def activate(self):
        """devlink's way to start what is stored"""
        out = sh('devlink', 'dev', 'reload', self.handle, 'action',
                 'fw_activate')
        assert 'fw_activate' in out, out

    def downgrade(self, allowed):
        """Whether older firmware is accepted."""
        sh('devlink', 'dev', 'param', 'set', self.handle, 'name',
           'fw_downgrade', 'value', 'true' if allowed else 'false', 'cmode',
           'runtime')

    @contextlib.contextmanager
    def slow(self, size=262144):
        """A flash that takes seconds, and has begun."""
        knob(self.name, 'x-flash-kib-us', SLOW_US)
        flashing = Flashing(self, self.pack(self.next_version(), size)[0])
        try:
            yield flashing.begun()
        finally:
            knob(self.name, 'x-flash-kib-us', QUICK_US)

    @contextlib.contextmanager
    def lying(self, lie):
        """What the device says of its flash is wrong, and it is asked."""
        told = model(self.name, 'lies-told')
        knob(self.name, 'x-flash-lie', lie)
        try:
            yield
        finally:
            knob(self.name, 'x-flash-lie', 'none')
        assert model(self.name, 'lies-told') > told, f'{lie}: nobody asked'

    def does_not_activate(self, says):
        """A reload that must fail, and say so."""
        fails('devlink', 'dev', 'reload', self.handle, 'action', 'fw_activate',
              says=says)

    # --- tests ----------------------------------------------------------------

    def test_update_and_activation(self):
        """Progress is seen, nothing changes until the reset, then it runs."""
        first, version = self.running(), self.next_version()
        assert self.stored()[0] == first
        image, _ = self.pack(version, 524288)
        flashing = Flashing(self, image)
        assert flashing.end() == 0, flashing.said
        for text in ('[fw] Checking', '[fw] Writing', '[fw] Verifying',
                     '[fw] Done'):
            assert text in flashing.said, flashing.said
        percent = flashing.percent()
        assert percent == sorted(percent) and percent[-1] == 100, percent
        assert len(set(percent)) > 10, percent
        assert self.running() == first
        assert self.stored() == (version, sorted([first, version]))
        self.activate()
        assert self.running() == version
        assert self.stored() == (version, sorted([first, version]))
        self.works()

    def test_any_reset_activates(self):
        """Also one through sysfs; a driver that comes and goes does not."""
        first, version = self.running(), self.next_version()
        self.flash(self.pack(version)[0])
        write(f'{self.driver}/unbind', self.pci)
        write(f'{self.driver}/bind', self.pci)
        assert self.running() == first
        assert self.stored()[0] == version
        self.reset()
        assert self.running() == version
        self.works()

    def test_activation_of_nothing(self):
        """With nothing new stored it is a reset; there is no other action."""
        top = f'/sys/class/alink/{self.name}'
        before, version = int(read(f'{top}/generation')), self.running()
        self.activate()
        assert int(read(f'{top}/generation')) == before + 1
        assert self.running() == version
        fails('devlink', 'dev', 'reload', self.handle, says='not supported')
        sh('ip', 'netns', 'add', 'firmware')
        try:
            fails('devlink', 'dev', 'reload', self.handle, 'netns', 'firmware',
                  'action', 'fw_activate', says='only supported for reinit')
        finally:
            sh('ip', 'netns', 'del', 'firmware')
        assert int(read(f'{top}/generation')) == before + 1
        self.works()

    def test_bad_images(self):
        """Each is refused by name, before the device has lost anything."""
        running, banks = self.running(), self.stored()[1]
        _, good = self.pack(self.next_version(), 4096)
        # The kernel gives no empty file to a driver.
        for data, says in fwimage.bad(good)[1:]:
            self.refuses(self.put(data), says)
            self.untouched(running, banks)
        self.refuses('no-such-image', 'failed to locate')

    def test_images_for_others(self):
        """Wrong type, wrong variant, too large."""
        running, banks = self.running(), self.stored()[1]
        version = self.next_version()
        for kind in {'xpu', 'switch', 'nic', 'rack'} - {self.kind}:
            image, _ = self.pack(version, type=kind)
            self.refuses(image, f'({kind}), not')
        others = ','.join(str(n) for n in range(64) if n != self.variant())
        image, _ = self.pack(version, variant=others)
        self.refuses(image, f'this is variant {self.variant()}')
        image, _ = self.pack(version, (16 << 20) + 16)
        self.refuses(image, f'there is room for {16 << 20}')
        self.untouched(running, banks)
        self.refuses(image, 'not supported by this device', 'component',
                     'fw.bank0')
        self.refuses(image, 'overwrite settings', 'overwrite', 'settings')
        self.flash(self.pack(version, variant='0-63')[0], 'component', 'fw')
        assert self.stored()[0] == version
        self.activate()

    def test_older_image(self):
        """Refused, unless the parameter allows it."""
        running, banks = self.running(), self.stored()[1]
        image, _ = self.pack('1.255.65535')
        self.refuses(image, f'older: 1.255.65535, {running} runs')
        self.untouched(running, banks)
        self.flash(self.pack(running)[0])
        self.downgrade(True)
        try:
            self.flash(image)
            self.activate()
            assert self.running() == '1.255.65535'
            shown = sh('devlink', 'dev', 'param', 'show', self.handle, 'name',
                       'fw_downgrade')
            assert 'true' in shown, shown
        finally:
            self.downgrade(False)
        self.flash(self.pack(running)[0])
        self.activate()
        assert self.running() == running
        self.works()

    def test_security_version(self):
        """Once a higher one has run, no parameter brings the lower one back."""
        version, low = self.next_version(), self.security
        self.security += 2
        self.flash(self.pack(version)[0])
        # Stored is not run: the lower one may still replace it.
        self.flash(self.pack(version, security=low)[0])
        self.flash(self.pack(version)[0])
        self.activate()
        banks = self.stored()[1]
        self.downgrade(True)
        try:
            for old in range(low, self.security):
                image, _ = self.pack(version, security=old)
                self.refuses(image, f'security version {old}, {self.security} '
                             'is the lowest')
        finally:
            self.downgrade(False)
        self.untouched(version, banks)
        self.works()

    def test_flash_of_another_agent(self):
        """Somebody else of the board has it: busy, and nothing is lost."""
        running, banks = self.running(), self.stored()[1]
        image, _ = self.pack(self.next_version())
        knob(self.name, 'x-flash-held', True)
        try:
            self.refuses(image, 'Another agent')
            self.untouched(running, banks)
        finally:
            knob(self.name, 'x-flash-held', False)
        self.flash(image)
        self.works()

    def test_two_at_once(self):
        """The second waits for the first; both succeed."""
        version = self.next_version()
        image, _ = self.pack(version)
        with self.slow(131072) as first:
            second = Flashing(self, image)
            # Who hears of both frees something twice, in iproute2 6.1.
            for flashing in first, second:
                assert flashing.end() in (0, -signal.SIGABRT), flashing.said
                assert 'Done' in flashing.said, flashing.said
        assert self.stored()[0] == version
        self.works()

    def test_bit_lost_in_flash(self):
        """What was right on its way is wrong in flash: the device finds it."""
        running = self.running()
        image, _ = self.pack(self.next_version())
        knob(self.name, 'x-flash-spoil', True)
        self.refuses(image, 'sha256 does not match what is in flash')
        self.cut_off(running)
        self.flash(image)

    def test_killed(self):
        """SIGKILL ends it in the middle."""
        running = self.running()
        with self.slow() as flashing:
            flashing.kill()
            flashing.end()
            self.cut_off(running)
        assert 100 not in flashing.percent(), flashing.said

    def test_reset_in_the_middle(self):
        """It fails, and what ran goes on."""
        running = self.running()
        with self.slow() as flashing:
            self.reset()
            flashing.failed('reset meanwhile')
        self.cut_off(running)

    def test_unbind_in_the_middle(self):
        """It fails, and does not hold up who unbinds until its end."""
        running = self.running()
        with self.slow() as flashing:
            write(f'{self.driver}/unbind', self.pci)
            flashing.failed('being removed')
        write(f'{self.driver}/bind', self.pci)
        self.cut_off(running)

    def test_gone_in_the_middle(self):
        """The device is pulled. When it is back it has what it had."""
        running = self.running()
        with self.slow() as flashing:
            knob(self.name, 'x-dead', True)
            flashing.failed('gone')
            self.does_not_activate('gone')
            self.refuses('no-such-image', 'failed to locate')
            write(f'{self.driver}/unbind', self.pci)
            knob(self.name, 'x-dead', False)
        write(f'{self.driver}/bind', self.pci)
        self.cut_off(running)

    def test_silent_in_the_middle(self):
        """It does not answer any more. When it does, the update that it has
        open is no obstacle."""
        running = self.running()
        with self.slow() as flashing:
            knob(self.name, 'x-admin-stuck', True)
            try:
                flashing.failed('does not answer')
            finally:
                knob(self.name, 'x-admin-stuck', False)
        assert self.running() == running
        version = self.next_version()
        self.flash(self.pack(version)[0])
        self.activate()
        assert self.running() == version
        self.works()

    def test_lies_about_flash(self):
        """What cannot be is not believed, and nothing is written; what is
        known without it is told all the same."""
        running, banks = self.running(), self.stored()[1]
        version = self.next_version()
        image, _ = self.pack(version)
        for lie in LIES:
            with self.lying(lie):
                self.refuses(image, 'breaks the contract')
                self.refuses_with(errno.EPROTO, image)
                assert self.running() == running
                assert 'stored' not in self.versions(), lie
            self.untouched(running, banks)
        # Nobody knows what is in a bank then; that is no reason to keep it.
        with self.lying('state'):
            assert self.stored()[1] == ['invalid', 'invalid']
            self.flash(image)
        assert self.stored() == (version, sorted([running, version]))
        self.works()

    def test_lies_about_activation(self):
        """A reload needs nobody who tells what is next, and believes nobody
        who tells of another bank, or of none, afterwards."""
        version = self.next_version()
        self.flash(self.pack(version)[0])
        with self.lying('next'):
            self.activate()
        assert self.running() == version
        version = self.next_version()
        self.flash(self.pack(version)[0])
        with self.lying('other'):
            self.does_not_activate(f'started firmware {version} of bank [01], '
                                   f'{version} of bank [01] was next')
        assert self.running() == version
        knob(self.name, 'x-reset-us', RESET_US)
        try:
            with subprocess.Popen(
                    ['devlink', 'dev', 'reload', self.handle, 'action',
                     'fw_activate'], stdout=subprocess.PIPE, text=True,
                    stderr=subprocess.STDOUT) as child:
                wait_for('reset', lambda: read(
                    f'/sys/class/alink/{self.name}/state') != 'ready')
                with self.lying('length'):
                    said, _ = child.communicate(timeout=PATIENCE)
        finally:
            knob(self.name, 'x-reset-us', 0)
        assert child.returncode, said
        assert 'does not tell what it started: -EPROTO' in said, said
        assert self.running() == version
        self.activate()
        self.works()

    def tests(self):
        """All, in this order."""
        return [getattr(self, name) for name in vars(Device)
                if name.startswith('test_')]
