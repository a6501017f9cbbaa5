# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# shellcheck shell=bash
#
# What every integration test in bash shares. A test is a bash script that sources this file first.
#
#      namespace "near"                                   namespace "far"
#    +--------------------------------------------+     +-----------------------+
#    |  tap0  10.0.0.1/24                         |     |  tap1  10.0.0.2/24    |
#    |   |    fd00::1/64                          |     |   |    fd00::2/64     |
#    |   |                                        |     |   |                   |
#    |  port 0 === dpdk-testpmd === port 1 --- tun file ---+                   |
#    +--------------------------------------------+     +-----------------------+
#
# testpmd runs in "near" and makes both TAPs there; the second is then moved to "far". The data path
# works on the tun file and does not notice; what needs netlink (MTU, more queues) is done while the
# interface is at home: far_leave, far_join.
#
# Nothing outlives a test, whatever ends it: the script runs itself again as process 1 of a PID
# namespace, with mount and network namespaces of its own and a private /run, and the kernel removes
# all of it with that process. Names therefore need not be unique, and copies may run side by side.
#
# Environment: RTAP_BUILD   build directory that holds drivers/librte_net_rtap.so
#              RTAP_IO      io= device argument: uring (default), rw, auto, or "uring,sqpoll=1"
#              RTAP_NAPI    napi= device argument: auto (default), off, on, threaded
#              RTAP_TESTPMD program to run, default dpdk-testpmd
#              RTAP_PATIENCE how many times longer to wait before a test counts as hanging, default 1:
#                           devtools/guest.sh sets it, because an emulator is slow

set -euo pipefail

io=${RTAP_IO:-uring}
napi=${RTAP_NAPI:-auto}
testpmd=${RTAP_TESTPMD:-dpdk-testpmd}
patience=${RTAP_PATIENCE:-1}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${RTAP_BUILD:-$top/build}

say()
{
	echo "$(date +%T) $*"
}

# The reason is what one looks for first: it is shown last, after the log.
die()
{
	echo "FAILED: $*" >>"${reason:-/dev/stderr}"
	exit 1
}

skip()
{
	echo "SKIPPED: $*" >&2
	exit 77
}

need()
{
	local tool

	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# io_uring_setup() has the same number everywhere.
uring_allowed()
{
	python3 -c 'import ctypes, sys
sys.exit(ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120)) < 0)'
}

# Enter the private namespaces. The first pass ends here: unshare takes the shell's place.
if [[ -z ${RTAP_INSIDE:-} ]]; then
	[[ $EUID -eq 0 ]] || skip "needs root"
	[[ -c /dev/net/tun ]] || skip "no /dev/net/tun"
	need unshare ip python3 "$testpmd"
	[[ $io != uring* ]] || uring_allowed || skip "no io_uring here"
	unshare --mount --net --pid --fork true || skip "may not make namespaces"
	RTAP_INSIDE=1 exec unshare --mount --net --pid --fork --mount-proc --kill-child \
		bash "$0" "$@"
fi

mount -t tmpfs -o mode=0755 tmpfs /run
work=/run/rtap
mkdir -p $work
reason=$work/reason
pmd_pid=

# Leaving process 1 kills all others; what remains is to show why.
finish()
{
	local status=$?

	trap - EXIT
	if [[ $status -ne 0 && $status -ne 77 && $status -ne 130 && -f $work/log ]]; then
		echo "--- end of testpmd's log"
		tail -n 30 $work/log
		echo
	fi
	[[ ! -f $reason ]] || cat $reason >&2
	exit $status
}
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

ip netns add near
ip netns add far
for ns in near far; do
	# Addresses are ready at once, not when nobody has objected to them for a second.
	ip netns exec $ns sysctl -q -w net.ipv6.conf.default.accept_dad=0
	ip -n $ns link set lo up
done

near()
{
	ip netns exec near "$@"
}

far()
{
	ip netns exec far "$@"
}

# spawn NAMESPACE COMMAND...: in the background, where $! is the command itself and not a shell.
spawn()
{
	ip netns exec "$@" &
}

