#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
"""Whether the page that "kpath-perf --report" writes is what it should be.

report.py --page PAGE JSON   a page, and the results of the same run
report.py PROGRAM            the page of results that are made up: test/unit/report.c
"""

import html.parser
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

XHTML, SVG = '{http://www.w3.org/1999/xhtml}', '{http://www.w3.org/2000/svg}'
PLOTS = pathlib.Path(__file__).resolve().parents[2] / 'devtools' / 'report-plots.py'


def text_of(element):
    return ''.join(element.itertext())


def has_class(element, name):
    return name in element.get('class', '').split()


class Tags(html.parser.HTMLParser):
    """As a browser reads it: every tag that is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())


def check_alone(text, root):
    """Nothing is fetched from anywhere, and nothing runs."""
    rest = text.replace('"http://www.w3.org/1999/xhtml"', '').replace(
        '"http://www.w3.org/2000/svg"', '')
    assert not re.search(r'https?:|//www|url\(|@import', rest), 'the page refers to another'
    for element in root.iter():
        assert element.tag not in (XHTML + 'script', XHTML + 'link', XHTML + 'img'), element.tag
        assert not element.get('src'), element.attrib
        assert not any(name.startswith('on') for name in element.attrib), element.attrib
    ids = [element.get('id') for element in root.iter() if element.get('id')]
    assert len(set(ids)) == len(ids), ('ids are not unique', sorted(ids))
    for a in root.iter(XHTML + 'a'):
        assert a.get('href')[0] == '#' and a.get('href')[1:] in ids, a.attrib


def check_number(data, value):
    """More digits for programs, and as many of them as are shown."""
    shown, exact = text_of(data), data.get('value')
    assert exact == f'{value:.5g}', (exact, value)
    half = 0.5 * 10 ** -len(shown.partition('.')[2])
    assert abs(float(shown) - value) <= half * 1.001 + abs(value) * 6e-5, (shown, value)


def check_table(table, case):
    """A row for each path, with the figures of the JSON or the reason."""
    metrics = [th.get('data-metric') for th in table.iter(XHTML + 'th') if th.get('data-metric')]
    rows = table.find(XHTML + 'tbody').findall(XHTML + 'tr')
    assert len(rows) == len(case['paths']), (len(rows), case)
    for row, path in zip(rows, case['paths']):
        cells = row.findall(XHTML + 'td')
        assert text_of(row[0]) == path['path'], (text_of(row[0]), path)
        if not path['metrics']:
            assert cells[0].text == path.get('why', 'nothing arrived'), text_of(cells[0])
            continue
        assert set(path['metrics']) <= set(metrics), (metrics, path)
        for name, cell in zip(metrics, cells):
            found = path['metrics'].get(name)
            numbers = cell.findall('.//' + XHTML + 'data')
            if found is None:
                assert not numbers, (name, text_of(cell))
                continue
            check_number(numbers[0], found['median'])
            assert len(numbers) == (3 if found['low'] < found['high'] else 1), text_of(cell)
            missing = found['rounds'] < path['rounds']
            words = f"{found['rounds']} of {path['rounds']} rounds"
            assert (words in text_of(cell)) == missing, (text_of(cell), found)
            if len(numbers) > 1:
                check_number(numbers[1], found['low'])
                check_number(numbers[2], found['high'])
        rest = cells[len(metrics):]
        assert len(row) == len(table.find(f'{XHTML}thead/{XHTML}tr')), text_of(row)
        first = path['metrics'].get(case['primary'])
        assert text_of(rest[0]) == str(first['rounds'] if first else 0), text_of(rest[0])
        check_spread(rest[1], first)
        assert text_of(rest[-1]) == (path['saturated'] or '\u2013'), text_of(rest[-1])


def spread_of(found):
    """The part of the median that the middle half is wide"""
    if not found or not found['median']:
        return 0
    return (found['high'] - found['low']) / abs(found['median'])


def check_spread(cell, found):
    """In per cent, and marked if it is wide; of one round there is none"""
    spread = spread_of(found)
    marks = len(cell.findall('.//' + XHTML + 'mark'))
    # The JSON has five digits: what is that near to the limit may be either.
    assert abs(spread - 0.15) < 1e-3 or marks == (spread > 0.15), (text_of(cell), found)
    words = re.search('([0-9]+) %', text_of(cell))
    if not found or not found['median'] or found['rounds'] == 1:
        assert not words, text_of(cell)
    else:
        assert abs(int(words[1]) - 100 * spread) <= 0.6 + abs(spread) / 10, (words[1], found)


def check_ratios(table, case):
    """Of the medians of the primary metric, to net_tap and to the kernel alone"""
    less = case['primary'] not in ('mpps', 'gbps')
    medians = {path['path']: path['metrics'].get(case['primary'], {}).get('median')
               for path in case['paths']}
    heads = [text_of(th) for th in table.find(f'{XHTML}thead/{XHTML}tr')]
    for head, path in (('\u00d7 net_tap', 'net_tap'), ('\u00d7 kernel', 'veth')):
        assert (head in heads) == (path in medians), (heads, list(medians))
        if head not in heads:
            continue
        for row in table.find(XHTML + 'tbody'):
            ours, theirs = medians[text_of(row[0])], medians[path]
            if len(row) < len(heads) or not ours or not theirs:
                continue
            ratio = theirs / ours if less else ours / theirs
            data = row[heads.index(head)].find(XHTML + 'data')
            assert abs(float(data.get('value')) / ratio - 1) < 2e-4, (text_of(row), ratio)


def picture_id(*words):
    return '-'.join(re.sub('[^A-Za-z0-9]', '-', word) for word in words)


def check_plot(svg, cases, metric):
    """A bar or a reason for each path of each case, and a mark at each that is wide"""
    cases = [case for case in cases if any(metric in path['metrics'] for path in case['paths'])]
    words = [text_of(element) for element in svg.iter(SVG + 'text')]
    bars = wide = lossy = 0
    for path in (path for case in cases for path in case['paths']):
        found = path['metrics'].get(metric)
        bars += found is not None
        wide += spread_of(found) > 0.15
        lossy += found is not None and is_lossy(path)
        assert any(word.rstrip('\u2026') == path['path'][:16] for word in words), (path, words)
        if not found and 'why' in path:
            assert any(path['why'].startswith(word.rstrip('\u2026')) for word in words), path
    assert cases, svg.get('id')
    rects = list(svg.iter(SVG + 'rect'))
    marks = [text for text in svg.iter(SVG + 'text') if has_class(text, 'wide')]
    assert len(rects) == bars, (svg.get('id'), len(rects), bars)
    assert len(marks) == wide, (svg.get('id'), len(marks), wide)
    marks = [text for text in svg.iter(SVG + 'text') if has_class(text, 'lossy')]
    assert len(marks) == lossy, (svg.get('id'), len(marks), lossy)
    for rect in rects:
        assert 0 <= float(rect.get('width')) <= 480, rect.attrib


def check_svgs(root, data):
    """A plot of each test, a drawing of each path, and what can be said of any picture"""
    svgs = {svg.get('id'): svg for svg in root.iter(SVG + 'svg')}
    for name, svg in svgs.items():
        assert svg[0].tag == SVG + 'title' and text_of(svg[0]), ('no title', name)
        assert svg.get('role') == 'img', name
    for case in data['cases']:
        metrics = {name for path in case['paths'] for name in path['metrics']}
        cases = [other for other in data['cases'] if other['test'] == case['test']]
        for metric in metrics:
            name = picture_id('plot', case['test'], metric)
            assert name in svgs or metric != case['primary'], (name, sorted(svgs))
            if name in svgs:
                check_plot(svgs[name], cases, metric)
        for path in case['paths']:
            name = picture_id('topology', path['path'])
            assert name in svgs, (name, sorted(svgs))
    return svgs


def is_lossy(path):
    return path['metrics'].get('lost_permille', {'median': 0})['median'] > 10


def check_loss(cell, path):
    """Marked, and in per cent, if it is more than 1 %"""
    small = [s for s in cell.findall(XHTML + 'small') if has_class(s, 'lossy')]
    assert len(small) == is_lossy(path), (text_of(cell), path)
    if small:
        check_number(small[0].find(XHTML + 'data'), path['metrics']['lost_permille']['median'] / 10)


def check_short(root, data):
    """The figures of the plots in one table: a row for each case"""
    table = next(t for t in root.iter(XHTML + 'table') if has_class(t, 'short'))
    names = [text_of(th) for th in table.find(f'{XHTML}thead/{XHTML}tr')][1:]
    rows = table.find(XHTML + 'tbody').findall(XHTML + 'tr')
    assert len(rows) == len(data['cases']), len(rows)
    for row, case in zip(rows, data['cases']):
        cells = dict(zip(names, row.findall(XHTML + 'td')))
        for path in case['paths']:
            cell, found = cells[path['path']], path['metrics'].get(case['primary'])
            if found is None:
                assert text_of(cell) == '\u2013', text_of(cell)
            else:
                check_number(cell[0], found['median'])
                check_spread(cell.find(XHTML + 'small'), found)
                check_loss(cell, path)
                assert path['saturated'] is None or f"{path['saturated']} saturated" in \
                    text_of(cell), text_of(cell)
            # Who loses much is never set off as the best.
            assert not (has_class(cell, 'best') and is_lossy(path)), text_of(cell)
        best = [name for name, cell in cells.items() if has_class(cell, 'best')]
        able = [path['path'] for path in case['paths'] if case['primary'] in path['metrics'] and
                path['path'] != 'veth' and not path['path'].startswith('loop-') and
                not is_lossy(path)]
        assert len(best) == bool(able) and set(best) <= set(able), (best, able)


def check_taken_out(page, svgs):
    """Each picture, as documentation takes it, stands alone."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name) / 'pictures'
        subprocess.run([sys.executable, PLOTS, page, directory], check=True)
        files = {file.stem: file for file in directory.iterdir()}
        assert set(files) == set(svgs), (sorted(files), sorted(svgs))
        for file in files.values():
            text = file.read_text(encoding='utf-8')
            root = ET.fromstring(text)
            assert root.tag == SVG + 'svg' and root.get('color') and root.get('width'), root.attrib
            assert root.find(SVG + 'rect').get('fill') == '#fff', 'no ground'
            assert 'var(' not in text and '<ns' not in text, file


