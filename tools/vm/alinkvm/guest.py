# SPDX-License-Identifier: GPL-2.0
"""What the guest boots: kernel, initramfs, our modules."""

import glob
import hashlib
import itertools
import os
import re
import shutil
import struct
import subprocess

from . import Error, paths

# To reach the host's files: the rest comes from there.
BOOT_MODULES = ("9pnet_virtio", "9p", "overlay")

# Layers of modules in the cache: what runs at a time, with room to spare.
LAYERS_KEPT = 8

# What tools/setup/debug-kernel builds.
DEBUG_KERNELS = ("debug", "kcsan")


class Kernel:
    """A kernel image and the folder with its modules."""

    def __init__(self, image, modules):
        self.image = image
        self.modules = modules
        self.release = kernel_release(image)
        self.base = modules.removesuffix(f"/lib/modules/{self.release}")


def kernel_release(image):
    """The release that a bzImage names in its header."""
    try:
        with open(image, "rb") as f:
            head = f.read(0x10000)
    except OSError as e:
        raise Error(f"kernel {image}: {e.strerror}") from e
    if head[0x202:0x206] != b"HdrS":
        raise Error(f"{image} is not a Linux kernel image (bzImage)")
    at = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
    return head[at:head.index(b"\0", at)].decode().split()[0]


def stock_kernel():
    """Debian's newest installed 6.12 image."""
    found = []
    for image in glob.glob("/boot/vmlinuz-6.12.*-amd64"):
        release = os.path.basename(image).removeprefix("vmlinuz-")
        if os.path.isdir(f"/lib/modules/{release}/kernel"):
            key = [int(n) for n in re.findall(r"\d+", release)]
            found.append((key, image, f"/lib/modules/{release}"))
    if not found:
        raise Error("no Debian 6.12 kernel installed: run make setup")
    _, image, modules = max(found)
    return Kernel(image, modules)


