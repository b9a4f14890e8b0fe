# SPDX-License-Identifier: GPL-2.0
"""Topology files and the QEMU arguments that they stand for.

The format is described in tools/vm/topologies/README.md.
"""

import json
import os
import re

from . import Error, paths

FOLDER = os.path.join(paths.ROOT, "tools/vm/topologies")

# What an object of the file may hold: key, type, smallest, largest, default.
# No default: the key must be there. RANGE is a number or "FIRST-LAST", which
# stands for as many objects.
RANGE = "range"
SWITCH = (("plane", RANGE, 0, 63, None), ("variant", str, None, None, "icn1"))
# 0: what the variant has; all of it
XPU = (("fabric_id", RANGE, 0, 1023, None),
       ("variant", str, None, None, "m890"),
       ("hbm_mib", int, 0, 1 << 22, 0), ("hbm_bar_mib", int, 0, 1 << 22, 0))
OPTICS = (("variant", str, None, None, "oc32"),
          ("modules", list, None, None, []))
MODULE = (("cage", RANGE, 0, 63, None), ("links", str, None, None, ""))
NIC = (("role", str, None, None, "scaleout"), ("rate", int, 400, 800, 400),
       ("net", str, None, None, "hub"), ("hub", RANGE, 0, 1023, 0))
HEADLESS = (("endpoints", RANGE, 0, 1023, None), ("links", int, 1, 64, 1),
            ("rate", int, 1, 1600, 400), ("lanes", int, 1, 8, 4))
PEER = (("type", str, None, None, None), ("number", int, 1, 64, 1))
MACHINE = (("description", str, None, None, ""),
           ("memory_mib", int, 256, 65536, 1024), ("cpus", int, 1, 64, 2),
           ("sleeps", bool, None, None, False),
           ("switches", list, None, None, []),
           ("headless", list, None, None, []),
           ("gpu_nodes", list, None, None, []),
           ("optics", list, None, None, []), ("nics", list, None, None, []),
           ("peers", list, None, None, []))
GPU_NODE = (("xpus", list, None, None, []), ("nics", list, None, None, []),
            ("reserve_gib", int, 0, 4096, 0))

# Serial numbers of the disks among the peers: alink-bench looks for them.
PEER_SERIAL = "alink-bench-"
DISKS = {"nvme": "nvme", "virtio-blk": "virtio-blk-pci"}
PEERS = (*DISKS, "ivshmem")

TYPES = {int: "a number", str: "a string", list: "an array",
         bool: "true or false"}


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
    except (ValueError, RecursionError) as e:
        raise Error(f"{path}: {e}") from e
    return check(path, topo)


def _range(where, value, low, high):
    """The numbers that N or "FIRST-LAST" stands for."""
    match = re.fullmatch(r"(\d+)-(\d+)", value) \
        if isinstance(value, str) else None
    if match:
        first, last = int(match[1]), int(match[2])
    elif isinstance(value, int) and not isinstance(value, bool):
        first = last = value
    else:
        raise Error(f'{where}: a number or "FIRST-LAST" is wanted')
    if not low <= first <= last <= high:
        raise Error(f"{where}: {low}..{high} is wanted, is {value}")
    return list(range(first, last + 1))


def _fields(where, item, fields):
    """ITEM with its defaults, or an error that names the key."""
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
        if kind is RANGE:
            value = _range(f"{where}.{key}", value, low, high)
        elif not isinstance(value, kind) or \
                (isinstance(value, bool) and kind is not bool):
            raise Error(f"{where}.{key}: {TYPES[kind]} is wanted")
        elif low is not None and not low <= value <= high:
            raise Error(f"{where}.{key}: {low}..{high} is wanted, is {value}")
        elif kind is str and re.search(r"[,\s]", value) and \
                key != "description":
            raise Error(f"{where}.{key}: no comma and no blank is allowed")
        out[key] = value
    return out


def _objects(where, items, fields):
    """Each object of an array, as often as its range says."""
    ranged = next((f[0] for f in fields if f[1] is RANGE), None)
    out = []
    for i, item in enumerate(items):
        item = _fields(f"{where}[{i}]", item, fields)
        if ranged:
            out += [{**item, ranged: n} for n in item[ranged]]
        else:
            out.append(item)
    return out


