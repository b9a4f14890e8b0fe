# SPDX-License-Identifier: GPL-2.0-only
"""Remembers what passed, as a build system remembers what it built.

A stage of tests/run that has passed whole is not run again as long as nothing
is different that it could use: its command and environment, the packages of
this machine, and the files of the tree but for those that it is known not to
read (UNUSED). What is new, and not in that table, counts. Never under CI, and
not with FRESH=1: there all is run.
"""
import fnmatch
import glob
import hashlib
import json
import os
import re
import subprocess
import time

# Text for people, which no test in a VM reads
PAGES = ('*.md', 'Documentation/admin-guide/*', 'Documentation/decisions/*',
         'Documentation/hw/*', 'Documentation/abi/*', '.ci/*')
# What runs on the host
HOST = ('qemu-models/tests/*', 'tests/tools/*', 'tests/vm/*', 'tests/dkms')
# Stage: what it does not read, as patterns of paths in the tree. A "*" matches
# slashes too. "guest FOLDER" does not read the other folders either.
UNUSED = (
    ('guest *', PAGES + HOST + ('tests/trust/*', 'tools/kernel/*')),
    ('trust *', PAGES + HOST + ('tools/llm/*', 'tools/demo/*', 'tools/bench/*')),
    ('unit *', PAGES + ('drivers/*', 'tests/[!lr]*', 'tools/[!s]*')),
    # alink-contract-test.py compares Documentation/hw with the models.
    ('qtest *', ('*.md', 'drivers/*', 'tests/[!lr]*', 'tools/[!s]*')),
)

# Show on every run that the others can fail
ALWAYS = ('trust teeth',)


def sources(root):
    """{path: what it is} of all files of a tree: kept by git, or new and not
    ignored. None where git cannot tell."""
    done = subprocess.run(['git', '-C', root, 'ls-files', '-coz',
                           '--exclude-standard'], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        return None
    out = {}
    for path in filter(None, done.stdout.split('\0')):
        full = os.path.join(root, path)
        if os.path.islink(full):
            out[path] = 'link ' + os.readlink(full)
        elif os.path.isfile(full):
            with open(full, 'rb') as f:
                digest = hashlib.sha256(f.read()).hexdigest()
            out[path] = f'{os.stat(full).st_mode & 0o111:o} {digest}'
    return out


def packages():
    """Names and versions of what is installed."""
    return subprocess.run(['dpkg-query', '-W'], stdout=subprocess.PIPE,
                          text=True, check=True).stdout


def unused(stage, folders):
    """Patterns of what a stage does not read."""
    out = []
    for pattern, paths in UNUSED:
        if fnmatch.fnmatchcase(stage, pattern):
            out += paths
    kind, _, folder = stage.partition(' ')
    if kind == 'guest':
        out += [f'tests/{n}/*' for n in folders if n != folder]
    return out


class Passed:
    """Results of the tree as it is now."""

    def __init__(self, root, store, folders=()):
        self.root = root
        self.store = store
        self.folders = folders
        self.files = self.packages = None
        if os.environ.get('CI') or os.environ.get('FRESH'):
            return
        self.files = sources(root)
        self.packages = packages()

    def path(self, stage, command, env):
        """Where results are, if there are any; None: nothing is remembered."""
        if self.files is None or stage in ALWAYS:
            return None
        skip = unused(stage, self.folders)
        env = dict(((k, v) for k, v in os.environ.items()
                    if k.startswith('ALINK_')), **env)
        what = [stage, command, sorted(env.items()), self.packages,
                sorted(f for f in self.files.items() if not any(
                    fnmatch.fnmatchcase(f[0], p) for p in skip))]
        key = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:24]
        name = re.sub(r'[^A-Za-z0-9]+', '-', stage)
        return os.path.join(self.store, f'{name}.{key}')

    def recall(self, path):
        """(names of what passed, when), or None."""
        try:
            with open(path or '', encoding='utf-8') as f:
                found = json.load(f)
        except (FileNotFoundError, ValueError):
            return None
        return found['passed'], found['when']

    def keep(self, path, names):
        """All of a stage has passed, and these were its results. The tree must
        still be as it was when they began."""
        if path is None or sources(self.root) != self.files:
            return
        os.makedirs(self.store, exist_ok=True)
        for old in glob.glob(f'{path.rpartition(".")[0]}.*'):
            os.unlink(old)
        with open(f'{path}.new', 'w', encoding='utf-8') as f:
            json.dump({'passed': names,
                       'when': time.strftime('%Y-%m-%d %H:%M')}, f)
        os.replace(f'{path}.new', path)
