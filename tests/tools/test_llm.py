#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink-llm without a device: its references against a third one in Python, its
reader of safetensors against files of every bad kind. ALINK names the program
alink; alink-llm lies beside it. TAP.
"""
import contextlib
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import Skip, main, tests_of  # noqa: E402

LLM = os.path.join(os.path.dirname(os.environ.get('ALINK', 'alink')),
                   'alink-llm')
# Small enough for Python
TINY = {'layers': 2, 'hidden': 24, 'heads': 8, 'kv-heads': 4, 'head-dim': 6,
        'ffn': 40, 'vocab': 48, 'prompt-len': 3, 'tokens': 4}


def llm(*args, **shape):
    """Exit code, standard output, standard error."""
    options = [f'--{k}={v}' for k, v in shape.items()]
    done = subprocess.run([LLM, *options, *args], capture_output=True,
                          text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def reference(*args, **shape):
    """What the references say."""
    code, out, err = llm('-j', '--reference', *args, **shape)
    assert (code, err) == (0, ''), (code, out, err)
    doc = json.loads(out)
    assert doc['schema'] == 'alink.llm' and doc['version'] == 1, doc
    return doc['data']


@contextlib.contextmanager
def file_name():
    """A name in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield os.path.join(folder, 'w.safetensors')


# --- safetensors -------------------------------------------------------------

def load(path):
    """Header and data."""
    with open(path, 'rb') as f:
        size, = struct.unpack('<Q', f.read(8))
        return json.loads(f.read(size)), f.read()


def store(path, header, data):
    """The reverse; the header may be text that is no JSON."""
    if not isinstance(header, str):
        header = json.dumps(header)
    text = header.encode()
    with open(path, 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + data)


def numbers(header, data):
    """Tensors as lists of FP32."""
    out = {}
    for name, t in header.items():
        begin, end = t['data_offsets']
        out[name] = struct.unpack(f'<{(end - begin) // 4}f', data[begin:end])
    return out


# --- a transformer -----------------------------------------------------------

def linear(w, x):
    """Rows of w times x."""
    n = len(x)
    return [sum(map(lambda a, b: a * b, w[i:i + n], x))
            for i in range(0, len(w), n)]


def norm(x, w, eps=1e-6):
    """RMSNorm; eps is a number in FP32."""
    eps, = struct.unpack('f', struct.pack('f', eps))
    f = 1 / math.sqrt(sum(v * v for v in x) / len(x) + eps)
    return [v * f * k for v, k in zip(x, w)]


def turn(x, pos, theta=1e6):
    """RoPE of one head."""
    half = len(x) // 2
    out = list(x)
    for j in range(half):
        a = pos / theta ** (j / half)
        out[j] = x[j] * math.cos(a) - x[half + j] * math.sin(a)
        out[half + j] = x[half + j] * math.cos(a) + x[j] * math.sin(a)
    return out


