#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors
#
# Run the tests of a build directory, but for those under other kernels ("make guest"). What was
# skipped is listed at the end, with the reason: without root, all that needs it.

set -euo pipefail

build=$(realpath "${1:-build}")
cd "$(dirname "$0")/.."
# One log of results, one run
exec 8< "$build"
flock -n 8 || { echo "${0##*/}: tests are already running in $build" >&2; exit 1; }

status=0
meson test -C "$build" --no-rebuild --no-suite guest --print-errorlogs 8<&- || status=$?

# The last line that a skipped test printed is its reason.
python3 - "$build/meson-logs/testlog.json" <<- 'END'
	import json, os, sys
	if os.path.exists(sys.argv[1]):
	    for test in map(json.loads, open(sys.argv[1])):
	        if test['result'] == 'SKIP':
	            said = (test.get('stdout', '') + test.get('stderr', '')).split('\n')
	            reason = [line for line in said if line] or ['no reason given']
	            print('skipped: %s: %s' % (test['name'], reason[-1]))
END
exit "$status"
