#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# selftest.sh PROGRAM BROKEN: kpath-perf finds that its numbers can be trusted, on every path that
# there is here; and does not, where a path loses packets or changes them, which BROKEN makes it do.
# What it says of paths is true of those whose workings are known.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need python3
uring_allowed || skip "no io_uring here"

program=$1
broken=$2
options=()
[[ -z $("$top/devtools/eal-args.sh") ]] || options+=(--no-huge)

status=0
"$program" --self-test "${options[@]}" >$work/checks 2>$work/errors || status=$?
[[ $status -eq 0 ]] ||
	die "status $status: $(grep '^FAILED' $work/checks; tail -n 5 $work/checks $work/errors)"
for path in rtap rtap-rw veth; do
	grep -q "^ok *$path " $work/checks || die "$path is not checked: $(<$work/checks)"
done
grep '^skipped' $work/checks || true
# Software has done what the other port could not.
if grep -q '^ok *net_tap ' $work/checks; then
	grep -q '^ok *rtap .*TCP up with net_tap, offloads all: ' $work/checks ||
		die "nothing was segmented: $(<$work/checks)"
fi

# What is wrong is found, and said where.
for fault in lose change; do
	status=0
	BROKEN=$fault LD_PRELOAD=$broken "$program" --self-test --paths=rtap-rw "${options[@]}" \
		>$work/checks 2>&1 || status=$?
	[[ $status -eq 1 ]] || die "status $status of a path that does $fault: $(<$work/checks)"
	grep -q '^FAILED *rtap-rw *into the kernel, 1514 B: ' $work/checks ||
		die "not noticed: $fault: $(<$work/checks)"
	grep -q '^ok *rtap-rw *out of the kernel, 1514 B: ' $work/checks ||
		die "noticed where there is nothing: $fault: $(<$work/checks)"
done

# measure FAULT OPTION... : one round or more of a path that loses all of a kind
measure()
{
	BROKEN=$1 LD_PRELOAD=$broken "$program" --paths=rtap-rw "${@:2}" "--json=$work/$1" \
		"${options[@]}" >$work/table 2>$work/errors ||
		die "$*: status $?: $(tail -n 5 $work/errors)"
}

# What stalls is 0 Gb/s, and no round is left out; who cannot connect is told why there is nothing;
# probes that are lost are late, and not fewer.
tcp=(--tests=tcp "--only=1 stream up, offloads off" --duration=20)
measure data "${tcp[@]}" --rounds=2
measure tcp "${tcp[@]}" --rounds=2
grep -q 'no connection' $work/table || die "no reason: $(<$work/table)"
measure probes --tests=rrul --rounds=1 --duration=50
python3 - $work <<-'END' || die "not what it should be"
	import json, sys

	stall, tcp, probes = [json.load(open(f'{sys.argv[1]}/{name}'))['cases'][0]['paths'][0]
	                      for name in ('data', 'tcp', 'probes')]
	assert 'why' not in stall and stall['rounds'] == 2, stall
	assert stall['metrics']['gbps']['median'] == 0, stall
	assert stall['metrics']['gbps']['rounds'] == 2, stall
	assert tcp['why'] == 'no connection' and not tcp['metrics'], tcp
	m = {name: value['median'] for name, value in probes['metrics'].items()}
	assert m['gbps'] > 0 and m['lost_permille'] == 1000, m
	assert m['p50_us'] == m['idle_p50_us'] == 1e6, m
END

"$program" --features "--json=$work/json" "${options[@]}" >$work/features 2>$work/errors ||
	die "no features: status $?: $(tail -n 5 $work/errors)"
grep -q '^made of .*io_uring' $work/features || die "no table: $(<$work/features)"
python3 - $work/json <<-'END' || die "not what it should be"
	import json, sys

	paths = {f['path']: f for f in json.load(open(sys.argv[1]))['features'] if 'why' not in f}
	yes = ('csum_in', 'csum_out', 'tso', 'lro', 'wakes')

	def check(path, key, *words):
	    text = paths[path][key]
	    if text == 'unknown' and key.endswith('_calls'):
	        print('system calls cannot be seen here')
	    elif not any(word in text.split(', ') for word in words):
	        sys.exit('%s: %s: %s' % (path, key, text))

	for path, tx, rx in (('rtap', 'io_uring_enter', 'io_uring_enter'),
	                     ('rtap-rw', 'writev', 'readv')):
	    check(path, 'tx_calls', tx)
	    check(path, 'rx_calls', rx)
	    for key in yes:
	        check(path, key, 'yes')
	check('rtap', 'made_of', 'io_uring')
	check('rtap', 'threads', 'none', 'none seen')
	check('rtap-rw', 'made_of', 'tun file')
	if 'io_uring' in paths['rtap-rw']['made_of']:
	    sys.exit('a ring where there is none')
	if 'rtap-sqpoll' in paths:
	    check('rtap-sqpoll', 'threads', 'iou-sqp')
	    check('rtap-sqpoll', 'tx_calls', 'none')
	if 'net_tap' in paths:
	    check('net_tap', 'made_of', 'tun file')
	    check('net_tap', 'tx_calls', 'write', 'writev')
	    check('net_tap', 'rx_calls', 'read', 'readv')
	if 'af_packet' in paths:
	    check('af_packet', 'made_of', 'PACKET_MMAP')
	    check('af_packet', 'tx_calls', 'sendto')
	    check('af_packet', 'rx_calls', 'none', 'poll', 'ppoll')
	if 'af_xdp' in paths:
	    check('af_xdp', 'made_of', 'AF_XDP rings')
END
