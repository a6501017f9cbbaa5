#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# guest-json.sh FILE PROGRAM [OPTION]...: run kpath-perf in the emulated machine of guest.sh, where
# nothing that is written stays, and keep as FILE what it writes with --json.

set -euo pipefail

file=$1
program=$(realpath "$2")
shift 2
written=$("$(dirname "$0")/guest.sh" -t 3000 bash -c \
	'"$@" --json=/run/json > /run/log 2>&1 || { cat /run/log; exit 1; }; cat /run/json' -- \
	"$program" --no-huge "$@") || { printf '%s\n' "$written" >&2; exit 1; }
printf '%s\n' "$written" > "$file"
