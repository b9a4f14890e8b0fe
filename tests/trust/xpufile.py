# SPDX-License-Identifier: GPL-2.0-only
"""An open xPU in the guest, for the fault sweeps: its ioctls by their names in
the header, and queues that show what memory holds.
"""
import ctypes
import fcntl
import mmap
import os
import struct
import time
import zlib

import uapi
from faultlib import named

CALLS = uapi.ioctls()
KINDS = uapi.structs(uapi.XPU_H)
# struct drm_syncobj_handle: handle, flags, fd, pad
SYNCOBJ_HANDLE = struct.Struct('=IIiI')
# struct drm_syncobj_wait: handles, timeout, their number, flags, out, pad
SYNCOBJ_WAITS = struct.Struct('=QqIIII')
SYNCOBJ_CREATE, SYNCOBJ_TO_FD, SYNCOBJ_WAIT = (
    3 << 30 | size << 16 | ord('d') << 8 | n for size, n in (
        (8, 0xbf), (SYNCOBJ_HANDLE.size, 0xc1), (SYNCOBJ_WAITS.size, 0xc3)))
# struct sync_file_info: name, status, flags, fences, pad, their address
SYNC_FILE = struct.Struct('=32siIIIQ')
SYNC_FILE_INFO = 3 << 30 | SYNC_FILE.size << 16 | ord('>') << 8 | 4
HOST, HBM, SEEN = 1, 2, 6
READ, WRITE = 1, 2
PAGE = 4096
SIZE = 16 * PAGE
VA = 1 << 30
# Where what shows the contents of others is bound, each in a place of its own
WORK, WORK_STEP = 1 << 40, 1 << 24
# In the object of a queue
STATUS_AT, FENCE_AT = 8 * PAGE, 12 * PAGE
# struct alink_xpu_desc
DESC = struct.Struct('<BBBBI7Q')
COPY, FILL = 1, 2
FENCE_AND_IRQ = 3
# No time limit of what is tested: a queue that does nothing ends the test.
PATIENCE_NS = 60 * 10 ** 9
GROUP, KEY = 7, 0x1122334455667788


