#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
"""The tables of the documentation, from what "kpath-perf --json=FILE" has written.

bench-tables.py FILE                        the README's table, the guide's, and figures in the
                                            guide's text
bench-tables.py --readme FILE               the README's table only
bench-tables.py FILE README GUIDE           check that these have such tables: one that differs is
                                            named, and the exit status is 1
bench-tables.py --write FILE README GUIDE   put them there, in place of those they have
"""

import pathlib
import sys

from bench_json import BEST_LOOP, find, load, median, rst, times_better, update

COMMAND = 'devtools/bench-tables.py --write doc/performance/kpath-perf.json ' \
    'README.md doc/guides/nics/rtap.rst'

TX64 = {'len': 64, 'burst': 32, 'queues': 1, 'to': 'nobody'}
RX64 = {'len': 64, 'burst': 32, 'queues': 1, 'gso': False}
LRO = {'len': 65000, 'burst': 32, 'gso': True, 'external': False}

# Ratios: name, test, case, metric, whether the README has it
RATIOS = (
    ('64 B into the kernel', 'tx', TX64, 'ns', True),
    ('1514 B into the kernel', 'tx', {**TX64, 'len': 1514}, 'ns', False),
    ('64 B to another host', 'tx', {**TX64, 'to': 'other'}, 'ns', False),
    ('64 B to a UDP socket', 'tx', {**TX64, 'to': 'socket'}, 'ns', False),
    ('64 B to a closed port', 'tx', {**TX64, 'to': 'closed'}, 'ns', False),
    ('64 B into, 2 queues', 'tx', {**TX64, 'queues': 2, 'to': 'other'}, 'mpps', False),
    ('64 B out, CPU time', 'rx', RX64, 'cpu_ns', True),
    ('1514 B out, CPU time', 'rx', {**RX64, 'len': 1514}, 'cpu_ns', False),
    ('64 B out, 2 queues', 'rx', {**RX64, 'queues': 2}, 'mpps', False),
    ('64 B out, under load', 'load', {'len': 64}, 'mpps', False),
    ('there and back, median', 'rtt', {}, 'p50_us', True),
    ('wake-up, median', 'wake', {}, 'p50_us', False),
    ('TCP, offloads off', 'tcp', {'streams': 1, 'offload': 'off'}, 'gbps', True),
    ('TCP, offloads all', 'tcp', {'streams': 1, 'offload': 'all'}, 'gbps', True),
    ('TCP, 8 streams, off', 'tcp', {'streams': 8, 'offload': 'off'}, 'gbps', False),
    ('TCP, 8 streams, all', 'tcp', {'streams': 8, 'offload': 'all'}, 'gbps', True),
)
PEERS = (('net_tap', 'net_tap'), ('af_packet', 'af_packet'), ('af_xdp', 'af_xdp'),
         ('kernel alone', 'veth'), ('best bare loop', BEST_LOOP))
NO_README = ('no table for the README: it needs rtap in one case with any of '
             + ', '.join(path for _, path in PEERS))

# What was tried with bare loops: name, test, case, with it, without it, outcome
TX_TRIAL, RX_TRIAL = ('tx', TX64), ('rx', RX64)
TRIALS = (
    ('Registered file', *TX_TRIAL, 'loop-file', 'loop-uring', 'used'),
    ('Registered buffers, Tx', *TX_TRIAL, 'loop-buf', 'loop-file', 'not used: see below'),
    ('Registered buffers, Rx', *RX_TRIAL, 'loop-buf', 'loop-file', 'used'),
    ('SQPOLL, Tx', *TX_TRIAL, 'loop-sqpoll', 'loop-file',
     'on request: a second CPU works for it'),
    ('Registered ring', *TX_TRIAL, 'loop-ringfd', 'loop-file', 'not used'),
    ('No completion for success', *TX_TRIAL, 'loop-skip', 'loop-file', 'not used'),
    ('Hint of linear length, 9018 B', 'tx', {**TX64, 'len': 9018}, 'loop-hdrlen', 'loop-file',
     'not used'),
    ('Send buffer of 1 MiB', *TX_TRIAL, 'loop-sndbuf', 'loop-file',
     'on request, and with NAPI'),
    ('Steering program, 2 queues', 'tx', {'len': 64, 'burst': 32, 'queues': 2}, 'loop-steer',
     'loop-file', 'not used: see below'),
    ('Linked reads', *RX_TRIAL, 'loop-link', 'loop-file',
     'not used: each short read ends a chain'),
    ('Multishot reads', *RX_TRIAL, 'loop-multi', 'loop-file', 'not used'),
)

