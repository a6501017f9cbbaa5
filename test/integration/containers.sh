#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# With few rights, as in a container: as a user with CAP_NET_ADMIN, without any capability on an
# interface that is prepared, on an open file that is handed over, without io_uring. What can be
# done is done; what cannot, names the right that is missing. Huge pages are not used.
#
# testpmd runs in "near" with one port, tap0, and answers pings itself.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need setpriv ping

here=$(cd "$(dirname "$0")" && pwd)
real_testpmd=$testpmd
eal_args=(--lcores "0@($cpus),1@($cpus)" --no-huge -m 256 --no-shconf --no-pci --no-telemetry
	-d "$plugin")
user=54321
mkdir -m 0700 $work/user
chown $user $work/user
export XDG_RUNTIME_DIR=$work/user

# A directory of devices whose rights may be changed.
mkdir $work/net
mknod -m 0666 $work/net/tun c 10 200 || skip "may not make devices"
mount --bind $work/net /dev/net

# through COMMAND...: run testpmd by means of that.
through()
{
	testpmd=$work/testpmd
	printf '#!/bin/bash\nexec %s "$@"\n' "${*@Q} ${real_testpmd@Q}" >$testpmd
	chmod 0755 $testpmd
}

# The user, with these capabilities and the one to read the build tree, which may be root's.
as_user=(setpriv "--reuid=$user" "--regid=$user" --clear-groups --no-new-privs)
with()
{
	echo "--inh-caps=-all,+dac_read_search$1 --ambient-caps=-all,+dac_read_search$1" \
		"--bounding-set=-all,+dac_read_search$1"
}
# shellcheck disable=SC2207 # words
no_rights=("${as_user[@]}" $(with ""))
# shellcheck disable=SC2207
net_admin=("${as_user[@]}" $(with ",+net_admin"))
all_rights=(env)
"${net_admin[@]}" true || skip "may not hand on capabilities"

tun()
{
	python3 "$here/tun.py" "$@"
}

# start ARGUMENTS [TESTPMD-ARGUMENT...]: testpmd with such a port, ready to answer pings.
start()
{
	local arguments=$1

	shift
	testpmd_start --vdev="net_rtap0,$arguments" -- --forward-mode=icmpecho "$@"
	pmd start >/dev/null
}

# logged TEXT: testpmd has said that.
logged()
{
	grep -qF -- "$1" $work/log || die "no message '$1'"
}

not_logged()
{
	! grep -F -- "$1" $work/log || die "there is a message '$1'"
}

# says TEXT COMMAND...: the answer of testpmd to the command.
says()
{
	local text=$1 answer

	shift
	answer=$(pmd "$@")
	[[ $answer == *"$text"* ]] || die "'$*' does not say '$text', but: $answer"
}

# answers NAMESPACE [ADDRESS]
answers()
{
	"$1" ping -q -c 1 -W 1 "${2:-10.0.0.2}" >/dev/null
}

pingable()
{
	wait_for 30 answers "$1" || die "no answer to pings in $1: $2"
}

close_port()
{
	pmd stop >/dev/null
	pmd port stop 0 >/dev/null
	pmd port close 0 >/dev/null
	says "is detached" device detach net_rtap0
}

# refused ARGUMENTS TEXT: a probe with these must fail and say that.
refused()
{
	says "$2" port attach "net_rtap0,$1"
	says ": 0" show port summary all
}

prepare()
{
	near ip tuntap add dev tap0 mode tap "$@"
	near ip addr add 10.0.0.1/24 dev tap0
	near ip link set tap0 up
}

# state INTERFACE FILE...: what is to be found again. The operational state lags behind the carrier,
# which is LOWER_UP.
state()
{
	local i

	near ip -d -o link show "$1" | sed 's/^[0-9]*: //; s/NO-CARRIER,//; s/ state [A-Z]* / /'
	for i in "${@:2}"; do
		tun show "$i"
	done
}

# left_in_order BEFORE STATE-ARGUMENT...: but for the carrier, which tells that nobody is there
left_in_order()
{
	local now

	now=$(state "${@:2}")
	[[ $now != *LOWER_UP* ]] || die "carrier without a port: $now"
	[[ $now == "${1/,LOWER_UP/}" ]] || die "after the port: $now and not: $1"
}

# ---------------------------------------------------------------------------------------------
# Capabilities
# ---------------------------------------------------------------------------------------------

