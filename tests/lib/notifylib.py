# SPDX-License-Identifier: GPL-2.0-only
"""What a service tells systemd, where a test takes the part of systemd."""
import os
import queue
import socket
import threading
import time


class Notify:
    """A socket for NOTIFY_SOCKET; what came through it, with when. As with
    systemd it is read at once: a service would wait when it is full."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'notify')
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        # The service is another user.
        os.chmod(self.path, 0o777)
        self.said, self.came = [], queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        """Until the socket is shut"""
        while text := self.socket.recv(65536).decode():
            self.came.put((time.monotonic(), dict(
                line.split('=', 1) for line in text.split('\n') if line)))

    def env(self, watchdog_s=None):
        """Variables of the service, beside those that are there"""
        out = dict(os.environ, NOTIFY_SOCKET=self.path)
        if watchdog_s:
            out['WATCHDOG_USEC'] = str(int(watchdog_s * 1000000))
        return out

    def take(self, seconds):
        """The next message, as a dictionary; None: none in that time"""
        try:
            self.said.append(self.came.get(timeout=max(seconds, 0.001)))
        except queue.Empty:
            return None
        return self.said[-1][1]

    def until(self, key, seconds):
        """The next message that has that."""
        end = time.monotonic() + seconds
        while (message := self.take(end - time.monotonic())) is None or \
                key not in message:
            assert time.monotonic() < end, (key, self.said)
        return message

    def listen(self, seconds):
        """Takes what comes in that time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.take(end - time.monotonic())

    def gaps(self):
        """Seconds between each WATCHDOG=1 and the next"""
        beats = [when for when, message in self.said if 'WATCHDOG' in message]
        return [b - a for a, b in zip(beats, beats[1:])]

    def drop(self):
        """Forgets what came, also what was not taken yet."""
        while self.take(0):
            pass
        self.said.clear()

    def close(self):
        """Nobody listens any more."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.reader.join()
        self.socket.close()
        os.unlink(self.path)
