# SPDX-License-Identifier: GPL-2.0
"""Boots virtual machines with ALink devices; the parts of alink-vm."""


class Error(Exception):
    """What the user can understand and mend; shown as one line."""