def _links(where, text, count):
    """The links of each of COUNT modules: those of TEXT, in equal parts.

    TYPE:ID:FIRST-LAST stands for that many links of TYPE:ID.
    """
    links = []
    for link in filter(None, text.split("+")):
        part = link.split(":")
        if len(part) not in (3, 4) or part[0] not in ("xpu", "switch") or \
                not part[1].isdigit():
            raise Error(f"{where}: TYPE:ID:PORT[:LANES] is wanted, is {link}")
        port = int(part[2]) if part[2].isdigit() else part[2]
        links += [":".join([*part[:2], str(n), *part[3:]])
                  for n in _range(where, port, 0, 1023)]
    if len(links) % count:
        raise Error(f"{where}: {len(links)} links do not fill {count} modules "
                    "in equal parts")
    each = len(links) // count
    return ["+".join(links[i * each:(i + 1) * each]) for i in range(count)]


def _modules(where, items):
    """The modules of an optics controller, one for each cage."""
    out = []
    for i, item in enumerate(items):
        module = _fields(f"{where}[{i}]", item, MODULE)
        cages = module["cage"]
        shares = _links(f"{where}[{i}].links", module["links"], len(cages))
        out += [{"cage": c, "links": l} for c, l in zip(cages, shares)]
    return out


def _unique(path, key, values):
    for value in values:
        if values.count(value) > 1:
            raise Error(f"{path}: {key} {value} is used twice")


def _nics(where, items):
    nics = _objects(where, items, NIC)
    for nic in nics:
        if nic["net"] not in ("hub", "user"):
            raise Error(f"{where}: net: hub or user is wanted, "
                        f"is {nic['net']}")
    return nics


def _peers(where, items):
    """A name of a type for each peer."""
    out = []
    for i, peer in enumerate(items):
        peer = _fields(f"{where}[{i}]", peer, PEER)
        if peer["type"] not in PEERS:
            raise Error(f"{where}[{i}].type: one of {', '.join(PEERS)} is "
                        f"wanted, is {peer['type']}")
        out += [peer["type"]] * peer["number"]
    return out


def check(path, topo):
    """The topology with ranges resolved and defaults filled in, or an error
    that names the key."""
    top = _fields(path, topo, MACHINE)
    out = {k: top[k] for k in ("description", "memory_mib", "cpus", "sleeps")}
    out["switches"] = _objects(f"{path}: switches", top["switches"], SWITCH)
    out["headless"] = [_fields(f"{path}: headless[{i}]", item, HEADLESS)
                       for i, item in enumerate(top["headless"])]
    out["nics"] = _nics(f"{path}: nics", top["nics"])
    out["peers"] = _peers(f"{path}: peers", top["peers"])
    out["gpu_nodes"] = []
    for i, node in enumerate(top["gpu_nodes"]):
        where = f"{path}: gpu_nodes[{i}]"
        node = _fields(where, node, GPU_NODE)
        out["gpu_nodes"].append({
            "xpus": _objects(f"{where}.xpus", node["xpus"], XPU),
            "nics": _nics(f"{where}.nics", node["nics"]),
            "reserve_gib": node["reserve_gib"]})
        if sum(len(out["gpu_nodes"][-1][k]) for k in ("xpus", "nics")) > 32:
            raise Error(f"{where}: a PCIe switch has 32 ports, not more")
    out["optics"] = []
    for i, optics in enumerate(top["optics"]):
        where = f"{path}: optics[{i}]"
        optics = _fields(where, optics, OPTICS)
        optics["modules"] = _modules(f"{where}.modules", optics["modules"])
        _unique(where, "cage", [m["cage"] for m in optics["modules"]])
        out["optics"].append(optics)
    _unique(path, "plane", [s["plane"] for s in out["switches"]])
    _unique(path, "fabric_id",
            [x["fabric_id"] for n in out["gpu_nodes"] for x in n["xpus"]] +
            [e for h in out["headless"] for e in h["endpoints"]])
    return out


def _root_port(name, chassis, slot, function):
    """QEMU arguments for a root port."""
    # Faster ones promise to tell when the link is up, and never do so for
    # what ACPI plugs: Linux gives up on resets of the bus below them.
    return ["-device", f"pcie-root-port,id={name},bus=pcie.0,"
            f"chassis={chassis},addr={slot:#x}.{function:#x},"
            "multifunction=on,x-speed=5"]