class Transformer:
    """Straight from the papers; whole sequences, without a cache."""

    def __init__(self, weights, shape):
        self.w = weights
        self.shape = shape

    def heads(self, x, layer, which, pos):
        """Heads of q or k at one position, or of v."""
        name = f'model.layers.{layer}.self_attn.{which}_proj.'
        out = linear(self.w[name + 'weight'], x)
        if name + 'bias' in self.w:
            out = [a + b for a, b in zip(out, self.w[name + 'bias'])]
        dim = self.shape['head-dim']
        heads = [out[i:i + dim] for i in range(0, len(out), dim)]
        if which == 'v':
            return heads
        name = f'model.layers.{layer}.self_attn.{which}_norm.weight'
        scale = self.w.get(name)
        if scale:
            heads = [norm(h, scale) for h in heads]
        return [turn(h, pos) for h in heads]

    def attention(self, xs, layer):
        """Causal, all positions."""
        q, k, v = ([self.heads(x, layer, which, pos)
                    for pos, x in enumerate(xs)] for which in 'qkv')
        group = self.shape['heads'] // self.shape['kv-heads']
        scale = 1 / math.sqrt(self.shape['head-dim'])
        for pos in range(len(xs)):
            out = []
            for h, query in enumerate(q[pos]):
                keys = [k[t][h // group] for t in range(pos + 1)]
                p = [math.exp(scale * sum(map(lambda a, b: a * b, query, key)))
                     for key in keys]
                out += [sum(p[t] * v[t][h // group][j] for t in range(pos + 1))
                        / sum(p) for j in range(len(query))]
            name = f'model.layers.{layer}.self_attn.o_proj.weight'
            yield linear(self.w[name], out)

    def mlp(self, x, layer):
        """SwiGLU."""
        name = f'model.layers.{layer}.mlp.'
        gate, up = (linear(self.w[f'{name}{n}_proj.weight'], x)
                    for n in ('gate', 'up'))
        return linear(self.w[name + 'down_proj.weight'],
                      [g / (1 + math.exp(-g)) * u for g, u in zip(gate, up)])

    def logits(self, tokens):
        """Those behind the last token."""
        hidden = self.shape['hidden']
        embed = self.w['model.embed_tokens.weight']
        xs = [list(embed[t * hidden:(t + 1) * hidden]) for t in tokens]
        for layer in range(self.shape['layers']):
            name = f'model.layers.{layer}.'
            normed = [norm(x, self.w[name + 'input_layernorm.weight'])
                      for x in xs]
            xs = [[a + b for a, b in zip(x, y)]
                  for x, y in zip(xs, self.attention(normed, layer))]
            scale = self.w[name + 'post_attention_layernorm.weight']
            xs = [[a + b for a, b in zip(x, self.mlp(norm(x, scale), layer))]
                  for x in xs]
        return linear(self.w.get('lm_head.weight', embed),
                      norm(xs[-1], self.w['model.norm.weight']))


def check_shape(shape, *args):
    """Tokens and logits are those of the transformer above."""
    with file_name() as path:
        found = reference('--dtype=fp32', f'--save={path}', *args, **shape)
        model = Transformer(numbers(*load(path)), shape)
    tokens = found['prompt'] + found['tokens']
    assert len(found['tokens']) == shape['tokens']
    for i, top in enumerate(found['check']['top_logit_fp64_bound']):
        logits = model.logits(tokens[:shape['prompt-len'] + i])
        best = max(range(len(logits)), key=logits.__getitem__)
        assert best == found['tokens'][i], (i, best, found['tokens'])
        assert abs(logits[best] - top[1]) < 1e-9, (i, logits[best], top)
        assert abs(logits[best] - top[0]) <= top[2] < 1e-3, (i, top)


def test_qwen3():
    """Normed q and k, a head of its own."""
    check_shape(TINY)


def test_qwen2_tied():
    """Biases, the head tied; fewer heads of keys than xPUs."""
    check_shape(dict(TINY, **{'kv-heads': 2}), '--family=qwen2', '--tied')


def test_one_layer_one_xpu():
    """Nothing to sum."""
    check_shape(dict(TINY, layers=1, xpus=1, heads=3, **{'kv-heads': 1}))


def test_cuts_agree():
    """However it is cut, it is the same model; and a seed is a seed."""
    base = reference('--dtype=fp32', **TINY)
    for xpus in (1, 2, 4):
        cut = reference('--dtype=fp32', **TINY, xpus=xpus)
        assert cut['tokens'] == base['tokens'], xpus
        assert [t[1] for t in cut['check']['top_logit_fp64_bound']] == \
            [t[1] for t in base['check']['top_logit_fp64_bound']]
    assert reference('--dtype=fp32', **TINY) == base
    assert reference('--dtype=fp32', **TINY, seed=2)['tokens'] != base['tokens']
    # As all numbers of JSON here: digits in a string above 2^53
    great = 2 ** 64 - 1
    said = reference('--dtype=fp32', **TINY, seed=great)['shape']['seed']
    assert said == str(great), said


def test_formats_differ_as_they_should():
    """Each coarser format is farther from FP64, and within its own bound."""
    far = [reference(dtype=d, **TINY)['check'] for d in ('fp32', 'bf16', 'fp8')]
    for a, b in zip(far, far[1:]):
        assert a['distance'] * 4 < b['distance'], far
        assert a['bound'] * 4 < b['bound'], far
    for c in far:
        assert c['distance'] > 0 and 0 < c['share_of_bound'] < 1, far
    assert far[1]['bound'] < far[1]['spread'], far


# --- files -------------------------------------------------------------------

def test_round_trip():
    """What was saved is read, and gives the same."""
    with file_name() as path:
        made = reference(f'--save={path}', **TINY)
        read = reference(f'--weights={path}', **TINY)
        assert os.listdir(os.path.dirname(path)) == ['w.safetensors']
    for key in ('prompt', 'tokens', 'check'):
        assert made[key] == read[key], key


def test_half_formats():
    """BF16 and F16 are read as the numbers that they are; metadata and tensors
    of other types are passed over, and the order of data is free."""
    with file_name() as path:
        reference(f'--save={path}', **TINY)
        header, data = load(path)
        coarse, exact = bytearray(), bytearray()
        halves, wholes = {'__metadata__': {'format': 'pt'}}, {}
        other = {'dtype': 'I64', 'shape': [1], 'data_offsets': [0, 8]}
        halves['model.rotary.inv_freq'] = other
        coarse += bytes(8)
        for i, (name, t) in enumerate(reversed(header.items())):
            begin, end = t['data_offsets']
            values = struct.unpack(f'<{(end - begin) // 4}f', data[begin:end])
            if i % 2:
                raw = b''.join(struct.pack('<f', v)[2:] for v in values)
                values = [struct.unpack('<f', b'\0\0' + raw[j:j + 2])[0]
                          for j in range(0, len(raw), 2)]
            else:
                raw = struct.pack(f'<{len(values)}e', *values)
                values = struct.unpack(f'<{len(values)}e', raw)
            halves[name] = {'dtype': 'BF16' if i % 2 else 'F16',
                            'shape': t['shape'],
                            'data_offsets': [len(coarse),
                                             len(coarse) + len(raw)]}
            coarse += raw
            whole = struct.pack(f'<{len(values)}f', *values)
            wholes[name] = dict(t, data_offsets=[len(exact),
                                                 len(exact) + len(whole)])
            exact += whole
        store(path, halves, coarse)
        one = reference('--dtype=fp32', f'--weights={path}', **TINY)
        store(path, json.dumps(wholes) + '  ', exact)
        two = reference('--dtype=fp32', f'--weights={path}', **TINY)
        assert one['check'] == two['check'] and one['tokens'] == two['tokens']


def refused(path, says):
    """The file is refused with these words, as text and as JSON."""
    args = ('--reference', f'--weights={path}')
    code, out, err = llm(*args, **TINY)
    assert (code, out) == (1, '') and says in err, (says, code, out, err)
    code, out, err = llm('-j', *args, **TINY)
    doc = json.loads(out)
    assert (code, err) == (1, '') and doc['schema'] == 'alink.error'
    assert says in doc['error']['message'] and doc['error']['exit_code'] == 1


Q = 'model.layers.1.self_attn.q_proj.weight'
NORM = 'model.norm.weight'


def test_bad_tensors():
    """Each is refused by its name, and with what is wrong."""
    def change(key, value):
        return lambda h: h[Q].__setitem__(key, value)

    def move(by):
        return lambda h: h[Q].__setitem__(
            'data_offsets', [v + by for v in h[Q]['data_offsets']])

    def narrow(h):
        h[Q].update(shape=[48, 12], dtype='F64')

    cases = (
        (change('shape', [24, 48]), f'{Q}: shape [24, 48], the options want '
         '[48, 24]'),
        (change('shape', [48 * 24]), f'{Q}: shape [1152], the options want '
         '[48, 24]'),
        (change('shape', [48, 25]), f'{Q}: data_offsets: 4608 bytes, its shape '
         'and dtype need 4800'),
        (change('shape', [-48, -24]), f'{Q}: shape: size 0 is no number'),
        (change('shape', [48, '24']), f'{Q}: shape: size 1 is no number'),
        (change('shape', [48.5, 24]), f'{Q}: shape: size 0 is no number'),
        (change('shape', [2 ** 70, 1]), f'{Q}: shape: size 0 is no number'),
        (change('shape', [2 ** 40] * 2), f'{Q}: shape: too large'),
        (change('shape', [1] * 9), f'{Q}: shape of 9 sizes'),
        (change('shape', None), f'{Q}: no shape'),
        (change('dtype', 'F31'), f'{Q}: unknown dtype "F31"'),
        (change('dtype', 3), f'{Q}: no dtype'),
        (change('dtype', 'I32'), f'{Q}: dtype I32'),
        (narrow, f'{Q}: dtype F64'),
        (change('data_offsets', [0]), f'{Q}: data_offsets: two numbers'),
        (change('data_offsets', [0, 'x']), f'{Q}: data_offsets: two numbers'),
        (change('data_offsets', [8, 4]), f'{Q}: data_offsets: ends before'),
        (change('data_offsets', [0, 2 ** 60]), f'{Q}: data_offsets: ends at '
         f'{2 ** 60}, the file has'),
        (move(4), f'{Q}: data_offsets: 4 bytes before it are nobody'),
        (move(-4), f'{Q}: data_offsets: overlaps '),
        (lambda h: h.pop(Q), 'bytes before it are nobody'),
        (lambda h: h.__setitem__('x', h.pop(Q)), f'{Q}: not there'),
        (lambda h: h.__setitem__(Q, [1]), f'{Q}: not an object'),
    )
    with file_name() as path:
        reference(f'--save={path}', **TINY)
        header, data = load(path)
        for edit, says in cases:
            bad = json.loads(json.dumps(header))
            edit(bad)
            store(path, bad, data)
            refused(path, says)
        store(path, header, data + b'x')
        refused(path, '1 bytes behind ')
        twice = json.dumps(header)[:-1] + f', "{Q}": ' + \
            json.dumps(dict(header[Q], shape=[0], data_offsets=[0, 0])) + '}'
        store(path, twice, data)
        refused(path, 'are nobody')


def test_bad_headers():
    """Not even a header."""
    with file_name() as path:
        reference(f'--save={path}', **TINY)
        header, data = load(path)
        good = json.dumps(header)
        for text, says in ((good[:-1], 'header: byte'),
                           (good + 'x', 'header: byte'),
                           (good + '{}', 'header: byte'),
                           (f' {good}', 'does not begin with {'),
                           ('[]', 'does not begin with {'),
                           ('', 'does not begin with {'),
                           ('{' * 40, 'header: byte'),
                           ('{"a": NaN}', 'a: not an object')):
            store(path, text, data)
            refused(path, says)
        for raw in (b'', b'1234567', struct.pack('<Q', 1 << 40) + b'{}',
                    struct.pack('<Q', 3) + b'{}'):
            with open(path, 'wb') as f:
                f.write(raw)
            refused(path, 'no safetensors file')
        refused(os.path.dirname(path), 'no safetensors file')
        refused(path + '.none', 'No such file')


def test_bad_numbers():
    """A weight that is no finite number, by tensor and element."""
    with file_name() as path:
        reference(f'--save={path}', **TINY)
        header, data = load(path)
        at = header[NORM]['data_offsets'][0]
        for raw in (b'\0\0\xc0\x7f', b'\0\0\x80\xff'):
            store(path, header, data[:at + 8] + raw + data[at + 12:])
            refused(path, f'{NORM}: element 2 is no finite number')


def test_wrong_options_for_a_file():
    """The file has other layers than the options say."""
    with file_name() as path:
        reference(f'--save={path}', **TINY)
        for layers, says in ((1, 'model.layers.1.input_layernorm.weight: '
                              '--layers 1 does not reach it'),
                             (3, 'model.layers.2.input_layernorm.weight: '
                              'not there')):
            code, _, err = llm('--reference', f'--weights={path}',
                               **{**TINY, 'layers': layers})
            assert code == 1 and says in err, (code, err)


def test_save_fails_cleanly():
    """A place that cannot be written: an error, and nothing left behind."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'none', 'w')
        code, out, err = llm('--reference', f'--save={path}', **TINY)
        assert (code, out) == (1, '') and path in err, (code, err)
        path = os.path.join(folder, 'taken')
        os.mkdir(path)
        code, out, err = llm('--reference', f'--save={path}', **TINY)
        assert (code, out) == (1, '') and path in err, (code, err)
        assert os.listdir(folder) == ['taken']


# --- command line ------------------------------------------------------------

def test_usage():
    """Each mistake is named, with status 2 and nothing on standard output."""
    for args, says in (
            (['--xpus=3'], '--xpus 3: 1, 2, 4 or 8'),
            (['--xpus=16'], '--xpus 16'),
            (['--xpus=0'], '--xpus 0'),
            (['--heads=4', '--kv-heads=4'], 'it must divide --heads 4'),
            (['--heads=24', '--kv-heads=3', '--head-dim=8'],
             'divide --kv-heads 3'),
            (['--kv-heads=5'], '--kv-heads 5: it must divide --heads'),
            (['--kv-heads=32'], '--kv-heads 32: 1 to 16'),
            (['--ffn=257'], '--xpus 8: it must divide --ffn 257'),
            (['--vocab=513'], '--xpus 8: it must divide --vocab 513'),
            (['--vocab=0'], '--vocab 0'),
            (['--head-dim=7'], '--head-dim 7: RoPE'),
            (['--head-dim=60000'], '--heads 16 of 60000'),
            (['--layers=0'], '--layers 0'),
            (['--layers=257'], '--layers 257'),
            (['--hidden=65537'], '--hidden 65537'),
            (['--hidden=-1'], '--hidden: "-1"'),
            (['--tokens=0'], '--tokens 0'),
            (['--tokens=1x'], '--tokens: "1x"'),
            (['--prompt-len=0'], '--prompt-len 0'),
            (['--prompt=1,2,512'], '--prompt: token 2'),
            (['--prompt=1,,2'], '--prompt: token 1'),
            (['--prompt='], '--prompt: token 0'),
            (['--dtype=int8'], '--dtype: there is no "int8"'),
            (['--family=llama'], '--family: there is no "llama"'),
            (['--eps=-1'], '--eps: "-1"'),
            (['--eps=nan'], '--eps: "nan"'),
            (['--theta=0'], '--theta: "0"'),
            (['--seed=18446744073709551616'], '--seed: '),
            (['--spoil=9'], '--spoil 9: there are --tokens 8'),
            (['--weights=x', '--tied'], '--family and --tied'),
            (['--reference', '--no-check'], '--reference with --no-check'),
            (['--reference', '--spoil=3'], '--spoil: with --reference'),
            (['--no-check', '--spoil=3'], '--spoil: with --no-check'),
            (['more'], 'too many arguments: more'),
            (['--nothing'], '--nothing'),
            (['--xpus'], '--xpus')):
        code, out, err = llm(*args)
        assert (code, out) == (2, '') and says in err, (args, code, out, err)
    code, out, err = llm('--help')
    assert (code, err) == (0, '') and '--kv-heads' in out


def test_no_device():
    """Without the driver: status 9, and what to do."""
    if os.path.exists('/sys/class/alink'):
        raise Skip('alink.ko is loaded here')
    code, out, err = llm()
    assert (code, out) == (9, '') and 'modprobe alink' in err, (code, err)
    code, out, err = llm('-j')
    assert (code, err) == (9, ''), (code, err)
    assert json.loads(out)['error']['exit_code'] == 9


if __name__ == '__main__':
    main(*tests_of(globals()))
