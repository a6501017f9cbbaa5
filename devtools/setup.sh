#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Get ready to build, test and show the driver: distribution packages, the driver headers of
# the installed DPDK, huge pages. Does only what has not been done, and says what it does.
# Without root it installs nothing, says what is missing, and fails if the build needs it.

set -euo pipefail
export LC_ALL=C

usage="usage: ${0##*/} [--build | --guest | --ci | --dpdk-source]
	(none)         all that 'make check' and 'make demo' need
	--build        only what 'make' needs
	--guest        also what devtools/guest.sh needs, to run tests under other kernels
	--ci           also the second compiler, the style checkers and what DPDK's own build needs
	--dpdk-source  unpack the complete source of the installed DPDK and print its directory"

build_packages=(gcc libc6-dev meson ninja-build pkg-config python3-pyelftools xz-utils
	libdpdk-dev liburing-dev libmnl-dev libcunit1-dev)
run_packages=(dpdk-dev ethtool iperf3 iproute2 iputils-ping kmod nftables openssl procps python3
	socat strace tcpdump util-linux)
ci_packages=(clang clang-tidy dpkg-dev git libclang-rt-dev libnuma-dev libpcap-dev shellcheck)
guest_packages=(busybox-static cpio kmod qemu-system-x86 xz-utils)

# A quarter of the free memory is lent to DPDK, but no more than this.
huge_kb_wanted=$((1024 * 1024))

top=$(cd "$(dirname "$0")/.." && pwd)
deps=$top/.deps
work=

say() {
	echo "setup: $*" >&2
}

die() {
	say "$@"
	exit 1
}

is_root() {
	[ "$(id -u)" -eq 0 ]
}

# run COMMAND...: its output is shown only if it fails
run() {
	make_work_dir
	"$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
}

make_work_dir() {
	[ -z "$work" ] || return 0
	mkdir -p "$deps"
	work=$(mktemp -d "$deps/tmp.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
}

# keep DIRECTORY NAME: unless another run was faster
keep() {
	mv -T "$1" "$2" 2> /dev/null || [ -d "$2" ] || die "cannot make $2"
}

# missing PACKAGE...: those that are not installed
missing() {
	comm -23 <(printf '%s\n' "$@" | sort) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2> /dev/null |
			sed -n 's/^installed //p' | sort)
}

