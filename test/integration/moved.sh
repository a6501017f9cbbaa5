#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# An interface that was moved to another namespace, while the one it came from has another with the
# same index. The port carries traffic through stop and start; what it is told it does where the
# interface is, and never to the other one.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need ping

stranger()
{
	near ip -o link show other0
}

stranger_unharmed()
{
	[[ $(stranger 2>&1) == "$stranger_before" ]] ||
		die "$1 changed another interface: $(stranger)"
	if near ip link show tap1 >/dev/null 2>&1; then
		die "$1 made a second tap1"
	fi
}

gone()
{
	! far ip link show tap1 >/dev/null 2>&1
}

works()
{
	pmd start >/dev/null
	wait_for 30 reachable || die "no way from near to far after $1"
	pmd stop >/dev/null
}

testpmd_pair none
pmd stop >/dev/null
index=$(far cat /sys/class/net/tap1/ifindex)
near ip link add name other0 index "$index" type bridge || skip "no bridge to put in its place"
stranger_before=$(stranger)

pmd port stop all >/dev/null
stranger_unharmed "dev_stop"
pmd port start all >/dev/null
stranger_unharmed "dev_start"
works "a restart"

# sets COMMAND PATTERN: what the command does shows where the interface is, and only there.
sets()
{
	# shellcheck disable=SC2086 # words of a command
	pmd $1 >/dev/null
	far ip -o link show tap1 | grep -- "$2" >/dev/null ||
		die "'$1': $(far ip -o link show tap1)"
	stranger_unharmed "$1"
}

sets "set promisc 1 on" PROMISC
sets "set promisc 1 off" "<BROADCAST,MULTICAST,UP,LOWER_UP>"
sets "set allmulti 1 on" ALLMULTI
sets "set allmulti 1 off" "<BROADCAST,MULTICAST,UP,LOWER_UP>"
sets "set link-down port 1" NO-CARRIER
sets "set link-up port 1" "<BROADCAST,MULTICAST,UP,LOWER_UP>"
far ip link set tap1 down
sets "set link-up port 1" "<BROADCAST,MULTICAST,UP,LOWER_UP>"
addresses far tap1 2
# What testpmd forwards is addressed to the other port.
sets "set promisc 1 on" PROMISC
works "settings from afar"
sets "port config mtu 1 2000" "mtu 2000"
sets "port config mtu 1 1500" "mtu 1500"
works "another MTU"

# More queues need another file, which is opened by name.
pmd port stop all >/dev/null
pmd port config all rxq 2 >/dev/null
pmd port config all txq 2 >/dev/null
[[ $(pmd port start 1) == *[Ff]ail* ]] || die "a second queue of an interface that is not there"
stranger_unharmed "a second queue"
pmd port config all rxq 1 >/dev/null
pmd port config all txq 1 >/dev/null
pmd port start all >/dev/null
works "a second queue that was refused"

pmd port stop all >/dev/null
pmd port close 1 >/dev/null
stranger_unharmed "closing the port"
wait_for 30 gone || die "tap1 outlives its port"
testpmd_quit
stranger_unharmed "the end"
