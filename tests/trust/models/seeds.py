# SPDX-License-Identifier: GPL-2.0-only
"""Seeds for QEMU's generic-fuzz: what a driver would do, so that the fuzzer
starts beyond the handshake. Offsets, opcodes and types are those of
include/hw/alink; nothing of them is written here again.

An input of generic-fuzz is a list of operations between separators. What a
device reads by DMA comes from patterns: each read takes the next one, in a
circle. So admin commands are pairs of patterns, the entry of the queue and its
TLVs, and one doorbell; a descriptor of the xPU has the entries of its page
tables before it.
"""
import hashlib
import os
import re
import struct

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
SEPARATOR = b'FUZZ'
# Operations of generic-fuzz, by their place in its table, and access sizes.
READ, WRITE, PCI_READ, PCI_WRITE, ADD_PATTERN, CLEAR_PATTERNS, CLOCK_STEP = \
    2, 3, 4, 5, 7, 8, 9
LONG, QUAD = 2, 3
# Regions of one device in the order of their addresses: BAR0, MSI-X table, PBA
REGIONS = 3
# Guest memory that the seeds use: 2 MiB each, as a large page of the xPU.
SQ, CQ, EVENTS, FRAMES_TX, FRAMES_RX, REQUEST, RESPONSE, TABLES, RINGS, DATA = (
    0x200000 * n for n in range(1, 11))
ROOM = 4096


def constants():
    """{name: value} of the #defines and enumerations of include/hw/alink."""
    out = {}
    folder = os.path.join(ROOT, 'include', 'hw', 'alink')
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding='utf-8') as f:
            text = f.read()
        for key, value in re.findall(
                r'^#define ((?:ALINK|CMIS)_\w+)\s+(0x[0-9a-fA-F]+|\d+)U?\b',
                text, re.M):
            out[key] = int(value, 0)
        for key, value in re.findall(
                r'^#define ((?:ALINK|CMIS)_\w+)\s+ALINK_BIT(?:64)?\((\d+)\)',
                text, re.M):
            out[key] = 1 << int(value)
        text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
        for key, value in re.findall(r'^\s+(ALINK_\w+)\s*=\s*(\w+),', text,
                                     re.M):
            out[key] = int(value, 0)
    return out


C = constants()


class Seed:
    """One input, operation by operation."""

    def __init__(self):
        self.ops = []
        self.device = 0
        self.tail = {}

    def data(self):
        """The input."""
        return SEPARATOR.join(self.ops)

    def op(self, kind, payload=b''):
        """Appends an operation."""
        assert SEPARATOR not in payload
        self.ops.append(bytes([kind]) + payload)
        return self

    def use(self, device):
        """Goes on with that one of the devices that are fuzzed."""
        self.device = device
        return self

    def wr32(self, reg, value):
        """Writes a register."""
        return self.op(WRITE, struct.pack('<BBxxIQ', LONG,
                                          REGIONS * self.device, reg, value))

    def wr64(self, reg, value):
        """Writes a 64-bit register."""
        return self.op(WRITE, struct.pack('<BBxxIQ', QUAD,
                                          REGIONS * self.device, reg, value))

    def rd32(self, reg):
        """Reads a register."""
        return self.op(READ, struct.pack('<BBxxI', LONG,
                                         REGIONS * self.device, reg))

    def patterns(self, *data):
        """What the device will read, in this order and then from the start."""
        self.op(CLEAR_PATTERNS)
        for each in data:
            self.op(ADD_PATTERN, b'\0\0' + each)
        return self

    def steps(self, number):
        """To the next timer, so many times."""
        for _ in range(number):
            self.op(CLOCK_STEP)
        return self

    # --- what every function has ------------------------------------------

    def admin_on(self):
        """Driver present, admin queue on."""
        self.tail[self.device] = 0
        self.wr32(C['ALINK_REG_CONTROL'], C['ALINK_CONTROL_ENABLE'])
        self.wr64(C['ALINK_REG_ADMIN_SQ_BASE'], SQ)
        self.wr64(C['ALINK_REG_ADMIN_CQ_BASE'], CQ)
        self.wr32(C['ALINK_REG_ADMIN_SIZE'], 32)
        return self.wr32(C['ALINK_REG_ADMIN_CTRL'], 1)

    def events_on(self):
        """Event ring on."""
        self.wr64(C['ALINK_REG_EVENT_BASE'], EVENTS)
        self.wr32(C['ALINK_REG_EVENT_SIZE'], 64)
        return self.wr32(C['ALINK_REG_EVENT_CTRL'], 1)

    def admin(self, *commands, room=ROOM):
        """Admin commands (opcode, TLV...), a TLV being (type, payload)."""
        reads = []
        for opcode, *tlvs in commands:
            request = b''.join(
                struct.pack('<HHI', C[kind], len(payload), 0) + payload +
                b'\0' * (-len(payload) % 8) for kind, payload in tlvs)
            self.tail[self.device] += 1
            reads.append(struct.pack(
                '<HHIQQII32x', C[opcode], 0, self.tail[self.device], REQUEST,
                RESPONSE, len(request), room))
            if request:
                reads.append(request)
        self.patterns(*reads)
        return self.wr32(C['ALINK_REG_ADMIN_SQ_TAIL'], self.tail[self.device])


