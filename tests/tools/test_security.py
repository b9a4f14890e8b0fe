#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Documentation/admin-guide/security.rst: each line of its tables names tests
that exist, or gives a reason. TAP."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, 'Documentation', 'admin-guide', 'security.rst')

# How a test of that name is defined
FORMS = {
    '.py': r'^\s*def {name}\(',
    '.c': r'TEST(_F)?(_TIMEOUT)?\({name}[,)]',
}


def rows():
    """(what, by which) of each row of each table."""
    with open(PAGE, encoding='utf-8') as f:
        text = f.read()
    out = []
    for row in re.split(r'\n   \* - ', text)[1:]:
        row = re.split(r'\n\n', row)[0]
        what, by = row.split('\n     - ', 1)
        if what not in ('rule', 'line'):
            out.append((' '.join(what.split()), ' '.join(by.split())))
    return out


def exists(reference):
    """Is there such a test?"""
    path, _, name = reference.partition(': ')
    full = os.path.join(ROOT, path)
    if not os.path.isfile(full):
        return False
    if not name:
        return os.access(full, os.X_OK)
    with open(full, encoding='utf-8') as f:
        text = f.read()
    if name.startswith('/'):
        return f'"{name}"' in text
    form = FORMS[os.path.splitext(path)[1]]
    name = re.escape(name).replace(r'\.', r',\s*')
    return bool(re.search(form.format(name=name), text, re.M))


def main():
    """One result for each row."""
    number = failed = 0
    table = rows()
    print('TAP version 13')
    for what, by in table:
        names = [n for n in re.findall(r'``([^`]+)``', by)
                 if '/' in n and not n.startswith('/')]
        missing = [n for n in names if not exists(n)]
        good = not missing and bool(
            names or by.startswith('Not applicable: '))
        number += 1
        failed += not good
        print(f'{"ok" if good else "not ok"} {number} - {what[:70]}'
              + (f' # {missing or by}' if not good else ''))
    # The parser must have seen the page, and must be able to miss a test.
    number += 1
    good = len(table) > 60 and not exists('tests/xpu/test_info.c: info.nothing') \
        and not exists('tests/nothing')
    failed += not good
    print(f'{"ok" if good else "not ok"} {number} - {len(table)} lines are read')
    print(f'1..{number}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
