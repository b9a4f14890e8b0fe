#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Firmware of the switch: devlink info, flash and reload. KTAP."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
import flashlib  # noqa: E402
from guestlib import main  # noqa: E402

main(*flashlib.Device('switch', 'sw1', 'alink_switch').tests())
