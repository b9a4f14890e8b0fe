#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""include/uapi/linux/alink.h has the names and order of the YAML spec. TAP."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SPEC = os.path.join(ROOT, 'Documentation/netlink/specs/alink.yaml')
HEADER = os.path.join(ROOT, 'include/uapi/linux/alink.h')


def upper(name):
    """The constant for a name of the spec."""
    return name.upper().replace('-', '_')


def spec_names():
    """(attribute sets with attributes, operations), in order.

    Reads the few forms that our spec uses: items have "name:" as first key,
    sets at indent 4, attributes at 8, operations at 6.
    """
    sets, ops, section = {}, [], None
    current = None
    with open(SPEC, encoding='utf-8') as f:
        for line in f:
            top = re.match(r'^([a-z-]+):', line)
            if top:
                section = top.group(1)
            name = re.match(r'^( +)name: ([a-z0-9-]+)$', line)
            if not name:
                continue
            indent = len(name.group(1))
            if section == 'attribute-sets' and indent == 4:
                current = sets.setdefault(name.group(2), [])
            elif section == 'attribute-sets' and indent == 8:
                current.append(name.group(2))
            elif section == 'operations' and indent == 6:
                ops.append(name.group(2))
    return sets, ops


def header_enums():
    """Names of each enum, in order, without the limits at its end."""
    with open(HEADER, encoding='utf-8') as f:
        text = f.read()
    enums = []
    for body in re.findall(r'enum[^{;]*\{([^}]*)\}', text):
        names = re.findall(r'^\s*(ALINK_\w+)( = 1)?,', body, re.M)
        enums.append([n for n, _ in names])
    return enums


def limits():
    """(what, spec's, header's) of what both have as a number."""
    with open(HEADER, encoding='utf-8') as f:
        header = dict(re.findall(r'^#define (ALINK_\w+)\s+(\d+)$', f.read(),
                                 re.M))
    with open(SPEC, encoding='utf-8') as f:
        part = f.read().split('    name: manager\n')[1].split('operations:')[0]
    for name, key, macro in (('name', 'max-len', 'NAME_LEN'),
                             ('beat-ms', 'min', 'BEAT_MIN_MS'),
                             ('beat-ms', 'max', 'BEAT_MAX_MS')):
        block = part.split(f'name: {name}\n')[1].split('\n      -\n')[0]
        found = re.search(rf'^ +{key}: (\d+)$', block, re.M)
        yield (f'{key} of {name}', found and found.group(1),
               header.get(f'ALINK_MANAGER_{macro}'))


def main():
    """One test a set, one for the operations, one a limit."""
    sets, ops = spec_names()
    want = [(f'attributes of {name}',
             [f'ALINK_A_{upper(name)}_{upper(a)}' for a in attrs])
            for name, attrs in sets.items()]
    want.append(('operations', [f'ALINK_CMD_{upper(o)}' for o in ops]))
    enums = header_enums()
    bad = 0
    numbers = list(limits())
    print(f'TAP version 13\n1..{len(want) + len(numbers)}')
    for i, (what, names) in enumerate(want, 1):
        ok = len(names) > 1 and names in enums
        if not ok:
            bad += 1
            print(f'# the header has no enum with exactly: {names}')
        print(f'{"ok" if ok else "not ok"} {i} - {what}')
    for i, (what, spec, header) in enumerate(numbers, len(want) + 1):
        ok = spec is not None and spec == header
        bad += not ok
        print(f'{"ok" if ok else "not ok"} {i} - {what}: {spec}, {header}')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