# Modes of the driver, compared with its default: name, test, case, metric
MODES = ('rtap-rw', 'rtap-napi', 'rtap-sqpoll', 'rtap-sqpoll-queue', 'rtap-sqpoll-sndbuf')
MODE_ROWS = (
    ('64 B into the kernel', 'tx', TX64, 'ns'),
    ('64 B into the kernel, CPU time', 'tx', TX64, 'cpu_ns'),
    ('64 B to a UDP socket', 'tx', {**TX64, 'to': 'socket'}, 'ns'),
    ('64 B out', 'rx', RX64, 'ns'),
    ('64 B out, CPU time', 'rx', RX64, 'cpu_ns'),
    ('there and back, median', 'rtt', {}, 'p50_us'),
    ('TCP, offloads off', 'tcp', {'streams': 1, 'offload': 'off'}, 'gbps'),
    ('TCP, offloads off, CPU time', 'tcp', {'streams': 1, 'offload': 'off'}, 'cpu_s_per_gb'),
    ('TCP, offloads all', 'tcp', {'streams': 1, 'offload': 'all'}, 'gbps'),
    ('TCP, offloads all, CPU time', 'tcp', {'streams': 1, 'offload': 'all'}, 'cpu_s_per_gb'),
)

LATENCY_PATHS = ('rtap', *MODES, 'net_tap', 'af_packet', 'af_xdp', 'veth', 'loop-rw', 'loop-file')

BUFFERS = (
    ('segments of 2 KiB', {**LRO, 'mbuf_room': 0}),
    ('segments of 9 KiB', {**LRO, 'mbuf_room': 9216}),
    ('one large mbuf', {**LRO, 'mbuf_room': 65280}),
    ('external buffers', {**LRO, 'mbuf_room': 65280, 'external': True}),
)


def cell(value, digits=2):
    if value is None:
        return '-'
    return f'{value:.{digits if digits != 2 or value >= 0.1 else 3}f}'


def ratios(data, readme):
    rows = []
    for name, test, wanted, metric, in_readme in RATIOS:
        case = find(data, test, wanted)
        values = [times_better(case, 'rtap', path, metric) for _, path in PEERS]
        if any(value is not None for value in values) and (in_readme or not readme):
            rows.append([name] + [cell(value) for value in values])
    return [''] + [name for name, _ in PEERS], rows


def trials(data):
    rows = []
    for name, test, wanted, path, base, outcome in TRIALS:
        case = find(data, test, wanted)
        ns, without = median(case, path, 'ns'), median(case, base, 'ns')
        if ns is not None and without is not None:
            rows.append([name, f'{ns:.0f} ns, {without:.0f} without', outcome])
    return ['What', 'Time of a packet', 'Outcome'], rows


def modes(data):
    rows, offered = [], [mode for mode in MODES if any(
        median(find(data, test, wanted), mode, metric) is not None
        for _, test, wanted, metric in MODE_ROWS)]
    for name, test, wanted, metric in MODE_ROWS:
        case = find(data, test, wanted)
        rows.append([name] + [cell(times_better(case, mode, 'rtap', metric))
                              for mode in offered])
    return [''] + offered, rows


def latency(data):
    rows = []
    for name, test in (('there and back', 'rtt'), ('wake-up', 'wake')):
        case = find(data, test, {})
        for path in LATENCY_PATHS:
            times = [median(case, path, metric) for metric in ('p50_us', 'p99_us', 'p999_us')]
            if times[0] is not None:
                rows.append([f'{name}, {path}'] + [cell(time, 0) for time in times])
    return ['us', '50 %', '99 %', '99.9 %'], rows


def buffers(data):
    rows = []
    for name, wanted in BUFFERS:
        case = find(data, 'rx', wanted)
        values = [median(case, 'rtap', metric) for metric in ('ns', 'cpu_ns', 'gbps')]
        if values[0] is not None:
            rows.append([name, cell(values[0], 0), cell(values[1], 0), cell(values[2], 1)])
    return ['LRO into', 'ns per frame', 'CPU ns, both sides', 'Gb/s'], rows


# Tables of the guide: label, caption, what makes it
GUIDE = (
    ('table_rtap_performance', 'How many times better net_rtap is (1 thread, bursts of 32)',
     lambda data: ratios(data, False)),
    ('table_rtap_modes', 'How many times better its modes are than net_rtap by default', modes),
    ('table_rtap_latency', 'Latency', latency),
    ('table_rtap_buffers', 'Frames of 65000 bytes out of the kernel', buffers),
    ('table_rtap_trials', 'What was tried', trials),
)


