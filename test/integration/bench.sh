#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# bench.sh PROGRAM: the benchmark runs, in its shortest form, measures what it says it does, and
# counts what does not depend on the machine's speed: system calls and lost packets. What it has
# written can be shown. It survives signals that the kernel cannot queue.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need python3 prlimit
uring_allowed || skip "no io_uring here"

paths=rtap,rtap-napi,rtap-sqpoll,net_tap,veth,loop-rw,loop-file
options=(--bench --brief --rounds=1 --duration=30 "--json=$work/json" "--paths=$paths")
[[ -z $("$top/devtools/eal-args.sh") ]] || options+=(--no-huge)
"$1" "${options[@]}" >$work/table 2>$work/errors ||
	die "kpath-perf ends with status $?: $(tail -n 5 $work/errors)"
[[ $(grep -c '^rtap ' $work/table) -gt 5 ]] || die "no table: $(<$work/table)"

# Bursts of 32: no more than these per packet. A mode of the driver that is not offered has a
# reason, and so has an application that cannot sleep. Not asked for: what needs two threads to run
# at once, of which a busy machine may run one.
python3 - $work/json <<-'END' || die "not what it should be"
	import json, sys

	limits = {'tx': 0.04, 'rx': 0.05, 'idle': 0}
	alone = ('tx', 'rx', 'idle')
	seen = set()
	data = json.load(open(sys.argv[1]))
	assert data['machine']['cpus'] > 0 and data['machine']['dpdk'], data['machine']
	for case in data['cases']:
	    what = {key: case[key] for key in case if key != 'paths'}
	    for path in case['paths']:
	        assert path['metrics'] or path.get('why') or case['test'] not in alone, \
	            ('neither a result nor a reason', path['path'], what)
	    rtap = next(path['metrics'] for path in case['paths'] if path['path'] == 'rtap')
	    if case['test'] in alone:
	        assert case['primary'] in rtap, ('nothing measured', what)
	    if case['test'] in ('tx', 'rx'):
	        assert rtap['lost_permille']['median'] == 0, ('packets are lost', what)
	        assert 0 <= rtap['empty_percent']['median'] <= 100, what
	        assert rtap['cpu_ns']['median'] > 0, ('no CPU time', what)
	    if case['test'] in limits and not case['gso'] and 'syscalls' in rtap:
	        calls = rtap['syscalls']['median']
	        assert calls <= limits[case['test']], (calls, what)
	        seen.add(case['test'])
	if seen != set(limits):
	    print('system calls could not be counted here')
END

export PYTHONDONTWRITEBYTECODE=1
"$top/devtools/bench-tables.py" $work/json >$work/tables || die "no tables for the documentation"
grep -q '^| 64 B into the kernel ' $work/tables || die "no figures: $(<$work/tables)"
"$top/devtools/plot-bench.py" $work/json $work/plots || die "no plots"
[[ -s $work/plots/rtap_tx_size.svg ]] || die "no plots: $(ls $work/plots)"

# As when net_tap is told of more packets than may be queued: each is SIGIO then.
options=("${options[@]/--paths=*/--paths=net_tap}" --tests=rx)
prlimit --sigpending=0 "$1" "${options[@]}" >$work/table 2>$work/errors ||
	die "without queued signals: status $?: $(tail -n 5 $work/errors)"
grep -q '^net_tap ' $work/table || die "net_tap is not measured: $(<$work/table)"
