#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Run a command as root under another Linux kernel, in a virtual machine that sees this machine's
# files. What the command writes to them is kept in the virtual machine's memory, and is gone with
# it; what it prints is printed. There is no network.
#
# Its processors are emulated, ten to twenty times slower than real ones, so that nothing is needed
# of this machine: that shows what works, not how fast it is. Tests of this project wait longer
# there before they take something for hanging (RTAP_PATIENCE), and need a larger -t.

set -euo pipefail
export LC_ALL=C

usage="usage: ${0##*/} [-k SUITE] [-t SECONDS] COMMAND [ARGUMENT]...
	-k SUITE    with the kernel of that Debian release: trixie (Linux 6.12, the default),
	            bookworm (6.1), ...; it is fetched once
	-t SECONDS  that the command may take, 600
The status is that of the command; 77: not possible here, 124: out of time."

suite=trixie
limit=600
memory=3G

top=$(cd "$(dirname "$0")/.." && pwd)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work=
virtiofsd_pid=
qemu_pid=

say() {
	echo "${0##*/}: $*" >&2
}

give_up() {
	say "$@"
	exit 77
}

# Newer releases of Debian have it elsewhere.
find_virtiofsd() {
	for virtiofsd in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do
		[ ! -x $virtiofsd ] || return 0
	done
	return 1
}

check_machine() {
	local missing=()

	[ "$(uname -m)" = x86_64 ] || give_up "knows x86_64 only"
	[ "$(id -u)" -eq 0 ] || give_up "needs root"
	command -v qemu-system-x86_64 > /dev/null || missing+=(qemu-system-x86)
	find_virtiofsd || missing+=(virtiofsd)
	# Nothing else is there when it runs: it must be the static one.
	{ command -v busybox > /dev/null && ! ldd "$(command -v busybox)" > /dev/null 2>&1; } ||
		missing+=(busybox-static)
	command -v cpio > /dev/null || missing+=(cpio)
	command -v modprobe > /dev/null || missing+=(kmod)
	command -v xz > /dev/null || missing+=(xz-utils)
	[ ${#missing[@]} -eq 0 ] ||
		give_up "not installed: ${missing[*]}; devtools/setup.sh --guest does it"
}

make_work_dir() {
	mkdir -p "$top/.deps"
	work=$(mktemp -d "$top/.deps/tmp.XXXXXX")
	trap 'kill $qemu_pid $virtiofsd_pid 2> /dev/null || true; rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
}

# From where this machine's own packages come, with lists of its own
private_apt() { # COMMAND ARGUMENT...
	"$@" -o Dir::Etc::SourceList="$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" \
		-o Dir::State::Status=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=
}

# The kernel for virtual machines. A list that has none is no harm if another one has it.
download_image() {
	private_apt apt-get update || true
	image=$(private_apt apt-cache depends linux-image-cloud-amd64 |
		sed -n 's/.*Depends: *\(linux-image-[0-9]\)/\1/p') &&
		(cd "$work" && private_apt apt-get download "$image")
}

# The kernel and its modules, in $kernel
fetch_kernel() {
	local codename image

	[ ! -d "$kernel" ] || return 0
	command -v apt-get > /dev/null || give_up "kernels can be fetched on Debian only"
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	mkdir -p "$work"/apt/{lists/partial,cache/archives/partial}
	apt-get indextargets --format "deb [signed-by=$keyring] \$(REPO_URI) $suite main" \
		'Created-By: Packages' 'Component: main' "Release: $codename" |
		sort -u > "$work/apt/sources.list"
	say "fetching the kernel of $suite"
	if ! download_image > "$work/log" 2>&1; then
		cat "$work/log" >&2
		give_up "this machine's package sources have no kernel of $suite"
	fi
	mkdir "$work/kernel"
	dpkg-deb -x "$work/$image"_*.deb "$work/kernel"
	[ -d "$work/kernel/lib" ] || ln -s usr/lib "$work/kernel/lib"
	depmod -b "$work/kernel" "$(ls "$work/kernel/lib/modules")"
	mv -T "$work/kernel" "$kernel" 2> /dev/null || [ -d "$kernel" ]
}

# What has to be loaded before there are files: in the order in which that works
add_modules() { # DIRECTORY
	local action file n=100

	while read -r action file; do
		[ "$action" = insmod ] || continue
		case $file in
		*.xz) xz -dc "$file" ;;
		*) cat "$file" ;;
		esac > "$1/$((n += 1)).ko"
	done < <(modprobe -d "$kernel" -S "$version" --show-depends -a \
		virtio_pci virtiofs overlay | awk '!seen[$0]++')
}

