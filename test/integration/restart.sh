#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Both ports stop and start 100 times under one TCP connection: it survives, nothing it carries
# changes, and the interfaces keep their addresses and routes.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need openssl socat ping

rounds=100

# What dev_stop could cost: the state is compared once the kernel has followed the carrier.
state()
{
	local ns

	for ns in near far; do
		ip -n $ns -o addr show
		ip -n $ns -4 route show table all
		ip -n $ns -6 route show table all
		ip -n $ns -o link show up
		ip -n $ns neigh show nud permanent
	done
}

state_is()
{
	[[ $(state) == "$1" ]]
}

settled()
{
	[[ -z $(ip -n near addr show tentative)$(ip -n far addr show tentative) ]]
}

# The kernel's view of both carriers: on or off.
carriers()
{
	local up

	up=$({ near ip -o link show tap0; far ip -o link show tap1; } | grep -c LOWER_UP) || true
	case $1 in
	on) [[ $up -eq 2 ]] ;;
	off) [[ $up -eq 0 ]] ;;
	esac
}

# Bytes that the receiver's TCP took in so far.
arrived()
{
	far ss -H -t -i -n state established "sport = :5001" |
		sed -n 's/.* bytes_received:\([0-9]*\).*/\1/p' | grep . || echo 0
}

more_than()
{
	[[ $(arrived) -gt $1 ]]
}

# Random data until told to stop.
endless()
{
	while [[ ! -e $work/enough ]]; do
		head -c 1M /dev/zero
	done | scramble
}

testpmd_pair none

# Routes of its own kind, so that more than the connected ones are at stake.
ip -n near route add 192.0.2.0/24 via 10.0.0.2
ip -n near -6 route add 2001:db8::/32 via fd00::2
ip -n far route add 198.51.100.0/24 dev tap1
# Set by hand, which the kernel forgets with less reason than a route.
ip -n near neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev tap0 nud permanent
ip -n far neigh add fd00::77 lladdr 02:00:00:00:00:77 dev tap1 nud permanent
wait_for 30 settled || die "addresses stay tentative"
before=$(state)

# One connection for the whole test, compared on arrival with what it should be.
far socat -u -T 60 TCP4-LISTEN:5001 - | LC_ALL=C cmp - <(random 1T) >$work/compared 2>&1 &
receiver=$!
wait_for 30 listening far -t 5001 || die "no listener"
endless | near socat -u -T 60 - TCP4:10.0.0.2:5001 &
sender=$!
# TCP falls silent for a while when a stop has cost it packets; these do not.
spawn near ping -q -f 10.0.0.2 >/dev/null 2>&1
floods=$!
spawn far ping -q -f fd00::1 >/dev/null 2>&1
floods+=" $!"
wait_for 30 more_than 0 || die "no data before the first stop"

for ((i = 1; i <= rounds; i++)); do
	pmd stop >/dev/null
	pmd port stop all >/dev/null
	((i > 1)) || wait_for 30 carriers off || die "carrier stays on when a port stops"
	pmd port start all >/dev/null
	pmd start >/dev/null
	# TCP doubles its patience with each loss: let it recover now and then, not 100 times.
	if ((i % 10 == 0)); then
		seen=$(arrived)
		wait_for 60 more_than "$seen" || die "no data after restart $i"
	fi
done
wait_for 30 carriers on || die "carrier is off after a start"
say "$rounds restarts, $(arrived) bytes arrived"

# shellcheck disable=SC2086 # two of them
kill $floods || true
touch $work/enough
wait $sender || die "the connection broke on the sending side"
wait $receiver || true
grep -q '^cmp: EOF on - ' $work/compared || die "not what was sent: $(<$work/compared)"

wait_for 30 state_is "$before" || {
	diff <(echo "$before") <(state) || die "addresses, routes or links changed"
}
testpmd_quit
