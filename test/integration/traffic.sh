#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# traffic.sh OFFLOAD: ping, TCP and UDP between two ports, from both ends, over IPv4 and IPv6.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need openssl socat ping python3

offload=$1
udp=$(dirname "$0")/udp_echo.py

testpmd_pair "$offload"

port=5000
for from in near far; do
	to=$(other $from)
	spawn "$to" python3 "$udp" serve 7007
	wait_for 30 listening "$to" -u 7007 || die "no UDP server"
	for family in 4 6; do
		address=$(peer $from $family)

		for size in 0 1 56 1452; do
			pings $from "$address" $size ||
				die "ping from $from to $address with $size bytes: $(<$work/ping)"
		done

		# 1452 is what IPv6 leaves of 1500.
		$from python3 "$udp" ask "$address" 7007 1452 || die "UDP from $from"

		# Short, less than a segment, and long enough for full windows.
		for bytes in 1 1000 $((4 << 20)); do
			port=$((port + 1))
			tcp_transfer $from $family $port $bytes
		done
		say "$offload: ping, UDP and TCP from $from over IPv$family"
	done
done

# Fragments: the wire alone passes them; testpmd's checksum engine takes each for a whole datagram.
if [[ $offload == none ]]; then
	near python3 "$udp" ask 10.0.0.2 7007 8000 || die "UDP in fragments over IPv4"
	near python3 "$udp" ask fd00::2 7007 8000 || die "UDP in fragments over IPv6"
fi

testpmd_quit