def check_page(page, results):
    text = pathlib.Path(page).read_text(encoding='utf-8')
    data = json.loads(pathlib.Path(results).read_bytes().decode(errors='replace'))
    root = ET.fromstring(text)
    tags = Tags()
    tags.feed(text)
    assert not tags.open, tags.open
    check_alone(text, root)
    everything = text_of(root)
    for word in ('kernel', 'dpdk', 'liburing', 'memory', 'pages'):
        assert data['machine'][word] in everything, (word, data['machine'][word])
    tables = [t for t in root.iter(XHTML + 'table') if has_class(t, 'figures')]
    # Tests together, in the order of their first cases
    order = list(dict.fromkeys(case['test'] for case in data['cases']))
    ordered = sorted(data['cases'], key=lambda case: order.index(case['test']))
    assert len(tables) == len(ordered), len(tables)
    for table, case in zip(tables, ordered):
        check_table(table, case)
        check_ratios(table, case)
    check_short(root, data)
    svgs = check_svgs(root, data)
    check_taken_out(page, svgs)
    return root, svgs


def points(line):
    return [tuple(map(float, point)) for point in
            re.findall(r'[ML](-?[\d.]+) (-?[\d.]+)', line.get('d'))]


def check_made_up(root, svgs):
    everything = text_of(root)
    assert 'CPU <&> ? \u00e9 "9"' in everything, 'the name of the CPU'
    assert "build/kpath-perf '--report=it'\\''s <here>' '--only=64 B' ''" in everything
    assert 'but nowhere else' in everything and everything.count('how & when') == 1
    assert 'which are not seen here' in everything, 'CPU times of the kernel are missing'
    plot = svgs['plot-tx-mpps']
    assert 'axes differ' in text_of(plot)
    cut = [g for g in plot.iter(SVG + 'g') if has_class(g, 'cut')]
    assert len(cut) == 2, len(cut)
    assert len([p for p in plot.iter(SVG + 'path') if has_class(p, 'whisker')]) == 4
    assert 'plot-tx-p999-us' not in svgs and 'plot-tx-lost-permille' in svgs, sorted(svgs)
    assert 'plot-tcp-cpu-s-per-gb' in svgs, sorted(svgs)

    times = sorted(name for name in svgs if name.startswith('time-'))
    assert times == sorted(f'time-tcp-1-{path}-{unit}' for path in ('rtap', 'net-tap', 'veth')
                           for unit in ('Mb-s', 'ms')), times
    for name in times:
        svg = svgs[name]
        load = [r for r in svg.iter(SVG + 'rect') if has_class(r, 'load')]
        assert len(load) == 1, name
        start, end = float(load[0].get('x')), float(load[0].get('x')) + float(load[0].get('width'))
        lines = [p for p in svg.iter(SVG + 'path') if has_class(p, 'line')]
        looks = {(line.get('stroke'), line.get('stroke-dasharray')) for line in lines}
        assert len(looks) == len(lines) == (2 if name.endswith('ms') else 8), (name, looks)
        if name.endswith('Mb-s'):
            assert all(start <= x <= end for line in lines for x, y in points(line)), name
            assert all(len(points(line)) == 40 for line in lines), name
        for line in lines:
            assert all(58 <= y <= 228.1 for _, y in points(line)), (name, points(line))
    latency = svgs['time-tcp-1-rtap-ms']
    gaps = [line.get('d').count('M') for line in latency.iter(SVG + 'path')
            if has_class(line, 'line')]
    assert gaps == [2, 1], gaps
    assert any(has_class(t, 'cut') for t in latency.iter(SVG + 'text')), 'cut, but not marked'
    # The same axes for all: net_tap's is two thirds as high, of the round that is typical.
    tops = {path: min(y for line in svgs[f'time-tcp-1-{path}-Mb-s'].iter(SVG + 'path')
                      if has_class(line, 'line') for _, y in points(line))
            for path in ('rtap', 'net-tap')}
    assert abs((228 - tops['net-tap']) / (228 - tops['rtap']) - 2 / 3) < 0.01, tops

    boxes = {name: text_of(svg) for name, svg in svgs.items() if name.startswith('topology-')}
    assert boxes['topology-rtap'].count('TAP') == 3 and 'veth' not in boxes['topology-rtap']
    assert boxes['topology-af-xdp'].count('veth end') == 6, boxes['topology-af-xdp']
    assert boxes['topology-veth'].count('veth end') == 2 and 'port' in boxes['topology-veth']
    assert 'vhost-net' in boxes['topology-virtio-user']


