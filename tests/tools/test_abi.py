#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/abi: every attribute that a driver adds to sysfs has an entry
of the kernel's form there, and every entry has an attribute. TAP."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import main, tests_of  # noqa: E402

ABI = os.path.join(ROOT, 'Documentation', 'abi')
FIELDS = ['What', 'Date', 'KernelVersion', 'Contact', 'Description']

# How drivers define attributes of their own; hwmon, netdev and the like have
# theirs from the kernel, which documents them.
DEFINED = re.compile(
    r'\b(?:(?:DEVICE|DRIVER|BUS|CLASS|BIN|SENSOR_DEVICE)_ATTR|__ATTR'
    r'|__BIN_ATTR)(?:_(?:RO|RW|WO|2|ADMIN_RO|ADMIN_RW))*\(\s*(\w+)')


def attributes_of(text):
    """Names that a source defines."""
    return set(DEFINED.findall(text))


def entries_of(text):
    """Entries, each as field and text."""
    entries = []
    for line in text.splitlines():
        field = re.match(r'^(\w+):\s*(.*)$', line)
        if field and field.group(1) == 'What':
            entries.append({})
        if field and entries:
            entries[-1][field.group(1)] = [field.group(2)]
            last = entries[-1][field.group(1)]
        elif entries and line.strip():
            last.append(line.strip())
    return [{k: ' '.join(v).strip() for k, v in e.items()} for e in entries]


def read_all(folder, suffixes):
    """Texts of all files below a folder."""
    for where, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith(suffixes):
                with open(os.path.join(where, name), encoding='utf-8') as f:
                    yield f.read()


def documented():
    """All entries."""
    return [e for text in read_all(ABI, '') for e in entries_of(text)]


def defined():
    """All attributes."""
    return set().union(*(attributes_of(text) for text in read_all(
        os.path.join(ROOT, 'drivers'), ('.c', '.h'))))


def name_of(entry):
    """The file that an entry is of."""
    return entry['What'].rsplit('/', 1)[-1]


def test_each_attribute_has_an_entry():
    """... and there are some at all."""
    have = {name_of(e) for e in documented()}
    assert len(defined()) >= 16, defined()
    assert defined() <= have, sorted(defined() - have)


def test_each_entry_has_an_attribute():
    """Nothing is promised that is not there, nothing twice."""
    names = [name_of(e) for e in documented()]
    assert set(names) <= defined(), sorted(set(names) - defined())
    assert len(names) == len(set(names)), sorted(names)


def test_each_entry_is_complete():
    """All fields, and a path below /sys."""
    for entry in documented():
        assert list(entry) == FIELDS, entry
        assert all(entry.values()), entry
        assert entry['What'].startswith('/sys/'), entry


def test_the_readers_read():
    """They find what they shall find, in every form, and nothing else."""
    source = '''static DEVICE_ATTR_RO(one);
        static DEVICE_ATTR(two, 0444, two_show, NULL);
        struct kobj_attribute three_attr = __ATTR_RO(three);
        static BIN_ATTR_ADMIN_RO(four, 0);
        &dev_attr_five.attr, int_attr(six)'''
    assert attributes_of(source) == {'one', 'two', 'three', 'four'}
    text = 'What:\t/sys/a/<b>/c\nDate:\tnow\nDescription:\n\t\tx\n\t\ty\n\n' \
           'What:\t/sys/d\nDescription:\n\t\tz\n'
    assert entries_of(text) == [
        {'What': '/sys/a/<b>/c', 'Date': 'now', 'Description': 'x y'},
        {'What': '/sys/d', 'Description': 'z'}], entries_of(text)


if __name__ == '__main__':
    main(*tests_of(globals()))
