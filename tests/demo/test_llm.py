#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink-llm on 8 xPUs: it computes what the references say, its counters hold,
and it ends as it should when something goes wrong. KTAP.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))

# pylint: disable=wrong-import-position
from guestlib import main, read, sh, wait_for, write  # noqa: E402
from taplib import tests_of  # noqa: E402

DRIVER = '/sys/bus/pci/drivers/alink_xpu'
# So long that whatever it is to see happens meanwhile
LONG = ('--no-check', '--layers=1', '--hidden=32', '--heads=8', '--ffn=32',
        '--vocab=64', '--tokens=60000')


def llm(*args, status=0, says=''):
    """Runs it; what it prints."""
    done = subprocess.run(['alink-llm', *args], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == status, (args, done.returncode, done.stdout,
                                       done.stderr)
    assert says in done.stderr, (args, done.stderr)
    return done.stdout


def data(*args):
    """The same, as JSON."""
    return json.loads(llm('-j', *args))['data']


@contextlib.contextmanager
def in_background(*args):
    """Runs it beside, once it has begun with its passes; it cleans up."""
    assert not groups(), groups()
    with subprocess.Popen(['alink-llm', *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as child:
        try:
            wait_for('all-reduces', lambda: reductions() > 8, 60)
            yield child
        finally:
            if child.poll() is None:
                child.terminate()
                child.communicate(timeout=60)


def groups():
    """Groups of the switches."""
    return json.loads(sh('alink', '-j', 'group', 'show'))['data']


def reductions():
    """Of the one group that there may be."""
    return sum(g['reductions'] for g in groups())


def compare(found, *args):
    """All that holds for each run with checks."""
    alone = data('--reference', *args)
    assert found['prompt'] == alone['prompt']
    assert found['tokens'] == alone['tokens'], (found, alone)
    check, shape = found['check'], found['shape']
    passes = len(found['prompt']) + len(found['tokens']) - 1
    assert check['logits'] == len(found['tokens']) * shape['vocab'], check
    # A margin for each probability and each value of SILU, and hardly used.
    assert check['margin_values'] == shape['layers'] * (
        shape['heads'] * passes * (passes + 1) // 2 +
        shape['ffn'] * passes), check
    assert check['margin_others'] * 1000 <= check['margin_values'], check
    assert 0 < check['share_of_bound'] < 1, check
    assert found['allreduces'] == 2 * shape['layers'] * passes + \
        len(found['tokens']), found
    assert len(found['ranks']) == shape['xpus'], found
    for rank in found['ranks']:
        assert rank['tx_bytes'] == rank['tx_formula'] > 0, rank
        assert rank['rx_bytes'] == rank['rx_formula'] > 0, rank
    for times in (found['prompt_time'], found['token_time']):
        for key in ('model_compute_ns', 'model_comm_ns', 'model_wire_ns',
                    'wall_s'):
            assert times[key] > 0, (key, times)
    assert not groups(), groups()


def formats(dtype):
    """On 8 xPUs, in one format."""
    found = data(f'--dtype={dtype}')
    print(f'# {json.dumps(found)}')
    assert found['shape']['xpus'] == 8, found
    compare(found, f'--dtype={dtype}')


def test_fp32():
    """Tokens, logits, bytes in FP32."""
    formats('fp32')


def test_bf16():
    """In BF16."""
    formats('bf16')


def test_fp8():
    """In FP8."""
    formats('fp8')


def test_text():
    """What people see."""
    out = llm('--tokens=2')
    print('\n'.join(f'# {line}' for line in out.splitlines()))
    for text in ('8 xPUs, 8 switches', 'compute', 'communication, commands',
                 'ok  every port carried what the formula says',
                 'ok  all 8 ranks chose the same tokens'):
        assert text in out, (text, out)


def test_other_cuts():
    """Fewer xPUs, shared heads of keys, biases, a tied head."""
    for args in (('--xpus=1', '--dtype=fp32', '--layers=1'),
                 ('--xpus=2', '--dtype=bf16', '--family=qwen2', '--tied'),
                 ('--xpus=4', '--dtype=fp32', '--kv-heads=2', '--prompt=7,8'),
                 ('--xpus=8', '--dtype=fp8', '--kv-heads=2', '--tied',
                  '--family=qwen2', '--head-dim=6', '--hidden=72')):
        compare(data('--tokens=3', *args), '--tokens=3', *args)


def test_weights_from_a_file():
    """Saved weights give the same tokens."""
    with tempfile.TemporaryDirectory() as folder:
        path = f'{folder}/w.safetensors'
        made = data('--tokens=3', f'--save={path}')
        found = data('--tokens=3', f'--weights={path}')
    assert made['tokens'] == found['tokens'], (made, found)
    assert made['check']['top_logit_fp64_bound'] == \
        found['check']['top_logit_fp64_bound']


def test_a_wrong_bit_is_found():
    """In any format, at the token where it was."""
    for dtype in ('fp32', 'bf16', 'fp8'):
        llm(f'--dtype={dtype}', '--tokens=3', '--spoil=2', status=1,
            says='WRONG: position 4')
    assert not groups(), groups()


def test_foreign_bytes_are_found():
    """Traffic of another run breaks the formula, and says so."""
    with in_background(*LONG):
        llm('--tokens=2', status=1, says='the formula says')


def test_signal():
    """SIGTERM: it cleans up, and fails."""
    with in_background(*LONG) as child:
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
        assert child.returncode == 1 and 'interrupted' in err, \
            (child.returncode, err)
    assert not groups(), groups()


def test_lost_xpu():
    """One goes in the middle: the run says which, and ends at once. The next
    says that there are too few. With all there it works again."""
    name = 'xpu5'
    pci = os.path.basename(os.path.realpath(f'/sys/class/alink/{name}/device'))
    endpoint = int(read(f'/sys/class/alink/{name}/fabric_id'))
    with in_background(*LONG) as child:
        start = time.monotonic()
        write(f'{DRIVER}/unbind', pci)
        _, err = child.communicate(timeout=60)
        took = time.monotonic() - start
    print(f'# {took:.1f} s: {err.strip()}')
    try:
        assert child.returncode == 15, (child.returncode, err)
        assert f'rank 5 (endpoint {endpoint})' in err, err
        assert 'gone' in err and took < 50, (took, err)
        assert not groups(), groups()
        llm(status=6, says='--xpus 8: there are 7 with their driver bound')
    finally:
        write(f'{DRIVER}/bind', pci)
    wait_for('xPU', lambda: os.path.exists(f'/sys/class/alink/{name}') and
             read(f'/sys/class/alink/{name}/state') == 'ready')
    data('--tokens=2')


main(*tests_of(globals()))