def by_id(opcode, number=0):
    """An admin command whose only TLV is an ID."""
    return opcode, ('ALINK_TLV_ID', struct.pack('<I', number))


def common():
    """Self-test, admin commands that all have, reset, configuration space."""
    test = Seed()
    test.wr32(C['ALINK_REG_TEST_VALUE'], 0x5a5a5a5a)
    test.wr64(C['ALINK_REG_TEST_DMA_ADDR'], DATA)
    test.wr32(C['ALINK_REG_TEST_DMA_LEN'], 4032)
    for op in ('FILL', 'INVERT', 'CLEAR'):
        test.wr32(C['ALINK_REG_TEST_DMA_CTRL'], C[f'ALINK_TEST_DMA_{op}'])
        test.rd32(C['ALINK_REG_TEST_DMA_STATUS'])
    test.wr32(C['ALINK_REG_TEST_IRQ'], 0)
    identify = Seed().admin_on().admin(
        ('ALINK_ADMIN_NOP',), ('ALINK_ADMIN_IDENTIFY',),
        ('ALINK_ADMIN_EVENT_MASK', ('ALINK_TLV_MASK',
                                    struct.pack('<Q', 0xff))))
    identify.wr32(C['ALINK_REG_ADMIN_CQ_HEAD'], 2)
    reset = Seed().admin_on().events_on().admin(('ALINK_ADMIN_NOP',))
    reset.wr32(C['ALINK_REG_RESET'], C['ALINK_RESET_KEY'])
    reset.admin_on().admin(('ALINK_ADMIN_NOP',))
    # A completion ring that is nowhere: a fault, an event, an acknowledgement
    fault = Seed().events_on().admin_on()
    fault.wr32(C['ALINK_REG_ADMIN_CTRL'], 0)
    fault.wr64(C['ALINK_REG_ADMIN_CQ_BASE'], 1 << 63)
    fault.wr32(C['ALINK_REG_ADMIN_CTRL'], 1)
    fault.admin(('ALINK_ADMIN_NOP',))
    fault.wr32(C['ALINK_REG_FAULT_ACK'], C['ALINK_FAULT_CLIENT_CP'] << 8 | 128)
    fault.wr32(C['ALINK_REG_EVENT_HEAD'], 1)
    config = Seed().admin_on()
    for offset in (0x04, 0x10, 0x34, 0x40, 0x60, 0x80, 0xa0, 0xc0):
        config.op(PCI_READ, bytes([LONG, 0, offset]))
    config.op(PCI_WRITE, struct.pack('<BBBxI', 1, 0, 0x04, 0x402))
    config.admin(('ALINK_ADMIN_NOP',))
    config.op(PCI_WRITE, struct.pack('<BBBxI', 1, 0, 0x04, 0x406))
    # What lane_models plants is a missing check of the room.
    no_room = Seed().admin_on().admin(('ALINK_ADMIN_IDENTIFY',), room=16)
    return {'selftest': test, 'identify': identify, 'no_room': no_room,
            'reset': reset, 'fault': fault, 'config': config}


def flash(devtype):
    """An update from begin to start, and one that is cut off."""
    payload = bytes(range(64))
    head = struct.pack('<IHHIIQII64x', C['ALINK_FW_MAGIC'],
                       C['ALINK_FW_FORMAT'], 128, C[devtype], 0x02000000,
                       2 ** 64 - 1, 1, len(payload))
    head += hashlib.sha256(head + payload).digest()
    begin = 'ALINK_ADMIN_FLASH_BEGIN', ('ALINK_TLV_FW_HEADER', head)

    def piece(offset):
        return 'ALINK_ADMIN_FLASH_WRITE', ('ALINK_TLV_FLASH_DATA', struct.pack(
            '<II', offset, 0) + payload[offset:offset + 32])

    update = Seed().admin_on().admin(('ALINK_ADMIN_FLASH_INFO',), begin,
                                     piece(0), piece(32),
                                     ('ALINK_ADMIN_FLASH_COMMIT',))
    update.steps(4).wr32(C['ALINK_REG_RESET'], C['ALINK_RESET_KEY'])
    update.rd32(C['ALINK_REG_FW_VERSION'])
    cut = Seed().admin_on().admin(begin, piece(0), piece(0), begin,
                                  ('ALINK_ADMIN_FLASH_ABORT',), begin)
    cut.steps(3).wr32(C['ALINK_REG_RESET'], C['ALINK_RESET_KEY'])
    return {'flash': update, 'flash_cut': cut}


