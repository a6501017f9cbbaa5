# SPDX-License-Identifier: BSD-3-Clause
# Copyright(c) 2026 The rtap authors

# make            build the plugin
# make check      run the tests; as root: all of them
# make demo       show what the driver does, as root
# make paths      which path to the kernel is best here? As root: six minutes
# make bench      the benchmark of the driver, as root: eight minutes, best on an idle machine
# make install    put the plugin where DPDK programs look for drivers
# make clean      remove the build directory
#
# CC=clang BUILD=build-clang OPTIONS='-Dwerror=true' choose compiler, directory and meson options,
# PATHS='--brief' and BENCH='--brief' options of these two.

BUILD ?= build
OPTIONS ?=
BENCH ?=
PATHS ?=
ifneq ($(origin CC),default)
export CC
endif

.NOTPARALLEL:
.PHONY: all setup check demo paths bench install clean

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

install: all
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD)
