# SPDX-License-Identifier: GPL-2.0-only
"""What can be seen of an ioctl of the xPU that worked, for the fault sweeps:
what was made can be used, what was given back is gone, what was asked is told.
"""
import ctypes
import mmap
import os

from faultlib import Grows, Moves
from xpufile import (FILL, GROUP, HBM, KEY, KINDS, PAGE, READ, SIZE, VA, WRITE,
                     Xpu, ring_with, said)

# What one sweep fills memory with; another one finds it there uncleared.
PATTERN, OTHER = 0x5a17c0de, 0x0ddba115
POISON = 0xa5
# Of the answers to QUERY: what changes by itself
MOVING = {'clock_ns', 'busy_ns', 'commands', 'irqs', 'doorbells', 'evictions',
          'restores'}
ANSWERS = ('device', 'memory', 'counters', 'link')


def fields(record):
    """{name: value} of a ctypes structure."""
    out = {}
    for name, *_ in record._fields_:
        value = getattr(record, name)
        if isinstance(value, ctypes.Structure):
            value = fields(value)
        elif isinstance(value, ctypes.Array):
            value = list(value)
        out[name] = Grows(value) if name in MOVING else value
    return out


class Done:
    """One method for each ioctl, named as it. They get the argument as the
    ioctl left it, with what its preparation has added; and may change what
    they like: the files are closed afterwards."""

    # pylint: disable=invalid-name

    def __init__(self, sweeps):
        self.sweeps = sweeps

    @property
    def a(self):
        """The file that the ioctl is of."""
        return self.sweeps.a

    @property
    def b(self):
        """A file of the other xPU."""
        return self.sweeps.b

    def QUERY(self, args, _):
        """All that it tells, and nothing behind that."""
        kind = KINDS[f'drm_alink_xpu_query_{ANSWERS[args.query]}']
        raw, size = bytes(args.room), ctypes.sizeof(kind)
        return (args.size, [fields(kind.from_buffer_copy(raw, at)) for at in
                            range(0, args.size - size + 1, size)],
                set(raw[args.size:]))

    def GEM_CREATE(self, args, _):
        """It is zero, can be bound, read, written, and mapped."""
        seen = [args.size, self.a.holds(args.handle),
                self.a.holds(args.handle, fill=PATTERN)]
        if args.flags != HBM:
            with self.a.map(args.handle) as mem:
                seen.append(set(memoryview(mem).cast('I')))
        return seen

    def GEM_MMAP_OFFSET(self, args, _):
        """What is written there is in the object."""
        with mmap.mmap(self.a.fd, SIZE, offset=args.offset) as mem:
            mem[:] = bytes(range(256)) * (SIZE // 256)
        return self.a.holds(args.handle)

    def VM_CREATE(self, args, _):
        """A queue in it works."""
        self.a.bound(args.vm_id, self.a.bo(), VA)
        self.a.work(args.vm_id, FILL, VA, PATTERN, SIZE)
        return args.vm_id, self.a.reads(args.vm_id, VA)

    def VM_DESTROY(self, args, _):
        """It is not there."""
        return (said(self.a.queue, (args.vm_id, 0)),
                said(self.a.call, 'VM_DESTROY', vm_id=args.vm_id))

    def VM_BIND(self, args, _):
        """The device sees what was mapped, with those rights, and not what was
        unmapped."""
        vm, a = args.vm_id, self.a
        seen = [args.num_done]
        if args.sync:
            seen.append(a.signalled(args.sync))
        for handle in args.handles:
            a.holds(handle, fill=PATTERN)
        if args.lent is not None:
            args.lent[:] = bytes(range(256)) * (SIZE // 256)
        for at, size in args.mapped:
            seen.append(said(a.work, vm, FILL, at, OTHER, PAGE))
            seen.append(a.reads(vm, at, size))
        seen.extend(said(a.reads, vm, at, size) for at, size in args.unmapped)
        return seen

    def QUEUE_CREATE(self, args, _):
        """It fills a page."""
        self.a.run(args.space[1], args, FILL, VA + 4 * PAGE, PATTERN, PAGE)
        with self.a.map(args.space[1]) as mem:
            data = memoryview(mem)[4 * PAGE:5 * PAGE].cast('I')
            seen = set(data)
            data.release()
        return args.queue_id, seen, self.state(args.queue_id)

    def state(self, queue):
        """All that QUEUE_STATUS tells."""
        return fields(self.a.call('QUEUE_STATUS', queue_id=queue))

    def QUEUE_DESTROY(self, args, _):
        """It is not there, and its VM is free."""
        return (said(self.state, args.queue_id),
                said(self.a.call, 'VM_DESTROY', vm_id=args.space[0]))

    def QUEUE_STATUS(self, args, _):
        """All that it tells."""
        return fields(args)

    def WAIT_FENCE(self, args, _):
        """The value is told, and no error."""
        return fields(args)

    def FENCE_SYNCOBJ(self, args, _):
        """The syncobj is signalled, without an error."""
        return self.a.signalled(args.syncobj)

    def SEGMENT_EXPORT(self, args, _):
        """The other xPU sees the memory, and may do what was granted."""
        self.a.holds(args.handle, fill=PATTERN)
        there = self.b.call('SEGMENT_IMPORT', segment=args.segment).handle
        told = fields(args.segment)
        # A random one, and the first that is free in the device
        key, _ = told.pop('key'), told.pop('segment')
        seen = [args.export_id, told, bool(key), self.b.holds(there, READ)]
        if args.rights & WRITE:
            seen += [self.b.holds(there, fill=OTHER),
                     self.a.holds(args.handle)]
        return seen

    def SEGMENT_REVOKE(self, args, _):
        """It is not there, and nobody gets at the memory."""
        def use():
            self.b.holds(self.b.call('SEGMENT_IMPORT',
                                     segment=args.segment).handle, READ)
        return (said(use), said(self.a.call, 'SEGMENT_REVOKE',
                                export_id=args.export_id))

    def SEGMENT_IMPORT(self, args, _):
        """The exporter's memory is seen."""
        self.b.holds(args.exported, fill=PATTERN)
        return self.a.holds(args.handle, READ)

    def member(self, xpu):
        """Memory that an xPU has put into the group."""
        handle = xpu.bo(HBM)
        xpu.call('GROUP_BIND', group=GROUP, key=KEY, handle=handle, size=SIZE)
        return handle

    def group(self):
        """The group, as an object."""
        return self.a.call('GROUP_IMPORT', group=GROUP, key=KEY,
                           size=SIZE).handle

    def GROUP_BIND(self, args, _):
        """What is written to the group gets there."""
        other = self.member(self.b)
        self.a.sends(self.group(), PATTERN)
        return (args.bind_id, self.a.holds(args.handle), self.b.holds(other))

    def GROUP_UNBIND(self, args, _):
        """It is not there, and the place in the group is free."""
        return (said(self.a.call, 'GROUP_UNBIND', bind_id=args.bind_id),
                said(self.member, self.a))

    def GROUP_IMPORT(self, args, _):
        """What is written to it gets to the members."""
        handles = [(x, self.member(x)) for x in (self.a, self.b)]
        self.a.sends(args.handle, PATTERN)
        return [x.holds(handle) for x, handle in handles]

    # --- what is no ioctl of the header -----------------------------------

    def prime_export(self, arg, buf):
        """The other xPU sees the memory, all of it."""
        if buf is None:
            return None
        self.a.holds(arg[0], fill=PATTERN)
        return (os.lseek(buf, 0, os.SEEK_END),
                self.b.holds(self.sweeps.prime_import(self.b, buf)))

    def prime_import(self, _, handle):
        """The exporter's memory is seen, which was filled before."""
        return None if handle is None else self.a.holds(handle)

    def open(self, _, fd):
        """A file that can do what others can."""
        if fd is None:
            return None
        xpu = Xpu(fd=fd)
        return xpu.holds(xpu.bo(), fill=PATTERN)

    def fdinfo(self, _, text):
        """All of its lines; each file has a number of its own."""
        if text is None:
            return None
        told = dict(line.split(b':\t', 1) for line in text.splitlines())
        return {k: Moves(v) if k == b'drm-client-id' else v
                for k, v in told.items()}

    def close(self, _arg, _got):
        """What the file had is free, the number names another."""
        return (self.sweeps.watch[0].used(),
                said(self.a.call, 'VM_DESTROY', vm_id=1))

    def mmap(self, arg, at):
        """What is written there is in the object."""
        if at is None:
            return None
        ctypes.memset(at, PATTERN & 0xff, SIZE)
        return ctypes.string_at(at, 8), self.a.holds(arg[1])

    def doorbell(self, arg, at):
        """The queue gets to hear of its command."""
        if at is None:
            return None
        queue, handle = arg[1]
        self.a.push(handle, queue, FILL, VA + 4 * PAGE, PATTERN, PAGE)
        ring_with(ctypes.c_uint32.from_address(at))
        self.a.ended(handle, queue)
        return self.state(queue.queue_id)