# --- switch -----------------------------------------------------------------

def route(dst, ports):
    """A route of a switch or an xPU."""
    return 'ALINK_ADMIN_ROUTE_SET', ('ALINK_TLV_ROUTE', struct.pack(
        '<IIQ120x', dst, 1, ports))


GROUP = ('ALINK_ADMIN_GROUP_ADD',
         ('ALINK_TLV_GROUP', struct.pack('<IIQ24x', 1, 2, 0x1234)),
         ('ALINK_TLV_MEMBERS', struct.pack('<II', 0, 1)))


def tables(seed):
    """Routes, groups and partitions, each made, shown and deleted."""
    show = [by_id(f'ALINK_ADMIN_{kind}_GET')
            for kind in ('ROUTE', 'GROUP', 'PARTITION')]
    return seed.admin(
        route(0, 1), route(1, 2), GROUP,
        ('ALINK_ADMIN_PARTITION_SET', (
            'ALINK_TLV_PARTITION', struct.pack('<II', 0, 1))),
        *show, by_id('ALINK_ADMIN_GROUP_DEL', 1),
        by_id('ALINK_ADMIN_ROUTE_DEL'))


def frames_on(seed):
    """Rings of link-level frames."""
    seed.wr64(C['ALINK_REG_FRAME_TX_BASE'], FRAMES_TX)
    seed.wr64(C['ALINK_REG_FRAME_RX_BASE'], FRAMES_RX)
    seed.wr32(C['ALINK_REG_FRAME_SIZE'], 16)
    return seed.wr32(C['ALINK_REG_FRAME_CTRL'], 1)


def frames():
    """A frame from the first device to the last: an xPU and a switch."""
    seed = frames_on(frames_on(Seed()).use(1))
    seed.wr32(C['ALINK_REG_FRAME_RX_TAIL'], 4)
    seed.use(0)
    seed.patterns(struct.pack('<QHHHH', DATA, 64, 0, 0, 0), bytes(range(64)),
                  struct.pack('<QHHHH', DATA, 512, 0, 0, 0))
    return seed.wr32(C['ALINK_REG_FRAME_TX_TAIL'], 1)


def switch():
    """Tables, frames, ports."""
    ports = Seed().events_on()
    for port in range(2):
        window = C['ALINK_LINK_BASE'] + port * C['ALINK_LINK_STRIDE']
        ports.wr32(window + C['ALINK_LINK_CTRL'], 0)
        ports.wr32(window + C['ALINK_LINK_CTRL'], 1)
        for fec in 1 << C['ALINK_FEC_LL272'], 0:
            ports.wr32(window + C['ALINK_LINK_FEC_CTRL'], fec)
        ports.wr32(window + C['ALINK_LINK_RETRAIN'], 1)
        ports.wr32(window + C['ALINK_LINK_FLAP_CTRL'], 0x00100101)
        for reg in ('STATE', 'PEER_ID', 'TX_BYTES', 'MODULE'):
            ports.rd32(window + C[f'ALINK_LINK_{reg}'])
    return {'tables': tables(Seed().admin_on()), 'frames': frames(),
            'ports': ports}


# --- xPU --------------------------------------------------------------------

# Device virtual addresses: a large page of each aperture, and a huge one
VA = {'SYSTEM': 0, 'HBM': 0x200000, 'REMOTE': 0x400000, 'GROUP': 0x600000,
      'HUGE': 1 << 30}
WALKED = 'SYSTEM'


def walk(aperture):
    """What the xPU reads to find the large page of an aperture, or the huge one,
    which is of host memory."""
    huge = aperture == 'HUGE'
    table = struct.pack('<Q', TABLES | C['ALINK_PTE_VALID'])
    kind = C[f'ALINK_AP_{"SYSTEM" if huge else aperture}']
    leaf = (RINGS if aperture == 'SYSTEM' else 0) | C['ALINK_PTE_VALID'] | \
        C['ALINK_PTE_LEAF'] | C['ALINK_PTE_READ'] | C['ALINK_PTE_WRITE'] | \
        C['ALINK_PTE_ATOMIC'] | kind << C['ALINK_PTE_APERTURE_SHIFT']
    return [table] * (1 if huge else 2) + [struct.pack('<Q', leaf)]


