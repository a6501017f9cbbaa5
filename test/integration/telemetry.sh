#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Telemetry, through testpmd's socket: /rtap/info lists the ports and says what is true of each, at
# any time, while ports come and go and are configured anew.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

for i in "${!eal_args[@]}"; do
	[[ ${eal_args[i]} != --no-telemetry ]] || unset "eal_args[i]"
done

cat >$work/ask.py <<'END'
import json
import socket
import sys
import time

command, key, seconds = sys.argv[1:]
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
sock.connect('/run/dpdk/rte/dpdk_telemetry.v2')
sock.settimeout(60)
size = json.loads(sock.recv(1024))['max_output_len']
until = time.monotonic() + float(seconds)
while True:
    sock.send(command.encode())
    answer = list(json.loads(sock.recv(size)).values())[0]
    if time.monotonic() >= until:
        break
answer = answer[key] if key else answer
print(' '.join(answer) if key and isinstance(answer, list) else answer)
END

# ask COMMAND [KEY [SECONDS]]: print the answer, or the value of that key; the last answer of asking
# without a pause for so long.
ask()
{
	python3 $work/ask.py "$1" "${2:-}" "${3:-0}"
}

# value PORT KEY: one that /rtap/info has.
value()
{
	ask "/rtap/info,$1" "$2"
}

# is PORT KEY VALUE
is()
{
	local found

	found=$(value "$1" "$2")
	[[ $found == "$3" ]] || die "port $1: $2 is '$found', expected is '$3'"
}

testpmd_start
ask / | grep '/rtap/info' >/dev/null || die "no /rtap/info"
[[ $(ask /rtap/info) == "[]" ]] || die "a port that is not there: $(ask /rtap/info)"
pmd port attach "$(vdev 0 speed=25000)" >/dev/null
near ip tuntap add tap1 mode tap multi_queue
pmd port attach "$(vdev 1)" >/dev/null
[[ $(ask /rtap/info) == "[0, 1]" ]] || die "ports are missing: $(ask /rtap/info)"
for wrong in 2 99999 -1 x 0x 1,2 99999999999999999999; do
	[[ $(ask "/rtap/info,$wrong") == None ]] || die "an answer for port $wrong"
done

# What the arguments and the interfaces say.
is 0 device net_rtap0
is 0 interface tap0
is 0 ifindex "$(near cat /sys/class/net/tap0/ifindex)"
is 0 netns "$(near readlink /proc/self/ns/net)"
is 0 place here
is 0 created 1
is 0 persist 0
is 0 multi_queue 1
is 0 speed 25000
is 0 min_mtu 68
is 0 max_mtu 65521
is 0 sqpoll 0
is 0 sqpoll_threads 0
is 1 device net_rtap1
is 1 created 0
is 1 persist 1
if [[ $io == uring ]]; then
	pmd port attach "$(vdev 2 sqpoll=1)" >/dev/null
	is 2 sqpoll 1
	flags=" $(value 2 ring_flags) "
	[[ $flags == *" SQPOLL "* && $flags != *" SINGLE_ISSUER "* ]] || die "flags$flags"
	is 2 sqpoll_threads 1
	pmd port close 2 >/dev/null
	pmd device detach net_rtap2 >/dev/null

	pmd port attach "$(vdev 2 sqpoll=queue)" >/dev/null
	is 2 sqpoll 1
	is 2 sqpoll_threads 0
	flags=" $(value 2 ring_flags) "
	[[ $flags == *" SQPOLL "* && $flags != *" ATTACH_WQ "* ]] || die "flags$flags"
	pmd port start 2 >/dev/null
	is 2 sqpoll_threads $(($(value 2 rx_queues) + $(value 2 tx_queues)))
	pmd port stop 2 >/dev/null
	is 2 sqpoll_threads 0
	pmd port close 2 >/dev/null
	pmd device detach net_rtap2 >/dev/null
fi

# What testpmd configures.
is 0 rx_queues 0
pmd port config mtu 0 1400 >/dev/null
pmd port config all rxq 2 >/dev/null
pmd port config all txq 3 >/dev/null
for offload in tcp_lro scatter udp_cksum; do
	pmd port config 0 rx_offload $offload on >/dev/null
done
pmd port config 0 tx_offload tcp_tso on >/dev/null
pmd port start 0 >/dev/null
is 0 mtu 1400
is 0 tap_files 2
is 0 rx_queues 2
is 0 tx_queues 3
is 0 tun_offloads "CSUM TSO4 TSO6 TSO_ECN"
is 0 rx_offloads "UDP_CKSUM TCP_LRO SCATTER"
[[ " $(value 0 tx_offloads) " == *" TCP_TSO "* ]] || die "no TSO: $(value 0 tx_offloads)"

