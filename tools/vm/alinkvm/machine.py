# SPDX-License-Identifier: GPL-2.0
"""One run of a VM: the QEMU command line, its life, what came out of it."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from . import Error, guest, loggate, paths, qmp, topology, turns

PORTS = ("ctl", "stdout", "stderr")
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In a child before it runs: it ends when we do, also when we are killed
    and can do nothing about it."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def host_tsc_khz():
    """Rate of the host's time stamp counter, where /proc/cpuinfo has it: "cpu
    MHz" of a virtual machine, which cannot measure how fast it runs; else None.
    """
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        info = dict(line.split("\t: ", 1) for line in
                    f.read().partition("\n\n")[0].replace("\t\t:", "\t:")
                    .splitlines() if "\t: " in line)
    flags = info.get("flags", "").split()
    if "constant_tsc" not in flags or "aperfmperf" in flags:
        return None
    return round(float(info["cpu MHz"]) * 1000)


def kvm_works():
    """True if a KVM guest really runs code: neither the device node nor a VM
    that can be created proves that."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    # At the reset vector: mov dx,0xf4; mov al,0x10; out dx,al; hlt
    rom = bytearray(65536)
    rom[0xfff0:0xfff7] = bytes.fromhex("baf400b010eef4")
    with tempfile.NamedTemporaryFile(prefix="alink-kvm-") as f:
        f.write(rom)
        f.flush()
        try:
            done = subprocess.run(
                [paths.qemu(), "-M", "q35,accel=kvm", "-cpu", "host", "-m", "16",
                 "-nodefaults", "-display", "none", "-bios", f.name,
                 "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL, timeout=5, check=False)
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0x21


def pass_on(lines):
    """What QEMU says, without what it says about hubs that are as we want."""
    for line in lines:
        if b"is not connected to host network" not in line:
            sys.stderr.buffer.write(line)
            sys.stderr.flush()


class Machine:
    """What `alink-vm run` was asked for."""

    def __init__(self, opts):
        self.opts = opts
        self.topo = topology.load(opts.topology)
        self.kernel = guest.find_kernel(opts.kernel)
        self.dir = tempfile.mkdtemp(prefix="alink-vm-")
        self.child = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop(self):
        """Ends QEMU, also one that does not hear."""
        if not self.child or self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def path(self, name):
        """A file of this run."""
        return os.path.join(self.dir, name)

    def qmp_path(self):
        """The QMP socket for users."""
        return os.path.abspath(self.opts.qmp or self.path("qmp"))

    def use_kvm(self):
        """Is the accelerator KVM?"""
        kind = self.opts.accel
        if kind == "tcg":
            return False
        if kvm_works():
            return True
        if kind == "kvm":
            raise Error("/dev/kvm is absent or does not work here: "
                        "use --accel tcg")
        if os.path.exists("/dev/kvm"):
            print("alink-vm: /dev/kvm does not work here: the guest runs "
                  "under TCG", file=sys.stderr)
        return False

    def accel(self, kvm):
        """QEMU arguments for the accelerator."""
        if kvm:
            return ["-accel", "kvm", "-cpu", "host"]
        # With ERMS, TCG runs "rep movsb" byte by byte.
        return ["-accel", "tcg,thread=multi",
                "-cpu", "max,erms=off,fsrm=off,phys-bits=46"]

    def memory(self):
        """MiB of the guest: shadow memory takes its part in a debug kernel."""
        if self.opts.mem:
            return self.opts.mem
        size = self.topo["memory_mib"]
        return size if self.opts.kernel == "stock" else 2 * size + 512

    def cpus(self):
        """Processors of the guest."""
        return self.opts.smp or self.topo["cpus"]

    def board(self):
        """QEMU arguments for the board. An IOMMU must be there before the
        devices whose DMA it translates."""
        if not self.opts.iommu:
            return ["-M", "q35"]
        return ["-M", "q35,kernel-irqchip=split",
                "-device", "intel-iommu,intremap=on,caching-mode=on"]

    def kernel_is_ours(self):
        """A debug kernel, not the one that users have?"""
        return self.opts.kernel in guest.DEBUG_KERNELS

    def kernel_line(self, kvm):
        """What the kernel is told, but for what always is."""
        line = self.opts.append or ""
        if not kvm:
            # TCG's is one clock for all processors. On a busy host the kernel
            # doubts it, and asks a port instead, which is slow.
            line = f"tsc=reliable {line}"
            khz = host_tsc_khz()
            if khz:
                # Which is the host's. Measured by the kernel, while others had
                # the processor, it came out 130 times too slow: all time-outs
                # of the guest were over at once.
                line = f"tsc_early_khz={khz} {line}"
        if self.kernel_is_ours():
            # Unloads twice as fast: grace periods are long under TCG.
            # Early on, features of the processor are read anew with interrupts
            # on: KASAN does not know then how many levels page tables have.
            # No BSD terminals, of which 256 pairs are there by default: they
            # are a twentieth of the boot.
            line = f"no5lvl rcupdate.rcu_expedited=1 pty.legacy_count=0 {line}"
        if self.opts.iommu:
            # First, so that --append has the last word.
            line = f"intel_iommu=on iommu.strict=1 {line}"
        return line

    def write_control(self, command, modules):
        """The folder that tells guest-init what to do."""
        ctl = self.path("ctl")
        os.mkdir(ctl)
        shutil.copy(os.path.join(paths.ROOT, "tools/vm/guest-init"), ctl)
        if modules is not None:
            with open(f"{ctl}/modules", "w", encoding="utf-8") as f:
                f.write("".join(f"{m}\n" for m in modules))
        if command:
            with open(f"{ctl}/argv", "wb") as f:
                f.write(b"".join(os.fsencode(a) + b"\0" for a in command))
        keep = {k: v for k, v in os.environ.items()
                if k.startswith(("ALINK", "TEST_", "LC_", "LANG"))}
        tools = paths.tools()
        if tools:
            keep.setdefault("ALINK_TOOLS", tools)
        # For a guest that boots once more, by kexec
        keep["ALINK_BOOT_KERNEL"] = os.path.realpath(self.kernel.image)
        keep["ALINK_BOOT_INITRAMFS"] = guest.initramfs(self.kernel)
        with open(f"{ctl}/env", "wb") as f:
            f.write(b"".join(os.fsencode(f"{k}={v}") + b"\0"
                             for k, v in keep.items()))
        with open(f"{ctl}/cwd", "w", encoding="utf-8") as f:
            f.write(os.getcwd() + "\n")
        # The guest has a /tmp and a /run of its own: the tree may lie there,
        # and so may what was built of it.
        with open(f"{ctl}/shares", "w", encoding="utf-8") as f:
            f.write(f"loose-tree ro {paths.ROOT}\n"
                    f"loose-cache ro {paths.cache()}\n")

    def command_line(self, command):
        """The QEMU line, with all that it names in place."""
        modules = None
        layer = self.path("nolayer")
        if self.opts.load:
            layer, modules = guest.module_layer(self.kernel,
                                                self.opts.sign)
        else:
            os.mkdir(layer)
        self.write_control(command, modules)
        kvm = self.use_kvm()
        plumbing = topology.Plumbing(self.topo)
        args = [paths.qemu(), *self.board(), *self.accel(kvm),
                "-smp", str(self.cpus()),
                # QEMU reserves the last 12 GiB below 1 TiB for an AMD IOMMU,
                # and firmware that lays out BARs there does not know. It does
                # know of memory to be plugged in, so that begins BARs at 1 TiB.
                "-m", f"{self.memory()}M,slots=1,"
                "maxmem=1T",
                "-nodefaults", "-display", "none", "-no-reboot",
                "-kernel", self.kernel.image,
                "-initrd", guest.initramfs(self.kernel),
                # No I/O ports for slots: 64 KiB do not go round. Not "quiet":
                # that hides warnings, WARN() included, from the log gate.
                "-append", "console=ttyS0 loglevel=5 panic=-1 pci=hpiosize=0 "
                "oops=panic rdinit=/init " + self.kernel_line(kvm),
                "-chardev", f"file,id=log,path={self.path('log')}",
                "-serial", "chardev:log",
                "-qmp", f"unix:{self.qmp_path()},server=on,wait=off",
                "-qmp", f"unix:{self.path('qmp-guest')},server=on,wait=off",
                *plumbing.device("virtio-serial-pci,id=ports")]
        for name in PORTS:
            args += ["-chardev", f"file,id={name},path={self.path(f'port-{name}')}",
                     "-device",
                     f"virtserialport,chardev={name},name=alink.{name}"]
        args += ["-chardev", f"socket,id=qmpport,path={self.path('port')},"
                 "server=on,wait=off",
                 "-device", "virtserialport,chardev=qmpport,name=alink.qmp"]
        if not command:
            args += ["-chardev", "stdio,id=tty,signal=off",
                     "-device", "virtconsole,chardev=tty"]
        for tag, path, ro in (("host", "/", True), ("mods", layer, True),
                              ("loose-tree", paths.ROOT, True),
                              ("loose-cache", paths.cache(), True),
                              ("ctl", self.path("ctl"), False)):
            args += plumbing.share(tag, path, ro)
        return args + topology.devices(self.topo) + self.opts.qemu

    def read(self, name):
        """What a port or the log holds by now."""
        try:
            with open(self.path(name), encoding="utf-8",
                      errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def stream(self, offsets):
        """Passes on what the command printed since the last call."""
        for name, out in (("stdout", sys.stdout), ("stderr", sys.stderr)):
            try:
                with open(self.path(f"port-{name}"), "rb") as f:
                    f.seek(offsets[name])
                    data = f.read()
            except FileNotFoundError:
                continue
            if data:
                offsets[name] += len(data)
                out.buffer.write(data)
                out.flush()

    def run(self, command):
        """Boots, runs COMMAND, and returns its exit status."""
        line = self.command_line(command)
        with turns.turn(self.cpus()):
            return self.run_line(line, command)

    def run_line(self, line, command):
        """Runs QEMU, to its end."""
        start = time.monotonic()
        # It is one call of the system, and takes no lock.
        # pylint: disable-next=subprocess-popen-preexec-fn
        with subprocess.Popen(
                line, stdin=None if not command else subprocess.DEVNULL,
                stderr=subprocess.PIPE, preexec_fn=die_with_parent,
                start_new_session=bool(command)) as self.child:
            threading.Thread(target=pass_on, args=(self.child.stderr,),
                             daemon=True).start()
            try:
                return self.follow(command, start)
            finally:
                # Popen's own way out would wait for it without an end.
                self.stop()

    def follow(self, command, start):
        """Watches the run to its end."""
        offsets = {"stdout": 0, "stderr": 0}
        proxy = told = False
        limit = self.opts.timeout
        while self.child.poll() is None:
            time.sleep(0.05)
            if not proxy and os.path.exists(self.path("port")):
                qmp.serve_guest(self.path("qmp-guest"), self.path("port"))
                proxy = True
            if command:
                self.stream(offsets)
            ctl = self.read("port-ctl")
            if not told and "loaded" in ctl and self.opts.verbose:
                told = True
                print(f"alink-vm: drivers loaded after "
                      f"{time.monotonic() - start:.1f} s", file=sys.stderr)
            # q35 that has slept, and whose firmware does not put the chipset's
            # registers back, hears no power-off any more.
            if self.topo["sleeps"] and "exit " in ctl and \
                    "reboot: Power down" in self.read("log"):
                self.child.terminate()
                self.child.wait()
                break
            if limit and time.monotonic() - start > limit:
                self.stop()
                self.stream(offsets)
                print(loggate.excerpt(self.read("log")), file=sys.stderr)
                raise Error(f"not done after {limit} s: stopped")
        self.stream(offsets)
        return self.verdict()

    def verdict(self):
        """Exit status of the command, unless the kernel log is bad."""
        log, ctl = self.read("log"), self.read("port-ctl")
        if self.opts.log:
            with open(self.opts.log, "w", encoding="utf-8") as f:
                f.write(log)
        bad = loggate.findings(log, self.opts.expect)
        if bad:
            print(loggate.excerpt(log, expected=self.opts.expect), file=sys.stderr)
            raise Error(f"the kernel log says: {bad[0].strip()}")
        for row in ctl.splitlines():
            if row.startswith("fail "):
                raise Error(f"guest: {row[5:]}")
            if row.startswith("exit "):
                return int(row.split()[1])
        if not log and self.child.returncode:
            raise Error(f"QEMU gave up (status {self.child.returncode}): does "
                        f"{paths.qemu()} have the ALink models? (make qemu)")
        print(loggate.excerpt(log), file=sys.stderr)
        raise Error("the guest ended before the command did")