# Not Debian-like: nothing is installed, but what is there may do.
check_without_dpkg() {
	local lacking=() name

	for name in meson ninja pkg-config; do
		command -v "$name" > /dev/null || lacking+=("$name")
	done
	for name in 'libdpdk >= 22.11' 'liburing >= 2.3' libmnl; do
		pkg-config --exists "$name" 2> /dev/null || lacking+=("$name")
	done
	[ ${#lacking[@]} -eq 0 ] ||
		die "packages can be installed on Debian-like systems only; please install" \
			"with their headers: $(printf '%s, ' "${lacking[@]}" | sed 's/, $//')"
}

# A machine that has just started may be updating the lists itself, and apt waits for every lock
# but that one. What cannot be updated may not be needed.
update_lists() {
	local limit=$((SECONDS + 120))

	make_work_dir
	until apt-get update -o APT::Update::Error-Mode=any > "$work/update" 2>&1; do
		if [ $SECONDS -ge $limit ] || ! grep -q 'Could not get lock' "$work/update"; then
			say "some package lists were not updated"
			return 0
		fi
		sleep 2
	done
}

install_packages() { # PACKAGE...
	local wanted

	mapfile -t wanted < <(missing "$@")
	[ ${#wanted[@]} -gt 0 ] || return 0
	if ! is_root; then
		say "not installed, and only root can install: ${wanted[*]}"
		[ -z "$(missing "${build_packages[@]}")" ] || die "the build needs some of these"
		return 0
	fi
	say "installing ${wanted[*]}"
	export DEBIAN_FRONTEND=noninteractive
	update_lists
	run apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
		"${wanted[@]}" || {
		cat "$work/update" >&2
		die "apt-get could not install: ${wanted[*]}"
	}
}

# The machine's own package sources with "deb" turned into "deb-src", for a private apt
write_source_lists() {
	local file

	mkdir -p "$work"/apt/{sources.list.d,lists/partial,cache/archives/partial}
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -f "$file" ] || sed -nE 's/^\s*deb(-src)?\s+/deb-src /p' "$file"
	done | sort -u > "$work/apt/sources.list"
	for file in /etc/apt/sources.list.d/*.sources; do
		[ ! -f "$file" ] || sed -E 's/^types:.*/Types: deb-src/I' "$file" \
			> "$work/apt/sources.list.d/${file##*/}"
	done
}

private_apt_get() {
	run apt-get -o Dir::Etc::SourceList="$work/apt/sources.list" \
		-o Dir::Etc::SourceParts="$work/apt/sources.list.d" \
		-o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" \
		-o APT::Sandbox::User= "$@"
}

# The source package that the installed DPDK was built from, in $archive
fetch_archive() {
	local source package_version

	[ ! -d "$archive" ] || return 0
	read -r source package_version < <(dpkg-query -W \
		-f '${source:Package} ${source:Version}\n' libdpdk-dev)
	say "fetching the source of DPDK $dpdk_version"
	make_work_dir
	write_source_lists
	# A list that has no sources is no harm if another one has them.
	private_apt_get update 2> "$work/update" || true
	mkdir "$work/archive"
	(cd "$work/archive" && private_apt_get source --download-only --only-source \
		"$source=$package_version") || {
		cat "$work/update" >&2
		die "this machine's package sources do not have the source of" \
			"$source $package_version; apt-get upgrade may bring a version they have"
	}
	keep "$work/archive" "$archive"
}

# What Debian's libdpdk-dev leaves out of DPDK's driver SDK
fetch_headers() {
	local include version

	include=$(pkg-config --variable=includedir libdpdk)
	[ ! -f "$deps/dpdk-$dpdk_version/VERSION" ] && [ ! -f "$include/ethdev_vdev.h" ] || return 0
	command -v apt-get > /dev/null || {
		say "DPDK $dpdk_version is installed without driver headers:" \
			"give its source tree to meson with -Ddpdk_sdk=DIR"
		return 0
	}
	fetch_archive
	make_work_dir
	mkdir "$work/tree"
	tar -xf "$(echo "$archive"/*.orig.tar.*)" -C "$work/tree" --strip-components=1 \
		--exclude '*/examples' --wildcards '*/VERSION' '*/ABI_VERSION' '*/config/*.h' \
		'*/lib/*.h' '*/drivers/bus/vdev/*.h' \
		'*/buildtools/pmdinfogen.py' '*/buildtools/coff.py'
	version=$(cat "$work/tree/VERSION")
	[ "$version" = "$dpdk_version" ] ||
		die "DPDK $dpdk_version is installed, its source package has DPDK $version:" \
			"give the source tree of $dpdk_version to meson with -Ddpdk_sdk=DIR"
	keep "$work/tree" "$deps/dpdk-$dpdk_version"
}

unpack_source() {
	local source=$deps/dpdk-$dpdk_version-source

	if [ ! -d "$source" ]; then
		fetch_archive
		make_work_dir
		run dpkg-source --no-check -x "$archive"/*.dsc "$work/source" ||
			die "dpkg-source could not unpack $archive"
		keep "$work/source" "$source"
	fi
	echo "$source"
}

check_tun() {
	[ ! -c /dev/net/tun ] || return 0
	modprobe tun 2> /dev/null || true
	[ -c /dev/net/tun ] ||
		die "this machine has no /dev/net/tun: load the tun module," \
			"or give the device and CAP_NET_ADMIN to the container"
}

meminfo() { # FIELD
	awk -v field="$1:" '$1 == field { print $2 }' /proc/meminfo
}

# Huge pages are an improvement, not a need: devtools/eal-args.sh finds out.
reserve_huge_pages() {
	local size free want pool=/proc/sys/vm/nr_hugepages

	size=$(meminfo Hugepagesize)
	free=$(meminfo HugePages_Free)
	[ -n "$size" ] || return 0
	want=$((($(meminfo MemAvailable) + free * size) / 4))
	want=$(((want < huge_kb_wanted ? want : huge_kb_wanted) / size))
	# Too few to be used would only be lost.
	if [ $((want * size)) -lt "$("$top/devtools/eal-args.sh" --needed)" ]; then
		want=0
	fi
	if [ "$free" -lt "$want" ] && [ -w $pool ]; then
		say "reserving $((want - free)) huge pages of $size kB"
		echo $(($(meminfo HugePages_Total) + want - free)) > $pool || true
	fi
	if ! grep -q '^[^ ]* [^ ]* hugetlbfs ' /proc/mounts; then
		mkdir -p /dev/hugepages
		mount -t hugetlbfs hugetlbfs /dev/hugepages 2> /dev/null || true
	fi
	[ -z "$("$top/devtools/eal-args.sh")" ] || say "no huge pages to be had, using --no-huge"
}

goal=${1:-run}
case $goal in
run | --build | --guest | --ci | --dpdk-source) ;;
-h | --help) echo "$usage"; exit 0 ;;
*) echo "$usage" >&2; exit 2 ;;
esac

packages=("${build_packages[@]}")
[ "$goal" = --build ] || packages+=("${run_packages[@]}")
case $goal in
--guest) packages+=("${guest_packages[@]}") ;;
--ci | --dpdk-source) packages+=("${ci_packages[@]}") ;;
esac

if command -v dpkg-query > /dev/null && command -v apt-get > /dev/null; then
	install_packages "${packages[@]}"
	# Older releases have it in a package of QEMU's.
	if [ "$goal" = --guest ] && [ ! -x /usr/lib/qemu/virtiofsd ]; then
		install_packages virtiofsd
	fi
else
	check_without_dpkg
fi
dpdk_version=$(pkg-config --modversion libdpdk)
archive=$deps/archive-$dpdk_version
fetch_headers
[ "$goal" != --dpdk-source ] || { unpack_source; exit 0; }
[ "$goal" != --build ] || exit 0
if is_root; then
	check_tun
	reserve_huge_pages
fi
