# SPDX-License-Identifier: GPL-2.0
"""Topology files and the QEMU arguments that they stand for.

The format is described in tools/vm/topologies/README.md.
"""

import json
import os

from . import Error, paths

FOLDER = os.path.join(paths.ROOT, "tools/vm/topologies")

# What a list of the file may hold: key, type, smallest, largest, default.
# No default: the key must be there.
SWITCH = (("plane", int, 0, 63, None), ("variant", str, None, None, "icn1"))
XPU = (("fabric_id", int, 0, 1023, None),
       ("variant", str, None, None, "m890"))
OPTICS = (("variant", str, None, None, "oc32"),
          ("modules", list, None, None, []))
MODULE = (("cage", int, 0, 63, None), ("links", str, None, None, ""))
NIC = (("role", str, None, None, "scaleout"), ("rate", int, 400, 800, 400),
       ("hub", int, 0, 1023, 0))


def names():
    """Topologies that come with the tree."""
    return sorted(f.removesuffix(".json") for f in os.listdir(FOLDER)
                  if f.endswith(".json"))


def load(name):
    """The topology of that name, or in that file."""
    path = os.path.join(FOLDER, f"{name}.json")
    if name.endswith(".json") or "/" in name:
        path = name
    elif not os.path.exists(path):
        raise Error(f"no topology {name}: there are {', '.join(names())}, "
                    "or name a file")
    try:
        with open(path, encoding="utf-8") as f:
            topo = json.load(f)
    except OSError as e:
        raise Error(f"{path}: {e.strerror}") from e
    except ValueError as e:
        raise Error(f"{path}: {e}") from e
    return check(path, topo)


def _fields(where, item, fields):
    if not isinstance(item, dict):
        raise Error(f"{where}: an object is wanted")
    unknown = set(item) - {f[0] for f in fields}
    if unknown:
        raise Error(f"{where}: unknown key {sorted(unknown)[0]}")
    out = {}
    for key, kind, low, high, default in fields:
        value = item.get(key, default)
        if value is None:
            raise Error(f"{where}: {key} is missing")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Error(f"{where}.{key}: {kind.__name__} is wanted")
        if low is not None and not low <= value <= high:
            raise Error(f"{where}.{key}: {low}..{high} is wanted")
        out[key] = value
    return out


def _array(path, topo, key):
    items = topo.get(key, [])
    if not isinstance(items, list):
        raise Error(f"{path}: {key}: an array is wanted")
    return items


def check(path, topo):
    """The topology with defaults filled in, or an error that names the key."""
    if not isinstance(topo, dict):
        raise Error(f"{path}: an object is wanted")
    known = {"description", "memory_mib", "cpus", "switches", "gpu_nodes",
             "optics", "nics"}
    unknown = set(topo) - known
    if unknown:
        raise Error(f"{path}: unknown key {sorted(unknown)[0]}")
    out = _fields(path, {k: v for k, v in topo.items()
                         if k in ("description", "memory_mib", "cpus")},
                  (("description", str, None, None, ""),
                   ("memory_mib", int, 256, 65536, 1024),
                   ("cpus", int, 1, 64, 2)))
    out["switches"] = [_fields(f"{path}: switches[{i}]", s, SWITCH)
                       for i, s in enumerate(_array(path, topo, "switches"))]
    out["gpu_nodes"] = []
    for i, node in enumerate(_array(path, topo, "gpu_nodes")):
        where = f"{path}: gpu_nodes[{i}]"
        if not isinstance(node, dict) or set(node) - {"xpus", "nics"}:
            raise Error(f"{where}: an object with xpus and nics is wanted")
        out["gpu_nodes"].append({
            "xpus": [_fields(f"{where}.xpus[{j}]", x, XPU)
                     for j, x in enumerate(_array(where, node, "xpus"))],
            "nics": [_fields(f"{where}.nics[{j}]", x, NIC)
                     for j, x in enumerate(_array(where, node, "nics"))]})
    out["nics"] = [_fields(f"{path}: nics[{i}]", n, NIC)
                   for i, n in enumerate(_array(path, topo, "nics"))]
    out["optics"] = []
    for i, item in enumerate(_array(path, topo, "optics")):
        where = f"{path}: optics[{i}]"
        optics = _fields(where, item, OPTICS)
        optics["modules"] = [_fields(f"{where}.modules[{j}]", m, MODULE)
                             for j, m in enumerate(optics["modules"])]
        out["optics"].append(optics)
    for key, ids in (("plane", [s["plane"] for s in out["switches"]]),
                     ("fabric_id", [x["fabric_id"] for n in out["gpu_nodes"]
                                    for x in n["xpus"]])):
        for value in ids:
            if ids.count(value) > 1:
                raise Error(f"{path}: {key} {value} is used twice")
    return out


def devices(topo):
    """QEMU arguments for the devices of a checked topology."""
    args = ["-device", "alink-fabric,id=fab0"]
    chassis = nics = 0

    def root_port(port):
        nonlocal chassis
        chassis += 1
        # Eight functions a slot: q35 has 32 slots, we may have more ports.
        slot, function = 16 + (chassis - 1) // 8, (chassis - 1) % 8
        args.extend(["-device", f"pcie-root-port,id={port},bus=pcie.0,"
                     f"chassis={chassis},addr={slot:#x}.{function:#x},"
                     "multifunction=on"])
        return port

    def add_nic(nic, bus):
        """A NIC and its port of the hub; a hub is a network of its own."""
        nonlocal nics
        args.extend(["-netdev",
                     f"hubport,id=net{nics},hubid={nic['hub']}",
                     "-device", f"alink-nic,id=nic{nics},bus={bus},"
                     f"netdev=net{nics},role={nic['role']},rate={nic['rate']}"])
        nics += 1

    for switch in topo["switches"]:
        plane = switch["plane"]
        args += ["-device", f"alink-switch,id=sw{plane},"
                 f"bus={root_port(f'rp-sw{plane}')},fabric=fab0,plane={plane},"
                 f"variant={switch['variant']}"]
    for n, node in enumerate(topo["gpu_nodes"]):
        args += ["-device",
                 f"x3130-upstream,id=up{n},bus={root_port(f'rp-node{n}')}"]
        for xpu in node["xpus"]:
            fid = xpu["fabric_id"]
            chassis += 1
            args += ["-device", f"xio3130-downstream,id=dn-xpu{fid},bus=up{n},"
                     f"chassis={chassis}",
                     "-device", f"alink-xpu,id=xpu{fid},bus=dn-xpu{fid},"
                     f"fabric=fab0,endpoint={fid},variant={xpu['variant']}"]
        for nic in node["nics"]:
            chassis += 1
            args += ["-device", f"xio3130-downstream,id=dn-nic{nics},"
                     f"bus=up{n},chassis={chassis}"]
            add_nic(nic, f"dn-nic{nics}")
    for nic in topo["nics"]:
        add_nic(nic, root_port(f"rp-nic{nics}"))
    for n, optics in enumerate(topo["optics"]):
        args += ["-device", f"alink-optics,id=opt{n},"
                 f"bus={root_port(f'rp-opt{n}')},fabric=fab0,"
                 f"variant={optics['variant']}"]
        for module in optics["modules"]:
            cage = module["cage"]
            args += ["-device", f"alink-cmis,id=opt{n}-mod{cage},"
                     f"bus=opt{n}.{cage},links={module['links']}"]
    return args
