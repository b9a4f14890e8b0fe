#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Prints fuzz_calls.h: all ioctls of alink_xpu with their fields, all requests
of the netlink family with their attributes, out of the headers and the spec. A
call that is added there is fuzzed from then on."""
import ctypes
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..'))

# pylint: disable=wrong-import-position
import uapi  # noqa: E402


def outputs(path):
    """{(structure, field)} that the kernel fills in: "@field: out"."""
    with open(path, encoding='utf-8') as f:
        src = f.read()
    out = set()
    for name, body in re.findall(r'^struct (\w+) \{(.*?)^\};', src,
                                 re.S | re.M):
        out |= {(name, field) for field in
                re.findall(r'/\*\* @(\w+): out\b', body)}
    return out


def fields(kind, outs, base=0, prefix='', out=False):
    """(name, offset, size, filled in by the kernel) of each scalar."""
    for name, ctype in kind._fields_:
        offset = base + getattr(kind, name).offset
        given = out or (kind.__name__, name) in outs
        if issubclass(ctype, ctypes.Structure):
            yield from fields(ctype, outs, offset, f'{prefix}{name}.', given)
        elif not issubclass(ctype, ctypes.Array):
            yield prefix + name, offset, ctypes.sizeof(ctype), given


def print_ioctls():
    """Tables of structures and of ioctls."""
    outs = outputs(uapi.XPU_H)
    for name, kind in uapi.structs(uapi.XPU_H).items():
        print(f'static const struct fuzz_field fields_{name}[] = {{')
        for field, offset, size, out in fields(kind, outs):
            print(f'\t{{ "{field}", {offset}, {size}, {int(out)} }},')
        print('};\n')
    print('static const struct fuzz_ioctl fuzz_ioctls[] = {')
    for name, (request, kind) in uapi.ioctls().items():
        table = f'fields_{kind.__name__}'
        print(f'\t{{ "{name}", {request:#x}, {ctypes.sizeof(kind)}, '
              f'ARRAY_SIZE({table}), {table} }},')
    print('};\n')


def requests():
    """(operation, "do" or "dump", attribute set, names of its attributes)."""
    with open(uapi.SPEC, encoding='utf-8') as f:
        part = f.read().split('\noperations:\n')[1].split('\nmcast-groups')[0]
    for block in part.split('\n    -\n')[1:]:
        name = re.search(r'^      name: (\S+)', block, re.M).group(1)
        if name not in uapi.operations():
            continue
        which = re.search(r'attribute-set: (\S+)', block).group(1)
        for kind in sorted(uapi.operations()[name] & {'do', 'dump'}):
            own = re.search(rf'^      {kind}:\n((?:        .*\n?)+)', block,
                            re.M).group(1)
            found = re.search(r'request:\n\s+attributes: \[(.*?)\]', own,
                              re.S)
            names = re.findall(r'[\w-]+', found.group(1)) if found else []
            yield name, kind, which, names


def types():
    """{(set, attribute): type} of the spec."""
    with open(uapi.SPEC, encoding='utf-8') as f:
        part = f.read().split('\nattribute-sets:\n')[1].split(
            '\noperations:')[0]
    out = {}
    for block in part.split('\n  -\n'):
        which = re.search(r'^    name: (\S+)', block, re.M)
        if which:
            for name, kind in re.findall(
                    r'^        name: (\S+)\n        type: (\S+)', block, re.M):
                out[which.group(1), name] = kind
    return out


def print_requests():
    """Table of requests."""
    enum, kinds = uapi.enums(uapi.ALINK_H), types()

    def number(*words):
        return enum['_'.join(('ALINK',) + words).upper().replace('-', '_')]
    rows = []
    for name, kind, which, names in requests():
        table = f'attrs_{name}_{kind}'.replace('-', '_')
        print(f'static const struct fuzz_attr {table}[] = {{')
        for attr in names:
            print(f'\t{{ "{attr}", "{kinds[which, attr]}", '
                  f'{number("a", which, attr)} }},')
        # No table is empty.
        print('\t{ 0 },\n};\n')
        rows.append(f'\t{{ "{name}", {number("cmd", name)}, '
                    f'{int(kind == "dump")}, {len(names)}, {table} }},')
    assert rows
    print('static const struct fuzz_request fuzz_requests[] = {')
    print('\n'.join(rows))
    print('};')


if __name__ == '__main__':
    print('/* Made by gen_calls.py. */')
    print_ioctls()
    print_requests()
