#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
"""The plots and drawings of a page that "kpath-perf --report=DIR" has written.

report-plots.py PAGE DIRECTORY              write each <svg id="X"> as DIRECTORY/X.svg, on a
                                            white ground
report-plots.py PAGE DIRECTORY X=NAME...    only these, as DIRECTORY/NAME.svg
"""

import pathlib
import sys
import xml.etree.ElementTree as ET

NAMESPACE = 'http://www.w3.org/2000/svg'
MARGIN = 8
SVG = f'{{{NAMESPACE}}}'


def take_out(svg, file):
    left, top, width, height = map(int, svg.get('viewBox').split())
    sides = {'width': str(width + 2 * MARGIN), 'height': str(height + 2 * MARGIN)}
    corner = {'x': str(left - MARGIN), 'y': str(top - MARGIN)}
    svg.set('viewBox', ' '.join((*corner.values(), *sides.values())))
    svg.set('color', '#1c2126')
    for name, value in sides.items():
        svg.set(name, value)
    # Behind the title, and below all else
    svg.insert(1, ET.Element(SVG + 'rect', fill='#fff', **corner, **sides))
    svg.tail = '\n'
    file.write_text(ET.tostring(svg, encoding='unicode'), encoding='utf-8')


def main(args):
    if len(args) < 2 or not all('=' in word for word in args[2:]):
        sys.exit(__doc__)
    ET.register_namespace('', NAMESPACE)
    directory = pathlib.Path(args[1])
    pictures = {svg.get('id'): svg for svg in ET.parse(args[0]).getroot().iter(SVG + 'svg')}
    names = dict(word.split('=', 1) for word in args[2:]) or {name: name for name in pictures}
    missing = [name for name in names if name not in pictures]
    if missing:
        sys.exit(f'{args[0]} has no {", ".join(missing)}; it has {", ".join(pictures)}')
    directory.mkdir(parents=True, exist_ok=True)
    for picture, name in names.items():
        take_out(pictures[picture], directory / f'{name}.svg')


main(sys.argv[1:])
