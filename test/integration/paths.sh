#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# paths.sh PROGRAM: kpath-perf compares all paths. Each has a result here, or a reason and a remedy;
# wrong options are refused before anything is done; nothing is left behind, also when it is
# interrupted. How fast anything is depends on the machine, and is not looked at.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

perf=$1
memory=()
[[ -z $("$top/devtools/eal-args.sh") ]] || memory+=(--no-huge)

# refused OPTION... : status 2, a message that names the option, and no result.
refused()
{
	local status=0

	"$perf" "$@" >$work/out 2>$work/errors || status=$?
	[[ $status -eq 2 ]] || die "$*: status $status: $(<$work/errors)"
	grep -q -e "${1%%=*}" -e "these options" $work/errors || die "$*: $(<$work/errors)"
	[[ ! -s $work/out ]] || die "$*: does something: $(<$work/out)"
}

say "wrong options"
nb_cpus=$(getconf _NPROCESSORS_CONF)
for option in --mtu=67 --mtu=64987 --mtu=x --mtu= --rounds=0 --rounds=100 --duration=-1 \
	--duration=1s --cpus= '--cpus=,' --cpus=x --cpus=1- --cpus=1-0 "--cpus=$nb_cpus" --paths= \
	--paths=rtap,nopath --tests=notest '--tests=,' --offloads=tso --json=/nonexistent/x \
	--rounds=99999999999999999999 --rounds=+1 --duration=0 --json=$work --json= --only= \
	--only=nothing-like-that --paths=rtap,rtap --tests=tcp,tx,tcp --nooption; do
	refused "$option"
done
refused bar
refused --rounds
refused --bench --tests=tx --paths=veth
# Who does not know the names is told them.
for option in --paths=tap --tests=notest --offloads=on; do
	refused $option
	grep -Eq 'known are (rtap,.* veth,|tx, rx,.* rrul$|off, csum, all$)' $work/errors ||
		die "$option: no names: $(<$work/errors)"
done

# contradiction OPTION... : each is right, but not with the others; the first is named.
contradiction()
{
	refused "$@"
	grep -Eq 'leave|exclude|or leave' $work/errors || die "$*: no advice: $(<$work/errors)"
}

say "options without effect"
contradiction --json=$work/json --self-test
contradiction --report=$work/report --self-test
contradiction --json=$work/json --list
contradiction --details --list
contradiction --report=$work/report --features
contradiction --tests=tx --features
contradiction --rounds=3 --self-test
contradiction --features --self-test
contradiction --features --paths=veth,loop-rw
contradiction --self-test --paths=loop-rw
contradiction --flent=$work/flent --tests=tcp
contradiction --flent=$work/flent --bench
contradiction --flent=$work/flent --only=stream
contradiction --offloads=off --tests=tx
[[ ! -e $work/report && ! -e $work/json ]] || die "something was written"

# What is there now, to be compared with what is there later.
left()
{
	ls /sys/class/net
	ls /dev/hugepages
	find /run/dpdk -name 'kpath-perf*'
	pgrep -x kpath-perf || true
} 2>/dev/null

say "list and help"
"$perf" --help >$work/help
"$perf" --list >$work/list
for word in rtap net_tap virtio_user af_packet af_xdp pcap veth tcp rtt wake idle; do
	grep -q "$word" $work/list || die "--list lacks $word: $(<$work/list)"
done
while read -r option; do
	grep -q -e "^  $option" $work/help || die "--help lacks $option"
done <<-END
	--paths
	--tests
	--only
	--offloads
	--mtu
	--brief
	--bench
	--rounds
	--duration
	--cpus
	--no-huge
	--json
	--details
	--list
END

say "as nobody: a reason and a remedy"
cp "$perf" $work/perf
chmod 755 $work
status=0
setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all $work/perf >$work/out \
	2>$work/errors || status=$?
[[ $status -eq 77 ]] || die "without permission: status $status: $(<$work/errors)"
for words in 'no permission' 'run it as root'; do
	[[ $(grep -c "$words" $work/errors) -eq 1 ]] || die "no reason, or many: $(<$work/errors)"
done
setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all $work/perf --list >$work/out ||
	die "--list without permission: status $?"
