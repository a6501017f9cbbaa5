#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
"""The plots and drawings of a page that "kpath-perf --report=DIR" has written.

report-plots.py PAGE DIRECTORY   write each <svg id="X"> as DIRECTORY/X.svg, on a white ground
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


if len(sys.argv) != 3:
    sys.exit(__doc__)
ET.register_namespace('', NAMESPACE)
directory = pathlib.Path(sys.argv[2])
directory.mkdir(parents=True, exist_ok=True)
for picture in ET.parse(sys.argv[1]).getroot().iter(SVG + 'svg'):
    take_out(picture, directory / (picture.get('id') + '.svg'))
