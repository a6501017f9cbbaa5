#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# The number of queues goes up to 8 and down again. After each change the kernel has as many
# files attached, and flows over all of them get through.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need openssl socat python3

udp=$(dirname "$0")/udp_echo.py

# queues_are NUMBER: attached files of tap0, as the kernel counts them.
queues_are()
{
	near ip -d link show tap0 | grep -q "numqueues $1 numdisabled 0 "
}

testpmd_start --vdev="$(vdev 0)" --vdev="$(vdev 1)"
addresses near tap0 1
far_join

for ns in near far; do
	spawn $ns python3 "$udp" serve 7007
	wait_for 30 listening $ns -u 7007 || die "no UDP server"
done

port=5000
for count in 1 8 1 4 2 8 1; do
	# More files are opened by name: both interfaces are at home for that.
	far_leave
	pmd stop >/dev/null
	pmd port stop all >/dev/null
	pmd port config all rxq $count >/dev/null
	pmd port config all txq $count >/dev/null
	answer=$(pmd port start all)
	[[ $answer != *[Ff]ail* ]] || die "port start with $count queues: $answer"
	# Rings give their files up a little later.
	wait_for 30 queues_are $count || die "not $count queues: $(near ip -d link show tap0)"
	far_join
	pmd start >/dev/null
	wait_for 30 reachable || die "no way from near to far with $count queues"

	# The kernel picks the queue by flow: one that nobody reads would swallow some of these.
	for from in near far; do
		for family in 4 6; do
			$from python3 "$udp" ask "$(peer $from $family)" 7007 1452 ||
				die "UDP from $from with $count queues"
			port=$((port + 1))
			tcp_transfer $from $family $port $((8 << 20))
		done
	done
	say "$count queues"
done

testpmd_quit
