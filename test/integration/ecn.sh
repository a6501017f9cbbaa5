#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# ecn.sh OFFLOAD: connections that use explicit congestion notification. The way out of "near" marks
# some packets as having met congestion: the marks arrive in "far", its echo comes back, and each
# segment with CWR that answers it gets through. With TSO such a segment has VIRTIO_NET_HDR_GSO_ECN
# in its header; a driver that drops those stalls the connection.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need openssl socat nft tcpdump nstat

offload=$1
bytes=$((64 << 20))

# counter NAMESPACE NAME
counter()
{
	"$1" nstat -a -s -z "$2" | awk -v name="$2" '$1 == name { print $2 }'
}

# cwr_capture NAMESPACE INTERFACE FILE: a line for each segment that says "window reduced".
cwr_capture()
{
	: >"$3.log"
	# TCP flags, at their place without IP options or extension headers.
	spawn "$1" tcpdump -i "$2" -n -U --immediate-mode -s 128 -w "$3" "udp dst port 9 or
		(dst port 5001 and
		((ip and tcp[13] & 0x82 = 0x80) or
		(ip6 and ip6[6] = 6 and ip6[53] & 0x82 = 0x80)))" \
		2>"$3.log"
	captures+=($!)
	wait_for 30 grep -q 'listening on' "$3.log" || die "tcpdump: $(<"$3.log")"
}

# cwr_count FILE [FILTER]
cwr_count()
{
	tcpdump -n -r "$1" "tcp${2:+ and $2}" 2>/dev/null | wc -l
}

# cwr_settled SENT ARRIVED: both captures, which lag behind, hold a packet that was sent last, and
# all that was seen leaving was seen arriving.
cwr_settled()
{
	local file

	near bash -c 'echo >/dev/udp/10.0.0.2/9' || true
	for file; do
		[[ $(tcpdump -n -r "$file" udp 2>/dev/null | wc -l) -gt 0 ]] || return 1
	done
	[[ $(cwr_count "$1") -eq $(cwr_count "$2") ]]
}

# Reno, because what a sender does on congestion is simplest there.
for ns in near far; do
	$ns sysctl -q -w net.ipv4.tcp_ecn=1 net.ipv4.tcp_congestion_control=reno
done
near nft -f - <<-END || skip "nftables cannot set ECN bits here"
	table inet congestion {
		chain out {
			type filter hook output priority 0;
			tcp dport 5001 ip ecn ect0 numgen inc mod 100 0 ip ecn set ce
			tcp dport 5001 ip6 ecn ect0 numgen inc mod 100 0 ip6 ecn set ce
		}
	}
END

testpmd_pair "$offload"

for family in 4 6; do
	captures=()
	cwr_capture near tap0 $work/sent.$family
	cwr_capture far tap1 $work/arrived.$family

	echoes=$(counter near TcpExtTCPDeliveredCE)
	tcp_transfer near $family 5001 $bytes

	wait_for 30 cwr_settled $work/sent.$family $work/arrived.$family ||
		die "IPv$family: $(cwr_count $work/sent.$family) segments with CWR left," \
			"$(cwr_count $work/arrived.$family) arrived"
	kill "${captures[@]}"
	wait "${captures[@]}" || true

	prefix=Ip$([[ $family -eq 4 ]] && echo Ext || echo 6)
	ect=$(counter far "${prefix}InECT0Pkts")
	ce=$(counter far "${prefix}InCEPkts")
	cwr=$(cwr_count $work/arrived.$family)
	large=$(cwr_count $work/arrived.$family "greater 1600")
	say "IPv$family: $ect packets with ECT, $ce with CE, $cwr with CWR, $large of these large"
	[[ $ect -gt 0 ]] || die "ECN was not negotiated over IPv$family"
	[[ $ce -gt 0 ]] || die "no mark arrived over IPv$family"
	[[ $cwr -gt 0 ]] || die "no answer to the marks over IPv$family"
	[[ $offload != tso || $large -gt 0 ]] || die "no TSO frame with CWR over IPv$family"
	[[ $(counter near TcpExtTCPDeliveredCE) -gt $echoes ]] ||
		die "no echo of the marks came back over IPv$family"
done

testpmd_quit
