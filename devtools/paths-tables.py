#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
"""The tables of kpath-perf's guide, from what "make record" has written into a directory.

paths-tables.py DIRECTORY                     the tables
paths-tables.py DIRECTORY GUIDE.rst           check that the guide has these tables: one that
                                              differs is named, and the exit status is 1
paths-tables.py --write DIRECTORY GUIDE.rst   put them into the guide, in place of those it has
"""

import pathlib
import sys

from bench_json import figures, find, is_lossy, load, rst, times_better, update

COMMAND = 'devtools/paths-tables.py --write doc/performance doc/guides/tools/kpath-perf.rst'
PATHS = ('rtap', 'net_tap', 'virtio_user', 'af_packet', 'af_xdp', 'pcap', 'veth')
KERNEL = 'veth'
# As the program marks it: a middle half that is wider than that part of the median
WIDE = 0.15


def tcp_rows(streams, direction, offload):
    """Throughput, and what one stream costs."""
    name = f"TCP, {streams} stream{'s' if streams > 1 else ''} {direction}, {offload}"
    case = {'streams': streams, 'direction': direction, 'offload': offload}
    yield name, 'tcp', case, 'gbps', 'Gb/s', 2, True
    if streams == 1 and direction == 'up':
        yield '', 'tcp', case, 'cpu_s_per_gb', 'CPU s/GB', 2, False


# What is measured: name, test, case, metric, unit, digits, whether ratios are of it
ROWS = (
    ('64 B into the kernel', 'tx', {'len': 64}, 'ns', 'ns', 0, True),
    ('', 'tx', {'len': 64}, 'cpu_ns', 'CPU ns', 0, False),
    ('', 'tx', {'len': 64}, 'syscalls', 'calls', 3, False),
    ('512 B into the kernel', 'tx', {'len': 512}, 'ns', 'ns', 0, False),
    ('1514 B into the kernel', 'tx', {'len': 1514}, 'ns', 'ns', 0, True),
    ('9018 B into the kernel', 'tx', {'len': 9018}, 'ns', 'ns', 0, True),
    ('64 B out of the kernel', 'rx', {'len': 64}, 'ns', 'ns', 0, False),
    ('', 'rx', {'len': 64}, 'cpu_ns', 'CPU ns', 0, True),
    ('', 'rx', {'len': 64}, 'syscalls', 'calls', 3, False),
    ('512 B out of the kernel', 'rx', {'len': 512}, 'cpu_ns', 'CPU ns', 0, False),
    ('1514 B out of the kernel', 'rx', {'len': 1514}, 'cpu_ns', 'CPU ns', 0, True),
    ('9018 B out of the kernel', 'rx', {'len': 9018}, 'cpu_ns', 'CPU ns', 0, True),
    ('64 B out, under load', 'load', {'len': 64}, 'mpps', 'Mpps', 3, True),
    ('1514 B out, under load', 'load', {'len': 1514}, 'mpps', 'Mpps', 3, True),
    ('poll of an idle queue', 'idle', {}, 'ns', 'ns', 0, True),
    ('', 'idle', {}, 'syscalls', 'calls', 3, False),
    ('sleeping application', 'idle', {}, 'sleep_cpu_percent', 'CPU %', 2, False),
    ('wake-up', 'wake', {}, 'p50_us', 'us', 0, True),
    ('wake-up, 99 %', 'wake', {}, 'p99_us', 'us', 0, False),
    ('there and back', 'rtt', {}, 'p50_us', 'us', 0, True),
    ('there and back, 99 %', 'rtt', {}, 'p99_us', 'us', 0, False),
    ('there and back, 99.9 %', 'rtt', {}, 'p999_us', 'us', 0, False),
    *(row for streams in (1, 4) for direction in ('up', 'down', 'both')
      for offload in ('off', 'csum', 'all') for row in tcp_rows(streams, direction, offload)),
    ('under load, there and back', 'rrul', {}, 'p50_us', 'us', 0, True),
    ('under load, 99 %', 'rrul', {}, 'p99_us', 'us', 0, False),
    ('added by the load', 'rrul', {}, 'added_us', 'us', 0, False),
    ('throughput of the load', 'rrul', {}, 'gbps', 'Gb/s', 2, True),
    ('fairness', 'rrul', {}, 'jain', 'index', 3, False),
)

FEATURES = (
    ('calls into the kernel', 'tx_calls'),
    ('calls out of the kernel', 'rx_calls'),
    ('made of', 'made_of'),
    ('threads of the kernel', 'threads'),
    ('checksums left to the kernel', 'csum_in'),
    ('checksums left to DPDK', 'csum_out'),
    ('TSO', 'tso'),
    ('LRO', 'lro'),
    ('time stamps', 'timestamps'),
    ('wakes a sleeper', 'wakes'),
)


