# SPDX-License-Identifier: MIT
# A thin front door to CMake. Every target installs the Debian packages that it needs when run as root
# and says which are missing otherwise.

BUILD ?= build
STATIC ?= build-static
JOBS ?= $(shell nproc)
CONFIG ?= -DCMAKE_BUILD_TYPE=RelWithDebInfo
# Tests that `make test` runs: a ctest label expression. "make test LABELS=unit" takes seconds.
LABELS ?= .
# Kernels of `make test-kernels`, names of tests/vm/kernels.
KERNELS ?= 5.10;6.1;6.12;newest

.PHONY: help build static run test test-slow test-static test-kernels test-kubernetes fuzz bench clean

help:
	@echo 'make build            build $(BUILD)/sockflow'
	@echo 'make static           build $(STATIC)/sockflow: one file, for any Linux of this architecture'
	@echo 'make run [SECONDS=n]  build; watch this host: agent and collector, sessions on the screen'
	@echo 'make test             build; run all tests (LABELS=unit: only those)'
	@echo 'make test-slow        build; run the tests that take longer'
	@echo 'make test-static      build it; run it in an empty root, here and on an old kernel'
	@echo 'make test-kernels      the tests of hooks and sessions on every kernel of tests/vm/kernels for this architecture'
	@echo 'make test-kubernetes   build Kubernetes the first time (minutes); pods of a real API server and node'
	@echo 'make fuzz [SECONDS=n] give what comes from outside strange inputs, each target for n seconds (20)'
	@echo 'make bench            build; print the figures of cost and speed'

build:
	packaging/dependencies.sh build
	cmake -S . -B $(BUILD) -G Ninja $(CONFIG) -DBUILD_TESTING=OFF
	cmake --build $(BUILD) -j $(JOBS) --target sockflow

# The linker warns that getaddrinfo and the like load libraries of the glibc that was linked with: here
# they do not (cmake/static/no_libraries.cc). It has no option to silence just that.
static:
	packaging/dependencies.sh build static
	packaging/libpcap_archive $(STATIC)/libpcap
	cmake -S . -B $(STATIC) -G Ninja -DCMAKE_BUILD_TYPE=Release -DSOCKFLOW_STATIC=ON -DBUILD_TESTING=OFF \
	  -DCMAKE_PREFIX_PATH=$(abspath $(STATIC)/libpcap)
	cmake --build $(STATIC) -j $(JOBS) --target sockflow

run: build
	packaging/try.sh $(BUILD)/sockflow $(SECONDS)

test: CHOICE = -L '$(LABELS)' -LE '^(slow|static|kubernetes|kernels)$$'
test-slow: CHOICE = -L slow
test test-slow:
	packaging/dependencies.sh build test
	cmake -S . -B $(BUILD) -G Ninja $(CONFIG) -DBUILD_TESTING=ON
	cmake --build $(BUILD) -j $(JOBS)
	ctest --test-dir $(BUILD) --output-on-failure $(CHOICE)

test-static: static
	packaging/dependencies.sh test
	cmake -S . -B $(BUILD) -G Ninja $(CONFIG) -DBUILD_TESTING=ON \
	  -DSOCKFLOW_STATIC_FILE=$(abspath $(STATIC)/sockflow)
	ctest --test-dir $(BUILD) --output-on-failure -L '^static$$'

test-kernels:
	packaging/dependencies.sh build test
	cmake -S . -B $(BUILD) -G Ninja $(CONFIG) -DBUILD_TESTING=ON -DSOCKFLOW_VM_KERNELS='$(KERNELS)'
	cmake --build $(BUILD) -j $(JOBS) --target kernel_test sockflow session_maker wire_watch
	ctest --test-dir $(BUILD) --output-on-failure -R '^vm_(e2e_)?[0-9n]'
	cmake -S . -B $(BUILD) -DSOCKFLOW_VM_KERNELS=

# What it builds stays in $(BUILD)/kubernetes. --verbose: it has figures to tell.
test-kubernetes:
	packaging/dependencies.sh build test kubernetes
	cmake -S . -B $(BUILD) -G Ninja $(CONFIG) -DBUILD_TESTING=ON
	cmake --build $(BUILD) -j $(JOBS) --target sockflow
	ctest --test-dir $(BUILD) --verbose -L '^kubernetes$$'

# Clang has the fuzzer, so it has a build of its own; what it finds is left in it.
fuzz:
	packaging/dependencies.sh build test
	cmake -S . -B $(BUILD)-fuzz -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ \
	  -DSOCKFLOW_SANITIZE=fuzzer-no-link,address,undefined \
	  -DCMAKE_CXX_FLAGS='-fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS'
	cmake --build $(BUILD)-fuzz -j $(JOBS) --target fuzz_programs
	tests/fuzz/run.sh $(BUILD)-fuzz $(or $(SECONDS),20)

bench:
	packaging/dependencies.sh build test bench
	cmake -S . -B $(BUILD) -G Ninja $(CONFIG) -DBUILD_TESTING=ON
	cmake --build $(BUILD) -j $(JOBS) --target sockflow bench_programs
	tests/bench/run.sh $(BUILD)

clean:
	rm -rf $(BUILD) $(STATIC) $(BUILD)-fuzz