def describe(opcode, dst, src, src2, length, dtype, subop=0, flags=0):
    """A descriptor with fence and interrupt."""
    flags |= C['ALINK_XPU_DF_FENCE'] | C['ALINK_XPU_DF_IRQ']
    return struct.pack('<BBBBIQQQQQQQ', C[f'ALINK_XPU_OP_{opcode}'], flags,
                       dtype, subop, 0, dst, src, src2, length,
                       VA['SYSTEM'] + 0x1c0000, 1, 0)


def xpu_queue(seed):
    """A context and a queue."""
    return seed.admin(
        ('ALINK_XPU_ADMIN_CTX_CREATE', ('ALINK_TLV_XPU_CTX', struct.pack(
            '<IIQ', 1, 0, TABLES))),
        ('ALINK_XPU_ADMIN_QUEUE_CREATE', ('ALINK_TLV_XPU_QUEUE', struct.pack(
            '<IIQQIHH', 0, 1, VA['SYSTEM'], VA['SYSTEM'] + 0x1000, 16, 1, 1))))


def run(seed, aperture, *descriptor):
    """The first descriptor of a queue, with one operand in that aperture. Data
    in host memory are the pattern that follows."""
    seed.patterns(*walk('SYSTEM'), describe(*descriptor), *walk(aperture),
                  struct.pack('<QQ', 3, 4))
    seed.wr32(C['ALINK_XPU_DB_BASE'] + C['ALINK_XPU_DB_TAIL'], 1)
    return seed


def xpu_local():
    """Each opcode on own memory."""
    system, hbm = VA['SYSTEM'] + 0x100000, VA['HBM'] + 0x1000
    fp32, bf16 = C['ALINK_DT_FP32'], C['ALINK_DT_BF16']
    out = {}
    for name, descriptor in {
            'nop': ('NOP', 0, 0, 0, 0, 0),
            'copy_in': ('COPY', hbm, system, 0, 4096, 0),
            'copy_out': ('COPY', system, hbm, 0, 4096, 0),
            'copy_big': ('COPY', system, hbm, 0, 1 << 18, 0),
            'fill': ('FILL', hbm, 0x01020304, 0, 4096, 0),
            'atomic32': ('ATOMIC32', hbm, 1, 2, system, 0,
                         C['ALINK_ATOMIC_CAS']),
            'atomic64': ('ATOMIC64', system, 1, 2, hbm, 0,
                         C['ALINK_ATOMIC_MAX']),
            'wait': ('WAIT', hbm, 0, 0, 0, 0, C['ALINK_WAIT_GE']),
            'wait_long': ('WAIT', hbm, 7, 0, 0, 0),
            'reduce': ('REDUCE', hbm, system, hbm, 1024, fp32),
            'reduce_bf16': ('REDUCE', hbm, hbm, hbm + 64, 64, bf16,
                            C['ALINK_OP_MAX'])}.items():
        seed = run(xpu_queue(Seed().admin_on()), 'HBM', *descriptor)
        if name == 'wait_long':
            seed.rd32(C['ALINK_XPU_Q_BASE'] + C['ALINK_XPU_Q_PROGRESS'])
            seed.steps(2)
            seed.rd32(C['ALINK_XPU_Q_BASE'] + C['ALINK_XPU_Q_PROGRESS'])
            seed.admin(by_id('ALINK_XPU_ADMIN_QUEUE_DESTROY'),
                       by_id('ALINK_XPU_ADMIN_CTX_DESTROY', 1))
        elif name == 'copy_big':
            seed.admin(by_id('ALINK_XPU_ADMIN_TLB_INVALIDATE', 1))
        out[name] = seed
    out['copy_huge'] = run(xpu_queue(Seed().admin_on()), 'HUGE', 'COPY',
                           VA['HUGE'] + DATA, system, 0, 4096, 0)
    return out


