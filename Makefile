# SPDX-License-Identifier: GPL-2.0-only
# The front door. Everything is built outside the tree, in ~/.cache/alink (or
# $ALINK_CACHE); the scripts behind the targets say what they do.

.PHONY: help demo llm bench setup qemu modules dkms debug-kernel lint tools unit qtest guest check trust trust-slice

help:
	@echo 'make demo      boot an 8-xPU node and train on it (ARGS=--help)'
	@echo 'make llm       a transformer on 8 xPUs, checked bit by bit (ARGS=--help)'
	@echo 'make check     all tests: lint, unit tests, device models, drivers'
	@echo 'make trust     sanitizers, faults, leaks, planted bugs: all lanes'
	@echo 'make trust-LANE   one lane; tests/trust/run --list has names and times'
	@echo 'make bench     speed of the models, as ratios to peers in one boot'
	@echo 'make setup     install the Debian packages that are missing'
	@echo 'make modules   build the kernel modules (W=1, KERNEL=release)'
	@echo 'make dkms      the package for DKMS with each kernel that there is'
	@echo 'make debug-kernel    build the sanitizer kernels for alink-vm --kernel'
	@echo 'make qemu      fetch and build QEMU with the device models'
	@echo 'make lint | tools | unit | qtest | guest    one kind of tests'

setup:
	@tools/setup/packages

qemu: setup
	@qemu-models/overlay/build --build

modules: setup
	@tools/setup/modules $(KERNEL)

dkms: debug-kernel
	@tests/dkms stock debug kcsan

debug-kernel: setup
	@tools/setup/debug-kernel debug
	@tools/setup/debug-kernel kcsan

demo:
	@tools/demo/run $(ARGS)

llm:
	@tools/llm/run $(ARGS)

bench:
	@tools/bench/run $(ARGS)

check: setup
	@tests/run

lint tools unit qtest guest trust-slice: setup
	@tests/run $@

# All lanes of tests/trust whole, or LANES="faults teeth"; trust-faults is one.
trust: setup
	@tests/trust/run $(LANES)

trust-%: setup
	@tests/trust/run $*
