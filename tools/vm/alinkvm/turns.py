# SPDX-License-Identifier: GPL-2.0
"""Who of many VMs runs now.

Under TCG, guest processors that share one of the host's do less work: whoever
holds a lock loses the processor, and the others spin. Measured on two processors:
hot-plug in a guest of two took five times as long beside two lanes as alone, and
beside one guest of one both took a fifth longer than one after another. But other
guests of two keep little more than one busy (tests/nic: 1.07), and would waste the
host when they had it for themselves. So whoever starts many VMs at a time serves
turns, and each VM waits for one.

$ALINK_VM_TURNS is SOCKET:RANK; without it, nobody waits. A VM connects to the
socket, sends its number of processors and its rank as a line, waits for a line
in return, and runs as long as the connection is there.
"""
import contextlib
import os
import selectors
import socket
import sys
import tempfile
import threading
import time

from . import Error

VARIABLE = "ALINK_VM_TURNS"
# Processors of guests to each of the host, at most
MOST = 1.5
BEGINS = "its turn has come"


@contextlib.contextmanager
def turn(cpus):
    """Waits for so many processors, and has them in the meantime."""
    path, _, rank = os.environ.get(VARIABLE, "").rpartition(":")
    if not path:
        yield
        return
    with socket.socket(socket.AF_UNIX) as conn:
        try:
            conn.connect(path)
            conn.sendall(f"{cpus} {rank}\n".encode())
            answer = conn.recv(1)
        except OSError as e:
            raise Error(f"{VARIABLE}={path}: {e.strerror}") from e
        if not answer:
            raise Error(f"{VARIABLE}={path}: nobody serves turns any more")
        # Whoever takes times begins here (tests/trust/lanelib.py).
        print(BEGINS, file=sys.stderr, flush=True)
        yield


class Request:
    """One VM, from its question to its end."""

    def __init__(self, conn):
        self.conn = conn
        self.line = b""
        self.rank = self.cpus = 0    # cpus: 0 until it has asked
        self.since = time.monotonic()
        self.runs = False

    def read(self):
        """Takes what has come; False if it has ended, or makes no sense."""
        try:
            data = self.conn.recv(64)
            self.line += data
            if data and self.line.endswith(b"\n") and not self.cpus:
                self.cpus, self.rank = map(int, self.line.split())
                return self.cpus > 0
        except (OSError, ValueError):
            return False
        return bool(data)


class Server(threading.Thread):
    """Serves turns on a host with so many processors, which is the most VMs at a
    time. The lowest rank goes first, of one rank who has waited longest; who would be
    too much beside those that run is passed by."""

    def __init__(self, cpus):
        super().__init__(daemon=True)
        # pylint: disable-next=consider-using-with
        self.folder = tempfile.TemporaryDirectory(prefix="alink-turns-")
        self.path = os.path.join(self.folder.name, "socket")
        self.cpus = cpus
        self.requests = []
        # Seconds in which those of a rank waited, and none of them ran. Begun for
        # each of them by the thread, read by anybody.
        self.waited = {}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)

    def variable(self, rank):
        """What $ALINK_VM_TURNS is for those with this rank."""
        return f"{self.path}:{rank}"

    def grant(self):
        """Whoever can go now does."""
        running = [r.cpus for r in self.requests if r.runs]
        for one in sorted((r for r in self.requests if r.cpus and not r.runs),
                          key=lambda r: (r.rank, r.since)):
            if running and (len(running) >= self.cpus or sum(running) +
                            one.cpus > self.cpus * MOST):
                continue
            with contextlib.suppress(OSError):
                one.conn.sendall(b"\n")
            one.runs = True
            running.append(one.cpus)

    def count(self, seconds):
        """So much time has gone by since something last changed."""
        running = {r.rank for r in self.requests if r.runs}
        for rank in {r.rank for r in self.requests if r.cpus} - running:
            self.waited[rank] = self.waited.get(rank, 0) + seconds

    def run(self):
        try:
            self.serve()
        finally:
            # Those that wait learn that it is for nothing.
            self.listener.close()
            for request in self.requests:
                request.conn.close()

    def serve(self):
        """Until something goes wrong"""
        last = time.monotonic()
        while True:
            events = self.selector.select()
            now = time.monotonic()
            self.count(now - last)
            last = now
            for key, _ in events:
                if key.fileobj is self.listener:
                    conn, _ = self.listener.accept()
                    self.requests.append(Request(conn))
                    self.selector.register(conn, selectors.EVENT_READ,
                                           self.requests[-1])
                elif not key.data.read():
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
                    self.requests.remove(key.data)
            self.grant()