def share(seed, peer):
    """An xPU with its segment, the peer's in slot 0, and the group in slot 0."""
    segment = struct.pack('<IIQII', 0, 0xf, 0x1234, 1, 0) + \
        struct.pack('<QQ', 0, 1 << 20) + bytes(15 * 16)
    return seed.admin(
        (*route(peer, 1), ('ALINK_TLV_SPARES', struct.pack('<Q', 2))),
        by_id('ALINK_ADMIN_ROUTE_GET'),
        ('ALINK_XPU_ADMIN_SEG_EXPORT', ('ALINK_TLV_XPU_SEGMENT', segment)),
        ('ALINK_XPU_ADMIN_SEG_IMPORT', ('ALINK_TLV_XPU_IMPORT', struct.pack(
            '<IIIIQ', 0, peer, 0, 0, 0x1234))),
        ('ALINK_XPU_ADMIN_GROUP_BIND', ('ALINK_TLV_XPU_GROUP_BIND', struct.pack(
            '<IIQQQ', 1, 0, 0x1234, 0, 1 << 20))),
        ('ALINK_XPU_ADMIN_GROUP_IMPORT', ('ALINK_TLV_XPU_IMPORT', struct.pack(
            '<IIIIQ', 0, 0, 1, 0, 0x1234))))


def matrix(addr, stride, dtype, scale=0, scale_stride=0):
    """A matrix of a compute block."""
    return struct.pack('<QQQIB3x', addr, stride, scale, scale_stride,
                       C[f'ALINK_DT_{dtype}'])


def xpu_compute():
    """Functions of the compute engines: a in system memory, the rest in HBM."""
    system, hbm = VA['SYSTEM'] + 0x100000, VA['HBM'] + 0x1000
    fp32, none = matrix(system, 64, 'FP32'), bytes(32)
    dst = matrix(hbm + 0x4000, 256, 'FP32')
    one, trans = 0x3f800000, C['ALINK_XPU_CF_TRANS_B']
    out = {}
    for name, func, flags, shape, param, *operands in (
            ('gemm', 'GEMM', 0, (4, 16, 16), 0, dst, fp32,
             matrix(hbm, 64, 'BF16')),
            ('gemm_mx', 'GEMM', trans, (2, 8, 64), 0, dst,
             matrix(system, 32, 'MXFP4', system + 512, 2),
             matrix(hbm, 32, 'MXFP4', hbm + 512, 2)),
            ('gemm_both', 'GEMM', trans | C['ALINK_XPU_CF_TRANS_A'],
             (5, 7, 33), 0, matrix(hbm + 0x4000, 64, 'FP16'),
             matrix(system, 10, 'BF16'), matrix(hbm, 66, 'FP16')),
            ('gemm_int', 'GEMM', C['ALINK_XPU_CF_ACCUMULATE'], (4, 4, 16), 0,
             matrix(hbm + 0x4000, 16, 'INT32'), matrix(system, 16, 'INT8'),
             matrix(hbm, 4, 'INT8')),
            ('gemm_long', 'GEMM', 0, (1, 4096, 1 << 20), 0,
             matrix(hbm + 0x4000, 0, 'FP32'), matrix(hbm, 0, 'FP8_E4M3'),
             matrix(hbm, 0, 'FP16')),
            ('add', 'ADD', 0, (4, 16, 0), 0, dst, fp32,
             matrix(hbm, 0, 'FP8_E5M2')),
            ('cast', 'CAST', 0, (2, 32, 0), 0,
             matrix(hbm + 0x4000, 16, 'MXFP4', hbm + 1, 1), fp32, none),
            ('rmsnorm', 'RMSNORM', 0, (4, 16, 0), one, dst, fp32,
             matrix(hbm, 0, 'TF32')),
            ('softmax', 'SOFTMAX', 0, (4, 16, 0), one, dst, fp32, none),
            ('gelu', 'GELU', C['ALINK_XPU_CF_SATURATE'], (4, 16, 0), 0, dst,
             fp32, none),
            ('rope', 'ROPE', 0, (4, 16, 8), 0, dst, fp32,
             matrix(hbm, 32, 'FP32')),
            ('embed', 'EMBED', 0, (4, 16, 8), 0, dst, fp32,
             matrix(hbm, 4, 'INT32')),
            ('topk', 'TOPK', 0, (4, 16, 3), 0,
             matrix(hbm + 0x4000, 12, 'INT32'), fp32, none)):
        block = struct.pack('<IIIII12x', flags, *shape, param) + \
            b''.join(operands)
        seed = xpu_queue(Seed().admin_on())
        seed.patterns(*walk('SYSTEM'), describe(
            'COMPUTE', 0, system, 0, len(block), 0,
            C[f'ALINK_XPU_FN_{func}']), block, struct.pack('<ff', 1.5, -2),
            *walk('HBM'))
        seed.wr32(C['ALINK_XPU_DB_BASE'] + C['ALINK_XPU_DB_TAIL'], 1)
        if name == 'gemm_long':
            seed.admin(by_id('ALINK_XPU_ADMIN_TLB_INVALIDATE', 1),
                       by_id('ALINK_XPU_ADMIN_QUEUE_DESTROY'))
        out[f'compute_{name}'] = seed
    return out