def markdown(header, rows):
    # As wide as it is in the README, which lines up
    first = max(24, *(len(row[0]) for row in rows))

    def line(cells):
        return f'| {cells[0]:{first}} | ' + ' | '.join(
            f'{text:{max(4, len(title))}}' for text, title in zip(cells[1:], header[1:])) + ' |'

    rule = '|'.join('-' * (len(part)) for part in line(header).split('|')[1:-1])
    return '\n'.join([line(header), f'|{rule}|'] + [line(row) for row in rows]) + '\n'


def readme(data):
    """The README's table, None if the file has nothing to compare net_rtap with."""
    header, rows = ratios(data, True)
    return markdown(header, rows) if rows else None


def text_figures(data):
    """Figures in the text of the guide: what, and the number."""
    tx, rx = find(data, 'tx', TX64), find(data, 'rx', RX64)
    idle, big = find(data, 'idle', {}), {**TX64, 'len': 65000}
    slow = [median(tx, path, 'ns') for path in ('rtap', 'rtap-rw')]
    yield 'ns for a poll of an idle queue', median(idle, 'rtap', 'ns'), 0
    yield 'system calls of an idle queue', median(idle, 'rtap', 'syscalls'), 0
    for name in ('rtap', 'net_tap', 'loop-rw'):
        yield f'% of a CPU, asleep: {name}', median(idle, name, 'sleep_cpu_percent'), 2
    yield 'system calls per packet into', median(tx, 'rtap', 'syscalls'), 3
    yield 'system calls per packet out', median(rx, 'rtap', 'syscalls'), 3
    yield 'ns more without io_uring', None if None in slow else slow[1] - slow[0], 0
    yield 'ns for 65000 B into, mbufs of 2 KiB', median(
        find(data, 'tx', {**big, 'mbuf_room': 0}), 'rtap', 'ns'), 0
    for room in (65280, 65400):
        yield f'ns for 65000 B into, mbufs of {room} B', median(
            find(data, 'tx', {**big, 'mbuf_room': room}), 'rtap', 'ns'), 0
    for room in (0, 9216, 65280, 65400):
        yield f'ns for 65000 B out, room {room}', median(
            find(data, 'rx', {**LRO, 'mbuf_room': room}), 'rtap', 'ns'), 0
    for test, wanted in (('tx', {**TX64, 'to': 'other'}), ('rx', RX64)):
        pair = [median(find(data, test, {**wanted, 'queues': n}), 'rtap', 'mpps') for n in (1, 2)]
        yield f'{test}: 2 queues, times one', None if None in pair else pair[1] / pair[0], 2


def tables(data):
    """Of each of the guide: the label, and the lines."""
    for label, caption, make in GUIDE:
        header, rows = make(data)
        if rows and len(header) > 1:
            yield label, rst(label, caption, header, rows).rstrip('\n').split('\n')


def show(data):
    print(readme(data) or f'{NO_README}\n')
    for _, table in tables(data):
        print('\n'.join(table) + '\n')
    for what, value, digits in text_figures(data):
        if value is not None:
            print(f'{what}: {value:.{digits}f}')


def cells(line):
    return [text.strip() for text in line.split('|')]


def update_readme(data, name, write):
    """As update() of bench_json.py; a table is known by its header."""
    text = readme(data)
    if text is None:
        return [f'{name}:1: {NO_README}']
    file = pathlib.Path(name)
    lines = file.read_text(encoding='utf-8').split('\n')
    table = text.rstrip('\n').split('\n')
    start = next((i for i, line in enumerate(lines) if cells(line) == cells(table[0])), None)
    if start is None:
        return [f'{name}:1: there is no table with the header {table[0]}']
    end = start
    while lines[end].startswith('|'):
        end += 1
    if lines[start:end] == table:
        return []
    if not write:
        return [f'{name}:{start + 1}: the table is of other figures: run {COMMAND}']
    lines[start:end] = table
    file.write_text('\n'.join(lines), encoding='utf-8')
    return []


def main(args):
    if args[:1] == ['--readme'] and len(args) == 2:
        table = readme(load(args[1]))
        if table is None:
            sys.exit(f'{args[1]}: {NO_README}')
        print(table, end='')
        return 0
    write = args[:1] == ['--write']
    names = args[write:]
    if len(names) not in ((3,) if write else (1, 3)) or names[0].startswith('-'):
        sys.exit(__doc__)
    data = load(names[0])
    if len(names) == 1:
        show(data)
        return 0
    made = dict(tables(data))
    wrong = [f'{names[0]}:1: no figures for {label}' for label, _, _ in GUIDE if label not in made]
    if not wrong:
        wrong = update(made.items(), names[2], write, COMMAND)
    if not write or not wrong:
        wrong += update_readme(data, names[1], write)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main(sys.argv[1:]))
