#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# bulk.sh OFFLOAD: one gigabyte of random data through two ports arrives unchanged, while a quarter
# of that goes the other way. OFFLOAD is none, csum or tso.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need openssl socat ethtool

offload=$1
gigabyte=$((1 << 30))

# What the kernel was told it may leave undone.
interface_feature()
{
	near ethtool -k tap0 | awk -v name="$1:" '$1 == name { print $2 }'
}

expect_feature()
{
	[[ $(interface_feature "$1") == "$2" ]] || die "$1 is not $2 on tap0"
}

# received PORT WHAT: a counter of testpmd's.
received()
{
	pmd show port stats "$1" | awk -v name="RX-$2:" '{ for (i = 1; i < NF; i++)
		if ($i == name) print $(i + 1) }'
}

testpmd_pair "$offload"

case $offload in
none)
	expect_feature tx-checksumming off
	expect_feature tcp-segmentation-offload off
	;;
csum)
	expect_feature tx-checksumming on
	expect_feature tcp-segmentation-offload off
	;;
tso)
	expect_feature tx-checksumming on
	expect_feature tcp-segmentation-offload on
	;;
esac

tcp_transfer near 4 5001 $gigabyte &
there=$!
tcp_transfer far 6 5002 $((gigabyte / 4)) &
back=$!
wait $there
wait $back

# Without large frames the figure of the last mode would prove nothing.
size=$(($(received 0 bytes) / $(received 0 packets)))
say "mean frame received: $size bytes"
if [[ $offload == tso ]]; then
	[[ $size -gt 1514 ]] || die "no large frame arrived"
else
	[[ $size -le 1514 ]] || die "large frames although LRO is off"
fi

testpmd_quit
