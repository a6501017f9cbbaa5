#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# guest.sh SUITE PROGRAM: kpath-perf finds that its numbers can be trusted on virtio-user with
# vhost-net, where this machine has none of it: under the kernel of that release of Debian.

set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
program=$(realpath "$2")

if [[ -e /dev/vhost-net ]]; then
	echo "SKIPPED: this machine has vhost-net, and kpath-perf-selftest tests it" >&2
	exit 77
fi
status=0
checks=$("$top/devtools/guest.sh" -k "$1" -t 300 "$program" --no-huge --self-test \
	--paths=virtio_user) || status=$?
[[ $status -ne 77 ]] || { echo "$checks" >&2; exit 77; }
grep -v '^ok ' <<<"$checks" || true
[[ $status -eq 0 ]] || { echo "FAILED: status $status" >&2; exit 1; }
# Not that there was nothing to check
for check in 'into the kernel, 1514 B' 'out of the kernel, 1514 B' 'a drop is noticed by tx' \
	'offloads used up, offloads all' 'offloads used down, offloads all'; do
	grep -q "^ok  *virtio_user  *$check: " <<<"$checks" ||
		{ echo "FAILED: not checked: $check" >&2; exit 1; }
done
