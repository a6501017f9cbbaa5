#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# rrul.sh PROGRAM: what kpath-perf says of latency under load is what was on the wire. All classes
# of both directions move packets that bear their mark, all probes are answered, and the plots over
# time and the files for flent hold what they should. TCP both ways moves bytes both ways.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need python3
uring_allowed || skip "no io_uring here"

paths="rtap,net_tap,veth"
options=(--brief "--tests=rrul,tcp" "--paths=$paths" --rounds=1 --duration=100)
options+=("--json=$work/json" "--flent=$work/rrul.flent")
[[ -z $("$top/devtools/eal-args.sh") ]] || options+=(--no-huge)
# Run the program, and note each kind of packet that is seen in its namespace meanwhile: the third
# and fourth number of the sender's address, protocol, TOS. Of TCP those with data.
python3 - $work "$1" "${options[@]}" <<-'END_OF_CAPTURE' || die "kpath-perf: $(<$work/errors)"
	import ctypes, os, select, socket, subprocess, sys

	ETH_P_ALL, CLONE_NEWNET = 3, 0x40000000
	work = sys.argv[1]
	own = os.readlink('/proc/self/ns/net')
	program = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL,
	                           stdout=open(f'{work}/table', 'w'),
	                           stderr=open(f'{work}/errors', 'w'))

	def entered():
	    try:
	        return os.readlink(f'/proc/{program.pid}/ns/net') != own
	    except FileNotFoundError:   # it has ended
	        return False

	while not entered():
	    if program.poll() is not None:
	        sys.exit(f'ends with status {program.returncode}')
	with open(f'/proc/{program.pid}/ns/net') as namespace:
	    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
	        sys.exit(os.strerror(ctypes.get_errno()))
	sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
	seen = set()
	while program.poll() is None:
	    if not select.select([sock], [], [], 0.2)[0]:
	        continue
	    packet = sock.recv(64)
	    length = int.from_bytes(packet[2:4], 'big')
	    if packet[0] >> 4 == 4 and (packet[9] != socket.IPPROTO_TCP or length > 100):
	        seen.add((packet[14], packet[15], packet[9], packet[1]))
	with open(f'{work}/wire', 'w') as file:
	    for kind in sorted(seen):
	        print(*kind, file=file)
	sys.exit(program.returncode)
END_OF_CAPTURE

