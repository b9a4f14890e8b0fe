#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: a fault sweep of every ioctl of the xPU, and of open and mmap.
Prints TAP. The list of ioctls is the header's."""
import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import struct
import subprocess
import sys

import uapi
from faultlib import Sweeper

CALLS = uapi.ioctls()
KINDS = uapi.structs(uapi.XPU_H)
SYNCOBJ_CREATE = 3 << 30 | 8 << 16 | ord('d') << 8 | 0xbf
# struct drm_prime_handle: handle, flags, fd
PRIME = struct.Struct('=IIi')
PRIME_TO_FD, PRIME_TO_HANDLE = (3 << 30 | PRIME.size << 16 | ord('d') << 8 | n
                                for n in (0x2d, 0x2e))
HOST, HBM, SEEN = 1, 2, 6
READ, WRITE = 1, 2
PAGE = 4096
VA = 1 << 30
GROUP, KEY = 7, 0x1122334455667788


class Xpu:
    """An open xPU."""

    def __init__(self, number):
        self.fd = os.open(f'/dev/accel/accel{number}',
                          os.O_RDWR | os.O_CLOEXEC)

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

    def bo(self, flags=HOST, size=16 * PAGE):
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


def failed(got):
    """Did the operation fail?"""
    return isinstance(got, OSError)


