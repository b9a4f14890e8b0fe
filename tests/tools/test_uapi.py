#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The headers of include/uapi as a compiler and pahole see them: they stand
alone in C and C++, no structure has a hole or an end that the compiler filled
up, and 32-bit programs see the same structures. TAP."""
import functools
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import main, tests_of  # noqa: E402

UAPI = os.path.join(ROOT, 'include', 'uapi')
# 32-bit programs: the packages of this architecture have no folder of theirs.
INCLUDE = ['-I', UAPI, '-I', '/usr/include/libdrm',
           '-I', '/usr/include/x86_64-linux-gnu']
# What may be in a structure: of one size in every program.
FIELD = re.compile(r'(__[us](8|16|32|64)|__be(16|32|64)|__le(16|32|64)|char'
                   r'|struct \w+|union \w+)$')


def headers():
    """Paths below include/uapi."""
    return sorted(os.path.relpath(os.path.join(where, name), UAPI)
                  for where, _, names in os.walk(UAPI)
                  for name in names if name.endswith('.h'))


def compile_text(text, *flags, out='/dev/null', language='c'):
    """Compiler's complaints about a program."""
    done = subprocess.run(
        ['gcc', '-x', language, '-ffreestanding', '-Wall', '-Wextra',
         '-Werror', *INCLUDE, *flags, '-c', '-o', out, '-'], input=text,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    return done.stdout if done.returncode else ''


@functools.lru_cache(None)
def structures(header):
    """Names of a header's own structures."""
    with open(os.path.join(UAPI, header), encoding='utf-8') as f:
        return re.findall(r'^struct (\w+) \{', f.read(), re.M)


def variables(header):
    """A program with a variable of each structure."""
    names = structures(header)
    return f'#include <{header}>\n' + ''.join(
        f'struct {n} v_{n};\n' for n in names)


@functools.lru_cache(None)
def layout(header, *flags):
    """{structure: what pahole shows of it}"""
    with tempfile.NamedTemporaryFile(suffix='.o') as obj:
        said = compile_text(variables(header), '-g', *flags, out=obj.name)
        assert not said, said
        shown = subprocess.run(['pahole', obj.name], stdout=subprocess.PIPE,
                               text=True, check=True).stdout
    parts = dict(re.findall(r'^struct (\w+) (\{\n.*?^\}[^\n]*)', shown,
                            re.M | re.S))
    return {n: parts[n] for n in structures(header)}


def test_alone():
    """Each compiles without another before it, in C and C++."""
    for header in headers():
        for language, flags in (('c', ['-std=c99']), ('c', ['-std=gnu11']),
                                ('c++', ['-std=c++11'])):
            said = compile_text(f'#include <{header}>\n', *flags,
                                language=language)
            assert not said, (header, language, said)


def test_no_holes():
    """Neither holes nor an end that is filled up, for 64 and 32 bits."""
    seen = 0
    for header in headers():
        for flags in ((), ('-m32',)):
            for name, shown in layout(header, *flags).items():
                bad = re.findall(r'XXX.*|padding: \d+|bit_padding.*|holes:.*',
                                 shown)
                assert not bad, (header, name, flags, bad)
                seen += 1
    assert seen > 20, seen


def test_same_for_32_bits():
    """Every field lies where it lies for a 64-bit program."""
    for header in headers():
        wide, narrow = layout(header), layout(header, '-m32')
        for name, shown in wide.items():
            assert narrow[name] == shown, (header, name, shown, narrow[name])


def test_sizes():
    """With a 64-bit field the size is a multiple of 8 bytes, which arrays of
    structures need; the field itself is aligned."""
    for header in headers():
        for name, shown in layout(header).items():
            size = int(re.search(r'/\* size: (\d+)', shown).group(1))
            if 'long long' in shown or '__u64' in shown:
                assert size % 8 == 0, (header, name, size)
            for offset in re.findall(r'__[us]64 .*/\* +(\d+) +8 \*/', shown):
                assert int(offset) % 8 == 0, (header, name, offset)


def test_types():
    """No type whose size depends on the program; pointers are __u64."""
    for header in headers():
        with open(os.path.join(UAPI, header), encoding='utf-8') as f:
            text = re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)
        seen = 0
        for body in re.findall(r'^struct \w+ \{(.*?)^\}', text, re.M | re.S):
            for line in filter(None, map(str.strip, body.splitlines())):
                field = re.match(r'((?:struct |union )?\w+) \w+(\[\w+\])?;$',
                                 line)
                assert field and FIELD.match(field.group(1)), (header, line)
                seen += 1
        assert seen or not structures(header), header


def test_a_hole_is_found():
    """The check itself: a structure with a hole, and one that differs."""
    text = '#include <linux/types.h>\nstruct h { __u32 a; __u64 b; } v;\n'
    with tempfile.NamedTemporaryFile(suffix='.o') as obj:
        said = compile_text(text, '-g', out=obj.name)
        assert not said, said
        wide = subprocess.run(['pahole', obj.name], stdout=subprocess.PIPE,
                              text=True, check=True).stdout
        said = compile_text(text, '-g', '-m32', out=obj.name)
        assert not said, said
        narrow = subprocess.run(['pahole', obj.name], stdout=subprocess.PIPE,
                                text=True, check=True).stdout
    assert 'XXX' in wide and wide != narrow, (wide, narrow)


if __name__ == '__main__':
    main(*tests_of(globals()))
