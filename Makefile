# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors

# make            build the plugin
# make check      run the tests; as root: all but those of "make guest"
# make demo       show what the driver does, as root
# make paths      which path to the kernel is best here? As root: fifteen minutes
# make bench      the benchmark of the driver, as root: ten minutes, best on an idle machine
# make guest      run those tests that need other kernels, in an emulator
# make record     measure all of it again, as root, and what the guides show: half an hour, idle
# make guide      only the latter: tables of doc/performance/, plots, some of the page in REPORT
# make install    put the plugin where DPDK programs look for drivers
# make clean      remove the build directory
#
# CC=clang BUILD=build-clang OPTIONS='-Dwerror=true' choose compiler, directory and meson options,
# PATHS='--brief' and BENCH='--brief' options of these two.

BUILD ?= build
OPTIONS ?=
BENCH ?=
PATHS ?=
REPORT ?= $(BUILD)/paths
ifneq ($(origin CC),default)
export CC
endif

.NOTPARALLEL:
.PHONY: all setup check demo paths bench guest record guide install clean

all: $(BUILD)/build.ninja
	meson compile -C $(BUILD)

$(BUILD)/build.ninja:
	devtools/setup.sh --build
	meson setup $(BUILD) $(OPTIONS)

setup:
	devtools/setup.sh

check: setup all
	devtools/check.sh $(BUILD)

demo: setup all
	devtools/demo.sh $(BUILD)

paths: setup all
	$(BUILD)/app/kpath-perf --json=$(BUILD)/paths.json $(PATHS)

bench: setup all
	$(BUILD)/app/kpath-perf --bench --json=$(BUILD)/kpath-perf.json $(BENCH)
	devtools/bench-tables.py --readme $(BUILD)/kpath-perf.json

# Pictures of the page, and what the guide calls them
PLOTS = plot-tx-ns=kpath_tx plot-rx-cpu-ns=kpath_rx plot-tcp-gbps=kpath_tcp \
	plot-rtt-p50-us=kpath_rtt plot-rrul-p50-us=kpath_rrul time-rrul-1-rtap-ms=kpath_rrul_ms \
	time-rrul-1-rtap-Mb-s=kpath_rrul_mbps topology-rtap=kpath_injection \
	topology-virtio-user=kpath_vhost topology-af-packet=kpath_redirection \
	topology-veth=kpath_kernel

guest: all
	devtools/setup.sh --guest
	meson test -C $(BUILD) --no-rebuild --print-errorlogs --suite guest

record: setup all
	$(BUILD)/app/kpath-perf --json=doc/performance/paths.json --report=$(REPORT) $(PATHS)
	$(BUILD)/app/kpath-perf --features --json=doc/performance/features.json
	$(BUILD)/app/kpath-perf --bench --json=doc/performance/kpath-perf.json
	devtools/setup.sh --guest
	devtools/guest-json.sh doc/performance/guest.json $(BUILD)/app/kpath-perf --brief \
		--tests=tx,rx,tcp --paths=rtap,net_tap,virtio_user,veth --rounds=5 --duration=300
	devtools/guest-json.sh doc/performance/guest-features.json $(BUILD)/app/kpath-perf \
		--features --paths=virtio_user
	$(MAKE) guide

guide:
	devtools/report-plots.py $(REPORT)/index.html doc/guides/tools/img $(PLOTS)
	devtools/paths-tables.py --write doc/performance doc/guides/tools/kpath-perf.rst
	devtools/bench-tables.py --write doc/performance/kpath-perf.json \
		README.md doc/guides/nics/rtap.rst
	devtools/plot-bench.py doc/performance/kpath-perf.json doc/guides/nics/img

install: all
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD)