# wait_for SECONDS COMMAND...: until the command succeeds. The limit only ends a test that hangs.
wait_for()
{
	local limit=$((SECONDS + $1 * patience))

	shift
	until "$@"; do
		[[ $SECONDS -lt $limit ]] || return 1
		sleep 0.02
	done
}

# ---------------------------------------------------------------------------------------------
# testpmd
# ---------------------------------------------------------------------------------------------

# DPDK refuses a plugin in a world-writable directory, and a build may well be under /tmp.
plugin=$work/librte_net_rtap.so
[[ -f $build/drivers/librte_net_rtap.so ]] || die "no drivers/librte_net_rtap.so in $build"
cp "$build/drivers/librte_net_rtap.so" $plugin

# Memory as the project's set-up arranged it. Nothing of it is left in a file system, and nothing is
# shared with another process.
read -ra eal_memory <<<"$("$top/devtools/eal-args.sh")"
case " ${eal_memory[*]} " in
*" --no-huge "*) eal_memory+=(--no-shconf) ;;
*) eal_memory+=(--in-memory) ;;
esac

# Threads may use every CPU this test may: pinned ones would meet those of other tests.
cpus=$(awk '/^Cpus_allowed_list/ { print $2 }' /proc/self/status)
eal_args=(--lcores "0@($cpus),1@($cpus)" "${eal_memory[@]}" --no-pci --no-telemetry -d "$plugin")

# vdev NUMBER [ARGUMENTS]: the device tapNUMBER.
vdev()
{
	echo "net_rtap$1,iface=tap$1,io=$io,napi=$napi${2:+,$2}"
}

# testpmd_start EAL-ARGUMENT... -- TESTPMD-ARGUMENT...
#
# Without the events, which testpmd prints into its answers.
testpmd_start()
{
	local eal=()

	while [[ $# -gt 0 && $1 != -- ]]; do
		eal+=("$1")
		shift
	done
	shift || true
	rm -f $work/commands
	mkfifo $work/commands
	exec {commands}<>$work/commands
	: >$work/log
	# As spawn does it, which would lose the input.
	ip netns exec near stdbuf -oL "$testpmd" "${eal_args[@]}" "${eal[@]}" -- \
		-i --disable-link-check --no-lsc-interrupt --no-rmv-interrupt \
		--total-num-mbufs=16384 "$@" <$work/commands >>$work/log 2>&1 &
	pmd_pid=$!
	if ! wait_for 60 testpmd_prompts 0; then
		die "testpmd did not start"
	fi
}

# Whether testpmd shows more prompts than that; a testpmd that is gone never will.
testpmd_prompts()
{
	local shown

	shown=$(grep -o 'testpmd> ' $work/log | wc -l)
	[[ $shown -gt $1 ]] || { kill -0 "$pmd_pid" 2>/dev/null || die "testpmd is gone" ; return 1; }
}

# pmd COMMAND...: one testpmd command; prints what testpmd answered.
pmd()
{
	local before from

	before=$(grep -o 'testpmd> ' $work/log | wc -l)
	from=$(stat -c %s $work/log)
	echo "$*" >&"$commands"
	wait_for 60 testpmd_prompts "$before" || die "testpmd does not answer: $*"
	tail -c +$((from + 1)) $work/log | tr -d '\r' | sed -e 1d -e '/^testpmd> $/d'
}

testpmd_quit()
{
	echo quit >&"$commands"
	wait "$pmd_pid" || die "testpmd ended with status $?"
	pmd_pid=
	exec {commands}>&-
}

# testpmd_pair OFFLOAD: two ports, each forwarding to the other, all traffic with that offload:
# none (a plain wire), csum (checksums left to the ports), tso (segmentation and LRO as well).
testpmd_pair()
{
	local offload=$1 args=() port

	case $offload in
	csum)
		# IPv4 header, TCP and UDP, in and out
		args=(--rx-offloads=0xe --tx-offloads=0xe)
		;;
	tso)
		# and LRO, scatter in; TSO, multi-segment out
		args=(--rx-offloads=0x201e --tx-offloads=0x802e)
		;;
	esac
	testpmd_start --vdev="$(vdev 0)" --vdev="$(vdev 1)" -- --disable-device-start "${args[@]}"
	if [[ $offload != none ]]; then
		pmd set fwd csum >/dev/null
		for port in 0 1; do
			# A wire: addresses stay as they are.
			pmd csum mac-swap off $port >/dev/null
			pmd csum set ip hw $port >/dev/null
			pmd csum set tcp hw $port >/dev/null
			pmd csum set udp hw $port >/dev/null
			# Fits an IPv6 segment with time stamps into 1500 bytes.
			[[ $offload == csum ]] || pmd tso set 1400 $port >/dev/null
		done
	fi
	pmd port start all >/dev/null
	addresses near tap0 1
	far_join
	pmd start >/dev/null
	wait_for 30 reachable || die "no way from near to far"
}