class Xpu:
    """An open xPU."""

    def __init__(self, number=0, fd=None):
        self.works = 0
        self.fd = os.open(f'/dev/accel/accel{number}', os.O_RDWR |
                          os.O_CLOEXEC) if fd is None else fd

    def close(self):
        """Ends all that was made through it."""
        os.close(self.fd)

    def args(self, name, **fields):
        """An ioctl's argument."""
        return CALLS[name][1](**fields)

    def do(self, name, args):
        """The ioctl; its argument as the kernel left it."""
        fcntl.ioctl(self.fd, CALLS[name][0], args, True)
        return args

    def call(self, name, **fields):
        """Both."""
        return self.do(name, self.args(name, **fields))

    def bo(self, flags=HOST, size=SIZE):
        """Handle of a new object."""
        return self.call('GEM_CREATE', size=size, flags=flags).handle

    def syncobj(self):
        """Handle of a new syncobj."""
        return struct.unpack('=II', fcntl.ioctl(
            self.fd, SYNCOBJ_CREATE, struct.pack('=II', 0, 0)))[0]

    def memory(self):
        """What QUERY says of HBM."""
        out = KINDS['drm_alink_xpu_query_memory']()
        self.call('QUERY', query=1, size=ctypes.sizeof(out),
                  data=ctypes.addressof(out))
        return out

    def used(self):
        """HBM in use, and what has left it."""
        out = self.memory()
        return out.hbm_used, out.hbm_evicted

    def fill(self, room):
        """All of HBM but for so many objects: exported, so it stays."""
        m = self.memory()
        self.call('SEGMENT_EXPORT', rights=READ, handle=self.bo(
            HBM, m.hbm_total - m.hbm_used - room * 16 * PAGE))

    def evict(self):
        """Sends away what was not used longest, when two fit with it."""
        self.fill(1)
        self.bo(HBM)
        self.bo(HBM)
        assert self.memory().hbm_evicted == 16 * PAGE

    def bind(self, vm, ops, syncs=()):
        """Argument of VM_BIND; keeps its arrays alive in it."""
        kind = KINDS['drm_alink_xpu_vm_bind_op'] * len(ops)
        array = kind(*[KINDS['drm_alink_xpu_vm_bind_op'](**o) for o in ops])
        skind = KINDS['drm_alink_xpu_sync'] * max(1, len(syncs))
        sarray = skind(*[KINDS['drm_alink_xpu_sync'](**s) for s in syncs])
        args = self.args('VM_BIND', vm_id=vm, num_binds=len(ops),
                         num_syncs=len(syncs), binds=ctypes.addressof(array),
                         syncs=ctypes.addressof(sarray) if syncs else 0)
        args.keep = array, sarray
        return args

    def space(self, flags=HOST):
        """A VM with an object bound at VA: (vm, handle)."""
        vm = self.call('VM_CREATE').vm_id
        handle = self.bo(flags)
        self.do('VM_BIND', self.bind(vm, [
            {'flags': READ | WRITE, 'handle': handle, 'addr': VA,
             'range': 16 * PAGE}]))
        return vm, handle

    def queue(self, space):
        """Id of a queue in it."""
        return self.call('QUEUE_CREATE', vm_id=space[0], ring=VA,
                         status=VA + 8 * PAGE, size=16, priority=1).queue_id

    # --- what can be seen of it -------------------------------------------

    def map(self, handle, size=SIZE):
        """An object's memory. It holds the file open until it is closed."""
        return mmap.mmap(self.fd, size, offset=self.call(
            'GEM_MMAP_OFFSET', handle=handle).offset)

    def signalled(self, syncobj):
        """Status of its fence, once that is signalled: 1, or the error."""
        handles = ctypes.c_uint32(syncobj)
        fcntl.ioctl(self.fd, SYNCOBJ_WAIT, SYNCOBJ_WAITS.pack(
            ctypes.addressof(handles), time.monotonic_ns() + PATIENCE_NS, 1,
            0, 0, 0))
        file = SYNCOBJ_HANDLE.unpack(fcntl.ioctl(
            self.fd, SYNCOBJ_TO_FD, SYNCOBJ_HANDLE.pack(syncobj, 1, -1, 0)))[2]
        try:
            return SYNC_FILE.unpack(fcntl.ioctl(
                file, SYNC_FILE_INFO, SYNC_FILE.pack(b'', 0, 0, 0, 0, 0)))[1]
        finally:
            os.close(file)

    def push(self, ring, queue, opcode, dst, src, size):
        """The first command of a queue, with its fence; nobody is told."""
        with self.map(ring) as mem:
            DESC.pack_into(mem, 0, opcode, FENCE_AND_IRQ, 0, 0, 0, dst, src, 0,
                           size, queue.ring + FENCE_AT, 1, 0)

    def ended(self, ring, queue):
        """Waits for that command; EIO if it failed."""
        self.call('WAIT_FENCE', queue_id=queue.queue_id, handle=ring,
                  addr=FENCE_AT, value=1,
                  timeout_ns=time.monotonic_ns() + PATIENCE_NS)

    def run(self, ring, queue, *command):
        """push(), the doorbell, ended()."""
        self.push(ring, queue, *command)
        door = mmap.mmap(self.fd, PAGE, flags=mmap.MAP_SHARED,
                         prot=mmap.PROT_WRITE, offset=queue.doorbell_offset)
        ring_with(ctypes.c_uint32.from_buffer(door))
        door.close()
        self.ended(ring, queue)

    def place(self):
        """A device virtual address that nothing is bound at."""
        self.works += 1
        return WORK + self.works * WORK_STEP

    def bound(self, vm, handle, at, rights=READ | WRITE):
        """Binds an object."""
        self.do('VM_BIND', self.bind(vm, [
            {'flags': rights, 'handle': handle, 'addr': at, 'range': SIZE}]))

    def work(self, vm, *command):
        """A new queue of a VM does that; EIO if it could not."""
        ring, at = self.bo(), self.place()
        self.bound(vm, ring, at)
        self.run(ring, self.call('QUEUE_CREATE', vm_id=vm, ring=at,
                                 status=at + STATUS_AT, size=16, priority=1),
                 *command)

    def reads(self, vm, at, size=SIZE):
        """What a queue of a VM reads there, in short."""
        target, place = self.bo(), self.place()
        with self.map(target) as mem:
            mem[:] = b'\xff' * SIZE
            self.bound(vm, target, place)
            self.work(vm, COPY, place, at, size)
            return f'{zlib.crc32(mem[:]):#x}'

    def holds(self, handle, rights=READ | WRITE, fill=None):
        """What a queue reads in an object; FILL: what it has put there."""
        vm = self.call('VM_CREATE').vm_id
        self.bound(vm, handle, VA, rights)
        if fill is not None:
            self.work(vm, FILL, VA, fill, SIZE)
        return self.reads(vm, VA)

    def sends(self, handle, fill):
        """A queue writes that to a group."""
        vm, source = self.call('VM_CREATE').vm_id, self.bo()
        self.holds(source, fill=fill)
        self.bound(vm, source, VA + WORK_STEP)
        self.bound(vm, handle, VA)
        self.work(vm, COPY, VA, VA + WORK_STEP, SIZE)


def ring_with(bell):
    """A doorbell of a queue with one command: one access, of 32 bits."""
    bell.value = 1


def said(call, *args, **fields):
    """What a call says: the name of its error, or 'done'."""
    try:
        call(*args, **fields)
    except OSError as err:
        return named(err)
    return 'done'