def find_kernel(name):
    """'stock', a debug kernel of ours, a bzImage, or a folder with vmlinuz and
    lib/modules."""
    if name == "stock":
        return stock_kernel()
    if name in DEBUG_KERNELS:
        done = subprocess.run(
            [os.path.join(paths.ROOT, "tools/setup/debug-kernel"), name],
            stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Error(f"kernel {name} does not build, see above")
        name = done.stdout.strip()
    path = os.path.abspath(name)
    if os.path.isdir(path):
        images = [f for f in (f"{path}/vmlinuz", f"{path}/bzImage",
                              *sorted(glob.glob(f"{path}/boot/vmlinuz-*")))
                  if os.path.isfile(f)]
        if not images:
            raise Error(f"no vmlinuz in {path}")
        image = images[0]
    else:
        image = path
    release = kernel_release(image)
    base = os.path.dirname(image)
    for prefix in (base, os.path.dirname(base), ""):
        modules = f"{prefix}/lib/modules/{release}"
        if os.path.isdir(modules):
            return Kernel(image, modules)
    raise Error(f"no modules of {release} beside {image} or in /lib/modules")


_INODES = itertools.count(2)


def _cpio_entry(name, mode, data=b""):
    raw = name.encode() + b"\0"
    head = "070701" + "".join(f"{v:08x}" for v in (
        next(_INODES), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0))
    out = head.encode() + raw
    out += b"\0" * (-len(out) % 4)
    return out + data + b"\0" * (-len(data) % 4)


def _boot_module_files(kernel):
    """Files of BOOT_MODULES and all they need, in loading order."""
    base = kernel.base or "/"
    order = []
    for module in BOOT_MODULES:
        done = subprocess.run(
            ["/sbin/modprobe", "-d", base, "-S", kernel.release, "-D", module],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False)
        if done.returncode:
            raise Error(f"modprobe {module}: {done.stderr.strip()}")
        for line in done.stdout.splitlines():
            word = line.split()
            if word[0] == "insmod" and word[1] not in order:
                order.append(word[1])
    return order


def _read_module(path):
    tool = {".xz": "xz", ".zst": "zstd", ".gz": "gzip"}.get(
        os.path.splitext(path)[1])
    if not tool:
        with open(path, "rb") as f:
            return f.read()
    return subprocess.run([tool, "-dc", path], stdout=subprocess.PIPE,
                          check=True).stdout


def initramfs(kernel):
    """Path of the initramfs for KERNEL, built when it is not there."""
    source = os.path.join(paths.ROOT, "tools/vm/init.c")
    with open(source, "rb") as f:
        digest = hashlib.sha256(f.read())
    digest.update(kernel.release.encode())
    digest.update(str(os.stat(kernel.image).st_mtime_ns).encode())
    folder = os.path.join(paths.cache(), "vm")
    path = os.path.join(folder, f"initramfs-{digest.hexdigest()[:16]}.cpio")
    if os.path.exists(path):
        return path

    os.makedirs(folder, exist_ok=True)
    program = f"{path}.{os.getpid()}.init"
    done = subprocess.run(["gcc", "-static", "-Os", "-o", program, source],
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Error(f"gcc -static {source}: {done.stderr.strip()}")
    with open(program, "rb") as f:
        out = _cpio_entry("init", 0o100755, f.read())
    os.unlink(program)
    out += _cpio_entry("dev", 0o40755) + _cpio_entry("modules", 0o40755)
    order = []
    for module in _boot_module_files(kernel):
        name = "modules/" + os.path.basename(module).split(".ko")[0] + ".ko"
        out += _cpio_entry(name, 0o100644, _read_module(module))
        order.append("/" + name)
    out += _cpio_entry("modules/order", 0o100644,
                       ("\n".join(order) + "\n").encode())
    out += _cpio_entry("TRAILER!!!", 0)
    temp = f"{path}.{os.getpid()}"
    with open(temp, "wb") as f:
        f.write(out)
    os.rename(temp, path)
    return path


def sign_modules(kernel, modules):
    """Signs modules with the key that the build of KERNEL made for its own."""
    build = f"{kernel.modules}/build"
    key = f"{build}/certs/signing_key"
    if not os.access(f"{key}.pem", os.R_OK):
        raise Error(f"no key in {build}: only a kernel of ours can have "
                    "modules signed")
    for module in modules:
        subprocess.run([f"{build}/scripts/sign-file", "sha512", f"{key}.pem",
                        f"{key}.x509", module], check=True)


def _build_layer(kernel, modules, layer, sign):
    """Copies and indexes MODULES; older layers but the last few go."""
    temp = f"{layer}.{os.getpid()}"
    base = f"{temp}/usr/lib/modules/{kernel.release}"
    shutil.rmtree(temp, ignore_errors=True)
    os.makedirs(f"{base}/updates")
    for module in modules:
        shutil.copy(module, f"{base}/updates/")
    # As DKMS and kernel packages install them. Debug information is nineteen
    # parts in twenty, and all of it is read whenever a module is loaded. Before
    # signing: a signature would be cut off.
    subprocess.run(["strip", "--strip-debug",
                    *glob.glob(f"{base}/updates/*.ko")], check=True)
    if sign:
        sign_modules(kernel, glob.glob(f"{base}/updates/*.ko"))
    # Of a kernel that is not the host's, the host has no modules to show.
    if kernel.base:
        shutil.copytree(f"{kernel.modules}/kernel", f"{base}/kernel")
    # depmod wants to see the kernel's own modules as well
    for name in os.listdir(kernel.modules):
        if name in ("kernel", "modules.order", "modules.builtin",
                    "modules.builtin.modinfo") and not os.path.exists(
                        f"{base}/{name}"):
            os.symlink(f"{kernel.modules}/{name}", f"{base}/{name}")
    subprocess.run(["/sbin/depmod", "-b", f"{temp}/usr", kernel.release],
                   check=True)
    for name in os.listdir(base):
        if os.path.islink(f"{base}/{name}"):
            os.unlink(f"{base}/{name}")
    try:
        os.rename(temp, layer)
    except OSError:
        # Another run was faster.
        shutil.rmtree(temp)
    old = sorted(glob.glob(os.path.join(os.path.dirname(layer), "layer*")),
                 key=os.path.getmtime)
    for path in old[:-LAYERS_KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def module_layer(kernel, sign=False):
    """Builds our modules for KERNEL and a folder that overlays them on the
    host's: usr/lib/modules/RELEASE with updates/ and the dependency files of
    both. Returns the folder and the names of our modules in loading order."""
    script = os.path.join(paths.ROOT, "tools/setup/modules")
    done = subprocess.run([script, kernel.base or kernel.release], stdout=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        raise Error("the modules do not build, see above")
    built = done.stdout.strip()
    modules = sorted(glob.glob(f"{built}/drivers/*/*.ko"))
    if not modules:
        raise Error(f"no modules in {built}")
    digest = hashlib.sha256(b"stripped" + (b"signed" if sign else b""))
    for module in modules:
        digest.update(_read_module(module))
    # Named by what it holds: another VM may still run on an older one.
    layer = os.path.join(os.path.dirname(built),
                         f"layer-{digest.hexdigest()[:16]}")
    if not os.path.isdir(layer):
        _build_layer(kernel, modules, layer, sign)
    names = [os.path.basename(m).removesuffix(".ko") for m in modules]
    # The core first; the others do not know each other.
    names.sort(key=lambda n: (n != "alink", n))
    return layer, names