def xpu_fabric():
    """Opcodes on memory of others: two xPUs and a switch."""
    system, hbm = VA['SYSTEM'] + 0x100000, VA['HBM'] + 0x1000
    remote, group = VA['REMOTE'], VA['GROUP']
    fp32 = C['ALINK_DT_FP32']
    out = {}
    for name, aperture, *descriptor in (
            ('remote_read', 'REMOTE', 'COPY', system, remote, 0, 4096, 0),
            ('remote_write', 'REMOTE', 'COPY', remote, system, 0, 4096, 0),
            ('remote_fill', 'REMOTE', 'FILL', remote, 7, 0, 64, 0),
            ('remote_atomic', 'REMOTE', 'ATOMIC64', remote, 1, 0, system, 0),
            ('remote_reduce', 'REMOTE', 'REDUCE', system, remote, system, 64,
             fp32),
            ('remote_keep', 'REMOTE', 'REDUCE', remote, system, system, 64, fp32,
             C['ALINK_OP_SUM'], C['ALINK_XPU_DF_KEEP']),
            ('group_write', 'GROUP', 'COPY', group, system, 0, 4096, 0),
            ('group_read', 'GROUP', 'REDUCE_READ', system, group, 0, 1024,
             fp32),
            ('group_push', 'GROUP', 'PUSH_REDUCE', group, system, 1, 1024,
             fp32)):
        seed = Seed().use(2).admin_on().admin(route(0, 1), route(1, 2), GROUP)
        share(seed.use(1).admin_on(), 0)
        share(seed.use(0).admin_on(), 1)
        out[name] = run(xpu_queue(seed), aperture, *descriptor)
        if name == 'remote_read':
            seed.admin(*(by_id(f'ALINK_XPU_ADMIN_{what}') for what in (
                'SEG_GET', 'GROUP_RELEASE', 'SEG_RELEASE', 'SEG_REVOKE')),
                       by_id('ALINK_XPU_ADMIN_GROUP_UNBIND', 1))
    assert hbm
    return out


# --- optics -----------------------------------------------------------------

class Bus(Seed):
    """Inputs on the I2C bus of cage 0. Its module gets ready in 275 ms, during
    which the PIT of the machine ticks as well."""
    CHANNEL = C['ALINK_OPT_CH_BASE']

    def __init__(self, ready=True):
        super().__init__()
        if ready:
            self.steps(22)

    def segment(self, flags, length, data=b'', address=0x50):
        """One segment to its end."""
        for at in range(0, len(data), 4):
            self.wr32(self.CHANNEL + C['ALINK_OPT_I2C_DATA'] + at,
                      int.from_bytes(data[at:at + 4], 'little'))
        self.wr32(self.CHANNEL + C['ALINK_OPT_I2C_CMD'], address | flags |
                  length << C['ALINK_OPT_CMD_LEN_SHIFT'])
        self.steps(2)
        return self.wr32(self.CHANNEL + C['ALINK_OPT_I2C_STATUS'], 0x7f)

    def set(self, offset, *values):
        """Writes bytes, and lets the module's hold-off pass."""
        data = bytes([offset, *values])
        self.segment(0, len(data), data)
        return self.segment(0, 64, address=0x51)

    def get(self, offset, length):
        """Reads bytes."""
        self.segment(C['ALINK_OPT_CMD_NO_STOP'], 1, bytes([offset]))
        return self.segment(C['ALINK_OPT_CMD_READ'], length)