class Plumbing:
    """What the launcher itself needs in a VM: devices of virtio.

    A machine that sleeps resets its devices. What Linux has for that loses 9p,
    by which all files of the guest come. So with "sleeps" each is behind a root
    port, where it has PCI power management, and says that D3hot is no reset:
    QEMU and Linux both leave it alone then."""

    SLOT = 15           # below those of devices()
    CHASSIS = 240       # of 255, and far beyond those of devices()

    def __init__(self, topo):
        self.sleeps = topo["sleeps"]
        self.ports = 0

    def device(self, text):
        """QEMU arguments for one device."""
        if not self.sleeps:
            return ["-device", text]
        name, number = f"rp-vm{self.ports}", self.ports
        self.ports += 1
        return [*_root_port(name, self.CHASSIS + number, self.SLOT, number),
                "-device", f"{text},bus={name},x-pcie-pm-no-soft-reset=on"]

    def share(self, tag, path, readonly):
        """QEMU arguments for a folder that the guest sees by 9p."""
        back = f"local,id=share-{tag},path={path},security_model=none," \
            "multidevs=remap" + (",readonly=on" if readonly else "")
        return ["-fsdev", back,
                *self.device(f"virtio-9p-pci,fsdev=share-{tag},mount_tag={tag}")]


def _peer(kind, name, root_port):
    """QEMU arguments for a device of QEMU's own. Storage of disks costs
    nothing, so that what is seen is controller and driver."""
    if kind in DISKS:
        serial = PEER_SERIAL + name.removeprefix("peer")
        return ["-drive", f"if=none,id={name}-disk,driver=null-co,size=64M,"
                "read-zeroes=on",
                "-device", f"{DISKS[kind]},id={name},"
                f"bus={root_port(f'rp-{name}')},drive={name}-disk,"
                f"serial={serial}"]
    # No PCIe function: it does not go behind a port.
    return ["-object", f"memory-backend-ram,id={name}-mem,size=16M",
            "-device", f"ivshmem-plain,id={name},bus=pcie.0,memdev={name}-mem"]


def devices(topo):
    """QEMU arguments for the devices of a checked topology."""
    headless = "+".join(f"{h['endpoints'][0]}-{h['endpoints'][-1]}:"
                        f"{h['links']}:{h['rate'] * 1000}:{h['lanes']}"
                        for h in topo["headless"])
    args = ["-device", "alink-fabric,id=fab0" +
            (f",headless={headless}" if headless else "")]
    chassis = ports = nics = 0

    def root_port(port, reserve_gib=0):
        nonlocal chassis, ports
        # Eight functions a slot: q35 has 32 slots, we may have more ports.
        # A slot without function 0 would not be found.
        chassis += 1
        args.extend(_root_port(port, chassis, 16 + ports // 8, ports % 8))
        if reserve_gib:
            args[-1] += f",pref64-reserve={reserve_gib}G"
        ports += 1
        return port

    def add_nic(nic, bus):
        """A NIC and its back end: a port of a hub, which is a network of its
        own, or QEMU's user network, which answers as 10.0.2.2."""
        nonlocal nics
        back = (f"hubport,id=net{nics},hubid={nic['hub']}"
                if nic["net"] == "hub" else f"user,id=net{nics},restrict=on")
        args.extend(["-netdev", back,
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
                 f"x3130-upstream,id=up{n},"
                 f"bus={root_port(f'rp-node{n}', node['reserve_gib'])}"]
        for xpu in node["xpus"]:
            fid = xpu["fabric_id"]
            chassis += 1
            args += ["-device", f"xio3130-downstream,id=dn-xpu{fid},bus=up{n},"
                     f"chassis={chassis}",
                     "-device", f"alink-xpu,id=xpu{fid},bus=dn-xpu{fid},"
                     f"fabric=fab0,endpoint={fid},variant={xpu['variant']}"
                     + "".join(f",{option}={xpu[key]}M" for option, key in (
                         ("hbm-size", "hbm_mib"),
                         ("hbm-bar-size", "hbm_bar_mib")) if xpu[key])]
        for nic in node["nics"]:
            chassis += 1
            args += ["-device", f"xio3130-downstream,id=dn-nic{nics},"
                     f"bus=up{n},chassis={chassis}"]
            add_nic(nic, f"dn-nic{nics}")
    for nic in topo["nics"]:
        add_nic(nic, root_port(f"rp-nic{nics}"))
    for n, kind in enumerate(topo["peers"]):
        args += _peer(kind, f"peer{n}", root_port)
    for n, optics in enumerate(topo["optics"]):
        args += ["-device", f"alink-optics,id=opt{n},"
                 f"bus={root_port(f'rp-opt{n}')},fabric=fab0,"
                 f"variant={optics['variant']}"]
        for module in optics["modules"]:
            cage = module["cage"]
            args += ["-device", f"alink-cmis,id=opt{n}-mod{cage},"
                     f"bus=opt{n}.{cage},links={module['links']}"]
    return args
