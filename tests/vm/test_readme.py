#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The launcher lines of README.md do what they say. TAP."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def main():
    """Each line that has a command is run; it must succeed and say something."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as f:
        lines = [line.strip() for line in f
                 if line.startswith('    tools/vm/alink-vm') and ' -- ' in line]
    print(f'1..{len(lines)}')
    failed = 0
    for number, line in enumerate(lines, 1):
        done = subprocess.run(['bash', '-c', line], cwd=ROOT, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=150, check=False)
        good = done.returncode == 0 and done.stdout.strip()
        if not good:
            failed += 1
            for text in (done.stdout + done.stderr).splitlines():
                print(f'# {text}')
        print(f'{"" if good else "not "}ok {number} {line.split(" -- ")[1]}')
        sys.stdout.flush()
    return 1 if failed or not lines else 0


if __name__ == '__main__':
    sys.exit(main())