say "CAP_NET_ADMIN alone"
through "${net_admin[@]}"
start "iface=tap0,io=$io"
addresses near tap0 1
pingable near "with CAP_NET_ADMIN"
not_logged CAP_NET_ADMIN
[[ -z $(pmd port config mtu 0 1400) ]] || die "MTU refused with CAP_NET_ADMIN"
[[ $(near cat /sys/class/net/tap0/mtu) == 1400 ]] || die "MTU not changed"
testpmd_quit
wait_for 30 eval '! near ip link show tap0 2>/dev/null' >/dev/null || die "tap0 is left behind"

say "no capability, the interface is ours and ready"
through "${no_rights[@]}"
for kind in "" multi_queue; do
	# shellcheck disable=SC2086
	prepare user $user $kind
	start "iface=tap0,io=$io" ${kind:+--rxq=2 --txq=2}
	pingable near "on an interface that is ready"
	not_logged "cannot switch 'up'"
	not_logged "cannot change MTU"
	says "cannot change MTU from 1500 to 1400: it takes CAP_NET_ADMIN" port config mtu 0 1400
	says "cannot switch 'allmulticast' on: it takes CAP_NET_ADMIN" set allmulti 0 on
	close_port
	# Again, and with a MAC address, which takes the file only.
	says "is attached" port attach "net_rtap0,iface=tap0,mac=02:00:00:00:00:05,io=$io"
	near ip link show tap0 | grep -q 02:00:00:00:00:05 || die "MAC address not set"
	testpmd_quit
	# The next user gets it as a new one: the short header, in the byte order of the machine.
	show=$(near bash -c 'exec 5<>/dev/net/tun && python3 "$0" attach 5 tap0 "${@:2}" &&
		python3 "$0" show 5' "$here/tun.py" -- TAP NO_PI VNET_HDR ${kind:+MULTI_QUEUE})
	[[ $show == *"header 10 little-endian 0"* ]] || die "the interface is left changed: $show"
	near ip link del tap0
done

say "no capability, the interface is not ready"
near ip tuntap add dev tap0 mode tap user $user
near ip link set tap0 mtu 1300
start "iface=tap0,io=$io"
logged "cannot switch 'up' on: it takes CAP_NET_ADMIN"
logged "cannot change MTU from 1300 to 1500: it takes CAP_NET_ADMIN"
logged "the MTU of the port is 1300"
says "MTU: 1300" show port info 0
near ip addr add 10.0.0.1/24 dev tap0
near ip link set tap0 up
pingable near "after the interface was set up"
testpmd_quit
near ip link del tap0

say "no capability, what is refused"
near ip tuntap add dev tap1 mode tap user 1
near ip tuntap add dev tap2 mode tap user $user
testpmd_start
refused "iface=tap0,io=$io" "making an interface takes CAP_NET_ADMIN"
refused "iface=tap1,io=$io" "is its owner"
refused "iface=tap2,io=$io,speed=25000" "cannot set speed 25000: it takes CAP_NET_ADMIN"
refused "iface=tap2,io=$io,napi=threaded" "/sys/class/net may not be written to"
chmod 0600 $work/net/tun
refused "iface=tap1,io=$io" "no permission to read and write /dev/net/tun"
mv $work/net/tun $work/net/away
refused "iface=tap1,io=$io" "/dev/net/tun is missing"
mv $work/net/away $work/net/tun
chmod 0666 $work/net/tun
testpmd_quit
near ip link del tap1
near ip link del tap2

# Root of a user namespace of its own, as in rootless containers, where no capability opens the
# build tree of somebody else.
if ! unshare --user --map-root-user true; then
	say "no user namespaces here"
elif ! "${as_user[@]}" --inh-caps=-all test -x "$(command -v "$real_testpmd")"; then
	say "$real_testpmd is not for a user of a user namespace"
else
	say "in a user namespace"
	through "${as_user[@]}" --inh-caps=-all --bounding-set=-all \
		unshare --user --map-root-user --net
	start "iface=tap0,io=$io"
	inside=(nsenter --net --target "$pmd_pid")
	"${inside[@]}" ip addr add 10.0.0.1/24 dev tap0
	wait_for 30 "${inside[@]}" ping -q -c 1 -W 1 10.0.0.2 >/dev/null ||
		die "no answer in a user namespace"
	not_logged CAP_NET_ADMIN
	testpmd_quit
fi

# ---------------------------------------------------------------------------------------------
# Files that are handed over
# ---------------------------------------------------------------------------------------------

# The files of this shell are testpmd's as well. Interfaces are made in the namespace of this shell,
# and moved.
say "an open file"
through "${no_rights[@]}"
exec 5<>/dev/net/tun
tun attach 5 tap0 TAP NO_PI VNET_HDR
ip link set tap0 netns near
addresses near tap0 1
before=$(state tap0 5)
start "fd=5,io=$io"
pingable near "on a file"
says "Max possible RX queues: 1" show port info 0
close_port
left_in_order "$before" tap0 5
says "is attached" port attach "net_rtap0,fd=5,io=$io"
refused=$(pmd port attach "net_rtap1,fd=5,io=$io")
[[ $refused == *"another port uses it"* ]] || die "one file in two ports: $refused"
testpmd_quit

say "an open file, without success"
exec 6<>/dev/net/tun
tun attach 6 tap1 TAP NO_PI VNET_HDR
ip link set tap1 netns near
near ip link set tap1 up
before=$(state tap1 6)
through python3 "$here/seccomp.py" ioctl:0x8924=EBUSY io_uring_setup=EPERM --
testpmd_start
for arguments in mac=02:00:00:00:00:01,io=rw io=uring; do
	refused "fd=6,$arguments" "RTAP: "
	[[ $(state tap1 6) == "$before" ]] ||
		die "a failure with '$arguments' leaves: $(state tap1 6) and not: $before"
done
testpmd_quit

say "an open file, without netlink"
through python3 "$here/seccomp.py" socket:0x80003=EPERM --
start "fd=5,io=$io"
logged "cannot open a netlink socket"
pingable near "without netlink"
testpmd_quit

# Whether there is NAPI was decided when the file was opened.
say "an open file with NAPI"
through "${no_rights[@]}"
exec 19<>/dev/net/tun
tun attach 19 tap4 TAP NO_PI VNET_HDR NAPI
ip link set tap4 netns near
near ip addr add 10.0.1.1/24 dev tap4
near ip link set tap4 up
before=$(state tap4 19)
testpmd_start
refused fd=5,napi=on "napi=on: the file has no NAPI: open it with IFF_NAPI"
refused fd=19,napi=off "napi=off: the file has NAPI: open it without IFF_NAPI"
refused fd=19,napi=threaded "/sys/class/net may not be written to"
refused fd=19,speed=25000 "cannot set speed 25000: it takes CAP_NET_ADMIN"
[[ $(state tap4 19) == "$before" ]] ||
	die "refusals leave: $(state tap4 19) and not: $before"
testpmd_quit

# with_napi ARGUMENTS SEND-BUFFER MODE: a port on that file which works like that.
with_napi()
{
	start "fd=19,io=$io$1"
	wait_for 30 answers near 10.0.1.2 || die "no answer with NAPI"
	[[ $(tun show 19) == *"send buffer $2"* ]] || die "no send buffer of $2: $(tun show 19)"
	says "$3" show txq info 0 0
}
with_napi "" 4194304 ", NAPI"
close_port
left_in_order "$before" tap4 19
testpmd_quit
through "${all_rights[@]}"
with_napi ,napi=threaded,sndbuf=100000 100000 ", threaded NAPI"
[[ $(near cat /sys/class/net/tap4/threaded) == 1 ]] || die "no threads on a file"
close_port
[[ $(near cat /sys/class/net/tap4/threaded) == 0 ]] || die "threads are left"
left_in_order "$before" tap4 19
testpmd_quit

say "several files"
through "${no_rights[@]}"
exec 7<>/dev/net/tun 8<>/dev/net/tun
for i in 7 8; do
	tun attach $i tap2 TAP NO_PI VNET_HDR MULTI_QUEUE
done
ip link set tap2 netns near
near ip link del tap1
near ip link set tap0 name tap9
near ip link set tap2 name tap0
near ip addr flush dev tap9
addresses near tap0 1
before=$(state tap0 7 8)
start "fd=7:8,io=$io,sndbuf=200000" --rxq=2 --txq=2
queues_used()
{
	for host in {10..40}; do
		answers near 10.0.0.$host || true
	done
	pmd show port xstats 0 >$work/xstats
	grep -q 'rx_q0_packets: [1-9]' $work/xstats && grep -q 'rx_q1_packets: [1-9]' $work/xstats
}
pingable near "on several files"
wait_for 60 queues_used || die "not both queues are used: $(<$work/xstats)"
# Fewer queues and more again: the file is still there.
for queues in 1 2; do
	pmd stop >/dev/null
	pmd port stop 0 >/dev/null
	pmd port config all rxq $queues >/dev/null
	pmd port config all txq $queues >/dev/null
	pmd port start 0 >/dev/null
	pmd start >/dev/null
	pingable near "with $queues queues"
	near ip -d link show tap0 | grep -q "numqueues $queues " ||
		die "not $queues queues attached"
done
pmd stop >/dev/null
pmd port stop 0 >/dev/null
says "ail" port config all rxq 3
pmd port config all rxq 1 >/dev/null
pmd port config all txq 1 >/dev/null
pmd port start 0 >/dev/null
close_port
left_in_order "$before" tap0 7 8
testpmd_quit

say "files that cannot be used"
exec 9<>/dev/net/tun
exec 10</dev/null
for i in 11 12 13 14 16; do
	eval "exec $i<>/dev/net/tun"
done
exec 15<&7
tun attach 11 tun1 TUN NO_PI VNET_HDR
tun attach 12 bad1 TAP NO_PI
tun attach 13 bad2 TAP VNET_HDR
tun attach 14 tap0 TAP NO_PI VNET_HDR MULTI_QUEUE
tun attach 16 bad3 TAP NO_PI VNET_HDR NAPI NAPI_FRAGS
tun detach 8
testpmd_start
refused fd=99 "no such file is open"
refused fd=10 "not a file of /dev/net/tun"
refused fd=9 "has no interface"
refused fd=8 "detached"
refused fd=11 "is a TUN"
refused fd=12 "no virtio-net header"
refused fd=13 "packet information"
refused fd=16 "IFF_NAPI_FRAGS"
refused fd=5:7 "single queue"
refused fd=7:14 "another interface than the first"
refused fd=7:15 "same open file"
refused fd=7,iface=tap0 "'iface' cannot be given together with 'fd'"
refused fd=7,persist "'persist' cannot be given together with 'fd'"
testpmd_quit

# The interface stays in the namespace of this shell; "near" has one of the same name and address,
# in use as well. Whether the process could ask where the interface is or not, it is not confused.
say "an open file of another namespace"
mac=02:00:00:00:00:33
exec 17<>/dev/net/tun
exec 18<>/dev/net/tun
tun attach 17 tap3 TAP NO_PI VNET_HDR
ip link set tap3 address $mac netns near
near ip link set tap3 up
tun attach 18 tap3 TAP NO_PI VNET_HDR
ip link set tap3 address $mac mtu 9000 up
ip addr add 10.0.0.1/24 dev tap3
here()
{
	"$@"
}
namesake_before=$(state tap3 17)
for rights in no_rights all_rights; do
	declare -n words=$rights
	through "${words[@]}"
	start "fd=18,io=$io" --mbuf-size=10240 --max-pkt-len=9014
	pingable here "from another namespace, with $rights"
	ping -q -M "do" -s 8900 -c 1 -W 10 10.0.0.2 >/dev/null || die "no large ping"
	[[ -z $(pmd port config mtu 0 8000) ]] || die "an MTU was refused with $rights"
	if [[ $rights == no_rights ]]; then
		logged "not to be seen from here"
		logged "there is no link interrupt"
		says "kernel_tx_packets: 0" show port xstats 0
	else
		not_logged "not to be seen from here"
		ip -o link show tap3 | grep " mtu 8000 " >/dev/null || die "the MTU is not set"
	fi
	close_port
	[[ $(state tap3 17) == "$namesake_before" ]] ||
		die "the namesake changed: $(state tap3 17) and not: $namesake_before"
	testpmd_quit
done

# ---------------------------------------------------------------------------------------------
# io_uring
# ---------------------------------------------------------------------------------------------

# Which call fails, and how, is up to the engine: Docker says EPERM, Podman ENOSYS. The kernel says
# EPERM with kernel.io_uring_disabled.
say "io_uring forbidden"
near ip link del tap0
prepare
for rule in io_uring_setup=EPERM io_uring_setup=ENOSYS io_uring_enter=EPERM \
	io_uring_register=EPERM; do
	through python3 "$here/seccomp.py" $rule --
	start iface=tap0,io=auto
	logged "tap0: using readv/writev, which is slower: "
	logged "seccomp"
	pingable near "without io_uring ($rule)"
	says "readv" show rxq info 0 0
	says "writev" show txq info 0 0
	close_port
	refused iface=tap0,io=uring "tap0: io=uring: "
	testpmd_quit
done
