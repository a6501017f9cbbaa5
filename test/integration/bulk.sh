#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# bulk.sh OFFLOAD: one gigabyte of random data through two ports arrives unchanged, while a quarter
# of that goes the other way. OFFLOAD is none, csum or tso.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need openssl socat ethtool nstat

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

counter()
{
	"$1" cat "/sys/class/net/$2/statistics/$3"
}

# What one interface handed to its port came out of the other: TCP would hide a loss. A few are
# allowed for what was under way when ports were started.
conserved()
{
	local there back

	there=$(($(counter near tap0 tx_packets) - $(counter far tap1 rx_packets)))
	back=$(($(counter far tap1 tx_packets) - $(counter near tap0 rx_packets)))
	[[ ${there#-} -le 10 && ${back#-} -le 10 ]]
}

# It would hide a changed packet as well.
bad_checksums()
{
	"$1" nstat -a -s -z TcpInCsumErrors | awk '$1 == "TcpInCsumErrors" { print $2 }'
}

# Sum of these counters of both ports; testpmd shows each as "NAME: VALUE".
pmd_sum()
{
	pmd show port "$1" all | awk -v names="$2" '{ for (i = 1; i < NF; i++)
		if ($i ~ "^(" names "):$") sum += $(i + 1) } END { print sum + 0 }'
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

wait_for 30 conserved || die "packets vanish between the ports"
[[ $(pmd_sum stats 'RX-errors|RX-nombuf|TX-errors') == 0 ]] ||
	die "errors: $(pmd show port stats all)"
for ns in near far; do
	[[ $(bad_checksums $ns) == 0 ]] || die "packets with a bad checksum arrive in $ns"
done

# Without large frames the figure of the last mode would prove nothing.
size=$(($(received 0 bytes) / $(received 0 packets)))
say "mean frame received: $size bytes"
if [[ $offload == tso ]]; then
	[[ $size -gt 1514 ]] || die "no large frame arrived"
else
	[[ $size -le 1514 ]] || die "large frames although LRO is off"
	[[ $(pmd_sum xstats 'rx_lro_packets|tx_tso_packets') == 0 ]] || die "LRO or TSO is not off"
fi

testpmd_quit