# ---------------------------------------------------------------------------------------------
# The two ends
# ---------------------------------------------------------------------------------------------

# addresses NAMESPACE INTERFACE HOST: anew, where they went because the MTU was too small for IPv6.
addresses()
{
	ip -n "$1" link set "$2" up
	ip -n "$1" addr replace "10.0.0.$3/24" dev "$2"
	if [[ $("$1" cat "/sys/class/net/$2/mtu") -ge 1280 ]]; then
		ip -n "$1" addr replace "fd00::$3/64" dev "$2" nodad
	fi
}

far_join()
{
	ip -n near link set tap1 netns far
	addresses far tap1 2
}

far_leave()
{
	ip -n far link set tap1 netns near
}

reachable()
{
	near ping -q -c 1 -W 1 10.0.0.2 >/dev/null && near ping -q -c 1 -W 1 fd00::2 >/dev/null
}

# pings NAMESPACE ADDRESS SIZE: three that may not be fragmented; none is lost, doubled or changed.
#
# They are sent at once. After the first answer, ping waits for the others as long as two round trips
# or the interval between packets take, not as long as -W says.
pings()
{
	"$1" ping -q -M "do" -c 3 -l 3 -i 20 -W 20 -s "$3" "$2" >$work/ping 2>&1 &&
		grep -q ' 3 received, 0% packet loss' $work/ping &&
		! grep -q 'wrong data' $work/ping
}

# peer NAMESPACE FAMILY: the address at the other end, seen from that namespace.
peer()
{
	case $1-$2 in
	near-4) echo 10.0.0.2 ;;
	near-6) echo fd00::2 ;;
	far-4) echo 10.0.0.1 ;;
	far-6) echo fd00::1 ;;
	esac
}

other()
{
	[[ $1 == near ]] && echo far || echo near
}

listening()
{
	[[ -n $("$1" ss -H -l "$2" "sport = :$3") ]]
}

# random BYTES: the same stream each time within one test, so that it need not be kept.
random_key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
random()
{
	head -c "$1" /dev/zero | scramble
}

scramble()
{
	openssl enc -aes-128-ctr -K "$random_key" -iv 0 2>/dev/null
}

# tcp_transfer FROM FAMILY PORT BYTES: send that much from one namespace to the other.
tcp_transfer()
{
	local from=$1 family=$2 port=$3 bytes=$4 to got sum

	to=$(other "$from")
	got=$work/sum.$port
	"$to" socat -u -T 60 -b 262144 "TCP$family-LISTEN:$port,reuseaddr" - | sha256sum >"$got" &
	sum=$!
	wait_for 30 listening "$to" -t "$port" || die "no listener on port $port"
	random "$bytes" |
		"$from" socat -u -T 60 -b 262144 - "TCP$family:[$(peer "$from" "$family")]:$port" ||
		die "sending $bytes bytes from $from over IPv$family"
	wait $sum || die "receiving $bytes bytes from $from over IPv$family"
	[[ $(<"$got") == "$(random "$bytes" | sha256sum)" ]] ||
		die "$bytes bytes from $from over IPv$family arrived changed"
}