def optics():
    """Pages of a module, data paths made anew, pins, the bus held and freed."""
    out = {}
    for page in (0, 1, 2, 0x10, 0x11, 0xc1, 0xc2, 0x9f):
        bus = Bus().set(C['CMIS_LO_BANK'], 0, page)
        out[f'page_{page:02x}'] = bus.get(128, 128).get(0, 128)
    lanes = C['CMIS_BANK_LANES']
    out['data_paths'] = Bus().set(C['CMIS_LO_BANK'], 0, 0x10) \
        .set(C['CMIS_10_DP_DEINIT'], 0xff).steps(3) \
        .set(C['CMIS_10_APPSEL'], *[0x21] * (lanes - 1)) \
        .set(C['CMIS_10_APPLY_INIT'], 0xff) \
        .set(C['CMIS_10_APPLY_NOW'], 0x0f) \
        .set(C['CMIS_10_DP_DEINIT'], 0).steps(3) \
        .set(C['CMIS_10_TX_DISABLE'], 0x55).steps(2)
    out['power'] = Bus() \
        .set(C['CMIS_LO_CONTROL'], C['CMIS_CONTROL_LOW_POWER']).steps(3) \
        .set(C['CMIS_LO_CONTROL'], 0).steps(2) \
        .set(C['CMIS_LO_CONTROL'], C['CMIS_CONTROL_RESET']).steps(2)
    out['masks'] = Bus().set(C['CMIS_LO_MASKS'], 0xff, 0xff, 0, 0) \
        .get(C['CMIS_LO_FLAGS_FIRST'], 4)
    held = Bus().segment(C['ALINK_OPT_CMD_NO_STOP'], 1, b'\0')
    held.wr32(Bus.CHANNEL + C['ALINK_OPT_I2C_CMD'],
              0x50 | C['ALINK_OPT_CMD_READ'] |
              256 << C['ALINK_OPT_CMD_LEN_SHIFT'])
    for op in ('ABORT', 'RECOVER'):
        held.wr32(Bus.CHANNEL + C['ALINK_OPT_I2C_STATUS'], 0x7f)
        held.wr32(Bus.CHANNEL + C['ALINK_OPT_I2C_OP'], C[f'ALINK_OPT_OP_{op}'])
        held.rd32(Bus.CHANNEL + C['ALINK_OPT_I2C_BUS'])
    out['held'] = held
    pins = Bus(ready=False).events_on()
    pins.wr32(Bus.CHANNEL + C['ALINK_OPT_I2C_CTRL'], 1)
    for value in (C['ALINK_OPT_CTRL_RESET'], 0, C['ALINK_OPT_CTRL_LOW_POWER'],
                  0):
        pins.wr32(Bus.CHANNEL + C['ALINK_OPT_CH_CTRL'], value).steps(2)
    out['pins'] = pins.rd32(Bus.CHANNEL + C['ALINK_OPT_CH_PEER'])
    return out


# --- NIC --------------------------------------------------------------------

MAC = bytes([2, 0, 0, 0, 0, 1])


def nic_port(flags):
    """An admin command: what the port does."""
    return 'ALINK_NIC_ADMIN_PORT_SET', ('ALINK_TLV_NIC_PORT', struct.pack(
        '<II6sH', flags, 1518, MAC, 0))


def nic_queue(seed, flags):
    """A queue pair and its interrupt."""
    return seed.admin(
        nic_port(flags),
        ('ALINK_NIC_ADMIN_QUEUE_CREATE', ('ALINK_TLV_NIC_QUEUE', struct.pack(
            '<IHHIIQQQQ', 0, 1, 0, 64, 64, RINGS, RINGS + 0x10000,
            RINGS + 0x20000, RINGS + 0x30000))))


def nic_send(seed, payload, flags=0, length=200, offload=(0, 0, 0, 0, 0)):
    """A packet of one piece, and a buffer to receive it. The payload goes on
    in a circle."""
    window = C['ALINK_NIC_QUEUE_BASE']
    seed.wr32(window + C['ALINK_NIC_Q_RX_TAIL'], 8)
    seed.wr32(window + C['ALINK_NIC_Q_ARM'], 0)
    seed.patterns(struct.pack('<QIHHHHHHQ', DATA, length,
                              C['ALINK_NIC_TX_LAST'] | flags, *offload, 0),
                  payload, struct.pack('<QII', DATA, 2048, 0))
    return seed.wr32(window + C['ALINK_NIC_Q_TX_TAIL'], 1)


