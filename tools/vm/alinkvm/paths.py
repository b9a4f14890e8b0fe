# SPDX-License-Identifier: GPL-2.0
"""Where the tree, the cache and what was built lie (as tools/setup/lib.sh)."""

import hashlib
import os
import subprocess

from . import Error

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__)))))


def cache():
    """Where things are built."""
    path = os.environ.get("ALINK_CACHE")
    if not path:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        path = os.path.join(base, "alink")
    return os.path.abspath(path)


def tools():
    """Where tools/setup/tools put the tools of this tree; None before that."""
    key = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12]
    path = os.path.join(cache(), "tools", key)
    return path if os.access(os.path.join(path, "alink"), os.X_OK) else None


def qemu():
    """The QEMU program to run: the one for this tree, or ALINK_QEMU."""
    path = os.environ.get("ALINK_QEMU")
    if path:
        if not os.access(path, os.X_OK):
            raise Error(f"ALINK_QEMU={path} cannot be run")
        return path
    done = subprocess.run(
        [os.path.join(ROOT, "qemu-models/overlay/build"), "--build"],
        stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Error("QEMU with our models cannot be built, see above")
    return os.path.join(done.stdout.strip(), "qemu-system-x86_64")
