#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# What the administrator switches off with "ethtool -K" is off: the kernel finishes packets itself
# before the port gets them, although the application could. It stays off until an application asks
# for other offloads, whatever else becomes of the port, and TCP works at any time.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need ethtool socat openssl ss

bytes=$((1 << 20))
tcp_port=5000

# received NAME: the extended statistic of port 0.
received()
{
	pmd show port xstats 0 | awk -v name="$1:" '$1 == name { print $2 }'
}

# transfer: from near to far, while port 0 counts.
transfer()
{
	pmd clear port xstats all >/dev/null
	tcp_port=$((tcp_port + 1))
	tcp_transfer near 4 $tcp_port $bytes
}

# finished WHEN: the kernel leaves nothing to the application.
finished()
{
	transfer
	[[ $(received rx_lro_packets) == 0 ]] || die "merged packets $1"
	[[ $(received rx_csum_none_packets) == 0 ]] || die "unfinished checksums $1"
	[[ $(received rx_good_packets) -gt $((bytes / 1500)) ]] || die "few packets $1"
}

# unfinished WHEN: the kernel leaves to the application what it can.
unfinished()
{
	transfer
	[[ $(received rx_lro_packets) -gt 0 ]] || die "no merged packet $1"
	[[ $(received rx_csum_none_packets) -gt 0 ]] || die "no unfinished checksum $1"
}

# feature NAME STATE: as ethtool shows it.
feature()
{
	near ethtool -k tap0 | grep -x "$1: $2" >/dev/null || die "$1 is not $2 $3"
}

all_off()
{
	feature tx-checksumming off "$1"
	feature tcp-segmentation-offload off "$1"
	feature generic-segmentation-offload off "$1"
	finished "$1"
}

testpmd_pair tso
unfinished "at first"
feature tx-checksumming on "at first"
feature tcp-segmentation-offload on "at first"

near ethtool -K tap0 tx off tso off gso off >/dev/null
all_off "after they were switched off"

pmd stop >/dev/null
pmd port stop all >/dev/null
pmd port start all >/dev/null
pmd start >/dev/null
wait_for 30 reachable || die "no way after a restart"
all_off "after a restart"

# To configure the port as it is changes nothing.
pmd stop >/dev/null
pmd port stop all >/dev/null
pmd port config all txd 512 >/dev/null
pmd port start all >/dev/null
pmd start >/dev/null
wait_for 30 reachable || die "no way after a configuration"
all_off "after a configuration"

# Nor do a move, another MTU and other modes.
near ip link set tap0 netns far
far ip link set tap0 netns near
addresses near tap0 1
pmd port config mtu 0 1400 >/dev/null
pmd set promisc 0 off >/dev/null
pmd set promisc 0 on >/dev/null
wait_for 30 reachable || die "no way after a move"
all_off "after a move"

near ethtool -K tap0 tx on tso on gso on >/dev/null
unfinished "after they were switched on"
testpmd_quit