def check_program(program):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        page, results = directory / 'new' / 'index.html', directory / 'json'
        subprocess.run([program, page.parent, results], check=True)
        check_made_up(*check_page(page, results))
        # What is there is replaced.
        page.write_text('x' * 10 ** 7, encoding='utf-8')
        subprocess.run([program, page.parent], check=True)
        check_page(page, results)
        # Of a run that was ended, there is what was measured, and that it is not all.
        root, _ = check_page(page, results)
        assert 'INCOMPLETE' not in text_of(root)
        assert json.loads(results.read_bytes().decode(errors='replace'))['complete'] is True
        results.chmod(0o640)
        subprocess.run([program, page.parent, results, 'incomplete'], check=True)
        root, _ = check_page(page, results)
        assert 'INCOMPLETE: it was ended after 4 of 5 cases' in text_of(root)
        assert json.loads(results.read_bytes().decode(errors='replace'))['complete'] is False
        # It has taken the place of the other, and nothing else is left; a link stays one.
        assert results.stat().st_mode & 0o777 == 0o640, results.stat()
        assert sorted(file.name for file in directory.iterdir()) == ['json', 'new']
        link = directory / 'link'
        link.symlink_to('json')
        subprocess.run([program, page.parent, link], check=True)
        assert link.is_symlink()
        assert json.loads(results.read_bytes().decode(errors='replace'))['complete'] is True
        # Standard output is not written over.
        with open(directory / 'out', 'w', encoding='utf-8') as out:
            subprocess.run(['sh', '-c', 'echo before; "$@"; echo behind', '-', program,
                            page.parent, '/dev/stdout'], stdout=out, check=True)
        words = (directory / 'out').read_bytes()
        assert words.startswith(b'before\n{"') and words.endswith(b']}\nbehind\n'), words[:80]
        # What cannot be written has a reason.
        page.unlink()
        page.symlink_to('/dev/full')
        for where, why in ((page.parent, 'No space left'), (results, 'Not a directory'),
                           (directory / 'a' / 'b', 'No such file')):
            done = subprocess.run([program, where], capture_output=True, text=True, check=False)
            assert done.returncode == 1 and str(where) in done.stderr and why in done.stderr, done


if len(sys.argv) == 4 and sys.argv[1] == '--page':
    check_page(sys.argv[2], sys.argv[3])
elif len(sys.argv) == 2:
    check_program(sys.argv[1])
else:
    sys.exit(__doc__)