# The first process, and what it runs
make_initrd() { # COMMAND ARGUMENT...
	local root=$work/root

	mkdir -p "$root"/{bin,dev,proc,sys,host,memory,files,modules}
	cp "$(command -v busybox)" "$root/bin"
	add_modules "$root/modules"
	{
		printf 'cd %q || exit\n' "$PWD"
		printf '%q ' "$@"
	} > "$root/command"
	cat > "$root/init" <<- END
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t devtmpfs dev /dev
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		for module in /modules/*; do insmod \$module; done
		mount -t virtiofs -o ro host /host
		mount -t tmpfs -o size=60% memory /memory
		mkdir /memory/upper /memory/work
		mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work \
			files /files
		for dir in dev proc sys; do mount --move /\$dir /files/\$dir; done
		mkdir /files/dev/shm /files/dev/pts
		mount -t tmpfs -o mode=1777 shm /files/dev/shm
		mount -t devpts pts /files/dev/pts
		mount -t tmpfs run /files/run
		mkdir -p /files/lib/modules
		ln -s '$kernel/lib/modules/$version' /files/lib/modules
		cp /command /files/run/command
		path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		enter="env -i HOME=/root PATH=\$path RTAP_PATIENCE=20 chroot /files"
		echo /modprobe > /files/proc/sys/kernel/modprobe
		\$enter modprobe -a tun vhost_net
		ifconfig lo 127.0.0.1
		stty -F /files/dev/ttyS1 raw
		echo started > /files/dev/ttyS2
		{ \$enter bash /run/command; echo \$? > /files/dev/ttyS2; } 2>&1 < /files/dev/null |
			cat > /files/dev/ttyS1
		poweroff -f
	END
	# What the kernel runs to load a module that the command needs: it sees these files only.
	cat > "$root/modprobe" <<- END
		#!/bin/busybox sh
		exec /bin/busybox chroot /files /sbin/modprobe "\$@"
	END
	chmod +x "$root/init" "$root/modprobe"
	(cd "$root" && find . | cpio -o -H newc --quiet) > "$work/initrd"
}

# Old versions of QEMU emulate cmpxchg16b wrongly: the kernel does without.
boot() {
	"$virtiofsd" --socket-path="$work/files" -o source=/ -o sandbox=chroot -o cache=always \
		> "$work/virtiofsd" 2>&1 &
	virtiofsd_pid=$!
	until [ -S "$work/files" ]; do
		kill -0 $virtiofsd_pid 2> /dev/null || { cat "$work/virtiofsd" >&2; exit 1; }
		sleep 0.1
	done
	: > "$work/status"
	timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -M q35 \
		-cpu Haswell-noTSX,-cx16 -smp "$(nproc)" -m $memory -no-reboot \
		-object memory-backend-memfd,id=memory,size=$memory,share=on \
		-numa node,memdev=memory -nic none -display none -monitor none \
		-chardev socket,id=files,path="$work/files" \
		-device vhost-user-fs-pci,chardev=files,tag=host \
		-serial file:"$work/console" -serial stdio -serial file:"$work/status" \
		-kernel "$kernel/boot/vmlinuz-$version" -initrd "$work/initrd" \
		-append 'console=ttyS0 quiet panic=-1 mitigations=off' \
		< /dev/null 2> "$work/qemu" &
	qemu_pid=$!
	status=0
	wait $qemu_pid || status=$?
	kill $virtiofsd_pid 2> /dev/null || true
	rm -f "$work/files"
}

while getopts hk:t: option; do
	case $option in
	k) suite=$OPTARG ;;
	t) limit=$OPTARG ;;
	h) echo "$usage"; exit 0 ;;
	*) echo "$usage" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
if [[ $# -eq 0 || ! $limit =~ ^[1-9][0-9]*$ || ! $suite =~ ^[a-z][a-z-]*$ ]]; then
	echo "$usage" >&2
	exit 2
fi

check_machine
make_work_dir
kernel=$top/.deps/linux-$suite
fetch_kernel
version=$(ls "$kernel/lib/modules")
make_initrd "$@"
# With several processors, QEMU sometimes misses code that the kernel patches while it boots.
for _ in 1 2 3 4 5; do
	boot
	[ $status -ne 124 ] || { say "not finished after $limit s"; exit 124; }
	[ ! -s "$work/status" ] || break
done
status=$(tr -d '\r' < "$work/status" | sed -n 2p)
[ -n "$status" ] || {
	tail -n 20 "$work/qemu" "$work/console" >&2
	say "the virtual machine ended before the command"
	exit 1
}
exit "$status"
