# SPDX-License-Identifier: GPL-2.0
"""QMP: the session of the launcher, and a line for the guest to use it."""

import json
import os
import socket
import threading


class Session:
    """One QMP connection: commands in, answers out, events dropped."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)
        self.file = self.sock.makefile("rw", encoding="utf-8")
        self.file.readline()
        self.execute({"execute": "qmp_capabilities"})

    def execute(self, command):
        """The answer to one command, as QMP gives it."""
        self.file.write(json.dumps(command) + "\n")
        self.file.flush()
        for line in self.file:
            answer = json.loads(line)
            if "event" not in answer:
                return answer
        return {"error": {"class": "GenericError", "desc": "QEMU is gone"}}


def serve_guest(qmp_path, port_path):
    """Answers each line that the guest writes to its alink.qmp port.

    A thread that ends with QEMU; a request that is no JSON gets an error.
    """
    def run():
        try:
            session = Session(qmp_path)
            port = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            port.connect(port_path)
            with port.makefile("rw", encoding="utf-8") as lines:
                for line in lines:
                    try:
                        answer = session.execute(json.loads(line))
                    except ValueError as e:
                        answer = {"error": {"class": "GenericError",
                                            "desc": f"not JSON: {e}"}}
                    lines.write(json.dumps(answer) + "\n")
                    lines.flush()
        except OSError:
            pass

    if os.path.exists(qmp_path) and os.path.exists(port_path):
        threading.Thread(target=run, daemon=True).start()
