#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Device arguments. Each bad one: probe fails, the message names the key and what is allowed, and
# neither an interface, a port nor a file is left behind. Each good one does what it says.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

interfaces()
{
	near ip -o link show | awk '{ print $2 }'
}

files()
{
	find "/proc/$pmd_pid/fd" -mindepth 1 | wc -l
}

ports()
{
	pmd show port summary all | sed -n 's/^Number of available ports: //p'
}

# refused ARGUMENTS KEY ALLOWED: a probe with these must fail and say that.
refused()
{
	local answer

	answer=$(pmd port attach "net_rtap0,$1")
	grep "'$2'" <<<"$answer" | grep -q -- "$3" ||
		die "'$1': no message that names '$2' and '$3', but: $answer"
	nothing_left "$1"
}

nothing_left()
{
	[[ $(ports) == 0 ]] || die "'$1': a port is left behind"
	[[ $(interfaces) == "$interfaces_before" ]] || die "'$1': left behind: $(interfaces)"
	[[ $(files) -eq $files_before ]] ||
		die "'$1': files are left behind: $(ls -l "/proc/$pmd_pid/fd")"
}

# accepted DEVICE ARGUMENTS NAME: a probe with these makes an interface of that name.
accepted()
{
	local answer

	answer=$(pmd port attach "$1${2:+,$2}")
	[[ $answer == *"is attached"* ]] || die "'$1,$2' is refused: $answer"
	near ip -o link show "$3" >/dev/null || die "'$1,$2' makes no $3: $(interfaces)"
}

detached()
{
	local answer

	pmd port stop 0 >/dev/null
	pmd port close 0 >/dev/null
	answer=$(pmd device detach "$1")
	[[ $answer == *"is detached"* ]] || die "$1 cannot be detached: $answer"
}

mac_is()
{
	near ip -o link show "$1" | grep -q "link/ether $2 " ||
		die "$1 has another address: $(near ip -o link show "$1")"
}

testpmd_start
# The first probe opens what is then kept, and is not what is tested here.
pmd port attach net_rtap0 >/dev/null
detached net_rtap0
interfaces_before=$(interfaces)
files_before=$(files)

# A bad value.
name="1 to 15 characters"
refused iface= iface "$name"
refused iface iface "$name"
refused iface=abcdefghijklmnop iface "$name"
refused iface=a/b iface "$name"
refused iface=.. iface "$name"
refused persist=2 persist "0 or 1"
refused persist=yes persist "0 or 1"
refused persist= persist "0 or 1"
refused persist=-1 persist "0 or 1"
refused mac mac fixed
refused mac= mac fixed
refused mac=fixed1 mac fixed
refused mac=02:00:00:00:00 mac fixed
refused mac=02:00:00:00:00:0g mac fixed
refused mac=01:00:5e:00:00:01 mac fixed
refused mac=00:00:00:00:00:00 mac fixed
refused speed speed "1 to 2147483647"
refused speed=0 speed "1 to 2147483647"
refused speed=10G speed "1 to 2147483647"
refused uso=2 uso "0 or 1"
refused io io uring
refused io= io rw
refused io=sqpoll io auto
refused sqpoll=2 sqpoll "0, 1 or 'queue'"
refused sqpoll=1,sqpoll_cpu=x sqpoll_cpu "number of a CPU"
refused sqpoll=1,sqpoll_cpu=4095 sqpoll_cpu "not online"
refused sqpoll=1,sqpoll_idle=0 sqpoll_idle "1 to 60000 ms"
# Arguments that do not go together.
refused sqpoll_cpu=0 sqpoll_cpu sqpoll=1
refused sqpoll_idle=10 sqpoll_idle sqpoll=1
refused sqpoll=1,io=rw sqpoll io=rw
refused sqpoll=queue,io=rw sqpoll io=rw
refused sqpoll=queue,sqpoll_cpu=0 sqpoll_cpu sqpoll=queue

# A key that is unknown, or is given twice, among good ones too.
refused ifac=tap0 ifac iface=
refused Iface=tap0 Iface iface=
refused remote=eth0 remote persist
refused iface=tap0,colour=blue colour mac=
refused iface=tap0,iface=tap0 iface "more than once"
refused persist,iface=tap0,persist=1 persist "more than once"
refused mac=fixed,mac=02:00:00:00:00:01 mac "more than once"
refused io=rw,iface=tap0,io=rw io "more than once"

# Good after bad: defaults, each key, the alias.
accepted net_rtap0 "" rtap0
detached net_rtap0
accepted eth_rtap0 "" rtap0
detached eth_rtap0
accepted net_rtap0 iface=fifteen-letters fifteen-letters
detached net_rtap0
accepted net_rtap0 iface=t%d t0
detached net_rtap0
accepted net_rtap0 "iface=tap0,mac=02:00:00:00:00:01,io=$io" tap0
mac_is tap0 02:00:00:00:00:01
detached net_rtap0
accepted net_rtap0 "iface=tap0,persist=0,io=auto" tap0
detached net_rtap0
if uring_allowed; then
	for arguments in sqpoll sqpoll=1,sqpoll_cpu="${cpus%%[,-]*}",sqpoll_idle=5 \
		sqpoll=queue,sqpoll_idle=5; do
		accepted net_rtap0 "iface=tap0,$arguments" tap0
		detached net_rtap0
	done
fi
# As net_tap has it: "dtap0".
accepted net_rtap0 iface=tap0,mac=fixed tap0
mac_is tap0 '02:64:74:61:70:30'
detached net_rtap0
nothing_left "the good ones"

for persist in persist persist=1; do
	accepted net_rtap0 iface=tap0,$persist tap0
	detached net_rtap0
	near ip link show tap0 >/dev/null || die "$persist: tap0 is gone with its port"
	near ip link del tap0
done
testpmd_quit

# From the command line, where a name may have a space in it.
log=$(near "$testpmd" "${eal_args[@]}" "--vdev=net_rtap0,iface=a b" -- \
	--total-num-mbufs=4096 </dev/null 2>&1) || true
grep "'iface'" <<<"$log" | grep -q "$name" || die "a space in the name: $log"