grep -q 'None runs here: no permission' $work/out || die "no reason: $(<$work/out)"
grep -q 'None of these can be measured' $work/out || die "a time for nothing: $(<$work/out)"

say "all paths, short"
before=$(left)
"$perf" --brief --rounds=1 --duration=20 --json $work/json "${memory[@]}" >$work/table \
	2>$work/errors || die "status $?: $(tail -n 5 $work/errors)"
[[ $(left) == "$before" ]] || die "left behind: $(left)"
grep -q '^rrul  *p50 us ' $work/table || die "latency under load has another name: $(<$work/table)"
! grep -E -e '-[0-9.]+x' $work/table || die "a ratio to a number that is less than nothing"
for test in tx rx load rtt rrul; do
	awk -v test=$test '/^[a-z]/ { in_it = $1 == test } in_it && $1 == "lost" { found = 1 }
		END { exit !found }' $work/table ||
		die "the table does not say what $test lost: $(<$work/table)"
done
[[ $(grep -Ec '^ *saturated .*(application|kernel)' $work/table) -ge 3 ]] ||
	die "the table does not say which side was saturated: $(<$work/table)"
grep -q '^L: more than 1 % ' $work/table || die "no legend for losses: $(<$work/table)"
grep -q '^1/[0-9]* tx .* left$' $work/errors || die "no progress: $(<$work/errors)"
python3 - $work/json $work/table <<-'END' || die "not what it should be"
	import json, sys

	asked = ['rtap', 'net_tap', 'virtio_user', 'af_packet', 'af_xdp', 'pcap', 'veth']
	data = json.load(open(sys.argv[1]))
	table = open(sys.argv[2]).read()
	assert data['complete'] and 'INCOMPLETE' not in table, data['complete']
	header = next(line for line in table.splitlines() if line.split()[:1] == ['rtap'])
	paths = {path['name']: path for path in data['paths']}
	runs = [name for name in asked if paths[name]['runs']]
	assert 'rtap' in runs and 'veth' in runs, runs
	for name in asked:
	    path = paths[name]
	    assert path['kind'] == ('kernel alone' if name == 'veth' else 'redirection'
	        if name in ('af_packet', 'af_xdp', 'pcap') else 'injection'), path
	    assert path['runs'] or (path['why'] and path['how']), ('no reason', path)
	    assert path['runs'] or path['why'] in table and path['how'] in table, path
	    assert (name in header.split()) == path['runs'], (name, header)
	measured = set()
	for case in data['cases']:
	    what = {key: case[key] for key in case if key != 'paths'}
	    there = [path['path'] for path in case['paths']]
	    assert there == asked, (there, what)
	    for path in case['paths']:
	        if case['primary'] in path['metrics']:
	            measured.add((path['path'], case['test']))
	        elif path['path'] not in runs:
	            assert path['why'] and path['how'], ('no reason', path, what)
	        if case['test'] == 'load' and path['path'] == 'rtap' and path['metrics']:
	            # One thread spends no more CPU time than there is; senders are not counted.
	            m = {name: value['median'] for name, value in path['metrics'].items()}
	            assert m['cpu_ns'] - m['threads_ns'] < 1.2 * m['ns'], m
	        if case['test'] in ('tx', 'rx') and path['path'] == 'veth' and path['metrics']:
	            # A bare program: a burst of 32 is a system call, and its frames arrive.
	            m = {name: value['median'] for name, value in path['metrics'].items()}
	            assert m.get('syscalls', 0) < 0.04 and m['lost_permille'] < 500, m
	# Both yardsticks, for one way as well
	lines = [line for line in table.splitlines() if line.startswith(('tx 64 B', ' '))]
	line = next(i for i, line in enumerate(lines) if line.startswith('tx 64 B'))
	assert 'x kernel' in lines[line + 1] and '1.00x' in lines[line + 1], lines
	# What does not need two threads to run at once has a result everywhere.
	for name in runs:
	    for test in ('tx', 'idle'):
	        assert (name, test) in measured, ('no result', name, test)
END

say "tables of the guide"
export PYTHONDONTWRITEBYTECODE=1
mkdir $work/record
cp $work/json $work/record/paths.json
"$top/devtools/paths-tables.py" $work/record >$work/tables || die "no tables for the guide"
for words in 'table_kpath_machine' '| 64 B into the kernel, ns ' '| there and back, us '; do
	grep -q -e "$words" $work/tables || die "no $words: $(<$work/tables)"
