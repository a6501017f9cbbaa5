#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Every MTU from the smallest to the largest that the kernel takes, set on running ports: the
# interface follows, and packets of exactly that size pass both ways, unfragmented.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need ping

# Linux: ETH_MIN_MTU, and MAX_MTU of tun.c less the Ethernet header. Between them the steps of
# IPv4 and IPv6 minima, Ethernet, and multiples of the 2 KiB mbufs that testpmd uses.
mtus=(68 69 576 1279 1280 1500 1501 2014 2020 2034 2035 4082 9000 9018 16384 32768 65520 65521)

# mtu_set PORT MTU
mtu_set()
{
	local answer

	answer=$(pmd port config mtu "$1" "$2")
	[[ -z $answer ]] || die "port $1, MTU $2: $answer"
	near ip -o link show "tap$1" | grep -q " mtu $2 " || die "tap$1 does not follow to $2"
}

# mtu_refused PORT MTU
mtu_refused()
{
	local answer before

	before=$(near ip -o link show "tap$1")
	answer=$(pmd port config mtu "$1" "$2")
	[[ -n $answer ]] || die "port $1 takes an MTU of $2"
	[[ $(near ip -o link show "tap$1") == "$before" ]] || die "tap$1 changed by a bad MTU"
}

# ping_exactly NAMESPACE FAMILY MTU
#
# One of another size goes ahead: after an interface was set up, addresses and neighbours take the
# kernel a moment, in which it keeps few packets or none.
ping_exactly()
{
	local header=$(($2 == 4 ? 28 : 48)) size to

	size=$(($3 - header))
	to=$(peer "$1" "$2")
	wait_for 30 "$1" ping -q -c 1 -W 1 -s 0 "$to" >/dev/null ||
		die "no way over IPv$2 from $1 with an MTU of $3"
	pings "$1" "$to" $size ||
		die "IPv$2 packets of $3 bytes from $1: $(<$work/ping)"
}

large_pass()
{
	pings near 10.0.0.2 8000
}

testpmd_start --vdev="$(vdev 0)" --vdev="$(vdev 1)" -- --enable-scatter --tx-offloads=0x8000
mtu_refused 0 67
mtu_refused 0 65522
addresses near tap0 1

# Someone else raises the MTU of tap0: the port follows, and has room.
mtu_set 1 9000
far_join
near ip link set tap0 mtu 9000
pmd start >/dev/null
wait_for 30 reachable || die "no way from near to far"
wait_for 30 large_pass || die "large frames do not pass: $(<$work/ping)"
pmd show port info 0 | grep -x 'MTU: 9000' >/dev/null || die "the port does not follow"

# Up, and a few down again: buffers shrink as well.
for mtu in "${mtus[@]}" 9000 1500 68 1500; do
	far_leave
	mtu_set 0 "$mtu"
	mtu_set 1 "$mtu"
	addresses near tap0 1
	far_join
	for from in near far; do
		ping_exactly $from 4 "$mtu"
		[[ $mtu -lt 1280 ]] || ping_exactly $from 6 "$mtu"
	done
done
say "${#mtus[@]} MTUs from ${mtus[0]} to ${mtus[-1]}"

testpmd_quit
