#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Print the arguments that DPDK programs need to run on this machine:
# none where huge pages are to be had, or else --no-huge. RTAP_EAL_ARGS overrides.
# With --needed: how many kilobytes of huge pages that takes.

set -euo pipefail

huge_kb_needed=$((256 * 1024))

huge_pages_usable() {
	local dir

	[ "$(awk '/^HugePages_Free:/ { free = $2 } /^Hugepagesize:/ { size = $2 }
		END { print free * size }' /proc/meminfo)" -ge "$huge_kb_needed" ] || return 1
	while read -r _ dir _; do
		[ ! -w "$dir" ] || return 0
	done < <(grep '^[^ ]* [^ ]* hugetlbfs ' /proc/mounts)
	return 1
}

if [ "${1:-}" = --needed ]; then
	echo $huge_kb_needed
elif [ -n "${RTAP_EAL_ARGS+set}" ]; then
	echo "$RTAP_EAL_ARGS"
elif ! huge_pages_usable; then
	echo --no-huge -m 512
fi
