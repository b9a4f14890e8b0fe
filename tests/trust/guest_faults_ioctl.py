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
from xpudone import PATTERN, POISON, Done
from xpufile import (CALLS, GROUP, HBM, HOST, KEY, PAGE, READ, SEEN, SIZE, VA,
                     WRITE, Xpu, said)

# struct drm_prime_handle: handle, flags, fd
PRIME = struct.Struct('=IIi')
PRIME_TO_FD, PRIME_TO_HANDLE = (3 << 30 | PRIME.size << 16 | ord('d') << 8 | n
                                for n in (0x2d, 0x2e))


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
        self.done = Done(self)

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

    def try_out(self, what, op, prepare, again=None, allowed=frozenset(),
                done=None, end=None):
        """PREPARE() gives what OP takes; AGAIN(arg) must work when OP failed.
        END(arg, got) gives back what is no part of a file."""
        def fresh():
            self.a, self.b = Xpu(0), Xpu(1)
            return prepare() if prepare else None

        def undo(arg, got):
            if again and failed(got):
                again(arg)
            if end:
                end(arg, got)
            self.a.close()
            self.b.close()

        self.sweeper.sweep(what, op, fresh, undo, self.census, allowed, done)

    def sweep(self, name, prepare, what='', again=False, allowed=frozenset()):
        """An ioctl with the argument that PREPARE() gives. What it has done is
        seen by the method of Done of its name: without one it is a failure."""
        request = CALLS[name][0]
        self.try_out(f'ioctl {name}{what}',
                     lambda arg: fcntl.ioctl(self.a.fd, request, arg, True),
                     prepare, (lambda arg: self.a.do(name, arg)) if again
                     else None, allowed, getattr(self.done, name, None))

    def args(self, name, more, **fields):
        """Its argument, and what Done has to know beside it."""
        args = self.a.args(name, **fields)
        for key, value in more.items():
            setattr(args, key, value)
        return args

    def QUERY(self):
        """Each kind of it."""
        def prepare(query):
            room = (ctypes.c_uint8 * PAGE)(*[POISON] * PAGE)
            return self.args('QUERY', {'room': room}, query=query, size=PAGE,
                             data=ctypes.addressof(room))

        for query in range(4):
            self.sweep('QUERY', lambda q=query: prepare(q), f' {query}')

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
            args.sync, args.lent = args.keep[1][0].handle, None
            args.handles = [o.handle for o in args.keep[0][:2]]
            args.mapped = ((VA, 4 * PAGE), (VA + 5 * PAGE, 11 * PAGE),
                           (VA + (1 << 32), SIZE))
            args.unmapped = ((VA + 4 * PAGE, PAGE),)
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
            args.sync, args.lent, args.handles = 0, mem, ()
            args.mapped = (VA, 4 * PAGE), (VA + 5 * PAGE, 11 * PAGE)
            args.unmapped = ((VA + 4 * PAGE, PAGE),)
            return args

        def away(flags):
            vm, handle = self.away(HBM)
            args = self.a.bind(vm, [
                {'flags': READ, 'handle': handle, 'addr': VA + (1 << 32),
                 'range': 16 * PAGE}])
            args.flags = flags
            args.sync, args.lent, args.handles = 0, None, (handle,)
            args.mapped, args.unmapped = ((VA + (1 << 32), SIZE),), ()
            return args

        for what, flags in (('now', 0), ('later', 1)):
            self.sweep('VM_BIND', lambda f=flags: prepare(f), f' {what}')
            self.sweep('VM_BIND', lambda f=flags: away(f), f' away {what}')
            self.sweep('VM_BIND', lambda f=flags: lend(f), f' lent {what}')

    def queue_args(self, space):
        """Argument of QUEUE_CREATE."""
        return self.args('QUEUE_CREATE', {'space': space}, vm_id=space[0],
                         ring=VA, status=VA + 8 * PAGE, size=16, priority=1)

    def QUEUE_CREATE(self):
        """In host memory and in HBM."""
        for what, flags in (('host', HOST), ('visible', SEEN)):
            self.sweep('QUEUE_CREATE', lambda f=flags: self.queue_args(
                self.a.space(f)), f' {what}')
        self.sweep('QUEUE_CREATE', lambda: self.queue_args(self.away()),
                   ' away', allowed={errno.ENOSPC})

    def QUEUE_DESTROY(self):
        """What failed can be done again."""
        def prepare():
            space = self.a.space()
            return self.args('QUEUE_DESTROY', {'space': space},
                             queue_id=self.a.queue(space))

        self.sweep('QUEUE_DESTROY', prepare, again=True)

    def QUEUE_STATUS(self):
        """Of a queue that halted: of one that runs all is 0."""
        def prepare():
            args = self.queue_args(self.a.space())
            queue = self.a.do('QUEUE_CREATE', args)
            halted = said(self.a.run, args.space[1], queue, 0xff, 0, 0, 0)
            assert halted == 'EIO', halted
            return self.a.args('QUEUE_STATUS', queue_id=queue.queue_id)

        self.sweep('QUEUE_STATUS', prepare)

    def fence(self, handle, value=7):
        """Puts one into an object."""
        with self.a.map(handle) as mem:
            mem[0] = value
        return handle

    def WAIT_FENCE(self):
        """A reached one: in an object, by address, in HBM."""
        for what, flags in (('host', HOST), ('visible', SEEN)):
            for va in (0, 1):
                def prepare(flags=flags, va=va):
                    space = self.a.space(flags)
                    self.fence(space[1])
                    return self.a.args('WAIT_FENCE', flags=va,
                                       handle=space[not va],
                                       addr=VA if va else 0, value=7)

                self.sweep('WAIT_FENCE', prepare,
                           f' {what} {"address" if va else "handle"}')

        def away():
            handle = self.fence(self.a.space(SEEN)[1])
            self.a.evict()
            return self.a.args('WAIT_FENCE', handle=handle, value=7)

        self.sweep('WAIT_FENCE', away, ' away')

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
        def prepare():
            export = self.a.call('SEGMENT_EXPORT', handle=self.a.bo(HBM),
                                 rights=READ)
            return self.args('SEGMENT_REVOKE', {'segment': export.segment},
                             export_id=export.export_id)

        self.sweep('SEGMENT_REVOKE', prepare, again=True)

    def SEGMENT_IMPORT(self):
        """From the other xPU."""
        def prepare():
            handle = self.b.bo(HBM)
            return self.args('SEGMENT_IMPORT', {'exported': handle},
                             segment=self.b.call(
                                 'SEGMENT_EXPORT', handle=handle,
                                 rights=READ).segment)

        self.sweep('SEGMENT_IMPORT', prepare)

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

    def prime_import(self, xpu, buf):
        """Handle of a dma-buf."""
        return PRIME.unpack(fcntl.ioctl(xpu.fd, PRIME_TO_HANDLE,
                                        PRIME.pack(0, 0, buf)))[0]

    def prime(self):
        """Both kinds of memory as dma-bufs, and those of the other xPU here:
        HBM is exported there and imported here behind one call."""
        def export(xpu, handle):
            return PRIME.unpack(fcntl.ioctl(xpu.fd, PRIME_TO_FD, PRIME.pack(
                handle, os.O_CLOEXEC | os.O_RDWR, 0)))[2]

        def handle_and_spare(flags):
            handle, spare = self.a.bo(flags), os.dup(self.a.fd)
            os.close(spare)
            return handle, spare

        def close_spare(arg, got):
            # DRM's core leaves the file open when it cannot tell its number,
            # which is the lowest that was free.
            with contextlib.suppress(OSError):
                os.close(arg[1] if failed(got) or got is None else got)

        def filled(flags):
            # Before it is shared: DMA-API debugging takes a mapping that comes
            # after the importer's for a mistake.
            handle = self.b.bo(flags)
            self.b.holds(handle, fill=PATTERN)
            return export(self.b, handle)

        full = frozenset((errno.EMFILE, errno.ENFILE))
        for what, flags in (('host', HOST), ('hbm', HBM)):
            self.try_out(f'prime export {what}',
                         lambda arg: export(self.a, arg[0]),
                         lambda f=flags: handle_and_spare(f), allowed=full,
                         done=self.done.prime_export, end=close_spare)
            self.try_out(f'prime import {what}',
                         lambda buf: self.prime_import(self.a, buf),
                         lambda f=flags: filled(f), allowed=full,
                         done=self.done.prime_import,
                         end=lambda buf, got: os.close(buf))

    def files(self):
        """open, close, mmap, fdinfo."""
        self.sweeper.sweep(
            'open', lambda _: os.open('/dev/accel/accel0', os.O_RDWR),
            None, lambda _, got: got is None or failed(got) or os.close(got),
            self.census, done=self.done.open)

        def busy():
            self.a.queue(self.a.space(SEEN))
            self.a.call('SEGMENT_EXPORT', handle=self.a.bo(HBM), rights=READ)
            return os.dup(self.b.fd)

        # close() of a file that holds one of everything. What the second one
        # closes is a number only.
        def op(spare):
            os.dup2(spare, self.a.fd, inheritable=False)

        self.try_out('close', op, busy, done=self.done.close,
                     end=lambda spare, got: os.close(spare))

        def memory(flags):
            handle = self.a.bo(flags)
            return self.a.call('GEM_MMAP_OFFSET', handle=handle).offset, handle

        def doorbell():
            space = self.a.space()
            queue = self.a.do('QUEUE_CREATE', self.queue_args(space))
            return queue.doorbell_offset, (queue, space[1])

        for what, flags in (('host', HOST), ('visible', SEEN)):
            self.mmap(what, lambda f=flags: memory(f), SIZE, self.done.mmap)
        self.mmap('doorbell', doorbell, PAGE, self.done.doorbell)

        def info():
            self.a.queue(self.a.space(SEEN))
            return os.open(f'/proc/self/fdinfo/{self.a.fd}', os.O_RDONLY)

        self.try_out('fdinfo', lambda fd: os.pread(fd, 1 << 16, 0), info,
                     done=self.done.fdinfo, end=lambda fd, got: os.close(fd))

    def mmap(self, what, prepare, size, done):
        """mmap at the offset that PREPARE() gives, with what is there."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int,
                              ctypes.c_int, ctypes.c_int, ctypes.c_long]
        prot = mmap.PROT_WRITE | (0 if what == 'doorbell' else mmap.PROT_READ)

        def op(arg):
            got = libc.mmap(None, size, prot, mmap.MAP_SHARED, self.a.fd,
                            arg[0])
            if got == ctypes.c_void_p(-1).value:
                raise OSError(ctypes.get_errno(), 'mmap')
            return got

        def end(_, got):
            if got is not None and not failed(got):
                libc.munmap(ctypes.c_void_p(got), ctypes.c_size_t(size))

        self.try_out(f'mmap {what}', op, prepare, allowed={errno.EAGAIN},
                     done=done, end=end)


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
    for name in 'prime', 'files':
        if not wanted or name in wanted:
            getattr(sweeps, name)()
    sweeper.done()


if __name__ == '__main__':
    main()