def running(data):
    known = {path['name']: path['runs'] for path in data['paths']}
    return [path for path in PATHS if known.get(path)]


def cell(case, path, metric, digits):
    figure = figures(case, path, metric)
    if figure is None:
        return '-'
    wide = figure['high'] - figure['low'] > WIDE * abs(figure['median'])
    marks = ('!' if wide else '') + ('L' if is_lossy(case[path]) else '')
    return f"{figure['median']:.{digits}f}{marks}"


def results(data):
    paths, rows, last = running(data), [], ''
    for name, test, wanted, metric, unit, digits, _ in ROWS:
        case = find(data, test, wanted)
        cells = [cell(case, path, metric, digits) for path in paths]
        last = name or last
        if any(text != '-' for text in cells):
            rows.append([f'{last}, {unit}'] + cells)
    return ['Medians'] + paths, rows


def ratios(data, yardstick):
    measured = {path['path'] for case in data['cases'] for path in case['paths']}
    paths = [path for path in running(data) if path in measured and path != yardstick]
    rows = []
    for name, test, wanted, metric, unit, _, of_it in ROWS:
        case = find(data, test, wanted)
        if not of_it or figures(case, yardstick, metric) is None:
            continue
        times = [times_better(case, path, yardstick, metric) for path in paths]
        label = next(row[0] for row in ROWS if row[0] and row[1:3] == (test, wanted)) \
            if name == '' else name
        rows.append([f'{label}, {unit}'] +
                    ['-' if value is None else f'{value:.2f}' for value in times])
    return [f'Times better than {yardstick}'] + paths, rows


def other_rounds(data):
    """Of tests that have rounds of their own; latency under load is described apart."""
    found = {case['test']: (case['rounds'], case['ms']) for case in data['cases']}
    return ''.join(f', {test}: {rounds} of {ms} ms' for test, (rounds, ms) in found.items()
                   if test != 'rrul' and (rounds, ms) != (data['rounds'], data['ms']))


def machine(data):
    m = data['machine']
    rows = [
        ['CPU', f"{m['model']}, {m['cpus']} CPUs, {m['cores']} cores"],
        ['Memory', f"{m['memory']}, DPDK's in pages of {m['pages']}"],
        ['Linux', m['kernel']],
        ['DPDK, liburing', f"{m['dpdk']}, {m['liburing']}"],
        ['Rounds', f"{data['rounds']} of {data['ms']} ms{other_rounds(data)}, latency under load: " +
         next((f"{case['rounds']}, of which each has {20 * case['ms'] / 1000:g} s of load"
               for case in data['cases'] if case['test'] == 'rrul'), 'none')],
    ]
    for path in data['paths']:
        if path['name'] in PATHS and not path['runs']:
            rows.append([path['name'], f"not measured: {path['why']}"])
    return ['Machine', ''], rows


def features(data, guest):
    """Of what this machine lacks, as the emulated one sees it."""
    seen = {path['path']: path for part in (guest, data) for path in part['features']
            if 'why' not in path}
    paths = [seen[path] for path in PATHS if path in seen]
    return ([''] + [path['path'] for path in paths],
            [[name] + [path[key] for path in paths] for name, key in FEATURES])


# Of each table: label, caption, the files that it is made of, and how
GUIDE = (
    ('table_kpath_machine', 'Where this was measured', ('paths',), machine),
    ('table_kpath_features', 'What each path does, as seen by --features',
     ('features', 'guest-features'), features),
    ('table_kpath_results',
     'What was measured; !: the rounds differ much, L: more than 1 % of packets were lost',
     ('paths',), results),
    ('table_kpath_ratios', 'How many times better than net_tap', ('paths',),
     lambda data: ratios(data, 'net_tap')),
    ('table_kpath_kernel', 'How many times better than the kernel alone', ('paths',),
     lambda data: ratios(data, KERNEL)),
    ('table_kpath_guest', 'The same in an emulated machine: how many times better than net_tap',
     ('guest',), lambda data: ratios(data, 'net_tap')),
)


def tables(directory):
    """Of each that there are data for: the label, and the lines."""
    for label, caption, names, make in GUIDE:
        files = [directory / f'{name}.json' for name in names]
        if not all(file.exists() for file in files):
            continue
        data = [load(file) for file in files]
        yield label, rst(label, caption, *make(*data)).rstrip('\n').split('\n')


def main(args):
    write = args[:1] == ['--write']
    names = args[write:]
    if len(names) not in ((2,) if write else (1, 2)) or names[0].startswith('-'):
        sys.exit(__doc__)
    directory = pathlib.Path(names[0])
    if len(names) == 1:
        print('\n\n'.join('\n'.join(table) for _, table in tables(directory)))
        return 0
    wrong = update(tables(directory), names[1], write, COMMAND)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main(sys.argv[1:]))
