#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Prove that the driver builds and works inside DPDK: import it into a copy of DPDK's source,
# build testpmd and the test program there, probe the driver with that testpmd and run the
# driver's test with DPDK's own means. The copy and its build, .deps/intree-VERSION, are kept
# and brought up to date by the next run.
# Exit status 77: built, but there is no right to run anything.

set -euo pipefail

usage="usage: ${0##*/} [DPDK_SOURCE]
	Build and test net_rtap inside a copy of a DPDK source tree
	(default: the source of the installed DPDK, which devtools/setup.sh unpacks)"

cd "$(dirname "$0")/.."
top=$PWD
# The build of DPDK needs the Python modules of the distribution
export PATH=/usr/bin:$PATH

die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

say() {
	echo "in-tree: $*"
}

copy_source() {
	tree=$top/.deps/intree-$(cat "$source/VERSION")
	[ ! -d "$tree" ] || return 0
	say "copying $source to $tree"
	mkdir -p .deps
	rm -rf "$tree.part"
	cp -R "$source" "$tree.part"
	mv "$tree.part" "$tree"
}

# A second import must find nothing to do
import_driver() {
	devtools/import-into-dpdk.sh "$tree"
	devtools/import-into-dpdk.sh --check "$tree"
}

# Before 23.11 the test program was one list of two hundred sources: leave the frame, what the
# frame itself calls, and the tests that the tree adds by library or driver, ours among them
shorten_test_list() {
	local keep='commands|packet_burst_generator|test|test_debug|test_mp_secondary'

	keep+='|test_pmd_perf|test_timer_secondary'
	sed -E -i "/^test_sources = files\(/,/^\)/{/^ /{/'($keep)\.c'/!d}}" \
		"$tree/app/test/meson.build"
}

# The options of DPDK's build that leave out what neither program needs
configure() {
	local libs='-Ddisable_libs=*'

	[ ! -f "$tree/build/build.ninja" ] || return 0
	! grep -q "'enable_libs'" "$tree/meson_options.txt" || libs='-Denable_libs=cmdline,ethdev'
	meson setup -Dbuildtype=plain -Doptimization=1 -Dwerror=true -Dplatform=generic \
		-Denable_drivers='net/rtap,bus/vdev,mempool/ring' \
		-Denable_apps='test-pmd,test' -Dtests=true \
		"$libs" "$tree/build" "$tree" > "$log" || die "configuring failed, see $log"
}

# The test program's place changed with the release
build() {
	local test_program

	test_program=$(ninja -C "$tree/build" -t targets all |
		sed -n 's,^\(app/\(test/\)*dpdk-test\): c_LINKER$,\1,p')
	say "building testpmd and $test_program in $tree/build"
	ninja -C "$tree/build" app/dpdk-testpmd "$test_program" > "$log" || {
		grep -E -A 5 'error|warning|FAILED' "$log" >&2 || tail -n 40 "$log" >&2
		die "building failed, see $log"
	}
	grep -q '#define RTE_NET_RTAP 1' "$tree/build/rte_build_config.h" ||
		die "DPDK's build left net/rtap out, see $tree/build/meson-logs/meson-log.txt"
}

# In a network namespace of its own: the interface has the default name
probe() {
	local driver

	printf 'show port info all\nquit\n' | unshare --net -- "$tree/build/app/dpdk-testpmd" \
		--no-huge -m 256 --no-shconf --no-pci --lcores '0@0,1@0' \
		--vdev=net_rtap0 -- --interactive --total-num-mbufs=2048 > "$log" 2>&1 ||
		{ cat "$log" >&2; die "testpmd failed"; }
	driver=$(grep 'Driver name:' "$log") || { cat "$log" >&2; die "net_rtap0 was not probed"; }
	say "testpmd --vdev=net_rtap0: $driver"
	[[ $driver == *net_rtap ]] || die "net_rtap0 was probed by another driver"
}

# Before 23.11 DPDK lets the test use the huge pages that it saw when it was configured
run_test() {
	local params=--no-pci

	grep -q REGISTER_FAST_TEST "$tree/app/test/test.h" ||
		params+=" --no-huge -m 256 --no-shconf"
	# DPDK allows a fast test ten seconds, which a machine with other work may not have
	DPDK_TEST_PARAMS=$params meson test -C "$tree/build" --no-rebuild --print-errorlogs \
		--timeout-multiplier 10 rtap_pmd_autotest
	grep -q rtap_pmd_autotest "$tree/build/meson-logs/testlog.json" ||
		die "rtap_pmd_autotest is not registered"
}

case ${1:-} in
-h | --help) echo "$usage"; exit 0 ;;
-*) echo "$usage" >&2; exit 1 ;;
'') source=$(devtools/setup.sh --dpdk-source) ;;
*) source=$1 ;;
esac

copy_source
log=$tree/rtap.log
rm -f "$tree/build/meson-logs/testlog.json"
import_driver
shorten_test_list
configure
build
if [ "$(id -u)" -ne 0 ] || [ ! -c /dev/net/tun ]; then
	say "built; root and /dev/net/tun are needed to run it"
	exit 77
fi
probe
run_test
