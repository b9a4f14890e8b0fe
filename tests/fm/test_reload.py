#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Another configuration while the fabric is in use: wholly, or not at all. KTAP."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from fmlib import (CONFIG, LONG, STATE, Manager, alink, become,  # noqa: E402
                   configure, data, driver, log, name_of, partitions, stages,
                   stuck, usable)
from guestlib import PATIENCE, wait_for, write  # noqa: E402
from taplib import main, tests_of  # noqa: E402


def places(more='', **members):
    """Writes a configuration with these partitions, p5='0, 1' for one."""
    configure('partitions = ( ' + ', '.join(
        f'{{ id = {name[1:]}; xpus = [ {xpus} ]; }}'
        for name, xpus in members.items()) + f' );\n{more}')


def reload(says=None):
    """Of the manager's configuration; refused if it has to say something."""
    code, _, err = alink('fm', 'reload')
    assert (code, says or '') == (1 if says else 0, says or '') and \
        (not says or says in err), (code, err, log())
    assert not says or 'the configuration stays as it was' in err, err


def load():
    """Traffic between the xPUs 0 and 1 that has begun"""
    child = subprocess.Popen(  # pylint: disable=consider-using-with
        ['alink-bench', 'allreduce', '-n', '2', '-b', '64K', '-e', LONG,
         '--iters', '1000', '-j'], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    wait_for('the load', lambda: child.poll() is not None or any(
        g['reductions'] for g in data('group', 'show')), PATIENCE)
    assert child.poll() is None, child.communicate()[0]
    return child


def test_others_do_not_notice():
    """Traffic of those who stay where they are goes on; who moves leaves his
    place before he takes the other."""
    places(p5='0, 1', p6='2')
    with Manager():
        child = load()
        for name in ('p7', 'p6', 'p7'):
            places(p5='0, 1', **{name: '2'})
            reload()
            assert partitions() == {0: 5, 1: 5, 2: int(name[1:])}
        assert child.poll() is None, child.communicate()[0]
        out, _ = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0 and '"wrong":0' in out, out
        assert '1 places in partitions written: 0 missing, 0 different, ' \
            '1 stale: the configuration has changed' in log(), log()


def test_moved_under_traffic():
    """It fails, and does not hang; it works again when both are together."""
    places(p5='0, 1', p6='2')
    with Manager() as m:
        child = load()
        places(p5='0', p6='2, 1')
        reload()
        assert partitions() == {0: 5, 1: 6, 2: 6}
        assert not usable(0, 1) and usable(1, 2) == 2
        out, _ = child.communicate(timeout=PATIENCE)
        assert child.returncode, out
        places(p5='0, 1', p6='2')
        reload()
        m.wait()
        assert usable(0, 1) == 2
        done = subprocess.run(
            ['alink-bench', 'allreduce', '-n', '2', '-b', '4K', '-e', '4K',
             '-j'], capture_output=True, text=True, timeout=PATIENCE,
            check=False)
        assert done.returncode == 0 and '"wrong":0' in done.stdout, done


def test_those_who_swap_do_not_meet():
    """Both are out of their places before either has the other's."""
    places(p5='0', p6='1', p7='2')
    with Manager():
        places(p5='1', p6='0', p7='2')
        reload()
        assert partitions() == {0: 6, 1: 5, 2: 7}
        lines = [line.split(' written: ')[1] for line in log().splitlines()
                 if 'the configuration has changed' in line]
        left = [line.startswith('0 missing, 0 different, 2 stale')
                for line in lines]
        came = [line.startswith('0 missing, 2 different, 0 stale')
                for line in lines]
        assert left == [True, True, False, False], lines
        assert came == [False, False, True, True], lines


def test_switch_does_not_answer():
    """Nobody is moved then; what moves nobody is taken."""
    places(p5='0, 1', p6='2')
    with Manager() as m:
        with stuck('sw0'):
            places(p5='0', p6='1, 2')
            reload('sw0 cannot be looked at')
            assert {x: s[2] for x, s in stages().items()} == {0: 5, 1: 5, 2: 6}
            places('policy = { xpu = "report"; };', p5='0, 1', p6='2')
            reload()
        m.wait()
        assert partitions() == {0: 5, 1: 5, 2: 6}
        places(p5='0', p6='1, 2')
        reload()
        assert partitions() == {0: 5, 1: 6, 2: 6}


def test_all_go_back():
    """Something cannot be written half way: each is where he was, and so is
    what belongs to the configuration."""
    folder = '/run/fm-gone'
    os.makedirs(f'{folder}/deep', exist_ok=True)

    def elsewhere(*args, **members):
        places(*args, **members)
        with open(CONFIG, encoding='utf-8') as f:
            text = f.read().replace(STATE, f'{folder}/deep/state')
        with open(CONFIG, 'w', encoding='utf-8') as f:
            f.write(text)

    def made():
        return [g for g in data('group', 'show') if g['id'] == 9]

    group = 'groups = ( { id = 9; key = "7"; xpus = [ 1, 2 ]; } );'
    elsewhere(p5='0, 1', p6='2')
    with Manager() as m:
        shutil.rmtree(folder)
        elsewhere(group, p5='0', p6='1, 2')
        reload('not all can be written')
        assert partitions() == {0: 5, 1: 5, 2: 6}
        assert '1 different, 0 stale: another configuration could not be ' \
            'written' in log(), log()
        assert not made() and not data('fm', 'show')['groups']
        os.makedirs(f'{folder}/deep')
        # It has what it decided to write since.
        wait_for('the file', lambda: os.path.exists(f'{folder}/deep/state'),
                 PATIENCE)
        m.wait()
        reload()
        become(1, 'completed')
        assert partitions() == {0: 5, 1: 6, 2: 6}
        assert made()
        elsewhere(p5='0', p6='1, 2')
        reload()
        wait_for('no group', lambda: not made(), PATIENCE)


def test_xpu_comes_back_meanwhile():
    """Another configuration is there wholly or not at all, whatever the xPU
    that comes has got to; and in the end it is where it belongs."""
    report = 'policy = { xpu = "report"; links = "report"; };'
    texts = {5: {'p5': '0, 1, 2'}, 6: {'p5': '0', 'p6': '1, 2'}}
    home, taken = 5, 0
    places(report, **texts[home])
    with Manager() as m:
        for _ in range(3):
            pci, folder = driver(name_of('xpu', 1))
            write(f'{folder}/unbind', pci)
            with subprocess.Popen(['sh', '-c', f'echo {pci} >{folder}/bind']) \
                    as binding:
                while binding.poll() is None:
                    places(report, **texts[11 - home])
                    code, _, err = alink('fm', 'reload')
                    assert not code or 'stays as it was' in err, (code, err)
                    if not code:
                        home, taken = 11 - home, taken + 1
                    found = {x: s[2] for x, s in stages().items()}
                    assert found == {0: 5, 1: home, 2: home}, (found, log())
            assert not binding.returncode
            wait_for('xPU 1', lambda: name_of('xpu', 1), PATIENCE)
            m.wait()
            assert partitions() == {0: 5, 1: home, 2: home}
            assert usable(1, 2) == 2 and 'leaves partition' not in log(), log()
        assert taken, log()


def test_wrong_one():
    """It stays, too, and says where to look."""
    places(p5='0, 1, 2')
    with Manager():
        configure('partitions = ( { id = 5; } );')
        reload('it is wrong')
        assert ':3: xpus is missing' in log(), log()
        assert partitions() == {0: 5, 1: 5, 2: 5}
        code, _, err = alink('fm', 'reload', 'x')
        assert code == 2 and 'no arguments' in err, (code, err)


if __name__ == '__main__':
    main(*tests_of(globals()))