def nic():
    """Frames in loop-back and to a neighbour, TSO, filters, RSS."""
    loop = C['ALINK_NIC_PORT_ENABLE'] | C['ALINK_NIC_PORT_LOOPBACK']
    csum, tso = C['ALINK_NIC_TX_CSUM'], C['ALINK_NIC_TX_CSUM'] | \
        C['ALINK_NIC_TX_TSO']
    ipv4 = MAC + MAC + b'\x08\0' + bytes.fromhex(
        '450000ba00004000400600000a0000010a000002')
    ipv6 = MAC + MAC + b'\x86\xdd' + bytes.fromhex('6000000000920640') + \
        bytes(range(32))
    options = MAC + MAC + b'\x81\0\0\x05\x86\xdd' + \
        bytes.fromhex('60000000008e0040') + bytes(range(32)) + \
        bytes.fromhex('3c000000000000001100000000000000'
                      '0035003500080001')
    tcp = bytes.fromhex('0400080000000001000000015010200000000000')
    offload4, offload6 = (100, 34, 16, 14, 54), (100, 54, 16, 14, 74)
    settings = Seed().admin_on().admin(
        nic_port(loop),
        ('ALINK_NIC_ADMIN_RX_MODE',
         ('ALINK_TLV_NIC_RX_MODE', struct.pack('<II', 0, 0)),
         ('ALINK_TLV_NIC_FILTERS', MAC + bytes(2))),
        ('ALINK_NIC_ADMIN_RSS_SET', ('ALINK_TLV_NIC_RSS', struct.pack(
            '<II', 0x3f, 0) + bytes(range(40)) + bytes(128))))
    coalesce = nic_queue(Seed().admin_on(), loop)
    coalesce.admin(('ALINK_NIC_ADMIN_COALESCE', (
        'ALINK_TLV_NIC_COALESCE', struct.pack('<IHHHHI', 0, 10, 4, 10, 4, 0))))
    nic_send(coalesce, ipv4).steps(1)
    coalesce.admin(by_id('ALINK_NIC_ADMIN_QUEUE_DESTROY'))
    rss = nic_queue(settings, loop)
    out = {'rss': nic_send(rss, ipv4 + tcp), 'coalesce': coalesce}
    for name, payload, *how in (
            ('plain', b'\xff' * 60), ('options', options),
            ('csum', ipv4 + tcp, csum, 200, (0, 34, 16, 0, 0)),
            ('tso4', ipv4 + tcp, tso, 600, offload4),
            ('tso6', ipv6 + tcp, tso, 600, offload6)):
        out[name] = nic_send(nic_queue(Seed().admin_on(), loop), payload, *how)
    # The second NIC has the same address and no loop-back.
    both = nic_queue(Seed().use(1).admin_on(), C['ALINK_NIC_PORT_ENABLE'])
    both.wr32(C['ALINK_NIC_QUEUE_BASE'] + C['ALINK_NIC_Q_RX_TAIL'], 8)
    nic_queue(both.use(0).admin_on(), C['ALINK_NIC_PORT_ENABLE']).steps(2)
    out['wire'] = nic_send(both, ipv4 + tcp)
    return out


# --- models -----------------------------------------------------------------

FABRIC = '-device alink-fabric,id=fab0,partition=1'
XPU = f'{FABRIC} -device alink-xpu,id=dut,fabric=fab0,endpoint=0,hbm-size=4M,' \
    'addr=4.0'
SWITCH = '-device alink-switch,id=sw0,fabric=fab0,plane=0,addr=6.0'
# What there is; the types that are fuzzed, in the order of their regions; seeds
MODELS = {
    'xpu': (f'{XPU} -device alink-xpu,id=x1,fabric=fab0,endpoint=1,hbm-size=2M,'
            f'addr=5.0 {SWITCH}', 'alink-xpu* alink-switch*',
            lambda: {**xpu_local(), **xpu_compute(), **xpu_fabric(),
                     **flash('ALINK_DEVTYPE_XPU'), 'frames': frames()}),
    'switch': (f'{XPU.replace("id=dut", "id=x0")} '
               f'{SWITCH.replace("id=sw0", "id=dut")}',
               'alink-switch* alink-xpu*',
               lambda: {**switch(), **flash('ALINK_DEVTYPE_SWITCH')}),
    'optics': (f'{XPU.replace("id=dut", "id=x0")} {SWITCH} '
               '-device alink-optics,id=dut,fabric=fab0,addr=5.0 '
               '-device alink-cmis,bus=dut.0,links=switch:0:0 '
               '-device alink-cmis,bus=dut.1,links=xpu:0:0', 'alink-optics*',
               optics),
    'nic': ('-netdev hubport,id=n0,hubid=0 -netdev hubport,id=n1,hubid=0 '
            '-device alink-nic,id=dut,netdev=n0,addr=4.0 '
            '-device alink-nic,id=peer,netdev=n1,addr=5.0', 'alink-nic*',
            lambda: {**nic(), **flash('ALINK_DEVTYPE_NIC')}),
}


def write(model, folder):
    """Leaves the seeds of a model in a folder; how many there are."""
    seeds = {**common(), **MODELS[model][2]()}
    for name, seed in seeds.items():
        with open(os.path.join(folder, f'seed_{name}'), 'wb') as f:
            f.write(seed.data())
    return len(seeds)
