#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink-bench without a device: options, errors, which machine measures what;
what the host measures. ALINK names the program alink; the others lie beside it.
TAP.
"""
import importlib.machinery
import importlib.util
import json
import os
import socket
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lib'))

# pylint: disable-next=wrong-import-position
from taplib import main, tests_of  # noqa: E402

TOOLS = os.path.dirname(os.environ.get('ALINK', 'alink'))


def call(program, *args):
    """Exit code, standard output, standard error."""
    done = subprocess.run([os.path.join(TOOLS, program), *args],
                          capture_output=True, text=True, timeout=120,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def runner():
    """tools/bench/run as a module."""
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader(
        'bench_run', os.path.join(ROOT, 'tools', 'bench', 'run'))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader('bench_run', loader))
    loader.exec_module(module)
    return module


def names():
    """Of all measures"""
    code, out, err = call('alink-bench', '--list')
    assert (code, err) == (0, ''), (code, err)
    return [line.split()[0] for line in out.splitlines()]


def test_list_and_help():
    """Both without a device"""
    assert names()[:3] == ['doorbell-poll', 'doorbell-wake', 'rate'], names()
    code, out, err = call('alink-bench', '--help')
    assert (code, err) == (0, '') and out.startswith('usage: alink-bench'), out


def test_wrong_options():
    """Exit code 2, and the option in the message"""
    for args, text in ((['--only', 'speed'], '"speed"'),
                       (['--only=dma,sped,gemm'], '"sped"'),
                       (['--rounds', '6'], '"6": a number from 7 to 31'),
                       (['--rounds=32'], '"32"'), (['--rounds=7x'], '"7x"'),
                       (['--quick', '--judge'], '--quick'),
                       (['--rounds=9', '--quick'], '--quick'),
                       (['--frobnicate'], '--frobnicate'),
                       (['--only'], '--only'), (['dma'], 'dma')):
        code, out, err = call('alink-bench', *args)
        assert (code, out) == (2, '') and text in err, (args, code, out, err)
    code, out, err = call('alink-bench', '-j', '--rounds=1')
    doc = json.loads(out)
    assert (code, err) == (2, '') and doc['schema'] == 'alink.error', (out, err)
    assert doc['error']['exit_code'] == 2, doc


def test_collectives():
    """Options of the sweeps are refused by name, without a device."""
    code, out, err = call('alink-bench', 'allreduce', '--help')
    assert (code, err) == (0, '') and '--algo' in out, (code, out, err)
    for args, text in ((['-b', '4X'], '"4X"'), (['-b', '0'], '-b'),
                       (['-e', '257M'], '-e'), (['-f', '1'], '-f'),
                       (['-b', '8K', '-e', '4K'], '-b: 8192'),
                       (['-n', '65'], '-n'), (['-d', 'fp64'], '"fp64"'),
                       (['-d', ','], '-d'), (['-o', 'prod'], '"prod"'),
                       (['--algo', 'tree'], '"tree"'), (['-d', 'uint8'], '-d'),
                       (['--iters', '0'], '--iters'), (['--speed'], '--speed'),
                       (['-r'], '-r'), (['4K'], '4K')):
        code, out, err = call('alink-bench', 'allreduce', *args)
        assert (code, out) == (2, '') and text in err, (args, code, out, err)


def test_host():
    """It computes, and knows nothing else."""
    code, out, err = call('alink-bench-host', 'gemm')
    assert (code, err) == (0, '') and float(out) > 0, (code, out, err)
    for args in ((), ('sum',), ('gemm', 'gemm')):
        code, out, err = call('alink-bench-host', *args)
        assert (code, out) == (2, '') and 'usage' in err, (args, code, out)


def test_port_of_the_host():
    """Lines of the guest are answered in turn, unknown ones with a refusal."""
    with runner().Host(TOOLS) as host, \
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as guest:
        guest.connect(host.path)
        with guest.makefile('rw', encoding='utf-8') as lines:
            for line, good in (('gemm', True), ('rm -rf /', False),
                               ('gemm', True), ('', False)):
                lines.write(line + '\n')
                lines.flush()
                answer = lines.readline()
                if good:
                    assert float(answer) > 0, answer
                else:
                    assert answer.startswith('no such thing'), answer


def test_machines():
    """Each measure is made in one machine, and no machine boots for nothing."""
    run, all_names = runner(), names()
    whole = dict(run.plan(all_names, []))
    assert whole['bench32'] == ['probe32'], whole
    assert whole['bench8'] == [n for n in all_names if n != 'probe32'], whole
    assert list(run.plan(all_names, ['probe32'])) == \
        [('bench32', ['probe32'])]
    # In the order of the list, whatever the user's is.
    assert list(run.plan(all_names, ['gemm,dma', 'rate'])) == \
        [('bench8', ['rate', 'dma', 'gemm'])]
    for machine in run.MACHINES:
        path = os.path.join(ROOT, 'tools/vm/topologies', f'{machine}.json')
        assert os.path.exists(path), path


def test_one_document():
    """Documents of two boots become one; an error is all there is."""
    run = runner()
    docs = [json.dumps({'schema': 'alink.bench', 'version': 2,
                        'data': [{'environment': {}, 'rows': [i]}]})
            for i in range(2)]
    whole = run.merge([(0, docs[0]), (20, docs[1])])
    assert [b['rows'] for b in whole['data']] == [[0], [1]], whole
    failed = run.failure('lost', 15)
    assert run.merge([(0, docs[0]), (15, json.dumps(failed))]) == failed
    broken = run.merge([(0, docs[0]), (125, '')])
    assert broken['schema'] == 'alink.error', broken
    assert broken['error']['exit_code'] == 125, broken


if __name__ == '__main__':
    main(*tests_of(globals()))
