#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Put the driver, its guide, its feature table and its test into a DPDK source tree and
# register them there.
#
# What the tree should hold is first written into a staging directory: our files as they are,
# the tree's lists with our entries put in. The staging directory is then compared with the
# tree, so that a second run finds nothing to do and --check needs no code of its own.
# A tree older than the interfaces that the driver uses gets compat/ as well.

set -euo pipefail
export LC_ALL=C

usage="usage: ${0##*/} [--check] DPDK_TREE
	Import net_rtap into a DPDK source tree (22.11 or later).
	--check: change nothing, list what would change; exit status 1 if there is something"

driver=drivers/net/rtap
guide=doc/guides/nics/rtap.rst
features=doc/guides/nics/features/rtap.ini
images='doc/guides/nics/img/rtap_*.svg'
unit_test=app/test/test_pmd_rtap.c

die() {
	echo "${0##*/}: $*" >&2
	exit 2
}

check=false
while [ $# -gt 0 ]; do
	case $1 in
	--check) check=true ;;
	-h | --help) echo "$usage"; exit 0 ;;
	-*) die "unknown option $1" ;;
	*) break ;;
	esac
	shift
done
[ $# -eq 1 ] || { echo "$usage" >&2; exit 2; }

ours=$(cd "$(dirname "$0")/.." && pwd)
[ -d "$1" ] || die "$1: no such directory"
tree=$(cd "$1" && pwd)

for file in VERSION lib/ethdev/ethdev_driver.h drivers/net/meson.build app/test/meson.build; do
	[ -f "$tree/$file" ] || die "$tree: not a DPDK source tree, it has no $file"
done
for file in "$driver/meson.build" "$guide" "$features" "$unit_test" MAINTAINERS; do
	[ -f "$ours/$file" ] || die "$file is missing from this project, nothing imported"
done

# VERSION reads 26.07.0, 26.11.0-rc1 or, in a stable branch, 22.11.11
IFS=. read -r year month patch < "$tree/VERSION"
release=$((10#$year * 100 + 10#$month))
[ "$release" -ge 2211 ] || die "$tree is DPDK $year.$month, 22.11 is the oldest supported"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# stage_file SOURCE DESTINATION
stage_file() {
	mkdir -p "$stage/$(dirname "$2")"
	cp "$1" "$stage/$2"
}

# stage_edit FILE COMMAND...: pass a file of the tree through a filter
stage_edit() {
	local file=$1
	shift
	mkdir -p "$stage/$(dirname "$file")"
	"$@" < "$tree/$file" > "$stage/$file" ||
		die "$file of DPDK $year.$month: no place found for net_rtap"
}

# Filter: put LINE into the list that begins with the first line matching START, before the
# first entry that sorts after it. An entry beginning with KEY is ours from an earlier run.
insert_sorted() { # START KEY LINE
	awk -v start="$1" -v key="$2" -v line="$3" '
		index($0, key) == 1 { next }
		inside && ($0 > line || $0 == "") { print line; inside = 0; done = 1 }
		{ print }
		!done && $0 ~ start { inside = 1 }
		END { if (inside) print line; exit !(inside || done) }'
}

# Filter: put the lines of FILE before the first line that equals BEFORE.
# What begins with FILE's first line and ends with LAST is ours from an earlier run.
insert_block() { # FILE BEFORE LAST
	awk -v file="$1" -v before="$2" -v last="$3" '
		BEGIN { while ((getline line < file) > 0) block[++n] = line }
		$0 == block[1] { ours = 1 }
		ours { if ($0 == last) ours = 0; next }
		!done && $0 == before { for (i = 1; i <= n; i++) print block[i]; done = 1 }
		{ print }
		END { exit !done }'
}

# Filter: put FILE into the release notes, behind the last network driver of the new features
insert_release_note() { # FILE
	awk -v file="$1" '
		BEGIN { while ((getline line < file) > 0) item[++n] = line }
		$0 == item[1] { ours = 1; next }
		ours && !/^[^ ]/ { next }
		{ ours = 0; text[++lines] = $0 }
		END {
			for (i = 1; i <= lines; i++) {
				section = text[i + 1] ~ /^---/
				if (features && behind && (section || text[i] ~ /^\* /))
					{ at = i; behind = 0 }
				if (features && section) { end = i; features = 0 }
				if (text[i] == "New Features") features = 1
				if (features && text[i] ~ /^\* .* (ethernet|net) driver/) behind = 1
			}
			if (at == 0) at = end
			for (i = 1; i <= lines; i++) {
				for (j = 1; i == at && j <= n; j++) print item[j]
				print text[i]
			}
			exit at == 0
		}'
}

# The driver, and for a tree older than its interfaces what makes up for them
stage_driver() {
	local file

	while read -r file; do
		stage_file "$ours/$driver/$file" "$driver/$file"
	done < <(cd "$ours/$driver" && find . -type f -name '[!.]*' | sed 's,^\./,,' | sort)
	[ "$release" -ge 2511 ] || stage_compat
	stage_edit drivers/net/meson.build \
		insert_sorted '^drivers = \\[' "        'rtap'," "        'rtap',"
}

stage_compat() {
	local file

	for file in compat/compat.c compat/compat.h compat/include/ethdev_driver.h; do
		[ -f "$ours/$file" ] || die "$file is missing, which DPDK $year.$month needs"
	done
	while read -r file; do
		stage_file "$ours/$file" "$driver/$file"
	done < <(cd "$ours" && find compat/compat.c compat/compat.h compat/include -type f)
	cat >> "$stage/$driver/meson.build" <<- END

		# What DPDK before 25.11 lacks of the interfaces that the driver uses
		sources += files('compat/compat.c')
		includes += include_directories('compat/include', 'compat')
		cflags += ['-include', 'compat.h']
	END
}

stage_guide() {
	local file

	stage_file "$ours/$guide" "$guide"
	stage_file "$ours/$features" "$features"
	for file in "$ours"/$images; do
		stage_file "$file" "${images%/*}/${file##*/}"
	done
	stage_edit doc/guides/nics/index.rst \
		insert_sorted '^    build_and_test$' '    rtap' '    rtap'
}

# The registration macro of the test frame has had three forms
stage_test() {
	local header=$tree/app/test/test.h

	stage_file "$ours/$unit_test" "$unit_test"
	if ! grep -q REGISTER_FAST_TEST "$header"; then
		sed -i -e '/^REGISTER_FAST_TEST/s/ NOHUGE_OK, ASAN_OK,//' \
			-e 's/^REGISTER_FAST_TEST/REGISTER_TEST_COMMAND/' "$stage/$unit_test"
	elif ! grep -q NOHUGE_OK "$header"; then
		sed -i '/^REGISTER_FAST_TEST/s/NOHUGE_OK, ASAN_OK/true, true/' "$stage/$unit_test"
	fi
	if grep -q '^source_file_deps = {' "$tree/app/test/meson.build"; then
		stage_edit app/test/meson.build \
			insert_sorted "^    'test_acl[.]c'" "    'test_pmd_rtap.c'" \
			"    'test_pmd_rtap.c': ['ethdev', 'net_rtap', 'bus_vdev'],"
	else
		cat > "$stage/.block" <<- END
			if dpdk_conf.has('RTE_NET_RTAP')
			    test_deps += 'net_rtap'
			    test_sources += 'test_pmd_rtap.c'
			    fast_tests += [['rtap_pmd_autotest', true, true]]
			endif
		END
		stage_edit app/test/meson.build \
			insert_block "$stage/.block" "if dpdk_conf.has('RTE_NET_NULL')" endif
	fi
}

# Our section of MAINTAINERS, reduced to the files that are imported; the maintainer in .mailmap
stage_maintainers() {
	local person

	awk -v RS= -v "files=$driver/ $guide $images $features $unit_test" '
		function is_imported(file) { return index(" " files " ", " " file " ") }
		index($0, "\nF: drivers/net/rtap/") {
			count = split($0, line, "\n")
			for (i = 1; i <= count; i++)
				if (line[i] !~ /^F: / || is_imported(substr(line[i], 4)))
					print line[i]
			print ""
		}' "$ours/MAINTAINERS" > "$stage/.block"
	[ -s "$stage/.block" ] || die "MAINTAINERS has no section with the line F: $driver/"
	stage_edit MAINTAINERS insert_block "$stage/.block" 'Ring PMD' ''
	[ -f "$tree/.mailmap" ] || return 0
	person=$(sed -n 's/^M: //p' "$stage/.block" | head -n 1)
	grep -qF "$person" "$tree/.mailmap" ||
		stage_edit .mailmap insert_sorted '' "$person" "$person"
}

# Only main, and the first release of a series, has notes that a new driver belongs into
stage_release_note() {
	local notes=doc/guides/rel_notes/release_${year}_$month.rst

	[[ $patch == 0* && -f $tree/$notes ]] || return 0
	cat > "$stage/.block" <<- END
		* **Added rtap ethernet driver.**

		  Added \`\`net_rtap\`\`, a driver for Linux TAP devices
		  which moves packets through io_uring
		  and leaves checksums and segmentation to the kernel.
		  See the :doc:\`../nics/rtap\` guide for more details.

	END
	stage_edit "$notes" insert_release_note "$stage/.block"
}

# install_stage: bring the tree in step, or say what differs
install_stage() {
	local file verb prefix='' changes=0

	! $check || prefix='would be '
	while read -r file; do
		! cmp -s "$stage/$file" "$tree/$file" || continue
		verb=changed
		[ -e "$tree/$file" ] || verb=added
		echo "$prefix$verb $file"
		changes=$((changes + 1))
		! $check || continue
		mkdir -p "$tree/$(dirname "$file")"
		cp "$stage/$file" "$tree/$file"
	done < <(cd "$stage" && find . -type f ! -name .block | sed 's,^\./,,' | sort)

	# What an earlier version of the driver had and this one has not
	while read -r file; do
		[ ! -e "$stage/$file" ] || continue
		echo "${prefix}removed $file"
		changes=$((changes + 1))
		$check || rm "$tree/$file"
	done < <(cd "$tree" && find drivers/net -path "$driver/*" -type f | sort)

	if [ "$changes" -eq 0 ]; then
		echo "net_rtap in DPDK $year.$month.$patch is up to date"
	elif $check; then
		exit 1
	fi
}

stage_driver
stage_guide
stage_test
stage_maintainers
stage_release_note
install_stage
