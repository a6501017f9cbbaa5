#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# The link speed. Port and interface report the same: that of the device argument, a default if the
# interface is new, or what somebody has set with ethtool.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need ethtool

# speed_is MBITS TEXT: in the kernel, and as testpmd shows it. The port is not started: where there
# are link interrupts, a running one would not ask the kernel.
speed_is()
{
	local kernel port

	kernel=$(near ethtool tap0)
	grep "Speed: $1Mb/s" <<<"$kernel" >/dev/null || die "not $1 Mb/s in the kernel: $kernel"
	grep "Duplex: Full" <<<"$kernel" >/dev/null || die "not full duplex in the kernel: $kernel"
	port=$(pmd show port info 0)
	grep "^Link speed: $2\$" <<<"$port" >/dev/null || die "not $2 in testpmd: $port"
	grep "^Link duplex: full-duplex" <<<"$port" >/dev/null ||
		die "not full duplex in testpmd: $port"
}

attach()
{
	local answer

	answer=$(pmd port attach "$(vdev 0 "$1")")
	[[ $answer == *"is attached"* ]] || die "'$1' is refused: $answer"
}

detach()
{
	pmd port close 0 >/dev/null
	pmd device detach net_rtap0 >/dev/null
}

testpmd_start

attach ""
speed_is 10000 "10 Gbps"
near ethtool -s tap0 speed 2500 duplex half
pmd show port info 0 | grep '^Link speed: 2.5 Gbps$' >/dev/null || die "ethtool has no effect"
detach

attach speed=100
speed_is 100 "100 Mbps"
pmd show device info net_rtap0 | grep 'speed capability: 100 Mbps full-duplex' >/dev/null ||
	die "the speed is not among the capabilities"
# Out of reach, it is what it was.
near ip link set tap0 netns far
pmd show port info 0 | grep '^Link speed: 100 Mbps$' >/dev/null || die "another speed elsewhere"
detach

# What persists keeps its speed, or gets another.
attach speed=25000,persist
speed_is 25000 "25 Gbps"
detach
attach ""
speed_is 25000 "25 Gbps"
detach
attach speed=2147483647
speed_is 2147483647 Invalid
detach
attach speed=1
near ethtool tap0 | grep 'Speed: 1Mb/s' >/dev/null || die "not 1 Mb/s"
detach
near ethtool -s tap0 speed 40000 duplex half
attach speed=40000,persist=0
speed_is 40000 "40 Gbps"
detach
! near ip link show tap0 >/dev/null 2>&1 || die "tap0 is left behind"
testpmd_quit