python3 - $work <<-'END_OF_CHECK' || die "not what it should be"
	import json, sys

	work = sys.argv[1]
	classes = {'BE': 0, 'BK': 8 << 2, 'CS5': 40 << 2, 'EF': 46 << 2}
	cases = json.load(open(f'{work}/json'))['cases']

	def metrics(case):
	    for path in case['paths']:
	        if path['path'] == 'net_tap' and not path['metrics']:
	            continue   # is not installed
	        assert not path.get('why'), (path['path'], path['why'])
	        yield path['path'], {name: m['median'] for name, m in path['metrics'].items()}

	def check_times(m, prefix):
	    assert 0 < m[prefix + 'p50_us'] <= m[prefix + 'p99_us'] <= m[prefix + 'p999_us'], m

	measured, rates = [], {}
	rrul = next(case for case in cases if case['test'] == 'rrul')
	for path, m in metrics(rrul):
	    measured.append(path)
	    rates[path] = m['gbps']
	    for name in classes:
	        assert m[name.lower() + '_gbps'] > 0, (path, name, m)
	    total = sum(m[name.lower() + '_gbps'] for name in classes)
	    assert abs(total - m['gbps']) < 0.001 * total, (path, m)
	    assert abs(m['up_gbps'] + m['down_gbps'] - m['gbps']) < 0.001 * total, (path, m)
	    check_times(m, '')
	    check_times(m, 'idle_')
	    assert abs(m['p50_us'] - m['idle_p50_us'] - m['added_us']) < 1 + 0.01 * m['p50_us'], m
	    assert 1 / 8 <= m['jain'] <= 1, (path, m)
	    assert 0 <= m['lost_permille'] < 1000, (path, m)
	    assert m['cpu_s_per_gb'] > 0, (path, m)
	    # The kernel alone has no application in between.
	    assert ('system_s_per_gb' in m) == (path != 'veth'), (path, m)
	    parts = sum(m.get(name + '_s_per_gb', 0) for name in ('user', 'system', 'threads'))
	    # The rest is what programs at the kernel's end spend.
	    assert parts < 0.99 * m['cpu_s_per_gb'], (path, m)
	assert 'rtap' in measured and 'veth' in measured, measured

	# Paths have subnets in the order in which they are measured.
	wire = {tuple(map(int, line.split())) for line in open(f'{work}/wire')}
	for subnet in range(1, 1 + len(measured)):
	    for end in (1, 2):
	        tcp = {tos for s, e, protocol, tos in wire if (s, e, protocol) == (subnet, end, 6)}
	        udp = {tos for s, e, protocol, tos in wire if (s, e, protocol) == (subnet, end, 17)}
	        assert tcp == set(classes.values()), (subnet, end, tcp)
	        assert udp == {classes[name] for name in ('BE', 'BK', 'EF')}, (subnet, end, udp)
	        assert (subnet, end, 1, 0) in wire, ('no ICMP', subnet, end)

	both = [case for case in cases if case['test'] == 'tcp' and case['direction'] == 'both']
	assert both, 'no case of both directions'
	for case in both:
	    for path, m in metrics(case):
	        assert m['up_gbps'] > 0 and m['down_gbps'] > 0, (path, m)

	# What flent computes from others, it finds here.
	names = {f'TCP {way} {name}' for way in ('upload', 'download')
	         for name in (*classes, 'avg', 'sum')}
	names |= {'TCP totals'}
	names |= {f'Ping (ms) {kind}' for kind in ('ICMP', 'UDP BE', 'UDP BK', 'UDP EF', 'avg')}
	for path in measured:
	    data = json.load(open(f'{work}/rrul-{path}.flent'))
	    meta, x, results = data['metadata'], data['x_values'], data['results']
	    assert 'packets' in meta['NOTE'] and 'unknown' not in meta['NOTE'], meta['NOTE']
	    assert data['version'] == 4 and meta['NAME'] == 'rrul', meta
	    assert path in meta['TITLE'] and meta['TIME'].endswith('Z'), meta
	    assert set(results) == names, set(results) ^ names
	    assert len(x) > 3 and x == sorted(x), x
	    loaded = [t for t, value in zip(x, results['TCP totals']) if value is not None]
	    for name, values in results.items():
	        assert len(values) == len(x), (name, len(values), len(x))
	        known = [t for t, value in zip(x, values) if value is not None]
	        # Streams have no rate before and after the load; probes have times then, too.
	        if name.startswith('TCP'):
	            assert known and meta['LENGTH'] / 8 < known[0], (name, x, values)
	            assert known[-1] < x[-1] and max(v for v in values if v is not None) > 0, name
	        else:
	            assert known, ('no answers', name)
	            assert known[0] < loaded[0] and known[-1] > loaded[-1], (name, x, values)
	    for i, total in enumerate(results['TCP totals']):
	        parts = [results[f'TCP {way} sum'][i] for way in ('upload', 'download')]
	        assert total is None or abs(total - sum(parts)) <= 0.001 * total, (i, total, parts)
	    # Megabits: the sum over time is what all the time's rate says, but for steps that are
	    # half without load.
	    steps = [now - before for before, now in zip([0, *x], x)]
	    moved = sum(rate * step for rate, step in zip(results['TCP totals'], steps) if rate)
	    expected = 1000 * rates[path] * meta['LENGTH']
	    assert 0.2 * expected < moved < 5 * expected, (path, moved, expected)
	    for name, values in data['raw_values'].items():
	        known = [value for value in results[name] if value is not None]
	        assert [value['val'] for value in values] == known, name
END_OF_CHECK

# What flent itself makes of it, where it is installed.
if command -v flent >/dev/null; then
	(cd $work && HOME=$work flent -i rrul-rtap.flent -f summary) >$work/flent 2>&1 ||
		die "flent does not open the file: $(<$work/flent)"
	grep -Eq 'TCP totals +: +[0-9]' $work/flent || die "flent shows nothing: $(<$work/flent)"
	grep -Eq 'UDP EF +: +[0-9]' $work/flent || die "flent shows nothing: $(<$work/flent)"
else
	say "flent is not installed: its files are checked by their form only"
fi