# How it moves packets: as the burst modes have it.
case $(pmd show txq info 0 0) in
*"threaded NAPI"*) is 0 napi threaded ;;
*NAPI*) is 0 napi on ;;
*) is 0 napi off ;;
esac
mode=$(pmd show rxq info 0 0)
case $io in
uring)
	is 0 io io_uring
	is 0 tx_queues_io_uring 3
	[[ " $(value 0 ring_flags) " == *" SUBMIT_ALL "* ]] || die "flags $(value 0 ring_flags)"
	[[ $(value 0 ring_flags) != *UNKNOWN* ]] || die "flags $(value 0 ring_flags)"
	if [[ $(value 0 ring_reads) == 1 ]]; then
		is 0 rx_queues_io_uring 2
		grep "Burst mode: io_uring" <<<"$mode" >/dev/null || die "$mode"
	else
		is 0 rx_queues_io_uring 0
		grep "Burst mode: readv" <<<"$mode" >/dev/null || die "$mode"
	fi
	;;
rw)
	is 0 io readv/writev
	is 0 ring_flags ""
	is 0 rx_queues_io_uring 0
	is 0 rx_queues_fixed_memory 0
	is 0 tx_queues_io_uring 0
	;;
esac

# Filters: testpmd is promiscuous unless told otherwise.
filters()
{
	[[ $(value 0 filters) == "$1" ]] || die "filters are $(value 0 filters), expected is $1"
}
filters "{'mac': 'off', 'unicast': 1, 'multicast': 0, 'vlan': 0, 'vlan_ids': 0}"
pmd set promisc 0 off >/dev/null
filters "{'mac': 'exact', 'unicast': 1, 'multicast': 0, 'vlan': 0, 'vlan_ids': 0}"
pmd mac_addr add 0 02:00:00:00:00:01 >/dev/null
pmd mcast_addr add 0 01:00:5e:00:00:01 >/dev/null
filters "{'mac': 'exact', 'unicast': 2, 'multicast': 1, 'vlan': 0, 'vlan_ids': 0}"
pmd set allmulti 0 on >/dev/null
filters "{'mac': 'allmulticast', 'unicast': 2, 'multicast': 1, 'vlan': 0, 'vlan_ids': 0}"
pmd set allmulti 0 off >/dev/null
for ((i = 2; i <= 8; i++)); do
	pmd mcast_addr add 0 01:00:5e:00:00:0$i >/dev/null
done
filters "{'mac': 'hash', 'unicast': 2, 'multicast': 8, 'vlan': 0, 'vlan_ids': 0}"
for ((i = 2; i <= 8; i++)); do
	pmd mac_addr add 0 02:00:00:00:00:0$i >/dev/null
done
filters "{'mac': 'overflow', 'unicast': 9, 'multicast': 8, 'vlan': 0, 'vlan_ids': 0}"
pmd vlan set filter on 0 >/dev/null
pmd rx_vlan add 5 0 >/dev/null
pmd rx_vlan add 4095 0 >/dev/null
filters "{'mac': 'overflow', 'unicast': 9, 'multicast': 8, 'vlan': 1, 'vlan_ids': 2}"
pmd port stop 0 >/dev/null
filters "{'mac': 'off', 'unicast': 9, 'multicast': 8, 'vlan': 0, 'vlan_ids': 2}"
pmd port start 0 >/dev/null
filters "{'mac': 'overflow', 'unicast': 9, 'multicast': 8, 'vlan': 1, 'vlan_ids': 2}"

# What the administrator does.
near ip link set tap0 name other
is 0 interface other
near ip link set other netns far
is 0 interface other
is 0 netns "$(far readlink /proc/self/ns/net)"
elsewhere()
{
	[[ $(value 0 place) == elsewhere ]]
}
wait_for 30 elsewhere || die "port 0: place is '$(value 0 place)'"
is 0 ifindex "$(far cat /sys/class/net/other/ifindex)"
far ip link set other promisc on
promiscuous()
{
	[[ $(value 0 promiscuous) == 1 ]]
}
wait_for 30 promiscuous || die "port 0 does not see promiscuous mode"

# Ports come and go, and queues with them, while somebody asks.
ask /rtap/info,1 "" 2 >$work/last &
asking=$!
while kill -0 $asking 2>/dev/null; do
	pmd port start 1 >/dev/null
	pmd port stop 1 >/dev/null
	pmd port close 1 >/dev/null
	pmd device detach net_rtap1 >/dev/null
	pmd port attach "$(vdev 1)" >/dev/null
done
wait $asking || die "no answer in the end"
pmd port stop 0 >/dev/null
pmd port close 0 >/dev/null
[[ $(ask /rtap/info) == "[1]" ]] || die "a port that is closed: $(ask /rtap/info)"
[[ $(ask /rtap/info,0) == None ]] || die "an answer for a port that is closed"
testpmd_quit
