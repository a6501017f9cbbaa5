#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Killed under traffic and started again at once with the same names, and closed and opened again
# within one process.
#
# Pitfall: a ring that holds the TAP file as a registered file releases it asynchronously, so that
# for a moment the name is still taken.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need ping

far_is_free()
{
	! far ip link show tap1 >/dev/null 2>&1
}

passed()
{
	near cat /sys/class/net/tap0/statistics/rx_packets
}

more_passed()
{
	[[ $(passed) -gt $1 ]]
}

# kill9_rounds ARGUMENTS-OF-PORT-0
kill9_rounds()
{
	local i flood

	for ((i = 1; i <= 5; i++)); do
		# What a persistent interface had it keeps, and needs no help to work again.
		testpmd_start --vdev="$(vdev 0 "$1")" --vdev="$(vdev 1)"
		[[ $1 == persist=1 && $i -gt 1 ]] || addresses near tap0 1
		wait_for 30 far_is_free || die "tap1 outlives the process that was killed"
		far_join
		# tap1 has another address than the last time.
		near ip neigh flush dev tap0
		pmd start >/dev/null
		wait_for 30 reachable || die "no way from near to far, start $i with '$1'"
		spawn near ping -q -f 10.0.0.2 >/dev/null 2>&1
		flood=$!
		wait_for 30 more_passed $(($(passed) + 100)) || die "no traffic to be killed under"
		disown "$pmd_pid" $flood
		kill -9 "$pmd_pid"
		kill $flood || true
	done
	say "$((i - 1)) times killed with '$1'"
}

kill9_rounds ""
kill9_rounds persist=1
near ip link del tap0

# As soon as can be: a process that already runs takes the name of one that was just killed.
carrier_on()
{
	near ip -o link show tap0 2>/dev/null | grep -q LOWER_UP
}

testpmd_start
for ((i = 1; i <= 5; i++)); do
	spawn near "$testpmd" "${eal_args[@]}" --vdev="$(vdev 0)" -- \
		--total-num-mbufs=16384 --stats-period=3600 >$work/victim 2>&1
	victim=$!
	wait_for 60 carrier_on || die "no second testpmd: $(<$work/victim)"
	disown $victim
	kill -9 $victim
	answer=$(pmd port attach "$(vdev 0)")
	[[ $answer == *"is attached"* ]] || die "right after kill -9: $answer"
	pmd port close 0 >/dev/null
	pmd device detach net_rtap0 >/dev/null
done
say "$((i - 1)) times taken from the dead"

for ((i = 1; i <= 20; i++)); do
	answer=$(pmd port attach "$(vdev 0)")
	[[ $answer == *"is attached"* ]] || die "round $i: $answer"
	pmd port start 0 >/dev/null
	# The first poll makes the ring.
	pmd start >/dev/null
	pmd stop >/dev/null
	pmd port stop 0 >/dev/null
	pmd port close 0 >/dev/null
	pmd device detach net_rtap0 >/dev/null
done
say "$((i - 1)) times closed and opened again"
testpmd_quit
