#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# bench.sh PROGRAM: the benchmark runs, in its shortest form, measures what it says it does, and
# counts what does not depend on the machine's speed: system calls and lost packets.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need python3
uring_allowed || skip "no io_uring here"

options=(--brief --rounds=1 --duration=30 "--json=$work/json")
[[ -z $("$top/devtools/eal-args.sh") ]] || options+=(--no-huge)
"$1" "${options[@]}" >$work/table 2>$work/errors ||
	die "kpath-perf ends with status $?: $(tail -n 5 $work/errors)"
[[ $(grep -c '^rtap ' $work/table) -gt 5 ]] || die "no table: $(<$work/table)"

# Bursts of 32: no more than these per packet.
python3 - $work/json <<-'END' || die "not what it should be"
	import json, sys

	limits = {'tx': 0.04, 'rx': 0.05, 'idle': 0}
	seen = set()
	for case in json.load(open(sys.argv[1]))['cases']:
	    paths = {path['path']: path for path in case['paths']}
	    rtap = paths['rtap']['metrics']
	    assert case['primary'] in rtap, ('nothing measured', case['test'])
	    if case['test'] in limits and not case['gso'] and 'syscalls' in rtap:
	        calls = rtap['syscalls']['median']
	        assert calls <= limits[case['test']], (case['test'], calls)
	        seen.add(case['test'])
	    if case['test'] in ('tx', 'rx'):
	        assert rtap['lost_permille']['median'] == 0, (case['test'], 'packets are lost')
	if seen != set(limits):
	    print('system calls could not be counted here')
END