done
printf '.. _table_kpath_results:\n\n   +---+\n   | x |\n   +---+\n\nThe end\n' >$work/guide.rst
! "$top/devtools/paths-tables.py" $work/record $work/guide.rst >$work/out ||
	die "finds no fault in $(<$work/guide.rst)"
grep -q 'guide.rst:1: table_kpath_results ' $work/out || die "finds another fault: $(<$work/out)"

say "MTU, offloads and CPUs"
first=$(awk '/^Cpus_allowed_list/ { print $2 }' /proc/self/status)
first=${first%%[-,]*}
"$perf" --mtu=600 --tests=tx --rounds=1 --duration=5 --cpus="$first" --paths=rtap,rtap-rw \
	--json=$work/json "${memory[@]}" >$work/table 2>$work/errors ||
	die "status $?: $(<$work/errors)"
python3 - $work/json <<-'END' || die "not what it should be: $(<$work/table)"
	import json, sys

	data = json.load(open(sys.argv[1]))
	assert data['machine']['cpus'] == 1, data['machine']
	assert [case['len'] for case in data['cases']] == [64, 512, 614], data['cases']
	for case in data['cases']:
	    assert case['mtu'] == 600, case
	    assert [path['path'] for path in case['paths']] == ['rtap', 'rtap-rw'], case
	    assert all('ns' in path['metrics'] for path in case['paths']), case
END
"$perf" --mtu=9000 --tests=tcp --only="1 stream up, offloads off" --rounds=1 --duration=5 \
	--paths=rtap,af_packet,veth --json=$work/json "${memory[@]}" >$work/table 2>$work/errors ||
	die "status $?: $(<$work/errors)"
python3 - $work/json $work/table <<-'END' || die "not what it should be: $(<$work/table)"
	import json, re, sys

	data = json.load(open(sys.argv[1]))
	table = open(sys.argv[2]).read()
	case, = data['cases']
	paths = {path['path']: path for path in case['paths']}
	assert case['mtu'] == 9000 and 'why' not in paths['rtap'], case
	runs = {path['name']: path['runs'] for path in data['paths']}
	if runs['af_packet']:   # its frames are not that large
	    why = paths['af_packet']['why']
	    assert re.fullmatch('takes no MTU above 15[0-9][0-9]', why) and why in table, why
END
# 1 and 4 streams, three directions, three kinds of offloads
"$perf" --list --tests=tcp >$work/list
[[ $(grep 'offloads' $work/list | sort -u | wc -l) -eq 18 ]] || die "combinations: $(<$work/list)"
"$perf" --list --tests=tcp --offloads=csum >$work/list
"$perf" --list --offloads=csum >$work/all
grep -q '^  rrul ' $work/all || die "--offloads leaves out what has none: $(<$work/all)"
if ! grep -q 'offloads csum' $work/list || grep -q 'offloads [oa]' $work/list; then
	die "--offloads: $(<$work/list)"
fi

say "no io_uring, and no TAP"
python3 "$(dirname "$0")/seccomp.py" io_uring_setup=EPERM -- "$perf" --tests=idle --rounds=1 \
	--duration=5 --paths=rtap,rtap-sqpoll,net_tap --json=$work/uring "${memory[@]}" \
	>$work/table 2>$work/errors || die "without io_uring: status $?: $(<$work/errors)"
unshare --mount bash -c 'mount -t tmpfs tmpfs /dev/net && exec "$@"' - "$perf" --tests=rtt \
	--rounds=1 --duration=5 --json=$work/tun "${memory[@]}" >$work/table 2>$work/errors ||
	die "without TAP: status $?: $(<$work/errors)"