class Sweeps:
    """One method for each ioctl, named as it.

    Each try has files of its own. The DRM core copies an answer out after the
    driver is done: should that fail, the object is made, and only the close of
    the file ends it. So after a try the files are closed, and then everything
    must be as before.
    """

    def __init__(self, sweeper):
        self.sweeper = sweeper
        self.watch = Xpu(0), Xpu(1)
        self.a = self.b = None

    def census(self):
        """What must not change: HBM in use on both, and out of it."""
        return tuple(x.used() for x in self.watch)

    def full(self, flags):
        """Argument of GEM_CREATE, for which another object has to leave."""
        self.a.bo(flags)
        self.a.fill(0)
        return self.a.args('GEM_CREATE', size=16 * PAGE, flags=flags)

    def away(self, flags=SEEN):
        """A VM with an object bound, which is not in HBM."""
        space = self.a.space(flags)
        self.a.evict()
        return space

    def try_out(self, what, op, prepare, again=None, allowed=frozenset()):
        """PREPARE() gives what OP takes; AGAIN(arg) must work when OP failed."""
        def fresh():
            self.a, self.b = Xpu(0), Xpu(1)
            return prepare() if prepare else None

        def undo(arg, got):
            if again and failed(got):
                again(arg)
            self.a.close()
            self.b.close()

        self.sweeper.sweep(what, op, fresh, undo, self.census, allowed)

    def sweep(self, name, prepare, what='', again=False, allowed=frozenset()):
        """An ioctl with the argument that PREPARE() gives."""
        request = CALLS[name][0]
        self.try_out(f'ioctl {name}{what}',
                     lambda arg: fcntl.ioctl(self.a.fd, request, arg, True),
                     prepare, (lambda arg: self.a.do(name, arg)) if again
                     else None, allowed)

    def QUERY(self):
        """Each kind of it."""
        room = ctypes.create_string_buffer(4096)
        for query in range(4):
            self.sweep('QUERY', lambda q=query: self.a.args(
                'QUERY', query=q, size=4096, data=ctypes.addressof(room)),
                f' {query}')

    def GEM_CREATE(self):
        """Host and HBM. A new shmem file without an inode is ENOSPC."""
        for what, flags in (('host', HOST), ('hbm', HBM), ('visible', SEEN)):
            self.sweep('GEM_CREATE', lambda f=flags: self.a.args(
                'GEM_CREATE', size=16 * PAGE, flags=f), f' {what}',
                allowed={errno.ENOSPC})
        for what, flags in (('hbm', HBM), ('visible', SEEN)):
            self.sweep('GEM_CREATE', lambda f=flags: self.full(f),
                       f' {what} full', allowed={errno.ENOSPC})

    def GEM_MMAP_OFFSET(self):
        """Of a new object."""
        self.sweep('GEM_MMAP_OFFSET', lambda: self.a.args(
            'GEM_MMAP_OFFSET', handle=self.a.bo()))

    def VM_CREATE(self):
        """A VM."""
        self.sweep('VM_CREATE', lambda: self.a.args('VM_CREATE'))

    def VM_DESTROY(self):
        """What failed can be done again."""
        self.sweep('VM_DESTROY', lambda: self.a.args(
            'VM_DESTROY', vm_id=self.a.space()[0]), again=True)

    def VM_BIND(self):
        """Map two objects, unmap a part; with a syncobj. Memory of this
        process, and a part of it no more. Now, and later."""
        def prepare(flags):
            vm = self.a.call('VM_CREATE').vm_id
            args = self.a.bind(vm, [
                {'flags': READ | WRITE, 'handle': self.a.bo(HOST), 'addr': VA,
                 'range': 16 * PAGE},
                {'flags': READ, 'handle': self.a.bo(HBM),
                 'addr': VA + (1 << 32), 'range': 16 * PAGE},
                {'op': 1, 'addr': VA + 4 * PAGE, 'range': PAGE}],
                [{'handle': self.a.syncobj(), 'flags': 1}])
            args.flags = flags
            return args

        def lend(flags):
            mem = mmap.mmap(-1, 16 * PAGE, mmap.MAP_PRIVATE |
                            mmap.MAP_ANONYMOUS)
            at = ctypes.addressof(ctypes.c_char.from_buffer(mem))
            args = self.a.bind(self.a.call('VM_CREATE').vm_id, [
                {'op': 2, 'flags': READ | WRITE, 'offset': at, 'addr': VA,
                 'range': 16 * PAGE},
                {'op': 1, 'addr': VA + 4 * PAGE, 'range': PAGE}])
            args.flags = flags
            args.lent = mem
            return args

        def away(flags):
            vm, handle = self.away(HBM)
            args = self.a.bind(vm, [
                {'flags': READ, 'handle': handle, 'addr': VA + (1 << 32),
                 'range': 16 * PAGE}])
            args.flags = flags
            return args

        for what, flags in (('now', 0), ('later', 1)):
            self.sweep('VM_BIND', lambda f=flags: prepare(f), f' {what}')
            self.sweep('VM_BIND', lambda f=flags: away(f), f' away {what}')
            self.sweep('VM_BIND', lambda f=flags: lend(f), f' lent {what}')

    def QUEUE_CREATE(self):
        """In host memory and in HBM."""
        for what, flags in (('host', HOST), ('visible', SEEN)):
            self.sweep('QUEUE_CREATE', lambda f=flags: self.a.args(
                'QUEUE_CREATE', vm_id=self.a.space(f)[0], ring=VA,
                status=VA + 8 * PAGE, size=16, priority=1), f' {what}')
        self.sweep('QUEUE_CREATE', lambda: self.a.args(
            'QUEUE_CREATE', vm_id=self.away()[0], ring=VA,
            status=VA + 8 * PAGE, size=16, priority=1), ' away',
            allowed={errno.ENOSPC})

    def QUEUE_DESTROY(self):
        """What failed can be done again."""
        self.sweep('QUEUE_DESTROY', lambda: self.a.args(
            'QUEUE_DESTROY', queue_id=self.a.queue(self.a.space())),
            again=True)

    def QUEUE_STATUS(self):
        """Of one queue."""
        self.sweep('QUEUE_STATUS', lambda: self.a.args(
            'QUEUE_STATUS', queue_id=self.a.queue(self.a.space())))

    def WAIT_FENCE(self):
        """A reached one: in an object, by address, in HBM."""
        for what, flags in (('host', HOST), ('visible', SEEN)):
            for va in (0, 1):
                def prepare(flags=flags, va=va):
                    space = self.a.space(flags)
                    return self.a.args('WAIT_FENCE', flags=va,
                                       handle=space[not va],
                                       addr=VA if va else 0)

                self.sweep('WAIT_FENCE', prepare,
                           f' {what} {"address" if va else "handle"}')
        self.sweep('WAIT_FENCE', lambda: self.a.args(
            'WAIT_FENCE', handle=self.away()[1]), ' away')

    def FENCE_SYNCOBJ(self):
        """A reached one."""
        self.sweep('FENCE_SYNCOBJ', lambda: self.a.args(
            'FENCE_SYNCOBJ', handle=self.a.bo(), timeout_ms=1000,
            syncobj=self.a.syncobj()))

    def SEGMENT_EXPORT(self):
        """An HBM object."""
        self.sweep('SEGMENT_EXPORT', lambda: self.a.args(
            'SEGMENT_EXPORT', handle=self.a.bo(HBM), rights=READ | WRITE))
        self.sweep('SEGMENT_EXPORT', lambda: self.a.args(
            'SEGMENT_EXPORT', handle=self.away(HBM)[1], rights=READ), ' away',
            allowed={errno.ENOSPC})

    def SEGMENT_REVOKE(self):
        """What failed can be done again."""
        self.sweep('SEGMENT_REVOKE', lambda: self.a.args(
            'SEGMENT_REVOKE', export_id=self.a.call(
                'SEGMENT_EXPORT', handle=self.a.bo(HBM),
                rights=READ).export_id), again=True)

    def SEGMENT_IMPORT(self):
        """From the other xPU."""
        self.sweep('SEGMENT_IMPORT', lambda: self.a.args(
            'SEGMENT_IMPORT', segment=self.b.call(
                'SEGMENT_EXPORT', handle=self.b.bo(HBM),
                rights=READ).segment))

    def group_args(self):
        """Argument of GROUP_BIND."""
        return self.a.args('GROUP_BIND', group=GROUP, key=KEY,
                           handle=self.a.bo(HBM), size=16 * PAGE)

    def GROUP_BIND(self):
        """Memory into the group."""
        self.sweep('GROUP_BIND', self.group_args)

    def GROUP_UNBIND(self):
        """What failed can be done again."""
        self.sweep('GROUP_UNBIND', lambda: self.a.args(
            'GROUP_UNBIND', bind_id=self.a.do('GROUP_BIND',
                                              self.group_args()).bind_id),
            again=True)

    def GROUP_IMPORT(self):
        """The group as an object."""
        self.sweep('GROUP_IMPORT', lambda: self.a.args(
            'GROUP_IMPORT', group=GROUP, key=KEY, size=16 * PAGE))

    def prime(self):
        """Both kinds of memory as dma-bufs, and those of the other xPU here: HBM
        is exported there and imported here behind one call."""
        def export(xpu, handle):
            return PRIME.unpack(fcntl.ioctl(xpu.fd, PRIME_TO_FD, PRIME.pack(
                handle, os.O_CLOEXEC | os.O_RDWR, 0)))[2]

        def import_here(buf):
            try:
                fcntl.ioctl(self.a.fd, PRIME_TO_HANDLE, PRIME.pack(0, 0, buf))
            finally:
                os.close(buf)

        def handle_and_spare(flags):
            handle, spare = self.a.bo(flags), os.dup(self.a.fd)
            os.close(spare)
            return handle, spare

        def close_spare(arg):
            # DRM's core leaves the file open when it cannot tell its number,
            # which is the lowest that was free.
            with contextlib.suppress(OSError):
                os.close(arg[1])

        full = frozenset((errno.EMFILE, errno.ENFILE))
        for what, flags in (('host', HOST), ('hbm', HBM)):
            self.try_out(f'prime export {what}',
                         lambda arg: os.close(export(self.a, arg[0])),
                         lambda f=flags: handle_and_spare(f), close_spare,
                         allowed=full)
            self.try_out(f'prime import {what}', import_here,
                         lambda f=flags: export(self.b, self.b.bo(f)),
                         allowed=full)

    def files(self):
        """open, close, mmap."""
        self.sweeper.sweep(
            'open', lambda _: os.open('/dev/accel/accel0', os.O_RDWR),
            None, lambda _, got: failed(got) or os.close(got), self.census)

        def busy():
            self.a.queue(self.a.space(SEEN))
            self.a.call('SEGMENT_EXPORT', handle=self.a.bo(HBM), rights=READ)
            return os.dup(self.b.fd)

        # close() of a file that holds one of everything. What the second one
        # closes is a number only.
        def op(spare):
            os.dup2(spare, self.a.fd, inheritable=False)

        self.try_out('close', op, busy, os.close)
        for what, flags in (('host', HOST), ('visible', SEEN)):
            self.mmap(what, lambda f=flags: self.a.call(
                'GEM_MMAP_OFFSET', handle=self.a.bo(f)).offset, 16 * PAGE)
        self.mmap('doorbell', lambda: self.a.call(
            'QUEUE_CREATE', vm_id=self.a.space()[0], ring=VA,
            status=VA + 8 * PAGE, size=16, priority=1).doorbell_offset, PAGE)

    def mmap(self, what, offset, size):
        """mmap of what is at OFFSET()."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int,
                              ctypes.c_int, ctypes.c_int, ctypes.c_long]
        prot = mmap.PROT_WRITE | (0 if what == 'doorbell' else mmap.PROT_READ)

        def op(at):
            got = libc.mmap(None, size, prot, mmap.MAP_SHARED, self.a.fd, at)
            if got == ctypes.c_void_p(-1).value:
                raise OSError(ctypes.get_errno(), 'mmap')
            libc.munmap(ctypes.c_void_p(got), ctypes.c_size_t(size))

        self.try_out(f'mmap {what}', op, offset, allowed={errno.EAGAIN})


def fabric():
    """Routes, and a group of both xPUs."""
    subprocess.run(['alink', 'fabric', 'up'], check=True,
                   stdout=subprocess.DEVNULL)
    enum = uapi.enums(uapi.ALINK_H)
    family = uapi.Genl('alink')
    family.call(enum['ALINK_CMD_GROUP_ADD'],
                uapi.attr(enum['ALINK_A_GROUP_ID'], GROUP) +
                uapi.attr(enum['ALINK_A_GROUP_KEY'], struct.pack('=Q', KEY)) +
                uapi.attr(enum['ALINK_A_GROUP_MEMBERS'],
                          struct.pack('=II', 0, 1)))
    family.close()


def main():
    """Every ioctl of the header; one without a sweep is a failure."""
    sweeper = Sweeper()
    fabric()
    sweeps = Sweeps(sweeper)
    wanted = sys.argv[1:]
    for name in CALLS:
        if wanted and name not in wanted:
            continue
        if not hasattr(sweeps, name):
            sweeper.result(f'ioctl {name} swept', 'no sweep is written for it')
            continue
        getattr(sweeps, name)()
    if not wanted:
        sweeps.prime()
        sweeps.files()
    sweeper.done()


if __name__ == '__main__':
    main()
