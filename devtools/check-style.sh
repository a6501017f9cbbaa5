#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Check the sources against DPDK's rules, and the commits since the last release.
# One line per finding, FILE:LINE: what is wrong; exit status 1 if there is any.

set -euo pipefail
export LC_ALL=C

cd "$(dirname "$0")/.."
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT

# list PATTERN...: the project's files of these names, tracked or about to be
list() {
	git ls-files --cached --others --exclude-standard -- "$@" | sort -u |
		while read -r file; do
			[ ! -f "$file" ] || echo "$file"
		done
}

mapfile -t code < <(list '*.c' '*.h')
[ ${#code[@]} -gt 0 ] || { echo "${0##*/}: no files: not a git checkout?" >&2; exit 1; }
mapfile -t upstream < <(list 'drivers/net/*' 'app/test/*.c')
mapfile -t builds < <(list 'meson.build' '*/meson.build' 'meson_options.txt')
mapfile -t texts < <(list | tr '\n' '\0' | xargs -0 -r grep -lI '' || true)
mapfile -t scripts < <(awk 'FNR == 1 && /^#!.*[\/ ](ba)?sh/ { print FILENAME }' "${texts[@]}")

# Licence tags are asked of all but what DPDK's own check excepts: data, plain text, git's files
check_licence() {
	awk '
		FILENAME ~ /(^|\/)(LICENSE|VERSION|MAINTAINERS|\.mailmap|\.git[^\/]*)$/ { next }
		FILENAME ~ /\.(md|ini|svg|json|csv)$/ { next }
		FNR == 1 { tag = copyright = 0 }
		/SPDX-License-Identifier: BSD-3-Clause$/ { tag = 1 }
		/Copyright/ { copyright = 1 }
		FNR == 4 && !tag { print FILENAME ":1: no SPDX-License-Identifier: BSD-3-Clause" }
		FNR == 4 && !copyright { print FILENAME ":1: no copyright line below the licence" }
		' "$@"
}

# Tabs count as eight columns, a character of several bytes as one. In C a line may be longer
# for the string at its end: what is printed should be found by searching for it.
check_columns() {
	[ $# -eq 0 ] || awk '
		function width(line,   part, count, columns, i) {
			gsub(/[\200-\277]/, "", line)
			count = split(line, part, "\t")
			for (i = 1; i < count; i++)
				columns = int((columns + length(part[i])) / 8 + 1) * 8
			return columns + length(part[count])
		}
		width($0) > 100 {
			code = $0
			if (FILENAME ~ /\.[ch]$/)
				sub(/"[^"]*"[,;)]*$/, "", code)
			if (width(code) > 100 || code == $0)
				print FILENAME ":" FNR ": " width($0) " columns, 100 are allowed"
		}' "$@"
}

check_white_space() {
	awk '
		/[ \t\r]$/ { print FILENAME ":" FNR ": trailing white space" }
		/^ +\t/ { print FILENAME ":" FNR ": space before tab" }' "$@"
}

# The tokens that DPDK wants no more of, outside comments
check_tokens() {
	[ $# -eq 0 ] || awk '
		function forbid(pattern, reason) { ban[++bans] = pattern; why[bans] = reason }
		BEGIN {
			begin = "(^|[^A-Za-z0-9_])"
			end = "($|[^A-Za-z0-9_])"
			forbid(begin "(RTE_LOG|RTE_LOG_DP|rte_log)\\(", "use RTE_LOG_LINE")
			forbid(begin "RTE_LOG_REGISTER\\(", "use RTE_LOG_REGISTER_SUFFIX")
			forbid(begin "(printf|perror|puts)\\(", "no output from a driver")
			forbid("fprintf\\((stdout|stderr)", "no output from a driver")
			forbid(begin "(rte_panic|rte_exit|exit)\\(", "a driver returns errors")
			forbid("__attribute__", "use the macro of EAL")
			forbid("__builtin_", "use the macro of EAL")
			forbid("__rte_always_inline", "use inline")
			forbid("%ll?[xud]", "use PRI*64")
			forbid(begin "rte_atomic[0-9][0-9]_", "use rte_stdatomic.h")
			forbid("rte_smp_(r|w)?mb", "use rte_atomic_thread_fence")
			forbid("__sync_[a-z]", "use rte_stdatomic.h")
			forbid("__(atomic|ATOMIC)_", "use rte_stdatomic.h")
			forbid("#pragma|_Pragma", "no compiler pragma")
			forbid("pthread_(create|join|detach|set|attr_set)", "use rte_thread")
			forbid("rte_thread_(set_name|create_control)\\(", "use the internal one")
			forbid(begin "__(reserved|alignof__|typeof__)" end, "use the standard word")
			forbid("ALLOW_(EXPERIMENTAL|INTERNAL)_API", "set by the build of DPDK")
			forbid("install_headers", "set headers")
			forbid("linux/pci_regs\\.h", "use rte_pci.h")
		}
		function without_comments(text,   code, at) {
			while (text != "") {
				at = index(text, comment ? "*/" : "/*")
				if (!comment)
					code = code (at ? substr(text, 1, at - 1) : text)
				if (!at)
					break
				comment = !comment
				text = substr(text, at + 2)
			}
			return code
		}
		FNR == 1 { comment = 0; is_test = FILENAME ~ /^app\// }
		{
			code = without_comments($0)
			for (i = 1; i <= bans; i++)
				if (match(code, ban[i]) && !(is_test && why[i] ~ /driver/)) {
					token = substr(code, RSTART, RLENGTH)
					gsub(/^[ \t(!]+|[ \t]+$/, "", token)
					print FILENAME ":" FNR ": " token ": " why[i]
				}
		}' "$@"
}

check_versions() {
	[ $# -eq 0 ] || awk '
		FILENAME !~ /^compat\// && /RTE_VERSION|RTE_VER_/ {
			print FILENAME ":" FNR ": what releases differ in belongs into compat/"
		}' "$@"
}

check_includes() {
	[ $# -eq 0 ] || awk '
		FNR == 1 { split("", seen) }
		/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
			name = $0
			sub(/^[^<"]*[<"]/, "", name)
			sub(/[>"].*/, "", name)
			if (name in seen) print FILENAME ":" FNR ": " name " is included twice"
			seen[name] = 1
		}' "$@"
}

# Lists as check-meson.py wants them: entries one a line, indented by eight, each with its comma;
# file names in order
check_lists() {
	[ $# -eq 0 ] || awk '
		function say(what) { print FILENAME ":" FNR ": " what }
		FNR == 1 { inside = 0 }
		{ code = $0; sub(/[ \t]*#.*/, "", code) }
		code == "" { next }
		code ~ /^ *\t/ { say("tab in meson.build") }
		inside && code ~ /^ *[])]|[])]$/ && code !~ /[[(]/ { inside = 0; next }
		inside && code ~ /[][]/ { next }
		inside {
			match(code, /^ */)
			if (RLENGTH != indent + 8) say("list entry is not indented by eight spaces")
			if (code !~ /,$/) say("list entry without comma")
			if (split(code, entry, ",") > 2) say("several list entries on one line")
			if (code ~ /^ *\047[^\047]*\.[ch]\047,$/) {
				if (code < last) say("list is not sorted")
				last = code
			}
			next
		}
		code ~ /(files\(|= \[)$/ {
			match(code, /^ */)
			indent = RLENGTH
			inside = 1
			last = ""
		}' "$@"
}

# Following what scripts source takes too long: variables from elsewhere (SC2154), and for
# elsewhere (SC2034), are let pass
check_scripts() {
	[ $# -gt 0 ] || return 0
	! command -v shellcheck > /dev/null ||
		shellcheck --format=gcc --severity=warning --exclude=SC2034,SC2154 "$@" || true
}

# Tables of the documentation are made of what was measured
check_figures() {
	command -v python3 > /dev/null || return 0
	PYTHONDONTWRITEBYTECODE=1 devtools/bench-tables.py doc/performance/kpath-perf.json \
		README.md doc/guides/nics/rtap.rst 2>&1 || true
	PYTHONDONTWRITEBYTECODE=1 devtools/paths-tables.py doc/performance \
		doc/guides/tools/kpath-perf.rst 2>&1 || true
}

# Headline and body of every commit since the last release that changes files
check_commits() {
	local release range=HEAD

	git rev-parse -q --verify HEAD > /dev/null || return 0
	release=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2> /dev/null || true)
	[ -z "$release" ] || range=$release..HEAD
	git log --reverse --format='%x01%h%x02%s%x02%b%x02' --name-only "$range" | awk '
		BEGIN {
			RS = "\001"
			FS = "\002"
			cases = split("Rx Tx MAC MTU TSO LRO USO ECN VLAN IPv4 IPv6 TCP UDP NAPI " \
				"DPDK Linux API ABI CPU NUMA README CI", word, " ")
		}
		function say(what) { print "commit " $1 ":1: " what ": " $2 }
		function drivers_only(files,   count, name, i) {
			count = split(files, name, "\n")
			for (i = 1; i <= count; i++)
				if (name[i] != "" && name[i] !~ /^drivers\//)
					return 0
			return 1
		}
		NF < 4 || $4 ~ /^[ \n]*$/ { next }
		{
			colon = index($2, ": ")
			text = substr($2, colon + 2)
			if ($2 !~ /^[a-z0-9.][a-z0-9\/._-]*: [^ ]/)
				say("headline is not COMPONENT: WORDS")
			if (length($2) > 60)
				say("headline is longer than 60 characters")
			if (text ~ /^[A-Z]/)
				say("upper case after the colon")
			if (text ~ /_/)
				say("underscore, which names code, after the colon")
			if ($2 ~ /\.$|[,;!?&|\t]|  /)
				say("punctuation in the headline")
			if (drivers_only($4) && $2 !~ /^(net\/rtap|drivers): /)
				say("a driver change begins with net/rtap:")
			for (i = 1; i <= cases; i++) {
				bounded = "[^a-z0-9]" tolower(word[i]) "[^a-z0-9]"
				if (match(" " tolower(text) " ", bounded) &&
						substr(text, RSTART, length(word[i])) != word[i])
					say("wrong case of " word[i])
			}
			if ($3 ~ /^It /)
				say("body begins with It")
			lines = split($3, line, "\n")
			for (i = 1; i <= lines; i++)
				if (length(line[i]) > 75 && line[i] !~ /^Fixes: /)
					say("body line " i " is longer than 75 characters")
		}'
}

{
	check_licence "${texts[@]}"
	check_columns "${code[@]}" "${builds[@]}" "${scripts[@]}"
	check_white_space "${texts[@]}"
	check_tokens "${upstream[@]}"
	check_versions "${code[@]}" "${builds[@]}"
	check_includes "${code[@]}"
	check_lists "${builds[@]}"
	check_scripts "${scripts[@]}"
	check_figures
	check_commits
} > "$findings"

cat "$findings"
[ ! -s "$findings" ]
