#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Names that exist already. A persistent TAP is taken over, with one queue or several, and outlives
# the port with its addresses; what is in use, or is no TAP, is refused with the reason.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need socat

# A persistent interface with settings of the administrator's, and the port that takes it over.
taken_over()
{
	local before

	near ip tuntap add dev tap0 mode tap "$@"
	near ip link set tap0 address 02:00:00:00:00:07
	addresses near tap0 1
	near ip route add 192.0.2.0/24 via 10.0.0.2
	before=$(settings)

	testpmd_start --vdev="$(vdev 0)" --vdev="$(vdev 1)"
	far_join
	pmd start >/dev/null
	wait_for 30 reachable || die "no way through a TAP made with: $*"
	[[ $(settings) == "$before" ]] ||
		die "settings of a TAP made with '$*' changed: $(settings)"
	pmd show port info 0 | grep -i '02:00:00:00:00:07' >/dev/null ||
		die "the port has another MAC address"
	testpmd_quit
	[[ $(settings) == "$before" ]] || die "a TAP made with '$*' did not keep: $(settings)"
	near ip link del tap0
}

settings()
{
	near ip -o -4 addr show tap0
	near ip -o -6 addr show tap0 scope global
	near ip route show 192.0.2.0/24 | sed 's/ linkdown//'
	near ip -o link show tap0 | grep -o 'link/ether [^ ]*'
}

# attach_fails NAME REASON
attach_fails()
{
	local answer

	answer=$(pmd port attach "net_rtap9,iface=$1,io=$io")
	grep -- "$1" <<<"$answer" | grep -qi -- "$2" ||
		die "no message that $1 is $2, but: $answer"
	pmd show port summary all | grep '^Number of available ports: 1$' >/dev/null ||
		die "$1: a port is left behind"
}

taken_over
taken_over multi_queue
taken_over vnet_hdr
taken_over multi_queue vnet_hdr

# Left by one port and taken over by the next.
testpmd_start --vdev="$(vdev 0 persist=1)" --vdev="$(vdev 1)"
addresses near tap0 1
before=$(near ip -o addr show tap0 scope global)
testpmd_quit
testpmd_start --vdev="$(vdev 0)" --vdev="$(vdev 1)"
far_join
pmd start >/dev/null
wait_for 30 reachable || die "no way through the TAP that the last port left"
[[ $(near ip -o addr show tap0 scope global) == "$before" ]] || die "addresses are gone"
testpmd_quit
near ip link del tap0

# In use, by a program with one queue and by a port (which has several, or could have).
testpmd_start --vdev="$(vdev 0)"
spawn near socat TUN,tun-type=tap,tun-name=held0,iff-up=1 PIPE
holder=$!
wait_for 30 near ip link show held0 >/dev/null 2>&1 || die "no TAP to be in the way"
attach_fails held0 busy
attach_fails tap0 busy
near "$testpmd" "${eal_args[@]}" "--vdev=net_rtap0,iface=tap0,io=$io" -- \
	--total-num-mbufs=4096 </dev/null >$work/other 2>&1 || true
grep tap0 $work/other | grep -q busy || die "another process gets our tap0: $(<$work/other)"
kill $holder

# No TAP at all.
near ip tuntap add dev tun0 mode tun
near ip link add veth0 type veth peer name veth1
for name in lo tun0 veth0; do
	before=$(near ip -o link show $name)
	attach_fails $name "not a TAP"
	[[ $(near ip -o link show $name) == "$before" ]] || die "$name changed"
done
testpmd_quit
