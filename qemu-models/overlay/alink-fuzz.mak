# SPDX-License-Identifier: GPL-2.0-or-later
# Devices of the fuzzer: the machine and ours.
CONFIG_Q35=y
CONFIG_PCIE_PORT=y
CONFIG_PCI_DEVICES=y
CONFIG_TEST_DEVICES=y
CONFIG_ALINK=y
