#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""run_cases.py PROGRAM [CASE...]: runs a selftest of the kernel tree that is
written in Python, or of its cases those that are named: each program runs all
that it has, and fails where one of them cannot apply.

The device and its peer are in NETIF, LOCAL_V4 and so on, as the README of
drivers/net in that tree says; the peer's netdev is in PEER_NETIF, which the
library of 6.12 has no word for, though one of its programs asks for it."""
import importlib.util
import os
import sys


def load(path):
    """The program as a module. It takes its name for results from argv, and
    finds its library in its folder."""
    sys.argv = [path]
    sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location('program', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(module, path, cases):
    """The cases, with what main() of the program would have given them."""
    env = getattr(module, 'NetDrvEpEnv', None) or module.NetDrvEnv
    with env(path) as cfg:
        if hasattr(module, 'get_rss'):
            cfg.ethnl = module.EthtoolFamily()
            cfg.netdevnl = module.NetdevFamily()
        module.ksft_run([getattr(module, c) for c in cases], args=(cfg,))


def main():
    """Runs it, and ends as it would."""
    path, cases = sys.argv[1], sys.argv[2:]
    module = load(path)
    if hasattr(module, 'NetDrvEpEnv') and 'PEER_NETIF' in os.environ:
        module.NetDrvEpEnv.remote_ifname = os.environ['PEER_NETIF']
    if not cases:
        module.main()
        return
    run(module, path, cases)
    module.ksft_exit()


if __name__ == '__main__':
    main()
