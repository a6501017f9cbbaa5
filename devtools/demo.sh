#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# demo.sh [BUILD-DIRECTORY]
#
# Show what net_rtap does: testpmd forwards between two ports, and programs in two network
# namespaces talk through it, offloads off and on. The same with net_tap. Less than three minutes.
# All of it happens in namespaces of its own: the kernel removes them when this ends or is stopped.

if [[ $# -gt 0 ]]; then
	RTAP_BUILD=$(cd "$1" && pwd)
	export RTAP_BUILD
fi

RTAP_IO=auto
# shellcheck source-path=SCRIPTDIR source=../test/integration/lib.sh
. "$(dirname "$0")/../test/integration/lib.sh"

need iperf3 ping

seconds=4
drivers=(net_rtap net_tap)
measures=("TCP there" "TCP back" "UDP there" "UDP back" "ping")

# "driver/offload/measure" -> Mbit/s, or microseconds for ping
declare -A result

# Device arguments of the driver whose turn it is; testpmd_pair asks for them.
vdev()
{
	echo "$driver$1,iface=tap$1"
}

# What testpmd_pair calls the best that a driver has: net_tap has no LRO, and is never given a
# frame that it could segment.
best_offload()
{
	[[ $1 == net_rtap ]] && echo tso || echo csum
}

# iperf CLIENT-ARGUMENT...: Mbit/s that arrived
iperf()
{
	far timeout $((seconds + 30)) iperf3 -s -1 >/dev/null &
	wait_for 10 listening far -t 5201 || die "iperf3 does not listen"
	near iperf3 -c 10.0.0.2 -t $seconds -f m "$@" |
		awk '/receiver/ { for (i = 2; i <= NF; i++) if ($i == "Mbits/sec") print $(i - 1) }'
	wait $!
}

# Mean time there and back, in microseconds, each packet sent when the last one came back
ping_time()
{
	near ping -q -c 5000 -i 0 -W 1 10.0.0.2 |
		awk -F/ '/^rtt/ { printf "%.0f\n", $5 * 1000 }'
}

measure()
{
	case $1 in
	"TCP there") iperf ;;
	"TCP back") iperf -R ;;
	"UDP there") iperf -u -b 0 -l 1448 ;;
	"UDP back") iperf -u -b 0 -l 1448 -R ;;
	ping) ping_time ;;
	esac
}

unit()
{
	[[ $1 == ping ]] && echo us || echo Mbit/s
}

# try_driver OFFLOAD: all figures for $driver, with offloads off or on
try_driver()
{
	local what

	if [[ $1 == on ]]; then
		testpmd_pair "$(best_offload "$driver")"
	else
		testpmd_pair none
	fi
	near ping -q -c 1 -W 5 10.0.0.2 >/dev/null || die "$driver: no IPv4"
	near ping -q -c 1 -W 5 fd00::2 >/dev/null || die "$driver: no IPv6"
	for what in "${measures[@]}"; do
		result[$driver/$1/$what]=$(measure "$what")
		say "$(printf '%-9s offloads %-4s %-10s %8s %s' "$driver" "$1" "$what" \
			"${result[$driver/$1/$what]}" "$(unit "$what")")"
	done
	testpmd_quit
}

# A ratio above 1 is in favour of net_rtap, for times as well.
ratio()
{
	awk -v what="$1" -v ours="$2" -v theirs="$3" 'BEGIN {
		if (ours + 0 == 0 || theirs + 0 == 0)
			print "-"
		else
			printf "%.1f\n", what == "ping" ? theirs / ours : ours / theirs
	}'
}

table()
{
	local offload what ours theirs

	printf '\n%-14s %-10s %12s %12s %8s %7s\n' "" "" "${drivers[@]}" "" ratio
	for offload in off on; do
		for what in "${measures[@]}"; do
			ours=${result[net_rtap/$offload/$what]:-}
			theirs=${result[net_tap/$offload/$what]:-}
			printf '%-14s %-10s %12s %12s %-8s %7s\n' "offloads $offload" "$what" \
				"${ours:--}" "${theirs:--}" "$(unit "$what")" \
				"$(ratio "$what" "${ours:-0}" "${theirs:-0}")"
		done
	done
	echo
	echo "There: from near to far. A ratio above 1 is in favour of net_rtap, for ping as well."
	echo "Offloads on: checksums, TSO and LRO with net_rtap; checksums with net_tap," \
		"which has no LRO and so nothing to segment."
}

echo "Two namespaces, and testpmd between them: near - port 0 - port 1 - far"
echo "About $((2 * 2 * (4 * seconds + 6))) seconds; Ctrl-C ends it at any time."
for offload in off on; do
	for driver in "${drivers[@]}"; do
		try_driver $offload
	done
done
table
