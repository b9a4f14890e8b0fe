#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""alink topo --dot, --svg and alink path on fabrics that are made up, by
alink-made beside the program that ALINK names. TAP."""
import itertools
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), 'lib'))

# pylint: disable=wrong-import-position
from taplib import main, tests_of  # noqa: E402

ALINK = os.environ.get('ALINK', 'alink')
MADE = os.path.join(os.path.dirname(ALINK), 'alink-made')
SVG = '{http://www.w3.org/2000/svg}'
XPU, SWITCH, NIC = 1, 2, 4
DOWN, UP = 0, 2
REASON = {'none': 0, 'closed': 1, 'no cable': 3, 'module fault': 5,
          'remote fault': 10, 'width': 12, 'laser': 14, 'no light': 15}
STYLES = ('up', 'noroute', 'degraded', 'down')
COPPER = 0xffffffff


class Fabric:
    """What alink-made reads. Whole: every xPU has a link to every plane, and
    all reach each other."""

    def __init__(self, xpus, planes, nics=0):
        self.modules = []
        self.xpu = [f'xpu{i}' for i in range(xpus)]
        self.switch = [f'sw{p}' for p in range(planes)]
        self.nic = [f'nic{i}' for i in range(nics)]
        self.state = {}
        self.link = {}
        self.route = {}
        self.spare = {}
        self.part = {}
        self.group = []
        for i, p in itertools.product(range(xpus), range(planes)):
            self.link[f'xpu{i}', p] = self.new(SWITCH, p, i)
            self.link[f'sw{p}', i] = self.new(XPU, i, p)
            self.route[f'sw{p}', i] = [1, i]
            self.part[f'sw{p}', i] = 1
        for a, b in itertools.permutations(range(xpus), 2):
            self.route[f'xpu{a}', b] = [1, *range(planes)]

    @staticmethod
    def new(peer_type, peer, peer_link):
        """A link that is as it should be."""
        return {'state': UP, 'reason': 0, 'speed': 400000, 'max': 400000,
                'lanes': 4, 'max_lanes': 4, 'module': COPPER,
                'peer_type': peer_type, 'peer': peer, 'peer_link': peer_link}

    def cut(self, device, link, reason):
        """Takes a link down, for a reason at one end."""
        one = self.link[device, link]
        other = ('xpu' if one['peer_type'] == XPU else 'sw') + str(one['peer'])
        for end, why in ((one, reason), (self.link[other, one['peer_link']],
                                         'remote fault')):
            end.update(state=DOWN, reason=REASON[why], speed=0, lanes=0)

    def text(self):
        """The lines."""
        names = self.xpu + self.switch + self.nic
        index = {n: i for i, n in enumerate(names)}
        lines = []
        for n in names:
            kind = XPU if n in self.xpu else NIC if n in self.nic else SWITCH
            place = {XPU: self.xpu, SWITCH: self.switch, NIC: self.nic}[kind]
            lines.append(('dev', kind, index[n], n, COPPER if kind == NIC else
                          place.index(n), 64 if kind == XPU else 1024,
                          self.state.get(n, 'ready')))
        lines += [('link', index[d], n, *l.values())
                  for (d, n), l in self.link.items()]
        for (d, dst), r in self.route.items():
            lines.append(('route', index[d], dst, *r))
            if (d, dst) in self.spare:
                lines.append(('spare', *self.spare[d, dst]))
        lines += [('part', index[d], e, p) for (d, e), p in self.part.items()]
        lines += [('group', index[d], *g) for d, *g in self.group]
        lines += [('module', *m) for m in self.modules]
        return ''.join('\t'.join(map(str, line)) + '\n' for line in lines)

    def rename(self, old, new):
        """Another name for a device, everywhere."""
        for names in self.xpu, self.switch, self.nic:
            names[:] = [new if n == old else n for n in names]
        for table in self.link, self.route, self.part:
            for device, key in list(table):
                if device == old:
                    table[new, key] = table.pop((device, key))

    def run(self, *args, want=0):
        """What alink-made prints."""
        done = subprocess.run([MADE, *args], input=self.text(), text=True,
                              capture_output=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (want, ''), \
            (args, done.returncode, done.stderr, done.stdout[-500:])
        return done.stdout

    def up(self):
        """Routes that are made from its cabling, in their order."""
        names = self.xpu + self.switch + self.nic
        rows = [line.split('\t') for line in self.run('up').splitlines()]
        assert all(row[0] == 'route' for row in rows), rows
        return [((names[int(dev)], int(dst)), [int(n) for n in ports])
                for _, dev, dst, *ports in rows]

    def ways(self):
        """The same, link by link: a port of a switch leads to the xPU behind it,
        a link of an xPU to whatever is behind its switch."""
        behind = {plane: {} for plane in range(len(self.switch))}
        for (name, port), link in self.link.items():
            if name in self.switch and link['peer_type'] == XPU and \
                    link['peer'] < 1024:
                behind[self.switch.index(name)].setdefault(
                    link['peer'], set()).add(port)
        out = {(self.switch[plane], dst): ports
               for plane, seen in behind.items() for dst, ports in seen.items()}
        for (name, port), link in self.link.items():
            if name not in self.xpu or link['peer_type'] != SWITCH:
                continue
            for dst in behind.get(link['peer'], ()):
                if dst != self.xpu.index(name):
                    out.setdefault((name, dst), set()).add(port)
        return {key: [1, *sorted(ports)] for key, ports in out.items()}

    def svg(self):
        """The drawing, parsed."""
        return Drawing(self.run('svg'))

    def path(self, a='xpu0', b='xpu1', want=0):
        """Data of alink.path."""
        doc = json.loads(self.run('json', a, b, want=want))
        assert (doc['schema'], doc['version']) == ('alink.path', 1), doc
        return doc['data']


class Drawing:
    """An SVG: boxes by name, lines, and the text of each box."""

    def __init__(self, text):
        self.source = text
        self.root = ET.fromstring(text)
        self.size = tuple(int(self.root.get(n)) for n in ('width', 'height'))
        self.box, self.text, self.kind = {}, {}, {}
        for g in self.root.iter(f'{SVG}g'):
            if not g.get('class').startswith('node '):
                continue
            name = g.find(f'{SVG}title').text
            assert name not in self.box, name
            r = g.find(f'{SVG}rect')
            self.box[name] = tuple(int(r.get(k))
                                   for k in ('x', 'y', 'width', 'height'))
            self.kind[name] = g.get('class').split()[1:]
            self.text[name] = [t for t in g.iter(f'{SVG}text')]
        # Those of the legend are in a group.
        self.line = [(l.get('class'), l.find(f'{SVG}title').text,
                      [tuple(map(int, p.split(',')))
                       for p in l.get('points').split()])
                     for l in self.root.findall(f'{SVG}polyline')]

    def words(self, name):
        """The text of a box."""
        return [t.text for t in self.text[name]]

    def styles(self):
        """How many lines there are of each style."""
        return {s: n for s in STYLES
                if (n := sum(l[0] == s for l in self.line))}

    def check(self):
        """Nothing is over another thing, nor outside."""
        width, height = self.size
        boxes = list(self.box.items())
        for name, (x, y, w, h) in boxes:
            assert x >= 0 and y >= 0 and x + w <= width and y + h <= height, \
                (name, self.size)
            for t in self.text[name]:
                # A character of 10 pixels height is at most 6.2 wide.
                assert int(t.get('x')) >= x and y < int(t.get('y')) < y + h
                assert int(t.get('x')) + 6.2 * len(t.text) <= x + w, t.text
            ys = [int(t.get('y')) for t in self.text[name]]
            assert all(b - a >= 12 for a, b in zip(ys, ys[1:])), (name, ys)
        for (a, p), (b, q) in itertools.combinations(boxes, 2):
            assert p[0] + p[2] <= q[0] or q[0] + q[2] <= p[0] or \
                p[1] + p[3] <= q[1] or q[1] + q[3] <= p[1], (a, b)
        for _, title, points in self.line:
            for p, q in zip(points, points[1:]):
                for name, box in boxes:
                    assert not crosses(p, q, box), (title, p, q, name)


def crosses(p, q, box):
    """Does a line go through the inside of a box?"""
    low, high = 0.0, 1.0
    for axis in 0, 1:
        begin, end = box[axis] + .5, box[axis] + box[axis + 2] - .5
        step = q[axis] - p[axis]
        if not step:
            if not begin < p[axis] < end:
                return False
            continue
        t = sorted(((begin - p[axis]) / step, (end - p[axis]) / step))
        low, high = max(low, t[0]), min(high, t[1])
    return low < high


def test_whole_fabric():
    """All there is, once, with rates; nothing stands out."""
    fabric = Fabric(4, 2, nics=2)
    d = fabric.svg()
    d.check()
    assert set(d.box) == {*fabric.xpu, *fabric.switch, *fabric.nic}, d.box
    assert d.styles() == {'up': 8}, d.styles()
    assert {l[1] for l in d.line} == {
        f'xpu{i}p{p} - sw{p}p{i}: 400 Gb/s x4'
        for i in range(4) for p in range(2)}, d.line
    assert d.words('xpu3') == ['xpu3', 'endpoint 3, partition 1',
                               'p0 sw0p3 400 Gb/s x4', 'p1 sw1p3 400 Gb/s x4']
    assert not any(t.get('class') == 'bad' for n in d.text.values() for t in n)
    top = {d.box[n][1] for n in fabric.switch}
    assert len(top) == 1, top
    assert max(top) < min(d.box[n][1] for n in fabric.xpu) < \
        min(d.box[n][1] for n in fabric.nic)


def test_routes_from_cabling():
    """Every link that leads there, and no other; of a whole fabric, all."""
    fabric = Fabric(5, 3, nics=1)
    assert dict(fabric.up()) == fabric.route == fabric.ways()
    # A cable that is not there, a second one, a switch and xPUs elsewhere
    del fabric.link['xpu2', 1], fabric.link['sw1', 2]
    fabric.link['xpu0', 63] = fabric.new(SWITCH, 0, 1023)
    fabric.link['sw0', 1023] = fabric.new(XPU, 0, 63)
    fabric.link['xpu1', 9] = fabric.new(SWITCH, 40, 1)
    fabric.link['sw2', 60] = fabric.new(XPU, 1023, 0)
    fabric.link['sw2', 61] = fabric.new(XPU, 4000, 0)
    fabric.link['xpu3', 10] = fabric.new(XPU, 1, 10)
    rows = fabric.up()
    names = fabric.xpu + fabric.switch
    assert dict(rows) == fabric.ways(), rows
    assert [k for k, _ in rows] == sorted(
        fabric.ways(), key=lambda k: (names.index(k[0]), k[1])), rows
    assert fabric.ways()['xpu1', 2] == [1, 0, 2]
    assert fabric.ways()['sw0', 0] == [1, 0, 1023]
    assert fabric.ways()['xpu0', 1023] == [1, 2]
    # No switch here sees what is behind it.
    fabric = Fabric(2, 1)
    fabric.switch.clear()
    for table in fabric.link, fabric.route, fabric.part:
        for key in [k for k in table if k[0] == 'sw0']:
            del table[key]
    assert not fabric.up()


def test_legend():
    """Each style is explained, and differs from all others without colour."""
    d = Fabric(2, 1).svg()
    legend = [g for g in d.root.iter(f'{SVG}g') if g.get('class') == 'legend']
    assert len(legend) == 1
    lines = [l.get('class') for l in legend[0].iter(f'{SVG}polyline')]
    text = [t.text for t in legend[0].iter(f'{SVG}text')]
    assert sorted(lines) == sorted(STYLES), lines
    assert {'up', 'degraded', 'down', 'up, no route'} < set(text), text
    css = d.root.find(f'{SVG}style').text
    rules = dict(re.findall(r'^\.(\w+)\{(stroke:.*)\}$', css, re.M))
    looks = [re.sub('stroke:#[0-9a-f]*;', '', rules[s]) for s in STYLES]
    colours = {re.match('stroke:(#[0-9a-f]*)', rules[s])[1] for s in STYLES}
    assert len(set(looks)) == len(colours) == len(STYLES), rules
    shapes = [re.sub(r'^M\S+ [\d]+', '', p.get('d'))
              for p in legend[0].iter(f'{SVG}path')]
    assert len(set(shapes)) == len(STYLES), shapes


def test_nothing_from_elsewhere():
    """No script, no font, no image: only the name of SVG is an address."""
    source = Fabric(3, 2).run('svg')
    assert re.findall(r'\w+://[^"]*', source) == ['http://www.w3.org/2000/svg']
    tags = {e.tag for e in ET.fromstring(source).iter()}
    assert tags == {SVG + t for t in ('svg', 'title', 'style', 'rect', 'g',
                                      'text', 'polyline', 'path')}, tags
    assert '@import' not in source and 'url(' not in source


def test_what_stands_out():
    """Links that are down, slow or without route, and routes that miss."""
    fabric = Fabric(4, 4)
    fabric.cut('sw1', 2, 'closed')
    for end in ('xpu0', 3), ('sw3', 0):
        fabric.link[end].update(speed=200000, lanes=2, reason=REASON['width'])
    del fabric.route['sw2', 1]
    del fabric.route['xpu3', 1]
    fabric.route['xpu1', 0] = fabric.route['xpu1', 2] = \
        fabric.route['xpu1', 3] = [1, 0, 1, 2]
    d = fabric.svg()
    d.check()
    assert d.styles() == {'up': 12, 'noroute': 2, 'degraded': 1, 'down': 1}
    lines = {l[1].partition(':')[0]: l for l in d.line}
    for link, style, says in (
            ('xpu2p1 - sw1p2', 'down', ['down', 'closed by command (sw1p2)']),
            ('xpu0p3 - sw3p0', 'degraded',
             ['200 Gb/s x2', '2 of 4 lanes', '200 of 400', 'width reduced']),
            ('xpu1p2 - sw2p1', 'noroute', ['no route of sw2 to it']),
            ('xpu1p3 - sw3p1', 'noroute', ['no route of xpu1 over it'])):
        assert lines[link][0] == style, lines[link]
        assert all(s in lines[link][1] for s in says), lines[link]
    # It is drawn over those that are as they should be.
    order = [STYLES.index(l[0]) for l in d.line]
    assert order == sorted(order), order
    # And said in the boxes, whose frame tells of it, in bold.
    frames = {n: d.kind[n][1:] for n in d.box if d.kind[n][1:]}
    assert frames == {
        'xpu0': ['box-degraded'], 'xpu1': ['box-noroute'],
        'xpu2': ['box-down'], 'xpu3': ['box-noroute'],
        'sw2': ['box-noroute']}, frames
    for name, says in (('xpu2', 'closed by command (sw1p2)'),
                       ('xpu0', 'width reduced'), ('sw2', 'endpoints 1'),
                       ('xpu3', 'no route to endpoints 1')):
        bad = ' '.join(' '.join(t.text for t in d.text[name]
                                if t.get('class') == 'bad').split())
        assert says in bad, (name, d.words(name))
    title = d.root.findall(f'{SVG}text')[0].text
    assert '16 links: 12 up, 2 without route, 1 degraded, 1 down; ' \
        '2 routes missing' in title, title


def test_of_another_host():
    """The other end of a cable is drawn where it is only known by the cable;
    a link without one is no line."""
    fabric = Fabric(2, 2)
    fabric.switch.remove('sw1')
    fabric.xpu.remove('xpu1')
    for table in fabric.link, fabric.route, fabric.part:
        for key in [k for k in table if k[0] in ('sw1', 'xpu1')]:
            del table[key]
    loose = fabric.new(0, COPPER, 0)
    loose.update(state=DOWN, reason=REASON['no cable'], speed=0, lanes=0)
    for n in 4, 5, 6:
        fabric.link['xpu0', n] = dict(loose)
    d = fabric.svg()
    d.check()
    assert d.kind['xpu:1'] == ['xpu', 'elsewhere'], d.kind
    assert d.kind['switch:1'] == ['switch', 'elsewhere'], d.kind
    assert len(d.line) == 3, d.line
    assert d.words('xpu0')[-1] == 'p4-6: no cable', d.words('xpu0')
    assert len(re.findall(r'^\tn\d+ -- ', fabric.run('dot'), re.M)) == 3


def test_text_is_escaped():
    """What a name has in it is text in the drawing, and no markup."""
    for name in ('a<b>&"c\'', ']]>', '</title><script>', '%s%n', '\\N"];x',
                 'x' * 31, 'bell\x07\x1b[0m'):
        fabric = Fabric(2, 1)
        fabric.state['xpu1'] = '<&>'
        fabric.rename('xpu0', name)
        shown = re.sub('[^ -~]', '?', name)
        d = fabric.svg()
        d.check()
        assert shown in d.box and d.words(shown)[0] == shown, d.box
        assert 'state: <&>' in d.words('xpu1'), d.words('xpu1')
        dot = fabric.run('dot')
        labels = re.findall(r'label="((?:[^"\\]|\\.)*)"', dot)
        quoted = shown.replace('\\', '\\\\').replace('"', '\\"').replace(
            '&', '&amp;')
        assert any(l.startswith(quoted + '\\n') for l in labels), labels
        # Without its strings nothing is left that could come from a name.
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', '', dot)
        assert re.fullmatch(r'[\w\s{}\[\];=,-]*', bare), bare


def test_dot():
    """The same as the SVG: nodes, links, legend."""
    fabric = Fabric(3, 2, nics=1)
    fabric.cut('xpu1', 0, 'laser')
    dot = fabric.run('dot')
    assert dot.startswith('graph alink {\n') and dot.endswith('}\n'), dot
    assert dot.count('{') == dot.count('}'), dot
    assert len(re.findall(r'^\tn\d+ \[label=', dot, re.M)) == 6, dot
    edges = re.findall(r'^\tn\d+ -- n\d+ \[(.*)\];$', dot, re.M)
    assert len(edges) == 6, edges
    assert [e for e in edges if 'style=dotted' in e and
            'label="p1-p0 down\\nlaser off (xpu1p0)"' in e], edges
    looks = re.findall(r'^\t\tlegend\d+a -- legend\d+b \[(.*?), color=', dot,
                       re.M)
    assert len(set(looks)) == len(STYLES), looks
    assert re.search(r'label="legend"', dot)


def test_graphviz_draws_it():
    """Fabrics as those of tools/vm/topologies, none, one that is broken, and
    names that graphviz could take for its own: each box, each line, the words."""
    fabrics = [Fabric(x, p, n) for x, p, n in (
        (0, 0, 0), (0, 0, 2), (0, 2, 0), (2, 2, 2), (3, 2, 0), (8, 8, 9),
        (32, 4, 0), (2, 64, 0))]
    fabrics[3].cut('xpu1', 0, 'laser')
    fabrics[4].rename('xpu0', '\\N"];x')
    fabrics[4].rename('sw1', '<b>\\n%s&amp;')
    for fabric in fabrics:
        done = subprocess.run(['dot', '-Tsvg'], input=fabric.run('dot'),
                              capture_output=True, text=True, timeout=120,
                              check=False)
        assert (done.returncode, done.stderr) == (0, ''), done
        box, lines = set(), 0
        for g in ET.fromstring(done.stdout).iter(f'{SVG}g'):
            title = g.find(f'{SVG}title')
            if g.get('class') == 'node' and re.fullmatch(r'n\d+', title.text):
                box.add(g.find(f'{SVG}text').text)
            lines += g.get('class') == 'edge' and \
                not title.text.startswith('legend')
        d = fabric.svg()
        assert box == set(d.box) and lines == len(d.line), (box, lines)


def test_128_xpus():
    """A large fabric: nothing is over another thing, and all can be read."""
    fabric = Fabric(128, 8, nics=16)
    fabric.cut('xpu77', 5, 'no light')
    del fabric.route['xpu100', 3]
    d = fabric.svg()
    d.check()
    assert len(d.box) == 128 + 8 + 16 and len(d.line) == 1024
    assert d.styles() == {'up': 1023, 'down': 1}, d.styles()
    width, height = d.size
    assert 0.3 < width / height < 3, d.size
    # Links of one xPU come down together, and of no two in one place.
    down = {}
    for _, title, points in d.line:
        down.setdefault(points[1][0], set()).add(title.split('p')[1])
    assert len(down) == 128 and all(len(x) == 1 for x in down.values())
    ends = {l[2][0] for l in d.line} | {l[2][-1] for l in d.line}
    assert len(ends) == 2 * 1024


def test_odd_fabrics():
    """None, one device, more planes than xPUs, and the most there can be."""
    for fabric in (Fabric(0, 0), Fabric(1, 0), Fabric(0, 2), Fabric(0, 0, 3),
                   Fabric(1, 1), Fabric(2, 64), Fabric(5, 1, nics=9)):
        d = fabric.svg()
        d.check()
        assert len(d.box) == len(fabric.xpu + fabric.switch + fabric.nic)
        assert set(d.styles()) <= {'up'}, d.styles()
        fabric.run('dot')


def test_path_whole():
    """All parts of the answer; nothing limits it."""
    fabric = Fabric(3, 2)
    fabric.group = [('sw0', 4, 0, 1, 2), ('sw1', 4, 0, 1, 2), ('sw0', 9, 0, 1),
                    ('sw0', 5, 1, 2)]
    path = fabric.path()
    assert (path['path'], path['why'], path['bottleneck']) == \
        (True, None, None), path
    assert path['usable_links'] == 2 and path['unused_links'] == []
    assert path['speed_mbps'] == path['full_speed_mbps'] == 800000
    assert path['route'] == {'min_ports': 1, 'ports': [0, 1], 'spares': []}
    assert path['partition'] == 1
    assert path['groups'] == [{'id': 4, 'switches': ['sw0', 'sw1']},
                              {'id': 9, 'switches': ['sw0']}], path['groups']
    for n, link in enumerate(path['links']):
        assert [(e['device'], e['link']) for e in link['ends']] == [
            ('xpu0', n), (f'sw{n}', 0), (f'sw{n}', 1), ('xpu1', n)], link
        assert (link['usable'], link['why'], link['limit']) == \
            (True, None, None), link
        assert (link['port_in'], link['port_out'], link['link_in']) == \
            (0, 1, n), link
        assert link['switch_route']['ports'] == [1], link
    text = fabric.run('path', 'xpu0', 'xpu1')
    assert 'xpu0p1 -> sw1p0 | sw1p1 -> xpu1p1   400 Gb/s' in text, text
    assert 'bottleneck: none' in text and 'groups with both 4,9' in text, text


def limit(path):
    """The bottleneck without its numbers."""
    b = path['bottleneck']
    return b['kind'], b['where'], b['why'], b['links'], b['lost_mbps']


def test_path_bottlenecks():
    """Each cause, at the place where it is."""
    def one(fabric, *want, code=0, speed=None):
        path = fabric.path(want=code)
        assert limit(path) == want, (limit(path), want)
        assert path['path'] is (code == 0), path
        if speed is not None:
            assert path['speed_mbps'] == speed, path
        return path

    fabric = Fabric(2, 2)
    fabric.cut('sw1', 1, 'closed')      # seen from xPU 1, the other end
    one(fabric, 'link-down', 'sw1p1', 'closed by command', [1], 400000,
        speed=400000)

    fabric = Fabric(2, 2)
    fabric.cut('sw0', 0, 'closed')
    path = one(fabric, 'link-down', 'sw0p0', 'closed by command', [0], 400000)
    assert path['links'][0]['why'] == 'remote fault', path['links'][0]

    fabric = Fabric(2, 2)
    for end in ('sw1', 1), ('xpu1', 1):
        fabric.link[end].update(speed=100000, lanes=1, reason=REASON['width'])
    one(fabric, 'degraded', 'sw1p1',
        '1 of 4 lanes, 100 of 400 Gb/s: width reduced', [1], 300000,
        speed=500000)

    # Ends that differ are cabled so: neither is degraded.
    for slow in ('sw0', 1), ('xpu1', 0):
        fabric = Fabric(2, 2)
        for end in ('sw0', 1), ('xpu1', 0):
            fabric.link[end].update(speed=200000)
        fabric.link[slow].update(max=200000)
        one(fabric, 'slower-part', 'sw0p1' if slow[0] == 'sw0' else 'xpu1p0',
            'made for 200 Gb/s', [0], 200000, speed=600000)
        assert fabric.svg().styles() == {'up': 4}

    fabric = Fabric(3, 4)
    fabric.route['xpu0', 1] = [1, 1, 3]
    path = one(fabric, 'route-ports', 'xpu0p0',
               'the route leaves this link out', [0, 2], 800000, speed=800000)
    assert path['unused_links'] == [0, 2] and len(path['links']) == 2, path

    fabric = Fabric(2, 2)
    fabric.part['sw1', 1] = 3
    path = one(fabric, 'partition', 'sw1',
               'xpu0 is in partition 1, xpu1 in partition 3', [1], 400000)
    assert path['partition'] is None, path
    del fabric.part['sw0', 0]
    path = fabric.path(want=1)
    assert limit(path)[:3] == ('partition', 'sw0',
                               'xpu0 is in no partition, xpu1 in partition 1')

    fabric = Fabric(2, 2)
    del fabric.route['sw0', 1]
    one(fabric, 'switch-route', 'sw0', 'no route in the switch', [0], 400000)
    fabric.route['sw0', 1] = [1, 0]
    one(fabric, 'switch-route', 'sw0',
        "no port of the switch's route leads there", [0], 400000)

    fabric = Fabric(2, 2)
    del fabric.route['xpu0', 1]
    path = one(fabric, 'no-route', 'xpu0',
               'no route in the xPU (alink fabric up writes them)', [0, 1],
               800000, code=1, speed=0)
    assert path['links'] == [] and path['route'] is None, path

    fabric = Fabric(2, 2)
    fabric.route['xpu0', 1][0] = 2
    fabric.cut('xpu0', 1, 'laser')
    path = one(fabric, 'link-down', 'xpu0p1', 'laser off', [1], 400000, code=1)
    assert path['why'] == "fewer usable links than the route's minimum", path

    fabric = Fabric(2, 2)
    fabric.switch.remove('sw1')
    for table in fabric.link, fabric.route, fabric.part:
        for key in [k for k in table if k[0] == 'sw1']:
            del table[key]
    one(fabric, 'switch-elsewhere', 'plane 1',
        'its switch is not managed from this host', [1], 400000)


def test_path_takes_the_worst():
    """Of several causes that which takes most; alike ones count together."""
    fabric = Fabric(2, 4)
    for plane in 0, 3:
        fabric.cut('xpu1', plane, 'closed')
    for end in ('xpu0', 1), ('sw1', 0):
        fabric.link[end].update(speed=200000, lanes=2)
    path = fabric.path()
    assert limit(path) == ('link-down', 'xpu1p0', 'closed by command', [0, 3],
                           800000), path['bottleneck']
    assert path['speed_mbps'] == 600000
    text = fabric.run('path', 'xpu0', 'xpu1')
    assert 'bottleneck: xpu1p0: closed by command; so for links 0,3; ' \
        'takes 800 of 1600 Gb/s\n' in text, text


def test_path_takes_the_slowest():
    """Of links that all work, that which has the least."""
    fabric = Fabric(2, 3)
    for plane, speed in enumerate((300000, 100000, 200000)):
        for end in ('xpu0', plane), (f'sw{plane}', 0):
            fabric.link[end].update(speed=speed)
    path = fabric.path()
    assert limit(path) == ('degraded', 'xpu0p1', '100 of 400 Gb/s', [1],
                           300000), path['bottleneck']


def test_path_shares_ports():
    """Two links of an xPU into one switch take two ports out of it, if there
    are two; or are told that they share one."""
    fabric = Fabric(2, 1)
    fabric.link['xpu0', 1] = fabric.new(SWITCH, 0, 10)
    fabric.link['sw0', 10] = fabric.new(XPU, 0, 1)
    fabric.route['xpu0', 1] = [1, 0, 1]
    path = fabric.path()
    assert limit(path) == ('shared-port', 'sw0p1',
                           'one port of the switch for several links', [1],
                           400000), path['bottleneck']
    assert (path['usable_links'], path['speed_mbps']) == (2, 400000), path
    fabric.link['xpu1', 1] = fabric.new(SWITCH, 0, 11)
    fabric.link['sw0', 11] = fabric.new(XPU, 1, 1)
    fabric.route['sw0', 1] = [1, 1, 11]
    path = fabric.path()
    assert path['bottleneck'] is None and path['speed_mbps'] == 800000, path
    assert [l['port_out'] for l in path['links']] == [1, 11], path


def test_path_spares():
    """Which link is a spare, and whether it stands in; that takes nothing."""
    def check(speed, used, says, want=0):
        path = fabric.path(want=want)
        assert (path['usable_links'], path['speed_mbps']) == \
            (len(used), speed), path
        assert path['full_speed_mbps'] == 1200000, path
        assert [l['link'] for l in path['links'] if l['used']] == used, path
        assert [l['spare'] for l in path['links']] == [False] * 3 + [True]
        text = fabric.run('path', 'xpu0', 'xpu1', want=want)
        assert 'route over links 0-2, spare 3, at least ' in text, text
        assert says in text, text
        return path

    fabric = Fabric(2, 4)
    fabric.route['xpu0', 1] = [1, 0, 1, 2]
    fabric.spare['xpu0', 1] = [3]
    path = check(1200000, [0, 1, 2], '400 Gb/s; an idle spare\n')
    assert path['route']['spares'] == [3] and path['unused_links'] == []
    assert path['bottleneck'] is None
    fabric.cut('xpu1', 1, 'closed')
    path = check(1200000, [0, 2, 3], '400 Gb/s; a spare that stands in\n')
    assert path['bottleneck'] is None
    fabric.cut('xpu1', 0, 'closed')
    path = check(800000, [2, 3], '2 of 3 links usable, 800 Gb/s')
    assert limit(path) == ('link-down', 'xpu1p1', 'closed by command', [1],
                           400000), path['bottleneck']
    fabric.route['xpu0', 1][0] = 3
    check(800000, [2, 3], "fewer usable links than the route's minimum", 1)

    fabric = Fabric(2, 4)
    fabric.route['xpu0', 1] = [1, 0, 1, 2]
    fabric.spare['xpu0', 1] = [3]
    fabric.cut('xpu1', 3, 'closed')
    path = check(1200000, [0, 1, 2], 'is down; a spare\n')
    assert path['bottleneck'] is None


def test_path_modules():
    """The module at fault is named: missing, at fault, or dark while the one
    that does not see it is not to blame."""
    for reason, module, says in (
            ('no cable', (1, 0, 0, ''), 'module opt0 cage 7 lane 0: missing'),
            ('module fault', (3, 5, 4, 'AL-X'),
             'module opt0 cage 7 lane 0: fault (transmitter), AL-X'),
            ('laser', (3, 3, 0, 'AL-X'), 'module opt0 cage 7 lane 0: ready')):
        fabric = Fabric(2, 2)
        fabric.link['xpu0', 1]['module'] = 0x12340100
        fabric.link['sw1', 0]['module'] = 0x12340700
        fabric.modules = [(0x12340100, 3, 3, 0, 'AL-X'), (0x12340700, *module)]
        fabric.cut('sw1', 0, reason)
        fabric.link['xpu0', 1]['reason'] = REASON['no light']
        path = fabric.path()
        assert limit(path)[:2] == ('module', 'sw1p0'), path['bottleneck']
        assert path['bottleneck']['module']['cage'] == 7, path['bottleneck']
        text = fabric.run('path', 'xpu0', 'xpu1')
        last = text.splitlines()[-1]
        assert last.startswith('bottleneck: sw1p0: ') and says in last, text
    ends = path['links'][1]['ends']
    assert ends[0]['module']['state'] == 'ready', ends
    assert ends[0]['module']['part'] == 'AL-X', ends
    assert ends[2]['module'] is None, ends


def test_wrong_arguments():
    """Named, and exit code 2, before anything is asked of the kernel."""
    for args, text in ((['--png'], '--png'), (['--svg', 'x'], 'x'),
                       (['--dot', '--svg'], '--svg'), (['svg'], 'svg')):
        done = subprocess.run([ALINK, 'topo', *args], capture_output=True,
                              text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout) == (2, ''), (args, done)
        assert text in done.stderr, (args, done.stderr)
    for how in '--dot', '--svg':
        done = subprocess.run([ALINK, '-j', 'topo', how], capture_output=True,
                              text=True, timeout=60, check=False)
        doc = json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (2, ''), done
        assert doc['schema'] == 'alink.error' and \
            'without -j' in doc['error']['message'], doc


if __name__ == '__main__':
    main(*tests_of(globals()))
