#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""tests/lib/passed.py: what passed is remembered as long as nothing that it
uses has changed, and never under CI. TAP."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'lib'))

# pylint: disable=wrong-import-position
import passed  # noqa: E402
from taplib import main, tests_of  # noqa: E402

FOLDERS = ['nic', 'xpu']
FILES = ('README.md', 'drivers/xpu/a.c', 'qemu-models/hw/xpu.c',
         'qemu-models/tests/unit/t.c', 'tests/xpu/t.c', 'tests/nic/t.c',
         'tests/lib/l.py', 'tests/trust/lane', 'tools/alink/main.c')


class Tree:
    """A tree under git, and a store beside it."""

    def __init__(self, files=FILES):
        # pylint: disable-next=consider-using-with
        self.folder = tempfile.TemporaryDirectory()
        self.root = os.path.join(self.folder.name, 'tree')
        self.store = os.path.join(self.folder.name, 'store')
        os.mkdir(self.root)
        subprocess.run(['git', 'init', '-q', self.root], check=True)
        for path in files:
            self.write(path, 'one')

    def write(self, path, text):
        """A file of the tree; git need not be told."""
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w', encoding='utf-8') as f:
            f.write(text)

    def memory(self, **env):
        """As a run that begins now sees it."""
        old = {k: os.environ.pop(k, None) for k in ('CI', 'FRESH')}
        os.environ.update(env)
        try:
            return passed.Passed(self.root, self.store, FOLDERS)
        finally:
            for key, value in old.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value


def stage(memory, name, command=('run',), env=None):
    """Where results of a stage are."""
    return memory.path(name, list(command), env or {})


def known(tree, name):
    """Would a run that begins now skip the stage?"""
    memory = tree.memory()
    return memory.recall(stage(memory, name)) is not None


def keep(tree, *names):
    """A run in which these passed."""
    memory = tree.memory()
    for name in names:
        memory.keep(stage(memory, name), ['a', 'b'])


def test_kept_as_it_was():
    """Results come back in their order, with a date."""
    tree = Tree()
    assert not known(tree, 'guest xpu')
    keep(tree, 'guest xpu')
    memory = tree.memory()
    names, when = memory.recall(stage(memory, 'guest xpu'))
    assert names == ['a', 'b'] and len(when) == 16, (names, when)


def test_a_change_counts_where_it_is_used():
    """Who reads a file forgets when it changes; others do not."""
    stages = ('guest xpu', 'guest nic', 'trust evil', 'unit fabric',
              'qtest xpu', 'tools test_abi.py', 'lint')
    for path, forgets in (
            ('README.md', {'tools test_abi.py', 'lint'}),
            ('drivers/xpu/a.c', {'guest xpu', 'guest nic', 'trust evil',
                                 'tools test_abi.py', 'lint'}),
            ('qemu-models/hw/xpu.c', set(stages)),
            ('qemu-models/tests/unit/t.c', {'unit fabric', 'qtest xpu',
                                            'tools test_abi.py', 'lint'}),
            ('tests/xpu/t.c', {'guest xpu', 'trust evil', 'lint',
                               'tools test_abi.py'}),
            ('tests/nic/t.c', {'guest nic', 'trust evil', 'lint',
                               'tools test_abi.py'}),
            ('tests/lib/l.py', set(stages)),
            ('tests/trust/lane', {'trust evil', 'lint', 'tools test_abi.py'}),
            ('include/new.h', set(stages))):
        tree = Tree()
        keep(tree, *stages)
        tree.write(path, 'two')
        forgot = {s for s in stages if not known(tree, s)}
        assert forgot == forgets, (path, forgot ^ forgets)


def test_command_and_environment_count():
    """Another program, or another binary under test, is another stage."""
    tree = Tree()
    memory = tree.memory()
    paths = {stage(memory, 'lint'), stage(memory, 'lint', ('other',)),
             stage(memory, 'lint', env={'ALINK': '/x'})}
    assert len(paths) == 3
    os.environ['ALINK_OF_A_TEST'] = '1'
    try:
        assert stage(memory, 'lint') not in paths
    finally:
        del os.environ['ALINK_OF_A_TEST']
    assert stage(memory, 'lint') in paths
    memory.packages += 'gcc 13\n'
    assert stage(memory, 'lint') not in paths


def test_mode_counts():
    """A program that cannot be run any more is another one."""
    tree = Tree()
    keep(tree, 'guest xpu')
    os.chmod(os.path.join(tree.root, 'tests/xpu/t.c'), 0o755)
    assert not known(tree, 'guest xpu')


def test_changed_meanwhile():
    """Nobody knows which tree has passed."""
    tree = Tree()
    memory = tree.memory()
    tree.write('README.md', 'two')
    memory.keep(stage(memory, 'guest xpu'), ['a'])
    assert not os.path.exists(tree.store)


def test_only_the_latest_is_kept():
    """The store does not grow with the number of changes."""
    tree = Tree()
    for text in ('two', 'three', 'four'):
        tree.write('drivers/xpu/a.c', text)
        keep(tree, 'guest xpu', 'guest nic')
    assert len(os.listdir(tree.store)) == 2, os.listdir(tree.store)
    assert known(tree, 'guest xpu') and known(tree, 'guest nic')


def test_never_under_ci():
    """There, and when asked to, all is run, and nothing is kept."""
    tree = Tree()
    keep(tree, 'guest xpu')
    for env in ({'CI': 'true'}, {'FRESH': '1'}):
        memory = tree.memory(**env)
        assert stage(memory, 'guest xpu') is None
        assert memory.recall(None) is None
        memory.keep(None, ['a'])
    assert stage(tree.memory(), 'trust teeth') is None


def test_broken_store_and_no_git():
    """Then all is run."""
    tree = Tree()
    keep(tree, 'guest xpu')
    for name in os.listdir(tree.store):
        with open(os.path.join(tree.store, name), 'w', encoding='utf-8') as f:
            f.write('{"pas')
    assert not known(tree, 'guest xpu')
    subprocess.run(['rm', '-rf', os.path.join(tree.root, '.git')], check=True)
    if passed.sources(tree.root) is None:
        assert stage(tree.memory(), 'guest xpu') is None


if __name__ == '__main__':
    main(*tests_of(globals()))
