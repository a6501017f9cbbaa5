#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# What a polled port costs while there is nothing to receive: no system call with io_uring, whether
# the port is quiet, one of its queues is stopped, or its interface has been deleted. (readv cannot
# do without: with io=rw the quiet port shows that the calls are counted.)
#
# Pitfall: a poll on a TAP file that is not attached completes at once with POLLERR, for ever,
# and a driver that polls again is in a busy loop with two system calls a turn.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need strace timeout

# The thread that forwards: EAL names it after its lcore.
worker()
{
	local task

	for task in /proc/"$pmd_pid"/task/*; do
		if grep -q -E '^(rte|lcore|dpdk)-worker-?1$' "$task/comm"; then
			echo "${task##*/}"
			return
		fi
	done
	die "no forwarding thread: $(cat /proc/"$pmd_pid"/task/*/comm)"
}

# How many system calls the forwarding thread makes in a few seconds.
calls()
{
	local task

	task=$(worker) || exit 1
	# Interrupted, which is how it ends: the status says nothing.
	timeout -s INT 3 strace -c -U calls -o $work/calls -p "$task" 2>$work/strace || true
	grep -q ' attached' $work/strace || die "strace: $(<$work/strace)"
	awk '$NF == "total" { total = $1 } END { print total + 0 }' $work/calls
}

# A loop makes tens of thousands even under strace; a few packets of the stack's own cost some.
expect_quiet()
{
	local count

	[[ $io != rw ]] || return 0
	count=$(calls) || exit 1
	say "$1: $count system calls"
	[[ $count -lt 200 ]] || die "$1: $count system calls: $(<$work/calls)"
}

testpmd_start --vdev="$(vdev 0)" --vdev="$(vdev 1)" -- --rxq=2 --txq=2
addresses near tap0 1
far_join
pmd start >/dev/null
wait_for 30 reachable || die "no way from near to far"
expect_quiet "quiet port"
if [[ $io == rw ]]; then
	count=$(calls) || exit 1
	[[ $count -gt 1000 ]] || die "$count system calls: they are not counted"
fi

pmd stop >/dev/null
pmd port 0 rxq 1 stop >/dev/null
near ip -d link show tap0 | grep -q 'numqueues 1 numdisabled 1 ' || die "the queue does not stop"
pmd start >/dev/null
expect_quiet "stopped queue"
wait_for 30 reachable || die "no way from near to far with a stopped queue"

near ip link del tap0
expect_quiet "deleted interface"
pmd show port stats 0 | grep -q RX-packets || die "no statistics of a port without interface"
testpmd_quit
