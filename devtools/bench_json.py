# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
"""What "kpath-perf --json=FILE" has written, for the programs that show it."""

import json
import pathlib
import sys

# In place of all bare loops in a case: the best of them by the metric that is asked for
BEST_LOOP = 'best bare loop'

MORE_IS_BETTER = ('mpps', 'gbps')

# Who loses more packets than that, per thousand, is marked, and best at nothing, as in the program.
LOSSY = 10


def load(file):
    data = json.loads(pathlib.Path(file).read_text(encoding='utf-8'))
    if not data.get('complete', True):
        sys.exit(f'{file}: that run was ended before all was measured')
    return data


def find(data, test, wanted):
    """The first case of a test with these parameters: {path: metrics}, {} if there is none.

    A parameter that the file does not know is False."""
    for case in data['cases']:
        if case['test'] == test and all(case.get(key, False) == value
                                        for key, value in wanted.items()):
            return {path['path']: path['metrics'] for path in case['paths']}
    return {}


def is_better(metric, one, other):
    return one > other if metric in MORE_IS_BETTER else one < other


def is_lossy(metrics):
    return metrics.get('lost_permille', {'median': 0})['median'] > LOSSY


def figures(case, path, metric):
    """Median, low and high of a metric, None where it was not measured."""
    if path != BEST_LOOP:
        return case.get(path, {}).get(metric)
    best = None
    for name, metrics in case.items():
        if name.startswith('loop-') and metric in metrics and not is_lossy(metrics) and (
                best is None or is_better(metric, metrics[metric]['median'], best['median'])):
            best = metrics[metric]
    return best


def median(case, path, metric):
    found = figures(case, path, metric)
    return None if found is None else found['median']


def times_better(case, path, other, metric):
    """How many times better a path is than the other, None where one was not measured."""
    ours, theirs = median(case, path, metric), median(case, other, metric)
    if not ours or not theirs:
        return None
    return ours / theirs if metric in MORE_IS_BETTER else theirs / ours


def rst(label, caption, header, rows):
    """A table of a guide."""
    widths = [max(8, *(len(row[i]) for row in [header] + rows)) for i in range(len(header))]

    def rule(char):
        return '   +' + '+'.join(char * (width + 2) for width in widths) + '+'

    def line(cells):
        return '   |' + '|'.join(f' {text:{width}} ' for text, width in zip(cells, widths)) + '|'

    out = [f'.. _{label}:', '', f'.. table:: {caption}', '', rule('-'), line(header), rule('=')]
    for row in rows:
        out += [line(row), rule('-')]
    return '\n'.join(out) + '\n'


def find_table(lines, label):
    """Where it begins, and where it ends; None if there is none."""
    mark = f'.. _{label}:'
    if mark not in lines:
        return None
    start = lines.index(mark)
    end = start + 1
    while end < len(lines) and not lines[end].startswith(('   +', '.. _')):
        end += 1
    while end < len(lines) and lines[end].startswith(('   +', '   |')):
        end += 1
    return start, end


def update(tables, guide, write, command):
    """Compare tables, of which each is a label and lines, with those of a guide, or put them there.

    Returns what is wrong, a line for each table; command is what mends it."""
    file = pathlib.Path(guide)
    lines = file.read_text(encoding='utf-8').split('\n')
    wrong = []
    for label, table in tables:
        found = find_table(lines, label)
        if found is None:
            wrong.append(f'{guide}:1: there is no {label}')
            continue
        start, end = found
        if write:
            lines[start:end] = table
        elif lines[start:end] != table:
            wrong.append(f'{guide}:{start + 1}: {label} is of other figures: run {command}')
    if write and not wrong:
        file.write_text('\n'.join(lines), encoding='utf-8')
    return wrong
