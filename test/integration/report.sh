#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# report.sh PROGRAM: the page that kpath-perf writes of a run has the figures of that run, and is
# well-formed. What cannot be written is known before anything is measured.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need python3
uring_allowed || skip "no io_uring here"

options=(--bench --brief --rounds=2 --duration=20 "--tests=tx,rtt" "--paths=rtap,net_tap,veth")
[[ -z $("$top/devtools/eal-args.sh") ]] || options+=(--no-huge)

# refused DIRECTORY REASON: no page can be written there; nothing is measured.
refused()
{
	local status=0

	"$kpath_perf" "${options[@]}" "--report=$1" >$work/table 2>$work/errors || status=$?
	[[ $status -eq 2 ]] || die "--report=$1: status $status: $(tail -n 5 $work/errors)"
	grep -q -- "--report: .*$1.*$2" $work/errors || die "no reason: $(<$work/errors)"
	[[ ! -s $work/table ]] || die "--report=$1: measured nevertheless: $(<$work/table)"
}

kpath_perf=$1
touch $work/file
refused $work/file "Not a directory"
refused $work/no/where "No such file"
refused /proc/nowhere "No such file"

"$kpath_perf" "${options[@]}" "--report=$work/report" "--json=$work/json" >$work/table \
	2>$work/errors || die "kpath-perf ends with status $?: $(tail -n 5 $work/errors)"
export PYTHONDONTWRITEBYTECODE=1
python3 "$top/test/unit/report.py" --page $work/report/index.html $work/json ||
	die "the page is not what it should be"
for what in 'id="plot-tx-ns"' 'id="plot-rtt-p50-us"' 'id="topology-rtap"' 'id="topology-net-tap"' \
	'id="topology-veth"' "--report=$work/report"; do
	grep -qF -- "$what" $work/report/index.html || die "no $what in the page"
done
