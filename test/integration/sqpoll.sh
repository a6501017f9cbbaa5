#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# SQPOLL: the thread that forwards makes no system call while packets move, one kernel thread serves
# all queues of a port, or one each, and packets get through when that thread sleeps, and when
# something else runs on its CPU.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

need ping strace timeout taskset

cpu=${cpus%%[,-]*}

# Threads of testpmd whose name begins with one of these.
threads()
{
	local task name

	for task in /proc/"$pmd_pid"/task/*; do
		for name; do
			[[ $(<"$task/comm") != "$name"* ]] || echo "${task##*/}"
		done
	done
}

kernel_threads_are()
{
	[[ $(threads iou-sqp | wc -l) -eq $1 ]]
}

received()
{
	pmd show port stats "$1" | sed -n 's/^ *RX-packets: \([0-9]*\) .*/\1/p'
}

# pings_pass COUNT INTERVAL: however late, all come back, and in order.
pings_pass()
{
	near ping -q -n -w 60 -c "$1" -i "$2" 10.0.0.2 >$work/ping ||
		die "$3: not all of $1 pings come back: $(<$work/ping)"
	say "$3: $(tail -n 1 $work/ping)"
}

# An idle time that does not pass within the test: once awake, the threads stay so.
io=uring,sqpoll=1
args=sqpoll_idle=60000
testpmd_start --vdev="$(vdev 0 $args)" --vdev="$(vdev 1 $args,sqpoll_cpu="$cpu")" -- \
	--rxq=2 --txq=2
for port in 0 1; do
	for way in rxq txq; do
		pmd show $way info $port 1 | grep -q 'Burst mode: io_uring, sqpoll' ||
			die "port $port does not say so: $(pmd show $way info $port 1)"
	done
done
wait_for 30 kernel_threads_are 2 || die "not one thread for each port: $(threads iou-sqp)"
pinned=0
for task in $(threads iou-sqp); do
	list=$(awk '/^Cpus_allowed_list/ { print $2 }' /proc/"$pmd_pid"/task/"$task"/status)
	[[ $list == "$cpu" ]] && pinned=$((pinned + 1))
done
[[ $cpu == "$cpus" || $pinned -eq 1 ]] || die "$pinned threads are pinned to CPU $cpu"

addresses near tap0 1
far_join
pmd start >/dev/null
wait_for 30 reachable || die "no way from near to far"

worker=$(threads rte-worker lcore-worker dpdk-worker)
spawn near ping -q -f 10.0.0.2 >/dev/null 2>&1
flood=$!
before=$(received 0)
timeout -s INT 3 strace -c -U calls -o $work/calls -p "$worker" 2>$work/strace || true
after=$(received 0)
kill $flood || true
grep -q ' attached' $work/strace || die "strace: $(<$work/strace)"
calls=$(awk '$NF == "total" { total = $1 } END { print total + 0 }' $work/calls)
say "$((after - before)) packets, $calls system calls"
[[ $((after - before)) -gt 100 ]] || die "no traffic"
[[ $calls -eq 0 ]] || die "$calls system calls: $(<$work/calls)"

# Something else wants the CPU of one of the threads.
taskset -c "$cpu" yes >/dev/null &
hog=$!
pings_pass 20 0.01 "busy CPU"
kill $hog
testpmd_quit

# Threads that sleep before each packet.
args=sqpoll_idle=1
testpmd_start --vdev="$(vdev 0 $args)" --vdev="$(vdev 1 $args)"
addresses near tap0 1
far_join
pmd start >/dev/null
wait_for 30 reachable || die "no way from near to far"
pings_pass 10 0.2 "asleep"
testpmd_quit

# The same, and writes in chains.
testpmd_start --vdev="$(vdev 0 $args,sndbuf=65536)" --vdev="$(vdev 1 $args,sndbuf=65536)"
addresses near tap0 1
far_join
pmd start >/dev/null
wait_for 30 reachable || die "no way from near to far"
pings_pass 10 0.2 "asleep, with a limited send buffer"
pings_pass 100 0.002 "a limited send buffer"
testpmd_quit

# A thread for each queue that runs.
io=uring,sqpoll=queue
testpmd_start --vdev="$(vdev 0 $args)" --vdev="$(vdev 1 $args)" -- --rxq=1 --txq=2
for way in rxq txq; do
	pmd show $way info 0 0 | grep -q 'Burst mode: io_uring, sqpoll=queue' ||
		die "port 0 does not say so: $(pmd show $way info 0 0)"
done
wait_for 30 kernel_threads_are 6 || die "not one thread for each queue: $(threads iou-sqp)"
addresses near tap0 1
far_join
pmd start >/dev/null
wait_for 30 reachable || die "no way from near to far"
pings_pass 10 0.2 "a thread for each queue"
pmd stop >/dev/null
pmd port 0 txq 1 stop >/dev/null
wait_for 30 kernel_threads_are 5 || die "not without that of Tx queue 1: $(threads iou-sqp)"
pmd port stop 0 >/dev/null
wait_for 30 kernel_threads_are 3 || die "not without those of port 0: $(threads iou-sqp)"
pmd port start 0 >/dev/null
wait_for 30 kernel_threads_are 6 || die "not one thread for each queue: $(threads iou-sqp)"
testpmd_quit