python3 - $work/uring $work/tun <<-'END' || die "not what it should be"
	import json, sys

	uring, tun = [json.load(open(name)) for name in sys.argv[1:]]
	paths = {path['name']: path for path in uring['paths']}
	assert paths['rtap']['runs'] and 'io_uring' in paths['rtap']['note'], paths['rtap']
	assert not paths['rtap-sqpoll']['runs'], paths['rtap-sqpoll']
	assert 'io_uring' in paths['rtap-sqpoll']['why'], paths['rtap-sqpoll']
	metrics = {path['path']: path['metrics'] for path in uring['cases'][0]['paths']}
	assert 'ns' in metrics['rtap'] and not metrics['rtap-sqpoll'], metrics
	paths = {path['name']: path for path in tun['paths']}
	for name in ('rtap', 'net_tap', 'virtio_user'):
	    assert paths[name].get('why') == 'no /dev/net/tun' or name == 'virtio_user', name
	    assert not paths[name]['runs'] and paths[name]['how'], paths[name]
	metrics = {path['path']: path['metrics'] for path in tun['cases'][0]['paths']}
	assert 'p50_us' in metrics['veth'] and not metrics['rtap'], metrics
END

# incomplete SIGNAL: what was measured until then is in the table, the page and the JSON file.
incomplete()
{
	grep -Eq '^INCOMPLETE: it was ended after [5-7] of 22 cases' $work/table ||
		die "SIG$1: the table does not say that it is incomplete: $(<$work/table)"
	grep -q '^tcp 1 up off ' $work/table || die "SIG$1: no results: $(<$work/table)"
	python3 - $work/json $work/page/index.html $work <<-'END' || die "SIG$1: not complete"
		import json, os, sys

		data = json.load(open(sys.argv[1]))
		page = open(sys.argv[2]).read()
		assert data['complete'] is False, data
		assert 5 <= len(data['cases']) <= 7, len(data['cases'])
		for case in data['cases'][:4]:
		    assert case['primary'] in case['paths'][0]['metrics'], case
		assert f"INCOMPLETE: it was ended after {len(data['cases'])} of 22 cases" in page
		assert not [name for name in os.listdir(sys.argv[3]) if name.startswith('.')]
	END
	cp $work/json $work/record/paths.json
	! "$top/devtools/paths-tables.py" $work/record >$work/out 2>&1 ||
		die "SIG$1: the guide would take incomplete results"
}

# A signal that ends it in the middle of traffic leaves nothing but what was measured until then.
for signal in INT TERM; do
	say "SIG$signal"
	rm -f $work/json
	env --default-signal=$signal "$perf" --tests=tx,tcp --paths=rtap,veth --report=$work/page \
		--json=$work/json "${memory[@]}" >$work/table 2>$work/errors &
	pid=$!
	wait_for 60 grep -q '^6/' $work/errors || die "no progress: $(<$work/errors)"
	# As it is all the time: five cases are done, but not all. A reader never sees half a file.
	python3 -c 'import json, sys
data = json.load(open(sys.argv[1]))
assert not data["complete"] and len(data["cases"]) >= 5, data' $work/json || die "no results yet"
	kill -$signal $pid
	status=0
	wait $pid || status=$?
	[[ $status -eq $((128 + $(kill -l $signal))) ]] ||
		die "SIG$signal: status $status: $(<$work/errors)"
	incomplete $signal
	gone()
	{
		[[ $(left) == "$before" ]]
	}
	wait_for 10 gone || die "SIG$signal leaves $(left)"
done

# Rounds of a case that is under way count, too. A terminal tells all processes of the program.
say "Ctrl-C"
python3 - $work/json "$perf" --tests=rtt --paths=rtap,veth --rounds=99 --duration=20 \
	--json=$work/json "${memory[@]}" <<-'END' || die "Ctrl-C: not what it should be"
	import json, os, pty, signal, sys

	pid, terminal = pty.fork()
	if pid == 0:
	    signal.signal(signal.SIGINT, signal.SIG_DFL)
	    os.execv(sys.argv[2], sys.argv[2:])
	said, sent = b'', False
	while True:
	    try:
	        more = os.read(terminal, 65536)
	    except OSError:   # it has ended
	        break
	    if not more:
	        break
	    said += more
	    if not sent and b'round 3 of 99' in said:
	        os.write(terminal, b'\x03')
	        sent = True
	status = os.waitpid(pid, 0)[1]
	assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, (status, said)
	assert b'INCOMPLETE: it was ended after 1 of 1 cases' in said, said
	data = json.load(open(sys.argv[1]))
	assert not data['complete'], data
	for path in data['cases'][0]['paths']:
	    assert 2 <= path['metrics']['p50_us']['rounds'] < 99, path
END
[[ $(left) == "$before" ]] || die "Ctrl-C leaves $(left)"
