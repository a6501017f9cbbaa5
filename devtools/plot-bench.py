#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
"""Plots of what "kpath-perf --json=FILE" has written.

plot-bench.py FILE DIRECTORY   SVG files DIRECTORY/rtap_*.svg: bars of medians, with the middle
                               half of the rounds as a line. Of the bare loops, the best is shown.
"""

import html
import pathlib
import sys

from bench_json import BEST_LOOP, figures, find, load

COLOURS = {
    'rtap': '#c0392b', 'rtap-rw': '#e59866', 'rtap-napi': '#f5b7b1', 'rtap-sqpoll': '#7b241c',
    'net_tap': '#2e86c1', 'af_packet': '#85929e', 'af_xdp': '#34495e', 'veth': '#27ae60',
    BEST_LOOP: '#8e44ad',
}
SIZES = (64, 512, 1514, 9018)
BURSTS = (1, 4, 16, 32, 64, 256)

# file, title, unit, metric, test, what the groups of bars are: a name, and what picks the case
PLOTS = (
    ('tx_size', 'Into the kernel: frame size', 'ns per packet', 'ns', 'tx',
     [(f'{n} B', {'len': n, 'burst': 32, 'queues': 1, 'to': 'nobody', 'mbuf_room': 0})
      for n in SIZES]),
    ('tx_burst', 'Into the kernel: burst, 64 B', 'ns per packet', 'ns', 'tx',
     [(str(n), {'len': 64, 'burst': n, 'queues': 1, 'to': 'nobody'}) for n in BURSTS]),
    ('rx_size', 'Out of the kernel, CPU time of both sides: frame size', 'ns per packet', 'cpu_ns',
     'rx', [(f'{n} B', {'len': n, 'burst': 32, 'queues': 1, 'gso': False}) for n in SIZES]),
    ('rx_burst', 'Out of the kernel, CPU time of both sides: burst, 64 B', 'ns per packet',
     'cpu_ns', 'rx', [(str(n), {'len': 64, 'burst': n, 'queues': 1, 'gso': False})
                      for n in BURSTS]),
    ('tcp', 'TCP through two ports', 'Gb/s', 'gbps', 'tcp',
     [(f'{n} stream{"s"[:n > 1]}, offloads {offload}',
       {'streams': n, 'offload': offload})
      for offload in ('off', 'all') for n in (1, 8)]),
    ('rtt', 'There and back through two ports', 'us', 'p50_us', 'rtt', [('median', {})]),
)

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 300, 60, 64, 30


def short(value):
    """Three digits, without an exponent."""
    return f'{float(f"{value:.3g}"):.10g}'


def nice_top(value):
    """A round number above: the end of the axis."""
    step = 10 ** (len(str(int(value))) - 1)
    return next(m * step for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if m * step >= value)


def svg(title, unit, groups):
    """groups: [(name, {path: metric})]"""
    paths = [p for p in COLOURS if any(p in bars for _, bars in groups)]
    # Bars much longer than most others are cut off, and their number is written.
    values = sorted(m['median'] for _, bars in groups for m in bars.values())
    top = nice_top(min(values[-1], 2 * values[len(values) * 3 // 4]))
    plot_w, plot_h = WIDTH - LEFT - 10, HEIGHT - TOP - BOTTOM
    group_w = plot_w / len(groups)
    bar_w = min(40, group_w * 0.9 / len(paths))

    def y_of(value):
        return TOP + plot_h * (1 - min(value, top) / top)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="11">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="16" font-size="14">{html.escape(title)}</text>',
           f'<text x="4" y="{TOP - 8}">{html.escape(unit)}</text>']
    for i, path in enumerate(paths):
        x = LEFT + i * 76
        out += [f'<rect x="{x}" y="28" width="10" height="10" fill="{COLOURS[path]}"/>',
                f'<text x="{x + 13}" y="37">{path}</text>']
    for i in range(6):
        value = top * i / 5
        out += [f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y_of(value):.1f}" '
                f'y2="{y_of(value):.1f}" stroke="#ddd"/>',
                f'<text x="{LEFT - 5}" y="{y_of(value) + 4:.1f}" text-anchor="end">{value:g}'
                '</text>']
    for g, (name, bars) in enumerate(groups):
        centre = LEFT + (g + 0.5) * group_w
        out.append(f'<text x="{centre:.1f}" y="{HEIGHT - 10}" text-anchor="middle">'
                   f'{html.escape(name)}</text>')
        for i, path in enumerate(paths):
            if path not in bars:
                continue
            m = bars[path]
            x = centre + (i - len(paths) / 2) * bar_w
            y = y_of(m['median'])
            out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar_w * 0.9:.1f}" '
                       f'height="{TOP + plot_h - y:.1f}" fill="{COLOURS[path]}"/>')
            mid = x + bar_w * 0.45
            if m['median'] > top:
                out.append(f'<text x="{mid:.1f}" y="{TOP - 2}" text-anchor="middle" '
                           f'font-size="9">{short(m["median"])}</text>')
            else:
                out.append(f'<line x1="{mid:.1f}" x2="{mid:.1f}" y1="{y_of(m["low"]):.1f}" '
                           f'y2="{y_of(m["high"]):.1f}" stroke="black"/>')
    out.append('</svg>')
    return '\n'.join(out) + '\n'


def plot(data, directory):
    directory.mkdir(parents=True, exist_ok=True)
    for name, title, unit, metric, test, cases in PLOTS:
        groups = []
        for label, wanted in cases:
            case = find(data, test, wanted)
            bars = {path: figures(case, path, metric) for path in COLOURS}
            bars = {path: bar for path, bar in bars.items() if bar is not None}
            if bars:
                groups.append((label, bars))
        if groups:
            (directory / f'rtap_{name}.svg').write_text(svg(title, unit, groups))


if len(sys.argv) != 3:
    sys.exit(__doc__)
plot(load(sys.argv[1]), pathlib.Path(sys.argv[2]))
